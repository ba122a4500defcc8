//! Two releases differ only where a behaviour or a sysctl's default says so: nothing else in the model
//! asks which release it is.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may know a release: the table of behaviours, the defaults of sysctls, the host that is made of
/// it, and what describes releases to people.
const KNOW: [&str; 7] = [
    "release.rs",
    "behaviour.rs",
    "sysctl.rs",
    "kernel.rs",
    "site.rs",
    "about.rs",
    "text_table.rs",
];

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            files(&path, out);
        } else {
            out.push(path);
        }
    }
}

#[test]
fn only_behaviours_and_defaults_know_a_release() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    assert!(all.len() > 60, "{} files", all.len());
    for path in all {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let text = fs::read_to_string(&path).expect("it reads");
        // Tests of a file stand at its end.
        let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let tests = path.components().any(|c| c.as_os_str() == "tests") || name == "tests.rs";
        if KNOW.contains(&name.as_str()) || tests {
            continue;
        }
        for word in ["Release::", "self.release", ".release()", "V3_10", "V6_18"] {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
    }
}
