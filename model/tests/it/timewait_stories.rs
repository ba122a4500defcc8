//! The bucket table, full and free: the golden traces of the fact sheet, section 12.

use finwait_model::counters::Mib;
use finwait_model::release::Release;
use finwait_model::state::TcpState;
use finwait_model::time::Span;

use crate::pair::End::{C, S};
use crate::pair::Pair;

fn closes(release: Release, limit: &str, peer_after: Span) -> (u64, u64) {
    let mut pair = Pair::with(release, &[("tcp_max_tw_buckets", limit)], &[]);
    let listener = pair.listen(10);
    for _ in 0..5 {
        let (c, s) = pair.connect_to(listener);
        pair.send(C, c, 50);
        pair.run(Span::millis(1));
        let _ = pair.recv(S, s);
        pair.send(S, s, 50);
        pair.run(Span::millis(1));
        let _ = pair.recv(C, c);
        pair.close(C, c);
        pair.run(peer_after);
        pair.close(S, s);
        pair.run(Span::millis(100));
    }
    (pair.mib(C, Mib::OutRsts), pair.mib(C, Mib::TCPTimeWaitOverflow))
}

#[test]
fn the_forty_millisecond_law() {
    for release in Release::ALL {
        assert_eq!(closes(release, "0", Span::millis(5)), (0, 5), "{release}: FIN carries the ACK");
        assert_eq!(closes(release, "0", Span::millis(30)), (0, 5), "{release}");
        assert_eq!(closes(release, "0", Span::millis(50)), (5, 5), "{release}: FIN after the ACK");
        assert_eq!(closes(release, "100", Span::millis(50)), (0, 0), "{release}: room");
    }
}

#[test]
fn a_refused_bucket_skips_fin_wait_2() {
    let mut pair = Pair::with(Release::V6_18, &[("tcp_max_tw_buckets", "0")], &[]);
    let (c, s) = pair.connect();
    let at = pair.log.len();
    pair.close(C, c);
    pair.run(Span::millis(20));
    assert_eq!(pair.hosts[0].state_counts()[TcpState::FinWait2 as usize], 0);
    pair.close(S, s);
    pair.run(Span::millis(20));
    assert_eq!(pair.line(at), "C F. 1:1 ack 1 · S . 1:1 ack 2 · S F. 1:1 ack 2 · C R 2:2");
    assert!(pair.ladder(at).contains("[rst-no-socket]"));
}

#[test]
fn lifetimes_follow_fin_timeout_only_in_fin_wait_2() {
    for (timeout, tw, orphan, name) in
        [("20", 1, 0, "timewait"), ("60", 1, 0, "timewait"), ("90", 0, 1, "keepalive")]
    {
        let mut pair = Pair::with(Release::V6_18, &[("tcp_fin_timeout", timeout)], &[]);
        let (c, _s) = pair.connect();
        pair.close(C, c);
        pair.run(Span::millis(100));
        let stat = pair.hosts[0].sockstat();
        assert_eq!((stat.tw, stat.orphan), (tw, orphan), "fin_timeout {timeout}");
        let rows = pair.hosts[0].rows(pair.now);
        assert_eq!(rows[0].state, TcpState::FinWait2);
        let timer = rows[0].timer.unwrap();
        assert_eq!(timer.name, name);
        let left = if timeout == "90" { 29 } else { timeout.parse::<u64>().unwrap() - 1 };
        assert_eq!(timer.left.ns / 1_000_000_000, left, "{timer:?}");
    }
}

#[test]
fn a_bucket_lives_sixty_seconds_and_a_granule() {
    let mut pair = Pair::new(Release::V6_18);
    let (c, s) = pair.connect();
    pair.close(C, c);
    pair.run(Span::millis(10));
    pair.close(S, s);
    pair.run(Span::secs(60));
    assert_eq!(pair.hosts[0].sockstat().tw, 1);
    pair.run(Span::millis(2100));
    assert_eq!(pair.hosts[0].sockstat().tw, 0);
}
