//! The same for programs.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::learn::check::Checked;
use crate::learn::desk::Desk;
use crate::learn::library::{Exercise, Library};

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn about(exercise: &Exercise) -> Value {
    json!({
        "exercise": exercise.name,
        "title": exercise.spec.title,
        "kind": exercise.spec.check.kind(),
        "minutes": exercise.spec.minutes,
        "answer": exercise.spec.answer,
    })
}

/// All of them.
pub(super) fn list(library: &Library, desk: Option<&Desk>) -> String {
    let each = library.0.iter().map(|exercise| {
        let mut value = about(exercise);
        value["solved"] = json!(desk.is_some_and(|desk| desk.is_solved(exercise)));
        value
    });
    let exercises: Vec<Value> = each.collect();
    let next = desk.and_then(|desk| desk.next(library)).map(|e| e.name.as_str());
    line(&json!({ "exercises": exercises, "next": next }))
}

/// The page of one.
pub(super) fn page(exercise: &Exercise, desk: Option<&Desk>) -> Result<String, Failure> {
    let mut value = about(exercise);
    value["page"] = json!(exercise.page()?);
    value["path"] = json!(desk.map(|desk| desk.answer(exercise).display().to_string()));
    Ok(line(&value))
}

/// What came of checks.
pub(super) fn checked(library: &Library, results: &[(&Exercise, Checked, bool)]) -> String {
    let each = results.iter().map(|(exercise, checked, _)| {
        let mut value = about(exercise);
        value["status"] = json!(checked.status());
        match checked {
            Checked::Passed(text) | Checked::NotBegun(text) | Checked::Unreadable(text) => {
                value["message"] = json!(text);
            }
            Checked::TooLong => value["message"] = json!("the check took too long"),
            Checked::Wrong(wrong) => {
                value["message"] = json!(wrong.sentence);
                value["ladder"] = json!(wrong.ladder);
                value["notes"] = json!(wrong.notes);
            }
        }
        value
    });
    let exercises: Vec<Value> = each.collect();
    let passed = results.iter().filter(|(_, checked, _)| checked.passed()).count();
    line(&json!({ "exercises": exercises, "passed": passed, "of": library.0.len() }))
}

/// The hints so far.
pub(super) fn hints(exercise: &Exercise, shown: usize) -> String {
    let mut value = about(exercise);
    value["hints"] = json!(exercise.spec.hints[..shown]);
    value["more"] = json!(exercise.spec.hints.len() - shown);
    line(&value)
}

/// The solution.
pub(super) fn solution(exercise: &Exercise, solution: &str) -> String {
    let mut value = about(exercise);
    value["solution"] = json!(solution);
    line(&value)
}

/// What `init` has done.
pub(super) fn written(desk: &Desk, files: usize) -> String {
    line(&json!({ "dir": desk.root().display().to_string(), "files": files }))
}
