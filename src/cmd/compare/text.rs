//! A comparison in words: the verdict first.

use std::fmt::Write as _;

use finwait_model::counters::Mib;
use finwait_sim::measure::Value;
use finwait_sim::run::Outcome;
use finwait_sim::text::{grouped, seconds, wrapped};
use finwait_viz::ladder;
use finwait_viz::story::Story;

use super::Comparison;
use super::differ::Row;
use super::divergence::Divergence;
use super::setup;

const WIDTH: usize = 98;
/// Columns of a ladder.
const LADDER: usize = 120;

/// All of it.
pub(super) fn render(whole: &Comparison) -> String {
    let mut out = String::new();
    paragraph(&mut out, &verdict(whole));
    out.push('\n');
    for (name, side) in ["A", "B"].iter().zip(&whole.sides) {
        let _ = writeln!(out, "{name}: {}", side.label);
    }
    set_up(&mut out, whole);
    for host in &whole.differences.hosts {
        let _ = writeln!(out, "\n{:<34}{:>20}{:>20}{:>12}", host.name, "A", "B", "B by A");
        host.measures.iter().for_each(|row| line(&mut out, row));
        host.counters.iter().for_each(|row| line(&mut out, row));
    }
    first_difference(&mut out, whole);
    out
}

fn paragraph(out: &mut String, text: &str) {
    for line in wrapped(text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
}

fn line(out: &mut String, row: &Row) {
    let [a, b] = row.values.map(|value| value.map_or_else(String::new, |v| v.to_string()));
    let _ = writeln!(out, "  {:<32}{a:>20}{b:>20}{:>12}", row.name, row.ratio());
}

fn set_up(out: &mut String, whole: &Comparison) {
    let differences = setup::differences(&whole.sides);
    if differences.is_empty() {
        out.push_str("Their set-up is the same.\n");
        return;
    }
    out.push_str("\nSet up differently:\n");
    for difference in differences {
        let [a, b] = difference.values.map(|value| value.unwrap_or_else(|| "-".to_owned()));
        let _ = writeln!(out, "  {}: {a} in A, {b} in B", difference.key);
    }
}

/// The comparison in one sentence.
pub(super) fn verdict(whole: &Comparison) -> String {
    if whole.is_same() {
        let [a, b] = whole.came.each_ref().map(|came| &came.digest);
        let event = match whole.divergence {
            Divergence::Unknown => "as far as they were recorded".to_owned(),
            _ if !a.is_empty() && a == b => format!("event by event (digest {a})"),
            _ => "event by event".to_owned(),
        };
        return format!("The runs are the same, {event}.");
    }
    let mut text = outcome(whole);
    match &whole.divergence {
        Divergence::None => text += "; they never part, event by event",
        Divergence::Unknown => {}
        Divergence::Exact(exact) => {
            let at = seconds(exact.parting.at.ns, 6);
            let _ = write!(text, "; they are the same until t = {at} s");
        }
        Divergence::Kind(kind) => match &kind.found {
            Some(pair) => {
                let _ =
                    write!(text, "; connection {} is the first that goes another way", pair.number);
            }
            None => {
                let _ =
                    write!(text, "; their first {} connections go the same way", kind.looked_at);
            }
        },
    }
    text + "."
}

/// A number over all hosts of a run.
type Total = fn(&Outcome) -> u64;

/// What of the outcome matters most.
fn outcome(whole: &Comparison) -> String {
    let [a, b] = whole.came.each_ref().map(|came| &came.outcome);
    let told: [(&str, Total); 6] = [
        ("RSTs", |o| o.hosts.iter().map(|h| h.counter(Mib::OutRsts)).sum()),
        ("refused buckets", |o| o.hosts.iter().map(|h| h.counter(Mib::TCPTimeWaitOverflow)).sum()),
        ("connects without a port", |o| o.hosts.iter().map(|h| h.clients.no_port).sum()),
        ("broken connections", |o| o.hosts.iter().map(|h| h.clients.broken).sum()),
        ("failed connections", |o| o.hosts.iter().map(|h| h.clients.not_connected).sum()),
        ("buckets at most on one host", |o| {
            o.hosts.iter().map(|h| u64::from(h.peak.tw)).max().unwrap_or(0)
        }),
    ];
    let mut parts = Vec::new();
    for (what, of) in told {
        let (before, after) = (of(a), of(b));
        if before != after && parts.len() < 2 {
            parts.push(format!("{} {what} instead of {}", grouped(after), grouped(before)));
        }
    }
    if parts.is_empty() {
        let counters: usize = whole.differences.hosts.iter().map(|host| host.counters.len()).sum();
        return match counters {
            0 => "B comes to the same numbers as A".to_owned(),
            1 => "B differs from A in one counter".to_owned(),
            n => format!(
                "B differs from A in {n} counters, none of which is a RST, a refused bucket or a failure"
            ),
        };
    }
    format!("B has {}", parts.join(" and "))
}

fn first_difference(out: &mut String, whole: &Comparison) {
    match &whole.divergence {
        Divergence::None => {}
        Divergence::Unknown => {
            out.push_str("\nWhere they part cannot be told: not everything was recorded.\n");
        }
        Divergence::Exact(exact) => {
            let at = seconds(exact.parting.at.ns, 6);
            let _ = writeln!(out, "\nThe first difference, at t = {at} s:");
            for (name, what) in ["A", "B"].iter().zip(&exact.parting.what) {
                let _ = writeln!(out, "  {name}: {what}");
            }
            ladders(out, exact.stories.each_ref().map(Option::as_ref));
        }
        Divergence::Kind(kind) => {
            let text = "With another seed or kernel the runs differ from the first segment on, in \
                        numbers if in nothing else; so connections were compared by their kind: the \
                        first of A with the first of B and so on.";
            out.push('\n');
            paragraph(out, text);
            let Some(pair) = &kind.found else {
                let _ = writeln!(out, "The first {} go the same way.", kind.looked_at);
                return;
            };
            let _ = writeln!(
                out,
                "Connection {} is the first that differs, at {}:",
                pair.number, pair.host
            );
            for (name, what) in ["A", "B"].iter().zip(&pair.what) {
                let _ = writeln!(out, "  {name}: {what}");
            }
            ladders(out, pair.stories.each_ref().map(Some));
        }
    }
}

/// A connection in both.
fn ladders(out: &mut String, stories: [Option<&Story>; 2]) {
    for (name, story) in ["A", "B"].iter().zip(stories) {
        match story {
            Some(story) => {
                let _ = writeln!(out, "\nIn {name}:\n\n{}", ladder::text(story, LADDER).trim_end());
            }
            None => {
                let _ = writeln!(out, "\nIn {name} there is no such connection at that time.");
            }
        }
    }
}

/// A value for JSON: whole numbers as they are, the rest as a number with decimals.
pub(super) fn plain(value: Option<Value>) -> Option<f64> {
    value?.plain().parse().ok()
}
