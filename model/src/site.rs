//! What stands behind each [`Cause`]: constant data, read only when someone asks.

use crate::cause::Cause;
use crate::release::Release;

/// `enum sk_rst_reason` of 6.18, for RSTs; 3.10 has none, so for it this is what 6.18 would report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the kernel's names")]
#[repr(u8)]
pub enum RstReason {
    NotSpecified = 0,
    NoSocket = 1,
    TcpInvalidAckSequence = 2,
    TcpRfc7323Paws = 3,
    TcpTooOldAck = 4,
    TcpAckUnsentData = 5,
    TcpFlags = 6,
    TcpOldAck = 7,
    TcpAbortOnData = 8,
    TcpTimewaitSocket = 9,
    InvalidSyn = 10,
    TcpAbortOnClose = 11,
    TcpAbortOnLinger = 12,
    TcpAbortOnMemory = 13,
    TcpState = 14,
    TcpKeepaliveTimeout = 15,
    TcpDisconnectWithData = 16,
}

impl RstReason {
    /// The kernel's name without the `SK_RST_REASON_` prefix, as the tracepoint prints it.
    pub const fn kernel_name(self) -> &'static str {
        match self {
            Self::NotSpecified => "NOT_SPECIFIED",
            Self::NoSocket => "NO_SOCKET",
            Self::TcpInvalidAckSequence => "TCP_INVALID_ACK_SEQUENCE",
            Self::TcpRfc7323Paws => "TCP_RFC7323_PAWS",
            Self::TcpTooOldAck => "TCP_TOO_OLD_ACK",
            Self::TcpAckUnsentData => "TCP_ACK_UNSENT_DATA",
            Self::TcpFlags => "TCP_FLAGS",
            Self::TcpOldAck => "TCP_OLD_ACK",
            Self::TcpAbortOnData => "TCP_ABORT_ON_DATA",
            Self::TcpTimewaitSocket => "TCP_TIMEWAIT_SOCKET",
            Self::InvalidSyn => "INVALID_SYN",
            Self::TcpAbortOnClose => "TCP_ABORT_ON_CLOSE",
            Self::TcpAbortOnLinger => "TCP_ABORT_ON_LINGER",
            Self::TcpAbortOnMemory => "TCP_ABORT_ON_MEMORY",
            Self::TcpState => "TCP_STATE",
            Self::TcpKeepaliveTimeout => "TCP_KEEPALIVE_TIMEOUT",
            Self::TcpDisconnectWithData => "TCP_DISCONNECT_WITH_DATA",
        }
    }
}

/// One send site.
#[derive(Debug)]
pub struct Site {
    /// Whose it is.
    pub cause: Cause,
    /// Its name: `rst-no-socket`.
    pub name: &'static str,
    /// Kernel functions from the entry to the send, outermost first.
    pub path: &'static [&'static str],
    /// The reason that 6.18 gives to `tcp:tcp_send_reset`; `None` if it sends no RST.
    pub reset: Option<RstReason>,
    /// The releases that have it.
    pub releases: &'static [Release],
    /// One sentence.
    pub why: &'static str,
}

/// The table, in the order of [`Cause`].
pub const SITES: [Site; 0] = [];
