//! `finwait explain`: every name of every kind, names as other tools print them, unknown names.

use finwait_model::behaviour::BEHAVIOURS;
use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::drop_reason::DropReason;
use finwait_model::release::Release;
use finwait_model::rst_reason::RstReason;
use finwait_model::state::TcpState;
use finwait_model::sysctl::Sysctl;
use finwait_model::sysctl::about::ABOUT;
use finwait_sim::app::Reason;
use finwait_sim::because::Because;
use finwait_sim::glossary::{Body, Glossary, Kind, MYTHS, canonical};
use serde_json::Value;

use crate::golden;
use crate::program::finwait;

/// What the program says of a name; it must know it.
fn explained(name: &str) -> String {
    let ended = finwait(&["explain", name]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{name}");
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 100), "{name}: too wide");
    ended.stdout
}

/// Does the name lead to an entry of that kind?
fn leads(glossary: &Glossary, name: &str, kind: Kind) {
    let found = glossary.find(name);
    assert!(found.iter().any(|e| e.kind == kind), "{name} is no {}: {found:?}", kind.name());
}

#[test]
fn every_name_of_every_kind_is_explained() {
    let all = Glossary::new();
    Cause::all().for_each(|c| leads(&all, c.name(), Kind::Cause));
    for mib in Mib::ALL {
        leads(&all, mib.nstat_name(), Kind::Counter);
        leads(&all, &mib.nstat_name().to_lowercase(), Kind::Counter);
    }
    for release in Release::ALL {
        for name in Sysctl::new(release).names() {
            leads(&all, name, Kind::Sysctl);
            leads(&all, name.rsplit('.').next().expect("a last part"), Kind::Sysctl);
            leads(&all, &format!("/proc/sys/{}", name.replace('.', "/")), Kind::Sysctl);
        }
    }
    for state in TcpState::ALL {
        leads(&all, state.ss_name(), Kind::State);
        leads(&all, state.kernel_name(), Kind::State);
        leads(&all, &state.kernel_name()[4..], Kind::State);
    }
    BEHAVIOURS.iter().for_each(|row| leads(&all, row.name, Kind::Behaviour));
    for reason in DropReason::ALL {
        leads(&all, reason.kernel_name(), Kind::DropReason);
        leads(&all, &format!("SKB_DROP_REASON_{}", reason.kernel_name()), Kind::DropReason);
    }
    for reason in RstReason::ALL {
        leads(&all, reason.kernel_name(), Kind::ResetReason);
        leads(&all, &format!("SK_RST_REASON_{}", reason.kernel_name()), Kind::ResetReason);
    }
    Because::ALL.iter().for_each(|b| leads(&all, b.name(), Kind::Because));
    Reason::ALL.iter().for_each(|r| leads(&all, r.name(), Kind::CloseReason));
    for name in ["tcp_time_wait", "tcp_v4_send_reset", "inet_twdr_hangman", "tcp_close()"] {
        leads(&all, name, Kind::Function);
    }
    for myth in MYTHS {
        leads(&all, myth.name, Kind::Myth);
        myth.aliases.iter().for_each(|alias| leads(&all, alias, Kind::Myth));
    }
}

#[test]
fn the_program_explains_one_of_each_kind_and_as_it_is_spelt_elsewhere() {
    for name in [
        "RST-No-Socket",
        "tcptimewaitoverflow",
        "TcpExtTW",
        "tcp_fin_timeout",
        "net.ipv4.tcp_tw_reuse",
        "fin-wait-2",
        "FIN_WAIT2",
        "TCP_FIN_WAIT2",
        "fin_wait_2",
        "counts_tw_on_entry",
        "NO_SOCKET",
        "SK_RST_REASON_NO_SOCKET",
        "fin-wait-2-bucket-refused",
        "tcp_time_wait",
        "TIME_WAIT uses too much memory",
        "13 connections reset due to unexpected data",
        "Quick ack mode was activated 5 times",
    ] {
        assert!(!explained(name).is_empty());
    }
}

#[test]
fn every_entry_is_valid_json_and_no_wider_than_a_terminal() {
    let list = finwait(&["explain", "--json"]);
    let list: Value = serde_json::from_str(&list.stdout).expect("it is JSON");
    let names = list["entries"].as_array().expect("a list");
    let glossary = Glossary::new();
    assert_eq!(names.len(), glossary.entries().len());
    // All kinds through the program; all names would be five hundred starts of it.
    for kind in Kind::ALL {
        let mut all = glossary.entries().iter();
        let name = &all.find(|e| e.kind == kind).expect("each kind has one").name;
        explained(name);
        let one = finwait(&["explain", "--json", name]);
        let one: Value = serde_json::from_str(&one.stdout).expect("it is JSON");
        let found = one["entries"].as_array().expect("a list");
        let it = found.iter().find(|e| e["kind"] == kind.name()).expect("its kind");
        assert_eq!(it["name"], Value::String(name.clone()));
        assert!(it["facts"].as_object().is_some_and(|f| !f.is_empty()), "{name}: {it}");
    }
}

#[test]
fn names_in_entries_can_be_looked_up_and_files_are_there() {
    let glossary = Glossary::new();
    let all = glossary.entries();
    let names: std::collections::BTreeSet<String> = all
        .iter()
        .flat_map(|e| std::iter::once(&e.name).chain(&e.aliases))
        .map(|n| canonical(n))
        .collect();
    let there = |path: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
    for entry in all {
        assert!(!entry.headline.is_empty(), "{}", entry.name);
        for section in &entry.sections {
            assert!(section.title.chars().count() <= 13, "{}: too wide a title", section.title);
            match &section.body {
                Body::Names(list) | Body::Path(list) => {
                    for name in list {
                        // Where no kernel sends, a program stands in its functions' place.
                        let program = name == "smoltcp";
                        let known = program || names.contains(&canonical(name)) || there(name);
                        assert!(known, "{}: {name} is nothing", entry.name);
                    }
                }
                Body::Table(lines) => {
                    for line in lines.iter().filter(|l| l.name.starts_with("examples/")) {
                        assert!(there(&line.name), "{}: {} is not there", entry.name, line.name);
                    }
                }
                Body::Text(text) => assert!(!text.is_empty()),
            }
        }
    }
}

#[test]
fn the_commands_of_the_myths_run() {
    for (command, _) in MYTHS.iter().flat_map(|m| m.shows) {
        // The incident takes minutes of virtual time; its story has a test of its own.
        if command.contains("incident") {
            continue;
        }
        // Spaces part arguments, but for those within quotes.
        let quoted = command.split('"').enumerate();
        let args: Vec<&str> = quoted
            .flat_map(
                |(i, text)| if i % 2 == 1 { vec![text] } else { text.split_whitespace().collect() },
            )
            .skip(1)
            .collect();
        let ended = finwait(&args);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{command}");
    }
}

#[test]
fn sysctls_that_the_model_does_not_act_on_say_so() {
    let glossary = Glossary::new();
    for about in ABOUT {
        let idle = about.at.is_empty();
        let says = format!("{} {}", about.does, about.not).contains("keeps the value");
        assert_eq!(idle, says, "{}", about.name);
        let entry = glossary.find(about.name)[0];
        let shown = entry.sections.iter().any(|s| s.key == "scripts");
        assert!(!(idle && shown), "{}: a script depends on it", about.name);
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let ended = finwait(&["explain", "tcp_fin_timeuot"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    golden::check("explain-unknown.txt", &ended.stderr);
    let ended = finwait(&["explain", "vm.swappiness"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("without a name lists all"), "{}", ended.stderr);
}

#[test]
fn golden_texts() {
    for name in [
        "tcp_fin_timeout",
        "rst-tw-data",
        "TCPTimeWaitOverflow",
        "FIN-WAIT-2",
        "tcp_time_wait",
        "time-wait-uses-too-much-memory",
        "counts_tw_on_entry",
    ] {
        golden::check(&format!("explain-{name}.txt"), &explained(name));
    }
    golden::check("explain.txt", &finwait(&["explain"]).stdout);
}
