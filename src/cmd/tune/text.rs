//! What a search came to, in words: the answer first, then its margin and cost, then what was tried.

use std::fmt::Write as _;

use finwait_sim::capacity::{Card, Sizes, megabytes};
use finwait_sim::text::{grouped, wrapped};
use finwait_sim::tune::Found;

use super::Tuned;
use super::trial::Tried;

const WIDTH: usize = 98;

/// All of it.
pub(super) fn render(tuned: &Tuned<'_>) -> String {
    let mut out = String::new();
    paragraph(&mut out, &verdict(tuned));
    for (number, (found, _)) in tuned.found.iter().enumerate() {
        if !found.monotone {
            paragraph(
                &mut out,
                &format!(
                    "It is not monotone in {}: between this value and what is there now, or beyond it, \
                     it was seen to change more than once. Nothing that was tried nearer holds.",
                    keys(tuned, found)
                ),
            );
        }
        if number == 0 && !found.changed.is_empty() {
            out.push('\n');
            margin(&mut out, tuned, number);
        }
    }
    if tuned.found.len() > 1 {
        others(&mut out, tuned);
    }
    if let Some(refused) = tuned.refused.first() {
        let text = format!("{} points were no scenario, the first: {refused}", tuned.refused.len());
        paragraph(&mut out, &text);
    }
    table(&mut out, tuned);
    out
}

fn paragraph(out: &mut String, text: &str) {
    for line in wrapped(text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
}

/// The answer in a sentence or two.
pub(super) fn verdict(tuned: &Tuned<'_>) -> String {
    let wish = tuned.wish;
    let seeds = match tuned.seeds.len() {
        1 => String::new(),
        n => format!(" with each of {n} seeds"),
    };
    let Some((found, _)) = tuned.found.first() else {
        let mut text = format!("{wish} cannot be had{seeds} with {}.", ranges(tuned));
        if let Some(best) = tuned.best().filter(|best| !best.found.is_empty()) {
            let with = tuned.settings(&best.point);
            let with = if with.is_empty() {
                "as it is".to_owned()
            } else {
                format!("with {}", with.join(", "))
            };
            let _ = write!(text, " Nearest: {}, {with}.", best.found);
        }
        return text;
    };
    if found.changed.is_empty() {
        let found = tuned.at(&found.point).map_or("", |tried| tried.found.as_str());
        return format!("{wish} holds as it is{seeds}: {found}. Nothing need be changed.");
    }
    let changes = found.changed.iter().map(|&n| {
        let (knob, number) = (&tuned.knobs[n], found.point[n]);
        format!("{} = {} instead of {}", knob.key, knob.value(number), knob.value(knob.dial.now))
    });
    let changes: Vec<String> = changes.collect();
    let mut text = format!("{wish} holds{seeds} with {}.", changes.join(" and "));
    for &which in &found.changed {
        let Some((nearer, tried)) = tuned.a_step_nearer(found, which) else { continue };
        let knob = &tuned.knobs[which];
        let why = tried.map_or_else(String::new, |tried| format!(": {}", tried.found));
        let key = if found.changed.len() > 1 { format!("{} = ", knob.key) } else { String::new() };
        if nearer == knob.dial.now {
            let _ = write!(text, " As it was, it fails{why}.");
        } else {
            let _ = write!(text, " With {key}{} it fails{why}.", knob.value(nearer));
        }
    }
    text
}

fn keys(tuned: &Tuned<'_>, found: &Found) -> String {
    let keys = found.changed.iter().map(|&n| tuned.knobs[n].key.as_str());
    keys.collect::<Vec<_>>().join(", ")
}

fn ranges(tuned: &Tuned<'_>) -> String {
    let ranges = tuned.knobs.iter().map(|knob| {
        format!("{} from {} to {}", knob.key, knob.value(knob.dial.low), knob.value(knob.dial.high))
    });
    ranges.collect::<Vec<_>>().join(" and ")
}

/// How near the answer's peaks come to their limits, and what it costs.
fn margin(out: &mut String, tuned: &Tuned<'_>, number: usize) {
    let (found, scenario) = &tuned.found[number];
    let Some(tried) = tuned.at(&found.point) else { return };
    for (host, peaks) in scenario.hosts.iter().zip(&tried.peaks) {
        let limit = host.sysctl.tcp_max_tw_buckets;
        let sizes = Sizes::of(host.release);
        let buckets = u64::from(peaks.buckets);
        if buckets > 0 {
            let of = match u64::try_from(limit) {
                Ok(limit) => format!(
                    " of {} ({} %), {} to spare",
                    grouped(limit),
                    buckets * 100 / limit.max(1),
                    grouped(limit.saturating_sub(buckets))
                ),
                Err(_) => String::new(),
            };
            let text = format!(
                "Margin: {} holds at most {} buckets{of}; they take {} of kernel memory.",
                host.name,
                grouped(buckets),
                megabytes(buckets * sizes.bucket)
            );
            paragraph(out, &text);
        }
        // A handful is always under way.
        let limit = u64::try_from(host.sysctl.tcp_max_orphans).unwrap_or(u64::MAX);
        let orphans = u64::from(peaks.orphans);
        if orphans > limit / 100 {
            let text = format!(
                "Margin: {} has at most {} of {} orphans; they take {}.",
                host.name,
                grouped(orphans),
                grouped(limit),
                megabytes(orphans * sizes.socket)
            );
            paragraph(out, &text);
        }
    }
    for text in costs(tuned, number) {
        paragraph(out, &format!("Cost: {text}."));
    }
    out.push_str(&Card::of(scenario).short());
}

/// What is used up that was not before: bytes of kernel memory at the most, ports.
pub(super) fn costs(tuned: &Tuned<'_>, number: usize) -> Vec<String> {
    let (_, after) = &tuned.found[number];
    let before = Card::of(tuned.scenario);
    let after_card = Card::of(after);
    let mut costs = Vec::new();
    for ((plan, old), new) in after.hosts.iter().zip(&before.hosts).zip(&after_card.hosts) {
        let name = &plan.name;
        let mut tell = |old: u64, new: u64, what: &str, bytes: u64| {
            let size = megabytes(old.abs_diff(new).saturating_mul(bytes));
            if new > old {
                costs.push(format!(
                    "{name} may hold {} {what} more, {size} of kernel memory when all are there",
                    grouped(new - old)
                ));
            } else if new < old {
                costs.push(format!("{name} may hold {} {what} fewer ({size})", grouped(old - new)));
            }
        };
        if let (Some(old), Some(new)) = (old.buckets.limit, new.buckets.limit) {
            tell(old, new, "buckets", Sizes::of(plan.release).bucket);
        }
        if let (Some(old), Some(new)) = (old.orphans.limit, new.orphans.limit) {
            tell(old, new, "orphans", Sizes::of(plan.release).socket);
        }
        tell(old.ports.count, new.ports.count, "ports", Sizes::of(plan.release).port);
    }
    if costs.is_empty() {
        costs.push("no table grows".to_owned());
    }
    costs
}

/// Other changes of as few keys.
fn others(out: &mut String, tuned: &Tuned<'_>) {
    out.push_str("\nAlso, but farther from what is there now:\n");
    for (found, _) in &tuned.found[1..] {
        let _ = writeln!(out, "  {}", tuned.settings(&found.point).join(", "));
    }
}

/// Everything that was tried, by the values.
fn table(out: &mut String, tuned: &Tuned<'_>) {
    let runs = tuned.tried.len() * tuned.seeds.len();
    let _ = writeln!(out, "\nTried, {} runs:", grouped(runs as u64));
    let mut tried: Vec<&Tried> = tuned.tried.iter().collect();
    tried.sort_by(|a, b| a.point.cmp(&b.point));
    let cells = |tried: &Tried| -> Vec<String> {
        let both = tuned.knobs.iter().zip(&tried.point);
        both.map(|(knob, &number)| knob.value(number)).collect()
    };
    let mut widths: Vec<usize> = tuned.knobs.iter().map(|knob| knob.key.chars().count()).collect();
    for row in &tried {
        for (width, cell) in widths.iter_mut().zip(cells(row)) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: &[String], holds: &str, found: &str| {
        out.push_str("  ");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(out, "{cell:>width$}  ");
        }
        let _ = writeln!(out, "{holds:<6}{found}");
    };
    let heads: Vec<String> = tuned.knobs.iter().map(|knob| knob.key.clone()).collect();
    line(&heads, "holds", "found");
    for row in tried {
        let seeds = tuned.seeds.len();
        let holds = match (row.holds, seeds) {
            (true, _) => "yes".to_owned(),
            (false, 1) => "no".to_owned(),
            (false, seeds) => format!("{}/{seeds}", row.seeds_held),
        };
        line(&cells(row), &holds, &row.found);
    }
}
