//! A whole verification: scripts and generated cases, side by side, and what came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use finwait_model::cause::Cause;

use crate::check::{self, Agree, Differ, Setup, Verdict};
use crate::diff::Difference;
use crate::global::{self, Guard};
use crate::record::Recording;
use crate::step::Case;
use crate::{generate, ladder, ledger, pkt, pool, shrink};

/// What to verify, and how.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// Scripts, made ready.
    pub scripts: Vec<Case>,
    /// Numbers of the generated cases.
    pub cases: Range<u64>,
    /// Their seed.
    pub seed: u64,
    /// Cases played at once.
    pub jobs: usize,
    /// Play cases that set sysctls of the whole machine?
    pub allow_global: bool,
    /// Make differing cases small?
    pub shrink: bool,
    /// Differences to make small at most; more are only counted.
    pub findings_max: usize,
    /// Where to save small differing cases.
    pub save: Option<PathBuf>,
    /// For each script where to write the live kernel's answers, if they are wanted.
    pub record: Option<Vec<PathBuf>>,
}

impl Options {
    /// How many cases there are.
    pub fn total(&self) -> usize {
        self.scripts.len() + self.cases.clone().count()
    }
    fn case(&self, index: usize) -> Case {
        let generated = || self.cases.start + (index - self.scripts.len()) as u64;
        let script = self.scripts.get(index).cloned();
        script.unwrap_or_else(|| generate::case(self.seed, generated()))
    }
}

/// What came of it.
#[derive(Clone, Default, Debug)]
pub struct Report {
    /// Cases that were played.
    pub played: usize,
    /// Those in which both arms agreed.
    pub agreed: usize,
    /// Those that had to be played more than once because the machine was busy.
    pub replayed: usize,
    /// Those that differed.
    pub differed: Vec<Finding>,
    /// Those that differed as an entry of docs/divergences.md foresees: the case and the entry.
    pub foreseen: Vec<(String, u8)>,
    /// Scripts left out because they set sysctls of the whole machine.
    pub global: usize,
    /// Cases that could not be played, one line each.
    pub unable: Vec<String>,
    /// How often the model sent each cause in cases that agreed.
    pub causes: BTreeMap<Cause, usize>,
    /// Ticks at which timers ran, and those of them that were late by one tick.
    pub ticks: (usize, usize),
    /// What the model made of segments in cases that agreed: state, segment, answer.
    pub triples: BTreeSet<String>,
}

/// A case that differed.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The case, as small as it was made.
    pub case: Case,
    /// What differs first.
    pub difference: Difference,
    /// Both arms side by side.
    pub ladder: String,
    /// The case as a script with the kernel's answers.
    pub script: String,
    /// Where the script was saved.
    pub saved: Option<PathBuf>,
}

/// Plays everything. `progress` hears of every case that is done.
pub fn run(options: &Options, setup: &Setup, mut progress: impl FnMut(&Report)) -> Report {
    let case = |index: usize| options.case(index);
    let mut report = Report::default();
    let mut differing: Vec<(usize, Differ)> = Vec::new();
    let mut alone = Vec::new();
    let play = |index| {
        let case = case(index);
        let skip = global::needed_by(&case);
        (!skip).then(|| check::check(&case, setup))
    };
    pool::run(options.total(), options.jobs, play, |index, verdict| {
        match verdict {
            Some(verdict) => differing.extend(take(&mut report, options, index, verdict, false)),
            None => alone.push(index),
        }
        progress(&report);
    });
    // A processor that was taken away in the middle of a case looks like a difference. It does so
    // hardly ever when the machine has little else to do.
    let first_round: Vec<usize> = differing.drain(..).map(|(index, _)| index).collect();
    let again = |n: usize| check::check(&case(first_round[n]), setup);
    pool::run(first_round.len(), options.jobs.min(FEW), again, |n, verdict| {
        differing.extend(take(&mut report, options, first_round[n], verdict, true));
        progress(&report);
    });
    alone.sort_unstable();
    for index in alone {
        if !options.allow_global {
            report.global += 1;
            continue;
        }
        let mut differ = take(&mut report, options, index, play_alone(&case(index), setup), false);
        if differ.is_some() {
            let verdict = play_alone(&case(index), setup);
            differ = take(&mut report, options, index, verdict, true);
        }
        differing.extend(differ);
        progress(&report);
    }
    differing.sort_by_key(|(index, _)| *index);
    for (number, (index, differ)) in differing.into_iter().enumerate() {
        let case = case(index);
        if let Some(entry) = ledger::entry(&case, &differ.live, &differ.difference) {
            report.foreseen.push((case.name, entry));
            continue;
        }
        // What sets a sysctl of the whole machine cannot be played many at a time.
        let many = !global::needed_by(&case);
        let small = options.shrink && number < options.findings_max && many;
        let (case, differ) =
            if small { shrink::shrink(&case, differ, setup) } else { (case, differ) };
        report.differed.push(finding(case, &differ, options.save.as_deref()));
        progress(&report);
    }
    report
}

/// Plays a case that sets a sysctl of the whole machine, and puts that back.
fn play_alone(case: &Case, setup: &Setup) -> Verdict {
    let guard = match Guard::new() {
        Ok(guard) => guard,
        Err(e) => return Verdict::Unable(format!("{}: {e}", case.name)),
    };
    // A thread of its own: it changes its namespace.
    let played = std::thread::scope(|s| s.spawn(|| check::check(case, setup)).join());
    drop(guard);
    played.unwrap_or_else(|_| Verdict::Unable("a thread panicked".to_owned()))
}

/// Cases played at once in the second round.
const FEW: usize = 8;

/// Enters what came of a case, and gives it back if it differs.
fn take(
    report: &mut Report,
    options: &Options,
    index: usize,
    verdict: Verdict,
    again: bool,
) -> Option<(usize, Differ)> {
    report.played += usize::from(!again);
    let agree = match verdict {
        Verdict::Agree(agree) => agree,
        Verdict::Differ(differ) => return Some((index, *differ)),
        Verdict::Unable(why) => {
            report.unable.push(why);
            return None;
        }
    };
    report.agreed += 1;
    if let Some(path) = options.record.as_ref().and_then(|paths| paths.get(index)) {
        write_recording(path, &agree, &mut report.unable);
    }
    report.replayed += usize::from(again || agree.attempts > 1);
    report.ticks.0 += agree.model.timers.len();
    report.ticks.1 += agree.late.len();
    report.triples.extend(agree.model.triples.iter().cloned());
    for cause in agree.model.sent.iter().filter_map(|s| s.cause) {
        *report.causes.entry(cause).or_default() += 1;
    }
    None
}

fn write_recording(path: &Path, agree: &Agree, unable: &mut Vec<String>) {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim().to_owned();
    let recording = Recording { kernel, clock: agree.clock, seen: agree.live.clone() };
    if let Err(e) = std::fs::write(path, recording.to_text()) {
        unable.push(format!("{}: {e}", path.display()));
    }
}

fn finding(case: Case, differ: &Differ, save: Option<&Path>) -> Finding {
    let difference = differ.difference.clone();
    let about: Vec<String> = format!(
        "Found by finwait verify ({}); the expectations are the live kernel's.\n{difference}",
        case.name
    )
    .lines()
    .map(str::to_owned)
    .collect();
    let script = pkt::text(&case, &differ.live, &about);
    let ladder = ladder::side_by_side(&case, &differ.live, &differ.model, difference.at_ns);
    let saved = save.and_then(|dir| {
        let name: String =
            case.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = dir.join(format!("{name}.pkt"));
        std::fs::create_dir_all(dir).ok()?;
        std::fs::write(&path, &script).ok()?;
        Some(path)
    });
    Finding { case, difference, ladder, script, saved }
}
