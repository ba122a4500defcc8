//! The worlds that are measured: clients that open short connections to one server.

use std::fmt::Write as _;

use finwait_model::time::{Instant, Span};
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::Count;
use finwait_sim::world::{Turns, World};

/// A bucket of 6.18 lives that long at HZ 1000: 60 s, and until its timer's granule of 4,096 ticks
/// ends; on average half of one.
const LIFE_S: u64 = 62;
/// After so long as many buckets die as are born.
const FILLED: Span = Span::secs(65);
/// Buckets of one pair of addresses and one port: connect() takes even ports as long as there are
/// any, and then searches all 14,000 of them in vain for each odd one.
const PORTS: u64 = 10_000;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Lifecycles per second of virtual time.
    pub rate: u64,
    /// Hosts with a client each; there is one server.
    pub clients: u64,
    /// How long a client holds the connection once it has its answer.
    pub hold: Span,
    /// How many connections at most, over all clients.
    pub count: Option<u64>,
    /// So many at the same instant instead of a rate.
    pub burst: bool,
    /// Is every connection worked out in full, however many have gone the same way before it?
    pub in_full: bool,
}

impl Shape {
    /// A client and a server with as many live buckets in the steady state.
    pub(crate) const fn live(live: u64) -> Self {
        let rate = live / LIFE_S;
        Self {
            rate: if rate == 0 { 1 } else { rate },
            clients: 1,
            hold: Span::ZERO,
            count: None,
            burst: false,
            in_full: false,
        }
    }
    /// The scenario, as a person would write it.
    fn text(self) -> String {
        let per_client = (self.rate * LIFE_S / self.clients).max(self.count.unwrap_or(0));
        let ports = format!("1000-{}", 1000 + per_client / PORTS);
        let mut text = format!(
            "name = \"lifecycle\"\nduration = \"100000s\"\n[links]\ndelay = \"50us\"\n\
             [hosts.server]\nkernel = \"6.18\"\nhz = 1000\n[hosts.server.sysctl]\n\
             \"net.core.somaxconn\" = 65535\n\"net.ipv4.tcp_max_syn_backlog\" = 4000000\n\
             \"net.ipv4.tcp_max_orphans\" = 100000000\n\
             [[apps]]\nkind = \"server\"\nhost = \"server\"\nport = \"{ports}\"\n\
             backlog = 65535\nrequest_bytes = 6\nresponse_bytes = 6\n"
        );
        for n in 0..self.clients {
            let pace = if self.burst {
                format!("workers = {0}\ncount = {0}", self.count.unwrap_or(1) / self.clients)
            } else {
                let count = self.count.map_or_else(String::new, |c| format!("count = {c}\n"));
                format!("{count}rate = \"{}/s\"", (self.rate / self.clients).max(1))
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "[hosts.c{n}]\nkernel = \"6.18\"\nhz = 1000\n[hosts.c{n}.sysctl]\n\
                 \"net.ipv4.tcp_max_tw_buckets\" = 100000000\n\
                 \"net.ipv4.tcp_max_orphans\" = 100000000\n\
                 [[apps]]\nkind = \"client\"\nhost = \"c{n}\"\nto = \"server:{ports}\"\n\
                 {pace}\nrequest_bytes = 6\nresponse_bytes = 6\nhold = \"{}\"\n",
                self.hold
            );
        }
        text
    }
    /// As finwait reads it.
    pub(crate) fn scenario(self) -> Result<Scenario, String> {
        Scenario::parse(&self.text(), "lifecycle").map_err(|e| e.to_string())
    }
    /// Its world at time zero.
    pub(crate) fn world(self) -> Result<World, String> {
        let scenario = self.scenario()?;
        Ok(if self.in_full {
            scenario.world_without_tracks(Turns::Forward)
        } else {
            scenario.world()
        })
    }
    /// The same when the table has filled up.
    pub(crate) fn filled(self) -> Result<World, String> {
        let mut world = self.world()?;
        world.run_until(Instant::ZERO + FILLED, &mut Count);
        Ok(world)
    }
    /// At least so many lifecycles when the table has filled up.
    pub(crate) fn measured(self, lifecycles: u64) -> Result<Measured, String> {
        Ok(Measured::of(self.filled()?, self.rate, lifecycles))
    }
}

/// What so many lifecycles cost.
pub(crate) struct Measured {
    /// The world behind them.
    pub world: World,
    /// How many there were.
    pub lifecycles: u64,
    /// Buckets at the end.
    pub live: u64,
    /// Processor time in nanoseconds.
    pub cpu_ns: u64,
}

impl Measured {
    /// Lets the world go on for as long as so many take at that rate.
    pub(crate) fn of(mut world: World, rate: u64, lifecycles: u64) -> Self {
        let (lifecycles, cpu_ns) = pass(&mut world, rate, lifecycles);
        let live = live_buckets(&world);
        Self { world, lifecycles, live, cpu_ns }
    }
}

/// Lets a world go on for as long as so many lifecycles take at that rate: how many there were, and
/// their processor time in nanoseconds.
pub(crate) fn pass(world: &mut World, rate: u64, lifecycles: u64) -> (u64, u64) {
    let (before, cpu) = (world.lifecycles(), cpu_ns());
    world.run_until(world.now() + Span::nanos(lifecycles * 1_000_000_000 / rate), &mut Count);
    (world.lifecycles() - before, cpu_ns() - cpu)
}

/// Timewait buckets on all hosts.
pub(crate) fn live_buckets(world: &World) -> u64 {
    world.hosts().iter().map(|h| u64::from(h.stack().sockstat().tw)).sum()
}

/// Bytes that the kernels' tables hold.
pub(crate) fn bytes(world: &World) -> usize {
    world.hosts().iter().map(|host| host.kernel().bytes()).sum()
}

/// Processor time of this process so far, its kernel part included, in milliseconds: `utime` and
/// `stime` of /proc/self/stat in ticks of 10 ms.
pub(crate) fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| behind_name.split_whitespace().nth(n).and_then(|f| f.parse().ok());
    (field(11).unwrap_or(0) + field(12).unwrap_or(0)) * 10
}

/// Processor time of this thread so far in nanoseconds, without ticks: the first number of
/// /proc/thread-self/schedstat, which is brought up to date whenever the scheduler is called.
fn cpu_ns() -> u64 {
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
