//! The queue against an ordered map that does the same slowly.

use super::*;
use crate::timer::wheel::fires_at;
use proptest::prelude::*;

/// Firing tick and order of arming to id; by id: its key and nominal expiry.
#[derive(Default)]
struct Slow {
    order: BTreeMap<(u64, u64), u32>,
    by_id: BTreeMap<u32, ((u64, u64), u64)>,
    armed: u64,
}

impl Slow {
    fn arm(&mut self, rounding: Rounding, id: u32, now: u64, expires: u64) {
        self.cancel(id);
        self.armed += 1;
        let key = (fires_at(rounding, Jiffies(now), Jiffies(expires)).0, self.armed);
        self.order.insert(key, id);
        self.by_id.insert(id, (key, expires));
    }

    fn cancel(&mut self, id: u32) {
        if let Some((key, _)) = self.by_id.remove(&id) {
            self.order.remove(&key);
        }
    }

    fn next(&self) -> Option<Jiffies> {
        self.order.first_key_value().map(|(key, _)| Jiffies(key.0))
    }

    fn pop_due(&mut self, now: u64) -> Option<(u32, Jiffies)> {
        let (&key, &id) = self.order.first_key_value().filter(|(key, _)| key.0 <= now)?;
        self.cancel(id);
        Some((id, Jiffies(key.0)))
    }
}

#[derive(Clone, Debug)]
enum Act {
    Arm {
        id: u32,
        ahead: u64,
    },
    Due {
        id: u32,
        ago: u64,
    },
    Cancel {
        id: u32,
    },
    /// Lets time pass without popping.
    Idle {
        ticks: u64,
    },
    /// Lets time pass to the next firing tick and pops all that is due.
    Next,
    /// Lets time pass and pops some.
    Pop {
        ticks: u64,
        most: usize,
    },
}

fn ticks() -> impl Strategy<Value = u64> {
    (0u64..1 << 40, 0u32..41).prop_map(|(ticks, bits)| ticks >> bits)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u32..40, ticks()).prop_map(|(id, ahead)| Act::Arm { id, ahead }),
        6 => (0u32..40, 0u64..700).prop_map(|(id, ahead)| Act::Arm { id, ahead }),
        1 => (0u32..40, 0u64..9).prop_map(|(id, ago)| Act::Due { id, ago }),
        3 => (0u32..44).prop_map(|id| Act::Cancel { id }),
        1 => ticks().prop_map(|ticks| Act::Idle { ticks }),
        2 => (0u64..200).prop_map(|ticks| Act::Idle { ticks }),
        3 => Just(Act::Next),
        2 => (0u64..300, 0usize..9).prop_map(|(ticks, most)| Act::Pop { ticks, most }),
    ]
}

fn play(rounding: Rounding, start: u64, acts: &[Act]) {
    let (mut queue, mut slow) = (TimerQueue::new(rounding), Slow::default());
    let mut now = start;
    for act in acts {
        match *act {
            Act::Arm { id, ahead } => {
                queue.arm(id, Jiffies(now), Jiffies(now + ahead));
                slow.arm(rounding, id, now, now + ahead);
            }
            Act::Due { id, ago } => {
                let expires = now.saturating_sub(ago);
                queue.arm(id, Jiffies(now), Jiffies(expires));
                slow.arm(rounding, id, now, expires);
            }
            Act::Cancel { id } => {
                queue.cancel(id);
                slow.cancel(id);
            }
            Act::Idle { ticks } => now += ticks,
            Act::Next => {
                now = now.max(slow.next().map_or(0, |next| next.0));
                while let Some(popped) = slow.pop_due(now) {
                    assert_eq!(queue.pop_due(Jiffies(now)), Some(popped));
                }
                assert_eq!(queue.pop_due(Jiffies(now)), None);
            }
            Act::Pop { ticks, most } => {
                now += ticks;
                for _ in 0..most {
                    assert_eq!(queue.pop_due(Jiffies(now)), slow.pop_due(now));
                }
            }
        }
        assert_eq!(queue.next(), slow.next(), "after {act:?}");
        assert_eq!(queue.len(), slow.order.len());
        for id in 0..44 {
            let expires = slow.by_id.get(&id).map(|&(_, expires)| Jiffies(expires));
            assert_eq!(queue.expires(id), expires);
            assert_eq!(queue.is_pending(id), expires.is_some());
        }
    }
    while let Some(popped) = slow.pop_due(u64::MAX) {
        assert_eq!(queue.pop_due(Jiffies(NEVER)), Some(popped));
    }
    assert_eq!(queue.next(), None);
    assert!(queue.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn as_an_ordered_map(start in ticks(), acts in proptest::collection::vec(act(), 1..120)) {
        play(Rounding::Wheel, start, &acts);
        play(Rounding::Exact, start, &acts);
    }
}

#[test]
fn equal_ticks_fire_in_the_order_of_arming_across_levels() {
    let mut queue = TimerQueue::new(Rounding::Wheel);
    // All fire at tick 4096: armed 4032, 504 and a few ticks ahead.
    queue.arm(7, Jiffies(0), Jiffies(4032));
    queue.arm(3, Jiffies(3500), Jiffies(4040));
    queue.arm(9, Jiffies(4090), Jiffies(4095));
    queue.arm(3, Jiffies(4092), Jiffies(4095));
    assert_eq!(queue.next(), Some(Jiffies(4096)));
    assert_eq!(queue.pop_due(Jiffies(4095)), None);
    let ids: Vec<u32> = core::iter::from_fn(|| queue.pop_due(Jiffies(4096)).map(|p| p.0)).collect();
    assert_eq!(ids, [7, 9, 3]);
}

/// Polled on time, no level is ever too short: the slow map stays empty.
#[test]
fn nothing_is_late_when_popped_in_time() {
    for rounding in [Rounding::Wheel, Rounding::Exact] {
        let mut queue = TimerQueue::new(rounding);
        let mut random = 1u64;
        for now in 0..20_000 {
            for id in 0..4 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let ahead = (random >> 40) >> (random >> 35 & 15);
                queue.arm((now as u32 * 4 + id) % 5000, Jiffies(now), Jiffies(now + ahead));
            }
            assert!(queue.late.is_empty(), "{rounding:?} at {now}");
            // As in a run: what is due at this tick comes after what arrives in it.
            while queue.pop_due(Jiffies(now)).is_some() {}
        }
    }
}

#[test]
fn a_node_is_three_words() {
    assert_eq!(size_of::<Node>(), 24);
}
