//! What one run of a sweep came to.

use serde::{Deserialize, Serialize};

use finwait_sim::measure::{Unit, Value};

use super::plan::Plan;

/// A run of a sweep, with what came of it; nothing else of the run is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// Which of the sweep's runs.
    pub(crate) run: usize,
    /// What was measured, or why nothing was.
    pub(crate) result: Result<Measured, String>,
}

/// What was measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Measured {
    /// The seed in force.
    pub(crate) seed: u64,
    /// The run's fingerprint.
    pub(crate) digest: String,
    /// A value for each measure.
    pub(crate) values: Vec<Value>,
}

/// The same as it stands in a journal. The settings are there for people: what counts is the number.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    run: usize,
    settings: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<(u64, u64)>,
}

impl Row {
    /// Its line in a journal, with the end of the line.
    pub(crate) fn to_line(&self, plan: &Plan) -> String {
        let (run, settings) = (self.run, plan.name(self.run));
        let line = match &self.result {
            Err(error) => Line {
                run,
                settings,
                error: Some(error.clone()),
                seed: None,
                digest: None,
                values: Vec::new(),
            },
            Ok(done) => Line {
                run,
                settings,
                error: None,
                seed: Some(done.seed),
                digest: Some(done.digest.clone()),
                values: done.values.iter().map(|v| (v.numerator, v.denominator)).collect(),
            },
        };
        let text = serde_json::to_string(&line);
        text.expect("invariant: numbers and texts can be written as JSON") + "\n"
    }
    /// Reads such a line; says what is wrong with it if it does not belong to the sweep.
    pub(crate) fn from_line(text: &str, plan: &Plan) -> Result<Self, String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if line.run >= plan.runs() {
            return Err(format!("there is no run {} in this sweep", line.run));
        }
        let result = match (line.error, line.seed, line.digest) {
            (Some(error), ..) => Err(error),
            (None, Some(seed), Some(digest)) if line.values.len() == plan.measures.len() => {
                let units = plan.measures.iter().map(|measure| measure.unit());
                let value = |((numerator, denominator), unit): ((u64, u64), Unit)| Value {
                    numerator,
                    denominator,
                    unit,
                };
                let values = line.values.into_iter().zip(units).map(value).collect();
                Ok(Measured { seed, digest, values })
            }
            _ => return Err("it has neither all measures nor an error".to_owned()),
        };
        Ok(Self { run: line.run, result })
    }
}
