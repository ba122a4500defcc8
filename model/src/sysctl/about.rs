//! What each sysctl does and does not do, in words: constant data, read only when someone asks.
//!
//! Range and defaults stand in [`super::DEFS`]; what a change makes different in the scripts is
//! found by a test.

use super::DEFS;

/// A sysctl in words.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The full name.
    pub name: &'static str,
    /// The unit of its value: `seconds`.
    pub unit: &'static str,
    /// Whose value counts.
    pub scope: Scope,
    /// What it decides.
    pub does: &'static str,
    /// What it does not do, or a trap; empty if there is nothing to warn of.
    pub not: &'static str,
    /// The kernel functions that read it; none if the model does not act on it.
    pub at: &'static [&'static str],
}

/// Whose value counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The whole host's, in every release.
    Host,
    /// The network namespace's on 6.18, the host's on 3.10.
    Namespace,
    /// The network namespace's in every release.
    NamespaceAlways,
}

impl Scope {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Host => "one value for the host, in every release",
            Self::Namespace => "per network namespace on 6.18, one value for the host on 3.10",
            Self::NamespaceAlways => "per network namespace, in every release",
        }
    }
}

/// The last part of a full name: `tcp_fin_timeout`.
pub fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The words for a sysctl, by its full name.
pub fn about(name: &str) -> Option<&'static About> {
    ABOUT.iter().find(|a| a.name == name)
}

/// The short names of all.
pub fn short_names() -> impl Iterator<Item = &'static str> {
    ABOUT.iter().map(|a| short(a.name))
}

/// Does a single number make it up? Then [`DEFS`] has it.
pub fn is_scalar(name: &str) -> bool {
    DEFS.iter().any(|d| d.name == name)
}

const fn row(
    name: &'static str,
    unit: &'static str,
    scope: Scope,
    at: &'static [&'static str],
    does: &'static str,
    not: &'static str,
) -> About {
    About { name, unit, scope, does, not, at }
}

use Scope::{Host, Namespace, NamespaceAlways};

/// The table: those of [`DEFS`] in their order, then those that hold several numbers.
pub const ABOUT: &[About] = &[
    row(
        "net.ipv4.tcp_max_tw_buckets",
        "buckets",
        Namespace,
        &["tcp_time_wait", "inet_twsk_alloc"],
        "How many timewait buckets there may be, in FIN-WAIT-2 and TIME-WAIT together. One more is refused: the connection is forgotten at once and TCPTimeWaitOverflow rises. A bucket that goes from FIN-WAIT-2 to TIME-WAIT keeps its place. The default is half of the established hash's size.",
        "It does not shorten anything, and a lower value takes no bucket away that is there. It does not count requests or sockets. A negative value lifts the limit on 6.18 and refuses every bucket on 3.10.",
    ),
    row(
        "net.ipv4.tcp_max_orphans",
        "sockets",
        Host,
        &["tcp_check_oom", "__tcp_close", "tcp_out_of_resources"],
        "How many full sockets may live on after close(). One more is reset at its close(), or at the next timer of any orphan, and TCPAbortOnMemory rises. 6.18 compares a count that is up to 100 ms old. A negative value is no limit.",
        "Timewait buckets are no orphans: it limits neither TIME-WAIT nor a FIN-WAIT-2 that became a bucket.",
    ),
    row(
        "net.ipv4.tcp_fin_timeout",
        "seconds",
        Namespace,
        &["tcp_fin_time", "tcp_time_wait", "tcp_keepalive_timer"],
        "How long a connection that the program has closed may wait in FIN-WAIT-2 for the peer's FIN, at least 3.5 RTO. Up to 60 s that is the life of a bucket. Of a longer time the part above 60 s is spent as a full socket on the keepalive timer, and then once more as a bucket: 61 s last 2 s, 90 s last 60 s.",
        "It has nothing to do with TIME-WAIT, which lasts 60 s whatever it says. It does not bound a FIN-WAIT-2 that a program still holds after shutdown(). TCP_LINGER2 overrides it for a socket; on 3.10 only with a smaller value.",
    ),
    row(
        "net.ipv4.tcp_orphan_retries",
        "retransmissions",
        Namespace,
        &["tcp_orphan_retries", "tcp_write_timeout", "tcp_probe_timer"],
        "How long an orphan goes on sending what is not acknowledged, as the time that so many doublings of 200 ms take. 0 stands for 8: about 108 s on a fast network. Then it is gone without a RST.",
        "It is not a count of segments: the time is compared at each timeout, so that 1 sends the FIN again twice. It does not apply while the program holds the socket.",
    ),
    row(
        "net.ipv4.tcp_tw_reuse",
        "switch: 0 no, 1 yes, 2 loopback only",
        Namespace,
        &["tcp_twsk_unique", "__inet_check_established"],
        "May connect() take the place of a bucket with the same four-tuple? On 6.18 only in TIME-WAIT and tcp_tw_reuse_delay after the bucket was made; on 3.10 in the second after the next since the last timestamp, in FIN-WAIT-2, too. Needs a timestamp from the peer. 3.10 knows no value 2.",
        "It helps only the side that connects, and what it relieves is the want of ports towards one destination. No bucket lives shorter for it: one gives its place to a new connection, which leaves a bucket in turn. It does nothing for a server that closes first. A port that the program bound itself is reused whatever it says.",
    ),
    row(
        "net.ipv4.tcp_tw_reuse_delay",
        "milliseconds",
        Namespace,
        &["tcp_twsk_unique"],
        "How long after a bucket was made connect() may take its place, if tcp_tw_reuse allows it.",
        "It does not shorten TIME-WAIT for anyone else.",
    ),
    row(
        "net.ipv4.tcp_tw_recycle",
        "switch",
        Host,
        &["tcp_time_wait", "tcp_conn_request"],
        "Buckets of peers with timestamps live 3.5 RTO instead of 60 s, and the last timestamp of each peer's address is kept: for a minute, a SYN from there with an older one is dropped (PAWSPassive).",
        "It breaks everybody behind a NAT, whose clocks share an address. It was removed in 4.12; there is no such name on 6.18.",
    ),
    row(
        "net.ipv4.tcp_rfc1337",
        "switch",
        Namespace,
        &["tcp_timewait_state_process"],
        "If set, a RST does not take a bucket in TIME-WAIT away. On 3.10 it starts the 60 s anew instead, on 6.18 it changes nothing.",
        "It does not protect a bucket in FIN-WAIT-2.",
    ),
    row(
        "net.ipv4.tcp_abort_on_overflow",
        "switch",
        Namespace,
        &["tcp_check_req"],
        "If set, the third segment of a handshake that finds the accept queue full is answered with a RST (rst-accept-overflow), and the request goes. Otherwise the segment is ignored and the SYN-ACK sent again, while the peer believes that it is connected.",
        "A SYN that finds the queue full is dropped in silence all the same, and so is the ACK of a SYN cookie.",
    ),
    row(
        "net.ipv4.tcp_retries1",
        "retransmissions",
        Namespace,
        &[],
        "After so many timeouts the kernel looks for another route. That changes nothing that one can see of a connection.",
        "It never ends a connection. The model keeps the value and does not act on it.",
    ),
    row(
        "net.ipv4.tcp_retries2",
        "retransmissions",
        Namespace,
        &["tcp_write_timeout", "tcp_probe_timer"],
        "How long a connection that a program holds goes on sending what is not acknowledged, as the time that so many doublings of 200 ms, up to 120 s each, take: 15 is 924.6 s. Also the number of unanswered window probes that ends it.",
        "Once the program has closed, tcp_orphan_retries counts instead.",
    ),
    row(
        "net.ipv4.tcp_syn_retries",
        "retransmissions",
        Namespace,
        &["tcp_write_timeout"],
        "How long connect() tries, as the time that so many doublings of 1 s take. On 6.18 tcp_syn_linear_timeouts comes on top. TCP_SYNCNT overrides it.",
        "It does not apply to SYN-ACKs: tcp_synack_retries does.",
    ),
    row(
        "net.ipv4.tcp_syn_linear_timeouts",
        "retransmissions",
        Namespace,
        &["tcp_retransmit_timer", "tcp_write_timeout"],
        "So many retransmissions of a SYN follow each other after 1 s before the doubling begins.",
        "",
    ),
    row(
        "net.ipv4.tcp_synack_retries",
        "retransmissions",
        Namespace,
        &["reqsk_timer_handler"],
        "How often the SYN-ACK of a half-open request is sent again before it is forgotten, without a RST: 5 is 63 s. TCP_SYNCNT overrides it.",
        "It does not bound the accept queue, where connections wait for the program for ever.",
    ),
    row(
        "net.ipv4.tcp_keepalive_time",
        "seconds",
        Namespace,
        &["tcp_keepalive_timer"],
        "How long a connection with SO_KEEPALIVE may be silent before the first probe. TCP_KEEPIDLE overrides it.",
        "Without SO_KEEPALIVE it does nothing.",
    ),
    row(
        "net.ipv4.tcp_keepalive_intvl",
        "seconds",
        Namespace,
        &["tcp_keepalive_timer"],
        "The time between keepalive probes. TCP_KEEPINTVL overrides it.",
        "Without SO_KEEPALIVE it does nothing.",
    ),
    row(
        "net.ipv4.tcp_keepalive_probes",
        "probes",
        Namespace,
        &["tcp_keepalive_timer"],
        "After so many unanswered keepalive probes the connection is reset (rst-keepalive). TCP_KEEPCNT overrides it.",
        "Without SO_KEEPALIVE it does nothing.",
    ),
    row(
        "net.ipv4.tcp_challenge_ack_limit",
        "ACKs per second",
        Namespace,
        &["tcp_send_challenge_ack"],
        "A budget of challenge ACKs, drawn each second between half and one and a half times the value. The default of 6.18 is no limit.",
        "Each socket is limited on its own by tcp_invalid_ratelimit before the budget is asked.",
    ),
    row(
        "net.ipv4.tcp_invalid_ratelimit",
        "milliseconds",
        Namespace,
        &["__tcp_oow_rate_limited"],
        "How long a socket, request or bucket stays silent after an ACK that answered something invalid; what is left out is counted by the TCPACKSkipped counters.",
        "Segments with data or a FIN are answered each time, except with a challenge ACK on 6.18.",
    ),
    row(
        "net.ipv4.tcp_rto_min_us",
        "microseconds",
        Namespace,
        &["tcp_rto_min"],
        "The smallest retransmission timeout. A FIN on a fast network is sent again after a little more than that.",
        "",
    ),
    row(
        "net.ipv4.tcp_rto_max_ms",
        "milliseconds",
        Namespace,
        &["tcp_rto_max"],
        "The largest retransmission timeout. It also enters into how long tcp_retries2 and tcp_orphan_retries last.",
        "",
    ),
    row(
        "net.ipv4.tcp_max_syn_backlog",
        "requests",
        Namespace,
        &["tcp_conn_request", "inet_csk_listen_start"],
        "With tcp_syncookies at 0, SYNs are dropped when less than a quarter of it is left. On 3.10 it also limits the size of a listener's table of requests. The default grows with memory.",
        "With cookies on, the queue of half-open requests is limited by the listen backlog instead (6.18).",
    ),
    row(
        "net.ipv4.tcp_syncookies",
        "switch: 0 never, 1 when the queue is full, 2 always",
        Namespace,
        &["tcp_conn_request", "cookie_v4_check"],
        "What happens to a SYN when the queue of half-open requests is full: dropped, or answered with a cookie.",
        "A cookie does not help a full accept queue, and tcp_abort_on_overflow does not see its ACK.",
    ),
    row(
        "net.ipv4.tcp_timestamps",
        "switch: 0 no, 1 yes, 2 without random offset",
        Namespace,
        &["tcp_syn_options"],
        "Offers and accepts the timestamp option. Without it there is no PAWS, a bucket cannot be reused by connect(), and a SYN must have a higher sequence number to reopen it.",
        "Both ends must have it.",
    ),
    row(
        "net.ipv4.tcp_sack",
        "switch",
        Namespace,
        &["tcp_syn_options"],
        "Offers and accepts SACK. Without it there is no tail loss probe: a FIN goes out again after R, 3R, 7R instead of R, 2R, 4R.",
        "Both ends must have it.",
    ),
    row(
        "net.ipv4.tcp_dsack",
        "switch",
        Namespace,
        &["tcp_dsack_set"],
        "Reports duplicates to the peer.",
        "",
    ),
    row(
        "net.ipv4.tcp_window_scaling",
        "switch",
        Namespace,
        &["tcp_syn_options"],
        "Offers and accepts window scaling.",
        "",
    ),
    row(
        "net.ipv4.tcp_early_retrans",
        "switch: 3 and 4 turn tail loss probes on",
        Namespace,
        &["tcp_schedule_loss_probe"],
        "With 3 or 4 the last segment, on 6.18 a bare FIN, too, is repeated before the timeout.",
        "",
    ),
    row(
        "net.ipv4.tcp_recovery",
        "bits: 1 is RACK",
        Namespace,
        &["tcp_rack_mark_lost"],
        "Whether the time that segments were sent decides what is lost.",
        "",
    ),
    row(
        "net.ipv4.tcp_reordering",
        "segments",
        Namespace,
        &["tcp_fastretrans_alert"],
        "How many duplicate ACKs mean loss.",
        "",
    ),
    row(
        "net.ipv4.tcp_pingpong_thresh",
        "answers",
        Namespace,
        &["tcp_event_data_sent"],
        "After so many answers in quick succession a connection counts as a dialogue, whose ACKs wait for data to ride on. A FIN puts a socket there at once.",
        "",
    ),
    row(
        "net.ipv4.tcp_backlog_ack_defer",
        "switch",
        Namespace,
        &[],
        "Whether several segments that waited for a program to leave the socket are acknowledged once.",
        "System calls are atomic in the model, so nothing waits: it keeps the value and does not act on it.",
    ),
    row(
        "net.ipv4.tcp_slow_start_after_idle",
        "switch",
        Namespace,
        &["tcp_cwnd_restart"],
        "Whether the congestion window shrinks after a pause of more than an RTO.",
        "It does not touch a close.",
    ),
    row(
        "net.ipv4.tcp_autocorking",
        "switch",
        Namespace,
        &[],
        "Whether small writes wait while an earlier packet is still in the device's queue.",
        "Links have no queue in the model: it keeps the value and does not act on it.",
    ),
    row(
        "net.ipv4.tcp_moderate_rcvbuf",
        "switch",
        Namespace,
        &[],
        "Whether the receive buffer grows by itself.",
        "The model keeps the value and does not act on it.",
    ),
    row(
        "net.ipv4.tcp_adv_win_scale",
        "shift",
        Namespace,
        &[],
        "Which share of the receive buffer is offered as window.",
        "The model keeps the value and does not act on it.",
    ),
    row(
        "net.ipv4.ip_autobind_reuse",
        "switch",
        Namespace,
        &[],
        "Whether bind() to port 0 may share a port when none is free.",
        "The model keeps the value and does not act on it.",
    ),
    row(
        "net.ipv4.ip_unprivileged_port_start",
        "port",
        Namespace,
        &[],
        "The first port that anybody may bind.",
        "Programs in the model have all privileges: it keeps the value and does not act on it.",
    ),
    row(
        "net.core.somaxconn",
        "connections",
        NamespaceAlways,
        &["inet_listen"],
        "The upper limit of listen()'s backlog, and so of the accept queue, which holds one more; on 6.18 also of the queue of half-open requests.",
        "It acts at listen() only: a listener that is there keeps its backlog. The smaller of the two counts, so a program that asks for 128 gets 128. It has nothing to do with TIME-WAIT or FIN-WAIT-2.",
    ),
    row(
        "net.ipv4.ip_local_port_range",
        "ports: first, last",
        Namespace,
        &["__inet_hash_connect", "inet_csk_get_port"],
        "The ports that connect() and bind() to port 0 choose from. They are what runs out first on a client: each bucket holds its port against the same destination for a minute, so 28,232 ports carry 470 closes per second to one address and port.",
        "Different destinations share ports: the limit is for each of them alone.",
    ),
    row(
        "net.ipv4.tcp_rmem",
        "bytes: least, default, most",
        Namespace,
        &["tcp_init_sock", "tcp_select_initial_window"],
        "The receive buffer, and with it the window; the largest value decides the window scale.",
        "",
    ),
    row(
        "net.ipv4.tcp_wmem",
        "bytes: least, default, most",
        Namespace,
        &["tcp_init_sock"],
        "The send buffer: how much a program can write ahead.",
        "What is in it at close() is still sent, and the FIN goes behind it.",
    ),
    row(
        "net.ipv4.tcp_mem",
        "pages: low, pressure, high",
        Host,
        &[],
        "How much memory all of TCP may take; above the last value orphans are reset.",
        "The model does not account for memory: it keeps the value and does not act on it.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Release;
    use crate::sysctl::Sysctl;

    #[test]
    fn every_sysctl_is_described_and_nothing_else() {
        for (def, about) in DEFS.iter().zip(ABOUT) {
            assert_eq!(def.name, about.name, "the order of DEFS");
        }
        for name in Release::ALL
            .iter()
            .flat_map(|&r| Sysctl::new(r).names().collect::<alloc::vec::Vec<_>>())
        {
            assert!(about(name).is_some(), "{name}");
        }
        for a in ABOUT {
            let known = Release::ALL.iter().any(|&r| Sysctl::new(r).get(a.name).is_some());
            assert!(known, "{}", a.name);
            assert!(
                a.does.ends_with('.') && (a.not.is_empty() || a.not.ends_with('.')),
                "{}",
                a.name
            );
        }
    }
}
