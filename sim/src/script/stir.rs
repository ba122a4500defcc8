//! What each call into the kernel did, for whoever asks which counters go with which event.

use finwait_model::cause::Cause;
use finwait_model::counters::{Counters, Mib};
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use super::sink::{Entry, Wire};

/// One call into the kernel: a segment that arrived, timers, a system call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stir {
    /// When.
    pub at: Instant,
    /// The segment that arrived, if one did.
    pub arrived: Option<Segment>,
    /// What came of it, in order.
    pub effects: Vec<Effect>,
    /// The counters that are higher than before.
    pub rose: Vec<Mib>,
}

/// Something that the call did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A segment left.
    Sent(Segment, Cause),
    /// The host noted something.
    Noted(Note),
}

impl Stir {
    /// The call that has just returned: `wire.log` from `from` on is its doing.
    pub(super) fn of(
        wire: &Wire,
        from: usize,
        arrived: Option<Segment>,
        before: &Counters,
        after: &Counters,
    ) -> Self {
        let effects = wire.log[from..].iter().map(|entry| match entry {
            Entry::Sent(place) => {
                let sent = &wire.sent[*place];
                Effect::Sent(sent.segment, sent.cause)
            }
            Entry::Note(_, note) => Effect::Noted(*note),
        });
        let rose = Mib::ALL.iter().copied().filter(|&mib| after.get(mib) > before.get(mib));
        Self { at: wire.now, arrived, effects: effects.collect(), rose: rose.collect() }
    }
    /// Why its segments were sent.
    pub fn causes(&self) -> impl Iterator<Item = Cause> + '_ {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Sent(_, cause) => Some(*cause),
            Effect::Noted(_) => None,
        })
    }
    /// What the host noted.
    pub fn notes(&self) -> impl Iterator<Item = &Note> + '_ {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Noted(note) => Some(note),
            Effect::Sent(..) => None,
        })
    }
}
