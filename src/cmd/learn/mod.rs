//! `finwait learn`: exercises on TCP's close, from reading a ladder to the law of the full table.
//!
//! `text.rs` and `json.rs` tell, `watch.rs` checks whenever a file is saved; what exercises are and how
//! they are checked is `crate::learn`.

mod json;
mod text;
mod watch;

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Verdict, print};
use crate::learn::check::{Answer, Checked, check};
use crate::learn::desk::Desk;
use crate::learn::library::{Exercise, Library};
use crate::learn::rust;

/// Learn how TCP closes: exercises that are checked against the model.
///
/// `finwait learn init DIR` writes a folder; everything else works in it, without a network. Without a
/// command: where you are, and what comes next.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The folder of exercises [default: this one, one above it, or finwait-exercises].
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Take the exercises of this folder instead of those that are built in, for who writes some.
    #[arg(long, global = true, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Write the exercises into a folder; what is there already stays as it is.
    Init {
        /// The folder.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Write the exercises that can be solved in Rust, too, with the sources that they are built
        /// with; `cargo test --offline` needs Rust 1.95 and nothing else.
        #[arg(long)]
        rust: bool,
    },
    /// All exercises, and which are solved.
    List,
    /// The page of the next exercise, or of another.
    Next {
        /// Its number, its name, or a part of that.
        #[arg(value_name = "EXERCISE")]
        exercise: Option<String>,
    },
    /// Check the next exercise, or others, or all of a folder.
    ///
    /// Answers are read and interpreted, within a time limit; only --rust runs what was written, and
    /// keeping that away from the rest of the machine is up to whoever grades.
    Check {
        /// Exercises, or a folder of them, which means all.
        #[arg(value_name = "EXERCISE|DIR")]
        what: Vec<String>,
        /// All exercises.
        #[arg(long)]
        all: bool,
        /// Check the function in Rust instead of the table of rules.
        #[arg(long, conflicts_with = "all")]
        rust: bool,
        /// Seconds that each check may take [default: 20, with --rust 180].
        #[arg(long, value_name = "SECONDS",
              value_parser = clap::value_parser!(u32).range(1..=3600))]
        limit: Option<u32>,
    },
    /// Check the next exercise whenever its answer is saved.
    Watch,
    /// The next hint for the next exercise, or for another.
    Hint {
        /// Its number, its name, or a part of that.
        #[arg(value_name = "EXERCISE")]
        exercise: Option<String>,
    },
    /// The solution of the next exercise, or of another.
    Solution {
        /// Its number, its name, or a part of that.
        #[arg(value_name = "EXERCISE")]
        exercise: Option<String>,
        /// The function in Rust instead of the table of rules.
        #[arg(long)]
        rust: bool,
    },
}

/// How long the check of an answer may take, and how long that of one in Rust, which is built.
const LIMIT_S: u32 = 20;
const RUST_LIMIT_S: u32 = 180;

/// Does it.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let library = Library::open(args.from.as_deref())?;
    match &args.what {
        None => home(args, &library),
        Some(What::Init { dir, rust }) => init(args, &library, dir, *rust),
        Some(What::List) => {
            let desk = desk_if_any(args)?;
            let told = if args.json { json::list } else { text::list };
            fine(&told(&library, desk.as_ref()))
        }
        Some(What::Next { exercise }) => {
            let desk = desk_if_any(args)?;
            let exercise = meant(&library, desk.as_ref(), exercise.as_deref())?;
            let told = if args.json { json::page } else { text::page };
            fine(&told(exercise, desk.as_ref())?)
        }
        Some(What::Check { what, all, rust, limit }) => {
            let wanted = Wanted { what, all: *all, rust: *rust, limit: *limit };
            check_some(args, &library, &wanted)
        }
        Some(What::Watch) => watch::run(&library, &mut Desk::open(args.dir.as_deref())?),
        Some(What::Hint { exercise }) => hint(args, &library, exercise.as_deref()),
        Some(What::Solution { exercise, rust }) => {
            let desk = desk_if_any(args)?;
            let exercise = meant(&library, desk.as_ref(), exercise.as_deref())?;
            let solution = match rust {
                true => exercise.kept("rust/src/lib.rs")?,
                false => exercise.solution()?,
            };
            let told = if args.json { json::solution } else { text::solution };
            fine(&told(exercise, solution))
        }
    }
}

fn fine(told: &str) -> Result<Verdict, Failure> {
    print(told)?;
    Ok(Verdict::Fine)
}

/// The folder that is meant, if there is one; one that was named has to be there.
fn desk_if_any(args: &Args) -> Result<Option<Desk>, Failure> {
    match (&args.dir, Desk::nearest()) {
        (None, None) => Ok(None),
        (dir, _) => Desk::open(dir.as_deref()).map(Some),
    }
}

/// The exercise that was named, or the next one.
fn meant<'a>(
    library: &'a Library,
    desk: Option<&Desk>,
    name: Option<&str>,
) -> Result<&'a Exercise, Failure> {
    if let Some(name) = name {
        return library.find(name);
    }
    let next = match desk {
        Some(desk) => desk.next(library),
        None => library.0.first(),
    };
    // Who has done all of them looks at the last once more.
    let last = next.or_else(|| library.0.last());
    last.ok_or_else(|| Failure::Input("error: there are no exercises".to_owned()))
}

fn home(args: &Args, library: &Library) -> Result<Verdict, Failure> {
    let desk = desk_if_any(args)?;
    if args.json {
        return fine(&json::list(library, desk.as_ref()));
    }
    fine(&match &desk {
        Some(desk) => text::home(library, desk),
        None => text::welcome(library),
    })
}

fn init(args: &Args, library: &Library, dir: &Path, in_rust: bool) -> Result<Verdict, Failure> {
    let (desk, written) = Desk::create(dir, library)?;
    if in_rust {
        rust::write(dir, library)?;
    }
    if args.json {
        return fine(&json::written(&desk, written));
    }
    fine(&text::written(library, &desk, written, in_rust))
}

/// What `check` was asked for.
struct Wanted<'a> {
    what: &'a [String],
    all: bool,
    rust: bool,
    limit: Option<u32>,
}

fn check_some(args: &Args, library: &Library, wanted: &Wanted<'_>) -> Result<Verdict, Failure> {
    let is_folder = |text: &&String| Desk::is_one(Path::new(text));
    let folder = wanted.what.iter().find(is_folder).map(PathBuf::from);
    let all = wanted.all || (folder.is_some() && wanted.what.len() == 1);
    let mut desk = Desk::open(folder.as_deref().or(args.dir.as_deref()))?;
    let named = wanted.what.iter().filter(|text| !is_folder(text)).map(|name| library.find(name));
    let mut exercises: Vec<&Exercise> = named.collect::<Result<_, _>>()?;
    if all {
        exercises = library.0.iter().collect();
    } else if exercises.is_empty() {
        match desk.next(library) {
            Some(next) => exercises.push(next),
            None => return fine(&text::home(library, &desk)),
        }
    }
    let default = if wanted.rust { RUST_LIMIT_S } else { LIMIT_S };
    let limit_s = f64::from(wanted.limit.unwrap_or(default));
    let mut results = Vec::new();
    for exercise in exercises {
        let checked = if wanted.rust {
            rust::check(&desk, exercise, limit_s)?
        } else {
            check_one(&desk, exercise, limit_s)?
        };
        // Who grades a folder changes nothing in it.
        let news = !args.json && checked.passed() && desk.note_solved(exercise)?;
        results.push((exercise, checked, news));
    }
    let verdict = verdict(&results);
    if args.json {
        print(&json::checked(library, &results))?;
    } else if all {
        print(&text::many(&results))?;
    } else {
        for (exercise, checked, news) in &results {
            print(&text::checked(library, &desk, exercise, checked, *news))?;
        }
    }
    Ok(verdict)
}

/// One that cannot be read is bad input; among many it is one that is not solved.
fn verdict(results: &[(&Exercise, Checked, bool)]) -> Verdict {
    match results {
        [(_, Checked::Unreadable(_), _)] => Verdict::Refused,
        results if results.iter().all(|(_, checked, _)| checked.passed()) => Verdict::Fine,
        _ => Verdict::Differs,
    }
}

/// Checks what stands in a folder.
fn check_one(desk: &Desk, exercise: &Exercise, limit_s: f64) -> Result<Checked, Failure> {
    let path = desk.answer(exercise).display().to_string();
    match desk.read(exercise) {
        Ok(text) => check(&Answer { exercise, path: &path, text: &text, limit_s }),
        // Among many, one that is missing is no reason not to look at the others.
        Err(failure) => Ok(Checked::Unreadable(failure.to_string())),
    }
}

fn hint(args: &Args, library: &Library, name: Option<&str>) -> Result<Verdict, Failure> {
    let mut desk = desk_if_any(args)?;
    let exercise = meant(library, desk.as_ref(), name)?;
    let all = exercise.spec.hints.len();
    let shown = desk.as_ref().map_or(all, |desk| (desk.hints(exercise) + 1).min(all));
    if let Some(desk) = &mut desk {
        desk.note_hints(exercise, shown)?;
    }
    let told = if args.json { json::hints } else { text::hints };
    fine(&told(exercise, shown))
}
