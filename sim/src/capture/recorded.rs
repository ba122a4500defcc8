//! Captures a run that was recorded.

use core::fmt;
use std::io;

use finwait_model::flow::FourTuple;
use finwait_model::time::{Instant, Span};

use super::{About, Capture, Selection, Take};
use crate::recording::{self, Event, Filter, Recording, What};
use crate::watch::{Sent, Watch as _};
use crate::world::HostId;

/// What lies so far before the part that is wanted is read as well: segments that are on their way,
/// and the earlier events of most RSTs.
const BEFORE: Span = Span::secs(5);

/// Why a capture of a recording came to no end.
#[derive(Debug)]
pub enum Error {
    /// The recording cannot be read on.
    Read(recording::Error),
    /// The packets cannot be written.
    Write(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<recording::Error> for Error {
    fn from(error: recording::Error) -> Self {
        Self::Read(error)
    }
}
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Captures a recording, until its end or until nothing more is wanted; says how many packets were
/// taken. `progress` hears of the time.
pub fn replay<T: Take>(
    recording: &Recording,
    selection: Selection,
    take: T,
    mut progress: impl FnMut(Instant),
) -> Result<u64, Error> {
    let end = recording.end().at();
    let end = selection.to.map_or(end, |to| to.min(end));
    let from = selection.from;
    let start = Instant { ns: from.ns.saturating_sub(BEFORE.ns) };
    let mut capture = Capture::new(&About::from(recording.header()), selection, take);
    for event in recording.events(start..end, Filter::ALL) {
        let Event { at, host, what } = event?;
        match what {
            What::Note(note) => capture.noted(at, host, &note),
            What::Sent { segment, cause, fate, answers } => {
                let flow = segment.flow;
                if cause.is_reset() && at >= from && !capture.explain.remembers(host, flow) {
                    recall(recording, start, host, flow, &mut capture)?;
                }
                let answers = answers.as_ref();
                capture.sent(&Sent { at, host, segment: &segment, cause, answers, fate });
                progress(at);
            }
            _ => {}
        }
        if capture.is_done() {
            break;
        }
    }
    Ok(capture.finish(end)?)
}

/// Tells a capture what had happened to a connection before it began to read.
fn recall<T: Take>(
    recording: &Recording,
    before: Instant,
    host: HostId,
    flow: FourTuple,
    capture: &mut Capture<T>,
) -> Result<(), Error> {
    let of_it = Filter { host: Some(host), flow: Some(flow), ..Filter::default() };
    for event in recording.events(Instant::ZERO..before, of_it) {
        let event = event?;
        if let What::Note(note) = event.what {
            capture.noted(event.at, host, &note);
        }
    }
    Ok(())
}
