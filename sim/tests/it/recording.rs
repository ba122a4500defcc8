//! A recording tells exactly what a live run would have shown: every host at every instant, every
//! event; and what is left of a broken one can be read.

use std::io::Cursor;
use std::ops::ControlFlow;

use proptest::prelude::*;

use finwait_model::counters::Mib;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Object;
use finwait_model::sink::Note;
use finwait_model::time::Instant;
use finwait_sim::app::Call;
use finwait_sim::recording::{
    Choice, End, Error, Event, Filter, Header, Recorder, Recording, What,
};
use finwait_sim::run::{Outcome, run, run_watched};
use finwait_sim::scenario::Scenario;
use finwait_sim::view::HostView;
use finwait_sim::watch::{Count, Sent, Trigger, Watch};
use finwait_sim::world::{HostId, Turns};

use crate::any_scenario::{config, parse, scenario};
use crate::stage::set;

/// Runs a scenario and records it.
fn record(scenario: &Scenario, text: &str, turns: Turns) -> (Outcome, Vec<u8>) {
    choose(scenario, text, turns, Choice::Everything)
}

fn choose(scenario: &Scenario, text: &str, turns: Turns, choice: Choice) -> (Outcome, Vec<u8>) {
    let header = Header::new(scenario, text, choice.describe());
    let mut recorder = Recorder::choosing(Vec::new(), header, choice);
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
        world.run_watched(at, &mut Count);
        for host in world.hosts() {
            let live = HostView::of(host, at);
            let recorded = recording.host_at(host.id(), at).expect("it can be read");
            let sysctl = recording.sysctl_at(host.id(), at).expect("it can be read");
            assert_eq!(sysctl, recorded.sysctl, "{} at {at}: {what}", host.name());
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
        for (index, host) in outcome.hosts.iter().enumerate() {
            let host_id = HostId(index as u16);
            let mine = || events.iter().filter(|e| e.host == host_id);
            for (mib, value) in &host.mib {
                let rises = mine().filter_map(|e| match e.what {
                    What::Counter(its, by) if its == *mib => Some(by),
                    _ => None,
                });
                prop_assert_eq!(rises.sum::<i64>(), *value as i64, "{:?} in\n{}", mib, text);
            }
            let count = |of: &dyn Fn(&What) -> bool| mine().filter(|e| of(&e.what)).count() as u64;
            let refused = count(&|w| matches!(w, What::Note(Note::BucketRefused { .. })));
            prop_assert_eq!(refused, host.counter(Mib::TCPTimeWaitOverflow), "{}", text);
            prop_assert_eq!(count(&What::is_reset), host.counter(Mib::OutRsts), "{}", text);
            let received = count(&|w| matches!(w, What::Received(_)));
            prop_assert_eq!(received, host.counter(Mib::InSegs), "{}", text);
            let view = recording.host_at(host_id, recording.end().at()).expect("it is whole");
            let buckets = view.rows.iter().filter(|r| r.object == Object::Bucket).count();
            prop_assert_eq!(buckets, host.sockstat.tw as usize, "{}", text);
        }
    }

    #[test]
    fn connections_with_a_rst_are_recorded_whole(text in scenario(false)) {
        let scenario = parse(&text);
        let (_, everything) = record(&scenario, &text, Turns::Forward);
        let everything = all(&open(&everything));
        check_resets(&scenario, &text, &everything, 1 << 30);
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
        let mut shown = Vec::new();
        let show = |event: &Event| {
            shown.push(*event);
            if shown.len() == 1000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        recording.each_event(at(from)..at(to), show).expect("it is whole");
        let within = |e: &&Event| e.at >= at(from) && e.at < at(to);
        let wanted: Vec<Event> = everything.iter().filter(within).take(1000).copied().collect();
        assert!(shown == wanted, "{from} to {to} ms, shown until it breaks off");
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

/// The connection of an event, with its ends in order; none for counters and listeners.
fn ends(event: &Event) -> Option<(FourTuple, FourTuple)> {
    let flow = event.what.flow().filter(|f| f.sport != 0 && f.dport != 0)?;
    let back = flow.reversed();
    Some(if flow < back { (flow, back) } else { (back, flow) })
}

/// Records only connections with a RST, and compares with what a whole recording tells of them.
fn check_resets(scenario: &Scenario, text: &str, everything: &[Event], memory: usize) -> u64 {
    let (outcome, bytes) = choose(scenario, text, Turns::Forward, Choice::Resets(memory));
    let recording = open(&bytes);
    let recorded = all(&recording);
    assert!(recorded.is_sorted_by_key(|e| (e.at, e.host)), "{text}");
    let reset: std::collections::BTreeSet<_> =
        everything.iter().filter(|e| e.what.is_reset()).filter_map(ends).collect();
    let is_row = |e: &Event| matches!(e.what, What::Row(..));
    let mine = |e: &&Event| ends(e).is_some_and(|ends| reset.contains(&ends)) && !is_row(e);
    let wanted: Vec<&Event> = everything.iter().filter(mine).collect();
    let found: Vec<&Event> = recorded.iter().filter(|e| ends(e).is_some() && !is_row(e)).collect();
    assert_eq!(recording.reset_count(), outcome.rst_count(), "{text}");
    if memory == 1 << 30 {
        // Ends that were used again without a RST may be missing, nothing else.
        let mut found_at = 0;
        let mut missing = 0;
        for event in wanted {
            if found.get(found_at) == Some(&event) {
                found_at += 1;
            } else {
                missing += 1;
            }
        }
        assert_eq!(found_at, found.len(), "what is recorded has happened, in\n{text}");
        let again = everything.iter().filter(|e| match e.what {
            What::Sent { segment, .. } => segment.flags.syn() && !segment.flags.ack(),
            _ => false,
        });
        let again = again.filter(|e| ends(e).is_some_and(|ends| reset.contains(&ends))).count();
        assert!(missing == 0 || again > reset.len(), "{missing} events are missing in\n{text}");
    } else {
        assert!(found.len() < wanted.len());
    }
    for (index, host) in outcome.hosts.iter().enumerate() {
        let end = recording.end().at();
        let view = recording.host_at(HostId(index as u16), end).expect("it is whole");
        assert_eq!(view.counters, host.mib, "{text}");
        assert_eq!(view.sockstat, host.sockstat, "{text}");
    }
    let End::Complete(totals) = recording.end() else { panic!("{:?}", recording.end()) };
    let remark = totals.remark.as_ref();
    remark.map_or(0, |text| {
        let number = text.split(' ').find_map(|word| word.parse().ok());
        number.expect("it says how many")
    })
}

#[test]
fn connections_with_a_rst_are_a_small_part_of_the_incident() {
    let scenario = incident();
    let (_, whole) = record(&scenario, "text", Turns::Forward);
    let everything = all(&open(&whole));
    assert_eq!(check_resets(&scenario, "text", &everything, 1 << 30), 0);
    assert!(check_resets(&scenario, "text", &everything, 1) > 0, "without memory to hold");
}

#[test]
fn a_file_that_was_cut_anywhere_is_read_up_to_its_last_whole_block() {
    let (outcome, bytes) = record(&incident(), "text", Turns::Forward);
    let whole = open(&bytes);
    let everything = all(&whole);
    let mut ends = Vec::new();
    for cut in (0..bytes.len()).step_by(bytes.len() / 17).chain([bytes.len() - 20, bytes.len() - 1])
    {
        let recording = match Recording::read(Cursor::new(bytes[..cut].to_vec())) {
            Ok(recording) => recording,
            Err(Error::NotARecording | Error::Header(_)) if cut < 20_000 => continue,
            Err(error) => panic!("{error} with {cut} bytes"),
        };
        let end = recording.end().at();
        ends.push(end);
        if !matches!(recording.end(), End::Cut(_)) {
            continue;
        }
        let read = all(&recording);
        assert_eq!(read, everything[..read.len()], "{cut} bytes");
        let missing = everything.get(read.len()).map_or(end, |event| event.at);
        assert!(missing >= end, "everything before its end is in it");
        for host in 0..outcome.hosts.len() {
            let at = |recording: &Recording| recording.host_at(HostId(host as u16), end);
            let (cut, whole) = (at(&recording).expect("read"), at(&whole).expect("read"));
            assert_same(&cut, &whole, "a cut file");
        }
    }
    assert!(ends.is_sorted() && ends.first() < ends.last(), "{ends:?}");
}

/// What a run shows to whoever watches it.
#[derive(Default)]
struct Seen(Vec<Event>);

impl Watch for Seen {
    fn wants_notes(&self) -> bool {
        true
    }
    fn wants_steps(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        let Sent { at, host, segment, cause, answers, fate } = *sent;
        let what = What::Sent { segment: *segment, cause, fate, answers: answers.copied() };
        self.0.push(Event { at, host, what });
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.0.push(Event { at, host, what: What::Note(*note) });
    }
    fn begins(&mut self, at: Instant, host: HostId, trigger: Trigger<'_>) {
        if let Trigger::Arrival(segment) = trigger {
            self.0.push(Event { at, host, what: What::Received(*segment) });
        }
    }
    fn called(&mut self, call: &Call) {
        let last = self.0.last().map_or((Instant::ZERO, HostId(0)), |e| (e.at, e.host));
        self.0.push(Event { at: last.0, host: last.1, what: What::Call(*call) });
    }
}

#[test]
fn events_are_those_that_a_live_run_shows() {
    let scenario = incident();
    let mut seen = Seen::default();
    run_watched(&scenario, Turns::Forward, &mut seen, |_| ());
    let (_, bytes) = record(&scenario, "text", Turns::Forward);
    let recorded = all(&open(&bytes));
    let told =
        |e: &&Event| !matches!(e.what, What::Counter(..) | What::SockStat(_) | What::Row(..));
    for host in 0..scenario.hosts.len() {
        let host = HostId(host as u16);
        let is_call = |e: &&Event| matches!(e.what, What::Call(_));
        let live = seen.0.iter().filter(|e| e.host == host && !is_call(e));
        let read = recorded.iter().filter(told).filter(|e| e.host == host && !is_call(e));
        assert!(live.eq(read), "{host:?}");
    }
    // Who watches is not told when a call is made, nor on which host; so only what it was.
    let mut live: Vec<String> =
        seen.0.iter().filter(|e| matches!(e.what, What::Call(_))).map(call).collect();
    let mut read: Vec<String> =
        recorded.iter().filter(|e| matches!(e.what, What::Call(_))).map(call).collect();
    live.sort_unstable();
    read.sort_unstable();
    assert!(live.len() > 10_000 && live == read);
}

fn call(event: &Event) -> String {
    format!("{:?}", event.what)
}
