//! SYN-ACKs again, and the end of requests nobody answers. `[reqsk_timer_handler]`,
//! 3.10: `[inet_csk_reqsk_queue_prune]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::sink::{Cx, Note, RequestEnd, Sink, TimerKind};
use crate::table::slab::{Id as _, ListenId, ReqId};
use crate::time::Jiffies;

impl Kernel {
    /// 6.18: the request's own timer.
    pub(crate) fn request_timer(&mut self, req: ReqId, cx: &mut Cx<'_, impl Sink>) {
        let listener = self.requests[req].listener;
        if !self.listeners[listener].open {
            return self.end_request(req, RequestEnd::ListenerGone, cx);
        }
        let flow = self.requests[req].flow;
        cx.sink.note(|| Note::Timer { flow, kind: TimerKind::SynAck });
        self.counters.inc(Mib::TCPTimeouts);
        let limit = self.listeners[listener].backlog.max(8);
        let crowded = self.listeners[listener].qlen * 2 > limit;
        self.request_round(req, crowded, cx);
    }

    /// One round of a request: again, or not, or the end.
    fn request_round(&mut self, req: ReqId, crowded: bool, cx: &mut Cx<'_, impl Sink>) {
        let request = self.requests[req];
        let listener = &self.listeners[request.listener];
        let opt = self.socks[listener.sock].rare().opt;
        let most = match opt.syn_cnt {
            0 => self.sysctl.tcp_synack_retries as u32,
            n => u32::from(n),
        };
        let mut thresh = most;
        if crowded {
            // Half of the room is kept for the young: old ones give up sooner.
            let mut young = listener.young * 2;
            while thresh > 2 && listener.qlen >= young {
                thresh -= 1;
                young *= 2;
            }
        }
        let tries = u32::from(request.num_timeout);
        let defer = u32::from(opt.defer_accept);
        let (expire, resend) = if defer == 0 {
            (tries >= thresh, true)
        } else {
            (
                tries >= thresh && (!request.acked || tries >= defer),
                !request.acked || tries + 1 >= defer,
            )
        };
        if expire {
            return self.end_request(req, RequestEnd::TimedOut, cx);
        }
        if resend {
            self.resend_synack(req, Cause::SynAckTimer, cx);
        }
        let now = self.clock.jiffies(cx.now);
        let request = &mut self.requests[req];
        request.num_timeout += 1;
        let (listener, first) = (request.listener, request.num_timeout == 1);
        if first {
            let listener = &mut self.listeners[listener];
            listener.young = listener.young.saturating_sub(1);
        }
        let due = now + self.request_delay(self.requests[req].num_timeout);
        self.requests[req].expires = due.0;
        if self.behaviour.requests_live_in_ehash {
            self.request_timers.arm(req.index(), now, due);
        }
    }

    /// 3.10: every 200 ms a part of the listener's own table is looked through.
    pub(crate) fn listener_timer(&mut self, id: ListenId, cx: &mut Cx<'_, impl Sink>) {
        if !self.listeners.is_live(id) || self.listeners[id].qlen == 0 {
            return;
        }
        let now = self.clock.jiffies(cx.now);
        let listener = &mut self.listeners[id];
        let chains = listener.syn_chains.max(1);
        let budget = (2 * chains / 5).max(1);
        let from = listener.scan_hand;
        listener.scan_hand = (from + budget) % chains;
        let crowded = listener.qlen >= chains / 2;
        let mut due: alloc::vec::Vec<(u32, ReqId)> = self
            .requests
            .iter()
            .filter(|(_, r)| r.listener == id && r.expires <= now.0)
            .map(|(req, r)| ((r.syn_chain % chains + chains - from) % chains, req))
            .filter(|&(place, _)| place < budget)
            .collect();
        due.sort_unstable_by_key(|&(place, req)| (place, req.index()));
        for (_, req) in due {
            let flow = self.requests[req].flow;
            cx.sink.note(|| Note::Timer { flow, kind: TimerKind::SynAck });
            self.request_round(req, crowded, cx);
        }
        if self.listeners[id].qlen > 0 {
            let next = now + self.clock.from_millis(200).max(Jiffies(1));
            self.listen_timers.arm(id.index(), now, next);
        }
    }
}
