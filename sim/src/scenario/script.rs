//! `kind = "scripted"`: a program, one system call or wait on each line.

use core::ops::Range;

use toml::Spanned;

use finwait_model::errno::Errno;
use finwait_model::kernel::How;
use finwait_model::time::Span;

use super::error::{Error, nearest};
use super::pool::count;
use super::schema::{self, FromText as _};
use super::{Scenario, build, script_option};
use crate::app::{Delay, Line, Op, Outcome, Recv, ScriptPlan, Wanted};
use crate::units;

/// The words that lines begin with.
const VERBS: [&str; 13] = [
    "socket",
    "bind",
    "connect",
    "accept",
    "send",
    "recv",
    "shutdown",
    "setsockopt",
    "close",
    "wait",
    "repeat",
    "end",
    "exit",
];

pub(super) fn scripted(
    app: &schema::Scripted,
    text: &str,
    scenario: &Scenario,
) -> Result<ScriptPlan, Error> {
    let mut parser = Parser {
        place: Place::of(&app.script, text),
        names: vec![String::new()],
        opened: vec![false],
        listens: app.port.is_some(),
        program: Vec::new(),
        loops: Vec::new(),
        scenario,
    };
    let mut at = 0;
    for (number, line) in (1..).zip(app.script.get_ref().split('\n')) {
        parser.line(line, number, at)?;
        at += line.len() + 1;
    }
    if let Some((_, span)) = parser.loops.pop() {
        return wrong(span, "this `repeat` has no end", "expected a line `end` behind it");
    }
    if parser.program.is_empty() {
        return wrong(
            app.script.span(),
            "the script is empty",
            "expected lines such as connect redis:6379",
        );
    }
    let targets = parser.program.iter().filter_map(|line| match line.op {
        Op::Connect { to, .. } => Some(to),
        _ => None,
    });
    Ok(ScriptPlan {
        targets: targets.collect(),
        program: parser.program,
        names: parser.names,
        copies: count(app.copies.as_ref(), 1, "copies")?,
        start: app.start.map_or(Span::ZERO, |start| start.0),
        ports: app.port.as_ref().map(|port| (port.get_ref().0, port.get_ref().1)),
        backlog: i32::from(app.backlog.unwrap_or(128)),
    })
}

pub(super) fn wrong<T>(
    span: Range<usize>,
    message: impl Into<String>,
    expected: impl Into<String>,
) -> Result<T, Error> {
    Err(Error::new(span, message.into(), expected.into()))
}

/// Where the script stands in the file: places in it are places in the file if it has no escapes.
struct Place {
    whole: Range<usize>,
    first: Option<usize>,
}

impl Place {
    fn of(script: &Spanned<String>, text: &str) -> Self {
        let whole = script.span();
        let raw = text.get(whole.clone()).unwrap_or_default();
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        // A line feed right behind the opening quotes does not count.
        let body = raw.get(quotes..raw.len().saturating_sub(quotes)).unwrap_or_default();
        let skipped =
            if quotes == 3 { body.len() - body.trim_start_matches(['\r', '\n']).len() } else { 0 };
        let skipped = skipped.min(1 + usize::from(body.starts_with('\r')));
        let same = body.get(skipped..) == Some(script.get_ref().as_str());
        let first = same.then_some(whole.start + quotes + skipped);
        Self { whole, first }
    }
    fn span(&self, range: Range<usize>) -> Range<usize> {
        match self.first {
            Some(first) => first + range.start..first + range.end,
            None => self.whole.clone(),
        }
    }
}

/// A word of a line, with its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
}

struct Parser<'a> {
    place: Place,
    names: Vec<String>,
    /// Which names stand for a connection on some line above.
    opened: Vec<bool>,
    listens: bool,
    program: Vec<Line>,
    /// Loops that are not closed yet: the place of the beginning in the program, and in the file.
    loops: Vec<(usize, Range<usize>)>,
    scenario: &'a Scenario,
}

/// The words of a line behind its verb.
pub(super) struct Rest<'a> {
    words: std::vec::IntoIter<Word<'a>>,
    /// Where the line ends.
    end: Range<usize>,
}

impl<'a> Rest<'a> {
    /// The next word, or what was expected instead.
    pub(super) fn word(&mut self, expected: &str) -> Result<Word<'a>, Error> {
        let end = self.end.clone();
        self.words.next().map_or_else(|| wrong(end, "something is missing here", expected), Ok)
    }
    /// A number up to `most`.
    pub(super) fn number(&mut self, most: u32, expected: &str) -> Result<u32, Error> {
        let word = self.word(expected)?;
        let number = word.text.replace('_', "").parse().ok().filter(|n| *n <= most);
        number.map_or_else(
            || wrong(word.span, format!("{:?} does not fit here", word.text), expected),
            Ok,
        )
    }
    fn over(&mut self, expected: &str) -> Result<(), Error> {
        match self.words.next() {
            None => Ok(()),
            Some(word) => wrong(word.span, format!("{:?} is too much", word.text), expected),
        }
    }
}

impl Parser<'_> {
    fn line(&mut self, line: &str, number: u32, at: usize) -> Result<(), Error> {
        let code = line.split('#').next().unwrap_or_default();
        let mut words = self.words(code, at);
        let Some(verb) = words.first().cloned() else { return Ok(()) };
        let end = at + code.trim_end().len();
        let wanted = self.wanted(&mut words)?;
        let name = self.name(&mut words)?;
        words.remove(0);
        let end = self.place.span(end..end + 1);
        let mut rest = Rest { words: words.into_iter(), end };
        let op = self.op(&verb, name.as_ref(), &mut rest)?;
        rest.over("expected the end of the line, `as NAME`, `on NAME` or `= OUTCOME`")?;
        if let (Some(_), None) = (&name, op.handle()) {
            let span = name.map_or_else(|| verb.span.clone(), |name| name.span);
            return wrong(
                span,
                format!("`{}` is about no connection", verb.text),
                "expected no name",
            );
        }
        self.program.push(Line { op, wanted, number, text: code.trim().to_owned() });
        Ok(())
    }
    fn words<'l>(&self, code: &'l str, at: usize) -> Vec<Word<'l>> {
        let mut words = Vec::new();
        let mut from = 0;
        for text in code.split(char::is_whitespace) {
            if !text.is_empty() {
                words.push(Word { text, span: self.place.span(at + from..at + from + text.len()) });
            }
            // The blank behind it is one character, and may be more than one byte.
            from += text.len();
            from += code.get(from..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
        words
    }
    /// `= ECONNRESET` at the end of a line.
    fn wanted(&self, words: &mut Vec<Word<'_>>) -> Result<Wanted, Error> {
        let Some(place) = words.iter().position(|word| word.text == "=") else {
            return Ok(Wanted::Exactly(Outcome::Done));
        };
        const EXPECTED: &str = "expected ok, any, EOF, or an error such as ECONNRESET";
        let tail = words.split_off(place);
        let [sign, outcome, more @ ..] = &tail[..] else {
            let span = tail.first().map_or(0..0, |sign| sign.span.clone());
            return wrong(span, "nothing is expected here", EXPECTED);
        };
        if let Some(more) = more.first() {
            return wrong(
                more.span.clone(),
                format!("{:?} is too much", more.text),
                "expected one outcome",
            );
        }
        debug_assert_eq!(sign.text, "=", "invariant: it was looked for");
        match outcome.text {
            "ok" => Ok(Wanted::Exactly(Outcome::Done)),
            "any" => Ok(Wanted::Any),
            "EOF" => Ok(Wanted::Exactly(Outcome::Eof)),
            name => match Errno::from_name(name) {
                Some(errno) => Ok(Wanted::Exactly(Outcome::Failed(errno))),
                None => {
                    let near = nearest(name, Errno::ALL.iter().map(|errno| errno.name()));
                    let help = near.map(|near| format!("did you mean `{near}`?"));
                    let message = format!("{name:?} is nothing that a call answers");
                    Err(Error::new(outcome.span.clone(), message, EXPECTED.to_owned())
                        .with_help(help))
                }
            },
        }
    }
    /// `as NAME` or `on NAME` behind everything else.
    fn name<'l>(&self, words: &mut Vec<Word<'l>>) -> Result<Option<Word<'l>>, Error> {
        let names = |word: &Word<'_>| matches!(word.text, "as" | "on");
        let opens = matches!(words[0].text, "socket" | "connect" | "accept");
        // `on` alone is the value of a switch.
        if let Some(last) = words.last().filter(|word| names(word) && words[0].text != "setsockopt")
        {
            let span = last.span.clone();
            return wrong(span, "a name is missing", "expected a name of yours behind it");
        }
        let place = words.len().saturating_sub(2);
        if !words.get(place).is_some_and(names) || place == 0 {
            return Ok(None);
        }
        let tail = words.split_off(place);
        let (sign, name) = (&tail[0], &tail[1]);
        if sign.text == "as" && !opens && VERBS.contains(&words[0].text) {
            let message = format!("`{}` gives no name to a connection", words[0].text);
            return wrong(sign.span.clone(), message, "expected `on NAME`");
        }
        Ok(Some(name.clone()))
    }
    /// The place of a connection's name. A line that opens one makes it; any other needs it.
    fn handle(
        &mut self,
        verb: &Word<'_>,
        name: Option<&Word<'_>>,
        opens: bool,
    ) -> Result<usize, Error> {
        let text = name.map_or("", |name| name.text);
        let known = self.names.iter().position(|known| known == text);
        let place = known.unwrap_or(self.names.len());
        if opens {
            if known.is_none() {
                self.names.push(text.to_owned());
                self.opened.push(true);
            }
            self.opened[place] = true;
            return Ok(place);
        }
        if known.is_some_and(|place| self.opened[place]) {
            return Ok(place);
        }
        match name {
            Some(name) => {
                let near =
                    nearest(text, self.names.iter().map(String::as_str).filter(|n| !n.is_empty()));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let message = format!("no connection is called {text:?} here");
                let expected = format!("expected connect …, accept or socket `as {text}` above");
                Err(Error::new(name.span.clone(), message, expected).with_help(help))
            }
            None => {
                let message = format!("there is no connection for `{}`", verb.text);
                wrong(
                    verb.span.clone(),
                    message,
                    "expected connect, accept or socket above, or `on NAME`",
                )
            }
        }
    }
    fn op(
        &mut self,
        verb: &Word<'_>,
        name: Option<&Word<'_>>,
        rest: &mut Rest<'_>,
    ) -> Result<Op, Error> {
        let opens = matches!(verb.text, "socket" | "connect" | "accept");
        let mut on = || self.handle(verb, name, opens);
        Ok(match verb.text {
            "socket" => Op::Socket { on: on()? },
            "bind" => {
                let on = on()?;
                Op::Bind { on, port: rest.number(65_535, "expected a port such as 40000")? as u16 }
            }
            "connect" => {
                let on = on()?;
                Op::Connect {
                    on,
                    to: self.target(&rest.word("expected HOST:PORT such as redis:6379")?)?,
                }
            }
            "accept" => {
                let on = on()?;
                if !self.listens {
                    let expected = "expected `port = 7000` above the script";
                    return wrong(verb.span.clone(), "this program listens on no port", expected);
                }
                Op::Accept { on }
            }
            "send" => {
                let on = on()?;
                Op::Send {
                    on,
                    bytes: rest
                        .number(u32::MAX >> 1, "expected a number of bytes, up to 2147483647")?,
                }
            }
            "recv" => Op::Recv { on: on()?, what: recv(rest)? },
            "shutdown" => Op::Shutdown { on: on()?, how: how(rest)? },
            "setsockopt" => Op::SetSockOpt { on: on()?, opt: script_option::option(rest)? },
            "close" => Op::Close { on: on()? },
            "wait" => Op::Wait(delay(rest)?),
            "repeat" => self.repeat(verb, rest)?,
            "end" => self.end(verb)?,
            "exit" => Op::Exit,
            other => {
                let help =
                    nearest(other, VERBS.into_iter()).map(|near| format!("did you mean `{near}`?"));
                let expected = format!("expected one of {}", VERBS.join(", "));
                let message = format!("{other:?} is no system call of a script");
                return Err(Error::new(verb.span.clone(), message, expected).with_help(help));
            }
        })
    }
    fn target(&self, word: &Word<'_>) -> Result<finwait_model::flow::Endpoint, Error> {
        let spanned = Spanned::new(word.span.clone(), word.text.to_owned());
        match build::targets(&spanned, self.scenario)?[..] {
            [to] => Ok(to),
            _ => wrong(word.span.clone(), "connect() goes to one port", "expected HOST:PORT"),
        }
    }
    fn repeat(&mut self, verb: &Word<'_>, rest: &mut Rest<'_>) -> Result<Op, Error> {
        const EXPECTED: &str = "expected how often, such as 10, or forever";
        let word = rest.word(EXPECTED)?;
        let times = match word.text {
            "forever" => None,
            number => match number.replace('_', "").parse() {
                Ok(times) => Some(times),
                Err(_) => {
                    return wrong(word.span, format!("{number:?} does not fit here"), EXPECTED);
                }
            },
        };
        self.loops.push((self.program.len(), verb.span.clone()));
        Ok(Op::Repeat { times, end: 0 })
    }
    fn end(&mut self, verb: &Word<'_>) -> Result<Op, Error> {
        let Some((start, _)) = self.loops.pop() else {
            return wrong(
                verb.span.clone(),
                "nothing ends here",
                "expected a line `repeat N` above",
            );
        };
        let place = self.program.len();
        if let Op::Repeat { end, .. } = &mut self.program[start].op {
            *end = place;
        }
        Ok(Op::End { start })
    }
}

fn recv(rest: &mut Rest<'_>) -> Result<Recv, Error> {
    const EXPECTED: &str = "expected a number of bytes, `some` or `eof`";
    let word = rest.word(EXPECTED)?;
    match word.text {
        "eof" => Ok(Recv::Eof),
        "some" => Ok(Recv::Some),
        number => match number.replace('_', "").parse() {
            Ok(bytes) if bytes > 0 => Ok(Recv::Bytes(bytes)),
            _ => wrong(word.span, format!("{number:?} does not fit here"), EXPECTED),
        },
    }
}

fn how(rest: &mut Rest<'_>) -> Result<How, Error> {
    const EXPECTED: &str = "expected rd, wr or rdwr";
    let word = rest.word(EXPECTED)?;
    match word.text {
        "rd" => Ok(How::Rd),
        "wr" => Ok(How::Wr),
        "rdwr" => Ok(How::RdWr),
        other => wrong(word.span, format!("{other:?} cannot be shut"), EXPECTED),
    }
}

fn delay(rest: &mut Rest<'_>) -> Result<Delay, Error> {
    let word = rest.word(Delay::EXPECTING)?;
    let read = Delay::from_text(word.text);
    read.or_else(|expected| {
        wrong(word.span, format!("{:?} does not fit here", word.text), expected)
    })
}

/// A time that is written as whole seconds.
pub(super) fn whole_seconds(word: &Word<'_>) -> Option<u64> {
    let ns = units::span(word.text).ok()?.ns;
    ns.is_multiple_of(1_000_000_000).then_some(ns / 1_000_000_000)
}
