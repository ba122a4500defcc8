//! Time as values: nanoseconds outside, jiffies inside. The only place that converts.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A point on the simulated clock, in nanoseconds since the run began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Instant {
    /// Nanoseconds since the run began.
    pub ns: u64,
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Span {
    /// Nanoseconds.
    pub ns: u64,
}

impl Instant {
    /// The beginning of the run.
    pub const ZERO: Self = Self { ns: 0 };

    /// The span since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span { ns: self.ns.saturating_sub(earlier.ns) }
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self { ns: 0 };

    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self { ns: n * 1_000_000_000 }
    }
    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Self {
        Self { ns: n * 1_000_000 }
    }
    /// `n` microseconds.
    pub const fn micros(n: u64) -> Self {
        Self { ns: n * 1_000 }
    }
    /// `n` nanoseconds.
    pub const fn nanos(n: u64) -> Self {
        Self { ns: n }
    }
}

impl Add<Span> for Instant {
    type Output = Self;
    fn add(self, rhs: Span) -> Self {
        Self { ns: self.ns.saturating_add(rhs.ns) }
    }
}
impl AddAssign<Span> for Instant {
    fn add_assign(&mut self, rhs: Span) {
        *self = *self + rhs;
    }
}
impl Sub for Instant {
    type Output = Span;
    fn sub(self, rhs: Self) -> Span {
        self.since(rhs)
    }
}
impl Add for Span {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self { ns: self.ns.saturating_add(rhs.ns) }
    }
}

/// Seconds with six decimals, as packet tools print them.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.ns / 1_000_000_000, self.ns / 1_000 % 1_000_000)
    }
}
/// The shortest exact form with a unit: `60s`, `43ms`, `1.5ms`, `12us`, `7ns`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.ns {
            0 => return f.write_str("0s"),
            ns if ns >= 1_000_000_000 => (1_000_000_000, "s"),
            ns if ns >= 1_000_000 => (1_000_000, "ms"),
            ns if ns >= 1_000 => (1_000, "us"),
            _ => (1, "ns"),
        };
        write!(f, "{}", self.ns / unit)?;
        let mut rest = self.ns % unit;
        if rest > 0 {
            f.write_str(".")?;
            let mut place = unit / 10;
            while rest > 0 {
                write!(f, "{}", rest / place)?;
                rest %= place;
                place /= 10;
            }
        }
        f.write_str(name)
    }
}

/// A count of timer ticks since the host booted (or a number of ticks).
///
/// The host's own `jiffies` variable starts elsewhere; only differences and, for the timer wheel's
/// granules, the value modulo a power of two matter, and the host's [`Clock`] fixes both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Jiffies(pub u64);

impl Jiffies {
    /// What a socket keeps of it.
    pub(crate) const fn stamp(self) -> Stamp {
        Stamp(self.0 as u32)
    }
    /// How long ago a socket noted that.
    pub(crate) const fn since(self, then: Stamp) -> Self {
        Self((self.0 as u32).wrapping_sub(then.0) as u64)
    }
}

/// A tick in the past or near future as a socket keeps it: its low 32 bits, and so distances are
/// right up to 49 days at 1000 ticks per second. `[tcp_jiffies32]`
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Stamp(pub(crate) u32);

impl Stamp {
    /// How long it is until then; zero if that is past.
    pub(crate) const fn left(self, now: Jiffies) -> Jiffies {
        let left = self.0.wrapping_sub(now.0 as u32) as i32;
        Jiffies(if left < 0 { 0 } else { left as u64 })
    }
}

impl Add for Jiffies {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}
impl Sub for Jiffies {
    type Output = Self;
    /// Saturates at zero.
    fn sub(self, rhs: Self) -> Self {
        Self(self.0.saturating_sub(rhs.0))
    }
}

/// A host's tick: how often it comes, and where the run's beginning lies on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Ticks per second: 100, 250, 300 or 1000 (`CONFIG_HZ`).
    pub hz: u32,
    /// Kernel time (CLOCK_MONOTONIC, nanoseconds) when the run's clock shows [`Instant::ZERO`].
    pub uptime_ns: u64,
    /// The number of the tick at kernel time 0. Only the timer wheel's granules see it.
    pub boot_jiffies: u64,
}

impl Clock {
    /// A host whose ticks are counted from kernel time 0.
    pub const fn new(hz: u32, uptime_ns: u64) -> Self {
        Self { hz, uptime_ns, boot_jiffies: 0 }
    }
    /// Nanoseconds per tick.
    pub const fn tick_ns(self) -> u64 {
        match self.hz {
            1000 => 1_000_000,
            250 => 4_000_000,
            100 => 10_000_000,
            hz => 1_000_000_000 / hz as u64,
        }
    }
    /// The tick that has begun last at `now`.
    pub const fn jiffies(self, now: Instant) -> Jiffies {
        let ns = now.ns + self.uptime_ns;
        Jiffies(self.whole_ticks(ns) + self.boot_jiffies)
    }
    /// How often a tick fits into so many nanoseconds. Every segment asks several times, so it is a
    /// multiplication instead of a division: by 2^64 / tick, rounded down, which is too little by one
    /// at most.
    const fn whole_ticks(self, ns: u64) -> u64 {
        let (tick, factor) = match self.hz {
            1000 => (1_000_000, u64::MAX / 1_000_000),
            250 => (4_000_000, u64::MAX / 4_000_000),
            300 => (3_333_333, u64::MAX / 3_333_333),
            100 => (10_000_000, u64::MAX / 10_000_000),
            _ => (self.tick_ns(), u64::MAX / self.tick_ns()),
        };
        let ticks = ((ns as u128 * factor as u128) >> 64) as u64;
        ticks + (ns - ticks * tick >= tick) as u64
    }
    /// When tick `j` begins; the run's beginning if that was before it.
    pub const fn instant(self, j: Jiffies) -> Instant {
        let ns = j.0.saturating_sub(self.boot_jiffies) * self.tick_ns();
        Instant { ns: ns.saturating_sub(self.uptime_ns) }
    }
    /// Milliseconds of kernel time, the unit of timestamps and `tw_entry_stamp` `[tcp_clock_ms]`.
    pub const fn millis(self, now: Instant) -> u64 {
        (now.ns + self.uptime_ns) / 1_000_000
    }
    /// Microseconds of kernel time `[tcp_clock_us]`.
    pub const fn micros(self, now: Instant) -> u64 {
        (now.ns + self.uptime_ns) / 1_000
    }
    /// Whole seconds of kernel time `[ktime_get_seconds]`.
    pub const fn seconds(self, now: Instant) -> u64 {
        (now.ns + self.uptime_ns) / 1_000_000_000
    }
    /// Ticks for a number of milliseconds, rounded up `[msecs_to_jiffies]`.
    pub const fn from_millis(self, ms: u64) -> Jiffies {
        Jiffies((ms * self.hz as u64).div_ceil(1000))
    }
    /// Ticks for a number of microseconds, rounded up `[usecs_to_jiffies]`.
    pub const fn from_micros(self, us: u64) -> Jiffies {
        Jiffies((us * self.hz as u64).div_ceil(1_000_000))
    }
    /// Ticks for a number of seconds.
    pub const fn from_secs(self, s: u64) -> Jiffies {
        Jiffies(s * self.hz as u64)
    }
    /// Microseconds in a number of ticks `[jiffies_to_usecs]`.
    pub const fn to_micros(self, j: Jiffies) -> u64 {
        let us = j.0 * 1_000_000;
        match self.hz {
            1000 => us / 1000,
            250 => us / 250,
            100 => us / 100,
            hz => us / hz as u64,
        }
    }
    /// The span of a number of ticks.
    pub const fn span(self, j: Jiffies) -> Span {
        Span { ns: j.0 * self.tick_ns() }
    }
    /// The number of ticks that have that span, the part of one left out.
    pub(crate) const fn ticks_in(self, span: Span) -> Jiffies {
        Jiffies(span.ns / self.tick_ns())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn spans_print_shortest() {
        for (ns, text) in [
            (0, "0s"),
            (60_000_000_000, "60s"),
            (43_000_000, "43ms"),
            (1_500_000, "1.5ms"),
            (12_034, "12.034us"),
            (7, "7ns"),
        ] {
            assert_eq!(Span { ns }.to_string(), text);
        }
    }

    proptest::proptest! {
        /// At any time, and around the beginning of any tick.
        #[test]
        fn whole_ticks_are_a_division(
            hz in proptest::sample::select(std::vec![100u32, 250, 300, 1000, 77]),
            ns in proptest::prelude::any::<u64>(),
            nth in proptest::prelude::any::<u64>(),
            off in 0u64..3,
        ) {
            let clock = Clock::new(hz, 0);
            let tick = clock.tick_ns();
            let near = (nth % (u64::MAX / tick)) * tick;
            for ns in [ns, u64::MAX, (near + off).saturating_sub(1)] {
                proptest::prop_assert_eq!(clock.whole_ticks(ns), ns / tick);
            }
        }
    }

    #[test]
    fn ticks_begin_on_the_phase() {
        let clock = Clock::new(250, 1_000_000);
        assert_eq!(clock.jiffies(Instant::ZERO), Jiffies(0));
        assert_eq!(clock.jiffies(Instant { ns: 2_999_999 }), Jiffies(0));
        assert_eq!(clock.jiffies(Instant { ns: 3_000_000 }), Jiffies(1));
        assert_eq!(clock.instant(Jiffies(1)), Instant { ns: 3_000_000 });
        assert_eq!(clock.from_micros(200_001), Jiffies(51));
    }
}
