//! `finwait plot RUN ladder`, `lanes`, `machine`: which connections, and in which form.

use serde_json::Value;

use crate::golden;
use crate::program::{finwait, scratch};

const RUN: &str = "examples/scenarios/closes-apart.toml";

#[test]
fn a_ladder_is_printed_unless_a_picture_is_asked_for() {
    let ended = finwait(&["plot", RUN, "ladder"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    golden::check("plot-ladder.txt", &ended.stdout);
    let by_name = finwait(&["plot", RUN, "ladder", "--flow", "peer:80-web:41676"]);
    assert_eq!(by_name.stdout, ended.stdout, "the first RST's connection, by its ends");
    let second = finwait(&["plot", RUN, "ladder", "--rst", "2"]);
    assert_eq!(second.status, 0);
    assert_ne!(second.stdout, ended.stdout);
}

/// smoltcp stays in FIN-WAIT-2 for 90 s and in TIME-WAIT for 10 s; Linux is gone after 60 s, and
/// answers the FIN with a RST.
#[test]
fn ladders_of_closes_between_linux_and_smoltcp() {
    let run = "examples/scenarios/smoltcp-close.toml";
    let mut both = String::new();
    for flow in ["peer:62774-web:80", "web:37180-peer:80"] {
        let ended = finwait(&["plot", run, "ladder", "--flow", flow]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        both += &format!("> finwait plot {run} ladder --flow {flow}\n{}\n", ended.stdout);
    }
    golden::check("plot-ladder-smoltcp.txt", &both);
    let (smoltcp, linux) = both
        .split_once("> finwait plot")
        .map_or(("", ""), |(_, rest)| rest.split_once("> finwait plot").expect("two ladders"));
    // In FIN-WAIT-2 for 90 s, in TIME-WAIT for 10 s.
    assert!(
        smoltcp.contains("\n  90.006000 s ") && smoltcp.contains("\n 100.006000 s "),
        "{smoltcp}"
    );
    assert!(smoltcp.contains("TIME-WAIT │") && !smoltcp.contains("RST"), "{smoltcp}");
    assert!(linux.contains("bucket expires") && linux.contains("rst-no-socket"), "{linux}");
}

#[test]
fn a_ladder_is_told_to_programs() {
    let ended = finwait(&["plot", RUN, "ladder", "--json"]);
    let json: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let ladder = &json["ladders"][0];
    assert_eq!(ladder["ends"][0]["host"], "web");
    let events = ladder["events"].as_array().expect("a list");
    let reset = events.iter().find(|e| e["cause"] == "rst-no-socket").expect("a RST");
    assert_eq!(reset["because"], "fin-wait-2-bucket-refused");
    let refused = events.iter().filter(|e| e["event"] == "bucket-refused");
    assert_eq!(refused.count(), 1);
}

#[test]
fn two_ladders_stand_beside_one_another() {
    let folder = scratch("two-ladders");
    let file = folder.join("double.svg").display().to_string();
    let set = "web.net.ipv4.tcp_max_tw_buckets=100";
    let ended = finwait(&["plot", RUN, "ladder", "--beside-set", set, "-o", &file]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let svg = std::fs::read_to_string(&file).expect("it was written");
    assert!(svg.contains(set) && svg.contains("FIN-WAIT-2 bucket, 60 s"));
    assert!(svg.contains(">refused: 0 of 0<"));
    let text = finwait(&["plot", RUN, "ladder", "--beside-set", set]);
    assert!(text.stdout.starts_with("as it was\n"), "{}", text.stdout);
    assert!(text.stdout.contains(set) && text.stdout.contains("TIME-WAIT bucket"));
}

#[test]
fn lanes_and_the_machine_are_pictures() {
    let folder = scratch("lanes").display().to_string();
    let ended = finwait(&["plot", RUN, "lanes", "machine", "--png", "-o", &folder, "--json"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    for (file, kind) in json["files"].as_array().expect("a list").iter().zip(["lanes", "machine"]) {
        assert_eq!(file["kind"], kind);
        let bytes = std::fs::read(file["file"].as_str().expect("a name")).expect("it is there");
        assert!(bytes.starts_with(b"\x89PNG"));
        assert_eq!(file["bytes"], bytes.len());
    }
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let set = "web.net.ipv4.tcp_max_tw_bucket=1";
    for (args, says) in [
        (&["plot", RUN, "ladder", "--rst", "6"][..], "expected 1 to 5"),
        (&["plot", RUN, "ladder", "--flow", "web"], "expected HOST:PORT-HOST:PORT"),
        (&["plot", RUN, "ladder", "--flow", "web:1-peer:80"], "no such connection in the run"),
        (&["plot", RUN, "lanes", "--from", "9s"], "no connection is opened in that time"),
        (&["plot", RUN, "lanes", "--count", "0"], "1..=200"),
        (
            &["plot", RUN, "ladder", "--beside-set", set],
            "did you mean `net.ipv4.tcp_max_tw_buckets`",
        ),
        (&["plot", RUN, "ladder", "--beside", "none.toml"], "cannot read none.toml"),
    ] {
        let ended = finwait(args);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ended.stderr.contains(says), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_trace_is_for_perfetto() {
    let file = scratch("trace").join("trace.json").display().to_string();
    let ended = finwait(&["plot", RUN, "perfetto", "-o", &file]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let bytes = std::fs::read(&file).expect("it was written");
    assert!(ended.stdout.ends_with(&format!("perfetto, {} bytes\n", bytes.len())));
    let trace: Value = serde_json::from_slice(&bytes).expect("it is JSON");
    assert_eq!(trace["otherData"]["scenario"], "closes-apart");
    let wrong = finwait(&["plot", RUN, "perfetto", "--png"]);
    assert!(wrong.stderr.contains("perfetto cannot be written as png"), "{}", wrong.stderr);
    assert_eq!(wrong.status, 2);
}

#[test]
fn a_trace_of_many_sockets_says_what_is_left_out() {
    let incident = include_str!("../../examples/scenarios/incident.toml");
    let folder = scratch("large-trace");
    let run = folder.join("short.toml").display().to_string();
    let short = incident.replace("duration = \"300s\"", "duration = \"3s\"");
    assert_ne!(short, incident);
    std::fs::write(&run, short).expect("it can be written");
    let file = folder.join("trace.json").display().to_string();
    let ended = finwait(&["plot", &run, "perfetto", "-o", &file]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let said = "sockets are more than 10,000: the trace shows one connection in 2";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}
