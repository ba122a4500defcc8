//! The smallest case that still shows a difference, found by playing smaller ones on both arms.

use crate::check::{self, Differ, Setup, Verdict};
use crate::pool;
use crate::step::{Case, When};
use crate::sys;

/// How long one shrinking may take.
const LIMIT_NS: u64 = 40_000_000_000;
/// Smaller cases played side by side.
const JOBS: usize = 48;
/// Gaps worth trying, in nanoseconds, from short to long.
const GAPS: [u64; 3] = [0, 8_000_000, 60_000_000];

/// Makes the case smaller while the same kind of difference remains.
pub fn shrink(case: &Case, found: Differ, setup: &Setup) -> (Case, Differ) {
    let deadline = sys::now_ns() + LIMIT_NS;
    let (mut best, mut differ) = (cut(case, &found), found);
    while sys::now_ns() < deadline {
        let candidates = smaller(&best);
        let mut hits: Vec<(usize, Differ)> = Vec::new();
        let kind = differ.difference.kind;
        let play = |index: usize| check::check(&candidates[index], setup);
        pool::run(candidates.len(), JOBS, play, |index, verdict| {
            if let Verdict::Differ(d) = verdict
                && d.difference.kind == kind
            {
                hits.push((index, *d));
            }
        });
        // The first candidates cut most away.
        let Some((index, hit)) = hits.into_iter().min_by_key(|(index, _)| *index) else { break };
        best = cut(&candidates[index], &hit);
        differ = hit;
    }
    (best, differ)
}

/// The case without the steps that come after its difference showed.
fn cut(case: &Case, found: &Differ) -> Case {
    let mut case = case.clone();
    // The difference may be that something should still come: keep a last look at that time.
    let last = found.difference.step + 2;
    if last < case.steps.len() {
        case.steps.truncate(last);
    }
    case
}

/// Smaller cases, those that cut most away first.
fn smaller(case: &Case) -> Vec<Case> {
    let mut out = Vec::new();
    let n = case.steps.len();
    let mut chunk = n / 2;
    while chunk > 0 {
        for start in (0..n).step_by(chunk) {
            let mut c = case.clone();
            let end = (start + chunk).min(n);
            // What follows keeps its distance, because timers may matter.
            let gone: u64 = c.steps[start..end].iter().map(|s| gap(s.when)).sum();
            c.steps.drain(start..end);
            if let Some(next) = c.steps.get_mut(start) {
                next.when = When::After((gap(next.when) + gone).min(10_000_000_000));
            }
            out.push(c);
        }
        chunk /= 2;
    }
    for index in 0..case.sysctls.len() {
        let mut c = case.clone();
        c.sysctls.remove(index);
        out.push(c);
    }
    for index in 0..n {
        let now = gap(case.steps[index].when);
        for shorter in GAPS.into_iter().filter(|g| *g < now) {
            let mut c = case.clone();
            c.steps[index].when = When::After(shorter);
            out.push(c);
        }
    }
    out
}

const fn gap(when: When) -> u64 {
    match when {
        When::At(ns) | When::After(ns) => ns,
    }
}
