//! What a learner decides about: all cases of it, and what Linux does in each.

mod bucket;
mod nobody;
mod table;

use crate::expr::Word;
use crate::lab::{Lab, What};
use crate::text;

pub(crate) use bucket::bucket_of;

/// A question with many cases.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its name in files.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// The names that conditions may use.
    pub words: &'static [Word],
    /// What can be decided.
    pub verdicts: &'static [Verdict],
    /// Is one segment decided about, and not how a whole conversation ends?
    pub decides_segment: bool,
    /// How many values each of its dimensions has, the simplest first.
    sizes: &'static [usize],
    /// The values of the words for a pick of the dimensions; `None` if there is no such case.
    values: fn(&[usize]) -> Option<Vec<i64>>,
    /// Has Linux decide it.
    observe: fn(&[usize]) -> Seen,
}

/// What can be decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// How rules name it.
    pub name: &'static str,
    /// `answers with an ACK`, behind "Linux" or "your rule".
    pub does: &'static str,
    /// What leaves, as a ladder shows it; empty if nothing does.
    pub leaves: &'static str,
}

/// One case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Which value of each dimension.
    pick: Vec<usize>,
    /// The values of the words.
    pub values: Vec<i64>,
}

/// What Linux did.
#[derive(Debug)]
pub struct Seen {
    /// Its decision, by name.
    pub verdict: &'static str,
    /// Why.
    pub why: String,
    /// The kernel functions of the decision, outermost first.
    pub path: String,
    /// The conversation.
    pub lab: Lab,
    /// How many of the rungs came before the segment that is decided about.
    pub before: usize,
}

/// Every subject.
pub const SUBJECTS: [Subject; 5] =
    [nobody::NOBODY, bucket::FIN_WAIT_2, bucket::TIME_WAIT, bucket::BUCKET, table::TABLE];

impl Subject {
    /// The subject with that name.
    pub fn named(name: &str) -> Option<Self> {
        SUBJECTS.into_iter().find(|s| s.name == name)
    }
    /// All cases, the simplest first.
    pub fn cases(&self) -> Vec<Case> {
        let mut picks = vec![Vec::new()];
        for &size in self.sizes {
            let longer = |pick: &Vec<usize>| {
                let with = |n: usize| pick.iter().copied().chain([n]).collect::<Vec<_>>();
                (0..size).map(with).collect::<Vec<_>>()
            };
            picks = picks.iter().flat_map(longer).collect();
        }
        picks.sort_by_key(|pick| pick.iter().sum::<usize>());
        let case = |pick: Vec<usize>| Some(Case { values: (self.values)(&pick)?, pick });
        picks.into_iter().filter_map(case).collect()
    }
    /// What Linux does.
    pub fn observe(&self, case: &Case) -> Seen {
        (self.observe)(&case.pick)
    }
    /// The verdict with that name.
    ///
    /// # Panics
    ///
    /// If it has none: names are checked when rules are read.
    pub fn verdict(&self, name: &str) -> Verdict {
        let found = self.verdicts.iter().find(|v| v.name == name);
        *found.expect("invariant: verdicts are known by name")
    }
}

impl Seen {
    /// The segment that is decided about: its number on the ladder, and how it is told.
    pub fn subject(&self) -> (usize, String) {
        let rungs = self.lab.rungs();
        let number = text::segments(&rungs[..self.before]) + 1;
        let segment = rungs[self.before..].iter().find_map(|r| match &r.what {
            What::In(segment) => Some(self.lab.told(segment)),
            _ => None,
        });
        (number, segment.unwrap_or_default())
    }
}
