//! Connections that go the way of earlier ones.
//!
//! At production scale one connection is like the other: the same program opens it to the same
//! server, and its ten segments differ from those of the one before in a port, in the numbers that
//! were drawn, and in when. To work each of them out from the beginning takes thirty thousand
//! instructions. So when some have come, the next one is worked out twice in a small world of its own
//! ([`learn`]), and what both have in common is written down as a [`track`]. Later ones follow it: they take their
//! port and their place in the hash when they begin, each of their segments gets its place in the
//! digest, and their bucket is made, changed and buried at its time.
//!
//! A connection follows a track only where nothing can come of it that is not on it ([`ways`]): no
//! segment can get lost, the applications act at once, and all limits are so far away that what may
//! begin meanwhile cannot reach them. Where one of these things is not so it is worked out in full, as
//! every connection is that somebody watches. Nobody can tell the difference: digests, counters,
//! tables, notes and what the applications count are the same, in the same order.
//!
//! Followers have no events. A host that is about to do something by itself first does what is due of
//! all followers that have an end there ([`Followers::catch_up`]), so that it finds its tables as they
//! have to be. Everybody has come to an end when [`World::run_until`](crate::world::World::run_until)
//! returns.

mod learn;
mod track;
mod way;
mod ways;

use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::Kernel;
use finwait_model::time::{Instant, Span};
use finwait_model::track::{Change, Origin, Since};

use crate::agenda::{Agenda, NEVER};
use crate::app::AppId;
use crate::digest;
use crate::host::{Host, Tally};
use crate::link::Link;
use crate::units::Rate;
use crate::watch::Watch;
use crate::world::HostId;
pub(crate) use track::AppTotal;
pub(crate) use track::{CLIENT, SERVER};
use way::{Follower, Way};
pub(crate) use ways::is_plain;

/// A host that does nothing by itself looks after its followers that late: no timer that they start
/// is shorter (a bucket lives for 3.5 times the least RTO).
const PATIENCE: Span = Span::millis(10);
/// A limit counts as far away when it is as many times what there is now, with what may begin
/// meanwhile: each connection is a socket here, a request or a socket there, and no more.
const MARGIN: u64 = 4;

/// Everybody who follows a track.
#[derive(Debug)]
pub(crate) struct Followers {
    ways: Vec<Way>,
    /// By host and application: the way to each of its targets.
    clients: Vec<Vec<Vec<Option<u32>>>>,
    /// By host.
    hosts: Vec<Station>,
    rates: Vec<Rate>,
    /// Open connections of all hosts that do not follow.
    open: u64,
    /// Those that do.
    under_way: u64,
    /// How many have begun so far.
    begun: u64,
    /// When the run ends that is under way; at zero nobody begins.
    end: Instant,
}

/// What followers do on one host.
#[derive(Debug)]
struct Station {
    /// The ways that end here, with which of their ends, sorted by lane.
    ends: Vec<(u32, usize)>,
    /// By place in `ends`: when something is due.
    agenda: Agenda,
    /// Its own open connections.
    open: u64,
}

/// Up to where a host catches up: whatever comes before its next step of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    /// When that is.
    pub at: Instant,
    /// What comes first among what happens in that instant.
    pub then: Then,
}

impl Until {
    /// Does it come behind what a follower does then because of what comes on that link?
    #[inline]
    fn comes_behind(&self, at: Instant, link: usize, links: &[Link], lanes: &[u32]) -> bool {
        if at != self.at {
            return at < self.at;
        }
        match self.then {
            Then::Nothing => false,
            Then::All => true,
            Then::Before { link: theirs, behind, .. } if link == theirs => {
                links[link].followers_arrived() < behind
            }
            Then::Before { lane, .. } => lanes[link] < lane,
        }
    }
}

impl Station {
    /// Whose turn it is: the earliest, the lowest lane among equals, and on the same lane whoever
    /// began first.
    fn first_place(&self, ways: &[Way]) -> usize {
        let after = self.agenda.first() + Span::nanos(1);
        let mut place = self.agenda.next_before(after, 0).unwrap_or(0);
        let who = |place: usize| {
            let (number, end) = self.ends[place];
            let way = &ways[number as usize];
            (way.link_to(end), way.number(end))
        };
        let mut other = self.agenda.next_before(after, place + 1);
        while let Some(next) = other {
            let ((link, number), (first_link, first)) = (who(next), who(place));
            if link != first_link {
                break;
            }
            if number < first {
                place = next;
            }
            other = self.agenda.next_before(after, next + 1);
        }
        place
    }
}

/// See [`Until`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// Nothing that followers do.
    Nothing,
    /// Everything that they do: they only receive.
    All,
    /// What comes before this arrival: on a lower lane, or sent earlier on the same.
    Before {
        /// Its link.
        link: usize,
        /// The lane that the link is at that host.
        lane: u32,
        /// How many segments of followers had entered the link before it.
        behind: u64,
    },
}

/// How connect() went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begun {
    /// The connection is under way, to that host, which must look after it, too.
    Follows(HostId),
    /// EADDRNOTAVAIL.
    NoPort,
}

/// What a host's followers act on.
#[derive(Debug)]
pub(crate) struct Ground<'a, W> {
    pub host: HostId,
    pub kernel: &'a mut Kernel,
    pub tally: &'a mut Tally,
    pub watch: &'a mut W,
}

impl Followers {
    /// Nobody follows.
    pub(crate) fn none(hosts: usize) -> Self {
        let station = || Station { ends: Vec::new(), agenda: Agenda::new(1), open: 0 };
        Self {
            ways: Vec::new(),
            clients: vec![Vec::new(); hosts],
            hosts: std::iter::repeat_with(station).take(hosts).collect(),
            rates: Vec::new(),
            open: 0,
            under_way: 0,
            begun: 0,
            end: Instant::ZERO,
        }
    }
    fn add_way(&mut self, way: Way) {
        let number = self.ways.len() as u32;
        for end in [CLIENT, SERVER] {
            let station = &mut self.hosts[usize::from(way.hosts[end].0)];
            station.ends.push((number, end));
        }
        self.ways.push(way);
    }
    fn add_client(&mut self, host: HostId, app: AppId, targets: Vec<Option<u32>>) {
        let apps = &mut self.clients[usize::from(host.0)];
        let index = usize::from(app.0);
        apps.resize(apps.len().max(index + 1), Vec::new());
        apps[index] = targets;
    }
    /// Sorts what is at each host by the lane on which it comes there.
    pub(crate) fn sort(&mut self, lanes: &[u32]) {
        let Self { ways, hosts, .. } = self;
        for station in hosts {
            station.ends.sort_by_key(|&(way, end)| lanes[ways[way as usize].link_to(end)]);
            for (place, &(way, end)) in station.ends.iter().enumerate() {
                ways[way as usize].places[end] = place;
            }
            station.agenda = Agenda::new(station.ends.len().max(1));
        }
    }
    /// The ways to an application's targets.
    fn targets(&self, host: HostId, app: AppId) -> &[Option<u32>] {
        let apps = &self.clients[usize::from(host.0)];
        apps.get(usize::from(app.0)).map_or(&[], |targets| targets)
    }
    /// Is there any way that may have a track?
    #[inline]
    pub(crate) const fn are_possible(&self) -> bool {
        !self.ways.is_empty()
    }
    /// How many have begun so far.
    pub(crate) const fn begun(&self) -> u64 {
        self.begun
    }
    /// Nobody follows any more, for the hosts may have become others.
    pub(crate) fn stop(&mut self) {
        debug_assert_eq!(self.under_way, 0, "nobody is under way between two runs");
        *self = Self { begun: self.begun, ..Self::none(self.hosts.len()) };
    }
    /// A run begins; `may` whoever watches it live with what followers tell?
    pub(crate) fn begin_run(&mut self, end: Instant, may: bool) {
        self.end = if may { end } else { Instant::ZERO };
    }
    /// When a host must look after its followers at the latest.
    #[inline]
    pub(crate) fn at_latest(&self, host: HostId) -> Instant {
        let first = self.first(host);
        if first == NEVER { NEVER } else { first + PATIENCE }
    }
    /// When something is due at that host.
    #[inline]
    pub(crate) fn first(&self, host: HostId) -> Instant {
        self.hosts[usize::from(host.0)].agenda.first()
    }
    /// A host says how many open connections it has.
    #[inline]
    pub(crate) fn has_open(&mut self, host: HostId, open: u64) {
        let station = &mut self.hosts[usize::from(host.0)];
        self.open = self.open + open - station.open;
        station.open = open;
    }

    /// connect() by a connection that follows a track; `None` if it must not.
    pub(crate) fn begin<W: Watch>(
        &mut self,
        (host, app, target): (HostId, AppId, usize),
        to: Endpoint,
        now: Instant,
        links: &mut [Link],
        ground: &mut Ground<'_, W>,
    ) -> Option<Begun> {
        if now >= self.end {
            return None;
        }
        let apps = &self.clients[usize::from(host.0)];
        let number = (*apps.get(usize::from(app.0))?.get(target)?)?;
        let way = &mut self.ways[number as usize];
        if ground.kernel.buckets_matter_to_others() {
            return None;
        }
        let start = way.start(now, &self.rates)?;
        let most = self.open + self.under_way + start.starts;
        let fits = MARGIN * most < start.room && most < ground.kernel.bucket_room();
        if !fits || now + start.lasts >= self.end {
            return None;
        }
        let mut numbers = Origin::default();
        let suits = |flow| {
            numbers = way.numbers(flow, now);
            track::is_usual(&numbers)
        };
        let place = match ground.kernel.begin_following(to, now, suits) {
            Ok(begun) => begun?.1,
            Err(Errno::EADDRNOTAVAIL) => return Some(Begun::NoPort),
            Err(error) => unreachable!("connect() says {error:?} here"),
        };
        let sends = way.links[CLIENT];
        let follower =
            Follower { number: self.begun, began: now, client: numbers, place, class: start.class };
        let (moment, follower) = way.begin(follower);
        act(moment, follower, &numbers, now, &mut links[sends], ground);
        self.begun += 1;
        self.under_way += 1;
        for end in [CLIENT, SERVER] {
            let station = &mut self.hosts[usize::from(way.hosts[end].0)];
            station.agenda.set(way.places[end], way.next(end));
        }
        Some(Begun::Follows(way.hosts[SERVER]))
    }

    /// Everything that followers do on that host before `until`. Says whether there is a bucket more,
    /// or one that waits anew.
    pub(crate) fn catch_up<W: Watch>(
        &mut self,
        until: Until,
        links: &mut [Link],
        lanes: &[u32],
        ground: &mut Ground<'_, W>,
    ) -> bool {
        let Self { ways, hosts, under_way, .. } = self;
        let station = &mut hosts[usize::from(ground.host.0)];
        let mut buckets = false;
        while station.agenda.first() <= until.at {
            let alone = station.ends.len() == 1;
            let place = if alone { 0 } else { station.first_place(ways) };
            let (number, end) = station.ends[place];
            let way = &mut ways[number as usize];
            let (from, to) = (way.link_to(end), way.links[end]);
            let mut acted = false;
            *under_way -= way.run(end, |moment, follower, origin, at| {
                // Beside others only what comes first, and then it is asked again who does.
                if (acted && !alone) || !until.comes_behind(at, from, links, lanes) {
                    return false;
                }
                acted = true;
                buckets |= moment.change.as_ref().is_some_and(Change::has_bucket);
                links[from].follower_arrives(moment.arrivals);
                act(moment, follower, origin, at, &mut links[to], ground);
                true
            });
            station.agenda.set(place, way.next(end));
            if !acted {
                break;
            }
        }
        buckets
    }

    /// A run is over and everybody has come to an end: what they have counted is added up.
    pub(crate) fn settle(&mut self, hosts: &mut [Host]) {
        debug_assert_eq!(self.under_way, 0, "nobody is under way when a run ends");
        for way in &mut self.ways {
            let (at, apps) = (way.hosts, way.apps);
            way.settle(|totals, times| {
                for end in [CLIENT, SERVER] {
                    let host = &mut hosts[usize::from(at[end].0)];
                    host.count(apps[end], &totals.kernels[end], &totals.apps, times);
                }
            });
        }
    }
}

/// A moment of a connection, on one of its hosts.
#[inline]
fn act<W: Watch>(
    moment: &track::Moment,
    follower: &Follower,
    origin: &Origin,
    at: Instant,
    link: &mut Link,
    ground: &mut Ground<'_, W>,
) {
    if !moment.sends.is_empty() {
        let ends = digest::ends(origin.flow);
        let digest = ground.tally.followed(moment.sends.len() as u64);
        for sends in &moment.sends {
            sends.leave(at, ends, origin, digest);
        }
        link.follower_enters(moment.sends.len() as u64);
    }
    if let Some(change) = &moment.change {
        let since = Since::beginning(follower.began);
        ground.kernel.follow(change, origin, follower.place, since, at);
    }
    if ground.watch.wants_notes() {
        let portless = FourTuple { sport: 0, ..origin.flow };
        for (note, early) in &moment.notes {
            let flow = if *early { portless } else { origin.flow };
            ground.watch.noted(at, ground.host, &note.with_flow(flow));
        }
    }
}
