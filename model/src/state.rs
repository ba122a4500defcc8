//! TCP states, in the order and with the numbers of `tcp_states.h`.

use core::fmt;

pub mod about;

/// A connection's state. Numbers as in /proc/net/tcp, names as `ss` prints them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum TcpState {
    /// Data can flow both ways.
    Established = 1,
    /// Our SYN is out.
    SynSent = 2,
    /// Their SYN has come and ours is out (a full socket only after a simultaneous open).
    SynRecv = 3,
    /// Our FIN is out or queued, not yet acknowledged.
    FinWait1 = 4,
    /// Our FIN is acknowledged, theirs has not come.
    FinWait2 = 5,
    /// Both FINs are through; only ever a timewait bucket.
    TimeWait = 6,
    /// No connection.
    Close = 7,
    /// Their FIN has come, ours has not been sent.
    CloseWait = 8,
    /// Both FINs are out, theirs came first; ours is not acknowledged.
    LastAck = 9,
    /// Waiting for SYNs.
    Listen = 10,
    /// Both FINs are out, ours first; ours is not acknowledged.
    Closing = 11,
    /// A half-open request, not a full socket; shown as SYN-RECV.
    NewSynRecv = 12,
}

impl TcpState {
    /// All of them, by number.
    pub const ALL: [Self; 12] = [
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
        Self::NewSynRecv,
    ];

    /// The name in the State column of `ss`.
    pub const fn ss_name(self) -> &'static str {
        match self {
            Self::Established => "ESTAB",
            Self::SynSent => "SYN-SENT",
            Self::SynRecv | Self::NewSynRecv => "SYN-RECV",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::TimeWait => "TIME-WAIT",
            Self::Close => "UNCONN",
            Self::CloseWait => "CLOSE-WAIT",
            Self::LastAck => "LAST-ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
        }
    }

    /// The kernel's constant, as tracepoints print it.
    pub const fn kernel_name(self) -> &'static str {
        match self {
            Self::Established => "TCP_ESTABLISHED",
            Self::SynSent => "TCP_SYN_SENT",
            Self::SynRecv => "TCP_SYN_RECV",
            Self::FinWait1 => "TCP_FIN_WAIT1",
            Self::FinWait2 => "TCP_FIN_WAIT2",
            Self::TimeWait => "TCP_TIME_WAIT",
            Self::Close => "TCP_CLOSE",
            Self::CloseWait => "TCP_CLOSE_WAIT",
            Self::LastAck => "TCP_LAST_ACK",
            Self::Listen => "TCP_LISTEN",
            Self::Closing => "TCP_CLOSING",
            Self::NewSynRecv => "TCP_NEW_SYN_RECV",
        }
    }
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.ss_name())
    }
}
