//! Laws: what must hold of every decision, or of every conversation.
//!
//! ```text
//! always rst implies not sends_rst
//! after in and fin eventually out and ack and ackno >= that.end
//! after out and fin never out and len > 0
//! ```

use core::ops::Range;

use crate::error::Mistake;
use crate::expr::{Condition, Token, Values, Word, Words, lex, truth};
use crate::rules::{lines, trimmed, written};
use crate::subject::{Case, Subject};
use crate::trace::Trace;

/// A text of laws that has been read.
#[derive(Clone, Debug)]
pub struct Laws(Vec<Law>);

/// One line.
#[derive(Clone, Debug)]
pub struct Law {
    /// Counted from 1.
    pub line: usize,
    /// As it was written.
    pub text: String,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Always(Condition),
    Never(Condition),
    AfterNever(Condition, Condition),
    AfterEventually(Condition, Condition),
}

/// How a law was broken by a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The segments that break it, by their place: one, or the earlier and the later one.
    pub places: Vec<usize>,
}

/// What laws about decisions may say of a decision.
pub const OUTCOMES: [Word; 7] = [
    truth("sends_ack", "an ACK leaves"),
    truth("sends_rst", "a RST leaves"),
    truth("silent", "nothing leaves"),
    truth("dies", "the bucket goes"),
    truth("enters_time_wait", "the bucket goes from FIN-WAIT-2 to TIME-WAIT"),
    truth("restarts", "the 60 s begin anew, in silence"),
    truth("reopens", "a new connection takes its place"),
];

/// The names of a subject's cases, and those of decisions.
pub fn words_of(subject: &Subject) -> Vec<Word> {
    subject.words.iter().copied().chain(OUTCOMES).collect()
}

/// Their values in a case that was decided so.
pub fn values_of(case: &Case, verdict: &str) -> Vec<i64> {
    let is = |names: &[&str]| i64::from(names.contains(&verdict));
    let outcomes = [
        is(&["ack", "time-wait"]),
        is(&["rst"]),
        is(&["drop", "restart", "die"]),
        is(&["rst", "die", "reopen"]),
        is(&["time-wait"]),
        is(&["restart"]),
        is(&["reopen"]),
    ];
    case.values.iter().copied().chain(outcomes).collect()
}

impl Laws {
    /// Reads laws; may they speak of two events? Spans of mistakes count within `text`.
    pub fn parse(text: &str, words: &Words, knows_after: bool) -> Result<Self, Mistake> {
        written(text)?;
        let law = |(line, start, said)| law(line, start, said, words, knows_after);
        let laws = lines(text).map(law).collect::<Result<Vec<_>, _>>()?;
        if laws.is_empty() {
            let end = text.len()..text.len();
            return Err(Mistake::new(end, "there is no law", "expected always CONDITION"));
        }
        Ok(Self(laws))
    }
    /// The first law that an event on its own breaks.
    pub fn broken_by(&self, values: &Values) -> Option<&Law> {
        self.0.iter().find(|law| match &law.shape {
            Shape::Always(condition) => !condition.holds(values),
            Shape::Never(condition) => condition.holds(values),
            Shape::AfterNever(..) | Shape::AfterEventually(..) => false,
        })
    }
    /// The first law that a conversation breaks, and where.
    pub fn breach(&self, trace: &Trace) -> Option<(&Law, Breach)> {
        self.0.iter().find_map(|law| Some((law, law.breach(trace)?)))
    }
}

impl Law {
    fn breach(&self, trace: &Trace) -> Option<Breach> {
        let events = &trace.events;
        let one = |wanted: &dyn Fn(&Values) -> bool| {
            let place = events.iter().position(|e| wanted(&e.values))?;
            Some(Breach { places: vec![place] })
        };
        match &self.shape {
            Shape::Always(condition) => one(&|values| !condition.holds(values)),
            Shape::Never(condition) => one(&|values| condition.holds(values)),
            Shape::AfterNever(first, then) => events
                .iter()
                .enumerate()
                .filter(|(_, e)| first.holds(&e.values))
                .find_map(|(n, that)| {
                    let hit = |e: &&crate::trace::Event| then.holds_after(&e.values, &that.values);
                    let after = events[n + 1..].iter().position(|e| hit(&e))?;
                    Some(Breach { places: vec![n, n + 1 + after] })
                }),
            Shape::AfterEventually(first, then) => {
                let lonely = |(n, that): &(usize, &crate::trace::Event)| {
                    first.holds(&that.values)
                        && !events[n + 1..]
                            .iter()
                            .any(|e| then.holds_after(&e.values, &that.values))
                };
                let (n, _) = events.iter().enumerate().find(lonely)?;
                Some(Breach { places: vec![n] })
            }
        }
    }
}

fn law(
    line: usize,
    start: usize,
    said: &str,
    words: &Words,
    knows_after: bool,
) -> Result<Law, Mistake> {
    let tokens = lex(said).map_err(|mistake| mistake.shifted(start))?;
    let places = |word: &str| -> Vec<Range<usize>> {
        let is = |t: &&(Token, Range<usize>)| t.0 == Token::Word(word.to_owned());
        tokens.iter().filter(is).map(|(_, span)| span.clone()).collect()
    };
    let read = |span: Range<usize>, that: bool| {
        let text = &said[span.clone()];
        let read = if that { Condition::parse_with_that } else { Condition::parse };
        read(text, words).map_err(|mistake| mistake.shifted(start + span.start))
    };
    let forms = if knows_after {
        "expected always …, never …, after … never … or after … eventually …"
    } else {
        "expected always CONDITION or never CONDITION"
    };
    let Some((Token::Word(first), span)) = tokens.first() else {
        return Err(Mistake::new(trimmed(said, start), "this is no law", forms));
    };
    let rest = span.end..said.len();
    let shape = match first.as_str() {
        "always" => Shape::Always(read(rest, false)?),
        "never" => Shape::Never(read(rest, false)?),
        "after" if knows_after => {
            let split = places("never").into_iter().chain(places("eventually")).next();
            let Some(split) = split else {
                let end = start + said.trim_end().len();
                let expected = "expected never … or eventually …";
                return Err(Mistake::new(end..end, "and then?", expected));
            };
            let first = read(rest.start..split.start, false)?;
            let then = read(split.end..said.len(), true)?;
            if &said[split] == "never" {
                Shape::AfterNever(first, then)
            } else {
                Shape::AfterEventually(first, then)
            }
        }
        _ => {
            let span = start + span.start..start + span.end;
            return Err(Mistake::new(span, "no law begins like this", forms));
        }
    };
    Ok(Law { line, text: said.split_whitespace().collect::<Vec<_>>().join(" "), shape })
}
