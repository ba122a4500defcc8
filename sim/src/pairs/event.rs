//! What happens to a connection: one thing at one of its ends.

use finwait_model::errno::Errno;
use finwait_model::time::Instant;

/// What happens at an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// connect() by the client.
    Connect,
    /// The oldest segment that is on its way there arrives.
    Arrival,
    /// The delayed-ACK timer fires.
    Timer,
    /// accept() by the server.
    Accept,
    /// poll().
    Poll,
    /// send() of so many bytes.
    Send(u32),
    /// recv() of so many bytes at most.
    Recv(u32),
    /// The same again and again until nothing is there.
    ReadAll(u32),
    /// close().
    Close,
}

impl Act {
    /// What a call says after everything was given up: its program goes on until its host's step is
    /// over, and nobody will ask what it did.
    pub(super) const fn says_nothing(self) -> Result<u32, Errno> {
        match self {
            Self::Send(bytes) => Ok(bytes),
            Self::Arrival | Self::Timer | Self::Poll | Self::ReadAll(_) | Self::Close => Ok(0),
            Self::Connect | Self::Accept | Self::Recv(_) => Err(Errno::EAGAIN),
        }
    }
}

/// In what [`Act::ReadAll`] says: the end of file has come.
pub(crate) const EOF: u32 = 1 << 31;

/// One thing that has happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub at: Instant,
    pub act: Act,
    pub end: u8,
    /// No bucket could be had.
    pub refused: bool,
}

/// What tells one event from another for connections that stand alike, in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key(u64);

impl Key {
    /// That of no event.
    pub(super) const NONE: Self = Self(u64::MAX);
    /// `aged`: for how many ticks nothing had come there, where it matters.
    pub(super) fn new(end: usize, act: Act, aged: u16) -> Self {
        let (code, number) = match act {
            Act::Connect => (0, 0),
            Act::Arrival => (1, 0),
            Act::Timer => (2, 0),
            Act::Accept => (3, 0),
            Act::Poll => (4, 0),
            Act::Send(bytes) => (5, bytes),
            Act::Recv(bytes) => (6, bytes),
            Act::Close => (7, 0),
            Act::ReadAll(bytes) => (8, bytes),
        };
        Self((end as u64) << 63 | code << 52 | u64::from(aged) << 32 | u64::from(number))
    }
    /// The same where no bucket can be had.
    pub(super) const fn refused(self) -> Self {
        Self(self.0 | 1 << 62)
    }
    pub(super) const fn is_refused(self) -> bool {
        self.0 >> 62 & 1 == 1
    }
}
