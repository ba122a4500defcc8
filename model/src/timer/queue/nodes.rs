//! What the queue keeps of each timer, by its id.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

use crate::table::slab::reach;

/// Ids from here on have a table of their own: one that nobody reaches costs nothing.
pub(crate) const RARE: u32 = 1 << 31;
/// Not an id: the end of a list.
pub(super) const NIL: u32 = u32::MAX;
/// In [`Node::slot`]: not pending.
pub(super) const IDLE: u16 = u16::MAX;
/// In [`Node::slot`]: pending in `late`.
pub(super) const LATE: u16 = u16::MAX - 1;
/// In [`Node::slot`]: pending in `young`, at the place that [`Node::previous`] says.
pub(super) const YOUNG: u16 = u16::MAX - 2;
/// Bits of [`Node::slot`] that say which slot; the level lies above them.
pub(super) const SLOT_BITS: u32 = 10;

/// A timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// As asked for, in ticks.
    pub(super) expires: u64,
    /// The value of `armed` when it was armed, in 48 bits, and its level and slot.
    place: u64,
    pub(super) previous: u32,
    pub(super) next: u32,
}

impl Node {
    pub(super) const IDLE: Self = Self { expires: 0, place: IDLE as u64, previous: NIL, next: NIL };

    /// Level and slot, [`IDLE`], [`LATE`] or [`YOUNG`].
    pub(super) const fn slot(&self) -> u16 {
        self.place as u16
    }

    pub(super) const fn armed(&self) -> u64 {
        self.place >> 16
    }

    /// One that is pending there.
    pub(super) const fn new(expires: u64, armed: u64, slot: u16, previous: u32) -> Self {
        Self { expires, place: armed << 16 | slot as u64, previous, next: NIL }
    }

    pub(super) const fn set_idle(&mut self) {
        self.place = IDLE as u64;
    }

    /// The firing tick of a late timer, which is in no list and has its links to spare.
    pub(super) const fn late_fires(&self) -> u64 {
        (self.previous as u64) << 32 | self.next as u64
    }

    pub(super) const fn set_late_fires(&mut self, fires: u64) {
        self.previous = (fires >> 32) as u32;
        self.next = fires as u32;
    }
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    common: Vec<Node>,
    /// From [`RARE`] on.
    rare: Vec<Node>,
}

impl Nodes {
    pub(super) const fn new() -> Self {
        Self { common: Vec::new(), rare: Vec::new() }
    }
    /// Has that one from now on.
    pub(super) fn reach(&mut self, id: u32) {
        let (table, index) =
            if id < RARE { (&mut self.common, id) } else { (&mut self.rare, id - RARE) };
        reach(table, index as usize, Node::IDLE);
    }
    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&Node> {
        if id < RARE { self.common.get(id as usize) } else { self.rare.get((id - RARE) as usize) }
    }
    pub(super) fn bytes(&self) -> usize {
        (self.common.capacity() + self.rare.capacity()) * size_of::<Node>()
    }
}

impl Index<u32> for Nodes {
    type Output = Node;
    #[inline]
    fn index(&self, id: u32) -> &Node {
        if id < RARE { &self.common[id as usize] } else { &self.rare[(id - RARE) as usize] }
    }
}
impl IndexMut<u32> for Nodes {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut Node {
        if id < RARE { &mut self.common[id as usize] } else { &mut self.rare[(id - RARE) as usize] }
    }
}
