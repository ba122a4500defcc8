//! A ladder as a figure, and two beside one another.

use super::rows::{Arrow, Part, Tone};
use super::sheet::{BAR, Columns, FALL, GUTTER, LINE, Laid, Placed, head, plain, print};
use crate::bars;
use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::figure::{About, Figure, Look};
use crate::lettering::Lettering;
use crate::story::{Side, Story, Way, words};

/// A ladder with what stands above it, such as `table full`.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// What stands above it; may be empty.
    pub heading: &'a str,
    /// What it shows.
    pub story: &'a Story,
}

/// Draws one ladder, or several beside one another. The figure is as high and as wide as it has to
/// be, and no smaller than `look` says.
pub fn figure(title: &str, panels: &[Panel<'_>], look: Look, about: &About) -> Figure {
    let count = i32::try_from(panels.len().max(1)).unwrap_or(1);
    // In less a segment's words would not fit between its two ends.
    let look = Look { width: look.width.max(NARROWEST * count + 60), ..look };
    // The body's width does not depend on its height.
    let room = Figure::new(look, title, SUBTITLE, about).body().width;
    let width = (room - GUTTER * (count - 1)) / count;
    let columns = Columns::new(width);
    let laid: Vec<Laid<'_>> = panels.iter().map(|panel| Laid::new(panel, columns)).collect();
    let needed = laid.iter().map(|panel| panel.height).max().unwrap_or(0) + LEGEND;
    let empty = Figure::new(look, title, SUBTITLE, about);
    let height = look.height.max(look.height - empty.body().height + needed);
    let mut figure = Figure::new(Look { height, ..look }, title, SUBTITLE, about);
    let body = figure.body();
    for (n, panel) in laid.iter().enumerate() {
        let left = body.x + (width + GUTTER) * n as i32;
        if n > 0 {
            let x = left - GUTTER / 2;
            let rule = Stroke::new(figure.theme().grid, 1);
            figure.canvas.line((x, body.y), (x, body.bottom() - LEGEND), rule);
        }
        panel.draw(&mut figure.canvas, (left, body.y));
    }
    bars::legend(&mut figure.canvas, (body.x, body.bottom() - 8));
    figure
}

/// What every ladder says of itself.
const SUBTITLE: &str =
    "Time runs downwards and is not to scale; quiet times are cut out (//). Numbers are relative.";
/// The narrowest panel.
const NARROWEST: i32 = 640;
/// Height of the legend.
const LEGEND: i32 = 28;

/// An arrow that has been drawn, but for its words.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    number: usize,
    tail: Place,
    /// To the right (1) or to the left (-1).
    sign: i32,
    /// How deep its head lies, if it has one.
    head: Option<i32>,
}

impl Laid<'_> {
    fn draw(&self, canvas: &mut Canvas, at: Place) {
        let (x, y) = at;
        self.head(canvas, at);
        for side in [0, 1] {
            self.lifeline(canvas, at, side);
        }
        let mut shown = None;
        for placed in &self.rows {
            let top = y + placed.top;
            if let Some(quiet) = placed.row.quiet {
                let middle = top - 22;
                let text = words::span(quiet);
                let faint = Lettering::new(11).centred().middle().color(canvas.theme().faint);
                let centre = x + (self.columns.line[0] + self.columns.line[1]) / 2;
                for line in self.columns.line {
                    bars::broken(canvas, (x + line, middle), true, BAR / 2 + 5);
                }
                let half = faint.width(&text) / 2 + 12;
                let rule = Stroke::new(canvas.theme().grid, 1).dashed(2, 4);
                let ends = self.columns.line.map(|line| x + line);
                canvas.line((ends[0] + 18, middle + 1), (centre - half, middle + 1), rule);
                canvas.line((centre + half, middle + 1), (ends[1] - 18, middle + 1), rule);
                canvas.text((centre, middle + 1), text, faint);
            }
            if shown != Some(placed.row.at) {
                let faint = print().ending().middle().color(canvas.theme().faint);
                canvas.text((x + self.columns.time, top + 8), placed.row.at.to_string(), faint);
                shown = Some(placed.row.at);
            }
            self.cells(canvas, at, placed);
        }
        // Arrows behind the rest, and their words on top: nothing may hide where they go.
        let arrows = self.rows.iter().enumerate().filter_map(|(n, placed)| {
            let arrow = placed.row.arrow?;
            let first = |row: &Placed| row.row.arrow.is_some_and(|a| a.flight == arrow.flight);
            // A part of a story may begin with an arrival.
            let is_first = self.rows.iter().position(first) == Some(n);
            is_first.then(|| self.arrow(canvas, at, n, arrow))
        });
        let arrows: Vec<Drawn> = arrows.collect();
        for arrow in &arrows {
            self.label(canvas, arrow, &arrows);
        }
        let below = y + self.height - self.foot.len() as i32 * LINE;
        let red = plain().below().color(canvas.theme().ink);
        for (n, line) in self.foot.iter().enumerate() {
            canvas.text((x, below + n as i32 * LINE), line, red);
        }
    }
    fn head(&self, canvas: &mut Canvas, (x, y): Place) {
        let theme = *canvas.theme();
        let columns = &self.columns;
        let bold = Lettering::new(14).bold().below();
        canvas.text((x, y + 4), bold.fit(self.panel.heading, columns.right), bold);
        let faint = Lettering::new(11).below().color(theme.faint);
        let base = y + head(self.panel.heading) - 84;
        canvas.text((x + columns.time, base + 55), "time, s", faint.ending());
        for side in [0, 1] {
            let end = &self.panel.story.ends[side];
            let at = x + columns.line[side];
            let name = Lettering::new(13).bold().below().centred();
            canvas.text((at, base + 36), end.name(), name);
            canvas.text((at, base + 55), end.kernel(), faint.centred());
        }
    }
    /// The bars of one end's states.
    fn lifeline(&self, canvas: &mut Canvas, (x, y): Place, side: Side) {
        let middle = x + self.columns.line[side];
        let end = &self.panel.story.ends[side];
        let bottom = y + self.rows.last().map_or(0, |last| last.top + self.depth(last, side) + 12);
        let thread = Stroke::new(canvas.theme().grid, 1);
        canvas.line((middle, y + head(self.panel.heading) - 6), (middle, bottom), thread);
        let bar = |from: i32, to: i32| Area {
            x: middle - BAR / 2,
            y: from,
            width: BAR,
            height: to - from,
        };
        for (place, span) in end.spans.iter().enumerate() {
            // In a part of a story it may stand already.
            let stood = self.rows.first().is_some_and(|row| row.row.before[side] == Some(place));
            let top = stood.then(|| head(self.panel.heading) - 6);
            let Some(from) = top.or_else(|| self.beginning(side, place)) else { continue };
            let to = self.ending(side, place).map_or(bottom, |to| y + to);
            bars::bar(canvas, bar(y + from, to.max(y + from + 4)), span);
        }
        for gap in &end.gaps {
            let Some((from, until)) = self.gap(side, gap) else { continue };
            bars::gap(canvas, bar(y + from, until.map_or(bottom, |to| y + to)), false);
        }
    }
    fn cells(&self, canvas: &mut Canvas, (x, y): Place, placed: &Placed) {
        let theme = *canvas.theme();
        for side in [0, 1] {
            let edge = x + self.columns.line[side] + (BAR / 2 + 7) * if side == 0 { -1 } else { 1 };
            let mut line = y + placed.top + self.depth(placed, side);
            for (text, tone) in &placed.lines[side] {
                let set = |lettering: Lettering| {
                    let lettering = lettering.middle();
                    if side == 0 { lettering.ending() } else { lettering }
                };
                match tone {
                    Tone::State(place) => {
                        let span = &self.panel.story.ends[side].spans[*place];
                        state_box(canvas, (edge, line), side, text, bars::color(&theme, span));
                    }
                    Tone::Call => canvas.text((edge, line), text, set(print())),
                    Tone::Kernel => {
                        canvas.text((edge, line), text, set(plain().color(theme.faint)));
                    }
                    Tone::Wrong => {
                        canvas.text((edge, line), text, set(plain().bold().color(theme.rst)));
                    }
                }
                line += LINE;
            }
        }
    }
    /// An arrow from where its segment leaves to where it arrives, in this row or in later ones.
    fn arrow(&self, canvas: &mut Canvas, (x, y): Place, n: usize, arrow: Arrow) -> Drawn {
        let theme = *canvas.theme();
        let number = arrow.flight;
        let flight = &self.panel.story.flights[number];
        let (from, to) = (flight.from, 1 - flight.from);
        let sign = if from == 0 { 1 } else { -1 };
        let edge = |side: Side| {
            x + self.columns.line[side] + if side == 0 { BAR / 2 + 2 } else { -(BAR / 2 + 2) }
        };
        let row = y + self.rows[n].top + 8;
        let tail = match arrow.part {
            Part::Arrives => (edge(to) - sign * self.columns.arrow() / 3, row),
            Part::Whole | Part::Leaves => (edge(from), row),
        };
        let stroke = match flight.is_reset() {
            true => Stroke::new(theme.rst, 3),
            false => Stroke::tenths(theme.ink, 13),
        };
        let title = format!("{}, {}", words::segment(flight), words::way(flight));
        let mut heads: Vec<i32> = self.heads(n, number).map(|head| y + head).collect();
        heads.dedup();
        canvas.group(title, vec![("flight", number.to_string())], |canvas| {
            for head in &heads {
                canvas.arrow(tail, (edge(to), *head), stroke);
            }
            if heads.is_empty() {
                // It is lost, or on its way when the recording ends.
                let short = (tail.0 + sign * self.columns.arrow() * 3 / 4, tail.1 + FALL);
                if flight.way == Way::Arrives {
                    canvas.arrow(tail, short, stroke.dashed(5, 4));
                } else {
                    canvas.line(tail, short, stroke);
                    bars::cross(canvas, short, theme.rst);
                }
            }
        });
        let mono = Lettering::new(11).mono().middle().centred().color(theme.rst).halo();
        for (k, line) in self.rows[n].reason.iter().enumerate() {
            let centre = x + (self.columns.line[0] + self.columns.line[1]) / 2;
            canvas.text((centre, tail.1 + FALL + 13 + k as i32 * 15), line, mono);
        }
        Drawn { number, tail, sign, head: heads.first().copied() }
    }
    /// The segment above its arrow; how long it took beside it.
    fn label(&self, canvas: &mut Canvas, arrow: &Drawn, others: &[Drawn]) {
        let Drawn { number, tail, sign, head } = *arrow;
        let label = words::segment(&self.panel.story.flights[number]);
        let theme = *canvas.theme();
        let flight = &self.panel.story.flights[number];
        let color = if flight.is_reset() { theme.rst } else { theme.ink };
        let bold = plain().bold().color(color);
        let (flags, rest) = label.split_once("  ").unwrap_or((&label, ""));
        let way = words::way(flight);
        let small = Lettering::new(11).color(theme.faint);
        let (wide, wider) = (bold.width(flags), print().width(rest));
        let all = wide + 8 + wider;
        let room = self.columns.arrow();
        // Centred above an arrow that goes straight across; near the tail of a steep one.
        let straight = head.is_none_or(|head| head - tail.1 <= FALL);
        let with_way = all + 10 + small.width(&way) + 40 < room;
        let total = all + if with_way { 10 + small.width(&way) } else { 0 };
        let offset = if straight { ((room - total) / 2).max(10) } else { 14 };
        // From left to right: flags, numbers, how long it took.
        let left = if sign > 0 { tail.0 + offset } else { tail.0 - offset - total };
        // It lies above the line wherever it stands: the line falls from its tail on.
        let reach = if sign > 0 { left - tail.0 } else { tail.0 - left - total };
        let slope = head.map_or(FALL, |head| head - tail.1);
        let on_line = tail.1 + slope * reach / room.max(1);
        let y = if straight { on_line - 9 } else { tail.1 - 8 };
        // A steep arrow that passes below is cut, so that it is not read as a letter.
        let passes = |other: &&Drawn| {
            let head = other.head.unwrap_or(other.tail.1);
            other.number != number && head - other.tail.1 > FALL && other.tail.1 < y && y < head
        };
        if others.iter().any(|other| passes(&other)) {
            let plate = Area { x: left - 3, y: y - 7, width: total + 6, height: 13 };
            let paper = theme.paper;
            canvas.rect(plate, paper);
        }
        canvas.text((left, y), flags, bold.middle().halo());
        canvas.text((left + wide + 8, y), rest, print().middle().halo().color(color));
        if with_way {
            canvas.text((left + all + 10, y), way, small.middle().halo());
        }
    }
}

/// A state in a box of its colour.
fn state_box(
    canvas: &mut Canvas,
    (x, y): Place,
    side: Side,
    text: &str,
    color: crate::color::Color,
) {
    let name = plain().middle().color(color.ink());
    let width = name.width(text) + 12;
    let left = if side == 0 { x - width } else { x };
    canvas.rounded(Area { x: left, y: y - 8, width, height: 16 }, 4, color);
    canvas.text((left + 6, y), text, name);
}
