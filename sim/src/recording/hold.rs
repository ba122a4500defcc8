//! Only connections that end in a RST, and those whole: what happens is held back, packed, until
//! it is known of every connection in it how it went.

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::time::{Instant, Span};

use super::block::{Body, Head, Kind, unpack};
use super::codec::{Codec, HostKey};
use super::columns::{Col, Decoder, Encoder};
use super::conns::{Conns, ends, read_list};
use super::damage::Damage;
use super::step::{GAUGES, Gauge, Item, Step, Trigger};
use crate::link::Fate;

/// How much a held block has before it is packed.
const BLOCK_BYTES: usize = 1 << 19;
/// Counters are told at each multiple of this, and with each step that is recorded.
const GAUGES_EVERY: Span = Span::millis(10);

/// A connection, whatever the direction.
type Key = (Endpoint, Endpoint);

/// A connection that some table knows, or of which something is on its way.
#[derive(Clone, Copy, Default, Debug)]
struct Life {
    birth: Instant,
    /// Has a RST of it left?
    reset: bool,
    /// Does the host of each end show a row of it?
    rows: [bool; 2],
    on_the_way: u32,
    /// What happened first is gone already.
    cut: bool,
}

/// Steps that wait.
#[derive(Debug)]
pub(super) struct Hold {
    keys: Vec<HostKey>,
    lives: BTreeMap<Key, Life>,
    /// The lives that have seen no RST, the oldest first.
    undecided: BTreeSet<(Instant, Key)>,
    /// When a connection lived that had a RST; an end that is far away: it still lives.
    kept: BTreeMap<Key, Vec<Range<Instant>>>,
    /// Their ends, to forget them by.
    ended: VecDeque<(Instant, Key)>,
    held: VecDeque<(Head, Vec<u8>)>,
    bytes: usize,
    /// No more than so much is held.
    memory: usize,
    codec: Codec,
    encoder: Encoder,
    from: Instant,
    /// Changes of gauges in steps that were not kept, for each host.
    gauges: Vec<[i64; GAUGES as usize]>,
    boundary: Instant,
    /// Connections of which only a part could be kept.
    parts: u64,
}

const FOREVER: Instant = Instant { ns: u64::MAX };

impl Hold {
    pub(super) fn new(keys: &[HostKey], memory: usize) -> Self {
        Self {
            keys: keys.to_vec(),
            lives: BTreeMap::new(),
            undecided: BTreeSet::new(),
            kept: BTreeMap::new(),
            ended: VecDeque::new(),
            held: VecDeque::new(),
            bytes: 0,
            memory,
            codec: Codec::new(keys, Instant::ZERO),
            encoder: Encoder::default(),
            from: Instant::ZERO,
            gauges: vec![[0; GAUGES as usize]; keys.len()],
            boundary: Instant::ZERO + GAUGES_EVERY,
            parts: 0,
        }
    }
    /// What must be said of it at the end.
    pub(super) fn remark(&self) -> Option<String> {
        let text = "memory for connections that may still end in a RST ran out: the beginnings of";
        (self.parts > 0).then(|| format!("{text} {} are missing", self.parts))
    }
    /// Takes a step in.
    pub(super) fn take(&mut self, step: &mut Step) {
        self.observe(step);
        let Ok(()) = self.codec.step(&mut self.encoder, step) else {
            unreachable!("invariant: writing into memory cannot fail")
        };
        if self.encoder.len() >= BLOCK_BYTES {
            self.pack(step.at);
        }
    }
    fn pack(&mut self, to: Instant) {
        if self.encoder.len() == 0 {
            return;
        }
        let list = self.codec.conns.take_list();
        let body = self.encoder.take();
        let from = self.from;
        let body = Body { kind: Kind::Events, list, body, segments: 0, resets: 0, from, to };
        let (head, stored) = body.packed();
        self.bytes += stored.len();
        self.held.push_back((head, stored));
        self.codec.restart(to);
        self.from = to;
    }

    /// Shows the steps of which everything is known by now, or of which there is no room to wait
    /// longer; with `all` the rest, too. What is not kept of a step is taken out of it.
    pub(super) fn release(&mut self, at: Instant, all: bool, mut show: impl FnMut(&mut Step)) {
        if all {
            self.pack(at);
        }
        while let Some((head, _)) = self.held.front() {
            let to = head.to;
            let decided = self.undecided.first().is_none_or(|&(birth, _)| birth >= to);
            if !decided && !all {
                if self.bytes <= self.memory {
                    break;
                }
                self.give_up(to);
            }
            let Some((head, stored)) = self.held.pop_front() else { break };
            self.bytes -= stored.len();
            let Ok(()) = self.replay(&head, &stored, &mut show) else {
                unreachable!("invariant: what was packed unpacks")
            };
            while let Some(&(end, key)) = self.ended.front().filter(|(end, _)| *end <= to) {
                self.ended.pop_front();
                if let Some(ranges) = self.kept.get_mut(&key) {
                    ranges.retain(|range| range.end != end);
                    if ranges.is_empty() {
                        self.kept.remove(&key);
                    }
                }
            }
        }
        if all {
            self.tell_gauges(FOREVER, at, &mut show);
        }
    }

    fn replay(
        &mut self,
        head: &Head,
        stored: &[u8],
        show: &mut impl FnMut(&mut Step),
    ) -> Result<(), Damage> {
        let (list, body) = unpack(head, stored)?;
        let mut codec = Codec::new(&self.keys, head.from);
        codec.conns = Conns::reading(read_list(list)?);
        let mut decoder = Decoder::new(body)?;
        let mut step = Step::default();
        while !decoder.is_empty(Col::Step) {
            step.clear();
            codec.step(&mut decoder, &mut step)?;
            self.tell_gauges(step.at, step.at, show);
            self.thin(&mut step);
            let mine = &mut self.gauges[usize::from(step.host)];
            for &(gauge, change) in &step.gauges {
                mine[usize::from(gauge)] = mine[usize::from(gauge)].wrapping_add(change);
            }
            step.gauges.clear();
            if !step.is_empty() {
                gather(mine, &mut step.gauges);
                show(&mut step);
            }
        }
        Ok(())
    }

    /// Tells what counters have not told, if a boundary lies before `at`: right before it, so
    /// that whoever looks at a boundary sees it.
    fn tell_gauges(&mut self, at: Instant, end: Instant, show: &mut impl FnMut(&mut Step)) {
        if at < self.boundary {
            return;
        }
        let last = self.boundary.ns.min(end.ns).saturating_sub(1);
        for (host, mine) in self.gauges.iter_mut().enumerate() {
            let mut step = Step { at: Instant { ns: last }, host: host as u16, ..Step::default() };
            gather(mine, &mut step.gauges);
            if !step.gauges.is_empty() {
                show(&mut step);
            }
        }
        let passed = at.ns.min(end.ns) / GAUGES_EVERY.ns;
        self.boundary = Instant { ns: (passed + 1).saturating_mul(GAUGES_EVERY.ns) };
    }

    /// Leaves what belongs to connections with a RST.
    fn thin(&self, step: &mut Step) {
        let at = step.at;
        let keep = |flow| self.keeps(flow, at);
        if let Trigger::Arrival(segment) = &step.trigger
            && !keep(segment.flow)
        {
            step.trigger = Trigger::Unknown;
        }
        step.items.retain(|item| keep(item_flow(item)));
        step.rows.retain(|&(flow, _)| keep(flow));
    }
    fn keeps(&self, flow: FourTuple, at: Instant) -> bool {
        let ranges = self.kept.get(&key(flow));
        ranges.is_some_and(|ranges| ranges.iter().any(|range| range.contains(&at)))
    }

    /// Follows the connections that a step touches.
    fn observe(&mut self, step: &Step) {
        let at = step.at;
        let mut touched = Vec::with_capacity(4);
        if let Trigger::Arrival(segment) = &step.trigger {
            let life = self.life(segment.flow, at);
            life.on_the_way = life.on_the_way.saturating_sub(1);
            touched.push(key(segment.flow));
        }
        for item in &step.items {
            let flow = item_flow(item);
            if flow.sport == 0 || flow.dport == 0 || self.is_late_call(item, at) {
                continue;
            }
            let life = self.life(flow, at);
            touched.push(key(flow));
            if let Item::Sent(segment, _, fate, _) = item {
                life.on_the_way += match fate {
                    Fate::Arrives(_) => 1,
                    Fate::Twice(..) => 2,
                    Fate::Lost | Fate::Unroutable => 0,
                };
                if segment.flags.rst() && !life.reset {
                    life.reset = true;
                    let (birth, cut) = (life.birth, life.cut);
                    self.undecided.remove(&(birth, key(flow)));
                    self.kept.entry(key(flow)).or_default().push(birth..FOREVER);
                    self.parts += u64::from(cut);
                }
            }
        }
        for (flow, line) in &step.rows {
            if flow.dport != 0 && (line.is_some() || self.lives.contains_key(&key(*flow))) {
                let side = ends(*flow).2;
                self.life(*flow, at).rows[side] = line.is_some();
                touched.push(key(*flow));
            }
        }
        for key in touched {
            self.end_if_over(key, at);
        }
    }
    /// A call on a descriptor whose connection is over, such as close() after a RST, belongs to
    /// the connection that was.
    fn is_late_call(&mut self, item: &Item, at: Instant) -> bool {
        let Item::Call(call) = item else { return false };
        let key = key(call.flow);
        if self.lives.contains_key(&key) {
            return false;
        }
        if let Some(range) = self.kept.get_mut(&key).and_then(|ranges| ranges.last_mut()) {
            range.end = Instant { ns: at.ns + 1 };
            self.ended.push_back((range.end, key));
        }
        true
    }
    fn life(&mut self, flow: FourTuple, at: Instant) -> &mut Life {
        let key = key(flow);
        self.lives.entry(key).or_insert_with(|| {
            self.undecided.insert((at, key));
            Life { birth: at, ..Life::default() }
        })
    }
    fn end_if_over(&mut self, key: Key, at: Instant) {
        let Some(life) = self.lives.get(&key) else { return };
        if life.rows != [false; 2] || life.on_the_way > 0 {
            return;
        }
        if life.reset {
            let end = Instant { ns: at.ns + 1 };
            if let Some(range) = self.kept.get_mut(&key).and_then(|ranges| ranges.last_mut()) {
                range.end = end;
            }
            self.ended.push_back((end, key));
        } else {
            self.undecided.remove(&(life.birth, key));
        }
        self.lives.remove(&key);
    }
    /// There is no room to wait for connections that began before `to`.
    fn give_up(&mut self, to: Instant) {
        while let Some(&(birth, key)) = self.undecided.first().filter(|(birth, _)| *birth < to) {
            self.undecided.remove(&(birth, key));
            self.undecided.insert((to, key));
            if let Some(life) = self.lives.get_mut(&key) {
                life.birth = to;
                life.cut = true;
            }
        }
    }
}

fn key(flow: FourTuple) -> Key {
    let (lo, hi, _) = ends(flow);
    (lo, hi)
}

const fn item_flow(item: &Item) -> FourTuple {
    match item {
        Item::Sent(segment, ..) => segment.flow,
        Item::Note(note) => note.flow(),
        Item::Call(call) => call.flow,
    }
}

fn gather(from: &mut [i64; GAUGES as usize], into: &mut Vec<Gauge>) {
    for (gauge, change) in from.iter_mut().enumerate() {
        if *change != 0 {
            into.push((gauge as u8, core::mem::take(change)));
        }
    }
}
