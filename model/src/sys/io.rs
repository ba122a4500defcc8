//! send() and recv(), as lengths. `[tcp_sendmsg_locked]`, `[tcp_recvmsg_locked]`

use crate::cause::Cause;
use crate::errno::Errno;
use crate::kernel::{Fd, Kernel};
use crate::sink::{Cx, Sink};
use crate::state::TcpState;
use crate::table::slab::SockId;

impl Kernel {
    /// send(): how many bytes were taken; EAGAIN if none fit. `more` is MSG_MORE.
    pub fn send(
        &mut self,
        fd: Fd,
        len: u32,
        more: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<u32, Errno> {
        let id = self.sock_of(fd)?;
        let answer = self.send_sock(id, len, more, cx);
        self.settle(cx);
        answer
    }

    /// A program that does not poll waits in send() for the connection to come about: the ACK of
    /// the SYN-ACK waits for its data. `[sk_stream_wait_connect]`
    pub fn wait_to_send(&mut self, fd: Fd) -> Result<(), Errno> {
        let id = self.sock_of(fd)?;
        let sk = &mut self.socks[id];
        sk.write_pending = matches!(sk.state, TcpState::SynSent | TcpState::SynRecv);
        Ok(())
    }

    fn send_sock(
        &mut self,
        id: SockId,
        len: u32,
        more: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<u32, Errno> {
        let sk = &mut self.socks[id];
        if matches!(sk.state, TcpState::SynSent | TcpState::SynRecv) {
            return Err(Errno::EAGAIN);
        }
        if let Some(error) = sk.err.take() {
            return Err(error);
        }
        let open = matches!(sk.state, TcpState::Established | TcpState::CloseWait);
        if !open || sk.send_shutdown {
            return Err(Errno::EPIPE);
        }
        self.restart_cwnd_after_idle(id, cx);
        match self.write(id, len, more, cx) {
            0 if len > 0 => Err(Errno::EAGAIN),
            taken => Ok(taken),
        }
    }

    /// After an idle RTO the congestion window begins anew.
    /// `[tcp_slow_start_after_idle_check]`
    fn restart_cwnd_after_idle(&mut self, id: SockId, cx: &Cx<'_, impl Sink>) {
        if self.sysctl.tcp_slow_start_after_idle == 0 {
            return;
        }
        let now = self.clock.jiffies(cx.now);
        let sk = &mut self.socks[id];
        let mut idle = now.since(sk.lsndtime).0;
        if sk.packets_out > 0 || !sk.unsent.is_empty() {
            return;
        }
        let rto = u64::from(sk.rto).max(1);
        while idle > rto && sk.snd_cwnd > 10 {
            idle -= rto;
            sk.snd_cwnd = (sk.snd_cwnd >> 1).max(10);
        }
    }

    /// recv(): how many bytes were read, 0 at end of file; EAGAIN if nothing is there.
    pub fn recv(&mut self, fd: Fd, len: u32, cx: &mut Cx<'_, impl Sink>) -> Result<u32, Errno> {
        let id = self.sock_of(fd)?;
        let sk = &mut self.socks[id];
        if sk.state == TcpState::Listen {
            return Err(Errno::ENOTCONN);
        }
        if sk.rare().early_fin == Some(sk.copied_seq) && len > 0 {
            sk.copied_seq += 1;
            sk.uncharge(1, 0);
            return Ok(0);
        }
        let early_fin = sk.rare().early_fin.filter(|fin| fin.after(sk.copied_seq));
        let take = len.min(early_fin.map_or_else(|| sk.unread(), |fin| fin - sk.copied_seq));
        if take > 0 {
            let before = sk.rcv_nxt - sk.copied_seq;
            sk.copied_seq += take;
            let held: u32 = sk.ofo_pieces().iter().map(|r| r.end - r.seq).sum();
            if early_fin == Some(sk.copied_seq) {
                sk.copied_seq += 1;
            } else if sk.done && sk.unread() == 0 && (sk.fin_merged || take < len) {
                sk.copied_seq = sk.rcv_nxt;
            }
            let after = sk.rcv_nxt - sk.copied_seq;
            sk.uncharge(before + held, after + held);
            self.cleanup_rbuf(id, take, Cause::AckOnRead, cx);
            self.settle(cx);
            return Ok(take);
        }
        if len == 0 {
            return Ok(0);
        }
        if sk.done {
            // The FIN itself is read now.
            sk.copied_seq = sk.rcv_nxt;
            sk.uncharge(1, 0);
            return Ok(0);
        }
        if let Some(error) = sk.err.take() {
            return Err(error);
        }
        if sk.rcv_shutdown {
            return Ok(0);
        }
        match sk.state {
            TcpState::Close => Err(Errno::ENOTCONN),
            TcpState::Established
            | TcpState::SynSent
            | TcpState::SynRecv
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Listen
            | TcpState::Closing
            | TcpState::NewSynRecv => Err(Errno::EAGAIN),
        }
    }

    /// Reading made room: does the peer hear of it now? `[__tcp_cleanup_rbuf]`
    pub(crate) fn cleanup_rbuf(
        &mut self,
        id: SockId,
        copied: u32,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let pingpong = self.in_pingpong_mode(id);
        let sk = &self.socks[id];
        let mut now = None;
        if sk.ack.scheduled {
            let filled = sk.rcv_nxt - sk.rcv_wup > u32::from(sk.ack.rcv_mss);
            let pushed = sk.ack.pushed2 || (sk.ack.pushed && !pingpong);
            let drained = copied > 0 && sk.rmem == 0;
            if filled || (drained && pushed) {
                now = Some(cause);
            }
        }
        if now.is_none() && copied > 0 && !sk.rcv_shutdown {
            let offered = sk.receive_window();
            let clamp = sk.window_clamp;
            if u64::from(offered) * 2 <= u64::from(clamp) {
                let new = self.window_to_offer(id);
                if new > 0 && new >= 2 * offered {
                    now = Some(Cause::AckWindowUpdate);
                }
            }
        }
        if let Some(cause) = now {
            self.send_ack(id, cause, cx);
        }
    }
}
