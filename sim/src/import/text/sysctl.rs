//! `sysctl -a`, `/etc/sysctl.conf`, and `grep . /proc/sys/…`: names and values.

use super::{lines, shown, wrong};
use crate::scenario::Error;

/// A sysctl as the machine has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The full name, with dots.
    pub name: String,
    /// The value.
    pub value: String,
    /// On which line, counted from 1.
    pub line: usize,
}

/// Reads them. The last of two lines with one name holds, as with `sysctl -p`.
pub fn read(text: &str) -> Result<Vec<Given>, Error> {
    let mut out: Vec<Given> = Vec::new();
    for (number, (span, line)) in lines(text).enumerate() {
        let trimmed = line.trim();
        // "sysctl: permission denied on key …" comes between the lines where stderr was kept.
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) || trimmed.starts_with("sysctl: ")
        {
            continue;
        }
        let Some((name, value)) = split(trimmed) else {
            return Err(wrong(
                span,
                format!("{} is no sysctl with a value", shown(trimmed)),
                "expected a line such as \"net.ipv4.tcp_fin_timeout = 60\"",
            ));
        };
        out.push(Given { name, value: value.to_owned(), line: number + 1 });
    }
    Ok(out)
}

/// Is this line one with a name and a value?
pub(super) fn looks_like(line: &str) -> bool {
    split(line.trim()).is_some_and(|(name, _)| name.contains('.'))
}

/// `a.b = v`, `a/b=v`, `-a.b = v` (errors ignored), `/proc/sys/a/b:v`.
fn split(line: &str) -> Option<(String, &str)> {
    let (name, value) = match line.strip_prefix("/proc/sys/") {
        Some(rest) => rest.split_once([':', '='])?,
        None => line.strip_prefix('-').unwrap_or(line).split_once('=')?,
    };
    let name = name.trim();
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\');
    if name.is_empty() || name.len() > 200 || !name.chars().all(fits) {
        return None;
    }
    Some((dotted(name), value.trim()))
}

/// With slashes as separators dots stand within names (an interface called eth0.1), and the other
/// way round.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']).map(|at| name.as_bytes()[at]) {
        Some(b'/') => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings() {
        let text = "# comment\nsysctl: permission denied on key 'x'\nnet.ipv4.tcp_rmem = 4096\t87380\t6291456\r\n\
                    net/ipv4/conf/eth0.1/x=1\n/proc/sys/net/ipv4/tcp_sack:1\n-net.core.somaxconn = 7\nkernel.domainname =\n";
        let read = read(text).expect("it is right");
        let pairs: Vec<_> =
            read.iter().map(|g| (g.name.as_str(), g.value.as_str(), g.line)).collect();
        assert_eq!(
            pairs,
            [
                ("net.ipv4.tcp_rmem", "4096\t87380\t6291456", 3),
                ("net.ipv4.conf.eth0/1.x", "1", 4),
                ("net.ipv4.tcp_sack", "1", 5),
                ("net.core.somaxconn", "7", 6),
                ("kernel.domainname", "", 7),
            ]
        );
    }

    #[test]
    fn a_line_without_value_is_an_error_with_its_place() {
        let text = "net.ipv4.tcp_sack = 1\nnonsense\n";
        let error = read(text).expect_err("there is no value");
        assert_eq!(error.position(text), Some((2, 1)));
        assert_eq!(error.span, Some(22..30));
    }
}
