//! A host that runs another TCP: smoltcp's sockets over real bytes, in the world's virtual time.
//!
//! It knows nothing of Linux and of the model. What connects it with them are its system calls
//! (`calls.rs`), which have the names and answers of the kernel's, so that the same applications
//! run on both, and the bytes of packets. What a socket carries is checked byte by byte.

mod calls;
mod content;
mod pipe;
mod show;
mod turn;

use std::collections::{BTreeMap, VecDeque};

use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, FourTuple};
use finwait_model::kernel::{Fd, Ready};
use finwait_model::seq::Seq;
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Address};

pub use content::Content;
use pipe::Pipe;

/// How a host with smoltcp is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerConfig {
    /// Its address.
    pub addr: Addr,
    /// The MTU of its interface, bytes.
    pub mtu: u16,
    /// Bytes of each socket's receive buffer: the largest window that it offers.
    pub recv_buffer: u32,
    /// Bytes of each socket's send buffer.
    pub send_buffer: u32,
    /// After how much silence a connection that waits for the other end is given up; never, if
    /// there is no such time, as smoltcp does it by itself.
    pub timeout: Option<Span>,
    /// Seeds its sequence numbers.
    pub seed: u64,
}

/// One host's smoltcp.
pub struct Peer {
    config: PeerConfig,
    iface: Interface,
    pipe: Pipe,
    sockets: SocketSet<'static>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Which slot a connection has.
    flows: BTreeMap<FourTuple, u32>,
    /// Which slot listens on a port.
    ports: BTreeMap<u16, u32>,
    next_port: u16,
    next_timer: Option<Instant>,
    wakes: VecDeque<u32>,
    content: Content,
}

impl core::fmt::Debug for Peer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Peer")
            .field("config", &self.config)
            .field("flows", &self.flows)
            .field("next_timer", &self.next_timer)
            .finish_non_exhaustive()
    }
}

/// What a descriptor stands for.
#[derive(Debug)]
struct Slot {
    generation: u32,
    what: What,
}

#[derive(Debug)]
enum What {
    Free,
    /// socket() was called, and perhaps bind() to that port.
    Fresh {
        port: u16,
        options: Options,
    },
    Listener(Listener),
    Conn(Conn),
}

/// What setsockopt() has set.
#[derive(Clone, Copy, Default, Debug)]
struct Options {
    linger_zero: bool,
    no_delay: bool,
    keepalive: bool,
}

/// smoltcp knows no backlog: a socket listens and becomes the connection. So there is always one
/// more that listens, as long as not too many wait for accept().
#[derive(Debug)]
struct Listener {
    port: u16,
    backlog: usize,
    /// The socket that listens.
    spare: Option<SocketHandle>,
    /// Slots of connections that accept() has not taken yet, whatever their state.
    waiting: VecDeque<u32>,
}

/// A connection.
#[derive(Debug)]
struct Conn {
    socket: SocketHandle,
    flow: FourTuple,
    state: TcpState,
    options: Options,
    /// Whose accept() has not taken it yet.
    listener: Option<u32>,
    /// Has the application not closed it yet?
    has_file: bool,
    /// Has this end sent a RST?
    aborted: bool,
    error: Option<Errno>,
    /// What the application has been told last.
    told: Ready,
    told_bytes: u64,
    wake_queued: bool,
    /// The first sequence numbers of both ends.
    iss: Option<Seq>,
    irs: Option<Seq>,
    /// Bytes that the application has written and read.
    written: u64,
    read: u64,
}

/// Where ports for connect() begin: what RFC 6335 calls dynamic. An application on smoltcp chooses
/// them by itself.
const FIRST_PORT: u16 = 49_152;

impl Peer {
    /// A host that has just booted.
    pub fn new(config: &PeerConfig) -> Self {
        let mut pipe = Pipe::new(config.mtu);
        let mut its = Config::new(HardwareAddress::Ip);
        its.random_seed = config.seed;
        let mut iface = Interface::new(its, &mut pipe, smoltcp::time::Instant::ZERO);
        let own = IpAddress::Ipv4(Ipv4Address::from_bits(config.addr.0));
        iface.update_ip_addrs(|addrs| {
            // Every address is on this link.
            let pushed = addrs.push(IpCidr::new(own, 0));
            assert!(pushed.is_ok(), "invariant: an interface has room for one address");
        });
        let ports = u64::from(u16::MAX - FIRST_PORT) + 1;
        Self {
            config: *config,
            iface,
            pipe,
            sockets: SocketSet::new(Vec::new()),
            slots: Vec::new(),
            free: Vec::new(),
            flows: BTreeMap::new(),
            ports: BTreeMap::new(),
            next_port: FIRST_PORT + (config.seed % ports) as u16,
            next_timer: None,
            wakes: VecDeque::new(),
            content: Content::default(),
        }
    }
    /// When it wants its turn next.
    pub const fn next_timer(&self) -> Option<Instant> {
        self.next_timer
    }
    /// What the bytes that passed were like.
    pub const fn content(&self) -> Content {
        self.content
    }

    fn new_slot(&mut self, what: What) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize].what = what;
            return index;
        }
        self.slots.push(Slot { generation: 0, what });
        self.slots.len() as u32 - 1
    }
    fn free_slot(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.what = What::Free;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
    }
    fn fd(&self, index: u32) -> Fd {
        Fd { index, generation: self.slots[index as usize].generation }
    }
    /// The slot of a descriptor that is open.
    fn slot(&self, fd: Fd) -> Result<u32, Errno> {
        let slot = self.slots.get(fd.index as usize).ok_or(Errno::EBADF)?;
        let open = match &slot.what {
            What::Free => false,
            What::Fresh { .. } | What::Listener(_) => true,
            What::Conn(conn) => conn.has_file,
        };
        if open && slot.generation == fd.generation { Ok(fd.index) } else { Err(Errno::EBADF) }
    }
    fn conn(&self, index: u32) -> Option<&Conn> {
        match &self.slots.get(index as usize)?.what {
            What::Conn(conn) => Some(conn),
            What::Free | What::Fresh { .. } | What::Listener(_) => None,
        }
    }
    fn conn_mut(&mut self, index: u32) -> Option<&mut Conn> {
        match &mut self.slots.get_mut(index as usize)?.what {
            What::Conn(conn) => Some(conn),
            What::Free | What::Fresh { .. } | What::Listener(_) => None,
        }
    }
    fn listener_mut(&mut self, index: u32) -> Option<&mut Listener> {
        match &mut self.slots.get_mut(index as usize)?.what {
            What::Listener(listener) => Some(listener),
            What::Free | What::Fresh { .. } | What::Conn(_) => None,
        }
    }
    fn new_socket(&mut self, options: Options) -> SocketHandle {
        let buffer = |bytes: u32| tcp::SocketBuffer::new(vec![0; bytes as usize]);
        let (recv, send) = (buffer(self.config.recv_buffer), buffer(self.config.send_buffer));
        let mut socket = tcp::Socket::new(recv, send);
        if let Some(timeout) = self.config.timeout {
            socket.set_timeout(Some(smoltcp_span(timeout)));
        }
        options.put_in_force(&mut socket);
        self.sockets.add(socket)
    }
    fn socket(&self, conn: &Conn) -> &tcp::Socket<'static> {
        self.sockets.get::<tcp::Socket<'static>>(conn.socket)
    }
}

impl Options {
    fn put_in_force(self, socket: &mut tcp::Socket<'static>) {
        socket.set_nagle_enabled(!self.no_delay);
        // Linux's default, so that a scenario means the same on both.
        let every = smoltcp::time::Duration::from_secs(7200);
        socket.set_keep_alive(self.keepalive.then_some(every));
    }
}

/// smoltcp counts in microseconds.
const fn smoltcp_span(span: Span) -> smoltcp::time::Duration {
    smoltcp::time::Duration::from_micros(span.ns.div_ceil(1000))
}

/// The state as the model names it.
const fn state(state: tcp::State) -> TcpState {
    match state {
        tcp::State::Closed => TcpState::Close,
        tcp::State::Listen => TcpState::Listen,
        tcp::State::SynSent => TcpState::SynSent,
        tcp::State::SynReceived => TcpState::SynRecv,
        tcp::State::Established => TcpState::Established,
        tcp::State::FinWait1 => TcpState::FinWait1,
        tcp::State::FinWait2 => TcpState::FinWait2,
        tcp::State::CloseWait => TcpState::CloseWait,
        tcp::State::Closing => TcpState::Closing,
        tcp::State::LastAck => TcpState::LastAck,
        tcp::State::TimeWait => TcpState::TimeWait,
    }
}
