//! Through which kernel functions the RSTs of a run were sent, as flame graphs want it.

use std::collections::BTreeMap;

use finwait_model::cause::Cause;

use crate::recording::{Error, Recording, What};
use crate::world::HostId;

/// A call path and how often it sent a RST.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stack {
    /// Whose.
    pub host: HostId,
    /// The kernel site.
    pub cause: Cause,
    /// How many RSTs.
    pub count: u64,
}

impl Stack {
    /// The frames, outermost first.
    pub const fn frames(&self) -> &'static [&'static str] {
        self.cause.site().path
    }
}

/// The call paths of every RST of a host, or of all; by host, the most frequent first.
pub fn stacks(rec: &Recording, host: Option<HostId>) -> Result<Vec<Stack>, Error> {
    let mut counts = BTreeMap::new();
    for event in rec.resets() {
        let event = event?;
        let What::Sent { cause, .. } = event.what else { continue };
        if host.is_none_or(|host| host == event.host) {
            *counts.entry((event.host, cause)).or_insert(0) += 1;
        }
    }
    let mut all: Vec<Stack> =
        counts.into_iter().map(|((host, cause), count)| Stack { host, cause, count }).collect();
    all.sort_by_key(|s| (s.host, core::cmp::Reverse(s.count), s.cause));
    Ok(all)
}
