//! shutdown() and connect(AF_UNSPEC). `[inet_shutdown]`, `[tcp_disconnect]`

use crate::cause::Cause;
use crate::errno::Errno;
use crate::kernel::{Fd, How, Kernel};
use crate::seq::Seq;
use crate::sink::{Cx, Note, Sink, SockEnd};
use crate::state::TcpState;
use crate::sys::close::close_state;
use crate::table::slab::SockId;

impl Kernel {
    /// shutdown(): ENOTCONN in CLOSE (the bits are set all the same).
    pub fn shutdown(&mut self, fd: Fd, how: How, cx: &mut Cx<'_, impl Sink>) -> Result<(), Errno> {
        let id = self.sock_of(fd)?;
        let answer = self.inet_shutdown(id, how, cx);
        self.settle(cx);
        answer
    }

    fn inet_shutdown(
        &mut self,
        id: SockId,
        how: How,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let mut answer = Ok(());
        match self.socks[id].state {
            TcpState::Close => {
                answer = Err(Errno::ENOTCONN);
                self.set_shutdown_bits(id, how);
            }
            TcpState::Listen if how == How::Wr => {}
            TcpState::Listen | TcpState::SynSent => self.disconnect_sock(id, cx),
            TcpState::Established
            | TcpState::SynRecv
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Closing
            | TcpState::NewSynRecv => {
                self.set_shutdown_bits(id, how);
                self.shutdown_sock(id, how, cx);
            }
        }
        self.wake(id);
        answer
    }

    fn set_shutdown_bits(&mut self, id: SockId, how: How) {
        let sk = &mut self.socks[id];
        sk.rcv_shutdown |= how != How::Wr;
        sk.send_shutdown |= how != How::Rd;
    }

    /// Only the writing side says something to the peer. `[tcp_shutdown]`
    pub(crate) fn shutdown_sock(&mut self, id: SockId, how: How, cx: &mut Cx<'_, impl Sink>) {
        if how == How::Rd {
            return;
        }
        let state = self.socks[id].state;
        let early = state == TcpState::SynRecv && !self.behaviour.fin_in_syn_recv_waits;
        let open = matches!(state, TcpState::Established | TcpState::CloseWait);
        if (open || early) && self.enter_close_state(id, cx) {
            self.send_fin(id, cx);
        }
    }

    /// The next state of a close; true if a FIN goes with it. `[tcp_close_state]`
    pub(crate) fn enter_close_state(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) -> bool {
        let (to, fin) = close_state(self.socks[id].state);
        self.enter_state(id, to, cx);
        fin
    }

    /// connect(AF_UNSPEC).
    pub fn disconnect(&mut self, fd: Fd, cx: &mut Cx<'_, impl Sink>) -> Result<(), Errno> {
        let id = self.sock_of(fd)?;
        self.disconnect_sock(id, cx);
        self.socks[id].connecting = false;
        self.settle(cx);
        Ok(())
    }

    /// Back to CLOSE, with a RST where the peer must hear of it. `[tcp_disconnect]`
    pub(crate) fn disconnect_sock(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        self.disconnect_as(id, Cause::RstDisconnect, cx);
    }

    pub(crate) fn disconnect_as(&mut self, id: SockId, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        let old = self.socks[id].state;
        let unsent = self.socks[id].snd_nxt != self.socks[id].write_seq;
        let speaks = matches!(
            old,
            TcpState::Established
                | TcpState::CloseWait
                | TcpState::FinWait1
                | TcpState::FinWait2
                | TcpState::SynRecv
        );
        if old != TcpState::Close {
            self.set_state(id, TcpState::Close, cx);
        }
        if old == TcpState::Listen {
            self.listen_stop(id, cx);
        } else if speaks {
            self.send_active_reset(id, cause, cx);
            self.socks[id].err = Some(Errno::ECONNRESET);
        } else if matches!(old, TcpState::Closing | TcpState::LastAck) && unsent {
            self.send_active_reset(id, Cause::RstDisconnectUnsent, cx);
            self.socks[id].err = Some(Errno::ECONNRESET);
        } else if old == TcpState::SynSent {
            self.socks[id].err = Some(Errno::ECONNRESET);
        }
        self.disarm_all(id);
        self.purge_write_queue(id);
        if old != TcpState::Close {
            let flow = self.socks[id].flow;
            cx.sink.note(|| Note::Destroyed { flow, state: old, why: SockEnd::Aborted(cause) });
        }
        let sk = &mut self.socks[id];
        let seq = sk.write_seq + sk.max_window + 2;
        sk.write_seq = if seq == Seq(0) { Seq(1) } else { seq };
        sk.flow.daddr = crate::flow::Addr::ANY;
        sk.flow.dport = 0;
        if !sk.addr_explicit {
            sk.flow.saddr = crate::flow::Addr::ANY;
        }
        sk.write_pending = false;
        sk.rcv_shutdown = false;
        sk.send_shutdown = false;
        sk.done = false;
        if let Some(rare) = &mut sk.rare {
            rare.early_fin = None;
            rare.dsack = None;
        }
        sk.copied_seq = sk.rcv_nxt;
        sk.rmem = 0;
        sk.srtt_us = 0;
        sk.snd_cwnd = 10;
        sk.ack = crate::sock::AckState::default();
        sk.ofo = None;
        sk.tlp_high_seq = None;
        sk.ca = crate::sock::Ca::Open;
        sk.probes_out = 0;
        sk.retransmits = 0;
    }
}
