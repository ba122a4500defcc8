//! What each counter counts, in words: constant data, read only when someone asks.
//!
//! Which causes and drop reasons raise a counter is not written here: a test finds it by playing
//! the scripts.

use super::Mib;

/// A counter in words.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Which.
    pub mib: Mib,
    /// What it counts.
    pub counts: &'static str,
    /// The kernel functions that raise it.
    pub at: &'static [&'static str],
    /// What it means to a connection that is closing; empty if it means nothing in particular.
    pub closing: &'static str,
    /// What differs between 3.10 and 6.18; empty if nothing does.
    pub differs: &'static str,
}

impl Mib {
    /// The counter in words.
    pub const fn about(self) -> &'static About {
        &ABOUT[self as usize]
    }
    /// A value that also falls, not a count of events.
    pub const fn is_gauge(self) -> bool {
        matches!(self, Self::CurrEstab)
    }
    /// Does the model raise it? The kernel has the others, too, but what raises them is not
    /// modelled: they stay 0.
    pub const fn is_modelled(self) -> bool {
        !matches!(self, Self::InCsumErrors | Self::DelayedACKLocked | Self::TCPAbortFailed)
    }
}

const fn row(
    mib: Mib,
    at: &'static [&'static str],
    counts: &'static str,
    closing: &'static str,
    differs: &'static str,
) -> About {
    About { mib, counts, at, closing, differs }
}

/// The table, in the order of [`Mib`].
pub const ABOUT: [About; Mib::ALL.len()] = [
    row(
        Mib::ActiveOpens,
        &["tcp_connect"],
        "Connections that this host began: one for each connect() whose SYN was built.",
        "With PassiveOpens it says how many closes are to be expected.",
        "",
    ),
    row(
        Mib::PassiveOpens,
        &["tcp_v4_syn_recv_sock", "tcp_create_openreq_child"],
        "Connections that a listener completed: one for each child, made when the third segment of the handshake finds room in the accept queue.",
        "A server that closes first gets a timewait bucket for nearly each of them.",
        "",
    ),
    row(
        Mib::AttemptFails,
        &["tcp_done", "tcp_check_req"],
        "Connections that died while opening: in SYN-SENT or SYN-RECV by refusal, timeout or ICMP error, and half-open requests killed by a RST or a SYN in their window.",
        "close() or shutdown() in SYN-SENT does not count, nor does a SYN-ACK that nobody answers, nor an overflow of the accept queue.",
        "",
    ),
    row(
        Mib::EstabResets,
        &["tcp_set_state"],
        "Connections that went to CLOSE straight from ESTABLISHED or CLOSE-WAIT, whoever reset them: the peer, close() with unread data, SO_LINGER of 0, a timeout.",
        "A RST in FIN-WAIT-1, FIN-WAIT-2, CLOSING, LAST-ACK or TIME-WAIT does not count, so the side that closed first sees nothing here. `netstat -s` calls it \"connection resets received\", which is misleading.",
        "",
    ),
    row(
        Mib::CurrEstab,
        &["tcp_set_state"],
        "Connections that are up now: a gauge, which falls when they close.",
        "close() takes a connection out at once. Where the peer closes and the program does not, it tells a leak on 6.18, which counts CLOSE-WAIT.",
        "6.18 counts ESTABLISHED and CLOSE-WAIT, 3.10 only ESTABLISHED.",
    ),
    row(Mib::InSegs, &["tcp_v4_rcv"], "Segments that arrived, bad ones included.", "", ""),
    row(
        Mib::OutSegs,
        &["__tcp_transmit_skb", "tcp_v4_send_reset", "tcp_v4_send_ack", "tcp_v4_send_synack"],
        "Segments sent for the first time, and ACKs and RSTs. Retransmissions of a socket are in RetransSegs instead; SYN-ACKs of requests count here each time.",
        "",
        "",
    ),
    row(
        Mib::RetransSegs,
        &["__tcp_retransmit_skb", "inet_rtx_syn_ack"],
        "Segments sent again: data, SYN, SYN-ACK, FIN, and tail loss probes.",
        "A FIN that nobody acknowledges is in it once for each attempt.",
        "In builds of 3.10 before RHEL 7.2 a tail loss probe does not count; finwait follows the later ones.",
    ),
    row(
        Mib::InErrs,
        &["tcp_validate_incoming", "tcp_v4_rcv"],
        "Bad segments. Of its causes the model has one: a SYN that arrives in ESTABLISHED.",
        "",
        "",
    ),
    row(
        Mib::OutRsts,
        &["tcp_v4_send_reset", "tcp_send_active_reset"],
        "RSTs sent, of both kinds: in answer to a segment, and of the host's own accord.",
        "The number to explain. `finwait run` divides it up by cause and by the earlier event that made each RST inevitable.",
        "",
    ),
    row(
        Mib::InCsumErrors,
        &["tcp_v4_rcv"],
        "Segments with a wrong checksum.",
        "Such a segment is never answered with a RST.",
        "",
    ),
    row(
        Mib::SyncookiesSent,
        &["tcp_conn_request"],
        "SYN-ACKs that carry a cookie: the request itself is forgotten.",
        "",
        "On 3.10 each of them raises ListenDrops as well (3.10: tcp_v4_conn_request).",
    ),
    row(
        Mib::SyncookiesRecv,
        &["cookie_v4_check"],
        "ACKs that brought a valid cookie back, whether or not the accept queue had room.",
        "",
        "",
    ),
    row(
        Mib::SyncookiesFailed,
        &["cookie_v4_check"],
        "ACKs for a listener that came within two minutes of a cookie and are none.",
        "The segment is reset: rst-listen-ack.",
        "",
    ),
    row(
        Mib::EmbryonicRsts,
        &["tcp_check_req"],
        "Half-open requests that ended by a RST or a SYN in their window, or because the accept queue was full and tcp_abort_on_overflow is set.",
        "In the last case it is this host that sends the RST, whatever the name says.",
        "",
    ),
    row(
        Mib::OutOfWindowIcmps,
        &["tcp_v4_err"],
        "ICMP errors about a segment that is not on its way.",
        "",
        "",
    ),
    row(
        Mib::TW,
        &["inet_twsk_schedule"],
        "Timewait buckets meant to live longer than 4 s.",
        "On 6.18 its rate is the rate of closes that left a bucket; a refused bucket counts in TCPTimeWaitOverflow instead.",
        "6.18 counts when the bucket is made. 3.10 counts when the slow cells of the death row let it expire (inet_twdr_hangman), so there it lags by the bucket's life, and a bucket that ends early is not counted at all.",
    ),
    row(
        Mib::TWRecycled,
        &["__inet_check_established"],
        "Buckets whose place a connect() took over: tcp_tw_reuse, or a port that was bound before.",
        "A SYN that reopens a connection from TIME-WAIT does not count here.",
        "",
    ),
    row(
        Mib::TWKilled,
        &["inet_twsk_schedule"],
        "Timewait buckets meant to live 4 s or less, as with a small tcp_fin_timeout.",
        "The bucket was not killed by anything: only its time is short.",
        "6.18 counts when the bucket is made; 3.10 when the fast wheel lets it expire (inet_twdr_twcal_tick), which is also where buckets go with tcp_tw_recycle.",
    ),
    row(
        Mib::PAWSPassive,
        &["tcp_conn_request"],
        "SYNs dropped by tcp_tw_recycle: their timestamp is older than the last one seen from the same address within a minute.",
        "Behind a NAT several clocks share an address, and connections fail at random.",
        "6.18 does not have it: tcp_tw_recycle was removed in 4.12.",
    ),
    row(
        Mib::PAWSActive,
        &["tcp_rcv_synsent_state_process"],
        "Answers to a SYN that echo a timestamp which this host did not send; each is reset.",
        "",
        "",
    ),
    row(
        Mib::PAWSEstab,
        &["tcp_validate_incoming", "tcp_check_req"],
        "Segments refused because their timestamp is older than the last one (PAWS).",
        "",
        "3.10 counts here what meets a bucket in TIME-WAIT as well (tcp_timewait_state_process); 6.18 counts that in PAWSTimewait, and old pure ACKs in PAWSOldAck.",
    ),
    row(
        Mib::BeyondWindow,
        &["tcp_validate_incoming"],
        "Segments refused because they begin, or stick out, beyond the receive window.",
        "",
        "",
    ),
    row(
        Mib::TSEcrRejected,
        &["tcp_check_req"],
        "Third segments of a handshake that echo a timestamp which no SYN-ACK carried.",
        "",
        "",
    ),
    row(
        Mib::PAWSOldAck,
        &["tcp_validate_incoming"],
        "Pure ACKs below the window whose timestamp is too old; they are dropped without an answer.",
        "",
        "3.10 does not have it: it answers with an ACK and counts PAWSEstab.",
    ),
    row(
        Mib::PAWSTimewait,
        &["tcp_timewait_state_process"],
        "Segments for a bucket in TIME-WAIT whose timestamp is older than the last one.",
        "Each but a RST starts the 60 s anew and is answered with an ACK.",
        "3.10 does not have it and counts PAWSEstab.",
    ),
    row(
        Mib::DelayedACKs,
        &["tcp_delack_timer_handler"],
        "ACKs that the delayed-ACK timer sent because nothing carried them in time.",
        "An ACK of a FIN that is counted here went alone: the closer has to wait in FIN-WAIT-2 for the peer's FIN, and needs a bucket for it.",
        "",
    ),
    row(
        Mib::DelayedACKLocked,
        &["tcp_delack_timer"],
        "Delayed-ACK timers that found a program inside the socket.",
        "",
        "",
    ),
    row(
        Mib::DelayedACKLost,
        &["tcp_data_queue", "tcp_send_dupack"],
        "Segments that brought only what had arrived before: the ACK must have been lost. Each puts the socket into quickack mode.",
        "A repeated FIN counts here, in CLOSE-WAIT, CLOSING and LAST-ACK.",
        "",
    ),
    row(
        Mib::ListenOverflows,
        &["tcp_conn_request", "tcp_v4_syn_recv_sock"],
        "Times that the accept queue was full: for a SYN, or for the third segment of a handshake.",
        "The peer may believe that it is connected, and close a connection that this host never accepted.",
        "3.10 drops a SYN for it only if more than one young request waits.",
    ),
    row(
        Mib::ListenDrops,
        &["tcp_listendrop"],
        "Segments that a listener dropped for want of room: all of ListenOverflows, and SYNs that found the queue of requests full.",
        "",
        "3.10 counts each SYN cookie as well, although nothing is dropped.",
    ),
    row(
        Mib::TCPPureAcks,
        &["tcp_ack"],
        "ACKs without data that took the slow path. A bare FIN is not one of them.",
        "",
        "",
    ),
    row(
        Mib::TCPHPAcks,
        &["tcp_ack"],
        "ACKs that the fast path took: what header prediction expected.",
        "A FIN, SYN or RST never takes the fast path.",
        "",
    ),
    row(Mib::TCPRenoRecovery, &["tcp_enter_recovery"], "Fast recoveries without SACK.", "", ""),
    row(Mib::TCPSackRecovery, &["tcp_enter_recovery"], "Fast recoveries with SACK.", "", ""),
    row(
        Mib::TCPLostRetransmit,
        &["tcp_mark_skb_lost"],
        "Retransmissions that were lost themselves.",
        "A FIN that is never acknowledged counts one less than its retransmissions by timeout.",
        "The model counts it on 6.18 only.",
    ),
    row(
        Mib::TCPFastRetrans,
        &["tcp_xmit_retransmit_queue"],
        "Segments that were sent again in fast recovery.",
        "",
        "",
    ),
    row(
        Mib::TCPSlowStartRetrans,
        &["tcp_xmit_retransmit_queue"],
        "Segments beyond the first that were sent again after a timeout.",
        "",
        "",
    ),
    row(
        Mib::TCPTimeouts,
        &["tcp_retransmit_timer", "reqsk_timer_handler"],
        "Retransmission timeouts.",
        "An orphan whose FIN is never acknowledged ends with 9 of them by default on a fast network, the last of which gives it up.",
        "6.18 counts every firing, that of a request's SYN-ACK timer too. 3.10 counts the first of a series, and none of a request.",
    ),
    row(
        Mib::TCPLossProbes,
        &["tcp_send_loss_probe"],
        "Tail loss probes: the last segment again, after two round trips.",
        "On 6.18 a FIN behind data is repeated within milliseconds if the peer delays its ACK.",
        "6.18 repeats a bare FIN, 3.10 does not.",
    ),
    row(
        Mib::TCPLossProbeRecovery,
        &["tcp_process_tlp_ack"],
        "Losses that a tail loss probe repaired.",
        "",
        "",
    ),
    row(
        Mib::TCPDSACKOldSent,
        &["tcp_dsack_set"],
        "ACKs that report a duplicate of something acknowledged before (D-SACK).",
        "",
        "",
    ),
    row(
        Mib::TCPDSACKOfoSent,
        &["tcp_dsack_set"],
        "ACKs that report a duplicate of something held beyond a hole.",
        "",
        "",
    ),
    row(
        Mib::TCPDSACKRecv,
        &["tcp_check_dsack"],
        "Reports by the peer of a duplicate of something acknowledged before.",
        "A peer with delayed ACKs sends one for a FIN that a tail loss probe repeated in vain.",
        "",
    ),
    row(
        Mib::TCPDSACKOfoRecv,
        &["tcp_check_dsack"],
        "Reports by the peer of a duplicate of something it holds beyond a hole.",
        "",
        "",
    ),
    row(
        Mib::TCPAbortOnData,
        &["tcp_rcv_state_process", "__tcp_close"],
        "Connections that this host reset because data came for nobody: new data for a socket whose program has closed or shut down reading as well as writing. Also each close() with SO_LINGER of 0, and a FIN that is acknowledged while TCP_LINGER2 is below zero.",
        "Data for a FIN-WAIT-2 bucket is reset, too, but counted nowhere except in OutRsts.",
        "",
    ),
    row(
        Mib::TCPAbortOnClose,
        &["__tcp_close"],
        "close() with unread data in the receive queue: a RST instead of a FIN.",
        "Partly read segments count as unread, a bare FIN does not, and neither does what waits beyond a hole.",
        "",
    ),
    row(
        Mib::TCPAbortOnMemory,
        &["__tcp_close", "tcp_out_of_resources"],
        "Orphans that were killed because there were more than tcp_max_orphans.",
        "The kernel counts orphans killed for want of memory here as well; the model does not account for memory.",
        "",
    ),
    row(
        Mib::TCPAbortOnTimeout,
        &["tcp_write_err"],
        "Connections given up because nothing was heard: SYN, data, FIN, window probes or keepalive probes stayed unanswered.",
        "No RST is sent, except for keepalive, and no bucket is made.",
        "",
    ),
    row(
        Mib::TCPAbortOnLinger,
        &["__tcp_close"],
        "close() in FIN-WAIT-2 with TCP_LINGER2 below zero.",
        "The same option with the FIN not yet acknowledged counts TCPAbortOnData later.",
        "",
    ),
    row(
        Mib::TCPAbortFailed,
        &["tcp_send_active_reset"],
        "RSTs that could not be sent for want of memory.",
        "",
        "",
    ),
    row(
        Mib::TCPDeferAcceptDrop,
        &["tcp_check_req"],
        "Third segments of a handshake without data that were ignored because TCP_DEFER_ACCEPT waits for data.",
        "",
        "",
    ),
    row(
        Mib::TCPTimeWaitOverflow,
        &["tcp_time_wait"],
        "Timewait buckets that were refused, in FIN-WAIT-2 or TIME-WAIT: there were tcp_max_tw_buckets of them.",
        "The connection is forgotten at once, without a RST. If the peer's FIN is still to come it meets no socket and is answered with one: the RST of the story. A refused TIME-WAIT is missed only by a FIN that is repeated.",
        "6.18 compares the buckets of the network namespace with its own limit, 3.10 those of the host. A negative limit means no limit on 6.18 and no bucket on 3.10.",
    ),
    row(
        Mib::TCPReqQFullDoCookies,
        &["tcp_syn_flood_action"],
        "SYNs that are to be answered with a cookie, because the queue of requests is full or tcp_syncookies is 2.",
        "",
        "",
    ),
    row(
        Mib::TCPReqQFullDrop,
        &["tcp_syn_flood_action"],
        "SYNs dropped because the queue of requests is full and tcp_syncookies is 0.",
        "",
        "",
    ),
    row(
        Mib::TCPOFOQueue,
        &["tcp_data_queue_ofo"],
        "Segments held because they lie beyond a hole.",
        "A FIN among them takes effect when the hole is filled.",
        "",
    ),
    row(
        Mib::TCPOFOMerge,
        &["tcp_data_queue_ofo"],
        "Segments beyond a hole that cover one that is held, or are covered by it.",
        "",
        "",
    ),
    row(
        Mib::TCPChallengeACK,
        &["tcp_send_challenge_ack"],
        "Challenge ACKs that were sent (RFC 5961): in answer to a RST or SYN that may be forged, and to ACKs of what was never sent.",
        "A peer that has forgotten the connection answers it with a RST, whose sequence number is exact.",
        "6.18 challenges more: inexact RSTs for a half-open request, and in ESTABLISHED an ACK of unsent data.",
    ),
    row(
        Mib::TCPSYNChallenge,
        &["tcp_validate_incoming"],
        "SYNs on a connection that is up or closing, whether or not the challenge ACK then went out.",
        "",
        "",
    ),
    row(
        Mib::TCPFromZeroWindowAdv,
        &["tcp_select_window"],
        "Times that this host opened its receive window after it had been shut.",
        "",
        "",
    ),
    row(
        Mib::TCPToZeroWindowAdv,
        &["tcp_select_window"],
        "Times that this host shut its receive window: the program does not read.",
        "A close() now is a close() with unread data: a RST.",
        "",
    ),
    row(
        Mib::TCPWantZeroWindowAdv,
        &["tcp_select_window"],
        "Segments that would have shut the window if an offer could be taken back.",
        "",
        "",
    ),
    row(
        Mib::TCPSynRetrans,
        &["__tcp_retransmit_skb", "inet_rtx_syn_ack"],
        "SYNs and SYN-ACKs sent again.",
        "",
        "",
    ),
    row(
        Mib::TCPOrigDataSent,
        &["tcp_write_xmit"],
        "Segments of data, and FINs, sent for the first time; SYNs are not in it.",
        "A bare FIN counts 1; one that rides on data adds nothing.",
        "",
    ),
    row(
        Mib::TCPACKSkippedSynRecv,
        &["tcp_check_req"],
        "Answers of a half-open request that were left out because the last one is less than tcp_invalid_ratelimit ago.",
        "",
        "",
    ),
    row(
        Mib::TCPACKSkippedPAWS,
        &["tcp_validate_incoming"],
        "ACKs for a segment with an old timestamp that were left out because the last one is less than tcp_invalid_ratelimit ago.",
        "",
        "",
    ),
    row(
        Mib::TCPACKSkippedSeq,
        &["tcp_validate_incoming"],
        "ACKs for a segment out of the window that were left out because the last one is less than tcp_invalid_ratelimit ago.",
        "",
        "",
    ),
    row(
        Mib::TCPACKSkippedFinWait2,
        &["tcp_timewait_state_process"],
        "ACKs of a FIN-WAIT-2 bucket that were left out because the last one is less than tcp_invalid_ratelimit ago.",
        "Segments with data or a FIN are never limited.",
        "",
    ),
    row(
        Mib::TCPACKSkippedTimeWait,
        &["tcp_timewait_state_process"],
        "ACKs of a TIME-WAIT bucket that were left out because the last one is less than tcp_invalid_ratelimit ago.",
        "A repeated FIN is never limited: it is answered each time.",
        "",
    ),
    row(
        Mib::TCPACKSkippedChallenge,
        &["tcp_send_challenge_ack"],
        "Challenge ACKs that were left out because the last one is less than tcp_invalid_ratelimit ago.",
        "",
        "3.10 answers segments that carry data or a FIN all the same.",
    ),
    row(
        Mib::TCPWinProbe,
        &["tcp_write_wakeup"],
        "Probes of a shut window.",
        "An orphan behind a shut window sends them, too: its FIN waits for the window if its data does.",
        "",
    ),
    row(
        Mib::TCPKeepAlive,
        &["tcp_write_wakeup"],
        "Keepalive probes.",
        "They also go out in CLOSE-WAIT and in a FIN-WAIT-2 whose program still holds the socket, if it has SO_KEEPALIVE.",
        "",
    ),
    row(
        Mib::TCPDelivered,
        &["tcp_ack"],
        "Segments that the peer acknowledged or SACKed, SYN and FIN among them.",
        "",
        "The model counts it for both releases; the real 3.10 does not have it.",
    ),
    row(
        Mib::TCPZeroWindowDrop,
        &["tcp_data_queue"],
        "Segments in order that were dropped because the receive window is shut.",
        "6.18 takes a bare FIN all the same.",
        "",
    ),
    row(
        Mib::TcpTimeoutRehash,
        &["tcp_write_timeout"],
        "Retransmission timeouts after which the kernel tries another path: one for each that does not end the connection.",
        "",
        "",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_says_something() {
        for (about, mib) in ABOUT.iter().zip(Mib::ALL) {
            assert_eq!(about.mib, *mib);
            assert!(!about.at.is_empty(), "{mib:?}: where?");
            for text in [about.counts, about.closing, about.differs] {
                assert!(text.is_empty() || text.ends_with('.'), "{mib:?}: a sentence: {text}");
            }
            assert!(!about.counts.is_empty(), "{mib:?}");
        }
    }
}
