//! `finwait sweep`: a scenario at many points, side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::failure::{Failure, Verdict};
use crate::interrupt::Interrupt;
use crate::out_dir::Folder;
use crate::plan as files;
use crate::sweep::journal::{Head, Journal};
use crate::sweep::plan::{MEASURES, Plan, Spec};
use crate::sweep::play::play;
use crate::sweep::row::Row;
use crate::sweep::shard::Shard;
use crate::sweep::tell;

/// Run a scenario at many points and say what came of each.
///
/// Every combination of the values is run, with the same seeds, in parallel; the result does not
/// depend on how many threads there are. With --out, a sweep that was broken off goes on where it
/// stopped when it is started again.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario; without one, the built-in incident.
    #[arg(value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    /// Vary something: a list of values and ranges, such as
    /// web.net.ipv4.tcp_max_tw_buckets=5000,8192,32768..262144:x2 or links.delay=1ms..16ms:x2;
    /// :xF multiplies, :+N adds, :N makes N values. May be repeated.
    #[arg(long, value_name = "KEY=VALUES", required = true)]
    vary: Vec<String>,
    /// Change something at every point, as `finwait run` does.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How many seeds at each point: the scenario's, and those that follow it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// What to measure, such as web.rst_sent,web.peak.tw,web.p99 or 'web.broken / web.started'
    /// [default: rst_sent,overflow,peak.tw,EADDRNOTAVAIL,p99, each of all hosts].
    #[arg(long, value_name = "MEASURE", value_delimiter = ',')]
    measure: Vec<String>,
    /// Instead of every combination, a sample of N points: a Latin hypercube. A range without a step
    /// is sampled anywhere between its ends.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    latin: Option<u64>,
    /// Only part K of N of the points, for one of N machines; see `finwait merge`.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Write the table (sweep.txt, sweep.csv, sweep.ndjson) and a picture of each measure into this
    /// folder, and on the way there a journal to go on from.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many threads [default: one for each processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let shard = args.shard.as_deref().map(Shard::parse).transpose()?;
    let (mut base, name) = files::draft(args.scenario.as_deref())?;
    files::set(&mut base, "--set", &args.set)?;
    let measures: Vec<String> = match &args.measure[..] {
        [] => MEASURES.map(str::to_owned).to_vec(),
        asked => asked.iter().map(|text| text.trim().to_owned()).collect(),
    };
    let spec = Spec {
        finwait: env!("CARGO_PKG_VERSION").to_owned(),
        name,
        scenario: base.text(),
        vary: args.vary.clone(),
        latin: args.latin.map(|count| count as usize),
        seeds: args.seeds,
        measures,
    };
    let plan = Plan::new(spec, base, &args.set)?;
    let head = Head { spec: plan.spec.clone(), shard };
    let folder = args.out.as_deref().map(Folder::create).transpose()?;
    let opened = folder.as_ref().map(|folder| Journal::open(folder, &head, &plan)).transpose()?;
    let (mut journal, mut rows) =
        opened.map_or((None, BTreeMap::new()), |(j, rows)| (Some(j), rows));
    let mine = |run: &usize| shard.is_none_or(|shard| shard.has(plan.point_of(*run)));
    let all: Vec<usize> = (0..plan.runs()).filter(mine).collect();
    let left: Vec<usize> = all.iter().copied().filter(|run| !rows.contains_key(run)).collect();
    let interrupt = Interrupt::listen();
    let fresh: Mutex<Vec<Row>> = Mutex::new(Vec::new());
    let played = play(&plan, &left, args.threads.map(usize::from), &interrupt, |row| {
        if let Some(journal) = &mut journal {
            journal.add(&row, &plan)?;
        }
        if let Ok(mut fresh) = fresh.lock() {
            fresh.push(row);
        }
        Ok(())
    });
    played?;
    rows.extend(fresh.into_inner().unwrap_or_default().into_iter().map(|row| (row.run, row)));
    if rows.len() < all.len() {
        let again = if folder.is_some() { "; started again, it goes on from there" } else { "" };
        eprintln!("interrupted: {} of {} runs are done{again}", rows.len(), all.len());
        return Ok(Verdict::Interrupted);
    }
    tell(&plan, &head, &rows, folder.as_ref(), args.json)
}
