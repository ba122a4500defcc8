//! A schedule as a file: TOML, with one line for each step and each fate.

use core::fmt;
use core::ops::Range;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use finwait_model::release::Release;
use finwait_model::sysctl::{Sysctl, SysctlError};
use finwait_model::time::Span;
use serde::Deserialize;
use toml::Spanned;

use super::schedule::{Act, Fate, Fated, MOST_CONNS, Schedule, Setup, Side, Step};
use crate::scenario::{Error, nearest};
use crate::units;

/// The most steps and fates that a file may have.
const MOST_LINES: usize = 1000;

/// A schedule file, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// The schedule.
    pub schedule: Schedule,
    /// The property that it is about, and where that stands.
    pub property: Option<(String, Range<usize>)>,
}

/// Is it the text of a schedule, and not of a scenario? Only a schedule has steps at its top.
pub fn is_schedule(text: &str) -> bool {
    let is_top = |line: &&str| !line.trim_start().starts_with('[');
    text.lines().take_while(is_top).any(|line| {
        line.trim_start()
            .strip_prefix("steps")
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    property: Option<Spanned<String>>,
    delay: Spanned<String>,
    backlog: Option<Spanned<u8>>,
    steps: Vec<Spanned<String>>,
    #[serde(default)]
    fates: Vec<Spanned<String>>,
    hosts: Spanned<Vec<RawHost>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHost {
    name: Spanned<String>,
    kernel: Spanned<String>,
    #[serde(default)]
    leaves_unread: bool,
    #[serde(default)]
    never_accepts: bool,
    #[serde(default)]
    sysctl: BTreeMap<String, Spanned<Number>>,
}

/// A value as /proc/sys shows it: with or without quotation marks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Text(String),
}

type Result<T> = core::result::Result<T, Error>;

fn wrong<T>(span: Range<usize>, message: String, expected: &str) -> Result<T> {
    Err(Error::new(span, message, expected.to_owned()))
}

/// Reads a schedule file.
pub fn parse(text: &str) -> Result<File> {
    let raw: Raw = toml::from_str(text)?;
    let span = raw.hosts.span();
    let hosts: Vec<Setup> = raw
        .hosts
        .into_inner()
        .into_iter()
        .enumerate()
        .map(|(side, raw)| host(raw, side))
        .collect::<Result<_>>()?;
    let hosts: [Setup; 2] = match hosts.try_into() {
        Ok(hosts) => hosts,
        Err(hosts) => {
            let message = format!("{} hosts", Vec::len(&hosts));
            return wrong(span, message, "expected two: who opens connections, and who listens");
        }
    };
    let [one, other] = [hosts[0].name.clone(), hosts[1].name.clone()];
    if one == other || ["any", "peer"].contains(&one.as_str()) {
        return wrong(span, format!("both hosts are called {one}"), "expected two names");
    }
    if raw.steps.len() + raw.fates.len() > MOST_LINES {
        let at = raw.steps.first().map_or(0..0, Spanned::span);
        return wrong(at, "too many steps".to_owned(), "expected at most 1000 steps and fates");
    }
    let delay = units::span(raw.delay.as_ref()).map_err(|expected| {
        Error::new(raw.delay.span(), format!("{:?} is no time", raw.delay.as_ref()), expected)
    })?;
    if delay == Span::ZERO {
        return wrong(raw.delay.span(), "no delay at all".to_owned(), "expected at least 1ns");
    }
    let names = [one.as_str(), other.as_str()];
    let steps = raw.steps.iter().map(|line| step(line, names)).collect::<Result<Vec<_>>>()?;
    let fates = raw.fates.iter().map(|line| fated(line, names)).collect::<Result<Vec<_>>>()?;
    let backlog = raw.backlog.map_or(1, Spanned::into_inner);
    let schedule = Schedule { hosts, delay, backlog, steps, fates };
    if schedule.conns() > usize::from(MOST_CONNS) {
        let message = format!("{} connections", schedule.conns());
        let at = raw.steps.first().map_or(0..0, Spanned::span);
        return wrong(at, message, "expected at most 3 connects in a schedule");
    }
    let property = raw.property.map(|p| (p.get_ref().clone(), p.span()));
    Ok(File { schedule, property })
}

fn host(raw: RawHost, side: Side) -> Result<Setup> {
    let Some(release) = Release::from_name(raw.kernel.as_ref()) else {
        let message = format!("there is no kernel {:?}", raw.kernel.as_ref());
        return wrong(raw.kernel.span(), message, "expected \"3.10\" or \"6.18\"");
    };
    let name: &String = raw.name.get_ref();
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return wrong(
            raw.name.span(),
            format!("{name:?} is no name"),
            "expected letters, digits, _ and -",
        );
    }
    let mut setup = Setup::new(name, release, side);
    setup.habits.leaves_unread = raw.leaves_unread;
    setup.habits.never_accepts = raw.never_accepts;
    let mut sysctl = Sysctl::new(release);
    for (name, value) in raw.sysctl {
        let text = match value.get_ref() {
            Number::Whole(n) => n.to_string(),
            Number::Text(text) => text.clone(),
        };
        match sysctl.set(&name, &text) {
            Ok(()) => setup.sysctl.push((name, text)),
            Err(SysctlError::Range(low, high)) => {
                let message =
                    format!("{text} is out of the range that Linux {release} accepts for {name}");
                return wrong(value.span(), message, &format!("expected {low} to {high}"));
            }
            Err(_) => {
                let near = nearest(&name, sysctl.names()).map(|n| format!("did you mean `{n}`?"));
                let message = format!("Linux {release} has no sysctl {name} that takes {text:?}");
                let expected = "expected a full name, such as net.ipv4.tcp_fin_timeout".to_owned();
                return Err(Error::new(value.span(), message, expected).with_help(near));
            }
        }
    }
    Ok(setup)
}

/// The words of a line in quotation marks, each with its place in the file.
fn words(line: &Spanned<String>) -> Vec<(&str, Range<usize>)> {
    let (text, start) = (line.get_ref().as_str(), line.span().start + 1);
    let mut out = Vec::new();
    let mut at = 0;
    for word in text.split(' ') {
        if !word.is_empty() {
            out.push((word, start + at..start + at + word.len()));
        }
        at += word.len() + 1;
    }
    out
}

const STEP: &str = "expected a step, such as \"+100ms web.1 close\" or \"+100ms web connect\"";

fn time(word: &str, span: Range<usize>) -> Result<Span> {
    units::span(word).map_err(|e| Error::new(span, format!("{word:?} is no time"), e))
}

fn side(word: &str, span: Range<usize>, names: [&str; 2]) -> Result<Side> {
    names.iter().position(|name| *name == word).map_or_else(
        || {
            wrong(
                span,
                format!("there is no host {word}"),
                &format!("expected {} or {}", names[0], names[1]),
            )
        },
        Ok,
    )
}

fn step(line: &Spanned<String>, names: [&str; 2]) -> Result<Step> {
    let words = words(line);
    let [(wait, wait_at), (who, who_at), (what, what_at), rest @ ..] = words.as_slice() else {
        return wrong(line.span(), "a part of the step is missing".to_owned(), STEP);
    };
    let Some(after) = wait.strip_prefix('+') else {
        return wrong(
            wait_at.clone(),
            format!("{wait:?} says not when"),
            "expected +TIME, after the step before",
        );
    };
    let after = time(after, wait_at.start + 1..wait_at.end)?;
    let (who, conn) = match who.split_once('.') {
        None => (*who, None),
        Some((who, conn)) => (who, Some(conn)),
    };
    let side = side(who, who_at.start..who_at.start + who.len(), names)?;
    let number = |at: Range<usize>| match rest {
        [(number, its)] => number.parse::<i64>().or_else(|_| {
            wrong(its.clone(), format!("{number:?} is no number"), "expected a whole number")
        }),
        _ => wrong(at, "a number is missing".to_owned(), "expected a number behind it"),
    };
    let act = match *what {
        "send" => Act::Send(number(what_at.clone())?.clamp(0, 1 << 30) as u32),
        "linger2" => Act::Linger2(number(what_at.clone())?.clamp(-1, 1 << 30) as i32),
        word => match WORDS.iter().find(|(name, _)| *name == word) {
            Some((_, act)) if rest.is_empty() => *act,
            Some(_) => {
                return wrong(rest[0].1.clone(), "more than that cannot be said".to_owned(), STEP);
            }
            None => {
                let names = WORDS.iter().map(|w| w.0).chain(["send", "linger2"]);
                let near = nearest(word, names).map(|n| format!("did you mean `{n}`?"));
                let message = format!("a program cannot {word:?}");
                return Err(Error::new(what_at.clone(), message, STEP.to_owned()).with_help(near));
            }
        },
    };
    let conn = conn_of(act, side, (who, conn, who_at), (what, what_at), names)?;
    Ok(Step { after, side, conn, act })
}

/// With which connection that is done, given what stands behind the host's name.
fn conn_of(
    act: Act,
    side: Side,
    (who, conn, who_at): (&str, Option<&str>, &Range<usize>),
    (what, what_at): (&str, &Range<usize>),
    names: [&str; 2],
) -> Result<u8> {
    let opens = matches!(act, Act::Connect | Act::Reconnect);
    let listens = matches!(act, Act::Accept | Act::CloseListener);
    if (opens && side != 0) || (listens && side != 1) {
        let does = if opens { "opens connections" } else { "listens" };
        let who = names[usize::from(listens)];
        return wrong(what_at.clone(), format!("only {who} {does}"), STEP);
    }
    let whole = opens || listens || act == Act::Exit;
    match conn {
        None if whole => Ok(0),
        Some(text) if !whole => match text.parse::<u8>() {
            Ok(n) if (1..=MOST_CONNS).contains(&n) => Ok(n - 1),
            _ => {
                let message = format!("there is no connection {text}");
                wrong(who_at.clone(), message, "expected 1, 2 or 3")
            }
        },
        None => {
            let expected =
                format!("expected the connection's number behind the host, such as {who}.1");
            let message = "it is not said with which connection".to_owned();
            wrong(who_at.clone(), message, &expected)
        }
        Some(_) => {
            let expected = format!("expected {who} alone");
            wrong(who_at.clone(), format!("{what} is not about one connection"), &expected)
        }
    }
}

const FATE: &str = "expected HOST N lost, HOST N late TIME or HOST N twice TIME";

fn fated(line: &Spanned<String>, names: [&str; 2]) -> Result<Fated> {
    let words = words(line);
    let [(who, who_at), (nth, nth_at), (what, what_at), rest @ ..] = words.as_slice() else {
        return wrong(line.span(), "a part of the fate is missing".to_owned(), FATE);
    };
    let side = side(who, who_at.clone(), names)?;
    let nth = match nth.parse::<u16>() {
        Ok(nth) if nth > 0 => nth,
        _ => {
            return wrong(
                nth_at.clone(),
                format!("{nth:?} is no segment"),
                "expected 1 for the first that it sends",
            );
        }
    };
    let fate = match (*what, rest) {
        ("lost", []) => Fate::Lost,
        ("late", [(by, at)]) => Fate::Late(time(by, at.clone())?),
        ("twice", [(by, at)]) => Fate::Twice(time(by, at.clone())?),
        _ => return wrong(what_at.clone(), format!("{what:?} is no fate of a segment"), FATE),
    };
    Ok(Fated { side, nth, fate })
}

/// What a program does without a number, by its word.
const WORDS: [(&str, Act); 11] = [
    ("connect", Act::Connect),
    ("reconnect", Act::Reconnect),
    ("accept", Act::Accept),
    ("recv", Act::Recv),
    ("shutdown-wr", Act::ShutWr),
    ("shutdown-rd", Act::ShutRd),
    ("shutdown-rdwr", Act::ShutRdWr),
    ("close", Act::Close),
    ("linger-0", Act::LingerZero),
    ("exit", Act::Exit),
    ("close-listener", Act::CloseListener),
];

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(len) => write!(f, "send {len}"),
            Self::Linger2(seconds) => write!(f, "linger2 {seconds}"),
            act => f.write_str(WORDS.iter().find(|(_, its)| its == act).map_or("", |w| w.0)),
        }
    }
}

impl Step {
    /// The step as a line of the file.
    pub fn line(&self, names: [&str; 2]) -> String {
        let Self { after, side, conn, act } = self;
        let whole = matches!(
            act,
            Act::Connect | Act::Reconnect | Act::Accept | Act::CloseListener | Act::Exit
        );
        let conn = if whole { String::new() } else { format!(".{}", conn + 1) };
        format!("+{after} {}{conn} {act}", names[*side])
    }
}

impl Fated {
    /// The fate as a line of the file.
    pub fn line(&self, names: [&str; 2]) -> String {
        let who = format!("{} {}", names[self.side], self.nth);
        match self.fate {
            Fate::Lost => format!("{who} lost"),
            Fate::Late(by) => format!("{who} late {by}"),
            Fate::Twice(by) => format!("{who} twice {by}"),
        }
    }
}

/// The schedule as a file, with the property that it is about.
pub fn written(schedule: &Schedule, property: &str, about: &[String]) -> String {
    let names = [schedule.hosts[0].name.as_str(), schedule.hosts[1].name.as_str()];
    let mut out = String::new();
    for line in about {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "property = {property:?}");
    let _ = writeln!(out, "delay = \"{}\"", schedule.delay);
    if schedule.backlog != 1 {
        let _ = writeln!(out, "backlog = {}", schedule.backlog);
    }
    let mut list = |name: &str, lines: Vec<String>| {
        if lines.is_empty() && name != "steps" {
            return;
        }
        let _ = writeln!(out, "{name} = [");
        for line in lines {
            let _ = writeln!(out, "    \"{line}\",");
        }
        let _ = writeln!(out, "]");
    };
    list("steps", schedule.steps.iter().map(|step| step.line(names)).collect());
    list("fates", schedule.fates.iter().map(|fate| fate.line(names)).collect());
    for setup in &schedule.hosts {
        let _ =
            writeln!(out, "\n[[hosts]]\nname = \"{}\"\nkernel = \"{}\"", setup.name, setup.release);
        if setup.habits.leaves_unread {
            out.push_str("leaves_unread = true\n");
        }
        if setup.habits.never_accepts {
            out.push_str("never_accepts = true\n");
        }
        if setup.given.is_empty() && setup.sysctl.is_empty() {
            continue;
        }
        out.push_str("[hosts.sysctl]\n");
        for (name, value) in setup.given.iter().chain(&setup.sysctl) {
            let _ = writeln!(out, "\"{name}\" = {value:?}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"property = "no-rst"
delay = "10ms"
steps = [
    "+100ms web connect",
    "+100ms web.1 send 100",
    "+0s redis.1 linger2 -1",
    "+1.5s redis exit",
    "+100ms web.1 close",
]
fates = [
    "redis 2 late 100ms",
    "web 1 lost",
]

[[hosts]]
name = "web"
kernel = "3.10"

[[hosts]]
name = "redis"
kernel = "6.18"
leaves_unread = true
[hosts.sysctl]
"net.ipv4.tcp_max_tw_buckets" = "0"
"#;

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let file = parse(FILE).expect("it reads");
        let (property, at) = file.property.expect("it has one");
        assert_eq!(&FILE[at.start + 1..at.end - 1], property);
        assert_eq!(written(&file.schedule, &property, &[]), FILE);
        assert!(is_schedule(FILE));
        assert!(!is_schedule("name = \"mine\"\n[[apps]]\nsteps = 1\n"));
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let cases = [
            ("web.1 close", "web.1 colse", "colse"),
            ("+100ms web connect", "100ms web connect", "100ms"),
            ("web.1 send 100", "web.4 send 100", "web.4"),
            ("web.1 send 100", "wbe.1 send 100", "wbe"),
            ("web.1 send 100", "web send 100", "web"),
            ("redis exit", "redis connect", "connect"),
            ("late 100ms", "late 100", "100"),
            ("web 1 lost", "web 0 lost", "0"),
            ("\"3.10\"", "\"2.6\"", "\"2.6\""),
            ("= \"0\"", "= \"x\"", "\"x\""),
        ];
        for (right, wrong, spot) in cases {
            let text = FILE.replacen(right, wrong, 1);
            let error = parse(&text).expect_err(wrong);
            let span = error.span.clone().expect("a place");
            assert_eq!(&text[span], spot, "{wrong}: {error}");
        }
    }
}
