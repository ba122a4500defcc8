//! The tables: what is where, what it costs, and who may take whose port.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::bind::BindTable;
use super::buckets::Buckets;
use super::ehash::Ehash;
use super::slab::{Slab, reach};
use super::*;
use crate::flow::{Addr, Endpoint};
use crate::kernel::Config;
use crate::release::Release;
use crate::segment::Flags;
use crate::sink::{Cx, Quiet};
use crate::state::TcpState;
use crate::sysctl::Sysctl;
use crate::test_host::config;
use crate::time::{Instant, Jiffies};
use crate::timewait::TimeWait;

const HERE: Addr = Addr::v4(10, 0, 0, 2);
const THERE: Addr = Addr::v4(10, 0, 0, 1);

fn host(range: &str) -> Kernel {
    let mut sysctl = Sysctl::new(Release::V6_18);
    sysctl.set("net.ipv4.ip_local_port_range", range).unwrap();
    Kernel::new(&Config {
        sysctl,
        addrs: alloc::vec![HERE, Addr::v4(10, 0, 0, 3)],
        ..config(Release::V6_18)
    })
}

/// A socket whose four-tuple is the `n`th.
fn sock(k: &mut Kernel, n: u16) -> SockId {
    let id = k.new_sock();
    k.socks[id].flow = FourTuple::new(Endpoint::new(HERE, 80), Endpoint::new(THERE, n));
    id
}

/// A bucket as it is made of such a socket.
fn bucket(k: &mut Kernel, n: u16) -> TimeWait {
    let id = sock(k, n);
    k.bucket_of(id, TcpState::TimeWait, Jiffies(60_000), Instant::ZERO)
}

proptest! {
    /// Slots against a list of what lives: no item is lost, none is given out twice, and a handle
    /// of an earlier life is told from that of a later one.
    #[test]
    fn a_slab_is_a_set(ops in proptest::collection::vec((any::<bool>(), 0..20usize), 1..100)) {
        let mut slab: Slab<SockId, u32> = Slab::new();
        let mut naive: Vec<(SockId, u32, u32)> = Vec::new();
        let mut freed = Vec::new();
        for (n, (insert, which)) in ops.into_iter().enumerate() {
            if insert || naive.is_empty() {
                let id = slab.insert(n as u32);
                if let Some((last, generation)) = freed.pop() {
                    prop_assert_eq!(id, last, "the slot that was freed last");
                    prop_assert_eq!(slab.generation(id), generation + 1, "a new life");
                }
                naive.push((id, n as u32, slab.generation(id)));
            } else {
                let (id, _, generation) = naive.swap_remove(which % naive.len());
                slab.remove(id);
                freed.push((id, slab.generation(id)));
                prop_assert!(!slab.is_live(id));
                prop_assert_eq!(slab.generation(id), generation + 1);
            }
            prop_assert_eq!(slab.len(), naive.len());
            let mut lives: Vec<_> = slab.iter().map(|(id, &item)| (id, item)).collect();
            lives.sort_by_key(|&(_, item)| item);
            let mut known: Vec<_> = naive.iter().map(|&(id, item, _)| (id, item)).collect();
            known.sort_by_key(|&(_, item)| item);
            prop_assert_eq!(lives, known);
            for &(id, item, generation) in &naive {
                prop_assert!(slab.is_live(id));
                prop_assert_eq!((slab[id], slab.generation(id)), (item, generation));
            }
        }
    }

    /// The same of buckets, whose free slots hang together by their own chain links.
    #[test]
    fn buckets_are_a_set(ops in proptest::collection::vec((any::<bool>(), 0..20usize), 1..100)) {
        let mut k = host("1024 65535");
        let mut buckets = Buckets::new();
        let mut naive: Vec<(TwId, u16)> = Vec::new();
        let mut freed = Vec::new();
        for (n, (insert, which)) in ops.into_iter().enumerate() {
            if insert || naive.is_empty() {
                let id = buckets.insert(bucket(&mut k, n as u16));
                if let Some(last) = freed.pop() {
                    prop_assert_eq!(id, last, "the slot that was freed last");
                }
                naive.push((id, n as u16));
            } else {
                let (id, _) = naive.swap_remove(which % naive.len());
                buckets.remove(id);
                freed.push(id);
                prop_assert!(!buckets.is_live(id));
            }
            prop_assert_eq!(buckets.len(), naive.len());
            let mut lives: Vec<_> = buckets.iter().map(|(id, tw)| (id, tw.flow.dport)).collect();
            lives.sort_unstable_by_key(|&(_, n)| n);
            let mut known = naive.clone();
            known.sort_unstable_by_key(|&(_, n)| n);
            prop_assert_eq!(lives, known);
        }
    }
}

/// Tables grow by a thirty-second: never half empty, and not by one and one.
#[test]
fn tables_hold_little_more_than_what_is_in_them() {
    let mut slab: Slab<SockId, [u8; 100]> = Slab::new();
    let mut sizes = Vec::new();
    for n in 1..=10_000_usize {
        slab.insert([0; 100]);
        let (least, most) = (n * 104, (n + n / 32 + 16) * 104);
        assert!((least..=most).contains(&slab.bytes()), "{} bytes for {n}", slab.bytes());
        sizes.push(slab.bytes());
    }
    sizes.dedup();
    assert!(sizes.len() < 200, "grown {} times", sizes.len());
    let full = slab.bytes();
    for n in 0..1000 {
        slab.remove(SockId(n));
    }
    assert!((full + 4_000..=full + 8_192).contains(&slab.bytes()), "the list of the free");

    let mut k = host("1024 65535");
    let mut buckets = Buckets::new();
    let one = bucket(&mut k, 1);
    for n in 1..=10_000_usize {
        buckets.insert(one);
        let bytes = buckets.bytes() / size_of::<TimeWait>();
        assert!((n..=n + n / 32 + 16).contains(&bytes), "room for {bytes}, and {n} are there");
    }

    let mut reached: Vec<u32> = Vec::new();
    let mut sizes = Vec::new();
    for index in 0..10_000 {
        reach(&mut reached, index, 7);
        reach(&mut reached, index / 2, 8);
        let (least, most) = (index + 1, index + 1 + index / 32 + 16);
        assert!((least..=most).contains(&reached.capacity()), "{index}: {}", reached.capacity());
        sizes.push(reached.capacity());
    }
    sizes.dedup();
    assert!(sizes.len() < 200, "grown {} times", sizes.len());
    reach(&mut reached, 50_000, 9);
    assert_eq!((reached.len(), reached[9_999], reached[10_000]), (50_001, 7, 9));

    let mut bind = BindTable::new(true);
    assert_eq!(bind.bytes(), 0);
    for port in [80, 81, 6379] {
        bind.add(port, true);
    }
    assert_eq!(bind.bytes(), 2 * size_of::<bind::Page>(), "two pages");
}

#[test]
fn a_hash_doubles_beyond_three_objects_for_two_chains() {
    let mut hash = Ehash::new();
    assert_eq!((hash.heads().len(), hash.bytes()), (64, 256));
    hash.count(96);
    assert!(!hash.is_crowded());
    hash.count(1);
    assert!(hash.is_crowded());
    assert_eq!(hash.double().len(), 64, "the old chains, to be inserted again");
    assert_eq!((hash.heads().len(), hash.bytes()), (128, 512));
    assert!(!hash.is_crowded());
}

#[test]
fn a_hash_that_grows_loses_nobody() {
    let mut k = host("1024 65535");
    let ids: Vec<SockId> = (0..5_000).map(|n| sock(&mut k, n)).collect();
    for &id in &ids {
        k.hash(Entry::sock(id));
    }
    assert!(k.ehash.heads().len() * 3 / 2 >= ids.len(), "{} chains", k.ehash.heads().len());
    for &id in &ids {
        assert_eq!(k.find_connected(k.socks[id].flow), Some(Object::Sock(id)));
    }
}

#[test]
fn an_entry_says_what_it_is() {
    for n in [0, 1, 7, 1 << 20] {
        let (sock, request, bucket) =
            (Entry::sock(SockId(n)), Entry::request(ReqId(n)), Entry::bucket(TwId(n)));
        assert_eq!(sock.object(), Some(Object::Sock(SockId(n))));
        assert_eq!(request.object(), Some(Object::Request(ReqId(n))));
        assert_eq!(bucket.object(), Some(Object::Bucket(TwId(n))));
        assert_eq!(bucket.bucket_id(), Some(TwId(n)));
        assert_eq!(
            (sock.bucket_id(), request.bucket_id(), Entry::NONE.bucket_id()),
            (None, None, None)
        );
    }
    assert_eq!(Entry::NONE.object(), None);
}

/// A listener that was closed stays while one of its requests does.
#[test]
fn a_closed_listener_goes_with_its_last_request() {
    let mut k = host("1024 65535");
    let mut cx = Cx { now: Instant::ZERO, sink: &mut Quiet };
    let fd = k.socket();
    k.bind(fd, Endpoint::new(Addr::ANY, 80)).unwrap();
    k.listen(fd, 5, &mut cx).unwrap();
    let from = |port, flags| Segment {
        flow: FourTuple::new(Endpoint::new(THERE, port), Endpoint::new(HERE, 80)),
        seq: crate::seq::Seq(u32::from(flags == Flags::RST)),
        flags,
        win: 1000,
        ..Segment::default()
    };
    k.rx(&from(1000, Flags::SYN), &mut cx);
    k.rx(&from(1001, Flags::SYN), &mut cx);
    assert_eq!((k.listeners.len(), k.requests.len()), (1, 2));
    k.close(fd, &mut cx).unwrap();
    k.rx(&from(1000, Flags::RST), &mut cx);
    assert_eq!((k.listeners.len(), k.requests.len()), (1, 1), "one request is left");
    k.rx(&from(1001, Flags::RST), &mut cx);
    assert_eq!((k.listeners.len(), k.requests.len()), (0, 0));
    // One that is open stays without any.
    let fd = k.socket();
    k.bind(fd, Endpoint::new(Addr::ANY, 80)).unwrap();
    k.listen(fd, 5, &mut cx).unwrap();
    k.rx(&from(1000, Flags::SYN), &mut cx);
    k.rx(&from(1000, Flags::RST), &mut cx);
    assert_eq!((k.listeners.len(), k.requests.len()), (1, 0));
    k.check();
}

/// Who stands in the way of bind(), by every claim that both may have. `[inet_csk_bind_conflict]`
#[test]
fn a_port_is_shared_by_those_who_agree() {
    for claims in 0..64_u8 {
        let has = |bit: u8| claims & 1 << bit != 0;
        let (mine, theirs, my_port, their_port) = (has(0), has(1), has(2), has(3));
        let (listens, strict) = (has(4), has(5));
        for (mine_at, theirs_at, meet) in [
            (HERE, HERE, true),
            (HERE, Addr::ANY, true),
            (Addr::ANY, HERE, true),
            (HERE, Addr::v4(10, 0, 0, 3), false),
        ] {
            let mut k = host("1024 65535");
            let owner = sock(&mut k, 0);
            let sk = &mut k.socks[owner];
            (sk.opt.reuse_addr, sk.opt.reuse_port) = (theirs, their_port);
            sk.flow.saddr = theirs_at;
            sk.has_port = true;
            if listens {
                sk.state = TcpState::Listen;
            }
            k.bind.add(80, true);
            let asks = k.new_sock();
            let sk = &mut k.socks[asks];
            (sk.opt.reuse_addr, sk.opt.reuse_port) = (mine, my_port);
            let by_addr = mine && theirs && !listens && !strict;
            let refused = meet && !by_addr && !(my_port && their_port);
            let local = Endpoint::new(mine_at, 80);
            assert_eq!(k.bind_conflicts(asks, local, strict), refused, "{claims:b} {meet}");
            // A bucket has what its socket had, but listens to nothing.
            if !listens {
                let tw = k.bucket_of(owner, TcpState::TimeWait, Jiffies(60_000), Instant::ZERO);
                k.socks[owner].has_port = false;
                k.buckets.insert(tw);
                assert_eq!(k.bind_conflicts(asks, local, strict), refused, "{claims:b} {meet}");
            }
            // A port without owners is in nobody's way.
            k.bind.drop_owner(80, true);
            assert!(!k.bind_conflicts(asks, local, strict));
        }
    }
}

/// `tcp_tw_reuse` 2 is for connections of the host with itself: either address says so.
#[test]
fn either_address_may_be_a_loopback_one() {
    let (lo, other) = (Addr::v4(127, 0, 0, 1), HERE);
    for (saddr, daddr, reusable) in
        [(lo, lo, true), (lo, other, true), (other, lo, true), (other, other, false)]
    {
        let mut k = host("1024 65535");
        let mut tw = bucket(&mut k, 1);
        tw.flow = FourTuple::new(Endpoint::new(saddr, 80), Endpoint::new(daddr, 81));
        tw.ts_recent_stamp = 1;
        let flow = tw.flow;
        let id = k.buckets.insert(tw);
        k.hash(Entry::bucket(id));
        let later = Instant::ZERO + crate::time::Span::secs(2);
        assert_eq!(k.check_established(flow, false, later).is_ok(), reusable, "{flow}");
    }
}

/// An odd number of ports: connect() leaves the last one alone, as 6.18 does.
#[test]
fn of_three_ports_two_are_used() {
    let mut k = host("50000 50002");
    let mut ports = Vec::new();
    for n in 0..3 {
        let mut cx = Cx { now: Instant::ZERO, sink: &mut Quiet };
        let fd = k.socket();
        if k.connect(fd, Endpoint::new(THERE, 80), &mut cx) == Err(crate::errno::Errno::EINPROGRESS)
        {
            ports.push(k.flow(fd).unwrap().sport);
        }
        assert!(k.counters.ports_tried > n, "each port that is tried is counted");
    }
    ports.sort_unstable();
    assert_eq!(ports, [50_000, 50_001]);
    assert_eq!(k.counters.ports_tried, 2 + 1 + 2, "at most two for each");
}

/// bind() to no port in particular finds any, and one that others hold if they are elsewhere.
#[test]
fn a_port_that_bind_finds() {
    let mut k = host("32768 60999");
    let mut found: Vec<u16> = (0..20)
        .map(|_| {
            let fd = k.socket();
            k.bind(fd, Endpoint::new(HERE, 0)).unwrap();
            k.flow(fd).unwrap().sport
        })
        .collect();
    found.sort_unstable();
    assert!(found[19] - found[0] > 1_000, "they are drawn: {found:?}");
    let mut k = host("50000 50000");
    let other = Addr::v4(10, 0, 0, 3);
    for (addr, answer) in [
        (HERE, Ok(())),
        (other, Ok(())),
        (HERE, Err(crate::errno::Errno::EADDRINUSE)),
        (Addr::ANY, Err(crate::errno::Errno::EADDRINUSE)),
    ] {
        let fd = k.socket();
        assert_eq!(k.bind(fd, Endpoint::new(addr, 0)).map(|_| ()), answer, "{addr}");
    }
}

/// The invariants notice what is wrong: otherwise no test that checks them is worth anything.
mod the_check_notices {
    use super::*;

    /// A host with a connection, a bucket, a listener with a request, and data on the way.
    fn busy() -> (Kernel, SockId) {
        let mut k = host("1024 65535");
        let mut cx = Cx { now: Instant::ZERO, sink: &mut Quiet };
        let id = sock(&mut k, 1000);
        k.set_state(id, TcpState::Established, &mut cx);
        let sk = &mut k.socks[id];
        (sk.hashed, sk.has_port, sk.port_explicit) = (true, true, true);
        k.hash(Entry::sock(id));
        k.inuse += 1;
        k.bind.add(80, true);
        k.check();
        (k, id)
    }

    #[test]
    #[should_panic(expected = "connect() knows which ports it has taken")]
    fn a_port_that_nobody_has_taken() {
        let (mut k, id) = busy();
        k.taken.insert(k.socks[id].flow);
        k.check();
    }

    #[test]
    #[should_panic(expected = "orphans are counted")]
    fn an_orphan_too_many() {
        let (mut k, _) = busy();
        k.orphans += 1;
        k.check();
    }
    #[test]
    #[should_panic(expected = "states are counted")]
    fn a_state_too_many() {
        let (mut k, _) = busy();
        k.state_counts[TcpState::Close as usize] += 1;
        k.check();
    }
    #[test]
    #[should_panic(expected = "the hash is counted")]
    fn a_hash_that_counts_wrong() {
        let (mut k, _) = busy();
        k.ehash.count(1);
        k.check();
    }
    #[test]
    #[should_panic(expected = "every port knows its owners")]
    fn a_port_without_its_owner() {
        let (mut k, _) = busy();
        k.bind.add(81, false);
        k.check();
    }
    #[test]
    #[should_panic(expected = "packets_out")]
    fn a_queue_that_counts_wrong() {
        let (mut k, id) = busy();
        k.socks[id].packets_out = 1;
        k.check();
    }
    #[test]
    #[should_panic(expected = "every object is in the hash")]
    fn a_bucket_outside_the_hash() {
        let (mut k, _) = busy();
        let tw = bucket(&mut k, 2000);
        k.buckets.insert(tw);
        k.check();
    }
    #[test]
    #[should_panic(expected = "each bucket has a timer")]
    fn a_bucket_without_a_timer() {
        let (mut k, _) = busy();
        let tw = bucket(&mut k, 2000);
        let id = k.buckets.insert(tw);
        k.hash(Entry::bucket(id));
        k.bind.add(80, false);
        k.check();
    }
}
