//! What the page of a question shows of its cases: figures, ladders, chains of causes.

use std::io::Cursor;

use finwait_model::time::Instant;
use finwait_sim::measure::Unit;
use finwait_sim::recording::{self, Filter, Header, Recorder, Recording};
use finwait_sim::run::run_watched;
use finwait_sim::scenario::{FigureKind, FigurePlan};
use finwait_sim::why;
use finwait_sim::world::{HostId, Turns};
use finwait_viz::cases::{self, cases as bars};
use finwait_viz::compare::{Side, compare};
use finwait_viz::figure::{Figure, Look};
use finwait_viz::ladder::{self, Panel};
use finwait_viz::run::{HostRun, Run};
use finwait_viz::story::{self, Story};
use finwait_viz::timeline::timeline;
use finwait_viz::trace::Part;

use super::answer::Answer;
use crate::failure::Failure;
use crate::source::broken;
use crate::story::chain;

/// How wide figures are, pixels.
const WIDTH: i32 = 1100;
/// How wide text is, characters.
const COLUMNS: usize = 110;

/// What was made of a figure.
pub(super) enum Made {
    /// A picture.
    Picture(Box<Figure>),
    /// Text in letters of one width.
    Text(String),
}

/// Makes it.
pub(super) fn made(answer: &Answer, place: usize) -> Result<Made, Failure> {
    let plan = &answer.entry.study.plan.figures[place];
    let figures = Figures { answer, plan };
    Ok(match plan.kind {
        FigureKind::Bars => picture(figures.bars(place)),
        FigureKind::Timeline => picture(figures.timeline()?),
        FigureKind::Compare => picture(figures.compare()?),
        FigureKind::Ladder => picture(figures.ladder()?),
        FigureKind::Text => {
            let (rec, _) = figures.recorded(0)?;
            Made::Text(ladder::text(&figures.story(0, &rec)?, COLUMNS))
        }
        FigureKind::Chain => Made::Text(figures.chain()?),
    })
}

fn picture(figure: Figure) -> Made {
    Made::Picture(Box::new(figure))
}

struct Figures<'a> {
    answer: &'a Answer,
    plan: &'a FigurePlan,
}

impl Figures<'_> {
    /// The places of its cases among those of the question.
    fn places(&self) -> Vec<usize> {
        let names = self.plan.cases.iter();
        names.filter_map(|name| self.answer.entry.study.place(&name.text)).collect()
    }
    fn name(&self, n: usize) -> &str {
        &self.plan.cases[n].text
    }
    fn wrong(&self, what: &str) -> Failure {
        let entry = &self.answer.entry;
        let kind = self.plan.kind.name();
        Failure::Input(format!("error: {}: a figure of kind {kind:?} {what}", entry.path))
    }
    fn bars(&self, place: usize) -> Figure {
        let answer = self.answer;
        let values = answer.entry.study.bars(place, &answer.outcomes).unwrap_or_default();
        let all: Vec<cases::Case> = self
            .places()
            .into_iter()
            .map(|place| {
                let (case, value) = (&answer.entry.study.cases[place], values[place]);
                let scale = if value.unit == Unit::Share { 100.0 } else { 1.0 };
                let length = value.numerator as f64 * scale / (value.denominator.max(1) as f64);
                let number = value.to_string();
                cases::Case {
                    name: case.name.clone(),
                    about: case.about.clone(),
                    value: length,
                    number,
                }
            })
            .collect();
        let name = self.plan.measure.as_ref().map_or("", |measure| measure.text.as_str());
        let is_share = values.first().is_some_and(|value| value.unit == Unit::Share);
        let unit = if is_share { "per cent" } else { name };
        let look = Look { width: WIDTH, height: cases::height(all.len()), dark: false };
        let mut about = Run::from(&answer.outcomes[0]).about;
        // The bars are of several runs.
        about.scenario.clone_from(&answer.entry.study.name);
        (about.digest, about.hosts) = (String::new(), Vec::new());
        bars(name, unit, name.contains("rst") || name.contains("Rst"), &all, look, &about)
    }
    fn run(&self, n: usize) -> Run {
        Run::from(&self.answer.outcomes[self.places()[n]])
    }
    /// The host that was named, or the busiest.
    fn host<'r>(&self, run: &'r Run) -> Result<&'r HostRun, Failure> {
        let host = match &self.plan.host {
            Some(name) => run.host(&name.text),
            None => run.busiest(),
        };
        host.ok_or_else(|| self.wrong("names a host that is not there"))
    }
    fn part(&self, end: Instant) -> Part {
        let at = |span: finwait_model::time::Span| (Instant::ZERO + span).min(end);
        let from = self.plan.from.map_or(Instant::ZERO, at);
        Part { from, to: self.plan.to.map_or(end, at) }
    }
    fn timeline(&self) -> Result<Figure, Failure> {
        let run = self.run(0);
        let look = Look { width: WIDTH, height: 760, dark: false };
        Ok(timeline(&run, self.host(&run)?, self.part(run.end), look))
    }
    fn compare(&self) -> Result<Figure, Failure> {
        let (a, b) = (self.run(0), self.run(1));
        let look = Look { width: WIDTH, height: 760, dark: false };
        let sides =
            [Side { run: &a, host: self.host(&a)? }, Side { run: &b, host: self.host(&b)? }];
        Ok(compare(sides, self.part(a.end), None, look))
    }
    /// A case again, with everything that happens in it.
    fn recorded(&self, n: usize) -> Result<(Recording, String), Failure> {
        let case = &self.answer.entry.study.cases[self.places()[n]];
        let header = Header::new(&case.scenario, &case.toml, None);
        let mut recorder = Recorder::new(Vec::new(), header);
        let outcome = run_watched(&case.scenario, Turns::Forward, &mut recorder, |_| ());
        let bytes = recorder.finish(&outcome)?;
        let rec = Recording::read(Cursor::new(bytes)).map_err(|e| broken(&case.name, &e))?;
        Ok((rec, case.name.clone()))
    }
    /// The connection of the first RST in the time that is shown, or else the first that is opened.
    fn story(&self, n: usize, rec: &Recording) -> Result<Story, Failure> {
        let wrong = |error: recording::Error| broken(self.name(n), &error);
        let Part { from, to } = self.part(rec.end().at());
        let host = self.named_host(rec)?;
        let filter = Filter { host, resets: true, ..Filter::default() };
        let story = match rec.events(from..to, filter).next() {
            Some(event) => story::story_of(rec, &event.map_err(wrong)?).map_err(wrong)?,
            None => story::opened(rec, from..to, 1).map_err(wrong)?.pop(),
        };
        let story =
            story.ok_or_else(|| self.wrong("shows a time in which no connection is opened"))?;
        let is_cut = self.plan.to.is_some();
        Ok(if is_cut { story.between(from, to) } else { story })
    }
    fn named_host(&self, rec: &Recording) -> Result<Option<HostId>, Failure> {
        let Some(name) = &self.plan.host else { return Ok(None) };
        let host = rec.host(&name.text);
        host.map(Some).ok_or_else(|| self.wrong("names a host that is not there"))
    }
    fn ladder(&self) -> Result<Figure, Failure> {
        let mut stories = Vec::new();
        for n in 0..self.plan.cases.len() {
            let (rec, _) = self.recorded(n)?;
            let story = self.story(n, &rec)?;
            stories.push(story);
        }
        let mut about = self.run(0).about;
        let headings: Vec<&str> = (0..stories.len()).map(|n| self.name(n)).collect();
        if stories.len() > 1 {
            about.scenario.clone_from(&self.answer.entry.study.name);
            about.digest = String::new();
        }
        let panels = headings.iter().zip(&stories);
        let panels: Vec<Panel<'_>> =
            panels.map(|(heading, story)| Panel { heading, story }).collect();
        let width = [1000, 1400, 2000][stories.len() - 1];
        let look = Look { width, height: 320, dark: false };
        Ok(ladder::figure(&stories[0].name(), &panels, look, &about))
    }
    fn chain(&self) -> Result<String, Failure> {
        let (rec, name) = self.recorded(0)?;
        let wrong = |error: recording::Error| broken(&name, &error);
        let host = self.named_host(&rec)?;
        let event = why::reset(&rec, host, 1).map_err(wrong)?;
        let event = event.ok_or_else(|| self.wrong("shows a case that sends no RST"))?;
        let chain = why::chain(&rec, &event).map_err(wrong)?;
        let chain = chain.ok_or_else(|| self.wrong("finds no chain of causes"))?;
        Ok(chain::text(&rec, &[chain]))
    }
}
