//! The questions that are built in, and one out of a file.

use std::path::Path;

use finwait_sim::question::Study;
use finwait_sim::scenario::Error;

use crate::failure::Failure;

/// A question, and where it stands.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The file's name without its ending, which is the question's name.
    pub(crate) name: String,
    /// The file.
    pub(crate) path: String,
    /// Is it a person's own?
    pub(crate) is_own: bool,
    /// The question.
    pub(crate) study: Study,
}

macro_rules! questions {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../examples/scenarios/", $name, ".toml")))),*]
    };
}

/// Their files, in the order of their numbers.
const QUESTIONS: &[(&str, &str)] = questions![
    "buckets-full"
    "buckets-5000"
    "ports-or-buckets"
    "fin-timeout"
    "tw-reuse"
    "tw-recycle-nat"
    "orphans"
    "half-closed"
    "close-wait-same-port"
    "pool-idle-timeout"
    "balancer-forgets"
    "restart"
    "linger-0"
    "nat-port-reuse"
    "unread-unsent"
    "fin-timeout-61"
    "forty-milliseconds"
    "who-closes-first"
    "pool-too-small"
    "code-cache-off"
    "short-code"
];

/// All that are built in.
pub(crate) fn all() -> Result<Vec<Entry>, Failure> {
    let entry =
        |(name, text): &(&str, &str)| read(name, &format!("examples/scenarios/{name}.toml"), text);
    QUESTIONS.iter().map(entry).collect()
}

/// One of a person's own.
pub(crate) fn own(path: &Path) -> Result<Entry, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::unreadable(&shown, &e))?;
    let stem = path.file_stem().map_or_else(|| shown.clone(), |s| s.to_string_lossy().into_owned());
    read(&stem, &shown, &text).map(|entry| Entry { is_own: true, ..entry })
}

fn read(name: &str, path: &str, text: &str) -> Result<Entry, Failure> {
    let wrong = |error: Error| Failure::in_text(path, text, &error);
    let study = Study::parse(text, name).map_err(wrong)?;
    Ok(Entry { name: name.to_owned(), path: path.to_owned(), is_own: false, study })
}
