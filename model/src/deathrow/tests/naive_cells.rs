//! The old death row step by step, every tick, with plain vectors.

use super::*;
use crate::timer::wheel::{Rounding, fires_at};
use proptest::prelude::*;

const HZ: u64 = 100;
const PERIOD: u64 = 750;
const STEP: u64 = 16;

struct Naive {
    now: u64,
    slow: [Vec<u32>; 8],
    fast: [Vec<u32>; 32],
    hand: usize,
    slow_timer: Option<u64>,
    fast_timer: Option<u64>,
    /// Hand and base of the fast wheel.
    fast_at: Option<(usize, u64)>,
    count: usize,
}

fn timer(now: u64, expires: u64) -> u64 {
    fires_at(Rounding::Exact, Jiffies(now), Jiffies(expires)).0
}

impl Naive {
    fn new(now: u64) -> Self {
        Self {
            now,
            slow: Default::default(),
            fast: core::array::from_fn(|_| Vec::new()),
            hand: 0,
            slow_timer: None,
            fast_timer: None,
            fast_at: None,
            count: 0,
        }
    }

    fn take(&mut self, id: u32) -> bool {
        let before = self.count;
        for cell in self.slow.iter_mut().chain(&mut self.fast) {
            if let Some(at) = cell.iter().position(|&other| other == id) {
                cell.remove(at);
                self.count -= 1;
            }
        }
        self.count < before
    }

    fn schedule(&mut self, id: u32, timeout: u64) -> u64 {
        self.take(id);
        let steps = timeout.div_ceil(STEP);
        let expires = if steps >= 32 {
            let ahead = if timeout >= 60 * HZ { 7 } else { timeout.div_ceil(PERIOD).min(7) };
            self.slow[(self.hand + ahead as usize) % 8].push(id);
            self.now + timeout
        } else {
            let expires = self.now + steps * STEP;
            let (hand, _) = *self.fast_at.get_or_insert((0, self.now));
            if self.fast_timer.is_none_or(|at| at > expires) {
                self.fast_timer = Some(timer(self.now, expires));
            }
            self.fast[(hand + steps as usize) % 32].push(id);
            expires
        };
        if self.count == 0 {
            self.slow_timer = Some(timer(self.now, self.now + PERIOD));
        }
        self.count += 1;
        expires
    }

    fn remove(&mut self, id: u32) {
        if self.take(id) && self.count == 0 {
            self.slow_timer = None;
        }
    }

    /// One tick of the clock; who died, newest first.
    fn tick(&mut self) -> Vec<(u32, Killer)> {
        self.now += 1;
        let mut dead = Vec::new();
        if self.slow_timer == Some(self.now) {
            self.slow_timer = None;
            self.slow_tick(&mut dead);
        }
        if self.fast_timer == Some(self.now) {
            self.fast_timer = None;
            self.fast_tick(&mut dead);
        }
        dead
    }

    fn slow_tick(&mut self, dead: &mut Vec<(u32, Killer)>) {
        if self.count == 0 {
            return;
        }
        let cell = self.hand;
        let mut killed = 0;
        while killed <= 100
            && let Some(id) = self.slow[cell].pop()
        {
            dead.push((id, Killer::Slow));
            killed += 1;
        }
        self.count -= killed;
        let stopped = killed > 100;
        if !stopped {
            self.hand = (self.hand + 1) % 8;
        }
        if stopped || self.count > 0 {
            self.slow_timer = Some(timer(self.now, self.now + PERIOD));
        }
        // The worker.
        while stopped && let Some(id) = self.slow[cell].pop() {
            dead.push((id, Killer::Slow));
            self.count -= 1;
        }
    }

    fn fast_tick(&mut self, dead: &mut Vec<(u32, Killer)>) {
        let Some((hand, base)) = self.fast_at.take() else { return };
        let cells = (0..32).map(|n| ((hand + n) % 32, base + n as u64 * STEP));
        for (cell, _) in cells.clone().filter(|&(_, due)| due <= self.now) {
            while let Some(id) = self.fast[cell].pop() {
                dead.push((id, Killer::Fast));
                self.count -= 1;
            }
        }
        let mut ahead = cells.filter(|&(_, due)| due > self.now);
        let new_base = ahead.clone().next();
        if let Some((_, due)) = ahead.find(|&(cell, _)| !self.fast[cell].is_empty()) {
            self.fast_timer = Some(timer(self.now, due));
            self.fast_at = new_base;
        }
        if self.count == 0 {
            self.slow_timer = None;
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Schedule {
        id: u32,
        timeout: u64,
    },
    /// Many buckets at once, so that a cell goes over its quota.
    Flood {
        first: u32,
        n: u32,
        timeout: u64,
    },
    Remove {
        id: u32,
    },
    /// Empties the row by hand, all but some.
    Clear {
        but: u32,
    },
    Wait {
        ticks: u64,
    },
}

fn timeout() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(6_000u64), 2 => 0u64..520, 2 => 490u64..7_000]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u32..400, timeout()).prop_map(|(id, timeout)| Act::Schedule { id, timeout }),
        3 => (0u32..300, 90u32..140, timeout())
            .prop_map(|(first, n, timeout)| Act::Flood { first, n, timeout }),
        3 => (0u32..400).prop_map(|id| Act::Remove { id }),
        1 => (0u32..3).prop_map(|but| Act::Clear { but }),
        6 => (0u64..800).prop_map(|ticks| Act::Wait { ticks }),
        1 => (0u64..9000).prop_map(|ticks| Act::Wait { ticks }),
    ]
}

const IDS: u32 = 450;

/// Lets ticks pass on both and compares who dies, and that it was foretold.
fn pass(row: &mut Row, naive: &mut Naive, expiries: &mut [u64], ticks: u64) {
    let mut foretold = row.next_death();
    for _ in 0..ticks {
        let dead = naive.tick();
        let now = Jiffies(naive.now);
        assert!(row.next().is_none_or(|next| next >= now));
        if row.next() == Some(now) || !dead.is_empty() {
            let popped: Vec<_> = core::iter::from_fn(|| row.pop_due(now)).collect();
            assert_eq!(popped, dead);
        }
        if !dead.is_empty() {
            assert_eq!(foretold, Some(now));
            foretold = row.next_death();
        }
        for (id, _) in dead {
            assert_ne!(core::mem::take(&mut expiries[id as usize]), 0, "{id} dies twice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn as_the_kernel_does_it_step_by_step(
        start in 1u64..1 << 34, acts in proptest::collection::vec(act(), 1..60),
    ) {
        let (mut row, mut naive) = (Row::new(Design::Cells, HZ as u32), Naive::new(start));
        let mut expiries = [0u64; IDS as usize];
        let schedule = |row: &mut Row, naive: &mut Naive, id: u32, timeout| {
            row.schedule(id, Jiffies(naive.now), Jiffies(timeout));
            naive.schedule(id, timeout)
        };
        for act in acts {
            match act {
                Act::Schedule { id, timeout } => {
                    expiries[id as usize] = schedule(&mut row, &mut naive, id, timeout);
                }
                Act::Flood { first, n, timeout } => for id in first..first + n {
                    expiries[id as usize] = schedule(&mut row, &mut naive, id, timeout);
                },
                Act::Remove { id } => {
                    row.remove(id);
                    naive.remove(id);
                    expiries[id as usize] = 0;
                }
                Act::Clear { but } => for id in but..IDS {
                    row.remove(id);
                    naive.remove(id);
                    expiries[id as usize] = 0;
                },
                Act::Wait { ticks } => pass(&mut row, &mut naive, &mut expiries, ticks),
            }
            let next = [naive.slow_timer, naive.fast_timer].into_iter().flatten().min();
            prop_assert_eq!(row.next(), next.map(Jiffies));
            prop_assert_eq!(row.len(), naive.count);
            for id in 0..IDS {
                prop_assert_eq!(row.expires(id), Jiffies(expiries[id as usize]));
            }
        }
        pass(&mut row, &mut naive, &mut expiries, 20 * PERIOD);
        prop_assert_eq!((row.len(), row.next_death()), (0, None));
        prop_assert_eq!(expiries, [0; IDS as usize]);
    }
}
