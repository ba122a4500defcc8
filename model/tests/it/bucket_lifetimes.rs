//! How long a bucket lives and which counter tells of it: sections 5.3, 7.1 and 7.2 of the fact
//! sheet.

use finwait_model::counters::Mib;
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::solo::Solo;

/// A FIN_WAIT2 bucket of that tcp_fin_timeout, made so many milliseconds after another bucket
/// (which starts 3.10's clock); how long it lives, in milliseconds.
fn fin_wait2(release: Release, timeout: &str, after_ms: u64) -> (u64, Solo) {
    let mut solo = Solo::new(release, &[("tcp_fin_timeout", timeout)]);
    let (listener, fd) = solo.accepted();
    // One more connection, whose bucket comes first and lives longest.
    solo.port += 1;
    solo.syn();
    solo.rx(". 1 0 ack 1");
    let first = solo.on(|k, cx| k.accept(listener, cx)).0.unwrap();
    solo.close(first);
    solo.rx("F. 1 0 ack 2");
    solo.port -= 1;
    solo.wait(Span::millis(after_ms));
    solo.close(fd);
    solo.rx(". 1 0 ack 2");
    let (start, port) = (solo.now, solo.port);
    let lives = |solo: &Solo| solo.k.rows(solo.now).iter().any(|r| r.remote.port == port);
    assert!(lives(&solo));
    while lives(&solo) {
        let next = solo.k.next_timer().expect("a bucket has a timer");
        solo.wait(next - solo.now);
    }
    ((solo.now - start).ns / 1_000_000, solo)
}

/// 7.1.1: four seconds or less count as TWKilled, when the bucket is made.
#[test]
fn short_waits_are_counted_apart() {
    for (timeout, killed) in [("1", 1), ("3", 1), ("4", 1), ("5", 0), ("60", 0)] {
        let (_, solo) = fin_wait2(Release::V6_18, timeout, 0);
        assert_eq!(solo.mib(Mib::TWKilled), killed, "tcp_fin_timeout {timeout}");
        assert_eq!(solo.mib(Mib::TW), 2 - killed);
    }
}

/// 6.18: as long as asked, and up to a granule more.
#[test]
fn waits_of_6_18() {
    for (timeout, granule_ms) in [(2, 32), (5, 256), (10, 256), (16, 256), (17, 2048), (60, 2048)] {
        for after in [0, 333, 5000] {
            let (ms, _) = fin_wait2(Release::V6_18, &timeout.to_string(), after);
            let range = timeout * 1000..=timeout * 1000 + granule_ms + 4;
            assert!(range.contains(&ms), "tcp_fin_timeout {timeout}: {ms} ms");
        }
    }
}

/// 7.2.7: in 3.10's slow cells a short wait is longer than asked; in the fast wheel it is not.
#[test]
fn waits_of_3_10() {
    for (timeout, low, high) in [
        (2, 2_000, 2_200),
        (3, 3_000, 3_200),
        (5, 7_500, 15_000),
        (10, 15_000, 22_500),
        (20, 22_500, 30_000),
        (55, 52_500, 60_000),
        (60, 52_500, 60_000),
    ] {
        for after in [0, 1000, 3000, 7000] {
            let (ms, _) = fin_wait2(Release::V3_10, &timeout.to_string(), after);
            // Each tick of 7.5 s may be 29 ms late.
            let range = low - 30..=high + 9 * 30;
            assert!(range.contains(&ms), "tcp_fin_timeout {timeout} after {after}: {ms} ms");
        }
    }
}

/// 5.3: TIME_WAIT is 60 s whatever tcp_fin_timeout says: a FIN_WAIT2 bucket is begun anew.
#[test]
fn time_wait_does_not_follow_fin_timeout() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[("tcp_fin_timeout", "3")]);
        let (_, fd) = solo.accepted();
        solo.close(fd);
        solo.rx(". 1 0 ack 2");
        solo.wait(Span::secs(1));
        assert_eq!(solo.rx("F. 1 0 ack 2"), ". 2:2 ack 2");
        solo.wait(Span::secs(51));
        assert_eq!(solo.state(), "TIME-WAIT", "{release}");
        solo.wait(Span::secs(12));
        assert_eq!(solo.state(), "gone", "{release}");
        // 6.18 counted it when it was made, 3.10 where it ended.
        let killed = u64::from(release == Release::V6_18);
        assert_eq!(solo.mib(Mib::TWKilled), killed, "{release}");
        assert_eq!(solo.mib(Mib::TW), 1 - killed, "{release}");
    }
}

/// 10.2, 10.3: a change of the sysctl acts on what is made later.
#[test]
fn sysctls_changed_on_the_run() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.close(fd);
        solo.rx(". 1 0 ack 2");
        solo.k.sysctl_mut().tcp_max_tw_buckets = 0;
        solo.k.sysctl_mut().tcp_fin_timeout = 2;
        solo.wait(Span::secs(50));
        assert_eq!(solo.k.sockstat().tw, 1, "{release}: what is there stays");
        // 5.2: from FIN_WAIT2 to TIME_WAIT it keeps its place.
        solo.rx("F. 1 0 ack 2");
        assert_eq!(solo.state(), "TIME-WAIT", "{release}");
        assert_eq!(solo.mib(Mib::TCPTimeWaitOverflow), 0);
    }
}
