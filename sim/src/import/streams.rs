//! A service of a capture as applications: whoever serves it, and a client for each host and for
//! each way of closing.

use finwait_model::time::Span;

use super::capture::{Capture, Endings, Kind, Service, Side};
use super::document::{Basis, Section};
use super::numbers::{delay, delay_text, percent, rate, rounded};
use super::traffic::Traffic;
use crate::app::Delay;
use crate::text::{grouped, millis, seconds};

/// Connections of one client.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The host's name.
    pub(super) client: String,
    /// How many it opened.
    pub(super) opened: u64,
}

/// Messages are not made larger than this; moving bytes is not what closing is about.
const LARGEST_MESSAGE: u64 = 64 << 20;
/// A way of closing that is rarer, of 100, gets no client of its own.
const RARE_PERCENT: u64 = 5;
/// What a single thread must have kept somebody waiting for to be called slow.
const SLOW_NS: u64 = 5_000_000;

/// Who closes, as far as a scenario can say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Closer {
    Server,
    Client { fin: u64, rst: u64 },
    Unknown,
}

fn closer(endings: &Endings) -> Closer {
    let client = endings.client_first + endings.client_reset;
    if endings.closed() == 0 {
        Closer::Unknown
    } else if endings.server_first > client {
        Closer::Server
    } else {
        Closer::Client { fin: endings.client_first, rst: endings.client_reset }
    }
}

/// Adds the service's applications.
#[allow(clippy::too_many_arguments, reason = "each is another part of one description")]
pub(super) fn add(
    out: &mut Traffic,
    service: &Service,
    server: &str,
    groups: &[Group],
    backlog: Option<(u64, String)>,
    capture: &Capture,
    source: &str,
) {
    let closer = closer(&service.endings);
    let ports = ports(service);
    let mut told = false;
    for group in groups {
        let ways: Vec<(&str, u64, u64)> = match closer {
            Closer::Client { fin, rst } => {
                let way = if shuts_down(service) { "shutdown" } else { "close" };
                let all = fin + rst;
                let ways = [(way, fin, all), ("linger0", rst, all)];
                ways.into_iter().filter(|(_, n, all)| n * 100 >= all * RARE_PERCENT).collect()
            }
            Closer::Server | Closer::Unknown => vec![("close", 1, 1)],
        };
        for (way, part, whole) in ways {
            let mut app = Section::repeated("apps");
            if !told {
                tell(&mut app, service, source);
                told = true;
            }
            app.text("kind", "client", Basis::Derived, "");
            app.text("host", &group.client, Basis::Derived, "");
            app.text("to", &format!("{server}:{ports}"), Basis::Derived, "");
            let own = Share { opened: group.opened, part, whole };
            pace(&mut app, service, own, capture, source);
            client(&mut app, service, way, closer, capture);
            out.apps.push(app);
        }
    }
    out.apps.push(serve(service, server, &ports, closer, backlog, capture));
    gaps(out, service);
}

fn title(service: &Service) -> String {
    format!("{}:{}", service.server.addr, ports(service))
}

fn ports(service: &Service) -> String {
    let (low, high) = (service.server.port, service.last_port);
    if low == high { low.to_string() } else { format!("{low}-{high}") }
}

/// What was seen, in sentences.
fn tell(app: &mut Section, service: &Service, source: &str) {
    let e = &service.endings;
    app.about(format!(
        "{} connections to {} in {source}.",
        grouped(service.opened),
        title(service)
    ));
    let closed = e.closed();
    let mut ways = Vec::new();
    for (n, what) in [
        (e.client_first, "the client sent the first FIN"),
        (e.server_first, "the server sent the first FIN"),
        (e.client_reset, "the client sent a RST and no FIN"),
        (e.server_reset, "the server sent a RST and no FIN"),
    ] {
        if n > 0 {
            ways.push(format!("{what} in {} ({})", percent(n, closed), grouped(n)));
        }
    }
    if e.open > 0 {
        ways.push(format!("{} were still open at the end", grouped(e.open)));
    }
    app.about(format!("How they ended: {}.", ways.join(", ")));
    let fins = e.client_first + e.server_first;
    if fins > 0 {
        let mut text = format!(
            "The first FIN was acknowledged on its own in {}: its sender passed through FIN-WAIT-2",
            percent(service.acked_alone, fins)
        );
        if let (Some(middle), Some(most)) =
            (service.fin_wait_2.median(), service.fin_wait_2.percentile(100))
        {
            text +=
                &format!(", for {} ms in the middle, {} ms at most", millis(middle), millis(most));
        }
        app.about(format!("{text}."));
    }
    for ((by, after, own_fin), n) in &service.rsts {
        app.about(rst_sentence(*by, *after, *own_fin, *n));
    }
}

/// "12 RSTs from the client, after a FIN, with its own FIN sent: …"
fn rst_sentence(by: Side, after: Option<Kind>, own_fin: bool, n: u64) -> String {
    let who = match by {
        Side::Client => "the client",
        Side::Server => "the server",
    };
    let what = match after {
        Some(Kind::Syn) => "the other side's SYN",
        Some(Kind::SynAck) => "the other side's SYN-ACK",
        Some(Kind::Data) => "data of the other side",
        Some(Kind::Fin) => "the other side's FIN",
        Some(Kind::Ack) => "an ACK of the other side",
        None => "nothing of the other side",
    };
    let fin = if own_fin { "its own FIN sent before" } else { "no FIN of its own before" };
    let means = match (after, own_fin) {
        (Some(Kind::Fin), true) => {
            ": so answers a host that has forgotten the connection; a refused timewait bucket does that"
        }
        (Some(Kind::Data), true) => ": it had closed, and nobody was there to read",
        (_, false) if after == Some(Kind::Data) => ": closed with unread data, or with linger 0",
        _ => "",
    };
    format!("{} RSTs from {who} after {what}, {fin}{means}.", grouped(n))
}

/// Which part of a service's connections a client has.
#[derive(Clone, Copy)]
struct Share {
    opened: u64,
    part: u64,
    whole: u64,
}

/// How often it opens one, and how evenly.
fn pace(app: &mut Section, service: &Service, own: Share, capture: &Capture, source: &str) {
    let whole = u128::from(own.whole.max(1));
    let n = u128::from(own.opened) * u128::from(own.part);
    let opened = u128::from(service.opened.max(1));
    let busy = service.last_syn.saturating_sub(service.first_syn);
    let all = capture.totals.duration_ns();
    // The last one of n begins n - 1 intervals after the first.
    let (count, per) = if service.opened > 1 && busy >= all / 2 {
        (n * (opened - 1), u128::from(busy) * opened * whole)
    } else {
        (n, u128::from(all.max(1)) * whole)
    };
    let why = format!(
        "{} of {} connections in {} s of {source}",
        grouped(u64::try_from(n / whole).unwrap_or(u64::MAX)),
        grouped(service.opened),
        seconds(all, 1)
    );
    app.text("rate", &rate(count, per), Basis::Derived, why);
    let [low, middle, high] = [10, 50, 90].map(|p| service.gaps.percentile(p).unwrap_or(0));
    let even = high <= middle + middle / 5 && low >= middle - middle / 5;
    if service.gaps.count() >= 3 && !even {
        let why = format!("{} to {} ms between two of them", millis(low), millis(high));
        app.plain("scattered", true, Basis::Derived, why);
    }
}

/// Did clients shut their own direction only, and take what came after their FIN?
fn shuts_down(service: &Service) -> bool {
    let after_data =
        service.rsts.get(&(Side::Client, Some(Kind::Data), true)).copied().unwrap_or(0);
    service.parting.median().unwrap_or(0) > 0 && after_data * 2 < service.endings.client_first
}

fn bytes(spread: &super::capture::Spread) -> u64 {
    spread.median().unwrap_or(0).min(LARGEST_MESSAGE)
}

fn sizes(app: &mut Section, service: &Service, request: u64) {
    let range =
        |spread: &super::capture::Spread| match (spread.percentile(5), spread.percentile(95)) {
            (Some(low), Some(high)) if low < high => {
                format!("the median of {} to {}", grouped(low), grouped(high))
            }
            _ => String::new(),
        };
    let turns = service.turns.median().unwrap_or(1);
    let several = if turns > 1 { format!("{turns} requests in one; ") } else { String::new() };
    app.plain("request_bytes", request, Basis::Derived, several + &range(&service.request));
    app.plain("response_bytes", bytes(&service.answer), Basis::Derived, range(&service.answer));
}

fn client(app: &mut Section, service: &Service, way: &str, closer: Closer, capture: &Capture) {
    sizes(app, service, bytes(&service.request));
    let (held, what) = match closer {
        Closer::Server => {
            (delay(&service.follows, &service.to_client), "from the server's FIN to the client's")
        }
        Closer::Client { .. } | Closer::Unknown => {
            (delay(&service.hold, &service.to_client), "from the answer to the close")
        }
    };
    match (held, closer) {
        (_, Closer::Unknown) => {
            let open = rounded(capture.totals.duration_ns());
            let why = "no connection ended in the capture: at least as long as that";
            app.text("hold", &delay_text(Delay::always(open)), Basis::Derived, why);
        }
        (Some(held), _) if !held.is_none() => {
            app.text("hold", &delay_text(held), Basis::Derived, what);
        }
        _ => {}
    }
    let why = match (way, closer) {
        (_, Closer::Unknown) => "the client is taken for the one that closes",
        (_, Closer::Server) => "the server closes first",
        ("linger0", _) => "a RST instead of a FIN; close() with unread data looks alike",
        ("shutdown", _) => "data came after its FIN, and it took it",
        _ => "its FIN was the first",
    };
    let basis = if closer == Closer::Unknown { Basis::Assumed } else { Basis::Derived };
    app.text("close", way, basis, why);
}

/// How a port looks that one thread serves, which is kept busy now and then.
struct Loop {
    service: Span,
    slow: Span,
    every: Span,
    stalls: u64,
}

/// Does one thread serve each port, and stop for a while now and then? Then somebody waits for
/// long although nearly everybody else is answered at once.
fn event_loop(service: &Service, closer: Closer, capture: &Capture) -> Option<Loop> {
    if !matches!(closer, Closer::Client { .. }) || shuts_down(service) {
        return None;
    }
    let way = service.to_server.median().unwrap_or(0);
    let usual = service.waits.median()?.saturating_sub(way);
    let limit = SLOW_NS.max(20 * usual);
    let stalls = service.waits.above(limit + way);
    let n = stalls.count();
    if n < 3 || n * 20 > service.waits.count() || usual > SLOW_NS {
        return None;
    }
    let slow = stalls.percentile(90)?.saturating_sub(way);
    // Whoever is not caught by a stop is served at once. Otherwise it is many threads that take
    // their time, each for itself.
    let usually =
        |spread: &super::capture::Spread| spread.median().unwrap_or(0).saturating_sub(way);
    if usually(&service.service) > slow / 20 || usually(&service.close_after) > slow / 10 {
        return None;
    }
    let every =
        u128::from(capture.totals.duration_ns()) * u128::from(service.ports) / u128::from(n);
    let every = u64::try_from(every).unwrap_or(u64::MAX).max(slow);
    Some(Loop {
        service: rounded(usual.max(1_000)),
        slow: rounded(slow),
        every: rounded(every),
        stalls: n,
    })
}

fn serve(
    service: &Service,
    server: &str,
    ports: &str,
    closer: Closer,
    backlog: Option<(u64, String)>,
    capture: &Capture,
) -> Section {
    let mut app = Section::repeated("apps");
    let found = event_loop(service, closer, capture);
    match &found {
        Some(found) => {
            let why = format!(
                "its ports stopped {} times for all at once, as a single thread does in a slow command",
                grouped(found.stalls)
            );
            app.text("kind", "redis", Basis::Derived, why);
        }
        None => app.text("kind", "server", Basis::Derived, ""),
    }
    app.text("host", server, Basis::Derived, "");
    if ports.contains('-') {
        app.text("port", ports, Basis::Derived, "neighbouring ports that behave alike");
    } else {
        app.plain("port", ports, Basis::Derived, "");
    }
    if let Some((backlog, why)) = backlog {
        app.plain("backlog", backlog.min(u64::from(u16::MAX)), Basis::Derived, why);
    }
    let greets = service.greeted * 2 > service.turns.count();
    let request = if greets { 0 } else { bytes(&service.request) };
    sizes(&mut app, service, request);
    if let Some(found) = found {
        let why = "from a request to its answer, less the way";
        app.text("service", &found.service.to_string(), Basis::Derived, why);
        app.text("slow", &found.slow.to_string(), Basis::Derived, "nine of ten stops were shorter");
        app.text("slow_every", &found.every.to_string(), Basis::Derived, "for each port");
        return app;
    }
    let mut time = |key: &str, measured: Option<Delay>, why: &str| {
        if let Some(delay) = measured.filter(|delay| !delay.is_none()) {
            app.text(key, &delay_text(delay), Basis::Derived, why);
        }
    };
    time(
        "service",
        delay(&service.service, &service.to_server),
        "from a request to its answer, less the way",
    );
    if let Closer::Client { .. } = closer {
        let after = delay(&service.close_after, &service.to_server);
        let parting = bytes(&service.parting);
        time("close_after", after, "from the client's FIN to its own, less the way");
        if parting > 0 {
            app.plain("parting_bytes", parting, Basis::Derived, "sent after the client's FIN");
        }
    }
    if closer == Closer::Server {
        app.plain("closes_first", true, Basis::Derived, "its FIN was the first in most of them");
    }
    app
}

/// What a scenario cannot say of the service.
fn gaps(out: &mut Traffic, service: &Service) {
    let e = &service.endings;
    let title = title(service);
    let minority = match closer(e) {
        Closer::Server => e.client_first + e.client_reset,
        Closer::Client { .. } => e.server_first,
        Closer::Unknown => 0,
    };
    if minority > 0 {
        let what =
            format!("{} of {} connections to {title}", grouped(minority), grouped(e.closed()));
        out.left_out(
            what,
            "closed first by the other side than most; one port of a scenario has one way",
        );
    }
    if e.server_reset > 0 {
        let what = format!("{} connections to {title}", grouped(e.server_reset));
        out.left_out(
            what,
            "the server ended them with a RST; scenarios have no server that does so on purpose",
        );
    }
    if closer(e) == Closer::Server && service.idle.median().unwrap_or(0) > 1_000_000 {
        let what = format!(
            "{} ms between the answer and the FIN of {title}",
            millis(service.idle.median().unwrap_or(0))
        );
        out.left_out(what, "a server of a scenario closes right after its answer");
    }
}
