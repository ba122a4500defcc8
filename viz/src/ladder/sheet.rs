//! How high each row of a ladder is, and where on it what happens.

use finwait_model::time::Instant;

use super::draw::Panel;
use super::rows::{Arrow, Cell, Part, Row, Tone, rows};
use crate::lettering::Lettering;
use crate::story::{Gap, Side, Story};

/// Pixels from one line of text to the next.
pub(super) const LINE: i32 = 17;
/// Free paper between two rows.
pub(super) const APART: i32 = 7;
/// How far an arrow falls on its way.
pub(super) const FALL: i32 = 10;
/// How wide a lifeline is.
pub(super) const BAR: i32 = 14;
/// Paper between two panels.
pub(super) const GUTTER: i32 = 36;

/// Where what stands, from the panel's left edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    /// Where times end.
    pub(super) time: i32,
    /// The middle of each lifeline.
    pub(super) line: [i32; 2],
    /// How much room there is beside each.
    pub(super) beside: i32,
    /// The panel's right edge.
    pub(super) right: i32,
}

impl Columns {
    pub(super) fn new(width: i32) -> Self {
        let time = 84;
        let beside = ((width - time) * 26 / 100).clamp(110, 230);
        let line = [time + beside + BAR, width - beside - BAR];
        Self { time, line, beside: beside - 4, right: width }
    }
    pub(super) const fn arrow(&self) -> i32 {
        self.line[1] - self.line[0] - BAR
    }
}

/// A panel with the height of each row.
#[derive(Debug)]
pub(super) struct Laid<'a> {
    pub(super) panel: Panel<'a>,
    pub(super) columns: Columns,
    pub(super) rows: Vec<Placed>,
    pub(super) foot: Vec<String>,
    pub(super) height: i32,
}

#[derive(Debug)]
pub(super) struct Placed {
    pub(super) row: Row,
    /// Its lines beside each end, cut to what fits.
    pub(super) lines: [Vec<(String, Tone)>; 2],
    /// On which of its lines what stood at each end goes.
    pub(super) ends: [Option<i32>; 2],
    /// What stands below the arrow.
    pub(super) reason: Vec<String>,
    /// Its upper edge, from the panel's.
    pub(super) top: i32,
}

pub(super) fn plain() -> Lettering {
    Lettering::new(12)
}
pub(super) fn print() -> Lettering {
    Lettering::new(11).mono()
}

/// Height of what stands above the first row: the ends, and a heading if there is one.
pub(super) const fn head(heading: &str) -> i32 {
    if heading.is_empty() { 54 } else { 84 }
}

impl<'a> Laid<'a> {
    pub(super) fn new(panel: &Panel<'a>, columns: Columns) -> Self {
        let mut top = head(panel.heading);
        let mut placed: Vec<Placed> = Vec::new();
        for row in rows(panel.story) {
            if row.quiet.is_some() {
                top += 34;
            }
            let lines = [0, 1].map(|side| beside(&row.cells[side], columns.beside));
            let ends = [0, 1].map(|side| {
                let cell = row.cells[side].iter().position(|cell| cell.ends)?;
                Some(beside(&row.cells[side][..cell], columns.beside).len() as i32)
            });
            let reason = match row.arrow {
                Some(Arrow { flight, part }) if part != Part::Arrives => {
                    reason(panel.story, flight, columns.arrow() - 28)
                }
                _ => Vec::new(),
            };
            let count = |side: Side| {
                // The head of an arrow lies deeper than its tail.
                let falls = arrives_at(panel.story, &row) == Some(side);
                lines[side].len() as i32 * LINE + if falls { FALL } else { 0 }
            };
            let middle = match row.arrow {
                Some(_) => LINE + FALL + reason.len() as i32 * 15,
                None => 0,
            };
            let height = count(0).max(count(1)).max(middle);
            placed.push(Placed { row, lines, ends, reason, top });
            top += height + APART;
        }
        let story = panel.story;
        let foot = story.resets().filter_map(|number| because(story, number));
        let foot: Vec<String> =
            foot.flat_map(|text| broken_lines(&text, plain(), columns.right)).collect();
        let height = top + 12 + foot.len() as i32 * LINE;
        Self { panel: *panel, columns, rows: placed, foot, height }
    }
    /// Where a span begins: at the upper edge of the line that names it.
    pub(super) fn beginning(&self, side: Side, place: usize) -> Option<i32> {
        let named = |placed: &Placed| {
            placed.lines[side].iter().position(|(_, tone)| *tone == Tone::State(place))
        };
        let found = self.rows.iter().find_map(|placed| Some((placed, named(placed)?)));
        found.map(|(placed, line)| placed.top + self.depth(placed, side) - 8 + line as i32 * LINE)
    }
    /// How deep what happens in a row at an end lies below the row's top.
    pub(super) fn depth(&self, placed: &Placed, side: Side) -> i32 {
        let falls = arrives_at(self.panel.story, &placed.row) == Some(side);
        8 + if falls { FALL } else { 0 }
    }
    /// Where a span that begins at that depth ends; `None`: the ladder ends before.
    pub(super) fn ending(&self, side: Side, place: usize) -> Option<i32> {
        let inside = |placed: &&Placed| placed.row.after[side] != Some(place);
        let begins = self.rows.iter().position(|placed| placed.row.after[side] == Some(place))?;
        let last = self.rows[begins..].iter().find(inside)?;
        let next = last.row.after[side].and_then(|next| self.beginning(side, next));
        Some(next.unwrap_or_else(|| self.end_line(last, side)))
    }
    /// Where in a row stands what says that something ends.
    pub(super) fn end_line(&self, placed: &Placed, side: Side) -> i32 {
        let lines = placed.ends[side].unwrap_or(0);
        placed.top + self.depth(placed, side) + lines * LINE
    }
    /// Where a gap begins, and where what found nothing arrived.
    pub(super) fn gap(&self, side: Side, gap: &Gap) -> Option<(i32, Option<i32>)> {
        let refused = |placed: &&Placed| {
            placed.ends[side].is_some()
                && instant_at(self.panel.story, &placed.row, side) == gap.from
        };
        let (n, first) = self.rows.iter().enumerate().find(|(_, placed)| refused(placed))?;
        let found = self.rows[n + 1..].iter().find(|placed| {
            let at = instant_at(self.panel.story, &placed.row, side);
            gap.until.is_some_and(|until| until <= at)
        });
        let until = found.map(|placed| placed.top + self.depth(placed, side));
        Some((self.end_line(first, side), until))
    }
    /// How deep the heads of an arrow lie: in its own row, or in those where it arrives.
    pub(super) fn heads(&self, n: usize, number: usize) -> impl Iterator<Item = i32> {
        let its = move |placed: &&Placed| placed.row.arrow.is_some_and(|a| a.flight == number);
        self.rows[n..].iter().filter(its).filter_map(|placed| match placed.row.arrow?.part {
            Part::Leaves => None,
            Part::Whole | Part::Arrives => Some(placed.top + 8 + FALL),
        })
    }
}

/// At which end something arrives in that row.
pub(super) fn arrives_at(story: &Story, row: &Row) -> Option<Side> {
    let arrow = row.arrow.filter(|arrow| arrow.part != Part::Leaves)?;
    Some(1 - story.flights[arrow.flight].from)
}

/// To which instant an end has come in that row.
pub(super) fn instant_at(story: &Story, row: &Row, side: Side) -> Instant {
    match row.arrow {
        Some(Arrow { flight, part: Part::Whole }) if story.flights[flight].from != side => {
            story.flights[flight].arrivals.first().copied().unwrap_or(row.at)
        }
        _ => row.at,
    }
}

/// Cells as lines that fit beside a lifeline.
fn beside(cells: &[Cell], room: i32) -> Vec<(String, Tone)> {
    let lines = cells.iter().flat_map(|cell| {
        let lettering = match cell.tone {
            Tone::Wrong => plain().bold(),
            Tone::Call => print(),
            _ => plain(),
        };
        let room = if matches!(cell.tone, Tone::State(_)) { room - 12 } else { room };
        broken_lines(&cell.text, lettering, room).into_iter().map(|line| (line, cell.tone))
    });
    lines.collect()
}

/// The kernel functions that sent a RST, and its reason, in lines that fit.
fn reason(story: &Story, number: usize, room: i32) -> Vec<String> {
    let cause = story.flights[number].cause.filter(|cause| cause.is_reset());
    let Some(cause) = cause else { return Vec::new() };
    let site = cause.site();
    let mut lines = broken_lines(&site.path.join(" → "), print(), room);
    if let Some(reason) = site.reset {
        lines.push(format!("sk_rst_reason {}", reason.kernel_name()));
    }
    lines
}

/// What made a RST inevitable, in a sentence.
fn because(story: &Story, number: usize) -> Option<String> {
    let flight = &story.flights[number];
    let (at, cause, because) = (flight.left?, flight.cause?, flight.because?);
    let host = &story.ends[flight.from].host;
    Some(format!("RST of {host} at {at} s ({}), because {}.", cause.name(), because.text()))
}

/// The text in lines of at most `room` pixels, broken at spaces.
pub(crate) fn broken_lines(text: &str, lettering: Lettering, room: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if lettering.width(&format!("{line} {word}")) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| lettering.fit(&line, room)).collect()
}
