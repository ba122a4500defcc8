//! A connection worked out in full from its beginning, by itself: what has happened to it happens
//! again, at the same times and with the same numbers, on two kernels that have nothing else to do.

use std::collections::VecDeque;

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Config, Fd, Kernel, Ready};
use finwait_model::pair::{Armed, End, Timers};
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;
use finwait_model::sink::{Cx, Note, Quiet, Sink};
use finwait_model::time::{Clock, Instant};
use finwait_model::track::{Change, Origin, Since};

use super::effect::{Effect, Leaves, Numbers, Of, Out, Outs, Turn, Whom};
use super::event::{Act, EOF, Event};
use crate::follow::{CLIENT, SERVER};

/// What a connection's two hosts are made of.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// By end.
    pub configs: [Config; 2],
    /// listen()'s.
    pub backlog: i32,
}

/// What is known of the numbers of a connection when an event happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Seen from the client.
    pub flow: FourTuple,
    /// By end; zero if it is not drawn yet.
    pub iss: [Seq; 2],
    /// By end: the timestamp that it has from its peer, and when that came and when it was sent.
    pub recent: [Recent; 2],
}

/// A timestamp of the peer's.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Recent {
    pub val: u32,
    pub came: Instant,
    pub sent: Instant,
}

/// A segment on its way.
#[derive(Clone, Copy, Debug)]
struct Flying {
    segment: Segment,
    cause: Cause,
    sent: Instant,
}

/// What an event has done, and how the connection stands then.
pub(super) struct Lesson {
    pub effect: Effect,
    /// Equal names stand alike.
    pub name: String,
    /// Another connection may do something else in the same event: it cannot be told yet.
    pub ambiguous: bool,
}

/// Two kernels with one connection.
struct Replay {
    kernels: [Kernel; 2],
    flow: FourTuple,
    /// By end that it goes to.
    flights: [VecDeque<Flying>; 2],
    fds: [Option<Fd>; 2],
    listener: Fd,
}

/// What comes out of one event.
#[derive(Default)]
struct Tape {
    outs: Vec<TapeOut>,
}

enum TapeOut {
    Segment(Segment, Cause),
    Note(Note),
}

impl Sink for Tape {
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.outs.push(TapeOut::Segment(*segment, cause));
    }
    fn note(&mut self, note: impl FnOnce() -> Note) {
        self.outs.push(TapeOut::Note(note()));
    }
}

impl Replay {
    fn new(ground: &Ground, flow: FourTuple) -> Option<Self> {
        let [client, server] = &ground.configs;
        let mut client = Kernel::new(client);
        client.sysctl_mut().ip_local_port_range = (flow.sport, flow.sport);
        let mut server = Kernel::new(server);
        let listener = server.socket();
        server.bind(listener, Endpoint::new(finwait_model::flow::Addr::ANY, flow.dport)).ok()?;
        let mut cx = Cx { now: Instant::ZERO, sink: &mut Quiet };
        server.listen(listener, ground.backlog, &mut cx).ok()?;
        let flights = [VecDeque::new(), VecDeque::new()];
        Some(Self { kernels: [client, server], flow, flights, fds: [None; 2], listener })
    }
    /// The connection as that end sends.
    fn flow(&self, end: usize) -> FourTuple {
        if end == CLIENT { self.flow } else { self.flow.reversed() }
    }
    fn end(&self, end: usize, known: &Known) -> End {
        let (iss, irs) = (known.iss[end], known.iss[1 - end]);
        End { flow: self.flow(end), fd: self.fds[end], iss, irs }
    }

    /// Lets an event happen.
    fn step(&mut self, event: &Event, tape: &mut Tape) -> Result<u32, Errno> {
        let Event { at: now, key } = *event;
        let (end, refused) = (key.end(), key.is_refused());
        let limit = self.kernels[end].sysctl().tcp_max_tw_buckets;
        if refused {
            self.kernels[end].sysctl_mut().tcp_max_tw_buckets = 0;
        }
        let from = tape.outs.len();
        let kernel = &mut self.kernels[end];
        let mut cx = Cx { now, sink: tape };
        let fd = self.fds[end].ok_or(Errno::EBADF);
        let result = match key.act() {
            Act::Connect => {
                let fd = kernel.socket();
                self.fds[end] = Some(fd);
                kernel.connect(fd, self.flow.destination(), &mut cx).map(|()| 0)
            }
            Act::Arrival => {
                if let Some(flying) = self.flights[end].pop_front() {
                    kernel.rx(&flying.segment, &mut cx);
                }
                Ok(0)
            }
            Act::Timer => {
                kernel.run_timers(&mut cx);
                Ok(0)
            }
            Act::Accept => kernel.accept(self.listener, &mut cx).and_then(|fd| {
                self.fds[end] = Some(fd);
                kernel.poll(fd).map(|ready| u32::from(ready.0))
            }),
            Act::Send(bytes) => fd.and_then(|fd| kernel.send(fd, bytes, false, &mut cx)),
            Act::ReadAll(most) => fd.and_then(|fd| read_all(kernel, fd, most, &mut cx)),
            Act::Close => {
                self.fds[end] = None;
                fd.and_then(|fd| kernel.close(fd, &mut cx)).map(|_| 0)
            }
        };
        self.kernels[end].sysctl_mut().tcp_max_tw_buckets = limit;
        for out in &tape.outs[from..] {
            if let TapeOut::Segment(segment, cause) = *out {
                self.flights[1 - end].push_back(Flying { segment, cause, sent: now });
            }
        }
        result
    }
    /// Who has become ready.
    fn wakes(&mut self, end: usize) -> Vec<(Whom, Ready)> {
        let mut wakes = Vec::new();
        let listener = self.listener;
        let own = self.fds[end];
        while let Some((fd, ready)) = self.kernels[end].next_wake() {
            if Some(fd) == own {
                wakes.push((Whom::Own, ready));
            } else if end == SERVER && fd == listener {
                wakes.push((Whom::Listener, ready));
            }
            // Nobody has the descriptor of a child that was not accepted.
        }
        wakes
    }
    /// How everything stands.
    fn name(&self, known: &Known) -> String {
        let mut name = String::new();
        for end in [CLIENT, SERVER] {
            name += &self.kernels[end].outlook(&self.end(end, known));
            name += if self.fds[end].is_some() { "|open|" } else { "||" };
            for flying in &self.flights[end] {
                name += &format!("{:?}", arrived(flying, known, end));
            }
        }
        name
    }
}

/// How many bytes there were; with [`EOF`] if the end of file came behind them.
fn read_all(
    kernel: &mut Kernel,
    fd: Fd,
    most: u32,
    cx: &mut Cx<'_, impl Sink>,
) -> Result<u32, Errno> {
    let mut bytes = 0;
    loop {
        match kernel.recv(fd, most, cx) {
            Ok(0) => return Ok(bytes | EOF),
            Ok(n) => bytes += n,
            Err(Errno::EAGAIN) => return Ok(bytes),
            Err(error) => return Err(error),
        }
    }
}

/// A segment that arrives at an end, or will.
fn arrived(flying: &Flying, known: &Known, end: usize) -> Option<Leaves> {
    let Flying { segment, cause, .. } = flying;
    let stamp = segment.options.ts.unwrap_or_default();
    let flow = segment.flow;
    let (iss, irs) = (known.iss[1 - end], known.iss[end]);
    Leaves::of(segment, *cause, &Numbers { flow, iss, irs, val: stamp.val, ecr: stamp.ecr })
}

/// The ticks that a timer of retransmissions has at least: what fires sooner depends on what was
/// measured of round trips.
pub(super) const PATIENT_MS: u64 = 150;

/// Works out the last of these events; or says why others could not do the same.
pub(super) fn learn(
    ground: &Ground,
    events: &[Event],
    known: &Known,
) -> Result<Lesson, &'static str> {
    let mut replay = Replay::new(ground, known.flow).ok_or("a listener that cannot be")?;
    let (event, past) = events.split_last().ok_or("nothing has happened")?;
    for event in past {
        // What it says was said when it was learnt.
        let _ = replay.step(event, &mut Tape::default());
        replay.wakes(event.key.end());
    }
    let (now, end, act) = (event.at, event.key.end(), event.key.act());
    let flow = replay.flow(end);
    let flying = replay.flights[end].front().copied();
    let arriving = (act == Act::Arrival).then_some(flying).flatten();
    let before = replay.end(end, known);
    let kernel = &replay.kernels[end];
    let (mark, timers) = (kernel.mark(flow), kernel.pending(&before));
    let stood = kernel.is_hashed_sock(&before);
    let mut tape = Tape::default();
    let result = replay.step(event, &mut tape);
    let wakes = replay.wakes(end);
    let after = replay.end(end, known);
    let kernel = &replay.kernels[end];
    let marked = kernel.mark(flow);
    if act != Act::Connect && !Kernel::drew_nothing(&mark, &marked) {
        return Err("a number drawn at random");
    }
    // Of a socket that is gone what it echoed last tells.
    let kept = kernel.ts_recent(&after).or_else(|| echoed(&tape).map(|val| (val, None)));
    let stamp = stamp_taken(kept, kernel.clock(), &known.recent[end], now, arriving.as_ref());
    let (takes_stamp, ambiguous) = stamp.ok_or("a timestamp from elsewhere")?;
    let recent = match (takes_stamp, arriving.and_then(|flying| flying.segment.options.ts)) {
        (true, Some(ts)) => Recent { val: ts.val, came: now, sent: now },
        _ => known.recent[end],
    };
    let val = kernel.numbering().timestamp(flow, now);
    let numbers = Numbers { flow, iss: after.iss, irs: after.irs, val, ecr: recent.val };
    let notes: Vec<Note> = notes(&tape).collect();
    let origin = Origin { flow, iss: after.iss, irs: after.irs, ts: 0, peer_ts: recent.val };
    let since = Since { began: now, stamped: recent.came };
    let change = kernel.change(&mark, &origin, since, &notes).ok_or("an unusual bucket")?;
    let has_bucket = change.has_bucket();
    if end == SERVER && has_bucket {
        // It would meet the next connection from the same port.
        return Err("a bucket of the server's");
    }
    let turns = turns(kernel, &timers, &kernel.pending(&after), now);
    let (delack, write) = turns.ok_or("a timer that depends on round trips")?;
    let ends = [CLIENT, SERVER].map(|end| replay.kernels[end].is_over(&replay.end(end, known)));
    let over = ends == [true; 2]
        && replay.fds == [None; 2]
        && replay.flights.iter().all(VecDeque::is_empty);
    let effect = Effect {
        arrived: match &arriving {
            Some(flying) => {
                Some(Box::new(arrived(flying, known, end).ok_or("an unusual arrival")?))
            }
            None => None,
        },
        outs: Outs::of(outs(&tape, &numbers).ok_or("an unusual segment")?),
        wakes,
        result,
        takes_stamp,
        takes_data: arriving.is_some_and(|flying| flying.segment.len > 0)
            && kernel.has_received_at(&after, now),
        delack,
        write,
        leaves: end == CLIENT && stood && !kernel.is_hashed_sock(&after) && !has_bucket,
        change: (!Change::is_none(&change)).then(|| Box::new(change)),
        delta: Box::new(Kernel::delta(&mark, &marked)),
        over,
    };
    Ok(Lesson { effect, name: replay.name(known), ambiguous })
}

fn notes(tape: &Tape) -> impl Iterator<Item = Note> {
    tape.outs.iter().filter_map(|out| match out {
        TapeOut::Note(note) => Some(*note),
        TapeOut::Segment(..) => None,
    })
}

/// What came out, without its numbers.
fn outs(tape: &Tape, numbers: &Numbers) -> Option<Vec<Out>> {
    let blank = FourTuple::default();
    let tells = |out: &&TapeOut| !matches!(out, TapeOut::Note(note) if note.is_passing());
    let out = |out: &TapeOut| match *out {
        TapeOut::Segment(segment, cause) => Leaves::of(&segment, cause, numbers).map(Out::Segment),
        TapeOut::Note(note) => {
            let of = Of::the(note.flow(), numbers.flow)?;
            if let Note::BucketRefused { substate, .. } = note {
                return (of == Of::Ours).then_some(Out::Refusal(substate));
            }
            Some(Out::Note(Box::new(note.with_flow(blank)), of))
        }
    };
    tape.outs.iter().filter(tells).map(out).collect()
}

/// The timestamp that the last segment with one echoed.
fn echoed(tape: &Tape) -> Option<u32> {
    let ecr = |out: &TapeOut| match out {
        TapeOut::Segment(segment, _) => segment.options.ts.map(|ts| ts.ecr),
        TapeOut::Note(_) => None,
    };
    tape.outs.iter().rev().find_map(ecr)
}

/// Has an end kept the timestamp of what arrived, and can that be told for others, too?
fn stamp_taken(
    kept: Option<(u32, Option<u32>)>,
    clock: Clock,
    old: &Recent,
    now: Instant,
    arriving: Option<&Flying>,
) -> Option<(bool, bool)> {
    let kept = kept.filter(|kept| *kept != (0, Some(0)));
    let Some((val, second)) = kept else { return Some((false, false)) };
    let is = |recent: &Recent| {
        recent.val == val && second.is_none_or(|s| s == clock.seconds(recent.came) as u32)
    };
    let new = arriving.and_then(|flying| {
        let val = flying.segment.options.ts?.val;
        Some(Recent { val, came: now, sent: flying.sent })
    });
    match (new.filter(is), is(old)) {
        (None, true) => Some((false, false)),
        (Some(_), false) => Some((true, false)),
        // Two that left at the same time are equal for everybody.
        (Some(new), true) => Some((true, new.sent != old.sent)),
        (None, false) => None,
    }
}

/// What has become of the timers; `None` if one fires that is none for others.
fn turns(kernel: &Kernel, before: &Timers, after: &Timers, now: Instant) -> Option<(Turn, Turn)> {
    let clock = kernel.clock();
    let jiffies = clock.jiffies(now);
    let turn = |before: Option<Armed>, after: Option<Armed>| match after {
        same if same == before => Turn::Stays,
        None => Turn::Idle,
        Some(armed) => Turn::Armed((armed.expires - jiffies).0 as u32),
    };
    let write = match turn(before.write, after.write) {
        Turn::Armed(ticks) if u64::from(ticks) < clock.from_millis(PATIENT_MS).0 => return None,
        // For how long depends on what was measured.
        Turn::Armed(_) => Turn::Armed(0),
        other => other,
    };
    (!after.others).then_some((turn(before.delack, after.delack), write))
}
