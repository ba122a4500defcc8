//! The events of the format. Times are microseconds; nanoseconds are their fractions.

use finwait_model::time::Instant;
use serde_json::{Value, json};

/// Where an event stands: process and thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) pid: usize,
    pub(super) tid: usize,
}

/// A time as the format has it.
pub(super) fn ts(at: Instant) -> Value {
    if at.ns.is_multiple_of(1000) {
        return json!(at.ns / 1000);
    }
    // Exact to the nanosecond for more than a hundred days.
    json!(at.ns as f64 / 1000.0)
}

/// The name of a track.
pub(super) fn track(place: Place, name: &str) -> Value {
    let Place { pid, tid } = place;
    json!({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}})
}

/// A state begins.
pub(super) fn begin(place: Place, at: Instant, name: &str) -> Value {
    let Place { pid, tid } = place;
    json!({"ph": "B", "cat": "state", "name": name, "pid": pid, "tid": tid, "ts": ts(at)})
}

/// The state that began last on the track ends.
pub(super) fn end(place: Place, at: Instant) -> Value {
    let Place { pid, tid } = place;
    json!({"ph": "E", "pid": pid, "tid": tid, "ts": ts(at)})
}

/// A segment leaves or arrives: a slice without length, to which an arrow can be bound.
pub(super) fn segment(place: Place, at: Instant, name: &str, args: Value) -> Value {
    let Place { pid, tid } = place;
    json!({
        "ph": "X", "cat": "segment", "name": name, "pid": pid, "tid": tid, "ts": ts(at), "dur": 0,
        "args": args,
    })
}

/// One end of an arrow.
pub(super) fn arrow(place: Place, at: Instant, id: u64, is_tail: bool) -> Value {
    let Place { pid, tid } = place;
    let mut event = json!({
        "ph": if is_tail { "s" } else { "f" }, "cat": "segment", "name": "segment", "id": id,
        "pid": pid, "tid": tid, "ts": ts(at),
    });
    if !is_tail {
        event["bp"] = json!("e");
    }
    event
}

/// Something that takes no time.
pub(super) fn instant(place: Place, at: Instant, cat: &str, name: &str, args: Value) -> Value {
    let Place { pid, tid } = place;
    json!({
        "ph": "i", "s": "t", "cat": cat, "name": name, "pid": pid, "tid": tid, "ts": ts(at),
        "args": args,
    })
}
