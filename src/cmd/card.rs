//! `finwait card`: what the hosts of a scenario can carry, and how near its own rates come. Nothing is
//! simulated for it.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use finwait_model::time::Span;
use finwait_sim::capacity::{Card, HostCard, PerSecond};

use super::run;
use crate::failure::{Failure, Verdict, print};
use crate::plan;

/// Say what the hosts of a scenario can carry: closes and connects per second, orphans, memory.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario; without one, the built-in incident.
    #[arg(value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    /// Change the scenario first, such as web.net.ipv4.tcp_tw_reuse=1; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let (scenario, set) = (args.scenario.clone(), args.set.clone());
    let plan = plan::run(&run::Args { scenario, set, ..run::Args::default() })?;
    let card = Card::of(&plan.scenario);
    print(&if args.json { format!("{:#}\n", object(&card)) } else { card.text() })?;
    Ok(Verdict::Fine)
}

fn object(card: &Card) -> Value {
    let hosts = card.hosts.iter().map(|host| (host.name.clone(), host_object(host)));
    json!({ "scenario": card.scenario, "hosts": hosts.collect::<Map<_, _>>() })
}

fn host_object(host: &HostCard) -> Value {
    let (buckets, ports, orphans, load) = (&host.buckets, &host.ports, &host.orphans, &host.load);
    json!({
        "kernel": host.release.name(),
        "hz": host.hz,
        "closes": {
            "limit": buckets.limit,
            "held_light_s": span(buckets.held.light),
            "held_heavy_s": span(buckets.held.heavy),
            "heavy_above_per_s": buckets.held.quota.map(rate),
            "carried_per_s": buckets.carries.map(rate),
            "asked_per_s": rate(load.closes),
            "fin_wait_s": span(load.fin_wait),
            "full_after_s": host.full_after().map(span),
        },
        "connects": {
            "ports": ports.count,
            "port_range": [ports.range.0, ports.range.1],
            "held_s": span(ports.held),
            "carried_per_s": rate(ports.carries),
            "carried_with_reuse_per_s": ports.with_reuse.map(rate),
            "reuses": ports.reuses,
            "destinations": load.connects.len(),
            "asked_of_busiest_per_s": load.busiest().map(|(_, asked)| rate(asked)),
        },
        "orphans": {
            "limit": orphans.limit,
            "limit_if_silent": orphans.limit.map(|limit| limit / 2),
            "limit_if_silent_after_icmp": orphans.limit.map(|limit| limit / 4),
            "silence_s": span(orphans.silence),
            "held_s": span(orphans.held),
            "carried_per_s": orphans.carries.map(rate),
        },
        "bytes": {
            "bucket": host.sizes.bucket,
            "socket": host.sizes.socket,
            "port": host.sizes.port,
        },
        "estimated": load.is_estimate,
    })
}

fn rate(rate: PerSecond) -> f64 {
    rate.thousandths as f64 / 1e3
}

fn span(span: Span) -> f64 {
    span.ns as f64 / 1e9
}
