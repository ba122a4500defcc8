//! The search over several dials: as few as possible, and each as little as possible.

use super::{Dial, Memory, Oracle, Point, along};

/// A change that makes the wish hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where every dial is set to.
    pub point: Point,
    /// Which of them that changes.
    pub changed: Vec<usize>,
    /// Was the wish monotone wherever it was looked at?
    pub monotone: bool,
}

/// Values of each dial on the grid of pairs, triples and more.
const GRID: [usize; 5] = [0, 0, 6, 4, 3];

/// Every change of as few dials as possible, the smallest first. Empty: it was found to hold nowhere.
/// One that changes nothing: it holds as it is.
pub fn search<O: Oracle>(memory: &mut Memory<O>, dials: &[Dial]) -> Vec<Found> {
    let base: Point = dials.iter().map(|dial| dial.now).collect();
    if memory.holds(&base) {
        return vec![Found { point: base, changed: Vec::new(), monotone: true }];
    }
    for count in 1..=dials.len() {
        let mut found: Vec<Found> = subsets(dials.len(), count)
            .into_iter()
            .filter_map(|which| match which[..] {
                [one] => single(memory, &base, one, &dials[one]),
                _ => together(memory, &base, &which, dials),
            })
            .collect();
        if !found.is_empty() {
            // Among equals the one that was named first.
            found.sort_by_key(|found| size(found, dials));
            return found;
        }
    }
    Vec::new()
}

/// How large a change is: the product of its factors, in thousandths.
fn size(found: &Found, dials: &[Dial]) -> u128 {
    let factors = found.changed.iter().map(|&n| dials[n].factor(found.point[n]));
    factors.fold(1000, |all, factor| all.saturating_mul(factor) / 1000)
}

fn single<O: Oracle>(
    memory: &mut Memory<O>,
    base: &Point,
    which: usize,
    dial: &Dial,
) -> Option<Found> {
    let edge = along(memory, base, which, dial)?;
    let mut point = base.clone();
    point[which] = edge.value;
    Some(Found { point, changed: vec![which], monotone: edge.monotone })
}

/// Several dials at once: the first point of a grid that holds, nearest first, brought nearer.
fn together<O: Oracle>(
    memory: &mut Memory<O>,
    base: &Point,
    which: &[usize],
    dials: &[Dial],
) -> Option<Found> {
    let values = GRID.get(which.len()).copied().unwrap_or(2).max(2);
    let lines: Vec<Vec<u64>> = which.iter().map(|&n| line(&dials[n], values)).collect();
    let mut grid: Vec<(usize, Point)> = vec![(0, base.clone())];
    for (&dial, line) in which.iter().zip(&lines) {
        let with = |(rank, point): &(usize, Point)| {
            let each = line.iter().enumerate();
            let set = each.map(|(step, &value)| {
                let mut point = point.clone();
                point[dial] = value;
                (rank + step, point)
            });
            set.collect::<Vec<_>>()
        };
        grid = grid.iter().flat_map(with).collect();
    }
    grid.sort_by_key(|(rank, _)| *rank);
    let points: Vec<Point> = grid.into_iter().map(|(_, point)| point).collect();
    let answers = memory.ask(&points);
    let mut point = points.into_iter().zip(answers).find(|(_, holds)| *holds)?.0;
    let mut monotone = true;
    // Dial by dial, until none can come nearer: each round brings one nearer or is the last.
    loop {
        let before = point.clone();
        for &n in which {
            let edge = along(memory, &point, n, &dials[n])?;
            monotone &= edge.monotone;
            point[n] = edge.value;
        }
        if point == before {
            break;
        }
    }
    let changed = which.iter().copied().filter(|&n| point[n] != base[n]).collect();
    Some(Found { point, changed, monotone })
}

/// Values of a dial, the nearest to where it stands first, without that.
fn line(dial: &Dial, count: usize) -> Vec<u64> {
    let now = dial.now.clamp(dial.low, dial.high);
    let (up, down) = (dial.high - now, now - dial.low);
    let half = (count / 2).max(1);
    let share = |reach: u64, n: usize, of: usize| {
        let reach = u128::from(reach) * (n as u128).pow(2) / (of as u128).pow(2);
        (reach as u64).max(1)
    };
    let mut values = Vec::new();
    let (ups, downs) = match (up, down) {
        (0, _) => (0, count),
        (_, 0) => (count, 0),
        _ => (count - half, half),
    };
    values.extend((1..=ups).map(|n| now + share(up, n, ups).min(up)));
    values.extend((1..=downs).map(|n| now - share(down, n, downs).min(down)));
    values.sort_by_key(|value| (value.abs_diff(now), *value < now));
    values.dedup();
    values.retain(|value| *value != now);
    values
}

/// Every choice of so many out of so many, in order.
fn subsets(of: usize, count: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..count {
        let longer = |chosen: &Vec<usize>| {
            let from = chosen.last().map_or(0, |last| last + 1);
            (from..of).map(|n| [chosen.clone(), vec![n]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_and_lines() {
        assert_eq!(subsets(3, 2), [[0, 1], [0, 2], [1, 2]]);
        assert_eq!(subsets(2, 1), [[0], [1]]);
        let dial = Dial { now: 10, low: 0, high: 100 };
        let values = line(&dial, 6);
        assert!(values.contains(&100) && values.contains(&0) && !values.contains(&10));
    }
}
