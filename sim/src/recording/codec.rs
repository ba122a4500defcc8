//! Steps as numbers in columns, and back. What can be expected of a segment, from what its
//! connection did before, costs a byte that packs to nothing; only surprises cost more.

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::Line;
use finwait_model::segment::{SackBlock, Segment};
use finwait_model::seq::Seq;
use finwait_model::time::{Clock, Instant, Jiffies};

use super::columns::{Coder, Col};
use super::coming::{Coming, Sent};
use super::conns::{Conns, Directed};
use super::damage::Damage;
use super::shape::{self, Refusal};
use super::shapes::{Shapes, Words, spell};
use super::step::{GAUGES, Gauge, Item, Step, Trigger};
use super::told::Told;
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
    /// What is on its way to each host.
    coming: Vec<Coming>,
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
            coming: vec![Coming::default(); hosts.len()],
            travel: vec![0; hosts.len()],
            stamps: vec![(0, 0); hosts.len()],
            refusal: Refusal::default(),
            last_answer: 0,
            listener_fd: 0,
        }
    }

    /// Begins a new block at that time, in the memory of the last one.
    pub(super) fn restart(&mut self, from: Instant) {
        let Self {
            hosts: _,
            last_at,
            conns,
            segments,
            notes,
            calls,
            rows,
            gauges,
            waits,
            coming,
            travel,
            stamps,
            refusal,
            last_answer,
            listener_fd,
        } = self;
        *last_at = from;
        conns.clear();
        for shapes in [segments, notes, calls, rows] {
            shapes.clear();
        }
        gauges.clear();
        waits.clear();
        coming.iter_mut().for_each(Coming::clear);
        travel.fill(0);
        stamps.fill((0, 0));
        *refusal = Refusal::default();
        (*last_answer, *listener_fd) = (0, 0);
    }

    /// Writes a step, or reads one into `step`, which is empty then.
    pub(super) fn step<C: Coder>(&mut self, c: &mut C, step: &mut Step) -> Result<(), Damage> {
        self.begin(c, step)?;
        let place = (usize::from(step.host), step.at);
        if C::WRITES {
            for item in &mut step.items {
                self.write_item(c, place, item)?;
            }
            for (flow, line) in &step.rows {
                self.write_row(c, place, *flow, line.as_ref())?;
            }
            c.uint(Col::Item, 0)?;
        } else {
            loop {
                let word = c.uint(Col::Item, 0)?;
                if word == 0 {
                    break;
                }
                self.read_item(c, word, place, step)?;
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
        let Trigger::Arrival(given) = &step.trigger else {
            step.trigger = Trigger::Arrival(Segment::default());
            return self.arrival(c, host, step);
        };
        let coming = &mut self.coming[host];
        let place = if C::WRITES { coming.place(step.at, given) } else { 0 };
        let place = c.uint(Col::Link, place)?;
        if place > 0 {
            let sent = coming.take(place).ok_or(Damage::UNKNOWN)?;
            if sent.arrives < self.last_at {
                return Err(Damage::ORDER);
            }
            step.at = sent.arrives;
            self.last_at = sent.arrives;
            if C::WRITES {
                self.conns.expect(sent.conn);
            } else {
                step.trigger = Trigger::Arrival(sent.segment);
            }
            return Ok(());
        }
        let given = *given;
        step.at = self.time(c, step.at)?;
        let words = shape::of_segment(&given, None);
        let words = self.segments.code(c, Col::Item, &words, spell)?;
        let mut segment = if C::WRITES { given } else { shape::segment(words)? };
        self.segment(c, (host, step.at), &mut segment)?;
        step.trigger = Trigger::Arrival(segment);
        Ok(())
    }

    fn write_item<C: Coder>(
        &mut self,
        c: &mut C,
        place: (usize, Instant),
        item: &mut Item,
    ) -> Result<(), Damage> {
        let of_kind = |kind: u64, number: usize| kind | (number as u64) << 2;
        match item {
            Item::Sent(segment, cause, fate, is_answer) => {
                let words = shape::of_segment(segment, Some((*cause, *fate, *is_answer)));
                let number = self.segments.tell(&words, c, spell)?;
                c.uint(Col::Item, of_kind(SENT, number))?;
                self.sent(c, place, segment, fate)
            }
            Item::Note(note) => {
                let (words, refusal) = shape::of_note(note);
                let number = self.notes.tell(&words, c, spell)?;
                c.uint(Col::Item, of_kind(NOTE, number))?;
                self.note(c, place.0, &words, (note.flow(), refusal)).map(|_| ())
            }
            Item::Call(call) => {
                let words = shape::of_call(call);
                let number = self.calls.tell(&words, c, spell)?;
                c.uint(Col::Item, of_kind(CALL, number))?;
                let told = (call.flow, call.fd, call.result.unwrap_or(0));
                self.call(c, place.0, &words, told).map(|_| ())
            }
        }
    }

    fn read_item<C: Coder>(
        &mut self,
        c: &mut C,
        word: u64,
        place: (usize, Instant),
        step: &mut Step,
    ) -> Result<(), Damage> {
        let number = usize::try_from(word >> 2).map_err(|_| Damage::UNKNOWN)?;
        let flow = FourTuple::default();
        match word & 3 {
            SENT => {
                let words = *self.segments.told(number, c, spell)?;
                let (mut segment, mut fate) = (shape::segment(&words)?, shape::fate(&words)?);
                self.sent(c, place, &mut segment, &mut fate)?;
                let (cause, is_answer) = (shape::cause_of(&words)?, shape::is_answer(&words));
                step.items.push(Item::Sent(segment, cause, fate, is_answer));
            }
            NOTE => {
                let words = *self.notes.told(number, c, spell)?;
                let (flow, refusal) = self.note(c, place.0, &words, (flow, Refusal::default()))?;
                step.items.push(Item::Note(shape::note(&words, flow, refusal)?));
            }
            CALL => {
                let words = *self.calls.told(number, c, spell)?;
                let (flow, fd, answer) = self.call(c, place.0, &words, (flow, 0, 0))?;
                step.items.push(Item::Call(shape::call(&words, flow, fd, answer)?));
            }
            _ => {
                let number = number - 1;
                let words = *self.rows.told(number, c, spell)?;
                let (at, flow, due) = self.row(c, place, number, &words, (flow, Jiffies(0)))?;
                let line = shape::line(&words, flow, due)?;
                self.conns.side(at).row = Told::of(step.host, &words, due);
                step.rows.push((flow, line));
            }
        }
        Ok(())
    }

    /// Numbers and times of a segment that leaves, and of what becomes of it. The shapes of both
    /// are known.
    fn sent<C: Coder>(
        &mut self,
        c: &mut C,
        (host, at): (usize, Instant),
        segment: &mut Segment,
        fate: &mut Fate,
    ) -> Result<(), Damage> {
        let conn = self.segment(c, (host, at), segment)?;
        let travel = &mut self.travel[host];
        let mut arrives = |given: &mut Instant| -> Result<(), Damage> {
            let took = given.since(at).ns;
            let off = c.int(Col::Fate, took.wrapping_sub(*travel).cast_signed())?;
            *travel = travel.wrapping_add_signed(off);
            *given = later(at, *travel)?;
            Ok(())
        };
        let (first, second) = match fate {
            Fate::Arrives(at) => {
                arrives(at)?;
                (*at, None)
            }
            Fate::Twice(a, b) => {
                arrives(a)?;
                arrives(b)?;
                (*a, Some(*b))
            }
            Fate::Lost | Fate::Unroutable => return Ok(()),
        };
        if let Some(to) = self.hosts.iter().position(|h| h.addr == segment.flow.daddr) {
            let coming = &mut self.coming[to];
            coming.add(Sent { arrives: first, conn, segment: *segment });
            if let Some(second) = second {
                coming.add(Sent { arrives: second, conn, segment: *segment });
            }
        }
        Ok(())
    }

    /// Connection, numbers and times of a segment whose shape is known; the connection's number.
    #[inline]
    fn segment<C: Coder>(
        &mut self,
        c: &mut C,
        (host, at): (usize, Instant),
        segment: &mut Segment,
    ) -> Result<usize, Damage> {
        let (to, flow) = self.conns.refer(c, self.hosts[host].addr, segment.flow)?;
        segment.flow = flow;
        let (side, other) = self.conns.both(to);
        segment.seq = Seq(c.near(Col::Seq, segment.seq.0, side.next)?);
        let acked = if segment.flags.ack() { other.next } else { 0 };
        segment.ack = Seq(c.near(Col::Ack, segment.ack.0, acked)?);
        let win = c.near(Col::Win, segment.win.into(), side.win.into())?;
        segment.win = u16::try_from(win).map_err(|_| Damage::TOO_LARGE)?;
        if let Some(ts) = &mut segment.options.ts {
            let ms = at.ns / 1_000_000;
            let (last, last_ms) =
                if side.known { (side.stamp, side.stamp_ms) } else { self.stamps[host] };
            let expected = last.wrapping_add(ms.wrapping_sub(last_ms) as u32);
            ts.val = c.near(Col::Stamp, ts.val, expected)?;
            ts.ecr = c.near(Col::Echo, ts.ecr, other.stamp)?;
            (side.stamp, side.stamp_ms) = (ts.val, ms);
            self.stamps[host] = (ts.val, ms);
        }
        for n in 0..usize::from(segment.options.sack_count) {
            let SackBlock { left, right } = &mut segment.options.sack[n];
            left.0 = c.near(Col::Sack, left.0, segment.ack.0)?;
            right.0 = c.near(Col::Sack, right.0, left.0)?;
        }
        let end = segment.end_seq();
        if !segment.flags.rst() && (!side.known || Seq(side.next).before(end)) {
            side.next = end.0;
        }
        side.win = segment.win;
        side.known = true;
        Ok(to.conn)
    }

    /// Connection and numbers of a note of that shape.
    #[inline]
    fn note<C: Coder>(
        &mut self,
        c: &mut C,
        host: usize,
        words: &Words,
        (flow, told): (FourTuple, Refusal),
    ) -> Result<(FourTuple, Refusal), Damage> {
        let (_, flow) = self.conns.refer(c, self.hosts[host].addr, flow)?;
        if let Some(knows_expiry) = shape::is_refusal(words) {
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
        Ok((flow, self.refusal))
    }

    /// Connection and descriptors of a call of that shape.
    #[inline]
    fn call<C: Coder>(
        &mut self,
        c: &mut C,
        host: usize,
        words: &Words,
        (flow, fd, answer): (FourTuple, u32, u32),
    ) -> Result<(FourTuple, u32, u32), Damage> {
        let (to, flow) = self.conns.refer(c, self.hosts[host].addr, flow)?;
        let side = self.conns.side(to);
        if shape::call_answers_descriptor(words) {
            let answer = c.near(Col::Fd, answer, self.last_answer)?;
            let fd = c.near(Col::Fd, fd, self.listener_fd)?;
            if fd != answer {
                self.listener_fd = fd;
            }
            self.last_answer = answer;
            side.fd = Some(answer);
            return Ok((flow, fd, answer));
        }
        let fd = c.near(Col::Fd, fd, side.fd.unwrap_or(self.last_answer))?;
        side.fd = Some(fd);
        Ok((flow, fd, 0))
    }

    /// A row, unless it is as the block has told it already.
    fn write_row<C: Coder>(
        &mut self,
        c: &mut C,
        (host, at): (usize, Instant),
        flow: FourTuple,
        line: Option<&Line>,
    ) -> Result<(), Damage> {
        let was = self.conns.find(flow).map_or_else(Told::default, |at| self.conns.side(at).row);
        let mut words = shape::of_line(line);
        let due = line.and_then(|l| l.timer).map(|t| t.due);
        let told = Told::of(host as u16, &words, due.unwrap_or_default());
        if told == was {
            return Ok(());
        }
        if due.is_some() && was.due(host as u16) == due {
            words = shape::with_same_due(words);
        }
        let number = self.rows.tell(&words, c, spell)?;
        c.uint(Col::Item, ROW | (number as u64 + 1) << 2)?;
        let given = (flow, due.unwrap_or_default());
        let (at, ..) = self.row(c, (host, at), number, &words, given)?;
        self.conns.side(at).row = told;
        Ok(())
    }

    /// Connection of a row of that shape, and what its timer waits for.
    #[inline]
    fn row<C: Coder>(
        &mut self,
        c: &mut C,
        (host, at): (usize, Instant),
        number: usize,
        words: &Words,
        (flow, due): (FourTuple, Jiffies),
    ) -> Result<(Directed, FourTuple, Jiffies), Damage> {
        if number >= self.waits.len() {
            self.waits.resize(number + 1, 0);
        }
        let HostKey { addr, clock } = self.hosts[host];
        let (to, flow) = self.conns.refer(c, addr, flow)?;
        let due = match shape::line_timer(words) {
            None => Jiffies(0),
            Some(true) => self.conns.side(to).row.due(host as u16).ok_or(Damage::UNKNOWN)?,
            Some(false) => {
                let now = clock.jiffies(at).0;
                let wait = due.0.wrapping_sub(now).cast_signed();
                let off = c.int(Col::Due, wait.wrapping_sub(self.waits[number]))?;
                self.waits[number] = self.waits[number].wrapping_add(off);
                sane_due(clock, at, Jiffies(now.wrapping_add_signed(self.waits[number])))?
            }
        };
        Ok((to, flow, due))
    }

    fn code_gauges<C: Coder>(&mut self, c: &mut C, gauges: &mut Vec<Gauge>) -> Result<(), Damage> {
        if C::WRITES {
            let mut code = 0;
            if !gauges.is_empty() {
                code = self.gauges.tell(gauges, c, |c, given| spell_gauges(c, given))? as u64 + 1;
            }
            c.uint(Col::Gauge, code)?;
            return Ok(());
        }
        let code = c.uint(Col::Gauge, 0)?;
        if code > 0 {
            let number = usize::try_from(code - 1).map_err(|_| Damage::UNKNOWN)?;
            let shape = self.gauges.told(number, c, |c, given| spell_gauges(c, given))?;
            gauges.clone_from(shape);
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
