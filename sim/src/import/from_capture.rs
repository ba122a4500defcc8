//! Traffic out of a capture: hosts, clients and servers with what was measured of them.

use std::collections::{BTreeMap, BTreeSet};

use finwait_model::flow::Addr;

use super::capture::{Capture, Service};
use super::document::Basis;
use super::facts::Facts;
use super::numbers::{one_way, percent};
use super::streams::{self, Group};
use super::traffic::{Observed, Peer, Traffic, Trip, host_name};
use crate::pcap::read::{End, Meant};
use crate::text::{grouped, seconds};

/// So many services become applications; the busiest ones.
const MOST_SERVICES: usize = 24;
/// So many clients of the machine are hosts of their own.
const MOST_CLIENTS: usize = 8;
/// A host has about 64,000 ports for one destination and needs each for 60 seconds: beyond so
/// many connections a second clients that are one host here would run out of ports.
const PER_CLIENT_HOST: u64 = 600;

/// Whether a capture shows any connection that a scenario can have.
pub(super) fn has_traffic(capture: &Capture) -> bool {
    capture.services.iter().any(|service| service.opened > 0)
}

/// The machine among the addresses of a capture, and how it was told.
pub(super) fn machine(capture: &Capture, facts: &Facts) -> Option<(Addr, String)> {
    let flows = |addr: &Addr| capture.addrs.get(addr).copied().unwrap_or(0);
    if let Some((sockets, source)) = &facts.sockets {
        let own: BTreeSet<Addr> = sockets.rows.iter().filter_map(|row| row.local.addr).collect();
        let own = own.into_iter().filter(|addr| flows(addr) > 0);
        if let Some(addr) = own.max_by_key(|addr| flows(addr)) {
            return Some((addr, format!("a local address in {source}")));
        }
    }
    let most = capture.addrs.values().max()?;
    let busiest: Vec<Addr> =
        capture.addrs.iter().filter(|(_, n)| *n == most).map(|(addr, _)| *addr).collect();
    let [one] = busiest.as_slice() else {
        // Two hosts alone: the capture was made on the one that is nearer.
        let service = capture.services.iter().max_by_key(|service| service.opened)?;
        let near_server = service.to_server.median() < service.to_client.median();
        let client = service.clients.keys().find(|client| busiest.contains(client));
        let addr = if near_server { service.server.addr } else { *client? };
        return Some((
            addr,
            "the host on which the capture was made, by the handshakes' times".to_owned(),
        ));
    };
    Some((*one, format!("it takes part in {} connections, more than any other", grouped(*most))))
}

/// What the capture shows, as parts of a scenario.
pub(super) fn traffic(capture: &Capture, source: &str, facts: &Facts, own_name: &str) -> Traffic {
    let mut out = Traffic::default();
    about(&mut out, capture, source);
    let Some((addr, why)) = machine(capture, facts) else { return out };
    out.addr = Some((addr, why));
    let mut services: Vec<(&Service, u64)> = Vec::new();
    for service in &capture.services {
        let own = match service.server.addr == addr {
            true => service.opened,
            false => service.clients.get(&addr).copied().unwrap_or(0),
        };
        if own > 0 {
            services.push((service, own));
        }
        if own < service.opened {
            let what =
                format!("{} connections to {}", grouped(service.opened - own), service.server);
            out.left_out(what, "not of this machine");
        }
    }
    services.sort_by_key(|(service, own)| (core::cmp::Reverse(*own), service.server));
    if services.len() > MOST_SERVICES {
        let rest = &services[MOST_SERVICES..];
        let n: u64 = rest.iter().map(|(_, own)| own).sum();
        let what = format!("{} connections of {} more services", grouped(n), rest.len());
        out.left_out(what, "only the 24 busiest services are in the scenario");
        services.truncate(MOST_SERVICES);
    }
    let mut hosts = Hosts::new(capture, own_name, addr);
    let clients = hosts.clients(&services, &mut out);
    let mut again = (0, 0);
    for (service, own) in services {
        let inbound = service.server.addr == addr;
        let server =
            if inbound { own_name.to_owned() } else { hosts.peer(service.server.addr, &mut out) };
        let groups = match inbound {
            true => clients.groups(service),
            false => vec![Group { client: own_name.to_owned(), opened: own }],
        };
        observe(service, inbound, &server, &groups, source, &mut out);
        if let Some((delay, jitter)) = one_way(&service.round_trip) {
            let why = format!(
                "half of a handshake's round trip, of {} in {source}",
                grouped(service.round_trip.count())
            );
            let peers = if inbound {
                groups.iter().map(|g| g.client.clone()).collect()
            } else {
                vec![server.clone()]
            };
            for peer in peers {
                if out.trips.iter().all(|trip| trip.peer != peer) {
                    out.trips.push(Trip { peer, delay, jitter, why: why.clone() });
                }
            }
        }
        again = (again.0 + service.again, again.1 + service.segments);
        let backlog = if inbound { backlog(facts, service) } else { None };
        streams::add(&mut out, service, &server, &groups, backlog, capture, source);
    }
    if again.0 > 0 {
        let why = format!(
            "{} of {} segments were sent again in {source}",
            grouped(again.0),
            grouped(again.1)
        );
        out.loss = Some((again.0, again.1, why));
    }
    out
}

/// A listener's backlog, if the sockets are known.
fn backlog(facts: &Facts, service: &Service) -> Option<(u64, String)> {
    let (sockets, source) = facts.sockets.as_ref()?;
    let row = sockets
        .rows
        .iter()
        .find(|row| row.backlog.is_some() && row.local.port == service.server.port)?;
    Some((row.backlog?, format!("Send-Q of the listener in {source}")))
}

/// The hosts that the machine talks to, by their addresses.
struct Hosts<'a> {
    capture: &'a Capture,
    own_name: &'a str,
    own_addr: Addr,
    names: BTreeMap<Addr, String>,
}

/// The clients of the machine: each a host, or many in one.
struct Clients {
    one_by_one: BTreeMap<Addr, String>,
    together: Vec<String>,
}

impl<'a> Hosts<'a> {
    fn new(capture: &'a Capture, own_name: &'a str, own_addr: Addr) -> Self {
        Self { capture, own_name, own_addr, names: BTreeMap::new() }
    }
    /// The name of the host with that address; it becomes one of the scenario's.
    fn peer(&mut self, addr: Addr, out: &mut Traffic) -> String {
        if let Some(name) = self.names.get(&addr) {
            return name.clone();
        }
        let taken =
            |name: &String| name == self.own_name || out.peers.iter().any(|p| p.name == *name);
        let given = self.capture.names.get(&addr).and_then(|name| host_name(name));
        let name = given.filter(|name| !taken(name)).unwrap_or_else(|| {
            (1..).map(|n| format!("peer{n}")).find(|name| !taken(name)).unwrap_or_default()
        });
        let addr_if_any = (addr != self.own_addr).then_some(addr);
        let system = self.capture.systems.get(&Some(addr)).cloned();
        out.peers.push(Peer { name: name.clone(), addr: addr_if_any, system, ..Peer::default() });
        self.names.insert(addr, name.clone());
        name
    }
    /// The clients of the machine's services. Few are hosts of their own; many are joined.
    fn clients(&mut self, services: &[(&Service, u64)], out: &mut Traffic) -> Clients {
        let inbound: Vec<&Service> = services
            .iter()
            .map(|(service, _)| *service)
            .filter(|service| service.server.addr == self.own_addr)
            .collect();
        let all: BTreeSet<Addr> = inbound.iter().flat_map(|s| s.clients.keys().copied()).collect();
        let more: u64 = inbound.iter().map(|service| service.more_clients).sum();
        if all.len() <= MOST_CLIENTS && more == 0 {
            // A machine that connects to itself is its own client.
            let name =
                |addr: Addr, hosts: &mut Self, out: &mut Traffic| match addr == hosts.own_addr {
                    true => hosts.own_name.to_owned(),
                    false => hosts.peer(addr, out),
                };
            let one_by_one = all.into_iter().map(|addr| (addr, name(addr, self, out))).collect();
            return Clients { one_by_one, together: Vec::new() };
        }
        let seconds = (self.capture.totals.duration_ns() / 1_000_000_000).max(1);
        let busiest = inbound.iter().map(|s| s.opened / s.ports / seconds).max().unwrap_or(0);
        let hosts = (busiest / PER_CLIENT_HOST + 1).min(16).min(all.len() as u64);
        let mut together = Vec::new();
        for n in 1..=hosts {
            let name = if n == 1 { "clients".to_owned() } else { format!("clients{n}") };
            if name == self.own_name {
                continue;
            }
            let mut peer = Peer { name: name.clone(), ..Peer::default() };
            let of = if hosts == 1 { String::new() } else { format!(", {n} of {hosts}") };
            let or_more = if more > 0 { " or more" } else { "" };
            peer.about.push(format!(
                "{}{or_more} addresses of clients are one host here{of}: that changes whose ports and \
                 timestamps they have.",
                grouped(all.len() as u64)
            ));
            peer.observed.sysctl(
                "net.ipv4.ip_local_port_range",
                "\"1024 65535\"",
                Basis::Assumed,
                "so that clients in one host do not run out of ports before their time".to_owned(),
            );
            out.peers.push(peer);
            together.push(name);
        }
        Clients { one_by_one: BTreeMap::new(), together }
    }
}

impl Clients {
    /// Who opens how many connections to a service.
    fn groups(&self, service: &Service) -> Vec<Group> {
        if self.together.is_empty() {
            let group = |(addr, n): (&Addr, &u64)| {
                Some(Group { client: self.one_by_one.get(addr)?.clone(), opened: *n })
            };
            return service.clients.iter().filter_map(group).collect();
        }
        let hosts = self.together.len() as u64;
        let part = |n: u64| service.opened / hosts + u64::from(n < service.opened % hosts);
        let group = |(n, client): (u64, &String)| Group { client: client.clone(), opened: part(n) };
        (0..).zip(&self.together).map(group).filter(|group| group.opened > 0).collect()
    }
}

/// What a handshake tells of the two hosts.
fn observe(
    service: &Service,
    inbound: bool,
    server: &str,
    groups: &[Group],
    source: &str,
    out: &mut Traffic,
) {
    let of = |place: usize| {
        let mut seen = Observed::default();
        if let Some(mss) = service.mss[place].median() {
            let syn = if place == 0 { "SYN" } else { "SYN-ACK" };
            seen.mtu = Some((mss + 40, format!("MSS {mss} in its {syn} in {source}")));
        }
        let [without, with] = service.stamps[place];
        // A server that was not offered timestamps has none to answer with.
        let offered = place == 0 || service.stamps[0][1] > service.stamps[0][0];
        if offered && without > 9 * with {
            let why = format!("{} of {} without", grouped(without), grouped(without + with));
            seen.sysctl("net.ipv4.tcp_timestamps", "0", Basis::Derived, why);
        }
        seen
    };
    let mut note = |name: &str, seen: Observed| {
        let peer = out.peers.iter_mut().find(|peer| peer.name == name);
        let known = match peer {
            Some(peer) => &mut peer.observed,
            None => &mut out.machine,
        };
        known.mtu = known.mtu.take().or(seen.mtu);
        for entry in seen.sysctl {
            known.sysctl(&entry.key, &entry.value, entry.basis, entry.why);
        }
    };
    note(server, of(1));
    // Several clients of one service cannot be told apart by its sums.
    if !inbound || groups.len() == 1 {
        note(&groups[0].client, of(0));
    }
}

/// What there is to say of the capture as such.
fn about(out: &mut Traffic, capture: &Capture, source: &str) {
    let totals = &capture.totals;
    out.notes.push(format!(
        "{source}: {} packets in {} s, {} TCP segments over IPv4.",
        grouped(totals.packets),
        seconds(totals.duration_ns(), 3),
        grouped(totals.segments)
    ));
    for end in &capture.ends {
        match end {
            End::Whole => {}
            End::CutShort(at) => out.notes.push(format!(
                "{source} ends in the middle of a packet, at byte {}; what comes before is used.",
                grouped(*at)
            )),
            End::Broken(at, what) => out.notes.push(format!(
                "{source} is damaged at byte {} ({what}); what comes before is used.",
                grouped(*at)
            )),
        }
    }
    for (meant, n) in &totals.others {
        let (what, why) = match meant {
            Meant::Ipv6 => ("packets over IPv6", "simulated hosts speak IPv4"),
            Meant::NotTcp => ("packets of other protocols than TCP", "simulated hosts speak TCP"),
            Meant::Fragment => ("fragments", "they have no TCP header"),
            Meant::NotIp => ("frames without IP", "simulated hosts speak TCP over IPv4"),
            Meant::TooShort => {
                ("packets of which too little was kept", "their TCP header is not there")
            }
            Meant::Malformed => ("packets with headers that cannot be", "they say nothing"),
            Meant::UnknownLink => {
                ("packets of a link type that finwait does not know", "they cannot be read")
            }
        };
        out.left_out(format!("{} {what}", grouped(*n)), why);
    }
    let mut count = |n: u64, what: &str, why: &str| {
        if n > 0 {
            out.left_out(format!("{} {what}", grouped(n)), why);
        }
    };
    count(totals.copies, "segments that a second interface showed again", "each is counted once");
    count(
        totals.before,
        "connections that were open before the capture began",
        "how they began is not known, and what is open all along leaves no bucket",
    );
    count(
        totals.refused,
        "SYNs that were answered with a RST",
        "nobody listened: no connection came of them",
    );
    count(totals.unanswered, "SYNs that nobody answered", "no connection came of them");
    count(
        totals.no_room,
        "connections to further services",
        "only so many services are remembered",
    );
    if totals.evicted > 0 {
        out.notes.push(format!(
            "{} connections were given up before their end, because more were open at a time than are remembered ({}).",
            grouped(totals.evicted),
            percent(totals.evicted, capture.services.iter().map(|s| s.opened).sum())
        ));
    }
}
