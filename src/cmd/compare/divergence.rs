//! The first thing that happens in one run and not in the other, and its connection in both.
//!
//! With other seeds or kernels, the first segment differs already (sequence numbers, options), and that
//! says nothing. Then connections are compared by their kind instead: the n-th of A with the n-th of
//! B, what each end sends and becomes, whatever the numbers and the times.

use std::io::Cursor;

use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::time::{Instant, Span};
use finwait_sim::recording::{self, Choice, Flows, Header, Recorder, Recording};
use finwait_sim::run::run_watched;
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;
use finwait_viz::compare::Parting;
use finwait_viz::story::{self, Story, What, words};

use super::side::Side;
use crate::failure::Failure;
use crate::source::{Told, broken, parting};

/// How the runs part.
#[derive(Debug)]
pub(super) enum Divergence {
    /// Everything that happens in one happens in the other.
    None,
    /// It cannot be told, since not everything was recorded.
    Unknown,
    /// There.
    Exact(Exact),
    /// They differ from the first segment on, so connections were compared by their kind.
    Kind(Kind),
}

/// The first thing that differs.
#[derive(Debug)]
pub(super) struct Exact {
    /// In words.
    pub(super) parting: Parting,
    /// Its connection in A and in B.
    pub(super) stories: [Option<Story>; 2],
}

/// The first connection that goes another way.
#[derive(Debug)]
pub(super) struct Kind {
    /// Where the runs part to the letter.
    pub(super) parting: Parting,
    /// How many pairs were looked at.
    pub(super) looked_at: usize,
    /// The first pair that differs.
    pub(super) found: Option<Pair>,
}

/// Two connections that should go the same way and do not.
#[derive(Debug)]
pub(super) struct Pair {
    /// Which, counted from 1 in the order of their SYNs.
    pub(super) number: usize,
    /// At which end, and what happens there in A and in B.
    pub(super) host: String,
    /// In words.
    pub(super) what: [String; 2],
    /// Both.
    pub(super) stories: [Story; 2],
}

/// How much is played behind the place where runs part, to show what comes of it.
const BEHIND: Span = Span::secs(10);
/// How much is played to compare connections by their kind.
const FIRST: Span = Span::secs(10);
/// How many of them are compared.
const PAIRS: usize = 200;

impl Divergence {
    /// Do the runs go the same way?
    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::None | Self::Unknown)
    }
    /// Where they part to the letter.
    pub(super) const fn parting(&self) -> Option<&Parting> {
        match self {
            Self::None | Self::Unknown => None,
            Self::Exact(exact) => Some(&exact.parting),
            Self::Kind(kind) => Some(&kind.parting),
        }
    }
}

/// Looks for it.
pub(super) fn find(sides: &mut [Side; 2]) -> Result<Divergence, Failure> {
    if sides.iter().any(|side| !side.source.is_whole()) {
        return Ok(Divergence::Unknown);
    }
    let [a, b] = sides;
    let Some(parted) = parting::find(&mut a.source, &mut b.source)? else {
        return Ok(Divergence::None);
    };
    let parting = parted.parting;
    if differ_from_the_start(&a.scenario, &b.scenario) {
        return by_kind([a, b], parting).map(Divergence::Kind);
    }
    let first = parted.next.iter().flatten().find(|happened| happened.at == parting.at);
    let flow = first.map(|happened| match happened.what {
        Told::Note(note) => note.flow(),
        Told::Sent(segment, _) => segment.flow,
    });
    let stories = match flow {
        Some(flow) => [story_at(a, flow, parting.at)?, story_at(b, flow, parting.at)?],
        None => [None, None],
    };
    Ok(Divergence::Exact(Exact { parting, stories }))
}

/// Do sequence numbers, options or timestamps differ whatever happens?
fn differ_from_the_start(a: &Scenario, b: &Scenario) -> bool {
    let kernels = |s: &Scenario| s.hosts.iter().map(|h| h.release).collect::<Vec<_>>();
    a.seed != b.seed || kernels(a) != kernels(b)
}

/// The connection in that run at that time, or the last one before.
fn story_at(side: &Side, flow: FourTuple, at: Instant) -> Result<Option<Story>, Failure> {
    let wrong = |error: recording::Error| broken(&side.path, &error);
    let stories = match side.source.recording() {
        Some(recording) => story::stories(recording, flow).map_err(wrong)?,
        None => match of_flow(&side.scenario, flow, at)? {
            Some(recording) => story::stories(&recording, flow).map_err(wrong)?,
            None => return Ok(None),
        },
    };
    let mut begun = stories.into_iter().filter(|story| story.from() <= at);
    Ok(begun.next_back())
}

/// The run up to a little behind that time, with that connection alone.
fn of_flow(
    scenario: &Scenario,
    flow: FourTuple,
    at: Instant,
) -> Result<Option<Recording>, Failure> {
    let name = |end: Endpoint| {
        let host = scenario.hosts.iter().find(|host| host.addr == end.addr)?;
        Some(format!("{}:{}", host.name, end.port))
    };
    let (Some(left), Some(right)) = (name(flow.source()), name(flow.destination())) else {
        return Ok(None);
    };
    let text = format!("{left}->{right}");
    let flows = Flows::parse(&text, scenario).map_err(|e| Failure::in_text("flow", &text, &e))?;
    record(scenario, at + BEHIND, Choice::Flows(flows)).map(Some)
}

fn record(scenario: &Scenario, to: Instant, choice: Choice) -> Result<Recording, Failure> {
    let mut scenario = scenario.clone();
    scenario.duration = scenario.duration.min(Span::nanos(to.ns));
    let header = Header::new(&scenario, "", choice.describe());
    let mut recorder = Recorder::choosing(Vec::new(), header, choice);
    let outcome = run_watched(&scenario, Turns::Forward, &mut recorder, |_| ());
    let bytes = recorder.finish(&outcome)?;
    Recording::read(Cursor::new(bytes)).map_err(|error| broken(&scenario.name, &error))
}

/// Compares the first connections of both.
fn by_kind(sides: [&Side; 2], parting: Parting) -> Result<Kind, Failure> {
    let [a, b] = [first_of(sides[0])?, first_of(sides[1])?];
    let looked_at = a.len().min(b.len());
    let mut pairs = a.into_iter().zip(b).enumerate();
    let found = pairs.find_map(|(number, (a, b))| {
        let (host, what) = differs(&a, &b)?;
        Some(Pair { number: number + 1, host, what, stories: [a, b] })
    });
    Ok(Kind { parting, looked_at, found })
}

fn first_of(side: &Side) -> Result<Vec<Story>, Failure> {
    let wrong = |error: recording::Error| broken(&side.path, &error);
    let range = Instant::ZERO..Instant::ZERO + FIRST;
    match side.source.recording() {
        Some(recording) => story::opened(recording, range, PAIRS).map_err(wrong),
        None => {
            let recording = record(&side.scenario, range.end, Choice::Everything)?;
            story::opened(&recording, range, PAIRS).map_err(wrong)
        }
    }
}

/// The first thing at one of their ends that is of another kind.
fn differs(a: &Story, b: &Story) -> Option<(String, [String; 2])> {
    let sides = 0..2;
    sides.into_iter().find_map(|side| {
        let (left, right) = (kinds(a, side), kinds(b, side));
        let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
        // What is still under way may yet come.
        let ended = |story: &Story, kinds: &[String]| same < kinds.len() || !story.is_open;
        let parts = left.len().max(right.len()) > same && ended(a, &left) && ended(b, &right);
        let word =
            |kinds: &[String]| kinds.get(same).cloned().unwrap_or_else(|| "nothing".to_owned());
        parts.then(|| (a.ends[side].host.clone(), [word(&left), word(&right)]))
    })
}

/// What one end does, without numbers and times.
fn kinds(story: &Story, side: usize) -> Vec<String> {
    let mine = story.beats.iter().filter(|beat| beat.side == side);
    let told = mine.filter_map(|beat| match beat.what {
        What::Left(number) => {
            let flight = &story.flights[number];
            let cause = flight.cause.map_or("", |cause| cause.name());
            Some(format!("sends {} ({cause})", words::flags(&flight.segment)))
        }
        What::Became(place) => Some(format!("is in {}", story.ends[side].spans[place].name())),
        What::Refused(place) => Some(words::gap(&story.ends[side].gaps[place])),
        What::Timer(kind) => Some(format!("has its {} timer fire", words::timer(kind))),
        What::Dropped(reason) => Some(format!("drops a segment ({})", reason.kernel_name())),
        What::Gone(ending) => Some(words::ending(ending)),
        What::Arrived(_) | What::Orphaned(_) | What::Call(_) => None,
    });
    told.collect()
}
