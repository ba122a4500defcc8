//! `finwait report` and the report in `--out`: what is written, that a browser shows it, and that it
//! can be used by mouse and keyboard.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use finwait_sim::text::grouped;

use crate::outside::here;
use crate::program::{Ended, command, finwait, interrupt_at, scratch, text};

const APART: &str = "examples/scenarios/closes-apart.toml";
const FILES: [&str; 2] = ["report.html", "report.md"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("it is there")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The incident with a table that is full after eight seconds: its story in a fifteenth of the time.
fn incident(folder: &Path) -> Ended {
    let limit = "web.net.ipv4.tcp_max_tw_buckets=20000";
    finwait(&["run", "--duration", "20s", "--set", limit, "--out", text(folder)])
}

#[test]
fn the_same_recording_gives_the_same_bytes_from_either_command() {
    let folder = scratch("report_same").join("run");
    let ended = finwait(&["run", APART, "--out", text(&folder)]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let mut expected: Vec<&str> = FILES.to_vec();
    expected.extend(["run.fwr", "summary.json", "summary.txt"]);
    let found = names(&folder);
    for name in expected {
        assert!(found.iter().any(|n| n == name), "{name} is not in {found:?}");
    }
    let (again, third) = (folder.join("again"), folder.join("third"));
    // From within the folder, so that the recording has the same name.
    for out in [&again, &third] {
        let mut report = command(&["report", "run.fwr", "-o", text(out)]);
        let ended = report.current_dir(&folder).output().expect("it starts");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    for name in FILES {
        assert_eq!(read(&folder.join(name)), read(&again.join(name)), "{name}");
        assert_eq!(read(&again.join(name)), read(&third.join(name)), "{name}");
    }
}

#[test]
fn further_runs_stand_beside_the_first() {
    let folder = scratch("report_two");
    let record = |name: &str, seed: &str| {
        let path = folder.join(name);
        let ended = finwait(&["run", APART, "--seed", seed, "--record", text(&path)]);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        path
    };
    let (one, two) = (record("one.fwr", "1"), record("two.fwr", "2"));
    let ended = finwait(&["report", text(&one), text(&two), "--json"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let written = told["files"].as_array().expect("a list").clone();
    assert!(written.len() >= 2, "{told}");
    for file in written {
        let path = PathBuf::from(file["path"].as_str().expect("a path"));
        assert_eq!(path.parent(), Some(folder.as_path()), "beside the first run");
        assert_eq!(file["bytes"], read(&path).len());
    }
    let page = read(&folder.join("report.html"));
    assert!(page.contains("Beside other runs") && page.contains("two.fwr"));
    let twin = read(&folder.join("report.md"));
    assert!(twin.contains("two.fwr"), "{twin}");
}

#[test]
fn bad_input_leaves_nothing() {
    let folder = scratch("report_bad").join("out");
    let ended = finwait(&["report", "no/such.fwr", "-o", text(&folder)]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("no/such.fwr"), "{}", ended.stderr);
    assert!(!folder.exists(), "nothing is made before the run can be read");
    let ended = finwait(&["report", "README.md"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("README.md:3:6"), "{}", ended.stderr);
    let ended = finwait(&["report"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
}

#[test]
fn an_interrupted_run_has_a_whole_report_of_what_there_is() {
    let folder = scratch("report_interrupted");
    let child = command(&["run", "--duration", "1h", "--out", text(&folder)]).spawn();
    let child = child.expect("it starts");
    let part = folder.join("run.fwr.part");
    let ended = interrupt_at(child, &part, 200_000);
    assert_eq!(ended.status.code(), Some(130));
    let page = read(&folder.join("report.html"));
    assert!(page.contains("The run was interrupted: "), "it says so");
    assert!(page.trim_end().ends_with("</html>"), "it is whole");
    assert!(names(&folder).iter().all(|name| !name.ends_with(".part")), "{:?}", names(&folder));
}

/// What Chromium is called here.
fn chromium() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter();
    let found = found.filter(|name| {
        Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success())
    });
    // The first name is the one that is missed.
    found.into_iter().next().or_else(|| here("chromium").then_some("chromium"))
}

/// Opens a page without a window; gives what was printed, and what was complained of.
fn browse(chromium: &str, page: &Path, args: &[&str]) -> (String, String) {
    let profile = page.with_extension("profile");
    let mut browser = Command::new(chromium);
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    browser.args(["--no-first-run", "--hide-scrollbars", "--force-device-scale-factor=1"]);
    browser.args(["--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=60000"]);
    // Nothing may be fetched.
    browser.arg("--host-resolver-rules=MAP * ~NOTFOUND");
    browser.arg(format!("--user-data-dir={}", profile.display()));
    browser.args(args).arg(format!("file://{}", page.display()));
    let ended = browser.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    (text(&ended.stdout), text(&ended.stderr))
}

/// A copy of the page in which somebody uses it; what was seen.
fn used(chromium: &str, page: &Path) -> Value {
    let html = read(page);
    let watch = "<script>window.__errors = [];\
        addEventListener('error', e => __errors.push(String(e.message)));\
        addEventListener('unhandledrejection', e => __errors.push(String(e.reason)));\
        for (const how of ['error', 'warn']) console[how] = (...said) => __errors.push(said.join(' '));\
        </script>\n<style>";
    let drive = format!("<script>{}</script>\n</body>", include_str!("report_drive.js"));
    let copy = html.replacen("<style>", watch, 1).replacen("</body>", &drive, 1);
    let path = page.with_file_name("used.html");
    std::fs::write(&path, copy).expect("it can be written");
    let (dom, _) = browse(chromium, &path, &["--window-size=1280,900", "--dump-dom"]);
    let (_, seen) = dom.split_once("<pre id=\"seen\">").expect("the page was used to the end");
    let (seen, _) = seen.split_once("</pre>").expect("it ends");
    let seen = seen.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&seen).expect("it is JSON")
}

fn pair(value: &Value) -> (f64, f64) {
    (value[0].as_f64().expect("a number"), value[1].as_f64().expect("a number"))
}

#[test]
fn a_browser_shows_it_and_it_can_be_used() {
    let Some(chromium) = chromium() else { return };
    let folder = scratch("report_browser");
    let ended = incident(&folder);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let page = folder.join("report.html");
    let (dom, log) = browse(chromium, &page, &["--window-size=1280,900", "--dump-dom"]);
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let json: Value =
        serde_json::from_str(&read(&folder.join("summary.json"))).expect("it is JSON");
    let count = json["hosts"]["web"]["rst_sent"][0]["count"].as_u64().expect("a number");
    assert!(count > 100 && dom.contains(&format!("{} RSTs: ", grouped(count))), "{count} RSTs");

    let seen = used(chromium, &page);
    assert_eq!(seen["broken"], Value::Null, "{seen:#}");
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen:#}");
    zooms(&seen);
    opens(&seen, count);
    steps(&seen);
    filters(&seen);
    assert_eq!(seen["unnamed"], serde_json::json!([]), "everything has a name");

    let shot = folder.join("shot.png");
    let to = format!("--screenshot={}", shot.display());
    browse(chromium, &page, &["--window-size=1280,3000", &to]);
    let bytes = std::fs::read(&shot).expect("it was taken");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 100_000, "{} bytes", bytes.len());
}

fn zooms(seen: &Value) {
    assert_eq!(seen["charts"], 4, "buckets, sockets, RSTs, refusals: {seen:#}");
    assert_eq!(pair(&seen["all"]), (0.0, 20.0));
    let (low, high) = pair(&seen["wheel"]);
    assert!(low > 1.0 && high < 19.0 && (low + high - 20.0).abs() < 0.5, "{low} to {high}");
    assert_eq!(pair(&seen["reset"]), (0.0, 20.0));
    let (low, high) = pair(&seen["drag"]);
    assert!((low - 5.0).abs() < 0.3 && (high - 10.0).abs() < 0.3, "{low} to {high}");
    let (later, _) = pair(&seen["pan"]);
    assert!((later - low - 1.0).abs() < 0.2, "{later}");
    let (low, high) = pair(&seen["plus"]);
    assert!((high - low - 10.0).abs() < 0.2, "{low} to {high}");
    let hover = seen["hover"].as_str().expect("text");
    assert!(hover.contains("buckets20,000"), "{hover}");
    let now = seen["now"].as_str().expect("text");
    assert!(now.starts_with("t = 15.") || now.starts_with("t = 14.9"), "{now}");
    assert!(now.contains("of at most 20,000"), "{now}");
    assert!(seen["look"].as_str().is_some_and(|look| look.starts_with("t = 1")), "{seen:#}");
}

fn opens(seen: &Value, count: u64) {
    // The tenth RST's mark was clicked.
    let clicked = seen["clicked"].as_str().expect("text");
    let nearby = 1..=20;
    let number: u64 =
        clicked["RST ".len()..].split(' ').next().expect("a number").parse().expect("one");
    assert!(nearby.contains(&number), "{clicked} against {}", seen["tenth"]);
    assert!(clicked.ends_with(&format!(" of {}", grouped(count))), "{clicked}");
    let facts = seen["clickedFacts"].as_str().expect("text");
    assert!(facts.contains("NO_SOCKET") && facts.contains("tcp_v4_send_reset"), "{facts}");
    let ladder = seen["ladder"].as_str().expect("text");
    assert!(ladder.contains("FIN-WAIT-1") && ladder.contains("RST"), "{ladder}");
    let chain = seen["chain"].as_array().expect("a list");
    assert!(chain.len() >= 10, "{chain:#?}");
    let all = chain.iter().filter_map(Value::as_str).collect::<String>();
    for piece in
        ["is refused with 20,000 of 20,000", "net.ipv4.tcp_max_tw_buckets = 20000", "a first cause"]
    {
        assert!(all.contains(piece), "{piece}: {all}");
    }
    assert_eq!(seen["second"], format!("RST 2 of {}", grouped(count)));
    assert_eq!(seen["none"], "None is like that.");
}

fn steps(seen: &Value) {
    let place: Vec<&str> =
        seen["place"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(place[0].starts_with("Step 1 of ") && place[1].starts_with("Step 2 of "), "{place:?}");
    assert!(place[2].starts_with("Step 3 of "), "{place:?}");
    let words: Vec<&str> = place[3].split(' ').collect();
    assert_eq!(words[1], words[3], "the last: {place:?}");
    let states: Vec<(String, String)> = seen["states"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|both| {
            let one = |n: usize| both[n].as_str().expect("text").to_owned();
            (one(0), one(1))
        })
        .collect();
    let passes = |web: &str, redis: &str| states.iter().any(|(a, b)| a == web && b == redis);
    assert_eq!(states[0].0, "SYN-SENT");
    assert!(passes("ESTAB", "ESTAB"), "{states:?}");
    // The web server's socket is gone and FIN-WAIT-2 was refused, while Redis still has to close.
    assert!(passes("gone; FIN-WAIT-2 refused", "CLOSE-WAIT"), "{states:?}");
    assert!(!states.iter().any(|(web, _)| web.starts_with("FIN-WAIT-2")), "{states:?}");
}

fn filters(seen: &Value) {
    let found = seen["found"].as_array().expect("a list");
    assert!(!found.is_empty() && (found.len() as u64) < seen["sockets"].as_u64().unwrap_or(0));
    for row in found {
        let row: Vec<&str> =
            row.as_array().expect("cells").iter().filter_map(Value::as_str).collect();
        assert!(row.join(" ").contains(":6379"), "{row:?}");
    }
    let waiting = seen["waiting"].as_array().expect("a list");
    assert!(
        !waiting.is_empty() && waiting.iter().all(|state| *state == "TIME-WAIT"),
        "{waiting:?}"
    );
    let moved = &seen["moved"];
    assert_ne!(moved[0], moved[1], "the slider goes through time");
    let time = moved[1].as_str().expect("text").trim_end_matches("00 s");
    assert!(moved[2].as_str().is_some_and(|now| now.starts_with(time)), "{moved}");
    let count = seen["count"].as_str().expect("text");
    assert!(count.contains("timewait buckets"), "what is left out is told: {count}");
}
