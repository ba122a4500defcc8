//! What an arm saw of a case: the same for both, in the script's numbers, so that it can be
//! compared field by field.

use std::collections::{BTreeMap, BTreeSet};

use finwait_model::cause::Cause;
use finwait_model::state::TcpState;
use finwait_sim::script::observe::{Conn, Header};

/// All that one arm saw.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Seen {
    /// When each step was really done.
    pub steps: Vec<Done>,
    /// Segments that the host sent, in order.
    pub sent: Vec<Sent>,
    /// System calls that returned, in the order in which they were made.
    pub answers: Vec<Answered>,
    /// The host after each step and at the end.
    pub looks: Vec<Look>,
    /// RSTs as the kernel itself explains them, in order; only with tracepoints.
    pub resets: Vec<Reset>,
    /// When the model's timers were due and ran, in nanoseconds since the run's zero.
    pub timers: BTreeSet<u64>,
    /// What the model made of each segment that arrived: state, segment, answer.
    pub triples: BTreeSet<String>,
    /// State changes of full sockets as the kernel itself tells them; only with tracepoints.
    pub states: Vec<StateChange>,
    /// Segments sent again as the kernel itself tells it; only with tracepoints.
    pub retransmits: Vec<Retransmit>,
}

/// When a step was done, in nanoseconds since the run's zero.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Done {
    /// Just before.
    pub start_ns: u64,
    /// Just after; for a call that blocks, when it was handed over.
    pub end_ns: u64,
    /// When the kernel did it, if it has shown that: the packet's arrival, or the first segment
    /// that the call sent.
    pub acted_ns: Option<u64>,
}

/// A segment that left the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Nanoseconds since the run's zero.
    pub at_ns: u64,
    /// The last step that was begun before.
    pub step: usize,
    /// The segment.
    pub header: Header,
    /// Why; only the model knows.
    pub cause: Option<Cause>,
}

/// A system call that returned (or did not before the end).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// Its step.
    pub step: usize,
    /// Nanoseconds since the run's zero at which it was made.
    pub start_ns: u64,
    /// Nanoseconds since the run's zero at which it returned; `None` if it never did.
    pub end_ns: Option<u64>,
    /// What it answered: descriptors by the script's number, errors by name.
    pub value: Result<i64, String>,
    /// What it wrote through its pointer: an option's value, a count of bytes, poll bits.
    pub out: Option<i64>,
}

/// The host at a moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Look {
    /// Nanoseconds since the run's zero.
    pub at_ns: u64,
    /// The last step that was begun before.
    pub step: usize,
    /// Every socket, request and bucket, sorted.
    pub rows: Vec<LookRow>,
    /// Counters by nstat name that are not zero.
    pub counters: BTreeMap<String, u64>,
    /// sockstat's `inuse` and `tw`, which are this host's own.
    pub inuse: u32,
    /// Buckets.
    pub tw: u32,
}

/// A line of `ss -tano`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LookRow {
    /// The connection.
    pub conn: Conn,
    /// State; for a bucket its substate, for a request SynRecv.
    pub state: TcpState,
    /// Is it a timewait bucket?
    pub bucket: bool,
    /// Does no file belong to it? False for requests and buckets.
    pub orphan: bool,
    /// Recv-Q.
    pub rx_queue: u32,
    /// Send-Q.
    pub tx_queue: u32,
    /// Timer.
    pub timer: Option<LookTimer>,
}

/// The timer column.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LookTimer {
    /// `on`, `keepalive`, `timewait`, `persist`.
    pub name: &'static str,
    /// Nominal nanoseconds left.
    pub left_ns: u64,
    /// Retransmissions or probes.
    pub count: u32,
}

/// A RST as `tcp:tcp_send_reset` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reset {
    /// Nanoseconds since the run's zero.
    pub at_ns: u64,
    /// The connection.
    pub conn: Conn,
    /// `enum sk_rst_reason` without its prefix.
    pub reason: String,
    /// Kernel functions, outermost first.
    pub path: Vec<String>,
}

/// A state change as `sock:inet_sock_set_state` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateChange {
    /// Nanoseconds since the run's zero.
    pub at_ns: u64,
    /// The connection.
    pub conn: Conn,
    /// From and to.
    pub change: (TcpState, TcpState),
}

/// A segment sent again, as `tcp:tcp_retransmit_skb` (or, for a request, `tcp:tcp_retransmit_synack`)
/// tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retransmit {
    /// Nanoseconds since the run's zero.
    pub at_ns: u64,
    /// The connection.
    pub conn: Conn,
    /// Kernel functions, outermost first.
    pub path: Vec<String>,
}
