//! One way: the connections from one client application to one server, and the tracks that they go.

use std::collections::VecDeque;

use finwait_model::flow::FourTuple;
use finwait_model::time::{Instant, Span};
use finwait_model::track::{Numbering, Origin, Place};

use super::learn::Lesson;
use super::track::{CLIENT, Class, Moment, Phases, SERVER, Shape, Totals, mirrored, origin};
use super::ways::{NOTHING, starts_within};
use crate::app::AppId;
use crate::units::Rate;
use crate::world::HostId;

/// A way and what is known of it.
#[derive(Debug)]
pub(super) struct Way {
    lesson: Lesson,
    /// By end.
    pub hosts: [HostId; 2],
    pub apps: [AppId; 2],
    /// By sending end: its link to the other one.
    pub links: [usize; 2],
    /// By end: its place at that host.
    pub places: [usize; 2],
    known: Known,
    /// Connections under way, the oldest first.
    followers: VecDeque<Follower>,
    /// How many have come before them.
    gone: u64,
    /// By end.
    ends: [End; 2],
}

/// What has been learnt.
#[derive(Debug)]
enum Known {
    /// Nothing, after so many connections and lessons.
    Nothing {
        /// Connections that were worked out in full.
        seen: u32,
        /// Lessons that have failed.
        failed: u32,
    },
    /// Its connections are not alike.
    Unlike,
    /// They are.
    Track(Box<Track>),
}

#[derive(Debug)]
struct Track {
    shape: Shape,
    lasts: Span,
    numbering: [Numbering; 2],
    room: u64,
    phases: Phases,
    /// By [`Phases::class_of`].
    tried: Vec<Tried>,
    /// By end, and then by class and number: everything that happens there.
    moments: [Vec<Moment>; 2],
    /// By class: what is counted, and connections that have gone that way and are not counted yet.
    totals: Vec<(Totals, u64)>,
    /// How many connections may begin in the world while one lasts.
    starts: u64,
}

#[derive(Clone, Copy, Debug)]
enum Tried {
    /// Not yet, after so many connections.
    Not(u32),
    Fails,
    Class(u32),
}

/// A connection on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follower {
    /// How many have begun before it, in the whole world.
    pub number: u64,
    pub began: Instant,
    /// Seen from the client.
    pub client: Origin,
    pub place: Place,
    pub class: u32,
}

impl Follower {
    /// Its numbers seen from that end.
    #[inline]
    pub(super) fn origin(&self, end: usize) -> Origin {
        if end == CLIENT { self.client } else { mirrored(&self.client) }
    }
}

/// So often the first lesson may fail: a connection may have begun at a rare moment.
const ATTEMPTS: u32 = 4;
/// A lesson costs as much as some tens of connections, so it is worth it only when as many have come.
const WORTH: u32 = 16;

/// A kernel that has been up for less may see a clock that still stands at zero, which means "never" in
/// many places.
const GROWN_UP: Span = Span::secs(10);

/// How far all of them are at one end.
#[derive(Clone, Debug)]
struct End {
    moments: Vec<Passing>,
    /// The earliest moment that is still to come …
    next: Instant,
    /// … and which it is.
    moment: usize,
}

/// How far all of them are at one moment of their lives.
#[derive(Clone, Copy, Debug)]
struct Passing {
    /// How long after the beginning it is.
    after: Span,
    /// How many connections have passed it.
    passed: u64,
    /// When the next one does.
    next: Instant,
}

impl End {
    /// A connection begins.
    #[inline]
    fn another(&mut self, began: Instant) {
        for moment in &mut self.moments {
            if moment.next == NOTHING {
                moment.next = began + moment.after;
            }
        }
    }
    /// Is whoever comes to the next moment also the one who comes to the last one next? Then so it is
    /// for all in between.
    #[inline]
    fn is_level(&self) -> bool {
        self.moments[self.moments.len() - 1].passed == self.moments[self.moment].passed
    }
    /// Looks for the earliest moment. Among equals it is that of the oldest connection, which is the
    /// latest of its life: each of its moments was caused by an earlier one, and an application opens
    /// connections after what has arrived in the same instant has been dealt with.
    #[inline]
    fn look(&mut self) {
        let (mut next, mut which) = (NOTHING, 0);
        for (n, moment) in self.moments.iter().enumerate() {
            if moment.next <= next {
                (next, which) = (moment.next, n);
            }
        }
        (self.next, self.moment) = (next, which);
    }
}

/// What a connection may begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub class: u32,
    /// Until everything has happened.
    pub lasts: Span,
    /// How many others may begin meanwhile.
    pub starts: u64,
    /// Open connections that the hosts take without a limit of theirs being met.
    pub room: u64,
}

impl Way {
    pub(super) fn new(
        lesson: Lesson,
        hosts: [HostId; 2],
        apps: [AppId; 2],
        links: [usize; 2],
    ) -> Self {
        let end = End { moments: Vec::new(), next: NOTHING, moment: 0 };
        Self {
            lesson,
            hosts,
            apps,
            links,
            places: [0, 0],
            known: Known::Nothing { seen: 0, failed: 0 },
            followers: VecDeque::new(),
            gone: 0,
            ends: [end.clone(), end],
        }
    }
    /// The link on which segments come to that end.
    pub(super) const fn link_to(&self, end: usize) -> usize {
        self.links[1 - end]
    }
    /// May a connection that begins now follow a track? Learns what it has to.
    #[inline]
    pub(super) fn start(&mut self, now: Instant, rates: &[Rate]) -> Option<Start> {
        if let Known::Nothing { seen, failed } = &mut self.known {
            *seen += 1;
            if *seen < WORTH {
                return None;
            }
            let failed = *failed;
            self.learn_first(now, failed, rates);
        }
        let Known::Track(track) = &mut self.known else { return None };
        if track.numbering.iter().any(|end| end.uptime(now) < GROWN_UP) {
            return None;
        }
        let place = track.phases.class_of(now);
        let class = match track.tried[place] {
            Tried::Class(class) => class,
            Tried::Fails => return None,
            Tried::Not(seen) if seen < WORTH => {
                track.tried[place] = Tried::Not(seen + 1);
                return None;
            }
            Tried::Not(_) => track.learn_class(place, &self.lesson, now)?,
        };
        let Track { lasts, room, starts, .. } = **track;
        Some(Start { class, lasts, room, starts })
    }
    #[cold]
    fn learn_first(&mut self, now: Instant, failed: u32, rates: &[Rate]) {
        let again = Known::Nothing { seen: 0, failed: failed + 1 };
        self.known = if failed + 1 < ATTEMPTS { again } else { Known::Unlike };
        let Some(learned) = self.lesson.learn(now) else { return };
        let Some(phases) = Phases::new(&learned.shape, &learned.numbering) else { return };
        if !phases.is_alike(now) {
            return;
        }
        for (end, moments) in self.ends.iter_mut().zip(&learned.shape.moments) {
            let passing = |after: &Span| Passing { after: *after, passed: 0, next: NOTHING };
            end.moments = moments.iter().map(passing).collect();
        }
        let lasts = learned.shape.lasts();
        let mut track = Track {
            lasts,
            starts: starts_within(rates, lasts),
            tried: vec![Tried::Not(0); phases.count()],
            shape: learned.shape,
            numbering: learned.numbering,
            room: learned.room,
            phases,
            moments: Default::default(),
            totals: Vec::new(),
        };
        track.add_class(track.phases.class_of(now), learned.class);
        self.known = Known::Track(Box::new(track));
    }
    /// The numbers of a connection that begins now, once it is known that it [may](Self::start).
    #[inline]
    pub(super) fn numbers(&self, flow: FourTuple, now: Instant) -> Origin {
        let Known::Track(track) = &self.known else { return Origin::default() };
        origin(&track.numbering, flow, now, track.shape.syn_arrives)
    }
    /// A connection begins; its beginning is its client's first moment, which is done with.
    #[inline]
    pub(super) fn begin(&mut self, follower: Follower) -> (&Moment, &Follower) {
        let class = follower.class as usize;
        let Known::Track(track) = &mut self.known else {
            unreachable!("invariant: only who knows the track begins")
        };
        track.totals[class].1 += 1;
        self.followers.push_back(follower);
        for end in &mut self.ends {
            end.another(follower.began);
        }
        // Nobody has begun since.
        let beginning = &mut self.ends[CLIENT].moments[0];
        beginning.passed += 1;
        beginning.next = NOTHING;
        for end in &mut self.ends {
            end.look();
        }
        let first = class * track.shape.moments[CLIENT].len();
        let moment = &track.moments[CLIENT][first];
        (moment, &self.followers[self.followers.len() - 1])
    }
    /// When something happens next at that end.
    #[inline]
    pub(super) const fn next(&self, end: usize) -> Instant {
        self.ends[end].next
    }
    /// To whom it happens: how many have begun before it.
    pub(super) fn number(&self, end: usize) -> Option<u64> {
        let End { moments, moment, .. } = &self.ends[end];
        let passed = moments.get(*moment)?.passed;
        self.followers.get((passed - self.gone) as usize).map(|follower| follower.number)
    }
    /// Lets `act` do what happens at that end, in its order, until it says that it did not. How many
    /// connections have come to their end because of it?
    #[inline]
    pub(super) fn run(
        &mut self,
        end: usize,
        mut act: impl FnMut(&Moment, &Follower, &Origin, Instant) -> bool,
    ) -> u64 {
        let Self { known: Known::Track(track), ends, followers, gone, .. } = self else { return 0 };
        let due = &mut ends[end];
        let count = due.moments.len();
        let mut through = false;
        while due.next != NOTHING {
            let place = (due.moments[due.moment].passed - *gone) as usize;
            let follower = &followers[place];
            let origin = follower.origin(end);
            let moments = &track.moments[end][follower.class as usize * count..][..count];
            let behind = followers.get(place + 1).map(|behind| behind.began);
            // All that comes next is its own if nobody is before it and whoever is behind it comes here
            // after it has gone.
            let last = follower.began + due.moments[count - 1].after;
            let apart = behind.is_none_or(|behind| behind + due.moments[0].after > last);
            let alone = apart && due.is_level();
            loop {
                let which = due.moment;
                let passing = &mut due.moments[which];
                if !act(&moments[which], follower, &origin, due.next) {
                    return if through { self.let_go() } else { 0 };
                }
                passing.passed += 1;
                passing.next = behind.map_or(NOTHING, |began| began + passing.after);
                let is_last = which + 1 == count;
                through |= is_last;
                if !alone || is_last {
                    break;
                }
                due.moment = which + 1;
                due.next = due.moments[which + 1].next;
            }
            due.look();
        }
        if through { self.let_go() } else { 0 }
    }
    /// Who has come to the end at both ends is forgotten.
    fn let_go(&mut self) -> u64 {
        let through = |end: &End| end.moments.last().map_or(0, |moment| moment.passed);
        let through = through(&self.ends[CLIENT]).min(through(&self.ends[SERVER]));
        let over = through - self.gone;
        for _ in 0..over {
            self.followers.pop_front();
        }
        self.gone = through;
        over
    }
    /// Adds what the connections of each class have counted. Nobody is under way.
    pub(super) fn settle(&mut self, mut count: impl FnMut(&Totals, u64)) {
        let Known::Track(track) = &mut self.known else { return };
        for (totals, times) in &mut track.totals {
            if *times > 0 {
                count(totals, core::mem::take(times));
            }
        }
    }
}

impl Track {
    #[cold]
    fn learn_class(&mut self, place: usize, lesson: &Lesson, now: Instant) -> Option<u32> {
        self.tried[place] = Tried::Fails;
        if !self.phases.is_alike(now) {
            return None;
        }
        let learned = lesson.learn(now).filter(|learned| learned.shape == self.shape)?;
        Some(self.add_class(place, learned.class))
    }
    fn add_class(&mut self, place: usize, class: Class) -> u32 {
        let number = self.totals.len() as u32;
        for (mine, more) in self.moments.iter_mut().zip(class.moments) {
            mine.extend(more);
        }
        self.totals.push((class.totals, 0));
        self.tried[place] = Tried::Class(number);
        number
    }
}
