//! Time that is not to scale: a piece between two events gets the logarithm of its length, so that
//! a 30 µs exchange and a 60 s timer are both legible. Pieces that are shrunk much are broken.

use finwait_model::time::{Instant, Span};

/// From times to columns.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// The instants at which something happens, and their columns, in order.
    knots: Vec<(Instant, f64)>,
}

/// The time from one knot to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) from: (Instant, i32),
    pub(super) to: (Instant, i32),
    /// Is it shrunk so much more than others that the axis has to be broken?
    pub(super) broken: bool,
}

/// A piece so much more shrunk than the least shrunk one is broken.
const BREAK: f64 = 30.0;

impl Axis {
    /// For events at these instants, between two columns.
    pub(super) fn new(mut instants: Vec<Instant>, left: i32, right: i32) -> Self {
        instants.sort_unstable();
        instants.dedup();
        let gaps: Vec<Span> = instants.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        // What is short is short against the run's shortest gaps, of which a tenth may be shorter.
        let mut sorted = gaps.clone();
        sorted.sort_unstable();
        let unit = sorted.get(sorted.len() / 10).map_or(1.0, |gap| gap.ns.max(1) as f64);
        let weights: Vec<f64> =
            gaps.iter().map(|gap| 1.0 + (1.0 + gap.ns as f64 / unit).ln()).collect();
        let all: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut column = f64::from(left);
        let mut knots = Vec::with_capacity(instants.len());
        for (n, at) in instants.into_iter().enumerate() {
            if n > 0 {
                column += weights[n - 1] / all * f64::from(right - left);
            }
            knots.push((at, column));
        }
        Self { knots }
    }
    /// The column of an instant; one outside lies at the edge.
    pub(super) fn x(&self, at: Instant) -> i32 {
        let behind = self.knots.partition_point(|(knot, _)| *knot <= at);
        let Some(&(before, column)) = behind.checked_sub(1).and_then(|n| self.knots.get(n)) else {
            return self.knots.first().map_or(0, |(_, column)| column.round() as i32);
        };
        let Some(&(after, next)) = self.knots.get(behind) else { return column.round() as i32 };
        let share = at.since(before).ns as f64 / after.since(before).ns.max(1) as f64;
        (column + (next - column) * share).round() as i32
    }
    /// Its pieces, in order.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let scale = |pair: &[(Instant, f64)]| {
            pair[1].0.since(pair[0].0).ns as f64 / (pair[1].1 - pair[0].1).max(1e-9)
        };
        let least = self.knots.windows(2).map(scale).fold(f64::INFINITY, f64::min);
        let piece = |pair: &[(Instant, f64)]| {
            let end = |(at, column): (Instant, f64)| (at, column.round() as i32);
            let broken = scale(pair) > BREAK * least && pair[1].1 - pair[0].1 > 24.0;
            Piece { from: end(pair[0]), to: end(pair[1]), broken }
        };
        self.knots.windows(2).map(piece).collect()
    }
    /// The first and the last instant.
    pub(super) fn ends(&self) -> Option<(Instant, Instant)> {
        Some((self.knots.first()?.0, self.knots.last()?.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(ns: &[u64]) -> Axis {
        Axis::new(ns.iter().map(|&ns| Instant { ns }).collect(), 100, 1100)
    }

    #[test]
    fn a_short_exchange_and_a_long_timer_are_both_legible() {
        let minute = 60_000_000_000;
        let axis = axis(&[0, 10_000, 20_000, 30_000, minute, minute + 30_000]);
        let pieces = axis.pieces();
        assert!(pieces.iter().all(|p| p.to.1 - p.from.1 >= 30), "{pieces:?}");
        let broken: Vec<bool> = pieces.iter().map(|p| p.broken).collect();
        assert_eq!(broken, [false, false, false, true, false]);
        assert_eq!(
            (axis.x(Instant { ns: 0 }), axis.x(Instant { ns: minute + 30_000 })),
            (100, 1100)
        );
        let half = axis.x(Instant { ns: minute / 2 });
        assert!((half - (pieces[3].from.1 + pieces[3].to.1) / 2).abs() <= 1);
    }

    #[test]
    fn later_is_never_further_left() {
        let axis = axis(&[5, 7, 1_000, 40_000_000]);
        let columns: Vec<i32> = (0..200).map(|n| axis.x(Instant { ns: n * 250_000 })).collect();
        assert!(columns.is_sorted());
        assert_eq!(columns.last(), Some(&1100));
    }

    #[test]
    fn one_instant_is_an_axis_too() {
        assert_eq!(axis(&[9]).x(Instant { ns: 3 }), 100);
        assert_eq!(axis(&[]).x(Instant { ns: 3 }), 0);
    }
}
