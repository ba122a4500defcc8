//! The filter behind `ss`'s flags: `state fin-wait-2`, `sport = :80 and not dst 10.0.0.0/8`.
//!
//! As in `ss`, `and`, `or` and two conditions side by side bind equally tight and group from the
//! left: `a or b and c` is `(a or b) and c`.

use core::ops::Range;

use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::Row;

use super::states::{NAMES, States};
use crate::scenario::{Error, nearest};

/// A word of the filter and where it stands.
#[derive(Clone, Debug)]
struct Word<'a> {
    text: &'a str,
    span: Range<usize>,
}

/// How a port is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Compare {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "=" | "==" | "eq" => Self::Equal,
            "!=" | "ne" | "neq" => Self::NotEqual,
            ">=" | "ge" | "geq" => Self::AtLeast,
            "<=" | "le" | "leq" => Self::AtMost,
            ">" | "gt" => Self::Above,
            "<" | "lt" => Self::Below,
            _ => return None,
        })
    }
    const fn holds(self, have: u16, want: u16) -> bool {
        match self {
            Self::Equal => have == want,
            Self::NotEqual => have != want,
            Self::AtLeast => have >= want,
            Self::AtMost => have <= want,
            Self::Above => have > want,
            Self::Below => have < want,
        }
    }
}

/// Which end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Local,
    Remote,
}

impl End {
    const fn of(self, row: &Row) -> Endpoint {
        match self {
            Self::Local => row.local,
            Self::Remote => row.remote,
        }
    }
}

/// What a row must be like.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    /// `sport >= :1024`; without a port (`sport = :*`) every row is fine.
    Port(End, Compare, Option<u16>),
    /// `dst 10.0.0.0/24:80`: an address under a mask, and a port.
    Host(End, Addr, u32, Option<u16>),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Expr {
    pub(super) fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Port(end, compare, want) => {
                want.is_none_or(|want| compare.holds(end.of(row).port, want))
            }
            Self::Host(end, addr, mask, port) => {
                let have = end.of(row);
                have.addr.0 & mask == addr.0 & mask && port.is_none_or(|port| port == have.port)
            }
            Self::Not(inner) => !inner.holds(row),
            Self::And(a, b) => a.holds(row) && b.holds(row),
            Self::Or(a, b) => a.holds(row) || b.holds(row),
        }
    }
}

/// What stands behind the flags.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// The states that were named; `None` if none were, or all were excluded.
    pub(super) states: Option<States>,
    pub(super) expr: Option<Expr>,
}

/// Reads it. Spans of errors are places in `text`.
pub(super) fn parse(text: &str) -> Result<Selection, Error> {
    let mut parser = Parser { words: words(text), next: 0, end: text.len() };
    let states = parser.states()?;
    let expr = if parser.peek().is_some() { Some(parser.list()?) } else { None };
    match parser.peek() {
        None => Ok(Selection { states, expr }),
        Some(word) => {
            let message = format!("`{}` closes nothing", word.text);
            Err(Error::new(word.span.clone(), message, "expected `(` before it".to_owned()))
        }
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, c.is_whitespace()) {
            (None, false) => start = Some(at),
            (Some(from), true) => {
                words.push(Word { text: &text[from..at], span: from..at });
                start = None;
            }
            _ => {}
        }
    }
    words
}

struct Parser<'a> {
    words: Vec<Word<'a>>,
    next: usize,
    end: usize,
}

/// What begins a condition.
const CONDITIONS: [&str; 4] = ["src", "dst", "sport", "dport"];
/// Words of `ss` about things that a simulated host does not have.
const ABSENT: [(&str, &str); 4] = [
    ("autobound", "a recording does not keep who chose a port"),
    ("dev", "a simulated host has one interface"),
    ("fwmark", "a simulated host has no packet marks"),
    ("cgroup", "a simulated host has no control groups"),
];

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Word<'a>> {
        self.words.get(self.next)
    }
    fn take(&mut self, expected: &str) -> Result<Word<'a>, Error> {
        let word = self.words.get(self.next).cloned();
        self.next += 1;
        word.ok_or_else(|| {
            let message = "the filter ends too early".to_owned();
            Error::new(self.end..self.end, message, format!("expected {expected}"))
        })
    }
    fn accept(&mut self, any: &[&str]) -> bool {
        let found = self.peek().is_some_and(|word| any.contains(&word.text));
        self.next += usize::from(found);
        found
    }

    /// `state X`, `exclude Y`, as many as there are: `state` adds to those before it, `exclude`
    /// takes away, at first from all.
    fn states(&mut self) -> Result<Option<States>, Error> {
        let mut named = None;
        loop {
            let exclude = match self.peek().map(|word| word.text) {
                Some("state") => false,
                Some("exclude" | "excl") => true,
                _ => return Ok(named.filter(|states| *states != States::NONE)),
            };
            self.next += 1;
            let word = self.take("the name of a state")?;
            let states = States::from_name(word.text).ok_or_else(|| unknown_state(&word))?;
            named = Some(if exclude {
                named.unwrap_or(States::ALL).without(states)
            } else {
                named.unwrap_or(States::NONE).with(states)
            });
        }
    }

    /// Conditions with `and`, `or` or nothing between them.
    fn list(&mut self) -> Result<Expr, Error> {
        let mut left = self.factor()?;
        loop {
            if self.peek().is_none_or(|word| word.text == ")") {
                return Ok(left);
            }
            let or = self.accept(&["or", "||", "|"]);
            if !or {
                self.accept(&["and", "&&", "&"]);
            }
            let right = Box::new(self.factor()?);
            left = if or { Expr::Or(left.into(), right) } else { Expr::And(left.into(), right) };
        }
    }

    fn factor(&mut self) -> Result<Expr, Error> {
        let word = self.take("a condition such as `sport = :80` or `dst 10.0.0.2`")?;
        match word.text {
            "not" | "!" => Ok(Expr::Not(self.factor()?.into())),
            "(" => {
                let inner = self.list()?;
                let close = self.take("`)`")?;
                debug_assert_eq!(close.text, ")", "a list ends there or at the end");
                Ok(inner)
            }
            "src" => self.host(End::Local),
            "dst" => self.host(End::Remote),
            "sport" => self.port(End::Local),
            "dport" => self.port(End::Remote),
            _ => Err(unknown_condition(&word)),
        }
    }

    fn host(&mut self, end: End) -> Result<Expr, Error> {
        if let Some(word) = self.peek()
            && let Some(compare) = Compare::from_word(word.text)
        {
            if compare != Compare::Equal {
                let message = format!("`{}` compares ports, not addresses", word.text);
                let expected = "expected an address, or `=`".to_owned();
                let help = matches!(compare, Compare::NotEqual)
                    .then(|| "write `not dst …` or `not src …`".to_owned());
                return Err(Error::new(word.span.clone(), message, expected).with_help(help));
            }
            self.next += 1;
        }
        let word = self.take("an address such as `10.0.0.2`, `10.0.0.0/24` or `10.0.0.2:80`")?;
        host(&word, end)
    }

    fn port(&mut self, end: End) -> Result<Expr, Error> {
        let compare = self.peek().and_then(|word| Compare::from_word(word.text));
        self.next += usize::from(compare.is_some());
        let word = self.take("a port such as `:80`")?;
        let number = word.text.strip_prefix(':').unwrap_or(word.text);
        let port = port_number(number, &word)?;
        Ok(Expr::Port(end, compare.unwrap_or(Compare::Equal), port))
    }
}

/// A port; `None` for any.
fn port_number(text: &str, word: &Word<'_>) -> Result<Option<u16>, Error> {
    if text.is_empty() || text == "*" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let message = format!("`{text}` is no port");
        let expected = "expected a number from 0 to 65535, such as `:80`".to_owned();
        Error::new(word.span.clone(), message, expected)
    })
}

/// `10.0.0.2`, `10.0.0.0/24`, `10/8`, `10.0.0.2:80`, `:80`, `*`.
fn host(word: &Word<'_>, end: End) -> Result<Expr, Error> {
    let (host, port) = word.text.split_once(':').unwrap_or((word.text, ""));
    let port = port_number(port, word)?;
    if host.is_empty() || host == "*" || host == "any" || host == "all" || host == "default" {
        return Ok(Expr::Host(end, Addr::ANY, 0, port));
    }
    let wrong = || {
        let message = format!("`{host}` is no IPv4 address");
        let expected = "expected such as `10.0.0.2` or `10.0.0.0/24`".to_owned();
        Error::new(word.span.clone(), message, expected)
    };
    let (addr, bits) = match host.split_once('/') {
        Some((addr, bits)) => (addr, bits.parse().ok().filter(|b| *b <= 32).ok_or_else(wrong)?),
        None => (host, 32),
    };
    let mut parts = [0_u8; 4];
    for (index, part) in addr.split('.').enumerate() {
        let slot = parts.get_mut(index).ok_or_else(wrong)?;
        *slot = part.parse().map_err(|_| wrong())?;
    }
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Ok(Expr::Host(end, Addr(u32::from_be_bytes(parts)), mask, port))
}

fn unknown_state(word: &Word<'_>) -> Error {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    let help = nearest(&word.text.to_ascii_lowercase(), names.iter().copied())
        .map(|name| format!("did you mean `{name}`?"));
    let message = format!("there is no state `{}`", word.text);
    Error::new(word.span.clone(), message, format!("expected one of {}", names.join(", ")))
        .with_help(help)
}

fn unknown_condition(word: &Word<'_>) -> Error {
    if let Some((_, why)) = ABSENT.iter().find(|(name, _)| *name == word.text) {
        let message = format!("`{}` cannot be asked here: {why}", word.text);
        let expected = "expected src, dst, sport or dport".to_owned();
        return Error::new(word.span.clone(), message, expected);
    }
    let help = if matches!(word.text, "state" | "exclude") {
        Some("states stand before all conditions".to_owned())
    } else if word.text.starts_with(['(', '!']) || word.text.contains(['=', '<', '>', ')']) {
        Some("words need blanks between them: `( sport = :80 )`".to_owned())
    } else {
        nearest(word.text, CONDITIONS.into_iter()).map(|name| format!("did you mean `{name}`?"))
    };
    let message = format!("`{}` is no condition", word.text);
    let expected = "expected src, dst, sport, dport, not or `(`".to_owned();
    Error::new(word.span.clone(), message, expected).with_help(help)
}
