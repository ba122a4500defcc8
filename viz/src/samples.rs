//! Samples as CSV and NDJSON, for DuckDB, pandas, R, or a spreadsheet.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::sample::Sample;
use finwait_sim::text::seconds;

use crate::run::HostRun;

/// The columns after the time and the host, the unit last where it is not a number of things.
pub const COLUMNS: [&str; 19] = [
    "inuse",
    "orphan",
    "tw",
    "alloc",
    "listen",
    "syn_sent",
    "syn_recv",
    "estab",
    "fin_wait_1",
    "fin_wait_2_socket",
    "fin_wait_2_bucket",
    "time_wait_bucket",
    "close_wait",
    "last_ack",
    "closing",
    "unconnected",
    "out_rsts",
    "tw_overflows",
    "tw_counted",
];

/// Buckets whose substate is FIN_WAIT2.
pub const fn fin_wait2_buckets(sample: &Sample) -> u32 {
    sample.sockstat.tw.saturating_sub(sample.count(TcpState::TimeWait))
}

/// Sockets in FIN_WAIT2 that are no buckets.
pub const fn fin_wait2_sockets(sample: &Sample) -> u32 {
    sample.count(TcpState::FinWait2).saturating_sub(fin_wait2_buckets(sample))
}

/// Sockets in SYN-RECV and half-open requests.
pub const fn syn_recv(sample: &Sample) -> u32 {
    sample.count(TcpState::SynRecv) + sample.count(TcpState::NewSynRecv)
}

/// A sample in the order of [`COLUMNS`].
pub fn numbers(sample: &Sample) -> [u64; 19] {
    let stat = sample.sockstat;
    let state = |state: TcpState| u64::from(sample.count(state));
    [
        stat.inuse.into(),
        stat.orphan.into(),
        stat.tw.into(),
        stat.alloc.into(),
        state(TcpState::Listen),
        state(TcpState::SynSent),
        syn_recv(sample).into(),
        state(TcpState::Established),
        state(TcpState::FinWait1),
        fin_wait2_sockets(sample).into(),
        fin_wait2_buckets(sample).into(),
        state(TcpState::TimeWait),
        state(TcpState::CloseWait),
        state(TcpState::LastAck),
        state(TcpState::Closing),
        state(TcpState::Close),
        sample.out_rsts,
        sample.overflows,
        sample.tw_total,
    ]
}

/// The samples of that part of a run as CSV (RFC 4180), with a line of names.
pub fn csv(hosts: &[&HostRun], part: RangeInclusive<Instant>) -> String {
    let mut out = format!("at_s,host,{}\r\n", COLUMNS.join(","));
    for (host, sample) in within(hosts, part) {
        let _ = write!(out, "{},{}", seconds(sample.at.ns, 9), field(&host.name));
        for number in numbers(sample) {
            let _ = write!(out, ",{number}");
        }
        out.push_str("\r\n");
    }
    out
}

/// The same with one JSON object on each line.
pub fn ndjson(hosts: &[&HostRun], part: RangeInclusive<Instant>) -> String {
    let mut out = String::new();
    for (host, sample) in within(hosts, part) {
        let at = seconds(sample.at.ns, 9);
        let _ =
            write!(out, "{{\"at_s\":{at},\"host\":{}", serde_json::Value::from(host.name.as_str()));
        for (name, number) in COLUMNS.iter().zip(numbers(sample)) {
            let _ = write!(out, ",\"{name}\":{number}");
        }
        out.push_str("}\n");
    }
    out
}

/// All hosts' samples of an instant together, in the order of time.
fn within<'a>(
    hosts: &[&'a HostRun],
    part: RangeInclusive<Instant>,
) -> Vec<(&'a HostRun, &'a Sample)> {
    let each = hosts.iter().flat_map(|host| host.samples.iter().map(|sample| (*host, sample)));
    let mut all: Vec<_> = each.filter(|(_, sample)| part.contains(&sample.at)).collect();
    // Stable: hosts stay in their order.
    all.sort_by_key(|(_, sample)| sample.at);
    all
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use finwait_model::kernel::SockStat;
    use finwait_model::release::Release;
    use finwait_model::sysctl::Sysctl;

    fn host(name: &str) -> HostRun {
        let mut states = [0; 13];
        states[TcpState::FinWait2 as usize] = 7;
        states[TcpState::TimeWait as usize] = 95;
        let sockstat = SockStat { inuse: 3, orphan: 2, tw: 100, alloc: 4 };
        let at = Instant { ns: 1_500_000_000 };
        let sample = Sample { at, sockstat, states, out_rsts: 8, overflows: 9, tw_total: 10 };
        let sysctl = Sysctl::new(Release::V3_10);
        let (release, name) = (Release::V3_10, name.to_owned());
        let platform = finwait_sim::stack::Platform::Linux(release);
        HostRun { name, release, platform, sysctl, samples: vec![sample] }
    }

    #[test]
    fn buckets_in_fin_wait2_are_told_from_sockets() {
        let host = host("a,\"b");
        let all = Instant::ZERO..=Instant { ns: u64::MAX };
        let csv = csv(&[&host], all.clone());
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert_eq!(lines[1], "1.500000000,\"a,\"\"b\",3,2,100,4,0,0,0,0,0,2,5,95,0,0,0,0,8,9,10");
        assert_eq!(lines[0].split(',').count(), 2 + COLUMNS.len());
        let json = ndjson(&[&host], all);
        assert!(
            json.starts_with("{\"at_s\":1.500000000,\"host\":\"a,\\\"b\",\"inuse\":3"),
            "{json}"
        );
        assert!(json.contains("\"fin_wait_2_bucket\":5,\"time_wait_bucket\":95"), "{json}");
        assert_eq!(ndjson(&[&host], Instant::ZERO..=Instant::ZERO), "");
    }
}
