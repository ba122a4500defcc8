//! What happened, as lines in order of time; two arms side by side.

use std::fmt::Write as _;

use crate::seen::Seen;
use crate::step::{Act, Call, Case};

/// Characters of one side's column.
const WIDTH: usize = 62;

/// One arm's events as lines.
pub fn lines(case: &Case, seen: &Seen) -> Vec<(u64, String)> {
    let mut out = Vec::new();
    for (step, done) in case.steps.iter().zip(&seen.steps) {
        match &step.act {
            Act::Inject(p) => {
                let end = p.seq.wrapping_add(u32::from(p.len));
                let ack = if p.flags.ack() { format!(" ack {}", p.ack) } else { String::new() };
                let text = format!("< {} {}:{end}({}){ack} win {}", p.flags, p.seq, p.len, p.win);
                out.push((done.start_ns, text));
            }
            Act::Icmp(u) => out.push((done.start_ns, format!("< icmp unreachable {}", u.code))),
            Act::Sysctl { name, value } => {
                out.push((done.start_ns, format!("  sysctl {name}={value}")));
            }
            Act::Call(_) | Act::Await { .. } | Act::Look => {}
        }
    }
    for answer in &seen.answers {
        let call = match case.steps.get(answer.step).map(|s| &s.act) {
            Some(Act::Call(call)) => described(call),
            _ => "?".to_owned(),
        };
        let value = answer.value.as_ref().map_or_else(Clone::clone, ToString::to_string);
        let blocked = match answer.end_ns {
            Some(end) if end - answer.start_ns > 2_000_000 => {
                format!(" after {} ms", (end - answer.start_ns) / 1_000_000)
            }
            _ => String::new(),
        };
        out.push((answer.start_ns, format!("  {call} = {value}{blocked}")));
    }
    for sent in &seen.sent {
        let cause = sent.cause.map_or_else(String::new, |c| format!("  {}", c.name()));
        out.push((sent.at_ns, format!("> {}{cause}", sent.header)));
    }
    out.sort_by_key(|(at, _)| *at);
    out
}

fn described(call: &Call) -> String {
    match call {
        Call::SetOpt { fd, opt } => format!("setsockopt({fd}, {opt:?})"),
        Call::GetOpt { fd, name } => format!("getsockopt({fd}, {name:?})"),
        Call::Shutdown { fd, how } => format!("shutdown({fd}, {how:?})"),
        Call::Send { fd, len, .. } => format!("send({fd}, {len})"),
        Call::Recv { fd, len } => format!("recv({fd}, {len})"),
        Call::Listen { fd, backlog } => format!("listen({fd}, {backlog})"),
        other => format!("{}({})", other.name(), other.fd()),
    }
}

/// Both arms side by side up to a little after `until_ns`.
pub fn side_by_side(case: &Case, live: &Seen, model: &Seen, until_ns: u64) -> String {
    let until = until_ns + 5_000_000;
    let pick = |seen| {
        let all = lines(case, seen).into_iter();
        all.filter(|(at, _)| *at <= until).map(|(at, text)| {
            let line = format!("{:>5}.{:03} {text}", at / 1_000_000, at / 1_000 % 1_000);
            line.chars().take(WIDTH).collect::<String>()
        })
    };
    let (mut left, mut right) = (pick(live), pick(model));
    let mut out = format!("{:<WIDTH$} | {}\n", "kernel (ms)", "model (ms)");
    loop {
        let (l, r) = (left.next(), right.next());
        if l.is_none() && r.is_none() {
            return out;
        }
        let (l, r) = (l.unwrap_or_default(), r.unwrap_or_default());
        let _ = writeln!(out, "{l:<WIDTH$} | {r}");
    }
}
