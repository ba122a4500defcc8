//! Every row of what a bucket does, sections 6.3 and 6.4 of the fact sheet.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{TwVerdict, judge};
use crate::cause::Cause;
use crate::flow::FourTuple;
use crate::kernel::{Config, Kernel};
use crate::release::Release;
use crate::segment::{Options, Segment, Timestamp};
use crate::seq::Seq;
use crate::sink::{Cx, Note, Sink};
use crate::state::TcpState;
use crate::table::ehash::Entry;
use crate::table::slab::TwId;
use crate::test_host::config;
use crate::text_table::{Row, check, flags};
use crate::time::{Clock, Instant};
use crate::timewait::TimeWait;

const RCV_NXT: Seq = Seq(0xffff_fff0); // so that every window wraps
const SND_NXT: Seq = Seq(5000);
const WINDOW: u32 = 1000;
const TS_RECENT: u32 = 700;

/// A bucket with a window of 1000 that took its last timestamp `age` seconds ago (`-`: never).
fn bucket(substate: TcpState, age: Option<i64>) -> TimeWait {
    TimeWait {
        flow: FourTuple::default(),
        chain: Entry::NONE,
        rcv_nxt: RCV_NXT,
        snd_nxt: SND_NXT,
        rcv_wnd: WINDOW,
        ts_recent: if age.is_some() { TS_RECENT } else { 0 },
        ts_recent_stamp: age.map_or(0, |a| (NOW_S as i64 - a) as u32),
        ts_offset: 0,
        entry_ms: 0,
        last_oow: 0,
        timeout: 0,
        substate,
        rcv_wscale: 0,
        tag: crate::deathrow::Tag::NONE,
        live: true,
        owner: 0,
    }
}
const NOW_S: u64 = 40 * 24 * 3600;

fn verdict(release: Release, substate: TcpState, rfc1337: bool, row: &Row<'_>) -> String {
    let seg = Segment {
        seq: Seq(RCV_NXT.0.wrapping_add(row.number("seq").unwrap() as u32)),
        len: row.number("len").unwrap() as u16,
        flags: flags(row.get("flags")),
        options: Options {
            ts: row
                .number("tsval")
                .map(|d| Timestamp { val: TS_RECENT.wrapping_add(d as u32), ecr: 0 }),
            ..Options::default()
        },
        ..Segment::default()
    };
    let restarts = !crate::behaviour::Behaviour::of(release).rfc1337_leaves_timer;
    let tw = bucket(substate, row.number("age"));
    match judge(&tw, &seg, NOW_S, rfc1337, restarts) {
        TwVerdict::AckLimited { restart, paws } => {
            format!(
                "ack{}{}",
                if restart { " restart" } else { "" },
                if paws { " paws" } else { "" }
            )
        }
        TwVerdict::Reopen { isn } => format!("reopen +{}", isn - SND_NXT),
        TwVerdict::Drop => "drop".into(),
        TwVerdict::Restart => "restart".into(),
        TwVerdict::IgnoreRst { restart: true } => "restart by rst".into(),
        TwVerdict::IgnoreRst { restart: false } => "ignore rst".into(),
        TwVerdict::Bury => "bury".into(),
        TwVerdict::PawsRst => "paws only".into(),
        TwVerdict::TakeFin => "take fin".into(),
        TwVerdict::ResetSyn => "reset syn".into(),
        TwVerdict::ResetData => "reset data".into(),
    }
}

/// Section 6.3. `seq` is relative to rcv_nxt, `tsval` to ts_recent, `age` is that of ts_recent in
/// seconds.
const FIN_WAIT2: &str = "
flags seq  len tsval age      verdict
# a: PAWS, or outside the window, RST and SYN as well
.     0    0   -1    0        ack
F.    0    0   -1    0        ack
R     0    0   -1    0        ack
S     0    0   -1    0        ack
.     0    10  -1    0        ack
.     -10  10  -     -        ack
.     -1   0   -     -        ack
.     -1   1   -     -        ack
F.    -1   0   -     -        ack
R     -1   0   -     -        ack
R     1000 0   -     -        bury
R     1001 0   -     -        ack
R     5000 0   -     -        ack
S     -2   0   -     -        ack
S     1000 0   -     -        ack
S     9999 0   -     -        ack
.     1001 0   -     -        ack
.     1000 1   -     -        ack
# a timestamp older than 24 days does not count, one older than 60 s not for a RST
.     0    10  -1    2073600  reset data
.     0    10  -1    2073599  ack
R     0    0   -1    60       bury
R     0    0   -1    59       ack
R.    0    0   -1    59       ack
# no timestamp on a bucket that has them, and the reverse
F.    0    0   -     0        take fin
F.    0    0   -1    -        take fin
# b: RST, any sequence number in the window
R     0    0   -     -        bury
R.    0    0   -     -        bury
R     500  0   -     -        bury
R     999  0   -     -        bury
R.    -5   10  -     -        bury
R     0    0   0     0        bury
# c: SYN not before rcv_nxt
S     0    0   -     -        reset syn
S     999  0   -     -        reset syn
S.    0    0   -     -        reset syn
S     0    0   5     0        reset syn
SF    0    0   -     -        reset syn
# d: nothing new, or no ACK flag
S     -1   1   -     -        drop
S.    -1   0   -     -        ack
.     0    0   -     -        drop
.     0    0   0     0        drop
.     500  0   -     -        drop
.     1000 0   -     -        drop
F     0    0   -     -        drop
P     0    10  -     -        drop
-     0    0   -     -        drop
FP    0    10  -     -        drop
# e: data after close, or a FIN that is not the next byte
.     0    10  -     -        reset data
P.    0    10  -     -        reset data
P.    500  10  -     -        reset data
P.    -5   10  -     -        reset data
FP.   0    10  -     -        reset data
F.    1    0   -     -        reset data
F.    998  0   -     -        reset data
FP.   500  10  -     -        reset data
.     0    10  3     0        reset data
# f: the FIN at rcv_nxt, also behind old data
F.    0    0   -     -        take fin
F.    0    0   7     0        take fin
F.    0    0   0     0        take fin
FP.   -10  10  -     -        take fin
";

#[test]
fn fin_wait2_first_match() {
    for rfc1337 in [false, true] {
        check(FIN_WAIT2, |release, row| verdict(release, TcpState::FinWait2, rfc1337, row));
    }
}

/// Section 6.4 with tcp_rfc1337 = 0.
const TIME_WAIT: &str = "
flags seq  len tsval age      verdict
# a1: a RST at rcv_nxt kills, with or without ACK and payload
R     0    0   -     -        bury
R.    0    0   -     -        bury
R     0    10  -     -        bury
R     0    0   -     0        bury
R     0    0   0     0        bury
R     0    0   5     0        bury
# ... unless its timestamp is old, and the bucket's not older than 60 s
R     0    0   -1    0        paws only
R     0    0   -1    59       paws only
R     0    0   -1    60       bury
# a2: empty and exact, whatever else it is
.     0    0   -     -        restart
.     0    0   0     0        restart
.     0    0   9     0        restart
-     0    0   -     -        restart
P.    0    0   -     -        restart
# b: a SYN that may begin a new connection
S     1    0   -     -        reopen +65537
S     9999 0   -     -        reopen +65537
S     1    10  -     -        reopen +65537
SF    1    0   -     -        reopen +65537
S     1    0   -     0        reopen +65537
S     1    0   1     0        reopen +65537
S     1    0   0     0        reopen +65537
S     -500 0   1     0        reopen +65537
S     0    0   1     0        reopen +65537
S     1    0   -1    2073600  reopen +65537
# old SYNs
S     0    0   -     -        ack
S     -500 0   -     -        ack
S     -500 0   -     0        ack
S     -500 0   0     0        ack
S     -500 0   1     -        ack
S     1    0   -1    0        ack restart paws
S     -500 0   -1    0        ack restart paws
# d: anything else is answered; it restarts the wait if it has an ACK
S.    1    0   -     -        ack restart
S.    -500 0   -     -        ack restart
.     -1   0   -     -        ack restart
.     1    0   -     -        ack restart
.     999  0   -     -        ack restart
.     5000 0   -     -        ack restart
F.    -1   0   -     -        ack restart
F.    0    0   -     -        ack restart
F.    1    0   -     -        ack restart
P.    0    10  -     -        ack restart
P.    -10  10  -     -        ack restart
P.    500  10  -     -        ack restart
P.    5000 10  -     -        ack restart
F     0    0   -     -        ack
P     0    10  -     -        ack
-     1    0   -     -        ack
.     0    0   -1    0        ack restart paws
F.    -1   0   -1    0        ack restart paws
P     0    10  -1    0        ack restart paws
.     0    0   -1    2073600  restart
# e: a RST elsewhere is ignored
R     1    0   -     -        drop
R     -1   0   -     -        drop
R.    500  0   -     -        drop
R     1    0   -1    0        paws only
SR    0    0   -     -        bury
SR    1    0   -     -        drop
";

#[test]
fn time_wait_first_match() {
    check(TIME_WAIT, |release, row| verdict(release, TcpState::TimeWait, false, row));
}

/// Section 6.4 a1 with tcp_rfc1337 = 1.
const RFC1337: &str = "
flags seq  len tsval age      verdict
R     0    0   -     -        3.10: restart by rst  6.18: ignore rst
R.    0    0   -     -        3.10: restart by rst  6.18: ignore rst
R     0    0   3     0        3.10: restart by rst  6.18: ignore rst
R     1    0   -     -        drop
R     0    0   -1    0        paws only
.     0    0   -     -        restart
S     1    0   -     -        reopen +65537
F.    -1   0   -     -        ack restart
";

#[test]
fn rfc1337_ignores_the_exact_rst() {
    check(RFC1337, |release, row| verdict(release, TcpState::TimeWait, true, row));
}

#[test]
fn an_initial_sequence_number_of_zero_becomes_one() {
    let mut tw = bucket(TcpState::TimeWait, None);
    tw.snd_nxt = Seq(0) - 65537;
    let syn = Segment { seq: RCV_NXT + 1, flags: flags("S"), ..Segment::default() };
    assert_eq!(judge(&tw, &syn, NOW_S, false, false), TwVerdict::Reopen { isn: Seq(1) });
}

/// What leaves.
#[derive(Default)]
struct Left(Vec<Segment>);

impl Sink for Left {
    fn transmit(&mut self, segment: &Segment, _: Cause) {
        self.0.push(*segment);
    }
    fn note(&mut self, _: impl FnOnce() -> Note) {}
}

/// A host that has been up for forty days, and that bucket on it.
fn host(tw: TimeWait) -> (Kernel, TwId) {
    let mut k = Kernel::new(&Config {
        clock: Clock::new(1000, NOW_S * 1_000_000_000),
        ..config(Release::V6_18)
    });
    k.state_counts[tw.substate as usize] += 1;
    let id = k.buckets.insert(tw);
    k.hash(Entry::bucket(id));
    k.bind.add(tw.flow.sport, false);
    (k, id)
}

/// A bucket answers with what it remembers of its socket: its window, scaled, and its timestamp, if
/// it has one.
#[test]
fn the_ack_of_a_bucket() {
    for (age, ts_recent) in [(None, None), (Some(0), Some(TS_RECENT))] {
        let mut tw = bucket(TcpState::TimeWait, age);
        (tw.rcv_wnd, tw.rcv_wscale) = (8_000, 3);
        let (mut k, id) = host(tw);
        let mut left = Left::default();
        k.bucket_ack(id, Cause::TwAckTimeWait, &mut Cx { now: Instant::ZERO, sink: &mut left });
        let [ack] = left.0[..] else { panic!("one ACK") };
        assert_eq!((ack.seq, ack.ack, ack.win), (SND_NXT, RCV_NXT, 1_000));
        assert_eq!(ack.options.ts.map(|ts| ts.ecr), ts_recent);
    }
}

/// The FIN that a bucket in FIN-WAIT-2 waits for: with a timestamp, where the connection had them, it
/// is the youngest that is known of the peer, and tells when TIME-WAIT began.
#[test]
fn a_bucket_takes_the_fin() {
    let ts = Timestamp { val: TS_RECENT + 5, ecr: 0 };
    for (age, ts, recent, stamped) in [
        (Some(9), Some(ts), TS_RECENT + 5, true),
        (Some(9), None, TS_RECENT, false),
        (None, Some(ts), 0, false),
    ] {
        let (mut k, id) = host(bucket(TcpState::FinWait2, age));
        let options = Options { ts, ..Options::default() };
        let fin = Segment { seq: RCV_NXT, flags: flags("F."), options, ..Segment::default() };
        let mut left = Left::default();
        let mut cx = Cx { now: Instant::ZERO, sink: &mut left };
        k.bucket_takes_fin(id, &fin, NOW_S, &mut cx);
        let tw = k.buckets[id];
        assert_eq!((tw.substate, tw.rcv_nxt), (TcpState::TimeWait, RCV_NXT + 1));
        assert_eq!(tw.ts_recent, recent);
        let stamp =
            if stamped { NOW_S as u32 } else { age.map_or(0, |a| (NOW_S as i64 - a) as u32) };
        assert_eq!(tw.ts_recent_stamp, stamp);
        assert_eq!(u64::from(tw.entry_ms), if stamped { NOW_S * 1000 } else { 0 });
        assert_eq!(left.0[0].ack, RCV_NXT + 1);
        k.check();
    }
}
