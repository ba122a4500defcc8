//! When something happens next, and where: the earliest of many times, kept as they change.

use finwait_model::time::Instant;

/// Later than anything that happens.
pub(crate) const NEVER: Instant = Instant { ns: u64::MAX };

/// A time for each place. The earliest is known at once; a change costs as many steps as the number
/// of places has binary digits, so a world of two hosts pays nothing for one of two hundred.
#[derive(Clone, Debug)]
pub(crate) struct Agenda {
    /// A tree of minima: node n is the earlier of nodes 2n and 2n + 1, the places are its leaves.
    tree: Vec<Instant>,
    /// How many leaves; a power of two.
    leaves: usize,
}

impl Agenda {
    /// Nothing is planned anywhere.
    pub(crate) fn new(places: usize) -> Self {
        let leaves = places.next_power_of_two();
        Self { tree: vec![NEVER; 2 * leaves], leaves }
    }
    /// The earliest time of all; [`NEVER`] if nothing is planned.
    #[inline]
    pub(crate) fn first(&self) -> Instant {
        self.tree[1]
    }
    /// Where that is; the first place among equals.
    #[inline]
    pub(crate) fn first_place(&self) -> usize {
        let first = self.first();
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            if self.tree[node] != first {
                node += 1;
            }
        }
        node - self.leaves
    }
    /// What is planned there.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> Instant {
        self.tree[self.leaves + place]
    }
    /// Plans a place anew.
    #[inline]
    pub(crate) fn set(&mut self, place: usize, at: Instant) {
        let mut node = self.leaves + place;
        self.tree[node] = at;
        while node > 1 {
            let earlier = self.tree[node].min(self.tree[node ^ 1]);
            node /= 2;
            if self.tree[node] == earlier {
                return;
            }
            self.tree[node] = earlier;
        }
    }
    /// The first place at or behind `from` with something before `stop`.
    #[inline]
    pub(crate) fn next_before(&self, stop: Instant, from: usize) -> Option<usize> {
        let mut node = self.leaves + from;
        if from >= self.leaves {
            return None;
        }
        while self.tree[node] >= stop {
            // On to the right: up as long as this is a right child.
            while node & 1 == 1 {
                node /= 2;
                if node <= 1 {
                    return None;
                }
            }
            node += 1;
        }
        while node < self.leaves {
            node *= 2;
            if self.tree[node] >= stop {
                node += 1;
            }
        }
        Some(node - self.leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a plain list that is searched from one end to the other.
        #[test]
        fn it_is_a_list_that_is_searched(
            places in 1usize..20,
            changes in prop::collection::vec((0usize..20, 0u64..40, 0u64..50), 1..60),
        ) {
            let mut agenda = Agenda::new(places);
            let mut list = vec![NEVER; places];
            for (place, ns, stop) in changes {
                let place = place % places;
                // 39 stands for nothing.
                let at = if ns == 39 { NEVER } else { Instant { ns } };
                agenda.set(place, at);
                list[place] = at;
                prop_assert_eq!(Some(agenda.first()), list.iter().copied().min());
                prop_assert_eq!(agenda.at(place), at);
                let first = list.iter().position(|&at| at == agenda.first());
                prop_assert_eq!(Some(agenda.first_place()), first);
                let stop = Instant { ns: stop };
                for from in 0..=places {
                    let found = (from..places).find(|&p| list[p] < stop);
                    prop_assert_eq!(agenda.next_before(stop, from), found);
                }
            }
        }
    }
}
