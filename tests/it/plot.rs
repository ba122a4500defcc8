//! `finwait plot` as a person meets it: files, formats, and what is said about mistakes.

use std::fs;

use crate::program::{finwait, scratch};

const SMALL: &str = "examples/scenarios/closes-apart.toml";

/// Status and stdout of a run that says nothing on stderr.
fn fine(args: &[&str]) -> String {
    let ended = finwait(args);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{args:?}");
    ended.stdout
}

fn refused(args: &[&str]) -> String {
    let ended = finwait(args);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
    ended.stderr
}

#[test]
fn several_kinds_go_into_a_folder() {
    let folder = scratch("plot-kinds").join("new");
    let path = folder.to_str().expect("it is text");
    let said = fine(&["plot", SMALL, "timeline", "samples", "-o", path]);
    assert!(said.contains("closes-apart-timeline.svg: timeline, "), "{said}");
    let svg = fs::read_to_string(folder.join("closes-apart-timeline.svg")).expect("it is there");
    assert!(svg.contains("@font-face") && svg.contains("scenario closes-apart · seed "), "{svg}");
    let csv = fs::read_to_string(folder.join("closes-apart-samples.csv")).expect("it is there");
    // 10 s of two hosts, every 100 ms.
    assert_eq!(csv.lines().count(), 1 + 200);
}

#[test]
fn a_recording_looks_like_its_scenario() {
    let folder = scratch("plot-recording");
    let file = folder.join("run.fwr");
    let file = file.to_str().expect("it is text");
    fine(&["run", SMALL, "--record", file]);
    for kind in ["timeline", "samples"] {
        let of = |run: &str| fine(&["plot", run, kind, "--host", "web", "-o", "-"]);
        assert_eq!(of(file), of(SMALL), "{kind}");
    }
}

#[test]
fn a_part_of_a_run() {
    let lines = fine(&["plot", SMALL, "samples", "--from", "2s", "--to", "2.5s", "-o", "-"]);
    let times: Vec<&str> =
        lines.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!((times.first(), times.last()), (Some(&"2.000000000"), Some(&"2.500000000")));
}

#[test]
fn the_ending_of_the_name_chooses_the_format() {
    let folder = scratch("plot-formats");
    let path = |name: &str| folder.join(name).to_str().expect("it is text").to_owned();
    let said = fine(&["plot", SMALL, "timeline", "--json", "-o", &path("a.png")]);
    assert!(said.starts_with("{\"files\":[{\"bytes\":"), "{said}");
    let png = fs::read(folder.join("a.png")).expect("it is there");
    assert!(png.starts_with(b"\x89PNG\r\n"));
    fine(&["plot", SMALL, "samples", "-o", &path("a.ndjson")]);
    let lines = fs::read_to_string(folder.join("a.ndjson")).expect("it is there");
    for line in lines.lines() {
        let sample: serde_json::Value = serde_json::from_str(line).expect("it is an object");
        assert!(sample["tw"].is_u64() && sample["host"].is_string(), "{line}");
    }
    let error = refused(&["plot", SMALL, "timeline", "-o", &path("a.gif")]);
    assert!(error.contains("^^^ expected a name that ends in .svg, .png"), "{error}");
    assert!(!folder.join("a.gif").exists());
    let error = refused(&["plot", SMALL, "samples", "--svg", "-o", "-"]);
    assert!(error.contains("samples cannot be written as svg"), "{error}");
}

#[test]
fn an_unknown_kind_and_an_unknown_host() {
    let error = refused(&["plot", SMALL, "timelime"]);
    assert!(error.contains("^^^^^^^^ expected one of timeline, "), "{error}");
    assert!(error.contains("did you mean `timeline`?"), "{error}");
    let error = refused(&["plot", SMALL, "timeline", "--host", "wep", "-o", "-"]);
    assert!(error.contains("did you mean `web`?"), "{error}");
    let error = refused(&["plot", SMALL, "timeline", "--from", "11s", "-o", "-"]);
    assert!(error.contains("the run ends before 11s"), "{error}");
}

#[test]
fn comparing_takes_two() {
    let error = refused(&["plot", SMALL, "compare", "-o", "-"]);
    assert!(error.contains("no counter-run") && error.contains("--with RUN"), "{error}");
    let with = "examples/scenarios/closes-together.toml";
    let svg = fine(&["plot", SMALL, "compare", "--with", with, "--no-fonts", "-o", "-"]);
    assert!(svg.contains("scenario closes-apart in A, closes-together in B"), "{svg}");
    assert!(svg.contains(">first difference at "), "{svg}");
    let same = fine(&["plot", SMALL, "compare", "--with", SMALL, "--no-fonts", "-o", "-"]);
    assert!(same.contains("with the same settings") && !same.contains("first difference"));
}

#[test]
fn a_broken_table_is_told_with_its_place() {
    let folder = scratch("plot-table");
    let path = folder.join("sweep.csv");
    let shown = path.to_str().expect("it is text");
    fs::write(&path, "rate,rsts\n1,2\n3\n").expect("it can be written");
    let error = refused(&["plot", shown, "map", "-o", "-"]);
    assert!(error.contains(&format!("{shown}:3:1")), "{error}");
    fs::write(&path, "rate,rsts\n1,2\n3,4\n").expect("it can be written");
    let error = refused(&["plot", shown, "map", "--measure", "rst", "-o", "-"]);
    assert!(error.contains("expected one of rate, rsts"), "{error}");
    let svg = fine(&["plot", shown, "map", "-o", "-", "--no-fonts"]);
    assert!(svg.contains(">rsts over rate</text>"), "{svg}");
    let only = ["plot", shown, "map", "-o", "-", "--no-fonts", "--where", "rate=3"];
    assert!(fine(&only).contains(" · 1 run<"));
    let error = refused(&["plot", shown, "map", "-o", "-", "--where", "rate=2"]);
    assert!(error.contains("^ expected one of 1, 3"), "{error}");
    let error = refused(&["plot", SMALL, "map", "-o", "-"]);
    assert!(error.contains("closes-apart.toml:"), "{error}");
}
