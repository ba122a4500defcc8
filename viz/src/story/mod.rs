//! The story of one connection: both ends, their states with the bucket phase, every segment from
//! its departure to its arrival, timers, system calls, and what went wrong.
//!
//! [`stories`] reads it out of a [`Recording`](finwait_sim::recording::Recording); ladder and swim
//! lanes draw it. Nothing is worked out here that the recording does not say: a state begins and ends
//! with a note of the kernel, a segment leaves and arrives with its event.

mod build;
mod choose;
pub mod words;

pub(crate) use choose::first_of;
pub use choose::{opened, stories, story_of};

use finwait_model::cause::Cause;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::Object;
use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::sink::{BucketEnd, DropReason, RequestEnd, SockEnd, TimerKind};
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use finwait_sim::app::Call;
use finwait_sim::because::Because;
use finwait_sim::stack::Platform;

/// One end of a connection: 0 opened it, 1 is the other.
pub type Side = usize;

/// A connection from its first event to its last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Story {
    /// The connection, seen from the end that opened it.
    pub flow: FourTuple,
    /// Both ends, the one that opened it first.
    pub ends: [End; 2],
    /// Every segment, in the order in which they left.
    pub flights: Vec<Flight>,
    /// Everything that happened, in the order in which it did.
    pub beats: Vec<Beat>,
    /// Is something of it still there when the recording ends?
    pub is_open: bool,
    /// When the recording ends.
    pub end: Instant,
}

/// One end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// Its host's name, or its address if nobody has it.
    pub host: String,
    /// What the host runs; `None` if nobody has the address.
    pub release: Option<Release>,
    /// Which TCP it runs, if that is known.
    pub platform: Option<Platform>,
    /// Its address and port.
    pub endpoint: Endpoint,
    /// The states that it went through, in order.
    pub spans: Vec<StateSpan>,
    /// Where a bucket was refused: what should have been and was not.
    pub gaps: Vec<Gap>,
}

/// A state of an end, from when to when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateSpan {
    /// The state; of a bucket its substate.
    pub state: TcpState,
    /// What is in it: a half-open request, a socket, or a bucket, which no tracepoint shows.
    pub holder: Object,
    /// From when on.
    pub from: Instant,
    /// Until when; `None`: the recording ends before it does.
    pub until: Option<Instant>,
    /// How long the bucket was meant to live when it was made.
    pub planned: Option<Span>,
}

/// A state that was skipped, because the bucket that should have stood in it was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// FIN-WAIT-2 or TIME-WAIT.
    pub state: TcpState,
    /// When the bucket was refused.
    pub from: Instant,
    /// When the first segment came that found nothing; `None`: none did.
    pub until: Option<Instant>,
    /// Buckets that there were.
    pub count: u32,
    /// `net.ipv4.tcp_max_tw_buckets`.
    pub limit: i32,
}

/// A segment on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flight {
    /// The segment.
    pub segment: Segment,
    /// Who sent it.
    pub from: Side,
    /// When it left; `None` if only its arrival was recorded.
    pub left: Option<Instant>,
    /// The kernel site that sent it.
    pub cause: Option<Cause>,
    /// When it arrived: not at all, once, or twice.
    pub arrivals: Vec<Instant>,
    /// What became of it.
    pub way: Way,
    /// The flight that it answers, by its number.
    pub answers: Option<usize>,
    /// Of a RST: the earlier event that made it inevitable.
    pub because: Option<Because>,
    /// Its sequence number, counted from its sender's first one if that is known.
    pub seq: i64,
    /// Its acknowledgement number, counted likewise.
    pub ack: i64,
}

/// What became of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It arrived, or will when the recording is over.
    Arrives,
    /// The network lost it.
    Lost,
    /// Nobody has that address.
    Unroutable,
}

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beat {
    /// When.
    pub at: Instant,
    /// At which end.
    pub side: Side,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// That flight left.
    Left(usize),
    /// That flight arrived.
    Arrived(usize),
    /// The end came into that one of its spans.
    Became(usize),
    /// Nothing is left of the end: how it went.
    Gone(Ending),
    /// That one of its gaps began.
    Refused(usize),
    /// close() took the file away; the socket lives on.
    Orphaned(TcpState),
    /// A timer fired.
    Timer(TimerKind),
    /// The segment that had just arrived was thrown away.
    Dropped(DropReason),
    /// An application made a system call.
    Call(Call),
}

/// How an end went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// A socket.
    Sock(TcpState, SockEnd),
    /// A bucket.
    Bucket(TcpState, BucketEnd),
    /// A half-open request.
    Request(RequestEnd),
}

impl Story {
    /// Its first event's time.
    pub fn from(&self) -> Instant {
        self.beats.first().map_or(Instant::ZERO, |beat| beat.at)
    }
    /// Its last event's time; if something is still there, when the recording ends.
    pub fn until(&self) -> Instant {
        if self.is_open {
            return self.end;
        }
        self.beats.last().map_or(self.end, |beat| beat.at)
    }
    /// How it is called: `web:40000 – redis:6379`.
    pub fn name(&self) -> String {
        format!("{} – {}", self.ends[0].name(), self.ends[1].name())
    }
    /// The RSTs among its segments, by number.
    pub fn resets(&self) -> impl Iterator<Item = usize> {
        let all = self.flights.iter().enumerate();
        all.filter(|(_, flight)| flight.segment.flags.rst()).map(|(number, _)| number)
    }
    /// The same connection with every time counted from its first event.
    #[must_use]
    pub fn from_zero(&self) -> Self {
        let start = self.from();
        let shift = |at: &mut Instant| *at = Instant { ns: at.ns.saturating_sub(start.ns) };
        let mut story = self.clone();
        for end in &mut story.ends {
            for span in &mut end.spans {
                shift(&mut span.from);
                span.until.iter_mut().for_each(shift);
            }
            for gap in &mut end.gaps {
                shift(&mut gap.from);
                gap.until.iter_mut().for_each(shift);
            }
        }
        for flight in &mut story.flights {
            flight.left.iter_mut().for_each(shift);
            flight.arrivals.iter_mut().for_each(shift);
        }
        story.beats.iter_mut().for_each(|beat| shift(&mut beat.at));
        shift(&mut story.end);
        story
    }
    /// The same connection as far as something happens from `from` on and before `to`.
    #[must_use]
    pub fn between(&self, from: Instant, to: Instant) -> Self {
        let mut part = self.clone();
        part.beats.retain(|beat| beat.at >= from && beat.at < to);
        if to <= self.until() {
            (part.end, part.is_open) = (to, part.is_open || self.beats.len() > part.beats.len());
        }
        part
    }
}

impl End {
    /// `web:40000`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.endpoint.port)
    }
    /// `web, Linux 3.10`.
    pub fn kernel(&self) -> String {
        match self.platform {
            Some(platform) => platform.to_string(),
            None => "nobody's address".to_owned(),
        }
    }
    /// What the end is in at that instant, when everything at it has happened.
    pub fn at(&self, at: Instant) -> Option<&StateSpan> {
        let holds = |span: &&StateSpan| span.from <= at && span.until.is_none_or(|end| end > at);
        self.spans.iter().rev().find(holds)
    }
}

impl StateSpan {
    /// The state as `ss` prints it, and what holds it if that is no socket: `TIME-WAIT bucket`.
    pub fn name(&self) -> String {
        match self.holder {
            Object::Bucket => format!("{} bucket", self.state),
            Object::Request => format!("{} request", self.state),
            Object::Sock | Object::Listener => self.state.to_string(),
        }
    }
    /// Does it take any time?
    pub fn is_brief(&self) -> bool {
        self.until == Some(self.from)
    }
}

impl Flight {
    /// Everyone who takes part can see it: is it a RST?
    pub const fn is_reset(&self) -> bool {
        self.segment.flags.rst()
    }
    /// How long it took, if it arrived.
    pub fn delay(&self) -> Option<Span> {
        Some(self.arrivals.first()?.since(self.left?))
    }
}
