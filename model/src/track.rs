//! What a connection does to its host, taken down so that another one that goes the same way can do
//! it again without being worked out anew.
//!
//! Two connections of the same program between the same hosts differ in their port, in the numbers
//! that the kernels draw for them, and in when they begin. Whoever looks at hosts before and after
//! each thing that happens ([`Kernel::mark`]) gets from [`Kernel::change`] what happened, relative to
//! those numbers ([`Origin`]); [`Kernel::follow`] does it again with other ones. What must stand in
//! the tables at its own time, because others look there, is in a [`Change`]: the place in the hash,
//! the orphans, the bucket. What is only counted is in a [`Total`] and may be added at any time.

use alloc::vec::Vec;

use crate::cause::Cause;
use crate::counters::{Counters, Mib};
use crate::deathrow::Tag;
use crate::errno::Errno;
use crate::flow::{Endpoint, FourTuple};
use crate::kernel::Kernel;
use crate::secrets::Secrets;
use crate::seq::Seq;
use crate::sink::Note;
use crate::state::TcpState;
use crate::table::ehash::{Entry, Object};
use crate::table::slab::{Id as _, TwId};
use crate::time::{Clock, Instant, Jiffies, Span};
use crate::timewait::TimeWait;

/// How a host draws the numbers of a connection.
#[derive(Clone, Debug)]
pub struct Numbering {
    secrets: Secrets,
    clock: Clock,
    by_millis: bool,
    random_offset: bool,
}

impl Numbering {
    /// The initial sequence number that it draws then, for a flow as it sends it.
    /// `[secure_tcp_seq]`
    #[inline]
    pub fn iss(&self, flow: FourTuple, now: Instant) -> Seq {
        self.secrets.initial_sequence(flow, self.clock, now)
    }
    /// The timestamp that it would send then. `[tcp_time_stamp_ts]`
    #[inline]
    pub fn timestamp(&self, flow: FourTuple, now: Instant) -> u32 {
        self.offset(flow).wrapping_add(stamp_clock(self.clock, self.by_millis, now))
    }
    /// Its offset. `[secure_tcp_ts_off]`
    #[inline]
    pub fn offset(&self, flow: FourTuple) -> u32 {
        if self.random_offset { self.secrets.timestamp_offset(flow) } else { 0 }
    }
    /// How long it has been up then.
    pub const fn uptime(&self, now: Instant) -> Span {
        Span::nanos(now.ns + self.clock.uptime_ns)
    }
    /// The grains in which its kernel counts time, nanoseconds, and the kernel time at
    /// [`Instant::ZERO`]: microseconds, milliseconds, ticks, seconds.
    pub const fn grains(&self) -> ([u64; 4], u64) {
        ([1_000, 1_000_000, self.clock.tick_ns(), 1_000_000_000], self.clock.uptime_ns)
    }
}

/// The clock of timestamps, before an offset: milliseconds, or on older releases ticks.
#[inline]
pub(crate) fn stamp_clock(clock: Clock, by_millis: bool, now: Instant) -> u32 {
    let base = if by_millis { clock.millis(now) } else { clock.jiffies(now).0 };
    base as u32
}

/// The numbers that a connection begins with, seen from one of its hosts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Origin {
    /// The connection, as the host sends.
    pub flow: FourTuple,
    /// The host's initial sequence number.
    pub iss: Seq,
    /// The peer's.
    pub irs: Seq,
    /// What the host's timestamp is when the connection begins.
    pub ts: u32,
    /// What the peer's is.
    pub peer_ts: u32,
}

/// Where a connection that follows a track stands in the established hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(TwId);

impl Place {
    pub(crate) const fn bucket(self) -> TwId {
        self.0
    }
}

/// How a host stood at one moment.
#[derive(Clone, Debug)]
pub struct Mark {
    counters: Counters,
    states: [u32; 13],
    orphans: u32,
    inuse: u32,
    alloc: u32,
    requests: usize,
    orphan_period: Jiffies,
    bucket: Option<(TimeWait, Jiffies)>,
    buckets: usize,
    draws: Secrets,
}

/// What the times in a bucket are relative to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    /// When its connection began, or any other time that its making is measured from.
    pub began: Instant,
    /// A time in the second in which [`Origin::peer_ts`] was.
    pub stamped: Instant,
}

impl Since {
    /// Everything is relative to the connection's beginning.
    pub const fn beginning(began: Instant) -> Self {
        Self { began, stamped: began }
    }
}

/// What happens in a host's tables at one moment of a connection's life.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Change {
    /// How many orphans more.
    orphans: i32,
    /// close() has asked how many there are.
    asks_orphans: bool,
    bucket: Option<Bucket>,
}

/// How a bucket stands then, relative to its connection's [`Origin`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bucket {
    rcv_nxt: u32,
    snd_nxt: u32,
    rcv_wnd: u32,
    /// The peer's last timestamp, and when it came, seconds after the connection's beginning; `None`
    /// without timestamps.
    ts_recent: Option<(u32, u32)>,
    /// `None` if it stays what it was.
    entry_ms: Option<u32>,
    timeout: u32,
    substate: TcpState,
    rcv_wscale: u8,
    owner: u8,
    has_offset: bool,
    /// Jiffies from now on.
    wait: u64,
    /// What it was before; `None` if it is made now.
    was: Option<TcpState>,
}

/// What a host has counted of a whole connection, or of a part of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Total {
    /// Modulo 2^64, so that what has become fewer (`CurrEstab`) wraps back when it is added.
    mib: Vec<(Mib, u64)>,
    sent: Vec<(Cause, u64)>,
}

impl Total {
    /// What was counted between two moments.
    pub(crate) fn between(before: &Mark, after: &Mark) -> Self {
        let (old, new) = (&before.counters, &after.counters);
        let mib = Mib::ALL.iter().map(|&mib| (mib, new.get(mib).wrapping_sub(old.get(mib))));
        let sent = Cause::all().map(|cause| (cause, new.sent(cause) - old.sent(cause)));
        Self {
            mib: mib.filter(|(_, more)| *more != 0).collect(),
            sent: sent.filter(|(_, more)| *more != 0).collect(),
        }
    }
}

impl Mark {
    /// How many more sockets there are after than before: by state (without the connection's bucket), in
    /// the hash, and in all.
    pub(crate) fn gauges(before: &Self, after: &Self) -> ([i32; 13], i32, i32) {
        let mut states = [0; 13];
        for (n, more) in states.iter_mut().enumerate() {
            *more = after.states[n].wrapping_sub(before.states[n]) as i32;
        }
        if let Some((tw, _)) = &before.bucket {
            states[tw.substate as usize] += 1;
        }
        if let Some((tw, _)) = &after.bucket {
            states[tw.substate as usize] -= 1;
        }
        let more = |new: u32, old: u32| new.wrapping_sub(old) as i32;
        (states, more(after.inuse, before.inuse), more(after.alloc, before.alloc))
    }
}

impl Change {
    /// Nothing at all?
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
    /// Is a bucket made or changed?
    pub const fn has_bucket(&self) -> bool {
        self.bucket.is_some()
    }
    /// Is a bucket made?
    pub fn makes_bucket(&self) -> bool {
        self.bucket.is_some_and(|bucket| bucket.was.is_none())
    }
}

impl Kernel {
    /// How it draws numbers; to be asked for again when a sysctl has changed.
    pub fn numbering(&self) -> Numbering {
        Numbering {
            secrets: self.secrets.clone(),
            clock: self.clock,
            by_millis: self.behaviour.random_timestamp_offset,
            random_offset: self.offsets_timestamps(),
        }
    }
    /// May connect() find a bucket that it takes over, or may a timestamp of an earlier connection
    /// matter? Then connections are no strangers to one another.
    pub const fn buckets_matter_to_others(&self) -> bool {
        self.reuses_buckets(false) || self.sysctl.tcp_tw_recycle != 0
    }
    /// Sockets that do not listen, and half-open requests, whatever they do.
    #[inline]
    pub fn open_connections(&self) -> u64 {
        (self.socks.len() - self.listening.len() + self.requests.len()) as u64
    }
    /// Up to how many open connections none of the limits is met that they share, those of orphans
    /// and of listeners; that of buckets is [`Self::bucket_room`].
    pub fn room(&self) -> u64 {
        let orphans = u64::try_from(self.sysctl.tcp_max_orphans).unwrap_or(u64::MAX);
        let syns = u64::try_from(self.sysctl.tcp_max_syn_backlog).unwrap_or(0);
        let of = |l: &crate::table::listen::Listener| {
            let chained = !self.behaviour.requests_live_in_ehash;
            u64::from(if chained { l.backlog.min(l.syn_chains) } else { l.backlog })
        };
        // Who does not listen queues nobody.
        let queues = self.listeners.iter().map(|(_, l)| of(l).min(syns)).min();
        orphans.min(queues.unwrap_or(u64::MAX))
    }
    /// How many more buckets there may be.
    pub fn bucket_room(&self) -> u64 {
        let limit = self.sysctl.tcp_max_tw_buckets;
        if limit < 0 && self.behaviour.negative_tw_limit_is_unlimited {
            return u64::MAX;
        }
        u64::try_from(limit).unwrap_or(0).saturating_sub(self.buckets.len() as u64)
    }

    /// connect() as far as the tables go: a port, and a place in the hash. The connection that it is
    /// for will leave a bucket there. EADDRNOTAVAIL if no port is free. `[inet_hash_connect]`
    ///
    /// If the flow with that port does not suit, nothing has happened, and the answer is `None`. To be
    /// called only where no bucket can be taken over ([`Self::buckets_matter_to_others`]).
    pub fn begin_following(
        &mut self,
        to: Endpoint,
        now: Instant,
        suits: impl FnOnce(FourTuple) -> bool,
    ) -> Result<Option<(FourTuple, Place)>, Errno> {
        let local = Endpoint::new(self.source_towards(to.addr), 0);
        let mut flow = FourTuple::new(local, to);
        let tried = self.counters.ports_tried;
        let found = self.search_port(flow, now)?;
        debug_assert!(found.bucket.is_none(), "no bucket is taken over here");
        flow.sport = found.port;
        if !suits(flow) {
            self.counters.ports_tried = tried;
            return Ok(None);
        }
        self.move_search_on(&found);
        self.bind.add(found.port, false);
        let place = self.buckets.hold(flow);
        self.hash_found(Entry::bucket(place), flow);
        Ok(Some((flow, Place(place))))
    }

    /// How it stands, and the bucket of that connection.
    pub fn mark(&self, flow: FourTuple) -> Mark {
        let bucket = match self.find_connected(flow) {
            Some(Object::Bucket(id)) => {
                Some((self.buckets[id], self.deathrow.expires(&self.buckets, id.index())))
            }
            _ => None,
        };
        Mark {
            counters: self.counters.clone(),
            states: self.state_counts,
            orphans: self.orphans,
            inuse: self.inuse,
            alloc: self.socks.len() as u32,
            requests: self.requests.len(),
            orphan_period: self.orphan_cache.1,
            bucket,
            buckets: self.buckets.len(),
            draws: self.secrets.clone(),
        }
    }

    /// What one connection has changed since `before`, at one moment; `notes` is what was said meanwhile. `None` if it cannot be done again by [`Self::follow`].
    pub fn change(
        &self,
        before: &Mark,
        origin: &Origin,
        since: Since,
        notes: &[Note],
    ) -> Option<Change> {
        let after = self.mark(origin.flow);
        let bucket = match (before.bucket, after.bucket) {
            (None, None) => None,
            (Some(was), Some(is)) if same_bucket(&was, &is) => None,
            (was, Some((is, _))) => {
                let wait = self.wait_of(&is, notes)?;
                Some(self.relative(&is, was.map(|w| w.0), wait, origin, since)?)
            }
            (Some(_), None) => return None,
        };
        Some(Change {
            orphans: after.orphans.wrapping_sub(before.orphans) as i32,
            asks_orphans: after.orphan_period != before.orphan_period
                || notes.iter().any(|n| matches!(n, Note::Orphaned { .. })),
            bucket,
        })
    }

    /// After how many jiffies a bucket that was made or that took a FIN just now is to die.
    fn wait_of(&self, bucket: &TimeWait, notes: &[Note]) -> Option<u64> {
        notes.iter().rev().find_map(|note| {
            if let Note::BucketBorn { timeout, .. } = *note {
                Some(self.clock.ticks_in(timeout).0)
            } else {
                let takes_fin = matches!(note, Note::BucketTimeWait { .. });
                takes_fin.then_some(u64::from(bucket.timeout))
            }
        })
    }

    fn relative(
        &self,
        tw: &TimeWait,
        was: Option<TimeWait>,
        wait: u64,
        origin: &Origin,
        since: Since,
    ) -> Option<Bucket> {
        let offset = self.timestamp_offset(origin.flow);
        let has_offset = tw.ts_offset == offset;
        let bare = tw.ts_recent_stamp == 0 && tw.ts_recent != 0;
        let plain = tw.last_oow == 0 && (has_offset || tw.ts_offset == 0) && !bare;
        let seconds = self.clock.seconds(since.stamped) as u32;
        let began_ms = self.clock.millis(since.began) as u32;
        // A FIN with a timestamp notes its time, even if it is the millisecond that is noted already.
        let may_note = tw.ts_recent_stamp != 0 && tw.entry_ms == began_ms;
        let stays = was.is_some_and(|was| was.entry_ms == tw.entry_ms) && !may_note;
        plain.then(|| Bucket {
            rcv_nxt: tw.rcv_nxt - origin.irs,
            snd_nxt: tw.snd_nxt - origin.iss,
            rcv_wnd: tw.rcv_wnd,
            ts_recent: (tw.ts_recent_stamp != 0).then(|| {
                let stamp = tw.ts_recent_stamp.wrapping_sub(seconds);
                (tw.ts_recent.wrapping_sub(origin.peer_ts), stamp)
            }),
            entry_ms: (!stays).then(|| tw.entry_ms.wrapping_sub(began_ms)),
            timeout: tw.timeout,
            substate: tw.substate,
            rcv_wscale: tw.rcv_wscale,
            owner: tw.owner,
            has_offset,
            wait,
            was: was.map(|was| was.substate),
        })
    }

    /// What the whole connection has counted; `None` if it has left more behind than the bucket that
    /// `after` it stands in the hash: then it cannot be done again.
    pub fn total(before: &Mark, after: &Mark) -> Option<Total> {
        let mut states = before.states;
        if let Some((tw, _)) = &after.bucket {
            states[tw.substate as usize] += 1;
        }
        let over = states == after.states
            && before.orphans == after.orphans
            && before.inuse == after.inuse
            && before.alloc == after.alloc
            && before.requests == after.requests
            && before.buckets + usize::from(after.bucket.is_some()) == after.buckets;
        if !over {
            return None;
        }
        let fewer = |mib: &Mib| after.counters.get(*mib) < before.counters.get(*mib);
        let total = Total::between(before, after);
        (!Mib::ALL.iter().any(fewer)).then_some(total)
    }

    /// Did the generator give the same numbers to both?
    pub fn drew_nothing(before: &Mark, after: &Mark) -> bool {
        before.draws.is_as(&after.draws)
    }

    /// Does again what is in a [`Change`].
    #[inline]
    pub fn follow(
        &mut self,
        change: &Change,
        origin: &Origin,
        place: Place,
        since: Since,
        now: Instant,
    ) {
        if change.asks_orphans {
            let jiffies = self.clock.jiffies(now);
            self.refresh_orphan_cache(jiffies, self.orphans);
        }
        self.orphans = self.orphans.wrapping_add_signed(change.orphans);
        if let Some(bucket) = &change.bucket {
            self.follow_bucket(bucket, origin, place.0, since, now);
        }
    }

    fn follow_bucket(
        &mut self,
        bucket: &Bucket,
        origin: &Origin,
        id: TwId,
        since: Since,
        now: Instant,
    ) {
        let seconds = self.clock.seconds(since.stamped) as u32;
        let ts_offset = if bucket.has_offset { self.timestamp_offset(origin.flow) } else { 0 };
        let entry_ms = bucket.entry_ms.map_or(self.buckets[id].entry_ms, |since_began| {
            (self.clock.millis(since.began) as u32).wrapping_add(since_began)
        });
        let (ts_recent, ts_recent_stamp) = bucket
            .ts_recent
            .map_or((0, 0), |(ts, s)| (ts.wrapping_add(origin.peer_ts), s.wrapping_add(seconds)));
        let (chain, tag) = (self.buckets[id].chain, self.buckets[id].tag);
        match bucket.was {
            None => self.buckets.let_go(),
            Some(was) => self.state_counts[was as usize] -= 1,
        }
        self.state_counts[bucket.substate as usize] += 1;
        self.buckets[id] = TimeWait {
            flow: origin.flow,
            chain,
            rcv_nxt: origin.irs + bucket.rcv_nxt,
            snd_nxt: origin.iss + bucket.snd_nxt,
            rcv_wnd: bucket.rcv_wnd,
            ts_recent,
            ts_recent_stamp,
            ts_offset,
            entry_ms,
            last_oow: 0,
            timeout: bucket.timeout,
            substate: bucket.substate,
            rcv_wscale: bucket.rcv_wscale,
            owner: bucket.owner,
            tag: if bucket.was.is_some() { tag } else { Tag::NONE },
            live: true,
        };
        let jiffies = self.clock.jiffies(now);
        self.deathrow.schedule(&mut self.buckets, id.index(), jiffies, Jiffies(bucket.wait));
    }

    /// Counts the same so many times.
    pub fn count(&mut self, total: &Total, times: u64) {
        for &(mib, n) in &total.mib {
            self.counters.add_wrapping(mib, n.wrapping_mul(times));
        }
        for &(cause, n) in &total.sent {
            self.counters.add_sent(cause, n * times);
        }
    }
}

/// Does nothing tell the two apart but their place in the hash?
fn same_bucket(was: &(TimeWait, Jiffies), is: &(TimeWait, Jiffies)) -> bool {
    let facts = |(tw, expires): &(TimeWait, Jiffies)| {
        (
            (tw.rcv_nxt, tw.snd_nxt, tw.rcv_wnd, tw.ts_recent, tw.ts_recent_stamp),
            (tw.ts_offset, tw.entry_ms, tw.last_oow, tw.timeout, tw.substate),
            (tw.rcv_wscale, tw.owner, *expires),
        )
    };
    facts(was) == facts(is)
}
