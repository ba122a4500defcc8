//! From words to questions, by recursive descent.
//!
//! What libpcap's grammar decides late (is this `(` around numbers, around a list of ports, or around
//! a whole filter?) is decided here by looking at what stands inside and behind the parentheses.

use core::ops::Range;

use finwait_model::flow::Addr;

use super::arith::{Arith, Base, Operator};
use super::eval::{Comparison, Ends, Expr};
use super::lexer::{Kind, Token, number_names};
use super::qualifier::{Qualifier, What};
use crate::capture::Direction;
use crate::scenario::{Error, nearest};

/// Parentheses, `not`s and operators may be nested so deeply.
const DEEPEST: usize = 100;

/// Protocols that a filter may name, those of simulated hosts first.
const PROTOCOLS: [&str; 10] =
    ["tcp", "ip", "udp", "icmp", "sctp", "ip6", "icmp6", "arp", "rarp", "igmp"];
/// Words that ask for something which simulated packets do not have.
const UNSUPPORTED: [&str; 15] = [
    "ether",
    "link",
    "vlan",
    "mpls",
    "wlan",
    "gateway",
    "broadcast",
    "multicast",
    "protochain",
    "pppoes",
    "geneve",
    "ifindex",
    "byte",
    "fddi",
    "tr",
];
/// Words that begin a question, for proposals.
const BEGINNINGS: [&str; 14] = [
    "host",
    "net",
    "port",
    "portrange",
    "src",
    "dst",
    "tcp",
    "ip",
    "len",
    "less",
    "greater",
    "inbound",
    "outbound",
    "not",
];

/// Reads a whole filter; `None` if it is empty.
pub(super) fn parse(
    text: &str,
    tokens: &[Token],
    hosts: &[(&str, Addr)],
) -> Result<Option<Expr>, Error> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { text, tokens, hosts, closes: closes(tokens)?, at: 0, depth: 0 };
    let (expr, _) = parser.expr(None)?;
    if parser.at < tokens.len() {
        return Err(parser.unexpected("expected `and`, `or`, or the end of the filter"));
    }
    Ok(Some(expr))
}

/// For each `(` or `[` the place of what closes it.
fn closes(tokens: &[Token]) -> Result<Vec<usize>, Error> {
    let mut closes = vec![0; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    let partner = |sign: &str| if sign == "(" { ")" } else { "]" };
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Sign(sign) = token.kind else { continue };
        match (sign, open.last()) {
            ("(" | "[", _) => open.push(at),
            (")" | "]", Some(&first))
                if tokens[first].kind
                    == Kind::Sign(match sign {
                        ")" => "(",
                        _ => "[",
                    }) =>
            {
                closes[first] = at;
                open.pop();
            }
            (")" | "]", _) => {
                let message = format!("`{sign}` closes nothing");
                let expected = "expected something that opens before it".to_owned();
                return Err(Error::new(token.span.clone(), message, expected));
            }
            _ => {}
        }
    }
    match open.last() {
        None => Ok(closes),
        Some(&first) => {
            let sign = if tokens[first].kind == Kind::Sign("(") { "(" } else { "[" };
            let message = format!("`{sign}` is not closed");
            let expected = format!("expected `{}` behind it", partner(sign));
            Err(Error::new(tokens[first].span.clone(), message, expected))
        }
    }
}

/// What stands at a place where a question or a bare name or number may.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A question of its own.
    Term,
    /// A name or number, or several in parentheses, without a qualifier.
    Bare,
    /// Arithmetic, to be compared with something.
    Arithmetic,
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    hosts: &'a [(&'a str, Addr)],
    closes: Vec<usize>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn kind(&self, at: usize) -> Option<&Kind> {
        self.tokens.get(at).map(|t| &t.kind)
    }
    fn is_sign(&self, at: usize, sign: &str) -> bool {
        matches!(self.kind(at), Some(Kind::Sign(s)) if *s == sign)
    }
    fn word(&self, at: usize) -> Option<&str> {
        match self.kind(at) {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }
    fn takes_sign(&mut self, sign: &str) -> Result<(), Error> {
        if !self.is_sign(self.at, sign) {
            return Err(self.unexpected(&format!("expected `{sign}`")));
        }
        self.at += 1;
        Ok(())
    }
    /// The place of the next word, or the end of the text.
    fn here(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.tokens.get(self.at).map_or(end..end, |t| t.span.clone())
    }
    fn unexpected(&self, expected: &str) -> Error {
        let message = match self.tokens.get(self.at) {
            Some(token) => format!("`{}` does not fit here", &self.text[token.span.clone()]),
            None => "the filter ends too soon".to_owned(),
        };
        Error::new(self.here(), message, expected.to_owned())
    }
    fn too_deep(&self) -> Error {
        let message = "the filter is nested too deeply".to_owned();
        let expected = format!("expected at most {DEEPEST} levels");
        Error::new(self.here(), message, expected)
    }
    fn operator(&self) -> Option<Operator> {
        match self.kind(self.at) {
            Some(Kind::Sign(sign)) => Operator::of(sign),
            _ => None,
        }
    }
    /// Goes one level down.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEEPEST {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Questions with `and` and `or` between them, from the left. Says the last one's qualifier too,
    /// which a bare name behind it takes over.
    fn expr(&mut self, inherited: Option<&Qualifier>) -> Result<(Expr, Option<Qualifier>), Error> {
        let (first, mut qualifier) = self.term(inherited)?;
        let mut rest = Vec::new();
        while let Some(Kind::And | Kind::Or) = self.kind(self.at) {
            let and = self.kind(self.at) == Some(&Kind::And);
            self.at += 1;
            let (right, next) = if self.next(self.at) == Next::Bare {
                let Some(qualifier) = qualifier else { return Err(self.unqualified()) };
                (self.bare(&qualifier)?, Some(qualifier))
            } else {
                self.term(qualifier.as_ref())?
            };
            qualifier = next;
            rest.push((and, right));
        }
        Ok((chain(first, rest), qualifier))
    }
    /// What begins at that place?
    fn next(&self, at: usize) -> Next {
        match self.kind(at) {
            Some(Kind::Not) => self.next(self.behind_nots(at)),
            Some(Kind::Dotted(_) | Kind::Escaped(_)) => Next::Bare,
            Some(Kind::Word(word)) if word == "len" => Next::Arithmetic,
            Some(Kind::Word(word)) => {
                if is_protocol(word) && self.is_sign(at + 1, "[") {
                    Next::Arithmetic
                } else if is_keyword(word) {
                    Next::Term
                } else {
                    Next::Bare
                }
            }
            Some(Kind::Number(_)) if self.is_operator(at + 1) => Next::Arithmetic,
            Some(Kind::Number(_)) => Next::Bare,
            Some(Kind::Sign("-")) => Next::Arithmetic,
            Some(Kind::Sign("(")) if self.is_operator(self.closes[at] + 1) => Next::Arithmetic,
            Some(Kind::Sign("(")) => self.within_parentheses(at),
            _ => Next::Term,
        }
    }
    fn behind_nots(&self, mut at: usize) -> usize {
        while self.kind(at) == Some(&Kind::Not) {
            at += 1;
        }
        at
    }
    /// Parentheses that nothing is computed with: around bare names, or around a filter?
    fn within_parentheses(&self, open: usize) -> Next {
        let mut first = open;
        while self.is_sign(first, "(") || self.kind(first) == Some(&Kind::Not) {
            // An operator behind inner parentheses: they are numbers of a comparison.
            if first > open && self.is_sign(first, "(") && self.is_operator(self.closes[first] + 1)
            {
                return Next::Term;
            }
            first += 1;
        }
        match self.next(first) {
            Next::Bare => Next::Bare,
            Next::Term | Next::Arithmetic => Next::Term,
        }
    }
    /// Is it something to compute or to compare with?
    fn is_operator(&self, at: usize) -> bool {
        match self.kind(at) {
            Some(Kind::Sign(s)) => Operator::of(s).is_some() || Comparison::of(s).is_some(),
            _ => false,
        }
    }

    /// A question of its own.
    fn term(&mut self, inherited: Option<&Qualifier>) -> Result<(Expr, Option<Qualifier>), Error> {
        match self.kind(self.at) {
            Some(Kind::Not) => {
                self.at += 1;
                let (of, qualifier) = self.deeper(|p| p.term(inherited))?;
                return Ok((Expr::Not(Box::new(of)), qualifier));
            }
            Some(Kind::Sign("(")) if self.next(self.at) == Next::Term => {
                self.at += 1;
                let (expr, _) = self.deeper(|p| p.expr(inherited))?;
                self.takes_sign(")")?;
                return Ok((expr, inherited.cloned()));
            }
            _ => {}
        }
        match self.next(self.at) {
            Next::Arithmetic => Ok((self.comparison()?, None)),
            Next::Bare => Err(self.unqualified()),
            Next::Term => self.keyword(),
        }
    }
    /// A bare name or number that has nothing to take over.
    fn unqualified(&self) -> Error {
        let at = self.tokens.get(self.behind_nots(self.at));
        let shown = at.map_or("", |t| &self.text[t.span.clone()]);
        let expected = match at.map(|t| &t.kind) {
            Some(Kind::Dotted(_)) => "expected `host`, `net`, `src` or `dst` before it",
            Some(Kind::Number(_)) => "expected `port` or `host` before it, or a comparison",
            _ => "expected `host`, `port`, `net`, `tcp`, `src`, `dst`, `len` or the like",
        };
        let span = at.map_or_else(|| self.here(), |t| t.span.clone());
        let words = BEGINNINGS.into_iter().chain(PROTOCOLS).chain(number_names());
        let help = nearest(shown, words).map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{shown}` says nothing alone");
        Error::new(span, message, expected.to_owned()).with_help(help)
    }
    /// A question that begins with a keyword.
    fn keyword(&mut self) -> Result<(Expr, Option<Qualifier>), Error> {
        let Some(word) = self.word(self.at).map(str::to_owned) else {
            return Err(self.unexpected(
                "expected a question such as `port 80`, `host 10.0.0.1`, `tcp[13] & 4 != 0`",
            ));
        };
        if UNSUPPORTED.contains(&word.as_str()) {
            return Err(self.unsupported());
        }
        match word.as_str() {
            "less" | "greater" => {
                self.at += 1;
                let comparison = match word.as_str() {
                    "less" => Comparison::LessOrEqual,
                    _ => Comparison::GreaterOrEqual,
                };
                let length = self.number("expected a number of bytes")?;
                Ok((Expr::Compare(comparison, Arith::Len, Arith::Constant(length)), None))
            }
            "inbound" | "outbound" => {
                self.at += 1;
                let way = if word == "inbound" { Direction::In } else { Direction::Out };
                Ok((Expr::Passes(way), None))
            }
            _ => self.qualified(),
        }
    }
    fn unsupported(&self) -> Error {
        let shown = &self.text[self.here()];
        Error::new(
            self.here(),
            format!("`{shown}` asks for something that simulated packets do not have"),
            "expected a question about TCP over IPv4".to_owned(),
        )
    }
    fn number(&mut self, expected: &str) -> Result<u32, Error> {
        let Some(Kind::Number(number)) = self.kind(self.at) else {
            return Err(self.unexpected(expected));
        };
        let number = *number;
        self.at += 1;
        Ok(number)
    }
    /// `tcp src port …`, or a protocol alone.
    fn qualified(&mut self) -> Result<(Expr, Option<Qualifier>), Error> {
        let first = self.at;
        let start = self.here().start;
        let protocol = self.word(self.at).filter(|w| is_protocol(w)).map(str::to_owned);
        self.at += usize::from(protocol.is_some());
        let ends = self.ends();
        let kind = match self.word(self.at) {
            Some("host") => Some(What::Host),
            Some("net") => Some(What::Net),
            Some("port") => Some(What::Port),
            Some("portrange") => Some(What::PortRange),
            Some("proto") if ends.is_none() => Some(What::Protocol),
            Some(word) if UNSUPPORTED.contains(&word) => return Err(self.unsupported()),
            _ => None,
        };
        self.at += usize::from(kind.is_some());
        if let (Some(protocol), None, None) = (&protocol, ends, kind) {
            return Ok((Expr::Always(matches!(protocol.as_str(), "tcp" | "ip")), None));
        }
        if self.at == first {
            return Err(self.unexpected("expected a question such as `port 80` or `host 10.0.0.1`"));
        }
        let span = start..self.tokens[self.at - 1].span.end;
        let qualifier = Qualifier { protocol, ends, kind: kind.unwrap_or(What::Host), span };
        if self.next(self.at) != Next::Bare {
            return Err(self.unexpected(match qualifier.kind {
                What::Host if kind.is_none() => "expected `host`, `net`, `port` or an address",
                What::Host => "expected an address or the name of a host",
                What::Net => "expected a net such as 10.0.0.0/24",
                What::Port => "expected a port",
                What::PortRange => "expected a range of ports such as 6379-6394",
                What::Protocol => "expected a protocol's number",
            }));
        }
        let expr = self.bare(&qualifier)?;
        Ok((expr, Some(qualifier)))
    }
    /// `src`, `dst`, `src or dst`, `src and dst`.
    fn ends(&mut self) -> Option<Ends> {
        let one = |word: Option<&str>| match word {
            Some("src") => Some(Ends::Source),
            Some("dst") => Some(Ends::Destination),
            _ => None,
        };
        let first = one(self.word(self.at))?;
        self.at += 1;
        let second = one(self.word(self.at + 1)).filter(|s| *s != first);
        let both = match (self.kind(self.at), second) {
            (Some(Kind::And), Some(_)) => Ends::Both,
            (Some(Kind::Or), Some(_)) => Ends::Either,
            _ => return Some(first),
        };
        self.at += 2;
        Some(both)
    }
    /// One name or number, or several in parentheses.
    fn bare(&mut self, qualifier: &Qualifier) -> Result<Expr, Error> {
        match self.kind(self.at) {
            Some(Kind::Not) => {
                self.at += 1;
                let of = self.deeper(|p| p.bare(qualifier))?;
                Ok(Expr::Not(Box::new(of)))
            }
            Some(Kind::Sign("(")) => {
                self.at += 1;
                let expr = self.deeper(|p| p.list(qualifier))?;
                self.takes_sign(")")?;
                Ok(expr)
            }
            Some(Kind::Word(word)) if is_keyword(word) => {
                Err(self.unexpected("expected a name, a number or an address"))
            }
            Some(Kind::Word(_) | Kind::Escaped(_) | Kind::Number(_) | Kind::Dotted(_)) => {
                let token = self.tokens[self.at].clone();
                self.at += 1;
                let mask = self.mask(&token)?;
                qualifier.question(&token, mask, self.hosts)
            }
            _ => Err(self.unexpected("expected a name, a number or an address")),
        }
    }
    fn list(&mut self, qualifier: &Qualifier) -> Result<Expr, Error> {
        let first = self.bare(qualifier)?;
        let mut rest = Vec::new();
        while let Some(Kind::And | Kind::Or) = self.kind(self.at) {
            let and = self.kind(self.at) == Some(&Kind::And);
            self.at += 1;
            rest.push((and, self.bare(qualifier)?));
        }
        Ok(chain(first, rest))
    }
    /// `/24` or `mask 255.255.255.0` behind an address.
    fn mask(&mut self, address: &Token) -> Result<Option<(u32, Range<usize>)>, Error> {
        let start = self.here().start;
        if !matches!(address.kind, Kind::Dotted(_)) {
            return Ok(None);
        }
        let mask = if self.is_sign(self.at, "/") {
            self.at += 1;
            let span = self.here();
            let bits = self.number("expected how many bits the net has, 0 to 32")?;
            if bits > 32 {
                let message = format!("a net has no {bits} bits");
                return Err(Error::new(span, message, "expected 0 to 32".to_owned()));
            }
            u32::MAX.checked_shl(32 - bits).unwrap_or(0)
        } else if self.word(self.at) == Some("mask") {
            self.at += 1;
            let Some(Kind::Dotted(parts)) = self.kind(self.at) else {
                return Err(self.unexpected("expected a mask such as 255.255.255.0"));
            };
            let missing = 8 * (4 - parts.len().min(4)) as u32;
            let mask = parts.iter().fold(0, |mask, part| mask << 8 | u32::from(*part)) << missing;
            self.at += 1;
            mask
        } else {
            return Ok(None);
        };
        Ok(Some((mask, start..self.tokens[self.at - 1].span.end)))
    }

    /// Two numbers compared.
    fn comparison(&mut self) -> Result<Expr, Error> {
        let left = self.deeper(|p| p.arith(0))?;
        let sign = match self.kind(self.at) {
            Some(Kind::Sign(sign)) => Comparison::of(sign),
            _ => None,
        };
        let Some(comparison) = sign else {
            return Err(self.unexpected("expected a comparison: =, !=, <, <=, > or >="));
        };
        self.at += 1;
        let right = self.deeper(|p| p.arith(0))?;
        if left.reads_absent() || right.reads_absent() {
            return Ok(Expr::Always(false));
        }
        Ok(Expr::Compare(comparison, left, right))
    }
    /// Numbers with operators that bind at least so strongly.
    fn arith(&mut self, at_least: u8) -> Result<Arith, Error> {
        let mut left = self.deeper(Self::primary)?;
        let mut operators = 0;
        while let Some(operator) = self.operator() {
            let (binds_left, binds_right) = operator.binds();
            if binds_left < at_least {
                break;
            }
            operators += 1;
            if operators > DEEPEST {
                return Err(self.too_deep());
            }
            let place = self.here();
            self.at += 1;
            let right = self.deeper(|p| p.arith(binds_right))?;
            let (a, b) = match (operator, &right) {
                (Operator::Divide | Operator::Modulo, Arith::Constant(0)) => {
                    ("a division by zero", "expected another number behind it")
                }
                (Operator::Left | Operator::Right, Arith::Constant(32..)) => {
                    ("a shift by more than 31 bits", "expected 0 to 31 behind it")
                }
                _ => {
                    left = Arith::Binary(operator, Box::new(left), Box::new(right));
                    continue;
                }
            };
            return Err(Error::new(place, a.to_owned(), b.to_owned()));
        }
        Ok(left)
    }
    fn primary(&mut self) -> Result<Arith, Error> {
        match self.kind(self.at) {
            Some(Kind::Number(number)) => {
                let number = *number;
                self.at += 1;
                Ok(Arith::Constant(number))
            }
            Some(Kind::Sign("-")) => {
                self.at += 1;
                let of = self.deeper(Self::primary)?;
                Ok(Arith::Negative(Box::new(of)))
            }
            Some(Kind::Sign("(")) => {
                self.at += 1;
                let inner = self.deeper(|p| p.arith(0))?;
                self.takes_sign(")")?;
                Ok(inner)
            }
            Some(Kind::Word(word)) if word == "len" => {
                self.at += 1;
                Ok(Arith::Len)
            }
            Some(Kind::Word(word)) if is_protocol(word) && self.is_sign(self.at + 1, "[") => {
                let base = match word.as_str() {
                    "ip" => Base::Ip,
                    "tcp" => Base::Tcp,
                    _ => Base::Absent,
                };
                self.at += 2;
                let offset = Box::new(self.deeper(|p| p.arith(0))?);
                let size = self.size()?;
                self.takes_sign("]")?;
                Ok(Arith::Load { base, offset, size })
            }
            _ => Err(self.unexpected("expected a number, `len`, `tcp[…]` or `ip[…]`")),
        }
    }
    /// `:2` behind an offset.
    fn size(&mut self) -> Result<usize, Error> {
        if !self.is_sign(self.at, ":") {
            return Ok(1);
        }
        self.at += 1;
        match self.number("expected how many bytes, 1, 2 or 4")? {
            1 => Ok(1),
            2 => Ok(2),
            4 => Ok(4),
            n => {
                let span = self.tokens[self.at - 1].span.clone();
                let message = format!("{n} bytes cannot be loaded at once");
                Err(Error::new(span, message, "expected 1, 2 or 4".to_owned()))
            }
        }
    }
}

fn chain(first: Expr, rest: Vec<(bool, Expr)>) -> Expr {
    if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) }
}

fn is_protocol(word: &str) -> bool {
    PROTOCOLS.contains(&word)
}

fn is_keyword(word: &str) -> bool {
    is_protocol(word)
        || UNSUPPORTED.contains(&word)
        || BEGINNINGS.contains(&word)
        || matches!(word, "proto" | "mask")
}
