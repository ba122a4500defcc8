//! What time does: the timers of sockets, requests and listeners, and the death row.

mod keepalive;
mod probe;
pub mod queue;
mod retransmit;
mod synack;
pub mod wheel;

use queue::{NEVER, RARE};

use crate::kernel::Kernel;
use crate::sink::{Cx, Note, Sink, TimerKind};
use crate::sock::Pending;
use crate::state::TcpState;
use crate::table::slab::{ListenId, ReqId, SockId};
use crate::time::{Instant, Jiffies};

/// The timers of a full socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// RTO, tail loss probe, reordering or zero-window probe: see `Sock::pending`.
    Write,
    DelayedAck,
    /// `[sk_timer]`: keepalive, or FIN_WAIT2 of an orphan.
    Keepalive,
    /// The end of a blocking close().
    Linger,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Write, Self::DelayedAck, Self::Keepalive, Self::Linger];
}

/// A socket's timer in the queue. Few sockets ever have one of the last two.
pub(crate) const fn timer_id(id: SockId, kind: Kind) -> u32 {
    match kind {
        Kind::Write => id.0 * 2,
        Kind::DelayedAck => id.0 * 2 + 1,
        Kind::Keepalive => RARE + id.0 * 2,
        Kind::Linger => RARE + id.0 * 2 + 1,
    }
}

/// Whose timer that is, and which.
const fn timer_of(timer: u32) -> (SockId, Kind) {
    let id = SockId(timer % RARE / 2);
    match (timer < RARE, timer.is_multiple_of(2)) {
        (true, true) => (id, Kind::Write),
        (true, false) => (id, Kind::DelayedAck),
        (false, true) => (id, Kind::Keepalive),
        (false, false) => (id, Kind::Linger),
    }
}

impl Kernel {
    /// When a timer must run next.
    #[inline]
    pub fn next_timer(&self) -> Option<Instant> {
        let tick = self.due_ticks().into_iter().fold(NEVER, u64::min);
        (tick != NEVER).then(|| self.clock.instant(Jiffies(tick)))
    }

    /// When each kind of timer is due next, in the order in which those of one tick run: sockets,
    /// requests, listeners, buckets.
    #[inline]
    fn due_ticks(&self) -> [u64; 4] {
        [
            self.timers.next_tick(),
            self.request_timers.next_tick(),
            self.listen_timers.next_tick(),
            self.deathrow.next().map_or(NEVER, |tick| tick.0),
        ]
    }

    /// Runs every timer that is due, in the order of their ticks; on one tick sockets come
    /// first, then requests, listeners and buckets.
    pub fn run_timers(&mut self, cx: &mut Cx<'_, impl Sink>) {
        let now = self.clock.jiffies(cx.now);
        loop {
            let due = self.due_ticks();
            let next = due.into_iter().fold(NEVER, u64::min);
            if next == NEVER || next > now.0 {
                return;
            }
            let tick = Jiffies(next);
            if due[0] == next {
                if let Some((timer, _)) = self.timers.pop_due(tick) {
                    let (id, kind) = timer_of(timer);
                    cx.sink.touched(|| self.socks[id].flow);
                    self.socket_timer(id, kind, cx);
                    self.settle(cx);
                }
            } else if due[1] == next {
                if let Some((timer, _)) = self.request_timers.pop_due(tick) {
                    self.request_timer(ReqId(timer), cx);
                }
            } else if due[2] == next {
                if let Some((timer, _)) = self.listen_timers.pop_due(tick) {
                    self.listener_timer(ListenId(timer), cx);
                }
            } else {
                while let Some((bucket, killer)) = self.deathrow.pop_due(&mut self.buckets, tick) {
                    self.bucket_expires(crate::table::slab::TwId(bucket), killer, cx);
                }
            }
        }
    }

    fn socket_timer(&mut self, id: SockId, kind: Kind, cx: &mut Cx<'_, impl Sink>) {
        match kind {
            Kind::Write => self.write_timer(id, cx),
            Kind::DelayedAck => self.delack_timer(id, cx),
            Kind::Keepalive => self.keepalive_timer(id, cx),
            Kind::Linger => self.linger_timer(id, cx),
        }
    }

    /// Arms a socket's timer for an absolute tick. `[sk_reset_timer]`
    pub(crate) fn arm(&mut self, id: SockId, kind: Kind, now: Jiffies, expires: Jiffies) {
        self.timers.arm(timer_id(id, kind), now, expires);
    }
    /// `[sk_stop_timer]`
    pub(crate) fn disarm(&mut self, id: SockId, kind: Kind) {
        self.timers.cancel(timer_id(id, kind));
    }
    /// Stops all timers of a socket. `[tcp_clear_xmit_timers]`
    pub(crate) fn disarm_all(&mut self, id: SockId) {
        for kind in Kind::ALL {
            self.disarm(id, kind);
        }
        self.socks[id].pending = Pending::None;
        self.socks[id].ack.timer = false;
        self.socks[id].ack.scheduled = false;
    }

    /// (Re)arms the one retransmit timer. `[inet_csk_reset_xmit_timer]`
    pub(crate) fn reset_xmit_timer(
        &mut self,
        id: SockId,
        what: Pending,
        when: Jiffies,
        now: Instant,
    ) {
        let when = when.min(self.rto_max());
        let now = self.clock.jiffies(now);
        let sk = &mut self.socks[id];
        sk.pending = what;
        self.arm(id, Kind::Write, now, now + when);
    }
    /// Nothing is pending on the retransmit timer. `[inet_csk_clear_xmit_timer]`
    pub(crate) fn clear_xmit_timer(&mut self, id: SockId) {
        self.socks[id].pending = Pending::None;
        self.disarm(id, Kind::Write);
    }

    pub(crate) fn note_timer(&self, id: SockId, kind: TimerKind, cx: &mut Cx<'_, impl Sink>) {
        let flow = self.socks[id].flow;
        cx.sink.note(|| Note::Timer { flow, kind });
    }

    /// The delayed-ACK timer fires. `[tcp_delack_timer_handler]`
    fn delack_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        use crate::cause::Cause;
        use crate::counters::Mib;
        let sk = &self.socks[id];
        if sk.state == TcpState::Close || !sk.ack.timer {
            return;
        }
        self.socks[id].ack.timer = false;
        if !self.socks[id].ack.scheduled {
            return;
        }
        let soon = self.socks[id].ack.ato == 0;
        let min = self.ato_min;
        let pingpong = self.in_pingpong_mode(id);
        let sk = &mut self.socks[id];
        if pingpong {
            // Nothing carried it: no interactive connection after all.
            sk.ack.pingpong = 0;
            sk.ack.ato = min;
        } else {
            sk.ack.ato = (sk.ack.ato << 1).min(sk.rto);
        }
        self.note_timer(id, TimerKind::DelayedAck, cx);
        let cause = if soon { Cause::AckDelayedSoon } else { Cause::AckDelayed };
        self.send_ack(id, cause, cx);
        self.counters.inc(Mib::DelayedACKs);
    }

    /// Milliseconds since a socket noted the time; right up to 49 days, as in the kernel.
    /// `[tcp_time_stamp_ts]`
    pub(crate) const fn millis_since(&self, then: u32, now: Instant) -> u64 {
        (self.clock.millis(now) as u32).wrapping_sub(then) as u64
    }

    /// The smallest RTO, jiffies. `[tcp_rto_min]`
    pub(crate) fn rto_min(&self) -> Jiffies {
        self.clock.from_micros(self.rto_min_us())
    }
    /// The smallest RTO, microseconds.
    pub(crate) fn rto_min_us(&self) -> u64 {
        match self.sysctl.tcp_rto_min_us {
            0 => 200_000,
            us => us as u64,
        }
    }
    /// The largest RTO, jiffies. `[tcp_rto_max]`
    pub(crate) fn rto_max(&self) -> Jiffies {
        match self.sysctl.tcp_rto_max_ms {
            0 => self.clock.from_secs(120),
            ms => self.clock.from_millis(ms as u64),
        }
    }
}
