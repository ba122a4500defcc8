//! Samples over time, thinned to what a figure has pixels for.

use finwait_model::time::{Instant, Span};
use finwait_sim::sample::Sample;

/// The part of a run that a figure shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// It begins here.
    pub from: Instant,
    /// And ends here.
    pub to: Instant,
}

/// Seconds as a number that an axis takes.
pub(crate) fn seconds(at: Instant) -> f64 {
    at.ns as f64 / 1e9
}

impl Part {
    /// The samples within, in order.
    pub fn of<'a>(&self, samples: &'a [Sample]) -> &'a [Sample] {
        let first = samples.partition_point(|sample| sample.at < self.from);
        let after = samples.partition_point(|sample| sample.at <= self.to);
        &samples[first..after.max(first)]
    }
    /// Does that time lie within?
    pub(crate) fn has(&self, at: Instant) -> bool {
        self.from <= at && at <= self.to
    }
    /// By how much a counter has risen within.
    pub(crate) fn risen(&self, samples: &[Sample], counter: impl Fn(&Sample) -> u64) -> u64 {
        value(samples, self.to.ns, &counter).saturating_sub(value(samples, self.from.ns, &counter))
    }
    const fn length(&self) -> u64 {
        self.to.ns.saturating_sub(self.from.ns)
    }
    /// At most so many of the samples within, evenly spread: of those that fall on the same place
    /// the one with the largest `size`, so that a short peak is not lost.
    pub(crate) fn thinned<'a>(
        &self,
        samples: &'a [Sample],
        most: usize,
        size: impl Fn(&Sample) -> u64,
    ) -> Vec<&'a Sample> {
        let within = self.of(samples);
        if within.len() <= most {
            return within.iter().collect();
        }
        let place = |sample: &Sample| {
            let since = u128::from(sample.at.ns - self.from.ns);
            since * most as u128 / (u128::from(self.length()) + 1)
        };
        let chunks = within.chunk_by(|a, b| place(a) == place(b));
        chunks
            .filter_map(|chunk| chunk.iter().reduce(|a, b| if size(b) > size(a) { b } else { a }))
            .collect()
    }
    /// How fast a counter rises, in at most so many bins of a round length: the beginning of each
    /// bin in seconds, and the rate per second in it; then the length of a bin.
    pub(crate) fn rates(
        &self,
        samples: &[Sample],
        most: u64,
        counter: impl Fn(&Sample) -> u64,
    ) -> (Vec<(f64, f64)>, Span) {
        let spacing = samples.windows(2).map(|pair| pair[1].at.since(pair[0].at).ns).min();
        let bin = round_up((self.length() / most.max(1)).max(spacing.unwrap_or(1)));
        let value = |ns: u64| value(samples, ns, &counter);
        let mut rates = Vec::new();
        let mut begin = self.from.ns / bin * bin;
        while begin < self.to.ns {
            let end = begin + bin;
            let (first, last) = (begin.max(self.from.ns), end.min(self.to.ns));
            let risen = value(last).saturating_sub(value(first));
            let length = (last - first).max(1);
            rates.push((first as f64 / 1e9, risen as f64 * 1e9 / length as f64));
            begin = end;
        }
        (rates, Span::nanos(bin))
    }
}

/// What a counter had come to at a time; it began at zero.
fn value(samples: &[Sample], ns: u64, counter: &impl Fn(&Sample) -> u64) -> u64 {
    let after = samples.partition_point(|sample| sample.at.ns <= ns);
    after.checked_sub(1).map_or(0, |last| counter(&samples[last]))
}

/// The smallest of 1, 2 or 5 with zeros behind it that is not smaller.
fn round_up(ns: u64) -> u64 {
    let mut power = 1;
    while power < 100_000_000_000_000_000 {
        for step in [1, 2, 5] {
            if step * power >= ns {
                return step * power;
            }
        }
        power *= 10;
    }
    ns
}

#[cfg(test)]
mod tests {
    use super::*;
    use finwait_model::kernel::SockStat;

    fn sample(ms: u64, tw: u32, out_rsts: u64) -> Sample {
        Sample {
            at: Instant { ns: ms * 1_000_000 },
            sockstat: SockStat { inuse: 0, orphan: 0, tw, alloc: 0 },
            states: [0; 13],
            out_rsts,
            overflows: 0,
            tw_total: 0,
        }
    }

    #[test]
    fn a_short_peak_survives() {
        let samples: Vec<Sample> =
            (1..=1000).map(|n| sample(n, if n == 437 { 9 } else { 1 }, 0)).collect();
        let part = Part { from: Instant::ZERO, to: Instant { ns: 1_000_000_000 } };
        let thin = part.thinned(&samples, 10, |s| s.sockstat.tw.into());
        assert!(thin.len() <= 10);
        assert_eq!(thin.iter().map(|s| s.sockstat.tw).max(), Some(9));
        assert_eq!(part.thinned(&samples[..5], 10, |_| 0).len(), 5);
    }

    #[test]
    fn rates_add_up_to_what_the_counter_rose() {
        let samples: Vec<Sample> = (1..=100).map(|n| sample(n * 100, 0, n * n)).collect();
        let part = Part { from: Instant::ZERO, to: Instant { ns: 10_000_000_000 } };
        let (rates, bin) = part.rates(&samples, 20, |s| s.out_rsts);
        assert_eq!((rates.len(), bin), (20, Span::millis(500)));
        let sum: f64 = rates.iter().map(|(_, rate)| rate * 0.5).sum();
        assert!((sum - 10_000.0).abs() < 1e-6, "{sum}");
        // A bin that the part cuts is as long as what is left of it.
        let cut = Part { from: Instant { ns: 200_000_000 }, to: Instant { ns: 900_000_000 } };
        let (rates, _) = cut.rates(&samples, 1, |s| s.out_rsts);
        assert_eq!(rates.len(), 1);
        assert!((rates[0].1 - (81.0 - 4.0) / 0.7).abs() < 1e-6, "{rates:?}");
    }
}
