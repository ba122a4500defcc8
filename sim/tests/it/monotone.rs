//! A law that a table obeys: with open-loop load, a larger one never refuses more buckets.
//!
//! It holds connection by connection where a refusal changes nobody's timing: links without chance,
//! servers that answer each connection on its own. Whoever has a bucket in the smaller table then has
//! one in the larger table, too.

use finwait_sim::measure::Measure;
use finwait_sim::run::run;
use finwait_sim::scenario::Draft;
use finwait_sim::world::Turns;
use proptest::prelude::*;

const FILE: &str = r#"
duration = "80s"
[hosts.web]
kernel = "6.18"
[hosts.peer]
kernel = "6.18"
[[apps]]
kind = "client"
host = "web"
to = "peer:80"
rate = "20/s"
[[apps]]
kind = "server"
host = "peer"
port = 80
"#;

/// Refused buckets with so large a table.
fn refused(buckets: u32, changes: &[String]) -> u64 {
    let mut draft = Draft::new(FILE, "monotone").expect("it is TOML");
    let limit = format!("web.net.ipv4.tcp_max_tw_buckets={buckets}");
    for change in changes.iter().chain([&limit]) {
        draft.set(change).unwrap_or_else(|error| panic!("{change}: {error}"));
    }
    let scenario = draft.scenario().unwrap_or_else(|refusal| panic!("{}", refusal.error));
    let overflow = Measure::parse("web.overflow", &scenario).expect("it is a measure");
    overflow.of(&run(&scenario, Turns::Forward, |_| ())).numerator
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1), cases: 40, ..Default::default()
    })]

    #[test]
    fn more_buckets_never_refuse_more(
        kernel in prop::sample::select(vec!["3.10", "6.18"]),
        rate in 1..60_u32,
        scattered in any::<bool>(),
        hold_ms in 0..200_u32,
        close_after_ms in 0..5_000_u32,
        close in prop::sample::select(vec!["close", "shutdown", "unread"]),
        closes_first in any::<bool>(),
        timeout_s in prop::sample::select(vec![1, 30, 60, 61]),
        seed in 0..1000_u32,
        duration_s in 20..150_u32,
        few in 0..2_000_u32,
        more in 1..500_u32,
    ) {
        let changes = [
            format!("web.kernel={kernel}"),
            format!("apps.client.rate={rate}/s"),
            format!("apps.client.scattered={scattered}"),
            format!("apps.client.hold=0ms..{hold_ms}ms"),
            format!("apps.client.close={close}"),
            format!("apps.server.close_after=0ms..{close_after_ms}ms"),
            format!("apps.server.closes_first={closes_first}"),
            format!("web.net.ipv4.tcp_fin_timeout={timeout_s}"),
            format!("seed={seed}"),
            format!("duration={duration_s}s"),
        ];
        let (small, large) = (refused(few, &changes), refused(few + more, &changes));
        prop_assert!(large <= small, "{large} with {more} more than {few}, which refuse {small}");
    }
}
