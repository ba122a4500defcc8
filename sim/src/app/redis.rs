//! Redis, as far as a close is concerned: one thread, one event loop, commands one after the other.
//!
//! While a slow command runs, nothing else happens: nobody is accepted, answered or closed. A FIN
//! that arrives meanwhile is acknowledged by the kernel alone, and the application's own FIN
//! follows only when the loop comes round: that gap is the whole story of the incident.

use std::collections::VecDeque;

use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::{Instant, Span};

use super::server::{close, listen_on};
use super::{AppCx, Got, Phase};
use crate::watch::Watch;

/// What a Redis is meant to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RedisPlan {
    /// The port that it listens on.
    pub port: u16,
    /// listen()'s backlog (`tcp-backlog`, 511 as it comes).
    pub backlog: i32,
    /// Bytes of a request.
    pub request: u32,
    /// Bytes of an answer.
    pub response: u32,
    /// What one turn of the loop costs: an accept, a command, a close.
    pub service: Span,
    /// How long a slow command takes; zero if there is none.
    pub slow: Span,
    /// How often one comes.
    pub slow_every: Span,
    /// When the first one comes.
    pub slow_first: Span,
}

/// A Redis at work.
#[derive(Debug)]
pub struct Redis {
    plan: RedisPlan,
    started: bool,
    /// Ready descriptors in the order in which they became so.
    queue: VecDeque<Fd>,
    /// When the loop has done what it does now.
    free_at: Instant,
    /// When the head of the queue will have been dealt with.
    done_at: Option<Instant>,
    next_slow: Option<Instant>,
}

impl Redis {
    /// A Redis before it listens.
    pub fn new(plan: RedisPlan) -> Self {
        let slow = plan.slow > Span::ZERO && plan.slow_every > Span::ZERO;
        Self {
            started: false,
            queue: VecDeque::with_capacity(64),
            free_at: Instant::ZERO,
            done_at: None,
            next_slow: slow.then_some(Instant::ZERO + plan.slow_first),
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &RedisPlan {
        &self.plan
    }
    pub(crate) const fn due(&self) -> Option<Instant> {
        if self.started { self.done_at } else { Some(Instant::ZERO) }
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if !self.started {
            self.started = true;
            listen_on((self.plan.port, self.plan.port), self.plan.backlog, cx);
            return;
        }
        self.done_at = None;
        self.free_at = cx.now;
        if let Some(fd) = self.queue.pop_front() {
            if let Some(conn) = cx.conn(fd) {
                conn.queued = false;
            }
            self.handle(fd, cx);
        }
        self.plan_next(cx.now);
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let waits = cx.conn(fd).is_some_and(|conn| conn.left > 0);
        if waits && ready.has(Ready::OUT) {
            // The rest of an answer that did not fit takes no turn. If it fails, the error is read
            // in its turn.
            let _ = cx.send_rest(fd);
        }
        if !ready.has(Ready::IN) && !ready.has(Ready::ERR) && !ready.has(Ready::HUP) {
            return;
        }
        self.enqueue(fd, cx);
        self.plan_next(cx.now);
    }
    fn enqueue(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        if !conn.queued {
            conn.queued = true;
            self.queue.push_back(fd);
        }
    }
    /// Says when the head of the queue will be done: after whatever the loop is doing, after a slow
    /// command if one has come up meanwhile, and after its own turn.
    fn plan_next(&mut self, now: Instant) {
        if self.done_at.is_some() || self.queue.is_empty() {
            return;
        }
        let mut begin = self.free_at.max(now);
        while let Some(slow_at) = self.next_slow
            && slow_at <= begin
        {
            // It began when it came up, or when the loop was free, and may be over already.
            self.free_at = self.free_at.max(slow_at) + self.plan.slow;
            begin = begin.max(self.free_at);
            self.next_slow = Some(slow_at + self.plan.slow_every);
        }
        self.done_at = Some(begin + self.plan.service);
    }
    fn handle(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        if conn.phase == Phase::Listening {
            while let Ok(child) = cx.accept(fd) {
                // epoll tells at once of what has come before the accept.
                if cx.poll(child).has(Ready::IN) {
                    self.enqueue(child, cx);
                }
            }
            return;
        }
        match cx.read_all(fd) {
            Got::Broken(_) => close(fd, cx),
            Got::Eof(_) => close(fd, cx),
            Got::Bytes(n) => {
                let Some(conn) = cx.conn(fd) else { return };
                conn.got += n;
                let commands = conn.got / self.plan.request.max(1);
                conn.got %= self.plan.request.max(1);
                if commands > 0 && cx.send(fd, commands * self.plan.response).is_err() {
                    close(fd, cx);
                }
            }
        }
    }
}
