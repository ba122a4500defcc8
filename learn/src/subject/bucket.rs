//! A segment meets a timewait bucket. `[tcp_timewait_state_process]`

use std::sync::OnceLock;

use finwait_model::cause::Cause;
use finwait_model::release::Release;
use finwait_model::segment::{Flags, Segment};
use finwait_model::seq::{Seq, in_window};
use finwait_model::sink::{BucketEnd, Note};
use finwait_model::time::Span;

use super::{Seen, Subject, Verdict};
use crate::expr::{Word, number, truth};
use crate::lab::{Lab, Say, What};

const WORDS: &[Word] = &[
    truth("syn", "the SYN flag"),
    truth("fin", "the FIN flag"),
    truth("rst", "the RST flag"),
    truth("ack", "the ACK flag"),
    number("seq", "where the segment begins"),
    number("end", "where it ends: seq, payload, and one for a SYN and for a FIN"),
    number("len", "bytes of payload"),
    number("rcv_nxt", "the next number that the bucket waits for"),
    number("window_end", "the first number beyond its window"),
    truth("in_window", "the segment touches the window, as tcp_in_window() tests it"),
    truth("ts_older", "its timestamp is older than the bucket's last one"),
    truth("ts_newer", "its timestamp is newer"),
    truth("time_wait", "the bucket stands in TIME-WAIT, not in FIN-WAIT-2"),
];

const ACK: Verdict =
    Verdict { name: "ack", does: "answers with an ACK, and the bucket stays", leaves: "ACK" };
const TAKES: Verdict = Verdict {
    name: "time-wait",
    does: "answers with an ACK, and the bucket goes to TIME-WAIT",
    leaves: "ACK",
};
const RST: Verdict =
    Verdict { name: "rst", does: "answers with a RST, and the bucket goes", leaves: "RST" };
const DROP: Verdict = Verdict { name: "drop", does: "is silent, and the bucket stays", leaves: "" };
const RESTART: Verdict =
    Verdict { name: "restart", does: "is silent, and the 60 s begin anew", leaves: "" };
const DIE: Verdict = Verdict { name: "die", does: "is silent, and the bucket goes", leaves: "" };
const REOPEN: Verdict =
    Verdict { name: "reopen", does: "answers with a SYN ACK: a new connection", leaves: "SYN ACK" };

pub(super) const FIN_WAIT_2: Subject = Subject {
    name: "fin-wait-2-bucket",
    about: "a segment meets a bucket that waits for the peer's FIN; no timestamps",
    words: WORDS,
    verdicts: &[ACK, TAKES, RST, DROP, DIE],
    decides_segment: true,
    sizes: &[FLAGS.len(), PLACES, LENGTHS.len(), 1, 1],
    values,
    observe,
};

pub(super) const TIME_WAIT: Subject = Subject {
    name: "time-wait",
    about: "a segment meets a bucket in TIME-WAIT, with timestamps",
    words: WORDS,
    verdicts: &[ACK, DROP, RESTART, DIE, REOPEN, RST],
    decides_segment: true,
    sizes: &[FLAGS.len(), PLACES, LENGTHS.len(), STAMPS.len(), 1],
    values: |pick| values(&in_time_wait(pick)),
    observe: |pick| observe(&in_time_wait(pick)),
};

pub(super) const BUCKET: Subject = Subject {
    name: "bucket",
    about: "a segment meets a bucket in FIN-WAIT-2 or TIME-WAIT, with timestamps",
    words: WORDS,
    verdicts: &[ACK, TAKES, RST, DROP, RESTART, DIE, REOPEN],
    decides_segment: true,
    sizes: &[FLAGS.len(), PLACES, LENGTHS.len(), STAMPS.len(), 2],
    values,
    observe,
};

/// A pick of the last dimension, which says where the bucket stands, moved on by one.
fn in_time_wait(pick: &[usize]) -> Vec<usize> {
    let mut pick = pick.to_vec();
    pick[STATE] = 1;
    pick
}

const FLAGS: [Flags; 8] = [
    Flags::FIN.with(Flags::ACK),
    Flags::ACK,
    Flags::RST,
    Flags::SYN,
    Flags::SYN.with(Flags::ACK),
    Flags::RST.with(Flags::ACK),
    Flags::FIN,
    Flags::NONE,
];
const PLACES: usize = 9;
const LENGTHS: [u16; 3] = [0, 10, 1];
const STAMPS: [i32; 3] = [0, -2, 2];
const STATE: usize = 4;
/// Bytes that the peer sent before the close.
const SENT: i64 = 1000;

/// Where the segment begins.
fn place(pick: usize, rcv_nxt: i64, edge: i64) -> i64 {
    match pick {
        0 => rcv_nxt,
        1 => rcv_nxt + 1,
        2 => rcv_nxt - 1,
        3 => rcv_nxt + 500,
        4 => rcv_nxt - 10,
        5 => edge - 1,
        6 => edge,
        7 => edge + 1,
        _ => rcv_nxt - 500,
    }
}

/// The conversation up to the bucket.
fn conversation(time_wait: bool, timestamps: bool) -> Lab {
    let mut lab = Lab::new(Release::V6_18, &[], timestamps);
    let fd = lab.accepted();
    lab.wait(Span::millis(10));
    lab.peer(Flags::PSH.with(Flags::ACK), 1, SENT as u16, 1);
    lab.recv(fd);
    lab.wait(Span::millis(10));
    lab.close(fd);
    lab.wait(Span::millis(10));
    lab.peer(Flags::ACK, 1 + SENT, 0, 2);
    if time_wait {
        lab.wait(Span::millis(10));
        lab.peer(Flags::FIN.with(Flags::ACK), 1 + SENT, 0, 2);
    }
    lab.wait(Span::secs(10));
    lab
}

/// What the segment of a pick is, relative to the bucket.
fn say(pick: &[usize], edge: i64) -> (Say, i64) {
    let rcv_nxt = 1 + SENT + pick[STATE] as i64;
    let say = Say {
        flags: FLAGS[pick[0]],
        seq: place(pick[1], rcv_nxt, edge),
        len: LENGTHS[pick[2]],
        ack: 2,
        ts: Some(STAMPS[pick[3]]),
    };
    (say, rcv_nxt)
}

/// The window's right edge in the conversation of a pick: measured once for each kind.
fn edge(pick: &[usize]) -> i64 {
    static EDGES: OnceLock<[i64; 4]> = OnceLock::new();
    let measured = || {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(time_wait, stamps)| conversation(time_wait, stamps).edge())
    };
    EDGES.get_or_init(measured)[2 * pick[STATE] + usize::from(has_stamps(pick))]
}

/// The first exercise on buckets does without timestamps: nothing but numbers and flags.
fn has_stamps(pick: &[usize]) -> bool {
    STAMPS[pick[3]] != 0 || pick[STATE] == 1
}

fn values(pick: &[usize]) -> Option<Vec<i64>> {
    let edge = edge(pick);
    let (say, rcv_nxt) = say(pick, edge);
    let extra = i64::from(say.flags.syn()) + i64::from(say.flags.fin());
    let end = say.seq + i64::from(say.len) + extra;
    let at = |n: i64| Seq(n as u32);
    let touches = in_window(at(say.seq), at(end), at(rcv_nxt), at(edge));
    let ts = STAMPS[pick[3]];
    Some(vec![
        i64::from(say.flags.syn()),
        i64::from(say.flags.fin()),
        i64::from(say.flags.rst()),
        i64::from(say.flags.ack()),
        say.seq,
        end,
        i64::from(say.len),
        rcv_nxt,
        edge,
        i64::from(touches),
        i64::from(ts < 0),
        i64::from(ts > 0),
        pick[STATE] as i64,
    ])
}

fn observe(pick: &[usize]) -> Seen {
    let mut lab = conversation(pick[STATE] == 1, has_stamps(pick));
    let before = lab.rungs().len();
    let left = lab.bucket_left();
    lab.hears(say(pick, edge(pick)).0);
    let (verdict, why, path) = decided(&lab, before, left);
    Seen { verdict, why, path, lab, before }
}

const PROCESS: &str = "tcp_v4_rcv → tcp_timewait_state_process";

fn decided(lab: &Lab, before: usize, left: Span) -> (&'static str, String, String) {
    let after = &lab.rungs()[before..];
    let sent = after.iter().find_map(|r| match &r.what {
        What::Out(segment, cause) => Some((*segment, *cause)),
        _ => None,
    });
    let noted = |wanted: fn(&Note) -> bool| {
        after.iter().any(|r| matches!(&r.what, What::Note(note) if wanted(note)))
    };
    let taken = noted(|n| matches!(n, Note::BucketTimeWait { .. }));
    let gone = noted(|n| matches!(n, Note::BucketDied { how: BucketEnd::Reset, .. }));
    let silent = |verdict, why: &str| (verdict, why.to_owned(), PROCESS.to_owned());
    match sent {
        Some((segment, cause)) => {
            let site = cause.site();
            let verdict = match segment.flags {
                flags if flags.syn() => "reopen",
                flags if flags.rst() => "rst",
                _ if taken => "time-wait",
                _ => "ack",
            };
            let mut why = site.why.to_owned();
            if cause == Cause::TwAckTimeWait || cause == Cause::TwAckFinWait2 {
                why +=
                    " Whoever sent it is told where the connection stands, at most twice a second.";
            }
            (verdict, why, site.path.join(" → "))
        }
        None if gone => {
            silent("die", "A RST that fits takes the bucket away, and nobody answers a RST.")
        }
        None if lab.bucket_left() > left => silent(
            "restart",
            "An empty segment exactly where the last one ended is the peer's last ACK once more: \
             the 60 s begin anew.",
        ),
        None => silent("drop", "There is nothing new in it to acknowledge and nothing to refuse."),
    }
}

/// The bucket and the segment of a pick, for rules in Rust: `rcv_nxt` and the window's end as they
/// are on the wire, and the segment.
pub(crate) fn bucket_of(values: &[i64], seen: &Seen) -> Option<(Seq, Seq, Segment)> {
    let rungs = seen.lab.rungs();
    let segment = rungs[seen.before..].iter().find_map(|r| match &r.what {
        What::In(segment) => Some(*segment),
        _ => None,
    })?;
    let base = Seq(segment.seq.0.wrapping_sub(values[4] as u32));
    Some((base + values[7] as u32, base + values[8] as u32, segment))
}
