//! `finwait verify`: the same scripts on the live kernel and on the model.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use finwait_model::cause::Cause;
use finwait_model::release::Release;
use finwait_sim::script;
use finwait_verify::check::Setup;
use finwait_verify::session::{self, Finding, Options, Report};
use finwait_verify::step::Case;
use finwait_verify::tap::Tap;
use finwait_verify::{guard, netns, plan, triple};

use crate::failure::{Failure, Verdict, print};
use crate::ink;
use crate::progress::drawn;

/// Where scripts are looked for if none is named, and where small differing cases go.
const SCRIPTS: &str = "examples/scripts";
const REGRESSIONS: &str = "tests/regressions";
/// Generated cases if neither scripts nor a number are given.
const CASES: u64 = 200;
/// Differences that are made small; the rest is only counted.
const FINDINGS: usize = 5;

/// Play scripts, or generated cases, on the live kernel and on the model: agreement, or the first
/// difference, made small.
///
/// Needs Linux 6.18 and either root or user namespaces with a readable /dev/net/tun. Everything
/// happens in network namespaces of its own; nothing outside them is touched.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Args {
    /// Scripts; without any, those in examples/scripts and 200 generated cases.
    #[arg(value_name = "FILE.pkt")]
    pub(crate) files: Vec<PathBuf>,
    /// How many generated cases.
    #[arg(long, value_name = "N")]
    pub(crate) cases: Option<u64>,
    /// How many generated cases may differ before that is a failure; they are shown all the same.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) at_most: usize,
    /// Of the generated cases only the one with this number, to see it again.
    #[arg(long, value_name = "N", requires = "seed", conflicts_with = "cases")]
    pub(crate) case: Option<u64>,
    /// Seed of the generated cases; without one, a new one, which is printed.
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Cases played at the same time.
    #[arg(long, value_name = "J", default_value_t = 128,
          value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) jobs: u16,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also play, as root and one at a time, scripts that set sysctls of the whole machine
    /// (tcp_max_orphans, tcp_mem); they are put back afterwards.
    #[arg(long)]
    pub(crate) allow_global: bool,
    /// Show differing cases as they were found, not made small.
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Write the model's transitions to FILE, each marked as confirmed by this run or not.
    #[arg(long, value_name = "FILE")]
    pub(crate) coverage: Option<PathBuf>,
    /// Write the live kernel's answers beside each script, as NAME.live.json.
    #[arg(long)]
    pub(crate) record: bool,
}

/// Plays everything and prints what came of it.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let options = options(args)?;
    // Before any thread is started: a user namespace can only be entered alone.
    netns::permit().map_err(|why| Failure::Input(format!("error: cannot verify here: {why}")))?;
    guard::begin();
    let setup = Setup::new(Tap::open().ok());
    guard::clean_up_with(setup.tap.as_ref());
    let bar = drawn("verify", Some(options.total() as u64), "{pos} of {len} [{bar:30}] {msg}");
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        // A panic of the model is a difference; it is told there.
        std::panic::set_hook(Box::new(|_| {}));
    }
    let report = session::run(&options, &setup, |report| {
        bar.set_position(report.played as u64);
        bar.set_message(format!("{} agree", report.agreed));
    });
    drop(std::panic::take_hook());
    bar.finish_and_clear();
    let text = if args.json { json(&options, &report) } else { story(&options, &setup, &report) };
    print(&text)?;
    if let Some(path) = &args.coverage {
        let shown = path.display();
        std::fs::write(path, transitions(&report))
            .map_err(|e| Failure::Input(format!("error: {shown}: {e}")))?;
    }
    let scripts = report.differed.iter().filter(|f| !is_generated(&f.case)).count();
    let generated = report.differed.len() - scripts;
    let fine = scripts == 0 && generated <= args.at_most && report.unable.is_empty();
    Ok(if fine { Verdict::Fine } else { Verdict::Differs })
}

/// Was the case made by the generator, and not read from a file?
fn is_generated(case: &Case) -> bool {
    case.name.starts_with("seed ")
}

fn options(args: &Args) -> Result<Options, Failure> {
    let mut files = args.files.clone();
    if files.is_empty() && args.cases.is_none() && args.case.is_none() {
        files = scripts_in(Path::new(SCRIPTS));
    }
    let (mut scripts, mut beside) = (Vec::new(), Vec::new());
    for file in &files {
        if let Some(case) = read(file)? {
            scripts.push(case);
            beside.push(file.with_extension("live.json"));
        }
    }
    let cases = args.cases.unwrap_or(if args.files.is_empty() { CASES } else { 0 });
    let cases = args.case.map_or(0..cases, |n| n..n + 1);
    let save = PathBuf::from(REGRESSIONS);
    Ok(Options {
        scripts,
        cases,
        seed: args.seed.unwrap_or_else(new_seed),
        jobs: usize::from(args.jobs),
        allow_global: args.allow_global,
        shrink: !args.no_shrink,
        findings_max: FINDINGS,
        save: save.is_dir().then_some(save),
        record: args.record.then_some(beside),
    })
}

/// Every script in a folder, sorted.
fn scripts_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "pkt"));
    files.sort();
    files
}

/// The case of a script; none if the script is meant for another kernel.
fn read(file: &Path) -> Result<Option<Case>, Failure> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|e| Failure::Input(format!("error: {name}: {e}")))?;
    let source = String::from_utf8_lossy(&bytes);
    let wrong = |e: script::diagnostic::ScriptError| {
        Failure::Input(e.render_by(&ink::renderer(), &name, &source))
    };
    let parsed = script::parse(&bytes).map_err(wrong)?;
    if parsed.kernel.is_some_and(|k| k != Release::V6_18) {
        return Ok(None);
    }
    let near = |wanted: &str| {
        let path = file.with_file_name(wanted);
        std::fs::read_to_string(path).ok()
    };
    let lowered = script::lower::lower(&parsed, Release::V6_18, &near).map_err(wrong)?;
    let refused = |r: plan::Refusal| Failure::Input(format!("error: {name}:{}: {}", r.line, r.why));
    plan::case(&name, &lowered).map(Some).map_err(refused)
}

/// A seed that differs from run to run: generated cases should not be the same for ever.
fn new_seed() -> u64 {
    finwait_verify::sys::now_ns() % 1_000_000
}

fn kernel_version() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

fn story(options: &Options, setup: &Setup, report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.differed {
        let _ = write!(out, "{}", told(finding));
    }
    for why in &report.unable {
        let _ = writeln!(out, "not played: {why}");
    }
    let scripts = options.scripts.len();
    let _ = writeln!(
        out,
        "{scripts} scripts, {} generated with --seed {}",
        options.cases.clone().count(),
        options.seed
    );
    if report.global > 0 {
        let _ = writeln!(out, "{} need --allow-global and were left out", report.global);
    }
    if report.replayed > 0 {
        let _ = writeln!(out, "{} played again because the machine was busy", report.replayed);
    }
    if !setup.tick.exact {
        let _ = writeln!(out, "without root the tick's number is guessed: long timers may differ");
    }
    if setup.tap.is_none() {
        let _ = writeln!(out, "without root the kernel does not tell why it sends a RST");
    }
    let (ticks, late) = report.ticks;
    let _ = writeln!(out, "timers ran at {ticks} ticks, at {late} of them one tick late");
    let _ = writeln!(out, "{}", coverage(report));
    for (case, entry) in &report.foreseen {
        let _ = writeln!(out, "{case} differs as entry {entry} of docs/divergences.md foresees");
    }
    let all = report.agreed + report.foreseen.len() == report.played;
    let style = ink::if_wanted(ink::stdout(), if all { ink::GOOD } else { ink::BAD });
    let agreed = format!("{style}{} of {} agree{style:#}", report.agreed, report.played);
    let _ = write!(out, "kernel {}: {agreed}", kernel_version());
    match report.foreseen.len() {
        0 => out.push('\n'),
        n => {
            let _ = writeln!(out, ", {n} differ as foreseen");
        }
    }
    out
}

fn told(finding: &Finding) -> String {
    let style = ink::if_wanted(ink::stdout(), ink::BAD);
    let mut out = format!("{style}{}{style:#}\n{}\n\n", finding.case.name, finding.difference);
    let _ = writeln!(out, "{}", finding.ladder);
    let _ = writeln!(out, "{}", finding.script);
    if let Some(path) = &finding.saved {
        let _ = writeln!(out, "saved as {}\n", path.display());
    }
    out
}

fn coverage(report: &Report) -> String {
    let never: Vec<&str> =
        Cause::all().filter(|c| !report.causes.contains_key(c)).map(Cause::name).collect();
    let reached = report.causes.len();
    let all = reached + never.len();
    let mut out = format!("{reached} of {all} causes reached");
    if !never.is_empty() {
        let _ = write!(out, "; never: {}", never.join(", "));
    }
    let known = triple::known();
    let confirmed = known.iter().filter(|t| report.triples.contains(**t)).count();
    let _ = write!(
        out,
        "\n{confirmed} of {} known transitions (state, event, answer) confirmed, and {} others",
        known.len(),
        report.triples.len() - confirmed
    );
    out
}

/// Every known transition and every other that was reached, with a mark.
fn transitions(report: &Report) -> String {
    let known = triple::known();
    let reached = report.triples.iter().map(String::as_str);
    let all: BTreeSet<&str> = known.iter().copied().chain(reached).collect();
    let mut out = format!(
        "# kernel {}: transitions of the model (state | event | answer), confirmed or never reached\n",
        kernel_version()
    );
    for triple in all {
        let mark = if report.triples.contains(triple) { "confirmed" } else { "never    " };
        let _ = writeln!(out, "{mark} {triple}");
    }
    out
}

fn json(options: &Options, report: &Report) -> String {
    let differed: Vec<_> = report
        .differed
        .iter()
        .map(|f| {
            serde_json::json!({
                "case": f.case.name,
                "kind": f.difference.kind.to_string(),
                "subject": f.difference.subject,
                "at_ns": f.difference.at_ns,
                "kernel": f.difference.live,
                "model": f.difference.model,
                "script": f.script,
            })
        })
        .collect();
    let foreseen: Vec<serde_json::Value> = report
        .foreseen
        .iter()
        .map(|(case, entry)| serde_json::json!({ "case": case, "entry": entry }))
        .collect();
    let causes: serde_json::Map<String, serde_json::Value> =
        report.causes.iter().map(|(c, n)| (c.name().to_owned(), (*n).into())).collect();
    let value = serde_json::json!({
        "kernel": kernel_version(),
        "seed": options.seed,
        "scripts": options.scripts.len(),
        "cases": options.cases.clone().count(),
        "played": report.played,
        "agreed": report.agreed,
        "replayed": report.replayed,
        "differed": differed,
        "foreseen": foreseen,
        "unable": report.unable,
        "causes": causes,
        "transitions": report.triples,
        "never_reached": triple::known()
            .into_iter()
            .filter(|t| !report.triples.contains(*t))
            .collect::<Vec<_>>(),
    });
    format!("{value}\n")
}
