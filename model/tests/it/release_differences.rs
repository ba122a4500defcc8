//! Differences between the releases that no script shows, each with its name in the table of
//! behaviours.

use finwait_model::counters::Mib;
use finwait_model::kernel::{How, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::solo::Solo;
use crate::trace::one;

/// Our timestamp in the SYN-ACK to that port.
fn tsval(solo: &mut Solo, port: u16) -> u32 {
    solo.port = port;
    solo.syn();
    solo.our_ts()
}

/// `random_timestamp_offset`: 3.10 sends its uptime in ticks; 6.18 adds a number of the
/// connection's own, unless tcp_timestamps is 2.
#[test]
fn timestamps_begin_where() {
    let uptime = 1_000_000;
    for (release, sets, random) in [
        (Release::V3_10, &[][..], false),
        (Release::V6_18, &[], true),
        (Release::V6_18, &[("tcp_timestamps", "2")], false),
    ] {
        let mut solo = Solo::new(release, sets);
        solo.timestamps = true;
        solo.listen(10);
        let (a, b) = (tsval(&mut solo, 40000), tsval(&mut solo, 40001));
        if random {
            assert_ne!(a, b, "each connection its own");
        } else {
            assert_eq!((a, b), (uptime, uptime), "{release}");
        }
        // The same four-tuple goes on where it was.
        solo.wait(Span::millis(700));
        assert_eq!(tsval(&mut solo, 40000).wrapping_sub(a), 700, "{release}");
    }
}

/// `clears_quick_only_for_acks`: in 3.10 every segment that carries an ACK uses up the credit of
/// quick ACKs, in 6.18 only one that was owed.
#[test]
fn what_uses_up_the_quick_acks() {
    for (release, answer) in [(Release::V3_10, "-"), (Release::V6_18, ". 21:21 ack 21")] {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::NoDelay(true), cx).unwrap());
        assert_eq!(solo.rx("P. 1 10 ack 1"), ". 1:1 ack 11");
        // Later than the ACK timeout, so that the connection does not become interactive.
        solo.wait(Span::millis(60));
        for n in 1..=20 {
            solo.call(|k, cx| k.send(fd, 1, false, cx).unwrap());
            solo.rx(&format!(". 11 0 ack {}", n + 1));
        }
        assert_eq!(solo.rx("P. 11 10 ack 21"), answer, "{release}");
    }
}

/// `counts_close_wait_as_established`
#[test]
fn close_wait_in_curr_estab() {
    let text = "CurrEstab 1\n < F. 1 0 ack 1 ->\n state CLOSE-WAIT\n CurrEstab ";
    one(Release::V3_10, &[], &format!("{text}0"));
    one(Release::V6_18, &[], &format!("{text}1"));
}

/// `unacceptable_ack_drops_segment`: a FIN with an ACK of what was never sent.
#[test]
fn a_fin_with_a_bad_ack_in_a_closing_state() {
    let text = "shut wr -> F. 1:1 ack 1\n < . 1 0 ack 2 ->\n";
    let old = "< F. 1 0 ack 99 -> . 2:2 ack 2\n state TIME-WAIT";
    one(Release::V3_10, &[], &format!("{text} {old}"));
    let new = "< F. 1 0 ack 99 -> . 2:2 ack 1\n state FIN-WAIT-2\n TCPChallengeACK 1";
    one(Release::V6_18, &[], &format!("{text} {new}"));
}

/// `negative_tw_limit_is_unlimited`
#[test]
fn a_negative_limit_of_buckets() {
    let text = "close -> F. 1:1 ack 1\n < F. 1 0 ack 2 -> . 2:2 ack 2\n";
    let sets = [("tcp_max_tw_buckets", "-1")];
    one(Release::V3_10, &sets, &format!("{text} tw 0\n TCPTimeWaitOverflow 1"));
    one(Release::V6_18, &sets, &format!("{text} tw 1\n TCPTimeWaitOverflow 0"));
}

/// `challenge_limit_spares_data`
#[test]
fn challenges_of_data_segments() {
    for (release, challenges) in [(Release::V3_10, 5), (Release::V6_18, 1)] {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.shutdown(fd, How::Wr, cx).unwrap());
        for _ in 0..5 {
            solo.rx("R 5 10"); // in the window, not exact, with payload
        }
        assert_eq!(solo.mib(Mib::TCPChallengeACK), challenges, "{release}");
        assert_eq!(solo.mib(Mib::TCPACKSkippedChallenge), 5 - challenges);
    }
}

/// The host's budget of challenge ACKs, when it has one.
#[test]
fn the_budget_of_challenges() {
    for release in Release::ALL {
        let sets = [("tcp_challenge_ack_limit", "4"), ("tcp_invalid_ratelimit", "0")];
        let mut solo = Solo::new(release, &sets);
        solo.accepted();
        for _ in 0..20 {
            solo.rx("S 1");
        }
        let sent = solo.mib(Mib::TCPChallengeACK);
        assert!((2..=5).contains(&sent), "{release}: from half to one and a half less one: {sent}");
        assert_eq!(solo.mib(Mib::TCPSYNChallenge), 20);
        solo.wait(Span::millis(1100));
        solo.rx("S 1");
        assert_eq!(solo.mib(Mib::TCPChallengeACK), sent + 1, "{release}: a new second");
    }
}

/// `learns_buffer_overhead`: full segments fill their buffers better than by half, which 6.18
/// notices: its window grows beyond half of the receive buffer.
#[test]
fn the_share_of_payload_in_a_buffer() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[("tcp_rmem", "4096 65536 65536")]);
        let (_, fd) = solo.accepted();
        let mut next = 1;
        for _ in 0..100 {
            solo.rx(&format!("P. {next} 1460 ack 1"));
            next += 1460;
            solo.on(|k, cx| k.recv(fd, 100_000, cx)).0.unwrap();
            solo.wait(Span::millis(250));
        }
        let window = solo.edge - next;
        let learned = window > 32_768;
        assert_eq!(learned, release == Release::V6_18, "{release}: {window}");
    }
}
