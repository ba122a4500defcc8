//! The search for the smallest change: what it finds holds, and a step less does not; with oracles that
//! are made up, and with the simulator.

use std::collections::BTreeMap;

use finwait_sim::measure::Wish;
use finwait_sim::run::run;
use finwait_sim::scenario::Scenario;
use finwait_sim::tune::{Dial, Found, Memory, Oracle, Point, search};
use finwait_sim::world::Turns;
use proptest::prelude::*;

/// Answers by a function, and remembers what it was asked.
struct Says<F> {
    holds: F,
    asked: BTreeMap<Point, bool>,
}

impl<F: Fn(&[u64]) -> bool> Oracle for Says<F> {
    fn ask(&mut self, points: &[Point]) -> Vec<bool> {
        let answers: Vec<bool> = points.iter().map(|point| (self.holds)(point)).collect();
        self.asked.extend(points.iter().cloned().zip(answers.iter().copied()));
        answers
    }
}

/// Searches and looks at what the search promises of each of its answers.
fn searched(dials: &[Dial], holds: impl Fn(&[u64]) -> bool) -> Vec<Found> {
    let mut memory = Memory::new(Says { holds: &holds, asked: BTreeMap::new() });
    let found = search(&mut memory, dials);
    let asked = memory.into_oracle().asked;
    for Found { point, changed, .. } in &found {
        assert_eq!(asked.get(point), Some(&true), "{point:?} was asked and holds");
        for (n, dial) in dials.iter().enumerate() {
            assert_eq!(changed.contains(&n), point[n] != dial.now, "{point:?}");
            assert!((dial.low..=dial.high).contains(&point[n]), "{point:?} is within its range");
            if point[n] != dial.now {
                let mut nearer = point.clone();
                nearer[n] = if point[n] > dial.now { point[n] - 1 } else { point[n] + 1 };
                assert_eq!(asked.get(&nearer), Some(&false), "{nearer:?} was asked and fails");
            }
        }
    }
    found
}

fn dial(now: u64, low: u64, high: u64) -> Dial {
    Dial { now, low, high }
}

#[test]
fn several_keys_only_if_one_does_not_do() {
    let dials = [dial(10, 0, 1000), dial(10, 0, 1000), dial(5, 0, 100)];
    let one = searched(&dials, |p| p[1] >= 300 || p[2] <= 2);
    assert_eq!(one.iter().map(|f| f.changed.clone()).collect::<Vec<_>>(), [vec![2], vec![1]]);
    let two = searched(&dials, |p| p[0] >= 40 && p[1] >= 700);
    assert_eq!((two[0].point.clone(), two.len()), (vec![40, 700, 5], 1));
    let three = searched(&dials, |p| p[0] >= 40 && p[1] >= 700 && p[2] == 100);
    assert_eq!(three[0].point, [40, 700, 100]);
    assert_eq!(searched(&dials, |_| false), []);
    assert_eq!(searched(&dials, |_| true)[0].changed, Vec::<usize>::new());
}

#[test]
fn an_island_is_no_edge() {
    // It holds from 400 on, and in a band around an eighth of the range.
    let dials = [dial(0, 0, 1 << 20)];
    let band = |p: &[u64]| (100_000..140_000).contains(&p[0]) || p[0] >= 900_000;
    let found = searched(&dials, band);
    assert!(!found[0].monotone, "it fails again beyond");
    assert_eq!(found[0].point, [100_000]);
}

proptest! {
    #[test]
    fn a_single_edge_is_found_exactly(now in 0_u64..1_000_000, edge in 0_u64..2_000_000, up: bool) {
        let dials = [dial(now, 0, 2_000_000)];
        let holds = |p: &[u64]| if up { p[0] >= edge } else { p[0] <= edge };
        let found = searched(&dials, holds);
        let value = if holds(&[now]) { now } else { edge };
        prop_assert_eq!(&found[0].point, &vec![value]);
        prop_assert!(found[0].monotone);
    }

    #[test]
    fn what_is_found_holds_and_a_step_nearer_fails(
        now in 0_u64..300,
        pattern in prop::collection::vec(any::<bool>(), 301),
        step in 1_u64..40,
    ) {
        // Anything at all: the promises are looked at by `searched`.
        let holds = |p: &[u64]| pattern[((p[0] / step) % 301) as usize];
        searched(&[dial(now, 0, 300)], holds);
    }

    #[test]
    fn two_dials_are_minimal_each_by_itself(a in 1_u64..500, b in 1_u64..500, sum in any::<bool>()) {
        let dials = [dial(0, 0, 500), dial(0, 0, 500)];
        let holds = |p: &[u64]| if sum { p[0] + p[1] >= a + b } else { p[0] >= a && p[1] >= b };
        let found = searched(&dials, holds);
        prop_assert!(!found.is_empty());
        if !sum {
            prop_assert_eq!(&found[0].point, &vec![a, b]);
        }
    }
}

/// A client that closes first, with a table that may be too small.
fn scenario(kernel: &str, rate: u64, limit: u64) -> Scenario {
    let text = format!(
        "duration = \"130s\"\n[hosts.web]\nkernel = \"{kernel}\"\nhz = 1000\n[hosts.web.sysctl]\n\
         \"net.ipv4.tcp_max_tw_buckets\" = {limit}\n[hosts.peer]\nkernel = \"{kernel}\"\n\
         [[apps]]\nkind = \"client\"\nhost = \"web\"\nto = \"peer:80\"\nrate = \"{rate}/s\"\n\
         scattered = true\n\
         [[apps]]\nkind = \"server\"\nhost = \"peer\"\nport = 80\nclose_after = \"100ms\"\n"
    );
    Scenario::parse(&text, "tune").unwrap_or_else(|e| panic!("{e}:\n{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn one_bucket_less_than_the_answer_is_refused(rate in 2_u64..12, new: bool, seed in 1_u64..1000) {
        let kernel = if new { "6.18" } else { "3.10" };
        let runs = |limit: u64| {
            let scenario = Scenario { seed, ..scenario(kernel, rate, limit) };
            run(&scenario, Turns::Forward, |_| ())
        };
        let wish = Wish::parse("web.overflow == 0", &scenario(kernel, rate, 1)).expect("a wish");
        let found = searched(&[dial(16, 0, 4096)], |p| wish.judge(&runs(p[0])).holds);
        let limit = found[0].point[0];
        prop_assert!(wish.judge(&runs(limit)).holds && !wish.judge(&runs(limit - 1)).holds);
        // More buckets never mean more refusals at such a load.
        prop_assert!(found[0].monotone);
        let most = u64::from(runs(limit).hosts[0].peak.tw);
        prop_assert!(most <= limit && most + 3 >= limit, "no room is left over but between samples");
    }
}
