//! Traces as text: what the peer and the program do, what the kernel answers, what can be seen.
//!
//! | line | means |
//! |---|---|
//! | `< F. 1 0 ack 2 ts 3 -> . 2:2 ack 2` | a segment: flags, number, length, options; the answer |
//! | `close -> F. 1:1 ack 1` | a call: `close`, `close listener`, `shut wr`, `send 10`, `recv` … |
//! | `wait 500ms -> .` | time passes; everything the timers send |
//! | `state TIME-WAIT`, `tw 1`, `orphan 0` | what ss and sockstat show |
//! | `OutRsts 1` | a counter by its nstat name without prefix, since the beginning |
//!
//! Numbers are relative to the initial ones. `3.10:` or `6.18:` before a line: only for that
//! release.

use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::kernel::{Fd, How, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::solo::{Solo, say};

/// Plays the trace on a fresh connection that the peer opened, for both releases.
pub(crate) fn both(sets: &[(&str, &str)], text: &str) {
    for release in Release::ALL {
        one(release, sets, text);
    }
}
/// The same for one release.
pub(crate) fn one(release: Release, sets: &[(&str, &str)], text: &str) {
    let mut solo = Solo::new(release, sets);
    solo.timestamps = text.contains("with timestamps");
    let (listener, fd) = solo.accepted();
    play(&mut solo, listener, fd, text);
}

pub(crate) fn play(solo: &mut Solo, listener: Fd, fd: Fd, text: &str) {
    let release = solo.k.release();
    for line in text.lines().map(str::trim) {
        let mut act = line;
        if let Some((name, rest)) = line.split_once(": ")
            && let Some(only) = Release::from_name(name)
        {
            if only != release {
                continue;
            }
            act = rest.trim();
        }
        if act.is_empty() || act.starts_with('#') || act == "with timestamps" {
            continue;
        }
        let (act, want) = act.split_once("->").unwrap_or((act, ""));
        let words: Vec<&str> = act.split_whitespace().collect();
        let got = match step(solo, listener, fd, &words) {
            Outcome::Sent(got) => got,
            Outcome::Seen(got) => {
                assert_eq!(got, words[words.len() - 1], "{release}: {line}");
                continue;
            }
        };
        let want = if want.trim().is_empty() { "-" } else { want.trim() };
        assert_eq!(got, want, "{release}: {line}");
    }
}

enum Outcome {
    Sent(String),
    Seen(String),
}

fn step(solo: &mut Solo, listener: Fd, fd: Fd, words: &[&str]) -> Outcome {
    let number = |i: usize| words[i].parse::<i64>().unwrap_or_else(|_| panic!("{words:?}"));
    Outcome::Sent(match words[0] {
        "<" => {
            let mut what = say(&words[1..].join(" "));
            what.ts = solo.timestamps.then_some(0);
            if let Some(at) = words.iter().position(|w| *w == "ts") {
                what.ts = words[at + 1].parse().ok();
            }
            if let Some(at) = words.iter().position(|w| *w == "win") {
                solo.win = number(at + 1) as u16;
            }
            solo.says(what)
        }
        "close" if words.len() > 1 => solo.close(listener),
        "close" => solo.close(fd),
        "shut" => {
            let how = match words[1] {
                "rd" => How::Rd,
                "wr" => How::Wr,
                _ => How::RdWr,
            };
            let (answer, sent) = solo.on(|k, cx| k.shutdown(fd, how, cx));
            result(answer.err(), solo.show(&sent))
        }
        "send" => {
            let n = number(1) as u32;
            let (answer, sent) = solo.on(|k, cx| k.send(fd, n, false, cx));
            result(answer.err(), solo.show(&sent))
        }
        "recv" => {
            let (answer, sent) = solo.on(|k, cx| k.recv(fd, 100_000, cx));
            let text = solo.show(&sent);
            let count = answer.map_or(String::new(), |n| format!("{n} "));
            result(answer.err(), format!("{count}{}", if text == "-" { "" } else { &text }))
                .trim()
                .to_owned()
        }
        "linger" => option(solo, fd, SockOpt::Linger(Some(number(1) as u32))),
        "linger2" => option(solo, fd, SockOpt::Linger2(number(1) as i32)),
        "syn" => solo.syn(),
        "port" => {
            solo.port = number(1) as u16;
            "-".to_owned()
        }
        "wait" => {
            let sent: Vec<_> =
                solo.wait(span(words[1])).into_iter().map(|(_, s, c)| (s, c)).collect();
            solo.show(&sent)
        }
        "state" => return Outcome::Seen(solo.state().to_owned()),
        "tw" => return Outcome::Seen(solo.k.sockstat().tw.to_string()),
        "orphan" => return Outcome::Seen(solo.k.sockstat().orphan.to_string()),
        name => return Outcome::Seen(solo.mib(mib(name)).to_string()),
    })
}

fn option(solo: &mut Solo, fd: Fd, opt: SockOpt) -> String {
    solo.call(|k, cx| k.setsockopt(fd, opt, cx).unwrap())
}

fn result(error: Option<Errno>, sent: String) -> String {
    error.map_or(sent, |e| format!("{e:?}"))
}

/// The counter with that name, without the prefix that nstat gives it.
pub(crate) fn mib(name: &str) -> Mib {
    let found = Mib::ALL.iter().find(|m| format!("{m:?}") == name);
    *found.unwrap_or_else(|| panic!("no counter {name}"))
}

/// `20us`, `500ms`, `2s`.
pub(crate) fn span(text: &str) -> Span {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let n: u64 = digits.parse().unwrap_or_else(|_| panic!("{text}"));
    match &text[digits.len()..] {
        "us" => Span::micros(n),
        "ms" => Span::millis(n),
        _ => Span::secs(n),
    }
}
