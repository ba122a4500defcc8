//! The established hash: full sockets, requests (6.18) and timewait buckets in one table.

use alloc::vec;
use alloc::vec::Vec;

use super::slab::{Id, ReqId, SockId, TwId};

/// One object of the table: two bits say of which kind, thirty say which. `[inet_ehash_bucket]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(u32);

/// An [`Entry`] taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Object {
    Sock(SockId),
    Request(ReqId),
    Bucket(TwId),
}

impl Entry {
    /// The end of a chain.
    pub(crate) const NONE: Self = Self(u32::MAX);

    pub(crate) fn sock(id: SockId) -> Self {
        Self(id.index() << 2)
    }
    pub(crate) fn request(id: ReqId) -> Self {
        Self(id.index() << 2 | 1)
    }
    pub(crate) fn bucket(id: TwId) -> Self {
        Self(id.index() << 2 | 2)
    }
    /// The bucket that it is, if it is one.
    pub(crate) fn bucket_id(self) -> Option<TwId> {
        match self.object() {
            Some(Object::Bucket(id)) => Some(id),
            _ => None,
        }
    }
    /// `None` at the end of a chain.
    pub(crate) fn object(self) -> Option<Object> {
        match self.0 & 3 {
            0 => Some(Object::Sock(SockId(self.0 >> 2))),
            1 => Some(Object::Request(ReqId(self.0 >> 2))),
            2 => Some(Object::Bucket(TwId(self.0 >> 2))),
            _ => None,
        }
    }
}

/// The heads of the chains; the links are in the objects.
#[derive(Debug)]
pub(crate) struct Ehash {
    heads: Vec<Entry>,
    len: u32,
}

impl Ehash {
    pub(crate) fn new() -> Self {
        Self { heads: vec![Entry::NONE; 64], len: 0 }
    }
    #[inline]
    pub(crate) fn head(&self, hash: u32) -> Entry {
        self.heads[hash as usize & (self.heads.len() - 1)]
    }
    #[inline]
    pub(crate) fn set_head(&mut self, hash: u32, entry: Entry) {
        let mask = self.heads.len() - 1;
        self.heads[hash as usize & mask] = entry;
    }
    pub(crate) fn len(&self) -> u32 {
        self.len
    }
    pub(crate) fn count(&mut self, delta: i32) {
        self.len = self.len.wrapping_add_signed(delta);
    }
    /// More than three objects for two chains: time to double. What is looked for most stands at the
    /// head of its chain, being the youngest, but a bucket that dies is the last of it, and connect()
    /// looks through all of it for a four-tuple that is not there. Each object that they pass on their
    /// way is a miss of the cache.
    pub(crate) fn is_crowded(&self) -> bool {
        self.len as usize > self.heads.len() + self.heads.len() / 2
    }
    /// Twice the chains, all empty: the caller inserts everything again. Returns the old heads.
    pub(crate) fn double(&mut self) -> Vec<Entry> {
        let size = self.heads.len() * 2;
        core::mem::replace(&mut self.heads, vec![Entry::NONE; size])
    }
    pub(crate) fn heads(&self) -> &[Entry] {
        &self.heads
    }
    pub(crate) fn bytes(&self) -> usize {
        self.heads.capacity() * 4
    }
}
