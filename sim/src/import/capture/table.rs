//! The connections of a capture that may still go on, in a table that never grows beyond its limit.
//!
//! Who has been silent for longest, roughly, gives way: a hand goes round and takes the first
//! connection that nobody has touched since it came by last. Connections that are over stay
//! for a few seconds, because a late RST belongs to them.

use std::collections::{BTreeMap, VecDeque};

use finwait_model::flow::{Addr, Endpoint};

use super::flow::{Flow, Step};
use super::service::Service;
use super::spread::Spread;
use super::{Limits, MOST_ADDRS, Totals};
use crate::pcap::read::TcpPacket;

/// How long a connection that is over may still get a RST.
const AFTERMATH_NS: u64 = 5_000_000_000;

/// The two ends of a connection, the smaller one first.
type Ends = (Endpoint, Endpoint);

#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    index: BTreeMap<Ends, usize>,
    flows: Vec<Option<Flow>>,
    free: Vec<usize>,
    hand: usize,
    /// Connections that are over, by when that was noticed.
    over: VecDeque<(u64, Ends)>,
    services: BTreeMap<Endpoint, Service>,
    addrs: BTreeMap<Addr, u64>,
    /// Of each server: its last connection, and the times between any two.
    gaps: BTreeMap<Addr, (u64, Spread)>,
}

/// What is left at the end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) services: BTreeMap<Endpoint, Service>,
    pub(super) addrs: BTreeMap<Addr, u64>,
    pub(super) gaps: BTreeMap<Addr, (u64, Spread)>,
}

fn ends(packet: &TcpPacket) -> Ends {
    let (a, b) = (packet.flow.source(), packet.flow.destination());
    if a <= b { (a, b) } else { (b, a) }
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits: Limits { flows: limits.flows.max(1), services: limits.services },
            index: BTreeMap::new(),
            flows: Vec::new(),
            free: Vec::new(),
            hand: 0,
            over: VecDeque::new(),
            services: BTreeMap::new(),
            addrs: BTreeMap::new(),
            gaps: BTreeMap::new(),
        }
    }
    pub(super) fn take(&mut self, at: u64, place: u64, packet: &TcpPacket, totals: &mut Totals) {
        self.sweep(at, totals);
        let ends = ends(packet);
        let mut slot = self.index.get(&ends).copied();
        if let Some(flow) = slot.and_then(|slot| self.flows[slot].as_ref()) {
            if flow.place != place {
                totals.copies += 1;
                return;
            }
            if flow.is_followed_by(packet) {
                self.remove(ends, totals);
                slot = None;
            }
        }
        let slot = match slot {
            Some(slot) => slot,
            None => {
                // A RST alone tells of a connection that is over, and of nothing else.
                if packet.flags.rst() {
                    totals.before += 1;
                    return;
                }
                self.insert(ends, Flow::new(at, place, packet), totals)
            }
        };
        let Some(flow) = self.flows[slot].as_mut() else {
            unreachable!("invariant: the index names slots that hold a connection")
        };
        let was_over = flow.is_over();
        let step: Step = flow.take(at, packet);
        if flow.is_over() && !was_over && self.over.len() < 2 * self.limits.flows {
            self.over.push_back((at, ends));
        }
        // A connection is one of its service once it has been accepted.
        let (Some(syn), Some(_)) = (flow.syn, flow.syn_ack) else { return };
        let first = !core::mem::replace(&mut flow.counted, true);
        let (client, server) = (flow.client, flow.server);
        if server.port == 0 {
            return;
        }
        if !self.services.contains_key(&server) {
            if self.services.len() >= self.limits.services {
                totals.no_room += u64::from(first);
                return;
            }
            self.services.insert(server, Service::new(server));
        }
        let Some(service) = self.services.get_mut(&server) else { return };
        service.steps(at, step);
        if first {
            service.opens(client.addr, syn);
            self.gap(server.addr, syn);
        }
    }
    fn gap(&mut self, server: Addr, syn: u64) {
        match self.gaps.get_mut(&server) {
            Some((last, gaps)) => {
                gaps.add(syn.abs_diff(*last));
                *last = syn;
            }
            None => _ = self.gaps.insert(server, (syn, Spread::default())),
        }
    }
    fn insert(&mut self, ends: Ends, flow: Flow, totals: &mut Totals) -> usize {
        if self.index.len() >= self.limits.flows {
            self.evict(totals);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.flows.push(None);
                self.flows.len() - 1
            }
        };
        self.flows[slot] = Some(flow);
        self.index.insert(ends, slot);
        slot
    }
    /// Gives up a connection that has been silent.
    fn evict(&mut self, totals: &mut Totals) {
        for _ in 0..=2 * self.flows.len() {
            self.hand = (self.hand + 1) % self.flows.len().max(1);
            let Some(flow) = self.flows.get_mut(self.hand).and_then(Option::as_mut) else {
                continue;
            };
            if flow.touched {
                flow.touched = false;
                continue;
            }
            let (a, b) = (flow.client, flow.server);
            totals.evicted += u64::from(!flow.is_over());
            self.remove(if a <= b { (a, b) } else { (b, a) }, totals);
            return;
        }
    }
    /// Lets go of connections that have been over for long enough.
    fn sweep(&mut self, now: u64, totals: &mut Totals) {
        while let Some(&(since, ends)) = self.over.front() {
            if now.saturating_sub(since) < AFTERMATH_NS {
                return;
            }
            self.over.pop_front();
            // Another connection with the same ends may have taken its place, or more came.
            let flow = self.index.get(&ends).and_then(|slot| self.flows[*slot].as_ref());
            let Some(flow) = flow.filter(|flow| flow.is_over()) else { continue };
            if now.saturating_sub(flow.last) < AFTERMATH_NS {
                self.over.push_back((flow.last.max(since), ends));
            } else {
                self.remove(ends, totals);
            }
        }
    }
    fn remove(&mut self, ends: Ends, totals: &mut Totals) {
        let Some(slot) = self.index.remove(&ends) else { return };
        self.free.push(slot);
        if let Some(flow) = self.flows[slot].take() {
            self.tell(&flow, totals);
        }
    }
    fn tell(&mut self, flow: &Flow, totals: &mut Totals) {
        if flow.syn.is_none() {
            totals.before += 1;
        } else if flow.syn_ack.is_none() {
            match flow.rst {
                Some(_) => totals.refused += 1,
                None => totals.unanswered += 1,
            }
        } else if let Some(service) = self.services.get_mut(&flow.server) {
            service.closes(flow);
        }
        for addr in [flow.client.addr, flow.server.addr] {
            if self.addrs.contains_key(&addr) || self.addrs.len() < MOST_ADDRS {
                *self.addrs.entry(addr).or_default() += 1;
            }
        }
    }
    /// The end: what was still open is told, too.
    pub(super) fn finish(mut self, totals: &mut Totals) -> Finished {
        let all: Vec<Ends> = self.index.keys().copied().collect();
        for ends in all {
            self.remove(ends, totals);
        }
        Finished { services: self.services, addrs: self.addrs, gaps: self.gaps }
    }
}
