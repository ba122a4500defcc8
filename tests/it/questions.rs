//! The questions that are built in: each holds, has a page that is up to date, and rests on scripts
//! whose records agree with the model; and how `finwait ask` finds, tells and refuses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use finwait_model::release::Release;
use finwait_sim::script::lower::lower;
use finwait_sim::script::parse;
use finwait_verify::record::Recording;
use finwait_verify::{check, plan};
use serde_json::Value;

use crate::golden;
use crate::program::{finwait, is_too_much, scratch};

/// All cases of a question together; a release build simulates half a million segments in less
/// than a second.
const MOST_SEGMENTS: u64 = 2_000_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn json(args: &[&str]) -> Value {
    let ended = finwait(args);
    assert_eq!(ended.stderr, "", "{args:?}");
    serde_json::from_str(&ended.stdout).expect("it is JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("it is a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is text")
}

#[test]
fn every_question_holds_and_its_page_is_up_to_date() {
    let folder = scratch("what-if");
    let ended = finwait(&["ask", "--all", "-o", folder.to_str().expect("a path")]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "finwait ask --all says why");
    let pages = root().join("docs/what-if");
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("it is a folder");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("it can be listed").file_name()).collect::<Vec<_>>();
        names.sort();
        names
    };
    for name in names(&folder) {
        let new = fs::read_to_string(folder.join(&name)).expect("it was written");
        assert!(new.len() < 120_000, "{} is too large for a page", name.display());
        golden::check_at(&pages.join(&name), &new);
    }
    assert_eq!(names(&pages), names(&folder), "docs/what-if has pages of no question");
}

#[test]
fn every_scenario_with_a_question_is_built_in() {
    let known = json(&["ask", "--json"]);
    let questions = list(&known["questions"]);
    let numbers: Vec<u64> = questions.iter().map(|q| q["number"].as_u64().expect("one")).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "numbers rise: {numbers:?}");
    let mut names: Vec<&str> = questions.iter().map(|q| text(&q["name"])).collect();
    names.sort_unstable();
    let folder = fs::read_dir(root().join("examples/scenarios")).expect("it is there");
    let paths: Vec<PathBuf> = folder.map(|e| e.expect("it can be listed").path()).collect();
    let asks = |path: &&PathBuf| {
        fs::read_to_string(path).expect("it can be read").contains("\n[question]\n")
    };
    let stem = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut files: Vec<String> = paths.iter().filter(asks).map(stem).collect();
    files.sort_unstable();
    assert_eq!(names, files);
}

/// Scenarios that have cases and ask nothing: what is expected of each case is found.
#[test]
fn scenarios_with_cases_and_no_question_hold() {
    let folder = fs::read_dir(root().join("examples/scenarios")).expect("it is there");
    let mut paths: Vec<PathBuf> = folder.map(|e| e.expect("it can be listed").path()).collect();
    paths.retain(|path| {
        let text = fs::read_to_string(path).expect("it can be read");
        text.contains("\n[[cases]]\n") && !text.contains("\n[question]\n")
    });
    paths.sort();
    assert_eq!(paths.len(), 4);
    let long = ["pool-mixed", "wrk-nginx-redis"];
    let is_short = is_too_much("the cases of pool-mixed and wrk-nginx-redis");
    for path in &paths {
        let path = path.to_str().expect("a path");
        if is_short && long.iter().any(|name| path.contains(name)) {
            continue;
        }
        let ended = finwait(&["ask", path]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
        assert!(ended.stdout.contains("  as expected\n"), "{}", ended.stdout);
    }
    // One that does not hold is found.
    let path = scratch("ask-cases").join("own.toml");
    let own = OWN.split_once("[question]").expect("it asks").0.to_owned()
        + OWN.split_once("checked = [\"6.18\"]\n").expect("it is checked").1;
    fs::write(&path, own).expect("it can be written");
    let ended = finwait(&["ask", path.to_str().expect("a path")]);
    assert_eq!((ended.status, ended.stderr.as_str()), (1, ""));
    assert!(ended.stdout.starts_with("own\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("none: wanted web.rst_sent == 0;"), "{}", ended.stdout);
}

/// What differs between a script's record and the model, if it still says what was recorded.
fn difference(script: &str) -> Option<String> {
    let folder = root().join("examples/scripts");
    let record = folder.join(format!("{script}.live.json"));
    let record = fs::read_to_string(&record).unwrap_or_else(|e| panic!("{script}: no record: {e}"));
    let record = Recording::from_text(&record).expect("it is a record");
    let source = fs::read(folder.join(format!("{script}.pkt"))).expect("it has its script");
    let near = |wanted: &str| fs::read_to_string(folder.join(wanted)).ok();
    let lowered = lower(&parse(&source).expect("it is one"), Release::V6_18, &near);
    let case = plan::case(script, &lowered.expect("it can be played")).expect("it can be checked");
    check::recorded(&case, &record).expect("it is of this script").map(|d| d.to_string())
}

#[test]
fn scripts_have_records_that_agree_and_runs_are_short() {
    let answers = json(&["ask", "--all", "--json"]);
    let mut seen: BTreeMap<String, Option<String>> = BTreeMap::new();
    for answer in list(&answers["answers"]) {
        let name = text(&answer["name"]);
        assert_eq!(answer["holds"], true, "{name}");
        for script in list(&answer["scripts"]) {
            let script = text(script);
            let found = seen.entry(script.to_owned()).or_insert_with(|| difference(script));
            assert_eq!(*found, None, "{name}");
        }
        let cases = list(&answer["cases"]);
        assert!((2..=10).contains(&cases.len()), "{name}: {} cases", cases.len());
        for case in cases {
            assert!(
                !list(&case["expect"]).is_empty(),
                "{name}: nothing is expected of {}",
                case["name"]
            );
        }
        let segments: u64 = cases.iter().filter_map(|case| case["segments"].as_u64()).sum();
        assert!(segments < MOST_SEGMENTS, "{name} takes {segments} segments");
    }
}

#[test]
fn a_question_is_found_by_number_name_and_words() {
    let by = |typed: &[&str]| {
        let answer = json(&[&["ask", "--json"], typed].concat());
        list(&answer["answers"])[0]["number"].as_u64()
    };
    assert_eq!(by(&["4"]), Some(4));
    assert_eq!(by(&["fin-timeout-61"]), Some(16));
    assert_eq!(by(&["40", "ms"]), Some(17));
    assert_eq!(by(&["who should close"]), Some(18));
}

#[test]
fn a_case_is_a_scenario_that_holds() {
    let ended = finwait(&["ask", "4", "--scenario", "short"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert!(!ended.stdout.contains("[question]") && !ended.stdout.contains("[[cases]]"));
    let path = scratch("ask-case").join("case.toml");
    fs::write(&path, &ended.stdout).expect("it can be written");
    let path = path.to_str().expect("a path");
    let run = finwait(&["run", path]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.contains("holds  web.rst_sent == 0; web.rst_sent is 0"), "{}", run.stdout);
    let run = finwait(&["run", path, "--set", "web.net.ipv4.tcp_max_tw_buckets=100"]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.contains("fails  web.rst_sent == 0; web.rst_sent is "), "{}", run.stdout);
    let run = json(&["run", path, "--json"]);
    assert_eq!(run["expect"][0]["holds"], true);
}

/// A question of a person's own: two cases of a few connections.
const OWN: &str = r#"
duration = "5s"
[hosts.web]
kernel = "6.18"
[hosts.peer]
kernel = "3.10"
[[apps]]
kind = "client"
host = "web"
to = "peer:80"
rate = "10/s"
[[apps]]
kind = "server"
host = "peer"
port = 80
close_after = "100ms"
[question]
number = 99
ask = "How many?"
answer = "{many.web.peak.tw} or {none.web.peak.tw}."
show = ["web.peak.tw"]
expect = ["many.web.peak.tw > none.web.peak.tw"]
checked = ["6.18"]
[[cases]]
name = "many"
expect = ["web.rst_sent == 0"]
[[cases]]
name = "none"
set = { "web.net.ipv4.tcp_max_tw_buckets" = 0 }
expect = ["web.rst_sent == 0"]
"#;

#[test]
fn an_own_question_whose_expectation_fails_says_what_was_found() {
    let path = scratch("ask-own").join("own.toml");
    fs::write(&path, OWN).expect("it can be written");
    let ended = finwait(&["ask", path.to_str().expect("a path")]);
    assert_eq!((ended.status, ended.stderr.as_str()), (1, ""));
    let found = "none: wanted web.rst_sent == 0; web.rst_sent is ";
    assert!(ended.stdout.contains(found), "{}", ended.stdout);
    assert!(ended.stdout.contains("99. How many?\n\n50 or 0.\n"), "{}", ended.stdout);
}

/// What is said about the question with that replaced.
fn refused(from: &str, to: &str) -> String {
    let path = scratch("ask-refused").join("own.toml");
    assert!(OWN.contains(from), "{from}");
    fs::write(&path, OWN.replacen(from, to, 1)).expect("it can be written");
    let ended = finwait(&["ask", path.to_str().expect("a path")]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{to}");
    ended.stderr
}

#[test]
fn mistakes_in_a_question_are_shown_in_their_place() {
    for (from, to, wanted, column) in [
        ("{many.web.peak.tw}", "{mayn.web.peak.tw}", "did you mean `many`?", ":20:12"),
        ("{many.web.peak.tw}", "{many.web.peak.wt}", "expected tw, orphan", ":20:21"),
        ("{many.web.peak.tw}", "{many.web", "a brace that is not closed", ":20:11"),
        ("checked = [\"6.18\"]", "checked = [\"9.1\"]", "expected \"3.10\" or \"6.18\"", ":23:12"),
        ("rst_sent == 0\"]", "rst_sent = 0\"]", "nothing is compared here", ":26:12"),
        ("tcp_max_tw_buckets", "tcp_max_tw_bucket", "did you mean", ":29:14"),
        ("buckets\" = 0", "buckets\" = \"x\"", "expected a whole number", ":29:46"),
        ("name = \"none\"", "name = \"many\"", "two cases are called \"many\"", ":28:9"),
        ("> none.web.peak.tw", "> 3", "expected CASE.MEASURE", ":22:31"),
    ] {
        let said = refused(from, to);
        assert!(said.contains(wanted) && said.contains(column), "{to}:\n{said}");
    }
}

#[test]
fn what_is_no_question_is_refused() {
    for (args, wanted) in [
        (&["ask", "99"][..], "there is no question 99"),
        (&["ask", "xyzzy"], "no question has \"xyzzy\" in it"),
        (&["ask", "tcp"], "questions have that in them"),
        (&["ask", "4", "--scenario", "shrt"], "did you mean `short`?"),
        (&["ask", "-o", "/tmp"], "no question to write"),
        (&["ask", "examples/scenarios/incident.toml"], "the scenario has no question and no cases"),
    ] {
        let ended = finwait(args);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ended.stderr.contains(wanted), "{args:?}: {}", ended.stderr);
    }
}
