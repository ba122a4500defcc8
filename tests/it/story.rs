//! Whole stories as golden texts. What depends on the machine, the real time it took, is cut out.

use crate::golden;
use crate::program::finwait;

/// The story without its last line but one from "virtual time" on.
fn story(args: &[&str]) -> String {
    let ended = finwait(args);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let lines = ended.stdout.lines().map(|line| match line.split_once(" of virtual time in ") {
        Some((before, _)) => format!("{before} of virtual time in …"),
        None => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn five_closes_without_a_bucket() {
    let text = story(&["run", "examples/scenarios/closes-apart.toml"]);
    golden::check("closes-apart.txt", &text);
}

#[test]
fn a_table_at_its_edge_on_3_10() {
    let text = story(&["run", "examples/scenarios/slots-3.10.toml"]);
    golden::check("slots-3.10.txt", &text);
}

#[test]
fn data_after_close_which_more_buckets_do_not_help() {
    let text = story(&["run", "examples/scenarios/closes-while-peer-writes.toml"]);
    golden::check("closes-while-peer-writes.txt", &text);
}
