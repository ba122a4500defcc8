//! The model's output as the runner sees it: a [`Hear`] that keeps what happens.

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use crate::hear::Hear;

/// A segment that left the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    /// When.
    pub(super) at: Instant,
    /// What.
    pub(super) segment: Segment,
    /// Why.
    pub(super) cause: Cause,
}

/// Keeps everything that leaves or happens.
#[derive(Clone, Default, Debug)]
pub(super) struct Wire {
    pub(super) now: Instant,
    pub(super) sent: Vec<Sent>,
    pub(super) log: Vec<Entry>,
}

/// What happened, in order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// A segment left: its place in [`Wire::sent`].
    Sent(usize),
    /// The host noted something.
    Note(Instant, Note),
}

impl Hear for Wire {
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.log.push(Entry::Sent(self.sent.len()));
        self.sent.push(Sent { at: self.now, segment: *segment, cause });
    }
    fn note(&mut self, note: Note) {
        self.log.push(Entry::Note(self.now, note));
    }
}
