//! From what is known of a machine to a scenario.

use std::collections::{BTreeMap, BTreeSet};

use finwait_model::counters::Mib;
use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::sysctl::{Sysctl, SysctlError};
use finwait_model::time::Span;

use super::document::{Basis, Imported, LeftOut, Section, Seen};
use super::facts::{Facts, of_system};
use super::numbers::rate;
use super::text::release::{Nearest, nearest};
use super::traffic::{Observed, Peer, Traffic, Trip, host_name};
use super::{from_capture, from_counters};
use crate::text::grouped;
use crate::units;

/// What the person who imports wants.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The scenario's name.
    pub name: Option<String>,
    /// How much time it covers.
    pub duration: Option<Span>,
}

/// Longer than a bucket lives, so that the table reaches what it will hold.
const DURATION: Span = Span::secs(180);

/// Makes the scenario.
pub fn infer(facts: &Facts, wishes: &Wishes) -> Imported {
    let own = facts.capture.as_ref().and_then(|(capture, _)| from_capture::machine(capture, facts));
    let own = own.map(|(addr, _)| addr);
    let (release, nearest) = facts.release(own);
    let own_name = own_name(facts, own);
    let capture = facts.capture.as_ref().filter(|(capture, _)| from_capture::has_traffic(capture));
    let by_capture = capture.map(|(c, source)| from_capture::traffic(c, source, facts, &own_name));
    let mut traffic = match by_capture {
        Some(traffic) if !traffic.apps.is_empty() => traffic,
        of_others => {
            let mut traffic = from_counters::traffic(facts, &own_name);
            if let Some((capture, source)) = &facts.capture {
                let seen = of_others
                    .unwrap_or_else(|| from_capture::traffic(capture, source, facts, &own_name));
                traffic.notes.extend(seen.notes);
                traffic.notes.push(format!("No connection of this machine begins in {source}."));
                traffic.left_out.extend(seen.left_out);
            }
            traffic
        }
    };
    addresses(&mut traffic);
    let mut out = Imported { sources: facts.sources.clone(), ..Imported::default() };
    out.notes.clone_from(&traffic.notes);
    out.tables.push(top(wishes, &own_name));
    machine(&mut out, facts, release, nearest.as_ref(), &own_name, &traffic);
    for peer in &traffic.peers {
        other(&mut out, peer, release);
    }
    links(&mut out, &traffic);
    out.seen = seen(facts);
    out.left_out.extend(traffic.left_out);
    out.tables.extend(traffic.apps);
    out
}

/// Gives addresses to hosts that have none, as soon as one has: else two might get the same. What
/// no host can have is not taken over.
fn addresses(traffic: &mut Traffic) {
    let fits = |addr: Addr| units::addr(&addr.to_string()).is_ok();
    traffic.addr = traffic.addr.take().filter(|(addr, _)| fits(*addr));
    let mut used: BTreeSet<Addr> = traffic.addr.iter().map(|(addr, _)| *addr).collect();
    for peer in &mut traffic.peers {
        peer.addr = peer.addr.filter(|addr| fits(*addr) && used.insert(*addr));
    }
    if used.is_empty() {
        return;
    }
    let mut free =
        (1..=254).map(|last| Addr::v4(10, 255, 0, last)).filter(|addr| !used.contains(addr));
    let why = "any that no other has";
    if traffic.addr.is_none() {
        traffic.addr = free.next().map(|addr| (addr, why.to_owned()));
    }
    for peer in traffic.peers.iter_mut().filter(|peer| peer.addr.is_none()) {
        peer.addr = free.next();
        peer.addr_is_free = true;
    }
}

/// What the machine is called in the scenario.
fn own_name(facts: &Facts, own: Option<Addr>) -> String {
    let by_itself = facts.host_name().and_then(host_name);
    let names = facts.capture.as_ref().map(|(capture, _)| &capture.names);
    let by_capture = || host_name(names?.get(&own?)?);
    let name = by_itself.or_else(by_capture).unwrap_or_else(|| "machine".to_owned());
    // Names that peers get.
    if name.starts_with("peer") || name.starts_with("clients") {
        format!("host-{name}")
    } else {
        name
    }
}

fn top(wishes: &Wishes, own_name: &str) -> Section {
    let mut top = Section::new("");
    if let Some(name) = &wishes.name {
        top.text("name", name, Basis::Given, "");
    }
    let about = format!("{own_name}, a real machine, by finwait import.");
    top.text("about", &about, Basis::Derived, "");
    match wishes.duration {
        Some(duration) => top.text("duration", &duration.to_string(), Basis::Given, ""),
        None => {
            let why = "three times as long as a bucket lives";
            top.text("duration", &DURATION.to_string(), Basis::Assumed, why);
        }
    }
    top
}

/// The machine itself: kernel, address, sysctls.
fn machine(
    out: &mut Imported,
    facts: &Facts,
    release: Release,
    nearest: Option<&(Nearest, String)>,
    name: &str,
    traffic: &Traffic,
) {
    let mut host = Section::new(&format!("hosts.{name}"));
    match nearest {
        Some((nearest, source)) => {
            host.about(format!("{} ({source}).", nearest.why));
            if !nearest.otherwise.is_empty() {
                let text = nearest.otherwise.join(", ");
                host.about(format!(
                    "There it is on the other side, unless its vendor has changed that: {text} (finwait explain NAME)."
                ));
            }
            host.text("kernel", release.name(), Basis::Derived, "");
        }
        None => {
            let why = "uname -r would say; of the modelled releases the newest";
            host.text("kernel", release.name(), Basis::Assumed, why);
        }
    }
    let why = format!(
        "CONFIG_HZ is not in the input; Linux {release} comes with {}",
        release.default_hz()
    );
    host.plain("hz", release.default_hz(), Basis::Assumed, why);
    if let Some(uptime) = facts.uptime {
        host.text("uptime", &uptime.to_string(), Basis::Given, "");
    }
    if let Some((addr, why)) = &traffic.addr {
        host.text("addr", &addr.to_string(), Basis::Derived, why.as_str());
    }
    mtu(&mut host, &traffic.machine);
    out.tables.push(host);
    let sysctl = sysctls(out, facts, release, name, &traffic.machine);
    out.tables.push(sysctl);
}

fn mtu(host: &mut Section, seen: &Observed) {
    if let Some((mtu, why)) = &seen.mtu
        && *mtu != 1500
        && (576..=65535).contains(mtu)
    {
        host.plain("mtu", mtu, Basis::Derived, why.as_str());
    }
}

/// The sysctls that decide what a close does; the rest is left out, by name where it is TCP's.
fn sysctls(
    out: &mut Imported,
    facts: &Facts,
    release: Release,
    name: &str,
    seen: &Observed,
) -> Section {
    let mut section = Section::new(&format!("hosts.{name}.sysctl"));
    let defaults = Sysctl::new(release);
    let mut others: BTreeMap<&str, u64> = BTreeMap::new();
    let mut unmodelled = Vec::new();
    let mut last: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for (given, source) in &facts.sysctls {
        last.insert(&given.name, (&given.value, source));
    }
    let last_is_empty = last.is_empty();
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    for (key, (value, source)) in last {
        match defaults.clone().set(key, value) {
            Ok(()) => {
                let words: Vec<&str> = value.split_whitespace().collect();
                let value = words.join(" ");
                let default = defaults.get(key).unwrap_or_default().replace('\t', " ");
                let differs = value != default;
                let why = if differs {
                    format!("{source}; Linux {release} has {default}")
                } else {
                    source.to_owned()
                };
                if differs { &mut changed } else { &mut same }.push((key, value, why));
            }
            Err(error) => {
                let of_tcp =
                    key.starts_with("net.ipv4.tcp_") || key.starts_with("net.ipv4.ip_local");
                match reason(&error, key, release) {
                    Some(why) => {
                        let (what, value) = (key.to_owned(), Some(value.to_owned()));
                        out.left_out.push(LeftOut { what, value, why });
                    }
                    None if of_tcp => unmodelled.push((key, value)),
                    None => *others.entry(key.split('.').next().unwrap_or(key)).or_default() += 1,
                }
            }
        }
    }
    if last_is_empty {
        section.about("No sysctl was given: all are the defaults of the kernel's release.");
    }
    for (key, value, why) in changed.into_iter().chain(same) {
        match value.parse::<i64>() {
            Ok(number) => section.plain(key, number, Basis::Given, why),
            Err(_) => section.text(key, &value, Basis::Given, why),
        }
    }
    for entry in &seen.sysctl {
        if section.entries.iter().all(|known| known.key != entry.key)
            && defaults.get(&entry.key).is_some()
        {
            section.entries.push(entry.clone());
        }
    }
    for (key, value) in unmodelled {
        let (what, value) = (key.to_owned(), Some(value.to_owned()));
        let why = "sysctls that finwait does not model".to_owned();
        out.left_out.push(LeftOut { what, value, why });
    }
    for (group, n) in others {
        let why = "sysctls that do not decide what a close does".to_owned();
        out.left_out.push(LeftOut {
            what: format!("{} of {group}.*", grouped(n)),
            value: None,
            why,
        });
    }
    section
}

/// Why a sysctl that some release has cannot be taken over; none if none has it.
fn reason(error: &SysctlError, key: &str, release: Release) -> Option<String> {
    Some(match error {
        SysctlError::Unknown => {
            let has = |other: &Release| Sysctl::new(*other).get(key).is_some();
            let other = Release::ALL.into_iter().find(has)?;
            format!("Linux {other} has it, Linux {release} has not")
        }
        SysctlError::ReadOnly => "it can only be read".to_owned(),
        SysctlError::NotNumbers(n) => format!("Linux {release} takes {n} whole numbers"),
        SysctlError::Range(low, high) => format!("Linux {release} takes {low} to {high}"),
    })
}

/// A host that the machine talks to.
fn other(out: &mut Imported, peer: &Peer, release: Release) {
    let mut host = Section::new(&format!("hosts.{}", peer.name));
    host.about.clone_from(&peer.about);
    let known = peer.system.as_deref().and_then(of_system).map(|uname| nearest(&uname));
    match known {
        Some(known) => host.text("kernel", known.release.name(), Basis::Derived, known.why),
        None => host.text("kernel", release.name(), Basis::Assumed, "as the machine"),
    }
    if let Some(addr) = peer.addr {
        let (basis, why) = match peer.addr_is_free {
            true => (Basis::Assumed, "any that no other has"),
            false => (Basis::Derived, ""),
        };
        host.text("addr", &addr.to_string(), basis, why);
    }
    mtu(&mut host, &peer.observed);
    out.tables.push(host);
    if !peer.observed.sysctl.is_empty() {
        let mut section = Section::new(&format!("hosts.{}.sysctl", peer.name));
        section.entries.clone_from(&peer.observed.sysctl);
        out.tables.push(section);
    }
}

/// One delay for all, and others for peers that are nearer or farther.
fn links(out: &mut Imported, traffic: &Traffic) {
    let mut links = Section::new("links");
    let general = traffic.trips.first();
    match general {
        Some(trip) => {
            links.text("delay", &trip.delay.to_string(), Basis::Derived, trip.why.as_str());
            if trip.jitter > Span::ZERO {
                links.text(
                    "jitter",
                    &trip.jitter.to_string(),
                    Basis::Derived,
                    "how round trips are spread",
                );
            }
        }
        None => {
            let why = "each way; a capture, or ss -tin, would say";
            links.text("delay", "100us", Basis::Assumed, why);
        }
    }
    if let Some((again, all, why)) = &traffic.loss
        && again < all
    {
        links.text("loss", &format!("{again}/{all}"), Basis::Derived, why.as_str());
    }
    out.tables.push(links);
    let own = out.tables.iter().find_map(|table| table.table.strip_prefix("hosts."));
    let Some(own) = own.map(str::to_owned) else { return };
    let Some(general) = general else { return };
    let far = |trip: &&Trip| {
        trip.delay.ns.abs_diff(general.delay.ns) > general.delay.ns / 10
            || trip.jitter.ns.abs_diff(general.jitter.ns) > general.delay.ns / 10
    };
    for trip in traffic.trips.iter().skip(1).filter(far) {
        let mut between = Section::repeated("links.between");
        between.text("from", &own, Basis::Derived, "");
        between.text("to", &trip.peer, Basis::Derived, "");
        between.text("delay", &trip.delay.to_string(), Basis::Derived, trip.why.as_str());
        between.text("jitter", &trip.jitter.to_string(), Basis::Derived, "");
        out.tables.push(between);
    }
}

/// Counters that tell of trouble with opening and closing.
const TELLING: &[Mib] = &[
    Mib::TCPTimeWaitOverflow,
    Mib::OutRsts,
    Mib::EstabResets,
    Mib::AttemptFails,
    Mib::TCPAbortOnData,
    Mib::TCPAbortOnClose,
    Mib::TCPAbortOnTimeout,
    Mib::TCPAbortOnLinger,
    Mib::TCPAbortOnMemory,
    Mib::TCPAbortFailed,
    Mib::ListenOverflows,
    Mib::ListenDrops,
    Mib::TCPReqQFullDrop,
    Mib::TCPReqQFullDoCookies,
    Mib::SyncookiesSent,
    Mib::EmbryonicRsts,
    Mib::TWRecycled,
    Mib::TWKilled,
    Mib::PAWSPassive,
    Mib::PAWSActive,
    Mib::PAWSEstab,
    Mib::PAWSTimewait,
    Mib::TCPSynRetrans,
    Mib::TCPTimeouts,
    Mib::RetransSegs,
    Mib::TCPChallengeACK,
    Mib::TCPDeferAcceptDrop,
];

fn seen(facts: &Facts) -> Vec<Seen> {
    let Some(last) = facts.snapshots.last() else { return Vec::new() };
    let mut out = Vec::new();
    for mib in TELLING {
        let name = mib.nstat_name();
        let Some(value) = last.counters.get(name).filter(|n| *n > 0) else { continue };
        let risen = facts.risen(name).filter(|_| facts.snapshots.len() == 2);
        let rate = risen.map(|(n, per)| match n {
            0 => format!("none in {per}"),
            n => {
                format!("{} more in {per}, {}", grouped(n), rate(u128::from(n), u128::from(per.ns)))
            }
        });
        let (counter, means) = (name.to_owned(), mib.about().counts.to_owned());
        out.push(Seen { counter, value, rate, means });
    }
    out
}
