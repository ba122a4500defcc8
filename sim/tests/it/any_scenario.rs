//! Whatever the scenario: the judge finds nothing, every RST has its reason, hosts may take their
//! turns in any order, and in the end the tables are empty.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use finwait_model::time::{Instant, Span};
use finwait_sim::because::Because;
use finwait_sim::run::run;
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::Count;
use finwait_sim::world::Turns;

use crate::stage::play;

/// One of these, as text.
pub(crate) fn one_of(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

/// A host with its kernel and the sysctls that matter to a close. A gentle one never gives up a
/// connection of its own accord.
pub(crate) fn host(name: &'static str, gentle: bool) -> impl Strategy<Value = String> {
    (
        one_of(&["3.10", "6.18"]),
        one_of(&["100", "250", "1000"]),
        one_of(&["0", "3", "100", "131072"]),
        one_of(&["1", "5", "60", "61", "90"]),
        0..=1_u8,
        one_of(&["0", "1"]),
        one_of(&["0", "1"]),
        one_of(&["0", "2", "8", "131072"]),
        0..=1_u8,
    )
        .prop_map(move |(kernel, hz, limit, fin, reuse, stamps, sack, orphans, abort)| {
            let orphans = if gentle { "131072" } else { orphans };
            format!(
                "[hosts.{name}]\nkernel = \"{kernel}\"\nhz = {hz}\n[hosts.{name}.sysctl]\n\
                 \"net.ipv4.tcp_max_tw_buckets\" = {limit}\n\"net.ipv4.tcp_fin_timeout\" = {fin}\n\
                 \"net.ipv4.tcp_tw_reuse\" = {reuse}\n\"net.ipv4.tcp_timestamps\" = {stamps}\n\
                 \"net.ipv4.tcp_sack\" = {sack}\n\"net.ipv4.tcp_max_orphans\" = {orphans}\n\
                 \"net.ipv4.tcp_abort_on_overflow\" = {abort}\n"
            )
        })
}

/// A link; a gentle one loses nothing.
pub(crate) fn link(gentle: bool) -> impl Strategy<Value = String> {
    (
        one_of(&["1ns", "10us", "1ms", "30ms", "250ms"]),
        one_of(&["0s", "5us", "2ms", "50ms"]),
        one_of(&["0%", "1%", "10%"]),
        one_of(&["0%", "1%", "20%"]),
        one_of(&["0%", "2%", "20%"]),
        one_of(&["100us", "3ms", "300ms"]),
    )
        .prop_map(move |(delay, jitter, loss, duplicate, reorder, by)| {
            let loss = if gentle { "0%" } else { loss };
            format!(
                "[links]\ndelay = \"{delay}\"\njitter = \"{jitter}\"\nloss = \"{loss}\"\n\
                 duplicate = \"{duplicate}\"\nreorder = \"{reorder}\"\nreorder_by = \"{by}\"\n"
            )
        })
}

fn sizes() -> impl Strategy<Value = (&'static str, &'static str)> {
    (one_of(&["1", "100", "1448", "5000", "40000"]), one_of(&["0", "1", "300", "9000", "70000"]))
}

/// A client that opens a limited number of connections, and who serves them. Gentle ones do not
/// abort, and accept whoever comes: after an abort Linux may keep the other end for ever.
pub(crate) fn apps(gentle: bool) -> impl Strategy<Value = String> {
    let client = (
        one_of(&["rate = \"3/s\"", "rate = \"100/s\"", "workers = 7", "rate = \"900/s\""]),
        one_of(&["close", "shutdown", "linger0", "unread"]),
        one_of(&["0s", "1ms", "20ms..90ms"]),
    );
    let server = (
        one_of(&["0s", "1ms", "45ms", "0ms..80ms", "700ms"]),
        one_of(&["0s", "5ms", "100ms", "2s"]),
        any::<bool>(),
        one_of(&["0", "0", "1", "2000"]),
        one_of(&["1", "4", "4096"]),
    );
    (client, server, any::<bool>(), sizes()).prop_map(move |(client, server, is_redis, sizes)| {
        let (request, response) = sizes;
        let bytes = format!("request_bytes = {request}\nresponse_bytes = {response}\n");
        let (pace, close, hold) = client;
        let aborts = gentle && matches!(close, "linger0" | "unread");
        let close = if aborts { "close" } else { close };
        let mut text = format!(
            "[[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\n{pace}\ncount = 60\n\
             close = \"{close}\"\nhold = \"{hold}\"\n{bytes}"
        );
        let (close_after, service, first, parting, backlog) = server;
        let backlog = if gentle { "4096" } else { backlog };
        let _ = write!(text, "[[apps]]\nhost = \"b\"\nport = 80\nbacklog = {backlog}\n{bytes}");
        let _ = if is_redis {
            writeln!(text, "kind = \"redis\"\nslow = \"120ms\"\nslow_every = \"1s\"")
        } else {
            writeln!(
                text,
                "kind = \"server\"\nclose_after = \"{close_after}\"\nservice = \"{service}\"\n\
                 closes_first = {first}\nparting_bytes = {parting}"
            )
        };
        text
    })
}

pub(crate) fn scenario(gentle: bool) -> impl Strategy<Value = String> {
    let hosts = (host("a", gentle), host("b", gentle));
    (hosts, link(gentle), apps(gentle), 0..1000_u64).prop_map(|((a, b), link, apps, seed)| {
        format!("duration = \"15s\"\nseed = {seed}\n{a}{b}{link}{apps}")
    })
}

pub(crate) fn parse(text: &str) -> Scenario {
    Scenario::parse(text, "any").unwrap_or_else(|e| panic!("{e} at {:?} in\n{text}", e.span))
}

/// The same cases every time, so that nobody's change fails by chance; for others set
/// `PROPTEST_RNG_SEED`, for more `PROPTEST_CASES`.
pub(crate) fn config() -> ProptestConfig {
    let mut config = ProptestConfig { max_shrink_iters: 1000, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_judge_finds_nothing_and_every_rst_has_its_reason(text in scenario(false)) {
        let scenario = parse(&text);
        let outcome = play(&scenario);
        for group in outcome.hosts.iter().flat_map(|h| &h.rst) {
            let answers = group.examples[0].answers.map(|s| format!("{} {s}", s.flow));
            let what = format!("{} in answer to {answers:?}", group.cause.name());
            prop_assert_ne!(group.because, Because::Unknown, "{} in\n{}", what, text);
        }
        let backward = run(&scenario, Turns::Backward, |_| ());
        prop_assert_eq!(outcome.digest, backward.digest);
    }

    #[test]
    fn in_the_end_the_tables_are_empty(text in scenario(true)) {
        let scenario = parse(&text);
        let mut world = scenario.world();
        world.run_watched(Instant::ZERO + Span::secs(1500), &mut Count);
        world.check();
        for (name, listeners) in [("a", 0), ("b", 1)] {
            let kernel = world.host(name).expect("it is there").kernel();
            let stat = kernel.sockstat();
            let left = (stat.inuse, stat.orphan, stat.tw);
            let rows = kernel.rows(world.now());
            prop_assert_eq!(left, (listeners, 0, 0), "{} has {:?} in\n{}", name, rows, text);
        }
        prop_assert_eq!(world.lifecycles(), 60);
    }
}

/// Scenarios in which something went wrong once.
#[test]
fn regressions() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regressions");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let outcome = play(&parse(&text));
        assert!(outcome.segments > 0, "{}", path.display());
    }
}
