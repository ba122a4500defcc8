//! Is an answer right? One file for each kind of exercise.

mod answers;
mod diagnose;
mod experiment;
mod judge;
mod laws;
mod predict;
mod runs;
mod script;

use finwait_sim::scenario::Error;

use super::library::Exercise;
use super::spec::Check;
use crate::failure::Failure;
use crate::progress::Stopwatch;

/// What came of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Checked {
    /// It is right; what it was held against.
    Passed(String),
    /// It has its hole still.
    NotBegun(String),
    /// It cannot be read; the whole report.
    Unreadable(String),
    /// It is wrong.
    Wrong(Wrong),
    /// It took too long.
    TooLong,
}

/// What is wrong with an answer.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    /// In a sentence.
    pub(crate) sentence: String,
    /// The counterexample, as a ladder.
    pub(crate) ladder: String,
    /// What else is known of it.
    pub(crate) notes: Vec<String>,
}

impl Checked {
    /// Is it solved?
    pub(crate) const fn passed(&self) -> bool {
        matches!(self, Self::Passed(_))
    }
    /// In a word, for programs.
    pub(crate) const fn status(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::NotBegun(_) => "not-begun",
            Self::Unreadable(_) => "unreadable",
            Self::Wrong(_) => "wrong",
            Self::TooLong => "too-long",
        }
    }
    fn wrong(sentence: impl Into<String>) -> Self {
        Self::Wrong(Wrong { sentence: sentence.into(), ..Wrong::default() })
    }
}

/// An answer, where it stands, and how long its check may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// The exercise.
    pub(crate) exercise: &'a Exercise,
    /// The file, as it is shown.
    pub(crate) path: &'a str,
    /// What stands in it.
    pub(crate) text: &'a str,
    /// Seconds that its runs may take.
    pub(crate) limit_s: f64,
}

impl Answer<'_> {
    /// A mistake with its place.
    fn unreadable(&self, error: &Error) -> Checked {
        Checked::Unreadable(Failure::in_text(self.path, self.text, error).to_string())
    }
    fn mistake(&self, mistake: &finwait_learn::Mistake) -> Checked {
        self.unreadable(&Error {
            span: Some(mistake.span.clone()),
            message: mistake.message.clone(),
            expected: mistake.expected.clone(),
            help: None,
        })
    }
}

/// Checks an answer. An error is a mistake in the exercise.
pub(crate) fn check(answer: &Answer<'_>) -> Result<Checked, Failure> {
    if let Some(at) = hole(answer.text, &answer.exercise.spec.answer) {
        let error = Error {
            span: Some(at..at + HOLE.len()),
            message: "here is a hole".to_owned(),
            expected: "your answer goes here".to_owned(),
            help: None,
        };
        let shown = Failure::in_text(answer.path, answer.text, &error).to_string();
        return Ok(Checked::NotBegun(shown));
    }
    let watch = Stopwatch::start();
    match &answer.exercise.spec.check {
        Check::Predict { scenario, ask } => predict::check(answer, scenario, ask, &watch),
        Check::Script => script::check(answer),
        Check::Judge { subject } => judge::check(answer, subject),
        Check::Laws { subject: Some(subject), mutants } => {
            laws::decisions(answer, subject, mutants)
        }
        Check::Laws { subject: None, .. } => Ok(laws::conversations(answer)),
        Check::Experiment { scenario, may, expect, also } => {
            let asked = experiment::Asked { scenario, may, expect, also };
            experiment::check(answer, &asked, &watch)
        }
        Check::Diagnose { scenario, ask, may, expect } => {
            let asked = experiment::Asked { scenario, may, expect, also: &[] };
            diagnose::check(answer, &asked, ask, &watch)
        }
    }
}

const HOLE: &str = "???";

/// Where the first hole is that no comment speaks of.
fn hole(text: &str, file: &str) -> Option<usize> {
    let comment = if file.ends_with(".pkt") { "//" } else { "#" };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let said = line.split(comment).next().unwrap_or("");
        if let Some(place) = said.find(HOLE) {
            return Some(at + place);
        }
        at += line.len();
    }
    None
}
