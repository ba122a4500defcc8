//! How long buckets live, as an operator would measure it, and both designs against slow models.

use super::*;
use alloc::vec::Vec;

mod naive_cells;
mod naive_per_bucket;

/// A row with the tags of its buckets.
struct Row {
    row: DeathRow,
    tags: TagList,
}

impl Row {
    fn new(design: Design, hz: u32) -> Self {
        Self { row: DeathRow::new(design, hz), tags: TagList::default() }
    }
    fn schedule(&mut self, id: u32, now: Jiffies, timeout: Jiffies) {
        self.row.schedule(&mut self.tags, id, now, timeout);
    }
    fn remove(&mut self, id: u32) {
        self.row.remove(&mut self.tags, id);
    }
    fn expires(&self, id: u32) -> Jiffies {
        self.row.expires(&self.tags, id)
    }
    fn pop_due(&mut self, now: Jiffies) -> Option<(u32, Killer)> {
        self.row.pop_due(&mut self.tags, now)
    }
}

impl core::ops::Deref for Row {
    type Target = DeathRow;
    fn deref(&self) -> &DeathRow {
        &self.row
    }
}

/// A bucket's birth and death, in ticks.
#[derive(Clone, Copy, Debug)]
struct Life {
    born: u64,
    died: u64,
    killer: Killer,
}

/// Puts a bucket on the row every `every` ticks until tick `until`, and waits for all to die.
fn lives(design: Design, hz: u32, timeout: u64, every: u64, until: u64) -> Vec<Life> {
    let mut row = Row::new(design, hz);
    let mut lives = Vec::new();
    let mut births = Vec::new();
    let mut born = 0;
    loop {
        let next = row.next().map_or(u64::MAX, |tick| tick.0);
        if born <= until && born < next {
            row.schedule(births.len() as u32, Jiffies(born), Jiffies(timeout));
            births.push(born);
            born += every;
        } else if row.is_empty() {
            return lives;
        } else {
            while let Some((id, killer)) = row.pop_due(Jiffies(next)) {
                lives.push(Life { born: births[id as usize], died: next, killer });
            }
        }
    }
}

/// Least, mean and greatest lifetime in ticks of the buckets born in the second half.
fn lifetimes(lives: &[Life]) -> (u64, u64, u64) {
    let half = lives.iter().map(|l| l.born).max().unwrap() / 2;
    let ages: Vec<u64> = lives.iter().filter(|l| l.born > half).map(|l| l.died - l.born).collect();
    let mean = ages.iter().sum::<u64>() / ages.len() as u64;
    (*ages.iter().min().unwrap(), mean, *ages.iter().max().unwrap())
}

/// Ticks between deaths, without those that die together.
fn gaps(lives: &[Life]) -> Vec<u64> {
    let mut deaths: Vec<u64> = lives.iter().map(|l| l.died).collect();
    deaths.dedup();
    deaths.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn a_bucket_of_6_18_lives_a_minute_and_up_to_a_granule() {
    for (hz, granule) in [(1000, 4096), (250, 512), (100, 512)] {
        let timeout = 60 * u64::from(hz);
        let lives = lives(Design::PerBucket, hz, timeout, 1, 4 * timeout);
        let (least, _, most) = lifetimes(&lives);
        assert_eq!((least, most), (timeout + 1, timeout + granule), "{hz}");
        assert!(gaps(&lives).iter().all(|&gap| gap == granule), "{hz}");
        assert!(lives.iter().all(|l| l.killer == Killer::Own));
    }
}

/// `least` and `most` are lifetimes in milliseconds without slack, which makes each of the
/// `ticks` periods that a bucket may see up to 29 ms longer.
#[track_caller]
fn check_cells(timeout_s: u64, every: u64, least: u64, most: u64, ticks: u64) -> Vec<Life> {
    let lives = lives(Design::Cells, 1000, timeout_s * 1000, every, 1_200_000);
    let (shortest, _, longest) = lifetimes(&lives);
    let slack = 29 * ticks;
    assert!((least..=least + slack + every).contains(&shortest), "shortest {shortest}");
    assert!((most - every..=most + slack).contains(&longest), "longest {longest}");
    assert!(lives.iter().all(|l| l.killer == Killer::Slow));
    lives
}

#[test]
fn few_buckets_of_3_10_live_less_than_a_minute() {
    // 75 per cell, and a sawtooth of 7.5 s.
    let lives = check_cells(60, 100, 52_500, 60_000, 8);
    assert!(gaps(&lives).iter().all(|gap| (7_500..=7_530).contains(gap)));
}

#[test]
fn many_buckets_of_3_10_live_105_seconds() {
    // 300 per cell: each takes two ticks, so a sawtooth of 15 s with twice as many on each tooth.
    let lives = check_cells(60, 25, 97_500, 112_500, 16);
    let (_, mean, _) = lifetimes(&lives);
    assert!((105_000..105_500).contains(&mean), "{mean}");
    let steady = &lives[lives.len() / 4..lives.len() * 3 / 4];
    assert!(gaps(steady).iter().all(|gap| (15_000..=15_060).contains(gap)), "{:?}", gaps(steady));
}

#[test]
fn a_short_wait_on_the_slow_hand_is_longer_than_asked() {
    check_cells(10, 300, 15_000, 22_500, 3);
    check_cells(5, 300, 7_500, 15_000, 2);
    check_cells(55, 300, 52_500, 60_000, 8);
}

#[test]
fn the_fast_wheel_takes_waits_of_up_to_31_steps() {
    // Steps of 16, 32, 64 and 128 ticks; the farthest step fires with its slack.
    for (hz, step) in [(100, 16), (250, 32), (300, 64), (1000, 128)] {
        for (timeout, killer) in [(31 * step, Killer::Fast), (31 * step + 1, Killer::Slow)] {
            let mut row = Row::new(Design::Cells, hz);
            row.schedule(5, Jiffies(1_000_000), Jiffies(timeout));
            let death = row.next_death();
            let died = row.next().filter(|_| killer == Killer::Fast).or(death).unwrap();
            assert_eq!(death, Some(died));
            let fast = 1_000_000 + timeout..=1_000_000 + timeout + timeout / 256;
            assert_eq!(fast.contains(&died.0), killer == Killer::Fast, "{hz} {timeout}");
            assert_eq!(row.pop_due(died - Jiffies(1)), None);
            assert_eq!(row.pop_due(died), Some((5, killer)), "{hz} {timeout}");
        }
    }
}

/// What the hand does with the bucket in the cell behind one with `n` buckets, 100 ticks a second.
fn next_cell_dies(n: u32) -> Jiffies {
    let mut row = Row::new(Design::Cells, 100);
    for id in 0..n {
        // Seven cells ahead of the hand.
        row.schedule(id, Jiffies(0), Jiffies(6000));
    }
    let first = row.next().unwrap();
    assert_eq!(row.pop_due(first), None);
    row.schedule(n, first, Jiffies(6000));
    let death = row.next_death().unwrap();
    let killed = core::iter::from_fn(|| row.pop_due(death)).count();
    assert_eq!(killed, n as usize);
    row.next_death().unwrap() - death
}

#[test]
fn the_hundred_and_first_bucket_holds_the_hand() {
    assert_eq!(next_cell_dies(100), Jiffies(752));
    assert_eq!(next_cell_dies(101), Jiffies(1504));
}

#[test]
fn the_slow_timer_runs_only_while_there_are_buckets() {
    let mut row = Row::new(Design::Cells, 1000);
    assert_eq!(row.next(), None);
    row.schedule(1, Jiffies(0), Jiffies(60_000));
    assert_eq!(row.next(), Some(Jiffies(7_520)));
    assert_eq!(row.expires(1), Jiffies(60_000));
    // A second bucket does not start the period again. Moving the only one does.
    row.schedule(2, Jiffies(10), Jiffies(60_000));
    assert_eq!(row.next(), Some(Jiffies(7_520)));
    row.remove(2);
    row.schedule(1, Jiffies(4_000), Jiffies(60_000));
    assert_eq!(row.next(), Some(Jiffies(11_520)));
    row.remove(1);
    assert_eq!((row.next(), row.len()), (None, 0));
    row.schedule(1, Jiffies(20_000), Jiffies(60_000));
    assert_eq!(row.next(), Some(Jiffies(27_520)));
    assert_eq!(row.next_death(), row.next().map(|tick| tick + Jiffies(7 * 7520)));
}

#[test]
fn a_million_buckets_cost_eight_bytes_each_beside_their_tags() {
    let mut row = Row::new(Design::PerBucket, 1000);
    row.schedule(99_999, Jiffies(0), Jiffies(60_000));
    for id in 0..100_000 {
        row.schedule(id, Jiffies(u64::from(id) / 8), Jiffies(60_000));
    }
    assert!(row.bytes() <= 9 * 100_000, "{}", row.bytes());
}

/// A peer that repeats its FIN restarts the wait each time, and each leaves an entry behind.
#[test]
fn restarts_cost_no_memory() {
    let mut row = Row::new(Design::PerBucket, 1000);
    for id in 0..5_000 {
        row.schedule(id, Jiffies(0), Jiffies(60_000));
    }
    // The first bucket stays, so nothing leaves at the front.
    for n in 0..1_000_000 {
        row.schedule(1 + n % 4_999, Jiffies(u64::from(n) / 100), Jiffies(60_000));
    }
    assert!(row.bytes() < 250_000, "{}", row.bytes());
    assert_eq!(row.expires(1 + 999_999 % 4_999), Jiffies(69_999));
    let dead: Vec<u32> =
        core::iter::from_fn(|| row.pop_due(Jiffies(61_440)).map(|p| p.0)).collect();
    assert_eq!(dead, [0]);
    // The others began to wait between ticks 9950 and 9999.
    assert_eq!(row.next_death(), Some(Jiffies(73_728)));
    assert_eq!(row.len(), 4_999);
}

/// The hand has emptied a cell above its quota and cannot know that nothing is left; its timer runs
/// on, also when one of the dead is taken away before it is told of.
#[test]
fn a_dead_bucket_that_is_removed_leaves_the_timer_alone() {
    let mut row = Row::new(Design::Cells, 1000);
    for id in 0..=QUOTA as u32 {
        row.schedule(id, Jiffies(0), Jiffies(60_000));
    }
    let death = row.next_death().unwrap();
    while row.next().unwrap() < death {
        let tick = row.next().unwrap();
        assert_eq!(row.pop_due(tick), None);
    }
    let (first, _) = row.pop_due(death).unwrap();
    assert_eq!(row.next(), Some(death), "the rest is due");
    assert_eq!(row.next_death(), Some(death), "and dies now");
    assert_eq!(row.len(), QUOTA, "those that are dead are on the row until it tells of them");
    row.remove((first + 1) % QUOTA as u32);
    while row.pop_due(death).is_some() {}
    assert!(row.is_empty());
    assert_eq!(row.next(), Some(death + Jiffies(7_520)), "the hand comes once more");
}

/// Nine timeouts that come one after the other: each finds the queue of the one before empty, and
/// uses it again, so that the row needs the memory of one.
#[test]
fn an_empty_queue_serves_another_timeout() {
    let mut row = Row::new(Design::PerBucket, 1000);
    row.schedule(0, Jiffies(0), Jiffies(1_000));
    row.remove(0);
    let one = row.bytes();
    assert!(one > 1024 * 8, "a chunk of entries: {one}");
    for n in 1..=30 {
        row.schedule(0, Jiffies(0), Jiffies(1_000 + n));
        assert_eq!(row.expires(0), Jiffies(1_000 + n));
        row.remove(0);
    }
    assert!(row.bytes() < 2 * one, "{} for 31 timeouts, {one} for one", row.bytes());
}

/// Most buckets are taken away, and the few that are left restart their wait: what the others left
/// behind goes.
#[test]
fn entries_of_the_gone_are_cleared_away() {
    let mut row = Row::new(Design::PerBucket, 1000);
    for id in 0..10_000 {
        row.schedule(id, Jiffies(0), Jiffies(60_000));
    }
    for id in 2..10_000 {
        row.remove(id);
    }
    for n in 0..100_000 {
        row.schedule(1, Jiffies(n / 10), Jiffies(60_000));
    }
    assert!(row.bytes() < 200_000, "{} for two buckets", row.bytes());
    assert_eq!((row.len(), row.expires(0), row.expires(1)), (2, Jiffies(60_000), Jiffies(69_999)));
}

/// What is held grows with the number of buckets, in either design.
#[test]
fn bytes_say_what_is_held() {
    for (design, bucket) in [(Design::PerBucket, 8), (Design::Cells, 16)] {
        let mut row = Row::new(design, 1000);
        let empty = row.bytes();
        assert!(design == Design::PerBucket || (41 * 8..=41 * 32).contains(&empty), "{empty}");
        for id in 0..100_000 {
            row.schedule(id, Jiffies(0), Jiffies(60_000));
        }
        let each = (row.bytes() - empty) / 100_000;
        assert!((bucket..=2 * bucket).contains(&each), "{design:?}: {each} bytes a bucket");
    }
}

/// Where the hands stand, when they move, and what lies in which cell, in the order of death.
#[test]
fn the_state_of_the_old_row_says_what_decides_about_each_bucket() {
    let state = |row: &Row| {
        let mut text = alloc::string::String::new();
        row.write_state(&mut text).unwrap();
        text
    };
    let mut row = Row::new(Design::Cells, 1000);
    let never = u64::MAX;
    assert_eq!(state(&row), alloc::format!(" 0 None [{never}, {never}]"));
    row.schedule(3, Jiffies(0), Jiffies(60_000));
    row.schedule(5, Jiffies(0), Jiffies(60_000));
    row.schedule(7, Jiffies(0), Jiffies(100));
    assert_eq!(state(&row), " 0 Some((0, 0)) [7520, 128] 7:5,3, 9:7,");
    // The hand has moved on: the same wait ends in another cell.
    while row.next() == Some(Jiffies(7_520)) || row.pop_due(Jiffies(7_520)).is_some() {
        row.pop_due(Jiffies(7_520));
    }
    row.schedule(3, Jiffies(7_520), Jiffies(60_000));
    assert_eq!(state(&row), alloc::format!(" 1 None [15040, {never}] 0:3, 7:5,"));
    // The expiries of the newer one say it all.
    assert_eq!(state(&Row::new(Design::PerBucket, 1000)), "");
}
