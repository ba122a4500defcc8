//! A host closes while its table of buckets is full, or not: does a RST leave? `[tcp_time_wait]`

use finwait_model::cause::Cause;
use finwait_model::release::Release;
use finwait_model::segment::Flags;
use finwait_model::sink::Note;
use finwait_model::time::Span;

use super::{Seen, Subject, Verdict};
use crate::expr::{Word, number, truth};
use crate::lab::{Lab, Rung, What};

const WORDS: &[Word] = &[
    truth("full", "the table of timewait buckets is full"),
    truth("fin_with_ack", "the peer's FIN comes in the segment that acknowledges ours"),
    truth("fin_later", "it comes on its own, after the ACK of ours"),
    truth("fin_crossing", "it crosses ours on the way"),
    truth("fin_first", "the peer closes first"),
    truth("fin_again", "the peer's FIN comes once more, since our ACK of it was lost"),
    truth("held", "the program calls shutdown(SHUT_WR) and holds the socket until it has read all"),
    truth("data", "the peer sends 10 bytes more before its FIN"),
    number("fin_timeout", "net.ipv4.tcp_fin_timeout: 10, 60 or 61"),
];

pub(super) const TABLE: Subject = Subject {
    name: "full-table",
    about: "a connection ends; does a RST leave, or does it end clean?",
    words: WORDS,
    verdicts: &[
        Verdict { name: "clean", does: "ends the connection without a RST", leaves: "" },
        Verdict { name: "rst", does: "sends a RST", leaves: "RST" },
    ],
    decides_segment: false,
    sizes: &[2, 4, 2, 2, 2, 3],
    values,
    observe,
};

const TIMEOUTS: [&str; 3] = ["60", "61", "10"];

/// How the two FINs come, in the order of the pick.
const WITH_ACK: usize = 1;
const LATER: usize = 0;
const CROSSING: usize = 2;
const FIRST: usize = 3;

/// Full, how the FIN comes, held, data, again, timeout.
fn values(pick: &[usize]) -> Option<Vec<i64>> {
    let &[full, fin, held, data, again, timeout] = pick else { return None };
    // Whoever closes second has had its FIN acknowledged by then, so theirs does not come again;
    // and what comes before the peer's FIN is read before we close.
    if fin == FIRST && (again == 1 || held == 1 || data == 1) {
        return None;
    }
    let is = |how: usize| i64::from(fin == how);
    Some(vec![
        full as i64,
        is(WITH_ACK),
        is(LATER),
        is(CROSSING),
        is(FIRST),
        again as i64,
        held as i64,
        data as i64,
        TIMEOUTS[timeout].parse().unwrap_or(0),
    ])
}

const FIN: Flags = Flags::FIN.with(Flags::ACK);

fn observe(pick: &[usize]) -> Seen {
    let full = pick[0] == 1;
    let sets = [
        ("net.ipv4.tcp_max_tw_buckets", if full { "0" } else { "100" }),
        ("net.ipv4.tcp_fin_timeout", TIMEOUTS[pick[5]]),
    ];
    let mut lab = Lab::new(Release::V6_18, &sets, false);
    let fd = lab.accepted();
    lab.wait(Span::millis(10));
    let begun =
        if pick[1] == FIRST { peer_first(&mut lab, fd) } else { we_first(&mut lab, fd, pick) };
    let before = answered_with_reset(&lab).unwrap_or(begun);
    let (verdict, why, path) = decided(&lab);
    Seen { verdict, why, path, lab, before }
}

/// The rung of the segment that a RST answers.
fn answered_with_reset(lab: &Lab) -> Option<usize> {
    let is_reset = |rung: &Rung| matches!(&rung.what, What::Out(s, _) if s.flags.rst());
    let reset = lab.rungs().iter().position(is_reset)?;
    lab.rungs()[..reset].iter().rposition(|rung| matches!(rung.what, What::In(_)))
}

fn peer_first(lab: &mut Lab, fd: finwait_model::kernel::Fd) -> usize {
    let before = lab.rungs().len();
    lab.peer(FIN, 1, 0, 1);
    lab.recv(fd);
    lab.wait(Span::millis(50));
    lab.close(fd);
    lab.wait(Span::millis(10));
    lab.peer(Flags::ACK, 2, 0, 2);
    before
}

fn we_first(lab: &mut Lab, fd: finwait_model::kernel::Fd, pick: &[usize]) -> usize {
    let (held, data) = (pick[2] == 1, pick[3] == 1);
    if held {
        lab.shut_down(fd);
    } else {
        lab.close(fd);
    }
    lab.wait(Span::millis(10));
    let before = lab.rungs().len();
    let len = if data { 10 } else { 0 };
    match pick[1] {
        LATER => {
            lab.peer(Flags::ACK, 1, 0, 2);
            lab.wait(Span::millis(100));
            lab.peer(FIN, 1, len, 2);
        }
        CROSSING => {
            lab.peer(FIN, 1, len, 1);
            lab.wait(Span::millis(10));
            lab.peer(Flags::ACK, 2 + i64::from(len), 0, 2);
        }
        _ => lab.peer(FIN, 1, len, 2),
    }
    if held {
        lab.recv(fd);
        lab.close(fd);
    }
    if pick[4] == 1 {
        lab.wait(Span::millis(210));
        lab.peer(FIN, 1, len, 2);
    }
    before
}

fn decided(lab: &Lab) -> (&'static str, String, String) {
    let refused = lab.rungs().iter().find_map(|r| match &r.what {
        What::Note(Note::BucketRefused { substate, .. }) => Some(*substate),
        _ => None,
    });
    let reset = lab.rungs().iter().find_map(|r| match &r.what {
        What::Out(segment, cause) if segment.flags.rst() => Some(*cause),
        _ => None,
    });
    match (reset, refused) {
        (Some(cause), refused) => {
            let mut why = cause.site().why.to_owned();
            if let (Cause::RstNoSocket | Cause::RstListenAck, Some(state)) = (cause, refused) {
                why = format!(
                    "It should have met a bucket in {state}, and there was no room for one. {why}"
                );
            }
            ("rst", why, cause.site().path.join(" → "))
        }
        (None, Some(state)) => (
            "clean",
            format!(
                "The bucket for {state} was refused, but nothing came that would have missed it."
            ),
            "tcp_time_wait".to_owned(),
        ),
        (None, None) => (
            "clean",
            "Whatever came met a socket or a bucket that knew what to do with it.".to_owned(),
            "tcp_rcv_state_process".to_owned(),
        ),
    }
}
