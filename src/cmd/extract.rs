//! `finwait replay --from`: one connection of a scenario's run, as a script.
//!
//! A run is its scenario and its seed, so nothing needs to be stored: the scenario is run once to
//! find the connection and once more to keep it.

use std::path::Path;

use finwait_model::flow::{Addr, FourTuple};
use finwait_model::time::{Instant, Span};
use finwait_sim::record::{Event, Record, Trace};
use finwait_sim::run::{Outcome, run_watched};
use finwait_sim::scenario::Scenario;
use finwait_sim::script::export::{Side, export};
use finwait_sim::watch::{Sent, Watch};
use finwait_sim::world::{HostId, Turns};

use super::replay::Args;
use crate::failure::{Failure, Verdict, print};
use crate::plan;

/// The run goes on so long behind what was looked for, so that the connection's end is in it.
const AFTERMATH: Span = Span::secs(130);

/// Prints the script.
pub(crate) fn run(args: &Args, path: &Path) -> Result<Verdict, Failure> {
    print(&script(args, path)?)?;
    Ok(Verdict::Fine)
}

/// Looks for a connection by the number of its SYN or of its RST.
struct Finder {
    flows_left: Option<u64>,
    resets_left: Option<u64>,
    found: Option<(FourTuple, Instant)>,
}

impl Watch for Finder {
    fn wants_notes(&self) -> bool {
        false
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        let flags = sent.segment.flags;
        let left = if flags.syn() && !flags.ack() {
            &mut self.flows_left
        } else if flags.rst() {
            &mut self.resets_left
        } else {
            return;
        };
        let Some(n) = left else { return };
        *n -= 1;
        if *n == 0 {
            self.found = Some((sent.segment.flow, sent.at));
            (self.flows_left, self.resets_left) = (None, None);
        }
    }
}

fn script(args: &Args, path: &Path) -> Result<String, Failure> {
    let mut scenario = plan::read(path)?;
    let resets = args.rst.or_else(|| args.flow.is_none().then_some(1));
    let mut finder = Finder { flows_left: args.flow, resets_left: resets, found: None };
    run_watched(&scenario, Turns::Forward, &mut finder, |_| ());
    let Some((flow, at)) = finder.found else {
        let what = match (args.flow, resets) {
            (Some(n), _) => format!("no connection {n}: fewer were opened"),
            (None, n) => format!("no RST {}: fewer were sent", n.unwrap_or(1)),
        };
        return Err(Failure::Input(format!("error: {}: {what}", path.display())));
    };
    let end = at + AFTERMATH;
    scenario.duration = scenario.duration.min(end.since(Instant::ZERO));
    let mut trace = Trace::of(flow);
    let outcome = run_watched(&scenario, Turns::Forward, &mut trace, |_| ());
    let records = incarnation(trace.into_sorted(), at);
    let sender = resets.is_some().then_some(flow.saddr);
    let wanted = sender.or_else(|| records.first().map(|r| first_flow(r).daddr));
    let host = side(args, &outcome, wanted, &scenario, path)?;
    let side = &outcome.hosts[usize::from(host.0)];
    let about = [
        format!(
            "{} as {} saw it, from {} of the run with seed {}.",
            records.first().map_or(flow, first_flow),
            side.name,
            records.first().map_or(at, |r| r.at),
            scenario.seed
        ),
        format!("Written by finwait replay --from {}", path.display()),
    ];
    let side = Side { host, release: side.release, sysctl: &side.sysctl };
    let script = export(&records, side, &about).ok_or_else(|| {
        Failure::Input(format!("error: {}: that host saw no SYN of {flow}", path.display()))
    })?;
    Ok(script.to_string())
}

/// The ports may have been used before and after: from the last SYN of a client before `at` to the
/// first after it.
fn incarnation(records: Vec<Record>, at: Instant) -> Vec<Record> {
    let opens = |r: &Record| {
        matches!(r.event, Event::Sent { segment, cause, .. }
            if segment.flags.syn() && cause == finwait_model::cause::Cause::SynOnConnect)
    };
    let first = records.iter().rposition(|r| r.at <= at && opens(r)).unwrap_or(0);
    let after = records.iter().position(|r| r.at > at && opens(r)).unwrap_or(records.len());
    records.into_iter().take(after).skip(first).collect()
}

fn first_flow(record: &Record) -> FourTuple {
    match record.event {
        Event::Sent { segment, .. } => segment.flow,
        Event::Note(note) => note.flow(),
    }
}

/// The host that was asked for, or the one with the wanted address.
fn side(
    args: &Args,
    outcome: &Outcome,
    wanted: Option<Addr>,
    scenario: &Scenario,
    path: &Path,
) -> Result<HostId, Failure> {
    let hosts = || (0..outcome.hosts.len()).filter_map(|i| u16::try_from(i).ok()).map(HostId);
    let name = |id: &HostId| outcome.hosts[usize::from(id.0)].name.as_str();
    if let Some(wanted) = &args.host {
        return hosts().find(|id| name(id) == wanted).ok_or_else(|| {
            let names: Vec<_> = outcome.hosts.iter().map(|h| h.name.as_str()).collect();
            let names = names.join(", ");
            Failure::Input(format!("error: {}: no host {wanted}; it has {names}", path.display()))
        });
    }
    let found = hosts().find(|id| Some(scenario.host_plan(*id).addr) == wanted);
    found.ok_or_else(|| {
        let message = "nobody has that end's address; name a --host";
        Failure::Input(format!("error: {}: {message}", path.display()))
    })
}
