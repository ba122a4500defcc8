//! RSTs: by cause and earlier event, with an example in full; what the counter-run says of them.

use std::fmt::Write as _;

use finwait_model::counters::Mib;
use finwait_model::release::Release;
use finwait_sim::because::Group;
use finwait_sim::findings;
use finwait_sim::run::{HostOutcome, Outcome};
use finwait_sim::scenario::Scenario;

use super::text::{counted, grouped, millis, wrapped};
use super::{Counter, WIDTH};

/// Groups beyond this many are summed up in a line.
const GROUPS: usize = 4;
const INDENT: &str = "          ";

/// The RSTs that one host sent.
pub(super) fn section(out: &mut String, host: &HostOutcome, outcome: &Outcome) {
    if host.rst.is_empty() {
        return;
    }
    let _ = writeln!(out, "RSTs that {} sent: {}", host.name, grouped(host.rst_count()));
    for group in host.rst.iter().take(GROUPS) {
        one(out, group, outcome);
    }
    if host.rst.len() > GROUPS {
        let rest: u64 = host.rst[GROUPS..].iter().map(|g| g.count).sum();
        let kinds = host.rst.len() - GROUPS;
        let _ = writeln!(out, "{:>9} of {kinds} other kinds; --json has them all", grouped(rest));
    }
    out.push('\n');
}

fn one(out: &mut String, group: &Group, outcome: &Outcome) {
    let site = group.cause.site();
    let reason = site.reset.map_or("none", |r| r.kernel_name());
    let count = grouped(group.count);
    let _ = writeln!(out, "{count:>9} {}, sk_rst_reason {reason}", site.name);
    let _ = writeln!(out, "{INDENT}{}", site.path.join(" → "));
    let why = format!("Because {}.", group.because.text());
    for line in wrapped(&why, WIDTH - INDENT.len()) {
        let _ = writeln!(out, "{INDENT}{line}");
    }
    if let Some(example) = group.examples.first() {
        let told = example.story(|addr| outcome.name_of(addr));
        let story = format!("First: {told}{}", waits(group));
        for line in wrapped(&story, WIDTH - INDENT.len()) {
            let _ = writeln!(out, "{INDENT}{line}");
        }
    }
}

/// How long the earlier event and the RST lie apart in the whole group.
fn waits(group: &Group) -> String {
    if group.count < 2 || group.longest.ns == 0 {
        return String::new();
    }
    let (least, most) = (millis(group.shortest.ns), millis(group.longest.ns));
    if least == most {
        return format!(" All: {least} ms later.");
    }
    format!(" All: {least} to {most} ms later.")
}

/// What the counter-run says, if this run needed one.
pub(super) fn counter_run(
    out: &mut String,
    scenario: &Scenario,
    outcome: &Outcome,
    counter: Option<&Counter>,
) {
    let Some(counter) = counter else { return };
    if outcome.rst_count() == 0 {
        return;
    }
    let settings: Vec<String> = counter
        .settings
        .iter()
        .map(|s| format!("{}.{s}", scenario.host_plan(s.host).name))
        .collect();
    let mut text = format!("Counter-run with {}: ", settings.join(", "));
    match counter.outcome.rst_count() {
        0 => text.push_str("no RST at all"),
        n => {
            let _ = write!(text, "{} all the same", counted(n, "RST"));
        }
    }
    for setting in &counter.settings {
        let name = &scenario.host_plan(setting.host).name;
        let Some(host) = counter.outcome.host(name) else { continue };
        if let Some(group) = host.rst.first() {
            let _ = write!(text, " ({}: {})", group.cause.name(), group.because.text());
        }
        let buckets = counted(u64::from(host.peak.tw), "bucket");
        let _ = write!(text, "; {name} holds at most {buckets}");
        if host.counter(Mib::TCPTimeWaitOverflow) == 0 && host.peak.fin_wait2 > 0 {
            let most = host.peak.fin_wait2;
            let _ = write!(text, ", and FIN-WAIT-2 is back (at most {most} at a time)");
        }
    }
    text.push('.');
    for line in wrapped(&text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

/// Why a table that "should carry" limit / 60 s does not, on 3.10.
pub(super) fn death_row(out: &mut String, host: &HostOutcome) {
    if host.release != Release::V3_10 || host.counter(Mib::TCPTimeWaitOverflow) == 0 {
        return;
    }
    let (Some(refusal), Ok(limit)) =
        (findings::first_refusal(host), u64::try_from(host.sysctl.tcp_max_tw_buckets))
    else {
        return;
    };
    let Some(carried) = findings::carried_per_second(host, refusal) else { return };
    let text = format!(
        "Why {} buckets do not carry {} closes per second, as 60 s in TIME-WAIT would suggest: \
         Linux 3.10 empties its eight cells by a clock of 7.5 s, at most 100 buckets a tick, so that \
         a cell with more costs two ticks; under load a bucket lives about 105 s, the count saw-tooths \
         below the limit, and {} closes per second found room here.",
        grouped(limit),
        grouped(limit / 60),
        grouped(carried),
    );
    for line in wrapped(&text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}
