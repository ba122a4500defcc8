//! What is on its way to a host, as far as the block knows: who arrives next needs no words.

use std::collections::VecDeque;

use finwait_model::segment::Segment;
use finwait_model::time::Instant;

/// A segment on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) arrives: Instant,
    /// Its connection's number.
    pub(super) conn: usize,
    pub(super) segment: Segment,
}

/// What is on its way to a host: by arrival, equal ones in the order of sending.
#[derive(Clone, Default, Debug)]
pub(super) struct Coming {
    queue: VecDeque<Sent>,
}

impl Coming {
    /// Begins anew, in the same memory.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }
    /// A segment leaves, and will arrive here.
    #[inline]
    pub(super) fn add(&mut self, sent: Sent) {
        match self.queue.back() {
            Some(last) if sent.arrives < last.arrives => {
                let place = self.queue.partition_point(|other| other.arrives <= sent.arrives);
                self.queue.insert(place, sent);
            }
            _ => self.queue.push_back(sent),
        }
    }
    /// Which of those that arrive first it is, counted from 1; 0 if it is none of them.
    #[inline]
    pub(super) fn place(&self, at: Instant, segment: &Segment) -> u64 {
        match self.queue.front() {
            Some(first) if first.arrives == at => {
                // Nearly always nothing else arrives at that nanosecond.
                if first.segment == *segment { 1 } else { self.place_among(at, segment) }
            }
            _ => 0,
        }
    }
    #[cold]
    fn place_among(&self, at: Instant, segment: &Segment) -> u64 {
        let mut equal = self.queue.iter().take_while(|sent| sent.arrives == at);
        equal.position(|sent| sent.segment == *segment).map_or(0, |n| n as u64 + 1)
    }
    /// Takes the one at that place, counted from 1.
    #[inline]
    pub(super) fn take(&mut self, place: u64) -> Option<Sent> {
        if place == 1 {
            return self.queue.pop_front();
        }
        self.queue.remove(usize::try_from(place).ok()?.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As a list would that is searched from its beginning.
        #[test]
        fn places_are_those_of_a_sorted_list(
            sent in proptest::collection::vec((0..4_u64, 0..3_u16), 1..12),
            arrives in proptest::collection::vec((0..4_u64, 0..3_u16), 1..12),
        ) {
            let segment = |len| Segment { len, ..Segment::default() };
            let (mut coming, mut list) = (Coming::default(), Vec::new());
            for (conn, (ns, len)) in sent.into_iter().enumerate() {
                let arrives = Instant { ns };
                coming.add(Sent { arrives, conn, segment: segment(len) });
                list.push((ns, conn, len));
            }
            list.sort_by_key(|&(ns, ..)| ns);
            prop_assert!(coming.take(0).is_none());
            for (ns, len) in arrives {
                let first = list.first().filter(|first| first.0 == ns);
                let found = first.and_then(|_| list.iter().position(|s| s.0 == ns && s.2 == len));
                let place = coming.place(Instant { ns }, &segment(len));
                prop_assert_eq!(place, found.map_or(0, |n| n as u64 + 1));
                if let Some(found) = found {
                    let taken = coming.take(place).expect("it is there");
                    prop_assert_eq!(taken.conn, list.remove(found).1);
                }
            }
        }
    }
}
