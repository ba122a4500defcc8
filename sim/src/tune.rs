//! The smallest change that makes a wish hold: a search over whole numbers that asks somebody else
//! whether it holds at a point, and assumes nothing about him.
//!
//! A [`Dial`] is something that can be set: where it stands, and how far it may go. Along one dial the
//! search goes outwards from where it stands, in steps that grow, until the wish holds; then it halves
//! what lies between the last failure and the first success. That finds the nearest success if there
//! is one edge only. So points on both sides of the edge are looked at as well, and if one of them
//! contradicts it, the search says so and begins again with what it knows now, until nothing
//! contradicts it any more. What it returns holds, and a step nearer to where the dial stands fails:
//! both have been asked.
//!
//! Several dials are changed only if no single one helps: pairs, triples and so on are tried on a coarse
//! grid, and what holds is brought nearer, dial by dial, until no single step nearer holds.

mod along;
mod several;

pub use along::{Edge, along};
pub use several::{Found, search};

use std::collections::BTreeMap;

/// Something that can be set to a whole number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dial {
    /// Where it stands.
    pub now: u64,
    /// The lowest that it may be set to.
    pub low: u64,
    /// The highest.
    pub high: u64,
}

/// Where every dial is set to, in their order.
pub type Point = Vec<u64>;

/// Answers whether the wish holds. Several points may be asked at once; the answers stand in their
/// order, and must not depend on what else is asked.
pub trait Oracle {
    /// Does it hold at each of these points?
    fn ask(&mut self, points: &[Point]) -> Vec<bool>;
}

/// Remembers what has been answered, so that nothing is asked twice.
#[derive(Debug)]
pub struct Memory<O> {
    oracle: O,
    known: BTreeMap<Point, bool>,
}

impl<O: Oracle> Memory<O> {
    /// Nothing has been asked.
    pub const fn new(oracle: O) -> Self {
        Self { oracle, known: BTreeMap::new() }
    }
    /// Does it hold at each of these points?
    pub fn ask(&mut self, points: &[Point]) -> Vec<bool> {
        let mut open: Vec<Point> = Vec::new();
        for point in points {
            if !self.known.contains_key(point) && !open.contains(point) {
                open.push(point.clone());
            }
        }
        if !open.is_empty() {
            let answers = self.oracle.ask(&open);
            self.known.extend(open.into_iter().zip(answers));
        }
        points.iter().map(|point| self.known.get(point).copied().unwrap_or(false)).collect()
    }
    /// Does it hold there?
    pub fn holds(&mut self, point: &Point) -> bool {
        self.ask(std::slice::from_ref(point)).first().copied().unwrap_or(false)
    }
    /// Who answers.
    pub fn into_oracle(self) -> O {
        self.oracle
    }
}

impl Dial {
    /// How far from where it stands that value is, as a factor in thousandths: 2000 for twice as much,
    /// or half as much. Zero counts as one half.
    pub fn factor(&self, value: u64) -> u128 {
        let twice = |n: u64| (u128::from(n) * 2).max(1);
        let (a, b) = (twice(self.now), twice(value));
        a.max(b) * 1000 / a.min(b)
    }
}
