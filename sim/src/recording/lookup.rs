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
