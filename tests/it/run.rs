//! `finwait run`: the story on stdout, or one JSON object.

use std::io::Read as _;

use serde_json::Value;

use crate::program::{command, finwait};

const APART: &str = "examples/scenarios/closes-apart.toml";

#[test]
fn the_story_names_cause_reason_and_earlier_event() {
    let ended = finwait(&["run", APART]);
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (0, ""),
        "no progress bar without a terminal"
    );
    for piece in [
        "closes-apart: web (Linux 6.18), peer (Linux 6.18)",
        "RSTs that web sent: 5",
        "rst-no-socket, sk_rst_reason NO_SOCKET",
        "tcp_v4_rcv → no_tcp_socket → tcp_v4_send_reset",
        "Because our FIN was acknowledged on its own",
        "tcp_time_wait(FIN_WAIT2) refused with 0 of 0 buckets",
        "ms later the FIN from peer:80 arrives and is answered with a RST",
        "Counter-run with web.net.ipv4.tcp_max_tw_buckets = 4096: no RST at all",
        "digest ",
    ] {
        let text = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(piece), "{piece:?} is missing in\n{}", ended.stdout);
    }
}

#[test]
fn json_has_the_documented_shape() {
    let ended = finwait(&["run", APART, "--json"]);
    assert_eq!(ended.status, 0);
    let run: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().expect("object").keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(
        keys(&run),
        ["digest", "hosts", "lifecycles", "scenario", "seed", "segments", "simulated_s", "wall_s"]
    );
    assert_eq!(run["scenario"], "closes-apart");
    assert_eq!(run["simulated_s"], 10.0);
    assert_eq!(run["lifecycles"], 5);
    let web = &run["hosts"]["web"];
    assert_eq!(keys(web), ["kernel", "mib", "peak", "rst_sent", "sockstat"]);
    assert_eq!(keys(&web["sockstat"]), ["alloc", "inuse", "orphan", "tw"]);
    assert_eq!(keys(&web["peak"]), ["FIN-WAIT-1", "FIN-WAIT-2", "orphan", "tw"]);
    assert_eq!(web["kernel"], "6.18");
    assert_eq!(web["mib"]["TcpOutRsts"], 5);
    assert_eq!(web["mib"]["TcpExtTCPTimeWaitOverflow"], 5);
    let rst = &web["rst_sent"][0];
    assert_eq!(keys(rst), ["because", "cause", "count", "path", "reason"]);
    assert_eq!(rst["cause"], "rst-no-socket");
    assert_eq!(rst["reason"], "NO_SOCKET");
    assert_eq!(rst["because"], "fin-wait-2-bucket-refused");
    assert_eq!(rst["count"], 5);
    assert_eq!(run["hosts"]["peer"]["rst_sent"], Value::Array(vec![]));
}

#[test]
fn settings_seed_and_duration_take_effect() {
    let json = |args: &[&str]| -> Value {
        let ended = finwait(&[&["run", APART, "--json"], args].concat());
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).expect("it is JSON")
    };
    let plain = json(&[]);
    assert_eq!(plain["digest"], json(&[])["digest"]);
    assert_ne!(plain["digest"], json(&["--seed", "7"])["digest"]);
    let more = json(&["--set", "web.net.ipv4.tcp_max_tw_buckets=100"]);
    assert_eq!(more["hosts"]["web"]["mib"]["TcpOutRsts"], 0);
    let short = json(&["--duration", "500ms"]);
    assert_eq!(short["simulated_s"], 0.5);
    assert_eq!(short["lifecycles"], 3);
}

#[test]
fn without_a_command_the_incident_runs() {
    // The whole of it takes a while in a debug build: `.ci/run` looks at that.
    let ended = finwait(&["run", "--duration", "2s"]);
    assert_eq!(ended.status, 0);
    assert!(ended.stdout.starts_with("incident: web (Linux 3.10)"), "{}", ended.stdout);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command(&["run", APART]).spawn().expect("it starts");
    drop(child.stdout.take());
    let status = child.wait().expect("it ends");
    let mut stderr = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("it is text");
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_change_takes_effect_wherever_a_run_is_named() {
    let scenario = "examples/scenarios/forty-milliseconds.toml";
    let buckets = |args: &[&str]| {
        let at = ["--host", "web", "--at", "2s", "--json"];
        let ended = finwait(&[&["sockstat", scenario], &at[..], args].concat());
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        let value: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
        value["hosts"]["web"]["sockstat"]["tw"].as_u64().expect("a number")
    };
    assert_eq!(buckets(&[]), 0);
    assert_eq!(buckets(&["--set", "web.net.ipv4.tcp_max_tw_buckets=3"]), 3);
    assert_eq!(
        buckets(&["--set", "web.net.ipv4.tcp_max_tw_buckets=9", "--set", "apps.client.count=2"]),
        2
    );
    let ended = finwait(&["ss", scenario, "--set", "apps.client.cuont=2"]);
    assert_eq!(ended.status, 2);
    assert!(
        ended.stderr.contains("--set:1:13") && ended.stderr.contains("did you mean `count`?"),
        "{}",
        ended.stderr
    );
    let ended = finwait(&["ss", scenario, "--set", "apps.clinet.count=2"]);
    assert!(ended.stderr.contains("no application is called"), "{}", ended.stderr);
}
