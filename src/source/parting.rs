//! Where two runs part: the first segment or note of one of them that the other does not have.

use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};
use finwait_sim::text::grouped;
use finwait_viz::compare::Parting;

use super::{Happened, Source, Told};
use crate::failure::Failure;

/// So much of both runs is looked at in one piece.
const PIECE: Span = Span::secs(2);

/// Where two runs part, in words and as it happened.
#[derive(Clone, Debug)]
pub(crate) struct Parted {
    /// In words.
    pub(crate) parting: Parting,
    /// What happens next in each of them; perhaps later in one.
    pub(crate) next: [Option<Happened>; 2],
}

/// Looks for it from the beginning on; scenarios are played until it is found.
pub(crate) fn find(a: &mut Source, b: &mut Source) -> Result<Option<Parted>, Failure> {
    if !(a.is_whole() && b.is_whole()) {
        // What one of them has not recorded may be where they part.
        return Ok(None);
    }
    let end = a.end().min(b.end());
    let mut from = Instant::ZERO;
    while from < end {
        let to = end.min(from + PIECE);
        let (left, right) = (piece(a, from, to)?, piece(b, from, to)?);
        let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
        let next = [left.get(same), right.get(same)];
        if let Some(at) = next.iter().flatten().map(|happened| happened.at).min() {
            let what = [words(a, next[0], at), words(b, next[1], at)];
            let next = next.map(Option::<&Happened>::copied);
            return Ok(Some(Parted { parting: Parting { at, what }, next }));
        }
        from = to;
    }
    Ok(None)
}

fn piece(source: &mut Source, from: Instant, to: Instant) -> Result<Vec<Happened>, Failure> {
    let mut all = Vec::new();
    source.events(from, to, |happened| {
        all.push(*happened);
        Ok(())
    })?;
    // A recording and a world tell what happens at one instant in different orders.
    all.sort_by_key(|happened| (happened.at, happened.host));
    Ok(all)
}

/// What happens then, if it does then.
fn words(source: &Source, happened: Option<&Happened>, at: Instant) -> String {
    let Some(happened) = happened.filter(|happened| happened.at == at) else {
        return "nothing".to_owned();
    };
    let hosts = source.hosts();
    let host = hosts.get(usize::from(happened.host.0)).copied().unwrap_or_default();
    format!("{host}: {}", told(&happened.what))
}

fn told(what: &Told) -> String {
    let note = match what {
        Told::Sent(segment, cause) => return format!("sends {segment} ({})", cause.site().name),
        Told::Note(note) => *note,
    };
    match note {
        Note::State { flow, from, to } => format!("{flow} goes from {from} to {to}"),
        Note::BucketBorn { flow, substate, .. } => format!("{flow} is a bucket in {substate}"),
        Note::BucketRefused { flow, substate, count, limit, .. } => {
            let (count, limit) =
                (grouped(count.into()), grouped(limit.max(0).unsigned_abs().into()));
            format!("{flow} is refused a bucket in {substate}: {count} of {limit} are there")
        }
        Note::BucketTimeWait { flow } => format!("{flow}, a bucket, goes to TIME-WAIT"),
        Note::BucketDied { flow, .. } => format!("{flow}, a bucket, is gone"),
        Note::RequestBorn { flow } => format!("{flow} is a half-open request"),
        Note::RequestDied { flow, .. } => format!("{flow}, a half-open request, is gone"),
        Note::Orphaned { flow, state } => format!("{flow} is an orphan in {state}"),
        Note::Destroyed { flow, state, .. } => format!("{flow} is destroyed in {state}"),
        Note::Timer { flow, kind } => format!("{flow} has a timer: {kind:?}"),
        Note::Drop { flow, reason } => format!("a segment of {flow} is dropped: {reason:?}"),
    }
}
