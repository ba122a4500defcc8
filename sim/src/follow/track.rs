//! A track: what one connection did from its beginning to its end, relative to when it began and to
//! the numbers that were drawn for it.

use finwait_model::cause::Cause;
use finwait_model::seq::Seq;
use finwait_model::segment::{Segment, Timestamp};
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_model::track::{Change, Numbering, Origin, Total};

use super::learn::LATER;
use crate::app::{Served, Tally};

/// The two hosts of a connection: whoever opens it, and whoever listens.
pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

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
    /// By end.
    pub totals: [Total; 2],
    pub apps: AppTotal,
}

/// What happens on one host at one instant.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Moment {
    /// Segments that arrive.
    pub arrivals: u64,
    /// Segments that leave, with sequence numbers and timestamps relative to the [`Origin`].
    pub sends: Vec<(Segment, Cause)>,
    /// What the kernel says; the flow is put in, without its port if that is not known yet.
    pub notes: Vec<(Note, bool)>,
    /// What happens in its tables.
    pub change: Change,
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

/// A segment relative to the numbers of its connection; `None` if it cannot be.
pub(super) fn relative(segment: &Segment, origin: &Origin) -> Option<Segment> {
    let mut other = *segment;
    if segment.flow != origin.flow || segment.options.sack_count > 0 {
        return None;
    }
    other.seq = Seq(segment.seq - origin.iss);
    if segment.flags.ack() {
        other.ack = Seq(segment.ack - origin.irs);
    }
    other.options.ts = segment.options.ts.map(|ts| Timestamp {
        val: ts.val.wrapping_sub(origin.ts),
        ecr: if segment.flags.ack() { ts.ecr.wrapping_sub(origin.peer_ts) } else { ts.ecr },
    });
    Some(other)
}

/// The other way round.
#[inline]
pub(super) fn absolute(segment: &Segment, origin: &Origin) -> Segment {
    let mut other = *segment;
    other.flow = origin.flow;
    other.seq = origin.iss + segment.seq.0;
    let acks = segment.flags.ack();
    if acks {
        other.ack = origin.irs + segment.ack.0;
    }
    if let Some(ts) = &mut other.options.ts {
        ts.val = ts.val.wrapping_add(origin.ts);
        if acks {
            ts.ecr = ts.ecr.wrapping_add(origin.peer_ts);
        }
    }
    other
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
const MOST_CLASSES: usize = 1 << 16;

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
