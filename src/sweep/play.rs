//! Plays the runs of a sweep, on as many threads as there may be.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use finwait_sim::run::run_watched;
use finwait_sim::world::Turns;

use super::plan::Plan;
use super::row::{Measured, Row};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::SweepBar;

/// Plays those runs and hands each over as it ends, in whatever order. Ends early if somebody asks
/// for it, or when `keep` fails.
pub(crate) fn play(
    plan: &Plan,
    runs: &[usize],
    threads: Option<usize>,
    interrupt: &Interrupt,
    keep: impl FnMut(Row) -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    let threads = threads.unwrap_or(0).min(runs.len().max(1));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::Input(format!("error: no threads: {error}")))?;
    let bar = SweepBar::new(&plan.scenario.name, runs.len());
    let next = AtomicUsize::new(0);
    let keep = Mutex::new((keep, Ok(())));
    let before = panic::take_hook();
    panic::set_hook(Box::new(|info| LAST_WORDS.set(Some(info.to_string()))));
    // Each thread takes the next run when it has done its last: in the order of the sweep, so that
    // what is missing when it is broken off is at its end.
    pool.broadcast(|_| {
        while let Some(&run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if interrupt.asked() {
                break;
            }
            let Some(row) = one(plan, run, interrupt, &bar) else { break };
            bar.done(row.result.is_err());
            let Ok(mut keep) = keep.lock() else { break };
            let (keep, kept) = &mut *keep;
            if kept.is_ok() {
                *kept = keep(row);
            }
            if kept.is_err() {
                break;
            }
        }
    });
    panic::set_hook(before);
    bar.finish();
    keep.into_inner().map_or(Ok(()), |(_, kept)| kept)
}

/// One run; `None` if it was broken off.
fn one(plan: &Plan, run: usize, interrupt: &Interrupt, bar: &SweepBar) -> Option<Row> {
    let mut share = bar.share();
    let outcome = guarded(|| {
        let scenario = plan.scenario_of(run)?;
        let mut watch = interrupt.clone();
        Ok(run_watched(&scenario, Turns::Forward, &mut watch, |progress| {
            share.reach(progress.now.ns, scenario.duration.ns);
        }))
    });
    let result = match outcome.and_then(|outcome| outcome) {
        Ok(outcome) if outcome.interrupted => return None,
        Ok(outcome) => Ok(Measured {
            seed: outcome.seed,
            digest: outcome.digest.to_string(),
            values: plan.measures.iter().map(|measure| measure.of(&outcome)).collect(),
        }),
        Err(error) => Err(error),
    };
    Some(Row { run, result })
}

thread_local! {
    /// What a thread that panicked has to say about it.
    static LAST_WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A mistake of our own in one run is an error in its row; the other runs share nothing with it.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(run)).map_err(|payload: Box<dyn Any + Send>| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let said = LAST_WORDS.take().or(text);
        format!("finwait panicked: {}", said.unwrap_or_default().replace('\n', " "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        assert_eq!(guarded(|| 7), Ok(7));
        let error = guarded(|| -> u32 { panic!("the bucket is gone") }).unwrap_err();
        assert!(error.contains("the bucket is gone"), "{error}");
        let which = String::from("socket");
        let error = guarded(|| -> u32 { panic!("the {which} is gone") }).unwrap_err();
        assert!(error.contains("the socket is gone"), "{error}");
    }
}
