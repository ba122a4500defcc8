//! Texts that are kept in the repository: written with `FINWAIT_UPDATE=1`, compared otherwise.

use std::path::Path;

/// Compares `text` with the file of that name under `docs/generated/`.
pub(crate) fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/generated").join(name);
    if std::env::var_os("FINWAIT_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept == text {
        return;
    }
    let differ = |(a, b): &(&str, &str)| a != b;
    let lines = kept.lines().chain(std::iter::repeat("")).zip(text.lines());
    let first: Vec<_> = lines.enumerate().filter(|(_, l)| differ(l)).take(10).collect();
    let mut shown = String::new();
    for (n, (kept, now)) in first {
        shown += &format!("line {}\n  kept: {kept}\n  now:  {now}\n", n + 1);
    }
    panic!(
        "docs/generated/{name} is out of date; FINWAIT_UPDATE=1 cargo test writes it anew, and \
         git diff shows what changed\n{shown}"
    );
}
