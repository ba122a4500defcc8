//! The words of a filter, cut as libpcap's scanner cuts them: the longest piece wins, so that
//! `80-90` and `tcp-syn` are one word each, but in `tcp[0]-1` there is a minus.

use core::ops::Range;

use crate::scenario::Error;

/// A word and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
}

/// The kinds of word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A number, or the name of one (`tcp-syn`).
    Number(u32),
    /// Two to four numbers with dots: an address, or the beginning of one.
    Dotted(Vec<u8>),
    /// Any other word; keywords too.
    Word(String),
    /// A word behind a backslash, which is no keyword.
    Escaped(String),
    /// `and`, `&&`.
    And,
    /// `or`, `||`.
    Or,
    /// `not`, `!`.
    Not,
    /// Everything else: `(`, `<=`, `+`.
    Sign(&'static str),
}

/// Signs, the longer ones first.
const SIGNS: [&str; 23] = [
    "<<", ">>", "<=", ">=", "!=", "==", "&&", "||", "(", ")", "[", "]", ":", "<", ">", "=", "+",
    "-", "*", "/", "%", "&", "|",
];

/// Names of numbers.
const NAMED: [(&str, u32); 9] = [
    ("tcpflags", 13),
    ("tcp-fin", 0x01),
    ("tcp-syn", 0x02),
    ("tcp-rst", 0x04),
    ("tcp-push", 0x08),
    ("tcp-ack", 0x10),
    ("tcp-urg", 0x20),
    ("tcp-ece", 0x40),
    ("tcp-cwr", 0x80),
];

/// Every name of a number, for proposals.
pub(super) fn number_names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}

/// Cuts a filter into words.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let length = word_length(&text[at..]);
        let (kind, length) = if length > 0 {
            (word(&text[at..at + length], at)?, length)
        } else if let Some(rest) = text[at..].strip_prefix('\\') {
            let length = rest
                .find(|c: char| c.is_ascii_whitespace() || matches!(c, '!' | '(' | ')'))
                .unwrap_or(rest.len());
            (Kind::Escaped(rest[..length].to_owned()), length + 1)
        } else {
            sign(&text[at..], at)?
        };
        out.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(out)
}

fn sign(text: &str, at: usize) -> Result<(Kind, usize), Error> {
    let found = SIGNS.into_iter().chain(["^", "!"]).find(|s| text.starts_with(s));
    let Some(sign) = found else {
        let c = text.chars().next().unwrap_or(' ');
        return Err(Error::new(
            at..at + c.len_utf8(),
            format!("{c:?} has no meaning in a filter"),
            "expected a word, a number or an operator".to_owned(),
        ));
    };
    let kind = match sign {
        "&&" => Kind::And,
        "||" => Kind::Or,
        "!" => Kind::Not,
        _ => Kind::Sign(sign),
    };
    Ok((kind, sign.len()))
}

/// How long the word at the beginning is: letters, digits and inner `-`, `_`, `.`; it ends with a
/// letter, a digit or a dot.
fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(u8::is_ascii_alphanumeric) {
        return 0;
    }
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let length = bytes.iter().take_while(|b| inner(b)).count();
    let ends = |b: &u8| b.is_ascii_alphanumeric() || *b == b'.';
    bytes[..length].iter().rposition(ends).map_or(0, |last| last + 1)
}

fn word(text: &str, at: usize) -> Result<Kind, Error> {
    let span = at..at + text.len();
    if text.bytes().all(|b| b.is_ascii_digit()) || text.starts_with("0x") || text.starts_with("0X")
    {
        return number(text, span).map(Kind::Number);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return dotted(text, span).map(Kind::Dotted);
    }
    if let Some((_, number)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Ok(Kind::Number(*number));
    }
    Ok(match text {
        "and" => Kind::And,
        "or" => Kind::Or,
        "not" => Kind::Not,
        _ => Kind::Word(text.to_owned()),
    })
}

/// As C reads it: `0x50`, `0120`, `80`.
fn number(text: &str, span: Range<usize>) -> Result<u32, Error> {
    let (digits, radix, expected) = if let Some(hex) = text
        .get(2..)
        .filter(|_| text.as_bytes().get(1).is_some_and(|b| b.eq_ignore_ascii_case(&b'x')))
    {
        (hex, 16, "expected hexadecimal digits behind 0x, 0xffffffff at most")
    } else if text.len() > 1 && text.starts_with('0') {
        (text, 8, "expected octal digits, because it begins with 0")
    } else {
        (text, 10, "expected a number of at most 4294967295")
    };
    u32::from_str_radix(digits, radix)
        .map_err(|_| Error::new(span, format!("{text} is no number"), expected.to_owned()))
}

fn dotted(text: &str, span: Range<usize>) -> Result<Vec<u8>, Error> {
    let parts: Result<Vec<u8>, _> = text.split('.').map(str::parse).collect();
    match parts {
        Ok(parts) if (2..=4).contains(&parts.len()) => Ok(parts),
        _ => Err(Error::new(
            span,
            format!("{text} is no address"),
            "expected two to four numbers from 0 to 255, such as 10.0.0.1".to_owned(),
        )),
    }
}
