//! Kernel functions: where the model does what they do, and what passes through them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::drop_reason::DropReason;
use finwait_model::state::TcpState;
use finwait_model::sysctl::about::ABOUT;

use super::{Entry, Kind, witness};
use crate::because::Because;

/// Every kernel name that the model's comments cite, with the files; a test of the model writes it.
const MAP: &str = include_str!("../../../docs/generated/kernel-map.md");

/// A row of the map.
struct Row {
    name: &'static str,
    files: Vec<&'static str>,
    /// What the model's comment says before it cites the function; may be empty.
    words: &'static str,
}

/// The rows of the map.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| map().collect());

fn map() -> impl Iterator<Item = Row> {
    MAP.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.splitn(3, " | ");
        let name = cells.next()?.strip_suffix('`')?;
        let files = cells.next()?.split('`').filter(|file| file.ends_with(".rs")).collect();
        Some(Row { name, files, words: cells.next()?.trim() })
    })
}

/// All that are known.
pub(super) fn all() -> Vec<Entry> {
    let mut names: BTreeSet<&str> = ROWS.iter().map(|row| row.name).collect();
    for cause in Cause::all().filter(|c| c.is_of_linux()) {
        names.extend(cause.site().path);
        names.extend(cause.site().decided_in);
    }
    Mib::ALL.iter().for_each(|mib| names.extend(mib.about().at));
    DropReason::ALL.iter().for_each(|reason| names.extend(reason.at()));
    ABOUT.iter().for_each(|sysctl| names.extend(sysctl.at));
    Because::ALL.iter().for_each(|because| names.extend(because.decided_in()));
    TcpState::ALL.iter().for_each(|state| names.extend(state.about().at));
    names.into_iter().map(function).collect()
}

fn function(name: &str) -> Entry {
    let row = ROWS.iter().find(|row| row.name == name);
    let (files, words) = row.map_or((&[][..], ""), |row| (&row.files[..], row.words));
    let headline = match (words, files.is_empty()) {
        ("", true) => "A function on a path of the kernel; the model does its work elsewhere.",
        ("", false) => "The model does what it does.",
        (words, _) => words,
    };
    let files = files.iter().map(|file| format!("model/src/{file}"));
    let through = Cause::all().filter(|c| c.site().path.contains(&name)).map(Cause::name);
    let decided = Cause::all().filter(|c| c.site().decided_in == Some(name)).map(Cause::name);
    let counters = Mib::ALL.iter().filter(|m| m.about().at.contains(&name)).map(|m| m.nstat_name());
    let drops = DropReason::ALL.iter().filter(|d| d.at().contains(&name));
    let sysctls = ABOUT.iter().filter(|s| s.at.contains(&name)).map(|s| s.name);
    let states = TcpState::ALL.iter().filter(|s| s.about().at.contains(&name));
    let becauses = Because::ALL.iter().filter(|b| b.decided_in().contains(&name));
    // A RST that a later segment brings about: which cause will send it.
    let later: BTreeSet<&str> =
        becauses.clone().flat_map(|b| witness::words("because", b.name(), "causes")).collect();
    Entry::new(Kind::Function, name, headline)
        .names("model", "in the model", files)
        .names("causes", "on paths of", through)
        .names("decides", "decides", decided)
        .names("because", "RSTs because", becauses.map(|b| b.name()))
        .names("later_causes", "RSTs by", later)
        .names("counters", "raises", counters)
        .names(
            "drop_reasons",
            "drops for",
            drops.map(|d| format!("SKB_DROP_REASON_{}", d.kernel_name())),
        )
        .names("sysctls", "reads", sysctls)
        .names("states", "states", states.map(|s| s.kernel_name()))
}
