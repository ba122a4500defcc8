//! How a run stands at an instant, and what happens in it.

use std::io::Cursor;
use std::ops::ControlFlow;

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_sim::app::Call;
use finwait_sim::recording::{Event, Filter, Header, Recorder, Recording, What};
use finwait_sim::run::{Progress, run_watched};
use finwait_sim::sample::Sample;
use finwait_sim::view::HostView;
use finwait_sim::watch::{Count, Sent, Trigger, Watch};
use finwait_sim::world::{HostId, Turns, World};

use super::{Kind, Source, broken};
use crate::failure::Failure;
use crate::progress::Bar;

/// Something that happened, as far as a view tells it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Happened {
    pub(crate) at: Instant,
    pub(crate) host: HostId,
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
    /// How these hosts stand when everything before `at` has happened. In a scenario, looking back
    /// costs a run from the beginning.
    pub(crate) fn views(
        &mut self,
        hosts: &[HostId],
        at: Instant,
    ) -> Result<Vec<HostView>, Failure> {
        if let Kind::Recorded(recording) = &self.kind {
            let views = hosts.iter().map(|&host| recording.host_at(host, at));
            return views.collect::<Result<_, _>>().map_err(|e| broken(&self.path, &e));
        }
        self.simulate(at, &mut Count, |_, _| Ok(()))?;
        let Kind::Simulated { world: Some(world), .. } = &self.kind else { return Ok(Vec::new()) };
        let look = |&host: &HostId| {
            let host = &world.hosts()[usize::from(host.0)];
            HostView::of(host, at)
        };
        Ok(hosts.iter().map(look).collect())
    }
    /// Every host's samples, in order: what a recording has kept, or one each stride of a scenario.
    pub(crate) fn samples(&mut self) -> Result<Vec<Vec<Sample>>, Failure> {
        let count = self.about.hosts.len();
        if let Kind::Recorded(recording) = &self.kind {
            let of = |host: usize| recording.samples(HostId(host as u16));
            return (0..count)
                .map(of)
                .collect::<Result<_, _>>()
                .map_err(|e| broken(&self.path, &e));
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
        let Kind::Recorded(recording) = &self.kind else {
            let mut notebook = Notebook { from, happened: Vec::new() };
            return self.simulate(to, &mut notebook, |_, notebook| {
                notebook.happened.sort_by_key(|h| (h.at, h.host));
                notebook.happened.drain(..).try_for_each(|happened| told(&happened))
            });
        };
        for event in recording.events(from..to, Filter::ALL) {
            let event = event.map_err(|e| broken(&self.path, &e))?;
            let what = match event.what {
                What::Note(note) => Told::Note(note),
                What::Sent { segment, cause, .. } => Told::Sent(segment, cause),
                _ => continue,
            };
            told(&Happened { at: event.at, host: event.host, what })?;
        }
        Ok(())
    }
    /// Every system call of those hosts before `to`, in order.
    pub(crate) fn calls(
        &mut self,
        hosts: &[HostId],
        to: Instant,
        mut told: impl FnMut(Instant, HostId, &Call),
    ) -> Result<(), Failure> {
        let Kind::Recorded(recording) = &self.kind else {
            let told = |at, host, call: &Call| {
                if hosts.contains(&host) {
                    told(at, host, call);
                }
            };
            let mut listener = Listener { step: (Instant::ZERO, HostId(0)), told };
            return self.simulate(to, &mut listener, |_, _| Ok(()));
        };
        let show = |event: &Event| {
            if let What::Call(call) = &event.what
                && hosts.contains(&event.host)
            {
                told(event.at, event.host, call);
            }
            ControlFlow::Continue(())
        };
        recording.each_event(Instant::ZERO..to, show).map_err(|e| broken(&self.path, &e))
    }
    /// The run as a recording; a scenario is played to its end and recorded in memory.
    pub(crate) fn into_recording(self) -> Result<Recording, Failure> {
        let scenario = match self.kind {
            Kind::Recorded(recording) => return Ok(*recording),
            Kind::Simulated { scenario, .. } => scenario,
        };
        // Nobody reads the scenario's text out of a recording that is not kept.
        let header = Header::new(&scenario, "", None);
        let mut recorder = Recorder::new(Vec::new(), header);
        let bar = Bar::new(&self.about.scenario, scenario.duration);
        let outcome = run_watched(&scenario, Turns::Forward, &mut recorder, |now| bar.show(now));
        bar.finish();
        let bytes = recorder.finish(&outcome)?;
        Recording::read(Cursor::new(bytes)).map_err(|e| broken(&self.path, &e))
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
        if world.as_ref().is_some_and(|world| to < world.now()) {
            *world = None;
        }
        let world = world.get_or_insert_with(|| Box::new(scenario.world()));
        let bar = Bar::new(&self.about.scenario, Span::nanos(to.ns));
        while world.now() < to {
            let next = to.min(world.now() + STRIDE);
            world.run_watched(next, watch);
            let buckets = world.hosts().iter().map(|h| h.kernel().sockstat().tw).max();
            let (lifecycles, buckets) = (world.lifecycles(), buckets.unwrap_or(0));
            bar.show(Progress { now: next, lifecycles, buckets });
            done(world, watch)?;
        }
        bar.finish();
        Ok(())
    }
}

/// Hears every system call.
struct Listener<F> {
    /// When the step that goes on began, and whose it is.
    step: (Instant, HostId),
    told: F,
}

impl<F: FnMut(Instant, HostId, &Call)> Watch for Listener<F> {
    fn wants_notes(&self) -> bool {
        false
    }
    fn wants_steps(&self) -> bool {
        true
    }
    fn sent(&mut self, _sent: &Sent<'_>) {}
    fn begins(&mut self, at: Instant, host: HostId, _trigger: Trigger<'_>) {
        self.step = (at, host);
    }
    fn called(&mut self, call: &Call) {
        let (at, host) = self.step;
        (self.told)(at, host, call);
    }
}

/// Writes down what happens from an instant on.
struct Notebook {
    from: Instant,
    happened: Vec<Happened>,
}

impl Notebook {
    fn add(&mut self, at: Instant, host: HostId, what: Told) {
        if at >= self.from {
            self.happened.push(Happened { at, host, what });
        }
    }
}

impl Watch for Notebook {
    fn wants_notes(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        self.add(sent.at, sent.host, Told::Sent(*sent.segment, sent.cause));
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.add(at, host, Told::Note(*note));
    }
}
