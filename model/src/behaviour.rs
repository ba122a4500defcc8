//! What differs between kernel releases: each observable difference by name, asked by name.
//!
//! Code asks `if self.behaviour.limits_fin_wait2_reuse`, never for a version number.

use crate::release::Release;

/// One observable difference.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The flag's name in [`Behaviour`].
    pub name: &'static str,
    /// Does 3.10 (RHEL 7) behave so?
    pub v3_10: bool,
    /// Does 6.18?
    pub v6_18: bool,
    /// When upstream changed it, as far as known.
    pub changed: &'static str,
    /// What one can see.
    pub effect: &'static str,
}

macro_rules! behaviours {
    ($($name:ident $old:literal $new:literal $changed:literal $effect:literal;)*) => {
        /// The differences as they stand on one host.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct Behaviour { $(#[doc = $effect] pub $name: bool,)* }

        impl Behaviour {
            /// The behaviours of that release.
            pub const fn of(release: Release) -> Self {
                match release {
                    Release::V3_10 => Self { $($name: $old,)* },
                    Release::V6_18 => Self { $($name: $new,)* },
                }
            }
        }

        /// Every difference, for documents and comparisons.
        pub const BEHAVIOURS: &[Row] = &[$(Row {
            name: stringify!($name), v3_10: $old, v6_18: $new, changed: $changed, effect: $effect,
        },)*];
    };
}

behaviours! {
    bucket_has_own_timer false true "4.1"
        "A timewait bucket dies by a timer of its own (60 s plus the wheel's rounding); else by the shared death row of eight cells.";
    bucket_timer_uses_wheel_granules false true "4.8"
        "Timers fire on the wheel's granules, up to 12.5 % late; else on their exact tick plus slack.";
    counts_tw_on_entry false true "4.1"
        "TW and TWKilled rise when a bucket is made; else when it expires.";
    negative_tw_limit_is_unlimited false true "5.x"
        "A negative tcp_max_tw_buckets lifts the limit; else it refuses every bucket.";
    counts_close_wait_as_established false true "6.11"
        "CurrEstab counts CLOSE_WAIT.";
    requests_live_in_ehash false true "4.4"
        "Half-open requests stand in the established hash with timers of their own and outlive their listener; else in the listener's table, scanned every 200 ms and freed with it.";
    full_accept_queue_drops_every_syn false true "4.10"
        "A SYN is dropped whenever the accept queue is full; else only if more than one young request waits.";
    cookie_synack_counts_listen_drop true false "4.x"
        "Each SYN cookie sent also raises ListenDrops.";
    unacceptable_ack_drops_segment false true "4.x"
        "Outside ESTABLISHED a segment with an unacceptable ACK is dropped and challenged; else its data and FIN are processed.";
    challenges_ack_of_unsent_data false true "6.x"
        "In ESTABLISHED an ACK of unsent data is challenged; else dropped in silence.";
    accepts_rst_before_fin false true "4.x"
        "A RST at rcv_nxt - 1 is accepted after the peer's FIN.";
    accepts_rst_at_sack_edge false true "4.7"
        "A RST at the right edge of our highest SACK block is accepted.";
    challenges_inexact_rst_on_request false true "5.x"
        "A RST inside a request's window but not exact is challenged; else it kills the request.";
    refuses_segment_beyond_window false true "6.16"
        "A segment that sticks out of the window is refused unless the receive queue is empty or only its FIN sticks out.";
    probes_die_at_limit false true "4.x"
        "A socket dies when its unanswered probes reach the limit; else when they pass it.";
    counts_every_timeout false true "4.x"
        "TCPTimeouts counts every firing, and request timers too; else only the first of a series.";
    linger2_may_exceed_sysctl false true "5.x"
        "TCP_LINGER2 is honoured up to 120 s; else a value above tcp_fin_timeout falls back to the sysctl.";
    fin_in_syn_recv_waits false true "6.x"
        "shutdown(SHUT_WR) in SYN_RECV sends its FIN when ESTABLISHED is reached; else at once.";
    rst_seq_allows_scale_slack false true "4.19"
        "The sequence number of our own RST may pass the peer's window by less than our scale.";
    rfc1337_leaves_timer false true "6.x"
        "With tcp_rfc1337 a RST on TIME_WAIT changes nothing; else it restarts the 60 s.";
    paws_on_bucket_has_own_counter false true "6.14"
        "PAWS on TIME_WAIT counts PAWSTimewait; else PAWSEstab.";
    tw_reuse_by_milliseconds false true "6.14"
        "tcp_tw_reuse waits tcp_tw_reuse_delay after the bucket was made, knows the loopback-only value 2, and never takes FIN_WAIT2; else it waits for the second after next and takes either.";
    checks_tsecr_of_requests false true "6.14"
        "A final ACK that echoes a timestamp we did not send is refused (TSEcrRejected).";
    silences_old_paws_acks false true "6.14"
        "An old pure ACK that fails PAWS is dropped in silence (PAWSOldAck); else answered.";
    splits_ports_by_parity false true "4.2"
        "connect() tries ports of the range's parity first, two apart, with a random step; else all in turn.";
    pushes_syn_after_bad_synack false true "6.x"
        "A bad ACK in SYN_SENT makes the SYN go again at once; else at its timer.";
    linear_syn_timeouts false true "6.5"
        "The first tcp_syn_linear_timeouts SYN retransmissions keep 1 s.";
    probes_tail_of_bare_fin false true "4.x"
        "A tail loss probe repeats a bare FIN; else it sends nothing and the RTO starts anew.";
    challenge_limit_spares_data true false "4.x"
        "The per-socket limit of challenge ACKs lets segments with data through.";
    port_returns_to_connect false true "6.18"
        "A port whose bind() owners have left can be shared by connect() again.";
    random_timestamp_offset false true "4.10"
        "Timestamps start at a random offset per connection; else at the host's uptime.";
    zero_window_takes_fin false true "6.x"
        "A bare FIN is taken in although our receive window is zero.";
    clears_quick_only_for_acks false true "5.x"
        "Only a segment that carries a scheduled ACK uses up quickack credit.";
    learns_buffer_overhead false true "6.6"
        "The window follows the share of payload measured in full segments; else half of the buffer counts.";
    bursts_half_of_cwnd false true "3.19"
        "One burst takes half of the congestion window at most, and its end has PSH; else all that may go.";
    dupacks_lower_reordering false true "4.16"
        "Without SACK more duplicate ACKs than segments that can be missing lower the count that starts fast retransmit; else they only raise it.";
    prr_slows_after_loss false true "5.16"
        "In recovery as much is sent as arrives, one more only while nothing else is found lost; else always one more.";
    undone_syn_loss_keeps_window false true "5.2"
        "After two SYN retransmissions the first window is one segment only if the loss was real, as far as an echoed timestamp or a simultaneous open tells; else always.";
    grows_pieces_when_sent false true "6.10"
        "Small pieces that wait are joined when the first of them may go; else each goes as it was queued.";
    orphan_count_is_cached false true "5.16"
        "tcp_max_orphans is tested against a count refreshed every 100 ms; else against an exact one.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_difference() {
        for row in BEHAVIOURS {
            assert_ne!(row.v3_10, row.v6_18, "{} is no difference", row.name);
            assert!(row.effect.ends_with('.'), "{}: a sentence", row.name);
        }
    }
}
