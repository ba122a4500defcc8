//! Stories of connections: every segment of the recording, every state that `ss` shows, nothing else.

use std::collections::BTreeSet;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Object;
use finwait_model::time::{Instant, Span};
use finwait_sim::recording::{Event, Filter, Recording, What};
use finwait_sim::why;
use finwait_viz::ladder;
use finwait_viz::story::{self, Story, stories, story_of};

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
        let row = row.filter(|(state, _)| *state != finwait_model::state::TcpState::Close);
        assert_eq!(span, row, "{} at {}: {:?}", end.name(), event.at, end.spans);
        compared += 1;
    }
    compared
}

#[test]
fn stories_tell_what_the_recording_says() {
    let (mut compared, mut buckets) = (0, 0);
    for name in names() {
        let rec = recorded(&name, &[], if name.starts_with("slots") { 80 } else { 20 });
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
