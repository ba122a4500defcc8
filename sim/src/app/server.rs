//! The server: answers each connection on its own, closes when it sees the peer's end of file, and
//! may be restarted: then the kernel closes everything, and a new process has to get its port.

use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::{Instant, Span};

use super::later::{Delay, Later};
use super::{AppCx, Got, Phase};
use crate::follow::AppTotal;
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
    /// Does it forget to close, so that its side stays in CLOSE-WAIT?
    pub never_closes: bool,
    /// Does it close right after the answer, before the peer does?
    pub closes_first: bool,
    /// Bytes that it still writes after the peer's end of file, where it would close otherwise; it
    /// closes another `close_after` later.
    pub parting: u32,
    /// Does it read at all? A program that hangs accepts, and neither reads nor closes.
    pub reads: bool,
    /// Does it set SO_REUSEADDR before bind()?
    pub reuse_addr: bool,
    /// How long after a bind() that failed it tries again.
    pub retry: Span,
    /// When its process is restarted, if it is.
    pub restart: Option<Restart>,
}

/// A server's process ends and another one begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restart {
    /// When for the first time.
    pub first: Span,
    /// How long until it happens again, if it does.
    pub every: Option<Span>,
    /// How long it takes the new process to call bind().
    pub down: Span,
}

/// What a server counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Served {
    /// Processes that were ended and begun anew.
    pub restarts: u64,
    /// bind() found the port taken (EADDRINUSE).
    pub in_use: u64,
    /// accept() gave it one.
    pub accepted: u64,
    /// The request was there in full, and the answer was handed to the kernel.
    pub served: u64,
    /// It ended in an error (ECONNRESET, EPIPE, ETIMEDOUT) instead of an end of file.
    pub torn: u64,
    /// Redis had `maxclients` of them already, and turned it away.
    pub rejected: u64,
}

impl Served {
    /// Adds another server's numbers.
    pub const fn add(&mut self, other: &Self) {
        self.add_times(other, 1);
    }
    /// The same so many times.
    pub(crate) const fn add_times(&mut self, other: &Self, times: u64) {
        self.restarts += other.restarts * times;
        self.in_use += other.in_use * times;
        self.accepted += other.accepted * times;
        self.served += other.served * times;
        self.torn += other.torn * times;
        self.rejected += other.rejected * times;
    }
}

/// A server at work.
#[derive(Debug)]
pub struct Server {
    plan: ServerPlan,
    stream: Stream,
    tally: Served,
    /// Ports that it does not listen on yet.
    to_bind: Vec<u16>,
    /// When it tries to.
    bind_at: Option<Instant>,
    restart_at: Option<Instant>,
    thinking: Later,
    leaving: Later,
}

impl Server {
    /// A server before it listens; `stream` is its own chance.
    pub fn new(plan: ServerPlan, stream: Stream) -> Self {
        Self {
            thinking: Later::new(plan.service),
            leaving: Later::new(plan.close_after),
            tally: Served::default(),
            to_bind: (plan.ports.0..=plan.ports.1).collect(),
            bind_at: Some(Instant::ZERO),
            restart_at: plan.restart.map(|r| Instant::ZERO + r.first),
            stream,
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &ServerPlan {
        &self.plan
    }
    /// What it counted so far.
    pub const fn tally(&self) -> &Served {
        &self.tally
    }
    /// So many connections have followed a track.
    pub(super) const fn count(&mut self, total: &AppTotal, times: u64) {
        self.tally.add_times(&total.served, times);
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        let all = [self.bind_at, self.restart_at, self.thinking.due(), self.leaving.due()];
        all.into_iter().flatten().min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.restart_at.is_some_and(|at| at <= cx.now) {
            self.restart(cx);
        }
        if self.bind_at.is_some_and(|at| at <= cx.now) {
            self.listen(cx);
        }
        while let Some(fd) = self.thinking.take(cx.now) {
            self.answer(fd, cx);
        }
        while let Some(fd) = self.leaving.take(cx.now) {
            self.leave(fd, cx);
        }
    }
    /// Listens on the ports that it has not got yet.
    fn listen(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        let ports = std::mem::take(&mut self.to_bind);
        self.to_bind = listen_on(&ports, self.plan.backlog, self.plan.reuse_addr, cx);
        self.tally.in_use += self.to_bind.len() as u64;
        self.bind_at = (!self.to_bind.is_empty()).then_some(cx.now + self.plan.retry);
    }
    fn restart(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        cx.exit();
        self.tally.restarts += 1;
        self.thinking = Later::new(self.plan.service);
        self.leaving = Later::new(self.plan.close_after);
        self.to_bind = (self.plan.ports.0..=self.plan.ports.1).collect();
        let Some(Restart { every, down, .. }) = self.plan.restart else { return };
        self.bind_at = Some(cx.now + down);
        self.restart_at = every.map(|every| cx.now + every);
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        if conn.phase == Phase::Listening {
            while let Ok((child, ready)) = cx.accept_ready(fd) {
                self.tally.accepted += 1;
                self.serve(child, ready, cx);
            }
        } else {
            self.serve(fd, ready, cx);
        }
    }
    fn serve(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        if !self.plan.reads {
            return;
        }
        let phase = conn.phase;
        if conn.left > 0 {
            if cx.send_rest(fd).is_err() {
                return self.tear(fd, cx);
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
            Got::Broken(_) => self.tear(fd, cx),
        }
    }
    /// It ended in an error.
    fn tear(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        self.tally.torn += 1;
        close(fd, cx);
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
            self.tear(fd, cx);
        } else {
            self.tally.served += 1;
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
        if !self.plan.never_closes && self.leaving.set(cx.now, fd, &mut self.stream) {
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

/// Listens on each of those ports; answers those that somebody else holds.
pub(super) fn listen_on(
    ports: &[u16],
    backlog: i32,
    reuse_addr: bool,
    cx: &mut AppCx<'_, impl Watch>,
) -> Vec<u16> {
    let taken =
        |&&port: &&u16| cx.listen(Endpoint::new(Addr::ANY, port), backlog, reuse_addr).is_err();
    ports.iter().filter(taken).copied().collect()
}

/// Closes and forgets. Servers set no linger time, so close() returns at once.
pub(super) fn close(fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
    cx.set_phase(fd, Phase::Fresh);
    let closed = cx.close(fd);
    debug_assert!(closed.is_ok(), "invariant: a server closes what it owns, once");
}
