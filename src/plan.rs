//! What was typed, and what it means: files are read and conflicts resolved before anything runs.

use std::path::Path;

use finwait_model::time::Span;
use finwait_sim::scenario::{Error, Scenario, Setting};
use finwait_sim::units;

use crate::cmd::run::Args;
use crate::failure::Failure;

/// The story that finwait was written for.
const INCIDENT: &str = include_str!("../examples/scenarios/incident.toml");

/// A run that can begin.
#[derive(Clone, Debug)]
pub(crate) struct RunPlan {
    /// What is run.
    pub(crate) scenario: Scenario,
    /// The same with what would have helped, if the scenario knows that.
    pub(crate) counter: Option<Scenario>,
}

/// Reads the scenario and puts in force what the command line changes.
pub(crate) fn run(args: &Args) -> Result<RunPlan, Failure> {
    let mut scenario = match &args.scenario {
        Some(path) => read(path)?,
        None => parse("examples/scenarios/incident.toml", INCIDENT, "incident")?,
    };
    for text in &args.set {
        Setting::parse(text, &scenario)
            .and_then(|setting| setting.apply(&mut scenario))
            .map_err(|error| Failure::in_text("--set", text, &error))?;
    }
    if let Some(text) = &args.duration {
        scenario.duration = duration(text).map_err(|e| Failure::in_text("--duration", text, &e))?;
    }
    if let Some(seed) = args.seed {
        scenario.seed = seed;
    }
    let counter = scenario.counter_run();
    Ok(RunPlan { scenario, counter })
}

pub(crate) fn read(path: &Path) -> Result<Scenario, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::unreadable(&shown, &e))?;
    let stem = path.file_stem().map_or_else(|| shown.clone(), |s| s.to_string_lossy().into_owned());
    parse(&shown, &text, &stem)
}

fn parse(path: &str, text: &str, name: &str) -> Result<Scenario, Failure> {
    Scenario::parse(text, name).map_err(|error| Failure::in_text(path, text, &error))
}

fn duration(text: &str) -> Result<Span, Error> {
    let wrong = |expected: String| Error {
        span: Some(0..text.len()),
        message: format!("{text:?} is no duration of a run"),
        expected,
        help: None,
    };
    match units::span(text) {
        Ok(Span::ZERO) => Err(wrong("expected more than zero".to_owned())),
        Ok(span) => Ok(span),
        Err(expected) => Err(wrong(expected)),
    }
}
