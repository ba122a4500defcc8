//! What must be true of the tables whenever no call is under way.

use alloc::collections::{BTreeMap, BTreeSet};

use super::ehash::Object;
use crate::kernel::Kernel;
use crate::state::TcpState;

impl Kernel {
    /// Panics if a table contradicts another: our own bug, never the user's.
    pub fn check(&self) {
        self.check_ehash();
        self.check_ports();
        self.check_queues();
        let orphans = self.socks.iter().filter(|(_, sk)| sk.dead).count();
        assert_eq!(orphans as u32, self.orphans, "orphans are counted");
        assert_eq!(self.deathrow.len(), self.buckets.len(), "each bucket has a timer");
        let inuse = self.socks.iter().filter(|(_, sk)| sk.hashed).count();
        assert_eq!(inuse as u32, self.inuse, "hashed sockets are counted");
        let mut states = [0u32; 13];
        for (_, sk) in self.socks.iter() {
            states[sk.state as usize] += 1;
        }
        for (_, tw) in self.buckets.iter() {
            states[tw.substate as usize] += 1;
        }
        states[TcpState::NewSynRecv as usize] = self.requests.len() as u32;
        assert_eq!(states, self.state_counts, "states are counted");
    }

    fn check_ehash(&self) {
        if !self.looks_up {
            return assert_eq!(self.ehash.len(), 0, "nobody stands there");
        }
        let mut seen = BTreeMap::new();
        for (slot, &head) in self.ehash.heads().iter().enumerate() {
            let mut at = head;
            while let Some(object) = at.object() {
                let (flow, next) = match object {
                    Object::Sock(id) => {
                        assert!(self.socks.is_live(id) && self.socks[id].hashed, "hashed and live");
                        (self.socks[id].flow, self.socks[id].chain)
                    }
                    Object::Request(id) => {
                        assert!(self.requests.is_live(id), "a hashed request lives");
                        (self.requests[id].flow, self.requests[id].chain)
                    }
                    Object::Bucket(id) => {
                        assert!(self.buckets.is_live(id), "a hashed bucket lives");
                        (self.buckets[id].flow, self.buckets[id].chain)
                    }
                };
                assert_eq!(
                    flow.hash() as usize & (self.ehash.heads().len() - 1),
                    slot,
                    "its chain"
                );
                assert!(seen.insert(flow, at).is_none(), "{flow} stands once in the hash");
                at = next;
            }
        }
        assert_eq!(seen.len() as u32, self.ehash.len(), "the hash is counted");
        let taken: BTreeSet<_> = self.taken.iter().collect();
        let hashed: BTreeSet<_> = seen.values().filter_map(|at| self.searched_flow(*at)).collect();
        assert_eq!(taken, hashed, "connect() knows which ports it has taken");
        let connected =
            self.socks.iter().filter(|(_, sk)| sk.hashed && sk.state != TcpState::Listen).count();
        let all = connected + self.requests.len() + self.buckets.len();
        assert_eq!(seen.len(), all, "every object is in the hash");
        for (_, sk) in self.socks.iter() {
            let closed = sk.state == TcpState::Close;
            assert!(sk.hashed != closed, "{} is hashed unless CLOSE: {:?}", sk.flow, sk.state);
        }
    }

    fn check_ports(&self) {
        if !self.looks_up {
            return;
        }
        let mut owners: BTreeMap<u16, (u32, u32)> = BTreeMap::new();
        for (_, sk) in self.socks.iter().filter(|(_, sk)| sk.has_port) {
            let slot = owners.entry(sk.flow.sport).or_default();
            slot.0 += 1;
            slot.1 += u32::from(sk.port_explicit);
        }
        for (_, tw) in self.buckets.iter() {
            let slot = owners.entry(tw.flow.sport).or_default();
            slot.0 += 1;
            slot.1 += u32::from(tw.owner & crate::timewait::TimeWait::EXPLICIT_PORT != 0);
        }
        let held: BTreeMap<u16, (u32, u32)> =
            self.bind.iter().map(|(port, p)| (port, (p.owners, p.explicit))).collect();
        assert_eq!(owners, held, "every port knows its owners");
    }

    fn check_queues(&self) {
        let queued = |(_, sk): (_, &crate::sock::Sock)| {
            sk.rtx.iter(&self.skbs).count() + sk.unsent.iter(&self.skbs).count()
        };
        let held: usize = self.socks.iter().map(queued).sum();
        assert_eq!(held, self.skbs.iter().count(), "every piece is in one queue");
        for (_, sk) in self.socks.iter() {
            let mut seq = sk.snd_una;
            let (mut out, mut sacked, mut lost, mut retrans) = (0, 0, 0, 0);
            for id in sk.rtx.iter(&self.skbs) {
                let piece = &self.skbs[id];
                assert!(!piece.seq.after(seq) || seq == sk.snd_una, "{}: no hole", sk.flow);
                seq = piece.end_seq;
                let n = piece.segments();
                out += n;
                sacked += n * u32::from(piece.marks.sacked);
                lost += n * u32::from(piece.marks.lost);
                retrans += n * u32::from(piece.marks.retrans);
            }
            assert_eq!(out, sk.packets_out, "{}: packets_out", sk.flow);
            if sk.sack_ok {
                assert_eq!(sacked, sk.sacked_out, "{}: sacked_out", sk.flow);
            }
            assert_eq!(lost, sk.lost_out, "{}: lost_out", sk.flow);
            // The kernel may count one too often: see Kernel::retransmit.
            assert!(retrans <= sk.retrans_out, "{}: retrans_out", sk.flow);
        }
        for (id, listener) in self.listeners.iter() {
            let requests = self.requests.iter().filter(|(_, r)| r.listener == id).count();
            assert_eq!(requests as u32, listener.qlen, "requests are counted by their listener");
            for &child in &listener.queue {
                assert!(self.socks.is_live(child) && self.socks[child].queued, "a child waits");
            }
        }
    }
}
