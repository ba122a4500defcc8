//! Retransmission of FIN and data, and when a connection gives up: section E of the companion
//! sheet, 9.6 of the fact sheet. `R` stands for the RTO at the first transmission.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::kernel::{Fd, How};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::pair::End::{C, S};
use crate::pair::Pair;
use crate::schedule::assert_schedule;

/// A connection with one RTT sample, so that the RTO is a little above 200 ms: R in ms.
fn measured(release: Release, sets: &[(&str, &str)]) -> (Pair, Fd, Fd, u64) {
    let mut pair = Pair::with(release, sets, sets);
    let (c, s) = pair.connect();
    let rto = pair.hosts[0].tcp_info(c, pair.now).unwrap().rto / 1000;
    let want = if release == Release::V3_10 { 201 } else { 204 };
    assert_eq!(rto, want, "{release}");
    (pair, c, s, u64::from(rto))
}

/// C's segments since `from`, all lost, until its socket is gone: their times since the first,
/// and when that was.
fn times_until_dead(pair: &mut Pair, from: usize) -> (Vec<Span>, Span) {
    let start = pair.log[from].0;
    while pair.hosts[0].sockstat().inuse > 0 {
        let next = pair.hosts[0].next_timer().expect("a live socket has a timer");
        pair.run(next - pair.now);
        assert!(pair.now - start < Span::secs(2000), "it dies some time");
    }
    let own = pair.log[from..].iter().filter(|l| l.1 == C);
    (own.map(|l| l.0 - start).collect(), pair.now - start)
}

/// FIN of an orphan, never answered.
fn orphan(release: Release, sets: &[(&str, &str)]) -> (Pair, Vec<Span>, Span, u64) {
    let (mut pair, c, _, rto) = measured(release, sets);
    pair.lose = |_, _, _| true;
    let from = pair.log.len();
    pair.close(C, c);
    let (times, dead) = times_until_dead(&mut pair, from);
    (pair, times, dead, rto)
}

fn assert_counts(pair: &Pair, counts: &[(Mib, u64)]) {
    for &(mib, count) in counts {
        assert_eq!(pair.mib(C, mib), count, "{mib:?}\n{}", pair.ladder(0));
    }
}

#[test]
fn e2_6_18_with_sack() {
    let new = Release::V6_18;
    let (pair, times, dead, r) = orphan(new, &[]);
    let mut ideal = vec![0];
    ideal.extend((0..9).map(|k| r << k));
    assert_schedule(new, &times, &ideal);
    assert_schedule(new, &[times[9], dead], &[r << 8, r << 9]);
    assert_counts(
        &pair,
        &[
            (Mib::RetransSegs, 9),
            (Mib::TCPTimeouts, 9),
            (Mib::TCPLossProbes, 1),
            (Mib::TCPAbortOnTimeout, 1),
            (Mib::TCPOrigDataSent, 1),
            (Mib::TCPLostRetransmit, 7),
            (Mib::OutRsts, 0),
            (Mib::EstabResets, 0),
        ],
    );
}

#[test]
fn e2_without_sack() {
    for release in Release::ALL {
        let (pair, times, dead, r) = orphan(release, &[("tcp_sack", "0")]);
        let mut ideal: Vec<u64> = (0..9).map(|k| r * ((1 << k) - 1)).collect();
        assert_schedule(release, &times, &ideal);
        ideal.push(r * 511);
        assert_schedule(release, &[times[8], dead], &ideal[8..]);
        let timeouts = if release == Release::V3_10 { 1 } else { 9 };
        assert_counts(&pair, &[(Mib::RetransSegs, 8), (Mib::TCPTimeouts, timeouts)]);
    }
}

/// 3.10 with SACK: the probe's timer runs but sends no bare FIN; the RTO begins anew.
#[test]
fn e2_3_10_with_sack() {
    let old = Release::V3_10;
    let (pair, times, dead, r) = orphan(old, &[]);
    let probe = 201; // 1.5 srtt + 200 ms, not later than the RTO
    let mut ideal = vec![0];
    ideal.extend((1..9).map(|k| probe + r * ((1 << k) - 1)));
    assert_schedule(old, &times, &ideal);
    assert_schedule(old, &[times[8], dead], &[ideal[8], probe + r * 511]);
    assert_counts(&pair, &[(Mib::RetransSegs, 8), (Mib::TCPLossProbes, 0)]);
}

#[test]
fn e3_orphan_retries() {
    // 6.18 with SACK: retries 1: .207 .415 .827 dead 1.77; 3: four more than the probe, dead 6.95.
    let new = Release::V6_18;
    for (retries, doublings) in [("1", 3), ("3", 5)] {
        let (pair, times, dead, r) = orphan(new, &[("tcp_orphan_retries", retries)]);
        let mut ideal = vec![0];
        ideal.extend((0..doublings).map(|k| r << k));
        assert_schedule(new, &times, &ideal);
        let last = *times.last().unwrap();
        assert_schedule(new, &[last, dead], &[r << (doublings - 1), r << doublings]);
        assert_counts(&pair, &[(Mib::RetransSegs, doublings), (Mib::TCPAbortOnTimeout, 1)]);
    }
    // Without SACK, 9.6.8: the n-th firing is fatal with r(2^n - 2) >= model(b).
    for (retries, sent, model) in [("1", 2, 600), ("2", 3, 1400)] {
        let (_, times, dead, r) =
            orphan(new, &[("tcp_orphan_retries", retries), ("tcp_sack", "0")]);
        assert_eq!(times.len() - 1, sent, "tcp_orphan_retries {retries}");
        assert!(dead.ns / 1_000_000 >= r + model, "{dead}");
    }
}

#[test]
fn e7_a_last_ack_orphan_is_no_different() {
    let new = Release::V6_18;
    let (mut pair, c, s, r) = measured(new, &[]);
    pair.close(S, s);
    pair.run(Span::millis(60));
    pair.lose = |_, _, _| true;
    let from = pair.log.len();
    pair.close(C, c);
    let (times, dead) = times_until_dead(&mut pair, from);
    assert_eq!(times.len(), 10, "{times:?}");
    assert_schedule(new, &[times[9], dead], &[r << 8, r << 9]);
    assert_counts(&pair, &[(Mib::TCPAbortOnTimeout, 1), (Mib::EstabResets, 0)]);
}

/// A shutdown's FIN on a socket that a program holds: tcp_retries2, 924.6 s.
#[test]
fn e7_a_live_socket_tries_for_a_quarter_of_an_hour() {
    let new = Release::V6_18;
    let (mut pair, c, _, r) = measured(new, &[]);
    pair.lose = |_, _, _| true;
    let from = pair.log.len();
    pair.on(C, |k, cx| k.shutdown(c, How::Wr, cx)).unwrap();
    let (times, dead) = times_until_dead(&mut pair, from);
    let mut ideal = vec![0];
    ideal.extend((0..10).map(|k| r << k));
    // Behind 104 s every gap is the largest RTO.
    while ideal.len() < 17 {
        ideal.push(ideal[ideal.len() - 1] + (r << 10).min(120_000).min(ideal[ideal.len() - 1]));
    }
    assert_schedule(new, &times, &ideal);
    assert!((925..945).contains(&(dead.ns / 1_000_000_000)), "{dead}");
    assert_counts(
        &pair,
        &[(Mib::RetransSegs, 16), (Mib::TCPTimeouts, 16), (Mib::TCPAbortOnTimeout, 1)],
    );
    assert_eq!(pair.recv(C, c), Err(Errno::ETIMEDOUT));
}

#[test]
fn e7_established_data_that_nobody_acknowledges() {
    for release in Release::ALL {
        let (mut pair, c, _, _) = measured(release, &[("tcp_retries2", "3")]);
        pair.lose = |_, _, _| true;
        let from = pair.log.len();
        pair.send(C, c, 100);
        let (_, dead) = times_until_dead(&mut pair, from);
        let ms = dead.ns / 1_000_000;
        assert!((3000..7200).contains(&ms), "{release}: {dead}");
        assert_counts(&pair, &[(Mib::EstabResets, 1), (Mib::TCPAbortOnTimeout, 1)]);
        assert_counts(&pair, &[(Mib::OutRsts, 0)]);
        assert_eq!(pair.recv(C, c), Err(Errno::ETIMEDOUT));
    }
}

/// D5.4, D6.4: data and FIN unacknowledged: a probe of the FIN after 2 srtt + 2 ms, then one
/// segment for both.
#[test]
fn e7_data_and_fin_become_one_segment() {
    let (mut pair, c, _, _) = measured(Release::V6_18, &[]);
    pair.lose = |_, _, _| true;
    let at = pair.log.len();
    pair.send(C, c, 100);
    pair.close(C, c);
    pair.run(Span::secs(2));
    let line = pair.line(at);
    assert!(
        line.starts_with(
            "C P. 1:101 ack 1 · C F. 101:101 ack 1 · C F. 101:101 ack 1 · C FP. 1:101 ack 1 · \
             C FP. 1:101 ack 1"
        ),
        "{}",
        pair.ladder(at)
    );
    let probe = (pair.log[at + 2].0 - pair.log[at].0).ns / 1_000_000;
    assert!((2..=8).contains(&probe), "{probe} ms");
    assert_eq!(pair.log[at + 2].3, Cause::TailLossProbe);
}

/// 3.10 sends no bare FIN as a probe.
#[test]
fn d6_5_no_probe_of_a_bare_fin_in_3_10() {
    let (mut pair, c, _, _) = measured(Release::V3_10, &[]);
    pair.lose = |_, _, _| true;
    let at = pair.log.len();
    pair.send(C, c, 100);
    pair.close(C, c);
    pair.run(Span::millis(190));
    assert_eq!(pair.line(at), "C P. 1:101 ack 1 · C F. 101:101 ack 1", "{}", pair.ladder(at));
}

/// 9.6.10: progress starts the doubling anew.
#[test]
fn progress_resets_the_backoff() {
    for release in Release::ALL {
        let (mut pair, c, _, _) = measured(release, &[("tcp_sack", "0")]);
        pair.lose = |end, seg, _| end == C && seg.len == 100;
        pair.send(C, c, 100);
        pair.run(Span::secs(2));
        assert!(pair.hosts[0].tcp_info(c, pair.now).unwrap().backoff >= 2);
        pair.lose = |_, _, _| false;
        pair.run(Span::secs(5));
        let info = pair.hosts[0].tcp_info(c, pair.now).unwrap();
        assert_eq!((info.backoff, info.retransmits), (0, 0), "{release}");
    }
}
