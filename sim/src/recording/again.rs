//! A codec that begins another block in the memory of the last one.

use finwait_model::cause::Cause;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::segment::{Flags, Segment, Timestamp};
use finwait_model::seq::Seq;
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::time::{Clock, Instant, Jiffies};

use super::codec::{Codec, HostKey};
use super::columns::Encoder;
use super::shape;
use super::step::{Item, Step, Trigger};
use crate::link::Fate;

/// Of everything that the codec keeps, something.
fn steps(ms: u64) -> Vec<Step> {
    let at = |us: u64| Instant { ns: ms * 1_000_000 + us * 1_000 };
    let (a, b) = (Endpoint::new(Addr(1), 40_000), Endpoint::new(Addr(2), 80));
    let flow = FourTuple::new(a, b);
    let mut segment = Segment { flow, seq: Seq(1_000_000), win: 300, ..Segment::default() };
    segment.flags = Flags::SYN;
    segment.options.ts = Some(Timestamp { val: 77_777, ecr: 0 });
    let fate = Fate::Arrives(at(50));
    let refused = Note::BucketRefused {
        flow,
        substate: TcpState::TimeWait,
        count: 1000,
        limit: 900,
        next_expiry: None,
    };
    let call = shape::call(&[0, 3, 0, 0, 0, 0], flow, 1000, 2000).expect("accept()");
    let items = vec![
        Item::Sent(segment, Cause::SynOnConnect, fate, false),
        Item::Note(refused),
        Item::Call(call),
    ];
    let line = shape::line(&[4 | 2, 0, 0, 1, 0, 0], flow, Jiffies(1_000)).expect("a row");
    let (gauges, rows) = (vec![(3, 1)], vec![(flow, line)]);
    let first = Step { at: at(0), host: 0, trigger: Trigger::App, items, gauges, rows };
    let arrival = Trigger::Arrival(segment);
    let second = Step { at: at(50), host: 1, trigger: arrival, ..first.clone() };
    vec![first, second]
}

#[test]
fn a_codec_that_begins_again_is_as_good_as_new() {
    let clock = Clock::new(1000, 0);
    let keys = [1, 2].map(|n| HostKey { addr: Addr(n), clock });
    let block = |codec: &mut Codec, ms: u64| {
        let mut encoder = Encoder::default();
        for step in &mut steps(ms) {
            codec.step(&mut encoder, step).expect("it is written");
        }
        (encoder.take(), codec.conns.take_list())
    };
    let mut codec = Codec::new(&keys, Instant::ZERO);
    let first = block(&mut codec, 5);
    assert_ne!(block(&mut codec, 10), first, "it has learnt");
    codec.restart(Instant::ZERO);
    assert_eq!(block(&mut codec, 5), first);
}
