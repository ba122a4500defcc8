//! The names of what pools, servers and boxes count: `web.pool.hits`, `web.closes.short-code`,
//! `lb.box.forgotten`, `redis.EADDRINUSE`, `web.connect.p99`.

use super::names::percentile;
use super::value::{Unit, Value};
use crate::app::Reason;
use crate::latencies::Latencies;
use crate::run::HostOutcome;

/// One thing that applications or boxes count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AppWhat {
    /// A number of a pool, by its place in the table.
    Pool(usize),
    /// Connections that pools closed for a reason.
    Closes(Reason),
    /// A number of a box, likewise.
    Passage(usize),
    /// Processes of servers that were restarted.
    Restarts,
    /// bind() that found the port taken.
    InUse,
    /// How many connections stood after a connect().
    Connects,
    /// A percentile of how long connect() took, in thousandths.
    Connect(u64),
    /// The longest connect().
    LongestConnect,
}

type OfPool = (&'static str, fn(&crate::app::PoolTally) -> u64);
type OfBox = (&'static str, fn(&crate::nat::Passage) -> u64);

const POOL: [OfPool; 9] = [
    ("requests", |p| p.requests),
    ("answered", |p| p.answered),
    ("failed", |p| p.failed()),
    ("failed_pooled", |p| p.failed_pooled),
    ("hits", |p| p.hits),
    ("misses", |p| p.misses),
    ("waited", |p| p.waited),
    ("kept", |p| p.kept),
    ("idle", |p| p.idle),
];

const BOX: [OfBox; 8] = [
    ("flows", |b| b.flows),
    ("adopted", |b| b.adopted),
    ("forgotten", |b| b.forgotten),
    ("refused", |b| b.refused),
    ("passed", |b| b.passed),
    ("dropped", |b| b.dropped),
    ("own", |b| b.own),
    ("peak", |b| b.peak),
];

/// Every name, for proposals.
pub(super) fn all() -> impl Iterator<Item = String> {
    let plain = ["restarts", "EADDRINUSE", "connects", "connect.p50", "connect.p99", "connect.max"];
    let pool = POOL.iter().map(|(name, _)| format!("pool.{name}"));
    let closes = Reason::ALL.iter().map(|reason| format!("closes.{}", reason.name()));
    let boxes = BOX.iter().map(|(name, _)| format!("box.{name}"));
    plain.map(str::to_owned).into_iter().chain(pool).chain(closes).chain(boxes)
}

/// The thing with that name; `None` if it is none of an application's, and what would have been
/// expected if it only begins like one.
pub(super) fn named(name: &str) -> Option<Result<AppWhat, &'static str>> {
    match name {
        "restarts" => return Some(Ok(AppWhat::Restarts)),
        "EADDRINUSE" => return Some(Ok(AppWhat::InUse)),
        "connects" => return Some(Ok(AppWhat::Connects)),
        "connect.max" => return Some(Ok(AppWhat::LongestConnect)),
        _ => {}
    }
    let (kind, rest) = name.split_once('.')?;
    Some(match kind {
        "pool" => POOL
            .iter()
            .position(|(known, _)| *known == rest)
            .map(AppWhat::Pool)
            .ok_or("expected a number of a pool such as pool.hits or pool.failed"),
        "box" => BOX
            .iter()
            .position(|(known, _)| *known == rest)
            .map(AppWhat::Passage)
            .ok_or("expected a number of a box such as box.forgotten or box.dropped"),
        "closes" => Reason::ALL
            .iter()
            .find(|reason| reason.name() == rest)
            .map(|reason| AppWhat::Closes(*reason))
            .ok_or("expected a reason to close such as closes.short-code or closes.pool-idle"),
        "connect" => percentile(rest)
            .map(AppWhat::Connect)
            .ok_or("expected connect.p50, connect.p99, connect.max"),
        _ => return None,
    })
}

impl AppWhat {
    /// What it counts.
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Connect(_) | Self::LongestConnect => Unit::Time,
            _ => Unit::Count,
        }
    }
    /// What it comes to, over all of these hosts.
    pub(super) fn of(self, hosts: &[&HostOutcome]) -> Value {
        let connects = || {
            let mut all = Latencies::default();
            hosts.iter().for_each(|host| all.add(&host.connects));
            all
        };
        match self {
            Self::Connect(thousandths) => Value::time(connects().percentile(thousandths)),
            Self::LongestConnect => Value::time(connects().most()),
            _ => Value::count(hosts.iter().map(|host| self.count(host)).sum()),
        }
    }
    fn count(self, host: &HostOutcome) -> u64 {
        match self {
            Self::Pool(number) => host.pool.as_ref().map_or(0, POOL[number].1),
            Self::Closes(reason) => host.pool.as_ref().map_or(0, |pool| pool.closed(reason)),
            Self::Passage(number) => host.passage.as_ref().map_or(0, BOX[number].1),
            Self::Restarts => host.servers.restarts,
            Self::InUse => host.servers.in_use,
            Self::Connects => host.connects.count(),
            Self::Connect(_) | Self::LongestConnect => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known() {
        for name in all() {
            assert!(matches!(named(&name), Some(Ok(_))), "{name}");
        }
        assert!(named("pool.nothing").is_some_and(|n| n.is_err()));
        assert!(named("web.pool.hits").is_none());
    }
}
