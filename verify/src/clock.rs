//! The live kernel's tick: what `jiffies` is at a moment of CLOCK_MONOTONIC.
//!
//! Timers fire on ticks, and the timer wheel rounds long ones by the absolute value of `jiffies`.
//! With both known the model fires in the very tick in which the kernel does.

use finwait_model::time::Clock;

use crate::sys;

/// `jiffies` at boot: five minutes before a 32-bit count wraps `[INITIAL_JIFFIES]`.
const fn initial_jiffies(hz: u64) -> u64 {
    (1 << 32) - 300 * hz
}

/// How CLOCK_MONOTONIC and `jiffies` of this machine belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tick {
    /// Nanoseconds per tick.
    pub tick_ns: u64,
    /// `jiffies` minus whole ticks of CLOCK_MONOTONIC.
    pub offset: u64,
    /// Is `offset` known, or only the phase? Reading it takes root.
    pub exact: bool,
}

impl Tick {
    /// Reads it from this machine: ticks begin at whole multiples of their length on
    /// CLOCK_MONOTONIC `[tick_init_jiffy_update]`, and /proc/timer_list shows the count.
    pub fn of_this_machine() -> Self {
        let tick_ns = sys::tick_ns().max(1);
        let guess = initial_jiffies(1_000_000_000 / tick_ns);
        let mut best: Option<u64> = None;
        for _ in 0..8 {
            let before = sys::now_ns() / tick_ns;
            let Some(jiffies) = read_jiffies() else { break };
            if sys::now_ns() / tick_ns == before {
                let offset = jiffies - before;
                // An idle machine's jiffies lag behind until the next tick: the largest is right.
                best = Some(best.map_or(offset, |b| b.max(offset)));
            }
        }
        Self { tick_ns, offset: best.unwrap_or(guess), exact: best.is_some() }
    }

    /// The model's clock for a run whose zero is `zero_ns` of CLOCK_MONOTONIC.
    pub const fn clock(self, zero_ns: u64) -> Clock {
        Clock {
            hz: (1_000_000_000 / self.tick_ns) as u32,
            uptime_ns: zero_ns,
            boot_jiffies: self.offset,
        }
    }

    /// Which tick `ns` of CLOCK_MONOTONIC lies in.
    pub const fn of(self, ns: u64) -> u64 {
        ns / self.tick_ns
    }
}

fn read_jiffies() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/timer_list").ok()?;
    // One line per CPU, all the same variable; the last was printed last.
    let lines = text.lines().filter_map(|l| l.trim().strip_prefix("jiffies: "));
    lines.filter_map(|n| n.parse().ok()).next_back()
}
