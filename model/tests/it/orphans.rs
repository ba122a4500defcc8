//! Orphans and buckets over time: limits, the FIN_WAIT2 timer, the two designs of the death row.
//! Sections 7 and 9.5 to 9.9 of the fact sheet.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::kernel::{Fd, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::solo::Solo;
use crate::trace::{both, one};

/// One more connection, from a port of its own.
fn open(solo: &mut Solo, listener: Fd) -> Fd {
    solo.port = if solo.port == u16::MAX { 1024 } else { solo.port + 1 };
    assert_eq!(solo.syn(), "S. 0:0 ack 1");
    solo.rx(". 1 0 ack 1");
    solo.on(|k, cx| k.accept(listener, cx)).0.unwrap()
}

/// 9.5.3: the limit is what may be, the one that exceeds it is reset; 3.10 counts exactly.
#[test]
fn the_orphan_limit_of_3_10() {
    let mut solo = Solo::new(Release::V3_10, &[("tcp_max_orphans", "2")]);
    let listener = solo.listen(10);
    for n in 0..4 {
        let fd = open(&mut solo, listener);
        let text = solo.close(fd);
        // The FIN is out already when the count is looked at.
        let reset = if n < 2 { "" } else { " + R. 2:2 ack 1" };
        assert_eq!(text, format!("F. 1:1 ack 1{reset}"));
    }
    assert_eq!(solo.mib(Mib::TCPAbortOnMemory), 2);
    assert_eq!(solo.k.sockstat().orphan, 2);
}

/// 6.18 looks at a sum that is up to 100 ms old: a burst passes.
#[test]
fn the_orphan_limit_of_6_18_sees_bursts_late() {
    let mut solo = Solo::new(Release::V6_18, &[("tcp_max_orphans", "2")]);
    let listener = solo.listen(10);
    let fds: Vec<Fd> = (0..6).map(|_| open(&mut solo, listener)).collect();
    let last = open(&mut solo, listener);
    solo.wait(Span::millis(300));
    for fd in fds {
        solo.close(fd);
    }
    assert_eq!(solo.mib(Mib::TCPAbortOnMemory), 0, "within 100 ms");
    assert_eq!(solo.k.sockstat().orphan, 6);
    solo.wait(Span::millis(150));
    assert_eq!(solo.close(last), "F. 1:1 ack 1 + R. 2:2 ack 1");
    assert_eq!(solo.mib(Mib::TCPAbortOnMemory), 1);
}

/// 9.6.4: the timers look too, and a recent sender's death is told by a RST.
#[test]
fn the_orphan_limit_at_an_rto() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let listener = solo.listen(10);
        let fd = open(&mut solo, listener);
        assert_eq!(solo.close(fd), "F. 1:1 ack 1");
        solo.k.sysctl_mut().tcp_max_orphans = 0;
        let sent = solo.wait(Span::secs(5));
        assert_eq!(sent.last().unwrap().2, Cause::RstOrphanLimitTimer, "{release}");
        assert_eq!(solo.state(), "gone");
        assert_eq!(solo.mib(Mib::TCPAbortOnMemory), 1);
        assert_eq!(solo.mib(Mib::TCPAbortOnTimeout), 0);
    }
}

/// 9.5.4: a FIN_WAIT2 that closes is not asked.
#[test]
fn the_orphan_limit_is_not_asked_in_fin_wait_2() {
    both(
        &[("tcp_max_orphans", "0")],
        "shut wr -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         close ->
         tw 1
         TCPAbortOnMemory 0",
    );
}

// — FIN_WAIT2 —

/// 9.8.5: beyond a minute the wait is a full socket for d, then a bucket for d again.
#[test]
fn a_fin_timeout_of_a_minute_and_d_is_two_d() {
    for (timeout, d, killed) in [("61", 1, true), ("65", 5, false), ("90", 30, false)] {
        let mut solo = Solo::new(Release::V6_18, &[("tcp_fin_timeout", timeout)]);
        let (_, fd) = solo.accepted();
        solo.close(fd);
        solo.rx(". 1 0 ack 2");
        solo.wait(Span::millis(d * 1000 - 50));
        assert_eq!((solo.k.sockstat().tw, solo.k.sockstat().orphan), (0, 1), "{timeout}");
        // A granule of the wheel each.
        solo.wait(Span::millis(50 + d * 130));
        assert_eq!((solo.k.sockstat().tw, solo.k.sockstat().orphan), (1, 0), "{timeout}");
        assert_eq!(solo.mib(Mib::TWKilled), u64::from(killed), "{timeout}");
        assert_eq!(solo.mib(Mib::TW), u64::from(!killed));
        solo.wait(Span::millis(d * 870 - 50));
        assert_eq!(solo.state(), "FIN-WAIT-2", "{timeout}");
        solo.wait(Span::millis(100 + d * 260));
        assert_eq!(solo.state(), "gone", "{timeout}");
        assert_eq!(solo.mib(Mib::OutRsts), 0);
    }
}

/// 9.8.4: the timer that finds linger2 below zero, or no time left, resets.
#[test]
fn the_fin_wait_2_timer_resets_when_no_time_is_left() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[("tcp_fin_timeout", "65")]);
        let (_, fd) = solo.accepted();
        solo.close(fd);
        solo.rx(". 1 0 ack 2");
        solo.k.sysctl_mut().tcp_fin_timeout = 60;
        let sent = solo.wait(Span::secs(10));
        assert_eq!(sent.len(), 1, "{release}");
        assert_eq!(sent[0].2, Cause::RstFinWait2Timer);
        assert_eq!(solo.state(), "gone");
        assert_eq!(solo.mib(Mib::OutRsts), 1);
        assert_eq!(solo.mib(Mib::TCPAbortOnLinger), 0);
    }
}

/// 5.8: the timer's bucket can be refused like any other; nothing is sent.
#[test]
fn the_fin_wait_2_timer_finds_the_table_full() {
    both(
        &[("tcp_fin_timeout", "65"), ("tcp_max_tw_buckets", "0")],
        "close -> F. 1:1 ack 1
         < . 1 0 ack 2 ->
         orphan 1
         TCPTimeWaitOverflow 0
         wait 6s ->
         state gone
         TCPTimeWaitOverflow 1
         OutRsts 0",
    );
}

/// 2.5.8: TCP_LINGER2 shortens in both, lengthens in 6.18 only; what getsockopt tells.
#[test]
fn linger2_values() {
    let table = "
set  outcome
-5   -1
0    60
1    1
30   30
60   60
61   3.10: 60  6.18: 61
120  3.10: 60  6.18: 120
500  3.10: 60  6.18: 120
";
    crate::text_table::check(table, |release, row| {
        let mut solo = Solo::new(release, &[]);
        let fd = solo.k.socket();
        let value = row.number("set").unwrap() as i32;
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::Linger2(value), cx).unwrap());
        solo.k.getsockopt(fd, finwait_model::kernel::OptName::Linger2).unwrap().to_string()
    });
}

/// 10.4: with nothing left of tcp_fin_timeout the floor of 3.5 RTO holds.
#[test]
fn a_fin_timeout_below_zero() {
    for timeout in ["0", "-1"] {
        one(
            Release::V6_18,
            &[("tcp_fin_timeout", timeout)],
            "close -> F. 1:1 ack 1
             < . 1 0 ack 2 ->
             state FIN-WAIT-2
             TWKilled 1
             wait 600ms ->
             state FIN-WAIT-2
             wait 300ms ->
             state gone",
        );
    }
}

// — the death rows —

/// Closes at a steady rate for so many seconds; the count of buckets at each second.
fn steady(release: Release, rate: u64, seconds: u64) -> (Vec<u32>, Solo) {
    let mut solo = Solo::new(release, &[]);
    solo.checked = false;
    let listener = solo.listen(10);
    let mut counts = Vec::new();
    for _ in 0..seconds {
        for _ in 0..rate {
            let fd = open(&mut solo, listener);
            solo.close(fd);
            solo.rx("F. 1 0 ack 2");
            solo.wait(Span::nanos(1_000_000_000 / rate));
        }
        counts.push(solo.k.sockstat().tw);
    }
    solo.k.check();
    (counts, solo)
}

/// 7.1: about 60 s of arrivals, and a granule's worth more.
#[test]
fn buckets_of_6_18_under_steady_load() {
    let (counts, solo) = steady(Release::V6_18, 50, 130);
    for &count in &counts[63..] {
        assert!((3000..=3200).contains(&count), "{counts:?}");
    }
    assert_eq!(solo.mib(Mib::TW), 50 * 130, "counted when made");
}

/// 7.2.5: at light load a bucket of 3.10 lives 52.5 to 60 s; a whole cell goes at once.
#[test]
fn buckets_of_3_10_under_light_load() {
    let (counts, solo) = steady(Release::V3_10, 10, 130);
    let tail = &counts[61..];
    let (low, high) = (*tail.iter().min().unwrap(), *tail.iter().max().unwrap());
    assert!((520..=540).contains(&low) && (590..=605).contains(&high), "{counts:?}");
    let drops: Vec<u32> = tail.windows(2).filter(|w| w[1] < w[0]).map(|w| w[0] - w[1]).collect();
    assert!(drops.iter().all(|d| (60..=75).contains(d)), "7.5 s of arrivals at once: {drops:?}");
    assert!(solo.mib(Mib::TW) < 10 * 130, "counted when they go");
}

/// 7.2.5, 7.2.6: with more than a hundred in each cell every cell costs two ticks: they live
/// about 105 s, and go 15 s of arrivals at a time.
#[test]
fn buckets_of_3_10_under_heavy_load() {
    let (counts, _) = steady(Release::V3_10, 100, 360);
    let tail = &counts[180..];
    let (low, high) = (*tail.iter().min().unwrap(), *tail.iter().max().unwrap());
    assert!((9_700..=9_950).contains(&low), "{low}: {counts:?}");
    assert!((11_000..=11_300).contains(&high), "{high}: {counts:?}");
    let drops: Vec<u32> = tail.windows(2).filter(|w| w[1] < w[0]).map(|w| w[0] - w[1]).collect();
    assert!(drops.iter().all(|d| (1_300..=1_500).contains(d)), "{drops:?}");
    assert!((10..=13).contains(&drops.len()), "every 15 s: {drops:?}");
}
