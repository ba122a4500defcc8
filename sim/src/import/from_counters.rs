//! Traffic out of counters and sockets: how often connections begin is counted, who closes first
//! stands in TIME-WAIT, and how long states last follows from how many sockets are in them
//! (Little's law: how many there are is how often they come times how long they stay).

use std::collections::{BTreeMap, BTreeSet};

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
    /// It connects to itself.
    Own,
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
    /// Where the machine connects to itself: buckets of the side that was connected to.
    served: u64,
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
    let ways = places(sockets);
    let flows = flows(&ways, facts, source);
    let closing = closing(facts, &ways, &flows);
    if closing.excerpt && facts.sockets.is_some() {
        out.notes.push(format!(
            "{source} shows {} buckets, and there are many more: only shares are taken from it.",
            grouped(closing.shown)
        ));
    }
    for ((way, places), flow) in ways.iter().zip(&flows) {
        if let Some(flow) = flow {
            add(*way, places, flow, &closing, own_name, source, &mut out);
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

/// The three ways with their services.
type Ways = [(Way, Vec<Place>); 3];

/// The sockets by service: ports of others that the machine connects to, and its own ports.
fn places(sockets: &Sockets) -> Ways {
    let rows = || sockets.rows.iter();
    let listens: BTreeMap<u16, Option<u64>> = rows()
        .filter(|row| row.state == TcpState::Listen)
        .map(|row| (row.local.port, row.backlog))
        .collect();
    let locals: BTreeSet<Addr> = rows().filter_map(|row| row.local.addr).collect();
    let is_self = |addr: Addr| addr.is_loopback() || locals.contains(&addr);
    let mut outbound: BTreeMap<(Option<Addr>, u16), Place> = BTreeMap::new();
    let (mut own, mut inbound) = (BTreeMap::<u16, Place>::new(), BTreeMap::<u16, Place>::new());
    for row in rows().filter(|row| row.peer.port != 0) {
        let (local, peer) = (row.local.port, row.peer.port);
        let itself = row.peer.addr.is_some_and(is_self);
        match (listens.get(&local), listens.get(&peer)) {
            (None, Some(backlog)) if itself => {
                let place = own.entry(peer).or_default();
                (place.port, place.backlog) = (peer, *backlog);
                count(place, row);
            }
            (Some(backlog), _) if itself => {
                let place = own.entry(local).or_default();
                (place.port, place.backlog) = (local, *backlog);
                place.served += u64::from(row.state == TcpState::TimeWait);
            }
            (Some(backlog), _) => {
                let place = inbound.entry(local).or_default();
                (place.port, place.backlog) = (local, *backlog);
                count(place, row);
            }
            (None, _) => {
                let place = outbound.entry((row.peer.addr, peer)).or_default();
                (place.peer, place.port) = (row.peer.addr, peer);
                count(place, row);
            }
        }
    }
    let sorted = |mut places: Vec<Place>| {
        places.sort_by_key(|place| core::cmp::Reverse(place.all()));
        places
    };
    [
        (Way::Out, sorted(outbound.into_values().collect())),
        (Way::Own, sorted(own.into_values().collect())),
        (Way::In, sorted(inbound.into_values().collect())),
    ]
}

fn count(place: &mut Place, row: &Row) {
    *place.states.entry(row.state).or_default() += 1;
    *place.clients.entry(row.peer.addr).or_default() += 1;
}

/// How often connections begin, each way: by counters, or else by the buckets that they leave.
/// Connections of the machine to itself count as active and as passive opens.
fn flows(ways: &Ways, facts: &Facts, source: &str) -> [Option<Flow>; 3] {
    let rows = |place: usize| ways[place].1.iter().map(Place::all).sum::<u64>();
    let (out, own) = (rows(0), rows(1));
    let counted = |counter: &str| {
        let (n, per) = facts.risen(counter)?;
        let why = format!("{counter} rose by {} in {per} {}", grouped(n), facts.risen_in());
        Some(Flow { count: u128::from(n), per_ns: u128::from(per.ns), basis: Basis::Derived, why })
    };
    let (Some(active), Some(passive)) = (counted("TcpActiveOpens"), counted("TcpPassiveOpens"))
    else {
        return ways.clone().map(|(_, places)| by_buckets(&places, source));
    };
    let itself = active.part(own, out + own);
    let passed = u64::try_from(itself.in_ns(active.per_ns)).unwrap_or(u64::MAX);
    let rest = passive.count.saturating_sub(u128::from(passed));
    let is_some = |flow: &Flow| flow.count > 0;
    let outbound = if own > 0 { active.part(out, out + own) } else { active };
    let mut inbound = Flow { count: rest, ..passive.clone() };
    if own > 0 && rest * 20 < passive.count {
        inbound.count = 0;
    }
    if passed > 0 {
        inbound.why += &format!(", {} of them its own", grouped(passed));
    }
    [Some(outbound).filter(is_some), Some(itself).filter(is_some), Some(inbound).filter(is_some)]
}

fn by_buckets(places: &[Place], source: &str) -> Option<Flow> {
    let buckets: u64 = places.iter().map(|place| place.of(TcpState::TimeWait) + place.served).sum();
    if buckets > 0 {
        let why =
            format!("{} of them in TIME-WAIT in {source}, which lasts 60 s", grouped(buckets));
        let per_ns = u128::from(TIME_WAIT_S) * 1_000_000_000;
        return Some(Flow { count: u128::from(buckets), per_ns, basis: Basis::Derived, why });
    }
    let why = format!("{source} shows sockets, but nothing says how often they begin");
    let (count, per_ns) = (u128::from(ASSUMED_RATE), 1_000_000_000);
    (!places.is_empty()).then_some(Flow { count, per_ns, basis: Basis::Assumed, why })
}

/// What is known of who closes first.
struct Closing {
    /// Whether the machine does, for each way, by sums alone; of connections to itself the side that
    /// connects.
    first: [(bool, Basis, String); 3],
    /// How many buckets arise in 1,000 seconds, and how that is known.
    buckets: Option<(u128, String)>,
    /// How many the sockets show.
    shown: u64,
    /// Are there many more than the sockets show?
    excerpt: bool,
}

/// How fast buckets arise: by counters, or else by how many there are.
fn buckets(facts: &Facts) -> Option<(u128, String)> {
    let second: u128 = 1_000_000_000;
    if let Some((n, per)) = facts.risen("TcpExtTW") {
        let more = ["TcpExtTCPTimeWaitOverflow", "TcpExtTWRecycled", "TcpExtTWKilled"];
        let more: u64 = more
            .iter()
            .filter_map(|name| facts.risen(name))
            .fold(0, |sum, (n, _)| sum.saturating_add(n));
        let refused = if more > 0 {
            format!(", and {} were refused, recycled or killed", grouped(more))
        } else {
            String::new()
        };
        let why = format!("TcpExtTW rose by {} in {per}{refused}", grouped(n));
        return Some((
            u128::from(n.saturating_add(more)) * 1000 * second / u128::from(per.ns.max(1)),
            why,
        ));
    }
    let (counts, source) = facts.counts.as_ref()?;
    let why = format!("{} buckets in {source}, each for 60 s", grouped(counts.timewait));
    Some((u128::from(counts.timewait) * 1000 / u128::from(TIME_WAIT_S), why))
}

fn closing(facts: &Facts, ways: &Ways, flows: &[Option<Flow>; 3]) -> Closing {
    let places = || ways.iter().flat_map(|(_, places)| places);
    let shown = places().map(|place| place.of(TcpState::TimeWait) + place.served).sum();
    let buckets = buckets(facts);
    let there = facts.counts.as_ref().map_or(0, |(counts, _)| counts.timewait);
    let excerpt = there / 2 > shown;
    let nothing = "nothing says who closes first".to_owned();
    let mut first = [true, true, false].map(|first| (first, Basis::Assumed, nothing.clone()));
    if let Some((mut left, why)) = buckets.clone() {
        // Whoever connects closes first, as a rule: buckets belong to connections out before they
        // belong to connections in.
        for (first, flow) in first.iter_mut().zip(flows) {
            let opened = flow.as_ref().map_or(0, |flow| flow.in_ns(1_000_000_000_000));
            *first = by_rates(left, opened, &why);
            left = left.saturating_sub(opened);
        }
    }
    Closing { first, buckets, shown, excerpt }
}

/// Do buckets arise at least half as often as connections begin?
fn by_rates(buckets: u128, opened: u128, why: &str) -> (bool, Basis, String) {
    let closes = buckets > 0 && buckets.saturating_mul(2) >= opened;
    let than = if closes { "at least" } else { "less than" };
    (closes, Basis::Derived, format!("{why}: {than} half as often as connections begin"))
}

/// Adds the applications of one way.
fn add(
    way: Way,
    places: &[Place],
    flow: &Flow,
    closing: &Closing,
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
        let peer = if way == Way::Own { String::new() } else { peer(way, place, known, out) };
        let (client, server) = match way {
            Way::Out => (own_name, peer.as_str()),
            Way::Own => (own_name, own_name),
            Way::In => (peer.as_str(), own_name),
        };
        // A service of a scenario has each of its ports once.
        if out.apps.iter().any(|app| {
            has(app, "host", server)
                && app.entries.iter().any(|e| e.key == "port" && e.value == place.port.to_string())
        }) {
            continue;
        }
        let own_closes = closes_here(way, place, &flow, closing);
        let client_closes = own_closes.0 == (way != Way::In);
        let mut app = Section::repeated("apps");
        app.about(said(way, place, known, source));
        app.text("kind", "client", Basis::Derived, "");
        app.text("host", client, Basis::Derived, "");
        let basis = if known { Basis::Derived } else { Basis::Assumed };
        let why = if known { "" } else { "nothing says to which port; ss -tan would" };
        app.text("to", &format!("{server}:{}", place.port), basis, why);
        app.text("rate", &rate(flow.count, flow.per_ns), flow.basis, &flow.why);
        sizes(&mut app);
        if let Some((hold, why)) = stays(place, &flow, closing, TcpState::Established, "ESTAB") {
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
        if let (Way::In | Way::Own, Some(backlog)) = (way, place.backlog) {
            let why = format!("Send-Q of the listener in {source}");
            app.plain("backlog", backlog.min(u64::from(u16::MAX)), Basis::Derived, why);
        }
        sizes(&mut app);
        let state = if way == Way::Out {
            (TcpState::FinWait2, "FIN-WAIT-2")
        } else {
            (TcpState::CloseWait, "CLOSE-WAIT")
        };
        if client_closes && let Some((after, why)) = stays(place, &flow, closing, state.0, state.1)
        {
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

/// Does the machine close first here? Its sockets of that port tell which part of all buckets is
/// theirs. Of connections to itself: does the side that connects?
fn closes_here(way: Way, place: &Place, flow: &Flow, closing: &Closing) -> (bool, Basis, String) {
    let own = place.of(TcpState::TimeWait);
    let first = &closing.first[way as usize];
    if way == Way::Own && own + place.served > 0 {
        let why = format!(
            "{} in TIME-WAIT on the side that connects, {} on the other",
            grouped(own),
            grouped(place.served)
        );
        return (own >= place.served, Basis::Derived, why);
    }
    if place.all() == 0 || closing.shown == 0 || flow.basis == Basis::Assumed {
        return first.clone();
    }
    let opened = flow.in_ns(1_000_000_000_000);
    let (all, why) = match &closing.buckets {
        Some((all, why)) => (*all, format!("{why}; ")),
        None => (u128::from(closing.shown) * 1000 / u128::from(TIME_WAIT_S), String::new()),
    };
    let here = all.saturating_mul(u128::from(own)) / u128::from(closing.shown);
    by_rates(
        here,
        opened,
        &format!("{why}{} of {} in TIME-WAIT are here", grouped(own), grouped(closing.shown)),
    )
}

/// How long connections stay in a state.
fn stays(
    place: &Place,
    flow: &Flow,
    closing: &Closing,
    state: TcpState,
    name: &str,
) -> Option<(Span, String)> {
    let n = place.of(state);
    if n < FEWEST || closing.excerpt || flow.count == 0 || flow.basis == Basis::Assumed {
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
        Way::Out | Way::Own => {
            addr.is_some() && peer.addr == addr || addr.is_none() && peer.name == "peer"
        }
        Way::In => peer.name == "clients",
    });
    if let Some(peer) = found {
        return peer.name.clone();
    }
    let servers = out.peers.iter().filter(|peer| peer.name != "clients").count();
    let name = match way {
        Way::In => "clients".to_owned(),
        Way::Out | Way::Own if !known => "peer".to_owned(),
        Way::Out | Way::Own => format!("peer{}", servers + 1),
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
        Way::Own => "Connections of the machine to itself",
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
