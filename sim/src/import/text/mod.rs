//! What Linux's tools print, read back: one file for each of them.
//!
//! A line that does not belong there is an error with its place; what a tool prints beside what
//! matters here (other protocols, other sections) is passed over and counted.

pub mod counters;
pub mod netstat;
pub mod proc_tcp;
pub mod release;
pub mod sockstat;
pub mod ss;
pub mod sysctl;

use core::ops::Range;

use crate::scenario::Error;

/// A text of one of these kinds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `sysctl -a`, or lines of /proc/sys.
    Sysctl,
    /// `nstat`, as text or JSON.
    Nstat,
    /// `netstat -s`.
    Netstat,
    /// /proc/net/snmp and /proc/net/netstat.
    Mib,
    /// `ss -tan`.
    Ss,
    /// `ss -s`.
    SsSummary,
    /// /proc/net/sockstat.
    Sockstat,
    /// /proc/net/tcp.
    ProcTcp,
    /// `uname -r` or `uname -a`.
    Uname,
    /// /proc/uptime.
    Uptime,
}

impl Kind {
    /// What prints it.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Sysctl => "sysctl -a",
            Self::Nstat => "nstat",
            Self::Netstat => "netstat -s",
            Self::Mib => "/proc/net/snmp",
            Self::Ss => "ss -tan",
            Self::SsSummary => "ss -s",
            Self::Sockstat => "/proc/net/sockstat",
            Self::ProcTcp => "/proc/net/tcp",
            Self::Uname => "uname",
            Self::Uptime => "/proc/uptime",
        }
    }
}

/// What kind of text this is, by its first lines; the error says what was expected.
pub fn recognise(text: &str) -> Result<Kind, Error> {
    for (span, line) in lines(text).take(200) {
        // What went wrong for a key stands between the others where stderr was kept.
        if line.starts_with("sysctl: ") {
            continue;
        }
        if let Some(kind) = by_line(line) {
            return Ok(kind);
        }
        // Comments, prompts and blank lines may come before what matters.
        if !line.trim().is_empty() && !line.starts_with('#') {
            return Err(unknown(span));
        }
    }
    Err(unknown(0..text.len().min(1)))
}

fn unknown(span: Range<usize>) -> Error {
    Error {
        span: Some(span),
        message: "cannot tell what this is".to_owned(),
        expected:
            "expected the output of sysctl -a, nstat, netstat -s, ss -tan, ss -s, uname -r, or \
                   a file of /proc/net"
                .to_owned(),
        help: Some(
            "say what it is: --sysctl FILE, --counters FILE, --sockets FILE, --uname TEXT"
                .to_owned(),
        ),
    }
}

fn by_line(line: &str) -> Option<Kind> {
    let words: Vec<&str> = line.split_whitespace().take(4).collect();
    let first = *words.first()?;
    let second = words.get(1).copied().unwrap_or("");
    if line.starts_with("#kernel") || line.trim_start().starts_with('{') {
        return Some(Kind::Nstat);
    }
    if let Some(kind) = release::looks_like(&words) {
        return Some(kind);
    }
    if matches!((first, second), ("sockets:", "used")) {
        return Some(Kind::Sockstat);
    }
    if first == "sl" && second == "local_address" {
        return Some(Kind::ProcTcp);
    }
    if first == "Total:" {
        return Some(Kind::SsSummary);
    }
    if ss::is_headline(&words) || ss::is_row(&words) {
        return Some(Kind::Ss);
    }
    if first.ends_with(':') && first.len() > 2 && !first.contains(['.', '/']) {
        let alone = words.len() == 1;
        return Some(if alone { Kind::Netstat } else { Kind::Mib });
    }
    if sysctl::looks_like(line) {
        return Some(Kind::Sysctl);
    }
    let named = words.len() == 3 && counters::is_name(first) && second.parse::<u64>().is_ok();
    named.then_some(Kind::Nstat)
}

/// The lines with their places in the text.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let at = start;
        start += line.len() + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        (at..at + line.len(), line)
    })
}

/// The words of a line with their places in the text.
pub(super) fn words(span: &Range<usize>, line: &str) -> Vec<(Range<usize>, String)> {
    let mut out = Vec::new();
    let mut rest = line;
    let mut at = span.start;
    loop {
        let skipped = rest.len() - rest.trim_start().len();
        rest = &rest[skipped..];
        at += skipped;
        let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
        if length == 0 {
            return out;
        }
        out.push((at..at + length, rest[..length].to_owned()));
        rest = &rest[length..];
        at += length;
    }
}

/// A mistake at a place.
pub(super) fn wrong(span: Range<usize>, message: impl Into<String>, expected: &str) -> Error {
    Error { span: Some(span), message: message.into(), expected: expected.to_owned(), help: None }
}

/// What was typed, cut to a length at which it can be shown.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

#[cfg(test)]
mod tests;
