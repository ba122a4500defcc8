//! One case on both arms, again if the machine was too busy to be sure.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock::Tick;
use crate::diff::{self, Difference, Tolerance};
use crate::live::{self, Played};
use crate::model;
use crate::seen::Seen;
use crate::step::Case;

/// A difference counts when it shows this often in a row, each time with steps that certainly
/// happened in the ticks that the model was told.
const CONFIRM: u32 = 2;
/// How often a case is played at most.
const ATTEMPTS: u32 = 5;

/// What became of a case.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Both arms did the same.
    Agree {
        /// What they did.
        live: Seen,
        /// The same with causes.
        model: Seen,
        /// How often it had to be played.
        attempts: u32,
    },
    /// They did not.
    Differ(Box<Differ>),
    /// It could not be played; one line.
    Unable(String),
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

/// Plays the case on both arms. Changes the calling thread's network namespace.
pub fn check(case: &Case, tick: Tick, tolerance: Tolerance) -> Verdict {
    let mut confirmed = 0;
    for attempt in 1..=ATTEMPTS {
        let played = match live::play(case, tick) {
            Ok(played) => played,
            Err(e) => return Verdict::Unable(format!("{}: {e}", case.name)),
        };
        let Played { seen: live, zero_ns, blurred } = played;
        let model = match on_model(case, &live, tick, zero_ns) {
            Ok(model) => model,
            Err(Stopped::Refused(why)) => return Verdict::Unable(format!("{}: {why}", case.name)),
            Err(Stopped::Panicked(difference)) => {
                let model = Seen::default();
                return Verdict::Differ(Box::new(Differ { difference, live, model }));
            }
        };
        let Some(difference) = diff::first(&live, &model, tolerance) else {
            return Verdict::Agree { live, model, attempts: attempt };
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
fn on_model(case: &Case, live: &Seen, tick: Tick, zero_ns: u64) -> Result<Seen, Stopped> {
    let run = || model::play(case, live, tick.clock(zero_ns));
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
