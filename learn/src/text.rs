//! Words that are told in several places.

use core::fmt::Write as _;

use finwait_model::segment::Flags;
use finwait_model::sink::{BucketEnd, Note};
use finwait_model::state::TcpState;
use finwait_model::time::Instant;

use crate::lab::{Lab, Rung, What};

/// `FIN ACK`, as people say it.
pub(crate) fn flags(flags: Flags) -> String {
    let names = [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
        (Flags::PSH, "PSH"),
        (Flags::ACK, "ACK"),
    ];
    let set: Vec<&str> = names.iter().filter(|(f, _)| flags.has(*f)).map(|(_, n)| *n).collect();
    if set.is_empty() { "no flags".to_owned() } else { set.join(" ") }
}

/// `10.030 s`.
pub(crate) fn seconds(at: Instant) -> String {
    format!("{}.{:03} s", at.ns / 1_000_000_000, at.ns / 1_000_000 % 1000)
}

/// What the kernel noted, if it belongs on a ladder.
fn noted(note: &Note) -> Option<String> {
    Some(match note {
        Note::State { from, to, .. } if is_told(*from, *to) => {
            format!("{from} → {to}")
        }
        Note::BucketBorn { substate, .. } => format!("a bucket in {substate}"),
        Note::BucketRefused { substate, count, limit, .. } => {
            format!("no bucket for {substate}: {count} of {limit} are there; the socket is gone")
        }
        Note::BucketTimeWait { .. } => "the bucket goes to TIME-WAIT".to_owned(),
        Note::BucketDied { how, .. } => match how {
            BucketEnd::Expired => "the bucket's time is up".to_owned(),
            BucketEnd::Reset => "the RST takes the bucket away".to_owned(),
            BucketEnd::AnsweredReset => "the bucket goes with the answer".to_owned(),
            BucketEnd::Reopened | BucketEnd::Recycled => {
                "a new connection takes its place".to_owned()
            }
        },
        _ => return None,
    })
}

/// The listener's own changes, and the end of a socket whose bucket stands already, say nothing.
fn is_told(from: TcpState, to: TcpState) -> bool {
    from != TcpState::Listen && from != TcpState::Close && to != TcpState::Close
}

/// Those rungs as a ladder; each segment has its number.
pub(crate) fn ladder(lab: &Lab, rungs: &[Rung]) -> String {
    let mut text = format!("              peer     Linux {}\n", lab.kernel().release());
    let mut number = 0;
    for rung in rungs {
        let at = seconds(rung.at);
        match &rung.what {
            What::In(seg) => {
                number += 1;
                let _ = writeln!(text, "  {number:>2}  {at:>9}  ──▶  {}", lab.told(seg));
            }
            What::Out(seg, cause) => {
                number += 1;
                let told = lab.told(seg);
                let _ = writeln!(text, "  {number:>2}  {at:>9}  ◀──  {told:<34}  {}", cause.name());
            }
            What::Call(call) => {
                let _ = writeln!(text, "      {at:>9}       {call}");
            }
            What::Note(note) => {
                if let Some(note) = noted(note) {
                    let _ = writeln!(text, "                       · {note}");
                }
            }
        }
    }
    text
}

/// How many segments there are among them.
pub(crate) fn segments(rungs: &[Rung]) -> usize {
    rungs.iter().filter(|r| matches!(r.what, What::In(_) | What::Out(..))).count()
}
