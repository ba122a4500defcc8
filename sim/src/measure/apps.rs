//! The names of what applications and boxes count: `web.pool.hits`, `web.pool.hit_rate`,
//! `web.closes.short-code`, `web.age.short-code.p50`,
//! `lb.box.forgotten`, `redis.EADDRINUSE`, `web.connect.p99`, `load.requests/s`, `load.errors.ECONNRESET`,
//! `web.http.502`.

use finwait_model::errno::Errno;

use super::names::percentile;
use super::value::{Unit, Value};
use crate::ages::Ages;
use crate::app::{Class, LoadTally, Reason, Status, WebTally};
use crate::latencies::Latencies;
use crate::run::HostOutcome;

/// One thing that applications or boxes count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AppWhat {
    /// A number of a pool, by its place in the table.
    Pool(usize),
    /// Requests that found a connection in the pool, out of all that got one.
    HitRate,
    /// Connections that were begun, for each second of the run.
    ConnectRate,
    /// Connections that pools closed for a reason.
    Closes(Reason),
    /// How old they were, for a reason or for any: a percentile in thousandths, or the highest.
    Age(Option<Reason>, Option<u64>),
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
    /// A number of a load generator, by its place in the table.
    Load(usize),
    /// A number of a web server, likewise.
    Web(usize),
    /// Requests of a web server with a status.
    Status(Status),
    /// What failed, by name.
    Errors(Failed),
    /// Calls of scripts that returned.
    Calls,
    /// Copies of scripts that ended before their end, because of what they did not expect.
    Surprises,
}

/// Which failures are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failed {
    /// All.
    All,
    /// Those of a load generator, as wrk sorts them.
    Class(Class),
    /// By errno, whoever met it.
    Errno(Errno),
    /// An end of file where an answer should have come.
    Eof,
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

type OfLoad = (&'static str, fn(&LoadTally) -> u64);
type OfWeb = (&'static str, fn(&WebTally) -> u64);

const LOAD: [OfLoad; 6] = [
    ("requests", |l| l.answered),
    ("sent", |l| l.sent),
    ("failed", |l| l.failed),
    ("given_up", |l| l.given_up),
    ("in_flight", LoadTally::in_flight),
    ("lost", |l| l.lost),
];

const WEB: [OfWeb; 9] = [
    ("accepted", |w| w.accepted),
    ("open", |w| w.open),
    ("requests", |w| w.requests),
    ("reused", |w| w.reused),
    ("under_way", |w| w.under_way),
    ("hits", |w| w.hits),
    ("misses", |w| w.misses),
    ("idle", |w| w.idle),
    ("retries", |w| w.retries),
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

/// Every name, for proposals; those with a thousand forms a few times.
pub(super) fn all() -> impl Iterator<Item = String> {
    let plain = [
        "restarts",
        "EADDRINUSE",
        "connects",
        "connect_rate",
        "connect.p50",
        "connect.p99",
        "connect.max",
        "pool.hit_rate",
        "age.p50",
        "age.p99",
        "age.max",
    ];
    let ages = Reason::ALL.iter().map(|reason| format!("age.{}.p50", reason.name()));
    let pool = POOL.iter().map(|(name, _)| format!("pool.{name}"));
    let closes = Reason::ALL.iter().map(|reason| format!("closes.{}", reason.name()));
    let boxes = BOX.iter().map(|(name, _)| format!("box.{name}"));
    let load = LOAD.iter().map(|(name, _)| (*name).to_owned());
    let web = WEB.iter().map(|(name, _)| *name).chain(Status::ALL.map(Status::name));
    let errors = Class::ALL.map(Class::name).into_iter().chain(Errno::ALL.iter().map(|e| e.name()));
    let errors = errors.map(|name| format!("errors.{name}"));
    let more = ["errors", "errors.EOF", "script.calls", "script.surprises"];
    plain
        .map(str::to_owned)
        .into_iter()
        .chain(pool)
        .chain(closes)
        .chain(ages)
        .chain(boxes)
        .chain(load)
        .chain(web.map(|name| format!("http.{name}")))
        .chain(errors)
        .chain(more.map(str::to_owned))
}

/// The thing with that name; `None` if it is none of an application's, and what would have been
/// expected if it only begins like one.
pub(super) fn named(name: &str) -> Option<Result<AppWhat, &'static str>> {
    match name {
        "restarts" => return Some(Ok(AppWhat::Restarts)),
        "EADDRINUSE" => return Some(Ok(AppWhat::InUse)),
        "connects" => return Some(Ok(AppWhat::Connects)),
        "connect_rate" => return Some(Ok(AppWhat::ConnectRate)),
        "pool.hit_rate" => return Some(Ok(AppWhat::HitRate)),
        "connect.max" => return Some(Ok(AppWhat::LongestConnect)),
        "errors" => return Some(Ok(AppWhat::Errors(Failed::All))),
        "script.calls" => return Some(Ok(AppWhat::Calls)),
        "script.surprises" => return Some(Ok(AppWhat::Surprises)),
        _ => {}
    }
    if let Some(place) = LOAD.iter().position(|(known, _)| *known == name) {
        return Some(Ok(AppWhat::Load(place)));
    }
    let (kind, rest) = name.split_once('.')?;
    Some(match kind {
        "pool" => {
            POOL.iter().position(|(known, _)| *known == rest).map(AppWhat::Pool).ok_or(
                "expected a number of a pool such as pool.hits, pool.hit_rate or pool.failed",
            )
        }
        "box" => BOX
            .iter()
            .position(|(known, _)| *known == rest)
            .map(AppWhat::Passage)
            .ok_or("expected a number of a box such as box.forgotten or box.dropped"),
        "age" => age(rest).ok_or("expected age.p50, age.max or age.REASON.p50"),
        "closes" => reason(rest)
            .map(AppWhat::Closes)
            .ok_or("expected a reason to close such as closes.short-code or closes.pool-idle"),
        "http" => {
            http(rest).ok_or("expected a number of a web server such as http.requests or http.502")
        }
        "errors" => failed(rest).map(AppWhat::Errors).ok_or(
            "expected what failed: errors.ECONNRESET or another errno, errors.EOF, errors.connect, \
             errors.read, errors.write or errors.timeout",
        ),
        "script" => Err("expected script.calls or script.surprises"),
        "connect" => percentile(rest)
            .map(AppWhat::Connect)
            .ok_or("expected connect.p50, connect.p99, connect.max"),
        _ => return None,
    })
}

fn http(name: &str) -> Option<AppWhat> {
    let status = || Status::ALL.into_iter().find(|status| status.name() == name);
    let number = WEB.iter().position(|(known, _)| *known == name).map(AppWhat::Web);
    number.or_else(|| status().map(AppWhat::Status))
}

fn failed(name: &str) -> Option<Failed> {
    let class = Class::ALL.into_iter().find(|class| class.name() == name).map(Failed::Class);
    match name {
        "EOF" => Some(Failed::Eof),
        _ => class.or_else(|| Errno::from_name(name).map(Failed::Errno)),
    }
}

impl Failed {
    /// How often that has happened to the load generators, web servers and scripts of a host.
    fn of(self, host: &HostOutcome) -> u64 {
        let name = match self {
            Self::Class(class) => {
                return host.load.as_ref().map_or(0, |load| load.of_class(class));
            }
            Self::All => None,
            Self::Errno(errno) => Some(errno.name()),
            Self::Eof => Some("EOF"),
        };
        let is_it = |what: &str| name.is_none_or(|name| name == what);
        let load = host.load.iter().flat_map(|load| &load.errors).map(|((_, what), n)| (what, n));
        let web = host.web.iter().flat_map(|web| &web.errors);
        let script = host.script.iter().flat_map(|script| &script.errors);
        load.chain(web).chain(script).filter(|(what, _)| is_it(what)).map(|(_, n)| n).sum()
    }
}

fn reason(name: &str) -> Option<Reason> {
    Reason::ALL.iter().find(|reason| reason.name() == name).copied()
}

/// `p50`, `max`, `short-code.p50`.
fn age(name: &str) -> Option<AppWhat> {
    let (whose, which) = match name.rsplit_once('.') {
        Some((whose, which)) => (Some(reason(whose)?), which),
        None => (None, name),
    };
    let which = if which == "max" { None } else { Some(percentile(which)?) };
    Some(AppWhat::Age(whose, which))
}

impl AppWhat {
    /// Is it counted by load generators, so that its rate is one of the time that they load?
    pub(super) const fn is_of_load(self) -> bool {
        matches!(self, Self::Load(_))
    }
    /// What it counts.
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Connect(_) | Self::LongestConnect | Self::Age(..) => Unit::Time,
            Self::HitRate => Unit::Share,
            Self::ConnectRate => Unit::Rate,
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
            Self::Age(reason, thousandths) => {
                let ages = ages(hosts, reason);
                Value::time(thousandths.map_or_else(|| ages.most(), |p| ages.percentile(p)))
            }
            Self::HitRate => {
                let sum = |of: fn(&crate::app::PoolTally) -> u64| {
                    hosts.iter().filter_map(|host| host.pool.as_ref()).map(of).sum()
                };
                let (hits, all) = (sum(|pool| pool.hits), sum(|pool| pool.hits + pool.misses));
                Value { numerator: hits, denominator: all, unit: Unit::Share }
            }
            Self::ConnectRate => {
                let begun = hosts.iter().map(|host| host.clients.started).sum();
                let last = |host: &&HostOutcome| host.series.last().map(|sample| sample.at.ns);
                let denominator = hosts.iter().filter_map(last).max().unwrap_or(0);
                Value { numerator: begun, denominator, unit: Unit::Rate }
            }
            _ => Value::count(hosts.iter().map(|host| self.count(host)).sum()),
        }
    }
    fn count(self, host: &HostOutcome) -> u64 {
        match self {
            Self::Pool(number) => host.pool.as_ref().map_or(0, POOL[number].1),
            Self::Closes(reason) => {
                let web = host.web.as_ref().and_then(|web| web.closes.get(&reason)).copied();
                host.pool.as_ref().map_or(0, |pool| pool.closed(reason)) + web.unwrap_or(0)
            }
            Self::Load(number) => host.load.as_ref().map_or(0, LOAD[number].1),
            Self::Web(number) => host.web.as_ref().map_or(0, WEB[number].1),
            Self::Status(status) => host.web.as_ref().map_or(0, |web| web.with(status)),
            Self::Errors(failed) => failed.of(host),
            Self::Calls => host.script.as_ref().map_or(0, |script| script.calls),
            Self::Surprises => host.script.as_ref().map_or(0, |script| script.surprised()),
            Self::Passage(number) => host.passage.as_ref().map_or(0, BOX[number].1),
            Self::Restarts => host.servers.restarts,
            Self::InUse => host.servers.in_use,
            Self::Connects => host.connects.count(),
            Self::Connect(_)
            | Self::LongestConnect
            | Self::Age(..)
            | Self::HitRate
            | Self::ConnectRate => 0,
        }
    }
}

/// How old connections were when they were closed, on all of these hosts.
fn ages(hosts: &[&HostOutcome], reason: Option<Reason>) -> Ages {
    let mut all = Ages::default();
    for pool in hosts.iter().filter_map(|host| host.pool.as_ref()) {
        match reason {
            None => all.add(&pool.ages),
            Some(reason) => {
                if let Some(ages) = pool.closes.get(&reason) {
                    all.add(ages);
                }
            }
        }
    }
    all
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
