//! Exercises in Rust: a Cargo workspace with the sources of the public crates beside it, so that
//! `cargo test --offline` needs Rust and nothing else; and their check.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::check::{Checked, Wrong};
use super::desk::{Desk, put};
use super::library::{Exercise, Library, sources};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Stopwatch;

/// The workspace in a folder of exercises.
const FOLDER: &str = "rust";
/// So often a running cargo is looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// Writes the workspace; what is there already stays as it is.
pub(crate) fn write(root: &Path, library: &Library) -> Result<(), Failure> {
    let folder = root.join(FOLDER);
    let mut members = vec!["finwait-model".to_owned(), "finwait-learn".to_owned()];
    for exercise in &library.0 {
        let Some(package) = &exercise.spec.rust else { continue };
        members.push(package.clone());
        let to = folder.join(package);
        put(
            &to.join("Cargo.toml"),
            &manifest(package, "finwait-learn = { path = \"../finwait-learn\" }"),
        )?;
        for file in ["src/lib.rs", "tests/check.rs"] {
            put(&to.join(file), exercise.file(&format!("rust/{file}"))?)?;
        }
    }
    let members: Vec<String> = members.iter().map(|m| format!("{m:?}")).collect();
    let workspace = format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", "));
    put(&folder.join("Cargo.toml"), &workspace)?;
    let model = manifest("finwait-model", "") + "\n[features]\nserde = []\n";
    let learn = manifest("finwait-learn", "finwait-model = { path = \"../finwait-model\" }");
    for (name, below, manifest) in
        [("finwait-model", "model/src/", model), ("finwait-learn", "learn/src/", learn)]
    {
        put(&folder.join(name).join("Cargo.toml"), &manifest)?;
        for (file, text) in sources(below) {
            put(&folder.join(name).join("src").join(file), text)?;
        }
    }
    Ok(())
}

fn manifest(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = {name:?}\nversion = {:?}\nedition = \"2024\"\nrust-version = \"1.95\"\n\
         publish = false\n\n[dependencies]\n{dependencies}\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Runs the exercise's tests with cargo.
pub(crate) fn check(desk: &Desk, exercise: &Exercise, limit_s: f64) -> Result<Checked, Failure> {
    let Some(package) = &exercise.spec.rust else {
        let message = format!("error: exercise {} has no form in Rust", exercise.name);
        return Err(Failure::Input(message));
    };
    let manifest = desk.root().join(FOLDER).join("Cargo.toml");
    if !manifest.is_file() {
        let help = "`finwait learn init DIR --rust` writes it; nothing else is touched";
        let shown = manifest.display();
        return Err(Failure::Input(format!("error: there is no {shown}\n  = help: {help}")));
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--offline", "--quiet", "-p", package, "--manifest-path"]).arg(&manifest);
    cargo.env("RUST_BACKTRACE", "0").env("CARGO_TERM_COLOR", "never");
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Some((fine, out, err)) = finished(cargo, limit_s)? else { return Ok(Checked::TooLong) };
    if fine {
        return Ok(Checked::Passed("right in all cases, as a function in Rust".to_owned()));
    }
    match out.split_once("wrong in ") {
        Some((_, told)) => {
            let end = told.find("\nnote:").or_else(|| told.find("\n\nfailures:"));
            let told = &told[..end.unwrap_or(told.len())];
            let (first, rest) = told.split_once('\n').unwrap_or((told, ""));
            let sentence = format!("wrong in {first}");
            Ok(Checked::Wrong(Wrong { sentence, ladder: rest.to_owned(), notes: Vec::new() }))
        }
        None if out.contains("not yet implemented") => {
            let file = desk.root().join(FOLDER).join(package).join("src/lib.rs");
            let told = format!("error: the function is not written yet\n --> {}", file.display());
            Ok(Checked::NotBegun(told))
        }
        // It does not build, or panics: cargo and the compiler say where.
        None => Ok(Checked::Unreadable(format!("{}\n{}", err.trim(), out.trim()))),
    }
}

/// Runs a command to its end: was it fine, and what did it print? `None` if its time was up.
fn finished(mut command: Command, limit_s: f64) -> Result<Option<(bool, String, String)>, Failure> {
    let mut child = command.spawn().map_err(|e| {
        Failure::Input(format!(
            "error: cannot run cargo: {e}\n  = help: exercises in Rust need Rust 1.95; the same \
             exercise can be solved as a table of rules without it"
        ))
    })?;
    let pipes = (child.stdout.take(), child.stderr.take());
    let out = std::thread::spawn(move || read_all(pipes.0));
    let err = std::thread::spawn(move || read_all(pipes.1));
    let (watch, interrupt) = (Stopwatch::start(), Interrupt::listen());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if watch.seconds() > limit_s || interrupt.asked() {
            // It may have ended in this moment.
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(PAUSE);
    };
    let Some(status) = status else { return Ok(None) };
    let text = |reader: std::thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Some((status.success(), text(out), text(err))))
}

fn read_all(pipe: Option<impl std::io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What could be read is told.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
