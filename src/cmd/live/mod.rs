//! `finwait live`: simulated hosts in real time behind a TUN device, for real programs to talk to.

mod passed;
mod program;
mod tell;

use std::io;
use std::path::PathBuf;

use finwait_model::flow::Addr;
use finwait_model::time::Instant;
use finwait_sim::live::Live;
use finwait_sim::measure::Judged;
use finwait_sim::scenario::{Error, Scenario};
use finwait_sim::world::HostId;
use finwait_verify::drive::drive;
use finwait_verify::sys;
use finwait_verify::tun::{self, Place, Tun};

use super::record::Recordings;
use super::run;
use crate::failure::{Failure, Verdict, print};
use crate::ink;
use crate::interrupt::Interrupt;
use crate::plan;
use crate::progress::Stopwatch;
use crate::story::{self, Told, json};
use passed::Passed;
use program::Program;
use tell::Tell;

/// Run a scenario in real time behind a TUN device, with this machine in the place of one host.
///
/// The device is in a network namespace of its own, which goes when finwait ends, or in one that is
/// there already (--netns). Programs in it (curl, redis-cli, nc) talk to the simulated hosts at their
/// addresses; each RST that a host sends is told as it leaves, with its cause.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario.
    #[arg(value_name = "SCENARIO.toml")]
    scenario: PathBuf,
    /// The host in whose place this machine stands [default: the only one without an application,
    /// or the one that is called `real`].
    #[arg(long, value_name = "HOST")]
    real: Option<String>,
    /// The name of the device.
    #[arg(long, value_name = "NAME", default_value = "fw0")]
    tun: String,
    /// The network namespace for it: a name that `ip netns` knows, or a path such as
    /// /proc/PID/ns/net. Never the machine's own.
    #[arg(long, value_name = "NAME|PATH")]
    netns: Option<String>,
    /// Change the scenario, such as web.net.ipv4.tcp_max_tw_buckets=10; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seed of everything that is left to chance, instead of the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// How long, such as 60s, instead of the scenario's duration.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// Record everything that happens into this file, for `finwait ss`, `explain` and others.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write every packet that passes the device into this file, byte for byte, for Wireshark and
    /// others; times count from the beginning of the run, as those of --record do.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Print one JSON object for each RST, and one for the summary.
    #[arg(long)]
    json: bool,
    /// A program that is run in the namespace; finwait ends when it does. What it prints goes to
    /// stderr.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

/// Plays until the time is up, the program has ended, or somebody wants it to end.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let beginning = run::Args {
        scenario: Some(args.scenario.clone()),
        set: args.set.clone(),
        seed: args.seed,
        duration: args.duration.clone(),
        record: args.record.clone(),
        ..run::Args::default()
    };
    let mut plan = plan::run(&beginning)?;
    let real = real(args.real.as_deref(), &plan.scenario)?;
    plan.scenario = plan.scenario.with_real(real);
    device_name(&args.tun)?;
    let place = args.netns.as_deref().map_or(Place::Fresh, |name| Place::There(tun::named(name)));
    let is_root = sys::euid() == 0;
    // Before any other thread is started: namespaces are a thread's.
    let tun = open(&place, &args.tun, &plan.scenario, real)?;
    let interrupt = Interrupt::listen();
    let recordings = Recordings::begin(&beginning, None, &plan)?;
    let mut passed = Passed::begin(args.pcap.as_deref())?;
    let mut live = Live::new(&plan.scenario, real);
    eprint!("{}", tell::welcome(&plan.scenario, real, &place, &args.tun, is_root));
    let mut program = Program::start(&args.command)?;
    let stopwatch = Stopwatch::start();
    let tell = Tell::new(&plan.scenario, real, args.json);
    let mut watch = (tell, (!recordings.is_empty()).then_some(recordings));
    let mut unwritten = None;
    let passed_by = |now, packet: &[u8]| passed.packet(now, packet);
    let played = drive(&mut live, &tun, &mut watch, passed_by, |watch, now| {
        if let Err(failure) = print(&watch.0.news()) {
            unwritten = Some(failure);
            return Ok(false);
        }
        Ok(!interrupt.asked() && program.as_mut().is_none_or(|program| program.goes_on(now)))
    });
    let interrupted = interrupt.asked();
    let failed = program.is_some_and(|program| !program.end());
    let outcome = live.finish();
    let (mut tell, recordings) = watch;
    let trouble = recordings.and_then(|recordings| recordings.finish(&outcome).err());
    let unfinished = passed.finish().err();
    let trouble = trouble.or(unfinished);
    if let Some(failure) = unwritten {
        return Err(failure);
    }
    played.map_err(|e| Failure::Input(format!("error: the device {}: {e}", args.tun)))?;
    let wall_s = stopwatch.seconds();
    // A part of a run says nothing about what was expected of all of it.
    let wishes = plan.expect.iter().filter(|_| !outcome.interrupted);
    let judged: Vec<Judged> = wishes.map(|wish| wish.judge(&outcome)).collect();
    let summary = if args.json {
        tell::summary(&json::render(&outcome, &judged, wall_s))
    } else {
        let told = Told { scenario: &plan.scenario, outcome: &outcome, judged: &judged, wall_s };
        story::render(&told, None, ink::stdout())
    };
    print(&(tell.news() + &summary))?;
    match trouble {
        Some(failure) => Err(failure),
        None if interrupted => Ok(Verdict::Interrupted),
        None if failed || judged.iter().any(|judged| !judged.holds) => Ok(Verdict::Differs),
        None => Ok(Verdict::Fine),
    }
}

/// The host in whose place the machine stands.
fn real(name: Option<&str>, scenario: &Scenario) -> Result<HostId, Failure> {
    let names: Vec<&str> = scenario.hosts.iter().map(|h| h.name.as_str()).collect();
    let expected = || format!("expected one of the hosts {}", names.join(", "));
    if let Some(name) = name {
        return scenario.host(name).ok_or_else(|| {
            let error = Error {
                span: Some(0..name.len()),
                message: format!("no host is called {name:?}"),
                expected: expected(),
                help: finwait_sim::scenario::nearest(name, names.iter().copied())
                    .map(|near| format!("did you mean {near:?}?")),
            };
            Failure::in_text("--real", name, &error)
        });
    }
    let ids = (0..scenario.hosts.len()).map(|index| HostId(index as u16));
    let idle: Vec<HostId> =
        ids.filter(|id| scenario.apps.iter().all(|(host, _)| host != id)).collect();
    match (idle.as_slice(), scenario.host("real")) {
        ([only], _) => Ok(*only),
        (_, Some(real)) => Ok(real),
        _ => Err(Failure::Input(format!(
            "error: which host is this machine?\n  = help: --real HOST, {}",
            expected()
        ))),
    }
}

/// What the kernel takes as the name of a device.
fn device_name(name: &str) -> Result<(), Failure> {
    let fits = (1..=15).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'%' && b != b':');
    if fits && name != "lo" {
        return Ok(());
    }
    let error = Error {
        span: Some(0..name.len()),
        message: format!("{name:?} is no name for a device"),
        expected: "expected 1 to 15 letters, such as fw0".to_owned(),
        help: None,
    };
    Err(Failure::in_text("--tun", name, &error))
}

fn open(place: &Place, name: &str, scenario: &Scenario, real: HostId) -> Result<Tun, Failure> {
    let own = scenario.host_plan(real);
    let addrs = scenario.hosts.iter().map(|host| host.addr);
    let plan = tun::Plan { name, addr: own.addr, prefix: prefix(own.addr, addrs), mtu: own.mtu };
    Tun::open(place, &plan).map_err(|error| {
        let why = match (place, error.kind()) {
            (Place::There(path), io::ErrorKind::NotFound) => {
                format!("{}: there is no such network namespace", path.display())
            }
            (Place::There(path), io::ErrorKind::InvalidInput) => {
                format!("{}: {error}", path.display())
            }
            _ => format!("no TUN device in a network namespace: {error}"),
        };
        Failure::Input(format!(
            "error: {why}\n  = help: it takes /dev/net/tun, and root or user namespaces"
        ))
    })
}

/// Bits of the smallest network with all addresses, at most 24.
fn prefix(own: Addr, addrs: impl Iterator<Item = Addr>) -> u32 {
    addrs.map(|addr| (own.0 ^ addr.0).leading_zeros()).min().unwrap_or(24).min(24)
}

/// How late it is, as text shows it.
fn seconds(at: Instant) -> String {
    finwait_sim::text::seconds(at.ns, 6)
}
