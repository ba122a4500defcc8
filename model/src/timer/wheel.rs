//! How the kernel rounds an expiry: no timer fires at the jiffy it was asked for by right.

use crate::time::Jiffies;

/// The rule by which a release turns an expiry into the tick at which the timer fires.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rounding {
    /// 6.18: the wheel never cascades, so far timers wait for the end of a coarse granule
    /// `[calc_wheel_index]`.
    Wheel,
    /// 3.10: the wheel cascades down to single ticks; only slack moves a timer
    /// `[apply_slack]`.
    Exact,
}

/// When a timer armed at tick `now` for tick `expires` fires. Always later than `now`, and never
/// before `expires` (beyond the wheel's capacity it may: see [`CAPACITY`]).
pub const fn fires_at(rounding: Rounding, now: Jiffies, expires: Jiffies) -> Jiffies {
    place(rounding, now, expires).fires
}

/// The farthest expiry that the wheel of 6.18 keeps, in ticks from now; later ones fire about then
/// (`WHEEL_TIMEOUT_MAX`, 12 days at 1000 ticks per second).
///
/// A kernel built for 100 ticks per second has one level less (`LVL_DEPTH`), 15 days. The longest
/// timer of TCP is a keepalive of 9.1 hours, so that difference is not modelled.
pub const CAPACITY: Jiffies = Jiffies(62 << (3 * WHEEL_LEVEL_MAX));

/// The coarsest level, counted from 0, of the wheel of 6.18 (`LVL_DEPTH` - 1).
const WHEEL_LEVEL_MAX: u32 = 8;

/// Where an expiry comes to lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The tick at which the timer fires.
    pub(crate) fires: Jiffies,
    /// Which class of distances it belongs to: `fires` is a multiple of [`granule_shift`] of it.
    pub(crate) level: u32,
}

/// Base-2 logarithm of the granule of a level, in ticks.
pub(crate) const fn granule_shift(rounding: Rounding, level: u32) -> u32 {
    match rounding {
        Rounding::Wheel => 3 * level,
        Rounding::Exact => level,
    }
}

/// Rounds an expiry and says on which level it lies.
pub(crate) const fn place(rounding: Rounding, now: Jiffies, expires: Jiffies) -> Place {
    if expires.0 <= now.0 {
        // Already due, but this tick's timers have been collected: the next tick runs it.
        return Place { fires: Jiffies(now.0.saturating_add(1)), level: 0 };
    }
    match rounding {
        Rounding::Wheel => place_wheel(now.0, expires.0),
        Rounding::Exact => place_exact(now.0, expires.0),
    }
}

const fn place_wheel(now: u64, expires: u64) -> Place {
    let delta = expires - now;
    let mut level = 0;
    while level < WHEEL_LEVEL_MAX && delta >= 63 << (3 * level) {
        level += 1;
    }
    let expires = if delta >= 63 << (3 * WHEEL_LEVEL_MAX) { now + CAPACITY.0 } else { expires };
    let shift = 3 * level;
    Place { fires: Jiffies(((expires >> shift) + 1) << shift), level }
}

const fn place_exact(now: u64, expires: u64) -> Place {
    let slack = (expires - now) >> 8;
    if slack == 0 {
        return Place { fires: Jiffies(expires), level: 0 };
    }
    // The roundest number (most trailing zeros) after expires and up to limit. As those are slack
    // many, it is a multiple of the largest power of two not above slack, this level's granule.
    let limit = expires.saturating_add(slack);
    let differ = expires ^ limit;
    if differ == 0 {
        return Place { fires: Jiffies(expires), level: 0 };
    }
    let fires = limit >> differ.ilog2() << differ.ilog2();
    Place { fires: Jiffies(fires), level: slack.ilog2() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a table of `rounding now expires fires`, one case a line.
    fn table(rows: &str) {
        for row in rows.lines().map(str::trim).filter(|r| !r.is_empty()) {
            let mut words = row.split_whitespace();
            let rounding = match words.next() {
                Some("wheel") => Rounding::Wheel,
                Some("exact") => Rounding::Exact,
                other => panic!("{row}: {other:?} is neither wheel nor exact"),
            };
            let n: alloc::vec::Vec<u64> = words.map(|w| w.parse().unwrap()).collect();
            assert_eq!(fires_at(rounding, Jiffies(n[0]), Jiffies(n[1])), Jiffies(n[2]), "{row}");
        }
    }

    #[test]
    fn the_first_and_last_delta_of_each_level() {
        table(
            "wheel  0       0       1
             wheel  0       1       2
             wheel  0      62      63
             wheel  0      63      64
             wheel  0     503     504
             wheel  0     504     512
             wheel  0    4031    4032
             wheel  0    4032    4096
             wheel  0   32255   32256
             wheel  0   32256   32768
             wheel  0  258047  258048
             wheel  0  258048  262144
             wheel  1      64      72
             wheel 99      98     100
             wheel 99      99     100
             wheel  0 9999999999 1056964608",
        );
    }

    #[test]
    fn a_timer_that_is_due_fires_at_the_next_tick() {
        table(
            "wheel 500 3 501
             exact 500 3 501
             exact 500 500 501
             exact 500 501 501",
        );
    }

    #[test]
    fn slack_takes_the_roundest_tick() {
        table(
            "exact    0   255   255
             exact    0   256   257
             exact    1   257   258
             exact    0   511   512
             exact    0  7500  7520
             exact 7520 15020 15040
             exact    0  1875  1880
             exact    0   750   752
             exact    0 60000 60160
             exact    3 60003 60160",
        );
    }

    /// How late the rule is at best and at worst, over all phases, for the lengths in the sheets.
    #[test]
    fn lateness_over_all_phases() {
        for (rounding, length, least, most) in [
            // 60 s at 1000, 250 and 100 ticks per second.
            (Rounding::Wheel, 60_000, 1, 4096),
            (Rounding::Wheel, 15_000, 1, 512),
            (Rounding::Wheel, 6_000, 1, 512),
            // 120 s, 1 s, 204 ms and 40 ms at 250; 1 s, 201 ms and 40 ms at 1000.
            (Rounding::Wheel, 30_000, 1, 512),
            (Rounding::Wheel, 250, 1, 8),
            (Rounding::Wheel, 51, 1, 1),
            (Rounding::Wheel, 10, 1, 1),
            (Rounding::Wheel, 1_000, 1, 64),
            (Rounding::Wheel, 201, 1, 8),
            (Rounding::Wheel, 40, 1, 1),
            // A tick of the old death row at 1000 ticks per second: 1 to 29 late.
            (Rounding::Exact, 7_500, 1, 29),
            (Rounding::Exact, 200, 0, 0),
            (Rounding::Exact, 1_000, 1, 3),
        ] {
            let late = (0..1 << 16).map(|now| {
                let expires = Jiffies(now + length);
                fires_at(rounding, Jiffies(now), expires).0 - expires.0
            });
            assert_eq!(late.clone().min(), Some(least), "{rounding:?} {length}");
            assert_eq!(late.max(), Some(most), "{rounding:?} {length}");
        }
    }

    proptest! {
        #[test]
        fn never_early_and_aligned(now in 0u64..1 << 40, delta in 0u64..=CAPACITY.0, bits in 0u32..30) {
            let delta = delta >> bits;
            for rounding in [Rounding::Wheel, Rounding::Exact] {
                let at = place(rounding, Jiffies(now), Jiffies(now + delta));
                let granule = 1 << granule_shift(rounding, at.level);
                prop_assert_eq!(at.fires.0 % granule, 0);
                prop_assert!(at.fires.0 > now && at.fires.0 >= now + delta);
                prop_assert!(at.fires.0 - now - delta <= granule.max(delta / 256 + 1));
            }
        }

        /// Equal lengths fire in the order they were armed: the death row's FIFOs rest on it.
        #[test]
        fn monotonic_in_the_time_of_arming(
            now in 0u64..1 << 40, later in 0u64..10_000, length in 0u64..1 << 22,
        ) {
            let at = |t: u64| fires_at(Rounding::Wheel, Jiffies(t), Jiffies(t + length));
            prop_assert!(at(now) <= at(now + later));
        }
    }
}
