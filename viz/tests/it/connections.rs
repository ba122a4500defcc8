//! Stories of connections: every segment of the recording, every state that `ss` shows, nothing else.

use std::collections::BTreeSet;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Object;
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use finwait_sim::recording::{Event, Filter, Recording, What};
use finwait_sim::why;
use finwait_sim::world::HostId;
use finwait_viz::figure::{About, Look};
use finwait_viz::ladder::{self, Panel};
use finwait_viz::story::{self, Story, stories, story_of};
use finwait_viz::svg::Fonts;
use finwait_viz::{lanes, machine};

use crate::golden;
use crate::stage::{names, recorded};

/// The first connections of a run.
fn flows(rec: &Recording, count: usize) -> Vec<FourTuple> {
    let all = Instant::ZERO..Instant { ns: u64::MAX };
    let mut flows = BTreeSet::new();
    for event in rec.events(all, Filter { segments: true, ..Filter::default() }) {
        if let What::Sent { segment, cause: Cause::SynOnConnect, .. } = event.expect("whole").what {
            flows.insert(segment.flow);
        }
        if flows.len() == count {
            break;
        }
    }
    flows.into_iter().collect()
}

/// Every segment that left and every one that arrived, in order.
fn segments_are_those_of_the_recording(events: &[Event], stories: &[Story]) {
    let left = events.iter().filter_map(|e| match e.what {
        What::Sent { segment, cause, .. } => Some((e.at, segment, cause)),
        _ => None,
    });
    let told = stories.iter().flat_map(|s| &s.flights);
    let told = told.map(|f| (f.left.expect("it left"), f.segment, f.cause.expect("it has one")));
    assert_eq!(left.collect::<Vec<_>>(), told.collect::<Vec<_>>());
    let arrived = events.iter().filter_map(|e| match e.what {
        What::Received(segment) => Some((e.at, segment)),
        _ => None,
    });
    let beats = stories.iter().flat_map(|s| s.beats.iter().map(move |b| (s, b)));
    let told = beats.filter_map(|(s, b)| match b.what {
        story::What::Arrived(number) => Some((b.at, s.flights[number].segment)),
        _ => None,
    });
    let (mut arrived, mut told): (Vec<_>, Vec<_>) = (arrived.collect(), told.collect());
    let key = |(at, segment): &(Instant, _)| (*at, format!("{segment:?}"));
    arrived.sort_by_key(key);
    told.sort_by_key(key);
    assert_eq!(arrived, told);
    // An arrow's head is where the segment arrived.
    for flight in stories.iter().flat_map(|s| &s.flights) {
        let heads = flight.arrivals.iter().map(|at| (*at, flight.segment));
        assert!(heads.into_iter().all(|head| arrived.contains(&head)), "{flight:?}");
    }
}

/// Whenever a row of `ss` is told, the story shows that state, bucket or socket, at that end.
fn states_are_those_of_ss(events: &[Event], stories: &[Story]) -> usize {
    let mut compared = 0;
    for (place, event) in events.iter().enumerate() {
        let What::Row(flow, line) = event.what else { continue };
        // The last of an instant counts; another step of the same instant may follow.
        let again = events[place + 1..].iter().take_while(|e| e.at == event.at);
        if again.into_iter().any(|e| e.host == event.host) {
            continue;
        }
        let it = stories.iter().rev().find(|s| s.from() <= event.at).expect("it is told");
        let end = &it.ends[usize::from(flow != it.flow)];
        let span = end.at(event.at).map(|span| (span.state, span.holder));
        let row = line.map(|line| (line.state, line.object));
        // An orphan without a connection is not in ss, and a socket that only a program holds.
        let row = row.filter(|(state, _)| *state != TcpState::Close);
        assert_eq!(span, row, "{} at {}: {:?}", end.name(), event.at, end.spans);
        compared += 1;
    }
    compared
}

#[test]
fn stories_tell_what_the_recording_says() {
    let (mut compared, mut buckets) = (0, 0);
    for name in names() {
        let rec = recorded(&name, &[], if name.starts_with("slots") { 80 } else { 5 });
        for flow in flows(&rec, 12) {
            let events: Vec<Event> = rec.flow(flow).map(|e| e.expect("whole")).collect();
            let stories = stories(&rec, flow).expect("it can be read");
            segments_are_those_of_the_recording(&events, &stories);
            compared += states_are_those_of_ss(&events, &stories);
            let spans = stories.iter().flat_map(|s| &s.ends).flat_map(|end| &end.spans);
            buckets += spans.filter(|span| span.holder == Object::Bucket).count();
            for story in &stories {
                let order = story.beats.windows(2).all(|pair| pair[0].at <= pair[1].at);
                assert!(order, "{name}: {story:#?}");
            }
        }
    }
    assert!(compared > 500, "{compared} rows of ss were compared");
    assert!(buckets > 50, "{buckets} buckets were seen");
}

fn ladder_of_rst(rec: &Recording, number: u64) -> String {
    let event = why::reset(rec, None, number).expect("it can be read").expect("there is one");
    let story = story_of(rec, &event).expect("it can be read").expect("it is of a connection");
    ladder::text(&story, 120)
}

#[test]
fn ladders_of_the_incident_and_of_a_close_in_good_order() {
    let rec = recorded("closes-apart.toml", &[], 10);
    golden::check("ladder-table-full.txt", &ladder_of_rst(&rec, 1));
    let free = recorded("closes-apart.toml", &["web.net.ipv4.tcp_max_tw_buckets=10"], 100);
    let flow = flows(&free, 1)[0];
    let story = &stories(&free, flow).expect("it can be read")[0];
    assert_eq!(story.resets().count(), 0);
    golden::check("ladder-table-free.txt", &ladder::text(story, 120));
}

#[test]
fn a_gap_lasts_from_the_refusal_to_what_finds_nothing() {
    let rec = recorded("closes-apart.toml", &[], 10);
    let event = why::reset(&rec, None, 1).expect("it can be read").expect("there is one");
    let story = story_of(&rec, &event).expect("it can be read").expect("a connection");
    let [gap] = story.ends[0].gaps[..] else { panic!("one refusal: {story:#?}") };
    assert_eq!(gap.until, Some(event.at));
    assert!(event.at.since(gap.from) > Span::millis(50));
    assert!(story.ends[0].at(gap.from).is_none(), "nothing stands there");
}

fn about(name: &str) -> About {
    About { scenario: name.to_owned(), seed: Some(1), ..About::default() }
}

#[test]
fn figures_of_connections_are_the_same_byte_for_byte() {
    let full = recorded("closes-apart.toml", &[], 10);
    let free = recorded("closes-apart.toml", &["web.net.ipv4.tcp_max_tw_buckets=10"], 100);
    let flow = flows(&full, 1)[0];
    let [a, b] = [&free, &full].map(|rec| stories(rec, flow).expect("read").remove(0));
    let panels = [("table free", &a), ("table full", &b)];
    let panels = panels.map(|(heading, story)| Panel { heading, story });
    let look = Look { width: 1500, height: 320, dark: false };
    let double = ladder::figure(&a.name(), &panels, look, &about("closes-apart"));
    golden::check("ladder-double.svg", &double.to_svg(Fonts::Outside));
    let look = Look { width: 1200, height: 320, dark: true };
    let lanes =
        lanes::figure("Two closes", &[a, b], lanes::Zero::Run, look, &about("closes-apart"));
    golden::check("lanes-dark.svg", &lanes.to_svg(Fonts::Outside));
    let all = Instant::ZERO..Instant { ns: u64::MAX };
    let counts = machine::count(&full, None, all).expect("read");
    let machine = machine::figure("web and peer", &counts, look, &about("closes-apart"));
    golden::check("machine-dark.svg", &machine.to_svg(Fonts::Outside));
}

/// Whatever goes into a state comes out of it, or is still there at the end.
#[test]
fn the_machine_loses_nobody() {
    let nodes = [
        (machine::Node::Request, Object::Request),
        (machine::Node::BucketFinWait2, Object::Bucket),
        (machine::Node::BucketTimeWait, Object::Bucket),
    ];
    let socks = TcpState::ALL.into_iter().filter(|state| {
        let none = [TcpState::Close, TcpState::Listen, TcpState::NewSynRecv, TcpState::TimeWait];
        !none.contains(state)
    });
    let nodes = nodes.into_iter().chain(socks.map(|state| (state.into(), Object::Sock)));
    let nodes: Vec<(machine::Node, Object)> = nodes.collect();
    let mut went = 0;
    for name in names() {
        let rec = recorded(&name, &[], if name.starts_with("slots") { 80 } else { 12 });
        for host in (0..rec.hosts().len()).map(|n| HostId(n as u16)) {
            let end = rec.end().at();
            let counts =
                machine::count(&rec, Some(host), Instant::ZERO..end).expect("it can be read");
            let view = rec.host_at(host, end).expect("it can be read");
            for (node, object) in &nodes {
                let left: u64 =
                    counts.edges().filter(|(e, _)| e.from == *node).map(|(_, n)| n).sum();
                let there = view.rows.iter().filter(|row| {
                    let its = match row.object {
                        Object::Request => machine::Node::Request,
                        Object::Bucket if row.state == TcpState::FinWait2 => {
                            machine::Node::BucketFinWait2
                        }
                        _ => row.state.into(),
                    };
                    row.object == *object && its == *node
                });
                let entered = counts.entered(*node);
                let there = there.count() as u64;
                assert_eq!(entered, left + there, "{name}, {:?}, {node:?}", view.name);
                went += entered;
            }
        }
    }
    assert!(went > 50_000, "{went}");
}
