//! The language of conditions: `fin and seq == rcv_nxt and not rst`.
//!
//! There are whole numbers and truths, and nothing else; what a name means comes from the exercise
//! ([`Words`]). Types are checked when a condition is read, so it can be evaluated without an error.

mod lexer;
mod parser;

use crate::error::Mistake;
pub(crate) use lexer::{Token, lex};

/// What a name in a condition stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// True or false.
    Truth,
    /// A whole number.
    Number,
}

impl Kind {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Truth => "a condition",
            Self::Number => "a number",
        }
    }
}

/// A name that conditions may use.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// How it is written.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it means, for whoever asks.
    pub about: &'static str,
}

/// A truth with that name.
pub(crate) const fn truth(name: &'static str, about: &'static str) -> Word {
    Word { name, kind: Kind::Truth, about }
}

/// A number with that name.
pub(crate) const fn number(name: &'static str, about: &'static str) -> Word {
    Word { name, kind: Kind::Number, about }
}

/// All names that conditions may use, in the order of the values that they are evaluated with.
pub type Words = [Word];

/// A condition that has been read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition(Node);

/// Values of names: truths are 0 and 1.
pub type Values = [i64];

#[derive(Clone, PartialEq, Eq, Debug)]
enum Node {
    Literal(i64),
    /// A name, by its place.
    Name(usize),
    /// A name of the earlier event, `that.seq`.
    That(usize),
    Not(Box<Self>),
    Minus(Box<Self>),
    Two(Op, Box<Self>, Box<Self>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Op {
    Implies,
    Or,
    And,
    Equal,
    Differs,
    Less,
    AtMost,
    More,
    AtLeast,
    Plus,
    Minus,
}

impl Condition {
    /// Reads a condition over those words. Spans of mistakes count within `text`.
    pub fn parse(text: &str, words: &Words) -> Result<Self, Mistake> {
        parser::parse(text, words, false).map(Self)
    }
    /// The same where `that.NAME` means the earlier of two events.
    pub fn parse_with_that(text: &str, words: &Words) -> Result<Self, Mistake> {
        parser::parse(text, words, true).map(Self)
    }
    /// Does it hold for those values?
    pub fn holds(&self, values: &Values) -> bool {
        self.0.value(values, values) != 0
    }
    /// Does it hold for those values, after an event with those others?
    pub fn holds_after(&self, values: &Values, that: &Values) -> bool {
        self.0.value(values, that) != 0
    }
}

impl Node {
    fn value(&self, now: &Values, that: &Values) -> i64 {
        let of = |node: &Self| node.value(now, that);
        match self {
            Self::Literal(n) => *n,
            Self::Name(place) => now[*place],
            Self::That(place) => that[*place],
            Self::Not(inner) => i64::from(of(inner) == 0),
            Self::Minus(inner) => of(inner).wrapping_neg(),
            Self::Two(op, left, right) => match op {
                Op::Implies => i64::from(of(left) == 0 || of(right) != 0),
                Op::Or => i64::from(of(left) != 0 || of(right) != 0),
                Op::And => i64::from(of(left) != 0 && of(right) != 0),
                Op::Equal => i64::from(of(left) == of(right)),
                Op::Differs => i64::from(of(left) != of(right)),
                Op::Less => i64::from(of(left) < of(right)),
                Op::AtMost => i64::from(of(left) <= of(right)),
                Op::More => i64::from(of(left) > of(right)),
                Op::AtLeast => i64::from(of(left) >= of(right)),
                Op::Plus => of(left).wrapping_add(of(right)),
                Op::Minus => of(left).wrapping_sub(of(right)),
            },
        }
    }
}

#[cfg(test)]
mod tests;
