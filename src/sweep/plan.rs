//! What a sweep runs: points, the same seeds for each, and what is measured.
//!
//! A [`Spec`] is what was asked for, as text; everything else follows from it. So a sweep that was
//! broken off, its shards, and `finwait merge` know from the spec alone that they belong together.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use finwait_sim::measure::Measure;
use finwait_sim::scenario::{Draft, Error, Refusal, Scenario};

use super::values::{Axis, Choice};
use crate::failure::Failure;

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// The version of finwait: another one may count differently.
    pub(crate) finwait: String,
    /// What the scenario is called if its text does not say.
    pub(crate) name: String,
    /// Its text, with what `--set` has changed.
    pub(crate) scenario: String,
    /// Each `--vary` as it was typed.
    pub(crate) vary: Vec<String>,
    /// How many points of a Latin hypercube, instead of a grid.
    pub(crate) latin: Option<usize>,
    /// How many seeds.
    pub(crate) seeds: u64,
    /// Each measure as it was typed.
    pub(crate) measures: Vec<String>,
}

/// What is run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) spec: Spec,
    /// The scenario before anything in it is varied.
    base: Draft,
    /// A point of the sweep that is a scenario.
    pub(crate) scenario: Scenario,
    pub(crate) keys: Vec<String>,
    pub(crate) points: Points,
    pub(crate) measures: Vec<Measure>,
}

/// Every combination of what is varied.
#[derive(Debug)]
pub(crate) enum Points {
    /// Each value of each with each value of every other; the last goes round fastest.
    Grid(Vec<Vec<String>>),
    /// So and no others.
    List(Vec<Vec<String>>),
}

/// What is measured unless something else is asked for.
pub(crate) const MEASURES: [&str; 5] = ["rst_sent", "overflow", "peak.tw", "EADDRNOTAVAIL", "p99"];

/// Runs that a sweep may have.
const MOST_RUNS: usize = 1_000_000;

impl Plan {
    /// Works out what is meant; `set` is what `--set` has put into `base`, for complaints.
    pub(crate) fn new(spec: Spec, base: Draft, set: &[String]) -> Result<Self, Failure> {
        let told = |text: &str, error: &Error| Failure::in_text("--vary", text, error);
        let mut axes: Vec<Axis> = Vec::new();
        for text in &spec.vary {
            let axis = Axis::parse(text).map_err(|error| told(text, &error))?;
            if axes.iter().any(|other| other.key == axis.key) {
                let message = format!("{} is varied twice", axis.key);
                let error = wrong(axis.key.len(), message, "expected all its values in one --vary");
                return Err(told(text, &error));
            }
            if axis.key == "seed" && spec.seeds > 1 {
                let message = "the seed is varied, and so it is by --seeds".to_owned();
                return Err(told(text, &wrong(axis.key.len(), message, "expected one of the two")));
            }
            axes.push(axis);
        }
        let sample = |axis: &Axis| match spec.latin {
            // Where in its range a value is drawn changes nothing about whether it can be set.
            Some(count) => axis.latin(count, 0),
            None => axis.grid(),
        };
        let mut choices = Vec::new();
        for (axis, text) in axes.iter().zip(&spec.vary) {
            choices.push(sample(axis).map_err(|error| told(text, &error))?);
        }
        let scenario = Probe { base: &base, set, axes: &axes, choices: &choices, vary: &spec.vary }
            .scenario()?;
        let points = match spec.latin {
            Some(count) => Points::latin(&axes, count, scenario.seed)
                .map_err(|error| Failure::Input(format!("error: {error}")))?,
            None => {
                let values = |all: Vec<Choice>| all.into_iter().map(|c| c.value).collect();
                Points::Grid(choices.into_iter().map(values).collect())
            }
        };
        let runs = points.count().and_then(|points| points.checked_mul(spec.seeds as usize));
        if runs.is_none_or(|runs| runs > MOST_RUNS) {
            return Err(Failure::Input(format!(
                "error: the sweep has too many points\n  = help: expected at most {MOST_RUNS} runs; \
                 --latin N takes a sample"
            )));
        }
        let measures = measures(&spec.measures, &scenario)?;
        let keys = axes.into_iter().map(|axis| axis.key).collect();
        Ok(Self { spec, base, scenario, keys, points, measures })
    }
    /// How many runs there are: points, times seeds.
    pub(crate) fn runs(&self) -> usize {
        self.points.count().unwrap_or(0) * self.spec.seeds as usize
    }
    /// The point of a run.
    pub(crate) const fn point_of(&self, run: usize) -> usize {
        run / self.spec.seeds as usize
    }
    /// The values of a run's point.
    pub(crate) fn values(&self, run: usize) -> Vec<&str> {
        self.points.get(self.point_of(run))
    }
    /// What a run is called: its settings, and its seed if there are several.
    pub(crate) fn name(&self, run: usize) -> String {
        let pairs = self.keys.iter().zip(self.values(run));
        let mut parts: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        if self.spec.seeds > 1 {
            parts.push(format!("seed {}", run as u64 % self.spec.seeds + 1));
        }
        parts.join(", ")
    }
    /// The scenario of a run, or why there is none.
    pub(crate) fn scenario_of(&self, run: usize) -> Result<Scenario, String> {
        let mut draft = self.base.clone();
        for (key, value) in self.keys.iter().zip(self.values(run)) {
            draft.set(&format!("{key}={value}")).map_err(|error| error.to_string())?;
        }
        let mut scenario = draft.scenario().map_err(|refusal| refusal.error.to_string())?;
        scenario.seed = scenario.seed.wrapping_add(run as u64 % self.spec.seeds);
        Ok(scenario)
    }
}

impl Points {
    fn latin(axes: &[Axis], count: usize, seed: u64) -> Result<Self, Error> {
        let columns = axes.iter().map(|axis| axis.latin(count, seed));
        let columns: Vec<Vec<Choice>> = columns.collect::<Result<_, _>>()?;
        let mut seen = BTreeSet::new();
        let mut list = Vec::new();
        for n in 0..count {
            let point: Vec<String> = columns.iter().map(|all| all[n].value.clone()).collect();
            // Short lists meet more than once; a run twice would tell nothing.
            if seen.insert(point.clone()) {
                list.push(point);
            }
        }
        Ok(Self::List(list))
    }
    /// How many there are; `None` if they cannot be counted.
    fn count(&self) -> Option<usize> {
        match self {
            Self::Grid(axes) => {
                axes.iter().try_fold(1_usize, |all, axis| all.checked_mul(axis.len()))
            }
            Self::List(list) => Some(list.len()),
        }
    }
    fn get(&self, mut index: usize) -> Vec<&str> {
        match self {
            Self::List(list) => list[index].iter().map(String::as_str).collect(),
            Self::Grid(axes) => {
                let mut values: Vec<&str> = Vec::with_capacity(axes.len());
                for axis in axes.iter().rev() {
                    values.push(&axis[index % axis.len()]);
                    index /= axis.len();
                }
                values.reverse();
                values
            }
        }
    }
}

/// Looks for a point that is a scenario, before anything runs: a key that is wrong is found at once,
/// while a value that is refused is a row of the table.
struct Probe<'a> {
    base: &'a Draft,
    set: &'a [String],
    axes: &'a [Axis],
    choices: &'a [Vec<Choice>],
    vary: &'a [String],
}

impl Probe<'_> {
    fn scenario(&self) -> Result<Scenario, Failure> {
        let mut found = None;
        for axis in 0..self.axes.len() {
            let mut first = None;
            let mut place = vec![0; self.axes.len()];
            let fits = (0..self.choices[axis].len()).any(|n| {
                place[axis] = n;
                match self.try_point(&place) {
                    Ok(scenario) => {
                        found.get_or_insert(scenario);
                        true
                    }
                    Err(failure) => {
                        first.get_or_insert(failure);
                        false
                    }
                }
            });
            if let Some(failure) = first.filter(|_| !fits) {
                return Err(failure);
            }
        }
        // Without anything to vary there is the base alone.
        found.map_or_else(|| self.try_point(&[]), Ok)
    }
    fn try_point(&self, place: &[usize]) -> Result<Scenario, Failure> {
        let mut draft = self.base.clone();
        for (axis, &n) in place.iter().enumerate() {
            let value = &self.choices[axis][n].value;
            let set = draft.set(&format!("{}={value}", self.axes[axis].key));
            set.map_err(|error| self.in_axis(axis, n, error))?;
        }
        draft.scenario().map_err(|Refusal { change, error }| {
            let before = self.base.changes();
            match change {
                Some(change) if change >= before => {
                    self.in_axis(change - before, place[change - before], error)
                }
                Some(change) if change < self.set.len() => {
                    Failure::in_text("--set", &self.set[change], &error)
                }
                _ => Failure::Input(format!("error: {error}")),
            }
        })
    }
    /// An error in `KEY=VALUE`, shown in what was typed for that key.
    fn in_axis(&self, axis: usize, n: usize, error: Error) -> Failure {
        let in_key = |span: &std::ops::Range<usize>| span.end <= self.axes[axis].key.len();
        let span = error.span.clone().filter(in_key);
        let span = span.unwrap_or_else(|| self.choices[axis][n].span.clone());
        Failure::in_text("--vary", &self.vary[axis], &Error { span: Some(span), ..error })
    }
}

fn measures(texts: &[String], scenario: &Scenario) -> Result<Vec<Measure>, Failure> {
    let mut measures: Vec<Measure> = Vec::new();
    for text in texts {
        let measure = Measure::parse(text, scenario)
            .map_err(|error| Failure::in_text("--measure", text, &error))?;
        if measures.iter().any(|other| other.column() == measure.column()) {
            let message = format!("{measure} is measured already");
            let error = wrong(text.len(), message, "expected each measure once");
            return Err(Failure::in_text("--measure", text, &error));
        }
        measures.push(measure);
    }
    Ok(measures)
}

fn wrong(length: usize, message: String, expected: &str) -> Error {
    Error { span: Some(0..length), message, expected: expected.to_owned(), help: None }
}
