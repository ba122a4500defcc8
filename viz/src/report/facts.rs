//! What a report is made of: everything that is read from a recording, before it is told.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::{Row, SockStat};
use finwait_model::segment::Segment;
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use finwait_sim::because::Because;
use finwait_sim::recording::{End, Header};
use finwait_sim::run::HostOutcome;
use finwait_sim::why::{Chain, Link};
use finwait_sim::world::HostId;

use crate::ladder;
use crate::machine::Counts;
use crate::run::Run;
use crate::story::Story;

/// A run as a report tells it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was run.
    pub header: Header,
    /// What it is about, in the scenario's words.
    pub about: String,
    /// How it ended.
    pub end: End,
    /// The same samples for figures.
    pub tables: Run,
    /// The hosts with their samples, counters and groups of RSTs.
    pub hosts: Vec<HostOutcome>,
    /// Segments that are recorded.
    pub segments: u64,
    /// Every RST, in order.
    pub resets: Vec<Reset>,
    /// The first bucket that each host was refused.
    pub refusals: Vec<Option<Refusal>>,
    /// System calls that failed, by host, call and error.
    pub failed: Vec<Failed>,
    /// The tables at some instants.
    pub looks: Vec<Look>,
    /// How often sockets and buckets went from which state to which.
    pub machine: Counts,
    /// Some connections, step by step.
    pub conns: Vec<Conn>,
}

/// A RST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reset {
    /// When it left.
    pub at: Instant,
    /// Whose it is.
    pub host: HostId,
    /// The connection, as the RST goes.
    pub flow: FourTuple,
    /// The kernel site.
    pub cause: Cause,
    /// The earlier event.
    pub because: Because,
    /// How long after the earlier event, if that is remembered.
    pub wait: Option<Span>,
}

/// A bucket that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// When.
    pub at: Instant,
    /// Buckets in existence.
    pub count: u32,
    /// The limit.
    pub limit: i32,
}

/// System calls of one kind that failed in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed {
    /// On which host.
    pub host: HostId,
    /// Which call.
    pub call: &'static str,
    /// How.
    pub errno: Errno,
    /// How often.
    pub count: u64,
    /// First.
    pub first: Instant,
}

/// The tables of every host at one instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// When: everything before has happened.
    pub at: Instant,
    /// A table for each host.
    pub tables: Vec<SocketTable>,
}

/// The sockets of a host, or a sample of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SocketTable {
    /// How many rows `ss -tan` would show.
    pub count: u64,
    /// Rows that are no buckets and were left out.
    pub sockets_left_out: u64,
    /// Buckets that were left out.
    pub buckets_left_out: u64,
    /// The rows.
    pub rows: Vec<Row>,
}

/// One connection, from its first SYN on.
#[derive(Clone, Debug)]
pub struct Conn {
    /// The connection, seen from its first end.
    pub flow: FourTuple,
    /// The hosts of its two ends, who opened it first.
    pub ends: [Option<HostId>; 2],
    /// The RST for whose sake it was chosen, as its place in [`Facts::resets`].
    pub reset: Option<usize>,
    /// The same as ladders and lanes draw it.
    pub story: Option<Story>,
    /// What made that RST inevitable.
    pub chain: Option<Chain>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Steps beyond those that a report holds.
    pub left_out: usize,
}

/// What a host did at one time for one connection.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// Where.
    pub host: HostId,
    /// What happened, in words.
    pub told: Vec<Link>,
    /// The segments that came and left in it; the first has arrived if `arrived`.
    pub segments: Vec<Passing>,
    /// Both ends behind it; `None`: there is nothing.
    pub ends: [Option<Stand>; 2],
    /// Was a bucket refused, and in which state should it have stood?
    pub refused: Option<TcpState>,
    /// Counters of the host that the step raised.
    pub counters: Vec<(Mib, i64)>,
    /// Did the step do something for other connections, too?
    pub shared: bool,
    /// /proc/net/sockstat of both ends' hosts behind it.
    pub sockstat: [SockStat; 2],
}

/// A segment at one of the two ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passing {
    /// The segment.
    pub segment: Segment,
    /// Why it was sent; `None` if it has arrived.
    pub sent: Option<Cause>,
    /// When it arrives, if it does; for one that has arrived, when that was.
    pub arrives: Option<Instant>,
}

/// What stands at one end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stand {
    /// In which state.
    pub state: TcpState,
    /// Is it a bucket?
    pub bucket: bool,
}

impl Facts {
    /// What a host is called.
    pub fn name(&self, host: HostId) -> &str {
        &self.hosts[usize::from(host.0)].name
    }
    /// When the run, or what there is of it, ends.
    pub const fn until(&self) -> Instant {
        self.end.at()
    }
    /// RSTs that a host sent, recorded or not.
    pub fn reset_count(&self) -> u64 {
        self.hosts.iter().map(|h| h.counter(Mib::OutRsts)).sum()
    }
}

/// Columns of a ladder as text.
const LADDER: usize = 104;

impl Conn {
    /// Its ladder as text; empty if nothing is known of it.
    pub fn ladder(&self) -> String {
        self.story.as_ref().map_or_else(String::new, |story| ladder::text(story, LADDER))
    }
}
