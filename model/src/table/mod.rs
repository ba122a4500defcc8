//! The socket tables: who is in which, and who gets a segment.

pub(crate) mod bind;
pub(crate) mod buckets;
mod check;
pub(crate) mod ehash;
pub(crate) mod listen;
mod ports;
pub(crate) mod slab;
pub(crate) mod taken;
#[cfg(test)]
mod tests;

use ehash::{Entry, Object};
use slab::{ListenId, ReqId, SockId, TwId};

use crate::flow::FourTuple;
use crate::kernel::Kernel;
use crate::segment::Segment;
use crate::timewait::TimeWait;

/// Whom a segment is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Bucket(TwId),
    Request(ReqId),
    Listener(ListenId),
    Sock(SockId),
    Nobody,
}

impl Kernel {
    /// Whom is the segment for: the connection's own object, else a listener.
    /// `[__inet_lookup_skb]`
    pub(crate) fn find(&self, seg: &Segment) -> Found {
        match self.find_connected(seg.flow.reversed()) {
            Some(Object::Sock(id)) => Found::Sock(id),
            Some(Object::Bucket(id)) => Found::Bucket(id),
            Some(Object::Request(id)) => Found::Request(id),
            None => self
                .find_listener(seg.flow.daddr, seg.flow.dport)
                .map_or(Found::Nobody, Found::Listener),
        }
    }

    /// The object of the established hash with this four-tuple, as it sends.
    /// `[__inet_lookup_established]`
    pub(crate) fn find_connected(&self, flow: FourTuple) -> Option<Object> {
        debug_assert!(self.looks_up, "nobody asks whose a segment is");
        let mut at = self.ehash.head(flow.hash());
        while let Some(object) = at.object() {
            let (its_flow, next) = self.link(object);
            if its_flow == flow {
                return Some(object);
            }
            at = next;
        }
        None
    }

    fn link(&self, object: Object) -> (FourTuple, Entry) {
        match object {
            Object::Sock(id) => (self.socks[id].flow, self.socks[id].chain),
            Object::Request(id) => (self.requests[id].flow, self.requests[id].chain),
            Object::Bucket(id) => (self.buckets[id].flow, self.buckets[id].chain),
        }
    }
    fn set_chain(&mut self, object: Object, next: Entry) {
        match object {
            Object::Sock(id) => self.socks[id].chain = next,
            Object::Request(id) => self.requests[id].chain = next,
            Object::Bucket(id) => self.buckets[id].chain = next,
        }
    }

    /// Puts an object at the head of its chain. `[inet_ehash_insert]`
    pub(crate) fn hash(&mut self, entry: Entry) {
        self.hash_again(entry);
        if let Some(flow) = self.searched_flow(entry) {
            self.taken.insert(flow);
        }
    }
    /// The same for one with that flow whose port connect() has found.
    #[inline]
    pub(crate) fn hash_found(&mut self, entry: Entry, flow: FourTuple) {
        self.enter(entry, flow);
        self.taken.insert(flow);
    }
    /// The same for one that takes the place of another with its flow and port.
    pub(crate) fn hash_again(&mut self, entry: Entry) {
        if let Some(object) = entry.object() {
            self.enter(entry, self.link(object).0);
        }
    }
    #[inline]
    fn enter(&mut self, entry: Entry, flow: FourTuple) {
        if !self.looks_up {
            return;
        }
        if self.ehash.is_crowded() {
            self.grow_ehash();
        }
        self.link_in(entry, flow);
        self.ehash.count(1);
    }
    /// The flow of an object whose port nobody has bound explicitly: connect() has found it.
    fn searched_flow(&self, entry: Entry) -> Option<FourTuple> {
        let (flow, explicit) = match entry.object()? {
            Object::Sock(id) => (self.socks[id].flow, self.socks[id].port_explicit),
            Object::Request(_) => return None,
            Object::Bucket(id) => {
                let bucket = &self.buckets[id];
                (bucket.flow, bucket.owner & TimeWait::EXPLICIT_PORT != 0)
            }
        };
        (!explicit).then_some(flow)
    }
    /// To look up its flow again would be to wait for memory that was written just before.
    #[inline]
    fn link_in(&mut self, entry: Entry, flow: FourTuple) {
        let Some(object) = entry.object() else { return };
        let hash = flow.hash();
        let head = self.ehash.head(hash);
        self.set_chain(object, head);
        self.ehash.set_head(hash, entry);
    }
    fn grow_ehash(&mut self) {
        for head in self.ehash.double() {
            let mut at = head;
            while let Some(object) = at.object() {
                let (flow, next) = self.link(object);
                self.link_in(at, flow);
                at = next;
            }
        }
    }

    /// Takes an object out of its chain. `[inet_unhash]`
    pub(crate) fn unhash(&mut self, entry: Entry) {
        if let Some(flow) = self.searched_flow(entry) {
            self.taken.remove(flow);
        }
        self.unhash_for_another(entry);
    }
    /// The same where another with its flow and port takes its place.
    pub(crate) fn unhash_for_another(&mut self, entry: Entry) {
        let Some(object) = entry.object().filter(|_| self.looks_up) else { return };
        let (flow, next) = self.link(object);
        let hash = flow.hash();
        self.ehash.count(-1);
        let mut at = self.ehash.head(hash);
        if at == entry {
            return self.ehash.set_head(hash, next);
        }
        while let Some(before) = at.object() {
            let behind = self.link(before).1;
            if behind == entry {
                return self.set_chain(before, next);
            }
            at = behind;
        }
        unreachable!("invariant: a hashed object is in the chain of its four-tuple");
    }
}
