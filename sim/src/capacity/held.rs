//! How long a timewait bucket holds its slot, found by playing the model's own death row.
//!
//! Per bucket that is 60 s and what the timer wheel adds. On the row of eight cells (3.10) it depends
//! on the load: a cell with more buckets than the quota costs the hand two ticks instead of one.

use finwait_model::behaviour::Behaviour;
use finwait_model::deathrow::{DeathRow, Design, QUOTA, TagList};
use finwait_model::release::Release;
use finwait_model::time::{Clock, Instant, Jiffies, Span};

use super::PerSecond;

/// How long a slot is held, seen from the table: how many buckets there are at most for each that is
/// made per second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// While no cell holds more than the quota; the same as `heavy` where there are no cells.
    pub light: Span,
    /// Under load.
    pub heavy: Span,
    /// Closes per second above which a light load becomes a heavy one; `None` without cells.
    pub quota: Option<PerSecond>,
}

/// How long the row is played. After the second round of the cells nothing new comes.
const PLAYED_S: u64 = 600;

impl Held {
    /// Of buckets that wait for so many ticks in a kernel of that release with that clock.
    pub fn new(release: Release, clock: Clock, wait: Jiffies) -> Self {
        if Behaviour::of(release).bucket_has_own_timer {
            // Any rate shows it.
            let held = played(Design::PerBucket, clock, wait, 100);
            return Self { light: held, heavy: held, quota: None };
        }
        let heavy = played(Design::Cells, clock, wait, 100);
        let light = played(Design::Cells, clock, wait, 10);
        let period = clock.span(clock.from_secs(60)).ns / 8;
        let quota = (heavy != light).then(|| PerSecond::of(QUOTA as u64, Span::nanos(period)));
        Self { light, heavy, quota }
    }
    /// How long at a rate of so many closes on the whole host.
    pub fn at(&self, closes: PerSecond) -> Span {
        match self.quota {
            Some(quota) if closes <= quota => self.light,
            _ => self.heavy,
        }
    }
    /// The most per second that never hold more than so many slots, if each holds its slot for `more`
    /// before its wait begins.
    pub fn carries(&self, slots: u64, more: Span) -> PerSecond {
        let heavy = PerSecond::of(slots, self.heavy + more);
        match self.quota {
            // Between the two the quota itself is the edge.
            Some(quota) if heavy <= quota => PerSecond::of(slots, self.light + more).min(quota),
            _ => heavy,
        }
    }
}

/// The most buckets on a row that gets so many per second, as a time: most / rate.
fn played(design: Design, clock: Clock, wait: Jiffies, rate: u64) -> Span {
    let (mut row, mut tags) = (DeathRow::new(design, clock.hz), TagList::default());
    let start = clock.jiffies(Instant::ZERO).0;
    let mut free = Vec::new();
    let mut most = 0;
    for number in 0..PLAYED_S * rate {
        let now = start + number * u64::from(clock.hz) / rate;
        while let Some(due) = row.next().filter(|due| due.0 <= now) {
            while let Some((id, _)) = row.pop_due(&mut tags, due) {
                free.push(id);
            }
        }
        let id = free.pop().unwrap_or(row.len() as u32);
        row.schedule(&mut tags, id, Jiffies(now), wait);
        most = most.max(row.len() as u64);
    }
    Span::nanos(most * (1_000_000_000 / rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(release: Release, hz: u32) -> Held {
        let clock = Clock::new(hz, 3_600_000_000_000);
        Held::new(release, clock, clock.from_secs(60))
    }

    #[test]
    fn per_bucket_it_is_a_minute_and_a_granule_of_the_wheel() {
        for (hz, granule) in [(1000, 4_096), (250, 2_048), (100, 5_120), (300, 1_706)] {
            let held = held(Release::V6_18, hz);
            assert_eq!(held.light, held.heavy);
            let more = held.heavy.ns / 1_000_000 - 60_000;
            assert!(more.abs_diff(granule) <= 20, "HZ={hz}: {more} ms");
        }
    }

    #[test]
    fn under_load_the_hand_of_3_10_takes_two_ticks_for_a_cell() {
        let held = held(Release::V3_10, 1000);
        // Eight cells, or fifteen ticks; each tick up to 29 ms late.
        let (light, heavy) = (held.light.ns / 1_000_000, held.heavy.ns / 1_000_000);
        assert!((60_000..60_300).contains(&light), "{light} ms");
        assert!((112_500..113_000).contains(&heavy), "{heavy} ms");
        assert_eq!(held.quota, Some(PerSecond { thousandths: 13_333 }));
        assert_eq!(held.carries(1_500, Span::ZERO).to_string(), "13.3", "more than 1,000 in 60 s");
        assert_eq!(held.carries(600, Span::ZERO).thousandths / 100, 99);
        let full = held.carries(131_072, Span::ZERO).thousandths / 1000;
        assert!((1_160..1_166).contains(&full), "{full}");
    }
}
