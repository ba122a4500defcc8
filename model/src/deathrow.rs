//! When timewait buckets die.
//!
//! The two designs have nothing in common but their purpose. Up to 4.0 one "death row" serves the
//! whole host: a hand goes round eight cells, 7.5 seconds each, and what a cell holds dies at
//! once. Since 4.1 each bucket has a timer of its own and dies when the timer wheel gets to it.

mod cells;
mod fifo;
mod per_bucket;
mod tag;

use crate::time::Jiffies;
use cells::Cells;
use per_bucket::PerBucket;
pub use tag::{Tag, TagList, Tags};

/// Buckets that a cell of 3.10's row may hold to cost the hand one tick; with more it costs two.
pub const QUOTA: usize = cells::QUOTA;

/// How a release lets timewait buckets die.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Design {
    /// 6.18: one kernel timer per bucket `[tw_timer_handler]`.
    PerBucket,
    /// 3.10: eight cells with a hand, and a fast wheel of 32 cells for timeouts of up to about
    /// 4 seconds `[inet_twdr_hangman]` `[inet_twdr_twcal_tick]`.
    Cells,
}

/// What ended a bucket's wait. On 3.10 it decides which counter counts the bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Killer {
    /// Its own timer (6.18; counted when the bucket was made).
    Own,
    /// The slow hand, or the worker that empties a cell above the quota (3.10; `TW`).
    Slow,
    /// The fast wheel (3.10; `TWKilled`).
    Fast,
}

/// The timewait buckets of a host that wait for their death.
///
/// A bucket is a small dense `id` chosen by the caller. Time must not run backwards, and what is
/// due must have been popped before time goes on: [`Self::next`] says when. What the row must know
/// of each bucket lies with the bucket: every call gets the same [`Tags`].
#[derive(Clone, Debug)]
pub struct DeathRow {
    rows: Rows,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a host")]
enum Rows {
    PerBucket(PerBucket),
    Cells(Cells),
}

/// Calls a method without arguments that both designs have.
macro_rules! rows {
    ($self:ident . $method:ident ()) => {
        match &$self.rows {
            Rows::PerBucket(row) => row.$method(),
            Rows::Cells(row) => row.$method(),
        }
    };
}

impl DeathRow {
    /// An empty row on a host with `hz` ticks per second.
    pub fn new(design: Design, hz: u32) -> Self {
        let rows = match design {
            Design::PerBucket => Rows::PerBucket(PerBucket::new()),
            Design::Cells => Rows::Cells(Cells::new(hz)),
        };
        Self { rows }
    }

    /// Puts bucket `id` on the row at tick `now` to die after `timeout` ticks, as far as the
    /// design allows. A bucket that is on the row already is moved: its wait starts again
    /// `[inet_twsk_schedule]` `[inet_twsk_reschedule]`.
    pub fn schedule(&mut self, tags: &mut impl Tags, id: u32, now: Jiffies, timeout: Jiffies) {
        match &mut self.rows {
            Rows::PerBucket(row) => row.schedule(tags, id, now.0, timeout.0),
            Rows::Cells(row) => row.schedule(id, now.0, timeout.0),
        }
    }

    /// Takes bucket `id` off the row; nothing happens if it is not on it
    /// `[inet_twsk_deschedule]`.
    pub fn remove(&mut self, tags: &mut impl Tags, id: u32) {
        match &mut self.rows {
            Rows::PerBucket(row) => row.remove(tags, id),
            Rows::Cells(row) => row.remove(id),
        }
    }

    /// How many buckets are on the row.
    pub fn len(&self) -> usize {
        rows!(self.len())
    }

    /// Whether no bucket is on the row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tick at which bucket `id` should die, as `ss` shows it. No bucket dies exactly then.
    /// Zero if it is not on the row.
    pub fn expires(&self, tags: &impl Tags, id: u32) -> Jiffies {
        let expires = match &self.rows {
            Rows::PerBucket(row) => row.expires(tags, id),
            Rows::Cells(row) => row.expires(id),
        };
        Jiffies(expires.unwrap_or(0))
    }

    /// The tick at which [`Self::pop_due`] must be called next. It may find no bucket then: the
    /// old row's hand moves on over empty cells, too.
    pub fn next(&self) -> Option<Jiffies> {
        rows!(self.next()).map(Jiffies)
    }

    /// The tick at which the next bucket dies, if nothing is put on the row until then.
    pub fn next_death(&self) -> Option<Jiffies> {
        rows!(self.next_death()).map(Jiffies)
    }

    /// Takes one bucket that is dead at tick `now` off the row. To be called until it says `None`.
    pub fn pop_due(&mut self, tags: &mut impl Tags, now: Jiffies) -> Option<(u32, Killer)> {
        match &mut self.rows {
            Rows::PerBucket(row) => row.pop_due(tags, now.0),
            Rows::Cells(row) => row.pop_due(now.0),
        }
    }

    /// Writes what decides when each bucket dies, beyond [`Self::expires`]: where the hands of the
    /// old row stand and what lies in which cell. In the newer design the expiries say it all.
    pub fn write_state(&self, out: &mut impl core::fmt::Write) -> core::fmt::Result {
        match &self.rows {
            Rows::PerBucket(_) => Ok(()),
            Rows::Cells(row) => row.write_state(out),
        }
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        rows!(self.bytes())
    }
}

#[cfg(test)]
mod tests;
