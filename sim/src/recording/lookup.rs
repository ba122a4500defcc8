//! From a value to its number: open addressing, at most half full. Nothing iterates over it, so
//! the order in which things lie is nobody's business.

/// Where numbers lie by the hash of what they stand for. What they stand for is kept elsewhere.
#[derive(Clone, Default, Debug)]
pub(super) struct Lookup {
    slots: Vec<Slot>,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    number: u32,
}

const FREE: Slot = Slot { hash: 0, number: u32::MAX };

impl Lookup {
    /// Begins anew, in the same memory.
    pub(super) fn clear(&mut self) {
        self.slots.fill(FREE);
        self.used = 0;
    }
    /// The number of the value with that hash for which `is` says yes.
    #[inline]
    pub(super) fn find(&self, hash: u32, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.number == FREE.number {
                return None;
            }
            if slot.hash == hash && is(slot.number as usize) {
                return Some(slot.number as usize);
            }
            at = (at + 1) & mask;
        }
    }
    /// Takes a value in that is not there yet.
    pub(super) fn insert(&mut self, hash: u32, number: usize) {
        if self.slots.len() <= 2 * self.used {
            let larger = (self.slots.len() * 2).max(64);
            let old = core::mem::replace(&mut self.slots, vec![FREE; larger]);
            for slot in old.into_iter().filter(|s| s.number != FREE.number) {
                self.put(slot);
            }
        }
        self.put(Slot { hash, number: number as u32 });
        self.used += 1;
    }
    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = slot.hash as usize & mask;
        while self.slots[at].number != FREE.number {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

/// Mixes words into a hash; not cryptographic.
#[inline]
pub(super) fn mix(words: impl IntoIterator<Item = u64>) -> u32 {
    let mut state = 0x27d4_eb2f_1656_67c5_u64;
    for word in words {
        state = (state ^ word).wrapping_mul(0x9e37_79b1_85eb_ca87).rotate_left(31);
    }
    (state.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) >> 32) as u32
}

/// The same for a fixed number of words, none of which waits for another.
#[inline]
pub(super) fn mix_at_once(words: &[u64; 6]) -> u32 {
    const KEYS: [u64; 6] = [
        0x9e37_79b1_85eb_ca87,
        0xc2b2_ae3d_27d4_eb4f,
        0x1656_67b1_9e37_79f9,
        0x85eb_ca77_c2b2_ae63,
        0x27d4_eb2f_1656_67c5,
        0xd6e8_feb8_6659_fd93,
    ];
    let products = words.iter().zip(KEYS).map(|(word, key)| word.wrapping_mul(key));
    let sum = products.fold(0_u64, u64::wrapping_add);
    ((sum ^ sum >> 32).wrapping_mul(KEYS[0]) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn small_words_in_any_place_hash_apart() {
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for n in 0..4_u64.pow(6) {
            let words: [u64; 6] = core::array::from_fn(|place| n >> (2 * place) & 3);
            seen.insert(mix_at_once(&words.map(|w| w.wrapping_sub(1))));
            count += 1;
        }
        // By chance two of 4,096 have the same 32 bits once in 500 times.
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn what_was_taken_in_is_found_whatever_its_hash() {
        let mut lookup = Lookup::default();
        let hash = |n: usize| (n % 7) as u32;
        for n in 0..300 {
            assert_eq!(lookup.find(hash(n), |known| known == n), None);
            lookup.insert(hash(n), n);
        }
        for n in 0..300 {
            assert_eq!(lookup.find(hash(n), |known| known == n), Some(n));
        }
        lookup.clear();
        assert_eq!(lookup.find(hash(3), |_| true), None);
    }
}
