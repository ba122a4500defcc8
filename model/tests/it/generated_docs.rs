//! Documents that are made from the model's own tables and comments: docs/generated/*.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use finwait_model::behaviour::BEHAVIOURS;
use finwait_model::cause::Cause;
use finwait_model::release::Release;

use crate::golden::golden;

const NOTE: &str = "Written by the model's tests (`FINWAIT_UPDATE=1 cargo test -p finwait-model`) \
                    and compared by them otherwise.\n";

#[test]
fn causes() {
    let mut text = format!(
        "# Why a segment is sent\n\n{NOTE}\n\
         One entry per send site of the kernel: the name that finwait prints, the functions from \
         the entry to the send, and for RSTs the reason that `tcp:tcp_send_reset` reports on 6.18 \
         (3.10 has none; there it is what 6.18 would report).\n"
    );
    for (title, resets) in [("Segments that are no RST", false), ("RSTs", true)] {
        let _ = write!(text, "\n## {title}\n");
        for cause in Cause::all().filter(|c| c.is_reset() == resets) {
            let site = cause.site();
            let _ = write!(text, "\n### `{}`\n\n{}\n\n", site.name, site.why);
            let _ = writeln!(text, "`{}`", site.path.join(" → "));
            if let Some(reason) = site.reset {
                let _ = write!(text, "\n`SK_RST_REASON_{}`\n", reason.kernel_name());
            }
            if site.releases.len() < Release::ALL.len() {
                let only: Vec<_> = site.releases.iter().map(|r| r.name()).collect();
                let _ = write!(text, "\nOnly in {}.\n", only.join(", "));
            }
        }
    }
    golden("causes.md", &text);
}

#[test]
fn behaviours() {
    let mut text = format!(
        "# What differs between the releases\n\n{NOTE}\n\
         Each difference has a name, and the code asks for it by that name. `3.10` is RHEL 7's \
         kernel; the column \"changed\" says when upstream changed it, as far as known.\n\n\
         | behaviour | 3.10 | 6.18 | changed | what one can see |\n|---|---|---|---|---|\n"
    );
    let yes = |b| if b { "yes" } else { "no" };
    for row in BEHAVIOURS {
        let (old, new) = (yes(row.v3_10), yes(row.v6_18));
        let _ =
            writeln!(text, "| `{}` | {old} | {new} | {} | {} |", row.name, row.changed, row.effect);
    }
    golden("behaviours.md", &text);
}

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

#[test]
fn kernel_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            if !line.trim_start().starts_with("//") {
                continue;
            }
            for kernel in cited(line) {
                let places = map.entry(kernel.to_owned()).or_default();
                if places.last() != Some(&name) {
                    places.push(name.clone());
                }
            }
        }
    }
    assert!(map.len() > 100, "the model cites the kernel: {}", map.len());
    let mut text = format!(
        "# Where the kernel's functions are\n\n{NOTE}\n\
         Every kernel name that the model's comments cite, and the files under `model/src` that \
         do what it does.\n\n| kernel | model |\n|---|---|\n"
    );
    for (kernel, places) in map {
        let places: Vec<_> = places.iter().map(|p| format!("`{p}`")).collect();
        let _ = writeln!(text, "| `{kernel}` | {} |", places.join(", "));
    }
    golden("kernel-map.md", &text);
}
