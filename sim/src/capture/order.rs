//! One order of time out of what the hosts do, window by window.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use finwait_model::time::Instant;

use super::{Direction, Packet};
use crate::world::HostId;

/// Packets whose turn has not come yet.
#[derive(Default, Debug)]
pub(super) struct Order {
    heap: BinaryHeap<Reverse<Pending>>,
    next_number: u64,
}

/// Time, then host; on a host what arrives stands before what leaves, because the latter may be its
/// answer; then the order of sending. Nothing depends on the order in which hosts take their turn.
type Key = (Instant, HostId, Direction, Instant, HostId, u64);

#[derive(Debug)]
struct Pending {
    key: Key,
    packet: Packet,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Pending {}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Pending {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl Order {
    /// Takes a packet in that was sent then, from there.
    pub(super) fn push(&mut self, sent: Instant, from: HostId, packet: Packet) {
        let key = (packet.at, packet.host, packet.direction, sent, from, self.next_number);
        self.next_number += 1;
        self.heap.push(Reverse(Pending { key, packet }));
    }
    /// The first packet, if it passes before that time.
    pub(super) fn next_before(&mut self, before: Instant) -> Option<Packet> {
        let Reverse(first) = self.heap.peek()?;
        if first.key.0 >= before {
            return None;
        }
        self.heap.pop().map(|Reverse(pending)| pending.packet)
    }
}
