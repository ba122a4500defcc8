//! What may be changed, `KEY[=LOW..HIGH]`: where it stands, and how a number becomes its value.

use finwait_model::sysctl::DEFS;
use finwait_sim::scenario::{Draft, Error, Scenario};
use finwait_sim::tune::Dial;
use finwait_sim::units;

use crate::failure::Failure;

/// Something that may be changed.
#[derive(Clone, Debug)]
pub(super) struct Knob {
    /// Its key, as it was typed.
    pub(super) key: String,
    /// What stands before the number.
    prefix: String,
    /// What stands behind it: a unit, the upper end of a range of ports.
    suffix: String,
    /// Where it stands and how far it may go.
    pub(super) dial: Dial,
}

/// How many times what is there may be tried if nobody says.
const TIMES: u64 = 64;
/// The least that this is a multiple of.
const LEAST: u64 = 16;
/// The lowest port that is tried if nobody says.
const LOWEST_PORT: u64 = 1024;

impl Knob {
    /// Reads `KEY=LOW..HIGH`, or `KEY` alone; spans of errors count within `text`.
    pub(super) fn parse(text: &str, draft: &Draft, scenario: &Scenario) -> Result<Self, Error> {
        let (key, range) = match text.split_once('=') {
            Some((key, range)) => (key.trim(), Some((range, key.len() + 1))),
            None => (text.trim(), None),
        };
        let (now, sysctl) = present(key, draft, scenario)?;
        let whole = 0..text.len();
        let Some(now) = now else {
            return Err(Error {
                span: Some(whole),
                message: format!("the scenario does not say what {key} is now"),
                expected: "expected a key that stands in the file, or a sysctl".to_owned(),
                help: Some(format!("say it with --set {key}=VALUE")),
            });
        };
        let knob = match range {
            Some((range, at)) => Self::ranged(key, &now, range, at)?,
            None => Self::unranged(key, &now, sysctl).ok_or_else(|| Error {
                span: Some(whole.clone()),
                message: format!("{key} is {now:?}, which is no number"),
                expected: "expected KEY=LOW..HIGH, such as links.delay=1ms..40ms".to_owned(),
                help: None,
            })?,
        };
        let Dial { now: stands, low, high } = knob.dial;
        if stands < low || stands > high {
            return Err(Error {
                span: Some(whole),
                message: format!("{key} is {now} now, which is outside"),
                expected: format!("expected a range with {now} in it"),
                help: None,
            });
        }
        Ok(knob)
    }
    /// `LOW..HIGH`, with what stands around the numbers.
    fn ranged(key: &str, now: &str, range: &str, at: usize) -> Result<Self, Error> {
        let wrong = |message: String| Error {
            span: Some(at..at + range.len()),
            message,
            expected: "expected LOW..HIGH, such as 5000..262144, 0ms..120ms or 1024..32768 60999"
                .to_owned(),
            help: None,
        };
        let not = || wrong(format!("{range:?} is no range"));
        let (before, after) = range.split_once("..").ok_or_else(not)?;
        let (before, after) = (before.trim(), after.trim());
        let is_digit = |c: char| c.is_ascii_digit();
        let end = before.rfind(is_digit).map_or(0, |place| place + 1);
        let start = before[..end]
            .rfind(|c| !is_digit(c))
            .map_or(0, |place| place + before[place..].chars().next().map_or(1, char::len_utf8));
        let digits = after.find(|c| !is_digit(c)).unwrap_or(after.len());
        let low: u64 = before[start..end].parse().map_err(|_| not())?;
        let high: u64 = after[..digits].parse().map_err(|_| not())?;
        let (prefix, unit, suffix) = (&before[..start], &before[end..], &after[digits..]);
        if low > high {
            return Err(wrong("the lower end is above the upper".to_owned()));
        }
        if !suffix.trim_start().starts_with(unit.trim_start()) {
            return Err(wrong(format!("{low}{unit} and {high}{suffix} have different units")));
        }
        let stands = number(now, prefix, suffix)
            .ok_or_else(|| wrong(format!("{key} is {now:?} now, which is not of that form")))?;
        let dial = Dial { now: stands, low, high };
        let (prefix, suffix) = (prefix.to_owned(), suffix.to_owned());
        Ok(Self { key: key.to_owned(), prefix, suffix, dial })
    }
    /// A range that suits what is there.
    fn unranged(key: &str, now: &str, sysctl: Option<&str>) -> Option<Self> {
        let digits = now.find(|c: char| !c.is_ascii_digit()).unwrap_or(now.len());
        let stands: u64 = now[..digits].parse().ok()?;
        let suffix = now[digits..].to_owned();
        let wide = stands.max(LEAST).saturating_mul(TIMES);
        let def = sysctl.and_then(|name| DEFS.iter().find(|def| def.name == name));
        let dial = match def {
            Some(def) => Dial {
                now: stands,
                low: u64::try_from(def.min).unwrap_or(0),
                high: wide.min(u64::try_from(def.max).unwrap_or(0)),
            },
            // The range of ports begins lower.
            None if sysctl == Some("net.ipv4.ip_local_port_range") => {
                Dial { now: stands, low: LOWEST_PORT.min(stands), high: stands }
            }
            None => Dial { now: stands, low: u64::from(stands > 0), high: wide },
        };
        Some(Self { key: key.to_owned(), prefix: String::new(), suffix, dial })
    }
    /// The value with that number in it.
    pub(super) fn value(&self, number: u64) -> String {
        format!("{}{number}{}", self.prefix, self.suffix)
    }
    /// As it would be typed for `--set`.
    pub(super) fn setting(&self, number: u64) -> String {
        format!("{}={}", self.key, self.value(number))
    }
}

/// Reads all of them, separated by commas.
pub(super) fn knobs(
    texts: &[String],
    draft: &Draft,
    scenario: &Scenario,
) -> Result<Vec<Knob>, Failure> {
    let mut knobs: Vec<Knob> = Vec::new();
    for text in texts {
        let mut at = 0;
        for piece in text.split(',') {
            let knob = Knob::parse(piece, draft, scenario).and_then(|knob| {
                let known = knobs.iter().any(|other| other.key == knob.key);
                if known { Err(twice(piece)) } else { Ok(knob) }
            });
            let knob = knob.map_err(|error| {
                let span = error.span.clone().map(|span| span.start + at..span.end + at);
                Failure::in_text("--over", text, &Error { span, ..error })
            })?;
            knobs.push(knob);
            at += piece.len() + 1;
        }
    }
    Ok(knobs)
}

fn twice(text: &str) -> Error {
    Error {
        span: Some(0..text.len()),
        message: "the same key a second time".to_owned(),
        expected: "expected each key once".to_owned(),
        help: None,
    }
}

/// What a key is now, and which sysctl it is.
fn present<'a>(
    key: &'a str,
    draft: &Draft,
    scenario: &Scenario,
) -> Result<(Option<String>, Option<&'a str>), Error> {
    let in_file = draft.get(key)?;
    let of_host = scenario.hosts.iter().filter_map(|host| {
        let sysctl = key.strip_prefix(host.name.as_str())?.strip_prefix('.')?;
        Some((host, sysctl))
    });
    for (host, sysctl) in of_host {
        if let Some(value) = host.sysctl.get(sysctl) {
            return Ok((Some(value.replace('\t', " ")), Some(sysctl)));
        }
        if sysctl.starts_with("net.") {
            // The usual parser says what is wrong with it.
            let mut probe = draft.clone();
            probe.set(&format!("{key}=0"))?;
            if let Err(refusal) = probe.scenario() {
                return Err(refusal.error);
            }
        }
    }
    Ok((in_file, None))
}

/// The number in a value of that form; a time may be written with another unit.
fn number(value: &str, prefix: &str, suffix: &str) -> Option<u64> {
    let plain = value.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    if let Some(number) = plain.and_then(|digits| digits.trim().parse().ok()) {
        return Some(number);
    }
    let unit = units::span(&format!("1{}", suffix.trim())).ok()?;
    let time = units::span(value).ok()?;
    (time.ns.is_multiple_of(unit.ns)).then(|| time.ns / unit.ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_any_form() {
        for (now, range, value, stands, shown) in [
            ("8192", "5000..262144", 6000, 8192, "6000"),
            ("120ms", "0ms..1000ms", 40, 120, "40ms"),
            ("0.12s", "0ms..1000ms", 40, 120, "40ms"),
            ("40ms", "0..500ms", 41, 40, "41ms"),
            ("2500/s", "100/s..5000/s", 300, 2500, "300/s"),
            ("32768 60999", "1024..40000 60999", 2000, 32768, "2000 60999"),
            ("1024 30000", "1024 20000..65535", 60000, 30000, "1024 60000"),
        ] {
            let knob =
                Knob::ranged("key", now, range, 4).unwrap_or_else(|e| panic!("{range}: {e}"));
            assert_eq!((knob.dial.now, knob.value(value).as_str()), (stands, shown), "{range}");
        }
        for range in ["", "5", "..", "5..x", "9..8", "1s..2ms", "a..b", "-3..4x"] {
            assert!(Knob::ranged("key", "7", range, 0).is_err(), "{range:?}");
        }
    }
}
