//! Where an axis has its ticks, and what stands beside them.

use finwait_sim::text::grouped;

/// The end of an axis from zero that has room for `most`, and how far apart its ticks are: about
/// `count` of them, and never between whole numbers.
pub(crate) fn whole(most: f64, count: i32) -> (f64, f64) {
    let step = nice(most.max(1.0) / f64::from(count.max(1))).max(1.0);
    ((most.max(1.0) / step).ceil() * step, step)
}

/// The same for numbers that need not be whole.
pub(crate) fn any(most: f64, count: i32) -> (f64, f64) {
    let most = if most > 0.0 { most } else { 1.0 };
    let step = nice(most / f64::from(count.max(1)));
    ((most / step - 1e-9).ceil() * step, step)
}

/// The smallest of 1, 2, 5, 10, 20, … and 0.5, 0.2, … that is not smaller.
pub(crate) fn nice(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    // Powers by multiplication, which is the same on every machine.
    let mut power = 1.0;
    while power > least {
        power /= 10.0;
    }
    while power * 10.0 <= least {
        power *= 10.0;
    }
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(10.0)
}

/// A number for an axis with that step: groups of three digits, decimals only where the step has some.
pub(crate) fn label(value: f64, step: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    let mut decimals = 0;
    let mut scale = 1.0;
    while decimals < 9 && (step * scale - (step * scale).round()).abs() > 1e-6 {
        decimals += 1;
        scale *= 10.0;
    }
    let scaled = (value.abs() * scale).round() as u64;
    let scale = scale as u64;
    let whole = grouped(scaled / scale);
    match decimals {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{:0decimals$}", scaled % scale),
    }
}

/// The ticks from one end of an axis to the other.
pub(crate) fn between(from: f64, to: f64, step: f64) -> Vec<f64> {
    let first = (from / step - 1e-9).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last.min(first + 1000)).map(|n| n as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!((nice(1.0), nice(1.1), nice(3.0), nice(26_000.0)), (1.0, 2.0, 5.0, 50_000.0));
        assert!((nice(0.03) - 0.05).abs() < 1e-12);
        assert_eq!(whole(131_072.0, 5), (150_000.0, 50_000.0));
        assert_eq!(whole(3.0, 5), (3.0, 1.0));
        assert_eq!(whole(0.0, 5), (1.0, 1.0));
        let (to, step) = any(0.23, 5);
        assert_eq!((label(to, step), label(step, step)), ("0.25".to_owned(), "0.05".to_owned()));
    }

    #[test]
    fn labels_have_the_decimals_of_the_step() {
        assert_eq!(label(131_072.0, 1.0), "131,072");
        assert_eq!(label(0.3, 0.1), "0.3");
        assert_eq!(label(12.0, 0.25), "12.00");
        assert_eq!(label(-1500.0, 500.0), "−1,500");
    }

    #[test]
    fn ticks_lie_between_the_ends() {
        assert_eq!(between(0.0, 300.0, 100.0), [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(between(51.2, 53.0, 0.5), [51.5, 52.0, 52.5, 53.0]);
    }
}
