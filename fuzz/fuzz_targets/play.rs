//! Whatever a script does, the model survives it. Run with `cargo +nightly fuzz run play`.
#![no_main]

use finwait_model::release::Release;
use finwait_sim::script::lower::lower;
use finwait_sim::script::parse;
use finwait_sim::script::runner::{Options, play};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(script) = parse(bytes) {
        for release in Release::ALL {
            if let Ok(plan) = lower(&script, release, &|_| None) {
                let options = Options { keep_going: true, ..Options::default() };
                drop(play(&plan, &options));
            }
        }
    }
});
