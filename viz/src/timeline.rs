//! The tables of a host over time: buckets, sockets by state and orphans against their limits, and
//! below them, on the same axis, RSTs and overflows per second.

use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::sample::Sample;
use finwait_sim::text::grouped;
use plotters::series::AreaSeries;

use crate::canvas::{Place, Stroke};
use crate::chart::{Panel, rgba};
use crate::color::Color;
use crate::figure::{Figure, Look};
use crate::legend::{Entry, Mark};
use crate::run::{HostRun, Run};
use crate::samples::{fin_wait2_buckets, fin_wait2_sockets, syn_recv};
use crate::sheet::{Limit, Sheet, exact, spaced, steps};
use crate::theme::{Kind, Theme};
use crate::trace::{Part, seconds};

/// What is stacked in a panel, from below: a name's kind and how many a sample has.
pub(crate) type Layer = (Kind, fn(&Sample) -> u32);

/// Every bucket is in one of these.
const BUCKETS: [Layer; 2] = [
    (Kind::BucketFinWait2, fin_wait2_buckets),
    (Kind::BucketTimeWait, |s| s.count(TcpState::TimeWait)),
];

/// Sockets with a connection, and the buckets that are few; the panel of buckets has all of these.
pub(crate) const SOCKETS: [Layer; 9] = [
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

/// A counter whose rate has a panel.
pub(crate) struct Counter {
    pub(crate) heading: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) color: fn(&Theme) -> Color,
    pub(crate) of: fn(&Sample) -> u64,
}

pub(crate) const OVERFLOWS: Counter = Counter {
    heading: "Buckets refused: TcpExtTCPTimeWaitOverflow",
    unit: "refused/s",
    color: |theme| theme.accent,
    of: |sample| sample.overflows,
};

pub(crate) const RESETS: Counter = Counter {
    heading: "RSTs sent: TcpOutRsts",
    unit: "RST/s",
    color: |theme| theme.rst,
    of: |sample| sample.out_rsts,
};

/// Draws the timeline of one host.
pub fn timeline(run: &Run, host: &HostRun, part: Part, look: Look) -> Figure {
    let title = format!("{}: timewait buckets, sockets and RSTs over time", host.name);
    let subtitle = format!("{} in scenario {}", host.platform, run.about.scenario);
    let mut figure = Figure::new(look, &title, &subtitle, &run.about);
    let sheet = Sheet::new(&mut figure, part, &[40, 26, 17, 17]);
    let mut tables = Tables { host, sheet };
    tables.buckets(0);
    tables.sockets(1);
    tables.rate(2, &OVERFLOWS);
    tables.rate(3, &RESETS);
    tables.first_overflow();
    figure
}

/// A host, and the sheet that its tables are drawn on.
struct Tables<'a> {
    host: &'a HostRun,
    sheet: Sheet<'a>,
}

impl Tables<'_> {
    fn peak(&self, of: impl Fn(&Sample) -> u32) -> u32 {
        self.sheet.part.of(&self.host.samples).iter().map(of).max().unwrap_or(0)
    }
    fn thinned(&self, size: impl Fn(&Sample) -> u64) -> Vec<&Sample> {
        self.sheet.part.thinned(&self.host.samples, self.sheet.columns() as usize / 2, size)
    }
    /// Layers over each other, each drawn over what is higher.
    fn stack(&mut self, panel: &Panel, layers: &[Layer]) {
        let total = |s: &Sample| layers.iter().map(|(_, of)| u64::from(of(s))).sum();
        let mut samples: Vec<Sample> = self.thinned(total).into_iter().copied().collect();
        if let [only] = samples[..] {
            // One sample would be an area without a width.
            samples.insert(0, Sample { at: self.sheet.part.from, ..only });
        }
        let theme = self.sheet.theme;
        panel.draw(self.sheet.canvas, |chart| {
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
    fn peaks<'l>(&self, layers: impl Iterator<Item = &'l Layer>) -> Vec<Entry> {
        let entries = layers.map(|(kind, of)| (self.peak(of), kind)).filter(|(peak, _)| *peak > 0);
        let entries = entries.map(|(peak, kind)| Entry {
            mark: Mark::Area(self.sheet.theme.kind(*kind)),
            name: kind.name().to_owned(),
            number: grouped(peak.into()),
        });
        entries.collect()
    }
    fn buckets(&mut self, place: usize) {
        let peak = self.peak(|s| s.sockstat.tw);
        let limit = self.host.bucket_limit(peak);
        let top = f64::from(peak).max(limit.room());
        let panel = self.sheet.panel(place, "Timewait buckets", top, "buckets");
        self.stack(&panel, &BUCKETS);
        let color = self.sheet.theme.limit;
        self.sheet.limit(&panel, &limit, color);
        let mut entries = vec![limit.entry("limit", color)];
        entries.extend(self.peaks(BUCKETS.iter().rev()));
        self.sheet.legend(place, "limit, peak", &entries);
    }
    fn sockets(&mut self, place: usize) {
        let orphans = |s: &Sample| s.sockstat.orphan;
        let peak = self.peak(|s| SOCKETS.iter().map(|(_, of)| of(s)).sum());
        let value = self.host.sysctl.tcp_max_orphans;
        let limit = Limit::new("net.ipv4.tcp_max_orphans", value, self.peak(orphans));
        let top = f64::from(peak).max(limit.room());
        let panel = self.sheet.panel(place, "Sockets by state, and orphans", top, "sockets");
        self.stack(&panel, &SOCKETS);
        let theme = self.sheet.theme;
        let stroke = Stroke::new(theme.kind(Kind::Orphan), 2);
        let thin = self.thinned(|s| orphans(s).into());
        let points = thin.iter().map(|s| panel.place(seconds(s.at), f64::from(orphans(s))));
        let points: Vec<Place> = points.collect();
        // Paper on both sides, so that it can be told from what lies below without its colour.
        self.sheet.canvas.path(&points, Stroke::new(theme.paper, 4));
        self.sheet.canvas.path(&points, stroke);
        self.sheet.limit(&panel, &limit, stroke.color);
        let mut entries = vec![
            limit.entry("limit of orphans", stroke.color),
            Entry {
                mark: Mark::Line(stroke),
                name: "orphans, of any state".to_owned(),
                number: grouped(self.peak(orphans).into()),
            },
        ];
        entries.extend(self.peaks(SOCKETS.iter().rev()));
        self.sheet.legend(place, "limit, peak", &entries);
    }
    /// How fast a counter rises.
    fn rate(&mut self, place: usize, counter: &Counter) {
        let Counter { heading, unit, color, of } = *counter;
        let color = color(&self.sheet.theme);
        let part = self.sheet.part;
        let (rates, bin) = part.rates(&self.host.samples, self.sheet.columns() / 3, of);
        let top = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        let panel = self.sheet.panel(place, heading, top, unit);
        panel.draw(self.sheet.canvas, |chart| {
            let steps = steps(&rates, seconds(part.to));
            let _ = chart.draw_series(AreaSeries::new(steps, 0.0, rgba(color)));
        });
        let entry = |name: String, number: String| Entry { mark: Mark::Area(color), name, number };
        let most = format!("{}/s", grouped(top.round() as u64));
        let entries = [
            entry("in all".to_owned(), grouped(part.risen(&self.host.samples, of))),
            entry(format!("most, in {}", spaced(bin)), most),
        ];
        self.sheet.legend(place, "", &entries);
    }
    /// Where the first bucket was refused: between the last sample without and the first with one.
    fn first_overflow(&mut self) {
        let samples = &self.host.samples;
        let place = samples.partition_point(|s| s.overflows == 0);
        let Some(until) = samples.get(place).map(|s| s.at) else { return };
        let at = place.checked_sub(1).map_or(Instant::ZERO, |before| samples[before].at);
        let words = format!("first refusal between {} and {} s", exact(at), exact(until));
        let color = self.sheet.theme.accent;
        self.sheet.mark(at, &words, color);
    }
}
