//! The kinds of pictures, and the formats that each of them can be written in.

use std::fmt;
use std::io::{self, Write};

use finwait_sim::scenario::{Error, nearest};
use finwait_viz::figure::Figure;
use finwait_viz::svg::Fonts;

use super::{
    Args, Session, ages, compare, ladder, lanes, machine, map, perfetto, samples, timeline,
};
use crate::failure::Failure;

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Svg,
    Png,
    Csv,
    Ndjson,
    Text,
    Json,
}

/// A kind of picture, or of data for one.
#[derive(Debug)]
pub(crate) struct Kind {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// How it can be written; the first unless something else is asked for.
    pub(crate) formats: &'static [Format],
    /// How it is printed if no file is asked for.
    pub(crate) printed: Option<Format>,
    /// Makes it.
    pub(crate) make: fn(&mut Session<'_>, Format) -> Result<Made, Failure>,
}

/// What was made.
pub(crate) enum Made {
    Figure(Box<Figure>),
    Text(String),
    /// What is too large to be held: it is made while it is written.
    Stream(Stream),
}

/// Writes what it is called for; what is wrong with writing, it leaves to whoever called.
pub(crate) type Stream = Box<dyn FnOnce(&mut dyn Write) -> Result<Result<(), io::Error>, Failure>>;

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Figure(_) => "Figure",
            Self::Text(_) => "Text",
            Self::Stream(_) => "Stream",
        })
    }
}

/// Every kind.
pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "timeline", formats: PICTURE, printed: None, make: timeline::make },
    Kind {
        name: "ladder",
        formats: &[Format::Svg, Format::Png, Format::Text],
        printed: Some(Format::Text),
        make: ladder::make,
    },
    Kind { name: "lanes", formats: PICTURE, printed: None, make: lanes::make },
    Kind { name: "machine", formats: PICTURE, printed: None, make: machine::make },
    Kind { name: "ages", formats: PICTURE, printed: None, make: ages::make },
    Kind { name: "compare", formats: PICTURE, printed: None, make: compare::make },
    Kind { name: "map", formats: PICTURE, printed: None, make: map::make },
    Kind { name: "perfetto", formats: &[Format::Json], printed: None, make: perfetto::make },
    Kind {
        name: "samples",
        formats: &[Format::Csv, Format::Ndjson],
        printed: None,
        make: samples::make,
    },
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
    const ALL: [Self; 6] = [Self::Svg, Self::Png, Self::Csv, Self::Ndjson, Self::Text, Self::Json];
    /// How the name of such a file ends.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Text => "txt",
            Self::Json => "json",
        }
    }
    /// The format that a name's ending chooses.
    pub(crate) fn of_ending(ending: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.ending() == ending)
    }
}

impl Made {
    /// The file, unless it is written while it is made.
    pub(crate) fn finished(self, args: &Args, format: Format) -> Self {
        let fonts = if args.no_fonts { Fonts::Outside } else { Fonts::Embedded };
        let bytes = match self {
            Self::Figure(figure) if format == Format::Png => figure.to_png(),
            Self::Figure(figure) => figure.to_svg(fonts).into_bytes(),
            Self::Text(text) => text.into_bytes(),
            Self::Stream(_) => return self,
        };
        Self::Stream(Box::new(move |out| Ok(out.write_all(&bytes))))
    }
}
