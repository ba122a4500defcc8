//! Values about a run: each is right if the wish holds that it stands in.

use super::super::spec::Ask;
use super::{Answer, Checked, Wrong, answers, runs};
use crate::failure::Failure;
use crate::progress::Stopwatch;
use finwait_sim::run::Outcome;
use finwait_sim::scenario::Scenario;

/// Runs the scenario and looks at every value.
pub(super) fn check(
    answer: &Answer<'_>,
    file: &str,
    ask: &[Ask],
    watch: &Stopwatch,
) -> Result<Checked, Failure> {
    let scenario = match runs::scenario(answer.exercise, file, &[], &[])? {
        Ok(scenario) => scenario,
        Err(refused) => return Err(Failure::Input(format!("error: {}", refused.message))),
    };
    let Some(outcome) = runs::played(&scenario, watch, answer.limit_s) else {
        return Ok(Checked::TooLong);
    };
    match values(answer, ask, &scenario, &outcome)? {
        Some(Checked::Wrong(wrong)) => {
            let ladder = runs::ladder(&scenario, &outcome)?;
            Ok(Checked::Wrong(Wrong { ladder, ..wrong }))
        }
        Some(other) => Ok(other),
        None if ask.len() == 1 => Ok(Checked::Passed("the run says so, too".to_owned())),
        None => Ok(Checked::Passed(format!("the run says so, too, {} times", ask.len()))),
    }
}

/// What is wrong with the values, if anything is.
pub(super) fn values(
    answer: &Answer<'_>,
    ask: &[Ask],
    scenario: &Scenario,
    outcome: &Outcome,
) -> Result<Option<Checked>, Failure> {
    let keys: Vec<&str> = ask.iter().map(|a| a.key.as_str()).collect();
    let values = match answers::values(answer, &keys) {
        Ok(values) => values,
        Err(checked) => return Ok(Some(checked)),
    };
    let mut false_ones = Vec::new();
    for ask in ask {
        let value = &values[&ask.key];
        let Some(text) = answers::told(value.get_ref()) else {
            let message = "this is no answer".to_owned();
            let error = answers::wrong(value.span(), message, expected(ask));
            return Ok(Some(answer.unreadable(&error)));
        };
        let wish = match &ask.holds {
            // A text where a number should be is no wish.
            Some(_) if !text.bytes().all(|b| b.is_ascii_digit()) || text.is_empty() => None,
            Some(holds) => Some(holds.replace("{}", &text)),
            None => ask.choice.get(&text).cloned(),
        };
        let Some(wish) = wish else {
            let message = format!("{text:?} is none of the answers");
            let error = answers::wrong(value.span(), message, expected(ask));
            return Ok(Some(answer.unreadable(&error)));
        };
        if !runs::judged(answer.exercise, &wish, scenario, outcome)?.holds {
            false_ones.push(format!("{} = {text}", ask.key));
        }
    }
    if false_ones.is_empty() {
        return Ok(None);
    }
    let told = false_ones.join(", ");
    let right = ask.len() - false_ones.len();
    Ok(Some(Checked::wrong(format!("not so: {told} ({right} of {} are right)", ask.len()))))
}

fn expected(ask: &Ask) -> String {
    if ask.choice.is_empty() {
        return "expected a whole number".to_owned();
    }
    let names: Vec<&str> = ask.choice.keys().map(String::as_str).collect();
    format!("expected one of {}", names.join(", "))
}
