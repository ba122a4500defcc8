//! What of a run a capture is to show.

use finwait_model::time::Instant;

use crate::view::pcap_filter::Filter;
use crate::world::HostId;

/// Everything, unless something is said.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// The interface of one host only.
    pub host: Option<HostId>,
    /// What passes then or later.
    pub from: Instant,
    /// What passes earlier than that.
    pub to: Option<Instant>,
    /// What a filter selects.
    pub filter: Option<Filter>,
    /// The first so many.
    pub at_most: Option<u64>,
}

impl Selection {
    /// Is a packet there and then wanted, as far as the filter does not say otherwise?
    pub(super) fn wants(&self, host: HostId, at: Instant) -> bool {
        self.host.is_none_or(|h| h == host) && at >= self.from && self.to.is_none_or(|to| at < to)
    }
}
