//! How a quantity is spread: counts in cells that grow with the value, so that the memory is
//! bounded and no value is off by more than 1/32. Integers only.

use std::collections::BTreeMap;

/// Cells of one power of two.
const PARTS_LOG2: u32 = 5;

/// Values with how often they occurred.
#[derive(Clone, Default, Debug)]
pub struct Spread {
    /// By cell: how many values, and their sum.
    cells: BTreeMap<u16, (u64, u128)>,
    count: u64,
}

/// In which cell a value lies.
fn cell(value: u64) -> u16 {
    let bits = 64 - value.leading_zeros();
    if bits <= PARTS_LOG2 + 1 {
        return value as u16;
    }
    let shift = bits - PARTS_LOG2 - 1;
    (shift << PARTS_LOG2) as u16 + (value >> shift) as u16
}

impl Spread {
    /// One more value.
    pub fn add(&mut self, value: u64) {
        let cell = self.cells.entry(cell(value)).or_default();
        cell.0 += 1;
        cell.1 += u128::from(value);
        self.count += 1;
    }
    /// How many values.
    pub const fn count(&self) -> u64 {
        self.count
    }
    /// The value below which `percent` of them lie; the mean of its cell. `None` without values.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let last = self.count.checked_sub(1)?;
        let rank = u64::try_from(u128::from(last) * u128::from(percent) / 100).unwrap_or(last);
        let mut seen = 0;
        for &(n, sum) in self.cells.values() {
            seen += n;
            if seen > rank {
                return u64::try_from(sum / u128::from(n)).ok();
            }
        }
        None
    }
    /// The value in the middle.
    pub fn median(&self) -> Option<u64> {
        self.percentile(50)
    }
    /// Those above a limit.
    pub fn above(&self, limit: u64) -> Self {
        let cells = self.cells.range(cell(limit).saturating_add(1)..);
        let cells: BTreeMap<_, _> = cells.map(|(cell, sums)| (*cell, *sums)).collect();
        let count = cells.values().map(|(n, _)| n).sum();
        Self { cells, count }
    }
    /// Takes over the values of another one.
    pub fn merge(&mut self, other: &Self) {
        for (cell, (n, sum)) in &other.cells {
            let mine = self.cells.entry(*cell).or_default();
            mine.0 += n;
            mine.1 += sum;
        }
        self.count += other.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cells_are_in_order_and_narrow(a in any::<u64>(), b in any::<u64>()) {
            prop_assert!(a > b || cell(a) <= cell(b), "{} {}", a, b);
            if cell(a) == cell(b) {
                prop_assert!(a.abs_diff(b) <= a.max(b) / 32, "{} {}", a, b);
            }
        }

        #[test]
        fn percentiles_are_near(mut values in prop::collection::vec(0_u64..1 << 40, 1..200), percent in 0_u64..=100) {
            let mut spread = Spread::default();
            values.iter().for_each(|v| spread.add(*v));
            values.sort_unstable();
            let exact = values[(values.len() - 1) * percent as usize / 100];
            let got = spread.percentile(percent).expect("there are values");
            prop_assert!(got.abs_diff(exact) <= exact.max(got) / 16, "{got} for {exact}");
        }
    }

    #[test]
    fn equal_values_come_back_exactly_and_cells_have_an_end() {
        let mut spread = Spread::default();
        (0..7).for_each(|_| spread.add(123_456_789));
        assert_eq!(spread.median(), Some(123_456_789));
        assert_eq!(Spread::default().median(), None);
        assert!(cell(u64::MAX) < 2048);
        spread.add(9_000_000_000);
        assert_eq!(spread.above(200_000_000).median(), Some(9_000_000_000));
    }
}
