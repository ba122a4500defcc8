//! Captures of others, read as a stream: pcap and pcapng, in either byte order.
//!
//! A capture comes from anywhere, so nothing in it is believed: no length makes the reader take
//! more memory than [`LARGEST_BLOCK`], and a file that ends early or goes wrong gives the packets
//! before that place, and says where it is.

mod classic;
mod frame;
mod ng;

pub use frame::{Carries, Meant, TcpPacket, look};

use core::fmt;
use std::io::{self, Read};

use finwait_model::flow::Addr;

/// The largest block or packet that is read; tcpdump's own limit is 256 KiB a packet.
pub const LARGEST_BLOCK: usize = 1 << 20;
/// So many interfaces a pcapng section may have.
const MOST_INTERFACES: usize = 4096;

/// A packet as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// On which interface, counted over the whole file.
    pub interface: u32,
    /// Nanoseconds since 1970.
    pub at_ns: u64,
    /// LINKTYPE_…, which says how the bytes begin.
    pub link_type: u32,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// How long it was.
    pub length: u32,
}

/// An interface of a capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// LINKTYPE_….
    pub link_type: u32,
    /// `if_name`, if the file says.
    pub name: Option<String>,
    /// `if_IPv4addr`, if the file says.
    pub addr: Option<Addr>,
    /// `if_os`, if the file says: what runs where the capture was made.
    pub os: Option<String>,
    /// How many units of its clock make a second.
    resolution: Resolution,
    /// Seconds that are added to each time.
    offset_s: i64,
}

/// What a unit of an interface's clock is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Resolution {
    /// 10 to the minus this.
    Ten(u8),
    /// 2 to the minus this.
    Two(u8),
}

impl Resolution {
    /// Units as nanoseconds; saturates.
    fn ns(self, units: u64) -> u64 {
        let ns: u128 = match self {
            Self::Ten(digits @ 0..=9) => u128::from(units) * 10_u128.pow(9 - u32::from(digits)),
            Self::Ten(digits) => {
                u128::from(units) / 10_u128.checked_pow(u32::from(digits) - 9).unwrap_or(u128::MAX)
            }
            Self::Two(bits @ 0..=63) => (u128::from(units) * 1_000_000_000) >> bits,
            Self::Two(_) => 0,
        };
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

/// How a capture ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// With its last packet.
    Whole,
    /// In the middle of something; the byte at which that begins.
    CutShort(u64),
    /// With something that cannot be; the byte at which it is, and what it is.
    Broken(u64, &'static str),
}

/// Why a file cannot be read as a capture at all.
#[derive(Debug)]
pub enum Error {
    /// Neither pcap nor pcapng.
    NotACapture,
    /// Compressed; by what.
    Compressed(&'static str),
    /// It is a capture, but its header is not all there or makes no sense.
    Header(&'static str),
    /// It begins before the one that was read before it ends.
    Order,
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACapture => f.write_str("not a capture: expected pcap or pcapng"),
            Self::Compressed(how) => {
                write!(f, "compressed with {how}: expected pcap or pcapng; uncompress it first")
            }
            Self::Header(what) => write!(f, "the capture's header is wrong: {what}"),
            Self::Order => f.write_str(
                "it begins before the capture before it ends: expected captures one after the other",
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// Do these first bytes of a file look like a capture, or like a compressed file?
pub fn is_capture(first: &[u8]) -> bool {
    kind(first).is_ok() || matches!(kind(first), Err(Error::Compressed(_)))
}

/// Which format, and whether its numbers are big-endian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Classic { big: bool, nanoseconds: bool },
    Ng,
}

fn kind(first: &[u8]) -> Result<Kind, Error> {
    let classic = |big, nanoseconds| Ok(Kind::Classic { big, nanoseconds });
    match first {
        [0x0a, 0x0d, 0x0d, 0x0a, ..] => Ok(Kind::Ng),
        [0xa1, 0xb2, 0xc3, 0xd4, ..] => classic(true, false),
        [0xd4, 0xc3, 0xb2, 0xa1, ..] => classic(false, false),
        [0xa1, 0xb2, 0x3c, 0x4d, ..] => classic(true, true),
        [0x4d, 0x3c, 0xb2, 0xa1, ..] => classic(false, true),
        [0x1f, 0x8b, ..] => Err(Error::Compressed("gzip")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(Error::Compressed("zstd")),
        [0xfd, b'7', b'z', b'X', ..] => Err(Error::Compressed("xz")),
        [0x04, 0x22, 0x4d, 0x18, ..] => Err(Error::Compressed("lz4")),
        _ => Err(Error::NotACapture),
    }
}

/// Reads packets one by one.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    kind: Kind,
    interfaces: Vec<Interface>,
    /// Where the interfaces of the current pcapng section begin.
    section: usize,
    big: bool,
    end: Option<End>,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut source = Source { input, at: 0, block: Vec::new() };
        let first = source.take(4).map_err(Error::Io)?.ok_or(Error::NotACapture)?.to_vec();
        let kind = kind(&first)?;
        let mut reader =
            Self { source, kind, interfaces: Vec::new(), section: 0, big: false, end: None };
        match kind {
            Kind::Classic { big, nanoseconds } => reader.classic_header(big, nanoseconds)?,
            Kind::Ng => reader.first_section()?,
        }
        Ok(reader)
    }
    /// The next packet; `None` at the end, of which [`Reader::end`] then tells.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame<'_>>> {
        if self.end.is_some() {
            return Ok(None);
        }
        match self.kind {
            Kind::Classic { .. } => self.classic_packet(),
            Kind::Ng => self.ng_packet(),
        }
    }
    /// How it ended, once it has.
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }
    /// The interfaces met so far.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }
    /// How many bytes have been read.
    pub const fn bytes(&self) -> u64 {
        self.source.at
    }
    fn word(&self, at: usize) -> u32 {
        word(self.big, &self.source.block, at)
    }
    fn half(&self, at: usize) -> u16 {
        half(self.big, &self.source.block, at)
    }
    /// Nothing more comes.
    fn ends(&mut self, end: End) {
        self.end = Some(end);
    }
}

/// Bytes, and how many of them there have been. `block` holds what was read last.
#[derive(Debug)]
struct Source<R> {
    input: R,
    at: u64,
    block: Vec<u8>,
}

impl<R: Read> Source<R> {
    /// Replaces the block by the next `n` bytes; `None` if the file has fewer. The caller has
    /// made sure that `n` is bounded.
    fn take(&mut self, n: usize) -> io::Result<Option<&[u8]>> {
        self.block.clear();
        Ok(self.append(n)?.then_some(self.block.as_slice()))
    }
    /// Puts the next `n` bytes behind those of the block; false if the file has fewer.
    fn append(&mut self, n: usize) -> io::Result<bool> {
        debug_assert!(
            n <= 2 * LARGEST_BLOCK,
            "invariant: lengths are checked before they are used"
        );
        let read = self.input.by_ref().take(n as u64).read_to_end(&mut self.block)?;
        self.at += read as u64;
        Ok(read == n)
    }
}

/// A number of 32 bits; 0 where there are no bytes, which callers exclude by the block's length.
fn word(big: bool, bytes: &[u8], at: usize) -> u32 {
    let Some(&[a, b, c, d]) = bytes.get(at..at + 4) else { return 0 };
    if big { u32::from_be_bytes([a, b, c, d]) } else { u32::from_le_bytes([a, b, c, d]) }
}

fn half(big: bool, bytes: &[u8], at: usize) -> u16 {
    let Some(&[a, b]) = bytes.get(at..at + 2) else { return 0 };
    if big { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) }
}

#[cfg(test)]
mod tests;
