//! What a bucket does with a segment. `[tcp_timewait_state_process]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::rx::validate::paws_fails;
use crate::segment::{Flags, Options, Segment, Timestamp};
use crate::seq::{Seq, in_window};
use crate::sink::{BucketEnd, Cx, DropReason, Note, Sink};
use crate::state::TcpState;
use crate::table::slab::{Id as _, TwId};
use crate::time::Jiffies;
use crate::timewait::TimeWait;

/// What a bucket does; the kernel's `enum tcp_tw_status` with its reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TwVerdict {
    /// Nothing, silently. `[TCP_TW_SUCCESS]`
    Drop,
    /// Nothing, but the 60 s begin anew and the timestamp is taken.
    Restart,
    /// With tcp_rfc1337 a RST only leaves its timestamp (and on 3.10 restarts the 60 s).
    IgnoreRst {
        /// Do the 60 s begin anew?
        restart: bool,
    },
    /// It goes, silently: TIME_WAIT assassination, or a reset FIN_WAIT2.
    Bury,
    /// Out of window or PAWS: an ACK, limited. `[TCP_TW_ACK_OOW]`
    AckLimited {
        /// Does the 60 s begin anew?
        restart: bool,
        /// Did PAWS refuse it?
        paws: bool,
    },
    /// An old timestamp on a RST in TIME_WAIT: only counted.
    PawsRst,
    /// The peer's FIN: from FIN_WAIT2 to TIME_WAIT, with an ACK. `[TCP_TW_ACK]`
    TakeFin,
    /// RST, and it goes: a SYN. `[TCP_TW_RST]`
    ResetSyn,
    /// RST, and it goes: data after close. `[TCP_TW_RST]`
    ResetData,
    /// A new connection may begin with this initial sequence number. `[TCP_TW_SYN]`
    Reopen {
        /// `[tw_isn]`
        isn: Seq,
    },
}

/// Decides; changes nothing. `now_s` is kernel time in seconds, `rfc1337` the sysctl.
pub(crate) fn judge(
    tw: &TimeWait,
    seg: &Segment,
    now_s: u64,
    rfc1337: bool,
    rst_restarts: bool,
) -> TwVerdict {
    let end = seg.end_seq();
    let ts = seg.options.ts.filter(|_| tw.ts_recent_stamp != 0);
    let stale_for_rst = seg.flags.rst() && now_s >= u64::from(tw.ts_recent_stamp) + 60;
    let paws = !stale_for_rst
        && ts.is_some_and(|t| paws_fails(tw.ts_recent, tw.ts_recent_stamp, t.val, now_s, 0));
    if tw.substate == TcpState::FinWait2 {
        return judge_fin_wait2(tw, seg, paws);
    }
    if !paws && seg.seq == tw.rcv_nxt && (seg.seq == end || seg.flags.rst()) {
        return match (seg.flags.rst(), rfc1337) {
            (true, false) => TwVerdict::Bury,
            (true, true) => TwVerdict::IgnoreRst { restart: rst_restarts },
            (false, _) => TwVerdict::Restart,
        };
    }
    let only_syn = seg.flags.syn() && !seg.flags.rst() && !seg.flags.ack();
    let newer = ts.is_some_and(|t| (tw.ts_recent.wrapping_sub(t.val) as i32) < 0);
    if only_syn && !paws && (seg.seq.after(tw.rcv_nxt) || newer) {
        let isn = tw.snd_nxt + 65537;
        return TwVerdict::Reopen { isn: if isn == Seq(0) { Seq(1) } else { isn } };
    }
    if seg.flags.rst() {
        return if paws { TwVerdict::PawsRst } else { TwVerdict::Drop };
    }
    TwVerdict::AckLimited { restart: paws || seg.flags.ack(), paws }
}

fn judge_fin_wait2(tw: &TimeWait, seg: &Segment, paws: bool) -> TwVerdict {
    let end = seg.end_seq();
    if paws || !in_window(seg.seq, end, tw.rcv_nxt, tw.rcv_nxt + tw.rcv_wnd) {
        return TwVerdict::AckLimited { restart: false, paws: false };
    }
    if seg.flags.rst() {
        return TwVerdict::Bury;
    }
    if seg.flags.syn() && !seg.seq.before(tw.rcv_nxt) {
        return TwVerdict::ResetSyn;
    }
    if !seg.flags.ack() || !end.after(tw.rcv_nxt) || end == seg.seq {
        return TwVerdict::Drop;
    }
    if !seg.flags.fin() || end != tw.rcv_nxt + 1 {
        return TwVerdict::ResetData;
    }
    TwVerdict::TakeFin
}

impl Kernel {
    pub(crate) fn rx_bucket(&mut self, tw: TwId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let now_s = self.clock.seconds(cx.now);
        let rfc1337 = self.sysctl.tcp_rfc1337 != 0;
        let rst_restarts = !self.behaviour.rfc1337_leaves_timer;
        match judge(&self.buckets[tw], seg, now_s, rfc1337, rst_restarts) {
            TwVerdict::Drop => self.drop_segment(seg, DropReason::NotSpecified, cx),
            TwVerdict::Restart => {
                self.take_bucket_timestamp(tw, seg, now_s);
                self.restart_bucket(tw, cx);
            }
            TwVerdict::IgnoreRst { restart } => {
                self.take_bucket_timestamp(tw, seg, now_s);
                if restart {
                    self.restart_bucket(tw, cx);
                } else {
                    self.drop_segment(seg, DropReason::NotSpecified, cx);
                }
            }
            TwVerdict::Bury => self.bury(tw, BucketEnd::Reset, cx),
            TwVerdict::AckLimited { restart, paws } => {
                if paws {
                    self.count_bucket_paws(seg, cx);
                }
                if restart {
                    self.restart_bucket(tw, cx);
                }
                self.bucket_ack_limited(tw, seg, cx);
            }
            TwVerdict::PawsRst => self.count_bucket_paws(seg, cx),
            TwVerdict::TakeFin => self.bucket_takes_fin(tw, seg, now_s, cx),
            TwVerdict::ResetSyn => self.bucket_resets(tw, seg, Cause::RstTwSyn, cx),
            TwVerdict::ResetData => self.bucket_resets(tw, seg, Cause::RstTwData, cx),
            TwVerdict::Reopen { isn } => self.reopen(tw, seg, isn, cx),
        }
    }

    fn take_bucket_timestamp(&mut self, tw: TwId, seg: &Segment, now_s: u64) {
        let bucket = &mut self.buckets[tw];
        if let Some(ts) = seg.options.ts.filter(|_| bucket.ts_recent_stamp != 0) {
            bucket.ts_recent = ts.val;
            bucket.ts_recent_stamp = now_s.max(1) as u32;
        }
    }

    /// TIME_WAIT begins anew. `[inet_twsk_reschedule]`
    fn restart_bucket(&mut self, tw: TwId, cx: &mut Cx<'_, impl Sink>) {
        let now = self.clock.jiffies(cx.now);
        self.deathrow.schedule(&mut self.buckets, tw.index(), now, self.clock.from_secs(60));
    }

    fn count_bucket_paws(&mut self, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let own = self.behaviour.paws_on_bucket_has_own_counter;
        self.counters.inc(if own { Mib::PAWSTimewait } else { Mib::PAWSEstab });
        self.drop_segment(seg, DropReason::TcpRfc7323TwPaws, cx);
    }

    fn bucket_takes_fin(
        &mut self,
        tw: TwId,
        seg: &Segment,
        now_s: u64,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.state_counts[TcpState::FinWait2 as usize] -= 1;
        self.state_counts[TcpState::TimeWait as usize] += 1;
        let millis = self.clock.millis(cx.now) as u32;
        let bucket = &mut self.buckets[tw];
        bucket.substate = TcpState::TimeWait;
        bucket.rcv_nxt = seg.end_seq();
        if seg.options.ts.is_some() && bucket.ts_recent_stamp != 0 {
            bucket.entry_ms = millis;
        }
        let (flow, own) = (bucket.flow, Jiffies(u64::from(bucket.timeout)));
        self.take_bucket_timestamp(tw, seg, now_s);
        let now = self.clock.jiffies(cx.now);
        self.deathrow.schedule(&mut self.buckets, tw.index(), now, own);
        cx.sink.note(|| Note::BucketTimeWait { flow });
        self.bucket_ack(tw, Cause::TwAckOfFin, cx);
    }

    fn bucket_resets(&mut self, tw: TwId, seg: &Segment, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        self.send_reset(seg, cause, cx);
        self.bury(tw, BucketEnd::AnsweredReset, cx);
    }

    /// A SYN that may begin a new connection: with a listener it does, else it is answered like
    /// an old one. `[tcp_v4_rcv]`, TCP_TW_SYN
    fn reopen(&mut self, tw: TwId, seg: &Segment, isn: Seq, cx: &mut Cx<'_, impl Sink>) {
        match self.find_listener(seg.flow.daddr, seg.flow.dport) {
            Some(listener) => {
                self.bury(tw, BucketEnd::Reopened, cx);
                self.rx_listen(listener, seg, Some(isn), cx);
            }
            None => self.bucket_ack(tw, Cause::TwAckTimeWait, cx),
        }
    }

    /// `[tcp_timewait_check_oow_rate_limit]`
    fn bucket_ack_limited(&mut self, tw: TwId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let bucket = self.buckets[tw];
        let (skipped, cause) = if bucket.substate == TcpState::FinWait2 {
            (Mib::TCPACKSkippedFinWait2, Cause::TwAckFinWait2)
        } else {
            (Mib::TCPACKSkippedTimeWait, Cause::TwAckTimeWait)
        };
        let mut last = bucket.last_oow;
        let now = self.clock.jiffies(cx.now);
        if !self.oow_limited_segment(seg, &mut last, now, skipped) {
            self.buckets[tw].last_oow = last;
            self.bucket_ack(tw, cause, cx);
        }
    }

    /// `[tcp_v4_timewait_ack]`
    fn bucket_ack(&mut self, tw: TwId, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        let bucket = self.buckets[tw];
        let mut options = Options::default();
        if bucket.ts_recent != 0 {
            let val = self.timestamp(bucket.ts_offset, cx.now);
            options.ts = Some(Timestamp { val, ecr: bucket.ts_recent });
        }
        let ack = Segment {
            flow: bucket.flow,
            seq: bucket.snd_nxt,
            ack: bucket.rcv_nxt,
            len: 0,
            win: (bucket.rcv_wnd >> bucket.rcv_wscale) as u16,
            flags: Flags::ACK,
            options,
        };
        self.counters.inc(Mib::OutSegs);
        self.emit(&ack, cause, cx);
    }
}

#[cfg(test)]
mod tests;
