//! TCP_DEFER_ACCEPT, TCP_USER_TIMEOUT, tcp_tw_recycle and ICMP errors: B10, C14, D6.10 of the
//! companion sheet, 6.7 and 7.3 of the fact sheet.

use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Icmp, SockOpt};
use finwait_model::release::Release;
use finwait_model::segment::Timestamp;
use finwait_model::seq::Seq;
use finwait_model::time::Span;

use crate::solo::{PEER, Solo, US, say};
use crate::trace::one;

/// B10.6: the bare third packet is dropped as long as data may come.
#[test]
fn defer_accept() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let listener = solo.listen(5);
        solo.call(|k, cx| k.setsockopt(listener, SockOpt::DeferAccept(3), cx).unwrap());
        solo.syn();
        assert_eq!(solo.rx(". 1 0 ack 1"), "-");
        assert_eq!(solo.state(), "SYN-RECV", "{release}");
        assert_eq!(solo.mib(Mib::TCPDeferAcceptDrop), 1);
        assert_eq!(solo.on(|k, cx| k.accept(listener, cx)).0, Err(Errno::EAGAIN));
        assert_eq!(solo.rx("P. 1 10 ack 1"), ". 1:1 ack 11");
        assert_eq!(solo.state(), "ESTAB", "{release}");
        assert!(solo.on(|k, cx| k.accept(listener, cx)).0.is_ok());
    }
}

/// B8: with an ACK seen, SYN-ACKs pause until the last one but one of the wait.
#[test]
fn defer_accept_is_patient_with_its_syn_acks() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let listener = solo.listen(5);
    solo.call(|k, cx| k.setsockopt(listener, SockOpt::DeferAccept(7), cx).unwrap());
    solo.syn();
    solo.rx(". 1 0 ack 1");
    assert!(solo.wait(Span::millis(5_000)).is_empty(), "none at 1 s and 3 s");
    assert_eq!(solo.rx(". 1 0 ack 1"), "-");
    assert_eq!(solo.state(), "SYN-RECV");
    assert_eq!(solo.wait(Span::millis(2_300)).len(), 1, "one at 7 s");
    // Its three timeouts over, the bare ACK will do.
    assert_eq!(solo.rx(". 1 0 ack 1"), "-");
    assert_eq!(solo.state(), "ESTAB");
}

/// D6.10: TCP_USER_TIMEOUT replaces the model of retries.
#[test]
fn user_timeout() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::UserTimeout(3000), cx).unwrap());
        solo.call(|k, cx| k.send(fd, 100, false, cx).unwrap());
        let start = solo.now;
        while solo.state() != "gone" {
            let next = solo.k.next_timer().unwrap();
            solo.wait(next - solo.now);
        }
        // Three seconds since the first retransmission; 3.10 looks only when an RTO fires.
        let dead = (solo.now - start).ns / 1_000_000;
        let range = if release == Release::V6_18 { 3200..3600 } else { 3200..6500 };
        assert!(range.contains(&dead), "{release}: {dead} ms");
        assert_eq!(solo.error(fd), i64::from(Errno::ETIMEDOUT.number()));
        assert_eq!(solo.mib(Mib::TCPAbortOnTimeout), 1);
        assert_eq!(solo.mib(Mib::OutRsts), 0);
    }
}

// — tcp_tw_recycle, 3.10 only —

#[test]
fn tcp_tw_recycle_is_gone_from_6_18() {
    let mut sysctl = finwait_model::sysctl::Sysctl::new(Release::V6_18);
    assert!(sysctl.set("net.ipv4.tcp_tw_recycle", "1").is_err());
}

/// 7.3.1: TIME_WAIT lasts 3.5 RTO, on the fast wheel.
#[test]
fn recycled_buckets_die_young() {
    one(
        Release::V3_10,
        &[("tcp_tw_recycle", "1")],
        "with timestamps
         close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         state TIME-WAIT
         wait 650ms ->
         state TIME-WAIT
         wait 300ms ->
         state gone
         TWKilled 1
         TW 0",
    );
    // Without timestamps nothing changes.
    one(
        Release::V3_10,
        &[("tcp_tw_recycle", "1")],
        "close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         wait 50s ->
         state TIME-WAIT",
    );
}

/// 7.3.2: behind one NAT address, the host whose clock is behind loses its SYNs for a minute.
#[test]
fn recycle_drops_syns_of_other_hosts_behind_the_same_address() {
    let mut solo = Solo::new(Release::V3_10, &[("tcp_tw_recycle", "1")]);
    solo.timestamps = true;
    let (_, fd) = solo.accepted();
    solo.close(fd);
    solo.rx("F. 1 0 ack 2");
    let syn = |solo: &mut Solo, port: u16, val: u32| {
        solo.port = port;
        let mut seg = solo.segment(say("S 0"));
        seg.options.ts = Some(Timestamp { val, ecr: 0 });
        let sent = solo.on(|k, cx| k.rx(&seg, cx)).1;
        solo.show(&sent)
    };
    assert_eq!(syn(&mut solo, 41000, 40_000), "-", "a clock that is behind");
    assert_eq!(solo.mib(Mib::PAWSPassive), 1);
    assert_eq!(solo.mib(Mib::ListenDrops), 1);
    assert_eq!(syn(&mut solo, 41001, 49_999), "S. 0:0 ack 1", "one tick behind is let through");
    assert_eq!(syn(&mut solo, 41002, 60_000), "S. 0:0 ack 1", "a clock that is ahead");
    solo.wait(Span::secs(61));
    assert_eq!(syn(&mut solo, 41003, 40_000), "S. 0:0 ack 1", "after a minute");
}

// — ICMP —

fn unreachable(solo: &mut Solo, seq: Seq, error: Errno, hard: bool) {
    let peer = Endpoint::new(PEER.addr, solo.port);
    let flow = FourTuple::new(Endpoint::new(US.addr, solo.local), peer);
    solo.call(|k, cx| k.icmp(&Icmp { flow, seq, error, hard }, cx));
}

/// C14: it ends what is only beginning.
#[test]
fn icmp_in_syn_sent() {
    for release in Release::ALL {
        for hard in [true, false] {
            let mut solo = Solo::new(release, &[]);
            let (fd, _) = solo.connect();
            let syn = Seq(solo.iss());
            unreachable(&mut solo, syn + 77, Errno::EHOSTUNREACH, hard);
            assert_eq!(solo.state(), "SYN-SENT", "not about our SYN");
            assert_eq!(solo.mib(Mib::OutOfWindowIcmps), 1, "{release}");
            unreachable(&mut solo, syn, Errno::EHOSTUNREACH, hard);
            assert_eq!(solo.state(), "gone", "{release}");
            assert_eq!(solo.error(fd), i64::from(Errno::EHOSTUNREACH.number()));
            assert_eq!(solo.mib(Mib::AttemptFails), 1);
        }
    }
}

/// 6.7, 9.6.2: later it is only remembered, and told when the connection dies of silence.
#[test]
fn icmp_in_established() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[("tcp_retries2", "2")]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.send(fd, 10, false, cx).unwrap());
        let seq = Seq(solo.iss()) + 1;
        unreachable(&mut solo, seq, Errno::EHOSTUNREACH, false);
        assert_eq!(solo.state(), "ESTAB");
        solo.wait(Span::secs(20));
        assert_eq!(solo.state(), "gone", "{release}");
        assert_eq!(solo.error(fd), i64::from(Errno::EHOSTUNREACH.number()));
    }
}

#[test]
fn icmp_for_a_bucket_is_ignored() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.close(fd);
        solo.rx("F. 1 0 ack 2");
        let seq = Seq(solo.iss()) + 1;
        unreachable(&mut solo, seq, Errno::ECONNREFUSED, true);
        assert_eq!(solo.state(), "TIME-WAIT", "{release}");
    }
}
