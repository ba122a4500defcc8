//! The death row since 4.1: a timer per bucket.

use alloc::vec::Vec;

use super::fifo::{Fifo, NEVER};
use super::{Killer, Tag, Tags};
use crate::time::Jiffies;
use crate::timer::queue::TimerQueue;
use crate::timer::wheel::Rounding;

/// A host has few timeouts at any time (60 s, `tcp_fin_timeout`, 3.5 RTO), and buckets with equal
/// timeouts die in the order of their birth, also after rounding. So there is a queue per timeout
/// and no timer at all: 8 bytes a bucket, and its [`Tag`].
///
/// Of those that die at the same tick, queues come in the order in which they were first used.
#[derive(Clone, Debug)]
pub(super) struct PerBucket {
    /// Queue n is class n + 1.
    queues: Vec<Fifo>,
    /// For what finds all queues taken by other timeouts.
    others: TimerQueue,
    /// The tick of the next death, or [`NEVER`].
    next: u64,
    len: usize,
}

const QUEUES_MAX: usize = 8;
/// The class of buckets in [`PerBucket::others`].
const OTHERS: u32 = 15;
/// Timeouts from here on, in ticks, would break the queues' arithmetic on half ticks.
const TIMEOUT_LIMIT: u64 = 1 << 31;

impl PerBucket {
    pub(super) const fn new() -> Self {
        Self { queues: Vec::new(), others: TimerQueue::new(Rounding::Wheel), next: NEVER, len: 0 }
    }

    pub(super) fn schedule(&mut self, tags: &mut impl Tags, id: u32, now: u64, timeout: u64) {
        self.remove(tags, id);
        self.len += 1;
        if let Some(n) = self.queue_for(timeout) {
            let queue = &mut self.queues[n];
            queue.push(tags, id, now);
            self.next = self.next.min(queue.dies());
        } else {
            tags.set_tag(id, Tag::new(OTHERS, 0));
            self.others.arm(id, Jiffies(now), Jiffies(now.saturating_add(timeout)));
            self.find_next();
        }
    }

    pub(super) fn remove(&mut self, tags: &mut impl Tags, id: u32) {
        let tag = tags.tag(id);
        match tag.class() {
            0 => return,
            OTHERS => {
                self.others.cancel(id);
                tags.set_tag(id, Tag::NONE);
                self.find_next();
            }
            class => {
                if self.queues[class as usize - 1].remove(tags, tag) {
                    self.find_next();
                }
            }
        }
        self.len -= 1;
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn expires(&self, tags: &impl Tags, id: u32) -> Option<u64> {
        let tag = tags.tag(id);
        match tag.class() {
            0 => None,
            OTHERS => self.others.expires(id).map(|tick| tick.0),
            class => Some(self.queues[class as usize - 1].expires(tag)),
        }
    }

    pub(super) fn next(&self) -> Option<u64> {
        (self.next != NEVER).then_some(self.next)
    }

    pub(super) fn next_death(&self) -> Option<u64> {
        self.next()
    }

    pub(super) fn pop_due(&mut self, tags: &mut impl Tags, now: u64) -> Option<(u32, Killer)> {
        let next = self.next().filter(|&next| next <= now)?;
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.dies() == next) {
            let id = queue.pop(tags);
            self.len -= 1;
            if queue.dies() != next {
                self.find_next();
            }
            return Some((id, Killer::Own));
        }
        let id = self.others.first()?;
        self.remove(tags, id);
        Some((id, Killer::Own))
    }

    pub(super) fn bytes(&self) -> usize {
        let queues: usize = self.queues.iter().map(Fifo::bytes).sum();
        queues + self.others.bytes()
    }

    /// The queue for a timeout: its own, else one that is free.
    fn queue_for(&mut self, timeout: u64) -> Option<usize> {
        if timeout >= TIMEOUT_LIMIT {
            return None;
        }
        let own = |queue: &Fifo| queue.timeout() == timeout && !queue.is_empty();
        if let Some(n) = self.queues.iter().position(own) {
            return Some(n);
        }
        if let Some(n) = self.queues.iter().position(Fifo::is_empty) {
            self.queues[n].reuse(timeout);
            return Some(n);
        }
        let n = self.queues.len();
        if n == QUEUES_MAX {
            return None;
        }
        self.queues.push(Fifo::new(n as u32 + 1, timeout));
        Some(n)
    }

    fn find_next(&mut self) {
        let others = self.others.next().map_or(NEVER, |tick| tick.0);
        self.next = self.queues.iter().map(Fifo::dies).fold(others, u64::min);
    }
}
