//! A program that is written in the scenario: system calls and waits, one a line.
//!
//! The calls block, as those of a simple program do. Several copies may run, each on its own; they share
//! the listeners. A copy that comes to the end of its script, or meets an error that it does not expect,
//! ends as a process does: the kernel closes what it holds.

mod plan;
mod step;

pub use plan::{Line, Op, Outcome, Recv, ScriptPlan, ScriptTally, Surprise, Wanted};

use std::collections::{BTreeSet, VecDeque};

use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::{Instant, Span};

use super::held::Held;
use super::server::listen_on;
use super::{AppCx, Phase, Reason, Tally, Why};
use crate::latencies::Latencies;
use crate::rng::Stream;
use crate::watch::Watch;

/// Copies of a script at work.
#[derive(Debug)]
pub struct Scripted {
    plan: ScriptPlan,
    stream: Stream,
    tally: Tally,
    script: ScriptTally,
    latencies: Latencies,
    connects: Latencies,
    copies: Vec<Copy>,
    /// Which copy holds a descriptor.
    owners: Held<usize>,
    /// Copies that wait for a time.
    sleepers: BTreeSet<(Instant, usize)>,
    listeners: Vec<Fd>,
    /// Copies that wait in accept(), the longest waiting in front.
    accepting: VecDeque<usize>,
    to_bind: Vec<u16>,
    bind_at: Option<Instant>,
}

/// One copy.
#[derive(Clone, Debug)]
struct Copy {
    /// The line at hand.
    at: usize,
    /// Is its call under way already?
    begun: bool,
    /// How often each loop still goes round, the innermost last; `None`: for ever.
    rounds: Vec<Option<u32>>,
    handles: Vec<Handle>,
    is_over: bool,
}

/// A name for a connection.
#[derive(Clone, Copy, Default, Debug)]
struct Handle {
    fd: Option<Fd>,
    /// Is it a socket that is connected to nothing yet?
    fresh: bool,
    opened: Instant,
    /// When it last sent.
    sent: Option<Instant>,
}

/// How long a copy pauses that has made too many calls in one instant: nothing else would ever happen.
const PAUSE: Span = Span::millis(1);
/// How many those are.
const MOST_STEPS: u32 = 1000;
/// How long after a bind() that failed it tries again.
const RETRY: Span = Span::secs(1);

impl Scripted {
    /// A script before its first line; `stream` is its own chance.
    pub fn new(plan: ScriptPlan, stream: Stream) -> Self {
        let copy = Copy {
            at: 0,
            begun: false,
            rounds: Vec::new(),
            handles: vec![Handle::default(); plan.names.len()],
            is_over: false,
        };
        let count = plan.copies as usize;
        let start = Instant::ZERO + plan.start;
        let to_bind: Vec<u16> =
            plan.ports.map(|(low, high)| (low..=high).collect()).unwrap_or_default();
        Self {
            tally: Tally::default(),
            script: ScriptTally::default(),
            latencies: Latencies::default(),
            connects: Latencies::default(),
            copies: vec![copy; count],
            owners: Held::default(),
            sleepers: (0..count).map(|copy| (start, copy)).collect(),
            listeners: Vec::new(),
            accepting: VecDeque::new(),
            bind_at: (!to_bind.is_empty()).then_some(Instant::ZERO),
            to_bind,
            stream,
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &ScriptPlan {
        &self.plan
    }
    /// What it counted of its connections.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }
    /// What it counted of its lines.
    pub const fn script(&self) -> &ScriptTally {
        &self.script
    }
    /// How long each `recv` took that had all its bytes, from the last `send` before it on.
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }
    /// How long it waited for connections to stand.
    pub const fn connects(&self) -> &Latencies {
        &self.connects
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        let sleeper = self.sleepers.first().map(|(at, _)| *at);
        [self.bind_at, sleeper].into_iter().flatten().min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if self.bind_at.is_some_and(|at| at <= cx.now) {
            self.to_bind = listen_on(&self.to_bind, self.plan.backlog, true, cx);
            self.listeners = cx.listeners();
            self.bind_at = (!self.to_bind.is_empty()).then_some(cx.now + RETRY);
        }
        while let Some(&(at, copy)) = self.sleepers.first()
            && at <= cx.now
        {
            self.sleepers.pop_first();
            self.go_on(copy, cx);
        }
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        if cx.conn(fd).is_some_and(|conn| conn.phase == Phase::Listening) {
            for _ in 0..self.accepting.len() {
                if let Some(copy) = self.accepting.pop_front() {
                    self.go_on(copy, cx);
                }
            }
            return;
        }
        let Some(&copy) = self.owners.get(fd) else { return };
        let lingers = cx.conn(fd).is_some_and(|conn| conn.phase == Phase::Lingering);
        if lingers && !ready.has(Ready::CLOSED) {
            return;
        }
        let waits = self.copies[copy].begun && self.handle_at_hand(copy).fd == Some(fd);
        if waits {
            self.go_on(copy, cx);
        }
    }
    /// The handle that the line at hand is about.
    fn handle_at_hand(&self, copy: usize) -> Handle {
        let copy = &self.copies[copy];
        let line = self.plan.program.get(copy.at);
        let on = line.and_then(|line| line.op.handle());
        on.map_or_else(Handle::default, |on| copy.handles[on])
    }
    /// Runs a copy until it waits for something or is over.
    fn go_on(&mut self, copy: usize, cx: &mut AppCx<'_, impl Watch>) {
        for _ in 0..MOST_STEPS {
            if self.copies[copy].is_over {
                return;
            }
            let Some(line) = self.plan.program.get(self.copies[copy].at).cloned() else {
                self.script.ended += 1;
                return self.end(copy, cx);
            };
            match self.step(copy, &line, cx) {
                step::Next::Waits => return,
                step::Next::Line(next) => {
                    let copy = &mut self.copies[copy];
                    (copy.at, copy.begun) = (next, false);
                }
                step::Next::Came(outcome) => {
                    self.script.calls += 1;
                    if let Outcome::Failed(errno) = outcome {
                        *self.script.errors.entry(errno.name()).or_default() += 1;
                    } else if outcome == Outcome::Eof {
                        *self.script.errors.entry("EOF").or_default() += 1;
                    }
                    if !line.wanted.is(outcome) {
                        self.surprise(&line, outcome, cx.now);
                        return self.end(copy, cx);
                    }
                    let copy = &mut self.copies[copy];
                    (copy.at, copy.begun) = (copy.at + 1, false);
                }
            }
        }
        self.sleepers.insert((cx.now + PAUSE, copy));
    }
    fn surprise(&mut self, line: &Line, outcome: Outcome, at: Instant) {
        let entry = self.script.surprises.entry((line.number, outcome)).or_default();
        if entry.count == 0 {
            entry.first = at;
            entry.text.clone_from(&line.text);
        }
        entry.count += 1;
    }
    /// A copy ends, and the kernel closes what it holds.
    fn end(&mut self, copy: usize, cx: &mut AppCx<'_, impl Watch>) {
        self.copies[copy].is_over = true;
        let mine: Vec<Fd> =
            self.owners.iter().filter(|(_, owner)| **owner == copy).map(|(fd, _)| fd).collect();
        for fd in mine {
            self.owners.remove(fd);
            cx.set_phase(fd, Phase::Fresh);
            self.tally.finished += 1;
            // It is open; nobody waits for a lingering close() of a process that has ended.
            let _ = cx.close_because(fd, Why::plain(Reason::Exit));
        }
    }
}
