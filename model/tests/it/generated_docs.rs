//! Documents that are made from the model's own tables and comments: docs/generated/*.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::golden::golden;

const NOTE: &str = "Written by the model's tests (`FINWAIT_UPDATE=1 cargo test -p finwait-model`) \
                    and compared by them otherwise.\n";

/// All source files of the model but its tests, sorted.
fn sources(dir: &Path, all: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.ends_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            sources(&path, all);
        } else {
            all.push(path);
        }
    }
}

/// The names in `[brackets]` between backticks in a comment.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter_map(|quoted| {
        let name = quoted.strip_prefix('[')?.strip_suffix(']')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '*';
        (!name.is_empty() && name.chars().all(plain)).then_some(name)
    })
}

/// The comments of a file: each block of lines as one text.
fn comments(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        let line = line.trim_start();
        if !line.starts_with("//") {
            blocks.push(String::new());
        } else if let Some(block) = blocks.last_mut() {
            *block = format!("{block} {}", line.trim_start_matches(['/', '!', ' ']));
        }
    }
    blocks
}

/// What a comment says of the kernel's name: its sentences up to the citation, if the citation
/// stands behind a sentence.
fn said<'a>(block: &'a str, kernel: &str) -> &'a str {
    let quoted = format!("`[{kernel}]`");
    let before = block.split(&quoted).next().unwrap_or_default();
    // Several may be cited in a row.
    let before = before.split(" `[").next().unwrap_or_default().trim();
    let before = before.split("(3.10:").next().unwrap_or_default().trim();
    let plain = !before.contains(['|', '[']) && before.len() < 400;
    if plain && before.ends_with(['.', '?']) { before } else { "" }
}

#[test]
fn kernel_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut map: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        for block in comments(&std::fs::read_to_string(&file).unwrap()) {
            for kernel in cited(&block) {
                let (places, words) = map.entry(kernel.to_owned()).or_default();
                if places.last() != Some(&name) {
                    places.push(name.clone());
                }
                // What is said of a function tells more than what is said of a note about it.
                if words.is_empty() && name != "sink.rs" {
                    *words = said(&block, kernel).to_owned();
                }
            }
        }
    }
    assert!(map.len() > 100, "the model cites the kernel: {}", map.len());
    let with_words = map.values().filter(|(_, words)| !words.is_empty()).count();
    assert!(with_words * 3 > map.len(), "{with_words} of {} have words", map.len());
    let mut text = format!(
        "# Where the kernel's functions are\n\n{NOTE}\n\
         Every kernel name that the model's comments cite, the files under `model/src` that do \
         what it does, and what the comment says.\n\n| kernel | model | in words |\n\
         |---|---|---|\n"
    );
    for (kernel, (places, words)) in map {
        let places: Vec<_> = places.iter().map(|p| format!("`{p}`")).collect();
        let _ = writeln!(text, "| `{kernel}` | {} | {words} |", places.join(", "));
    }
    golden("kernel-map.md", &text);
}
