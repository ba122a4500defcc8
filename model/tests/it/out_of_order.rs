//! Payload beyond a hole against a naive receiver that keeps a mark for every byte: what is
//! acknowledged, told by SACK, reported as a duplicate and read. Numbers wrap on the way (RFC 2018
//! section 4, RFC 2883 section 4).

use finwait_model::counters::Mib;
use finwait_model::release::Release;
use finwait_model::segment::{SackBlock, Segment};
use finwait_model::seq::Seq;
use finwait_model::time::Span;
use proptest::prelude::*;

use crate::solo::{Solo, say};

/// The peer's last byte that matters.
const BYTES: usize = 2_000;

/// How often each byte came; byte 0 is the SYN.
struct Naive {
    came: Vec<u8>,
}

impl Naive {
    fn new() -> Self {
        let mut came = vec![0; BYTES + 600];
        came[0] = 1;
        Self { came }
    }
    fn takes(&mut self, seq: usize, len: usize) {
        for byte in &mut self.came[seq..seq + len] {
            *byte += 1;
        }
    }
    /// The first byte that is missing.
    fn next(&self) -> usize {
        self.came.iter().position(|&n| n == 0).unwrap()
    }
    /// Did all bytes of a block come so often?
    fn has(&self, block: &std::ops::Range<usize>, times: u8) -> bool {
        self.came[block.clone()].iter().all(|&n| n >= times)
    }
}

/// An ACK: what it acknowledges, the duplicate it reports, the blocks it tells.
type Told = (usize, Option<std::ops::Range<usize>>, Vec<std::ops::Range<usize>>);

fn told(irs: Seq, seg: &Segment) -> Told {
    let at = |seq: Seq| (seq - irs) as usize;
    let ack = at(seg.ack);
    let block = |b: &SackBlock| at(b.left)..at(b.right);
    let mut blocks: Vec<_> = seg.options.sack_blocks().iter().map(block).collect();
    let inner = |a: &std::ops::Range<usize>, b: &std::ops::Range<usize>| {
        b.start <= a.start && a.end <= b.end
    };
    let duplicate = match &blocks[..] {
        [first, ..] if first.end <= ack => true,
        [first, second, ..] => inner(first, second),
        _ => false,
    };
    let dsack = duplicate.then(|| blocks.remove(0));
    (ack, dsack, blocks)
}

proptest! {
    #[test]
    fn beyond_a_hole_nothing_is_lost_and_nothing_invented(
        old in any::<bool>(),
        timestamps in any::<bool>(),
        pieces in proptest::collection::vec(
            (0..6u8, 1..BYTES, prop_oneof![1..12usize, 100..200usize, 1..600usize]), 1..50),
    ) {
        let release = if old { Release::V3_10 } else { Release::V6_18 };
        let mut solo = Solo::new(release, &[]);
        solo.timestamps = timestamps;
        let (_, fd) = solo.accepted();
        let irs = solo.segment(say("S 0")).seq;
        let mut naive = Naive::new();
        let mut last = 1..1usize;
        for (how, seq, len) in pieces {
            // Behind the last piece, before it, across its end, or anywhere.
            let seq = match how {
                0 => last.end,
                1 => last.start.saturating_sub(len),
                2 => last.end.saturating_sub(len / 2),
                _ => seq,
            };
            let seq = seq.clamp(1, BYTES);
            last = seq..seq + len;
            let hole = naive.next();
            naive.takes(seq, len);
            let mut what = say(&format!(". {seq} {len} ack 1"));
            what.ts = timestamps.then_some(0);
            let sent = solo.hears(what);
            let next = naive.next();
            for (seg, _) in &sent {
                let (ack, dsack, blocks) = told(irs, seg);
                prop_assert_eq!(ack, next);
                if let Some(dsack) = dsack {
                    prop_assert!(naive.has(&dsack, 2), "{dsack:?} is no duplicate");
                }
                for (n, block) in blocks.iter().enumerate() {
                    prop_assert!(block.start > next && naive.has(block, 1), "{block:?} is not held");
                    let apart = |b: &&std::ops::Range<usize>| b.end < block.start || block.end < b.start;
                    prop_assert_eq!(blocks.iter().filter(apart).count(), blocks.len() - 1);
                    if n == 0 && seq > hole && next == hole {
                        prop_assert!(block.start <= seq && seq + len <= block.end, "{block:?} is old");
                    }
                }
            }
            // Whatever is out of order, old as a whole, or fills a hole is answered at once.
            if seq > hole || seq + len <= hole || next > seq + len {
                prop_assert_eq!(sent.len(), 1);
            }
        }
        // The holes are filled: everything is there once, and nothing is held any more.
        while naive.next() < BYTES {
            let seq = naive.next();
            let len = naive.came[seq..BYTES].iter().take_while(|&&n| n == 0).count();
            naive.takes(seq, len);
            let mut what = say(&format!(". {seq} {len} ack 1"));
            what.ts = timestamps.then_some(0);
            solo.hears(what);
        }
        solo.wait(Span::secs(1));
        let all = solo.on(|k, cx| k.recv(fd, 100_000, cx)).0;
        prop_assert_eq!(all, Ok(naive.next() as u32 - 1));
        let reports = solo.mib(Mib::TCPDSACKOldSent) + solo.mib(Mib::TCPDSACKOfoSent);
        // Not the other way round: what is copied behind a piece is compared with no other.
        prop_assert!(reports == 0 || naive.came.iter().any(|&n| n > 1));
    }
}

/// Two pieces touch, and a third lies across their joint: it is in neither.
#[test]
fn across_a_joint_nothing_is_merged() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.accepted();
        for piece in [". 1001 150 ack 1", ". 1151 150 ack 1", ". 1101 100 ack 1"] {
            assert_eq!(solo.rx(piece), ". 1:1 ack 1", "{release}");
        }
        assert_eq!(solo.mib(Mib::TCPOFOMerge), 0, "{release}");
        assert_eq!(solo.mib(Mib::TCPDSACKOfoSent), 1, "{release}");
        // Within one of them it is merged, and over all three they are.
        solo.rx(". 1160 10 ack 1");
        assert_eq!(solo.mib(Mib::TCPOFOMerge), 1, "{release}");
        solo.rx(". 901 500 ack 1");
        assert_eq!(solo.mib(Mib::TCPOFOMerge), 4, "{release}");
    }
}
