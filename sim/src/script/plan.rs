//! A script made ready to be played: names resolved, every packet with its connection, nothing
//! left that cannot be done.

use finwait_model::errno::Errno;
use finwait_model::flow::Addr;
use finwait_model::kernel::{How, OptName, Ready, SockOpt};
use finwait_model::release::Release;

use super::ast::{Pos, Statement, Tcp, Time};
use super::observe::Conn;

/// A script made ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What the option lines say.
    pub settings: Settings,
    /// Sysctls to set before the first event: full name and value.
    pub sysctls: Vec<(String, String)>,
    /// One step for each event.
    pub steps: Vec<Step>,
    /// What is not done, and where it stands.
    pub warnings: Vec<(Pos, String)>,
}

/// What the option lines say, and packetdrill's defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The kernel.
    pub release: Release,
    /// The host's address.
    pub local: Addr,
    /// The peer's address.
    pub remote: Addr,
    /// Where `bind(3, ..., ...)` binds.
    pub bind_port: u16,
    /// Where `connect(3, ..., ...)` connects.
    pub connect_port: u16,
    /// Link MTU in bytes.
    pub mtu: u16,
    /// How far off a time may be, in nanoseconds.
    pub tolerance_ns: u64,
    /// The same as a part of the time since the event before, in 1/10,000.
    pub tolerance_ratio: u64,
    /// The length of a tick of the timestamp option in nanoseconds; if 0, timestamps are not
    /// compared.
    pub ts_tick_ns: u64,
    /// Must a packet line be one segment, not several that follow each other?
    pub strict_segments: bool,
}

impl Settings {
    /// packetdrill's defaults.
    pub const fn new(release: Release) -> Self {
        Self {
            release,
            local: Addr::v4(192, 168, 0, 1),
            remote: Addr::v4(192, 0, 2, 1),
            bind_port: 8080,
            connect_port: 8080,
            mtu: 1500,
            tolerance_ns: 4_000_000,
            tolerance_ratio: 1250,
            ts_tick_ns: 0,
            strict_segments: false,
        }
    }
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Where it stands.
    pub pos: Pos,
    /// When.
    pub time: Time,
    /// What.
    pub act: Act,
}

/// What is done in a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// The peer's segment arrives.
    Inject(Packet),
    /// The host must send this segment.
    Expect(Packet),
    /// An ICMP error arrives.
    Icmp(Unreachable),
    /// The application makes a system call.
    Call(Call),
    /// Sysctls change: full name and value.
    Sysctl(Vec<(String, String)>),
    /// A look at `struct tcp_info`.
    Code {
        /// The descriptor under test, by the script's number.
        fd: Option<i64>,
        /// If there is none: the connection under test.
        conn: Option<Conn>,
        /// What to check and print.
        statements: Vec<Statement>,
    },
}

/// A segment in the script's numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The connection.
    pub conn: Conn,
    /// The header.
    pub tcp: Tcp,
}

/// An ICMP destination unreachable, or the like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreachable {
    /// The connection of the segment that it is about.
    pub conn: Conn,
    /// That segment's sequence number in the script's numbers.
    pub seq: u32,
    /// ICMP type.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// Next-hop MTU, if it says one.
    pub mtu: u16,
    /// What it means to a socket.
    pub error: Errno,
    /// A hard error, not a soft one.
    pub hard: bool,
    /// As the script has it.
    pub text: String,
}

/// A system call and its expected answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Its name in the script.
    pub name: String,
    /// The name and the arguments as the script has them: `listen(3, 1)`.
    pub text: String,
    /// What it does.
    pub op: Op,
    /// When it must return, as [`super::ast::Call::end`]; `None` if it must not block.
    pub end: Option<u64>,
    /// What it must return; `None` is "anything".
    pub result: Option<i64>,
    /// The error it must fail with; `None` if the script names none.
    pub errno: Option<Errno>,
}

/// The system calls; descriptors by the script's numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// socket(); `nonblock` is SOCK_NONBLOCK.
    Socket {
        /// Non-blocking from the start.
        nonblock: bool,
    },
    /// bind().
    Bind {
        /// Descriptor.
        fd: i64,
        /// Address.
        addr: Addr,
        /// Port.
        port: u16,
    },
    /// listen().
    Listen {
        /// Descriptor.
        fd: i64,
        /// Length of the accept queue.
        backlog: i32,
    },
    /// accept(), accept4().
    Accept {
        /// The listener.
        fd: i64,
        /// SOCK_NONBLOCK for the child.
        nonblock: bool,
    },
    /// connect().
    Connect {
        /// Descriptor.
        fd: i64,
        /// Its address.
        addr: Addr,
        /// The connection as the script names it; the peer's port is real.
        conn: Conn,
    },
    /// connect(AF_UNSPEC).
    Disconnect {
        /// Descriptor.
        fd: i64,
    },
    /// write(), send(), sendto(), writev().
    Send {
        /// Descriptor.
        fd: i64,
        /// Bytes.
        len: u32,
        /// MSG_MORE.
        more: bool,
        /// MSG_DONTWAIT.
        dontwait: bool,
    },
    /// read(), recv(), recvfrom(), readv().
    Recv {
        /// Descriptor.
        fd: i64,
        /// Bytes at most.
        len: u32,
        /// MSG_DONTWAIT.
        dontwait: bool,
    },
    /// shutdown().
    Shutdown {
        /// Descriptor.
        fd: i64,
        /// Which side.
        how: How,
    },
    /// close().
    Close {
        /// Descriptor.
        fd: i64,
    },
    /// setsockopt().
    SetOpt {
        /// Descriptor.
        fd: i64,
        /// Option and value.
        opt: SockOpt,
    },
    /// getsockopt() of an integer.
    GetOpt {
        /// Descriptor.
        fd: i64,
        /// Option.
        name: OptName,
        /// The value it must give; `None` is "anything".
        value: Option<i64>,
    },
    /// getsockopt(TCP_INFO).
    GetInfo {
        /// Descriptor.
        fd: i64,
    },
    /// fcntl(F_SETFL).
    SetFlags {
        /// Descriptor.
        fd: i64,
        /// O_NONBLOCK set?
        nonblock: bool,
    },
    /// fcntl(F_GETFL).
    GetFlags {
        /// Descriptor.
        fd: i64,
    },
    /// ioctl(SIOCINQ); the value it must give.
    Inq {
        /// Descriptor.
        fd: i64,
        /// The value it must give; `None` is "anything".
        value: Option<i64>,
    },
    /// ioctl(SIOCOUTQ); the value it must give.
    Outq {
        /// Descriptor.
        fd: i64,
        /// The value it must give; `None` is "anything".
        value: Option<i64>,
    },
    /// poll().
    Poll {
        /// Descriptors with what is asked and what must be answered (`None` is "anything").
        fds: Vec<(i64, Ready, Option<Ready>)>,
        /// Nanoseconds; `None` waits for ever.
        timeout_ns: Option<u64>,
    },
}
