//! connect(): the SYN's schedule, what answers do in SYN_SENT, simultaneous opens. Section C of
//! the companion sheet.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::kernel::{How, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::schedule::assert_schedule;
use crate::solo::Solo;
use crate::trace::play;

/// The times of the SYNs, and of the end, when nobody answers.
fn syns(release: Release, sets: &[(&str, &str)], count: Option<i32>) -> (Vec<Span>, Solo) {
    let mut solo = Solo::new(release, sets);
    let fd = solo.k.socket();
    if let Some(n) = count {
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::SynCnt(n), cx).unwrap());
    }
    let to = crate::solo::PEER;
    solo.call(|k, cx| k.connect(fd, to, cx));
    let mut times = vec![Span::ZERO];
    let start = solo.now;
    while solo.state() == "SYN-SENT" {
        let at = solo.k.next_timer().expect("a SYN waits for its timer");
        let sent = solo.wait(at - solo.now);
        assert!(sent.iter().all(|s| s.2 == Cause::SynRetransmit));
        if !sent.is_empty() || solo.state() != "SYN-SENT" {
            times.push(solo.now - start);
        }
    }
    assert_eq!(solo.error(fd), i64::from(Errno::ETIMEDOUT.number()));
    (times, solo)
}

#[test]
fn c9_syn_schedule_of_6_18() {
    let new = Release::V6_18;
    let (times, solo) = syns(new, &[], None);
    let ideal = [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131].map(|s| s * 1000);
    assert_schedule(new, &times, &ideal);
    assert_eq!(solo.mib(Mib::TCPTimeouts), 11);
    assert_eq!(solo.mib(Mib::RetransSegs), 10);
    assert_eq!(solo.mib(Mib::TCPSynRetrans), 10);
    assert_eq!(solo.mib(Mib::AttemptFails), 1);
    assert_eq!(solo.mib(Mib::TCPAbortOnTimeout), 1);
    assert_eq!(solo.mib(Mib::OutRsts), 0);

    let (times, _) = syns(new, &[("tcp_syn_linear_timeouts", "0")], None);
    assert_schedule(new, &times, &[0, 1, 3, 7, 15, 31, 63, 127].map(|s| s * 1000));
    let (times, _) = syns(new, &[("tcp_syn_retries", "2")], None);
    assert_schedule(new, &times, &[0, 1, 2, 3, 4, 5, 7].map(|s| s * 1000));
    let sets = [("tcp_syn_retries", "1"), ("tcp_syn_linear_timeouts", "2")];
    let (times, _) = syns(new, &sets, None);
    assert_schedule(new, &times, &[0, 1, 2, 3].map(|s| s * 1000));
    let (times, _) = syns(new, &[], Some(2));
    assert_schedule(new, &times, &[0, 1, 2, 3, 4, 5, 7].map(|s| s * 1000));
}

#[test]
fn c10_syn_schedule_of_3_10() {
    let old = Release::V3_10;
    let (times, solo) = syns(old, &[], None);
    assert_schedule(old, &times, &[0, 1, 3, 7, 15, 31, 63, 127].map(|s| s * 1000));
    assert_eq!(solo.mib(Mib::TCPTimeouts), 1, "only the first of the series");
    assert_eq!(solo.mib(Mib::RetransSegs), 6);
    let (times, _) = syns(old, &[("tcp_syn_retries", "2")], None);
    assert_schedule(old, &times, &[0, 1, 3, 7].map(|s| s * 1000));
}

/// C11: what comes in SYN_SENT.
#[test]
fn c11_answers_in_syn_sent() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (fd, syn) = solo.connect();
        assert_eq!(syn, "S 0:0");
        play(
            &mut solo,
            fd,
            fd,
            "state SYN-SENT
             # no ACK, no SYN; or a RST without ACK; or an ACK without SYN: nothing
             < F 0 ->
             < P 0 10 ->
             < R 0 ->
             < - 0 ->
             < . 0 0 ack 1 ->
             # a bad ACK with RST is dropped
             < R. 0 0 ack 9 ->
             state SYN-SENT
             # a good one ends it
             < R. 0 0 ack 1 ->
             state gone
             AttemptFails 1
             EstabResets 0
             OutRsts 0",
        );
        assert_eq!(solo.error(fd), i64::from(Errno::ECONNREFUSED.number()), "{release}");
    }
}

#[test]
fn c11_a_bad_ack_in_syn_sent() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.connect();
        assert_eq!(solo.rx(". 0 0 ack 5"), "R 5:5", "{release}");
        assert_eq!(solo.rx("S. 0 0 ack 0"), "R 0:0", "{release}");
        assert_eq!(solo.state(), "SYN-SENT");
        let sent = solo.wait(Span::millis(500));
        if release == Release::V6_18 {
            assert_eq!(sent.len(), 1, "the SYN goes again at once");
            assert!(sent[0].0 <= Span::millis(16), "{}", sent[0].0);
            assert_eq!((solo.mib(Mib::TCPTimeouts), solo.mib(Mib::TCPSynRetrans)), (1, 1));
        } else {
            assert!(sent.is_empty(), "the SYN waits for its timer");
        }
        assert_eq!(solo.syn_ack(), ". 1:1 ack 1");
        assert_eq!(solo.state(), "ESTAB");
    }
}

#[test]
fn c11_an_echo_of_what_we_never_sent() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.timestamps = true;
        solo.connect();
        let mut seg = solo.segment(crate::solo::say("S. 0 0 ack 1"));
        for (shift, answer) in [(100_000u32, "R 1:1"), (0, ". 1:1 ack 1")] {
            let mut ts = seg.options.ts.unwrap_or_default();
            ts.val = 50_000;
            ts.ecr = solo.our_ts().wrapping_add(shift);
            seg.options.ts = Some(ts);
            let sent = solo.on(|k, cx| k.rx(&seg, cx)).1;
            assert_eq!(solo.show(&sent), answer, "{release}");
        }
        assert_eq!(solo.mib(Mib::PAWSActive), 1, "{release}");
        assert_eq!(solo.state(), "ESTAB");
    }
}

/// Payload and FIN on a SYN-ACK are ignored.
#[test]
fn c11_a_syn_ack_with_fin_and_data() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.connect();
        assert_eq!(solo.rx("SF. 0 10 ack 1"), ". 1:1 ack 1", "{release}");
        assert_eq!(solo.state(), "ESTAB");
    }
}

#[test]
fn c12_simultaneous_open() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (fd, _) = solo.connect();
        let before = solo.mib(Mib::OutSegs);
        assert_eq!(solo.syn(), "S. 0:0 ack 1");
        assert_eq!(solo.state(), "SYN-RECV");
        assert_eq!(solo.mib(Mib::OutSegs), before, "this SYN-ACK is not counted");
        // Their SYN-ACK: 6.18 takes it as it is, 3.10 sends a challenge ACK first.
        assert_eq!(solo.syn_ack(), ". 1:1 ack 1", "{release}");
        if release == Release::V6_18 {
            assert_eq!(solo.state(), "ESTAB");
        } else {
            assert_eq!(solo.state(), "SYN-RECV");
            assert_eq!(solo.rx(". 1 0 ack 1"), "-");
        }
        assert_eq!(solo.state(), "ESTAB", "{release}");
        assert_eq!(solo.mib(Mib::ActiveOpens), 1);
        assert_eq!(solo.mib(Mib::PassiveOpens), 0);
        assert_eq!(solo.close(fd), "F. 1:1 ack 1");
    }
}

#[test]
fn c12_what_ends_a_simultaneous_open() {
    for release in Release::ALL {
        // A RST
        let mut solo = Solo::new(release, &[]);
        let (fd, _) = solo.connect();
        solo.syn();
        assert_eq!(solo.rx("R 1 0"), "-");
        assert_eq!(solo.error(fd), i64::from(Errno::ECONNRESET.number()));
        assert_eq!(solo.mib(Mib::AttemptFails), 1);
        assert_eq!(solo.mib(Mib::EstabResets), 0);
        // A bad ACK is answered by a RST
        let mut solo = Solo::new(release, &[]);
        solo.connect();
        solo.syn();
        assert_eq!(solo.rx(". 1 0 ack 5"), "R 5:5", "{release}");
        assert_eq!(solo.rx(". 1 0 ack -5"), "R -5:-5", "{release}: of something older");
        assert_eq!(solo.state(), "SYN-RECV");
        // close() sends a FIN
        let mut solo = Solo::new(release, &[]);
        let (fd, _) = solo.connect();
        solo.syn();
        assert_eq!(solo.close(fd), "F. 1:1 ack 1");
        assert_eq!(solo.state(), "FIN-WAIT-1");
        // shutdown() does so at once in 3.10, when the connection is there in 6.18
        let mut solo = Solo::new(release, &[]);
        let (fd, _) = solo.connect();
        solo.syn();
        let fin = solo.call(|k, cx| k.shutdown(fd, How::Wr, cx));
        if release == Release::V3_10 {
            assert_eq!(fin, "F. 1:1 ack 1");
        } else {
            assert_eq!(fin, "-");
            assert_eq!(solo.rx(". 1 0 ack 1"), "F. 1:1 ack 1");
        }
        assert_eq!(solo.state(), "FIN-WAIT-1");
    }
}

#[test]
fn c13_close_and_shutdown_in_syn_sent() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (fd, _) = solo.connect();
        assert_eq!(solo.close(fd), "-");
        assert_eq!(solo.state(), "gone");
        assert_eq!(solo.mib(Mib::AttemptFails), 0);
        assert_eq!(solo.syn_ack(), "R 1:1");

        let mut solo = Solo::new(release, &[]);
        let (fd, _) = solo.connect();
        assert_eq!(solo.call(|k, cx| k.shutdown(fd, How::Rd, cx)), "-");
        assert_eq!(solo.error(fd), i64::from(Errno::ECONNRESET.number()), "{release}");
        assert_eq!(solo.state(), "gone");
    }
}

/// TCP_QUICKACK 0: the ACK of the SYN-ACK waits up to 200 ms for data to carry it.
#[test]
fn c11_a_patient_ack_of_the_syn_ack() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let fd = solo.k.socket();
    solo.call(|k, cx| k.setsockopt(fd, SockOpt::QuickAck(0), cx).unwrap());
    solo.call(|k, cx| k.connect(fd, crate::solo::PEER, cx));
    assert_eq!(solo.syn_ack(), "-");
    let sent = solo.wait(Span::secs(1));
    assert_eq!(sent.len(), 1);
    assert!((196..=208).contains(&(sent[0].0.ns / 1_000_000)), "{}", sent[0].0);
}
