//! From bytes to tokens, as packetdrill's lexer cuts them. Total: any bytes give tokens or an
//! error, never a panic.

use super::ast::Pos;
use super::diagnostic::ScriptError;

/// A script may be this long, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// A piece of the script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token {
    /// Where it stands.
    pub(super) pos: Pos,
    /// What it is.
    pub(super) kind: Kind,
}

/// The kinds of token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Letters, digits and underscores that are no number.
    Word(String),
    /// A decimal integer.
    Int(i64),
    /// A hexadecimal integer.
    Hex(u64),
    /// A decimal number with a point, as written.
    Float(String),
    /// The text between double quotes.
    Str(String),
    /// The text between backticks.
    Backtick(String),
    /// The text between `%{` and `}%`.
    Code(String),
    /// `--name` and what stands behind its `=`.
    Option(String, Option<String>),
    /// `1.2.3.4`.
    Ipv4(String),
    /// `...`.
    Ellipsis,
    /// Any other character.
    Punct(char),
    /// The end of the script.
    End,
}

impl Kind {
    /// How an error names it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(w) => format!("`{}`", shorten(w)),
            Self::Int(n) => format!("`{n}`"),
            Self::Hex(n) => format!("`{n:#x}`"),
            Self::Float(text) | Self::Ipv4(text) => format!("`{}`", shorten(text)),
            Self::Str(_) => "a text in quotes".to_owned(),
            Self::Backtick(_) => "a backtick command".to_owned(),
            Self::Code(_) => "a `%{ }%` block".to_owned(),
            Self::Option(name, _) => format!("the option `--{}`", shorten(name)),
            Self::Ellipsis => "`...`".to_owned(),
            Self::Punct(c) => format!("`{}`", c.escape_debug()),
            Self::End => "the end of the script".to_owned(),
        }
    }
}

fn shorten(word: &str) -> String {
    if word.chars().count() <= 40 {
        return word.to_owned();
    }
    let head: String = word.chars().take(40).collect();
    format!("{head}…")
}

/// The tokens, ending with [`Kind::End`], and the lines of the comments before the first of them.
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    pub(super) about: Vec<(Pos, String)>,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
    /// Columns count characters; this is where counting last stopped.
    column_at: (usize, u32),
    about: Vec<(Pos, String)>,
    tokens: Vec<Token>,
}

/// Cuts a script into tokens.
pub(super) fn lex(text: &str) -> Result<Lexed, ScriptError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        line: 1,
        line_start: 0,
        column_at: (0, 1),
        about: Vec::new(),
        tokens: Vec::new(),
    };
    lexer.run()?;
    let end = lexer.here(text.len());
    lexer.tokens.push(Token { pos: end, kind: Kind::End });
    Ok(Lexed { tokens: lexer.tokens, about: lexer.about })
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }
    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The position of `self.at .. end`. Columns are counted on from the last token's, so that a
    /// script of one long line is not counted again for each.
    fn here(&mut self, end: usize) -> Pos {
        let (from, column) = self.column_at;
        let chars = self.text[from..self.at].chars().count();
        let column = column.saturating_add(u32::try_from(chars).unwrap_or(u32::MAX));
        self.column_at = (self.at, column);
        let cut = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Pos { line: self.line, column, start: cut(self.at), end: cut(end) }
    }

    /// Goes on to `end`, counting lines.
    fn advance(&mut self, end: usize) {
        for (i, b) in self.text.as_bytes()[self.at..end].iter().enumerate() {
            if *b == b'\n' {
                self.line = self.line.saturating_add(1);
                self.line_start = self.at + i + 1;
                self.column_at = (self.line_start, 1);
            }
        }
        self.at = end;
    }

    fn push(&mut self, end: usize, kind: Kind) {
        let pos = self.here(end);
        self.tokens.push(Token { pos, kind });
        self.advance(end);
    }

    fn run(&mut self) -> Result<(), ScriptError> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                ' ' | '\t' | '\n' | '\r' => self.advance(self.at + 1),
                '/' if self.byte(1) == b'/' => self.line_comment(),
                '/' if self.byte(1) == b'*' => self.block_comment()?,
                '"' => self.quoted('"', Kind::Str, "text")?,
                '`' => self.quoted('`', Kind::Backtick, "command")?,
                '%' if self.byte(1) == b'{' => self.code()?,
                '-' if self.byte(1) == b'-' && is_word(self.byte(2)) => self.option()?,
                '.' if self.rest().starts_with("...") => self.push(self.at + 3, Kind::Ellipsis),
                '.' if self.byte(1).is_ascii_digit() => self.number()?,
                '-' if self.byte(1).is_ascii_digit() => self.number()?,
                '-' if self.byte(1) == b'.' && self.byte(2).is_ascii_digit() => self.number()?,
                '0'..='9' => self.number()?,
                c if c.is_ascii() && is_word(c as u8) => {
                    let end = self.span(self.at, is_word);
                    let word = self.text[self.at..end].to_owned();
                    self.push(end, Kind::Word(word));
                }
                c => self.push(self.at + c.len_utf8(), Kind::Punct(c)),
            }
        }
        Ok(())
    }

    /// Where the run of bytes that `belongs` accepts ends.
    fn span(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let bytes = &self.text.as_bytes()[from..];
        from + bytes.iter().position(|&b| !belongs(b)).unwrap_or(bytes.len())
    }

    fn line_comment(&mut self) {
        let end = self.span(self.at, |b| b != b'\n');
        if self.tokens.is_empty() {
            let pos = self.here(end);
            let text = self.text[self.at + 2..end].trim().to_owned();
            self.about.push((pos, text));
        }
        self.advance(end);
    }

    fn block_comment(&mut self) -> Result<(), ScriptError> {
        let Some(length) = self.text[self.at + 2..].find("*/") else {
            let pos = self.here(self.at + 2);
            return Err(ScriptError::syntax(pos, "unclosed comment", "`*/` never comes"));
        };
        let inside = self.at + 2..self.at + 2 + length;
        if self.tokens.is_empty() {
            let pos = self.here(inside.end);
            let lines = self.text[inside.clone()].lines();
            let lines: Vec<_> =
                lines.map(|l| (pos, l.trim().trim_start_matches('*').trim().to_owned())).collect();
            self.about.extend(lines);
        }
        self.advance(inside.end + 2);
        Ok(())
    }

    /// Where the quote that opens at `from` closes.
    fn closing(&self, from: usize, quote: char) -> Option<usize> {
        let mut escaped = false;
        for (i, c) in self.text[from + 1..].char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                return Some(from + 1 + i);
            }
        }
        None
    }

    fn quoted(
        &mut self,
        quote: char,
        kind: fn(String) -> Kind,
        what: &str,
    ) -> Result<(), ScriptError> {
        let Some(end) = self.closing(self.at, quote) else {
            let pos = self.here(self.at + 1);
            let message = format!("unclosed {what}");
            return Err(ScriptError::syntax(pos, message, format!("no `{quote}` closes it")));
        };
        let inside = self.text[self.at + 1..end].to_owned();
        self.push(end + 1, kind(inside));
        Ok(())
    }

    fn code(&mut self) -> Result<(), ScriptError> {
        let Some(length) = self.text[self.at + 2..].find("}%") else {
            let pos = self.here(self.at + 2);
            return Err(ScriptError::syntax(pos, "unclosed block", "`}%` never comes"));
        };
        let end = self.at + 2 + length;
        let inside = self.text[self.at + 2..end].to_owned();
        self.push(end + 2, Kind::Code(inside));
        Ok(())
    }

    /// `--name`, `--name=value`, `--name=symbol="value"`.
    fn option(&mut self) -> Result<(), ScriptError> {
        let name_end = self.span(self.at + 2, is_word);
        let name = self.text[self.at + 2..name_end].to_owned();
        let blank = |b: u8| b == b' ' || b == b'\t';
        let equals = self.span(name_end, blank);
        if self.text.as_bytes().get(equals) != Some(&b'=') {
            self.push(name_end, Kind::Option(name, None));
            return Ok(());
        }
        let from = self.span(equals + 1, blank);
        let plain = |b: u8| !b.is_ascii_whitespace() && b != b'"' && b != b'`';
        let mut end = self.span(from, plain);
        if let Some(quote @ (b'"' | b'`')) = self.text.as_bytes().get(end).copied() {
            let Some(close) = self.closing(end, char::from(quote)) else {
                let pos = self.here(end + 1);
                return Err(ScriptError::syntax(pos, "unclosed option value", ""));
            };
            end = close + 1;
        }
        let value = self.text[from..end].to_owned();
        if value.is_empty() {
            let pos = self.here(end);
            let message = format!("`--{}=` has no value", shorten(&name));
            return Err(ScriptError::syntax(pos, message, "expected a value behind `=`"));
        }
        self.push(end, Kind::Option(name, Some(value)));
        Ok(())
    }

    fn number(&mut self) -> Result<(), ScriptError> {
        let sign = usize::from(self.byte(0) == b'-');
        let digits = self.span(self.at + sign, |b| b.is_ascii_digit());
        if self.rest().starts_with("0x") && self.byte(2).is_ascii_hexdigit() {
            let end = self.span(self.at + 2, |b| b.is_ascii_hexdigit());
            if end == self.span(self.at, is_word) {
                return self.hex(end);
            }
        }
        let word = self.span(self.at + sign, is_word);
        if word > digits && sign == 0 {
            let text = self.text[self.at..word].to_owned();
            self.push(word, Kind::Word(text));
            return Ok(());
        }
        let dot = self.text.as_bytes().get(digits) == Some(&b'.');
        let fraction = if dot { self.span(digits + 1, |b| b.is_ascii_digit()) } else { digits };
        if dot && fraction > digits + 1 {
            if let Some(end) = self.ipv4_end() {
                let text = self.text[self.at..end].to_owned();
                self.push(end, Kind::Ipv4(text));
            } else {
                let text = self.text[self.at..fraction].to_owned();
                self.push(fraction, Kind::Float(text));
            }
            return Ok(());
        }
        let Ok(n) = self.text[self.at..digits].parse() else {
            let pos = self.here(digits);
            return Err(ScriptError::syntax(pos, "number too large", "does not fit in 64 bits"));
        };
        self.push(digits, Kind::Int(n));
        Ok(())
    }

    fn hex(&mut self, end: usize) -> Result<(), ScriptError> {
        let Ok(n) = u64::from_str_radix(&self.text[self.at + 2..end], 16) else {
            let pos = self.here(end);
            return Err(ScriptError::syntax(pos, "number too large", "does not fit in 64 bits"));
        };
        self.push(end, Kind::Hex(n));
        Ok(())
    }

    /// Where a dotted quad that begins here ends.
    fn ipv4_end(&self) -> Option<usize> {
        let mut at = self.at;
        for part in 0..4 {
            let end = self.span(at, |b| b.is_ascii_digit());
            if end == at {
                return None;
            }
            at = end;
            if part < 3 {
                if self.text.as_bytes().get(at) != Some(&b'.') {
                    return None;
                }
                at += 1;
            }
        }
        Some(at)
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}
