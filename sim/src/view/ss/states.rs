//! `ss`'s sets of states, and which sockets a kernel hands out for them.

use finwait_model::kernel::{Object, Row};
use finwait_model::release::Release;
use finwait_model::state::TcpState;

/// A set of states, a bit for each by the state's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct States(u16);

impl States {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(0x0ffe);
    /// What `ss` shows when it is not told: connections that are open in both directions, or
    /// were, and have a socket.
    pub(super) const OPEN: Self = Self::ALL
        .without(Self::of(TcpState::Listen))
        .without(Self::of(TcpState::Close))
        .without(Self::of(TcpState::TimeWait))
        .without(Self::of(TcpState::SynRecv));
    /// `-l`.
    pub(super) const LISTENING: Self = Self::of(TcpState::Listen).with(Self::of(TcpState::Close));

    pub(super) const fn of(state: TcpState) -> Self {
        Self(1 << state as u16)
    }
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    const fn has(self, state: TcpState) -> bool {
        self.0 & Self::of(state).0 != 0
    }
    /// Then every line would say the same, and `ss` leaves the column out.
    pub(super) const fn is_one(self) -> bool {
        self.0.is_power_of_two()
    }
    /// The states of a name as `ss` knows them, in small letters or in capitals.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, states)| *states)
    }
    /// Does a kernel of this release hand out the row when it is asked for these states?
    ///
    /// 3.10 keeps buckets apart and looks only whether TIME-WAIT is wanted, not in which state a
    /// bucket is: there `state fin-wait-2` misses the buckets in FIN-WAIT-2, and `state
    /// time-wait` finds them. `[inet_diag_dump_icsk]`
    pub(super) fn admit(self, row: &Row, release: Release) -> bool {
        match (row.object, release) {
            (Object::Bucket, Release::V3_10) => self.has(TcpState::TimeWait),
            (Object::Request, _) => self.has(TcpState::SynRecv),
            _ => self.has(row.state),
        }
    }
}

const SYN_SENT: States = States::of(TcpState::SynSent);
const CONNECTED: States = States::ALL.without(States::LISTENING);
const BUCKET: States = States::of(TcpState::SynRecv).with(States::of(TcpState::TimeWait));

/// Every name that `state` and `exclude` take.
pub(super) const NAMES: &[(&str, States)] = &[
    ("established", States::of(TcpState::Established)),
    ("syn-sent", SYN_SENT),
    ("syn-recv", States::of(TcpState::SynRecv)),
    ("syn-rcv", States::of(TcpState::SynRecv)),
    ("fin-wait-1", States::of(TcpState::FinWait1)),
    ("fin-wait-2", States::of(TcpState::FinWait2)),
    ("time-wait", States::of(TcpState::TimeWait)),
    ("close", States::of(TcpState::Close)),
    ("closed", States::of(TcpState::Close)),
    ("unconnected", States::of(TcpState::Close)),
    ("close-wait", States::of(TcpState::CloseWait)),
    ("last-ack", States::of(TcpState::LastAck)),
    ("listening", States::of(TcpState::Listen)),
    ("closing", States::of(TcpState::Closing)),
    ("all", States::ALL),
    ("connected", CONNECTED),
    ("synchronized", CONNECTED.without(SYN_SENT)),
    ("bucket", BUCKET),
    ("big", States::ALL.without(BUCKET)),
];
