//! How a track comes to be: two connections are worked out in full in a small world of their own, ten
//! and twenty seconds later than the one that is to follow, and what they have in common is the track.
//! If they are not alike in everything, there is none.

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Kernel;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_model::track::{Mark, Numbering, Origin, Since};

use super::track::{
    AppTotal, CLIENT, Class, Moment, SERVER, Sends, Shape, Totals, mirrored, origin,
};
use crate::app::{App, ClientPlan, Pace, Served, ServerPlan, Tally};
use crate::scenario::{AppPlan, LinkPlan, Scenario};
use crate::units::Rate;
use crate::watch::{Sent, Trigger, Watch};
use crate::world::{HostId, Turns, World};

/// The ends of the small world.
const HOSTS: [HostId; 2] = [HostId(CLIENT as u16), HostId(SERVER as u16)];
/// The first connection begins so much later, and the second as much behind it: the server listens by
/// then, the first one's bucket is still there for the second, and both begin at the same place
/// between the ticks of all clocks, but for those of 300 Hz.
pub(super) const LATER: Span = Span::secs(10);
/// A connection that takes longer has timers in it, and is none for a track.
const LONGEST: Span = Span::millis(250);

/// A client, a server, and what lies between them.
#[derive(Debug)]
pub(super) struct Lesson {
    scenario: Scenario,
}

/// What a lesson teaches.
pub(super) struct Learned {
    pub shape: Shape,
    pub class: Class,
    pub numbering: [Numbering; 2],
    /// [`Kernel::room`], of the narrower host.
    pub room: u64,
}

impl Lesson {
    pub(super) fn new(
        scenario: &Scenario,
        client: (HostId, &ClientPlan),
        server: (HostId, &ServerPlan),
        links: [usize; 2],
    ) -> Self {
        let ends = [(CLIENT, SERVER), (SERVER, CLIENT)].map(|(a, b)| (HOSTS[a], HOSTS[b]));
        let links =
            [0, 1].map(|n| LinkPlan { from: ends[n].0, to: ends[n].1, ..scenario.links[links[n]] });
        let hosts = [client.0, server.0].map(|host| scenario.host_plan(host).clone());
        let scenario = Scenario {
            name: String::new(),
            about: String::new(),
            duration: scenario.duration,
            seed: scenario.seed,
            sample: scenario.sample,
            hosts: hosts.to_vec(),
            links: links.to_vec(),
            quality: scenario.quality,
            texts: Vec::new(),
            apps: vec![
                (HOSTS[CLIENT], AppPlan::Client(client.1.clone())),
                (HOSTS[SERVER], AppPlan::Server(server.1.clone())),
            ],
            boxes: Vec::new(),
            counter: Vec::new(),
            expect: Vec::new(),
            cases: Vec::new(),
            question: None,
        };
        Self { scenario }
    }

    /// The small world.
    fn world(&self, began: Instant) -> World {
        let mut scenario = self.scenario.clone();
        if let AppPlan::Client(plan) = &mut scenario.apps[0].1 {
            plan.start = began.since(Instant::ZERO) + LATER;
            plan.count = Some(2);
            plan.pace = Pace::Open { rate: Rate { count: 1, per: LATER }, scattered: false };
        }
        scenario.world_without_tracks(Turns::Forward)
    }

    /// What becomes of a connection that begins at such a time; `None` if others cannot follow it.
    pub(super) fn learn(&self, began: Instant) -> Option<Learned> {
        let mut world = self.world(began);
        let (shape, class) = observe(&mut world, began + LATER)?;
        let again = observe(&mut world, began + LATER + LATER)?;
        let kernels = kernels(&world);
        let stranger = |kernel: &Kernel| !kernel.buckets_matter_to_others();
        if (&shape, &class) != (&again.0, &again.1) || !kernels.into_iter().all(stranger) {
            return None;
        }
        Some(Learned {
            shape,
            class,
            numbering: kernels.map(Kernel::numbering),
            room: kernels.map(Kernel::room).into_iter().min().unwrap_or(0),
        })
    }
}

fn kernels(world: &World) -> [&Kernel; 2] {
    [CLIENT, SERVER].map(|end| world.hosts()[end].kernel())
}

/// Notes everything that happens.
#[derive(Default)]
struct Log {
    /// By end.
    hosts: [HostLog; 2],
}

#[derive(Default)]
struct HostLog {
    arrivals: u64,
    timers: u64,
    acts: u64,
    sends: Vec<(Segment, Cause)>,
    notes: Vec<Note>,
}

impl Watch for Log {
    fn wants_notes(&self) -> bool {
        true
    }
    fn wants_steps(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        self.hosts[usize::from(sent.host.0)].sends.push((*sent.segment, sent.cause));
    }
    fn noted(&mut self, _at: Instant, host: HostId, note: &Note) {
        self.hosts[usize::from(host.0)].notes.push(*note);
    }
    fn begins(&mut self, _at: Instant, host: HostId, trigger: Trigger<'_>) {
        let host = &mut self.hosts[usize::from(host.0)];
        match trigger {
            Trigger::Arrival(_) => host.arrivals += 1,
            Trigger::Timer => host.timers += 1,
            Trigger::App(_) => host.acts += 1,
        }
    }
}

/// One connection under observation.
struct Observed {
    began: Instant,
    numbering: [Numbering; 2],
    /// Its flow as the client sends, once its SYN is out.
    flow: Option<FourTuple>,
    shape: Shape,
    moments: [Vec<Moment>; 2],
    apps: AppTotal,
}

/// Runs the world over a connection that begins then.
fn observe(world: &mut World, began: Instant) -> Option<(Shape, Class)> {
    world.run_watched(began, &mut Log::default());
    let shape = Shape { moments: Default::default(), syn_arrives: Span::ZERO };
    let mut seen = Observed {
        began,
        numbering: kernels(world).map(Kernel::numbering),
        flow: None,
        shape,
        moments: Default::default(),
        apps: AppTotal::default(),
    };
    let nobody = FourTuple::default();
    let before = kernels(world).map(|kernel| kernel.mark(nobody));
    let (tally, served) = counted(world);
    let end = began + LONGEST;
    while let Some(at) = world.next().filter(|at| *at < end) {
        seen.step(world, at)?;
    }
    let flow = seen.flow?;
    let flows = [flow, flow.reversed()];
    let after = [CLIENT, SERVER].map(|end| kernels(world)[end].mark(flows[end]));
    let total = |end: usize| Kernel::total(&before[end], &after[end]);
    let kernels = [total(CLIENT)?, total(SERVER)?];
    // A bucket of the server's would meet the next connection from the same port.
    let passive = world.hosts()[SERVER].kernel().line(flows[SERVER]).is_none();
    let (tally_after, served_after) = counted(world);
    seen.apps.tally = Tally {
        started: 0,
        finished: tally_after.finished - tally.finished,
        no_port: tally_after.no_port - tally.no_port,
        not_connected: tally_after.not_connected - tally.not_connected,
        broken: tally_after.broken - tally.broken,
    };
    seen.apps.served = Served {
        restarts: served_after.restarts - served.restarts,
        in_use: served_after.in_use - served.in_use,
        accepted: served_after.accepted - served.accepted,
        served: served_after.served - served.served,
        torn: served_after.torn - served.torn,
        rejected: served_after.rejected - served.rejected,
    };
    let totals = Totals { kernels, apps: seen.apps };
    passive.then_some((seen.shape, Class { moments: seen.moments, totals }))
}

/// What the two applications have counted.
fn counted(world: &World) -> (Tally, Served) {
    let app = |end: usize| &world.hosts()[end].apps()[0];
    let tally = app(CLIENT).tally().copied().unwrap_or_default();
    (tally, app(SERVER).served().copied().unwrap_or_default())
}

impl Observed {
    /// Everything that happens at one instant.
    fn step(&mut self, world: &mut World, at: Instant) -> Option<()> {
        let flow = self.flow.unwrap_or_default();
        let before = [flow, flow.reversed()];
        let marks = [CLIENT, SERVER].map(|end| kernels(world)[end].mark(before[end]));
        let recorded = latencies(&world.hosts()[CLIENT].apps()[0]);
        let mut log = Log::default();
        world.run_watched(at + Span::nanos(1), &mut log);
        let is_first = self.flow.is_none();
        if is_first {
            let syn = log.hosts[CLIENT].sends.first()?;
            self.flow = Some(syn.0.flow);
        } else if self.shape.syn_arrives == Span::ZERO && log.hosts[SERVER].arrivals > 0 {
            self.shape.syn_arrives = at.since(self.began);
        }
        let now = latencies(&world.hosts()[CLIENT].apps()[0]);
        let since = at.since(self.began);
        self.apps.connects.extend((recorded.0..now.0).map(|_| since));
        self.apps.latencies.extend((recorded.1..now.1).map(|_| since));
        let hosts = kernels(world);
        for end in [CLIENT, SERVER] {
            let act = u64::from(is_first && end == CLIENT);
            self.moment(end, at, &log.hosts[end], (&marks[end], hosts[end]), act)?;
        }
        Some(())
    }

    /// What happened on one host; `None` if it cannot happen again like that.
    fn moment(
        &mut self,
        end: usize,
        at: Instant,
        log: &HostLog,
        (before, kernel): (&Mark, &Kernel),
        acts: u64,
    ) -> Option<()> {
        if log.arrivals + log.timers + log.acts == 0 {
            return Some(());
        }
        let origin = self.origin(end)?;
        let change = kernel.change(before, &origin, Since::beginning(self.began), &log.notes)?;
        let silent = log.notes.is_empty() && log.sends.is_empty() && change.is_none();
        if log.timers > 0 && log.arrivals + log.acts == 0 && silent {
            // A timer that has nothing to do, or the hand of a death row.
            return Some(());
        }
        let drew_nothing = Kernel::drew_nothing(before, &kernel.mark(origin.flow));
        let from_others = if acts == 1 { log.arrivals > 0 } else { !drew_nothing };
        let portless = FourTuple { sport: 0, ..origin.flow };
        let ours = |note: &Note| note.flow() == origin.flow || note.flow() == portless;
        let ours = log.notes.iter().all(|note| ours(note) && is_plain_note(note));
        if log.timers > 0 || log.acts != acts || from_others || !ours {
            return None;
        }
        let sends = log.sends.iter().map(|(segment, cause)| Sends::of(segment, *cause, &origin));
        let sends = sends.collect::<Option<Vec<Sends>>>()?;
        // The flow of the next one is put in.
        let blank = FourTuple::default();
        let told = |note: &Note| (note.with_flow(blank), note.flow() == portless);
        let notes = log.notes.iter().map(told).collect();
        self.shape.moments[end].push(at.since(self.began));
        let change = (!change.is_none()).then_some(change);
        self.moments[end].push(Moment { arrivals: log.arrivals, sends, notes, change });
        Some(())
    }

    /// The connection's numbers seen from that end, as the hosts must have drawn them.
    fn origin(&self, end: usize) -> Option<Origin> {
        let flow = self.flow?;
        let client = origin(&self.numbering, flow, self.began, self.shape.syn_arrives);
        Some(if end == CLIENT { client } else { mirrored(&client) })
    }
}

/// How often the client has found a connection standing, and an answer there.
fn latencies(app: &App) -> (u64, u64) {
    let count =
        |l: Option<&crate::latencies::Latencies>| l.map_or(0, crate::latencies::Latencies::count);
    (count(app.connects()), count(app.latencies()))
}

/// Is it something that happens to every connection that is opened and closed?
const fn is_plain_note(note: &Note) -> bool {
    matches!(
        note,
        Note::State { .. }
            | Note::BucketBorn { .. }
            | Note::BucketTimeWait { .. }
            | Note::RequestBorn { .. }
            | Note::Orphaned { .. }
            | Note::Destroyed { .. }
    )
}
