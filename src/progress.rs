//! How far a run has come, on stderr, and how long it took. The only place that reads a clock.

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

/// A bar of simulated time; indicatif hides it unless stderr is a terminal.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    watch: Stopwatch,
    total: Span,
}

impl Bar {
    pub(crate) fn new(name: &str, total: Span) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(10);
        let bar = ProgressBar::with_draw_target(Some(total.ns / 1_000_000), target);
        let template = "{prefix} [{bar:30}] {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name.to_owned());
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
