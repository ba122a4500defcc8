//! Payload: in order, out of order, old, beyond the window; and what it does to the ACK.
//! `[tcp_data_queue]`, `[tcp_event_data_recv]`

use alloc::boxed::Box;

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::memory::tail_room;
use crate::segment::{Flags, SackBlock, Segment};
use crate::seq::Seq;
use crate::sink::{Cx, DropReason, Sink};
use crate::sock::{Ofo, OfoRange};
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
            sk.early_fin = sk.early_fin.or(Some(sk.rcv_nxt - 1));
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
        if !self.socks[id].ofo_ranges().is_empty() {
            self.drain_out_of_order(id, cx);
            if self.socks[id].ofo_ranges().is_empty() {
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
            let gap = (now - sk.ack.lrcvtime).0;
            if gap <= u64::from(min / 2) {
                sk.ack.ato = (sk.ack.ato >> 1) + min / 2;
            } else if gap < u64::from(sk.ack.ato) {
                sk.ack.ato = ((sk.ack.ato >> 1) + gap as u32).min(sk.rto);
            } else if gap > u64::from(sk.rto) {
                self.incr_quickack(id, 16);
            }
        }
        let sk = &mut self.socks[id];
        sk.ack.lrcvtime = now;
        if seg.len >= 128 {
            self.grow_window(id, u32::from(seg.len), header_of(seg));
        }
    }

    /// How large the peer's full segments are. `[tcp_measure_rcv_mss]`
    fn measure_rcv_mss(&mut self, id: SockId, seg: &Segment) {
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

    /// A duplicate to be reported with the next ACK. `[tcp_dsack_set]`
    pub(crate) fn set_dsack(&mut self, id: SockId, left: Seq, right: Seq) {
        let sk = &mut self.socks[id];
        if sk.sack_ok && self.sysctl.tcp_dsack != 0 {
            let old = left.before(sk.rcv_nxt);
            self.counters.inc(if old { Mib::TCPDSACKOldSent } else { Mib::TCPDSACKOfoSent });
            sk.dsack = Some(SackBlock { left, right });
        }
    }

    /// A segment meets one that is held: what both cover is a duplicate, and whichever is
    /// covered whole is merged away. `[tcp_data_queue_ofo]`
    fn report_overlap(&mut self, id: SockId, new: OfoRange, old: OfoRange) {
        let old_covers = !new.seq.before(old.seq) && !new.end.after(old.end);
        let new_covers = !old.seq.before(new.seq) && !old.end.after(new.end);
        if old_covers || new_covers {
            self.counters.inc(Mib::TCPOFOMerge);
        }
        let (left, right) = (new.seq.later(old.seq), new.end.earlier(old.end));
        self.extend_dsack(id, left, right);
    }

    /// Another duplicate: it joins the one to be reported if they touch. `[tcp_dsack_extend]`
    fn extend_dsack(&mut self, id: SockId, left: Seq, right: Seq) {
        match self.socks[id].dsack.as_mut() {
            None => self.set_dsack(id, left, right),
            Some(block) if !left.after(block.right) && !block.left.after(right) => {
                block.left = block.left.earlier(left);
                block.right = block.right.later(right);
            }
            Some(_) => {}
        }
    }

    /// Beyond a hole. `[tcp_data_queue_ofo]`
    fn queue_out_of_order(&mut self, id: SockId, seg: &Segment) {
        self.measure_rcv_mss(id, seg);
        self.counters.inc(Mib::TCPOFOQueue);
        let len = u32::from(seg.len);
        let mut new = OfoRange {
            seq: seg.seq,
            end: seg.end_seq(),
            fin: seg.flags.fin(),
            room: tail_room(len + header_of(seg) + 20),
        };
        let sk = &mut self.socks[id];
        sk.pred_win = None;
        sk.ack.scheduled = true;
        sk.charge(u32::from(seg.len), header_of(seg));
        let ofo = sk.ofo.get_or_insert_with(|| Box::new(Ofo::default()));
        // What fits behind a segment that is held is not compared with others.
        // [tcp_ooo_try_coalesce]
        let behind = ofo.ranges.iter().find(|r| r.end == new.seq && r.room >= len);
        let appended = behind.is_some();
        new.room = behind.map_or(new.room, |r| r.room - len);
        let meets = |r: &OfoRange| !appended && new.seq.before(r.end) && r.seq.before(new.end);
        let met: alloc::vec::Vec<OfoRange> = ofo.ranges.iter().copied().filter(meets).collect();
        for old in met {
            self.report_overlap(id, new, old);
        }
        let sk = &mut self.socks[id];
        let sack_ok = sk.sack_ok;
        let Some(ofo) = sk.ofo.as_mut() else { return };
        let merged = insert_range(ofo, new);
        if sack_ok {
            note_sack(ofo, merged);
            // Without SACK the window stays, so that the ACK is a duplicate.
            self.grow_window(id, u32::from(seg.len), header_of(seg));
        }
    }

    /// The hole is filled: what lay behind it is in order now. `[tcp_ofo_queue]`
    fn drain_out_of_order(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let filled = self.socks[id].rcv_nxt;
        loop {
            let sk = &mut self.socks[id];
            let Some(ofo) = sk.ofo.as_mut() else { return };
            let Some(first) = ofo.ranges.first().copied() else { break };
            if first.seq.after(sk.rcv_nxt) {
                break;
            }
            ofo.ranges.remove(0);
            if first.seq.before(filled) {
                self.extend_dsack(id, first.seq, first.end.earlier(filled));
            }
            let sk = &mut self.socks[id];
            if first.end.after(sk.rcv_nxt) {
                let payload = (first.end - sk.rcv_nxt) - u32::from(first.fin);
                sk.bytes_received += u64::from(payload);
                sk.rcv_nxt = first.end;
                if first.fin {
                    self.socks[id].fin_merged = true;
                    self.rcv_fin(id, cx);
                }
            }
        }
        let sk = &mut self.socks[id];
        let rcv_nxt = sk.rcv_nxt;
        let Some(ofo) = sk.ofo.as_mut() else { return };
        // [tcp_sack_remove]
        ofo.sacks.retain(|block| block.left.after(rcv_nxt) || block.left == rcv_nxt + 1);
        ofo.sacks.retain(|block| rcv_nxt.before(block.left));
        if ofo.ranges.is_empty() {
            sk.ofo = None;
        }
    }
}

/// Header bytes of a segment as it came.
fn header_of(seg: &Segment) -> u32 {
    let ts = if seg.options.ts.is_some() { 12 } else { 0 };
    let sack = u32::from(seg.options.sack_count) * 8;
    20 + ts + if sack > 0 { sack + 4 } else { 0 }
}

/// Adds a range, joined with those it touches; returns what it became.
fn insert_range(ofo: &mut Ofo, mut new: OfoRange) -> OfoRange {
    ofo.ranges.retain(|r| {
        let apart = r.end.before(new.seq) || r.seq.after(new.end);
        if !apart {
            new = OfoRange {
                seq: new.seq.earlier(r.seq),
                end: new.end.later(r.end),
                fin: new.fin || r.fin,
                room: if r.end.after(new.end) { r.room } else { new.room },
            };
        }
        apart
    });
    let at = ofo.ranges.iter().position(|r| r.seq.after(new.seq)).unwrap_or(ofo.ranges.len());
    ofo.ranges.insert(at, new);
    new
}

/// The block that changed last is told first. `[tcp_sack_new_ofo_skb]`
fn note_sack(ofo: &mut Ofo, range: OfoRange) {
    ofo.sacks.retain(|b| b.right.before(range.seq) || b.left.after(range.end));
    ofo.sacks.insert(0, SackBlock { left: range.seq, right: range.end });
    ofo.sacks.truncate(4);
}
