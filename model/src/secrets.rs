//! What the kernel draws at random, drawn from the host's seed instead.

use crate::flow::FourTuple;
use crate::seq::Seq;
use crate::time::{Clock, Instant};

/// Keyed hashes and a generator; the same seed gives the same numbers everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    key: u64,
    state: u64,
    /// See [`crate::kernel::Kernel::shift_isn`].
    pub(crate) isn_shift: u32,
}

impl Secrets {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            key: mix(seed ^ 0x5bd1_e995_9d1b_54a3),
            state: mix(seed.wrapping_add(1)),
            isn_shift: 0,
        }
    }
    /// The next number of the generator (SplitMix64).
    pub(crate) const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }
    /// A number in `0..n`, 0 for `n` 0.
    pub(crate) const fn below(&mut self, n: u32) -> u32 {
        ((self.draw() >> 32).wrapping_mul(n as u64) >> 32) as u32
    }
    /// Has it drawn as many numbers as that one?
    pub(crate) const fn is_as(&self, other: &Self) -> bool {
        self.state == other.state
    }
    /// A connection's initial sequence number: a keyed hash, and a clock of 64 ns. `[secure_tcp_seq]`
    pub(crate) const fn initial_sequence(
        &self,
        flow: FourTuple,
        clock: Clock,
        now: Instant,
    ) -> Seq {
        let ticks = (now.ns + clock.uptime_ns) >> 6;
        let hash = (self.of_flow(flow, 3) as u32).wrapping_add(self.isn_shift);
        Seq(hash.wrapping_add(ticks as u32))
    }
    /// `[secure_tcp_ts_off]`
    pub(crate) const fn timestamp_offset(&self, flow: FourTuple) -> u32 {
        self.of_flow(flow, 4) as u32
    }
    /// A keyed hash of a connection; `purpose` tells one use from another.
    pub(crate) const fn of_flow(&self, flow: FourTuple, purpose: u64) -> u64 {
        let addrs = (flow.saddr.0 as u64) << 32 | flow.daddr.0 as u64;
        let ports = (flow.sport as u64) << 16 | flow.dport as u64;
        mix(mix(addrs ^ self.key) ^ ports ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_fixed_for_ever() {
        let mut secrets = Secrets::new(42);
        let drawn = [secrets.draw(), secrets.draw()];
        assert_eq!(drawn, [17_824_803_770_701_764_479, 4_827_053_256_797_496_422]);
        assert!((0..1000).all(|_| secrets.below(7) < 7));
    }
}
