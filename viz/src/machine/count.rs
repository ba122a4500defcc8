//! How often a run went from which state to which, and what made it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::sink::{Note, SockEnd};
use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::app::SysCall;
use finwait_sim::recording::{Error, Event, Filter, Recording, What};
use finwait_sim::world::HostId;

use crate::story::{Ending, words};

/// Where a connection can stand on a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Node {
    /// Nowhere: not yet, or no more.
    Closed,
    /// A half-open request.
    Request,
    /// A socket in that state.
    Sock(State),
    /// A bucket that waits for the peer's FIN.
    BucketFinWait2,
    /// A bucket in TIME-WAIT.
    BucketTimeWait,
    /// Its bucket was refused: nothing stands there although TCP says that something should.
    Refused,
}

/// A socket's state, in the order of [`TcpState`]'s numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct State(u8);

impl State {
    /// The state.
    pub fn get(self) -> TcpState {
        let is_it = |state: &TcpState| *state as u8 == self.0;
        TcpState::ALL.into_iter().find(is_it).unwrap_or(TcpState::Close)
    }
}

impl From<TcpState> for Node {
    fn from(state: TcpState) -> Self {
        match state {
            TcpState::Close | TcpState::Listen => Self::Closed,
            TcpState::NewSynRecv => Self::Request,
            TcpState::TimeWait => Self::BucketTimeWait,
            state => Self::Sock(State(state as u8)),
        }
    }
}

/// From one node to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edge {
    /// Where it begins.
    pub from: Node,
    /// Where it ends.
    pub to: Node,
}

/// What a run did.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    edges: BTreeMap<Edge, BTreeMap<String, u64>>,
    /// RSTs for segments that met nothing.
    pub resets_of_nobody: u64,
}

impl Counts {
    /// How often an edge was gone.
    pub fn of(&self, from: Node, to: Node) -> u64 {
        self.why(from, to).iter().map(|(_, count)| count).sum()
    }
    /// Because of what, the most frequent first.
    pub fn why(&self, from: Node, to: Node) -> Vec<(&str, u64)> {
        let all = self.edges.get(&Edge { from, to });
        let mut all: Vec<(&str, u64)> =
            all.into_iter().flatten().map(|(why, count)| (why.as_str(), *count)).collect();
        all.sort_by_key(|&(why, count)| (core::cmp::Reverse(count), why));
        all
    }
    /// How often a node was entered.
    pub fn entered(&self, node: Node) -> u64 {
        let into = self.edges.iter().filter(|(edge, _)| edge.to == node);
        into.flat_map(|(_, why)| why.values()).sum()
    }
    /// Every edge that was gone, with its count.
    pub fn edges(&self) -> impl Iterator<Item = (Edge, u64)> + '_ {
        self.edges.iter().map(|(edge, why)| (*edge, why.values().sum()))
    }
    fn add(&mut self, from: Node, to: Node, why: &str) {
        let edge = self.edges.entry(Edge { from, to }).or_default();
        match edge.get_mut(why) {
            Some(count) => *count += 1,
            None => {
                edge.insert(why.to_owned(), 1);
            }
        }
    }
}

/// Counts what one host, or all, did in that time.
pub fn count(
    rec: &Recording,
    host: Option<HostId>,
    range: Range<Instant>,
) -> Result<Counts, Error> {
    let mut counter = Counter::default();
    for event in rec.events(range, Filter { host, ..Filter::default() }) {
        counter.take(&event?);
    }
    Ok(counter.finish())
}

/// Follows the steps of the hosts.
#[derive(Default, Debug)]
pub(crate) struct Counter {
    counts: Counts,
    step: Option<(Instant, HostId)>,
    /// What began the step, if it was a segment or a timer.
    began: Option<String>,
    /// What the step did so far, and why if that is known already.
    done: Vec<(Node, Node, Option<String>)>,
    /// The state that a bucket was refused for, or stands in, within the step.
    bucket: Option<(FourTuple, Node)>,
    /// A socket went from SYN-SENT to CLOSE, and nothing has said how.
    unconnected: bool,
    requests: BTreeSet<(HostId, FourTuple)>,
}

impl Counter {
    /// Takes the next event in.
    pub(crate) fn take(&mut self, event: &Event) {
        let Event { at, host, what } = *event;
        if self.step != Some((at, host)) {
            self.end_step();
            self.step = Some((at, host));
        }
        match what {
            What::Received(segment) => {
                // Another step of the same instant.
                self.end_step();
                self.began = Some(format!("{} arrives", words::flags(&segment)));
            }
            What::Sent { cause: Cause::RstNoSocket, .. } => self.counts.resets_of_nobody += 1,
            What::Note(ref note) => self.note(host, note),
            What::Call(call) => self.call(call.what),
            _ => {}
        }
    }
    /// That was all.
    pub(crate) fn finish(mut self) -> Counts {
        self.end_step();
        self.counts
    }
    /// What the step did was done by what began it.
    fn end_step(&mut self) {
        let began = self.began.take();
        let began = began.as_deref().unwrap_or("application");
        for (from, to, why) in self.done.drain(..) {
            self.counts.add(from, to, why.as_deref().unwrap_or(began));
        }
        self.bucket = None;
        if core::mem::take(&mut self.unconnected) {
            let why = "connect(): no port is free";
            self.counts.add(TcpState::SynSent.into(), Node::Closed, why);
        }
    }
    /// A call is told when it returns.
    fn call(&mut self, call: SysCall) {
        let name = format!("{}()", call.name());
        let arrived = self.began.is_some();
        for (_, to, why) in self.done.iter_mut().filter(|(_, _, why)| why.is_none()) {
            let mine = match call {
                SysCall::Connect(_) => *to == TcpState::SynSent.into(),
                SysCall::Close { .. } | SysCall::Shutdown(_) => {
                    let closing = [TcpState::FinWait1, TcpState::LastAck];
                    closing.map(Node::from).contains(to) || !arrived
                }
                _ => false,
            };
            if mine {
                *why = Some(name.clone());
            }
        }
    }
    fn note(&mut self, host: HostId, note: &Note) {
        let mut go = |from: Node, to: Node, why: Option<String>| self.done.push((from, to, why));
        match *note {
            Note::State {
                from: TcpState::Close | TcpState::Listen,
                to: TcpState::SynRecv,
                flow,
            } => {
                // With a SYN cookie there was no request.
                let known = self.requests.remove(&(host, flow));
                let from = if known { Node::Request } else { Node::Closed };
                go(from, TcpState::SynRecv.into(), None);
            }
            // How it ends is told by the note that follows; only connect() has none if it fails.
            Note::State { from, to: TcpState::Close, .. } => {
                self.unconnected = from == TcpState::SynSent;
            }
            Note::State { from, to, .. } if from != to => {
                let (from, to) = (Node::from(from), Node::from(to));
                // Listeners have a machine of their own.
                if (from, to) != (Node::Closed, Node::Closed) {
                    go(from, to, None);
                }
            }
            Note::RequestBorn { flow } => {
                go(Node::Closed, Node::Request, None);
                self.requests.insert((host, flow));
            }
            Note::RequestDied { flow, why } => {
                go(Node::Request, Node::Closed, Some(words::ending(Ending::Request(why))));
                self.requests.remove(&(host, flow));
            }
            Note::BucketBorn { flow, substate, .. } => {
                self.bucket = Some((flow, bucket(substate)));
            }
            Note::BucketRefused { flow, .. } => self.bucket = Some((flow, Node::Refused)),
            Note::BucketTimeWait { .. } => go(Node::BucketFinWait2, Node::BucketTimeWait, None),
            Note::BucketDied { substate, how, .. } => {
                let why = words::ending(Ending::Bucket(substate, how));
                go(bucket(substate), Node::Closed, Some(why));
            }
            Note::Destroyed { flow, state, why } => {
                self.unconnected = false;
                let to = self.bucket.filter(|(its, _)| *its == flow).map(|(_, node)| node);
                match (why, to) {
                    (SockEnd::ToBucket | SockEnd::BucketRefused, Some(to)) => {
                        go(state.into(), to, None);
                    }
                    // A socket that never was anything has no edge.
                    _ if Node::from(state) == Node::Closed => {}
                    _ => {
                        let why = words::ending(Ending::Sock(state, why));
                        go(state.into(), Node::Closed, Some(why));
                    }
                }
            }
            Note::Timer { kind, .. } => {
                self.end_step();
                self.began = Some(format!("timer: {}", words::timer(kind)));
            }
            Note::State { .. } | Note::Orphaned { .. } | Note::Drop { .. } => {}
        }
    }
}

fn bucket(substate: TcpState) -> Node {
    if substate == TcpState::FinWait2 { Node::BucketFinWait2 } else { Node::BucketTimeWait }
}
