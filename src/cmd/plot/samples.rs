//! `finwait plot RUN samples`: the tables over time as CSV or NDJSON.

use finwait_viz::run::HostRun;
use finwait_viz::samples::{csv, ndjson};

use super::{Format, Made, Session};
use crate::failure::Failure;

/// Every host's samples, unless one host was named.
pub(crate) fn make(session: &mut Session<'_>, format: Format) -> Result<Made, Failure> {
    let args = session.args;
    let run = session.tables()?.clone();
    let (from, to) = session.part(run.end)?;
    let hosts: Vec<&HostRun> = match args.host {
        Some(_) => vec![session.host(&run)?],
        None => run.hosts.iter().collect(),
    };
    let write = if format == Format::Ndjson { ndjson } else { csv };
    Ok(Made::Text(write(&hosts, from..=to)))
}
