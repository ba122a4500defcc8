//! Segments for the closing states, and the moment a connection is established on a full
//! socket in SYN_RECV. `[tcp_rcv_state_process]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::{How, Kernel};
use crate::rx::ack::{AckInput, AckVerdict};
use crate::segment::{Flags, Segment};
use crate::sink::{Cx, DropReason, Sink, SockEnd};
use crate::sock::Sock;
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::{Instant, Jiffies};

/// What an orphan does when the ACK of its FIN brings it to FIN_WAIT2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FinAcked {
    /// TCP_LINGER2 < 0: no FIN_WAIT2 for it.
    ResetLinger2,
    /// The same segment brings data that nobody can read.
    ResetData,
    /// It waits as a full socket this much longer than a bucket may (jiffies), then in one.
    KeepSocket(u64),
    /// The peer's FIN comes with it: a safety net of so many jiffies, and on with the FIN.
    AwaitFin(u64),
    /// A bucket takes over for so many jiffies.
    Bucket(u64),
}

/// Decides; changes nothing. `[tcp_rcv_state_process]`, TCP_FIN_WAIT1
pub(crate) fn judge_fin_acked(sk: &Sock, seg: &Segment, fin_time: i64, minute: u64) -> FinAcked {
    let fin = u32::from(seg.flags.fin());
    let time = fin_time.max(0) as u64;
    if sk.rare().opt.linger2 < 0 {
        FinAcked::ResetLinger2
    } else if seg.end_seq() != seg.seq && (seg.end_seq() - fin).after(sk.rcv_nxt) {
        FinAcked::ResetData
    } else if time > minute {
        FinAcked::KeepSocket(time - minute)
    } else if seg.flags.fin() {
        FinAcked::AwaitFin(time)
    } else {
        FinAcked::Bucket(time)
    }
}

impl Kernel {
    pub(crate) fn rcv_state_process(
        &mut self,
        id: SockId,
        seg: &Segment,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.take_timestamp(id, seg);
        if seg.flags.0 & (Flags::ACK | Flags::RST | Flags::SYN).0 == 0 {
            return self.drop_segment(seg, DropReason::TcpFlags, cx);
        }
        if !self.validate(id, seg, false, cx) {
            return;
        }
        if !self.accept_ack(id, seg, cx) {
            return;
        }
        let goes_on = match self.socks[id].state {
            TcpState::SynRecv => {
                self.establish(id, seg, cx);
                true
            }
            TcpState::FinWait1 => self.fin_wait1(id, seg, cx),
            TcpState::Closing if self.socks[id].all_acked() => {
                self.time_wait(id, TcpState::TimeWait, Jiffies(0), cx);
                false
            }
            TcpState::LastAck if self.socks[id].all_acked() => {
                self.tcp_done(id, SockEnd::Done, cx);
                false
            }
            TcpState::Closing
            | TcpState::LastAck
            | TcpState::FinWait2
            | TcpState::CloseWait
            | TcpState::Established
            | TcpState::SynSent
            | TcpState::TimeWait
            | TcpState::Close
            | TcpState::Listen
            | TcpState::NewSynRecv => true,
        };
        if goes_on {
            self.data_step(id, seg, cx);
        }
    }

    /// The ACK field. False if the segment ends here.
    fn accept_ack(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) -> bool {
        let input = AckInput { fast: false, challenge: false, update_ts_recent: true };
        if !seg.flags.ack() {
            // Only a SYN could come so far without one, and validation has answered it.
            self.drop_segment(seg, DropReason::TcpFlags, cx);
            return false;
        }
        let verdict = self.tcp_ack(id, seg, input, cx);
        let reason = match verdict {
            AckVerdict::Good => return true,
            AckVerdict::Old => DropReason::TcpOldAck,
            AckVerdict::TooOld => DropReason::TcpTooOldAck,
            AckVerdict::Unsent => DropReason::TcpAckUnsentData,
        };
        if self.socks[id].state == TcpState::SynRecv {
            self.drop_segment(seg, reason, cx);
            let unsent = verdict == AckVerdict::Unsent;
            let cause = if unsent { Cause::RstSynRecvBadAck } else { Cause::RstSynRecvOldAck };
            self.send_reset(seg, cause, cx);
            return false;
        }
        if verdict == AckVerdict::Old || !self.behaviour.unacceptable_ack_drops_segment {
            return true;
        }
        self.send_challenge_ack(id, seg, cx);
        self.drop_segment(seg, reason, cx);
        false
    }

    /// FIN_WAIT1: is our FIN acknowledged, and what follows? False if the segment is used up.
    fn fin_wait1(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) -> bool {
        if !self.socks[id].all_acked() {
            return true;
        }
        self.set_state(id, TcpState::FinWait2, cx);
        self.socks[id].send_shutdown = true;
        if !self.socks[id].dead {
            self.wake(id);
            return true;
        }
        let minute = self.clock.from_secs(60).0;
        match judge_fin_acked(&self.socks[id], seg, self.fin_time(id), minute) {
            FinAcked::ResetLinger2 => self.abort_on_data(id, seg, Cause::RstLinger2FinAcked, cx),
            FinAcked::ResetData => {
                self.abort_on_data(id, seg, Cause::RstDataAfterCloseFinAcked, cx);
            }
            FinAcked::KeepSocket(rest) | FinAcked::AwaitFin(rest) => {
                self.reset_keepalive_timer(id, Jiffies(rest), cx.now);
                return true;
            }
            FinAcked::Bucket(time) => {
                self.time_wait(id, TcpState::FinWait2, Jiffies(time), cx);
            }
        }
        false
    }

    fn abort_on_data(
        &mut self,
        id: SockId,
        seg: &Segment,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.tcp_done(id, SockEnd::Aborted(cause), cx);
        self.counters.inc(Mib::TCPAbortOnData);
        self.drop_segment(seg, DropReason::TcpAbortOnData, cx);
        self.send_reset(seg, cause, cx);
    }

    /// Payload and FIN. `[tcp_rcv_state_process]`, step 7
    fn data_step(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let sk = &self.socks[id];
        let after_fin =
            matches!(sk.state, TcpState::CloseWait | TcpState::Closing | TcpState::LastAck);
        let beyond = after_fin && !seg.seq.before(sk.rcv_nxt);
        if !beyond {
            let fin = u32::from(seg.flags.fin());
            let deaf = sk.rcv_shutdown && sk.state != TcpState::Established;
            if deaf && seg.end_seq() != seg.seq && (seg.end_seq() - fin).after(sk.rcv_nxt) {
                self.counters.inc(Mib::TCPAbortOnData);
                self.reset_sock(id, SockEnd::Aborted(Cause::RstDataAfterClose), cx);
                self.drop_segment(seg, DropReason::TcpAbortOnData, cx);
                return self.send_reset(seg, Cause::RstDataAfterClose, cx);
            }
            self.data_queue(id, seg, cx);
        }
        if self.socks[id].state != TcpState::Close {
            self.send_check(id, cx);
        }
    }

    /// The handshake is through. `[tcp_rcv_state_process]`, TCP_SYN_RECV
    fn establish(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let jiffies = self.clock.jiffies(cx.now);
        let sk = &mut self.socks[id];
        sk.retrans_stamp = 0;
        sk.copied_seq = sk.rcv_nxt;
        self.init_transfer(id);
        let sk = &mut self.socks[id];
        if sk.tstamp_ok {
            sk.advmss -= 12;
        }
        self.set_state(id, TcpState::Established, cx);
        let sk = &mut self.socks[id];
        sk.snd_una = seg.ack;
        sk.snd_wnd = u32::from(seg.win) << sk.snd_wscale;
        sk.snd_wl1 = seg.seq;
        sk.lsndtime = jiffies.stamp();
        self.initialize_rcv_mss(id);
        let sk = &mut self.socks[id];
        sk.pred_win = Some((sk.snd_wnd >> sk.snd_wscale) as u16);
        let shut = sk.send_shutdown;
        self.wake(id);
        if shut {
            self.shutdown_sock(id, How::Wr, cx);
        }
    }

    /// What is settled when a connection begins: RTO, congestion window, buffers.
    /// `[tcp_init_transfer]`, `[tcp_init_metrics]`
    pub(crate) fn init_transfer(&mut self, id: SockId) {
        let fallback = self.clock.from_secs(3).0 as u32;
        let fallback_us = self.clock.to_micros(Jiffies(u64::from(fallback))) as u32;
        let sk = &mut self.socks[id];
        if sk.srtt_us == 0 {
            sk.rttvar_us = fallback_us;
            sk.mdev_us = fallback_us;
            sk.mdev_max_us = fallback_us;
            sk.rto = fallback;
        }
        let lossy = sk.undo || !self.behaviour.undone_syn_loss_keeps_window;
        sk.snd_cwnd = if sk.total_retrans > 1 && lossy { 1 } else { 10 };
        sk.undo = false;
        sk.ca = crate::sock::Ca::Open;
        self.init_buffer_space(id);
        self.expand_sndbuf(id);
    }

    /// SO_KEEPALIVE was set before the connection came about: the timer begins when the SYN is
    /// answered (`[tcp_finish_connect]`), or with the child (`[tcp_create_openreq_child]`); not after
    /// a simultaneous open.
    pub(crate) fn begin_keepalive(&mut self, id: SockId, now: Instant) {
        if self.socks[id].opt.keep_alive {
            let after = self.keepalive_time(id);
            self.reset_keepalive_timer(id, after, now);
        }
    }

    /// How far the window may go: what the buffer takes, one segment kept in reserve.
    /// `[tcp_init_buffer_space]`
    fn init_buffer_space(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        let most = sk.full_space();
        let advmss = u32::from(sk.advmss);
        if sk.window_clamp >= most {
            sk.window_clamp = most;
        }
        if sk.window_clamp > 2 * advmss && sk.window_clamp + advmss > most {
            sk.window_clamp = (2 * advmss).max(most - advmss);
        }
        sk.rcv_ssthresh = sk.rcv_ssthresh.min(sk.window_clamp);
    }

    /// The first guess of how large the peer's segments are. `[tcp_initialize_rcv_mss]`
    pub(crate) fn initialize_rcv_mss(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        // In these releases tcp_sync_mss has run before, so mss_cache is the connection's own.
        let hint = u32::from(sk.advmss.min(sk.mss_cache)).min(sk.rcv_wnd / 2).min(536);
        sk.ack.rcv_mss = hint.max(88) as u16;
    }
}

#[cfg(test)]
mod tests;
