//! The blocks of a file: a head of fixed size that says what comes, and what comes, packed with
//! LZ4. Each head and each body has a checksum of its own, so a file can be read block by block
//! up to where it was cut.

use std::io::{self, Write};

use finwait_model::time::Instant;

use super::codec::LAST;
use super::damage::Damage;

/// What a file begins with: text editors and bad transfers break it at once.
pub(super) const MAGIC: [u8; 8] = *b"FWRUN\r\n\x1a";
/// What a finished file ends with, behind the place of its index.
pub(super) const END_MAGIC: [u8; 8] = *b"FWREND\r\n";
/// The file's first bytes: magic and version.
pub(super) const PROLOGUE: u64 = 12;
/// The file's last bytes: the place of the index, and [`END_MAGIC`].
pub(super) const EPILOGUE: u64 = 16;
/// The size of a head.
pub(super) const HEAD: usize = 56;
/// No body unpacks to more than this.
pub(super) const LARGEST: u32 = 1 << 28;

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// What was run, as JSON.
    Header,
    /// Events, in order.
    Events,
    /// Every host as it stood.
    Keyframe,
    /// Samples of every host.
    Samples,
    /// The heads of all blocks before it, with their places.
    Index,
    /// How the run ended, as JSON.
    End,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Header, Self::Events, Self::Keyframe, Self::Samples, Self::Index, Self::End];

    const fn name(self) -> &'static [u8; 4] {
        match self {
            Self::Header => b"HEAD",
            Self::Events => b"EVTS",
            Self::Keyframe => b"KEYF",
            Self::Samples => b"SAMP",
            Self::Index => b"INDX",
            Self::End => b"DONE",
        }
    }
}

/// The head of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Bytes behind the head: the list of connections and then the body, both packed.
    pub(super) stored: u32,
    /// Bytes of the body, unpacked.
    pub(super) raw: u32,
    /// Bytes of the list of connections, packed and unpacked; 0 where there is none.
    pub(super) list_stored: u32,
    pub(super) list_raw: u32,
    /// Segments and RSTs that left, in a block of events.
    pub(super) segments: u32,
    pub(super) resets: u32,
    /// Of all bytes behind the head.
    pub(super) checksum: u32,
    /// Its first event is not before.
    pub(super) from: Instant,
    /// Everything before this has happened at its end.
    pub(super) to: Instant,
}

impl Head {
    pub(super) fn to_bytes(self) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        out[..4].copy_from_slice(self.kind.name());
        let words = [
            self.stored,
            self.raw,
            self.list_stored,
            self.list_raw,
            self.segments,
            self.resets,
            self.checksum,
        ];
        for (place, word) in out[4..32].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out[32..40].copy_from_slice(&self.from.ns.to_le_bytes());
        out[40..48].copy_from_slice(&self.to.ns.to_le_bytes());
        let checksum = crc32fast::hash(&out[..48]);
        out[48..52].copy_from_slice(&checksum.to_le_bytes());
        out
    }
    pub(super) fn from_bytes(bytes: &[u8; HEAD]) -> Result<Self, Damage> {
        let word = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(word)
        };
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if word(48) != crc32fast::hash(&bytes[..48]) {
            return Err(Damage::CHECKSUM);
        }
        let kind = Kind::ALL.into_iter().find(|k| k.name() == &bytes[..4]);
        let head = Self {
            kind: kind.ok_or(Damage::UNKNOWN)?,
            stored: word(4),
            raw: word(8),
            list_stored: word(12),
            list_raw: word(16),
            segments: word(20),
            resets: word(24),
            checksum: word(28),
            from: Instant { ns: long(32) },
            to: Instant { ns: long(40) },
        };
        head.check()?;
        Ok(head)
    }
    /// Nothing unpacks to more than 255 times its size, so a small file cannot ask for much.
    fn check(&self) -> Result<(), Damage> {
        let fits = |raw: u32, stored: u32| u64::from(raw) <= 255 * u64::from(stored) + 64;
        let sane = self.list_stored <= self.stored
            && self.raw <= LARGEST
            && self.list_raw <= LARGEST
            && self.from <= LAST
            && self.to <= LAST
            && fits(self.raw, self.stored - self.list_stored)
            && fits(self.list_raw, self.list_stored);
        if sane { Ok(()) } else { Err(Damage::HEADER) }
    }
}

/// What is written into a block.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) kind: Kind,
    pub(super) list: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) segments: u32,
    pub(super) resets: u32,
    pub(super) from: Instant,
    pub(super) to: Instant,
}

impl Body {
    /// A block that is neither events nor compressible to any use.
    pub(super) const fn plain(kind: Kind, body: Vec<u8>, at: Instant) -> Self {
        Self { kind, list: Vec::new(), body, segments: 0, resets: 0, from: at, to: at }
    }
    pub(super) fn packed(&self) -> (Head, Vec<u8>) {
        let pack = |bytes: &[u8]| {
            if bytes.is_empty() { Vec::new() } else { lz4_flex::block::compress(bytes) }
        };
        let mut stored = pack(&self.list);
        let list_stored = stored.len() as u32;
        match self.kind {
            Kind::Header | Kind::Index | Kind::End => stored.extend_from_slice(&self.body),
            Kind::Events | Kind::Keyframe | Kind::Samples => {
                stored.extend_from_slice(&pack(&self.body));
            }
        }
        let head = Head {
            kind: self.kind,
            stored: stored.len() as u32,
            raw: self.body.len() as u32,
            list_stored,
            list_raw: self.list.len() as u32,
            segments: self.segments,
            resets: self.resets,
            checksum: crc32fast::hash(&stored),
            from: self.from,
            to: self.to,
        };
        (head, stored)
    }
}

/// Unpacks the list of connections of a block, and its body if it is wanted.
pub(super) fn unpack(head: &Head, stored: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Damage> {
    if crc32fast::hash(stored) != head.checksum {
        return Err(Damage::CHECKSUM);
    }
    let (list, body) =
        stored.split_at_checked(head.list_stored as usize).ok_or(Damage::TOO_SHORT)?;
    let body = match head.kind {
        Kind::Header | Kind::Index | Kind::End => body.to_vec(),
        Kind::Events | Kind::Keyframe | Kind::Samples => one(body, head.raw)?,
    };
    Ok((one(list, head.list_raw)?, body))
}

/// Unpacks the list of connections alone.
pub(super) fn unpack_list(head: &Head, stored: &[u8]) -> Result<Vec<u8>, Damage> {
    one(stored, head.list_raw)
}

fn one(packed: &[u8], raw: u32) -> Result<Vec<u8>, Damage> {
    if raw == 0 {
        return Ok(Vec::new());
    }
    let bytes = lz4_flex::block::decompress(packed, raw as usize).map_err(|_| Damage::PACKED)?;
    if bytes.len() == raw as usize { Ok(bytes) } else { Err(Damage::PACKED) }
}

/// Writes blocks, one `write` each, and remembers their heads.
#[derive(Debug)]
pub(super) struct Blocks<W> {
    out: W,
    offset: u64,
    index: Vec<(u64, Head)>,
    /// What went wrong first; nothing is written after it.
    error: Option<io::Error>,
}

impl<W: Write> Blocks<W> {
    pub(super) fn new(out: W, version: u32) -> Self {
        let mut blocks = Self { out, offset: 0, index: Vec::new(), error: None };
        let mut prologue = MAGIC.to_vec();
        prologue.extend_from_slice(&version.to_le_bytes());
        blocks.put(&prologue);
        blocks
    }
    fn put(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        match self.out.write_all(bytes) {
            Ok(()) => self.offset += bytes.len() as u64,
            Err(error) => self.error = Some(error),
        }
    }
    /// Writes a block; answers how many bytes it took.
    pub(super) fn write(&mut self, body: &Body) -> u64 {
        let (head, stored) = body.packed();
        let offset = self.offset;
        let mut bytes = head.to_bytes().to_vec();
        bytes.extend_from_slice(&stored);
        self.put(&bytes);
        if self.error.is_none() {
            self.index.push((offset, head));
        }
        bytes.len() as u64
    }
    /// Has something gone wrong?
    pub(super) const fn failed(&self) -> bool {
        self.error.is_some()
    }
    /// Bytes written.
    pub(super) const fn bytes(&self) -> u64 {
        self.offset
    }
    /// Writes how the run ended, the index and the epilogue.
    pub(super) fn finish(mut self, end: Vec<u8>, at: Instant) -> (W, io::Result<()>) {
        self.write(&Body::plain(Kind::End, end, at));
        let mut index = Vec::with_capacity(self.index.len() * (HEAD + 8));
        for (offset, head) in &self.index {
            index.extend_from_slice(&offset.to_le_bytes());
            index.extend_from_slice(&head.to_bytes());
        }
        let place = self.offset;
        self.write(&Body::plain(Kind::Index, index, at));
        let mut epilogue = place.to_le_bytes().to_vec();
        epilogue.extend_from_slice(&END_MAGIC);
        self.put(&epilogue);
        let flushed = match self.error {
            None => self.out.flush(),
            Some(error) => Err(error),
        };
        (self.out, flushed)
    }
}

/// Reads the index of a finished file.
pub(super) fn read_index(bytes: &[u8]) -> Result<Vec<(u64, Head)>, Damage> {
    let entries = bytes.chunks_exact(HEAD + 8);
    if !entries.remainder().is_empty() {
        return Err(Damage::TOO_SHORT);
    }
    entries
        .map(|entry| {
            let (offset, head) = entry.split_at(8);
            let mut place = [0; 8];
            place.copy_from_slice(offset);
            let mut bytes = [0; HEAD];
            bytes.copy_from_slice(head);
            Ok((u64::from_le_bytes(place), Head::from_bytes(&bytes)?))
        })
        .collect()
}
