//! Whatever a learner writes is read or refused with a place that is in it; nothing panics.

use finwait_learn::laws::Laws;
use finwait_learn::rules::Rules;
use finwait_learn::subject::Subject;
use finwait_learn::trace::{WORDS, traces};
use proptest::prelude::*;

/// Pieces of which rules and laws are made, and some of which they are not.
const PIECES: &[&str] = &[
    "fin",
    "rst",
    "seq",
    "rcv_nxt",
    "that.",
    "that",
    "and",
    "or",
    "not",
    "implies",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "(",
    ")",
    "0",
    "1002",
    "99999999999999999999",
    "->",
    "ack",
    "otherwise",
    "always",
    "never",
    "after",
    "eventually",
    "in",
    "out",
    "\n",
    "#",
    "é",
    "=",
    "???",
];

fn text() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(PIECES);
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rules_are_read_or_refused(text in text()) {
        let subject = Subject::named("time-wait").expect("there is one");
        match Rules::parse(&text, subject.words, subject.verdicts) {
            Ok(rules) => {
                let _ = rules.decide(&vec![i64::MAX; subject.words.len()]);
                let _ = rules.decide(&vec![i64::MIN; subject.words.len()]);
            }
            Err(mistake) => prop_assert!(text.get(mistake.span).is_some()),
        }
    }

    #[test]
    fn laws_are_read_or_refused(text in text()) {
        match Laws::parse(&text, WORDS, true) {
            Ok(laws) => {
                let _ = laws.breach(&traces()[0]);
            }
            Err(mistake) => prop_assert!(text.get(mistake.span).is_some()),
        }
    }
}
