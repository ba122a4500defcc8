//! An event in words, with the kernel functions in which it happened.

use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::sink::{BucketEnd, Note, SockEnd, TimerKind};
use finwait_model::state::TcpState;
use finwait_model::time::Span;

use super::Link;
use super::past::Past;
use crate::app::{Call, SysCall};
use crate::because::text::words;
use crate::because::{Because, Explained};
use crate::recording::{Event, Recording, What};
use crate::text::{grouped, millis, seconds};
use crate::world::HostId;

/// The link of an event, without its causes.
pub(super) fn link(rec: &Recording, past: &Past, place: usize) -> Link {
    let Event { at, host, what } = past.events[place];
    let (event, text, functions) = match what {
        What::Sent { segment, answers: Some(arrived), .. }
            if arrived.flow != segment.flow.reversed() =>
        {
            let name = &rec.hosts()[usize::from(host.0)].name;
            let (from, to) = (end(rec, &arrived.flow), end(rec, &segment.flow.reversed()));
            let text = format!(
                "{name} passes {} from {from} on to {to}, as from {}",
                named(&segment),
                end(rec, &segment.flow)
            );
            ("passed-on", text, Vec::new())
        }
        What::Sent { segment, cause, answers, .. } => {
            let site = cause.site();
            let to = end(rec, &segment.flow.reversed());
            let answer = answers.map_or(String::new(), |s| format!(" in answer to {}", words(&s)));
            let text = format!(
                "{} leaves for {to}{answer} ({}): {}",
                named(&segment),
                site.name,
                site.why
            );
            ("sent", text, site.path.to_vec())
        }
        What::Received(segment) => {
            let from = end(rec, &segment.flow);
            let text = format!("{} arrives from {from}", named(&segment));
            ("received", text, vec!["tcp_v4_rcv"])
        }
        What::Call(call) => ("call", called(&call), syscall(call.what)),
        What::Note(note) => {
            let (event, text) = noted(rec, &note);
            (event, text, functions(rec, past, place, &note))
        }
        What::Counter(..) | What::SockStat(_) | What::Row(..) => {
            ("count", String::new(), Vec::new())
        }
    };
    Link {
        at,
        host,
        event,
        text,
        functions,
        decided: Vec::new(),
        averted: Vec::new(),
        causes: Vec::new(),
    }
}

/// What is said of the RST alone.
pub(super) fn reset(link: &mut Link, explained: &Explained) {
    let reason = explained.cause.site().reset.map_or("none", |r| r.kernel_name());
    if let Some(function) = explained.cause.site().decided_in {
        link.text += &format!(" It is the verdict of {function}.");
    }
    link.text += &format!(" sk_rst_reason {reason}.");
    // Nothing that was recorded came before: what is known of it is all there is to say.
    if explained.example.past.is_none_or(|p| p.fatal.is_none() && p.orphaned.is_none())
        || matches!(explained.because, Because::NobodyListens)
    {
        link.text += &format!(" Because {}.", explained.because.text());
    }
}

fn named(segment: &Segment) -> &'static str {
    if segment.flags.rst() { "a RST" } else { words(segment) }
}

/// The sending end of a flow, with the host's name.
fn end(rec: &Recording, flow: &finwait_model::flow::FourTuple) -> String {
    let name = rec.hosts().iter().find(|h| h.addr == flow.saddr);
    let name = name.map_or_else(|| flow.saddr.to_string(), |h| h.name.clone());
    format!("{name}:{}", flow.sport)
}

fn called(call: &Call) -> String {
    let result = match call.result {
        Ok(_) if matches!(call.what, SysCall::Close { .. }) => "0".to_owned(),
        Ok(number) => number.to_string(),
        Err(errno) => format!("-1 {errno:?}"),
    };
    let why = match call.what {
        SysCall::Close { why, .. } if why.is_said() => format!(": {why}"),
        _ => String::new(),
    };
    format!("the application calls {}({}) = {result}{why}", call.what.name(), call.fd)
}

fn syscall(what: SysCall) -> Vec<&'static str> {
    vec![match what {
        SysCall::Connect(_) => "tcp_v4_connect",
        SysCall::Close { .. } => "__tcp_close",
        SysCall::Shutdown(_) => "tcp_shutdown",
        SysCall::Send(_) => "tcp_sendmsg",
        SysCall::Recv(_) => "tcp_recvmsg",
        SysCall::Listen(_) => "inet_csk_listen_start",
        SysCall::Accept => "inet_csk_accept",
        SysCall::Socket | SysCall::Bind(_) | SysCall::SetSockOpt(_) => return Vec::new(),
    }]
}

fn noted(rec: &Recording, note: &Note) -> (&'static str, String) {
    match note {
        Note::State { from, to, .. } => ("state", format!("{from} becomes {to}")),
        Note::BucketBorn { substate, timeout, .. } => (
            "bucket-born",
            format!("a bucket in {substate} takes the socket's place, for {timeout}"),
        ),
        Note::BucketRefused { substate, count, limit, .. } => {
            let limit = u64::try_from(*limit).unwrap_or(0);
            let text = format!(
                "the bucket that should stand in {substate} is refused with {} of {}; the socket is destroyed",
                grouped(u64::from(*count)),
                grouped(limit)
            );
            ("bucket-refused", text)
        }
        Note::BucketTimeWait { .. } => {
            ("bucket-time-wait", "the bucket goes from FIN-WAIT-2 to TIME-WAIT".to_owned())
        }
        Note::BucketDied { substate, how, .. } => {
            let how = match how {
                BucketEnd::Expired => "its time is up",
                BucketEnd::Reset => "a RST takes it away",
                BucketEnd::AnsweredReset => "it has answered with a RST",
                BucketEnd::Reopened => "a SYN takes its place",
                BucketEnd::Recycled => "a connect() takes its place",
            };
            ("bucket-died", format!("the bucket in {substate} goes: {how}"))
        }
        Note::RequestBorn { .. } => ("request-born", "a half-open request is made".to_owned()),
        Note::RequestDied { why, .. } => {
            ("request-died", format!("the half-open request goes ({why:?})"))
        }
        Note::Orphaned { state, .. } => {
            ("orphaned", format!("the socket in {state} is an orphan: no program holds it"))
        }
        Note::Destroyed { state, why, .. } => {
            let why = match why {
                SockEnd::Done => "all is said and acknowledged".to_owned(),
                SockEnd::ToBucket => "a bucket takes its place".to_owned(),
                SockEnd::BucketRefused => "its bucket was refused".to_owned(),
                SockEnd::ResetByPeer => "the peer's RST".to_owned(),
                SockEnd::Aborted(cause) => format!("our RST, {}", cause.name()),
                SockEnd::TimedOut => "nothing was answered for too long".to_owned(),
                SockEnd::Icmp => "an ICMP error".to_owned(),
            };
            ("destroyed", format!("the socket in {state} is destroyed: {why}"))
        }
        Note::Timer { kind, .. } => ("timer", format!("a timer fires: {}", timer(*kind).0)),
        Note::Drop { flow, reason } => {
            let text =
                format!("the segment from {} is dropped: {}", end(rec, flow), reason.kernel_name());
            ("drop", text)
        }
    }
}

const fn timer(kind: TimerKind) -> (&'static str, &'static str) {
    match kind {
        TimerKind::Retransmit => ("retransmission", "tcp_retransmit_timer"),
        TimerKind::LossProbe => ("tail loss probe", "tcp_send_loss_probe"),
        TimerKind::Reordering => ("reordering", "tcp_rack_reo_timeout"),
        TimerKind::Probe => ("window probe", "tcp_probe_timer"),
        TimerKind::DelayedAck => ("delayed ACK", "tcp_delack_timer_handler"),
        TimerKind::Keepalive => ("keepalive", "tcp_keepalive_timer"),
        TimerKind::FinWait2 => ("FIN-WAIT-2 of an orphan", "tcp_keepalive_timer"),
        TimerKind::SynAck => ("SYN-ACK", "reqsk_timer_handler"),
        TimerKind::Linger => ("the end of a lingering close()", "sk_stream_wait_close"),
    }
}

/// The functions of a note; how the kernel came there is seen from what began the step.
fn functions(rec: &Recording, past: &Past, place: usize, note: &Note) -> Vec<&'static str> {
    match note {
        Note::BucketBorn { substate, .. } | Note::BucketRefused { substate, .. } => {
            let trigger = past.trigger(place).map(|p| past.events[p].what);
            to_time_wait(trigger, *substate)
        }
        Note::BucketTimeWait { .. } => vec!["tcp_v4_rcv", "tcp_timewait_state_process"],
        Note::BucketDied { how: BucketEnd::Expired, .. } => {
            vec![expiry(rec, past.events[place].host)]
        }
        Note::BucketDied { how: BucketEnd::Recycled, .. } => vec!["__inet_check_established"],
        Note::BucketDied { .. } => vec!["tcp_v4_rcv", "tcp_timewait_state_process"],
        Note::RequestBorn { .. } => vec!["tcp_conn_request"],
        Note::RequestDied { .. } => Vec::new(),
        Note::Orphaned { .. } => vec!["__tcp_close"],
        Note::Destroyed { why: SockEnd::Aborted(cause), .. } => cause.site().path.to_vec(),
        Note::Destroyed { why: SockEnd::ResetByPeer, .. } => vec!["tcp_reset", "tcp_done"],
        Note::Destroyed { why: SockEnd::TimedOut, .. } => vec!["tcp_write_err", "tcp_done"],
        Note::Destroyed { .. } => vec!["tcp_done"],
        Note::Timer { kind, .. } => vec![timer(*kind).1],
        Note::State { .. } => vec!["inet_sock_set_state"],
        Note::Drop { .. } => vec!["kfree_skb_reason"],
    }
}

/// The way to `tcp_time_wait`.
fn to_time_wait(trigger: Option<What>, substate: TcpState) -> Vec<&'static str> {
    let arrival = ["tcp_v4_rcv", "tcp_v4_do_rcv", "tcp_rcv_state_process"];
    let mut path = match trigger {
        Some(What::Received(s)) if s.flags.fin() && substate == TcpState::TimeWait => {
            [&arrival[..], &["tcp_data_queue", "tcp_fin"]].concat()
        }
        Some(What::Received(_)) => arrival.to_vec(),
        Some(What::Call(_)) => vec!["__tcp_close"],
        Some(What::Note(Note::Timer { .. })) => vec!["tcp_keepalive_timer"],
        _ => Vec::new(),
    };
    path.push("tcp_time_wait");
    path
}

/// Where a release lets buckets expire.
fn expiry(rec: &Recording, host: HostId) -> &'static str {
    match rec.hosts()[usize::from(host.0)].release {
        Release::V3_10 => "inet_twdr_hangman",
        Release::V6_18 => "tw_timer_handler",
    }
}

/// A span to one decimal, in the unit that suits it.
pub(super) fn short(span: Span) -> String {
    match span.ns {
        0..1_000_000 => span.to_string(),
        1_000_000..10_000_000_000 => format!("{} ms", millis(span.ns)),
        ns => format!("{} s", seconds(ns, 1)),
    }
}
