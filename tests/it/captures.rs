//! Captures, as tcpdump and tshark read them: no complaint, the same text, the same analysis.

use std::path::{Path, PathBuf};

use finwait_model::cause::Cause;
use serde_json::Value;

use crate::outside;
use crate::program::{finwait, scratch};

/// A port that no program takes for a protocol of its own.
const PORT: u16 = 34567;

/// A scenario of the examples, or one made here.
struct Story {
    path: PathBuf,
    hosts: [&'static str; 2],
    port: u16,
    /// How far it is played.
    to: &'static str,
    /// Does the network keep every segment, once and in order?
    faithful: bool,
    /// Does it lose segments, but nothing worse?
    only_loses: bool,
}

fn example(name: &str, hosts: [&'static str; 2], port: u16, to: &'static str) -> Story {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios").join(name);
    Story { path, hosts, port, to, faithful: true, only_loses: false }
}

/// A web that asks 34567 of redis for a few segments each way.
fn made(folder: &Path, name: &str, links: &str, client: &str, server: &str) -> Story {
    let path = folder.join(format!("{name}.toml"));
    let text = format!(
        "duration = \"4s\"\n[hosts.web]\nkernel = \"6.18\"\n[hosts.redis]\nkernel = \"3.10\"\n\
         [links]\ndelay = \"2ms\"\n{links}\n[[apps]]\nkind = \"client\"\nhost = \"web\"\n\
         to = \"redis:{PORT}\"\nrate = \"40/s\"\nrequest_bytes = 4000\nresponse_bytes = 9000\n\
         {client}\n[[apps]]\nkind = \"server\"\nhost = \"redis\"\nport = {PORT}\n\
         request_bytes = 4000\nresponse_bytes = 9000\nclose_after = \"0s..80ms\"\n{server}\n"
    );
    std::fs::write(&path, text).expect("it can be written");
    let faithful = links.is_empty();
    let only_loses = links.starts_with("loss");
    Story { path, hosts: ["web", "redis"], port: PORT, to: "4s", faithful, only_loses }
}

fn stories(folder: &Path) -> Vec<Story> {
    let reorder = "reorder = \"5%\"\nreorder_by = \"3ms\"\njitter = \"500us\"\nduplicate = \"1%\"";
    vec![
        example("closes-apart.toml", ["web", "peer"], 80, "10s"),
        example("closes-while-peer-writes.toml", ["web", "peer"], 80, "10s"),
        example("incident.toml", ["web", "redis"], 6379, "5s"),
        made(folder, "clean", "", "hold = \"1ms..50ms\"", ""),
        made(folder, "lossy", "loss = \"3%\"", "hold = \"1ms..50ms\"", ""),
        made(folder, "reordering", reorder, "hold = \"1ms..50ms\"", ""),
        made(folder, "unread", "", "close = \"unread\"", ""),
        made(folder, "linger", "loss = \"2%\"", "close = \"linger0\"", ""),
        made(folder, "parting", "", "", "parting_bytes = 50"),
    ]
}

impl Story {
    fn name(&self) -> String {
        self.path.file_stem().expect("it has a name").to_string_lossy().into_owned()
    }
    /// Writes a capture of it.
    fn export(&self, folder: &Path, format: &str, host: Option<&str>) -> PathBuf {
        let path = folder.join(format!("{}-{}.{format}", self.name(), host.unwrap_or("all")));
        let (run, file) = (self.path.to_str().expect("text"), path.to_str().expect("text"));
        let flag = format!("--{format}");
        let mut args = vec!["export", run, &flag, file, "--to", self.to];
        args.extend(host.iter().flat_map(|host| ["--host", host]));
        let ended = finwait(&args);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{args:?}");
        path
    }
    /// What finwait prints of it.
    fn print(&self, host: &str, more: &[&str]) -> String {
        let run = self.path.to_str().expect("text");
        let ended = finwait(&[&["tcpdump", run, "--to", self.to, "-i", host], more].concat());
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{}", self.name());
        ended.stdout
    }
}

/// Shows the first line that differs, not thousands of them.
fn same(what: &str, theirs: &str, ours: &str) {
    for (number, (theirs, ours)) in theirs.lines().zip(ours.lines()).enumerate() {
        assert_eq!(theirs, ours, "{what}, line {}", number + 1);
    }
    assert_eq!(theirs.lines().count(), ours.lines().count(), "{what}: lines");
}

#[test]
fn tcpdump_prints_what_finwait_prints() {
    if !outside::here("tcpdump") {
        return;
    }
    let folder = scratch("captures_text");
    for story in stories(&folder) {
        let [host, other] = story.hosts;
        let classic = story.export(&folder, "pcap", Some(other));
        same(&story.name(), &outside::tcpdump(&classic, &[]), &story.print(other, &[]));
        let all = story.export(&folder, "pcapng", None);
        same(&story.name(), &outside::tcpdump(&all, &[]), &story.print("any", &[]));
        let one = story.export(&folder, "pcapng", Some(host));
        let text = outside::tcpdump(&one, &[]);
        assert!(!text.is_empty());
        same(&story.name(), &text, &story.print(host, &[]));
    }
}

#[test]
fn tcpdump_takes_the_same_options() {
    if !outside::here("tcpdump") {
        return;
    }
    let folder = scratch("captures_options");
    let rst = "tcp[tcpflags] & (tcp-rst|tcp-fin) != 0";
    for name in ["lossy", "linger"] {
        let all = stories(&folder);
        let story = all.iter().find(|s| s.name() == name).expect("there is one");
        let file = story.export(&folder, "pcap", Some("web"));
        for args in [
            &["-t"][..],
            &["-tt"],
            &["-ttt"],
            &["-tttt"],
            &["-ttttt"],
            &["-S"],
            &["-v"],
            &["-vv", "-S"],
            &["-q", "-t"],
            &["-q", "-v"],
            &["-#", "-tt"],
            &["--nano", "-ttt"],
            &["--nano", "-c", "7"],
            &["-n", "-l", rst],
            &["-c", "5", "-ttt", rst],
            &["src host 10.0.0.1 and greater 1000"],
        ] {
            let theirs = outside::tcpdump(&file, args);
            assert!(!theirs.is_empty(), "{args:?}");
            same(&format!("{name} {args:?}"), &theirs, &story.print("web", args));
        }
    }
}

const FIELDS: [&str; 15] = [
    "tcp.analysis.retransmission",
    "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission",
    "tcp.analysis.out_of_order",
    "tcp.analysis.keep_alive",
    "tcp.analysis.zero_window_probe",
    "tcp.analysis.ack_lost_segment",
    "tcp.analysis.lost_segment",
    "ip.checksum.status",
    "tcp.checksum.status",
    "_ws.malformed",
    "_ws.expert.severity",
    "frame.interface_name",
    "frame.interface_description",
    "frame.comment",
];
/// Of the fields, those that say that a segment was seen before.
const AGAIN: usize = 6;
/// PI_ERROR.
const ERROR: &str = "8388608";

/// Does that cause send something again? A probe repeats the last byte.
fn repeats(cause: &str) -> bool {
    let probes = ["probe-zero-window", "probe-keepalive"];
    let syn_acks = ["syn-ack-timer", "syn-ack-again"];
    probes.contains(&cause)
        || syn_acks.contains(&cause)
        || Cause::from_name(cause).expect("it is a cause").is_retransmission()
}

fn agrees(story: &Story, host: &str, packet: &Value, shown: &[String]) {
    let what = || format!("{} {host}: {packet}\n{shown:?}", story.name());
    let is = |field: &str| {
        let at = FIELDS.iter().position(|f| *f == field).expect("it is asked for");
        shown[at].as_str()
    };
    assert_eq!((is("ip.checksum.status"), is("tcp.checksum.status")), ("1", "1"), "{}", what());
    assert_eq!(is("_ws.malformed"), "", "{}", what());
    assert!(!is("_ws.expert.severity").split(',').any(|s| s == ERROR), "{}", what());
    // "ACKed unseen segment": a host's own capture holds all that it acknowledges.
    assert_eq!(is("tcp.analysis.ack_lost_segment"), "", "{}", what());
    assert_eq!(is("frame.interface_name"), host, "{}", what());
    assert!(is("frame.interface_description").starts_with("Linux "), "{}", what());
    let reset = packet["flags"].as_str().expect("text").contains('R');
    assert_eq!(!is("frame.comment").is_empty(), reset, "{}", what());
    if reset {
        let cause = packet["cause"].as_str().expect("text");
        let because = packet["rst"]["because_text"].as_str().expect("text");
        assert!(is("frame.comment").starts_with(cause), "{}", what());
        assert!(is("frame.comment").contains(because), "{}", what());
    }
    let again = shown[..AGAIN].iter().any(|field| !field.is_empty());
    let repeats = repeats(packet["cause"].as_str().expect("text"));
    if packet["direction"] == "out" {
        // What a host sends passes its own interface in order, lost or not: here tshark knows.
        assert_eq!(again, repeats, "{}", what());
        assert_eq!(is("tcp.analysis.lost_segment"), "", "{}", what());
    } else if story.faithful {
        assert_eq!(again, repeats, "{}", what());
        assert_eq!(is("tcp.analysis.lost_segment"), "", "{}", what());
    } else if story.only_loses {
        // The first copy may be lost, so that the second looks new; never the other way round.
        assert!(repeats || !again, "{}", what());
    }
}

#[test]
fn tshark_agrees_with_the_run() {
    if !outside::here("tshark") {
        return;
    }
    let folder = scratch("captures_tshark");
    let (mut resets, mut repeated) = (0, 0);
    for story in stories(&folder) {
        for host in story.hosts {
            let file = story.export(&folder, "pcapng", Some(host));
            let shown = outside::tshark(&file, story.port, &FIELDS);
            let printed = story.print(host, &["--json"]);
            assert_eq!(shown.len(), printed.lines().count(), "{}", story.name());
            for (line, shown) in printed.lines().zip(&shown) {
                let packet: Value = serde_json::from_str(line).expect("it is JSON");
                agrees(&story, host, &packet, shown);
                resets += u32::from(packet["rst"].is_object());
                repeated += u32::from(repeats(packet["cause"].as_str().expect("text")));
            }
        }
    }
    assert!(resets > 100 && repeated > 100, "{resets} RSTs, {repeated} repeats: too few to prove");
}

#[test]
fn a_run_writes_its_capture_as_an_export_does() {
    let folder = scratch("captures_run");
    let apart = "examples/scenarios/closes-apart.toml";
    for (name, format) in [("a.pcapng", "--pcapng"), ("a.pcap", "--pcap")] {
        let (run, export) = (folder.join(name), folder.join(format!("export-{name}")));
        let (run, export) = (run.to_str().expect("text"), export.to_str().expect("text"));
        for args in [&["run", apart, "--pcap", run][..], &["export", apart, format, export]] {
            let ended = finwait(args);
            assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{args:?}");
        }
        let bytes = std::fs::read(run).expect("it is there");
        assert_eq!(bytes, std::fs::read(export).expect("it is there"), "{name}");
    }
    let left: Vec<_> = std::fs::read_dir(&folder).expect("it is there").collect();
    assert_eq!(left.len(), 4, "nothing half-written is left");
}

#[test]
fn a_pipe_stays_a_pipe() {
    use std::os::unix::fs::FileTypeExt as _;
    let pipe = scratch("captures_pipe").join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("it starts");
    assert!(made.success());
    let reading = pipe.clone();
    let reader = std::thread::spawn(move || std::fs::read(reading).expect("it can be read"));
    let path = pipe.to_str().expect("text");
    let ended = finwait(&["export", "examples/scenarios/closes-apart.toml", "--pcapng", path]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let bytes = reader.join().expect("it ends");
    assert_eq!(bytes[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    assert!(std::fs::metadata(&pipe).expect("it is there").file_type().is_fifo());
}

#[test]
fn why_follows_the_reset() {
    let apart = "examples/scenarios/closes-apart.toml";
    let ended = finwait(&["tcpdump", apart, "--why", "-c", "1", "tcp[13]", "&", "4", "!=", "0"]);
    assert_eq!(
        ended.stdout,
        "12:00:00.100600 IP 10.0.0.1.41676 > 10.0.0.2.80: Flags [R], seq 1686320, win 0, length 0\n    \
         rst-no-socket, sk_rst_reason NO_SOCKET: tcp_v4_rcv → no_tcp_socket → tcp_v4_send_reset. \
         Because our FIN was acknowledged on its own, and the bucket that should have waited in \
         FIN-WAIT-2 for the peer's FIN was refused: the table was full. t=0.044100 s: ACK of our FIN \
         in FIN-WAIT-1, tcp_time_wait(FIN_WAIT2) refused with 0 of 0 buckets; socket destroyed; 56.5 \
         ms later the FIN from peer:80 arrives and is answered with a RST.\n"
    );
}

#[test]
fn mistakes_are_shown_and_nothing_is_written() {
    let folder = scratch("captures_bad");
    let file = folder.join("x.pcapng");
    let file = file.to_str().expect("text");
    let apart = "examples/scenarios/closes-apart.toml";
    for (args, pieces) in [
        (
            &["tcpdump", apart, "port", "80", "or"][..],
            &["--> FILTER:1:11", "port 80 or", "^ expected a question"][..],
        ),
        (&["tcpdump", apart, "prt 80"], &["^^^ expected", "did you mean `port`?"]),
        (&["tcpdump", apart, "-i", "weg"], &["expected one of web, peer", "did you mean `web`?"]),
        (&["tcpdump", apart, "--from", "5"], &["expected a time such as"]),
        (&["tcpdump", apart, "--from", "5s", "--to", "1s"], &["expected a later time than --from"]),
        (&["export", apart, "--pcapng", file, "tcp", "udp"], &["expected `and`, `or`"]),
        (&["export", apart, "--pcapng", "no/such/folder/x"], &["cannot write no/such/folder/x"]),
        (&["export", apart], &["--pcapng"]),
        (&["run", apart, "--pcap", "x.cap"], &["expected a name that ends in .pcapng or .pcap"]),
        (&["run", apart, "--pcap", file, "--pcap-host", "x"], &["expected one of web, peer"]),
    ] {
        let ended = finwait(args);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        for piece in pieces {
            assert!(ended.stderr.contains(piece), "{args:?}: {piece:?} in\n{}", ended.stderr);
        }
    }
    assert_eq!(std::fs::read_dir(&folder).expect("it is there").count(), 0);
}
