//! Pending timers of sockets and requests, by the tick at which they fire.
//!
//! A wheel without cascades, as the kernel's own since 4.8: far timers are rounded, so a level's
//! few slots suffice for each to hold timers of one firing tick only. Nothing ever moves between
//! levels, the earliest tick is known exactly at all times, and time in which nothing fires costs
//! nothing. The same works for 3.10, whose slack makes far expiries round as well.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::wheel::{self, Place, Rounding};
use crate::time::Jiffies;

/// Pending timers, each with an id from a dense range chosen by the caller.
///
/// Timers come out in the order of (firing tick, order of arming). Time given to [`Self::arm`] must
/// not run backwards. Tables grow to the largest id; arming and cancelling allocate nothing else.
#[derive(Clone, Debug)]
pub struct TimerQueue {
    rounding: Rounding,
    /// By id.
    nodes: Vec<Node>,
    levels: Vec<Level>,
    /// Bit n: level n is not empty.
    occupied: u64,
    /// The few that found their level too short, because what is due has not been popped yet.
    /// By (firing tick, order of arming).
    late: BTreeMap<(u64, u64), u32>,
    /// The earliest firing tick, [`NEVER`] if nothing is pending.
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
            nodes: Vec::new(),
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
        let index = id as usize;
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, Node::IDLE);
        }
        let place = wheel::place(self.rounding, now, expires);
        self.armed += 1;
        let node = &mut self.nodes[index];
        node.expires = expires.0;
        node.armed = self.armed;
        if !self.link(id, place) {
            self.late.insert((place.fires.0, self.armed), id);
            let node = &mut self.nodes[index];
            node.slot = LATE;
            node.set_late_fires(place.fires.0);
        }
        self.len += 1;
        self.next = self.next.min(place.fires.0);
    }

    /// Stops timer `id`; nothing happens if it is not pending `[del_timer]`.
    pub fn cancel(&mut self, id: u32) {
        let Some(&node) = self.nodes.get(id as usize) else { return };
        match node.slot {
            IDLE => return,
            LATE => {
                let fires = node.late_fires();
                self.late.remove(&(fires, node.armed));
                if fires == self.next {
                    self.find_next();
                }
            }
            slot => self.unlink(node, slot),
        }
        self.nodes[id as usize].slot = IDLE;
        self.len -= 1;
    }

    /// Whether timer `id` is armed and has not fired.
    pub fn is_pending(&self, id: u32) -> bool {
        self.nodes.get(id as usize).is_some_and(|n| n.slot != IDLE)
    }

    /// The tick that timer `id` was armed for, before rounding.
    pub fn expires(&self, id: u32) -> Option<Jiffies> {
        let node = self.nodes.get(id as usize)?;
        (node.slot != IDLE).then_some(Jiffies(node.expires))
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
    pub const fn next(&self) -> Option<Jiffies> {
        if self.next == NEVER { None } else { Some(Jiffies(self.next)) }
    }

    /// The timer that fires first.
    pub fn first(&self) -> Option<u32> {
        (self.next != NEVER).then(|| self.earliest())
    }

    /// Takes the earliest timer off the queue if it fires at `now` or before, with the tick at
    /// which it fires.
    pub fn pop_due(&mut self, now: Jiffies) -> Option<(u32, Jiffies)> {
        let fires = self.next;
        if fires == NEVER || fires > now.0 {
            return None;
        }
        let id = self.earliest();
        self.cancel(id);
        Some((id, Jiffies(fires)))
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let levels: usize = self.levels.iter().map(Level::bytes).sum();
        self.nodes.capacity() * size_of::<Node>() + levels + self.late.len() * 32
    }

    /// The timer to fire first; something must be pending.
    fn earliest(&self) -> u32 {
        let mut first = (u64::MAX, NIL);
        if let Some((&(fires, armed), &id)) = self.late.first_key_value()
            && fires == self.next
        {
            first = (armed, id);
        }
        for n in bits(self.occupied) {
            let level = &self.levels[n];
            if level.first_tick() == self.next {
                let id = level.slots[level.slot_of(level.first)].head;
                first = first.min((self.nodes[id as usize].armed, id));
            }
        }
        first.1
    }

    fn find_next(&mut self) {
        let late = self.late.first_key_value().map_or(NEVER, |(&(fires, _), _)| fires);
        let levels = bits(self.occupied).map(|n| self.levels[n].first_tick());
        self.next = levels.fold(late, u64::min);
    }

    /// Appends a timer to its slot. False if the slot may hold another tick's timers.
    fn link(&mut self, id: u32, place: Place) -> bool {
        let n = place.level as usize;
        while self.levels.len() <= n {
            let level = self.levels.len() as u32;
            self.levels.push(Level::new(wheel::granule_shift(self.rounding, level)));
        }
        let level = &mut self.levels[n];
        let granule = place.fires.0 >> level.shift;
        if level.slots.is_empty() {
            level.allocate(self.rounding);
        }
        if self.occupied >> n & 1 == 0 {
            self.occupied |= 1 << n;
            level.first = granule;
        } else if granule.saturating_sub(level.first) >= level.slots.len() as u64 {
            return false;
        }
        level.first = level.first.min(granule);
        let slot = level.slot_of(granule);
        level.words[slot / 64] |= 1 << (slot % 64);
        let list = &mut level.slots[slot];
        let last = list.tail;
        list.tail = id;
        if last == NIL {
            list.head = id;
        } else {
            self.nodes[last as usize].next = id;
        }
        let node = &mut self.nodes[id as usize];
        node.previous = last;
        node.next = NIL;
        node.slot = (n as u32) << SLOT_BITS | slot as u32;
        true
    }

    fn unlink(&mut self, node: Node, slot: u32) {
        let n = (slot >> SLOT_BITS) as usize;
        let slot = (slot & ((1 << SLOT_BITS) - 1)) as usize;
        let level = &mut self.levels[n];
        let list = &mut level.slots[slot];
        if node.previous == NIL {
            list.head = node.next;
        } else {
            self.nodes[node.previous as usize].next = node.next;
        }
        if node.next == NIL {
            list.tail = node.previous;
        } else {
            self.nodes[node.next as usize].previous = node.previous;
        }
        if list.head != NIL {
            return;
        }
        level.words[slot / 64] &= !(1 << (slot % 64));
        if slot != level.slot_of(level.first) {
            return;
        }
        let was = level.first_tick();
        match level.find_first() {
            Some(first) => level.first = first,
            None => self.occupied &= !(1 << n),
        }
        if was == self.next {
            self.find_next();
        }
    }
}

/// Not a tick: nothing is pending.
const NEVER: u64 = u64::MAX;
/// Not an id: the end of a list.
const NIL: u32 = u32::MAX;
/// In [`Node::slot`]: not pending.
const IDLE: u32 = u32::MAX;
/// In [`Node::slot`]: pending in [`TimerQueue::late`].
const LATE: u32 = u32::MAX - 1;
/// Bits of [`Node::slot`] that say which slot; the level lies above them.
const SLOT_BITS: u32 = 10;

/// A timer.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// As asked for, in ticks.
    expires: u64,
    /// The value of [`TimerQueue::armed`] when it was armed.
    armed: u64,
    previous: u32,
    next: u32,
    slot: u32,
}

impl Node {
    const IDLE: Self = Self { expires: 0, armed: 0, previous: NIL, next: NIL, slot: IDLE };

    /// The firing tick of a late timer, which is in no list and has its links to spare.
    const fn late_fires(&self) -> u64 {
        (self.previous as u64) << 32 | self.next as u64
    }

    const fn set_late_fires(&mut self, fires: u64) {
        self.previous = (fires >> 32) as u32;
        self.next = fires as u32;
    }
}

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
    /// The earliest granule with a timer; meaningless while the level is empty. All others lie
    /// less than a turn after it, so each slot stands for one granule.
    first: u64,
    /// Which slots are not empty.
    words: Vec<u64>,
    slots: Vec<List>,
}

impl Level {
    const fn new(shift: u32) -> Self {
        Self { shift, first: 0, words: Vec::new(), slots: Vec::new() }
    }

    /// A level reaches 64 granules ahead on 6.18 and 516 on 3.10. Twice that leaves room for what
    /// is due and not yet popped.
    fn allocate(&mut self, rounding: Rounding) {
        let slots = match rounding {
            Rounding::Wheel => 128,
            Rounding::Exact => 1 << SLOT_BITS,
        };
        self.slots = vec![List { head: NIL, tail: NIL }; slots];
        self.words = vec![0; slots / 64];
    }

    const fn slot_of(&self, granule: u64) -> usize {
        granule as usize & (self.slots.len() - 1)
    }

    const fn first_tick(&self) -> u64 {
        self.first << self.shift
    }

    /// The earliest occupied granule not before `first`.
    fn find_first(&self) -> Option<u64> {
        let start = self.slot_of(self.first);
        let mut word = start / 64;
        let mut found = self.words[word] & (u64::MAX << (start % 64));
        // One word more than there are: the first one's lower part comes last.
        for _ in 0..=self.words.len() {
            if found != 0 {
                let slot = word * 64 + found.trailing_zeros() as usize;
                let ahead = slot.wrapping_sub(start) & (self.slots.len() - 1);
                return Some(self.first + ahead as u64);
            }
            word = (word + 1) % self.words.len();
            found = self.words[word];
        }
        None
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.slots.len() * size_of::<List>() + self.words.len() * 8
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
