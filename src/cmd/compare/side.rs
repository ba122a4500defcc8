//! The two runs: what was typed for each, and what came of it.

use std::collections::BTreeMap;
use std::path::Path;

use finwait_model::cause::Cause;
use finwait_model::time::Instant;
use finwait_sim::digest::Digest;
use finwait_sim::recording::{Header, Recording, What};
use finwait_sim::run::{Outcome, run_watched};
use finwait_sim::scenario::{Draft, Error, Scenario};
use finwait_sim::world::Turns;

use super::Args;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::plan;
use crate::progress::Bar;
use crate::source::{Source, broken};

/// A run that is compared.
#[derive(Debug)]
pub(super) struct Side {
    /// What it is called: its file, and what was changed.
    pub(super) label: String,
    /// Where it came from, as it was typed.
    pub(super) path: String,
    /// Its text, with what was changed.
    pub(super) toml: String,
    /// The scenario that the text is.
    pub(super) scenario: Scenario,
    /// To look at what happens in it.
    pub(super) source: Source,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Came {
    /// All of it; of a recording without what clients counted.
    pub(super) outcome: Outcome,
    /// The RSTs of each host by their cause.
    pub(super) resets: Vec<BTreeMap<Cause, u64>>,
    /// Is it known what clients counted?
    pub(super) has_clients: bool,
    /// The fingerprint; empty if it is not known.
    pub(super) digest: String,
}

/// What is changed in a side: as it was typed, and for which flag.
struct Changes {
    flag: &'static str,
    texts: Vec<String>,
}

/// Opens both.
pub(super) fn sides(args: &Args) -> Result<[Side; 2], Failure> {
    let (kernel_a, kernel_b) = pair("--kernel", &args.kernel)?;
    let seeds: Vec<String> = args.seed.iter().map(u64::to_string).collect();
    let (seed_a, seed_b) = pair("--seed", &seeds)?;
    let a = open(&args.a, &changes(args, "--set-a", &args.set_a, kernel_a, seed_a, &args.a)?)?;
    let wanted = changes(args, "--set", &args.set, kernel_b, seed_b, &args.a)?;
    let b = match &args.b {
        Some(path) => open(path, &wanted)?,
        None if wanted.iter().all(|c| c.flag == "--duration") => counter_run(&a)?,
        None => open(&args.a, &wanted)?,
    };
    Ok([a, b])
}

/// One value is B's, two are A's and B's.
fn pair<'a>(
    flag: &str,
    values: &'a [String],
) -> Result<(Option<&'a String>, Option<&'a String>), Failure> {
    match values {
        [] => Ok((None, None)),
        [b] => Ok((None, Some(b))),
        [a, b] => Ok((Some(a), Some(b))),
        [.., last] => {
            let text = values.join(",");
            let error = Error {
                span: Some(text.len() - last.len()..text.len()),
                message: format!("{} values for two runs", values.len()),
                expected: "expected one for B, or one for A and one for B".to_owned(),
                help: None,
            };
            Err(Failure::in_text(flag, &text, &error))
        }
    }
}

/// Everything that was typed for one side, in the order in which it is put in force.
fn changes(
    args: &Args,
    flag: &'static str,
    set: &[String],
    kernel: Option<&String>,
    seed: Option<&String>,
    path: &Path,
) -> Result<Vec<Changes>, Failure> {
    let mut all = Vec::new();
    if let Some(kernel) = kernel {
        let names = host_names(path)?;
        let texts = names.iter().map(|host| format!("hosts.{host}.kernel={kernel}")).collect();
        all.push(Changes { flag: "--kernel", texts });
    }
    if let Some(seed) = seed {
        all.push(Changes { flag: "--seed", texts: vec![format!("seed={seed}")] });
    }
    if let Some(duration) = &args.duration {
        all.push(Changes { flag: "--duration", texts: vec![format!("duration={duration}")] });
    }
    if !set.is_empty() {
        all.push(Changes { flag, texts: set.to_vec() });
    }
    Ok(all)
}

fn host_names(path: &Path) -> Result<Vec<String>, Failure> {
    let source = Source::open(path)?;
    Ok(source.hosts().into_iter().map(str::to_owned).collect())
}

fn open(path: &Path, changes: &[Changes]) -> Result<Side, Failure> {
    let source = Source::open(path)?;
    let shown = path.display().to_string();
    let (mut draft, seed) = match source.recording() {
        None => (plan::draft(Some(path))?.0, None),
        Some(recording) => {
            let Header { toml, scenario, seed, .. } = recording.header();
            let draft = Draft::new(toml, scenario);
            (draft.map_err(|error| Failure::in_text(&shown, toml, &error))?, Some(*seed))
        }
    };
    let mut typed = Vec::new();
    for Changes { flag, texts } in changes {
        plan::set(&mut draft, flag, texts)?;
        typed.extend(texts.iter().cloned());
    }
    let flag = changes.last().map_or("--set", |last| last.flag);
    let mut scenario = plan::finished(&draft, flag, &typed)?;
    if let Some(seed) = seed.filter(|_| !typed.iter().any(|text| text.starts_with("seed="))) {
        scenario.seed = seed;
    }
    let mut label = shown.clone();
    if !typed.is_empty() {
        label = format!("{shown} with {}", typed.join(", "));
    }
    let source =
        if typed.is_empty() { source } else { Source::simulated(scenario.clone(), shown.clone()) };
    Ok(Side { label, path: shown, toml: draft.text(), scenario, source })
}

/// A with what would have helped, if it knows that.
fn counter_run(a: &Side) -> Result<Side, Failure> {
    let Some(scenario) = a.scenario.counter_run() else {
        return Err(Failure::Input(format!(
            "error: {} is compared with nothing\n  = help: name another run, or what to change: \
             --set KEY=VALUE, --seed N or --kernel RELEASE",
            a.path
        )));
    };
    let mut draft = Draft::new(&a.toml, &scenario.name)
        .map_err(|error| Failure::in_text(&a.path, &a.toml, &error))?;
    let texts = a.scenario.counter.iter().map(|setting| {
        let host = &a.scenario.host_plan(setting.host).name;
        format!("{host}.{}={}", setting.sysctl, setting.value)
    });
    let texts: Vec<String> = texts.collect();
    plan::set(&mut draft, "counter_run", &texts)?;
    let label = format!("its counter-run with {}", texts.join(", "));
    let source = Source::simulated(scenario.clone(), a.path.clone());
    Ok(Side { label, path: a.path.clone(), toml: draft.text(), scenario, source })
}

/// What comes of both. Two scenarios are played side by side: they share nothing.
pub(super) fn played(sides: &[Side; 2], interrupt: &Interrupt) -> Result<[Came; 2], Failure> {
    let [a, b] = sides;
    // Recordings cannot go to another thread, and need none.
    let scenarios = sides.each_ref().map(|side| match side.source.recording() {
        None => Some(&side.scenario),
        Some(_) => None,
    });
    let play = |scenario: &Scenario, bar: Option<Bar>| {
        let outcome = run_watched(scenario, Turns::Forward, &mut interrupt.clone(), |progress| {
            if let Some(bar) = &bar {
                bar.show(progress);
            }
        });
        if let Some(bar) = bar {
            bar.finish();
        }
        outcome
    };
    let bar = scenarios[0].map(|scenario| Bar::new(&scenario.name, scenario.duration));
    let (left, right) = rayon::join(
        || scenarios[0].map(|scenario| play(scenario, bar)),
        || scenarios[1].map(|scenario| play(scenario, None)),
    );
    Ok([came(a, left)?, came(b, right)?])
}

fn came(side: &Side, outcome: Option<Outcome>) -> Result<Came, Failure> {
    if let Some(outcome) = outcome {
        let digest = outcome.digest.to_string();
        let resets = outcome.hosts.iter().map(|host| {
            let mut causes = BTreeMap::new();
            host.rst.iter().for_each(|g| *causes.entry(g.cause).or_default() += g.count);
            causes
        });
        let resets = resets.collect();
        return Ok(Came { outcome, resets, has_clients: true, digest });
    }
    let Some(recording) = side.source.recording() else {
        unreachable!("invariant: what is no recording has been played")
    };
    let wrong = |error: finwait_sim::recording::Error| broken(&side.path, &error);
    let outcome = recorded(recording, side).map_err(wrong)?;
    let resets = recorded_resets(recording).map_err(wrong)?;
    let digest = recording.end().totals().map_or_else(String::new, |t| t.digest.clone());
    Ok(Came { outcome, resets, has_clients: false, digest })
}

/// What a recording knows of what came of its run.
fn recorded(recording: &Recording, side: &Side) -> Result<Outcome, finwait_sim::recording::Error> {
    let end = recording.end().at();
    let hosts = finwait_viz::report::hosts(recording)?;
    let totals = recording.end().totals();
    Ok(Outcome {
        scenario: recording.header().scenario.clone(),
        seed: side.scenario.seed,
        simulated: end.since(Instant::ZERO),
        interrupted: totals.is_none(),
        segments: totals.map_or_else(|| recording.segment_count(), |t| t.segments),
        lifecycles: totals.map_or(0, |t| t.lifecycles),
        digest: Digest::default(),
        hosts,
    })
}

/// The RSTs of each host by their cause.
fn recorded_resets(
    recording: &Recording,
) -> Result<Vec<BTreeMap<Cause, u64>>, finwait_sim::recording::Error> {
    let mut hosts = vec![BTreeMap::new(); recording.hosts().len()];
    for event in recording.resets() {
        let event = event?;
        if let What::Sent { cause, .. } = event.what {
            *hosts[usize::from(event.host.0)].entry(cause).or_default() += 1;
        }
    }
    Ok(hosts)
}
