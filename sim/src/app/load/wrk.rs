//! wrk: so many connections, each of which sends its next request as soon as it has the answer.
//!
//! What it does when something goes wrong follows wrk 4's `src/wrk.c`: a connection that fails, or
//! whose answer says `Connection: close`, is closed and opened anew at once; one whose connect() fails
//! at once is never tried again (`connect_socket` closes it, and nobody calls that function
//! for it again); a refused connection shows as a write error, because the first that wrk does with
//! it is to write; an end of file where an answer should begin is a read error. Each thread is an
//! event loop that handles one event at a time.

use std::collections::VecDeque;

use finwait_model::errno::Errno;
use finwait_model::kernel::{Fd, Ready, SockOpt};
use finwait_model::time::{Instant, Span};

use super::tally::{EOF, LATE};
use super::{Class, LoadTally, Target};
use crate::app::held::Held;
use crate::app::{AppCx, Got, Phase, Reason, Tally, Why};
use crate::latencies::Latencies;
use crate::watch::Watch;

/// What a wrk is meant to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrkPlan {
    /// Whom it asks.
    pub target: Target,
    /// `-t`: threads, each with an event loop of its own.
    pub threads: u32,
    /// `-c`: connections, of which each thread has the same number; a remainder is left out, as wrk
    /// leaves it out.
    pub connections: u32,
    /// When it begins.
    pub start: Span,
    /// `-d`: how long it goes on.
    pub duration: Span,
    /// `-H "Connection: close"`: does each request ask for that?
    pub closes: bool,
    /// `--timeout`: from how long on an answer counts as a timeout.
    pub timeout: Span,
    /// What one event costs a thread.
    pub turn: Span,
}

/// A wrk at work.
#[derive(Debug)]
pub struct Wrk {
    plan: WrkPlan,
    tally: Tally,
    load: LoadTally,
    latencies: Latencies,
    connects: Latencies,
    begins: Option<Instant>,
    ends: Option<Instant>,
    threads: Vec<Thread>,
    open: Held<Connection>,
}

/// An event loop.
#[derive(Clone, Debug)]
struct Thread {
    /// Descriptors with something to do, in the order in which it came up.
    queue: VecDeque<Fd>,
    /// When it will have handled the first of them.
    done_at: Option<Instant>,
}

/// What wrk knows of a connection.
#[derive(Clone, Copy, Debug)]
struct Connection {
    thread: usize,
    born: Instant,
    connected: bool,
    /// Has it something to write?
    writes: bool,
    /// When the request was written that waits for its answer.
    asked: Option<Instant>,
    /// How many answers came on it.
    answers: u32,
}

impl Wrk {
    /// A wrk that has not begun.
    pub fn new(plan: WrkPlan) -> Self {
        let ends = plan.start + plan.duration;
        let thread = Thread { queue: VecDeque::new(), done_at: None };
        Self {
            tally: Tally::default(),
            load: LoadTally::new(plan.start, ends),
            latencies: Latencies::default(),
            connects: Latencies::default(),
            begins: Some(Instant::ZERO + plan.start),
            ends: Some(Instant::ZERO + ends),
            threads: vec![thread; plan.threads as usize],
            open: Held::default(),
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &WrkPlan {
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
    /// How long answers took from the writing of the request on; those that count as timeouts are not
    /// in it.
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }
    /// How long it waited for connections to stand.
    pub const fn connects(&self) -> &Latencies {
        &self.connects
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        let threads = self.threads.iter().filter_map(|thread| thread.done_at);
        threads.chain(self.begins).chain(self.ends).min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.ends.is_some_and(|at| at <= cx.now) {
            return self.end(cx);
        }
        if self.begins.is_some_and(|at| at <= cx.now) {
            self.begins = None;
            for thread in 0..self.threads.len() {
                for _ in 0..self.plan.connections / self.plan.threads.max(1) {
                    self.connect(thread, cx);
                }
            }
        }
        for thread in 0..self.threads.len() {
            if self.threads[thread].done_at.is_some_and(|at| at <= cx.now) {
                self.threads[thread].done_at = None;
                if let Some(fd) = self.threads[thread].queue.pop_front() {
                    self.handle(fd, cx);
                }
                self.go_on(thread, cx);
            }
        }
    }
    pub(crate) fn wake(&mut self, fd: Fd, _: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(thread) = self.open.get(fd).map(|connection| connection.thread) else { return };
        self.enqueue(fd, thread, cx);
        self.go_on(thread, cx);
    }
    fn enqueue(&mut self, fd: Fd, thread: usize, cx: &mut AppCx<'_, impl Watch>) {
        if let Some(conn) = cx.conn(fd).filter(|conn| !conn.queued) {
            conn.queued = true;
            self.threads[thread].queue.push_back(fd);
        }
    }
    /// A thread that has something to do is busy with it for a turn; without turns it is done at
    /// once.
    fn go_on(&mut self, thread: usize, cx: &mut AppCx<'_, impl Watch>) {
        if self.plan.turn == Span::ZERO {
            while let Some(fd) = self.threads[thread].queue.pop_front() {
                self.handle(fd, cx);
            }
        } else if self.threads[thread].done_at.is_none() && !self.threads[thread].queue.is_empty() {
            self.threads[thread].done_at = Some(cx.now + self.plan.turn);
        }
    }
    fn end(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        (self.begins, self.ends) = (None, None);
        self.load.given_up += self.load.in_flight();
        self.tally.finished += self.open.count() as u64;
        self.open = Held::default();
        for thread in &mut self.threads {
            (thread.queue, thread.done_at) = (VecDeque::new(), None);
        }
        cx.exit();
    }
    /// `connect_socket`.
    fn connect(&mut self, thread: usize, cx: &mut AppCx<'_, impl Watch>) {
        self.tally.started += 1;
        let fd = cx.socket(Phase::Connecting);
        match cx.connect(fd, self.plan.target.to) {
            Ok(()) | Err(Errno::EINPROGRESS) => {
                // Linux takes it in every state.
                let _ = cx.setsockopt(fd, SockOpt::NoDelay(true));
                self.open.insert(
                    fd,
                    Connection {
                        thread,
                        born: cx.now,
                        connected: false,
                        writes: false,
                        asked: None,
                        answers: 0,
                    },
                );
            }
            Err(errno) => {
                if errno == Errno::EADDRNOTAVAIL {
                    self.tally.no_port += 1;
                } else {
                    self.tally.not_connected += 1;
                }
                self.load.errno(Class::Connect, errno);
                self.load.lost += 1;
                self.tally.finished += 1;
                cx.set_phase(fd, Phase::Fresh);
                // Nothing is connected, so there is nothing to linger for.
                let _ = cx.close_because(fd, Why::plain(Reason::Failed));
            }
        }
    }
    /// `reconnect_socket`.
    fn reconnect(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        let Some(gone) = self.open.remove(fd) else { return };
        let why = Why { reason, age: cx.now.since(gone.born), uses: gone.answers, number: 0 };
        cx.set_phase(fd, Phase::Fresh);
        // It is open, and set no linger time.
        let _ = cx.close_because(fd, why);
        self.tally.finished += 1;
        self.connect(gone.thread, cx);
    }
    /// One event of a thread's loop: what is readable is read first, as in `aeProcessEvents`.
    fn handle(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        if let Some(conn) = cx.conn(fd) {
            conn.queued = false;
        }
        let ready = cx.poll(fd);
        let now = cx.now;
        let Some(connection) = self.open.get_mut(fd) else { return };
        let (thread, gone) = (connection.thread, ready.has(Ready::ERR) || ready.has(Ready::HUP));
        if !connection.connected {
            if !gone && !ready.has(Ready::OUT) {
                return;
            }
            connection.connected = true;
            connection.writes = true;
            if gone {
                // `socket_connected` does not look whether it is; the same round of the loop writes.
                self.write(fd, cx);
            } else {
                self.connects.record(now.since(connection.born));
                cx.set_phase(fd, Phase::Reading);
                self.enqueue(fd, thread, cx);
            }
            return;
        }
        if ready.has(Ready::IN) || gone {
            self.read(fd, cx);
        } else if connection.writes && ready.has(Ready::OUT) {
            self.write(fd, cx);
        }
        // epoll tells again of what is still so.
        let writes = self.open.get(fd).is_some_and(|connection| connection.writes);
        if writes && cx.poll(fd).has(Ready::OUT) {
            self.enqueue(fd, thread, cx);
        }
    }
    /// `socket_writeable`.
    fn write(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(connection) = self.open.get_mut(fd) else { return };
        let sent = if connection.asked.is_some() {
            cx.send_rest(fd)
        } else {
            connection.asked = Some(cx.now);
            self.load.sent += 1;
            if let Some(conn) = cx.conn(fd) {
                (conn.got, conn.left) = (0, 0);
            }
            cx.send(fd, self.plan.target.request)
        };
        match sent {
            Ok(()) => connection.writes = cx.conn(fd).is_some_and(|conn| conn.left > 0),
            Err(errno) => {
                self.load.errno(Class::Write, errno);
                self.broke(fd, Reason::Failed, cx);
            }
        }
    }
    /// `socket_readable`.
    fn read(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let (bytes, eof) = match cx.read_all(fd) {
            Got::Bytes(bytes) => (bytes, false),
            Got::Eof(bytes) => (bytes, true),
            Got::Broken(errno) => {
                self.load.errno(Class::Read, errno);
                return self.broke(fd, Reason::Failed, cx);
            }
        };
        let Some(conn) = cx.conn(fd) else { return };
        conn.got += bytes;
        let whole = conn.got >= self.plan.target.response;
        let asked = self.open.get(fd).and_then(|connection| connection.asked);
        if let Some(asked) = asked.filter(|_| whole)
            && self.answered(fd, asked, cx)
        {
            return self.reconnect(fd, Reason::SaidClose, cx);
        }
        if eof {
            self.load.error(Class::Read, EOF);
            self.broke(fd, Reason::Closed, cx);
        }
    }
    /// `response_complete`; says whether the connection ends with that answer.
    fn answered(&mut self, fd: Fd, asked: Instant, cx: &AppCx<'_, impl Watch>) -> bool {
        let took = cx.now.since(asked);
        self.load.answered += 1;
        if took > self.plan.timeout {
            self.load.error(Class::Timeout, LATE);
        } else {
            self.latencies.record(took);
        }
        let Some(connection) = self.open.get_mut(fd) else { return false };
        connection.answers += 1;
        connection.asked = None;
        connection.writes = true;
        self.plan.closes || self.plan.target.last_answer == Some(connection.answers)
    }
    /// A connection that has failed; the request on it has failed with it.
    fn broke(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        let Some(connection) = self.open.get(fd) else { return };
        if connection.asked.is_some() {
            self.load.failed += 1;
        }
        match cx.conn(fd).map(|conn| conn.phase) {
            Some(Phase::Connecting) => self.tally.not_connected += 1,
            _ => self.tally.broken += 1,
        }
        self.reconnect(fd, reason, cx);
    }
}
