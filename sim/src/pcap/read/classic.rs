//! Classic pcap: one header, then packets with their lengths.

use std::io::{self, Read};

use super::{End, Error, Frame, Interface, LARGEST_BLOCK, Reader, Resolution};

impl<R: Read> Reader<R> {
    /// The rest of the file's header, behind its first four bytes.
    pub(super) fn classic_header(&mut self, big: bool, nanoseconds: bool) -> Result<(), Error> {
        self.big = big;
        let all = self.source.take(20).map_err(Error::Io)?.is_some();
        if !all {
            return Err(Error::Header("it ends within its first 24 bytes"));
        }
        if self.half(0) != 2 {
            return Err(Error::Header("its version is not 2.x"));
        }
        self.interfaces.push(Interface {
            // The upper bits tell of a checksum at the end of frames.
            link_type: self.word(16) & 0x0fff_ffff,
            name: None,
            addr: None,
            os: None,
            resolution: Resolution::Ten(if nanoseconds { 9 } else { 6 }),
            offset_s: 0,
        });
        Ok(())
    }
    pub(super) fn classic_packet(&mut self) -> io::Result<Option<Frame<'_>>> {
        let start = self.source.at;
        if self.source.take(16)?.is_none() {
            let end = if self.source.block.is_empty() { End::Whole } else { End::CutShort(start) };
            self.ends(end);
            return Ok(None);
        }
        let (seconds, units) = (self.word(0), self.word(4));
        let (kept, length) = (self.word(8) as usize, self.word(12));
        if kept > LARGEST_BLOCK {
            self.ends(End::Broken(start, "a packet of more than 1 MiB"));
            return Ok(None);
        }
        if self.source.take(kept)?.is_none() {
            self.ends(End::CutShort(start));
            return Ok(None);
        }
        let interface = &self.interfaces[0];
        let at_ns = u64::from(seconds) * 1_000_000_000 + interface.resolution.ns(u64::from(units));
        Ok(Some(Frame {
            interface: 0,
            at_ns,
            link_type: interface.link_type,
            bytes: &self.source.block,
            length,
        }))
    }
}
