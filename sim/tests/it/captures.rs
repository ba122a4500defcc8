//! What a capture holds, whoever reads it.

use std::collections::BTreeMap;
use std::io;

use finwait_model::flow::FourTuple;
use finwait_model::time::Instant;
use finwait_sim::capture::{About, Capture, Direction, Packet, Selection, Take, replay, simulate};
use finwait_sim::link::Fate;
use finwait_sim::pcap::Ng;
use finwait_sim::record::{Event, Trace};
use finwait_sim::recording::{Header, Recorder, Recording};
use finwait_sim::run::run_watched;
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;

use crate::stage::{edited, names, set};

#[derive(Default)]
struct Keep(Vec<Packet>);

impl Take for &mut Keep {
    fn take(&mut self, packet: &Packet) -> io::Result<()> {
        self.0.push(packet.clone());
        Ok(())
    }
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn packets(scenario: &Scenario, selection: Selection) -> Vec<Packet> {
    let mut keep = Keep::default();
    simulate(scenario, selection, &mut keep, |_| ()).expect("memory takes it");
    keep.0
}

fn rough() -> Scenario {
    let rough =
        "delay = \"100us\"\nloss = \"2%\"\nduplicate = \"2%\"\nreorder = \"5%\"\njitter = \"60us\"";
    let mut scenario = edited(
        "closes-apart.toml",
        &[("delay = \"100us\"", rough), ("count = 5", "count = 300"), ("\"5/s\"", "\"200/s\"")],
    );
    scenario.duration = finwait_model::time::Span::secs(3);
    scenario
}

type Names = BTreeMap<(Instant, FourTuple, u32), u32>;

fn count(into: &mut Names, at: Instant, packet: &finwait_model::segment::Segment) {
    *into.entry((at, packet.flow, packet.seq.0)).or_default() += 1;
}

#[test]
fn every_segment_is_where_it_left_and_where_it_arrived() {
    let scenario = rough();
    let mut trace = Trace::new();
    run_watched(&scenario, Turns::Forward, &mut trace, |_| ());
    let end = Instant::ZERO + scenario.duration;
    let (mut left, mut arrived) = (Names::new(), Names::new());
    for record in trace.records() {
        let Event::Sent { segment, fate, .. } = record.event else { continue };
        count(&mut left, record.at, &segment);
        let arrivals = match fate {
            Fate::Arrives(at) => vec![at],
            Fate::Twice(first, second) => vec![first, second],
            Fate::Lost | Fate::Unroutable => vec![],
        };
        for at in arrivals.into_iter().filter(|at| *at < end) {
            count(&mut arrived, at, &segment);
        }
    }
    let packets = packets(&scenario, Selection::default());
    assert!(packets.len() > 4000, "{}", packets.len());
    assert!(packets.is_sorted_by_key(|p| p.at), "in one order of time");
    let (mut seen_leaving, mut seen_arriving) = (Names::new(), Names::new());
    for packet in &packets {
        let host = scenario.host_plan(packet.host).addr;
        let flow = packet.segment.flow;
        let (own, names) = match packet.direction {
            Direction::Out => (flow.saddr, &mut seen_leaving),
            Direction::In => (flow.daddr, &mut seen_arriving),
        };
        assert_eq!(host, own, "on the interface of whoever sends or receives it");
        assert_eq!(packet.why.is_some(), packet.segment.flags.rst());
        count(names, packet.at, &packet.segment);
    }
    assert!(seen_leaving == left && seen_arriving == arrived);
}

#[test]
fn a_selection_is_a_part_of_the_whole() {
    let scenario = rough();
    let all = packets(&scenario, Selection::default());
    let host = scenario.host("peer").expect("there is one");
    let (from, to) = (Instant { ns: 500_000_000 }, Instant { ns: 1_500_000_000 });
    let filter = finwait_sim::view::pcap_filter::Filter::parse("tcp[13] & 5 != 0", &[]);
    let part = packets(
        &scenario,
        Selection {
            host: Some(host),
            from,
            to: Some(to),
            filter: Some(filter.expect("it is one")),
            at_most: Some(40),
        },
    );
    let wanted: Vec<_> = all
        .iter()
        .filter(|p| p.host == host && p.at >= from && p.at < to)
        .filter(|p| p.segment.flags.fin() || p.segment.flags.rst())
        .take(40)
        .map(|p| (p.at, p.segment, p.ip_id))
        .collect();
    assert_eq!(part.len(), 40);
    assert_eq!(part.iter().map(|p| (p.at, p.segment, p.ip_id)).collect::<Vec<_>>(), wanted);
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_turns() {
    let bytes = |scenario: &Scenario, turns| {
        let mut bytes = Vec::new();
        let about = About::from(scenario);
        let ng = Ng::new(&mut bytes, &about).expect("memory takes it");
        let mut capture = Capture::new(&about, Selection::default(), ng);
        run_watched(scenario, turns, &mut capture, |_| ());
        capture.finish(Instant::ZERO + scenario.duration).expect("memory takes it");
        bytes
    };
    let short = |name: &String| {
        let mut scenario = set(name, &[]);
        scenario.duration = scenario.duration.min(finwait_model::time::Span::secs(1));
        scenario
    };
    for scenario in names().iter().map(short).chain([rough()]) {
        let forward = bytes(&scenario, Turns::Forward);
        assert!(forward.len() > 500, "{}", scenario.name);
        assert!(forward == bytes(&scenario, Turns::Backward), "{}", scenario.name);
    }
}

#[test]
fn a_recording_gives_the_same_packets_as_the_run() {
    let mut resets = 0;
    let short = |name: &String| {
        let mut scenario = set(name, &[]);
        scenario.duration = scenario.duration.min(finwait_model::time::Span::secs(12));
        if name.starts_with("incident") {
            scenario = set(name, &["web.net.ipv4.tcp_max_tw_buckets=2000"]);
            scenario.duration = finwait_model::time::Span::secs(3);
        }
        scenario
    };
    for scenario in names().iter().map(short).chain([rough()]) {
        let mut recorder = Recorder::new(Vec::new(), Header::new(&scenario, "", None));
        let outcome = run_watched(&scenario, Turns::Forward, &mut recorder, |_| ());
        let bytes = recorder.finish(&outcome).expect("memory takes it");
        let recording = Recording::read(io::Cursor::new(bytes)).expect("it is whole");
        // From the beginning: every byte. From later on, what a socket has counted is not known.
        for from_s in [0, 1, 10] {
            let from = Instant { ns: from_s * 1_000_000_000 };
            let selection = Selection { from, ..Selection::default() };
            let live = packets(&scenario, selection.clone());
            let mut keep = Keep::default();
            replay(&recording, selection, &mut keep, |_| ()).expect("it can be read");
            let shown = |packets: &[Packet]| -> Vec<String> {
                let id = |p: &Packet| if from_s == 0 { p.ip_id } else { 0 };
                packets
                    .iter()
                    .map(|p| format!("{:?}", Packet { ip_id: id(p), ..p.clone() }))
                    .collect()
            };
            let (live_shown, told) = (shown(&live), shown(&keep.0));
            for (live, told) in live_shown.iter().zip(&told) {
                assert_eq!(live, told, "{} from {from_s} s", scenario.name);
            }
            assert_eq!(live_shown.len(), told.len(), "{} from {from_s} s", scenario.name);
            resets += live.iter().filter(|p| p.why.is_some()).count();
        }
    }
    assert!(resets > 100, "{resets}");
}

#[test]
fn a_full_disk_stops_the_capture_with_its_error() {
    struct Full(u32);
    impl Take for Full {
        fn take(&mut self, _packet: &Packet) -> io::Result<()> {
            self.0 += 1;
            if self.0 > 10 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
        fn finish(&mut self) -> io::Result<()> {
            panic!("it is not finished");
        }
    }
    let mut reached = Instant::ZERO;
    let end = simulate(&rough(), Selection::default(), Full(0), |now| reached = now);
    assert_eq!(end.expect_err("it is full").kind(), io::ErrorKind::StorageFull);
    assert!(reached < Instant { ns: 200_000_000 }, "and nothing is simulated in vain: {reached}");
}
