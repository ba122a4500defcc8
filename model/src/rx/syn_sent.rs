//! The answer to our SYN. `[tcp_rcv_synsent_state_process]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::rx::ack::AckInput;
use crate::segment::{Flags, Segment};
use crate::sink::{Cx, DropReason, Sink, SockEnd};
use crate::skb::Skb;
use crate::sock::Pending;
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::Jiffies;

impl Kernel {
    pub(crate) fn rcv_syn_sent(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        if seg.flags.ack() {
            return self.syn_sent_with_ack(id, seg, cx);
        }
        if seg.flags.rst() || !seg.flags.syn() {
            let reason = if seg.flags.rst() { DropReason::TcpReset } else { DropReason::TcpFlags };
            return self.drop_segment(seg, reason, cx);
        }
        self.simultaneous_open(id, seg, cx);
    }

    fn syn_sent_with_ack(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let sk = &self.socks[id];
        if !seg.ack.after(sk.snd_una) || seg.ack.after(sk.snd_nxt) {
            // Not ours. 6.18 suspects an old connection of the peer's: once it has our RST, the
            // next SYN will do, so that goes out on the second tick from now.
            if self.behaviour.pushes_syn_after_bad_synack && sk.retransmits == 0 {
                self.reset_xmit_timer(id, Pending::Retransmit, Jiffies(2), cx.now);
            }
            self.drop_segment(seg, DropReason::TcpInvalidAckSequence, cx);
            return self.send_reset(seg, Cause::RstSynSentBadAck, cx);
        }
        if self.echo_is_foreign(id, seg, cx) {
            self.counters.inc(Mib::PAWSActive);
            self.drop_segment(seg, DropReason::TcpRfc7323Paws, cx);
            return self.send_reset(seg, Cause::RstSynSentPaws, cx);
        }
        if seg.flags.rst() {
            return self.tcp_reset(id, seg, cx);
        }
        if !seg.flags.syn() {
            return self.drop_segment(seg, DropReason::TcpFlags, cx);
        }
        self.finish_connect(id, seg, cx);
    }

    /// Does it echo a timestamp that we did not send in this handshake?
    fn echo_is_foreign(&self, id: SockId, seg: &Segment, cx: &Cx<'_, impl Sink>) -> bool {
        let sk = &self.socks[id];
        let Some(ts) = seg.options.ts else { return false };
        if ts.ecr == 0 || self.sysctl.tcp_timestamps == 0 {
            return false;
        }
        let echo = ts.ecr.wrapping_sub(sk.ts_offset);
        let first = sk.retrans_stamp;
        let now = self.timestamp(0, cx.now);
        now.wrapping_sub(first) < echo.wrapping_sub(first)
    }

    /// A good SYN-ACK. `[tcp_finish_connect]`
    fn finish_connect(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        self.take_syn_options(id, seg, cx);
        let sk = &mut self.socks[id];
        if !sk.wscale_ok {
            // Only here: a simultaneous open keeps its own scale whatever the peer said.
            sk.rcv_wscale = 0;
            sk.window_clamp = sk.window_clamp.min(65535);
        }
        sk.snd_wl1 = seg.seq;
        let sk = &mut self.socks[id];
        if sk.saw_tstamp && sk.rcv_tsecr == sk.retrans_stamp {
            // The first SYN was answered: it had not been lost. [tcp_try_undo_spurious_syn]
            sk.undo = false;
        }
        let input = AckInput { fast: false, challenge: true, update_ts_recent: false };
        self.tcp_ack(id, seg, input, cx);
        self.take_syn_sequence(id, seg);
        if self.socks[id].tstamp_ok {
            self.socks[id].advmss -= 12;
        }
        let jiffies = self.clock.jiffies(cx.now);
        let sk = &mut self.socks[id];
        sk.copied_seq = sk.rcv_nxt;
        sk.ack.lrcvtime = jiffies.stamp();
        self.initialize_rcv_mss(id);
        self.set_state(id, TcpState::Established, cx);
        self.init_transfer(id);
        self.begin_keepalive(id, cx.now);
        let sk = &mut self.socks[id];
        sk.lsndtime = jiffies.stamp();
        sk.retrans_stamp = 0;
        if !sk.wscale_ok {
            sk.pred_win = Some(sk.snd_wnd as u16);
        }
        self.wake(id);
        let waits = core::mem::take(&mut self.socks[id].write_pending);
        let sk = &self.socks[id];
        if waits || sk.rare().opt.defer_accept > 0 || self.in_pingpong_mode(id) {
            // The program is about to speak: its data will carry the ACK.
            let max = self.clock.from_millis(200);
            let now = self.clock.jiffies(cx.now);
            let sk = &mut self.socks[id];
            sk.ack.scheduled = true;
            sk.ack.timer = true;
            let due = now + max;
            sk.ack.timeout = due.stamp();
            self.enter_quickack_mode(id);
            self.arm(id, crate::timer::Kind::DelayedAck, now, due);
            return;
        }
        self.send_ack(id, Cause::AckOfSynAck, cx);
    }

    /// The peer's SYN options, as far as we offered the same.
    fn take_syn_options(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let seconds = self.clock.seconds(cx.now).max(1) as u32;
        let options = seg.options;
        let use_ts = self.sysctl.tcp_timestamps != 0;
        let (sack, scale) = (self.sysctl.tcp_sack != 0, self.sysctl.tcp_window_scaling != 0);
        let sk = &mut self.socks[id];
        sk.sack_ok = options.sack_permitted && sack;
        match options.wscale.filter(|_| scale) {
            Some(shift) => {
                sk.snd_wscale = shift.min(14);
                sk.wscale_ok = true;
            }
            None => {
                sk.snd_wscale = 0;
                sk.wscale_ok = false;
            }
        }
        sk.saw_tstamp = false;
        sk.tstamp_ok = false;
        if let Some(ts) = options.ts.filter(|_| use_ts) {
            sk.tstamp_ok = true;
            sk.saw_tstamp = true;
            sk.rcv_tsval = ts.val;
            sk.rcv_tsecr = if ts.ecr == 0 { 0 } else { ts.ecr.wrapping_sub(sk.ts_offset) };
            sk.ts_recent = ts.val;
            sk.ts_recent_stamp = seconds;
        }
        let mut clamp = options.mss.unwrap_or(536).max(1);
        if sk.rare().opt.max_seg > 0 {
            clamp = clamp.min(sk.rare().opt.max_seg);
        }
        sk.mss_clamp = clamp;
    }

    /// Where the peer's data begin, and how much of it fits.
    fn take_syn_sequence(&mut self, id: SockId, seg: &Segment) {
        let sk = &mut self.socks[id];
        sk.rcv_nxt = seg.seq + 1;
        sk.rcv_wup = sk.rcv_nxt;
        sk.snd_wnd = u32::from(seg.win);
        sk.max_window = sk.max_window.max(sk.snd_wnd);
        sk.snd_wl1 = seg.seq;
        self.sync_mss(id);
    }

    /// Both ends connect at once: SYN_RECV on a full socket, and our SYN again as SYN-ACK.
    fn simultaneous_open(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        self.set_state(id, TcpState::SynRecv, cx);
        self.take_syn_options(id, seg, cx);
        self.take_syn_sequence(id, seg);
        let sk = &mut self.socks[id];
        sk.copied_seq = sk.rcv_nxt;
        sk.max_window = sk.snd_wnd;
        // Our SYN in the retransmit queue becomes a SYN-ACK: it goes again as such.
        // [tcp_send_synack]
        if let Some(head) = sk.rtx.head() {
            let piece: &mut Skb = &mut self.skbs[head];
            piece.flags |= Flags::ACK;
            self.transmit_queued(id, head, Cause::SynAckSimultaneous, cx);
        }
    }

    /// A connection that never was ends with this error. `[tcp_v4_err]` in SYN_SENT
    pub(crate) fn abandon_open(
        &mut self,
        id: SockId,
        error: crate::errno::Errno,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.socks[id].err = Some(error);
        self.purge_write_queue(id);
        self.tcp_done(id, SockEnd::Icmp, cx);
    }
}
