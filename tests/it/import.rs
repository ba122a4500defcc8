//! `finwait import`: what a person gets out of the texts of a machine, out of captures, and out of
//! this machine. The texts in `tests/import` were printed by a live 6.18; those of RHEL 7 are made by
//! hand after what its tools print.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use std::io::{Read as _, Write as _};

use serde_json::Value;

use crate::golden;
use crate::outside::here;
use crate::program::{finwait, scratch};

fn file(name: &str) -> String {
    format!("tests/import/{name}")
}

/// Imports, compares with the golden file, and runs what came out.
fn imports(golden: &str, args: &[&str]) {
    let ended = finwait(&[&["import"], args].concat());
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{args:?}");
    golden::check(golden, &ended.stdout);
    let path = scratch(golden).join("it.toml");
    std::fs::write(&path, &ended.stdout).expect("it can be written");
    let path = path.to_str().expect("it is text");
    let ran = finwait(&["run", path, "--duration", "2s", "--json"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{golden}");
}

#[test]
fn a_live_6_18_by_its_counters_and_sockets() {
    let files =
        ["sysctl.txt", "nstat-1.txt", "nstat-2.txt", "ss-tanoie.txt", "ss-s.txt", "sockstat.txt"]
            .map(file);
    let mut args: Vec<&str> = files.iter().map(String::as_str).collect();
    args.extend(["--between", "4.2s"]);
    imports("import-6.18.toml", &args);
}

#[test]
fn netstat_says_the_same_as_nstat() {
    let by = |one: &str, two: &str| {
        let (one, two) = (file(one), file(two));
        let ss = file("ss-tan.txt");
        let ended = finwait(&["import", &one, &two, &ss, "--between", "4.2s", "--json"]);
        let value: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
        let rates = |table: &Value| -> Vec<String> {
            let entries = table["entries"].as_array().expect("they are there").iter();
            entries.filter(|e| e["key"] == "rate").map(|e| e["value"].to_string()).collect()
        };
        value["tables"]
            .as_array()
            .expect("they are there")
            .iter()
            .flat_map(rates)
            .collect::<Vec<_>>()
    };
    let rates = by("nstat-1.txt", "nstat-2.txt");
    assert!(!rates.is_empty());
    assert_eq!(rates, by("netstat-1.txt", "netstat-2.txt"));
    // nstat's JSON has the second snapshot's counters.
    assert_eq!(rates, by("nstat-1.txt", "nstat.json"));
}

#[test]
fn a_rhel_7_whose_bucket_table_is_full() {
    let names =
        ["sysctl.txt", "uname.txt", "netstat-1.txt", "netstat-2.txt", "ss-tan.txt", "ss-s.txt"];
    let files = names.map(|name| file(&format!("rhel7/{name}")));
    let mut args: Vec<&str> = files.iter().map(String::as_str).collect();
    args.extend(["--between", "60s", "--name", "web7"]);
    imports("import-3.10.toml", &args);
}

#[test]
fn sysctls_alone_give_something_that_runs_and_says_what_it_assumes() {
    let ended =
        finwait(&["import", "--sysctl", &file("rhel7/sysctl.txt"), "--uname", "5.14.0-70.el9"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    for part in [
        "[hosts.web7]\n",
        "Linux 6.18 stands for 5.14.0-70.el9",
        "rate = \"100/s\"",
        "ASSUMED",
        "net.ipv4.tcp_tw_recycle = 0: Linux 3.10 has it, Linux 6.18 has not",
    ] {
        assert!(ended.stdout.contains(part), "{part:?} in\n{}", ended.stdout);
    }
}

#[test]
fn a_capture_by_export_with_a_file_and_json() {
    let folder = scratch("import_capture");
    let capture = folder.join("run.pcapng");
    let toml = folder.join("mine.toml");
    let (capture, toml) = (capture.to_str().expect("text"), toml.to_str().expect("text"));
    let scenario = "examples/scenarios/incident.toml";
    assert_eq!(finwait(&["export", scenario, "--pcapng", capture, "--to", "4s"]).status, 0);
    let ended = finwait(&["import", capture, &file("rhel7/sysctl.txt"), "-o", toml, "--json"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let value: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let written = std::fs::read_to_string(toml).expect("it was written");
    assert_eq!(value["scenario"], written);
    for part in ["kind = \"redis\"", "to = \"redis:6379-6394\"", "rate = \"2500/s\"", "slow = \"1"]
    {
        assert!(written.contains(part), "{part:?} in\n{written}");
    }
    let basis =
        |entry: &Value| matches!(entry["basis"].as_str(), Some("given" | "derived" | "assumed"));
    let tables = value["tables"].as_array().expect("they are there");
    assert!(tables.iter().flat_map(|t| t["entries"].as_array().expect("there")).all(basis));
    // Half of it is still a capture, and says so.
    let bytes = std::fs::read(capture).expect("it is there");
    let half = folder.join("half.pcapng");
    std::fs::write(&half, &bytes[..bytes.len() / 2 + 1]).expect("it can be written");
    let ended = finwait(&["import", half.to_str().expect("text")]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.contains("ends in the middle of a packet, at byte"), "{}", ended.stdout);
    let again = finwait(&["run", toml, "--duration", "1s", "--json"]);
    assert_eq!((again.status, again.stderr.as_str()), (0, ""));
}

/// Imports a text and compares the complaint.
fn complains(name: &str, text: &[u8], args: &[&str], expected: &str) {
    let folder = scratch(&format!("import_{name}"));
    let path = folder.join(name);
    std::fs::write(&path, text).expect("it can be written");
    let out = folder.join("out.toml");
    let (path, out) = (path.to_str().expect("text"), out.to_str().expect("text"));
    let args: Vec<&str> = args.iter().map(|arg| if *arg == "FILE" { path } else { arg }).collect();
    let ended = finwait(&[&["import", "-o", out], args.as_slice()].concat());
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{name}: {}", ended.stderr);
    let shown = ended.stderr.replace(folder.to_str().expect("text"), "DIR");
    assert!(shown.contains(expected), "{name}: {expected:?} in\n{shown}");
    assert!(!Path::new(out).exists(), "{name}: nothing half-written");
}

#[test]
fn malformed_input_is_shown_with_its_line() {
    let sysctl = b"net.ipv4.tcp_sack = 1\nnonsense\n";
    complains(
        "sysctl",
        sysctl,
        &["FILE"],
        " --> DIR/sysctl:2:1\n  |\n2 | nonsense\n  | ^^^^^^^^ expected a line such as",
    );
    let nstat = b"#kernel\nTcpActiveOpens many 0.0\n";
    complains(
        "nstat",
        nstat,
        &["FILE"],
        "error: TcpActiveOpens has no value\n --> DIR/nstat:2:16\n",
    );
    let names = b"State Recv-Q Send-Q Local Address:Port Peer Address:Port\nESTAB 0 0 web:http 10.0.0.2:5\n";
    complains("ss", names, &["FILE"], " --> DIR/ss:2:11\n");
    complains(
        "nothing",
        b"hello world\n",
        &["FILE"],
        "error: cannot tell what this is\n --> DIR/nothing:1:1\n",
    );
    complains(
        "bytes",
        b"net.ipv4.tcp_sack = 1\n\xff\xfe\n",
        &["FILE"],
        "neither text nor a capture\n --> DIR/bytes:2:1\n",
    );
    complains("gz", b"\x1f\x8b\x08\x00....", &["FILE"], "compressed with gzip");
    complains(
        "pcap",
        b"\xd4\xc3\xb2\xa1\x02\x00",
        &["FILE"],
        "error: DIR/pcap: the capture's header is wrong",
    );
    complains(
        "taken",
        nstat,
        &["--sockets", "FILE"],
        "error: this looks like nstat\n --> DIR/taken:1:1\n",
    );
    complains("told", sysctl, &["--capture", "FILE"], "expected a capture: pcap or pcapng");
    complains("absent", b"", &["FILE.no"], "error: cannot read FILE.no");
    complains("none", b"", &[], "error: nothing to import\n");
    complains("uname", b"", &["--uname", "Darwin"], " --> --uname:1:1\n");
    complains("time", b"", &["--between", "10", "--uname", "6.18"], " --> --between:1:1\n");
}

#[test]
fn snapshots_need_a_time_between_them_and_an_order() {
    let (one, two) = (file("nstat-1.txt"), file("nstat-2.txt"));
    let ended = finwait(&["import", &one, &two]);
    assert_eq!(ended.status, 2);
    assert!(
        ended.stderr.contains("expected the time between them, such as --between 10s"),
        "{}",
        ended.stderr
    );
    let ended = finwait(&["import", &two, &one, "--between", "4s"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("has fallen from"), "{}", ended.stderr);
    assert!(ended.stderr.contains("expected the earlier snapshot first"), "{}", ended.stderr);
}

#[test]
fn a_copy_of_proc() {
    let proc = scratch("import_proc");
    let put = |name: &str, text: &str| {
        let path = proc.join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    };
    put("uptime", "1000.00 5.00\n");
    put("net/snmp", "Tcp: MaxConn ActiveOpens PassiveOpens\nTcp: -1 25000 0\n");
    put("net/netstat", "TcpExt: TW TCPTimeWaitOverflow\nTcpExt: 24000 77\n");
    put("net/sockstat", "sockets: used 3\nTCP: inuse 3 orphan 0 tw 1440 alloc 4 mem 1\n");
    put(
        "net/tcp",
        "  sl  local_address rem_address   st\n   0: 0100000A:9C40 0300000A:18EB 06 0:0\n",
    );
    put("sys/net/ipv4/tcp_max_tw_buckets", "5000\n");
    put("sys/net/ipv4/tcp_fastopen", "1\n");
    put("sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n");
    put("sys/kernel/hostname", "web7\n");
    let ended = finwait(&["import", "--live", "--proc", proc.to_str().expect("text")]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    for part in [
        "[hosts.web7]",
        "kernel = \"3.10\"",
        "uptime = \"1000s\"",
        "\"net.ipv4.tcp_max_tw_buckets\" = 5000",
        "rate = \"25/s\"",
        "addr = \"10.0.0.3\"",
        "TcpExtTCPTimeWaitOverflow  77",
        "net.ipv4.tcp_fastopen = 1: sysctls that finwait does not model",
    ] {
        assert!(ended.stdout.contains(part), "{part:?} in\n{}", ended.stdout);
    }
}

/// In this variable stands the folder in which [`in_a_namespace_of_its_own`] finds what to do.
const FOLDER: &str = "FINWAIT_IMPORT_NAMESPACE";
const PORT: u16 = 7777;
/// What the server waits for between the client's FIN and its own.
const CLOSE_AFTER: Duration = Duration::from_millis(30);

#[test]
fn a_live_namespace_by_tcpdump_and_by_looking() {
    let root = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status();
    if !root.is_ok_and(|status| status.success()) {
        assert!(
            std::env::var("FINWAIT_LIVE").as_deref() != Ok("require"),
            "no network namespace can be made"
        );
        eprintln!("skipped: no network namespace can be made here");
        return;
    }
    if !here("tcpdump") {
        return;
    }
    let folder = scratch("import_live");
    let this = std::env::current_exe().expect("it is a program");
    let test = "import::in_a_namespace_of_its_own";
    let status = Command::new("unshare")
        .arg("-n")
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, &folder)
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("it starts").success());
    let capture = folder.join("lo.pcap");
    let ended = finwait(&["import", capture.to_str().expect("text"), "--json"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let found = app_values(&ended.stdout);
    let get =
        |key: &str| found.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.as_str()).to_owned();
    assert_eq!(get("request_bytes"), "100", "{found:?}");
    assert_eq!(get("response_bytes"), "250", "{found:?}");
    assert_eq!(get("port"), "7777", "{found:?}");
    assert_eq!(get("close"), "\"close\"", "{found:?}");
    // A busy machine wakes later than it was asked to, never earlier.
    let after = get("close_after");
    let least = after.trim_matches('"').split("..").next().expect("there is one").to_owned();
    let least = finwait_sim::units::span(&least).expect("it is a time");
    assert!((29_000_000..80_000_000).contains(&least.ns), "{found:?}");
    let live = std::fs::read_to_string(folder.join("live.json")).expect("it was written");
    let value: Value = serde_json::from_str(&live).expect("it is JSON");
    let toml = value["scenario"].as_str().expect("it is there");
    assert!(toml.contains("Connections of the machine to itself, port 7777"), "{toml}");
    assert!(toml.contains("\"net.ipv4.tcp_max_tw_buckets\""), "{toml}");
    // The tools of the machine say the same as its /proc.
    for name in ["sysctl.txt", "nstat.txt", "netstat.txt", "ss.txt", "ss-s.txt"] {
        let path = folder.join(name);
        if std::fs::metadata(&path).is_ok_and(|about| about.len() > 0) {
            let ended = finwait(&["import", path.to_str().expect("text")]);
            assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{name}");
        }
    }
}

/// Keys and values of all applications.
fn app_values(json: &str) -> Vec<(String, String)> {
    let value: Value = serde_json::from_str(json).expect("it is JSON");
    let tables = value["tables"].as_array().expect("they are there");
    let apps = tables.iter().filter(|table| table["table"] == "apps");
    let entries = apps.flat_map(|table| table["entries"].as_array().expect("they are there"));
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    entries.map(|entry| (text(&entry["key"]), text(&entry["value"]))).collect()
}

/// No test by itself: the other one starts it within a network namespace, where it talks to itself
/// while tcpdump listens and finwait looks.
#[test]
fn in_a_namespace_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    assert!(up.expect("ip starts").success());
    let mut dump = tcpdump(&folder.join("lo.pcap"));
    let listener = TcpListener::bind(("127.0.0.1", PORT)).expect("nobody else listens");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    let looks = folder.clone();
    let look = thread::spawn(move || {
        let ended = finwait(&["import", "--live", "--for", "1s", "--json"]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        std::fs::write(looks.join("live.json"), ended.stdout).expect("it can be written");
    });
    for _ in 0..60 {
        thread::spawn(talk);
        thread::sleep(Duration::from_millis(20));
    }
    look.join().expect("it looked");
    for (name, command, args) in [
        ("sysctl.txt", "sysctl", &["-a"][..]),
        ("nstat.txt", "nstat", &["-az"][..]),
        ("netstat.txt", "netstat", &["-s"][..]),
        ("ss.txt", "ss", &["-tan"][..]),
        ("ss-s.txt", "ss", &["-s"][..]),
    ] {
        // Where a tool is not installed there is nothing to compare.
        let Ok(output) = Command::new(command).args(args).output() else { continue };
        std::fs::write(folder.join(name), output.stdout).expect("it can be written");
    }
    let id = dump.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill starts").success());
    dump.wait().expect("it ends");
}

/// tcpdump, once it listens.
fn tcpdump(file: &Path) -> Child {
    let mut dump = Command::new("tcpdump")
        .args(["-i", "lo", "-U", "-Z", "root", "-w"])
        .arg(file)
        .arg("tcp")
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = [0; 1];
    dump.stderr
        .as_mut()
        .expect("it has one")
        .read_exact(&mut said)
        .expect("it says that it listens");
    thread::sleep(Duration::from_millis(300));
    dump
}

fn serve(mut stream: TcpStream) {
    let mut request = [0; 100];
    stream.read_exact(&mut request).expect("the request comes");
    stream.write_all(&[7; 250]).expect("the answer goes");
    // The client's end of file.
    assert_eq!(stream.read(&mut request).expect("it ends"), 0);
    thread::sleep(CLOSE_AFTER);
}

fn talk() {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT)).expect("somebody listens");
    stream.write_all(&[1; 100]).expect("the request goes");
    let mut answer = [0; 250];
    stream.read_exact(&mut answer).expect("the answer comes");
}
