//! A TCP segment as values: header fields and options, the payload only as a length.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

use crate::flow::FourTuple;
use crate::seq::Seq;

/// The flag byte of a TCP header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Flags(pub u8);

impl Flags {
    /// FIN.
    pub const FIN: Self = Self(0x01);
    /// SYN.
    pub const SYN: Self = Self(0x02);
    /// RST.
    pub const RST: Self = Self(0x04);
    /// PSH.
    pub const PSH: Self = Self(0x08);
    /// ACK.
    pub const ACK: Self = Self(0x10);
    /// URG.
    pub const URG: Self = Self(0x20);
    /// ECE.
    pub const ECE: Self = Self(0x40);
    /// CWR.
    pub const CWR: Self = Self(0x80);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Are all flags of `other` set?
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// FIN set?
    pub const fn fin(self) -> bool {
        self.has(Self::FIN)
    }
    /// SYN set?
    pub const fn syn(self) -> bool {
        self.has(Self::SYN)
    }
    /// RST set?
    pub const fn rst(self) -> bool {
        self.has(Self::RST)
    }
    /// PSH set?
    pub const fn psh(self) -> bool {
        self.has(Self::PSH)
    }
    /// ACK set?
    pub const fn ack(self) -> bool {
        self.has(Self::ACK)
    }
    /// The same without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Both, in a constant.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        self.with(rhs)
    }
}
impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, rhs: Self) {
        *self = self.with(rhs);
    }
}

/// As packetdrill writes them: `S`, `F.`, `P.`, `R.`, `.`.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (flag, letter) in [
            (Self::SYN, "S"),
            (Self::FIN, "F"),
            (Self::RST, "R"),
            (Self::PSH, "P"),
            (Self::URG, "U"),
            (Self::ECE, "E"),
            (Self::CWR, "W"),
            (Self::ACK, "."),
        ] {
            if self.has(flag) {
                f.write_str(letter)?;
            }
        }
        if self.0 == 0 { f.write_str("none") } else { Ok(()) }
    }
}

/// A range that a receiver holds beyond a hole (RFC 2018).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct SackBlock {
    /// First sequence number of the block.
    pub left: Seq,
    /// The sequence number just behind the block.
    pub right: Seq,
}

/// Timestamp option (RFC 7323 §3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Timestamp {
    /// The sender's clock, in its own ticks.
    pub val: u32,
    /// The last `val` that the sender had from us, 0 if none.
    pub ecr: u32,
}

/// The options that matter to a close. What leaves the model is written in the kernel's order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Options {
    /// Timestamps.
    pub ts: Option<Timestamp>,
    /// Maximum segment size in bytes; only on a SYN.
    pub mss: Option<u16>,
    /// Window scale, 0..=14; only on a SYN.
    pub wscale: Option<u8>,
    /// SACK permitted; only on a SYN.
    pub sack_permitted: bool,
    /// How many of `sack` are in use, 0..=4.
    pub sack_count: u8,
    /// SACK blocks, the D-SACK first if there is one.
    pub sack: [SackBlock; 4],
}

impl Options {
    /// The blocks in use.
    pub fn sack_blocks(&self) -> &[SackBlock] {
        &self.sack[..usize::from(self.sack_count)]
    }
    /// No option at all?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One TCP segment on its way. `win` is the header's field, before scaling.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Segment {
    /// From whom to whom.
    pub flow: FourTuple,
    /// Sequence number.
    pub seq: Seq,
    /// Acknowledgement number; 0 without the ACK flag.
    pub ack: Seq,
    /// Payload bytes.
    pub len: u16,
    /// Window field as on the wire.
    pub win: u16,
    /// Flags.
    pub flags: Flags,
    /// Options.
    pub options: Options,
}

impl Segment {
    /// The sequence number behind the segment: payload, SYN and FIN count.
    pub const fn end_seq(&self) -> Seq {
        let extra = self.flags.syn() as u32 + self.flags.fin() as u32;
        Seq(self.seq.0.wrapping_add(self.len as u32).wrapping_add(extra))
    }
}

/// `S. 0:0(0) ack 1 win 65160`, absolute numbers, without options.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.seq + u32::from(self.len);
        write!(f, "{} {}:{}({})", self.flags, self.seq, end, self.len)?;
        if self.flags.ack() {
            write!(f, " ack {}", self.ack)?;
        }
        write!(f, " win {}", self.win)
    }
}
