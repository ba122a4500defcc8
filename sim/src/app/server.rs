//! The server: answers each connection on its own, closes when it sees the peer's end of file.

use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::Instant;

use super::later::{Delay, Later};
use super::{AppCx, Got, Phase};
use crate::rng::Stream;
use crate::watch::Watch;

/// What a server is meant to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerPlan {
    /// Lowest and highest port that it listens on.
    pub ports: (u16, u16),
    /// listen()'s backlog.
    pub backlog: i32,
    /// Bytes of a request; with 0 it answers as soon as it has accepted.
    pub request: u32,
    /// Bytes of an answer; with 0 it does not answer.
    pub response: u32,
    /// From the request to the answer.
    pub service: Delay,
    /// From the peer's end of file to close().
    pub close_after: Delay,
    /// Does it close right after the answer, before the peer does?
    pub closes_first: bool,
    /// Bytes that it still writes after the peer's end of file, where it would close otherwise; it
    /// closes another `close_after` later.
    pub parting: u32,
}

/// A server at work.
#[derive(Debug)]
pub struct Server {
    plan: ServerPlan,
    stream: Stream,
    started: bool,
    thinking: Later,
    leaving: Later,
}

impl Server {
    /// A server before it listens; `stream` is its own chance.
    pub fn new(plan: ServerPlan, stream: Stream) -> Self {
        Self {
            thinking: Later::new(plan.service),
            leaving: Later::new(plan.close_after),
            started: false,
            stream,
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &ServerPlan {
        &self.plan
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        if !self.started {
            return Some(Instant::ZERO);
        }
        [self.thinking.due(), self.leaving.due()].into_iter().flatten().min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if !self.started {
            self.started = true;
            listen_on(self.plan.ports, self.plan.backlog, cx);
        }
        while let Some(fd) = self.thinking.take(cx.now) {
            self.answer(fd, cx);
        }
        while let Some(fd) = self.leaving.take(cx.now) {
            self.leave(fd, cx);
        }
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        if conn.phase == Phase::Listening {
            while let Ok(child) = cx.accept(fd) {
                let ready = cx.poll(child);
                self.serve(child, ready, cx);
            }
        } else {
            self.serve(fd, ready, cx);
        }
    }
    fn serve(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        let phase = conn.phase;
        if conn.left > 0 {
            if cx.send_rest(fd).is_err() {
                return close(fd, cx);
            }
            self.answered(fd, cx);
            if cx.conn(fd).is_none_or(|conn| conn.phase == Phase::Fresh) {
                return;
            }
        }
        let greets = phase == Phase::Reading && self.plan.request == 0;
        if greets {
            self.think(fd, cx);
        }
        if !ready.has(Ready::IN) && !ready.has(Ready::ERR) && !ready.has(Ready::HUP) {
            return;
        }
        match cx.read_all(fd) {
            Got::Bytes(n) => self.took(fd, n, false, cx),
            Got::Eof(n) => self.took(fd, n, true, cx),
            Got::Broken(_) => close(fd, cx),
        }
    }
    /// Bytes came, and perhaps the end of file.
    fn took(&mut self, fd: Fd, bytes: u32, eof: bool, cx: &mut AppCx<'_, impl Watch>) {
        let request = self.plan.request;
        let Some(conn) = cx.conn(fd) else { return };
        conn.got += bytes;
        conn.eof |= eof;
        let complete = conn.phase == Phase::Reading && request > 0 && conn.got >= request;
        if complete {
            self.think(fd, cx);
        }
        let Some(conn) = cx.conn(fd) else { return };
        let idle = matches!(conn.phase, Phase::Reading | Phase::Answered) && conn.left == 0;
        if conn.eof && idle {
            self.begin_to_leave(fd, cx);
        }
    }
    fn think(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        cx.set_phase(fd, Phase::Thinking);
        if self.thinking.set(cx.now, fd, &mut self.stream) {
            self.answer(fd, cx);
        }
    }
    fn answer(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        if conn.phase != Phase::Thinking {
            return;
        }
        conn.phase = Phase::Answered;
        if cx.send(fd, self.plan.response).is_err() {
            close(fd, cx);
        } else {
            self.answered(fd, cx);
        }
    }
    /// What follows an answer, once all of it has found room in the send buffer.
    fn answered(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        match cx.conn(fd) {
            Some(conn) if conn.left == 0 && conn.phase == Phase::Answered => {
                let eof = conn.eof;
                if self.plan.closes_first {
                    close(fd, cx);
                } else if eof {
                    self.begin_to_leave(fd, cx);
                }
            }
            _ => {}
        }
    }
    fn begin_to_leave(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        cx.set_phase(fd, Phase::Leaving);
        if self.leaving.set(cx.now, fd, &mut self.stream) {
            self.leave(fd, cx);
        }
    }
    fn leave(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        match cx.conn(fd).map(|c| c.phase) {
            Some(Phase::Leaving) if self.plan.parting > 0 => {
                cx.set_phase(fd, Phase::Parting);
                let sent = cx.send(fd, self.plan.parting);
                if sent.is_err() || self.leaving.set(cx.now, fd, &mut self.stream) {
                    close(fd, cx);
                }
            }
            Some(Phase::Leaving | Phase::Parting) => close(fd, cx),
            _ => {}
        }
    }
}

/// Listens on each port of a range.
pub(super) fn listen_on(ports: (u16, u16), backlog: i32, cx: &mut AppCx<'_, impl Watch>) {
    for port in ports.0..=ports.1 {
        let listening: Result<Fd, Errno> = cx.listen(Endpoint::new(Addr::ANY, port), backlog);
        assert!(listening.is_ok(), "invariant: a scenario gives each port to one server");
    }
}

/// Closes and forgets. Servers set no linger time, so close() returns at once.
pub(super) fn close(fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
    cx.set_phase(fd, Phase::Fresh);
    let closed = cx.close(fd);
    debug_assert!(closed.is_ok(), "invariant: a server closes what it owns, once");
}
