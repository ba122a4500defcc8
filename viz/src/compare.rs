//! The tables of a host in two runs over each other, and where the runs part.

use finwait_model::time::Instant;
use finwait_sim::sample::Sample;
use finwait_sim::text::grouped;
use plotters::series::LineSeries;

use crate::canvas::Stroke;
use crate::chart::{Panel, line};
use crate::figure::{Figure, Look};
use crate::legend::{Entry, Mark};
use crate::lettering::Lettering;
use crate::run::{HostRun, Run};
use crate::sheet::{Limit, Sheet, spaced, steps};
use crate::timeline::{Counter, OVERFLOWS, RESETS, SOCKETS};
use crate::trace::{Part, seconds};

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The run.
    pub run: &'a Run,
    /// The host of it.
    pub host: &'a HostRun,
}

/// Where two runs part: the first thing that happens in one of them and not in the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parting {
    /// When.
    pub at: Instant,
    /// What happens in each of them then.
    pub what: [String; 2],
}

/// How the two are called in titles and legends.
const NAMES: [&str; 2] = ["A", "B"];

/// Draws both; `parting` is marked if it is given.
pub fn compare(sides: [Side<'_>; 2], part: Part, parting: Option<&Parting>, look: Look) -> Figure {
    let [a, b] = sides;
    let title = format!("{} in two runs", a.host.name);
    let about = |n: usize| format!("{} · {}", NAMES[n], sides[n].run.about.line());
    let mut figure = Figure::of_runs(look, &title, &differences(a, b), &[about(0), about(1)]);
    if let Some(parting) = parting {
        part_words(&mut figure, parting);
    }
    let sheet = Sheet::new(&mut figure, part, &[40, 20, 20, 20]);
    let mut both = Both { sides, sheet };
    both.buckets(0);
    both.sockets(1);
    both.rate(2, &OVERFLOWS);
    both.rate(3, &RESETS);
    if let Some(parting) = parting {
        let words = format!("first difference at {} s", parting.at);
        both.sheet.mark(parting.at, &words, both.sheet.theme.ink);
    }
    figure
}

/// What happened where they part, in two lines below the title.
fn part_words(figure: &mut Figure, parting: &Parting) {
    let area = figure.take_top(36);
    let text = Lettering::new(11).mono().below();
    for (n, what) in parting.what.iter().enumerate() {
        let words = format!("{} at {} s: {what}", NAMES[n], parting.at);
        let at = (area.x, area.y + 16 * n as i32);
        figure.canvas.text(at, text.fit(&words, area.width), text);
    }
}

/// What the two hosts run with, where it is not the same.
fn differences(a: Side<'_>, b: Side<'_>) -> String {
    let mut parts = Vec::new();
    let mut tell = |what: &str, a: String, b: String| {
        if a != b {
            parts.push(format!("{what} {a} in A, {b} in B"));
        }
    };
    tell("scenario", a.run.about.scenario.clone(), b.run.about.scenario.clone());
    let seed = |side: Side<'_>| side.run.about.seed.map_or_else(String::new, |s| s.to_string());
    tell("seed", seed(a), seed(b));
    tell("Linux", a.host.release.to_string(), b.host.release.to_string());
    for name in a.host.sysctl.names() {
        // What only one of two kernels has says nothing about the settings.
        if let (Some(left), Some(right)) = (a.host.sysctl.get(name), b.host.sysctl.get(name)) {
            tell(name, with_groups(left), with_groups(right));
        }
    }
    if parts.is_empty() { "with the same settings".to_owned() } else { parts.join("; ") }
}

/// The numbers of a sysctl with their digits in groups.
fn with_groups(value: String) -> String {
    let group = |number: &str| number.parse::<u64>().map_or_else(|_| number.to_owned(), grouped);
    value.split_whitespace().map(group).collect::<Vec<_>>().join(" ")
}

struct Both<'a> {
    sides: [Side<'a>; 2],
    sheet: Sheet<'a>,
}

impl Both<'_> {
    /// The first is a broad line, the second a thin one over it.
    fn stroke(&self, n: usize) -> Stroke {
        let color = self.sheet.theme.series(n);
        if n == 0 { Stroke::new(color, 3) } else { Stroke::new(color, 1) }
    }
    fn entry(&self, n: usize, number: String) -> Entry {
        let name = format!("{} {}", NAMES[n], self.sides[n].run.about.scenario);
        Entry { mark: Mark::Line(self.stroke(n)), name, number }
    }
    /// A panel of both, as high as the higher.
    fn lines(&mut self, panel: &Panel, of: impl Fn(&Sample) -> u32) {
        for (n, side) in self.sides.into_iter().enumerate() {
            let most = self.sheet.columns() as usize / 2;
            let thin = self.sheet.part.thinned(&side.host.samples, most, |s| of(s).into());
            let points: Vec<(f64, f64)> =
                thin.iter().map(|s| (seconds(s.at), f64::from(of(s)))).collect();
            self.curve(panel, n, points);
        }
    }
    /// The first is drawn with the panel's grid, the second over it.
    fn curve(&mut self, panel: &Panel, n: usize, points: Vec<(f64, f64)>) {
        let stroke = self.stroke(n);
        if n == 0 {
            panel.draw(self.sheet.canvas, |chart| {
                let _ = chart.draw_series(LineSeries::new(points, line(stroke)));
            });
        } else {
            let places: Vec<_> = points.into_iter().map(|(x, y)| panel.place(x, y)).collect();
            self.sheet.canvas.path(&places, stroke);
        }
    }
    fn peaks(&self, of: impl Fn(&Sample) -> u32) -> [u32; 2] {
        let peak = |side: Side<'_>| {
            self.sheet.part.of(&side.host.samples).iter().map(&of).max().unwrap_or(0)
        };
        self.sides.map(peak)
    }
    fn buckets(&mut self, place: usize) {
        let of = |s: &Sample| s.sockstat.tw;
        let peaks = self.peaks(of);
        let most = peaks[0].max(peaks[1]);
        let limits = self.sides.map(|side| side.host.bucket_limit(most));
        let room = limits.iter().map(Limit::room).fold(f64::from(most), f64::max);
        let panel = self.sheet.panel(place, "Timewait buckets", room, "buckets");
        self.lines(&panel, of);
        let same = limits[0] == limits[1];
        let mut entries = Vec::new();
        for (n, limit) in limits.iter().enumerate() {
            let color = if same { self.sheet.theme.limit } else { self.sheet.theme.series(n) };
            if n == 0 || !same {
                self.sheet.limit(&panel, limit, color);
                let name = if same { "limit".to_owned() } else { format!("limit of {}", NAMES[n]) };
                entries.push(limit.entry(&name, color));
            }
        }
        entries.extend((0..2).map(|n| self.entry(n, grouped(peaks[n].into()))));
        self.sheet.legend(place, "limit, peak", &entries);
    }
    fn sockets(&mut self, place: usize) {
        let of = |s: &Sample| SOCKETS.iter().map(|(_, of)| of(s)).sum();
        let peaks = self.peaks(of);
        let top = f64::from(peaks[0].max(peaks[1]));
        let heading = "Sockets with a connection, and buckets in FIN-WAIT-2";
        let panel = self.sheet.panel(place, heading, top, "sockets");
        self.lines(&panel, of);
        let entries = [0, 1].map(|n| self.entry(n, grouped(peaks[n].into())));
        self.sheet.legend(place, "peak", &entries);
    }
    fn rate(&mut self, place: usize, counter: &Counter) {
        let part = self.sheet.part;
        let most = self.sheet.columns() / 3;
        let rates = self.sides.map(|side| part.rates(&side.host.samples, most, counter.of));
        let all = rates.iter().flat_map(|(rates, _)| rates);
        let top = all.map(|(_, rate)| *rate).fold(0.0, f64::max);
        let heading = format!("{}, in bins of {}", counter.heading, spaced(rates[0].1));
        let panel = self.sheet.panel(place, &heading, top, counter.unit);
        for (n, (rates, _)) in rates.iter().enumerate() {
            self.curve(&panel, n, steps(rates, seconds(part.to)));
        }
        let risen = self.sides.map(|side| part.risen(&side.host.samples, counter.of));
        let entries = [0, 1].map(|n| self.entry(n, grouped(risen[n])));
        self.sheet.legend(place, "in all", &entries);
    }
}
