//! Sending again: one piece, with its neighbours where they fit; tail loss probes.
//! `[__tcp_retransmit_skb]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::sink::{Cx, Sink};
use crate::skb;
use crate::sock::{Ca, Pending};
use crate::table::slab::{SkbId, SockId};
use crate::tx::output::{Burst, Nagle};

impl Kernel {
    /// Sends a piece again and marks it. `[tcp_retransmit_skb]`
    pub(crate) fn retransmit(
        &mut self,
        id: SockId,
        skb: SkbId,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) -> bool {
        let sent = self.retransmit_unmarked(id, skb, cause, cx);
        if sent {
            // Counted even if it is marked already, as after a timeout that was taken back before the
            // next one: then the count is one too high ("retrans_out leaked", measured on 6.18), and
            // the congestion window holds new data back, until nothing is out any more.
            self.socks[id].retrans_out += self.skbs[skb].segments();
            self.skbs[skb].marks.retrans = true;
        }
        let now_ms = (self.clock.millis(cx.now) as u32).max(1);
        let sk = &mut self.socks[id];
        if sk.retrans_stamp == 0 {
            sk.retrans_stamp = now_ms;
        }
        sent
    }

    /// Sends a piece again without touching the scoreboard. False if the peer's window forbids
    /// it. `[__tcp_retransmit_skb]`
    fn retransmit_unmarked(
        &mut self,
        id: SockId,
        skb: SkbId,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) -> bool {
        self.trim_head(id, skb);
        let sk = &self.socks[id];
        let mss = self.current_mss(id);
        let piece = self.skbs[skb];
        let room = (sk.wnd_end() - piece.seq) as i32;
        if room <= 0 && piece.seq != sk.snd_una {
            return false;
        }
        let room = if room <= 0 { mss } else { room as u32 };
        let len = if mss > room { room } else { mss };
        self.recount(id, skb, mss);
        if piece.len() > len {
            self.split_sent(id, skb, len);
        } else {
            self.collapse(id, skb, room.min(mss));
        }
        let piece = self.skbs[skb];
        self.counters.inc(Mib::RetransSegs);
        if piece.flags.syn() {
            self.counters.inc(Mib::TCPSynRetrans);
        }
        self.socks[id].total_retrans += 1;
        let cause = if cause == Cause::DataRetransmit { timeout_cause(&piece) } else { cause };
        self.transmit_queued(id, skb, cause, cx);
        self.skbs[skb].marks.ever_retrans = true;
        true
    }

    /// What has been acknowledged of a piece is not sent again. `[tcp_trim_head]`
    pub(crate) fn trim_head(&mut self, id: SockId, skb: SkbId) {
        let sk = &mut self.socks[id];
        let piece = &mut self.skbs[skb];
        if piece.seq.before(sk.snd_una) && piece.end_seq.after(sk.snd_una) {
            let before = piece.segments();
            piece.seq = sk.snd_una;
            let gone = before - piece.segments();
            sk.packets_out -= gone;
            if piece.marks.lost {
                sk.lost_out = sk.lost_out.saturating_sub(gone);
            }
            if piece.marks.retrans {
                sk.retrans_out = sk.retrans_out.saturating_sub(gone);
            }
        }
    }

    /// The segment size has changed since the piece was sent: it counts for another number of
    /// segments now. `[tcp_set_skb_tso_segs]`, `[tcp_adjust_pcount]`
    fn recount(&mut self, id: SockId, skb: SkbId, mss: u32) {
        let piece = &mut self.skbs[skb];
        let before = piece.segments();
        piece.unit = mss as u16;
        let after = piece.segments();
        let marks = piece.marks;
        let sk = &mut self.socks[id];
        let adjust = |count: &mut u32, marked: bool| {
            if marked {
                *count = (*count + after).saturating_sub(before);
            }
        };
        adjust(&mut sk.packets_out, true);
        adjust(&mut sk.lost_out, marks.lost);
        adjust(&mut sk.retrans_out, marks.retrans);
        adjust(&mut sk.sacked_out, marks.sacked);
    }

    /// Cuts a piece that is out; both halves keep its marks.
    pub(crate) fn split_sent(&mut self, id: SockId, skb: SkbId, len: u32) {
        let piece = self.skbs[skb];
        let sk = &mut self.socks[id];
        sk.rtx.split(&mut self.skbs, skb, len);
        let rest = skb::next(&self.skbs, skb).map_or(0, |rest| self.skbs[rest].segments());
        // [tcp_adjust_pcount]
        let more = self.skbs[skb].segments() + rest - piece.segments();
        sk.packets_out += more;
        sk.lost_out += if piece.marks.lost { more } else { 0 };
        sk.retrans_out += if piece.marks.retrans { more } else { 0 };
        sk.sacked_out += if piece.marks.sacked { more } else { 0 };
    }

    /// Small neighbours that are out too go into one segment: data and the bare FIN behind it
    /// become one. `[tcp_retrans_try_collapse]`
    fn collapse(&mut self, id: SockId, skb: SkbId, space: u32) {
        let mut left = space as i64 - i64::from(self.skbs[skb].len());
        if self.skbs[skb].flags.syn() || self.skbs[skb].segments() > 1 {
            return;
        }
        while let Some(behind) = skb::next(&self.skbs, skb) {
            let piece = self.skbs[behind];
            left -= i64::from(piece.len());
            let edge = self.socks[id].wnd_end();
            if piece.segments() > 1
                || piece.marks.sacked
                || self.skbs[skb].marks.sacked
                || left < 0
                || piece.end_seq.after(edge)
            {
                return;
            }
            let sk = &mut self.socks[id];
            sk.packets_out -= 1;
            if piece.marks.lost {
                sk.lost_out = sk.lost_out.saturating_sub(1);
            }
            if piece.marks.retrans {
                sk.retrans_out = sk.retrans_out.saturating_sub(1);
            }
            sk.rtx.remove_next(&mut self.skbs, skb);
            let head = &mut self.skbs[skb];
            head.end_seq = piece.end_seq;
            head.flags |= piece.flags;
            head.marks.ever_retrans |= piece.marks.ever_retrans;
        }
    }

    /// The tail loss probe fires: a new segment if one may go, else the last one again.
    /// `[tcp_send_loss_probe]`
    pub(crate) fn send_loss_probe(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        if self.socks[id].tlp_high_seq.is_none() && self.probe_tail(id, cx) {
            let sk = &mut self.socks[id];
            sk.tlp_high_seq = Some(sk.snd_nxt);
            self.counters.inc(Mib::TCPLossProbes);
            self.socks[id].pending = Pending::None;
        }
        if !self.behaviour.probes_tail_of_bare_fin {
            // 3.10 arms the RTO in full even if nothing left.
            self.socks[id].pending = Pending::None;
        }
        self.rearm_rto(id, cx);
    }

    fn probe_tail(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) -> bool {
        self.socks[id].tlp_retrans = false;
        if self.window_lets_head_go(id) {
            let before = self.socks[id].packets_out;
            self.write_xmit(id, Nagle::Off, Burst::Probe, cx);
            return self.socks[id].packets_out > before;
        }
        let Some(tail) = self.socks[id].rtx.tail() else { return false };
        let piece = self.skbs[tail];
        if piece.len() == 0 && !self.behaviour.probes_tail_of_bare_fin {
            return false;
        }
        let segments = piece.segments();
        let unit = u32::from(piece.unit);
        let tail = if segments > 1 && piece.len() > (segments - 1) * unit {
            self.split_sent(id, tail, (segments - 1) * unit);
            self.socks[id].rtx.tail().unwrap_or(tail)
        } else {
            tail
        };
        if !self.retransmit_unmarked(id, tail, Cause::TailLossProbe, cx) {
            return false;
        }
        self.socks[id].tlp_retrans = true;
        true
    }

    /// Everything out is taken for lost. `[tcp_enter_loss]`, `[tcp_timeout_mark_lost]`
    pub(crate) fn enter_loss(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let now_us = self.clock.micros(cx.now);
        // Many duplicate ACKs before a timeout: so much reordering was taken for granted wrongly.
        let usual = self.sysctl.tcp_reordering.max(1) as u32;
        let sk = &mut self.socks[id];
        if sk.ca <= Ca::Disorder && sk.sacked_out >= usual {
            sk.reordering = sk.reordering.min(usual);
        }
        let mut at = self.socks[id].rtx.head();
        let head = at;
        let rack = self.uses_rack() && self.socks[id].sack_ok;
        if !self.socks[id].sack_ok {
            self.socks[id].sacked_out = 0; // [tcp_reset_reno_sack]
        }
        // 3.10 knows no retransmission from before. [tcp_clear_retrans_partial]
        let forgets = !self.behaviour.counts_every_timeout;
        while let Some(skb) = at {
            let piece = self.skbs[skb];
            let sk = &self.socks[id];
            let age = now_us.saturating_sub(piece.sent_us);
            let recent = rack && at != head && age < u64::from(sk.rack_rtt_us);
            if !recent && !piece.marks.sacked {
                self.mark_lost(id, skb);
            }
            self.skbs[skb].marks.retrans &= !forgets;
            at = skb::next(&self.skbs, skb);
        }
        let sk = &mut self.socks[id];
        if forgets {
            sk.retrans_out = 0;
        }
        sk.frto = sk.ca < Ca::Recovery || sk.retransmits > 0;
        if sk.ca <= Ca::Disorder || !sk.high_seq.after(sk.snd_una) || sk.retransmits == 0 {
            sk.rare_mut().prior_ssthresh = sk.snd_ssthresh;
            sk.rare_mut().prior_cwnd = sk.snd_cwnd;
            sk.snd_ssthresh = (sk.snd_cwnd / 2).max(2);
            sk.undo = true;
        }
        sk.snd_cwnd = sk.in_flight() + 1;
        sk.snd_cwnd_cnt = 0;
        sk.ca = Ca::Loss;
        sk.high_seq = sk.snd_nxt;
        sk.tlp_high_seq = None;
    }

    /// One piece is lost; a retransmission of it too. `[tcp_mark_skb_lost]`
    pub(crate) fn mark_lost(&mut self, id: SockId, skb: SkbId) {
        let piece = &mut self.skbs[skb];
        let segments = piece.segments();
        let sk = &mut self.socks[id];
        if !piece.marks.lost {
            piece.marks.lost = true;
            sk.lost_out += segments;
            sk.lost = sk.lost.wrapping_add(segments);
        } else if piece.marks.retrans {
            piece.marks.retrans = false;
            sk.retrans_out = sk.retrans_out.saturating_sub(segments);
            sk.lost = sk.lost.wrapping_add(segments);
            if self.behaviour.counts_every_timeout {
                self.counters.add(Mib::TCPLostRetransmit, u64::from(segments));
            }
        }
    }

    /// Sends lost pieces again as far as the congestion window goes, because an ACK allows it or
    /// because RACK's timer has found them lost. `[tcp_xmit_retransmit_queue]`
    pub(crate) fn retransmit_lost(
        &mut self,
        id: SockId,
        by_timer: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let mut at = self.socks[id].rtx.head();
        while let Some(skb) = at {
            let sk = &self.socks[id];
            if sk.in_flight() >= sk.snd_cwnd || sk.retrans_out >= sk.lost_out {
                return;
            }
            let marks = self.skbs[skb].marks;
            if marks.lost && !marks.retrans && !marks.sacked {
                let in_loss = sk.ca == Ca::Loss;
                let mib = if in_loss { Mib::TCPSlowStartRetrans } else { Mib::TCPFastRetrans };
                let cause = match (by_timer, in_loss) {
                    (true, _) => Cause::RackRetransmit,
                    (false, true) => Cause::SlowStartRetransmit,
                    (false, false) => Cause::FastRetransmit,
                };
                if !self.retransmit(id, skb, cause, cx) {
                    return;
                }
                self.counters.inc(mib);
                let segments = self.skbs[skb].segments();
                if self.socks[id].ca == Ca::Recovery {
                    self.socks[id].rare_mut().prr_out += segments;
                }
                if self.socks[id].rtx.head() == Some(skb) {
                    let rto = crate::time::Jiffies(u64::from(self.socks[id].rto));
                    if self.socks[id].pending != Pending::Reordering {
                        self.reset_xmit_timer(id, Pending::Retransmit, rto, cx.now);
                    }
                }
            }
            at = skb::next(&self.skbs, skb);
        }
    }

    /// Does RACK decide what is lost?
    pub(crate) fn uses_rack(&self) -> bool {
        self.sysctl.tcp_recovery & 1 != 0
    }
}

/// What an RTO sends again.
fn timeout_cause(piece: &skb::Skb) -> Cause {
    match (piece.flags.syn(), piece.flags.ack(), piece.flags.fin()) {
        (true, true, _) => Cause::SynAckRetransmit,
        (true, false, _) => Cause::SynRetransmit,
        (false, _, true) => Cause::FinRetransmit,
        (false, _, false) => Cause::DataRetransmit,
    }
}
