//! What a program asks: one file a system call. No call blocks; who wants to wait calls again
//! when [`Kernel::next_wake`] names the descriptor.

mod close;
mod connect;
mod info;
mod io;
mod listen;
mod options;
mod shutdown;

use crate::errno::Errno;
use crate::kernel::{Fd, Kernel, Ready};
use crate::state::TcpState;
use crate::table::slab::{Id as _, SockId};

impl Kernel {
    /// socket(AF_INET, SOCK_STREAM). `[inet_create]`, `[tcp_init_sock]`
    pub fn socket(&mut self) -> Fd {
        let id = self.new_sock();
        self.socks[id].has_file = true;
        self.fd_of(id)
    }

    pub(crate) fn fd_of(&self, id: SockId) -> Fd {
        Fd { index: id.index(), generation: self.socks.generation(id) }
    }

    /// The socket behind a descriptor; EBADF if it is closed.
    pub(crate) fn sock_of(&self, fd: Fd) -> Result<SockId, Errno> {
        let id = SockId::new(fd.index);
        let open = self.socks.is_live(id)
            && self.socks.generation(id) == fd.generation
            && self.socks[id].has_file;
        if open { Ok(id) } else { Err(Errno::EBADF) }
    }

    /// poll(): what is ready now. `[tcp_poll]`
    pub fn poll(&self, fd: Fd) -> Result<Ready, Errno> {
        let id = self.sock_of(fd)?;
        let sk = &self.socks[id];
        if let Some(listen) = sk.listen.filter(|_| sk.state == TcpState::Listen) {
            let waits = !self.listeners[listen].queue.is_empty();
            return Ok(if waits { Ready::IN } else { Ready::default() });
        }
        let mut ready = Ready::default();
        if (sk.rcv_shutdown && sk.send_shutdown) || sk.state == TcpState::Close {
            ready = ready.with(Ready::HUP);
        }
        if sk.rcv_shutdown {
            ready = ready.with(Ready::IN).with(Ready::RDHUP);
        }
        if !matches!(sk.state, TcpState::SynSent | TcpState::SynRecv) {
            if sk.state != TcpState::Close && sk.unread() >= sk.rare().opt.rcv_lowat.max(1) {
                ready = ready.with(Ready::IN);
            }
            if sk.send_shutdown || self.is_writeable(id) {
                ready = ready.with(Ready::OUT);
            }
        }
        if sk.err.is_some() {
            ready = ready.with(Ready::ERR);
        }
        Ok(ready)
    }

    /// The next descriptor whose readiness changed, with what poll() says of it now. Each change
    /// is told once; drain it after every call.
    pub fn next_wake(&mut self) -> Option<(Fd, Ready)> {
        if let Some(fd) = self.closed_fds.pop_front() {
            return Some((fd, Ready::CLOSED));
        }
        while let Some(id) = self.wakes.pop_front() {
            if !self.socks.is_live(id) || !self.socks[id].wake_queued {
                continue;
            }
            self.socks[id].wake_queued = false;
            let fd = self.fd_of(id);
            if let Ok(ready) = self.poll(fd) {
                return Some((fd, ready));
            }
        }
        None
    }
}
