//! A ladder as text, for terminals, issues and test failures.

use std::fmt::Write as _;

use finwait_model::kernel::Object;
use finwait_model::time::Instant;
use finwait_sim::text::wrapped;

use super::ink::Ink;
use super::rows::{Arrow, Part, Row, rows};
use crate::story::{Side, Story, Way, words};

/// Columns of the time.
const TIME: usize = 13;
/// The narrowest arrow: it holds a segment and how long it took.
const ARROW: usize = 46;
/// The narrowest column of what happens at an end.
const BESIDE: usize = 18;

/// Draws it in lines of `width` columns, or a little more if that is too few.
pub fn text(story: &Story, width: usize) -> String {
    text_in(story, width, Ink::default())
}

/// The same for a terminal that shows colours.
pub fn text_in(story: &Story, width: usize, ink: Ink) -> String {
    let beside = (width.saturating_sub(TIME + ARROW + 6) / 2).clamp(BESIDE, 30);
    let arrow = width.saturating_sub(TIME + 2 * beside + 6).clamp(ARROW, 60);
    let page = Page { story, beside, arrow, ink };
    let mut out = page.head();
    let mut shown = None;
    for row in &rows(story) {
        page.row(row, &mut shown, &mut out);
    }
    page.foot(&mut out);
    out
}

struct Page<'a> {
    story: &'a Story,
    beside: usize,
    arrow: usize,
    ink: Ink,
}

impl Page<'_> {
    fn head(&self) -> String {
        let mut out = String::new();
        let [left, right] = &self.story.ends;
        let mut line = |time: &str, left: &str, right: &str| {
            let gap = " ".repeat(self.arrow + 4);
            let line = format!("{time:>TIME$} {left:>beside$}{gap}{right}", beside = self.beside);
            let _ = writeln!(out, "{}", line.trim_end());
        };
        line("", &left.name(), &right.name());
        line("time", &left.kernel(), &right.kernel());
        out
    }
    fn row(&self, row: &Row, shown: &mut Option<Instant>, out: &mut String) {
        if let Some(quiet) = row.quiet {
            let (time, beside) = (format!("⋮ {}", words::span(quiet)), self.beside);
            let middle = " ".repeat(self.arrow);
            let line = format!("{time:>TIME$} {:beside$} ⋮{middle}⋮", "");
            let _ = writeln!(out, "{}", Ink::on(self.ink.quiet, &line));
        }
        let wrap = |side: Side| -> Vec<String> {
            row.cells[side].iter().flat_map(|cell| wrapped(&cell.text, self.beside)).collect()
        };
        let (left, right) = (wrap(0), wrap(1));
        // What goes, stands until the line that says so.
        let ends = [0, 1].map(|side: Side| {
            let cell = row.cells[side].iter().position(|cell| cell.ends)?;
            let lines = row.cells[side][..cell].iter();
            Some(lines.flat_map(|cell| wrapped(&cell.text, self.beside)).count())
        });
        let mut middle = match row.arrow {
            Some(arrow) => vec![self.arrow(arrow, row.before)],
            None => Vec::new(),
        };
        if let Some(arrow) = row.arrow.filter(|arrow| arrow.part != Part::Arrives) {
            middle.extend(self.reason(arrow.flight, row.after));
        }
        let shouts = row.arrow.is_some_and(|arrow| self.story.flights[arrow.flight].is_reset());
        // What was done before the arrow stands above it.
        for n in 0..left.len().max(right.len()).max(middle.len()) {
            let text = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
            let time = match shown {
                Some(at) if *at == row.at => String::new(),
                _ => row.at.to_string() + " s",
            };
            *shown = Some(row.at);
            let inner = match middle.get(n) {
                Some(line) if shouts => Ink::on(self.ink.reset, line),
                Some(line) => line.clone(),
                None => {
                    let stands = [0, 1].map(|side| match ends[side] {
                        Some(line) if n < line => row.before[side],
                        _ => row.after[side],
                    });
                    let [a, b] = self.lifelines(stands);
                    format!("{a}{}{b}", " ".repeat(self.arrow))
                }
            };
            let beside = self.beside;
            let line = format!("{time:>TIME$} {:>beside$} {inner} {}", text(&left), text(&right));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    /// What stands at each end: a socket, a bucket, a request, or nothing.
    fn lifelines(&self, stands: [Option<usize>; 2]) -> [char; 2] {
        [0, 1].map(|side| {
            let span = stands[side].map(|place| self.story.ends[side].spans[place].holder);
            match span {
                Some(Object::Bucket) => '║',
                Some(Object::Request) => '╎',
                Some(_) => '│',
                None => ' ',
            }
        })
    }
    /// An arrow between its two lifelines.
    fn arrow(&self, arrow: Arrow, stands: [Option<usize>; 2]) -> String {
        let flight = &self.story.flights[arrow.flight];
        let line = if flight.is_reset() { '═' } else { '─' };
        let stroke = |n: usize| line.to_string().repeat(n);
        let label = words::segment(flight);
        let way = words::way(flight);
        let letter = letter(arrow.flight);
        // Written from its tail to its head, and turned round for the other direction.
        let (tail, fill, head) = match (arrow.part, flight.way) {
            (Part::Whole, _) => (vec![stroke(2), label], line, vec![way, format!("{line}▶")]),
            (Part::Leaves, Way::Arrives) => {
                (vec![stroke(2), label, stroke(2), letter], ' ', vec![])
            }
            // It ends where it was lost.
            (Part::Leaves, _) => (vec![stroke(2), label, stroke(3) + "✗", way], ' ', vec![]),
            (Part::Arrives, _) => (vec![], ' ', vec![letter, stroke(1), way, format!("{line}▶")]),
        };
        let used = |parts: &[String]| parts.iter().map(|part| chars(part) + 1).sum::<usize>();
        let left_over = self.arrow.saturating_sub(used(&tail) + used(&head));
        let mut parts = tail;
        parts.push(fill.to_string().repeat(left_over));
        parts.extend(head);
        if flight.from != 0 {
            parts.reverse();
            parts.iter_mut().for_each(|part| *part = turned(part));
        }
        let body = parts.join(" ");
        let leaves = if arrow.part == Part::Arrives { None } else { Some(flight.from) };
        let arrives = if arrow.part == Part::Leaves { None } else { Some(1 - flight.from) };
        let lifelines = self.lifelines(stands);
        let post = |side: Side| {
            let stands = lifelines[side];
            match (leaves == Some(side), arrives == Some(side), stands) {
                (true, ..) if stands == ' ' => {
                    if side == 0 {
                        '╶'
                    } else {
                        '╴'
                    }
                }
                (true, ..) => {
                    if side == 0 {
                        '├'
                    } else {
                        '┤'
                    }
                }
                (_, true, ' ') => '·',
                _ => stands,
            }
        };
        format!("{}{body}{}", post(0), post(1))
    }
    /// Of a RST: the kernel functions that sent it, and its reason.
    fn reason(&self, flight: usize, stands: [Option<usize>; 2]) -> Vec<String> {
        let flight = &self.story.flights[flight];
        let Some(cause) = flight.cause.filter(|cause| cause.is_reset()) else { return Vec::new() };
        let site = cause.site();
        let reason = site.reset.map_or("none", |reason| reason.kernel_name());
        let text = format!("{}, sk_rst_reason {reason}", site.path.join(" → "));
        let [left, right] = self.lifelines(stands);
        let width = self.arrow;
        let lines = wrapped(&text, width.saturating_sub(4));
        lines.iter().map(|line| format!("{left}  {line:<w$}{right}", w = width - 2)).collect()
    }
    /// Why each RST was inevitable.
    fn foot(&self, out: &mut String) {
        let told = self.story.resets().filter_map(|number| {
            let flight = &self.story.flights[number];
            Some((flight, flight.left?, flight.cause?, flight.because?))
        });
        for (flight, at, cause, because) in told {
            let host = &self.story.ends[flight.from].host;
            let text = format!(
                "RST of {host} at {at} s, {}: {} Because {}.",
                cause.name(),
                cause.site().why,
                because.text()
            );
            out.push('\n');
            let width = TIME + 2 * self.beside + self.arrow + 4;
            for (n, line) in wrapped(&text, width).iter().enumerate() {
                let ink = if n == 0 { self.ink.reset } else { Default::default() };
                let _ = writeln!(out, "{}", Ink::on(ink, line));
            }
        }
    }
}

/// A part of an arrow that goes the other way.
fn turned(part: &str) -> String {
    match part.strip_suffix('▶') {
        Some(stem) => format!("◀{stem}"),
        None => match part.strip_suffix('✗') {
            Some(stem) => format!("✗{stem}"),
            None => part.to_owned(),
        },
    }
}

/// How the two parts of an arrow find one another: `(a)`, `(b)`, … `(z)`, `(27)`.
fn letter(flight: usize) -> String {
    match u8::try_from(flight) {
        Ok(n) if n < 26 => format!("({})", char::from(b'a' + n)),
        _ => format!("({})", flight + 1),
    }
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
