//! Which question is meant: by its number, its name, words of it, or a file.

use std::path::Path;

use finwait_sim::scenario::{Error, nearest};

use super::library::{self, Entry};
use crate::failure::Failure;

/// The question that was typed.
pub(crate) fn one(library: Vec<Entry>, typed: &[String]) -> Result<Entry, Failure> {
    if let [only] = typed {
        if let Ok(number) = only.parse::<u16>() {
            return numbered(library, only, number);
        }
        if library.iter().all(|entry| entry.name != *only) && Path::new(only).is_file() {
            return library::own(Path::new(only));
        }
    }
    let text = typed.join(" ");
    let mut ranked: Vec<(usize, Entry)> =
        library.into_iter().map(|entry| (rank(&entry, &text), entry)).collect();
    let best = ranked.iter().map(|(rank, _)| *rank).max().unwrap_or(0);
    if best == 0 {
        return Err(unknown(&ranked, &text));
    }
    ranked.retain(|(rank, _)| *rank == best);
    match <[(usize, Entry); 1]>::try_from(ranked) {
        Ok([(_, entry)]) => Ok(entry),
        Err(several) => Err(ambiguous(&several, &text)),
    }
}

fn numbered(library: Vec<Entry>, typed: &str, number: u16) -> Result<Entry, Failure> {
    let known: Vec<String> = library.iter().map(|e| e.study.plan.number.to_string()).collect();
    let mut all = library.into_iter();
    all.find(|entry| entry.study.plan.number == number).ok_or_else(|| {
        let expected = format!("expected one of {}", known.join(", "));
        wrong(typed, format!("there is no question {number}"), expected, None)
    })
}

/// How well a question fits: its name is best, then all words in the question, then in the rest.
fn rank(entry: &Entry, typed: &str) -> usize {
    let typed = typed.to_lowercase();
    if entry.name == typed {
        return 4;
    }
    let plan = &entry.study.plan;
    let ask = format!("{} {}", plan.ask, entry.name).to_lowercase();
    let mut rest = format!("{ask} {} {}", plan.answer.text, entry.study.about);
    for (key, _) in entry.study.cases.iter().flat_map(|case| &case.set) {
        rest = format!("{rest} {key}");
    }
    let rest = rest.to_lowercase();
    let has = |text: &str| typed.split_whitespace().all(|word| text.contains(word));
    match () {
        () if typed.trim().is_empty() => 0,
        () if ask.contains(&typed) => 3,
        () if has(&ask) => 2,
        () if has(&rest) => 1,
        () => 0,
    }
}

fn unknown(all: &[(usize, Entry)], typed: &str) -> Failure {
    let names = all.iter().map(|(_, entry)| entry.name.as_str());
    let help = match nearest(typed, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`finwait ask` lists all questions".to_owned(),
    };
    let expected = "expected a number, a name, or words of a question".to_owned();
    wrong(typed, format!("no question has {typed:?} in it"), expected, Some(help))
}

fn ambiguous(several: &[(usize, Entry)], typed: &str) -> Failure {
    let questions: Vec<String> = several
        .iter()
        .map(|(_, entry)| format!("{} {}", entry.study.plan.number, entry.study.plan.ask))
        .collect();
    let message = format!("{} questions have that in them", several.len());
    let help = format!("take the number of one of them:\n{}", questions.join("\n"));
    wrong(typed, message, "expected words of only one".to_owned(), Some(help))
}

fn wrong(typed: &str, message: String, expected: String, help: Option<String>) -> Failure {
    let error = Error { span: Some(0..typed.len()), message, expected, help };
    Failure::in_text("QUESTION", typed, &error)
}
