//! `finwait run`: runs a scenario, tells its story, prints the digest.

use std::path::PathBuf;

use finwait_model::time::Instant;
use finwait_sim::capture::{About, Capture, Selection};
use finwait_sim::findings;
use finwait_sim::measure::{Judged, Wish};
use finwait_sim::pcap;
use finwait_sim::run::{Outcome, run_watched};
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::{Count, Watch};
use finwait_sim::world::Turns;

use super::record::Recordings;
use super::report;
use crate::failure::{Failure, Verdict, print};
use crate::ink;
use crate::interrupt::Interrupt;
use crate::out_dir::Folder;
use crate::plan::{self, CapturePlan, RunPlan};
use crate::progress::{Bar, Stopwatch};
use crate::story::{self, Counter, Told, json};
use crate::whole_file::WholeFile;

/// Run a scenario and say why each RST was sent.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario; without one, the built-in incident.
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) scenario: Option<PathBuf>,
    /// Set a sysctl of a host, such as web.net.ipv4.tcp_fin_timeout=30, or anything else that the
    /// file can say, such as links.delay=1ms or apps.redis.slow=50ms; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of everything that is left to chance, instead of the scenario's.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How much virtual time, such as 300s, instead of the scenario's.
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// Record everything that happens into this file, for `finwait ss`, `explain` and others.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Write the recording (run.fwr), the summary (summary.txt, summary.json) and a report that one
    /// can send (report.html, report.md) into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Record only connections between these ends, and of those one in N, such as
    /// 'web:*->redis:6379/1000'.
    #[arg(long, value_name = "END->END[/N]")]
    pub(crate) record_flows: Option<String>,
    /// Record only connections that end in a RST, but those from their first SYN on.
    #[arg(long, conflicts_with = "record_flows")]
    pub(crate) record_rst: bool,
    /// Write a capture of the run: pcapng with all hosts if FILE ends in .pcapng, pcap with the view
    /// of one host if it ends in .pcap.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// The host whose view the capture holds.
    #[arg(long, value_name = "NAME", requires = "pcap")]
    pub(crate) pcap_host: Option<String>,
    /// Print one JSON object instead of the story.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs it. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let plan = plan::run(args)?;
    let mut file = plan.capture.as_ref().map(|c| WholeFile::create(&c.path)).transpose()?;
    let mut capture = match (&plan.capture, &mut file) {
        (Some(wanted), Some(file)) => Some(begin(wanted, &plan.scenario, file)?),
        _ => None,
    };
    let folder = args.out.as_deref().map(Folder::create).transpose()?;
    let mut recordings = Recordings::begin(args, folder.as_ref(), &plan)?;
    let interrupt = Interrupt::listen();
    let watch = Stopwatch::start();
    // A summary in a folder is told in both ways.
    let tells_story = !args.json || folder.is_some();
    let mut both = (&mut capture, &mut recordings);
    let (outcome, counter) = simulate(&plan, &mut both, &interrupt, tells_story);
    let wall_s = watch.seconds();
    let trouble = recordings.finish(&outcome).err();
    let written = capture.map(|c| c.finish(Instant::ZERO + outcome.simulated)).transpose();
    if let Some(file) = file {
        written.map_err(|error| file.complaint()(&error))?;
        file.keep()?;
    }
    // Half a run says nothing about what was expected of all of it.
    let judged = |wish: &Wish| wish.judge(&outcome);
    let whole = |_: &&Wish| !outcome.interrupted;
    let judged: Vec<Judged> = plan.expect.iter().filter(whole).map(judged).collect();
    let told = Told { scenario: &plan.scenario, outcome: &outcome, judged: &judged, wall_s };
    let text = |colours| story::render(&told, counter.as_ref(), colours);
    let json = || json::render(&outcome, &judged, wall_s);
    if let Some(folder) = &folder {
        folder.write("summary.txt", text(false).as_bytes())?;
        folder.write("summary.json", json().as_bytes())?;
    }
    let mut broken_off = false;
    if let Some(folder) = folder.as_ref().filter(|_| trouble.is_none()) {
        let whole = report::of_run(folder, &plan.scenario, &outcome, counter.as_ref(), &interrupt)?;
        broken_off = !whole;
    }
    print(&if args.json { json() } else { text(ink::stdout()) })?;
    if let Some(failure) = trouble {
        return Err(failure);
    }
    if outcome.interrupted {
        eprintln!("interrupted: {} of {} simulated", outcome.simulated, plan.scenario.duration);
        return Ok(Verdict::Interrupted);
    }
    if broken_off {
        eprintln!("interrupted: the run is whole, its report was not written");
        return Ok(Verdict::Interrupted);
    }
    let holds = judged.iter().all(|judged| judged.holds);
    Ok(if holds { Verdict::Fine } else { Verdict::Differs })
}

/// The run, with its counter-run if a story is told.
fn simulate(
    plan: &RunPlan,
    watch: &mut dyn Watch,
    interrupt: &Interrupt,
    tells_story: bool,
) -> (Outcome, Option<Counter>) {
    if tells_story {
        return both(plan, watch, interrupt);
    }
    (with_bar(&plan.scenario, watch, interrupt), None)
}

/// A capture that is written while the run goes on.
type Capturing<'a> = Capture<pcap::File<&'a mut WholeFile>>;

fn begin<'a>(
    wanted: &CapturePlan,
    scenario: &Scenario,
    file: &'a mut WholeFile,
) -> Result<Capturing<'a>, Failure> {
    let selection = Selection { host: wanted.host, ..Selection::default() };
    let about = About::from(scenario);
    let out = pcap::File::new(file, wanted.format, &about)?;
    Ok(Capture::new(&about, selection, out))
}

/// A run that ends early if somebody asks for it.
fn with_bar(scenario: &Scenario, watch: &mut dyn Watch, interrupt: &Interrupt) -> Outcome {
    let bar = Bar::new(&scenario.name, scenario.duration);
    let mut watch = (interrupt.clone(), watch);
    let outcome = run_watched(scenario, Turns::Forward, &mut watch, |progress| bar.show(progress));
    bar.finish();
    outcome
}

/// The run and its counter-run. If the scenario names the counter-run they go side by side: they
/// share nothing, so the result is the same on one core.
fn both(
    plan: &RunPlan,
    watch: &mut dyn Watch,
    interrupt: &Interrupt,
) -> (Outcome, Option<Counter>) {
    let Some(other) = &plan.counter else {
        let outcome = with_bar(&plan.scenario, watch, interrupt);
        let counter =
            findings::raised(&plan.scenario, &outcome.hosts).filter(|_| !outcome.interrupted);
        let counter = counter.and_then(|(settings, other)| {
            let outcome = with_bar(&other, &mut Count, interrupt);
            (!outcome.interrupted).then_some(Counter { settings, outcome })
        });
        return (outcome, counter);
    };
    std::thread::scope(|scope| {
        let mut beside = (interrupt.clone(), Count);
        let beside = scope.spawn(move || run_watched(other, Turns::Forward, &mut beside, |_| ()));
        let outcome = with_bar(&plan.scenario, watch, interrupt);
        if outcome.interrupted {
            // Perhaps because a file could not be written: nobody waits for the other then.
            interrupt.ask();
        }
        let Ok(counter) = beside.join() else {
            panic!("invariant: a counter-run does not panic where the run does not");
        };
        let settings = plan.scenario.counter.clone();
        let whole = !counter.interrupted && !outcome.interrupted;
        (outcome, whole.then_some(Counter { settings, outcome: counter }))
    })
}
