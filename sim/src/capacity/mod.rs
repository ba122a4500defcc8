//! What a host can carry: closes per second before its bucket table is full, connects per second to
//! one destination before ports run out, orphans before they are reset, and the memory of all that;
//! and how near the scenario's own rates come.
//!
//! The times are not written down here but found by playing the model's own death row ([`Held`]).
//! `sim/tests/it/capacity.rs` holds each law to the simulator, just below it and just above.

mod held;
mod load;
mod memory;
mod text;

use core::fmt;

use finwait_model::behaviour::Behaviour;
use finwait_model::flow::Endpoint;
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Jiffies, Span};

pub use held::Held;
pub use load::Load;
pub use memory::{Sizes, megabytes};

use crate::scenario::{AppPlan, HostPlan, Scenario};
use crate::text::grouped;
use crate::world::HostId;

/// So many per second, in thousandths: an exact integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct PerSecond {
    /// Thousandths of one per second.
    pub thousandths: u64,
}

impl PerSecond {
    /// So many in that time, cut off.
    pub fn of(count: u64, per: Span) -> Self {
        let exact = u128::from(count) * 1_000_000_000_000 / u128::from(per.ns.max(1));
        Self { thousandths: u64::try_from(exact).unwrap_or(u64::MAX) }
    }
    /// Both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { thousandths: self.thousandths.saturating_add(other.thousandths) }
    }
    /// How many that are in so much time.
    pub fn in_span(self, span: Span) -> u64 {
        let exact = u128::from(self.thousandths) * u128::from(span.ns) / 1_000_000_000_000;
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
    /// How long so many take at this rate; `None` if for ever.
    pub fn time_for(self, count: u64) -> Option<Span> {
        let exact =
            (u128::from(count) * 1_000_000_000_000).checked_div(u128::from(self.thousandths))?;
        u64::try_from(exact).ok().map(Span::nanos)
    }
    /// In per cent of what could be carried.
    pub fn percent_of(self, carried: Self) -> u64 {
        let exact = u128::from(self.thousandths) * 100 / u128::from(carried.thousandths.max(1));
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
}

/// `1,160` per second, `13.3` if there are few, `0.016` if there are very few.
impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.thousandths / 1000, self.thousandths % 1000);
        match self.thousandths {
            0..1_000 if rest > 0 => write!(f, "0.{rest:03}"),
            0..100_000 if rest >= 100 => write!(f, "{whole}.{}", rest / 100),
            _ => f.write_str(&grouped(whole)),
        }
    }
}

/// The card of a scenario.
#[derive(Clone, Debug)]
pub struct Card {
    /// The scenario's name.
    pub scenario: String,
    /// Its hosts, in its order.
    pub hosts: Vec<HostCard>,
}

/// What one host can carry, and what it is asked for.
#[derive(Clone, Debug)]
pub struct HostCard {
    /// Its name.
    pub name: String,
    /// What kernel it runs.
    pub release: Release,
    /// Its ticks per second.
    pub hz: u32,
    /// Its timewait buckets.
    pub buckets: Buckets,
    /// Its local ports.
    pub ports: Ports,
    /// Its sockets without a file.
    pub orphans: Orphans,
    /// What the kernel's objects weigh there.
    pub sizes: Sizes,
    /// What the scenario asks for.
    pub load: Load,
}

/// The table of timewait buckets.
#[derive(Clone, Copy, Debug)]
pub struct Buckets {
    /// `net.ipv4.tcp_max_tw_buckets`; `None` if there is no limit.
    pub limit: Option<u64>,
    /// How long a slot is held in FIN-WAIT-2 before that, in the scenario.
    pub before: Span,
    /// How long it is held from then on: in TIME-WAIT, or in FIN-WAIT-2 if the peer's FIN comes later
    /// than `net.ipv4.tcp_fin_timeout` allows.
    pub held: Held,
    /// Closes per second that the table carries if each waits for its peer's FIN as long as in the
    /// scenario; `None` without a limit.
    pub carries: Option<PerSecond>,
}

/// The ports that connect() finds by itself.
#[derive(Clone, Debug)]
pub struct Ports {
    /// `net.ipv4.ip_local_port_range`.
    pub range: (u16, u16),
    /// How many of them connect() can use.
    pub count: u64,
    /// How long one destination keeps a port: open, waiting, in TIME-WAIT.
    pub held: Span,
    /// Connects per second that one destination carries, with the sysctls in force.
    pub carries: PerSecond,
    /// The same if buckets are taken over; `None` if they cannot be, whatever is set.
    pub with_reuse: Option<PerSecond>,
    /// Are buckets taken over with the sysctls in force?
    pub reuses: bool,
}

/// Sockets that live on after close().
#[derive(Clone, Copy, Debug)]
pub struct Orphans {
    /// `net.ipv4.tcp_max_orphans`; `None` if there is no limit.
    pub limit: Option<u64>,
    /// How long one is an orphan in the scenario.
    pub held: Span,
    /// After how much silence an orphan counts double at its own timers.
    pub silence: Span,
    /// Closes per second that leave room; `None` without a limit.
    pub carries: Option<PerSecond>,
}

impl Card {
    /// What the hosts of a scenario can carry.
    pub fn of(scenario: &Scenario) -> Self {
        let loads = load::loads(scenario);
        let hosts = loads.into_iter().enumerate().filter_map(|(number, load)| {
            let id = HostId(number as u16);
            // Only Linux has tables with limits.
            let is_linux = scenario.host_plan(id).platform().is_linux();
            is_linux.then(|| host_card(scenario, id, load))
        });
        Self { scenario: scenario.name.clone(), hosts: hosts.collect() }
    }
}

fn host_card(scenario: &Scenario, id: HostId, load: Load) -> HostCard {
    let plan = scenario.host_plan(id);
    let held = held(plan, &load);
    let limit = bucket_limit(plan.release, &plan.sysctl);
    let before = slot_wait(plan, &load);
    let buckets =
        Buckets { limit, before, held, carries: limit.map(|limit| held.carries(limit, before)) };
    HostCard {
        name: plan.name.clone(),
        release: plan.release,
        hz: plan.clock.hz,
        buckets,
        ports: ports(scenario, id, held, &load),
        orphans: orphans(plan, &load),
        sizes: Sizes::of(plan.release),
        load,
    }
}

/// What `net.ipv4.tcp_fin_timeout` has beyond a minute, which is spent as a full socket.
fn beyond_a_minute(plan: &HostPlan) -> Span {
    Span::secs(plan.sysctl.tcp_fin_timeout.saturating_sub(60).max(0).unsigned_abs())
}

/// How long a bucket stands in FIN-WAIT-2 before TIME-WAIT begins.
fn slot_wait(plan: &HostPlan, load: &Load) -> Span {
    if gives_up(plan, load) {
        return Span::ZERO;
    }
    Span::nanos(load.fin_wait.ns.saturating_sub(beyond_a_minute(plan).ns))
}

/// Does FIN-WAIT-2 end before the peer's FIN comes? Then there is no TIME-WAIT.
fn gives_up(plan: &HostPlan, load: &Load) -> bool {
    let timeout = plan.sysctl.tcp_fin_timeout;
    (0..=60).contains(&timeout) && load.fin_wait > Span::secs(timeout.unsigned_abs())
}

/// How long buckets wait there: a minute, 3.5 RTO with tcp_tw_recycle, or `tcp_fin_timeout` if no FIN
/// comes.
fn held(plan: &HostPlan, load: &Load) -> Held {
    let clock = plan.clock;
    if gives_up(plan, load) {
        let timeout = plan.sysctl.tcp_fin_timeout.unsigned_abs();
        return Held::new(plan.release, clock, clock.from_secs(timeout));
    }
    let minute = clock.from_secs(60);
    let recycles = plan.sysctl.tcp_tw_recycle != 0 && load.has_timestamps;
    let wait = if recycles {
        // RTO: 200 ms and the round trip, in ticks; 3.5 of them by shifts, as the kernel does.
        let rto = clock.from_micros(200_000 + load.fin_acked.ns / 1_000).0;
        Jiffies((rto << 2) - (rto >> 1))
    } else {
        minute
    };
    Held::new(plan.release, clock, wait)
}

/// The limit as that release reads it.
fn bucket_limit(release: Release, sysctl: &Sysctl) -> Option<u64> {
    let unlimited = Behaviour::of(release).negative_tw_limit_is_unlimited;
    match u64::try_from(sysctl.tcp_max_tw_buckets) {
        Ok(limit) => Some(limit),
        Err(_) => (!unlimited).then_some(0),
    }
}

fn ports(scenario: &Scenario, id: HostId, held: Held, load: &Load) -> Ports {
    let plan = scenario.host_plan(id);
    let range = plan.sysctl.ip_local_port_range;
    let bound = bound_ports(scenario, id, range);
    let count = usable(plan.release, range).saturating_sub(bound);
    let before = load.open + if gives_up(plan, load) { Span::ZERO } else { load.fin_wait };
    // Only who closes first keeps the port for a minute.
    let heavy = held.quota.is_none_or(|quota| load.closes > quota);
    let plain = match (load.keeps_port, heavy) {
        (true, true) => PerSecond::of(count, before + held.heavy),
        (true, false) => held.carries(count, before),
        (false, _) => PerSecond::of(count, before + load.fin_acked),
    };
    let bucket = if load.keeps_port { held.at(load.closes) } else { load.fin_acked };
    let delay = reuse_delay(plan, load).filter(|_| load.keeps_port);
    let with_reuse = delay.map(|delay| PerSecond::of(count, before + delay).max(plain));
    let reuses = with_reuse.is_some() && reuse_is_on(plan, load);
    let carries = with_reuse.filter(|_| reuses).unwrap_or(plain);
    let held = match delay {
        Some(delay) if reuses => before + delay.min(bucket),
        _ => before + bucket,
    };
    Ports { range, count, held, carries, with_reuse, reuses }
}

/// Ports that connect()'s search goes through.
fn usable(release: Release, (low, high): (u16, u16)) -> u64 {
    let span = u64::from(high) - u64::from(low) + 1;
    // Two parities of equal size: of an odd number of ports the last is never tried.
    if Behaviour::of(release).splits_ports_by_parity && span > 1 { span & !1 } else { span }
}

/// Ports of the range that servers of the host hold.
fn bound_ports(scenario: &Scenario, id: HostId, (low, high): (u16, u16)) -> u64 {
    let within = |first: u16, last: u16| {
        let (first, last) = (first.max(low), last.min(high));
        u64::from(last).saturating_add(1).saturating_sub(first.into())
    };
    let mine = scenario.apps.iter().filter(|(host, _)| *host == id);
    mine.map(|(_, app)| match app {
        AppPlan::Server(plan) => within(plan.ports.0, plan.ports.1),
        AppPlan::Redis(plan) => within(plan.port, plan.port),
        AppPlan::Nginx(plan) => within(plan.front.ports.0, plan.front.ports.1),
        AppPlan::Pool(plan) => {
            plan.front.as_ref().map_or(0, |front| within(front.ports.0, front.ports.1))
        }
        AppPlan::Scripted(plan) => plan.ports.map_or(0, |(low, high)| within(low, high)),
        _ => 0,
    })
    .sum()
}

/// How long after its last timestamp a bucket can be taken over, at the latest.
fn reuse_delay(plan: &HostPlan, load: &Load) -> Option<Span> {
    if !load.has_timestamps {
        return None;
    }
    if Behaviour::of(plan.release).tw_reuse_by_milliseconds {
        let delay = plan.sysctl.tcp_tw_reuse_delay;
        return Some(Span::millis(u64::try_from(delay).unwrap_or(0) + 1));
    }
    // The second after the next: two seconds after a timestamp that came at a second's beginning.
    Some(Span::secs(2))
}

fn reuse_is_on(plan: &HostPlan, load: &Load) -> bool {
    let by_number = Behaviour::of(plan.release).tw_reuse_by_milliseconds;
    match plan.sysctl.tcp_tw_reuse {
        0 => false,
        2 if by_number => load.connects.keys().all(|to| to.addr.is_loopback()),
        _ => true,
    }
}

fn orphans(plan: &HostPlan, load: &Load) -> Orphans {
    let limit = u64::try_from(plan.sysctl.tcp_max_orphans).ok();
    let held = load.fin_acked + beyond_a_minute(plan).min(load.fin_wait);
    let rto_max = match plan.sysctl.tcp_rto_max_ms {
        0 => Span::secs(120),
        ms => Span::millis(ms.unsigned_abs()),
    };
    let carries = limit.map(|limit| PerSecond::of(limit, held));
    Orphans { limit, held, silence: rto_max + rto_max, carries }
}

impl HostCard {
    /// The most buckets that connections from here can leave: one for each port and destination.
    pub fn four_tuples(&self) -> u64 {
        self.ports.count.saturating_mul(self.load.connects.len() as u64)
    }
    /// Does the scenario ask anything of it?
    pub fn is_idle(&self) -> bool {
        self.load.closes == PerSecond::default() && self.load.connects.is_empty()
    }
    /// When the table is full for the first time; `None` if the scenario's rates never fill it.
    pub fn full_after(&self) -> Option<Span> {
        let (limit, carries) = (self.buckets.limit?, self.buckets.carries?);
        let fills = self.load.closes > carries
            && self.load.closes_in_all > limit
            && !(self.load.keeps_port && self.four_tuples() < limit);
        // A close that finds the table full is one more than its slots.
        self.load.closes.time_for(limit + 1).filter(|_| fills)
    }
    /// Connects per second to the destination that is asked for most.
    pub fn busiest(&self) -> Option<(Endpoint, PerSecond)> {
        self.load.busiest()
    }
}
