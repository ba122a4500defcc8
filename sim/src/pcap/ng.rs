//! pcapng: interfaces with names, directions, and a comment on each RST.
//!
//! Blocks are written one after the other and never touched again, so a file that ends early is
//! read up to its last whole block.

use std::io::{self, Write};

use super::classic::{LINKTYPE_IPV4, SNAP_LEN};
use crate::capture::{About, Direction, HostAbout, Packet, Take, unix_ns};
use crate::wire;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// Options that blocks of every type may have.
const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
/// Options of a section header.
const SHB_USERAPPL: u16 = 4;
/// Options of an interface.
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_IPV4ADDR: u16 = 4;
const IF_TSRESOL: u16 = 9;
const IF_OS: u16 = 12;
/// Options of a packet.
const EPB_FLAGS: u16 = 2;

/// Times count nanoseconds.
const NANOSECONDS: u8 = 9;

/// Writes pcapng.
#[derive(Debug)]
pub struct Ng<W> {
    out: W,
    about: About,
    block: Vec<u8>,
    bytes: Vec<u8>,
}

impl<W: Write> Ng<W> {
    /// Writes the section's header and an interface for each host, in the order of the scenario.
    pub fn new(out: W, about: &About) -> io::Result<Self> {
        let mut ng = Self { out, about: about.clone(), block: Vec::new(), bytes: Vec::new() };
        ng.section()?;
        for host in &about.hosts {
            ng.interface(host)?;
        }
        Ok(ng)
    }
    fn section(&mut self) -> io::Result<()> {
        self.begin(SECTION_HEADER);
        self.word(BYTE_ORDER_MAGIC);
        self.block.extend(1u16.to_le_bytes());
        self.block.extend(0u16.to_le_bytes());
        // The section's length is not known: it is written in a stream.
        self.block.extend(u64::MAX.to_le_bytes());
        let run = format!("{}, seed {}", self.about.scenario, self.about.seed);
        self.option(OPT_COMMENT, run.as_bytes());
        self.option(SHB_USERAPPL, concat!("finwait ", env!("CARGO_PKG_VERSION")).as_bytes());
        self.end()
    }
    fn interface(&mut self, host: &HostAbout) -> io::Result<()> {
        self.begin(INTERFACE);
        self.word(LINKTYPE_IPV4);
        self.word(SNAP_LEN);
        self.option(IF_NAME, host.name.as_bytes());
        let about = format!("{}, {}", host.platform, host.addr);
        self.option(IF_DESCRIPTION, about.as_bytes());
        let [a, b, c, d] = host.addr.octets();
        self.option(IF_IPV4ADDR, &[a, b, c, d, 255, 255, 255, 255]);
        self.option(IF_TSRESOL, &[NANOSECONDS]);
        self.option(IF_OS, host.platform.to_string().as_bytes());
        self.end()
    }
    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.word(kind);
        // The block's length takes this place at its end.
        self.word(0);
    }
    fn word(&mut self, word: u32) {
        self.block.extend(word.to_le_bytes());
    }
    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }
    fn option(&mut self, code: u16, value: &[u8]) {
        // The longest comment has a few hundred bytes; what is longer than an option can be is cut.
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.block.extend(code.to_le_bytes());
        self.block.extend((value.len() as u16).to_le_bytes());
        self.block.extend(value);
        self.pad();
    }
    fn end(&mut self) -> io::Result<()> {
        self.option(OPT_END, &[]);
        let length = u32::try_from(self.block.len() + 4).unwrap_or(u32::MAX);
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.word(length);
        self.out.write_all(&self.block)
    }
}

impl<W: Write> Take for Ng<W> {
    fn take(&mut self, packet: &Packet) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        wire::emit_into(&packet.segment, packet.ip_id, &mut bytes);
        let (at, length) = (unix_ns(packet.at), u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.begin(ENHANCED_PACKET);
        for word in [u32::from(packet.host.0), (at >> 32) as u32, at as u32, length, length] {
            self.word(word);
        }
        self.block.extend(&bytes);
        self.pad();
        self.bytes = bytes;
        let direction: u32 = match packet.direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        self.option(EPB_FLAGS, &direction.to_le_bytes());
        if let Some(explained) = &packet.why {
            let comment = explained.comment(|addr| self.about.name_of(addr));
            self.option(OPT_COMMENT, comment.as_bytes());
        }
        self.end()
    }
    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
