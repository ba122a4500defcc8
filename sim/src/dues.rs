//! When each of a host's applications wants its turn.

use finwait_model::time::Instant;

use crate::agenda::NEVER;

/// A time for each of them, and who is first. Most wait for somebody else and want no turn at any time,
/// so those that do stand in a short list.
#[derive(Clone, Debug)]
pub(crate) struct Dues {
    /// By application; [`NEVER`] if it wants none.
    at: Vec<Instant>,
    /// Those that want one, the first of them at the end; among equals the one that stands first.
    list: Vec<(Instant, u16)>,
}

impl Dues {
    /// So many, none of which wants its turn.
    pub(crate) fn new(applications: usize) -> Self {
        Self { at: vec![NEVER; applications], list: Vec::new() }
    }
    /// When the first one wants its turn.
    #[inline]
    pub(crate) fn first(&self) -> Instant {
        self.list.last().map_or(NEVER, |first| first.0)
    }
    /// Which one that is; the one that stands first if there is none.
    #[inline]
    pub(crate) fn first_place(&self) -> u16 {
        self.list.last().map_or(0, |first| first.1)
    }
    /// One wants its turn then.
    #[inline]
    pub(crate) fn set(&mut self, place: u16, at: Instant) {
        let before = core::mem::replace(&mut self.at[usize::from(place)], at);
        if before != at {
            self.move_to(place, before, at);
        }
    }
    #[inline(never)]
    fn move_to(&mut self, place: u16, before: Instant, at: Instant) {
        if before != NEVER {
            self.remove((before, place));
        }
        if at != NEVER {
            self.insert((at, place));
        }
    }
    /// Whoever is set is most often one of the first, so both look from the end on.
    #[inline]
    fn remove(&mut self, one: (Instant, u16)) {
        let Some(mut kept) = self.list.pop() else { return };
        for other in self.list.iter_mut().rev() {
            if kept == one {
                return;
            }
            core::mem::swap(other, &mut kept);
        }
    }
    #[inline]
    fn insert(&mut self, one: (Instant, u16)) {
        self.list.push(one);
        for place in (1..self.list.len()).rev() {
            if self.list[place - 1] > one {
                return;
            }
            self.list.swap(place - 1, place);
        }
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
            applications in 1usize..20,
            changes in prop::collection::vec((0usize..20, 0u64..40), 1..60),
        ) {
            let mut dues = Dues::new(applications);
            let mut list = vec![NEVER; applications];
            for (place, ns) in changes {
                let place = place % applications;
                // 39 stands for no turn.
                let at = if ns == 39 { NEVER } else { Instant { ns } };
                dues.set(place as u16, at);
                list[place] = at;
                prop_assert_eq!(Some(dues.first()), list.iter().copied().min());
                let first = list.iter().position(|&at| at == dues.first());
                prop_assert_eq!(Some(usize::from(dues.first_place())), first);
            }
        }
    }
}
