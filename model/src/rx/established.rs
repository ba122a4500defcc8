//! A segment for an established connection. `[tcp_rcv_established]`

use crate::kernel::Kernel;
use crate::rx::ack::{AckInput, AckVerdict};
use crate::segment::{Flags, Segment};
use crate::sink::{Cx, DropReason, Sink};
use crate::table::slab::SockId;

impl Kernel {
    pub(crate) fn rcv_established(
        &mut self,
        id: SockId,
        seg: &Segment,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let fast = self.is_predicted(id, seg);
        self.take_timestamp(id, seg);
        if fast {
            return self.fast_path(id, seg, cx);
        }
        let any = Flags::ACK | Flags::RST | Flags::SYN;
        if seg.flags.0 & any.0 == 0 {
            return self.drop_segment(seg, DropReason::TcpFlags, cx);
        }
        if !self.validate(id, seg, true, cx) {
            return;
        }
        let input = AckInput { fast: false, challenge: true, update_ts_recent: true };
        match self.tcp_ack(id, seg, input, cx) {
            AckVerdict::Good | AckVerdict::Old => {}
            AckVerdict::TooOld => return self.drop_segment(seg, DropReason::TcpTooOldAck, cx),
            AckVerdict::Unsent => {
                if self.behaviour.challenges_ack_of_unsent_data {
                    self.send_challenge_ack(id, seg, cx);
                }
                return self.drop_segment(seg, DropReason::TcpAckUnsentData, cx);
            }
        }
        self.data_queue(id, seg, cx);
        if self.socks[id].state != crate::state::TcpState::Close {
            self.send_check(id, cx);
        }
    }

    /// Header prediction: the timestamp is taken and payload queued before anyone looks at the
    /// ACK, so even a too old ACK brings its data in.
    fn fast_path(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let sk = &self.socks[id];
        let update = sk.rcv_nxt == sk.rcv_wup;
        if update {
            self.replace_ts_recent(id, seg, cx);
        }
        let input = AckInput { fast: true, challenge: true, update_ts_recent: false };
        if seg.len == 0 {
            self.tcp_ack(id, seg, input, cx);
            return self.data_send_check(id, cx);
        }
        self.data_queue(id, seg, cx);
        if seg.ack != self.socks[id].snd_una {
            self.tcp_ack(id, seg, input, cx);
            self.data_send_check(id, cx);
        } else {
            self.socks[id].snd_wl1 = seg.seq;
        }
        self.ack_check(id, cx);
    }

    /// Is it just what header prediction expects? `[tcp_rcv_established]`'s fast path
    fn is_predicted(&self, id: SockId, seg: &Segment) -> bool {
        let sk = &self.socks[id];
        let plain = seg.flags.without(Flags::PSH) == Flags::ACK;
        let options = seg.options;
        let only_ts = options.mss.is_none()
            && options.wscale.is_none()
            && !options.sack_permitted
            && options.sack_count == 0;
        sk.pred_win == Some(seg.win)
            && plain
            && only_ts
            && options.ts.is_some() == sk.tstamp_ok
            && seg.seq == sk.rcv_nxt
            && !seg.ack.after(sk.snd_nxt)
            && (!self.behaviour.refuses_segment_beyond_window
                || !seg.end_seq().after(sk.rcv_nxt + sk.receive_window()))
            && (seg.len == 0 || sk.has_memory_for(u32::from(seg.len), sk.header_len()))
            && options.ts.is_none_or(|ts| (ts.val.wrapping_sub(sk.ts_recent) as i32) >= 0)
    }

    /// Notes the segment's timestamp, if the connection uses them.
    /// `[tcp_fast_parse_options]`
    pub(crate) fn take_timestamp(&mut self, id: SockId, seg: &Segment) {
        let sk = &mut self.socks[id];
        sk.saw_tstamp = false;
        if let Some(ts) = seg.options.ts.filter(|_| sk.tstamp_ok) {
            sk.saw_tstamp = true;
            sk.rcv_tsval = ts.val;
            sk.rcv_tsecr = if ts.ecr == 0 { 0 } else { ts.ecr.wrapping_sub(sk.ts_offset) };
        }
    }

    /// The fast path opens when nothing out of the ordinary is under way.
    /// `[tcp_fast_path_check]`
    pub(crate) fn fast_path_check(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        if sk.ofo_pieces().is_empty() && sk.rcv_wnd > 0 {
            sk.pred_win = Some((sk.snd_wnd >> sk.snd_wscale) as u16);
        }
    }
}
