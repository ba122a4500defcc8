//! What a case consists of: steps in the script's own numbers, each one thing that both arms do.

use finwait_model::kernel::{How, OptName, SockOpt};
use finwait_model::segment::Flags;
use finwait_sim::script::ast::TcpOption;
use finwait_sim::script::observe::Conn;

/// A script made ready to be played: everything resolved, nothing left to interpret.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Case {
    /// What it is called in tables and messages.
    pub name: String,
    /// Sysctls to set before the first step: full name and value.
    pub sysctls: Vec<(String, String)>,
    /// What is added to the peer's sequence numbers on the wire.
    pub peer_isn: u32,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One thing to do, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Index of the script's event.
    pub event: usize,
    /// When, in nanoseconds.
    pub when: When,
    /// What.
    pub act: Act,
}

/// When a step is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// This many nanoseconds after the run's zero.
    At(u64),
    /// This many nanoseconds after the step before was due (or done, if that was later).
    After(u64),
}

/// What a step does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// The peer's segment arrives.
    Inject(Packet),
    /// An ICMP unreachable about one of the host's segments arrives.
    Icmp(Unreachable),
    /// Waits for the host to send something, this long past the time it is due at most.
    Await {
        /// The connection on which it should come.
        conn: Conn,
        /// Nanoseconds of patience.
        patience_ns: u64,
    },
    /// The application makes a system call.
    Call(Call),
    /// A sysctl changes while the host runs.
    Sysctl {
        /// The full name.
        name: String,
        /// The value.
        value: String,
    },
    /// Nothing but a look at the host.
    Look,
}

/// A segment of the peer, in the script's numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The connection.
    pub conn: Conn,
    /// Flags.
    pub flags: Flags,
    /// Sequence number, relative to the peer's initial one.
    pub seq: u32,
    /// Payload bytes.
    pub len: u16,
    /// Acknowledgement number, relative to the host's initial one.
    pub ack: u32,
    /// Window field.
    pub win: u16,
    /// Options; timestamps echo relative to the host's first.
    pub options: Vec<TcpOption>,
}

/// An ICMP destination unreachable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreachable {
    /// The connection of the segment that it is about.
    pub conn: Conn,
    /// That segment's sequence number, relative to the host's initial one.
    pub seq: u32,
    /// The ICMP code: 1 host, 2 protocol, 3 port, 4 fragmentation needed.
    pub code: u8,
    /// Next-hop MTU for code 4.
    pub mtu: u16,
}

/// A system call; descriptors by the script's numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    /// socket(), which the script calls `fd`.
    Socket {
        /// The new descriptor.
        fd: i32,
    },
    /// bind() to a port of the host; `any` is 0.0.0.0 in place of the host's address.
    Bind {
        /// Descriptor.
        fd: i32,
        /// Port.
        port: u16,
        /// Bind to the wildcard address?
        any: bool,
    },
    /// listen().
    Listen {
        /// Descriptor.
        fd: i32,
        /// Length of the accept queue.
        backlog: i32,
    },
    /// accept(), whose result the script calls `new`.
    Accept {
        /// The listener.
        fd: i32,
        /// The new descriptor.
        new: i32,
    },
    /// connect() to a port of the peer.
    Connect {
        /// Descriptor.
        fd: i32,
        /// The connection: the host's port as the script names it, the peer's.
        conn: Conn,
    },
    /// connect(AF_UNSPEC).
    Disconnect {
        /// Descriptor.
        fd: i32,
    },
    /// send() or write().
    Send {
        /// Descriptor.
        fd: i32,
        /// Bytes.
        len: u32,
        /// MSG_MORE?
        more: bool,
    },
    /// recv() or read().
    Recv {
        /// Descriptor.
        fd: i32,
        /// Bytes at most.
        len: u32,
    },
    /// shutdown().
    Shutdown {
        /// Descriptor.
        fd: i32,
        /// Which side.
        how: How,
    },
    /// close().
    Close {
        /// Descriptor.
        fd: i32,
    },
    /// setsockopt().
    SetOpt {
        /// Descriptor.
        fd: i32,
        /// Option and value.
        opt: SockOpt,
    },
    /// getsockopt() of an integer.
    GetOpt {
        /// Descriptor.
        fd: i32,
        /// Option.
        name: OptName,
    },
    /// fcntl(F_SETFL), which sets or clears O_NONBLOCK.
    NonBlock {
        /// Descriptor.
        fd: i32,
        /// Set it?
        on: bool,
    },
    /// ioctl(SIOCINQ).
    Inq {
        /// Descriptor.
        fd: i32,
    },
    /// ioctl(SIOCOUTQ).
    Outq {
        /// Descriptor.
        fd: i32,
    },
    /// poll() without waiting.
    Poll {
        /// Descriptor.
        fd: i32,
    },
}

impl Call {
    /// The descriptor that it is about.
    pub const fn fd(&self) -> i32 {
        match *self {
            Self::Socket { fd }
            | Self::Bind { fd, .. }
            | Self::Listen { fd, .. }
            | Self::Accept { fd, .. }
            | Self::Connect { fd, .. }
            | Self::Disconnect { fd }
            | Self::Send { fd, .. }
            | Self::Recv { fd, .. }
            | Self::Shutdown { fd, .. }
            | Self::Close { fd }
            | Self::SetOpt { fd, .. }
            | Self::GetOpt { fd, .. }
            | Self::NonBlock { fd, .. }
            | Self::Inq { fd }
            | Self::Outq { fd }
            | Self::Poll { fd } => fd,
        }
    }
    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Socket { .. } => "socket",
            Self::Bind { .. } => "bind",
            Self::Listen { .. } => "listen",
            Self::Accept { .. } => "accept",
            Self::Connect { .. } | Self::Disconnect { .. } => "connect",
            Self::Send { .. } => "send",
            Self::Recv { .. } => "recv",
            Self::Shutdown { .. } => "shutdown",
            Self::Close { .. } => "close",
            Self::SetOpt { .. } => "setsockopt",
            Self::GetOpt { .. } => "getsockopt",
            Self::NonBlock { .. } => "fcntl",
            Self::Inq { .. } | Self::Outq { .. } => "ioctl",
            Self::Poll { .. } => "poll",
        }
    }
}
