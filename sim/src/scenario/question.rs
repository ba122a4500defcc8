//! `expect`, `[[cases]]` and `[question]`: what has to be true of a run, the variants of a scenario,
//! and the question that these answer. What is set and measured is checked when it is used
//! ([`crate::question`]), since a case may change anything.

use core::ops::Range;

use toml::Spanned;

use finwait_model::release::Release;
use finwait_model::time::Span;

use super::error::{Error, nearest};
use super::{Scenario, schema};

/// A text of the file, with its place there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// The text.
    pub text: String,
    /// Where it stands, in bytes of the file; with its quotes if they hide where it begins.
    pub span: Range<usize>,
}

impl Located {
    /// Where a part of it stands in the file; all of it if line breaks or escapes are in the way.
    pub fn part(&self, part: Range<usize>, file: &str) -> Range<usize> {
        let (Some(raw), Some(wanted)) = (file.get(self.span.clone()), self.text.get(part)) else {
            return self.span.clone();
        };
        raw.find(wanted).map_or_else(
            || self.span.clone(),
            |at| self.span.start + at..self.span.start + at + wanted.len(),
        )
    }
    /// The error, at its place in the file instead of in this text.
    pub fn at(&self, error: Error, file: &str) -> Error {
        let part = error.span.clone().unwrap_or(0..self.text.len());
        Error { span: Some(self.part(part, file)), ..error }
    }
}

/// A variant of a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CasePlan {
    /// Its name, in words joined by hyphens.
    pub name: Located,
    /// What it is, in a few words.
    pub about: String,
    /// What differs from the scenario: keys as `--set` has them, and values.
    pub set: Vec<(Located, Located)>,
    /// What has to be true of it.
    pub expect: Vec<Located>,
}

/// What people ask, and the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuestionPlan {
    /// Its number; 0 where nothing is asked.
    pub number: u16,
    /// The question.
    pub ask: String,
    /// The answer, with `{CASE.MEASURE}` for every number.
    pub answer: Located,
    /// What to do about it, likewise.
    pub advice: Option<Located>,
    /// What has to be true of several cases together: `CASE.MEASURE == CASE.MEASURE`.
    pub expect: Vec<Located>,
    /// The measures that its table shows, a column each.
    pub show: Vec<Located>,
    /// On which releases its cases run.
    pub checked: Vec<(Release, Range<usize>)>,
    /// Scripts of `examples/scripts` that hold on the live kernel and on which the answer rests.
    pub scripts: Vec<String>,
    /// What its page shows.
    pub figures: Vec<FigurePlan>,
}

impl QuestionPlan {
    /// In place of a question, for a scenario that has cases and asks nothing: does what is expected of
    /// each of them hold?
    pub(crate) fn of_cases(scenario: &Scenario) -> Self {
        let answer = Located { text: String::new(), span: 0..0 };
        let ask = scenario.name.clone();
        Self {
            number: 0,
            ask,
            answer,
            advice: None,
            expect: Vec::new(),
            show: Vec::new(),
            checked: Vec::new(),
            scripts: Vec::new(),
            figures: Vec::new(),
        }
    }
    /// What stands above its answer.
    pub fn heading(&self) -> String {
        match self.number {
            0 => self.ask.clone(),
            number => format!("{number}. {}", self.ask),
        }
    }
}

/// Something that the page of a question shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FigurePlan {
    /// What.
    pub kind: FigureKind,
    /// Of which cases.
    pub cases: Vec<Located>,
    /// Whose tables or RSTs; the busiest host's unless it is said.
    pub host: Option<Located>,
    /// What its bars measure.
    pub measure: Option<Located>,
    /// From when on.
    pub from: Option<Span>,
    /// Until when.
    pub to: Option<Span>,
    /// What one sees there.
    pub about: String,
}

/// The kinds of figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FigureKind {
    /// A measure of several cases.
    Bars,
    /// The tables of a case over time.
    Timeline,
    /// Two cases over each other.
    Compare,
    /// The decisive connection of one to three cases, drawn.
    Ladder,
    /// The same of one case as text.
    Text,
    /// The first RST of a case, back to its first cause.
    Chain,
}

impl FigureKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Bars, Self::Timeline, Self::Compare, Self::Ladder, Self::Text, Self::Chain];
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bars => "bars",
            Self::Timeline => "timeline",
            Self::Compare => "compare",
            Self::Ladder => "ladder",
            Self::Text => "text",
            Self::Chain => "chain",
        }
    }
    /// The kind with that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
    /// Of how many cases it is, at least and at most.
    const fn cases(self) -> (usize, usize) {
        match self {
            Self::Bars => (2, 12),
            Self::Compare => (2, 2),
            Self::Ladder => (1, 3),
            Self::Timeline | Self::Text | Self::Chain => (1, 1),
        }
    }
}

/// A text in its place, without the quotes if it stands there as it is.
fn here(written: Spanned<String>, file: &str) -> Located {
    let (span, text) = (written.span(), written.into_inner());
    let all = Located { text, span };
    let span = all.part(0..all.text.len(), file);
    Located { span, ..all }
}

pub(super) fn located(written: Vec<Spanned<String>>, file: &str) -> Vec<Located> {
    written.into_iter().map(|text| here(text, file)).collect()
}

pub(super) fn cases(written: Vec<schema::Case>, file: &str) -> Result<Vec<CasePlan>, Error> {
    let mut cases: Vec<CasePlan> = Vec::with_capacity(written.len());
    for case in written {
        let name = here(case.name, file);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.text.is_empty() || !name.text.chars().all(plain) {
            let message = format!("{:?} is no name of a case", name.text);
            let expected = "expected small letters, digits and hyphens".to_owned();
            return Err(Error::new(name.span, message, expected));
        }
        if cases.iter().any(|other| other.name.text == name.text) {
            let message = format!("two cases are called {:?}", name.text);
            return Err(Error::new(name.span, message, "expected another name".to_owned()));
        }
        let mut set: Vec<(Located, Located)> = Vec::new();
        for (key, value) in case.set {
            let value_span = value.span();
            let value = Located { text: value.into_inner().0, span: value_span };
            set.push((here(key, file), value));
        }
        // In the order of the file: a kernel comes before what only it has.
        set.sort_by_key(|(key, _)| key.span.start);
        let expect = located(case.expect, file);
        cases.push(CasePlan { name, about: case.about, set, expect });
    }
    Ok(cases)
}

pub(super) fn question(
    written: schema::Question,
    scenario: &Scenario,
    file: &str,
) -> Result<QuestionPlan, Error> {
    if scenario.cases.len() < 2 {
        let message = "a question compares cases".to_owned();
        let expected = "expected at least two [[cases]]".to_owned();
        return Err(Error::new(written.number.span(), message, expected));
    }
    let figures = written.figures.into_iter().map(|f| figure(f, scenario, file));
    let checked = written.checked.into_iter().map(|r| (r.get_ref().0, r.span()));
    Ok(QuestionPlan {
        number: written.number.into_inner(),
        ask: written.ask,
        answer: here(written.answer, file),
        advice: written.advice.map(|text| here(text, file)),
        expect: located(written.expect, file),
        show: located(written.show, file),
        checked: checked.collect(),
        scripts: written.scripts,
        figures: figures.collect::<Result<_, _>>()?,
    })
}

fn figure(written: schema::Figure, scenario: &Scenario, file: &str) -> Result<FigurePlan, Error> {
    let kind = written.kind.0;
    let names = || scenario.cases.iter().map(|case| case.name.text.as_str());
    for name in &written.cases {
        if !names().any(|known| known == name.get_ref()) {
            let message = format!("no case is called {:?}", name.get_ref());
            let expected = format!("expected one of {}", names().collect::<Vec<_>>().join(", "));
            let help = nearest(name.get_ref(), names()).map(|n| format!("did you mean {n:?}?"));
            return Err(Error::new(name.span(), message, expected).with_help(help));
        }
    }
    let (least, most) = kind.cases();
    if !(least..=most).contains(&written.cases.len()) {
        let at = written.cases.first().map_or(0..0, Spanned::span);
        let message =
            format!("{} cases for a figure of kind {:?}", written.cases.len(), kind.name());
        let expected = match (least, most) {
            (1, 1) => "expected one".to_owned(),
            (least, most) if least == most => format!("expected {least}"),
            (least, most) => format!("expected {least} to {most}"),
        };
        return Err(Error::new(at, message, expected));
    }
    Ok(FigurePlan {
        kind,
        cases: located(written.cases, file),
        host: written.host.map(|name| here(name, file)),
        measure: written.measure.map(|text| here(text, file)),
        from: written.from.map(|span| span.0),
        to: written.to.map(|span| span.0),
        about: written.about,
    })
}
