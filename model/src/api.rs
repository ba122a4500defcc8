//! The values that go in and out of a [`crate::kernel::Kernel`].

use alloc::vec::Vec;

use crate::errno::Errno;
use crate::flow::{Addr, Endpoint, FourTuple};
use crate::release::Release;
use crate::state::TcpState;
use crate::sysctl::Sysctl;
use crate::time::{Clock, Jiffies, Span};

/// A file descriptor: names a socket of one [`crate::kernel::Kernel`]. A stale one is caught (EBADF).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fd {
    /// Slot; small and reused, so it can index a table of the caller's.
    pub index: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

/// Poll bits, with the numbers of poll(2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Ready(pub u16);

impl Ready {
    /// Something to read, to accept, or end of file.
    pub const IN: Self = Self(0x001);
    /// Room to write, or the connection is established.
    pub const OUT: Self = Self(0x004);
    /// An error is pending.
    pub const ERR: Self = Self(0x008);
    /// Both directions are shut, or no connection.
    pub const HUP: Self = Self(0x010);
    /// The peer has sent its FIN (or the read side is shut).
    pub const RDHUP: Self = Self(0x2000);
    /// A lingering close() has returned; the descriptor is gone.
    pub const CLOSED: Self = Self(0x4000);
    /// Are all bits of `other` set?
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How a host is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// The kernel it runs.
    pub release: Release,
    /// Its tick and the phase of the run's beginning on it.
    pub clock: Clock,
    /// Its sysctls.
    pub sysctl: Sysctl,
    /// Its own addresses; the first is the source of connections that were not bound.
    pub addrs: Vec<Addr>,
    /// Link MTU in bytes; the advertised MSS is 40 less.
    pub mtu: u16,
    /// Seeds every secret of the host: ISNs, timestamp offsets, port search.
    pub seed: u64,
}

/// What `shutdown()` shuts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// SHUT_RD.
    Rd,
    /// SHUT_WR.
    Wr,
    /// SHUT_RDWR.
    RdWr,
}

/// How close() returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// At once.
    Now,
    /// It blocks (SO_LINGER > 0); [`Ready::CLOSED`] tells when it has returned 0.
    Lingers,
}

/// A socket option and its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SockOpt {
    /// SO_REUSEADDR.
    ReuseAddr(bool),
    /// SO_REUSEPORT.
    ReusePort(bool),
    /// SO_LINGER: `None` is off, else seconds.
    Linger(Option<u32>),
    /// SO_RCVBUF, bytes as the caller gives them (the kernel doubles them).
    RcvBuf(u32),
    /// SO_SNDBUF, bytes as the caller gives them (the kernel doubles them).
    SndBuf(u32),
    /// SO_KEEPALIVE.
    KeepAlive(bool),
    /// SO_RCVLOWAT.
    RcvLowat(u32),
    /// TCP_NODELAY.
    NoDelay(bool),
    /// TCP_CORK.
    Cork(bool),
    /// TCP_QUICKACK.
    QuickAck(i32),
    /// TCP_LINGER2, seconds.
    Linger2(i32),
    /// TCP_DEFER_ACCEPT, seconds.
    DeferAccept(i32),
    /// TCP_USER_TIMEOUT, milliseconds.
    UserTimeout(u32),
    /// TCP_KEEPIDLE, seconds.
    KeepIdle(i32),
    /// TCP_KEEPINTVL, seconds.
    KeepIntvl(i32),
    /// TCP_KEEPCNT.
    KeepCnt(i32),
    /// TCP_MAXSEG, bytes.
    MaxSeg(i32),
    /// TCP_SYNCNT.
    SynCnt(i32),
    /// TCP_WINDOW_CLAMP, bytes.
    WindowClamp(i32),
}

/// A socket option to ask for; answers are plain integers as getsockopt() gives them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names of the options")]
pub enum OptName {
    ReuseAddr,
    ReusePort,
    /// SO_ERROR: the pending error's number, and clears it.
    Error,
    RcvBuf,
    SndBuf,
    KeepAlive,
    RcvLowat,
    NoDelay,
    Cork,
    QuickAck,
    Linger2,
    DeferAccept,
    UserTimeout,
    KeepIdle,
    KeepIntvl,
    KeepCnt,
    MaxSeg,
    SynCnt,
    WindowClamp,
}

/// The part of `struct tcp_info` that the model knows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs, reason = "fields of struct tcp_info without their prefix, in its units")]
pub struct TcpInfo {
    pub state: u8,
    pub ca_state: u8,
    pub retransmits: u8,
    pub probes: u8,
    pub backoff: u8,
    /// Bits as in TCPI_OPT_*: 1 timestamps, 2 SACK, 4 window scaling.
    pub options: u8,
    pub snd_wscale: u8,
    pub rcv_wscale: u8,
    /// Microseconds.
    pub rto: u32,
    /// Microseconds.
    pub ato: u32,
    pub snd_mss: u32,
    pub rcv_mss: u32,
    pub unacked: u32,
    pub sacked: u32,
    pub lost: u32,
    pub retrans: u32,
    /// Milliseconds.
    pub last_data_sent: u32,
    /// Milliseconds.
    pub last_data_recv: u32,
    /// Milliseconds.
    pub last_ack_recv: u32,
    pub pmtu: u32,
    pub rcv_ssthresh: u32,
    /// Microseconds.
    pub rtt: u32,
    /// Microseconds.
    pub rttvar: u32,
    pub snd_ssthresh: u32,
    pub snd_cwnd: u32,
    pub advmss: u32,
    pub total_retrans: u32,
    pub bytes_acked: u64,
    pub bytes_received: u64,
    pub segs_out: u32,
    pub segs_in: u32,
    pub notsent_bytes: u32,
    pub data_segs_in: u32,
    pub data_segs_out: u32,
    pub bytes_sent: u64,
    pub bytes_retrans: u64,
    pub snd_wnd: u32,
    pub rcv_wnd: u32,
}

/// An ICMP error that comes in about one of our segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Icmp {
    /// The offending segment's flow, as we sent it.
    pub flow: FourTuple,
    /// Its sequence number.
    pub seq: crate::seq::Seq,
    /// What the error means to a socket.
    pub error: Errno,
    /// A hard error (port or protocol unreachable, …), not a soft one.
    pub hard: bool,
}

/// A line of `ss -tan` (or /proc/net/tcp).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Row {
    /// State; for a bucket its substate, for a request SynRecv.
    pub state: TcpState,
    /// What kind of object it is.
    pub object: Object,
    /// Recv-Q.
    pub rx_queue: u32,
    /// Send-Q.
    pub tx_queue: u32,
    /// Local end.
    pub local: Endpoint,
    /// Remote end; port 0 for a listener.
    pub remote: Endpoint,
    /// The timer that `ss -o` shows.
    pub timer: Option<RowTimer>,
    /// Does it have no file any more?
    pub orphan: bool,
}

/// What a [`Row`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Object {
    /// A listener.
    Listener,
    /// A half-open request.
    Request,
    /// A full socket.
    Sock,
    /// A timewait bucket.
    Bucket,
}

/// The timer column of `ss -o`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowTimer {
    /// `on`, `keepalive`, `timewait`, `persist`.
    pub name: &'static str,
    /// Nominal time left; zero if overdue.
    pub left: Span,
    /// The count that `ss` prints behind it.
    pub count: u32,
}

/// A [`Row`] as it stands whatever the time: its timer has the tick that it was armed for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Line {
    /// State; for a bucket its substate, for a request SynRecv.
    pub state: TcpState,
    /// What kind of object it is.
    pub object: Object,
    /// Recv-Q.
    pub rx_queue: u32,
    /// Send-Q.
    pub tx_queue: u32,
    /// Local end.
    pub local: Endpoint,
    /// Remote end; port 0 for a listener.
    pub remote: Endpoint,
    /// The timer that `ss -o` shows.
    pub timer: Option<LineTimer>,
    /// Does it have no file any more?
    pub orphan: bool,
}

/// The timer of a [`Line`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LineTimer {
    /// `on`, `keepalive`, `timewait`, `persist`.
    pub name: &'static str,
    /// When it should fire.
    pub due: Jiffies,
    /// The count that `ss` prints behind it.
    pub count: u32,
}

/// The numbers of /proc/net/sockstat's TCP line.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SockStat {
    /// Hashed full sockets and listeners.
    pub inuse: u32,
    /// Full sockets without a file.
    pub orphan: u32,
    /// Timewait buckets, both substates.
    pub tw: u32,
    /// Socket structures.
    pub alloc: u32,
}
