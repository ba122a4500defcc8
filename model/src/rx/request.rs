//! A segment for a half-open request: the third packet, duplicates and strays.
//! `[tcp_check_req]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::request::Request;
use crate::rx::validate::paws_fails;
use crate::segment::{Flags, Options, Segment, Timestamp};
use crate::seq::in_window;
use crate::sink::{Cx, DropReason, Note, RequestEnd, Sink};
use crate::sock::Sock;
use crate::state::TcpState;
use crate::table::ehash::Entry;
use crate::table::slab::{Id as _, ReqId, SockId};
use crate::time::Stamp;

/// What a request does with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// The SYN again: so is our SYN-ACK.
    SynAckAgain,
    /// To the listener: an ACK of something else.
    BadAck,
    /// An ACK that says where we are, limited; the reason is counted.
    Ack(Option<Mib>),
    /// Nothing; the reason is counted.
    Ignore(Option<Mib>),
    /// A RST that is inside the window but not exact. 6.18
    Challenge,
    /// A RST or a SYN in the window ends it.
    End { rst: bool },
    /// The handshake is complete.
    Child,
}

impl Kernel {
    pub(crate) fn rx_request(&mut self, req: ReqId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let request = self.requests[req];
        if !self.listeners[request.listener].open {
            // Its listener is gone: so is it, and the lookup is done again.
            self.end_request(req, RequestEnd::ListenerGone, cx);
            return self.dispatch(seg, cx);
        }
        match self.judge_request(&request, seg, self.clock.seconds(cx.now)) {
            Verdict::SynAckAgain => self.synack_again(req, cx),
            Verdict::BadAck => self.rx_listen(request.listener, seg, None, cx),
            Verdict::Ack(reason) => {
                if let Some(mib) = reason {
                    self.counters.inc(mib);
                }
                let _sent = self.request_ack_limited(req, seg, true, cx);
            }
            Verdict::Ignore(reason) => {
                if let Some(mib) = reason {
                    self.counters.inc(mib);
                }
                self.drop_segment(seg, DropReason::TcpFlags, cx);
            }
            Verdict::Challenge => {
                if self.request_ack_limited(req, seg, false, cx) {
                    self.counters.inc(Mib::TCPChallengeACK);
                }
            }
            Verdict::End { rst } => {
                self.counters.inc(Mib::AttemptFails);
                self.counters.inc(Mib::EmbryonicRsts);
                if !rst {
                    self.send_reset(seg, Cause::RstRequestSyn, cx);
                }
                self.end_request(req, RequestEnd::Reset, cx);
            }
            Verdict::Child => self.complete_request(req, seg, cx),
        }
    }

    fn judge_request(&self, request: &Request, seg: &Segment, now_s: u64) -> Verdict {
        let rcv_nxt = request.irs + 1;
        let ts = seg.options.ts.filter(|_| request.timestamps);
        // The SYN's timestamp is taken to be as old as the wait for the third packet; only one
        // of more than a minute would spare a RST. [tcp_paws_reject]
        let waited_s = self.clock.to_micros(self.request_delay(request.num_timeout)) / 1_000_000;
        let paws = !(seg.flags.rst() && waited_s >= 60)
            && ts.is_some_and(|t| {
                paws_fails(request.ts_recent, now_s.max(1) as u32, t.val, now_s, 0)
            });
        let foreign_echo = self.behaviour.checks_tsecr_of_requests
            && ts.is_some_and(|t| {
                let before_first = (t.ecr.wrapping_sub(request.synack_first) as i32) < 0;
                let after_last = (request.synack_last.wrapping_sub(t.ecr) as i32) < 0;
                t.ecr != 0 && (before_first || after_last)
            });
        let flags = seg.flags.0 & (Flags::SYN | Flags::ACK | Flags::RST).0;
        if seg.seq == request.irs && flags == Flags::SYN.0 && !paws {
            return Verdict::SynAckAgain;
        }
        // Whether a RST counts is a matter of its sequence number alone.
        if seg.flags.ack() && !seg.flags.rst() && seg.ack != request.iss + 1 {
            return Verdict::BadAck;
        }
        let inside = in_window(seg.seq, seg.end_seq(), rcv_nxt, rcv_nxt + request.rcv_wnd);
        if paws || foreign_echo || !inside {
            let reason = if paws {
                Some(Mib::PAWSEstab)
            } else if foreign_echo {
                Some(Mib::TSEcrRejected)
            } else {
                None
            };
            return if seg.flags.rst() { Verdict::Ignore(reason) } else { Verdict::Ack(reason) };
        }
        // At the peer's ISN a SYN is only the old one again; it is cut off.
        let syn = seg.flags.syn() && seg.seq != request.irs;
        if seg.flags.rst() {
            let exact = seg.seq == rcv_nxt;
            if !exact && self.behaviour.challenges_inexact_rst_on_request {
                return Verdict::Challenge;
            }
            return Verdict::End { rst: true };
        }
        if syn {
            return Verdict::End { rst: false };
        }
        if !seg.flags.ack() { Verdict::Ignore(None) } else { Verdict::Child }
    }

    fn synack_again(&mut self, req: ReqId, cx: &mut Cx<'_, impl Sink>) {
        let now = self.clock.jiffies(cx.now);
        let mut last = self.requests[req].last_oow;
        if self.oow_rate_limited(&mut last, now, Mib::TCPACKSkippedSynRecv) {
            return;
        }
        self.requests[req].last_oow = last;
        self.resend_synack(req, Cause::SynAckAgain, cx);
        let delay = self.request_delay(self.requests[req].num_timeout);
        self.requests[req].expires = (now + delay).0;
        if self.behaviour.requests_live_in_ehash {
            self.request_timers.arm(req.index(), now, now + delay);
        }
    }

    /// `[inet_rtx_syn_ack]`, `[tcp_rtx_synack]`
    pub(crate) fn resend_synack(&mut self, req: ReqId, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        let stamp = self.timestamp(self.requests[req].ts_offset, cx.now);
        let request = &mut self.requests[req];
        request.num_retrans = request.num_retrans.saturating_add(1);
        request.synack_last = stamp;
        let copy = *request;
        self.counters.inc(Mib::RetransSegs);
        self.counters.inc(Mib::TCPSynRetrans);
        self.send_synack(&copy, cause, cx);
    }

    /// `[tcp_v4_reqsk_send_ack]`, limited
    fn request_ack_limited(
        &mut self,
        req: ReqId,
        seg: &Segment,
        count: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> bool {
        let now = self.clock.jiffies(cx.now);
        let mut last = self.requests[req].last_oow;
        let skipped = if count { Mib::TCPACKSkippedSynRecv } else { Mib::TCPACKSkippedChallenge };
        if self.oow_limited_segment(seg, &mut last, now, skipped) {
            return false;
        }
        self.requests[req].last_oow = last;
        let request = self.requests[req];
        let val = self.timestamp(request.ts_offset, cx.now);
        let options = Options {
            ts: request.timestamps.then_some(Timestamp { val, ecr: request.ts_recent }),
            ..Options::default()
        };
        let ack = Segment {
            flow: request.flow,
            seq: request.iss + 1,
            ack: request.irs + 1,
            len: 0,
            win: (request.rcv_wnd >> request.rcv_wscale).min(65535) as u16,
            flags: Flags::ACK,
            options,
        };
        self.counters.inc(Mib::OutSegs);
        self.emit(&ack, Cause::AckRequest, cx);
        true
    }

    pub(crate) fn end_request(&mut self, req: ReqId, why: RequestEnd, cx: &mut Cx<'_, impl Sink>) {
        let flow = self.requests[req].flow;
        self.remove_request(req);
        cx.sink.note(|| Note::RequestDied { flow, why });
    }

    /// The third packet: a child, if the program may wait for data and the queue has room.
    fn complete_request(&mut self, req: ReqId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let request = self.requests[req];
        let listener = &self.listeners[request.listener];
        let defer = self.socks[listener.sock].rare().opt.defer_accept;
        if defer > request.num_timeout && seg.end_seq() == request.irs + 1 {
            self.requests[req].acked = true;
            self.counters.inc(Mib::TCPDeferAcceptDrop);
            return self.drop_segment(seg, DropReason::NotSpecified, cx);
        }
        if listener.accept_queue_full() {
            self.counters.inc(Mib::ListenOverflows);
            self.counters.inc(Mib::ListenDrops);
            self.drop_segment(seg, DropReason::TcpListenOverflow, cx);
            if self.sysctl.tcp_abort_on_overflow == 0 {
                self.requests[req].acked = true;
                return;
            }
            self.counters.inc(Mib::EmbryonicRsts);
            self.send_reset(seg, Cause::RstAcceptOverflow, cx);
            return self.end_request(req, RequestEnd::AbortedOnOverflow, cx);
        }
        self.remove_request(req);
        self.make_child(&request, seg, cx);
    }

    /// A full socket in SYN_RECV, which the same segment then establishes.
    /// `[tcp_v4_syn_recv_sock]`, `[tcp_child_process]`
    pub(crate) fn make_child(
        &mut self,
        request: &Request,
        seg: &Segment,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.counters.inc(Mib::PassiveOpens);
        let child = self.child_of(request, seg, cx);
        self.hash(Entry::sock(child));
        self.socks[child].hashed = true;
        self.inuse += 1;
        self.bind.add(request.flow.sport, true);
        self.set_state(child, TcpState::SynRecv, cx);
        let listener = &mut self.listeners[request.listener];
        listener.queue.push_back(child);
        let parent = listener.sock;
        let sample = (request.num_retrans == 0)
            .then(|| self.clock.micros(cx.now).saturating_sub(request.sent_us));
        self.take_timestamp(child, seg);
        self.update_rtt(child, true, sample, cx.now);
        self.begin_keepalive(child, cx.now);
        self.rx_sock(child, seg, cx);
        self.wake(parent);
    }

    /// `[tcp_create_openreq_child]`
    fn child_of(&mut self, request: &Request, seg: &Segment, cx: &mut Cx<'_, impl Sink>) -> SockId {
        let jiffies = self.clock.jiffies(cx.now);
        let seconds = self.clock.seconds(cx.now).max(1) as u32;
        let parent = self.listeners[request.listener].sock;
        let advmss = self.advertised_mss(self.socks[parent].rare().opt.max_seg);
        let (opt, rare) = (self.socks[parent].opt, self.socks[parent].inherited_rare());
        let shut = self.socks[parent].send_shutdown;
        let id = self.new_sock();
        // A copy of its listener, state and all, until it becomes SYN_RECV.
        self.state_counts[TcpState::Close as usize] -= 1;
        self.state_counts[TcpState::Listen as usize] += 1;
        let sk: &mut Sock = &mut self.socks[id];
        sk.state = TcpState::Listen;
        sk.flow = request.flow;
        sk.has_port = true;
        sk.port_explicit = true;
        sk.queued = true;
        sk.opt = opt;
        sk.rare = rare;
        sk.send_shutdown = shut;
        let (snd, rcv) = (request.iss + 1, request.irs + 1);
        sk.snd_una = snd;
        sk.snd_nxt = snd;
        sk.write_seq = snd;
        sk.pushed_seq = snd;
        sk.snd_sml = snd;
        sk.snd_wl1 = request.irs;
        sk.rcv_nxt = rcv;
        sk.rcv_wup = rcv;
        sk.copied_seq = rcv;
        sk.rcv_wnd = request.rcv_wnd;
        sk.rcv_ssthresh = request.rcv_wnd;
        sk.rcv_wscale = request.rcv_wscale;
        sk.snd_wscale = request.snd_wscale.unwrap_or(0);
        sk.wscale_ok = request.snd_wscale.is_some();
        let clamp = if sk.wscale_ok { 65535 << sk.rcv_wscale } else { 65535 };
        sk.window_clamp = clamp.min(sk.first_clamp());
        let win = if seg.flags.syn() { request.syn_win } else { seg.win };
        sk.snd_wnd = u32::from(win) << sk.snd_wscale;
        sk.max_window = sk.snd_wnd;
        sk.sack_ok = request.sack;
        sk.tstamp_ok = request.timestamps;
        sk.ts_offset = request.ts_offset;
        sk.ts_recent = request.ts_recent;
        sk.ts_recent_stamp = if request.timestamps { seconds } else { 0 };
        sk.mss_clamp = request.mss;
        sk.advmss = advmss;
        sk.rcv_tstamp = Stamp(0);
        sk.ack.lrcvtime = jiffies.stamp();
        sk.lsndtime = jiffies.stamp();
        sk.total_retrans = u32::from(request.num_retrans);
        self.sync_mss(id);
        id
    }
}

#[cfg(test)]
mod tests;
