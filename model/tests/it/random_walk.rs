//! Random calls, losses and waits on two hosts: every invariant holds after every step, and in
//! the end everything has left the tables.

use finwait_model::kernel::{Fd, How, SockOpt};
use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::time::Span;
use proptest::prelude::*;

use crate::pair::End::{self, C, S};
use crate::pair::{Pair, SERVER};

#[derive(Clone, Debug)]
enum Step {
    Connect,
    Accept,
    Send(bool, usize, u32),
    Recv(bool, usize),
    Shutdown(bool, usize, u8),
    Close(bool, usize),
    Linger(bool, usize, Option<u32>),
    Linger2(bool, usize, i32),
    Wait(u32),
    CloseListener,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Connect),
        3 => Just(Step::Accept),
        4 => (any::<bool>(), 0..4usize, 1..5000u32).prop_map(|(e, i, n)| Step::Send(e, i, n)),
        3 => (any::<bool>(), 0..4usize).prop_map(|(e, i)| Step::Recv(e, i)),
        2 => (any::<bool>(), 0..4usize, 0..3u8).prop_map(|(e, i, h)| Step::Shutdown(e, i, h)),
        4 => (any::<bool>(), 0..4usize).prop_map(|(e, i)| Step::Close(e, i)),
        1 => (any::<bool>(), 0..4usize, proptest::option::of(0..3u32))
            .prop_map(|(e, i, l)| Step::Linger(e, i, l)),
        1 => (any::<bool>(), 0..4usize, -1..100i32).prop_map(|(e, i, l)| Step::Linger2(e, i, l)),
        6 => (0..3_000_000u32).prop_map(Step::Wait),
        1 => Just(Step::CloseListener),
    ]
}

const SYSCTLS: [(&str, &[&str]); 6] = [
    ("tcp_max_tw_buckets", &["0", "1", "100"]),
    ("tcp_fin_timeout", &["1", "60", "62"]),
    ("tcp_sack", &["0", "1"]),
    ("tcp_timestamps", &["0", "1"]),
    ("tcp_abort_on_overflow", &["0", "1"]),
    ("tcp_max_orphans", &["0", "1000"]),
];

fn lose_some(_: End, seg: &Segment, n: usize) -> bool {
    (seg.seq.0 ^ seg.ack.0).wrapping_mul(0x9e37_79b1).wrapping_add(n as u32 * 77).is_multiple_of(7)
}

fn walk(release: Release, sets: [usize; 6], lossy: bool, steps: &[Step]) {
    let chosen: Vec<(&str, &str)> = SYSCTLS
        .iter()
        .zip(sets)
        .map(|((name, values), i)| (*name, values[i % values.len()]))
        .collect();
    let mut pair = Pair::with(release, &chosen, &chosen);
    if lossy {
        pair.lose = lose_some;
    }
    let listener = pair.listen(1);
    let mut fds = [Vec::new(), Vec::new()];
    for step in steps {
        take(&mut pair, listener, &mut fds, step);
    }
    for (side, end) in [(0, C), (1, S)] {
        for fd in fds[side].drain(..) {
            pair.close(end, fd);
        }
    }
    let _ = pair.on(S, |k, cx| k.close(listener, cx));
    pair.lose = |_, _, _| false;
    pair.run(Span::secs(4000));
    for host in &pair.hosts {
        let stat = host.sockstat();
        assert_eq!((stat.inuse, stat.orphan, stat.tw, stat.alloc), (0, 0, 0, 0), "all gone");
        assert!(host.rows(pair.now).is_empty());
        assert_eq!(host.counters().get(finwait_model::counters::Mib::CurrEstab), 0);
    }
}

/// One step; a descriptor that is not there makes it nothing.
fn take(pair: &mut Pair, listener: Fd, fds: &mut [Vec<Fd>; 2], step: &Step) {
    let pick = |fds: &[Vec<Fd>; 2], end: bool, i: usize| fds[usize::from(end)].get(i).copied();
    let side = |end: bool| if end { S } else { C };
    match *step {
        Step::Connect => {
            let fd = pair.hosts[0].socket();
            let _ = pair.on(C, |k, cx| k.connect(fd, SERVER, cx));
            fds[0].push(fd);
        }
        Step::Accept => {
            if let Ok(fd) = pair.on(S, |k, cx| k.accept(listener, cx)) {
                fds[1].push(fd);
            }
        }
        Step::Send(e, i, n) => {
            if let Some(fd) = pick(fds, e, i) {
                let _ = pair.on(side(e), |k, cx| k.send(fd, n, false, cx));
            }
        }
        Step::Recv(e, i) => {
            if let Some(fd) = pick(fds, e, i) {
                let _ = pair.recv(side(e), fd);
            }
        }
        Step::Shutdown(e, i, h) => {
            if let Some(fd) = pick(fds, e, i) {
                let how = [How::Rd, How::Wr, How::RdWr][usize::from(h)];
                let _ = pair.on(side(e), |k, cx| k.shutdown(fd, how, cx));
            }
        }
        Step::Close(e, i) => {
            if i < fds[usize::from(e)].len() {
                let fd = fds[usize::from(e)].remove(i);
                pair.close(side(e), fd);
            }
        }
        Step::Linger(e, i, l) => {
            if let Some(fd) = pick(fds, e, i) {
                let _ = pair.on(side(e), |k, cx| k.setsockopt(fd, SockOpt::Linger(l), cx));
            }
        }
        Step::Linger2(e, i, l) => {
            if let Some(fd) = pick(fds, e, i) {
                let _ = pair.on(side(e), |k, cx| k.setsockopt(fd, SockOpt::Linger2(l), cx));
            }
        }
        Step::Wait(us) => pair.run(Span::micros(u64::from(us))),
        Step::CloseListener => {
            let _ = pair.on(S, |k, cx| k.close(listener, cx));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]
    #[test]
    fn tables_stay_sound_and_empty_in_the_end(
        old in any::<bool>(),
        sets in any::<[u8; 6]>(),
        lossy in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let release = if old { Release::V3_10 } else { Release::V6_18 };
        walk(release, sets.map(usize::from), lossy, &steps);
    }
}
