//! Each law of the capacity card against the simulator: at 99 % of what it says nothing overflows, at
//! 103 % something does.

use std::fmt::Write as _;

use finwait_model::counters::Mib;
use finwait_sim::capacity::{Card, HostCard, PerSecond};
use finwait_sim::run::{HostOutcome, run};
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;

/// A client that closes first, and its peer.
struct Case {
    kernel: &'static str,
    hz: u32,
    seconds: u32,
    sysctls: &'static [(&'static str, &'static str)],
    close_after: &'static str,
    /// Closes per second about which the card is asked.
    about: u64,
}

impl Case {
    fn scenario(&self, rate: PerSecond) -> Scenario {
        let Self { kernel, hz, seconds, close_after, .. } = self;
        let mut sysctls = String::new();
        for (name, value) in self.sysctls {
            let _ = writeln!(sysctls, "\"net.ipv4.{name}\" = \"{value}\"");
        }
        let rate = format!("{}/1000s", rate.thousandths);
        let text = format!(
            "duration = \"{seconds}s\"\n\
             [hosts.web]\nkernel = \"{kernel}\"\nhz = {hz}\n[hosts.web.sysctl]\n{sysctls}\
             [hosts.peer]\nkernel = \"{kernel}\"\n\
             [[apps]]\nkind = \"client\"\nhost = \"web\"\nto = \"peer:80\"\nrate = \"{rate}\"\n\
             [[apps]]\nkind = \"server\"\nhost = \"peer\"\nport = 80\nclose_after = \"{close_after}\"\n"
        );
        Scenario::parse(&text, "capacity").unwrap_or_else(|e| panic!("{e}:\n{text}"))
    }
    fn card(&self, rate: PerSecond) -> HostCard {
        Card::of(&self.scenario(rate)).hosts.remove(0)
    }
    /// Holds the law `carried` to what `overflowed` counts.
    fn holds(
        &self,
        carried: impl Fn(&HostCard) -> PerSecond,
        overflowed: impl Fn(&HostOutcome) -> u64,
    ) {
        let says = carried(&self.card(PerSecond { thousandths: self.about * 1000 }));
        let at = |percent: u64| {
            let rate = PerSecond { thousandths: says.thousandths * percent / 100 };
            assert_eq!(carried(&self.card(rate)), says, "the card does not depend on the rate");
            let outcome = run(&self.scenario(rate), Turns::Forward, |_| ());
            overflowed(outcome.host("web").expect("it takes part"))
        };
        let what = format!("Linux {} at HZ={}: {says}/s", self.kernel, self.hz);
        assert_eq!(at(99), 0, "{what}: 99 % is carried");
        assert!(at(103) > 0, "{what}: 103 % is too much");
    }
}

fn closes(host: &HostCard) -> PerSecond {
    host.buckets.carries.expect("there is a limit")
}

fn refused(host: &HostOutcome) -> u64 {
    host.counter(Mib::TCPTimeWaitOverflow)
}

#[test]
fn closes_that_a_table_carries_per_bucket() {
    for hz in [100, 250, 1000] {
        let sysctls = &[("tcp_max_tw_buckets", "3000")];
        let case =
            Case { kernel: "6.18", hz, seconds: 200, sysctls, close_after: "0ms", about: 47 };
        case.holds(closes, refused);
    }
}

#[test]
fn closes_that_a_table_carries_by_cells_under_load() {
    let sysctls = &[("tcp_max_tw_buckets", "3000")];
    for hz in [250, 1000] {
        let case =
            Case { kernel: "3.10", hz, seconds: 400, sysctls, close_after: "0ms", about: 26 };
        case.holds(closes, refused);
    }
}

#[test]
fn closes_that_a_table_carries_by_cells_with_few_buckets() {
    let sysctls = &[("tcp_max_tw_buckets", "600")];
    let case =
        Case { kernel: "3.10", hz: 1000, seconds: 300, sysctls, close_after: "0ms", about: 9 };
    case.holds(closes, refused);
}

#[test]
fn a_peer_that_closes_late_costs_slots() {
    let sysctls = &[("tcp_max_tw_buckets", "2000")];
    for (kernel, seconds, about) in [("6.18", 200, 29), ("3.10", 400, 16)] {
        let case = Case { kernel, hz: 1000, seconds, sysctls, close_after: "5s", about };
        case.holds(closes, refused);
    }
}

#[test]
fn a_peer_that_never_closes_costs_what_tcp_fin_timeout_allows() {
    let sysctls = &[("tcp_max_tw_buckets", "1000"), ("tcp_fin_timeout", "20")];
    let case =
        Case { kernel: "6.18", hz: 1000, seconds: 100, sysctls, close_after: "30min", about: 45 };
    case.holds(closes, refused);
}

fn connects(host: &HostCard) -> PerSecond {
    host.ports.carries
}

fn no_port(host: &HostOutcome) -> u64 {
    host.clients.no_port
}

#[test]
fn connects_that_ports_carry() {
    for (kernel, seconds, about) in [("6.18", 200, 15), ("3.10", 400, 16)] {
        // An odd number of ports: 6.18 leaves the last one out, 3.10 uses it.
        let sysctls = &[("ip_local_port_range", "40000 41800")];
        let case = Case { kernel, hz: 1000, seconds, sysctls, close_after: "0ms", about };
        assert_eq!(
            case.card(PerSecond { thousandths: 1000 }).ports.count,
            if kernel == "6.18" { 1800 } else { 1801 }
        );
        case.holds(connects, no_port);
    }
}

#[test]
fn connects_that_ports_carry_when_buckets_are_taken_over() {
    for (kernel, about) in [("6.18", 900), ("3.10", 450)] {
        let sysctls = &[("ip_local_port_range", "40000 40999"), ("tcp_tw_reuse", "1")];
        let case = Case { kernel, hz: 1000, seconds: 12, sysctls, close_after: "0ms", about };
        case.holds(connects, no_port);
    }
    let sysctls = &[
        ("ip_local_port_range", "40000 40999"),
        ("tcp_tw_reuse", "1"),
        ("tcp_tw_reuse_delay", "4000"),
    ];
    let case =
        Case { kernel: "6.18", hz: 1000, seconds: 20, sysctls, close_after: "0ms", about: 240 };
    case.holds(connects, no_port);
}

#[test]
fn what_cannot_be_taken_over_is_not() {
    // 2 is for loopback only, and without timestamps nothing is reused.
    for sysctls in [
        &[("tcp_tw_reuse", "2"), ("ip_local_port_range", "40000 40999")][..],
        &[("tcp_tw_reuse", "1"), ("tcp_timestamps", "0"), ("ip_local_port_range", "40000 40999")],
    ] {
        let case =
            Case { kernel: "6.18", hz: 1000, seconds: 150, sysctls, close_after: "0ms", about: 14 };
        case.holds(connects, no_port);
    }
}

#[test]
fn closes_that_leave_room_for_orphans() {
    for kernel in ["6.18", "3.10"] {
        // For 30 s beyond the minute an orphan in FIN-WAIT-2 is a full socket.
        let sysctls = &[("tcp_max_orphans", "300"), ("tcp_fin_timeout", "90")];
        let case = Case { kernel, hz: 1000, seconds: 20, sysctls, close_after: "3s", about: 90 };
        case.holds(
            |host| host.orphans.carries.expect("there is a limit"),
            |host| host.counter(Mib::TCPAbortOnMemory),
        );
    }
}

#[test]
fn the_table_of_the_incident_is_full_when_the_card_says() {
    let text = include_str!("../../../examples/scenarios/slots-3.10.toml");
    let scenario = Scenario::parse(text, "slots").expect("it is one");
    let card = Card::of(&scenario);
    let says = card.hosts[0].full_after().expect("it overflows");
    let outcome = run(&scenario, Turns::Forward, |_| ());
    let host = outcome.host("web").expect("it takes part");
    let first = host.series.iter().find(|sample| sample.overflows > 0).expect("it overflows");
    assert!(first.at.ns.abs_diff(says.ns) < 8_000_000_000, "{says}, and it was {}", first.at);
}
