//! What was measured on a live kernel, as scenarios: `examples/scenarios` says where.

use finwait_model::counters::Mib;
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use finwait_sim::because::Because;
use finwait_sim::run::HostOutcome;
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::Count;

use crate::stage::{edited, set, web};

const LIMIT_100: &str = "web.net.ipv4.tcp_max_tw_buckets=100";

/// RSTs and `TCPTimeWaitOverflow` of web with the limit in the file, and with 100 buckets.
fn at_both_limits(name: &str) -> [(u64, u64); 2] {
    let of = |scenario: Scenario| {
        let web = web(&scenario);
        (web.counter(Mib::OutRsts), web.counter(Mib::TCPTimeWaitOverflow))
    };
    [of(set(name, &[])), of(set(name, &[LIMIT_100]))]
}

#[test]
fn ack_and_fin_apart_reset_without_buckets() {
    assert_eq!(at_both_limits("closes-apart.toml"), [(5, 5), (0, 0)]);
    let web = web(&set("closes-apart.toml", &[]));
    assert_eq!(web.rst[0].because, Because::FinWait2Refused);
    assert_eq!(web.rst[0].cause.name(), "rst-no-socket");
}

#[test]
fn fin_that_carries_the_ack_needs_no_fin_wait_2() {
    assert_eq!(at_both_limits("closes-together.toml"), [(0, 5), (0, 0)]);
}

#[test]
fn a_socket_that_is_still_held_needs_no_bucket_in_fin_wait_2() {
    assert_eq!(at_both_limits("closes-by-shutdown.toml"), [(0, 5), (0, 0)]);
}

#[test]
fn data_after_close_is_reset_whatever_the_limit() {
    let [(without, _), (with, overflows)] = at_both_limits("closes-while-peer-writes.toml");
    assert_eq!((without, with, overflows), (5, 5, 0));
}

#[test]
fn the_first_two_of_four_keep_their_buckets() {
    let web = web(&set("closes-two-slots.toml", &[]));
    assert_eq!(web.counter(Mib::OutRsts), 2);
    assert_eq!(web.counter(Mib::TCPTimeWaitOverflow), 2);
    assert_eq!(web.sockstat.tw, 2);
    let first = web.rst[0].examples[0].at;
    assert!(first > Instant::ZERO + Span::millis(400), "the third close is the first to suffer");
}

#[test]
fn a_peer_that_closes_within_forty_milliseconds_is_not_reset() {
    for (close_after, resets) in [("1ms", 0), ("30ms", 0), ("39ms", 0), ("45ms", 5), ("60ms", 5)] {
        let delay = format!("close_after = \"{close_after}\"");
        let scenario = edited("forty-milliseconds.toml", &[("close_after = \"45ms\"", &delay)]);
        assert_eq!(web(&scenario).counter(Mib::OutRsts), resets, "{close_after}");
    }
}

#[test]
fn one_second_more_of_fin_timeout_saves_peers_that_close_within_it() {
    let resets = |timeout: &str, close_after: &str| {
        let scenario = edited(
            "fin-timeout-61.toml",
            &[
                ("tcp_fin_timeout\" = 61", &format!("tcp_fin_timeout\" = {timeout}")),
                ("close_after = \"500ms\"", &format!("close_after = \"{close_after}\"")),
            ],
        );
        web(&scenario).counter(Mib::OutRsts)
    };
    assert_eq!(resets("60", "500ms"), 5);
    assert_eq!(resets("61", "500ms"), 0);
    assert_eq!(resets("61", "1500ms"), 5);
}

/// The timer that `ss -o` shows of web's only closed connection a second after its close, with
/// whole seconds left, and tw and orphan of sockstat.
fn one_second_after_close(fin_timeout: &str) -> (&'static str, u64, u32, u32) {
    let setting = format!("web.net.ipv4.tcp_fin_timeout={fin_timeout}");
    let scenario = set("fin-wait-2.toml", &[&setting]);
    let mut world = scenario.world();
    // The connection is closed at once, and the FIN acknowledged 40 ms later.
    world.run_watched(Instant::ZERO + Span::secs(1), &mut Count);
    let kernel = world.host("web").expect("there is a web").kernel();
    let rows = kernel.rows(world.now());
    let row = rows.iter().find(|r| r.state == TcpState::FinWait2).expect("it waits in FIN-WAIT-2");
    let timer = row.timer.expect("it has a timer");
    let stat = kernel.sockstat();
    (timer.name, timer.left.ns / 1_000_000_000, stat.tw, stat.orphan)
}

#[test]
fn who_keeps_fin_wait_2_depends_on_fin_timeout() {
    assert_eq!(one_second_after_close("20"), ("timewait", 19, 1, 0));
    assert_eq!(one_second_after_close("60"), ("timewait", 59, 1, 0));
    assert_eq!(one_second_after_close("90"), ("keepalive", 29, 0, 1));
}

/// When the first bucket was refused, in whole seconds.
fn first_refusal_s(web: &HostOutcome) -> Option<u64> {
    web.series.iter().find(|s| s.overflows > 0).map(|s| s.at.ns / 1_000_000_000)
}

#[test]
fn a_table_of_6_18_overflows_after_buckets_by_rate_seconds() {
    for fin_timeout in ["5", "60"] {
        let timeout = format!("web.net.ipv4.tcp_fin_timeout={fin_timeout}");
        let small = web(&set("slots-6.18.toml", &[&timeout]));
        assert_eq!(first_refusal_s(&small), Some(50), "2000 slots at 40 per second");
        let large = "web.net.ipv4.tcp_max_tw_buckets=2500";
        let enough = web(&set("slots-6.18.toml", &[&timeout, large]));
        assert_eq!(first_refusal_s(&enough), None, "40/s for 60 s to 62 s need 2400 to 2500 slots");
        assert!((2400..=2490).contains(&enough.peak.tw), "{}", enough.peak.tw);
    }
}

#[test]
fn a_table_of_3_10_carries_little_more_than_half_of_that() {
    let same = web(&set("slots-3.10.toml", &[]));
    // 2500 / 40 is 62.5, but the first cell leaves after 60 s, with the 300 of the first 7.5 s.
    assert_eq!(first_refusal_s(&same), Some(70), "2500 slots at 40 per second");
    let enough = web(&set("slots-3.10.toml", &["web.net.ipv4.tcp_max_tw_buckets=4600"]));
    assert_eq!(first_refusal_s(&enough), None);
    // At 40/s a bucket lives 97.5 s to 112.5 s, and a cell of 15 s holds 600.
    assert!((4200..=4600).contains(&enough.peak.tw), "{}", enough.peak.tw);
}

/// The spans between falls of the count, in tenths of seconds, once the table is in its rhythm.
fn falls(web: &HostOutcome) -> Vec<u64> {
    let at: Vec<u64> = web
        .series
        .windows(2)
        .filter(|w| w[1].sockstat.tw + 20 < w[0].sockstat.tw && w[0].at.ns > 150_000_000_000)
        .map(|w| w[1].at.ns / 100_000_000)
        .collect();
    at.windows(2).map(|w| w[1] - w[0]).collect()
}

#[test]
fn the_count_of_3_10_saw_tooths_with_the_death_row() {
    let heavy = web(&set("slots-3.10.toml", &["web.net.ipv4.tcp_max_tw_buckets=4600"]));
    let light = web(&edited("slots-3.10.toml", &[("rate = \"40/s\"", "rate = \"10/s\"")]));
    for (web, tenths, what) in [(heavy, 150, "15 s at heavy load"), (light, 75, "7.5 s at light")] {
        let falls = falls(&web);
        assert!(falls.len() > 10, "{what}: {falls:?}");
        // The slow timer may be up to 29 jiffies late each time.
        assert!(falls.iter().all(|f| f.abs_diff(tenths) <= 2), "{what}: {falls:?}");
    }
}

// — myths: src/glossary/myths.rs points at these —

#[test]
fn fin_timeout_does_not_shorten_time_wait() {
    // The same as `a_table_of_6_18_overflows_…`, seen from the buckets: none leaves sooner.
    for fin_timeout in ["5", "60"] {
        let timeout = format!("web.net.ipv4.tcp_fin_timeout={fin_timeout}");
        let scenario = edited("slots-6.18.toml", &[("duration = \"200s\"", "duration = \"59s\"")]);
        let mut scenario = scenario;
        for setting in [timeout.as_str(), "web.net.ipv4.tcp_max_tw_buckets=100000"] {
            let setting = finwait_sim::scenario::Setting::parse(setting, &scenario).unwrap();
            setting.apply(&mut scenario).unwrap();
        }
        let web = web(&scenario);
        // The last few still wait for the peer, which takes 100 ms to close.
        assert!(web.sockstat.tw + 8 > 59 * 40, "{fin_timeout}: {} buckets", web.sockstat.tw);
    }
}

#[test]
fn tw_reuse_finds_ports_and_makes_no_bucket_shorter() {
    let of = |settings: &[&str]| {
        let web = web(&set("tw-reuse.toml", settings));
        (web.counter(Mib::ActiveOpens), web.counter(Mib::TWRecycled), web.sockstat.tw)
    };
    let (opens, recycled, buckets) = of(&[]);
    assert_eq!(
        (opens, buckets),
        (600, 50),
        "20 per second for 30 s, from 100 ports, even ones first"
    );
    assert_eq!(recycled, 550);
    assert_eq!(of(&["web.net.ipv4.tcp_tw_reuse=0"]), (100, 0, 100));
    assert_eq!(of(&["web.net.ipv4.tcp_tw_reuse=2"]), (100, 0, 100), "not loopback");
    assert_eq!(of(&["web.net.ipv4.tcp_timestamps=0"]), (100, 0, 100));
    let ports = "web.net.ipv4.ip_local_port_range=32768 60999";
    assert_eq!(of(&[ports]), (600, 0, 600), "with ports enough as many buckets as without");
    assert_eq!(of(&[ports, "web.net.ipv4.tcp_tw_reuse=0"]), (600, 0, 600));
}

#[test]
fn tw_reuse_does_nothing_for_a_server_that_closes_first() {
    for reuse in ["0", "1"] {
        let setting = format!("web.net.ipv4.tcp_tw_reuse={reuse}");
        let web = web(&set("tw-reuse-server.toml", &[&setting]));
        assert_eq!(web.peak.tw, 1000);
        assert_eq!(first_refusal_s(&web), Some(20), "1000 buckets at 50 per second");
        assert_eq!(web.counter(Mib::TWRecycled), 0);
    }
}

#[test]
fn max_orphans_does_not_count_buckets() {
    let web = web(&set("slots-6.18.toml", &["web.net.ipv4.tcp_max_orphans=64"]));
    assert_eq!(web.peak.tw, 2000);
    assert!(web.peak.orphan < 20, "{}", web.peak.orphan);
    assert_eq!(web.counter(Mib::TCPAbortOnMemory), 0);
}

#[test]
fn somaxconn_does_not_change_how_connections_end() {
    let web = web(&set("closes-apart.toml", &["peer.net.core.somaxconn=65535"]));
    assert_eq!(web.counter(Mib::OutRsts), 5);
}

#[test]
fn linger_0_resets_every_connection() {
    let outcome = crate::stage::play(&set("linger-0.toml", &[]));
    let (web, peer) = (outcome.host("web").unwrap(), outcome.host("peer").unwrap());
    let opened = web.counter(Mib::ActiveOpens);
    assert_eq!((opened, web.counter(Mib::OutRsts)), (1200, 1200));
    assert_eq!((web.peak.tw, web.counter(Mib::TW)), (0, 0));
    assert_eq!(peer.counter(Mib::EstabResets), opened);
}
