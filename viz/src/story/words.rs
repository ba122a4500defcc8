//! What the beats of a story are called: segments as Wireshark's users know them, calls as strace
//! prints them, timers and endings by the kernel's functions.

use finwait_model::errno::Errno;
use finwait_model::kernel::How;
use finwait_model::segment::{Flags, Segment};
use finwait_model::sink::{BucketEnd, RequestEnd, SockEnd, TimerKind};
use finwait_model::time::Span;
use finwait_sim::app::{Call, SysCall};
use finwait_sim::text::grouped;

use super::{Ending, Flight, Gap, Way};

/// `FIN ACK`, `SYN`, `PSH ACK`; a segment without a flag is `none`.
pub fn flags(segment: &Segment) -> String {
    const NAMES: [(Flags, &str); 7] = [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
        (Flags::PSH, "PSH"),
        (Flags::URG, "URG"),
        (Flags::ECE, "ECE"),
        (Flags::CWR, "CWR"),
    ];
    let mut names: Vec<&str> =
        NAMES.iter().filter(|(flag, _)| segment.flags.has(*flag)).map(|(_, name)| *name).collect();
    if segment.flags.ack() {
        names.push("ACK");
    }
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

/// `FIN ACK  seq 101 ack 2 len 0`.
pub fn segment(flight: &Flight) -> String {
    let mut text = format!("{}  seq {}", flags(&flight.segment), flight.seq);
    if flight.segment.flags.ack() {
        text += &format!(" ack {}", flight.ack);
    }
    text + &format!(" len {}", flight.segment.len)
}

/// How long it took, or that it never arrived: `100 µs`, `lost`.
pub fn way(flight: &Flight) -> String {
    match flight.way {
        Way::Lost => "lost".to_owned(),
        Way::Unroutable => "nobody has that address".to_owned(),
        Way::Arrives => match (flight.delay(), flight.arrivals.len()) {
            (Some(delay), 2) => format!("{}, twice", span(delay)),
            (Some(delay), _) => span(delay),
            (None, 0) => "on its way".to_owned(),
            (None, _) => String::new(),
        },
    }
}

/// A span with at most three significant places, in the unit that suits it: `43.6 ms`, `60.2 s`.
pub fn span(span: Span) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    // A number that would be rounded up to a thousand has the next unit.
    let fits = |unit: u64| span.ns.saturating_add(unit / 2_000) >= unit;
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| fits(*unit)) else {
        return format!("{} ns", span.ns);
    };
    let decimals = match span.ns / unit {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let scale = 10_u64.pow(decimals);
    let rounded =
        (u128::from(span.ns) * u128::from(scale) + u128::from(unit / 2)) / u128::from(unit);
    let (whole, part) = (rounded / u128::from(scale), rounded % u128::from(scale));
    let whole = grouped(u64::try_from(whole).unwrap_or(u64::MAX));
    if part == 0 {
        return format!("{whole} {name}");
    }
    let part = format!("{part:0width$}", width = decimals as usize);
    format!("{whole}.{} {name}", part.trim_end_matches('0'))
}

/// `close(3)`, `recv(3) = 0`; results that everyone expects are left out.
pub fn call(call: &Call) -> String {
    let what = match call.what {
        SysCall::Shutdown(how) => {
            let how = match how {
                How::Rd => "SHUT_RD",
                How::Wr => "SHUT_WR",
                How::RdWr => "SHUT_RDWR",
            };
            format!("shutdown({how})")
        }
        SysCall::Close { why, .. } if why.is_said() => {
            format!("close(): {}", why.reason.text())
        }
        what => format!("{}()", what.name()),
    };
    match (call.what, call.result) {
        (SysCall::Connect(_), Err(Errno::EINPROGRESS)) => what,
        (SysCall::Recv(_), Ok(0)) => format!("{what} = 0: end of file"),
        (_, Err(errno)) => format!("{what} = -1 {errno}"),
        (SysCall::Send(_) | SysCall::Recv(_), Ok(bytes)) => format!("{what} = {bytes}"),
        _ => what,
    }
}

/// A timer, by what it is for.
pub const fn timer(kind: TimerKind) -> &'static str {
    match kind {
        TimerKind::Retransmit => "retransmission",
        TimerKind::LossProbe => "tail loss probe",
        TimerKind::Reordering => "RACK reordering",
        TimerKind::Probe => "window probe",
        TimerKind::DelayedAck => "delayed ACK",
        TimerKind::Keepalive => "keepalive",
        TimerKind::FinWait2 => "FIN-WAIT-2 of an orphan",
        TimerKind::SynAck => "SYN-ACK",
        TimerKind::Linger => "lingering close()",
    }
}

/// How an end went.
pub fn ending(ending: Ending) -> String {
    match ending {
        Ending::Sock(_, why) => match why {
            SockEnd::Done => "socket destroyed: all is said".to_owned(),
            SockEnd::ToBucket => "socket destroyed: a bucket stands for it".to_owned(),
            SockEnd::BucketRefused => "socket destroyed: no bucket".to_owned(),
            SockEnd::ResetByPeer => "socket destroyed: the peer's RST".to_owned(),
            SockEnd::Aborted(cause) => format!("socket destroyed: {}", cause.name()),
            SockEnd::TimedOut => "socket destroyed: timed out".to_owned(),
            SockEnd::Icmp => "socket destroyed: ICMP error".to_owned(),
        },
        Ending::Bucket(_, how) => match how {
            BucketEnd::Expired => "bucket expires".to_owned(),
            BucketEnd::Reset => "bucket gone: the peer's RST".to_owned(),
            BucketEnd::AnsweredReset => "bucket gone: answered with a RST".to_owned(),
            BucketEnd::Reopened => "bucket gone: a SYN takes its place".to_owned(),
            BucketEnd::Recycled => "bucket gone: connect() takes its place".to_owned(),
        },
        Ending::Request(why) => match why {
            RequestEnd::TimedOut => "request gone: SYN-ACK unanswered".to_owned(),
            RequestEnd::Reset => "request gone: reset".to_owned(),
            RequestEnd::AbortedOnOverflow => "request gone: accept queue full".to_owned(),
            RequestEnd::ListenerGone => "request gone: no listener".to_owned(),
        },
    }
}

/// `FIN-WAIT-2 bucket refused: 131,072 of 131,072`.
pub fn gap(gap: &Gap) -> String {
    let limit = grouped(u64::try_from(gap.limit).unwrap_or(0));
    format!("{} bucket refused: {} of {limit}", gap.state, grouped(u64::from(gap.count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_three_places() {
        let text = |ns| span(Span::nanos(ns));
        assert_eq!(text(0), "0 ns");
        assert_eq!(text(999), "999 ns");
        assert_eq!(text(100_000), "100 µs");
        assert_eq!(text(43_600_000), "43.6 ms");
        assert_eq!(text(999_999_999), "1 s");
        assert_eq!(text(60_160_000_000), "60.2 s");
        assert_eq!(text(1_250_000), "1.25 ms");
        assert_eq!(text(3_600_000_000_000), "3,600 s");
    }
}
