//! The side of nginx that clients see: requests on kept connections, and how connections end.

use std::collections::VecDeque;

use finwait_model::kernel::{Fd, How, Ready, SockOpt};
use finwait_model::time::{Instant, Span};

use super::plan::{FrontPlan, Lingering};
use super::tally::{Status, WebTally};
use crate::app::alarms::Alarms;
use crate::app::held::Held;
use crate::app::server::listen_on;
use crate::app::{AppCx, Got, Phase, Reason, Why};
use crate::watch::Watch;

/// How long after a bind() that failed it tries again, as a supervisor would start it again.
const RETRY: Span = Span::secs(1);
const SECOND_NS: u64 = 1_000_000_000;

/// The clients of a web server.
#[derive(Debug)]
pub(crate) struct Front {
    plan: FrontPlan,
    tally: WebTally,
    to_bind: Vec<u16>,
    bind_at: Option<Instant>,
    clients: Held<Client>,
    alarms: Alarms,
    /// Whose requests nobody works on yet.
    requests: VecDeque<Fd>,
    /// Who is gone while somebody works on the request.
    aborted: VecDeque<Fd>,
}

/// A client's connection.
#[derive(Clone, Copy, Debug)]
struct Client {
    worker: u32,
    born: Instant,
    state: State,
    /// Requests that have come on it.
    requests: u32,
    /// Has its end of file been read?
    eof: bool,
    /// In which second lingering ends, whatever comes.
    lingers_until_s: u64,
}

/// What nginx does with a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It reads a request.
    Reading,
    /// The request is worked on.
    Working,
    /// The answer goes out; after it the connection is kept, or closed for that reason.
    Answering(Option<Reason>),
    /// Kept, between two requests.
    Idle,
    /// Shut for writing; what still comes is thrown away.
    Lingering,
}

impl Front {
    pub(crate) fn new(plan: FrontPlan) -> Self {
        Self {
            tally: WebTally::default(),
            to_bind: (plan.ports.0..=plan.ports.1).collect(),
            bind_at: Some(Instant::ZERO),
            clients: Held::default(),
            alarms: Alarms::default(),
            requests: VecDeque::new(),
            aborted: VecDeque::new(),
            plan,
        }
    }
    pub(crate) const fn tally(&self) -> &WebTally {
        &self.tally
    }
    /// Is it a client's connection?
    pub(crate) fn has(&self, fd: Fd) -> bool {
        self.clients.get(fd).is_some()
    }
    /// The worker whose client it is, if its request is being worked on.
    pub(crate) fn worker_of(&self, client: Fd) -> Option<u32> {
        self.clients.get(client).filter(|c| c.state == State::Working).map(|c| c.worker)
    }
    /// The next request that nobody works on yet, by its connection.
    pub(crate) fn next_request(&mut self) -> Option<Fd> {
        self.requests.pop_front()
    }
    /// The next client that is gone while somebody works on its request.
    pub(crate) fn next_aborted(&mut self) -> Option<Fd> {
        self.aborted.pop_front()
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        [self.bind_at, self.alarms.due()].into_iter().flatten().min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.bind_at.is_some_and(|at| at <= cx.now) {
            self.to_bind = listen_on(&self.to_bind, self.plan.backlog, true, cx);
            self.bind_at = (!self.to_bind.is_empty()).then_some(cx.now + RETRY);
        }
        while let Some(fd) = self.alarms.take(cx.now) {
            let Some(client) = self.clients.get(fd) else { continue };
            let reason = match client.state {
                State::Idle => Reason::KeepaliveTimeout,
                State::Lingering if second(cx.now) >= client.lingers_until_s => {
                    Reason::LingeringTime
                }
                State::Lingering => Reason::LingeringTimeout,
                State::Reading => Reason::HeaderTimeout,
                State::Working | State::Answering(_) => Reason::SendTimeout,
            };
            self.close(fd, reason, cx);
        }
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        if cx.conn(fd).is_some_and(|conn| conn.phase == Phase::Listening) {
            return self.accept(fd, cx);
        }
        let Some(client) = self.clients.get(fd) else { return };
        let gone = ready.has(Ready::RDHUP) || ready.has(Ready::HUP) || ready.has(Ready::ERR);
        match client.state {
            State::Reading | State::Idle => self.read(fd, cx),
            // `ngx_http_upstream_check_broken_connection`: "client prematurely closed connection".
            State::Working if gone && self.plan.sees_abort => self.abort(fd, cx),
            State::Answering(then) if ready.has(Ready::OUT) || gone => {
                if cx.send_rest(fd).is_err() {
                    return self.close(fd, Reason::Failed, cx);
                }
                if cx.conn(fd).is_some_and(|conn| conn.left > 0) {
                    self.alarms.set(fd, cx.now + self.plan.send_timeout);
                } else {
                    self.finish(fd, then, cx);
                }
            }
            State::Lingering => self.linger(fd, cx),
            State::Working | State::Answering(_) => {}
        }
    }
    fn accept(&mut self, listener: Fd, cx: &mut AppCx<'_, impl Watch>) {
        while let Ok(fd) = cx.accept(listener) {
            let worker = (self.tally.accepted % u64::from(self.plan.workers.max(1))) as u32;
            self.tally.accepted += 1;
            self.tally.open += 1;
            let client = Client {
                worker,
                born: cx.now,
                state: State::Reading,
                requests: 0,
                eof: false,
                lingers_until_s: 0,
            };
            self.clients.insert(fd, client);
            self.alarms.set(fd, cx.now + self.plan.header_timeout);
            if cx.poll(fd).has(Ready::IN) {
                self.read(fd, cx);
            }
        }
    }
    /// `ngx_http_wait_request_handler`, `ngx_http_keepalive_handler`.
    fn read(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let (bytes, eof) = match cx.read_all(fd) {
            Got::Bytes(bytes) => (bytes, false),
            Got::Eof(bytes) => (bytes, true),
            Got::Broken(_) => return self.close(fd, Reason::Failed, cx),
        };
        let Some(client) = self.clients.get_mut(fd) else { return };
        client.eof |= eof;
        let was_idle = client.state == State::Idle;
        let Some(conn) = cx.conn(fd) else { return };
        conn.got += bytes;
        if conn.got >= self.plan.request {
            self.begin(fd, cx);
        } else if eof {
            self.close(fd, Reason::ClientClosed, cx);
        } else if conn.got > 0 && was_idle {
            client.state = State::Reading;
            self.alarms.set(fd, cx.now + self.plan.header_timeout);
        }
    }
    /// A whole request is there.
    fn begin(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        self.alarms.clear(fd);
        let Some(client) = self.clients.get_mut(fd) else { return };
        if let Some(conn) = cx.conn(fd) {
            conn.got -= self.plan.request;
        }
        client.state = State::Working;
        client.requests += 1;
        self.tally.requests += 1;
        self.tally.under_way += 1;
        self.tally.reused += u64::from(client.requests > 1);
        self.requests.push_back(fd);
    }
    /// The answer to a client's request goes out; nothing happens if the client is gone.
    pub(crate) fn reply(&mut self, fd: Fd, status: Status, cx: &mut AppCx<'_, impl Watch>) {
        let Some(client) = self.clients.get_mut(fd).filter(|c| c.state == State::Working) else {
            return;
        };
        // As `ngx_http_update_location_config` decides it.
        let then = if self.plan.clients_close {
            Some(Reason::ConnectionClose)
        } else if self.plan.keepalive_timeout == Span::ZERO {
            Some(Reason::KeepaliveOff)
        } else if client.requests >= self.plan.keepalive_requests {
            Some(Reason::KeepaliveRequests)
        } else {
            None
        };
        client.state = State::Answering(then);
        self.tally.under_way -= 1;
        *self.tally.statuses.entry(status).or_default() += 1;
        if cx.send(fd, self.plan.response).is_err() {
            self.close(fd, Reason::Failed, cx);
        } else if cx.conn(fd).is_some_and(|conn| conn.left > 0) {
            self.alarms.set(fd, cx.now + self.plan.send_timeout);
        } else {
            self.finish(fd, then, cx);
        }
    }
    /// What follows an answer: `ngx_http_finalize_connection`.
    fn finish(&mut self, fd: Fd, then: Option<Reason>, cx: &mut AppCx<'_, impl Watch>) {
        let Some(client) = self.clients.get_mut(fd) else { return };
        let waiting = cx.conn(fd).map_or(0, |conn| conn.got);
        match then {
            _ if client.eof => self.close(fd, Reason::ClientClosed, cx),
            None if waiting >= self.plan.request => self.begin(fd, cx),
            None => {
                client.state = State::Idle;
                self.alarms.set(fd, cx.now + self.plan.keepalive_timeout);
                if client.requests == 1 {
                    // `tcp_nodelay on`, as it comes: set when a connection is kept. Linux takes it.
                    let _ = cx.setsockopt(fd, SockOpt::NoDelay(true));
                }
                if cx.poll(fd).has(Ready::IN) {
                    self.read(fd, cx);
                }
            }
            Some(reason) => {
                let unread = waiting > 0 || cx.poll(fd).has(Ready::IN);
                let lingers = match self.plan.lingering {
                    Lingering::Off => false,
                    Lingering::On => unread,
                    Lingering::Always => true,
                };
                if lingers {
                    self.begin_to_linger(fd, reason, cx);
                } else {
                    self.close(fd, reason, cx);
                }
            }
        }
    }
    /// `ngx_http_set_lingering_close`.
    fn begin_to_linger(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        if cx.shutdown(fd, How::Wr).is_err() {
            return self.close(fd, reason, cx);
        }
        let until_s = second(cx.now) + self.plan.lingering_time.ns / SECOND_NS;
        self.alarms.set(fd, cx.now + self.plan.lingering_timeout);
        if let Some(client) = self.clients.get_mut(fd) {
            client.state = State::Lingering;
            client.lingers_until_s = until_s;
        }
        if cx.poll(fd).has(Ready::IN) {
            self.linger(fd, cx);
        }
    }
    /// `ngx_http_lingering_close_handler`: the time that is left is counted in whole seconds.
    fn linger(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(client) = self.clients.get(fd) else { return };
        let left_s = client.lingers_until_s.saturating_sub(second(cx.now));
        if left_s == 0 {
            return self.close(fd, Reason::LingeringTime, cx);
        }
        match cx.read_all(fd) {
            Got::Bytes(_) => {
                let wait = Span::secs(left_s).min(self.plan.lingering_timeout);
                self.alarms.set(fd, cx.now + wait);
            }
            Got::Eof(_) => self.close(fd, Reason::LingeringClose, cx),
            Got::Broken(_) => self.close(fd, Reason::Failed, cx),
        }
    }
    /// The client is gone while its request is worked on: status 499.
    fn abort(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        self.tally.under_way -= 1;
        *self.tally.statuses.entry(Status::ClientClosed).or_default() += 1;
        self.aborted.push_back(fd);
        self.close(fd, Reason::ClientAborted, cx);
    }
    fn close(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        self.alarms.clear(fd);
        let Some(gone) = self.clients.remove(fd) else { return };
        self.tally.open -= 1;
        self.tally.closed(reason);
        let why = Why { reason, age: cx.now.since(gone.born), uses: gone.requests, number: 0 };
        cx.set_phase(fd, Phase::Fresh);
        // It is open, and set no linger time.
        let _ = cx.close_because(fd, why);
    }
}

/// `ngx_time()`: whole seconds.
const fn second(at: Instant) -> u64 {
    at.ns / SECOND_NS
}
