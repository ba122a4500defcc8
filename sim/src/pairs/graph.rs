//! How connections between two hosts may stand, and what leads from one to another.

use std::collections::BTreeMap;

use super::effect::Effect;
use super::event::Key;

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
    pub end: u8,
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
    pub(super) fn new(effect: Effect, end: usize, to: Node) -> Self {
        Self {
            is_quiet: effect.is_quiet(),
            does_more: effect.does_more(),
            makes_bucket: effect.makes_bucket(),
            effect,
            end: end as u8,
            to,
            taken: 0,
            counted: 0,
            check_at: 1,
        }
    }
}

/// Everything that is known.
#[derive(Default, Debug)]
pub(super) struct Graph {
    names: BTreeMap<String, Node>,
    /// By node, and by whether a bucket is refused: the edge that was asked for last.
    last: Vec<[(Key, u32); 2]>,
    /// The edge that a connection takes in an event, by how it stands.
    away: BTreeMap<(Node, Key), u32>,
    pub edges: Vec<Edge>,
    /// What the last event does that is known of one connection only.
    alone: Option<Box<Edge>>,
}

impl Graph {
    /// The node with that name.
    pub(super) fn node(&mut self, name: String) -> Node {
        let next = self.names.len() as Node;
        let node = *self.names.entry(name).or_insert(next);
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
    /// An edge is taken.
    #[inline]
    pub(super) fn take(&mut self, edge: u32) -> &Edge {
        let ((Some(taken), _) | (None, Some(taken))) =
            (self.edges.get_mut(edge as usize), self.alone.as_deref_mut())
        else {
            unreachable!("invariant: an edge is known, or was kept for one connection");
        };
        taken.taken += 1;
        taken
    }
}
