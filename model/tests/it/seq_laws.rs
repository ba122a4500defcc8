//! Sequence numbers around their wrap: what holds of a few near zero holds of all, because nothing
//! depends on where zero is.

use finwait_model::seq::{Seq, in_window};
use proptest::prelude::*;

/// The distance from one to the other, as far as half the circle.
fn ahead(from: Seq, to: Seq) -> i64 {
    i64::from((to - from).cast_signed())
}

/// Anywhere, but often beside the wrap.
fn anywhere() -> impl Strategy<Value = Seq> {
    prop_oneof![any::<u32>(), 0..3_u32, (u32::MAX - 2)..=u32::MAX, Just(1 << 31)].prop_map(Seq)
}

proptest! {
    #[test]
    fn order_is_the_sign_of_the_distance(a in anywhere(), b in anywhere()) {
        prop_assert_eq!(b.after(a), a.before(b));
        prop_assert_eq!(a.before(b), ahead(b, a) < 0);
        if a != b && (b - a) != 1 << 31 {
            prop_assert_ne!(a.before(b), b.before(a));
            prop_assert_eq!(a.later(b), if a.before(b) { b } else { a });
            prop_assert_eq!(a.earlier(b), if a.before(b) { a } else { b });
        }
    }

    #[test]
    fn nothing_depends_on_where_zero_is(
        a in anywhere(), b in anywhere(), c in anywhere(), d in anywhere(), by in any::<u32>(),
    ) {
        let moved = |s: Seq| s + by;
        prop_assert_eq!(a.before(b), moved(a).before(moved(b)));
        prop_assert_eq!(a.between(b, c), moved(a).between(moved(b), moved(c)));
        prop_assert_eq!(moved(b) - moved(a), b - a);
        prop_assert_eq!((a + by) - by, a);
        prop_assert_eq!(
            in_window(a, b, c, d),
            in_window(moved(a), moved(b), moved(c), moved(d))
        );
    }

    /// Against the same in numbers that do not wrap: a window of at most 2^30 and a segment nearby.
    #[test]
    fn a_segment_is_in_the_window_if_it_touches_it(
        start in anywhere(), size in 0..(1_u32 << 30), off in -100_000_i64..100_000,
        near_end in any::<bool>(), len in 0..70_000_u32,
    ) {
        let (low, high) = (1_i64 << 40, (1_i64 << 40) + i64::from(size));
        let at = if near_end { high } else { low } + off;
        let end = at + i64::from(len);
        let seq = |n: i64| start + ((n - low) as u32);
        let touches = at == low || (end > low && at < high) || (at == high && at == end);
        prop_assert_eq!(in_window(seq(at), seq(end), seq(low), seq(high)), touches);
    }
}
