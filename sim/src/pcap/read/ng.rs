//! pcapng: blocks of many types, of which four matter here.

use std::io::{self, Read};

use finwait_model::flow::Addr;

use super::{
    End, Error, Frame, Interface, LARGEST_BLOCK, MOST_INTERFACES, Reader, Resolution, half, word,
};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const IF_NAME: u16 = 2;
const IF_IPV4ADDR: u16 = 4;
const IF_TSRESOL: u16 = 9;
const IF_OS: u16 = 12;
const IF_TSOFFSET: u16 = 14;

/// What a block was.
enum Block {
    /// A packet: interface within the section, time in its units, where its bytes are, its length.
    Packet { interface: u32, units: Option<u64>, from: usize, kept: usize, length: u32 },
    /// Anything else.
    Other,
}

impl<R: Read> Reader<R> {
    /// The first section's header, behind its first four bytes.
    pub(super) fn first_section(&mut self) -> Result<(), Error> {
        let all = self.source.take(8).map_err(Error::Io)?.is_some();
        let cut = Error::Header("it ends within its section header");
        if !all {
            return Err(cut);
        }
        let Some(length) = self.section_length() else {
            return Err(Error::Header("its section header has no byte order or no length"));
        };
        match self.source.append(length - 12).map_err(Error::Io)? {
            true => Ok(()),
            false => Err(cut),
        }
    }
    /// Takes over the byte order of a section whose length and magic number the block holds;
    /// gives its whole length.
    fn section_length(&mut self) -> Option<usize> {
        self.big = match self.source.block.get(4..8)? {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return None,
        };
        self.section = self.interfaces.len();
        let length = self.word(0) as usize;
        (length.is_multiple_of(4) && (28..=LARGEST_BLOCK).contains(&length)).then_some(length)
    }
    pub(super) fn ng_packet(&mut self) -> io::Result<Option<Frame<'_>>> {
        loop {
            let start = self.source.at;
            let Some(block) = self.block(start)? else { return Ok(None) };
            let Block::Packet { interface, units, from, kept, length } = block else { continue };
            let number = self.section + interface as usize;
            let Some(known) = self.interfaces.get(number) else {
                self.ends(End::Broken(start, "a packet of an interface that it does not describe"));
                return Ok(None);
            };
            // The content was checked to hold that many.
            let bytes = &self.source.block[from..from + kept];
            let at_ns = known.resolution.ns(units.unwrap_or(0));
            let offset_ns = i128::from(known.offset_s) * 1_000_000_000;
            let at_ns = u64::try_from(i128::from(at_ns) + offset_ns).unwrap_or(0);
            let link_type = known.link_type;
            return Ok(Some(Frame { interface: number as u32, at_ns, link_type, bytes, length }));
        }
    }
    /// Reads one block; `None` at the end.
    fn block(&mut self, start: u64) -> io::Result<Option<Block>> {
        if self.source.take(8)?.is_none() {
            let end = if self.source.block.is_empty() { End::Whole } else { End::CutShort(start) };
            self.ends(end);
            return Ok(None);
        }
        let kind = self.word(0);
        if kind == SECTION_HEADER {
            return self.section(start);
        }
        let length = self.word(4) as usize;
        if !length.is_multiple_of(4) || !(12..=LARGEST_BLOCK).contains(&length) {
            self.ends(End::Broken(start, "a block whose length cannot be"));
            return Ok(None);
        }
        if self.source.take(length - 8)?.is_none() {
            self.ends(End::CutShort(start));
            return Ok(None);
        }
        if self.word(length - 12) as usize != length {
            self.ends(End::Broken(start, "a block that has another length at its end"));
            return Ok(None);
        }
        Ok(match self.content(kind, length - 12) {
            Ok(block) => Some(block),
            Err(what) => {
                self.ends(End::Broken(start, what));
                None
            }
        })
    }
    /// A section within the file: what follows may have another byte order and other interfaces.
    fn section(&mut self, start: u64) -> io::Result<Option<Block>> {
        let length = self.source.block[4..8].to_vec();
        self.source.block.clear();
        self.source.block.extend(length);
        if !self.source.append(4)? {
            self.ends(End::CutShort(start));
            return Ok(None);
        }
        let Some(length) = self.section_length() else {
            self.ends(End::Broken(start, "a section header without byte order or length"));
            return Ok(None);
        };
        if !self.source.append(length - 12)? {
            self.ends(End::CutShort(start));
            return Ok(None);
        }
        Ok(Some(Block::Other))
    }
    /// What a block of that type says; its content has `size` bytes.
    fn content(&mut self, kind: u32, size: usize) -> Result<Block, &'static str> {
        match kind {
            INTERFACE => {
                if size < 8 {
                    return Err("an interface without link type");
                }
                if self.interfaces.len() >= MOST_INTERFACES {
                    return Err("more than 4,096 interfaces");
                }
                let interface = self.interface(size);
                self.interfaces.push(interface);
                Ok(Block::Other)
            }
            ENHANCED_PACKET | OLD_PACKET => {
                if size < 20 {
                    return Err("a packet without header");
                }
                let interface = match kind {
                    OLD_PACKET => u32::from(self.half(0)),
                    _ => self.word(0),
                };
                let units = u64::from(self.word(4)) << 32 | u64::from(self.word(8));
                let kept = self.word(12) as usize;
                if kept > size - 20 {
                    return Err("a packet that is longer than its block");
                }
                let length = self.word(16);
                Ok(Block::Packet { interface, units: Some(units), from: 20, kept, length })
            }
            SIMPLE_PACKET => {
                if size < 4 {
                    return Err("a packet without header");
                }
                let length = self.word(0);
                let kept = (length as usize).min(size - 4);
                Ok(Block::Packet { interface: 0, units: None, from: 4, kept, length })
            }
            _ => Ok(Block::Other),
        }
    }
    /// The interface that the block describes.
    fn interface(&self, size: usize) -> Interface {
        let mut interface = Interface {
            link_type: u32::from(self.half(0)),
            name: None,
            addr: None,
            os: None,
            resolution: Resolution::Ten(6),
            offset_s: 0,
        };
        let mut rest = self.source.block.get(8..size).unwrap_or(&[]);
        while rest.len() >= 4 {
            let (code, length) = (half(self.big, rest, 0), usize::from(half(self.big, rest, 2)));
            let Some(value) = rest.get(4..4 + length) else { break };
            match (code, value) {
                (0, _) => break,
                (IF_NAME, name) => interface.name = Some(short(name)),
                (IF_OS, os) => interface.os = Some(short(os)),
                (IF_IPV4ADDR, &[a, b, c, d, ..]) => interface.addr = Some(Addr::v4(a, b, c, d)),
                (IF_TSRESOL, &[units, ..]) => {
                    let exponent = units & 0x7f;
                    let two = units & 0x80 != 0;
                    interface.resolution =
                        if two { Resolution::Two(exponent) } else { Resolution::Ten(exponent) };
                }
                (IF_TSOFFSET, value) if value.len() == 8 => {
                    let (high, low) = if self.big { (0, 4) } else { (4, 0) };
                    let high = u64::from(word(self.big, value, high)) << 32;
                    let offset = high | u64::from(word(self.big, value, low));
                    interface.offset_s = offset.cast_signed();
                }
                _ => {}
            }
            rest = rest.get((4 + length).next_multiple_of(4)..).unwrap_or(&[]);
        }
        interface
    }
}

/// The beginning of a text.
fn short(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned()
}
