//! A run as a whole: its tables over time, its counter-run, the same with changes.

use std::path::Path;

use finwait_sim::recording::Header;
use finwait_sim::run::{Outcome, run};
use finwait_sim::scenario::{Draft, Scenario};
use finwait_sim::world::Turns;
use finwait_viz::run::Run;

use super::{Kind, Source, broken};
use crate::failure::Failure;
use crate::plan;
use crate::progress::Bar;

impl Source {
    /// Does it have everything that happened? Not if only a part of it was recorded.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.kind {
            Kind::Simulated { .. } => true,
            Kind::Recorded(recording) => recording.header().filter.is_none(),
        }
    }
    /// How the tables of every host went, to the end of the run; a scenario is played for it.
    pub(crate) fn tables(&self) -> Result<Run, Failure> {
        match &self.kind {
            Kind::Recorded(recording) => Run::read(recording).map_err(|e| broken(&self.path, &e)),
            Kind::Simulated { scenario, .. } => Ok(Run::from(&self.played(scenario))),
        }
    }
    /// The scenario's counter-run, with what would have helped; `None` if it does not say what that
    /// is.
    pub(crate) fn counter_run(&self) -> Result<Option<Self>, Failure> {
        let counter = match &self.kind {
            Kind::Simulated { scenario, .. } => scenario.counter_run(),
            Kind::Recorded(recording) => {
                let toml = &recording.header().toml;
                let scenario = recording.scenario();
                scenario.map_err(|e| Failure::in_text(&self.path, toml, &e))?.counter_run()
            }
        };
        Ok(counter.map(|scenario| Self::simulated(scenario, self.path.clone())))
    }
    fn played(&self, scenario: &Scenario) -> Outcome {
        let bar = Bar::new(self.name(), scenario.duration);
        let outcome = run(scenario, Turns::Forward, |now| bar.show(now));
        bar.finish();
        outcome
    }
    /// The same run with changes, each typed as KEY=VALUE for that flag; it is played anew.
    pub(crate) fn set(self, flag: &str, changes: &[String]) -> Result<Self, Failure> {
        if changes.is_empty() {
            return Ok(self);
        }
        let (mut draft, seed) = match &self.kind {
            Kind::Simulated { scenario, .. } => {
                (plan::draft(Some(Path::new(&self.path)))?.0, scenario.seed)
            }
            Kind::Recorded(recording) => {
                let Header { toml, scenario, seed, .. } = recording.header();
                let draft = Draft::new(toml, scenario);
                (draft.map_err(|error| Failure::in_text(&self.path, toml, &error))?, *seed)
            }
        };
        plan::set(&mut draft, flag, changes)?;
        let mut scenario = plan::finished(&draft, flag, changes)?;
        // TOML has no integers beyond i64: such a seed stands in the header alone.
        if i64::try_from(seed).is_err() && !changes.iter().any(|text| text.starts_with("seed=")) {
            scenario.seed = seed;
        }
        Ok(Self::simulated(scenario, self.path))
    }
}
