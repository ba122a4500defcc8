//! The golden traces of the fact sheet, section 12, as measured on a live 6.18. Where 3.10
//! differs, the line says so.

use finwait_model::release::Release;

use crate::trace::{both, one};

#[test]
fn t1_active_close() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         state FIN-WAIT-1
         orphan 1
         < . 1 0 ack 2 ->
         state FIN-WAIT-2
         tw 1
         orphan 0
         6.18: TW 1
         3.10: TW 0
         < F. 1 0 ack 2 -> . 2:2 ack 2
         state TIME-WAIT
         < F. 1 0 ack 2 -> . 2:2 ack 2
         < F. 1 0 ack 2 -> . 2:2 ack 2
         wait 70s ->
         state gone
         TW 1
         OutRsts 0
         TCPACKSkippedTimeWait 0",
    );
}

#[test]
fn t2_no_room_for_a_bucket() {
    both(
        &[("tcp_max_tw_buckets", "0")],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         TCPTimeWaitOverflow 1
         state gone
         orphan 0
         < F. 1 0 ack 2 -> R 2:2
         OutRsts 1
         TW 0",
    );
}

#[test]
fn t3_no_room_and_a_program_that_still_holds_the_socket() {
    both(
        &[("tcp_max_tw_buckets", "0")],
        "shut wr -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         state FIN-WAIT-2
         TCPTimeWaitOverflow 0
         < P. 1 10 ack 2 -> . 2:2 ack 11
         < F. 11 0 ack 2 -> . 2:2 ack 12
         TCPTimeWaitOverflow 1
         state gone
         recv -> 10
         recv -> 0
         send 5 -> EPIPE
         shut wr -> ENOTCONN
         < F. 11 0 ack 2 -> R 2:2
         OutRsts 1",
    );
}

#[test]
fn t4_room_for_one() {
    both(
        &[("tcp_max_tw_buckets", "1")],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         tw 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         tw 1
         TCPTimeWaitOverflow 0",
    );
}

#[test]
fn t5_data_for_an_orphan_in_fin_wait_1() {
    for (ack, rst) in [("1", "R 1:1"), ("2", "R 2:2")] {
        let text = format!(
            "close -> F. 1:1 ack 1
             < P. 1 10 ack {ack} -> {rst}
             state gone
             TCPAbortOnData 1
             OutRsts 1
             EstabResets 0
             orphan 0"
        );
        both(&[], &text);
    }
}

#[test]
fn t6_their_fin_rides_on_the_ack_of_ours() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         state TIME-WAIT
         tw 1
         orphan 0
         6.18: TW 1",
    );
}

#[test]
fn t7_simultaneous_close() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         < F. 1 0 ack 1 -> . 2:2 ack 2
         state CLOSING
         < . 2 0 ack 2 ->
         state TIME-WAIT",
    );
}

#[test]
fn t8_data_for_a_fin_wait_2_bucket() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         < P. 1 10 ack 2 -> R 2:2
         tw 0
         TCPAbortOnData 0
         < P. 1 10 ack 2 -> R 2:2
         OutRsts 2",
    );
}

#[test]
fn t9_a_syn_for_a_fin_wait_2_bucket() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         < S 100 -> R. 0:0 ack 101
         tw 0",
    );
    both(
        &[],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         < S 5000000 -> . 2:2 ack 1
         tw 1",
    );
}

#[test]
fn t10_a_rst_for_a_fin_wait_2_bucket() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         < R 5000000 -> . 2:2 ack 1
         tw 1
         < R 5 ->
         tw 0
         OutRsts 0",
    );
}

#[test]
fn t11_a_new_syn_for_a_time_wait_bucket() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         < S 3 -> S. 0:0 ack 4
         state SYN-RECV
         tw 0
         TWRecycled 0",
    );
    both(
        &[],
        "close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         close listener ->
         < S 3 -> . 2:2 ack 2
         state TIME-WAIT",
    );
}

#[test]
fn t12_passive_close() {
    both(
        &[],
        "< F. 1 0 ack 1 ->
         wait 60ms -> . 1:1 ack 2
         state CLOSE-WAIT
         < P. 2 10 ack 1 ->
         < F. 1 0 ack 1 -> . 1:1 ack 2
         close -> F. 1:1 ack 2
         state LAST-ACK
         < P. 2 10 ack 1 ->
         < F. 1 0 ack 1 -> . 2:2 ack 2
         < . 2 0 ack 2 ->
         state gone
         tw 0
         < F. 1 0 ack 1 -> R 1:1",
    );
}

#[test]
fn t13_a_listener_closes_over_a_child_and_a_request() {
    both(
        &[],
        "port 40001
         syn -> S. 0:0 ack 1
         < . 1 0 ack 1 ->
         < P. 1 100 ack 1 -> . 1:1 ack 101
         port 40002
         syn -> S. 0:0 ack 1
         port 40001
         close listener -> R. 1:1 ack 101
         EstabResets 1
         OutRsts 1
         TCPAbortOnClose 0
         TCPAbortOnData 0
         < . 101 0 ack 1 -> R 1:1
         port 40002
         < . 1 0 ack 1 -> R 1:1
         OutRsts 3",
    );
}

#[test]
fn t14_an_ack_of_what_was_never_sent() {
    one(
        Release::V6_18,
        &[],
        "< . 1 0 ack 5000 -> . 1:1 ack 1
         TCPChallengeACK 1
         < . 1 0 ack 5000 ->
         TCPACKSkippedChallenge 1
         wait 510ms ->
         < P. 1 10 ack 5000 -> . 1:1 ack 1
         TCPChallengeACK 2
         recv -> EAGAIN",
    );
    one(
        Release::V3_10,
        &[],
        "< . 1 0 ack 5000 ->
         < P. 1 10 ack 5000 ->
         recv -> EAGAIN
         TCPChallengeACK 0",
    );
}

#[test]
fn t15_orphan_retries_1() {
    one(
        Release::V6_18,
        &[("tcp_orphan_retries", "1"), ("tcp_sack", "0")],
        "close -> F. 1:1 ack 1
         wait 3s -> F. 1:1 ack 1 + F. 1:1 ack 1
         state gone
         TCPTimeouts 3
         TCPAbortOnTimeout 1
         OutRsts 0",
    );
}

#[test]
fn t16_linger2_below_zero() {
    both(
        &[],
        "linger2 -1 ->
         close -> F. 1:1 ack 1
         < . 1 0 ack 2 -> R 2:2
         TCPAbortOnData 1
         TCPAbortOnLinger 0
         tw 0",
    );
    both(
        &[],
        "linger2 -1 ->
         shut wr -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         close -> R. 2:2 ack 1
         TCPAbortOnLinger 1
         TCPAbortOnData 0",
    );
}

#[test]
fn t17_old_data_for_an_orphan() {
    both(
        &[],
        "< P. 1 10 ack 1 -> . 1:1 ack 11
         recv -> 10
         close -> F. 1:1 ack 11
         < P. 1 10 ack 1 -> . 2:2 ack 11
         < P. 1 10 ack 2 ->
         state FIN-WAIT-2
         tw 1",
    );
}

#[test]
fn t18_a_fin_ahead_of_rcv_nxt() {
    for (ack, rst) in [("1", "R 1:1"), ("2", "R 2:2")] {
        let text = format!(
            "close -> F. 1:1 ack 1
             < F. 11 0 ack {ack} -> {rst}
             TCPAbortOnData 1
             tw 0
             orphan 0"
        );
        both(&[], &text);
    }
}

#[test]
fn t19_out_of_order_data_for_a_full_orphan_in_fin_wait_2() {
    both(
        &[("tcp_fin_timeout", "65")],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         tw 0
         orphan 1
         < P. 11 10 ack 2 -> R 2:2
         TCPAbortOnData 1
         orphan 0",
    );
}

#[test]
fn t20_old_segments_for_a_fin_wait_2_bucket() {
    both(
        &[],
        "< P. 1 10 ack 1 -> . 1:1 ack 11
         recv -> 10
         close -> F. 1:1 ack 11
         < . 11 0 ack 2 ->
         < P. 1 10 ack 2 -> . 2:2 ack 11
         < P. 1 10 ack 2 -> . 2:2 ack 11
         < P. 1 10 ack 2 -> . 2:2 ack 11
         < . 10 0 ack 2 -> . 2:2 ack 11
         < . 10 0 ack 2 ->
         < . 10 0 ack 2 ->
         TCPACKSkippedFinWait2 2
         < . 20 0 ack 2 ->
         < F. 15 0 ack 2 -> R 2:2
         tw 0",
    );
}
