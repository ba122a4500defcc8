//! What was typed, and what it means: files are read and conflicts resolved before anything runs.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, value};

use finwait_model::time::Span;
use finwait_sim::capture::About;
use finwait_sim::pcap::Format;
use finwait_sim::scenario::{Error, Scenario, Setting};
use finwait_sim::units;
use finwait_sim::world::HostId;

use crate::cmd::run::Args;
use crate::failure::Failure;
use crate::{cmd, source};

/// The story that finwait was written for.
const INCIDENT: &str = include_str!("../examples/scenarios/incident.toml");

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
    let (mut scenario, text) = match &args.scenario {
        Some(path) => read_with_text(path)?,
        None => {
            let scenario = parse("examples/scenarios/incident.toml", INCIDENT, "incident")?;
            (scenario, INCIDENT.to_owned())
        }
    };
    let mut settings = Vec::new();
    for text in &args.set {
        let setting = Setting::parse(text, &scenario);
        let applied = setting.and_then(|setting| {
            settings.push(setting.clone());
            setting.apply(&mut scenario)
        });
        applied.map_err(|error| Failure::in_text("--set", text, &error))?;
    }
    if let Some(text) = &args.duration {
        scenario.duration = duration(text).map_err(|e| Failure::in_text("--duration", text, &e))?;
    }
    if let Some(seed) = args.seed {
        scenario.seed = seed;
    }
    let counter = scenario.counter_run();
    let capture = args.pcap.as_ref().map(|path| capture(path, args, &scenario)).transpose()?;
    let toml = changed(&text, &scenario, &settings, args);
    Ok(RunPlan { scenario, counter, capture, toml })
}

/// The text with the changes of the command line written into it; comments stay.
fn changed(text: &str, scenario: &Scenario, settings: &[Setting], args: &Args) -> String {
    if settings.is_empty() && args.duration.is_none() && args.seed.is_none() {
        return text.to_owned();
    }
    let Ok(mut document) = text.parse::<DocumentMut>() else {
        unreachable!("invariant: what has been read as a scenario is TOML")
    };
    for setting in settings {
        let host = &scenario.host_plan(setting.host).name;
        let host = &mut document["hosts"][host];
        let number = setting.value.parse::<i64>();
        let new = number.map_or_else(|_| value(setting.value.as_str()), value);
        if host.get("sysctl").is_none() {
            host["sysctl"] = toml_edit::table();
        }
        host["sysctl"][&setting.sysctl] = new;
    }
    if let Some(text) = &args.duration {
        document["duration"] = value(text.as_str());
    }
    if let Some(seed) = args.seed {
        // TOML has no integers beyond; such a seed stands in the header alone.
        if let Ok(seed) = i64::try_from(seed) {
            document["seed"] = value(seed);
        }
    }
    document.to_string()
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
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::unreadable(&shown, &e))?;
    let stem = path.file_stem().map_or_else(|| shown.clone(), |s| s.to_string_lossy().into_owned());
    Ok((parse(&shown, &text, &stem)?, text))
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
