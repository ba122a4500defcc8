//! `finwait report`, and the report in `run --out`: a page that one can send, and its Markdown twin.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::json;

use finwait_model::counters::Mib;
use finwait_model::time::Instant;
use finwait_sim::findings;
use finwait_sim::recording::{self, End, Header, Recorder, Recording};
use finwait_sim::run::{HostOutcome, Outcome, run_watched};
use finwait_sim::scenario::{Scenario, Setting};
use finwait_sim::watch::Count;
use finwait_sim::world::{HostId, Turns};
use finwait_viz::report::{self, Checked, Other, Report};

use crate::failure::{Failure, Verdict, print};
use crate::interrupt::Interrupt;
use crate::out_dir::{Folder, RUN};

use crate::plan;
use crate::progress::Bar;
use crate::source::broken;
use crate::story::Counter;

/// Write a report of a run: report.html, which opens from disk, and report.md with its figures.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: a recording, or a scenario, which is run now. Further runs are shown beside the first.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Where to write [default: the folder of the first RUN].
    #[arg(short = 'o', long = "out", value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave the counter-run out: the same run with sysctls that might have helped.
    #[arg(long)]
    no_counter_run: bool,
    /// Print the verdict and the files as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Reads the runs, runs the counter-run, writes the report.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let interrupt = Interrupt::listen();
    let mut runs = Vec::new();
    for path in &args.runs {
        let Some(rec) = open(path, &interrupt)? else { return Ok(Verdict::Interrupted) };
        runs.push((path.display().to_string(), rec));
    }
    let (path, rec) = &runs[0];
    let beside = args.runs[0].parent().unwrap_or_else(|| Path::new(""));
    let folder = Folder::create(args.out.as_deref().unwrap_or(beside))?;
    let wrong = |error: recording::Error| broken(path, &error);
    let scenario = rec.scenario().ok().filter(|_| matches!(rec.end(), End::Complete(_)));
    let hosts = report::hosts(rec).map_err(wrong)?;
    let (facts, rest) = beside_one_another(rec, path, &interrupt, true, || {
        let scenario = scenario.as_ref().filter(|_| !args.no_counter_run)?;
        let counter = counter_run(scenario, &hosts, &interrupt)?;
        let checked = check(scenario, &hosts, &counter, &interrupt);
        Some((counter_other(scenario, counter), checked))
    })?;
    let Some(facts) = facts else { return Ok(Verdict::Interrupted) };
    let (mut others, checked) = match rest {
        Some((other, checked)) => (vec![other], checked),
        None => (Vec::new(), None),
    };
    for (path, rec) in &runs[1..] {
        others.push(Other::recorded(path.clone(), rec).map_err(|e| broken(path, &e))?);
    }
    let report = Report { facts, others, checked, recording: path.clone() };
    let files = write(&folder, &report)?;
    print(&told(&report, &files, args.json))?;
    Ok(Verdict::Fine)
}

/// The report of a run that has just been recorded into its folder; false if somebody broke it off.
pub(super) fn of_run(
    folder: &Folder,
    scenario: &Scenario,
    outcome: &Outcome,
    counter: Option<&Counter>,
    interrupt: &Interrupt,
) -> Result<bool, Failure> {
    let path = folder.path(RUN);
    let shown = path.display().to_string();
    let rec = Recording::open(&path).map_err(|error| broken(&shown, &error))?;
    // Whoever has ended the run wants to see what there is of it.
    let stops = !outcome.interrupted;
    let (facts, checked) = beside_one_another(&rec, &shown, interrupt, stops, || {
        check(scenario, &outcome.hosts, counter?, interrupt)
    })?;
    let Some(facts) = facts else { return Ok(false) };
    let others = counter.map(|counter| counter_other(scenario, counter.clone()));
    let others = others.into_iter().collect();
    let report = Report { facts, others, checked, recording: RUN.to_owned() };
    write(folder, &report)?;
    Ok(true)
}

/// Reads a recording while something else runs on another core.
fn beside_one_another<T: Send>(
    rec: &Recording,
    path: &str,
    interrupt: &Interrupt,
    stops: bool,
    other: impl FnOnce() -> Option<T> + Send,
) -> Result<(Option<report::Facts>, Option<T>), Failure> {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let bar = Bar::new("report", rec.end().at().since(Instant::ZERO));
        let facts = report::gather(rec, |now| {
            bar.reach(now);
            if stops && interrupt.asked() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let Ok(other) = other.join() else {
            panic!("invariant: a counter-run does not panic where the run does not")
        };
        bar.finish();
        Ok((facts.map_err(|error| broken(path, &error))?, other))
    })
}

/// Opens a recording, or runs a scenario and records it in memory; `None` if somebody broke it off.
fn open(path: &Path, interrupt: &Interrupt) -> Result<Option<Recording>, Failure> {
    let shown = path.display().to_string();
    match Recording::open(path) {
        Ok(rec) => return Ok(Some(rec)),
        Err(recording::Error::NotARecording) => {}
        Err(recording::Error::Io(error)) => return Err(Failure::unreadable(&shown, &error)),
        Err(error) => return Err(broken(&shown, &error)),
    }
    let (scenario, toml) = plan::read_with_text(path)?;
    let mut recorder = Recorder::new(Vec::new(), Header::new(&scenario, &toml, None));
    let bar = Bar::new(&scenario.name, scenario.duration);
    let mut watch = (interrupt.clone(), &mut recorder);
    let outcome = run_watched(&scenario, Turns::Forward, &mut watch, |now| bar.show(now));
    bar.finish();
    if outcome.interrupted {
        return Ok(None);
    }
    let bytes = recorder.finish(&outcome)?;
    Recording::read(Cursor::new(bytes)).map(Some).map_err(|error| broken(&shown, &error))
}

/// The same run with what would have helped: what the scenario says, or else larger tables.
fn counter_run(
    scenario: &Scenario,
    hosts: &[HostOutcome],
    interrupt: &Interrupt,
) -> Option<Counter> {
    let (settings, other) = match scenario.counter_run() {
        Some(other) => (scenario.counter.clone(), other),
        None => findings::raised(scenario, hosts)?,
    };
    let outcome = quietly(&other, interrupt)?;
    Some(Counter { settings, outcome })
}

fn quietly(scenario: &Scenario, interrupt: &Interrupt) -> Option<Outcome> {
    let mut watch = (interrupt.clone(), Count);
    let outcome = run_watched(scenario, Turns::Forward, &mut watch, |_| ());
    (!outcome.interrupted).then_some(outcome)
}

const BUCKETS: &str = "net.ipv4.tcp_max_tw_buckets";

/// Runs once more with tables just as large as the counter-run filled them, where it was larger
/// tables that helped.
fn check(
    scenario: &Scenario,
    hosts: &[HostOutcome],
    counter: &Counter,
    interrupt: &Interrupt,
) -> Option<Checked> {
    let helped = counter.outcome.rst_count() == 0
        && hosts.iter().any(|h| h.rst_count() > 0 || h.counter(OUT_RSTS) > 0);
    let about_buckets = |s: &Setting| {
        let host = usize::from(s.host.0);
        s.sysctl == BUCKETS && hosts.get(host).is_some_and(|h| h.counter(OVERFLOWS) > 0)
    };
    if !helped || !counter.settings.iter().all(about_buckets) {
        return None;
    }
    let most = |host: HostId| u64::from(counter.outcome.hosts[usize::from(host.0)].peak.tw);
    let limits: Vec<(HostId, u64)> =
        counter.settings.iter().map(|s| (s.host, most(s.host))).collect();
    let (_, other) = findings::with_bucket_limits(scenario, limits.iter().copied())?;
    let outcome = quietly(&other, interrupt)?;
    let name = |host| scenario.host_plan(host).name.clone();
    Some(Checked {
        limits: limits.into_iter().map(|(host, limit)| (name(host), limit)).collect(),
        resets: outcome.rst_count(),
        refusals: outcome.hosts.iter().map(|h| h.counter(OVERFLOWS)).sum(),
    })
}

const OVERFLOWS: Mib = Mib::TCPTimeWaitOverflow;
const OUT_RSTS: Mib = Mib::OutRsts;

fn counter_other(scenario: &Scenario, counter: Counter) -> Other {
    let name = |s: &Setting| format!("{}.{s}", scenario.host_plan(s.host).name);
    Other::counter_run(counter.settings.iter().map(name).collect(), counter.outcome)
}

/// Writes the files, each of them whole; says which, and how large they are.
fn write(folder: &Folder, report: &Report) -> Result<Vec<(PathBuf, usize)>, Failure> {
    let markdown = report.markdown();
    let mut files = vec![("report.html".to_owned(), report.html())];
    files.extend(markdown.figures);
    files.push(("report.md".to_owned(), markdown.text));
    let mut written = Vec::new();
    for (name, text) in files {
        folder.write(&name, text.as_bytes())?;
        written.push((folder.path(&name), text.len()));
    }
    Ok(written)
}

/// The verdict and the files.
fn told(report: &Report, files: &[(PathBuf, usize)], as_json: bool) -> String {
    let headline = report.verdict().headline.replace('`', "");
    if as_json {
        let files: Vec<_> = files
            .iter()
            .map(|(path, bytes)| json!({ "path": path.display().to_string(), "bytes": bytes }))
            .collect();
        return json!({ "verdict": headline, "files": files }).to_string() + "\n";
    }
    let lines = files
        .iter()
        .map(|(path, bytes)| format!("{}  {} kB\n", path.display(), bytes.div_ceil(1000)));
    headline + "\n" + &lines.collect::<String>()
}
