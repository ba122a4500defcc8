//! `finwait explore`: what it must find by itself, that what it finds replays, and what its pages say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::golden;
use crate::program::{Ended, command, finwait, scratch, text};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn json(args: &[&str]) -> Value {
    let ended = finwait(args);
    assert_eq!(ended.stderr, "", "{args:?}");
    serde_json::from_str(&ended.stdout).expect("it is JSON")
}

/// What was found, by kind.
fn kinds(searched: &Value) -> BTreeMap<String, Value> {
    let found = searched["found"].as_array().expect("a list");
    found.iter().map(|f| (f["kind"].as_str().expect("text").to_owned(), f.clone())).collect()
}

/// The ways in which a host that closed properly sends a RST, that every search must find.
const WAYS: [&str; 12] = [
    "rst-no-socket/fin-wait-2-bucket-refused",
    "rst-no-socket/time-wait-bucket-refused",
    "rst-no-socket/bucket-expired",
    "rst-no-socket/bucket-reset-by-peer",
    "rst-tw-data/bucket-after-close",
    "rst-data-after-close/application-closed-before",
    "rst-data-after-close-fin-acked/application-closed-before",
    "rst-linger2-fin-acked/linger2-negative",
    "rst-linger2-close/linger2-negative",
    "rst-orphan-limit/too-many-orphans",
    "rst-orphan-limit-timer/too-many-orphans",
    "rst-no-socket/connection-ended",
];

/// One search that proves it all: what is found, how small it gets, that each schedule replays, that
/// each script holds on the model, and the page that lists them.
#[test]
fn the_ways_to_a_reset_are_found_and_replay() {
    let out = scratch("explore-ways");
    let searched = json(&["explore", "--all", "--json", "--out", text(&out)]);
    let found = kinds(&searched);
    for way in WAYS {
        assert!(found.contains_key(way), "{way} was not found, but {:?}", found.keys());
    }
    let skipped = &found["rst-no-socket/fin-wait-2-bucket-refused"];
    assert_eq!(skipped["schedule"]["connections"], 1);
    assert_eq!(skipped["schedule"]["steps"].as_array().map(Vec::len), Some(3));
    let limit = &skipped["sysctls"][0];
    assert_eq!(limit["sysctl"], "net.ipv4.tcp_max_tw_buckets");
    assert_eq!((&limit["value"], &limit["needed"]), (&"0".into(), &true.into()));
    assert_eq!(limit["happens_with"]["1"], false, "one bucket more, and it does not happen");
    let mut scripts = vec!["replay".to_owned()];
    let mut pages = BTreeMap::new();
    for (kind, found) in &found {
        assert!(
            found["sysctls"].as_array().is_some_and(|all| all.iter().all(|s| s["needed"] == true)),
            "{kind} holds a sysctl that it does not need"
        );
        let folder = out.join(kind.replace('/', "-"));
        let host = found["host"].as_str().expect("text");
        let pkt = folder.join(format!("{host}.pkt"));
        scripts.push(text(&pkt).to_owned());
        let words = |line: &str| line.strip_prefix("// ").map(str::to_owned);
        let script = fs::read_to_string(&pkt).expect("it was written");
        assert!(script.lines().next().and_then(words).is_some(), "{kind} says what it shows");
        pages.insert(kind.replace('/', "-"), script);
    }
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    let Ended { status, stdout, stderr } = finwait(&scripts);
    assert_eq!(status, 0, "{stdout}{stderr}");
    // A sample of them, since each is a program of its own.
    for (kind, found) in found.iter().step_by(5) {
        let file = out.join(kind.replace('/', "-")).join("schedule.toml");
        let again = kinds(&json(&["explore", text(&file), "--json"]));
        assert_eq!(again[kind]["at_s"], found["at_s"], "to the nanosecond");
        assert_eq!(again[kind]["file"], found["file"]);
    }
    golden::check_at(&root().join("docs/explore/ways.md"), &page(&found));
    let there = fs::read_dir(root().join("docs/explore")).expect("it is there");
    for path in there.map(|entry| entry.expect("a file").path()) {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let known = name == "ways" || name == "fin-in-vain" || pages.contains_key(&name);
        assert!(known, "{} is of no way that was found", path.display());
    }
    for (name, script) in pages {
        golden::check_at(&root().join(format!("docs/explore/{name}.pkt")), &script);
    }
}

/// The other page of ways: a FIN that nobody ever acknowledges.
#[test]
fn the_ways_to_a_fin_in_vain() {
    let searched = json(&["explore", "--all", "--json", "--property", "no-fin-in-vain"]);
    let found = kinds(&searched);
    for way in ["timed-out", "reset-by-peer/rst-no-socket/bucket-expired"] {
        assert!(found.contains_key(way), "{way} was not found, but {:?}", found.keys());
    }
    let text = ways(IN_VAIN.to_owned(), &found, false);
    golden::check_at(&root().join("docs/explore/fin-in-vain.md"), &text);
}

const IN_VAIN: &str = "\
# Every way to a FIN that nobody acknowledges

Written by a test from `finwait explore --all --property no-fin-in-vain`: the smallest schedule of each kind that violates
`never end and fin_sent(any) and not fin_acked(any)`. Each is Linux's own behaviour, and the model makes no mistake in it: the
scripts that `--out` writes were played on Linux 6.18.44, and all agree (`finwait verify --allow-global`, because
`tcp_max_orphans` is the whole machine's; one way is 3.10's and was not played). A FIN stays without an ACK in three ways ([explore.md](../explore.md)):

- **The FIN, or what the sender says before it, is answered with a RST** (`reset-by-peer/…`). The peer's `__inet_lookup_skb` finds neither
  socket nor bucket (`rst-no-socket`), or a listener that takes no ACK (`rst-listen-ack`): the bucket's time was up, it was refused, it had
  answered before, or the peer had reset the connection. `tcp_reset` then puts the sender to CLOSE, and a FIN that was not
  acknowledged stays so. Its program does not hear of it if it has closed.
- **The sender itself resets the connection after its FIN** (`reset-before/…`): data comes after close() (`tcp_rcv_state_process`),
  SO_LINGER was set to zero between shutdown() and close() (`tcp_disconnect`), or there were too many orphans (`tcp_check_oom`).
- **The sender gives up** (`timed-out`): `tcp_orphan_retries` or `tcp_retries2` retransmissions without an answer (`tcp_write_timeout`).
";

/// The page that lists every way, as small as it gets.
fn page(found: &BTreeMap<String, Value>) -> String {
    let out = String::from(
        "# Every way to a RST from a host that closed properly\n\n\
         Written by a test from `finwait explore --all`: random schedules, the smallest of each kind that \
         violates\n`never rst_sent(any) and closed_properly(any)`. Nobody has told the search what to look \
         for. Each has a packetdrill\nscript of the host that sends the RST; it holds on the model, and those \
         for 6.18 that set no sysctl of the whole\nmachine hold on the live kernel, too ([explore.md](../explore.md)).\n",
    );
    ways(out, found, true)
}

/// Each way behind what is said in front, with a link to its script if there is one.
fn ways(mut out: String, found: &BTreeMap<String, Value>, scripts: bool) -> String {
    for (kind, found) in found {
        let file = kind.replace('/', "-");
        out += &format!("\n## {kind}\n\n{}.\n\n```\n", found["text"].as_str().expect("text"));
        let schedule = &found["schedule"];
        for line in schedule["steps"].as_array().into_iter().flatten() {
            out += &format!("{}\n", line.as_str().expect("text"));
        }
        for line in schedule["fates"].as_array().into_iter().flatten() {
            out += &format!("segment {}\n", line.as_str().expect("text"));
        }
        for host in schedule["hosts"].as_array().into_iter().flatten() {
            let name = host["name"].as_str().expect("text");
            out += &format!("{name}: Linux {}", host["kernel"].as_str().expect("text"));
            for (sysctl, value) in host["sysctl"].as_object().into_iter().flatten() {
                out += &format!(", {sysctl} = {}", value.as_str().expect("text"));
            }
            for habit in ["leaves_unread", "never_accepts"] {
                if host[habit] == true {
                    out += &format!(", {habit}");
                }
            }
            out.push('\n');
        }
        let host = found["host"].as_str().expect("text");
        out += "```\n\n";
        out += &if scripts {
            format!("Script of {host}: [{file}.pkt]({file}.pkt).")
        } else {
            format!("The FIN is {host}'s.")
        };
        let sysctls = found["sysctls"].as_array().expect("a list");
        if sysctls.is_empty() {
            out += " It takes no sysctl.";
        }
        for sysctl in sysctls {
            let tried = sysctl["happens_with"].as_object().expect("an object");
            let tried = tried.iter().map(|(value, happens)| {
                format!("{value} {}", if *happens == true { "yes" } else { "no" })
            });
            out += &format!(
                " With another `{}` on {}: {}.",
                sysctl["sysctl"].as_str().expect("text"),
                sysctl["host"].as_str().expect("text"),
                tried.collect::<Vec<_>>().join(", ")
            );
        }
        for other in found["other_kernels"].as_array().expect("a list") {
            let happens = if other["happens"] == true { "the same" } else { "it does not happen" };
            out += &format!(
                " With {} on {}: {happens}.",
                other["kernel"].as_str().expect("text"),
                other["host"].as_str().expect("text")
            );
        }
        out.push('\n');
    }
    out
}

/// Scripts that take longer than a test may, or a sysctl of the whole machine.
fn is_quick(script: &str) -> bool {
    let seconds =
        script.lines().rev().find_map(|line| line.split_whitespace().next()?.parse().ok());
    let global = script.contains("tcp_max_orphans");
    script.contains("// kernel: 6.18") && !global && seconds.is_some_and(|s: f64| s < 3.0)
}

#[test]
fn the_scripts_of_the_page_hold_on_the_live_kernel() {
    if let Err(why) = finwait_verify::netns::permit_thread() {
        assert!(std::env::var("FINWAIT_LIVE").as_deref() != Ok("require"), "{why}");
        eprintln!("skipped: {why}");
        return;
    }
    let folder = fs::read_dir(root().join("docs/explore")).expect("it is there");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "pkt"));
    files.retain(|path| is_quick(&fs::read_to_string(path).expect("it reads")));
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    let mut args = vec!["verify", "--jobs", "4"];
    args.extend(files.iter().map(|path| text(path)));
    let ended = finwait(&args);
    assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let with = |threads: &str| {
        let args = ["explore", "--all", "--cases", "3000", "--property", "close-wait-bounded=10s"];
        let output = command(&args).env("RAYON_NUM_THREADS", threads).output().expect("it starts");
        String::from_utf8(output.stdout).expect("text")
    };
    let one = with("1");
    assert!(one.contains("in 1 way") || one.contains(" ways"), "{one}");
    assert_eq!(one, with("2"));
}

#[test]
fn exhaustive_search_finds_the_skipped_state_only_where_there_is_a_limit() {
    let scope =
        ["explore", "--exhaustive", "--json", "--hosts", "web=6.18,redis=6.18", "--depth", "40"];
    let once = json(&[&scope[..], &["--timers", "1"]].concat());
    assert_eq!((&once["holds"], &once["complete"]), (&true.into(), &true.into()), "{once:#}");
    let skipped = "rst-no-socket/fin-wait-2-bucket-refused";
    let plain = json(&[&scope[..], &["--timers", "2"]].concat());
    assert_eq!(plain["complete"], true);
    assert!(!kinds(&plain).contains_key(skipped), "there is room for every bucket");
    let set = ["--timers", "2", "--set", "web.net.ipv4.tcp_max_tw_buckets=0"];
    let full = json(&[&scope[..], &set].concat());
    let found = kinds(&full);
    assert_eq!(found[skipped]["schedule"]["steps"].as_array().map(Vec::len), Some(3));
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let cases: [&[&str]; 7] = [
        &["--never", "rst_sent(wbe)"],
        &["--never", "state(web) == FIN-WAIT2 for > 10s"],
        &["--eventually", "fin_acked(any)"],
        &["--property", "no-rts"],
        &["--hosts", "web=2.6,redis"],
        &["--set", "web.net.ipv4.tcp_fin_timeuot=5"],
        &["--exhaustive", "--property", "close-wait-bounded"],
    ];
    let mut all = String::new();
    for case in cases {
        let ended = finwait(&[&["explore"], case].concat());
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{case:?}");
        all += &format!("$ finwait explore {}\n{}\n", case.join(" "), ended.stderr);
    }
    golden::check("explore-mistakes.txt", &all);
}
