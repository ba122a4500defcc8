//! The kinds of pictures, and the formats that each of them can be written in.

use finwait_sim::scenario::{Error, nearest};
use finwait_viz::figure::Figure;
use finwait_viz::svg::Fonts;

use super::{Args, Session, samples, timeline};
use crate::failure::Failure;

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Svg,
    Png,
    Csv,
    Ndjson,
}

/// A kind of picture, or of data for one.
#[derive(Debug)]
pub(crate) struct Kind {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// How it can be written; the first unless something else is asked for.
    pub(crate) formats: &'static [Format],
    /// Makes it.
    pub(crate) make: fn(&mut Session<'_>, Format) -> Result<Made, Failure>,
}

/// What was made.
#[derive(Debug)]
pub(crate) enum Made {
    Figure(Box<Figure>),
    Text(String),
}

/// Every kind.
pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "timeline", formats: PICTURE, make: timeline::make },
    Kind { name: "samples", formats: &[Format::Csv, Format::Ndjson], make: samples::make },
];

const PICTURE: &[Format] = &[Format::Svg, Format::Png];

/// The kind with that name.
pub(crate) fn named(name: &str) -> Result<&'static Kind, Failure> {
    KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names = || KINDS.iter().map(|kind| kind.name);
        let error = Error {
            span: Some(0..name.len()),
            message: format!("there is no picture of the kind {name:?}"),
            expected: format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            help: nearest(name, names()).map(|near| format!("did you mean `{near}`?")),
        };
        Failure::in_text("KIND", name, &error)
    })
}

impl Format {
    const ALL: [Self; 4] = [Self::Svg, Self::Png, Self::Csv, Self::Ndjson];
    /// How the name of such a file ends.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
    /// The format that a name's ending chooses.
    pub(crate) fn of_ending(ending: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.ending() == ending)
    }
}

impl Made {
    /// The file.
    pub(crate) fn into_bytes(self, args: &Args, format: Format) -> Vec<u8> {
        let fonts = if args.no_fonts { Fonts::Outside } else { Fonts::Embedded };
        match self {
            Self::Figure(figure) if format == Format::Png => figure.to_png(),
            Self::Figure(figure) => figure.to_svg(fonts).into_bytes(),
            Self::Text(text) => text.into_bytes(),
        }
    }
}
