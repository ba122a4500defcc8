//! The two lanes of a connection: bars of states, arrows between them, marks outside them.

use finwait_model::kernel::Object;
use finwait_model::time::Instant;

use super::axis::Axis;
use super::labels::Taken;
use crate::bars;
use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::color::Color;
use crate::lettering::Lettering;
use crate::story::{Ending, Flight, Side, StateSpan, Story, Way, What, words};
use crate::theme::Theme;

/// How large the lanes are: the fewer, the larger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Size {
    /// Height of a bar.
    bar: i32,
    /// Paper between the two bars of a connection.
    between: i32,
    /// Rows of marks with words above the upper lane and below the lower one.
    rows: i32,
    /// Size of names and of words.
    letters: u32,
}

impl Size {
    pub(super) const fn for_count(count: usize) -> Self {
        match count {
            0..=1 => Self { bar: 24, between: 190, rows: 4, letters: 12 },
            2..=3 => Self { bar: 18, between: 110, rows: 3, letters: 11 },
            4..=8 => Self { bar: 12, between: 56, rows: 1, letters: 10 },
            _ => Self { bar: 9, between: 24, rows: 0, letters: 9 },
        }
    }
    pub(super) const fn name(self) -> Lettering {
        Lettering::new(self.letters).middle()
    }
    fn words(self) -> Lettering {
        Lettering::new(self.letters.saturating_sub(1).max(9)).middle().centred()
    }
    const fn row(self) -> i32 {
        self.letters as i32 + 4
    }
    /// Height of the marks outside a lane.
    const fn outside(self) -> i32 {
        if self.rows == 0 { 8 } else { self.rows * self.row() + 10 }
    }
}

/// A mark outside a lane.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Mark {
    at: Instant,
    side: Side,
    kind: MarkKind,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum MarkKind {
    Wrong,
    Timer,
    Call,
}

/// A connection in its lanes.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    story: &'a Story,
    size: Size,
    marks: Vec<Mark>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(story: &'a Story, size: Size) -> Self {
        let marks = story.beats.iter().filter_map(|beat| {
            let (kind, text) = match beat.what {
                What::Timer(kind) => (MarkKind::Timer, words::timer(kind).to_owned()),
                What::Refused(place) => {
                    let gap = &story.ends[beat.side].gaps[place];
                    (MarkKind::Wrong, words::gap(gap))
                }
                What::Gone(Ending::Bucket(..)) => {
                    let What::Gone(ending) = beat.what else { return None };
                    (MarkKind::Timer, words::ending(ending))
                }
                What::Call(call) if call.result.is_ok() && call.what.name() != "recv" => {
                    (MarkKind::Call, words::call(&call))
                }
                _ => return None,
            };
            Some(Mark { at: beat.at, side: beat.side, kind, text })
        });
        Self { story, size, marks: marks.collect() }
    }
    pub(super) fn height(&self) -> i32 {
        2 * (self.size.outside() + self.size.bar) + self.size.between
    }
    /// The bar of an end, as an area without a width.
    fn lane(&self, top: i32, side: Side) -> (i32, i32) {
        let upper = top + self.size.outside();
        let down = if side == 0 { 0 } else { self.size.bar + self.size.between };
        (upper + down, upper + down + self.size.bar)
    }
    pub(super) fn draw(&self, canvas: &mut Canvas, axis: &Axis, (x, top): Place, names: i32) {
        let data = vec![("flow", self.story.flow.to_string())];
        canvas.group(self.story.name(), data, |canvas| {
            for side in [0, 1] {
                let (upper, lower) = self.lane(top, side);
                let name = self.story.ends[side].name();
                let name = self.size.name().ending().fit(&name, names);
                let middle = (upper + lower) / 2;
                canvas.text((x + names, middle), name, self.size.name().ending());
                self.bars(canvas, axis, top, side);
            }
            self.arrows(canvas, axis, top);
            self.marks(canvas, axis, top);
        });
    }
    fn bars(&self, canvas: &mut Canvas, axis: &Axis, top: i32, side: Side) {
        let (upper, lower) = self.lane(top, side);
        let Some((_, last)) = axis.ends() else { return };
        let area = |from: Instant, until: Option<Instant>| {
            let (from, until) = (axis.x(from), axis.x(until.unwrap_or(last)));
            Area { x: from, y: upper, width: (until - from).max(2), height: lower - upper }
        };
        let end = &self.story.ends[side];
        let theme = *canvas.theme();
        for span in end.spans.iter().filter(|span| !span.is_brief()) {
            let area = area(span.from, span.until);
            let name = span.name();
            canvas.group(format!("{}: {name}", end.name()), Vec::new(), |canvas| {
                bars::bar(canvas, area, span);
                let words = self.size.words();
                let short = span.state.to_string();
                let text = [name.as_str(), &short].into_iter().find(|text| fits(words, text, area));
                // On hatching a name needs paper, and in a thin bar there is no room for it.
                let least = if span.holder == Object::Sock { 12 } else { 18 };
                if let Some(text) = text.filter(|_| self.size.bar >= least) {
                    self.name_in_bar(canvas, area, text, span, &theme);
                }
            });
        }
        for gap in &end.gaps {
            let area = area(gap.from, gap.until);
            let text = words::gap(gap);
            canvas.group(format!("{}: {text}", end.name()), Vec::new(), |canvas| {
                bars::gap(canvas, area, gap.until.is_none());
                let words = self.size.words().color(theme.rst);
                let long = format!("no {}", gap.state);
                let short = "refused";
                let text = [long.as_str(), short].into_iter().find(|text| fits(words, text, area));
                if let Some(text) = text.filter(|_| self.size.bar >= 18) {
                    canvas.text(area.centre(), text, words.bold());
                }
            });
        }
    }
    fn name_in_bar(
        &self,
        canvas: &mut Canvas,
        area: Area,
        text: &str,
        span: &StateSpan,
        theme: &Theme,
    ) {
        let words = self.size.words();
        match span.holder {
            Object::Sock | Object::Listener => {
                let ink = bars::color(theme, span).ink();
                canvas.text(area.centre(), text, words.color(ink));
            }
            // Letters on hatching need paper below them.
            Object::Bucket | Object::Request => {
                let width = words.width(text) + 8;
                let (x, y) = area.centre();
                let plate =
                    Area { x: x - width / 2, y: area.y + 4, width, height: area.height - 8 };
                canvas.rect(plate, theme.paper);
                canvas.text((x, y), text, words);
            }
        }
    }
    fn arrows(&self, canvas: &mut Canvas, axis: &Axis, top: i32) {
        let mut taken = Taken::default();
        let mut labels = Vec::new();
        for (number, flight) in self.story.flights.iter().enumerate() {
            let line = self.arrow(canvas, axis, top, number, flight);
            labels.push((priority(flight), number, line));
        }
        // Where there is little room, only what closes is named.
        labels.retain(|&(priority, _, (tail, head))| match self.size.between {
            ..50 => false,
            50..100 => priority <= 1 || (head.0 - tail.0).abs() > 60,
            _ => true,
        });
        labels.sort_by_key(|&(priority, number, _)| (priority, number));
        for (_, number, (tail, head)) in labels {
            self.label(canvas, &mut taken, tail, head, &self.story.flights[number]);
        }
    }
    /// Draws it; gives back its tail and its head.
    fn arrow(
        &self,
        canvas: &mut Canvas,
        axis: &Axis,
        top: i32,
        number: usize,
        flight: &Flight,
    ) -> (Place, Place) {
        let theme = *canvas.theme();
        let inner = |side: Side| {
            let (upper, lower) = self.lane(top, side);
            if side == 0 { lower + 1 } else { upper - 1 }
        };
        let first = flight.left.or_else(|| flight.arrivals.first().copied()).unwrap_or_default();
        let tail = (axis.x(first), inner(flight.from));
        let to = inner(1 - flight.from);
        let stroke = match priority(flight) {
            0 => Stroke::tenths(theme.rst, 25),
            1 | 2 => Stroke::tenths(theme.ink, 18),
            3 => Stroke::tenths(theme.ink, 12),
            _ => Stroke::tenths(theme.faint, 10),
        };
        let mut end = (tail.0, (tail.1 * 2 + to) / 3);
        let title = format!("{}, {}", words::segment(flight), words::way(flight));
        canvas.group(title, vec![("flight", number.to_string())], |canvas| {
            for at in &flight.arrivals {
                end = (axis.x(*at), to);
                canvas.arrow(tail, end, stroke);
            }
            if flight.arrivals.is_empty() {
                // Lost, or on its way when the recording ends: it gets nowhere.
                end = (tail.0 + 10, (tail.1 * 2 + to) / 3);
                canvas.line(tail, end, stroke);
                if flight.way != Way::Arrives {
                    bars::cross(canvas, end, theme.rst);
                }
            }
        });
        (tail, end)
    }
    fn label(
        &self,
        canvas: &mut Canvas,
        taken: &mut Taken,
        tail: Place,
        head: Place,
        flight: &Flight,
    ) {
        let theme = *canvas.theme();
        let (color, words) = match priority(flight) {
            0 => (theme.rst, self.size.words().bold()),
            1 | 2 => (theme.ink, self.size.words()),
            3 => (theme.ink, self.size.words()),
            _ => (theme.faint, self.size.words()),
        };
        let mut text = words::flags(&flight.segment);
        if flight.segment.len > 0 {
            text += &format!(" {} B", flight.segment.len);
        }
        if let (true, Some(cause)) = (flight.is_reset(), flight.cause) {
            text = cause.name().replace("rst-", "RST ");
        }
        let size = (words.width(&text) + 6, self.size.row());
        let places = [50, 36, 64, 24, 76, 15, 85].map(|share| {
            let along = |a: i32, b: i32| a + (b - a) * share / 100;
            (along(tail.0, head.0), along(tail.1, head.1))
        });
        if let Some(at) = taken.first(places, size) {
            canvas.text(at, text, words.color(color).halo());
        }
    }
    fn marks(&self, canvas: &mut Canvas, axis: &Axis, top: i32) {
        let mut marks: Vec<&Mark> = self.marks.iter().collect();
        marks.sort_by_key(|mark| (mark.kind, mark.at));
        let mut taken = Taken::default();
        let mut texts = Vec::new();
        for mark in marks {
            let (upper, lower) = self.lane(top, mark.side);
            let (edge, out) = if mark.side == 0 { (upper, -1) } else { (lower, 1) };
            let x = axis.x(mark.at);
            mark.kind.draw(canvas, (x, edge), out);
            let words = mark.kind.words(self.size, canvas.theme());
            // Long words end before they leave the axis.
            let (left, right) = axis.ends().map_or((0, 0), |(a, b)| (axis.x(a), axis.x(b)));
            let text = words.fit(&mark.text, (right - left + 60).max(0));
            let size = (words.width(&text) + 10, self.size.row());
            let rows = (0..self.size.rows).map(|row| edge + out * (14 + row * self.size.row()));
            let inside = self.inside(axis, x, size.0 / 2);
            let Some(at) = taken.first(rows.map(|y| (inside, y)), size) else { continue };
            if (at.1 - edge).abs() > 20 {
                let thin = Stroke::tenths(mark.kind.color(canvas.theme()), 6);
                canvas.line((x, edge + out * 6), (x, at.1 - out * 7), thin);
            }
            texts.push((at, text, words));
        }
        // Words last, on paper of their own: lines to words further out pass below them.
        for (at, text, words) in texts {
            canvas.text(at, text, words.halo());
        }
    }
    /// Where the middle of words stands so that they do not leave the axis by much.
    fn inside(&self, axis: &Axis, x: i32, half: i32) -> i32 {
        let (left, right) = axis.ends().map_or((0, 0), |(a, b)| (axis.x(a), axis.x(b)));
        let least = left + half - 60;
        x.clamp(least, (right - half + 30).max(least))
    }
}

impl MarkKind {
    const fn color(self, theme: &Theme) -> Color {
        match self {
            Self::Wrong => theme.rst,
            Self::Timer => theme.accent,
            Self::Call => theme.faint,
        }
    }
    fn words(self, size: Size, theme: &Theme) -> Lettering {
        match self {
            Self::Wrong => size.words().bold().color(theme.rst),
            Self::Timer => size.words().color(theme.accent),
            Self::Call => size.words().mono().color(theme.ink),
        }
    }
    /// The mark at a lane's edge; `out` is the way out of the lane.
    fn draw(self, canvas: &mut Canvas, (x, edge): Place, out: i32) {
        let color = self.color(canvas.theme());
        match self {
            Self::Wrong => bars::cross(canvas, (x, edge + out), color),
            Self::Timer => {
                let base = edge + out * 8;
                canvas.polygon(&[(x, edge), (x - 4, base), (x + 4, base)], color);
            }
            Self::Call => canvas.line((x, edge), (x, edge + out * 5), Stroke::new(color, 1)),
        }
    }
}

fn fits(words: Lettering, text: &str, area: Area) -> bool {
    words.width(text) + 10 <= area.width
}

/// What matters most: RST, FIN, SYN, data, mere ACKs.
const fn priority(flight: &Flight) -> u8 {
    let flags = flight.segment.flags;
    match (flags.rst(), flags.fin(), flags.syn()) {
        (true, _, _) => 0,
        (_, true, _) => 1,
        (_, _, true) => 2,
        _ if flight.segment.len > 0 => 3,
        _ => 4,
    }
}
