//! A track: what one connection did from its beginning to its end, relative to when it began and to
//! the numbers that were drawn for it.

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_model::track::{Change, Numbering, Origin, Total};

use super::learn::LATER;
use crate::app::{Served, Tally};
use crate::digest::{Digest, Outline, join};

/// The two hosts of a connection: whoever opens it, and whoever listens.
pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

/// What all connections of one way have in common: when what happens where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    /// By end: how long after the beginning each moment is; the client's first is the beginning.
    pub moments: [Vec<Span>; 2],
    /// When the SYN arrives.
    pub syn_arrives: Span,
}

impl Shape {
    /// How long after the beginning everything has happened.
    pub(super) fn lasts(&self) -> Span {
        self.moments.iter().flatten().copied().max().unwrap_or(Span::ZERO)
    }
}

/// What happens when, for all connections that begin at a like place between the ticks of their
/// hosts' clocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Class {
    /// By end, as [`Shape::moments`].
    pub moments: [Vec<Moment>; 2],
    pub totals: Totals,
}

/// What is counted of a whole connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Totals {
    /// By end: by the kernel.
    pub kernels: [Total; 2],
    pub apps: AppTotal,
}

/// What happens on one host at one instant.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Moment {
    /// Segments that arrive.
    pub arrivals: u64,
    /// Segments that leave.
    pub sends: Vec<Sends>,
    /// What the kernel says; the flow is put in, without its port if that is not known yet.
    pub notes: Vec<(Note, bool)>,
    /// What happens in its tables, if anything.
    pub change: Option<Change>,
}

/// What the two applications count of a whole connection.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct AppTotal {
    /// The client, but for [`Tally::started`].
    pub tally: Tally,
    /// How long after its beginning the client found the connection standing.
    pub connects: Vec<Span>,
    /// How long after its beginning it had its answer.
    pub latencies: Vec<Span>,
    pub served: Served,
}

/// A segment that leaves: what it has in common with all that leave at that moment of other
/// connections, and its numbers relative to the [`Origin`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sends {
    outline: Outline,
    seq: u32,
    ack: u32,
    val: u32,
    ecr: u32,
    /// Does it acknowledge anything, and so echo a timestamp?
    acks: bool,
    stamped: bool,
}

impl Sends {
    /// `None` if it is none that others can send, too.
    pub(super) fn of(segment: &Segment, cause: Cause, origin: &Origin) -> Option<Self> {
        let acks = segment.flags.ack();
        let stamp = segment.options.ts;
        let strange = segment.flow != origin.flow
            || segment.options.sack_count > 0
            || cause.is_reset()
            || (!acks && (segment.ack != Seq(0) || stamp.is_some_and(|ts| ts.ecr != 0)));
        let (val, ecr) = stamp.map_or((0, 0), |ts| {
            (ts.val.wrapping_sub(origin.ts), ts.ecr.wrapping_sub(origin.peer_ts))
        });
        (!strange).then(|| Self {
            outline: Outline::of(segment, cause),
            seq: segment.seq - origin.iss,
            ack: if acks { segment.ack - origin.irs } else { 0 },
            val,
            ecr: if acks { ecr } else { 0 },
            acks,
            stamped: stamp.is_some(),
        })
    }
    /// It leaves.
    #[inline(always)]
    pub(super) fn leave(
        &self,
        at: Instant,
        ends: (u64, u64),
        origin: &Origin,
        digest: &mut Digest,
    ) {
        let (irs, peer_ts) = if self.acks { (origin.irs.0, origin.peer_ts) } else { (0, 0) };
        let numbers = join(origin.iss.0.wrapping_add(self.seq), irs.wrapping_add(self.ack));
        let stamp = join(origin.ts.wrapping_add(self.val), peer_ts.wrapping_add(self.ecr));
        let stamp = if self.stamped { stamp } else { 0 };
        digest.outline(at, ends, &self.outline, numbers, stamp);
    }
}

/// The same seen from the other host.
#[inline]
pub(super) fn mirrored(origin: &Origin) -> Origin {
    Origin {
        flow: origin.flow.reversed(),
        iss: origin.irs,
        irs: origin.iss,
        ts: origin.peer_ts,
        peer_ts: origin.ts,
    }
}

/// The numbers of a connection that begins then, seen from the client. Both hosts' timestamps are
/// taken at its beginning.
pub(super) fn origin(
    numbering: &[Numbering; 2],
    flow: finwait_model::flow::FourTuple,
    began: Instant,
    syn_arrives: Span,
) -> Origin {
    let reversed = flow.reversed();
    Origin {
        flow,
        iss: numbering[CLIENT].iss(flow, began),
        irs: numbering[SERVER].iss(reversed, began + syn_arrives),
        ts: numbering[CLIENT].timestamp(flow, began),
        peer_ts: numbering[SERVER].timestamp(reversed, began),
    }
}

/// Are the numbers far from zero? It means "none" in many places, so a connection with a timestamp that
/// is zero goes another way.
#[inline]
pub(super) const fn is_usual(origin: &Origin) -> bool {
    /// Ticks of a timestamp's clock while a connection lasts, and more.
    const TICKS: u32 = 1 << 10;
    const BYTES: u32 = 1 << 20;
    const fn far(number: u32, near: u32) -> bool {
        number.wrapping_add(near) > 2 * near
    }
    far(origin.iss.0, BYTES)
        && far(origin.irs.0, BYTES)
        && far(origin.ts, TICKS)
        && far(origin.peer_ts, TICKS)
}

/// Where the beginning of a connection lies between the ticks of its hosts' clocks: from that follows
/// which of its moments come after the next tick, and nothing else of the time matters to it.
#[derive(Clone, Debug)]
pub(super) struct Phases {
    list: Vec<Phase>,
}

/// One clock: it ticks every `grain` nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Phase {
    grain: u64,
    uptime: u64,
    /// A connection that begins so long after a tick, or longer, has one moment more behind the next.
    marks: Vec<u64>,
}

/// With more places than that to begin at, learning costs more than it saves.
const MOST_CLASSES: usize = 1 << 14;

impl Phases {
    /// `None` if there are too many places.
    pub(super) fn new(shape: &Shape, numbering: &[Numbering; 2]) -> Option<Self> {
        let mut list: Vec<Phase> = Vec::new();
        for end in numbering {
            let (grains, uptime) = end.grains();
            for grain in grains {
                let behind = shape.moments.iter().flatten().map(|after| after.ns % grain);
                let mut marks: Vec<u64> = behind.filter(|&b| b > 0).map(|b| grain - b).collect();
                marks.sort_unstable();
                marks.dedup();
                let phase = Phase { grain, uptime: uptime % grain, marks };
                if !phase.marks.is_empty() && !list.contains(&phase) {
                    list.push(phase);
                }
            }
        }
        let phases = Self { list };
        (phases.count() <= MOST_CLASSES).then_some(phases)
    }
    /// How many classes there may be.
    pub(super) fn count(&self) -> usize {
        self.list.iter().fold(1, |n: usize, p| n.saturating_mul(p.marks.len() + 1))
    }
    /// Do lessons take place in the class of a connection that begins then?
    pub(super) fn is_alike(&self, began: Instant) -> bool {
        let class = self.class_of(began);
        class == self.class_of(began + LATER) && class == self.class_of(began + LATER + LATER)
    }
    /// The class of a connection that begins then.
    #[inline]
    pub(super) fn class_of(&self, began: Instant) -> usize {
        self.list.iter().fold(0, |key, phase| {
            let since = (began.ns + phase.uptime) % phase.grain;
            let behind = phase.marks.iter().filter(|&&mark| mark <= since).count();
            key * (phase.marks.len() + 1) + behind
        })
    }
}
