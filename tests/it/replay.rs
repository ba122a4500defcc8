//! `finwait replay`: what it prints and how it ends.

use crate::program::{finwait, scratch};

const SCRIPT: &str = "\
// A connection is refused.
0 < S 0:0(0) win 1000 <mss 1460>
+0 > R. 0:0(0) ack 1
";

/// A folder with scripts in it: names and texts. Gives their paths.
fn folder(name: &str, scripts: &[(&str, &str)]) -> Vec<String> {
    let folder = scratch(name);
    let write = |&(name, text): &(&str, &str)| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("it can be written");
        path.to_str().expect("it is text").to_owned()
    };
    scripts.iter().map(write).collect()
}

#[test]
fn a_script_that_holds() {
    let paths = folder("replay_holds", &[("a.pkt", SCRIPT)]);
    let ended = finwait(&["replay", &paths[0]]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout, format!("{}: passed\n1 passed, 0 failed, 0 unsupported\n", paths[0]));
    assert_eq!(ended.stderr, "");
}

#[test]
fn many_scripts_one_line_each_and_the_totals_last() {
    let wrong = SCRIPT.replace("> R.", "> S.");
    let foreign = "0 < udp (10)\n";
    let scripts = [("a.pkt", SCRIPT), ("b.pkt", wrong.as_str()), ("c.pkt", foreign)];
    let paths = folder("replay_many", &scripts);
    let args: Vec<&str> = ["replay"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let ended = finwait(&args);
    assert_eq!(ended.status, 2, "a script that cannot be played outweighs one that fails");
    let lines: Vec<_> = ended.stdout.lines().collect();
    let verdicts = ["passed", "failed", "unsupported"];
    for ((line, path), verdict) in lines.iter().zip(&paths).zip(verdicts) {
        assert_eq!(*line, format!("{path}: {verdict}"));
    }
    assert_eq!(lines.last(), Some(&"1 passed, 1 failed, 1 unsupported"));
    assert!(ended.stderr.contains("UDP is not supported"), "{}", ended.stderr);
}

#[test]
fn a_failure_reads_like_packetdrills_and_says_more() {
    let wrong = SCRIPT.replace("ack 1", "ack 2");
    let paths = folder("replay_fails", &[("a.pkt", &wrong)]);
    let ended = finwait(&["replay", &paths[0]]);
    assert_eq!(ended.status, 1);
    let expected = format!(
        "{}:3: error handling packet: live packet field tcp_ack_seq: \
         expected: 2 (0x2) vs actual: 1 (0x1)\n\
         script packet:  0.000000 R. 0:0(0) ack 2\n\
         actual packet:  0.000000 R. 0:0(0) ack 1 win 0\n\
         \n\
         up to then:\n     \
         0.000000 < S 0:0(0) win 1000 <mss 1460>\n     \
         0.000000 > R. 0:0(0) ack 1 win 0   rst-no-socket\n",
        paths[0]
    );
    assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("rst-no-socket: tcp_v4_rcv → "), "{}", ended.stderr);
    assert!(ended.stderr.contains("no timer is running"), "{}", ended.stderr);
}

#[test]
fn counters_are_one_object_and_nothing_else() {
    let paths = folder("replay_mib", &[("a.pkt", SCRIPT)]);
    let ended = finwait(&["replay", "--mib", "json", &paths[0]]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout, "{\"TcpInSegs\":1,\"TcpOutRsts\":1,\"TcpOutSegs\":1}\n");
}

#[test]
fn a_sysctl_can_be_set_from_outside() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scripts/close-active.pkt");
    let set = "net.ipv4.tcp_max_tw_buckets=0";
    let ended = finwait(&["replay", script, "--set", set]);
    assert_eq!(ended.status, 1, "the script needs a bucket");
    assert!(
        ended.stderr.contains("no bucket") || ended.stderr.contains("rst-"),
        "{}",
        ended.stderr
    );
    let ended = finwait(&["replay", script, "--set", "net.ipv4.tcp_max_tw_bucket=0"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("did you mean `net.ipv4.tcp_max_tw_buckets`"));
    let ended = finwait(&["replay", script, "--set", "net.ipv4.tcp_rto_max_ms=1"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("from 1000 to 120000"), "{}", ended.stderr);
}

#[test]
fn the_kernel_can_be_chosen() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scripts/ack-of-unsent.pkt");
    assert_eq!(finwait(&["replay", script]).status, 0);
    assert_eq!(finwait(&["replay", script, "--kernel", "3.10"]).status, 1);
    let ended = finwait(&["replay", script, "--kernel", "2.6"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("expected one of 3.10, 6.18"), "{}", ended.stderr);
}

#[test]
fn keep_going_reports_every_difference() {
    let twice = format!(
        "{}+0 < S 0:0(0) win 1000\n+0 > R. 0:0(0) ack 7\n",
        SCRIPT.replace("ack 1", "ack 9")
    );
    let paths = folder("replay_keep_going", &[("a.pkt", &twice)]);
    let ended = finwait(&["replay", "--keep-going", &paths[0]]);
    assert_eq!(ended.status, 1);
    let lines = |n: u32| ended.stderr.contains(&format!("{}:{n}: error handling packet", paths[0]));
    assert!(lines(3) && lines(5), "{}", ended.stderr);
}

#[test]
fn a_capture_holds_both_directions() {
    let paths = folder("replay_pcap", &[("a.pkt", SCRIPT)]);
    let out = format!("{}.pcap", paths[0]);
    let ended = finwait(&["replay", "--pcap", &out, &paths[0]]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let bytes = std::fs::read(out).expect("it was written");
    // Header, then two records of 16 bytes before 44 (with an MSS option) and 40.
    assert_eq!(bytes.len(), 24 + 16 + 44 + 16 + 40);
}

#[test]
fn a_broken_script_is_shown_with_a_caret() {
    let paths = folder("replay_broken", &[("a.pkt", "0 < S 0:0(0) win 1000 <wscal 7>\n")]);
    let ended = finwait(&["replay", &paths[0]]);
    assert_eq!(ended.status, 2);
    let expected = format!(
        "error: unknown TCP option `wscal`\n --> {}:1:24\n  |\n\
         1 | 0 < S 0:0(0) win 1000 <wscal 7>\n  |                        ^^^^^ \
         expected one of mss, wscale, sackOK, sack, TS, nop, eol, FO, md5\n  |\n  \
         = help: did you mean `wscale`?\n",
        paths[0]
    );
    assert_eq!(ended.stderr, expected);
}

#[test]
fn a_script_that_needs_ipv6_says_so() {
    let text = format!("--ip_version=ipv6\n{SCRIPT}");
    let paths = folder("replay_ipv6", &[("a.pkt", &text)]);
    let ended = finwait(&["replay", &paths[0]]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("finwait plays IPv4 scripts only"), "{}", ended.stderr);
}

#[test]
fn a_connection_of_a_run_is_a_script_that_holds() {
    for (scenario, which, side) in [
        ("closes-apart", ["--rst", "2"], None),
        ("closes-apart", ["--flow", "2"], None),
        ("closes-together", ["--flow", "1"], Some("web")),
        ("closes-while-peer-writes", ["--rst", "1"], None),
        ("forty-milliseconds", ["--flow", "3"], Some("web")),
        ("slots-3.10", ["--flow", "7"], None),
    ] {
        let path = format!("examples/scenarios/{scenario}.toml");
        let mut args = vec!["replay", "--from", &path];
        args.extend(which);
        args.extend(side.iter().flat_map(|name| ["--host", *name]));
        let script = finwait(&args);
        assert_eq!(script.status, 0, "{args:?}: {}", script.stderr);
        let name = format!("from_{scenario}{}", which.concat());
        let paths = folder(&name, &[("a.pkt", &script.stdout)]);
        let ended = finwait(&["replay", &paths[0]]);
        assert_eq!(ended.status, 0, "{args:?}\n{}\n{}", script.stdout, ended.stderr);
        assert!(script.stdout.lines().count() > 10, "{}", script.stdout);
    }
}

#[test]
fn what_a_run_does_not_have_is_named() {
    let path = "examples/scenarios/closes-apart.toml";
    for (args, words) in [
        (["--flow", "999999"], "no connection 999999: fewer were opened"),
        (["--rst", "999999"], "no RST 999999: fewer were sent"),
        (["--host", "nobody"], "no host nobody; it has "),
    ] {
        let ended = finwait(&[["replay", "--from", path].as_slice(), &args].concat());
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}
