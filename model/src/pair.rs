//! What one must know of a connection's end to tell what it will do, for whoever has seen another
//! connection stand like that and need not work it out again.
//!
//! Two connections that stand alike ([`Kernel::outlook`]) answer the same segment, system call or
//! timer alike. What differs between them and does not matter is left out: their ports and the
//! numbers that were drawn for them, when things happened, and what they have measured of their round
//! trips, for that decides only when a timer fires that nothing answers: never before 200 ms have
//! gone (`TCP_RTO_MIN`). Which timers are pending is told by [`Kernel::pending`]. Whoever relies on
//! it must see to the rest: that an event is not alike for two connections if the one has heard
//! nothing for much longer than the other (`icsk_ack.lrcvtime`, `lsndtime`).

use alloc::string::String;
use core::fmt::Write as _;

use crate::flow::FourTuple;
use crate::kernel::{Fd, Kernel};
use crate::seq::Seq;
use crate::skb::Queue;
use crate::sock::Sock;
use crate::table::ehash::{Entry, Object};
use crate::table::slab::{ListenId, SockId};
use crate::time::{Instant, Jiffies, Stamp};
use crate::timer::{Kind, timer_id};
use crate::track::{Mark, Place, Total};

/// A connection's end, as a host has it.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The connection, as the host sends.
    pub flow: FourTuple,
    /// Its descriptor, if a program has one.
    pub fd: Option<Fd>,
    /// The host's initial sequence number, zero before it is drawn.
    pub iss: Seq,
    /// The peer's.
    pub irs: Seq,
}

/// A timer that is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Armed {
    /// How many timers the host had armed before it.
    order: u64,
    /// For when, in ticks.
    pub expires: Jiffies,
}

/// The timers of a socket that are pending.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Timers {
    /// RTO, loss probe, reordering or window probe.
    pub write: Option<Armed>,
    /// The delayed ACK.
    pub delack: Option<Armed>,
    /// Keepalive, FIN_WAIT2 of an orphan, or a lingering close().
    pub others: bool,
}

/// What one thing that happened has counted on its host.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Delta {
    counted: Total,
    /// By state's number; without buckets.
    states: [i32; 13],
    inuse: i32,
    alloc: i32,
}

impl Kernel {
    /// The socket that is, or will become, a connection's end; of one that is not accepted yet the
    /// child in a queue.
    fn sock_at(&self, end: &End) -> Option<SockId> {
        if let Some(id) = end.fd.and_then(|fd| self.sock_of(fd).ok()) {
            return Some(id);
        }
        match self.find_connected(end.flow) {
            Some(Object::Sock(id)) => Some(id),
            Some(_) => None,
            None => {
                let queued = self.listeners.iter().flat_map(|(_, l)| l.queue.iter().copied());
                queued.into_iter().find(|id| self.socks[*id].flow == end.flow)
            }
        }
    }

    /// How an end stands, as text: equal texts go on alike.
    pub fn outlook(&self, end: &End) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write_outlook(end, &mut out);
        out
    }
    fn write_outlook(&self, end: &End, out: &mut String) -> core::fmt::Result {
        if let Some(id) = self.sock_at(end) {
            let sk = &self.socks[id];
            write!(out, "{:?}", timeless(sk, end))?;
            for queue in [sk.unsent, sk.rtx] {
                self.write_queue(queue, end, out)?;
            }
            let timers = self.pending(end);
            write!(out, "{:?}", (timers.write.is_some(), timers.delack.is_some(), timers.others))?;
        }
        match self.find_connected(end.flow) {
            Some(Object::Request(id)) => {
                let mut request = self.requests[id];
                (request.flow, request.chain) = (FourTuple::default(), Entry::NONE);
                (request.irs, request.iss) = (Seq(0), Seq(0));
                (request.ts_recent, request.ts_offset) = (request.ts_recent.min(1), 0);
                (request.synack_first, request.synack_last) = (0, 0);
                (request.sent_us, request.expires) = (0, 0);
                request.syn_chain = 0;
                write!(out, "{request:?}")
            }
            Some(Object::Bucket(id)) => {
                let tw = &self.buckets[id];
                let numbers = (relative(tw.rcv_nxt, end.irs), relative(tw.snd_nxt, end.iss));
                let stamps = (tw.ts_recent != 0, tw.ts_recent_stamp != 0, tw.last_oow != 0);
                let rest = (tw.rcv_wnd, tw.timeout, tw.substate, tw.rcv_wscale, tw.owner);
                write!(out, "{numbers:?}{stamps:?}{rest:?}")
            }
            Some(Object::Sock(_)) => out.write_str("hashed"),
            None => out.write_str("nowhere"),
        }
    }
    fn write_queue(&self, queue: Queue, end: &End, out: &mut String) -> core::fmt::Result {
        let mut at = queue.head();
        while let Some(id) = at {
            let skb = &self.skbs[id];
            let numbers = (relative(skb.seq, end.iss), relative(skb.end_seq, end.iss));
            write!(out, "{numbers:?}{:?}{:?}{}", skb.flags, skb.marks, skb.unit)?;
            at = skb.next();
        }
        out.write_str(";")
    }

    /// The timers of an end's socket; none if it has no socket.
    pub fn pending(&self, end: &End) -> Timers {
        let Some(id) = self.sock_at(end) else { return Timers::default() };
        let of = |kind| {
            let timer = timer_id(id, kind);
            let expires = self.timers.expires(timer)?;
            Some(Armed { order: self.timers.order(timer)?, expires })
        };
        Timers {
            write: of(Kind::Write),
            delack: of(Kind::DelayedAck),
            others: of(Kind::Keepalive).or_else(|| of(Kind::Linger)).is_some(),
        }
    }
    /// When a timer fires that is armed now for so many ticks later.
    pub fn fires(&self, now: Instant, ticks: u64) -> Instant {
        let jiffies = self.clock.jiffies(now);
        self.clock.instant(self.timers.fires(jiffies, jiffies + Jiffies(ticks)))
    }
    /// The timestamp that an end has from its peer, and the second in which it came; `None` if it has
    /// none.
    pub fn ts_recent(&self, end: &End) -> Option<(u32, Option<u32>)> {
        if let Some(id) = self.sock_at(end) {
            let sk = &self.socks[id];
            return sk.tstamp_ok.then_some((sk.ts_recent, Some(sk.ts_recent_stamp)));
        }
        match self.find_connected(end.flow)? {
            Object::Request(id) => {
                let request = &self.requests[id];
                request.timestamps.then_some((request.ts_recent, None))
            }
            Object::Bucket(id) => {
                let tw = &self.buckets[id];
                (tw.ts_recent_stamp != 0).then_some((tw.ts_recent, Some(tw.ts_recent_stamp)))
            }
            Object::Sock(_) => None,
        }
    }
    /// Did payload come at that tick?
    pub fn has_received_at(&self, end: &End, now: Instant) -> bool {
        let then = self.clock.jiffies(now).stamp();
        self.sock_at(end).is_some_and(|id| self.socks[id].ack.lrcvtime == then)
    }
    /// Does it stand in the hash as a socket?
    pub fn is_hashed_sock(&self, end: &End) -> bool {
        matches!(self.find_connected(end.flow), Some(Object::Sock(_)))
    }
    /// Is nothing left of it but a bucket, or nothing?
    pub fn is_over(&self, end: &End) -> bool {
        let hashed = self.find_connected(end.flow);
        self.sock_at(end).is_none() && !matches!(hashed, Some(Object::Request(_)))
    }
    /// Its clock of timestamps without an offset.
    pub fn stamp(&self, now: Instant) -> u32 {
        crate::track::stamp_clock(self.clock, self.behaviour.random_timestamp_offset, now)
    }
    /// Does that connection's bucket still stand where [`Self::begin_following`] has kept a place? On 3.10
    /// one with a timeout of some seconds may go after any part of 7.5 s. `[inet_twsk_schedule]`
    #[inline]
    pub fn bucket_stands(&self, place: Place, flow: FourTuple) -> bool {
        let id = place.bucket();
        self.buckets.is_live(id) && self.buckets[id].flow == flow
    }
    /// From now on nobody asks whose a segment is, for what comes of each is known; so nobody need stand
    /// in the established hash, and owners of ports that connect() has found need not be counted: it looks
    /// at what it has taken itself. Buckets live and die as ever. To be called before anything has
    /// happened, and nothing may be received, bound or connected in full after it but listeners.
    pub fn forgo_lookup(&mut self) {
        debug_assert_eq!(self.ehash.len(), 0, "nothing has happened");
        self.looks_up = false;
        self.bind.forgo_found();
    }
    /// Nobody stands any more where [`Self::begin_following`] has kept a place.
    pub fn leave(&mut self, place: Place) {
        let id = place.bucket();
        self.unhash(Entry::bucket(id));
        self.bind.drop_owner(self.buckets[id].flow.sport, false);
        self.buckets.give_up(id);
    }

    /// What was counted between two moments.
    pub fn delta(before: &Mark, after: &Mark) -> Delta {
        let (states, inuse, alloc) = Mark::gauges(before, after);
        Delta { counted: Total::between(before, after), states, inuse, alloc }
    }
    /// The same happened so many times.
    pub fn count_delta(&mut self, delta: &Delta, times: u64) {
        self.count(&delta.counted, times);
        // So many sockets there are not: 32 bits are enough for any sum of them.
        let many = |n: i32| n.wrapping_mul(times as i32);
        for (count, n) in self.state_counts.iter_mut().zip(delta.states) {
            *count = count.wrapping_add_signed(many(n));
        }
        self.inuse = self.inuse.wrapping_add_signed(many(delta.inuse));
        self.elsewhere = self.elsewhere.wrapping_add_signed(many(delta.alloc));
    }
}

/// A number relative to the one that the connection began with; zero stands for none.
fn relative(seq: Seq, base: Seq) -> u32 {
    if seq == Seq(0) { 0 } else { seq - base }
}

/// A socket without what is left out of an outlook.
fn timeless(sk: &Sock, end: &End) -> Sock {
    let mut sk = sk.clone();
    let (ours, theirs) =
        (|seq: Seq| Seq(relative(seq, end.iss)), |seq: Seq| Seq(relative(seq, end.irs)));
    (sk.flow, sk.chain) = (FourTuple::default(), Entry::NONE);
    sk.listen = sk.listen.map(|_| ListenId(0));
    (sk.unsent, sk.rtx) = (Queue::EMPTY, Queue::EMPTY);
    for seq in [
        &mut sk.snd_una,
        &mut sk.snd_nxt,
        &mut sk.write_seq,
        &mut sk.pushed_seq,
        &mut sk.snd_sml,
        &mut sk.cwnd_usage_seq,
        &mut sk.high_seq,
        &mut sk.rack_end,
        &mut sk.rtt_seq,
    ] {
        *seq = ours(*seq);
    }
    for seq in [&mut sk.snd_wl1, &mut sk.rcv_nxt, &mut sk.rcv_wup, &mut sk.copied_seq] {
        *seq = theirs(*seq);
    }
    sk.tlp_high_seq = sk.tlp_high_seq.map(ours);
    sk.rcv_purged = sk.rcv_purged.map(theirs);
    (sk.rcv_tsval, sk.rcv_tsecr) = (sk.rcv_tsval.min(1), sk.rcv_tsecr.min(1));
    (sk.ts_recent, sk.ts_recent_stamp) = (sk.ts_recent.min(1), sk.ts_recent_stamp.min(1));
    sk.ts_offset = 0;
    (sk.rack_us, sk.rack_rtt_us) = (sk.rack_us.min(1), 0);
    (sk.srtt_us, sk.min_rtt_us) = (sk.srtt_us.min(1), 0);
    (sk.mdev_us, sk.mdev_max_us, sk.rttvar_us, sk.rto) = (0, 0, 0, 0);
    (sk.lsndtime, sk.rcv_tstamp, sk.retrans_stamp) = (Stamp(0), Stamp(0), sk.retrans_stamp.min(1));
    (sk.ack.timeout, sk.ack.lrcvtime) = (Stamp(0), Stamp(0));
    sk
}
