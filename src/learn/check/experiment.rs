//! Settings: with them a run is as it should be, in these circumstances and in others.

use super::super::spec::Also;
use super::answers::{self, Setting};
use super::{Answer, Checked, Wrong, runs};
use crate::failure::Failure;
use crate::progress::Stopwatch;

/// What is asked of settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) scenario: &'a str,
    pub(super) may: &'a [String],
    pub(super) expect: &'a [String],
    pub(super) also: &'a [Also],
}

/// Runs the scenario with them, and its variations.
pub(super) fn check(
    answer: &Answer<'_>,
    asked: &Asked<'_>,
    watch: &Stopwatch,
) -> Result<Checked, Failure> {
    let settings =
        match answers::values(answer, &[]).and_then(|_| answers::settings(answer, asked.may)) {
            Ok(settings) => settings,
            Err(checked) => return Ok(checked),
        };
    if let Some(checked) = hold(answer, asked, &settings, watch)? {
        return Ok(checked);
    }
    let runs = asked.also.len() + 1;
    let told = if runs == 1 { "a run".to_owned() } else { format!("{runs} runs") };
    Ok(Checked::Passed(format!("{told}, and everything is as it should be")))
}

/// What is wrong with settings, if anything is.
pub(super) fn hold(
    answer: &Answer<'_>,
    asked: &Asked<'_>,
    settings: &[Setting],
    watch: &Stopwatch,
) -> Result<Option<Checked>, Failure> {
    let own = ("", &[][..], asked.expect);
    let also = asked.also.iter().map(|also| {
        let expect = also.expect.as_deref().unwrap_or(asked.expect);
        (also.about.as_str(), &also.set[..], expect)
    });
    for (about, changes, expect) in std::iter::once(own).chain(also) {
        let scenario = runs::scenario(answer.exercise, asked.scenario, changes, settings)?;
        let scenario = match scenario {
            Ok(scenario) => scenario,
            Err(refused) => {
                let span = settings.get(refused.place).map_or(0..0, |s| s.span.clone());
                let error = answers::wrong(span, refused.message, refused.expected);
                return Ok(Some(answer.unreadable(&error)));
            }
        };
        let Some(outcome) = runs::played(&scenario, watch, answer.limit_s) else {
            return Ok(Some(Checked::TooLong));
        };
        for wish in expect {
            let judged = runs::judged(answer.exercise, wish, &scenario, &outcome)?;
            if judged.holds {
                continue;
            }
            let when = if about.is_empty() { String::new() } else { format!("{about}: ") };
            let has_reset = outcome.rst_count() > 0;
            let ladder = if has_reset { runs::ladder(&scenario, &outcome)? } else { String::new() };
            return Ok(Some(Checked::Wrong(Wrong {
                sentence: format!("{when}{}, wanted is {}", judged.found, judged.wanted),
                ladder,
                notes: Vec::new(),
            })));
        }
    }
    Ok(None)
}
