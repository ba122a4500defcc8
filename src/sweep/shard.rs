//! A part of a sweep, for another machine: every Nth point.

use serde::{Deserialize, Serialize};

use finwait_sim::scenario::Error;

use crate::failure::Failure;

/// `K/N`: of N parts the Kth, counted from 1. Points next to one another go to different shards, so
/// that the slow corner of a grid is shared out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Shard {
    pub(crate) number: usize,
    pub(crate) of: usize,
}

impl Shard {
    /// Reads `K/N`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let numbers = text.split_once('/').map(|(number, of)| (number.parse(), of.parse()));
        match numbers {
            Some((Ok(number), Ok(of))) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => {
                let error = Error {
                    span: Some(0..text.len()),
                    message: format!("{text:?} is no part of a sweep"),
                    expected: "expected K/N with K from 1 to N, such as 1/8".to_owned(),
                    help: None,
                };
                Err(Failure::in_text("--shard", text, &error))
            }
        }
    }
    /// Is that point in it?
    pub(crate) const fn has(self, point: usize) -> bool {
        point % self.of == self.number - 1
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}
