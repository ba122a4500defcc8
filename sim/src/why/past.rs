//! The events of one connection until its RST, and how to find things in them.

use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use crate::app::{Call, SysCall};
use crate::recording::{Error, Event, Filter, Recording, What};

/// What happened to a connection, in order.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) events: Vec<Event>,
}

impl Past {
    /// Everything that happened to that connection until the instant of the event, and in it.
    pub(super) fn until(rec: &Recording, event: &Event, flow: FourTuple) -> Result<Self, Error> {
        let range = Instant::ZERO..Instant { ns: event.at.ns.saturating_add(1) };
        let filter = Filter { flow: Some(flow), ..Filter::default() };
        let events = rec.events(range, filter).filter(|e| {
            // Rows of ss are what the events come to, and make nothing happen.
            !matches!(e, Ok(Event { what: What::Row(..), .. }))
        });
        Ok(Self { events: events.collect::<Result<_, _>>()? })
    }
    /// The last event before `place` that `is_it`.
    pub(super) fn last(&self, place: usize, is_it: impl Fn(&Event) -> bool) -> Option<usize> {
        self.events[..place].iter().rposition(is_it)
    }
    /// The same among those of the host on which `place` happened.
    pub(super) fn last_here(&self, place: usize, is_it: impl Fn(&What) -> bool) -> Option<usize> {
        let host = self.events[place].host;
        self.last(place, |e| e.host == host && is_it(&e.what))
    }
    /// The last note before `place` on its host.
    pub(super) fn note_here(&self, place: usize, is_it: impl Fn(&Note) -> bool) -> Option<usize> {
        self.last_here(place, |what| matches!(what, What::Note(note) if is_it(note)))
    }
    /// Where the segment left that arrived there.
    pub(super) fn departure(&self, place: usize, arrived: &Segment) -> Option<usize> {
        let host = self.events[place].host;
        self.last(place, |e| {
            e.host != host && matches!(&e.what, What::Sent { segment, .. } if segment == arrived)
        })
    }
    /// What began that: the system call that it was done in, or else the segment that had arrived
    /// or the timer that had fired in the same instant.
    pub(super) fn trigger(&self, place: usize) -> Option<usize> {
        self.call_around(place).or_else(|| self.arrival_or_timer(place))
    }
    /// The segment or the timer that the step began with.
    pub(super) fn arrival_or_timer(&self, place: usize) -> Option<usize> {
        let Event { at, host, .. } = self.events[place];
        let begins =
            |what: &What| matches!(what, What::Received(_) | What::Note(Note::Timer { .. }));
        let found = self.last(place, |e| e.at < at || (e.host == host && begins(&e.what)))?;
        (self.events[found].at == at).then_some(found)
    }
    /// The system call during which it happened: a call is told when it returns, so it is the next
    /// one of the step. One that only reads causes nothing.
    fn call_around(&self, place: usize) -> Option<usize> {
        let Event { at, host, .. } = self.events[place];
        let behind = self.events[place + 1..].iter().enumerate();
        let mut same = behind.take_while(|(_, e)| e.at == at && e.host == host);
        let (n, event) = same.find(|(_, e)| {
            matches!(e.what, What::Call(_) | What::Received(_) | What::Note(Note::Timer { .. }))
        })?;
        let What::Call(Call { what, .. }) = event.what else { return None };
        let acts = !matches!(what, SysCall::Recv(_) | SysCall::Accept | SysCall::Listen(_));
        acts.then_some(place + 1 + n)
    }
}
