//! Properties: what must never, always, in the end or at least once be true of two hosts; and those
//! that have a name.

use core::fmt;

use finwait_model::time::Span;

use super::expr::{Expr, Named};
use super::parse::Parser;
use crate::scenario::{Error, nearest};

/// What is asked of every run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Property {
    /// What kind of question it is.
    pub form: Form,
    /// The hosts' names, as it was read with them.
    names: [String; 2],
}

/// The kinds of question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// In no moment, of no connection.
    Never(Expr),
    /// In every moment, of every connection.
    Always(Expr),
    /// In some moment of some run: it can be reached at all. A run that shows it is an answer, not
    /// a violation.
    Sometimes(Expr),
    /// Of every connection at the latest so long after something else held, or after it was opened.
    Eventually {
        /// What must come true.
        what: Expr,
        /// How soon.
        within: Span,
        /// From when on; from its SYN if nothing is said.
        after: Option<Expr>,
    },
}

/// A property with a name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// The property; a `T` in it is a time that can be said.
    pub text: &'static str,
    /// That time, if none is said.
    pub time: Option<Span>,
    /// What it means.
    pub about: &'static str,
}

/// The properties that have names.
pub const NAMED: [Entry; 10] = [
    Entry { name: "no-rst", text: "never rst_sent(any)", time: None, about: "nobody sends a RST" },
    Entry {
        name: "no-rst-from-proper-closer",
        text: "never rst_sent(any) and closed_properly(any)",
        time: None,
        about: "whoever closed properly (while the connection stood, with everything read, without \
                SO_LINGER at 0) sends no RST",
    },
    Entry {
        name: "every-fin-acked",
        text: "eventually fin_acked(any) or state(any) == CLOSED within T after fin_sent(any)",
        time: Some(Span::secs(200)),
        about: "who has sent a FIN gets an ACK of it within T, or is closed by then",
    },
    Entry {
        name: "no-fin-in-vain",
        text: "never end and fin_sent(any) and not fin_acked(any)",
        time: None,
        about: "no FIN stays without an ACK for ever",
    },
    Entry {
        name: "no-data-lost",
        text: "never end and bytes_missing(any) > 0 and bytes_sent(any) <= 0 and broken(any) and \
               closed_properly(peer)",
        time: None,
        about: "what was sent before a proper close is read, if its reader does nothing but read",
    },
    Entry {
        name: "tables-empty",
        text: "never end and left_over(any)",
        time: None,
        about: "what no program holds leaves the tables in the end",
    },
    Entry {
        name: "nobody-waits-longer-than",
        text: "never (left_over(any) and state(any) != TIME-WAIT) for > T",
        time: Some(Span::secs(60)),
        about: "no connection that its program has left waits longer than T for its peer \
                (TIME-WAIT is not counted)",
    },
    Entry {
        name: "no-old-data",
        text: "never old_data(any)",
        time: None,
        about: "data of an older life of these ports is never taken for a younger one's",
    },
    Entry {
        name: "close-wait-bounded",
        text: "never (state(any) == CLOSE-WAIT and state(peer) == CLOSED) for > T",
        time: Some(Span::secs(60)),
        about: "CLOSE-WAIT does not outlive its peer by more than T",
    },
    Entry {
        name: "no-assassination",
        text: "never bucket_reset(any)",
        time: None,
        about: "no timewait bucket is taken away by a RST",
    },
];

impl Property {
    /// Reads `never EXPR`, `always EXPR`, `sometimes EXPR`, `eventually EXPR within TIME` with or
    /// without `after EXPR`, or the name of one, with or without `=TIME`.
    pub fn parse(text: &str, names: [&str; 2]) -> Result<Self, Error> {
        let trimmed = text.trim();
        let bare = !trimmed.contains(char::is_whitespace);
        if bare && !trimmed.is_empty() {
            return Self::named(trimmed, names);
        }
        let mut parser = Parser::new(text, names)?;
        let form = if parser.takes("never") {
            Form::Never(parser.expr()?)
        } else if parser.takes("always") {
            Form::Always(parser.expr()?)
        } else if parser.takes("sometimes") {
            Form::Sometimes(parser.expr()?)
        } else if parser.takes("eventually") {
            let what = parser.expr()?;
            if !parser.takes("within") {
                let end = text.len();
                let message = "it is not said how soon".to_owned();
                let expected = "expected `within TIME`, such as within 60s".to_owned();
                return Err(Error::new(end.saturating_sub(1)..end, message, expected));
            }
            let within = parser.time()?;
            let after = if parser.takes("after") { Some(parser.expr()?) } else { None };
            Form::Eventually { what, within, after }
        } else {
            let word = trimmed.split_whitespace().next().unwrap_or_default();
            let start = text.find(word).unwrap_or(0);
            let message = "a property says how often".to_owned();
            let expected = "expected never, always, sometimes, eventually, or a property's name";
            return Err(Error::new(start..start + word.len(), message, expected.to_owned()));
        };
        parser.finish()?;
        Ok(Self { form, names: names.map(str::to_owned) })
    }
    fn named(text: &str, names: [&str; 2]) -> Result<Self, Error> {
        let (name, time) = match text.split_once('=') {
            None => (text, None),
            Some((name, time)) => (name, Some(time)),
        };
        let Some(entry) = NAMED.iter().find(|entry| entry.name == name) else {
            let near = nearest(name, NAMED.iter().map(|entry| entry.name));
            let message = format!("there is no property {name:?}");
            let expected = "expected a name that `finwait explore --list` shows, or never EXPR, \
                            always EXPR, sometimes EXPR, eventually EXPR within TIME"
                .to_owned();
            return Err(Error::new(0..name.len(), message, expected)
                .with_help(near.map(|n| format!("did you mean `{n}`?"))));
        };
        let span = name.len().min(text.len().saturating_sub(1))..text.len();
        let time = match time {
            None => entry.time,
            Some(time) if entry.time.is_some() => {
                let wrong = |expected| Error::new(span, format!("{time:?} is no time"), expected);
                Some(crate::units::span(time).map_err(wrong)?)
            }
            Some(_) => {
                let message = format!("{name} has no time that could be said");
                return Err(Error::new(span, message, "expected the name alone".to_owned()));
            }
        };
        let time = time.unwrap_or_default().to_string();
        let whole: Vec<&str> = entry
            .text
            .split(' ')
            .map(|word| if word == "T" { time.as_str() } else { word })
            .collect();
        Self::parse(&whole.join(" "), names)
    }
    /// The expression that is looked at in every moment.
    pub(super) const fn watched(&self) -> &Expr {
        match &self.form {
            Form::Never(expr) | Form::Always(expr) | Form::Sometimes(expr) => expr,
            Form::Eventually { what, .. } => what,
        }
    }
    /// Is a run that shows it what was looked for, and no violation?
    pub const fn is_wanted(&self) -> bool {
        matches!(self.form, Form::Sometimes(_))
    }
    /// Does it depend on how long something was so, and not only on what is now?
    pub fn looks_back(&self) -> bool {
        matches!(self.form, Form::Eventually { .. }) || self.watched().looks_back()
    }
    /// Does it say `any` or `peer`?
    pub(super) fn is_of_any(&self) -> bool {
        let after = match &self.form {
            Form::Eventually { after, .. } => after.as_ref().is_some_and(Expr::is_of_any),
            _ => false,
        };
        after || self.watched().is_of_any()
    }
}

/// As it could be read again.
impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = &self.names;
        let named = |expr| Named(expr, [one, other]);
        match &self.form {
            Form::Never(expr) => write!(f, "never {}", named(expr)),
            Form::Always(expr) => write!(f, "always {}", named(expr)),
            Form::Sometimes(expr) => write!(f, "sometimes {}", named(expr)),
            Form::Eventually { what, within, after } => {
                write!(f, "eventually {} within {within}", named(what))?;
                match after {
                    Some(after) => write!(f, " after {}", named(after)),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [&str; 2] = ["web", "redis"];

    #[test]
    fn what_is_written_reads_as_it_was_read() {
        let texts = [
            "never rst_sent(web) and not (state(redis) == LAST-ACK or open(redis))",
            "always tw(web) <= 1",
            "never (state(any) == CLOSE-WAIT and state(peer) == CLOSED) for > 1min",
            "eventually fin_acked(any) within 200s after fin_sent(any)",
            "sometimes counter(web, TcpExtTCPTimeWaitOverflow) > 0 or end",
            "never rst_sent(any, rst-no-socket)",
            "never not not open(web) for > 1.5s",
            "never (not open(web)) for > 1s and (end and (open(web) or end))",
            "never (open(web) for > 1s) for > 2s or (end or end)",
        ];
        for text in texts {
            let one = Property::parse(text, HOSTS).expect(text);
            let again = Property::parse(&one.to_string(), HOSTS).expect("it reads");
            assert_eq!(one, again, "{text}");
        }
    }

    #[test]
    fn every_named_property_reads() {
        for entry in NAMED {
            Property::parse(entry.name, HOSTS).expect(entry.name);
            let said = Property::parse(&format!("{}=7s", entry.name), HOSTS);
            assert_eq!(said.is_ok(), entry.time.is_some(), "{}", entry.name);
        }
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let cases = [
            ("never rst_sent(webb)", "webb", "did you mean `web`?"),
            ("never rts_sent(web)", "rts_sent", "did you mean `rst_sent`?"),
            ("never state(web) == FIN-WAIT2", "FIN-WAIT2", "did you mean `FIN-WAIT-2`?"),
            ("never counter(web, TcpOutRst) > 0", "TcpOutRst", "did you mean `TcpOutRsts`?"),
            ("never rst_sent(web) for > 10", "10", ""),
            ("never state(web) = ESTAB", "=", "did you mean `==`?"),
            ("rst_sent(web) never", "rst_sent(web)", ""),
            ("never rst_sent(web) rst_sent(redis)", "rst_sent", ""),
            ("no-rts", "no-rts", "did you mean `no-rst`?"),
        ];
        for (text, wrong, help) in cases {
            let error = Property::parse(text, HOSTS).expect_err(text);
            let span = error.span.clone().expect("a place");
            assert_eq!(&text[span.clone()], wrong, "{text}: {error}");
            assert_eq!(error.help.as_deref().unwrap_or_default(), help, "{text}");
        }
        let open = Property::parse("never (rst_sent(web)", HOSTS).expect_err("it is open");
        assert_eq!(open.message, "something is missing at the end");
        let deep = format!("never {}", "not ".repeat(5000) + "end");
        assert!(Property::parse(&deep, HOSTS).is_err());
    }
}
