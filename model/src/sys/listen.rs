//! bind(), listen(), accept(). `[inet_bind]`, `[inet_csk_listen_start]`, `[inet_csk_accept]`

use alloc::collections::VecDeque;

use crate::errno::Errno;
use crate::flow::{Addr, Endpoint};
use crate::kernel::{Fd, Kernel};
use crate::sink::{Cx, Sink};
use crate::state::TcpState;
use crate::table::listen::Listener;
use crate::table::slab::SockId;

impl Kernel {
    /// bind(): EINVAL if it is bound or connected, EADDRNOTAVAIL for a foreign address,
    /// EADDRINUSE if the port is taken.
    pub fn bind(&mut self, fd: Fd, local: Endpoint) -> Result<(), Errno> {
        let id = self.sock_of(fd)?;
        let sk = &self.socks[id];
        if sk.state != TcpState::Close || sk.has_port {
            return Err(Errno::EINVAL);
        }
        self.bind_sock(id, local)
    }

    fn bind_sock(&mut self, id: SockId, local: Endpoint) -> Result<(), Errno> {
        let ours =
            local.addr == Addr::ANY || local.addr.is_loopback() || self.addrs.contains(&local.addr);
        if !ours {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let port = self.bind_port(id, local)?;
        let sk = &mut self.socks[id];
        sk.flow.saddr = local.addr;
        sk.flow.sport = port;
        sk.has_port = true;
        sk.port_explicit = true;
        sk.addr_explicit = local.addr != Addr::ANY;
        Ok(())
    }

    /// listen(): `backlog + 1` connections may wait, at most somaxconn + 1. Again on a listener
    /// it only changes the backlog.
    pub fn listen(
        &mut self,
        fd: Fd,
        backlog: i32,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let id = self.sock_of(fd)?;
        let max = self.sysctl.somaxconn.max(0) as u32;
        let backlog = (backlog as u32).min(max);
        let sk = &self.socks[id];
        match sk.state {
            TcpState::Listen => {
                if let Some(listen) = sk.listen {
                    self.listeners[listen].backlog = backlog;
                }
                return Ok(());
            }
            TcpState::Close => {}
            TcpState::Established
            | TcpState::SynSent
            | TcpState::SynRecv
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Closing
            | TcpState::NewSynRecv => return Err(Errno::EINVAL),
        }
        // The state comes first and goes again if no port is to be had.
        let has_port = sk.has_port;
        self.set_state(id, TcpState::Listen, cx);
        let port = if !has_port {
            self.bind_sock(id, Endpoint::new(Addr::ANY, 0))
        } else if self.listening_conflict(id) {
            Err(Errno::EADDRINUSE)
        } else {
            Ok(())
        };
        if let Err(error) = port {
            self.set_state(id, TcpState::Close, cx);
            return Err(error);
        }
        let flow = self.socks[id].flow;
        let limit = u64::from(backlog).min(self.sysctl.tcp_max_syn_backlog.max(0) as u64);
        let listen = self.listeners.insert(Listener {
            sock: id,
            backlog,
            queue: VecDeque::new(),
            qlen: 0,
            young: 0,
            open: true,
            last_overflow: None,
            syn_chains: ((limit.max(8) as u32) + 1).next_power_of_two(),
            scan_hand: 0,
        });
        let sk = &mut self.socks[id];
        sk.listen = Some(listen);
        sk.hashed = true;
        self.inuse += 1;
        self.listening.insert(0, (flow.sport, flow.saddr, listen));
        Ok(())
    }

    /// Does anyone else stand in the way of listening on its port? bind() asked the same, but
    /// connections may have been accepted since. `[inet_csk_listen_start]`
    fn listening_conflict(&self, id: SockId) -> bool {
        self.bind_conflicts(id, self.socks[id].flow.source(), false)
    }

    /// accept(): the connection that has waited longest; EAGAIN if none does, EINVAL if it is no
    /// listener. A connection that was reset while it waited is given out all the same.
    pub fn accept(&mut self, fd: Fd, _cx: &mut Cx<'_, impl Sink>) -> Result<Fd, Errno> {
        let id = self.sock_of(fd)?;
        let sk = &self.socks[id];
        let Some(listen) = sk.listen.filter(|_| sk.state == TcpState::Listen) else {
            return Err(Errno::EINVAL);
        };
        let Some(child) = self.listeners[listen].queue.pop_front() else {
            return Err(Errno::EAGAIN);
        };
        let sk = &mut self.socks[child];
        sk.queued = false;
        sk.has_file = true;
        Ok(self.fd_of(child))
    }
}
