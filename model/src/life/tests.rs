//! What a bucket inherits, and where the limits of orphans lie, to the tick.

use alloc::vec::Vec;

use super::*;
use crate::kernel::Config;
use crate::release::Release;
use crate::segment::Segment;
use crate::sysctl::Sysctl;
use crate::test_host::config;
use crate::time::{Instant, Span};

/// The causes of what leaves.
#[derive(Default)]
struct Left(Vec<Cause>);

impl Sink for Left {
    fn transmit(&mut self, _: &Segment, cause: Cause) {
        self.0.push(cause);
    }
    fn note(&mut self, _: impl FnOnce() -> Note) {}
}

/// A host with a thousand ticks a second.
fn host(orphans: &str) -> Kernel {
    let mut sysctl = Sysctl::new(Release::V6_18);
    sysctl.set("net.ipv4.tcp_max_orphans", orphans).unwrap();
    Kernel::new(&Config { sysctl, ..config(Release::V6_18) })
}

#[test]
fn a_bucket_inherits_each_claim_to_its_port() {
    let mut k = host("100");
    for claims in 0..8_u8 {
        let id = k.new_sock();
        let sk = &mut k.socks[id];
        (sk.opt.reuse_addr, sk.opt.reuse_port) = (claims & 1 != 0, claims & 2 != 0);
        sk.port_explicit = claims & 4 != 0;
        let owner = k.bucket_of(id, TcpState::TimeWait, Jiffies(60_000), Instant::ZERO).owner;
        let has = |bit| owner & bit != 0;
        assert_eq!(has(TimeWait::REUSE_ADDR), claims & 1 != 0, "{claims}");
        assert_eq!(has(TimeWait::REUSE_PORT), claims & 2 != 0, "{claims}");
        assert_eq!(has(TimeWait::EXPLICIT_PORT), claims & 4 != 0, "{claims}");
    }
}

#[test]
fn orphans_are_counted_ten_times_a_second() {
    let mut k = host("100");
    for (now, count, seen) in [(1000, 5, 5), (1050, 7, 5), (1099, 8, 5), (1100, 9, 9), (1250, 2, 2)]
    {
        k.refresh_orphan_cache(Jiffies(now), count);
        assert_eq!(k.orphan_cache.0, seen, "at tick {now}");
    }
}

/// Two orphans, and a timer of one finds that nothing was sent for so many ticks: is it gone, and
/// with a RST?
fn timer_of_an_orphan(quiet: u64, do_reset: bool, limit: &str) -> (bool, bool) {
    timer_of(quiet, do_reset, limit, |sk| sk.snd_wnd = 1000)
}

/// The same, of an orphan to which something else has happened.
fn timer_of(quiet: u64, do_reset: bool, limit: &str, has: fn(&mut Sock)) -> (bool, bool) {
    let mut k = host(limit);
    let now = Instant::ZERO + Span::secs(10_000);
    let id = k.new_sock();
    let mut left = Left::default();
    let mut cx = Cx { now, sink: &mut left };
    k.set_state(id, TcpState::FinWait1, &mut cx);
    let jiffies = k.clock.jiffies(now);
    let sk = &mut k.socks[id];
    sk.dead = true;
    has(sk);
    sk.lsndtime = (jiffies - Jiffies(quiet)).stamp();
    k.orphans = 2;
    let gone = k.out_of_resources(id, do_reset, &mut cx);
    assert_eq!(gone, k.orphans == 1);
    (gone, left.0.contains(&Cause::RstOrphanLimitTimer))
}

#[test]
fn an_orphan_that_was_quiet_for_long_counts_twice() {
    let twice = 2 * host("3").rto_max().0;
    assert_eq!(timer_of_an_orphan(twice, true, "3"), (false, false));
    assert_eq!(timer_of_an_orphan(twice + 1, true, "3"), (true, true));
    assert_eq!(
        timer_of_an_orphan(twice + 1, true, "4"),
        (false, false),
        "the limit itself is allowed"
    );
    assert_eq!(timer_of_an_orphan(0, true, "1"), (true, true));
}

#[test]
fn an_orphan_goes_with_a_rst_if_it_spoke_within_a_minute() {
    assert_eq!(timer_of_an_orphan(60_000, false, "3"), (true, true));
    assert_eq!(timer_of_an_orphan(60_001, false, "3"), (true, false));
}

#[test]
fn an_orphan_whose_peer_cannot_be_reached_counts_twice_again() {
    let soft: fn(&mut Sock) = |sk| sk.err_soft = Some(crate::errno::Errno::EHOSTUNREACH);
    let twice = 2 * host("3").rto_max().0;
    // Two orphans: four where it was quiet for long, where no RST is wanted, or because of the
    // error; eight for two of these.
    assert_eq!(timer_of(0, true, "4", soft), (false, false));
    assert_eq!(timer_of(0, true, "3", soft), (true, true));
    assert_eq!(timer_of(twice + 1, true, "8", soft), (false, false));
    assert_eq!(timer_of(twice + 1, true, "7", soft), (true, true));
    assert_eq!(timer_of(0, false, "7", soft), (true, true));
}

#[test]
fn a_quiet_orphan_goes_with_a_rst_if_its_peer_had_shut_the_window() {
    let shut: fn(&mut Sock) = |sk| sk.snd_wnd = 0;
    assert_eq!(timer_of(60_001, false, "3", shut), (true, true));
    // Not while something is on its way.
    let out: fn(&mut Sock) = |sk| (sk.snd_wnd, sk.packets_out) = (0, 1);
    assert_eq!(timer_of(60_001, false, "3", out), (true, false));
}

#[test]
fn an_orphan_waits_at_least_three_and_a_half_timeouts() {
    let mut k = host("100");
    let id = k.new_sock();
    for (rto, linger2, ticks) in [
        (200, 0, 60_000),
        (200, 1, 700),
        (200, 699, 700),
        (200, 701, 701),
        (201, 1, 704),
        (30_000, 0, 105_000),
    ] {
        let sk = &mut k.socks[id];
        (sk.rto, sk.rare_mut().opt.linger2) = (rto, linger2);
        assert_eq!(k.fin_time(id), ticks, "{rto} {linger2}");
    }
}

#[test]
fn only_what_stands_is_counted_as_established() {
    let mut k = host("100");
    let mut left = Left::default();
    let mut cx = Cx { now: Instant::ZERO, sink: &mut left };
    let (stands, fails) = (k.new_sock(), k.new_sock());
    k.set_state(stands, TcpState::Established, &mut cx);
    assert_eq!(k.counters.get(Mib::CurrEstab), 1);
    k.set_state(fails, TcpState::SynSent, &mut cx);
    k.set_state(fails, TcpState::Close, &mut cx);
    assert_eq!(k.counters.get(Mib::CurrEstab), 1);
    k.set_state(stands, TcpState::CloseWait, &mut cx);
    k.set_state(stands, TcpState::LastAck, &mut cx);
    assert_eq!(k.counters.get(Mib::CurrEstab), 0);
}

/// A connection that a disconnect ends is told of; a socket without one is not.
#[test]
fn a_disconnect_says_what_it_ended() {
    #[derive(Default)]
    struct Ended(Vec<TcpState>);
    impl Sink for Ended {
        fn transmit(&mut self, _: &Segment, _: Cause) {}
        fn note(&mut self, note: impl FnOnce() -> Note) {
            if let Note::Destroyed { state, .. } = note() {
                self.0.push(state);
            }
        }
    }
    let mut k = host("100");
    let mut ended = Ended::default();
    let mut cx = Cx { now: Instant::ZERO, sink: &mut ended };
    let id = k.new_sock();
    k.set_state(id, TcpState::SynSent, &mut cx);
    k.disconnect_sock(id, &mut cx);
    k.disconnect_sock(id, &mut cx);
    assert_eq!(ended.0, [TcpState::SynSent]);
}
