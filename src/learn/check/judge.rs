//! A table of rules against what Linux decides.

use finwait_learn::rules::Rules;
use finwait_learn::subject::Subject;

use super::{Answer, Checked, Wrong};
use crate::failure::Failure;

/// The subject of an exercise.
pub(super) fn subject(name: &str) -> Result<Subject, Failure> {
    Subject::named(name).ok_or_else(|| {
        let names = finwait_learn::subject::SUBJECTS.map(|s| s.name).join(", ");
        Failure::Input(format!(
            "error: there is no subject {name:?}\n  = help: expected one of {names}"
        ))
    })
}

/// Asks it in every case.
pub(super) fn check(answer: &Answer<'_>, name: &str) -> Result<Checked, Failure> {
    let subject = subject(name)?;
    let rules = match Rules::parse(answer.text, subject.words, subject.verdicts) {
        Ok(rules) => rules,
        Err(mistake) => return Ok(answer.mistake(&mistake)),
    };
    let exam = rules.exam(&subject);
    let Some(first) = exam.first else {
        return Ok(Checked::Passed(format!("right in all {} cases", exam.cases)));
    };
    Ok(Checked::Wrong(Wrong {
        sentence: first.sentence(),
        ladder: first.ladder(),
        notes: vec![
            format!("here: {}", first.facts()),
            format!("kernel: {}", first.seen.path),
            format!("wrong in {} of {} cases; this is the simplest", exam.wrong, exam.cases),
        ],
    }))
}
