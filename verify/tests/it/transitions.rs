//! The list of what the model is known to do, which a verification is measured by.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use finwait_model::time::Clock;
use finwait_verify::model::{self, Ticks};
use finwait_verify::{generate, talk};

/// Generated cases that are looked through, of a seed of their own.
const CASES: u64 = 20_000;
const SEED: u64 = 618;

/// Every (state, event, answer) that the model makes in 20,000 generated cases, played at the
/// moments that they plan.
#[test]
fn known_transitions() {
    let clock = Clock { hz: 250, uptime_ns: 1_000_000_000_000, boot_jiffies: 1 << 32 };
    let mut found = BTreeSet::new();
    for number in 0..CASES {
        let case = generate::case(SEED, number);
        let moments = model::planned(&case);
        let seen = model::play(&case, &moments, clock, talk::REMOTE, &Ticks::new())
            .unwrap_or_else(|e| panic!("case {number}: {e}"));
        found.extend(seen.triples);
    }
    let mut text = format!(
        "# What the model does in {CASES} generated cases: state | event | answer.\n\
         # The answer is the new state, + what is sent, - why a segment is thrown away.\n\
         # Written by FINWAIT_UPDATE=1 cargo test -p finwait-verify; compared otherwise.\n"
    );
    for triple in found {
        let _ = writeln!(text, "{triple}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/generated/transitions-6.18.txt");
    if std::env::var_os("FINWAIT_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let kept: BTreeSet<&str> = kept.lines().collect();
    let now: BTreeSet<&str> = text.lines().collect();
    let gone: Vec<_> = kept.difference(&now).take(5).collect();
    let new: Vec<_> = now.difference(&kept).take(5).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "docs/generated/transitions-6.18.txt is out of date; FINWAIT_UPDATE=1 writes it anew\n\
         gone: {gone:#?}\nnew: {new:#?}"
    );
}
