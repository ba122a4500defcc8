//! What `ss`, /proc/net/tcp and /proc/net/sockstat show. Read-only.

use alloc::vec::Vec;

use crate::flow::{Addr, Endpoint, FourTuple};
use crate::kernel::{Kernel, Line, LineTimer, Object, Row, RowTimer, SockStat};
use crate::request::Request;
use crate::sock::{Pending, Sock};
use crate::state::TcpState;
use crate::table::ehash::Object as Hashed;
use crate::table::slab::{Id as _, SockId, TwId};
use crate::time::{Clock, Instant, Jiffies};
use crate::timer::{Kind, timer_id};
use crate::timewait::TimeWait;

impl Kernel {
    /// Every listener, socket, request and bucket, sorted as [`Row`] orders.
    /// `[tcp4_seq_show]`
    pub fn rows(&self, now: Instant) -> Vec<Row> {
        let mut rows: Vec<Row> = self.lines().map(|line| line.row(self.clock, now)).collect();
        rows.sort_unstable();
        rows
    }

    /// The same in no particular order, with timers that do not depend on when one looks.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let socks = self.socks.iter().filter(|(_, sk)| sk.hashed);
        let socks = socks.map(|(id, sk)| self.sock_line(id, sk));
        let requests = self.requests.iter().map(|(_, req)| request_line(req));
        let buckets = self.buckets.iter().map(|(id, tw)| self.bucket_line(id, tw));
        socks.chain(requests).chain(buckets)
    }

    /// The line of a connection, seen from this host.
    pub fn line(&self, flow: FourTuple) -> Option<Line> {
        Some(match self.find_connected(flow)? {
            Hashed::Sock(id) => self.sock_line(id, &self.socks[id]),
            Hashed::Request(id) => request_line(&self.requests[id]),
            Hashed::Bucket(id) => self.bucket_line(id, &self.buckets[id]),
        })
    }

    /// The line of whoever listens for connections to this local end.
    pub fn listener_line(&self, local: Endpoint) -> Option<Line> {
        let id = self.listeners[self.find_listener(local.addr, local.port)?].sock;
        Some(self.sock_line(id, &self.socks[id]))
    }

    fn bucket_line(&self, id: TwId, tw: &TimeWait) -> Line {
        Line {
            state: tw.substate,
            object: Object::Bucket,
            rx_queue: 0,
            tx_queue: 0,
            local: tw.flow.source(),
            remote: tw.flow.destination(),
            timer: Some(LineTimer {
                name: "timewait",
                due: self.deathrow.expires(&self.buckets, id.index()),
                count: 0,
            }),
            orphan: true,
        }
    }

    fn sock_line(&self, id: SockId, sk: &Sock) -> Line {
        if let (TcpState::Listen, Some(listen)) = (sk.state, sk.listen) {
            let listener = &self.listeners[listen];
            return Line {
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
        Line {
            state: sk.state,
            object: Object::Sock,
            rx_queue: sk.rcv_nxt - sk.copied_seq,
            tx_queue: sk.write_seq - sk.snd_una,
            local: sk.flow.source(),
            remote: sk.flow.destination(),
            timer: self.sock_timer(id, sk),
            orphan: !sk.has_file && !sk.lingering,
        }
    }

    fn sock_timer(&self, id: SockId, sk: &Sock) -> Option<LineTimer> {
        let due = |kind| self.timers.expires(timer_id(id, kind));
        let (name, due, count) = match sk.pending {
            Pending::Retransmit | Pending::LossProbe | Pending::Reordering => {
                ("on", due(Kind::Write), sk.retransmits)
            }
            Pending::Probe => ("persist", due(Kind::Write), sk.probes_out),
            Pending::None => ("keepalive", due(Kind::Keepalive), sk.probes_out),
        };
        Some(LineTimer { name, due: due?, count: count.into() })
    }

    /// /proc/net/sockstat. `[sockstat_seq_show]`
    pub fn sockstat(&self) -> SockStat {
        SockStat {
            inuse: self.inuse,
            orphan: self.orphans,
            tw: self.buckets.len() as u32,
            alloc: self.socks.len() as u32 + self.elsewhere,
        }
    }

    /// How many objects are in each state (buckets by substate, requests as NewSynRecv), by the
    /// state's number; CLOSE counts descriptors without a connection.
    pub const fn state_counts(&self) -> [u32; 13] {
        self.state_counts
    }
}

fn request_line(req: &Request) -> Line {
    Line {
        state: TcpState::SynRecv,
        object: Object::Request,
        rx_queue: 0,
        tx_queue: 0,
        local: req.flow.source(),
        remote: req.flow.destination(),
        timer: Some(LineTimer {
            name: "on",
            due: Jiffies(req.expires),
            count: req.num_retrans.into(),
        }),
        orphan: true,
    }
}

impl Line {
    /// The row that `ss` prints at that time.
    pub fn row(&self, clock: Clock, now: Instant) -> Row {
        let Self { state, object, rx_queue, tx_queue, local, remote, timer, orphan } = *self;
        let timer = timer.map(|LineTimer { name, due, count }| RowTimer {
            name,
            left: clock.span(due - clock.jiffies(now)),
            count,
        });
        Row { state, object, rx_queue, tx_queue, local, remote, timer, orphan }
    }
    /// The connection, seen from the host; a listener's has zeros for its remote end.
    pub const fn flow(&self) -> FourTuple {
        FourTuple::new(self.local, self.remote)
    }
}
