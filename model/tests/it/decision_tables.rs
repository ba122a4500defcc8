//! What a connection does with every kind of segment, written down for each release: the
//! difference between the two files is the difference between the releases.

use std::fmt::Write as _;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::kernel::{Fd, How};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::golden::golden;
use crate::solo::{Say, Solo};
use crate::text_table::flags;

/// Counters that a cell names by a letter.
const LETTERS: [(char, Mib); 18] = [
    ('a', Mib::TCPAbortOnData),
    ('b', Mib::BeyondWindow),
    ('c', Mib::TCPChallengeACK),
    ('d', Mib::DelayedACKLost),
    ('e', Mib::EstabResets),
    ('f', Mib::AttemptFails),
    ('i', Mib::InErrs),
    ('k', Mib::TWKilled),
    ('m', Mib::EmbryonicRsts),
    ('o', Mib::PAWSOldAck),
    ('p', Mib::PAWSEstab),
    ('q', Mib::TCPOFOQueue),
    ('r', Mib::TSEcrRejected),
    ('s', Mib::TCPSYNChallenge),
    ('t', Mib::PAWSTimewait),
    ('w', Mib::TW),
    ('x', Mib::TCPTimeWaitOverflow),
    ('z', Mib::TCPZeroWindowDrop),
];

/// Where a segment begins, relative to rcv_nxt or to the right edge of the window.
const PLACES: [(&str, i64, bool); 8] = [
    ("-20", -20, false),
    ("-5", -5, false),
    ("-1", -1, false),
    ("rcv_nxt", 0, false),
    ("+1", 1, false),
    ("edge-1", -1, true),
    ("edge", 0, true),
    ("edge+1", 1, true),
];

/// What is known of the connection when the segment comes.
struct Scene {
    solo: Solo,
    /// The peer's next number, relative.
    rcv_nxt: i64,
    /// Our next number, relative, FIN included.
    snd_nxt: i64,
    /// The oldest unacknowledged number.
    snd_una: i64,
}

/// A segment as the table's rows name it.
struct Kind {
    flags: &'static str,
    len: u16,
    ack: &'static str,
    ts: &'static str,
}

/// What came of it: answer, new state, counters.
fn cell(make: &dyn Fn() -> Scene, kind: &Kind, place: (&str, i64, bool)) -> String {
    let mut scene = make();
    let solo = &mut scene.solo;
    let base = if place.2 { solo.edge } else { scene.rcv_nxt };
    let ack = match kind.ack {
        "una" => scene.snd_una,
        "old" => scene.snd_una - 50,
        "unsent" => scene.snd_nxt + 1,
        _ => scene.snd_nxt,
    };
    let ts = match kind.ts {
        "same" => Some(0),
        "older" => Some(-2),
        "newer" => Some(2),
        _ => None,
    };
    let say = Say { flags: flags(kind.flags), seq: base + place.1, len: kind.len, ack, ts };
    let before = (solo.state(), solo.k.counters().clone(), timewait_left(solo));
    let sent = solo.hears(say);
    let mut text: Vec<String> = sent.iter().map(|(seg, _)| seg.flags.to_string()).collect();
    let (state, left) = (solo.state(), timewait_left(solo));
    let later = solo.wait(Span::millis(220));
    let delayed = |c: Cause| matches!(c, Cause::AckDelayed | Cause::AckDelayedSoon);
    if later.iter().any(|l| delayed(l.2)) {
        text.push("later .".into());
    }
    let mut text = if text.is_empty() { "-".to_owned() } else { text.join("+") };
    if state != before.0 {
        let _ = write!(text, " {state}");
    } else if left > before.2 {
        text += " 60s";
    }
    let counters = solo.k.counters();
    let rose = LETTERS.iter().filter(|(_, m)| counters.get(*m) > before.1.get(*m));
    let letters: String = rose.map(|(letter, _)| *letter).collect();
    if !letters.is_empty() {
        let _ = write!(text, " {letters}");
    }
    text
}

fn timewait_left(solo: &Solo) -> Span {
    let rows = solo.k.rows(solo.now);
    let timer = rows.iter().filter_map(|r| r.timer).find(|t| t.name == "timewait");
    timer.map_or(Span::ZERO, |t| t.left)
}

/// One scene against all kinds of segments.
fn section(text: &mut String, title: &str, make: &dyn Fn() -> Scene, kinds: &[Kind]) {
    let mut lines = vec![vec!["flags".to_owned(), "len".into(), "ack".into(), "ts".into()]];
    lines[0].extend(PLACES.map(|p| p.0.to_owned()));
    for kind in kinds {
        let len = kind.len.to_string();
        let mut line = vec![kind.flags.to_owned(), len, kind.ack.into(), kind.ts.into()];
        line.extend(PLACES.map(|place| cell(make, kind, place)));
        lines.push(line);
    }
    let width = |c: usize| lines.iter().map(|l| l[c].len()).max().unwrap();
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let _ = writeln!(text, "\n== {title}");
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, w)| format!("{cell:w$}"));
        let line: Vec<String> = cells.collect();
        let _ = writeln!(text, "{}", line.join("  ").trim_end());
    }
}

const LEGEND: &str = "\
Written by the model's tests (FINWAIT_UPDATE=1) and compared by them otherwise.

One row is one kind of segment: flags (. is ACK, - is none), payload bytes, what it acknowledges,
its timestamp against the one we hold. One column is where it begins: relative to rcv_nxt, or to
the right edge of the window. A cell says what leaves at once (- is nothing; `later .` is an ACK
from the delayed-ACK timer), the state afterwards if it changed (`gone`: no object is left),
`60s` if the TIME-WAIT began anew, and the counters that rose:
";

fn header(release: Release, what: &str) -> String {
    let mut text = format!("{what}, Linux {release}\n\n{LEGEND}\n");
    for (letter, mib) in LETTERS {
        let _ = writeln!(text, "  {letter}  {}", mib.nstat_name());
    }
    text
}

fn kinds(acks: &'static [&'static str], stamps: &'static [&'static str]) -> Vec<Kind> {
    let mut all = Vec::new();
    for flags in [".", "F.", "S", "S.", "R", "R.", "F", "-"] {
        for len in [0, 10] {
            for &ack in if flags.ends_with('.') { acks } else { &["-"][..] } {
                for &ts in stamps {
                    all.push(Kind { flags, len, ack, ts });
                }
            }
        }
    }
    all
}

// — buckets —

/// A bucket that the peer's ACK (and, for TIME-WAIT, its FIN) brought about ten seconds ago.
fn bucket(release: Release, time_wait: bool, stamps: bool, sets: &[(&str, &str)]) -> Scene {
    let mut solo = Solo::new(release, sets);
    solo.timestamps = stamps;
    let (listener, fd) = solo.accepted();
    assert_eq!(solo.close(fd), "F. 1:1 ack 1");
    assert_eq!(solo.rx(". 1 0 ack 2"), "-");
    assert_eq!(solo.state(), "FIN-WAIT-2");
    if time_wait {
        assert_eq!(solo.rx("F. 1 0 ack 2"), ". 2:2 ack 2");
        assert_eq!(solo.state(), "TIME-WAIT");
    }
    if sets.iter().any(|s| s.0 == "tcp_abort_on_overflow") {
        solo.call(|k, cx| k.close(listener, cx)); // stands for "no listener"
    }
    solo.wait(Span::secs(10));
    let rcv_nxt = 1 + i64::from(time_wait);
    Scene { solo, rcv_nxt, snd_nxt: 2, snd_una: 2 }
}

#[test]
fn buckets() {
    for release in Release::ALL {
        let mut text = header(release, "Timewait buckets");
        let stamped = kinds(&["nxt"], &["same", "older", "newer", "-"]);
        let plain = kinds(&["nxt"], &["-"]);
        let make =
            |tw, stamps, sets: &'static [(&str, &str)]| move || bucket(release, tw, stamps, sets);
        let on: &[_] = &[("tcp_rfc1337", "1")];
        let deaf: &[_] = &[("tcp_abort_on_overflow", "1")];
        section(&mut text, "FIN-WAIT-2 with timestamps", &make(false, true, &[]), &stamped);
        section(&mut text, "FIN-WAIT-2 without timestamps", &make(false, false, &[]), &plain);
        section(&mut text, "TIME-WAIT with timestamps", &make(true, true, &[]), &stamped);
        section(&mut text, "TIME-WAIT without timestamps", &make(true, false, &[]), &plain);
        section(&mut text, "TIME-WAIT with tcp_rfc1337", &make(true, false, on), &plain);
        section(&mut text, "TIME-WAIT without a listener", &make(true, false, deaf), &plain);
        golden(&format!("timewait-{release}.txt"), &text);
    }
}

// — full sockets —

/// A connection with timestamps over which the peer sent 30 bytes that were read.
fn talked(release: Release, sets: &[(&str, &str)]) -> (Solo, Fd) {
    let mut solo = Solo::new(release, sets);
    solo.timestamps = true;
    let (_, fd) = solo.accepted();
    solo.rx("P. 1 30 ack 1");
    assert_eq!(solo.on(|k, cx| k.recv(fd, 100, cx)).0, Ok(30));
    solo.wait(Span::millis(100));
    (solo, fd)
}

fn scene(release: Release, name: &str) -> Scene {
    let sets: &[(&str, &str)] =
        if name.contains("90") { &[("tcp_fin_timeout", "90")] } else { &[] };
    let (mut solo, fd) = talked(release, sets);
    let mut rcv_nxt = 31;
    let shut = |solo: &mut Solo, how| {
        solo.call(|k, cx| k.shutdown(fd, how, cx));
    };
    let state = name.split_whitespace().next().unwrap();
    let mut acked = false;
    match state {
        "ESTAB" => {}
        "FIN-WAIT-1" if name.contains("alive") => shut(&mut solo, How::Wr),
        "FIN-WAIT-1" => drop(solo.close(fd)),
        "FIN-WAIT-2" => {
            if name.contains("orphan") {
                solo.close(fd);
            } else {
                shut(&mut solo, if name.contains("deaf") { How::RdWr } else { How::Wr });
            }
            solo.rx(". 31 0 ack 2");
            acked = true;
        }
        "CLOSING" => {
            solo.close(fd);
            solo.rx("F. 31 0 ack 1");
            rcv_nxt = 32;
        }
        "CLOSE-WAIT" | "LAST-ACK" => {
            solo.rx("F. 31 0 ack 1");
            solo.wait(Span::millis(100));
            rcv_nxt = 32;
            if state == "LAST-ACK" {
                solo.close(fd);
            }
        }
        other => panic!("no scene {other}"),
    }
    assert_eq!(solo.state(), state, "{name}");
    let fin = i64::from(matches!(state, "FIN-WAIT-1" | "FIN-WAIT-2" | "CLOSING" | "LAST-ACK"));
    Scene { solo, rcv_nxt, snd_nxt: 1 + fin, snd_una: 1 + i64::from(acked) }
}

#[test]
fn full_sockets() {
    for release in Release::ALL {
        let mut text = header(release, "Full sockets");
        let unfinished = kinds(&["una", "nxt", "old", "unsent"], &["same", "older"]);
        let finished = kinds(&["nxt", "old", "unsent"], &["same", "older"]);
        for name in [
            "ESTAB",
            "CLOSE-WAIT",
            "FIN-WAIT-1 alive",
            "FIN-WAIT-1 orphan",
            "FIN-WAIT-2 alive",
            "FIN-WAIT-2 alive and deaf (SHUT_RDWR)",
            "FIN-WAIT-2 orphan, tcp_fin_timeout 90",
            "CLOSING orphan",
            "LAST-ACK orphan",
        ] {
            let open = name.starts_with("FIN-WAIT-1") || name.contains("LAST") || name == "CLOSING";
            let kinds = if open { &unfinished } else { &finished };
            section(&mut text, name, &|| scene(release, name), kinds);
        }
        golden(&format!("closing-{release}.txt"), &text);
    }
}
