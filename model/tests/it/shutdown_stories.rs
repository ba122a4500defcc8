//! shutdown() and lingering close(): sections 2 and 3 of the fact sheet.

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Closed, Fd, How, Ready, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::solo::{Solo, US, say};
use crate::trace::{both, one, play};

/// 3.8: SHUT_RD sends nothing and discards nothing.
#[test]
fn shut_rd() {
    both(
        &[],
        "< P. 1 10 ack 1 -> . 1:1 ack 11
         shut rd ->
         state ESTAB
         < P. 11 10 ack 1 -> . 1:1 ack 21
         recv -> 20
         recv -> 0
         < F. 21 0 ack 1 ->
         state CLOSE-WAIT",
    );
}

/// 3.6, 3.10, 3.11: SHUT_WR twice, and what still works.
#[test]
fn shut_wr() {
    both(
        &[],
        "shut wr -> F. 1:1 ack 1
         state FIN-WAIT-1
         shut wr ->
         send 1 -> EPIPE
         < . 1 0 ack 2 ->
         state FIN-WAIT-2
         shut wr ->
         wait 1000s ->
         state FIN-WAIT-2
         < P. 1 10 ack 2 -> . 2:2 ack 11
         recv -> 10
         < F. 11 0 ack 2 -> . 2:2 ack 12
         state TIME-WAIT
         recv -> 0
         shut wr -> ENOTCONN",
    );
}

/// 3.9: SHUT_RDWR: from then on new data is answered by a RST, though the socket has a file.
#[test]
fn shut_rdwr() {
    for (ack, rst) in [("1", "R 1:1"), ("2", "R 2:2")] {
        let text = format!(
            "shut rdwr -> F. 1:1 ack 1
             < P. 1 10 ack {ack} -> {rst}
             TCPAbortOnData 1
             state gone
             recv -> ECONNRESET
             EstabResets 0"
        );
        both(&[], &text);
    }
}

/// 3.4: a listener.
#[test]
fn shutdown_of_a_listener() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let listener = solo.listen(5);
        solo.syn();
        solo.rx(". 1 0 ack 1");
        assert_eq!(solo.call(|k, cx| k.shutdown(listener, How::Wr, cx).unwrap()), "-");
        assert_eq!(solo.state(), "ESTAB");
        let rst = solo.call(|k, cx| k.shutdown(listener, How::Rd, cx).unwrap());
        assert_eq!(rst, "R. 1:1 ack 1", "{release}");
        assert_eq!(solo.on(|k, cx| k.accept(listener, cx)).0, Err(Errno::EINVAL));
        solo.port += 1;
        assert_eq!(solo.syn(), "R. 0:0 ack 1");
    }
}

/// 3.3: ENOTCONN in CLOSE, but the bit is kept: a listener's children then send a FIN at once.
#[test]
fn shutdown_before_listen() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let fd = solo.k.socket();
    assert_eq!(solo.on(|k, cx| k.shutdown(fd, How::Wr, cx)).0, Err(Errno::ENOTCONN));
    let local = Endpoint::new(Addr::ANY, 80);
    solo.k.bind(fd, local).unwrap();
    solo.on(|k, cx| k.listen(fd, 5, cx)).0.unwrap();
    solo.syn();
    assert_eq!(solo.rx(". 1 0 ack 1"), "F. 1:1 ack 1");
    assert_eq!(solo.state(), "FIN-WAIT-1");
}

/// 2.2.1: what counts as unread.
#[test]
fn unread_data_at_close() {
    // Partly read counts, wholly read does not, out of order does not.
    both(
        &[],
        "< P. 1 10 ack 1 -> . 1:1 ack 11
         recv -> 10
         < P. 21 10 ack 1 -> . 1:1 ack 11
         close -> F. 1:1 ack 11
         TCPAbortOnClose 0",
    );
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.rx("P. 1 10 ack 1");
        assert_eq!(solo.on(|k, cx| k.recv(fd, 4, cx)).0, Ok(4));
        assert_eq!(solo.close(fd), "R. 1:1 ack 11", "{release}");
    }
    // In CLOSE_WAIT with data before the FIN.
    both(
        &[],
        "< FP. 1 10 ack 1 ->
         close -> R. 1:1 ack 12
         TCPAbortOnClose 1
         EstabResets 1",
    );
    // A FIN alone is not unread.
    both(
        &[],
        "< F. 1 0 ack 1 ->
         close -> F. 1:1 ack 2
         state LAST-ACK",
    );
}

/// 2.3 c and 2.4 in each state.
#[test]
fn linger_zero_in_every_state() {
    for (before, close) in [
        ("", "R. 1:1 ack 1"),
        ("< F. 1 0 ack 1 ->", "R. 1:1 ack 2"),
        ("shut wr -> F. 1:1 ack 1", "R. 2:2 ack 1"),
        ("shut wr -> F. 1:1 ack 1\n < . 1 0 ack 2 ->", "R. 2:2 ack 1"),
        ("shut wr -> F. 1:1 ack 1\n < F. 1 0 ack 1 -> . 2:2 ack 2", "-"),
        ("< F. 1 0 ack 1 ->\n shut wr -> F. 1:1 ack 2", "-"),
    ] {
        let text = format!(
            "{before}
             linger 0 ->
             close -> {close}
             TCPAbortOnData 1
             state gone
             orphan 0"
        );
        both(&[], &text);
    }
}

/// The descriptor whose lingering close() has returned.
fn returned(solo: &mut Solo) -> Option<Fd> {
    std::iter::from_fn(|| solo.k.next_wake()).find(|w| w.1 == Ready::CLOSED).map(|w| w.0)
}

/// 12.23 and 2.3.3: close() with SO_LINGER > 0.
#[test]
fn a_lingering_close() {
    for release in Release::ALL {
        // Until the FIN is acknowledged ...
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::Linger(Some(2)), cx).unwrap());
        let (closed, sent) = solo.on(|k, cx| k.close(fd, cx));
        assert_eq!((closed, solo.show(&sent)), (Ok(Closed::Lingers), "F. 1:1 ack 1".into()));
        assert!(solo.wait(Span::millis(600)).iter().all(|s| s.1.flags.fin()));
        assert_eq!(returned(&mut solo), None, "{release}: it still waits");
        solo.rx(". 1 0 ack 2");
        assert_eq!(returned(&mut solo), Some(fd), "{release}");
        assert_eq!((solo.state(), solo.k.sockstat().tw), ("FIN-WAIT-2", 1));
        // ... or the time is over; nothing is aborted then.
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::Linger(Some(1)), cx).unwrap());
        solo.on(|k, cx| k.close(fd, cx)).0.unwrap();
        solo.wait(Span::millis(990));
        assert_eq!(returned(&mut solo), None);
        solo.wait(Span::millis(50));
        assert_eq!(returned(&mut solo), Some(fd), "{release}");
        assert_eq!((solo.state(), solo.k.sockstat().orphan), ("FIN-WAIT-1", 1));
        assert_eq!(solo.k.counters().sent(Cause::RstLingerZero), 0);
    }
}

/// Old peers: a RST one below rcv_nxt, in the states behind their FIN.
#[test]
fn a_rst_that_does_not_count_its_own_fin() {
    let text = "< F. 1 0 ack 1 ->
         wait 60ms -> . 1:1 ack 2
         < R 1 ->";
    one(Release::V6_18, &[], &format!("{text}\n state gone\n EstabResets 1"));
    one(Release::V3_10, &[], &format!("{text}\n state CLOSE-WAIT\n EstabResets 0"));
}

/// 12.21: a RST at the right edge of what we SACKed.
#[test]
fn a_rst_at_the_edge_of_what_we_sacked() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (listener, fd) = solo.accepted();
        solo.says(say("P. 200 3 ack 1"));
        let text = match release {
            Release::V6_18 => "< R 203 ->\n state gone\n EstabResets 1",
            Release::V3_10 => "< R 203 -> . 1:1 ack 1\n state ESTAB\n TCPChallengeACK 1",
        };
        play(&mut solo, listener, fd, text);
    }
}

/// What poll() would tell: once for each change, and nobody of a socket that no program holds.
#[test]
fn who_holds_a_socket_is_woken_once() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let listener = solo.listen(10);
    let woken = |solo: &mut Solo| std::iter::from_fn(|| solo.k.next_wake()).collect::<Vec<_>>();
    solo.syn();
    assert_eq!(woken(&mut solo), [], "a request is no connection yet");
    solo.rx(". 1 0 ack 1");
    assert_eq!(woken(&mut solo), [(listener, Ready::IN)]);
    let fd = solo.on(|k, cx| k.accept(listener, cx)).0.unwrap();
    solo.rx("P. 1 10 ack 1");
    solo.rx("P. 11 10 ack 1");
    assert_eq!(woken(&mut solo), [(fd, Ready(Ready::IN.0 | Ready::OUT.0))], "once for both");
    assert_eq!(woken(&mut solo), []);
    solo.rx("F. 21 0 ack 1");
    let ended = Ready(Ready::IN.0 | Ready::OUT.0 | Ready::RDHUP.0);
    assert_eq!(woken(&mut solo), [(fd, ended)]);
    solo.on(|k, cx| k.recv(fd, 100, cx)).0.unwrap();
    solo.close(fd);
    solo.rx(". 22 0 ack 2");
    assert_eq!(woken(&mut solo), [], "nobody is left to tell");
}

/// A RST ends everything that was to be done, while a program still holds the descriptor.
#[test]
fn nothing_is_due_after_a_reset() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let (listener, fd) = solo.accepted();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::KeepAlive(true), cx).unwrap());
        solo.on(|k, cx| k.send(fd, 1000, false, cx)).0.unwrap();
        solo.rx("P. 1 10 ack 1");
        assert!(solo.k.next_timer().is_some(), "{release}");
        solo.close(listener);
        solo.rx("R 11 0");
        assert_eq!(solo.k.next_timer(), None, "{release}");
        assert!(solo.wait(Span::secs(8000)).is_empty());
        assert_eq!(solo.close(fd), "-");
    }
}

/// connect() after a disconnect begins where the old numbers cannot reach: behind the largest window
/// that the peer ever offered.
#[test]
fn a_new_life_begins_behind_the_old_window() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let (fd, _) = solo.connect();
    solo.syn_ack();
    let old = solo.iss();
    solo.on(|k, cx| k.send(fd, 100, false, cx)).0.unwrap();
    let flow = solo.k.flow(fd).unwrap();
    solo.on(|k, cx| k.disconnect(fd, cx)).0.unwrap();
    let gone = solo.k.flow(fd).unwrap();
    assert_eq!((gone.saddr, gone.daddr, gone.dport), (Addr::ANY, Addr::ANY, 0));
    assert_eq!(solo.error(fd), i64::from(Errno::ECONNRESET.number()));
    let to = Endpoint::new(flow.daddr, flow.dport);
    assert_eq!(solo.on(|k, cx| k.connect(fd, to, cx)).0, Err(Errno::EINPROGRESS));
    // One for the SYN, 100 bytes, a window of 1000, and two.
    assert_eq!(solo.iss().wrapping_sub(old), 1 + 100 + 1000 + 2);
    // An address that bind() gave stays.
    let mut solo = Solo::new(Release::V6_18, &[]);
    let fd = solo.k.socket();
    solo.k.bind(fd, Endpoint::new(US.addr, 0)).unwrap();
    assert_eq!(solo.on(|k, cx| k.connect(fd, to, cx)).0, Err(Errno::EINPROGRESS));
    solo.on(|k, cx| k.disconnect(fd, cx)).0.unwrap();
    assert_eq!(solo.k.flow(fd).unwrap().saddr, US.addr);
}

/// An ACK of what was never sent: a RST only where the handshake is not through.
#[test]
fn an_ack_of_the_future() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    solo.connect();
    assert_eq!(solo.syn(), "S. 0:0 ack 1", "both open");
    let [(reset, cause)] = solo.hears(say(". 1 0 ack 50"))[..] else { panic!("one RST") };
    assert_eq!((reset.flags.rst(), cause), (true, Cause::RstSynRecvBadAck));
    let mut solo = Solo::new(Release::V6_18, &[]);
    let (_, other) = solo.accepted();
    assert_eq!(solo.close(other), "F. 1:1 ack 1");
    assert_eq!(solo.rx(". 1 0 ack 50"), ". 2:2 ack 1");
}

/// Without ACK, RST and SYN a segment is nothing, not even one to be answered with a challenge.
#[test]
fn a_segment_without_an_ack_is_ignored() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let (_, fd) = solo.accepted();
    solo.close(fd);
    assert_eq!(solo.rx("F 5000000 0"), "-");
    assert_eq!(solo.rx("F. 5000000 0 ack 1"), ". 2:2 ack 1");
}

/// tcp_fin_timeout above a minute: an orphan stays a socket for what is above, then it is a bucket.
#[test]
fn a_long_fin_timeout_keeps_the_socket_for_a_while() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[("tcp_fin_timeout", "100")]);
        let (_, fd) = solo.accepted();
        solo.close(fd);
        // What the FIN found, and what comes after its ACK: both wait for 40 s.
        solo.rx(". 1 0 ack 2");
        let seen = |solo: &Solo| (solo.k.sockstat().orphan, solo.k.sockstat().tw);
        solo.wait(Span::millis(39_000));
        assert_eq!(seen(&solo), (1, 0), "{release}");
        solo.wait(Span::millis(3_000));
        assert_eq!(seen(&solo), (0, 1), "{release}");
        // The same where the ACK of the FIN had come before close().
        let mut solo = Solo::new(release, &[("tcp_fin_timeout", "100")]);
        let (_, fd) = solo.accepted();
        solo.on(|k, cx| k.shutdown(fd, How::Wr, cx)).0.unwrap();
        solo.rx(". 1 0 ack 2");
        solo.close(fd);
        solo.wait(Span::millis(39_000));
        assert_eq!(seen(&solo), (1, 0), "{release}");
        solo.wait(Span::millis(3_000));
        assert_eq!(seen(&solo), (0, 1), "{release}");
    }
}
