//! What it costs to write everything down, and what a whole incident costs.

use std::io::{self, Write};

use finwait_model::time::Span;
use finwait_sim::recording::{Header, Recorder};
use finwait_sim::run::{Outcome, run, run_watched};
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::{Sent, Watch};
use finwait_sim::world::Turns;

use crate::world::{Shape, cpu_ms};

/// The incident as everybody gets it who types `finwait run`.
const INCIDENT: &str = include_str!("../../examples/scenarios/incident.toml");

/// Looks at every segment and does nothing with it: so each connection is worked out in full.
struct Every;

impl Watch for Every {
    fn wants_notes(&self) -> bool {
        false
    }
    fn sent(&mut self, _sent: &Sent<'_>) {}
}

/// Counts the bytes of a file that is not kept, and takes their checksum: whoever makes the
/// recorder faster sees that it still writes the same.
#[derive(Default)]
struct Counted {
    bytes: u64,
    checksum: crc32fast::Hasher,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        self.checksum.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same run as it is, with each connection in full, and with a recording of every segment and event.
pub(crate) fn recorded(lifecycles: u64) -> Result<(), String> {
    let shape = Shape::live(131_072);
    let mut scenario = shape.scenario()?;
    scenario.duration = Span::secs(lifecycles.div_ceil(shape.rate));
    compare("131072 live buckets", &scenario)
}

/// The incident for so many seconds, or as long as its file says, alone and recorded.
pub(crate) fn incident(seconds: Option<u64>) -> Result<(), String> {
    let mut scenario = Scenario::parse(INCIDENT, "incident").map_err(|e| e.to_string())?;
    scenario.duration = seconds.map_or(scenario.duration, Span::secs);
    compare("the incident", &scenario)?;
    println!("the most memory of this process: {} MB", peak_mb());
    Ok(())
}

fn compare(name: &str, scenario: &Scenario) -> Result<(), String> {
    let (plain, plain_ms) = timed(|| run(scenario, Turns::Forward, |_| ()));
    println!(
        "{name}, {}: {} lifecycles, {} segments, {plain_ms} ms, at most {} MB, digest {}",
        scenario.duration,
        plain.lifecycles,
        plain.segments,
        peak_mb(),
        plain.digest
    );
    let (full, full_ms) = timed(|| run_watched(scenario, Turns::Forward, &mut Every, |_| ()));
    println!(
        "  each connection in full: {full_ms} ms, {:.2} times as much; digest {}",
        full_ms as f64 / plain_ms.max(1) as f64,
        full.digest
    );
    let header = Header::new(scenario, "", None);
    let mut recorder = Recorder::new(Counted::default(), header);
    let (told, recorded_ms) =
        timed(|| run_watched(scenario, Turns::Forward, &mut recorder, |_| ()));
    let file = recorder.finish(&told).map_err(|e| e.to_string())?;
    println!(
        "  every segment recorded: {recorded_ms} ms, {:.2} times as much as in full; {:.1} bytes a segment, checksum {:08x}; digest {}",
        recorded_ms as f64 / full_ms.max(1) as f64,
        file.bytes as f64 / told.segments.max(1) as f64,
        file.checksum.finalize(),
        told.digest
    );
    Ok(())
}

/// What it says, and the processor time that it took in milliseconds.
fn timed(work: impl FnOnce() -> Outcome) -> (Outcome, u64) {
    let before = cpu_ms();
    let outcome = work();
    (outcome, cpu_ms() - before)
}

/// The most memory that this process has had so far: `VmHWM` of /proc/self/status.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
