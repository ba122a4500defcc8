//! Why a RST was sent, as the kernel itself puts it: the reasons, their names, and what they mean.

macro_rules! resets {
    ($($name:ident $number:literal $kernel:literal $why:literal;)*) => {
        /// `enum sk_rst_reason` of 6.18, for RSTs; 3.10 has none, so for it this is what 6.18 would
        /// report.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[allow(missing_docs, reason = "each is described by its row")]
        #[repr(u8)]
        pub enum RstReason { $($name = $number,)* }

        impl RstReason {
            /// Every reason, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The kernel's name without the `SK_RST_REASON_` prefix, as the tracepoint prints it.
            pub const fn kernel_name(self) -> &'static str {
                match self { $(Self::$name => $kernel,)* }
            }
            /// What it says, in a sentence or two.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)* }
            }
        }
    };
}

resets! {
    NotSpecified 0 "NOT_SPECIFIED"
        "The kernel gives no reason.";
    NoSocket 1 "NO_SOCKET"
        "The segment met no socket, request, bucket or listener. What was there before, and why it is gone, the reason does not say: finwait does (`because`).";
    TcpInvalidAckSequence 2 "TCP_INVALID_ACK_SEQUENCE"
        "The answer to our SYN acknowledges something else: the peer has an older connection.";
    TcpRfc7323Paws 3 "TCP_RFC7323_PAWS"
        "The answer to our SYN echoes a timestamp that we did not send.";
    TcpTooOldAck 4 "TCP_TOO_OLD_ACK"
        "An ACK in SYN-RECV is older than anything that the peer can still mean.";
    TcpAckUnsentData 5 "TCP_ACK_UNSENT_DATA"
        "An ACK in SYN-RECV acknowledges what was never sent.";
    TcpFlags 6 "TCP_FLAGS"
        "The segment's flags fit nothing: an ACK for a listener, or for a half-open request that it does not match.";
    TcpOldAck 7 "TCP_OLD_ACK"
        "An ACK in SYN-RECV acknowledges what was acknowledged before. No site of the model sends for it.";
    TcpAbortOnData 8 "TCP_ABORT_ON_DATA"
        "Data came after the program had closed, or had shut down reading and writing; also the ACK of a FIN while TCP_LINGER2 is below zero.";
    TcpTimewaitSocket 9 "TCP_TIMEWAIT_SOCKET"
        "A FIN-WAIT-2 bucket got what it cannot take: data, a FIN beyond a hole, or a SYN.";
    InvalidSyn 10 "INVALID_SYN"
        "A SYN for a half-open request with another sequence number; also, whatever the name says, the accept queue was full and tcp_abort_on_overflow is set.";
    TcpAbortOnClose 11 "TCP_ABORT_ON_CLOSE"
        "The program closed with unread data.";
    TcpAbortOnLinger 12 "TCP_ABORT_ON_LINGER"
        "The program closed in FIN-WAIT-2 with TCP_LINGER2 below zero.";
    TcpAbortOnMemory 13 "TCP_ABORT_ON_MEMORY"
        "There are more orphans than tcp_max_orphans; in the kernel also: TCP is out of memory.";
    TcpState 14 "TCP_STATE"
        "The program, or the kernel for it, dropped a connection in mid-state: SO_LINGER of 0 seconds, connect() with AF_UNSPEC, a listener closed over its accept queue, FIN-WAIT-2 that has waited long enough.";
    TcpKeepaliveTimeout 15 "TCP_KEEPALIVE_TIMEOUT"
        "Keepalive probes stayed unanswered.";
    TcpDisconnectWithData 16 "TCP_DISCONNECT_WITH_DATA"
        "The program dropped a connection in CLOSING or LAST-ACK while something was still unsent.";
}
