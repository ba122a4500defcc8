//! One pool of connections, by the rules of lua-nginx-module's cosockets: who asks gets the
//! connection that was given back last; a full pool closes the one that was; and with a backlog,
//! who finds as many connections as the pool's size waits in a queue.
//!
//! It holds descriptors only. What is done with them is the business of [`super::Pool`].

use std::collections::VecDeque;

use finwait_model::kernel::Fd;

/// A pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cache {
    /// How many idle connections it keeps; fixed when it is made.
    size: u32,
    /// How many connect operations may wait; `None`: nobody waits and nothing is limited.
    backlog: Option<u32>,
    /// Connections that it counts, idle or in use, and connect operations that wait.
    connections: u32,
    /// The idle ones, the most recently returned in front.
    idle: VecDeque<Fd>,
    /// Numbers of the requests that wait for a connection, the longest waiting in front.
    waiting: VecDeque<u64>,
}

/// What a request gets that asks for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Take {
    /// This one, out of the pool.
    Pooled(Fd),
    /// It has to make its own, which the pool counts from now on.
    Fresh,
    /// It stands in the queue.
    Waits,
    /// The queue is full: "too many waiting connect operations".
    TooMany,
}

impl Cache {
    /// An empty one.
    pub(super) const fn new(size: u32, backlog: Option<u32>) -> Self {
        Self { size, backlog, connections: 0, idle: VecDeque::new(), waiting: VecDeque::new() }
    }
    /// A request asks for a connection. One that has waited already does not wait again.
    pub(super) fn take(&mut self, request: u64, has_waited: bool) -> Take {
        if let Some(fd) = self.idle.pop_front() {
            return Take::Pooled(fd);
        }
        if let Some(backlog) = self.backlog.filter(|_| !has_waited) {
            if self.connections >= self.size.saturating_add(backlog) {
                return Take::TooMany;
            }
            if self.connections >= self.size {
                self.connections += 1;
                self.waiting.push_back(request);
                return Take::Waits;
            }
        }
        self.connections += 1;
        Take::Fresh
    }
    /// A connection comes back; `counted`: does the pool count it already? Answers the least
    /// recently used one if there was no room: that one is out of the pool and must be closed.
    pub(super) fn park(&mut self, fd: Fd, counted: bool) -> Option<Fd> {
        let evicted =
            if self.idle.len() >= self.size as usize { self.idle.pop_back() } else { None };
        match evicted {
            // The one that goes was counted; the one that comes takes its place, or had its own.
            Some(_) if counted => self.connections -= 1,
            Some(_) => {}
            None if counted => {}
            None => self.connections += 1,
        }
        self.idle.push_front(fd);
        evicted
    }
    /// An idle connection is closed where it lies.
    pub(super) fn remove(&mut self, fd: Fd) {
        let before = self.idle.len();
        self.idle.retain(|idle| *idle != fd);
        if self.idle.len() < before {
            self.connections -= 1;
        }
    }
    /// A connection that the pool counts was closed by who had it, or never came about.
    pub(super) const fn forget(&mut self) {
        self.connections = self.connections.saturating_sub(1);
    }
    /// The request that has waited longest leaves the queue; it asks again, as one that has waited.
    pub(super) fn next_waiting(&mut self) -> Option<u64> {
        let first = self.waiting.pop_front()?;
        self.connections -= 1;
        Some(first)
    }
    /// A request has waited for too long; says whether it still did.
    pub(super) fn gives_up(&mut self, request: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| *waiting != request);
        let gone = self.waiting.len() < before;
        if gone {
            self.connections -= 1;
        }
        gone
    }
    /// Does nothing keep it? Then it is freed, and the next one may have another size.
    pub(super) const fn is_over(&self) -> bool {
        self.connections == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn fd(index: u32) -> Fd {
        Fd { index, generation: 0 }
    }

    #[test]
    fn who_came_back_last_goes_first_and_the_oldest_is_evicted() {
        let mut pool = Cache::new(2, None);
        for n in 0..3 {
            assert_eq!(pool.take(n, false), Take::Fresh);
        }
        assert_eq!(pool.park(fd(0), true), None);
        assert_eq!(pool.park(fd(1), true), None);
        assert_eq!(pool.park(fd(2), true), Some(fd(0)));
        assert_eq!(pool.take(3, false), Take::Pooled(fd(2)));
        assert_eq!(pool.take(4, false), Take::Pooled(fd(1)));
        assert_eq!(pool.take(5, false), Take::Fresh, "without a backlog nothing is limited");
    }

    #[test]
    fn a_backlog_makes_wait_and_then_refuses() {
        let mut pool = Cache::new(1, Some(1));
        assert_eq!(pool.take(0, false), Take::Fresh);
        assert_eq!(pool.take(1, false), Take::Waits);
        assert_eq!(pool.take(2, false), Take::TooMany);
        assert_eq!(pool.park(fd(0), true), None);
        assert_eq!(pool.next_waiting(), Some(1));
        assert_eq!(pool.take(1, true), Take::Pooled(fd(0)));
        pool.forget();
        assert!(pool.is_over());
    }

    /// What a test does with a pool.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Take,
        Park(usize),
        Close(usize),
        CloseIdle(usize),
        GiveUp,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => Just(Act::Take),
            4 => any::<usize>().prop_map(Act::Park),
            1 => any::<usize>().prop_map(Act::Close),
            1 => any::<usize>().prop_map(Act::CloseIdle),
            1 => Just(Act::GiveUp),
        ]
    }

    proptest! {
        #[test]
        fn never_in_two_hands_never_too_many_and_always_the_last_one_back(
            size in 1_u32..5,
            backlog in proptest::option::of(0_u32..4),
            acts in proptest::collection::vec(act(), 1..200),
        ) {
            let mut pool = Cache::new(size, backlog);
            let mut next = 0;
            let mut used: Vec<Fd> = Vec::new();
            let mut idle: Vec<Fd> = Vec::new();
            let mut waiting: VecDeque<u64> = VecDeque::new();
            for (n, act) in acts.into_iter().enumerate() {
                let request = n as u64;
                let mut takes = Vec::new();
                let mut frees = false;
                match act {
                    Act::Take => takes.push((request, false)),
                    Act::Park(which) if !used.is_empty() => {
                        let fd = used.remove(which % used.len());
                        let evicted = pool.park(fd, true);
                        let full = idle.len() == size as usize;
                        prop_assert_eq!(evicted, full.then(|| idle.remove(0)));
                        idle.push(fd);
                        frees = true;
                    }
                    Act::Close(which) if !used.is_empty() => {
                        used.remove(which % used.len());
                        pool.forget();
                        frees = true;
                    }
                    Act::CloseIdle(which) if !idle.is_empty() => {
                        pool.remove(idle.remove(which % idle.len()));
                        frees = true;
                    }
                    Act::GiveUp => {
                        if let Some(request) = waiting.pop_back() {
                            prop_assert!(pool.gives_up(request));
                        }
                    }
                    _ => {}
                }
                if frees && let Some(first) = pool.next_waiting() {
                    prop_assert_eq!(waiting.pop_front(), Some(first));
                    takes.push((first, true));
                }
                for (request, has_waited) in takes {
                    match pool.take(request, has_waited) {
                        Take::Pooled(fd) => {
                            prop_assert_eq!(idle.pop(), Some(fd), "the last one back");
                            used.push(fd);
                        }
                        Take::Fresh => {
                            prop_assert!(idle.is_empty());
                            used.push(fd(next));
                            next += 1;
                        }
                        Take::Waits => waiting.push_back(request),
                        Take::TooMany => prop_assert_eq!(waiting.len(), backlog.unwrap_or(0) as usize),
                    }
                }
                let hands: BTreeSet<Fd> = used.iter().chain(&idle).copied().collect();
                prop_assert_eq!(hands.len(), used.len() + idle.len(), "in one hand each");
                prop_assert!(idle.len() <= size as usize && pool.idle.len() == idle.len());
                if let Some(backlog) = backlog {
                    prop_assert!(used.len() + idle.len() <= size as usize);
                    prop_assert!(waiting.len() <= backlog as usize);
                }
                prop_assert_eq!(pool.is_over(), used.is_empty() && idle.is_empty() && waiting.is_empty());
            }
        }
    }
}
