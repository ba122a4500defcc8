//! Panels over each other with one axis of time below them, and legends beside them.

use finwait_model::time::{Instant, Span};
use finwait_sim::text::{self, grouped};

use crate::canvas::{Area, Canvas, Stroke};
use crate::chart::{Axis, BELOW, LEFT, Panel};
use crate::color::Color;
use crate::figure::Figure;
use crate::legend::{self, Entry, Mark};
use crate::lettering::Lettering;
use crate::theme::Theme;
use crate::trace::{Part, seconds};

/// Room for the legends at the right.
const LEGEND: i32 = 250;
/// Room for a panel's heading.
const HEADING: i32 = 26;

/// A figure's body with panels of one part of a run.
pub(crate) struct Sheet<'a> {
    pub(crate) canvas: &'a mut Canvas,
    pub(crate) theme: Theme,
    pub(crate) part: Part,
    /// Where the data of each panel lie, from above.
    pub(crate) plots: Vec<Area>,
    /// Where the first panel's heading ends.
    beside: i32,
}

impl<'a> Sheet<'a> {
    /// Panels of those heights in hundredths, as wide as the figure allows.
    pub(crate) fn new(figure: &'a mut Figure, part: Part, shares: &[i32]) -> Self {
        let (body, theme) = (figure.body(), figure.theme());
        let width = (body.width - LEFT - LEGEND).max(1);
        let room = body.height - BELOW - HEADING * shares.len() as i32;
        let mut y = body.y;
        let plots = shares.iter().map(|share| {
            let height = (room * share / 100).max(1);
            let plot = Area { x: body.x + LEFT, y: y + HEADING, width, height };
            y = plot.bottom();
            plot
        });
        let plots = plots.collect();
        Self { canvas: &mut figure.canvas, theme, part, plots, beside: 0 }
    }
    /// Columns that a panel has for data.
    pub(crate) fn columns(&self) -> u64 {
        self.plots.first().map_or(1, |plot| plot.width as u64)
    }
    /// A panel's axes, and its heading; the last panel has the numbers of the time.
    pub(crate) fn panel(&mut self, place: usize, heading: &str, top: f64, unit: &str) -> Panel {
        let plot = self.plots[place];
        let bold = Lettering::new(13).bold();
        let heading = bold.fit(heading, plot.width + LEGEND - 90);
        self.canvas.text((plot.x, plot.y - 9), heading.as_str(), bold);
        if place == 0 {
            self.beside = plot.x + bold.width(&heading) + 16;
        }
        let unit = Lettering::new(12).fit(unit, plot.height + 16);
        let y = Axis::whole(top, plot.height, &unit);
        Panel { plot, x: self.time(), y, numbers_below: place + 1 == self.plots.len() }
    }
    fn time(&self) -> Axis {
        let (from, to) = (seconds(self.part.from), seconds(self.part.to));
        Axis::between(from, to, self.columns() as i32, "time since the run began, s")
    }
    pub(crate) fn legend(&mut self, place: usize, heading: &str, entries: &[Entry]) {
        let plot = self.plots[place];
        let area = Area { x: plot.right() + 22, width: LEGEND - 22, ..plot };
        legend::draw(self.canvas, area, heading, entries);
    }
    /// A limit as a line with its name.
    pub(crate) fn limit(&mut self, panel: &Panel, limit: &Limit, color: Color) {
        let Some(value) = limit.shown else { return };
        let (row, right) = (panel.row(value), panel.plot.right());
        self.canvas.line((panel.plot.x, row), (right, row), limit_stroke(color));
        let lettering = Lettering::new(11).ending().color(color).halo();
        let text = format!("{} = {}", limit.name, number(limit.value));
        self.canvas.text((right - 4, row - 7), text, lettering);
    }
    /// A line through all panels at that time, with words above it.
    pub(crate) fn mark(&mut self, at: Instant, words: &str, color: Color) {
        let (Some(top), true) = (self.plots.first().copied(), self.part.has(at)) else { return };
        let x = self.time().place(seconds(at), (top.x, top.right()));
        let stroke = Stroke::new(color, 1).dashed(2, 3);
        for plot in &self.plots {
            self.canvas.line((x, plot.y), (x, plot.bottom()), stroke);
        }
        let lettering = Lettering::new(11).color(color).halo();
        let left = (x - 2).min(top.right() - lettering.width(words)).max(self.beside);
        self.canvas.text((left, top.y - 9), words, lettering);
    }
}

/// A sysctl that limits a table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Limit {
    /// Its full name.
    pub(crate) name: &'static str,
    pub(crate) value: i64,
    /// As a number for an axis, if the table comes near it.
    pub(crate) shown: Option<f64>,
}

impl Limit {
    pub(crate) fn new(name: &'static str, value: i64, peak: u32) -> Self {
        let near = value > 0 && value <= i64::from(peak).saturating_mul(3);
        Self { name, value, shown: near.then_some(value as f64) }
    }
    /// What a vertical axis must have room for so that the name stands above the line.
    pub(crate) fn room(&self) -> f64 {
        self.shown.unwrap_or(0.0) * 1.06
    }
    /// What a legend says of it: with a line only if the panel has one.
    pub(crate) fn entry(&self, name: &str, color: Color) -> Entry {
        let number = number(self.value);
        match self.shown {
            Some(_) => {
                Entry { mark: Mark::Line(limit_stroke(color)), name: name.to_owned(), number }
            }
            None => Entry { mark: Mark::Nothing, name: format!("({name})"), number },
        }
    }
}

const fn limit_stroke(color: Color) -> Stroke {
    Stroke::tenths(color, 15).dashed(6, 3)
}

/// A sysctl's value.
fn number(value: i64) -> String {
    let sign = if value < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(value.unsigned_abs()))
}

/// A length of time with a space before its unit.
pub(crate) fn spaced(span: Span) -> String {
    let text = span.to_string();
    let unit = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    format!("{} {}", &text[..unit], text[unit..].replace('u', "µ"))
}

/// Seconds with as few decimals as they need.
pub(crate) fn exact(at: Instant) -> String {
    let text = text::seconds(at.ns, 9);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The corners of bins of different heights.
pub(crate) fn steps(bins: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let ends = bins.iter().skip(1).map(|(begin, _)| *begin).chain([end]);
    bins.iter().zip(ends).flat_map(|(&(begin, rate), end)| [(begin, rate), (end, rate)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_drawn_where_a_table_comes_near() {
        let of = |value, peak| Limit::new("net.ipv4.tcp_max_tw_buckets", value, peak).shown;
        assert_eq!(of(131_072, 131_072), Some(131_072.0));
        assert_eq!(of(131_072, 50_000), Some(131_072.0));
        assert_eq!(of(131_072, 40_000), None);
        assert_eq!((of(-1, 5), of(0, 5)), (None, None));
    }

    #[test]
    fn words_for_times() {
        assert_eq!(exact(Instant { ns: 52_400_000_000 }), "52.4");
        assert_eq!(exact(Instant::ZERO), "0");
        assert_eq!(spaced(Span::millis(500)), "500 ms");
        assert_eq!(spaced(Span::nanos(50_000)), "50 µs");
        assert_eq!(number(-5000), "−5,000");
    }
}
