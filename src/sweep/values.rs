//! The values of one thing that is varied: `KEY=5000,8192,32768..262144:x2`.

use std::collections::BTreeSet;
use std::ops::Range;

use finwait_sim::rng::Stream;
use finwait_sim::scenario::Error;

use super::number::Number;

/// What `--vary` says: a key and its values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Axis {
    /// The key, as `--set` takes it.
    pub(crate) key: String,
    items: Vec<Item>,
}

/// A value, or several.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Item {
    /// Where it stands in what was typed.
    span: Range<usize>,
    typed: String,
    values: Values,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Values {
    /// As it was typed.
    One,
    /// From one number to another, with digits of so many places.
    Range { low: i128, high: i128, places: u32, unit: String, step: Option<Step> },
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    /// `:x2`, as digits with places.
    Times(i128, u32),
    /// `:+100`, in the digits of the range.
    Plus(i128),
    /// `:5`
    Values(i128),
}

/// How many values one thing may take.
const MOST_VALUES: usize = 100_000;

/// A value, and where it was typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    /// As `--set` takes it.
    pub(crate) value: String,
    /// Where it, or its range, was typed.
    pub(crate) span: Range<usize>,
}

impl Axis {
    /// Reads `KEY=VALUES`; the spans of errors count within `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let Some((key, list)) = text.split_once('=') else {
            return Err(wrong(
                0..text.len(),
                "nothing to vary it by",
                "expected KEY=VALUES such as web.net.ipv4.tcp_max_tw_buckets=5000,8192 or \
                 links.delay=1ms..16ms:x2",
            ));
        };
        let mut items = Vec::new();
        for (at, piece) in pieces(list) {
            let start = key.len() + 1 + at + (piece.len() - piece.trim_start().len());
            let piece = piece.trim();
            let span = start..start + piece.len();
            if piece.is_empty() {
                return Err(wrong(span, "a value is missing", "expected one between the commas"));
            }
            let values = Values::parse(piece, &span)?;
            items.push(Item { span, typed: piece.to_owned(), values });
        }
        Ok(Self { key: key.trim().to_owned(), items })
    }
    /// All values, for a grid.
    pub(crate) fn grid(&self) -> Result<Vec<Choice>, Error> {
        let (mut choices, mut seen) = (Vec::new(), BTreeSet::new());
        for item in &self.items {
            for value in item.grid()? {
                if !seen.insert(value.clone()) {
                    let message = format!("{value} is among the values already");
                    return Err(wrong(item.span.clone(), &message, "expected each value once"));
                }
                choices.push(Choice { value, span: item.span.clone() });
            }
            if choices.len() > MOST_VALUES {
                let expected = format!("expected at most {MOST_VALUES}");
                return Err(wrong(item.span.clone(), "too many values", &expected));
            }
        }
        Ok(choices)
    }
    /// One value out of each of `count` equal parts, the parts in a random order.
    pub(crate) fn latin(&self, count: usize, seed: u64) -> Result<Vec<Choice>, Error> {
        let mut stream = Stream::new(seed, &format!("latin {}", self.key));
        let mut parts: Vec<u64> = (0..count as u64).collect();
        for last in (1..count).rev() {
            let other = stream.below(last as u64 + 1) as usize;
            parts.swap(last, other);
        }
        if let [Item { span, values, .. }] = &self.items[..]
            && let Values::Range { step: None, .. } = values
        {
            let draw = |part| Choice {
                value: values.within(part, count as u64, &mut stream),
                span: span.clone(),
            };
            return Ok(parts.into_iter().map(draw).collect());
        }
        let all = self.grid()?;
        let pick = |part: u64| {
            let place = u128::from(part) * all.len() as u128 / count as u128;
            all[place as usize].clone()
        };
        Ok(parts.into_iter().map(pick).collect())
    }
}

impl Item {
    fn grid(&self) -> Result<Vec<String>, Error> {
        let Values::Range { low, high, places, unit, step } = &self.values else {
            return Ok(vec![self.typed.clone()]);
        };
        let Some(step) = step else {
            if !unit.is_empty() {
                // `1ms..5ms` is a delay that varies from case to case.
                return Ok(vec![self.typed.clone()]);
            }
            return Err(wrong(
                self.span.clone(),
                "a range without a step",
                "expected one: A..B:+10 adds, A..B:x2 multiplies, A..B:5 makes five values",
            ));
        };
        let mut values = Vec::new();
        let mut digits = *low;
        loop {
            values.push(Number::write(digits, *places, unit));
            let next = step.next(digits, (*low, *high), values.len());
            let Some(next) = next.filter(|next| next <= high) else { break };
            if next <= digits {
                let message = format!("no step leads on from {}", values[values.len() - 1]);
                let expected = "expected a larger step, or numbers with more decimals";
                return Err(wrong(self.span.clone(), &message, expected));
            }
            if values.len() > MOST_VALUES {
                let expected = format!("expected at most {MOST_VALUES}");
                return Err(wrong(self.span.clone(), "too many values", &expected));
            }
            digits = next;
        }
        Ok(values)
    }
}

impl Step {
    /// The number behind `digits`, of which there are `count` so far.
    fn next(&self, digits: i128, (low, high): (i128, i128), count: usize) -> Option<i128> {
        match self {
            Self::Times(factor, places) => {
                digits.checked_mul(*factor).map(|product| product / 10_i128.pow(*places))
            }
            Self::Plus(more) => digits.checked_add(*more),
            Self::Values(all) => {
                let gaps = all - 1;
                (count as i128 <= gaps).then(|| low + (high - low) * count as i128 / gaps)
            }
        }
    }
}

impl Values {
    fn parse(text: &str, span: &Range<usize>) -> Result<Self, Error> {
        let one = || Ok(Self::One);
        let Some((low, rest)) = text.split_once("..").filter(|_| !text.starts_with(['"', '[']))
        else {
            return one();
        };
        let (high, step) = match rest.split_once(':') {
            Some((high, step)) => (high, Some(step)),
            None => (rest, None),
        };
        let numbers = (Number::parse(low.trim()), Number::parse(high.trim()));
        let (Some(low), Some(high)) = numbers else {
            // `names..with..points` may be text, but nothing with a step is.
            return match step {
                None => one(),
                Some(_) => Err(wrong(
                    span.clone(),
                    "a range between what is no number",
                    "expected A..B:STEP such as 32768..262144:x2 or 10ms..50ms:+10ms",
                )),
            };
        };
        if low.unit != high.unit {
            // `500us..1ms` is a delay of its own.
            return match step {
                None => one(),
                Some(_) => {
                    let message = format!("a range from {:?} to {:?}", low.unit, high.unit);
                    Err(wrong(span.clone(), &message, "expected the same unit at both ends"))
                }
            };
        }
        let step_at = span.end - step.map_or(0, str::len)..span.end;
        let step = step.map(|text| Increment::parse(text, &low, &step_at)).transpose()?;
        Self::range(&low, &high, step, span)
    }
    fn range(
        low: &Number,
        high: &Number,
        step: Option<Increment>,
        span: &Range<usize>,
    ) -> Result<Self, Error> {
        let of_step = match &step {
            Some(Increment::Plus(number)) => number.places,
            _ => 0,
        };
        let places = low.places.max(high.places).max(of_step);
        let (from, to) = (low.scaled(places), high.scaled(places));
        if from >= to {
            let message = "a range that does not lead upwards";
            return Err(wrong(span.clone(), message, "expected the smaller number first"));
        }
        let step = match step {
            None => None,
            Some(Increment::Times(_)) if from <= 0 => {
                let message = "no factor leads on from there";
                return Err(wrong(span.clone(), message, "expected to begin above 0"));
            }
            Some(Increment::Times(factor)) => Some(Step::Times(factor.digits, factor.places)),
            Some(Increment::Plus(number)) => Some(Step::Plus(number.scaled(places))),
            Some(Increment::Values(count)) if count - 1 > to - from => {
                let message = format!("there are not {count} numbers between these");
                let expected = format!("expected at most {}", to - from + 1);
                return Err(wrong(span.clone(), &message, &expected));
            }
            Some(Increment::Values(count)) => Some(Step::Values(count)),
        };
        Ok(Self::Range { low: from, high: to, places, unit: low.unit.clone(), step })
    }
    /// A number out of one of so many equal parts of the range.
    fn within(&self, part: u64, parts: u64, stream: &mut Stream) -> String {
        let Self::Range { low, high, places, unit, .. } = self else { return String::new() };
        const FINE: u64 = 1 << 20;
        let drawn = i128::from(part) * i128::from(FINE) + i128::from(stream.below(FINE));
        let width = high - low + 1;
        let digits = low + width * drawn / (i128::from(parts) * i128::from(FINE));
        Number::write(digits, *places, unit)
    }
}

/// A step as it was typed.
enum Increment {
    Times(Number),
    Plus(Number),
    Values(i128),
}

impl Increment {
    fn parse(text: &str, low: &Number, span: &Range<usize>) -> Result<Self, Error> {
        let what = |message: &str, expected: &str| Err(wrong(span.clone(), message, expected));
        if let Some(factor) = text.strip_prefix('x') {
            return match Number::parse(factor) {
                Some(number)
                    if number.unit.is_empty() && number.digits > 10_i128.pow(number.places) =>
                {
                    Ok(Self::Times(number))
                }
                _ => what("no factor to multiply by", "expected one above 1 such as x2 or x1.5"),
            };
        }
        if let Some(more) = text.strip_prefix('+') {
            return match Number::parse(more) {
                Some(number) if number.unit != low.unit => {
                    let expected = format!("expected it in {:?}, as the range is", low.unit);
                    what("a step in another unit", &expected)
                }
                Some(number) if number.digits > 0 => Ok(Self::Plus(number)),
                _ => what("no step to add", "expected one above 0 such as +10"),
            };
        }
        match text.parse::<i128>() {
            Ok(count) if (2..=MOST_VALUES as i128).contains(&count) => Ok(Self::Values(count)),
            _ => what(
                "no step",
                "expected :+10 to add, :x2 to multiply, or how many values to make, such as :5",
            ),
        }
    }
}

/// Splits at commas outside of quotes and brackets.
fn pieces(list: &str) -> Vec<(usize, &str)> {
    let (mut depth, mut quote, mut from) = (0_u32, None, 0);
    let mut found = Vec::new();
    for (at, c) in list.char_indices() {
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '"' | '\'' => quote = Some(c),
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push((from, &list[from..at]));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push((from, &list[from..]));
    found
}

fn wrong(span: Range<usize>, message: &str, expected: &str) -> Error {
    Error {
        span: Some(span),
        message: message.to_owned(),
        expected: expected.to_owned(),
        help: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(text: &str) -> Result<String, String> {
        let choices = Axis::parse(text).and_then(|axis| axis.grid());
        let told = |e: Error| {
            let span = e.span.clone().expect("every error has a place");
            format!("{}+{} {e}", span.start, span.len())
        };
        let values =
            |all: Vec<Choice>| all.into_iter().map(|c| c.value).collect::<Vec<_>>().join(" ");
        choices.map(values).map_err(told)
    }

    #[test]
    fn lists_and_ranges() {
        for (list, expected) in [
            ("5000", "5000"),
            ("5000, 8192,32768..262144:x2", "5000 8192 32768 65536 131072 262144"),
            ("10..50:+10", "10 20 30 40 50"),
            ("10..45:+10", "10 20 30 40"),
            ("10..50:5", "10 20 30 40 50"),
            ("0..10:4", "0 3 6 10"),
            ("-1..1:+1", "-1 0 1"),
            ("1ms..16ms:x4", "1ms 4ms 16ms"),
            ("0.5s..2s:+0.5s", "0.5s 1s 1.5s 2s"),
            ("1s..2s:+0.25s", "1s 1.25s 1.5s 1.75s 2s"),
            ("100/s..400/s:x2", "100/s 200/s 400/s"),
            ("10..40:x1.5", "10 15 22 33"),
            ("0,50ms,120ms", "0 50ms 120ms"),
            ("1ms..5ms,2ms..3ms", "1ms..5ms 2ms..3ms"),
            ("500us..1ms", "500us..1ms"),
            ("[1, 2],\"a,b\",{x = 1}", "[1, 2] \"a,b\" {x = 1}"),
            ("10000 65535", "10000 65535"),
        ] {
            assert_eq!(grid(&format!("k={list}")).as_deref(), Ok(expected), "{list}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_place() {
        for (text, expected) in [
            ("web.x", "0+5 nothing to vary it by"),
            ("k=", "2+0 a value is missing"),
            ("k=1,,2", "4+0 a value is missing"),
            ("k=1, 1", "5+1 1 is among the values already"),
            ("k=1..4:x2,4", "10+1 4 is among the values already"),
            ("k=5..1:+1", "2+7 a range that does not lead upwards"),
            ("k=1..5:", "7+0 no step: expected :+10"),
            ("k=1..5:x1", "7+2 no factor to multiply by"),
            ("k=1..5:x", "7+1 no factor to multiply by"),
            ("k=0..5:x2", "2+7 no factor leads on from there"),
            ("k=1..5:x1.5", "2+9 no step leads on from 1"),
            ("k=1..5:+0", "7+2 no step to add"),
            ("k=1..5:1", "7+1 no step: expected"),
            ("k=1..5:6", "2+6 there are not 6 numbers between these: expected at most 5"),
            ("k=1..5", "2+4 a range without a step"),
            ("k=a..b:2", "2+6 a range between what is no number"),
            ("k=1ms..1s:x2", "2+10 a range from \"ms\" to \"s\""),
            ("k=1ms..9ms:+1", "11+2 a step in another unit: expected it in \"ms\""),
            ("k=1..999999999:+1", "2+15 too many values"),
        ] {
            let actual = grid(text).expect_err(text);
            assert!(
                actual.starts_with(expected),
                "{text}\nexpected: {expected}\n  actual: {actual}"
            );
        }
    }

    #[test]
    fn a_latin_sample_takes_one_value_of_every_part() {
        let axis = Axis::parse("k=0..999").expect("it is one");
        let sample = |seed| -> Vec<u32> {
            let choices = axis.latin(10, seed).expect("it can be drawn");
            choices.iter().map(|c| c.value.parse().expect("a number")).collect()
        };
        let mut parts: Vec<u32> = sample(1).iter().map(|value| value / 100).collect();
        assert_ne!(parts, (0..10).collect::<Vec<_>>(), "in a random order");
        parts.sort_unstable();
        assert_eq!(parts, (0..10).collect::<Vec<_>>());
        assert_eq!(sample(1), sample(1));
        assert_ne!(sample(1), sample(2));
        let list = Axis::parse("k=a,b").expect("it is one").latin(5, 1).expect("it can be drawn");
        let count = list.iter().filter(|c| c.value == "a").count();
        assert!((2..=3).contains(&count), "each as often as possible");
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            rng_seed: proptest::test_runner::RngSeed::Fixed(1), cases: 4000, ..Default::default()
        })]

        /// Whatever is typed is a list of values or refused with a place in it; nothing overflows.
        #[test]
        fn scrambled_lists_are_read_or_refused(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                "0", "1", "5000", "-7", "0.5", "999999999999999", "0.123456789", "ms", "/s", "%", "..",
                ":", "x", "+", "x2", "x1.000000001", ":+1", ":3", ":x2", ",", " ", "\"", "[", "\u{b5}",
            ]), 0..9),
            count in 1..40_usize,
        ) {
            let text = format!("k={}", parts.concat());
            let read = Axis::parse(&text).and_then(|axis| {
                axis.latin(count, 1)?;
                axis.grid()
            });
            match read {
                Ok(choices) => proptest::prop_assert!(!choices.is_empty()),
                Err(error) => {
                    let span = error.span.expect("every error has a place");
                    proptest::prop_assert!(text.get(span).is_some(), "{}", text);
                }
            }
        }
    }
}
