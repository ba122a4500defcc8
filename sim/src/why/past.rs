//! The events of one connection until its RST, and how to find things in them.

use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use crate::app::{Call, SysCall};
use crate::recording::{Error, Event, Filter, Recording, What, same_connection};

/// The ends that a connection has on the other side of a box, if the event shows some that are not
/// known yet.
fn beyond(event: &Event, known: &[FourTuple]) -> Option<FourTuple> {
    let What::Sent { segment, answers: Some(arrived), .. } = event.what else { return None };
    let passed_on = arrived.flow != segment.flow.reversed();
    let is_new = |flow: &FourTuple| !known.iter().any(|k| same_connection(*k, *flow));
    [arrived.flow, segment.flow].into_iter().find(|flow| passed_on && is_new(flow))
}

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
        // Rows of ss are what the events come to, and make nothing happen.
        let tells = |e: &Result<Event, _>| !matches!(e, Ok(Event { what: What::Row(..), .. }));
        let events = rec.events(range.clone(), filter).filter(tells);
        let mut events: Vec<Event> = events.collect::<Result<_, _>>()?;
        // Beyond a box on the way the connection has other ends.
        let mut flows = vec![flow];
        while let Some(more) = events.iter().find_map(|e| beyond(e, &flows)) {
            flows.push(more);
            let all = rec.events(range.clone(), Filter::default()).filter(tells);
            let among = |e: &Event| {
                e.what.flow().is_some_and(|flow| flows.iter().any(|f| same_connection(*f, flow)))
            };
            events = all.filter(|e| e.as_ref().map_or(true, &among)).collect::<Result<_, _>>()?;
        }
        Ok(Self { events })
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
