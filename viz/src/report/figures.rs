//! The figures of a report: beside the Markdown, and on the page for print and for browsers without
//! JavaScript.

use finwait_model::time::Instant;
use finwait_sim::findings;

use super::facts::Facts;
use crate::figure::{Figure, Look};
use crate::timeline::timeline;
use crate::trace::Part;

/// The size of a figure.
const LOOK: Look = Look { width: 1280, height: 800, dark: false };

/// The tables over time of the host that the run is about.
pub(super) fn tables(facts: &Facts) -> Option<(String, Figure)> {
    let name = &findings::hero(&facts.hosts)?.name;
    let host = facts.tables.host(name).filter(|host| host.samples.len() > 1)?;
    let part = Part { from: Instant::ZERO, to: facts.until() };
    let alt = format!("Timewait buckets, sockets and RSTs of {name} over time");
    Some((alt, timeline(&facts.tables, host, part, LOOK)))
}
