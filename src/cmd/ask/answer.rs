//! Runs the cases of questions side by side, and judges them.

use rayon::prelude::*;

use finwait_sim::measure::{Judged, Value};
use finwait_sim::run::{Outcome, run};
use finwait_sim::world::Turns;

use super::library::Entry;

/// A question with what came of its cases.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The question.
    pub(crate) entry: Entry,
    /// The runs of its cases, in their order.
    pub(crate) outcomes: Vec<Outcome>,
    /// What is shown of each case.
    pub(crate) shown: Vec<Vec<Value>>,
    /// What was expected of each case.
    pub(crate) judged: Vec<Vec<Judged>>,
    /// What was expected of several together.
    pub(crate) between: Vec<Judged>,
    /// The answer, with its numbers.
    pub(crate) text: String,
    /// What to do.
    pub(crate) advice: Option<String>,
}

/// Runs the cases of all of them, as many at a time as there are cores.
pub(crate) fn all(entries: Vec<Entry>) -> Vec<Answer> {
    let cases: Vec<_> = entries.iter().flat_map(|entry| &entry.study.cases).collect();
    let outcomes: Vec<Outcome> =
        cases.par_iter().map(|case| run(&case.scenario, Turns::Forward, |_| ())).collect();
    let mut outcomes = outcomes.into_iter();
    let answer = |entry: Entry| {
        let outcomes: Vec<Outcome> = outcomes.by_ref().take(entry.study.cases.len()).collect();
        Answer::new(entry, outcomes)
    };
    entries.into_iter().map(answer).collect()
}

impl Answer {
    fn new(entry: Entry, outcomes: Vec<Outcome>) -> Self {
        let study = &entry.study;
        let both = || study.cases.iter().zip(&outcomes);
        let shown = both().map(|(case, run)| case.show.iter().map(|m| m.of(run)).collect());
        let judged = both().map(|(case, run)| case.expect.iter().map(|w| w.judge(run)).collect());
        Self {
            shown: shown.collect(),
            judged: judged.collect(),
            between: study.between(&outcomes),
            text: study.answer(&outcomes),
            advice: study.advice(&outcomes),
            entry,
            outcomes,
        }
    }
    /// Is everything as expected?
    pub(crate) fn holds(&self) -> bool {
        self.judged.iter().flatten().chain(&self.between).all(|judged| judged.holds)
    }
    /// The names of what is shown, as they were written.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.entry.study.plan.show.iter().map(|located| located.text.as_str()).collect()
    }
}
