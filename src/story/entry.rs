//! What a name means, for a terminal and as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use finwait_sim::glossary::{Body, Entry, Line, Section};

use super::text::wrapped;

/// The widest line.
const WIDTH: usize = 96;
/// Where a section's words begin.
const INDENT: usize = 16;
/// How many names of a long list are shown; JSON has all of them.
const MOST_NAMES: usize = 12;

/// Entries one after the other.
pub(crate) fn text(entries: &[&Entry]) -> String {
    let texts: Vec<String> = entries.iter().map(|entry| one(entry)).collect();
    texts.join("\n")
}

fn one(entry: &Entry) -> String {
    let mut out = format!("{} ({})\n", entry.name, entry.kind.name());
    block(&mut out, "", 2, &entry.headline);
    if !entry.sections.is_empty() {
        out.push('\n');
    }
    for section in &entry.sections {
        let title = format!("  {}", section.title);
        match &section.body {
            Body::Text(words) => block(&mut out, &title, INDENT, words),
            Body::Path(path) => block(&mut out, &title, INDENT, &path.join(" → ")),
            Body::Names(names) => block(&mut out, &title, INDENT, &some(names)),
            Body::Table(lines) => table(&mut out, &title, lines),
        }
    }
    out
}

/// The names, or the first few of many.
fn some(names: &[String]) -> String {
    if names.len() <= MOST_NAMES {
        return names.join(", ");
    }
    let more = names.len() - MOST_NAMES;
    format!("{}, and {more} more", names[..MOST_NAMES].join(", "))
}

/// A title on the left and words on the right of it.
fn block(out: &mut String, title: &str, indent: usize, words: &str) {
    for (i, line) in wrapped(words, WIDTH - indent).iter().enumerate() {
        let title = if i == 0 { title } else { "" };
        let _ = writeln!(out, "{title:indent$}{line}");
    }
}

/// Things with their words: on one line if both are short, else the words below.
fn table(out: &mut String, title: &str, lines: &[Line]) {
    let widest = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    for (i, line) in lines.iter().enumerate() {
        let title = if i == 0 { title } else { "" };
        if widest <= MOST_NAMES {
            let name = format!("{title:INDENT$}{:widest$}", line.name);
            block(out, &name, INDENT + widest + 2, &line.text);
        } else if line.name.is_empty() {
            block(out, title, INDENT, &line.text);
        } else {
            let _ = writeln!(out, "{title:INDENT$}{}", line.name);
            block(out, "", INDENT + 2, &line.text);
        }
    }
}

/// A heading, and names in lines below it.
pub(crate) fn listed(title: &str, names: &[&str]) -> String {
    let mut out = format!("{title}\n");
    block(&mut out, "", 2, &names.join("  "));
    out.push('\n');
    out
}

/// Entries as one object; docs/json.md describes it.
pub(crate) fn json(entries: &[&Entry]) -> String {
    let entries: Vec<Value> = entries.iter().map(|entry| object(entry)).collect();
    format!("{}\n", json!({ "entries": entries }))
}

/// Names and headlines only.
pub(crate) fn json_list(entries: &[Entry]) -> String {
    let entries = entries
        .iter()
        .map(|e| json!({ "kind": e.kind.name(), "name": e.name, "headline": e.headline }));
    format!("{}\n", json!({ "entries": entries.collect::<Vec<_>>() }))
}

fn object(entry: &Entry) -> Value {
    let facts: Map<String, Value> =
        entry.sections.iter().map(|s| (s.key.to_owned(), body(s))).collect();
    json!({
        "kind": entry.kind.name(),
        "name": entry.name,
        "aliases": entry.aliases,
        "headline": entry.headline,
        "facts": facts,
    })
}

fn body(section: &Section) -> Value {
    match &section.body {
        Body::Text(words) => json!(words),
        Body::Path(names) | Body::Names(names) => json!(names),
        Body::Table(lines) => {
            lines.iter().map(|l| json!({ "name": l.name, "text": l.text })).collect()
        }
    }
}
