//! The retransmission timeout: who gives up when, and the timer's next round.
//! `[tcp_retransmit_timer]`, `[tcp_write_timeout]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::errno::Errno;
use crate::kernel::Kernel;
use crate::sink::{Cx, Sink, SockEnd, TimerKind};
use crate::sock::{Ca, Pending};
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::{Instant, Jiffies};

impl Kernel {
    /// The retransmit timer fires: for what is it armed? `[tcp_write_timer_handler]`
    pub(crate) fn write_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let sk = &mut self.socks[id];
        if sk.state == TcpState::Close {
            return;
        }
        match sk.pending {
            Pending::None => {}
            Pending::Retransmit => {
                sk.pending = Pending::None;
                self.note_timer(id, TimerKind::Retransmit, cx);
                self.retransmit_timer(id, cx);
            }
            Pending::LossProbe => {
                self.note_timer(id, TimerKind::LossProbe, cx);
                self.send_loss_probe(id, cx);
            }
            Pending::Reordering => {
                self.note_timer(id, TimerKind::Reordering, cx);
                self.reordering_timer(id, cx);
            }
            Pending::Probe => {
                sk.pending = Pending::None;
                self.note_timer(id, TimerKind::Probe, cx);
                self.probe_timer(id, cx);
            }
        }
    }

    /// An RTO. `[tcp_retransmit_timer]`
    pub(crate) fn retransmit_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let sk = &self.socks[id];
        let Some(head) = sk.rtx.head() else { return };
        let opening = matches!(sk.state, TcpState::SynSent | TcpState::SynRecv);
        if sk.snd_wnd == 0 && !sk.dead && !opening {
            // The peer has shut its window on what is out: probe with it, without end while
            // anything comes back.
            if self.zero_window_timed_out(id, cx.now) {
                return self.write_error(id, cx);
            }
            self.enter_loss(id, cx);
            self.retransmit(id, head, Cause::DataRetransmit, cx);
            return self.back_off(id, cx);
        }
        if self.behaviour.counts_every_timeout {
            self.counters.inc(Mib::TCPTimeouts);
        }
        if self.write_timeout(id, cx) {
            return;
        }
        let sk = &self.socks[id];
        if !self.behaviour.counts_every_timeout && sk.retransmits == 0 && sk.ca < Ca::Recovery {
            self.counters.inc(Mib::TCPTimeouts);
        }
        self.enter_loss(id, cx);
        let sk = &mut self.socks[id];
        sk.retransmits = sk.retransmits.saturating_add(1);
        sk.total_rto = sk.total_rto.saturating_add(1);
        let Some(head) = sk.rtx.head() else { return };
        self.retransmit(id, head, Cause::DataRetransmit, cx);
        self.back_off(id, cx);
    }

    /// Doubles the RTO (but for the first SYNs) and arms it. `[tcp_retransmit_timer]`
    fn back_off(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let linear = self.sysctl.tcp_syn_linear_timeouts as u16;
        let max = self.rto_max().0 as u32;
        let sk = &mut self.socks[id];
        let keeps = sk.state == TcpState::SynSent
            && self.behaviour.linear_syn_timeouts
            && sk.total_rto <= linear;
        if !keeps {
            sk.backoff = sk.backoff.saturating_add(1);
            sk.rto = (sk.rto << 1).min(max);
        }
        let when = self.clamp_to_user_timeout(id, cx.now);
        self.reset_xmit_timer(id, Pending::Retransmit, when, cx.now);
    }

    /// The RTO, or what is left of TCP_USER_TIMEOUT. `[tcp_clamp_rto_to_user_timeout]`
    fn clamp_to_user_timeout(&self, id: SockId, now: Instant) -> Jiffies {
        let sk = &self.socks[id];
        let rto = Jiffies(u64::from(sk.rto));
        let limit = u64::from(sk.rare().opt.user_timeout);
        if limit == 0 || !self.behaviour.counts_every_timeout {
            return rto;
        }
        let elapsed = self.millis_since(sk.retrans_stamp, now);
        match limit.checked_sub(elapsed) {
            None | Some(0) => Jiffies(1),
            Some(left) => rto.min(self.clock.from_millis(left)),
        }
    }

    /// Has the connection gone too far? If so it is gone already. `[tcp_write_timeout]`
    fn write_timeout(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) -> bool {
        let sk = &self.socks[id];
        let mut user = sk.rare().opt.user_timeout;
        let expired = if matches!(sk.state, TcpState::SynSent | TcpState::SynRecv) {
            let retries = match sk.rare().opt.syn_cnt {
                0 => self.sysctl.tcp_syn_retries as u32,
                n => u32::from(n),
            };
            let mut limit = retries;
            if sk.state == TcpState::SynSent {
                limit += self.sysctl.tcp_syn_linear_timeouts as u32;
            }
            if !self.behaviour.linear_syn_timeouts {
                user = 0;
                limit = u32::MAX;
            }
            u32::from(sk.retransmits) >= limit || self.timed_out(id, retries, user, cx.now)
        } else {
            let mut retries = self.sysctl.tcp_retries2 as u32;
            if sk.dead {
                let alive = u64::from(sk.rto) < self.rto_max().0;
                retries = self.orphan_retries(id, alive);
                let do_reset = alive || !self.timed_out(id, retries, 0, cx.now);
                if self.out_of_resources(id, do_reset, cx) {
                    return true;
                }
            }
            self.timed_out(id, retries, user, cx.now)
        };
        if expired {
            self.write_error(id, cx);
            return true;
        }
        if self.behaviour.counts_every_timeout {
            self.counters.inc(Mib::TcpTimeoutRehash);
        }
        false
    }

    /// Have retransmissions gone on for as long as `boundary` doublings would take?
    /// `[retransmits_timed_out]`
    fn timed_out(&self, id: SockId, boundary: u32, user_ms: u32, now: Instant) -> bool {
        let sk = &self.socks[id];
        if sk.retransmits == 0 {
            return false;
        }
        let limit = if user_ms > 0 {
            u64::from(user_ms)
        } else {
            let opening = matches!(sk.state, TcpState::SynSent | TcpState::SynRecv);
            let base = if opening { 1000 } else { self.rto_min_us() / 1000 };
            self.model_timeout(boundary, base)
        };
        self.millis_since(sk.retrans_stamp, now) >= limit
    }

    /// The time that `boundary` doublings take, milliseconds. `[tcp_model_timeout]`
    fn model_timeout(&self, boundary: u32, base_ms: u64) -> u64 {
        let max = self.clock.to_micros(self.rto_max()) / 1000;
        let linear_from = (max / base_ms.max(1)).max(1).ilog2();
        if boundary <= linear_from {
            ((2u64 << boundary) - 1) * base_ms
        } else {
            ((2u64 << linear_from) - 1) * base_ms + u64::from(boundary - linear_from) * max
        }
    }

    /// How often an orphan tries. `[tcp_orphan_retries]`
    pub(crate) fn orphan_retries(&self, id: SockId, alive: bool) -> u32 {
        let mut retries = self.sysctl.tcp_orphan_retries as u32;
        if self.socks[id].err_soft.is_some() && !alive {
            retries = 0;
        }
        if retries == 0 && alive { 8 } else { retries }
    }

    fn zero_window_timed_out(&self, id: SockId, now: Instant) -> bool {
        let sk = &self.socks[id];
        let limit = self.rto_max();
        let quiet = self.clock.jiffies(now).since(sk.rcv_tstamp);
        if !self.behaviour.counts_every_timeout {
            return quiet > limit;
        }
        // [tcp_rtx_probe0_timed_out]
        let user = u64::from(sk.rare().opt.user_timeout);
        let timeout_ms = self.clock.to_micros(limit) / 1000 * 2;
        if self.clock.to_micros(quiet) / 1000 <= timeout_ms {
            return false;
        }
        let limit = if user > 0 { user.min(timeout_ms) } else { timeout_ms };
        self.millis_since(sk.retrans_stamp, now) > limit
    }

    /// The connection dies of silence: no RST. `[tcp_write_err]`
    pub(crate) fn write_error(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let sk = &mut self.socks[id];
        sk.err = Some(sk.err_soft.unwrap_or(Errno::ETIMEDOUT));
        self.purge_write_queue(id);
        self.tcp_done(id, SockEnd::TimedOut, cx);
        self.counters.inc(Mib::TCPAbortOnTimeout);
    }

    /// Puts the RTO in place after something was acknowledged or sent. `[tcp_rearm_rto]`
    pub(crate) fn rearm_rto(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let sk = &self.socks[id];
        if sk.packets_out == 0 {
            return self.clear_xmit_timer(id);
        }
        let mut rto = Jiffies(u64::from(sk.rto));
        if matches!(sk.pending, Pending::Reordering | Pending::LossProbe) {
            let delta = self.rto_delta_us(id, cx.now).max(1) as u64;
            rto = self.clock.from_micros(delta);
        }
        self.reset_xmit_timer(id, Pending::Retransmit, rto, cx.now);
    }

    /// What is left of the RTO of the oldest piece out, microseconds. `[tcp_rto_delta_us]`
    pub(crate) fn rto_delta_us(&self, id: SockId, now: Instant) -> i64 {
        let sk = &self.socks[id];
        let rto = self.clock.to_micros(Jiffies(u64::from(sk.rto))) as i64;
        let Some(head) = sk.rtx.head() else { return rto };
        self.skbs[head].sent_us as i64 + rto - self.clock.micros(now) as i64
    }

    /// RACK waited long enough for reordered ACKs. `[tcp_rack_reo_timeout]`
    fn reordering_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let before = self.socks[id].in_flight();
        self.rack_detect_loss(id, cx);
        if before != self.socks[id].in_flight() {
            if self.socks[id].ca < Ca::Recovery {
                self.enter_recovery(id);
                self.reduce_cwnd(id, 1, 0, false);
            }
            self.retransmit_lost(id, true, cx);
        }
        if self.socks[id].pending != Pending::Retransmit {
            self.rearm_rto(id, cx);
        }
    }
}
