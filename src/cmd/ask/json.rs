//! Questions and answers for programs; docs/json.md describes them.

use std::path::Path;

use serde_json::{Map, Value, json};

use finwait_sim::measure::Judged;

use super::answer::Answer;
use super::library::Entry;

/// The questions.
pub(crate) fn list(entries: &[Entry]) -> String {
    let questions = entries.iter().map(|entry| {
        json!({
            "number": entry.study.plan.number,
            "name": entry.name,
            "ask": entry.study.plan.ask,
            "cases": entry.study.cases.iter().map(|case| &case.name).collect::<Vec<_>>(),
        })
    });
    format!("{}\n", json!({ "questions": questions.collect::<Vec<_>>() }))
}

/// Questions with their answers.
pub(crate) fn answers(answers: &[Answer]) -> String {
    let answers: Vec<Value> = answers.iter().map(object).collect();
    format!("{}\n", json!({ "answers": answers }))
}

fn object(answer: &Answer) -> Value {
    let plan = &answer.entry.study.plan;
    let cases = answer.entry.study.cases.iter().enumerate().map(|(n, case)| {
        let set: Map<String, Value> =
            case.set.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let shown = answer.columns().into_iter().zip(&answer.shown[n]);
        let measures: Map<String, Value> = shown
            .map(|(name, value)| {
                let (above, below) = (value.numerator, value.denominator);
                let number = match below {
                    0 => Value::Null,
                    1 => json!(above),
                    _ => json!([above, below]),
                };
                (name.to_owned(), json!({ "value": number, "text": value.to_string() }))
            })
            .collect();
        json!({
            "name": case.name,
            "about": case.about,
            "set": set,
            "measures": measures,
            "expect": answer.judged[n].iter().map(judged).collect::<Vec<_>>(),
            "digest": answer.outcomes[n].digest.to_string(),
            "segments": answer.outcomes[n].segments,
        })
    });
    json!({
        "number": plan.number,
        "name": answer.entry.name,
        "ask": plan.ask,
        "answer": answer.text,
        "advice": answer.advice,
        "holds": answer.holds(),
        "cases": cases.collect::<Vec<_>>(),
        "expect": answer.between.iter().map(judged).collect::<Vec<_>>(),
        "checked": plan.checked.iter().map(|(release, _)| release.name()).collect::<Vec<_>>(),
        "scripts": plan.scripts,
    })
}

fn judged(judged: &Judged) -> Value {
    json!({ "wanted": judged.wanted, "found": judged.found, "holds": judged.holds })
}

/// The files that were written.
pub(crate) fn written(folder: &Path, files: &[String]) -> String {
    format!("{}\n", json!({ "folder": folder.display().to_string(), "files": files }))
}
