//! Why a segment was thrown away: the reasons, their kernel names, and what they mean.

macro_rules! drops {
    ($($name:ident $kernel:literal [$($at:literal)*] $why:literal;)*) => {
        /// Why a segment was thrown away; `enum skb_drop_reason` of 6.18, and a few that only
        /// finwait has. 3.10 has no such reasons; there it is what 6.18 would report.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[allow(missing_docs, reason = "each is described by its row")]
        pub enum DropReason { $($name,)* }

        impl DropReason {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The kernel's name without the `SKB_DROP_REASON_` prefix, as the tracepoint
            /// `skb:kfree_skb` prints it.
            pub const fn kernel_name(self) -> &'static str {
                match self { $(Self::$name => $kernel,)* }
            }
            /// What was wrong, in a sentence or two.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)* }
            }
            /// The kernel functions that decide so.
            pub const fn at(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($at,)*],)* }
            }
        }
    };
}

drops! {
    NoSocket "NO_SOCKET" ["tcp_v4_rcv"]
        "No socket, request, bucket or listener has this four-tuple. Unless the segment is a RST it is answered with one.";
    TcpFlags "TCP_FLAGS" ["tcp_rcv_state_process" "tcp_rcv_established" "tcp_rcv_synsent_state_process"]
        "Its flags make no sense in this state: neither ACK nor RST nor SYN, an ACK for a listener, a SYN with FIN, or a segment that a half-open request cannot use.";
    TcpAbortOnData "TCP_ABORT_ON_DATA" ["tcp_rcv_state_process"]
        "New data for a socket whose program has closed, or has shut down reading and writing: the connection is reset. Also the ACK of a FIN while TCP_LINGER2 is below zero.";
    TcpZeroWindow "TCP_ZEROWINDOW" ["tcp_data_queue"]
        "Data in order, but the receive window is shut.";
    TcpOldData "TCP_OLD_DATA" ["tcp_data_queue"]
        "All of it has been received before: data or a FIN again. It is acknowledged at once.";
    TcpOverwindow "TCP_OVERWINDOW" ["tcp_data_queue"]
        "It begins beyond the receive window.";
    TcpRfc7323Paws "TCP_RFC7323_PAWS" ["tcp_validate_incoming" "tcp_rcv_synsent_state_process"]
        "Its timestamp is older than the last one (PAWS), or, in SYN-SENT, echoes one that was not sent.";
    TcpRfc7323PawsAck "TCP_RFC7323_PAWS_ACK" ["tcp_validate_incoming"]
        "A pure ACK below the window with an old timestamp: it can only be late, and is not answered. 6.18 only.";
    TcpRfc7323TwPaws "TCP_RFC7323_TW_PAWS" ["tcp_timewait_state_process"]
        "Its timestamp is older than the last one that the bucket in TIME-WAIT saw.";
    TcpRfc7323TsEcr "TCP_RFC7323_TSECR" ["tcp_check_req"]
        "The third segment of a handshake echoes a timestamp that no SYN-ACK carried. The model answers and counts it (TSEcrRejected), and notes no drop.";
    TcpListenOverflow "TCP_LISTEN_OVERFLOW" ["tcp_conn_request" "tcp_v4_syn_recv_sock"]
        "The accept queue is full.";
    TcpOldSequence "TCP_OLD_SEQUENCE" ["tcp_sequence"]
        "It ends before what was acknowledged last.";
    TcpInvalidSequence "TCP_INVALID_SEQUENCE" ["tcp_sequence"]
        "It begins beyond the receive window.";
    TcpInvalidEndSequence "TCP_INVALID_END_SEQUENCE" ["tcp_sequence"]
        "It sticks out of the receive window by more than its FIN while data waits to be read. 6.18 only.";
    TcpInvalidAckSequence "TCP_INVALID_ACK_SEQUENCE" ["tcp_rcv_synsent_state_process"]
        "The answer to a SYN acknowledges something else.";
    TcpReset "TCP_RESET" ["tcp_reset" "tcp_validate_incoming" "tcp_rcv_state_process"]
        "A RST: one that was obeyed, one that was challenged or ignored, or one for a listener.";
    TcpInvalidSyn "TCP_INVALID_SYN" ["tcp_validate_incoming"]
        "A SYN on a connection that is up or closing: a challenge ACK, never a RST.";
    TcpClose "TCP_CLOSE" ["tcp_rcv_state_process"]
        "The socket is in CLOSE. It is out of the tables by then, so that no segment of a test has met one.";
    TcpOldAck "TCP_OLD_ACK" ["tcp_rcv_state_process"]
        "In SYN-RECV: it acknowledges what was acknowledged before.";
    TcpTooOldAck "TCP_TOO_OLD_ACK" ["tcp_ack"]
        "It acknowledges something older than the peer can still mean: a challenge ACK.";
    TcpAckUnsentData "TCP_ACK_UNSENT_DATA" ["tcp_ack"]
        "It acknowledges what was never sent.";
    RequestQueueFull "REQUEST_QUEUE_FULL" ["tcp_conn_request"]
        "A SYN for which the queue of half-open requests has no room, and no cookie is to be sent. finwait's own name: the kernel reports no reason for it.";
    PawsPassive "PAWS_PASSIVE" ["tcp_conn_request"]
        "tcp_tw_recycle refused a SYN for its timestamp (3.10). finwait's own name: the kernel reports no reason for it.";
    NetfilterDrop "NETFILTER_DROP" ["nf_hook_slow"]
        "A box on the way, a NAT or a load balancer, has no flow for it and is told to drop such segments, or has no port left for a new flow.";
    NotSpecified "NOT_SPECIFIED" ["tcp_timewait_state_process" "tcp_check_req" "cookie_v4_check"]
        "No reason is given: a bucket had nothing to do, TCP_DEFER_ACCEPT waits for data, or a cookie came for a request that still stands.";
}
