//! Samples as columns of small numbers, thinned so that a page of a long run stays light.

use serde::Serialize;

use finwait_model::state::TcpState;
use finwait_sim::run::HostOutcome;
use finwait_sim::sample::Sample;

/// Points of a curve: the samples of the built-in incident, and no more of a longer run.
const POINTS: usize = 3000;

/// Each number as its difference from the one before: short digits.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[serde(transparent)]
pub(super) struct Deltas(Vec<i64>);

impl Deltas {
    pub(super) fn of(values: impl IntoIterator<Item = u64>) -> Self {
        let mut last = 0;
        let step = |value: u64| {
            let value = value.cast_signed();
            let by = value.wrapping_sub(last);
            last = value;
            by
        };
        Self(values.into_iter().map(step).collect())
    }
}

/// A host's curves.
#[derive(Clone, Serialize, Debug)]
pub(super) struct Series {
    /// Samples behind each point.
    pub(super) samples_per_point: usize,
    /// When, in microseconds.
    pub(super) at_us: Deltas,
    /// Timewait buckets.
    pub(super) tw: Deltas,
    /// Of these, in FIN-WAIT-2.
    pub(super) tw_fin_wait2: Deltas,
    /// Sockets without a file.
    pub(super) orphan: Deltas,
    /// RSTs so far.
    pub(super) rst: Deltas,
    /// Refused buckets so far.
    pub(super) overflow: Deltas,
    /// Sockets by state; states that were never taken are left out.
    pub(super) sockets: Vec<(&'static str, Deltas)>,
}

/// The states of sockets in the order in which a connection goes through them.
const STATES: [&[TcpState]; 9] = [
    &[TcpState::SynSent],
    &[TcpState::SynRecv, TcpState::NewSynRecv],
    &[TcpState::Established],
    &[TcpState::FinWait1],
    &[TcpState::FinWait2],
    &[TcpState::Closing],
    &[TcpState::CloseWait],
    &[TcpState::LastAck],
    &[TcpState::Listen],
];

/// Buckets in FIN-WAIT-2: those that are not in TIME-WAIT.
pub(super) const fn buckets_in_fin_wait2(sample: &Sample) -> u32 {
    sample.sockstat.tw.saturating_sub(sample.count(TcpState::TimeWait))
}

/// Sockets in one of these states, buckets not counted.
pub(super) fn sockets_in(sample: &Sample, states: &[TcpState]) -> u32 {
    let all: u32 = states.iter().map(|&s| sample.count(s)).sum();
    match states {
        [TcpState::FinWait2] => all.saturating_sub(buckets_in_fin_wait2(sample)),
        _ => all,
    }
}

impl Series {
    /// The curves of a host.
    pub(super) fn of(host: &HostOutcome) -> Self {
        let every = host.series.len().div_ceil(POINTS).max(1);
        let bins: Vec<&[Sample]> = host.series.chunks(every).collect();
        // What stands is shown at its highest in each bin, what is counted at its end.
        let most = |f: &dyn Fn(&Sample) -> u32| {
            Deltas::of(bins.iter().map(|b| u64::from(b.iter().map(f).max().unwrap_or(0))))
        };
        let last =
            |f: &dyn Fn(&Sample) -> u64| Deltas::of(bins.iter().map(|b| b.last().map_or(0, f)));
        let ever = |states: &&&[TcpState]| host.series.iter().any(|s| sockets_in(s, states) > 0);
        let sockets = STATES
            .iter()
            .filter(ever)
            .map(|states| (states[0].ss_name(), most(&|s| sockets_in(s, states))));
        Self {
            samples_per_point: every,
            at_us: last(&|s| s.at.ns / 1000),
            tw: most(&|s| s.sockstat.tw),
            tw_fin_wait2: most(&buckets_in_fin_wait2),
            orphan: most(&|s| s.sockstat.orphan),
            rst: last(&|s| s.out_rsts),
            overflow: last(&|s| s.overflows),
            sockets: sockets.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_differences() {
        assert_eq!(Deltas::of([5, 7, 3]), Deltas(vec![5, 2, -4]));
    }
}
