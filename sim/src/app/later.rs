//! What an application will do later: descriptors with a time, earliest first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use finwait_model::kernel::Fd;
use finwait_model::time::{Instant, Span};

use crate::agenda::NEVER;
use crate::rng::Stream;

/// A delay: always the same, or evenly distributed between two ends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Delay {
    /// The shortest.
    pub least: Span,
    /// The longest.
    pub most: Span,
}

impl Delay {
    /// Always the same.
    pub const fn always(span: Span) -> Self {
        Self { least: span, most: span }
    }
    /// None at all?
    pub const fn is_none(self) -> bool {
        self.most.ns == 0
    }
    const fn is_constant(self) -> bool {
        self.least.ns == self.most.ns
    }
    /// The delay this time.
    pub fn draw(self, stream: &mut Stream) -> Span {
        self.least + stream.span_up_to(Span::nanos(self.most.ns.saturating_sub(self.least.ns)))
    }
}

/// Descriptors that come due after one kind of delay. A constant delay comes due in the order in
/// which it was set, so it needs a ring only.
#[derive(Debug)]
pub(crate) struct Later {
    delay: Delay,
    queue: Queue,
    /// When the first one is due.
    first: Instant,
}

#[derive(Debug)]
enum Queue {
    Ring(VecDeque<(Instant, Fd)>),
    Heap { heap: BinaryHeap<Reverse<(Instant, u64, Fd)>>, next_number: u64 },
}

impl Later {
    pub(crate) fn new(delay: Delay) -> Self {
        let queue = if delay.is_constant() {
            Queue::Ring(VecDeque::new())
        } else {
            Queue::Heap { heap: BinaryHeap::new(), next_number: 0 }
        };
        Self { delay, queue, first: NEVER }
    }
    /// Sets a descriptor; says whether it is due at once, and then does not keep it.
    pub(crate) fn set(&mut self, now: Instant, fd: Fd, stream: &mut Stream) -> bool {
        if self.delay.is_none() {
            return true;
        }
        let at = now + self.delay.draw(stream);
        self.first = self.first.min(at);
        match &mut self.queue {
            Queue::Ring(ring) => ring.push_back((at, fd)),
            Queue::Heap { heap, next_number } => {
                heap.push(Reverse((at, *next_number, fd)));
                *next_number += 1;
            }
        }
        false
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.first != NEVER).then_some(self.first)
    }
    /// The same, or [`NEVER`].
    pub(crate) const fn first(&self) -> Instant {
        self.first
    }
    /// The next descriptor that is due by now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Fd> {
        if self.first > now {
            return None;
        }
        let (taken, next) = match &mut self.queue {
            Queue::Ring(ring) => {
                let taken = ring.pop_front().map(|e| e.1);
                (taken, ring.front().map(|e| e.0))
            }
            Queue::Heap { heap, .. } => {
                let taken = heap.pop().map(|e| e.0.2);
                (taken, heap.peek().map(|e| e.0.0))
            }
        };
        self.first = next.unwrap_or(NEVER);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fd(index: u32) -> Fd {
        Fd { index, generation: 0 }
    }

    #[test]
    fn due_in_order_of_time_whatever_the_delay() {
        let mut stream = Stream::new(1, "later");
        let range = Delay { least: Span::millis(1), most: Span::millis(50) };
        for delay in [Delay::always(Span::millis(5)), range] {
            let mut later = Later::new(delay);
            for i in 0..100 {
                assert!(!later.set(Instant { ns: u64::from(i) * 1_000_000 }, fd(i), &mut stream));
            }
            let mut seen = Vec::new();
            while let Some(at) = later.due() {
                assert_eq!(later.take(Instant { ns: at.ns - 1 }), None);
                seen.push((at, later.take(at)));
            }
            assert_eq!(seen.len(), 100);
            assert!(seen.is_sorted_by_key(|s| s.0));
        }
        assert!(Later::new(Delay::default()).set(Instant::ZERO, fd(0), &mut stream), "at once");
    }
}
