//! Numbers as people write them in ranges: `5000`, `0.5s`, `10ms`, `100/s`; decimal, never binary.

/// A decimal number with what stands behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Number {
    /// Its digits as a whole number.
    pub(super) digits: i128,
    /// How many of them stand behind the point.
    pub(super) places: u32,
    /// What stands behind it.
    pub(super) unit: String,
}

/// Digits that a number may have: few enough that nothing made of it overflows.
const MOST_DIGITS: usize = 15;
/// How many of them may stand behind the point.
const MOST_PLACES: usize = 9;

impl Number {
    /// Reads one; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, unit) = rest.split_at(end);
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some(both) => both,
            None => (number, ""),
        };
        let digits = whole.len() + fraction.len();
        if whole.is_empty() || digits > MOST_DIGITS || fraction.len() > MOST_PLACES {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let (places, unit) = (fraction.len() as u32, unit.trim().to_owned());
        Some(Self { digits: sign * digits, places, unit })
    }
    /// Its digits with so many places, at least its own.
    pub(super) const fn scaled(&self, places: u32) -> i128 {
        self.digits * 10_i128.pow(places - self.places)
    }
    /// Digits with so many places as people write them.
    pub(super) fn write(digits: i128, places: u32, unit: &str) -> String {
        let (sign, size) = (if digits < 0 { "-" } else { "" }, digits.unsigned_abs());
        let one = 10_u128.pow(places);
        let (whole, rest) = (size / one, size % one);
        if rest == 0 {
            return format!("{sign}{whole}{unit}");
        }
        let fraction = format!("{rest:0width$}", width = places as usize);
        format!("{sign}{whole}.{}{unit}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written_as_they_were() {
        for text in ["0", "5000", "0.5s", "10ms", "100/s", "-1", "2.25%", "-0.05s"] {
            let number = Number::parse(text).unwrap_or_else(|| panic!("{text} is one"));
            assert_eq!(Number::write(number.digits, number.places, &number.unit), text);
            let fine = number.scaled(number.places + 3);
            assert_eq!(Number::write(fine, number.places + 3, &number.unit), text);
        }
        for text in ["", "-", "x", "1.", ".5", "1.2.3", "9999999999999999", "0.1234567891"] {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }
}
