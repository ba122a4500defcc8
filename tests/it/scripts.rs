//! The scripts in examples/scripts: each holds on the model, says what it shows, and together they
//! witness every cause for which the model sends a segment.

use std::fs;
use std::path::{Path, PathBuf};

use finwait_model::behaviour::BEHAVIOURS;
use finwait_model::cause::Cause;
use finwait_model::release::Release;
use finwait_sim::script::ast::Script;
use finwait_sim::script::lower::lower;
use finwait_sim::script::runner::{Options, Played, play};
use finwait_sim::script::{parse, report};

/// True on the live kernel and not yet of the model: debts, which must go when they are paid.
const OWED: &[&str] = &[];
/// Behaviours that no script can show: what they change is not on the wire of one connection, or
/// depends on the host's secrets. The model's own tests hold them.
const NOT_IN_A_SCRIPT: &[&str] = &[
    "splits_ports_by_parity",
    "port_returns_to_connect",
    "random_timestamp_offset",
    "clears_quick_only_for_acks",
    "learns_buffer_overhead",
];

/// Every script with its name, sorted.
pub(crate) fn scripts() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scripts");
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pkt"))
        .map(|path| (path.file_stem().expect("it has a name").to_string_lossy().into(), path))
        .collect();
    found.sort();
    found
}

pub(crate) fn read(name: &str, path: &Path) -> Script {
    let bytes = fs::read(path).expect("it can be read");
    parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn played(name: &str, script: &Script) -> Played {
    let release = script.kernel.unwrap_or(Release::V6_18);
    let plan = lower(script, release, &|_| None).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(plan.warnings, [], "{name}: everything in it is done");
    play(&plan, &Options::default())
}

#[test]
fn every_script_holds_on_the_model() {
    let mut broken = String::new();
    for (name, path) in scripts() {
        let played = played(&name, &read(&name, &path));
        match (OWED.contains(&name.as_str()), played.failures.is_empty()) {
            (true, true) => broken.push_str(&format!("{name} holds: take it off the list\n")),
            (true, false) => {}
            (false, _) => broken.push_str(&report::failure(&name, &played)),
        }
    }
    assert!(broken.is_empty(), "{broken}");
}

#[test]
fn every_cause_has_a_witness() {
    let mut seen = Vec::new();
    for (name, path) in scripts() {
        seen.extend(played(&name, &read(&name, &path)).causes);
    }
    let without: Vec<_> =
        Cause::all().filter(|c| c.is_of_linux() && !seen.contains(c)).map(Cause::name).collect();
    assert_eq!(without, Vec::<&str>::new(), "no script shows these");
}

#[test]
fn every_script_says_what_it_shows() {
    let all = scripts();
    let mut seen: Vec<String> = Vec::new();
    for (name, path) in &all {
        let script = read(name, path);
        let about = script.about.join(" ");
        assert!(about.split_whitespace().count() >= 6, "{name} does not say what it shows");
        assert!(!seen.contains(&about), "{name} says the same as another");
        seen.push(about);
        let old = name.ends_with(".3.10");
        assert_eq!(script.kernel, old.then_some(Release::V3_10), "{name}: its kernel");
        if let Some(twin) = name.strip_suffix(".3.10") {
            assert!(all.iter().any(|(other, _)| other == twin), "{name} has no twin");
        }
    }
    assert!(all.len() >= 90, "only {} scripts", all.len());
}

#[test]
fn a_printed_script_is_played_alike() {
    for (name, path) in scripts() {
        let script = read(&name, &path);
        let text = script.to_string();
        let again = parse(text.as_bytes()).unwrap_or_else(|e| panic!("{name} printed: {e}"));
        let (one, two) = (played(&name, &script), played(&name, &again));
        assert_eq!(one.observed.records, two.observed.records, "{name}");
        assert_eq!(one.observed.counters, two.observed.counters, "{name}");
    }
}

/// The behaviours that a script says it shows.
pub(crate) fn behaviours(script: &Script) -> Vec<String> {
    let line = script.about.iter().find_map(|line| line.strip_prefix("Behaviour: "));
    line.map_or_else(Vec::new, |names| names.split(", ").map(str::to_owned).collect())
}

#[test]
fn every_behaviour_has_a_witness() {
    let mut shown: Vec<&str> = NOT_IN_A_SCRIPT.to_vec();
    for (name, path) in scripts() {
        let script = read(&name, &path);
        for wanted in behaviours(&script) {
            let row = BEHAVIOURS.iter().find(|row| row.name == wanted);
            let row = row.unwrap_or_else(|| panic!("{name}: no behaviour is called {wanted}"));
            assert!(!shown.contains(&row.name) || !NOT_IN_A_SCRIPT.contains(&row.name), "{wanted}");
            shown.push(row.name);
            let one = played(&name, &script);
            let other = Script { kernel: Some(Release::V3_10), ..script.clone() };
            let two = played(&name, &other);
            let same = one.observed.counters == two.observed.counters && two.failures.is_empty();
            assert!(!same, "{name}: {wanted} makes no difference");
        }
    }
    let missing = BEHAVIOURS.iter().map(|row| row.name).filter(|name| !shown.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new(), "no script shows these");
}
