//! finwait's views of a host against the real tools: scripts are played on the live kernel up to a
//! line, `ss`, `nstat`, `netstat`, `sysctl` and `cat` run there, in the script's namespace, and
//! what they print is compared, letter for letter, with what the views make of the model, played
//! at the same moments.
//!
//! What is made alike first, and no more:
//! - A tool runs for some milliseconds. The model is looked at in every tick of that time, and its
//!   text in one of them must be the tool's.
//! - Lines of `ss` are sorted: the kernel's order is that of hash chains with a secret.
//! - Inodes and cookies become `N`; a port that connect() chose becomes `PORT`.
//! - `orphan`, `alloc` and `mem` in sockstat are those of the whole machine, and so are three
//!   numbers of `ss -s`; they become `N`. Orphans show as rows without inode.
//! - `sockets: used` counts the verifier's own: what it was before the script is subtracted.
//! - Counters that finwait does not count, and protocols that it does not have, are left out.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use finwait_model::counters::Mib;
use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_sim::script::{lower::lower, parse};
use finwait_sim::view::ss::{Flags, Query};
use finwait_sim::view::{HostView, mib, netstat, nstat, proc, ss, sysctl};
use finwait_verify::check::{self, Setup};
use finwait_verify::live::{self, Visit};
use finwait_verify::model::Shown as Model;
use finwait_verify::step::Case;
use finwait_verify::tap::Tap;
use finwait_verify::{plan, pool, sys, talk};

use crate::live::permitted;

/// A script, and the beginning of the line after which everybody looks.
const SCENES: &[(&str, &str)] = &[
    ("close-active", "+0 accept("),
    ("fin-retransmitted", "+.4~"),
    ("fin-timeout-61", "+.01 < . 1:1(0) ack 2"),
    ("fin-timeout", "+.01 < . 1:1(0) ack 2"),
    ("close-active", "+.01 < F. "),
    ("close-passive", "+0~+.008 >"),
    ("last-ack-retransmits", "+.2~"),
    ("request-timer", "+2~+2.1 >"),
    ("accept-queue-full", "+.01 < 40003 > 8080 P."),
    ("window-probe-answered", "+.4~"),
    ("half-close", "+.001 <"),
    ("keepalive-answered", "+.01 < . 1:1(0) ack 1"),
    ("close-simultaneous", "+.01 < F. "),
    ("connect-unreachable", "+0 > S"),
    ("connect", "+0 > . "),
    ("fin-wait2-bucket-silence", "+.01 < F 1:1"),
    ("close-active", "+.01 < F. 1:1(0) ack 2"),
    ("linger2-negative", "+0 > R"),
    ("listener-ack", "+0 > R"),
    ("connect-refused", "+.01 < R. "),
    ("linger-0", "+0 > R"),
    ("unread-data", "+0 > R"),
    ("listener-closed", "+0 > R"),
    ("data-after-close", "+0 > R"),
    ("data-after-close-bucket", "+0 > R"),
    ("no-socket", "+0 > R"),
    ("tail-loss-probe", "+.003~"),
    ("disconnect", "+0 > R"),
];

/// How often a scene is played until no step and no tool is spoilt by a busy machine.
const ATTEMPTS: usize = 20;

type View = fn(&HostView) -> String;

/// A command line, what finwait makes of it, and what is made alike.
struct Tool {
    command: &'static [&'static str],
    view: View,
    alike: fn(&str) -> String,
}

const TCP: Flags = Flags {
    all: true,
    listening: false,
    timers: false,
    extended: false,
    no_header: false,
    tcp: true,
};

fn ss_text(flags: Flags, filter: &str, view: &HostView) -> String {
    Query::new(flags, filter).unwrap().text(view)
}

const TOOLS: &[Tool] = &[
    // First, because a netlink socket of a tool that has ended is counted for a while.
    Tool { command: &["cat", "/proc/net/sockstat"], view: proc::sockstat, alike: sockstat },
    Tool { command: &["ss", "-s"], view: ss::summary, alike: summary },
    Tool {
        command: &["ss", "-tano"],
        view: |v| ss_text(Flags { timers: true, ..TCP }, "", v),
        alike: timers,
    },
    Tool {
        command: &["ss", "-tanoe"],
        view: |v| ss_text(Flags { timers: true, extended: true, ..TCP }, "", v),
        alike: without_numbers,
    },
    Tool {
        command: &["ss", "-tn"],
        view: |v| ss_text(Flags { all: false, ..TCP }, "", v),
        alike: sorted,
    },
    Tool {
        command: &["ss", "-Htln"],
        view: |v| ss_text(Flags { all: false, listening: true, no_header: true, ..TCP }, "", v),
        alike: sorted,
    },
    Tool {
        command: &["ss", "-ton", "state", "fin-wait-2", "sport", "=", ":8080"],
        view: |v| {
            ss_text(Flags { all: false, timers: true, ..TCP }, "state fin-wait-2 sport = :8080", v)
        },
        alike: sorted,
    },
    Tool {
        command: &[
            "ss",
            "-tn",
            "state",
            "bucket",
            "( dport >= :1024 )",
            "and",
            "not",
            "dst",
            "10/8",
        ],
        view: |v| ss_text(TCP, "state bucket ( dport >= :1024 ) and not dst 10/8", v),
        alike: sorted,
    },
    Tool {
        command: &["nstat", "-az"],
        view: |v| nstat::text(v, None, &nstat::Options { zeros: true, ..Default::default() }),
        alike: counted,
    },
    Tool { command: &["netstat", "-s"], view: netstat::text, alike: tcp_sections },
    Tool { command: &["cat", "/proc/net/snmp"], view: proc::snmp, alike: tcp_line },
    Tool {
        command: &[
            "sysctl",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_max_tw_buckets",
            "net.ipv4.tcp_rmem",
            "net.ipv4.ip_local_port_range",
        ],
        view: |v| {
            let names = &TOOLS[11].command[1..];
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            sysctl::text(&sysctl::select(v, &names).unwrap())
        },
        alike: str::to_owned,
    },
];

/// What a tool printed, and between which moments it ran.
struct Shown {
    start_ns: u64,
    end_ns: u64,
    text: String,
}

fn show(tool: &Tool) -> io::Result<Shown> {
    let start_ns = sys::now_ns();
    let output = Command::new(tool.command[0]).args(&tool.command[1..]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{:?}: {}",
        tool.command,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Shown { start_ns, end_ns: sys::now_ns(), text })
}

/// The script up to that line.
fn case(script: &str, until: &str) -> Case {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scripts");
    let text = std::fs::read_to_string(scripts.join(format!("{script}.pkt"))).unwrap();
    let mut found = false;
    let lines = text.lines().take_while(|line| {
        let before = !found;
        found |= line.starts_with(until);
        before
    });
    let part: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(found, "{script}.pkt has no line that begins with {until:?}");
    let near = |wanted: &str| std::fs::read_to_string(scripts.join(wanted)).ok();
    let plan = lower(&parse(part.as_bytes()).unwrap(), Release::V6_18, &near).unwrap();
    plan::case(script, &plan).unwrap()
}

/// Plays a scene; what differs, if anything does.
fn differences(case: &Case, setup: &Setup, traces: Option<&Traces>) -> Result<(), String> {
    let remote = setup.remote();
    let began_ns = sys::now_ns();
    let (mut used, mut shown, mut trace) = ((0, 0), Vec::new(), None);
    let mut visitor = |visit| {
        match visit {
            Visit::Before => used = sockets_used()?,
            Visit::After => {
                trace = traces.map(|traces| traces.read(remote, began_ns)).transpose()?;
                shown = TOOLS.iter().map(show).collect::<io::Result<_>>()?;
            }
        }
        Ok(())
    };
    let played = live::play_visited(case, setup.tick, remote, None, &mut visitor);
    let played = played.map_err(|e| e.to_string())?;
    let mut ticks = BTreeSet::new();
    for s in shown.iter().chain(&trace) {
        let (from, to) = (s.start_ns / setup.tick.tick_ns, s.end_ns / setup.tick.tick_ns);
        ticks.extend(from..=to);
    }
    let within = |tick: u64| (tick * setup.tick.tick_ns).max(played.zero_ns) - played.zero_ns;
    let last = played.seen.looks.last().map_or(0, |look| look.at_ns);
    let moments: Vec<u64> = ticks.iter().map(|t| within(*t).max(last)).collect();
    let views = check::views_after(case, &played, remote, setup, &moments)?;
    let mut out = String::new();
    let mut compare = |command: &str, s: &Shown, live: String, ours: &dyn Fn(&Model) -> String| {
        let during = |tick: u64| {
            tick >= s.start_ns / setup.tick.tick_ns && tick <= s.end_ns / setup.tick.tick_ns
        };
        let shown = ticks.iter().zip(&views).filter(|(tick, _)| during(**tick));
        let texts: Vec<String> = shown.map(|(_, model)| ours(model)).collect();
        if !texts.contains(&live) {
            out += &format!("$ {command}\n--- live\n{live}--- finwait\n{}", texts[0]);
        }
    };
    for (tool, s) in TOOLS.iter().zip(&shown) {
        let live = (tool.alike)(&own_use_subtracted(&s.text, used));
        compare(&tool.command.join(" "), s, live, &|m| (tool.alike)(&(tool.view)(&m.view)));
    }
    if let Some(s) = &trace {
        compare("cat trace", s, trace_alike(&s.text), &|m| trace_alike(&m.trace));
    }
    if out.is_empty() { Ok(()) } else { Err(format!("{out}({} ticks)\n", ticks.len())) }
}

#[test]
fn the_views_are_what_the_tools_print() {
    if !permitted() || !tools_are_there() {
        return;
    }
    let setup = Setup::new(None);
    let traces = traces();
    let mut failed = Vec::new();
    let play = |index: usize| {
        let (script, until) = SCENES[index];
        let case = case(script, until);
        let mut last = Ok(());
        for _ in 0..ATTEMPTS {
            last = differences(&case, &setup, traces.as_ref());
            if last.is_ok() {
                break;
            }
        }
        last.map_err(|why| format!("{script} after {until:?}\n{why}"))
    };
    pool::run(SCENES.len(), 4, play, |_, result| failed.extend(result.err()));
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), SCENES.len(), failed.join("\n"));
}

/// A tracefs instance of this test's own, with the tracepoints that finwait has lines for.
struct Traces {
    /// Its root keeps the path alive, which leads through it.
    tap: Tap,
    instance: PathBuf,
}

const TRACED: [&str; 5] = [
    "sock/inet_sock_set_state",
    "tcp/tcp_send_reset",
    "tcp/tcp_destroy_sock",
    "tcp/tcp_retransmit_skb",
    "tcp/tcp_retransmit_synack",
];

fn traces() -> Option<Traces> {
    let open = || -> io::Result<Traces> {
        let tap = Tap::open()?;
        let instances = tap.path().parent().ok_or_else(|| io::Error::other("no instances"))?;
        let instance = instances.join(format!("finwait-views-{}", std::process::id()));
        std::fs::create_dir(&instance)?;
        let traces = Traces { tap, instance };
        std::fs::write(traces.instance.join("trace_clock"), "mono")?;
        for event in TRACED {
            std::fs::write(traces.instance.join(format!("events/{event}/enable")), "1")?;
        }
        Ok(traces)
    };
    match open() {
        Ok(traces) => Some(traces),
        Err(why) => {
            assert!(std::env::var("FINWAIT_LIVE").as_deref() != Ok("require"), "no tracefs: {why}");
            eprintln!("skipped the tracepoints: {why}");
            None
        }
    }
}

impl Traces {
    /// What was said since then about the peer, or by the calling thread about its listener.
    fn read(&self, remote: Addr, since_ns: u64) -> io::Result<Shown> {
        let start_ns = sys::now_ns();
        let text = std::fs::read_to_string(self.instance.join("trace"))?;
        let (peer, thread) = (format!("{remote}"), format!("-{} ", sys::tid()));
        let ours = text.lines().filter(|line| {
            let Some((task, said)) = line.split_once(": ") else { return false };
            let time: Option<f64> = task.rsplit(' ').next().and_then(|time| time.parse().ok());
            let about_peer = said.split([' ', '=', ':']).any(|word| word == peer);
            let about_listener = task.contains(&thread) && said.contains(" dest=0.0.0.0:0 ");
            time.is_some_and(|t| t * 1e9 >= since_ns as f64) && (about_peer || about_listener)
        });
        let text = ours.map(|line| format!("{line}\n")).collect();
        Ok(Shown { start_ns, end_ns: sys::now_ns(), text })
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        for event in TRACED {
            drop(std::fs::write(self.instance.join(format!("events/{event}/enable")), "0"));
        }
        drop(std::fs::remove_dir(&self.instance));
        let _ = &self.tap;
    }
}

/// finwait traces connections, not listeners. Task, processor, flags and time go; pointers and cookies are `X`; a live retransmission may
/// fail to leave the host, which is another story (`err`).
fn trace_alike(text: &str) -> String {
    lines(text, |line| {
        let Some((_, told)) = line.split_once(": ") else { return line.to_owned() };
        let word = |word: &str| match word.split_once('=') {
            Some((name @ ("skbaddr" | "skaddr"), "0000000000000000")) => format!("{name}=0"),
            Some((name @ ("skbaddr" | "skaddr" | "sock_cookie" | "err"), _)) => {
                format!("{name}=X")
            }
            Some((name @ ("sport" | "src"), value)) => format!("{name}={}", port_alike(value)),
            _ => word.to_owned(),
        };
        told.split(' ').map(word).collect::<Vec<_>>().join(" ")
    })
}

/// A port that connect() chose is `PORT`.
fn port_alike(value: &str) -> String {
    match value.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()) {
        Some(port @ 32768..=60999) => value.replace(&port.to_string(), "PORT"),
        _ => value.to_owned(),
    }
}

/// Are the real tools installed?
fn tools_are_there() -> bool {
    let missing: Vec<&str> = ["ss", "nstat", "netstat", "sysctl", "cat"]
        .into_iter()
        .filter(|name| Command::new(name).arg("--version").output().is_err())
        .collect();
    let why = format!("{} not installed (iproute2, net-tools, procps)", missing.join(", "));
    if !missing.is_empty() {
        assert!(std::env::var("FINWAIT_LIVE").as_deref() != Ok("require"), "{why}");
        eprintln!("skipped: {why}");
    }
    missing.is_empty()
}

/// Sockets of the namespace before the script, as `cat` sees them and as `ss -s`, which counts its
/// own.
fn sockets_used() -> io::Result<(u32, u32)> {
    let number = |text: &str| text.split_ascii_whitespace().find_map(|w| w.parse().ok());
    let cat = show(&TOOLS[0])?.text;
    let summary = show(&TOOLS[1])?.text;
    Ok((number(&cat).unwrap_or(0), number(&summary).unwrap_or(0)))
}

fn own_use_subtracted(text: &str, used: (u32, u32)) -> String {
    lines(text, |line| {
        let reduced = |prefix: &str, by: u32| {
            let n: u32 = line.strip_prefix(prefix)?.parse().ok()?;
            Some(format!("{prefix}{}", n.saturating_sub(by)))
        };
        reduced("sockets: used ", used.0)
            .or_else(|| reduced("Total: ", used.1))
            .unwrap_or_else(|| line.to_owned())
    })
}

fn lines(text: &str, change: impl Fn(&str) -> String) -> String {
    text.lines().map(|line| change(line) + "\n").collect()
}

/// The headline stays, the rest is sorted; ports that connect() chose are all called the same.
fn sorted(text: &str) -> String {
    let text = lines(text, |line| {
        let word = |word: &str| {
            let port = word.rsplit_once(':').and_then(|(_, port)| port.trim().parse::<u16>().ok());
            match port {
                Some(port @ 32768..=60999) if word.starts_with(&talk::LOCAL.to_string()) => {
                    word.replace(&format!(":{port}"), ":PORT")
                }
                _ => word.to_owned(),
            }
        };
        line.split(' ').map(word).collect::<Vec<_>>().join(" ")
    });
    let mut all: Vec<&str> = text.lines().collect();
    let head = usize::from(text.starts_with("State") || text.starts_with("Recv-Q"));
    all[head..].sort_unstable();
    lines(&all.join("\n"), str::to_owned)
}

/// The same. The last line's timer makes no room for itself, and which line is the last depends on
/// the kernel's secret: the blanks at the ends of lines go, unless only one line has a timer.
fn timers(text: &str) -> String {
    let text = sorted(text);
    let timers = text.lines().filter(|line| line.contains(" timer:(")).count();
    if timers > 1 { lines(&text, |line| line.trim_end().to_owned()) } else { text }
}

/// The same, and inodes and cookies are `N`. Their digits make the last column wider or narrower,
/// so the blanks at the ends of lines go, too.
fn without_numbers(text: &str) -> String {
    let number = |word: &str| match word.split_once(':') {
        Some(("ino", "0")) => word.to_owned(),
        Some((name @ ("ino" | "sk"), _)) => format!("{name}:N"),
        _ => word.to_owned(),
    };
    let text =
        lines(text, |line| line.trim_end().split(' ').map(number).collect::<Vec<_>>().join(" "));
    sorted(&text)
}

/// Numbers behind these words are of the whole machine.
fn machine_wide(line: &str, names: &[&str]) -> String {
    let mut global = false;
    let words = line.split(' ').map(|word| {
        let digits: String = word.chars().filter(char::is_ascii_digit).collect();
        let shown = if global { word.replace(&digits, "N") } else { word.to_owned() };
        global = names.contains(&word.trim_start_matches('('));
        shown
    });
    words.collect::<Vec<_>>().join(" ")
}

fn summary(text: &str) -> String {
    lines(text, |line| match line.strip_prefix("TCP:   ") {
        Some(rest) => machine_wide(&format!("TCP: {rest}"), &["TCP:", "closed", "orphaned"]),
        None => line.to_owned(),
    })
}

fn sockstat(text: &str) -> String {
    lines(text, |line| machine_wide(line, &["orphan", "alloc", "mem"]))
}

fn is_counted(name: &str) -> bool {
    let exists = |m: &&Mib| mib::exists(**m, Release::V6_18);
    Mib::ALL.iter().filter(exists).any(|m| m.nstat_name() == name)
}

fn counted(text: &str) -> String {
    let ours = text.lines().filter(|line| {
        line.starts_with('#') || is_counted(line.split(' ').next().unwrap_or_default())
    });
    ours.map(|line| format!("{line}\n")).collect()
}

/// The sections Tcp and TcpExt, and of the latter what finwait counts.
fn tcp_sections(text: &str) -> String {
    let mut out = String::new();
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            section = line;
        }
        let uncounted = line.ends_with("packet headers predicted")
            || line.trim().split_once(": ").is_some_and(|(name, _)| {
                section == "TcpExt:" && !is_counted(&format!("TcpExt{name}"))
            });
        if matches!(section, "Tcp:" | "TcpExt:") && !uncounted {
            out += &format!("{line}\n");
        }
    }
    out
}

fn tcp_line(text: &str) -> String {
    let tcp = text.lines().filter(|line| line.starts_with("Tcp: "));
    tcp.map(|line| format!("{line}\n")).collect()
}
