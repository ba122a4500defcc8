//! From what was typed to the entries that it names.

use std::collections::BTreeMap;

use finwait_model::behaviour::BEHAVIOURS;
use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::drop_reason::DropReason;
use finwait_model::rst_reason::RstReason;
use finwait_model::state::TcpState;
use finwait_model::sysctl::about::ABOUT;

use super::{Body, Entry, Kind, functions, host, myths, segments};
use crate::app::Reason;
use crate::because::Because;
use crate::scenario::closest;

/// Everything that can be explained, by kind.
#[derive(Clone, Debug)]
pub struct Glossary {
    entries: Vec<Entry>,
    /// Every name in the form in which names are compared, with its entries and one spelling.
    names: BTreeMap<String, (String, Vec<usize>)>,
}

impl Default for Glossary {
    fn default() -> Self {
        Self::new()
    }
}

impl Glossary {
    /// All of it.
    pub fn new() -> Self {
        let mut entries = all();
        refer(&mut entries);
        let mut names: BTreeMap<String, (String, Vec<usize>)> = BTreeMap::new();
        for (place, entry) in entries.iter().enumerate() {
            for name in spellings(entry) {
                let (_, places) =
                    names.entry(canonical(name)).or_insert_with(|| (name.to_owned(), Vec::new()));
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        Self { entries, names }
    }
    /// Every entry, by kind.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// The entries with that name, whatever its case and whether with `-`, `_` or a space.
    pub fn find(&self, typed: &str) -> Vec<&Entry> {
        // `netstat -s` prints a number in front of its sentences, or within.
        let sentence = || self.names.get(&canonical(&words(typed)));
        let found = self.names.get(&canonical(typed)).or_else(sentence);
        found.map_or_else(Vec::new, |(_, places)| {
            places.iter().map(|&place| &self.entries[place]).collect()
        })
    }
    /// The names that are closest to what was typed, nearest first.
    pub fn nearest(&self, typed: &str, most: usize) -> Vec<&str> {
        let close = closest(&canonical(typed), self.names.keys().map(String::as_str));
        close.into_iter().take(most).map(|name| self.names[name].0.as_str()).collect()
    }
}

fn all() -> Vec<Entry> {
    let mut all: Vec<Entry> = Cause::all().map(segments::cause).collect();
    all.extend(Mib::ALL.iter().map(|&m| segments::counter(m)));
    all.extend(ABOUT.iter().map(host::sysctl));
    all.extend(TcpState::ALL.iter().map(|&s| host::state(s)));
    all.extend(BEHAVIOURS.iter().map(host::behaviour));
    all.extend(DropReason::ALL.iter().map(|&r| segments::drop_reason(r)));
    all.extend(RstReason::ALL.iter().map(|&r| segments::reset_reason(r)));
    all.extend(Because::ALL.iter().map(|&b| segments::because(b)));
    all.extend(Reason::ALL.iter().map(|&r| segments::close_reason(r)));
    all.extend(functions::all());
    all.extend(myths::MYTHS.iter().map(myths::entry));
    all
}

/// The words of a sentence of `netstat -s` without its number.
pub(super) fn words(text: &str) -> String {
    let number = |word: &str| word.chars().all(|c| c.is_ascii_digit());
    let words: Vec<&str> = text.split_whitespace().filter(|word| !number(word)).collect();
    words.join(" ")
}

fn spellings(entry: &Entry) -> impl Iterator<Item = &str> {
    std::iter::once(&entry.name).chain(&entry.aliases).map(String::as_str)
}

/// The form in which names are compared.
pub fn canonical(name: &str) -> String {
    let name = name.trim();
    let path = name.strip_prefix("/proc/sys/").map(|path| path.replace('/', "."));
    let name = path.as_deref().unwrap_or(name);
    let same = |c: char| if matches!(c, '-' | ' ') { '_' } else { c.to_ascii_lowercase() };
    name.trim_end_matches("()").chars().map(same).collect()
}

/// Adds to each entry the names that its sentences mention and its lists do not.
fn refer(all: &mut [Entry]) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for entry in all.iter().filter(|e| e.kind != Kind::Function) {
        // Single capitals and words of every day are no references.
        for name in
            spellings(entry).filter(|n| n.len() > 2 && n.contains(|c: char| !c.is_lowercase()))
        {
            known.entry(name.to_owned()).or_insert_with(|| entry.name.clone());
        }
    }
    for entry in all {
        let listed = |name: &str| {
            entry.sections.iter().any(|s| match &s.body {
                Body::Names(names) => {
                    names.iter().any(|n| n == name || name.ends_with(&format!(".{n}")))
                }
                Body::Table(lines) => lines.iter().any(|l| l.name == name),
                Body::Text(_) | Body::Path(_) => false,
            })
        };
        let mut seen: Vec<String> = Vec::new();
        let mut take = |text: &str| {
            let word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            for token in text.split(|c: char| !word(c)) {
                let token = token.trim_matches(['.', '-']);
                let Some(name) = known.get(token) else { continue };
                if *name != entry.name && !listed(name) && !seen.contains(name) {
                    seen.push(name.clone());
                }
            }
        };
        take(&entry.headline);
        for section in &entry.sections {
            match &section.body {
                Body::Text(text) if section.key != "kernel" => take(text),
                _ => {}
            }
        }
        if !seen.is_empty() {
            let body = Body::Names(seen);
            entry.sections.push(super::Section { key: "see_also", title: "see also", body });
        }
    }
}
