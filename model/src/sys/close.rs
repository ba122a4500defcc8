//! close(): the heart. Unread data, linger, FIN, orphan, FIN_WAIT2. `[__tcp_close]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::errno::Errno;
use crate::kernel::{Closed, Fd, Kernel};
use crate::life::lingers_in;
use crate::sink::{Cx, Note, Sink, SockEnd};
use crate::sock::Sock;
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::Jiffies;
use crate::timer::Kind;

/// What close() does to a connection, first match wins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseVerdict {
    /// Nothing is left to do.
    Nothing,
    /// Data that nobody read is lost: the peer must hear it.
    ResetUnread,
    /// SO_LINGER with 0 seconds: no goodbye.
    Disconnect,
    /// On to this state, with a FIN or without.
    Go(TcpState, bool),
}

/// Decides; changes nothing. `[__tcp_close]`
pub(crate) fn judge_close(sk: &Sock) -> CloseVerdict {
    if sk.state == TcpState::Close {
        CloseVerdict::Nothing
    } else if sk.unread() > 0 {
        CloseVerdict::ResetUnread
    } else if sk.rare().opt.linger == Some(0) {
        CloseVerdict::Disconnect
    } else {
        let (to, fin) = close_state(sk.state);
        CloseVerdict::Go(to, fin)
    }
}

/// The state after close() or shutdown(SHUT_WR), and whether a FIN leads there.
/// `[tcp_close_state]`
pub(crate) const fn close_state(state: TcpState) -> (TcpState, bool) {
    match state {
        TcpState::Established | TcpState::SynRecv => (TcpState::FinWait1, true),
        TcpState::CloseWait => (TcpState::LastAck, true),
        TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing | TcpState::LastAck => {
            (state, false)
        }
        TcpState::SynSent
        | TcpState::Close
        | TcpState::Listen
        | TcpState::TimeWait
        | TcpState::NewSynRecv => (TcpState::Close, false),
    }
}

impl Kernel {
    /// close(): always 0 in the end. With SO_LINGER > 0 it may block first, and
    /// [`crate::kernel::Ready::CLOSED`] tells when it has returned.
    pub fn close(&mut self, fd: Fd, cx: &mut Cx<'_, impl Sink>) -> Result<Closed, Errno> {
        let id = self.sock_of(fd)?;
        let closed = self.close_sock(id, cx);
        self.settle(cx);
        Ok(closed)
    }

    fn close_sock(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) -> Closed {
        let sk = &mut self.socks[id];
        sk.has_file = false;
        sk.rcv_shutdown = true;
        sk.send_shutdown = true;
        if sk.state == TcpState::Listen {
            self.set_state(id, TcpState::Close, cx);
            self.listen_stop(id, cx);
            self.orphan(id, cx);
            return Closed::Now;
        }
        let verdict = judge_close(sk);
        sk.purge_receive_queue();
        match verdict {
            CloseVerdict::Nothing => {}
            CloseVerdict::ResetUnread => {
                self.counters.inc(Mib::TCPAbortOnClose);
                self.abort(id, Cause::RstUnreadData, cx);
            }
            CloseVerdict::Disconnect => {
                self.disconnect_as(id, Cause::RstLingerZero, cx);
                self.counters.inc(Mib::TCPAbortOnData);
            }
            CloseVerdict::Go(to, fin) => {
                self.enter_state(id, to, cx);
                if fin {
                    self.send_fin(id, cx);
                }
                if let Some(seconds) = self.socks[id].rare().opt.linger.filter(|&s| s > 0)
                    && lingers_in(self.socks[id].state)
                {
                    self.linger(id, seconds, cx);
                    return Closed::Lingers;
                }
            }
        }
        self.orphan(id, cx);
        Closed::Now
    }

    /// To CLOSE with a RST of our own. `[tcp_send_active_reset]`
    fn abort(&mut self, id: SockId, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        let (flow, state) = (self.socks[id].flow, self.socks[id].state);
        self.set_state(id, TcpState::Close, cx);
        self.send_active_reset(id, cause, cx);
        cx.sink.note(|| Note::Destroyed { flow, state, why: SockEnd::Aborted(cause) });
    }

    /// The program waits in close(). `[sk_stream_wait_close]`
    fn linger(&mut self, id: SockId, seconds: u32, cx: &mut Cx<'_, impl Sink>) {
        let now = self.clock.jiffies(cx.now);
        let due = now + self.clock.from_secs(u64::from(seconds));
        self.socks[id].lingering = true;
        self.arm(id, Kind::Linger, now, due);
    }
    pub(crate) fn linger_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        if self.socks[id].lingering {
            self.linger_over(id, cx);
            self.settle(cx);
        }
    }
    /// The wait is over: the FIN was acknowledged, or the time ran out.
    pub(crate) fn linger_over(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        if !core::mem::take(&mut self.socks[id].lingering) {
            return;
        }
        self.disarm(id, Kind::Linger);
        let fd = self.fd_of(id);
        self.closed_fds.push_back(fd);
        self.orphan(id, cx);
    }

    /// The socket belongs to nobody now: what becomes of it? `[__tcp_close]`, adjudication
    pub(crate) fn orphan(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let jiffies = self.clock.jiffies(cx.now);
        self.refresh_orphan_cache(jiffies, self.orphans);
        self.socks[id].dead = true;
        self.orphans += 1;
        let (flow, state) = (self.socks[id].flow, self.socks[id].state);
        if state == TcpState::Close {
            return self.destroy(id);
        }
        cx.sink.note(|| Note::Orphaned { flow, state });
        if state == TcpState::FinWait2 {
            if self.socks[id].rare().opt.linger2 < 0 {
                self.abort(id, Cause::RstLinger2Close, cx);
                self.counters.inc(Mib::TCPAbortOnLinger);
                return self.destroy(id);
            }
            let minute = self.clock.from_secs(60).0 as i64;
            let time = self.fin_time(id);
            if time <= minute {
                let time = Jiffies(time.max(0) as u64);
                return self.time_wait(id, TcpState::FinWait2, time, cx);
            }
            self.reset_keepalive_timer(id, Jiffies((time - minute) as u64), cx.now);
        }
        let now = self.clock.jiffies(cx.now);
        if self.too_many_orphans(0, now) {
            self.abort(id, Cause::RstOrphanLimit, cx);
            self.counters.inc(Mib::TCPAbortOnMemory);
            self.destroy(id);
        }
    }

    /// A listener stops: finished connections that nobody accepted are reset; half-open ones
    /// stay (6.18) or go silently (3.10). `[inet_csk_listen_stop]`
    pub(crate) fn listen_stop(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let Some(listen) = self.socks[id].listen else { return };
        self.listeners[listen].open = false;
        while let Some(child) = self.listeners[listen].queue.pop_front() {
            self.socks[child].queued = false;
            self.disconnect_as(child, Cause::RstListenerClosed, cx);
            self.put_port(child);
            self.destroy(child);
        }
        if !self.behaviour.requests_live_in_ehash {
            let mut mine: alloc::vec::Vec<_> = self
                .requests
                .iter()
                .filter(|(_, r)| r.listener == listen)
                .map(|(req, _)| req)
                .collect();
            mine.sort_unstable();
            for req in mine {
                self.end_request(req, crate::sink::RequestEnd::ListenerGone, cx);
            }
        }
        self.free_listener_if_done(listen);
        self.socks[id].listen = None;
    }
}

#[cfg(test)]
mod tests;
