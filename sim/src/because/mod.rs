//! Why a RST was sent, in two steps: the kernel site that sent it ([`Cause`]), and the earlier
//! event that made it inevitable ([`Because`]).
//!
//! The kernel itself forgets: a RST from "no socket" knows nothing of the socket that was there a
//! moment ago. [`Explain`] keeps the last fatal event of each flow in a bounded table, and joins
//! the two when the RST leaves.

mod past;
pub(crate) mod text;
mod why;

pub use past::{Fatal, Past};
pub use why::Because;

use std::collections::BTreeMap;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};

use crate::watch::{Sent, Watch};
use crate::world::HostId;
use past::Pasts;

/// How many RSTs of each group are kept in full.
const EXAMPLES: usize = 3;

/// RSTs of one host with the same cause and the same earlier event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Who sent them.
    pub host: HostId,
    /// The kernel site.
    pub cause: Cause,
    /// The earlier event.
    pub because: Because,
    /// How many.
    pub count: u64,
    /// From the earlier event to the RST: the shortest.
    pub shortest: Span,
    /// The longest.
    pub longest: Span,
    /// The first few in full.
    pub examples: Vec<Example>,
}

/// One RST in full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Example {
    /// When it left.
    pub at: Instant,
    /// The RST.
    pub reset: Segment,
    /// The segment that it answers, if any.
    pub answers: Option<Segment>,
    /// What had happened to the connection before, if anything is remembered.
    pub past: Option<Past>,
}

impl Example {
    /// The earlier event's time, if it is remembered.
    pub fn earlier(&self) -> Option<Instant> {
        let past = self.past?;
        past.fatal.map(|f| f.0).or_else(|| past.orphaned.map(|o| o.0))
    }
}

/// A RST, why it was sent, and what made it inevitable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Explained {
    /// The kernel site.
    pub cause: Cause,
    /// The earlier event.
    pub because: Because,
    /// The RST, what it answers, and what is remembered of its connection.
    pub example: Example,
}

/// Watches a run and explains its RSTs.
#[derive(Debug)]
pub struct Explain {
    pasts: Vec<Pasts>,
    groups: BTreeMap<(HostId, Cause, Because), Group>,
    boxes: Vec<HostId>,
}

impl Explain {
    /// For a world with so many hosts.
    pub fn new(hosts: usize) -> Self {
        let pasts = std::iter::repeat_with(Pasts::default).take(hosts).collect();
        Self { pasts, groups: BTreeMap::new(), boxes: Vec::new() }
    }
    /// For so many hosts with a handful of connections.
    pub fn small(hosts: usize) -> Self {
        let pasts = std::iter::repeat_with(|| Pasts::with_sets(8)).take(hosts).collect();
        Self { pasts, groups: BTreeMap::new(), boxes: Vec::new() }
    }
    /// The same for a world in which these hosts are boxes on the way of others.
    pub fn with_boxes(self, boxes: Vec<HostId>) -> Self {
        Self { boxes, ..self }
    }
    /// Why a RST that leaves now is sent; `None` for any other segment.
    pub fn explain(&self, sent: &Sent<'_>) -> Option<Explained> {
        if !sent.cause.is_reset() || sent.is_passed_on() {
            return None;
        }
        let past = self.pasts[usize::from(sent.host.0)].find(sent.segment.flow);
        let mut because = Because::of(sent.cause, past.as_ref(), sent.answers);
        if because == Because::Unknown && self.boxes.contains(&sent.host) {
            because = Because::FlowForgotten;
        }
        let example =
            Example { at: sent.at, reset: *sent.segment, answers: sent.answers.copied(), past };
        Some(Explained { cause: sent.cause, because, example })
    }
    /// Is anything remembered of a connection, seen from that host?
    pub fn remembers(&self, host: HostId, flow: FourTuple) -> bool {
        self.pasts[usize::from(host.0)].find(flow).is_some()
    }
    /// The groups, the most frequent of each host first.
    pub fn into_groups(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.sort_by_key(|g| (g.host, core::cmp::Reverse(g.count), g.cause, g.because));
        groups
    }
}

impl Watch for Explain {
    #[inline(always)]
    fn wants_only_resets(&self) -> bool {
        true
    }
    #[inline(always)]
    fn wants_notes(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        let Some(Explained { because, example, .. }) = self.explain(sent) else { return };
        let group = self.groups.entry((sent.host, sent.cause, because)).or_insert_with(|| Group {
            host: sent.host,
            cause: sent.cause,
            because,
            count: 0,
            shortest: Span::nanos(u64::MAX),
            longest: Span::ZERO,
            examples: Vec::with_capacity(EXAMPLES),
        });
        group.count += 1;
        let wait = sent.at.since(example.earlier().unwrap_or(sent.at));
        group.shortest = group.shortest.min(wait);
        group.longest = group.longest.max(wait);
        if group.examples.len() < EXAMPLES {
            group.examples.push(example);
        }
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.pasts[usize::from(host.0)].note(at, note.flow(), note);
    }
    fn noted_of(&mut self, at: Instant, host: HostId, flow: FourTuple, note: &Note) {
        self.pasts[usize::from(host.0)].note(at, flow, note);
    }
}
