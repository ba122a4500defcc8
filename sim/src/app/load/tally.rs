//! What a load generator counted.

use std::collections::BTreeMap;

use finwait_model::errno::Errno;
use finwait_model::time::Span;

/// What went wrong, as wrk sorts it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// connect() failed at once.
    Connect,
    /// read() failed, or the connection ended before the answer did.
    Read,
    /// write() failed; wrk learns here that a connection was refused.
    Write,
    /// The answer came too late, or never.
    Timeout,
}

impl Class {
    /// All of them, as wrk prints them.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Read, Self::Write, Self::Timeout];
    /// The name that wrk prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Write => "write",
            Self::Timeout => "timeout",
        }
    }
}

/// What a connection's end is called that came before the answer did: no system call failed.
pub(crate) const EOF: &str = "EOF";
/// What an answer is called that did not come in time: no system call failed either.
pub(crate) const LATE: &str = "timeout";

/// What a load generator counted.
///
/// A request that has begun is answered, has failed, was given up when the program ended, or is
/// under way: `sent` is the sum of the four.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadTally {
    /// Requests that have begun.
    pub sent: u64,
    /// Requests whose whole answer came, in time or not; wrk's "requests".
    pub answered: u64,
    /// Requests whose connection failed, or was never made.
    pub failed: u64,
    /// Requests that were under way when the program ended.
    pub given_up: u64,
    /// Connections that wrk does not open again, because connect() failed at once.
    pub lost: u64,
    /// What went wrong: by class and by errno, or `EOF` or `LATE`.
    pub errors: BTreeMap<(Class, &'static str), u64>,
    /// When it begins.
    pub from: Span,
    /// When it ends; ten years if it does not.
    pub to: Span,
}

impl LoadTally {
    pub(super) const fn new(from: Span, to: Span) -> Self {
        let errors = BTreeMap::new();
        Self { sent: 0, answered: 0, failed: 0, given_up: 0, lost: 0, errors, from, to }
    }
    pub(super) fn error(&mut self, class: Class, what: &'static str) {
        *self.errors.entry((class, what)).or_default() += 1;
    }
    pub(super) fn errno(&mut self, class: Class, errno: Errno) {
        self.error(class, errno.name());
    }
    /// Requests that are under way.
    pub const fn in_flight(&self) -> u64 {
        self.sent - self.answered - self.failed - self.given_up
    }
    /// Errors of a class.
    pub fn of_class(&self, class: Class) -> u64 {
        self.errors.iter().filter(|((c, _), _)| *c == class).map(|(_, n)| n).sum()
    }
    /// Errors with a name, of whatever class.
    pub fn named(&self, name: &str) -> u64 {
        self.errors.iter().filter(|((_, n), _)| *n == name).map(|(_, n)| n).sum()
    }
    /// All errors.
    pub fn all_errors(&self) -> u64 {
        self.errors.values().sum()
    }
    /// How long it has loaded in a run that took so long.
    pub fn active(&self, simulated: Span) -> Span {
        Span::nanos(self.to.min(simulated).ns.saturating_sub(self.from.ns))
    }
    /// Adds another one's numbers.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.failed += other.failed;
        self.given_up += other.given_up;
        self.lost += other.lost;
        for (what, count) in &other.errors {
            *self.errors.entry(*what).or_default() += count;
        }
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
    }
}
