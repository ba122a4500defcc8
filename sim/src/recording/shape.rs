//! Shapes: what is the same for many segments, notes, calls and rows.

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{How, Line, LineTimer, Object, SockOpt};
use finwait_model::segment::{Flags, Options, Segment};
use finwait_model::sink::{BucketEnd, DropReason, Note, RequestEnd, SockEnd, TimerKind};
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Jiffies, Span};

use super::damage::Damage;
use super::shapes::Words;
use crate::app::{AppId, Call, Reason, SysCall, Why};
use crate::link::Fate;

/// Both directions between the values of an enumeration and numbers that never change.
macro_rules! numbered {
    ($to:ident, $from:ident, $type:ty: $($number:literal $value:path,)*) => {
        pub(super) const fn $to(value: $type) -> i64 {
            match value { $($value => $number,)* }
        }
        pub(super) const fn $from(number: i64) -> Result<$type, Damage> {
            match number { $($number => Ok($value),)* _ => Err(Damage::UNKNOWN) }
        }
    };
}

numbered! { object_number, object, Object:
    0 Object::Listener, 1 Object::Request, 2 Object::Sock, 3 Object::Bucket,
}
numbered! { bucket_end_number, bucket_end, BucketEnd:
    0 BucketEnd::Expired, 1 BucketEnd::Reset, 2 BucketEnd::AnsweredReset, 3 BucketEnd::Reopened,
    4 BucketEnd::Recycled,
}
numbered! { request_end_number, request_end, RequestEnd:
    0 RequestEnd::TimedOut, 1 RequestEnd::Reset, 2 RequestEnd::AbortedOnOverflow,
    3 RequestEnd::ListenerGone,
}
numbered! { timer_number, timer, TimerKind:
    0 TimerKind::Retransmit, 1 TimerKind::LossProbe, 2 TimerKind::Reordering, 3 TimerKind::Probe,
    4 TimerKind::DelayedAck, 5 TimerKind::Keepalive, 6 TimerKind::FinWait2, 7 TimerKind::SynAck,
    8 TimerKind::Linger,
}
numbered! { reason_number, reason, DropReason:
    0 DropReason::NoSocket, 1 DropReason::TcpFlags, 2 DropReason::TcpAbortOnData,
    3 DropReason::TcpZeroWindow, 4 DropReason::TcpOldData, 5 DropReason::TcpOverwindow,
    6 DropReason::TcpRfc7323Paws, 7 DropReason::TcpRfc7323PawsAck,
    8 DropReason::TcpRfc7323TwPaws, 9 DropReason::TcpRfc7323TsEcr,
    10 DropReason::TcpListenOverflow, 11 DropReason::TcpOldSequence,
    12 DropReason::TcpInvalidSequence, 13 DropReason::TcpInvalidEndSequence,
    14 DropReason::TcpInvalidAckSequence, 15 DropReason::TcpReset, 16 DropReason::TcpInvalidSyn,
    17 DropReason::TcpClose, 18 DropReason::TcpOldAck, 19 DropReason::TcpTooOldAck,
    20 DropReason::TcpAckUnsentData, 21 DropReason::RequestQueueFull,
    22 DropReason::PawsPassive, 23 DropReason::NotSpecified, 24 DropReason::NetfilterDrop,
}
numbered! { close_reason_number, close_reason, Reason:
    0 Reason::Unsaid, 1 Reason::Exit, 2 Reason::IdleTimeout, 3 Reason::PoolEviction,
    4 Reason::PoolIdle, 5 Reason::PoolReadable, 6 Reason::PoolDubious, 7 Reason::PoolGone,
    8 Reason::ShortCode, 9 Reason::UnreadInBuffer, 10 Reason::Closed, 11 Reason::Failed,
    12 Reason::TimedOut, 13 Reason::KeepaliveRequests, 14 Reason::KeepaliveTimeout,
    15 Reason::KeepaliveOff, 16 Reason::KeepaliveTime, 17 Reason::NoKeepalive,
    18 Reason::HeaderTimeout, 19 Reason::SendTimeout, 20 Reason::ConnectionClose,
    21 Reason::SaidClose, 22 Reason::LingeringClose, 23 Reason::LingeringTimeout,
    24 Reason::LingeringTime, 25 Reason::ClientClosed, 26 Reason::ClientAborted,
    27 Reason::Script, 28 Reason::MaxClients,
}
numbered! { how_number, how, How: 0 How::Rd, 1 How::Wr, 2 How::RdWr, }

pub(super) fn state(number: i64) -> Result<TcpState, Damage> {
    let found = TcpState::ALL.into_iter().find(|&s| s as i64 == number);
    found.ok_or(Damage::UNKNOWN)
}

/// The cause with that number in this version; the header lists the names.
pub(super) fn cause(number: i64) -> Result<Cause, Damage> {
    let sites = usize::try_from(number).ok().and_then(|n| finwait_model::site::SITES.get(n));
    sites.map(|s| s.cause).ok_or(Damage::UNKNOWN)
}

fn small<T: TryFrom<i64>>(number: i64) -> Result<T, Damage> {
    T::try_from(number).map_err(|_| Damage::TOO_LARGE)
}

/// A segment without its connection, numbers and times.
pub(super) fn of_segment(segment: &Segment, sent: Option<(Cause, Fate, bool)>) -> Words {
    let o = &segment.options;
    let fate = sent.map_or(4, |(_, fate, _)| match fate {
        Fate::Arrives(_) => 0,
        Fate::Twice(..) => 1,
        Fate::Lost => 2,
        Fate::Unroutable => 3,
    });
    let switches = i64::from(o.ts.is_some())
        | i64::from(o.sack_permitted) << 1
        | i64::from(o.sack_count) << 2
        | fate << 8
        | sent.map_or(0, |(_, _, is_answer)| i64::from(is_answer)) << 16;
    [
        i64::from(segment.flags.0),
        i64::from(segment.len),
        o.mss.map_or(-1, i64::from),
        o.wscale.map_or(-1, i64::from),
        switches,
        sent.map_or(-1, |(cause, ..)| cause as i64),
    ]
}

/// Which fate a segment has; the times are told apart.
pub(super) const fn fate(words: &Words) -> Result<Fate, Damage> {
    Ok(match words[4] >> 8 & 0xff {
        0 => Fate::Arrives(Instant::ZERO),
        1 => Fate::Twice(Instant::ZERO, Instant::ZERO),
        2 => Fate::Lost,
        3 => Fate::Unroutable,
        _ => return Err(Damage::UNKNOWN),
    })
}

/// Does it answer the segment that arrived?
pub(super) const fn is_answer(words: &Words) -> bool {
    words[4] >> 16 & 1 != 0
}

/// Why it was sent.
pub(super) fn cause_of(words: &Words) -> Result<Cause, Damage> {
    cause(words[5])
}

/// A segment of that shape, without connection, numbers and times.
pub(super) fn segment(words: &Words) -> Result<Segment, Damage> {
    let [flags, len, mss, wscale, switches, _] = *words;
    let optional = |n: i64| if n < 0 { Ok(None) } else { small::<u16>(n).map(Some) };
    let sack_count = (switches >> 2 & 0x3f) as u8;
    if sack_count > 4 {
        return Err(Damage::TOO_LARGE);
    }
    let options = Options {
        ts: (switches & 1 != 0).then(Default::default),
        mss: optional(mss)?,
        wscale: match wscale {
            ..0 => None,
            n => Some(small(n)?),
        },
        sack_permitted: switches & 2 != 0,
        sack_count,
        ..Options::default()
    };
    Ok(Segment { flags: Flags(small(flags)?), len: small(len)?, options, ..Segment::default() })
}

/// What the note of a refused bucket tells beside its shape.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Refusal {
    pub(super) count: u32,
    pub(super) limit: i32,
    pub(super) next_expiry: Option<Instant>,
}

/// A note without its connection.
pub(super) fn of_note(note: &Note) -> (Words, Refusal) {
    let mut refusal = Refusal::default();
    let words = match *note {
        Note::State { from, to, .. } => [0, from as i64, to as i64, 0, 0, 0],
        Note::BucketBorn { substate, timeout, .. } => {
            [1, substate as i64, timeout.ns.cast_signed(), 0, 0, 0]
        }
        Note::BucketRefused { substate, count, limit, next_expiry, .. } => {
            refusal = Refusal { count, limit, next_expiry };
            [2, substate as i64, i64::from(next_expiry.is_some()), 0, 0, 0]
        }
        Note::BucketTimeWait { .. } => [3, 0, 0, 0, 0, 0],
        Note::BucketDied { substate, how, .. } => {
            [4, substate as i64, bucket_end_number(how), 0, 0, 0]
        }
        Note::RequestBorn { .. } => [5, 0, 0, 0, 0, 0],
        Note::RequestDied { why, .. } => [6, request_end_number(why), 0, 0, 0, 0],
        Note::Orphaned { state, .. } => [7, state as i64, 0, 0, 0, 0],
        Note::Destroyed { state, why, .. } => {
            let (why, aborted) = match why {
                SockEnd::Done => (0, 0),
                SockEnd::ToBucket => (1, 0),
                SockEnd::BucketRefused => (2, 0),
                SockEnd::ResetByPeer => (3, 0),
                SockEnd::Aborted(cause) => (4, cause as i64),
                SockEnd::TimedOut => (5, 0),
                SockEnd::Icmp => (6, 0),
            };
            [8, state as i64, why, aborted, 0, 0]
        }
        Note::Timer { kind, .. } => [9, timer_number(kind), 0, 0, 0, 0],
        Note::Drop { reason, .. } => [10, reason_number(reason), 0, 0, 0, 0],
    };
    (words, refusal)
}

/// Is it the note of a refused bucket, and does it know when the next bucket goes?
pub(super) const fn is_refusal(words: &Words) -> Option<bool> {
    if words[0] == 2 { Some(words[2] != 0) } else { None }
}

/// The note of that shape.
pub(super) fn note(words: &Words, flow: FourTuple, refusal: Refusal) -> Result<Note, Damage> {
    let [kind, a, b, c, ..] = *words;
    Ok(match kind {
        0 => Note::State { flow, from: state(a)?, to: state(b)? },
        1 => {
            Note::BucketBorn { flow, substate: state(a)?, timeout: Span { ns: b.cast_unsigned() } }
        }
        2 => {
            let Refusal { count, limit, next_expiry } = refusal;
            Note::BucketRefused { flow, substate: state(a)?, count, limit, next_expiry }
        }
        3 => Note::BucketTimeWait { flow },
        4 => Note::BucketDied { flow, substate: state(a)?, how: bucket_end(b)? },
        5 => Note::RequestBorn { flow },
        6 => Note::RequestDied { flow, why: request_end(a)? },
        7 => Note::Orphaned { flow, state: state(a)? },
        8 => {
            let why = match b {
                0 => SockEnd::Done,
                1 => SockEnd::ToBucket,
                2 => SockEnd::BucketRefused,
                3 => SockEnd::ResetByPeer,
                4 => SockEnd::Aborted(cause(c)?),
                5 => SockEnd::TimedOut,
                6 => SockEnd::Icmp,
                _ => return Err(Damage::UNKNOWN),
            };
            Note::Destroyed { flow, state: state(a)?, why }
        }
        9 => Note::Timer { flow, kind: timer(a)? },
        10 => Note::Drop { flow, reason: reason(a)? },
        _ => return Err(Damage::UNKNOWN),
    })
}

/// A call without its connection and descriptor; the descriptor that it answers is told apart.
pub(super) fn of_call(call: &Call) -> Words {
    let end = |e: Endpoint| i64::from(e.addr.0) << 16 | i64::from(e.port);
    let mut last = 0;
    let (kind, a, b) = match call.what {
        SysCall::Socket => (0, 0, 0),
        SysCall::Bind(local) => (1, end(local), 0),
        SysCall::Listen(backlog) => (2, backlog.into(), 0),
        SysCall::Accept => (3, 0, 0),
        SysCall::Connect(to) => (4, end(to), 0),
        SysCall::SetSockOpt(opt) => {
            let (option, value) = option_number(opt);
            (5, option, value)
        }
        SysCall::Shutdown(how) => (6, how_number(how), 0),
        SysCall::Close { lingers, why } => {
            last = i64::from(why.uses) | i64::from(why.number) << 32;
            let switches = i64::from(lingers) | close_reason_number(why.reason) << 1;
            (7, switches, why.age.ns.cast_signed())
        }
        SysCall::Send(bytes) => (8, bytes.into(), 0),
        SysCall::Recv(bytes) => (9, bytes.into(), 0),
    };
    let result = match call.result {
        Ok(_) if answers_descriptor(kind) => 0,
        Ok(n) => i64::from(n),
        Err(errno) => -i64::from(errno.number()),
    };
    [call.app.0.into(), kind, a, b, result, last]
}

/// Does a call of that kind answer a descriptor?
const fn answers_descriptor(kind: i64) -> bool {
    kind == 0 || kind == 3
}

/// Does a call of that shape answer one?
pub(super) const fn call_answers_descriptor(words: &Words) -> bool {
    answers_descriptor(words[1]) && words[4] >= 0
}

/// The call of that shape; `answer` is the descriptor that it answers, if it answers one.
pub(super) fn call(words: &Words, flow: FourTuple, fd: u32, answer: u32) -> Result<Call, Damage> {
    let [app, kind, a, b, result, last] = *words;
    let end = || -> Result<Endpoint, Damage> {
        Ok(Endpoint::new(Addr(small(a >> 16)?), (a & 0xffff) as u16))
    };
    let what = match kind {
        0 => SysCall::Socket,
        1 => SysCall::Bind(end()?),
        2 => SysCall::Listen(small(a)?),
        3 => SysCall::Accept,
        4 => SysCall::Connect(end()?),
        5 => SysCall::SetSockOpt(option(a, b)?),
        6 => SysCall::Shutdown(how(a)?),
        7 => {
            let age = Span { ns: b.cast_unsigned() };
            let (uses, number) = (last & i64::from(u32::MAX), last >> 32);
            let reason = close_reason(a >> 1)?;
            let why = Why { reason, age, uses: small(uses)?, number: small(number)? };
            SysCall::Close { lingers: a & 1 != 0, why }
        }
        8 => SysCall::Send(small(a)?),
        9 => SysCall::Recv(small(a)?),
        _ => return Err(Damage::UNKNOWN),
    };
    let result = match result {
        _ if call_answers_descriptor(words) => Ok(answer),
        0.. => Ok(small(result)?),
        _ => {
            let number = small(result.checked_neg().ok_or(Damage::TOO_LARGE)?)?;
            Err(Errno::from_number(number).ok_or(Damage::UNKNOWN)?)
        }
    };
    Ok(Call { app: AppId(small(app)?), fd, flow, what, result })
}

fn option_number(opt: SockOpt) -> (i64, i64) {
    match opt {
        SockOpt::ReuseAddr(on) => (0, on.into()),
        SockOpt::ReusePort(on) => (1, on.into()),
        SockOpt::Linger(seconds) => (2, seconds.map_or(-1, i64::from)),
        SockOpt::RcvBuf(n) => (3, n.into()),
        SockOpt::SndBuf(n) => (4, n.into()),
        SockOpt::KeepAlive(on) => (5, on.into()),
        SockOpt::RcvLowat(n) => (6, n.into()),
        SockOpt::NoDelay(on) => (7, on.into()),
        SockOpt::Cork(on) => (8, on.into()),
        SockOpt::QuickAck(n) => (9, n.into()),
        SockOpt::Linger2(n) => (10, n.into()),
        SockOpt::DeferAccept(n) => (11, n.into()),
        SockOpt::UserTimeout(n) => (12, n.into()),
        SockOpt::KeepIdle(n) => (13, n.into()),
        SockOpt::KeepIntvl(n) => (14, n.into()),
        SockOpt::KeepCnt(n) => (15, n.into()),
        SockOpt::MaxSeg(n) => (16, n.into()),
        SockOpt::SynCnt(n) => (17, n.into()),
        SockOpt::WindowClamp(n) => (18, n.into()),
    }
}

fn option(number: i64, value: i64) -> Result<SockOpt, Damage> {
    Ok(match number {
        0 => SockOpt::ReuseAddr(value != 0),
        1 => SockOpt::ReusePort(value != 0),
        2 if value < 0 => SockOpt::Linger(None),
        2 => SockOpt::Linger(Some(small(value)?)),
        3 => SockOpt::RcvBuf(small(value)?),
        4 => SockOpt::SndBuf(small(value)?),
        5 => SockOpt::KeepAlive(value != 0),
        6 => SockOpt::RcvLowat(small(value)?),
        7 => SockOpt::NoDelay(value != 0),
        8 => SockOpt::Cork(value != 0),
        9 => SockOpt::QuickAck(small(value)?),
        10 => SockOpt::Linger2(small(value)?),
        11 => SockOpt::DeferAccept(small(value)?),
        12 => SockOpt::UserTimeout(small(value)?),
        13 => SockOpt::KeepIdle(small(value)?),
        14 => SockOpt::KeepIntvl(small(value)?),
        15 => SockOpt::KeepCnt(small(value)?),
        16 => SockOpt::MaxSeg(small(value)?),
        17 => SockOpt::SynCnt(small(value)?),
        18 => SockOpt::WindowClamp(small(value)?),
        _ => return Err(Damage::UNKNOWN),
    })
}

/// The names that `ss` gives timers, by number; 0 is none.
const TIMERS: [&str; 4] = ["on", "keepalive", "timewait", "persist"];

/// The other way round.
fn timer_name_number(name: &str) -> i64 {
    match name {
        "keepalive" => 2,
        "timewait" => 3,
        "persist" => 4,
        _ => 1,
    }
}

/// A row without its ends and what its timer waits for.
#[inline]
pub(super) fn of_line(line: Option<&Line>) -> Words {
    let Some(line) = line else { return [-1, 0, 0, 0, 0, 0] };
    [
        object_number(line.object) | (line.state as i64) << 2,
        line.rx_queue.into(),
        line.tx_queue.into(),
        line.timer.map_or(0, |t| timer_name_number(t.name)),
        line.timer.map_or(0, |t| t.count.into()),
        line.orphan.into(),
    ]
}

/// The same row whose timer is as it was.
pub(super) const fn with_same_due(words: Words) -> Words {
    let [what, rx, tx, timer, count, orphan] = words;
    [what, rx, tx, timer | 8, count, orphan]
}

/// Does a row of that shape have a timer, and if so, is it as it was?
pub(super) const fn line_timer(words: &Words) -> Option<bool> {
    if words[0] < 0 || words[3] & 7 == 0 { None } else { Some(words[3] & 8 != 0) }
}

/// The row of that shape.
pub(super) fn line(words: &Words, flow: FourTuple, due: Jiffies) -> Result<Option<Line>, Damage> {
    let [what, rx, tx, timer, count, orphan] = *words;
    if what < 0 {
        return Ok(None);
    }
    let timer = match (timer & 7) as usize {
        0 => None,
        n => {
            let name = TIMERS.get(n - 1).ok_or(Damage::UNKNOWN)?;
            Some(LineTimer { name, due, count: small(count)? })
        }
    };
    Ok(Some(Line {
        state: state(what >> 2)?,
        object: object(what & 3)?,
        rx_queue: small(rx)?,
        tx_queue: small(tx)?,
        local: flow.source(),
        remote: flow.destination(),
        timer,
        orphan: orphan != 0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_number_of_its_own() {
        for (n, reason) in (0..25).map(|n| (n, reason(n).expect("known"))) {
            assert_eq!(reason_number(reason), n);
        }
        for reason in Reason::ALL {
            assert_eq!(close_reason(close_reason_number(*reason)), Ok(*reason));
        }
        for cause in Cause::all() {
            assert_eq!(super::cause(cause as i64), Ok(cause));
        }
        for (n, name) in (1..).zip(TIMERS) {
            assert_eq!(timer_name_number(name), n);
        }
        for number in 0..=18 {
            let option = option(number, 1).expect("known");
            assert_eq!(option_number(option), (number, 1));
        }
        assert_eq!(option(2, -1), Ok(SockOpt::Linger(None)));
        assert!(option(19, 0).is_err());
    }
}
