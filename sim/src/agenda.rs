//! When something happens next, and where: the earliest of many times, kept as they change.

use finwait_model::time::Instant;

/// Later than anything that happens.
pub(crate) const NEVER: Instant = Instant { ns: u64::MAX };

/// A time for each place. The earliest is known at once; a change costs as many steps as the number
/// of places has binary digits, so a world of two hosts pays nothing for one of two hundred.
#[derive(Clone, Debug)]
pub(crate) enum Agenda {
    /// So few that they are looked through.
    Few([Instant; FEW]),
    /// Any number.
    Many(Tree),
}

const FEW: usize = 4;

/// A tree of minima: node n is the earlier of nodes 2n and 2n + 1, the places are its leaves.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// Nodes 2n and 2n + 1 for each n: brothers stand together.
    pairs: Vec<[Instant; 2]>,
    /// How many leaves; a power of two.
    leaves: usize,
}

impl Agenda {
    /// Nothing is planned anywhere.
    pub(crate) fn new(places: usize) -> Self {
        if places <= FEW { Self::Few([NEVER; FEW]) } else { Self::Many(Tree::new(places)) }
    }
    /// The earliest time of all; [`NEVER`] if nothing is planned.
    #[inline]
    pub(crate) fn first(&self) -> Instant {
        match self {
            Self::Few([a, b, c, d]) => *a.min(b).min(c.min(d)),
            Self::Many(tree) => tree.first(),
        }
    }
    /// The same, and where that is; the first place among equals.
    #[inline]
    pub(crate) fn first_and_place(&self) -> (Instant, usize) {
        let first = self.first();
        let place = match self {
            Self::Few(times) => times.iter().position(|at| *at == first).unwrap_or_default(),
            Self::Many(tree) => tree.first_place(),
        };
        (first, place)
    }
    /// What is planned there.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> Instant {
        match self {
            Self::Few(times) => times[place],
            Self::Many(tree) => tree.node(tree.leaves + place),
        }
    }
    /// Plans a place anew.
    #[inline]
    pub(crate) fn set(&mut self, place: usize, at: Instant) {
        match self {
            Self::Few(times) => times[place] = at,
            Self::Many(tree) => tree.set(place, at),
        }
    }
    /// The first place at or behind `from` with something before `stop`.
    #[inline]
    pub(crate) fn next_before(&self, stop: Instant, from: usize) -> Option<usize> {
        match self {
            Self::Few(times) => (from..FEW).find(|place| times[*place] < stop),
            Self::Many(tree) => tree.next_before(stop, from),
        }
    }
}

impl Tree {
    fn new(places: usize) -> Self {
        let leaves = places.next_power_of_two();
        Self { pairs: vec![[NEVER; 2]; leaves], leaves }
    }
    #[inline]
    fn node(&self, node: usize) -> Instant {
        self.pairs[node / 2][node % 2]
    }
    #[inline]
    fn first(&self) -> Instant {
        let [left, right] = self.pairs[1];
        left.min(right)
    }
    #[inline]
    fn first_place(&self) -> usize {
        let first = self.first();
        let mut node = 1;
        while node < self.leaves {
            node = 2 * node + usize::from(self.pairs[node][0] != first);
        }
        node - self.leaves
    }
    #[inline]
    fn set(&mut self, place: usize, at: Instant) {
        let (mut node, mut earlier) = (self.leaves + place, at);
        loop {
            let pair = &mut self.pairs[node / 2];
            if pair[node % 2] == earlier {
                return;
            }
            pair[node % 2] = earlier;
            node /= 2;
            if node <= 1 {
                return;
            }
            earlier = pair[0].min(pair[1]);
        }
    }
    fn next_before(&self, stop: Instant, from: usize) -> Option<usize> {
        let mut node = self.leaves + from;
        if from >= self.leaves {
            return None;
        }
        while self.node(node) >= stop {
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
            if self.node(node) >= stop {
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
                prop_assert_eq!(Some(agenda.first_and_place().1), first);
                let stop = Instant { ns: stop };
                for from in 0..=places {
                    let found = (from..places).find(|&p| list[p] < stop);
                    prop_assert_eq!(agenda.next_before(stop, from), found);
                }
            }
        }
    }
}
