//! One case on both arms, again if the machine was too busy to be sure.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use finwait_model::flow::Addr;
use finwait_model::time::Clock;

use crate::clock::Tick;
use crate::diff::{self, Difference, Tolerance};
use crate::live::{self, Played};
use crate::model;
use crate::seen::Seen;
use crate::step::Case;
use crate::talk;
use crate::tap::Tap;

/// A difference counts when it shows this often in a row, each time with steps that certainly
/// happened in the ticks that the model was told.
const CONFIRM: u32 = 2;
/// How often a case is played at most.
const ATTEMPTS: u32 = 5;

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
    /// Peer addresses in use by cases that run now.
    taken: Mutex<BTreeSet<usize>>,
}

impl Setup {
    /// For this machine.
    pub fn new(tap: Option<Tap>) -> Self {
        let (tick, tolerance) = (Tick::of_this_machine(), Tolerance::default());
        Self { tick, tolerance, tap, taken: Mutex::default() }
    }
    fn take(&self) -> usize {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = 0;
        while !taken.insert(free) {
            free += 1;
        }
        free
    }
    fn give_back(&self, number: usize) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}

/// Plays the case on both arms. Changes the calling thread's network namespace.
pub fn check(case: &Case, setup: &Setup) -> Verdict {
    let number = setup.take();
    let verdict = check_with(case, setup, talk::remote(number));
    setup.give_back(number);
    verdict
}

fn check_with(case: &Case, setup: &Setup, remote: Addr) -> Verdict {
    let tolerance = setup.tolerance;
    let mut confirmed = 0;
    for attempt in 1..=ATTEMPTS {
        let played = match live::play(case, setup.tick, remote, setup.tap.as_ref()) {
            Ok(played) => played,
            Err(e) => return Verdict::Unable(format!("{}: {e}", case.name)),
        };
        let Played { seen: live, zero_ns, blurred } = played;
        let clock = setup.tick.clock(zero_ns);
        let model = match on_model(case, &live, clock, remote) {
            Ok(model) => model,
            Err(Stopped::Refused(why)) => return Verdict::Unable(format!("{}: {why}", case.name)),
            Err(Stopped::Panicked(difference)) => {
                let model = Seen::default();
                return Verdict::Differ(Box::new(Differ { difference, live, model }));
            }
        };
        let Some(difference) = diff::first(&live, &model, tolerance) else {
            return Verdict::Agree(Box::new(Agree { live, model, clock, attempts: attempt }));
        };
        confirmed += u32::from(!blurred);
        if confirmed >= CONFIRM || attempt == ATTEMPTS {
            return Verdict::Differ(Box::new(Differ { difference, live, model }));
        }
    }
    Verdict::Unable(format!("{}: never played", case.name))
}

enum Stopped {
    Refused(String),
    Panicked(Difference),
}

/// The model's run at the live run's moments. A panic of the model is a difference, too.
fn on_model(case: &Case, live: &Seen, clock: Clock, remote: Addr) -> Result<Seen, Stopped> {
    let run = || model::play(case, live, clock, remote);
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
