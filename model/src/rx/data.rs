//! Payload: in order, old, beyond the window; and what it does to the ACK. What lies beyond a hole
//! is in `ofo`.
//! `[tcp_data_queue]`, `[tcp_event_data_recv]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::{Flags, Segment};
use crate::sink::{Cx, DropReason, Sink};
use crate::table::slab::SockId;
use crate::time::Instant;

impl Kernel {
    /// `[tcp_data_queue]`
    pub(crate) fn data_queue(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let end = seg.end_seq();
        if seg.seq == end {
            return;
        }
        let sk = &self.socks[id];
        let window = sk.receive_window();
        if seg.seq == sk.rcv_nxt {
            let bare_fin = seg.len == 0 && self.behaviour.zero_window_takes_fin;
            if window == 0 && !bare_fin {
                if self.behaviour.counts_every_timeout {
                    self.counters.inc(Mib::TCPZeroWindowDrop);
                }
                return self.refuse_data(id, seg, DropReason::TcpZeroWindow, cx);
            }
            return self.queue_in_order(id, seg, cx);
        }
        if !end.after(sk.rcv_nxt) {
            // All of it is old: a retransmission that crossed our ACK.
            self.counters.inc(Mib::DelayedACKLost);
            self.set_dsack(id, seg.seq, end);
            return self.refuse_data(id, seg, DropReason::TcpOldData, cx);
        }
        if !seg.seq.before(sk.rcv_nxt + window) {
            return self.refuse_data(id, seg, DropReason::TcpOverwindow, cx);
        }
        if seg.seq.before(sk.rcv_nxt) {
            let rcv_nxt = sk.rcv_nxt;
            self.set_dsack(id, seg.seq, rcv_nxt);
            if window == 0 {
                if self.behaviour.counts_every_timeout {
                    self.counters.inc(Mib::TCPZeroWindowDrop);
                }
                return self.refuse_data(id, seg, DropReason::TcpZeroWindow, cx);
            }
            return self.queue_in_order(id, seg, cx);
        }
        self.queue_out_of_order(id, seg);
    }

    /// Not taken, but answered at once. `[tcp_data_queue]`, `out_of_window`
    #[allow(clippy::wildcard_enum_match_arm, reason = "three reasons come here")]
    fn refuse_data(
        &mut self,
        id: SockId,
        seg: &Segment,
        reason: DropReason,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.enter_quickack_mode(id);
        let ack = &mut self.socks[id].ack;
        ack.scheduled = true;
        ack.why = Some(match reason {
            DropReason::TcpZeroWindow => Cause::AckZeroWindow,
            DropReason::TcpOverwindow => Cause::AckOutOfWindow,
            _ => Cause::AckOldData,
        });
        self.drop_segment(seg, reason, cx);
    }

    fn queue_in_order(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let end = seg.end_seq();
        let sk = &mut self.socks[id];
        let payload = (end - sk.rcv_nxt) - u32::from(seg.flags.fin());
        if sk.done {
            let last = sk.rcv_nxt - 1;
            sk.rare_mut().early_fin.get_or_insert(last);
        }
        sk.bytes_received += u64::from(payload);
        sk.rcv_nxt = end;
        if seg.flags.fin() {
            sk.fin_merged = payload > 0 || sk.rmem > 0;
        }
        if !sk.dead {
            sk.charge(payload, header_of(seg));
        }
        if seg.len > 0 {
            self.event_data_recv(id, seg, cx.now);
        }
        if seg.flags.fin() {
            self.rcv_fin(id, cx);
        }
        if !self.socks[id].ofo_pieces().is_empty() {
            self.drain_out_of_order(id, cx);
            if self.socks[id].ofo_pieces().is_empty() {
                self.socks[id].ack.now = true;
            }
        }
        self.fast_path_check(id);
        self.wake(id);
    }

    /// Payload came: owe an ACK, and learn the rhythm. `[tcp_event_data_recv]`
    fn event_data_recv(&mut self, id: SockId, seg: &Segment, now: Instant) {
        let now = self.clock.jiffies(now);
        self.measure_rcv_mss(id, seg);
        let min = self.ato_min;
        let sk = &mut self.socks[id];
        sk.ack.scheduled = true;
        if sk.ack.ato == 0 {
            self.incr_quickack(id, 16);
            self.socks[id].ack.ato = min;
        } else {
            let gap = now.since(sk.ack.lrcvtime).0;
            if gap <= u64::from(min / 2) {
                sk.ack.ato = (sk.ack.ato >> 1) + min / 2;
            } else if gap < u64::from(sk.ack.ato) {
                sk.ack.ato = ((sk.ack.ato >> 1) + gap as u32).min(sk.rto);
            } else if gap > u64::from(sk.rto) {
                self.incr_quickack(id, 16);
            }
        }
        let sk = &mut self.socks[id];
        sk.ack.lrcvtime = now.stamp();
        if seg.len >= 128 {
            self.grow_window(id, u32::from(seg.len), header_of(seg));
        }
    }

    /// How large the peer's full segments are. `[tcp_measure_rcv_mss]`
    pub(super) fn measure_rcv_mss(&mut self, id: SockId, seg: &Segment) {
        let sk = &mut self.socks[id];
        let last = core::mem::take(&mut sk.ack.last_seg_size);
        if seg.len >= sk.ack.rcv_mss {
            let pushed = u32::from(seg.len) > u32::from(sk.ack.rcv_mss) + 40;
            if seg.len != sk.ack.rcv_mss {
                self.learn_scaling_ratio(id, u32::from(seg.len), header_of(seg));
            }
            let sk = &mut self.socks[id];
            sk.ack.rcv_mss = seg.len.min(sk.advmss);
            sk.ack.pushed |= pushed;
            return;
        }
        let len = seg.len + header_of(seg) as u16;
        let remnant = seg.flags.0 & (Flags::FIN | Flags::URG | Flags::SYN | Flags::PSH).0 != 0;
        if len >= 536 + 20 || (len >= 88 + 20 && !remnant) {
            let size = len - sk.header_len() as u16;
            sk.ack.last_seg_size = size;
            if size == last {
                sk.ack.rcv_mss = size;
                return;
            }
        }
        if sk.ack.pushed {
            sk.ack.pushed2 = true;
        }
        sk.ack.pushed = true;
    }
}

/// Header bytes of a segment as it came.
pub(super) fn header_of(seg: &Segment) -> u32 {
    let ts = if seg.options.ts.is_some() { 12 } else { 0 };
    let sack = u32::from(seg.options.sack_count) * 8;
    20 + ts + if sack > 0 { sack + 4 } else { 0 }
}
