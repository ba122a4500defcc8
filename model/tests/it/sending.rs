//! What leaves: Nagle, PSH, the FIN's place, the send window. Section D5 of the companion sheet,
//! 2.7 and 9.2 of the fact sheet.

use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::kernel::SockOpt;
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::solo::{Solo, say};
use crate::trace::both;

#[test]
fn d5_1_minshalls_nagle() {
    // A small segment waits while another small one is out; not behind a full one.
    both(
        &[],
        "send 10 -> P. 1:11 ack 1
         send 10 ->
         send 10 ->
         < . 1 0 ack 11 -> P. 11:31 ack 1
         < . 1 0 ack 31 win 20000 ->
         send 1460 -> P. 31:1491 ack 1
         send 10 -> P. 1491:1501 ack 1",
    );
}

#[test]
fn d5_3_the_fin_rides_on_unsent_data() {
    both(
        &[],
        "send 10 -> P. 1:11 ack 1
         send 10 ->
         send 10 ->
         send 10 ->
         close -> FP. 11:41 ack 1
         state FIN-WAIT-1",
    );
    // Nothing unsent: a segment of its own.
    both(
        &[],
        "send 10 -> P. 1:11 ack 1
         close -> F. 11:11 ack 1",
    );
}

#[test]
fn d5_nodelay_and_cork() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::NoDelay(true), cx).unwrap());
        for n in 0..3 {
            let text = solo.call(|k, cx| k.send(fd, 10, false, cx).unwrap());
            assert_eq!(text, format!("P. {}:{} ack 1", 1 + n * 10, 11 + n * 10), "{release}");
        }
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::NoDelay(false), cx).unwrap());
        solo.rx(". 1 0 ack 31");
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::Cork(true), cx).unwrap());
        assert_eq!(solo.call(|k, cx| k.send(fd, 10, false, cx).unwrap()), "-");
        let uncork = solo.call(|k, cx| k.setsockopt(fd, SockOpt::Cork(false), cx).unwrap());
        assert_eq!(uncork, "P. 31:41 ack 1", "{release}");
    }
}

/// D5.2: MSG_MORE and close: the FIN's segment has no PSH.
#[test]
fn d5_2_msg_more_and_close() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        assert_eq!(solo.call(|k, cx| k.send(fd, 10, true, cx).unwrap()), "-", "{release}");
        assert_eq!(solo.close(fd), "F. 1:11 ack 1", "{release}");
    }
}

/// 2.7.3: the FIN waits behind a shut window with its data, and the state does not.
#[test]
fn a_fin_behind_a_shut_window() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.win = 0;
        let (_, fd) = solo.accepted();
        assert_eq!(solo.call(|k, cx| k.send(fd, 100, false, cx).unwrap()), "-");
        assert_eq!(solo.close(fd), "-");
        let rows = solo.k.rows(solo.now);
        let row = rows.iter().find(|r| r.tx_queue > 0).unwrap();
        assert_eq!((row.state.ss_name(), row.tx_queue), ("FIN-WAIT-1", 101), "{release}");
        assert_eq!(row.timer.unwrap().name, "persist");
        solo.win = 1000;
        assert_eq!(solo.rx(". 1 0 ack 1"), "FP. 1:101 ack 1", "{release}");
    }
}

/// D5.2, 9.2.1: a RST of our own carries the FIN's number if that was sent, and the window.
#[test]
fn numbers_of_our_own_rst() {
    both(
        &[],
        "linger 0 ->
         send 10 -> P. 1:11 ack 1
         close -> R. 11:11 ack 1
         TCPAbortOnData 1",
    );
    both(
        &[],
        "shut wr -> F. 1:1 ack 1
         linger 0 ->
         close -> R. 2:2 ack 1
         TCPAbortOnData 1
         EstabResets 0",
    );
    // Unsent data and an unsent FIN are not counted.
    both(
        &[],
        "send 10 -> P. 1:11 ack 1
         send 10 ->
         linger 0 ->
         close -> R. 11:11 ack 1",
    );
}

/// 9.2.2: the peer took window back: the RST's number is the edge of what it still takes, unless
/// 6.18's allowance for window scaling covers the rest.
#[test]
fn the_number_of_a_rst_beyond_a_shrunk_window() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.send(fd, 1000, false, cx).unwrap());
        solo.win = 100;
        solo.rx(". 1 0 ack 2");
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::Linger(Some(0)), cx).unwrap());
        assert_eq!(solo.close(fd), "R. 102:102 ack 1", "{release}");
    }
}

/// 9.2.2 again, with window scaling: what the peer may have rounded away, 1023 bytes at our scale
/// of 10, is no overshoot for 6.18.
#[test]
fn the_number_of_a_rst_beyond_a_scaled_window() {
    for (sent, new) in [(1000, "R. 1001:1001 ack 1"), (2920, "R. 102:102 ack 1")] {
        for release in Release::ALL {
            let mut solo = Solo::new(release, &[]);
            solo.win = 4000;
            let listener = solo.listen(5);
            let mut syn = solo.segment(say("S 0"));
            syn.options.wscale = Some(0);
            syn.options.mss = Some(1460);
            solo.on(|k, cx| k.rx(&syn, cx));
            solo.rx(". 1 0 ack 1");
            let fd = solo.on(|k, cx| k.accept(listener, cx)).0.unwrap();
            solo.call(|k, cx| k.send(fd, sent, false, cx).unwrap());
            solo.win = 100;
            solo.rx(". 1 0 ack 2");
            solo.call(|k, cx| k.setsockopt(fd, SockOpt::Linger(Some(0)), cx).unwrap());
            let old = "R. 102:102 ack 1";
            let want = if release == Release::V6_18 { new } else { old };
            assert_eq!(solo.close(fd), want, "{release}: {sent} bytes sent");
        }
    }
}

#[test]
fn the_congestion_window_lets_ten_segments_go() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.win = 65535;
        let (_, fd) = solo.accepted();
        let (answer, sent) = solo.on(|k, cx| k.send(fd, 14_600 + 1460, false, cx));
        assert!(answer.is_ok());
        assert_eq!(sent.len(), 10, "{release}");
        // What is acknowledged makes room for the rest.
        let text = solo.rx(". 1 0 ack 1461");
        assert_ne!(text, "-", "{release}");
    }
}

#[test]
fn writing_after_the_end() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.rx("R 1");
        assert_eq!(solo.on(|k, cx| k.send(fd, 1, false, cx)).0, Err(Errno::ECONNRESET));
        assert_eq!(solo.on(|k, cx| k.send(fd, 1, false, cx)).0, Err(Errno::EPIPE), "{release}");
        assert_eq!(solo.mib(Mib::EstabResets), 1);
        assert!(solo.wait(Span::secs(10)).is_empty());
    }
}

/// 4.5.1: a RST in CLOSE_WAIT is EPIPE.
#[test]
fn a_rst_in_close_wait() {
    both(
        &[],
        "< F. 1 0 ack 1 ->
         < R 2 ->
         send 1 -> EPIPE
         EstabResets 1",
    );
}
