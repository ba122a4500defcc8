//! What each state waits for, what bounds it, and what `ss` shows: constant data, read only when
//! someone asks.

use super::TcpState;

/// A state in words.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Which.
    pub state: TcpState,
    /// What it is and what it waits for.
    pub waits: &'static str,
    /// The timers that bound it, and how long it can last.
    pub bound: &'static str,
    /// What `ss -ant` and `ss -o` show.
    pub shown: &'static str,
    /// How it ends, other than in good order.
    pub ends: &'static str,
    /// Sysctls that decide something about it, by their short names.
    pub sysctls: &'static [&'static str],
    /// Counters that watch it, by nstat name.
    pub counters: &'static [&'static str],
    /// The kernel functions that handle what arrives for it.
    pub at: &'static [&'static str],
}

impl TcpState {
    /// The state in words.
    pub const fn about(self) -> &'static About {
        &ABOUT[self as usize - 1]
    }
}

/// The table, by the states' numbers.
pub const ABOUT: [About; 12] = [
    About {
        state: TcpState::Established,
        waits: "Data can flow both ways. It waits for either program to close.",
        bound: "Nothing bounds it, unless data is out (tcp_retries2: about 15 minutes) or SO_KEEPALIVE is set (tcp_keepalive_time and what follows it).",
        shown: "ESTAB. timer:(on,…) while data is out, timer:(keepalive,…) with SO_KEEPALIVE.",
        ends: "By a RST, or by giving up; both count EstabResets.",
        sysctls: &[
            "tcp_retries2",
            "tcp_keepalive_time",
            "tcp_keepalive_intvl",
            "tcp_keepalive_probes",
        ],
        counters: &["TcpCurrEstab", "TcpEstabResets"],
        at: &["tcp_rcv_established"],
    },
    About {
        state: TcpState::SynSent,
        waits: "Our SYN is out; it waits for a SYN-ACK.",
        bound: "The retransmission timer: tcp_syn_retries, and on 6.18 tcp_syn_linear_timeouts. By default 131 s on 6.18, 127 s on 3.10.",
        shown: "SYN-SENT, Send-Q 1, timer:(on,…).",
        ends: "close() ends it at once and sends nothing; a SYN-ACK that comes later meets no socket and is reset.",
        sysctls: &["tcp_syn_retries", "tcp_syn_linear_timeouts"],
        counters: &["TcpActiveOpens", "TcpAttemptFails", "TcpExtTCPSynRetrans"],
        at: &["tcp_rcv_synsent_state_process"],
    },
    About {
        state: TcpState::SynRecv,
        waits: "A full socket whose SYN has crossed the peer's, or a child in the moment of its birth. It waits for the ACK of its SYN.",
        bound: "The retransmission timer, as in SYN-SENT but without linear timeouts. A half-open request of a listener is no full socket: see NEW_SYN_RECV.",
        shown: "SYN-RECV, timer:(on,…).",
        ends: "By a RST (ECONNRESET, AttemptFails); an ACK that does not fit is answered with a RST.",
        sysctls: &["tcp_syn_retries"],
        counters: &["TcpAttemptFails"],
        at: &["tcp_rcv_state_process"],
    },
    About {
        state: TcpState::FinWait1,
        waits: "We closed first: our FIN is out, or queued behind data or a shut window. It waits for the ACK of everything up to the FIN.",
        bound: "The retransmission timer: tcp_orphan_retries once the program has closed (0 stands for 8: about 108 s on a fast network), tcp_retries2 while it still holds the socket. Behind a shut window the probe timer. Giving up sends no RST.",
        shown: "FIN-WAIT-1, Send-Q at least 1, timer:(on,…) or timer:(persist,…). After close() it has no process: an orphan in /proc/net/sockstat.",
        ends: "New data for an orphan: a RST (rst-data-after-close). Too many orphans: a RST. The peer's FIN alone leads to CLOSING.",
        sysctls: &["tcp_orphan_retries", "tcp_retries2", "tcp_max_orphans", "tcp_max_tw_buckets"],
        counters: &["TcpExtTCPAbortOnData", "TcpExtTCPAbortOnTimeout", "TcpExtTCPAbortOnMemory"],
        at: &["tcp_rcv_state_process"],
    },
    About {
        state: TcpState::FinWait2,
        waits: "Our FIN is acknowledged, the peer's has not come. There are three kinds, which look alike: a socket that the program still holds after shutdown(); a full orphan; and a timewait bucket, which is what an orphan becomes at once if tcp_fin_timeout is 60 s or less.",
        bound: "Held by the program: nothing. Orphan: tcp_fin_timeout or TCP_LINGER2, at least 3.5 RTO. Up to 60 s all of it is a bucket; beyond 60 s the excess is a full socket on the keepalive timer and then, once more, a bucket: 61 s last 2 s, 90 s last 60 s.",
        shown: "FIN-WAIT-2 for all three. A bucket has timer:(timewait,…) and no process, a full orphan timer:(keepalive,…); a socket that is held has its process. `-m` shows no memory for a bucket.",
        ends: "Bucket: data or a SYN is answered with a RST (rst-tw-data, rst-tw-syn), a RST in the window takes it away. Full socket whose program has closed: new data is answered with a RST (rst-data-after-close). No room for the bucket: the connection is forgotten, and the peer's FIN is answered with a RST (rst-no-socket).",
        sysctls: &["tcp_fin_timeout", "tcp_max_tw_buckets", "tcp_max_orphans"],
        counters: &[
            "TcpExtTCPTimeWaitOverflow",
            "TcpExtTCPAbortOnData",
            "TcpExtTCPAbortOnLinger",
            "TcpExtTCPACKSkippedFinWait2",
        ],
        at: &["tcp_rcv_state_process", "tcp_timewait_state_process", "tcp_keepalive_timer"],
    },
    About {
        state: TcpState::TimeWait,
        waits: "Both FINs are through and we closed first (or both at once). It is never a socket, only a bucket: it waits for whatever is still on its way, and answers a repeated FIN.",
        bound: "60 s, which no sysctl changes. 6.18: a timer for each bucket, 60 s to 62 s at HZ=250 and to 64 s at HZ=1000. 3.10: eight cells of 7.5 s, 52.5 s to 60 s while no cell holds more than 100, up to 112.5 s under load. A repeated FIN starts the 60 s anew.",
        shown: "TIME-WAIT, timer:(timewait,…), no process. /proc/net/sockstat counts it in tw, together with buckets in FIN-WAIT-2.",
        ends: "A SYN with a newer sequence number or timestamp takes its place; connect() may (tcp_tw_reuse); a RST that fits exactly kills it (unless tcp_rfc1337). It never sends a RST.",
        sysctls: &[
            "tcp_max_tw_buckets",
            "tcp_tw_reuse",
            "tcp_tw_reuse_delay",
            "tcp_tw_recycle",
            "tcp_rfc1337",
        ],
        counters: &[
            "TcpExtTW",
            "TcpExtTWRecycled",
            "TcpExtTWKilled",
            "TcpExtTCPTimeWaitOverflow",
            "TcpExtPAWSTimewait",
            "TcpExtTCPACKSkippedTimeWait",
        ],
        at: &["tcp_timewait_state_process"],
    },
    About {
        state: TcpState::Close,
        waits: "No connection: not connected yet, or done while the program still holds the descriptor.",
        bound: "The program's close().",
        shown: "UNCONN, or not at all: a socket in CLOSE is out of the tables.",
        ends: "It is the end.",
        sysctls: &[],
        counters: &[],
        at: &["tcp_done"],
    },
    About {
        state: TcpState::CloseWait,
        waits: "The peer's FIN has come; it waits for our program to close. Many of them are a program that does not close.",
        bound: "Nothing bounds it, unless data is out or SO_KEEPALIVE is set.",
        shown: "CLOSE-WAIT, Recv-Q at least 1: the FIN counts.",
        ends: "By a RST: EPIPE, EstabResets. If the peer has forgotten the connection meanwhile, our FIN is answered with a RST.",
        sysctls: &["tcp_retries2", "tcp_keepalive_time"],
        counters: &["TcpCurrEstab", "TcpEstabResets"],
        at: &["tcp_fin", "tcp_rcv_state_process"],
    },
    About {
        state: TcpState::LastAck,
        waits: "The peer closed first, then we did: our FIN is out and waits for its ACK. No bucket follows.",
        bound: "The retransmission timer: tcp_orphan_retries once the program has closed (0 stands for 8: about 108 s on a fast network). Giving up sends no RST.",
        shown: "LAST-ACK, timer:(on,…), no process after close().",
        ends: "By a RST, which is what comes if the peer's bucket was refused or has gone.",
        sysctls: &["tcp_orphan_retries", "tcp_max_orphans"],
        counters: &["TcpExtTCPAbortOnTimeout", "TcpExtTCPAbortOnMemory"],
        at: &["tcp_rcv_state_process"],
    },
    About {
        state: TcpState::Listen,
        waits: "It waits for SYNs, and for accept().",
        bound: "Nothing bounds it. The accept queue holds one more than the smaller of listen()'s backlog and somaxconn.",
        shown: "LISTEN, Recv-Q: connections that wait for accept(); Send-Q: the backlog.",
        ends: "close() resets every connection in the accept queue (rst-listener-closed). Half-open requests outlive it on 6.18 and go with it on 3.10.",
        sysctls: &["somaxconn", "tcp_max_syn_backlog", "tcp_syncookies", "tcp_abort_on_overflow"],
        counters: &["TcpExtListenOverflows", "TcpExtListenDrops"],
        at: &["tcp_rcv_state_process", "tcp_conn_request"],
    },
    About {
        state: TcpState::Closing,
        waits: "Both closed at once: each FIN has crossed the other, and ours is not acknowledged yet.",
        bound: "The retransmission timer: tcp_orphan_retries once the program has closed.",
        shown: "CLOSING, timer:(on,…).",
        ends: "In good order in TIME-WAIT, on both sides. A refused bucket is missed only by a FIN that is repeated.",
        sysctls: &["tcp_orphan_retries", "tcp_max_tw_buckets"],
        counters: &["TcpExtTCPTimeWaitOverflow", "TcpExtTCPAbortOnTimeout"],
        at: &["tcp_rcv_state_process"],
    },
    About {
        state: TcpState::NewSynRecv,
        waits: "A half-open request: a listener has answered a SYN and waits for the third segment. It is no full socket.",
        bound: "The SYN-ACK timer: tcp_synack_retries, 63 s by default; less while the queue is more than half full.",
        shown: "SYN-RECV, timer:(on,…), without a process. 6.18 keeps it in the established hash, 3.10 in the listener's own table.",
        ends: "By a RST or a SYN in its window; by tcp_abort_on_overflow; or silently, when nobody answers.",
        sysctls: &[
            "tcp_synack_retries",
            "tcp_max_syn_backlog",
            "tcp_syncookies",
            "tcp_abort_on_overflow",
        ],
        counters: &["TcpExtTCPSynRetrans", "TcpExtEmbryonicRsts", "TcpExtTCPDeferAcceptDrop"],
        at: &["tcp_check_req"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Mib;
    use crate::sysctl::about::short_names;

    #[test]
    fn the_table_is_in_order_and_names_what_exists() {
        for (about, state) in ABOUT.iter().zip(TcpState::ALL) {
            assert_eq!(about.state, state);
            assert_eq!(state.about().state, state);
            for name in about.sysctls {
                assert!(short_names().any(|n| n == *name), "{state}: {name}");
            }
            for name in about.counters {
                assert!(Mib::ALL.iter().any(|m| m.nstat_name() == *name), "{state}: {name}");
            }
        }
    }
}
