//! What is imported is what was there: captures that finwait itself writes lead back to their
//! scenarios, and the views of a simulated host lead back to what they show.

use finwait_model::counters::Mib;
use finwait_model::time::{Instant, Span};
use finwait_sim::app::{ClientPlan, CloseHow, Delay, Pace, RedisPlan, ServerPlan};
use finwait_sim::capture::{About, Selection, simulate};
use finwait_sim::import::capture::{Analysis, Capture, Limits};
use finwait_sim::import::text::counters::Counters;
use finwait_sim::import::text::{Kind, recognise};
use finwait_sim::import::{Facts, Imported, Wishes, infer};
use finwait_sim::pcap::{File, Format};
use finwait_sim::scenario::{AppPlan, Scenario};
use finwait_sim::units::Rate;
use finwait_sim::view::ss::{Flags, Query};
use finwait_sim::view::{HostView, mib, netstat, nstat, proc, ss, sysctl};
use finwait_sim::watch::Count;
use finwait_sim::world::HostId;
use proptest::prelude::*;

use crate::any_scenario::{config, parse, scenario};

/// The capture of a scenario as bytes: of one host, or of all.
pub(crate) fn captured(scenario: &Scenario, host: Option<HostId>, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    let selection = Selection { host, ..Selection::default() };
    let file = File::new(&mut bytes, format, &About::from(scenario)).expect("memory takes it");
    simulate(scenario, selection, file, |_| ()).expect("memory takes it");
    bytes
}

pub(crate) fn analysed(bytes: &[u8], limits: Limits) -> Capture {
    let mut analysis = Analysis::new(limits);
    analysis.read(bytes, |_| ()).expect("it is a capture");
    analysis.finish()
}

/// The scenario that a capture leads to.
pub(crate) fn imported(bytes: &[u8]) -> (Imported, Scenario) {
    let mut facts = Facts::default();
    facts.add_capture(analysed(bytes, Limits::default()), "run.pcap");
    valid(&facts)
}

/// What is known always gives a scenario that can be read.
pub(crate) fn valid(facts: &Facts) -> (Imported, Scenario) {
    let imported = infer(facts, &Wishes::default());
    let scenario = imported
        .scenario("imported")
        .unwrap_or_else(|e| panic!("{e} at {:?} in\n{}", e.span, imported.toml()));
    (imported, scenario)
}

fn client(scenario: &Scenario) -> &ClientPlan {
    let found = scenario.apps.iter().find_map(|(_, app)| match app {
        AppPlan::Client(plan) => Some(plan),
        _ => None,
    });
    found.expect("there is a client")
}

fn server(scenario: &Scenario) -> &ServerPlan {
    let found = scenario.apps.iter().find_map(|(_, app)| match app {
        AppPlan::Server(plan) => Some(plan),
        _ => None,
    });
    found.expect("there is a server")
}

fn per_1000_s(pace: Pace) -> u64 {
    let Pace::Open { rate: Rate { count, per }, .. } = pace else { panic!("it has a rate") };
    (u128::from(count) * 1_000_000_000_000 / u128::from(per.ns)) as u64
}

/// Are they within so much of 100, or within `floor`?
fn near(a: Span, b: Span, percent: u64, floor: Span) -> bool {
    a.ns.abs_diff(b.ns) <= (a.ns.max(b.ns) * percent / 100).max(floor.ns)
}

fn near_delay(a: Delay, b: Delay, percent: u64, floor: Span) -> bool {
    // A range's ends are known only as far as values have come near to them.
    let floor = floor + Span::nanos((b.most.ns - b.least.ns) / 10);
    near(a.least, b.least, percent, floor) && near(a.most, b.most, percent, floor)
}

fn one_of(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

/// A client and a server whose every parameter an import should find.
fn conversation() -> impl Strategy<Value = String> {
    let link = (one_of(&["20us", "300us", "2ms", "35ms"]), any::<bool>());
    let client = (
        one_of(&["40/s", "150/s", "600/s"]),
        any::<bool>(),
        one_of(&["close", "close", "shutdown", "linger0"]),
        one_of(&["2ms", "7ms", "40ms", "10ms..60ms"]),
    );
    let server = (
        one_of(&["0s", "3ms", "12ms", "5ms..25ms"]),
        one_of(&["0s", "8ms", "90ms", "20ms..80ms"]),
        any::<bool>(),
    );
    let sizes = (1..1400_u32, 1..4000_u32);
    (link, client, server, sizes, one_of(&["3.10", "6.18"]), 0..1000_u64).prop_map(
        |(link, client, server, sizes, kernel, seed)| {
            let (delay, jitters) = link;
            let delay_ns = finwait_sim::units::span(delay).expect("it is one").ns;
            let jitter = if jitters { delay_ns / 4 } else { 0 };
            let (rate, scattered, close, hold) = client;
            let (service, close_after, first) = server;
            let (request, response) = sizes;
            let bytes = format!("request_bytes = {request}\nresponse_bytes = {response}\n");
            let parting = if close == "shutdown" { "parting_bytes = 50\n" } else { "" };
            let first = first && close == "close";
            format!(
                "duration = \"6s\"\nseed = {seed}\n[hosts.a]\nkernel = \"{kernel}\"\n[hosts.b]\nkernel = \"{kernel}\"\n\
                 [links]\ndelay = \"{delay}\"\njitter = \"{jitter}ns\"\n[[apps]]\nkind = \"client\"\nhost = \"a\"\n\
                 to = \"b:8080-8081\"\nrate = \"{rate}\"\nscattered = {scattered}\nclose = \"{close}\"\nhold = \"{hold}\"\n\
                 {bytes}[[apps]]\nkind = \"server\"\nhost = \"b\"\nport = \"8080-8081\"\nservice = \"{service}\"\n\
                 close_after = \"{close_after}\"\nclosed_first = {first}\n{parting}{bytes}"
            )
            .replace("closed_first", "closes_first")
        },
    )
}

/// Which parameter came back otherwise.
fn otherwise(real: &Scenario, found: &Scenario) -> Option<String> {
    let quality = real.links[0].quality;
    // Delays are measured at one end and carry the jitter of the ways.
    let floor = Span::nanos(quality.jitter.ns * 2 + 25_000);
    let (ours, theirs) = (client(real), client(found));
    let (a, b) = (per_1000_s(ours.pace), per_1000_s(theirs.pace));
    if a.abs_diff(b) * 100 > a * 4 {
        return Some(format!("rate {b} for {a} in 1000 s"));
    }
    let link = found.links[0].quality;
    // Jitter of a few microseconds is taken for noise; half of it then counts as delay.
    let noise = if quality.jitter < Span::micros(40) { quality.jitter } else { Span::ZERO };
    if !near(link.delay, quality.delay, 10, Span::micros(3) + noise)
        || !near(link.jitter, quality.jitter, 25, Span::nanos(quality.delay.ns / 10) + noise)
    {
        return Some(format!("{link:?} for {quality:?}"));
    }
    // Segments that overtake one another are sent again although none was lost.
    if !link.loss.is_never() && quality.jitter == Span::ZERO {
        return Some(format!("{:?} lost", link.loss));
    }
    if (theirs.request, theirs.response) != (ours.request, ours.response) {
        return Some(format!("{} and {} bytes", theirs.request, theirs.response));
    }
    let ports = |plan: &ClientPlan| plan.targets.iter().map(|t| t.port).collect::<Vec<_>>();
    if ports(ours) != ports(theirs) {
        return Some(format!("ports {:?}", ports(theirs)));
    }
    if !near_delay(theirs.hold, ours.hold, 8, floor) {
        return Some(format!("hold {:?} for {:?}", theirs.hold, ours.hold));
    }
    if ours.close != theirs.close {
        return Some(format!("{:?} for {:?}", theirs.close, ours.close));
    }
    let (ours, theirs) = (server(real), server(found));
    if ours.closes_first != theirs.closes_first || ours.parting != theirs.parting {
        return Some(format!("{theirs:?} for {ours:?}"));
    }
    if !near_delay(theirs.service, ours.service, 8, floor) {
        return Some(format!("service {:?} for {:?}", theirs.service, ours.service));
    }
    // Nobody sees how a server would have closed when it was not left to.
    let seen = !ours.closes_first && client(real).close != CloseHow::LingerZero;
    if seen && !near_delay(theirs.close_after, ours.close_after, 8, floor) {
        return Some(format!("close_after {:?} for {:?}", theirs.close_after, ours.close_after));
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..config() })]

    #[test]
    fn a_capture_leads_back_to_its_scenario(text in conversation(), place in 0..3_u16) {
        let real = parse(&text);
        let (host, format) = match place {
            2 => (None, Format::Ng),
            host => (Some(HostId(host)), Format::Classic),
        };
        let (imported, found) = imported(&captured(&real, host, format));
        let wrong = otherwise(&real, &found);
        prop_assert_eq!(&wrong, &None, "seen at {:?}\n{}\nimported:\n{}", host, text, imported.toml());
    }

    #[test]
    fn views_are_read_back(text in scenario(false), steps in 1..30_u64) {
        let scenario = parse(&text);
        let mut world = scenario.world();
        let at = Instant::ZERO + Span::millis(steps * 370);
        world.run_watched(at, &mut Count);
        for host in world.hosts() {
            let view = HostView::of(host, at);
            let wrong = misread(&view);
            prop_assert_eq!(&wrong, &None, "{} at {} in\n{}", host.name(), at, text);
        }
    }
}

/// What a view's text says otherwise than the view.
fn misread(view: &HostView) -> Option<String> {
    let all = Flags { all: true, tcp: true, ..Flags::default() };
    let zeros = nstat::Options { zeros: true, ..nstat::Options::default() };
    let texts = [
        (Kind::Sysctl, sysctl::text(&sysctl::select(view, &[]).ok()?)),
        (Kind::Nstat, nstat::text(view, None, &zeros)),
        (Kind::Netstat, netstat::text(view)),
        (Kind::Mib, proc::snmp(view)),
        (Kind::Mib, proc::netstat(view)),
        (Kind::Ss, Query::new(all, "").ok()?.text(view)),
        (Kind::Ss, Query::new(Flags { timers: true, tcp: false, ..all }, "").ok()?.text(view)),
        (Kind::SsSummary, ss::summary(view)),
        (Kind::Sockstat, proc::sockstat(view)),
    ];
    let mut sockets = Vec::new();
    for (kind, text) in texts {
        let mut facts = Facts::default();
        if recognise(&text) != Ok(kind) {
            return Some(format!("{kind:?} is taken for {:?}:\n{text}", recognise(&text)));
        }
        if let Err(error) = facts.add(kind, "text", &text) {
            return Some(format!("{error} in\n{text}"));
        }
        for snapshot in &facts.snapshots {
            if let Some(wrong) = miscounted(view, kind, &snapshot.counters) {
                return Some(format!("{wrong} in\n{text}"));
            }
        }
        if let Some((read, _)) = &facts.sockets {
            let mut rows: Vec<_> =
                read.rows.iter().map(|r| (r.local.port, r.peer.port, r.state.ss_name())).collect();
            rows.sort_unstable();
            sockets.push(rows);
        }
        if let Some((counts, _)) = facts.counts
            && (counts.timewait, counts.orphan)
                != (view.sockstat.tw.into(), view.sockstat.orphan.into())
        {
            return Some(format!("{counts:?} in\n{text}"));
        }
        for (given, _) in &facts.sysctls {
            if view.sysctl.get(&given.name).as_deref() != Some(given.value.as_str()) {
                return Some(format!("{given:?}"));
            }
        }
        valid(&facts);
    }
    let mut rows: Vec<_> =
        view.rows.iter().map(|r| (r.local.port, r.remote.port, r.state.ss_name())).collect();
    rows.sort_unstable();
    sockets.iter().any(|read| *read != rows).then(|| format!("{sockets:?} for {rows:?}"))
}

/// Which counter a text has otherwise than the view that it was made of, or not at all.
fn miscounted(view: &HostView, kind: Kind, read: &Counters) -> Option<String> {
    let group = |mib: Mib| match kind {
        Kind::Mib => {
            let ext = read.get("TcpOutSegs").is_none();
            mib.nstat_name().starts_with("TcpExt") == ext
        }
        // nstat shows no gauges.
        Kind::Nstat => !mib.is_gauge(),
        _ => true,
    };
    let wanted = mib::counters(view).filter(|(mib, _)| group(*mib));
    // A sentence that counts nothing is not there.
    let wrong = |(mib, n): (Mib, u64)| {
        let got = read.get(mib.nstat_name());
        (got.unwrap_or(0) != n || got.is_none() && kind != Kind::Netstat)
            .then(|| format!("{} is {got:?}", mib.nstat_name()))
    };
    wanted.filter(|(mib, _)| mib.nstat_name() != "TcpMaxConn").find_map(wrong)
}

#[test]
fn the_incident_is_found_again() {
    let text =
        crate::stage::text("incident.toml").replace("duration = \"300s\"", "duration = \"12s\"");
    let real = parse(&text.replace("= 131072", "= 5000"));
    let (imported, found) = imported(&captured(&real, Some(HostId(0)), Format::Classic));
    let toml = imported.toml();
    let plan = client(&found);
    assert!(matches!(plan.pace, Pace::Open { scattered: true, .. }), "{toml}");
    assert!(per_1000_s(plan.pace).abs_diff(2_500_000) < 30_000, "{toml}");
    let hold = Delay { least: Span::millis(15), most: Span::millis(70) };
    assert!(near_delay(plan.hold, hold, 5, Span::millis(1)), "{toml}");
    let loops: Vec<&RedisPlan> = found
        .apps
        .iter()
        .filter_map(|(_, app)| match app {
            AppPlan::Redis(plan) => Some(plan),
            _ => None,
        })
        .collect();
    assert_eq!(loops.len(), 16, "{toml}");
    assert!(near(loops[0].slow, Span::millis(120), 5, Span::ZERO), "{toml}");
    assert!(near(loops[0].slow_every, Span::secs(1), 10, Span::ZERO), "{toml}");
    assert!(near(loops[0].service, Span::micros(20), 20, Span::ZERO), "{toml}");
    assert!(toml.contains("a refused timewait bucket does that"), "{toml}");
    // The two interfaces of a pcapng say who is who, and what they run.
    let (imported, found) = super::import::imported(&captured(&real, None, Format::Ng));
    assert_eq!(found.hosts[0].name, "web", "{}", imported.toml());
    assert!(found.hosts.iter().all(|host| host.release.name() == "3.10"), "{}", imported.toml());
}

#[test]
fn a_table_that_is_too_small_says_so_and_stays_small() {
    let text = "duration = \"5s\"\n[hosts.a]\nkernel = \"6.18\"\n[hosts.b]\nkernel = \"6.18\"\n[[apps]]\nkind = \"client\"\n\
                host = \"a\"\nto = \"b:80-99\"\nrate = \"500/s\"\nhold = \"900ms\"\n[[apps]]\nkind = \"server\"\nhost = \"b\"\nport = \"80-99\"\n";
    let bytes = captured(&parse(text), Some(HostId(0)), Format::Classic);
    let small = analysed(&bytes, Limits { flows: 100, services: 4 });
    assert!(small.totals.evicted > 1000, "{:?}", small.totals);
    assert!(small.totals.no_room > 1000, "{:?}", small.totals);
    assert!(small.services.iter().map(|s| s.ports).sum::<u64>() == 4, "{:?}", small.services.len());
    let large = analysed(&bytes, Limits::default());
    assert_eq!((large.totals.evicted, large.totals.no_room), (0, 0));
}
