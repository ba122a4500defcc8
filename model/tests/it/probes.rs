//! Zero-window probes and keepalive: 9.7 and 9.8 of the fact sheet, D6.8 and D6.9 of its
//! companion.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::kernel::{Fd, How, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::schedule::assert_schedule;
use crate::solo::{Solo, say};

/// 100 bytes wait behind a shut window; the RTO in ms.
fn shut(release: Release, sets: &[(&str, &str)]) -> (Solo, Fd, u64) {
    let mut solo = Solo::new(release, sets);
    let (_, fd) = solo.accepted();
    // One exchange, so that there is an RTT sample.
    solo.call(|k, cx| k.send(fd, 10, false, cx).unwrap());
    solo.win = 0;
    assert_eq!(solo.rx(". 1 0 ack 11"), "-");
    let rto = u64::from(solo.k.tcp_info(fd, solo.now).unwrap().rto / 1000);
    assert_eq!(solo.call(|k, cx| k.send(fd, 100, false, cx).unwrap()), "-");
    (solo, fd, rto)
}

/// Lets time pass until the connection is gone, the peer answering probes if it is `alive`; the
/// times of the probes and of the end.
fn until_gone(solo: &mut Solo, alive: bool) -> Vec<Span> {
    let mut times = vec![Span::ZERO];
    let start = solo.now;
    while solo.state() != "gone" {
        let next = solo.k.next_timer().expect("it has a timer");
        let sent = solo.wait(next - solo.now);
        for (_, seg, cause) in &sent {
            assert_eq!(*cause, Cause::ProbeZeroWindow, "{}", solo.state());
            assert!(seg.flags.ack() && seg.len == 0);
            times.push(solo.now - start);
        }
        if alive && !sent.is_empty() {
            solo.rx(". 1 0 ack 11");
        }
        assert!(solo.now - start < Span::secs(3000));
    }
    times.push(solo.now - start);
    times
}

/// The ideal: the first probe after R, doubling.
fn doubling(rto: u64, count: u32) -> Vec<u64> {
    (0..=count).map(|k| rto * ((1 << k) - 1)).collect()
}

#[test]
fn an_orphan_behind_a_shut_window_and_a_silent_peer() {
    for release in Release::ALL {
        for retries in [3, 0] {
            let text = retries.to_string();
            let (mut solo, fd, rto) = shut(release, &[("tcp_orphan_retries", &text)]);
            assert_eq!(solo.close(fd), "-");
            let times = until_gone(&mut solo, false);
            // 6.18 dies when the unanswered probes reach the limit, 3.10 when they pass it.
            let most = if retries == 0 { 8 } else { retries };
            let probes = most + u32::from(release == Release::V3_10);
            assert_schedule(release, &times, &doubling(rto, probes + 1));
            assert_eq!(solo.mib(Mib::TCPAbortOnTimeout), 1);
            assert_eq!(solo.mib(Mib::OutRsts), 0);
            let counted = if release == Release::V6_18 { u64::from(probes) } else { 0 };
            assert_eq!(solo.mib(Mib::TCPWinProbe), counted);
        }
    }
}

/// 9.7.4: answered probes keep an orphan alive only until its interval reaches two minutes.
#[test]
fn an_orphan_behind_a_shut_window_and_a_peer_that_answers() {
    for release in Release::ALL {
        let (mut solo, fd, rto) = shut(release, &[]);
        assert_eq!(solo.close(fd), "-");
        let times = until_gone(&mut solo, true);
        let mut ideal = doubling(rto, 10);
        ideal.push(ideal[10] + 120_000);
        assert_schedule(release, &times, &ideal);
        assert_eq!(solo.mib(Mib::TCPAbortOnTimeout), 1);
        assert_eq!(solo.mib(Mib::OutRsts), 0);
    }
}

#[test]
fn a_live_socket_behind_a_shut_window_outlives_everything() {
    for release in Release::ALL {
        let (mut solo, fd, _) = shut(release, &[]);
        for _ in 0..60 {
            let next = solo.k.next_timer().expect("a probe");
            if !solo.wait(next - solo.now).is_empty() {
                solo.rx(". 1 0 ack 11");
            }
        }
        assert_eq!(solo.state(), "ESTAB", "{release}");
        assert!(solo.now.ns > 3_600_000_000_000, "an hour has passed");
        solo.win = 1000;
        assert_eq!(solo.rx(". 1 0 ack 11"), "P. 11:111 ack 1");
        assert!(solo.close(fd).starts_with('F'));
    }
}

#[test]
fn a_probe_lies_one_below_the_window() {
    let (mut solo, _, rto) = shut(Release::V6_18, &[]);
    let sent = solo.wait(Span::millis(rto + 100));
    assert_eq!(solo.show(&[(sent[0].1, sent[0].2)]), ". 10:10 ack 1");
    assert_eq!(solo.rx(". 1 0 ack 11"), "-");
}

// — keepalive —

fn keepalive(release: Release, sets: [i32; 3]) -> (Solo, Fd) {
    let mut solo = Solo::new(release, &[]);
    let (_, fd) = solo.accepted();
    for opt in [
        SockOpt::KeepIdle(sets[0]),
        SockOpt::KeepIntvl(sets[1]),
        SockOpt::KeepCnt(sets[2]),
        SockOpt::KeepAlive(true),
    ] {
        solo.call(|k, cx| k.setsockopt(fd, opt, cx).unwrap());
    }
    (solo, fd)
}

fn schedule(solo: &mut Solo, span: Span) -> (Vec<Span>, Vec<Cause>) {
    let sent = solo.wait(span);
    let mut times = vec![Span::ZERO];
    times.extend(sent.iter().map(|s| s.0));
    (times, sent.iter().map(|s| s.2).collect())
}

#[test]
fn d6_9_three_probes_and_a_rst() {
    for release in Release::ALL {
        let (mut solo, _) = keepalive(release, [1, 1, 3]);
        let (times, causes) = schedule(&mut solo, Span::secs(10));
        assert_schedule(release, &times, &[0, 1000, 2000, 3000, 4000]);
        let probe = Cause::ProbeKeepalive;
        assert_eq!(causes, [probe, probe, probe, Cause::RstKeepalive], "{release}");
        let counted = if release == Release::V6_18 { 3 } else { 0 };
        assert_eq!(solo.mib(Mib::TCPKeepAlive), counted);
        assert_eq!(solo.mib(Mib::EstabResets), 1);
    }
}

/// An answer begins the idle time anew.
#[test]
fn d6_9_an_answered_probe() {
    for release in Release::ALL {
        let (mut solo, _) = keepalive(release, [10, 1, 3]);
        for _ in 0..5 {
            let sent = solo.wait(Span::millis(10_500));
            assert_eq!(sent.len(), 1, "{release}");
            assert_eq!(sent[0].2, Cause::ProbeKeepalive);
            assert_eq!(solo.show(&[(sent[0].1, sent[0].2)]), ". 0:0 ack 1");
            assert_eq!(solo.rx(". 1 0 ack 1"), "-");
        }
        assert_eq!(solo.state(), "ESTAB");
    }
}

/// 9.8.7: it works in a live FIN_WAIT2 and in CLOSE_WAIT.
#[test]
fn d6_9_in_half_closed_states() {
    for release in Release::ALL {
        let (mut solo, fd) = keepalive(release, [5, 1, 2]);
        solo.call(|k, cx| k.shutdown(fd, How::Wr, cx).unwrap());
        solo.rx(". 1 0 ack 2");
        assert_eq!(solo.state(), "FIN-WAIT-2");
        let sent = solo.wait(Span::secs(20));
        assert_eq!(sent.last().unwrap().2, Cause::RstKeepalive, "{release}");
        assert_eq!(solo.mib(Mib::EstabResets), 0);
        assert_eq!(solo.mib(Mib::TCPAbortOnTimeout), 1);

        let (mut solo, _) = keepalive(release, [5, 1, 2]);
        solo.says(say("F. 1 0 ack 1"));
        let sent = solo.wait(Span::secs(20));
        assert_eq!(sent.last().unwrap().2, Cause::RstKeepalive, "{release}");
        assert_eq!(solo.mib(Mib::EstabResets), 1);
    }
}

#[test]
fn keepalive_by_default_after_two_hours() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::KeepAlive(true), cx).unwrap());
        let (times, causes) = schedule(&mut solo, Span::secs(9000));
        let mut ideal = vec![0];
        ideal.extend((0..10).map(|n| 7_200_000 + n * 75_000));
        assert_schedule(release, &times, &ideal);
        assert_eq!(causes.last(), Some(&Cause::RstKeepalive), "{release}");
    }
}
