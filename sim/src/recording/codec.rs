//! Steps as numbers in columns, and back. What can be expected of a segment, from what its
//! connection did before, costs a byte that packs to nothing; only surprises cost more.

use std::collections::VecDeque;

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::Line;
use finwait_model::segment::{SackBlock, Segment, Timestamp};
use finwait_model::seq::Seq;
use finwait_model::time::{Clock, Instant, Jiffies};

use super::columns::{Coder, Col};
use super::conns::Conns;
use super::damage::Damage;
use super::shape::{self, Refusal, Shapes, Words, spell};
use super::step::{GAUGES, Gauge, Item, Step, Trigger};
use crate::link::Fate;

/// What the codec must know of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HostKey {
    pub(super) addr: Addr,
    pub(super) clock: Clock,
}

/// What a block has said so far, and what is therefore expected of the rest. Who writes and who
/// reads keep the same.
#[derive(Clone, Debug)]
pub(super) struct Codec {
    hosts: Vec<HostKey>,
    last_at: Instant,
    pub(super) conns: Conns,
    segments: Shapes<Words>,
    notes: Shapes<Words>,
    calls: Shapes<Words>,
    rows: Shapes<Words>,
    gauges: Shapes<Vec<Gauge>>,
    /// What a timer waited for when a row of that shape was told last, in ticks.
    waits: Vec<i64>,
    /// What is on its way to each host: by arrival, equal ones in the order of sending.
    coming: Vec<VecDeque<(Instant, Segment)>>,
    /// How long segments travel from each host, nanoseconds.
    travel: Vec<u64>,
    /// Each host's last timestamp, and the millisecond in which it was sent.
    stamps: Vec<(u32, u64)>,
    refusal: Refusal,
    last_answer: u32,
    listener_fd: u32,
}

/// The kinds of items, in the lower two bits of their word. A word of zero ends a step.
const ROW: u64 = 0;
const SENT: u64 = 1;
const NOTE: u64 = 2;
const CALL: u64 = 3;

impl Codec {
    /// For a block that begins at that time.
    pub(super) fn new(hosts: &[HostKey], from: Instant) -> Self {
        Self {
            hosts: hosts.to_vec(),
            last_at: from,
            conns: Conns::default(),
            segments: Shapes::default(),
            notes: Shapes::default(),
            calls: Shapes::default(),
            rows: Shapes::default(),
            gauges: Shapes::default(),
            waits: Vec::new(),
            coming: vec![VecDeque::new(); hosts.len()],
            travel: vec![0; hosts.len()],
            stamps: vec![(0, 0); hosts.len()],
            refusal: Refusal::default(),
            last_answer: 0,
            listener_fd: 0,
        }
    }

    /// Writes a step, or reads one into `step`, which is empty then.
    pub(super) fn step<C: Coder>(&mut self, c: &mut C, step: &mut Step) -> Result<(), Damage> {
        self.begin(c, step)?;
        if C::WRITES {
            for n in 0..step.items.len() {
                self.write_item(c, step.host, step.at, &step.items[n])?;
            }
            for n in 0..step.rows.len() {
                let (flow, line) = step.rows[n];
                self.write_row(c, step.host, step.at, flow, line)?;
            }
            c.uint(Col::Item, 0)?;
        } else {
            loop {
                let word = c.uint(Col::Item, 0)?;
                if word == 0 {
                    break;
                }
                self.read_item(c, word, step)?;
            }
        }
        self.code_gauges(c, &mut step.gauges)
    }

    /// Host, time, and what made the host act.
    fn begin<C: Coder>(&mut self, c: &mut C, step: &mut Step) -> Result<(), Damage> {
        let kind = match step.trigger {
            Trigger::Unknown => 0,
            Trigger::Arrival(_) => 1,
            Trigger::Timer => 2,
            Trigger::App => 3,
        };
        let code = c.uint(Col::Step, kind | u64::from(step.host) << 2)?;
        let host = usize::try_from(code >> 2).map_err(|_| Damage::TOO_LARGE)?;
        if host >= self.hosts.len() {
            return Err(Damage::UNKNOWN);
        }
        step.host = host as u16;
        step.trigger = match code & 3 {
            0 => Trigger::Unknown,
            1 => return self.arrival(c, host, step),
            2 => Trigger::Timer,
            _ => Trigger::App,
        };
        step.at = self.time(c, step.at)?;
        Ok(())
    }

    fn time<C: Coder>(&mut self, c: &mut C, at: Instant) -> Result<Instant, Damage> {
        let gap = c.uint(Col::Time, at.ns.wrapping_sub(self.last_at.ns))?;
        self.last_at = later(self.last_at, gap)?;
        Ok(self.last_at)
    }

    /// A segment that was sent in this block needs no more than its place among those that arrive
    /// first; another one is spelled out.
    fn arrival<C: Coder>(&mut self, c: &mut C, host: usize, step: &mut Step) -> Result<(), Damage> {
        let Trigger::Arrival(given) = step.trigger else {
            step.trigger = Trigger::Arrival(Segment::default());
            return self.arrival(c, host, step);
        };
        let first = self.coming[host].front().map(|&(at, _)| at);
        let mut place = 0;
        if C::WRITES && first == Some(step.at) {
            let equal = self.coming[host].iter().take_while(|(at, _)| *at == step.at);
            let found = equal.map(|(_, segment)| segment).position(|s| *s == given);
            place = found.map_or(0, |n| n as u64 + 1);
        }
        let place = c.uint(Col::Link, place)?;
        if place > 0 {
            let skip = usize::try_from(place - 1).map_err(|_| Damage::UNKNOWN)?;
            let (at, segment) = self.coming[host].remove(skip).ok_or(Damage::UNKNOWN)?;
            if at < self.last_at {
                return Err(Damage::ORDER);
            }
            step.at = at;
            self.last_at = at;
            step.trigger = Trigger::Arrival(segment);
            return Ok(());
        }
        step.at = self.time(c, step.at)?;
        let words = shape::of_segment(&given, None);
        let number = if C::WRITES { self.segments.number(&words) } else { 0 };
        let number = c.uint(Col::Item, number as u64)? as usize;
        let words = self.segments.at(number, &words, c, spell)?;
        let segment = self.segment(c, host, step.at, &words, &given)?;
        step.trigger = Trigger::Arrival(segment);
        Ok(())
    }

    fn write_item<C: Coder>(
        &mut self,
        c: &mut C,
        host: u16,
        at: Instant,
        item: &Item,
    ) -> Result<(), Damage> {
        let (kind, words, number) = match item {
            Item::Sent(segment, cause, fate, is_answer) => {
                let words = shape::of_segment(segment, Some((*cause, *fate, *is_answer)));
                (SENT, words, self.segments.number(&words))
            }
            Item::Note(note) => {
                let words = shape::of_note(note).0;
                (NOTE, words, self.notes.number(&words))
            }
            Item::Call(call) => {
                let words = shape::of_call(call);
                (CALL, words, self.calls.number(&words))
            }
        };
        c.uint(Col::Item, kind | (number as u64) << 2)?;
        let host = usize::from(host);
        match item {
            Item::Sent(segment, _, fate, _) => {
                self.sent(c, (host, at), number, &words, (segment, *fate)).map(|_| ())
            }
            Item::Note(note) => {
                let (_, refusal) = shape::of_note(note);
                let flow = note.flow();
                self.note(c, host, number, &words, (flow, refusal)).map(|_| ())
            }
            Item::Call(call) => {
                let answer = call.result.unwrap_or(0);
                let told = (call.flow, call.fd, answer);
                self.call(c, host, number, &words, told).map(|_| ())
            }
        }
    }

    fn read_item<C: Coder>(&mut self, c: &mut C, word: u64, step: &mut Step) -> Result<(), Damage> {
        let (host, at) = (usize::from(step.host), step.at);
        let number = usize::try_from(word >> 2).map_err(|_| Damage::UNKNOWN)?;
        let (words, flow) = ([0; 6], FourTuple::default());
        match word & 3 {
            SENT => {
                let none = (&Segment::default(), Fate::Lost);
                step.items.push(self.sent(c, (host, at), number, &words, none)?);
            }
            NOTE => {
                let told = (flow, Refusal::default());
                step.items.push(self.note(c, host, number, &words, told)?);
            }
            CALL => step.items.push(self.call(c, host, number, &words, (flow, 0, 0))?),
            _ => {
                let row = self.row(c, (host, at), number - 1, &words, (flow, Jiffies(0)))?;
                step.rows.push(row);
            }
        }
        Ok(())
    }

    fn sent<C: Coder>(
        &mut self,
        c: &mut C,
        (host, at): (usize, Instant),
        number: usize,
        words: &Words,
        (given, fate): (&Segment, Fate),
    ) -> Result<Item, Damage> {
        let words = self.segments.at(number, words, c, spell)?;
        let segment = self.segment(c, host, at, &words, given)?;
        let mut arrives = |c: &mut C, given: Instant| -> Result<Instant, Damage> {
            let took = given.since(at).ns;
            let off = c.int(Col::Fate, took.wrapping_sub(self.travel[host]).cast_signed())?;
            self.travel[host] = self.travel[host].wrapping_add_signed(off);
            later(at, self.travel[host])
        };
        let fate = match (shape::fate_of(&words), fate) {
            (0, Fate::Arrives(t) | Fate::Twice(t, _)) => Fate::Arrives(arrives(c, t)?),
            (0, _) => Fate::Arrives(arrives(c, at)?),
            (1, Fate::Twice(a, b)) => Fate::Twice(arrives(c, a)?, arrives(c, b)?),
            (1, _) => Fate::Twice(arrives(c, at)?, arrives(c, at)?),
            (2, _) => Fate::Lost,
            (3, _) => Fate::Unroutable,
            _ => return Err(Damage::UNKNOWN),
        };
        let to = self.hosts.iter().position(|h| h.addr == segment.flow.daddr);
        let (first, second) = match fate {
            Fate::Arrives(at) => (Some(at), None),
            Fate::Twice(a, b) => (Some(a), Some(b)),
            Fate::Lost | Fate::Unroutable => (None, None),
        };
        if let Some(to) = to {
            for at in [first, second].into_iter().flatten() {
                let coming = &mut self.coming[to];
                let place = match coming.back() {
                    Some(&(last, _)) if at < last => coming.partition_point(|&(t, _)| t <= at),
                    _ => coming.len(),
                };
                coming.insert(place, (at, segment));
            }
        }
        Ok(Item::Sent(segment, shape::cause_of(&words)?, fate, shape::is_answer(&words)))
    }

    /// Connection, numbers and times of a segment whose shape is known.
    fn segment<C: Coder>(
        &mut self,
        c: &mut C,
        host: usize,
        at: Instant,
        words: &Words,
        given: &Segment,
    ) -> Result<Segment, Damage> {
        let mut segment = shape::segment(words)?;
        let (to, flow) = self.conns.refer(c, self.hosts[host].addr, given.flow)?;
        segment.flow = flow;
        let other = *self.conns.side(super::conns::Directed { side: 1 - to.side, ..to });
        let mut side = *self.conns.side(to);
        segment.seq = Seq(c.near(Col::Seq, given.seq.0, side.next)?);
        let acked = if segment.flags.ack() { other.next } else { 0 };
        segment.ack = Seq(c.near(Col::Ack, given.ack.0, acked)?);
        let win = c.near(Col::Win, given.win.into(), side.win.into())?;
        segment.win = u16::try_from(win).map_err(|_| Damage::TOO_LARGE)?;
        if segment.options.ts.is_some() {
            let ms = at.ns / 1_000_000;
            let (last, last_ms) =
                if side.known { (side.stamp, side.stamp_ms) } else { self.stamps[host] };
            let expected = last.wrapping_add(ms.wrapping_sub(last_ms) as u32);
            let given = given.options.ts.unwrap_or_default();
            let val = c.near(Col::Stamp, given.val, expected)?;
            let ecr = c.near(Col::Echo, given.ecr, other.stamp)?;
            segment.options.ts = Some(Timestamp { val, ecr });
            (side.stamp, side.stamp_ms) = (val, ms);
            self.stamps[host] = (val, ms);
        }
        for n in 0..usize::from(segment.options.sack_count) {
            let SackBlock { left, right } = given.options.sack[n];
            let left = c.near(Col::Sack, left.0, segment.ack.0)?;
            let right = c.near(Col::Sack, right.0, left)?;
            segment.options.sack[n] = SackBlock { left: Seq(left), right: Seq(right) };
        }
        let end = segment.end_seq();
        if !segment.flags.rst() && (!side.known || Seq(side.next).before(end)) {
            side.next = end.0;
        }
        side.win = segment.win;
        side.known = true;
        *self.conns.side(to) = side;
        Ok(segment)
    }

    fn note<C: Coder>(
        &mut self,
        c: &mut C,
        host: usize,
        number: usize,
        words: &Words,
        (flow, told): (FourTuple, Refusal),
    ) -> Result<Item, Damage> {
        let words = self.notes.at(number, words, c, spell)?;
        let (_, flow) = self.conns.refer(c, self.hosts[host].addr, flow)?;
        if let Some(knows_expiry) = shape::is_refusal(&words) {
            let last = self.refusal;
            let count = c.near(Col::Refusal, told.count, last.count)?;
            let limit =
                c.near(Col::Refusal, told.limit.cast_unsigned(), last.limit.cast_unsigned())?;
            let mut next_expiry = None;
            if knows_expiry {
                let was = last.next_expiry.unwrap_or_default().ns;
                let is = told.next_expiry.unwrap_or_default().ns;
                let off = c.int(Col::Refusal, is.wrapping_sub(was).cast_signed())?;
                next_expiry = Some(Instant { ns: was.wrapping_add_signed(off) });
            }
            self.refusal = Refusal { count, limit: limit.cast_signed(), next_expiry };
        }
        Ok(Item::Note(shape::note(&words, flow, self.refusal)?))
    }

    fn call<C: Coder>(
        &mut self,
        c: &mut C,
        host: usize,
        number: usize,
        words: &Words,
        (flow, fd, answer): (FourTuple, u32, u32),
    ) -> Result<Item, Damage> {
        let words = self.calls.at(number, words, c, spell)?;
        let (to, flow) = self.conns.refer(c, self.hosts[host].addr, flow)?;
        let side = self.conns.side(to);
        if shape::call_answers_descriptor(&words) {
            let answer = c.near(Col::Fd, answer, self.last_answer)?;
            let fd = c.near(Col::Fd, fd, self.listener_fd)?;
            if fd != answer {
                self.listener_fd = fd;
            }
            self.last_answer = answer;
            side.fd = Some(answer);
            return Ok(Item::Call(shape::call(&words, flow, fd, answer)?));
        }
        let fd = c.near(Col::Fd, fd, side.fd.unwrap_or(self.last_answer))?;
        side.fd = Some(fd);
        Ok(Item::Call(shape::call(&words, flow, fd, 0)?))
    }

    /// A row, unless it is as the block has told it already.
    fn write_row<C: Coder>(
        &mut self,
        c: &mut C,
        host: u16,
        at: Instant,
        flow: FourTuple,
        line: Option<Line>,
    ) -> Result<(), Damage> {
        let known = self.conns.find(flow).and_then(|at| self.conns.side(at).row);
        let known = known.filter(|&(its_host, _)| its_host == host).map(|(_, line)| line);
        if known == Some(line) {
            return Ok(());
        }
        let due = |line: Option<Line>| line.and_then(|l| l.timer).map(|t| t.due);
        let now = due(line);
        let same_due = now.is_some() && due(known.flatten()) == now;
        let words = shape::of_line(line.as_ref(), same_due);
        let number = self.rows.number(&words);
        c.uint(Col::Item, ROW | (number as u64 + 1) << 2)?;
        let told = (flow, now.unwrap_or_default());
        self.row(c, (usize::from(host), at), number, &words, told).map(|_| ())
    }

    fn row<C: Coder>(
        &mut self,
        c: &mut C,
        (host, at): (usize, Instant),
        number: usize,
        words: &Words,
        (flow, due): (FourTuple, Jiffies),
    ) -> Result<(FourTuple, Option<Line>), Damage> {
        let words = self.rows.at(number, words, c, spell)?;
        if number >= self.waits.len() {
            self.waits.resize(number + 1, 0);
        }
        let HostKey { addr, clock } = self.hosts[host];
        let (to, flow) = self.conns.refer(c, addr, flow)?;
        let side = self.conns.side(to);
        let due = match shape::line_timer(&words) {
            None => Jiffies(0),
            Some(true) => {
                let told = side.row.filter(|&(its_host, _)| usize::from(its_host) == host);
                let timer = told.and_then(|(_, line)| line).and_then(|line| line.timer);
                timer.ok_or(Damage::UNKNOWN)?.due
            }
            Some(false) => {
                let now = clock.jiffies(at).0;
                let wait = due.0.wrapping_sub(now).cast_signed();
                let off = c.int(Col::Due, wait.wrapping_sub(self.waits[number]))?;
                self.waits[number] = self.waits[number].wrapping_add(off);
                sane_due(clock, at, Jiffies(now.wrapping_add_signed(self.waits[number])))?
            }
        };
        let line = shape::line(&words, flow, due)?;
        side.row = Some((host as u16, line));
        Ok((flow, line))
    }

    fn code_gauges<C: Coder>(&mut self, c: &mut C, gauges: &mut Vec<Gauge>) -> Result<(), Damage> {
        let mut code = 0;
        if C::WRITES && !gauges.is_empty() {
            code = self.gauges.number(gauges) as u64 + 1;
        }
        let code = c.uint(Col::Gauge, code)?;
        if code > 0 {
            let number = usize::try_from(code - 1).map_err(|_| Damage::UNKNOWN)?;
            let shape = self.gauges.at(number, gauges, c, |c, given| spell_gauges(c, given))?;
            if !C::WRITES {
                gauges.clone_from(&shape);
            }
        }
        Ok(())
    }
}

/// No run lasts longer than that: 146 years. Beyond, sums of times could go round.
pub(super) const LAST: Instant = Instant { ns: 1 << 62 };

fn later(at: Instant, gap: u64) -> Result<Instant, Damage> {
    let ns = at.ns.checked_add(gap).filter(|&ns| ns <= LAST.ns);
    ns.map(|ns| Instant { ns }).ok_or(Damage::TOO_LARGE)
}

/// A timer that waits as long as none does would break whoever counts its nanoseconds.
pub(super) fn sane_due(clock: Clock, at: Instant, due: Jiffies) -> Result<Jiffies, Damage> {
    let wait = due - clock.jiffies(at);
    if wait.0 <= LAST.ns / clock.tick_ns() { Ok(due) } else { Err(Damage::TOO_LARGE) }
}

/// Gauges are told in the order of their numbers, so there are never more than [`GAUGES`].
fn spell_gauges<C: Coder>(c: &mut C, given: &[Gauge]) -> Result<Vec<Gauge>, Damage> {
    let count = c.uint(Col::Shape, given.len() as u64)?;
    let mut out = Vec::new();
    let mut next = 0;
    for n in 0..count {
        let (gauge, change) = given.get(n as usize).copied().unwrap_or_default();
        let skip = c.uint(Col::Shape, u64::from(gauge).wrapping_sub(next))?;
        let gauge = next.checked_add(skip).filter(|&g| g < u64::from(GAUGES));
        let gauge = gauge.ok_or(Damage::UNKNOWN)?;
        out.push((gauge as u8, c.int(Col::Shape, change)?));
        next = gauge + 1;
    }
    Ok(out)
}

/// The end of a host that a listener has.
pub(super) const fn listener_flow(local: Endpoint) -> FourTuple {
    FourTuple::new(local, Endpoint::new(Addr::ANY, 0))
}
