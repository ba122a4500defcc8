//! One case on both arms, again if the machine was too busy to be sure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use finwait_model::flow::Addr;
use finwait_model::time::Clock;

use crate::clock::Tick;
use crate::diff::{self, Difference, Kind, Tolerance};
use crate::live::{self, Played};
use crate::model::{self, Shown, Ticks};
use crate::record::Recording;
use crate::seen::Seen;
use crate::step::Case;
use crate::sys;
use crate::talk;
use crate::tap::Tap;

/// A difference counts when it shows this often in a row, each time with steps that certainly
/// happened in the ticks that the model was told.
const CONFIRM: u32 = 2;
/// The same for a difference of time alone, which a busy machine makes by itself.
const CONFIRM_TIME: u32 = 4;
/// How often a case is played at most.
const ATTEMPTS: u32 = 6;
/// After this long a case is not played again: a script of two minutes gets one chance.
const PATIENCE_NS: u64 = 60_000_000_000;

/// What became of a case.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Both arms did the same.
    Agree(Box<Agree>),
    /// They did not.
    Differ(Box<Differ>),
    /// It could not be played; one line.
    Unable(String),
}

/// An agreement.
#[derive(Clone, Debug)]
pub struct Agree {
    /// What both arms did, as the live kernel showed it.
    pub live: Seen,
    /// The same with the model's causes.
    pub model: Seen,
    /// The tick at the run's zero.
    pub clock: Clock,
    /// Ticks whose timers ran one tick later.
    pub late: Ticks,
    /// How often it had to be played.
    pub attempts: u32,
}

/// A confirmed difference.
#[derive(Clone, Debug)]
pub struct Differ {
    /// What differs first.
    pub difference: Difference,
    /// The live kernel's run.
    pub live: Seen,
    /// The model's run; empty if it panicked.
    pub model: Seen,
}

/// What every case needs to know about this machine.
#[derive(Debug)]
pub struct Setup {
    /// Its tick.
    pub tick: Tick,
    /// How much times may differ.
    pub tolerance: Tolerance,
    /// The kernel's own words, as root.
    pub tap: Option<Tap>,
    /// The next peer address.
    next: AtomicUsize,
}

impl Setup {
    /// For this machine.
    pub fn new(tap: Option<Tap>) -> Self {
        let (tick, tolerance) = (Tick::of_this_machine(), Tolerance::default());
        // Another process may play at the same time.
        let next = AtomicUsize::new(std::process::id() as usize * 4001);
        Self { tick, tolerance, tap, next }
    }
    /// A peer address of its own for each time that a case is played.
    pub fn remote(&self) -> Addr {
        talk::remote(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// Plays the case on both arms. Changes the calling thread's network namespace.
pub fn check(case: &Case, setup: &Setup) -> Verdict {
    let (mut confirmed, begun) = (0, sys::now_ns());
    for attempt in 1..=ATTEMPTS {
        let remote = setup.remote();
        let played = match live::play(case, setup.tick, remote, setup.tap.as_ref()) {
            Ok(played) => played,
            Err(e) => return Verdict::Unable(format!("{}: {e}", case.name)),
        };
        let Played { seen: live, zero_ns, blurred } = played;
        let clock = setup.tick.clock(zero_ns);
        let (model, late, difference) = match fit(case, &live, clock, remote, setup.tolerance) {
            Ok(fitted) => fitted,
            Err(Stopped::Refused(why)) => return Verdict::Unable(format!("{}: {why}", case.name)),
            Err(Stopped::Panicked(difference)) => {
                let model = Seen::default();
                return Verdict::Differ(Box::new(Differ { difference, live, model }));
            }
        };
        let Some(difference) = difference else {
            let agree = Agree { live, model, clock, late, attempts: attempt };
            return Verdict::Agree(Box::new(agree));
        };
        confirmed += u32::from(!blurred);
        let enough = if difference.kind == Kind::Time { CONFIRM_TIME } else { CONFIRM };
        let spent = sys::now_ns() - begun > PATIENCE_NS;
        if confirmed >= enough || attempt == ATTEMPTS || spent {
            return Verdict::Differ(Box::new(Differ { difference, live, model }));
        }
    }
    Verdict::Unable(format!("{}: never played", case.name))
}

/// How the host stood on the model after a case that a live kernel played, at each of the moments.
/// An error says why there is no telling: the arms differ, or the machine was too busy.
pub fn views_after(
    case: &Case,
    played: &Played,
    remote: Addr,
    setup: &Setup,
    moments_ns: &[u64],
) -> Result<Vec<Shown>, String> {
    if played.blurred {
        return Err("a step was not done within one tick".to_owned());
    }
    let clock = setup.tick.clock(played.zero_ns);
    match fit(case, &played.seen, clock, remote, setup.tolerance) {
        Ok((_, late, None)) => model::views(case, &played.seen, clock, remote, &late, moments_ns),
        Ok((_, _, Some(difference))) | Err(Stopped::Panicked(difference)) => {
            Err(difference.to_string())
        }
        Err(Stopped::Refused(why)) => Err(why),
    }
}

/// How many late ticks are looked for in one run.
const LATE_MAX: usize = 60;

/// The model's run, its late ticks, and the first difference that remains.
///
/// Two processors take the same tick at the same time, but only one of them counts it. If the
/// other is faster it finds `jiffies` not yet advanced, and its timers run one tick later: one in
/// ten of them, on a machine with two processors. No rule of TCP says when that happens, so where
/// the first difference lies at a tick with timers, the model is asked whether it goes away if the
/// timers of that tick are late.
fn fit(
    case: &Case,
    live: &Seen,
    clock: Clock,
    remote: Addr,
    tolerance: Tolerance,
) -> Result<(Seen, Ticks, Option<Difference>), Stopped> {
    let (mut late, mut refuted) = (Ticks::new(), Ticks::new());
    let mut model = on_model(case, live, clock, remote, &late)?;
    let mut difference = diff::first(live, &model, tolerance);
    for _ in 0..LATE_MAX {
        let Some(d) = &difference else { break };
        let since = d.at_ns.saturating_sub(2 * clock.tick_ns());
        let suspects = model.timers.range(since..=d.at_ns + tolerance.early_ns).rev();
        let mut fresh = suspects.filter(|t| !late.contains(t) && !refuted.contains(t));
        let Some(&suspect) = fresh.next() else { break };
        late.insert(suspect);
        let other = on_model(case, live, clock, remote, &late)?;
        let remaining = diff::first(live, &other, tolerance);
        if remaining.as_ref().is_none_or(|r| r.at_ns > d.at_ns) {
            (model, difference) = (other, remaining);
            refuted.clear();
        } else {
            late.remove(&suspect);
            refuted.insert(suspect);
        }
    }
    Ok((model, late, difference))
}

/// What still differs between a recorded run and the model; the error says why the model cannot
/// play it.
pub fn recorded(case: &Case, recording: &Recording) -> Result<Option<Difference>, String> {
    let tolerance = Tolerance::default();
    match fit(case, &recording.seen, recording.clock, talk::REMOTE, tolerance) {
        Ok((_, _, difference)) => Ok(difference),
        Err(Stopped::Refused(why)) => Err(why),
        Err(Stopped::Panicked(difference)) => Ok(Some(difference)),
    }
}

enum Stopped {
    Refused(String),
    Panicked(Difference),
}

/// The model's run at the live run's moments. A panic of the model is a difference, too.
fn on_model(
    case: &Case,
    live: &Seen,
    clock: Clock,
    remote: Addr,
    late: &Ticks,
) -> Result<Seen, Stopped> {
    let run = || model::play(case, live, clock, remote, late);
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(seen) => seen.map_err(Stopped::Refused),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
            Err(Stopped::Panicked(Difference {
                at_ns: 0,
                step: 0,
                kind: diff::Kind::Answer,
                subject: "the model".to_owned(),
                live: "went on".to_owned(),
                model: format!("panicked: {text}"),
            }))
        }
    }
}
