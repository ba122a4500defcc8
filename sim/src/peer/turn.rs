//! smoltcp's turn: a packet goes in, time passes, packets come out; and what has changed by it.

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Ready;
use finwait_model::segment::Segment;
use finwait_model::sink::{Cx, Note, Sink, SockEnd};
use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::{Socket, tcp};
use smoltcp::wire::{Ipv4Packet, TcpPacket};

use super::content::{Content, fill};
use super::{Conn, Listener, Options, Peer, What, state};
use crate::wire;

/// smoltcp's clock counts microseconds.
const MICROSECOND: u64 = 1000;
/// Where smoltcp says "now" and has nothing to send, it is asked again so much later.
const LATER: u64 = 1_000_000;

impl Peer {
    /// A segment arrives.
    pub fn rx(&mut self, segment: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let mut bytes = wire::emit(segment);
        if segment.len > 0
            && let Some(conn) = self.flows.get(&segment.flow.reversed())
            && let Some(irs) = self.conn(*conn).and_then(|conn| conn.irs)
        {
            wire::set_payload(&mut bytes, |payload| fill(payload, segment.seq - (irs + 1)));
        }
        self.pipe.put(bytes);
        let hidden = self.hide_listener(segment);
        self.turn(Some(segment), cx);
        if let Some((index, socket)) = hidden {
            self.show_listener(index, socket);
        }
    }
    /// smoltcp gives a segment to the first socket that would take it, and that may be one that
    /// listens although another has the connection already: then a SYN that the network has doubled
    /// would open it twice. So nobody listens while such a SYN comes.
    fn hide_listener(&mut self, segment: &Segment) -> Option<(u32, tcp::Socket<'static>)> {
        if !segment.flags.syn() || !self.flows.contains_key(&segment.flow.reversed()) {
            return None;
        }
        let index = *self.ports.get(&segment.flow.dport)?;
        let handle = self.listener_mut(index)?.spare.take()?;
        match self.sockets.remove(handle) {
            Socket::Tcp(socket) => Some((index, socket)),
        }
    }
    fn show_listener(&mut self, index: u32, socket: tcp::Socket<'static>) {
        // The turn has found another.
        let taken = self.listener_mut(index).is_none_or(|listener| listener.spare.is_some());
        if !taken {
            let handle = self.sockets.add(socket);
            if let Some(listener) = self.listener_mut(index) {
                listener.spare = Some(handle);
            }
        }
    }
    /// A time that it has asked for has come.
    pub fn run_timers(&mut self, cx: &mut Cx<'_, impl Sink>) {
        self.turn(None, cx);
    }
    /// Lets smoltcp do everything that is to be done now.
    pub(super) fn turn(&mut self, arrived: Option<&Segment>, cx: &mut Cx<'_, impl Sink>) {
        let now = smoltcp::time::Instant::from_micros((cx.now.ns / MICROSECOND).cast_signed());
        let mut sent = false;
        loop {
            let _ = self.iface.poll(now, &mut self.pipe, &mut self.sockets);
            self.adopt(arrived);
            self.follow(arrived, cx);
            sent |= self.emit(cx);
            // Reading makes room, of which the other end may have to hear.
            if !self.discard() {
                break;
            }
        }
        self.bury();
        self.listen_again();
        let next = self.iface.poll_at(now, &self.sockets);
        self.next_timer = next.map(|at| {
            let at = at.total_micros().max(0).cast_unsigned() * MICROSECOND;
            let soon = (cx.now.ns / MICROSECOND + 1) * MICROSECOND;
            let stuck = at <= cx.now.ns && !sent;
            Instant { ns: if stuck { soon + LATER } else { at.max(soon) } }
        });
    }

    /// One socket listens for each listener, as long as not too many wait.
    fn listen_again(&mut self) {
        for (port, index) in self.ports.clone() {
            let Some(listener) = self.listener_mut(index) else { continue };
            if listener.spare.is_some() || listener.waiting.len() >= listener.backlog {
                continue;
            }
            let handle = self.new_socket(Options::default());
            let listens = self.sockets.get_mut::<tcp::Socket<'static>>(handle).listen(port);
            assert!(listens.is_ok(), "invariant: a new socket can listen on a port");
            if let Some(listener) = self.listener_mut(index) {
                listener.spare = Some(handle);
            }
        }
    }
    /// A socket that listened has become a connection.
    fn adopt(&mut self, arrived: Option<&Segment>) {
        let Some(segment) = arrived.filter(|s| s.flags.syn()) else { return };
        let Some(&index) = self.ports.get(&segment.flow.dport) else { return };
        let Some(&mut Listener { spare: Some(handle), .. }) = self.listener_mut(index) else {
            return;
        };
        let flow = segment.flow.reversed();
        let socket = self.sockets.get::<tcp::Socket<'static>>(handle);
        if socket.remote_endpoint().is_none() {
            return;
        }
        let mut conn = Conn::new(handle, flow, Options::default());
        conn.listener = Some(index);
        let slot = self.new_slot(What::Conn(conn));
        self.flows.insert(flow, slot);
        if let Some(listener) = self.listener_mut(index) {
            listener.spare = None;
            listener.waiting.push_back(slot);
        }
    }
    /// Tells which states have changed, and wakes applications.
    fn follow(&mut self, arrived: Option<&Segment>, cx: &mut Cx<'_, impl Sink>) {
        for index in 0..self.slots.len() as u32 {
            let Some(conn) = self.conn(index) else { continue };
            let socket = self.socket(conn);
            let (was, flow) = (conn.state, conn.flow);
            let mut now = state(socket.state());
            // A RST in SYN-RECEIVED makes the socket listen again; for us that connection is over.
            if now == TcpState::Listen {
                now = TcpState::Close;
            }
            if now != was {
                let here = |s: &&Segment| s.flow == flow.reversed();
                self.enter(index, now, arrived.filter(here), cx);
            }
            self.tell(index);
        }
    }
    fn enter(
        &mut self,
        index: u32,
        now: TcpState,
        arrived: Option<&Segment>,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let Some(conn) = self.conn_mut(index) else { return };
        let (flow, was) = (conn.flow, conn.state);
        conn.state = now;
        if let Some(segment) = arrived.filter(|s| s.flags.syn() && conn.irs.is_none()) {
            conn.irs = Some(segment.seq);
        }
        let reset = arrived.is_some_and(|s| s.flags.rst());
        let why = match (now, was) {
            (TcpState::Close, _) if conn.aborted => Some(SockEnd::Aborted(Cause::RstOtherTcp)),
            (TcpState::Close, TcpState::LastAck | TcpState::TimeWait) if !reset => {
                Some(SockEnd::Done)
            }
            (TcpState::Close, _) if reset => Some(SockEnd::ResetByPeer),
            (TcpState::Close, _) if !conn.has_file => Some(SockEnd::Done),
            (TcpState::Close, _) => Some(SockEnd::TimedOut),
            _ => None,
        };
        conn.error = match (why, was) {
            // The other end may well forget its half: the last word has been said.
            (_, TcpState::TimeWait) => None,
            (Some(SockEnd::ResetByPeer), TcpState::SynSent) => Some(Errno::ECONNREFUSED),
            (Some(SockEnd::ResetByPeer), _) => Some(Errno::ECONNRESET),
            (Some(SockEnd::TimedOut), _) => Some(Errno::ETIMEDOUT),
            _ => conn.error,
        };
        cx.sink.note(|| Note::State { flow, from: was, to: now });
        if let Some(why) = why {
            cx.sink.note(|| Note::Destroyed { flow, state: was, why });
        }
    }
    /// Wakes the application if something is new for it.
    fn tell(&mut self, index: u32) {
        let Some(conn) = self.conn(index) else { return };
        let (ready, bytes) = (self.ready(conn), conn.read + self.socket(conn).recv_queue() as u64);
        let news = ready.0 & !conn.told.0 != 0 || bytes > conn.told_bytes;
        let stands = conn.state != TcpState::SynRecv;
        let listener = conn.listener.filter(|_| news && stands);
        let Some(conn) = self.conn_mut(index) else { return };
        (conn.told, conn.told_bytes) = (ready, bytes);
        if let Some(listener) = listener {
            self.wakes.push_back(listener);
        } else if news && conn.has_file && !conn.wake_queued {
            conn.wake_queued = true;
            self.wakes.push_back(index);
        }
    }
    /// The application has seen how its descriptor stands.
    pub(super) fn look_again(&mut self, index: u32) {
        let Some(conn) = self.conn(index) else { return };
        let (ready, bytes) = (self.ready(conn), conn.read + self.socket(conn).recv_queue() as u64);
        if let Some(conn) = self.conn_mut(index) {
            (conn.told, conn.told_bytes) = (ready, bytes);
        }
    }
    /// Sends what smoltcp has put into the pipe; says whether there was anything.
    fn emit(&mut self, cx: &mut Cx<'_, impl Sink>) -> bool {
        let packets = self.pipe.take();
        for packet in &packets {
            let Some(segment) = wire::parse(packet) else {
                debug_assert!(false, "invariant: smoltcp writes good packets");
                continue;
            };
            self.look_at(&segment, packet);
            let cause = if segment.flags.rst() { Cause::RstOtherTcp } else { Cause::OtherTcp };
            cx.sink.transmit(&segment, cause);
        }
        !packets.is_empty()
    }
    /// Are the bytes that leave those of the stream?
    fn look_at(&mut self, segment: &Segment, packet: &[u8]) {
        let Some(&index) = self.flows.get(&segment.flow) else { return };
        let Some(conn) = self.conn_mut(index) else { return };
        if segment.flags.syn() && conn.iss.is_none() {
            conn.iss = Some(segment.seq);
        }
        // The byte of a keepalive is none of the stream.
        if segment.len == 0 || conn.options.keepalive && segment.len == 1 {
            return;
        }
        let (Some(iss), Some(bytes)) = (conn.iss, payload(packet)) else { return };
        self.content.sent += bytes.len() as u64;
        self.content.wrong += Content::wrong_in(bytes, segment.seq - (iss + 1));
    }
    /// Reads and throws away what comes for connections that their application has closed; says
    /// whether there was anything.
    fn discard(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.slots.len() as u32 {
            let closed =
                |c: &Conn| !c.has_file && c.listener.is_none() && self.socket(c).can_recv();
            if self.conn(index).is_some_and(closed) {
                any |= self.take(index, u32::MAX) > 0;
            }
        }
        any
    }
    /// Forgets connections that are over and that no application holds.
    fn bury(&mut self) {
        for index in 0..self.slots.len() as u32 {
            let Some(conn) = self.conn(index) else { continue };
            if conn.state != TcpState::Close {
                continue;
            }
            let (flow, handle, listener) = (conn.flow, conn.socket, conn.listener);
            // Until then its RST has not left.
            if self.socket(conn).remote_endpoint().is_some() {
                continue;
            }
            let has_file = conn.has_file;
            if self.flows.get(&flow) == Some(&index) {
                self.flows.remove(&flow);
            }
            if has_file {
                continue;
            }
            if let Some(listener) = listener.and_then(|l| self.listener_mut(l)) {
                listener.waiting.retain(|&slot| slot != index);
            }
            self.sockets.remove(handle);
            self.free_slot(index);
        }
    }
}

impl Conn {
    pub(super) fn new(socket: SocketHandle, flow: FourTuple, options: Options) -> Self {
        Self {
            socket,
            flow,
            state: TcpState::Close,
            options,
            listener: None,
            has_file: false,
            aborted: false,
            error: None,
            told: Ready::default(),
            told_bytes: 0,
            wake_queued: false,
            iss: None,
            irs: None,
            written: 0,
            read: 0,
        }
    }
}

/// The payload of a packet that has been parsed already.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let header = usize::from(ip.header_len());
    let tcp = TcpPacket::new_checked(packet.get(header..usize::from(ip.total_len()))?).ok()?;
    packet.get(header + usize::from(tcp.header_len())..usize::from(ip.total_len()))
}
