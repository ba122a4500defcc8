//! A diagnosis: the causes are those of the run that left the evidence, and the remedy helps it.

use super::super::spec::Ask;
use super::experiment::{Asked, hold};
use super::{Answer, Checked, answers, predict, runs};
use crate::failure::Failure;
use crate::progress::Stopwatch;

/// First what happened, then what helps.
pub(super) fn check(
    answer: &Answer<'_>,
    asked: &Asked<'_>,
    ask: &[Ask],
    watch: &Stopwatch,
) -> Result<Checked, Failure> {
    let scenario = match runs::scenario(answer.exercise, asked.scenario, &[], &[])? {
        Ok(scenario) => scenario,
        Err(refused) => return Err(Failure::Input(format!("error: {}", refused.message))),
    };
    let Some(outcome) = runs::played(&scenario, watch, answer.limit_s) else {
        return Ok(Checked::TooLong);
    };
    if let Some(checked) = predict::values(answer, ask, &scenario, &outcome)? {
        return Ok(checked);
    }
    let settings = match answers::settings(answer, asked.may) {
        Ok(settings) => settings,
        Err(checked) => return Ok(checked),
    };
    if settings.is_empty() {
        return Ok(Checked::wrong("the diagnosis is right, and the patient waits: [set] is empty"));
    }
    if let Some(checked) = hold(answer, asked, &settings, watch)? {
        return Ok(checked);
    }
    Ok(Checked::Passed("the diagnosis is that of the run, and your remedy helps it".to_owned()))
}
