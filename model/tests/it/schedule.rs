//! Comparing the times of a timer with their ideal: never early, and late by one granule of the
//! timer wheel at most (6.18), or by the slack of a long timer (3.10).

use finwait_model::release::Release;
use finwait_model::time::Span;

/// The most that a timer of `ms` milliseconds can be late, in microseconds: sections Z1 and Z2.
fn lateness_us(release: Release, ms: u64) -> u64 {
    let tick_us = 1_000_000 / u64::from(release.default_hz());
    let ticks = (ms * 1000).div_ceil(tick_us);
    match release {
        Release::V3_10 => (ticks / 256 + 1) * tick_us,
        Release::V6_18 => {
            let (mut level, mut limit) = (0, 63);
            while ticks >= limit {
                (level, limit) = (level + 1, limit * 8);
            }
            (8u64.pow(level) + 1) * tick_us
        }
    }
}

/// The gaps between `times` are those of `ideal` (milliseconds since the first event).
pub(crate) fn assert_schedule(release: Release, times: &[Span], ideal: &[u64]) {
    let got: Vec<u64> = times.iter().map(|t| t.ns / 1000).collect();
    assert_eq!(got.len(), ideal.len(), "{release}: {got:?} us for {ideal:?} ms");
    for (pair, want) in got.windows(2).zip(ideal.windows(2)) {
        let (gap, ideal) = (pair[1] - pair[0], (want[1] - want[0]) * 1000);
        let late = lateness_us(release, want[1] - want[0]);
        assert!(
            (ideal..=ideal + late).contains(&gap),
            "{release}: a gap of {gap} us instead of {ideal} us and at most {late} us more\n{got:?}"
        );
    }
}
