//! What the kernel itself tells through its tracepoints, held against the model: why and from where
//! each RST was sent, every change of state, and from where segments were sent again.

use std::collections::BTreeSet;

use finwait_sim::script::observe::Conn;

use super::{Difference, Kind, Tolerance};
use crate::seen::{Reset, Retransmit, Seen, StateChange};

/// Compares it, if the kernel told anything.
pub(super) fn compare(
    live: &Seen,
    model: &Seen,
    tolerance: Tolerance,
    found: &mut Vec<Difference>,
) {
    if !live.resets.is_empty() {
        resets(live, model, found);
    }
    if !live.states.is_empty() {
        states(live, model, tolerance, found);
    }
    if !live.retransmits.is_empty() {
        retransmits(live, model, found);
    }
}

/// Changes of state of each connection, in order. Full sockets only: a bucket changes its substate
/// in silence.
fn states(live: &Seen, model: &Seen, tolerance: Tolerance, found: &mut Vec<Difference>) {
    let end = live.looks.last().map_or(0, |l| l.at_ns);
    let conns: BTreeSet<Conn> = live.states.iter().chain(&model.states).map(|s| s.conn).collect();
    for conn in conns {
        let of = |seen: &Seen| -> Vec<StateChange> {
            let on = seen.states.iter().filter(|s| s.conn == conn && s.at_ns <= end);
            on.cloned().collect()
        };
        let (l, m) = (of(live), of(model));
        for index in 0..l.len().max(m.len()) {
            let (a, b) = (l.get(index), m.get(index));
            let at_ns = a.or(b).map_or(0, |s| s.at_ns);
            let same = match (a, b) {
                (Some(a), Some(b)) => a.change == b.change && tolerance.same_time(a.at_ns, b.at_ns),
                // At the very end one arm may just have been faster.
                _ => at_ns + tolerance.late_ns >= end,
            };
            if !same {
                let text = |s: Option<&StateChange>| {
                    s.map_or_else(
                        || "nothing".to_owned(),
                        |s| {
                            let ms = s.at_ns / 1_000_000;
                            format!("{} -> {} at {ms} ms", s.change.0, s.change.1)
                        },
                    )
                };
                found.push(Difference {
                    at_ns,
                    step: step_at(live, at_ns),
                    kind: Kind::State,
                    subject: format!("change {} of {conn}", index + 1),
                    live: text(a),
                    model: text(b),
                });
                break;
            }
        }
    }
}

/// What was sent again, from where.
fn retransmits(live: &Seen, model: &Seen, found: &mut Vec<Difference>) {
    let end = live.looks.last().map_or(0, |l| l.at_ns);
    let conns: BTreeSet<Conn> =
        live.retransmits.iter().chain(&model.retransmits).map(|s| s.conn).collect();
    for conn in conns {
        let of = |seen: &Seen| -> Vec<Retransmit> {
            let on = seen.retransmits.iter().filter(|r| r.conn == conn && r.at_ns <= end);
            on.cloned().collect()
        };
        let (l, m) = (of(live), of(model));
        for (a, b) in l.iter().zip(&m) {
            // An ICMP error may do at once what the timer was about to do (RFC 6069).
            let icmp = a.path.iter().any(|f| f == "tcp_v4_err");
            let from = b.path.iter().position(|f| icmp && f == "tcp_retransmit_timer").unwrap_or(0);
            if !on_stack(&a.path, &b.path[from..]) {
                found.push(Difference {
                    at_ns: a.at_ns,
                    step: step_at(live, a.at_ns),
                    kind: Kind::Retransmit,
                    subject: format!("retransmission on {conn}"),
                    live: a.path.join(" > "),
                    model: b.path.join(" > "),
                });
                break;
            }
        }
    }
}

/// The last step begun before.
fn step_at(live: &Seen, at_ns: u64) -> usize {
    live.steps.iter().filter(|d| d.start_ns <= at_ns).count().saturating_sub(1)
}

fn resets(live: &Seen, model: &Seen, found: &mut Vec<Difference>) {
    for index in 0..live.resets.len().max(model.resets.len()) {
        let (l, m) = (live.resets.get(index), model.resets.get(index));
        let same = matches!((l, m), (Some(l), Some(m)) if same_reset(l, m));
        if !same {
            let text = |r: Option<&Reset>| {
                r.map_or_else(
                    || "nothing".to_owned(),
                    |r| format!("{} {}: {}", r.conn, r.reason, r.path.join(" > ")),
                )
            };
            let at_ns = l.or(m).map_or(0, |r| r.at_ns);
            let step = step_at(live, at_ns);
            let subject = format!("RST {}", index + 1);
            let (live, model) = (text(l), text(m));
            found.push(Difference { at_ns, step, kind: Kind::Reset, subject, live, model });
            return;
        }
    }
}

/// Functions that the compiler puts into their only caller, so that no stack shows them.
const INLINED: [&str; 2] = ["tcp_write_timer_handler", "tcp_xmit_recovery"];

/// A label, and functions that decide for a RST and return to their caller, so that they are on our
/// path but no longer on the stack when the RST is built.
const DECIDED_BEFORE: [&str; 7] = [
    "tcp_check_oom",
    "no_tcp_socket",
    "tcp_reset",
    "tcp_rcv_state_process",
    "tcp_rcv_synsent_state_process",
    "tcp_timewait_state_process",
    "tcp_check_req",
];

/// The kernel's stack has more frames than our path names: ours must appear in it, in order.
fn on_stack(stack: &[String], path: &[String]) -> bool {
    let mut frames = stack.iter().peekable();
    stack.is_empty()
        || path.iter().map(String::as_str).all(|f| {
            let rest = frames.clone();
            frames.any(|s| s == f) || {
                frames = rest;
                DECIDED_BEFORE.contains(&f) || INLINED.contains(&f)
            }
        })
}

fn same_reset(l: &Reset, m: &Reset) -> bool {
    // For a segment to a listener the kernel names only the listener.
    let conn = l.conn == m.conn || (l.conn.remote == 0 && l.conn.local == m.conn.local);
    conn && l.reason == m.reason && on_stack(&l.path, &m.path)
}
