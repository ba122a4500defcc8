//! The text of an answer, with a place for each number: `{CASE.MEASURE}`.

use super::{Case, of_case};
use crate::measure::Measure;
use crate::run::Outcome;
use crate::scenario::{Error, Located};

/// A text with places for numbers.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// A measure of the case in that place.
    Number(usize, Measure),
}

impl Template {
    pub(super) fn parse(written: &Located, cases: &[Case], file: &str) -> Result<Self, Error> {
        let text = written.text.as_str();
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(open) = text[at..].find('{').map(|open| at + open) {
            pieces.push(Piece::Text(text[at..open].to_owned()));
            let behind = text[open + 1..].find(['{', '}']).map(|end| open + 1 + end);
            let Some(close) = behind.filter(|end| text[*end..].starts_with('}')) else {
                let message = "a brace that is not closed".to_owned();
                let expected = "expected {CASE.MEASURE}".to_owned();
                return Err(written.at(Error::new(open..open + 1, message, expected), file));
            };
            let inside = &text[open + 1..close];
            let (case, measure) = of_case(inside, cases).map_err(|error| {
                let moved = error.span.clone().map(|s| s.start + open + 1..s.end + open + 1);
                written.at(Error { span: moved, ..error }, file)
            })?;
            pieces.push(Piece::Number(case, measure));
            at = close + 1;
        }
        pieces.push(Piece::Text(text[at..].to_owned()));
        Ok(Self { pieces })
    }
    /// The text in paragraphs, each on a line.
    pub(super) fn filled(&self, outcomes: &[Outcome]) -> String {
        let filled: String = self.pieces.iter().map(|piece| piece.told(outcomes)).collect();
        let paragraphs = filled.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>());
        let paragraphs: Vec<String> = paragraphs.map(|words| words.join(" ")).collect();
        paragraphs.join("\n\n").trim().to_owned()
    }
}

impl Piece {
    fn told(&self, outcomes: &[Outcome]) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(case, measure) => measure.of(&outcomes[*case]).to_string(),
        }
    }
}
