//! Plays random schedules until one violates the property, or all, and makes what was found as small
//! as it gets. The same seed finds the same, on any number of cores.

use finwait_sim::explore::judge::play_all;
use finwait_sim::explore::schedule::Size;
use finwait_sim::explore::smaller::smallest;
use finwait_sim::explore::{Kind, Property, Schedule, Violation};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rayon::prelude::*;

use super::generate::{self, Base};
use crate::interrupt::Interrupt;

/// Cases that are played before anybody looks whether to go on.
const CHUNK: u64 = 2048;
/// Steps of the generator's own shrinking, at most.
const SHRINKS: usize = 2000;

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The number of the case that showed it first, from 0; `None` if nobody has searched.
    pub(crate) case: Option<u64>,
    /// How large the schedule was when it was drawn.
    pub(crate) drawn: Size,
    /// The smallest that still shows it.
    pub(crate) schedule: Schedule,
    /// Where it shows.
    pub(crate) violation: Violation,
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Searched {
    /// One for each kind, in the order of the kinds.
    pub(crate) found: Vec<Found>,
    /// Cases that were played.
    pub(crate) cases: u64,
    /// Of those, how many showed any violation.
    pub(crate) violating: u64,
    /// Did somebody end it?
    pub(crate) interrupted: bool,
}

/// How far to search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Seeds every case.
    pub(crate) seed: u64,
    /// The most cases.
    pub(crate) cases: u64,
    /// Go on behind the first violation.
    pub(crate) all: bool,
}

/// Searches. `tell` hears how many cases were played and how many kinds were found.
pub(crate) fn search(
    base: &Base,
    property: &Property,
    reach: Reach,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(u64, usize),
) -> Searched {
    let strategy = || generate::schedule(base).boxed();
    let mut searched = Searched::default();
    let mut first: std::collections::BTreeMap<Kind, u64> = std::collections::BTreeMap::new();
    while searched.cases < reach.cases && (reach.all || first.is_empty()) {
        if interrupt.asked() {
            searched.interrupted = true;
            break;
        }
        let numbers = searched.cases..reach.cases.min(searched.cases + CHUNK);
        searched.cases = numbers.end;
        let kinds: Vec<(u64, Vec<Kind>)> = numbers
            .into_par_iter()
            .map_init(strategy, |strategy, number| {
                let tree = tree(strategy, reach.seed, number);
                let found = tree.map(|tree| play_all(&tree.current(), property));
                (number, found.unwrap_or_default().into_iter().map(|v| v.kind).collect())
            })
            .collect();
        for (number, kinds) in kinds {
            searched.violating += u64::from(!kinds.is_empty());
            for kind in kinds {
                first.entry(kind).or_insert(number);
            }
        }
        tell(searched.cases, first.len());
    }
    let mut kinds: Vec<(Kind, u64)> = first.into_iter().collect();
    if !reach.all {
        // The earliest case's.
        kinds.sort_by_key(|(_, number)| *number);
        kinds.truncate(1);
    }
    searched.found = kinds
        .into_par_iter()
        .map_init(strategy, |strategy, (kind, number)| {
            shrunk(strategy, property, reach.seed, number, kind)
        })
        .flatten()
        .collect();
    searched
}

type Schedules = proptest::strategy::BoxedStrategy<Schedule>;

/// The case with that number: every case has a stream of chance of its own.
fn tree(strategy: &Schedules, seed: u64, number: u64) -> Option<<Schedules as Strategy>::Tree> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner =
        TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    strategy.new_tree(&mut runner).ok()
}

/// Shrinks as proptest does, while a violation of that kind shows; then as far as it goes.
fn shrunk(
    strategy: &Schedules,
    property: &Property,
    seed: u64,
    case: u64,
    kind: Kind,
) -> Option<Found> {
    let mut tree = tree(strategy, seed, case)?;
    let drawn = tree.current();
    let shows = |schedule: &Schedule| play_all(schedule, property).iter().any(|v| v.kind == kind);
    let mut best = drawn.clone();
    let mut goes_on = tree.simplify();
    for _ in 0..SHRINKS {
        if !goes_on {
            break;
        }
        let smaller = tree.current();
        goes_on = if shows(&smaller) {
            best = smaller;
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    let (schedule, violation) = smallest(&best, property, kind)?;
    Some(Found { case: Some(case), drawn: drawn.size(), schedule, violation })
}
