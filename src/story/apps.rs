//! What pools, servers and boxes on the way counted: in words, and for JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use finwait_model::time::Span;
use finwait_sim::ages::Ages;
use finwait_sim::app::PoolTally;
use finwait_sim::latencies::Latencies;
use finwait_sim::nat::Passage;
use finwait_sim::run::{HostOutcome, Outcome};

use super::WIDTH;
use super::text::{counted, grouped, wrapped};

/// A paragraph for each pool, restarted server and box.
pub(super) fn paragraphs(out: &mut String, outcome: &Outcome) {
    for host in &outcome.hosts {
        let mut said = false;
        if let Some(tally) = &host.pool {
            pool(out, host, tally, outcome.simulated);
            said = true;
        }
        if host.servers.restarts + host.servers.in_use + host.servers.rejected > 0 {
            say(out, &restarted(host));
            said = true;
        }
        if let Some(passage) = &host.passage {
            say(out, &passed(&host.name, passage));
            said = true;
        }
        if said {
            out.push('\n');
        }
    }
}

pub(super) fn say(out: &mut String, text: &str) {
    for line in wrapped(text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
}

/// A share in per cent with one decimal.
pub(super) fn share(part: u64, all: u64) -> String {
    let per_mille = (u128::from(part) * 1000).checked_div(u128::from(all)).unwrap_or(0);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// Three digits are enough for a time that is known to a 64th.
pub(super) fn took(span: Option<Span>) -> String {
    span.map_or_else(|| "never".to_owned(), finwait_viz::story::words::span)
}

fn pool(out: &mut String, host: &HostOutcome, tally: &PoolTally, simulated: Span) {
    let answers = &host.latencies;
    let mut text = format!(
        "{} requests of {}, {} answered in {} (p50) to {} (p99). {} found a connection in the pool; \
         {} had to connect, {}/s.",
        grouped(tally.requests),
        host.name,
        grouped(tally.answered),
        took(answers.percentile(500)),
        took(answers.percentile(990)),
        share(tally.hits, tally.hits + tally.misses),
        grouped(tally.misses),
        per_second(host.clients.started, simulated),
    );
    if tally.waited > 0 {
        let _ = write!(text, " {} waited in the backlog.", grouped(tally.waited));
    }
    say(out, &text);
    if tally.failed() > 0 {
        let errors: Vec<_> =
            tally.errors.iter().map(|(what, n)| format!("{} {what:?}", grouped(*n))).collect();
        let text = format!(
            "What the code was told that failed: {}; {} requests failed on a connection out of the \
             pool.",
            errors.join(", "),
            grouped(tally.failed_pooled)
        );
        say(out, &text);
    }
    if tally.ages.count() > 0 {
        closed(out, tally);
    }
}

/// So many in that time, for each second of it, with one decimal.
fn per_second(count: u64, time: Span) -> String {
    let tenths = u128::from(count) * 10 * 1_000_000_000;
    let tenths = tenths.checked_div(u128::from(time.ns)).unwrap_or(0);
    format!("{}.{}", grouped(u64::try_from(tenths / 10).unwrap_or(u64::MAX)), tenths % 10)
}

/// Why connections were closed, and how old they were: a line for each reason, and a histogram.
fn closed(out: &mut String, tally: &PoolTally) {
    let text = format!("{} closed, by reason and age:", counted(tally.ages.count(), "connection"));
    say(out, &text);
    let _ = writeln!(out, "{:>9} {:>8} {:>8} {:>8}", "count", "p50", "p99", "most");
    for (reason, ages) in &tally.closes {
        let _ = writeln!(
            out,
            "{:>9} {:>8} {:>8} {:>8} {}: {}",
            grouped(ages.count()),
            took(ages.percentile(500)),
            took(ages.percentile(990)),
            took(ages.most()),
            reason.name(),
            reason.text()
        );
    }
    histogram(out, &tally.ages);
}

/// How long the longest bar is.
const BAR: u64 = 50;

/// A line for each step of age, from the first with somebody in it to the last.
fn histogram(out: &mut String, ages: &Ages) {
    let filled = ages.filled();
    let most = ages.steps().map(|step| step.count).max().unwrap_or(0).max(1);
    for step in ages.steps().skip(filled.start).take(filled.len()) {
        // In eighths; who is there is seen.
        let eighths = (step.count * BAR * 8).div_ceil(most);
        let mut bar = "█".repeat((eighths / 8) as usize);
        if let Some(part) = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get((eighths % 8) as usize)
        {
            bar.push_str(part);
        }
        let line = format!("  up to {:>6} {:>9} {bar}", step.name(), grouped(step.count));
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn restarted(host: &HostOutcome) -> String {
    let servers = host.servers;
    let mut text = String::new();
    if servers.rejected > 0 {
        let _ = write!(
            text,
            "Redis on {} turned {} away: max number of clients reached.",
            host.name,
            counted(servers.rejected, "connection")
        );
    }
    if servers.restarts + servers.in_use == 0 {
        return text;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    let _ = write!(
        text,
        "The servers of {} were restarted {}; bind() found the port taken (EADDRINUSE) {}.",
        host.name,
        times(servers.restarts),
        times(servers.in_use)
    );
    text
}

fn times(count: u64) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{} times", grouped(n)),
    }
}

fn passed(name: &str, box_tally: &Passage) -> String {
    let mut text = format!(
        "{name} passed on {} of {}, {} at a time.",
        counted(box_tally.passed, "segment"),
        counted(box_tally.flows, "flow"),
        grouped(box_tally.peak)
    );
    for (count, what) in [
        (box_tally.forgotten, "flows of standing connections were forgotten"),
        (box_tally.adopted, "flows were made in the middle of a connection"),
        (box_tally.refused, "connections found no free port"),
        (box_tally.dropped, "segments were dropped"),
        (box_tally.own, "segments without a flow fell to its own TCP"),
    ] {
        if count > 0 {
            let _ = write!(text, " {} {what}.", grouped(count));
        }
    }
    text
}

/// What a pool counted, for JSON.
#[derive(Serialize)]
pub(super) struct PoolJson {
    requests: u64,
    answered: u64,
    hits: u64,
    misses: u64,
    waited: u64,
    kept: u64,
    idle: u64,
    failed_pooled: u64,
    errors: BTreeMap<&'static str, u64>,
    hit_rate: Option<f64>,
    connects_per_s: f64,
    closes: BTreeMap<&'static str, u64>,
    age_at_close: AgesJson,
    age_at_close_by_reason: BTreeMap<&'static str, AgesJson>,
}

/// A histogram of times, for JSON: seconds.
#[derive(Serialize)]
pub(super) struct TimesJson {
    count: u64,
    p50_s: Option<f64>,
    p75_s: Option<f64>,
    p90_s: Option<f64>,
    p99_s: Option<f64>,
    p999_s: Option<f64>,
    max_s: Option<f64>,
}

/// A histogram of ages, for JSON: with the steps of the text.
#[derive(Serialize)]
struct AgesJson {
    #[serde(flatten)]
    times: TimesJson,
    steps: Vec<StepJson>,
}

/// Ages up to that one, and beyond that of the step before.
#[derive(Serialize)]
struct StepJson {
    to_s: Option<f64>,
    count: u64,
}

/// What servers counted, for JSON.
#[derive(Serialize)]
pub(super) struct ServersJson {
    restarts: u64,
    #[serde(rename = "EADDRINUSE")]
    in_use: u64,
    rejected: u64,
}

/// What a box counted, for JSON.
#[derive(Serialize)]
pub(super) struct BoxJson {
    flows: u64,
    peak: u64,
    adopted: u64,
    forgotten: u64,
    refused: u64,
    passed: u64,
    dropped: u64,
    own: u64,
}

pub(super) fn times_json(times: &Latencies) -> TimesJson {
    let s = |span: Option<Span>| span.map(|span| span.ns as f64 / 1e9);
    TimesJson {
        count: times.count(),
        p50_s: s(times.percentile(500)),
        p75_s: s(times.percentile(750)),
        p90_s: s(times.percentile(900)),
        p99_s: s(times.percentile(990)),
        p999_s: s(times.percentile(999)),
        max_s: s(times.most()),
    }
}

fn ages_json(ages: &Ages) -> AgesJson {
    let s = |span: Option<Span>| span.map(|span| span.ns as f64 / 1e9);
    let filled = ages.filled();
    let steps = ages.steps().skip(filled.start).take(filled.len());
    AgesJson {
        times: times_json(ages.times()),
        steps: steps.map(|step| StepJson { to_s: s(step.to), count: step.count }).collect(),
    }
}

pub(super) fn pool_json(host: &HostOutcome, simulated: Span) -> Option<PoolJson> {
    let tally = host.pool.as_ref()?;
    let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
    Some(PoolJson {
        requests: tally.requests,
        answered: tally.answered,
        hits: tally.hits,
        misses: tally.misses,
        waited: tally.waited,
        kept: tally.kept,
        idle: tally.idle,
        failed_pooled: tally.failed_pooled,
        errors: tally.errors.clone(),
        hit_rate: share(tally.hits, tally.hits + tally.misses),
        connects_per_s: share(host.clients.started, simulated.ns)
            .map_or(0.0, |per_ns| per_ns * 1e9),
        closes: tally.closes.iter().map(|(reason, ages)| (reason.name(), ages.count())).collect(),
        age_at_close: ages_json(&tally.ages),
        age_at_close_by_reason: tally
            .closes
            .iter()
            .map(|(reason, ages)| (reason.name(), ages_json(ages)))
            .collect(),
    })
}

pub(super) fn servers_json(host: &HostOutcome) -> Option<ServersJson> {
    let servers = host.servers;
    (servers.restarts + servers.in_use + servers.rejected > 0).then_some(ServersJson {
        restarts: servers.restarts,
        in_use: servers.in_use,
        rejected: servers.rejected,
    })
}

pub(super) fn box_json(host: &HostOutcome) -> Option<BoxJson> {
    let Passage { flows, adopted, forgotten, refused, passed, dropped, own, peak, .. } =
        host.passage?;
    Some(BoxJson { flows, peak, adopted, forgotten, refused, passed, dropped, own })
}
