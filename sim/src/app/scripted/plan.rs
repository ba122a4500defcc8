//! A script's lines, and what became of them.

use std::collections::BTreeMap;

use finwait_model::errno::Errno;
use finwait_model::flow::Endpoint;
use finwait_model::kernel::{How, SockOpt};
use finwait_model::time::{Instant, Span};

use crate::app::Delay;

/// What copies of a script are meant to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptPlan {
    /// Its lines, without empty ones.
    pub program: Vec<Line>,
    /// The names of its connections; the first one has none.
    pub names: Vec<String>,
    /// To whom its lines connect.
    pub targets: Vec<Endpoint>,
    /// How many run at a time.
    pub copies: u32,
    /// When they begin.
    pub start: Span,
    /// Lowest and highest port on which all of them listen, if they do.
    pub ports: Option<(u16, u16)>,
    /// listen()'s backlog.
    pub backlog: i32,
}

/// A line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What it does.
    pub op: Op,
    /// What its author expects of it.
    pub wanted: Wanted,
    /// Where it stands in the script, counted from 1.
    pub number: u32,
    /// As it was written.
    pub text: String,
}

/// What a line does; `on` is the place of a connection's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// socket().
    Socket {
        /// What it is called.
        on: usize,
    },
    /// bind() to that port of any address.
    Bind {
        /// Which socket.
        on: usize,
        /// The port.
        port: u16,
    },
    /// socket(), unless there is one that is connected to nothing, and connect().
    Connect {
        /// What it is called.
        on: usize,
        /// To whom.
        to: Endpoint,
    },
    /// accept().
    Accept {
        /// What it is called.
        on: usize,
    },
    /// send(), until all of it is in the send buffer.
    Send {
        /// Which connection.
        on: usize,
        /// How much.
        bytes: u32,
    },
    /// recv().
    Recv {
        /// Which connection.
        on: usize,
        /// Until when.
        what: Recv,
    },
    /// shutdown().
    Shutdown {
        /// Which connection.
        on: usize,
        /// What is shut.
        how: How,
    },
    /// setsockopt().
    SetSockOpt {
        /// Which connection.
        on: usize,
        /// The option.
        opt: SockOpt,
    },
    /// close(), which lingers if SO_LINGER says so.
    Close {
        /// Which connection.
        on: usize,
    },
    /// Nothing for a while.
    Wait(Delay),
    /// The lines up to the matching end, so often, or for ever.
    Repeat {
        /// How often.
        times: Option<u32>,
        /// The place of its `end`.
        end: usize,
    },
    /// The end of a loop.
    End {
        /// The place of its beginning.
        start: usize,
    },
    /// The process ends.
    Exit,
}

impl Op {
    /// The connection that it is about.
    pub const fn handle(self) -> Option<usize> {
        match self {
            Self::Socket { on }
            | Self::Bind { on, .. }
            | Self::Connect { on, .. }
            | Self::Accept { on }
            | Self::Send { on, .. }
            | Self::Recv { on, .. }
            | Self::Shutdown { on, .. }
            | Self::SetSockOpt { on, .. }
            | Self::Close { on } => Some(on),
            Self::Wait(_) | Self::Repeat { .. } | Self::End { .. } | Self::Exit => None,
        }
    }
}

/// What a `recv` waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recv {
    /// So many bytes.
    Bytes(u32),
    /// Anything at all: one recv().
    Some,
    /// The peer's end of file; what comes before is thrown away.
    Eof,
}

/// What came of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// It worked.
    Done,
    /// The end of file came before all bytes did.
    Eof,
    /// It failed.
    Failed(Errno),
}

impl Outcome {
    /// As scripts write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Eof => "EOF",
            Self::Failed(errno) => errno.name(),
        }
    }
}

/// What is expected of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// That.
    Exactly(Outcome),
    /// Whatever comes.
    Any,
}

impl Wanted {
    /// Is it that?
    pub fn is(self, outcome: Outcome) -> bool {
        match self {
            Self::Exactly(wanted) => wanted == outcome,
            Self::Any => true,
        }
    }
}

/// What copies of a script counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ScriptTally {
    /// Calls that returned.
    pub calls: u64,
    /// Copies that came to the end of the script, or to `exit`.
    pub ended: u64,
    /// Calls that failed, expected or not, by errno, or `EOF`.
    pub errors: BTreeMap<&'static str, u64>,
    /// Outcomes that ended a copy because its script does not expect them, by line.
    pub surprises: BTreeMap<(u32, Outcome), Surprise>,
}

/// An outcome that a script does not expect.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Surprise {
    /// How many copies met it.
    pub count: u64,
    /// When for the first time.
    pub first: Instant,
    /// The line.
    pub text: String,
}

impl ScriptTally {
    /// Copies that ended because of an outcome that their script does not expect.
    pub fn surprised(&self) -> u64 {
        self.surprises.values().map(|surprise| surprise.count).sum()
    }
    /// Adds another one's numbers.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.ended += other.ended;
        for (what, count) in &other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        for (place, surprise) in &other.surprises {
            let mine = self.surprises.entry(*place).or_default();
            if mine.count == 0 || surprise.first < mine.first {
                mine.first = surprise.first;
                mine.text.clone_from(&surprise.text);
            }
            mine.count += surprise.count;
        }
    }
}
