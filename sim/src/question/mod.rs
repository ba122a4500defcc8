//! A question with its cases, or cases alone: each case is a scenario of its own, with what is
//! expected of it and what is shown of it; the answer takes its numbers from their runs.

mod alone;
mod answer;

use core::ops::Range;

use crate::measure::{Judged, Measure, Relation, Value, Wish};
use crate::run::Outcome;
use crate::scenario::{CasePlan, Draft, Error, Located, QuestionPlan, Refusal, Scenario};
use answer::Template;

/// A question whose every name has been checked: asking it cannot fail.
#[derive(Clone, Debug)]
pub struct Study {
    /// The scenario's name.
    pub name: String,
    /// What all cases share, in a sentence or two.
    pub about: String,
    /// The question as it was written.
    pub plan: QuestionPlan,
    /// Its variants, in the order of the file.
    pub cases: Vec<Case>,
    between: Vec<Between>,
    answer: Template,
    advice: Option<Template>,
    bars: Vec<Option<Vec<Measure>>>,
}

/// A variant that can be run.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// What differs from the scenario: keys and values as `--set` has them.
    pub set: Vec<(String, String)>,
    /// What is run.
    pub scenario: Scenario,
    /// The same as a file of its own.
    pub toml: String,
    /// What its table shows.
    pub show: Vec<Measure>,
    /// What is expected of it.
    pub expect: Vec<Wish>,
}

/// What is expected of two cases together: a case's measure against another's.
#[derive(Clone, Debug)]
struct Between {
    text: String,
    sides: [(usize, Measure); 2],
    relation: Relation,
}

impl Study {
    /// Reads a scenario with a question, or with cases alone; `name` is what it is called if it does not
    /// say.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        let base = Scenario::parse(text, name)?;
        let plan = match &base.question {
            Some(plan) => plan.clone(),
            None if !base.cases.is_empty() => QuestionPlan::of_cases(&base),
            None => {
                let message = "the scenario has no question and no cases".to_owned();
                let expected =
                    "expected [[cases]], or [question] with them; docs/scenarios.md has an example";
                return Err(Error::new(0..0, message, expected.to_owned()));
            }
        };
        let cases = base.cases.iter().map(|case| Case::build(case, &base.name, &plan, text));
        let cases: Vec<Case> = cases.collect::<Result<_, _>>()?;
        releases(&plan, &cases)?;
        let located = |written: &Located| Template::parse(written, &cases, text);
        let between = plan.expect.iter().map(|wish| Between::parse(wish, &cases, text));
        let between = between.collect::<Result<_, _>>()?;
        let bars = plan.figures.iter().map(|figure| match &figure.measure {
            None => Ok(None),
            Some(measure) => {
                let of = |case: &Case| {
                    Measure::parse(&measure.text, &case.scenario).map_err(|e| measure.at(e, text))
                };
                cases.iter().map(of).collect::<Result<_, _>>().map(Some)
            }
        });
        Ok(Self {
            bars: bars.collect::<Result<_, _>>()?,
            answer: located(&plan.answer)?,
            advice: plan.advice.as_ref().map(located).transpose()?,
            name: base.name,
            about: base.about,
            plan,
            cases,
            between,
        })
    }
    /// The place of the case with that name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.cases.iter().position(|case| case.name == name)
    }
    /// What is expected of several cases together; `outcomes` are in the order of the cases.
    pub fn between(&self, outcomes: &[Outcome]) -> Vec<Judged> {
        self.between.iter().map(|between| between.judge(outcomes)).collect()
    }
    /// The answer with the numbers of the runs.
    pub fn answer(&self, outcomes: &[Outcome]) -> String {
        self.answer.filled(outcomes)
    }
    /// What to do about it, with the numbers of the runs.
    pub fn advice(&self, outcomes: &[Outcome]) -> Option<String> {
        self.advice.as_ref().map(|advice| advice.filled(outcomes))
    }
    /// What the bars of a figure measure of each case, if it has some.
    pub fn bars(&self, figure: usize, outcomes: &[Outcome]) -> Option<Vec<Value>> {
        let measures = self.bars.get(figure)?.as_ref()?;
        Some(measures.iter().zip(outcomes).map(|(measure, outcome)| measure.of(outcome)).collect())
    }
}

impl Case {
    fn build(
        plan: &CasePlan,
        scenario: &str,
        question: &QuestionPlan,
        file: &str,
    ) -> Result<Self, Error> {
        let name = format!("{scenario} {}", plan.name.text);
        let mut draft = Draft::new(&alone::alone(file, &name, &plan.expect), &name)?;
        // A place in a setting is one in its key or in its value.
        let placed = |(key, value): &(Located, Located), error: Error| {
            let span = error.span.clone().unwrap_or(0..0);
            let behind = key.text.len() + 1;
            if span.start < behind {
                return key.at(error, file);
            }
            let span = span.start - behind..span.end.saturating_sub(behind);
            value.at(Error { span: Some(span), ..error }, file)
        };
        for setting in &plan.set {
            let text = format!("{}={}", setting.0.text, setting.1.text);
            draft.set(&text).map_err(|error| placed(setting, error))?;
        }
        let scenario = draft.scenario().map_err(|Refusal { change, error }| {
            match change.and_then(|n| plan.set.get(n)) {
                Some(setting) => placed(setting, error),
                // What is wrong stands in a text that nobody wrote.
                None => Error { span: Some(plan.name.span.clone()), ..error },
            }
        })?;
        let show = question.show.iter().map(|measure| {
            Measure::parse(&measure.text, &scenario).map_err(|e| measure.at(e, file))
        });
        let expect = plan
            .expect
            .iter()
            .map(|wish| Wish::parse(&wish.text, &scenario).map_err(|e| wish.at(e, file)));
        Ok(Self {
            name: plan.name.text.clone(),
            about: plan.about.split_whitespace().collect::<Vec<_>>().join(" "),
            set: plan.set.iter().map(|(k, v)| (k.text.clone(), v.text.clone())).collect(),
            show: show.collect::<Result<_, _>>()?,
            expect: expect.collect::<Result<_, _>>()?,
            toml: draft.text(),
            scenario,
        })
    }
}

/// A question is checked on the releases that its cases run.
fn releases(plan: &QuestionPlan, cases: &[Case]) -> Result<(), Error> {
    for (release, span) in &plan.checked {
        let runs = |case: &Case| case.scenario.hosts.iter().any(|host| host.release == *release);
        if !cases.iter().any(runs) {
            let message = format!("no case runs Linux {release}");
            let expected = "expected a release that a host of some case runs".to_owned();
            return Err(Error::new(span.clone(), message, expected));
        }
    }
    Ok(())
}

/// Reads `CASE.MEASURE`; the spans of errors count within `text`.
fn of_case(text: &str, cases: &[Case]) -> Result<(usize, Measure), Error> {
    let (name, measure) = text.split_once('.').unwrap_or((text, ""));
    let Some(place) = cases.iter().position(|case| case.name == name) else {
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        let help = crate::scenario::nearest(name, names.iter().copied());
        let expected = format!("expected CASE.MEASURE with one of {}", names.join(", "));
        return Err(Error::new(0..name.len(), format!("no case is called {name:?}"), expected)
            .with_help(help.map(|near| format!("did you mean `{near}`?"))));
    };
    let moved = |span: Range<usize>| span.start + name.len() + 1..span.end + name.len() + 1;
    let measure = Measure::parse(measure, &cases[place].scenario)
        .map_err(|error| Error { span: error.span.clone().map(moved), ..error })?;
    Ok((place, measure))
}

impl Between {
    fn parse(wish: &Located, cases: &[Case], file: &str) -> Result<Self, Error> {
        let text = &wish.text;
        let Some((left, relation, right)) = Relation::split(text) else {
            let message = "nothing is compared".to_owned();
            let expected = "expected CASE.MEASURE == CASE.MEASURE, or <, <=, >, >=, !=".to_owned();
            return Err(wish.at(Error::new(0..text.len(), message, expected), file));
        };
        let side = |side: &str, at: usize| {
            let moved = |span: Range<usize>| span.start + at..span.end + at;
            of_case(side, cases).map_err(|error| {
                let span = error.span.clone().map(moved);
                wish.at(Error { span, ..error }, file)
            })
        };
        let (left, right) = (left.trim(), right.trim());
        let places = [text.find(left), text.rfind(right)].map(|at| at.unwrap_or(0));
        let sides = [side(left, places[0])?, side(right, places[1])?];
        Ok(Self { text: text.clone(), sides, relation })
    }
    fn judge(&self, outcomes: &[Outcome]) -> Judged {
        let of = |(place, measure): &(usize, Measure)| measure.of(&outcomes[*place]);
        let [left, right] = [of(&self.sides[0]), of(&self.sides[1])];
        let holds = left.compare(right).is_some_and(|order| self.relation.fits(order));
        Judged { holds, found: format!("{left} and {right}"), wanted: self.text.clone() }
    }
}
