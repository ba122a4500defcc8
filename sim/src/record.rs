//! What a run leaves behind if somebody keeps it: one record for each segment and each note.

use core::fmt;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use crate::link::Fate;
use crate::watch::{Sent, Watch};
use crate::world::HostId;

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// When.
    pub at: Instant,
    /// On which host.
    pub host: HostId,
    /// What.
    pub event: Event,
}

/// The kinds of record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A segment left.
    Sent {
        /// The segment.
        segment: Segment,
        /// Why.
        cause: Cause,
        /// What the network did with it.
        fate: Fate,
    },
    /// Something that no segment shows.
    Note(Note),
}

/// Keeps every record, or those of one connection.
#[derive(Clone, Default, Debug)]
pub struct Trace {
    records: Vec<Record>,
    only: Option<FourTuple>,
}

impl Trace {
    /// Keeps everything.
    pub fn new() -> Self {
        Self::default()
    }
    /// Keeps what concerns that connection, seen from either end.
    pub fn of(flow: FourTuple) -> Self {
        Self { records: Vec::new(), only: Some(flow) }
    }
    /// What it has kept: each host's records in the order of time; hosts take turns window by
    /// window, so sort by time before you show them together.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
    /// The records in the order of time, then of hosts.
    pub fn into_sorted(mut self) -> Vec<Record> {
        self.records.sort_by_key(|r| (r.at, r.host));
        self.records
    }
    fn wants(&self, flow: FourTuple) -> bool {
        self.only.is_none_or(|only| flow == only || flow.reversed() == only)
    }
}

impl Watch for Trace {
    fn wants_notes(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        if self.wants(sent.segment.flow) {
            let Sent { at, host, segment, cause, fate, .. } = *sent;
            let event = Event::Sent { segment: *segment, cause, fate };
            self.records.push(Record { at, host, event });
        }
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        if self.wants(note.flow()) {
            self.records.push(Record { at, host, event: Event::Note(*note) });
        }
    }
}

/// One line without its host's name: `12.000100 10.0.0.1:40000 > 10.0.0.2:6379 F. 1:1(0) … fin`.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.at)?;
        match self.event {
            Event::Sent { segment, cause, fate } => {
                write!(f, "{} {segment}  {}", segment.flow, cause.name())?;
                match fate {
                    Fate::Arrives(_) => Ok(()),
                    Fate::Twice(..) => f.write_str(" (duplicated)"),
                    Fate::Lost => f.write_str(" (lost)"),
                    Fate::Unroutable => f.write_str(" (nobody has that address)"),
                }
            }
            Event::Note(note) => write!(f, "{} {note:?}", note.flow()),
        }
    }
}
