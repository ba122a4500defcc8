//! Plays a schedule and looks at every moment of it with a property.

use std::collections::BTreeMap;
use std::fmt;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::sink::{Note, SockEnd};
use finwait_model::state::TcpState;
use finwait_model::time::Instant;

use super::expr::{Case, Since};
use super::property::{Form, Property};
use super::schedule::{Schedule, Side};
use super::stage::Stage;
use crate::because::{Because, Explain};
use crate::watch::{Sent, Watch};
use crate::world::HostId;

/// A moment in which a property does not hold (or, of one that should only be reached, does).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// When.
    pub at: Instant,
    /// Which moment of the run, from 0.
    pub moment: u32,
    /// Of which connection, from 0.
    pub conn: usize,
    /// Which host it is that the property says something of.
    pub side: Side,
    /// What kind of violation it is: two with the same kind have the same cause.
    pub kind: Kind,
}

/// What tells one violation from another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A RST leaves: from which kernel site, and what had made it inevitable.
    Reset(Cause, Because),
    /// A RST arrives and takes the bucket of that state away; why it was sent.
    BucketReset(Option<(Cause, Because)>),
    /// Old data is taken.
    OldData,
    /// Nothing particular happens; the host and its peer are in these states.
    Stands(TcpState, TcpState),
    /// In the end nothing is left of either; what ended the host's socket.
    Ended(Ending),
}

/// What ended a socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ending {
    /// A RST of the peer; why it was sent.
    ByReset(Option<(Cause, Because)>),
    /// A RST of its own.
    OwnReset(Cause),
    /// Retransmissions or probes ran out.
    TimedOut,
    /// The bucket that should stand in its place was refused.
    BucketRefused,
    /// Nothing of the kind: all was said, or there never was a socket.
    Quiet,
}

/// `reset-by-peer/rst-no-socket/bucket-expired`.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByReset(None) => f.write_str("reset-by-peer"),
            Self::ByReset(Some((cause, because))) => {
                write!(f, "reset-by-peer/{}/{}", cause.name(), because.name())
            }
            Self::OwnReset(cause) => write!(f, "reset-before/{}", cause.name()),
            Self::TimedOut => f.write_str("timed-out"),
            Self::BucketRefused => f.write_str("bucket-refused"),
            Self::Quiet => f.write_str("closed/closed"),
        }
    }
}

impl Kind {
    /// The cause of the RST, if it is one.
    pub const fn reset(self) -> Option<(Cause, Because)> {
        match self {
            Self::Reset(cause, because)
            | Self::BucketReset(Some((cause, because)))
            | Self::Ended(Ending::ByReset(Some((cause, because)))) => Some((cause, because)),
            Self::BucketReset(None) | Self::OldData | Self::Stands(..) | Self::Ended(_) => None,
        }
    }
}

/// `rst-no-socket/fin-wait2-refused`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |state: &TcpState| match state {
            TcpState::Close => "closed".to_owned(),
            state => state.ss_name().to_ascii_lowercase(),
        };
        match self {
            Self::Reset(cause, because) => write!(f, "{}/{}", cause.name(), because.name()),
            Self::BucketReset(None) => f.write_str("bucket-reset"),
            Self::BucketReset(Some((cause, because))) => {
                write!(f, "bucket-reset/{}/{}", cause.name(), because.name())
            }
            Self::OldData => f.write_str("old-data"),
            Self::Stands(own, peer) => write!(f, "{}/{}", name(own), name(peer)),
            Self::Ended(ending) => write!(f, "{ending}"),
        }
    }
}

/// Knows why RSTs are sent while a schedule is played.
#[derive(Debug)]
pub(super) struct Reasons {
    explain: Explain,
    /// The RSTs of this moment.
    now: Vec<(Segment, Cause, Because)>,
    /// The last RST of each host.
    last: [Option<(Cause, Because)>; 2],
    /// The last RST of each host for each pair of ports, as the host sees it.
    of_flow: BTreeMap<(u16, FourTuple), (Cause, Because)>,
}

impl Reasons {
    pub(super) fn new() -> Self {
        Self {
            explain: Explain::small(2),
            now: Vec::new(),
            last: [None; 2],
            of_flow: BTreeMap::new(),
        }
    }
    /// Another moment begins.
    pub(super) fn next(&mut self) {
        self.now.clear();
    }
}

impl Watch for Reasons {
    fn wants_notes(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        if let Some(explained) = self.explain.explain(sent) {
            self.now.push((*sent.segment, explained.cause, explained.because));
            let why = (explained.cause, explained.because);
            self.last[usize::from(sent.host.0)] = Some(why);
            self.of_flow.insert((sent.host.0, sent.segment.flow), why);
        }
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.explain.noted(at, host, note);
    }
}

/// A case, and the states of the host and its peer before this moment.
pub(super) type Found = (Case, Option<(TcpState, TcpState)>);

/// Looks at a stage with a property.
#[derive(Debug)]
pub(super) struct Judge<'p> {
    property: &'p Property,
    since: Since,
    /// Of each case: since when something must come true, and whether it has.
    owed: BTreeMap<Case, (Instant, bool)>,
    /// Where it matters how long something was so: each case's states before this moment.
    before: BTreeMap<Case, (TcpState, TcpState)>,
    sides: &'static [Side],
}

impl<'p> Judge<'p> {
    pub(super) fn new(property: &'p Property) -> Self {
        let sides: &[Side] = if property.is_of_any() { &[0, 1] } else { &[0] };
        Self {
            property,
            since: Since::default(),
            owed: BTreeMap::new(),
            before: BTreeMap::new(),
            sides,
        }
    }
    /// The first case in which this moment violates the property; where what was before matters,
    /// with that.
    pub(super) fn look(&mut self, stage: &Stage<'_>) -> Option<Found> {
        let mut found = None;
        for conn in 0..stage.conns().len().max(1) {
            for &any in self.sides {
                let case = Case { conn, any };
                if self.broken(stage, case) && found.is_none() {
                    found = Some((case, self.before.get(&case).copied()));
                }
                if self.property.looks_back() {
                    let states = (stage.state(conn, any), stage.state(conn, 1 - any));
                    self.before.insert(case, states);
                }
            }
        }
        found
    }
    fn broken(&mut self, stage: &Stage<'_>, case: Case) -> bool {
        let Self { property, since, owed, .. } = self;
        match &property.form {
            Form::Never(expr) | Form::Sometimes(expr) => expr.holds(stage, case, since),
            Form::Always(expr) => !expr.holds(stage, case, since),
            Form::Eventually { what, within, after } => {
                let holds = what.holds(stage, case, since);
                let begun = match after {
                    Some(after) => after.holds(stage, case, since),
                    None => stage.flow(case.conn, 0).is_some(),
                };
                if begun {
                    owed.entry(case).or_insert_with(|| (stage.now(), false));
                }
                let Some((from, paid)) = owed.get_mut(&case) else { return false };
                let late = stage.now() > *from + *within || stage.moment().last;
                let broken = !*paid && late && (!holds || stage.now() > *from + *within);
                *paid |= holds;
                // It is told once.
                *paid |= broken;
                broken
            }
        }
    }
}

/// Plays the schedule until the property is violated; `None` if it holds to the end.
pub fn play(schedule: &Schedule, property: &Property) -> Option<Violation> {
    let mut reasons = Reasons::new();
    let mut judge = Judge::new(property);
    let mut stage = Stage::new(schedule, &mut reasons);
    let mut moment = 0;
    loop {
        reasons.next();
        if !stage.step(&mut reasons) {
            return None;
        }
        if let Some(found) = judge.look(&stage) {
            return Some(violation(&stage, &reasons, property, found, moment));
        }
        moment += 1;
    }
}

/// Every kind of violation that the schedule shows.
pub fn play_all(schedule: &Schedule, property: &Property) -> Vec<Violation> {
    let mut reasons = Reasons::new();
    let mut judge = Judge::new(property);
    let mut stage = Stage::new(schedule, &mut reasons);
    let mut found: Vec<Violation> = Vec::new();
    let mut moment = 0;
    loop {
        reasons.next();
        if !stage.step(&mut reasons) {
            return found;
        }
        if let Some(its) = judge.look(&stage) {
            let violation = violation(&stage, &reasons, property, its, moment);
            if found.iter().all(|v| v.kind != violation.kind) {
                found.push(violation);
            }
        }
        moment += 1;
    }
}

/// What is said of it.
pub(super) fn violation(
    stage: &Stage<'_>,
    reasons: &Reasons,
    property: &Property,
    (Case { conn, any }, before): Found,
    moment: u32,
) -> Violation {
    let its = reasons.now.iter().find(|(rst, ..)| stage.conn_of(rst.flow) == Some(conn));
    let reset = its.map(|(_, cause, because)| (*cause, *because));
    let now = stage.moment();
    let side = if property.is_of_any() { any } else { now.side };
    let bucket = now
        .notes()
        .any(|n| matches!(n, Note::BucketDied { how: finwait_model::sink::BucketEnd::Reset, .. }));
    let kind = match reset {
        _ if let Some((own, peer)) = before => Kind::Stands(own, peer),
        _ if now.last => {
            let (own, peer) = (stage.state(conn, side), stage.state(conn, 1 - side));
            if (own, peer) == (TcpState::Close, TcpState::Close) {
                Kind::Ended(ending(stage, reasons, conn, side))
            } else {
                Kind::Stands(own, peer)
            }
        }
        Some((cause, because)) => Kind::Reset(cause, because),
        None if bucket => Kind::BucketReset(reasons.last[1 - now.side]),
        None if now.old_data.is_some() => Kind::OldData,
        None => Kind::Stands(stage.state(conn, side), stage.state(conn, 1 - side)),
    };
    Violation { at: stage.now(), moment, conn, side, kind }
}

/// What ended the host's socket of a connection.
fn ending(stage: &Stage<'_>, reasons: &Reasons, conn: usize, side: Side) -> Ending {
    match stage.conns().get(conn).and_then(|c| c.ends[side].ended) {
        Some(SockEnd::ResetByPeer) => {
            let flow = stage.flow(conn, 1 - side);
            let last = flow.and_then(|flow| reasons.of_flow.get(&((1 - side) as u16, flow)));
            Ending::ByReset(last.copied())
        }
        Some(SockEnd::Aborted(cause)) => Ending::OwnReset(cause),
        Some(SockEnd::TimedOut) => Ending::TimedOut,
        Some(SockEnd::BucketRefused) => Ending::BucketRefused,
        Some(SockEnd::Done | SockEnd::ToBucket | SockEnd::Icmp) | None => Ending::Quiet,
    }
}
