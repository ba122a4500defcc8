//! What one lifecycle costs: connect, a request, a response, close on both sides, TIME_WAIT until
//! it expires; both hosts modelled segment by segment, counters on, nothing recorded. And how that
//! cost grows.
//!
//! `cargo bench -p finwait-sim --bench lifecycle` prints a table; a number behind `--` is how many
//! lifecycles each line measures (default 300,000). Words choose a part:
//!
//! | word | what |
//! |---|---|
//! | `growth` | cost over buckets, rate and hosts, as CSV; `cargo run -p finwait-viz --example growth` draws it |
//! | `recorded` | the price of a recording, and its size |
//! | `incident` | the built-in incident from its beginning to its end, alone and recorded; with a number, its first seconds |
//! | `worst` | what could go wrong |
//! | `size` | how much slower 1 M and 10 M buckets are than 131,072, in turns |
//! | `once` | runs and measures nothing: what the second of two runs needs more under callgrind is the price of its additional lifecycles |
//! | `full` | the same with every connection worked out in full, though others have gone the same way |
//!
//! Times are processor time, so that a busy machine does not count; the digest beside each figure
//! says that it was still the same simulation.

mod growth;
mod recorded;
mod world;
mod worst;

use std::process::ExitCode;

use finwait_model::time::{Instant, Span};
use finwait_sim::watch::Count;

use world::{Shape, bytes};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = args.iter().find_map(|arg| arg.parse().ok());
    let lifecycles = number.unwrap_or(300_000);
    // cargo adds `--bench`.
    let outcome = match args.iter().find(|arg| arg.starts_with(char::is_alphabetic)) {
        None => everything(lifecycles),
        Some(part) => match part.as_str() {
            "once" => once(number.unwrap_or(10_000), false),
            "full" => once(number.unwrap_or(10_000), true),
            "growth" => growth::growth(lifecycles),
            "recorded" => recorded::recorded(lifecycles),
            "incident" => recorded::incident(number),
            "worst" => worst::all(),
            "size" => growth::size(lifecycles),
            other => Err(format!(
                "{other}: expected growth, recorded, incident, worst, size, once or full, and a number"
            )),
        },
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
fn once(lifecycles: u64, in_full: bool) -> Result<(), String> {
    let shape = Shape { in_full, ..Shape::live(62_000) };
    let mut world = shape.world()?;
    world.run_until(Instant::ZERO + Span::secs(lifecycles.div_ceil(shape.rate)), &mut Count);
    println!("{} lifecycles, digest {}", world.lifecycles(), world.digest());
    Ok(())
}

fn everything(lifecycles: u64) -> Result<(), String> {
    println!(
        "{:<28} {:>10} {:>10} {:>9} {:>11} {:>8}  digest",
        "", "buckets", "lifecycles", "ns each", "each second", "B/bucket"
    );
    for live in [1_000, 10_000, 131_072, 1_000_000, 10_000_000] {
        line(&format!("{live} live buckets"), Shape::live(live), lifecycles)?;
    }
    let in_full = Shape { in_full: true, ..Shape::live(131_072) };
    line("131072, each in full", in_full, lifecycles)?;
    for rate in [100, 10_000, 100_000] {
        let shape = Shape { rate, ..Shape::live(0) };
        line(&format!("{rate} connections/s"), shape, lifecycles.min(rate * 1000))?;
    }
    for hosts in [2, 20, 200] {
        let shape = Shape { clients: hosts - 1, ..Shape::live(131_072) };
        line(&format!("{hosts} hosts"), shape, lifecycles)?;
    }
    growth::size(lifecycles * 5)?;
    worst::all()?;
    recorded::recorded(lifecycles)?;
    recorded::incident(None)
}

/// Measures the steady state.
fn line(name: &str, shape: Shape, lifecycles: u64) -> Result<(), String> {
    let measured = shape.measured(lifecycles)?;
    let (each, live) = (growth::ns_each(&measured), measured.live);
    println!(
        "{name:<28} {live:>10} {:>10} {each:>9.0} {:>11.0} {:>8.1}  {}",
        measured.lifecycles,
        1e9 / each,
        bytes(&measured.world) as f64 / live as f64,
        measured.world.digest()
    );
    Ok(())
}
