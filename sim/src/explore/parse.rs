//! Reads expressions; what cannot be understood is reported with its place.

use core::ops::Range;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::state::TcpState;

use super::expr::{Equal, Expr, NUMBERS, Number, WHATS, What, Who};
use crate::measure::Relation;
use crate::scenario::{Error, nearest};
use crate::units;

/// How deep parentheses may be nested.
const DEEPEST: usize = 64;
/// What stands between words.
const SIGNS: [&str; 9] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", ","];

/// A word or sign, with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Token<'t> {
    text: &'t str,
    span: Range<usize>,
}

/// Reads an expression from its tokens.
#[derive(Debug)]
pub(super) struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    place: usize,
    /// Where the text ends.
    end: usize,
    names: [&'t str; 2],
    fors: usize,
    depth: usize,
}

type Result<T> = core::result::Result<T, Error>;

fn tokens(text: &str) -> Result<Vec<Token<'_>>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.chars().next().unwrap_or(' ');
        let len = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            sign.len()
        } else {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            let len = rest.find(|c| !word(c)).unwrap_or(rest.len());
            if len == 0 {
                let help = (first == '=').then(|| "did you mean `==`?".to_owned());
                let message = format!("{first:?} means nothing here");
                let span = at..at + first.len_utf8();
                let expected = "expected words, numbers, parentheses or a comparison".to_owned();
                return Err(Error::new(span, message, expected).with_help(help));
            }
            len
        };
        out.push(Token { text: &rest[..len], span: at..at + len });
        at += len;
    }
    Ok(out)
}

impl<'t> Parser<'t> {
    /// For a text about hosts with those names.
    pub(super) fn new(text: &'t str, names: [&'t str; 2]) -> Result<Self> {
        let tokens = tokens(text)?;
        Ok(Self { tokens, place: 0, end: text.len(), names, fors: 0, depth: 0 })
    }
    fn peek(&self) -> &'t str {
        self.tokens.get(self.place).map_or("", |token| token.text)
    }
    fn span(&self) -> Range<usize> {
        let here = self.tokens.get(self.place).map(|token| token.span.clone());
        here.unwrap_or_else(|| self.end.saturating_sub(1)..self.end)
    }
    /// Takes that word, if it stands here.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        let is_it = self.peek() == text;
        self.place += usize::from(is_it);
        is_it
    }
    fn wrong<T>(&self, expected: &str) -> Result<T> {
        let message = match self.peek() {
            "" => "something is missing at the end".to_owned(),
            word => format!("{word:?} cannot stand here"),
        };
        Err(Error::new(self.span(), message, format!("expected {expected}")))
    }
    fn need(&mut self, text: &str) -> Result<()> {
        if self.takes(text) { Ok(()) } else { self.wrong(text) }
    }
    fn word(&mut self, expected: &str) -> Result<Token<'t>> {
        match self.tokens.get(self.place) {
            Some(token) if !SIGNS.contains(&token.text) => {
                self.place += 1;
                Ok(token.clone())
            }
            _ => self.wrong(expected),
        }
    }
    /// Nothing may follow.
    pub(super) fn finish(&self) -> Result<()> {
        let done = self.place == self.tokens.len();
        if done { Ok(()) } else { self.wrong("`and`, `or`, `for > TIME`, or nothing more") }
    }
    /// A time.
    pub(super) fn time(&mut self) -> Result<finwait_model::time::Span> {
        let token = self.word("a time such as 10s")?;
        units::span(token.text).map_err(|expected| {
            Error::new(token.span, format!("{:?} is no time", token.text), expected)
        })
    }
    /// An expression.
    pub(super) fn expr(&mut self) -> Result<Expr> {
        let mut left = self.both()?;
        while self.takes("or") {
            left = Expr::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }
    fn both(&mut self) -> Result<Expr> {
        let mut left = self.single()?;
        while self.takes("and") {
            left = Expr::And(Box::new(left), Box::new(self.single()?));
        }
        Ok(left)
    }
    fn single(&mut self) -> Result<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong("at most 64 levels of parentheses and `not`s");
        }
        let inner = if self.takes("not") {
            Expr::Not(Box::new(self.single()?))
        } else {
            let inner = if self.takes("(") {
                let inner = self.expr()?;
                self.need(")")?;
                inner
            } else {
                self.atom()?
            };
            self.lasting(inner)?
        };
        self.depth -= 1;
        Ok(inner)
    }
    /// `… for > 10s`.
    fn lasting(&mut self, inner: Expr) -> Result<Expr> {
        if !self.takes("for") {
            return Ok(inner);
        }
        self.need(">")?;
        let span = self.time()?;
        self.fors += 1;
        Ok(Expr::For(Box::new(inner), span, self.fors))
    }
    fn atom(&mut self) -> Result<Expr> {
        let expected = "rst_sent(HOST), state(HOST) == STATE, counter(HOST, NAME) > N or the like";
        let token = self.word(expected)?;
        let word = token.text;
        if word == "end" {
            return Ok(Expr::End);
        }
        if word == "state" {
            let who = self.of_host()?;
            self.need(")")?;
            return self.state(who);
        }
        if let Some((_, what, _)) = WHATS.iter().find(|(name, ..)| *name == word) {
            let who = self.of_host()?;
            let what = self.with_cause(*what)?;
            self.need(")")?;
            return Ok(Expr::Is(what, who));
        }
        if let Some((_, number, _)) = NUMBERS.iter().find(|(name, ..)| *name == word) {
            let who = self.of_host()?;
            let number = self.with_counter(*number)?;
            self.need(")")?;
            let (relation, bound) = (self.relation()?, self.number()?);
            return Ok(Expr::Number(number, who, relation, bound));
        }
        let names = WHATS.iter().map(|w| w.0).chain(NUMBERS.iter().map(|n| n.0));
        let near =
            nearest(word, names.chain(["state", "end"])).map(|n| format!("did you mean `{n}`?"));
        let message = format!("{word:?} is nothing that can be said of a host");
        Err(Error::new(token.span, message, format!("expected {expected}")).with_help(near))
    }
    /// `(HOST`, and what follows it is still to be read.
    fn of_host(&mut self) -> Result<Who> {
        self.need("(")?;
        let [one, other] = self.names;
        let expected = format!("{one}, {other}, any or peer");
        let token = self.word(&expected)?;
        match token.text {
            "any" => Ok(Who::Any),
            "peer" => Ok(Who::Peer),
            name if name == one => Ok(Who::Host(0)),
            name if name == other => Ok(Who::Host(1)),
            name => {
                let near = nearest(name, [one, other].into_iter());
                let message = format!("there is no host {name}");
                Err(Error::new(token.span, message, format!("expected {expected}"))
                    .with_help(near.map(|n| format!("did you mean `{n}`?"))))
            }
        }
    }
    fn with_cause(&mut self, what: What) -> Result<What> {
        let named = matches!(what, What::RstSent(_)) && self.takes(",");
        if !named && !matches!(what, What::Sent(_)) {
            return Ok(what);
        }
        if !named {
            self.need(",")?;
        }
        let token = self.word("the name of a cause, such as rst-no-socket")?;
        let Some(cause) = Cause::from_name(token.text) else {
            let near = nearest(token.text, Cause::all().map(Cause::name));
            let message = format!("{:?} is no cause", token.text);
            let expected = "expected one that `finwait explain` lists".to_owned();
            return Err(Error::new(token.span, message, expected)
                .with_help(near.map(|n| format!("did you mean `{n}`?"))));
        };
        Ok(if named { What::RstSent(Some(cause)) } else { What::Sent(cause) })
    }
    fn with_counter(&mut self, number: Number) -> Result<Number> {
        if !matches!(number, Number::Counter(_)) {
            return Ok(number);
        }
        self.need(",")?;
        let token = self.word("a counter's name, such as TcpOutRsts")?;
        let all = || Mib::ALL.iter().copied();
        if let Some(mib) = all().find(|m| m.nstat_name() == token.text) {
            return Ok(Number::Counter(mib));
        }
        let near = nearest(token.text, all().map(Mib::nstat_name));
        let message = format!("{:?} is no counter", token.text);
        Err(Error::new(token.span, message, "expected a name as nstat prints it".to_owned())
            .with_help(near.map(|n| format!("did you mean `{n}`?"))))
    }
    fn relation(&mut self) -> Result<Relation> {
        let all = [
            Relation::Equal,
            Relation::Differs,
            Relation::Less,
            Relation::AtMost,
            Relation::More,
            Relation::AtLeast,
        ];
        match all.into_iter().find(|r| r.to_string() == self.peek()) {
            Some(relation) => {
                self.place += 1;
                Ok(relation)
            }
            None => self.wrong("==, !=, <, <=, > or >="),
        }
    }
    fn number(&mut self) -> Result<u64> {
        let token = self.word("a whole number")?;
        token.text.parse().map_err(|_| {
            let message = format!("{:?} is no whole number", token.text);
            Error::new(token.span, message, "expected 0 or more".to_owned())
        })
    }
    fn state(&mut self, who: Who) -> Result<Expr> {
        let equal = match self.relation()? {
            Relation::Equal => Equal::Yes,
            Relation::Differs => Equal::No,
            _ => {
                self.place -= 1;
                return self.wrong("== or !=");
            }
        };
        let token = self.word("a state as ss prints it, or CLOSED")?;
        let closed = token.text.eq_ignore_ascii_case("CLOSED").then_some(TcpState::Close);
        let named = || {
            let is_it = |s: &TcpState| s.ss_name().eq_ignore_ascii_case(token.text);
            TcpState::ALL.into_iter().find(is_it)
        };
        if let Some(state) = closed.or_else(named) {
            return Ok(Expr::State(who, equal, state));
        }
        let typed = token.text.to_ascii_uppercase();
        let near = nearest(&typed, TcpState::ALL.iter().map(|s| s.ss_name()));
        let message = format!("{:?} is no state", token.text);
        let expected = "expected ESTAB, FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, CLOSE-WAIT, … or CLOSED";
        Err(Error::new(token.span, message, expected.to_owned())
            .with_help(near.map(|n| format!("did you mean `{n}`?"))))
    }
}
