//! `finwait ask`: the questions that people ask about closing connections, each answered by runs.
//!
//! `library.rs` has them, `find.rs` knows which one is meant, `answer.rs` runs their cases, `text.rs`
//! and `json.rs` tell, `page.rs` writes pages with the figures of `figures.rs`.

mod answer;
mod figures;
mod find;
mod json;
mod library;
mod page;
mod text;

use std::path::PathBuf;

use finwait_sim::scenario::{Error, nearest};

use crate::failure::{Failure, Verdict, print};
use crate::out_dir::Folder;
use answer::Answer;
use library::Entry;

/// Answer a question that people ask about closing connections, by running it.
///
/// Without a question: a list of all. Each answer compares a few cases, takes every number from
/// their runs, and says what was expected of them; the exit status is 1 if an expectation fails.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The number of a question, its name, words of it, or a scenario of your own that has
    /// `[[cases]]`, with a `[question]` or without.
    #[arg(value_name = "QUESTION")]
    question: Vec<String>,
    /// Every question.
    #[arg(long, conflicts_with_all = ["question", "scenario"])]
    all: bool,
    /// Print a case as a scenario of its own, to run, plot and change.
    #[arg(long, value_name = "CASE", requires = "question", conflicts_with_all = ["out", "json"])]
    scenario: Option<String>,
    /// Write a page for each question, with its figures, into this folder; with --all an index, too.
    #[arg(short = 'o', long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Draw the figures as PNG instead of SVG.
    #[arg(long, requires = "out")]
    png: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs all cases of what is asked side by side; nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let library = library::all()?;
    if args.question.is_empty() && !args.all {
        if args.out.is_some() {
            let help = "name a question, or take --all";
            return Err(Failure::Input(format!("error: no question to write\n  = help: {help}")));
        }
        print(&if args.json { json::list(&library) } else { text::list(&library) })?;
        return Ok(Verdict::Fine);
    }
    let entries = if args.all { library } else { vec![find::one(library, &args.question)?] };
    if let (Some(name), [entry]) = (&args.scenario, entries.as_slice()) {
        print(&entry.study.cases[case(entry, name)?].toml)?;
        return Ok(Verdict::Fine);
    }
    let answers = answer::all(entries);
    if let Some(path) = &args.out {
        let folder = Folder::create(path)?;
        let files = page::write(&folder, &answers, args.all, args.png)?;
        print(&if args.json { json::written(path, &files) } else { text::written(path, &files) })?;
    } else {
        print(&if args.json { json::answers(&answers) } else { text::answers(&answers) })?;
    }
    Ok(if answers.iter().all(Answer::holds) { Verdict::Fine } else { Verdict::Differs })
}

/// The place of the case with that name.
fn case(entry: &Entry, name: &str) -> Result<usize, Failure> {
    entry.study.place(name).ok_or_else(|| {
        let names = || entry.study.cases.iter().map(|case| case.name.as_str());
        let error = Error {
            span: Some(0..name.len()),
            message: format!("question {} has no case {name:?}", entry.study.plan.number),
            expected: format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            help: nearest(name, names()).map(|near| format!("did you mean `{near}`?")),
        };
        Failure::in_text("--scenario", name, &error)
    })
}
