//! RSTs: by cause and earlier event, with an example in full; what the counter-run says of them.

use std::fmt::Write as _;

use anstyle::Style;

use finwait_sim::because::Group;
use finwait_sim::findings;
use finwait_sim::run::{HostOutcome, Outcome};
use finwait_sim::scenario::Scenario;

use super::text::{grouped, millis, wrapped};
use super::{Counter, WIDTH};

/// Groups beyond this many are summed up in a line.
const GROUPS: usize = 4;
const INDENT: &str = "          ";

/// The RSTs that one host sent.
pub(super) fn section(out: &mut String, host: &HostOutcome, outcome: &Outcome, style: Style) {
    if host.rst.is_empty() {
        return;
    }
    let count = grouped(host.rst_count());
    let _ = writeln!(out, "{style}RSTs that {} sent: {count}{style:#}", host.name);
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
    let settings: Vec<(String, String)> = counter
        .settings
        .iter()
        .map(|s| (scenario.host_plan(s.host).name.clone(), s.to_string()))
        .collect();
    let text = findings::counter_run(&settings, &counter.outcome.hosts);
    for line in wrapped(&text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

/// Why a table that "should carry" limit / 60 s does not, on 3.10.
pub(super) fn death_row(out: &mut String, host: &HostOutcome) {
    let Some(text) = findings::death_row(host) else { return };
    for line in wrapped(&text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}
