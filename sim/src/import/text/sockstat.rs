//! /proc/net/sockstat and `ss -s`: how many sockets there are.

use super::{lines, shown, words, wrong};
use crate::scenario::Error;

/// How many sockets a machine has.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SocketCounts {
    /// Full sockets in the tables (`inuse`).
    pub inuse: Option<u64>,
    /// Established connections, as `ss -s` counts them.
    pub established: Option<u64>,
    /// Orphans.
    pub orphan: u64,
    /// Timewait buckets.
    pub timewait: u64,
}

/// Reads the TCP line of /proc/net/sockstat.
pub fn read(text: &str) -> Result<SocketCounts, Error> {
    for (span, line) in lines(text) {
        let words = words(&span, line);
        if words.first().is_none_or(|(_, word)| word != "TCP:") {
            continue;
        }
        let value = |name: &str| {
            let at = words.iter().position(|(_, word)| word == name);
            let word = at.and_then(|at| words.get(at + 1));
            let Some((place, word)) = word else {
                return Err(missing(span.clone(), name));
            };
            word.parse().map_err(|_| {
                let message = format!("{} is no number of sockets", shown(word));
                wrong(place.clone(), message, "expected a whole number")
            })
        };
        return Ok(SocketCounts {
            inuse: Some(value("inuse")?),
            established: None,
            orphan: value("orphan")?,
            timewait: value("tw")?,
        });
    }
    let expected = "expected a line such as \"TCP: inuse 5 orphan 0 tw 12 alloc 7 mem 1\"";
    Err(wrong(0..text.len().min(1), "there is no line of TCP", expected))
}

/// Reads the TCP line of `ss -s`, of new iproute2 (`timewait 3`) and of old (`timewait 3/0`).
pub fn read_summary(text: &str) -> Result<SocketCounts, Error> {
    for (span, line) in lines(text) {
        if !line.starts_with("TCP:") || !line.contains('(') {
            continue;
        }
        let value = |name: &str| {
            let inside = line.split_once('(').map_or("", |(_, inside)| inside);
            let part = inside.split([',', ')']).map(str::trim).find_map(|part| {
                let (word, n) = part.split_once(' ')?;
                (word == name).then_some(n.split('/').next().unwrap_or(n))
            });
            let Some(part) = part else { return Err(missing(span.clone(), name)) };
            part.trim().parse::<u64>().map_err(|_| {
                let message = format!("{} is no number of sockets", shown(part));
                wrong(span.clone(), message, "expected a whole number")
            })
        };
        return Ok(SocketCounts {
            inuse: None,
            established: Some(value("estab")?),
            orphan: value("orphaned")?,
            timewait: value("timewait")?,
        });
    }
    let expected =
        "expected a line such as \"TCP:   9 (estab 2, closed 0, orphaned 0, timewait 0)\"";
    Err(wrong(0..text.len().min(1), "there is no line of TCP", expected))
}

fn missing(span: core::ops::Range<usize>, name: &str) -> Error {
    wrong(
        span,
        format!("the line of TCP does not say {name}"),
        &format!("expected {name} and a number"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockstat_and_summaries() {
        let text =
            "sockets: used 3\nTCP: inuse 3 orphan 1 tw 200 alloc 4 mem 311\nUDP: inuse 0 mem 0\n";
        let counts = read(text).expect("it is right");
        assert_eq!((counts.inuse, counts.orphan, counts.timewait), (Some(3), 1, 200));
        for text in [
            "Total: 4\nTCP:   204 (estab 2, closed 201, orphaned 1, timewait 200)\n\nTransport Total\n",
            "Total: 193 (kernel 252)\nTCP:   9 (estab 2, closed 0, orphaned 1, synrecv 0, timewait 200/0), ports 0\n",
        ] {
            let counts = read_summary(text).expect(text);
            let got = (counts.established, counts.orphan, counts.timewait);
            assert_eq!(got, (Some(2), 1, 200), "{text}");
        }
        let text = "sockets: used 3\nTCP: inuse 3 orphan x tw 200\n";
        assert_eq!(read(text).expect_err("x").position(text), Some((2, 21)));
        let text = "Total: 3\nTCP: 3 (estab 2)\n";
        assert_eq!(read_summary(text).expect_err("no timewait").position(text), Some((2, 1)));
    }
}
