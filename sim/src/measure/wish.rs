//! A wish: what should have come of a run, `web.rst_sent == 0 and web.p99 < 40ms`.

use core::cmp::Ordering;
use core::fmt;
use core::ops::Range;

use super::{Measure, Value, trimmed};
use crate::run::Outcome;
use crate::scenario::{Error, Scenario};

/// Comparisons that should all hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The comparisons, in the order in which they were written; at least one.
    pub clauses: Vec<Clause>,
    text: String,
}

/// One comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clause {
    /// What is looked at.
    pub measure: Measure,
    /// How it should stand to the other side.
    pub relation: Relation,
    /// The other side.
    pub bound: Bound,
}

/// The other side of a comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bound {
    /// A number.
    Value(Value),
    /// Another measure of the same run.
    Measure(Measure),
}

/// How one side should stand to the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`
    Differs,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// What a wish came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Does every comparison hold?
    pub holds: bool,
    /// What was found: of the comparisons that do not hold, or of all if they do.
    pub found: String,
    /// What was wanted, as it was written.
    pub wanted: String,
}

/// The longer ones first, so that `<=` is not read as `<`.
const RELATIONS: [(&str, Relation); 6] = [
    ("==", Relation::Equal),
    ("!=", Relation::Differs),
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Less),
    (">", Relation::More),
];

impl Wish {
    /// Reads `MEASURE RELATION NUMBER`, several joined with `and`; the other side may be a measure,
    /// too. The spans of errors count within `text`.
    pub fn parse(text: &str, scenario: &Scenario) -> Result<Self, Error> {
        let mut clauses = Vec::new();
        let mut at = 0;
        for piece in text.split(" and ") {
            clauses.push(clause(piece, at, scenario)?);
            at += piece.len() + " and ".len();
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { clauses, text })
    }
    /// Does it hold for that run?
    pub fn judge(&self, outcome: &Outcome) -> Judged {
        let broken: Vec<&Clause> = self.clauses.iter().filter(|c| !c.holds(outcome)).collect();
        let holds = broken.is_empty();
        let told = if holds { self.clauses.iter().collect() } else { broken };
        let found: Vec<String> = told.iter().map(|clause| clause.found(outcome)).collect();
        Judged { holds, found: found.join(" and "), wanted: self.text.clone() }
    }
}

/// As it was written.
impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Clause {
    /// Does it hold for that run? What has no value compares with nothing.
    pub fn holds(&self, outcome: &Outcome) -> bool {
        let (left, right) = (self.measure.of(outcome), self.bound.of(outcome));
        left.compare(right).is_some_and(|order| self.relation.fits(order))
    }
    fn found(&self, outcome: &Outcome) -> String {
        let left = format!("{} is {}", self.measure, self.measure.of(outcome));
        match &self.bound {
            Bound::Value(_) => left,
            Bound::Measure(other) => format!("{left}, {other} is {}", other.of(outcome)),
        }
    }
}

impl Bound {
    /// What it comes to in that run.
    pub fn of(&self, outcome: &Outcome) -> Value {
        match self {
            Self::Value(value) => *value,
            Self::Measure(measure) => measure.of(outcome),
        }
    }
}

impl Relation {
    /// Splits a comparison into its sides.
    pub fn split(text: &str) -> Option<(&str, Self, &str)> {
        RELATIONS.into_iter().find_map(|(sign, relation)| {
            text.split_once(sign).map(|(left, right)| (left, relation, right))
        })
    }
    /// Does it hold between two sides that compare so?
    pub const fn fits(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Differs => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = RELATIONS.iter().find(|(_, relation)| relation == self);
        f.write_str(known.map_or("", |(text, _)| text))
    }
}

fn clause(text: &str, at: usize, scenario: &Scenario) -> Result<Clause, Error> {
    let Some((place, sign, relation)) = relation(text) else {
        let span = trimmed(text, at);
        let help = lone_equals(text).then(|| "did you mean `==`?".to_owned());
        let message = "nothing is compared here".to_owned();
        let expected = "expected ==, !=, <, <=, > or >=, as in web.rst_sent == 0".to_owned();
        return Err(Error::new(span, message, expected).with_help(help));
    };
    let measure = Measure::parse(&text[..place], scenario).map_err(|e| shifted(e, at))?;
    let rest = place + sign.len();
    let bound = bound(&text[rest..], at + rest, &measure, scenario)?;
    Ok(Clause { measure, relation, bound })
}

fn relation(text: &str) -> Option<(usize, &'static str, Relation)> {
    let found = RELATIONS.iter().filter_map(|(sign, relation)| {
        let place = text.find(sign)?;
        Some((place, *sign, *relation))
    });
    found.min_by_key(|(place, sign, _)| (*place, core::cmp::Reverse(sign.len())))
}

fn lone_equals(text: &str) -> bool {
    text.contains('=')
}

fn bound(text: &str, at: usize, measure: &Measure, scenario: &Scenario) -> Result<Bound, Error> {
    let span: Range<usize> = trimmed(text, at);
    let number = text.trim();
    let begins_as_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if number.is_empty() || begins_as_number {
        let value = Value::parse(number).map_err(|expected| {
            Error::new(span.clone(), format!("{number:?} is no number"), expected)
        })?;
        return value.meant_as(measure.unit()).map(Bound::Value).ok_or_else(|| {
            let message = format!("{number} is not what {measure} is measured in");
            Error::new(span, message, measure.unit().expected().to_owned())
        });
    }
    let other = Measure::parse(text, scenario).map_err(|e| shifted(e, at))?;
    if other.unit() != measure.unit() {
        let message = format!("{measure} and {other} are not measured in the same");
        return Err(Error::new(span, message, measure.unit().expected().to_owned()));
    }
    Ok(Bound::Measure(other))
}

fn shifted(error: Error, by: usize) -> Error {
    let span = error.span.map(|span| span.start + by..span.end + by);
    Error { span, ..error }
}
