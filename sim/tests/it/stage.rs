//! Scenarios from `examples/scenarios`, as a person would change and run them.

use std::path::PathBuf;

use finwait_sim::check::Judge;
use finwait_sim::run::{HostOutcome, Outcome, run_watched};
use finwait_sim::scenario::{Scenario, Setting};
use finwait_sim::world::Turns;

/// The text of a scenario file.
pub(crate) fn text(name: &str) -> String {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "examples", "scenarios", name].iter().collect();
    std::fs::read_to_string(path).expect("the scenario is there")
}

/// Every scenario file's name, sorted.
pub(crate) fn names() -> Vec<String> {
    let folder: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "examples", "scenarios"].iter().collect();
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    names
}

/// A scenario with pieces of its text replaced; each must occur.
pub(crate) fn edited(name: &str, edits: &[(&str, &str)]) -> Scenario {
    let mut text = text(name);
    for (from, to) in edits {
        assert!(text.contains(from), "{name} does not say {from:?}");
        text = text.replace(from, to);
    }
    parse(&text, name)
}

/// A scenario as it stands, with `--set`s.
pub(crate) fn set(name: &str, settings: &[&str]) -> Scenario {
    let mut scenario = parse(&text(name), name);
    for setting in settings {
        Setting::parse(setting, &scenario)
            .and_then(|s| s.apply(&mut scenario))
            .unwrap_or_else(|e| panic!("{setting}: {e}"));
    }
    scenario
}

fn parse(text: &str, name: &str) -> Scenario {
    Scenario::parse(text, name).unwrap_or_else(|e| panic!("{name}: {e} at {:?}", e.position(text)))
}

/// Runs it under the eyes of the independent judge, and checks that every RST was explained.
pub(crate) fn play(scenario: &Scenario) -> Outcome {
    let mut judge = Judge::new(scenario);
    let outcome = run_watched(scenario, Turns::Forward, &mut judge, |_| ());
    assert_eq!(judge.count(), 0, "{}: {:#?}", scenario.name, judge.violations());
    for host in outcome.hosts.iter().filter(|host| host.platform.is_linux()) {
        let counted = host.counter(finwait_model::counters::Mib::OutRsts);
        assert_eq!(host.rst_count(), counted, "{}: every RST is explained", host.name);
    }
    outcome
}

/// The same, and the host called web.
pub(crate) fn web(scenario: &Scenario) -> HostOutcome {
    play(scenario).host("web").expect("there is a web").clone()
}
