//! What a buffer is charged, and how far a window goes: every row was worked out by hand from the
//! kernel's rule, with the buffers of a TUN device (charges measured on 6.18).

use super::*;
use crate::release::Release;
use crate::test_host::config;

fn host(release: Release) -> (Kernel, SockId) {
    let mut k = Kernel::new(&config(release));
    let id = k.new_sock();
    (k, id)
}

#[test]
fn charges_are_those_of_a_live_tun_device() {
    for (payload, size) in [(10, 832), (100, 832), (200, 1280), (536, 1280), (1448, 2304)] {
        assert_eq!(truesize(payload + 52), size, "{payload} bytes");
    }
}

#[test]
fn a_head_leaves_room_behind_the_packet() {
    for (packet, room) in [(62, 130), (192, 0), (193, 447), (640, 0), (641, 1023)] {
        assert_eq!(tail_room(packet), room, "{packet} bytes");
    }
}

#[test]
fn a_window_may_go_as_far_as_its_options_say() {
    for (clamp, rcvbuf, locked, first) in [
        (0, 131_072, false, 65535 << 14),
        (0, 4_608, true, 2_304),
        (5_000, 131_072, false, 5_000),
        (5_000, 131_072, true, 5_000),
        (5_000, 4_608, true, 2_304),
    ] {
        let mut sk = Sock::new(1000, rcvbuf, 16_384);
        (sk.rare_mut().opt.window_clamp, sk.opt.rcvbuf_locked) = (clamp, locked);
        assert_eq!(sk.first_clamp(), first, "{clamp} {rcvbuf} {locked}");
    }
}

/// Charges, and what is left: `rmem`, memory at hand, room behind the last segment.
#[test]
fn segments_fill_a_buffer_and_readers_empty_it() {
    let mut sk = Sock::new(1000, 131_072, 16_384);
    let seen = |sk: &Sock| (sk.rmem, sk.rcv_reserve, sk.rcv_tail_room);
    // Memory is taken by the page.
    sk.charge(100, 32);
    assert_eq!(seen(&sk), (832, 4096 - 832, 40));
    // What fits behind it costs nothing; one byte more takes a buffer of its own.
    sk.charge(40, 32);
    assert_eq!(seen(&sk), (832, 4096 - 832, 0));
    sk.charge(1, 32);
    assert_eq!(seen(&sk), (1664, 4096 - 1664, 139));
    sk.charge(1448, 32);
    assert_eq!(seen(&sk), (3968, 128, 164));
    sk.charge(549, 32);
    assert_eq!(seen(&sk), (5248, 4096 + 128 - 1280, 39));
    // Half is read; then a part of nothing; then all.
    sk.uncharge(2138, 1069);
    assert_eq!(seen(&sk), (2624, 2944 + 2624, 39));
    sk.uncharge(0, 5);
    assert_eq!(seen(&sk), (2624, 2944 + 2624, 39));
    sk.uncharge(1069, 0);
    assert_eq!(seen(&sk), (0, 2944 + 5248, 0));
    // The buffer is empty: even a FIN alone takes one.
    sk.charge(0, 32);
    assert_eq!(seen(&sk), (832, 8192 - 832, 140));
    // 300 bytes are at hand: 4052 more are one page, not two.
    sk.rcv_reserve = 300;
    sk.charge(2_000, 32);
    assert_eq!(seen(&sk), (832 + 4352, 300 + 4096 - 4352, 4096 - 384 - 2_052));
    sk.rcv_nxt = crate::seq::Seq(77);
    sk.purge_receive_queue();
    assert_eq!((sk.rmem, sk.rcv_tail_room, sk.rcv_purged), (0, 0, Some(crate::seq::Seq(77))));
}

#[test]
fn header_prediction_wants_memory_at_hand() {
    let mut sk = Sock::new(1000, 131_072, 16_384);
    sk.rcv_reserve = 1280;
    // 140 + 32 + 20 is the largest packet of a head of 576 bytes, 588 + 52 that of one of 1024.
    for (payload, reserve, has) in [
        (10, 832, true),
        (10, 831, false),
        (140, 832, true),
        (140, 831, false),
        (141, 1279, false),
        (588, 1280, true),
        (589, 2303, false),
    ] {
        sk.rcv_reserve = reserve;
        assert_eq!(sk.has_memory_for(payload, 32), has, "{payload} {reserve}");
    }
}

#[test]
fn the_threshold_follows_the_clamp() {
    let (mut k, id) = host(Release::V6_18);
    // Clamp and threshold before, window offered; clamp asked for, and both after.
    for (clamp, ssthresh, wnd, asked, after) in [
        (60_000, 50_000, 30_000, 40_000, (40_000, 40_000)),
        (60_000, 20_000, 30_000, 40_000, (40_000, 20_000)),
        (60_000, 20_000, 30_000, 60_000, (60_000, 20_000)),
        (60_000, 20_000, 30_000, 70_000, (70_000, 30_000)),
        (20_000, 10_000, 30_000, 25_000, (25_000, 25_000)),
        (60_000, 40_000, 30_000, 70_000, (70_000, 40_000)),
        (60_000, 20_000, 30_000, 5, (1_152, 1_152)),
        (60_000, 65_000, 30_000, 60_000, (60_000, 65_000)),
    ] {
        let sk = &mut k.socks[id];
        (sk.window_clamp, sk.rcv_ssthresh, sk.rcv_wnd) = (clamp, ssthresh, wnd);
        k.set_window_clamp(id, asked);
        let sk = &k.socks[id];
        assert_eq!((sk.window_clamp, sk.rcv_ssthresh), after, "{clamp} {ssthresh} {asked}");
    }
}

/// A clamp that is in nobody's way.
const BIG: u32 = 1 << 21;

/// 64 KiB of a buffer of 128 KiB are window at first; `tcp_rmem`'s largest, 6 MiB (6.18), is 3 MiB.
#[test]
fn a_window_grows_with_what_leaves_room_for_more() {
    let (mut k, id) = host(Release::V6_18);
    k.sysctl.tcp_rmem[2] = 6_291_456;
    for (payload, ratio, ssthresh, clamp, rmem, grown) in [
        // Half the charge (2304) is less than the payload: two segments of ours.
        (1448, 128, 14_480, 65_536, 0, 2 * 1460),
        // 640 > 536: is a quarter of the charge (320) less, then by two of theirs (rcv_mss 1000)?
        (536, 128, 14_480, 65_536, 0, 2_000),
        // 416 > 100, and 208 and 104, too; 52 is not, and the window is 3 MiB / 8 then.
        (100, 128, 14_480, 65_536, 0, 2_000),
        (100, 128, 393_216, BIG, 0, 2_000),
        (100, 128, 393_217, BIG, 0, 0),
        (104, 128, 786_432, BIG, 0, 2_000),
        (104, 128, 786_433, BIG, 0, 0),
        // With its headers it takes a buffer of 1280, of which 80 is the first that is less.
        (150, 128, 393_216, BIG, 0, 2_000),
        (150, 128, 393_217, BIG, 0, 0),
        (320, 128, 1_572_864, BIG, 0, 2_000),
        (320, 128, 1_572_865, BIG, 0, 0),
        // At least twice what came.
        (1448, 200, 14_480, 65_536, 0, 2_896),
        // No further than the clamp, and than the buffer.
        (1448, 128, 65_000, 65_536, 0, 536),
        (1448, 128, 65_536, 65_536, 0, 0),
        (1448, 128, 60_000, 1 << 20, 10_000, 536),
    ] {
        let sk = &mut k.socks[id];
        sk.opt.rcvbuf = if clamp == BIG { 2 * BIG } else { 131_072 };
        (sk.scaling_ratio, sk.rcv_ssthresh, sk.window_clamp) = (ratio, ssthresh, clamp);
        (sk.rmem, sk.advmss, sk.ack.rcv_mss, sk.ack.quick) = (rmem, 1460, 1000, 4);
        k.grow_window(id, payload, 32);
        let sk = &k.socks[id];
        assert_eq!(sk.rcv_ssthresh - ssthresh, grown, "{payload} {ratio} {ssthresh}");
        // Whoever grows it asks for the next ACK at once.
        assert_eq!(sk.ack.quick, if grown > 0 { 5 } else { 4 }, "{payload} {ssthresh}");
    }
}

#[test]
fn a_full_segment_shows_the_share_of_payload() {
    // 1448 of 2304 bytes are 160 of 256, 150 of 1280 are 30; 3.10 does not learn.
    for (release, payload, ratio, clamp) in [
        (Release::V6_18, 1448, 160, 81_920),
        (Release::V6_18, 150, 30, 15_360),
        (Release::V3_10, 1448, 128, 65_536),
    ] {
        let (mut k, id) = host(release);
        let sk = &mut k.socks[id];
        sk.opt.rcvbuf = 131_072;
        (sk.scaling_ratio, sk.window_clamp) = (128, 65_536);
        k.learn_scaling_ratio(id, payload, 32);
        let sk = &k.socks[id];
        assert_eq!((sk.scaling_ratio, sk.window_clamp), (ratio, clamp), "{release}");
    }
}
