//! Storage by index: no pointers, no allocation in steady state.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::{Index, IndexMut};

/// A typed index into a [`Slab`].
pub(crate) trait Id: Copy + Eq {
    /// From a slot number.
    fn new(index: u32) -> Self;
    /// The slot number.
    fn index(self) -> u32;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub(crate) struct $name(pub(crate) u32);
        impl Id for $name {
            fn new(index: u32) -> Self { Self(index) }
            fn index(self) -> u32 { self.0 }
        }
    )*};
}

ids! {
    /// A full socket.
    SockId;
    /// A half-open request.
    ReqId;
    /// A timewait bucket.
    TwId;
    /// What a listening socket has besides a full socket.
    ListenId;
    /// A piece of a send queue or a range of an out-of-order queue.
    SkbId;
}

/// Slots that are used again, last freed first, with a count of uses per slot (odd while in use).
#[derive(Debug)]
pub(crate) struct Slab<I, T> {
    items: Vec<T>,
    uses: Vec<u32>,
    free: Vec<u32>,
    _id: PhantomData<I>,
}

impl<I: Id, T> Slab<I, T> {
    pub(crate) const fn new() -> Self {
        Self { items: Vec::new(), uses: Vec::new(), free: Vec::new(), _id: PhantomData }
    }
    pub(crate) fn insert(&mut self, item: T) -> I {
        if let Some(index) = self.free.pop() {
            self.items[index as usize] = item;
            self.uses[index as usize] += 1;
            return I::new(index);
        }
        make_room(&mut self.items, 1);
        make_room(&mut self.uses, 1);
        self.items.push(item);
        self.uses.push(1);
        I::new(self.items.len() as u32 - 1)
    }
    pub(crate) fn remove(&mut self, id: I) {
        debug_assert!(self.is_live(id), "a slot is freed once");
        self.uses[id.index() as usize] += 1;
        self.free.push(id.index());
    }
    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
    pub(crate) fn is_live(&self, id: I) -> bool {
        self.uses.get(id.index() as usize).is_some_and(|u| u % 2 == 1)
    }
    /// How often the slot has been used or freed: tells an old handle from a new one.
    pub(crate) fn generation(&self, id: I) -> u32 {
        self.uses[id.index() as usize]
    }
    /// Every item in use, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.items
            .iter()
            .enumerate()
            .filter(|(i, _)| self.uses[*i] % 2 == 1)
            .map(|(i, item)| (I::new(i as u32), item))
    }
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>() + (self.uses.capacity() + self.free.capacity()) * 4
    }
}

/// Room for so many more. A table of millions must not stand half empty, and to grow one in small steps
/// costs little: its pages are moved, not its bytes.
#[inline]
pub(super) fn make_room<T>(items: &mut Vec<T>, more: usize) {
    if items.capacity() - items.len() < more {
        items.reserve_exact(more.max(items.len() / 32).max(16));
    }
}

/// A table that reaches as far as `index`; what is new in it is `empty`. It grows as
/// [`make_room`] lets it.
#[inline]
pub(crate) fn reach<T: Clone>(items: &mut Vec<T>, index: usize, empty: T) {
    if index < items.len() {
        return;
    }
    make_room(items, index + 1 - items.len());
    items.resize(index + 1, empty);
}

impl<I: Id, T> Index<I> for Slab<I, T> {
    type Output = T;
    #[inline]
    fn index(&self, id: I) -> &T {
        &self.items[id.index() as usize]
    }
}
impl<I: Id, T> IndexMut<I> for Slab<I, T> {
    #[inline]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index() as usize]
    }
}
