//! Texts that are compared with a file; `FINWAIT_UPDATE=1` rewrites the file, `git diff` reviews it.

use std::path::{Path, PathBuf};

/// Compares `actual` with `tests/golden/NAME`.
pub(crate) fn check(name: &str, actual: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect();
    check_at(&path, actual);
}

/// Compares `actual` with a file anywhere in the repository.
pub(crate) fn check_at(path: &Path, actual: &str) {
    if std::env::var_os("FINWAIT_UPDATE").is_some() {
        std::fs::write(path, actual).expect("the golden file can be written");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected != actual {
        let line = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
        panic!(
            "{} differs from line {} on (FINWAIT_UPDATE=1 accepts it):\n\
             expected: {}\n  actual: {}\n--- all of it:\n{actual}",
            path.display(),
            line + 1,
            expected.lines().nth(line).unwrap_or("(end)"),
            actual.lines().nth(line).unwrap_or("(end)"),
        );
    }
}
