//! Requests like those of ab that come at a rate, whatever becomes of those before.
//!
//! The real ab is a closed loop: `-c` requests at a time, the next one when one is done. Here they
//! come at a rate, so that a slow server does not slow them down, and the wait for a connection counts
//! (wrk and ab leave it out: the "coordinated omission"). What a single request does is what
//! ab's `support/ab.c` does: without `-k` it is HTTP/1.0, and the answer ends with the server's
//! FIN; with `-k` the connection is kept, and used again, the last one that came back first. The real
//! ab ends at the first error unless `-r` is given, and at the first wait of more than `-s` seconds; this
//! one counts and goes on.

use finwait_model::errno::Errno;
use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::{Instant, Span};

use super::tally::{EOF, LATE};
use super::{Class, LoadTally, Target};
use crate::app::alarms::Alarms;
use crate::app::held::Held;
use crate::app::{AppCx, Got, Phase, Reason, Tally, Why};
use crate::latencies::Latencies;
use crate::rng::Stream;
use crate::units::Rate;
use crate::watch::Watch;

/// What it is meant to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbPlan {
    /// Whom it asks.
    pub target: Target,
    /// How often a request comes.
    pub rate: Rate,
    /// Anywhere within its slot of 1/rate instead of at the beginning of it?
    pub scattered: bool,
    /// When the first one comes.
    pub start: Span,
    /// `-n`: how many at most; it ends with the last of them.
    pub count: Option<u64>,
    /// `-t`: after how long it ends.
    pub duration: Option<Span>,
    /// `-k`: are connections kept?
    pub keeps: bool,
    /// `-s`: how long it waits for an answer.
    pub timeout: Span,
}

/// Such a load at work.
#[derive(Debug)]
pub struct Ab {
    plan: AbPlan,
    stream: Stream,
    tally: Tally,
    load: LoadTally,
    latencies: Latencies,
    connects: Latencies,
    next: Option<Instant>,
    ends: Option<Instant>,
    open: Held<Connection>,
    /// Connections that are kept, the last one that came back in front.
    idle: Vec<Fd>,
    patience: Alarms,
}

/// What it knows of a connection.
#[derive(Clone, Copy, Debug)]
struct Connection {
    born: Instant,
    /// When the request came that is under way on it.
    asked: Option<Instant>,
    answers: u32,
}

impl Ab {
    /// A load that has not begun; `stream` is its own chance.
    pub fn new(plan: AbPlan, mut stream: Stream) -> Self {
        let ends = plan.duration.map(|duration| plan.start + duration);
        let first = Instant::ZERO + plan.start + scatter(&plan, &mut stream);
        Self {
            tally: Tally::default(),
            load: LoadTally::new(plan.start, ends.unwrap_or(Span::nanos(u64::MAX))),
            latencies: Latencies::default(),
            connects: Latencies::default(),
            next: (plan.count != Some(0)).then_some(first),
            ends: ends.map(|ends| Instant::ZERO + ends),
            open: Held::default(),
            idle: Vec::new(),
            patience: Alarms::default(),
            stream,
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &AbPlan {
        &self.plan
    }
    /// What it counted of its connections.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }
    /// What it counted of its requests.
    pub const fn load(&self) -> &LoadTally {
        &self.load
    }
    /// How long answers took, from the instant at which the request came.
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }
    /// How long it waited for connections to stand.
    pub const fn connects(&self) -> &Latencies {
        &self.connects
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        [self.next, self.ends, self.patience.due()].into_iter().flatten().min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.ends.is_some_and(|at| at <= cx.now) {
            return self.end(cx);
        }
        while let Some(fd) = self.patience.take(cx.now) {
            self.load.error(Class::Timeout, LATE);
            self.fail(fd, Reason::TimedOut, cx);
        }
        if self.next.is_some_and(|at| at <= cx.now) {
            self.arrival(cx);
            let more = self.plan.count.is_none_or(|most| self.load.sent < most);
            let slot = Instant::ZERO + self.plan.start + self.plan.rate.due(self.load.sent);
            self.next = more.then(|| slot + scatter(&self.plan, &mut self.stream));
        }
        self.end_if_done(cx);
    }
    /// The program ends with its last request.
    fn end_if_done(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.plan.count == Some(self.load.sent) && self.load.in_flight() == 0 {
            self.load.to = self.load.to.min(cx.now.since(Instant::ZERO));
            self.end(cx);
        }
    }
    fn end(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        (self.next, self.ends) = (None, None);
        self.load.given_up += self.load.in_flight();
        self.tally.finished += self.open.count() as u64;
        self.open = Held::default();
        self.patience = Alarms::default();
        self.idle.clear();
        cx.exit();
    }
    fn arrival(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        self.load.sent += 1;
        let until = cx.now + self.plan.timeout;
        if let Some(fd) = self.idle.pop() {
            if let Some(connection) = self.open.get_mut(fd) {
                connection.asked = Some(cx.now);
            }
            self.patience.set(fd, until);
            return self.ask(fd, cx);
        }
        self.tally.started += 1;
        let fd = cx.socket(Phase::Connecting);
        match cx.connect(fd, self.plan.target.to) {
            Ok(()) | Err(Errno::EINPROGRESS) => {
                let connection = Connection { born: cx.now, asked: Some(cx.now), answers: 0 };
                self.open.insert(fd, connection);
                self.patience.set(fd, until);
            }
            Err(errno) => {
                if errno == Errno::EADDRNOTAVAIL {
                    self.tally.no_port += 1;
                } else {
                    self.tally.not_connected += 1;
                }
                self.load.errno(Class::Connect, errno);
                self.load.failed += 1;
                self.tally.finished += 1;
                cx.set_phase(fd, Phase::Fresh);
                // Nothing is connected, so there is nothing to linger for.
                let _ = cx.close_because(fd, Why::plain(Reason::Failed));
            }
        }
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        let gone = ready.has(Ready::ERR) || ready.has(Ready::HUP);
        match conn.phase {
            Phase::Connecting if gone => {
                self.tally.not_connected += 1;
                if let Err(errno) = cx.recv_one(fd) {
                    self.load.errno(Class::Connect, errno);
                }
                self.fail(fd, Reason::Failed, cx);
            }
            Phase::Connecting if ready.has(Ready::OUT) => {
                if let Some(connection) = self.open.get(fd) {
                    self.connects.record(cx.now.since(connection.born));
                }
                self.ask(fd, cx);
            }
            Phase::Reading => self.read(fd, cx),
            // Nothing is asked on it, and it has become readable: it is no good any more.
            Phase::Pooled => match cx.recv_one(fd) {
                Err(Errno::EAGAIN) => {}
                Ok(_) => self.close(fd, Reason::Closed, cx),
                Err(_) => self.close(fd, Reason::Failed, cx),
            },
            _ => {}
        }
        self.end_if_done(cx);
    }
    fn ask(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        cx.set_phase(fd, Phase::Reading);
        if let Some(conn) = cx.conn(fd) {
            (conn.got, conn.left) = (0, 0);
        }
        if let Err(errno) = cx.send(fd, self.plan.target.request) {
            self.tally.broken += 1;
            self.load.errno(Class::Write, errno);
            self.fail(fd, Reason::Failed, cx);
        }
    }
    fn read(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        if let Err(errno) = cx.send_rest(fd) {
            self.tally.broken += 1;
            self.load.errno(Class::Write, errno);
            return self.fail(fd, Reason::Failed, cx);
        }
        let (bytes, eof) = match cx.read_all(fd) {
            Got::Bytes(bytes) => (bytes, false),
            Got::Eof(bytes) => (bytes, true),
            Got::Broken(errno) => {
                self.tally.broken += 1;
                self.load.errno(Class::Read, errno);
                return self.fail(fd, Reason::Failed, cx);
            }
        };
        let Some(conn) = cx.conn(fd) else { return };
        conn.got += bytes;
        let whole = conn.got >= self.plan.target.response;
        let Some(connection) = self.open.get(fd) else { return };
        let kept = self.plan.keeps
            && self.plan.target.last_answer.is_none_or(|last| connection.answers + 1 < last);
        if whole && (eof || kept) {
            self.answered(fd, kept && !eof, cx);
        } else if eof {
            self.tally.broken += 1;
            self.load.error(Class::Read, EOF);
            self.fail(fd, Reason::Closed, cx);
        }
    }
    fn answered(&mut self, fd: Fd, kept: bool, cx: &mut AppCx<'_, impl Watch>) {
        self.patience.clear(fd);
        let Some(connection) = self.open.get_mut(fd) else { return };
        connection.answers += 1;
        if let Some(asked) = connection.asked.take() {
            self.latencies.record(cx.now.since(asked));
            self.load.answered += 1;
        }
        if kept {
            cx.set_phase(fd, Phase::Pooled);
            self.idle.push(fd);
        } else {
            self.close(fd, Reason::SaidClose, cx);
        }
    }
    /// A connection with a request on it ends without an answer.
    fn fail(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        self.load.failed += 1;
        self.close(fd, reason, cx);
    }
    fn close(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        self.patience.clear(fd);
        self.idle.retain(|idle| *idle != fd);
        let Some(gone) = self.open.remove(fd) else { return };
        let why = Why { reason, age: cx.now.since(gone.born), uses: gone.answers, number: 0 };
        cx.set_phase(fd, Phase::Fresh);
        // It is open, and set no linger time.
        let _ = cx.close_because(fd, why);
        self.tally.finished += 1;
    }
}

/// Where in its slot a request comes.
fn scatter(plan: &AbPlan, stream: &mut Stream) -> Span {
    if plan.scattered { Span::nanos(stream.below(plan.rate.interval().ns)) } else { Span::ZERO }
}
