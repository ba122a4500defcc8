//! docs/generated: the same entries as `finwait explain`, kind by kind.

use std::fmt::Write as _;
use std::path::Path;

use finwait_model::behaviour::BEHAVIOURS;
use finwait_sim::glossary::{Kind, page};

const NOTE: &str = "Written by the program's tests (`FINWAIT_UPDATE=1 cargo test --test it`) and compared by them \
                    otherwise, from the same tables as `finwait explain NAME`. What a script shows is found by playing it.";

fn check(file: &str, title: &str, intro: &str, kinds: &[Kind]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/generated").join(file);
    crate::golden::check_at(&path, &page(title, &format!("{NOTE}\n\n{intro}"), kinds));
}

#[test]
fn causes() {
    check(
        "causes.md",
        "Why a segment is sent",
        "One entry per send site of the kernel: the name that finwait prints, the functions from the entry to the send, \
         and for RSTs the reason that `tcp:tcp_send_reset` reports on 6.18 (3.10 has none; there it is what 6.18 would \
         report). \"counters\" rise in every call that sends for the cause, in all scripts; \"sometimes\" in some.",
        &[Kind::Cause],
    );
}

#[test]
fn counters() {
    check(
        "counters.md",
        "What the kernel counts",
        "As nstat names them. \"causes\" are those that raise the counter each time, \"sometimes\" those that may.",
        &[Kind::Counter],
    );
}

#[test]
fn sysctls() {
    check(
        "sysctls.md",
        "What can be set",
        "\"decides\" and \"counters\": the causes and counters that come or go in some script when the value changes.",
        &[Kind::Sysctl],
    );
}

#[test]
fn states() {
    check("states.md", "The states of a connection", "As ss prints them.", &[Kind::State]);
}

#[test]
fn reasons() {
    check(
        "reasons.md",
        "Reasons",
        "Of dropped segments, of RSTs as the kernel puts it, of RSTs as finwait does, and of programs that call close().",
        &[Kind::DropReason, Kind::ResetReason, Kind::Because, Kind::CloseReason],
    );
}

#[test]
fn myths() {
    check(
        "myths.md",
        "What is said and is not so",
        "Each with a run that shows it.",
        &[Kind::Myth],
    );
}

#[test]
fn behaviours() {
    let mut intro = String::from(
        "Each difference has a name, and the code asks for it by that name. `3.10` is RHEL 7's kernel; \"changed\" says \
         when upstream changed it, as far as known.\n\n\
         | behaviour | 3.10 | 6.18 | changed | what one can see |\n|---|---|---|---|---|",
    );
    let yes = |b| if b { "yes" } else { "no" };
    for row in BEHAVIOURS {
        let (old, new) = (yes(row.v3_10), yes(row.v6_18));
        let _ = write!(
            intro,
            "\n| `{}` | {old} | {new} | {} | {} |",
            row.name, row.changed, row.effect
        );
    }
    check("behaviours.md", "What differs between the releases", &intro, &[Kind::Behaviour]);
}
