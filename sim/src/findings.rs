//! What the samples and counters of a run say: whose run it is, when its bucket table was full, what
//! the table carried, and which settings might have helped.

use std::fmt::Write as _;

use finwait_model::counters::Mib;
use finwait_model::release::Release;
use finwait_model::state::TcpState;
use finwait_model::time::Instant;

use crate::run::HostOutcome;
use crate::sample::Sample;
use crate::scenario::{Scenario, Setting};
use crate::text::grouped;
use crate::world::HostId;

/// The host that a run is about: who sent the most RSTs, or else held the most buckets.
pub fn hero(hosts: &[HostOutcome]) -> Option<&HostOutcome> {
    hosts.iter().max_by_key(|h| (h.platform.is_linux(), h.rst_count(), h.peak.tw))
}

/// The first sample after a refusal in which the table stands a little below its limit.
pub fn nearly_full(host: &HostOutcome) -> Option<&Sample> {
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
pub fn first_refusal(host: &HostOutcome) -> Option<Instant> {
    host.series.iter().find(|s| s.overflows > 0).map(|s| s.at)
}

/// No slot to speak of: one that has just become free is taken by the next close.
pub fn is_full(host: &HostOutcome, sample: &Sample) -> bool {
    i64::from(sample.sockstat.tw) + 10 >= host.sysctl.tcp_max_tw_buckets
}

/// How many sockets and buckets are in a state, over some samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Typical {
    /// The mean, in tenths.
    pub tenths: u64,
    /// The most.
    pub most: u32,
}

/// The mean and the most of a state over some samples.
pub fn typical(samples: &[&Sample], state: TcpState) -> Typical {
    let sum: u64 = samples.iter().map(|s| u64::from(s.count(state))).sum();
    let most = samples.iter().map(|s| s.count(state)).max().unwrap_or(0);
    Typical { tenths: sum * 10 / (samples.len() as u64).max(1), most }
}

/// Buckets that left per second since the table was full. On 3.10 `TcpExtTW` counts them as they
/// leave, whole cells at a time.
pub fn carried_per_second(host: &HostOutcome, since: Instant) -> Option<u64> {
    let mut steps =
        host.series.windows(2).filter(|w| w[0].at >= since && w[1].tw_total > w[0].tw_total);
    let first = steps.next()?;
    let last = steps.next_back()?;
    let span = last[1].at.since(first[1].at).ns;
    let left = last[1].tw_total - first[1].tw_total;
    u64::try_from(u128::from(left) * 1_000_000_000 / u128::from(span.max(1))).ok()
}

/// Why a table that "should carry" limit / 60 s does not, on 3.10, in a sentence.
pub fn death_row(host: &HostOutcome) -> Option<String> {
    if host.release != Release::V3_10 || host.counter(Mib::TCPTimeWaitOverflow) == 0 {
        return None;
    }
    let limit = u64::try_from(host.sysctl.tcp_max_tw_buckets).ok()?;
    let carried = carried_per_second(host, first_refusal(host)?)?;
    Some(format!(
        "Why {} buckets do not carry {} closes per second, as 60 s in TIME-WAIT would suggest: \
         Linux 3.10 empties its eight cells by a clock of 7.5 s, at most 100 buckets a tick, so that \
         a cell with more costs two ticks; under load a bucket lives about 105 s, the count saw-tooths \
         below the limit, and {} closes per second found room here.",
        grouped(limit),
        grouped(limit / 60),
        grouped(carried),
    ))
}

/// What a counter-run says, in a sentence. `settings` are its hosts and what was set there,
/// `hosts` all of its hosts.
pub fn counter_run(settings: &[(String, String)], hosts: &[HostOutcome]) -> String {
    let set: Vec<String> = settings.iter().map(|(host, what)| format!("{host}.{what}")).collect();
    let mut text = format!("Counter-run with {}: ", set.join(", "));
    let _ = match hosts.iter().map(HostOutcome::rst_count).sum::<u64>() {
        0 => write!(text, "no RST at all"),
        1 => write!(text, "1 RST all the same"),
        n => write!(text, "{} RSTs all the same", grouped(n)),
    };
    for (name, _) in settings {
        let Some(host) = hosts.iter().find(|h| h.name == *name) else { continue };
        if let Some(group) = host.rst.first() {
            let _ = write!(text, " ({}: {})", group.cause.name(), group.because.text());
        }
        let plural = if host.peak.tw == 1 { "" } else { "s" };
        let most = grouped(u64::from(host.peak.tw));
        let _ = write!(text, "; {name} holds at most {most} bucket{plural}");
        if host.counter(Mib::TCPTimeWaitOverflow) == 0 && host.peak.fin_wait2 > 0 {
            let most = host.peak.fin_wait2;
            let _ = write!(text, ", and FIN-WAIT-2 is back (at most {most} at a time)");
        }
    }
    text + "."
}

/// Where buckets were refused, the same scenario with room for those that were refused as well.
pub fn raised(scenario: &Scenario, hosts: &[HostOutcome]) -> Option<(Vec<Setting>, Scenario)> {
    let wanted = |host: &HostOutcome| {
        let refused = host.counter(Mib::TCPTimeWaitOverflow);
        let needed = refused.saturating_add(host.sysctl.tcp_max_tw_buckets.max(0).unsigned_abs());
        (refused > 0).then(|| needed.next_power_of_two().clamp(4096, 1 << 30))
    };
    let limits = hosts.iter().enumerate().filter_map(|(n, h)| Some((HostId(n as u16), wanted(h)?)));
    with_bucket_limits(scenario, limits)
}

/// The same scenario with other limits of timewait buckets; `None` if there are none.
pub fn with_bucket_limits(
    scenario: &Scenario,
    limits: impl Iterator<Item = (HostId, u64)>,
) -> Option<(Vec<Setting>, Scenario)> {
    let mut other = scenario.clone();
    let mut settings = Vec::new();
    for (host, limit) in limits {
        let setting = Setting {
            host,
            sysctl: "net.ipv4.tcp_max_tw_buckets".to_owned(),
            value: limit.to_string(),
        };
        setting.clone().apply(&mut other).ok()?;
        settings.push(setting);
    }
    (!settings.is_empty()).then_some((settings, other))
}
