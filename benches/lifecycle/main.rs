//! What one lifecycle costs: connect, a request, a response, close on both sides, TIME_WAIT until
//! it expires; both hosts modelled segment by segment, counters on, nothing recorded. And how that
//! cost grows.
//!
//! `cargo bench -p finwait-sim --bench lifecycle` prints a table; a number behind `--` is how many
//! lifecycles each line measures (default 300,000). `-- once N` runs N lifecycles and measures
//! nothing: what the second of two runs needs more under callgrind is the price of its additional
//! lifecycles.
//!
//! Times are processor time, so that a busy machine does not count; the digest beside each figure
//! says that it was still the same simulation.

mod world;
mod worst;

use std::process::ExitCode;

use finwait_model::time::{Instant, Span};
use finwait_sim::watch::Count;

use world::{Shape, bytes, cpu_ms};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = args.iter().find_map(|arg| arg.parse().ok());
    let outcome = if args.iter().any(|arg| arg == "once") {
        once(number.unwrap_or(10_000))
    } else {
        tables(number.unwrap_or(300_000))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// For callgrind.
fn once(lifecycles: u64) -> Result<(), String> {
    let shape = Shape::live(62_000);
    let mut world = shape.world()?;
    world.run_until(Instant::ZERO + Span::secs(lifecycles.div_ceil(shape.rate)), &mut Count);
    println!("{} lifecycles, digest {}", world.lifecycles(), world.digest());
    Ok(())
}

fn tables(lifecycles: u64) -> Result<(), String> {
    println!(
        "{:<28} {:>10} {:>10} {:>9} {:>11} {:>8}  digest",
        "", "buckets", "lifecycles", "ns each", "each second", "B/bucket"
    );
    for live in [1_000, 10_000, 131_072, 1_000_000, 10_000_000] {
        line(&format!("{live} live buckets"), Shape::live(live), lifecycles)?;
    }
    for rate in [100, 10_000, 100_000] {
        let shape = Shape { rate, ..Shape::live(0) };
        line(&format!("{rate} connections/s"), shape, lifecycles.min(rate * 1000))?;
    }
    for hosts in [2, 20, 200] {
        let shape = Shape { clients: hosts - 1, ..Shape::live(131_072) };
        line(&format!("{hosts} hosts"), shape, lifecycles)?;
    }
    worst::idle()?;
    worst::at_once(200_000)?;
    worst::one_chain()?;
    worst::no_port()
}

/// Measures the steady state.
fn line(name: &str, shape: Shape, lifecycles: u64) -> Result<(), String> {
    let mut world = shape.filled()?;
    let (before, cpu) = (world.lifecycles(), cpu_ms());
    let end = world.now() + Span::secs(lifecycles.div_ceil(shape.rate));
    world.run_until(end, &mut Count);
    let (done, cpu) = (world.lifecycles() - before, cpu_ms() - cpu);
    let live: u64 = world.hosts().iter().map(|h| u64::from(h.stack().sockstat().tw)).sum();
    let each = cpu as f64 * 1e6 / done as f64;
    println!(
        "{name:<28} {live:>10} {done:>10} {each:>9.0} {:>11.0} {:>8.1}  {}",
        1e9 / each,
        bytes(&world) as f64 / live as f64,
        world.digest()
    );
    Ok(())
}
