//! What a capture on each host's interface shows: a segment when it leaves its sender, and again when
//! it arrives at its receiver; a lost one only where it left.
//!
//! [`Capture`] watches a run (or [`replay`] tells it of a recorded one), brings what the hosts did in one
//! order of time, gives every packet its IP id and every RST its reason, and hands the packets that
//! are wanted to whoever [takes](Take) them. It keeps only what is on its way.

mod about;
mod ids;
mod order;
mod recorded;
mod select;

pub use about::{About, HostAbout};
pub use recorded::{Error, replay};
pub use select::Selection;

use std::io;
use std::sync::Arc;

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};

use crate::because::{Explain, Explained};
use crate::link::Fate;
use crate::scenario::Scenario;
use crate::watch::{Sent, Watch};
use crate::wire;
use crate::world::HostId;
use ids::Ids;
use order::Order;

/// The run's beginning on the wall clock of captures, 2026-01-01 12:00:00 UTC, in seconds since
/// 1970. It is the same for every run, so that the same run gives the same bytes; at noon, so that
/// minutes and seconds are those of the run.
pub const EPOCH_S: u64 = 1_767_268_800;

/// A time of the run on the wall clock of captures, in nanoseconds since 1970.
pub const fn unix_ns(at: Instant) -> u64 {
    (EPOCH_S * 1_000_000_000).saturating_add(at.ns)
}

/// Which way a packet passes an interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Direction {
    /// It arrives.
    In,
    /// It leaves.
    Out,
}

/// A segment on the interface of one host.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When it passes.
    pub at: Instant,
    /// Whose interface.
    pub host: HostId,
    /// Which way.
    pub direction: Direction,
    /// The segment.
    pub segment: Segment,
    /// The identification field of its IP header.
    pub ip_id: u16,
    /// Why it was sent.
    pub cause: Cause,
    /// What the network did with it.
    pub fate: Fate,
    /// If it is a RST: the earlier event that made it inevitable.
    pub why: Option<Arc<Explained>>,
}

/// Takes packets in the order of time.
pub trait Take {
    /// One more.
    fn take(&mut self, packet: &Packet) -> io::Result<()>;
    /// That was all.
    fn finish(&mut self) -> io::Result<()>;
}

/// Turns a run into packets.
#[derive(Debug)]
pub struct Capture<T> {
    take: T,
    selection: Selection,
    about: About,
    explain: Explain,
    ids: Ids,
    order: Order,
    bytes: Vec<u8>,
    taken: u64,
    end: Option<io::Result<()>>,
}

impl<T: Take> Capture<T> {
    /// A capture of a run.
    pub fn new(about: &About, selection: Selection, take: T) -> Self {
        Self {
            take,
            selection,
            about: about.clone(),
            explain: Explain::new(about.hosts.len()).with_boxes(about.boxes.clone()),
            ids: Ids::default(),
            order: Order::default(),
            bytes: Vec::new(),
            taken: 0,
            end: None,
        }
    }
    /// Does it want nothing more: has it all that it was asked for, or has writing failed?
    pub const fn is_done(&self) -> bool {
        self.end.is_some()
    }
    /// Hands over what has passed before `end`, where the run ended; says how many packets were
    /// taken.
    pub fn finish(mut self, end: Instant) -> io::Result<u64> {
        self.flush(end);
        self.end.unwrap_or(Ok(()))?;
        self.take.finish()?;
        Ok(self.taken)
    }
    /// Hands over what has passed before that time.
    fn flush(&mut self, before: Instant) {
        while let Some(packet) = self.order.next_before(before) {
            if self.is_done() {
                return;
            }
            self.offer(&packet);
        }
    }
    fn offer(&mut self, packet: &Packet) {
        if let Some(filter) = &self.selection.filter {
            self.bytes.clear();
            wire::emit_into(&packet.segment, packet.ip_id, &mut self.bytes);
            if !filter.matches(&self.bytes, packet.direction) {
                return;
            }
        }
        if let Err(error) = self.take.take(packet) {
            self.end = Some(Err(error));
            return;
        }
        self.taken += 1;
        if self.selection.at_most == Some(self.taken) {
            self.end = Some(Ok(()));
        }
    }
    /// A packet passes an interface, if somebody wants to see it.
    fn pass(&mut self, sent: &Sent<'_>, packet: Packet) {
        if self.selection.wants(packet.host, packet.at) {
            self.order.push(sent.at, sent.host, packet);
        }
    }
}

impl<T: Take> Watch for Capture<T> {
    fn wants_notes(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        if self.is_done() {
            return;
        }
        let before = Instant { ns: sent.at.ns.saturating_sub(self.about.lag.ns) };
        self.flush(before);
        let packet = Packet {
            at: sent.at,
            host: sent.host,
            direction: Direction::Out,
            segment: *sent.segment,
            ip_id: self.ids.next(sent),
            cause: sent.cause,
            fate: sent.fate,
            why: self.explain.explain(sent).map(Arc::new),
        };
        let flow = sent.segment.flow;
        // The loopback interface shows a packet once, as it arrives.
        if flow.saddr != flow.daddr {
            self.pass(sent, packet.clone());
        }
        let Some(host) = self.about.host_at(flow.daddr) else { return };
        let arrivals = match sent.fate {
            Fate::Arrives(at) => [Some(at), None],
            Fate::Twice(first, second) => [Some(first), Some(second)],
            Fate::Lost | Fate::Unroutable => [None, None],
        };
        for at in arrivals.into_iter().flatten() {
            self.pass(sent, Packet { at, host, direction: Direction::In, ..packet.clone() });
        }
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.explain.noted(at, host, note);
    }
}

/// How far a run goes before somebody looks whether the capture wants more.
const STRIDE: Span = Span::millis(20);

/// Runs a scenario and captures it, until its end or until the capture wants nothing more; says how
/// many packets were taken. `progress` hears of the time.
pub fn simulate<T: Take>(
    scenario: &Scenario,
    selection: Selection,
    take: T,
    mut progress: impl FnMut(Instant),
) -> io::Result<u64> {
    let mut world = scenario.world();
    let end = Instant::ZERO + scenario.duration;
    let end = selection.to.map_or(end, |to| to.min(end));
    let mut capture = Capture::new(&About::from(scenario), selection, take);
    while world.now() < end && !capture.is_done() {
        world.run_watched(end.min(world.now() + STRIDE), &mut capture);
        progress(world.now());
    }
    capture.finish(world.now())
}
