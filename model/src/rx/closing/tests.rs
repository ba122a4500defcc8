//! What an orphan does when its FIN is acknowledged, section 4.3.4 of the fact sheet.

use alloc::format;
use alloc::vec::Vec;

use super::{FinAcked, judge_fin_acked};
use crate::kernel::Kernel;
use crate::release::Release;
use crate::segment::Segment;
use crate::seq::Seq;
use crate::sink::Cx;
use crate::sock::Sock;
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::test_host::config;
use crate::text_table::{check, flags};
use crate::time::Instant;
use crate::timer::{Kind, timer_id};

const RCV_NXT: Seq = Seq(0xffff_fffe);

/// First match wins. `linger2` as stored, `time` is tcp_fin_time and a minute is 60000 ticks.
const TABLE: &str = "
flags seq  len linger2 time  verdict
# a: TCP_LINGER2 < 0, whatever the segment brings
.     0    0   -1      60000 reset linger2
F.    0    0   -1      60000 reset linger2
P.    0    10  -1      60000 reset linger2
# b: new data, or a FIN beyond rcv_nxt
P.    0    10  0       60000 reset data
P.    500  10  0       60000 reset data
P.    -5   10  0       60000 reset data
FP.   0    10  0       60000 reset data
F.    10   0   0       60000 reset data
P.    0    10  0       90000 reset data
P.    0    10  5000    5000  reset data
# old data, and a FIN exactly at rcv_nxt, are nothing new
P.    -10  10  0       60000 bucket 60000
P.    -20  10  0       60000 bucket 60000
F.    0    0   0       60000 await fin 60000
F.    -1   0   0       60000 await fin 60000
FP.   -10  10  0       60000 await fin 60000
# c: longer than a bucket may live: a full socket first
.     0    0   0       60001 keep 1
.     0    0   0       90000 keep 30000
F.    0    0   0       90000 keep 30000
.     0    0   90000   90000 keep 30000
# d: the FIN rides on the ACK
F.    0    0   0       5000  await fin 5000
# e: a bucket
.     0    0   0       60000 bucket 60000
.     0    0   0       700   bucket 700
.     0    0   5000    5000  bucket 5000
.     0    0   0       0     bucket 0
.     0    0   0       -5    bucket 0
.     9    0   0       60000 bucket 60000
";

#[test]
fn an_orphan_whose_fin_is_acknowledged() {
    check(TABLE, |_, row| {
        let mut sk = Sock::new(250, 131_072, 16_384);
        sk.rcv_nxt = RCV_NXT;
        sk.rare_mut().opt.linger2 = row.number("linger2").unwrap() as i32;
        let seg = Segment {
            seq: Seq(RCV_NXT.0.wrapping_add(row.number("seq").unwrap() as u32)),
            len: row.number("len").unwrap() as u16,
            flags: flags(row.get("flags")),
            ..Segment::default()
        };
        match judge_fin_acked(&sk, &seg, row.number("time").unwrap(), 60_000) {
            FinAcked::ResetLinger2 => "reset linger2".into(),
            FinAcked::ResetData => "reset data".into(),
            FinAcked::KeepSocket(rest) => format!("keep {rest}"),
            FinAcked::AwaitFin(time) => format!("await fin {time}"),
            FinAcked::Bucket(time) => format!("bucket {time}"),
        }
    });
}

/// A host that runs 6.18, and a socket of it.
fn host() -> (Kernel, SockId) {
    host_of(Release::V6_18)
}
fn host_of(release: Release) -> (Kernel, SockId) {
    let mut k = Kernel::new(&config(release));
    let id = k.new_sock();
    (k, id)
}

#[test]
fn a_window_keeps_a_segment_in_reserve_unless_it_is_small() {
    for (rcvbuf, clamp, left) in [(131_072, 100_000, 64_076), (5_000, 100_000, 2_500)] {
        let (mut k, id) = host();
        let sk = &mut k.socks[id];
        (sk.opt.rcvbuf, sk.window_clamp, sk.advmss) = (rcvbuf, clamp, 1460);
        k.init_buffer_space(id);
        assert_eq!(k.socks[id].window_clamp, left, "{rcvbuf} bytes");
    }
}

#[test]
fn keepalive_that_was_asked_for_early_begins() {
    for asked in [false, true] {
        let (mut k, id) = host();
        k.socks[id].opt.keep_alive = asked;
        k.begin_keepalive(id, Instant::ZERO);
        let timers = Kind::ALL.map(|kind| timer_id(id, kind)).into_iter();
        let due: Vec<u64> = timers.filter_map(|t| k.timers.expires(t)).map(|at| at.0).collect();
        let now = k.clock.jiffies(Instant::ZERO).0;
        let hours = if asked { alloc::vec![now + 7_200_000] } else { Vec::new() };
        assert_eq!(due, hours);
    }
}

#[test]
fn how_far_the_window_may_go_at_first() {
    // rcvbuf (half of it is window) and clamp before; clamp after, with segments of 1460.
    for (rcvbuf, clamp, after) in [
        (20_000, 100_000, 8_540),
        (20_000, 10_000, 8_540),
        (20_000, 8_541, 8_540),
        (20_000, 8_540, 8_540),
        (20_000, 5_000, 5_000),
        (20_000, 2_920, 2_920),
        (8_000, 100_000, 2_920),
        (5_000, 100_000, 2_500),
    ] {
        for (ssthresh, left) in [(2_000, 2_000), (50_000, after)] {
            let (mut k, id) = host();
            let sk = &mut k.socks[id];
            (sk.opt.rcvbuf, sk.window_clamp, sk.advmss) = (rcvbuf, clamp, 1460);
            sk.rcv_ssthresh = ssthresh;
            k.init_buffer_space(id);
            let sk = &k.socks[id];
            assert_eq!((sk.window_clamp, sk.rcv_ssthresh), (after, left), "{rcvbuf} {clamp}");
        }
    }
}

#[test]
fn the_first_guess_of_the_peers_segments() {
    for (advmss, mss_cache, rcv_wnd, guess) in [
        (1460, 1460, 64_240, 536),
        (1460, 1460, 600, 300),
        (1460, 1460, 100, 88),
        (400, 1460, 64_240, 400),
        (1460, 300, 64_240, 300),
    ] {
        let (mut k, id) = host();
        let sk = &mut k.socks[id];
        (sk.advmss, sk.mss_cache, sk.rcv_wnd) = (advmss, mss_cache, rcv_wnd);
        k.initialize_rcv_mss(id);
        assert_eq!(k.socks[id].ack.rcv_mss, guess, "{advmss} {mss_cache} {rcv_wnd}");
    }
}

/// A SYN or SYN-ACK that was lost leaves one segment to begin with, unless 6.18 has found out that
/// nothing was lost after all.
#[test]
fn a_lost_handshake_makes_the_beginning_slow() {
    for (release, undo, sent_again, cwnd) in [
        (Release::V6_18, false, 0, 10),
        (Release::V6_18, true, 0, 10),
        (Release::V6_18, true, 1, 10),
        (Release::V6_18, true, 2, 1),
        (Release::V6_18, false, 2, 10),
        (Release::V3_10, false, 1, 10),
        (Release::V3_10, false, 2, 1),
    ] {
        let (mut k, id) = host_of(release);
        let sk = &mut k.socks[id];
        (sk.undo, sk.total_retrans) = (undo, sent_again);
        k.init_transfer(id);
        assert_eq!(k.socks[id].snd_cwnd, cwnd, "{release} {undo} {sent_again}");
    }
}

#[test]
fn the_ack_of_a_syn_ack_settles_the_connection() {
    for timestamps in [false, true] {
        let (mut k, id) = host();
        let mut cx = Cx { now: Instant::ZERO, sink: &mut crate::sink::Quiet };
        k.set_state(id, TcpState::SynRecv, &mut cx);
        let sk = &mut k.socks[id];
        (sk.tstamp_ok, sk.advmss, sk.snd_wscale) = (timestamps, 1460, 3);
        let ack = Segment { ack: Seq(77), win: 1000, flags: flags("."), ..Segment::default() };
        k.establish(id, &ack, &mut cx);
        let sk = &k.socks[id];
        assert_eq!(sk.advmss, if timestamps { 1448 } else { 1460 }, "timestamps take their room");
        assert_eq!((sk.snd_una, sk.snd_wnd, sk.pred_win), (Seq(77), 8_000, Some(1_000)));
    }
}
