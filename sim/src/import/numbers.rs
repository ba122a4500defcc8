//! Measured numbers as scenarios write them: rounded to what the measurement can tell.

use finwait_model::time::Span;

use super::capture::Spread;
use crate::app::Delay;

/// `count` in so many nanoseconds as a rate: whole numbers a second from 1,000 on, else a tenth or
/// a thousandth of it. At least the smallest of these.
pub(super) fn rate(count: u128, per_ns: u128) -> String {
    let per_ns = per_ns.max(1);
    let in_seconds = |seconds: u128| {
        let n = count.saturating_mul(seconds * 1_000_000_000).saturating_add(per_ns / 2) / per_ns;
        n.clamp(1, 1_000_000_000 * seconds)
    };
    let (n, seconds) = match in_seconds(1) {
        1000.. => (in_seconds(1), 1),
        10..1000 => (in_seconds(10), 10),
        _ => (in_seconds(1000), 1000),
    };
    // 2500/10s is 250/s.
    if n.is_multiple_of(seconds) {
        return format!("{}/s", n / seconds);
    }
    format!("{n}/{seconds}s")
}

/// The longest time that is taken for one of a connection: a day.
const LONGEST_NS: u64 = 86_400_000_000_000;

/// Nanoseconds with three digits that count; at most a day.
pub(super) fn rounded(ns: u64) -> Span {
    let ns = ns.min(LONGEST_NS);
    let digits = ns.checked_ilog10().unwrap_or(0);
    let unit = 10_u64.pow(digits.saturating_sub(2));
    let low = ns / unit;
    Span::nanos((low + u64::from(ns % unit * 2 >= unit)).saturating_mul(unit))
}

/// Differences below this are noise of a real machine.
const NOISE_NS: u64 = 20_000;

/// A delay out of measured ones, less what the way to where it was measured takes (`way`). It is
/// one number if they hardly differ, or only as much as the way does; else a range out of where nine
/// tenths of them lie.
pub(super) fn delay(measured: &Spread, way: &Spread) -> Option<Delay> {
    let percentile = |percent| measured.percentile(percent);
    let (low, middle, high) = (percentile(5)?, measured.median()?, percentile(95)?);
    let way_middle = way.median().unwrap_or(0);
    let width_of_way =
        way.percentile(95).unwrap_or(0).saturating_sub(way.percentile(5).unwrap_or(0));
    let less = |ns: u64| ns.saturating_sub(way_middle);
    let width = high - low;
    let is_one = width <= (less(middle) / 10).max(NOISE_NS) || width / 3 <= width_of_way / 2;
    Some(if is_one {
        let middle = less(middle);
        // A few microseconds are the machine's own work, which the model does not have.
        Delay::always(if middle < NOISE_NS { Span::ZERO } else { rounded(middle) })
    } else {
        // An even distribution goes on for an eighteenth of that on each side.
        let beyond = width / 18;
        let least = low.saturating_sub(beyond).max(percentile(0).unwrap_or(low));
        let most = high.saturating_add(beyond).min(percentile(100).unwrap_or(high));
        Delay { least: rounded(less(least)), most: rounded(less(most)) }
    })
}

/// The delay as scenarios write it.
pub(super) fn delay_text(delay: Delay) -> String {
    if delay.least == delay.most {
        delay.least.to_string()
    } else {
        format!("{}..{}", delay.least, delay.most)
    }
}

/// One way's delay and its jitter out of round trips. Jitter is evenly distributed on each way,
/// so a round trip has the sum of two such: 5 and 95 of 100 lie at 0.316 and 1.684 of the width.
pub(super) fn one_way(round_trips: &Spread) -> Option<(Span, Span)> {
    let (low, high) = (round_trips.percentile(5)?, round_trips.percentile(95)?);
    let width = high - low;
    if width <= (low / 10).max(2 * NOISE_NS) {
        let middle = round_trips.median()?;
        return Some((rounded((middle / 2).max(1)), Span::ZERO));
    }
    let jitter = u64::try_from(u128::from(width) * 1000 / 1368).unwrap_or(width);
    let least = low.saturating_sub(u64::try_from(u128::from(jitter) * 316 / 1000).unwrap_or(0));
    Some((rounded((least / 2).max(1)), rounded(jitter)))
}

/// "12 %", of whole percents; "under 1 %" rather than none of some.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match u128::from(part) * 100 / u128::from(whole.max(1)) {
        0 if part > 0 => "under 1 %".to_owned(),
        n => format!("{n} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_keep_three_digits() {
        let seconds = 1_000_000_000_u128;
        for (count, per, text) in [
            (2500, seconds, "2500/s"),
            (749_997, 300 * seconds, "2500/s"),
            (333, 10 * seconds, "333/10s"),
            (1, 60 * seconds, "17/1000s"),
            (0, 60 * seconds, "1/1000s"),
            (100, seconds, "100/s"),
            (u128::MAX, 1, "1000000000/s"),
        ] {
            let rate = rate(count, per);
            assert_eq!(rate, text);
            assert!(crate::units::rate(&rate).is_ok());
        }
    }

    #[test]
    fn times_keep_three_digits() {
        assert_eq!(rounded(123_456_789), Span::nanos(123_000_000));
        assert_eq!(rounded(99_960), Span::nanos(100_000));
        assert_eq!(rounded(7), Span::nanos(7));
        assert_eq!(rounded(u64::MAX), Span::secs(86_400));
    }

    #[test]
    fn jitter_and_delay_of_even_distributions() {
        let mut trips = Spread::default();
        // 1 ms each way, and up to 400 us more each way.
        for a in 0..200_u64 {
            for b in 0..200_u64 {
                trips.add(2_000_000 + (a + b) * 2_000);
            }
        }
        let (delay, jitter) = one_way(&trips).expect("there are some");
        assert!(delay.ns.abs_diff(1_000_000) < 40_000, "{delay}");
        assert!(jitter.ns.abs_diff(400_000) < 40_000, "{jitter}");
    }
}
