//! Changes from outside, `KEY=VALUE`, as `--set` and `--vary` make them.

use finwait_model::release::Release;
use finwait_model::time::Span;
use finwait_sim::app::{Delay, Pace};
use finwait_sim::scenario::{AppPlan, Draft, Refusal, Scenario};

const FILE: &str = r#"duration = "9s"   # long enough
[hosts.web]
kernel = "3.10"
[hosts.web.sysctl]
"net.ipv4.tcp_fin_timeout" = 60   # as ever
[hosts.redis]
kernel = "6.18"
[links]
delay = "50us"
[[links.between]]
from = "web"
to = "redis"
loss = "1/100"
[[apps]]
kind = "client"
name = "pool"
host = "web"
to = "redis:6379"
rate = "100/s"
[[apps]]
kind = "client"
host = "web"
to = "redis:6379"
rate = "10/s"
[[apps]]
kind = "redis"
host = "redis"
port = 6379
"#;

fn changed(changes: &[&str]) -> Result<(Scenario, String), (usize, String)> {
    let mut draft = Draft::new(FILE, "file").expect("it is good");
    let told = |text: &str, error: finwait_sim::scenario::Error| {
        let (_, column) = error.position(text).expect("every error has a place");
        let length = error.span.expect("every error has a place").len();
        format!("{column}+{length} {} | {}", error.message, error.expected)
    };
    for (n, text) in changes.iter().enumerate() {
        draft.set(text).map_err(|error| (n, told(text, error)))?;
    }
    match draft.scenario() {
        Ok(scenario) => Ok((scenario, draft.text())),
        Err(Refusal { change, error }) => {
            let change = change.expect("the file is good");
            Err((change, told(changes[change], error)))
        }
    }
}

fn good(change: &str) -> Scenario {
    let (scenario, text) = changed(&[change]).unwrap_or_else(|(_, e)| panic!("{change}: {e}"));
    let again = Scenario::parse(&text, "file").expect("its text is the same scenario");
    assert_eq!(format!("{scenario:?}"), format!("{again:?}"));
    scenario
}

#[test]
fn anything_in_the_file_can_be_set() {
    assert_eq!(good("web.net.ipv4.tcp_fin_timeout=7").hosts[0].sysctl.tcp_fin_timeout, 7);
    assert_eq!(
        good("hosts.web.sysctl.net.ipv4.tcp_fin_timeout=7").hosts[0].sysctl.tcp_fin_timeout,
        7
    );
    assert_eq!(good("redis.net.ipv4.tcp_fin_timeout = 7").hosts[1].sysctl.tcp_fin_timeout, 7);
    let ports = good("web.net.ipv4.ip_local_port_range=20000 30000");
    let range = ports.hosts[0].sysctl.get("net.ipv4.ip_local_port_range");
    assert_eq!(range.as_deref(), Some("20000\t30000"));
    for key in ["web.kernel", "hosts.web.kernel"] {
        assert_eq!(good(&format!("{key}=6.18")).hosts[0].release, Release::V6_18);
    }
    assert_eq!(good("seed=2").seed, 2);
    assert_eq!(good("duration=60s").duration, Span::secs(60));
    assert_eq!(good("name=30").name, "30", "a number where text is wanted");
    assert_eq!(good("links.delay=1ms").links[0].quality.delay, Span::millis(1));
    for key in ["links.between.1.loss", "links.web.redis.loss", "links.redis.web.loss"] {
        let link = good(&format!("{key}=7%")).links[0];
        assert_eq!((link.quality.loss.numerator, link.quality.loss.denominator), (7, 100));
    }
    assert_eq!(good("counter_run.web.net.ipv4.tcp_max_tw_buckets=9").counter.len(), 1);
}

#[test]
fn applications_are_found_by_name_host_kind_and_number() {
    let rate = |scenario: &Scenario, n: usize| match &scenario.apps[n].1 {
        AppPlan::Client(client) => match client.pace {
            Pace::Open { rate, .. } => rate.count,
            Pace::Closed { .. } => 0,
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(rate(&good("apps.pool.rate=7/s"), 0), 7);
    assert_eq!(rate(&good("apps.1.rate=7/s"), 0), 7);
    assert_eq!(rate(&good("apps.2.rate=7/s"), 1), 7);
    for key in ["apps.redis.slow", "apps.redis.redis.slow", "apps.3.slow"] {
        for (value, span) in [("50ms", Span::millis(50)), ("0", Span::ZERO)] {
            let scenario = good(&format!("{key}={value}"));
            let AppPlan::Redis(redis) = &scenario.apps[2].1 else { panic!("{scenario:?}") };
            assert_eq!(redis.slow, span);
        }
    }
    let hold = good("apps.pool.hold=1ms..5ms");
    let AppPlan::Client(client) = &hold.apps[0].1 else { panic!("{hold:?}") };
    assert_eq!(client.hold, Delay { least: Span::millis(1), most: Span::millis(5) });
}

#[test]
fn a_key_can_be_taken_out_and_another_put_in_its_place() {
    let changes = ["apps.pool.rate=default", "apps.pool.workers=5"];
    let (scenario, text) = changed(&changes).expect("they fit together");
    let AppPlan::Client(client) = &scenario.apps[0].1 else { panic!("{scenario:?}") };
    assert!(matches!(client.pace, Pace::Closed { workers: 5, .. }), "{client:?}");
    assert!(!text.contains("100/s"), "{text}");
    good("apps.pool.hold=default");
    good("redis.net.ipv4.tcp_fin_timeout=default");
    assert_eq!(good("web.net.ipv4.tcp_fin_timeout=default").hosts[0].sysctl.tcp_fin_timeout, 60);
}

#[test]
fn remarks_stay_where_they_are() {
    let (_, text) =
        changed(&["web.net.ipv4.tcp_fin_timeout=7", "duration=1s"]).expect("it is good");
    assert!(text.starts_with("duration = \"1s\"   # long enough\n"), "{text}");
    assert!(text.contains("\"net.ipv4.tcp_fin_timeout\" = 7   # as ever\n"), "{text}");
}

#[test]
fn each_mistake_is_shown_in_what_was_typed() {
    for (text, expected) in [
        ("web.net.ipv4.tcp_fin_timeout", "1+28 a setting without a value | expected KEY=VALUE"),
        ("db.net.ipv4.tcp_fin_timeout=1", "1+27 no host is called \"db\" | expected HOST.SYSCTL"),
        ("rate=1/s", "1+4 no host is called \"rate\""),
        ("web.tcp_fin_timeout=1", "5+15 Linux 3.10 has no sysctl \"tcp_fin_timeout\""),
        ("web.tcp_fin_timeout=default", "5+15 Linux 3.10 has no sysctl \"tcp_fin_timeout\""),
        ("web.net.ipv4.tcp_synack_retries=256", "33+3 256 is out of the range"),
        ("web.net.ipv4.tcp_rmem=1 2", "23+3 \"1 2\" is no value for net.ipv4.tcp_rmem"),
        ("duration=60", "10+2 invalid type: integer `60` | expected a time such as"),
        ("duration= 0s", "11+2 the duration is zero"),
        ("links.dellay=1ms", "7+6 unknown field `dellay` | expected one of"),
        ("links.dellay=default", "7+6 unknown field `dellay` | expected one of"),
        ("links.between.2.loss=1%", "1+20 there is no number 2"),
        ("apps.client.rate=1/s", "6+6 2 applications are client | expected apps.1 or apps.2"),
        ("apps.web.client.rate=1/s", "6+10 2 applications are web.client | expected apps.1"),
        ("apps.pole.rate=1/s", "6+4 no application is called \"pole\" | expected one of pool"),
        ("apps.9.rate=1/s", "6+1 no application is called \"9\""),
        ("apps.pool=1", "10+0 a key of the application is missing"),
        ("apps=1", "5+0 no application is called"),
        ("apps.pool.rate=often", "16+5 \"often\" does not fit here | expected a rate"),
        ("apps.pool.workers=5", "19+1 a client has a rate or workers, not both"),
        ("apps.pool.rate=default", "1+22 a client needs a pace"),
        ("apps.2.name=pool", "13+4 another application is called \"pool\""),
        ("apps.2.name=a.b", "13+3 \"a.b\" is no name for an application"),
        ("duration.x=1", "1+10 the key leads into what is no table"),
    ] {
        let (_, actual) = changed(&[text]).expect_err(text);
        assert!(actual.starts_with(expected), "{text}\nexpected: {expected}\n  actual: {actual}");
    }
    // The one that is wrong is named, whichever it was.
    let several = ["seed=3", "web.hz=7", "duration=1s"];
    assert_eq!(changed(&several).expect_err("no Linux ticks so").0, 1);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1), cases: 2000, ..Default::default()
    })]

    /// Whatever is typed, it is put in force or refused with a place in it, and never panics.
    #[test]
    fn scrambled_changes_are_made_or_refused(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "apps", "1", "0", "pool", "web", "redis", "client", "links", "between", "net", "ipv4",
            "hosts", "sysctl", "rate", "delay", "tcp_fin_timeout", "", "\u{b5}", "\"", "name", "set",
            "counter_run", "duration", "18446744073709551616",
        ]), 0..5),
        value in proptest::sample::select(vec![
            "", "0", "-1", "1ms", "\"", "[", "[]", "{}", "'x'", "default", "true", "1/s", "\n", "=",
            "[1, \"a\"]", "99999999999999999999", "\u{0}", "nan",
        ]),
    ) {
        let text = format!("{}={value}", parts.join("."));
        let mut draft = Draft::new(FILE, "file").expect("it is good");
        let error = match draft.set(&text) {
            Err(error) => Some(error),
            Ok(()) => draft.scenario().err().map(|refusal| refusal.error),
        };
        if let Some(error) = error {
            proptest::prop_assert!(error.position(&text).is_some(), "{} has no place in {}", error, text);
            let span = error.span.expect("checked");
            proptest::prop_assert!(text.get(span).is_some());
        }
    }
}
