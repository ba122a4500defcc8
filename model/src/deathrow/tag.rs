//! What the death row of 6.18 must know of each bucket: one word, which lies with the bucket.

use alloc::vec::Vec;
use core::fmt;

/// Where a bucket's valid entry is: in four bits the class, which names the queue, and below the
/// entry's number modulo 2^28.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag(u32);

impl Tag {
    /// Not on the row.
    pub const NONE: Self = Self(0);
    const NUMBER_BITS: u32 = 28;

    pub(super) const fn new(class: u32, number: u64) -> Self {
        Self(class << Self::NUMBER_BITS | number as u32 & ((1 << Self::NUMBER_BITS) - 1))
    }

    pub(super) const fn class(self) -> u32 {
        self.0 >> Self::NUMBER_BITS
    }

    /// The entry's number, given the number of an older entry of the same queue.
    pub(super) const fn number(self, oldest: u64) -> u64 {
        let mask = (1 << Self::NUMBER_BITS) - 1;
        oldest + ((self.0 as u64).wrapping_sub(oldest) & mask)
    }
}

/// Without its value: that only says how many buckets there were before, and texts of a bucket are
/// compared.
impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag")
    }
}

/// The tags of all buckets, wherever they lie.
pub trait Tags {
    /// That bucket's tag.
    fn tag(&self, id: u32) -> Tag;
    /// Replaces it.
    fn set_tag(&mut self, id: u32, tag: Tag);
}

/// Tags of buckets that are nothing but a number.
#[derive(Clone, Debug, Default)]
pub struct TagList {
    tags: Vec<Tag>,
}

impl Tags for TagList {
    fn tag(&self, id: u32) -> Tag {
        self.tags.get(id as usize).copied().unwrap_or(Tag::NONE)
    }
    fn set_tag(&mut self, id: u32, tag: Tag) {
        let index = id as usize;
        if index >= self.tags.len() {
            self.tags.resize(index + 1, Tag::NONE);
        }
        self.tags[index] = tag;
    }
}
