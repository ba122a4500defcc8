//! Plays a script on the model, in virtual time: the model is the host under test, the script is
//! its application and its peer.
//!
//! Time moves only to the next event, the next timer of the host, or the end of a call, so that a
//! script of hours takes no time at all and a result never depends on the machine.

use std::collections::{BTreeMap, VecDeque};

use finwait_model::errno::Errno;
use finwait_model::kernel::{Config, Fd, Icmp, Kernel, Ready, Row};
use finwait_model::sink::Cx;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant};

use super::ast::Time;
use super::calls::Pending;
use super::compare::difference;
use super::eval::{self, Variables};
use super::notes::words;
use super::observe::{Conn, Failure, Header, Observed, Record, StateRow, What, Why};
use super::plan::{Act, Packet, Plan, Unreachable};
use super::sink::{Entry, Sent, Wire};
use super::stir::Stir;
use super::talk::Talk;
use crate::hear::Heard;

/// How long after its time a packet is waited for, so that a late one can be shown.
const PATIENCE_NS: u64 = 3_600_000_000_000;
/// How long the host has been up when a script begins; half a tick more than a whole number of
/// ticks at every HZ, so that what a script does at one time is in one tick.
const UPTIME_NS: u64 = 1_000_000_000_000;

/// What a script left behind.
#[derive(Debug)]
pub struct Played {
    /// Everything seen.
    pub observed: Observed,
    /// Every expectation that did not hold; only one unless the script was to go on.
    pub failures: Vec<Failure>,
    /// The rungs of the ladder.
    pub ladder: Vec<Rung>,
    /// What `print` printed, with the time.
    pub printed: Vec<(u64, String)>,
    /// Every segment both ways, with its time, for a capture.
    pub segments: Vec<(u64, finwait_model::segment::Segment)>,
    /// The host's sockets at the end.
    pub rows: Vec<StateRow>,
    /// The timers of the host's sockets at the end: connection, name, nanoseconds left.
    pub timers: Vec<(Conn, &'static str, u64)>,
    /// Segments that the script did not mention: how many.
    pub unmatched: usize,
    /// How often each cause sent a segment, by its number.
    pub causes: Vec<finwait_model::cause::Cause>,
    /// What each call into the kernel did, if it was asked for.
    pub stirs: Vec<Stir>,
}

/// One line of a ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rung {
    /// Nanoseconds since the script began.
    pub at_ns: u64,
    /// Which kind.
    pub kind: RungKind,
    /// What to print.
    pub text: String,
    /// Why a segment was sent.
    pub cause: Option<finwait_model::cause::Cause>,
}

/// What a rung shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RungKind {
    /// A segment of the peer's.
    In,
    /// A segment of the host's.
    Out,
    /// A system call.
    Call,
    /// What the host noted.
    Note,
}

/// A descriptor of the script.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub(super) fd: Fd,
    pub(super) nonblock: bool,
}

pub(super) struct Player<'a> {
    pub(super) plan: &'a Plan,
    pub(super) kernel: Kernel,
    pub(super) wire: Wire,
    pub(super) now: Instant,
    pub(super) talk: Talk,
    pub(super) files: BTreeMap<i64, File>,
    pub(super) pending: Option<Pending>,
    /// Descriptors whose lingering close() has returned.
    pub(super) closed: Vec<Fd>,
    /// The event that is being played.
    pub(super) event: usize,
    /// How many of `wire.log` have been learned from.
    learned: usize,
    /// Which of `wire.sent` no packet line has met yet, by connection.
    waiting: BTreeMap<Conn, VecDeque<usize>>,
    /// Does the script speak of several connections?
    several: bool,
    /// When the event before was due, and whether it was an inbound packet.
    last: Option<(u64, bool)>,
    last_absolute: u64,
    variables: Variables,
    records: Vec<Record>,
    ladder: Vec<Rung>,
    printed: Vec<(u64, String)>,
    segments: Vec<(u64, finwait_model::segment::Segment)>,
    /// What each call did, if somebody wants to know.
    stirs: Option<Vec<Stir>>,
    /// The segment that is arriving.
    arriving: Option<finwait_model::segment::Segment>,
}

/// How a script is played.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// Sysctls to set on top of the script's own: full name and value.
    pub sysctls: Vec<(String, String)>,
    /// Go on after an expectation that did not hold.
    pub keep_going: bool,
    /// Keep what each call into the kernel did.
    pub stirs: bool,
}

/// Plays a script from boot to its last event.
pub fn play(plan: &Plan, options: &Options) -> Played {
    let mut player = Player::boot(plan, &options.sysctls);
    player.stirs = options.stirs.then(Vec::new);
    let mut failures = Vec::new();
    for index in 0..plan.steps.len() {
        if let Err(message) = player.step(index) {
            failures.push(player.failure(message));
            if !options.keep_going {
                break;
            }
        }
        player.look();
    }
    if (failures.is_empty() || options.keep_going)
        && let Err(message) = player.finish()
    {
        player.event = player.pending.as_ref().map_or(player.event, |p| p.event);
        failures.push(player.failure(message));
    }
    player.end(failures)
}

/// Does the script name packets of more than one connection?
fn several(plan: &Plan) -> bool {
    let conns = plan.steps.iter().filter_map(|step| match &step.act {
        Act::Inject(packet) | Act::Expect(packet) => Some(packet.conn),
        _ => None,
    });
    let mut conns = conns.peekable();
    let first = conns.peek().copied();
    conns.any(|conn| Some(conn) != first)
}

/// Rows of the host in the script's numbers.
fn state_row(row: &Row, talk: &Talk) -> StateRow {
    StateRow {
        conn: talk.conn(row.local.port, row.remote.port),
        state: row.state,
        timer: row.timer.map(|t| t.name.to_owned()),
        rx_queue: row.rx_queue,
        tx_queue: row.tx_queue,
        orphan: row.orphan,
    }
}

impl<'a> Player<'a> {
    fn boot(plan: &'a Plan, sysctls: &[(String, String)]) -> Self {
        let settings = &plan.settings;
        let release = settings.release;
        let mut sysctl = Sysctl::new(release);
        for (name, value) in plan.sysctls.iter().chain(sysctls) {
            // Checked when the script was made ready.
            let _ = sysctl.set(name, value);
        }
        let hz = release.default_hz();
        let half_tick = 500_000_000 / u64::from(hz);
        let config = Config {
            release,
            clock: Clock::new(hz, UPTIME_NS + half_tick),
            sysctl,
            addrs: vec![settings.local],
            mtu: settings.mtu,
            seed: 1,
        };
        Self {
            plan,
            kernel: Kernel::new(&config),
            wire: Wire::default(),
            now: Instant::ZERO,
            talk: Talk::new(settings.local, settings.remote),
            files: BTreeMap::new(),
            pending: None,
            closed: Vec::new(),
            event: 0,
            learned: 0,
            waiting: BTreeMap::new(),
            several: several(plan),
            last: None,
            last_absolute: 0,
            variables: Variables::default(),
            records: Vec::new(),
            ladder: Vec::new(),
            printed: Vec::new(),
            segments: Vec::new(),
            stirs: None,
            arriving: None,
        }
    }

    /// Calls into the kernel at the present time.
    pub(super) fn with<T>(
        &mut self,
        call: impl FnOnce(&mut Kernel, &mut Cx<'_, Heard<'_>>) -> T,
    ) -> T {
        self.wire.now = self.now;
        let from = self.wire.log.len();
        let before = self.stirs.as_ref().map(|_| self.kernel.counters().clone());
        let mut sink = Heard(&mut self.wire);
        let answer = call(&mut self.kernel, &mut Cx { now: self.now, sink: &mut sink });
        let arrived = self.arriving.take();
        if let (Some(stirs), Some(before)) = (&mut self.stirs, before) {
            stirs.push(Stir::of(&self.wire, from, arrived, &before, self.kernel.counters()));
        }
        while let Some((fd, ready)) = self.kernel.next_wake() {
            if ready.has(Ready::CLOSED) {
                self.closed.push(fd);
            }
        }
        answer
    }

    // — time —

    /// Runs the host's next timer if it is due by `until`; then what blocks may go on.
    pub(super) fn tick(&mut self, until: Instant) -> Result<bool, String> {
        let Some(due) = self.kernel.next_timer().filter(|&t| t <= until) else {
            return self.call_timeout(until);
        };
        self.call_timeout(due)?;
        self.now = self.now.max(due);
        self.with(|kernel, cx| kernel.run_timers(cx));
        self.resume()?;
        Ok(true)
    }

    /// Lets time pass until `until`.
    fn advance(&mut self, until: Instant) -> Result<(), String> {
        while self.tick(until)? {}
        self.now = self.now.max(until);
        Ok(())
    }

    /// When the event is due, from and to, and whether that matters.
    fn due(&mut self, index: usize) -> Result<(u64, u64), String> {
        let step = &self.plan.steps[index];
        let inbound = matches!(step.act, Act::Inject(_) | Act::Icmp(_));
        let base = match self.last {
            Some((due, true)) if inbound => due,
            _ => self.now.ns,
        };
        let (from, to) = match step.time {
            Time::Absolute(t) => (t, t),
            Time::AbsoluteRange(from, to) => (from, to),
            Time::Relative(t) => (base + t, base + t),
            Time::RelativeRange(from, to) => (base + from, base + to),
            Time::Any => (base, base + PATIENCE_NS),
        };
        if index == 0 && !matches!(step.time, Time::Any) && from != 0 {
            return Err("first event should be at time 0".to_owned());
        }
        if let Time::Absolute(t) | Time::AbsoluteRange(t, _) = step.time {
            if t < self.last_absolute {
                return Err(format!(
                    "time goes backward in script from {} usec to {} usec",
                    self.last_absolute / 1000,
                    t / 1000
                ));
            }
            self.last_absolute = t;
        }
        Ok((from, to))
    }

    /// How far off a time may be that lies so long after the event before.
    pub(super) fn tolerance(&self, since: u64, due: u64) -> u64 {
        let settings = &self.plan.settings;
        let part = due.saturating_sub(since) / 10_000 * settings.tolerance_ratio;
        settings.tolerance_ns.max(part)
    }

    fn check_time(&self, what: &str, due: (u64, u64), at: u64) -> Result<(), String> {
        let tolerance = match self.last {
            Some((last, _)) => self.tolerance(last, due.0),
            None => self.plan.settings.tolerance_ns,
        };
        let time = self.plan.steps[self.event].time;
        if time == Time::Any || (due.0.saturating_sub(tolerance)..=due.1 + tolerance).contains(&at)
        {
            return Ok(());
        }
        Err(match time {
            Time::AbsoluteRange(..) | Time::RelativeRange(..) => format!(
                "timing error: expected {what} in time range {}~{} sec but happened at {} sec",
                seconds(due.0),
                seconds(due.1),
                seconds(at)
            ),
            _ => format!(
                "timing error: expected {what} at {} sec but happened at {} sec; tolerance {} sec",
                seconds(due.0),
                seconds(at),
                seconds(tolerance)
            ),
        })
    }

    // — events —

    fn step(&mut self, index: usize) -> Result<(), String> {
        self.event = index;
        let due = self.due(index)?;
        let step = &self.plan.steps[index];
        if !matches!(step.act, Act::Expect(_)) {
            self.advance(Instant { ns: due.0 })?;
            let what = match step.act {
                Act::Inject(_) | Act::Icmp(_) => "inbound packet",
                Act::Call(_) => "system call start",
                Act::Sysctl(_) => "command",
                _ => "data collection for code",
            };
            self.check_time(what, due, self.now.ns)?;
        }
        match &step.act {
            Act::Inject(packet) => self.inject(packet)?,
            Act::Expect(packet) => {
                self.expect(packet, due).map_err(|m| format!("error handling packet: {m}"))?;
            }
            Act::Icmp(icmp) => self.icmp(icmp)?,
            Act::Call(call) => self.start(index, call, due.0)?,
            Act::Sysctl(values) => {
                for (name, value) in values {
                    // Checked when the script was made ready.
                    let _ = self.kernel.sysctl_mut().set(name, value);
                }
            }
            Act::Code { fd, conn, statements } => {
                let info = self.info(*fd, *conn)?;
                let lines = eval::run(statements, &info, &mut self.variables)
                    .map_err(|m| format!("error in code: {m}"))?;
                let at = self.now.ns;
                self.printed.extend(lines.into_iter().map(|line| (at, line)));
            }
        }
        let inbound = matches!(step.act, Act::Inject(_) | Act::Icmp(_));
        self.last = Some((due.0, inbound));
        Ok(())
    }

    fn inject(&mut self, packet: &Packet) -> Result<(), String> {
        self.learn();
        let segment = self
            .talk
            .to_wire(packet.conn, &packet.tcp)
            .map_err(|m| format!("error handling packet: {m}"))?;
        let header = self.talk.injected(packet.conn, &packet.tcp);
        self.segments.push((self.now.ns, segment));
        self.rung(RungKind::In, self.named(&header));
        self.record(What::Injected(header));
        self.arriving = Some(segment);
        self.with(|kernel, cx| kernel.rx(&segment, cx));
        self.resume()
    }

    fn icmp(&mut self, icmp: &Unreachable) -> Result<(), String> {
        self.learn();
        let (flow, seq) = (self.talk.flow(icmp.conn), self.talk.host_seq(icmp.conn, icmp.seq));
        let message = Icmp { flow, seq, error: icmp.error, hard: icmp.hard };
        self.rung(RungKind::In, icmp.text.clone());
        self.record(What::Icmp(icmp.text.clone()));
        self.with(|kernel, cx| kernel.icmp(&message, cx));
        self.resume()
    }

    fn expect(&mut self, packet: &Packet, due: (u64, u64)) -> Result<(), String> {
        let until = Instant { ns: due.1.saturating_add(PATIENCE_NS) };
        let strict = self.plan.settings.strict_segments;
        let mut found =
            self.await_segment(packet.conn, until)?.ok_or_else(|| self.silence(packet))?;
        while found.segment.len < packet.tcp.len && !strict {
            // A line may stand for several segments that follow each other.
            let Some(next) = self.await_segment(packet.conn, until)? else { break };
            if next.segment.seq != found.segment.end_seq() {
                break;
            }
            found.segment.len = found.segment.len.saturating_add(next.segment.len);
            found.segment.flags |= next.segment.flags;
            found = Sent { at: next.at, cause: next.cause, ..found };
        }
        self.now = self.now.max(found.at);
        let header = self.talk.from_wire(&found.segment, &packet.tcp);
        let shown = |header: &Header| {
            format!(
                "\nscript packet: {:>9} {}\nactual packet: {:>9} {header}",
                seconds(due.0),
                packet.tcp,
                seconds(found.at.ns)
            )
        };
        if found.segment.len != packet.tcp.len {
            return Err(format!(
                "live packet payload: expected {} bytes vs actual {} bytes{}",
                packet.tcp.len,
                found.segment.len,
                shown(&header)
            ));
        }
        if let Some(message) = difference(&header, &packet.tcp, &self.plan.settings) {
            return Err(message + &shown(&header));
        }
        self.check_time("outbound packet", due, found.at.ns).map_err(|m| m + &shown(&header))
    }

    fn silence(&self, packet: &Packet) -> String {
        format!("the host sends nothing\nscript packet: {}", packet.tcp)
    }

    /// The next segment on the connection that no packet line has met yet.
    fn await_segment(&mut self, conn: Conn, until: Instant) -> Result<Option<Sent>, String> {
        loop {
            self.learn();
            if let Some(place) = self.waiting.get_mut(&conn).and_then(VecDeque::pop_front) {
                return Ok(Some(self.wire.sent[place]));
            }
            if !self.tick(until)? {
                return Ok(None);
            }
        }
    }

    /// At the end: what blocks must return by its time.
    fn finish(&mut self) -> Result<(), String> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let slack = self.tolerance(pending.start.ns, pending.end_ns);
        let until = Instant { ns: pending.end_ns + slack };
        while self.pending.is_some() && self.tick(until)? {}
        if self.pending.is_some() {
            return Err("exiting while a blocking system call is in progress".to_owned());
        }
        Ok(())
    }

    // — what is seen —

    /// Learns from what the host has done since it was last asked.
    pub(super) fn learn(&mut self) {
        while let Some(entry) = self.wire.log.get(self.learned).copied() {
            self.learned += 1;
            match entry {
                Entry::Sent(place) => {
                    let sent = self.wire.sent[place];
                    let conn = self.learn_segment(&sent);
                    self.waiting.entry(conn).or_default().push_back(place);
                }
                Entry::Note(at, note) => {
                    let text = words(&note, &self.talk);
                    let rung = Rung { at_ns: at.ns, kind: RungKind::Note, text, cause: None };
                    self.ladder.push(rung);
                }
            }
        }
    }

    fn learn_segment(&mut self, sent: &Sent) -> Conn {
        self.talk.learn(&sent.segment);
        let header = self.talk.header(&sent.segment);
        let site = sent.cause.site();
        let why = Why {
            cause: Some(sent.cause),
            reason: site.reset.map(|r| r.kernel_name().to_owned()),
            path: site.path.iter().map(|&f| f.to_owned()).collect(),
        };
        let at_ns = sent.at.ns;
        self.segments.push((at_ns, sent.segment));
        let text = self.named(&header);
        let cause = Some(sent.cause);
        self.ladder.push(Rung { at_ns, kind: RungKind::Out, text, cause });
        let conn = header.conn;
        let what = What::Sent { header, why: Some(why) };
        self.records.push(Record { at_ns, event: self.event, what });
        conn
    }

    /// The header, with its ports if the script speaks of several connections.
    fn named(&self, header: &Header) -> String {
        if self.several { format!("{} {header}", header.conn) } else { header.to_string() }
    }

    pub(super) fn record(&mut self, what: What) {
        self.learn();
        self.records.push(Record { at_ns: self.now.ns, event: self.event, what });
    }

    fn rung(&mut self, kind: RungKind, text: String) {
        let place = self.place();
        self.rung_at(place, kind, text);
    }

    /// Where in the ladder the next rung comes.
    pub(super) fn place(&mut self) -> usize {
        self.learn();
        self.ladder.len()
    }

    /// Puts a rung at a place found before: a call stands above what it sent.
    pub(super) fn rung_at(&mut self, place: usize, kind: RungKind, text: String) {
        self.learn();
        let rung = Rung { at_ns: self.now.ns, kind, text, cause: None };
        self.ladder.insert(place.min(self.ladder.len()), rung);
    }

    fn rows(&self) -> Vec<StateRow> {
        let mut rows: Vec<_> =
            self.kernel.rows(self.now).iter().map(|row| state_row(row, &self.talk)).collect();
        rows.sort();
        rows
    }

    fn look(&mut self) {
        self.learn();
        let rows = self.rows();
        self.record(What::Rows(rows));
    }

    fn info(
        &self,
        fd: Option<i64>,
        conn: Option<Conn>,
    ) -> Result<finwait_model::kernel::TcpInfo, String> {
        let file = match (fd, conn) {
            (Some(fd), _) => self.files.get(&fd),
            (None, Some(conn)) => self.files.values().find(|file| {
                let flow = self.kernel.flow(file.fd).ok();
                flow.is_some_and(|f| self.talk.conn(f.sport, f.dport) == conn && f.dport != 0)
            }),
            (None, None) => None,
        };
        let none = "error in code: no descriptor for the socket under test";
        let file = file.ok_or_else(|| none.to_owned())?;
        self.kernel
            .tcp_info(file.fd, self.now)
            .map_err(|e| format!("error in code: getsockopt(TCP_INFO): {}", described(e)))
    }

    /// An expectation of the present event did not hold.
    fn failure(&mut self, message: String) -> Failure {
        self.learn();
        let event = self.event;
        let line = self.plan.steps.get(event).map_or(0, |s| s.pos.line);
        Failure { event, line, at_ns: self.now.ns, message }
    }

    fn end(mut self, failures: Vec<Failure>) -> Played {
        self.learn();
        let rows = self.rows();
        let timers = self.kernel.rows(self.now);
        let timers = timers.iter().filter_map(|row| {
            let conn = self.talk.conn(row.local.port, row.remote.port);
            row.timer.map(|t| (conn, t.name, t.left.ns))
        });
        let timers = timers.collect();
        let counters = self.kernel.counters().non_zero();
        let counters = counters.map(|(mib, n)| (mib.nstat_name().to_owned(), n)).collect();
        let mut causes: Vec<_> = self.wire.sent.iter().map(|s| s.cause).collect();
        causes.sort_unstable();
        causes.dedup();
        let mut records = self.records;
        records.sort_by_key(|r| r.at_ns);
        let mut ladder = self.ladder;
        ladder.sort_by_key(|r| r.at_ns);
        let mut segments = self.segments;
        segments.sort_by_key(|s| s.0);
        Played {
            observed: Observed { records, counters, failure: failures.first().cloned() },
            failures,
            ladder,
            printed: self.printed,
            segments,
            rows,
            timers,
            unmatched: self.waiting.values().map(VecDeque::len).sum(),
            causes,
            stirs: self.stirs.unwrap_or_default(),
        }
    }
}

/// Seconds with six decimals, as packetdrill prints them.
pub fn seconds(ns: u64) -> String {
    Instant { ns }.to_string()
}

/// `104 (Connection reset by peer)`
pub(super) fn described(errno: Errno) -> String {
    format!("{} ({})", errno.number(), errno.text())
}
