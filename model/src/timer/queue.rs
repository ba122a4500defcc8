//! Pending timers of sockets and requests, by the tick at which they fire.
//!
//! A wheel without cascades, as the kernel's own since 4.8: far timers are rounded, so a level's
//! few slots suffice for each to hold timers of one firing tick only. Nothing ever moves between
//! levels, the earliest tick is known exactly at all times, and time in which nothing fires costs
//! nothing. The same works for 3.10, whose slack makes far expiries round as well.

mod nodes;
mod young;

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::wheel::{self, Place, Rounding};
use crate::time::Jiffies;
pub(crate) use nodes::RARE;
use nodes::{IDLE, LATE, NIL, Node, Nodes, SLOT_BITS, YOUNG};
use young::Young;

/// Pending timers, each with an id from a dense range chosen by the caller.
///
/// Timers come out in the order of (firing tick, order of arming). Time given to [`Self::arm`] must
/// not run backwards. Tables grow to the largest id; arming and cancelling allocate nothing else.
///
/// Most timers are armed anew or cancelled long before they fire, many within a round trip. So those
/// armed last wait in a short list before they come into the wheel, and nobody looks for the earliest
/// one that is left before somebody asks ([`Self::next`]) and the old answer is gone.
#[derive(Clone, Debug)]
pub struct TimerQueue {
    rounding: Rounding,
    nodes: Nodes,
    /// Those armed last.
    young: Young,
    levels: Vec<Level>,
    /// Bit n: level n is not empty.
    occupied: u64,
    /// The few that found their level too short, because what is due has not been popped yet.
    /// By (firing tick, order of arming).
    late: BTreeMap<(u64, u64), u32>,
    /// The earliest firing tick, [`NEVER`] if nothing is pending, [`UNKNOWN`] if it has to be
    /// looked for.
    next: u64,
    /// How often a timer was armed: the order of equal ticks.
    armed: u64,
    len: usize,
}

impl TimerQueue {
    /// An empty queue whose timers fire as `rounding` says.
    pub const fn new(rounding: Rounding) -> Self {
        Self {
            rounding,
            nodes: Nodes::new(),
            young: Young::new(),
            levels: Vec::new(),
            occupied: 0,
            late: BTreeMap::new(),
            next: NEVER,
            armed: 0,
            len: 0,
        }
    }

    /// Arms timer `id` at tick `now` for tick `expires`, anew if it is pending `[mod_timer]`.
    pub fn arm(&mut self, id: u32, now: Jiffies, expires: Jiffies) {
        self.cancel(id);
        self.nodes.reach(id);
        let place = wheel::place(self.rounding, now, expires);
        self.armed += 1;
        if self.young.is_full() {
            self.settle_young();
        }
        let index = self.young.push(id, place);
        self.nodes[id] = Node::new(expires.0, self.armed, YOUNG, index);
        self.len += 1;
        if self.next == UNKNOWN {
            return;
        }
        self.next = self.next.min(place.fires.0);
    }

    /// Those that are not so young any more come into the wheel, in the order of arming.
    #[cold]
    fn settle_young(&mut self) {
        let nodes = &self.nodes;
        self.young.sort_by_key(|id| nodes[id].armed());
        for (id, place) in self.young.take_all() {
            let Node { expires, .. } = self.nodes[id];
            let armed = self.nodes[id].armed();
            if !self.link(id, expires, armed, place) {
                self.late.insert((place.fires.0, armed), id);
                let mut node = Node::new(expires, armed, LATE, NIL);
                node.set_late_fires(place.fires.0);
                self.nodes[id] = node;
            }
        }
    }

    /// Stops timer `id`; nothing happens if it is not pending `[del_timer]`.
    #[inline(always)]
    pub fn cancel(&mut self, id: u32) {
        if self.is_pending(id) {
            self.take_off(id);
        }
    }

    #[inline(never)]
    fn take_off(&mut self, id: u32) {
        let node = &mut self.nodes[id];
        let was = *node;
        node.set_idle();
        self.len -= 1;
        match was.slot() {
            YOUNG => {
                let (fires, moved) = self.young.remove(was.previous);
                if let Some(moved) = moved {
                    self.nodes[moved].previous = was.previous;
                }
                if fires == self.next {
                    self.next = UNKNOWN;
                }
            }
            LATE => {
                self.late.remove(&(was.late_fires(), was.armed()));
                self.next = UNKNOWN;
            }
            _ => self.unlink(was),
        }
    }

    /// Whether timer `id` is armed and has not fired.
    #[inline(always)]
    pub fn is_pending(&self, id: u32) -> bool {
        self.nodes.get(id).is_some_and(|n| n.slot() != IDLE)
    }

    /// The tick that timer `id` was armed for, before rounding.
    pub fn expires(&self, id: u32) -> Option<Jiffies> {
        let node = self.nodes.get(id)?;
        (node.slot() != IDLE).then_some(Jiffies(node.expires))
    }

    /// How many timers had been armed before `id`, if it is pending: among those of one tick it decides
    /// which fires first.
    pub(crate) fn order(&self, id: u32) -> Option<u64> {
        let node = self.nodes.get(id)?;
        (node.slot() != IDLE).then_some(node.armed())
    }
    /// The tick at which a timer fires that is armed at `now` for `expires`.
    pub(crate) const fn fires(&self, now: Jiffies, expires: Jiffies) -> Jiffies {
        wheel::place(self.rounding, now, expires).fires
    }

    /// How many timers are pending.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is pending.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The tick at which the earliest timer fires.
    #[inline]
    pub fn next(&self) -> Option<Jiffies> {
        let next = self.next_tick();
        (next != NEVER).then_some(Jiffies(next))
    }

    /// The same, [`NEVER`] if nothing is pending.
    #[inline]
    pub(super) fn next_tick(&self) -> u64 {
        if self.next == UNKNOWN { self.find_next() } else { self.next }
    }

    /// The timer that fires first.
    pub fn first(&self) -> Option<u32> {
        let next = self.next_tick();
        (next != NEVER).then(|| self.earliest(next))
    }

    /// Takes the earliest timer off the queue if it fires at `now` or before, with the tick at
    /// which it fires.
    pub fn pop_due(&mut self, now: Jiffies) -> Option<(u32, Jiffies)> {
        self.next = self.next_tick();
        let fires = self.next;
        if fires == NEVER || fires > now.0 {
            return None;
        }
        let id = self.earliest(fires);
        self.cancel(id);
        Some((id, Jiffies(fires)))
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let levels: usize = self.levels.iter().map(Level::bytes).sum();
        self.nodes.bytes() + levels + self.late.len() * 32
    }

    /// The timer to fire first; something must be pending, at tick `next` first.
    fn earliest(&self, next: u64) -> u32 {
        let mut first = (u64::MAX, NIL);
        if let Some((&(fires, armed), &id)) = self.late.first_key_value()
            && fires == next
        {
            first = (armed, id);
        }
        for id in self.young.firing_at(next) {
            first = first.min((self.nodes[id].armed(), id));
        }
        for n in bits(self.occupied) {
            let level = &self.levels[n];
            let granule = level.first();
            if granule << level.shift == next {
                let id = level.slots[level.slot_of(granule)].head;
                first = first.min((self.nodes[id].armed(), id));
            }
        }
        first.1
    }

    fn find_next(&self) -> u64 {
        let late = self.late.first_key_value().map_or(NEVER, |(&(fires, _), _)| fires);
        let ticks = bits(self.occupied).map(|n| {
            let level = &self.levels[n];
            level.first() << level.shift
        });
        ticks.fold(late.min(self.young.next()), u64::min)
    }

    /// Appends a timer to its slot. False if the slot may hold another tick's timers.
    fn link(&mut self, id: u32, expires: u64, armed: u64, place: Place) -> bool {
        let n = place.level as usize;
        while self.levels.len() <= n {
            let level = self.levels.len() as u32;
            self.levels.push(Level::new(wheel::granule_shift(self.rounding, level)));
        }
        let level = &mut self.levels[n];
        let granule = place.fires.0 >> level.shift;
        if self.occupied >> n & 1 == 0 {
            level.allocate(self.rounding);
            self.occupied |= 1 << n;
            level.base = granule;
        } else if !level.makes_room(granule) {
            return false;
        }
        let slot = level.slot_of(granule);
        level.set.insert(slot);
        let list = &mut level.slots[slot];
        let last = list.tail;
        list.tail = id;
        if last == NIL {
            list.head = id;
        } else {
            self.nodes[last].next = id;
        }
        let place = (n as u16) << SLOT_BITS | slot as u16;
        self.nodes[id] = Node::new(expires, armed, place, last);
        true
    }

    /// Takes what `node` was out of its slot.
    fn unlink(&mut self, node: Node) {
        let n = usize::from(node.slot() >> SLOT_BITS);
        let slot = usize::from(node.slot() & ((1 << SLOT_BITS) - 1));
        let level = &mut self.levels[n];
        let list = &mut level.slots[slot];
        if node.previous == NIL {
            list.head = node.next;
        } else {
            self.nodes[node.previous].next = node.next;
        }
        if node.next == NIL {
            list.tail = node.previous;
        } else {
            self.nodes[node.next].previous = node.previous;
        }
        if list.head == NIL {
            level.set.remove(slot);
            if level.set.is_empty() {
                self.occupied &= !(1 << n);
            }
            // It may have been the only one at the earliest tick; not in another slot than that
            // tick's own.
            if slot == level.slot_of(self.next >> level.shift) {
                self.next = UNKNOWN;
            }
        }
    }
}

/// Not a tick: nothing is pending.
pub(crate) const NEVER: u64 = u64::MAX;
/// Not a tick: see [`TimerQueue::next`].
const UNKNOWN: u64 = u64::MAX - 1;
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

/// Timers of one class of distances, in slots of one granule each.
#[derive(Clone, Debug)]
struct Level {
    /// Base-2 logarithm of the granule in ticks.
    shift: u32,
    /// No granule with a timer is earlier; meaningless while the level is empty. All of them lie
    /// less than a turn after it, so each slot stands for one granule.
    base: u64,
    /// Which slots are not empty.
    set: Set,
    slots: Vec<List>,
}

impl Level {
    const fn new(shift: u32) -> Self {
        Self { shift, base: 0, set: Set::new(), slots: Vec::new() }
    }

    /// A level reaches 64 granules ahead on 6.18 and 516 on 3.10. Twice that leaves room for what
    /// is due and not yet popped.
    fn allocate(&mut self, rounding: Rounding) {
        if !self.slots.is_empty() {
            return;
        }
        let slots = match rounding {
            Rounding::Wheel => 128,
            Rounding::Exact => 1 << SLOT_BITS,
        };
        self.slots = vec![List { head: NIL, tail: NIL }; slots];
        self.set = Set::with_slots(slots);
    }

    /// May a granule come in beside those that are here?
    #[inline]
    fn makes_room(&mut self, granule: u64) -> bool {
        let turn = self.slots.len() as u64;
        if granule < self.base {
            self.base = granule;
        } else if granule - self.base >= turn {
            self.base = self.first();
            return granule - self.base < turn;
        }
        true
    }

    #[inline]
    const fn slot_of(&self, granule: u64) -> usize {
        granule as usize & (self.slots.len() - 1)
    }

    /// The earliest granule with a timer; the level must not be empty.
    #[inline]
    fn first(&self) -> u64 {
        let start = self.slot_of(self.base);
        let ahead = self.set.first_from(start).wrapping_sub(start) & (self.slots.len() - 1);
        self.base + ahead as u64
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.slots.len() * size_of::<List>() + self.set.words.len() * 8
    }
}

/// A set of slots, up to 1,024, that finds the next one on the ring without a walk.
#[derive(Clone, Debug)]
struct Set {
    words: Vec<u64>,
    /// Bit n: word n is not zero.
    summary: u32,
}

impl Set {
    const fn new() -> Self {
        Self { words: Vec::new(), summary: 0 }
    }

    fn with_slots(slots: usize) -> Self {
        Self { words: vec![0; slots / 64], summary: 0 }
    }

    #[inline]
    const fn is_empty(&self) -> bool {
        self.summary == 0
    }

    #[inline]
    fn insert(&mut self, slot: usize) {
        self.words[slot / 64] |= 1 << (slot % 64);
        self.summary |= 1 << (slot / 64);
    }

    #[inline]
    fn remove(&mut self, slot: usize) {
        let word = &mut self.words[slot / 64];
        *word &= !(1 << (slot % 64));
        if *word == 0 {
            self.summary &= !(1 << (slot / 64));
        }
    }

    /// The first member at or behind `start`, on from the beginning at the end; there must be one.
    #[inline]
    fn first_from(&self, start: usize) -> usize {
        let word = start / 64;
        let behind = self.words[word] & (u64::MAX << (start % 64));
        if behind != 0 {
            return word * 64 + behind.trailing_zeros() as usize;
        }
        let later = self.summary & (u32::MAX << word << 1);
        // None later: the earliest of all, which may be the lower part of the same word.
        let set = if later == 0 { self.summary } else { later };
        let word = set.trailing_zeros() as usize;
        word * 64 + self.words[word].trailing_zeros() as usize
    }
}

/// The numbers of the bits that are set, lowest first.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests;
