//! Traffic out of counters and sockets: how often connections begin is counted, who closes first
//! stands in TIME-WAIT, and how long states last follows from how many sockets are in them
//! (Little's law: how many there are is how often they come times how long they stay).

use std::collections::BTreeMap;

use finwait_model::flow::Addr;
use finwait_model::state::TcpState;
use finwait_model::time::Span;

use super::document::{Basis, Section};
use super::facts::Facts;
use super::numbers::{rate, rounded};
use super::text::ss::{Row, Sockets};
use super::traffic::{Peer, Traffic, Trip};
use crate::text::grouped;

/// How long a bucket stays in TIME-WAIT, seconds.
const TIME_WAIT_S: u64 = 60;
/// So many ports of others, and of its own, become applications.
const MOST_PLACES: usize = 8;
/// Fewer sockets in a state say nothing of how long it lasts.
const FEWEST: u64 = 5;
/// What is assumed where nothing says how often connections begin.
const ASSUMED_RATE: u64 = 100;

/// Which way connections go, seen from the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// The machine connects.
    Out,
    /// Others connect to it.
    In,
}

/// Sockets of one service, by state.
#[derive(Clone, Default, Debug)]
struct Place {
    peer: Option<Addr>,
    port: u16,
    backlog: Option<u64>,
    states: BTreeMap<TcpState, u64>,
    clients: BTreeMap<Option<Addr>, u64>,
}

impl Place {
    fn of(&self, state: TcpState) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }
    fn all(&self) -> u64 {
        self.states.values().sum()
    }
}

/// How many a second, and how that is known.
#[derive(Clone, Debug)]
struct Flow {
    count: u128,
    per_ns: u128,
    basis: Basis,
    why: String,
}

impl Flow {
    /// How many in so many nanoseconds, at most what fits.
    fn in_ns(&self, ns: u128) -> u128 {
        self.count.saturating_mul(ns) / self.per_ns.max(1)
    }
    fn part(&self, n: u64, of: u64) -> Self {
        let per_ns = self.per_ns.saturating_mul(u128::from(of.max(1)));
        Self { count: self.count.saturating_mul(u128::from(n)), per_ns, ..self.clone() }
    }
}

/// What counters and sockets tell, as parts of a scenario. Always something that can run.
pub(super) fn traffic(facts: &Facts, own_name: &str) -> Traffic {
    let mut out = Traffic::default();
    let empty = Sockets::default();
    let (sockets, source) = match &facts.sockets {
        Some((sockets, source)) => (sockets, source.as_str()),
        None => (&empty, ""),
    };
    own_address(sockets, source, &mut out);
    if sockets.ipv6 > 0 {
        out.left_out(
            format!("{} sockets over IPv6 in {source}", grouped(sockets.ipv6)),
            "simulated hosts speak IPv4",
        );
    }
    round_trips(sockets, source, &mut out);
    let (outbound, inbound) = places(sockets);
    let ways = [(Way::Out, outbound), (Way::In, inbound)];
    let flows: Vec<Option<Flow>> =
        ways.iter().map(|(way, places)| opened(*way, places, facts, source)).collect();
    let closes = closers(facts, &flows);
    for (((way, places), flow), first) in ways.iter().zip(&flows).zip(closes) {
        if let Some(flow) = flow {
            add(*way, places, flow, &first, own_name, source, &mut out);
        }
    }
    if out.apps.is_empty() {
        assume(own_name, &mut out);
    }
    loss(facts, &mut out);
    out
}

/// The local address of most connections.
fn own_address(sockets: &Sockets, source: &str, out: &mut Traffic) {
    let mut counts: BTreeMap<Addr, u64> = BTreeMap::new();
    let rows = sockets.rows.iter().filter(|row| row.state != TcpState::Listen);
    for addr in rows.filter_map(|row| row.local.addr).filter(|addr| !addr.is_loopback()) {
        *counts.entry(addr).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(addr, n)| (*n, core::cmp::Reverse(*addr)));
    out.addr = most.map(|(addr, n)| {
        (addr, format!("the local address of {} sockets in {source}", grouped(n)))
    });
}

/// Round trips that `ss -i` shows.
fn round_trips(sockets: &Sockets, source: &str, out: &mut Traffic) {
    let mut trips: Vec<u64> = sockets.rows.iter().filter_map(|row| Some(row.rtt?.ns)).collect();
    trips.sort_unstable();
    let Some(middle) = trips.get(trips.len() / 2) else { return };
    let why = format!("half of the median rtt of {} sockets in {source}", trips.len());
    let delay = rounded((middle / 2).max(1));
    out.trips.push(Trip { peer: String::new(), delay, jitter: Span::ZERO, why });
}

/// The sockets by service: ports of others that the machine connects to, and its own ports.
fn places(sockets: &Sockets) -> (Vec<Place>, Vec<Place>) {
    let listens: BTreeMap<u16, Option<u64>> = sockets
        .rows
        .iter()
        .filter(|row| row.state == TcpState::Listen)
        .map(|row| (row.local.port, row.backlog))
        .collect();
    let mut outbound: BTreeMap<(Option<Addr>, u16), Place> = BTreeMap::new();
    let mut inbound: BTreeMap<u16, Place> = BTreeMap::new();
    for row in sockets.rows.iter().filter(|row| row.peer.port != 0) {
        match listens.get(&row.local.port) {
            Some(backlog) => {
                let place = inbound.entry(row.local.port).or_default();
                (place.port, place.backlog) = (row.local.port, *backlog);
                count(place, row);
            }
            None => {
                let place = outbound.entry((row.peer.addr, row.peer.port)).or_default();
                (place.peer, place.port) = (row.peer.addr, row.peer.port);
                count(place, row);
            }
        }
    }
    // The other end of a connection within the machine was counted with the server.
    outbound.retain(|(peer, _), _| !peer.is_some_and(Addr::is_loopback));
    let sorted = |places: Vec<Place>| {
        let mut places = places;
        places.sort_by_key(|place| core::cmp::Reverse(place.all()));
        places
    };
    (sorted(outbound.into_values().collect()), sorted(inbound.into_values().collect()))
}

fn count(place: &mut Place, row: &Row) {
    *place.states.entry(row.state).or_default() += 1;
    *place.clients.entry(row.peer.addr).or_default() += 1;
}

/// How often connections begin: by counters, or else by the buckets that they leave.
fn opened(way: Way, places: &[Place], facts: &Facts, source: &str) -> Option<Flow> {
    let counter = match way {
        Way::Out => "TcpActiveOpens",
        Way::In => "TcpPassiveOpens",
    };
    if let Some((n, per)) = facts.risen(counter) {
        let why = format!("{counter} rose by {} in {per} {}", grouped(n), facts.risen_in());
        let flow =
            Flow { count: u128::from(n), per_ns: u128::from(per.ns), basis: Basis::Derived, why };
        return (n > 0).then_some(flow);
    }
    let buckets: u64 = places.iter().map(|place| place.of(TcpState::TimeWait)).sum();
    if buckets > 0 {
        let why =
            format!("{} of them in TIME-WAIT in {source}, which lasts 60 s", grouped(buckets));
        let per_ns = u128::from(TIME_WAIT_S) * 1_000_000_000;
        return Some(Flow { count: u128::from(buckets), per_ns, basis: Basis::Derived, why });
    }
    if !places.is_empty() {
        let why = format!("{source} shows sockets, but nothing says how often they begin");
        let flow = Flow {
            count: u128::from(ASSUMED_RATE),
            per_ns: 1_000_000_000,
            basis: Basis::Assumed,
            why,
        };
        return Some(flow);
    }
    None
}

/// Whether the machine closes first, and how that is known; of connections out and in.
fn closers(facts: &Facts, flows: &[Option<Flow>]) -> Vec<(bool, Basis, String)> {
    let second: u128 = 1_000_000_000;
    let buckets = match facts.risen("TcpExtTW") {
        Some((n, per)) => {
            let more = ["TcpExtTCPTimeWaitOverflow", "TcpExtTWRecycled"];
            let more: u64 = more.iter().filter_map(|name| facts.risen(name)).map(|(n, _)| n).sum();
            let why = format!("TcpExtTW rose by {} in {per}", grouped(n));
            Some((u128::from(n + more) * 1000 * second / u128::from(per.ns.max(1)), why))
        }
        None => facts.counts.as_ref().map(|(counts, source)| {
            let why = format!("{} buckets in {source}, each for 60 s", grouped(counts.timewait));
            (u128::from(counts.timewait) * 1000 / u128::from(TIME_WAIT_S), why)
        }),
    };
    let Some((mut left, why)) = buckets else {
        let why = "nothing says who closes first".to_owned();
        return vec![(true, Basis::Assumed, why.clone()), (false, Basis::Assumed, why)];
    };
    // Whoever connects closes first, as a rule: buckets belong to connections out before they
    // belong to connections in.
    let mut out = Vec::new();
    for flow in flows {
        let opened = flow.as_ref().map_or(0, |flow| flow.in_ns(1000 * second));
        let closes_first = left > 0 && left * 2 >= opened;
        left = left.saturating_sub(opened);
        let than = if closes_first {
            "at least half as often as they begin"
        } else {
            "less than half as often as they begin"
        };
        out.push((closes_first, Basis::Derived, format!("{why}: buckets arise {than}")));
    }
    out
}

/// Adds the applications of one way.
fn add(
    way: Way,
    places: &[Place],
    flow: &Flow,
    first: &(bool, Basis, String),
    own_name: &str,
    source: &str,
    out: &mut Traffic,
) {
    let guess = [Place { port: 80, ..Place::default() }];
    let known = !places.is_empty();
    if places.len() > MOST_PLACES {
        let what = format!("{} more ports in {source}", places.len() - MOST_PLACES);
        out.left_out(what, "only the 8 with most sockets each way are in the scenario");
    }
    let places = if known { &places[..places.len().min(MOST_PLACES)] } else { &guess };
    let all: u64 = places.iter().map(Place::all).sum();
    for place in places {
        let flow = if known { flow.part(place.all(), all) } else { flow.clone() };
        let peer = peer(way, place, known, out);
        let (client, server) = match way {
            Way::Out => (own_name, peer.as_str()),
            Way::In => (peer.as_str(), own_name),
        };
        // A service of a scenario has each of its ports once.
        if out.apps.iter().any(|app| {
            has(app, "host", server)
                && app.entries.iter().any(|e| e.key == "port" && e.value == place.port.to_string())
        }) {
            continue;
        }
        let own_closes = closes_here(way, place, &flow, first);
        let client_closes = own_closes.0 == (way == Way::Out);
        let mut app = Section::repeated("apps");
        app.about(said(way, place, known, source));
        app.text("kind", "client", Basis::Derived, "");
        app.text("host", client, Basis::Derived, "");
        let basis = if known { Basis::Derived } else { Basis::Assumed };
        let why = if known { "" } else { "nothing says to which port; ss -tan would" };
        app.text("to", &format!("{server}:{}", place.port), basis, why);
        app.text("rate", &rate(flow.count, flow.per_ns), flow.basis, &flow.why);
        sizes(&mut app);
        if let Some((hold, why)) = stays(place, &flow, TcpState::Established, "ESTAB") {
            app.text("hold", &hold.to_string(), Basis::Derived, why);
        }
        if client_closes {
            app.text("close", "close", own_closes.1, &own_closes.2);
        }
        out.apps.push(app);
        let mut app = Section::repeated("apps");
        app.text("kind", "server", Basis::Derived, "");
        app.text("host", server, Basis::Derived, "");
        app.plain("port", place.port, basis, "");
        if let (Way::In, Some(backlog)) = (way, place.backlog) {
            let why = format!("Send-Q of the listener in {source}");
            app.plain("backlog", backlog.min(u64::from(u16::MAX)), Basis::Derived, why);
        }
        sizes(&mut app);
        let state = if way == Way::Out {
            (TcpState::FinWait2, "FIN-WAIT-2")
        } else {
            (TcpState::CloseWait, "CLOSE-WAIT")
        };
        if client_closes && let Some((after, why)) = stays(place, &flow, state.0, state.1) {
            app.text("close_after", &after.to_string(), Basis::Derived, why);
        }
        if !client_closes {
            app.plain("closes_first", true, own_closes.1, &own_closes.2);
        }
        out.apps.push(app);
    }
}

fn has(app: &Section, key: &str, value: &str) -> bool {
    app.entries.iter().any(|e| e.key == key && e.value == super::document::quoted(value))
}

/// Does the machine close first here? Its sockets of that port know better than the sums.
fn closes_here(
    way: Way,
    place: &Place,
    flow: &Flow,
    first: &(bool, Basis, String),
) -> (bool, Basis, String) {
    let buckets = place.of(TcpState::TimeWait);
    let expected = flow.in_ns(u128::from(TIME_WAIT_S) * 1_000_000_000);
    if place.all() == 0 || flow.basis == Basis::Assumed && buckets == 0 {
        return first.clone();
    }
    let closes = u128::from(buckets) * 2 >= expected && buckets > 0;
    let who = match (way, closes) {
        (Way::Out, true) | (Way::In, false) => "the client closes first",
        _ => "the server closes first",
    };
    let why = format!(
        "{} in TIME-WAIT here, of {expected} if all closes began here: {who}",
        grouped(buckets)
    );
    (closes, Basis::Derived, why)
}

/// How long connections stay in a state.
fn stays(place: &Place, flow: &Flow, state: TcpState, name: &str) -> Option<(Span, String)> {
    let n = place.of(state);
    if n < FEWEST || flow.count == 0 || flow.basis == Basis::Assumed {
        return None;
    }
    let ns = u128::from(n).saturating_mul(flow.per_ns) / flow.count;
    let span = rounded(u64::try_from(ns).ok()?);
    // Longer than an hour: these are connections that stay, not ones that come and go.
    (span <= Span::secs(3600)).then(|| {
        (span, format!("{} in {name}, by how often connections begin (Little's law)", grouped(n)))
    })
}

fn sizes(app: &mut Section) {
    for key in ["request_bytes", "response_bytes"] {
        app.plain(key, 100, Basis::Assumed, "");
    }
}

/// The host at the other end.
fn peer(way: Way, place: &Place, known: bool, out: &mut Traffic) -> String {
    let own = out.addr.as_ref().map(|(addr, _)| *addr);
    let addr = place.peer.filter(|addr| Some(*addr) != own && !addr.is_loopback());
    let found = out.peers.iter().find(|peer| match way {
        Way::Out => addr.is_some() && peer.addr == addr || addr.is_none() && peer.name == "peer",
        Way::In => peer.name == "clients",
    });
    if let Some(peer) = found {
        return peer.name.clone();
    }
    let servers = out.peers.iter().filter(|peer| peer.name != "clients").count();
    let name = match way {
        Way::In => "clients".to_owned(),
        Way::Out if !known => "peer".to_owned(),
        Way::Out => format!("peer{}", servers + 1),
    };
    let mut peer = Peer { name: name.clone(), addr, ..Peer::default() };
    if way == Way::In {
        let n = place.clients.len();
        if n > 1 {
            peer.about
                .push(format!("{} addresses of clients are one host here.", grouped(n as u64)));
        }
        let why = "so that clients in one host do not run out of ports before their time";
        peer.observed.sysctl(
            "net.ipv4.ip_local_port_range",
            "\"1024 65535\"",
            Basis::Assumed,
            why.to_owned(),
        );
    }
    out.peers.push(peer);
    name
}

/// What the sockets of a place are.
fn said(way: Way, place: &Place, known: bool, source: &str) -> String {
    let which = match way {
        Way::Out => "Connections that the machine makes",
        Way::In => "Connections to the machine",
    };
    if !known {
        return format!("{which}; their ports and peers are not known.");
    }
    let states: Vec<String> =
        place.states.iter().map(|(state, n)| format!("{} {state}", grouped(*n))).collect();
    format!("{which}, port {}: {} in {source}.", place.port, states.join(", "))
}

/// Nothing is known of any connection: something that runs, and says so.
fn assume(own_name: &str, out: &mut Traffic) {
    let why = "nothing given says anything of connections; a capture, nstat or ss would";
    out.peers.push(Peer { name: "peer".to_owned(), ..Peer::default() });
    let mut app = Section::repeated("apps");
    app.text("kind", "client", Basis::Assumed, why);
    app.text("host", own_name, Basis::Assumed, "");
    app.text("to", "peer:80", Basis::Assumed, "");
    app.text("rate", &format!("{ASSUMED_RATE}/s"), Basis::Assumed, "");
    out.apps.push(app);
    let mut app = Section::repeated("apps");
    app.text("kind", "server", Basis::Assumed, "");
    app.text("host", "peer", Basis::Assumed, "");
    app.plain("port", 80, Basis::Assumed, "");
    out.apps.push(app);
}

/// Segments sent again, of all that were sent.
fn loss(facts: &Facts, out: &mut Traffic) {
    let (Some((again, per)), Some((sent, _))) =
        (facts.risen("TcpRetransSegs"), facts.risen("TcpOutSegs"))
    else {
        return;
    };
    if again > 0 && again < sent {
        let why =
            format!("TcpRetransSegs rose by {} of {} sent in {per}", grouped(again), grouped(sent));
        out.loss = Some((again, sent, why));
    }
}
