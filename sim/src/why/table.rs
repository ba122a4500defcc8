//! When a host's bucket table became full.

use finwait_model::sink::Note;
use finwait_model::time::Instant;

use super::{Decided, Link};
use crate::recording::{Error, Event, Filter, Recording, What};
use crate::text::grouped;

/// The first refusal of a bucket on the host of a later one, found by the samples around it. `None`
/// if the recording does not hold it, as where only some connections are recorded.
pub(super) fn became_full(rec: &Recording, refusal: &Event) -> Result<Option<Link>, Error> {
    let samples = rec.samples(refusal.host)?;
    // Before the sample that counts the first refusal, and not before the one that counts none.
    let behind = samples.iter().position(|s| s.overflows > 0);
    let until = behind.map_or(refusal.at, |n| samples[n].at.min(refusal.at));
    let last_without = samples[..behind.unwrap_or(samples.len())].last();
    let from = last_without.map_or(Instant::ZERO, |s| s.at.min(refusal.at));
    let filter = Filter { host: Some(refusal.host), ..Filter::default() };
    let range = from..Instant { ns: until.ns.saturating_add(1) };
    let mut events = rec.events(range, filter);
    let first = events.find(|event| match event {
        Ok(event) => matches!(event.what, What::Note(Note::BucketRefused { .. })),
        Err(_) => true,
    });
    let Some(first) = first.transpose()? else { return Ok(None) };
    let What::Note(Note::BucketRefused { count, limit, .. }) = first.what else { return Ok(None) };
    // The refusal itself is the first: nothing happened to the table before.
    if first == *refusal {
        return Ok(None);
    }
    let limit = u64::try_from(limit).unwrap_or(0);
    let mut text = format!(
        "the first bucket of the run is refused: the table is full, {} of {}",
        grouped(u64::from(count)),
        grouped(limit)
    );
    if let Some(sample) = last_without.filter(|s| s.sockstat.tw > 0) {
        text += &format!(
            " (the sample at {} s shows {})",
            sample.at,
            grouped(u64::from(sample.sockstat.tw))
        );
    }
    let mut averted = Vec::new();
    let by_now = samples.iter().rev().find(|s| s.at <= refusal.at).filter(|s| s.overflows > 0);
    if let Some(now) = by_now {
        averted.push(format!(
            "until {} s {} buckets were refused: {} slots would have held them all, even if \
             none became free",
            now.at,
            grouped(now.overflows),
            grouped(limit + now.overflows)
        ));
    }
    Ok(Some(Link {
        at: first.at,
        host: first.host,
        event: "table-full",
        text,
        functions: vec!["tcp_time_wait"],
        decided: vec![Decided { sysctl: "net.ipv4.tcp_max_tw_buckets", value: limit.to_string() }],
        averted,
        causes: Vec::new(),
    }))
}
