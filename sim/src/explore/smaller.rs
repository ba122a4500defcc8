//! The smallest schedule that still shows a violation of the same kind.
//!
//! The generator's own shrinking makes steps and values smaller one by one; this goes on where it
//! stops, until no part of the schedule can be left out and no wait made shorter.

use finwait_model::release::Release;
use finwait_model::time::Span;

use super::judge::{Kind, Violation, play_all};
use super::property::Property;
use super::schedule::{Act, Fate, Habits, Schedule};

/// Waits and delays worth trying, from the simplest on: long enough for everything to arrive and be
/// acknowledged, at once, and some between.
pub const WAITS: [Span; 4] = [Span::millis(100), Span::ZERO, Span::millis(10), Span::millis(1000)];

/// Makes the schedule smaller while it shows a violation of that kind. Gives the violation with it.
pub fn smallest(
    schedule: &Schedule,
    property: &Property,
    kind: Kind,
) -> Option<(Schedule, Violation)> {
    let shows =
        |s: &Schedule| play_all(s, property).into_iter().find(|violation| violation.kind == kind);
    let mut violation = shows(schedule)?;
    let mut best = schedule.clone();
    loop {
        let next = candidates(&best).into_iter().find_map(|candidate| {
            let violation = shows(&candidate)?;
            Some((candidate, violation))
        });
        match next {
            Some((smaller, its)) => (best, violation) = (smaller, its),
            None => return Some((best, violation)),
        }
    }
}

/// Smaller schedules, those first of which most is left out. Each is smaller in an order that has
/// no infinite descent: fewer parts, then simpler ones.
fn candidates(from: &Schedule) -> Vec<Schedule> {
    let mut out = Vec::new();
    without_conns(from, &mut out);
    without_steps(from, &mut out);
    for n in 0..from.fates.len() {
        out.push(changed(from, |s| {
            s.fates.remove(n);
        }));
    }
    for side in 0..2 {
        for n in 0..from.hosts[side].sysctl.len() {
            out.push(changed(from, |s| drop(s.hosts[side].sysctl.remove(n))));
        }
        let Habits { leaves_unread, never_accepts } = from.hosts[side].habits;
        if leaves_unread {
            out.push(changed(from, |s| s.hosts[side].habits.leaves_unread = false));
        }
        if never_accepts {
            out.push(changed(from, |s| s.hosts[side].habits.never_accepts = false));
        }
    }
    simpler(from, &mut out);
    // A step less sends some segments less: those that have a fate have other numbers then.
    let shifted: Vec<Schedule> = out
        .iter()
        .filter(|s| s.steps.len() < from.steps.len() || s.fates.len() < from.fates.len())
        .flat_map(|s| (0..2).flat_map(move |side| (1..=4).map(move |by| (s, side, by))))
        .filter_map(|(s, side, by)| {
            let mut s = s.clone();
            let mut its = s.fates.iter_mut().filter(|f| f.side == side).peekable();
            its.peek()?;
            its.for_each(|f| f.nth = f.nth.saturating_sub(by).max(1));
            Some(s)
        })
        .collect();
    out.extend(shifted);
    out
}

fn changed(from: &Schedule, change: impl FnOnce(&mut Schedule)) -> Schedule {
    let mut schedule = from.clone();
    change(&mut schedule);
    schedule
}

/// Without one connection and everything that is done with it.
fn without_conns(from: &Schedule, out: &mut Vec<Schedule>) {
    let conns = from.conns();
    for gone in (0..conns).filter(|_| conns > 1) {
        out.push(changed(from, |s| {
            let mut opened = 0;
            s.steps.retain(|step| {
                let opens = matches!(step.act, Act::Connect | Act::Reconnect);
                let whole = matches!(step.act, Act::Exit | Act::CloseListener | Act::Accept);
                let conn = if opens { opened } else { usize::from(step.conn) };
                opened += usize::from(opens);
                whole || conn != gone
            });
            for step in &mut s.steps {
                step.conn -= u8::from(usize::from(step.conn) > gone);
            }
        }));
    }
}

fn without_steps(from: &Schedule, out: &mut Vec<Schedule>) {
    let count = from.steps.len();
    let mut chunk = count.div_ceil(2);
    while chunk > 0 {
        for start in (0..count).step_by(chunk) {
            let end = (start + chunk).min(count);
            let gap = from.steps[start..end].iter().fold(Span::ZERO, |sum, s| sum + s.after);
            let cut = |s: &mut Schedule| drop(s.steps.drain(start..end));
            out.push(changed(from, cut));
            // What follows keeps its distance, because timers may matter.
            if end < count {
                out.push(changed(from, |s| {
                    cut(s);
                    s.steps[start].after = s.steps[start].after + gap;
                }));
            }
        }
        chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
    }
}

/// With simpler parts: newer kernels, shorter waits, less data, plainer ways to close.
fn simpler(from: &Schedule, out: &mut Vec<Schedule>) {
    for side in 0..2 {
        if from.hosts[side].release == Release::V3_10 && from.hosts[side].given.is_empty() {
            out.push(changed(from, |s| {
                let host = &mut s.hosts[side];
                host.release = Release::V6_18;
                host.clock.hz = Release::V6_18.default_hz();
            }));
        }
    }
    for n in 0..from.steps.len() {
        let step = from.steps[n];
        for wait in simpler_waits(step.after) {
            out.push(changed(from, |s| s.steps[n].after = wait));
        }
        let plainer: &[Act] = match step.act {
            Act::Exit | Act::ShutRdWr => &[Act::Close],
            Act::ShutWr => &[Act::Close],
            Act::Reconnect => &[Act::Connect],
            Act::Send(len) if len > 1000 => &[Act::Send(100), Act::Send(1000)],
            Act::Send(len) if len != 100 => &[Act::Send(100)],
            _ => &[],
        };
        out.extend(plainer.iter().map(|act| changed(from, |s| s.steps[n].act = *act)));
    }
    for n in 0..from.fates.len() {
        let fate = from.fates[n].fate;
        if let Fate::Late(by) | Fate::Twice(by) = fate {
            for wait in simpler_waits(by).filter(|wait| *wait > Span::ZERO) {
                let simpler = match fate {
                    Fate::Late(_) => Fate::Late(wait),
                    _ => Fate::Twice(wait),
                };
                out.push(changed(from, |s| s.fates[n].fate = simpler));
            }
            out.push(changed(from, |s| s.fates[n].fate = Fate::Lost));
        }
    }
    if from.backlog != 1 {
        out.push(changed(from, |s| s.backlog = 1));
    }
}

/// Simpler waits than that one, the simplest first.
fn simpler_waits(wait: Span) -> impl Iterator<Item = Span> {
    let place = WAITS.iter().position(|w| *w == wait).unwrap_or(WAITS.len());
    WAITS.into_iter().take(place).filter(move |w| place < WAITS.len() || *w < wait)
}
