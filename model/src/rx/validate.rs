//! Is the segment acceptable: PAWS, sequence, RST, SYN, in this order.
//! `[tcp_validate_incoming]` (RFC 9293 §3.10.7.4, RFC 5961)

use crate::behaviour::Behaviour;
use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::Segment;
use crate::seq::Seq;
use crate::sink::{Cx, DropReason, Sink};
use crate::sock::Sock;
use crate::state::TcpState;
use crate::table::slab::SockId;

/// What becomes of a segment at this gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Go on with its ACK and data.
    Pass,
    /// Its RST counts.
    Reset,
    /// Answer with a challenge ACK, for this RST or SYN.
    ChallengeRst,
    ChallengeSyn,
    /// Answer with a duplicate ACK: an old timestamp, or outside the window (beyond it?).
    DupAckPaws,
    DupAckSeq(DropReason),
    /// Say nothing.
    SilentPaws,
    Silent(DropReason),
}

/// Decides; changes nothing.
pub(crate) fn judge(
    sk: &Sock,
    seg: &Segment,
    now_s: u64,
    replay_ms: u32,
    kernel: &Behaviour,
) -> Verdict {
    if let Some(paws) = paws_verdict(sk, seg, now_s, replay_ms, kernel) {
        return paws;
    }
    if let Err(reason) = sequence(sk, seg, kernel) {
        if seg.flags.rst() {
            return if fin_less_rst(sk, seg, kernel) {
                Verdict::Reset
            } else {
                Verdict::Silent(reason)
            };
        }
        return if seg.flags.syn() { Verdict::ChallengeSyn } else { Verdict::DupAckSeq(reason) };
    }
    if seg.flags.rst() {
        let sacked_edge = kernel.accepts_rst_at_sack_edge
            && sk.sack_ok
            && highest_sack(sk).is_some_and(|edge| edge == seg.seq);
        let valid = seg.seq == sk.rcv_nxt || fin_less_rst(sk, seg, kernel) || sacked_edge;
        return if valid { Verdict::Reset } else { Verdict::ChallengeRst };
    }
    if seg.flags.syn() {
        // A simultaneous open's SYN-ACK repeats the SYN that we have.
        let repeats = kernel.accepts_rst_before_fin
            && sk.state == TcpState::SynRecv
            && sk.has_file
            && seg.flags.ack()
            && seg.seq + 1 == seg.end_seq()
            && seg.seq + 1 == sk.rcv_nxt
            && seg.ack == sk.snd_nxt;
        return if repeats { Verdict::Pass } else { Verdict::ChallengeSyn };
    }
    Verdict::Pass
}

/// Is the timestamp older than the one we hold, and ours not stale? `[tcp_paws_check]`
pub(crate) fn paws_fails(
    recent: u32,
    stamp_s: u32,
    tsval: u32,
    now_s: u64,
    tolerance: i32,
) -> bool {
    const STALE_S: u64 = 24 * 24 * 3600;
    (recent.wrapping_sub(tsval) as i32) > tolerance
        && recent != 0
        && now_s < u64::from(stamp_s) + STALE_S
}

fn paws_verdict(
    sk: &Sock,
    seg: &Segment,
    now_s: u64,
    replay_ms: u32,
    kernel: &Behaviour,
) -> Option<Verdict> {
    if !sk.saw_tstamp
        || seg.flags.rst()
        || !paws_fails(sk.ts_recent, sk.ts_recent_stamp, sk.rcv_tsval, now_s, 1)
    {
        return None;
    }
    let pure_ack = seg.flags.ack() && seg.seq == seg.end_seq();
    if pure_ack && seg.seq == sk.rcv_nxt {
        // A disordered duplicate ACK does no harm. [tcp_disordered_ack]
        let age = sk.ts_recent.wrapping_sub(sk.rcv_tsval) as i32;
        let harmless =
            seg.ack == sk.snd_una && !updates_window(sk, seg, kernel) && age <= replay_ms as i32;
        if harmless {
            return None;
        }
    }
    if seg.flags.syn() && kernel.silences_old_paws_acks {
        return Some(Verdict::ChallengeSyn);
    }
    if kernel.silences_old_paws_acks && pure_ack && seg.seq.before(sk.rcv_nxt) {
        return Some(Verdict::SilentPaws);
    }
    Some(Verdict::DupAckPaws)
}

/// Is it within the window? `[tcp_sequence]`
fn sequence(sk: &Sock, seg: &Segment, kernel: &Behaviour) -> Result<(), DropReason> {
    let end = seg.end_seq();
    let edge = sk.rcv_nxt + sk.receive_window();
    if end.before(sk.rcv_wup) {
        return Err(DropReason::TcpOldSequence);
    }
    if seg.seq.after(edge) {
        return Err(DropReason::TcpInvalidSequence);
    }
    let only_fin_beyond = seg.flags.fin() && end - 1 == edge;
    if kernel.refuses_segment_beyond_window
        && end.after(edge)
        && !only_fin_beyond
        && !sk.receive_queue_empty()
    {
        return Err(DropReason::TcpInvalidEndSequence);
    }
    Ok(())
}

/// A RST of a peer that forgot to count its own FIN. `[tcp_reset_check]`
fn fin_less_rst(sk: &Sock, seg: &Segment, kernel: &Behaviour) -> bool {
    kernel.accepts_rst_before_fin
        && seg.seq == sk.rcv_nxt - 1
        && matches!(sk.state, TcpState::CloseWait | TcpState::LastAck | TcpState::Closing)
}

fn highest_sack(sk: &Sock) -> Option<Seq> {
    sk.ofo.as_ref()?.sacks.iter().map(|b| b.right).reduce(Seq::later)
}

/// Would the segment's window be taken? `[tcp_may_update_window]`
pub(crate) fn updates_window(sk: &Sock, seg: &Segment, kernel: &Behaviour) -> bool {
    let win = u32::from(seg.win) << sk.snd_wscale;
    seg.ack.after(sk.snd_una)
        || seg.seq.after(sk.snd_wl1)
        || (seg.seq == sk.snd_wl1
            && (win > sk.snd_wnd || (win == 0 && kernel.refuses_segment_beyond_window)))
}

impl Kernel {
    /// How much older than the last one a timestamp may be that the network has delayed.
    /// `[tcp_tsval_replay]`
    fn replay_ms(&self, sk: &Sock) -> u32 {
        let rto_ms = self.clock.to_micros(crate::time::Jiffies(u64::from(sk.rto))) / 1000;
        let replay = if self.behaviour.silences_old_paws_acks { rto_ms * 12 / 10 } else { rto_ms };
        replay as u32
    }

    /// Judges and acts; true if the segment goes on. `syn_is_error`: an established socket
    /// counts a SYN in InErrs.
    pub(crate) fn validate(
        &mut self,
        id: SockId,
        seg: &Segment,
        syn_is_error: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> bool {
        let now = self.clock.jiffies(cx.now);
        let sk = &self.socks[id];
        // What time it is and how late a segment may be only matters to one that is old.
        let old = (sk.ts_recent.wrapping_sub(sk.rcv_tsval) as i32) > 1;
        let (seconds, replay_ms) =
            if old { (self.clock.seconds(cx.now), self.replay_ms(sk)) } else { (0, 0) };
        let verdict = judge(sk, seg, seconds, replay_ms, &self.behaviour);
        let mut last = sk.last_oow;
        match verdict {
            Verdict::Pass => return true,
            Verdict::Reset => self.tcp_reset(id, seg, cx),
            Verdict::ChallengeRst => {
                self.send_challenge_ack(id, seg, cx);
                self.drop_segment(seg, DropReason::TcpReset, cx);
            }
            Verdict::ChallengeSyn => {
                if syn_is_error {
                    self.counters.inc(Mib::InErrs);
                }
                self.counters.inc(Mib::TCPSYNChallenge);
                self.send_challenge_ack(id, seg, cx);
                self.drop_segment(seg, DropReason::TcpInvalidSyn, cx);
            }
            Verdict::DupAckPaws => {
                self.counters.inc(Mib::PAWSEstab);
                if !self.oow_limited_segment(seg, &mut last, now, Mib::TCPACKSkippedPAWS) {
                    self.socks[id].last_oow = last;
                    self.send_dupack(id, seg, Cause::AckPaws, cx);
                }
                self.drop_segment(seg, DropReason::TcpRfc7323Paws, cx);
            }
            Verdict::DupAckSeq(reason) => {
                let beyond = reason != DropReason::TcpOldSequence;
                if beyond && self.behaviour.refuses_segment_beyond_window {
                    self.counters.inc(Mib::BeyondWindow);
                }
                if !self.oow_limited_segment(seg, &mut last, now, Mib::TCPACKSkippedSeq) {
                    self.socks[id].last_oow = last;
                    self.send_dupack(id, seg, Cause::AckOutOfWindow, cx);
                }
                self.drop_segment(seg, reason, cx);
            }
            Verdict::SilentPaws => {
                self.counters.inc(Mib::PAWSOldAck);
                self.drop_segment(seg, DropReason::TcpRfc7323PawsAck, cx);
            }
            Verdict::Silent(reason) => self.drop_segment(seg, reason, cx),
        }
        false
    }
}

#[cfg(test)]
mod tests;
