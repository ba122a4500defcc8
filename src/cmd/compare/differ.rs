//! What differs in what came of two runs: measures, RSTs by cause, and every counter.

use std::collections::BTreeSet;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_sim::measure::{Measure, Value};

use super::side::{Came, Side};

/// Of each host that either run has, in the order of A, what is not the same.
#[derive(Debug)]
pub(super) struct Differences {
    /// The hosts that differ.
    pub(super) hosts: Vec<HostDiffers>,
}

/// A host that differs.
#[derive(Debug)]
pub(super) struct HostDiffers {
    /// Its name.
    pub(super) name: String,
    /// Measures, the telling ones first.
    pub(super) measures: Vec<Row>,
    /// Counters by their nstat names.
    pub(super) counters: Vec<Row>,
}

/// A number that is not the same.
#[derive(Debug)]
pub(super) struct Row {
    /// What is counted.
    pub(super) name: String,
    /// In A and in B; `None` where it is not known or the host is not there.
    pub(super) values: [Option<Value>; 2],
}

/// What is looked at of each host.
const MEASURES: [&str; 8] = [
    "rst_sent",
    "overflow",
    "peak.tw",
    "peak.fin_wait1",
    "peak.fin_wait2",
    "peak.time_wait",
    "peak.orphan",
    "end.tw",
];
/// The same of its clients.
const CLIENTS: [&str; 8] =
    ["EADDRNOTAVAIL", "not_connected", "broken", "started", "finished", "p50", "p99", "max"];

impl Differences {
    /// Looks at every host.
    pub(super) fn between(sides: &[Side; 2], came: &[Came; 2]) -> Self {
        let names = |n: usize| came[n].outcome.hosts.iter().map(|host| host.name.clone());
        let mut all: Vec<String> = names(0).collect();
        let more: Vec<String> = names(1).filter(|name| !all.contains(name)).collect();
        all.extend(more);
        let hosts = all.into_iter().map(|name| HostDiffers {
            measures: measures(&name, sides, came),
            counters: counters(&name, came),
            name,
        });
        let differs = |host: &HostDiffers| !(host.measures.is_empty() && host.counters.is_empty());
        Self { hosts: hosts.filter(differs).collect() }
    }
    /// Is everything the same?
    pub(super) const fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }
}

impl Row {
    /// Unless both are the same.
    fn new(name: &str, values: [Option<Value>; 2]) -> Option<Self> {
        let [a, b] = values;
        let same = match (a, b) {
            (Some(a), Some(b)) => a == b || a.compare(b).is_some_and(|order| order.is_eq()),
            // What only one of them can know is no difference of the runs.
            _ => true,
        };
        (!same).then(|| Self { name: name.to_owned(), values })
    }
    /// B by A, as far as that says something: `×0.50`, `gone`, `new`.
    pub(super) fn ratio(&self) -> String {
        let [Some(a), Some(b)] = self.values else { return String::new() };
        let (above, below) = (
            u128::from(b.numerator) * u128::from(a.denominator),
            u128::from(a.numerator) * u128::from(b.denominator),
        );
        match (below, above) {
            (_, 0) => "gone".to_owned(),
            (0, _) => "new".to_owned(),
            _ => {
                let hundredths = (above * 100 + below / 2) / below;
                match hundredths {
                    0 => "×<0.01".to_owned(),
                    n => format!("×{}.{:02}", n / 100, n % 100),
                }
            }
        }
    }
}

fn measures(name: &str, sides: &[Side; 2], came: &[Came; 2]) -> Vec<Row> {
    let clients = came[0].has_clients && came[1].has_clients;
    let clients: &[&str] = if clients { &CLIENTS } else { &[] };
    let of = |what: &str, n: usize| -> Option<Value> {
        let text = format!("{name}.{what}");
        Some(Measure::parse(&text, &sides[n].scenario).ok()?.of(&came[n].outcome))
    };
    let both = |what: &&str| Row::new(what, [of(what, 0), of(what, 1)]);
    let mut rows: Vec<Row> = MEASURES.iter().chain(clients).filter_map(both).collect();
    let place = |n: usize| came[n].outcome.hosts.iter().position(|host| host.name == name);
    if let (Some(a), Some(b)) = (place(0), place(1)) {
        let resets = [&came[0].resets[a], &came[1].resets[b]];
        let causes: BTreeSet<Cause> = resets.iter().flat_map(|r| r.keys().copied()).collect();
        rows.extend(causes.into_iter().filter_map(|cause| {
            let counts = resets.map(|r| Some(Value::count(r.get(&cause).copied().unwrap_or(0))));
            Row::new(&format!("rst.{}", cause.name()), counts)
        }));
    }
    rows
}

fn counters(name: &str, came: &[Came; 2]) -> Vec<Row> {
    let of =
        |mib: Mib, n: usize| came[n].outcome.host(name).map(|host| Value::count(host.counter(mib)));
    Mib::ALL
        .iter()
        .filter_map(|&mib| Row::new(mib.nstat_name(), [of(mib, 0), of(mib, 1)]))
        .collect()
}
