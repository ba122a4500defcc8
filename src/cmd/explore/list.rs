//! The properties that have names, and the words of the language.

use std::fmt::Write as _;

use serde_json::{Value, json};

use finwait_sim::explore::expr::{NUMBERS, WHATS};
use finwait_sim::explore::property::NAMED;

use finwait_sim::text::wrapped;

/// As text.
pub(super) fn text() -> String {
    let mut out = String::from("Properties (--property NAME, those with a T also NAME=TIME)\n");
    for entry in NAMED {
        let time = entry.time.map_or(String::new(), |t| format!(" (T = {t} if nothing is said)"));
        let _ = writeln!(out, "\n  {}{time}", entry.name);
        for line in wrapped(entry.about, 92) {
            let _ = writeln!(out, "      {line}");
        }
        let _ = writeln!(out, "      {}", entry.text);
    }
    out.push_str(
        "\nOf a host's end of a connection (HOST is its name, any, or peer: the other one)\n\n",
    );
    let mut row = |word: &str, about: &str| {
        let _ = writeln!(out, "  {word:<30} {about}");
    };
    for (word, _, about) in WHATS {
        let more = if word == "sent" { ", CAUSE" } else { "" };
        row(&format!("{word}(HOST{more})"), about);
    }
    row(
        "state(HOST) == STATE",
        "its state as ss prints it, or CLOSED if nothing is there; also !=",
    );
    for (word, _, about) in NUMBERS {
        let more = if word == "counter" { ", NAME" } else { "" };
        row(&format!("{word}(HOST{more}) > N"), about);
    }
    row("end", "nothing will happen any more");
    out.push_str(
        "\nTogether: and, or, not, parentheses, and X for > TIME (X has been true for so long).\n",
    );
    out
}

/// As one object.
pub(super) fn json() -> String {
    let properties: Vec<Value> = NAMED
        .iter()
        .map(|e| {
            let time = e.time.map(|t| t.ns as f64 / 1e9);
            json!({ "name": e.name, "property": e.text, "time_s": time, "about": e.about })
        })
        .collect();
    let words = WHATS.iter().map(|w| (w.0, w.2)).chain(NUMBERS.iter().map(|n| (n.0, n.2)));
    let words: Vec<Value> =
        words.map(|(word, about)| json!({ "word": word, "about": about })).collect();
    format!("{:#}\n", json!({ "properties": properties, "words": words }))
}
