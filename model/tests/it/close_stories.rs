//! Closes between two hosts: the ladders of a live 6.18 (fact sheet, section L).

use finwait_model::counters::Mib;
use finwait_model::kernel::SockOpt;
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::pair::End::{C, S};
use crate::pair::Pair;

fn fresh() -> Pair {
    Pair::new(Release::V6_18)
}

#[test]
fn l1_open() {
    let mut pair = fresh();
    pair.connect();
    assert_eq!(pair.line(0), "C S 0:0 · S S. 0:0 ack 1 · C . 1:1 ack 1");
    let wins: Vec<u16> = pair.log.iter().map(|l| l.2.win).collect();
    assert_eq!(wins, [64240, 65160, 63]);
    assert_eq!(pair.mib(C, Mib::ActiveOpens), 1);
    assert_eq!(pair.mib(C, Mib::OutSegs), 2);
    assert_eq!(pair.mib(C, Mib::TCPDelivered), 1);
    assert_eq!(pair.mib(S, Mib::PassiveOpens), 1);
    assert_eq!(pair.mib(S, Mib::InSegs), 2);
    assert_eq!(pair.mib(S, Mib::TCPPureAcks), 1);
    assert_eq!((pair.mib(C, Mib::CurrEstab), pair.mib(S, Mib::CurrEstab)), (1, 1));
}

#[test]
fn l2_fresh_connection_closed_by_the_client() {
    let mut pair = fresh();
    let (c, _s) = pair.connect();
    let at = pair.log.len();
    pair.close(C, c);
    pair.run(Span::secs(1));
    assert_eq!(pair.line(at), "C F. 1:1 ack 1 · S . 1:1 ack 2");
    assert_eq!(pair.mib(C, Mib::TW), 1);
    assert_eq!(pair.mib(S, Mib::DelayedACKs), 1);
    assert_eq!(pair.mib(S, Mib::CurrEstab), 1);
    assert_eq!(pair.hosts[0].sockstat().tw, 1);
    assert_eq!(pair.hosts[0].sockstat().orphan, 0);
}

#[test]
fn l3_a_close_within_the_tick_carries_the_ack() {
    let mut pair = fresh();
    let (c, s) = pair.connect();
    let at = pair.log.len();
    pair.close(C, c);
    pair.run(Span::micros(60));
    pair.close(S, s);
    pair.run(Span::secs(1));
    assert_eq!(pair.line(at), "C F. 1:1 ack 1 · S F. 1:1 ack 2 · C . 2:2 ack 2");
    assert_eq!(pair.mib(S, Mib::DelayedACKs), 0);
}

#[test]
fn l5_data_then_close() {
    let mut pair = fresh();
    let (c, _s) = pair.connect();
    let at = pair.log.len();
    pair.send(C, c, 100);
    pair.close(C, c);
    pair.run(Span::secs(1));
    assert_eq!(
        pair.line(at),
        "C P. 1:101 ack 1 · C F. 101:101 ack 1 · S . 1:1 ack 101 · S . 1:1 ack 102",
        "{}",
        pair.ladder(at)
    );
}

#[test]
fn l6_request_response_server_closes_first() {
    let mut pair = fresh();
    let (c, s) = pair.connect();
    let at = pair.log.len();
    pair.send(C, c, 50);
    pair.run(Span::micros(300));
    assert_eq!(pair.recv(S, s), Ok(50));
    pair.send(S, s, 300);
    pair.run(Span::micros(200));
    pair.close(S, s);
    pair.run(Span::millis(5));
    assert_eq!(pair.recv(C, c), Ok(300));
    pair.close(C, c);
    pair.run(Span::secs(1));
    assert_eq!(
        pair.line(at),
        "C P. 1:51 ack 1 · S . 1:1 ack 51 · S P. 1:301 ack 51 · C . 51:51 ack 301 · \
         S F. 301:301 ack 51 · C F. 51:51 ack 302 · S . 302:302 ack 52",
        "{}",
        pair.ladder(at)
    );
    assert_eq!(pair.hosts[1].sockstat().tw, 1);
}

#[test]
fn l8_half_close() {
    let mut pair = fresh();
    let (c, s) = pair.connect();
    let at = pair.log.len();
    pair.on(C, |k, cx| k.shutdown(c, finwait_model::kernel::How::Wr, cx)).unwrap();
    pair.run(Span::millis(20));
    pair.send(S, s, 10);
    pair.run(Span::millis(20));
    pair.close(S, s);
    pair.run(Span::millis(20));
    assert_eq!(
        pair.line(at),
        "C F. 1:1 ack 1 · S . 1:1 ack 2 · S P. 1:11 ack 2 · C . 2:2 ack 11 · \
         S F. 11:11 ack 2 · C . 2:2 ack 12",
        "{}",
        pair.ladder(at)
    );
}

#[test]
fn l11_unread_data_is_reset() {
    let mut pair = fresh();
    let (c, s) = pair.connect();
    pair.send(S, s, 10);
    pair.run(Span::millis(1));
    let at = pair.log.len();
    pair.close(C, c);
    pair.run(Span::secs(1));
    assert_eq!(pair.line(at), "C R. 1:1 ack 11");
    assert!(pair.log[at].2.options.ts.is_some());
    assert_eq!(pair.mib(C, Mib::TCPAbortOnClose), 1);
    assert_eq!(pair.mib(C, Mib::EstabResets), 1);
    assert_eq!(pair.mib(S, Mib::EstabResets), 1);
}

#[test]
fn fin_retransmission_schedule_of_an_orphan() {
    let mut pair = fresh();
    let (c, _s) = pair.connect();
    let at = pair.log.len();
    pair.lose = |end, seg, _| end == C && seg.flags.fin();
    pair.close(C, c);
    pair.run(Span::secs(200));
    let times: Vec<u64> =
        pair.log[at..].iter().map(|l| (l.0 - pair.log[at].0).ns / 1_000_000).collect();
    // Fact sheet E7: .207 (TLP), .415, .847, 1.68, 3.34, 6.86, 13.5, 26.8, 53.5.
    let want = [0, 207, 415, 847, 1680, 3340, 6860, 13500, 26800, 53500];
    assert_eq!(times.len(), want.len(), "{}", pair.ladder(at));
    for (got, want) in times.iter().zip(want) {
        // Where the run begins on the wheel's granules moves each by up to one granule.
        assert!(got.abs_diff(want) <= 16 + want / 40, "{times:?}");
    }
    assert_eq!(pair.mib(C, Mib::TCPTimeouts), 9);
    assert_eq!(pair.mib(C, Mib::RetransSegs), 9);
    assert_eq!(pair.mib(C, Mib::TCPLossProbes), 1);
    assert_eq!(pair.mib(C, Mib::TCPAbortOnTimeout), 1);
    assert_eq!(pair.mib(C, Mib::TCPLostRetransmit), 7);
    assert_eq!(pair.mib(C, Mib::OutRsts), 0);
    assert_eq!(pair.hosts[0].sockstat().orphan, 0);
}

#[test]
fn blocking_close_returns_when_the_fin_is_acked() {
    let mut pair = fresh();
    let (c, _s) = pair.connect();
    pair.on(C, |k, cx| k.setsockopt(c, SockOpt::Linger(Some(2)), cx)).unwrap();
    pair.close(C, c);
    assert_eq!(pair.hosts[0].sockstat().orphan, 0, "nobody's yet");
    pair.run(Span::secs(1));
    let (fd, ready) = pair.hosts[0].next_wake().expect("close() returned");
    assert_eq!((fd, ready), (c, finwait_model::kernel::Ready::CLOSED));
    assert_eq!(pair.hosts[0].sockstat().tw, 1);
}

#[test]
fn l4_a_server_that_closes_at_end_of_file() {
    let mut pair = fresh();
    let (c, s) = pair.connect();
    let at = pair.log.len();
    pair.close(C, c);
    pair.run(Span::micros(50));
    assert_eq!(pair.recv(S, s), Ok(0));
    pair.run(Span::micros(300));
    pair.close(S, s);
    pair.run(Span::secs(1));
    assert_eq!(pair.line(at), "C F. 1:1 ack 1 · S F. 1:1 ack 2 · C . 2:2 ack 2");
}

#[test]
fn l7_the_last_ack_of_an_idle_client_is_delayed() {
    let mut pair = fresh();
    let (c, s) = pair.connect();
    let at = pair.log.len();
    pair.send(C, c, 50);
    pair.run(Span::micros(300));
    assert_eq!(pair.recv(S, s), Ok(50));
    pair.send(S, s, 300);
    pair.run(Span::micros(200));
    pair.close(S, s);
    pair.run(Span::secs(1));
    assert_eq!(
        pair.line(at),
        "C P. 1:51 ack 1 · S . 1:1 ack 51 · S P. 1:301 ack 51 · C . 51:51 ack 301 · \
         S F. 301:301 ack 51 · C . 51:51 ack 302",
        "{}",
        pair.ladder(at)
    );
    let [.., fin, ack] = &pair.log[..] else { unreachable!() };
    let ms = (ack.0 - fin.0).ns / 1_000_000;
    assert!((40..=44).contains(&ms), "{ms} ms");
}

/// Small writes and a close against a receiver that delays its ACKs: the tail is probed at once.
#[test]
fn l9_a_probe_of_data_and_fin() {
    let mut pair = fresh();
    let (c, s) = pair.connect();
    pair.on(S, |k, cx| k.setsockopt(s, SockOpt::QuickAck(0), cx)).unwrap();
    let at = pair.log.len();
    for _ in 0..4 {
        pair.send(C, c, 10);
    }
    pair.run(Span::micros(50));
    pair.close(C, c);
    pair.run(Span::millis(100));
    assert_eq!(
        pair.line(at),
        "C P. 1:11 ack 1 · C FP. 11:41 ack 1 · C FP. 11:41 ack 1 · S . 1:1 ack 42 sack 11:42",
        "{}",
        pair.ladder(at)
    );
    let probe = (pair.log[at + 2].0 - pair.log[at + 1].0).ns / 1_000_000;
    assert!((2..=8).contains(&probe), "{probe} ms");
}
