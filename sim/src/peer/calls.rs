//! System calls on top of smoltcp's sockets, with the names and answers of Linux.

use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Closed, Fd, How, Ready, SockOpt};
use finwait_model::sink::{Cx, Sink};
use finwait_model::state::TcpState;
use smoltcp::socket::tcp;
use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Address};

use super::content::{Content, fill};
use super::{Conn, FIRST_PORT, Listener, Options, Peer, What};

/// How much is written or read at once.
const CHUNK: usize = 16 * 1024;

impl Peer {
    /// socket().
    pub fn open(&mut self) -> Fd {
        let index = self.new_slot(What::Fresh { port: 0, options: Options::default() });
        self.fd(index)
    }
    /// bind(). The address is always the host's own.
    pub fn bind(&mut self, fd: Fd, local: Endpoint) -> Result<(), Errno> {
        let index = self.slot(fd)?;
        if local.port != 0 && self.ports.contains_key(&local.port) {
            return Err(Errno::EADDRINUSE);
        }
        let What::Fresh { port, .. } = &mut self.slots[index as usize].what else {
            return Err(Errno::EINVAL);
        };
        *port = local.port;
        Ok(())
    }
    /// listen().
    pub fn listen(
        &mut self,
        fd: Fd,
        backlog: i32,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let index = self.slot(fd)?;
        let What::Fresh { port, .. } = self.slots[index as usize].what else {
            return Err(Errno::EINVAL);
        };
        if port == 0 {
            return Err(Errno::EDESTADDRREQ);
        }
        if self.ports.contains_key(&port) {
            return Err(Errno::EADDRINUSE);
        }
        let backlog = usize::try_from(backlog).unwrap_or(0).max(1);
        let listener = Listener { port, backlog, spare: None, waiting: Default::default() };
        self.slots[index as usize].what = What::Listener(listener);
        self.ports.insert(port, index);
        self.turn(None, cx);
        Ok(())
    }
    /// accept(): a connection that stands, in the order of SYNs.
    pub fn accept(&mut self, fd: Fd, _cx: &mut Cx<'_, impl Sink>) -> Result<Fd, Errno> {
        let index = self.slot(fd)?;
        let What::Listener(listener) = &self.slots[index as usize].what else {
            return Err(Errno::EINVAL);
        };
        let stands = |at: &usize| {
            let conn = listener.waiting.get(*at).and_then(|&slot| self.conn(slot));
            conn.is_some_and(|conn| conn.state != TcpState::SynRecv)
        };
        let place = (0..listener.waiting.len()).find(stands).ok_or(Errno::EAGAIN)?;
        let listener = self.listener_mut(index).ok_or(Errno::EINVAL)?;
        let slot = listener.waiting.remove(place).ok_or(Errno::EAGAIN)?;
        if let Some(conn) = self.conn_mut(slot) {
            conn.listener = None;
            conn.has_file = true;
        }
        self.look_again(slot);
        Ok(self.fd(slot))
    }
    /// connect(): EINPROGRESS when the SYN is out.
    pub fn connect(
        &mut self,
        fd: Fd,
        to: Endpoint,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let index = self.slot(fd)?;
        let (port, options) = match &mut self.slots[index as usize].what {
            What::Fresh { port, options } => (*port, *options),
            What::Conn(conn) => {
                return Err(match conn.error.take() {
                    Some(error) => error,
                    None if conn.state == TcpState::SynSent => Errno::EALREADY,
                    None => Errno::EISCONN,
                });
            }
            What::Free | What::Listener(_) => return Err(Errno::EISCONN),
        };
        if to.port == 0 {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let port = if port == 0 { self.free_port(to)? } else { port };
        let flow = FourTuple::new(Endpoint::new(self.config.addr, port), to);
        if self.flows.contains_key(&flow) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let handle = self.new_socket(options);
        let addr = IpAddress::Ipv4(Ipv4Address::from_bits(to.addr.0));
        let socket = self.sockets.get_mut::<tcp::Socket<'static>>(handle);
        let began = socket.connect(self.iface.context(), IpEndpoint::new(addr, to.port), port);
        if began.is_err() {
            self.sockets.remove(handle);
            return Err(Errno::ENETUNREACH);
        }
        let mut conn = Conn::new(handle, flow, options);
        conn.has_file = true;
        self.slots[index as usize].what = What::Conn(conn);
        self.flows.insert(flow, index);
        self.turn(None, cx);
        Err(Errno::EINPROGRESS)
    }
    /// The next port that no connection to that end uses.
    fn free_port(&mut self, to: Endpoint) -> Result<u16, Errno> {
        for _ in FIRST_PORT..=u16::MAX {
            let port = self.next_port;
            self.next_port = if port == u16::MAX { FIRST_PORT } else { port + 1 };
            let flow = FourTuple::new(Endpoint::new(self.config.addr, port), to);
            if !self.flows.contains_key(&flow) && !self.ports.contains_key(&port) {
                return Ok(port);
            }
        }
        Err(Errno::EADDRNOTAVAIL)
    }
    /// setsockopt(): the few options that smoltcp has something for; the others are ENOPROTOOPT.
    pub fn setsockopt(
        &mut self,
        fd: Fd,
        option: SockOpt,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let index = self.slot(fd)?;
        let change = |options: &mut Options| match option {
            // A port is free as soon as nobody listens on it, and nothing else holds it.
            SockOpt::ReuseAddr(_) | SockOpt::ReusePort(_) => Ok(()),
            SockOpt::Linger(None) => {
                options.linger_zero = false;
                Ok(())
            }
            SockOpt::Linger(Some(0)) => {
                options.linger_zero = true;
                Ok(())
            }
            SockOpt::NoDelay(on) => {
                options.no_delay = on;
                Ok(())
            }
            SockOpt::KeepAlive(on) => {
                options.keepalive = on;
                Ok(())
            }
            _ => Err(Errno::ENOPROTOOPT),
        };
        match &mut self.slots[index as usize].what {
            What::Fresh { options, .. } => change(options)?,
            What::Conn(conn) => {
                change(&mut conn.options)?;
                let (handle, options) = (conn.socket, conn.options);
                options.put_in_force(self.sockets.get_mut(handle));
            }
            What::Free | What::Listener(_) => change(&mut Options::default())?,
        }
        self.turn(None, cx);
        Ok(())
    }
    /// shutdown(). smoltcp can shut its own half only.
    pub fn shutdown(&mut self, fd: Fd, how: How, cx: &mut Cx<'_, impl Sink>) -> Result<(), Errno> {
        let index = self.slot(fd)?;
        let conn = self.conn(index).ok_or(Errno::ENOTCONN)?;
        if matches!(how, How::Rd) {
            return Err(Errno::EOPNOTSUPP);
        }
        if conn.state == TcpState::Close {
            return Err(Errno::ENOTCONN);
        }
        let handle = conn.socket;
        self.sockets.get_mut::<tcp::Socket<'static>>(handle).close();
        self.turn(None, cx);
        Ok(())
    }
    /// close(): the FIN leaves when everything that was written has left, or a RST at once if
    /// SO_LINGER is 0. What still comes is read and thrown away, so that the connection can end.
    pub fn close(&mut self, fd: Fd, cx: &mut Cx<'_, impl Sink>) -> Result<Closed, Errno> {
        let index = self.slot(fd)?;
        match &mut self.slots[index as usize].what {
            What::Free | What::Fresh { .. } => self.free_slot(index),
            What::Conn(conn) => {
                conn.has_file = false;
                let (handle, aborts) = (conn.socket, conn.options.linger_zero);
                // A connection that never came about is given up, as smoltcp does it.
                conn.aborted |= aborts;
                let socket = self.sockets.get_mut::<tcp::Socket<'static>>(handle);
                if aborts {
                    socket.abort()
                } else {
                    socket.close()
                }
                self.turn(None, cx);
            }
            What::Listener(listener) => {
                let (port, spare) = (listener.port, listener.spare.take());
                let waiting = core::mem::take(&mut listener.waiting);
                if let Some(handle) = spare {
                    self.sockets.remove(handle);
                }
                for slot in waiting {
                    if let Some(conn) = self.conn_mut(slot) {
                        conn.listener = None;
                        conn.aborted = true;
                        let handle = conn.socket;
                        self.sockets.get_mut::<tcp::Socket<'static>>(handle).abort();
                    }
                }
                self.ports.remove(&port);
                self.free_slot(index);
                self.turn(None, cx);
            }
        }
        Ok(Closed::Now)
    }
    /// send(): how many bytes found room.
    pub fn send(&mut self, fd: Fd, len: u32, cx: &mut Cx<'_, impl Sink>) -> Result<u32, Errno> {
        let index = self.slot(fd)?;
        let conn = self.conn_mut(index).ok_or(Errno::EPIPE)?;
        if let Some(error) = conn.error.take() {
            return Err(error);
        }
        if matches!(conn.state, TcpState::SynSent | TcpState::SynRecv) {
            return Err(Errno::EAGAIN);
        }
        let (handle, first) = (conn.socket, conn.written);
        let socket = self.sockets.get_mut::<tcp::Socket<'static>>(handle);
        if !socket.may_send() {
            return Err(Errno::EPIPE);
        }
        let mut taken = 0;
        while taken < len {
            let want = (len - taken).min(CHUNK as u32) as usize;
            let mut bytes = vec![0; want];
            fill(&mut bytes, (first as u32).wrapping_add(taken));
            let Ok(n) = socket.send_slice(&bytes) else { break };
            taken += n as u32;
            if n < want {
                break;
            }
        }
        if let Some(conn) = self.conn_mut(index) {
            conn.written += u64::from(taken);
        }
        self.turn(None, cx);
        self.look_again(index);
        if taken == 0 && len > 0 { Err(Errno::EAGAIN) } else { Ok(taken) }
    }
    /// recv(): how many bytes were read, 0 at the end of file. Each is looked at.
    pub fn recv(&mut self, fd: Fd, len: u32, cx: &mut Cx<'_, impl Sink>) -> Result<u32, Errno> {
        let index = self.slot(fd)?;
        let taken = self.take(index, len);
        let conn = self.conn_mut(index).ok_or(Errno::ENOTCONN)?;
        if taken > 0 {
            self.turn(None, cx);
            self.look_again(index);
            return Ok(taken);
        }
        if let Some(error) = conn.error.take() {
            return Err(error);
        }
        match conn.state {
            TcpState::Close if conn.irs.is_none() => Err(Errno::ENOTCONN),
            state if is_at_end(state) || len == 0 => Ok(0),
            _ => Err(Errno::EAGAIN),
        }
    }
    /// Takes bytes out of a receive buffer and looks at them.
    pub(super) fn take(&mut self, index: u32, len: u32) -> u32 {
        let Some(conn) = self.conn(index) else { return 0 };
        let (handle, mut place) = (conn.socket, conn.read);
        let socket = self.sockets.get_mut::<tcp::Socket<'static>>(handle);
        let mut buffer = vec![0; (len as usize).min(CHUNK)];
        let mut taken = 0;
        while taken < len {
            let most = buffer.len().min((len - taken) as usize);
            let Ok(n) = socket.recv_slice(&mut buffer[..most]) else { break };
            if n == 0 {
                break;
            }
            self.content.received += n as u64;
            self.content.wrong += Content::wrong_in(&buffer[..n], place as u32);
            place += n as u64;
            taken += n as u32;
        }
        if let Some(conn) = self.conn_mut(index) {
            conn.read = place;
        }
        taken
    }
    /// poll(): what is ready now.
    pub fn poll(&self, fd: Fd) -> Result<Ready, Errno> {
        let index = self.slot(fd)?;
        Ok(match &self.slots[index as usize].what {
            What::Free | What::Fresh { .. } => Ready::HUP,
            What::Listener(listener) => {
                let stands = |&slot: &u32| {
                    self.conn(slot).is_some_and(|conn| conn.state != TcpState::SynRecv)
                };
                if listener.waiting.iter().any(stands) { Ready::IN } else { Ready::default() }
            }
            What::Conn(conn) => self.ready(conn),
        })
    }
    pub(super) fn ready(&self, conn: &Conn) -> Ready {
        let mut ready = Ready::default();
        if matches!(conn.state, TcpState::SynSent | TcpState::SynRecv) {
            return ready;
        }
        let socket = self.socket(conn);
        if socket.can_recv() {
            ready = ready.with(Ready::IN);
        }
        if is_at_end(conn.state) {
            ready = ready.with(Ready::IN).with(Ready::RDHUP);
        }
        if socket.can_send() || !socket.may_send() {
            ready = ready.with(Ready::OUT);
        }
        if conn.state == TcpState::Close {
            ready = ready.with(Ready::HUP);
        }
        if conn.error.is_some() {
            ready = ready.with(Ready::ERR);
        }
        ready
    }
    /// The next descriptor whose readiness changed, with what poll() says of it now.
    pub fn next_wake(&mut self) -> Option<(Fd, Ready)> {
        while let Some(index) = self.wakes.pop_front() {
            if let Some(conn) = self.conn_mut(index) {
                conn.wake_queued = false;
            }
            let fd = self.fd(index);
            match &self.slots[index as usize].what {
                What::Conn(conn) if conn.has_file => {
                    let ready = self.ready(conn);
                    self.look_again(index);
                    return Some((fd, ready));
                }
                What::Listener(_) => {
                    let ready = self.poll(fd).unwrap_or_default();
                    if ready.has(Ready::IN) {
                        return Some((fd, ready));
                    }
                }
                What::Free | What::Fresh { .. } | What::Conn(_) => {}
            }
        }
        None
    }
    /// The connection of a descriptor, seen from this host.
    pub fn flow(&self, fd: Fd) -> Result<FourTuple, Errno> {
        let index = self.slot(fd)?;
        let here =
            |port| FourTuple::new(Endpoint::new(self.config.addr, port), Endpoint::default());
        Ok(match &self.slots[index as usize].what {
            What::Conn(conn) => conn.flow,
            What::Listener(listener) => here(listener.port),
            What::Fresh { port, .. } if *port != 0 => here(*port),
            What::Free | What::Fresh { .. } => FourTuple::default(),
        })
    }
}

/// Has the other end's FIN come, or is the connection over?
const fn is_at_end(state: TcpState) -> bool {
    matches!(
        state,
        TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Closing
            | TcpState::TimeWait
            | TcpState::Close
    )
}
