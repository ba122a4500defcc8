//! By how much it was missed, computed from the events; and the sysctls that decided.

use finwait_model::cause::Cause;
use finwait_model::sink::{BucketEnd, Note, RequestEnd, SockEnd, TimerKind};
use finwait_model::state::TcpState;

use super::Decided;
use super::past::Past;
use super::tell::short;
use crate::app::SysCall;
use crate::recording::{Error, Event, Recording, What};
use crate::text::grouped;

/// What it would have taken.
pub(super) fn of(past: &Past, place: usize, reset: &Event) -> Vec<String> {
    let event = &past.events[place];
    match event.what {
        What::Note(Note::BucketRefused { substate, .. }) => refused(event, substate, reset),
        What::Note(
            Note::BucketDied { how: BucketEnd::Expired, .. }
            | Note::Destroyed { why: SockEnd::Done | SockEnd::TimedOut, .. }
            | Note::RequestDied { why: RequestEnd::TimedOut, .. },
        ) if event.host == reset.host && answers(reset) && reset.at > event.at => {
            let late = short(reset.at.since(event.at));
            vec![format!("more than {late} earlier, the segment would have met it")]
        }
        What::Note(Note::Orphaned { .. }) if event.host == reset.host && answers(reset) => {
            let late = short(reset.at.since(event.at));
            vec![format!("a close() more than {late} later, or the segment as much earlier")]
        }
        What::Sent { cause: Cause::RstUnreadData, .. } => unread(past, place),
        What::Sent { cause: Cause::RstNoSocket, answers: Some(syn), .. }
            if syn.flags.syn() && !syn.flags.ack() =>
        {
            vec![format!("a listener on port {}", syn.flow.dport)]
        }
        What::Sent { segment, .. } if !segment.flags.fin() && segment.flags.ack() => {
            alone(past, place)
        }
        What::Call(call) if matches!(call.what, SysCall::Close { .. } | SysCall::Shutdown(_)) => {
            let Some(end) = end_of_file(past, place) else { return Vec::new() };
            let late = event.at.since(past.events[end].at);
            if late.ns == 0 {
                return Vec::new();
            }
            vec![format!("a close {} earlier, when the FIN that it follows arrived", short(late))]
        }
        _ => Vec::new(),
    }
}

fn answers(reset: &Event) -> bool {
    matches!(reset.what, What::Sent { answers: Some(_), .. })
}

fn refused(event: &Event, substate: TcpState, reset: &Event) -> Vec<String> {
    let What::Note(Note::BucketRefused { count, limit, next_expiry, .. }) = event.what else {
        return Vec::new();
    };
    let needed = i64::from(count) + 1;
    let more = needed - i64::from(limit.max(0));
    let more = if more == 1 { "one bucket".to_owned() } else { format!("{more} buckets") };
    let needed = grouped(needed.unsigned_abs());
    let data = matches!(reset.what, What::Sent { answers: Some(s), .. } if s.len > 0);
    // A bucket takes the peer's FIN, but no data.
    let but = if substate == TcpState::FinWait2 && data {
        format!(
            "; but it would have answered the data with a RST too ({})",
            Cause::RstTwData.name()
        )
    } else {
        String::new()
    };
    let mut all = vec![format!("{more} more: a limit of {needed}{but}")];
    if let Some(next) = next_expiry.filter(|next| *next > event.at) {
        let early = short(next.since(event.at));
        all.push(format!("asked {early} later, when the next bucket was due to go ({next} s)"));
    }
    let fin = matches!(reset.what, What::Sent { answers: Some(s), .. } if s.flags.fin());
    if substate == TcpState::FinWait2 && fin && reset.at > event.at {
        let late = short(reset.at.since(event.at));
        all.push(format!("the peer's FIN {late} earlier, in one segment with this ACK"));
    }
    all
}

/// An ACK that came without the FIN that its sender sent later.
fn alone(past: &Past, place: usize) -> Vec<String> {
    let Event { at, host, what: What::Sent { segment, .. } } = past.events[place] else {
        return Vec::new();
    };
    let acks_fin = |e: &Event| matches!(e.what, What::Received(s) if e.host == host && s.flags.fin() && s.end_seq() == segment.ack);
    if past.last(place, acks_fin).is_none() {
        return Vec::new();
    }
    let mut behind = past.events[place + 1..].iter();
    let fin = behind.find(|e| {
        e.host == host
            && matches!(e.what, What::Sent { segment, .. } if segment.flags.fin() && !segment.flags.rst())
    });
    let Some(fin) = fin.filter(|fin| fin.at > at) else { return Vec::new() };
    vec![format!("this end's FIN {} earlier, in this segment", short(fin.at.since(at)))]
}

/// How much the program would have had to read.
fn unread(past: &Past, place: usize) -> Vec<String> {
    let opened = past.last_here(place, |w| matches!(w, What::Received(s) if s.flags.syn()));
    let Some(opened) = opened else { return Vec::new() };
    let What::Received(syn) = past.events[opened].what else { return Vec::new() };
    let host = past.events[place].host;
    let (mut come, mut read) = (0_u32, 0_u32);
    for event in past.events[opened..place].iter().filter(|e| e.host == host) {
        match event.what {
            What::Received(s) if s.len > 0 => {
                let end = s.end_seq().0.wrapping_sub(syn.end_seq().0);
                come = come.max(end.wrapping_sub(u32::from(s.flags.fin())));
            }
            What::Call(call) if matches!(call.what, SysCall::Recv(_)) => {
                read = read.wrapping_add(call.result.unwrap_or(0));
            }
            _ => {}
        }
    }
    let left = come.saturating_sub(read);
    if left == 0 {
        return Vec::new();
    }
    vec![format!("recv() of {} bytes more before close()", grouped(u64::from(left)))]
}

/// Where the FIN arrived whose end of file a program had read before it closed.
pub(super) fn end_of_file(past: &Past, place: usize) -> Option<usize> {
    let What::Call(closing) = past.events[place].what else { return None };
    let read = past.last_here(place, |what| {
        matches!(what, What::Call(call) if call.fd == closing.fd && call.app == closing.app
            && matches!(call.what, SysCall::Recv(size) if size > 0) && call.result == Ok(0))
    })?;
    past.last_here(read, |what| matches!(what, What::Received(s) if s.flags.fin()))
}

/// The sysctls that decided an event, and their values then.
pub(super) fn decided(rec: &Recording, event: &Event) -> Result<Vec<Decided>, Error> {
    let names: &[&str] = match event.what {
        What::Note(Note::BucketRefused { .. }) => &["net.ipv4.tcp_max_tw_buckets"],
        What::Note(
            Note::BucketBorn { substate: TcpState::FinWait2, .. }
            | Note::BucketDied { substate: TcpState::FinWait2, how: BucketEnd::Expired, .. }
            | Note::Timer { kind: TimerKind::FinWait2, .. },
        ) => &["net.ipv4.tcp_fin_timeout"],
        What::Note(Note::Timer { kind: TimerKind::Keepalive, .. }) => &[
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
        ],
        What::Note(Note::Destroyed { why: SockEnd::TimedOut, .. }) => {
            &["net.ipv4.tcp_retries2", "net.ipv4.tcp_orphan_retries"]
        }
        What::Note(Note::RequestDied { why: RequestEnd::TimedOut, .. }) => {
            &["net.ipv4.tcp_synack_retries"]
        }
        What::Sent { cause: Cause::RstOrphanLimit | Cause::RstOrphanLimitTimer, .. } => {
            &["net.ipv4.tcp_max_orphans"]
        }
        What::Sent { cause: Cause::RstAcceptOverflow, .. } => &["net.ipv4.tcp_abort_on_overflow"],
        _ => return Ok(Vec::new()),
    };
    let sysctl = rec.sysctl_at(event.host, event.at)?;
    let value = |name: &'static str| Some(Decided { sysctl: name, value: sysctl.get(name)? });
    Ok(names.iter().filter_map(|name| value(name)).collect())
}
