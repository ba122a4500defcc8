//! A condition's text as tokens with their places.

use core::ops::Range;

use crate::error::Mistake;

/// One token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    /// A name or a word of the language.
    Word(String),
    /// A whole number.
    Number(i64),
    /// `==`, `<=`, `(`, …
    Sign(&'static str),
}

/// The longer ones first, so that `<=` is not read as `<`.
const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "+", "-", "."];

/// Cuts the text into tokens.
pub(crate) fn lex(text: &str) -> Result<Vec<(Token, Range<usize>)>, Mistake> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let length = |good: fn(char) -> bool| rest.find(|c| !good(c)).unwrap_or(rest.len());
        let (token, len) = if first.is_ascii_digit() {
            let len = length(|c| c.is_ascii_alphanumeric() || c == '_');
            let number = rest[..len].replace('_', "").parse().map_err(|_| {
                let message = format!("{:?} is no number", &rest[..len]);
                Mistake::new(at..at + len, message, "expected a whole number, such as 1460")
            })?;
            (Token::Number(number), len)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let len = length(|c| c.is_ascii_alphanumeric() || c == '_');
            (Token::Word(rest[..len].to_owned()), len)
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(strange(first, at, rest));
        };
        tokens.push((token, at..at + len));
        at += len;
    }
    Ok(tokens)
}

fn strange(first: char, at: usize, rest: &str) -> Mistake {
    let expected = match first {
        '=' => "expected == to compare",
        '!' => "expected `not`, or != to compare",
        '&' => "expected `and`",
        '|' => "expected `or`",
        _ => "expected names, whole numbers, and, or, not, implies, == != < <= > >= + - ( )",
    };
    let doubled = rest.starts_with("&&") || rest.starts_with("||");
    let len = if doubled { 2 } else { first.len_utf8() };
    Mistake::new(at..at + len, format!("{:?} means nothing here", &rest[..len]), expected)
}
