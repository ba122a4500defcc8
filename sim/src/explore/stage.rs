//! Plays a schedule on two kernels, one moment after the other.

use std::collections::BTreeMap;

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Config, Fd, Kernel};
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;
use finwait_model::sink::{Cx, Note, SockEnd};
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};

use super::schedule::{Fate, Schedule, Side, Step};
use crate::app::{AppId, Call};
use crate::hear::{Hear, Heard};
use crate::link;
use crate::stack::Stack;
use crate::watch::{Sent, Trigger, Watch};
use crate::world::HostId;

/// The port that the second host listens on.
pub const PORT: u16 = 6379;
/// The port that the first host binds where one is used again.
pub const CLIENT_PORT: u16 = 40_000;
/// How long a run goes on behind the last step, if anything still happens: longer than the default
/// retransmissions of either release take.
const AFTER: Span = Span::secs(1800);
/// More moments than any of these runs has.
const MOST_MOMENTS: u32 = 20_000;

/// Two hosts in the middle of a schedule.
#[derive(Debug)]
pub struct Stage<'s> {
    pub(super) schedule: &'s Schedule,
    pub(super) stacks: [Stack; 2],
    pub(super) now: Instant,
    /// What is on its way, by time of arrival and order of sending.
    pub(super) wire: BTreeMap<(Instant, u32), Flying>,
    launched: u32,
    /// Segments that each host has sent.
    sent: [u16; 2],
    pub(super) conns: Vec<Conn>,
    pub(super) listener: Option<Fd>,
    /// The next step of the schedule.
    place: usize,
    next_step: Option<Instant>,
    moments: u32,
    until: Instant,
    /// What the kernel had done in this moment before the last call into it.
    pub(super) entered: Option<usize>,
    pub(super) moment: Moment,
}

/// A segment on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flying {
    pub(super) to: Side,
    pub(super) segment: Segment,
    /// The connection that it was sent for.
    pub(super) conn: Option<usize>,
    /// Which of its sender's it is.
    pub(super) nth: u16,
}

/// What a stage knows of a connection.
#[derive(Clone, Default, Debug)]
pub struct Conn {
    /// Seen from who opened it; `None` if it could not be opened.
    pub flow: Option<FourTuple>,
    /// Has a later connection taken its four-tuple?
    pub superseded: bool,
    /// connect() has failed at once: no SYN is its.
    pub refused: bool,
    /// Both ends.
    pub ends: [End; 2],
}

/// What a stage knows of one end of it.
#[derive(Clone, Copy, Default, Debug)]
pub struct End {
    /// Its descriptor, while its program holds it.
    pub fd: Option<Fd>,
    /// Has its program called close() or shutdown(SHUT_WR)?
    pub closed: bool,
    /// … and did it do so while the connection stood, with everything read, and without
    /// SO_LINGER at zero?
    pub proper: bool,
    /// SO_LINGER is set to zero.
    pub linger_zero: bool,
    /// Bytes that its send() calls took.
    pub sent: u64,
    /// Bytes that its recv() calls gave.
    pub read: u64,
    /// recv() gave the end of file.
    pub eof: bool,
    /// A call on it failed with this, because the connection was broken, and not because its
    /// program had shut it down itself.
    pub broken: Option<Errno>,
    /// Where the sequence space behind its FIN begins, once that has left.
    pub fin_end: Option<Seq>,
    /// An ACK of its FIN has arrived.
    pub fin_acked: bool,
    /// What ended its socket.
    pub ended: Option<SockEnd>,
}

/// What happens in one moment: a segment arrives, timers are due, or a program acts.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Instant,
    /// On which host.
    pub side: Side,
    /// The segment that arrives, if one does.
    pub arrived: Option<Segment>,
    /// What the kernel did, in order.
    pub did: Vec<Did>,
    /// What the program called, each with what the kernel had done before.
    pub calls: Vec<(usize, Call)>,
    /// Data of an older life of the four-tuple was taken for that connection.
    pub old_data: Option<usize>,
    /// Is it the last: nothing will happen any more?
    pub last: bool,
}

/// Something that a kernel did.
#[derive(Clone, Copy, Debug)]
pub enum Did {
    /// It sent a segment.
    Sent(Segment, Cause),
    /// It noted something.
    Noted(Note),
}

impl Moment {
    /// The segments that left.
    pub fn sent(&self) -> impl Iterator<Item = (&Segment, Cause)> {
        self.did.iter().filter_map(|did| match did {
            Did::Sent(segment, cause) => Some((segment, *cause)),
            Did::Noted(_) => None,
        })
    }
    /// What was noted.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.did.iter().filter_map(|did| match did {
            Did::Noted(note) => Some(note),
            Did::Sent(..) => None,
        })
    }
    fn clear(&mut self) {
        self.arrived = None;
        self.did.clear();
        self.calls.clear();
        self.old_data = None;
    }
}

impl<'s> Stage<'s> {
    /// Two hosts that have just booted, one of which listens.
    pub fn new(schedule: &'s Schedule, watch: &mut dyn Watch) -> Self {
        Self::with_isns(schedule, [0; 2], watch)
    }
    /// The same, but each host draws initial sequence numbers that are larger by so much
    /// (`Kernel::shift_isn`): whatever they are, all else goes the same way.
    pub fn with_isns(schedule: &'s Schedule, shifts: [u32; 2], watch: &mut dyn Watch) -> Self {
        let stack = |side: Side| {
            let setup = &schedule.hosts[side];
            let mut kernel = Kernel::new(&Config {
                release: setup.release,
                clock: setup.clock,
                sysctl: setup.sysctls(),
                addrs: vec![setup.addr],
                mtu: setup.mtu,
                seed: side as u64 + 1,
            });
            kernel.shift_isn(shifts[side]);
            Stack::Linux(kernel)
        };
        let mut last = Instant::ZERO;
        for step in &schedule.steps {
            last += step.after;
        }
        let moment = Moment {
            at: Instant::ZERO,
            side: 1,
            arrived: None,
            did: Vec::new(),
            calls: Vec::new(),
            old_data: None,
            last: false,
        };
        let mut stage = Self {
            schedule,
            stacks: [stack(0), stack(1)],
            now: Instant::ZERO,
            wire: BTreeMap::new(),
            launched: 0,
            sent: [0; 2],
            conns: Vec::new(),
            listener: None,
            place: 0,
            next_step: schedule.steps.first().map(|s| Instant::ZERO + s.after),
            moments: 0,
            until: last + AFTER,
            entered: None,
            moment,
        };
        stage.begins(1, Trigger::App(AppId(0)), watch);
        stage.listens(watch);
        stage.ends(1, watch);
        stage
    }
    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }
    /// What has just happened.
    pub const fn moment(&self) -> &Moment {
        &self.moment
    }
    /// The connections that were opened so far.
    pub fn conns(&self) -> &[Conn] {
        &self.conns
    }
    /// A host's kernel.
    pub const fn kernel(&self, side: Side) -> &Kernel {
        self.stacks[side].kernel()
    }
    /// The schedule that is played.
    pub const fn schedule(&self) -> &Schedule {
        self.schedule
    }
    /// The connection seen from that host.
    pub fn flow(&self, conn: usize, side: Side) -> Option<FourTuple> {
        let conn = self.conns.get(conn).filter(|c| !c.superseded)?;
        conn.flow.map(|flow| if side == 0 { flow } else { flow.reversed() })
    }
    /// The connection that has these ports now, seen from either end.
    pub fn conn_of(&self, flow: FourTuple) -> Option<usize> {
        let is_it = |c: &Conn| c.flow == Some(flow) || c.flow == Some(flow.reversed());
        self.conns.iter().rposition(is_it)
    }
    /// The state of an end; CLOSE if nothing is there.
    pub fn state(&self, conn: usize, side: Side) -> TcpState {
        let line = self.flow(conn, side).and_then(|flow| self.stacks[side].kernel().line(flow));
        line.map_or(TcpState::Close, |line| line.state)
    }
    /// Bytes that wait to be read at an end.
    pub(super) fn unread(&self, conn: usize, side: Side) -> u32 {
        let line = self.flow(conn, side).and_then(|flow| self.stacks[side].kernel().line(flow));
        line.map_or(0, |line| line.rx_queue)
    }
    /// What happens next, and when; `None` if nothing does.
    fn next(&self) -> Option<(Instant, Next)> {
        let mut best: Option<(Instant, Next)> = None;
        let mut offer = |at: Option<Instant>, next: Next| {
            if let Some(at) = at
                && best.is_none_or(|(earliest, _)| at < earliest)
            {
                best = Some((at, next));
            }
        };
        offer(self.wire.first_key_value().map(|(key, _)| key.0), Next::Arrival);
        offer(self.stacks[0].next_timer(), Next::Timer(0));
        offer(self.stacks[1].next_timer(), Next::Timer(1));
        offer(self.next_step, Next::Step);
        best
    }
    /// Lets the next thing happen; `false` if nothing happens any more, and the last moment stands.
    pub fn step(&mut self, watch: &mut dyn Watch) -> bool {
        if self.moment.last {
            return false;
        }
        self.moments += 1;
        let next = self.next().filter(|(at, _)| *at <= self.until && self.moments < MOST_MOMENTS);
        let Some((at, next)) = next else {
            self.moment.last = true;
            self.moment.at = self.now;
            self.moment.clear();
            return true;
        };
        self.now = self.now.max(at);
        match next {
            Next::Arrival => self.arrival(watch),
            Next::Timer(side) => self.timers(side, watch),
            Next::Step => {
                let step: Step = self.schedule.steps[self.place];
                self.place += 1;
                let next = self.schedule.steps.get(self.place);
                self.next_step = next.map(|s| self.now + s.after);
                self.program(step, watch);
            }
        }
        true
    }
    /// Timers of that host are due.
    pub(super) fn timers(&mut self, side: Side, watch: &mut dyn Watch) {
        self.begins(side, Trigger::Timer, watch);
        self.enter(side, None, watch, |stack, cx| stack.run_timers(cx));
        self.ends(side, watch);
    }
    /// A program does something.
    pub(super) fn program(&mut self, step: Step, watch: &mut dyn Watch) {
        self.begins(step.side, Trigger::App(AppId(0)), watch);
        self.act(step, watch);
        self.ends(step.side, watch);
    }
    fn arrival(&mut self, watch: &mut dyn Watch) {
        if let Some(key) = self.wire.first_key_value().map(|(key, _)| *key) {
            self.arrive(key, watch);
        }
    }
    /// That segment arrives.
    pub(super) fn arrive(&mut self, key: (Instant, u32), watch: &mut dyn Watch) {
        let Some(Flying { to, segment, conn, .. }) = self.wire.remove(&key) else { return };
        self.begins(to, Trigger::Arrival(&segment), watch);
        let now = self.conn_of(segment.flow);
        let old = segment.len > 0 && now.is_some() && now != conn;
        let before = now.filter(|_| old).map_or(0, |now| self.unread(now, to));
        self.hears_ack(to, &segment);
        self.enter(to, Some(&segment), watch, |stack, cx| stack.rx(&segment, cx));
        if let Some(now) = now
            && old
            && self.unread(now, to) > before
        {
            self.moment.old_data = Some(now);
        }
        self.ends(to, watch);
    }
    /// Does it acknowledge a FIN? Also of a connection whose ports its peer uses again already.
    fn hears_ack(&mut self, to: Side, segment: &Segment) {
        if !segment.flags.ack() || segment.flags.rst() {
            return;
        }
        let flow = segment.flow;
        let its = |c: &&mut Conn| c.flow == Some(flow) || c.flow == Some(flow.reversed());
        for conn in self.conns.iter_mut().filter(its) {
            let end = &mut conn.ends[to];
            if let Some(fin) = end.fin_end.filter(|_| end.ended.is_none()) {
                end.fin_acked |= segment.ack.0.wrapping_sub(fin.0).cast_signed() >= 0;
            }
        }
    }
    /// A moment in which no host does anything.
    pub(super) fn nothing(&mut self) {
        self.moment.at = self.now;
        self.moment.clear();
    }
    fn begins(&mut self, side: Side, trigger: Trigger<'_>, watch: &mut dyn Watch) {
        let moment = &mut self.moment;
        (moment.at, moment.side) = (self.now, side);
        moment.clear();
        if let Trigger::Arrival(segment) = trigger {
            moment.arrived = Some(*segment);
        }
        watch.begins(self.now, HostId(side as u16), trigger);
    }
    /// Whoever was woken reads or accepts; then the moment is over.
    fn ends(&mut self, side: Side, watch: &mut dyn Watch) {
        while let Some((fd, ready)) = self.stacks[side].next_wake() {
            self.woken(side, fd, ready, watch);
        }
        watch.stepped(&self.stacks[side]);
        watch.window(self.now);
    }
    /// A call into a kernel: what it sends goes onto the wire.
    pub(super) fn enter<T>(
        &mut self,
        side: Side,
        answers: Option<&Segment>,
        watch: &mut dyn Watch,
        call: impl FnOnce(&mut Stack, &mut Cx<'_, Heard<'_>>) -> T,
    ) -> T {
        let mut touched = Vec::new();
        let first = self.moment.did.len();
        self.entered = Some(first);
        let Self { stacks, moment, now, .. } = &mut *self;
        let mut tap = Tap { moment, touched: &mut touched };
        let answer = call(&mut stacks[side], &mut Cx { now: *now, sink: &mut Heard(&mut tap) });
        for flow in touched {
            watch.touched(flow);
        }
        for index in first..self.moment.did.len() {
            let (at, host) = (self.now, HostId(side as u16));
            match self.moment.did[index] {
                Did::Noted(note) => {
                    if let Note::Destroyed { flow, why, .. } = note {
                        self.ended(side, flow, why);
                    }
                    watch.noted(at, host, &note);
                }
                Did::Sent(segment, cause) => {
                    let fate = self.launch(side, &segment);
                    watch.sent(&Sent { at, host, segment: &segment, cause, answers, fate });
                }
            }
        }
        answer
    }
    fn launch(&mut self, side: Side, segment: &Segment) -> link::Fate {
        self.sent[side] = self.sent[side].saturating_add(1);
        if side == 0 && segment.flags.syn() && !segment.flags.ack() {
            self.opens(segment.flow);
        }
        let conn = self.conn_of(segment.flow);
        if segment.flags.fin()
            && let Some(conn) = self.who_says(side, segment.flow).or(conn)
        {
            self.conns[conn].ends[side].fin_end = Some(segment.end_seq());
        }
        let nth = self.sent[side];
        let fated = self.schedule.fates.iter().find(|f| f.side == side && f.nth == nth);
        let at = self.now + self.schedule.delay;
        let flying = Flying { to: 1 - side, segment: *segment, conn, nth };
        match fated.map(|f| f.fate) {
            None => self.fly(at, flying),
            Some(Fate::Lost) => return link::Fate::Lost,
            Some(Fate::Late(by)) => {
                self.fly(at + by, flying);
                return link::Fate::Arrives(at + by);
            }
            Some(Fate::Twice(by)) => {
                self.fly(at, flying);
                self.fly(at + by, flying);
                return link::Fate::Twice(at, at + by);
            }
        }
        link::Fate::Arrives(at)
    }
    /// The first SYN of the connection that is being opened says which ports it has.
    fn opens(&mut self, flow: FourTuple) {
        let Some((opened, before)) = self.conns.split_last_mut() else { return };
        if opened.flow.is_none() && !opened.refused {
            opened.flow = Some(flow);
            for conn in before.iter_mut().filter(|c| c.flow == Some(flow)) {
                conn.superseded = true;
            }
        }
    }
    /// Whose FIN is it: of the connections that had these ports the oldest that is closed and still
    /// has its socket. Its peer may use the ports again already.
    fn who_says(&self, side: Side, flow: FourTuple) -> Option<usize> {
        let flow = Some(if side == 0 { flow } else { flow.reversed() });
        let lives = |c: &Conn| c.ends[side].closed && c.ends[side].ended.is_none();
        self.conns.iter().position(|c| c.flow == flow && lives(c))
    }
    /// A socket has ended: of those connections that had its ports, the oldest that has not.
    fn ended(&mut self, side: Side, flow: FourTuple, why: SockEnd) {
        let flow = Some(if side == 0 { flow } else { flow.reversed() });
        let its = |c: &&mut Conn| c.flow == flow && c.ends[side].ended.is_none();
        if let Some(conn) = self.conns.iter_mut().find(its) {
            conn.ends[side].ended = Some(why);
        }
    }
    fn fly(&mut self, at: Instant, flying: Flying) {
        self.launched += 1;
        self.wire.insert((at, self.launched), flying);
    }
    /// Where the second host listens.
    pub(super) fn server(&self) -> Endpoint {
        Endpoint::new(self.schedule.hosts[1].addr, PORT)
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Arrival,
    Timer(Side),
    Step,
}

/// What a kernel does goes into the moment.
#[derive(Debug)]
struct Tap<'m, 't> {
    moment: &'m mut Moment,
    touched: &'t mut Vec<FourTuple>,
}

impl Hear for Tap<'_, '_> {
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.moment.did.push(Did::Sent(*segment, cause));
    }
    fn note(&mut self, note: Note) {
        self.moment.did.push(Did::Noted(note));
    }
    fn touched(&mut self, flow: FourTuple) {
        self.touched.push(flow);
    }
}
