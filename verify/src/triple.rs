//! What the model makes of each event, as a triple of state, event and answer: what a verification
//! has reached, and what it has not.

use std::collections::{BTreeMap, BTreeSet};

use finwait_model::cause::Cause;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{How, Kernel, Object};
use finwait_model::segment::Segment;
use finwait_model::sink::{DropReason, TimerKind};
use finwait_model::time::Instant;

use crate::step::Call;

/// All triples that the model is known to make, one a line: see the test that writes them.
const KNOWN: &str = include_str!("../../docs/generated/transitions-6.18.txt");

/// The known triples.
pub fn known() -> BTreeSet<&'static str> {
    KNOWN.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect()
}

/// Who stands where: for the host's port and the peer, a state, `FIN-WAIT-2 bucket`, ….
#[derive(Clone, Default, Debug)]
pub(crate) struct Standing(BTreeMap<(u16, Endpoint), String>);

impl Standing {
    pub(crate) fn of(kernel: &Kernel, now: Instant) -> Self {
        let rows = kernel.rows(now).into_iter().map(|row| {
            let kind = match row.object {
                Object::Bucket => " bucket",
                Object::Request => " request",
                Object::Sock if row.orphan => " orphan",
                Object::Sock | Object::Listener => "",
            };
            ((row.local.port, row.remote), format!("{}{kind}", row.state))
        });
        Self(rows.collect())
    }
    /// Who has the connection, seen from the host.
    pub(crate) fn at(&self, flow: FourTuple) -> &str {
        self.0.get(&(flow.sport, flow.destination())).map_or("nobody", String::as_str)
    }
    /// Who gets the segment, and who stands there in `after`.
    pub(crate) fn getting<'a>(&'a self, after: &'a Self, segment: &Segment) -> (&'a str, &'a str) {
        let flow = segment.flow.reversed();
        let known = self.0.contains_key(&(flow.sport, flow.destination()));
        if known || after.0.contains_key(&(flow.sport, flow.destination())) {
            return (if known { self.at(flow) } else { self.listening(flow) }, after.at(flow));
        }
        (self.listening(flow), after.listening(flow))
    }
    fn listening(&self, flow: FourTuple) -> &str {
        let mut listeners = self.0.iter().filter(|((p, r), _)| *p == flow.sport && r.port == 0);
        listeners.next().map_or("nobody", |(_, state)| state.as_str())
    }
}

/// A segment as an event: its flags, and whether it carries data.
pub(crate) fn segment(segment: &Segment) -> String {
    let data = if segment.len > 0 { " data" } else { "" };
    format!("< {}{data}", segment.flags)
}

/// A system call as an event.
pub(crate) fn call(call: &Call) -> String {
    match call {
        Call::Shutdown { how, .. } => format!(
            "shutdown({})",
            match how {
                How::Rd => "SHUT_RD",
                How::Wr => "SHUT_WR",
                How::RdWr => "SHUT_RDWR",
            }
        ),
        Call::Disconnect { .. } => "connect(AF_UNSPEC)".to_owned(),
        other => format!("{}()", other.name()),
    }
}

/// A timer as an event.
pub(crate) fn timer(kind: Option<TimerKind>) -> String {
    kind.map_or_else(|| "bucket expires".to_owned(), |kind| format!("timer {kind:?}"))
}

/// The triple as a line.
pub(crate) fn line(
    before: &str,
    event: &str,
    after: &str,
    sent: impl Iterator<Item = Cause>,
    drops: &[DropReason],
) -> String {
    let mut out = format!("{before} | {event} | {after}");
    for cause in sent {
        out.push_str(" + ");
        out.push_str(cause.name());
    }
    for reason in drops {
        out.push_str(&format!(" - {reason:?}"));
    }
    out
}
