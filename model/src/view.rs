//! What `ss`, /proc/net/tcp and /proc/net/sockstat show. Read-only.

use alloc::vec::Vec;

use crate::flow::{Addr, Endpoint};
use crate::kernel::{Kernel, Object, Row, RowTimer, SockStat};
use crate::sock::{Pending, Sock};
use crate::state::TcpState;
use crate::table::slab::{Id as _, SockId};
use crate::time::{Instant, Jiffies, Span};

impl Kernel {
    /// Every listener, socket, request and bucket, sorted as [`Row`] orders.
    /// `[tcp4_seq_show]`
    pub fn rows(&self, now: Instant) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .socks
            .iter()
            .filter(|(_, sk)| sk.hashed)
            .map(|(id, sk)| self.sock_row(id, sk, now))
            .collect();
        let jiffies = self.clock.jiffies(now);
        let left = |due: Jiffies| self.clock.span(due - jiffies);
        rows.extend(self.requests.iter().map(|(_, req)| Row {
            state: TcpState::SynRecv,
            object: Object::Request,
            rx_queue: 0,
            tx_queue: 0,
            local: req.flow.source(),
            remote: req.flow.destination(),
            timer: Some(RowTimer {
                name: "on",
                left: left(Jiffies(req.expires)),
                count: req.num_retrans.into(),
            }),
            orphan: true,
        }));
        rows.extend(self.buckets.iter().map(|(id, tw)| Row {
            state: tw.substate,
            object: Object::Bucket,
            rx_queue: 0,
            tx_queue: 0,
            local: tw.flow.source(),
            remote: tw.flow.destination(),
            timer: Some(RowTimer {
                name: "timewait",
                left: left(self.deathrow.expires(id.index())),
                count: 0,
            }),
            orphan: true,
        }));
        rows.sort_unstable();
        rows
    }

    fn sock_row(&self, id: SockId, sk: &Sock, now: Instant) -> Row {
        if let (TcpState::Listen, Some(listen)) = (sk.state, sk.listen) {
            let listener = &self.listeners[listen];
            return Row {
                state: TcpState::Listen,
                object: Object::Listener,
                rx_queue: listener.queue.len() as u32,
                tx_queue: listener.backlog,
                local: sk.flow.source(),
                remote: Endpoint::new(Addr::ANY, 0),
                timer: None,
                orphan: false,
            };
        }
        Row {
            state: sk.state,
            object: Object::Sock,
            rx_queue: sk.rcv_nxt - sk.copied_seq,
            tx_queue: sk.write_seq - sk.snd_una,
            local: sk.flow.source(),
            remote: sk.flow.destination(),
            timer: self.sock_timer(id, sk, now),
            orphan: !sk.has_file && !sk.lingering,
        }
    }

    fn sock_timer(&self, id: SockId, sk: &Sock, now: Instant) -> Option<RowTimer> {
        let jiffies = self.clock.jiffies(now);
        let left = |due: Jiffies| -> Span { self.clock.span(due - jiffies) };
        match sk.pending {
            Pending::Retransmit | Pending::LossProbe | Pending::Reordering => {
                return Some(RowTimer {
                    name: "on",
                    left: left(sk.timeout),
                    count: sk.retransmits.into(),
                });
            }
            Pending::Probe => {
                return Some(RowTimer {
                    name: "persist",
                    left: left(sk.timeout),
                    count: sk.probes_out.into(),
                });
            }
            Pending::None => {}
        }
        let keepalive = id.index() * 4 + crate::timer::Kind::Keepalive as u32;
        self.timers.expires(keepalive).map(|due| RowTimer {
            name: "keepalive",
            left: left(due),
            count: sk.probes_out.into(),
        })
    }

    /// /proc/net/sockstat. `[sockstat_seq_show]`
    pub fn sockstat(&self) -> SockStat {
        SockStat {
            inuse: self.inuse,
            orphan: self.orphans,
            tw: self.buckets.len() as u32,
            alloc: self.socks.len() as u32,
        }
    }

    /// How many objects are in each state (buckets by substate, requests as NewSynRecv), by the
    /// state's number; CLOSE counts descriptors without a connection.
    pub const fn state_counts(&self) -> [u32; 13] {
        self.state_counts
    }
}
