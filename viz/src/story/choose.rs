//! Which connection: by its four-tuple, by a RST, or the first that were opened.

use std::collections::BTreeSet;
use std::ops::Range;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::time::Instant;
use finwait_sim::recording::{Error, Event, Filter, Recording, What};

use super::Story;
use super::build::Builder;

/// Every story of a four-tuple, in order: one for each time that it was used. A bucket that a new
/// connection takes over belongs to the story of that connection.
pub fn stories(rec: &Recording, flow: FourTuple) -> Result<Vec<Story>, Error> {
    let mut builder = Builder::new(rec);
    for event in rec.flow(flow) {
        builder.take(&event?);
    }
    Ok(builder.into_stories())
}

/// The first story that these events of one four-tuple tell.
pub(crate) fn first_of(rec: &Recording, events: &[Event]) -> Option<Story> {
    let mut builder = Builder::new(rec);
    events.iter().for_each(|event| builder.take(event));
    builder.into_stories().into_iter().next()
}

/// The story to which an event belongs; `None` if the event belongs to no connection.
pub fn story_of(rec: &Recording, event: &Event) -> Result<Option<Story>, Error> {
    let Some(flow) = event.what.flow() else { return Ok(None) };
    let mut all = stories(rec, flow)?.into_iter();
    Ok(all.find(|story| story.from() <= event.at && event.at <= story.until()))
}

/// The first `count` connections that are opened in that time, in the order of their SYNs.
pub fn opened(rec: &Recording, range: Range<Instant>, count: usize) -> Result<Vec<Story>, Error> {
    let filter = Filter { segments: true, ..Filter::default() };
    let mut syns = Vec::new();
    let (mut flows, mut others) = (BTreeSet::new(), BTreeSet::new());
    for event in rec.events(range, filter) {
        if syns.len() == count {
            break;
        }
        let event = event?;
        let begins = match event.what {
            What::Sent { cause: Cause::SynOnConnect, segment, .. } => {
                flows.insert((segment.flow, event.at))
            }
            // Another TCP does not say which SYN is its first.
            What::Sent { cause: Cause::OtherTcp, segment, .. } => {
                let flags = segment.flags;
                flags.syn() && !flags.ack() && others.insert((segment.flow, segment.seq.0))
            }
            _ => false,
        };
        if begins {
            syns.push(event);
        }
    }
    let found = syns.iter().map(|syn| story_of(rec, syn));
    found.filter_map(Result::transpose).collect()
}
