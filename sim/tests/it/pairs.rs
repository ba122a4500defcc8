//! Connections that stand as others have stood are not worked out anew, and nobody can tell.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use finwait_model::time::{Instant, Span};
use finwait_sim::because::Explain;
use finwait_sim::run::{Outcome, run, run_watched};
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::{Sent, Watch};
use finwait_sim::world::{Turns, World};

use crate::any_scenario::one_of;
use crate::follow::counted;

/// How a world of pairs went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Went {
    /// The scenario is none for pairs.
    Nowhere,
    /// It was given up, and why.
    GaveUp(&'static str),
    /// To the end, with so many connections.
    Through(u64),
}

/// Both worlds up to each of those times: are they the same?
fn compare(scenario: &Scenario, turns: Turns, stops: &[Span]) -> Result<Went, TestCaseError> {
    let Some(pairs) = scenario.world_of_pairs(turns) else { return Ok(Went::Nowhere) };
    let mut worlds = [pairs, scenario.world_without_tracks(turns)];
    let hosts = scenario.hosts.len();
    let mut explains = [Explain::new(hosts), Explain::new(hosts)];
    for stop in stops {
        let stop = Instant::ZERO + *stop;
        worlds[0].run_until(stop, &mut explains[0]);
        if let Some(why) = worlds[0].gave_up() {
            return Ok(Went::GaveUp(why));
        }
        worlds[1].run_until(stop, &mut explains[1]);
        let all = |world: &World| -> Vec<String> { world.hosts().iter().map(counted).collect() };
        for (known, full) in all(&worlds[0]).iter().zip(&all(&worlds[1])) {
            prop_assert_eq!(known, full);
        }
        prop_assert_eq!(worlds[0].digest(), worlds[1].digest());
        prop_assert_eq!(worlds[0].segments(), worlds[1].segments());
    }
    let [one, two] = explains;
    prop_assert_eq!(one.into_groups(), two.into_groups());
    Ok(Went::Through(worlds[0].followed()))
}

fn parse(text: &str) -> Scenario {
    Scenario::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn host(name: &'static str) -> impl Strategy<Value = String> {
    (
        one_of(&["3.10", "6.18"]),
        one_of(&["100", "250", "300", "1000"]),
        one_of(&["0", "10", "131072", "131072"]),
        one_of(&["5", "60", "60", "61"]),
        one_of(&["0", "1", "1"]),
        one_of(&["3600s", "3600s", "100234567us", "31536000s", "4294967s"]),
        one_of(&["1024 65000", "1024 65000", "40000 40060"]),
    )
        .prop_map(move |(kernel, hz, limit, fin, stamps, uptime, ports)| {
            format!(
                "[hosts.{name}]\nkernel = \"{kernel}\"\nhz = {hz}\nuptime = \"{uptime}\"\n\
                 [hosts.{name}.sysctl]\n\"net.ipv4.tcp_max_tw_buckets\" = {limit}\n\
                 \"net.ipv4.tcp_fin_timeout\" = {fin}\n\"net.ipv4.tcp_timestamps\" = {stamps}\n\
                 \"net.ipv4.tcp_tw_reuse\" = 0\n\"net.ipv4.ip_local_port_range\" = \"{ports}\"\n\
                 \"net.core.somaxconn\" = 4096\n\"net.ipv4.tcp_max_syn_backlog\" = 4096\n"
            )
        })
}

fn client(host: &'static str, to: &'static str) -> impl Strategy<Value = String> {
    (
        one_of(&["rate = \"7/s\"", "rate = \"100/s\"", "rate = \"1000/s\"\nscattered = true"]),
        one_of(&["", "hold = \"1ms\"", "hold = \"1ms..70ms\"", "hold = \"40ms\"", "hold = \"1s\""]),
        one_of(&["10", "100", "200"]),
        one_of(&["1ms", "3ms", "1017us"]),
    )
        .prop_map(move |(rate, hold, count, start)| {
            format!(
                "[[apps]]\nkind = \"client\"\nhost = \"{host}\"\nto = \"{to}\"\n{rate}\n\
                 start = \"{start}\"\ncount = {count}\n{hold}\n"
            )
        })
}

fn server(host: &'static str) -> impl Strategy<Value = String> {
    let service = one_of(&["", "", "service = \"300us\"", "service = \"20ms..90ms\""]);
    let close = one_of(&[
        "",
        "close_after = \"300us\"",
        "close_after = \"1ms..200ms\"",
        "close_after = \"3s\"",
    ]);
    (service, close).prop_map(move |(service, close)| {
        format!(
            "[[apps]]\nkind = \"server\"\nhost = \"{host}\"\nport = \"80-81\"\nbacklog = 4096\n\
             {service}\n{close}\n"
        )
    })
}

fn redis(host: &'static str) -> impl Strategy<Value = String> {
    let slow = one_of(&["", "slow = \"120ms\"\nslow_every = \"300ms\"", "slow = \"250ms\""]);
    (one_of(&["20us", "1us", "1ms"]), slow).prop_map(move |(service, slow)| {
        format!(
            "[[apps]]\nkind = \"redis\"\nhost = \"{host}\"\nport = \"82\"\nbacklog = 4096\n\
             service = \"{service}\"\n{slow}\n"
        )
    })
}

fn scenario() -> impl Strategy<Value = String> {
    let hosts = (host("a"), host("b"), host("s"));
    let clients = (
        client("a", "s:82"),
        prop::option::of(client("a", "s:80-81")),
        prop::option::of(client("b", "s:81-82")),
    );
    let delay = one_of(&["1ns", "10us", "50us", "50300ns", "1ms", "9ms"]);
    let sizes = (one_of(&["1", "60", "1000"]), one_of(&["1", "60", "200", "1400"]));
    (hosts, server("s"), redis("s"), clients, delay, sizes, 0..1000_u32).prop_map(
        |((a, b, s), server, redis, (c1, c2, c3), delay, (request, response), seed)| {
            let bytes = format!("request_bytes = {request}\nresponse_bytes = {response}\n");
            let apps = [Some(server), Some(redis), Some(c1), c2, c3].into_iter().flatten();
            let apps: String = apps.map(|app| app + &bytes).collect();
            format!(
                "name = \"test\"\nseed = {seed}\nduration = \"100s\"\n[links]\n\
                 delay = \"{delay}\"\n{a}{b}{s}{apps}"
            )
        },
    )
}

const CASES: u32 = 80;

/// Whatever the scenario, and wherever one stops to look; and most worlds are not given up.
#[test]
fn nobody_can_tell() {
    let config = ProptestConfig {
        cases: CASES,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let stops = prop::collection::vec(1u64..200_000_000, 1..4);
    let through = Cell::new(0);
    TestRunner::new(config)
        .run(&(scenario(), stops, any::<bool>()), |(text, stops, backward)| {
            let turns = if backward { Turns::Backward } else { Turns::Forward };
            let mut at = Span::ZERO;
            let stops = stops.iter().map(|ns| {
                at = at + Span::nanos(*ns);
                at
            });
            let mut stops: Vec<Span> = stops.collect();
            // Buckets of a minute have died then.
            stops.extend([Span::secs(1), Span::secs(3), Span::secs(75)]);
            if let Went::Through(_) = compare(&parse(&text), turns, &stops)? {
                through.set(through.get() + 1);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(through.get() > CASES / 2, "{} of {CASES} went through", through.get());
}

/// Wants to see every segment, so everything is worked out in full.
struct Full;

impl Watch for Full {
    fn wants_notes(&self) -> bool {
        false
    }
    fn sent(&mut self, _sent: &Sent<'_>) {}
}

/// Is everything that a run leaves behind the same as in full?
fn assert_alike(scenario: &Scenario) {
    let full = run_watched(scenario, Turns::Forward, &mut Full, |_| ());
    let text = |outcome: &Outcome| format!("{outcome:#?}");
    let (known, full) = (text(&run(scenario, Turns::Forward, |_| ())), text(&full));
    let differs = known.lines().zip(full.lines()).find(|(known, full)| known != full);
    assert_eq!(differs, None, "of a run, and of the same in full");
}

const INCIDENT: &str = include_str!("../../../examples/scenarios/incident.toml");

fn incident(limit: u32, more: &str) -> Scenario {
    let limit = format!("\"net.ipv4.tcp_max_tw_buckets\" = {limit}");
    let text = INCIDENT.replacen("\"net.ipv4.tcp_max_tw_buckets\" = 131072", &limit, 1);
    parse(&(text.replacen("service = \"20us\"", more, 1)))
}

/// With a table that fills up within the first seconds.
#[test]
fn the_incident_is_known_from_its_first_seconds_on() {
    let mut scenario = incident(3000, "service = \"20us\"");
    scenario.duration = Span::secs(4);
    assert_alike(&scenario);
    let stops = [Span::secs(4)];
    let went = compare(&scenario, Turns::Forward, &stops).expect("the same");
    assert!(matches!(went, Went::Through(9000..)), "{went:?}");
}

/// A Redis that cannot keep up: its accept queues fill, and what comes then depends on all others.
#[test]
fn what_is_not_known_is_done_again_in_full() {
    let mut scenario = incident(3000, "service = \"4ms\"");
    scenario.duration = Span::secs(3);
    let went = compare(&scenario, Turns::Forward, &[Span::secs(3)]).expect("the same");
    assert!(matches!(went, Went::GaveUp(_)), "{went:?}");
    assert_alike(&scenario);
}

/// The death row of 3.10 turns every 7.5 s, and takes along who was to wait for 5 s from then on.
#[test]
fn a_bucket_may_go_before_its_connection() {
    let host = |name| format!("[hosts.{name}]\nkernel = \"3.10\"\nhz = 300\n");
    let scenario = parse(&format!(
        "name = \"test\"\nseed = 23\nduration = \"20s\"\n[links]\ndelay = \"50us\"\n{}\
         [hosts.web.sysctl]\n\"net.ipv4.tcp_fin_timeout\" = 5\n{}\
         [[apps]]\nkind = \"redis\"\nhost = \"redis\"\nport = \"82\"\nslow = \"250ms\"\n\
         [[apps]]\nkind = \"client\"\nhost = \"web\"\nto = \"redis:82\"\nrate = \"7/s\"\n\
         hold = \"1ms..70ms\"\n",
        host("web"),
        host("redis")
    ));
    let went = compare(&scenario, Turns::Forward, &[Span::secs(20)]).expect("the same");
    assert_eq!(went, Went::GaveUp("a bucket that is gone before its connection"));
    assert_alike(&scenario);
}
