//! Every command that a page shows is typed, page after page, whether the page shows what it prints or
//! not. (What it prints where it does is compared by `book.rs`.)

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::book::{all_pages, read, root, words};
use crate::program::{command, finwait, is_too_much, scratch, text};

/// What is not typed here, and why; what begins in one of these ways.
const ELSEWHERE: &[(&str, &str)] = &[
    ("finwait run case.toml", "a case of a question: tests/it/questions.rs"),
    ("finwait plot docs/gallery/incident-eighth.toml", "tests/it/gallery.rs"),
    ("finwait run --", "the incident: book.rs, and .ci/run plays it twice"),
    ("finwait live ", "needs a TUN device: tests/it/live.rs"),
    ("finwait import --live", "looks at this machine for ten seconds: tests/it/import.rs"),
    ("finwait verify ", "asks the live kernel: .ci/run and verify/tests"),
    ("finwait learn watch", "ends when it is interrupted: tests/it/learn.rs"),
    ("finwait learn --from examples/exercises check 18", "the exercise is yours to write"),
    ("finwait merge ", "shards of several runs: tests/it/shards.rs"),
    ("finwait ask --all", "docs/what-if: tests/it/questions.rs"),
    ("finwait ask 1", "docs/what-if: tests/it/questions.rs"),
    ("finwait ask 2", "docs/what-if: tests/it/questions.rs"),
    ("finwait nstat --host peer", "docs/smoltcp.md shows that it is refused"),
];

/// Takes longer than the others together.
const LONG: &[&str] =
    &["--seeds 5", "pool-mixed", "wrk-nginx-redis", "examples/scenarios/incident.toml"];

/// A line of a page as it would be typed, or nothing if it is no command or has a place to fill in.
fn typed(line: &str, is_in_text: bool) -> Option<String> {
    let line = line.trim_start().trim_start_matches("$ ");
    // What follows `#`, `|` or `>` is not finwait's; in quotes it is.
    let (mut end, mut quote) = (line.len(), None);
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#' | '|' | '>' | ';') => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let line = line[..end].trim_end();
    let line = line
        .replace(" RUN", " run.fwr")
        .replace(" DIR", " desk")
        .replace("SCENARIO.toml", "mine.toml");
    let rest = line.strip_prefix("finwait ")?;
    let is_command = rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '-');
    let is_to_fill = |word: &str| {
        word.contains(['…', '['])
            || (word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'.'))
            || ["N", "T", "FILE.pkt"].contains(&word)
    };
    // In a sentence a command without an argument is only named.
    let own = if rest.starts_with("learn ") { 2 } else { 1 };
    let is_named = is_in_text && !rest.split(' ').skip(own).any(|word| !word.starts_with('-'));
    (is_command && !is_named && !rest.split(' ').any(is_to_fill)).then_some(line)
}

/// The commands of a page in their order: those of blocks, and those that stand in the text.
fn commands(page: &str) -> Vec<String> {
    let (mut found, mut block) = (Vec::new(), None::<bool>);
    let joined = page.replace("\\\n", " ");
    for line in joined.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            // Outputs of a console block are no commands, and it is run by `book.rs`.
            block = if block.is_some() { None } else { Some(["", "sh"].contains(&kind)) };
            continue;
        }
        match block {
            Some(true) => found.extend(typed(line, false)),
            Some(false) => {}
            None => found
                .extend(line.split('`').skip(1).step_by(2).filter_map(|code| typed(code, true))),
        }
    }
    found
}

/// A folder with what pages take to be there.
fn folder(of: &str, stock: &Path) -> std::path::PathBuf {
    let folder = scratch(of);
    for entry in fs::read_dir(stock).expect("the stock is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().expect("a name");
        // Whoever writes to a file of that name writes to one of his own.
        fs::copy(&path, folder.join(name)).expect("it can be copied");
    }
    for part in ["docs", "examples"] {
        std::os::unix::fs::symlink(root().join(part), folder.join(part)).expect("it can be linked");
    }
    folder
}

/// The files that commands on pages read.
fn stock() -> std::path::PathBuf {
    let stock = scratch("pages-stock");
    let from = root().join("tests/pages");
    for entry in fs::read_dir(from).expect("tests/pages is there") {
        let path = entry.expect("it can be listed").path();
        fs::copy(&path, stock.join(path.file_name().expect("a name"))).expect("it can be copied");
    }
    let mine = stock.join("mine.toml");
    for name in ["before.toml", "after.toml"] {
        fs::copy(&mine, stock.join(name)).expect("it can be copied");
    }
    for (name, is) in
        [("sysctl", "sysctl"), ("nstat-1", "nstat-1"), ("nstat-2", "nstat-2"), ("ss", "ss-tan")]
    {
        let from = root().join(format!("tests/import/{is}.txt"));
        fs::copy(from, stock.join(format!("{name}.txt"))).expect("it can be copied");
    }
    let pcap = stock.join("run.pcap");
    assert_eq!(finwait(&["export", text(&mine), "--host", "web", "--pcap", text(&pcap)]).status, 0);
    let run = stock.join("run.fwr");
    assert_eq!(finwait(&["run", text(&mine), "--record", text(&run)]).status, 0);
    for name in ["today.fwr", "yesterday.fwr", "monday.fwr", "tuesday.fwr"] {
        fs::copy(&run, stock.join(name)).expect("it can be copied");
    }
    stock
}

#[test]
fn every_command_on_a_page_is_one() {
    let (mut done, mut wrong, mut left) = (BTreeSet::new(), String::new(), BTreeSet::new());
    let stock = stock();
    let is_long = is_too_much("commands on pages that simulate much");
    for path in all_pages() {
        // What stands on generated pages comes from tables, and exercises have a desk of their own.
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let commands: Vec<String> = commands(&read(&path));
        if commands.is_empty() || shown.contains("exercises/") {
            continue;
        }
        let folder = folder("pages", &stock);
        if commands.iter().any(|line| line.starts_with("finwait learn")) {
            let desk = command(&["learn", "init", "desk"]).current_dir(&folder).status();
            assert!(desk.expect("it starts").success());
        }
        for line in commands {
            let elsewhere = ELSEWHERE.iter().find(|(begin, _)| line.starts_with(begin));
            left.extend(elsewhere.map(|(begin, _)| *begin));
            let is_left = elsewhere.is_some() || is_long && LONG.iter().any(|n| line.contains(n));
            if is_left || !done.insert(line.clone()) {
                continue;
            }
            let args = words(line.strip_prefix("finwait ").unwrap_or(""));
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            // Exercises are done in the folder that `init` has made.
            let is_elsewhere = args.iter().any(|arg| ["desk", "--from"].contains(arg));
            let is_at_desk = args[0] == "learn" && !is_elsewhere && folder.join("desk").is_dir();
            let from = if is_at_desk { folder.join("desk") } else { folder.clone() };
            let output = command(&args).current_dir(from).output().expect("it starts");
            if output.status.code().is_none_or(|code| code > 1) {
                let said = String::from_utf8_lossy(&output.stderr);
                let _ = writeln!(wrong, "{shown}: {line}\n{said}");
            }
        }
    }
    assert!(wrong.is_empty(), "commands on pages that are refused:\n{wrong}");
    for (begin, why) in ELSEWHERE {
        assert!(left.contains(begin), "no page has {begin:?} any more ({why})");
    }
    assert!(done.len() > 100, "only {} are run", done.len());
}
