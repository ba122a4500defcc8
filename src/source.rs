//! RUN on the command line: what a view or an export is made from.

use std::io;
use std::path::Path;

use finwait_model::flow::Addr;
use finwait_model::time::Instant;
use finwait_sim::capture::{self, Selection, Take};
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
    /// The scenario; it is played again, and comes out the same.
    pub(crate) scenario: Scenario,
}

impl Source {
    /// Opens RUN: a scenario.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self { scenario: plan::read(path)? })
    }
    /// The names and addresses of its hosts.
    pub(crate) fn names(&self) -> Vec<(&str, Addr)> {
        self.scenario.hosts.iter().map(|h| (h.name.as_str(), h.addr)).collect()
    }
    /// The host that a flag names.
    pub(crate) fn host(&self, flag: &str, name: &str) -> Result<HostId, Failure> {
        host(&self.scenario, flag, name)
    }
    /// A filter that was typed in one or several words.
    pub(crate) fn filter(&self, words: &[String]) -> Result<Option<Filter>, Failure> {
        let text = words.join(" ");
        if text.trim().is_empty() {
            return Ok(None);
        }
        let filter = Filter::parse(&text, &self.names());
        filter.map(Some).map_err(|error| Failure::in_text("FILTER", &text, &error))
    }
    /// Hands the packets that are wanted to `take`; says how many.
    pub(crate) fn capture(&self, selection: Selection, take: impl Take) -> io::Result<u64> {
        let end = selection.to.map_or(self.scenario.duration, |to| to.since(Instant::ZERO));
        let bar = Bar::new(&self.scenario.name, end.min(self.scenario.duration));
        let taken = capture::simulate(&self.scenario, selection, take, |now| bar.reach(now));
        bar.finish();
        taken
    }
}

/// The host of a scenario that a flag names.
pub(crate) fn host(scenario: &Scenario, flag: &str, name: &str) -> Result<HostId, Failure> {
    scenario.host(name).ok_or_else(|| {
        let names: Vec<&str> = scenario.hosts.iter().map(|h| h.name.as_str()).collect();
        let help = finwait_sim::scenario::nearest(name, names.iter().copied());
        let error = finwait_sim::scenario::Error {
            span: Some(0..name.len()),
            message: format!("{} has no host {name:?}", scenario.name),
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
