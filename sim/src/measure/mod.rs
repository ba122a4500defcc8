//! What came of a run, by name: `web.rst_sent`, `total.peak.tw`, `web.p99`, `web.broken / web.started`.
//!
//! A measure is read against a scenario, so that a host that does not exist is found before anything
//! runs; it is exact, and the same on every machine.

mod apps;
mod names;
mod value;
mod wish;

pub use value::{Unit, Value};
pub use wish::{Bound, Clause, Judged, Relation, Wish};

use core::fmt;
use core::ops::Range;

use finwait_model::time::Span;

use crate::run::{HostOutcome, Outcome};
use crate::scenario::{Error, Scenario, nearest};
use crate::world::HostId;
use names::What;

/// Something that is measured of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measure {
    text: String,
    above: Term,
    below: Option<Term>,
}

/// One number of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Term {
    /// Of one host.
    Host(HostId, What),
    /// Of all hosts together.
    Total(What),
    /// Segments that left any host.
    Segments,
    /// The virtual time that has passed; written `s`, as in `web.overflow/s`.
    Simulated,
    /// The part of it in which the load generators of a host, or of all, were at work; written `s` as
    /// well, behind what they count.
    Loaded(Option<HostId>),
}

impl Measure {
    /// Reads `HOST.NAME`, `total.NAME` or `NAME` (of all hosts), or one by the other; the spans of
    /// errors count within `text`.
    pub fn parse(text: &str, scenario: &Scenario) -> Result<Self, Error> {
        let (above, below) = match text.split_once('/') {
            None => (text, None),
            Some((above, below)) => (above, Some((below, above.len() + 1))),
        };
        let above_term = Term::parse(above, 0, scenario)?;
        let below = match below {
            None => None,
            Some((below, _)) if below.trim() == "s" => Some(above_term.per_second()),
            Some((below, at)) => Some(Term::parse(below, at, scenario)?),
        };
        if let Some(below) = below
            && above_term.unit().by(below.unit()).is_none()
        {
            let message = "the one cannot be divided by the other".to_owned();
            let expected = "expected a count by a count, or by s for a rate per second";
            return Err(Error::new(trimmed(text, 0), message, expected.to_owned()));
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { text, above: above_term, below })
    }
    /// What it comes to.
    pub fn of(&self, outcome: &Outcome) -> Value {
        let above = self.above.of(outcome);
        match self.below {
            None => above,
            Some(below) => match above.by(below.of(outcome)) {
                Some(ratio) => ratio,
                None => unreachable!("invariant: what cannot be divided is no measure"),
            },
        }
    }
    /// What it counts.
    pub fn unit(&self) -> Unit {
        let below = self.below.and_then(|below| self.above.unit().by(below.unit()));
        below.unwrap_or_else(|| self.above.unit())
    }
    /// Its name as the column of a table of plain numbers, with the unit at its end.
    pub fn column(&self) -> String {
        let name = match (self.below, self.text.rsplit_once('/')) {
            (Some(Term::Simulated | Term::Loaded(_)), Some((above, _))) => above.trim_end(),
            _ => &self.text,
        };
        format!("{name}{}", self.unit().suffix())
    }
}

/// As it was written.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Term {
    /// `at` is where `text` begins in what is told about.
    fn parse(text: &str, at: usize, scenario: &Scenario) -> Result<Self, Error> {
        let span = trimmed(text, at);
        let text = text.trim();
        if text.is_empty() {
            let message = "a measure is missing".to_owned();
            return Err(Error::new(span, message, "expected HOST.NAME".to_owned()));
        }
        let name_span = |name: &str| span.end - name.len()..span.end;
        if let Some((host, name)) = split_host(text, scenario) {
            let what = named(name, name_span(name))?;
            return Ok(Self::Host(host, what));
        }
        if text == "segments" {
            return Ok(Self::Segments);
        }
        if let Some(name) = text.strip_prefix("total.") {
            return named(name, name_span(name)).map(Self::Total);
        }
        if let Ok(what) = What::named(text) {
            return Ok(Self::Total(what));
        }
        match text.split_once('.') {
            Some((first, name)) if What::named(name).is_ok() => Err(no_host(first, span, scenario)),
            _ => named(text, span).map(Self::Total),
        }
    }
    const fn unit(self) -> Unit {
        match self {
            Self::Host(_, what) | Self::Total(what) => what.unit(),
            Self::Segments => Unit::Count,
            Self::Simulated | Self::Loaded(_) => Unit::Time,
        }
    }
    /// What its rate is a rate of.
    const fn per_second(self) -> Self {
        match self {
            Self::Host(host, what) if what.is_of_load() => Self::Loaded(Some(host)),
            Self::Total(what) if what.is_of_load() => Self::Loaded(None),
            _ => Self::Simulated,
        }
    }
    fn of(self, outcome: &Outcome) -> Value {
        match self {
            Self::Loaded(host) => {
                let of = |h: &&HostOutcome| {
                    host.is_none_or(|id| outcome.hosts[usize::from(id.0)].name == h.name)
                };
                let loads = outcome.hosts.iter().filter(of).filter_map(|h| h.load.clone());
                let all = loads.reduce(|mut sum, one| {
                    sum.add(&one);
                    sum
                });
                let active = all.map(|load| load.active(outcome.simulated));
                Value::time(active.filter(|active| *active > Span::ZERO))
            }
            Self::Host(host, what) => {
                let host = outcome.hosts.get(usize::from(host.0));
                what.of(host.as_slice())
            }
            Self::Total(what) => {
                let hosts: Vec<&HostOutcome> = outcome.hosts.iter().collect();
                what.of(&hosts)
            }
            Self::Segments => Value::count(outcome.segments),
            Self::Simulated => {
                let simulated = outcome.simulated;
                Value::time((simulated > Span::ZERO).then_some(simulated))
            }
        }
    }
}

/// Splits at the longest host's name that fits.
fn split_host<'a>(text: &'a str, scenario: &Scenario) -> Option<(HostId, &'a str)> {
    let hosts = scenario.hosts.iter().enumerate();
    let fits = hosts.filter_map(|(index, host)| {
        let rest = text.strip_prefix(host.name.as_str())?.strip_prefix('.')?;
        Some((HostId(index as u16), rest))
    });
    fits.min_by_key(|(_, rest)| rest.len())
}

fn named(name: &str, span: Range<usize>) -> Result<What, Error> {
    What::named(name).map_err(|expected| {
        let all: Vec<String> = names::all().collect();
        let near = nearest(name, all.iter().map(String::as_str));
        Error::new(span, format!("{name:?} is nothing that is measured"), expected.to_owned())
            .with_help(near.map(|near| format!("did you mean `{near}`?")))
    })
}

fn no_host(name: &str, span: Range<usize>, scenario: &Scenario) -> Error {
    let names: Vec<&str> = scenario.hosts.iter().map(|h| h.name.as_str()).collect();
    let help = nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let expected = format!("expected total or one of the hosts {}", names.join(", "));
    let span = span.start..span.start + name.len();
    Error::new(span, format!("no host is called {name:?}"), expected).with_help(help)
}

/// Where the text stands without the blanks around it.
fn trimmed(text: &str, at: usize) -> Range<usize> {
    let start = at + (text.len() - text.trim_start().len());
    start..start + text.trim().len()
}
