//! After a timeout: was it a mistake? F-RTO (RFC 5682) and Eifel (RFC 3522).
//! `[tcp_process_loss]`

use crate::kernel::Kernel;
use crate::rx::recovery::{AckNews, Rexmit};
use crate::skb;
use crate::sock::Ca;
use crate::state::TcpState;
use crate::table::slab::SockId;

impl Kernel {
    /// An ACK in state Loss. `[tcp_process_loss]`
    pub(crate) fn process_loss(&mut self, id: SockId, news: &mut AckNews, duplicate: bool) {
        let recovered = !self.socks[id].snd_una.before(self.socks[id].high_seq);
        if news.advanced && self.retransmitted_in_vain(id) {
            return self.undo_loss(id, false);
        }
        if self.socks[id].frto {
            // RFC 5682, 3.1 step 3.b: what was never sent again has arrived.
            if news.orig_acked {
                return self.undo_loss(id, true);
            }
            let sk = &mut self.socks[id];
            if sk.snd_nxt.after(sk.high_seq) {
                // Step 3.a: the loss was real.
                if news.sacked > 0 || duplicate {
                    sk.frto = false;
                }
            } else if news.advanced && !recovered {
                // Step 2.b: try new data.
                sk.high_seq = sk.snd_nxt;
                if !sk.unsent.is_empty() && sk.wnd_end().after(sk.snd_nxt) {
                    news.rexmit = Rexmit::New;
                    return;
                }
                sk.frto = false;
            }
        }
        if recovered {
            self.recovered(id);
            return;
        }
        let sk = &mut self.socks[id];
        if !sk.sack_ok {
            if sk.snd_nxt.after(sk.high_seq) && duplicate {
                self.add_reno_sack(id, news);
            } else if news.advanced {
                sk.sacked_out = 0;
            }
        }
        news.rexmit = Rexmit::Lost;
    }

    /// All that was out when the loss was noticed has arrived. True if the state must be held a
    /// little longer: without SACK a duplicate ACK of just this number proves nothing.
    /// `[tcp_try_undo_recovery]`
    pub(crate) fn recovered(&mut self, id: SockId) -> bool {
        if self.retransmitted_in_vain(id) {
            self.restore_cwnd(id);
        }
        let again = self.any_retrans_done(id);
        let sk = &mut self.socks[id];
        if !sk.sack_ok && sk.snd_una == sk.high_seq {
            if !again {
                sk.retrans_stamp = 0;
            }
            return true;
        }
        sk.ca = Ca::Open;
        false
    }

    /// Does the echoed timestamp say that the original arrived, before we sent it again?
    /// Linux forgets when it began with that as soon as a SYN is acknowledged, and after a
    /// simultaneous open takes it for a sign that nothing was sent again.
    /// `[tcp_packet_delayed]` (Eifel, RFC 3522)
    fn retransmitted_in_vain(&self, id: SockId) -> bool {
        let sk = &self.socks[id];
        if sk.retrans_stamp == 0 {
            let held = !sk.sack_ok && !sk.snd_una.before(sk.high_seq);
            let known = self.behaviour.undone_syn_loss_keeps_window;
            return sk.undo && known && !held && sk.state != TcpState::SynSent;
        }
        let before = (sk.rcv_tsecr.wrapping_sub(sk.retrans_stamp) as i32) < 0;
        sk.undo && sk.saw_tstamp && sk.rcv_tsecr != 0 && before
    }

    /// The timeout was a mistake: nothing is lost, and the window is as it was.
    /// `[tcp_try_undo_loss]`
    fn undo_loss(&mut self, id: SockId, frto: bool) {
        self.unmark_lost(id);
        let sk = &mut self.socks[id];
        sk.retransmits = 0;
        if frto || sk.sack_ok {
            sk.ca = Ca::Open;
        }
        self.restore_cwnd(id);
    }

    /// The hole was filled by the delayed original: the recovery was a mistake. True if what was
    /// sent again must be waited for. `[tcp_try_undo_partial]`
    pub(crate) fn undo_partial(&mut self, id: SockId) -> bool {
        if !self.retransmitted_in_vain(id) {
            return false;
        }
        if self.socks[id].retrans_out > 0 {
            return true;
        }
        let again = self.any_retrans_done(id);
        if !again {
            self.socks[id].retrans_stamp = 0;
        }
        self.unmark_lost(id);
        self.restore_cwnd(id);
        self.try_keep_open(id, again);
        false
    }

    fn unmark_lost(&mut self, id: SockId) {
        let mut at = self.socks[id].rtx.head();
        while let Some(skb) = at {
            self.skbs[skb].marks.lost = false;
            at = skb::next(&self.skbs, skb);
        }
        self.socks[id].lost_out = 0;
    }

    /// `[tcp_undo_cwnd_reduction]`
    fn restore_cwnd(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        sk.snd_cwnd = sk.snd_cwnd.max(sk.rare().prior_cwnd);
        sk.snd_ssthresh = sk.snd_ssthresh.max(sk.rare().prior_ssthresh);
        sk.undo = false;
        sk.rack_advanced = true;
    }
}
