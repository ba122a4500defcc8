//! The tables of a host over time: buckets, sockets by state and orphans against their limits, and
//! below them, on the same axis, RSTs and overflows per second.

use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use finwait_sim::sample::Sample;
use finwait_sim::text::grouped;
use plotters::series::AreaSeries;

use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::chart::{Axis, BELOW, LEFT, Panel, rgba};
use crate::color::Color;
use crate::figure::{Figure, Look};
use crate::legend::{self, Entry, Mark};
use crate::lettering::Lettering;
use crate::run::{HostRun, Run};
use crate::samples::{fin_wait2_buckets, fin_wait2_sockets, syn_recv};
use crate::theme::{Kind, Theme};
use crate::trace::{Part, seconds};

/// What is stacked in a panel, from below: a name's kind and how many a sample has.
type Layer = (Kind, fn(&Sample) -> u32);

/// Every bucket is in one of these.
const BUCKETS: [Layer; 2] = [
    (Kind::BucketFinWait2, fin_wait2_buckets),
    (Kind::BucketTimeWait, |s| s.count(TcpState::TimeWait)),
];

/// Sockets with a connection, and the buckets that are few; the panel of buckets has all of these.
const SOCKETS: [Layer; 9] = [
    (Kind::Socket(TcpState::Established), |s| s.count(TcpState::Established)),
    (Kind::Socket(TcpState::SynSent), |s| s.count(TcpState::SynSent)),
    (Kind::Socket(TcpState::SynRecv), syn_recv),
    (Kind::Socket(TcpState::CloseWait), |s| s.count(TcpState::CloseWait)),
    (Kind::Socket(TcpState::LastAck), |s| s.count(TcpState::LastAck)),
    (Kind::Socket(TcpState::Closing), |s| s.count(TcpState::Closing)),
    (Kind::Socket(TcpState::FinWait1), |s| s.count(TcpState::FinWait1)),
    (Kind::Socket(TcpState::FinWait2), fin_wait2_sockets),
    (Kind::BucketFinWait2, fin_wait2_buckets),
];

const BUCKETS_HEADING: &str = "Timewait buckets";
/// Room for the legend at the right.
const LEGEND: i32 = 250;
/// Room for a panel's heading.
const HEADING: i32 = 26;

/// What is drawn in all panels: the host, the part of its run, and where.
struct Sheet<'a> {
    canvas: &'a mut Canvas,
    theme: Theme,
    host: &'a HostRun,
    part: Part,
    /// Columns that a panel has for data.
    width: i32,
}

/// Draws the timeline of one host.
pub fn timeline(run: &Run, host: &HostRun, part: Part, look: Look) -> Figure {
    let title = format!("{}: timewait buckets, sockets and RSTs over time", host.name);
    let subtitle = format!("Linux {} in scenario {}", host.release, run.about.scenario);
    let mut figure = Figure::new(look, &title, &subtitle, &run.about);
    let body = figure.body();
    let theme = figure.theme();
    let width = body.width - LEFT - LEGEND;
    let mut sheet = Sheet { canvas: &mut figure.canvas, theme, host, part, width };
    let room = body.height - BELOW - 4 * HEADING;
    let mut y = body.y;
    let plots = [40, 26, 17, 17].map(|share| {
        let plot = Area { x: body.x + LEFT, y: y + HEADING, width, height: room * share / 100 };
        y = plot.bottom();
        plot
    });
    sheet.buckets(plots[0]);
    sheet.sockets(plots[1]);
    sheet.rate(
        plots[2],
        ("Buckets refused: TcpExtTCPTimeWaitOverflow", "refused/s"),
        theme.accent,
        |s| s.overflows,
        false,
    );
    sheet.rate(plots[3], ("RSTs sent: TcpOutRsts", "RST/s"), theme.rst, |s| s.out_rsts, true);
    sheet.first_overflow(&plots);
    figure
}

impl Sheet<'_> {
    /// A panel below its heading; `top` is what its vertical axis must have room for.
    fn panel(&mut self, plot: Area, heading: &str, y: Axis, numbers_below: bool) -> Panel {
        let at = (plot.x, plot.y - 9);
        self.canvas.text(at, heading, Lettering::new(13).bold());
        let (from, to) = (seconds(self.part.from), seconds(self.part.to));
        let x = Axis::between(from, to, plot.width, "time since the run began, s");
        Panel { plot, x, y, numbers_below }
    }
    fn legend(&mut self, plot: Area, heading: &str, entries: &[Entry]) {
        let area = Area { x: plot.right() + 22, width: LEGEND - 22, ..plot };
        legend::draw(self.canvas, area, heading, entries);
    }
    fn peak(&self, of: impl Fn(&Sample) -> u32) -> u32 {
        self.part.of(&self.host.samples).iter().map(of).max().unwrap_or(0)
    }
    /// Layers over each other, each drawn over what is higher.
    fn stack(&mut self, panel: &Panel, layers: &[Layer]) {
        let total = |s: &Sample| layers.iter().map(|(_, of)| u64::from(of(s))).sum();
        let samples = self.part.thinned(&self.host.samples, self.width as usize / 2, total);
        let theme = self.theme;
        panel.draw(self.canvas, |chart| {
            for n in (0..layers.len()).rev() {
                let below = &layers[..=n];
                if samples.iter().all(|s| (below[n].1)(s) == 0) {
                    continue;
                }
                let height = |s: &Sample| below.iter().map(|(_, of)| f64::from(of(s))).sum();
                let points = samples.iter().map(|s| (seconds(s.at), height(s)));
                let color = rgba(theme.kind(below[n].0));
                let _ = chart.draw_series(AreaSeries::new(points, 0.0, color));
            }
        });
    }
    fn buckets(&mut self, plot: Area) {
        let peak = self.peak(|s| s.sockstat.tw);
        let limit = self.host.sysctl.tcp_max_tw_buckets;
        let shown = near(limit, peak);
        let top = f64::from(peak).max(shown.unwrap_or(0.0) * 1.06);
        let y = Axis::whole(top, plot.height, "buckets");
        let panel = self.panel(plot, BUCKETS_HEADING, y, false);
        self.stack(&panel, &BUCKETS);
        self.limit(&panel, "net.ipv4.tcp_max_tw_buckets", limit, shown, self.theme.limit);
        let mut entries = vec![limit_entry("limit", limit, shown, self.theme.limit)];
        entries.extend(self.peaks(BUCKETS.iter().rev()));
        self.legend(plot, "limit, peak", &entries);
    }
    fn peaks<'l>(&self, layers: impl Iterator<Item = &'l Layer>) -> Vec<Entry> {
        let entries = layers.map(|(kind, of)| (self.peak(of), kind)).filter(|(peak, _)| *peak > 0);
        let entries = entries.map(|(peak, kind)| Entry {
            mark: Mark::Area(self.theme.kind(*kind)),
            name: kind.name().to_owned(),
            number: grouped(peak.into()),
        });
        entries.collect()
    }
    fn sockets(&mut self, plot: Area) {
        let orphans = |s: &Sample| s.sockstat.orphan;
        let peak = self.peak(|s| SOCKETS.iter().map(|(_, of)| of(s)).sum());
        let limit = self.host.sysctl.tcp_max_orphans;
        let shown = near(limit, self.peak(orphans));
        let top = f64::from(peak).max(shown.unwrap_or(0.0) * 1.06);
        let y = Axis::whole(top, plot.height, "sockets");
        let panel = self.panel(plot, "Sockets by state, and orphans", y, false);
        self.stack(&panel, &SOCKETS);
        let stroke = Stroke::new(self.theme.kind(Kind::Orphan), 2);
        let thin =
            self.part.thinned(&self.host.samples, self.width as usize / 2, |s| orphans(s).into());
        let points = thin.iter().map(|s| panel.place(seconds(s.at), f64::from(orphans(s))));
        let points: Vec<Place> = points.collect();
        // Paper on both sides, so that it can be told from what lies below without its colour.
        self.canvas.path(&points, Stroke::new(self.theme.paper, 4));
        self.canvas.path(&points, stroke);
        self.limit(&panel, "net.ipv4.tcp_max_orphans", limit, shown, stroke.color);
        let mut entries = vec![
            limit_entry("limit of orphans", limit, shown, stroke.color),
            Entry {
                mark: Mark::Line(stroke),
                name: "orphans, of any state".to_owned(),
                number: grouped(self.peak(orphans).into()),
            },
        ];
        entries.extend(self.peaks(SOCKETS.iter().rev()));
        self.legend(plot, "limit, peak", &entries);
    }
    /// How fast a counter rises.
    fn rate(
        &mut self,
        plot: Area,
        (name, unit): (&str, &str),
        color: Color,
        of: fn(&Sample) -> u64,
        last: bool,
    ) {
        let samples = &self.host.samples;
        let (rates, bin) = self.part.rates(samples, (self.width / 3) as u64, of);
        let top = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        let y = Axis::whole(top, plot.height, unit);
        let panel = self.panel(plot, name, y, last);
        let end = seconds(self.part.to);
        panel.draw(self.canvas, |chart| {
            let _ = chart.draw_series(AreaSeries::new(steps(&rates, end), 0.0, rgba(color)));
        });
        let before = samples.partition_point(|s| s.at <= self.part.from);
        let before = before.checked_sub(1).map_or(0, |place| of(&samples[place]));
        let risen = self.part.of(samples).last().map_or(0, of).saturating_sub(before);
        let entry = |name: String, number: String| Entry { mark: Mark::Area(color), name, number };
        let entries = [
            entry("in all".to_owned(), grouped(risen)),
            entry(
                format!("most, in {}", spaced(bin)),
                format!("{}/s", grouped(top.round() as u64)),
            ),
        ];
        self.legend(plot, "", &entries);
    }
    /// A limit as a line with its name, or where it lies if that is beyond the panel.
    fn limit(&mut self, panel: &Panel, name: &str, limit: i64, shown: Option<f64>, color: Color) {
        let text = format!("{name} = {}", number(limit));
        let lettering = Lettering::new(11).ending().color(color).halo();
        let right = panel.plot.right();
        let Some(value) = shown else { return };
        let row = panel.row(value);
        let stroke = Stroke::tenths(color, 15).dashed(6, 3);
        self.canvas.line((panel.plot.x, row), (right, row), stroke);
        self.canvas.text((right - 4, row - 5), text, lettering);
    }
    /// A line through all panels where the first bucket was refused.
    fn first_overflow(&mut self, plots: &[Area; 4]) {
        let samples = &self.host.samples;
        let place = samples.partition_point(|s| s.overflows == 0);
        let Some(until) = samples.get(place).map(|s| s.at) else { return };
        let at = place.checked_sub(1).map_or(Instant::ZERO, |before| samples[before].at);
        if at < self.part.from || at > self.part.to {
            return;
        }
        let top = plots[0];
        let (from, to) = (seconds(self.part.from), seconds(self.part.to));
        let x = Axis::between(from, to, top.width, "").place(seconds(at), (top.x, top.right()));
        let stroke = Stroke::new(self.theme.accent, 1).dashed(2, 3);
        for plot in plots {
            self.canvas.line((x, plot.y), (x, plot.bottom()), stroke);
        }
        let text = format!("first refusal between {} and {} s", exact(at), exact(until));
        let lettering = Lettering::new(11).color(self.theme.accent).halo();
        let beside = Lettering::new(13).bold().width(BUCKETS_HEADING) + top.x + 16;
        let left = (x - 2).min(top.right() - lettering.width(&text)).max(beside);
        self.canvas.text((left, top.y - 9), text, lettering);
    }
}

/// A limit that is shown because the table comes near it.
fn near(limit: i64, peak: u32) -> Option<f64> {
    let peak = i64::from(peak);
    (limit > 0 && limit <= peak.saturating_mul(3)).then_some(limit as f64)
}

/// What a legend says of a limit, with a line only if the panel has one.
fn limit_entry(name: &str, limit: i64, shown: Option<f64>, color: Color) -> Entry {
    let mark = match shown {
        Some(_) => Mark::Line(Stroke::tenths(color, 15).dashed(6, 3)),
        None => Mark::Nothing,
    };
    let name = if shown.is_some() { name.to_owned() } else { format!("({name})") };
    Entry { mark, name, number: number(limit) }
}

/// A sysctl's value.
fn number(value: i64) -> String {
    let sign = if value < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(value.unsigned_abs()))
}

/// A length of time with a space before its unit.
fn spaced(span: Span) -> String {
    let text = span.to_string();
    let unit = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    format!("{} {}", &text[..unit], &text[unit..])
}

/// Seconds with as few decimals as they need.
fn exact(at: Instant) -> String {
    let text = finwait_sim::text::seconds(at.ns, 9);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The corners of bins of different heights.
fn steps(bins: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let ends = bins.iter().skip(1).map(|(begin, _)| *begin).chain([end]);
    bins.iter().zip(ends).flat_map(|(&(begin, rate), end)| [(begin, rate), (end, rate)]).collect()
}
