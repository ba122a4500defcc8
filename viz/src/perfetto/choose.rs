//! Which connections are shown: all, or one in N.

use std::ops::Range;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Object;
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::recording::{Error, Filter, Recording, What};
use finwait_sim::text::grouped;
use finwait_sim::world::HostId;

use super::MOST;

/// How many sockets there are, and which are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chosen {
    pub(super) sockets: u64,
    /// One connection in so many.
    pub(super) one_in: u64,
}

impl Chosen {
    /// Counts the sockets that there are in that time: those at its beginning, and those that are
    /// made.
    pub(super) fn count(
        rec: &Recording,
        range: Range<Instant>,
        reached: &mut impl FnMut(Instant),
    ) -> Result<Self, Error> {
        let mut sockets = 0;
        for host in 0..rec.hosts().len() {
            let view = rec.host_at(HostId(host as u16), range.start)?;
            let real = view.rows.iter().filter(|row| row.object != Object::Listener);
            sockets += real.count() as u64;
        }
        for event in rec.events(range, Filter::ALL) {
            let event = event?;
            reached(event.at);
            sockets += u64::from(match event.what {
                What::Sent { cause: Cause::SynOnConnect, .. } => true,
                What::Note(Note::State { from, to, .. }) => {
                    // A listener's child.
                    matches!(from, TcpState::Close | TcpState::Listen) && to == TcpState::SynRecv
                }
                _ => false,
            });
        }
        Ok(Self { sockets, one_in: sockets.div_ceil(MOST).max(1) })
    }
    /// Is that connection shown? Both directions are, or neither, in every run alike.
    pub(super) fn shows(&self, flow: FourTuple) -> bool {
        // Neighbouring ports hash to neighbouring numbers, and ports may all be even.
        let mixed = u64::from(flow.hash()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32).is_multiple_of(self.one_in)
    }
    /// In words.
    pub(super) fn text(&self) -> String {
        match self.one_in {
            1 => "every connection".to_owned(),
            n => format!(
                "one connection in {}, chosen by its addresses and ports: the run has {} sockets",
                grouped(n),
                grouped(self.sockets)
            ),
        }
    }
}
