//! docs/ as a book: every page is in it, no link leads nowhere, and every command on a page that shows
//! what it prints is run, byte for byte (`FINWAIT_UPDATE=1` writes what it prints).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::golden;
use crate::program::{command, finwait, is_too_much};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page below a folder.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found.sort();
}

pub(crate) fn all_pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    pages(&root().join("docs"), &mut found);
    pages(&root().join("examples/exercises"), &mut found);
    found.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    found
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A page's lines outside of code blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Where the links of a line lead.
fn links(line: &str) -> Vec<String> {
    // What stands in backticks is code.
    let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let mut found = Vec::new();
    let mut rest = plain.as_str();
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        let end = rest.find(')').unwrap_or(rest.len());
        found.push(rest[..end].to_owned());
    }
    found
}

/// A heading's anchor, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    prose(page).filter(|l| l.starts_with('#')).map(|l| anchor(l.trim_start_matches('#'))).collect()
}

#[test]
fn no_link_leads_nowhere() {
    let mut broken = String::new();
    for path in all_pages() {
        let page = read(&path);
        for link in prose(&page).flat_map(links) {
            if link.starts_with("http") || link.starts_with("mailto:") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((&link, ""));
            let folder = path.parent().expect("it lies in a folder");
            let target = if file.is_empty() { path.clone() } else { folder.join(file) };
            let fine =
                target.exists() && (place.is_empty() || anchors(&read(&target)).contains(place));
            if !fine {
                let _ = writeln!(broken, "{}: {link}", path.display());
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{broken}");
}

#[test]
fn every_page_is_in_the_book_once() {
    let docs = root().join("docs");
    let summary = read(&docs.join("SUMMARY.md"));
    let listed: Vec<PathBuf> = summary
        .lines()
        .flat_map(links)
        .map(|link| docs.join(&link).canonicalize().unwrap_or_else(|e| panic!("{link}: {e}")))
        .collect();
    let mut found = Vec::new();
    pages(&docs, &mut found);
    let mut wrong = String::new();
    for page in found.iter().filter(|p| !p.ends_with("SUMMARY.md")) {
        let page = page.canonicalize().expect("it is there");
        let times = listed.iter().filter(|l| **l == page).count();
        if times != 1 {
            let name = page.strip_prefix(&docs).unwrap_or(&page).display();
            let _ = writeln!(wrong, "{name} is listed {times} times");
        }
    }
    assert!(
        wrong.is_empty(),
        "docs/SUMMARY.md should have a line for every page, under its part:\n{wrong}"
    );
    assert!(summary.starts_with("# Summary\n"), "mdBook wants that");
    assert!(read(&root().join("book.toml")).contains("src = \"docs\""));
}

/// The arguments of a typed command, with single or double quotes as a shell takes them.
pub(crate) fn words(typed: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in typed.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What a command on a page prints; `| head -N` and `| tail -N` are understood. In a block `console refused`
/// it is refused, and what it prints is what is said of that.
fn printed(typed: &str, folder: &Path, is_refused: bool) -> String {
    let mut parts = typed.split(" | ");
    let args = words(parts.next().and_then(|all| all.strip_prefix("finwait ")).unwrap_or(""));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = command(&args).current_dir(folder).output().expect("it starts");
    let out = String::from_utf8(output.stdout).expect("text");
    let err = String::from_utf8(output.stderr).expect("text");
    let code = output.status.code().expect("it ends by itself");
    assert_eq!(code == 2, is_refused, "{typed}: {err}");
    let (shown, other) = if is_refused { (err, out) } else { (out, err) };
    assert_eq!(other, "", "{typed}");
    let mut lines: Vec<&str> = shown.lines().collect();
    for filter in parts {
        let count = filter.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
        match (filter.split(' ').next(), count) {
            (Some("head"), Some(n)) => lines.truncate(n),
            (Some("tail"), Some(n)) => drop(lines.drain(..lines.len().saturating_sub(n))),
            _ => panic!("{typed}: {filter} is not understood here"),
        }
    }
    lines.iter().fold(String::new(), |all, line| all + line.trim_end() + "\n")
}

/// The page with what its commands print now.
fn renewed(page: &str, folder: &Path) -> (String, usize) {
    let (mut out, mut is_block, mut is_run, mut commands) = (String::new(), false, false, 0);
    let mut is_refused = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_block = !is_block && line.starts_with("```console");
            is_refused = line == "```console refused";
            is_run = false;
        }
        if is_block && let Some(typed) = line.strip_prefix("$ ") {
            out += &format!("{line}\n{}", printed(typed, folder, is_refused));
            is_run = true;
            commands += 1;
        } else if !(is_block && is_run) {
            out += &format!("{line}\n");
        }
    }
    (out, commands)
}

#[test]
fn every_output_on_a_page_is_what_is_printed() {
    let exercises = root().join("examples/exercises");
    let mut commands = 0;
    for path in all_pages() {
        let page = read(&path);
        if !page.contains("```console") {
            continue;
        }
        // What a learner types is typed in the folder of exercises.
        let folder = if path.starts_with(&exercises) { &exercises } else { root() };
        let (new, some) = renewed(&page, folder);
        commands += some;
        golden::check_at(&path, &new);
    }
    assert!(commands > 25, "{commands} commands are run");
}

/// The README begins with what the program prints of itself.
#[test]
fn the_readme_shows_the_incident() {
    if is_too_much("the incident of the README") {
        return;
    }
    let readme = read(&root().join("README.md"));
    let block = readme.split("```\n").nth(1).expect("it begins with a block");
    let told = finwait(&["run"]).stdout;
    let told = told.rsplit_once("\n\n").expect("the digest stands at the end").0;
    assert_eq!(block.trim_end(), told.trim_end(), "README.md: the incident is another one by now");
}

/// Flags on pages are flags that there are: whatever page shows them, and whether it shows what comes
/// of them or not.
#[test]
fn every_flag_on_a_page_is_one() {
    let mut helps = std::collections::BTreeMap::new();
    let mut wrong = String::new();
    for path in all_pages() {
        let page = read(&path);
        for line in page.lines().map(|l| l.trim_start().trim_start_matches("$ ")) {
            let Some(rest) = line.strip_prefix("finwait ") else { continue };
            let typed = rest.split([';', '|', '#']).next().unwrap_or("");
            // Behind `--` stands somebody else's command.
            let mut typed = typed.split_whitespace().take_while(|word| *word != "--");
            let Some(first) = typed.next().filter(|w| w.bytes().all(|b| b.is_ascii_lowercase()))
            else {
                continue;
            };
            let help = helps.entry(first.to_owned()).or_insert_with(|| help_of(first));
            for flag in typed.filter(|w| w.starts_with("--")) {
                let name = flag.split(['=', ']', ',', '`', '…']).next().unwrap_or(flag);
                if !help.contains(name) {
                    let _ = writeln!(wrong, "{}: {line}", path.display());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "flags that there are not:\n{wrong}");
}

/// The help of a command, with that of its own commands.
fn help_of(name: &str) -> String {
    let help = finwait(&[name, "--help"]).stdout;
    if name != "learn" {
        return help;
    }
    ["init", "check", "solution"]
        .into_iter()
        .fold(help, |all, what| all + &finwait(&[name, what, "--help"]).stdout)
}

/// docs/exercises: the exercises' pages with their rules at the end, for the book.
#[test]
fn the_book_has_the_exercises() {
    let listed: serde_json::Value =
        serde_json::from_str(&finwait(&["learn", "list", "--json"]).stdout).expect("JSON");
    for exercise in listed["exercises"].as_array().expect("a list") {
        let name = exercise["exercise"].as_str().expect("a name");
        let folder = root().join("examples/exercises").join(name);
        let spec = read(&folder.join("exercise.toml"));
        let rule = spec.lines().find_map(|l| l.strip_prefix("rule = ")).expect("a rule");
        let rule: String = serde_json::from_str(rule).expect("a string");
        let page = format!(
            "{}\n## The rule\n\n{rule}\n\n{} min, {}. Yours to fill in: \
             [`{answer}`](../../examples/exercises/{name}/{answer}); the solution lies in\n\
             [kept](../../examples/exercises/{name}/kept/{answer}).\n",
            read(&folder.join("README.md")).trim_end(),
            exercise["minutes"],
            exercise["kind"].as_str().expect("a kind"),
            answer = exercise["answer"].as_str().expect("a file"),
        );
        golden::check_at(
            &root().join(format!("docs/exercises/{name}.md")),
            &page.replace("```console\n", "```text\n"),
        );
    }
}
