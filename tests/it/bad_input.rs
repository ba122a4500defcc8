//! Bad input: exit status 2, a report on stderr with file, line, column and what was expected,
//! nothing on stdout.

use crate::program::{finwait, scratch};

/// Runs finwait with a broken scenario and compares the report.
fn reports(args: &[&str], expected: &str) {
    let ended = finwait(args);
    assert_eq!(ended.status, 2, "{args:?}");
    assert_eq!(ended.stdout, "", "{args:?}: nothing half-written");
    assert_eq!(ended.stderr, expected, "{args:?}");
}

#[test]
fn a_scenario_with_an_unknown_key() {
    let folder = scratch("unknown_key");
    let path = folder.join("bad.toml");
    let text = "duration = \"10s\"\n[hosts.web]\nkernel = \"6.18\"\nkernal = 1\n[[apps]]\n";
    std::fs::write(&path, text).expect("it can be written");
    let path = path.to_str().expect("it is text");
    reports(
        &["run", path],
        &format!(
            "error: unknown field `kernal`\n --> {path}:4:1\n  |\n4 | kernal = 1\n  | ^^^^^^ \
             expected one of `kernel`, `stack`, `hz`, `uptime`, `addr`, `mtu`, `recv_buffer_bytes`, \
             `send_buffer_bytes`, `timeout`, `sysctl`\n  |\n  = help: did \
             you mean `kernel`?\n"
        ),
    );
}

#[test]
fn a_setting_out_of_the_range_of_its_sysctl() {
    reports(
        &["run", "--set", "web.net.ipv4.tcp_synack_retries=256"],
        "error: 256 is out of the range that Linux 3.10 accepts for net.ipv4.tcp_synack_retries\n \
         --> --set:1:33\n  |\n1 | web.net.ipv4.tcp_synack_retries=256\n  |                              \
         \u{20}  ^^^ expected 0 to 255\n",
    );
}

#[test]
fn a_file_that_is_not_there() {
    reports(
        &["run", "no/such/file.toml"],
        "error: cannot read no/such/file.toml: No such file or directory (os error 2)\n  = help: \
         expected the path of a scenario, such as examples/scenarios/incident.toml\n",
    );
}

#[test]
fn a_duration_without_a_unit() {
    let ended = finwait(&["run", "--duration", "10"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("expected a time such as"), "{}", ended.stderr);
}

#[test]
fn an_unknown_flag_and_an_unknown_command() {
    for args in [&["run", "--fast"][..], &["walk"][..]] {
        let ended = finwait(args);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ended.stderr.contains("Usage:"), "{}", ended.stderr);
    }
}

#[test]
fn help_is_no_error() {
    let ended = finwait(&["--help"]);
    assert_eq!(ended.status, 0);
    assert!(ended.stdout.contains("run"), "{}", ended.stdout);
}
