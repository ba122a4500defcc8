//! Chance that is the same everywhere: one named generator, one stream per host and per link.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng as _};

use finwait_model::time::Span;

/// A stream of random numbers. Two streams with different names never share numbers, so adding a
/// host to a scenario shifts nobody else's chance.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: Xoshiro256PlusPlus,
}

/// A probability as a ratio of integers: floats would round differently somewhere.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ratio {
    /// How many cases out of `denominator`; at most that many.
    pub numerator: u64,
    /// Out of how many; 0 counts as "never".
    pub denominator: u64,
}

impl Ratio {
    /// It never happens.
    pub const NEVER: Self = Self { numerator: 0, denominator: 1 };

    /// Can it happen at all?
    pub const fn is_never(self) -> bool {
        self.numerator == 0 || self.denominator == 0
    }
}

impl Stream {
    /// The stream that belongs to `name` in a run with this seed.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut state = seed ^ fnv1a(name.as_bytes());
        let mut bytes = [0; 32];
        for word in bytes.chunks_exact_mut(8) {
            word.copy_from_slice(&splitmix(&mut state).to_le_bytes());
        }
        Self { generator: Xoshiro256PlusPlus::from_seed(bytes) }
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }
    /// A number in `0..bound`; 0 if `bound` is 0 (and then no number is drawn).
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
    /// A span in `0..=most`; draws nothing if `most` is zero.
    pub fn span_up_to(&mut self, most: Span) -> Span {
        if most == Span::ZERO {
            return most;
        }
        Span::nanos(self.below(most.ns.saturating_add(1)))
    }
    /// Does it happen this time? Draws nothing if it never can.
    pub fn happens(&mut self, chance: Ratio) -> bool {
        !chance.is_never() && self.below(chance.denominator) < chance.numerator
    }
}

/// FNV-1a over bytes: turns a name into a number.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// The next word of Steele, Lea and Flood's generator; spreads a seed over the generator's state.
const fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sixteen_draws_never_change() {
        let mut stream = Stream::new(1, "host web");
        let draws: Vec<u64> = (0..16).map(|_| stream.bits()).collect();
        assert_eq!(draws, GOLDEN);
    }

    /// Computed apart from this program, from the published algorithms.
    const GOLDEN: [u64; 16] = [
        0x5fb5_b734_ac81_6525,
        0x5925_be52_3a61_729b,
        0xb06d_ba29_0de3_36a0,
        0x35ba_eb50_2b7e_183e,
        0x74c7_bb72_793d_0438,
        0xba8f_f1bf_a26e_78ae,
        0x0a96_28c8_14fa_44be,
        0x91ef_ac47_e892_0164,
        0x71a6_6083_23b6_aac6,
        0xeab2_b0f3_198d_d4ee,
        0xb1d6_9135_c18c_e047,
        0x2440_25d3_ed64_4d95,
        0x3224_9f98_a3f9_44dd,
        0x879f_fa2b_c989_d18c,
        0xc85b_9548_7854_e22b,
        0x3e7a_b622_8192_120d,
    ];

    #[test]
    fn names_have_streams_of_their_own() {
        let one = Stream::new(1, "host web").bits();
        assert_ne!(one, Stream::new(1, "host redis").bits());
        assert_ne!(one, Stream::new(2, "host web").bits());
        assert_eq!(one, Stream::new(1, "host web").bits());
    }

    #[test]
    fn bounds_and_chances_hold() {
        let mut stream = Stream::new(7, "link");
        assert!((0..1000).all(|_| stream.below(10) < 10));
        assert_eq!(stream.below(0), 0);
        let before = stream.clone().bits();
        assert!(!stream.happens(Ratio::NEVER));
        assert_eq!(stream.span_up_to(Span::ZERO), Span::ZERO);
        assert_eq!(stream.bits(), before, "what cannot happen draws nothing");
        let chance = Ratio { numerator: 1, denominator: 4 };
        let hits = (0..4000).filter(|_| stream.happens(chance)).count();
        assert!((800..1200).contains(&hits), "{hits} of 4000 at one in four");
        assert!(stream.happens(Ratio { numerator: 4, denominator: 4 }));
    }
}
