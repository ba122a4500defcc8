//! Connections that go the way of earlier ones are not worked out anew, and nobody can tell.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use finwait_model::counters::Mib;
use finwait_model::time::{Instant, Span};
use finwait_sim::because::Explain;
use finwait_sim::host::Host;
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::{Count, Watch};
use finwait_sim::world::{Turns, World};

use crate::any_scenario::one_of;

/// What a host and its applications count, and how many sockets and buckets it has.
pub(crate) fn counted(host: &Host) -> String {
    let kernel = host.kernel();
    let mut text = String::new();
    for mib in Mib::ALL.iter().filter(|mib| kernel.counters().get(**mib) > 0) {
        let _ = writeln!(text, "{} {}", mib.nstat_name(), kernel.counters().get(*mib));
    }
    for cause in finwait_model::cause::Cause::all().filter(|c| kernel.counters().sent(*c) > 0) {
        let _ = writeln!(text, "{} {}", cause.name(), kernel.counters().sent(cause));
    }
    let _ = writeln!(text, "tried {}", kernel.counters().ports_tried);
    let _ = writeln!(text, "{:?} {:?}", kernel.sockstat(), kernel.state_counts());
    for app in host.apps() {
        let _ = writeln!(text, "{:?} {:?}", app.tally(), app.served());
        let _ = writeln!(text, "{:?} {:?}", app.latencies(), app.connects());
    }
    let _ = writeln!(text, "next {:?}", kernel.next_bucket_death());
    text
}

/// Everything that can be seen of a host at a time.
fn seen(host: &Host, now: Instant) -> String {
    let mut text = counted(host);
    for row in host.kernel().rows(now) {
        let _ = writeln!(text, "{row:?}");
    }
    text
}

/// Both worlds up to each of those times: are they the same? Says how many followed in the first.
fn compare<W: Watch>(
    scenario: &Scenario,
    turns: Turns,
    stops: &[Span],
    watches: [&mut W; 2],
) -> Result<u64, TestCaseError> {
    let mut worlds = [scenario.world_with(turns), scenario.world_without_tracks(turns)];
    let [first, second] = watches;
    for stop in stops {
        let stop = Instant::ZERO + *stop;
        worlds[0].run_until(stop, first);
        worlds[1].run_until(stop, second);
        for world in &worlds {
            world.check();
        }
        let all = |world: &World| -> Vec<String> {
            world.hosts().iter().map(|host| seen(host, stop)).collect()
        };
        for (follows, full) in all(&worlds[0]).iter().zip(&all(&worlds[1])) {
            prop_assert_eq!(follows, full);
        }
        prop_assert_eq!(worlds[0].digest(), worlds[1].digest());
        prop_assert_eq!(worlds[0].segments(), worlds[1].segments());
    }
    prop_assert_eq!(worlds[1].followed(), 0);
    Ok(worlds[0].followed())
}

fn parse(text: &str) -> Scenario {
    Scenario::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// A host that may be on either end; a gentle one is in nobody's way.
fn host(name: &'static str, gentle: bool) -> impl Strategy<Value = String> {
    (
        one_of(&["3.10", "6.18"]),
        one_of(&["100", "250", "300", "1000"]),
        one_of(&["3", "300", "131072"]),
        one_of(&["1", "5", "60", "61"]),
        one_of(&["0", "1"]),
        one_of(&["0", "0", "1"]),
        one_of(&["8", "131072"]),
        one_of(&["0s", "1ns", "3600s", "1234567us"]),
        one_of(&["16", "4096"]),
        one_of(&["1024 65000", "40000 40060"]),
    )
        .prop_map(
            move |(kernel, hz, limit, fin, stamps, reuse, orphans, uptime, backlog, ports)| {
                let (limit, reuse, orphans, backlog) = if gentle {
                    ("131072", "0", "131072", "4096")
                } else {
                    (limit, reuse, orphans, backlog)
                };
                format!(
                    "[hosts.{name}]\nkernel = \"{kernel}\"\nhz = {hz}\nuptime = \"{uptime}\"\n\
                 [hosts.{name}.sysctl]\n\"net.ipv4.tcp_max_tw_buckets\" = {limit}\n\
                 \"net.ipv4.tcp_fin_timeout\" = {fin}\n\"net.ipv4.tcp_timestamps\" = {stamps}\n\
                 \"net.ipv4.tcp_tw_reuse\" = {reuse}\n\"net.ipv4.tcp_max_orphans\" = {orphans}\n\
                 \"net.ipv4.tcp_max_syn_backlog\" = {backlog}\n\
                 \"net.core.somaxconn\" = 4096\n\
                 \"net.ipv4.ip_local_port_range\" = \"{ports}\"\n"
                )
            },
        )
}

/// How the applications of a scenario talk: bytes of request and answer.
type Sizes = (&'static str, &'static str);

fn server(
    host: &'static str,
    gentle: bool,
) -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    let more = ["", "", "closes_first = true", "service = \"1ms\"", "close_after = \"300us\""];
    (Just(host), one_of(&["10", "4096"]), prop::sample::select(more.to_vec())).prop_map(
        move |(host, backlog, more)| {
            if gentle { (host, "4096", "") } else { (host, backlog, more) }
        },
    )
}

fn server_text((host, backlog, more): (&str, &str, &str), (request, response): Sizes) -> String {
    format!(
        "[[apps]]\nkind = \"server\"\nhost = \"{host}\"\nport = \"80-81\"\nbacklog = {backlog}\n\
         request_bytes = {request}\nresponse_bytes = {response}\n{more}\n"
    )
}

fn client(host: &'static str, to: &'static str) -> impl Strategy<Value = String> {
    (
        one_of(&["7/s", "100/s", "1000/s", "2500/s", "9973/s", "20000/s"]),
        any::<bool>(),
        one_of(&["", "", "", "", "", "hold = \"1ms\""]),
        one_of(&["30", "100", "400"]),
        one_of(&["0s", "3ms", "17us"]),
    )
        .prop_map(move |(rate, scattered, more, count, start)| {
            format!(
                "[[apps]]\nkind = \"client\"\nhost = \"{host}\"\nto = \"{to}\"\nrate = \"{rate}\"\n\
                 scattered = {scattered}\nstart = \"{start}\"\ncount = {count}\n{more}\n"
            )
        })
}

fn scenario() -> impl Strategy<Value = String> {
    prop::sample::select(vec![true, true, false]).prop_flat_map(scenario_of)
}

fn scenario_of(gentle: bool) -> impl Strategy<Value = String> {
    let hosts = (host("a", gentle), host("b", gentle), host("s", gentle), host("t", gentle));
    let clients = (
        client("a", "s:80-81"),
        client("a", "s:80"),
        client("b", "s:81"),
        prop::option::of(client("b", "t:80")),
    );
    let delay = || one_of(&["1ns", "10us", "50us", "50300ns", "1ms", "9ms"]);
    let delays = (delay(), prop::option::of(delay()), prop::option::of(delay())).prop_map(
        |(all, a_to_s, s_and_b)| {
            let between = |from, to, one_way, delay: Option<&str>| {
                delay.map_or_else(String::new, |delay| {
                    format!(
                        "[[links.between]]\nfrom = \"{from}\"\nto = \"{to}\"\n\
                         one_way = {one_way}\ndelay = \"{delay}\"\n"
                    )
                })
            };
            let one = between("a", "s", true, a_to_s);
            format!("[links]\ndelay = \"{all}\"\n{one}{}", between("s", "b", false, s_and_b))
        },
    );
    let sizes = (one_of(&["1", "6", "4000"]), one_of(&["1", "6", "100", "4000"]));
    (hosts, server("s", gentle), server("t", gentle), clients, delays, sizes, 0..1000_u32).prop_map(
        |((a, b, s, t), one, two, (c1, c2, c3, c4), delays, sizes, seed)| {
            let (one, two) = (server_text(one, sizes), server_text(two, sizes));
            let (request, response) = sizes;
            let bytes = format!("request_bytes = {request}\nresponse_bytes = {response}\n");
            let more = [Some(c3), c4].into_iter().flatten().map(|client| client + &bytes);
            let more: String = more.collect();
            format!(
                "name = \"test\"\nseed = {seed}\nduration = \"100s\"\n{delays}\
                 {a}{b}{s}{t}{one}{two}{c1}{bytes}{c2}{bytes}{more}"
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]
    /// Whatever the scenario, and wherever one stops to look.
    #[test]
    fn nobody_can_tell(
        text in scenario(),
        stops in prop::collection::vec(1u64..60_000_000, 1..4),
        backward in any::<bool>(),
    ) {
        let scenario = parse(&text);
        let turns = if backward { Turns::Backward } else { Turns::Forward };
        let mut at = Span::ZERO;
        let mut stops: Vec<Span> = stops
            .iter()
            .map(|ns| {
                at = at + Span::nanos(*ns);
                at
            })
            .collect();
        // Buckets of a few seconds have died then, and their ports have come round.
        stops.push(Span::millis(2500));
        compare(&scenario, turns, &stops, [&mut Count, &mut Count])?;
        let hosts = scenario.hosts.len();
        let mut explains = [Explain::new(hosts), Explain::new(hosts)];
        let [one, two] = &mut explains;
        compare(&scenario, turns, &stops[..1], [one, two])?;
        let [one, two] = explains;
        prop_assert_eq!(one.into_groups(), two.into_groups());
    }
}

/// A client and a server in one rack.
fn rack(rate: &str, more: &str) -> Scenario {
    parse(&format!(
        "name = \"rack\"\nduration = \"200s\"\n[links]\ndelay = \"50us\"\n\
         [hosts.web]\nkernel = \"6.18\"\n[hosts.web.sysctl]\n{more}\n\
         [hosts.redis]\nkernel = \"6.18\"\n\
         [[apps]]\nkind = \"server\"\nhost = \"redis\"\nport = 80\nrequest_bytes = 6\n\
         response_bytes = 6\n\
         [[apps]]\nkind = \"client\"\nhost = \"web\"\nto = \"redis:80\"\nrate = \"{rate}\"\n\
         request_bytes = 6\nresponse_bytes = 6\n"
    ))
}

fn followed(scenario: &Scenario, stops: &[Span]) -> u64 {
    compare(scenario, Turns::Forward, stops, [&mut Count, &mut Count]).expect("the same")
}

#[test]
fn nearly_everybody_follows_where_nothing_is_in_the_way() {
    let count = followed(&rack("200/s", ""), &[Span::secs(150)]);
    assert!(count > 29_000, "{count} of 30,000 followed");
}

/// Segments of two connections arrive in the same nanosecond all the time.
#[test]
fn ties_are_resolved_as_if_everybody_were_there() {
    let count = followed(&rack("10000/s", ""), &[Span::millis(333), Span::secs(2)]);
    assert!(count > 10_000, "{count} of 20,000 followed");
}

/// The table fills up: before it is full everybody is worked out in full.
#[test]
fn a_full_table_is_met_by_nobody_who_follows() {
    let limit = "\"net.ipv4.tcp_max_tw_buckets\" = 500";
    let count = followed(&rack("200/s", limit), &[Span::secs(2), Span::secs(70), Span::secs(100)]);
    assert!((300..9_000).contains(&count), "{count} followed");
}

/// connect() finds no port.
#[test]
fn ports_run_out_in_the_same_way() {
    let ports = "\"net.ipv4.ip_local_port_range\" = \"40000 40999\"";
    let count = followed(&rack("200/s", ports), &[Span::secs(3), Span::secs(20), Span::secs(70)]);
    assert!(count > 900, "{count} followed");
}

/// A sysctl that is changed while the world stands still ends it, and the world goes on as it would.
#[test]
fn who_changes_a_host_ends_it() {
    let scenario = rack("200/s", "");
    let mut worlds = [scenario.world(), scenario.world_without_tracks(Turns::Forward)];
    for world in &mut worlds {
        world.run_until(Instant::ZERO + Span::secs(1), &mut Count);
        let web = world.host_mut("web").expect("web").kernel_mut();
        web.sysctl_mut().tcp_max_tw_buckets = 300;
        world.run_until(Instant::ZERO + Span::secs(5), &mut Count);
    }
    assert_eq!(worlds[0].digest(), worlds[1].digest());
    assert!((150..=200).contains(&worlds[0].followed()), "{}", worlds[0].followed());
}
