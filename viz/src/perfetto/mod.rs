//! A run as a Chrome trace, which ui.perfetto.dev and chrome://tracing open: a process for each
//! host, a track for each socket with its states as slices, counters for the tables, an arrow for
//! each segment, and marks for refused buckets, RSTs, timers and calls.
//!
//! It is written event by event, so that its size does not matter. Where a run has more than
//! [`MOST`] sockets, one connection in N is shown, and the trace says so.

mod choose;
mod events;
mod track;

use std::io::{self, Write};
use std::ops::Range;

use finwait_model::time::Instant;
use finwait_sim::capture::Error;
use finwait_sim::recording::{Filter, Recording};
use finwait_sim::world::HostId;
use serde_json::{Value, json};

use crate::figure::About;
use crate::samples;
use choose::Chosen;
use events::ts;
use track::Tracer;

/// So many sockets are shown all.
pub const MOST: u64 = 10_000;

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Sockets that the run had in that time.
    pub sockets: u64,
    /// One connection in so many is shown.
    pub one_in: u64,
    /// Events in the file.
    pub events: u64,
}

/// Writes what happened in that time. `reached` is told how far it is; the recording is gone
/// through twice, because how many sockets there are has to be known first.
pub fn write(
    rec: &Recording,
    about: &About,
    range: Range<Instant>,
    out: impl Write,
    mut reached: impl FnMut(Instant),
) -> Result<Written, Error> {
    let chosen = Chosen::count(rec, range.clone(), &mut reached)?;
    let mut file = File { out, events: 0 };
    file.begin(about, &chosen)?;
    for (n, host) in rec.hosts().iter().enumerate() {
        let name = format!("{}, {}", host.name, host.platform);
        let pid = n + 1;
        let args = json!({ "name": name });
        file.put(json!({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": args}))?;
        let args = json!({ "sort_index": pid });
        file.put(
            json!({"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": args}),
        )?;
    }
    let mut counters = Counters::new(rec, range.clone())?;
    let mut tracer = Tracer::new(rec, chosen, range.end);
    tracer.stand(rec, range.start, &mut |event| file.put(event))?;
    for event in rec.events(range.clone(), Filter::ALL) {
        let event = event?;
        reached(event.at);
        counters.until(event.at, &mut file)?;
        tracer.take(&event, &mut |event| file.put(event))?;
    }
    counters.until(Instant { ns: u64::MAX }, &mut file)?;
    tracer.end(range.end, &mut |event| file.put(event))?;
    let Chosen { sockets, one_in } = chosen;
    file.end()?;
    Ok(Written { sockets, one_in, events: file.events })
}

/// The JSON that is being written.
struct File<W> {
    out: W,
    events: u64,
}

impl<W: Write> File<W> {
    fn begin(&mut self, about: &About, chosen: &Chosen) -> io::Result<()> {
        let other = json!({
            "finwait": env!("CARGO_PKG_VERSION"),
            "scenario": about.scenario,
            "seed": about.seed,
            "digest": about.digest,
            "remark": about.remark,
            "sockets": chosen.sockets,
            "shown": chosen.text(),
        });
        let head = format!("{{\"displayTimeUnit\":\"ns\",\"otherData\":{other},\"traceEvents\":[");
        self.out.write_all(head.as_bytes())
    }
    fn put(&mut self, event: Value) -> io::Result<()> {
        let comma = if self.events > 0 { "," } else { "" };
        self.events += 1;
        writeln!(self.out, "{comma}")?;
        serde_json::to_writer(&mut self.out, &event).map_err(io::Error::from)
    }
    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n]}\n")
    }
}

/// The tables, out of the samples.
struct Counters {
    /// Each with its host, in the order of time.
    rows: std::vec::IntoIter<(Instant, usize, Value)>,
    next: Option<(Instant, usize, Value)>,
}

impl Counters {
    fn new(rec: &Recording, range: Range<Instant>) -> Result<Self, Error> {
        let mut rows = Vec::new();
        for host in 0..rec.hosts().len() {
            let all = rec.samples(HostId(host as u16))?;
            for sample in all.iter().filter(|s| range.start <= s.at && s.at <= range.end) {
                let stat = sample.sockstat;
                let fin_wait_2 = samples::fin_wait2_buckets(sample);
                let values = json!([
                    ["timewait buckets", {
                        "FIN-WAIT-2": fin_wait_2,
                        "TIME-WAIT": stat.tw.saturating_sub(fin_wait_2),
                    }],
                    ["sockets", {"inuse": stat.inuse, "orphan": stat.orphan, "alloc": stat.alloc}],
                    ["TcpOutRsts", {"RSTs": sample.out_rsts}],
                    ["TcpExtTCPTimeWaitOverflow", {"refused": sample.overflows}],
                ]);
                rows.push((sample.at, host, values));
            }
        }
        rows.sort_by_key(|(at, host, _)| (*at, *host));
        let mut rows = rows.into_iter();
        let next = rows.next();
        Ok(Self { rows, next })
    }
    /// Writes those that are due.
    fn until(&mut self, at: Instant, file: &mut File<impl Write>) -> io::Result<()> {
        while let Some((due, host, values)) = self.next.take_if(|(due, ..)| *due <= at) {
            self.next = self.rows.next();
            for pair in values.as_array().into_iter().flatten() {
                file.put(json!({
                    "ph": "C", "name": pair[0], "pid": host + 1, "ts": ts(due), "args": pair[1],
                }))?;
            }
        }
        Ok(())
    }
}
