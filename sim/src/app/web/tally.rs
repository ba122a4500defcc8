//! What a web server counted.

use std::collections::BTreeMap;

use crate::app::Reason;
use crate::latencies::Latencies;

/// The status that a request is answered or logged with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    /// 200.
    Ok,
    /// 499: the client closed before the answer.
    ClientClosed,
    /// 502 Bad Gateway: no server of the upstream could be asked, or none answered.
    BadGateway,
    /// 504 Gateway Timeout.
    GatewayTimeout,
}

impl Status {
    /// All of them, in order.
    pub const ALL: [Self; 4] =
        [Self::Ok, Self::ClientClosed, Self::BadGateway, Self::GatewayTimeout];
    /// As the access log has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "200",
            Self::ClientClosed => "499",
            Self::BadGateway => "502",
            Self::GatewayTimeout => "504",
        }
    }
}

/// What a web server counted of its clients, and of the upstream that it asked.
///
/// A request has one of the statuses in the end, or is under way: `requests` is the sum of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct WebTally {
    /// Connections that clients opened.
    pub accepted: u64,
    /// Of those, open now.
    pub open: u64,
    /// Requests that came.
    pub requests: u64,
    /// Of those, on connections that had carried one before.
    pub reused: u64,
    /// Requests that are over, by status.
    pub statuses: BTreeMap<Status, u64>,
    /// Requests that are under way.
    pub under_way: u64,
    /// Questions to the upstream on a connection that was kept.
    pub hits: u64,
    /// Questions to the upstream that had to connect first.
    pub misses: u64,
    /// Connections to the upstream that are kept now.
    pub idle: u64,
    /// Questions that another server, or another connection, was asked after a failure.
    pub retries: u64,
    /// What failed towards the upstream, by errno, or `EOF` or `timeout`.
    pub errors: BTreeMap<&'static str, u64>,
    /// Connections that were closed, by reason.
    pub closes: BTreeMap<Reason, u64>,
    /// How old connections to the upstream were when they were closed.
    pub ages: Latencies,
}

impl WebTally {
    pub(super) fn closed(&mut self, reason: Reason) {
        *self.closes.entry(reason).or_default() += 1;
    }
    pub(super) fn error(&mut self, what: &'static str) {
        *self.errors.entry(what).or_default() += 1;
    }
    /// Requests with that status.
    pub fn with(&self, status: Status) -> u64 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }
    /// Adds another one's numbers.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.open += other.open;
        self.requests += other.requests;
        self.reused += other.reused;
        self.under_way += other.under_way;
        self.hits += other.hits;
        self.misses += other.misses;
        self.idle += other.idle;
        self.retries += other.retries;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (what, count) in &other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        for (reason, count) in &other.closes {
            *self.closes.entry(*reason).or_default() += count;
        }
        self.ages.add(&other.ages);
    }
}
