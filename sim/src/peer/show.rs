//! What can be seen of smoltcp's sockets from outside: the rows of `ss` and the counts of states.

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Line, Object, SockStat};
use finwait_model::state::TcpState;

use super::{Conn, Listener, Peer, What};

impl Peer {
    /// Every listener and connection, in the order of descriptors.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.slots.iter().filter_map(|slot| match &slot.what {
            What::Free | What::Fresh { .. } => None,
            What::Listener(listener) => Some(self.line_of_listener(listener)),
            What::Conn(conn) => self.line_of(conn),
        })
    }
    /// The line of a connection, seen from this host.
    pub fn line(&self, flow: FourTuple) -> Option<Line> {
        self.line_of(self.conn(*self.flows.get(&flow)?)?)
    }
    /// The line of whoever listens on this local end.
    pub fn listener_line(&self, local: Endpoint) -> Option<Line> {
        match &self.slots[*self.ports.get(&local.port)? as usize].what {
            What::Listener(listener) => Some(self.line_of_listener(listener)),
            What::Free | What::Fresh { .. } | What::Conn(_) => None,
        }
    }
    fn line_of_listener(&self, listener: &Listener) -> Line {
        let none = Endpoint::new(Addr::ANY, 0);
        let stands =
            |&&slot: &&u32| self.conn(slot).is_some_and(|conn| conn.state != TcpState::SynRecv);
        Line {
            state: TcpState::Listen,
            object: Object::Listener,
            rx_queue: listener.waiting.iter().filter(stands).count() as u32,
            tx_queue: listener.backlog as u32,
            local: Endpoint::new(Addr::ANY, listener.port),
            remote: none,
            timer: None,
            orphan: false,
        }
    }
    fn line_of(&self, conn: &Conn) -> Option<Line> {
        if conn.state == TcpState::Close {
            return None;
        }
        let socket = self.socket(conn);
        Some(Line {
            state: conn.state,
            object: Object::Sock,
            rx_queue: socket.recv_queue() as u32,
            tx_queue: socket.send_queue() as u32,
            local: conn.flow.source(),
            remote: conn.flow.destination(),
            timer: None,
            orphan: !conn.has_file && conn.listener.is_none(),
        })
    }
    /// How many sockets are in each state, by the state's number.
    pub fn state_counts(&self) -> [u32; 13] {
        let mut counts = [0; 13];
        for slot in &self.slots {
            match &slot.what {
                What::Free => {}
                What::Fresh { .. } => counts[TcpState::Close as usize] += 1,
                What::Listener(_) => counts[TcpState::Listen as usize] += 1,
                What::Conn(conn) => counts[conn.state as usize] += 1,
            }
        }
        counts
    }
    /// The numbers of /proc/net/sockstat as far as they mean something here: smoltcp has sockets
    /// and no buckets.
    pub fn sockstat(&self) -> SockStat {
        let lines = self.lines();
        let (mut inuse, mut orphan) = (0, 0);
        for line in lines {
            inuse += 1;
            orphan += u32::from(line.orphan);
        }
        let alloc = self.slots.iter().filter(|s| !matches!(s.what, What::Free)).count() as u32;
        SockStat { inuse, orphan, tw: 0, alloc }
    }
}
