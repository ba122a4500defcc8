//! What a person reads.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use finwait_sim::text::wrapped;

use crate::failure::Failure;
use crate::ink;
use crate::learn::check::{Checked, Wrong};
use crate::learn::desk::Desk;
use crate::learn::library::{Exercise, Library};

const WIDTH: usize = 96;
const BOLD: Style = Style::new().bold();
const DIM: Style = AnsiColor::BrightBlack.on_default();

/// What is said when an exercise is solved, in turn.
const CHEERS: [&str; 6] = [
    "That's it.",
    "Exactly as Linux does it.",
    "The model has nothing to add.",
    "No RST will surprise you here again.",
    "Right, and now you can prove it.",
    "That holds.",
];

fn style(style: Style) -> Style {
    ink::if_wanted(ink::stdout(), style)
}

/// A paragraph of text, indented.
fn paragraph(out: &mut String, indent: usize, text: &str) {
    if text.is_empty() {
        return;
    }
    for line in wrapped(text, WIDTH - indent) {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

/// `06 A bucket in TIME-WAIT (judge, 15 min)`.
fn name(exercise: &Exercise) -> String {
    let spec = &exercise.spec;
    format!("{} {} ({}, {} min)", exercise.number(), spec.title, spec.check.kind(), spec.minutes)
}

/// For who has no folder yet.
pub(super) fn welcome(library: &Library) -> String {
    let minutes: u32 = library.0.iter().map(|e| e.spec.minutes).sum();
    let mut out = String::new();
    let bold = style(BOLD);
    paragraph(
        &mut out,
        0,
        &format!(
            "{} exercises on how TCP closes, about {} hours: what leaves next, what a bucket \
             decides, which law a wrong kernel breaks, what happened on that machine. Each answer \
             is held against the model of Linux; a wrong one comes back as a packet that shows it.",
            library.0.len(),
            minutes.div_ceil(60)
        ),
    );
    let _ = write!(
        out,
        "\n  {bold}finwait learn init DIR{bold:#}      writes them into a folder\n  \
         finwait learn list          says what they are\n"
    );
    out
}

/// All of them in lines.
pub(super) fn list(library: &Library, desk: Option<&Desk>) -> String {
    let mut out = String::new();
    let good = style(ink::GOOD);
    for exercise in &library.0 {
        let solved = desk.is_some_and(|desk| desk.is_solved(exercise));
        let mark = if solved { format!("{good}✔{good:#}") } else { " ".to_owned() };
        let spec = &exercise.spec;
        let _ = writeln!(
            out,
            "{mark} {}  {:<52} {:<10} {:>2} min",
            exercise.number(),
            spec.title,
            spec.check.kind(),
            spec.minutes
        );
    }
    if let Some(desk) = desk {
        let _ = writeln!(out, "\n{} of {} solved", desk.solved(library), library.0.len());
    }
    out
}

/// Where one is.
pub(super) fn home(library: &Library, desk: &Desk) -> String {
    let mut out = String::new();
    let (solved, all) = (desk.solved(library), library.0.len());
    let filled = 30 * solved / all.max(1);
    let bar = format!("[{}{}]", "=".repeat(filled), " ".repeat(30 - filled));
    let _ = writeln!(out, "{bar} {solved} of {all} solved");
    match desk.next(library) {
        Some(next) => out += &invitation(desk, next),
        None => {
            out += "\nAll of them. From here on: finwait verify, which asks a real kernel; docs/teaching.md,\n\
                    if you want to write an exercise; and `finwait ask`.\n";
        }
    }
    out
}

/// What is to be done for an exercise.
fn invitation(desk: &Desk, exercise: &Exercise) -> String {
    let bold = style(BOLD);
    let path = desk.answer(exercise).display().to_string();
    format!(
        "\nNext: {bold}{}{bold:#}\n\n  finwait learn next      its page\n  {path}\n{:26}is yours to \
         fill in\n  finwait learn check     is it right?   (finwait learn watch: checks whenever you \
         save)\n  finwait learn hint      if you are stuck\n",
        name(exercise),
        ""
    )
}

/// The page of an exercise: Markdown as it is, its paragraphs as wide as the others here.
pub(super) fn page(exercise: &Exercise, desk: Option<&Desk>) -> Result<String, Failure> {
    let (bold, dim) = (style(BOLD), style(DIM));
    let mut out = String::new();
    let mut words = String::new();
    let mut is_block = false;
    for line in exercise.page()?.lines() {
        let is_fence = line.starts_with("```");
        let stands_alone = is_block || is_fence || line.is_empty() || line.starts_with(['#', '|']);
        if !stands_alone {
            words += line;
            words.push(' ');
            continue;
        }
        if !words.is_empty() {
            paragraph(&mut out, 0, &std::mem::take(&mut words));
        }
        if is_fence {
            is_block = !is_block;
        } else if is_block {
            let _ = writeln!(out, "    {line}");
        } else if line.starts_with('#') {
            let _ = writeln!(out, "{bold}{}{bold:#}", line.trim_start_matches(['#', ' ']));
        } else {
            let _ = writeln!(out, "{line}");
        }
    }
    paragraph(&mut out, 0, &words);
    if let Some(desk) = desk {
        let _ =
            writeln!(out, "\n{dim}yours to fill in: {}{dim:#}", desk.answer(exercise).display());
    }
    Ok(out)
}

/// What came of a check.
pub(super) fn checked(
    library: &Library,
    desk: &Desk,
    exercise: &Exercise,
    checked: &Checked,
    news: bool,
) -> String {
    let (good, bad) = (style(ink::GOOD), style(ink::BAD));
    let mut out = String::new();
    match checked {
        Checked::Passed(held) => {
            let cheer = CHEERS[desk.solved(library) % CHEERS.len()];
            let _ = writeln!(out, "{good}✔ {}: {held}. {cheer}{good:#}\n", exercise.name);
            paragraph(&mut out, 2, &format!("The rule. {}", exercise.spec.rule));
            let _ = writeln!(out, "\n  Read on: {}", exercise.spec.next.join("\n           "));
            if news {
                match desk.next(library) {
                    Some(next) => {
                        let _ = writeln!(
                            out,
                            "\n{} of {} solved. Next: {}",
                            desk.solved(library),
                            library.0.len(),
                            name(next)
                        );
                    }
                    None => {
                        let _ = writeln!(out, "\nThat was the last one: all are solved.");
                    }
                }
            }
        }
        Checked::NotBegun(report) | Checked::Unreadable(report) => {
            let _ = writeln!(out, "{report}");
        }
        Checked::TooLong => {
            let _ = writeln!(out, "{bad}{}: the check took too long{bad:#}", exercise.name);
            out += "  --limit SECONDS gives it more time\n";
        }
        Checked::Wrong(wrong) => {
            let Wrong { sentence, ladder, notes } = wrong;
            let mut lines = wrapped(&format!("✘ {}: {sentence}", exercise.name), WIDTH).into_iter();
            let _ = writeln!(out, "{bad}{}{bad:#}", lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(out, "  {line}");
            }
            if !ladder.is_empty() {
                let _ = write!(out, "\n{}", coloured(ladder));
            }
            if !notes.is_empty() {
                out.push('\n');
            }
            for note in notes {
                paragraph(&mut out, 2, note);
            }
            let left = exercise.spec.hints.len().saturating_sub(desk.hints(exercise));
            if left > 0 {
                let _ =
                    writeln!(out, "\n  finwait learn hint {} has {left} more", exercise.number());
            }
        }
    }
    out
}

/// A ladder whose RSTs one sees.
fn coloured(ladder: &str) -> String {
    let bad = style(ink::BAD);
    let mut out = String::new();
    for line in ladder.lines() {
        if line.contains("RST") || line.contains("> R") {
            let _ = writeln!(out, "{bad}{line}{bad:#}");
        } else {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

/// Many of them, a line each.
pub(super) fn many(results: &[(&Exercise, Checked, bool)]) -> String {
    let (good, bad) = (style(ink::GOOD), style(ink::BAD));
    let mut out = String::new();
    for (exercise, checked, _) in results {
        let (mark, colour, told) = match checked {
            Checked::Passed(held) => ("✔", good, held.as_str()),
            Checked::NotBegun(_) => (" ", Style::new(), "not begun"),
            Checked::Unreadable(_) => ("✘", bad, "cannot be read"),
            Checked::TooLong => ("✘", bad, "took too long"),
            Checked::Wrong(wrong) => ("✘", bad, wrong.sentence.as_str()),
        };
        let told = match wrapped(told, 60).split_first() {
            Some((first, [])) => first.clone(),
            Some((first, _)) => format!("{first} …"),
            None => String::new(),
        };
        let _ = writeln!(out, "{colour}{mark}{colour:#} {:<28} {told}", exercise.name);
    }
    let passed = results.iter().filter(|(_, checked, _)| checked.passed()).count();
    let _ = writeln!(out, "\n{passed} of {} solved", results.len());
    out
}

/// The hints so far.
pub(super) fn hints(exercise: &Exercise, shown: usize) -> String {
    let mut out = String::new();
    let all = exercise.spec.hints.len();
    for (n, hint) in exercise.spec.hints.iter().take(shown).enumerate() {
        paragraph(&mut out, 2, &format!("{}/{all}  {hint}", n + 1));
    }
    if shown == all {
        let _ = writeln!(
            out,
            "\nThat was the last one; `finwait learn solution {}`.",
            exercise.number()
        );
    } else {
        let _ = writeln!(out, "\n{} more if you ask again.", all - shown);
    }
    out
}

/// The solution.
pub(super) fn solution(_: &Exercise, solution: &str) -> String {
    solution.to_owned()
}

/// What `init` has done.
pub(super) fn written(library: &Library, desk: &Desk, files: usize, in_rust: bool) -> String {
    let root = desk.root().display();
    let mut out = format!("{root}: {} exercises, {files} files written\n", library.0.len());
    let packages: Vec<&str> = library.0.iter().filter_map(|e| e.spec.rust.as_deref()).collect();
    if in_rust {
        let _ = writeln!(
            out,
            "{root}/rust: the same in Rust for {}; `cargo test --offline` there needs Rust 1.95",
            packages.join(", ")
        );
    } else {
        let _ = writeln!(
            out,
            "No compiler is needed. {} exercises can be solved in Rust, too: `init {root} --rust`.",
            packages.len()
        );
    }
    let _ = writeln!(
        out,
        "\n  cd {root}\n  finwait learn check     the first one passes at once: look what it says"
    );
    out
}
