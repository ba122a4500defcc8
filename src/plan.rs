//! What was typed, and what it means: files are read and conflicts resolved before anything runs.

use std::path::{Path, PathBuf};

use finwait_model::time::Span;
use finwait_sim::capture::About;
use finwait_sim::measure::Wish;
use finwait_sim::pcap::Format;
use finwait_sim::scenario::{Draft, Error, Located, Refusal, Scenario};
use finwait_sim::units;
use finwait_sim::world::HostId;

use crate::cmd::run::Args;
use crate::failure::Failure;
use crate::{cmd, source};

/// The story that finwait was written for.
const INCIDENT: &str = include_str!("../examples/scenarios/incident.toml");
const INCIDENT_PATH: &str = "examples/scenarios/incident.toml";

/// A run that can begin.
#[derive(Clone, Debug)]
pub(crate) struct RunPlan {
    /// What is run.
    pub(crate) scenario: Scenario,
    /// The same with what would have helped, if the scenario knows that.
    pub(crate) counter: Option<Scenario>,
    /// The capture that is written meanwhile.
    pub(crate) capture: Option<CapturePlan>,
    /// The scenario's text, with everything in it that the command line has changed.
    pub(crate) toml: String,
    /// What is expected of the run.
    pub(crate) expect: Vec<Wish>,
}

/// A capture that is to be written.
#[derive(Clone, Debug)]
pub(crate) struct CapturePlan {
    /// Where.
    pub(crate) path: PathBuf,
    /// How.
    pub(crate) format: Format,
    /// Whose view; of all if it is `None`.
    pub(crate) host: Option<HostId>,
}

/// Reads the scenario and puts in force what the command line changes.
pub(crate) fn run(args: &Args) -> Result<RunPlan, Failure> {
    let (mut draft, _) = draft(args.scenario.as_deref())?;
    set(&mut draft, "--set", &args.set)?;
    if let Some(text) = &args.duration {
        duration(text).map_err(|e| Failure::in_text("--duration", text, &e))?;
        change(&mut draft, "--duration", "duration", text)?;
    }
    if let Some(seed) = args.seed.filter(|seed| i64::try_from(*seed).is_ok()) {
        change(&mut draft, "--seed", "seed", &seed.to_string())?;
    }
    let mut scenario = finished(&draft, "--set", &args.set)?;
    if let Some(seed) = args.seed {
        // TOML has no integers beyond i64; such a seed stands in the header alone.
        scenario.seed = seed;
    }
    let counter = scenario.counter_run();
    let capture = args.pcap.as_ref().map(|path| capture(path, args, &scenario)).transpose()?;
    let toml = draft.text();
    let shown = args.scenario.as_ref().map(|path| path.display().to_string());
    let expect = expected(&scenario, shown.as_deref().unwrap_or(INCIDENT_PATH), &toml)?;
    Ok(RunPlan { scenario, counter, capture, toml, expect })
}

/// What a scenario expects of its run; `text` is what it was read from.
fn expected(scenario: &Scenario, path: &str, text: &str) -> Result<Vec<Wish>, Failure> {
    let wish = |written: &Located| {
        Wish::parse(&written.text, scenario)
            .map_err(|error| Failure::in_text(path, text, &written.at(error, text)))
    };
    scenario.expect.iter().map(wish).collect()
}

/// The scenario for changes, and what it is called if it does not say; without a path, the incident.
pub(crate) fn draft(path: Option<&Path>) -> Result<(Draft, String), Failure> {
    let File { shown, text, stem } = match path {
        Some(path) => read_file(path)?,
        None => File {
            shown: INCIDENT_PATH.to_owned(),
            text: INCIDENT.to_owned(),
            stem: "incident".to_owned(),
        },
    };
    Ok((checked(&shown, &text, &stem)?, stem))
}

/// Writes changes, each typed as KEY=VALUE for that flag, into a scenario's text.
pub(crate) fn set(draft: &mut Draft, flag: &str, changes: &[String]) -> Result<(), Failure> {
    for text in changes {
        draft.set(text).map_err(|error| Failure::in_text(flag, text, &error))?;
    }
    Ok(())
}

/// A change that a flag of its own stands for.
fn change(draft: &mut Draft, flag: &str, key: &str, value: &str) -> Result<(), Failure> {
    let text = format!("{key}={value}");
    draft.set(&text).map_err(|error| Failure::in_text(flag, &text, &error))
}

/// The scenario that has come of those changes.
pub(crate) fn finished(draft: &Draft, flag: &str, changes: &[String]) -> Result<Scenario, Failure> {
    draft.scenario().map_err(|Refusal { change, error }| {
        match change.and_then(|n| changes.get(n)) {
            Some(text) => Failure::in_text(flag, text, &error),
            // Whatever was not typed as such a change has been checked before.
            None => Failure::Input(format!("error: {error}")),
        }
    })
}

/// The ending of the file's name says how it is written.
fn capture(path: &Path, args: &Args, scenario: &Scenario) -> Result<CapturePlan, Failure> {
    let format = match path.extension().and_then(|e| e.to_str()) {
        Some("pcapng") => Format::Ng,
        Some("pcap") => Format::Classic,
        _ => {
            let shown = path.display().to_string();
            let error = Error {
                span: Some(0..shown.len()),
                message: "the name does not say how to write the capture".to_owned(),
                expected: "expected a name that ends in .pcapng or .pcap".to_owned(),
                help: None,
            };
            return Err(Failure::in_text("--pcap", &shown, &error));
        }
    };
    let host = args.pcap_host.as_deref();
    let host =
        host.map(|name| source::host(&About::from(scenario), "--pcap-host", name)).transpose()?;
    Ok(CapturePlan { path: path.to_owned(), format, host: cmd::export::host(host, format) })
}

pub(crate) fn read(path: &Path) -> Result<Scenario, Failure> {
    read_with_text(path).map(|(scenario, _)| scenario)
}

/// The scenario, and its text.
pub(crate) fn read_with_text(path: &Path) -> Result<(Scenario, String), Failure> {
    let File { shown, text, stem } = read_file(path)?;
    Ok((parse(&shown, &text, &stem)?, text))
}

/// A scenario's file.
struct File {
    shown: String,
    text: String,
    stem: String,
}

fn read_file(path: &Path) -> Result<File, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::unreadable(&shown, &e))?;
    let stem = path.file_stem().map_or_else(|| shown.clone(), |s| s.to_string_lossy().into_owned());
    Ok(File { shown, text, stem })
}

/// What is wrong with the file itself is told before anything in it is changed.
fn checked(path: &str, text: &str, name: &str) -> Result<Draft, Failure> {
    parse(path, text, name)?;
    Draft::new(text, name).map_err(|error| Failure::in_text(path, text, &error))
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
