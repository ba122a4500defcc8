//! A recording tells exactly what a live run would have shown: every host at every instant, every
//! event; and what is left of a broken one can be read.

use std::io::Cursor;

use proptest::prelude::*;

use finwait_model::time::Instant;
use finwait_sim::recording::{End, Event, Filter, Header, Recorder, Recording, What};
use finwait_sim::run::{Outcome, run, run_watched};
use finwait_sim::scenario::Scenario;
use finwait_sim::view::HostView;
use finwait_sim::watch::Count;
use finwait_sim::world::{HostId, Turns};

use crate::any_scenario::{config, parse, scenario};
use crate::stage::set;

/// Runs a scenario and records it.
fn record(scenario: &Scenario, text: &str, turns: Turns) -> (Outcome, Vec<u8>) {
    let mut recorder = Recorder::new(Vec::new(), Header::new(scenario, text, None));
    let outcome = run_watched(scenario, turns, &mut recorder, |_| ());
    let bytes = recorder.finish(&outcome).expect("memory can be written");
    (outcome, bytes)
}

fn open(bytes: &[u8]) -> Recording {
    Recording::read(Cursor::new(bytes.to_vec())).expect("it is whole")
}

fn assert_same(recorded: &HostView, live: &HostView, what: &str) {
    assert_eq!(recorded.rows, live.rows, "rows of {} at {}: {what}", live.name, live.at);
    assert_eq!(recorded.counters, live.counters, "{} at {}: {what}", live.name, live.at);
    assert_eq!(recorded.sockstat, live.sockstat, "{} at {}: {what}", live.name, live.at);
    assert_eq!(recorded.sysctl, live.sysctl, "{} at {}: {what}", live.name, live.at);
    assert_eq!((&recorded.name, recorded.release), (&live.name, live.release), "{what}");
}

/// Every host of the recording at those instants is as it is in a live run.
fn check_instants(scenario: &Scenario, recording: &Recording, mut at: Vec<u64>, what: &str) {
    at.sort_unstable();
    let mut world = scenario.world();
    for ns in at {
        let at = Instant { ns };
        world.run_until(at, &mut Count);
        for host in world.hosts() {
            let live = HostView::of(host.name(), host.release(), host.kernel(), at);
            let recorded = recording.host_at(host.id(), at).expect("it can be read");
            assert_same(&recorded, &live, what);
        }
    }
}

fn all(recording: &Recording) -> Vec<Event> {
    let everything = Instant::ZERO..Instant { ns: u64::MAX };
    recording.events(everything, Filter::ALL).map(|e| e.expect("it is whole")).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_host_at_any_instant_is_as_in_a_live_run(
        text in scenario(false),
        instants in prop::collection::vec(0..15_000_000_000_u64, 12),
    ) {
        let scenario = parse(&text);
        let (outcome, bytes) = record(&scenario, &text, Turns::Forward);
        let recording = open(&bytes);
        prop_assert_eq!(&recording.header().toml, &text);
        prop_assert_eq!(recording.segment_count(), outcome.segments);
        // Instants at which something happens are the interesting ones.
        let events = all(&recording);
        let mut at = instants.clone();
        for (n, ns) in instants.iter().enumerate() {
            if let Some(event) = events.get(*ns as usize % events.len().max(1)) {
                at.push(event.at.ns + (n as u64 & 1));
            }
        }
        check_instants(&scenario, &recording, at, &text);
    }
}

/// What a run of the incident with trouble on its links, short enough for a test, leaves behind.
fn incident() -> Scenario {
    let mut scenario = set("incident.toml", &["web.net.ipv4.tcp_max_tw_buckets=2000"]);
    scenario.duration = finwait_model::time::Span::secs(3);
    scenario
}

#[test]
fn recording_changes_nothing_and_tells_the_end() {
    let scenario = incident();
    let (outcome, bytes) = record(&scenario, "text", Turns::Forward);
    let plain = run(&scenario, Turns::Forward, |_| ());
    assert_eq!(outcome.digest, plain.digest);
    let (_, backward) = record(&scenario, "text", Turns::Backward);
    assert!(bytes == backward, "the order of the hosts' turns does not show");
    let recording = open(&bytes);
    let End::Complete(totals) = recording.end() else { panic!("{:?}", recording.end()) };
    assert_eq!(totals.digest, outcome.digest.to_string());
    assert_eq!(totals.segments, outcome.segments);
    assert_eq!(totals.at, Instant::ZERO + scenario.duration);
    for (index, host) in outcome.hosts.iter().enumerate() {
        let samples = recording.samples(HostId(index as u16)).expect("it can be read");
        assert_eq!(samples, host.series);
    }
}

#[test]
fn events_of_a_range_are_those_of_the_whole() {
    let (outcome, bytes) = record(&incident(), "text", Turns::Forward);
    let recording = open(&bytes);
    let everything = all(&recording);
    assert!(everything.is_sorted_by_key(|e| (e.at, e.host)));
    let sent = everything.iter().filter(|e| matches!(e.what, What::Sent { .. })).count();
    assert_eq!(sent as u64, outcome.segments);
    let web = HostId(0);
    let reset = everything.iter().find(|e| e.what.is_reset()).expect("there is a RST");
    let filters = [
        Filter::ALL,
        Filter { host: Some(web), ..Filter::ALL },
        Filter { resets: true, ..Filter::ALL },
        Filter { segments: true, host: Some(web), ..Filter::ALL },
        Filter { flow: reset.what.flow(), ..Filter::ALL },
    ];
    let at = |ms: u64| Instant { ns: ms * 1_000_000 };
    for (from, to) in [(0, 3000), (1000, 1001), (1500, 2900), (2999, 9999), (5, 5)] {
        for filter in &filters {
            let read = recording.events(at(from)..at(to), filter.clone());
            let read: Vec<Event> = read.map(|e| e.expect("it is whole")).collect();
            let within = |e: &&Event| e.at >= at(from) && e.at < at(to) && filter.takes(e);
            let wanted: Vec<Event> = everything.iter().filter(within).copied().collect();
            assert!(read == wanted, "{from} to {to} ms, {filter:?}");
        }
    }
    let resets: Vec<Event> = everything.iter().filter(|e| e.what.is_reset()).copied().collect();
    assert_eq!(resets.len() as u64, outcome.rst_count());
    assert_eq!(recording.reset_count(), outcome.rst_count());
    for n in [1, 2, resets.len() / 2, resets.len()] {
        let event = recording.reset(n as u64).expect("it can be read");
        assert_eq!(event, Some(resets[n - 1]), "RST {n}");
    }
    assert_eq!(recording.reset(resets.len() as u64 + 1).expect("it can be read"), None);
}
