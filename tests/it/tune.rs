//! `finwait tune`: the answer, its neighbour, and the same from any number of threads.

use std::fs;

use serde_json::Value;

use crate::golden;
use crate::program::{command, finwait, scratch};

const SLOTS: &str = "examples/scenarios/slots-6.18.toml";
const BUCKETS: &str = "web.net.ipv4.tcp_max_tw_buckets";

/// The slots of 6.18 at a quarter of their rate, so that the tests are quick.
const QUICK: [&str; 4] = ["--set", "apps.client.rate=10/s", "--set", "duration=130s"];

fn json(args: &[&str]) -> (i32, Value) {
    let ended = finwait(&[&["tune", SLOTS, "--json"], &QUICK[..], args].concat());
    assert_eq!(ended.stderr, "", "no progress without a terminal");
    (ended.status, serde_json::from_str(&ended.stdout).expect("it is JSON"))
}

#[test]
fn one_less_than_the_answer_fails_in_a_run_of_its_own() {
    let over = format!("{BUCKETS}=0..4096");
    let set = format!("{BUCKETS}=500");
    let wish = "web.rst_sent == 0 and web.overflow == 0";
    let (status, tuned) = json(&["--set", &set, "--want", wish, "--over", &over, "--seeds", "2"]);
    assert_eq!((status, &tuned["holds"]), (0, &Value::Bool(true)));
    let change = &tuned["answer"]["changes"][0];
    assert_eq!((&change["key"], &change["from"]), (&BUCKETS.into(), &"500".into()));
    assert_eq!(tuned["answer"]["monotone"], true);
    let to: u64 = change["to"].as_str().expect("text").parse().expect("a number");
    assert_eq!(change["fails_with"], (to - 1).to_string());
    let sent = |limit: u64, seed: u64| {
        let (set, seed) = (format!("{BUCKETS}={limit}"), seed.to_string());
        let args = [&["run", SLOTS, "--json", "--seed", &seed, "--set", &set], &QUICK[..]].concat();
        let run: Value = serde_json::from_str(&finwait(&args).stdout).expect("it is JSON");
        run["hosts"]["web"]["mib"]["TcpExtTCPTimeWaitOverflow"].as_u64().expect("a number")
    };
    assert_eq!(sent(to, 1) + sent(to, 2), 0, "the answer holds with either seed");
    assert!(sent(to - 1, 1) + sent(to - 1, 2) > 0, "one less does not");
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let over = format!("{BUCKETS}=0..4096,apps.client.rate=1/s..20/s");
    let set = format!("{BUCKETS}=400");
    let with = |threads: &str| {
        let args =
            [&["tune", SLOTS, "--want", "web.rst_sent == 0", "--over", &over, "--set", &set]];
        let args = [&args[0][..], &QUICK[..]].concat();
        let output = command(&args).env("RAYON_NUM_THREADS", threads).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).expect("text")
    };
    let one = with("1");
    assert_eq!(one, with("2"));
    golden::check("tune.txt", &one);
}

#[test]
fn a_wish_that_cannot_be_had() {
    let (status, tuned) = json(&[
        "--want",
        "web.rst_sent == 0",
        "--over",
        "web.net.ipv4.tcp_fin_timeout=1..60",
        "--set",
        &format!("{BUCKETS}=100"),
    ]);
    assert_eq!((status, &tuned["holds"]), (1, &Value::Bool(false)));
    assert_eq!(tuned["answer"], Value::Null);
    let verdict = tuned["verdict"].as_str().expect("text");
    assert!(
        verdict.contains("cannot be had") && verdict.contains("Nearest: web.rst_sent is"),
        "{verdict}"
    );
}

#[test]
fn what_holds_already_is_left_alone() {
    let (status, tuned) = json(&["--want", "web.rst_sent == 0", "--over", BUCKETS]);
    assert_eq!(status, 0);
    assert_eq!(tuned["answer"]["changes"], Value::Array(Vec::new()));
}

#[test]
fn two_keys_if_one_does_not_do() {
    let folder = scratch("tune_two");
    let path = folder.join("two.toml");
    // Neither more ports nor more buckets help alone.
    let text = "duration = \"70s\"\n[hosts.web]\nkernel = \"6.18\"\n[hosts.web.sysctl]\n\
                \"net.ipv4.tcp_max_tw_buckets\" = 100\n\"net.ipv4.ip_local_port_range\" = \"40000 40199\"\n\
                [hosts.peer]\nkernel = \"6.18\"\n[[apps]]\nkind = \"client\"\nhost = \"web\"\n\
                to = \"peer:80\"\nrate = \"5/s\"\n[[apps]]\nkind = \"server\"\nhost = \"peer\"\nport = 80\n\
                close_after = \"50ms\"\n";
    fs::write(&path, text).expect("it can be written");
    let path = path.to_str().expect("text");
    let over = format!("{BUCKETS}=0..1000,web.net.ipv4.ip_local_port_range=40000 40199..41000");
    let wish = "web.overflow == 0 and web.EADDRNOTAVAIL == 0";
    let ended = finwait(&["tune", path, "--want", wish, "--over", &over, "--json"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let tuned: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let changes = tuned["answer"]["changes"].as_array().expect("a list");
    assert_eq!(changes.len(), 2, "{}", tuned["verdict"]);
}

#[test]
fn json_has_the_documented_shape() {
    let (_, tuned) = json(&["--want", "web.rst_sent == 0", "--over", BUCKETS]);
    let page = fs::read_to_string("docs/json.md").expect("it is there");
    let (_, rest) = page.split_once("`finwait tune --json`").expect("it is documented");
    let part = rest.split("\n# ").next().expect("a part");
    for (key, _) in tuned.as_object().expect("an object") {
        assert!(part.contains(&format!("`{key}`")), "{key} is not documented");
    }
}

#[test]
fn mistakes_are_shown_in_their_place() {
    for (args, piece) in [
        (&["--want", "web.rst_sent = 0", "--over", BUCKETS][..], "did you mean `==`?"),
        (&["--want", "wob.rst_sent == 0", "--over", BUCKETS], "no host is called"),
        (
            &["--want", "web.rst_sent == 0", "--over", "web.net.ipv4.tcp_max_tw_bucket"],
            "did you mean",
        ),
        (
            &["--want", "web.rst_sent == 0", "--over", "web.net.ipv4.tcp_fin_timeout=9..5"],
            "above the upper",
        ),
        (
            &["--want", "web.rst_sent == 0", "--over", "web.net.ipv4.tcp_fin_timeout=1..9"],
            "which is outside",
        ),
        (
            &["--want", "web.rst_sent == 0", "--over", "web.net.ipv4.tcp_synack_retries=0..999"],
            "expected 0 to 255",
        ),
        (
            &["--want", "web.rst_sent == 0", "--over", "links.loss=1..9"],
            "does not say what links.loss is",
        ),
    ] {
        let ended = finwait(&[&["tune", SLOTS], args].concat());
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(
            ended.stderr.contains(piece) && ended.stderr.contains('^'),
            "{args:?}: {}",
            ended.stderr
        );
    }
}
