//! The side of nginx that asks others: servers in turn, and the connections that are kept
//! (`ngx_http_upstream.c`, `ngx_http_upstream_keepalive_module.c`, `ngx_http_upstream_round_robin.c`).

use std::collections::{BTreeMap, VecDeque};

use finwait_model::errno::Errno;
use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::{Instant, Span};

use super::plan::UpstreamPlan;
use super::tally::{Status, WebTally};
use crate::app::alarms::Alarms;
use crate::app::held::Held;
use crate::app::{AppCx, Got, Phase, Reason, Tally, Why};
use crate::latencies::Latencies;
use crate::watch::Watch;

/// The upstream of a web server.
#[derive(Debug)]
pub(super) struct Upstream {
    plan: UpstreamPlan,
    tally: Tally,
    web: WebTally,
    latencies: Latencies,
    connects: Latencies,
    workers: Vec<Worker>,
    conns: Held<Connection>,
    alarms: Alarms,
    /// Which connection works for which client.
    serving: BTreeMap<Fd, Fd>,
    answers: VecDeque<(Fd, Status)>,
}

/// What each worker process has of its own.
#[derive(Clone, Default, Debug)]
struct Worker {
    /// Whose turn it is.
    next: usize,
    /// Idle connections, the most recently used in front.
    cache: VecDeque<Fd>,
}

/// A connection to a server of the upstream.
#[derive(Clone, Copy, Debug)]
struct Connection {
    worker: u32,
    target: usize,
    born: Instant,
    /// Requests that it has carried.
    uses: u32,
    /// Has the server's end of file been seen?
    eof: bool,
    question: Option<Question>,
}

/// A request on its way to the upstream.
#[derive(Clone, Copy, Debug)]
struct Question {
    client: Fd,
    worker: u32,
    began: Instant,
    /// How many servers may still be asked, this one included.
    tries: usize,
    /// Did its connection come out of the cache?
    cached: bool,
}

/// Why a question failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    Error(&'static str),
    Timeout,
}

impl Upstream {
    pub(super) fn new(plan: UpstreamPlan, workers: u32) -> Self {
        Self {
            tally: Tally::default(),
            web: WebTally::default(),
            latencies: Latencies::default(),
            connects: Latencies::default(),
            workers: vec![Worker::default(); workers.max(1) as usize],
            conns: Held::default(),
            alarms: Alarms::default(),
            serving: BTreeMap::new(),
            answers: VecDeque::new(),
            plan,
        }
    }
    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }
    pub(super) const fn web(&self) -> &WebTally {
        &self.web
    }
    pub(super) const fn latencies(&self) -> &Latencies {
        &self.latencies
    }
    pub(super) const fn connects(&self) -> &Latencies {
        &self.connects
    }
    /// The next client whose question has an answer, or never will.
    pub(super) fn next_answer(&mut self) -> Option<(Fd, Status)> {
        self.answers.pop_front()
    }
    pub(super) fn due(&self) -> Option<Instant> {
        self.alarms.due()
    }
    pub(super) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        while let Some(fd) = self.alarms.take(cx.now) {
            match cx.conn(fd).map(|conn| conn.phase) {
                Some(Phase::Pooled) => self.close_idle(fd, Reason::PoolIdle, cx),
                Some(Phase::Connecting) => {
                    self.tally.not_connected += 1;
                    self.fail(fd, Failure::Timeout, cx);
                }
                Some(Phase::Reading) => {
                    self.tally.broken += 1;
                    self.fail(fd, Failure::Timeout, cx);
                }
                _ => {}
            }
        }
    }
    pub(super) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(connection) = self.conns.get_mut(fd) else { return };
        let gone = ready.has(Ready::HUP) || ready.has(Ready::ERR);
        connection.eof |= gone || ready.has(Ready::RDHUP);
        match cx.conn(fd).map(|conn| conn.phase) {
            Some(Phase::Connecting) if gone => {
                self.tally.not_connected += 1;
                let errno = cx.recv_one(fd).err().unwrap_or(Errno::ENOTCONN);
                self.fail(fd, Failure::Error(errno.name()), cx);
            }
            Some(Phase::Connecting) if ready.has(Ready::OUT) => {
                self.connects.record(cx.now.since(connection.born));
                self.send(fd, cx);
            }
            Some(Phase::Reading) => self.read(fd, cx),
            // `ngx_http_upstream_keepalive_close_handler`.
            Some(Phase::Pooled) if cx.recv_one(fd) != Err(Errno::EAGAIN) => {
                self.close_idle(fd, Reason::PoolReadable, cx);
            }
            _ => {}
        }
    }
    /// A client's request needs an answer.
    pub(super) fn ask(&mut self, client: Fd, worker: u32, cx: &mut AppCx<'_, impl Watch>) {
        let tries = self.plan.targets.len();
        self.get(Question { client, worker, began: cx.now, tries, cached: false }, cx);
    }
    /// The client is gone: "client prematurely closed connection, so upstream connection is closed
    /// too".
    pub(super) fn abort(&mut self, client: Fd, cx: &mut AppCx<'_, impl Watch>) {
        if let Some(fd) = self.serving.remove(&client) {
            self.close(fd, Reason::ClientAborted, cx);
        }
    }
    /// Chooses a server and a connection to it: a kept one, the most recently used first
    /// (`ngx_http_upstream_get_keepalive_peer`), or a new one. connect() may fail at once, and then it
    /// is the next one's turn.
    fn get(&mut self, mut question: Question, cx: &mut AppCx<'_, impl Watch>) {
        loop {
            let worker = &mut self.workers[question.worker as usize];
            let target = worker.next % self.plan.targets.len();
            worker.next = target + 1;
            let conns = &self.conns;
            let fits = |fd: &Fd| conns.get(*fd).is_some_and(|c| c.target == target);
            if let Some(place) = worker.cache.iter().position(fits)
                && let Some(fd) = worker.cache.remove(place)
            {
                self.web.hits += 1;
                self.web.idle -= 1;
                question.cached = true;
                return self.take(fd, question, cx);
            }
            question.cached = false;
            self.web.misses += 1;
            match self.connect(target, question, cx) {
                Ok(()) => return,
                Err(errno) => self.web.error(errno.name()),
            }
            if !self.goes_on(&mut question, Failure::Error("")) {
                return;
            }
        }
    }
    fn connect(
        &mut self,
        target: usize,
        question: Question,
        cx: &mut AppCx<'_, impl Watch>,
    ) -> Result<(), Errno> {
        self.tally.started += 1;
        let fd = cx.socket(Phase::Connecting);
        let connected = cx.connect(fd, self.plan.targets[target]);
        if let Err(errno) = connected
            && errno != Errno::EINPROGRESS
        {
            if errno == Errno::EADDRNOTAVAIL {
                self.tally.no_port += 1;
            } else {
                self.tally.not_connected += 1;
            }
            self.tally.finished += 1;
            cx.set_phase(fd, Phase::Fresh);
            // Nothing is connected, so there is nothing to linger for.
            let _ = cx.close_because(fd, Why::plain(Reason::Failed));
            return Err(errno);
        }
        let worker = question.worker;
        let connection = Connection {
            worker,
            target,
            born: cx.now,
            uses: 0,
            eof: false,
            question: Some(question),
        };
        self.conns.insert(fd, connection);
        self.serving.insert(question.client, fd);
        self.alarms.set(fd, cx.now + self.plan.connect_timeout);
        Ok(())
    }
    /// A kept connection is used again.
    fn take(&mut self, fd: Fd, question: Question, cx: &mut AppCx<'_, impl Watch>) {
        if let Some(connection) = self.conns.get_mut(fd) {
            connection.question = Some(question);
        }
        self.serving.insert(question.client, fd);
        self.send(fd, cx);
    }
    fn send(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(connection) = self.conns.get_mut(fd) else { return };
        connection.uses += 1;
        cx.set_phase(fd, Phase::Reading);
        if let Some(conn) = cx.conn(fd) {
            (conn.got, conn.left) = (0, 0);
        }
        self.alarms.set(fd, cx.now + self.plan.read_timeout);
        if let Err(errno) = cx.send(fd, self.plan.request) {
            self.tally.broken += 1;
            self.fail(fd, Failure::Error(errno.name()), cx);
        }
    }
    fn read(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let got = match cx.send_rest(fd) {
            Ok(()) => cx.read_all(fd),
            Err(errno) => Got::Broken(errno),
        };
        let (bytes, eof) = match got {
            Got::Bytes(bytes) => (bytes, false),
            Got::Eof(bytes) => (bytes, true),
            Got::Broken(errno) => {
                self.tally.broken += 1;
                return self.fail(fd, Failure::Error(errno.name()), cx);
            }
        };
        let Some(connection) = self.conns.get_mut(fd) else { return };
        connection.eof |= eof;
        let Some(conn) = cx.conn(fd) else { return };
        conn.got += bytes;
        if conn.got >= self.plan.response {
            self.answered(fd, cx);
        } else if eof {
            self.tally.broken += 1;
            self.fail(fd, Failure::Error("EOF"), cx);
        } else if bytes > 0 {
            self.alarms.set(fd, cx.now + self.plan.read_timeout);
        }
    }
    /// The whole answer is there: `ngx_http_upstream_free_keepalive_peer` keeps the connection or not.
    fn answered(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(connection) = self.conns.get_mut(fd) else { return };
        if let Some(question) = connection.question.take() {
            self.latencies.record(cx.now.since(question.began));
            self.serving.remove(&question.client);
            self.answers.push_back((question.client, Status::Ok));
        }
        let age: Span = cx.now.since(connection.born);
        let said_close = self.plan.last_answer == Some(connection.uses);
        let reason = match () {
            () if self.plan.keepalive == 0 => Some(Reason::NoKeepalive),
            () if connection.eof => Some(Reason::Closed),
            () if connection.uses >= self.plan.keepalive_requests => {
                Some(Reason::KeepaliveRequests)
            }
            () if age > self.plan.keepalive_time => Some(Reason::KeepaliveTime),
            () if said_close => Some(Reason::SaidClose),
            () => None,
        };
        match reason {
            Some(reason) => self.close(fd, reason, cx),
            None => self.keep(fd, cx),
        }
    }
    fn keep(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(worker) = self.conns.get(fd).map(|connection| connection.worker) else { return };
        let cache = &mut self.workers[worker as usize].cache;
        let full = cache.len() >= self.plan.keepalive as usize;
        let evicted = if full { cache.pop_back() } else { None };
        cache.push_front(fd);
        self.web.idle += 1;
        cx.set_phase(fd, Phase::Pooled);
        self.alarms.set(fd, cx.now + self.plan.keepalive_timeout);
        if let Some(evicted) = evicted {
            self.web.idle -= 1;
            self.close(evicted, Reason::PoolEviction, cx);
        }
        if cx.poll(fd).has(Ready::IN) && cx.recv_one(fd) != Err(Errno::EAGAIN) {
            self.close_idle(fd, Reason::PoolReadable, cx);
        }
    }
    /// `ngx_http_upstream_next`: the connection is closed, and another server asked if one is left.
    fn fail(&mut self, fd: Fd, failure: Failure, cx: &mut AppCx<'_, impl Watch>) {
        let (what, reason) = match failure {
            Failure::Error("EOF") => ("EOF", Reason::Closed),
            Failure::Error(errno) => (errno, Reason::Failed),
            Failure::Timeout => ("timeout", Reason::TimedOut),
        };
        self.web.error(what);
        let question = self.conns.get_mut(fd).and_then(|connection| connection.question.take());
        self.close(fd, reason, cx);
        let Some(mut question) = question else { return };
        self.serving.remove(&question.client);
        if self.goes_on(&mut question, failure) {
            self.get(question, cx);
        }
    }
    /// Is there another server to ask? A failure of a kept connection costs no try. If there is
    /// none, the client is told.
    fn goes_on(&mut self, question: &mut Question, failure: Failure) -> bool {
        let free = question.cached && matches!(failure, Failure::Error(_));
        question.tries -= usize::from(!free);
        if question.tries > 0 {
            self.web.retries += 1;
            return true;
        }
        let status = match failure {
            Failure::Error(_) => Status::BadGateway,
            Failure::Timeout => Status::GatewayTimeout,
        };
        self.answers.push_back((question.client, status));
        false
    }
    fn close_idle(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        let Some(worker) = self.conns.get(fd).map(|connection| connection.worker) else { return };
        self.workers[worker as usize].cache.retain(|idle| *idle != fd);
        self.web.idle -= 1;
        self.close(fd, reason, cx);
    }
    fn close(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        self.alarms.clear(fd);
        let Some(gone) = self.conns.remove(fd) else { return };
        let age = cx.now.since(gone.born);
        self.tally.finished += 1;
        self.web.closed(reason);
        self.web.ages.record(age);
        cx.set_phase(fd, Phase::Fresh);
        // It is open, and set no linger time.
        let _ = cx.close_because(fd, Why { reason, age, uses: gone.uses, number: 0 });
    }
}
