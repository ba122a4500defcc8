//! What the documentation says is so.

use std::fs;

use finwait_sim::because::Because;
use finwait_sim::scenario::Scenario;

fn read(path: &str) -> String {
    fs::read_to_string([env!("CARGO_MANIFEST_DIR"), path].join("/")).expect("it is there")
}

#[test]
fn every_earlier_event_is_documented() {
    let page = read("docs/json.md");
    for because in Because::ALL {
        let row = format!("| `{}` | {} |", because.name(), because.text());
        assert!(page.contains(&row), "docs/json.md lacks the row\n{row}");
    }
}

#[test]
fn the_scenario_of_the_reference_page_is_one() {
    let page = read("docs/scenarios.md");
    let (_, rest) = page.split_once("```toml\n").expect("it has an example");
    let (example, _) = rest.split_once("```").expect("the example ends");
    let scenario = Scenario::parse(example, "example")
        .unwrap_or_else(|e| panic!("{e} at {:?}", e.position(example)));
    assert_eq!(scenario.name, "mine");
    assert_eq!(
        scenario.apps.len(),
        1 + 1 + 16 + 1 + 1 + 1 + 1 + 1,
        "a client, a server, sixteen event loops, a pool, an nginx, a wrk, an ab, a script"
    );
}

#[test]
fn every_reason_to_close_is_named_where_applications_are_described() {
    let page = read("docs/applications.md")
        + &read("docs/scenarios.md")
        + &read("docs/generated/reasons.md");
    for reason in finwait_sim::app::Reason::ALL {
        assert!(page.contains(reason.name()), "no page names {}", reason.name());
    }
}
