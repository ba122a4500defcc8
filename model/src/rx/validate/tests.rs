//! The gate of a full socket, section 4.2 of the fact sheet, first match wins.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::{Verdict, judge};
use crate::behaviour::Behaviour;
use crate::release::Release;
use crate::rx::ofo::Ofo;
use crate::segment::{Options, SackBlock, Segment, Timestamp};
use crate::seq::Seq;
use crate::sink::DropReason;
use crate::sock::Sock;
use crate::state::TcpState;
use crate::text_table::{Row, check, flags};

const RCV_NXT: Seq = Seq(0xffff_ffff); // so that every comparison wraps
const SND_UNA: Seq = Seq(9000);
const TS_RECENT: u32 = 5000;
const NOW_S: u64 = 40 * 24 * 3600;

/// rcv_nxt is acknowledged up to 100 before it, the window reaches 1000 beyond it, 50 bytes are
/// out, the peer's window is 500 as of its last segment at rcv_nxt.
fn sock(state: TcpState, unread: u32) -> Sock {
    let mut sk = Sock::new(250, 131_072, 16_384);
    sk.state = state;
    sk.has_file = true;
    sk.rcv_nxt = RCV_NXT;
    sk.rcv_wup = RCV_NXT - 100;
    sk.rcv_wnd = 1100;
    sk.copied_seq = RCV_NXT - unread;
    sk.snd_una = SND_UNA;
    sk.snd_nxt = SND_UNA + 50;
    sk.snd_wl1 = RCV_NXT;
    sk.snd_wnd = 500;
    sk.ts_recent = TS_RECENT;
    sk.ts_recent_stamp = NOW_S as u32;
    sk
}

fn state(name: &str) -> TcpState {
    let found = TcpState::ALL.into_iter().find(|s| s.ss_name() == name);
    found.unwrap_or_else(|| panic!("no state {name}"))
}

fn segment(row: &Row<'_>) -> Segment {
    Segment {
        seq: Seq(RCV_NXT.0.wrapping_add(row.number("seq").unwrap() as u32)),
        ack: Seq(SND_UNA.0.wrapping_add(row.number("ack").unwrap_or(0) as u32)),
        len: row.number("len").unwrap() as u16,
        win: 500,
        flags: flags(row.get("flags")),
        ..Segment::default()
    }
}

fn name(verdict: Verdict) -> String {
    match verdict {
        Verdict::Pass => "pass".into(),
        Verdict::Reset => "reset".into(),
        Verdict::ChallengeRst => "challenge rst".into(),
        Verdict::ChallengeSyn => "challenge syn".into(),
        Verdict::DupAckPaws => "dupack paws".into(),
        Verdict::SilentPaws => "silent paws".into(),
        Verdict::DupAckSeq(reason) => format!("dupack {}", side(reason)),
        Verdict::Silent(reason) => format!("silent {}", side(reason)),
    }
}

fn side(reason: DropReason) -> &'static str {
    if reason == DropReason::TcpOldSequence {
        "old"
    } else if reason == DropReason::TcpInvalidSequence {
        "beyond"
    } else if reason == DropReason::TcpInvalidEndSequence {
        "sticks out"
    } else {
        "?"
    }
}

/// 4.2.2 to 4.2.4. `seq` is relative to rcv_nxt, `unread` is what the receive queue holds.
const SEQUENCE: &str = "
state      flags seq   len  ack unread verdict
# old: ends before what we acknowledged last
ESTAB      .     0     0    0   0      pass
ESTAB      .     -100  0    0   0      pass
ESTAB      .     -101  0    0   0      dupack old
ESTAB      .     -101  1    0   0      pass
ESTAB      P.    -200  99   0   0      dupack old
ESTAB      P.    -200  100  0   0      pass
ESTAB      F.    -101  0    0   0      pass
ESTAB      F.    -102  0    0   0      dupack old
# beyond: begins behind the window
ESTAB      .     1000  0    0   0      pass
ESTAB      .     1001  0    0   0      dupack beyond
ESTAB      P.    1000  10   0   0      pass
ESTAB      P.    1001  10   0   0      dupack beyond
# sticks out of the window, by data or by its FIN alone
ESTAB      P.    0     1000 0   0      pass
ESTAB      P.    0     1000 0   50     pass
ESTAB      P.    0     1010 0   0      pass
ESTAB      P.    0     1010 0   50     3.10: pass  6.18: dupack sticks out
ESTAB      FP.   0     1000 0   50     pass
ESTAB      FP.   0     1001 0   50     3.10: pass  6.18: dupack sticks out
ESTAB      F.    1000  0    0   50     pass
CLOSE-WAIT .     1001  0    0   0      dupack beyond
# RST: exact, in the window, outside
ESTAB      R     0     0    0   0      reset
ESTAB      R.    0     0    0   0      reset
ESTAB      R     0     5    0   0      reset
ESTAB      R     1     0    0   0      challenge rst
ESTAB      R     1000  0    0   0      challenge rst
ESTAB      R.    -100  0    0   0      challenge rst
ESTAB      R     -101  0    0   0      silent old
ESTAB      R     1001  0    0   0      silent beyond
FIN-WAIT-1 R     0     0    0   0      reset
FIN-WAIT-2 R     1     0    0   0      challenge rst
# a RST of a peer that does not count its own FIN
CLOSE-WAIT R     -1    0    0   0      3.10: challenge rst  6.18: reset
LAST-ACK   R     -1    0    0   0      3.10: challenge rst  6.18: reset
CLOSING    R.    -1    0    0   0      3.10: challenge rst  6.18: reset
ESTAB      R     -1    0    0   0      challenge rst
FIN-WAIT-1 R     -1    0    0   0      challenge rst
FIN-WAIT-2 R     -1    0    0   0      challenge rst
# SYN: never a RST, in or out of the window, with or without ACK
ESTAB      S     0     0    0   0      challenge syn
ESTAB      S.    0     0    0   0      challenge syn
ESTAB      S     5000  0    0   0      challenge syn
ESTAB      S.    -5000 0    0   0      challenge syn
FIN-WAIT-2 S     0     0    0   0      challenge syn
CLOSING    S     5000  0    0   0      challenge syn
ESTAB      SR    0     0    0   0      reset
# a simultaneous open's SYN-ACK repeats the SYN
SYN-RECV   S.    -1    0    50  0      3.10: challenge syn  6.18: pass
SYN-RECV   S.    -1    0    49  0      challenge syn
SYN-RECV   S     -1    0    50  0      challenge syn
SYN-RECV   S.    0     0    50  0      challenge syn
SYN-RECV   S.    -1    3    50  0      challenge syn
";

#[test]
fn sequence_rst_syn() {
    check(SEQUENCE, |release, row| {
        let mut sk = sock(state(row.get("state")), row.number("unread").unwrap() as u32);
        if sk.state == TcpState::SynRecv {
            sk.rcv_wup = RCV_NXT;
        }
        name(judge(&sk, &segment(row), NOW_S, 300, &Behaviour::of(release)))
    });
}

/// With rcv_wup = rcv_nxt a RST one below rcv_nxt is out of the window, and 6.18 takes it anyway.
#[test]
fn a_rst_that_forgets_the_fin_counts_even_out_of_window() {
    let mut sk = sock(TcpState::CloseWait, 0);
    sk.rcv_wup = RCV_NXT;
    sk.rcv_wnd = 1000;
    let rst = Segment { seq: RCV_NXT - 1, flags: flags("R"), ..Segment::default() };
    for (release, want) in [(Release::V3_10, "silent old"), (Release::V6_18, "reset")] {
        let got = judge(&sk, &rst, NOW_S, 300, &Behaviour::of(release));
        assert_eq!(name(got), want, "{release}");
    }
}

/// 4.2.3 c: the highest right edge of the SACK blocks we tell is 200.
const SACKED: &str = "
sack flags seq   len verdict
yes  R     0     0   reset
yes  R     200   0   3.10: challenge rst  6.18: reset
yes  R.    200   0   3.10: challenge rst  6.18: reset
yes  R     150   0   challenge rst
yes  R     199   0   challenge rst
no   R     200   0   challenge rst
";

#[test]
fn rst_at_the_edge_of_what_we_sacked() {
    check(SACKED, |release, row| {
        let mut sk = sock(TcpState::Established, 0);
        sk.sack_ok = row.get("sack") == "yes";
        let block = |l, r| SackBlock { left: RCV_NXT + l, right: RCV_NXT + r };
        let ofo = Ofo { sacks: alloc::vec![block(100, 150), block(180, 200)], ..Ofo::default() };
        sk.ofo = Some(Box::new(ofo));
        let seg = Segment {
            seq: Seq(RCV_NXT.0.wrapping_add(row.number("seq").unwrap() as u32)),
            flags: flags(row.get("flags")),
            ..Segment::default()
        };
        name(judge(&sk, &seg, NOW_S, 300, &Behaviour::of(release)))
    });
}

/// 4.2.1. `tsval` is relative to ts_recent, `age` is how old that is in seconds; a disordered ACK
/// may be 300 ticks old.
const PAWS: &str = "
flags seq   len  ack win tsval age     verdict
P.    0     10   0   500 -     0       pass
P.    0     10   0   500 0     0       pass
P.    0     10   0   500 -1    0       pass
P.    0     10   0   500 -2    0       dupack paws
P.    0     10   0   500 9     0       pass
P.    0     10   0   500 -2    2073599 dupack paws
P.    0     10   0   500 -2    2073600 pass
F.    0     0    0   500 -2    0       dupack paws
# before the sequence test, so an old segment counts as PAWS
P.    -500  10   0   500 -2    0       dupack paws
# a RST is not stopped by PAWS; a SYN is challenged by 6.18
R     0     0    0   500 -2    0       reset
R.    5     0    0   500 -2    0       challenge rst
S     0     0    0   500 -2    0       3.10: dupack paws  6.18: challenge syn
S.    0     0    0   500 -2    0       3.10: dupack paws  6.18: challenge syn
# an old pure ACK: 6.18 says nothing
.     -50   0    0   500 -2    0       3.10: dupack paws  6.18: silent paws
.     -500  0    0   500 -2    0       3.10: dupack paws  6.18: silent paws
# a disordered ACK is harmless: pure, exact, nothing new, not too old
.     0     0    0   500 -2    0       pass
.     0     0    0   500 -300  0       pass
.     0     0    0   500 -301  0       dupack paws
.     0     0    50  500 -2    0       dupack paws
.     0     0    -10 500 -2    0       dupack paws
.     0     0    0   600 -2    0       dupack paws
.     0     0    0   400 -2    0       pass
.     0     0    0   0   -2    0       3.10: pass  6.18: dupack paws
.     1     0    0   500 -2    0       dupack paws
P.    0     1    0   500 -2    0       dupack paws
";

#[test]
fn paws() {
    check(PAWS, |release, row| {
        let mut sk = sock(TcpState::Established, 0);
        let mut seg = segment(row);
        seg.win = row.number("win").unwrap() as u16;
        if let Some(d) = row.number("tsval") {
            let val = TS_RECENT.wrapping_add(d as u32);
            seg.options = Options { ts: Some(Timestamp { val, ecr: 0 }), ..Options::default() };
            sk.saw_tstamp = true;
            sk.rcv_tsval = val;
        }
        sk.ts_recent_stamp = (NOW_S as i64 - row.number("age").unwrap()) as u32;
        name(judge(&sk, &seg, NOW_S, 300, &Behaviour::of(release)))
    });
}
