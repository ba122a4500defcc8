//! What the host noted, in a line of words.

use finwait_model::flow::FourTuple;
use finwait_model::sink::Note;

use super::talk::Talk;

/// The note as a line.
pub(super) fn words(note: &Note, talk: &Talk) -> String {
    let name = |flow: FourTuple| talk.conn(flow.sport, flow.dport);
    match *note {
        Note::State { flow, from, to } => {
            format!("{} {from} → {to}", name(flow))
        }
        Note::BucketBorn { flow, substate, timeout } => {
            format!("{} a bucket in {substate} for {timeout}", name(flow))
        }
        Note::BucketRefused { flow, substate, count, limit, .. } => {
            format!("{} no bucket for {substate}: {count} of {limit} are there", name(flow))
        }
        Note::BucketTimeWait { flow } => format!("{} the bucket goes to TIME-WAIT", name(flow)),
        Note::BucketDied { flow, substate, how } => {
            format!("{} the bucket in {substate} is gone: {how:?}", name(flow))
        }
        Note::RequestBorn { flow } => format!("{} a half-open request", name(flow)),
        Note::RequestDied { flow, why } => {
            format!("{} the half-open request is gone: {why:?}", name(flow))
        }
        Note::Orphaned { flow, state } => format!("{} an orphan in {state}", name(flow)),
        Note::Destroyed { flow, state, why } => {
            format!("{} destroyed in {state}: {why:?}", name(flow))
        }
        Note::Timer { flow, kind } => format!("{} timer: {kind:?}", name(flow)),
        Note::Drop { flow, reason } => format!("{} dropped: {reason:?}", name(flow.reversed())),
    }
}
