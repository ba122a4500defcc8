//! Listeners: accept queue, count of requests, lookup by address and port.

use alloc::collections::VecDeque;

use super::slab::{ListenId, SockId};
use crate::flow::Addr;
use crate::kernel::Kernel;
use crate::time::Jiffies;

/// What a listening socket has besides a full socket. `[request_sock_queue]`
#[derive(Debug)]
pub(crate) struct Listener {
    /// The socket that listens.
    pub(crate) sock: SockId,
    pub(crate) backlog: u32,
    /// Finished connections that wait for accept(), oldest first.
    pub(crate) queue: VecDeque<SockId>,
    /// Half-open requests, and those whose SYN-ACK was never sent again.
    pub(crate) qlen: u32,
    pub(crate) young: u32,
    /// It still listens.
    pub(crate) open: bool,
    /// When it last sent a SYN cookie: later ACKs may be answers to one. `[tcp_synq_overflow]`
    pub(crate) last_overflow: Option<Jiffies>,
    /// 3.10: chains of the listener's own request table, and the scan's place in it.
    pub(crate) syn_chains: u32,
    pub(crate) scan_hand: u32,
}

impl Listener {
    /// `backlog + 1` connections fit. `[sk_acceptq_is_full]`
    pub(crate) fn accept_queue_full(&self) -> bool {
        self.queue.len() as u32 > self.backlog
    }
}

impl Kernel {
    /// The listener for this local end: bound to the address before the wildcard, the newest
    /// among equals. `[__inet_lookup_listener]`
    pub(crate) fn find_listener(&self, addr: Addr, port: u16) -> Option<ListenId> {
        let at = |want: Addr| {
            self.listening.iter().find(|&&(p, a, _)| p == port && a == want).map(|&(_, _, id)| id)
        };
        at(addr).or_else(|| at(Addr::ANY))
    }
    /// Is the queue of half-open requests full? `[inet_csk_reqsk_queue_is_full]`
    pub(crate) fn request_queue_full(&self, id: ListenId) -> bool {
        let listener = &self.listeners[id];
        if self.behaviour.requests_live_in_ehash {
            listener.qlen > listener.backlog
        } else {
            listener.qlen >= listener.syn_chains
        }
    }
    /// A request leaves its listener's counts. `[reqsk_queue_removed]`
    pub(crate) fn uncount_request(&mut self, id: ListenId, young: bool) {
        if !self.listeners.is_live(id) {
            return;
        }
        let listener = &mut self.listeners[id];
        listener.qlen = listener.qlen.saturating_sub(1);
        if young {
            listener.young = listener.young.saturating_sub(1);
        }
        self.free_listener_if_done(id);
    }
    /// A closed listener stays until its last request is gone (6.18).
    pub(crate) fn free_listener_if_done(&mut self, id: ListenId) {
        let done =
            self.listeners.is_live(id) && !self.listeners[id].open && self.listeners[id].qlen == 0;
        if done {
            self.listen_timers.cancel(super::slab::Id::index(id));
            self.listeners.remove(id);
        }
    }
}
