//! How a command ends when it does not end well.

use std::fmt;
use std::io::{self, Write as _};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Snippet};

use finwait_sim::scenario::Error;

use crate::ink;

/// What a command that ran to its end found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// All is as expected. Exit status 0.
    Fine,
    /// An expectation failed, or two things differ. Exit status 1.
    Differs,
    /// A part of the input could not be used; the report is printed already. Exit status 2.
    Refused,
    /// Ctrl-C ended it; what was done is printed. Exit status 130.
    Interrupted,
}

/// Why a command could not run to its end. Exit status 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What a person wrote is wrong; the whole report, ready to print.
    Input(String),
    /// The output could not be written.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(report) => f.write_str(report),
            Self::Output(error) => write!(f, "error: cannot write the output: {error}"),
        }
    }
}

impl Failure {
    /// A report with the place in the text that is wrong: file, line, column, what was expected.
    pub(crate) fn in_text(path: &str, text: &str, error: &Error) -> Self {
        let span = error.span.clone().unwrap_or(0..0);
        let span = whole_chars(text, span);
        let annotation = AnnotationKind::Primary.span(span).label(error.expected.as_str());
        let snippet = Snippet::source(text).path(path).annotation(annotation);
        let mut report = Level::ERROR.primary_title(&error.message).element(snippet);
        if let Some(help) = &error.help {
            report = report.element(Level::HELP.message(help.as_str()));
        }
        Self::Input(ink::renderer().render(&[report]))
    }
    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &str, error: &io::Error) -> Self {
        let hint = if error.kind() == io::ErrorKind::NotFound {
            "\n  = help: expected the path of a scenario, such as examples/scenarios/incident.toml"
        } else {
            ""
        };
        Self::Input(format!("error: cannot read {path}: {error}{hint}"))
    }
}

/// The span, moved outwards to whole characters within the text.
fn whole_chars(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.min(text.len()));
    start..end.max(start)
}

/// Reading and writing in one go: a reader that went away is about the output, all else is not.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Output(error),
            _ => Self::Input(format!("error: {error}")),
        }
    }
}

/// Writes data to stdout, all at once.
pub(crate) fn print(data: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(data.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}
