//! Captures that Wireshark and tcpdump open: what [`capture`](crate::capture) sees, as files.
//!
//! [`Ng`] writes pcapng: every host has its interface, and each RST says in a comment why it was
//! sent. [`Classic`] writes the older format, for one host. Both are written as packets come.

mod classic;
mod ng;
pub mod read;

pub use classic::write;
pub use ng::Ng;

use std::io::{self, Write};

use finwait_model::time::Instant;

use crate::capture::{About, Packet, Take, unix_ns};
use crate::wire;

/// Which of the two formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The older one, with nanoseconds.
    Classic,
    /// The one with interfaces and comments.
    Ng,
}

/// Writes classic pcap.
#[derive(Debug)]
pub struct Classic<W> {
    out: W,
    bytes: Vec<u8>,
}

impl<W: Write> Classic<W> {
    /// Writes the header.
    pub fn new(mut out: W) -> io::Result<Self> {
        classic::header(&mut out, classic::LINKTYPE_IPV4)?;
        Ok(Self { out, bytes: Vec::new() })
    }
}

impl<W: Write> Take for Classic<W> {
    fn take(&mut self, packet: &Packet) -> io::Result<()> {
        self.bytes.clear();
        wire::emit_into(&packet.segment, packet.ip_id, &mut self.bytes);
        classic::packet(&mut self.out, unix_ns(packet.at), &self.bytes)
    }
    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes packets as they were seen, byte for byte, as classic pcap: whatever IP they are.
#[derive(Debug)]
pub struct Raw<W> {
    out: W,
}

impl<W: Write> Raw<W> {
    /// Writes the header.
    pub fn new(mut out: W) -> io::Result<Self> {
        classic::header(&mut out, classic::LINKTYPE_RAW)?;
        Ok(Self { out })
    }
    /// A packet, with the time of the run at which it was seen.
    pub fn packet(&mut self, at: Instant, bytes: &[u8]) -> io::Result<()> {
        classic::packet(&mut self.out, unix_ns(at), bytes)
    }
    /// Gives back what it has written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Either format behind one name.
#[derive(Debug)]
pub enum File<W> {
    /// The older one.
    Classic(Classic<W>),
    /// The one with comments.
    Ng(Ng<W>),
}

impl<W: Write> File<W> {
    /// Writes the header.
    pub fn new(out: W, format: Format, about: &About) -> io::Result<Self> {
        Ok(match format {
            Format::Classic => Self::Classic(Classic::new(out)?),
            Format::Ng => Self::Ng(Ng::new(out, about)?),
        })
    }
}

impl<W: Write> Take for File<W> {
    fn take(&mut self, packet: &Packet) -> io::Result<()> {
        match self {
            Self::Classic(file) => file.take(packet),
            Self::Ng(file) => file.take(packet),
        }
    }
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Classic(file) => file.finish(),
            Self::Ng(file) => file.finish(),
        }
    }
}
