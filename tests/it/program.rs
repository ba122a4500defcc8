//! Starts the built program.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// What came of it.
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs finwait in the repository's folder.
pub(crate) fn finwait(args: &[&str]) -> Ended {
    let Output { status, stdout, stderr } = command(args).output().expect("it starts");
    Ended {
        status: status.code().expect("it ends by itself"),
        stdout: String::from_utf8(stdout).expect("stdout is text"),
        stderr: String::from_utf8(stderr).expect("stderr is text"),
    }
}

/// Another build of the program that the tests are to start, a release: `FINWAIT_PROGRAM=PATH`.
pub(crate) fn other_build() -> Option<PathBuf> {
    let path = std::env::var_os("FINWAIT_PROGRAM").filter(|path| !path.is_empty())?;
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}

/// Says why a test is left out, if it simulates so much that only a release does it in time.
pub(crate) fn is_too_much(what: &str) -> bool {
    let skipped = other_build().is_none();
    if skipped {
        println!("skipped: {what}; FINWAIT_PROGRAM=target/release/finwait has it run");
    }
    skipped
}

/// The program, not yet started.
pub(crate) fn command(args: &[&str]) -> Command {
    let program = other_build().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_finwait")));
    let mut command = Command::new(program);
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits until so many bytes stand in a file that a program writes, then interrupts the program as
/// Ctrl-C would. As soon as something is in the file, signals are caught.
pub(crate) fn interrupt_at(child: Child, file: &Path, bytes: u64) -> Output {
    let mut waited = 0;
    while std::fs::metadata(file).map_or(0, |it| it.len()) < bytes {
        std::thread::sleep(Duration::from_millis(20));
        waited += 1;
        assert!(waited < 3000, "nothing is written");
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("there is a kill").success());
    child.wait_with_output().expect("it ends")
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

/// A folder for one test's files, empty.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It may not be there yet.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("it can be made");
    folder
}
