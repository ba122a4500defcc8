//! Lost data, shut windows and what ends them: D2, D6 and L13 of the companion sheet.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::kernel::{Fd, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::pair::End::{C, S};
use crate::pair::Pair;
use crate::solo::{PEER, Solo};
use crate::trace::both;

fn causes(pair: &Pair, from: usize) -> Vec<Cause> {
    pair.log[from..].iter().map(|l| l.3).collect()
}

/// One of ten segments is lost: three duplicates bring it back without waiting for a timer.
#[test]
fn fast_retransmit() {
    for release in Release::ALL {
        for sack in ["1", "0"] {
            let sets = [("tcp_sack", sack)];
            let mut pair = Pair::with(release, &sets, &sets);
            let (c, s) = pair.connect();
            let at = pair.log.len();
            pair.lose = |end, seg, n| end == C && seg.len > 0 && n < 6;
            pair.on(C, |k, cx| k.setsockopt(c, SockOpt::NoDelay(true), cx)).unwrap();
            pair.send(C, c, 14_000);
            pair.lose = |_, _, _| false;
            pair.run(Span::millis(100));
            assert_eq!(pair.recv(S, s), Ok(14_000), "{release} {sack}\n{}", pair.ladder(at));
            let causes = causes(&pair, at);
            assert!(
                causes.contains(&Cause::FastRetransmit),
                "{release} tcp_sack {sack}\n{}",
                pair.ladder(at)
            );
            assert_eq!(pair.mib(C, Mib::TCPTimeouts), 0);
            assert!(pair.mib(C, Mib::TCPFastRetrans) > 0);
            let counted = if sack == "1" { Mib::TCPSackRecovery } else { Mib::TCPRenoRecovery };
            assert_eq!(pair.mib(C, counted), 1, "{release} tcp_sack {sack}");
        }
    }
}

/// All ten are lost: after the timeout, ACKs make room for the rest.
#[test]
fn slow_start_after_a_timeout() {
    for release in Release::ALL {
        let sets = [("tcp_sack", "0")];
        let mut pair = Pair::with(release, &sets, &sets);
        let (c, s) = pair.connect();
        let at = pair.log.len();
        pair.lose = |end, seg, _| end == C && seg.len > 0;
        pair.send(C, c, 14_000);
        pair.lose = |_, _, _| false;
        pair.run(Span::secs(3));
        assert_eq!(pair.recv(S, s), Ok(14_000), "{release}\n{}", pair.ladder(at));
        let causes = causes(&pair, at);
        assert!(causes.contains(&Cause::DataRetransmit), "{release}\n{}", pair.ladder(at));
        assert!(causes.contains(&Cause::SlowStartRetransmit), "{release}\n{}", pair.ladder(at));
        assert!(pair.mib(C, Mib::TCPSlowStartRetrans) > 0, "{release}");
    }
}

/// One of two is lost: RACK waits a quarter of a round trip for it, then its timer sends it again.
#[test]
fn rack_waits_for_what_may_be_reordered() {
    let mut pair = Pair::with(Release::V6_18, &[], &[]);
    let (c, s) = pair.connect();
    let at = pair.log.len();
    pair.lose = |end, seg, _| end == C && seg.len > 0 && !seg.flags.psh();
    pair.send(C, c, 2_800);
    pair.lose = |_, _, _| false;
    pair.run(Span::millis(150));
    assert_eq!(pair.recv(S, s), Ok(2_800), "{}", pair.ladder(at));
    assert!(causes(&pair, at).contains(&Cause::RackRetransmit), "{}", pair.ladder(at));
}

/// Out of order, with a hole, and the hole filled: D2.3.
#[test]
fn a_hole_in_the_data() {
    both(
        &[],
        "< P. 11 10 ack 1 -> . 1:1 ack 1
         TCPOFOQueue 1
         < F. 21 0 ack 1 -> . 1:1 ack 1
         state ESTAB
         # what fills the hole brings the FIN with it
         < P. 1 10 ack 1 -> . 1:1 ack 22
         state CLOSE-WAIT
         recv -> 20
         recv -> 0",
    );
}

/// D2.2: a complete retransmission is answered at once.
#[test]
fn old_data_again() {
    both(
        &[],
        "< P. 1 10 ack 1 -> . 1:1 ack 11
         < P. 1 10 ack 1 -> . 1:1 ack 11
         DelayedACKLost 1
         # half old, half new
         < P. 6 10 ack 1 -> . 1:1 ack 16
         recv -> 15",
    );
}

/// A listener with a small receive buffer, and the window full.
fn full_window(release: Release) -> (Solo, Fd, i64) {
    let mut solo = Solo::new(release, &[("tcp_rmem", "4096 8192 8192")]);
    let (_, fd) = solo.accepted();
    let mut next = 1;
    loop {
        let room = solo.edge - next;
        if room <= 0 {
            return (solo, fd, next);
        }
        let len = room.min(1000);
        solo.rx(&format!("P. {next} {len} ack 1"));
        next += len;
        solo.wait(Span::millis(250));
    }
}

#[test]
fn data_for_a_shut_window() {
    for release in Release::ALL {
        let (mut solo, fd, next) = full_window(release);
        let seg = solo.segment(crate::solo::say(&format!("P. {next} 10 ack 1")));
        let sent = solo.on(|k, cx| k.rx(&seg, cx)).1;
        assert_eq!(sent.len(), 1, "{release}");
        // 6.18 refuses at the gate what sticks out of the window over unread data.
        let cause = match release {
            Release::V3_10 => Cause::AckZeroWindow,
            Release::V6_18 => Cause::AckOutOfWindow,
        };
        assert_eq!((sent[0].1, sent[0].0.win), (cause, 0));
        // A bare FIN is taken by 6.18, refused by 3.10.
        let seg = solo.segment(crate::solo::say(&format!("F. {next} 0 ack 1")));
        let sent = solo.on(|k, cx| k.rx(&seg, cx)).1;
        let taken = release == Release::V6_18;
        assert_eq!(solo.state(), if taken { "CLOSE-WAIT" } else { "ESTAB" }, "{release}");
        assert_eq!(sent.is_empty(), taken);
        assert!(solo.on(|k, cx| k.recv(fd, 100_000, cx)).0.is_ok());
    }
}

/// Reading opens the window, and the peer hears of it.
#[test]
fn a_window_update() {
    for release in Release::ALL {
        let (mut solo, fd, next) = full_window(release);
        let sent = solo.on(|k, cx| k.recv(fd, 100_000, cx)).1;
        assert_eq!(sent.len(), 1, "{release}");
        assert_eq!(sent[0].1, Cause::AckWindowUpdate);
        assert!(sent[0].0.win > 0);
        assert_eq!(solo.show(&sent), format!(". 1:1 ack {next}"));
    }
}

/// Close in CLOSE_WAIT, the FIN still unsent, linger 0: 2.4.3 of the fact sheet.
#[test]
fn disconnect_with_an_unsent_fin() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.win = 0;
        let (listener, fd) = solo.accepted();
        let text = "< F. 1 0 ack 1 ->
             wait 60ms -> . 1:1 ack 2
             send 10 ->
             shut wr ->
             state LAST-ACK
             linger 0 ->
             close -> R. 1:1 ack 2
             TCPAbortOnData 1
             EstabResets 0
             state gone";
        crate::trace::play(&mut solo, listener, fd, text);
        assert_eq!(solo.k.counters().sent(Cause::RstDisconnectUnsent), 1, "{release}");
    }
    // All sent: no RST (2.4.4).
    both(
        &[],
        "< F. 1 0 ack 1 ->
         wait 60ms -> . 1:1 ack 2
         shut wr -> F. 1:1 ack 2
         linger 0 ->
         close ->
         TCPAbortOnData 1
         OutRsts 0
         state gone",
    );
}

/// Nobody answers the SYN-ACK of a simultaneous open: it goes again.
#[test]
fn the_syn_ack_of_a_simultaneous_open_is_retransmitted() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        let fd = solo.k.socket();
        solo.call(|k, cx| k.connect(fd, PEER, cx));
        assert_eq!(solo.syn(), "S. 0:0 ack 1");
        let sent = solo.wait(Span::millis(1100));
        assert_eq!(sent.len(), 1, "{release}");
        assert_eq!(sent[0].2, Cause::SynAckRetransmit);
        assert_eq!(solo.show(&[(sent[0].1, sent[0].2)]), "S. 0:0 ack 1");
    }
}

/// L13: data that the peer refuses for want of window is sent again and again, and the fatal
/// count does not run; when the peer reads, all goes with the FIN.
#[test]
fn l13_a_fin_behind_a_window_that_shuts() {
    let sets = [("tcp_rmem", "4096 8192 8192")];
    let mut pair = Pair::with(Release::V6_18, &[], &sets);
    let (c, s) = pair.connect();
    pair.send(C, c, 20_000);
    pair.run(Span::secs(3));
    pair.close(C, c);
    pair.run(Span::secs(3));
    let stat = pair.hosts[0].sockstat();
    assert_eq!(stat.orphan, 1);
    let mut read = 0;
    for _ in 0..40 {
        if let Ok(n) = pair.recv(S, s) {
            read += n;
        }
        pair.run(Span::secs(3));
    }
    assert_eq!(read, 20_000, "{}", pair.ladder(0));
    assert_eq!(pair.hosts[0].sockstat().orphan, 0);
}
