//! The model arm: plays a case on the model, at the very moments at which the live kernel was
//! made to do each step. What the machine's scheduler did to those moments is thereby the same
//! for both, and timers have to fire in the same tick.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Closed, Config, Fd, Icmp, Kernel, Object, Ready};
use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::sink::{BucketEnd, Cx, DropReason, Note, Sink, TimerKind};
use finwait_model::state::TcpState;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant};
use finwait_sim::script::observe::Conn;
use finwait_sim::view::HostView;
use finwait_sim::view::trace::Tracer;

use crate::seen::{
    Answered, Done, Look, LookRow, LookTimer, Reset, Retransmit, Seen, Sent, StateChange,
};
use crate::step::{Act, Call, Case, Step, Unreachable};
use crate::talk::{ANY_NAME, LOCAL, Talk};
use crate::triple::{self, Standing};

/// Where nothing shows when the kernel did a step: so long after the call began.
const INTO_KERNEL_NS: u64 = 10_000;

/// Moments at which timers are due, in nanoseconds since the run's zero.
pub type Ticks = BTreeSet<u64>;

/// Plays the case with the times that the live arm wrote down. Timers due at the ticks of `late`
/// run one tick later.
pub fn play(
    case: &Case,
    live: &Seen,
    clock: Clock,
    remote: Addr,
    late: &Ticks,
) -> Result<Seen, String> {
    let mut model = played(case, live, clock, remote, late, None)?;
    model.finish();
    Ok(model.seen)
}

/// How a host stands, and what its tracepoints have said until then.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its tables.
    pub view: HostView,
    /// Lines of trace_pipe.
    pub trace: String,
}

/// The same, and then how the host stands at each of the moments, which are in order and not
/// before the last step.
pub fn views(
    case: &Case,
    live: &Seen,
    clock: Clock,
    remote: Addr,
    late: &Ticks,
    moments_ns: &[u64],
) -> Result<Vec<Shown>, String> {
    let tracer = Tracer::new("host");
    let mut model = played(case, live, clock, remote, late, Some(tracer))?;
    let view = |ns: &u64| {
        model.advance(*ns);
        let view = HostView::of_kernel("host", &model.kernel, Instant { ns: *ns });
        let trace = model.tape.traced.concat();
        Shown { view, trace }
    };
    Ok(moments_ns.iter().map(view).collect())
}

fn played(
    case: &Case,
    live: &Seen,
    clock: Clock,
    remote: Addr,
    late: &Ticks,
    tracer: Option<Tracer>,
) -> Result<Model, String> {
    let mut sysctl = Sysctl::new(Release::V6_18);
    for (name, value) in &case.sysctls {
        set(&mut sysctl, name, value)?;
    }
    let config = Config {
        release: Release::V6_18,
        clock,
        sysctl,
        addrs: vec![LOCAL],
        mtu: 1500,
        seed: u64::from(case.peer_isn),
    };
    let mut model = Model {
        kernel: Kernel::new(&config),
        tape: Tape { tracer, ..Tape::default() },
        remote,
        talk: Talk::new(remote, case.peer_isn),
        files: BTreeMap::new(),
        nonblock: BTreeMap::new(),
        pending: Vec::new(),
        held: Vec::new(),
        seen: Seen::default(),
        step: 0,
        late: late.clone(),
        tick_ns: clock.tick_ns(),
    };
    for (index, step) in case.steps.iter().enumerate() {
        let Some(done) = live.steps.get(index) else { break };
        let call = live.answers.iter().find(|a| a.step == index);
        let start = call.map_or(done.start_ns, |a| a.start_ns);
        let guess = start + INTO_KERNEL_NS.min(done.end_ns.saturating_sub(start) / 2);
        let moment = done.acted_ns.unwrap_or(guess);
        model.advance(moment);
        model.step = index;
        model.seen.steps.push(*done);
        model.act(index, step, moment)?;
        if let Some(look) = live.looks.iter().find(|l| l.step == index) {
            model.advance(look.at_ns);
            model.look(look.at_ns);
        }
    }
    Ok(model)
}

fn set(sysctl: &mut Sysctl, name: &str, value: &str) -> Result<(), String> {
    sysctl.set(name, value).map_err(|e| format!("the model refuses {name} = {value}: {e:?}"))
}

/// What the model's kernel did since it was last asked.
#[derive(Default, Debug)]
struct Tape {
    now: Instant,
    sent: VecDeque<(Instant, Segment, Cause)>,
    states: Vec<(Instant, Note)>,
    /// The lines of the tracepoints, if somebody wants them.
    tracer: Option<Tracer>,
    traced: Vec<String>,
    /// Timers that fired since the last question, and buckets whose time was up.
    fired: Vec<(FourTuple, Option<TimerKind>)>,
    drops: Vec<DropReason>,
}

impl Sink for Tape {
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.sent.push_back((self.now, *segment, cause));
        let line = self.tracer.as_mut().and_then(|t| t.sent(self.now, segment, cause));
        self.traced.extend(line);
    }
    fn note(&mut self, note: impl FnOnce() -> Note) {
        let note = note();
        let line = self.tracer.as_mut().and_then(|t| t.note(self.now, &note));
        self.traced.extend(line);
        match note {
            Note::State { .. } => self.states.push((self.now, note)),
            Note::Timer { flow, kind } => self.fired.push((flow, Some(kind))),
            Note::BucketDied { flow, how: BucketEnd::Expired, .. } => self.fired.push((flow, None)),
            Note::Drop { reason, .. } => self.drops.push(reason),
            Note::BucketBorn { .. }
            | Note::BucketRefused { .. }
            | Note::BucketTimeWait { .. }
            | Note::BucketDied { .. }
            | Note::RequestBorn { .. }
            | Note::RequestDied { .. }
            | Note::Orphaned { .. }
            | Note::Destroyed { .. } => {}
        }
    }
}

struct Model {
    kernel: Kernel,
    tape: Tape,
    remote: Addr,
    talk: Talk,
    files: BTreeMap<i32, Fd>,
    nonblock: BTreeMap<i32, bool>,
    pending: Vec<Pending>,
    /// Closed by number, but held by a call that blocks.
    held: Vec<Fd>,
    seen: Seen,
    step: usize,
    late: Ticks,
    tick_ns: u64,
}

/// poll()'s answer for a descriptor that is not open.
const POLLNVAL: i64 = 0x20;

/// A call that blocks.
#[derive(Clone, Debug)]
struct Pending {
    step: usize,
    start_ns: u64,
    call: Call,
    fd: Fd,
    /// What a send() has placed so far.
    placed: u32,
    /// What it answers once the socket, which it was the last to hold, has lingered.
    then: Option<Answer>,
}

/// A call's answer: a value and what was written through a pointer, or an error.
type Answer = Result<(i64, Option<i64>), Errno>;

impl Model {
    /// Runs timers up to the moment.
    fn advance(&mut self, to_ns: u64) {
        while let Some(due) = self.kernel.next_timer().filter(|t| t.ns <= to_ns) {
            let now = if self.late.contains(&due.ns) {
                Instant { ns: due.ns + self.tick_ns }
            } else {
                due
            };
            if now.ns > to_ns {
                return;
            }
            self.seen.timers.insert(due.ns);
            self.tape.now = now;
            let before = Standing::of(&self.kernel, now);
            self.forget();
            self.kernel.run_timers(&mut Cx { now, sink: &mut self.tape });
            self.note_timers(&before, now);
            self.settle(now.ns);
        }
    }

    fn forget(&mut self) {
        self.tape.fired.clear();
        self.tape.drops.clear();
    }

    /// What the timers that just fired did.
    fn note_timers(&mut self, before: &Standing, now: Instant) {
        let after = Standing::of(&self.kernel, now);
        for &(flow, kind) in &self.tape.fired {
            let of = self.tape.sent.iter().filter(|(_, s, _)| s.flow == flow);
            let causes = of.map(|(_, _, cause)| *cause);
            let line =
                triple::line(before.at(flow), &triple::timer(kind), after.at(flow), causes, &[]);
            self.seen.triples.insert(line);
        }
    }

    /// What a segment or a call did.
    fn note_event(&mut self, before: &str, event: &str, after: &str) {
        let causes = self.tape.sent.iter().map(|(_, _, cause)| *cause);
        let line = triple::line(before, event, after, causes, &self.tape.drops);
        self.seen.triples.insert(line);
    }

    fn act(&mut self, index: usize, step: &Step, at: u64) -> Result<(), String> {
        let now = Instant { ns: at };
        self.tape.now = now;
        self.forget();
        let mut cx = Cx { now, sink: &mut self.tape };
        match &step.act {
            Act::Inject(packet) => {
                let segment = self.talk.to_wire(packet);
                let before = Standing::of(&self.kernel, now);
                self.kernel.rx(&segment, &mut cx);
                let after = Standing::of(&self.kernel, now);
                let (before, after) = before.getting(&after, &segment);
                self.note_event(before, &triple::segment(&segment), after);
            }
            Act::Icmp(u) => self.kernel.icmp(&icmp(u, &self.talk), &mut cx),
            Act::Sysctl { name, value } => set(self.kernel.sysctl_mut(), name, value)?,
            Act::Call(call) => {
                let fd = self.files.get(&call.fd()).copied();
                let flow = fd.and_then(|fd| self.kernel.flow(fd).ok());
                let before = fd.and_then(|fd| self.kernel.state(fd).ok());
                self.call(index, call, at);
                let after = Standing::of(&self.kernel, now);
                let file = fd.and_then(|fd| self.kernel.state(fd).ok());
                let after = match (file, flow) {
                    (Some(state), _) => state.ss_name(),
                    (None, Some(flow)) => after.at(flow),
                    (None, None) => "nobody",
                };
                let before = before.map_or("no file", TcpState::ss_name);
                self.note_event(before, &triple::call(call), after);
            }
            Act::Await { .. } | Act::Look => {}
        }
        self.settle(at);
        Ok(())
    }

    fn call(&mut self, step: usize, call: &Call, at: u64) {
        let fd = match call {
            Call::Socket { fd } => {
                let new = self.kernel.socket();
                self.files.insert(*fd, new);
                self.nonblock.insert(*fd, false);
                return self.answer(step, at, at, Ok((i64::from(*fd), None)));
            }
            other => self.files.get(&other.fd()).copied(),
        };
        let Some(fd) = fd else {
            let answer = match call {
                Call::Poll { .. } => Ok((1, Some(POLLNVAL))),
                _ => Err(Errno::EBADF),
            };
            return self.answer(step, at, at, answer);
        };
        if let Call::Close { fd: number } = call
            && self.pending.iter().any(|p| p.fd == fd)
        {
            // A call that still runs holds the file; the socket goes when it returns.
            self.files.remove(number);
            self.held.push(fd);
            return self.answer(step, at, at, Ok((0, None)));
        }
        let nonblock = self.nonblock.get(&call.fd()).copied().unwrap_or(false);
        let mut pending =
            Pending { step, start_ns: at, call: call.clone(), fd, placed: 0, then: None };
        if let Call::Connect { conn, .. } = call {
            let answer = self.attempt(&mut pending, at, nonblock);
            if let Some(flow) = self.kernel.flow(fd).ok().filter(|f| f.sport != 0) {
                self.talk.alias(flow.sport, conn.local);
            }
            return self.keep_or_answer(pending, answer, at);
        }
        let unbound = self.kernel.flow(fd).is_ok_and(|f| f.sport == 0);
        let answer = self.attempt(&mut pending, at, nonblock);
        if let (Call::Listen { .. }, true) = (call, unbound)
            && let Some(flow) = self.kernel.flow(fd).ok().filter(|f| f.sport != 0)
        {
            self.talk.alias(flow.sport, ANY_NAME);
        }
        self.keep_or_answer(pending, answer, at);
        if matches!(call, Call::Disconnect { .. }) {
            self.cancel(fd, at);
        }
    }

    /// connect(AF_UNSPEC) ends the calls that wait for the socket. `[sk_wait_event]`,
    /// `[__inet_stream_connect]`
    fn cancel(&mut self, fd: Fd, at: u64) {
        let waits = |p: &mut Pending| {
            p.fd == fd
                && matches!(p.call, Call::Recv { .. } | Call::Send { .. } | Call::Connect { .. })
        };
        for p in self.pending.extract_if(.., waits).collect::<Vec<_>>() {
            let answer =
                if p.placed > 0 { Ok((i64::from(p.placed), None)) } else { Err(Errno::EPIPE) };
            self.return_from(p, answer, at);
        }
    }

    fn keep_or_answer(&mut self, pending: Pending, answer: Option<Answer>, at: u64) {
        match answer {
            Some(answer) => self.return_from(pending, answer, at),
            None => self.pending.push(pending),
        }
    }

    /// A call returns. If its descriptor was closed meanwhile and nobody else waits for the socket,
    /// the socket is closed first, which may linger. `[__fput]`
    fn return_from(&mut self, mut pending: Pending, answer: Answer, at: u64) {
        let fd = pending.fd;
        let is_last = self.held.contains(&fd) && self.pending.iter().all(|p| p.fd != fd);
        if is_last {
            self.held.retain(|held| *held != fd);
            let now = Instant { ns: at };
            if let Ok(Closed::Lingers) =
                self.kernel.close(fd, &mut Cx { now, sink: &mut self.tape })
            {
                pending.call = Call::Close { fd: pending.call.fd() };
                pending.then = Some(answer);
                return self.pending.push(pending);
            }
        }
        self.answer(pending.step, pending.start_ns, at, answer);
    }

    /// Makes the call; `None` if it blocks.
    fn attempt(&mut self, p: &mut Pending, at: u64, nonblock: bool) -> Option<Answer> {
        let now = Instant { ns: at };
        self.tape.now = now;
        let mut cx = Cx { now, sink: &mut self.tape };
        let (kernel, remote) = (&mut self.kernel, self.remote);
        let fd = p.fd;
        let blocks = |e: Errno| e == Errno::EAGAIN && !nonblock;
        let answer = match p.call {
            Call::Accept { new, fd: listener } => match kernel.accept(fd, &mut cx) {
                Err(e) if blocks(e) => return None,
                Err(e) => Err(e),
                Ok(child) => {
                    self.files.insert(new, child);
                    self.nonblock.insert(new, false);
                    let _ = listener;
                    Ok((new.into(), None))
                }
            },
            Call::Connect { conn, .. } => {
                match kernel.connect(fd, Endpoint::new(remote, conn.remote), &mut cx) {
                    Err(Errno::EINPROGRESS | Errno::EALREADY) if !nonblock => return None,
                    other => other.map(|()| (0, None)),
                }
            }
            Call::Send { len, more, .. } => match kernel.send(fd, len - p.placed, more, &mut cx) {
                Ok(n) if !nonblock && p.placed + n < len => {
                    p.placed += n;
                    return None;
                }
                Ok(n) => Ok((i64::from(p.placed + n), None)),
                Err(e) if blocks(e) => {
                    // It cannot fail: the descriptor was good a moment ago.
                    let _ = kernel.wait_to_send(fd);
                    return None;
                }
                Err(_) if p.placed > 0 => Ok((i64::from(p.placed), None)),
                Err(e) => Err(e),
            },
            Call::Recv { len, .. } => match kernel.recv(fd, len, &mut cx) {
                Err(e) if blocks(e) => return None,
                other => other.map(|n| (i64::from(n), None)),
            },
            Call::Close { fd: number } => {
                self.files.remove(&number);
                match kernel.close(fd, &mut cx) {
                    Ok(Closed::Lingers) => return None,
                    other => other.map(|_| (0, None)),
                }
            }
            _ => return Some(self.simple(&p.call, fd, at)),
        };
        Some(answer)
    }

    /// A call that never blocks.
    fn simple(&mut self, call: &Call, fd: Fd, at: u64) -> Answer {
        let mut cx = Cx { now: Instant { ns: at }, sink: &mut self.tape };
        let kernel = &mut self.kernel;
        let zero = |()| (0, None);
        match *call {
            Call::Bind { port, any, .. } => {
                let addr = if any { Addr::ANY } else { LOCAL };
                kernel.bind(fd, Endpoint::new(addr, port)).map(zero)
            }
            Call::Listen { backlog, .. } => kernel.listen(fd, backlog, &mut cx).map(zero),
            Call::Disconnect { .. } => kernel.disconnect(fd, &mut cx).map(zero),
            Call::Shutdown { how, .. } => kernel.shutdown(fd, how, &mut cx).map(zero),
            Call::SetOpt { opt, .. } => kernel.setsockopt(fd, opt, &mut cx).map(zero),
            Call::GetOpt { name, .. } => kernel.getsockopt(fd, name).map(|v| (0, Some(v))),
            Call::NonBlock { fd: number, on } => {
                self.nonblock.insert(number, on);
                Ok((0, None))
            }
            Call::Inq { .. } => kernel.inq(fd).map(|n| (0, Some(n.into()))),
            Call::Outq { .. } => kernel.outq(fd).map(|n| (0, Some(n.into()))),
            Call::Poll { .. } => kernel.poll(fd).map(|ready| {
                // RDHUP, IN and OUT were asked for; ERR and HUP come unasked.
                let bits = i64::from(ready.0 & !Ready::CLOSED.0);
                (i64::from(bits != 0), Some(bits))
            }),
            Call::Socket { .. }
            | Call::Accept { .. }
            | Call::Connect { .. }
            | Call::Send { .. }
            | Call::Recv { .. }
            | Call::Close { .. } => Err(Errno::EINVAL),
        }
    }

    /// Takes in what the kernel sent and whom it woke.
    fn settle(&mut self, at: u64) {
        loop {
            self.collect();
            let mut woken = Vec::new();
            while let Some(wake) = self.kernel.next_wake() {
                woken.push(wake);
            }
            if woken.is_empty() {
                return;
            }
            let mut done = VecDeque::new();
            for mut pending in std::mem::take(&mut self.pending) {
                let wake = woken.iter().find(|(fd, _)| *fd == pending.fd);
                let answer = match (&pending.call, wake) {
                    (_, None) => None,
                    (Call::Close { .. }, Some((_, ready))) => {
                        let answer = pending.then.unwrap_or(Ok((0, None)));
                        ready.has(Ready::CLOSED).then_some(answer)
                    }
                    (_, Some(_)) => self.attempt(&mut pending, at, false),
                };
                match answer {
                    Some(answer) => done.push_back((pending, answer)),
                    None => self.pending.push(pending),
                }
            }
            while let Some((pending, answer)) = done.pop_front() {
                // Whoever returns last lets the socket go.
                if done.iter().any(|(other, _)| other.fd == pending.fd) {
                    self.answer(pending.step, pending.start_ns, at, answer);
                } else {
                    self.return_from(pending, answer, at);
                }
            }
        }
    }

    fn collect(&mut self) {
        while let Some((at, segment, cause)) = self.tape.sent.pop_front() {
            let header = self.talk.from_wire(&segment);
            if cause.is_reset() {
                let site = cause.site();
                self.seen.resets.push(Reset {
                    at_ns: at.ns,
                    conn: header.conn,
                    reason: site.reset.map_or("", |r| r.kernel_name()).to_owned(),
                    path: site.path.iter().map(|f| (*f).to_owned()).collect(),
                });
            }
            if cause.is_retransmission() {
                let path = cause.site().path.iter().map(|f| (*f).to_owned()).collect();
                self.seen.retransmits.push(Retransmit { at_ns: at.ns, conn: header.conn, path });
            }
            let (at_ns, step) = (at.ns, self.step);
            self.seen.sent.push(Sent { at_ns, step, header, cause: Some(cause) });
        }
        for (at, note) in self.tape.states.drain(..) {
            if let Note::State { flow, from, to } = note {
                let conn = Conn { local: self.talk.port_name(flow.sport), remote: flow.dport };
                self.seen.states.push(StateChange { at_ns: at.ns, conn, change: (from, to) });
            }
        }
    }

    fn answer(&mut self, step: usize, start_ns: u64, end_ns: u64, answer: Answer) {
        let (value, out) = match answer {
            Ok((value, out)) => (Ok(value), out),
            Err(e) => (Err(e.name().to_owned()), None),
        };
        let end_ns = Some(end_ns);
        self.seen.answers.push(Answered { step, start_ns, end_ns, value, out });
    }

    fn look(&mut self, at_ns: u64) {
        let now = Instant { ns: at_ns };
        let rows = self.kernel.rows(now);
        let mut rows: Vec<LookRow> = rows
            .into_iter()
            .map(|row| LookRow {
                conn: Conn { local: self.talk.port_name(row.local.port), remote: row.remote.port },
                state: if row.state == TcpState::NewSynRecv {
                    TcpState::SynRecv
                } else {
                    row.state
                },
                bucket: row.object == Object::Bucket,
                orphan: row.orphan && row.object == Object::Sock,
                rx_queue: row.rx_queue,
                tx_queue: row.tx_queue,
                timer: row.timer.map(|t| LookTimer {
                    name: t.name,
                    left_ns: t.left.ns,
                    count: t.count,
                }),
            })
            .collect();
        rows.sort();
        let counters = self.kernel.counters().non_zero();
        let counters = counters.map(|(mib, n)| (mib.nstat_name().to_owned(), n)).collect();
        let stat = self.kernel.sockstat();
        let (step, inuse, tw) = (self.step, stat.inuse, stat.tw);
        self.seen.looks.push(Look { at_ns, step, rows, counters, inuse, tw });
    }

    fn finish(&mut self) {
        for p in std::mem::take(&mut self.pending) {
            self.seen.answers.push(Answered {
                step: p.step,
                start_ns: p.start_ns,
                end_ns: None,
                value: Err("blocked".to_owned()),
                out: None,
            });
        }
        self.seen.answers.sort_by_key(|a| a.step);
        self.kernel.check();
    }
}

fn icmp(u: &Unreachable, talk: &Talk) -> Icmp {
    // `[icmp_err_convert]`: what each code means to a socket, and whether it is hard.
    let (error, hard) = match u.code {
        0 => (Errno::ENETUNREACH, false),
        2 => (Errno::ENOPROTOOPT, true),
        3 => (Errno::ECONNREFUSED, true),
        4 => (Errno::EMSGSIZE, false),
        _ => (Errno::EHOSTUNREACH, false),
    };
    Icmp { flow: talk.host_flow(u.conn), seq: talk.host_seq(u.conn, u.seq), error, hard }
}

/// The steps' moments of a run that no live kernel played: as the script plans them.
pub fn planned(case: &Case) -> Seen {
    let mut seen = Seen::default();
    let mut at = 0;
    for (step, s) in case.steps.iter().enumerate() {
        at = match s.when {
            crate::step::When::At(ns) => ns,
            crate::step::When::After(ns) => at + ns,
        };
        seen.steps.push(Done { start_ns: at, end_ns: at, acted_ns: None });
        seen.looks.push(Look { at_ns: at, step, ..Look::default() });
    }
    seen
}
