//! Listeners: queues and their limits, SYN-ACK timers, cookies. Section B of the companion sheet.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::schedule::assert_schedule;
use crate::solo::Solo;
use crate::trace::play;

/// SYNs from so many ports; how many were answered.
fn syns(solo: &mut Solo, from: u16, count: u16) -> u16 {
    let mut answered = 0;
    for port in from..from + count {
        solo.port = port;
        answered += u16::from(solo.syn() != "-");
    }
    answered
}

#[test]
fn b2_backlog_plus_one_connections_wait() {
    for release in Release::ALL {
        for (backlog, fit) in [(0, 1), (1, 2), (2, 3)] {
            let mut solo = Solo::new(release, &[]);
            let listener = solo.listen(backlog);
            for port in 40000..40005 {
                solo.port = port;
                solo.syn();
                solo.rx(". 1 0 ack 1");
            }
            let mut accepted = 0;
            while solo.on(|k, cx| k.accept(listener, cx)).0.is_ok() {
                accepted += 1;
            }
            assert_eq!(accepted, fit, "{release}: backlog {backlog}");
            assert_eq!(solo.on(|k, cx| k.accept(listener, cx)).0, Err(Errno::EAGAIN));
        }
    }
}

#[test]
fn b1_somaxconn_caps_the_backlog() {
    for (somaxconn, backlog, fit) in [("2", 100, 3), ("2", -1, 3), ("100", 1, 2)] {
        let mut solo = Solo::new(Release::V6_18, &[("net.core.somaxconn", somaxconn)]);
        solo.listen(backlog);
        for port in 40000..40010 {
            solo.port = port;
            solo.syn();
            solo.rx(". 1 0 ack 1");
        }
        assert_eq!(solo.mib(Mib::PassiveOpens), fit, "somaxconn {somaxconn}, backlog {backlog}");
        assert_eq!(solo.mib(Mib::ListenOverflows), 10 - fit);
        assert_eq!(solo.mib(Mib::ListenDrops), 10 - fit);
    }
}

#[test]
fn b3_the_queue_of_requests() {
    // Without cookies what does not fit is dropped. 6.18: backlog + 1 requests.
    for (backlog, fit) in [(0, 1), (3, 4)] {
        let mut solo = Solo::new(Release::V6_18, &[("tcp_syncookies", "0")]);
        solo.listen(backlog);
        assert_eq!(syns(&mut solo, 40000, 10), fit, "backlog {backlog}");
        assert_eq!(solo.mib(Mib::TCPReqQFullDrop), 10 - u64::from(fit));
        assert_eq!(solo.mib(Mib::ListenDrops), 10 - u64::from(fit));
    }
    // 3.10: a power of two above max(8, backlog).
    for (backlog, fit) in [(0, 16), (8, 16), (15, 16), (16, 32), (128, 256)] {
        let mut solo = Solo::new(Release::V3_10, &[("tcp_syncookies", "0")]);
        solo.listen(backlog);
        assert_eq!(syns(&mut solo, 40000, 300), fit, "backlog {backlog}");
    }
}

#[test]
fn b5_cookies_when_the_queue_of_requests_is_full() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let listener = solo.listen(0);
    assert_eq!(syns(&mut solo, 40000, 3), 3);
    play(
        &mut solo,
        listener,
        listener,
        "TCPReqQFullDoCookies 2
         SyncookiesSent 2
         ListenDrops 0
         port 40001
         # the cookie makes a connection
         < . 1 0 ack 1 ->
         SyncookiesRecv 1
         PassiveOpens 1
         # now the accept queue is full: the next cookie's ACK is dropped, without a RST
         port 40002
         < . 1 0 ack 1 ->
         SyncookiesRecv 2
         ListenOverflows 1
         ListenDrops 1
         # what is no cookie gets the RST of a listener
         < . 1 0 ack 999 -> R 999:999
         SyncookiesFailed 1",
    );
    let mut solo = Solo::new(Release::V3_10, &[]);
    solo.listen(0);
    assert_eq!(syns(&mut solo, 40000, 20), 20);
    assert_eq!(solo.mib(Mib::SyncookiesSent), 4);
    assert_eq!(solo.mib(Mib::ListenDrops), 4, "3.10 counts each cookie as a drop");
}

#[test]
fn b5_cookies_always() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[("tcp_syncookies", "2")]);
        solo.listen(5);
        assert_eq!(solo.syn(), "S. 0:0 ack 1");
        assert_eq!(solo.state(), "gone", "nothing remembers it");
        assert_eq!(solo.rx(". 1 0 ack 1"), "-");
        assert_eq!(solo.state(), "ESTAB", "{release}");
        assert_eq!(solo.mib(Mib::SyncookiesSent), 1);
        assert_eq!(solo.mib(Mib::SyncookiesRecv), 1);
    }
}

/// With a full accept queue 6.18 drops every SYN; 3.10 answers as long as one young request waits
/// at most.
#[test]
fn b6_a_syn_for_a_full_accept_queue() {
    for (release, answered) in [(Release::V3_10, 2), (Release::V6_18, 0)] {
        let mut solo = Solo::new(release, &[]);
        solo.listen(0);
        solo.syn();
        solo.rx(". 1 0 ack 1");
        assert_eq!(syns(&mut solo, 41000, 5), answered, "{release}");
        assert_eq!(solo.mib(Mib::ListenOverflows), 5 - u64::from(answered));
        assert_eq!(solo.mib(Mib::ListenDrops), 5 - u64::from(answered));
    }
}

/// Without cookies the last quarter of tcp_max_syn_backlog is for peers that are known.
#[test]
fn b5_the_last_quarter_of_the_syn_backlog() {
    let sets = [("tcp_syncookies", "0"), ("tcp_max_syn_backlog", "8")];
    let mut solo = Solo::new(Release::V6_18, &sets);
    solo.listen(100);
    assert_eq!(syns(&mut solo, 40000, 10), 7);
    assert_eq!(solo.mib(Mib::ListenDrops), 3);
    assert_eq!(solo.mib(Mib::TCPReqQFullDrop), 0);
}

#[test]
fn b8_syn_acks_again_and_again() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    solo.listen(10);
    solo.syn();
    let sent = solo.wait(Span::secs(100));
    let mut times = vec![Span::ZERO];
    times.extend(sent.iter().map(|s| s.0));
    assert!(sent.iter().all(|s| s.2 == Cause::SynAckTimer));
    assert_schedule(Release::V6_18, &times, &[0, 1000, 3000, 7000, 15000, 31000]);
    for (mib, count) in [
        (Mib::TCPTimeouts, 6),
        (Mib::RetransSegs, 5),
        (Mib::TCPSynRetrans, 5),
        (Mib::OutSegs, 6),
        (Mib::AttemptFails, 0),
        (Mib::ListenDrops, 0),
        (Mib::OutRsts, 0),
    ] {
        assert_eq!(solo.mib(mib), count, "{mib:?}");
    }
    assert_eq!(solo.state(), "gone");
}

#[test]
fn b8_a_request_lives_63_seconds() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.listen(10);
        solo.syn();
        solo.wait(Span::millis(62_500));
        assert_eq!(solo.state(), "SYN-RECV", "{release}");
        solo.wait(Span::secs(5));
        assert_eq!(solo.state(), "gone", "{release}");
    }
}

/// 3.10 scans a listener's requests every 200 ms, each chain about every half second: late by up
/// to that, and TCPTimeouts does not count it.
#[test]
fn b9_syn_acks_of_3_10_come_with_the_scan() {
    let mut solo = Solo::new(Release::V3_10, &[]);
    solo.listen(10);
    solo.syn();
    let times: Vec<u64> = solo.wait(Span::secs(100)).iter().map(|s| s.0.ns / 1_000_000).collect();
    assert_eq!(times.len(), 5, "{times:?}");
    let mut due = 0;
    for (n, at) in times.iter().enumerate() {
        due += 1000 << n;
        assert!((due..due + 700 + 600 * n as u64).contains(at), "{times:?}");
        due = *at;
    }
    assert_eq!(solo.mib(Mib::TCPTimeouts), 0);
    assert_eq!(solo.mib(Mib::RetransSegs), 5);
}

#[test]
fn synack_retries() {
    for (retries, sent) in [("0", 0), ("1", 1), ("3", 3)] {
        let mut solo = Solo::new(Release::V6_18, &[("tcp_synack_retries", retries)]);
        solo.listen(10);
        solo.syn();
        assert_eq!(solo.wait(Span::secs(300)).len(), sent, "tcp_synack_retries {retries}");
        assert_eq!(solo.mib(Mib::TCPTimeouts), sent as u64 + 1);
    }
}

/// Pruning under pressure: while more than half the backlog is half-open and few of them young,
/// two retries have to do.
#[test]
fn b8_a_crowded_queue_gives_up_earlier() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    solo.listen(20);
    let old = |solo: &Solo| {
        let rows = solo.k.rows(solo.now);
        rows.iter().filter(|r| (40000..41000).contains(&r.remote.port)).count()
    };
    assert_eq!(syns(&mut solo, 40000, 12), 12);
    solo.wait(Span::secs(5));
    assert_eq!(syns(&mut solo, 41000, 4), 4, "young ones");
    solo.wait(Span::millis(1_500));
    assert_eq!(old(&solo), 12);
    // Their third firing, at 7 s: they go until ten requests are left.
    solo.wait(Span::secs(2));
    assert_eq!(old(&solo), 6);
    solo.wait(Span::secs(50));
    assert_eq!(old(&solo), 6);
}

/// B13: the bucket is gone although the SYN that took it is dropped.
#[test]
fn b13_a_syn_that_takes_a_bucket_still_needs_room_to_be_accepted() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (listener, fd) = solo.accepted();
        solo.on(|k, cx| k.listen(listener, 0, cx)).0.unwrap();
        let others = if release == Release::V3_10 { 3 } else { 1 };
        play(
            &mut solo,
            listener,
            fd,
            "close -> F. 1:1 ack 1
             < F. 1 0 ack 2 -> . 2:2 ack 2
             tw 1",
        );
        for port in 41000..41000 + others {
            solo.port = port;
            solo.syn();
        }
        solo.port = 41000;
        solo.rx(". 1 0 ack 1");
        solo.port = crate::solo::PEER.port;
        let text = "< S 3 ->
             tw 0
             ListenOverflows 1
             ListenDrops 1";
        play(&mut solo, listener, fd, text);
    }
}

#[test]
fn b14_requests_outlive_their_listener_only_in_6_18() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let listener = solo.listen(5);
        solo.syn();
        assert_eq!(solo.close(listener), "-");
        let stays = release == Release::V6_18;
        assert_eq!(solo.state(), if stays { "SYN-RECV" } else { "gone" });
        // The timer ends it silently.
        assert!(solo.wait(Span::secs(2)).is_empty());
        assert_eq!(solo.state(), "gone");
        assert_eq!(solo.mib(Mib::TCPTimeouts), 0, "{release}");
        assert_eq!(solo.syn(), "R. 0:0 ack 1");
    }
}
