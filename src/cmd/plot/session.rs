//! The run that is drawn, opened when the first picture needs it and then kept for the others.

use std::rc::Rc;

use finwait_model::time::Instant;
use finwait_sim::recording::Recording;
use finwait_sim::scenario::Error;
use finwait_sim::text::seconds;
use finwait_viz::figure::Look;
use finwait_viz::run::{HostRun, Run};

use super::Args;
use crate::failure::Failure;
use crate::source::Source;

/// What was asked for, and what has been read for it so far.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) args: &'a Args,
    tables: Option<Run>,
    recording: Option<Rc<Recording>>,
}

impl<'a> Session<'a> {
    pub(crate) const fn new(args: &'a Args) -> Self {
        Self { args, tables: None, recording: None }
    }
    /// The size and paper that were asked for, or that one.
    pub(crate) fn look(&self, width: i32, height: i32) -> Look {
        Look {
            width: self.args.width.map_or(width, i32::from),
            height: self.args.height.map_or(height, i32::from),
            dark: self.args.dark,
        }
    }
    /// RUN, open.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        Source::open_changed(&self.args.run, &self.args.changes)
    }
    /// Everything that happened in RUN.
    pub(crate) fn recording(&mut self) -> Result<Rc<Recording>, Failure> {
        if let Some(recording) = &self.recording {
            return Ok(Rc::clone(recording));
        }
        let source = self.source()?;
        // What was typed is looked at before anything is simulated.
        source.chosen(self.args.host.as_deref())?;
        self.part(source.end())?;
        let recording = Rc::new(source.into_recording()?);
        self.recording = Some(Rc::clone(&recording));
        Ok(recording)
    }
    /// How the tables of RUN's hosts went.
    pub(crate) fn tables(&mut self) -> Result<&Run, Failure> {
        if self.tables.is_none() {
            let source = self.source()?;
            // What was typed is looked at before anything is simulated.
            source.chosen(self.args.host.as_deref())?;
            self.part(source.end())?;
            self.tables = Some(source.tables()?);
        }
        match &self.tables {
            Some(tables) => Ok(tables),
            None => unreachable!("invariant: they have just been read"),
        }
    }
    /// The host that was asked for, or the one with the most buckets.
    pub(crate) fn host<'r>(&self, run: &'r Run) -> Result<&'r HostRun, Failure> {
        let host = match &self.args.host {
            Some(name) => run.host(name),
            None => run.busiest(),
        };
        host.ok_or_else(|| Failure::Input("error: the run has no such host".to_owned()))
    }
    /// The part of a run with that end that was asked for.
    pub(crate) fn part(&self, end: Instant) -> Result<(Instant, Instant), Failure> {
        let (from, to) = self.args.part.times()?;
        if let Some(text) = &self.args.part.from
            && from >= end
        {
            let error = Error {
                span: Some(0..text.len()),
                message: format!("the run ends before {text}"),
                expected: format!("expected less than {}s", seconds(end.ns, 1)),
                help: None,
            };
            return Err(Failure::in_text("--from", text, &error));
        }
        Ok((from, to.map_or(end, |to| to.min(end))))
    }
}
