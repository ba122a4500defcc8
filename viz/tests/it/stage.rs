//! Scenarios from `examples/scenarios`, played and recorded in memory.

use std::io::Cursor;
use std::path::PathBuf;

use finwait_model::time::Span;
use finwait_sim::recording::{Header, Recorder, Recording};
use finwait_sim::run::run_watched;
use finwait_sim::scenario::{Scenario, Setting};
use finwait_sim::world::Turns;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "examples", "scenarios"].iter().collect()
}

/// Every scenario file's name, sorted.
pub(crate) fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("the folder is there");
    let names =
        files.map(|f| f.expect("it can be read").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
    names.sort();
    names
}

/// The text of a scenario file.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("the scenario is there")
}

/// A scenario with settings, recorded; the long ones only for so many seconds.
pub(crate) fn recorded(name: &str, settings: &[&str], seconds: u64) -> Recording {
    played(&text(name), settings, seconds)
}

/// The same for any scenario's text.
pub(crate) fn played(text: &str, settings: &[&str], seconds: u64) -> Recording {
    let mut scenario = Scenario::parse(text, "scenario").expect("it is one");
    for setting in settings {
        let setting = Setting::parse(setting, &scenario).expect("it is a setting");
        setting.apply(&mut scenario).expect("the release takes it");
    }
    scenario.duration = scenario.duration.min(Span::secs(seconds));
    let mut recorder = Recorder::new(Vec::new(), Header::new(&scenario, text, None));
    let outcome = run_watched(&scenario, Turns::Forward, &mut recorder, |_| ());
    let bytes = recorder.finish(&outcome).expect("memory can be written");
    Recording::read(Cursor::new(bytes)).expect("it is whole")
}
