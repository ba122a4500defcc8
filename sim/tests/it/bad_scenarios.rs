//! What a person can write wrongly, and where finwait points.

use finwait_sim::scenario::{Scenario, Setting};

const GOOD: &str = r#"duration = "10s"
[hosts.web]
kernel = "3.10"
[hosts.redis]
kernel = "6.18"
[hosts.redis.sysctl]
"net.ipv4.tcp_fin_timeout" = 30
[links]
delay = "1ms"
[[apps]]
kind = "client"
host = "web"
to = "redis:6379"
rate = "5/s"
[[apps]]
kind = "server"
host = "redis"
port = 6379
"#;

/// Text to replace, what to put there, and "line:column message | expected".
const MISTAKES: &[(&str, &str, &str)] = &[
    ("\"10s\"", "\"0s\"", "1:12 the duration is zero | expected at least \"1ns\""),
    ("\"10s\"", "\"99999h\"", "1:12 \"99999h\" does not fit here | expected a time of at most"),
    (
        "kind = \"server\"\nhost = \"redis\"\nport = 6379",
        "kind = \"redis\"\nhost = \"redis\"\nport = \"1-65000\"",
        "10:1 too many applications",
    ),
    (
        "kind = \"server\"\nhost = \"redis\"\nport = 6379",
        "kind = \"redis\"\nhost = \"redis\"\nport = 6379\ntcp_keepalive = \"1500ms\"",
        "19:17 Redis counts its tcp-keepalive in whole seconds | expected a time such as \"300s\"",
    ),
    (
        "kind = \"server\"\nhost = \"redis\"\nport = 6379",
        "kind = \"redis\"\nhost = \"redis\"\nport = 6379\nmaxclients = 0",
        "19:14 a Redis without clients serves nobody | expected maxclients of at least 1",
    ),
    (
        "kind = \"server\"\nhost = \"redis\"\nport = 6379",
        "kind = \"redis\"\nhost = \"redis\"\nport = 6379\ncommand = \"Get\"",
        "19:11 \"Get\" is no command of Redis | expected a name in small letters",
    ),
    (
        "kind = \"client\"",
        "kind = \"openresty\"\npaths = [{ end = \"close\", share = \"60%\" }, { end = \"close\", share = \"1/2\" }]",
        "12:9 the paths have more than all requests | expected shares of at most 100% together",
    ),
    (
        "kind = \"client\"",
        "kind = \"openresty\"\npaths = [{ end = \"close\", share = \"some\" }]",
        "12:35 \"some\" is no share",
    ),
    ("\"10s\"", "10", "1:12 invalid type: integer `10` | expected a time such as \"60s\""),
    ("duration", "durations", "1:1 unknown field `durations` | "),
    ("\"3.10\"", "\"3.11\"", "3:10 \"3.11\" does not fit here | expected \"3.10\" or \"6.18\""),
    ("kernel = \"3.10\"", "hz = 999\nkernel = \"3.10\"", "3:6 no Linux ticks 999 times a second"),
    ("kernel = \"3.10\"", "", "2:8 missing field `kernel` | expected kernel = \"6.18\" or"),
    (
        "kernel = \"3.10\"",
        "stack = \"smoltcp\"\nhz = 100",
        "4:6 a host with stack = \"smoltcp\" has no hz",
    ),
    (
        "kernel = \"3.10\"",
        "stack = \"lwip\"",
        "3:9 no stack is called \"lwip\" | expected \"linux\" or",
    ),
    (
        "kernel = \"3.10\"",
        "kernel = \"3.10\"\ntimeout = \"1s\"",
        "4:11 `timeout` is a key of hosts with",
    ),
    (
        "kernel = \"3.10\"",
        "stack = \"smoltcp\"\nsend_buffer_bytes = 0",
        "4:21 a buffer of 0 bytes | ",
    ),
    (
        "kernel = \"6.18\"",
        "stack = \"smoltcp\"",
        "7:1 a host with stack = \"smoltcp\" has no sysctl",
    ),
    ("kernel = \"3.10\"", "kernel = \"3.10\"\nmtu = 100", "4:7 an MTU of 100 bytes is too small"),
    ("kernel = \"3.10\"", "kernel = \"3.10\"\naddr = \"10.0.0.2\"", "5:8 web and redis have"),
    ("timeout\" = 30", "timeout\" = -2", "7:30 -2 is out of the range that Linux 6.18 accepts"),
    ("timeout\" = 30", "timeout\" = \"x\"", "7:30 \"x\" is no value for net.ipv4.tcp_fin_timeout"),
    ("tcp_fin_timeout", "tcp_tw_recycle", "7:1 Linux 6.18 has no sysctl \"net.ipv4.tcp_tw_rec"),
    ("delay = \"1ms\"", "delay = \"0ms\"", "9:9 the delay of a link is zero"),
    ("delay = \"1ms\"", "loss = \"2/1\"", "9:8 \"2/1\" does not fit here | expected a probability"),
    ("kind = \"client\"", "kind = \"klient\"", "11:8 unknown kind of application | expected kind"),
    ("kind = \"client\"", "", "10:1 unknown kind of application"),
    ("host = \"web\"", "host = \"wob\"", "12:8 no host is called \"wob\" | expected one of the"),
    ("redis:6379", "redis", "13:6 \"redis\" names no port | expected HOST:PORT such as"),
    ("redis:6379", "rodis:6379", "13:6 no host is called \"rodis\""),
    ("redis:6379", "redis:x", "13:6 \"x\" is no port or range of ports"),
    ("\"5/s\"", "\"0/s\"", "14:8 \"0/s\" does not fit here | expected a rate above 0 such as \"25"),
    ("\"5/s\"", "\"5/s\"\nworkers = 3", "15:11 a client has a rate or workers, not both"),
    ("rate = \"5/s\"", "workers = 0", "14:11 0 workers | expected 1 to 1000000"),
    ("rate = \"5/s\"", "", "10:1 a client needs a pace | expected rate = \"100/s\" or workers"),
    ("rate = \"5/s\"", "rate = \"5/s\"\nthink = \"1s\"", "15:9 only workers think"),
    ("rate = \"5/s\"", "rate = \"5/s\"\nclose = \"slam\"", "15:9 \"slam\" does not fit here"),
    ("port = 6379", "port = 0", "18:8 \"0\" is no port | expected a port such as"),
    (
        "port = 6379",
        "port = 6379\n[[apps]]\nkind = \"redis\"\nhost = \"redis\"\nport = \"6370-6379\"",
        "22:8 another application listens on port 6379 already",
    ),
    ("[links]", "[[links.between]]\nfrom = \"web\"\nto = \"web\"", "9:8 web and web do not talk"),
    ("[links]", "[counter_run]\n\"db.x\" = 1\n[links]", "9:1 no host is called \"db\""),
    ("[[apps]]", "[[app]]", "10:3 unknown field `app` | "),
    ("port = 6379", "port = ", "18:8 "),
];

/// A scenario with the newer applications.
const WEB: &str = r#"duration = "10s"
[hosts.load]
kernel = "6.18"
[hosts.web]
kernel = "6.18"
[[apps]]
kind = "wrk"
host = "load"
to = "web:80"
connections = 10
[[apps]]
kind = "nginx"
host = "web"
[apps.listen]
port = 80
[[apps]]
kind = "scripted"
host = "load"
script = '''
connect web:80 as a   # a comment
  send 100 on a
repeat 3
recv 100 on a = any
end
close on a
'''
"#;

/// The same for it.
const WEB_MISTAKES: &[(&str, &str, &str)] = &[
    (
        "connections = 10",
        "connections = 1",
        "10:15 1 connections for 2 threads | expected at least 2",
    ),
    ("web:80\"", "web:80-81\"", "9:6 one load goes to one port"),
    (
        "connections = 10",
        "connections = 10\nduration = \"0s\"",
        "11:12 the duration of wrk is zero",
    ),
    ("connections = 10", "connections = 10\nconnection = \"open\"", "11:14 \"open\" does not fit"),
    ("port = 80", "port = 80\nlingering_close = \"no\"", "16:19 \"no\" does not fit here"),
    ("port = 80", "port = 80\nrequest_bytes = 0", "16:17 a request without a byte is none"),
    (
        "[[apps]]\nkind = \"scripted\"",
        "[[apps]]\nkind = \"ab\"\nhost = \"load\"\nto = \"web:80\"\nrate = \"1/s\"\n[[apps]]\n\
         kind = \"scripted\"",
        "6:1 clients of one web server want different things of a connection",
    ),
    (
        "kind = \"nginx\"\nhost = \"web\"\n[apps.listen]",
        "kind = \"server\"\nhost = \"web\"",
        "6:1 the server behind the target answers once on each connection",
    ),
    ("connect web:80 as", "conect web:80 as", "20:1 \"conect\" is no system call of a script"),
    ("connect web:80 as", "connect wob:80 as", "20:9 no host is called \"wob\""),
    ("connect web:80 as a", "connect web:80 as", "20:16 a name is missing"),
    (
        "send 100 on a",
        "send 100 on b",
        "21:15 no connection is called \"b\" here | expected connect",
    ),
    ("send 100 on a", "send much on a", "21:8 \"much\" does not fit here | expected a number of"),
    ("send 100 on a", "send 100", "21:3 there is no connection for `send`"),
    ("send 100 on a", "send 100 200 on a", "21:12 \"200\" is too much"),
    ("send 100 on a", "send", "21:3 there is no connection"),
    ("send 100 on a", "shutdown on a", "21:16 something is missing here | expected rd, wr or"),
    ("send 100 on a", "setsockopt SO_LINGR 0 on a", "21:14 \"SO_LINGR\" is no option that scripts"),
    ("send 100 on a", "setsockopt SO_LINGER 1ms on a", "21:24 \"1ms\" does not fit here"),
    ("send 100 on a", "wait 5 on a", "21:8 \"5\" does not fit here | expected a time"),
    ("send 100 on a", "accept", "21:3 this program listens on no port | expected `port"),
    ("repeat 3", "repeat often", "22:8 \"often\" does not fit here | expected how often"),
    ("repeat 3\n", "", "23:1 nothing ends here"),
    ("end\n", "", "22:1 this `repeat` has no end"),
    ("= any", "= ECONRESET", "23:17 \"ECONRESET\" is nothing that a call answers"),
    ("= any", "=", "23:15 nothing is expected here"),
];

#[test]
fn mistakes_in_web_servers_and_scripts_are_named_with_their_place() {
    Scenario::parse(WEB, "web").expect("it is good");
    for (from, to, expected) in WEB_MISTAKES {
        let text = WEB.replacen(from, to, 1);
        assert_ne!(&text, WEB, "{from:?} does not occur");
        let Err(error) = Scenario::parse(&text, "bad") else { panic!("{to:?} was accepted") };
        let (line, column) = error.position(&text).expect("every error has a place");
        let actual = format!("{line}:{column} {} | {}", error.message, error.expected);
        assert!(actual.starts_with(expected), "{to:?}\nexpected: {expected}\n  actual: {actual}");
    }
}

#[test]
fn the_good_one_is_good() {
    let scenario = Scenario::parse(GOOD, "good").expect("it is good");
    assert_eq!(scenario.name, "good");
    assert_eq!(scenario.hosts.len(), 2);
    assert_eq!(scenario.links.len(), 2);
}

#[test]
fn each_mistake_is_named_with_its_place() {
    for (from, to, expected) in MISTAKES {
        let text = GOOD.replace(from, to);
        assert_ne!(&text, GOOD, "{from:?} does not occur");
        let Err(error) = Scenario::parse(&text, "bad") else { panic!("{to:?} was accepted") };
        let (line, column) = error.position(&text).expect("every error has a place");
        let actual = format!("{line}:{column} {} | {}", error.message, error.expected);
        assert!(actual.starts_with(expected), "{to:?}\nexpected: {expected}\n  actual: {actual}");
    }
}

#[test]
fn settings_from_the_command_line_are_checked_alike() {
    let scenario = Scenario::parse(GOOD, "good").expect("it is good");
    for (text, expected) in [
        ("web.net.ipv4.tcp_fin_timeout", "1:1 a setting without a value"),
        ("db.net.ipv4.tcp_fin_timeout=1", "1:1 no host is called \"db\""),
        ("web.tcp_fin_timeout=1", "1:5 Linux 3.10 has no sysctl \"tcp_fin_timeout\""),
        ("web.net.ipv4.tcp_synack_retries=256", "1:33 256 is out of the range"),
        ("web.net.ipv4.tcp_rmem=1 2", "1:23 \"1 2\" is no value for net.ipv4.tcp_rmem"),
    ] {
        let error = Setting::parse(text, &scenario).expect_err(text);
        let (line, column) = error.position(text).expect("every error has a place");
        let actual = format!("{line}:{column} {}", error.message);
        assert!(actual.starts_with(expected), "{text}\nexpected: {expected}\n  actual: {actual}");
    }
    let good = Setting::parse("web.net.ipv4.tcp_fin_timeout=7", &scenario).expect("it is good");
    let mut changed = scenario;
    good.apply(&mut changed).expect("it can be set");
    assert_eq!(changed.hosts[0].sysctl.tcp_fin_timeout, 7);
    assert_eq!(changed.hosts[1].sysctl.tcp_fin_timeout, 30);
}

/// The reference page's scenario, which uses every key there is.
fn everything() -> String {
    let page = include_str!("../../../docs/scenarios.md");
    let (_, rest) = page.split_once("```toml\n").expect("it has an example");
    rest.split_once("```").expect("the example ends").0.to_owned()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1), cases: 2000, ..Default::default()
    })]

    /// Whatever is done to a scenario, it is read or refused with a place, and never panics.
    #[test]
    fn scrambled_scenarios_are_read_or_refused(
        cuts in proptest::collection::vec((0..4000_usize, 0..12_usize), 1..4),
        put in proptest::sample::select(vec![
            "", "0", "-1", "\"", "[", "]", "=", "\n", "\"0s\"", "99999999999999999999", "\u{b5}",
            "1e9", "true", "[[apps]]\n", "\"0/s\"", "{}", "[]", "\"web\"", "#",
        ]),
    ) {
        let mut text = everything();
        for (at, len) in cuts {
            let start = text.floor_char_boundary(at % text.len());
            let end = text.ceil_char_boundary((start + len).min(text.len()));
            text.replace_range(start..end, put);
        }
        if let Err(error) = Scenario::parse(&text, "scrambled") {
            proptest::prop_assert!(error.position(&text).is_some(), "{:?} in\n{}", error, text);
            proptest::prop_assert!(!error.message.is_empty());
        }
    }
}
