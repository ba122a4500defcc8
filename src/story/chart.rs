//! A small chart of buckets over time against the limit, with RSTs per second below it.

use std::fmt::Write as _;

use finwait_sim::run::HostOutcome;

use super::text::{grouped, seconds};

const COLUMNS: usize = 80;
const ROWS: usize = 8;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws it, unless there never was a bucket to speak of.
pub(super) fn buckets(out: &mut String, host: &HostOutcome) {
    let limit = host.sysctl.tcp_max_tw_buckets;
    if host.series.len() < 2 || host.peak.tw < 10 {
        return;
    }
    let near = u64::try_from(limit).is_ok_and(|l| l < u64::from(host.peak.tw) * 3);
    let top = if near { limit as u64 } else { u64::from(host.peak.tw) };
    let title = format!("Timewait buckets of {}, net.ipv4.tcp_max_tw_buckets = {limit}", host.name);
    let _ = writeln!(out, "{title}");
    let values: Vec<u64> =
        columns(host).map(|(_, to)| u64::from(host.series[to].sockstat.tw)).collect();
    if near {
        let _ = writeln!(out, "{:>9} ┬{} limit", grouped(top), "─".repeat(COLUMNS));
    }
    for row in (0..ROWS).rev() {
        let line: String = values.iter().map(|&v| cell(v, top, row)).collect();
        let label = match row {
            4 => grouped(top / 2),
            7 if !near => grouped(top),
            _ => String::new(),
        };
        let _ = writeln!(out, "{label:>9} ┤{line}");
    }
    let last = host.series[host.series.len() - 1].at.ns;
    let end = format!("{} s", seconds(last, 0));
    let gap = "─".repeat(COLUMNS);
    let _ = writeln!(out, "{:>9} └{gap} {end}", 0);
    resets(out, host);
    out.push('\n');
}

/// RSTs per second, on the same time axis.
fn resets(out: &mut String, host: &HostOutcome) {
    let rates: Vec<u64> = columns(host)
        .map(|(from, to)| {
            let (a, b) = (&host.series[from], &host.series[to]);
            let span = b.at.since(a.at).ns.max(1);
            ((b.out_rsts - a.out_rsts) as u128 * 1_000_000_000 / u128::from(span)) as u64
        })
        .collect();
    let most = rates.iter().copied().max().unwrap_or(0);
    if most > 0 {
        let line: String = rates.iter().map(|&r| cell(r, most * ROWS as u64, 0)).collect();
        let _ = writeln!(out, "{:>9}  {line} ≤ {}/s", "RST/s", grouped(most));
    }
}

/// The samples between which each column lies.
fn columns(host: &HostOutcome) -> impl Iterator<Item = (usize, usize)> + '_ {
    let last = host.series.len() - 1;
    (0..COLUMNS).map(move |c| (c * last / COLUMNS, (c + 1) * last / COLUMNS))
}

/// The character of one column in one row; eight levels each, and never nothing for something.
fn cell(value: u64, top: u64, row: usize) -> char {
    let levels = (ROWS * 8) as u64;
    let filled = (value.saturating_mul(levels) / top.max(1)).max(u64::from(value > 0));
    let here = filled.saturating_sub((row * 8) as u64).min(8);
    BLOCKS[here as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_fill_from_below() {
        assert_eq!(cell(0, 64, 0), ' ');
        assert_eq!(cell(1, 1000, 0), '▁');
        assert_eq!(cell(12, 64, 0), '█');
        assert_eq!(cell(12, 64, 1), '▄');
        assert_eq!(cell(12, 64, 2), ' ');
        assert_eq!(cell(64, 64, 7), '█');
        assert_eq!(cell(99, 64, 7), '█');
    }
}
