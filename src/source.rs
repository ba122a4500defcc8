//! RUN on the command line: what a view or an export is made from.

use std::io;
use std::path::Path;

use finwait_model::flow::Addr;
use finwait_model::time::Instant;
use finwait_sim::capture::{self, About, Selection, Take};
use finwait_sim::recording::{self, Recording};
use finwait_sim::scenario::Scenario;
use finwait_sim::units;
use finwait_sim::view::pcap_filter::Filter;
use finwait_sim::world::HostId;

use crate::failure::Failure;
use crate::plan;
use crate::progress::Bar;

/// What of a run is looked at.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Part {
    /// From this time of the run on, such as 52.4s.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Up to this time of the run.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

/// A run that can be looked at again.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it is called, and who takes part.
    pub(crate) about: About,
    from: From,
    path: String,
}

/// Where it comes from.
#[derive(Debug)]
enum From {
    /// A scenario; it is played again, and comes out the same.
    Scenario(Box<Scenario>),
    /// A recording.
    Recording(Box<Recording>),
}

impl Source {
    /// Opens RUN: a recording, or else a scenario.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        match Recording::open(path) {
            Ok(recording) => {
                let about = About::from(recording.header());
                Ok(Self { about, from: From::Recording(Box::new(recording)), path: shown })
            }
            Err(recording::Error::NotARecording) => {
                let scenario = plan::read(path)?;
                let about = About::from(&scenario);
                Ok(Self { about, from: From::Scenario(Box::new(scenario)), path: shown })
            }
            Err(recording::Error::Io(error)) => Err(Failure::unreadable(&shown, &error)),
            Err(error) => Err(unreadable(&shown, &error)),
        }
    }
    /// The host that a flag names.
    pub(crate) fn host(&self, flag: &str, name: &str) -> Result<HostId, Failure> {
        host(&self.about, flag, name)
    }
    /// A filter that was typed in one or several words.
    pub(crate) fn filter(&self, words: &[String]) -> Result<Option<Filter>, Failure> {
        let text = words.join(" ");
        if text.trim().is_empty() {
            return Ok(None);
        }
        let hosts = &self.about.hosts;
        let names: Vec<(&str, Addr)> = hosts.iter().map(|h| (h.name.as_str(), h.addr)).collect();
        let filter = Filter::parse(&text, &names);
        filter.map(Some).map_err(|error| Failure::in_text("FILTER", &text, &error))
    }
    /// Hands the packets that are wanted to `take`; says how many. `wrong` knows what it means if
    /// they cannot be taken.
    pub(crate) fn capture(
        &self,
        selection: Selection,
        take: impl Take,
        wrong: impl FnOnce(&io::Error) -> Failure,
    ) -> Result<u64, Failure> {
        let whole = match &self.from {
            From::Scenario(scenario) => Instant::ZERO + scenario.duration,
            From::Recording(recording) => recording.end().at(),
        };
        let end = selection.to.map_or(whole, |to| to.min(whole));
        let bar = Bar::new(&self.about.scenario, end.since(Instant::ZERO));
        let reach = |now| bar.reach(now);
        let taken = match &self.from {
            From::Scenario(scenario) => {
                let taken = capture::simulate(scenario, selection, take, reach);
                taken.map_err(|error| wrong(&error))
            }
            From::Recording(recording) => {
                let taken = capture::replay(recording, selection, take, reach);
                taken.map_err(|error| match error {
                    capture::Error::Write(error) => wrong(&error),
                    capture::Error::Read(error) => unreadable(&self.path, &error),
                })
            }
        };
        bar.finish();
        taken
    }
}

/// What is wrong with a recording.
fn unreadable(path: &str, error: &recording::Error) -> Failure {
    Failure::Input(format!("error: cannot read the recording {path}: {error}"))
}

/// The host of a run that a flag names.
pub(crate) fn host(about: &About, flag: &str, name: &str) -> Result<HostId, Failure> {
    about.host(name).ok_or_else(|| {
        let names: Vec<&str> = about.hosts.iter().map(|h| h.name.as_str()).collect();
        let help = finwait_sim::scenario::nearest(name, names.iter().copied());
        let error = finwait_sim::scenario::Error {
            span: Some(0..name.len()),
            message: format!("{} has no host {name:?}", about.scenario),
            expected: format!("expected one of {}", names.join(", ")),
            help: help.map(|near| format!("did you mean `{near}`?")),
        };
        Failure::in_text(flag, name, &error)
    })
}

impl Part {
    /// The two times.
    pub(crate) fn times(&self) -> Result<(Instant, Option<Instant>), Failure> {
        let from = self.from.as_deref().map(|text| time("--from", text)).transpose()?;
        let to = self.to.as_deref().map(|text| time("--to", text)).transpose()?;
        let from = from.unwrap_or(Instant::ZERO);
        if let (Some(end), Some(text)) = (to, &self.to)
            && end <= from
        {
            let error = finwait_sim::scenario::Error {
                span: Some(0..text.len()),
                message: format!("nothing lies between {}s and {text}", from),
                expected: "expected a later time than --from".to_owned(),
                help: None,
            };
            return Err(Failure::in_text("--to", text, &error));
        }
        Ok((from, to))
    }
}

/// A time of the run.
pub(crate) fn time(flag: &str, text: &str) -> Result<Instant, Failure> {
    let span = units::span(text).map_err(|expected| {
        let error = finwait_sim::scenario::Error {
            span: Some(0..text.len()),
            message: format!("{text:?} is no time of a run"),
            expected,
            help: None,
        };
        Failure::in_text(flag, text, &error)
    })?;
    Ok(Instant::ZERO + span)
}
