//! Pages for questions, with their figures, and the index of all.

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;

use finwait_sim::measure::Judged;
use finwait_sim::scenario::FigureKind;
use finwait_viz::svg::Fonts;

use super::answer::Answer;
use super::figures::{self, Made};
use crate::failure::Failure;
use crate::out_dir::Folder;

/// Where scripts and their recorded answers lie, seen from the repository and from its pages.
const SCRIPTS: [&str; 2] = ["examples/scripts", "../../examples/scripts"];

/// Writes a page for each answer, and an index if it is asked for; says what was written.
pub(crate) fn write(
    folder: &Folder,
    answers: &[Answer],
    index: bool,
    png: bool,
) -> Result<Vec<String>, Failure> {
    let of = |answer| Page::of(answer, png);
    let pages: Vec<Page> = answers.par_iter().map(of).collect::<Result<_, _>>()?;
    let mut files = Vec::new();
    if index {
        folder.write("README.md", index_of(answers).as_bytes())?;
        files.push("README.md".to_owned());
    }
    for page in pages {
        for (name, data) in page.files {
            folder.write(&name, &data)?;
            files.push(name);
        }
    }
    Ok(files)
}

/// `04-fin-timeout`.
fn stem(answer: &Answer) -> String {
    format!("{:02}-{}", answer.entry.study.plan.number, answer.entry.name)
}

fn index_of(answers: &[Answer]) -> String {
    let mut out = String::from(
        "# What if\n\nQuestions that people ask about closing connections. Each page is written from runs \
         (`finwait ask --all --out docs/what-if`), and a test compares it with what the runs say now; \
         every number in it is a measure of a run. `finwait ask 4` answers the fourth on the terminal. \
         How such a question is written: [scenarios.md](../scenarios.md#questions).\n\n",
    );
    for answer in answers {
        let plan = &answer.entry.study.plan;
        let _ = writeln!(out, "{}. [{}]({}.md)", plan.number, plan.ask, stem(answer));
    }
    out
}

/// A page and its figures, by their names.
struct Page {
    files: Vec<(String, Vec<u8>)>,
}

impl Page {
    fn of(answer: &Answer, png: bool) -> Result<Self, Failure> {
        let plan = &answer.entry.study.plan;
        let stem = stem(answer);
        let text = if plan.number == 0 { &answer.entry.study.about } else { &answer.text };
        let mut out = format!("# {}\n\n{text}\n\n", plan.heading());
        if let Some(advice) = &answer.advice {
            let _ = writeln!(out, "**What to do.** {advice}\n");
        }
        table(&mut out, answer);
        let mut files = Vec::new();
        for (place, figure) in plan.figures.iter().enumerate() {
            let about = figure.about.split_whitespace().collect::<Vec<_>>().join(" ");
            let cases: Vec<&str> = figure.cases.iter().map(|case| case.text.as_str()).collect();
            let cases = cases.join(", ");
            match figures::made(answer, place)? {
                Made::Picture(drawn) => {
                    let ending = if png { "png" } else { "svg" };
                    let name = format!("{stem}-{}.{ending}", place + 1);
                    let _ = writeln!(out, "![{}: {cases}]({name})\n", figure.kind.name());
                    if !about.is_empty() {
                        let _ = writeln!(out, "{about}\n");
                    }
                    let svg = || drawn.to_svg(Fonts::Outside).into_bytes();
                    files.push((name, if png { drawn.to_png() } else { svg() }));
                }
                Made::Text(text) => {
                    let what = match figure.kind {
                        FigureKind::Chain => "The first RST, back to its first cause",
                        _ => "The connection",
                    };
                    let _ = writeln!(out, "{what} (case {cases}). {about}");
                    let _ = writeln!(out, "\n```\n{}\n```\n", text.trim_end());
                }
            }
        }
        checked(&mut out, answer)?;
        asked(&mut out, answer);
        files.insert(0, (format!("{stem}.md"), out.into_bytes()));
        Ok(Self { files })
    }
}

fn table(out: &mut String, answer: &Answer) {
    let columns = answer.columns();
    let _ = write!(out, "| case | |");
    for column in &columns {
        let _ = write!(out, " {} |", code(column));
    }
    out.push_str(" expected |\n|---|---|");
    out.push_str(&"--:|".repeat(columns.len()));
    out.push_str("---|\n");
    for (n, case) in answer.entry.study.cases.iter().enumerate() {
        let _ = write!(out, "| **{}** | {} |", case.name, case.about);
        for value in &answer.shown[n] {
            let _ = write!(out, " {value} |");
        }
        let _ = writeln!(out, " {} |", expected(&answer.judged[n]));
    }
    out.push('\n');
    if !answer.between.is_empty() {
        let _ = writeln!(out, "Between cases: {}.\n", expected(&answer.between));
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// What was expected, and what is not so.
fn expected(judged: &[Judged]) -> String {
    let one = |judged: &Judged| {
        let wanted = code(&judged.wanted);
        if judged.holds { wanted } else { format!("{wanted} **fails**: {}", judged.found) }
    };
    judged.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// On which kernels, and with which scripts, it was checked.
fn checked(out: &mut String, answer: &Answer) -> Result<(), Failure> {
    let plan = &answer.entry.study.plan;
    if plan.checked.is_empty() && plan.scripts.is_empty() {
        return Ok(());
    }
    let releases: Vec<&str> = plan.checked.iter().map(|(release, _)| release.name()).collect();
    let _ = write!(out, "## Checked\n\nWith the models of Linux {}. ", releases.join(" and "));
    if plan.scripts.is_empty() {
        out.push_str("No script confirms it on a live kernel.\n\n");
        return Ok(());
    }
    out.push_str(
        "The core was confirmed on a live kernel: these scripts hold on the model and on the kernel that \
         recorded its answers.\n\n",
    );
    for script in &plan.scripts {
        let kernel = kernel(script)?;
        let [_, from_page] = SCRIPTS;
        let _ = writeln!(
            out,
            "- [`{script}`]({from_page}/{script}.pkt): Linux {kernel} \
             ([record]({from_page}/{script}.live.json))"
        );
    }
    out.push('\n');
    Ok(())
}

/// The release that recorded a script's answers: `6.18.44` of `6.18.44-fc`.
fn kernel(script: &str) -> Result<String, Failure> {
    let [here, _] = SCRIPTS;
    let path = Path::new(here).join(format!("{script}.live.json"));
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::Input(format!(
            "error: cannot read {shown}: {error}\n  = help: pages are written in the folder of \
             the repository, which has the records"
        ))
    })?;
    let record: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Failure::Input(format!("error: {shown} is no record: {error}")))?;
    let kernel = record["kernel"].as_str().unwrap_or_default();
    let end = kernel.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(kernel.len());
    if end == 0 {
        return Err(Failure::Input(format!("error: {shown} does not say which kernel it is of")));
    }
    Ok(kernel[..end].to_owned())
}

/// What to type for the same.
fn asked(out: &mut String, answer: &Answer) {
    let entry = &answer.entry;
    let which = if entry.is_own { entry.path.clone() } else { entry.study.plan.number.to_string() };
    let _ = write!(
        out,
        "## Ask it yourself\n\n```\nfinwait ask {which}\nfinwait ask {which} --scenario {} > case.toml\n\
         finwait run case.toml\n```\n",
        entry.study.cases[0].name
    );
    if !entry.is_own {
        let _ = writeln!(out, "\nIt is written down in [{0}](../../{0}).", entry.path);
    }
}
