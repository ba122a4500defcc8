//! What a pool's requests came to, in numbers.

use std::collections::BTreeMap;

use finwait_model::time::Span;

use crate::ages::Ages;
use crate::app::Reason;

/// What a pool counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PoolTally {
    /// Requests that began.
    pub requests: u64,
    /// Requests that got their whole answer.
    pub answered: u64,
    /// Requests that took a connection out of the pool.
    pub hits: u64,
    /// Requests that had to connect.
    pub misses: u64,
    /// Requests that waited for a connection (`backlog`).
    pub waited: u64,
    /// Connections that went into the pool.
    pub kept: u64,
    /// Requests that failed on a connection out of the pool.
    pub failed_pooled: u64,
    /// Requests that failed, by what the code was told.
    pub errors: BTreeMap<&'static str, u64>,
    /// How old connections were when they were closed, by reason.
    pub closes: BTreeMap<Reason, Ages>,
    /// The same of all of them.
    pub ages: Ages,
    /// Connections that lie in pools now.
    pub idle: u64,
}

impl PoolTally {
    /// A request fails.
    pub(super) fn error(&mut self, what: &'static str) {
        *self.errors.entry(what).or_default() += 1;
    }
    /// A connection is closed.
    pub(super) fn close(&mut self, reason: Reason, age: Span) {
        self.closes.entry(reason).or_default().record(age);
        self.ages.record(age);
    }
    /// Connections closed for that reason.
    pub fn closed(&self, reason: Reason) -> u64 {
        self.closes.get(&reason).map_or(0, Ages::count)
    }
    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
    /// Adds another one's numbers.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.answered += other.answered;
        self.hits += other.hits;
        self.misses += other.misses;
        self.waited += other.waited;
        self.kept += other.kept;
        self.failed_pooled += other.failed_pooled;
        self.idle += other.idle;
        for (what, count) in &other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        for (reason, ages) in &other.closes {
            self.closes.entry(*reason).or_default().add(ages);
        }
        self.ages.add(&other.ages);
    }
}
