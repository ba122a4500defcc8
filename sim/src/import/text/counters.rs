//! `nstat`, as text or JSON, and the files /proc/net/snmp and /proc/net/netstat.

use std::collections::BTreeMap;

use super::{Kind, lines, shown, words, wrong};
use crate::scenario::Error;

/// Counters by the names that `nstat` gives them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// The counter's value, if the text has it.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }
    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, n)| (name.as_str(), *n))
    }
    /// Takes over the counters of another text of the same moment.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }
    pub(super) fn put(&mut self, name: String, n: u64) {
        self.0.insert(name, n);
    }
    /// The first counter that has fallen since `earlier`, with its two values.
    pub fn fallen<'a>(&'a self, earlier: &Self) -> Option<(&'a str, u64, u64)> {
        let gauge = |name: &str| name == "TcpCurrEstab" || name == "TcpMaxConn";
        self.iter().filter(|(name, _)| name.starts_with("Tcp") && !gauge(name)).find_map(
            |(name, now)| {
                let before = earlier.get(name)?;
                (now < before).then_some((name, before, now))
            },
        )
    }
}

/// Reads what `nstat` or /proc/net/{snmp,netstat} say.
pub fn read(kind: Kind, text: &str) -> Result<Counters, Error> {
    match kind {
        Kind::Netstat => super::netstat::read(text),
        Kind::Mib => mib(text),
        _ if text.trim_start().starts_with('{') => json(text),
        _ => nstat(text),
    }
}

/// Could this be the name of a counter?
pub(super) fn is_name(word: &str) -> bool {
    word.len() <= 64
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `TcpActiveOpens                  201                0.0`
fn nstat(text: &str) -> Result<Counters, Error> {
    let mut out = Counters::default();
    for (span, line) in lines(text) {
        let words = words(&span, line);
        let [first, rest @ ..] = words.as_slice() else { continue };
        if first.1.starts_with('#') {
            continue;
        }
        if !is_name(&first.1) {
            return Err(wrong(
                first.0.clone(),
                format!("{} is no counter", shown(&first.1)),
                "expected a line such as \"TcpActiveOpens 201 0.0\"",
            ));
        }
        let number = rest.first().and_then(|(_, word)| word.parse().ok());
        let Some(number) = number else {
            let span = rest.first().map_or(span.end..span.end, |(span, _)| span.clone());
            return Err(wrong(
                span,
                format!("{} has no value", first.1),
                "expected a whole number",
            ));
        };
        out.put(first.1.clone(), number);
    }
    Ok(out)
}

/// `{"kernel": {"TcpActiveOpens": 201, …}}`, and what `finwait nstat --json` prints of one host.
fn json(text: &str) -> Result<Counters, Error> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let line = lines(text).nth(error.line().saturating_sub(1));
        let start = line.map_or(0, |(span, _)| span.start);
        let at = (start + error.column().saturating_sub(1)).min(text.len());
        wrong(at..at, "this is no JSON", "expected {\"kernel\": {\"TcpActiveOpens\": 201, …}}")
    })?;
    let mut out = Counters::default();
    let top = value.as_object();
    let one_host = top.and_then(|top| top.get("hosts")?.as_object()).filter(|h| h.len() == 1);
    let counters = match one_host.and_then(|hosts| hosts.values().next()) {
        Some(host) => host.get("mib").and_then(|mib| mib.as_object()),
        None => top.and_then(|top| top.values().find_map(|group| group.as_object())),
    };
    let Some(counters) = counters else {
        let expected = "expected {\"kernel\": {\"TcpActiveOpens\": 201, …}}";
        return Err(wrong(0..text.len().min(1), "no counters of one host in it", expected));
    };
    for (name, n) in counters {
        let Some(n) = n.as_u64() else { continue };
        if is_name(name) {
            out.put(name.clone(), n);
        }
    }
    Ok(out)
}

/// Pairs of lines: `Tcp: RtoAlgorithm RtoMin …`, `Tcp: 1 200 …`.
fn mib(text: &str) -> Result<Counters, Error> {
    let mut out = Counters::default();
    let mut lines = lines(text).filter(|(_, line)| !line.trim().is_empty());
    while let Some((names_span, names_line)) = lines.next() {
        let names = words(&names_span, names_line);
        let Some(prefix) = names[0].1.strip_suffix(':') else {
            let expected = "expected a line such as \"Tcp: RtoAlgorithm RtoMin …\"";
            return Err(wrong(names[0].0.clone(), "no group of counters", expected));
        };
        let end = names_span.end..names_span.end;
        let Some((values_span, values_line)) = lines.next() else {
            return Err(wrong(
                end,
                "names without values",
                "expected a second line with the values",
            ));
        };
        let values = words(&values_span, values_line);
        if values[0].1 != names[0].1 || values.len() != names.len() {
            let expected = format!("expected {} and {} values", names[0].1, names.len() - 1);
            return Err(wrong(values_span, "the values do not belong to the names", &expected));
        }
        for (name, (span, value)) in names.iter().zip(&values).skip(1) {
            // TcpMaxConn is -1.
            let Ok(value) = value.parse::<i128>() else {
                let message = format!("{} is no value of {prefix}{}", shown(value), name.1);
                return Err(wrong(span.clone(), message, "expected a whole number"));
            };
            if let Ok(value) = u64::try_from(value) {
                out.put(format!("{prefix}{}", name.1), value);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_formats_say_the_same() {
        let texts = [
            (
                Kind::Nstat,
                "#kernel\nTcpActiveOpens                  201                0.0\nTcpExtTW   200  0.0\n",
            ),
            (Kind::Nstat, "{\"kernel\":{\"TcpActiveOpens\":201,\"TcpExtTW\":200}}\n"),
            (Kind::Mib, "Tcp: MaxConn ActiveOpens\nTcp: -1 201\nTcpExt: TW\nTcpExt: 200\n"),
        ];
        for (kind, text) in texts {
            let counters = read(kind, text).expect(text);
            assert_eq!(counters.get("TcpActiveOpens"), Some(201), "{text}");
            assert_eq!(counters.get("TcpExtTW"), Some(200), "{text}");
        }
    }

    #[test]
    fn errors_have_places() {
        for (kind, text, at) in [
            (Kind::Nstat, "#kernel\nTcpActiveOpens many 0.0\n", (2, 16)),
            (Kind::Nstat, "TcpActiveOpens 1 0.0\n!x 7\n", (2, 1)),
            (Kind::Nstat, "{\"kernel\": {\"TcpActiveOpens\": }}", (1, 31)),
            (Kind::Mib, "Tcp: A B\nTcp: 1\n", (2, 1)),
            (Kind::Mib, "Tcp: A B\nTcp: 1 x\n", (2, 8)),
            (Kind::Mib, "Tcp: A B\n", (1, 9)),
        ] {
            let error = read(kind, text).expect_err(text);
            assert_eq!(error.position(text), Some(at), "{text}");
        }
    }
}
