//! RUN on the command line: what views, exports and explanations are made from.
//!
//! A recorded run, or a scenario, which is simulated as far as somebody looks; or the folder of
//! `finwait run --out`, which holds a recording.

mod capture;
mod look;
mod part;
pub(crate) mod parting;
mod play;

use std::path::Path;

use finwait_model::time::{Instant, Span};
use finwait_sim::capture::About;
use finwait_sim::recording::{self, Recording};
use finwait_sim::scenario::{Error, Scenario, nearest};
use finwait_sim::world::{HostId, World};

pub(crate) use look::{Happened, Told};
pub(crate) use part::{Part, time};

use crate::failure::Failure;
use crate::out_dir::RUN;
use crate::plan;

/// What the command line changes about a run.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Changes {
    /// Change something and play the run with it, such as web.net.ipv4.tcp_fin_timeout=30 or
    /// links.delay=1ms; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// A run that can be looked at, at any instant.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it is called, and who takes part.
    pub(crate) about: About,
    path: String,
    kind: Kind,
}

/// Where it comes from.
#[derive(Debug)]
enum Kind {
    /// A scenario; it is played again, and comes out the same. The world stands where somebody has
    /// looked last.
    Simulated { scenario: Box<Scenario>, world: Option<Box<World>> },
    /// A recording.
    Recorded(Box<Recording>),
}

impl Source {
    /// Opens RUN, and puts in force what `--set` changes.
    pub(crate) fn open_changed(path: &Path, changes: &Changes) -> Result<Self, Failure> {
        Self::open(path)?.set("--set", &changes.set)
    }
    /// Opens RUN: a recording, or else a scenario.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let inside = path.join(RUN);
        let path = if path.is_dir() { &inside } else { path };
        let shown = path.display().to_string();
        match Recording::open(path) {
            Ok(recording) => {
                let about = About::from(recording.header());
                Ok(Self { about, path: shown, kind: Kind::Recorded(Box::new(recording)) })
            }
            Err(recording::Error::NotARecording) => {
                plan::read(path).map(|scenario| Self::simulated(scenario, shown))
            }
            Err(recording::Error::Io(error)) => Err(Failure::unreadable(&shown, &error)),
            Err(error) => Err(broken(&shown, &error)),
        }
    }
    /// A scenario that is there already; `path` is where it came from.
    pub(crate) fn simulated(scenario: Scenario, path: String) -> Self {
        let (about, scenario) = (About::from(&scenario), Box::new(scenario));
        Self { about, path, kind: Kind::Simulated { scenario, world: None } }
    }
    /// The recording, if it is one.
    pub(crate) fn recording(&self) -> Option<&Recording> {
        match &self.kind {
            Kind::Simulated { .. } => None,
            Kind::Recorded(recording) => Some(recording),
        }
    }
    /// What was run, as a scenario; a recording has its text.
    pub(crate) fn scenario(&self) -> Result<Scenario, Failure> {
        match &self.kind {
            Kind::Simulated { scenario, .. } => Ok((**scenario).clone()),
            Kind::Recorded(recording) => recording.scenario().map_err(|error| {
                let why = format!("the scenario in {} cannot be read", self.path);
                Failure::Input(format!("error: {why}: {error}"))
            }),
        }
    }
    /// What was run.
    pub(crate) fn name(&self) -> &str {
        &self.about.scenario
    }
    /// The names of its hosts, in order.
    pub(crate) fn hosts(&self) -> Vec<&str> {
        self.about.hosts.iter().map(|host| host.name.as_str()).collect()
    }
    /// When it ends.
    pub(crate) const fn end(&self) -> Instant {
        match &self.kind {
            Kind::Simulated { scenario, .. } => Instant { ns: scenario.duration.ns },
            Kind::Recorded(recording) => recording.end().at(),
        }
    }
    /// The host that a flag names.
    pub(crate) fn host(&self, flag: &str, name: &str) -> Result<HostId, Failure> {
        host(&self.about, flag, name)
    }
    /// The hosts that are meant: the one that `--host` named, or all.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Vec<HostId>, Failure> {
        match name {
            Some(name) => Ok(vec![self.host("--host", name)?]),
            None => Ok((0..self.about.hosts.len()).map(|n| HostId(n as u16)).collect()),
        }
    }
    /// An instant of the run as it was typed; `flag` is what it was typed for.
    pub(crate) fn instant(&self, flag: &str, text: &str) -> Result<Instant, Failure> {
        let at = time(flag, text)?;
        if at > self.end() {
            let error = Error {
                span: Some(0..text.len()),
                message: format!("the run ends before {text}"),
                expected: format!("expected at most {}", Span::nanos(self.end().ns)),
                help: None,
            };
            return Err(Failure::in_text(flag, text, &error));
        }
        Ok(at)
    }
}

/// A recording that cannot be read.
pub(crate) fn broken(path: &str, error: &recording::Error) -> Failure {
    Failure::Input(format!("error: cannot read {path}: {error}"))
}

/// The host of a run that a flag names.
pub(crate) fn host(about: &About, flag: &str, name: &str) -> Result<HostId, Failure> {
    about.host(name).ok_or_else(|| {
        let names: Vec<&str> = about.hosts.iter().map(|h| h.name.as_str()).collect();
        let help = nearest(name, names.iter().copied());
        let error = Error {
            span: Some(0..name.len()),
            message: format!("{} has no host {name:?}", about.scenario),
            expected: format!("expected one of {}", names.join(", ")),
            help: help.map(|near| format!("did you mean `{near}`?")),
        };
        Failure::in_text(flag, name, &error)
    })
}
