//! Programs of others that read what finwait writes: tcpdump and tshark.

use std::path::Path;
use std::process::{Command, Stdio};

/// Is that program here? Says in a line that the test is skipped if it is not;
/// `FINWAIT_LIVE=require` forbids that.
pub(crate) fn here(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    if version.is_ok_and(|status| status.success()) {
        return true;
    }
    let required = std::env::var("FINWAIT_LIVE").as_deref() == Ok("require");
    assert!(!required, "{program} is not here, and FINWAIT_LIVE=require");
    eprintln!("skipped: {program} is not here");
    false
}

/// What tcpdump prints of a file.
pub(crate) fn tcpdump(file: &Path, args: &[&str]) -> String {
    let mut command = Command::new("tcpdump");
    command.arg("-nn").args(args.iter().filter(|a| a.starts_with('-') || a.parse::<u64>().is_ok()));
    command.arg("-r").arg(file);
    command.args(args.iter().filter(|a| !a.starts_with('-') && a.parse::<u64>().is_err()));
    run(command.env("TZ", "UTC"))
}

/// Fields that tshark shows of each packet of a file, with all checksums checked.
pub(crate) fn tshark(file: &Path, port: u16, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-o", "ip.check_checksum:TRUE"]);
    command.args(["-o", "tcp.check_checksum:TRUE"]);
    // Payloads are zeros: only the protocols up to TCP have something to say.
    command.args(["-d", &format!("tcp.port=={port},data")]);
    command.args(["-T", "fields", "-E", "separator=/t"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let split = |line: &str| line.split('\t').map(str::to_owned).collect();
    run(&mut command).lines().map(split).collect()
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).expect("it prints text")
}
