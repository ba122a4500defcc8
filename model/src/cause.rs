//! Why a segment was sent: one variant per send site of the kernel.

use crate::site::{SITES, Site};

/// The kernel site that sent a segment. What it means stands in [`Cause::site`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
#[allow(missing_docs, reason = "each is described by its Site, which the docs are generated from")]
pub enum Cause {
    // SYNs and the handshake
    SynOnConnect,
    SynRetransmit,
    SynAck,
    SynAckTimer,
    SynAckAgain,
    SynAckSimultaneous,
    SynAckRetransmit,
    SynAckCookie,
    AckOfSynAck,
    AckRequest,
    // data and FIN
    Data,
    DataRetransmit,
    FastRetransmit,
    RackRetransmit,
    SlowStartRetransmit,
    TailLossProbe,
    Fin,
    FinRetransmit,
    // ACKs of full sockets
    AckQuick,
    AckSecond,
    AckDelayed,
    AckDelayedSoon,
    AckOutOfOrder,
    AckOldData,
    AckOutOfWindow,
    AckPaws,
    AckChallenge,
    AckOfFin,
    AckWindowUpdate,
    AckOnRead,
    AckZeroWindow,
    AckQuickackOption,
    ProbeZeroWindow,
    ProbeKeepalive,
    // ACKs of buckets
    TwAckFinWait2,
    TwAckOfFin,
    TwAckTimeWait,
    // RSTs in answer to a segment
    RstNoSocket,
    RstListenAck,
    RstRequestSyn,
    RstAcceptOverflow,
    RstSynSentBadAck,
    RstSynSentPaws,
    RstSynRecvBadAck,
    RstSynRecvOldAck,
    RstLinger2FinAcked,
    RstDataAfterCloseFinAcked,
    RstDataAfterClose,
    RstTwSyn,
    RstTwData,
    // RSTs of our own accord
    RstUnreadData,
    RstLingerZero,
    RstLinger2Close,
    RstOrphanLimit,
    RstOrphanLimitTimer,
    RstFinWait2Timer,
    RstKeepalive,
    RstListenerClosed,
    RstDisconnect,
    RstDisconnectUnsent,
    // what a host sends that runs no Linux
    RstOtherTcp,
    OtherTcp,
}

impl Cause {
    /// How many there are.
    pub const COUNT: usize = Self::OtherTcp as usize + 1;

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        SITES.iter().map(|s| s.cause)
    }
    /// What the kernel does there: call path, reset reason, counter, prose.
    pub const fn site(self) -> &'static Site {
        &SITES[self as usize]
    }
    /// The name in JSON, docs and on the command line: `rst-no-socket`.
    pub const fn name(self) -> &'static str {
        self.site().name
    }
    /// The cause with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|c| c.name() == name)
    }
    /// Does it send a RST?
    pub const fn is_reset(self) -> bool {
        self as u8 >= Self::RstNoSocket as u8 && !matches!(self, Self::OtherTcp)
    }
    /// Does Linux send it? If not, the host runs another TCP, and nothing is known of its inside.
    pub const fn is_of_linux(self) -> bool {
        !matches!(self, Self::OtherTcp | Self::RstOtherTcp)
    }
    /// Does it send again what was sent before, through `[tcp_retransmit_skb]`, which tells the
    /// tracepoint of that name? A SYN-ACK of a request takes another way (`[tcp_rtx_synack]`).
    pub const fn is_retransmission(self) -> bool {
        matches!(
            self,
            Self::SynRetransmit
                | Self::SynAckRetransmit
                | Self::DataRetransmit
                | Self::FastRetransmit
                | Self::RackRetransmit
                | Self::SlowStartRetransmit
                | Self::TailLossProbe
                | Self::FinRetransmit
        )
    }
}
