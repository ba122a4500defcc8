//! Kernels that are wrong on purpose: Linux, except for one rule.

use crate::error::Mistake;
use crate::rules::Rules;
use crate::subject::{Case, Seen, Subject};

/// A kernel that decides by its own rule where that fits, and else as Linux does.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What it does wrong, in words.
    pub about: String,
    rules: Rules,
}

impl Mutant {
    /// The mutant with that rule, `CONDITION -> VERDICT`.
    pub fn new(about: &str, rule: &str, subject: &Subject) -> Result<Self, Mistake> {
        let rules = Rules::parse(rule, subject.words, subject.verdicts)?;
        Ok(Self { about: about.to_owned(), rules })
    }
    /// Its decision.
    pub fn decide(&self, case: &Case, seen: &Seen) -> &'static str {
        self.rules.decide(&case.values).map_or(seen.verdict, |rule| rule.verdict)
    }
}
