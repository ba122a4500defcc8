//! What could go wrong: nothing to do for a long time, everything at once, everybody in one chain,
//! no port left.

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Config, Kernel};
use finwait_model::release::Release;
use finwait_model::segment::{Flags, Segment};
use finwait_model::seq::Seq;
use finwait_model::sink::{Cx, Quiet};
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant, Span};
use finwait_sim::watch::Count;
use finwait_sim::world::World;

use crate::world::{Shape, bytes, cpu_ms};

/// All of it.
pub(crate) fn all() -> Result<(), String> {
    idle()?;
    live(1_000_000)?;
    at_once(1_000_000)?;
    one_chain()?;
    no_port()
}

/// An hour in which 100,000 buckets wait and one connection stands.
fn idle() -> Result<(), String> {
    let shape = Shape { count: Some(1), hold: Span::secs(3_600), ..Shape::live(0) };
    let mut world = shape.world()?;
    let cpu = cpu_ms();
    world.run_until(Instant::ZERO + Span::secs(3_500), &mut Count);
    println!("an idle connection for 3,500 s: {} ms", cpu_ms() - cpu);
    Ok(())
}

/// So many connections stand, opened one after the other in ten seconds: what each costs as long as
/// it lives.
fn live(count: u64) -> Result<(), String> {
    let hold = Span::secs(100);
    let shape = Shape { count: Some(count), hold, rate: count / 10, ..Shape::live(0) };
    let mut world = shape.world()?;
    world.run_until(Instant::ZERO + Span::secs(11), &mut Count);
    println!(
        "{} connections stand: {:.0} bytes each for both ends",
        standing(&world) / 2,
        bytes(&world) as f64 * 2.0 / standing(&world) as f64
    );
    Ok(())
}

/// Ends of connections, and a listener for each port.
fn standing(world: &World) -> u64 {
    world.hosts().iter().map(|h| u64::from(h.stack().sockstat().inuse)).sum()
}

/// So many connections stand, and then all of them close at the same nanosecond.
fn at_once(count: u64) -> Result<(), String> {
    let hold = Span::secs(1);
    let shape = Shape { count: Some(count), burst: true, hold, ..Shape::live(0) };
    let mut world = shape.world()?;
    let cpu = cpu_ms();
    world.run_until(Instant::ZERO + Span::millis(900), &mut Count);
    let opened = cpu_ms() - cpu;
    println!(
        "{count} connections opened at once: {:.0} ns each; {:.0} bytes each for both ends",
        opened as f64 * 1e6 / count as f64,
        bytes(&world) as f64 * 2.0 / standing(&world) as f64
    );
    let cpu = cpu_ms();
    world.run_until(Instant::ZERO + Span::secs(2), &mut Count);
    let closed = cpu_ms() - cpu;
    println!("all of them closed at once: {:.0} ns each", closed as f64 * 1e6 / count as f64);
    let cpu = cpu_ms();
    world.run_until(Instant::ZERO + Span::secs(70), &mut Count);
    let died = cpu_ms() - cpu;
    println!(
        "their buckets die on one tick: {:.0} ns each, {} left",
        died as f64 * 1e6 / count as f64,
        world.hosts().iter().map(|h| h.stack().sockstat().tw).sum::<u32>()
    );
    Ok(())
}

/// Requests whose four-tuples all fall into one chain of the established hash: each lookup walks
/// it, as the kernel would if somebody knew its secret.
fn one_chain() -> Result<(), String> {
    for count in [500, 1_000, 2_000] {
        let server = Endpoint::new(Addr::v4(10, 0, 0, 1), 80);
        let (mut kernel, mut sink) = (listening(server)?, Quiet);
        let mut cx = Cx { now: Instant::ZERO, sink: &mut sink };
        let flows: Vec<FourTuple> = (0u32..)
            .flat_map(|host| (1024..=65535).map(move |port| (host, port)))
            .map(|(host, port)| {
                FourTuple::new(Endpoint::new(Addr(0x0b00_0000 | host), port), server)
            })
            .filter(|flow| flow.hash() & 0xffff == 0)
            .take(count)
            .collect();
        let syn = |flow| Segment { flow, seq: Seq(1), flags: Flags::SYN, ..Segment::default() };
        for &flow in &flows {
            kernel.rx(&syn(flow), &mut cx);
        }
        let (cpu, rounds) = (cpu_ms(), 100);
        for _ in 0..rounds {
            for &flow in &flows {
                kernel.rx(&syn(flow), &mut cx);
            }
        }
        let looked = rounds * flows.len();
        let each = (cpu_ms() - cpu) as f64 * 1e6 / looked as f64;
        println!("{count} four-tuples in one chain: {each:.0} ns a segment");
    }
    Ok(())
}

fn listening(local: Endpoint) -> Result<Kernel, String> {
    let config = Config {
        release: Release::V6_18,
        clock: Clock::new(1000, 0),
        sysctl: Sysctl::new(Release::V6_18),
        addrs: vec![local.addr],
        mtu: 1500,
        seed: 1,
    };
    let mut kernel = Kernel::new(&config);
    let fd = kernel.socket();
    let mut sink = Quiet;
    let mut cx = Cx { now: Instant::ZERO, sink: &mut sink };
    let listens = kernel.bind(fd, local).and_then(|()| kernel.listen(fd, 4096, &mut cx));
    listens.map_err(|error| format!("{error:?}"))?;
    Ok(kernel)
}

/// connect() when every port to that address is taken by a connection that stands: it tries each
/// of 28,232 ports and says EADDRNOTAVAIL, as the kernel does.
fn no_port() -> Result<(), String> {
    let shape = Shape { rate: 2_000, hold: Span::secs(1_000), ..Shape::live(0) };
    let mut world = shape.world()?;
    let failed = |world: &World| -> u64 {
        world
            .hosts()
            .iter()
            .flat_map(|h| h.apps())
            .filter_map(|a| a.tally())
            .map(|t| t.no_port)
            .sum()
    };
    // Each of these targets has 28,232 ports.
    let targets = 2_000 * 62 / 10_000 + 1;
    let full = Span::secs(28_232 * targets / 2_000 + 1);
    world.run_until(Instant::ZERO + full, &mut Count);
    let (before, cpu) = (failed(&world), cpu_ms());
    world.run_until(Instant::ZERO + full + Span::secs(1), &mut Count);
    let (calls, cpu) = (failed(&world) - before, cpu_ms() - cpu);
    println!(
        "connect() without a free port: {:.0} ns each, {:.1} ns a port",
        cpu as f64 * 1e6 / calls.max(1) as f64,
        cpu as f64 * 1e6 / calls.max(1) as f64 / 28_232.0
    );
    Ok(())
}
