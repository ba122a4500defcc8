//! Somebody's decisions against the kernel's, in every case; the simplest wrong one as a ladder.

use core::fmt::Write as _;

use crate::lab::What;
use crate::rules::Rules;
use crate::subject::{Case, Seen, Subject};
use crate::text;

/// A decision, and what it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Its name among the subject's verdicts; `None`: nothing was decided.
    pub verdict: Option<&'static str>,
    /// `your rule in line 4`.
    pub by: String,
    /// That rule, as it was written; empty if it has no text.
    pub rule: String,
}

/// What came of an exam.
#[derive(Debug)]
pub struct Exam {
    /// How many cases there are.
    pub cases: usize,
    /// In how many of them the decision was another than the kernel's.
    pub wrong: usize,
    /// The simplest of those.
    pub first: Option<Wrong>,
}

/// A decision that is not the kernel's.
#[derive(Debug)]
pub struct Wrong {
    /// The subject.
    pub subject: Subject,
    /// The case.
    pub case: Case,
    /// What was decided.
    pub decision: Decision,
    /// What Linux did.
    pub seen: Seen,
}

/// Asks for a decision in every case.
pub fn exam(subject: &Subject, mut decide: impl FnMut(&Case, &Seen) -> Decision) -> Exam {
    let mut exam = Exam { cases: 0, wrong: 0, first: None };
    // The cases come with the simplest first, so the first wrong one is the smallest there is.
    for case in subject.cases() {
        exam.cases += 1;
        let seen = subject.observe(&case);
        let decision = decide(&case, &seen);
        if decision.verdict != Some(seen.verdict) {
            exam.wrong += 1;
            if exam.first.is_none() {
                exam.first = Some(Wrong { subject: *subject, case, decision, seen });
            }
        }
    }
    exam
}

impl Rules {
    /// The exam of a table of rules.
    pub fn exam(&self, subject: &Subject) -> Exam {
        exam(subject, |case, _| match self.decide(&case.values) {
            Some(rule) => Decision {
                verdict: Some(rule.verdict),
                by: format!("your rule in line {}", rule.line),
                rule: rule.text.clone(),
            },
            None => {
                Decision { verdict: None, by: "none of your rules".into(), rule: String::new() }
            }
        })
    }
}

impl Wrong {
    /// In one sentence: who decided what, about which segment, and what Linux does because of what.
    pub fn sentence(&self) -> String {
        let (number, segment) = self.seen.subject();
        let Decision { verdict, by, rule } = &self.decision;
        let rule = if rule.is_empty() { String::new() } else { format!(" (`{rule}`)") };
        let yours = match verdict {
            Some(name) => self.subject.verdict(name).does,
            None => "decides anything",
        };
        let does = self.subject.verdict(self.seen.verdict).does;
        let why = &self.seen.why;
        if self.subject.decides_segment {
            return format!("{by}{rule} {yours}: segment {number}, {segment}. Linux {does}: {why}");
        }
        let at = match self.seen.verdict {
            "rst" => format!(" for segment {number}: {segment}"),
            _ => String::new(),
        };
        format!("{by}{rule} {yours}. Linux {does}{at}. {why}")
    }
    /// The conversation as a ladder, what the decision would have sent, and the kernel's path.
    pub fn ladder(&self) -> String {
        let lab = &self.seen.lab;
        let mut told = text::ladder(lab, lab.rungs());
        let answered =
            lab.rungs()[self.seen.before..].iter().any(|r| matches!(r.what, What::Out(..)));
        if !answered {
            let _ = writeln!(told, "           Linux: nothing leaves");
        }
        let yours = match self.decision.verdict.map(|name| self.subject.verdict(name)) {
            None => "yours: nothing is decided".to_owned(),
            Some(v) if v.leaves.is_empty() => "yours: nothing leaves".to_owned(),
            Some(v) => format!("yours  ◀──  {}", v.leaves),
        };
        let _ = writeln!(told, "           {yours}");
        told
    }
    /// The names that conditions may use, with their values in this case.
    pub fn facts(&self) -> String {
        let words = self.subject.words.iter().zip(&self.case.values);
        let told = words.map(|(word, value)| match (word.kind, value) {
            (crate::expr::Kind::Number, n) => format!("{} = {n}", word.name),
            (crate::expr::Kind::Truth, 0) => format!("not {}", word.name),
            (crate::expr::Kind::Truth, _) => word.name.to_owned(),
        });
        told.collect::<Vec<_>>().join(", ")
    }
    /// All of it: for a test that fails.
    pub fn told(&self) -> String {
        format!(
            "{}\n\n{}\n  here: {}\n  in: {}\n",
            self.sentence(),
            self.ladder(),
            self.facts(),
            self.seen.path
        )
    }
}
