//! A 64-bit fingerprint of a run: equal digests mean that the same segments left the same hosts at
//! the same nanoseconds for the same causes, and that the counters ended alike.

use core::fmt;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::time::Instant;

/// A running hash over 64-bit words. Not cryptographic; its output is part of finwait's promise,
/// so the constants never change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest {
    state: u64,
}

const K1: u64 = 0x9e37_79b1_85eb_ca87;
const K2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const K3: u64 = 0x1656_67b1_9e37_79f9;

impl Default for Digest {
    fn default() -> Self {
        Self { state: 0x27d4_eb2f_1656_67c5 }
    }
}

impl Digest {
    /// Takes one word in.
    #[inline(always)]
    pub fn word(&mut self, word: u64) {
        self.state = (self.state ^ word.wrapping_mul(K2)).rotate_left(27).wrapping_mul(K1);
    }
    /// Takes two words in at the price of one step; their order matters.
    #[inline(always)]
    fn pair(&mut self, a: u64, b: u64) {
        self.word(a.wrapping_mul(K3).rotate_left(31) ^ b);
    }
    /// Takes a name or other text in, with its length.
    pub fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }
    /// Takes a segment in: when it left, why, and every field of it.
    #[inline(always)]
    pub fn segment(&mut self, now: Instant, segment: &Segment, cause: Cause) {
        let stamp = segment.options.ts.map_or(0, |ts| join(ts.val, ts.ecr));
        let numbers = join(segment.seq.0, segment.ack.0);
        self.outline(now, ends(segment.flow), &Outline::of(segment, cause), numbers, stamp);
        for block in segment.options.sack_blocks() {
            self.word(join(block.left.0, block.right.0));
        }
    }
    /// Takes a segment without SACK blocks in: its addresses and ports as of [`ends`], its sequence
    /// and acknowledgement numbers, and both timestamps, zeros if it has none.
    #[inline(always)]
    pub(crate) fn outline(
        &mut self,
        now: Instant,
        (addrs, ports): (u64, u64),
        outline: &Outline,
        numbers: u64,
        stamp: u64,
    ) {
        self.pair(now.ns, addrs);
        self.pair(ports | outline.sizes, numbers);
        self.pair(outline.rest, stamp);
    }
    /// The fingerprint so far.
    pub const fn value(self) -> u64 {
        let mut z = self.state;
        z = (z ^ (z >> 29)).wrapping_mul(K3);
        z ^ (z >> 32)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}

/// What two segments have in common that differ in their connection and its numbers only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outline {
    /// Length and window.
    sizes: u64,
    /// Cause, flags, and all options but the timestamps' values.
    rest: u64,
}

impl Outline {
    #[inline(always)]
    pub(crate) fn of(segment: &Segment, cause: Cause) -> Self {
        let options = &segment.options;
        Self {
            sizes: u64::from(segment.len) << 16 | u64::from(segment.win),
            rest: (cause as u64) << 56
                | u64::from(segment.flags.0) << 48
                | u64::from(options.mss.unwrap_or(0)) << 32
                | u64::from(options.wscale.map_or(0, |s| s + 1)) << 16
                | u64::from(options.sack_count) << 8
                | u64::from(options.sack_permitted) << 1
                | u64::from(options.ts.is_some()),
        }
    }
}

/// A flow's addresses and its ports as [`Digest::outline`] takes them.
#[inline(always)]
pub(crate) const fn ends(flow: FourTuple) -> (u64, u64) {
    let ports = (flow.sport as u64) << 48 | (flow.dport as u64) << 32;
    (join(flow.saddr.0, flow.daddr.0), ports)
}

/// Two halves of a word.
#[inline(always)]
pub(crate) const fn join(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use finwait_model::flow::{Addr, Endpoint};
    use finwait_model::segment::{Flags, Timestamp};
    use finwait_model::seq::Seq;

    fn segment() -> Segment {
        let web = Endpoint::new(Addr::v4(10, 0, 0, 1), 40000);
        let redis = Endpoint::new(Addr::v4(10, 0, 0, 2), 6379);
        let mut segment = Segment { flow: FourTuple::new(web, redis), ..Segment::default() };
        segment.seq = Seq(1000);
        segment.ack = Seq(2000);
        segment.flags = Flags::FIN | Flags::ACK;
        segment.options.ts = Some(Timestamp { val: 5, ecr: 6 });
        segment
    }

    #[test]
    fn its_values_never_change() {
        let mut digest = Digest::default();
        assert_eq!(digest.to_string(), "15f9ad79ec11f7ac");
        digest.text("web");
        digest.word(42);
        digest.segment(Instant { ns: 7 }, &segment(), Cause::Fin);
        assert_eq!(digest.to_string(), "a7b15a059da05898");
    }

    #[test]
    fn every_field_counts() {
        let of = |at: u64, change: &dyn Fn(&mut Segment), cause| {
            let mut segment = segment();
            change(&mut segment);
            let mut digest = Digest::default();
            digest.segment(Instant { ns: at }, &segment, cause);
            digest.value()
        };
        let mut all = vec![
            of(7, &|_| (), Cause::Fin),
            of(8, &|_| (), Cause::Fin),
            of(7, &|_| (), Cause::FinRetransmit),
            of(7, &|s| s.flow = s.flow.reversed(), Cause::Fin),
            of(7, &|s| s.seq += 1, Cause::Fin),
            of(7, &|s| s.ack += 1, Cause::Fin),
            of(7, &|s| s.len = 1, Cause::Fin),
            of(7, &|s| s.win = 1, Cause::Fin),
            of(7, &|s| s.flags = Flags::RST, Cause::Fin),
            of(7, &|s| s.options.ts = None, Cause::Fin),
            of(7, &|s| s.options.ts = Some(Timestamp::default()), Cause::Fin),
            of(7, &|s| s.options.mss = Some(1460), Cause::Fin),
            of(7, &|s| s.options.wscale = Some(0), Cause::Fin),
            of(7, &|s| s.options.sack_permitted = true, Cause::Fin),
            of(7, &|s| s.options.sack_count = 1, Cause::Fin),
        ];
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
