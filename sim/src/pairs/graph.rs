//! How connections between two hosts may stand, and what leads from one to another.

use std::collections::BTreeMap;

use super::effect::Effect;
use super::event::Key;
use crate::world::HostId;

/// A way to stand, or [`ALONE`].
pub(super) type Node = u32;
/// Stands for a connection whose way to stand is not among those that are known.
pub(super) const ALONE: Node = u32::MAX;
/// In place of an edge's number: the one that is known of one connection only.
pub(super) const OWN: u32 = u32::MAX;

/// What an event does to a connection that stands in a certain way.
#[derive(Debug)]
pub(super) struct Edge {
    pub effect: Effect,
    /// On which host it happens.
    pub host: HostId,
    /// How the connection stands then.
    pub to: Node,
    /// How often it was taken, and how much of that is counted.
    pub taken: u64,
    pub counted: u64,
    /// When it was taken so often, it is worked out once more.
    pub check_at: u64,
    /// It does nothing that shows but what the system call says.
    pub is_quiet: bool,
    /// The host's tables change, somebody is woken, or a timer is set.
    pub does_more: bool,
    pub makes_bucket: bool,
}

impl Edge {
    /// One that was never taken.
    pub(super) fn new(effect: Effect, host: HostId, to: Node) -> Self {
        Self {
            is_quiet: effect.is_quiet(),
            does_more: effect.does_more(),
            makes_bucket: effect.makes_bucket(),
            effect,
            host,
            to,
            taken: 0,
            counted: 0,
            check_at: 1,
        }
    }
    /// Is there nothing to look at before it is taken?
    #[inline]
    const fn is_plain(&self) -> bool {
        !self.makes_bucket & !self.is_due()
    }
    /// Is it to be worked out once more?
    #[inline]
    pub(super) const fn is_due(&self) -> bool {
        self.taken == self.check_at
    }
}

/// Everything that is known.
#[derive(Default, Debug)]
pub(super) struct Graph {
    /// By land, and by what stands for how both ends stand.
    names: BTreeMap<(u32, String), Node>,
    /// By node, and by whether a bucket is refused: the edge that was asked for last.
    last: Vec<[(Key, u32); 2]>,
    /// The edge that a connection takes in an event, by how it stands.
    away: BTreeMap<(Node, Key), u32>,
    pub edges: Vec<Edge>,
    /// What the last event does that is known of one connection only.
    alone: Option<Box<Edge>>,
}

impl Graph {
    /// The node with that name in that land.
    pub(super) fn node(&mut self, land: u32, name: String) -> Node {
        let next = self.names.len() as Node;
        let node = *self.names.entry((land, name)).or_insert(next);
        if node == next {
            self.last.push([(Key::NONE, 0); 2]);
        }
        node
    }
    /// The edge that an event takes, if it is known.
    #[inline]
    pub(super) fn find(&mut self, node: Node, key: Key) -> Option<u32> {
        let last = &mut self.last.get_mut(node as usize)?[usize::from(key.is_refused())];
        if last.0 != key {
            *last = (key, *self.away.get(&(node, key))?);
        }
        Some(last.1)
    }
    /// The same, if it was asked for last, and nothing has to be looked at before it is taken.
    #[inline(always)]
    pub(super) fn plain(&mut self, node: Node, key: Key) -> Option<&mut Edge> {
        let last = self.last.get(node as usize)?[0];
        let edge = self.edges.get_mut(last.1 as usize)?;
        ((last.0 == key) & edge.is_plain()).then_some(edge)
    }
    /// A new one.
    pub(super) fn add(&mut self, node: Node, key: Key, edge: Edge) -> u32 {
        let number = self.edges.len() as u32;
        self.edges.push(edge);
        self.away.insert((node, key), number);
        number
    }
    /// What the event does that is under way, for one connection only.
    pub(super) fn keep_alone(&mut self, edge: Edge) -> u32 {
        self.alone = Some(Box::new(edge));
        OWN
    }
    /// The edge of that number.
    pub(super) fn edge(&mut self, number: u32) -> &mut Edge {
        let ((Some(edge), _) | (None, Some(edge))) =
            (self.edges.get_mut(number as usize), self.alone.as_deref_mut())
        else {
            unreachable!("invariant: an edge is known, or was kept for one connection");
        };
        edge
    }
}
