//! The exercises as learners and teachers meet them: every starter fails, every solution passes,
//! every hint is told, every mutant is caught, and the evidence is that of the runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use finwait_learn::laws::OUTCOMES;
use finwait_learn::mutant::Mutant;
use finwait_learn::rust::{check_fin_wait_2, check_time_wait};
use finwait_learn::subject::{SUBJECTS, Subject};
use finwait_learn::trace::WORDS;
use serde_json::Value;

use crate::golden;
use crate::program::{Ended, command, finwait, scratch, text};

/// Starters have holes, and some arguments that nobody uses yet.
macro_rules! in_rust {
    ($($name:ident $path:literal;)*) => {
        $(#[path = $path]
        #[allow(unused, unreachable_pub, clippy::todo, reason = "an exercise's file, as a learner gets it")]
        mod $name;)*
    };
}
in_rust! {
    fin_wait_2_starter "../../examples/exercises/06_fin_wait_2_bucket/rust/src/lib.rs";
    fin_wait_2_solution "../../examples/exercises/06_fin_wait_2_bucket/kept/rust/src/lib.rs";
    time_wait_starter "../../examples/exercises/07_time_wait/rust/src/lib.rs";
    time_wait_solution "../../examples/exercises/07_time_wait/kept/rust/src/lib.rs";
}

fn exercises() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/exercises");
    let listed = fs::read_dir(folder).expect("the folder is there");
    let mut all: Vec<_> = listed
        .map(|entry| entry.expect("it can be listed").path())
        .map(|path| (path.file_name().expect("it has one").to_string_lossy().into_owned(), path))
        .collect();
    all.sort();
    assert!(all.len() > 14, "at least fourteen, and the one to begin with");
    all
}

/// The file that is to be written, in the repository's folder.
fn answer(path: &Path) -> &'static str {
    let names = ["answer.toml", "answer.rules", "answer.laws", "answer.pkt"];
    names.into_iter().find(|name| path.join(name).is_file()).expect("it has an answer")
}

fn desk(name: &str) -> PathBuf {
    let folder = scratch(name).join("desk");
    let made = finwait(&["learn", "init", text(&folder)]);
    assert_eq!((made.status, made.stderr.as_str()), (0, ""), "{}", made.stdout);
    folder
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}", ended.stdout))
}

/// Runs `finwait learn … --dir DESK`.
fn learn(desk: &Path, args: &[&str]) -> Ended {
    finwait(&[&["learn", "--dir", text(desk)], args].concat())
}

#[test]
fn starters_fail_and_solutions_pass() {
    let desk = desk("learn");
    let starters = json(&finwait(&["learn", "check", text(&desk), "--json"]));
    let listed = starters["exercises"].as_array().expect("a list");
    let passed = |value: &Value| value["status"] == "passed";
    for exercise in listed {
        // The first one is there to show what it looks like.
        assert_eq!(passed(exercise), exercise["exercise"] == "00_start", "{exercise}");
        let begun = exercise["status"] == "not-begun" || passed(exercise);
        let diagnosis = exercise["kind"] == "diagnose";
        assert!(begun || diagnosis, "{exercise}");
    }
    assert_eq!(
        json(&learn(&desk, &["list", "--json"]))["next"],
        "00_start",
        "--json notes nothing"
    );
    for (name, path) in exercises() {
        let file = answer(&path);
        let solution = learn(&desk, &["solution", &name]);
        assert_eq!(solution.stdout, fs::read_to_string(path.join("kept").join(file)).unwrap());
        fs::write(desk.join(&name).join(file), &solution.stdout).unwrap();
    }
    let all = finwait(&["learn", "check", text(&desk), "--json"]);
    for exercise in json(&all)["exercises"].as_array().expect("a list") {
        assert!(passed(exercise), "{exercise}");
    }
    assert_eq!(all.status, 0);
    let told = learn(&desk, &["check", "--all"]);
    assert!(told.stdout.ends_with(&format!("{0} of {0} solved\n", exercises().len())));
    let home = learn(&desk, &[]).stdout;
    assert!(home.contains("All of them."), "{home}");
}

#[test]
fn an_exercise_that_is_solved_tells_its_rule_and_what_comes_next() {
    let desk = desk("learn-first");
    let told = learn(&desk, &["check"]);
    assert_eq!(told.status, 0, "the first one passes at once");
    golden::check("learn-first.txt", &told.stdout);
    let home = learn(&desk, &[]).stdout.replace(text(&desk), "DIR");
    golden::check("learn-home.txt", &home);
    assert_eq!(json(&learn(&desk, &["list", "--json"]))["next"], "01_read_a_ladder");
    // A second init keeps what was written, and writes what is missing.
    fs::write(desk.join("01_read_a_ladder/answer.toml"), "segments = 1\n").unwrap();
    fs::remove_file(desk.join("02_what_leaves_next/answer.pkt")).unwrap();
    let again = finwait(&["learn", "init", text(&desk), "--json"]);
    assert_eq!(json(&again)["files"], 1);
    let kept = fs::read_to_string(desk.join("01_read_a_ladder/answer.toml")).unwrap();
    assert_eq!(kept, "segments = 1\n");
    assert_eq!(json(&learn(&desk, &["list", "--json"]))["next"], "01_read_a_ladder");
}

/// What a learner might write, and what comes back: golden, since that is what teaches.
#[test]
fn wrong_answers_come_back_with_their_packet() {
    let desk = desk("learn-wrong");
    let cases = [
        ("06_fin_wait_2_bucket", "answer.rules", "fin -> rst\notherwise -> ack\n"),
        ("04_nobody_home", "answer.rules", "rst -> drop\nack -> rst\n"),
        ("15_ten_mutants", "answer.laws", "never rst and sends_rst\n"),
        ("15_ten_mutants", "answer.laws", "always fin implies sends_ack\n"),
        ("16_laws_of_a_conversation", "answer.laws", "after out and fin never out\n"),
        ("16_laws_of_a_conversation", "answer.laws", "after in and rst never out\n"),
        (
            "17_law_of_the_full_table",
            "answer.rules",
            "data and not held -> rst\notherwise -> clean\n",
        ),
        ("17_law_of_the_full_table", "answer.rules", "full -> rst\notherwise -> clean\n"),
        ("12_no_sysctl", "answer.toml", "[set]\n\"apps.client.close\" = \"close\"\n"),
    ];
    let mut all = String::new();
    for (name, file, written) in cases {
        fs::write(desk.join(name).join(file), written).unwrap();
        let told = learn(&desk, &["check", name]);
        assert_eq!((told.status, told.stderr.as_str()), (1, ""), "{}", told.stdout);
        all += &format!("== {name}\n{written}\n{}\n", told.stdout);
    }
    let path = desk.join("03_half_close/answer.pkt");
    let starter = fs::read_to_string(&path).unwrap();
    fs::write(&path, starter.replace("* > ???", "* > . 1:1(0) ack 1")).unwrap();
    let told = learn(&desk, &["check", "3"]);
    assert_eq!(told.status, 1);
    all += &format!("== 03_half_close\n{}", told.stdout.replace(text(&desk), "DIR"));
    golden::check("learn-wrong.txt", &all);
}

#[test]
fn mistakes_are_shown_with_their_place() {
    let desk = desk("learn-mistakes");
    let cases = [
        ("06_fin_wait_2_bucket", "answer.rules", "fin & syn -> ack\n", "expected `and`"),
        ("06_fin_wait_2_bucket", "answer.rules", "fin -> ackk\n", "expected one of ack, time-wait"),
        (
            "08_fin_timeout",
            "answer.toml",
            "[set]\n\"web.net.ipv4.tcp_fin_timeout\" = -5\n",
            "-1 to",
        ),
        ("08_fin_timeout", "answer.toml", "[set]\n\"seed\" = 5\n", "expected web.net.ipv4.tcp_fin"),
        ("01_read_a_ladder", "answer.toml", "time_wait = \"me\"\n", "there is no `close_wait`"),
        ("15_ten_mutants", "answer.laws", "perhaps rst\n", "expected always CONDITION"),
        ("02_what_leaves_next", "answer.pkt", "+0 close(3) = 0\n", "only the holes"),
    ];
    for (name, file, written, expected) in cases {
        fs::write(desk.join(name).join(file), written).unwrap();
        let told = learn(&desk, &["check", name]);
        assert_eq!(told.status, 2, "{}", told.stdout);
        let (shown, place) = (&told.stdout, format!("{name}/{file}:"));
        assert!(shown.contains(expected) && shown.contains(&place), "{expected}:\n{shown}");
    }
    // What may not be filled in: a system call that was not asked for.
    let path = desk.join("03_half_close/answer.pkt");
    let starter = fs::read_to_string(&path).unwrap();
    fs::write(&path, starter.replacen("* > ???", "+0 close(4) = 0", 1)).unwrap();
    let told = learn(&desk, &["check", "3"]).stdout;
    assert!(told.contains("here is a hole"), "{told}");
    fs::write(&path, starter.replace("* > ???", "+0 close(4) = 0")).unwrap();
    let told = learn(&desk, &["check", "3"]).stdout;
    assert!(told.contains("only the holes are to be filled"), "{told}");
    for (args, expected) in [
        (&["check", "99"][..], "there is no exercise \"99\""),
        (&["check", "time"], "did you mean"),
        (&["solution", "04_nobdy_home"], "did you mean `04_nobody_home`?"),
    ] {
        let ended = learn(&desk, args);
        assert_eq!(ended.status, 2);
        assert!(ended.stderr.contains(expected) || args[1] == "time", "{}", ended.stderr);
    }
    let nowhere = finwait(&["learn", "--dir", "/nowhere", "check"]);
    assert_eq!(nowhere.status, 2);
    assert!(nowhere.stderr.contains("`finwait learn init DIR` makes one"), "{}", nowhere.stderr);
}

#[test]
fn hints_come_one_by_one() {
    let desk = desk("learn-hints");
    for (name, path) in exercises() {
        let spec = fs::read_to_string(path.join("exercise.toml")).unwrap();
        assert!(spec.contains("hints = ["), "{name}");
        let all = json(&finwait(&["learn", "hint", &name, "--json", "--dir", text(&desk)]));
        let count = 1 + all["more"].as_u64().unwrap();
        assert!(count >= 3 || name == "00_start", "{name} has {count} hints");
        let mut told = String::new();
        for n in 2..=count {
            told = learn(&desk, &["hint", &name]).stdout;
            assert!(told.contains(&format!("{n}/{count} ")), "{name}: {told}");
        }
        assert!(told.contains("That was the last one") || count == 1, "{name}: {told}");
        let page = learn(&desk, &["next", &name]).stdout;
        assert!(page.contains(answer(&path)) && !page.contains("```"), "{page}");
    }
}

#[test]
fn evidence_is_what_the_run_left() {
    let mut checked = 0;
    for (name, path) in exercises() {
        let scenario = path.join("kept/scenario.toml");
        let Ok(toml) = fs::read_to_string(&scenario) else { continue };
        for line in toml.lines().filter_map(|line| line.strip_prefix("# evidence: ")) {
            let (file, typed) = line.split_once(": ").expect("FILE: COMMAND");
            let typed = typed.replace("{}", text(&scenario));
            let (plain, quoted) = typed.split_once('\'').unwrap_or((&typed, ""));
            let mut args: Vec<&str> = plain.split_whitespace().collect();
            args.extend(Some(quoted.trim_end_matches('\'')).filter(|filter| !filter.is_empty()));
            let ended = finwait(&args);
            assert_eq!(ended.status, 0, "{name}: {line}: {}", ended.stderr);
            golden::check_at(&path.join(file), &ended.stdout);
            checked += 1;
        }
    }
    assert_eq!(checked, 9);
}

/// A mutant that is Linux itself could not be caught by a law that Linux keeps.
#[test]
fn every_mutant_is_wrong_somewhere() {
    let path = "examples/exercises/15_ten_mutants/exercise.toml";
    let spec = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let spec: toml::Value = toml::from_str(&spec).expect("TOML");
    let mutants = spec["check"]["mutants"].as_array().expect("a list");
    assert_eq!(mutants.len(), 10);
    let subject = Subject::named("bucket").expect("there is one");
    let cases: Vec<_> =
        subject.cases().into_iter().map(|case| (subject.observe(&case), case)).collect();
    for mutant in mutants {
        let text = |key: &str| mutant[key].as_str().expect("a text");
        let mutant = Mutant::new(text("about"), text("rule"), &subject).expect("a rule");
        let wrong = cases.iter().filter(|(seen, case)| mutant.decide(case, seen) != seen.verdict);
        assert!(wrong.count() > 0, "{}", mutant.about);
    }
}

/// The tables of names on the pages are those of the program.
#[test]
fn pages_know_every_name() {
    let page = |name: &str| {
        let path = format!("examples/exercises/{name}/README.md");
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is there")
    };
    let pages = [
        ("nobody", "04_nobody_home"),
        ("fin-wait-2-bucket", "06_fin_wait_2_bucket"),
        ("time-wait", "07_time_wait"),
        ("bucket", "15_ten_mutants"),
        ("full-table", "17_law_of_the_full_table"),
    ];
    for subject in SUBJECTS {
        let (_, exercise) = pages.iter().find(|(s, _)| *s == subject.name).expect("it is used");
        let page = page(exercise);
        let outcomes = OUTCOMES.iter().filter(|_| subject.name == "bucket");
        for word in subject.words.iter().chain(outcomes) {
            let row = format!("| `{}` | {} |", word.name, word.about);
            assert!(page.contains(&row), "{exercise} lacks\n{row}");
        }
        for verdict in subject.verdicts.iter().filter(|_| subject.name != "bucket") {
            let row = format!("| `{}` | ", verdict.name);
            assert!(page.contains(&row), "{exercise} lacks {row}");
        }
    }
    let conversation = page("16_laws_of_a_conversation");
    for word in WORDS {
        let row = format!("| `{}` | {} |", word.name, word.about);
        assert!(conversation.contains(&row), "lacks\n{row}");
    }
}

#[test]
fn the_same_exercises_in_rust() {
    check_fin_wait_2(fin_wait_2_solution::judge).unwrap_or_else(|told| panic!("{told}"));
    check_time_wait(time_wait_solution::judge).unwrap_or_else(|told| panic!("{told}"));
    let todo = |check: fn() -> Result<(), String>| std::panic::catch_unwind(check).is_err();
    assert!(todo(|| check_fin_wait_2(fin_wait_2_starter::judge)));
    assert!(todo(|| check_time_wait(time_wait_starter::judge)));
    let told = check_time_wait(|_, _| finwait_learn::rust::Verdict::Ack).expect_err("it is wrong");
    assert!(told.contains("segment 10, "), "{told}");
    // What `init --rust` writes is all that cargo needs, besides Rust.
    let desk = desk("learn-rust");
    let made = finwait(&["learn", "init", text(&desk), "--rust"]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    for file in [
        "rust/Cargo.toml",
        "rust/time_wait/tests/check.rs",
        "rust/fin_wait_2_bucket/src/lib.rs",
        "rust/finwait-learn/src/subject/bucket.rs",
        "rust/finwait-model/src/rx/timewait.rs",
    ] {
        assert!(desk.join(file).is_file(), "{file}");
    }
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--format-version", "1", "--manifest-path"]);
    let output = cargo.arg(desk.join("rust/Cargo.toml")).output().expect("there is cargo");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let packages: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names = packages["packages"].as_array().expect("a list").iter().map(|p| &p["name"]);
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    assert_eq!(names.len(), 4, "no crate from elsewhere: {names:?}");
}

/// As a learner has it: built by cargo in the folder that `init --rust` writes, one after the other in
/// one target folder, so that the model is built once.
#[test]
fn in_rust_starters_fail_and_solutions_pass() {
    let desk = desk("learn-cargo");
    assert_eq!(finwait(&["learn", "init", text(&desk), "--rust"]).status, 0);
    let target = scratch("learn-cargo-target");
    let check = |name: &str| {
        let mut check =
            command(&["learn", "--dir", text(&desk), "check", name, "--rust", "--json"]);
        check.env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0");
        check.env("CARGO_PROFILE_DEV_DEBUG", "0");
        let output = check.output().expect("it starts");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let status = told["exercises"][0]["status"].as_str().expect("a status").to_owned();
        (status, output.status.code().expect("it ends by itself"), told)
    };
    for (name, package) in
        [("06_fin_wait_2_bucket", "fin_wait_2_bucket"), ("07_time_wait", "time_wait")]
    {
        let file = desk.join("rust").join(package).join("src/lib.rs");
        let (status, code, told) = check(name);
        assert_eq!((status.as_str(), code), ("not-begun", 1), "{told}");
        let starter = fs::read_to_string(&file).expect("it is written");
        fs::write(&file, starter.replace("todo!()", "return Verdict::Die;")).unwrap();
        let (status, code, told) = check(name);
        assert_eq!((status.as_str(), code), ("wrong", 1), "{told}");
        assert!(told.to_string().contains("segment"), "it tells which: {told}");
        fs::write(&file, starter.replace("todo!()", "Verdict::Dye")).unwrap();
        let (status, code, told) = check(name);
        assert_eq!((status.as_str(), code), ("unreadable", 2), "{told}");
        assert!(told.to_string().contains("Dye"), "the compiler says where: {told}");
        let solution = finwait(&["learn", "solution", name, "--rust"]);
        fs::write(&file, &solution.stdout).unwrap();
        let (status, code, told) = check(name);
        assert_eq!((status.as_str(), code), ("passed", 0), "{told}");
    }
}

#[test]
fn a_check_ends_when_its_time_is_up() {
    let folder = scratch("learn-limit").join("mine");
    let own = folder.join("01_long");
    fs::create_dir_all(own.join("kept")).unwrap();
    let spec = "title = \"Long\"\nminutes = 1\nanswer = \"answer.toml\"\nrule = \"None.\"\n\
                hints = []\nnext = []\n[check]\nkind = \"predict\"\nscenario = \"s.toml\"\n\
                ask = [{ key = \"n\", holds = \"total.peak.tw == {}\" }]\n";
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios/incident.toml");
    let long =
        fs::read_to_string(from).unwrap().replace("duration = \"300s\"", "duration = \"10h\"");
    for (file, text) in [
        ("exercise.toml", spec),
        ("README.md", "# Long\n"),
        ("answer.toml", "n = 1\n"),
        ("kept/answer.toml", "n = 1\n"),
        ("kept/s.toml", &long),
    ] {
        fs::write(own.join(file), text).unwrap();
    }
    let desk = scratch("learn-limit-desk").join("desk");
    let from = ["learn", "--from", text(&folder)];
    assert_eq!(finwait(&[&from[..], &["init", text(&desk)]].concat()).status, 0);
    let check = ["check", text(&desk), "--limit", "1", "--json"];
    let ended = finwait(&[&from[..], &check].concat());
    assert_eq!(
        (ended.status, json(&ended)["exercises"][0]["status"].as_str()),
        (1, Some("too-long"))
    );
}

#[test]
fn watch_checks_whenever_a_file_is_saved() {
    let desk = desk("learn-watch");
    let log = desk.join("log");
    let out = fs::File::create(&log).unwrap();
    let mut watch = command(&["learn", "--dir", text(&desk), "watch"]);
    let mut child = watch.stdout(Stdio::from(out)).spawn().expect("it starts");
    let sees = |what: &str| {
        for _ in 0..400 {
            if fs::read_to_string(&log).unwrap().contains(what) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("{what} is not told:\n{}", fs::read_to_string(&log).unwrap());
    };
    // The first passes at once, and the page of the second is shown with its hole.
    sees("1 of 18 solved");
    sees("here is a hole");
    let solution = learn(&desk, &["solution", "1"]).stdout;
    fs::write(desk.join("01_read_a_ladder/answer.toml"), solution).unwrap();
    sees("2 of 18 solved");
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("there is a kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}
