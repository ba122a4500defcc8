//! Buckets with the same timeout, in the order of their expiry.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;

use super::{Tag, Tags};
use crate::time::Jiffies;
use crate::timer::wheel::{Rounding, fires_at};

/// Not a tick: the queue is empty.
pub(super) const NEVER: u64 = u64::MAX;

/// One queue.
///
/// A bucket that leaves before its time, or starts its wait again, leaves its entry behind. An
/// entry counts only if the bucket's [`Tag`] names it. The first entry always counts.
#[derive(Clone, Debug)]
pub(super) struct Fifo {
    class: u32,
    /// The common timeout in ticks.
    timeout: u64,
    /// Entries `first..end` and the rest of the chunks that they lie in.
    chunks: VecDeque<Box<[Entry]>>,
    /// A chunk kept so that a steady flow allocates nothing.
    spare: Option<Box<[Entry]>>,
    /// Number of the first entry. Numbers are never reset, so they find their chunk.
    first: u64,
    end: u64,
    /// How many entries count.
    live: u64,
    /// When the first entry's wait began, in ticks.
    began: u64,
    /// The tick at which the first entry's bucket dies; [`NEVER`] if there is none.
    dies: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u32,
    /// When the wait began: the lower half of the tick. What waits at the same time began within
    /// 2^32 ticks.
    began: u32,
}

const CHUNK: u64 = 1024;

impl Fifo {
    pub(super) const fn new(class: u32, timeout: u64) -> Self {
        Self {
            class,
            timeout,
            chunks: VecDeque::new(),
            spare: None,
            first: 0,
            end: 0,
            live: 0,
            began: 0,
            dies: NEVER,
        }
    }

    pub(super) const fn timeout(&self) -> u64 {
        self.timeout
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The tick at which its first bucket dies; [`NEVER`] if it has none.
    pub(super) const fn dies(&self) -> u64 {
        self.dies
    }

    /// Uses the empty queue for another timeout from now on.
    pub(super) fn reuse(&mut self, timeout: u64) {
        debug_assert!(self.is_empty(), "a queue has one timeout");
        self.timeout = timeout;
    }

    /// Appends a bucket whose wait begins at tick `now`, not before that of any other here.
    pub(super) fn push(&mut self, tags: &mut impl Tags, id: u32, now: u64) {
        if self.end - self.first > 2 * self.live + CHUNK {
            self.compact(tags);
        }
        if self.live == 0 {
            self.began = now;
            self.dies = self.death(now);
        }
        if self.chunk_of(self.end) == self.chunks.len() {
            let chunk = self.spare.take();
            self.chunks.push_back(chunk.unwrap_or_else(|| {
                vec![Entry { id: 0, began: 0 }; CHUNK as usize].into_boxed_slice()
            }));
        }
        tags.set_tag(id, Tag::new(self.class, self.end));
        *self.entry_mut(self.end) = Entry { id, began: now as u32 };
        self.end += 1;
        self.live += 1;
    }

    /// Takes out the bucket whose entry `tag` names. True if [`Self::dies`] changed.
    pub(super) fn remove(&mut self, tags: &mut impl Tags, tag: Tag) -> bool {
        let number = tag.number(self.first);
        tags.set_tag(self.entry(number).id, Tag::NONE);
        self.live -= 1;
        if number != self.first {
            return false;
        }
        let before = self.dies;
        self.skip(tags);
        self.dies != before
    }

    /// Takes out the bucket that dies first; there must be one.
    pub(super) fn pop(&mut self, tags: &mut impl Tags) -> u32 {
        let chunk = &self.chunks[0];
        let at = (self.first % CHUNK) as usize;
        let entry = chunk[at];
        tags.set_tag(entry.id, Tag::NONE);
        self.live -= 1;
        // Nearly always the next entry lies beside it, counts, and began at the same tick.
        if let Some(next) = chunk.get(at + 1)
            && next.began == entry.began
            && self.first + 1 < self.end
            && tags.tag(next.id) == Tag::new(self.class, self.first + 1)
        {
            self.first += 1;
        } else {
            self.skip(tags);
        }
        entry.id
    }

    /// When the bucket whose entry `tag` names should die, not rounded, in ticks.
    pub(super) fn expires(&self, tag: Tag) -> u64 {
        let since = self.entry(tag.number(self.first)).began;
        let after = since.wrapping_sub(self.entry(self.first).began);
        self.began + u64::from(after) + self.timeout
    }

    pub(super) fn bytes(&self) -> usize {
        let chunks = self.chunks.len() + usize::from(self.spare.is_some());
        chunks * CHUNK as usize * size_of::<Entry>() + self.chunks.capacity() * 16
    }

    fn death(&self, began: u64) -> u64 {
        fires_at(Rounding::Wheel, Jiffies(began), Jiffies(began.saturating_add(self.timeout))).0
    }

    /// Drops entries from the front until one counts.
    fn skip(&mut self, tags: &impl Tags) {
        let before = self.entry(self.first).began;
        loop {
            self.first += 1;
            let counts = self.first < self.end && {
                // The entry may be in the next chunk, behind the one that is about to go.
                let ahead = usize::from(self.first.is_multiple_of(CHUNK));
                let entry = self.chunks[ahead][(self.first % CHUNK) as usize];
                tags.tag(entry.id) == Tag::new(self.class, self.first)
            };
            if self.first.is_multiple_of(CHUNK) {
                self.spare = self.chunks.pop_front();
            }
            if counts {
                let after = self.entry(self.first).began.wrapping_sub(before);
                if after != 0 {
                    self.began += u64::from(after);
                    self.dies = self.death(self.began);
                }
                return;
            }
            if self.first == self.end {
                self.dies = NEVER;
                return;
            }
        }
    }

    /// Closes the gaps: what is kept is at most about twice what counts.
    fn compact(&mut self, tags: &mut impl Tags) {
        let mut end = self.first;
        for number in self.first..self.end {
            let entry = self.entry(number);
            if tags.tag(entry.id) == Tag::new(self.class, number) {
                tags.set_tag(entry.id, Tag::new(self.class, end));
                *self.entry_mut(end) = entry;
                end += 1;
            }
        }
        self.end = end;
        self.chunks.truncate(self.chunk_of(end) + 1);
    }

    /// Index of the chunk of entry `number`, one past the last if it begins a new one.
    const fn chunk_of(&self, number: u64) -> usize {
        (number / CHUNK - self.first / CHUNK) as usize
    }

    fn entry(&self, number: u64) -> Entry {
        self.chunks[self.chunk_of(number)][(number % CHUNK) as usize]
    }

    fn entry_mut(&mut self, number: u64) -> &mut Entry {
        let chunk = self.chunk_of(number);
        &mut self.chunks[chunk][(number % CHUNK) as usize]
    }
}
