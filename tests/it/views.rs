//! The views of a simulated host as a person types them, as golden texts, and their JSON twins.

use finwait_model::time::Span;
use finwait_sim::recording::{Header, Recorder};
use finwait_sim::run::run_watched;
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;
use serde_json::Value;

use crate::golden;
use crate::program::{finwait, scratch};

const FIN_WAIT_2: &str = "examples/scenarios/fin-wait-2.toml";
const SLOTS_3_10: &str = "examples/scenarios/slots-3.10.toml";

/// What is printed.
fn text(args: &[&str]) -> String {
    let ended = finwait(args);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{args:?}");
    ended.stdout
}

/// Command lines and what they print, one after the other.
fn session(lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        let args: Vec<&str> = line.split_whitespace().collect();
        out += &format!("> finwait {line}\n{}\n", text(&args));
    }
    out
}

#[test]
fn an_orphan_in_fin_wait_2() {
    golden::check(
        "views-6.18.txt",
        &session(&[
            &format!("ss {FIN_WAIT_2} --at 2s -tano"),
            &format!("ss {FIN_WAIT_2} --at 2s --host web -an"),
            &format!("ss {FIN_WAIT_2} --at 2s -tanoe"),
            &format!("ss {FIN_WAIT_2} --at 2s -ltn --host peer"),
            &format!("ss {FIN_WAIT_2} --at 2s -tn state fin-wait-2 dport = :80 --host web"),
            &format!("ss {FIN_WAIT_2} --at 2s -s"),
            &format!("sockstat {FIN_WAIT_2} --at 2s"),
            &format!("nstat {FIN_WAIT_2} --at 2s --host web"),
            &format!("nstat {FIN_WAIT_2} --from 10ms --to 2s -z Tcp*Segs TcpExtTW*"),
            &format!("netstat {FIN_WAIT_2} --at 2s -s --host web"),
            &format!("sysctl {FIN_WAIT_2} --host web"),
            &format!("sysctl {FIN_WAIT_2} net.ipv4.tcp_fin_timeout net.core"),
        ]),
    );
}

#[test]
fn a_table_at_its_edge_on_3_10() {
    golden::check(
        "views-3.10.txt",
        &session(&[
            &format!("ss {SLOTS_3_10} --at 7.97s --host web -tno exclude time-wait"),
            &format!("ss {SLOTS_3_10} --at 7.97s --host web -tn state fin-wait-2"),
            &format!("ss {SLOTS_3_10} --at 7.97s --host web -tano sport > :44430"),
            &format!("ss {SLOTS_3_10} --at 7.97s --host web -tano state time-wait sport > :44430"),
            &format!("ss {SLOTS_3_10} --at 30s -s"),
            &format!("sockstat {SLOTS_3_10} --at 30s"),
            &format!("nstat {SLOTS_3_10} --at 90s -z --host web"),
            &format!("netstat {SLOTS_3_10} --at 90s -s --host web"),
            &format!("sysctl {SLOTS_3_10} --host web"),
        ]),
    );
}

#[test]
fn json_twins_say_the_same() {
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&text(&[args, &["--json", "--at", "2s"]].concat())).expect("JSON")
    };
    let web = |value: &Value| value["hosts"]["web"].clone();
    let ss = json(&["ss", FIN_WAIT_2, "-tan"]);
    assert_eq!(ss["at_s"], 2.0);
    let sockets = &web(&ss)["sockets"];
    assert_eq!(sockets.as_array().map(Vec::len), Some(1));
    assert_eq!(sockets[0]["state"], "FIN-WAIT-2");
    assert_eq!(sockets[0]["object"], "bucket");
    assert_eq!(sockets[0]["timer"]["name"], "timewait");
    assert_eq!(web(&json(&["ss", FIN_WAIT_2, "-s"]))["summary"]["timewait"], 1);
    let nstat = web(&json(&["nstat", FIN_WAIT_2]));
    assert_eq!(nstat["mib"]["TcpExtTW"], 1);
    assert_eq!(nstat["mib"].get("TcpOutRsts"), None);
    assert_eq!(web(&json(&["netstat", FIN_WAIT_2, "-s"]))["mib"]["TcpOutRsts"], 0);
    let sockstat = web(&json(&["sockstat", FIN_WAIT_2]));
    assert_eq!(sockstat["sockstat"]["tw"], 1);
    assert_eq!(sockstat["kernel"], "6.18");
    let sysctl = web(&json(&["sysctl", FIN_WAIT_2]));
    assert_eq!(sysctl["sysctl"]["net.ipv4.tcp_fin_timeout"], 60);
}

/// The first seconds of a scenario as a recording.
fn recorded(path: &str, name: &str) -> String {
    let text = std::fs::read_to_string(path).expect("it is there");
    let mut scenario = Scenario::parse(&text, name).expect("it is right");
    scenario.duration = Span::secs(10);
    let mut recorder = Recorder::new(Vec::new(), Header::new(&scenario, &text, None));
    let outcome = run_watched(&scenario, Turns::Forward, &mut recorder, |_| ());
    let bytes = recorder.finish(&outcome).expect("memory can be written");
    let file = scratch(name).join("run.fwrun");
    std::fs::write(&file, bytes).expect("it can be written");
    file.to_str().expect("it is text").to_owned()
}

#[test]
fn a_recording_shows_what_the_scenario_shows() {
    let run = recorded(SLOTS_3_10, "views-recorded");
    for args in [
        &["ss", "--at", "7.97s", "-tanoe"][..],
        &["ss", "--at", "3s", "-s"],
        &["nstat", "--from", "2s", "--to", "9s", "-z"],
        &["netstat", "--at", "9s", "-s", "--json"],
        &["sockstat", "--at", "9.999s"],
        &["sysctl", "--at", "1s"],
        &["trace", "--from", "2s", "--to", "2.5s"],
        &["top", "--at", "5s"],
    ] {
        let of = |run: &str| text(&[&args[..1], &[run], &args[1..]].concat());
        let scenario = of(SLOTS_3_10);
        let recording = of(&run);
        match args[0] {
            // How long the whole run is differs.
            "top" => assert_eq!(
                recording.lines().skip(2).collect::<Vec<_>>(),
                scenario.lines().skip(2).collect::<Vec<_>>()
            ),
            _ => assert_eq!(recording, scenario, "{args:?}"),
        }
    }
    let ended = finwait(&["ss", &run, "--at", "11s"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("expected at most 10s"), "{}", ended.stderr);
}

#[test]
fn tracepoints_of_five_closes() {
    golden::check(
        "trace.txt",
        &session(&[
            "trace examples/scenarios/closes-apart.toml --to 250ms --host web",
            "trace examples/scenarios/closes-apart.toml -e tcp_send_reset --json --to 250ms",
            "trace examples/scenarios/slots-3.10.toml --from 60s --to 60.03s --host web",
        ]),
    );
}

#[test]
fn frames_one_after_the_other() {
    golden::check(
        "watch.txt",
        &session(&[
            &format!("ss {FIN_WAIT_2} --watch --from 58s --to 62s -tano --host web"),
            &format!("ss {FIN_WAIT_2} --watch --every 30s -s --host web --json --to 60s"),
        ]),
    );
    let ended = finwait(&["ss", FIN_WAIT_2, "--watch", "--every", "0s"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("expected more than zero"), "{}", ended.stderr);
}

#[test]
fn one_screen_of_top() {
    golden::check(
        "top.txt",
        &session(&[
            &format!("top {SLOTS_3_10} --at 150s"),
            "top examples/scenarios/closes-apart.toml --at 1.5s --host peer",
            "top examples/scenarios/closes-apart.toml --at 1.5s --json",
        ]),
    );
}

#[test]
fn the_last_of_all_and_listening_wins() {
    let rows = |flags: &str| {
        text(&["ss", FIN_WAIT_2, "--at", "2s", "--host", "peer", flags]).lines().count()
    };
    assert_eq!((rows("-Htanl"), rows("-Htnla")), (1, 2));
}

#[test]
fn mistakes_are_shown_with_their_place() {
    for (args, report) in [
        (
            &["ss", FIN_WAIT_2, "-tan", "sport", "=", ":http"][..],
            "error: `http` is no port\n --> filter:1:9\n  |\n1 | sport = :http\n  |         ^^^^^ \
             expected a number from 0 to 65535, such as `:80`\n",
        ),
        (
            &["ss", FIN_WAIT_2, "-tan", "( sport = :80"],
            "error: the filter ends too early\n --> filter:1:14\n  |\n1 | ( sport = :80\n  |              \
             ^ expected `)`\n",
        ),
        (
            &["ss", FIN_WAIT_2, "-tanp"],
            "error: `ss -p` cannot be answered: a simulated host has no processes\n --> ss:1:1\n  |\
             \n1 | -p\n  | ^^ expected flags of -t -a -l -n -o -e -s -H -4 -O\n",
        ),
        (
            &["nstat", FIN_WAIT_2, "--at", "201s"],
            "error: the run ends before 201s\n --> --at:1:1\n  |\n1 | 201s\n  | ^^^^ expected at most \
             200s\n",
        ),
        (
            &["sysctl", FIN_WAIT_2, "net.ipv4.tcp_tw_recycle", "--host", "web"],
            "error: web (Linux 6.18) has no sysctl net.ipv4.tcp_tw_recycle\n --> sysctl:1:1\n  |\n1 | \
             net.ipv4.tcp_tw_recycle\n  | ^^^^^^^^^^^^^^^^^^^^^^^ expected a name such as \
             net.ipv4.tcp_fin_timeout\n  |\n  = help: did you mean `net.ipv4.tcp_tw_reuse`?\n",
        ),
        (
            &["sockstat", FIN_WAIT_2, "--host", "wep"],
            "error: fin-wait-2 has no host \"wep\"\n --> --host:1:1\n  |\n1 | wep\n  | ^^^ expected one of \
             web, peer\n  |\n  = help: did you mean `web`?\n",
        ),
    ] {
        let ended = finwait(args);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert_eq!(ended.stderr, report, "{args:?}");
    }
}
