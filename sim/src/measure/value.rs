//! What a measure comes to: a whole number, or a ratio of two. No floats: two values are compared
//! by multiplying across.

use core::cmp::Ordering;
use core::fmt;

use finwait_model::time::Span;

use crate::text::grouped;
use crate::units;

/// A value with its unit.
///
/// A ratio of nothing to nothing (`0/0`, or a percentile of no latency at all) has no value: it is
/// neither equal to, nor less, nor more than anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Value {
    /// Above the line; times are nanoseconds.
    pub numerator: u64,
    /// Below the line; 1 for what is no ratio.
    pub denominator: u64,
    /// What is counted.
    pub unit: Unit,
}

/// What a value counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    /// Things.
    Count,
    /// A time, nanoseconds.
    Time,
    /// Things out of things, or time out of time.
    Share,
    /// Things per time: the denominator is nanoseconds.
    Rate,
}

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

impl Value {
    /// So many things.
    pub const fn count(number: u64) -> Self {
        Self { numerator: number, denominator: 1, unit: Unit::Count }
    }
    /// A time; none at all has no value.
    pub const fn time(span: Option<Span>) -> Self {
        match span {
            Some(span) => Self { numerator: span.ns, denominator: 1, unit: Unit::Time },
            None => Self { numerator: 0, denominator: 0, unit: Unit::Time },
        }
    }
    /// One by the other; `None` if that has no meaning.
    pub fn by(self, other: Self) -> Option<Self> {
        let unit = self.unit.by(other.unit)?;
        if self.is_none() || other.is_none() {
            return Some(Self { numerator: 0, denominator: 0, unit });
        }
        Some(Self { numerator: self.numerator, denominator: other.numerator, unit })
    }
    /// Does it lack a value?
    pub const fn is_none(self) -> bool {
        self.denominator == 0
    }
    /// Which is more; `None` if one of them has no value, or they count different things.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        if self.unit != other.unit || self.is_none() || other.is_none() {
            return None;
        }
        let left = u128::from(self.numerator) * u128::from(other.denominator);
        let right = u128::from(other.numerator) * u128::from(self.denominator);
        Some(left.cmp(&right))
    }
    /// The value for a table: a number without a unit, cut off after nine decimals; empty if it has
    /// none. Times are milliseconds, rates are per second.
    pub fn plain(self) -> String {
        if self.is_none() {
            return String::new();
        }
        let (above, below) = match self.unit {
            Unit::Rate => (SECOND, 1),
            Unit::Time => (1, 1_000_000),
            Unit::Count | Unit::Share => (1, 1),
        };
        let scaled = u128::from(self.numerator) * u128::from(above);
        let denominator = u128::from(self.denominator) * below;
        let (whole, rest) = (scaled / denominator, scaled % denominator);
        if rest == 0 {
            return whole.to_string();
        }
        // `rest` is below 2^84, so this stays below 2^114.
        let decimals = rest * u128::from(SECOND) / denominator;
        let text = format!("{whole}.{decimals:09}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
    /// Reads `0`, `12`, `40ms`, `0.5%`, `1/3` or `20/s`; says what was expected if it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let what = || "expected a number such as 0, 40ms, 0.5%, 1/3 or 20/s".to_owned();
        if let Ok(number) = text.replace('_', "").parse::<u64>() {
            return Ok(Self::count(number));
        }
        if text.ends_with('%') {
            return percent(text).ok_or_else(what);
        }
        if let Ok(span) = units::span(text) {
            return Ok(Self::time(Some(span)));
        }
        let (above, below) = text.split_once('/').ok_or_else(what)?;
        let above: u64 = above.trim().parse().map_err(|_| what())?;
        if let Ok(below) = below.trim().parse::<u64>() {
            let share = Self { numerator: above, denominator: below, unit: Unit::Share };
            return if share.is_none() { Err(what()) } else { Ok(share) };
        }
        let below = below.trim();
        let one = if below.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1" };
        let per = units::span(&format!("{one}{below}")).map_err(|_| what())?;
        let rate = Self { numerator: above, denominator: per.ns, unit: Unit::Rate };
        if rate.is_none() { Err(what()) } else { Ok(rate) }
    }
    /// The same number as a value of that unit, if it can be meant: 0 is 0 of anything, and 2 is a
    /// share of 2.
    pub(super) fn meant_as(self, unit: Unit) -> Option<Self> {
        match (self.unit, unit) {
            (mine, unit) if mine == unit => Some(self),
            (Unit::Count, Unit::Share) => Some(Self { unit, ..self }),
            (Unit::Count, _) if self.numerator == 0 => Some(Self { unit, ..self }),
            _ => None,
        }
    }
}

/// Unlike a probability, a share may exceed the whole.
fn percent(text: &str) -> Option<Value> {
    let number = text.strip_suffix('%')?.trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || whole.len() > 9 {
        return None;
    }
    let numerator = format!("{whole}{fraction}").parse().ok()?;
    let denominator = 100 * 10_u64.pow(fraction.len() as u32);
    Some(Value { numerator, denominator, unit: Unit::Share })
}

impl Unit {
    /// What one by the other counts; `None` if that has no meaning.
    pub const fn by(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Count, Self::Count) | (Self::Time, Self::Time) => Some(Self::Share),
            (Self::Count, Self::Time) => Some(Self::Rate),
            _ => None,
        }
    }
    /// What stands behind the name of a column of plain numbers.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Share => " (share)",
            Self::Time => "_ms",
            Self::Rate => "_per_s",
        }
    }
    /// What is expected beside such a value.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Count => "expected a whole number such as 0",
            Self::Time => "expected a time such as 40ms",
            Self::Share => "expected a share such as 0.5% or 1/3",
            Self::Rate => "expected a rate such as 20/s",
        }
    }
}

/// As people read it: `61,204`, `42.9ms`, `12.3%`, `204.01/s`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (above, below) = (u128::from(self.numerator), u128::from(self.denominator));
        let text = match self.unit {
            _ if self.is_none() => "none".to_owned(),
            Unit::Count => grouped(self.numerator),
            Unit::Time => shown_span(self.numerator),
            Unit::Share => format!("{}%", hundredths(above * 10_000, below)),
            Unit::Rate => format!("{}/s", hundredths(above * 100 * u128::from(SECOND), below)),
        };
        f.pad(&text)
    }
}

/// A time with three digits behind the point at most.
fn shown_span(ns: u64) -> String {
    let keep = match ns {
        1_000_000_000.. => 1_000_000,
        1_000_000.. => 1_000,
        _ => 1,
    };
    Span::nanos(ns - ns % keep).to_string()
}

/// So many hundredths as a number with two decimals, rounded; small ones with more digits.
fn hundredths(above: u128, below: u128) -> String {
    let rounded = (above + below / 2) / below;
    if rounded < 100 && above > 0 {
        let fine = above.saturating_mul(10_000) / below;
        let text = format!("0.{fine:06}");
        let text = text.trim_end_matches('0');
        return if fine == 0 { "<0.000001".to_owned() } else { text.to_owned() };
    }
    let whole = grouped(u64::try_from(rounded / 100).unwrap_or(u64::MAX));
    match rounded % 100 {
        0 => whole,
        part => format!("{whole}.{part:02}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        Value::parse(text).unwrap_or_else(|expected| panic!("{text}: {expected}"))
    }

    #[test]
    fn values_are_written_and_read() {
        for (text, shown, plain) in [
            ("0", "0", "0"),
            ("131_072", "131,072", "131072"),
            ("40ms", "40ms", "40"),
            ("1.2345678s", "1.234s", "1234.5678"),
            ("12.5%", "12.5%", "0.125"),
            ("250%", "250%", "2.5"),
            ("1/3", "33.33%", "0.333333333"),
            ("1/30000", "0.003333%", "0.000033333"),
            ("20/s", "20/s", "20"),
            ("1/10s", "0.1/s", "0.1"),
            ("2500/min", "41.67/s", "41.666666666"),
        ] {
            let value = read(text);
            assert_eq!((value.to_string().as_str(), value.plain().as_str()), (shown, plain));
        }
        for text in ["", "x", "-1", "1/0", "4/", "5%%", "1/s/s", "1/0s", "%", "40 potatoes"] {
            assert!(Value::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ratios_are_compared_without_rounding() {
        let share = |numerator, denominator| Value { numerator, denominator, unit: Unit::Share };
        assert_eq!(share(1, 3).compare(share(2, 6)), Some(Ordering::Equal));
        let close = share(u64::MAX - 1, u64::MAX);
        assert_eq!(close.compare(share(1, 1)), Some(Ordering::Less));
        assert_eq!(close.compare(share(u64::MAX - 2, u64::MAX - 1)), Some(Ordering::Greater));
        assert_eq!(share(0, 0).compare(share(0, 0)), None, "nothing of nothing");
        assert_eq!(Value::count(1).compare(share(1, 1)), None, "different things");
    }

    #[test]
    fn what_can_be_divided() {
        let second = Value::time(Some(Span::secs(2)));
        let rate = Value::count(500).by(second).expect("a rate");
        assert_eq!(rate.compare(read("250/s")), Some(Ordering::Equal));
        assert_eq!(Value::count(1).by(Value::count(4)).map(Value::plain).as_deref(), Some("0.25"));
        assert_eq!(second.by(Value::count(1)), None);
        let none = Value::count(1).by(Value::count(0)).expect("a share");
        assert_eq!((none.to_string().as_str(), none.plain().as_str()), ("none", ""));
        assert_eq!(Value::count(0).meant_as(Unit::Time), Some(Value::time(Some(Span::ZERO))));
        assert_eq!(Value::count(1).meant_as(Unit::Time), None);
    }
}
