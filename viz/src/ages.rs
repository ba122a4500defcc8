//! How old pooled connections were when they were closed, and why; below it, over time, how many
//! were begun and closed, and how many questions needed no new one.

use std::collections::BTreeMap;

use finwait_model::errno::Errno;
use finwait_model::time::Instant;
use finwait_sim::ages::Ages;
use finwait_sim::app::{Call, Reason, SysCall};
use finwait_sim::text::grouped;
use plotters::series::LineSeries;

use crate::canvas::{Area, Stroke};
use crate::chart::{BELOW, LEFT, Panel, line};
use crate::figure::{About, Figure, Look};
use crate::legend::{self, Entry, Mark};
use crate::lettering::Lettering;
use crate::sheet::{Sheet, steps};
use crate::story::words;
use crate::ticks;
use crate::trace::{Part, seconds};

/// Bins of the rates over time.
const BINS: u64 = 120;
/// How much of the figure the histogram has, in hundredths.
const HISTOGRAM: i32 = 52;
/// Room for a legend beside it, as beside the panels below.
const LEGEND: i32 = 250;
/// Room for its heading.
const HEADING: i32 = 26;

/// What the pools of a run did with their connections, as their system calls tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closes {
    part: Part,
    closes: BTreeMap<Reason, Ages>,
    /// In each bin: connections begun, connections closed, questions asked.
    bins: Vec<[u64; 3]>,
}

impl Closes {
    /// Nothing yet of that part of a run.
    pub fn new(part: Part) -> Self {
        Self { part, closes: BTreeMap::new(), bins: vec![[0; 3]; BINS as usize] }
    }
    /// A pool has made a system call; `request` is how long its questions are.
    pub fn called(&mut self, at: Instant, call: &Call, request: u32) {
        if !self.part.has(at) {
            return;
        }
        match (call.what, call.result) {
            (SysCall::Connect(_), Ok(_) | Err(Errno::EINPROGRESS)) => self.bin(at)[0] += 1,
            (SysCall::Close { why, .. }, _) => {
                self.closes.entry(why.reason).or_default().record(why.age);
                self.bin(at)[1] += 1;
            }
            // What is left of a question that did not fit is shorter.
            (SysCall::Send(bytes), Ok(_)) if bytes == request => self.bin(at)[2] += 1,
            _ => {}
        }
    }
    fn bin(&mut self, at: Instant) -> &mut [u64; 3] {
        let since = u128::from(at.ns - self.part.from.ns);
        let length = u128::from(self.part.to.ns - self.part.from.ns) + 1;
        let place = (since * u128::from(BINS) / length) as usize;
        &mut self.bins[place.min(BINS as usize - 1)]
    }
    /// Where each bin begins, and what is counted there by `of`.
    fn over_time(&self, of: impl Fn(&[u64; 3], f64) -> f64) -> Vec<(f64, f64)> {
        let (from, to) = (seconds(self.part.from), seconds(self.part.to));
        let width = (to - from) / BINS as f64;
        let bins = self.bins.iter().enumerate();
        bins.map(|(n, bin)| (from + width * n as f64, of(bin, width))).collect()
    }
    fn sum(&self, of: usize) -> u64 {
        self.bins.iter().map(|bin| bin[of]).sum()
    }
}

/// Draws them.
pub fn figure(title: &str, closes: &Closes, look: Look, about: &About) -> Figure {
    let mut figure = Figure::new(look, title, "", about);
    let height = figure.body().height * HISTOGRAM / 100;
    let top = figure.take_top(height);
    histogram(&mut figure, top, closes);
    let mut sheet = Sheet::new(&mut figure, closes.part, &[50, 50]);
    rates(&mut sheet, closes);
    hits(&mut sheet, closes);
    figure
}

/// Bars over the steps of age, a colour for each reason.
fn histogram(figure: &mut Figure, area: Area, closes: &Closes) {
    let theme = figure.theme();
    let canvas = &mut figure.canvas;
    let plot = area.inset(LEFT, HEADING, LEGEND, BELOW);
    let bold = Lettering::new(13).bold();
    canvas.text((plot.x, plot.y - 9), "Connections closed, by age", bold);
    let mut all = Ages::default();
    closes.closes.values().for_each(|ages| all.add(ages));
    let filled = all.filled();
    let most = all.steps().map(|step| step.count).max().unwrap_or(0);
    let (high, step) = ticks::whole(most as f64, (plot.height / 38).max(1));
    let row = |count: u64| plot.bottom() - (f64::from(plot.height) * count as f64 / high) as i32;
    let small = Lettering::new(11);
    for value in ticks::between(0.0, high, step) {
        let y = row(value as u64);
        canvas.line((plot.x, y), (plot.right(), y), Stroke::new(theme.grid, 1));
        let label = small.ending().middle();
        canvas.text((plot.x - 8, y), ticks::label(value, step), label);
    }
    let columns = filled.len().max(1) as i32;
    let edge = |column: i32| plot.x + plot.width * column / columns;
    let mut floors = vec![0; filled.len()];
    for (n, ages) in closes.closes.values().enumerate() {
        let steps = ages.steps().skip(filled.start).take(filled.len());
        for ((column, step), floor) in steps.enumerate().zip(&mut floors) {
            if step.count > 0 {
                let (low, top) = (row(*floor), row(*floor + step.count));
                let (x, right) = (edge(column as i32) + 2, edge(column as i32 + 1) - 2);
                let height = (low - top).max(1);
                let bar = Area { x, y: low - height, width: (right - x).max(1), height };
                canvas.rect(bar, theme.series(n));
                *floor += step.count;
            }
        }
    }
    // Beneath the right edge of a bar stands up to which age it goes, where there is room.
    let label = small.centred().below();
    let mut free = plot.x - LEFT;
    for (column, step) in all.steps().skip(filled.start).take(filled.len()).enumerate() {
        let (x, name) = (edge(column as i32 + 1), step.name());
        let half = label.width(&name) / 2 + 4;
        if x - half >= free {
            canvas.text((x, plot.bottom() + 6), name, label);
            free = x + half;
        }
    }
    canvas.line(
        (plot.x, plot.bottom()),
        (plot.right(), plot.bottom()),
        Stroke::new(theme.faint, 1),
    );
    let name = Lettering::new(12).centred().below().color(theme.faint);
    canvas.text((plot.centre().0, plot.bottom() + 24), "age up to", name);
    let beside = Area { x: plot.right() + 22, width: LEGEND - 22, ..plot };
    let entries = closes.closes.iter().enumerate().map(|(n, (reason, ages))| Entry {
        mark: Mark::Area(theme.series(n)),
        name: reason.name().to_owned(),
        number: format!(
            "{} · {}",
            grouped(ages.count()),
            ages.percentile(500).map_or_else(String::new, words::span)
        ),
    });
    legend::draw(canvas, beside, "closed · median age", &entries.collect::<Vec<_>>());
}

/// Connections begun and closed.
fn rates(sheet: &mut Sheet<'_>, closes: &Closes) {
    let rate = |which: usize| closes.over_time(move |bin, width| bin[which] as f64 / width);
    let (begun, closed) = (rate(0), rate(1));
    let top = begun.iter().chain(&closed).map(|(_, rate)| *rate).fold(0.0, f64::max);
    let panel = sheet.panel(0, "Connections begun and closed", top, "per second");
    let strokes = [Stroke::new(sheet.theme.series(0), 2), Stroke::new(sheet.theme.series(1), 1)];
    curve(sheet, &panel, begun, strokes[0], true);
    curve(sheet, &panel, closed, strokes[1], false);
    let entry = |stroke, name: &str, which| Entry {
        mark: Mark::Line(stroke),
        name: name.to_owned(),
        number: grouped(closes.sum(which)),
    };
    let entries = [entry(strokes[0], "connect()", 0), entry(strokes[1], "close()", 1)];
    sheet.legend(0, "in all", &entries);
}

/// Questions for which nobody had to connect.
fn hits(sheet: &mut Sheet<'_>, closes: &Closes) {
    let share = |connects: u64, questions: u64| {
        100.0 * questions.saturating_sub(connects) as f64 / questions.max(1) as f64
    };
    let shares = closes.over_time(|bin, _| share(bin[0], bin[2]));
    let heading = "Questions on a connection that was there already";
    let panel = sheet.panel(1, heading, 100.0, "%");
    let stroke = Stroke::new(sheet.theme.series(2), 2);
    curve(sheet, &panel, shares, stroke, true);
    let (connects, questions) = (closes.sum(0), closes.sum(2));
    let percent = format!("{:.1} %", share(connects, questions));
    let entries = [
        Entry { mark: Mark::Line(stroke), name: "of all".to_owned(), number: percent },
        Entry { mark: Mark::Nothing, name: "questions".to_owned(), number: grouped(questions) },
    ];
    sheet.legend(1, "in all", &entries);
}

/// A curve in steps; the first of a panel is drawn with its axes.
fn curve(
    sheet: &mut Sheet<'_>,
    panel: &Panel,
    bins: Vec<(f64, f64)>,
    stroke: Stroke,
    is_first: bool,
) {
    let points = steps(&bins, seconds(sheet.part.to));
    if is_first {
        panel.draw(sheet.canvas, |chart| {
            let _ = chart.draw_series(LineSeries::new(points, line(stroke)));
        });
    } else {
        let places: Vec<_> = points.into_iter().map(|(x, y)| panel.place(x, y)).collect();
        sheet.canvas.path(&places, stroke);
    }
}
