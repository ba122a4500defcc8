//! Where views come from: a recorded run, or a scenario, which is simulated as far as somebody looks.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::path::Path;

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_sim::recording::{Filter, Header, Recorder, Recording, What};
use finwait_sim::run::{Outcome, Progress, run, run_watched};
use finwait_sim::sample::Sample;
use finwait_sim::scenario::{Error, Scenario, Setting, nearest};
use finwait_sim::view::HostView;
use finwait_sim::watch::{Count, Sent, Watch};
use finwait_sim::world::{HostId, Turns, World};
use finwait_viz::run::Run;

use crate::failure::Failure;
use crate::plan;
use crate::progress::Bar;
use crate::source;

/// A run that can be looked at, at any instant.
#[derive(Debug)]
pub(crate) struct Source {
    name: String,
    hosts: Vec<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Simulated { scenario: Box<Scenario>, world: Box<World> },
    Recorded { path: String, recording: Box<Recording> },
}

/// Something that happened, as far as a view tells it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Happened {
    pub(crate) at: Instant,
    pub(crate) host: usize,
    pub(crate) what: Told,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Told {
    Note(Note),
    Sent(Segment, Cause),
}

/// How far a world goes between two looks at the progress bar.
const STRIDE: Span = Span::millis(100);

impl Source {
    /// Opens what was named on the command line: a recording is known by its first bytes.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let mut file = File::open(path).map_err(|e| Failure::unreadable(&shown, &e))?;
        let mut first = [0; 5];
        // A scenario may be shorter than that.
        let recorded = file.read_exact(&mut first).is_ok() && first == *b"FWRUN";
        if !recorded {
            return plan::read(path).map(Self::simulated);
        }
        let recording = Recording::open(path).map_err(|e| broken(&shown, &e))?;
        let hosts = recording.hosts().iter().map(|host| host.name.clone()).collect();
        let name = recording.header().scenario.clone();
        Ok(Self {
            name,
            hosts,
            kind: Kind::Recorded { path: shown, recording: Box::new(recording) },
        })
    }
    /// What was run.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    /// The names of its hosts, in order.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }
    /// When it ends.
    pub(crate) const fn end(&self) -> Instant {
        match &self.kind {
            Kind::Simulated { scenario, .. } => Instant { ns: scenario.duration.ns },
            Kind::Recorded { recording, .. } => recording.end().at(),
        }
    }
    /// Does it have everything that happened? Not if only a part of it was recorded.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.kind {
            Kind::Simulated { .. } => true,
            Kind::Recorded { recording, .. } => recording.header().filter.is_none(),
        }
    }
    /// The hosts that are meant: the one that was named, or all.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Vec<usize>, Failure> {
        let Some(name) = name else { return Ok((0..self.hosts.len()).collect()) };
        if let Some(place) = self.hosts.iter().position(|host| *host == name) {
            return Ok(vec![place]);
        }
        let near = nearest(name, self.hosts.iter().map(String::as_str));
        let error = Error {
            span: Some(0..name.len()),
            message: format!("there is no host {name:?}"),
            expected: format!("expected one of {}", self.hosts.join(", ")),
            help: near.map(|host| format!("did you mean `{host}`?")),
        };
        Err(Failure::in_text("--host", name, &error))
    }
    /// An instant of the run as it was typed; `flag` is what it was typed for.
    pub(crate) fn instant(&self, flag: &str, text: &str) -> Result<Instant, Failure> {
        let at = source::time(flag, text)?;
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
    /// How these hosts stand when everything before `at` has happened. In a scenario, looking back
    /// costs a run from the beginning.
    pub(crate) fn views(&mut self, hosts: &[usize], at: Instant) -> Result<Vec<HostView>, Failure> {
        if let Kind::Recorded { path, recording } = &self.kind {
            let look = |&host: &usize| recording.host_at(HostId(host as u16), at);
            return hosts.iter().map(look).collect::<Result<_, _>>().map_err(|e| broken(path, &e));
        }
        self.simulate(at, &mut Count, |_, _| Ok(()))?;
        let Kind::Simulated { world, .. } = &self.kind else { return Ok(Vec::new()) };
        let look = |&host: &usize| {
            let host = &world.hosts()[host];
            HostView::of(host.name(), host.release(), host.kernel(), at)
        };
        Ok(hosts.iter().map(look).collect())
    }
    /// Every host's samples, in order: what a recording has kept, or one each stride of a scenario.
    pub(crate) fn samples(&mut self) -> Result<Vec<Vec<Sample>>, Failure> {
        let count = self.hosts.len();
        if let Kind::Recorded { path, recording } = &self.kind {
            let of = |host: usize| recording.samples(HostId(host as u16));
            return (0..count).map(of).collect::<Result<_, _>>().map_err(|e| broken(path, &e));
        }
        let mut samples = vec![Vec::new(); count];
        self.simulate(self.end(), &mut Count, |world, _| {
            for (host, samples) in world.hosts().iter().zip(&mut samples) {
                samples.push(Sample::of(host, world.now()));
            }
            Ok(())
        })?;
        Ok(samples)
    }
    /// Everything that happened from `from` on and before `to`, in order.
    pub(crate) fn events(
        &mut self,
        from: Instant,
        to: Instant,
        mut told: impl FnMut(&Happened) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Kind::Recorded { path, recording } = &self.kind else {
            let mut notebook = Notebook { from, happened: Vec::new() };
            return self.simulate(to, &mut notebook, |_, notebook| {
                notebook.happened.sort_by_key(|h| (h.at, h.host));
                notebook.happened.drain(..).try_for_each(|happened| told(&happened))
            });
        };
        for event in recording.events(from..to, Filter::ALL) {
            let event = event.map_err(|e| broken(path, &e))?;
            let what = match event.what {
                What::Note(note) => Told::Note(note),
                What::Sent { segment, cause, .. } => Told::Sent(segment, cause),
                _ => continue,
            };
            told(&Happened { at: event.at, host: usize::from(event.host.0), what })?;
        }
        Ok(())
    }
    /// How the tables of every host went, to the end of the run; a scenario is played for it.
    pub(crate) fn tables(&self) -> Result<Run, Failure> {
        match &self.kind {
            Kind::Recorded { path, recording } => {
                Run::read(recording).map_err(|e| broken(path, &e))
            }
            Kind::Simulated { scenario, .. } => Ok(Run::from(&self.played(scenario))),
        }
    }
    /// The scenario's counter-run, with what would have helped; `None` if it does not say what that
    /// is.
    pub(crate) fn counter_run(&self) -> Result<Option<Self>, Failure> {
        let counter = match &self.kind {
            Kind::Simulated { scenario, .. } => scenario.counter_run(),
            Kind::Recorded { path, recording } => {
                let toml = &recording.header().toml;
                let scenario = recording.scenario();
                scenario.map_err(|e| Failure::in_text(path, toml, &e))?.counter_run()
            }
        };
        Ok(counter.map(Self::simulated))
    }
    fn simulated(scenario: Scenario) -> Self {
        let world = Box::new(scenario.world());
        let hosts = scenario.hosts.iter().map(|host| host.name.clone()).collect();
        let name = scenario.name.clone();
        Self { name, hosts, kind: Kind::Simulated { scenario: Box::new(scenario), world } }
    }
    fn played(&self, scenario: &Scenario) -> Outcome {
        let bar = Bar::new(&self.name, scenario.duration);
        let outcome = run(scenario, Turns::Forward, |now| bar.show(now));
        bar.finish();
        outcome
    }
    /// The same run with other sysctls, each typed as HOST.SYSCTL=VALUE for that flag; it is played
    /// anew.
    pub(crate) fn set(self, flag: &str, settings: &[String]) -> Result<Self, Failure> {
        let mut scenario = match self.kind {
            Kind::Simulated { scenario, .. } => scenario,
            Kind::Recorded { path, recording } => {
                let toml = &recording.header().toml;
                let scenario = recording.scenario();
                Box::new(scenario.map_err(|error| Failure::in_text(&path, toml, &error))?)
            }
        };
        for text in settings {
            let applied = Setting::parse(text, &scenario).and_then(|s| s.apply(&mut scenario));
            applied.map_err(|error| Failure::in_text(flag, text, &error))?;
        }
        let world = Box::new(scenario.world());
        Ok(Self { kind: Kind::Simulated { scenario, world }, ..self })
    }
    /// The run as a recording; a scenario is played to its end and recorded in memory.
    pub(crate) fn into_recording(self) -> Result<Recording, Failure> {
        let scenario = match self.kind {
            Kind::Recorded { recording, .. } => return Ok(*recording),
            Kind::Simulated { scenario, .. } => scenario,
        };
        // Nobody reads the scenario's text out of a recording that is not kept.
        let header = Header::new(&scenario, "", None);
        let mut recorder = Recorder::new(Vec::new(), header);
        let bar = Bar::new(&self.name, scenario.duration);
        let outcome = run_watched(&scenario, Turns::Forward, &mut recorder, |now| bar.show(now));
        bar.finish();
        let bytes = recorder.finish(&outcome)?;
        Recording::read(Cursor::new(bytes)).map_err(|e| broken(&self.name, &e))
    }
    /// Lets everything happen in a scenario that happens before `to`, and calls `done` now and
    /// then: whatever `watch` has seen until then is complete.
    fn simulate<W: Watch>(
        &mut self,
        to: Instant,
        watch: &mut W,
        mut done: impl FnMut(&World, &mut W) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Kind::Simulated { scenario, world } = &mut self.kind else { return Ok(()) };
        if to < world.now() {
            **world = scenario.world();
        }
        let bar = Bar::new(&self.name, Span::nanos(to.ns));
        while world.now() < to {
            let next = to.min(world.now() + STRIDE);
            world.run_until(next, watch);
            let buckets = world.hosts().iter().map(|h| h.kernel().sockstat().tw).max();
            let (lifecycles, buckets) = (world.lifecycles(), buckets.unwrap_or(0));
            bar.show(Progress { now: next, lifecycles, buckets });
            done(world, watch)?;
        }
        bar.finish();
        Ok(())
    }
}

/// A recording that cannot be read.
pub(crate) fn broken(path: &str, error: &finwait_sim::recording::Error) -> Failure {
    Failure::Input(format!("error: cannot read {path}: {error}"))
}

/// Writes down what happens from an instant on.
struct Notebook {
    from: Instant,
    happened: Vec<Happened>,
}

impl Notebook {
    fn add(&mut self, at: Instant, host: HostId, what: Told) {
        if at >= self.from {
            self.happened.push(Happened { at, host: usize::from(host.0), what });
        }
    }
}

impl Watch for Notebook {
    const NOTES: bool = true;
    fn sent(&mut self, sent: &Sent<'_>) {
        self.add(sent.at, sent.host, Told::Sent(*sent.segment, sent.cause));
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.add(at, host, Told::Note(*note));
    }
}
