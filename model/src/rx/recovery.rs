//! What was lost: SACK blocks, RACK, duplicate ACKs; and sending it again.
//! `[tcp_sacktag_write_queue]`, `[tcp_fastretrans_alert]`, `[tcp_rack_mark_lost]`

use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::{SackBlock, Segment};
use crate::sink::{Cx, Sink};
use crate::skb::{self, Skb};
use crate::sock::{Ca, Pending};
use crate::table::slab::{SkbId, SockId};
use crate::time::Jiffies;
use crate::tx::Nagle;

/// `tcp_reordering` of a connection grows no further (the default of `net.ipv4.tcp_max_reordering`;
/// 3.10: a constant of 127, never reached without SACK and so many segments).
const MAX_REORDERING: u32 = 300;

/// What an ACK brought. `[tcp_ack]`'s flags
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct AckNews {
    pub(crate) advanced: bool,
    pub(crate) window_update: bool,
    pub(crate) data: bool,
    pub(crate) acked: bool,
    pub(crate) syn_acked: bool,
    pub(crate) retrans_acked: bool,
    pub(crate) dsack: bool,
    pub(crate) dsack_tlp: bool,
    /// Segments newly SACKed.
    pub(crate) sacked: u32,
    pub(crate) sack_rtt_us: Option<u64>,
    /// Segments newly acknowledged, SACKed ones included once.
    pub(crate) delivered: u32,
    pub(crate) set_xmit_timer: bool,
    /// The ACK is older than one before it.
    pub(crate) old: bool,
    /// Something arrived that was out at the timeout and was never sent again.
    /// `[FLAG_ORIG_SACK_ACKED]`
    pub(crate) orig_acked: bool,
    /// A retransmission was lost, too. `[FLAG_LOST_RETRANS]`
    pub(crate) lost_retrans: bool,
    pub(crate) rexmit: Rexmit,
}

/// What is to be sent because of an ACK. `[REXMIT_*]`
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Rexmit {
    #[default]
    No,
    /// What is lost.
    Lost,
    /// New data, to see whether the timeout was a mistake.
    New,
}

impl AckNews {
    /// Is it certainly no duplicate ACK? `[FLAG_NOT_DUP]`
    pub(crate) const fn not_dup(&self) -> bool {
        self.data || self.window_update || self.acked
    }
}

impl Kernel {
    /// Marks what the blocks cover. `[tcp_sacktag_write_queue]`
    pub(crate) fn take_sacks(
        &mut self,
        id: SockId,
        seg: &Segment,
        news: &mut AckNews,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        if !self.socks[id].sack_ok {
            return;
        }
        let blocks = seg.options.sack_blocks();
        self.take_dsack(id, seg, news);
        let skip = usize::from(news.dsack);
        let now_us = self.clock.micros(cx.now);
        for block in &blocks[skip.min(blocks.len())..] {
            let sk = &self.socks[id];
            let sane = block.left.before(block.right)
                && !block.right.after(sk.snd_nxt)
                && block.left.after(seg.ack);
            if sane {
                self.mark_sacked(id, *block, now_us, news);
            }
        }
    }

    /// Does the first block report a duplicate? `[tcp_check_dsack]`
    fn take_dsack(&mut self, id: SockId, seg: &Segment, news: &mut AckNews) {
        let blocks = seg.options.sack_blocks();
        let Some(first) = blocks.first() else { return };
        if first.left.before(seg.ack) {
            self.counters.inc(Mib::TCPDSACKRecv);
        } else if blocks.len() > 1
            && !first.right.after(blocks[1].right)
            && !first.left.before(blocks[1].left)
        {
            self.counters.inc(Mib::TCPDSACKOfoRecv);
        } else {
            return;
        }
        news.dsack = true;
        // A repetition that arrived for nothing was delivered all the same. [tcp_dsack_seen]
        let sk = &mut self.socks[id];
        let len = first.right - first.left;
        if !first.left.before(first.right) || len > sk.max_window {
            return;
        }
        let mss = u32::from(sk.mss_cache).max(1);
        let copies = len.div_ceil(mss);
        if copies == 1 {
            news.dsack_tlp = sk.tlp_high_seq == Some(first.right);
        }
        sk.rare_mut().dsack_dups += copies;
        if sk.rare().dsack_dups <= sk.total_retrans {
            news.delivered += copies;
        }
    }

    fn mark_sacked(&mut self, id: SockId, block: SackBlock, now_us: u64, news: &mut AckNews) {
        let mut at = self.socks[id].rtx.head();
        while let Some(skb) = at {
            self.split_at_sack(id, skb, block);
            let piece = self.skbs[skb];
            at = skb::next(&self.skbs, skb);
            let covered = !piece.seq.before(block.left) && !piece.end_seq.after(block.right);
            if !covered || piece.marks.sacked {
                continue;
            }
            let segments = piece.segments();
            if !piece.marks.retrans && !piece.marks.ever_retrans {
                news.orig_acked |= !piece.end_seq.after(self.socks[id].high_seq);
            }
            if !piece.marks.retrans {
                let rtt = now_us - piece.sent_us;
                news.sack_rtt_us = Some(news.sack_rtt_us.map_or(rtt, |r| r.min(rtt)));
            }
            self.rack_advance(id, &piece, now_us);
            let sk = &mut self.socks[id];
            if piece.marks.lost {
                sk.lost_out -= segments;
            }
            if piece.marks.retrans {
                sk.retrans_out -= segments;
            }
            sk.sacked_out += segments;
            news.sacked += segments;
            news.delivered += segments;
            let marks = &mut self.skbs[skb].marks;
            marks.sacked = true;
            marks.lost = false;
            marks.retrans = false;
        }
    }

    /// A burst that a block covers in part is cut at a segment's edge.
    /// `[tcp_match_skb_to_sack]`
    fn split_at_sack(&mut self, id: SockId, skb: SkbId, block: SackBlock) {
        let piece = self.skbs[skb];
        let apart = !block.right.after(piece.seq) || !piece.end_seq.after(block.left);
        let covered = !piece.seq.before(block.left) && !piece.end_seq.after(block.right);
        if apart || covered || piece.segments() < 2 {
            return;
        }
        let unit = u32::from(piece.unit);
        let from_start = !block.left.after(piece.seq);
        let cut = if from_start {
            (block.right - piece.seq) / unit * unit
        } else {
            (block.left - piece.seq).div_ceil(unit).max(1) * unit
        };
        if cut > 0 && cut < piece.len() {
            self.split_sent(id, skb, cut);
        }
    }

    /// Does the echoed timestamp say that an earlier copy arrived than the one sent last? Then when
    /// that one was sent says nothing about the order of things. `[tcp_skb_spurious_retrans]`
    pub(crate) fn sent_again_in_vain(&self, id: SockId, piece: &Skb) -> bool {
        let sk = &self.socks[id];
        let sent_ms = (piece.sent_us / 1000) as u32;
        (piece.marks.retrans || piece.marks.ever_retrans)
            && sk.saw_tstamp
            && sk.rcv_tsecr != 0
            && (sk.rcv_tsecr.wrapping_sub(sent_ms) as i32) < 0
    }

    /// RACK remembers the piece sent last among those delivered. `[tcp_rack_advance]`
    pub(crate) fn rack_advance(&mut self, id: SockId, piece: &Skb, now_us: u64) {
        let sk = &mut self.socks[id];
        let rtt = now_us.saturating_sub(piece.sent_us) as u32;
        if rtt < sk.min_rtt_us && piece.marks.ever_retrans && sk.min_rtt_us != u32::MAX {
            return; // the original's ACK, not the retransmission's
        }
        sk.rack_advanced = true;
        sk.rack_rtt_us = rtt;
        let later = piece.sent_us > sk.rack_us
            || (piece.sent_us == sk.rack_us && piece.end_seq.after(sk.rack_end));
        if later {
            sk.rack_us = piece.sent_us;
            sk.rack_end = piece.end_seq;
        }
    }

    /// What an ACK out of the ordinary calls for. `[tcp_fastretrans_alert]`
    pub(crate) fn react_to_ack(
        &mut self,
        id: SockId,
        news: &mut AckNews,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let sk = &mut self.socks[id];
        let alert = !news.not_dup() || news.sacked > 0 || news.dsack;
        if !alert && sk.ca == Ca::Open {
            return;
        }
        let duplicate = !news.advanced && !news.not_dup() && !news.dsack && !news.old;
        if sk.packets_out == 0 {
            sk.sacked_out = 0;
        }
        if sk.ca == Ca::Open {
            sk.retrans_stamp = 0;
        } else if sk.ca == Ca::Recovery && !sk.snd_una.before(sk.high_seq) {
            if !sk.sack_ok {
                sk.sacked_out = 0; // [tcp_reset_reno_sack]
            }
            if self.recovered(id) {
                return;
            }
            let sk = &mut self.socks[id];
            if sk.undo {
                sk.snd_cwnd = sk.snd_ssthresh; // [tcp_end_cwnd_reduction]
            }
        }
        match self.socks[id].ca {
            Ca::Recovery => {
                if !self.socks[id].sack_ok && !news.advanced && duplicate {
                    self.add_reno_sack(id, news);
                }
                if news.advanced && self.undo_partial(id) {
                    return;
                }
                self.find_lost(id, news, cx);
                if self.socks[id].ca != Ca::Recovery {
                    if self.socks[id].lost_out == 0 {
                        return;
                    }
                    self.enter_recovery(id);
                }
                news.rexmit = Rexmit::Lost;
                return;
            }
            Ca::Loss => {
                self.process_loss(id, news, duplicate);
                self.find_lost(id, news, cx);
                if self.socks[id].ca != Ca::Open && !news.lost_retrans {
                    return;
                }
            }
            Ca::Open | Ca::Disorder => {}
        }
        let sk = &mut self.socks[id];
        if !sk.sack_ok {
            if news.advanced {
                sk.sacked_out = 0;
            }
            if duplicate {
                self.add_reno_sack(id, news);
            }
        }
        self.find_lost(id, news, cx);
        if self.socks[id].lost_out == 0 {
            self.try_to_open(id);
        } else {
            self.enter_recovery(id);
            news.rexmit = Rexmit::Lost;
        }
    }

    /// Without SACK a duplicate ACK stands for a segment that arrived: as many may have left the
    /// network as are not lost. `[tcp_add_reno_sack]`
    pub(crate) fn add_reno_sack(&mut self, id: SockId, news: &mut AckNews) {
        let before = self.socks[id].sacked_out;
        self.socks[id].sacked_out += 1;
        self.check_reno_reordering(id, 0);
        let more = self.socks[id].sacked_out.saturating_sub(before);
        self.counters.add(Mib::TCPDelivered, u64::from(more));
        news.delivered += more;
    }

    /// More duplicate ACKs than segments that can have caused them: so many are out of order.
    /// `[tcp_check_reno_reordering]`, `[tcp_limit_reno_sacked]`
    pub(crate) fn check_reno_reordering(&mut self, id: SockId, acked: u32) {
        let sysctl = self.dupthresh(id);
        let sk = &mut self.socks[id];
        let holes = sk.lost_out.max(1).min(sk.packets_out);
        if sk.sacked_out + holes <= sk.packets_out {
            return;
        }
        sk.sacked_out = sk.packets_out - holes;
        let seen = (sk.packets_out + acked).min(MAX_REORDERING);
        sk.reordering =
            if self.behaviour.dupacks_lower_reordering { seen } else { seen.max(sysctl) };
    }

    /// So many duplicate ACKs or SACKed segments start fast retransmit. `[tcp_sock.reordering]`
    pub(crate) fn dupthresh(&self, id: SockId) -> u32 {
        match self.socks[id].reordering {
            0 => self.sysctl.tcp_reordering.max(1) as u32,
            seen => seen,
        }
    }

    /// Back to normal, or nearly. `[tcp_try_to_open]`
    fn try_to_open(&mut self, id: SockId) {
        let again = self.any_retrans_done(id);
        if !again {
            self.socks[id].retrans_stamp = 0;
        }
        self.try_keep_open(id, again);
    }

    /// `[tcp_try_keep_open]`
    pub(crate) fn try_keep_open(&mut self, id: SockId, again: bool) {
        let sk = &mut self.socks[id];
        let left = sk.sacked_out + sk.lost_out > 0;
        let ca = if left || again { Ca::Disorder } else { Ca::Open };
        if sk.ca != ca {
            sk.ca = ca;
            sk.high_seq = sk.snd_nxt;
        }
    }

    /// Is a retransmission still out, as far as one can tell? `[tcp_any_retrans_done]`
    pub(crate) fn any_retrans_done(&self, id: SockId) -> bool {
        let sk = &self.socks[id];
        sk.retrans_out > 0 || sk.rtx.head().is_some_and(|head| self.skbs[head].marks.ever_retrans)
    }

    /// `[tcp_identify_packet_loss]`
    fn find_lost(&mut self, id: SockId, news: &mut AckNews, cx: &mut Cx<'_, impl Sink>) {
        let sk = &self.socks[id];
        if sk.packets_out == 0 {
            return;
        }
        let threshold = self.dupthresh(id);
        if sk.sack_ok && self.uses_rack() {
            let prior = sk.retrans_out;
            // Its own timer goes before the others.
            news.set_xmit_timer &= !self.rack_detect_loss(id, cx);
            news.lost_retrans |= prior > self.socks[id].retrans_out;
            return;
        }
        // [tcp_newreno_mark_lost]
        let enough = (sk.ca < Ca::Recovery && sk.sacked_out >= threshold)
            || (sk.ca == Ca::Recovery && news.advanced);
        if let Some(head) = sk.rtx.head().filter(|_| enough) {
            let marks = self.skbs[head].marks;
            if !marks.sacked && !marks.lost {
                let unit = u32::from(self.skbs[head].unit);
                if self.skbs[head].segments() > 1 {
                    self.split_sent(id, head, unit);
                }
                self.mark_lost(id, head);
            }
        }
    }

    /// Whatever was sent before the last delivered piece and is overdue is lost; for the rest a
    /// timer is set, which it says. `[tcp_rack_detect_loss]`
    pub(crate) fn rack_detect_loss(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) -> bool {
        let now_us = self.clock.micros(cx.now);
        if !self.socks[id].rack_advanced && self.socks[id].pending != Pending::Reordering {
            return false;
        }
        self.socks[id].rack_advanced = false;
        let sk = &self.socks[id];
        let threshold = self.dupthresh(id);
        let wait = if sk.ca >= Ca::Recovery || sk.sacked_out >= threshold {
            0
        } else {
            (sk.min_rtt_us / 4).min(sk.srtt_us >> 3)
        };
        let mut longest: Option<u64> = None;
        let mut at = sk.rtx.head();
        while let Some(skb) = at {
            let piece = self.skbs[skb];
            at = skb::next(&self.skbs, skb);
            let sk = &self.socks[id];
            let earlier = piece.sent_us < sk.rack_us
                || (piece.sent_us == sk.rack_us && piece.end_seq.before(sk.rack_end));
            if piece.marks.sacked || (piece.marks.lost && !piece.marks.retrans) || !earlier {
                continue;
            }
            let deadline = piece.sent_us + u64::from(sk.rack_rtt_us) + u64::from(wait);
            if deadline <= now_us {
                self.mark_lost(id, skb);
            } else {
                longest = longest.max(Some(deadline - now_us));
            }
        }
        if let Some(us) = longest {
            let when = self.clock.from_micros(us + 2_000);
            self.reset_xmit_timer(id, Pending::Reordering, when.max(Jiffies(1)), cx.now);
        }
        longest.is_some()
    }

    /// `[tcp_enter_recovery]`
    pub(crate) fn enter_recovery(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        self.counters.inc(if sk.sack_ok { Mib::TCPSackRecovery } else { Mib::TCPRenoRecovery });
        // [tcp_init_undo], [tcp_init_cwnd_reduction]
        sk.undo = true;
        let (cwnd, ssthresh) = (sk.snd_cwnd, sk.snd_ssthresh);
        let rare = sk.rare_mut();
        rare.prior_ssthresh = ssthresh.max((cwnd >> 1) + (cwnd >> 2));
        rare.prior_cwnd = cwnd;
        rare.prr_delivered = 0;
        rare.prr_out = 0;
        sk.snd_cwnd_cnt = 0;
        sk.snd_ssthresh = (sk.snd_cwnd / 2).max(2);
        sk.ca = Ca::Recovery;
        sk.high_seq = sk.snd_nxt;
        sk.tlp_high_seq = None;
    }

    /// In recovery the congestion window follows what arrives, down to half of what it was.
    /// `[tcp_cwnd_reduction]` (RFC 6937, Proportional Rate Reduction)
    pub(crate) fn reduce_cwnd(&mut self, id: SockId, delivered: u32, lost: u32, advanced: bool) {
        if delivered == 0 {
            return;
        }
        let sk = &mut self.socks[id];
        sk.rare_mut().prr_delivered += delivered;
        let (goal, flight) = (i64::from(sk.snd_ssthresh), i64::from(sk.in_flight()));
        let (arrived, out) = (i64::from(sk.rare().prr_delivered), i64::from(sk.rare().prr_out));
        let send = if goal < flight {
            let prior = i64::from(sk.rare().prior_cwnd.max(1));
            (goal * arrived + prior - 1) / prior - out
        } else {
            let more =
                if self.behaviour.prr_slows_after_loss { advanced && lost == 0 } else { true };
            ((arrived - out).max(delivered.into()) + i64::from(more)).min(goal - flight)
        };
        // The first is sent again at once.
        let send = send.max(i64::from(sk.rare().prr_out == 0));
        sk.snd_cwnd = u32::try_from(flight + send).unwrap_or(0);
    }

    /// `[tcp_xmit_recovery]`
    pub(crate) fn retransmit_after_ack(
        &mut self,
        id: SockId,
        news: &AckNews,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        if news.rexmit == Rexmit::New {
            self.push_pending(id, Nagle::Off, cx);
            let sk = &mut self.socks[id];
            if sk.snd_nxt.after(sk.high_seq) {
                return;
            }
            sk.frto = false;
        }
        if news.rexmit != Rexmit::No {
            self.retransmit_lost(id, false, cx);
        }
    }
}
