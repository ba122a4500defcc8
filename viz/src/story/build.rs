//! From the events of a four-tuple to its stories: one for each time that it was used.

use finwait_model::cause::Cause;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::Object;
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;
use finwait_model::sink::{BucketEnd, Note, SockEnd};
use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::app::{Call, SysCall};
use finwait_sim::because::Explain;
use finwait_sim::link::Fate;
use finwait_sim::recording::{self, Event, Recording};
use finwait_sim::watch::{Sent, Watch as _};

use super::{Beat, End, Ending, Flight, Gap, Side, StateSpan, Story, Way, What};

/// Reads events and tells stories.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    rec: &'a Recording,
    /// Remembers what makes a RST inevitable.
    explain: Explain,
    stories: Vec<Draft>,
}

/// A story that is being told.
#[derive(Debug)]
struct Draft {
    story: Story,
    /// Of each end: the place of the span that it is in, and its first sequence number.
    sides: [Now; 2],
    /// Arrivals that are still to come.
    on_the_way: usize,
    /// The flight that arrived last at each end, while that instant lasts.
    arrived: [Option<(Instant, usize)>; 2],
}

#[derive(Clone, Copy, Default, Debug)]
struct Now {
    span: Option<usize>,
    first: Option<Seq>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(rec: &'a Recording) -> Self {
        let explain = Explain::new(rec.hosts().len()).with_boxes(rec.header().boxes());
        Self { rec, explain, stories: Vec::new() }
    }
    /// What was told, in order.
    pub(super) fn into_stories(self) -> Vec<Story> {
        let close = |mut draft: Draft| {
            draft.story.is_open = !draft.is_over();
            draft.story
        };
        self.stories.into_iter().map(close).collect()
    }
    /// Takes the next event in.
    pub(super) fn take(&mut self, event: &Event) {
        let Event { at, host, what } = *event;
        match what {
            recording::What::Received(segment) => {
                // It is seen from the other end.
                let flow = segment.flow;
                let draft = self.draft(flow, true);
                draft.arrive(at, draft.side(flow.reversed()), &segment);
            }
            recording::What::Sent { segment, cause, fate, ref answers } => {
                let answers = answers.as_ref();
                let sent = Sent { at, host, segment: &segment, cause, answers, fate };
                // A box passes a SYN on and has no socket.
                let opens = cause == Cause::SynOnConnect && !sent.is_passed_on();
                let because = self.explain.explain(&sent).map(|explained| explained.because);
                let draft = self.draft(segment.flow, true);
                let side = draft.side(segment.flow);
                if opens && draft.holder(side) != Some(Object::Sock) {
                    // Its note came before it had a port, and so is about no connection.
                    draft.enter(at, side, TcpState::SynSent, Object::Sock);
                }
                let mut flight = draft.flight(&segment, side);
                flight.left = Some(at);
                flight.cause = Some(cause);
                flight.because = because;
                flight.answers = answers.and_then(|_| draft.arrived_now(at, side));
                draft.leave(at, flight, fate);
            }
            recording::What::Note(ref note) => {
                self.explain.noted(at, host, note);
                self.note(at, note);
            }
            recording::What::Call(call) => {
                let draft = self.draft(call.flow, false);
                draft.call(at, draft.side(call.flow), call);
            }
            recording::What::Counter(..)
            | recording::What::SockStat(_)
            | recording::What::Row(..) => {}
        }
    }
    fn note(&mut self, at: Instant, note: &Note) {
        let flow = note.flow();
        let flow = if matches!(note, Note::Drop { .. }) { flow.reversed() } else { flow };
        // Only what makes something begins a story.
        let begins = matches!(note, Note::State { .. } | Note::RequestBorn { .. });
        let draft = self.draft(flow, begins);
        draft.note(at, draft.side(flow), note);
    }
    /// The story that is being told; a new one if that is over and something begins.
    fn draft(&mut self, flow: FourTuple, begins: bool) -> &mut Draft {
        let is_over = self.stories.last().is_none_or(|draft| begins && draft.is_over());
        if is_over {
            let ends = [flow, flow.reversed()].map(|flow| self.end(flow.source()));
            let end = self.rec.end().at();
            let (flights, beats) = (Vec::new(), Vec::new());
            let story = Story { flow, ends, flights, beats, is_open: false, end };
            self.stories.push(Draft {
                story,
                sides: [Now::default(); 2],
                on_the_way: 0,
                arrived: [None; 2],
            });
        }
        let Some(draft) = self.stories.last_mut() else {
            unreachable!("invariant: there is one by now")
        };
        draft
    }
    fn end(&self, endpoint: Endpoint) -> End {
        let info = self.rec.hosts().iter().find(|host| host.addr == endpoint.addr);
        End {
            host: info.map_or_else(|| endpoint.addr.to_string(), |info| info.name.clone()),
            release: info.map(|info| info.release),
            platform: info.map(|info| info.platform),
            endpoint,
            spans: Vec::new(),
            gaps: Vec::new(),
        }
    }
}

impl Draft {
    /// Has everything gone, and is nothing on its way?
    fn is_over(&self) -> bool {
        self.on_the_way == 0 && self.sides.iter().all(|now| now.span.is_none())
    }
    /// Whose that is, if its own end is the flow's source.
    fn side(&self, flow: FourTuple) -> Side {
        usize::from(flow != self.story.flow)
    }
    fn beat(&mut self, at: Instant, side: Side, what: What) {
        self.story.beats.push(Beat { at, side, what });
    }

    /// A segment, counted from the first sequence numbers.
    fn flight(&mut self, segment: &Segment, from: Side) -> Flight {
        if segment.flags.syn() {
            self.sides[from].first = Some(segment.seq);
        }
        let counted = |number: Seq, first: Option<Seq>| match first {
            // Before the first one, too: a challenge ACK may speak of an earlier connection.
            Some(first) => i64::from(number.0.wrapping_sub(first.0).cast_signed()),
            None => i64::from(number.0),
        };
        Flight {
            segment: *segment,
            from,
            left: None,
            cause: None,
            arrivals: Vec::new(),
            way: Way::Arrives,
            answers: None,
            because: None,
            seq: counted(segment.seq, self.sides[from].first),
            ack: if segment.flags.ack() {
                counted(segment.ack, self.sides[1 - from].first)
            } else {
                0
            },
        }
    }
    fn leave(&mut self, at: Instant, mut flight: Flight, fate: Fate) {
        let end = self.story.end;
        let (way, arrivals) = match fate {
            Fate::Arrives(at) => (Way::Arrives, vec![at]),
            Fate::Twice(first, second) => (Way::Arrives, vec![first, second]),
            Fate::Lost => (Way::Lost, Vec::new()),
            Fate::Unroutable => (Way::Unroutable, Vec::new()),
        };
        self.on_the_way += arrivals.len();
        flight.way = way;
        // What arrives behind the recording's end is still on its way then.
        flight.arrivals = arrivals.into_iter().filter(|at| *at < end).collect();
        let side = flight.from;
        self.story.flights.push(flight);
        self.beat(at, side, What::Left(self.story.flights.len() - 1));
    }
    fn arrive(&mut self, at: Instant, side: Side, segment: &Segment) {
        let comes = |flight: &Flight| {
            flight.from != side && flight.segment == *segment && flight.arrivals.contains(&at)
        };
        // Two equal segments that arrive at once: the first that has not been seen yet.
        let seen = |number: usize, story: &Story| {
            let it = Beat { at, side, what: What::Arrived(number) };
            story.beats.iter().rev().take_while(|beat| beat.at == at).any(|beat| *beat == it)
        };
        let all = self.story.flights.iter().enumerate().rev();
        let mut found: Vec<usize> =
            all.filter(|(_, flight)| comes(flight)).map(|(number, _)| number).collect();
        found.sort_unstable();
        let known = found.into_iter().find(|&number| !seen(number, &self.story));
        let number = known.unwrap_or_else(|| {
            let mut flight = self.flight(segment, 1 - side);
            flight.arrivals.push(at);
            self.story.flights.push(flight);
            self.story.flights.len() - 1
        });
        if known.is_some() {
            self.on_the_way = self.on_the_way.saturating_sub(1);
        }
        if self.sides[side].span.is_none() {
            self.end_gap(at, side);
        }
        self.arrived[side] = Some((at, number));
        self.beat(at, side, What::Arrived(number));
    }
    fn arrived_now(&self, at: Instant, side: Side) -> Option<usize> {
        self.arrived[side].filter(|(then, _)| *then == at).map(|(_, number)| number)
    }
    /// A call is told when it returns; what it did stands before it and should stand behind.
    fn call(&mut self, at: Instant, side: Side, call: Call) {
        let beat = Beat { at, side, what: What::Call(call) };
        let story = &self.story;
        let its = |b: &&Beat| b.at == at && b.side == side && did(story, call.what, b);
        let done = story.beats.iter().rev().take_while(its).count();
        let beats = &mut self.story.beats;
        beats.insert(beats.len() - done, beat);
    }

    fn note(&mut self, at: Instant, side: Side, note: &Note) {
        match *note {
            Note::State { to: TcpState::Close, .. } => {
                if self.holder(side) == Some(Object::Sock) {
                    self.leave_span(at, side);
                }
            }
            Note::State { from, to, .. } => {
                if from != to {
                    self.enter(at, side, to, Object::Sock);
                }
            }
            Note::RequestBorn { .. } => self.enter(at, side, TcpState::SynRecv, Object::Request),
            Note::BucketBorn { substate, timeout, .. } => {
                self.enter(at, side, substate, Object::Bucket);
                if let Some(span) = self.story.ends[side].spans.last_mut() {
                    span.planned = Some(timeout);
                }
            }
            Note::BucketTimeWait { .. } => {
                self.enter(at, side, TcpState::TimeWait, Object::Bucket);
            }
            Note::BucketRefused { substate, count, limit, .. } => {
                let gaps = &mut self.story.ends[side].gaps;
                gaps.push(Gap { state: substate, from: at, until: None, count, limit });
                let last = gaps.len() - 1;
                self.beat(at, side, What::Refused(last));
            }
            Note::BucketDied { substate, how, .. } => {
                // What takes its place may stand there already.
                if self.holder(side) == Some(Object::Bucket) {
                    self.leave_span(at, side);
                }
                self.beat(at, side, What::Gone(Ending::Bucket(substate, how)));
            }
            Note::RequestDied { why, .. } => {
                if self.holder(side) == Some(Object::Request) {
                    self.leave_span(at, side);
                }
                self.beat(at, side, What::Gone(Ending::Request(why)));
            }
            Note::Orphaned { state, .. } => self.beat(at, side, What::Orphaned(state)),
            Note::Destroyed { state, why, .. } => {
                self.beat(at, side, What::Gone(Ending::Sock(state, why)));
            }
            Note::Timer { kind, .. } => self.beat(at, side, What::Timer(kind)),
            Note::Drop { reason, .. } => self.beat(at, side, What::Dropped(reason)),
        }
    }
    fn holder(&self, side: Side) -> Option<Object> {
        self.sides[side].span.map(|span| self.story.ends[side].spans[span].holder)
    }
    fn enter(&mut self, at: Instant, side: Side, state: TcpState, holder: Object) {
        self.leave_span(at, side);
        self.end_gap(at, side);
        let spans = &mut self.story.ends[side].spans;
        spans.push(StateSpan { state, holder, from: at, until: None, planned: None });
        let place = spans.len() - 1;
        self.sides[side].span = Some(place);
        self.beat(at, side, What::Became(place));
    }
    fn leave_span(&mut self, at: Instant, side: Side) {
        if let Some(span) = self.sides[side].span.take() {
            self.story.ends[side].spans[span].until = Some(at);
        }
    }
    fn end_gap(&mut self, at: Instant, side: Side) {
        if let Some(gap) = self.story.ends[side].gaps.last_mut().filter(|gap| gap.until.is_none()) {
            gap.until = Some(at);
        }
    }
}

/// May a system call have done that?
fn did(story: &Story, call: SysCall, beat: &Beat) -> bool {
    let became = match beat.what {
        What::Became(place) => Some(story.ends[beat.side].spans[place].state),
        _ => None,
    };
    let cause = match beat.what {
        What::Left(number) => story.flights[number].cause,
        _ => None,
    };
    match call {
        SysCall::Connect(_) => {
            became == Some(TcpState::SynSent)
                || cause == Some(Cause::SynOnConnect)
                || matches!(beat.what, What::Gone(Ending::Bucket(_, BucketEnd::Recycled)))
        }
        SysCall::Send(_) => cause == Some(Cause::Data),
        SysCall::Close { .. } | SysCall::Shutdown(_) => {
            let closing = [TcpState::FinWait1, TcpState::LastAck, TcpState::FinWait2];
            became.is_some_and(|state| closing.contains(&state))
                || cause.is_some_and(|c| c.is_reset() || matches!(c, Cause::Fin | Cause::Data))
                || match beat.what {
                    What::Orphaned(_) | What::Refused(_) => true,
                    What::Gone(Ending::Sock(_, why)) => why != SockEnd::ResetByPeer,
                    _ => false,
                }
        }
        _ => false,
    }
}
