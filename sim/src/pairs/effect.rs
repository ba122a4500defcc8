//! What comes of an event: everything that it does on its host, without the numbers that are the
//! connection's own.

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Ready;
use finwait_model::pair::Delta;
use finwait_model::segment::{Segment, Timestamp};
use finwait_model::seq::Seq;
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::track::Change;

use crate::digest::{Outline, join};

/// The numbers of a connection as one of its ends sees them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub flow: FourTuple,
    pub iss: Seq,
    pub irs: Seq,
    /// Its own timestamp.
    pub val: u32,
    /// The peer's that it has.
    pub ecr: u32,
}

/// A segment that leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Leaves {
    pub cause: Cause,
    outline: Outline,
    seq: u32,
    ack: u32,
    acks: bool,
    stamped: bool,
    payload: bool,
    resets: bool,
    /// It without its numbers.
    blank: Box<Segment>,
}

impl Leaves {
    /// `None` if it is none that others can send, too.
    pub(super) fn of(segment: &Segment, cause: Cause, numbers: &Numbers) -> Option<Self> {
        let acks = segment.flags.ack();
        let ecr = if acks { numbers.ecr } else { 0 };
        let stamp = segment.options.ts;
        let strange = segment.flow != numbers.flow
            || segment.options.sack_count > 0
            || (!acks && segment.ack != Seq(0))
            || stamp.is_some_and(|ts| (ts.val, ts.ecr) != (numbers.val, ecr));
        let mut blank = *segment;
        (blank.flow, blank.seq, blank.ack) = (FourTuple::default(), Seq(0), Seq(0));
        blank.options.ts = stamp.map(|_| Timestamp::default());
        (!strange).then(|| Self {
            cause,
            outline: Outline::of(segment, cause),
            seq: segment.seq - numbers.iss,
            ack: if acks { segment.ack - numbers.irs } else { 0 },
            acks,
            stamped: stamp.is_some(),
            payload: segment.len > 0,
            resets: cause.is_reset(),
            blank: Box::new(blank),
        })
    }
    /// Does it bring payload?
    pub(super) const fn has_payload(&self) -> bool {
        self.payload
    }
    /// Is it a RST?
    pub(super) const fn is_reset(&self) -> bool {
        self.resets
    }
    /// What a digest takes of it: sequence numbers, and timestamps.
    #[inline(always)]
    pub(super) fn words(&self, numbers: &Numbers) -> (&Outline, u64, u64) {
        let ack = if self.acks { numbers.irs.0.wrapping_add(self.ack) } else { 0 };
        let ecr = if self.acks { numbers.ecr } else { 0 };
        let stamp = if self.stamped { join(numbers.val, ecr) } else { 0 };
        (&self.outline, join(numbers.iss.0.wrapping_add(self.seq), ack), stamp)
    }
    /// The segment.
    pub(super) fn segment(&self, numbers: &Numbers) -> Segment {
        let mut segment = *self.blank;
        segment.flow = numbers.flow;
        segment.seq = numbers.iss + self.seq;
        if self.acks {
            segment.ack = numbers.irs + self.ack;
        }
        let ecr = if self.acks { numbers.ecr } else { 0 };
        if let Some(stamp) = &mut segment.options.ts {
            *stamp = Timestamp { val: numbers.val, ecr };
        }
        segment
    }
}

/// What comes out of a kernel, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Out {
    Segment(Leaves),
    /// What it says, without its flow.
    Note(Box<Note>, Of),
    /// That it has refused a bucket, of that substate.
    Refusal(TcpState),
}

/// Everything that comes out of a kernel in one event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outs {
    /// The only segment, if whoever watches does not hear of it: then it does not matter what is said
    /// before it and what behind.
    pub unseen: Option<Leaves>,
    /// All others, in their order.
    pub rest: Vec<Out>,
}

impl Outs {
    pub(super) fn of(mut all: Vec<Out>) -> Self {
        let is_segment = |out: &Out| matches!(out, Out::Segment(_));
        let is_reset = |out: &Out| matches!(out, Out::Segment(leaves) if leaves.resets);
        let segments = all.iter().filter(|out| is_segment(out)).count();
        if segments != 1 || all.iter().any(is_reset) {
            return Self { unseen: None, rest: all };
        }
        let place = all.iter().position(is_segment);
        let unseen = place.and_then(|place| match all.remove(place) {
            Out::Segment(leaves) => Some(leaves),
            Out::Note(..) | Out::Refusal(_) => None,
        });
        Self { unseen, rest: all }
    }
    fn are_none(&self) -> bool {
        self.unseen.is_none() && self.rest.is_empty()
    }
}

/// Of which flow something is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    /// The connection's, as the host sends.
    Ours,
    /// The same before its port is known.
    Portless,
    /// The connection's, as the peer sends.
    Theirs,
}

impl Of {
    /// How that flow is one of a connection's.
    pub(super) fn the(flow: FourTuple, ours: FourTuple) -> Option<Self> {
        [Self::Ours, Self::Portless, Self::Theirs].into_iter().find(|of| of.flow(ours) == flow)
    }
    /// The flow.
    pub(super) const fn flow(self, ours: FourTuple) -> FourTuple {
        match self {
            Self::Ours => ours,
            Self::Portless => FourTuple { sport: 0, ..ours },
            Self::Theirs => ours.reversed(),
        }
    }
}

/// What becomes of a timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// It stays as it is.
    Stays,
    /// It is armed, for so many ticks later.
    Armed(u32),
    /// It is not pending.
    Idle,
}

/// Whose readiness has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whom {
    Listener,
    /// The connection's own descriptor at that end.
    Own,
}

/// Everything. What is seldom looked at lies elsewhere, for there is one of these for each event that
/// is known, and they all are to stay in the processor's nearest cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Effect {
    /// The segment whose arrival the event is.
    pub arrived: Option<Box<Leaves>>,
    pub outs: Outs,
    pub wakes: Vec<(Whom, Ready)>,
    /// What the system call says.
    pub result: Result<u32, Errno>,
    /// The timestamp of what arrived is kept.
    pub takes_stamp: bool,
    /// Payload came.
    pub takes_data: bool,
    pub delack: Turn,
    pub write: Turn,
    pub change: Option<Box<Change>>,
    /// The client's place in the hash is free, and no bucket stands there.
    pub leaves: bool,
    pub delta: Box<Delta>,
    /// Nothing is left of the connection but buckets.
    pub over: bool,
}

impl Effect {
    /// Is a bucket made?
    pub(super) fn makes_bucket(&self) -> bool {
        self.change.as_ref().is_some_and(|change| change.makes_bucket())
    }
    /// Does it do nothing that shows but what the system call says?
    pub(super) fn is_quiet(&self) -> bool {
        self.outs.are_none()
            && !self.takes_stamp
            && !self.takes_data
            && !self.does_more()
            && !self.over
    }
    /// Do the host's tables change, is somebody woken, or a timer set?
    pub(super) fn does_more(&self) -> bool {
        self.change.is_some()
            || self.leaves
            || !self.wakes.is_empty()
            || (self.delack, self.write) != (Turn::Stays, Turn::Stays)
    }
}
