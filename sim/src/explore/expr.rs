//! The small language of properties: what is true of a connection in one moment.
//!
//! `rst_sent(web) and not state(redis) == LAST-ACK`, `state(any) == CLOSE-WAIT for > 60s`,
//! `counter(web, TcpExtTCPTimeWaitOverflow) > 0`. `any` is one host and then the other, the same in
//! the whole expression, and `peer` is the other one.

use core::fmt;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::sink::{BucketEnd, Note};
use finwait_model::state::TcpState;
use finwait_model::time::Span;

use super::schedule::Side;
use super::stage::Stage;
use crate::measure::Relation;

/// An expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expr {
    /// Both hold.
    And(Box<Self>, Box<Self>),
    /// One holds at least.
    Or(Box<Self>, Box<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// It has held for longer than that; the number tells one from the other.
    For(Box<Self>, Span, usize),
    /// Something of the moment, or of the connection as it stands.
    Is(What, Who),
    /// A state.
    State(Who, Equal, TcpState),
    /// A number.
    Number(Number, Who, Relation, u64),
    /// Nothing will happen any more.
    End,
}

/// Which host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// That one.
    Host(Side),
    /// Each in its turn.
    Any,
    /// The other one then.
    Peer,
}

/// `==` or `!=`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Equal {
    /// `==`
    Yes,
    /// `!=`
    No,
}

/// What can be said of a host's end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It sends a RST now; if a cause is named, with that.
    RstSent(Option<Cause>),
    /// It sends a segment with that cause now.
    Sent(Cause),
    /// It is refused a bucket now.
    BucketRefused,
    /// A RST takes its bucket away now.
    BucketReset,
    /// It takes data of an older life of these ports now.
    OldData,
    /// It has sent its FIN.
    FinSent,
    /// An ACK of its FIN has come.
    FinAcked,
    /// Its program has called close() or shutdown(SHUT_WR).
    Closed,
    /// It did so while the connection stood, with everything read, and without SO_LINGER at zero.
    ClosedProperly,
    /// Its program holds the descriptor.
    Open,
    /// Its program has read the end of file.
    GotEof,
    /// A call of its program failed, because the connection was broken.
    Broken,
    /// Something is left of it that no program holds.
    LeftOver,
}

/// Numbers of a host, or of its end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Number {
    /// A counter, by its nstat name.
    Counter(Mib),
    /// Timewait buckets.
    Tw,
    /// Orphans.
    Orphans,
    /// Bytes that wait to be read.
    Unread,
    /// Bytes that its program's send() calls took.
    BytesSent,
    /// Bytes that its program's recv() calls gave.
    BytesRead,
    /// Bytes that its peer's program has sent and its own has not read.
    BytesMissing,
}

/// The words for [`What`], with what they mean.
pub const WHATS: [(&str, What, &str); 13] = [
    (
        "rst_sent",
        What::RstSent(None),
        "it sends a RST now; rst_sent(web, rst-no-socket) with that cause",
    ),
    ("sent", What::Sent(Cause::Fin), "it sends a segment with that cause now: sent(web, fin)"),
    ("bucket_refused", What::BucketRefused, "it is refused a timewait bucket now"),
    ("bucket_reset", What::BucketReset, "a RST takes its timewait bucket away now"),
    ("old_data", What::OldData, "it takes data of an older life of these ports now"),
    ("fin_sent", What::FinSent, "it has sent its FIN"),
    ("fin_acked", What::FinAcked, "an ACK of its FIN has come"),
    ("closed", What::Closed, "its program has called close() or shutdown(SHUT_WR)"),
    (
        "closed_properly",
        What::ClosedProperly,
        "… while the connection stood, with everything read, and without SO_LINGER at 0",
    ),
    ("open", What::Open, "its program holds the descriptor"),
    ("got_eof", What::GotEof, "its program has read the end of file"),
    ("broken", What::Broken, "a call of its program failed: the connection was broken"),
    ("left_over", What::LeftOver, "something is left of it that no program holds"),
];

/// The words for [`Number`], with what they mean.
pub const NUMBERS: [(&str, Number, &str); 7] = [
    (
        "counter",
        Number::Counter(Mib::OutRsts),
        "a counter by its nstat name: counter(web, TcpOutRsts)",
    ),
    ("tw", Number::Tw, "timewait buckets of the host"),
    ("orphans", Number::Orphans, "orphans of the host"),
    ("unread", Number::Unread, "bytes that wait to be read"),
    ("bytes_sent", Number::BytesSent, "bytes that its program has sent"),
    ("bytes_read", Number::BytesRead, "bytes that its program has read"),
    ("bytes_missing", Number::BytesMissing, "bytes that its peer has sent and it has not read"),
];

/// Which connection and which host is looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Case {
    /// The connection.
    pub conn: usize,
    /// What `any` is.
    pub any: Side,
}

/// Since when what stands before a `for` has held, of each [`Case`].
#[derive(Clone, Default, Debug)]
pub struct Since(std::collections::BTreeMap<(usize, Case), u64>);

impl Who {
    /// Which host it is.
    pub const fn side(self, case: Case) -> Side {
        match self {
            Self::Host(side) => side,
            Self::Any => case.any,
            Self::Peer => 1 - case.any,
        }
    }
}

impl Expr {
    /// Does it hold now? Every part is looked at, so that each `for` knows since when.
    pub fn holds(&self, stage: &Stage<'_>, case: Case, since: &mut Since) -> bool {
        match self {
            Self::And(one, other) => {
                let one = one.holds(stage, case, since);
                other.holds(stage, case, since) && one
            }
            Self::Or(one, other) => {
                let one = one.holds(stage, case, since);
                other.holds(stage, case, since) || one
            }
            Self::Not(inner) => !inner.holds(stage, case, since),
            Self::For(inner, span, number) => {
                let holds = inner.holds(stage, case, since);
                let key = (*number, case);
                let now = stage.now().ns;
                let lasted = since.0.get(&key).is_some_and(|from| now - from > span.ns);
                if holds {
                    since.0.entry(key).or_insert(now);
                } else {
                    since.0.remove(&key);
                }
                // What still holds when nothing happens any more holds for ever.
                lasted || (holds && stage.moment().last)
            }
            Self::Is(what, who) => what.is(stage, case.conn, who.side(case)),
            Self::State(who, equal, state) => {
                let is = same(stage.state(case.conn, who.side(case)), *state);
                is == (*equal == Equal::Yes)
            }
            Self::Number(number, who, relation, bound) => {
                let value = number.of(stage, case.conn, who.side(case));
                relation.fits(value.cmp(bound))
            }
            Self::End => stage.moment().last,
        }
    }
    /// Does it depend on how long something was so?
    pub fn looks_back(&self) -> bool {
        match self {
            Self::And(one, other) | Self::Or(one, other) => one.looks_back() || other.looks_back(),
            Self::Not(inner) => inner.looks_back(),
            Self::For(..) => true,
            Self::Is(..) | Self::State(..) | Self::Number(..) | Self::End => false,
        }
    }
    /// Does it say `any` or `peer`?
    pub fn is_of_any(&self) -> bool {
        match self {
            Self::And(one, other) | Self::Or(one, other) => one.is_of_any() || other.is_of_any(),
            Self::Not(inner) | Self::For(inner, ..) => inner.is_of_any(),
            Self::Is(_, who) | Self::State(who, ..) | Self::Number(_, who, ..) => {
                !matches!(who, Who::Host(_))
            }
            Self::End => false,
        }
    }
}

/// A request is shown as SYN-RECV.
fn same(one: TcpState, other: TcpState) -> bool {
    one.ss_name() == other.ss_name()
}

impl What {
    fn is(self, stage: &Stage<'_>, conn: usize, side: Side) -> bool {
        let Some(its) = stage.conns().get(conn) else { return false };
        let end = &its.ends[side];
        let moment = stage.moment();
        let here = moment.side == side && !moment.last;
        let sends = |wanted: &dyn Fn(Cause) -> bool| {
            here && moment
                .sent()
                .any(|(segment, cause)| wanted(cause) && stage.conn_of(segment.flow) == Some(conn))
        };
        let notes = |wanted: &dyn Fn(&Note) -> bool| {
            here && moment.notes().any(|n| wanted(n) && stage.conn_of(n.flow()) == Some(conn))
        };
        match self {
            Self::RstSent(None) => sends(&Cause::is_reset),
            Self::RstSent(Some(cause)) | Self::Sent(cause) => sends(&|c| c == cause),
            Self::BucketRefused => notes(&|n| matches!(n, Note::BucketRefused { .. })),
            Self::BucketReset => {
                notes(&|n| matches!(n, Note::BucketDied { how: BucketEnd::Reset, .. }))
            }
            Self::OldData => here && moment.old_data == Some(conn),
            Self::FinSent => end.fin_end.is_some(),
            Self::FinAcked => end.fin_acked,
            Self::Closed => end.closed,
            Self::ClosedProperly => end.closed && end.proper,
            Self::Open => end.fd.is_some(),
            Self::GotEof => end.eof,
            Self::Broken => end.broken.is_some(),
            Self::LeftOver => {
                end.fd.is_none() && end.closed && stage.state(conn, side) != TcpState::Close
            }
        }
    }
}

impl Number {
    fn of(self, stage: &Stage<'_>, conn: usize, side: Side) -> u64 {
        let stat = || stage.kernel(side).sockstat();
        let end = |side: Side| stage.conns().get(conn).map(|c| c.ends[side]).unwrap_or_default();
        match self {
            Self::Counter(mib) => stage.kernel(side).counters().get(mib),
            Self::Tw => stat().tw.into(),
            Self::Orphans => stat().orphan.into(),
            Self::Unread => stage.unread(conn, side).into(),
            Self::BytesSent => end(side).sent,
            Self::BytesRead => end(side).read,
            Self::BytesMissing => end(1 - side).sent.saturating_sub(end(side).read),
        }
    }
}

/// With the hosts' names.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a>(pub &'a Expr, pub [&'a str; 2]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(expr, names) = *self;
        let who = |who: &Who| match who {
            Who::Host(side) => names[*side],
            Who::Any => "any",
            Who::Peer => "peer",
        };
        match expr {
            Expr::And(a, b) => {
                let (left, right) = (is_or(a), is_or(b) || matches!(**b, Expr::And(..)));
                write!(f, "{} and {}", Inner(a, names, left), Inner(b, names, right))
            }
            Expr::Or(a, b) => {
                write!(f, "{} or {}", Inner(a, names, false), Inner(b, names, is_or(b)))
            }
            Expr::Not(a) => {
                let joined = is_or(a) || matches!(**a, Expr::And(..));
                write!(f, "not {}", Inner(a, names, joined))
            }
            Expr::For(a, span, _) => {
                let plain =
                    matches!(**a, Expr::Is(..) | Expr::State(..) | Expr::Number(..) | Expr::End);
                write!(f, "{} for > {span}", Inner(a, names, !plain))
            }
            Expr::Is(What::RstSent(Some(cause)), w) => {
                write!(f, "rst_sent({}, {})", who(w), cause.name())
            }
            Expr::Is(What::Sent(cause), w) => write!(f, "sent({}, {})", who(w), cause.name()),
            Expr::Is(what, w) => {
                let word = WHATS.iter().find(|(_, its, _)| its == what).map_or("", |(n, ..)| n);
                write!(f, "{word}({})", who(w))
            }
            Expr::State(w, equal, state) => {
                let sign = if *equal == Equal::Yes { "==" } else { "!=" };
                let name = if *state == TcpState::Close { "CLOSED" } else { state.ss_name() };
                write!(f, "state({}) {sign} {name}", who(w))
            }
            Expr::Number(Number::Counter(mib), w, relation, bound) => {
                write!(f, "counter({}, {}) {relation} {bound}", who(w), mib.nstat_name())
            }
            Expr::Number(number, w, relation, bound) => {
                let word = NUMBERS.iter().find(|(_, its, _)| its == number).map_or("", |(n, ..)| n);
                write!(f, "{word}({}) {relation} {bound}", who(w))
            }
            Expr::End => f.write_str("end"),
        }
    }
}

const fn is_or(expr: &Expr) -> bool {
    matches!(expr, Expr::Or(..))
}

/// A part of an expression, in parentheses if it needs some.
struct Inner<'a>(&'a Expr, [&'a str; 2], bool);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Named(self.0, self.1);
        if self.2 { write!(f, "({named})") } else { named.fmt(f) }
    }
}
