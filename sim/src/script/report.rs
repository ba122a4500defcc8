//! What a person reads of a played script: the ladder, and what is known where it failed.

use std::fmt::Write as _;

use super::runner::{Played, Rung, RungKind, seconds};

/// A script is shown back to so many rungs before the one that failed.
const RUNGS: usize = 40;

/// `FILE:LINE: …` as packetdrill says it, and then what packetdrill cannot: how it came to that,
/// why the last segment was sent, which timers run and which sockets there are. Empty if the
/// script passed.
pub fn failure(file: &str, played: &Played) -> String {
    let Some(last) = played.failures.last() else { return String::new() };
    let mut text = String::new();
    for failure in &played.failures {
        let _ = writeln!(text, "{file}:{}: {}", failure.line, failure.message);
    }
    text.push_str("\nup to then:\n");
    let rungs: Vec<_> = played.ladder.iter().filter(|r| r.kind != RungKind::Note).collect();
    let skipped = rungs.len().saturating_sub(RUNGS);
    if skipped > 0 {
        let _ = writeln!(text, "  … {skipped} lines before");
    }
    text.push_str(&ladder(&rungs[skipped..]));
    if let Some((rung, cause)) = played.ladder.iter().rev().find_map(|r| Some((r, r.cause?))) {
        let site = cause.site();
        let _ = writeln!(text, "\nthe last segment sent, {}:", rung.text);
        let _ = writeln!(text, "  {}: {}", cause.name(), site.path.join(" → "));
        let _ = writeln!(text, "  {}", site.why);
    }
    let _ = writeln!(text, "\nat {} s:", seconds(last.at_ns));
    if played.rows.is_empty() {
        text.push_str("  no sockets\n");
    }
    for row in &played.rows {
        let _ = writeln!(text, "  {row}");
    }
    for (conn, name, left) in &played.timers {
        let _ = writeln!(text, "  timer {name} of {conn} in {} s", seconds(*left));
    }
    if played.timers.is_empty() {
        text.push_str("  no timer is running\n");
    }
    text
}

/// One line for each rung: time, direction, what, and why it was sent.
fn ladder(rungs: &[&Rung]) -> String {
    let width = rungs.iter().filter(|r| r.cause.is_some()).map(|r| r.text.chars().count()).max();
    let width = width.unwrap_or(0).min(70);
    let mut text = String::new();
    for rung in rungs {
        let sign = match rung.kind {
            RungKind::In => "<",
            RungKind::Out => ">",
            RungKind::Call => " ",
            RungKind::Note => "   ·",
        };
        let _ = write!(text, "  {:>11} {sign} {}", seconds(rung.at_ns), rung.text);
        if let Some(cause) = rung.cause {
            let pad = width.saturating_sub(rung.text.chars().count());
            let _ = write!(text, "{:pad$}   {}", "", cause.name());
        }
        text.push('\n');
    }
    text
}

/// The whole ladder, with everything the host noted between the segments.
pub fn trace(played: &Played) -> String {
    ladder(&played.ladder.iter().collect::<Vec<_>>())
}
