//! A host: its TCP, its applications, and what is on its way to it.

use finwait_model::cause::Cause;
use finwait_model::drop_reason::DropReason;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Config, Fd, Kernel, Ready};
use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::sink::{Cx, Note, Sink};
use finwait_model::time::Instant;
use finwait_model::track::Total;

use crate::agenda::NEVER;
use crate::app::{App, AppCx, AppId, Call, Conn, Conns};
use crate::digest::Digest;
use crate::dues::Dues;
use crate::follow::{AppTotal, Begun, Ground};
use crate::link::Fate;
use crate::nat::{Nat, Pass, Passage};
use crate::network::Network;
use crate::pairs::{Pairs, Scene};
use crate::peer::PeerConfig;
use crate::stack::{Platform, Stack};
use crate::step::Step;
use crate::watch::{Sent, Trigger, Watch};
use crate::world::HostId;

/// One TCP with its applications.
#[derive(Debug)]
pub struct Host {
    id: HostId,
    name: String,
    release: Release,
    stack: Stack,
    apps: Vec<App>,
    conns: Conns,
    /// If it is a box on the way of others: what passes before its kernel sees it.
    nat: Option<Box<Nat>>,
    wires: Wires,
    plans: Plans,
    tally: Tally,
    /// What has arrived for the real machine, if that is what this host stands for.
    outside: Option<Vec<Segment>>,
}

/// What the host has planned by itself, kept up to date after each step: the world asks for it far
/// more often than it changes.
#[derive(Clone, Debug)]
struct Plans {
    /// The kernel's next timer.
    timer: Instant,
    /// When each application is due.
    apps: Dues,
    /// When the first of all that is.
    first: Instant,
}

impl Plans {
    fn new(stack: &Stack, apps: &[App]) -> Self {
        let timer = stack.next_timer().unwrap_or(NEVER);
        let mut plans = Self { timer, apps: Dues::new(apps.len()), first: NEVER };
        for (place, app) in (0..).zip(apps) {
            plans.apps.set(place, app.due().unwrap_or(NEVER));
        }
        plans.set_timer(timer);
        plans
    }
    #[inline]
    fn set_timer(&mut self, timer: Instant) {
        self.timer = timer;
        self.first = timer.min(self.apps.first());
    }
    #[inline]
    fn set_app(&mut self, app: AppId, due: Instant) {
        self.apps.set(app.0, due);
        self.first = self.timer.min(self.apps.first());
    }
    /// The application that is due first; among equals the one that stands first.
    #[inline]
    fn first_app(&self) -> AppId {
        AppId(self.apps.first_place())
    }
}

/// Which links lead where; indices into the world's links.
#[derive(Clone, Default, Debug)]
pub struct Wires {
    /// Where to send what is for an address; one entry an address.
    pub routes: Vec<(Addr, usize)>,
}

impl Wires {
    /// The link that leads to that address.
    #[inline]
    fn route(&self, to: Addr) -> Option<usize> {
        if let [(addr, link)] = self.routes[..] {
            return (addr == to).then_some(link);
        }
        let at = self.routes.binary_search_by_key(&to, |route| route.0).ok()?;
        Some(self.routes[at].1)
    }
}

/// What has left the host so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    segments: u64,
    digest: Digest,
}

impl Tally {
    /// A segment leaves.
    #[inline(always)]
    pub(crate) fn segment(&mut self, at: Instant, segment: &Segment, cause: Cause) {
        self.segments += 1;
        self.digest.segment(at, segment, cause);
    }
    /// So many leave whose connection follows a track: they are to be taken into this digest.
    #[inline(always)]
    pub(crate) const fn followed(&mut self, segments: u64) -> &mut Digest {
        self.segments += segments;
        &mut self.digest
    }
}

impl Host {
    /// A host that has just booted; its applications start at time zero.
    pub fn new(
        id: HostId,
        name: &str,
        config: &Config,
        smoltcp: Option<&PeerConfig>,
        apps: Vec<App>,
        mut wires: Wires,
    ) -> Self {
        wires.routes.sort_unstable();
        let stack = Stack::new(config, smoltcp);
        Self {
            id,
            name: name.to_owned(),
            release: config.release,
            plans: Plans::new(&stack, &apps),
            stack,
            apps,
            conns: Conns::default(),
            nat: None,
            wires,
            tally: Tally::default(),
            outside: None,
        }
    }
    /// The same as a box on the way of others.
    pub fn with_nat(self, nat: Nat) -> Self {
        Self { nat: Some(Box::new(nat)), ..self }
    }
    /// What it passes on, if it is a box on the way of others.
    pub fn nat(&self) -> Option<&Nat> {
        self.nat.as_deref()
    }
    /// What it counted as such a box.
    pub fn passage(&self) -> Option<Passage> {
        self.nat().map(Nat::passage)
    }
    /// From now on it stands for a real machine: whoever drives the world takes what arrives here
    /// ([`World::arrived`](crate::world::World::arrived)) and says what is sent
    /// ([`World::send`](crate::world::World::send)).
    pub fn becomes_real(&mut self) {
        self.outside = Some(Vec::new());
    }
    /// What has arrived for the real machine since this was asked last.
    pub(crate) fn arrived(&mut self) -> Vec<Segment> {
        self.outside.as_mut().map(core::mem::take).unwrap_or_default()
    }
    /// The real machine sends.
    pub(crate) fn send(
        &mut self,
        at: Instant,
        segment: &Segment,
        network: &mut Network,
        watch: &mut impl Watch,
    ) {
        watch.begins(at, self.id, Trigger::Timer);
        let Self { id, wires, tally, .. } = self;
        let mut tap = Tap { at, host: *id, answers: None, network, wires, tally, watch };
        let cause = if segment.flags.rst() { Cause::RstOtherTcp } else { Cause::OtherTcp };
        tap.transmit(segment, cause);
        watch.stepped(&self.stack);
    }
    /// Its place in the scenario.
    pub const fn id(&self) -> HostId {
        self.id
    }
    /// Its name in the scenario.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// What kernel it runs.
    pub const fn release(&self) -> Release {
        self.release
    }
    /// Its TCP.
    pub const fn stack(&self) -> &Stack {
        &self.stack
    }
    /// Which TCP that is.
    pub const fn platform(&self) -> Platform {
        match self.outside {
            None => self.stack.platform(),
            Some(_) => Platform::Real,
        }
    }
    /// Its Linux; a host that runs none has one in which nothing happens.
    pub const fn kernel(&self) -> &Kernel {
        self.stack.kernel()
    }
    /// Its Linux, to change a sysctl while it runs.
    pub const fn kernel_mut(&mut self) -> &mut Kernel {
        self.stack.kernel_mut()
    }
    /// Its applications.
    pub fn apps(&self) -> &[App] {
        &self.apps
    }
    /// Segments that have left it.
    pub const fn segments(&self) -> u64 {
        self.tally.segments
    }
    /// Connections that its clients have opened and closed.
    pub fn lifecycles(&self) -> u64 {
        self.apps.iter().map(App::lifecycles).sum()
    }
    /// Sockets and half-open requests of its Linux.
    #[inline]
    pub(crate) fn open_connections(&self) -> u64 {
        self.stack.kernel().open_connections()
    }
    /// When it does something next by itself; [`NEVER`] if nothing is planned.
    #[inline]
    pub(crate) const fn next_own(&self) -> Instant {
        self.plans.first
    }
    /// The earliest step; [`Step`] orders equal times.
    #[inline]
    fn next_step(&self, network: &Network) -> (Instant, Step) {
        let mut best = (network.next_arrival(self.id), Step::Arrival);
        let own = self.plans.first;
        if own < best.0 {
            best = (own, if self.plans.timer == own { Step::Timer } else { Step::App });
        }
        best
    }
    /// Does everything that happens here before `stop`.
    pub(crate) fn run(&mut self, network: &mut Network, stop: Instant, watch: &mut impl Watch) {
        loop {
            let (at, step) = self.next_step(network);
            if network.is_behind(self.id, at, stop) {
                self.catch_up((at, step), stop, network, watch);
            }
            if at >= stop {
                break;
            }
            match step {
                Step::Arrival => self.arrival(at, network, watch),
                Step::Timer => self.timers(at, network, watch),
                Step::App => {
                    let app = self.plans.first_app();
                    watch.begins(at, self.id, Trigger::App(app));
                    self.act(app, Act::Due, at, network, watch);
                }
            }
            while let Some((fd, ready)) = self.stack.next_wake() {
                if let Some(app) = self.conns.owner(fd) {
                    self.act(app, Act::Wake(fd, ready), at, network, watch);
                }
            }
            watch.stepped(&self.stack);
            self.look_at_timers();
            debug_assert!(
                step != Step::Timer || self.plans.timer > at,
                "invariant: every timer that was due has run"
            );
        }
    }
    /// Does what happens here next, at that time, where it is known how connections go on.
    #[inline]
    pub(crate) fn step_pairs(
        &mut self,
        at: Instant,
        network: &mut Network,
        watch: &mut impl Watch,
    ) {
        let Some(pairs) = network.pairs() else { return };
        let (arrival, fires) = pairs.upcoming(self.id);
        if arrival == at {
            self.step_pair(false, at, network, watch);
        } else if fires == at {
            // Of one tick, the timers of sockets come before those of buckets.
            self.step_pair(true, at, network, watch);
        } else if self.plans.timer == at {
            self.timers(at, network, watch);
            self.look_at_timers();
            return;
        } else {
            self.act(self.plans.first_app(), Act::Due, at, network, watch);
        }
        while let Some((fd, ready)) = network.pairs().and_then(Pairs::next_wake) {
            if let Some(app) = self.conns.owner(fd) {
                self.act(app, Act::Wake(fd, ready), at, network, watch);
            }
        }
        if network.pairs().is_some_and(Pairs::has_touched_buckets) {
            self.look_at_timers();
        }
    }
    #[inline]
    fn step_pair(
        &mut self,
        fires: bool,
        at: Instant,
        network: &mut Network,
        watch: &mut impl Watch,
    ) {
        let Self { id, stack, tally, .. } = self;
        let ground = Ground { host: *id, kernel: stack.kernel_mut(), tally, watch };
        // Nobody asks what they say.
        let _ = network.on_pairs(at, ground, |pairs, scene| {
            if fires { pairs.fire(scene) } else { pairs.arrive(scene) }
        });
    }
    /// Connections that follow a track do what they do here before the host's own next step, or before
    /// `stop`. No timer that they start is so short that it were the next step.
    fn catch_up(
        &mut self,
        next: (Instant, Step),
        stop: Instant,
        network: &mut Network,
        watch: &mut impl Watch,
    ) {
        let Self { id, stack, tally, .. } = self;
        let mut ground = Ground { host: *id, kernel: stack.kernel_mut(), tally, watch };
        if network.catch_up(next, stop, &mut ground) {
            self.look_at_timers();
        }
    }
    /// When does the kernel's next timer fire?
    #[inline]
    fn look_at_timers(&mut self) {
        self.plans.set_timer(self.stack.next_timer().unwrap_or(NEVER));
    }
    /// The same before the end of a run, when nothing else is left.
    pub(crate) fn finish(&mut self, end: Instant, network: &mut Network, watch: &mut impl Watch) {
        if network.is_behind(self.id, NEVER, end) {
            self.catch_up((NEVER, Step::App), end, network, watch);
            network.plan(self.id, self.next_own());
        }
    }
    /// Adds what so many connections have counted that followed a track.
    pub(crate) fn count(&mut self, app: AppId, total: &Total, apps: &AppTotal, times: u64) {
        self.kernel_mut().count(total, times);
        self.apps[usize::from(app.0)].count(apps, times);
    }
    fn arrival(&mut self, at: Instant, network: &mut Network, watch: &mut impl Watch) {
        let Some((segment, cause)) = network.receive(self.id) else { return };
        let Self { id, stack, nat, wires, tally, outside, .. } = self;
        watch.begins(at, *id, Trigger::Arrival(&segment));
        if let Some(outside) = outside {
            return outside.push(segment);
        }
        let mut tap = Tap { at, host: *id, answers: Some(&segment), network, wires, tally, watch };
        match nat.as_mut().map_or(Pass::Own, |nat| nat.pass(at, &segment)) {
            Pass::On(as_it_leaves) => return tap.transmit(&as_it_leaves, cause),
            Pass::Drop => {
                let (flow, reason) = (segment.flow, DropReason::NetfilterDrop);
                return tap.note(|| Note::Drop { flow, reason });
            }
            Pass::Own => {}
        }
        stack.rx(&segment, &mut Cx { now: at, sink: &mut tap });
    }
    fn timers(&mut self, at: Instant, network: &mut Network, watch: &mut impl Watch) {
        let Self { id, stack, wires, tally, .. } = self;
        watch.begins(at, *id, Trigger::Timer);
        let mut tap = Tap { at, host: *id, answers: None, network, wires, tally, watch };
        stack.run_timers(&mut Cx { now: at, sink: &mut tap });
    }
    fn act(
        &mut self,
        app: AppId,
        act: Act,
        at: Instant,
        network: &mut Network,
        watch: &mut impl Watch,
    ) {
        let Self { id, stack, wires, tally, apps, conns, plans, .. } = self;
        let tap = Tap { at, host: *id, answers: None, network, wires, tally, watch };
        let mut cx = AppCx::new(at, app, stack, conns, tap);
        let index = usize::from(app.0);
        let due = match act {
            Act::Due => apps[index].run(&mut cx),
            Act::Wake(fd, ready) => apps[index].wake(fd, ready, &mut cx),
        };
        plans.set_app(app, due.unwrap_or(NEVER));
    }
    /// Adds what left this host, and how its counters stand, to a fingerprint.
    pub(crate) fn digest_into(&self, digest: &mut Digest) {
        digest.text(&self.name);
        digest.word(self.tally.segments);
        digest.word(self.tally.digest.value());
        for (mib, value) in self.kernel().counters().non_zero() {
            digest.text(mib.nstat_name());
            digest.word(value);
        }
        let stat = self.stack.sockstat();
        for n in [stat.inuse, stat.orphan, stat.tw, stat.alloc] {
            digest.word(u64::from(n));
        }
    }
    /// What the engine knows of a descriptor, for tests.
    pub fn conn(&self, fd: Fd) -> Option<&Conn> {
        self.conns.get(fd)
    }
}

/// Why an application gets its turn.
#[derive(Clone, Copy, Debug)]
enum Act {
    Due,
    Wake(Fd, Ready),
}

/// What stands between a kernel and the network: it hashes each segment, puts it on its link and
/// shows it to whoever watches.
#[derive(Debug)]
pub struct Tap<'a, W> {
    at: Instant,
    host: HostId,
    answers: Option<&'a Segment>,
    network: &'a mut Network,
    wires: &'a Wires,
    tally: &'a mut Tally,
    watch: &'a mut W,
}

impl<W: Watch> Sink for Tap<'_, W> {
    #[inline]
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.tally.segment(self.at, segment, cause);
        let to = segment.flow.daddr;
        let fate = match self.wires.route(to) {
            Some(link) => self.network.send(link, self.at, segment, cause),
            None => Fate::Unroutable,
        };
        let Self { at, host, answers, .. } = *self;
        self.watch.sent(&Sent { at, host, segment, cause, answers, fate });
    }
    #[inline(always)]
    fn note(&mut self, note: impl FnOnce() -> Note) {
        if self.watch.wants_notes() {
            self.watch.noted(self.at, self.host, &note());
        }
    }
    #[inline(always)]
    fn touched(&mut self, flow: impl FnOnce() -> FourTuple) {
        if self.watch.wants_steps() {
            self.watch.touched(flow());
        }
    }
}

impl<W: Watch> Tap<'_, W> {
    /// connect() of a client application towards that one of its targets, if the connection may follow
    /// a track.
    pub(crate) fn follow(
        &mut self,
        app: AppId,
        target: usize,
        to: Endpoint,
        kernel: &mut Kernel,
    ) -> Option<Begun> {
        let Self { at, host, network, tally, watch, .. } = self;
        let mut ground = Ground { host: *host, kernel, tally, watch: *watch };
        network.follow((app, target), to, *at, &mut ground)
    }
    /// The host.
    pub(crate) const fn host(&self) -> HostId {
        self.host
    }
    /// Where it is known how connections go on: those.
    #[inline(always)]
    pub(crate) fn pairs(&mut self) -> Option<&mut Pairs> {
        self.network.pairs()
    }
    /// A system call on one of them.
    #[inline]
    pub(crate) fn on_pairs<T>(
        &mut self,
        kernel: &mut Kernel,
        call: impl FnOnce(&mut Pairs, &mut Scene<'_, W>) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let Self { at, host, network, tally, watch, .. } = self;
        network.on_pairs(*at, Ground { host: *host, kernel, tally, watch: *watch }, call)
    }
    /// Does anybody want to know each system call?
    #[inline(always)]
    pub(crate) fn wants_calls(&self) -> bool {
        self.watch.wants_steps()
    }
    /// An application has made a system call.
    #[inline(always)]
    pub(crate) fn called(&mut self, call: impl FnOnce() -> Call) {
        if self.wants_calls() {
            self.watch.called(&call());
        }
    }
}
