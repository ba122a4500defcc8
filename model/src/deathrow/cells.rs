//! The death row up to 4.0: eight cells with a slow hand, and a fast wheel for short waits.

use alloc::vec;
use alloc::vec::Vec;

use super::Killer;
use crate::table::slab::reach;
use crate::time::Jiffies;
use crate::timer::wheel::{Rounding, fires_at};

/// Cells of the slow hand (`INET_TWDR_TWKILL_SLOTS`).
const SLOW_CELLS: usize = 8;
/// Cells of the fast wheel (`INET_TWDR_RECYCLE_SLOTS`).
const FAST_CELLS: usize = 32;
/// A tick that finds more buckets than this leaves its cell to the worker and the hand where it is
/// (`INET_TWDR_TWKILL_QUOTA`).
pub(super) const QUOTA: usize = 100;
/// The length of TIME_WAIT in seconds (`TCP_TIMEWAIT_LEN`).
const TIMEWAIT_S: u64 = 60;

/// Index of the first cell of the fast wheel in [`Cells::chains`].
const FAST: usize = SLOW_CELLS;
/// Index of the chain of those that are dead and not yet popped.
const DEAD: usize = FAST + FAST_CELLS;
/// In [`Node::chain`]: not on the row.
const NOWHERE: u8 = u8::MAX;
/// Not a bucket: the end of a chain.
const NIL: u32 = u32::MAX;
/// Not a tick: a timer that is not armed.
const NEVER: u64 = u64::MAX;

/// The row. Ticks are handled at the tick they fire at, however late the caller asks.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// Ticks between two moves of the slow hand: an eighth of TIME_WAIT.
    period: u64,
    /// TIME_WAIT in ticks.
    timewait: u64,
    /// Base-2 logarithm of the fast wheel's step in ticks (`INET_TWDR_RECYCLE_TICK`).
    step_shift: u32,
    /// By id.
    nodes: Vec<Node>,
    /// Slow cells, fast cells, and the dead.
    chains: Vec<Chain>,
    /// The cell of the next slow tick.
    hand: usize,
    /// Buckets in cells: all but the dead.
    count: usize,
    /// When the slow timer fires.
    slow: u64,
    /// When the fast timer fires.
    fast: u64,
    /// The fast wheel's first cell and the tick it stands for; `None` while the wheel is idle.
    fast_hand: Option<(usize, u64)>,
    /// Who killed the dead, and when.
    killer: Killer,
    died: u64,
    /// The latest tick heard of. Expiries, of which half is kept, lie around it.
    clock: u64,
}

/// A bucket in the doubly linked list of its chain.
#[derive(Clone, Copy, Debug)]
struct Node {
    previous: u32,
    next: u32,
    /// The lower half of the tick that `ss` counts down to.
    expires: u32,
    chain: u8,
}

impl Node {
    const NOWHERE: Self = Self { previous: NIL, next: NIL, expires: 0, chain: NOWHERE };
}

/// Buckets, the newest first, as the kernel puts them into its lists.
#[derive(Clone, Copy, Debug)]
struct Chain {
    head: u32,
    tail: u32,
    len: usize,
}

impl Chain {
    const EMPTY: Self = Self { head: NIL, tail: NIL, len: 0 };
}

/// The old kernel's timers fire exactly, apart from slack.
const fn timer(now: u64, expires: u64) -> u64 {
    fires_at(Rounding::Exact, Jiffies(now), Jiffies(expires)).0
}

impl Cells {
    pub(super) fn new(hz: u32) -> Self {
        let hz = hz.max(8);
        Self {
            period: TIMEWAIT_S * u64::from(hz) / SLOW_CELLS as u64,
            timewait: TIMEWAIT_S * u64::from(hz),
            step_shift: hz.next_power_of_two().ilog2() - 3,
            nodes: Vec::new(),
            chains: vec![Chain::EMPTY; DEAD + 1],
            hand: 0,
            count: 0,
            slow: NEVER,
            fast: NEVER,
            fast_hand: None,
            killer: Killer::Slow,
            died: 0,
            clock: 0,
        }
    }

    pub(super) fn schedule(&mut self, id: u32, now: u64, timeout: u64) {
        self.clock = self.clock.max(now);
        let index = id as usize;
        reach(&mut self.nodes, index, Node::NOWHERE);
        // Unlike removal, moving the only bucket does not stop the slow timer.
        self.unlink(id);
        let steps = timeout.div_ceil(1 << self.step_shift);
        let (chain, wait) = if steps >= FAST_CELLS as u64 {
            // The half of the expiry that is kept reaches 2^31 ticks; nothing waits as long.
            (self.slow_cell(timeout), timeout.min(u64::from(u32::MAX / 2)))
        } else {
            (self.fast_cell(now, steps as usize), steps << self.step_shift)
        };
        self.nodes[index].expires = (now + wait) as u32;
        self.link(id, chain);
        self.count += 1;
        if self.count == 1 {
            // The hand stays where it was, but a whole period begins.
            self.slow = timer(now, now + self.period);
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        // The dead have left the count already, and their tick has seen to the timer.
        let waits = self.nodes.get(id as usize).is_some_and(|n| usize::from(n.chain) < DEAD);
        self.unlink(id);
        if waits && self.count == 0 {
            self.slow = NEVER;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count + self.chains[DEAD].len
    }

    pub(super) fn expires(&self, id: u32) -> Option<u64> {
        let node = self.nodes.get(id as usize).filter(|n| n.chain != NOWHERE)?;
        let from_clock = node.expires.wrapping_sub(self.clock as u32).cast_signed();
        Some(self.clock.saturating_add_signed(i64::from(from_clock)))
    }

    pub(super) fn next(&self) -> Option<u64> {
        if self.chains[DEAD].len > 0 {
            return Some(self.died);
        }
        let next = self.slow.min(self.fast);
        (next != NEVER).then_some(next)
    }

    pub(super) fn next_death(&self) -> Option<u64> {
        if self.chains[DEAD].len > 0 {
            return Some(self.died);
        }
        let death = self.next_slow_death().min(self.next_fast_death());
        (death != NEVER).then_some(death)
    }

    pub(super) fn pop_due(&mut self, now: u64) -> Option<(u32, Killer)> {
        self.clock = self.clock.max(now);
        loop {
            let dead = self.chains[DEAD].head;
            if dead != NIL {
                self.unlink(dead);
                return Some((dead, self.killer));
            }
            let tick = self.slow.min(self.fast);
            if tick == NEVER || tick > now {
                return None;
            }
            self.died = tick;
            if self.slow == tick {
                self.killer = Killer::Slow;
                self.slow_tick(tick);
            } else {
                self.killer = Killer::Fast;
                self.fast_tick(tick);
            }
        }
    }

    /// Where both hands stand, when they move, and who lies in which cell, in the order of death.
    pub(super) fn write_state(&self, out: &mut impl core::fmt::Write) -> core::fmt::Result {
        write!(out, " {} {:?} {:?}", self.hand, self.fast_hand, [self.slow, self.fast])?;
        for (cell, chain) in self.chains.iter().enumerate().filter(|(_, chain)| chain.len > 0) {
            write!(out, " {cell}:")?;
            let mut id = chain.head;
            while id != NIL {
                write!(out, "{id},")?;
                id = self.nodes[id as usize].next;
            }
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.chains.capacity() * size_of::<Chain>()
    }

    /// The slow cell for a timeout: the one the hand reaches after it, as far as there is one.
    fn slow_cell(&self, timeout: u64) -> usize {
        let farthest = SLOW_CELLS - 1;
        let ahead = if timeout >= self.timewait {
            farthest
        } else {
            (timeout.div_ceil(self.period) as usize).min(farthest)
        };
        (self.hand + ahead) % SLOW_CELLS
    }

    /// The fast cell for a wait of so many steps; sees to it that the timer fires by then.
    fn fast_cell(&mut self, now: u64, steps: usize) -> usize {
        let expires = now + ((steps as u64) << self.step_shift);
        let Some((hand, _)) = self.fast_hand else {
            self.fast_hand = Some((0, now));
            self.fast = timer(now, expires);
            return FAST + steps;
        };
        if self.fast > expires {
            self.fast = timer(now, expires);
        }
        FAST + (hand + steps) % FAST_CELLS
    }

    /// The slow hand's tick `[inet_twdr_hangman]`. The worker `[inet_twdr_twkill_work]` is taken
    /// to run right after it, so it makes no difference which of the two kills a bucket.
    fn slow_tick(&mut self, tick: u64) {
        self.slow = NEVER;
        if self.count == 0 {
            return;
        }
        let within_quota = self.chains[self.hand].len <= QUOTA;
        self.kill(self.hand);
        if within_quota {
            self.hand = (self.hand + 1) % SLOW_CELLS;
        }
        // Above the quota the tick cannot know that the worker will leave nothing.
        if !within_quota || self.count > 0 {
            self.slow = timer(tick, tick + self.period);
        }
    }

    /// The fast wheel's tick `[inet_twdr_twcal_tick]`: no quota, any number of cells.
    fn fast_tick(&mut self, tick: u64) {
        self.fast = NEVER;
        let Some((mut cell, mut due)) = self.fast_hand.take() else { return };
        for _ in 0..FAST_CELLS {
            if due <= tick {
                self.kill(FAST + cell);
            } else {
                self.fast_hand = self.fast_hand.or(Some((cell, due)));
                if self.chains[FAST + cell].len > 0 {
                    self.fast = timer(tick, due);
                    break;
                }
            }
            due += 1 << self.step_shift;
            cell = (cell + 1) % FAST_CELLS;
        }
        if self.fast == NEVER {
            self.fast_hand = None;
        }
        if self.count == 0 {
            self.slow = NEVER;
        }
    }

    fn next_slow_death(&self) -> u64 {
        let mut tick = self.slow;
        for ahead in 0..SLOW_CELLS {
            if self.chains[(self.hand + ahead) % SLOW_CELLS].len > 0 {
                return tick;
            }
            tick = timer(tick, tick.saturating_add(self.period));
        }
        NEVER
    }

    fn next_fast_death(&self) -> u64 {
        let Some((hand, base)) = self.fast_hand else { return NEVER };
        for ahead in 0..FAST_CELLS {
            if self.chains[FAST + (hand + ahead) % FAST_CELLS].len > 0 {
                let due = base + ((ahead as u64) << self.step_shift);
                // A tick that comes too early for the cell arms the timer again.
                return if due <= self.fast { self.fast } else { timer(self.fast, due) };
            }
        }
        NEVER
    }

    fn link(&mut self, id: u32, chain: usize) {
        let list = &mut self.chains[chain];
        let next = list.head;
        list.head = id;
        list.len += 1;
        if next == NIL {
            list.tail = id;
        } else {
            self.nodes[next as usize].previous = id;
        }
        let node = &mut self.nodes[id as usize];
        node.previous = NIL;
        node.next = next;
        node.chain = chain as u8;
    }

    /// Takes a bucket out of its chain, if it is in one.
    fn unlink(&mut self, id: u32) {
        let Some(node) = self.nodes.get_mut(id as usize) else { return };
        if node.chain == NOWHERE {
            return;
        }
        let Node { previous, next, chain, .. } = *node;
        node.chain = NOWHERE;
        let chain = chain as usize;
        let list = &mut self.chains[chain];
        list.len -= 1;
        if previous == NIL {
            list.head = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next == NIL {
            list.tail = previous;
        } else {
            self.nodes[next as usize].previous = previous;
        }
        if chain != DEAD {
            self.count -= 1;
        }
    }

    /// Moves all of a cell to the dead.
    fn kill(&mut self, cell: usize) {
        let Chain { head, tail, len } = core::mem::replace(&mut self.chains[cell], Chain::EMPTY);
        if len == 0 {
            return;
        }
        let mut id = head;
        while id != NIL {
            let node = &mut self.nodes[id as usize];
            node.chain = DEAD as u8;
            id = node.next;
        }
        let dead = &mut self.chains[DEAD];
        let last = dead.tail;
        dead.tail = tail;
        dead.len += len;
        if last == NIL {
            dead.head = head;
        } else {
            self.nodes[last as usize].next = head;
            self.nodes[head as usize].previous = last;
        }
        self.count -= len;
    }
}
