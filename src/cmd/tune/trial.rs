//! Whether the wish holds at a point: the scenario with it, played for every seed, on all cores.

use rayon::prelude::*;

use finwait_sim::measure::{Judged, Wish};
use finwait_sim::run::{Outcome, run_watched};
use finwait_sim::scenario::{Draft, Scenario};
use finwait_sim::tune::{Oracle, Point};
use finwait_sim::world::Turns;

use super::over::Knob;
use crate::interrupt::Interrupt;
use crate::progress::Tally;

/// A point that was tried.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    /// Where.
    pub(super) point: Point,
    /// Does the wish hold for all seeds?
    pub(super) holds: bool,
    /// What was found with the first seed for which it does not, or else with the first of all.
    pub(super) found: String,
    /// With how many seeds it holds.
    pub(super) seeds_held: usize,
    /// How far the worst seed is from what was wished; 0 if it holds.
    pub(super) distance: f64,
    /// The most of each host over all seeds, in the scenario's order.
    pub(super) peaks: Vec<HostPeak>,
}

/// The most that stood on a host at any sample.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct HostPeak {
    /// Timewait buckets.
    pub(super) buckets: u32,
    /// Orphans.
    pub(super) orphans: u32,
}

/// Plays it.
#[derive(Debug)]
pub(super) struct Trials<'a> {
    pub(super) draft: &'a Draft,
    pub(super) wish: &'a Wish,
    pub(super) knobs: &'a [Knob],
    pub(super) seeds: Vec<u64>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) progress: &'a Tally,
    /// Everything that was tried, in order.
    pub(super) tried: Vec<Tried>,
    /// Values that the scenario's parser refuses: the wish does not hold there.
    pub(super) refused: Vec<String>,
}

impl Trials<'_> {
    /// The scenario at a point, or why its values make none.
    pub(super) fn scenario(&self, point: &Point) -> Result<Scenario, String> {
        let mut draft = self.draft.clone();
        for (knob, &number) in self.knobs.iter().zip(point) {
            if number != knob.dial.now {
                let setting = knob.setting(number);
                draft.set(&setting).map_err(|error| format!("{setting}: {error}"))?;
            }
        }
        draft.scenario().map_err(|refusal| refusal.error.to_string())
    }
    fn judge(&self, point: &Point, outcomes: &[Outcome]) -> Tried {
        let judged: Vec<Judged> = outcomes.iter().map(|outcome| self.wish.judge(outcome)).collect();
        let shown = judged.iter().find(|judged| !judged.holds).or_else(|| judged.first());
        let hosts = outcomes.first().map_or(0, |outcome| outcome.hosts.len());
        let most = |host: usize| {
            let peaks = outcomes.iter().filter_map(|outcome| Some(outcome.hosts.get(host)?.peak));
            peaks.fold(HostPeak::default(), |most, peak| HostPeak {
                buckets: most.buckets.max(peak.tw),
                orphans: most.orphans.max(peak.orphan),
            })
        };
        Tried {
            point: point.clone(),
            holds: !judged.is_empty() && judged.iter().all(|judged| judged.holds),
            found: shown.map_or_else(String::new, |judged| judged.found.clone()),
            seeds_held: judged.iter().filter(|judged| judged.holds).count(),
            distance: match outcomes {
                // What is refused is as far away as can be.
                [] => f64::INFINITY,
                all => all.iter().map(|o| distance(self.wish, o)).fold(0.0, f64::max),
            },
            peaks: (0..hosts).map(most).collect(),
        }
    }
}

impl Oracle for Trials<'_> {
    fn ask(&mut self, points: &[Point]) -> Vec<bool> {
        let mut jobs: Vec<(usize, Scenario)> = Vec::new();
        for (number, point) in points.iter().enumerate() {
            match self.scenario(point) {
                Err(why) => self.refused.push(why),
                Ok(scenario) => jobs.extend(self.seeds.iter().map(|&seed| {
                    let scenario = Scenario { seed, ..scenario.clone() };
                    (number, scenario)
                })),
            }
        }
        self.progress.expect(jobs.len() as u64);
        // In the order in which they were asked for, however many there are at work.
        let outcomes: Vec<(usize, Outcome)> = jobs
            .into_par_iter()
            .map(|(number, scenario)| {
                let mut watch = self.interrupt.clone();
                let outcome = run_watched(&scenario, Turns::Forward, &mut watch, |_| ());
                self.progress.done();
                (number, outcome)
            })
            .collect();
        if self.interrupt.asked() {
            return vec![false; points.len()];
        }
        let mut outcomes = outcomes.into_iter().peekable();
        let mut answers = Vec::with_capacity(points.len());
        for (number, point) in points.iter().enumerate() {
            let mut mine = Vec::new();
            while let Some((_, outcome)) = outcomes.next_if(|(n, _)| *n == number) {
                mine.push(outcome);
            }
            let tried = self.judge(point, &mine);
            answers.push(tried.holds);
            self.tried.push(tried);
        }
        answers
    }
}

/// How far a run is from the wish: by how much its comparisons miss, summed up.
fn distance(wish: &Wish, outcome: &Outcome) -> f64 {
    let missing = wish.clauses.iter().filter(|clause| !clause.holds(outcome)).map(|clause| {
        let number = |value: finwait_sim::measure::Value| value.plain().parse::<f64>().ok();
        let sides = (number(clause.measure.of(outcome)), number(clause.bound.of(outcome)));
        let (Some(left), Some(right)) = sides else { return f64::INFINITY };
        (left - right).abs().max(f64::MIN_POSITIVE)
    });
    missing.sum()
}
