//! Any text gives facts or an error with a place, and facts always give a scenario that can be
//! read. Texts are parted by a line of `---`. Run with `cargo +nightly fuzz run import_text`.
#![no_main]

use finwait_model::time::Span;
use finwait_sim::import::text::recognise;
use finwait_sim::import::{Facts, Wishes, infer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut facts = Facts { between: Some(Span::secs(10)), ..Facts::default() };
    for part in text.split("\n---\n") {
        let added = recognise(part).and_then(|kind| facts.add(kind, "fuzz.txt", part));
        if let Err(error) = added {
            assert!(error.span.is_none_or(|span| span.start <= span.end && span.end <= part.len()));
        }
    }
    if facts.check().is_ok() {
        let imported = infer(&facts, &Wishes::default());
        imported.scenario("fuzz").unwrap_or_else(|e| panic!("{e}\n{}", imported.toml()));
    }
});
