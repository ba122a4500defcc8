//! `finwait compare`: verdict, set-up, counters with ratios, the first difference with its ladders.

use std::fs;

use serde_json::Value;

use crate::golden;
use crate::program::{finwait, scratch};

const APART: &str = "examples/scenarios/closes-apart.toml";
const BUCKETS: &str = "web.net.ipv4.tcp_max_tw_buckets";

#[test]
fn with_a_sysctl_and_without() {
    let ended = finwait(&["compare", APART, "--set", &format!("{BUCKETS}=100")]);
    assert_eq!((ended.status, ended.stderr.as_str()), (1, ""));
    golden::check("compare.txt", &ended.stdout);
}

#[test]
fn without_another_run_it_is_the_counter_run() {
    let folder = scratch("compare_counter");
    let path = folder.join("mine.toml");
    let text = fs::read_to_string(APART).expect("it is there");
    let text = format!("{text}\n[counter_run]\n\"{BUCKETS}\" = 4096\n");
    fs::write(&path, text).expect("it can be written");
    let hosts = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["hosts"].clone();
    let proposed = finwait(&["compare", path.to_str().expect("text"), "--json"]);
    let typed = finwait(&["compare", APART, "--set", &format!("{BUCKETS}=4096"), "--json"]);
    assert_eq!((proposed.status, hosts(&proposed.stdout)), (1, hosts(&typed.stdout)));
}

#[test]
fn a_run_and_itself() {
    let folder = scratch("compare_itself");
    let recording = folder.join("run.fwr");
    let recording = recording.to_str().expect("text");
    assert_eq!(finwait(&["run", APART, "--record", recording]).status, 0);
    for other in [APART, recording] {
        let ended = finwait(&["compare", APART, other]);
        assert_eq!(ended.status, 0, "{}", ended.stdout);
        assert!(
            ended.stdout.starts_with("The runs are the same, event by event (digest "),
            "{}",
            ended.stdout
        );
    }
    let ended = finwait(&["compare", recording, "--set", &format!("{BUCKETS}=100"), "--json"]);
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let whole: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(whole["hosts"]["web"]["measures"]["rst_sent"]["a"], 5);
    assert_eq!(whole["hosts"]["web"]["measures"]["rst_sent"]["b"], 0);
}

#[test]
fn seeds_and_kernels_are_compared_by_kind() {
    let seeds = finwait(&["compare", APART, "--seed", "1,2"]);
    assert_eq!(seeds.status, 1);
    assert!(seeds.stdout.contains("The first 5 go the same way."), "{}", seeds.stdout);
    let kernels = finwait(&[
        "compare",
        "examples/scenarios/slots-6.18.toml",
        "--kernel",
        "3.10,6.18",
        "--duration",
        "130s",
    ]);
    assert_eq!(kernels.status, 1, "{}", kernels.stderr);
    assert!(
        kernels.stdout.contains("hosts.web.kernel: 3.10 in A, 6.18 in B"),
        "{}",
        kernels.stdout
    );
}

#[test]
fn two_scenarios_and_a_folder() {
    let folder = scratch("compare_folder");
    let out = folder.to_str().expect("text");
    let other = "examples/scenarios/closes-together.toml";
    let ended = finwait(&["compare", APART, other, "--out", out]);
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    assert_eq!(read("compare.txt"), ended.stdout);
    assert!(read("compare.svg").starts_with("<svg"));
    let whole: Value = serde_json::from_str(&read("compare.json")).expect("JSON");
    let page = fs::read_to_string("docs/json.md").expect("it is there");
    let (_, rest) = page.split_once("`finwait compare --json`").expect("it is documented");
    let part = rest.split("\n# ").next().expect("a part");
    for (key, _) in whole.as_object().expect("an object") {
        assert!(part.contains(&format!("`{key}`")), "{key} is not documented");
    }
}

#[test]
fn mistakes_are_shown() {
    for (args, piece) in [
        (&["compare", "examples/scenarios/slots-6.18.toml"][..], "is compared with nothing"),
        (&["compare", APART, "--seed", "1,2,3"], "3 values for two runs"),
        (&["compare", APART, "--kernel", "4.4"], "expected \"3.10\" or \"6.18\""),
        (&["compare", APART, "--set", "web.net.ipv4.nothing=1"], "^"),
        (&["compare", APART, "no/such.toml"], "cannot read no/such.toml"),
    ] {
        let ended = finwait(args);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ended.stderr.contains(piece), "{args:?}: {}", ended.stderr);
    }
}
