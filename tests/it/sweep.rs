//! `finwait sweep` as people use it: one machine, one command.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use crate::outside::here;
use crate::program::{Ended, command, finwait, interrupt_at, scratch, text};

/// Two hosts, 600 connections: a table that is full soon.
pub(crate) const SMALL: &str = r#"
name = "small"
duration = "3s"
[hosts.web]
kernel = "6.18"
[hosts.web.sysctl]
"net.ipv4.tcp_max_tw_buckets" = 100
[hosts.peer]
kernel = "6.18"
[[apps]]
kind = "client"
host = "web"
to = "peer:80"
rate = "200/s"
[[apps]]
kind = "server"
host = "peer"
port = 80
close_after = "0ms..90ms"
"#;

pub(crate) const BUCKETS: &str = "web.net.ipv4.tcp_max_tw_buckets";

/// A folder with the small scenario in it.
pub(crate) fn stage(name: &str) -> (PathBuf, String) {
    let folder = scratch(name);
    let file = folder.join("small.toml");
    fs::write(&file, SMALL).expect("it can be written");
    let file = text(&file).to_owned();
    (folder, file)
}

/// Every file of a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let file = |entry: Result<fs::DirEntry, std::io::Error>| {
        let entry = entry.expect("it can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).expect("it can be read"))
    };
    entries.map(file).collect()
}

/// Fails with the name of the file that differs, not with its bytes.
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "{name} differs");
    }
}

fn rows(ended: &Ended) -> Vec<Value> {
    let whole: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    whole["rows"].as_array().expect("it has rows").clone()
}

#[test]
fn a_table_on_the_terminal_and_the_same_as_files() {
    let (folder, file) = stage("sweep_table");
    let out = folder.join("out");
    let vary = format!("{BUCKETS}=50,100..400:x2");
    let args =
        ["sweep", &file, "--vary", &vary, "--measure", "web.overflow,web.peak.tw,web.end.tw"];
    let printed = finwait(&args);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    let expected = "\
web.net.ipv4.tcp_max_tw_buckets  web.overflow  web.peak.tw  web.end.tw
50                                        545           50          50
100                                       495          100         100
200                                       395          200         200
400                                       195          400         400
4 points of small
";
    assert_eq!(printed.stdout, expected);
    let ended = finwait(&[&args[..], &["--out", text(&out)]].concat());
    assert_eq!((ended.status, ended.stdout), (0, printed.stdout.clone()));
    let found = files(&out);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    let wanted = [
        "sweep.csv",
        "sweep.journal",
        "sweep.ndjson",
        "sweep.txt",
        "web.end.tw.svg",
        "web.overflow.svg",
        "web.peak.tw.svg",
    ];
    assert_eq!(names, wanted);
    assert_eq!(found["sweep.txt"], printed.stdout.as_bytes());
    let csv = String::from_utf8(found["sweep.csv"].clone()).expect("it is text");
    let mut lines = csv.lines();
    let head = format!("{BUCKETS},seed,digest,error,web.overflow,web.peak.tw,web.end.tw");
    assert_eq!(lines.next(), Some(head.as_str()));
    assert!(
        lines.next().is_some_and(|line| line.starts_with("50,1,") && line.ends_with(",,545,50,50"))
    );
    // Its tables can be drawn again, with everything as it should be.
    for table in ["sweep.csv", "sweep.ndjson"] {
        let picture = folder.join(format!("{table}.svg"));
        let ended = finwait(&["plot", text(&out.join(table)), "map", "-o", text(&picture)]);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        let svg = fs::read_to_string(picture).expect("it was drawn");
        assert!(svg.contains("web.end.tw over"), "the last measure over what was varied");
    }
}

#[test]
fn a_point_that_fails_is_a_row_and_the_others_go_on() {
    let (folder, file) = stage("sweep_fails");
    let vary = "web.net.ipv4.tcp_synack_retries=5,256,6";
    let args = ["sweep", &file, "--vary", vary, "--measure", "lifecycles", "--color", "never"];
    let ended = finwait(&args);
    assert_eq!((ended.status, ended.stderr.as_str()), (1, ""));
    let refused = |line: &str| {
        line.starts_with("256 ")
            && line.ends_with(
                "  256 is out of the range that Linux 6.18 accepts for \
                 net.ipv4.tcp_synack_retries: expected 0 to 255",
            )
    };
    assert!(ended.stdout.lines().any(refused), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("3 points of small; 1 of 3 runs failed\n"), "{}", ended.stdout);
    let json = finwait(&[&args[..], &["--json"]].concat());
    let rows = rows(&json);
    assert_eq!(json.status, 1);
    assert_eq!(rows[1]["lifecycles"], Value::Null);
    assert!(rows[1]["error"].as_str().is_some_and(|e| e.starts_with("256 is out of the range")));
    assert!(rows[2]["lifecycles"].as_u64().is_some_and(|n| n > 0));
    // A point that fails stays so: it is not tried again.
    let out = folder.join("out");
    let args = [&args[..], &["--out", text(&out)]].concat();
    assert_eq!(finwait(&args).status, 1);
    let before = files(&out);
    assert_eq!(finwait(&args).status, 1);
    assert!(before == files(&out));
}

#[test]
fn seeds_are_the_same_at_every_point() {
    let (_, file) = stage("sweep_seeds");
    let vary = format!("{BUCKETS}=50,500");
    let args = ["sweep", &file, "--vary", &vary, "--seeds", "3", "--measure", "web.overflow"];
    let json = finwait(&[&args[..], &["--json"]].concat());
    let seeds: Vec<Value> = rows(&json).iter().map(|row| row["seed"].clone()).collect();
    assert_eq!(seeds, [1, 2, 3, 1, 2, 3]);
    let ended = finwait(&args);
    assert!(
        ended.stdout.ends_with(
            "2 points of small, 3 seeds each: the median, and from the least to the most\n"
        ),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stdout.lines().count(), 4);
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let (folder, file) = stage("sweep_threads");
    let vary = format!("{BUCKETS}=10..400:+30");
    let out = |threads: &str| folder.join(threads);
    for threads in ["1", "2", "7"] {
        let ended = finwait(&[
            "sweep",
            &file,
            "--vary",
            &vary,
            "--vary",
            "links.delay=100us,1ms",
            "--seeds",
            "2",
            "--threads",
            threads,
            "--out",
            text(&out(threads)),
        ]);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
    }
    assert_same(&out("1"), &out("2"));
    assert_same(&out("1"), &out("7"));
}

/// A sweep that takes long enough to be killed in the middle.
fn long(file: &str, out: &Path) -> Vec<String> {
    let vary = format!("{BUCKETS}=10..500:+10");
    let args = ["sweep", file, "--vary", &vary, "--set", "duration=20s", "--seeds", "2", "--out"];
    args.iter().map(|arg| (*arg).to_owned()).chain([text(out).to_owned()]).collect()
}

fn lines(journal: &Path) -> usize {
    fs::read_to_string(journal).map_or(0, |text| text.lines().count())
}

#[test]
fn a_killed_sweep_goes_on_and_ends_with_the_same_bytes() {
    let (folder, file) = stage("sweep_killed");
    let (whole, killed) = (folder.join("whole"), folder.join("killed"));
    let args = |out: &Path| long(&file, out);
    let whole_args = args(&whole);
    let ended = finwait(&whole_args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let killed_args = args(&killed);
    let killed_args: Vec<&str> = killed_args.iter().map(String::as_str).collect();
    let journal = killed.join("sweep.journal");
    let mut done = 0;
    for stop_at in [3, 20] {
        let mut child = command(&killed_args).spawn().expect("it starts");
        let mut waited = 0;
        while lines(&journal) < stop_at {
            std::thread::sleep(Duration::from_millis(2));
            waited += 1;
            assert!(waited < 60_000, "nothing is written");
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let now = lines(&journal);
        assert!(now > done && now < 101, "it was killed in the middle, with {now} lines");
        done = now;
        assert!(!killed.join("sweep.csv").exists());
        // Power went off in the middle of a line.
        let mut torn = fs::read(&journal).expect("it is there");
        torn.truncate(torn.len() - 7);
        fs::write(&journal, torn).expect("it can be written");
    }
    let ended = finwait(&killed_args);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_same(&whole, &killed);
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    let (folder, file) = stage("sweep_interrupted");
    let out = folder.join("out");
    let args = long(&file, &out);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let child = command(&args).spawn().expect("it starts");
    let output = interrupt_at(child, &out.join("sweep.journal"), 2_000);
    assert_eq!(output.status.code(), Some(130));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.starts_with("interrupted: ")
            && told.ends_with("of 100 runs are done; started again, it goes on from there\n"),
        "{told}"
    );
    assert!(output.stdout.is_empty());
    assert_eq!(finwait(&args).status, 0);
    assert_eq!(lines(&out.join("sweep.journal")), 101);
}

#[test]
fn progress_is_shown_on_a_terminal_only() {
    if !here("script") {
        return;
    }
    let (folder, file) = stage("sweep_progress");
    let out = folder.join("out");
    // script gives the program a terminal, and prints what was written on it.
    let line =
        format!("{} {} > /dev/null", env!("CARGO_BIN_EXE_finwait"), long(&file, &out).join(" "));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", "1");
    let output = script.output().expect("it starts");
    assert!(output.status.success());
    let seen = String::from_utf8_lossy(&output.stdout);
    assert!(seen.contains("small [") && seen.contains(" of 100 runs, "), "{seen:?}");
    assert!(seen.contains(" left"), "{seen:?}");
    let args = long(&file, &folder.join("again"));
    let ended = finwait(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
}

#[test]
fn the_folder_of_another_sweep_is_refused() {
    let (folder, file) = stage("sweep_another");
    let out = folder.join("out");
    let vary = format!("{BUCKETS}=50,60");
    let args = ["sweep", &file, "--vary", &vary, "--measure", "web.overflow", "--out", text(&out)];
    assert_eq!(finwait(&args).status, 0);
    let before = files(&out);
    let other = format!("{BUCKETS}=50,70");
    let changes: [(&[&str], &str); 4] = [
        (&["--seeds", "2"], "the numbers of --seeds differ"),
        (&["--set", "links.delay=1ms"], "the scenarios or what --set changes differ"),
        (&["--vary", "seed=1"], "the values of --vary differ"),
        (&["--shard", "1/2", "--seeds", "3"], "the numbers of --seeds, the shards differ"),
    ];
    for (change, expected) in changes {
        let ended = finwait(&[&args[..], change].concat());
        let expected = format!("sweep.journal is of another sweep: {expected}\n  = help: ");
        assert_eq!(ended.status, 2);
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    let ended = finwait(&["sweep", &file, "--vary", &other, "--out", text(&out)]);
    assert!(ended.stderr.contains("the values of --vary, the measures differ"), "{}", ended.stderr);
    assert!(before == files(&out), "and nothing of it was touched");
    // Nor do two sweeps write into one folder at the same time.
    let journal = fs::File::open(out.join("sweep.journal")).expect("it is there");
    journal.lock().expect("it can be locked");
    let ended = finwait(&args);
    assert_eq!(ended.status, 2);
    assert!(
        ended.stderr.contains("is in use: another sweep writes into this folder"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_damaged_journal_is_named_with_its_line() {
    let (folder, file) = stage("sweep_damaged");
    let out = folder.join("out");
    let vary = format!("{BUCKETS}=50,60");
    let args = ["sweep", &file, "--vary", &vary, "--out", text(&out)];
    assert_eq!(finwait(&args).status, 0);
    let journal = out.join("sweep.journal");
    let good = fs::read_to_string(&journal).expect("it is there");
    let second = good.lines().nth(1).expect("a run");
    for (bad, expected) in [
        (
            good.replace("\"run\":1", "\"run\":7"),
            "sweep.journal:3: there is no run 7 in this sweep",
        ),
        (good.replace("\"run\":1", "\"run\":0"), "sweep.journal:3: a second line for run 0"),
        (good.replace(second, "x"), "sweep.journal:2: expected value"),
        (
            good.replace("\"seed\":1,", ""),
            "sweep.journal:2: it has neither all measures nor an error",
        ),
        (format!("x\n{good}"), "sweep.journal:1: expected value"),
    ] {
        assert_ne!(bad, good);
        fs::write(&journal, &bad).expect("it can be written");
        let ended = finwait(&args);
        assert_eq!(ended.status, 2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(&journal).expect("it is there"), bad, "it stays as it is");
    }
}

#[test]
fn mistakes_are_shown_in_what_was_typed() {
    let (_, file) = stage("sweep_mistakes");
    let cases: [(&[&str], &str); 11] = [
        (
            &["--vary", "web.net.ipv4.tcp_max_tw_buckets=9..5:+1"],
            "error: a range that does not lead upwards\n --> --vary:1:33\n  |\n1 | \
          web.net.ipv4.tcp_max_tw_buckets=9..5:+1\n  |                                 ^^^^^^^ expected \
          the smaller number first\n",
        ),
        (
            &["--vary", "web.net.ipv4.tcp_max_tw_bucket=5"],
            "error: Linux 6.18 has no sysctl \"net.ipv4.tcp_max_tw_bucket\", or finwait does not model \
          it\n --> --vary:1:5",
        ),
        (
            &["--vary", "links.delay=1ms,2", "--vary", "apps.sever.backlog=1"],
            "error: no application is called \"sever\"\n --> --vary:1:6",
        ),
        (
            &["--vary", "web.net.ipv4.tcp_synack_retries=256,300..500:+100"],
            "error: 256 is out of the range that Linux 6.18 accepts for net.ipv4.tcp_synack_retries\n \
          --> --vary:1:33",
        ),
        (
            &["--vary", "links.delay=1ms", "--vary", "links.delay=2ms"],
            "error: links.delay is varied twice",
        ),
        (
            &["--vary", "seed=1,2", "--seeds", "2"],
            "error: the seed is varied, and so it is by --seeds",
        ),
        (
            &["--vary", "seed=1,2", "--measure", "web.rst_snt"],
            "error: \"rst_snt\" is nothing that is measured\n --> --measure:1:5",
        ),
        (&["--vary", "seed=1,2", "--measure", "p99,p99"], "error: p99 is measured already"),
        (
            &["--vary", "seed=1,2", "--shard", "0/2"],
            "error: \"0/2\" is no part of a sweep\n --> --shard:1:1",
        ),
        (
            &["--vary", "seed=1,2", "--set", "links.delay=0ms"],
            "error: the delay of a link is zero\n --> --set:1:13",
        ),
        (
            &[
                "--vary",
                "seed=1..90000:+1",
                "--vary",
                "web.net.ipv4.tcp_max_tw_buckets=1..90000:+1",
            ],
            "error: the sweep has too many points\n",
        ),
    ];
    for (args, expected) in cases {
        let ended = finwait(&[&["sweep", &file][..], args].concat());
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ended.stderr.starts_with(expected), "{args:?}\n{}", ended.stderr);
    }
}

#[test]
fn a_latin_sample_is_the_same_every_time_and_covers_each_range() {
    let (_, file) = stage("sweep_latin");
    let vary = format!("{BUCKETS}=0..999");
    let args = [
        "sweep",
        &file,
        "--vary",
        &vary,
        "--vary",
        "apps.client.rate=10/s,20/s,30/s,40/s,50/s",
        "--latin",
        "10",
        "--measure",
        "web.overflow",
        "--json",
    ];
    let (first, again) = (finwait(&args), finwait(&args));
    assert_eq!((first.status, &first.stdout), (0, &again.stdout));
    let rows = rows(&first);
    let mut parts: Vec<u64> =
        rows.iter().map(|row| row[BUCKETS].as_u64().expect("a number") / 100).collect();
    parts.sort_unstable();
    assert_eq!(parts, (0..10).collect::<Vec<u64>>());
    for rate in ["10/s", "20/s", "30/s", "40/s", "50/s"] {
        assert_eq!(rows.iter().filter(|row| row["apps.client.rate"] == rate).count(), 2, "{rate}");
    }
}

#[test]
fn a_key_may_be_varied_that_another_makes_possible() {
    let (_, file) = stage("sweep_together");
    let ended = finwait(&[
        "sweep",
        &file,
        "--set",
        "apps.client.rate=default",
        "--vary",
        "apps.client.workers=1,5",
        "--measure",
        "lifecycles",
        "--json",
    ]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let rows = rows(&ended);
    assert!(rows[0]["lifecycles"].as_u64() < rows[1]["lifecycles"].as_u64());
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1), cases: 12, ..Default::default()
    })]

    /// Every row is what `finwait run --set` says of that point.
    #[test]
    fn a_sweep_is_the_single_runs_that_it_consists_of(
        buckets in prop::collection::btree_set(0..700_u32, 1..4),
        delays in prop::sample::subsequence(vec!["100us", "3ms", "45ms"], 1..=2),
        kernel in prop::sample::select(vec!["3.10", "6.18"]),
        close in prop::sample::select(vec!["close", "shutdown", "linger0", "unread"]),
        seed in 1..1000_u32,
        seeds in 1..3_u32,
    ) {
        let (_, file) = stage("sweep_single");
        let list: Vec<String> = buckets.iter().map(u32::to_string).collect();
        let set = [
            format!("web.kernel={kernel}"), format!("apps.client.close={close}"),
            format!("seed={seed}"), "duration=2s".to_owned(),
        ];
        let set: Vec<&str> = set.iter().flat_map(|text| ["--set", text.as_str()]).collect();
        let vary = [format!("{BUCKETS}={}", list.join(",")), format!("links.delay={}", delays.join(","))];
        let args = [
            "--vary", &vary[0], "--vary", &vary[1], "--seeds", &seeds.to_string(), "--json",
            "--measure", "web.rst_sent,web.overflow,web.end.tw,peer.TcpExtTCPAbortOnData,lifecycles",
        ];
        let ended = finwait(&[&["sweep", &file], &set[..], &args[..]].concat());
        prop_assert_eq!(ended.status, 0, "{}", ended.stderr);
        let rows = rows(&ended);
        prop_assert_eq!(rows.len(), buckets.len() * delays.len() * seeds as usize);
        for row in rows {
            let point = [
                format!("{BUCKETS}={}", row[BUCKETS]),
                format!("links.delay={}", row["links.delay"].as_str().expect("a delay")),
            ];
            let seed = row["seed"].to_string();
            let args = ["--set", &point[0], "--set", &point[1], "--seed", &seed, "--json"];
            let single = finwait(&[&["run", &file], &set[..], &args[..]].concat());
            let single: Value = serde_json::from_str(&single.stdout).expect("it is JSON");
            prop_assert_eq!(&row["digest"], &single["digest"]);
            prop_assert_eq!(&row["lifecycles"], &single["lifecycles"]);
            let web = &single["hosts"]["web"];
            prop_assert_eq!(&row["web.rst_sent"], &web["mib"]["TcpOutRsts"]);
            prop_assert_eq!(&row["web.overflow"], &web["mib"]["TcpExtTCPTimeWaitOverflow"]);
            prop_assert_eq!(&row["web.end.tw"], &web["sockstat"]["tw"]);
            let peer = &single["hosts"]["peer"]["mib"]["TcpExtTCPAbortOnData"];
            prop_assert_eq!(&row["peer.TcpExtTCPAbortOnData"], peer);
        }
    }
}
