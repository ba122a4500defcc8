//! `finwait run --record` and `--out`: files appear whole or not at all, and those of an
//! interrupted run can be read.

use std::path::Path;

use finwait_sim::recording::{End, Filter, Recording, What};

use crate::program::{command, finwait, interrupt_at, scratch, text};

const APART: &str = "examples/scenarios/closes-apart.toml";

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_recording_holds_the_run_and_its_scenario() {
    let path = scratch("record").join("apart.fwr");
    let plain = finwait(&["run", APART, "--json", "--seed", "7"]);
    let set = "web.net.ipv4.tcp_fin_timeout=30";
    let rmem = "peer.net.ipv4.tcp_rmem=4096 90000 100000";
    let args = ["run", APART, "--seed", "7", "--set", set, "--set", rmem, "--record", text(&path)];
    let ended = finwait(&args);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let again = finwait(&[&args[..], &["--json"]].concat());
    let recording = Recording::open(&path).expect("it can be read");
    let End::Complete(totals) = recording.end() else { panic!("{:?}", recording.end()) };
    assert!(again.stdout.contains(&totals.digest), "{}", again.stdout);
    assert!(!plain.stdout.contains(&totals.digest), "the settings are in force");
    let toml = &recording.header().toml;
    for piece in ["\"net.ipv4.tcp_fin_timeout\" = 30", "4096 90000 100000", "seed = 7"] {
        assert!(toml.contains(piece), "{piece} is missing in\n{toml}");
    }
    // The text alone gives the same run.
    let copy = path.with_file_name("copy.toml");
    std::fs::write(&copy, toml).expect("it can be written");
    let copied = finwait(&["run", text(&copy), "--json"]);
    assert!(copied.stdout.contains(&totals.digest), "{}", copied.stderr);
    assert_eq!(names(path.parent().expect("a folder")), ["apart.fwr", "copy.toml"]);
}

#[test]
fn a_folder_has_the_recording_and_both_summaries() {
    let folder = scratch("record_out").join("new");
    let ended = finwait(&["run", APART, "--out", text(&folder)]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let found = names(&folder);
    for name in ["report.html", "report.md", "run.fwr", "summary.json", "summary.txt"] {
        assert!(found.iter().any(|n| n == name), "{name} is not in {found:?}");
    }
    let story = std::fs::read_to_string(folder.join("summary.txt")).expect("it is there");
    assert_eq!(story, ended.stdout);
    assert!(story.contains("Counter-run"), "{story}");
    let json = std::fs::read_to_string(folder.join("summary.json")).expect("it is there");
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["scenario"], "closes-apart");
    Recording::open(&folder.join("run.fwr")).expect("it can be read");
}

#[test]
fn ctrl_c_ends_a_run_that_can_be_read() {
    let folder = scratch("record_interrupted");
    let path = folder.join("run.fwr");
    let args = ["run", "--duration", "1h", "--record", text(&path)];
    let child = command(&args).spawn().expect("it starts");
    let part = folder.join("run.fwr.part");
    let ended = interrupt_at(child, &part, 200_000);
    let stderr = String::from_utf8(ended.stderr).expect("it is text");
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    assert!(stderr.starts_with("interrupted: ") && stderr.contains(" of 3600s"), "{stderr}");
    let stdout = String::from_utf8(ended.stdout).expect("it is text");
    let recording = Recording::open(&path).expect("it can be read");
    let End::Interrupted(totals) = recording.end() else { panic!("{:?}", recording.end()) };
    assert!(stdout.contains(&format!("digest {}", totals.digest)), "{stdout}");
    assert_eq!(names(&folder), ["run.fwr"]);
}

#[test]
fn a_full_disk_ends_the_run_with_a_message() {
    let ended = finwait(&["run", "--duration", "20s", "--record", "/dev/full"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.starts_with("error: cannot write /dev/full: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("No space left on device"), "{}", ended.stderr);
    assert!(ended.stdout.contains("digest"), "the summary is printed:\n{}", ended.stdout);
    let ended = finwait(&["run", APART, "--record", "/no/such/folder/run.fwr"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
    let ended = finwait(&["run", APART, "--record", "src"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("it is a folder"), "{}", ended.stderr);
}

#[test]
fn only_the_chosen_connections_are_recorded() {
    let path = scratch("record_flows").join("some.fwr");
    let flows = "web:*->redis:6379-6386/20";
    let args = ["run", "--duration", "2s", "--json", "--record", text(&path)];
    let ended = finwait(&[&args[..], &["--record-flows", flows]].concat());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let recording = Recording::open(&path).expect("it can be read");
    let filter = recording.header().filter.as_deref();
    assert_eq!(filter, Some("--record-flows web:*->redis:6379-6386/20"));
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let web = recording.host("web").expect("it is there");
    let view = recording.host_at(web, recording.end().at()).expect("it can be read");
    for (mib, value) in &view.counters {
        assert_eq!(json["hosts"]["web"]["mib"][mib.nstat_name()], *value, "{mib:?}");
    }
    let everything = recording.events(Default::default()..recording.end().at(), Filter::ALL);
    let mut opened = 0;
    for event in everything {
        let event = event.expect("it is whole");
        if let Some(flow) = event.what.flow() {
            assert!((6379..=6386).contains(&flow.sport.min(flow.dport)), "{event:?}");
        }
        if let What::Sent { segment, .. } = event.what {
            opened += u32::from(segment.flags.syn() && !segment.flags.ack());
        }
    }
    // 5,000 connections, half of them to these ports, one in twenty.
    assert!((80..170).contains(&opened), "{opened} connections");
}

#[test]
fn a_wrong_choice_of_connections_is_shown_with_a_caret() {
    let path = scratch("record_wrong").join("run.fwr");
    for (flows, report) in [
        (
            "webb:*->redis:6379",
            "error: no host is called \"webb\"\n --> --record-flows:1:1\n  |\n1 | \
             webb:*->redis:6379\n  | ^^^^ expected web, redis or *\n  |\n  = help: did you mean `web`?\n",
        ),
        (
            "web:*->redis:http",
            "error: \"http\" is no port\n --> --record-flows:1:14\n  |\n1 | web:*->redis:http\n  |   \
             \u{20}          ^^^^ expected 1 to 65535, two of them with a - between, or *\n",
        ),
        (
            "web:*->redis:*/0",
            "error: \"0\" is no number of connections\n --> --record-flows:1:16\n  |\n1 | \
             web:*->redis:*/0\n  |                ^ expected N to record one in N connections, such \
             as 1000\n",
        ),
        (
            "web:*",
            "error: no two ends\n --> --record-flows:1:1\n  |\n1 | web:*\n  | ^^^^^ expected \
             END->END, such as web:*->redis:6379\n",
        ),
    ] {
        let ended = finwait(&["run", "--record", text(&path), "--record-flows", flows]);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{flows}");
        assert_eq!(ended.stderr, report, "{flows}");
    }
    assert!(!path.exists());
    let ended = finwait(&["run", "--record-flows", "web:*->redis:*"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("nothing is recorded"), "{}", ended.stderr);
}
