//! Values with units as people write them: `60s`, `2500/s`, `1/1000`, `6379-6394`.

use finwait_model::flow::Addr;
use finwait_model::time::Span;

use crate::rng::Ratio;

/// How often something happens: `count` times per `per`, never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many times.
    pub count: u64,
    /// In this long.
    pub per: Span,
}

impl Rate {
    /// When occurrence number `index` is due, counted from 0 at the beginning.
    pub fn due(self, index: u64) -> Span {
        // As a rule one word holds it, and a client asks for each connection that it opens.
        if let Some(ns) = self.per.ns.checked_mul(index) {
            return Span::nanos(ns / self.count);
        }
        let ns = u128::from(self.per.ns) * u128::from(index) / u128::from(self.count);
        Span::nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
    /// The mean distance between two of them.
    pub const fn interval(self) -> Span {
        Span::nanos(self.per.ns / self.count)
    }
}

/// The longest time that can be written: ten years. The clock holds more, but nobody waits for it.
const LONGEST: Span = Span::secs(87_600 * 3600);

/// A length of time up to ten years: a decimal number and `ns`, `us`, `ms`, `s`, `min` or `h`; zero
/// needs no unit.
pub fn span(text: &str) -> Result<Span, String> {
    if text == "0" {
        return Ok(Span::ZERO);
    }
    let what = || "expected a time such as \"100us\", \"43ms\", \"60s\"".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(what)?;
    let (number, unit) = text.split_at(split);
    let unit_ns: u64 = match unit.trim_start() {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(what()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().map_err(|_| what())?;
    if fraction.is_empty() || fraction.len() > 18 {
        return Err(what());
    }
    let tenths: u64 = fraction.parse().map_err(|_| what())?;
    let part = u128::from(tenths) * u128::from(unit_ns) / 10_u128.pow(fraction.len() as u32);
    let ns = u128::from(whole) * u128::from(unit_ns) + part;
    match u64::try_from(ns) {
        Ok(ns) if ns <= LONGEST.ns => Ok(Span::nanos(ns)),
        _ => Err("expected a time of at most \"87600h\", ten years".to_owned()),
    }
}

/// A rate above 0: `2500/s`, `3/min`, `1/10s`.
pub fn rate(text: &str) -> Result<Rate, String> {
    let what = || "expected a rate above 0 such as \"2500/s\"".to_owned();
    let (count, per) = text.split_once('/').ok_or_else(what)?;
    let count: u64 = count.trim().parse().map_err(|_| what())?;
    let per = per.trim();
    let per = if per.starts_with(|c: char| c.is_ascii_digit()) {
        span(per).map_err(|_| what())?
    } else {
        span(&format!("1{per}")).map_err(|_| what())?
    };
    if count == 0 || per == Span::ZERO {
        return Err(what());
    }
    if count > per.ns {
        return Err("expected at most one per nanosecond".to_owned());
    }
    Ok(Rate { count, per })
}

/// A probability: `1/1000`, `0.5%` or `2%`.
pub fn ratio(text: &str) -> Result<Ratio, String> {
    let what = || "expected a probability such as \"1/1000\" or \"0.5%\"".to_owned();
    let ratio = if let Some(percent) = text.strip_suffix('%') {
        let percent = percent.trim();
        let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
        if fraction.len() > 9 {
            return Err(what());
        }
        let scale = 10_u64.pow(fraction.len() as u32);
        let number: u64 = format!("{whole}{fraction}").parse().map_err(|_| what())?;
        Ratio { numerator: number, denominator: 100 * scale }
    } else {
        let (numerator, denominator) = text.split_once('/').ok_or_else(what)?;
        Ratio {
            numerator: numerator.trim().parse().map_err(|_| what())?,
            denominator: denominator.trim().parse().map_err(|_| what())?,
        }
    };
    if ratio.denominator == 0 || ratio.numerator > ratio.denominator {
        return Err(what());
    }
    Ok(ratio)
}

/// One port, or a range of them with both ends: `6379`, `6379-6394`.
pub fn ports(text: &str) -> Result<(u16, u16), String> {
    let what = || "expected a port such as \"6379\" or \"6379-6394\"".to_owned();
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let low: u16 = low.trim().parse().map_err(|_| what())?;
    let high: u16 = high.trim().parse().map_err(|_| what())?;
    if low == 0 || high < low { Err(what()) } else { Ok((low, high)) }
}

/// An IPv4 address.
pub fn addr(text: &str) -> Result<Addr, String> {
    let ip: core::net::Ipv4Addr =
        text.parse().map_err(|_| "expected an address such as \"10.0.0.1\"".to_owned())?;
    if ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast() {
        return Err("expected the address of one host".to_owned());
    }
    Ok(Addr(u32::from(ip)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, ns) in [
            ("60s", 60_000_000_000),
            ("1.5ms", 1_500_000),
            ("100us", 100_000),
            ("7ns", 7),
            ("2min", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("0s", 0),
            ("2.5 s", 2_500_000_000),
        ] {
            assert_eq!(span(text), Ok(Span::nanos(ns)), "{text}");
        }
        for text in
            ["", "60", "s", "-1s", "1.s", ".5s", "1.2.3s", "1 day", "87601h", "99999999999999h"]
        {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate("2500/s"), Ok(Rate { count: 2500, per: Span::secs(1) }));
        assert_eq!(rate("1/10s"), Ok(Rate { count: 1, per: Span::secs(10) }));
        for text in ["0/s", "2500", "-1/s", "1/0s", "x/s", "1/", "2000000000/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
        let third = Rate { count: 3, per: Span::secs(1) };
        assert_eq!(third.due(3), Span::secs(1));
        assert_eq!(third.due(1).ns, 333_333_333);
        assert_eq!(
            third.due(3_000_000_000).ns,
            1_000_000_000_000_000_000,
            "rounding never adds up"
        );
    }

    #[test]
    fn probabilities_ports_and_addresses() {
        assert_eq!(ratio("1/1000"), Ok(Ratio { numerator: 1, denominator: 1000 }));
        assert_eq!(ratio("0.5%"), Ok(Ratio { numerator: 5, denominator: 1000 }));
        assert!(ratio("2/1").is_err() && ratio("101%").is_err() && ratio("1/0").is_err());
        assert_eq!(ports("6379-6394"), Ok((6379, 6394)));
        assert!(ports("0").is_err() && ports("9-8").is_err() && ports("65536").is_err());
        assert_eq!(addr("10.0.0.1"), Ok(Addr::v4(10, 0, 0, 1)));
        assert!(addr("0.0.0.0").is_err() && addr("10.0.0").is_err() && addr("224.0.0.1").is_err());
    }
}
