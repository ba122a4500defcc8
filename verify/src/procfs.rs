//! The live kernel's counters, as text under /proc of the calling thread's own namespace.

use std::collections::BTreeMap;
use std::io;

/// Counters of the groups `Tcp` and `TcpExt` by nstat name, without those that are zero.
pub fn counters() -> io::Result<BTreeMap<String, u64>> {
    let mut out = BTreeMap::new();
    collect(&read("snmp")?, "Tcp", &mut out);
    collect(&read("netstat")?, "TcpExt", &mut out);
    Ok(out)
}

/// `inuse` and `tw` of the TCP line of sockstat.
pub fn sockstat() -> io::Result<(u32, u32)> {
    let text = read("sockstat")?;
    let line = text.lines().find_map(|l| l.strip_prefix("TCP: ")).unwrap_or_default();
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |name: &str| {
        let at = words.iter().position(|w| *w == name)?;
        words.get(at + 1)?.parse().ok()
    };
    Ok((number("inuse").unwrap_or(0), number("tw").unwrap_or(0)))
}

fn read(name: &str) -> io::Result<String> {
    // Not /proc/net: that is the main thread's namespace.
    std::fs::read_to_string(format!("/proc/thread-self/net/{name}"))
}

/// A group is two lines that begin alike: names, then values.
fn collect(text: &str, group: &str, out: &mut BTreeMap<String, u64>) {
    let mut lines = text.lines().filter_map(|l| l.strip_prefix(group)?.strip_prefix(": "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return };
    for (name, value) in names.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
        match value.parse() {
            Ok(0) | Err(_) => {}
            Ok(n) => {
                out.insert(format!("{group}{name}"), n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_by_name() {
        let text = "Ip: A B\nIp: 1 2\nTcp: MaxConn OutRsts InSegs\nTcp: -1 3 0\n";
        let mut out = BTreeMap::new();
        collect(text, "Tcp", &mut out);
        assert_eq!(out.into_iter().collect::<Vec<_>>(), [("TcpOutRsts".to_owned(), 3)]);
    }
}
