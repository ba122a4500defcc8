//! A comparison as one JSON object; docs/json.md describes it.

use serde_json::{Map, Value, json};

use finwait_viz::compare::Parting;
use finwait_viz::ladder;
use finwait_viz::story::Story;

use super::Comparison;
use super::differ::Row;
use super::divergence::Divergence;
use super::{setup, text};

/// Columns of a ladder.
const LADDER: usize = 120;

pub(super) fn render(whole: &Comparison) -> String {
    let runs = whole.sides.iter().zip(&whole.came).map(|(side, came)| {
        let digest = Some(&came.digest).filter(|digest| !digest.is_empty());
        json!({ "run": side.label, "scenario": side.scenario.name, "seed": side.scenario.seed, "digest": digest })
    });
    let set_up = setup::differences(&whole.sides).into_iter().map(|difference| {
        let [a, b] = difference.values;
        json!({ "key": difference.key, "a": a, "b": b })
    });
    let hosts = whole.differences.hosts.iter().map(|host| {
        let object = json!({ "measures": rows(&host.measures), "counters": rows(&host.counters) });
        (host.name.clone(), object)
    });
    let whole = json!({
        "same": whole.is_same(),
        "verdict": text::verdict(whole),
        "runs": runs.collect::<Vec<_>>(),
        "set_up": set_up.collect::<Vec<_>>(),
        "hosts": hosts.collect::<Map<_, _>>(),
        "first_difference": first_difference(&whole.divergence),
    });
    format!("{whole:#}\n")
}

fn rows(rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        let [a, b] = row.values.map(text::plain);
        (row.name.clone(), json!({ "a": number(a), "b": number(b) }))
    });
    Value::Object(rows.collect())
}

/// Whole numbers without a point.
fn number(value: Option<f64>) -> Value {
    match value {
        Some(n) if n.fract() == 0.0 && n < 9e15 => json!(n as u64),
        other => json!(other),
    }
}

fn first_difference(divergence: &Divergence) -> Value {
    match divergence {
        Divergence::None | Divergence::Unknown => Value::Null,
        Divergence::Exact(exact) => {
            let stories = exact.stories.each_ref().map(Option::as_ref);
            json!({
                "at_s": at(&exact.parting),
                "a": exact.parting.what[0],
                "b": exact.parting.what[1],
                "ladders": ladders(stories),
            })
        }
        Divergence::Kind(kind) => match &kind.found {
            None => json!({ "connections_compared": kind.looked_at }),
            Some(pair) => json!({
                "connection": pair.number,
                "host": pair.host,
                "a": pair.what[0],
                "b": pair.what[1],
                "ladders": ladders(pair.stories.each_ref().map(Some)),
            }),
        },
    }
}

fn at(parting: &Parting) -> f64 {
    parting.at.ns as f64 / 1e9
}

fn ladders(stories: [Option<&Story>; 2]) -> Value {
    json!(stories.map(|story| story.map(|story| ladder::text(story, LADDER))))
}
