//! A decision as a table: `CONDITION -> VERDICT`, a rule a line, the first that fits decides.
//!
//! ```text
//! # What a host without a socket answers.
//! rst        -> drop
//! ack        -> rst
//! otherwise  -> rst-ack
//! ```

use core::ops::Range;

use crate::error::Mistake;
use crate::expr::{Condition, Values, Words};
use crate::subject::Verdict;

/// Nobody writes more by hand.
const MOST_BYTES: usize = 64 * 1024;

/// A table of rules that has been read.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Counted from 1.
    pub line: usize,
    /// As it was written.
    pub text: String,
    /// What follows from it.
    pub verdict: &'static str,
    /// `None`: `otherwise`.
    condition: Option<Condition>,
}

/// The lines that say something, without comments: number, place, text.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut at = 0;
    text.split('\n').enumerate().filter_map(move |(n, line)| {
        let start = at;
        at += line.len() + 1;
        let said = line.split('#').next().unwrap_or("");
        (!said.trim().is_empty()).then_some((n + 1, start, said))
    })
}

/// Refuses what is too long for a person to have written, and what still has its hole.
pub(crate) fn written(text: &str) -> Result<(), Mistake> {
    if text.len() > MOST_BYTES {
        let message = "the file is too long";
        return Err(Mistake::new(MOST_BYTES..MOST_BYTES, message, "expected at most 64 KiB"));
    }
    if let Some((_, start, line)) = lines(text).find(|(.., line)| line.contains("???")) {
        let at = start + line.find("???").unwrap_or(0);
        return Err(Mistake::new(at..at + 3, "here is the hole", "expected your answer"));
    }
    Ok(())
}

impl Rules {
    /// Reads a table. Spans of mistakes count within `text`.
    pub fn parse(text: &str, words: &Words, verdicts: &[Verdict]) -> Result<Self, Mistake> {
        written(text)?;
        let rule = |(line, start, said)| rule(line, start, said, words, verdicts);
        let rules = lines(text).map(rule).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            let expected = "expected at least one rule, CONDITION -> VERDICT";
            return Err(Mistake::new(text.len()..text.len(), "there is no rule", expected));
        }
        Ok(Self { rules })
    }
    /// The first rule that fits.
    pub fn decide(&self, values: &Values) -> Option<&Rule> {
        self.rules.iter().find(|r| r.condition.as_ref().is_none_or(|c| c.holds(values)))
    }
}

fn rule(
    line: usize,
    start: usize,
    said: &str,
    words: &Words,
    verdicts: &[Verdict],
) -> Result<Rule, Mistake> {
    let Some((left, right)) = said.split_once("->") else {
        let span = trimmed(said, start);
        let expected = "expected CONDITION -> VERDICT";
        return Err(Mistake::new(span, "this line has no verdict", expected));
    };
    let right_at = start + left.len() + 2;
    let name = right.trim();
    let Some(verdict) = verdicts.iter().find(|v| v.name == name) else {
        let names: Vec<&str> = verdicts.iter().map(|v| v.name).collect();
        let message = format!("there is no verdict {name:?}");
        let expected = format!("expected one of {}", names.join(", "));
        return Err(Mistake::new(trimmed(right, right_at), message, expected));
    };
    let condition = match left.trim() {
        "otherwise" => None,
        _ => Some(Condition::parse(left, words).map_err(|mistake| mistake.shifted(start))?),
    };
    let text = format!("{} -> {}", left.trim(), verdict.name);
    Ok(Rule { line, text, verdict: verdict.name, condition })
}

/// Where the text stands that is left without blanks at its ends.
pub(crate) fn trimmed(text: &str, at: usize) -> Range<usize> {
    let start = at + (text.len() - text.trim_start().len());
    start..start + text.trim().len()
}
