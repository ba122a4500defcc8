//! How a full socket lives and ends: states, hand-over to a bucket, orphans, destruction.

use crate::behaviour::Behaviour;
use crate::cause::Cause;
use crate::counters::Mib;
use crate::deathrow::{Killer, Tag};
use crate::kernel::Kernel;
use crate::sink::{BucketEnd, Cx, Note, Sink, SockEnd};
use crate::skb::Queue;
use crate::sock::Sock;
use crate::state::TcpState;
use crate::table::ehash::Entry;
use crate::table::slab::{Id as _, SockId, TwId};
use crate::time::Jiffies;
use crate::timer::Kind;
use crate::timewait::TimeWait;

impl Kernel {
    /// A new full socket in CLOSE, in no table.
    pub(crate) fn new_sock(&mut self) -> SockId {
        let rto = self.clock.from_secs(1).0 as u32;
        let rcvbuf = self.sysctl.tcp_rmem[1] as u32;
        let sndbuf = self.sysctl.tcp_wmem[1] as u32;
        self.state_counts[TcpState::Close as usize] += 1;
        self.socks.insert(Sock::new(rto, rcvbuf, sndbuf))
    }

    /// Changes state, with all that hangs on it: gauges, tables, port, whoever waits.
    /// `[tcp_set_state]`
    pub(crate) fn set_state(&mut self, id: SockId, to: TcpState, cx: &mut Cx<'_, impl Sink>) {
        let sk = &mut self.socks[id];
        let from = sk.state;
        if from == to {
            return;
        }
        let established = |b: &Behaviour, s: TcpState| {
            s == TcpState::Established
                || (b.counts_close_wait_as_established && s == TcpState::CloseWait)
        };
        let (was, is) = (established(&self.behaviour, from), established(&self.behaviour, to));
        if is && !was {
            self.counters.inc(Mib::CurrEstab);
        } else if was && !is {
            self.counters.dec(Mib::CurrEstab);
        }
        sk.state = to;
        self.state_counts[from as usize] -= 1;
        self.state_counts[to as usize] += 1;
        if to == TcpState::Close {
            sk.last_state = from;
            if matches!(from, TcpState::Established | TcpState::CloseWait) {
                self.counters.inc(Mib::EstabResets);
            }
            let explicit = sk.port_explicit;
            self.leave_hash(id);
            if !explicit {
                self.put_port(id);
            }
        }
        let sk = &self.socks[id];
        if sk.lingering && !lingers_in(to) {
            self.lingered.push(id);
        }
        let flow = sk.flow;
        cx.sink.note(|| Note::State { flow, from, to });
    }

    /// What close() and shutdown() do to the state: the tracepoint hears of it even where nothing
    /// changes. `[tcp_close_state]`
    pub(crate) fn enter_state(&mut self, id: SockId, to: TcpState, cx: &mut Cx<'_, impl Sink>) {
        let (flow, from) = (self.socks[id].flow, self.socks[id].state);
        if from == to {
            cx.sink.note(|| Note::State { flow, from, to });
        } else {
            self.set_state(id, to, cx);
        }
    }

    /// Out of the established hash, or of the listeners. `[inet_unhash]`
    pub(crate) fn leave_hash(&mut self, id: SockId) {
        if !self.socks[id].hashed {
            return;
        }
        self.socks[id].hashed = false;
        self.inuse -= 1;
        match self.socks[id].listen {
            Some(listen) => self.listening.retain(|&(_, _, l)| l != listen),
            None => self.unhash(Entry::sock(id)),
        }
    }

    /// The connection is dead: state CLOSE, timers off, and the socket goes unless a program
    /// holds it. `[tcp_done]`
    pub(crate) fn tcp_done(&mut self, id: SockId, why: SockEnd, cx: &mut Cx<'_, impl Sink>) {
        if matches!(self.socks[id].state, TcpState::SynSent | TcpState::SynRecv) {
            self.counters.inc(Mib::AttemptFails);
        }
        let state = self.socks[id].state;
        let flow = self.socks[id].flow;
        self.set_state(id, TcpState::Close, cx);
        self.disarm_all_but_linger(id);
        let sk = &mut self.socks[id];
        sk.rcv_shutdown = true;
        sk.send_shutdown = true;
        cx.sink.note(|| Note::Destroyed { flow, state, why });
        if self.socks[id].dead { self.destroy(id) } else { self.wake(id) }
    }

    fn disarm_all_but_linger(&mut self, id: SockId) {
        for kind in [Kind::Write, Kind::DelayedAck, Kind::Keepalive] {
            self.disarm(id, kind);
        }
        let sk = &mut self.socks[id];
        sk.pending = crate::sock::Pending::None;
        sk.ack.timer = false;
        sk.ack.scheduled = false;
    }

    /// Gives everything back; the slot itself when the call under way returns.
    /// `[inet_csk_destroy_sock]`
    pub(crate) fn destroy(&mut self, id: SockId) {
        debug_assert_eq!(self.socks[id].state, TcpState::Close, "only a closed socket goes");
        self.disarm_all(id);
        self.purge_write_queue(id);
        self.put_port(id);
        let sk = &mut self.socks[id];
        sk.ofo = None;
        if sk.dead {
            sk.dead = false;
            self.orphans -= 1;
        }
        self.state_counts[TcpState::Close as usize] -= 1;
        self.ended.push(id);
    }

    /// `[tcp_write_queue_purge]`
    pub(crate) fn purge_write_queue(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        sk.unsent.clear(&mut self.skbs);
        sk.rtx.clear(&mut self.skbs);
        sk.unsent = Queue::EMPTY;
        sk.rtx = Queue::EMPTY;
        sk.packets_out = 0;
        sk.sacked_out = 0;
        sk.lost_out = 0;
        sk.retrans_out = 0;
        sk.backoff = 0;
    }

    /// Tells whoever holds the socket that something is ready.
    pub(crate) fn wake(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        if sk.has_file && !sk.wake_queued {
            sk.wake_queued = true;
            self.wakes.push_back(id);
        }
    }

    /// From full socket to bucket, or, with the table full, to nothing at all. In both cases the
    /// socket is done. `[tcp_time_wait]`
    pub(crate) fn time_wait(
        &mut self,
        id: SockId,
        substate: TcpState,
        timeout: Jiffies,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let flow = self.socks[id].flow;
        if !self.bucket_allowed() {
            self.counters.inc(Mib::TCPTimeWaitOverflow);
            let (count, limit) = (self.buckets.len() as u32, self.sysctl.tcp_max_tw_buckets);
            let next_expiry = self.next_bucket_death();
            cx.sink.note(|| Note::BucketRefused {
                flow,
                substate,
                count,
                limit: limit as i32,
                next_expiry,
            });
            return self.tcp_done(id, SockEnd::BucketRefused, cx);
        }
        let jiffies = self.clock.jiffies(cx.now);
        let long = self.clock.from_secs(60);
        let rto = self.socks[id].rto;
        let floor = Jiffies(u64::from((rto << 2) - (rto >> 1)));
        let recycles = self.sysctl.tcp_tw_recycle != 0 && self.socks[id].ts_recent_stamp != 0;
        let own = if recycles { floor } else { long };
        if recycles {
            let sk = &self.socks[id];
            self.peer_stamps.insert(sk.flow.daddr, (sk.ts_recent, u64::from(sk.ts_recent_stamp)));
        }
        let mut timeout = timeout.max(floor);
        if substate == TcpState::TimeWait {
            timeout = own;
        }
        let bucket = self.bucket_of(id, substate, own, cx.now);
        // The bucket takes the socket's place before the socket leaves it: a segment always
        // finds one of them. [inet_twsk_hashdance_schedule]
        let stood = core::mem::take(&mut self.socks[id].hashed);
        let tw = self.buckets.insert(bucket);
        if stood {
            self.inuse -= 1;
            self.unhash_for_another(Entry::sock(id));
            self.hash_again(Entry::bucket(tw));
        } else {
            self.hash(Entry::bucket(tw));
        }
        self.bind.add(bucket.flow.sport, bucket.owner & TimeWait::EXPLICIT_PORT != 0);
        self.state_counts[substate as usize] += 1;
        if self.behaviour.counts_tw_on_entry {
            let short = timeout <= self.clock.from_secs(4);
            self.counters.inc(if short { Mib::TWKilled } else { Mib::TW });
        }
        self.deathrow.schedule(&mut self.buckets, tw.index(), jiffies, timeout);
        let span = self.clock.span(timeout);
        cx.sink.note(|| Note::BucketBorn { flow, substate, timeout: span });
        self.tcp_done(id, SockEnd::ToBucket, cx);
    }

    /// Is there room for one more? `[inet_twsk_alloc]`
    fn bucket_allowed(&self) -> bool {
        let limit = self.sysctl.tcp_max_tw_buckets;
        if limit < 0 {
            return self.behaviour.negative_tw_limit_is_unlimited;
        }
        (self.buckets.len() as i64) < limit
    }

    /// What a bucket remembers of its socket.
    pub(crate) fn bucket_of(
        &self,
        id: SockId,
        substate: TcpState,
        own: Jiffies,
        now: crate::time::Instant,
    ) -> TimeWait {
        let sk = &self.socks[id];
        let owner = (if sk.opt.reuse_addr { TimeWait::REUSE_ADDR } else { 0 })
            | (if sk.opt.reuse_port { TimeWait::REUSE_PORT } else { 0 })
            | (if sk.port_explicit { TimeWait::EXPLICIT_PORT } else { 0 });
        TimeWait {
            flow: sk.flow,
            chain: Entry::NONE,
            rcv_nxt: sk.rcv_nxt,
            snd_nxt: sk.snd_nxt,
            rcv_wnd: sk.receive_window(),
            ts_recent: sk.ts_recent,
            ts_recent_stamp: sk.ts_recent_stamp,
            ts_offset: sk.ts_offset,
            entry_ms: self.clock.millis(now) as u32,
            last_oow: 0,
            timeout: own.0 as u32,
            substate,
            rcv_wscale: sk.rcv_wscale,
            owner,
            tag: Tag::NONE,
            live: true,
        }
    }

    /// A bucket goes. `[inet_twsk_kill]`
    pub(crate) fn bury(&mut self, tw: TwId, how: BucketEnd, cx: &mut Cx<'_, impl Sink>) {
        let bucket = self.buckets[tw];
        self.unhash(Entry::bucket(tw));
        self.bind.drop_owner(bucket.flow.sport, bucket.owner & TimeWait::EXPLICIT_PORT != 0);
        self.deathrow.remove(&mut self.buckets, tw.index());
        self.state_counts[bucket.substate as usize] -= 1;
        self.buckets.remove(tw);
        let (flow, substate) = (bucket.flow, bucket.substate);
        cx.sink.note(|| Note::BucketDied { flow, substate, how });
    }

    /// A bucket's time is over. `[tw_timer_handler]` (3.10: `[inet_twdr_hangman]`)
    pub(crate) fn bucket_expires(&mut self, tw: TwId, killer: Killer, cx: &mut Cx<'_, impl Sink>) {
        if !self.behaviour.counts_tw_on_entry {
            let fast = killer == Killer::Fast;
            self.counters.inc(if fast { Mib::TWKilled } else { Mib::TW });
        }
        self.bury(tw, BucketEnd::Expired, cx);
    }

    /// How long an orphan may stay in FIN_WAIT2, jiffies; can be negative only by the sysctl,
    /// never by the floor of 3.5 RTO. `[tcp_fin_time]`
    pub(crate) fn fin_time(&self, id: SockId) -> i64 {
        let sk = &self.socks[id];
        let base = match sk.rare().opt.linger2 {
            0 => self.sysctl.tcp_fin_timeout * i64::from(self.clock.hz),
            set => i64::from(set),
        };
        let floor = i64::from((sk.rto << 2) - (sk.rto >> 1));
        base.max(floor)
    }

    /// Are there too many orphans, or is memory short? `[tcp_check_oom]`
    ///
    /// Memory is not modelled, so only the first is asked. 6.18 asks a count that is refreshed
    /// every 100 ms, so a burst within that time passes.
    pub(crate) fn too_many_orphans(&mut self, shift: u32, now: Jiffies) -> bool {
        let count = if self.behaviour.orphan_count_is_cached {
            self.refresh_orphan_cache(now, self.orphans);
            self.orphan_cache.0
        } else {
            self.orphans
        };
        let limit = self.sysctl.tcp_max_orphans;
        limit >= 0 && i64::from(count) << shift > limit
    }

    /// The timer that sums the orphans every 100 ms: `count` is what it found at the beginning
    /// of the period that `now` lies in, if nothing has changed in it before.
    /// `[tcp_orphan_update]`
    pub(crate) fn refresh_orphan_cache(&mut self, now: Jiffies, count: u32) {
        let period = self.clock.from_millis(100).0.max(1);
        let tick = Jiffies(now.0 / period);
        if self.orphan_cache.1 != tick {
            self.orphan_cache = (count, tick);
        }
    }

    /// Does an orphan's timer find the host out of resources? Then the socket is gone.
    /// `[tcp_out_of_resources]`
    pub(crate) fn out_of_resources(
        &mut self,
        id: SockId,
        do_reset: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> bool {
        let now = self.clock.jiffies(cx.now);
        let sk = &self.socks[id];
        let quiet = now.since(sk.lsndtime);
        let long_quiet = quiet.0 > 2 * self.rto_max().0;
        let shift = u32::from(long_quiet || !do_reset) + u32::from(sk.err_soft.is_some());
        if !self.too_many_orphans(shift, now) {
            return false;
        }
        let sk = &self.socks[id];
        let recent = quiet <= self.clock.from_secs(60);
        let shut = sk.snd_wnd == 0 && sk.packets_out == 0;
        if do_reset || recent || shut {
            self.send_active_reset(id, Cause::RstOrphanLimitTimer, cx);
        }
        self.tcp_done(id, SockEnd::Aborted(Cause::RstOrphanLimitTimer), cx);
        self.counters.inc(Mib::TCPAbortOnMemory);
        true
    }
}

/// Does a blocking close() wait in this state? `[sk_stream_closing]`
pub(crate) const fn lingers_in(state: TcpState) -> bool {
    matches!(state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
}

#[cfg(test)]
mod tests;
