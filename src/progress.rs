//! How far a run has come, on stderr, and how long it took. The only place that reads a clock.

use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use finwait_model::time::{Instant, Span};
use finwait_sim::run::Progress;

/// Measures real time; nothing in a run depends on it.
#[derive(Debug)]
#[allow(clippy::disallowed_types, reason = "how long a run takes is not part of the run")]
pub(crate) struct Stopwatch(std::time::Instant);

#[allow(clippy::disallowed_types, reason = "how long a run takes is not part of the run")]
impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }
    /// Seconds since it was started.
    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// A bar of that length, or of an unknown one; indicatif hides it unless stderr is a terminal.
pub(crate) fn drawn(name: &str, len: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(len, ProgressDrawTarget::stderr_with_hz(10));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(name.to_owned());
    bar
}

/// A bar of simulated time; indicatif hides it unless stderr is a terminal.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    watch: Stopwatch,
    total: Span,
}

impl Bar {
    pub(crate) fn new(name: &str, total: Span) -> Self {
        let bar = drawn(name, Some(total.ns / 1_000_000), "{prefix} [{bar:30}] {msg}");
        Self { bar, watch: Stopwatch::start(), total }
    }
    pub(crate) fn show(&self, progress: Progress) {
        if self.bar.is_hidden() {
            return;
        }
        let per_second = progress.lifecycles as f64 / self.watch.seconds().max(0.001);
        self.bar.set_position(progress.now.ns / 1_000_000);
        self.bar.set_message(format!(
            "{} of {} s simulated, {per_second:.0} lifecycles/s, {} buckets",
            progress.now.ns / 1_000_000_000,
            self.total.ns / 1_000_000_000,
            progress.buckets,
        ));
    }
    /// The same where only the time is known.
    pub(crate) fn reach(&self, now: Instant) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(now.ns / 1_000_000);
        let (now, total) = (now.ns / 1_000_000_000, self.total.ns / 1_000_000_000);
        self.bar.set_message(format!("{now} of {total} s"));
    }
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// A bar of the runs of a sweep, which go on side by side.
#[derive(Debug)]
pub(crate) struct SweepBar {
    bar: ProgressBar,
    runs: usize,
    done: AtomicUsize,
    failed: AtomicUsize,
}

/// Each run moves the bar by so much.
const RUN: u64 = 1000;

impl SweepBar {
    pub(crate) fn new(name: &str, runs: usize) -> Self {
        let template = "{prefix} [{bar:30}] {msg}, {eta} left";
        let bar = drawn(name, Some(runs as u64 * RUN), template);
        bar.set_message(format!("0 of {runs} runs"));
        Self { bar, runs, done: AtomicUsize::new(0), failed: AtomicUsize::new(0) }
    }
    /// The part of the bar that one run moves.
    pub(crate) const fn share(&self) -> Share<'_> {
        Share { whole: self, reached: 0 }
    }
    /// A run is done.
    pub(crate) fn done(&self, failed: bool) {
        let failed =
            self.failed.fetch_add(usize::from(failed), Ordering::Relaxed) + usize::from(failed);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.bar.is_hidden() {
            return;
        }
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        self.bar.set_message(format!("{done} of {} runs{failed}", self.runs));
    }
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// How far one run of a sweep has come.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    whole: &'a SweepBar,
    reached: u64,
}

impl Share<'_> {
    /// So much of its time has passed.
    pub(crate) fn reach(&mut self, now_ns: u64, end_ns: u64) {
        let now = u128::from(RUN) * u128::from(now_ns) / u128::from(end_ns.max(1));
        self.move_to((now as u64).min(RUN));
    }
    fn move_to(&mut self, reached: u64) {
        if reached > self.reached && !self.whole.bar.is_hidden() {
            self.whole.bar.inc(reached - self.reached);
            self.reached = reached;
        }
    }
}

/// A run that has ended, in whatever way, leaves nothing to wait for.
impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.move_to(RUN);
    }
}

/// A bar of bytes that are read, hidden unless stderr is a terminal.
#[derive(Debug)]
pub(crate) struct Reading(ProgressBar);

impl Reading {
    /// `size` is 0 where nobody knows it.
    pub(crate) fn new(name: &str, size: u64) -> Self {
        let template = if size > 0 {
            "{prefix} [{bar:30}] {bytes} of {total_bytes}, {eta}"
        } else {
            "{prefix} {bytes}"
        };
        Self(drawn(name, (size > 0).then_some(size), template))
    }
    pub(crate) fn reach(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}

/// How many runs of a search are done, for searches that do not know how many there will be.
#[derive(Debug)]
pub(crate) struct Tally {
    bar: ProgressBar,
}

impl Tally {
    pub(crate) fn new(name: &str) -> Self {
        let template = "{prefix} {pos} of at least {len} runs, {elapsed}";
        Self { bar: drawn(name, Some(0), template) }
    }
    /// So many more runs begin.
    pub(crate) fn expect(&self, runs: u64) {
        self.bar.inc_length(runs);
    }
    /// One is done.
    pub(crate) fn done(&self) {
        self.bar.inc(1);
    }
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
