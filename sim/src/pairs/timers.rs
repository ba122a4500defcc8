//! The delayed-ACK timers of a host.

use std::collections::VecDeque;

use finwait_model::time::Instant;

use crate::agenda::NEVER;

/// So many rows are looked through at a time; with more, those that are empty go.
const MANY: usize = 8;

/// All of them. Those that were armed for as many ticks come due in the order in which they were armed.
/// One that is stopped stays until those before it are over: most are, long before they would fire.
#[derive(Debug)]
pub(super) struct Timers {
    rows: Vec<Row>,
    first: Instant,
}

/// Those for so many ticks.
#[derive(Debug)]
struct Row {
    ticks: u32,
    timers: VecDeque<Timer>,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Timer {
    pub at: Instant,
    /// How many had been armed before.
    pub number: u64,
    /// Its connection, and at which end.
    pub slot: u32,
    pub end: usize,
}

impl Default for Timers {
    fn default() -> Self {
        Self { rows: Vec::new(), first: NEVER }
    }
}

impl Timers {
    /// When the next one fires, or would have fired.
    #[inline]
    pub(super) const fn first(&self) -> Instant {
        self.first
    }
    /// One is armed for so many ticks.
    #[inline]
    pub(super) fn arm(&mut self, ticks: u32, timer: Timer) {
        let row = match self.rows.iter().position(|row| row.ticks == ticks) {
            Some(row) => row,
            None => {
                self.rows.push(Row { ticks, timers: VecDeque::new() });
                self.rows.len() - 1
            }
        };
        let timers = &mut self.rows[row].timers;
        debug_assert!(timers.back().is_none_or(|last| last.at <= timer.at), "time goes on");
        timers.push_back(timer);
        self.first = self.first.min(timer.at);
    }
    /// Takes the one that fires now, if any does.
    pub(super) fn take(
        &mut self,
        now: Instant,
        mut is_pending: impl FnMut(&Timer) -> bool,
    ) -> Option<Timer> {
        for row in &mut self.rows {
            while row.timers.front().is_some_and(|next| !is_pending(next)) {
                row.timers.pop_front();
            }
        }
        if self.rows.len() > MANY {
            self.rows.retain(|row| !row.timers.is_empty());
        }
        let when = |row: &Row| row.timers.front().map_or((NEVER, 0), |next| (next.at, next.number));
        let first = self.rows.iter_mut().min_by_key(|row| when(row));
        let taken = first.filter(|row| when(row).0 <= now).and_then(|row| row.timers.pop_front());
        self.first = self.rows.iter().map(|row| when(row).0).min().unwrap_or(NEVER);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is armed and stopped: those that are pending fire at their time, in the order in
        /// which they were armed.
        #[test]
        fn they_fire_in_their_order(
            acts in prop::collection::vec((0u64..3, 1u32..6, 0u32..8, any::<bool>()), 1..60),
        ) {
            let mut timers = Timers::default();
            // By slot: the number of its timer, and when that fires.
            let mut pending = [None::<(u64, Instant)>; 8];
            let (mut now, mut number) = (Instant { ns: 0 }, 0);
            for (later, ticks, slot, stops) in acts {
                let until = Instant { ns: now.ns + later };
                while timers.first() <= until {
                    now = timers.first();
                    let holds = |timer: &Timer| {
                        pending[timer.slot as usize].is_some_and(|(its, _)| its == timer.number)
                    };
                    let taken = timers.take(now, holds).map(|timer| timer.slot);
                    let due = (0..8u32).filter_map(|slot| Some((pending[slot as usize]?, slot)));
                    let due = due.filter(|((_, at), _)| *at <= now).min().map(|(_, slot)| slot);
                    prop_assert_eq!(taken, due);
                    if let Some(slot) = taken {
                        pending[slot as usize] = None;
                    }
                }
                now = until;
                prop_assert!(pending.iter().flatten().all(|(_, at)| *at > now));
                if stops {
                    pending[slot as usize] = None;
                } else {
                    number += 1;
                    let at = Instant { ns: now.ns + u64::from(ticks) };
                    pending[slot as usize] = Some((number, at));
                    timers.arm(ticks, Timer { at, number, slot, end: 0 });
                }
            }
        }
    }
}
