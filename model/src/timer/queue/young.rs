//! The timers armed last, in no order: a list so short that to search it costs less than the wheel.

use crate::timer::wheel::Place;

/// How many at most.
const MOST: usize = 16;

/// A timer that is young, and where its place in the wheel would be.
#[derive(Clone, Copy, Debug)]
struct Entry {
    fires: u64,
    id: u32,
    level: u32,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Young {
    entries: [Entry; MOST],
    len: usize,
}

impl Young {
    pub(super) const fn new() -> Self {
        Self { entries: [Entry { fires: 0, id: 0, level: 0 }; MOST], len: 0 }
    }
    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.len == MOST
    }
    /// There must be room. Says where it is.
    #[inline]
    pub(super) fn push(&mut self, id: u32, place: Place) -> u32 {
        let index = self.len;
        self.entries[index] = Entry { fires: place.fires.0, id, level: place.level };
        self.len += 1;
        index as u32
    }
    /// Takes one out; says when it would have fired, and who has its place now.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) -> (u64, Option<u32>) {
        self.len -= 1;
        let fires = self.entries[index as usize].fires;
        let last = self.entries[self.len];
        self.entries[index as usize] = last;
        (fires, (index as usize != self.len).then_some(last.id))
    }
    /// The earliest firing tick, the largest number if there is none.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.list().iter().map(|e| e.fires).fold(u64::MAX, u64::min)
    }
    /// Those that fire at that tick.
    pub(super) fn firing_at(&self, tick: u64) -> impl Iterator<Item = u32> + '_ {
        self.list().iter().filter(move |e| e.fires == tick).map(|e| e.id)
    }
    pub(super) fn sort_by_key(&mut self, key: impl Fn(u32) -> u64) {
        self.entries[..self.len].sort_unstable_by_key(|e| key(e.id));
    }
    /// Hands all of them over.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (u32, Place)> + use<> {
        let len = core::mem::take(&mut self.len);
        self.entries
            .into_iter()
            .take(len)
            .map(|e| (e.id, Place { fires: crate::time::Jiffies(e.fires), level: e.level }))
    }
    fn list(&self) -> &[Entry] {
        &self.entries[..self.len]
    }
}
