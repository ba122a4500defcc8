//! From text to a [`Script`]: the frame of the language, options, events and times. Packets are in
//! `parse_packet`, system calls in `parse_call`, `%{ }%` blocks in `parse_code`.
//!
//! Recursive descent by hand, because an error message can then say what a person would say.

use finwait_model::release::Release;

use super::ast::{Action, Code, Direction, Event, OptionLine, Pos, Script, Shell, Time};
use super::diagnostic::ScriptError;
use super::lexer::{Kind, MAX_BYTES, Token, lex};
use super::parse_code::parse_code;

/// A script may have this many events.
pub const MAX_EVENTS: usize = 100_000;

/// Parses a script. Total: any bytes give a script or an error.
pub fn parse(bytes: &[u8]) -> Result<Script, ScriptError> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the script is longer than {MAX_BYTES} bytes; that is the limit");
        return Err(ScriptError::limit(Pos { line: 1, column: 1, start: 0, end: 0 }, message));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(bytes, error.valid_up_to())),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lexed = lex(text)?;
    let mut script = Script::default();
    header(&mut script, lexed.about)?;
    let mut parser = Parser { tokens: lexed.tokens, at: 0, depth: 0 };
    parser.script(&mut script)?;
    Ok(script)
}

fn not_utf8(bytes: &[u8], at: usize) -> ScriptError {
    let before = &bytes[..at];
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let line = count(1 + before.iter().filter(|&&b| b == b'\n').count());
    let column = count(1 + String::from_utf8_lossy(&before[line_start..]).chars().count());
    let pos = Pos { line, column, start: count(at), end: count(at + 1) };
    ScriptError::syntax(pos, "the script is not UTF-8", "this byte")
}

/// Takes the release out of the opening comment; the rest is what the script is about.
fn header(script: &mut Script, lines: Vec<(Pos, String)>) -> Result<(), ScriptError> {
    for (pos, line) in lines {
        let Some(name) = line.strip_prefix("kernel:").map(str::trim) else {
            script.about.push(line);
            continue;
        };
        let Some(release) = Release::from_name(name) else {
            let names: Vec<_> = Release::ALL.iter().map(|r| r.name()).collect();
            let expected = format!("one of {}", names.join(", "));
            return Err(ScriptError::syntax(pos, format!("unknown kernel `{name}`"), expected));
        };
        script.kernel = Some(release);
    }
    while script.about.last().is_some_and(String::is_empty) {
        script.about.pop();
    }
    Ok(())
}

pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    /// How deep the expression nests that is being read.
    pub(super) depth: u32,
}

impl Parser {
    /// The token `ahead` places on; the last one is [`Kind::End`] and stays.
    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }
    pub(super) fn peek(&self) -> &Token {
        self.peek_at(0)
    }
    pub(super) fn pos(&self) -> Pos {
        self.peek().pos
    }
    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }
    pub(super) fn is(&self, c: char) -> bool {
        self.peek().kind == Kind::Punct(c)
    }
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.peek().kind, Kind::Word(w) if w == word)
    }
    pub(super) fn eat(&mut self, c: char) -> bool {
        let found = self.is(c);
        if found {
            self.next();
        }
        found
    }
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
    }
    /// What is here is not what should be.
    pub(super) fn unexpected(&self, expected: impl Into<String>) -> ScriptError {
        let token = self.peek();
        let message = format!("unexpected {}", token.kind.describe());
        ScriptError::syntax(token.pos, message, expected)
    }
    pub(super) fn expect(&mut self, c: char, why: &str) -> Result<(), ScriptError> {
        if self.eat(c) { Ok(()) } else { Err(self.unexpected(format!("expected `{c}` {why}"))) }
    }
    /// An integer within `0..=max`.
    pub(super) fn number(&mut self, what: &str, max: u64) -> Result<u64, ScriptError> {
        let token = self.peek().clone();
        let Kind::Int(n) = token.kind else {
            return Err(self.unexpected(format!("expected {what}, a whole number")));
        };
        match u64::try_from(n) {
            Ok(n) if n <= max => {
                self.next();
                Ok(n)
            }
            _ => Err(ScriptError::syntax(
                token.pos,
                format!("{what} {n} is out of range"),
                format!("from 0 to {max}"),
            )),
        }
    }
    pub(super) fn number_u16(&mut self, what: &str) -> Result<u16, ScriptError> {
        let n = self.number(what, u64::from(u16::MAX))?;
        Ok(u16::try_from(n).unwrap_or(u16::MAX))
    }
    pub(super) fn number_u32(&mut self, what: &str) -> Result<u32, ScriptError> {
        let n = self.number(what, u64::from(u32::MAX))?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }

    fn script(&mut self, script: &mut Script) -> Result<(), ScriptError> {
        while let Kind::Option(name, value) = self.peek().kind.clone() {
            let pos = self.next().pos;
            if let (true, Some(value)) = (name == "define", &value) {
                self.define(pos, value)?;
            }
            script.options.push(OptionLine { pos, name, value });
        }
        if matches!(self.peek().kind, Kind::Backtick(_)) {
            script.init = Some(self.shell());
        }
        while self.peek().kind != Kind::End {
            if matches!(self.peek().kind, Kind::Backtick(_)) {
                script.cleanup = Some(self.shell());
                if self.peek().kind != Kind::End {
                    return Err(self
                        .unexpected("expected the end of the script")
                        .help("a command between events needs a time: +0 `command`"));
                }
                break;
            }
            if script.events.len() == MAX_EVENTS {
                let message = format!("more than {MAX_EVENTS} events; that is the limit");
                return Err(ScriptError::limit(self.pos(), message));
            }
            let event = self.event()?;
            script.events.push(event);
        }
        if script.events.is_empty() {
            let expected = "expected an event, as in 0 < S 0:0(0) win 1000";
            return Err(ScriptError::syntax(self.pos(), "the script has no events", expected));
        }
        Ok(())
    }

    /// `--define=NAME=value`: the name stands for the value in the whole script.
    fn define(&mut self, pos: Pos, definition: &str) -> Result<(), ScriptError> {
        let Some((name, value)) = definition.split_once('=') else {
            let message = "a definition without `=`";
            return Err(ScriptError::syntax(pos, message, "expected --define=NAME=value"));
        };
        let mut lexed = lex(value)?.tokens;
        if lexed.len() != 2 {
            let expected = "expected one word, number, text or command";
            return Err(ScriptError::syntax(pos, "a definition of several words", expected));
        }
        let kind = lexed.swap_remove(0).kind;
        for token in &mut self.tokens[self.at..] {
            if matches!(&token.kind, Kind::Word(w) if w == name) {
                token.kind = kind.clone();
            }
        }
        Ok(())
    }

    fn shell(&mut self) -> Shell {
        let token = self.next();
        match token.kind {
            Kind::Backtick(text) => Shell { pos: token.pos, text },
            _ => Shell { pos: token.pos, text: String::new() },
        }
    }

    fn event(&mut self) -> Result<Event, ScriptError> {
        let pos = self.pos();
        let time = self.event_time()?;
        let action = self.action(time)?;
        let outbound =
            matches!(&action, Action::Packet(packet) if packet.direction == Direction::Out);
        if !outbound && !matches!(time, Time::Absolute(_) | Time::Relative(_)) {
            let what = if time == Time::Any { "`*`" } else { "a time range" };
            let message = format!("{what} is only for packets that the host sends");
            return Err(ScriptError::syntax(pos, message, "expected one time, as in +0.1"));
        }
        Ok(Event { pos, time, action })
    }

    fn event_time(&mut self) -> Result<Time, ScriptError> {
        let pos = self.pos();
        if self.eat('*') {
            return Ok(Time::Any);
        }
        let relative = self.eat('+');
        if !relative && !matches!(self.peek().kind, Kind::Int(_) | Kind::Float(_)) {
            let help = "every event begins with a time, as in +0 or 0.100";
            let mut error = self.unexpected("expected a time: 0.1, +0.1, 0.1~0.2, +0.1~+0.2 or *");
            if matches!(self.peek().kind, Kind::Word(_) | Kind::Punct('<' | '>')) {
                error = error.help(help);
            }
            return Err(error);
        }
        let from = self.time()?;
        if !self.eat('~') {
            return Ok(if relative { Time::Relative(from) } else { Time::Absolute(from) });
        }
        if relative {
            self.expect('+', "because the range began with `+`")?;
        }
        let to = self.time()?;
        if to < from {
            let message = "the time range ends before it begins";
            return Err(ScriptError::syntax(pos, message, ""));
        }
        Ok(if relative { Time::RelativeRange(from, to) } else { Time::AbsoluteRange(from, to) })
    }

    /// Seconds, as nanoseconds in whole microseconds.
    pub(super) fn time(&mut self) -> Result<u64, ScriptError> {
        /// About 31 years: sums of many times still fit.
        const MAX_SECONDS: u64 = 1_000_000_000;
        let token = self.peek().clone();
        let text = match &token.kind {
            Kind::Int(n) => n.to_string(),
            Kind::Float(text) => text.clone(),
            _ => return Err(self.unexpected("expected a time in seconds")),
        };
        if text.starts_with('-') {
            let expected = "expected a time of 0 or more";
            return Err(ScriptError::syntax(token.pos, format!("negative time {text}"), expected));
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let seconds = if whole.is_empty() { Ok(0) } else { whole.parse::<u64>() };
        let Some(seconds) = seconds.ok().filter(|&s| s <= MAX_SECONDS) else {
            let expected = format!("at most {MAX_SECONDS} seconds");
            return Err(ScriptError::syntax(token.pos, "time too large", expected));
        };
        let micros = fraction
            .bytes()
            .chain(std::iter::repeat(b'0'))
            .take(6)
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        self.next();
        Ok(seconds * 1_000_000_000 + micros * 1_000)
    }

    fn action(&mut self, time: Time) -> Result<Action, ScriptError> {
        match self.peek().kind.clone() {
            Kind::Punct('<' | '>') => Ok(Action::Packet(self.packet()?)),
            Kind::Backtick(_) => Ok(Action::Shell(self.shell())),
            Kind::Code(text) => {
                let pos = self.next().pos;
                Ok(Action::Code(Code { pos, statements: parse_code(&text, pos)? }))
            }
            Kind::Word(_) => Ok(Action::Call(self.call(None)?)),
            Kind::Ellipsis if matches!(time, Time::Absolute(_) | Time::Relative(_)) => {
                let pos = self.next().pos;
                let end = self.time()?;
                if let Time::Absolute(start) | Time::Relative(start) = time
                    && end < start
                {
                    let message = "the call ends before it begins";
                    return Err(ScriptError::syntax(pos, message, ""));
                }
                Ok(Action::Call(self.call(Some(end))?))
            }
            _ => Err(self.unexpected(
                "expected a packet (`<` or `>`), a system call, a `command` or a %{ }% block",
            )),
        }
    }
}
