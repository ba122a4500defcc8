//! A whole run of a scenario, and what is left of it: series, counters, RSTs with their reasons.

use finwait_model::counters::Mib;
use finwait_model::flow::Addr;
use finwait_model::kernel::SockStat;
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Instant, Span};

use crate::app::{LoadTally, PoolTally, ScriptTally, Served, Tally, WebTally};
use crate::because::{Explain, Group};
use crate::digest::Digest;
use crate::host::Host;
use crate::latencies::Latencies;
use crate::nat::Passage;
use crate::peer::Content;
use crate::sample::{Peak, Sample};
use crate::scenario::Scenario;
use crate::stack::Platform;
use crate::watch::{Count, Watch};
use crate::world::{Turns, World};

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// How much virtual time has passed.
    pub simulated: Span,
    /// Did somebody end it before its time?
    pub interrupted: bool,
    /// Segments that left any host.
    pub segments: u64,
    /// Connections that clients have opened and closed.
    pub lifecycles: u64,
    /// The fingerprint of everything.
    pub digest: Digest,
    /// Its hosts, in the order of the scenario.
    pub hosts: Vec<HostOutcome>,
}

/// What a run leaves behind of one host.
#[derive(Clone, Debug)]
pub struct HostOutcome {
    /// Its name.
    pub name: String,
    /// What kernel it ran.
    pub release: Release,
    /// Which TCP it ran.
    pub platform: Platform,
    /// What the bytes were like that passed its smoltcp.
    pub content: Option<Content>,
    /// Its address.
    pub addr: Addr,
    /// Its sysctls at the end.
    pub sysctl: Sysctl,
    /// Every counter.
    pub mib: Vec<(Mib, u64)>,
    /// Its tables at the end.
    pub sockstat: SockStat,
    /// The largest samples.
    pub peak: Peak,
    /// Its samples, evenly spaced.
    pub series: Vec<Sample>,
    /// The RSTs that it sent, the most frequent group first.
    pub rst: Vec<Group>,
    /// What its clients counted, summed up.
    pub clients: Tally,
    /// How long its clients waited for their answers, from connect() on.
    pub latencies: Latencies,
    /// How long they waited for their connections to stand.
    pub connects: Latencies,
    /// What its servers counted, summed up.
    pub servers: Served,
    /// What its pools of connections counted, if it has any.
    pub pool: Option<PoolTally>,
    /// What its load generators counted, if it has any.
    pub load: Option<LoadTally>,
    /// What its web servers counted of their clients, if it has any.
    pub web: Option<WebTally>,
    /// What its scripts counted, if it has any.
    pub script: Option<ScriptTally>,
    /// What it counted as a box on the way of others, if it is one.
    pub passage: Option<Passage>,
}

impl HostOutcome {
    /// A counter's value.
    pub fn counter(&self, mib: Mib) -> u64 {
        self.mib.iter().find(|(m, _)| *m == mib).map_or(0, |(_, v)| *v)
    }
    /// RSTs that it sent.
    pub fn rst_count(&self) -> u64 {
        self.rst.iter().map(|g| g.count).sum()
    }
}

impl Outcome {
    /// The host with that name.
    pub fn host(&self, name: &str) -> Option<&HostOutcome> {
        self.hosts.iter().find(|h| h.name == name)
    }
    /// What the host with that address is called, or the address.
    pub fn name_of(&self, addr: Addr) -> String {
        let host = self.hosts.iter().find(|h| h.addr == addr);
        host.map_or_else(|| addr.to_string(), |h| h.name.clone())
    }
    /// RSTs that any host sent.
    pub fn rst_count(&self) -> u64 {
        self.hosts.iter().map(HostOutcome::rst_count).sum()
    }
}

/// How many samples of a host are kept at most: a run of a day is sampled every second.
const MOST_SAMPLES: u64 = 100_000;

/// How far a run has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The virtual time.
    pub now: Instant,
    /// Connections opened and closed.
    pub lifecycles: u64,
    /// The most timewait buckets that any host has now.
    pub buckets: u32,
}

/// Runs a scenario from its beginning to its end.
pub fn run(scenario: &Scenario, turns: Turns, progress: impl FnMut(Progress)) -> Outcome {
    run_watched(scenario, turns, &mut Count, progress)
}

/// The same with somebody who looks on.
pub fn run_watched(
    scenario: &Scenario,
    turns: Turns,
    watch: &mut dyn Watch,
    mut progress: impl FnMut(Progress),
) -> Outcome {
    play(scenario, turns, watch, &mut progress)
}

/// The world's loop and all kernels are compiled here, and not wherever a scenario is run.
fn play(
    scenario: &Scenario,
    turns: Turns,
    watch: &mut dyn Watch,
    progress: &mut dyn FnMut(Progress),
) -> Outcome {
    let looks_on = watch.wants_segments() || watch.wants_notes() || watch.wants_steps();
    let explains = || Explain::new(scenario.hosts.len()).with_boxes(scenario.box_hosts());
    let pairs = if looks_on { None } else { scenario.world_of_pairs(turns) };
    let mut world = pairs.unwrap_or_else(|| scenario.world_with(turns));
    let mut explain = explains();
    let mut series = vec![Vec::new(); world.hosts().len()];
    let end = Instant::ZERO + scenario.duration;
    let every = scenario.sample.max(Span::nanos(scenario.duration.ns / MOST_SAMPLES));
    while world.now() < end {
        let next = end.min(world.now() + every);
        if looks_on {
            world.run_watched(next, &mut (&mut explain, &mut *watch));
        } else {
            world.run_until(next, &mut explain);
        }
        if world.gave_up().is_some() {
            // Up to here once more, and on from here with every socket in full.
            (world, explain) = (scenario.world_with(turns), explains());
            world.run_until(next, &mut explain);
        }
        let now: Vec<Sample> = world.hosts().iter().map(|h| Sample::of(h, next)).collect();
        let buckets = now.iter().map(|s| s.sockstat.tw).max().unwrap_or(0);
        for (samples, sample) in series.iter_mut().zip(&now) {
            samples.push(*sample);
        }
        let goes_on = watch.sampled(next, world.hosts(), &now);
        progress(Progress { now: next, lifecycles: world.lifecycles(), buckets });
        if goes_on.is_break() {
            break;
        }
    }
    outcome(scenario, &world, series, &explain.into_groups())
}

pub(crate) fn outcome(
    scenario: &Scenario,
    world: &World,
    series: Vec<Vec<Sample>>,
    groups: &[Group],
) -> Outcome {
    let hosts = world.hosts().iter().zip(series).map(|(host, series)| {
        let rst = groups.iter().filter(|g| g.host == host.id()).cloned().collect();
        host_outcome(scenario, host, series, rst)
    });
    Outcome {
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        simulated: world.now().since(Instant::ZERO),
        interrupted: world.now() < Instant::ZERO + scenario.duration,
        segments: world.segments(),
        lifecycles: world.lifecycles(),
        digest: world.digest(),
        hosts: hosts.collect(),
    }
}

fn host_outcome(
    scenario: &Scenario,
    host: &Host,
    series: Vec<Sample>,
    rst: Vec<Group>,
) -> HostOutcome {
    let mut peak = Peak::default();
    for sample in &series {
        peak.take(sample);
    }
    let mut clients = Tally::default();
    let (mut latencies, mut connects) = (Latencies::default(), Latencies::default());
    for app in host.apps() {
        if let Some(tally) = app.tally() {
            clients.add(tally);
        }
        if let Some(more) = app.latencies() {
            latencies.add(more);
        }
        if let Some(more) = app.connects() {
            connects.add(more);
        }
    }
    let mut servers = Served::default();
    for served in host.apps().iter().filter_map(|app| app.served()) {
        servers.add(served);
    }
    let apps = || host.apps().iter();
    let pool = sum(apps().filter_map(|app| app.pool()).cloned(), PoolTally::add);
    let load = sum(apps().filter_map(|app| app.load()).cloned(), LoadTally::add);
    let web = sum(apps().filter_map(|app| app.web()), WebTally::add);
    let script = sum(apps().filter_map(|app| app.script()).cloned(), ScriptTally::add);
    HostOutcome {
        name: host.name().to_owned(),
        release: host.release(),
        platform: host.platform(),
        content: host.stack().content(),
        addr: scenario.host_plan(host.id()).addr,
        sysctl: host.kernel().sysctl().clone(),
        mib: Mib::ALL.iter().map(|&m| (m, host.kernel().counters().get(m))).collect(),
        sockstat: host.stack().sockstat(),
        peak,
        series,
        rst,
        clients,
        latencies,
        connects,
        servers,
        pool,
        load,
        web,
        script,
        passage: host.passage(),
    }
}

/// What several applications counted together; `None` if there is none.
fn sum<T>(all: impl Iterator<Item = T>, add: impl Fn(&mut T, &T)) -> Option<T> {
    all.reduce(|mut sum, one| {
        add(&mut sum, &one);
        sum
    })
}
