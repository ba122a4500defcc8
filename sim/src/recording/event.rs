//! What a recording tells: the events of a run, in the order in which they happened.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Line;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use crate::app::Call;
use crate::link::Fate;
use crate::world::HostId;

/// Something that happened on a host.
///
/// Events come in the order of time; at one time, hosts in the order of the scenario, and on one
/// host in the order in which it did them. Each step of a host begins with what made it act, and
/// ends with the counters and rows that it has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// Where.
    pub host: HostId,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A segment arrived; the step's first event.
    Received(Segment),
    /// A segment left.
    Sent {
        /// The segment.
        segment: Segment,
        /// Why the kernel sent it.
        cause: Cause,
        /// What the network does with it.
        fate: Fate,
        /// The segment whose arrival made the kernel send it; `None` if a timer or an application
        /// did.
        answers: Option<Segment>,
    },
    /// Something that no segment shows.
    Note(Note),
    /// An application made a system call.
    Call(Call),
    /// A counter changed by that much.
    Counter(Mib, i64),
    /// /proc/net/sockstat changed.
    SockStat(SockStatChange),
    /// A row of `ss` changed; `None`: it is gone. The flow is seen from the host, a listener's has
    /// zeros for its remote end. A row may be told again although nothing has changed.
    Row(FourTuple, Option<Line>),
}

/// By how much the numbers of /proc/net/sockstat changed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs, reason = "the names in /proc/net/sockstat")]
pub struct SockStatChange {
    pub inuse: i64,
    pub orphan: i64,
    pub tw: i64,
    pub alloc: i64,
}

impl What {
    /// The connection that it is about, in either direction; `None` for counters.
    pub const fn flow(&self) -> Option<FourTuple> {
        Some(match self {
            Self::Received(segment) | Self::Sent { segment, .. } => segment.flow,
            Self::Note(note) => note.flow(),
            Self::Call(call) => call.flow,
            Self::Counter(..) | Self::SockStat(_) => return None,
            Self::Row(flow, _) => *flow,
        })
    }
    /// Is it a RST that left?
    pub const fn is_reset(&self) -> bool {
        matches!(self, Self::Sent { segment, .. } if segment.flags.rst())
    }
}

/// Does anything that has these two ends belong to that connection, whatever the direction?
pub fn same_connection(a: FourTuple, b: FourTuple) -> bool {
    a == b || a == b.reversed()
}
