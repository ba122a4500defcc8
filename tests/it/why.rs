//! `finwait explain RUN`: a RST back to its first cause, call paths, and what cannot be asked.

use serde_json::Value;

use crate::golden;
use crate::program::finwait;

const RUN: &str = "examples/scenarios/closes-apart.toml";

#[test]
fn a_rst_is_followed_to_its_first_cause() {
    let ended = finwait(&["explain", RUN, "--rst", "1"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    golden::check("why-closes-apart.txt", &ended.stdout);
    let json = finwait(&["explain", RUN, "--rst", "1", "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    let links = json["chains"][0]["links"].as_array().expect("a list");
    let told = ended.stdout.lines().filter(|line| line.contains("  t=")).count();
    assert_eq!(links.len(), told);
}

#[test]
fn call_paths_are_folded() {
    let ended = finwait(&["explain", RUN, "--stack", "rst", "--host", "web"]);
    let path = "tcp_v4_rcv;no_tcp_socket;tcp_v4_send_reset 5\n";
    assert_eq!((ended.status, ended.stdout.as_str()), (0, path));
    let all = finwait(&["explain", RUN, "--stack", "rst"]);
    assert_eq!(all.stdout, format!("web;{path}"));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    for (args, says) in [
        (&["explain", RUN, "--rst", "6"][..], "expected 1 to 5"),
        (&["explain", RUN, "--rst", "0"], "expected 1 to 5"),
        (&["explain", RUN, "--rst", "1", "--host", "peer"], "peer has sent no RST"),
        (&["explain", RUN, "--rst", "1", "--host", "wbe"], "expected one of web, peer"),
        (&["explain", RUN, "--flow", "web"], "expected HOST:PORT-HOST:PORT"),
        (&["explain", RUN, "--flow", "web:1-peer:80"], "no RST was sent on that connection"),
        (&["explain", RUN, "--flow", "web:1-peer:80", "--segment", "1"], "no segment of what was"),
        (&["explain", RUN, "--segment", "0"], "expected 1 to "),
        (&["explain", RUN, "--segment", "1", "--rst", "1"], "cannot be used with"),
        (&["explain", RUN], "expected --rst N"),
        (&["explain", "no-such-file.fwr", "--rst", "1"], "cannot read no-such-file.fwr"),
    ] {
        let ended = finwait(args);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ended.stderr.contains(says), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_segment_that_is_no_rst_is_followed_too() {
    let ended = finwait(&["explain", RUN, "--host", "peer", "--segment", "2"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    golden::check("why-segment.txt", &ended.stdout);
}
