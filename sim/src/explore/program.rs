//! What the programs of a schedule do: their system calls, and what is known because of them.

use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Closed, Fd, How, Ready, SockOpt};
use finwait_model::state::TcpState;

use super::schedule::{Act, Side, Step};
use super::stage::{CLIENT_PORT, Conn, PORT, Stage};
use crate::app::{AppId, Call, Reason, SysCall, Why};
use crate::watch::Watch;

/// The buffer that programs read into, bytes.
const BUFFER: u32 = 1 << 20;

impl Stage<'_> {
    fn show(
        &mut self,
        watch: &mut dyn Watch,
        fd: Fd,
        flow: FourTuple,
        what: SysCall,
        result: Result<u32, Errno>,
    ) {
        let call = Call { app: AppId(0), fd: fd.index, flow, what, result };
        watch.called(&call);
        let before = self.entered.take().unwrap_or(self.moment.did.len());
        self.moment.calls.push((before, call));
    }
    fn flow_of(&self, side: Side, fd: Fd) -> FourTuple {
        self.stacks[side].flow(fd).unwrap_or_default()
    }
    fn socket(&mut self, side: Side, watch: &mut dyn Watch) -> Fd {
        let fd = self.stacks[side].socket();
        self.show(watch, fd, FourTuple::default(), SysCall::Socket, Ok(fd.index));
        fd
    }
    /// The second host's program begins to listen.
    pub(super) fn listens(&mut self, watch: &mut dyn Watch) {
        let fd = self.socket(1, watch);
        let local = Endpoint::new(Addr::ANY, PORT);
        self.option(1, fd, SockOpt::ReuseAddr(true), watch);
        let bound = self.stacks[1].bind(fd, local);
        let flow = self.flow_of(1, fd);
        self.show(watch, fd, flow, SysCall::Bind(local), bound.map(|()| 0));
        let backlog = i32::from(self.schedule.backlog);
        let answer = self.enter(1, None, watch, |stack, cx| stack.listen(fd, backlog, cx));
        let flow = self.flow_of(1, fd);
        self.show(watch, fd, flow, SysCall::Listen(backlog), answer.map(|()| 0));
        self.listener = answer.is_ok().then_some(fd);
    }
    fn option(&mut self, side: Side, fd: Fd, option: SockOpt, watch: &mut dyn Watch) {
        let answer = self.enter(side, None, watch, |stack, cx| stack.setsockopt(fd, option, cx));
        let flow = self.flow_of(side, fd);
        self.show(watch, fd, flow, SysCall::SetSockOpt(option), answer.map(|()| 0));
    }
    /// Does a step.
    pub(super) fn act(&mut self, step: Step, watch: &mut dyn Watch) {
        let Step { side, conn, act, .. } = step;
        match act {
            Act::Connect | Act::Reconnect => return self.connect(act == Act::Reconnect, watch),
            Act::Accept => return self.accept(watch),
            Act::Exit => return self.exit(side, watch),
            Act::CloseListener => return self.close_listener(side, watch),
            _ => {}
        }
        let conn = usize::from(conn);
        let Some(fd) = self.conns.get(conn).and_then(|c| c.ends[side].fd) else { return };
        match act {
            Act::Send(len) => self.send(side, conn, fd, len, watch),
            Act::Recv => self.read(side, conn, fd, watch),
            Act::ShutWr => self.shutdown(side, conn, fd, How::Wr, watch),
            Act::ShutRd => self.shutdown(side, conn, fd, How::Rd, watch),
            Act::ShutRdWr => self.shutdown(side, conn, fd, How::RdWr, watch),
            Act::Close => self.close(side, conn, fd, Reason::Unsaid, watch),
            Act::LingerZero => {
                self.option(side, fd, SockOpt::Linger(Some(0)), watch);
                self.conns[conn].ends[side].linger_zero = true;
            }
            Act::Linger2(seconds) => self.option(side, fd, SockOpt::Linger2(seconds), watch),
            Act::Connect | Act::Reconnect | Act::Accept | Act::Exit | Act::CloseListener => {}
        }
    }
    fn connect(&mut self, again: bool, watch: &mut dyn Watch) {
        let (fd, to) = (self.socket(0, watch), self.server());
        if self.schedule.reuses_a_port() && (again || self.conns.is_empty()) {
            self.option(0, fd, SockOpt::ReuseAddr(true), watch);
            let local = Endpoint::new(Addr::ANY, CLIENT_PORT);
            self.entered = None;
            let bound = self.stacks[0].bind(fd, local);
            let flow = self.flow_of(0, fd);
            self.show(watch, fd, flow, SysCall::Bind(local), bound.map(|()| 0));
        }
        self.conns.push(Conn::default());
        let answer = self.enter(0, None, watch, |stack, cx| stack.connect(fd, to, cx));
        let opened = matches!(answer, Ok(()) | Err(Errno::EINPROGRESS));
        let flow = self.flow_of(0, fd);
        self.show(watch, fd, flow, SysCall::Connect(to), answer.map(|()| 0));
        let last = self.conns.len() - 1;
        if opened {
            self.conns[last].ends[0].fd = Some(fd);
        } else {
            // A SYN that is sent later is another one's, sent again.
            self.conns[last].refused = true;
            let closed = self.enter(0, None, watch, |stack, cx| stack.close(fd, cx));
            let what = SysCall::Close { lingers: false, why: Why::default() };
            self.show(watch, fd, flow, what, closed.map(|_| 0));
        }
    }
    fn accept(&mut self, watch: &mut dyn Watch) {
        let Some(listener) = self.listener else { return };
        let answer = self.enter(1, None, watch, |stack, cx| stack.accept(listener, cx));
        let flow = self.flow_of(1, answer.unwrap_or(listener));
        let result = answer.map(|fd| fd.index);
        self.show(watch, listener, flow, SysCall::Accept, result);
        let Ok(fd) = answer else { return };
        if let Some(conn) = self.conn_of(flow) {
            self.conns[conn].ends[1].fd = Some(fd);
            if !self.schedule.hosts[1].habits.leaves_unread {
                self.read(1, conn, fd, watch);
            }
        }
    }
    fn send(&mut self, side: Side, conn: usize, fd: Fd, len: u32, watch: &mut dyn Watch) {
        let answer = self.enter(side, None, watch, |stack, cx| stack.send(fd, len, false, cx));
        let flow = self.flow_of(side, fd);
        self.show(watch, fd, flow, SysCall::Send(len), answer);
        let end = &mut self.conns[conn].ends[side];
        match answer {
            Ok(taken) => end.sent += u64::from(taken),
            Err(Errno::EAGAIN) => {}
            // Its own shutdown(SHUT_WR) forbids it; nothing is broken.
            Err(Errno::EPIPE) if end.closed => {}
            Err(error) => end.broken = Some(error),
        }
    }
    /// Reads everything that is there.
    fn read(&mut self, side: Side, conn: usize, fd: Fd, watch: &mut dyn Watch) {
        loop {
            let answer = self.enter(side, None, watch, |stack, cx| stack.recv(fd, BUFFER, cx));
            let flow = self.flow_of(side, fd);
            self.show(watch, fd, flow, SysCall::Recv(BUFFER), answer);
            let end = &mut self.conns[conn].ends[side];
            match answer {
                Ok(0) => end.eof = true,
                Ok(bytes) => {
                    end.read += u64::from(bytes);
                    continue;
                }
                Err(Errno::EAGAIN) => {}
                Err(error) => end.broken = Some(error),
            }
            return;
        }
    }
    /// A program closes, or shuts down for writing: does it do so properly?
    fn closes(&mut self, side: Side, conn: usize) {
        let stands = !matches!(
            self.state(conn, side),
            TcpState::Close | TcpState::SynSent | TcpState::SynRecv | TcpState::NewSynRecv
        );
        let unread = self.unread(conn, side);
        let end = &mut self.conns[conn].ends[side];
        let proper = stands && unread == 0 && !end.linger_zero && end.broken.is_none();
        end.proper = proper && (end.proper || !end.closed);
        end.closed = true;
    }
    fn shutdown(&mut self, side: Side, conn: usize, fd: Fd, how: How, watch: &mut dyn Watch) {
        if how != How::Rd {
            self.closes(side, conn);
        }
        let flow = self.flow_of(side, fd);
        let answer = self.enter(side, None, watch, |stack, cx| stack.shutdown(fd, how, cx));
        self.show(watch, fd, flow, SysCall::Shutdown(how), answer.map(|()| 0));
    }
    fn close(&mut self, side: Side, conn: usize, fd: Fd, reason: Reason, watch: &mut dyn Watch) {
        // Its peer may have used the ports again already, and its socket be there all the same.
        let superseded = self.conns.get(conn).is_some_and(|c| c.superseded);
        if superseded || self.state(conn, side) != TcpState::Close {
            self.closes(side, conn);
        }
        self.conns[conn].ends[side].fd = None;
        self.close_fd(side, fd, reason, watch);
    }
    fn close_fd(&mut self, side: Side, fd: Fd, reason: Reason, watch: &mut dyn Watch) {
        let flow = self.flow_of(side, fd);
        let answer = self.enter(side, None, watch, |stack, cx| stack.close(fd, cx));
        let lingers = answer == Ok(Closed::Lingers);
        let why = Why { reason, ..Why::default() };
        self.show(watch, fd, flow, SysCall::Close { lingers, why }, answer.map(|_| 0));
    }
    /// The kernel closes the descriptors of a process that ends in their order.
    fn exit(&mut self, side: Side, watch: &mut dyn Watch) {
        self.close_listener(side, watch);
        for conn in 0..self.conns.len() {
            if let Some(fd) = self.conns[conn].ends[side].fd {
                self.close(side, conn, fd, Reason::Exit, watch);
            }
        }
    }
    fn close_listener(&mut self, side: Side, watch: &mut dyn Watch) {
        if side == 1
            && let Some(fd) = self.listener.take()
        {
            self.close_fd(1, fd, Reason::Unsaid, watch);
        }
    }
    /// The kernel has woken whoever holds a descriptor.
    pub(super) fn woken(&mut self, side: Side, fd: Fd, _ready: Ready, watch: &mut dyn Watch) {
        let habits = self.schedule.hosts[side].habits;
        if side == 1 && self.listener == Some(fd) {
            if !habits.never_accepts {
                self.accept(watch);
            }
            return;
        }
        let held = self.conns.iter().position(|c| c.ends[side].fd == Some(fd));
        if let Some(conn) = held.filter(|_| !habits.leaves_unread) {
            let end = &self.conns[conn].ends[side];
            if !end.eof && end.broken.is_none() && self.stands(conn, side) {
                self.read(side, conn, fd, watch);
            }
        }
    }
    /// Is there anything to read from? Nobody reads before the connection stands.
    fn stands(&self, conn: usize, side: Side) -> bool {
        !matches!(
            self.state(conn, side),
            TcpState::SynSent | TcpState::SynRecv | TcpState::NewSynRecv
        )
    }
}
