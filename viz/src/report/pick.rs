//! What of a long run a report holds in full: which instants, which RSTs, which rows of a table.

use std::collections::BTreeSet;

use finwait_model::kernel::{Line, Object};
use finwait_model::state::TcpState;
use finwait_model::time::{Clock, Instant};
use finwait_sim::findings;
use finwait_sim::run::HostOutcome;

use super::facts::{Reset, SocketTable};

/// Instants at which tables are shown, the one behind the first refusal and a few more apart.
const INSTANTS: usize = 30;
/// RSTs that are shown in full: so many evenly over the run,
const RESETS: usize = 24;
/// and so many more of each kind.
const OF_EACH_KIND: usize = 2;
/// Kinds beyond so many have no RST in full of their own.
const KINDS: usize = 24;
/// Rows of one table that are no buckets.
const SOCKETS: usize = 200;
/// Buckets of one table in FIN-WAIT-2, and in TIME-WAIT.
const BUCKETS: [usize; 2] = [20, 40];

/// So many of `count` things, evenly, the first and the last among them.
pub(super) fn even(count: usize, most: usize) -> Vec<usize> {
    match (count, most) {
        (0, _) | (_, 0) => Vec::new(),
        _ if count <= most => (0..count).collect(),
        (_, 1) => vec![0],
        _ => (0..most).map(|n| n * (count - 1) / (most - 1)).collect(),
    }
}

/// The instants at which tables are shown: evenly over the samples, and where the story turns.
pub(super) fn instants(hosts: &[HostOutcome], end: Instant) -> Vec<Instant> {
    let mut all = BTreeSet::from([end]);
    if let Some(host) = hosts.first() {
        all.extend(even(host.series.len(), INSTANTS).into_iter().map(|n| host.series[n].at));
    }
    for host in hosts {
        let Some(behind) = host.series.iter().position(|s| s.overflows > 0) else { continue };
        let around = [behind.checked_sub(1), Some(behind), Some(behind + 1)];
        all.extend(around.into_iter().flatten().filter_map(|n| Some(host.series.get(n)?.at)));
        all.extend(findings::nearly_full(host).map(|s| s.at));
        let peak = host.series.iter().max_by_key(|s| (s.sockstat.tw, core::cmp::Reverse(s.at)));
        all.extend(peak.map(|s| s.at));
    }
    all.into_iter().collect()
}

/// The RSTs that are shown in full, as places among all of them.
pub(super) fn resets(resets: &[Reset]) -> Vec<usize> {
    let mut all: BTreeSet<usize> = even(resets.len(), RESETS).into_iter().collect();
    let mut seen = std::collections::BTreeMap::new();
    for (n, reset) in resets.iter().enumerate() {
        let kinds = seen.len();
        let kind = (reset.host, reset.cause, reset.because);
        if kinds >= KINDS && !seen.contains_key(&kind) {
            continue;
        }
        let count = seen.entry(kind).or_insert(0);
        *count += 1;
        if *count <= OF_EACH_KIND {
            all.insert(n);
        }
    }
    all.into_iter().collect()
}

/// The rows of a host's table: every socket, a sample of the buckets.
pub(super) fn rows<'a>(
    lines: impl Iterator<Item = &'a Line>,
    clock: Clock,
    at: Instant,
) -> SocketTable {
    let (mut sockets, mut closing, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        let list = match (line.object, line.state) {
            (Object::Bucket, TcpState::FinWait2) => &mut closing,
            (Object::Bucket, _) => &mut waiting,
            _ => &mut sockets,
        };
        list.push(line);
    }
    let count = (sockets.len() + closing.len() + waiting.len()) as u64;
    // Listeners first: there are few, and everybody looks for them.
    sockets.sort_by_key(|line| line.object != Object::Listener);
    let mut chosen = Vec::new();
    let mut take = |list: &[&Line], most: usize| {
        let places = even(list.len(), most);
        let left_out = list.len() - places.len();
        chosen.extend(places.into_iter().map(|n| list[n].row(clock, at)));
        left_out as u64
    };
    let sockets_left_out = take(&sockets, SOCKETS);
    let buckets_left_out = take(&closing, BUCKETS[0]) + take(&waiting, BUCKETS[1]);
    SocketTable { count, sockets_left_out, buckets_left_out, rows: chosen }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_keeps_both_ends_and_no_more_than_wanted() {
        assert_eq!(even(0, 5), Vec::<usize>::new());
        assert_eq!(even(3, 5), [0, 1, 2]);
        assert_eq!(even(101, 5), [0, 25, 50, 75, 100]);
        assert_eq!(even(9, 1), [0]);
    }
}
