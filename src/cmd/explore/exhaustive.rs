//! `--exhaustive`: every interleaving of a small scope, level by level, so that the first violation of
//! a kind is one of the shortest.

use std::collections::{BTreeMap, BTreeSet};

use finwait_sim::explore::every::{Action, Reached, Scope};
use finwait_sim::explore::judge::play_all;
use finwait_sim::explore::smaller::smallest;
use finwait_sim::explore::{Kind, Property};
use rayon::prelude::*;

use super::search::{Found, Searched};
use crate::interrupt::Interrupt;

/// What an exhaustive search came to.
#[derive(Clone, Debug)]
pub(crate) struct Explored {
    /// Distinct states of each depth, from the beginning on.
    pub(crate) levels: Vec<u64>,
    /// Transitions between states.
    pub(crate) transitions: u64,
    /// States in which nothing can happen any more.
    pub(crate) ends: u64,
    /// Was everything within the depth looked at, and nothing beyond it left?
    pub(crate) whole: bool,
    /// States in which the property was violated: nothing is looked for behind them.
    pub(crate) violations: u64,
    /// Violations whose walk could not be told as a schedule, by kind, with the walk.
    pub(crate) untold: Vec<(Kind, Vec<Action>)>,
    /// The others.
    pub(crate) searched: Searched,
}

/// A state as the actions that lead to it, with what may happen then.
type Walk = (Vec<Action>, Vec<Action>);

/// Looks at every state up to that depth. `tell` hears of each level.
pub(crate) fn explore(
    scope: &Scope,
    property: &Property,
    depth: usize,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(usize, u64),
) -> Explored {
    let beginning = scope.beginning();
    let first = scope.reach(&beginning, &[], property);
    let mut known: BTreeSet<u128> = BTreeSet::from([first.fingerprint]);
    let mut level: Vec<Walk> = vec![(Vec::new(), first.next)];
    let mut kinds: BTreeMap<Kind, Vec<Action>> = BTreeMap::new();
    let mut explored = Explored {
        levels: vec![1],
        transitions: 0,
        ends: 0,
        whole: false,
        violations: 0,
        untold: Vec::new(),
        searched: Searched::default(),
    };
    for now in 1..=depth {
        if level.is_empty() || interrupt.asked() {
            break;
        }
        let reached: Vec<(Vec<Action>, Reached)> = level
            .par_iter()
            .flat_map_iter(|(walk, next)| next.iter().map(move |action| (walk, *action)))
            .map(|(walk, action)| {
                let walk: Vec<Action> = walk.iter().copied().chain([action]).collect();
                let reached = scope.reach(&beginning, &walk, property);
                (walk, reached)
            })
            .collect();
        explored.transitions += reached.len() as u64;
        level = Vec::new();
        let mut new = 0;
        for (walk, reached) in reached {
            if !known.insert(reached.fingerprint) {
                continue;
            }
            new += 1;
            explored.ends += u64::from(reached.next.is_empty());
            match reached.violation {
                Some(violation) => {
                    explored.violations += 1;
                    kinds.entry(violation.kind).or_insert(walk);
                }
                None => level.push((walk, reached.next)),
            }
        }
        level.retain(|(_, next)| !next.is_empty());
        if new > 0 {
            explored.levels.push(new);
        }
        tell(now, known.len() as u64);
    }
    explored.whole = level.is_empty();
    explored.searched.interrupted = interrupt.asked();
    explored.searched.violating = explored.violations;
    explored.searched.cases = known.len() as u64;
    for (kind, walk) in kinds {
        match found(scope, property, kind, &walk) {
            Some(found) => explored.searched.found.push(found),
            None => explored.untold.push((kind, walk)),
        }
    }
    explored
}

/// The walk as a schedule, as small as it gets.
fn found(scope: &Scope, property: &Property, kind: Kind, walk: &[Action]) -> Option<Found> {
    let schedule = scope.schedule(walk);
    let shows = play_all(&schedule, property).iter().any(|v| v.kind == kind);
    let drawn = schedule.size();
    let (schedule, violation) = shows.then(|| smallest(&schedule, property, kind)).flatten()?;
    Some(Found { case: None, drawn, schedule, violation })
}
