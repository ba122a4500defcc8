//! Where a kernel's output goes when nobody is in a hurry: the kernel is compiled once for all who
//! only keep what they hear.

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::sink::{Note, Sink};

/// A [`Sink`] that can stand behind a pointer.
pub(crate) trait Hear {
    /// A segment leaves the host.
    fn transmit(&mut self, segment: &Segment, cause: Cause);
    /// Something happened that no segment shows.
    fn note(&mut self, note: Note);
    /// A timer of that connection fires.
    fn touched(&mut self, _flow: FourTuple) {}
}

/// Whoever hears.
pub(crate) struct Heard<'a>(pub(crate) &'a mut dyn Hear);

impl Sink for Heard<'_> {
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.0.transmit(segment, cause);
    }
    fn note(&mut self, note: impl FnOnce() -> Note) {
        self.0.note(note());
    }
    fn touched(&mut self, flow: impl FnOnce() -> FourTuple) {
        self.0.touched(flow());
    }
}
