//! The tables of a host: sockstat at the edge, and FIN-WAIT-1 and FIN-WAIT-2 as sampled.

use std::fmt::Write as _;

use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::run::HostOutcome;
use finwait_sim::sample::Sample;

use super::Counter;
use super::text::{grouped, seconds};

/// /proc/net/sockstat when the table is nearly full, or at the end if it never is.
pub(super) fn sockstat(out: &mut String, host: &HostOutcome) {
    let Some(last) = host.series.last() else { return };
    let (sample, when) = match nearly_full(host) {
        Some(sample) => (sample, "the table nearly full"),
        None => (last, "the end"),
    };
    let stat = sample.sockstat;
    let _ = writeln!(
        out,
        "{}$ cat /proc/net/sockstat        # t = {} s: {when}\n\
         TCP: inuse {} orphan {} tw {} alloc {}\n",
        host.name,
        seconds(sample.at.ns, 1),
        stat.inuse,
        stat.orphan,
        stat.tw,
        stat.alloc,
    );
}

/// The first sample after a refusal in which the table stands a little below its limit.
fn nearly_full(host: &HostOutcome) -> Option<&Sample> {
    let limit = u64::try_from(host.sysctl.tcp_max_tw_buckets).ok()?;
    let below = |s: &&Sample| {
        let tw = u64::from(s.sockstat.tw);
        s.overflows > 0 && tw < limit && tw * 100 >= limit * 95
    };
    // A few per cent below is what somebody sees who looks at a random moment.
    let aim = |s: &&Sample| (u64::from(s.sockstat.tw) * 1000).abs_diff(limit * 976);
    host.series.iter().filter(below).take(1000).min_by_key(aim)
}

/// When the first bucket was refused, to the sample.
pub(super) fn first_refusal(host: &HostOutcome) -> Option<Instant> {
    host.series.iter().find(|s| s.overflows > 0).map(|s| s.at)
}

/// FIN-WAIT-1 and FIN-WAIT-2 before the first refusal, after it, and in the counter-run.
pub(super) fn waits(out: &mut String, host: &HostOutcome, counter: Option<&Counter>) {
    let Some(refusal) = first_refusal(host).filter(|_| host.peak.tw >= 10) else { return };
    let _ = writeln!(
        out,
        "{:<44}{:>15}{:>15}{:>22}",
        format!("{} samples, mean (most)", grouped(host.series.len() as u64)),
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "TIME-WAIT"
    );
    let before: Vec<&Sample> = host.series.iter().filter(|s| s.at < refusal).collect();
    let full: Vec<&Sample> =
        host.series.iter().filter(|s| s.at >= refusal && is_full(host, s)).collect();
    row(out, &format!("until the first refusal at {} s", seconds(refusal.ns, 1)), &before);
    row(out, "since then, while the table is full", &full);
    if let Some(other) = counter.and_then(|c| c.outcome.host(&host.name)) {
        let same_time: Vec<&Sample> = other.series.iter().filter(|s| s.at >= refusal).collect();
        row(out, "since then, in the counter-run", &same_time);
    }
    out.push('\n');
}

/// No slot to speak of: one that has just become free is taken by the next close.
fn is_full(host: &HostOutcome, sample: &Sample) -> bool {
    i64::from(sample.sockstat.tw) + 10 >= host.sysctl.tcp_max_tw_buckets
}

fn row(out: &mut String, label: &str, samples: &[&Sample]) {
    let _ = write!(out, "  {label:<42}");
    for (state, width) in
        [(TcpState::FinWait1, 15), (TcpState::FinWait2, 15), (TcpState::TimeWait, 22)]
    {
        let _ = write!(out, "{:>width$}", mean_and_most(samples, state));
    }
    out.push('\n');
}

fn mean_and_most(samples: &[&Sample], state: TcpState) -> String {
    let sum: u64 = samples.iter().map(|s| u64::from(s.count(state))).sum();
    let most = samples.iter().map(|s| s.count(state)).max().unwrap_or(0);
    let tenths = sum * 10 / (samples.len() as u64).max(1);
    if tenths < 1000 {
        format!("{}.{} ({})", tenths / 10, tenths % 10, grouped(u64::from(most)))
    } else {
        format!("{} ({})", grouped(tenths / 10), grouped(u64::from(most)))
    }
}
