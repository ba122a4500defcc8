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
    /// accept() by the server, and poll() of what it gets.
    Accept,
    /// send() of so many bytes.
    Send(u32),
    /// recv() of so many bytes at most, again and again until nothing is there.
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
            Self::Arrival | Self::Timer | Self::ReadAll(_) | Self::Close => Ok(0),
            Self::Connect | Self::Accept => Err(Errno::EAGAIN),
        }
    }
}

/// In what [`Act::ReadAll`] says: the end of file has come.
pub(crate) const EOF: u32 = 1 << 31;

/// One thing that has happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub at: Instant,
    pub key: Key,
}

/// At which end what happens, in one word; and what else tells one event from another for connections
/// that stand alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key(u64);

impl Key {
    /// That of no event.
    pub(super) const NONE: Self = Self(u64::MAX);
    const END: u32 = 63;
    const REFUSED: u64 = 1 << 62;
    const CODE: u32 = 52;
    const AGED: u32 = 32;
    const SEND: u64 = 5;

    /// What happens at the client's end. Where it is known what, that is a number.
    #[inline(always)]
    pub(crate) const fn of(act: Act) -> Self {
        let (code, number) = match act {
            Act::Connect => (0, 0),
            Act::Arrival => (1, 0),
            Act::Timer => (2, 0),
            Act::Accept => (3, 0),
            Act::Close => (4, 0),
            Act::Send(bytes) => (Self::SEND, bytes),
            Act::ReadAll(bytes) => (6, bytes),
        };
        Self(code << Self::CODE | number as u64)
    }
    /// The same at that end.
    #[inline(always)]
    pub(super) const fn at(self, end: usize) -> Self {
        Self(self.0 | (end as u64) << Self::END)
    }
    /// The same where nothing had come for so many ticks.
    #[inline(always)]
    pub(super) const fn aged(self, ticks: u16) -> Self {
        Self(self.0 | (ticks as u64) << Self::AGED)
    }
    /// The same where no bucket can be had.
    pub(super) const fn refused(self) -> Self {
        Self(self.0 | Self::REFUSED)
    }
    pub(super) const fn is_refused(self) -> bool {
        self.0 & Self::REFUSED != 0
    }
    #[inline(always)]
    pub(super) const fn end(self) -> usize {
        (self.0 >> Self::END) as usize
    }
    #[inline(always)]
    const fn code(self) -> u64 {
        self.0 >> Self::CODE & 0xf
    }
    #[inline(always)]
    pub(super) const fn sends(self) -> bool {
        self.code() == Self::SEND
    }
    pub(super) const fn act(self) -> Act {
        let number = self.0 as u32;
        match self.code() {
            0 => Act::Connect,
            1 => Act::Arrival,
            2 => Act::Timer,
            3 => Act::Accept,
            4 => Act::Close,
            Self::SEND => Act::Send(number),
            _ => Act::ReadAll(number),
        }
    }
}
