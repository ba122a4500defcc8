//! Chains from a RST back to its first cause: every link is an event, and every RST has a cause.

use std::io::Cursor;

use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_sim::because::Because;
use finwait_sim::recording::{Event, Filter, Header, Recorder, Recording, What};
use finwait_sim::run::run_watched;
use finwait_sim::scenario::Scenario;
use finwait_sim::why::{self, Chain};
use finwait_sim::world::{HostId, Turns};

use crate::stage::{edited, names, set};

fn recorded(scenario: &Scenario) -> Recording {
    let mut recorder = Recorder::new(Vec::new(), Header::new(scenario, "", None));
    let outcome = run_watched(scenario, Turns::Forward, &mut recorder, |_| ());
    let bytes = recorder.finish(&outcome).expect("memory can be written");
    Recording::read(Cursor::new(bytes)).expect("it is whole")
}

fn chain(rec: &Recording, host: Option<HostId>, number: u64) -> Chain {
    let event = why::reset(rec, host, number).expect("it can be read").expect("there is one");
    why::chain(rec, &event).expect("it can be read").expect("a RST has a chain")
}

/// Every cause stands in the chain, no link is its own cause, and only first causes have none.
fn check(chain: &Chain) {
    for (place, link) in chain.links.iter().enumerate() {
        assert!(link.causes.iter().all(|&c| c < chain.links.len() && c != place), "{chain:#?}");
        for &cause in &link.causes {
            assert!(chain.links[cause].at <= link.at, "a cause comes later: {chain:#?}");
        }
    }
}

#[test]
fn the_incident_leads_from_the_rst_to_the_full_table_by_events_of_the_run() {
    let mut scenario = set("incident.toml", &["web.net.ipv4.tcp_max_tw_buckets=20000"]);
    scenario.duration = Span::secs(20);
    let rec = recorded(&scenario);
    let web = rec.host("web").expect("it has one");
    let chain = chain(&rec, Some(web), 20);
    check(&chain);
    assert_eq!(chain.because, Some(Because::FinWait2Refused));
    let all = Instant::ZERO..Instant { ns: u64::MAX };
    let events: Vec<Event> =
        rec.events(all, Filter::ALL).map(|e| e.expect("it is whole")).collect();
    for link in &chain.links {
        let it = events.iter().find(|e| e.at == link.at && e.host == link.host);
        assert!(it.is_some(), "no event at {}: {link:?}", link.at);
    }
    let told: Vec<&str> = chain.links.iter().map(|l| l.event).collect();
    assert_eq!(told[..3], ["sent", "received", "sent"], "the RST, the FIN, its departure");
    let refused = chain.links.iter().find(|l| l.event == "bucket-refused").expect("a refusal");
    assert_eq!(refused.decided[0].sysctl, "net.ipv4.tcp_max_tw_buckets");
    assert_eq!(refused.decided[0].value, "20000");
    assert!(refused.averted.iter().any(|a| a.contains("one bucket more: a limit of 20,001")));
    assert!(refused.averted.iter().any(|a| a.starts_with("the peer's FIN ")));
    let full = chain.links.iter().find(|l| l.event == "table-full").expect("it became full");
    let first = events
        .iter()
        .find(|e| e.host == web && matches!(e.what, What::Note(Note::BucketRefused { .. })));
    assert_eq!(Some(full.at), first.map(|e| e.at));
    let calls = chain.links.iter().filter(|l| l.text.contains("calls close("));
    assert_eq!(calls.count(), 2, "both ends close: {chain:#?}");
}

#[test]
fn a_rst_of_a_box_leads_back_to_the_client_behind_it() {
    let rec = recorded(&set("balancer-forgets.toml", &[]));
    let lb = rec.host("lb").expect("it has one");
    let chain = chain(&rec, Some(lb), 1);
    check(&chain);
    assert_eq!(chain.because, Some(Because::FlowForgotten));
    let web = rec.host("web").expect("it has one");
    assert!(chain.links.iter().any(|l| l.host == web && l.event == "sent"), "{chain:#?}");
}

#[test]
fn a_chain_goes_through_a_nat_and_back() {
    let rec = recorded(&set("nat-port-reuse.toml", &[]));
    let chain = chain(&rec, None, 1);
    check(&chain);
    assert_eq!(chain.cause.name(), "rst-syn-sent-bad-ack");
    let gate = rec.host("gate").expect("it has one");
    let passed = chain.links.iter().filter(|l| l.host == gate && l.event == "passed-on");
    assert!(passed.count() >= 2, "the SYN there, and the ACK back: {chain:#?}");
    let server = rec.host("server").expect("it has one");
    assert!(chain.links.iter().any(|l| l.host == server), "{chain:#?}");
}

#[test]
fn a_rst_leads_back_to_the_code_that_closed() {
    let mut scenario = set("pool-mixed.toml", &["web.net.ipv4.tcp_max_tw_buckets=20"]);
    scenario.duration = Span::secs(8);
    let rec = recorded(&scenario);
    let chain = chain(&rec, rec.host("web"), 1);
    check(&chain);
    assert_eq!(chain.because, Some(Because::FinWait2Refused));
    let closed = chain.links.iter().find(|l| l.text.contains("short-connection code"));
    let closed = closed.unwrap_or_else(|| panic!("no close of short code: {chain:#?}"));
    assert!(
        closed.text.contains("; connection #")
            && closed.text.contains(", age ")
            && closed.text.contains(" request"),
        "{closed:?}"
    );
}

#[test]
fn every_rst_of_the_examples_has_a_cause_that_is_known() {
    let mut resets = 0;
    for name in names() {
        let mut scenario = set(&name, &[]);
        if name == "incident.toml" || name.starts_with("slots") {
            scenario.duration = scenario.duration.min(Span::secs(3));
        }
        if name == "pool-mixed.toml" {
            scenario.duration = scenario.duration.min(Span::secs(45));
        }
        let rec = recorded(&scenario);
        let count = why::reset_count(&rec, None).expect("it can be read");
        // The first of thousands stand for all: each takes a look at the whole file.
        for number in 1..=count.min(25) {
            let chain = chain(&rec, None, number);
            check(&chain);
            assert_ne!(chain.because, Some(Because::Unknown), "{name}, RST {number}: {chain:#?}");
            assert!(chain.links.len() > 1, "{name}, RST {number}: {chain:#?}");
            resets += 1;
        }
        let stacks = why::stacks(&rec, None).expect("it can be read");
        assert_eq!(stacks.iter().map(|s| s.count).sum::<u64>(), count, "{name}");
    }
    assert!(resets > 20, "the examples send RSTs: {resets}");
}

/// The first RST of a scenario that is changed so.
fn first_of(edits: &[(&str, &str)]) -> Chain {
    let chain = chain(&recorded(&edited("closes-apart.toml", edits)), None, 1);
    check(&chain);
    chain
}

#[test]
fn what_averts_it_is_computed_from_the_events() {
    let unread = first_of(&[
        (
            "rate = \"5/s\"",
            "rate = \"5/s\"\nrequest_bytes = 60\nresponse_bytes = 200\nclose = \"unread\"",
        ),
        ("port = 80", "port = 80\nrequest_bytes = 60\nresponse_bytes = 200"),
    ]);
    assert_eq!(unread.because, Some(Because::UnreadData));
    assert_eq!(unread.links[0].averted, ["recv() of 200 bytes more before close()"]);
    assert!(unread.links[1].text.contains("calls close("), "{unread:#?}");
    let nobody = first_of(&[("to = \"peer:80\"", "to = \"peer:81\"")]);
    assert_eq!(nobody.because, Some(Because::NobodyListens));
    assert_eq!(nobody.links[0].averted, ["a listener on port 81"]);
    let last = nobody.links.last().expect("it has links");
    assert!(last.text.contains("calls connect(") && last.causes.is_empty(), "{nobody:#?}");
}

#[test]
fn any_segment_is_followed_and_counted_as_told() {
    let rec = recorded(&set("closes-apart.toml", &[]));
    let reset = why::reset(&rec, None, 1).expect("it can be read").expect("there is one");
    let flow = reset.what.flow();
    let count = why::segment_count(&rec, None, flow).expect("it can be read");
    assert!(count > 5, "a connection with a RST has more segments: {count}");
    for number in 1..=count {
        let event = why::segment(&rec, None, flow, number).expect("readable").expect("counted");
        let chain = why::chain(&rec, &event).expect("readable").expect("it left");
        check(&chain);
        assert_eq!(chain.because.is_some(), chain.segment.flags.rst(), "{chain:#?}");
        let averted = chain.links.iter().any(|link| !link.averted.is_empty());
        assert!(chain.segment.flags.rst() || !averted, "{chain:#?}");
        let last = chain.links.last().expect("it has links");
        assert!(chain.links.iter().any(|l| l.causes.is_empty()), "{last:#?}");
    }
    assert_eq!(why::segment(&rec, None, flow, count + 1).expect("readable"), None);
    let per_host: u64 = (0..2)
        .map(|host| why::segment_count(&rec, Some(HostId(host)), None).expect("readable"))
        .sum();
    assert_eq!(per_host, rec.segment_count());
}
