//! Classic pcap with nanoseconds: one interface, no names, no comments.

use std::io::{self, Write};

use finwait_model::segment::Segment;

use crate::wire;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Packets begin with their IP header, of whatever version.
pub(super) const LINKTYPE_RAW: u32 = 101;
/// Packets begin with their IPv4 header.
pub(super) const LINKTYPE_IPV4: u32 = 228;
/// No packet is longer.
pub(super) const SNAP_LEN: u32 = 262_144;

/// The header of a file.
pub(super) fn header(out: &mut impl Write, link_type: u32) -> io::Result<()> {
    out.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
    out.write_all(&2u16.to_le_bytes())?;
    out.write_all(&4u16.to_le_bytes())?;
    for field in [0, 0, SNAP_LEN, link_type] {
        out.write_all(&field.to_le_bytes())?;
    }
    Ok(())
}

/// One packet with its nanoseconds since 1970.
pub(super) fn packet(out: &mut impl Write, at_ns: u64, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let seconds = u32::try_from(at_ns / 1_000_000_000).unwrap_or(u32::MAX);
    let rest = u32::try_from(at_ns % 1_000_000_000).unwrap_or(0);
    for field in [seconds, rest, length, length] {
        out.write_all(&field.to_le_bytes())?;
    }
    out.write_all(bytes)
}

/// Writes a capture of the segments; each with its nanoseconds since the beginning.
pub fn write<'a>(
    out: &mut impl Write,
    segments: impl IntoIterator<Item = &'a (u64, Segment)>,
) -> io::Result<()> {
    header(out, LINKTYPE_RAW)?;
    for (at_ns, segment) in segments {
        packet(out, *at_ns, &wire::emit(segment))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_where_readers_look() {
        let mut bytes = Vec::new();
        write(&mut bytes, &[(1_500_000_007, Segment::default())]).expect("writes");
        assert_eq!(&bytes[..4], &[0x4d, 0x3c, 0xb2, 0xa1]);
        assert_eq!(&bytes[20..24], &[101, 0, 0, 0]);
        assert_eq!(&bytes[24..28], &1u32.to_le_bytes());
        assert_eq!(&bytes[28..32], &500_000_007u32.to_le_bytes());
        assert_eq!(&bytes[32..36], &40u32.to_le_bytes());
        assert_eq!(bytes.len(), 24 + 16 + 40);
    }
}
