//! Any segment at any time: a peer that says whatever it likes, a program that calls whatever it
//! likes. Every invariant holds after every step, no RST is answered by a RST, and once the
//! program is done and the peer is silent everything leaves the tables.

use finwait_model::cause::Cause;
use finwait_model::kernel::{Fd, How, SockOpt};
use finwait_model::release::Release;
use finwait_model::segment::{Flags, SackBlock, Segment};
use finwait_model::seq::Seq;
use finwait_model::time::Span;
use proptest::prelude::*;

use crate::solo::{Say, Solo};

#[derive(Clone, Debug)]
enum Step {
    Segment { flags: u8, seq: i64, at_edge: bool, len: u16, ack: i64, ts: Option<i32>, sack: u8 },
    Syn(u16),
    SynAck,
    Connect,
    Accept,
    Send(usize, u16),
    Recv(usize),
    Shutdown(usize, u8),
    Close(usize),
    Option(usize, u8),
    Window(u16),
    Wait(u32),
}

fn segment() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![
        4 => Just(0x10u8), // .
        4 => Just(0x11),   // F.
        3 => Just(0x18),   // P.
        2 => Just(0x04),   // R
        2 => Just(0x02),   // S
        1 => Just(0x12),   // S.
        2 => any::<u8>().prop_map(|f| f & 0x1f),
    ];
    let ack = prop_oneof![6 => 0..6i64, 2 => -2000..4000i64];
    let seq = prop_oneof![6 => 0..4i64, 3 => -30..60i64, 1 => any::<i32>().prop_map(i64::from)];
    let ts = proptest::option::of(-3..10i32);
    let len = prop_oneof![3 => Just(0u16), 2 => 1..30u16, 1 => 1000..1460u16];
    (flags, seq, prop::bool::weighted(0.1), len, ack, ts, 0..5u8).prop_map(
        |(flags, seq, at_edge, len, ack, ts, sack)| Step::Segment {
            flags,
            seq,
            at_edge,
            len,
            ack,
            ts,
            sack,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => segment(),
        3 => (40000..40003u16).prop_map(Step::Syn),
        2 => Just(Step::SynAck),
        1 => Just(Step::Connect),
        3 => Just(Step::Accept),
        2 => (0..3usize, 1..5000u16).prop_map(|(i, n)| Step::Send(i, n)),
        2 => (0..3usize).prop_map(Step::Recv),
        2 => (0..3usize, 0..3u8).prop_map(|(i, h)| Step::Shutdown(i, h)),
        2 => (0..3usize).prop_map(Step::Close),
        1 => (0..3usize, 0..6u8).prop_map(|(i, o)| Step::Option(i, o)),
        1 => prop_oneof![Just(0u16), Just(10), Just(1000), Just(65535)].prop_map(Step::Window),
        5 => (0..2_000_000u32).prop_map(Step::Wait),
        1 => (0..90_000_000u32).prop_map(Step::Wait),
    ]
}

/// What must be true of every answer to a segment.
fn judge(offender: &Segment, sent: &[(Segment, Cause)], release: Release) {
    for (seg, cause) in sent {
        assert_eq!(seg.flags.rst(), cause.is_reset(), "{}", cause.name());
        assert!(cause.site().releases.contains(&release), "{} in {release}", cause.name());
        assert!(!(offender.flags.rst() && seg.flags.rst()), "{seg} in answer to {offender}");
        assert_eq!(seg.flow, offender.flow.reversed(), "to whom it concerns");
        if seg.flags.rst() && !seg.flags.ack() {
            assert_eq!(seg.seq, offender.ack, "{seg} in answer to {offender}");
            assert_eq!((seg.win, seg.len), (0, 0));
        }
    }
}

struct Walk {
    solo: Solo,
    listener: Fd,
    fds: Vec<Fd>,
}

impl Walk {
    fn segment(&mut self, say: Say, sack: u8) {
        let mut seg = self.solo.segment(say);
        for n in 0..sack.min(3) {
            let left = Seq(self.solo.iss()) + 1 + u32::from(n) * 1460;
            seg.options.sack[usize::from(n)] = SackBlock { left, right: left + 1460 };
            seg.options.sack_count = n + 1;
        }
        let sent = self.solo.on(|k, cx| k.rx(&seg, cx)).1;
        judge(&seg, &sent, self.solo.k.release());
    }

    fn step(&mut self, step: &Step) {
        let pick = |i: usize| self.fds.get(i).copied();
        let solo = &mut self.solo;
        match *step {
            Step::Segment { flags, seq, at_edge, len, ack, ts, sack } => {
                let seq = if at_edge { solo.edge + seq } else { seq };
                let say = Say { flags: Flags(flags), seq, len, ack, ts };
                self.segment(say, sack);
            }
            Step::Syn(port) => {
                (solo.port, solo.local) = (port, crate::solo::US.port);
                solo.syn();
            }
            Step::SynAck => drop(solo.syn_ack()),
            Step::Connect => {
                let fd = solo.k.socket();
                let to = crate::solo::PEER;
                let _ = solo.on(|k, cx| k.connect(fd, to, cx));
                self.fds.push(fd);
            }
            Step::Accept => {
                let listener = self.listener;
                if let Ok(fd) = solo.on(|k, cx| k.accept(listener, cx)).0 {
                    self.fds.push(fd);
                }
            }
            Step::Send(i, n) => {
                if let Some(fd) = pick(i) {
                    let _ = solo.on(|k, cx| k.send(fd, n.into(), n % 7 == 0, cx));
                }
            }
            Step::Recv(i) => {
                if let Some(fd) = pick(i) {
                    let _ = solo.on(|k, cx| k.recv(fd, 2000, cx));
                }
            }
            Step::Shutdown(i, how) => {
                if let Some(fd) = pick(i) {
                    let how = [How::Rd, How::Wr, How::RdWr][usize::from(how)];
                    let _ = solo.on(|k, cx| k.shutdown(fd, how, cx));
                }
            }
            Step::Close(i) => {
                if i < self.fds.len() {
                    let fd = self.fds.remove(i);
                    solo.on(|k, cx| k.close(fd, cx)).0.unwrap();
                }
            }
            Step::Option(i, which) => {
                if let Some(fd) = pick(i) {
                    let opt = [
                        SockOpt::Linger(Some(0)),
                        SockOpt::Linger(Some(1)),
                        SockOpt::Linger2(-1),
                        SockOpt::KeepAlive(true),
                        SockOpt::NoDelay(true),
                        SockOpt::UserTimeout(700),
                    ][usize::from(which)];
                    let _ = solo.on(|k, cx| k.setsockopt(fd, opt, cx));
                }
            }
            Step::Window(win) => solo.win = win,
            Step::Wait(us) => drop(solo.wait(Span::micros(us.into()))),
        }
    }
}

const SETS: [&[(&str, &str)]; 6] = [
    &[],
    &[("tcp_max_tw_buckets", "0")],
    &[("tcp_fin_timeout", "62"), ("tcp_rfc1337", "1")],
    &[("tcp_sack", "0"), ("tcp_timestamps", "0")],
    &[("tcp_max_orphans", "0"), ("tcp_orphan_retries", "1")],
    &[("tcp_abort_on_overflow", "1"), ("tcp_syncookies", "2")],
];

proptest! {
    #![proptest_config(ProptestConfig::default())]
    #[test]
    fn whatever_the_peer_says(
        old in any::<bool>(),
        set in 0..SETS.len(),
        timestamps in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let release = if old { Release::V3_10 } else { Release::V6_18 };
        let mut solo = Solo::new(release, SETS[set]);
        solo.timestamps = timestamps;
        let listener = solo.listen(1);
        let mut walk = Walk { solo, listener, fds: Vec::new() };
        for step in &steps {
            walk.step(step);
        }
        let Walk { mut solo, fds, .. } = walk;
        for fd in fds.into_iter().chain([listener]) {
            solo.on(|k, cx| k.close(fd, cx)).0.unwrap();
        }
        solo.wait(Span::secs(4000));
        let stat = solo.k.sockstat();
        prop_assert_eq!((stat.inuse, stat.orphan, stat.tw, stat.alloc), (0, 0, 0, 0));
        prop_assert!(solo.k.rows(solo.now).is_empty());
    }
}
