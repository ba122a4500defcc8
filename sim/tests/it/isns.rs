//! Initial sequence numbers do not matter: whatever they are, a schedule goes the same way, moment by
//! moment, and only the numbers on its segments are others. Most are drawn so that they wrap while
//! the connection stands (RFC 9293 section 3.4).

use finwait_model::counters::Mib;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_sim::explore::stage::{Did, Moment};
use finwait_sim::explore::{Schedule, Stage};
use finwait_sim::watch::Count;
use proptest::prelude::*;

use crate::schedules::{base, generate};

/// Where a host's numbers begin.
#[derive(Clone, Copy, Debug)]
enum Isn {
    /// So many numbers before the first connection's wrap to zero.
    BeforeZero(u32),
    /// So many before they get to 2^31, where "later" turns to "earlier" against zero.
    BeforeHalf(u32),
    /// Anywhere.
    Moved(u32),
}

fn isn() -> impl Strategy<Value = Isn> {
    prop_oneof![
        3 => (0..3000u32).prop_map(Isn::BeforeZero),
        1 => (0..3000u32).prop_map(Isn::BeforeHalf),
        1 => any::<u32>().prop_map(Isn::Moved),
    ]
}

impl Isn {
    /// How far that is from where they began in another run.
    const fn shift(self, first: u32) -> u32 {
        match self {
            Self::BeforeZero(n) => 0u32.wrapping_sub(n).wrapping_sub(first),
            Self::BeforeHalf(n) => (1u32 << 31).wrapping_sub(n).wrapping_sub(first),
            Self::Moved(by) => by,
        }
    }
}

/// The first initial sequence number of each host; 0 if it draws none.
fn first_isns(schedule: &Schedule) -> [u32; 2] {
    let mut stage = Stage::new(schedule, &mut Count);
    let mut first = [None; 2];
    while stage.step(&mut Count) && !stage.moment().last && first.contains(&None) {
        let moment = stage.moment();
        if let Some((segment, _)) = moment.sent().find(|(segment, _)| segment.flags.syn()) {
            first[moment.side].get_or_insert(segment.seq.0);
        }
    }
    first.map(Option::unwrap_or_default)
}

/// A segment of `side` as it would be with the numbers of the other run.
fn moved(segment: &Segment, shifts: [u32; 2], side: usize) -> Segment {
    let [own, peer] = [shifts[side], shifts[1 - side]];
    let mut segment = *segment;
    // What answers a segment without an ACK has no number of its own.
    if segment.seq.0 != 0 {
        segment.seq += own;
    }
    if segment.flags.ack() {
        segment.ack += peer;
    }
    for block in &mut segment.options.sack[..usize::from(segment.options.sack_count)] {
        block.left += peer;
        block.right += peer;
    }
    segment
}

fn what(moment: &Moment, shifts: [u32; 2]) -> Vec<String> {
    let did = moment.did.iter().map(|did| match did {
        Did::Sent(segment, cause) => {
            format!("{cause:?} {:?}", moved(segment, shifts, moment.side))
        }
        Did::Noted(note) => format!("{note:?}"),
    });
    let calls = moment.calls.iter().map(|call| format!("{call:?}"));
    did.chain(calls).collect()
}

/// A RST that answers a segment without an ACK has the number 0 (RFC 9293 section 3.5.2), which is old,
/// ahead or within the window by chance of the numbers; only in SYN-SENT its ACK decides alone.
fn by_chance(moment: &Moment) -> bool {
    let zero = |segment: &Segment| segment.flags.rst() && segment.seq.0 == 0;
    let opening = |note: &Note| matches!(note, Note::State { from: TcpState::SynSent, .. });
    moment.arrived.as_ref().is_some_and(zero) && !moment.notes().any(opening)
}

fn same(schedule: &Schedule, isns: [Isn; 2]) {
    let first = first_isns(schedule);
    let shifts = [0, 1].map(|side| isns[side].shift(first[side]));
    let mut one = Stage::new(schedule, &mut Count);
    let mut other = Stage::with_isns(schedule, shifts, &mut Count);
    while one.step(&mut Count) {
        assert!(other.step(&mut Count));
        // A cookie is no number of the host's but a hash of the peer's.
        if one.kernel(1).counters().get(Mib::SyncookiesSent) > 0 {
            return;
        }
        let (a, b) = (one.moment(), other.moment());
        if by_chance(a) {
            return;
        }
        assert_eq!((a.at, a.side, a.last), (b.at, b.side, b.last), "{shifts:x?}");
        assert_eq!(what(a, shifts), what(b, [0; 2]), "at {:?}, {shifts:x?}", a.at);
        for side in 0..2 {
            other.kernel(side).check();
        }
    }
    assert!(!other.step(&mut Count));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn initial_sequence_numbers_do_not_matter(
        schedule in generate::schedule(&base()),
        web in isn(),
        redis in isn(),
    ) {
        same(&schedule, [web, redis]);
    }
}
