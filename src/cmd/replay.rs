//! `finwait replay`: packetdrill scripts on the model.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_sim::pcap;
use finwait_sim::script::ast::Pos;
use finwait_sim::script::diagnostic::{Kind, ScriptError};
use finwait_sim::script::lower::{lower, sysctl_error};
use finwait_sim::script::runner::{Options, Played, play};
use finwait_sim::script::{MAX_BYTES, parse, report};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::extract;

use crate::failure::{Failure, Verdict};
use crate::ink;

/// Play packetdrill scripts on the model.
///
/// The model is the host under test; the script is its application and its peer. Time is virtual:
/// nothing waits and nothing flakes. Exit status: 0 every expectation held, 1 one did not, 2 a
/// script cannot be read or asks for what the model does not have.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scripts, or directories of scripts (*.pkt).
    #[arg(required_unless_present = "from", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print a connection of a scenario's run as a script, instead of playing one.
    #[arg(long, value_name = "SCENARIO.toml", conflicts_with = "files")]
    pub(crate) from: Option<PathBuf>,
    /// Which connection: the Nth that was opened in the run.
    #[arg(long, value_name = "N", requires = "from", conflicts_with = "rst",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) flow: Option<u64>,
    /// Which connection: that of the Nth RST in the run [default: the first].
    #[arg(long, value_name = "N", requires = "from",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rst: Option<u64>,
    /// Whose side of the connection [default: who sent the RST, or was connected to].
    #[arg(long, value_name = "NAME", requires = "from")]
    pub(crate) host: Option<String>,
    /// The kernel to play on [default: what the script's `// kernel:` line says, or 6.18].
    #[arg(long, value_name = "RELEASE", value_parser = release)]
    pub(crate) kernel: Option<Release>,
    /// Set a sysctl on top of the script's own, by its full name.
    #[arg(long = "set", value_name = "SYSCTL=VALUE", value_parser = assignment)]
    pub(crate) sysctls: Vec<(String, String)>,
    /// Show every segment with its cause, every call and what the host noted.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Print the counters when the last event is done, by nstat name, and nothing else.
    #[arg(long, value_name = "FORMAT", value_parser = ["json"])]
    pub(crate) mib: Option<String>,
    /// Write what was on the wire as a capture (pcap with nanoseconds).
    #[arg(long, value_name = "OUT")]
    pub(crate) pcap: Option<PathBuf>,
    /// Go on with a script after an expectation that did not hold.
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// One JSON object for each script, and a last one with the totals.
    #[arg(long, conflicts_with_all = ["mib", "trace"])]
    pub(crate) json: bool,
}

fn release(name: &str) -> Result<Release, String> {
    let names: Vec<_> = Release::ALL.iter().map(|r| r.name()).collect();
    Release::from_name(name).ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    let (name, value) = pair.ok_or("expected SYSCTL=VALUE, as in net.ipv4.tcp_fin_timeout=30")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// How a script went.
enum Outcome {
    /// Played, with or without failures.
    Played(Box<Played>),
    /// Not played; the error is rendered.
    Refused { kind: Option<Kind>, line: u32, text: String },
}

struct Run {
    file: String,
    warnings: Vec<String>,
    outcome: Outcome,
}

impl Run {
    fn passed(&self) -> bool {
        matches!(&self.outcome, Outcome::Played(played) if played.failures.is_empty())
    }
    const fn refused(&self) -> bool {
        matches!(self.outcome, Outcome::Refused { .. })
    }
    fn verdict(&self) -> &'static str {
        match &self.outcome {
            Outcome::Played(played) if played.failures.is_empty() => "passed",
            Outcome::Played(_) => "failed",
            Outcome::Refused { kind: Some(Kind::Unsupported), .. } => "unsupported",
            Outcome::Refused { .. } => "unreadable",
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    match &args.from {
        Some(path) => extract::run(args, path),
        None => Ok(replay(args)?),
    }
}

fn replay(args: &Args) -> io::Result<Verdict> {
    let files = scripts(&args.files)?;
    if files.len() != 1 && (args.mib.is_some() || args.pcap.is_some()) {
        let option = if args.mib.is_some() { "--mib" } else { "--pcap" };
        let message = format!("{option} takes one script, not {}", files.len());
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    let runs: Vec<Run> = files.par_iter().map(|file| one(file, args)).collect();
    let mut err = io::stderr().lock();
    for run in &runs {
        run.warnings.iter().try_for_each(|warning| writeln!(err, "{warning}"))?;
        match &run.outcome {
            Outcome::Refused { text, .. } => write!(err, "{text}")?,
            Outcome::Played(played) if !args.json => {
                write!(err, "{}", report::failure(&run.file, played))?;
            }
            Outcome::Played(_) => {}
        }
    }
    let mut out = io::stdout().lock();
    if args.mib.is_some() {
        counters(&mut out, &runs)?;
    } else if args.json {
        json_lines(&mut out, &runs)?;
    } else {
        text_lines(&mut out, &runs, args.trace)?;
    }
    if let (Some(path), [Run { outcome: Outcome::Played(played), .. }]) = (&args.pcap, &runs[..]) {
        let mut bytes = Vec::new();
        pcap::write(&mut bytes, &played.segments)?;
        std::fs::write(path, bytes).map_err(|e| named(path, &e))?;
    }
    out.flush()?;
    Ok(if runs.iter().any(Run::refused) {
        Verdict::Refused
    } else if runs.iter().all(Run::passed) {
        Verdict::Fine
    } else {
        Verdict::Differs
    })
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The scripts that are meant: files as they are, directories by their *.pkt, sorted.
fn scripts(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| named(path, &e))? {
            let file = entry.map_err(|e| named(path, &e))?.path();
            if file.extension() == Some(OsStr::new("pkt")) && file.is_file() {
                found.push(file);
            }
        }
        found.sort();
        if found.is_empty() {
            let message = format!("{}: no *.pkt in this directory", path.display());
            return Err(io::Error::new(ErrorKind::NotFound, message));
        }
        files.append(&mut found);
    }
    Ok(files)
}

/// The file's bytes, but not many more than a script may have: the parser names the limit.
fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads and plays one script.
fn one(path: &Path, args: &Args) -> Run {
    let file = path.display().to_string();
    let bytes = match bounded(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let text = format!("{file}: {error}\n");
            let outcome = Outcome::Refused { kind: None, line: 0, text };
            return Run { file, warnings: Vec::new(), outcome };
        }
    };
    let refuse = |error: &ScriptError| {
        let text = error.render_by(&ink::renderer(), &file, &String::from_utf8_lossy(&bytes));
        Outcome::Refused { kind: Some(error.kind), line: error.pos.line, text }
    };
    let folder = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
    let read = move |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let script = match parse(&bytes) {
        Ok(script) => script,
        Err(error) => return Run { outcome: refuse(&error), warnings: Vec::new(), file },
    };
    let release = args.kernel.or(script.kernel).unwrap_or(Release::V6_18);
    if let Some(outcome) = impossible(release, &args.sysctls) {
        return Run { file, warnings: Vec::new(), outcome };
    }
    let plan = match lower(&script, release, &read) {
        Ok(plan) => plan,
        Err(error) => {
            let outcome = refuse(&error);
            return Run { file, warnings: Vec::new(), outcome };
        }
    };
    let options = Options {
        sysctls: args.sysctls.clone(),
        keep_going: args.keep_going,
        ..Options::default()
    };
    let played = play(&plan, &options);
    let warnings =
        plan.warnings.iter().map(|(pos, text)| format!("{file}:{pos}: warning: {text}")).collect();
    Run { file, warnings, outcome: Outcome::Played(Box::new(played)) }
}

/// The refusal, if the release cannot do what `--set` asks for.
fn impossible(release: Release, sysctls: &[(String, String)]) -> Option<Outcome> {
    let mut scratch = Sysctl::new(release);
    sysctls.iter().find_map(|(name, value)| {
        let error = scratch.set(name, value).err()?;
        let text = format!("{name}={value}");
        let end = u32::try_from(text.len()).unwrap_or(0);
        let pos = Pos { line: 1, column: 1, start: 0, end };
        let error = sysctl_error(pos, release, name, value, &error);
        let text = error.render_by(&ink::renderer(), "--set", &text);
        Some(Outcome::Refused { kind: Some(error.kind), line: 0, text })
    })
}

/// The counters of the only script, as one object.
fn counters(out: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    let [Run { outcome: Outcome::Played(played), .. }] = runs else { return Ok(()) };
    let object: Map<String, Value> =
        played.observed.counters.iter().map(|(name, n)| (name.clone(), json!(n))).collect();
    writeln!(out, "{}", Value::Object(object))
}

fn text_lines(out: &mut impl Write, runs: &[Run], trace: bool) -> io::Result<()> {
    for run in runs {
        let style = if run.passed() { ink::GOOD } else { ink::BAD };
        let style = ink::if_wanted(ink::stdout(), style);
        writeln!(out, "{}: {style}{}{style:#}", run.file, run.verdict())?;
        if let (true, Outcome::Played(played)) = (trace, &run.outcome) {
            write!(out, "{}", report::trace(played))?;
        }
        if let Outcome::Played(played) = &run.outcome {
            for (_, line) in &played.printed {
                writeln!(out, "  {line}")?;
            }
        }
    }
    let (passed, failed, refused) = totals(runs);
    writeln!(out, "{passed} passed, {failed} failed, {refused} unsupported")
}

fn totals(runs: &[Run]) -> (usize, usize, usize) {
    let passed = runs.iter().filter(|r| r.passed()).count();
    let refused = runs.iter().filter(|r| r.refused()).count();
    (passed, runs.len() - passed - refused, refused)
}

fn json_lines(out: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    for run in runs {
        let mut object = json!({ "file": run.file, "verdict": run.verdict() });
        match &run.outcome {
            Outcome::Played(played) => {
                let failures = played.failures.iter().map(|failure| {
                    json!({
                        "line": failure.line,
                        "time_ns": failure.at_ns,
                        "message": failure.message,
                    })
                });
                object["failures"] = failures.collect();
                let counters = &played.observed.counters;
                object["counters"] = counters.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
                let causes = played.causes.iter().map(|cause| json!(cause.name()));
                object["causes"] = causes.collect();
            }
            Outcome::Refused { line, text, .. } => {
                object["failures"] = json!([{ "line": line, "message": text }]);
            }
        }
        writeln!(out, "{object}")?;
    }
    let (passed, failed, refused) = totals(runs);
    let totals = json!({ "passed": passed, "failed": failed, "unsupported": refused });
    writeln!(out, "{totals}")
}
