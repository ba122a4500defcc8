//! Any bytes behind the first words of a capture give packets up to where they stop making sense,
//! and a scenario that can be read. Run with `cargo +nightly fuzz run import_capture`.
#![no_main]

use finwait_sim::import::capture::{Analysis, Limits};
use finwait_sim::import::{Facts, Wishes, infer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut analysis = Analysis::new(Limits { flows: 16, services: 3 });
    if analysis.read(bytes, |_| ()).is_ok() {
        let mut facts = Facts::default();
        facts.add_capture(analysis.finish(), "fuzz.pcap");
        let imported = infer(&facts, &Wishes::default());
        imported.scenario("fuzz").unwrap_or_else(|e| panic!("{e}\n{}", imported.toml()));
    }
});
