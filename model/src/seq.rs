//! Sequence numbers: 32 bits that wrap, compared by signed difference.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A TCP sequence number (RFC 9293 §3.4). Has no order, because modulo 2³² there is none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Seq(pub u32);

impl Seq {
    /// Does `self` come before `other`? `[before]`
    pub const fn before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }
    /// Does `self` come after `other`? `[after]`
    pub const fn after(self, other: Self) -> bool {
        other.before(self)
    }
    /// Is `self` within `low..=high`? `[between]`
    pub const fn between(self, low: Self, high: Self) -> bool {
        high.0.wrapping_sub(low.0) >= self.0.wrapping_sub(low.0)
    }
    /// The later of the two.
    pub const fn later(self, other: Self) -> Self {
        if self.after(other) { self } else { other }
    }
    /// The earlier of the two.
    pub const fn earlier(self, other: Self) -> Self {
        if self.before(other) { self } else { other }
    }
}

impl Add<u32> for Seq {
    type Output = Self;
    fn add(self, rhs: u32) -> Self {
        Self(self.0.wrapping_add(rhs))
    }
}
impl AddAssign<u32> for Seq {
    fn add_assign(&mut self, rhs: u32) {
        *self = *self + rhs;
    }
}
impl Sub<u32> for Seq {
    type Output = Self;
    fn sub(self, rhs: u32) -> Self {
        Self(self.0.wrapping_sub(rhs))
    }
}
impl Sub for Seq {
    type Output = u32;
    /// How far `self` is past `rhs`, modulo 2³².
    fn sub(self, rhs: Self) -> u32 {
        self.0.wrapping_sub(rhs.0)
    }
}
impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Does `[seq, end)` touch the window `[start, stop)`? `[tcp_in_window]` (timewait buckets and
/// requests use it; full sockets have `rx`'s own rule).
pub const fn in_window(seq: Seq, end: Seq, start: Seq, stop: Seq) -> bool {
    if seq.0 == start.0 {
        return true;
    }
    if end.after(start) && seq.before(stop) {
        return true;
    }
    seq.0 == stop.0 && seq.0 == end.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_at_every_wrap() {
        for base in [0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff] {
            let a = Seq(base);
            let b = a + 10;
            assert!(a.before(b) && b.after(a) && !b.before(a) && !a.before(a));
            assert!((a + 5).between(a, b) && a.between(a, b) && b.between(a, b));
            assert!(!(a - 1).between(a, b) && !(b + 1).between(a, b));
            assert_eq!(b - a, 10);
            assert_eq!(a.later(b), b);
            assert_eq!(a.earlier(b), a);
        }
    }

    #[test]
    fn window_edges() {
        let (a, b) = (Seq(100), Seq(200));
        assert!(in_window(a, a, a, b) && in_window(Seq(99), Seq(101), a, b));
        assert!(!in_window(Seq(99), Seq(100), a, b));
        assert!(in_window(b, b, a, b) && !in_window(b, b + 1, a, b));
        assert!(in_window(a, a + 1, a, a), "a zero window takes what starts at its edge");
    }
}
