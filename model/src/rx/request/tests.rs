//! What a half-open request does with a segment, section 8.3 of the fact sheet and B10 of its
//! companion, first match wins.

use alloc::format;
use alloc::string::String;
use alloc::vec;

use super::Verdict;
use crate::counters::Mib;
use crate::flow::{Addr, Endpoint, FourTuple};
use crate::kernel::{Config, Kernel};
use crate::release::Release;
use crate::request::Request;
use crate::segment::{Options, Segment, Timestamp};
use crate::seq::Seq;
use crate::table::ehash::Entry;
use crate::table::slab::{Id as _, ListenId};
use crate::test_host::config;
use crate::text_table::{Row, check, flags};
use crate::time::Clock;

const IRS: Seq = Seq(0xffff_fff0);
const ISS: Seq = Seq(7000);
const SYN_TSVAL: u32 = 900;

fn kernel(release: Release) -> Kernel {
    Kernel::new(&Config {
        clock: Clock::new(1000, 0),
        addrs: vec![Addr::v4(10, 0, 0, 2)],
        ..config(release)
    })
}

/// Window 1000, timestamps; SYN-ACKs went out at 5000 and 6000 of our timestamp clock.
fn request(num_timeout: u8) -> Request {
    let (us, them) = (Endpoint::new(Addr(1), 80), Endpoint::new(Addr(2), 4000));
    Request {
        flow: FourTuple::new(us, them),
        chain: Entry::NONE,
        listener: ListenId::new(0),
        irs: IRS,
        iss: ISS,
        rcv_wnd: 1000,
        rcv_wscale: 0,
        snd_wscale: None,
        mss: 1460,
        sack: true,
        timestamps: true,
        ts_recent: SYN_TSVAL,
        ts_offset: 0,
        synack_first: 5000,
        synack_last: 6000,
        sent_us: 0,
        num_timeout,
        num_retrans: 0,
        acked: false,
        last_oow: 0,
        syn_win: 65535,
        syn_chain: 0,
        expires: 0,
        cookie: false,
    }
}

/// `seq` is relative to the peer's initial number, `ack` to ours, `tsval` to the SYN's.
fn verdict(release: Release, num_timeout: u8, row: &Row<'_>) -> String {
    let at = |base: Seq, column| Seq(base.0.wrapping_add(row.number(column).unwrap_or(0) as u32));
    let ts = row.number("tsval").map(|d| Timestamp {
        val: SYN_TSVAL.wrapping_add(d as u32),
        ecr: row.number("tsecr").unwrap_or(0) as u32,
    });
    let seg = Segment {
        seq: at(IRS, "seq"),
        ack: at(ISS, "ack"),
        len: row.number("len").unwrap() as u16,
        flags: flags(row.get("flags")),
        options: Options { ts, ..Options::default() },
        ..Segment::default()
    };
    let counted = |mib: Option<Mib>| mib.map_or(String::new(), |m| format!(" {m:?}"));
    match kernel(release).judge_request(&request(num_timeout), &seg, 1000) {
        Verdict::SynAckAgain => "syn-ack".into(),
        Verdict::BadAck => "to the listener".into(),
        Verdict::Ack(reason) => format!("ack{}", counted(reason)),
        Verdict::Ignore(reason) => format!("ignore{}", counted(reason)),
        Verdict::Challenge => "challenge".into(),
        Verdict::End { rst: true } => "end by rst".into(),
        Verdict::End { rst: false } => "end by syn".into(),
        Verdict::Child => "child".into(),
    }
}

const TABLE: &str = "
flags seq  len ack tsval tsecr verdict
# the SYN again, whatever the window; PAWS counts
S     0    0   -   -     -     syn-ack
S     0    0   -   0     0     syn-ack
S     0    0   -   5     0     syn-ack
S     0    10  -   -     -     syn-ack
SF    0    0   -   -     -     syn-ack
S     0    0   -   -1    0     ack PAWSEstab
# an ACK of something else goes to the listener, unless it is a RST
.     1    0   0   -     -     to the listener
.     1    0   2   -     -     to the listener
.     9999 0   2   -     -     to the listener
R.    1    0   2   -     -     end by rst
S.    0    0   0   -     -     to the listener
# out of the window
.     0    0   1   -     -     ack
.     1002 0   1   -     -     ack
P.    1002 10  1   -     -     ack
P.    -20  10  1   -     -     ack
S     -1   0   -   -     -     ack
S     1002 0   -   -     -     ack
S     5000 0   -   -     -     ack
-     5000 0   -   -     -     ack
R     0    0   -   -     -     ignore
R     1002 0   -   -     -     ignore
R.    1002 0   1   -     -     ignore
# an old timestamp, tolerance 0; for a RST too
.     1    0   1   -1    5000  ack PAWSEstab
P.    1    10  1   -1    5000  ack PAWSEstab
R     1    0   -   -1    0     ignore PAWSEstab
# an echo of what we never sent
.     1    0   1   0     4999  3.10: child  6.18: ack TSEcrRejected
.     1    0   1   0     6001  3.10: child  6.18: ack TSEcrRejected
.     1    0   1   0     5000  child
.     1    0   1   0     5500  child
.     1    0   1   0     6000  child
.     1    0   1   0     0     child
.     5000 0   1   0     4999  3.10: ack  6.18: ack TSEcrRejected
R     1    0   -   0     4999  3.10: end by rst  6.18: ignore TSEcrRejected
# RST in the window
R     1    0   -   -     -     end by rst
R.    1    0   1   -     -     end by rst
R     2    0   -   -     -     3.10: end by rst  6.18: challenge
R     1000 0   -   -     -     3.10: end by rst  6.18: challenge
# SYN in the window, other than the first one
S     1    0   -   -     -     end by syn
S     500  0   -   -     -     end by syn
S.    1    0   1   -     -     end by syn
# at the first one's place the SYN is cut off
S.    0    0   1   -     -     ack
S.    0    10  1   -     -     child
# no ACK flag
P     1    10  -   -     -     ignore
F     1    0   -   -     -     ignore
-     1    0   -   -     -     ignore
# complete
.     1    0   1   -     -     child
F.    1    0   1   -     -     child
P.    1    10  1   -     -     child
P.    500  10  1   -     -     child
.     1    0   1   5     5500  child
";

#[test]
fn every_kind_of_segment() {
    check(TABLE, |release, row| verdict(release, 0, row));
}

#[test]
fn a_wait_of_a_minute_spares_a_rst_from_paws() {
    let table = "
flags seq  len ack tsval tsecr verdict
R     1    0   -   -1    0     end by rst
.     1    0   1   -1    5000  ack PAWSEstab
";
    check(table, |release, row| verdict(release, 6, row));
    let table = "
flags seq  len ack tsval tsecr verdict
R     1    0   -   -1    0     ignore PAWSEstab
";
    check(table, |release, row| verdict(release, 5, row));
}
