//! The kinds of earlier event.

use core::fmt;

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::sink::{BucketEnd, SockEnd};
use finwait_model::state::TcpState;

use super::past::{Fatal, Past};

macro_rules! becauses {
    ($($(#[$doc:meta])* $name:ident $slug:literal $text:literal;)*) => {
        /// The earlier event that made a RST inevitable.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Because { $($(#[$doc])* $name,)* }

        impl Because {
            /// Every kind, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The name in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }
            /// What happened, in a sentence.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

becauses! {
    /// The FIN-WAIT-2 bucket was refused.
    FinWait2Refused "fin-wait-2-bucket-refused"
        "our FIN was acknowledged on its own, and the bucket that should have waited in FIN-WAIT-2 \
         for the peer's FIN was refused: the table was full";
    /// The TIME-WAIT bucket was refused.
    TimeWaitRefused "time-wait-bucket-refused"
        "the bucket that should have stood in TIME-WAIT was refused: the table was full";
    /// A bucket was there and its time was up.
    BucketExpired "bucket-expired"
        "the bucket's time was up before this segment came";
    /// A RST had killed the bucket.
    BucketReset "bucket-reset-by-peer"
        "a RST of the peer had taken the bucket away (TIME-WAIT assassination)";
    /// The bucket had answered with a RST already.
    BucketAnswered "bucket-answered-with-reset"
        "the bucket had answered an earlier segment with a RST and gone";
    /// The bucket's ports belong to a newer connection that is gone too, or never came about.
    BucketReplaced "bucket-replaced"
        "a new connection had taken the bucket's place";
    /// A FIN-WAIT-2 bucket stands, and new data or a SYN comes.
    BucketStands "bucket-after-close"
        "the application had closed; a FIN-WAIT-2 bucket stood for the connection and cannot take \
         data or a SYN";
    /// The application had closed and data comes.
    ClosedBefore "application-closed-before"
        "the application had closed before the peer had said everything";
    /// The connection had ended in good order.
    Ended "connection-ended"
        "the connection had ended in good order before this segment came";
    /// The peer had reset it.
    ResetByPeer "reset-by-peer"
        "a RST of the peer had ended the connection";
    /// We had reset it.
    ResetByUs "reset-before"
        "a RST of our own had ended the connection before";
    /// It had timed out.
    TimedOut "timed-out"
        "the kernel had given the connection up after too many retransmissions";
    /// A request had gone.
    RequestGone "request-gone"
        "the half-open request had been dropped before";
    /// A box on the way has no such flow.
    FlowForgotten "flow-forgotten"
        "the box on the way has no flow of this connection: it was idle for too long, or had ended";
    /// Nobody listens.
    NobodyListens "nobody-listens"
        "nobody listens on that port";
    /// Nothing is remembered.
    Unknown "no-such-connection"
        "no connection with these addresses and ports is remembered";
    /// close() with unread data.
    UnreadData "closed-with-unread-data"
        "the application called close() with unread data in the receive queue";
    /// close() with linger 0.
    LingerZero "closed-with-linger-0"
        "the application had set SO_LINGER to 0 seconds before close()";
    /// TCP_LINGER2 below zero.
    Linger2 "linger2-negative"
        "the application had set TCP_LINGER2 below zero: it wants no FIN-WAIT-2";
    /// Too many orphans, or no memory for them.
    OrphanLimit "too-many-orphans"
        "there were more orphans than net.ipv4.tcp_max_orphans allows, or too little memory";
    /// FIN-WAIT-2 timer with TCP_LINGER2.
    FinWait2Timer "fin-wait-2-timed-out"
        "the orphan had waited in FIN-WAIT-2 for as long as it may";
    /// Keepalive.
    Keepalive "keepalive-unanswered"
        "keepalive probes stayed unanswered";
    /// Listener closed.
    ListenerClosed "listener-closed"
        "the listener was closed with connections in its accept queue";
    /// Accept queue overflow.
    AcceptQueueFull "accept-queue-full"
        "the accept queue was full and net.ipv4.tcp_abort_on_overflow is set";
    /// Disconnect.
    Disconnected "disconnected"
        "the application called connect() with AF_UNSPEC";
    /// A segment that does not fit the handshake.
    Handshake "handshake-mismatch"
        "the segment does not belong to the handshake that is under way";
}

impl Because {
    /// The kernel functions in which the earlier event happens; none where a program, the peer or
    /// nobody decided.
    pub const fn decided_in(self) -> &'static [&'static str] {
        match self {
            Self::FinWait2Refused | Self::TimeWaitRefused => &["tcp_time_wait"],
            Self::BucketExpired => &["tw_timer_handler", "inet_twdr_hangman"],
            Self::BucketReset | Self::BucketAnswered | Self::BucketStands => {
                &["tcp_timewait_state_process"]
            }
            Self::BucketReplaced => &["tcp_timewait_state_process", "__inet_check_established"],
            Self::ClosedBefore | Self::UnreadData | Self::LingerZero => &["__tcp_close"],
            Self::Linger2 => &["__tcp_close", "tcp_rcv_state_process"],
            Self::Ended => &["tcp_done"],
            Self::ResetByPeer => &["tcp_reset"],
            Self::ResetByUs => &["tcp_send_active_reset", "tcp_v4_send_reset"],
            Self::TimedOut => &["tcp_write_err"],
            Self::RequestGone => &["tcp_check_req", "reqsk_timer_handler"],
            Self::OrphanLimit => &["tcp_check_oom"],
            Self::FinWait2Timer | Self::Keepalive => &["tcp_keepalive_timer"],
            Self::ListenerClosed => &["inet_csk_listen_stop"],
            Self::AcceptQueueFull => &["tcp_v4_syn_recv_sock", "tcp_check_req"],
            Self::Disconnected => &["tcp_disconnect"],
            Self::NobodyListens | Self::Unknown | Self::Handshake | Self::FlowForgotten => &[],
        }
    }
    /// What made a RST with that cause inevitable, given what is remembered of the flow and the
    /// segment that it answers.
    pub(super) fn of(cause: Cause, past: Option<&Past>, answers: Option<&Segment>) -> Self {
        match cause {
            Cause::RstNoSocket | Cause::RstOtherTcp => past
                .and_then(|p| p.fatal)
                .map_or_else(|| Self::stray(answers), |f| Self::after(f.1)),
            // Something was there before, or this is an ACK that fits no SYN cookie.
            Cause::RstListenAck => {
                past.and_then(|p| p.fatal).map_or(Self::Handshake, |f| Self::after(f.1))
            }
            Cause::RstTwData | Cause::RstTwSyn => Self::BucketStands,
            Cause::RstDataAfterClose | Cause::RstDataAfterCloseFinAcked => Self::ClosedBefore,
            Cause::RstLinger2FinAcked | Cause::RstLinger2Close => Self::Linger2,
            Cause::RstUnreadData => Self::UnreadData,
            Cause::RstLingerZero => Self::LingerZero,
            Cause::RstOrphanLimit | Cause::RstOrphanLimitTimer => Self::OrphanLimit,
            Cause::RstFinWait2Timer => Self::FinWait2Timer,
            Cause::RstKeepalive => Self::Keepalive,
            Cause::RstListenerClosed => Self::ListenerClosed,
            Cause::RstAcceptOverflow => Self::AcceptQueueFull,
            Cause::RstDisconnect | Cause::RstDisconnectUnsent => Self::Disconnected,
            Cause::RstRequestSyn
            | Cause::RstSynSentBadAck
            | Cause::RstSynSentPaws
            | Cause::RstSynRecvBadAck
            | Cause::RstSynRecvOldAck => Self::Handshake,
            _ => Self::Unknown,
        }
    }
    /// A segment that meets no socket where something was before.
    const fn after(fatal: Fatal) -> Self {
        match fatal {
            Fatal::BucketRefused { substate: TcpState::FinWait2, .. } => Self::FinWait2Refused,
            Fatal::BucketRefused { .. } => Self::TimeWaitRefused,
            Fatal::BucketStands(_) => Self::BucketStands,
            Fatal::BucketDied(_, how) => match how {
                BucketEnd::Expired => Self::BucketExpired,
                BucketEnd::Reset => Self::BucketReset,
                BucketEnd::AnsweredReset => Self::BucketAnswered,
                BucketEnd::Reopened | BucketEnd::Recycled => Self::BucketReplaced,
            },
            // close() while the SYN was out: nobody hears of it until the SYN-ACK comes.
            Fatal::Destroyed(TcpState::SynSent, SockEnd::Done) => Self::ClosedBefore,
            Fatal::Destroyed(_, why) => match why {
                SockEnd::ResetByPeer => Self::ResetByPeer,
                SockEnd::Aborted(_) => Self::ResetByUs,
                SockEnd::TimedOut | SockEnd::Icmp => Self::TimedOut,
                SockEnd::Done | SockEnd::ToBucket | SockEnd::BucketRefused => Self::Ended,
            },
            Fatal::RequestDied(_) => Self::RequestGone,
        }
    }
    /// A segment that meets no socket where nothing is remembered.
    fn stray(answers: Option<&Segment>) -> Self {
        let opens = answers.is_some_and(|s| s.flags.syn() && !s.flags.ack());
        if opens { Self::NobodyListens } else { Self::Unknown }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reset_says_more_than_that_nothing_is_known() {
        for cause in
            Cause::all().filter(|c| c.is_reset() && c.is_of_linux() && *c != Cause::RstNoSocket)
        {
            assert_ne!(Because::of(cause, None, None), Because::Unknown, "{}", cause.name());
        }
    }

    #[test]
    fn a_segment_without_a_socket_is_explained_by_what_was_there() {
        let refused =
            |substate| Fatal::BucketRefused { substate, count: 0, limit: 0, next_expiry: None };
        let of = |fatal| {
            let at = finwait_model::time::Instant::ZERO;
            let flow = finwait_model::flow::FourTuple::default();
            let past = Past { flow, orphaned: None, fatal: Some((at, fatal)) };
            Because::of(Cause::RstNoSocket, Some(&past), None)
        };
        assert_eq!(of(refused(TcpState::FinWait2)), Because::FinWait2Refused);
        assert_eq!(of(refused(TcpState::TimeWait)), Because::TimeWaitRefused);
        let died = |how| of(Fatal::BucketDied(TcpState::TimeWait, how));
        assert_eq!(died(BucketEnd::Expired), Because::BucketExpired);
        assert_eq!(died(BucketEnd::Reset), Because::BucketReset);
        assert_eq!(of(Fatal::Destroyed(TcpState::LastAck, SockEnd::Done)), Because::Ended);
        let syn = Segment { flags: finwait_model::segment::Flags::SYN, ..Segment::default() };
        assert_eq!(Because::of(Cause::RstNoSocket, None, Some(&syn)), Because::NobodyListens);
        assert_eq!(Because::of(Cause::RstNoSocket, None, None), Because::Unknown);
    }
}
