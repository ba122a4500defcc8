//! The names of what can be measured of a host.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::kernel::SockStat;
use finwait_model::state::TcpState;
use finwait_model::time::Span;

use super::apps::{self, AppWhat};
use super::value::{Unit, Value};
use crate::because::Because;
use crate::latencies::Latencies;
use crate::run::HostOutcome;
use crate::sample::Sample;

/// One thing that is measured of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A counter of the kernel.
    Counter(Mib),
    /// RSTs from one site of the kernel.
    Cause(Cause),
    /// RSTs that one kind of earlier event made inevitable.
    Because(Because),
    /// The most at any sample.
    Peak(Table),
    /// The last sample.
    End(Table),
    /// What the clients or servers counted.
    Client(Count),
    /// A percentile of the clients' latencies, in thousandths.
    Percentile(u64),
    /// The longest latency.
    Longest,
    /// What pools, servers and boxes count.
    App(AppWhat),
}

/// A table of a host, as a sample shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Table {
    Tw,
    Orphan,
    Inuse,
    Alloc,
    /// Sockets and buckets in a state.
    State(TcpState),
}

/// A number that clients or servers count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Count {
    Started,
    Finished,
    NotConnected,
    Broken,
    NoPort,
    Latencies,
    Accepted,
    Served,
    Torn,
    Rejected,
}

const TABLES: [(&str, Table); 14] = [
    ("tw", Table::Tw),
    ("orphan", Table::Orphan),
    ("inuse", Table::Inuse),
    ("alloc", Table::Alloc),
    ("established", Table::State(TcpState::Established)),
    ("syn_sent", Table::State(TcpState::SynSent)),
    ("syn_recv", Table::State(TcpState::SynRecv)),
    ("fin_wait1", Table::State(TcpState::FinWait1)),
    ("fin_wait2", Table::State(TcpState::FinWait2)),
    ("time_wait", Table::State(TcpState::TimeWait)),
    ("close_wait", Table::State(TcpState::CloseWait)),
    ("last_ack", Table::State(TcpState::LastAck)),
    ("closing", Table::State(TcpState::Closing)),
    ("listen", Table::State(TcpState::Listen)),
];

const CLIENTS: [(&str, Count); 11] = [
    ("lifecycles", Count::Finished),
    ("started", Count::Started),
    ("finished", Count::Finished),
    ("not_connected", Count::NotConnected),
    ("broken", Count::Broken),
    ("EADDRNOTAVAIL", Count::NoPort),
    ("answers", Count::Latencies),
    ("accepted", Count::Accepted),
    ("served", Count::Served),
    ("torn", Count::Torn),
    ("rejected", Count::Rejected),
];

/// Every name, for proposals; those with a thousand forms once for each.
pub(super) fn all() -> impl Iterator<Item = String> {
    let short = ["rst_sent", "overflow", "p50", "p90", "p99", "p999", "max"];
    let tables = TABLES.iter().flat_map(|(n, _)| [format!("peak.{n}"), format!("end.{n}")]);
    let causes = Cause::all().filter(|c| c.is_reset()).map(Cause::name);
    let becauses = Because::ALL.iter().map(|b| b.name());
    let rst = causes.chain(becauses).map(|name| format!("rst.{name}"));
    let clients = CLIENTS.iter().map(|(name, _)| (*name).to_owned());
    let counters = Mib::ALL.iter().map(|mib| mib.nstat_name().to_owned());
    let plain = short.map(str::to_owned).into_iter().chain(clients).chain(apps::all());
    plain.chain(tables).chain(rst).chain(counters)
}

impl What {
    /// The thing with that name, or what would have been expected.
    pub(super) fn named(name: &str) -> Result<Self, &'static str> {
        match name {
            "rst_sent" => return Ok(Self::Counter(Mib::OutRsts)),
            "overflow" => return Ok(Self::Counter(Mib::TCPTimeWaitOverflow)),
            "max" => return Ok(Self::Longest),
            _ => {}
        }
        if let Some(found) = apps::named(name) {
            return found.map(Self::App);
        }
        if let Some((_, count)) = CLIENTS.iter().find(|(known, _)| *known == name) {
            return Ok(Self::Client(*count));
        }
        if let Some(mib) = Mib::ALL.iter().find(|mib| mib.nstat_name() == name) {
            return Ok(Self::Counter(*mib));
        }
        if let Some(cause) = name.strip_prefix("rst.") {
            let because = || Because::ALL.iter().find(|b| b.name() == cause);
            return match Cause::from_name(cause).filter(|c| c.is_reset()) {
                Some(cause) => Ok(Self::Cause(cause)),
                None => because().map(|b| Self::Because(*b)).ok_or(
                    "expected a cause of a RST such as rst.rst-no-socket, or an earlier event such \
                     as rst.fin-wait-2-bucket-refused",
                ),
            };
        }
        let table = |name: &str| TABLES.iter().find(|(known, _)| *known == name).map(|t| t.1);
        const TABLE: &str = "expected tw, orphan, inuse, alloc or a state such as fin_wait2 there";
        if let Some(name) = name.strip_prefix("peak.") {
            return table(name).map(Self::Peak).ok_or(TABLE);
        }
        if let Some(name) = name.strip_prefix("end.") {
            return table(name).map(Self::End).ok_or(TABLE);
        }
        percentile(name).map(Self::Percentile).ok_or(
            "expected a name such as rst_sent, overflow, peak.tw, end.tw, rst.CAUSE, lifecycles, \
             broken, EADDRNOTAVAIL, p99, or a counter as nstat prints it",
        )
    }
    /// What it counts.
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Percentile(_) | Self::Longest => Unit::Time,
            Self::App(what) => what.unit(),
            _ => Unit::Count,
        }
    }
    /// Is it counted by load generators, so that its rate is one of the time that they load?
    pub(super) const fn is_of_load(self) -> bool {
        matches!(self, Self::App(what) if what.is_of_load())
    }
    /// What it comes to, over all of these hosts.
    pub(super) fn of(self, hosts: &[&HostOutcome]) -> Value {
        let sum = |of: &dyn Fn(&HostOutcome) -> u64| {
            Value::count(hosts.iter().map(|host| of(host)).sum())
        };
        let rst = |fits: &dyn Fn(&crate::because::Group) -> bool| {
            sum(&|host| host.rst.iter().filter(|g| fits(g)).map(|g| g.count).sum())
        };
        match self {
            Self::Counter(mib) => sum(&|host| host.counter(mib)),
            Self::Cause(cause) => rst(&|group| group.cause == cause),
            Self::Because(because) => rst(&|group| group.because == because),
            Self::Peak(table) => Value::count(peak(table, hosts)),
            Self::End(table) => {
                sum(&|host| host.series.last().map_or(0, |sample| table.of(sample)))
            }
            Self::Client(count) => sum(&|host| count.of(host)),
            Self::Percentile(thousandths) => {
                Value::time(latency(hosts, &|all| all.percentile(thousandths)))
            }
            Self::Longest => Value::time(latency(hosts, &Latencies::most)),
            Self::App(what) => what.of(hosts),
        }
    }
}

/// `p50`, `p99`, `p999`: digits behind the first two are decimals.
pub(super) fn percentile(name: &str) -> Option<u64> {
    let digits = name.strip_prefix('p')?;
    let number: u64 = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
    match digits.len() {
        2 => Some(number * 10),
        3 if number != 100 => Some(number),
        _ => None,
    }
}

/// The most that stood in those tables together; all hosts are sampled at the same instants.
fn peak(table: Table, hosts: &[&HostOutcome]) -> u64 {
    let samples = hosts.iter().map(|host| host.series.len()).max().unwrap_or(0);
    let at = |n: usize| {
        hosts.iter().filter_map(|host| host.series.get(n)).map(|s| table.of(s)).sum::<u64>()
    };
    (0..samples).map(at).max().unwrap_or(0)
}

fn latency(hosts: &[&HostOutcome], of: &dyn Fn(&Latencies) -> Option<Span>) -> Option<Span> {
    if let [host] = hosts {
        return of(&host.latencies);
    }
    let mut all = Latencies::default();
    hosts.iter().for_each(|host| all.add(&host.latencies));
    of(&all)
}

impl Table {
    fn of(self, sample: &Sample) -> u64 {
        let SockStat { inuse, orphan, tw, alloc } = sample.sockstat;
        u64::from(match self {
            Self::Tw => tw,
            Self::Orphan => orphan,
            Self::Inuse => inuse,
            Self::Alloc => alloc,
            // `ss` shows half-open requests as SYN-RECV as well.
            Self::State(TcpState::SynRecv) => {
                sample.count(TcpState::SynRecv) + sample.count(TcpState::NewSynRecv)
            }
            Self::State(state) => sample.count(state),
        })
    }
}

impl Count {
    const fn of(self, host: &HostOutcome) -> u64 {
        match self {
            Self::Started => host.clients.started,
            Self::Finished => host.clients.finished,
            Self::NotConnected => host.clients.not_connected,
            Self::Broken => host.clients.broken,
            Self::NoPort => host.clients.no_port,
            Self::Latencies => host.latencies.count(),
            Self::Accepted => host.servers.accepted,
            Self::Served => host.servers.served,
            Self::Torn => host.servers.torn,
            Self::Rejected => host.servers.rejected,
        }
    }
}
