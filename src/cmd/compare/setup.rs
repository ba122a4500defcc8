//! What differs in the set-up of two runs: kernels, sysctls in force, and any other key of the files.

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item, Value};

use super::side::Side;

/// Something that is not set in the same way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SetUp {
    /// Its key, as one would set it.
    pub(super) key: String,
    /// In A and in B; `None`: it is not there.
    pub(super) values: [Option<String>; 2],
}

/// Keys that say something about a run and change nothing in it.
const WORDS: [&str; 6] = ["name", "about", "counter_run", "expect", "cases", "question"];

/// All of it: hosts first, in the order of A.
pub(super) fn differences(sides: &[Side; 2]) -> Vec<SetUp> {
    let mut all = Vec::new();
    let mut tell = |key: String, values: [Option<String>; 2]| {
        if values[0] != values[1] {
            all.push(SetUp { key, values });
        }
    };
    let [a, b] = sides.each_ref().map(|side| &side.scenario);
    tell("seed".to_owned(), [a, b].map(|s| Some(s.seed.to_string())));
    tell("duration".to_owned(), [a, b].map(|s| Some(s.duration.to_string())));
    for host in &a.hosts {
        let Some(other) = b.hosts.iter().find(|other| other.name == host.name) else { continue };
        let both = [host, other];
        let name = &host.name;
        tell(format!("hosts.{name}.kernel"), both.map(|h| Some(h.release.name().to_owned())));
        tell(format!("hosts.{name}.hz"), both.map(|h| Some(h.clock.hz.to_string())));
        for sysctl in host.sysctl.names() {
            let values = both.map(|h| h.sysctl.get(sysctl).map(|v| v.replace('\t', " ")));
            // What only one of two kernels has says nothing about the settings.
            if values.iter().all(Option::is_some) {
                tell(format!("{name}.{sysctl}"), values);
            }
        }
    }
    let keys = sides.each_ref().map(|side| flat(&side.toml));
    let mut names: Vec<&String> = keys.iter().flat_map(BTreeMap::keys).collect();
    names.sort();
    names.dedup();
    for name in names {
        tell(name.clone(), [0, 1].map(|n| keys[n].get(name).cloned()));
    }
    all
}

/// Every key of a file with its value, but for those that are compared by what they come to.
fn flat(toml: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    if let Ok(document) = toml.parse::<DocumentMut>() {
        for (key, item) in document.iter().filter(|(key, _)| !WORDS.contains(key)) {
            descend(key.to_owned(), item, &mut keys);
        }
    }
    keys.retain(|key, _| {
        let of_host = key.starts_with("hosts.");
        let known = key.ends_with(".kernel") || key.ends_with(".hz") || key.contains(".sysctl.");
        !(of_host && known) && key != "seed" && key != "duration"
    });
    keys
}

fn descend(path: String, item: &Item, keys: &mut BTreeMap<String, String>) {
    if let Some(table) = item.as_table_like() {
        for (key, item) in table.iter() {
            descend(format!("{path}.{key}"), item, keys);
        }
    } else if let Some(tables) = item.as_array_of_tables() {
        for (number, table) in tables.iter().enumerate() {
            for (key, item) in table {
                descend(format!("{path}.{}.{key}", number + 1), item, keys);
            }
        }
    } else if let Some(value) = item.as_value() {
        keys.insert(path, plain(value));
    }
}

/// The value without quotes and remarks.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.clone().decorated("", "").to_string(),
    }
}
