//! What can be wrong with a recording, told to the person who wants to read it.

use core::fmt;
use std::io;

/// What is wrong inside a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage(&'static str);

impl Damage {
    pub(super) const TOO_SHORT: Self = Self("it ends in the middle of something");
    pub(super) const TOO_LONG: Self = Self("it goes on behind its end");
    pub(super) const TOO_LARGE: Self = Self("a number is larger than can be");
    pub(super) const UNKNOWN: Self = Self("a number stands for nothing that is known");
    pub(super) const CHECKSUM: Self = Self("its checksum is wrong");
    pub(super) const PACKED: Self = Self("it does not unpack");
    pub(super) const ORDER: Self = Self("its events are out of order");
    pub(super) const HEADER: Self = Self("its header says something impossible");
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why a recording cannot be read.
#[derive(Debug)]
pub enum Error {
    /// The file cannot be read.
    Io(io::Error),
    /// It is no recording.
    NotARecording,
    /// It was written by another version of the format.
    Version(u32),
    /// What stands in front of the first event is broken.
    Header(String),
    /// A block is broken: where in the file it begins, and what is wrong.
    Block(u64, Damage),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotARecording => f.write_str("it is no recording of finwait"),
            Self::Version(version) => write!(
                f,
                "it has version {version} of the format, and this finwait reads version {}",
                super::VERSION
            ),
            Self::Header(what) => write!(f, "its header is broken: {what}"),
            Self::Block(offset, what) => write!(f, "the block at byte {offset} is broken: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
