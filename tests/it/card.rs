//! `finwait card`: what a host can carry, as text and JSON.

use serde_json::Value;

use crate::golden;
use crate::program::finwait;

const OLD: &str = "examples/scenarios/slots-3.10.toml";
const NEW: &str = "examples/scenarios/slots-6.18.toml";

#[test]
fn the_whole_card_of_either_kernel() {
    let mut text = String::new();
    for path in [OLD, NEW, "examples/scenarios/tw-reuse.toml"] {
        let ended = finwait(&["card", path]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        text += &ended.stdout;
        text.push('\n');
    }
    golden::check("card.txt", &text);
}

#[test]
fn json_has_the_documented_shape() {
    let ended = finwait(&["card", NEW, "--json"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let card: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let page = std::fs::read_to_string("docs/json.md").expect("it is there");
    let (_, rest) = page.split_once("`finwait card --json`").expect("it is documented");
    let (part, _) = rest.split_once("\n# ").expect("something follows");
    let web = card["hosts"]["web"].as_object().expect("a host");
    for (key, value) in web {
        assert!(part.contains(&format!("`{key}`")), "{key} is not documented");
        for key in value.as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(part.contains(&format!("`{key}`")), "{key} is not documented");
        }
    }
    assert_eq!(web["closes"]["limit"], 2000);
    assert_eq!(web["closes"]["asked_per_s"], 40.0);
    assert_eq!(web["connects"]["ports"], 28_232);
}

#[test]
fn settings_change_the_card() {
    let carried = |args: &[&str]| -> f64 {
        let ended = finwait(&[&["card", NEW, "--json"], args].concat());
        let card: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
        card["hosts"]["web"]["connects"]["carried_per_s"].as_f64().expect("a number")
    };
    let plain = carried(&[]);
    assert!(carried(&["--set", "web.net.ipv4.tcp_tw_reuse=1"]) > 50.0 * plain);
    assert!(carried(&["--set", "web.net.ipv4.ip_local_port_range=1024 65535"]) > 2.0 * plain);
}
