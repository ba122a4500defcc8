//! Why a segment was sent, back to its first cause; and if it is a RST, what would have averted it.
//!
//! [`chain`] reads what a [`Recording`] holds of the segment's connection and follows each event to those
//! that made it happen: an answer to the segment that arrived, that to its sender, a bucket's
//! refusal to the ACK that asked for it and to the table that was full. Read in this order: `past`
//! (what is searched), `follow` (which event leads to which), `tell` (an event in words), `avert`
//! (by how much it was missed), `table` (when the bucket table became full).

mod avert;
mod follow;
mod past;
mod stack;
mod table;
mod tell;

pub use stack::{Stack, stacks};

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::time::Instant;

use crate::because::{Because, Explain};
use crate::recording::{Error, Event, Filter, Recording, What};
use crate::watch::{Sent, Watch};
use crate::world::HostId;

/// A sysctl and its value then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// The full name.
    pub sysctl: &'static str,
    /// The value, as /proc/sys shows it.
    pub value: String,
}

/// One event of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// When it happened.
    pub at: Instant,
    /// On which host.
    pub host: HostId,
    /// What kind of event: `sent`, `received`, `call`, `bucket-refused`, ….
    pub event: &'static str,
    /// What happened.
    pub text: String,
    /// Kernel functions in which it happened, outermost first.
    pub functions: Vec<&'static str>,
    /// The sysctls that decided.
    pub decided: Vec<Decided>,
    /// What it would have taken to avert it, as the events tell.
    pub averted: Vec<String>,
    /// The links that made it happen, as places in the chain; none for a first cause.
    pub causes: Vec<usize>,
}

/// A segment, most often a RST, with everything that led to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// The segment.
    pub segment: Segment,
    /// The kernel site that sent it.
    pub cause: Cause,
    /// The earlier event that made a RST inevitable, as the story of a run tells it; `None` for any
    /// other segment.
    pub because: Option<Because>,
    /// The segment first; each of the others is a cause of one before it.
    pub links: Vec<Link>,
}

/// The RST with that number, from 1 on, of one host or of all, in order of time.
pub fn reset(rec: &Recording, host: Option<HostId>, number: u64) -> Result<Option<Event>, Error> {
    let Some(host) = host else { return rec.reset(number) };
    let Some(before) = number.checked_sub(1) else { return Ok(None) };
    let Ok(before) = usize::try_from(before) else { return Ok(None) };
    rec.resets().filter(|e| e.as_ref().map_or(true, |e| e.host == host)).nth(before).transpose()
}

/// How many RSTs that host, or all, have sent.
pub fn reset_count(rec: &Recording, host: Option<HostId>) -> Result<u64, Error> {
    let Some(host) = host else { return Ok(rec.reset_count()) };
    rec.resets().try_fold(0, |count, event| Ok(count + u64::from(event?.host == host)))
}

/// The segment with that number, from 1 on, of those that left: in order of time, of one host or of
/// all, on one connection (either way) or on all.
pub fn segment(
    rec: &Recording,
    host: Option<HostId>,
    flow: Option<FourTuple>,
    number: u64,
) -> Result<Option<Event>, Error> {
    let Some(before) = number.checked_sub(1) else { return Ok(None) };
    let Ok(before) = usize::try_from(before) else { return Ok(None) };
    sent_segments(rec, host, flow).nth(before).transpose()
}

/// How many segments left, counted as [`segment`] counts them.
pub fn segment_count(
    rec: &Recording,
    host: Option<HostId>,
    flow: Option<FourTuple>,
) -> Result<u64, Error> {
    sent_segments(rec, host, flow).try_fold(0, |count, event| event.map(|_| count + 1))
}

fn sent_segments(
    rec: &Recording,
    host: Option<HostId>,
    flow: Option<FourTuple>,
) -> impl Iterator<Item = Result<Event, Error>> + '_ {
    let all = Instant::ZERO..Instant { ns: u64::MAX };
    let events = rec.events(all, Filter { host, flow, segments: true, ..Filter::default() });
    events.filter(|e| e.as_ref().map_or(true, |e| matches!(e.what, What::Sent { .. })))
}

/// Follows a segment that left back to its first causes; `None` for any other event.
pub fn chain(rec: &Recording, event: &Event) -> Result<Option<Chain>, Error> {
    let What::Sent { segment, .. } = event.what else { return Ok(None) };
    among(rec, &past::Past::until(rec, event, segment.flow)?, event)
}

/// The same where the connection's events are known already, up to that one at least.
pub fn chain_among(
    rec: &Recording,
    mut events: Vec<Event>,
    event: &Event,
) -> Result<Option<Chain>, Error> {
    events.retain(|e| !matches!(e.what, What::Row(..)));
    among(rec, &past::Past { events }, event)
}

fn among(rec: &Recording, past: &past::Past, event: &Event) -> Result<Option<Chain>, Error> {
    let What::Sent { segment, cause, .. } = event.what else { return Ok(None) };
    let Some(place) = past.events.iter().rposition(|e| e == event) else { return Ok(None) };
    let mut explain = Explain::new(rec.hosts().len()).with_boxes(rec.header().boxes());
    for Event { at, host, what } in &past.events[..place] {
        if let What::Note(note) = what {
            explain.noted(*at, *host, note);
        }
    }
    let explained = explain.explain(&sent(event));
    let links = follow::Follow::new(rec, past, place, explained.as_ref()).links()?;
    let because = explained.map(|explained| explained.because);
    Ok(Some(Chain { segment, cause, because, links }))
}

/// Each of a connection's events in words, with the kernel functions in which it happened; nothing
/// is said of what made it happen. They stand in order; rows and counters get no words.
pub fn tell(rec: &Recording, events: Vec<Event>) -> Vec<Link> {
    let past = past::Past { events };
    (0..past.events.len()).map(|place| tell::link(rec, &past, place)).collect()
}

/// The event as whoever watches the run sees it.
fn sent(event: &Event) -> Sent<'_> {
    let What::Sent { segment, cause, fate, answers } = &event.what else {
        unreachable!("invariant: a chain begins at a segment that left")
    };
    let answers = answers.as_ref();
    Sent { at: event.at, host: event.host, segment, cause: *cause, answers, fate: *fate }
}
