//! The model against recorded answers of a live kernel: runs everywhere, also where no kernel may
//! be asked. `finwait verify --record examples/scripts/*.pkt` writes them.

use std::path::{Path, PathBuf};

use finwait_model::release::Release;
use finwait_sim::script::{lower::lower, parse};
use finwait_verify::record::Recording;
use finwait_verify::{check, plan};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scripts")
}

/// What differs, if the script still says what was recorded.
fn difference(recording: &Path) -> Option<String> {
    let text = std::fs::read_to_string(recording).unwrap();
    let recording_of = Recording::from_text(&text).expect("a recording");
    let script = recording.to_str().unwrap().replace(".live.json", ".pkt");
    let source = std::fs::read(&script).expect("a recording stands beside its script");
    let near = |wanted: &str| std::fs::read_to_string(scripts().join(wanted)).ok();
    let plan = lower(&parse(&source).unwrap(), Release::V6_18, &near).unwrap();
    let case = plan::case(&script, &plan).unwrap();
    assert_eq!(case.steps.len(), recording_of.seen.steps.len(), "{script}: record it again");
    check::recorded(&case, &recording_of).unwrap().map(|d| format!("{script}\n{d}"))
}

#[test]
fn the_model_does_what_the_kernel_did() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(scripts()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.to_str().unwrap().ends_with(".live.json"));
    files.sort();
    assert!(files.len() > 100, "only {} recordings", files.len());
    let differences: Vec<String> = files.iter().filter_map(|f| difference(f)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
