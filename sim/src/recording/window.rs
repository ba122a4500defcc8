//! The steps of a window of time: each host does all of its own before the next one has its turn,
//! and they are told in the order of time.

use finwait_model::time::Instant;

use super::step::Step;

/// The steps of a window. Their memory serves the next window again, and no step is moved.
#[derive(Clone, Default, Debug)]
pub(super) struct Window {
    turns: Vec<Turn>,
    /// Hosts with steps.
    busy: Vec<usize>,
    /// Whose step goes on.
    host: usize,
}

/// The steps of a host.
#[derive(Clone, Debug)]
struct Turn {
    /// Those that are kept, the one that goes on, and spare ones.
    steps: Vec<Step>,
    kept: usize,
    /// Telling: the next one.
    next: usize,
}

impl Window {
    pub(super) fn new(hosts: usize) -> Self {
        let turn = Turn { steps: vec![Step::default()], kept: 0, next: 0 };
        Self { turns: vec![turn; hosts], busy: Vec::new(), host: 0 }
    }
    /// A host begins a step, which is empty.
    #[inline]
    pub(super) fn begin(&mut self, at: Instant, host: u16) -> &mut Step {
        self.host = usize::from(host);
        let step = self.step();
        (step.at, step.host) = (at, host);
        step
    }
    /// The step that goes on.
    #[inline]
    pub(super) fn step(&mut self) -> &mut Step {
        let turn = &mut self.turns[self.host];
        &mut turn.steps[turn.kept]
    }
    /// The step that goes on is done, and it is kept.
    #[inline]
    pub(super) fn keep(&mut self) {
        let turn = &mut self.turns[self.host];
        if turn.kept == 0 {
            self.busy.push(self.host);
        }
        turn.kept += 1;
        if turn.kept == turn.steps.len() {
            turn.steps.push(Step::default());
        }
    }
    /// Tells every step in the order of time and hosts; and begins anew.
    pub(super) fn tell(&mut self, mut show: impl FnMut(&mut Step)) {
        self.busy.sort_unstable();
        while let Some(at) = self.earliest() {
            let turn = &mut self.turns[self.busy[at]];
            let step = &mut turn.steps[turn.next];
            show(step);
            step.clear();
            turn.next += 1;
            if turn.next == turn.kept {
                (turn.next, turn.kept) = (0, 0);
                self.busy.remove(at);
            }
        }
    }
    /// Who of the busy has the earliest step; of several the first host.
    #[inline]
    fn earliest(&self) -> Option<usize> {
        if self.busy.len() <= 1 {
            return self.busy.len().checked_sub(1);
        }
        let at = |&(_, &host): &(usize, &usize)| {
            let turn = &self.turns[host];
            turn.steps[turn.next].at
        };
        self.busy.iter().enumerate().min_by_key(at).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the hosts do, and in which order they have their turn, their steps are told
        /// as if they had been sorted; also in the next window.
        #[test]
        fn steps_are_told_in_the_order_of_time_and_hosts(
            windows in proptest::collection::vec(
                proptest::collection::vec((0..4_u16, 0..5_u64, any::<bool>()), 0..20), 1..4),
            backward in any::<bool>(),
        ) {
            let mut window = Window::new(4);
            for mut steps in windows {
                // Each host's turn is one piece, and within it time does not go back.
                steps.sort_by_key(|&(host, at, _)| (if backward { 3 - host } else { host }, at));
                let mut kept = Vec::new();
                for (n, (host, at, keep)) in steps.into_iter().enumerate() {
                    let at = Instant { ns: at };
                    let step = window.begin(at, host);
                    prop_assert!(step.is_empty());
                    if keep {
                        step.gauges.push((0, n as i64));
                        window.keep();
                        kept.push((at, host, n as i64));
                    }
                }
                kept.sort_unstable();
                let mut told = Vec::new();
                window.tell(|step| told.push((step.at, step.host, step.gauges[0].1)));
                prop_assert_eq!(told, kept);
            }
        }
    }
}
