//! `finwait merge`: the shards of a sweep put together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use finwait_sim::scenario::Draft;

use crate::failure::{Failure, Verdict};
use crate::out_dir::Folder;
use crate::sweep::journal::{Head, NAME, Written, differences};
use crate::sweep::plan::Plan;
use crate::sweep::row::Row;
use crate::sweep::tell;

/// Put the shards of a sweep together.
///
/// Prints and writes the same as the sweep would have without shards. Points that are missing, or
/// there twice, are named.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The folders that `finwait sweep --shard K/N --out DIR` has written.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Write the table and the pictures into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// How many points are named.
const NAMED: usize = 10;

/// Reads them all before anything is written.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let mut parts = Vec::new();
    for folder in &args.folders {
        parts.push((folder, Written::open(folder)?));
    }
    let Some((first, written)) = parts.first() else {
        unreachable!("invariant: clap wants at least one folder")
    };
    let head = Head { shard: None, ..written.head.clone() };
    for (folder, other) in &parts {
        let other = Head { shard: None, ..other.head.clone() };
        if other != head {
            return Err(Failure::Input(format!(
                "error: {} and {} are of different sweeps: {} differ\n  = help: expected the shards of \
                 one sweep",
                first.display(),
                folder.display(),
                differences(&head, &other).join(", ")
            )));
        }
    }
    let plan = plan(&head, &first.join(NAME))?;
    let mut rows: BTreeMap<usize, (Row, &PathBuf)> = BTreeMap::new();
    let mut twice = Vec::new();
    for (folder, written) in &parts {
        for (run, row) in written.rows(&folder.join(NAME), &plan)? {
            if let Some((_, other)) = rows.insert(run, (row, folder)) {
                twice.push(format!(
                    "{}: in {} and in {}",
                    plan.name(run),
                    other.display(),
                    folder.display()
                ));
            }
        }
    }
    if !twice.is_empty() {
        return Err(named("are there twice", &twice, "expected each shard once"));
    }
    let missing: Vec<usize> = (0..plan.runs()).filter(|run| !rows.contains_key(run)).collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|run| plan.name(*run)).collect();
        return Err(named("are missing", &names, &whose(&missing, &head, &parts, &plan)));
    }
    let rows = rows.into_iter().map(|(run, (row, _))| (run, row)).collect();
    let folder = args.out.as_deref().map(Folder::create).transpose()?;
    if let Some(folder) = &folder {
        not_a_part(folder, &head)?;
    }
    tell(&plan, &head, &rows, folder.as_ref(), args.json)
}

/// What a journal's first line means.
fn plan(head: &Head, path: &std::path::Path) -> Result<Plan, Failure> {
    let base = Draft::new(&head.spec.scenario, &head.spec.name);
    let base = base.map_err(|error| {
        Failure::Input(format!("error: {}:1: no scenario: {error}", path.display()))
    })?;
    Plan::new(head.spec.clone(), base, &[])
}

/// The result of one sweep is not written over another, nor over a shard that it is made of.
fn not_a_part(folder: &Folder, head: &Head) -> Result<(), Failure> {
    let path = folder.path("");
    if !folder.path(NAME).exists() {
        return Ok(());
    }
    let there = Written::open(&path)?.head;
    if there == *head {
        return Ok(());
    }
    Err(Failure::Input(format!(
        "error: {} is of another sweep, or a part of one: {} differ\n  = help: expected another folder",
        folder.path(NAME).display(),
        differences(&there, head).join(", ")
    )))
}

/// Which shards the missing runs belong to, if that can be told.
fn whose(missing: &[usize], head: &Head, parts: &[(&PathBuf, Written)], plan: &Plan) -> String {
    let of = parts.iter().find_map(|(_, written)| Some(written.head.shard?.of));
    let Some(of) = of else {
        return format!("`finwait sweep` of {} was broken off; start it again", head.spec.name);
    };
    let mut numbers: Vec<usize> = missing.iter().map(|run| plan.point_of(*run) % of + 1).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let shards: Vec<String> = numbers.iter().map(|number| format!("{number}/{of}")).collect();
    let plural = if shards.len() == 1 { "" } else { "s" };
    format!(
        "they belong to shard{plural} {}; a shard that is started again goes on",
        shards.join(", ")
    )
}

fn named(what: &str, names: &[String], help: &str) -> Failure {
    let mut text = format!("error: {} of the sweep's runs {what}:\n", names.len());
    for name in names.iter().take(NAMED) {
        text += &format!("  {name}\n");
    }
    if names.len() > NAMED {
        text += &format!("  … and {} more\n", names.len() - NAMED);
    }
    Failure::Input(text + &format!("  = help: {help}"))
}
