//! A run as one JSON object; docs/json.md describes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{apps, load};
use finwait_model::time::Span;
use finwait_sim::because::Group;
use finwait_sim::measure::Judged;
use finwait_sim::run::{HostOutcome, Outcome};

#[derive(Serialize)]
struct Run<'a> {
    scenario: &'a str,
    seed: u64,
    simulated_s: f64,
    wall_s: f64,
    segments: u64,
    lifecycles: u64,
    digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expect: Vec<Expect<'a>>,
    hosts: BTreeMap<&'a str, Host>,
}

#[derive(Serialize)]
struct Expect<'a> {
    wanted: &'a str,
    found: &'a str,
    holds: bool,
}

#[derive(Serialize)]
struct Host {
    kernel: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    mib: BTreeMap<&'static str, u64>,
    sockstat: SockStat,
    peak: Peak,
    rst_sent: Vec<Rst>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<apps::PoolJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<apps::ServersJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<load::LoadJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<load::HttpJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<load::ScriptJson>,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    passage: Option<apps::BoxJson>,
}

/// What smoltcp's bytes were like.
#[derive(Serialize)]
struct Bytes {
    received: u64,
    sent: u64,
    wrong: u64,
}

#[derive(Serialize)]
struct SockStat {
    inuse: u32,
    orphan: u32,
    tw: u32,
    alloc: u32,
}

#[derive(Serialize)]
struct Peak {
    tw: u32,
    orphan: u32,
    #[serde(rename = "FIN-WAIT-1")]
    fin_wait1: u32,
    #[serde(rename = "FIN-WAIT-2")]
    fin_wait2: u32,
}

#[derive(Serialize)]
struct Rst {
    cause: &'static str,
    reason: &'static str,
    path: &'static [&'static str],
    count: u64,
    because: &'static str,
}

/// The object, indented, with a line feed at its end.
pub(crate) fn render(outcome: &Outcome, judged: &[Judged], wall_s: f64) -> String {
    let expect = judged.iter().map(|judged| {
        let Judged { wanted, found, holds } = judged;
        Expect { wanted, found, holds: *holds }
    });
    let run = Run {
        scenario: &outcome.scenario,
        seed: outcome.seed,
        simulated_s: outcome.simulated.ns as f64 / 1e9,
        wall_s: (wall_s * 1e3).round() / 1e3,
        segments: outcome.segments,
        lifecycles: outcome.lifecycles,
        digest: outcome.digest.to_string(),
        expect: expect.collect(),
        hosts: outcome
            .hosts
            .iter()
            .map(|h| (h.name.as_str(), host(h, outcome.simulated)))
            .collect(),
    };
    let Ok(mut text) = serde_json::to_string_pretty(&run) else {
        unreachable!("invariant: names and numbers can always be written as JSON")
    };
    text.push('\n');
    text
}

fn host(outcome: &HostOutcome, simulated: Span) -> Host {
    let stat = outcome.sockstat;
    let peak = outcome.peak;
    // What is no Linux has no counters.
    let counters = outcome.mib.iter().filter(|_| outcome.platform.is_linux());
    Host {
        kernel: outcome.platform.kernel(),
        stack: outcome.platform.stack(),
        bytes: outcome.content.map(|c| Bytes {
            received: c.received,
            sent: c.sent,
            wrong: c.wrong,
        }),
        mib: counters.map(|&(mib, value)| (mib.nstat_name(), value)).collect(),
        sockstat: SockStat {
            inuse: stat.inuse,
            orphan: stat.orphan,
            tw: stat.tw,
            alloc: stat.alloc,
        },
        peak: Peak {
            tw: peak.tw,
            orphan: peak.orphan,
            fin_wait1: peak.fin_wait1,
            fin_wait2: peak.fin_wait2,
        },
        rst_sent: outcome.rst.iter().map(rst).collect(),
        pool: apps::pool_json(outcome, simulated),
        servers: apps::servers_json(outcome),
        load: load::load_json(outcome, simulated),
        http: load::http_json(outcome),
        script: load::script_json(outcome),
        passage: apps::box_json(outcome),
    }
}

fn rst(group: &Group) -> Rst {
    let site = group.cause.site();
    Rst {
        cause: site.name,
        reason: site.reset.map_or("", |r| r.kernel_name()),
        path: site.path,
        count: group.count,
        because: group.because.name(),
    }
}
