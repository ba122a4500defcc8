//! Tokens as a tree, with names looked up and types checked.

use core::ops::Range;

use super::{Kind, Node, Op, Token, Words, lex};
use crate::error::Mistake;

/// Nobody writes deeper conditions than this by hand.
const DEPTH: u32 = 64;
/// More words than a page holds are no condition.
const LONGEST: usize = 4096;

type Typed = (Node, Kind, Range<usize>);

struct Parser<'a> {
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
    end: usize,
    words: &'a Words,
    knows_that: bool,
    depth: u32,
}

/// Reads a whole condition.
pub(super) fn parse(text: &str, words: &Words, knows_that: bool) -> Result<Node, Mistake> {
    let tokens = lex(text)?;
    if tokens.len() > LONGEST {
        let span = tokens[LONGEST].1.clone();
        return Err(Mistake::new(span, "the condition is too long", "expected at most a page"));
    }
    let mut parser = Parser { tokens, next: 0, end: text.len(), words, knows_that, depth: 0 };
    let (node, kind, span) = parser.implies()?;
    if let Some((_, span)) = parser.tokens.get(parser.next) {
        let expected = "expected and, or, implies, a comparison, or the end";
        return Err(Mistake::new(span.clone(), "the condition ends before this", expected));
    }
    want(Kind::Truth, kind, span)?;
    Ok(node)
}

fn want(wanted: Kind, kind: Kind, span: Range<usize>) -> Result<(), Mistake> {
    if wanted == kind {
        return Ok(());
    }
    let message = format!("this is {}", kind.text());
    let expected = match wanted {
        Kind::Truth => "expected a condition, such as fin or seq == rcv_nxt".to_owned(),
        Kind::Number => "expected a number, such as seq or 1460".to_owned(),
    };
    Err(Mistake::new(span, message, expected))
}

impl Parser<'_> {
    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.next), Some((Token::Word(w), _)) if w == word);
        self.next += usize::from(found);
        found
    }
    fn sign(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let Some((Token::Sign(sign), _)) = self.tokens.get(self.next) else { return None };
        let sign = *sign;
        signs.contains(&sign).then(|| {
            self.next += 1;
            sign
        })
    }
    fn joined(left: Typed, op: Op, right: Typed, of: Kind, gives: Kind) -> Result<Typed, Mistake> {
        want(of, left.1, left.2.clone())?;
        want(of, right.1, right.2.clone())?;
        let span = left.2.start..right.2.end;
        Ok((Node::Two(op, Box::new(left.0), Box::new(right.0)), gives, span))
    }
    /// `a implies b implies c` is `a implies (b implies c)`.
    fn implies(&mut self) -> Result<Typed, Mistake> {
        let left = self.or()?;
        if !self.word("implies") {
            return Ok(left);
        }
        let right = self.deeper(Self::implies)?;
        Self::joined(left, Op::Implies, right, Kind::Truth, Kind::Truth)
    }
    fn or(&mut self) -> Result<Typed, Mistake> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Self::joined(left, Op::Or, self.and()?, Kind::Truth, Kind::Truth)?;
        }
        Ok(left)
    }
    fn and(&mut self) -> Result<Typed, Mistake> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Self::joined(left, Op::And, self.not()?, Kind::Truth, Kind::Truth)?;
        }
        Ok(left)
    }
    fn not(&mut self) -> Result<Typed, Mistake> {
        let start = self.place().start;
        if !self.word("not") {
            return self.comparison();
        }
        let (node, kind, span) = self.deeper(Self::not)?;
        want(Kind::Truth, kind, span.clone())?;
        Ok((Node::Not(Box::new(node)), Kind::Truth, start..span.end))
    }
    fn comparison(&mut self) -> Result<Typed, Mistake> {
        let left = self.sum()?;
        let Some(sign) = self.sign(&["==", "!=", "<=", ">=", "<", ">"]) else { return Ok(left) };
        let op = match sign {
            "==" => Op::Equal,
            "!=" => Op::Differs,
            "<=" => Op::AtMost,
            ">=" => Op::AtLeast,
            "<" => Op::Less,
            _ => Op::More,
        };
        let right = self.sum()?;
        // Truths may be compared with one another, too.
        let kind = if matches!(op, Op::Equal | Op::Differs) { left.1 } else { Kind::Number };
        Self::joined(left, op, right, kind, Kind::Truth)
    }
    fn sum(&mut self) -> Result<Typed, Mistake> {
        let mut left = self.one()?;
        while let Some(sign) = self.sign(&["+", "-"]) {
            let op = if sign == "+" { Op::Plus } else { Op::Minus };
            left = Self::joined(left, op, self.one()?, Kind::Number, Kind::Number)?;
        }
        Ok(left)
    }
    fn one(&mut self) -> Result<Typed, Mistake> {
        let span = self.place();
        if self.sign(&["-"]).is_some() {
            let (node, kind, inner) = self.deeper(Self::one)?;
            want(Kind::Number, kind, inner.clone())?;
            return Ok((Node::Minus(Box::new(node)), kind, span.start..inner.end));
        }
        if self.sign(&["("]).is_some() {
            let (node, kind, _) = self.deeper(Self::implies)?;
            let end = self.place();
            if self.sign(&[")"]).is_none() {
                return Err(Mistake::new(end, "a parenthesis is not closed", "expected )"));
            }
            return Ok((node, kind, span.start..end.end));
        }
        match self.tokens.get(self.next).cloned() {
            Some((Token::Number(number), span)) => {
                self.next += 1;
                Ok((Node::Literal(number), Kind::Number, span))
            }
            Some((Token::Word(word), span)) => {
                self.next += 1;
                self.name(&word, span)
            }
            Some((Token::Sign(sign), span)) => {
                let message = format!("`{sign}` stands where a value should");
                Err(Mistake::new(span, message, "expected a name, a number or ("))
            }
            None => Err(Mistake::new(span, "something is missing", "expected a name or a number")),
        }
    }
    fn name(&mut self, word: &str, span: Range<usize>) -> Result<Typed, Mistake> {
        match word {
            "true" => return Ok((Node::Literal(1), Kind::Truth, span)),
            "false" => return Ok((Node::Literal(0), Kind::Truth, span)),
            "that" if self.knows_that => return self.that(span),
            _ => {}
        }
        let place = self.find(word, span.clone())?;
        Ok((Node::Name(place), self.words[place].kind, span))
    }
    fn that(&mut self, span: Range<usize>) -> Result<Typed, Mistake> {
        let dot = self.sign(&["."]).is_some();
        match self.tokens.get(self.next).cloned() {
            Some((Token::Word(word), inner)) if dot => {
                self.next += 1;
                let place = self.find(&word, inner.clone())?;
                Ok((Node::That(place), self.words[place].kind, span.start..inner.end))
            }
            _ => {
                let message = "`that` is the earlier event, not a value";
                Err(Mistake::new(span, message, "expected that.NAME, such as that.seq"))
            }
        }
    }
    fn find(&self, word: &str, span: Range<usize>) -> Result<usize, Mistake> {
        self.words.iter().position(|w| w.name == word).ok_or_else(|| {
            let names: Vec<&str> = self.words.iter().map(|w| w.name).collect();
            let message = format!("there is no `{word}`");
            Mistake::new(span, message, format!("expected one of {}", names.join(", ")))
        })
    }
    /// The next token's place, or the end's.
    fn place(&self) -> Range<usize> {
        self.tokens.get(self.next).map_or(self.end..self.end, |(_, span)| span.clone())
    }
    fn deeper(&mut self, read: fn(&mut Self) -> Result<Typed, Mistake>) -> Result<Typed, Mistake> {
        if self.depth == DEPTH {
            let message = "the condition is nested too deeply";
            return Err(Mistake::new(self.place(), message, "expected at most 64 levels"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }
}
