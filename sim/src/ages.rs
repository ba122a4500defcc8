//! How old connections were when they were closed: a histogram in steps that a person reads, 1, 2,
//! 5, 10 ms and so on, counted exactly, and percentiles beside it.

use finwait_model::time::Span;

use crate::latencies::Latencies;

/// The upper ends of the steps, in milliseconds; what is older is in one more.
const EDGES_MS: [u64; 19] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
    200_000, 500_000, 1_000_000,
];

/// A histogram of ages.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ages {
    times: Latencies,
    steps: [u64; EDGES_MS.len() + 1],
}

/// One step of a histogram: ages up to and with `to`, and beyond the step before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its upper end; `None` for the last, which has none.
    pub to: Option<Span>,
    /// How many are in it.
    pub count: u64,
}

impl Ages {
    /// Counts one.
    pub fn record(&mut self, age: Span) {
        self.times.record(age);
        let is_within = |edge: &u64| age <= Span::millis(*edge);
        let step = EDGES_MS.iter().position(is_within).unwrap_or(EDGES_MS.len());
        self.steps[step] += 1;
    }
    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        self.times.add(&other.times);
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            *mine += theirs;
        }
    }
    /// The times themselves.
    pub const fn times(&self) -> &Latencies {
        &self.times
    }
    /// How many were counted.
    pub const fn count(&self) -> u64 {
        self.times.count()
    }
    /// The highest; `None` if there was none.
    pub const fn most(&self) -> Option<Span> {
        self.times.most()
    }
    /// The age that so many thousandths did not exceed, to one part in 64.
    pub fn percentile(&self, thousandths: u64) -> Option<Span> {
        self.times.percentile(thousandths)
    }
    /// Every step, from the youngest to the oldest.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Step> + ExactSizeIterator + '_ {
        let to = |step: usize| EDGES_MS.get(step).map(|edge| Span::millis(*edge));
        self.steps.iter().enumerate().map(move |(step, count)| Step { to: to(step), count: *count })
    }
    /// The steps from the first that has somebody in it to the last: where they stand among all.
    pub fn filled(&self) -> core::ops::Range<usize> {
        let first = self.steps.iter().position(|count| *count > 0).unwrap_or(0);
        let behind = self.steps.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        first..behind
    }
}

impl Step {
    /// Its upper end in words: `20 ms`, `5 s`, or `more`.
    pub fn name(&self) -> String {
        match self.to {
            None => "more".to_owned(),
            Some(to) if to < Span::secs(1) => format!("{} ms", to.ns / 1_000_000),
            Some(to) => format!("{} s", to.ns / 1_000_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_the_step_that_ends_with_it() {
        let mut ages = Ages::default();
        let far = Span::secs(2_000);
        for age in [Span::ZERO, Span::millis(1), Span::nanos(1_000_001), Span::secs(5), far] {
            ages.record(age);
        }
        let found: Vec<_> = ages.steps().filter(|step| step.count > 0).collect();
        let names: Vec<_> = found.iter().map(|step| (step.name(), step.count)).collect();
        let wanted = [("1 ms", 2), ("2 ms", 1), ("5 s", 1), ("more", 1)];
        assert_eq!(names, wanted.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!((ages.filled(), ages.count(), ages.most()), (0..20, 5, Some(far)));
        assert_eq!(ages.steps().map(|step| step.count).sum::<u64>(), ages.count());
        assert_eq!(Ages::default().filled(), 0..0);
    }

    #[test]
    fn adding_is_counting_together() {
        let (mut all, mut one, mut other) = (Ages::default(), Ages::default(), Ages::default());
        for ms in 0..3_000_u64 {
            let age = Span::millis(ms * ms % 7_919);
            all.record(age);
            if ms % 3 == 0 { one.record(age) } else { other.record(age) }
        }
        one.add(&other);
        assert_eq!(one, all);
    }
}
