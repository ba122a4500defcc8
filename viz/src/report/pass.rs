//! One pass over everything that a recording holds: RSTs with their reasons, refusals, failed system
//! calls, and the tables at some instants. Memory is that of the hosts' tables, whatever the length.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use finwait_model::errno::Errno;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Line;
use finwait_model::sink::Note;
use finwait_model::time::Instant;
use finwait_sim::because::{Explain, Group};
use finwait_sim::recording::{Error, Event, Recording, What};
use finwait_sim::watch::{Sent, Watch as _};
use finwait_sim::world::HostId;

use crate::machine::{Counter, Counts};

use super::conn::opening;
use super::facts::{Failed, Look, Refusal, Reset};
use super::pick;

/// How many events go by between two looks at the progress.
const STRIDE: u32 = 1 << 16;

/// What one pass finds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) groups: Vec<Group>,
    pub(super) resets: Vec<Reset>,
    pub(super) refusals: Vec<Option<Refusal>>,
    pub(super) failed: Vec<Failed>,
    pub(super) looks: Vec<Look>,
    pub(super) machine: Counts,
    /// The first connection that was opened at or after each of the wanted instants.
    pub(super) opened: Vec<(Instant, FourTuple)>,
}

/// Reads everything. `instants` is when tables are shown, `openings` from when on a connection is wanted;
/// both in order. `None` if `progress` breaks off.
pub(super) fn read(
    rec: &Recording,
    instants: &[Instant],
    openings: &[Instant],
    progress: &mut impl FnMut(Instant) -> ControlFlow<()>,
) -> Result<Option<Found>, Error> {
    let mut pass = Pass::new(rec, instants, openings);
    let mut until_look = STRIDE;
    let mut broken = false;
    rec.each_event(Instant::ZERO..Instant { ns: u64::MAX }, |event| {
        pass.take(event);
        until_look -= 1;
        if until_look == 0 {
            until_look = STRIDE;
            broken = progress(event.at).is_break();
        }
        if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if broken {
        return Ok(None);
    }
    Ok(Some(pass.found()))
}

struct Pass<'a> {
    rec: &'a Recording,
    explain: Explain,
    machine: Counter,
    instants: &'a [Instant],
    openings: &'a [Instant],
    lines: Vec<BTreeMap<FourTuple, Line>>,
    failed: BTreeMap<(HostId, &'static str, Errno), (u64, Instant)>,
    found: Found,
}

impl<'a> Pass<'a> {
    fn new(rec: &'a Recording, instants: &'a [Instant], openings: &'a [Instant]) -> Self {
        let hosts = rec.hosts().len();
        let found = Found {
            groups: Vec::new(),
            resets: Vec::new(),
            refusals: vec![None; hosts],
            failed: Vec::new(),
            looks: Vec::new(),
            machine: Counts::default(),
            opened: Vec::new(),
        };
        Self {
            rec,
            explain: Explain::new(hosts).with_boxes(rec.header().boxes()),
            machine: Counter::default(),
            instants,
            openings,
            lines: vec![BTreeMap::new(); hosts],
            failed: BTreeMap::new(),
            found,
        }
    }
    fn take(&mut self, event: &Event) {
        while let Some((next, rest)) = self.instants.split_first().filter(|(n, _)| **n <= event.at)
        {
            self.look(*next);
            self.instants = rest;
        }
        self.machine.take(event);
        let Event { at, host, what } = *event;
        if let Some((_, rest)) = self.openings.split_first().filter(|(n, _)| **n <= at)
            && let Some(flow) = opening(event)
        {
            self.openings = rest;
            self.found.opened.push((at, flow));
        }
        match what {
            What::Sent { segment, cause, fate, answers } if cause.is_reset() => {
                let answers = answers.as_ref();
                self.reset(&Sent { at, host, segment: &segment, cause, answers, fate });
            }
            What::Note(note) => self.note(at, host, &note),
            What::Call(call) => {
                if let Err(errno) = call.result
                    // These wait, and have not failed.
                    && !matches!(errno, Errno::EAGAIN | Errno::EINPROGRESS | Errno::EALREADY)
                {
                    let key = (host, call.what.name(), errno);
                    self.failed.entry(key).or_insert((0, at)).0 += 1;
                }
            }
            What::Row(flow, line) => {
                let lines = &mut self.lines[usize::from(host.0)];
                match line {
                    Some(line) => lines.insert(flow, line),
                    None => lines.remove(&flow),
                };
            }
            What::Received(_) | What::Sent { .. } | What::Counter(..) | What::SockStat(_) => {}
        }
    }
    fn reset(&mut self, sent: &Sent<'_>) {
        let Some(explained) = self.explain.explain(sent) else { return };
        self.explain.sent(sent);
        self.found.resets.push(Reset {
            at: sent.at,
            host: sent.host,
            flow: sent.segment.flow,
            cause: sent.cause,
            because: explained.because,
            wait: explained.example.earlier().map(|earlier| sent.at.since(earlier)),
        });
    }
    fn note(&mut self, at: Instant, host: HostId, note: &Note) {
        self.explain.noted(at, host, note);
        if let Note::BucketRefused { count, limit, .. } = *note {
            let first = &mut self.found.refusals[usize::from(host.0)];
            first.get_or_insert(Refusal { at, count, limit });
        }
    }
    fn look(&mut self, at: Instant) {
        let clocks = self.rec.hosts().iter().map(|h| h.clock);
        let tables = self.lines.iter().zip(clocks);
        let tables = tables.map(|(lines, clock)| pick::rows(lines.values(), clock, at)).collect();
        self.found.looks.push(Look { at, tables });
    }
    fn found(mut self) -> Found {
        for at in core::mem::take(&mut self.instants) {
            self.look(*at);
        }
        let failed = self.failed.into_iter();
        self.found.failed = failed
            .map(|((host, call, errno), (count, first))| Failed { host, call, errno, count, first })
            .collect();
        self.found.machine = self.machine.finish();
        self.found.groups = self.explain.into_groups();
        self.found
    }
}
