//! Who looks on while a world runs.

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use crate::link::Fate;
use crate::world::HostId;

/// A segment that has just left a host.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// When.
    pub at: Instant,
    /// Whose it is.
    pub host: HostId,
    /// The segment.
    pub segment: &'a Segment,
    /// Why it was sent.
    pub cause: Cause,
    /// The segment whose arrival made the kernel send it; `None` if a timer or an application did.
    pub answers: Option<&'a Segment>,
    /// What the network did with it.
    pub fate: Fate,
}

/// Looks on. It sees everything and changes nothing, so a run goes the same way whoever watches.
pub trait Watch {
    /// Does it want notes? Where nobody does, the kernel does not even make them.
    const NOTES: bool;
    /// A segment has left.
    fn sent(&mut self, sent: &Sent<'_>);
    /// Something happened inside a host that no segment shows.
    fn noted(&mut self, _at: Instant, _host: HostId, _note: &Note) {}
}

/// Watches nothing: the kernels' own arrays count, and the world hashes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Count;

impl Watch for Count {
    const NOTES: bool = false;
    #[inline(always)]
    fn sent(&mut self, _sent: &Sent<'_>) {}
}

/// Two who look on together.
impl<A: Watch, B: Watch> Watch for (A, B) {
    const NOTES: bool = A::NOTES || B::NOTES;
    fn sent(&mut self, sent: &Sent<'_>) {
        self.0.sent(sent);
        self.1.sent(sent);
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.0.noted(at, host, note);
        self.1.noted(at, host, note);
    }
}

impl<W: Watch> Watch for &mut W {
    const NOTES: bool = W::NOTES;
    fn sent(&mut self, sent: &Sent<'_>) {
        (**self).sent(sent);
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        (**self).noted(at, host, note);
    }
}
