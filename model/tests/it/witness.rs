//! Sometimes: over all the tests of this binary, every state and every cause of a segment is seen
//! at least once in every release that has it.
//!
//! The test runs this binary once more, one test after another, with a file to which each call
//! adds what it saw for the first time.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;
use std::sync::Mutex;

use finwait_model::cause::Cause;
use finwait_model::release::Release;
use finwait_model::state::TcpState;

const FILE: &str = "FINWAIT_WITNESS";

static SEEN: Mutex<BTreeSet<(Release, &'static str)>> = Mutex::new(BTreeSet::new());

/// Notes a cause or a state by name, if this process is the one that collects them.
pub(crate) fn saw(release: Release, name: &'static str) {
    let first = SEEN.lock().unwrap().insert((release, name));
    if let Some(path) = std::env::var_os(FILE).filter(|_| first) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{release} {name}").unwrap();
    }
}

/// What these tests cannot bring about, and why.
const NEVER: [(&str, &str); 1] = [(
    "6.18 ack-zero-window",
    "a segment that sticks out of a shut window over unread data is refused before",
)];

#[test]
fn every_state_and_cause_is_seen() {
    if std::env::var_os(FILE).is_some() {
        return;
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("witness.txt");
    let _ = std::fs::remove_file(&path);
    // Tests that fail tell so themselves.
    Command::new(std::env::current_exe().unwrap())
        .args(["--test-threads=1", "--quiet"])
        .env(FILE, &path)
        .env_remove("FINWAIT_UPDATE")
        .output()
        .unwrap();
    let seen = std::fs::read_to_string(&path).unwrap();
    let seen: BTreeSet<&str> = seen.lines().collect();
    let mut missing = Vec::new();
    for release in Release::ALL {
        let causes = Cause::all().filter(|c| c.site().releases.contains(&release));
        // A descriptor begins in CLOSE without a change of state, and every end leads there.
        let states = TcpState::ALL.into_iter().map(TcpState::kernel_name);
        for name in causes.map(Cause::name).chain(states) {
            let line = format!("{release} {name}");
            let excused = NEVER.iter().any(|(never, _)| *never == line);
            assert!(!(excused && seen.contains(&*line)), "{line} is seen: it needs no excuse");
            if !excused && !seen.contains(&*line) {
                missing.push(line);
            }
        }
    }
    assert!(missing.is_empty(), "never seen:\n{}", missing.join("\n"));
}
