//! The world: hosts, links, and the loop over windows of time.
//!
//! No host can influence another sooner than the smallest link delay. So the world takes the
//! earliest event, lets every host run alone until that time plus the smallest delay, and repeats:
//! what a host sends in a window arrives in a later one. Within its window a host does its steps
//! in the order (time, [`Step`](crate::step::Step), lane, order of sending). Nothing depends on
//! the order in which hosts take their turn, and there is no global queue of events.

use finwait_model::segment::Segment;
use finwait_model::time::{Instant, Span};

use crate::agenda::NEVER;
use crate::digest::Digest;
use crate::follow::Followers;
use crate::host::Host;
use crate::link::Link;
use crate::network::Network;
use crate::pairs::Pairs;
use crate::watch::{Asked, Watch};

/// A host of a world: its place in the scenario's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub u16);

/// In which order the hosts of a window take their turn. It must not matter; tests turn it round.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Turns {
    /// As the scenario names them.
    #[default]
    Forward,
    /// The other way round.
    Backward,
}

/// Hosts and the links between them, at one point of virtual time.
#[derive(Debug)]
pub struct World {
    hosts: Vec<Host>,
    network: Network,
    window: Span,
    turns: Turns,
    now: Instant,
    /// At how many segments a debug build looks at the tables next.
    next_check: u64,
}

impl World {
    /// A world at time zero. Hosts stand in the order of their [`HostId`]s.
    ///
    /// # Panics
    /// If a link has no delay at all: a window would be empty. Scenarios refuse that.
    pub fn new(hosts: Vec<Host>, links: Vec<Link>, turns: Turns) -> Self {
        let window = links.iter().map(Link::least_delay).min().unwrap_or(Span::secs(1));
        assert!(window > Span::ZERO, "invariant: a link takes at least 1 ns");
        let network = Network::new(hosts.len(), links);
        let mut world = Self { hosts, network, window, turns, now: Instant::ZERO, next_check: 0 };
        world.plan_all();
        world
    }
    /// The same with connections that follow tracks.
    pub(crate) fn with_followers(self, followers: Followers) -> Self {
        Self { network: self.network.with_followers(followers), ..self }
    }
    /// The same with connections of which it is known how they go on. Nobody must act on its hosts from
    /// outside.
    pub(crate) fn with_pairs(mut self, pairs: Pairs) -> Self {
        self.hosts.iter_mut().for_each(|host| host.kernel_mut().forgo_lookup());
        Self { network: self.network.with_pairs(pairs), ..self }
    }
    /// Has a thing come up of which it is not known what comes of it? Then this world is of no use any
    /// more.
    pub fn gave_up(&self) -> Option<&'static str> {
        self.network.gave_up()
    }
    /// Everything before this instant has happened.
    pub const fn now(&self) -> Instant {
        self.now
    }
    /// The hosts, in order.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }
    /// The host with that name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|h| h.name() == name)
    }
    /// The same, to act on its kernel from outside between two runs.
    pub fn host_mut(&mut self, name: &str) -> Option<&mut Host> {
        self.network.followers_mut().stop();
        if let Some(pairs) = self.network.pairs() {
            pairs.give_up("a host that was acted on from outside");
        }
        self.hosts.iter_mut().find(|h| h.name() == name)
    }
    /// Segments that left any host so far.
    pub fn segments(&self) -> u64 {
        self.hosts.iter().map(Host::segments).sum()
    }
    /// Connections that client applications have opened and closed so far.
    pub fn lifecycles(&self) -> u64 {
        self.hosts.iter().map(Host::lifecycles).sum()
    }
    /// How many of the connections so far went the way of earlier ones and were not worked out anew.
    pub fn followed(&self) -> u64 {
        self.network.followers().begun() + self.network.pairs_begun()
    }
    /// Lets everything happen that happens before `end`.
    pub fn run_watched(&mut self, end: Instant, watch: &mut dyn Watch) {
        self.run_until(end, &mut Asked::new(watch));
    }
    /// The same, compiled with everything below it for this kind of watcher alone: worth that only
    /// where nobody wants to know much ([`Count`](crate::watch::Count)).
    ///
    /// For such a watcher connections that go the way of earlier ones are not worked out anew, if it
    /// [does not want to know more](Watch::wants_only_resets).
    pub fn run_until(&mut self, end: Instant, watch: &mut impl Watch) {
        self.network.followers_mut().begin_run(end, watch.wants_only_resets());
        if self.network.pairs().is_some() {
            self.run_pairs(end, watch);
        }
        loop {
            let first = self.network.agenda().first();
            if first >= end {
                break;
            }
            let stop = end.min(first + self.window);
            match self.turns {
                Turns::Forward => self.forward(stop, watch),
                Turns::Backward => self.backward(stop, watch),
            }
            watch.window(stop);
        }
        self.finish(end, watch);
        self.now = self.now.max(end);
        if cfg!(debug_assertions) && self.network.pairs().is_none() {
            self.check_now_and_then();
        }
    }
    /// Whatever happens first, again and again, where it is known how connections go on. A host does each
    /// thing at its time whatever the others do, and what they send it arrives later.
    fn run_pairs(&mut self, end: Instant, watch: &mut impl Watch) {
        while self.network.gave_up().is_none() {
            let (at, place) = self.network.agenda().first_and_place();
            if at >= end {
                return;
            }
            let host = &mut self.hosts[place];
            host.step_pairs(at, &mut self.network, watch);
            self.network.plan_pairs(host.id(), host.next_own());
        }
        // Nothing that could still happen is of any use.
        self.network.end_agenda();
    }
    /// Every host with something before `stop` has its turn. What it sends arrives later, so nobody
    /// joins them meanwhile.
    fn forward(&mut self, stop: Instant, watch: &mut impl Watch) {
        let mut from = 0;
        while let Some(host) = self.network.agenda().next_before(stop, from) {
            self.turn(host, stop, watch);
            from = host + 1;
        }
    }
    fn backward(&mut self, stop: Instant, watch: &mut impl Watch) {
        for host in (0..self.hosts.len()).rev() {
            if self.network.agenda().at(host) < stop {
                self.turn(host, stop, watch);
            }
        }
    }
    #[inline]
    fn turn(&mut self, host: usize, stop: Instant, watch: &mut impl Watch) {
        let host = &mut self.hosts[host];
        host.run(&mut self.network, stop, watch);
        if self.network.followers().are_possible() {
            self.network.followers_mut().has_open(host.id(), host.open_connections());
        }
        self.network.plan(host.id(), host.next_own());
    }
    /// Connections that follow tracks come to their end, and what they have counted is added.
    fn finish(&mut self, end: Instant, watch: &mut impl Watch) {
        for host in &mut self.hosts {
            host.finish(end, &mut self.network, watch);
        }
        self.network.followers_mut().settle(&mut self.hosts);
        if let Some(pairs) = self.network.pairs() {
            pairs.settle(end, &mut self.hosts);
        }
    }
    /// Looks at what every host has planned.
    fn plan_all(&mut self) {
        for host in &self.hosts {
            self.network.plan(host.id(), host.next_own());
        }
    }
    /// What has arrived for a real machine since this was asked last.
    pub fn arrived(&mut self, host: HostId) -> Vec<Segment> {
        self.hosts[usize::from(host.0)].arrived()
    }
    /// A real machine sends, at a time that the world has not passed.
    pub fn send(&mut self, host: HostId, at: Instant, segment: &Segment, watch: &mut dyn Watch) {
        let watch = &mut Asked::new(watch);
        let Self { hosts, network, now, .. } = self;
        hosts[usize::from(host.0)].send(at.max(*now), segment, network, watch);
        watch.window(at.max(*now));
    }
    /// When anything happens next; `None` if nothing ever will by itself.
    pub fn next(&self) -> Option<Instant> {
        Some(self.network.agenda().first()).filter(|at| *at != NEVER)
    }
    /// Checks the tables whenever as many segments have passed as the tables are large: then it
    /// costs each segment the same, however large they become.
    fn check_now_and_then(&mut self) {
        let segments = self.segments();
        if segments >= self.next_check {
            self.check();
            let stats = self.hosts.iter().map(|h| h.stack().sockstat());
            let size: u64 = stats.map(|s| u64::from(s.tw) + u64::from(s.inuse)).sum();
            self.next_check = segments + 1000 + size;
        }
    }
    /// Panics if a kernel's tables contradict one another: our own bug.
    pub fn check(&self) {
        for host in &self.hosts {
            host.kernel().check();
        }
    }
    /// The fingerprint of everything up to now: each host's segments, then its counters.
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        digest.word(self.now.ns);
        for host in &self.hosts {
            host.digest_into(&mut digest);
        }
        digest
    }
}
