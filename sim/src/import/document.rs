//! The scenario as a document: each value with what it was derived from, what the machine has
//! seen, and what was left out. One document, two forms: TOML with comments, and JSON.

use core::fmt::Write as _;

use serde::Serialize;

use crate::scenario::{Error, Scenario};

/// How a value came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// It stands in the input.
    Given,
    /// It was worked out from the input.
    Derived,
    /// Nothing said; a guess.
    Assumed,
}

/// A value of the scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entry {
    /// Its key within the table.
    pub key: String,
    /// The value as TOML writes it.
    pub value: String,
    /// How it came to be.
    pub basis: Basis,
    /// From what, or why; empty where the table says it.
    pub why: String,
}

/// A table of the scenario.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Section {
    /// Its name, `hosts.web`; empty for the top.
    pub table: String,
    /// Is it one of several with that name?
    pub repeated: bool,
    /// What there is to say of the whole.
    pub about: Vec<String>,
    /// Its values.
    pub entries: Vec<Entry>,
}

/// What the machine's counters say that the scenario cannot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Seen {
    /// The counter.
    pub counter: String,
    /// Its value, or how much it has risen.
    pub value: u64,
    /// How often that is, where there is a time.
    pub rate: Option<String>,
    /// What it means.
    pub means: String,
}

/// What is in the input and not in the scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeftOut {
    /// What.
    pub what: String,
    /// Its value, where it has one.
    pub value: Option<String>,
    /// Why.
    pub why: String,
}

/// A scenario out of a machine.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Imported {
    /// What it was made from.
    pub sources: Vec<String>,
    /// What there is to say of all of it.
    pub notes: Vec<String>,
    /// The tables, in order.
    pub tables: Vec<Section>,
    /// What the counters have seen.
    pub seen: Vec<Seen>,
    /// What is not in it.
    pub left_out: Vec<LeftOut>,
}

impl Section {
    pub(super) fn new(table: &str) -> Self {
        Self { table: table.to_owned(), ..Self::default() }
    }
    pub(super) fn repeated(table: &str) -> Self {
        Self { repeated: true, ..Self::new(table) }
    }
    pub(super) fn about(&mut self, text: impl Into<String>) {
        self.about.push(text.into());
    }
    fn put(&mut self, key: &str, value: String, basis: Basis, why: impl Into<String>) {
        let why = why.into();
        self.entries.push(Entry { key: key.to_owned(), value, basis, why });
    }
    /// A value that is text.
    pub(super) fn text(&mut self, key: &str, value: &str, basis: Basis, why: impl Into<String>) {
        self.put(key, quoted(value), basis, why);
    }
    /// A value that is a number, or `true`.
    pub(super) fn plain(
        &mut self,
        key: &str,
        value: impl core::fmt::Display,
        basis: Basis,
        why: impl Into<String>,
    ) {
        self.put(key, value.to_string(), basis, why);
    }
}

/// Text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing into a string cannot fail.
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key, in quotes if it needs them.
fn key(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !text.is_empty() && text.chars().all(bare) { text.to_owned() } else { quoted(text) }
}

/// How long a line of comments is.
const WIDTH: usize = 110;

/// So many things that were left out for one reason are shown with their values.
const FEW: usize = 8;

/// Text as lines of a comment.
fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.extend(word.chars().filter(|c| !c.is_control()));
    }
    out.push_str(&line);
    out.push('\n');
}

impl Imported {
    /// The scenario as TOML.
    pub fn toml(&self) -> String {
        let mut out = String::new();
        comment(&mut out, &format!("Made by finwait import from {}.", self.sources.join(", ")));
        comment(
            &mut out,
            "Each value says where it comes from; what is marked ASSUMED is a guess to be replaced.",
        );
        for note in &self.notes {
            comment(&mut out, note);
        }
        for table in &self.tables {
            out.push('\n');
            for about in &table.about {
                comment(&mut out, about);
            }
            match (table.table.as_str(), table.repeated) {
                ("", _) => {}
                (name, false) => _ = writeln!(out, "[{name}]"),
                (name, true) => _ = writeln!(out, "[[{name}]]"),
            }
            entries(&mut out, &table.entries);
        }
        self.seen_comment(&mut out);
        self.left_out_comment(&mut out);
        out
    }
    fn seen_comment(&self, out: &mut String) {
        if self.seen.is_empty() {
            return;
        }
        out.push('\n');
        comment(out, "What the machine has seen already, by its own counters:");
        let width = self.seen.iter().map(|seen| seen.counter.len()).max().unwrap_or(0);
        for seen in &self.seen {
            let rate = seen.rate.as_ref().map(|rate| format!(" ({rate})")).unwrap_or_default();
            let means = seen.means.split([':', '.', ';']).next().unwrap_or_default();
            let _ = writeln!(out, "#   {:<width$}  {}{rate}: {means}", seen.counter, seen.value);
        }
    }
    fn left_out_comment(&self, out: &mut String) {
        if self.left_out.is_empty() {
            return;
        }
        out.push('\n');
        comment(out, "Left out:");
        let mut reasons: Vec<(&str, Vec<&LeftOut>)> = Vec::new();
        for left in &self.left_out {
            match reasons.iter_mut().find(|(why, _)| *why == left.why) {
                Some((_, all)) => all.push(left),
                None => reasons.push((&left.why, vec![left])),
            }
        }
        for (why, all) in reasons {
            // Of many only the names: the values are in the JSON.
            let few = all.len() <= FEW;
            let what = |left: &&LeftOut| match &left.value {
                Some(value) if few => format!("{} = {value}", left.what),
                _ => left.what.clone(),
            };
            let all: Vec<String> = all.iter().map(what).collect();
            comment(out, &format!("- {}: {why}", all.join(", ")));
        }
    }
    /// The scenario, read by the parser that reads all scenarios.
    pub fn scenario(&self, name: &str) -> Result<Scenario, Error> {
        Scenario::parse(&self.toml(), name)
    }
}

/// Values with their comments in line.
fn entries(out: &mut String, entries: &[Entry]) {
    let texts: Vec<String> =
        entries.iter().map(|e| format!("{} = {}", key(&e.key), e.value)).collect();
    // One value that is long does not move all comments to the right.
    let width = texts.iter().map(|t| t.chars().count()).filter(|n| *n <= 48).max().unwrap_or(0);
    for (entry, text) in entries.iter().zip(&texts) {
        let mark = if entry.basis == Basis::Assumed { "ASSUMED" } else { "" };
        let colon = if mark.is_empty() || entry.why.is_empty() { "" } else { ": " };
        let why: String = entry.why.chars().filter(|c| !c.is_control()).collect();
        let said = format!("{mark}{colon}{why}");
        if said.is_empty() {
            let _ = writeln!(out, "{text}");
        } else {
            let _ = writeln!(out, "{text:<width$}  # {said}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_text_it_stays_where_it_belongs() {
        assert_eq!(quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000Ad\"");
        assert_eq!(key("tcp_x"), "tcp_x");
        assert_eq!(key("net.ipv4.x"), "\"net.ipv4.x\"");
        let mut out = String::new();
        comment(&mut out, "one\ntwo [three]");
        assert_eq!(out, "# one two [three]\n");
        let mut section = Section::new("hosts.web");
        section.text("kernel", "6.18", Basis::Assumed, "no\nidea");
        let mut out = String::new();
        entries(&mut out, &section.entries);
        assert_eq!(out, "kernel = \"6.18\"  # ASSUMED: noidea\n");
    }
}
