//! Any bytes give a script or an error that can be shown; what parses prints to the same script.
//! Run with `cargo +nightly fuzz run parse`.
#![no_main]

use finwait_sim::script::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes) {
        Err(error) => drop(error.render("fuzz.pkt", &String::from_utf8_lossy(bytes))),
        Ok(script) if script.options.iter().any(|o| o.name == "define") => {}
        Ok(script) => {
            let text = script.to_string();
            let again = parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{text}"));
            assert_eq!(again, script, "{text}");
        }
    }
});
