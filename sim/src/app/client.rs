//! The client: opens a connection, asks, reads the answer, closes.

use finwait_model::errno::Errno;
use finwait_model::flow::Endpoint;
use finwait_model::kernel::{Closed, Fd, How, Ready, SockOpt};
use finwait_model::time::{Instant, Span};

use super::later::{Delay, Later};
use super::{AppCx, Got, Phase, Tally};
use crate::agenda::NEVER;
use crate::follow::{AppTotal, Begun};
use crate::latencies::Latencies;
use crate::rng::Stream;
use crate::units::Rate;
use crate::watch::Watch;

/// When connections are opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// At a rate, whatever becomes of them.
    Open {
        /// The rate.
        rate: Rate,
        /// Anywhere within its slot of 1/rate instead of at the beginning of it.
        scattered: bool,
    },
    /// So many at a time; each is followed by another after a pause.
    Closed {
        /// How many at a time.
        workers: u32,
        /// The pause.
        think: Delay,
    },
}

/// How a client ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum CloseHow {
    /// close().
    #[default]
    Close,
    /// shutdown(SHUT_WR), read up to the peer's end of file, close().
    Shutdown,
    /// SO_LINGER with 0 seconds, close().
    LingerZero,
    /// close() with the answer unread.
    Unread,
}

/// What a client is meant to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientPlan {
    /// To whom, in turn; not empty.
    pub targets: Vec<Endpoint>,
    /// When.
    pub pace: Pace,
    /// When the first one is opened.
    pub start: Span,
    /// How many at most.
    pub count: Option<u64>,
    /// Bytes that it sends once connected.
    pub request: u32,
    /// Bytes that it waits for before it closes.
    pub response: u32,
    /// How long it holds the connection after that.
    pub hold: Delay,
    /// How it closes.
    pub close: CloseHow,
    /// How long it waits for the peer's end of file after shutdown(SHUT_WR) before it closes all
    /// the same; for ever if it does not say.
    pub patience: Option<Span>,
}

/// A client at work.
#[derive(Debug)]
pub struct Client {
    plan: ClientPlan,
    stream: Stream,
    tally: Tally,
    /// From connect() to the last byte of the answer.
    latencies: Latencies,
    /// From connect() until the connection stood.
    connects: Latencies,
    /// When the next connection is opened (open loop), or the workers begin (closed loop).
    next_open: Option<Instant>,
    thinking: Later,
    retrying: Later,
    holding: Later,
    waiting: Later,
}

/// How long a worker waits after a connect() that failed at once.
const RETRY: Span = Span::millis(1);

/// Stands for "a worker without a connection" in the queues of pauses.
const WORKER: Fd = Fd { index: u32::MAX, generation: u32::MAX };

impl Client {
    /// A client before its first connection; `stream` is its own chance.
    pub fn new(plan: ClientPlan, mut stream: Stream) -> Self {
        let think = match plan.pace {
            Pace::Open { .. } => Delay::default(),
            Pace::Closed { think, .. } => think,
        };
        let first = Instant::ZERO + plan.start + scatter(plan.pace, &mut stream);
        Self {
            thinking: Later::new(think),
            retrying: Later::new(Delay::always(RETRY)),
            holding: Later::new(plan.hold),
            waiting: Later::new(Delay::always(plan.patience.unwrap_or(Span::ZERO))),
            next_open: (plan.count != Some(0)).then_some(first),
            tally: Tally::default(),
            latencies: Latencies::default(),
            connects: Latencies::default(),
            stream,
            plan,
        }
    }
    /// What it counted so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }
    /// How long it waited for what it came for, from connect() on; connections that failed are not
    /// in it.
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }
    /// How long it waited for connections to stand.
    pub const fn connects(&self) -> &Latencies {
        &self.connects
    }
    /// So many connections have followed a track.
    pub(super) fn count(&mut self, total: &AppTotal, times: u64) {
        self.tally.add_times(&total.tally, times);
        for took in &total.connects {
            self.connects.record_times(*took, times);
        }
        for took in &total.latencies {
            self.latencies.record_times(*took, times);
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &ClientPlan {
        &self.plan
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        let queues = [&self.thinking, &self.retrying, &self.holding, &self.waiting];
        let first = queues.into_iter().map(Later::first).min().unwrap_or(NEVER);
        let first = first.min(self.next_open.unwrap_or(NEVER));
        (first != NEVER).then_some(first)
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.next_open.is_some_and(|at| at <= cx.now) {
            self.open_due(cx);
        }
        while self.thinking.take(cx.now).or_else(|| self.retrying.take(cx.now)).is_some() {
            self.open(cx);
        }
        while let Some(fd) = self.holding.take(cx.now) {
            self.end(fd, cx);
        }
        while let Some(fd) = self.waiting.take(cx.now) {
            if cx.conn(fd).is_some_and(|conn| conn.phase == Phase::HalfClosed) {
                self.close(fd, cx);
            }
        }
    }
    fn open_due(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        match self.plan.pace {
            Pace::Open { rate, .. } => {
                self.open(cx);
                let slot = Instant::ZERO + self.plan.start + rate.due(self.tally.started);
                let next = slot + scatter(self.plan.pace, &mut self.stream);
                self.next_open = self.may_open().then_some(next);
            }
            Pace::Closed { workers, .. } => {
                self.next_open = None;
                for _ in 0..workers {
                    self.open(cx);
                }
            }
        }
    }
    fn may_open(&self) -> bool {
        self.plan.count.is_none_or(|most| self.tally.started < most)
    }
    fn open(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if !self.may_open() {
            return;
        }
        let targets = &self.plan.targets;
        let target = (self.tally.started % targets.len() as u64) as usize;
        let to = targets[target];
        self.tally.started += 1;
        match cx.follow(target, to) {
            None => {}
            Some(Begun::Follows(_)) => return,
            Some(Begun::NoPort) => {
                self.tally.no_port += 1;
                self.tally.finished += 1;
                return;
            }
        }
        let fd = cx.socket(Phase::Connecting);
        match cx.connect(fd, to) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => {
                if error == Errno::EADDRNOTAVAIL {
                    self.tally.no_port += 1;
                } else {
                    self.tally.not_connected += 1;
                }
                self.gave_up(fd, cx);
            }
        }
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        match conn.phase {
            Phase::Connecting if ready.has(Ready::ERR) || ready.has(Ready::HUP) => {
                self.tally.not_connected += 1;
                self.close(fd, cx);
            }
            Phase::Connecting if ready.has(Ready::OUT) => self.connected(fd, cx),
            Phase::Reading => self.read(fd, ready, cx),
            // A request that did not fit goes on while the client holds the connection.
            Phase::Holding if conn.left > 0 && ready.has(Ready::OUT) => {
                // It is closed when its time has come, not now.
                if cx.send_rest(fd).is_err()
                    && let Some(conn) = cx.conn(fd)
                {
                    conn.left = 0;
                    self.tally.broken += 1;
                }
            }
            Phase::HalfClosed => match cx.read_all(fd) {
                Got::Bytes(_) => {}
                Got::Eof(_) => self.close(fd, cx),
                Got::Broken(_) => self.broke(fd, cx),
            },
            Phase::Lingering if ready.has(Ready::CLOSED) => self.finished(fd, cx),
            _ => {}
        }
    }
    fn connected(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        cx.set_phase(fd, Phase::Reading);
        let now = cx.now;
        if let Some(conn) = cx.conn(fd) {
            self.connects.record(now.since(conn.since));
        }
        if cx.send(fd, self.plan.request).is_err() {
            self.broke(fd, cx);
        } else if self.plan.response == 0 {
            self.satisfied(fd, cx);
        }
    }
    fn read(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        if self.plan.close == CloseHow::Unread && !ready.has(Ready::ERR) {
            if ready.has(Ready::IN) {
                self.satisfied(fd, cx);
            }
            return;
        }
        if cx.send_rest(fd).is_err() {
            return self.broke(fd, cx);
        }
        match cx.read_all(fd) {
            Got::Bytes(n) => {
                let Some(conn) = cx.conn(fd) else { return };
                conn.got += n;
                if conn.got >= self.plan.response {
                    self.satisfied(fd, cx);
                }
            }
            Got::Eof(_) => self.satisfied(fd, cx),
            Got::Broken(_) => self.broke(fd, cx),
        }
    }
    /// The client has what it came for.
    fn satisfied(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let now = cx.now;
        if let Some(conn) = cx.conn(fd) {
            conn.phase = Phase::Holding;
            self.latencies.record(now.since(conn.since));
        }
        if self.holding.set(cx.now, fd, &mut self.stream) {
            self.end(fd, cx);
        }
    }
    fn end(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        match self.plan.close {
            CloseHow::Close | CloseHow::Unread => self.close(fd, cx),
            CloseHow::LingerZero => {
                // It cannot fail on a socket that is open, and close() does not care.
                let _ = cx.setsockopt(fd, SockOpt::Linger(Some(0)));
                self.close(fd, cx);
            }
            CloseHow::Shutdown => {
                cx.set_phase(fd, Phase::HalfClosed);
                if cx.shutdown(fd, How::Wr).is_err() {
                    self.broke(fd, cx);
                    return;
                }
                let over = matches!(cx.read_all(fd), Got::Eof(_));
                let patient = self.plan.patience.is_none();
                if over || (!patient && self.waiting.set(cx.now, fd, &mut self.stream)) {
                    self.close(fd, cx);
                }
            }
        }
    }
    fn broke(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        self.tally.broken += 1;
        self.close(fd, cx);
    }
    fn close(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        if cx.close(fd) == Ok(Closed::Lingers) {
            cx.set_phase(fd, Phase::Lingering);
        } else {
            self.finished(fd, cx);
        }
    }
    fn finished(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        cx.set_phase(fd, Phase::Fresh);
        self.tally.finished += 1;
        if let Pace::Closed { .. } = self.plan.pace
            && self.thinking.set(cx.now, WORKER, &mut self.stream)
        {
            self.open(cx);
        }
    }
    /// connect() failed at once: the connection is over before it began. A worker does not try
    /// again in the same instant, or it would do so for ever.
    fn gave_up(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        // Nothing is connected, so close() has nothing to linger for.
        let _ = cx.close(fd);
        cx.set_phase(fd, Phase::Fresh);
        self.tally.finished += 1;
        if let Pace::Closed { .. } = self.plan.pace {
            self.retrying.set(cx.now, WORKER, &mut self.stream);
        }
    }
}

/// Where in its slot a connection is opened.
fn scatter(pace: Pace, stream: &mut Stream) -> Span {
    match pace {
        Pace::Open { rate, scattered: true } => Span::nanos(stream.below(rate.interval().ns)),
        Pace::Open { .. } | Pace::Closed { .. } => Span::ZERO,
    }
}
