//! `nstat`: counters by name, as iproute2 prints them without a daemon.
//!
//! Only the groups Tcp and TcpExt, and of these the counters that finwait counts: one that it does
//! not is left out, because its 0 would be read as "never happened".

use core::fmt::Write as _;

use finwait_model::counters::Mib;

use super::{HostView, mib};

/// What `nstat` shows.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// `-z`: also counters that are zero.
    pub zeros: bool,
    /// Names with `*` and `?`; none: all.
    pub patterns: Vec<String>,
}

/// What the counters have risen by since `before`, or since the host booted.
pub fn select(view: &HostView, before: Option<&HostView>, options: &Options) -> Vec<(Mib, u64)> {
    mib::counters(view)
        // A gauge has no increments: nstat never shows it.
        .filter(|(mib, _)| *mib != Mib::CurrEstab)
        .map(|(mib, n)| (mib, n.saturating_sub(before.map_or(0, |b| b.counter(mib)))))
        .filter(|(_, n)| options.zeros || *n > 0)
        .filter(|(mib, _)| {
            let name = mib.nstat_name();
            options.patterns.is_empty() || options.patterns.iter().any(|p| matches(p, name))
        })
        .collect()
}

/// The text. The last column is a rate that only a daemon would know: without one nstat prints 0.0.
pub fn text(view: &HostView, before: Option<&HostView>, options: &Options) -> String {
    let mut out = "#kernel\n".to_owned();
    for (mib, n) in select(view, before, options) {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{:<32}{n:<16}{:>6}", mib.nstat_name(), "0.0");
    }
    out
}

/// Does the name match a pattern with `*` (anything) and `?` (any one character)?
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => (0..=name.len())
            .filter(|&i| name.is_char_boundary(i))
            .any(|i| matches(&pattern[1..], &name[i..])),
        Some(p) => name.chars().next().is_some_and(|n| {
            (p == '?' || p == n) && matches(&pattern[p.len_utf8()..], &name[n.len_utf8()..])
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, want) in [
            ("TcpOutRsts", "TcpOutRsts", true),
            ("TcpOut", "TcpOutRsts", false),
            ("*Rsts", "TcpOutRsts", true),
            ("Tcp*R?ts", "TcpOutRsts", true),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
