//! The tables of a host: sockstat at the edge, and FIN-WAIT-1 and FIN-WAIT-2 as sampled.

use std::fmt::Write as _;

use finwait_model::state::TcpState;
use finwait_sim::findings::{self, Typical, first_refusal, is_full, nearly_full};
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
    let Typical { tenths, most } = findings::typical(samples, state);
    if tenths < 1000 {
        format!("{}.{} ({})", tenths / 10, tenths % 10, grouped(u64::from(most)))
    } else {
        format!("{} ({})", grouped(tenths / 10), grouped(u64::from(most)))
    }
}
