//! Redis, as far as a close is concerned: one thread, one event loop, commands one after the other.
//!
//! While a slow command runs, nothing else happens: nobody is accepted, answered or closed. A FIN
//! that arrives meanwhile is acknowledged by the kernel alone, and the application's own FIN
//! follows only when the loop comes round: that gap is the whole story of the incident.

use std::collections::VecDeque;

use finwait_model::kernel::{Fd, Ready, SockOpt};
use finwait_model::time::{Instant, Span};

use super::server::{Served, close, listen_on};
use super::{AppCx, Got, Phase, Reason, Why};
use crate::watch::Watch;

/// What a Redis is meant to do.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// `timeout`: clients that have been idle for more than so many whole seconds are closed; 0
    /// closes none.
    pub timeout_s: u32,
    /// `tcp-keepalive`: SO_KEEPALIVE on every client with that interval in seconds; 0 sets none.
    pub keepalive_s: u32,
    /// `maxclients`: who comes when there are so many is told so and closed.
    pub max_clients: u32,
    /// What `CLIENT LIST` calls the command that its clients send.
    pub command: String,
}

/// What it writes to a client too many, and then closes.
const TOO_MANY: &str = "-ERR max number of clients reached\r\n";
/// `maxclients` as it comes.
pub(crate) const MAX_CLIENTS: u32 = 10_000;
/// `tcp-keepalive` gives up after so many probes …
const KEEPALIVE_PROBES: i32 = 3;
/// … which it spreads over the interval once more.
const KEEPALIVE_PARTS: u32 = 3;

/// How often `clientsCron` runs (`hz`, 10 as it comes).
const CRON: Span = Span::millis(100);
/// How many runs of it a second has: each looks at that part of the clients …
const CRONS_PER_SECOND: usize = 10;
/// … and at least at so many.
const CRON_LEAST: usize = 5;
/// How long after a bind() that failed it tries again: Redis itself would end, and whoever watches
/// over it would start it again.
const RETRY: Span = Span::secs(1);

/// A Redis at work.
#[derive(Debug)]
pub struct Redis {
    plan: RedisPlan,
    /// Ready descriptors in the order in which they became so.
    queue: VecDeque<Fd>,
    /// When the loop has done what it does now.
    free_at: Instant,
    /// When the head of the queue will have been dealt with.
    done_at: Option<Instant>,
    next_slow: Option<Instant>,
    /// When the clients' idle times are looked at, if they are.
    next_cron: Option<Instant>,
    /// The clients in the order in which they are looked at; those that are gone stay until then.
    clients: VecDeque<Fd>,
    /// When it tries to listen.
    bind_at: Option<Instant>,
    /// Clients that it has.
    connected: u32,
    tally: Served,
}

impl Redis {
    /// A Redis before it listens.
    pub fn new(plan: RedisPlan) -> Self {
        let slow = plan.slow > Span::ZERO && plan.slow_every > Span::ZERO;
        Self {
            queue: VecDeque::with_capacity(64),
            free_at: Instant::ZERO,
            done_at: None,
            next_slow: slow.then_some(Instant::ZERO + plan.slow_first),
            next_cron: (plan.timeout_s > 0).then_some(Instant::ZERO + CRON),
            clients: VecDeque::new(),
            bind_at: Some(Instant::ZERO),
            connected: 0,
            tally: Served::default(),
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &RedisPlan {
        &self.plan
    }
    /// What it counted so far.
    pub const fn tally(&self) -> &Served {
        &self.tally
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        let earlier = |a: Option<Instant>, b: Option<Instant>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        earlier(earlier(self.bind_at, self.done_at), self.cron_at())
    }
    /// The loop looks after the clients when it is free.
    fn cron_at(&self) -> Option<Instant> {
        if self.done_at.is_some() { None } else { self.next_cron.map(|at| at.max(self.free_at)) }
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.bind_at.is_some_and(|at| at <= cx.now) {
            let taken = listen_on(&[self.plan.port], self.plan.backlog, true, cx);
            self.tally.in_use += taken.len() as u64;
            self.bind_at = (!taken.is_empty()).then_some(cx.now + RETRY);
            return;
        }
        if self.done_at.is_none_or(|at| at > cx.now) {
            if self.cron_at().is_some_and(|at| at <= cx.now) {
                self.cron(cx);
            }
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
        if self.next_cron.is_some_and(|at| at <= cx.now) {
            self.cron(cx);
        }
        self.plan_next(cx.now);
    }
    /// Looks at a tenth of the clients, and at five at least, and closes those that have been idle
    /// for too long. Redis counts both ends in whole seconds and asks for more than `timeout`.
    fn cron(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        self.next_cron = Some(cx.now + CRON);
        let second = |at: Instant| at.ns / 1_000_000_000;
        let now_s = second(cx.now);
        let looks = (self.clients.len() / CRONS_PER_SECOND).max(CRON_LEAST).min(self.clients.len());
        for _ in 0..looks {
            let Some(fd) = self.clients.pop_front() else { return };
            let Some(conn) = cx.conn(fd).filter(|conn| conn.phase != Phase::Fresh) else {
                continue;
            };
            let idle_s = now_s - second(conn.since);
            if idle_s <= u64::from(self.plan.timeout_s) {
                self.clients.push_back(fd);
                continue;
            }
            conn.phase = Phase::Fresh;
            self.connected -= 1;
            // It is open, and set no linger time.
            let _ = cx.close_because(fd, Why::plain(Reason::IdleTimeout));
        }
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let waits = cx.conn(fd).is_some_and(|conn| conn.left > 0);
        if waits && ready.has(Ready::OUT) {
            // The rest of an answer that did not fit takes no turn. If it fails, the error is read
            // in its turn.
            let sent = cx.send_rest(fd);
            let now = cx.now;
            if let (Ok(()), Some(conn)) = (sent, cx.conn(fd)) {
                conn.since = now;
            }
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
        let now = cx.now;
        let Some(conn) = cx.conn(fd) else { return };
        // A client that was closed for being idle may still stand in the queue.
        if conn.phase == Phase::Fresh {
            return;
        }
        conn.since = now;
        if conn.phase == Phase::Listening {
            while let Ok((child, ready)) = cx.accept_ready(fd) {
                self.accepted(child, ready, cx);
            }
            return;
        }
        match cx.read_all(fd) {
            Got::Broken(_) => {
                self.tally.torn += 1;
                self.free(fd, cx);
            }
            Got::Eof(_) => self.free(fd, cx),
            Got::Bytes(n) => {
                let Some(conn) = cx.conn(fd) else { return };
                conn.got += n;
                let commands = conn.got / self.plan.request.max(1);
                conn.got %= self.plan.request.max(1);
                if commands == 0 {
                    return;
                }
                if cx.send(fd, commands * self.plan.response).is_err() {
                    self.tally.torn += 1;
                    return self.free(fd, cx);
                }
                self.tally.served += u64::from(commands);
            }
        }
    }
    /// Somebody new: a client, unless there are too many. Then it is told so with what fits, and
    /// closed, whatever it may have sent already.
    fn accepted(&mut self, child: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        self.tally.accepted += 1;
        if self.connected >= self.plan.max_clients {
            self.tally.rejected += 1;
            // What cannot be written is not: the connection goes either way.
            let _ = cx.send(child, TOO_MANY.len() as u32);
            cx.set_phase(child, Phase::Fresh);
            // It is open, and set no linger time.
            let _ = cx.close_because(child, Why::plain(Reason::MaxClients));
            return;
        }
        self.connected += 1;
        if self.plan.keepalive_s > 0 {
            keep_alive(child, self.plan.keepalive_s, cx);
        }
        if self.next_cron.is_some() {
            self.clients.push_back(child);
        }
        // epoll tells at once of what has come before the accept.
        if ready.has(Ready::IN) {
            self.enqueue(child, cx);
        }
    }
    /// A client goes.
    fn free(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        self.connected -= 1;
        close(fd, cx);
    }
}

/// The first probe after the interval, the next ones a third of it apart, three in all.
fn keep_alive(fd: Fd, interval_s: u32, cx: &mut AppCx<'_, impl Watch>) {
    let seconds = |s: u32| i32::try_from(s).unwrap_or(i32::MAX);
    let between = (interval_s / KEEPALIVE_PARTS).max(1);
    for option in [
        SockOpt::KeepAlive(true),
        SockOpt::KeepIdle(seconds(interval_s)),
        SockOpt::KeepIntvl(seconds(between)),
        SockOpt::KeepCnt(KEEPALIVE_PROBES),
    ] {
        // Redis stops at the first that the kernel does not take, and goes on without the rest.
        if cx.setsockopt(fd, option).is_err() {
            return;
        }
    }
}
