//! A run told on one screen: buckets over time, the tables at the edge, each kind of RST with its
//! reason, what would have helped, and the fingerprint.

mod apps;
pub(crate) mod chain;
mod chart;
pub(crate) mod entry;
pub(crate) mod json;
mod load;
mod resets;
mod tables;
pub(crate) mod text;

use std::fmt::Write as _;

use finwait_sim::capacity::Card;
use finwait_sim::findings;
use finwait_sim::measure::Judged;
use finwait_sim::run::Outcome;
use finwait_sim::scenario::{Scenario, Setting};

use crate::ink;
use text::{counted, grouped, wrapped};

/// The same scenario with sysctls that might have helped.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    /// What was changed.
    pub(crate) settings: Vec<Setting>,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// How wide the story is, in characters.
const WIDTH: usize = 98;

/// A run that is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// What was run.
    pub(crate) scenario: &'a Scenario,
    /// What came of it.
    pub(crate) outcome: &'a Outcome,
    /// What was expected of it.
    pub(crate) judged: &'a [Judged],
    /// How long it took, seconds.
    pub(crate) wall_s: f64,
}

/// The story, in plain text or with colours.
pub(crate) fn render(told: &Told<'_>, counter: Option<&Counter>, colours: bool) -> String {
    let Told { scenario, outcome, judged, wall_s } = *told;
    let mut out = String::new();
    title(&mut out, scenario, outcome);
    let hero = findings::hero(&outcome.hosts)
        .unwrap_or_else(|| unreachable!("invariant: a scenario has applications, so hosts"));
    if hero.platform.is_linux() {
        chart::buckets(&mut out, hero);
        tables::sockstat(&mut out, hero);
        tables::waits(&mut out, hero, counter);
    }
    clients(&mut out, outcome);
    load::paragraphs(&mut out, outcome);
    apps::paragraphs(&mut out, outcome);
    for host in &outcome.hosts {
        resets::section(&mut out, host, outcome, ink::if_wanted(colours, ink::BAD));
    }
    if outcome.rst_count() == 0 {
        let style = ink::if_wanted(colours, ink::GOOD);
        let _ = writeln!(out, "{style}No RST was sent.{style:#}\n");
    }
    resets::counter_run(&mut out, scenario, outcome, counter);
    resets::death_row(&mut out, hero);
    bytes(&mut out, outcome);
    capacity(&mut out, scenario);
    expected(&mut out, judged, colours);
    footer(&mut out, outcome, counter, wall_s);
    out
}

/// What was expected of the run, and whether it came so.
fn expected(out: &mut String, all: &[Judged], colours: bool) {
    for judged in all {
        let (word, style) = if judged.holds { ("holds", ink::GOOD) } else { ("fails", ink::BAD) };
        let style = ink::if_wanted(colours, style);
        let _ = writeln!(out, "{style}{word}{style:#}  {}; {}", judged.wanted, judged.found);
    }
    if !all.is_empty() {
        out.push('\n');
    }
}

fn title(out: &mut String, scenario: &Scenario, outcome: &Outcome) {
    let hosts: Vec<String> =
        outcome.hosts.iter().map(|h| format!("{} ({})", h.name, h.platform)).collect();
    let (hosts, time) = (hosts.join(", "), outcome.simulated);
    let _ = writeln!(out, "{}: {hosts}; {time} simulated, seed {}", outcome.scenario, outcome.seed);
    if !scenario.about.is_empty() {
        for line in wrapped(&scenario.about, WIDTH) {
            let _ = writeln!(out, "{line}");
        }
    }
    out.push('\n');
}

/// What the applications themselves noticed, if anything went wrong for them.
fn clients(out: &mut String, outcome: &Outcome) {
    for host in &outcome.hosts {
        let tally = &host.clients;
        for (count, what) in [
            (tally.no_port, "found no free port (connect: EADDRNOTAVAIL)"),
            (tally.not_connected, "were refused, or timed out, before they stood"),
            (tally.broken, "broke while they stood"),
        ] {
            if count > 0 {
                let _ = writeln!(
                    out,
                    "Of {} connections of {}, {} {what}.",
                    grouped(tally.started),
                    host.name,
                    grouped(count)
                );
            }
        }
        if tally.no_port + tally.not_connected + tally.broken > 0 {
            out.push('\n');
        }
    }
}

/// What the hosts can carry, and how near the scenario comes.
fn capacity(out: &mut String, scenario: &Scenario) {
    let lines = Card::of(scenario).short();
    if !lines.is_empty() {
        out.push_str(&lines);
        out.push('\n');
    }
}

/// What became of the bytes that another TCP has carried.
fn bytes(out: &mut String, outcome: &Outcome) {
    for host in &outcome.hosts {
        let Some(content) = host.content else { continue };
        let _ = writeln!(
            out,
            "{} ({}): {} bytes received and {} sent, {}.\n",
            host.name,
            host.platform,
            grouped(content.received),
            grouped(content.sent),
            match content.wrong {
                0 => "each in its place".to_owned(),
                wrong => format!("{} of them WRONG", grouped(wrong)),
            }
        );
    }
}

fn footer(out: &mut String, outcome: &Outcome, counter: Option<&Counter>, wall_s: f64) {
    let other = counter.map_or(0, |c| c.outcome.lifecycles);
    let _ = write!(
        out,
        "{}, {}, {} of virtual time in {wall_s:.2} s",
        counted(outcome.lifecycles, "lifecycle"),
        counted(outcome.segments, "segment"),
        outcome.simulated,
    );
    if counter.is_some() {
        out.push_str(" with the counter-run");
    }
    // A rate of a few dozen connections would only say how fast the program starts.
    if wall_s > 0.1 {
        let rate = (outcome.lifecycles + other) as f64 / wall_s;
        let _ = write!(out, " ({} lifecycles/s)", grouped(rate as u64));
    }
    out.push('\n');
    let _ = writeln!(out, "digest {}", outcome.digest);
}
