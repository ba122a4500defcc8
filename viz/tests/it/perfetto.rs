//! Traces for ui.perfetto.dev: JSON in which everything that begins ends, on a track with a name.

use std::collections::{BTreeMap, BTreeSet};

use finwait_model::time::{Instant, Span};
use finwait_sim::recording::Recording;
use finwait_viz::figure::About;
use finwait_viz::perfetto::{MOST, Written, write};
use finwait_viz::story::stories;
use serde_json::Value;

use crate::stage::recorded;

fn trace(rec: &Recording, from: Instant, to: Instant) -> (Written, Vec<u8>) {
    let mut out = Vec::new();
    let about = About { scenario: "a test".to_owned(), seed: Some(1), ..About::default() };
    let written = write(rec, &about, from..to, &mut out, |_| ()).expect("memory can be written");
    (written, out)
}

type Track = (u64, u64);

fn track(event: &Value) -> Track {
    (event["pid"].as_u64().expect("a process"), event["tid"].as_u64().expect("a track"))
}

/// What holds for every trace; gives back its events.
fn check(bytes: &[u8], written: Written) -> Vec<Value> {
    let trace: Value = serde_json::from_slice(bytes).expect("it is JSON");
    assert_eq!(trace["displayTimeUnit"], "ns");
    let events = trace["traceEvents"].as_array().expect("a list").clone();
    assert_eq!(events.len() as u64, written.events);
    let mut names = BTreeSet::new();
    let mut open: BTreeMap<Track, Vec<&str>> = BTreeMap::new();
    let mut tails = BTreeMap::new();
    let mut last: BTreeMap<Track, f64> = BTreeMap::new();
    for event in &events {
        let ph = event["ph"].as_str().expect("a kind");
        if ph == "M" {
            if event["name"] == "thread_name" {
                assert!(names.insert(track(event)), "a track has one name");
            }
            continue;
        }
        let ts = event["ts"].as_f64().expect("a time");
        if ph == "C" {
            continue;
        }
        let place = track(event);
        assert!(names.contains(&place), "{event} is on a track without a name");
        let before = last.insert(place, ts).unwrap_or(0.0);
        assert!(before <= ts, "{event} comes after {before}");
        match ph {
            "B" => open.entry(place).or_default().push(event["name"].as_str().expect("a name")),
            "E" => assert!(open.entry(place).or_default().pop().is_some(), "{event} ends nothing"),
            "s" => assert!(tails.insert(event["id"].as_u64(), ts).is_none()),
            "f" => {
                let tail = tails.remove(&event["id"].as_u64());
                assert!(tail.is_some_and(|tail| tail <= ts), "{event} has no tail");
            }
            "X" | "i" => {}
            _ => panic!("unknown: {event}"),
        }
        let states = open.get(&place).map_or(0, Vec::len);
        assert!(states <= 1, "a socket is in one state: {event}");
    }
    assert!(open.values().all(Vec::is_empty), "what begins ends: {open:?}");
    assert!(tails.is_empty(), "every arrow has a head: {tails:?}");
    events
}

fn count(events: &[Value], ph: &str) -> usize {
    events.iter().filter(|event| event["ph"] == ph).count()
}

#[test]
fn a_trace_shows_what_the_stories_tell() {
    let rec = recorded("closes-apart.toml", &[], 10);
    let end = rec.end().at();
    let (written, bytes) = trace(&rec, Instant::ZERO, end);
    assert_eq!((written.sockets, written.one_in), (10, 1));
    let events = check(&bytes, written);
    let (_, again) = trace(&rec, Instant::ZERO, end);
    assert_eq!(bytes, again, "the same run gives the same bytes");
    let mut flows = BTreeSet::new();
    for event in rec.resets() {
        flows.insert(event.expect("whole").what.flow().expect("it is of a connection"));
    }
    let all = flows.iter().flat_map(|flow| stories(&rec, *flow).expect("it can be read"));
    let all: Vec<_> = all.collect();
    assert_eq!(all.len(), 5);
    let spans = all.iter().flat_map(|s| &s.ends).map(|end| end.spans.len()).sum::<usize>();
    assert_eq!(count(&events, "B"), spans);
    let flights = all.iter().map(|s| s.flights.len()).sum::<usize>();
    assert_eq!((count(&events, "s"), count(&events, "X")), (flights, 2 * flights));
    let cat = |cat: &str| events.iter().filter(|event| event["cat"] == cat).count();
    assert_eq!((cat("rst"), cat("overflow"), cat("timer")), (5, 5, 5));
    let samples = rec.samples(rec.host("web").expect("it is there")).expect("read").len();
    assert_eq!(count(&events, "C"), 2 * 4 * samples);
}

#[test]
fn a_part_of_a_run_begins_with_what_stands_and_ends_all() {
    let rec = recorded("closes-apart.toml", &["web.net.ipv4.tcp_max_tw_buckets=9"], 10);
    let from = Instant::ZERO + Span::millis(150);
    let (written, bytes) = trace(&rec, from, Instant::ZERO + Span::millis(900));
    let events = check(&bytes, written);
    let first = events.iter().find(|event| event["ph"] == "B").expect("something stands");
    assert_eq!((&first["name"], &first["ts"]), (&"TIME-WAIT bucket".into(), &150_000.into()));
}

#[test]
fn a_large_run_is_sampled_and_says_so() {
    let rec = recorded("incident.toml", &["web.net.ipv4.tcp_max_tw_buckets=9000"], 5);
    let (written, bytes) = trace(&rec, Instant::ZERO, rec.end().at());
    let events = check(&bytes, written);
    assert!(written.sockets > 20_000 && written.one_in == written.sockets.div_ceil(MOST));
    let tracks = events.iter().filter(|event| event["name"] == "thread_name").count() as u64;
    assert!((MOST / 2..=MOST * 11 / 10).contains(&tracks), "{tracks} sockets are shown");
    let trace: Value = serde_json::from_slice(&bytes).expect("it is JSON");
    let shown = trace["otherData"]["shown"].as_str().expect("it says so");
    assert!(shown.starts_with("one connection in 3"), "{shown}");
}
