//! `finwait explore`: the machine looks for trouble.

mod exhaustive;
mod generate;
mod json;
mod list;
mod out;
mod plan;
mod search;
mod tell;

use std::path::PathBuf;

use finwait_sim::explore::every::Scope;
use finwait_sim::explore::judge::play_all;
use finwait_sim::explore::{Property, Schedule};

use crate::failure::{Failure, Verdict, print};
use crate::interrupt::Interrupt;
use crate::progress::drawn;
use generate::Base;
use plan::Plan;
use search::{Found, Reach, Searched, search};

/// Let the machine look for trouble: schedules of two hosts that violate a property.
///
/// Random schedules (who closes when and how, which segment is lost, late or doubled, which sysctl is
/// what) are played on two kernels in virtual time; what violates the property is made as small as it
/// gets and told: the schedule, a ladder, the chain of causes, the sysctls that it takes. The same seed
/// finds the same. Exit status: 0 the property holds (or, with --sometimes, was reached), 1 it does not.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// A scenario, whose client and server are the hosts then; or a schedule that was found before,
    /// which is played and told again.
    #[arg(value_name = "FILE.toml")]
    what: Option<PathBuf>,
    /// What must not be true in any moment, such as 'rst_sent(web)'; docs/explore.md has the language.
    #[arg(long, value_name = "EXPR", group = "asked")]
    never: Option<String>,
    /// What must be true in every moment, of every connection.
    #[arg(long, value_name = "EXPR", group = "asked")]
    always: Option<String>,
    /// What must come true of every connection: 'EXPR within TIME' or 'EXPR within TIME after EXPR'.
    #[arg(long, value_name = "EXPR within TIME", group = "asked")]
    eventually: Option<String>,
    /// What should be reachable at all; a schedule that reaches it is shown.
    #[arg(long, value_name = "EXPR", group = "asked")]
    sometimes: Option<String>,
    /// A property with a name, such as no-rst or close-wait-bounded=10s; see --list [default:
    /// no-rst-from-proper-closer].
    #[arg(long, value_name = "NAME[=TIME]", group = "asked")]
    property: Option<String>,
    /// Print the properties that have names, and the words of the language.
    #[arg(long, conflicts_with_all = ["asked", "what", "out"])]
    list: bool,
    /// The hosts: who opens connections, then who listens; with a kernel, or any [default: web,redis].
    #[arg(long, value_name = "NAME[=KERNEL],NAME[=KERNEL]")]
    hosts: Option<String>,
    /// Give a host a sysctl for good, such as web.net.ipv4.tcp_fin_timeout=5; with a scenario, any of
    /// its keys. May be repeated.
    #[arg(long, value_name = "HOST.SYSCTL=VALUE")]
    set: Vec<String>,
    /// The most things that the programs do in a schedule.
    #[arg(long, value_name = "N", default_value_t = 12,
          value_parser = clap::value_parser!(u16).range(1..=200))]
    steps: u16,
    /// The most schedules that are played.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    cases: u64,
    /// Seeds every schedule.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Do not stop at the first violation: play all schedules, and show the smallest of each kind.
    #[arg(long)]
    all: bool,
    /// Not random schedules, but every interleaving of a small scope: programs that connect and close,
    /// segments that arrive or are lost, timers. States that were seen before are known again.
    #[arg(long, conflicts_with_all = ["all", "cases", "steps", "seed"])]
    exhaustive: bool,
    /// How many actions deep.
    #[arg(long, value_name = "N", default_value_t = 14, requires = "exhaustive",
          value_parser = clap::value_parser!(u16).range(1..=200))]
    depth: u16,
    /// How many connections are opened.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "exhaustive",
          value_parser = clap::value_parser!(u8).range(1..=3))]
    conns: u8,
    /// How many segments may be lost.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "exhaustive",
          value_parser = clap::value_parser!(u8).range(0..=8))]
    losses: u8,
    /// How often time may go on to the next timer [default: as often as there is one].
    #[arg(long, value_name = "N", requires = "exhaustive")]
    timers: Option<u8>,
    /// Segments of one direction may overtake one another.
    #[arg(long, requires = "exhaustive")]
    reorder: bool,
    /// Each end sends 100 bytes before it closes.
    #[arg(long, requires = "exhaustive")]
    data: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write what is found into this folder: for each kind a schedule, its story, a packetdrill script
    /// of the host in question, and a recording.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Looks, and says what it found.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    if args.list {
        print(&if args.json { list::json() } else { list::text() })?;
        return Ok(Verdict::Fine);
    }
    let (property, searched) = match plan::plan(args)? {
        Plan::Replay(schedule, property) => {
            let searched = replay(&schedule, &property);
            (property, searched)
        }
        Plan::Search(base, property) if args.exhaustive => {
            return exhaustively(args, &base, &property);
        }
        Plan::Search(base, property) => {
            let interrupt = Interrupt::listen();
            let bar = drawn("explore", Some(args.cases), "{pos} of {len} [{bar:30}] {msg}");
            let reach = Reach { seed: args.seed, cases: args.cases, all: args.all };
            let searched = search(&base, &property, reach, &interrupt, &mut |cases, kinds| {
                bar.set_position(cases);
                bar.set_message(format!("{kinds} kinds found"));
            });
            bar.finish_and_clear();
            (property, searched)
        }
    };
    let told = tell::told(&property, &searched)?;
    if let Some(folder) = &args.out {
        out::write(folder, &property, &told)?;
    }
    let whole = if args.json {
        json::render(args, &property, &searched, &told)
    } else {
        tell::render(args, &property, &searched, &told)
    };
    print(&whole)?;
    if searched.interrupted {
        return Ok(Verdict::Interrupted);
    }
    let fine = searched.found.is_empty() != property.is_wanted();
    Ok(if fine { Verdict::Fine } else { Verdict::Differs })
}

fn exhaustively(args: &Args, base: &Base, property: &Property) -> Result<Verdict, Failure> {
    if property.looks_back() {
        return Err(Failure::Input(format!(
            "error: {property} depends on how long something was so, and states that are known again \
             were reached at different times\n  = help: without --exhaustive it can be asked"
        )));
    }
    let scope = Scope {
        hosts: base.hosts.clone(),
        conns: args.conns,
        data: args.data,
        losses: args.losses,
        timers: args.timers,
        reorders: args.reorder,
        backlog: 1,
    };
    let interrupt = Interrupt::listen();
    let bar = drawn("explore", Some(args.depth.into()), "depth {pos} of {len} [{bar:30}] {msg}");
    let explored = exhaustive::explore(
        &scope,
        property,
        args.depth.into(),
        &interrupt,
        &mut |depth, states| {
            bar.set_position(depth as u64);
            bar.set_message(format!("{states} states"));
        },
    );
    bar.finish_and_clear();
    let told = tell::told(property, &explored.searched)?;
    if let Some(folder) = &args.out {
        out::write(folder, property, &told)?;
    }
    print(&if args.json {
        json::explored(property, &scope, &explored, &told)
    } else {
        tell::explored(args, property, &scope, &explored, &told)
    })?;
    if explored.searched.interrupted {
        return Ok(Verdict::Interrupted);
    }
    let fine = (explored.violations == 0) != property.is_wanted();
    Ok(if fine { Verdict::Fine } else { Verdict::Differs })
}

/// Plays a schedule that is there, as it is.
fn replay(schedule: &Schedule, property: &Property) -> Searched {
    let violations = play_all(schedule, property);
    let violating = u64::from(!violations.is_empty());
    let found = violations.into_iter().map(|violation| Found {
        case: None,
        drawn: schedule.size(),
        schedule: schedule.clone(),
        violation,
    });
    Searched { found: found.collect(), cases: 1, violating, interrupted: false }
}
