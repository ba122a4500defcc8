//! A timer per bucket, as an ordered map.

use super::*;
use crate::timer::wheel::{Rounding, fires_at};
use alloc::collections::BTreeMap;
use proptest::prelude::*;

/// Death, order of scheduling, id; by id: its key, expiry and timeout.
#[derive(Default)]
struct Naive {
    deaths: BTreeMap<(u64, u64), u32>,
    buckets: BTreeMap<u32, ((u64, u64), u64, u64)>,
    scheduled: u64,
}

impl Naive {
    fn schedule(&mut self, id: u32, now: u64, timeout: u64) {
        self.remove(id);
        self.scheduled += 1;
        let death = fires_at(Rounding::Wheel, Jiffies(now), Jiffies(now + timeout)).0;
        self.deaths.insert((death, self.scheduled), id);
        self.buckets.insert(id, ((death, self.scheduled), now + timeout, timeout));
    }

    fn remove(&mut self, id: u32) {
        if let Some((key, ..)) = self.buckets.remove(&id) {
            self.deaths.remove(&key);
        }
    }

    fn next(&self) -> Option<u64> {
        self.deaths.first_key_value().map(|(key, _)| key.0)
    }

    /// All that die at the next tick: (timeout, id), in order for each timeout.
    fn pop_tick(&mut self) -> Vec<(u64, u32)> {
        let tick = self.next();
        let mut popped = Vec::new();
        while self.next() == tick
            && let Some((_, id)) = self.deaths.pop_first()
        {
            popped.extend(self.buckets.remove(&id).map(|(_, _, timeout)| (timeout, id)));
        }
        popped.sort_by_key(|&(timeout, _)| timeout);
        popped
    }
}

#[derive(Clone, Debug)]
enum Act {
    Schedule {
        id: u32,
        timeout: u64,
    },
    /// Starts the wait of the same few buckets again and again.
    Churn {
        times: u32,
        timeout: u64,
    },
    Remove {
        id: u32,
    },
    Wait {
        ticks: u64,
    },
}

fn timeout() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(15_000u64),
        2 => Just(1_250u64),
        // More than there are queues.
        1 => (0u64..14).prop_map(|n| n * 77),
        1 => Just(1u64 << 33),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0u32..60, timeout()).prop_map(|(id, timeout)| Act::Schedule { id, timeout }),
        1 => (0u32..3000, timeout()).prop_map(|(times, timeout)| Act::Churn { times, timeout }),
        3 => (0u32..64).prop_map(|id| Act::Remove { id }),
        4 => (0u64..2000).prop_map(|ticks| Act::Wait { ticks }),
        1 => (0u64..100_000).prop_map(|ticks| Act::Wait { ticks }),
    ]
}

/// Lets both die until tick `until` and compares who did.
fn pass(row: &mut Row, naive: &mut Naive, until: u64) {
    while let Some(tick) = naive.next().filter(|&tick| tick <= until) {
        let expected = naive.pop_tick();
        let timeout_of = |id| expected.iter().find(|e| e.1 == id).map(|e| e.0).unwrap();
        assert_eq!(row.pop_due(Jiffies(tick - 1)), None);
        let mut popped: Vec<(u64, u32)> =
            core::iter::from_fn(|| row.pop_due(Jiffies(tick)).map(|p| (timeout_of(p.0), p.0)))
                .collect();
        popped.sort_by_key(|&(timeout, _)| timeout);
        assert_eq!(popped, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn as_an_ordered_map(
        start in 0u64..1 << 34, acts in proptest::collection::vec(act(), 1..150),
    ) {
        let (mut row, mut naive) = (Row::new(Design::PerBucket, 250), Naive::default());
        let mut now = start;
        for act in acts {
            match act {
                Act::Schedule { id, timeout } => {
                    row.schedule(id, Jiffies(now), Jiffies(timeout));
                    naive.schedule(id, now, timeout);
                }
                Act::Churn { times, timeout } => for n in 0..times {
                    row.schedule(n % 7, Jiffies(now), Jiffies(timeout));
                    naive.schedule(n % 7, now, timeout);
                },
                Act::Remove { id } => {
                    row.remove(id);
                    naive.remove(id);
                }
                Act::Wait { ticks } => {
                    now += ticks;
                    pass(&mut row, &mut naive, now);
                }
            }
            prop_assert_eq!(row.next(), naive.next().map(Jiffies));
            prop_assert_eq!(row.next_death(), row.next());
            prop_assert_eq!(row.len(), naive.buckets.len());
            for id in 0..64 {
                let expires = naive.buckets.get(&id).map_or(0, |&(_, expires, _)| expires);
                prop_assert_eq!(row.expires(id), Jiffies(expires));
            }
            prop_assert!(row.bytes() < 200_000, "{}", row.bytes());
        }
        pass(&mut row, &mut naive, u64::MAX);
        prop_assert!(row.is_empty());
    }
}
