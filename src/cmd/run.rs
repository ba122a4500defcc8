//! `finwait run`: runs a scenario, tells its story, prints the digest.

use std::path::PathBuf;

use finwait_model::counters::Mib;
use finwait_model::time::Instant;
use finwait_sim::capture::{About, Capture, Selection};
use finwait_sim::pcap;
use finwait_sim::run::{Outcome, run as simulate, run_watched};
use finwait_sim::scenario::{Scenario, Setting};
use finwait_sim::watch::{Count, Watch};
use finwait_sim::world::{HostId, Turns};

use crate::failure::{Failure, Verdict, print};
use crate::plan::{self, CapturePlan, RunPlan};
use crate::progress::{Bar, Stopwatch};
use crate::story::{self, Counter, json};
use crate::whole_file::WholeFile;

/// Run a scenario and say why each RST was sent.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario; without one, the built-in incident.
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) scenario: Option<PathBuf>,
    /// Set a sysctl of a host, such as web.net.ipv4.tcp_fin_timeout=30; may be repeated.
    #[arg(long, value_name = "HOST.SYSCTL=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of everything that is left to chance, instead of the scenario's.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How much virtual time, such as 300s, instead of the scenario's.
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,
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
    let watch = Stopwatch::start();
    let (text, simulated) = if args.json {
        let outcome = with_bar(&plan.scenario, &mut capture);
        (json::render(&outcome, watch.seconds()), outcome.simulated)
    } else {
        let (outcome, counter) = both(&plan, &mut capture);
        let text = story::render(&plan.scenario, &outcome, counter.as_ref(), watch.seconds());
        (text, outcome.simulated)
    };
    let written = capture.map(|c| c.finish(Instant::ZERO + simulated)).transpose();
    if let Some(file) = file {
        written.map_err(|error| file.complaint()(&error))?;
        file.keep()?;
    }
    print(&text)?;
    Ok(Verdict::Fine)
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

fn with_bar(scenario: &Scenario, watch: &mut impl Watch) -> Outcome {
    let bar = Bar::new(&scenario.name, scenario.duration);
    let outcome = run_watched(scenario, Turns::Forward, watch, |progress| bar.show(progress));
    bar.finish();
    outcome
}

/// The run and its counter-run. If the scenario names the counter-run they go side by side: they
/// share nothing, so the result is the same on one core.
fn both(plan: &RunPlan, watch: &mut impl Watch) -> (Outcome, Option<Counter>) {
    let Some(other) = &plan.counter else {
        let outcome = with_bar(&plan.scenario, watch);
        let counter = raised(&plan.scenario, &outcome)
            .map(|(settings, other)| Counter { settings, outcome: with_bar(&other, &mut Count) });
        return (outcome, counter);
    };
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| simulate(other, Turns::Forward, |_| ()));
        let outcome = with_bar(&plan.scenario, watch);
        let Ok(counter) = beside.join() else {
            panic!("invariant: a counter-run does not panic where the run does not");
        };
        let settings = plan.scenario.counter.clone();
        (outcome, Some(Counter { settings, outcome: counter }))
    })
}

/// Where buckets were refused, the same scenario with room for those that were refused as well.
fn raised(scenario: &Scenario, outcome: &Outcome) -> Option<(Vec<Setting>, Scenario)> {
    let mut other = scenario.clone();
    let mut settings = Vec::new();
    for (index, host) in outcome.hosts.iter().enumerate() {
        let refused = host.counter(Mib::TCPTimeWaitOverflow);
        if refused == 0 {
            continue;
        }
        let needed = refused.saturating_add(host.sysctl.tcp_max_tw_buckets.max(0).unsigned_abs());
        let limit = needed.next_power_of_two().clamp(4096, 1 << 30);
        let setting = Setting {
            host: HostId(index as u16),
            sysctl: "net.ipv4.tcp_max_tw_buckets".to_owned(),
            value: limit.to_string(),
        };
        setting.clone().apply(&mut other).ok()?;
        settings.push(setting);
    }
    (!settings.is_empty()).then_some((settings, other))
}
