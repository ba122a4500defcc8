//! A schedule's run as a recording, for everything that reads one: ladders, chains of causes, `ss`,
//! captures.

use std::io::{self, Write};

use finwait_model::time::Instant;

use super::schedule::Schedule;
use super::stage::Stage;
use crate::digest::Digest;
use crate::recording::{Header, HostInfo, Recorder};
use crate::run::Outcome;
use crate::stack::Platform;
use crate::watch::{Sent, Watch};

/// Counts and hashes what leaves.
#[derive(Debug, Default)]
struct Tally {
    segments: u64,
    digest: Digest,
}

impl Watch for Tally {
    fn wants_notes(&self) -> bool {
        false
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        self.segments += 1;
        self.digest.word(sent.host.0.into());
        self.digest.segment(sent.at, sent.segment, sent.cause);
    }
}

/// Plays it to its end and writes what happened; `text` is the schedule as a file.
pub fn record<W: Write>(schedule: &Schedule, name: &str, text: &str, out: W) -> io::Result<W> {
    let hosts = schedule.hosts.iter().map(|setup| HostInfo {
        name: setup.name.clone(),
        release: setup.release,
        addr: setup.addr,
        clock: setup.clock,
        mtu: setup.mtu,
        sysctl: setup.sysctls(),
        passes_on: false,
        platform: Platform::Linux(setup.release),
    });
    let mut header = Header {
        finwait: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: name.to_owned(),
        toml: text.to_owned(),
        seed: 0,
        duration: finwait_model::time::Span::ZERO,
        sample: finwait_model::time::Span::millis(100),
        filter: None,
        hosts: hosts.collect(),
    };
    header.duration = length(schedule);
    let simulated = header.duration;
    let mut watch = (Recorder::new(out, header), Tally::default());
    let mut stage = Stage::new(schedule, &mut watch);
    while stage.step(&mut watch) {}
    let (recorder, tally) = watch;
    recorder.finish(&Outcome {
        scenario: name.to_owned(),
        seed: 0,
        simulated,
        interrupted: false,
        segments: tally.segments,
        lifecycles: 0,
        digest: tally.digest,
        hosts: Vec::new(),
    })
}

/// How long it goes on: to behind the last thing that happens.
fn length(schedule: &Schedule) -> finwait_model::time::Span {
    let mut stage = Stage::new(schedule, &mut crate::watch::Count);
    while stage.step(&mut crate::watch::Count) {}
    stage.now().since(Instant::ZERO) + finwait_model::time::Span::millis(1)
}

/// The fingerprint of everything that leaves either host, and of both hosts' counters at the end.
pub fn digest(schedule: &Schedule) -> Digest {
    let mut tally = Tally::default();
    let mut stage = Stage::new(schedule, &mut tally);
    while stage.step(&mut tally) {}
    for side in 0..2 {
        for (mib, value) in stage.kernel(side).counters().non_zero() {
            tally.digest.text(mib.nstat_name());
            tally.digest.word(value);
        }
    }
    tally.digest
}
