//! What load generators, web servers and scripts counted: in words, and for JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use finwait_model::time::Span;
use finwait_sim::app::{Class, LoadTally, ScriptTally, WebTally};
use finwait_sim::run::{HostOutcome, Outcome};

use super::apps::{TimesJson, say, share, times_json, took};
use super::text::{counted, grouped};

/// A paragraph for each load generator, web server and script.
pub(super) fn paragraphs(out: &mut String, outcome: &Outcome) {
    for host in &outcome.hosts {
        if let Some(tally) = &host.load {
            load(out, host, tally, outcome.simulated);
            out.push('\n');
        }
        if let Some(tally) = &host.web {
            web(out, host, tally);
            out.push('\n');
        }
        if let Some(tally) = &host.script {
            script(out, host, tally);
            out.push('\n');
        }
    }
}

/// So many per second, with two decimals as wrk prints them.
fn per_second(count: u64, time: Span) -> String {
    let hundredths = (u128::from(count) * 100_000_000_000).checked_div(u128::from(time.ns));
    let hundredths = u64::try_from(hundredths.unwrap_or(0)).unwrap_or(u64::MAX);
    format!("{}.{:02}", grouped(hundredths / 100), hundredths % 100)
}

fn load(out: &mut String, host: &HostOutcome, tally: &LoadTally, simulated: Span) {
    let active = tally.active(simulated);
    let _ = writeln!(
        out,
        "{}: {} answered in {active}, {} requests/s",
        host.name,
        counted(tally.answered, "request"),
        per_second(tally.answered, active),
    );
    let at = |thousandths| took(host.latencies.percentile(thousandths));
    let _ = writeln!(
        out,
        "  Latency  50 % {}, 75 % {}, 90 % {}, 99 % {}, 99.9 % {}, longest {}",
        at(500),
        at(750),
        at(900),
        at(990),
        at(999),
        took(host.latencies.most()),
    );
    if tally.all_errors() > 0 {
        let classes = Class::ALL.map(|c| format!("{} {}", c.name(), grouped(tally.of_class(c))));
        let _ = writeln!(out, "  Socket errors: {}", classes.join(", "));
        for ((class, what), count) in &tally.errors {
            let _ = writeln!(out, "{:>9} {:<14} {}", grouped(*count), what, meaning(*class, what));
        }
    }
    let rest: Vec<String> = [
        (tally.failed, "failed with their connection"),
        (tally.given_up, "were under way when it ended"),
        (tally.in_flight(), "are still under way"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{} {what}", grouped(*count)))
    .collect();
    if !rest.is_empty() {
        let sent = counted(tally.sent, "request");
        let _ = writeln!(out, "  Of {sent} that were sent {}.", rest.join(", "));
    }
    if tally.lost > 0 {
        let text = format!(
            "{} of its connections {} given up for good: connect() failed at once, and wrk does not \
             try again.",
            grouped(tally.lost),
            if tally.lost == 1 { "was" } else { "were" }
        );
        say(out, &text);
    }
}

fn meaning(class: Class, what: &str) -> &'static str {
    match (class, what) {
        (Class::Connect, _) => "connect() failed",
        (Class::Read, "EOF") => {
            "the connection ended where an answer should have begun, or gone on"
        }
        (Class::Read, _) => "read() failed",
        (Class::Write, "ECONNREFUSED") => "write() failed: nobody had accepted the connection",
        (Class::Write, _) => "write() failed",
        (Class::Timeout, _) => "the answer came too late, or never",
    }
}

fn web(out: &mut String, host: &HostOutcome, tally: &WebTally) {
    let statuses: Vec<String> = tally
        .statuses
        .iter()
        .map(|(status, count)| format!("{} {}", grouped(*count), status.name()))
        .collect();
    let mut text = format!(
        "{} served {} on {} ({} of them on one that had carried one before): {}.",
        host.name,
        counted(tally.requests, "request"),
        counted(tally.accepted, "connection"),
        share(tally.reused, tally.requests),
        if statuses.is_empty() { "none answered".to_owned() } else { statuses.join(", ") },
    );
    if tally.under_way > 0 {
        let _ = write!(text, " {} are under way.", grouped(tally.under_way));
    }
    let questions = tally.hits + tally.misses;
    if questions > 0 {
        let _ = write!(
            text,
            " It asked its upstream {} times, {} on a kept connection, {} (p50) to {} (p99) for an \
             answer.",
            grouped(questions),
            share(tally.hits, questions),
            took(host.latencies.percentile(500)),
            took(host.latencies.percentile(990)),
        );
    }
    if tally.retries > 0 {
        let _ = write!(text, " {} were asked again elsewhere.", grouped(tally.retries));
    }
    say(out, &text);
    if !tally.errors.is_empty() {
        let errors: Vec<String> =
            tally.errors.iter().map(|(what, n)| format!("{} {what}", grouped(*n))).collect();
        say(out, &format!("Towards the upstream failed: {}.", errors.join(", ")));
    }
    let closed = tally.closes.values().sum::<u64>();
    if closed > 0 {
        say(out, &format!("It closed {}:", counted(closed, "connection")));
        for (reason, count) in &tally.closes {
            let _ = writeln!(out, "{:>9} {:<18} {}", grouped(*count), reason.name(), reason.text());
        }
    }
}

fn script(out: &mut String, host: &HostOutcome, tally: &ScriptTally) {
    let mut text = format!(
        "The scripts of {} made {}; {} of their copies came to the end.",
        host.name,
        counted(tally.calls, "call"),
        grouped(tally.ended)
    );
    if !tally.errors.is_empty() {
        let errors: Vec<String> =
            tally.errors.iter().map(|(what, n)| format!("{} {what}", grouped(*n))).collect();
        let _ = write!(text, " Failed: {}.", errors.join(", "));
    }
    say(out, &text);
    for ((line, outcome), surprise) in &tally.surprises {
        let times = if surprise.count == 1 {
            String::new()
        } else {
            format!(", and in {} copies", grouped(surprise.count))
        };
        let text = format!(
            "  line {line}: {} came to {} at {} s{times}, and the script does not expect that",
            surprise.text,
            outcome.name(),
            surprise.first
        );
        say(out, &text);
    }
}

/// What load generators counted, for JSON.
#[derive(Serialize)]
pub(super) struct LoadJson {
    requests: u64,
    requests_per_s: f64,
    active_s: f64,
    latency: TimesJson,
    sent: u64,
    failed: u64,
    given_up: u64,
    in_flight: u64,
    lost_connections: u64,
    socket_errors: BTreeMap<&'static str, u64>,
    errors: BTreeMap<&'static str, u64>,
}

/// What web servers counted, for JSON.
#[derive(Serialize)]
pub(super) struct HttpJson {
    accepted: u64,
    open: u64,
    requests: u64,
    reused: u64,
    under_way: u64,
    status: BTreeMap<&'static str, u64>,
    closes: BTreeMap<&'static str, u64>,
    upstream: UpstreamJson,
}

/// What they counted of their upstream.
#[derive(Serialize)]
struct UpstreamJson {
    hits: u64,
    misses: u64,
    idle: u64,
    retries: u64,
    errors: BTreeMap<&'static str, u64>,
    age_at_close: TimesJson,
}

/// What scripts counted, for JSON.
#[derive(Serialize)]
pub(super) struct ScriptJson {
    calls: u64,
    ended: u64,
    errors: BTreeMap<&'static str, u64>,
    surprises: Vec<SurpriseJson>,
}

/// What a script did not expect.
#[derive(Serialize)]
struct SurpriseJson {
    line: u32,
    text: String,
    outcome: &'static str,
    count: u64,
    first_s: f64,
}

pub(super) fn load_json(host: &HostOutcome, simulated: Span) -> Option<LoadJson> {
    let tally = host.load.as_ref()?;
    let active_s = tally.active(simulated).ns as f64 / 1e9;
    let mut errors: BTreeMap<&'static str, u64> = BTreeMap::new();
    for ((_, what), count) in &tally.errors {
        *errors.entry(what).or_default() += count;
    }
    Some(LoadJson {
        requests: tally.answered,
        requests_per_s: if active_s > 0.0 { tally.answered as f64 / active_s } else { 0.0 },
        active_s,
        latency: times_json(&host.latencies),
        sent: tally.sent,
        failed: tally.failed,
        given_up: tally.given_up,
        in_flight: tally.in_flight(),
        lost_connections: tally.lost,
        socket_errors: Class::ALL.map(|class| (class.name(), tally.of_class(class))).into(),
        errors,
    })
}

pub(super) fn http_json(host: &HostOutcome) -> Option<HttpJson> {
    let tally = host.web.as_ref()?;
    Some(HttpJson {
        accepted: tally.accepted,
        open: tally.open,
        requests: tally.requests,
        reused: tally.reused,
        under_way: tally.under_way,
        status: tally.statuses.iter().map(|(status, n)| (status.name(), *n)).collect(),
        closes: tally.closes.iter().map(|(reason, n)| (reason.name(), *n)).collect(),
        upstream: UpstreamJson {
            hits: tally.hits,
            misses: tally.misses,
            idle: tally.idle,
            retries: tally.retries,
            errors: tally.errors.clone(),
            age_at_close: times_json(&tally.ages),
        },
    })
}

pub(super) fn script_json(host: &HostOutcome) -> Option<ScriptJson> {
    let tally = host.script.as_ref()?;
    let surprises = tally.surprises.iter().map(|((line, outcome), surprise)| SurpriseJson {
        line: *line,
        text: surprise.text.clone(),
        outcome: outcome.name(),
        count: surprise.count,
        first_s: surprise.first.ns as f64 / 1e9,
    });
    Some(ScriptJson {
        calls: tally.calls,
        ended: tally.ended,
        errors: tally.errors.clone(),
        surprises: surprises.collect(),
    })
}
