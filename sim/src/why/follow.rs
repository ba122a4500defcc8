//! Which event made which happen.

use std::collections::BTreeMap;

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::sink::{BucketEnd, Note, SockEnd, TimerKind};
use finwait_model::state::TcpState;

use super::past::Past;
use super::{Link, avert, table, tell};
use crate::app::SysCall;
use crate::because::Explained;
use crate::recording::{Error, Event, Recording, What};

/// Follows a segment back.
#[derive(Debug)]
pub(super) struct Follow<'a> {
    rec: &'a Recording,
    past: &'a Past,
    /// Where the segment stands among the events.
    first: usize,
    /// If it is a RST: which event made it inevitable.
    explained: Option<&'a Explained>,
    links: Vec<Link>,
    /// The link of each event that is in the chain already.
    known: BTreeMap<usize, usize>,
}

impl<'a> Follow<'a> {
    pub(super) const fn new(
        rec: &'a Recording,
        past: &'a Past,
        first: usize,
        explained: Option<&'a Explained>,
    ) -> Self {
        Self { rec, past, first, explained, links: Vec::new(), known: BTreeMap::new() }
    }
    /// The chain.
    pub(super) fn links(mut self) -> Result<Vec<Link>, Error> {
        // An explicit stack: a long connection must not overflow that of the program.
        let mut open = vec![(self.first, None)];
        while let Some((place, of)) = open.pop() {
            let link = match self.known.get(&place) {
                Some(link) => *link,
                None => {
                    let link = self.add(place)?;
                    let causes = self.causes(place);
                    open.extend(causes.into_iter().rev().map(|cause| (cause, Some(link))));
                    link
                }
            };
            if let Some(of) = of
                && !self.links[of].causes.contains(&link)
            {
                self.links[of].causes.push(link);
            }
        }
        self.fullness()?;
        Ok(self.links)
    }
    fn add(&mut self, place: usize) -> Result<usize, Error> {
        let event = &self.past.events[place];
        let mut link = tell::link(self.rec, self.past, place);
        if let Some(explained) = self.explained {
            if place == self.first {
                tell::reset(&mut link, explained);
            }
            let reset = &self.past.events[self.first];
            link.averted.extend(avert::of(self.past, place, reset));
        }
        link.decided.extend(avert::decided(self.rec, event)?);
        self.links.push(link);
        self.known.insert(place, self.links.len() - 1);
        Ok(self.links.len() - 1)
    }
    /// Where a bucket was refused: when the table became full.
    fn fullness(&mut self) -> Result<(), Error> {
        let events = &self.past.events;
        let is_refusal = |e: &Event| matches!(e.what, What::Note(Note::BucketRefused { .. }));
        let refusals = self.known.iter().filter(|(place, _)| is_refusal(&events[**place]));
        for (place, link) in refusals.map(|(p, l)| (*p, *l)).collect::<Vec<_>>() {
            if let Some(full) = table::became_full(self.rec, &events[place])? {
                self.links.push(full);
                let last = self.links.len() - 1;
                self.links[link].causes.push(last);
            }
        }
        Ok(())
    }
    /// The events that made one happen, the nearest first.
    fn causes(&self, place: usize) -> Vec<usize> {
        let past = self.past;
        let mut causes = match past.events[place].what {
            What::Sent { segment, cause, answers, .. } => {
                self.of_sent(place, &segment, cause, answers)
            }
            What::Received(segment) => past.departure(place, &segment).into_iter().collect(),
            What::Note(note) => self.of_note(place, &note),
            What::Call(call) => self.of_call(place, call.what),
            What::Counter(..) | What::SockStat(_) | What::Row(..) => Vec::new(),
        };
        if place == self.first {
            causes.extend(self.earlier());
        }
        causes
    }
    /// The event that made the RST inevitable, as the story of the run tells it.
    fn earlier(&self) -> Option<usize> {
        let example = &self.explained?.example;
        let past = example.past?;
        if let Some((at, _)) = past.fatal {
            return self
                .past
                .last_here(self.first, is_fatal)
                .and_then(|found| (self.past.events[found].at == at).then_some(found));
        }
        past.orphaned?;
        self.past.note_here(self.first, |note| matches!(note, Note::Orphaned { .. }))
    }
    fn of_sent(
        &self,
        place: usize,
        segment: &Segment,
        cause: Cause,
        answers: Option<Segment>,
    ) -> Vec<usize> {
        let past = self.past;
        if let Some(answered) = answers {
            let is_it = |what: &What| matches!(what, What::Received(s) if *s == answered);
            return past.last_here(place, is_it).into_iter().collect();
        }
        if segment.flags.fin() && !segment.flags.rst() {
            // A FIN waits behind data; it is close() that asked for it.
            if let Some(call) = past.trigger(place).filter(|&p| self.closes(p)) {
                return vec![call];
            }
            let timer = past.arrival_or_timer(place);
            return timer.into_iter().chain(past.last_here(place, closes)).collect();
        }
        let trigger = past.trigger(place);
        match cause {
            Cause::AckDelayed | Cause::AckDelayedSoon => {
                let acked =
                    |what: &What| matches!(what, What::Received(s) if s.end_seq() == segment.ack);
                trigger.into_iter().chain(past.last_here(place, acked)).collect()
            }
            _ => trigger.into_iter().collect(),
        }
    }
    fn closes(&self, place: usize) -> bool {
        closes(&self.past.events[place].what)
    }
    fn of_note(&self, place: usize, note: &Note) -> Vec<usize> {
        let past = self.past;
        let mut causes: Vec<usize> = match note {
            Note::Timer { kind, .. } => return self.of_timer(place, *kind),
            // Its time ran out, or something came: what made the bucket is what counts then.
            Note::BucketDied { how: BucketEnd::Expired, .. } => Vec::new(),
            Note::Destroyed { why: SockEnd::Aborted(cause), .. } => {
                let by = |w: &What| matches!(w, What::Sent { cause: its, .. } if its == cause);
                past.last_here(place, by).into_iter().collect()
            }
            _ => past.trigger(place).into_iter().collect(),
        };
        if matches!(note, Note::BucketDied { .. } | Note::BucketTimeWait { .. }) {
            causes.extend(past.note_here(place, |n| matches!(n, Note::BucketBorn { .. })));
        }
        causes
    }
    fn of_timer(&self, place: usize, kind: TimerKind) -> Vec<usize> {
        let past = self.past;
        let found = match kind {
            TimerKind::DelayedAck => past.last_here(place, |w| matches!(w, What::Received(_))),
            TimerKind::FinWait2 => past.note_here(place, |n| {
                matches!(n, Note::State { to: TcpState::FinWait2, .. } | Note::Orphaned { .. })
            }),
            TimerKind::Linger => past.last_here(place, closes),
            TimerKind::Keepalive => past.last_here(place, |w| matches!(w, What::Received(_))),
            TimerKind::Retransmit
            | TimerKind::LossProbe
            | TimerKind::Reordering
            | TimerKind::Probe
            | TimerKind::SynAck => past.last_here(
                place,
                |w| matches!(w, What::Sent { segment, .. } if !segment.flags.rst()),
            ),
        };
        found.into_iter().collect()
    }
    /// A program that closes once the peer has closed does it because of that; else it decided so
    /// itself.
    fn of_call(&self, place: usize, what: SysCall) -> Vec<usize> {
        if !matches!(what, SysCall::Close { .. } | SysCall::Shutdown(_)) {
            return Vec::new();
        }
        avert::end_of_file(self.past, place).into_iter().collect()
    }
}

/// Does it close the connection, or this end's half of it?
fn closes(what: &What) -> bool {
    matches!(what, What::Call(call)
        if matches!(call.what, SysCall::Close { .. } | SysCall::Shutdown(_)) && call.result.is_ok())
}

/// Is it one of the events that [`crate::because`] remembers as fatal?
const fn is_fatal(what: &What) -> bool {
    match what {
        What::Note(Note::Destroyed { why, .. }) => {
            !matches!(why, SockEnd::BucketRefused | SockEnd::ToBucket)
        }
        What::Note(note) => matches!(
            note,
            Note::BucketRefused { .. }
                | Note::BucketBorn { .. }
                | Note::BucketTimeWait { .. }
                | Note::BucketDied { .. }
                | Note::RequestDied { .. }
        ),
        _ => false,
    }
}
