//! `finwait plot RUN timeline`: the tables of a host over time.

use finwait_viz::timeline::timeline;
use finwait_viz::trace::Part;

use super::{Format, Made, Session};
use crate::failure::Failure;

/// Of the host that was named, or of the one with the most buckets.
pub(crate) fn make(session: &mut Session<'_>, _: Format) -> Result<Made, Failure> {
    let look = session.look(1280, 800);
    let run = session.tables()?.clone();
    let (from, to) = session.part(run.end)?;
    let host = session.host(&run)?;
    Ok(Made::Figure(Box::new(timeline(&run, host, Part { from, to }, look))))
}
