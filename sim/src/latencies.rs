//! How long things took, as a histogram: exact in count, least and most, and within one part in 64
//! everywhere else.
//!
//! Buckets are those of HDR histograms: as wide as 1 ns up to 128 ns, and twice as wide from each
//! power of two on. All of it is integers, and adding two histograms is adding their buckets, so
//! that percentiles are the same on every machine and in whatever order they were counted.

use finwait_model::time::Span;

/// Buckets of one width, as a power of two.
const FINE_BITS: u32 = 6;
/// Buckets of one width.
const FINE: u64 = 1 << FINE_BITS;

/// A histogram of times.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Latencies {
    /// As long as the longest time needs.
    buckets: Vec<u64>,
    count: u64,
    least: Span,
    most: Span,
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, took: Span) {
        self.record_times(took, 1);
    }
    /// Counts so many of the same.
    pub(crate) fn record_times(&mut self, took: Span, times: u64) {
        let place = place(took.ns);
        if place >= self.buckets.len() {
            self.buckets.resize(place + 1, 0);
        }
        self.buckets[place] += times;
        self.least = if self.count == 0 { took } else { self.least.min(took) };
        self.most = self.most.max(took);
        self.count += times;
    }
    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.least = if self.count == 0 { other.least } else { self.least.min(other.least) };
        self.most = self.most.max(other.most);
        self.count += other.count;
    }
    /// How many were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }
    /// The longest; `None` if there was none.
    pub const fn most(&self) -> Option<Span> {
        if self.count == 0 { None } else { Some(self.most) }
    }
    /// The time that so many thousandths of all did not exceed; `None` if there was none. It is the
    /// upper end of a bucket, and never more than the longest that was counted.
    pub fn percentile(&self, thousandths: u64) -> Option<Span> {
        let rank = (u128::from(self.count) * u128::from(thousandths)).div_ceil(1000).max(1);
        let mut seen = 0_u128;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(Span::nanos(upper_end(place)).min(self.most).max(self.least));
            }
        }
        self.most()
    }
}

/// The bucket of a time.
const fn place(ns: u64) -> usize {
    // The number of bits beyond those that a bucket tells apart.
    let beyond = (u64::BITS - ns.leading_zeros()).saturating_sub(FINE_BITS + 1);
    (beyond as u64 * FINE + (ns >> beyond)) as usize
}

/// The longest time of a bucket.
const fn upper_end(place: usize) -> u64 {
    let place = place as u64;
    if place < 2 * FINE {
        return place;
    }
    let beyond = place / FINE - 1;
    let first = (place - beyond * FINE) << beyond;
    first + ((1 << beyond) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn every_time_is_in_a_bucket_that_ends_close_above_it() {
        let mut stream = Stream::new(1, "latencies");
        let random = (0..5000).map(|n| stream.bits() >> (n % 64));
        for ns in [0, 1, 127, 128, 129, 255, 256, u64::MAX].into_iter().chain(random) {
            let end = upper_end(place(ns));
            assert!(end >= ns && end - ns <= ns / 64, "{ns} is told as {end}");
            assert_eq!(place(end), place(ns));
            assert!(end == u64::MAX || place(end + 1) == place(ns) + 1);
        }
    }

    #[test]
    fn percentiles_are_those_of_a_sorted_list() {
        let mut stream = Stream::new(2, "latencies");
        let mut list: Vec<u64> = (0..999).map(|_| 1_000 + stream.below(50_000_000)).collect();
        let mut latencies = Latencies::default();
        list.iter().for_each(|&ns| latencies.record(Span::nanos(ns)));
        list.sort_unstable();
        for thousandths in [1, 500, 900, 990, 999] {
            let exact = list[(999 * thousandths as usize).div_ceil(1000) - 1];
            let told = latencies.percentile(thousandths).expect("there are some").ns;
            assert!(told >= exact && told - exact <= exact / 64, "{told} for {exact}");
        }
        assert_eq!(latencies.percentile(1000), latencies.most());
        assert_eq!(latencies.most(), Some(Span::nanos(list[998])));
    }

    #[test]
    fn adding_is_counting_together() {
        let record = |times: &[u64]| {
            let mut latencies = Latencies::default();
            times.iter().for_each(|&ns| latencies.record(Span::nanos(ns)));
            latencies
        };
        let (few, many) = (record(&[7, 3]), record(&[40_000_000, 5]));
        let all = record(&[7, 3, 40_000_000, 5]);
        for (mut sum, other) in [(few.clone(), &many), (many.clone(), &few)] {
            sum.add(other);
            assert_eq!(sum, all);
            sum.add(&Latencies::default());
            assert_eq!(sum, all);
        }
        let mut none = Latencies::default();
        assert_eq!((none.percentile(500), none.most()), (None, None));
        none.add(&all);
        assert_eq!((none, all.count()), (all.clone(), 4));
    }
}
