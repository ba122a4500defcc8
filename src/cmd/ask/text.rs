//! Questions and answers for a terminal.

use std::fmt::Write as _;
use std::path::Path;

use finwait_sim::measure::Judged;

use super::answer::Answer;
use super::library::Entry;
use finwait_sim::text::wrapped;

/// The widest line.
const WIDTH: usize = 98;
/// The narrowest column of numbers.
const COLUMN: usize = 8;

/// Every question, a line each.
pub(crate) fn list(entries: &[Entry]) -> String {
    let mut out = String::from("Questions; `finwait ask NUMBER` answers one by running it\n\n");
    for entry in entries {
        let lines = wrapped(&entry.study.plan.ask, WIDTH - 5);
        for (n, line) in lines.iter().enumerate() {
            let number = if n == 0 { entry.study.plan.number.to_string() } else { String::new() };
            let _ = writeln!(out, "{number:>3}  {line}");
        }
    }
    out
}

/// Answers one after the other.
pub(crate) fn answers(answers: &[Answer]) -> String {
    let texts: Vec<String> = answers.iter().map(one).collect();
    texts.join("\n\n")
}

fn one(answer: &Answer) -> String {
    let plan = &answer.entry.study.plan;
    let mut out = String::new();
    paragraph(&mut out, &plan.heading(), 0);
    out.push('\n');
    // Where nothing is asked, the scenario says what it is about.
    paragraphs(&mut out, if plan.number == 0 { &answer.entry.study.about } else { &answer.text });
    if let Some(advice) = &answer.advice {
        out.push('\n');
        paragraphs(&mut out, &format!("What to do: {advice}"));
    }
    out.push('\n');
    table(&mut out, answer);
    failures(&mut out, answer);
    checked(&mut out, answer);
    deeper(&mut out, answer);
    out
}

fn paragraphs(out: &mut String, text: &str) {
    for (n, text) in text.split("\n\n").enumerate() {
        if n > 0 {
            out.push('\n');
        }
        paragraph(out, text, 0);
    }
}

fn paragraph(out: &mut String, text: &str, indent: usize) {
    for line in wrapped(text, WIDTH - indent) {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

/// The cases with their measures; long names of measures are broken behind a slash.
fn table(out: &mut String, answer: &Answer) {
    let heads: Vec<Vec<String>> = answer.columns().into_iter().map(head).collect();
    let numbers: Vec<Vec<String>> =
        answer.shown.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
    let width = |column: usize| {
        let head = heads[column].iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let number = numbers.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        head.max(number).max(COLUMN)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let cases = &answer.entry.study.cases;
    let names = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0);
    let lines = heads.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..lines {
        let _ = write!(out, "  {:names$}", "");
        for (head, width) in heads.iter().zip(&widths) {
            // Short names stand at the bottom.
            let skip = lines - head.len();
            let text = if line < skip { "" } else { head[line - skip].as_str() };
            let _ = write!(out, "  {text:>width$}");
        }
        out.push('\n');
    }
    for (n, case) in cases.iter().enumerate() {
        let _ = write!(out, "  {:names$}", case.name);
        for (number, width) in numbers[n].iter().zip(&widths) {
            let _ = write!(out, "  {number:>width$}");
        }
        let _ = writeln!(out, "  {}", verdict(&answer.judged[n]));
        if !case.about.is_empty() {
            paragraph(out, &case.about, 6);
        }
    }
    out.push('\n');
}

fn head(name: &str) -> Vec<String> {
    match name.split_once(" / ") {
        Some((above, below)) => vec![format!("{above} /"), below.to_owned()],
        None => vec![name.to_owned()],
    }
}

fn verdict(judged: &[Judged]) -> String {
    let failed = judged.iter().filter(|judged| !judged.holds).count();
    match (judged.len(), failed) {
        (0, _) => String::new(),
        (_, 0) => "as expected".to_owned(),
        (all, failed) => format!("{failed} of {all} not as expected"),
    }
}

fn failures(out: &mut String, answer: &Answer) {
    let cases = answer.entry.study.cases.iter().zip(&answer.judged);
    let of_cases = cases.flat_map(|(case, all)| all.iter().map(|j| (case.name.as_str(), j)));
    let all = of_cases.chain(answer.between.iter().map(|judged| ("cases", judged)));
    let mut failed = false;
    for (name, judged) in all.filter(|(_, judged)| !judged.holds) {
        let words = format!("{name}: wanted {}; {}", judged.wanted, judged.found);
        paragraph(out, &words, 2);
        failed = true;
    }
    if failed {
        out.push('\n');
    }
}

/// On which kernels it was checked.
fn checked(out: &mut String, answer: &Answer) {
    let plan = &answer.entry.study.plan;
    if plan.checked.is_empty() && plan.scripts.is_empty() {
        return;
    }
    let releases: Vec<&str> = plan.checked.iter().map(|(release, _)| release.name()).collect();
    let mut words = format!("Checked with the models of Linux {}.", releases.join(" and "));
    if !plan.scripts.is_empty() {
        let _ = write!(
            words,
            " Its core was confirmed on a live kernel by these scripts of examples/scripts: {}.",
            plan.scripts.join(", ")
        );
    }
    paragraph(out, &words, 0);
    out.push('\n');
}

/// What to type next.
fn deeper(out: &mut String, answer: &Answer) {
    let entry = &answer.entry;
    let which = if entry.is_own { entry.path.clone() } else { entry.study.plan.number.to_string() };
    // One that sends RSTs has the most to tell.
    let resets = answer.outcomes.iter().position(|outcome| outcome.rst_count() > 0);
    let case = &entry.study.cases[resets.unwrap_or(0)];
    out.push_str("To go on from here:\n");
    let mut typed = |command: String| {
        let _ = writeln!(out, "  {command}");
    };
    typed(format!("finwait ask {which} --scenario {} > case.toml", case.name));
    typed("finwait run case.toml".to_owned());
    if resets.is_some() {
        typed("finwait explain case.toml --rst 1".to_owned());
    }
    typed("finwait plot case.toml ladder".to_owned());
    for name in explained(answer) {
        typed(format!("finwait explain {name}"));
    }
    if let Some(script) = entry.study.plan.scripts.first() {
        typed(format!("finwait verify examples/scripts/{script}.pkt"));
    }
}

/// The sysctls that its cases set.
fn explained(answer: &Answer) -> Vec<&str> {
    let keys = answer.entry.study.cases.iter().flat_map(|case| &case.set);
    let mut names: Vec<&str> = Vec::new();
    for (key, _) in keys {
        if let Some((_, name)) = key.split_once(".net.ipv4.")
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// The files that were written.
pub(crate) fn written(folder: &Path, files: &[String]) -> String {
    let mut out = String::new();
    for file in files {
        let _ = writeln!(out, "{}", folder.join(file).display());
    }
    out
}
