//! Numbers for shapes: a block spells a shape out when it meets it first and gives its number from
//! then on.

use super::columns::{Coder, Col};
use super::damage::Damage;
use super::lookup::{Lookup, mix, mix_at_once};
use super::step::Gauge;

/// Numbers in a fixed order: what every shape is made of.
pub(super) type Words = [i64; 6];

/// Spells a shape out.
#[cold]
pub(super) fn spell<C: Coder>(c: &mut C, words: &Words) -> Result<Words, Damage> {
    let mut out = [0; 6];
    for (out, word) in out.iter_mut().zip(words) {
        *out = c.int(Col::Shape, *word)?;
    }
    Ok(out)
}

/// What a shape can be made of.
pub(super) trait Shape: Clone + Default {
    /// Equal shapes have equal hashes.
    fn hash(&self) -> u32;
    /// Are they equal?
    fn is(&self, other: &Self) -> bool;
}

impl Shape for Words {
    #[inline]
    fn hash(&self) -> u32 {
        mix_at_once(&self.map(i64::cast_unsigned))
    }
    /// Without a branch for each word, and without a call.
    #[inline]
    fn is(&self, other: &Self) -> bool {
        self.iter().zip(other).fold(0, |differs, (a, b)| differs | a ^ b) == 0
    }
}

impl Shape for Vec<Gauge> {
    #[inline]
    fn hash(&self) -> u32 {
        mix(self.iter().map(|&(gauge, n)| n.cast_unsigned() << 8 | u64::from(gauge)))
    }
    #[inline]
    fn is(&self, other: &Self) -> bool {
        self == other
    }
}

/// The shapes of one kind that a block has met.
#[derive(Clone, Debug)]
pub(super) struct Shapes<T> {
    numbers: Lookup,
    shapes: Vec<T>,
}

impl<T> Default for Shapes<T> {
    fn default() -> Self {
        Self { numbers: Lookup::default(), shapes: Vec::new() }
    }
}

impl<T: Shape> Shapes<T> {
    /// Begins anew, in the same memory.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.shapes.clear();
    }
    /// Writes: the shape's number. A new one is spelled out in `c`.
    #[inline(always)]
    pub(super) fn tell<C: Coder>(
        &mut self,
        shape: &T,
        c: &mut C,
        spell: impl FnOnce(&mut C, &T) -> Result<T, Damage>,
    ) -> Result<usize, Damage> {
        let hash = shape.hash();
        match self.numbers.find(hash, |n| self.shapes[n].is(shape)) {
            Some(known) => Ok(known),
            None => self.tell_first(hash, shape, c, spell),
        }
    }
    #[cold]
    fn tell_first<C: Coder>(
        &mut self,
        hash: u32,
        shape: &T,
        c: &mut C,
        spell: impl FnOnce(&mut C, &T) -> Result<T, Damage>,
    ) -> Result<usize, Damage> {
        let number = self.shapes.len();
        self.numbers.insert(hash, number);
        self.shapes.push(spell(c, shape)?);
        Ok(number)
    }
    /// Reads: the shape with that number, which is spelled out in `c` if it is a new one.
    #[inline]
    pub(super) fn told<C: Coder>(
        &mut self,
        number: usize,
        c: &mut C,
        spell: impl FnOnce(&mut C, &T) -> Result<T, Damage>,
    ) -> Result<&T, Damage> {
        if number == self.shapes.len() {
            self.shapes.push(spell(c, &T::default())?);
        }
        self.shapes.get(number).ok_or(Damage::UNKNOWN)
    }
    /// Writes a shape's number, or reads one; the shape.
    #[inline]
    pub(super) fn code<C: Coder>(
        &mut self,
        c: &mut C,
        col: Col,
        shape: &T,
        spell: impl FnOnce(&mut C, &T) -> Result<T, Damage>,
    ) -> Result<&T, Damage> {
        if C::WRITES {
            let number = self.tell(shape, c, spell)?;
            c.uint(col, number as u64)?;
            return Ok(&self.shapes[number]);
        }
        let number = c.uint(col, 0)? as usize;
        self.told(number, c, spell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::columns::{Decoder, Encoder};
    use proptest::prelude::*;

    proptest! {
        /// Whatever is told comes back, each shape is spelled out once, and equal shapes have
        /// equal numbers.
        #[test]
        fn shapes_come_back(told in proptest::collection::vec((0..3_i64, -1..2_i64), 0..40)) {
            let words = |&(a, b): &(i64, i64)| [a, 0, b, 0, 0, i64::MIN];
            let told: Vec<Words> = told.iter().map(words).collect();
            let (mut encoder, mut shapes) = (Encoder::default(), Shapes::default());
            for shape in &told {
                let known = shapes.code(&mut encoder, Col::Item, shape, spell);
                prop_assert_eq!(known, Ok(shape));
            }
            let mut kinds = told.clone();
            kinds.sort_unstable();
            kinds.dedup();
            prop_assert_eq!(shapes.shapes.len(), kinds.len());
            let mut decoder = Decoder::new(encoder.take()).expect("whole");
            let mut shapes = Shapes::default();
            for shape in &told {
                let read = shapes.code(&mut decoder, Col::Item, &[0; 6], spell);
                prop_assert_eq!(read, Ok(shape));
            }
            prop_assert!(shapes.told(kinds.len() + 1, &mut decoder, spell).is_err());
        }
    }
}
