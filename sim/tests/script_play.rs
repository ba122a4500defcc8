//! Scripts that nobody would write: events of the examples left out, doubled, moved and changed.
//! Whatever comes of it, the model survives it, and plays it twice alike.

use std::fs;
use std::path::Path;

use finwait_model::release::Release;
use finwait_sim::script::ast::{Action, Body, Script, Time};
use finwait_sim::script::lower::lower;
use finwait_sim::script::parse;
use finwait_sim::script::runner::{Options, Played, play};
use proptest::prelude::*;
use proptest::sample::Index;

fn examples() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scripts");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pkt"))
        .collect();
    paths.sort();
    paths.iter().map(|p| parse(&fs::read(p).expect("it can be read")).expect("it parses")).collect()
}

/// A change to a script.
#[derive(Clone, Debug)]
enum Change {
    Drop(Index),
    Double(Index),
    Swap(Index, Index),
    /// Another script's event.
    Graft(Index, Index, Index),
    /// Sequence and acknowledgement numbers moved by a little, flags flipped.
    Bend(Index, i32, i32, u8),
    Delay(Index, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let i = || any::<Index>();
    let flip = prop_oneof![4 => Just(0u8), 1 => any::<u8>()];
    let delay = prop_oneof![0u64..200_000_000, 0u64..200_000_000_000];
    prop_oneof![
        i().prop_map(Change::Drop),
        i().prop_map(Change::Double),
        (i(), i()).prop_map(|(a, b)| Change::Swap(a, b)),
        (i(), i(), i()).prop_map(|(a, b, c)| Change::Graft(a, b, c)),
        (i(), -20i32..20, -20i32..20, flip).prop_map(|(a, b, c, d)| Change::Bend(a, b, c, d)),
        (i(), delay).prop_map(|(a, b)| Change::Delay(a, b)),
    ]
}

fn apply(script: &mut Script, change: &Change, all: &[Script]) {
    let events = &mut script.events;
    if events.is_empty() {
        return;
    }
    match change {
        Change::Drop(at) => drop(events.remove(at.index(events.len()))),
        Change::Double(at) => {
            let place = at.index(events.len());
            events.insert(place, events[place].clone());
        }
        Change::Swap(a, b) => {
            let (a, b) = (a.index(events.len()), b.index(events.len()));
            events.swap(a, b);
        }
        Change::Graft(at, other, which) => {
            let other = &all[other.index(all.len())].events;
            let event = other[which.index(other.len())].clone();
            events.insert(at.index(events.len()), event);
        }
        Change::Bend(at, seq, ack, flip) => {
            let place = at.index(events.len());
            if let Action::Packet(packet) = &mut events[place].action
                && let Body::Tcp(tcp) = &mut packet.body
            {
                tcp.seq = tcp.seq.wrapping_add_signed(*seq);
                tcp.ack = tcp.ack.map(|n| n.wrapping_add_signed(*ack));
                tcp.flags.0 ^= flip;
            }
        }
        Change::Delay(at, more) => {
            let place = at.index(events.len());
            if let Time::Relative(delay) = &mut events[place].time {
                *delay += more;
            }
        }
    }
}

fn played(script: &Script, release: Release) -> Option<Played> {
    let plan = lower(script, release, &|_| None).ok()?;
    Some(play(&plan, &Options { keep_going: true, ..Options::default() }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_script_breaks_the_model(
        which in any::<Index>(),
        changes in proptest::collection::vec(change(), 1..6),
        old in any::<bool>(),
    ) {
        let all = examples();
        let mut script = all[which.index(all.len())].clone();
        for change in &changes {
            apply(&mut script, change, &all);
        }
        let release = if old { Release::V3_10 } else { Release::V6_18 };
        if let Some(one) = played(&script, release) {
            let two = played(&script, release).expect("it was played before");
            prop_assert_eq!(one.observed.records, two.observed.records, "{}", script);
            prop_assert_eq!(one.observed.counters, two.observed.counters, "{}", script);
        }
    }
}
