//! `finwait run`: runs a scenario, tells its story, prints the digest.

use std::path::PathBuf;

use finwait_model::counters::Mib;
use finwait_sim::run::{Outcome, run as simulate};
use finwait_sim::scenario::{Scenario, Setting};
use finwait_sim::world::{HostId, Turns};

use crate::failure::{Failure, Verdict, print};
use crate::plan::{self, RunPlan};
use crate::progress::{Bar, Stopwatch};
use crate::story::{self, Counter, json};

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
    /// Print one JSON object instead of the story.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs it. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let plan = plan::run(args)?;
    let watch = Stopwatch::start();
    let text = if args.json {
        let outcome = with_bar(&plan.scenario);
        json::render(&outcome, watch.seconds())
    } else {
        let (outcome, counter) = both(&plan);
        story::render(&plan.scenario, &outcome, counter.as_ref(), watch.seconds())
    };
    print(&text)?;
    Ok(Verdict::Fine)
}

fn with_bar(scenario: &Scenario) -> Outcome {
    let bar = Bar::new(&scenario.name, scenario.duration);
    let outcome = simulate(scenario, Turns::Forward, |progress| bar.show(progress));
    bar.finish();
    outcome
}

/// The run and its counter-run. If the scenario names the counter-run they go side by side: they
/// share nothing, so the result is the same on one core.
fn both(plan: &RunPlan) -> (Outcome, Option<Counter>) {
    let Some(other) = &plan.counter else {
        let outcome = with_bar(&plan.scenario);
        let counter = raised(&plan.scenario, &outcome)
            .map(|(settings, other)| Counter { settings, outcome: with_bar(&other) });
        return (outcome, counter);
    };
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| simulate(other, Turns::Forward, |_| ()));
        let outcome = with_bar(&plan.scenario);
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
