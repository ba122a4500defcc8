//! The search along one dial.

use super::{Dial, Memory, Oracle, Point};

/// The nearest place where the wish holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// Holds.
    pub value: u64,
    /// Is it the only edge that was seen? If not, the wish also fails farther away, or held nearer by
    /// where nothing was asked at first.
    pub monotone: bool,
}

/// How many steps from where it stands to the end of its range, at the first look.
const STEPS: u32 = 8;
/// Points that are asked at once while an edge is halved: three quarter what is left.
const AT_ONCE: u64 = 3;
/// Points on either side of an edge that must not contradict it.
const CHECKS: u64 = 3;

/// The values of the dial on one side of `now`, by their distance.
#[derive(Clone, Copy, Debug)]
struct Ray {
    now: u64,
    /// Up, or down.
    up: bool,
    /// The farthest.
    reach: u64,
}

impl Ray {
    const fn at(self, distance: u64) -> u64 {
        if self.up { self.now + distance } else { self.now - distance }
    }
}

/// Finds the value nearest to where dial `which` stands at which the wish holds; the others stay as they
/// are in `base`. `None`: it was found to hold nowhere. If it is known to hold at `base`, that is where
/// the search begins, and something is found.
///
/// Up is preferred if both directions are equally far.
pub fn along<O: Oracle>(
    memory: &mut Memory<O>,
    base: &Point,
    which: usize,
    dial: &Dial,
) -> Option<Edge> {
    let now = dial.now.clamp(dial.low, dial.high);
    let up = Ray { now, up: true, reach: dial.high - now };
    let down = Ray { now, up: false, reach: now - dial.low };
    let mut asking = Asking { memory, base, which };
    if asking.holds(now) {
        return Some(Edge { value: now, monotone: true });
    }
    let there = base[which];
    let known = Some(there).filter(|&there| asking.holds(there));
    let on = |ray: Ray| known.filter(|&there| (there > now) == ray.up).map(|t| t.abs_diff(now));
    let edges = [up, down].map(|ray| asking.nearest(ray, on(ray)));
    let [up, down] = edges;
    match (up, down) {
        (Some(a), Some(b)) => {
            let nearer = if a.value - now <= now - b.value { a } else { b };
            Some(nearer)
        }
        (a, b) => a.or(b),
    }
}

struct Asking<'a, O> {
    memory: &'a mut Memory<O>,
    base: &'a Point,
    which: usize,
}

impl<O: Oracle> Asking<'_, O> {
    fn point(&self, value: u64) -> Point {
        let mut point = self.base.clone();
        point[self.which] = value;
        point
    }
    fn ask(&mut self, values: &[u64]) -> Vec<bool> {
        let points: Vec<Point> = values.iter().map(|&value| self.point(value)).collect();
        self.memory.ask(&points)
    }
    fn holds(&mut self, value: u64) -> bool {
        let point = self.point(value);
        self.memory.holds(&point)
    }
    /// The nearest success in one direction; at the distance `known` there is one.
    fn nearest(&mut self, ray: Ray, known: Option<u64>) -> Option<Edge> {
        let mut steps = ladder(ray.reach);
        steps.extend(known);
        steps.sort_unstable();
        steps.dedup();
        let answers = self.at(ray, &steps);
        let first = answers.iter().position(|&holds| holds)?;
        // Farther away it may fail again; that does not move the nearest edge.
        let mut monotone = answers[first..].iter().all(|&holds| holds);
        let mut fails = if first == 0 { 0 } else { steps[first - 1] };
        let mut holds = steps[first];
        loop {
            (fails, holds) = self.halve(ray, fails, holds);
            match self.contradiction(ray, fails, holds, ray.reach) {
                None => break,
                Some(Contradiction::Farther) => {
                    monotone = false;
                    break;
                }
                Some(Contradiction::Nearer { after, at }) => {
                    monotone = false;
                    (fails, holds) = (after, at);
                }
            }
        }
        Some(Edge { value: ray.at(holds), monotone })
    }
    fn at(&mut self, ray: Ray, distances: &[u64]) -> Vec<bool> {
        let values: Vec<u64> = distances.iter().map(|&distance| ray.at(distance)).collect();
        self.ask(&values)
    }
    /// Brings a failure and a success together until nothing lies between them.
    fn halve(&mut self, ray: Ray, mut fails: u64, mut holds: u64) -> (u64, u64) {
        while holds - fails > 1 {
            let between = between(fails, holds, AT_ONCE);
            let answers = self.at(ray, &between);
            match answers.iter().position(|&holds| holds) {
                Some(0) => holds = between[0],
                Some(first) => (fails, holds) = (between[first - 1], between[first]),
                None => fails = between[between.len() - 1],
            }
        }
        (fails, holds)
    }
    /// Looks for a success nearer than a failure that was found, or a failure farther than a success.
    fn contradiction(
        &mut self,
        ray: Ray,
        fails: u64,
        holds: u64,
        reach: u64,
    ) -> Option<Contradiction> {
        let mut nearer = vec![0];
        nearer.extend(between(0, fails, CHECKS));
        // Close to the edge a measure is least sure of itself.
        nearer.extend((1..=CHECKS).rev().filter_map(|n| fails.checked_sub(n)));
        nearer.push(fails);
        nearer.sort_unstable();
        nearer.dedup();
        let answers = self.at(ray, &nearer);
        if let Some(first) = answers.iter().position(|&holds| holds) {
            let after = if first == 0 { 0 } else { nearer[first - 1] };
            return Some(Contradiction::Nearer { after, at: nearer[first] });
        }
        let mut farther = between(holds, reach, CHECKS);
        farther.extend((1..=CHECKS).map(|n| holds.saturating_add(n)).filter(|n| *n <= reach));
        let answers = self.at(ray, &farther);
        answers.iter().any(|holds| !holds).then_some(Contradiction::Farther)
    }
}

/// What contradicts a single edge.
enum Contradiction {
    /// It holds at a distance below the edge, and fails at one before that.
    Nearer {
        /// Fails there.
        after: u64,
        /// Holds there.
        at: u64,
    },
    /// It fails again farther away.
    Farther,
}

/// Distances that grow up to the farthest: each about as many times the last as the next.
fn ladder(reach: u64) -> Vec<u64> {
    let mut steps = Vec::new();
    if reach == 0 {
        return steps;
    }
    let bits = u64::BITS - reach.leading_zeros();
    for step in 1..STEPS {
        let shift = bits - bits * step / STEPS;
        let distance = reach >> shift.min(u64::BITS - 1);
        if distance > 0 {
            steps.push(distance);
        }
    }
    steps.push(reach);
    steps.dedup();
    steps
}

/// At most so many numbers strictly between two, evenly spread.
fn between(low: u64, high: u64, count: u64) -> Vec<u64> {
    let gap = high.saturating_sub(low);
    let count = count.min(gap.saturating_sub(1));
    let at = |n: u64| low + (u128::from(gap) * u128::from(n) / u128::from(count + 1)) as u64;
    (1..=count).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_spreads() {
        assert!(ladder(0).is_empty());
        assert_eq!(ladder(1), [1]);
        assert_eq!(ladder(3), [1, 3]);
        let steps = ladder(4_000_000);
        assert!(steps.is_sorted() && steps.len() >= 6 && steps.last() == Some(&4_000_000));
        assert!(between(3, 4, 3).is_empty());
        assert_eq!(between(0, 4, 3), [1, 2, 3]);
        assert_eq!(between(0, 100, 3), [25, 50, 75]);
        assert_eq!(between(5, 7, 3), [6]);
    }
}
