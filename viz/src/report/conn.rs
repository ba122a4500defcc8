//! One connection, step by step: what each end did, what stood there behind it, and what the hosts'
//! tables and counters said.

use core::ops::{ControlFlow, Range};
use std::collections::BTreeSet;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::{Line, Object, SockStat};
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_sim::link::Fate;
use finwait_sim::recording::{
    Error, Event, Filter, Recording, SockStatChange, What, same_connection,
};
use finwait_sim::run::HostOutcome;
use finwait_sim::why;
use finwait_sim::world::HostId;

use crate::story::first_of;

use super::facts::{Conn, Passing, Reset, Stand, Step};

/// Steps of a connection beyond so many are left out.
const STEPS: usize = 120;
/// How long a connection is followed behind the instant for which it was chosen: a bucket of 3.10
/// under load lives for nearly two minutes.
const BEHIND: Span = Span::secs(130);
/// How far behind that instant it is followed at once: longer than a segment is on its way.
const SOON: Span = Span::secs(2);
/// How far back its beginning is looked for; then ten times as far, and so on.
const BEFORE: Span = Span::secs(10);
/// Steps that lie no further apart are read in one go.
const APART: Span = Span::millis(500);

/// Reads the connection that was there at an instant.
pub(super) fn read(
    rec: &Recording,
    hosts: &[HostOutcome],
    flow: FourTuple,
    around: Instant,
) -> Result<Conn, Error> {
    conn(rec, hosts, flow, &whole(rec, flow, around)?)
}

/// Reads the connection of a RST, and what made the RST inevitable.
pub(super) fn of_reset(
    rec: &Recording,
    hosts: &[HostOutcome],
    resets: &[Reset],
    place: usize,
) -> Result<Conn, Error> {
    let reset = resets[place];
    let events = whole(rec, reset.flow, reset.at)?;
    let mut conn = conn(rec, hosts, reset.flow, &events)?;
    conn.reset = Some(place);
    let is_it = |e: &&Event| e.at == reset.at && e.host == reset.host && e.what.is_reset();
    if let Some(event) = events.iter().find(is_it).copied() {
        conn.chain = why::chain_among(rec, events, &event)?;
    }
    Ok(conn)
}

fn conn(
    rec: &Recording,
    hosts: &[HostOutcome],
    flow: FourTuple,
    events: &[Event],
) -> Result<Conn, Error> {
    let flow = events.iter().find_map(opening).unwrap_or(flow);
    let host_at = |addr| hosts.iter().position(|h| h.addr == addr).map(|n| HostId(n as u16));
    let ends = [host_at(flow.saddr), host_at(flow.daddr)];
    let mut steps = Vec::new();
    let times: Vec<Instant> = events.iter().map(|e| e.at).collect();
    for range in clusters(&times) {
        steps.extend(cluster(rec, hosts, flow, ends, range)?);
    }
    stand(&mut steps, flow, ends);
    let left_out = steps.len().saturating_sub(STEPS);
    steps.truncate(STEPS);
    let steps = steps.into_iter().map(|raw| raw.step(rec)).collect();
    let story = first_of(rec, events);
    Ok(Conn { flow, ends, reset: None, story, chain: None, steps, left_out })
}

/// Its events, from its first SYN to the next one with the same ends.
fn whole(rec: &Recording, flow: FourTuple, around: Instant) -> Result<Vec<Event>, Error> {
    let filter = Filter { flow: Some(flow), ..Filter::default() };
    let behind = Instant { ns: around.ns.saturating_add(1) };
    let mut before = BEFORE;
    let mut events: Vec<Event>;
    let first = loop {
        let from = Instant { ns: around.ns.saturating_sub(before.ns) };
        events = rec.events(from..behind, filter.clone()).collect::<Result<_, _>>()?;
        let first = events.iter().rposition(|e| opening(e).is_some());
        if first.is_some() || from == Instant::ZERO {
            break first.unwrap_or(0);
        }
        before = Span { ns: before.ns.saturating_mul(10) };
    };
    // What its opening step began with stands before it.
    let at = events.get(first).map(|e| e.at);
    events.retain(|e| Some(e.at) >= at);
    // Most are over soon.
    let soon = around + SOON;
    for rest in [behind..soon, soon..around + BEHIND] {
        for event in rec.events(rest, filter.clone()) {
            let event = event?;
            if opening(&event).is_some() {
                return Ok(events);
            }
            events.push(event);
        }
        if !stands(&events) {
            break;
        }
    }
    Ok(events)
}

/// Is anything left of the connection at either end?
fn stands(events: &[Event]) -> bool {
    let mut rows = BTreeSet::new();
    for event in events {
        match event.what {
            What::Row(flow, Some(_)) => _ = rows.insert((event.host, flow)),
            What::Row(flow, None) => _ = rows.remove(&(event.host, flow)),
            _ => {}
        }
    }
    !rows.is_empty()
}

/// The connection as its opener sees it, if the event opens one. (The state changes before connect()
/// has chosen a port, so the note of that does not name the connection.)
pub(super) fn opening(event: &Event) -> Option<FourTuple> {
    match event.what {
        What::Sent { segment, cause: Cause::SynOnConnect, .. } => Some(segment.flow),
        What::Sent { segment, cause: Cause::OtherTcp, .. } => {
            (segment.flags.syn() && !segment.flags.ack()).then_some(segment.flow)
        }
        _ => None,
    }
}

/// Times that lie close together.
fn clusters(times: &[Instant]) -> Vec<Range<Instant>> {
    let mut out: Vec<Range<Instant>> = Vec::new();
    for &at in times {
        let end = Instant { ns: at.ns.saturating_add(1) };
        match out.last_mut() {
            Some(last) if at.since(last.start) < Span::secs(5) && at.since(last.end) <= APART => {
                last.end = last.end.max(end);
            }
            _ => out.push(at..end),
        }
    }
    out
}

/// A step before it is told.
struct Raw {
    at: Instant,
    host: HostId,
    events: Vec<Event>,
    counters: Vec<(Mib, i64)>,
    shared: bool,
    ends: [Option<Stand>; 2],
    sockstat: [SockStat; 2],
}

/// The connection's steps in a part of the run.
fn cluster(
    rec: &Recording,
    hosts: &[HostOutcome],
    flow: FourTuple,
    ends: [Option<HostId>; 2],
    range: Range<Instant>,
) -> Result<Vec<Raw>, Error> {
    let mut tables = Tables::before(hosts, range.start);
    let mut steps = Vec::new();
    let mut open: Vec<Event> = Vec::new();
    let mut close = |open: &mut Vec<Event>, tables: &mut Tables| {
        tables.take(open);
        if open.iter().any(|e| e.what.flow().is_some_and(|its| same_connection(its, flow))) {
            steps.push(Raw::new(open, flow, tables.of(ends)));
        }
        open.clear();
    };
    rec.each_event(tables.at..range.end, |event| {
        if open.last().is_some_and(|last| begins_anew(last, event)) {
            close(&mut open, &mut tables);
        }
        open.push(*event);
        ControlFlow::Continue(())
    })?;
    close(&mut open, &mut tables);
    Ok(steps)
}

/// Does a new step begin? One ends with what it has changed.
fn begins_anew(last: &Event, next: &Event) -> bool {
    let change =
        |e: &Event| matches!(e.what, What::Counter(..) | What::SockStat(_) | What::Row(..));
    (last.at, last.host) != (next.at, next.host)
        || (change(last) && !change(next))
        || matches!(next.what, What::Received(_))
}

/// Every host's sockstat as the events go by.
struct Tables {
    at: Instant,
    now: Vec<SockStat>,
}

impl Tables {
    /// As they stood at the last sample before that time.
    fn before(hosts: &[HostOutcome], start: Instant) -> Self {
        let place = hosts.first().and_then(|h| h.series.iter().rposition(|s| s.at <= start));
        let Some(place) = place else {
            return Self { at: Instant::ZERO, now: vec![SockStat::default(); hosts.len()] };
        };
        let sample = |h: &HostOutcome| h.series.get(place).map_or(h.sockstat, |s| s.sockstat);
        Self { at: hosts[0].series[place].at, now: hosts.iter().map(sample).collect() }
    }
    fn take(&mut self, events: &[Event]) {
        for event in events {
            if let What::SockStat(change) = event.what {
                let stat = &mut self.now[usize::from(event.host.0)];
                let SockStatChange { inuse, orphan, tw, alloc } = change;
                for (value, by) in [
                    (&mut stat.inuse, inuse),
                    (&mut stat.orphan, orphan),
                    (&mut stat.tw, tw),
                    (&mut stat.alloc, alloc),
                ] {
                    *value = (i64::from(*value) + by).clamp(0, u32::MAX.into()) as u32;
                }
            }
        }
    }
    fn of(&self, ends: [Option<HostId>; 2]) -> [SockStat; 2] {
        ends.map(|end| end.map_or_else(SockStat::default, |id| self.now[usize::from(id.0)]))
    }
}

impl Raw {
    fn new(all: &[Event], flow: FourTuple, sockstat: [SockStat; 2]) -> Self {
        let its = |e: &&Event| e.what.flow().is_some_and(|its| same_connection(its, flow));
        let other = |e: &Event| {
            e.what.flow().is_some_and(|its| its.dport != 0 && !same_connection(its, flow))
        };
        let counters = all.iter().filter_map(|e| match e.what {
            What::Counter(mib, by) => Some((mib, by)),
            _ => None,
        });
        Self {
            at: all[0].at,
            host: all[0].host,
            events: all.iter().filter(its).copied().collect(),
            counters: counters.collect(),
            shared: all.iter().any(other),
            ends: [None; 2],
            sockstat,
        }
    }
    /// Told in words.
    fn step(self, rec: &Recording) -> Step {
        let tells = |e: &Event| !matches!(e.what, What::Row(..));
        let events: Vec<Event> = self.events.into_iter().filter(tells).collect();
        let refused = events.iter().find_map(|e| match e.what {
            What::Note(Note::BucketRefused { substate, .. }) => Some(substate),
            _ => None,
        });
        let segments = events.iter().filter_map(passing).collect();
        Step {
            at: self.at,
            host: self.host,
            told: why::tell(rec, events),
            segments,
            ends: self.ends,
            refused,
            counters: self.counters,
            shared: self.shared,
            sockstat: self.sockstat,
        }
    }
}

fn passing(event: &Event) -> Option<Passing> {
    match event.what {
        What::Received(segment) => Some(Passing { segment, sent: None, arrives: Some(event.at) }),
        What::Sent { segment, cause, fate, .. } => {
            let arrives = match fate {
                Fate::Arrives(at) | Fate::Twice(at, _) => Some(at),
                Fate::Lost | Fate::Unroutable => None,
            };
            Some(Passing { segment, sent: Some(cause), arrives })
        }
        _ => None,
    }
}

/// What stands at both ends behind each step.
fn stand(steps: &mut [Raw], flow: FourTuple, ends: [Option<HostId>; 2]) {
    let mut now: [Option<Stand>; 2] = [None; 2];
    for step in steps {
        for event in &step.events {
            let What::Row(row, line) = event.what else { continue };
            // On loopback both ends are rows of one host: the row says whose it is.
            let end = usize::from(row != flow);
            if ends[end] == Some(event.host) {
                now[end] = line.map(|line: Line| Stand {
                    state: line.state,
                    bucket: line.object == Object::Bucket,
                });
            }
        }
        step.ends = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_lie_close_together_are_read_in_one_go() {
        let at = |ms: u64| Instant::ZERO + Span::millis(ms);
        let found = clusters(&[at(0), at(0), at(100), at(600), at(60_000)]);
        let ends: Vec<(u64, u64)> = found.iter().map(|r| (r.start.ns, r.end.ns)).collect();
        assert_eq!(ends, [(0, 600_000_001), (60_000_000_000, 60_000_000_001)]);
    }
}
