//! A report of a run that one can send: a page that opens from disk, and its twin in Markdown.
//!
//! [`gather`] reads a recording once and a few connections more than once; [`Report`] adds the runs
//! that it is compared with and writes. Read in this order: `facts` (what is known), `pass` and `conn`
//! (how it is read), `pick` (what is shown in full), `verdict` and `words` (how it is told), `data`
//! (what the page's script gets), `html` and `markdown`.

mod conn;
mod data;
mod facts;
mod figures;
mod html;
mod markdown;
mod markup;
mod pass;
mod pick;
mod series;
mod verdict;
mod words;

pub use facts::{Conn, Facts, Failed, Look, Passing, Refusal, Reset, SocketTable, Stand, Step};
pub use markdown::Markdown;
pub use verdict::Verdict;

use std::ops::ControlFlow;

use finwait_model::time::{Instant, Span};
use finwait_sim::recording::{Error, Recording};
use finwait_sim::run::{HostOutcome, Outcome};
use finwait_sim::sample::Peak;
use finwait_sim::world::HostId;

use crate::run::Run;

/// A run that the report's run is compared with.
#[derive(Clone, Debug)]
pub struct Other {
    /// What it is called: `counter-run`, or the run's name.
    pub name: String,
    /// What is different in it: `web.net.ipv4.tcp_max_tw_buckets = 524288`; none where that is not
    /// known.
    pub settings: Vec<String>,
    /// Is it the same run with sysctls that might have helped?
    pub is_counter_run: bool,
    /// Its seed.
    pub seed: u64,
    /// How long it is.
    pub simulated: Span,
    /// Its fingerprint, if it came to its end.
    pub digest: Option<String>,
    /// Its hosts.
    pub hosts: Vec<HostOutcome>,
}

impl Other {
    /// A counter-run with these settings.
    pub fn counter_run(settings: Vec<String>, outcome: Outcome) -> Self {
        Self {
            name: "counter-run".to_owned(),
            settings,
            is_counter_run: true,
            seed: outcome.seed,
            simulated: outcome.simulated,
            digest: Some(outcome.digest.to_string()),
            hosts: outcome.hosts,
        }
    }
    /// Another recorded run.
    pub fn recorded(name: String, rec: &Recording) -> Result<Self, Error> {
        Ok(Self {
            name,
            settings: Vec::new(),
            is_counter_run: false,
            seed: rec.header().seed,
            simulated: rec.end().at().since(Instant::ZERO),
            digest: rec.end().totals().map(|t| t.digest.clone()),
            hosts: hosts(rec)?,
        })
    }
    /// RSTs that its hosts sent.
    pub fn reset_count(&self) -> u64 {
        self.hosts.iter().map(|h| h.counter(finwait_model::counters::Mib::OutRsts)).sum()
    }
}

/// The run once more, with a bucket table just as large as the counter-run filled it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// The host's name and its limit.
    pub limits: Vec<(String, u64)>,
    /// RSTs that were sent all the same.
    pub resets: u64,
    /// Buckets that were refused all the same.
    pub refusals: u64,
}

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run.
    pub facts: Facts,
    /// Runs that it is compared with, the counter-run first.
    pub others: Vec<Other>,
    /// What came of the table that should be large enough.
    pub checked: Option<Checked>,
    /// What the recording is called where the reader is told what to type: `run.fwr`.
    pub recording: String,
}

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        html::page(self)
    }
    /// The twin in Markdown.
    pub fn markdown(&self) -> Markdown {
        markdown::of(self)
    }
    /// What there is to say first.
    pub fn verdict(&self) -> Verdict {
        verdict::of(self)
    }
    /// The counter-run.
    fn counter(&self) -> Option<&Other> {
        self.others.iter().find(|other| other.is_counter_run)
    }
}

/// Opened connections that are shown step by step although they did not end in a RST: the first
/// after so many of a hundred parts of the run.
const ORDINARY: [u64; 3] = [2, 50, 90];

/// Reads a recording. `progress` hears of the time that has been reached, and may break off: then
/// there is nothing.
pub fn gather(
    rec: &Recording,
    mut progress: impl FnMut(Instant) -> ControlFlow<()>,
) -> Result<Option<Facts>, Error> {
    let mut hosts = hosts(rec)?;
    let end = rec.end().at();
    let instants = pick::instants(&hosts, end);
    let openings = ORDINARY.map(|part| Instant { ns: end.ns / 100 * part });
    let Some(found) = pass::read(rec, &instants, &openings, &mut progress)? else {
        return Ok(None);
    };
    for group in found.groups {
        hosts[usize::from(group.host.0)].rst.push(group);
    }
    let mut conns = Vec::new();
    for (at, flow) in found.opened {
        if progress(end).is_break() {
            return Ok(None);
        }
        conns.push(conn::read(rec, &hosts, flow, at)?);
    }
    for place in pick::resets(&found.resets) {
        if progress(end).is_break() {
            return Ok(None);
        }
        conns.push(conn::of_reset(rec, &hosts, &found.resets, place)?);
    }
    Ok(Some(Facts {
        header: rec.header().clone(),
        about: rec.scenario().map(|s| s.about).unwrap_or_default(),
        end: rec.end().clone(),
        tables: Run::read(rec)?,
        hosts,
        segments: rec.segment_count(),
        resets: found.resets,
        refusals: found.refusals,
        failed: found.failed,
        looks: found.looks,
        machine: found.machine,
        conns,
    }))
}

/// The hosts as the recording's samples and its end show them, without their RSTs.
pub fn hosts(rec: &Recording) -> Result<Vec<HostOutcome>, Error> {
    let end = rec.end().at();
    let each = rec.hosts().iter().enumerate().map(|(n, info)| {
        let id = HostId(n as u16);
        let view = rec.host_at(id, end)?;
        let series = rec.samples(id)?;
        let mut peak = Peak::default();
        series.iter().for_each(|sample| peak.take(sample));
        Ok(HostOutcome {
            name: info.name.clone(),
            release: info.release,
            platform: info.platform,
            content: None,
            addr: info.addr,
            sysctl: view.sysctl,
            mib: view.counters,
            sockstat: view.sockstat,
            peak,
            series,
            rst: Vec::new(),
            clients: Default::default(),
            latencies: Default::default(),
            connects: Default::default(),
            servers: Default::default(),
            pool: None,
            load: None,
            web: None,
            script: None,
            passage: None,
        })
    });
    each.collect()
}
