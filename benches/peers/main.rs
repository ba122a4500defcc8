//! finwait beside other TCPs, in one run on one machine: lifecycles per second of processor time.
//!
//! `cargo bench -p finwait-sim --bench peers`, with a number behind `--` for that many lifecycles
//! of each (default 40,000). A lifecycle is: connect, 6 bytes there, 6 bytes back, close by the
//! client, close by the server; the client's TIME_WAIT lasts as long as its TCP lets it. The live
//! kernel runs over loopback in a network namespace of its own; without the right to make one that
//! row says so.

mod kernel;
mod ours;
mod smol;
#[path = "../lifecycle/world.rs"]
mod world;

use std::process::ExitCode;

/// What one way of running lifecycles cost.
struct Row {
    name: String,
    /// Lifecycles and processor time in milliseconds; or why it could not run.
    outcome: Result<(u64, u64), String>,
    note: String,
}

impl Row {
    /// Per second of one processor.
    fn rate(&self) -> Option<f64> {
        let (lifecycles, cpu_ms) = *self.outcome.as_ref().ok()?;
        Some(lifecycles as f64 * 1000.0 / cpu_ms.max(1) as f64)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|a| a == kernel::INSIDE) {
        return kernel::inside(&args[at + 1..]);
    }
    let count = args.iter().find_map(|a| a.parse().ok()).unwrap_or(40_000);
    let rows = [
        ours::row(131_072, count * 50, false),
        ours::row(131_072, count * 10, true),
        smol::row(0, count * 10),
        smol::row(1_000, count / 4),
        kernel::row(1, count),
        kernel::row(64, count),
    ];
    let ours = rows[0].rate().unwrap_or(f64::NAN);
    println!("{:<44} {:>14} {:>12}   ", "", "lifecycles/s", "finwait is");
    for row in &rows {
        match (&row.outcome, row.rate()) {
            (Err(why), _) => println!("{:<44} {why}", row.name),
            (Ok(_), rate) => {
                let rate = rate.unwrap_or(f64::NAN);
                let times = format!("{:.1} x", ours / rate);
                println!("{:<44} {rate:>14.0} {times:>12}   {}", row.name, row.note);
            }
        }
    }
    ExitCode::SUCCESS
}
