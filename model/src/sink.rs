//! Who watches: segments leave through a [`Sink`], and everything else that happens is noted there.

use crate::cause::Cause;
pub use crate::drop_reason::DropReason;
use crate::flow::FourTuple;
use crate::segment::Segment;
use crate::state::TcpState;
use crate::time::{Instant, Span};

/// Where a kernel's output goes. Only records: it must not call back into the kernel.
pub trait Sink {
    /// A segment leaves the host.
    fn transmit(&mut self, segment: &Segment, cause: Cause);
    /// Something happened that no segment shows. The closure runs only where somebody listens.
    #[inline(always)]
    fn note(&mut self, _note: impl FnOnce() -> Note) {}
    /// A timer of that connection fires: what `ss` shows of it may change, even if nothing is
    /// noted and no segment leaves. The closure runs only where somebody listens.
    #[inline(always)]
    fn touched(&mut self, _flow: impl FnOnce() -> FourTuple) {}
}

/// What a call into the kernel needs from outside: the time, and who watches.
#[derive(Debug)]
pub struct Cx<'a, S: Sink> {
    /// The time at which the call happens.
    pub now: Instant,
    /// Who watches.
    pub sink: &'a mut S,
}

/// Something that happened inside a kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// A full socket changed state. `[inet_sock_set_state]`
    State {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// The old state.
        from: TcpState,
        /// The new state.
        to: TcpState,
    },
    /// A timewait bucket was made out of a full socket. `[tcp_time_wait]`
    BucketBorn {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// FinWait2 or TimeWait.
        substate: TcpState,
        /// How long it is meant to live.
        timeout: Span,
    },
    /// No bucket could be had; the socket goes without its last state. `[tcp_time_wait]`
    BucketRefused {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// FinWait2 or TimeWait: the state that is skipped.
        substate: TcpState,
        /// Buckets in existence.
        count: u32,
        /// `net.ipv4.tcp_max_tw_buckets`.
        limit: i32,
        /// When the oldest bucket will go, if the table knows it.
        next_expiry: Option<Instant>,
    },
    /// A bucket changed from FIN_WAIT2 to TIME_WAIT. `[tcp_timewait_state_process]`
    BucketTimeWait {
        /// The connection, seen from this host.
        flow: FourTuple,
    },
    /// A bucket is gone.
    BucketDied {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// What it was at the end.
        substate: TcpState,
        /// How it ended.
        how: BucketEnd,
    },
    /// A half-open request was made. `[tcp_conn_request]`
    RequestBorn {
        /// The connection, seen from this host.
        flow: FourTuple,
    },
    /// A half-open request is gone without becoming a connection.
    RequestDied {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// Why.
        why: RequestEnd,
    },
    /// close() took the file away from a socket that still lives. `[__tcp_close]`
    Orphaned {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// The state in which it was left.
        state: TcpState,
    },
    /// A full socket was destroyed. `[tcp_done]`, `[inet_csk_destroy_sock]`
    Destroyed {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// The state it was in before it went to CLOSE.
        state: TcpState,
        /// Why.
        why: SockEnd,
    },
    /// A socket timer fired.
    Timer {
        /// The connection, seen from this host.
        flow: FourTuple,
        /// Which.
        kind: TimerKind,
    },
    /// A segment arrived and was thrown away. `[kfree_skb_reason]`
    Drop {
        /// The segment's own direction: from the peer to this host.
        flow: FourTuple,
        /// Why.
        reason: DropReason,
    },
}

impl Note {
    /// Is it one of the many that only pass: nothing began or ended, and nothing was taken away? A
    /// socket's steps from state to state, but for connect() that has found its port and one that
    /// fails; timers; segments thrown away; and the end of a socket of which another note says more:
    /// that there is a bucket now, or none.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::State { flow, from, to } => match (from, to) {
                (_, TcpState::SynSent) => flow.sport == 0,
                (TcpState::SynSent, TcpState::Close) => false,
                _ => true,
            },
            Self::Timer { .. }
            | Self::Drop { .. }
            | Self::Destroyed { why: SockEnd::ToBucket | SockEnd::BucketRefused, .. } => true,
            Self::BucketBorn { .. }
            | Self::BucketRefused { .. }
            | Self::BucketTimeWait { .. }
            | Self::BucketDied { .. }
            | Self::RequestBorn { .. }
            | Self::RequestDied { .. }
            | Self::Orphaned { .. }
            | Self::Destroyed { .. } => false,
        }
    }
    /// The connection that it is about, seen from its host; that of a thrown-away segment in the
    /// segment's direction.
    pub const fn flow(mut self) -> FourTuple {
        *self.flow_mut()
    }
    /// The same of another connection.
    #[must_use]
    pub const fn with_flow(mut self, other: FourTuple) -> Self {
        *self.flow_mut() = other;
        self
    }
    const fn flow_mut(&mut self) -> &mut FourTuple {
        match self {
            Self::State { flow, .. }
            | Self::BucketBorn { flow, .. }
            | Self::BucketRefused { flow, .. }
            | Self::BucketTimeWait { flow }
            | Self::BucketDied { flow, .. }
            | Self::RequestBorn { flow }
            | Self::RequestDied { flow, .. }
            | Self::Orphaned { flow, .. }
            | Self::Destroyed { flow, .. }
            | Self::Timer { flow, .. }
            | Self::Drop { flow, .. } => flow,
        }
    }
}

/// How a bucket ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BucketEnd {
    /// Its time ran out.
    Expired,
    /// A RST killed it (TIME_WAIT assassination, or FIN_WAIT2 reset).
    Reset,
    /// It answered a segment with a RST and went.
    AnsweredReset,
    /// A new SYN took its place. `[TCP_TW_SYN]`
    Reopened,
    /// A connect() took its place. `[__inet_check_established]`
    Recycled,
}

/// Why a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestEnd {
    /// SYN-ACKs were never answered.
    TimedOut,
    /// A RST or a SYN in its window.
    Reset,
    /// The accept queue was full and tcp_abort_on_overflow is set.
    AbortedOnOverflow,
    /// Its listener is gone.
    ListenerGone,
}

/// Why a full socket ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SockEnd {
    /// Everything was said and acknowledged (LAST_ACK), or nothing had begun.
    Done,
    /// A timewait bucket stands in its place.
    ToBucket,
    /// A bucket should stand in its place but was refused.
    BucketRefused,
    /// The peer's RST.
    ResetByPeer,
    /// Our own RST: the cause says which.
    Aborted(Cause),
    /// Retransmissions or probes ran out.
    TimedOut,
    /// A hard error came by ICMP.
    Icmp,
}

/// The timers of a socket or request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerKind {
    /// Retransmission timeout. `[tcp_retransmit_timer]`
    Retransmit,
    /// Tail loss probe. `[tcp_send_loss_probe]`
    LossProbe,
    /// RACK reordering timeout. `[tcp_rack_reo_timeout]`
    Reordering,
    /// Zero-window probe. `[tcp_probe_timer]`
    Probe,
    /// Delayed ACK. `[tcp_delack_timer_handler]`
    DelayedAck,
    /// Keepalive. `[tcp_keepalive_timer]`
    Keepalive,
    /// FIN_WAIT2 of an orphan, on the keepalive timer. `[tcp_keepalive_timer]`
    FinWait2,
    /// SYN-ACK of a request. `[reqsk_timer_handler]`
    SynAck,
    /// The end of a lingering close(). `[sk_stream_wait_close]`
    Linger,
}

/// Watches nothing.
#[derive(Clone, Copy, Default, Debug)]
pub struct Quiet;

impl Sink for Quiet {
    #[inline(always)]
    fn transmit(&mut self, _segment: &Segment, _cause: Cause) {}
}
