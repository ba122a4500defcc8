//! Runs that an answer is held against, within their time.

use std::ops::ControlFlow;

use finwait_model::time::Instant;
use finwait_sim::host::Host;
use finwait_sim::measure::{Judged, Wish};
use finwait_sim::recording::Filter;
use finwait_sim::run::{Outcome, run_watched};
use finwait_sim::sample::Sample;
use finwait_sim::scenario::{Draft, Scenario};
use finwait_sim::watch::{Sent, Watch};
use finwait_sim::world::Turns;
use finwait_viz::ladder;
use finwait_viz::story;

use super::super::library::Exercise;
use super::answers::Setting;
use crate::failure::Failure;
use crate::progress::Stopwatch;
use crate::source::{Source, broken};

/// So many columns a ladder has.
const COLUMNS: usize = 110;
/// A run with more segments than this is not recorded for a ladder.
const MOST_SEGMENTS: u64 = 400_000;

/// A setting that the scenario refuses.
pub(super) struct Refused {
    /// Which.
    pub(super) place: usize,
    pub(super) message: String,
    pub(super) expected: String,
}

/// Ends a run when its time is up.
struct Limit<'a> {
    watch: &'a Stopwatch,
    limit_s: f64,
}

impl Watch for Limit<'_> {
    fn wants_segments(&self) -> bool {
        false
    }
    fn wants_notes(&self) -> bool {
        false
    }
    fn sent(&mut self, _sent: &Sent<'_>) {}
    fn sampled(&mut self, _at: Instant, _hosts: &[Host], _samples: &[Sample]) -> ControlFlow<()> {
        if self.watch.seconds() > self.limit_s {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// A scenario of an exercise with changes of its own and those of the learner's.
pub(super) fn scenario(
    exercise: &Exercise,
    file: &str,
    changes: &[String],
    settings: &[Setting],
) -> Result<Result<Scenario, Refused>, Failure> {
    let text = exercise.any(file)?;
    let shown = format!("{}/{file}", exercise.name);
    let ours = |e| Failure::in_text(&shown, text, &e);
    Scenario::parse(text, &exercise.name).map_err(ours)?;
    let mut draft = Draft::new(text, &exercise.name).map_err(ours)?;
    for change in changes {
        draft.set(change).map_err(|e| Failure::in_text(&shown, change, &e))?;
    }
    for (place, setting) in settings.iter().enumerate() {
        if let Err(error) = draft.set(&format!("{}={}", setting.key, setting.value)) {
            let (message, expected) = (error.message, error.expected);
            return Ok(Err(Refused { place, message, expected }));
        }
    }
    Ok(draft.scenario().map_err(|refusal| Refused {
        place: refusal.change.map_or(0, |n| n.saturating_sub(changes.len())),
        message: refusal.error.message,
        expected: refusal.error.expected,
    }))
}

/// The run; `None` if its time was up before its end.
pub(super) fn played(scenario: &Scenario, watch: &Stopwatch, limit_s: f64) -> Option<Outcome> {
    let mut limit = Limit { watch, limit_s };
    let outcome = run_watched(scenario, Turns::Forward, &mut limit, |_| ());
    (!outcome.interrupted).then_some(outcome)
}

/// What came of a wish. Wishes are the exercise's.
pub(super) fn judged(
    exercise: &Exercise,
    wish: &str,
    scenario: &Scenario,
    outcome: &Outcome,
) -> Result<Judged, Failure> {
    let name = format!("{}/exercise.toml", exercise.name);
    let wish = Wish::parse(wish, scenario).map_err(|e| Failure::in_text(&name, wish, &e))?;
    Ok(wish.judge(outcome))
}

/// The ladder of the run's first RST, or else of its first connection; empty if that is too long to
/// be recorded.
pub(super) fn ladder(scenario: &Scenario, outcome: &Outcome) -> Result<String, Failure> {
    if outcome.segments > MOST_SEGMENTS {
        return Ok(String::new());
    }
    let source = Source::simulated(scenario.clone(), scenario.name.clone());
    let rec = source.into_recording()?;
    let wrong = |e| broken(&scenario.name, &e);
    let all = Instant::ZERO..rec.end().at();
    let resets = Filter { resets: true, ..Filter::default() };
    let reset = rec.events(all.clone(), resets).next().transpose().map_err(wrong)?;
    let of_reset = match &reset {
        Some(event) => story::story_of(&rec, event).map_err(wrong)?,
        None => None,
    };
    let story = match of_reset {
        Some(story) => Some(story),
        None => story::opened(&rec, all, 1).map_err(wrong)?.pop(),
    };
    Ok(story.map_or_else(String::new, |story| ladder::text(&story, COLUMNS)))
}
