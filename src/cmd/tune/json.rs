//! What a search came to, as one JSON object; docs/json.md describes it.

use serde_json::{Map, Value, json};

use finwait_sim::capacity::Sizes;
use finwait_sim::tune::{Found, Point};

use super::Tuned;
use super::text;

pub(super) fn render(tuned: &Tuned<'_>) -> String {
    let found = tuned.found.iter().map(|(found, _)| change(tuned, found));
    let found: Vec<Value> = found.collect();
    let tried = tuned.tried.iter().map(|tried| {
        json!({
            "values": values(tuned, &tried.point),
            "holds": tried.holds,
            "seeds_held": tried.seeds_held,
            "found": tried.found,
        })
    });
    let costs = if tuned.found.is_empty() { Vec::new() } else { text::costs(tuned, 0) };
    let whole = json!({
        "wish": tuned.wish.to_string(),
        "verdict": text::verdict(tuned),
        "holds": !tuned.found.is_empty(),
        "seeds": tuned.seeds,
        "answer": found.first(),
        "others": found.get(1..).unwrap_or_default(),
        "peaks": peaks(tuned),
        "costs": costs,
        "nearest": tuned.best().map(|best| json!({
            "values": values(tuned, &best.point),
            "found": best.found,
        })),
        "tried": tried.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

fn values(tuned: &Tuned<'_>, point: &Point) -> Value {
    let both = tuned.knobs.iter().zip(point);
    let values = both.map(|(knob, &number)| (knob.key.clone(), json!(knob.value(number))));
    Value::Object(values.collect())
}

fn change(tuned: &Tuned<'_>, found: &Found) -> Value {
    let changes = found.changed.iter().map(|&n| {
        let knob = &tuned.knobs[n];
        let nearer = tuned.a_step_nearer(found, n).map(|(nearer, _)| knob.value(nearer));
        json!({
            "key": knob.key,
            "from": knob.value(knob.dial.now),
            "to": knob.value(found.point[n]),
            "fails_with": nearer,
        })
    });
    json!({ "changes": changes.collect::<Vec<_>>(), "monotone": found.monotone })
}

/// Of the answer, by host.
fn peaks(tuned: &Tuned<'_>) -> Value {
    let Some((found, scenario)) = tuned.found.first() else { return Value::Null };
    let Some(tried) = tuned.at(&found.point) else { return Value::Null };
    let hosts = scenario.hosts.iter().zip(&tried.peaks).map(|(host, peaks)| {
        let sizes = Sizes::of(host.release);
        let object = json!({
            "tw": peaks.buckets,
            "tw_limit": host.sysctl.tcp_max_tw_buckets,
            "tw_bytes": u64::from(peaks.buckets) * sizes.bucket,
            "orphan": peaks.orphans,
            "orphan_limit": host.sysctl.tcp_max_orphans,
        });
        (host.name.clone(), object)
    });
    Value::Object(hosts.collect::<Map<_, _>>())
}
