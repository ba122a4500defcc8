//! What an ACK acknowledges, and what follows: windows, the retransmit queue, timers.
//! `[tcp_ack]`

use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::rx::recovery::AckNews;
use crate::rx::validate::updates_window;
use crate::segment::Segment;
use crate::sink::{Cx, Sink};
use crate::sock::{Ca, Pending};
use crate::table::slab::SockId;

/// How the segment came here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckInput {
    /// Header prediction took it.
    pub(crate) fast: bool,
    /// A too old ACK is challenged here.
    pub(crate) challenge: bool,
    /// Its timestamp may become the one we echo.
    pub(crate) update_ts_recent: bool,
}

/// What `tcp_ack` says of an ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AckVerdict {
    /// Acceptable.
    Good,
    /// Of something acknowledged before; harmless.
    Old,
    /// So old that it is suspicious.
    TooOld,
    /// Of something never sent.
    Unsent,
}

impl Kernel {
    pub(crate) fn tcp_ack(
        &mut self,
        id: SockId,
        seg: &Segment,
        input: AckInput,
        cx: &mut Cx<'_, impl Sink>,
    ) -> AckVerdict {
        let sk = &self.socks[id];
        let prior_una = sk.snd_una;
        if seg.ack.before(prior_una) {
            let limit = if self.behaviour.counts_every_timeout {
                u64::from(sk.max_window).min(sk.bytes_acked) as u32
            } else {
                sk.max_window
            };
            if seg.ack.before(prior_una - limit) {
                if input.challenge || !self.behaviour.unacceptable_ack_drops_segment {
                    self.send_challenge_ack(id, seg, cx);
                }
                return AckVerdict::TooOld;
            }
            let mut news = AckNews { old: true, ..AckNews::default() };
            if seg.options.sack_count > 0 {
                self.take_sacks(id, seg, &mut news, cx);
                // What its blocks report is marked, but Linux counts it as delivered on newer
                // ACKs only.
                news.delivered = 0;
                self.react_to_ack(id, &mut news, cx);
                self.counters.add(Mib::TCPDelivered, u64::from(news.delivered));
                self.retransmit_after_ack(id, &news, cx);
            }
            return AckVerdict::Old;
        }
        if seg.ack.after(sk.snd_nxt) {
            return AckVerdict::Unsent;
        }
        let mut news = AckNews { advanced: seg.ack.after(prior_una), ..AckNews::default() };
        if news.advanced {
            self.socks[id].retransmits = 0;
        }
        if input.update_ts_recent {
            self.replace_ts_recent(id, seg, cx);
        }
        self.take_ack_number(id, seg, input.fast, &mut news, cx);
        let now = self.clock.jiffies(cx.now);
        let sk = &mut self.socks[id];
        sk.probes_out = 0;
        sk.err_soft = None;
        sk.rcv_tstamp = now.stamp();
        let (prior_packets, prior_lost) = (sk.packets_out, sk.lost);
        if prior_packets == 0 {
            self.counters.add(Mib::TCPDelivered, u64::from(news.delivered));
            self.ack_probe(id, cx);
            self.process_tlp_ack(id, seg.ack, &news);
            return AckVerdict::Good;
        }
        self.clean_rtx_queue(id, &mut news, cx);
        self.process_tlp_ack(id, seg.ack, &news);
        self.react_to_ack(id, &mut news, cx);
        // [tcp_cong_control]
        if self.socks[id].ca == Ca::Recovery {
            let lost = self.socks[id].lost.wrapping_sub(prior_lost);
            self.reduce_cwnd(id, news.delivered, lost, news.advanced);
        } else if news.acked {
            self.grow_cwnd(id, news.delivered);
        }
        if news.set_xmit_timer && !self.schedule_loss_probe(id, true, cx) {
            self.rearm_rto(id, cx);
        }
        self.retransmit_after_ack(id, &news, cx);
        AckVerdict::Good
    }

    /// Takes over the acknowledgement number and the window.
    fn take_ack_number(
        &mut self,
        id: SockId,
        seg: &Segment,
        fast: bool,
        news: &mut AckNews,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        if fast && news.advanced {
            self.socks[id].snd_wl1 = seg.seq;
            news.window_update = true;
            self.counters.inc(Mib::TCPHPAcks);
        } else {
            if seg.seq == seg.end_seq() {
                self.counters.inc(Mib::TCPPureAcks);
            } else {
                news.data = true;
            }
            news.window_update |= self.update_window(id, seg);
            if seg.options.sack_count > 0 {
                self.take_sacks(id, seg, news, cx);
            }
        }
        let sk = &mut self.socks[id];
        sk.bytes_acked += u64::from(seg.ack - sk.snd_una);
        sk.snd_una = seg.ack;
    }

    /// `[tcp_ack_update_window]`
    fn update_window(&mut self, id: SockId, seg: &Segment) -> bool {
        let sk = &mut self.socks[id];
        if !updates_window(sk, seg, &self.behaviour) {
            return false;
        }
        let shift = if seg.flags.syn() { 0 } else { sk.snd_wscale };
        let win = u32::from(seg.win) << shift;
        sk.snd_wl1 = seg.seq;
        if sk.snd_wnd != win {
            sk.snd_wnd = win;
            sk.pred_win = None;
            self.fast_path_check(id);
            let sk = &mut self.socks[id];
            if win > sk.max_window {
                sk.max_window = win;
                self.sync_mss(id);
            }
        }
        true
    }

    /// The segment's timestamp becomes the one we echo, if the segment is not out of order.
    /// `[tcp_replace_ts_recent]` (RFC 7323 §4.3)
    pub(crate) fn replace_ts_recent(
        &mut self,
        id: SockId,
        seg: &Segment,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let seconds = self.clock.seconds(cx.now).max(1) as u32;
        let sk = &mut self.socks[id];
        if sk.saw_tstamp && !seg.seq.after(sk.rcv_wup) {
            // A pure ACK that only just passed PAWS does not turn the clock back.
            let older = (sk.rcv_tsval.wrapping_sub(sk.ts_recent) as i32) < 0;
            if !older || sk.ts_recent == 0 {
                sk.ts_recent = sk.rcv_tsval;
                sk.ts_recent_stamp = seconds;
            }
        }
    }

    /// Frees what is acknowledged, and learns from when it was sent.
    /// `[tcp_clean_rtx_queue]`
    fn clean_rtx_queue(&mut self, id: SockId, news: &mut AckNews, cx: &mut Cx<'_, impl Sink>) {
        let now_us = self.clock.micros(cx.now);
        let mut first_us = None;
        let mut acked_segments = 0;
        while let Some(head) = self.socks[id].rtx.head() {
            let piece = self.skbs[head];
            let sk = &self.socks[id];
            let whole = !piece.end_seq.after(sk.snd_una);
            if !whole && (piece.segments() == 1 || !sk.snd_una.after(piece.seq)) {
                break;
            }
            let before = piece.segments();
            if !whole {
                self.trim_head(id, head);
            }
            let acked = if whole { before } else { before - self.skbs[head].segments() };
            if acked == 0 {
                break; // [tcp_tso_acked]: not one whole segment
            }
            if piece.marks.retrans || piece.marks.ever_retrans {
                // Which of the copies is acknowledged? Only the timestamp can tell.
                news.retrans_acked = true;
            } else if !piece.marks.sacked {
                first_us = first_us.or(Some(piece.sent_us));
                news.orig_acked |= !piece.end_seq.after(self.socks[id].high_seq);
            }
            if !piece.marks.sacked {
                news.delivered += acked;
                if !self.sent_again_in_vain(id, &piece) {
                    self.rack_advance(id, &piece, now_us);
                }
            }
            news.acked |= acked > 0;
            acked_segments += acked;
            news.syn_acked |= piece.flags.syn();
            if !whole {
                break;
            }
            let sk = &mut self.socks[id];
            sk.packets_out -= before;
            sk.retrans_out -= if piece.marks.retrans { before } else { 0 };
            sk.lost_out -= if piece.marks.lost { before } else { 0 };
            if piece.marks.sacked {
                sk.sacked_out -= before;
            }
            if piece.flags.syn() {
                sk.retrans_stamp = 0;
            }
            sk.rtx.pop(&self.skbs);
            self.skbs.remove(head);
        }
        self.socks[id].forget_leaks();
        if !self.socks[id].sack_ok {
            // Those that duplicate ACKs stood for were delivered before. [tcp_remove_reno_sacks]
            let before = self.socks[id].sacked_out.min(acked_segments.saturating_sub(1));
            news.delivered = news.delivered.saturating_sub(before);
            // And where a retransmission is acknowledged, nobody knows whether the rest would have
            // come without it.
            news.orig_acked &= !news.retrans_acked;
        }
        self.counters.add(Mib::TCPDelivered, u64::from(news.delivered));
        let seq_rtt = first_us.filter(|_| !news.retrans_acked).map(|us| now_us - us);
        let sampled = self.update_rtt(id, news.acked, seq_rtt.or(news.sack_rtt_us), cx.now);
        news.set_xmit_timer |= news.acked;
        if !self.socks[id].sack_ok && news.acked {
            self.remove_reno_sacks(id, acked_segments);
        }
        if !news.acked
            && let (true, Some(sack_rtt)) = (sampled, news.sack_rtt_us)
            && let Some(head) = self.socks[id].rtx.head()
            && sack_rtt > now_us.saturating_sub(self.skbs[head].sent_us)
        {
            news.set_xmit_timer = true;
        }
    }

    /// Without SACK each duplicate ACK stood for one segment behind the hole: what is acknowledged
    /// now takes those along, but for the one that filled the hole.
    /// `[tcp_remove_reno_sacks]`
    fn remove_reno_sacks(&mut self, id: SockId, acked: u32) {
        let sk = &mut self.socks[id];
        sk.sacked_out = sk.sacked_out.saturating_sub(acked.saturating_sub(1));
        self.check_reno_reordering(id, acked);
    }

    /// Slow start, and a crude additive increase beyond it. `[tcp_slow_start]`
    fn grow_cwnd(&mut self, id: SockId, acked: u32) {
        let sk = &mut self.socks[id];
        // [tcp_is_cwnd_limited]
        let starting = sk.snd_cwnd < sk.snd_ssthresh;
        let in_use = sk.cwnd_limited || (starting && sk.snd_cwnd < 2 * sk.max_packets_out);
        if !in_use {
            return;
        }
        if sk.snd_cwnd < sk.snd_ssthresh {
            sk.snd_cwnd += acked;
        } else {
            sk.snd_cwnd_cnt += acked;
            if sk.snd_cwnd_cnt >= sk.snd_cwnd {
                sk.snd_cwnd_cnt = 0;
                sk.snd_cwnd += 1;
            }
        }
    }

    /// Nothing was out: does the window let the waiting go, or is it probed further?
    /// `[tcp_ack_probe]`
    fn ack_probe(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let Some(head) = self.socks[id].unsent.head() else { return };
        let sk = &mut self.socks[id];
        if !self.skbs[head].end_seq.after(sk.wnd_end()) {
            sk.backoff = 0;
            sk.stop_probing();
            if sk.pending == Pending::Probe {
                self.clear_xmit_timer(id);
            }
        } else {
            let when = self.clamp_probe(id, self.probe_when(id), cx.now);
            self.reset_xmit_timer(id, Pending::Probe, when, cx.now);
        }
    }

    /// Does the ACK say what became of a tail loss probe? `[tcp_process_tlp_ack]`
    fn process_tlp_ack(&mut self, id: SockId, ack: crate::seq::Seq, news: &AckNews) {
        let sk = &mut self.socks[id];
        let Some(high) = sk.tlp_high_seq else { return };
        if ack.before(high) {
            return;
        }
        let pure_dup = !news.advanced && !news.not_dup() && news.sacked == 0;
        if !sk.tlp_retrans || news.dsack_tlp {
            sk.tlp_high_seq = None;
        } else if ack.after(high) {
            sk.tlp_high_seq = None;
            self.counters.inc(Mib::TCPLossProbeRecovery);
        } else if pure_dup {
            sk.tlp_high_seq = None;
        }
    }
}
