//! ACKs: at once, later, as a challenge, and the limits on them.

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::{Flags, Segment};
use crate::seq::Seq;
use crate::sink::{Cx, Sink};
use crate::skb::Skb;
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::{Instant, Jiffies};
use crate::timer::Kind;

impl Kernel {
    /// A pure ACK now. `[tcp_send_ack]`
    pub(crate) fn send_ack(&mut self, id: SockId, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        if self.socks[id].state == TcpState::Close {
            return;
        }
        let seq = self.acceptable_seq(id);
        self.transmit(id, &Skb::new(seq, 0, Flags::ACK), cause, cx);
    }

    /// The sequence number for a segment without content: snd_nxt, unless the peer shrank its
    /// window below it. `[tcp_acceptable_seq]`
    pub(crate) fn acceptable_seq(&self, id: SockId) -> Seq {
        let sk = &self.socks[id];
        let edge = sk.wnd_end();
        let slack = self.behaviour.rst_seq_allows_scale_slack
            && sk.wscale_ok
            && sk.snd_nxt - edge < 1 << sk.rcv_wscale;
        if !edge.before(sk.snd_nxt) || slack { sk.snd_nxt } else { edge }
    }

    /// After a segment was taken in: ACK now, or later, or not at all. `[__tcp_ack_snd_check]`
    pub(crate) fn ack_check(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        if !self.socks[id].ack.scheduled {
            return;
        }
        let sk = &self.socks[id];
        let filled = sk.rcv_nxt - sk.rcv_wup > u32::from(sk.ack.rcv_mss);
        let drained = sk.rcv_nxt - sk.copied_seq < sk.rare().opt.rcv_lowat;
        let (quick, now) = (self.in_quickack_mode(id), sk.ack.now);
        let cause = if filled && (drained || self.window_to_offer(id) >= self.socks[id].rcv_wnd) {
            Cause::AckSecond
        } else if now {
            Cause::AckOfFin
        } else if quick {
            Cause::AckQuick
        } else if !self.socks[id].ofo_pieces().is_empty() {
            Cause::AckOutOfOrder
        } else {
            return self.send_delayed_ack(id, cx);
        };
        let cause = match self.socks[id].ack.why.take() {
            Some(why) => why,
            None if !self.socks[id].ofo_pieces().is_empty() => Cause::AckOutOfOrder,
            None => cause,
        };
        self.send_ack(id, cause, cx);
    }

    /// May ACKs go at once? `[tcp_in_quickack_mode]`
    pub(crate) fn in_quickack_mode(&self, id: SockId) -> bool {
        self.socks[id].ack.quick > 0 && !self.in_pingpong_mode(id)
    }
    /// Is the connection interactive? `[inet_csk_in_pingpong_mode]`
    pub(crate) fn in_pingpong_mode(&self, id: SockId) -> bool {
        i64::from(self.socks[id].ack.pingpong) >= self.sysctl.tcp_pingpong_thresh.max(1)
    }
    /// Credit for `max` quick ACKs at most. `[tcp_incr_quickack]`
    pub(crate) fn incr_quickack(&mut self, id: SockId, max: u32) {
        let sk = &mut self.socks[id];
        let mut quick = sk.rcv_wnd / (2 * u32::from(sk.ack.rcv_mss).max(1));
        if quick == 0 {
            quick = 2;
        }
        sk.ack.quick = sk.ack.quick.max(quick.min(max) as u8);
    }
    /// The peer repeats itself: answer everything at once for a while.
    /// `[tcp_enter_quickack_mode]`
    pub(crate) fn enter_quickack_mode(&mut self, id: SockId) {
        self.incr_quickack(id, 16);
        let ato = self.ato_min;
        let ack = &mut self.socks[id].ack;
        ack.pingpong = 0;
        ack.ato = ato;
    }

    /// Puts the ACK on the delayed-ACK timer. `[tcp_send_delayed_ack]`
    fn send_delayed_ack(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let now = self.clock.jiffies(cx.now);
        let pingpong = self.in_pingpong_mode(id);
        let (min, max) = (u64::from(self.ato_min), self.clock.from_millis(200).0);
        let sk = &self.socks[id];
        let mut ato = u64::from(sk.ack.ato);
        if ato > min {
            let mut limit = self.clock.from_millis(500).0;
            if pingpong || sk.ack.pushed {
                limit = max;
            }
            if sk.srtt_us > 0 {
                let rtt = self.clock.from_micros(u64::from(sk.srtt_us >> 3)).0.max(min);
                limit = limit.min(rtt);
            }
            ato = ato.min(limit);
        }
        if self.behaviour.requests_live_in_ehash {
            // [tcp_delack_max]: below the smallest RTO of the host, and 200 ms.
            let below_rto = self.rto_min().0.max(2) - 1;
            ato = ato.min(max).min(below_rto);
        }
        let mut due = now + Jiffies(ato);
        if sk.ack.timer {
            let left = sk.ack.timeout.left(now);
            if left <= Jiffies(ato / 4) {
                return self.send_ack(id, Cause::AckDelayed, cx);
            }
            due = due.min(now + left);
        }
        let ack = &mut self.socks[id].ack;
        ack.scheduled = true;
        ack.timer = true;
        ack.timeout = due.stamp();
        self.arm(id, Kind::DelayedAck, now, due);
    }

    /// A challenge ACK, if the limits allow one. `[tcp_send_challenge_ack]`
    pub(crate) fn send_challenge_ack(
        &mut self,
        id: SockId,
        seg: &Segment,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let now = self.clock.jiffies(cx.now);
        let occupies = seg.seq != seg.end_seq() && !seg.flags.syn();
        let spared = self.behaviour.challenge_limit_spares_data && occupies;
        if !spared {
            let mut last = self.socks[id].last_oow;
            let limited = self.oow_rate_limited(&mut last, now, Mib::TCPACKSkippedChallenge);
            self.socks[id].last_oow = last;
            if limited {
                return;
            }
        }
        if self.take_challenge_budget(cx.now) {
            self.counters.inc(Mib::TCPChallengeACK);
            self.send_ack(id, Cause::AckChallenge, cx);
        }
    }

    /// The host's budget of challenge ACKs in this second. `[tcp_send_challenge_ack]`
    fn take_challenge_budget(&mut self, now: Instant) -> bool {
        let limit = self.sysctl.tcp_challenge_ack_limit;
        // 6.18 draws from an inclusive range whose end wraps for 0: as good as no limit.
        let wraps = limit <= 0 && self.behaviour.counts_every_timeout;
        if limit == i64::from(i32::MAX) || wraps {
            return true;
        }
        let second = self.clock.seconds(now);
        if self.challenge_second != Some(second) {
            self.challenge_second = Some(second);
            let half = (limit + 1) / 2;
            let extra = self.secrets.below(limit.max(1) as u32);
            self.challenge_budget = half + i64::from(extra);
        }
        if self.challenge_budget <= 0 {
            return false;
        }
        self.challenge_budget -= 1;
        true
    }

    /// Was the last limited reply too recent? If not, this one counts as the last.
    /// `[__tcp_oow_rate_limited]`
    pub(crate) fn oow_rate_limited(&mut self, last: &mut u32, now: Jiffies, skipped: Mib) -> bool {
        let window = self.clock.from_millis(self.sysctl.tcp_invalid_ratelimit as u64).0 as u32;
        let now = now.0 as u32;
        if *last != 0 && now.wrapping_sub(*last) < window {
            self.counters.inc(skipped);
            return true;
        }
        *last = now.max(1);
        false
    }

    /// The same for a segment: one that occupies sequence space is never limited.
    /// `[tcp_oow_rate_limited]`
    pub(crate) fn oow_limited_segment(
        &mut self,
        seg: &Segment,
        last: &mut u32,
        now: Jiffies,
        skipped: Mib,
    ) -> bool {
        if seg.seq != seg.end_seq() && !seg.flags.syn() {
            return false;
        }
        self.oow_rate_limited(last, now, skipped)
    }

    /// A duplicate ACK that tells the peer where we are, with the D-SACK it deserves.
    /// `[tcp_send_dupack]`
    pub(crate) fn send_dupack(
        &mut self,
        id: SockId,
        seg: &Segment,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let sk = &self.socks[id];
        if seg.end_seq() != seg.seq && seg.seq.before(sk.rcv_nxt) {
            self.counters.inc(Mib::DelayedACKLost);
            self.enter_quickack_mode(id);
            let sk = &self.socks[id];
            if sk.sack_ok && self.sysctl.tcp_dsack != 0 {
                let end = seg.end_seq().earlier(sk.rcv_nxt);
                self.set_dsack(id, seg.seq, end);
            }
        }
        self.send_ack(id, cause, cx);
    }
}
