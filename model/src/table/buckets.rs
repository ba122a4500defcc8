//! Timewait buckets by index. There may be millions, so nothing lies beside the record itself: a
//! free one holds the list of the free in its chain link.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

use super::ehash::Entry;
use super::slab::TwId;
use crate::deathrow::{Tag, Tags};
use crate::flow::FourTuple;
use crate::timewait::TimeWait;

/// Slots that are used again, last freed first.
#[derive(Debug)]
pub(crate) struct Buckets {
    items: Vec<TimeWait>,
    /// The slot that was freed last, as an entry of the hash; each free slot's chain names the next.
    free: Entry,
    len: usize,
    /// Slots that are taken and hashed, for a bucket that is still to come.
    held: usize,
}

impl Buckets {
    pub(crate) const fn new() -> Self {
        Self { items: Vec::new(), free: Entry::NONE, len: 0, held: 0 }
    }
    pub(crate) fn insert(&mut self, bucket: TimeWait) -> TwId {
        self.len += 1;
        if let Some(id) = self.free.bucket_id() {
            self.free = self[id].chain;
            self[id] = bucket;
            return id;
        }
        super::slab::make_room(&mut self.items, 1);
        self.items.push(bucket);
        TwId(self.items.len() as u32 - 1)
    }
    pub(crate) fn remove(&mut self, id: TwId) {
        debug_assert!(self.is_live(id), "a bucket dies once");
        let free = core::mem::replace(&mut self.free, Entry::bucket(id));
        let bucket = &mut self[id];
        bucket.live = false;
        bucket.chain = free;
        self.len -= 1;
    }
    /// A slot for a bucket that comes later; until then it is not counted and not listed.
    pub(crate) fn hold(&mut self, flow: FourTuple) -> TwId {
        self.held += 1;
        self.insert(TimeWait::place(flow))
    }
    /// The bucket has come.
    pub(crate) const fn let_go(&mut self) {
        self.held -= 1;
    }
    /// None comes: the slot is free again.
    pub(crate) fn give_up(&mut self, id: TwId) {
        self.held -= 1;
        self[id].live = true;
        self.remove(id);
    }
    /// Buckets that have come.
    pub(crate) const fn len(&self) -> usize {
        self.len - self.held
    }
    pub(crate) fn is_live(&self, id: TwId) -> bool {
        self.items.get(id.0 as usize).is_some_and(|bucket| bucket.live)
    }
    /// Every bucket, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TwId, &TimeWait)> {
        let slots = self.items.iter().enumerate().map(|(i, item)| (TwId(i as u32), item));
        slots.filter(|(_, bucket)| bucket.live)
    }
    /// Bytes held.
    pub(crate) const fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<TimeWait>()
    }
}

impl Index<TwId> for Buckets {
    type Output = TimeWait;
    #[inline]
    fn index(&self, id: TwId) -> &TimeWait {
        &self.items[id.0 as usize]
    }
}
impl IndexMut<TwId> for Buckets {
    #[inline]
    fn index_mut(&mut self, id: TwId) -> &mut TimeWait {
        &mut self.items[id.0 as usize]
    }
}

impl Tags for Buckets {
    #[inline]
    fn tag(&self, id: u32) -> Tag {
        self[TwId(id)].tag
    }
    #[inline]
    fn set_tag(&mut self, id: u32, tag: Tag) {
        self[TwId(id)].tag = tag;
    }
}
