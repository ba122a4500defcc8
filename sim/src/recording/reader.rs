//! Reads a recording: any host at any instant, and events by time, without loading all of it.

use core::fmt;
use core::ops::{ControlFlow, Range};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use finwait_model::flow::FourTuple;
use finwait_model::kernel::{Line, Row};
use finwait_model::sysctl::Sysctl;
use finwait_model::time::Instant;

use super::block::{self, END_MAGIC, EPILOGUE, HEAD, Head, Kind, MAGIC, PROLOGUE};
use super::codec::{Codec, HostKey};
use super::columns::{Col, Decoder};
use super::conns::{Conns, names, read_list};
use super::damage::{Damage, Error};
use super::event::{Event, What, same_connection};
use super::header::{End, Header, HostInfo, read_end};
use super::keyframe::{self, Frame};
use super::samples;
use super::step::{Gauges, Step};
use crate::sample::Sample;
use crate::scenario::Scenario;
use crate::view::HostView;
use crate::world::HostId;

/// What a recording can be read from: a file, or bytes in memory.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// A recording that is open for reading.
pub struct Recording {
    source: Mutex<Box<dyn Source>>,
    header: Header,
    keys: Vec<HostKey>,
    end: End,
    /// Every whole block, in order.
    blocks: Vec<(u64, Head)>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("header", &self.header).field("end", &self.end).finish()
    }
}

impl Recording {
    /// Opens a recording, finished or not. Only its header and its index are read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::read(File::open(path)?)
    }
    /// The same for anything that can be read.
    pub fn read(source: impl Source + 'static) -> Result<Self, Error> {
        let mut file: Box<dyn Source> = Box::new(source);
        let len = file.seek(SeekFrom::End(0))?;
        let mut prologue = [0; PROLOGUE as usize];
        file.seek(SeekFrom::Start(0))?;
        let read = file.read_exact(&mut prologue);
        if read.is_err() || prologue[..8] != MAGIC {
            return Err(Error::NotARecording);
        }
        let version = u32::from_le_bytes([prologue[8], prologue[9], prologue[10], prologue[11]]);
        if version != super::VERSION {
            return Err(Error::Version(version));
        }
        let blocks = match indexed(&mut *file, len) {
            Some(blocks) => blocks,
            None => walk(&mut *file, len)?,
        };
        let header = match blocks.first() {
            Some((offset, head)) if head.kind == Kind::Header => {
                let (_, json) = load(&mut *file, *offset, head)?;
                Header::from_json(&json)?
            }
            _ => return Err(Error::Header("it is cut off".to_owned())),
        };
        let end = end_of(&mut *file, &blocks);
        let keys = header.keys();
        Ok(Self { source: Mutex::new(file), header, keys, end, blocks })
    }
    /// What was run.
    pub const fn header(&self) -> &Header {
        &self.header
    }
    /// The hosts, in order.
    pub fn hosts(&self) -> &[HostInfo] {
        &self.header.hosts
    }
    /// The scenario, read from its text: running it gives the same run.
    pub fn scenario(&self) -> Result<Scenario, crate::scenario::Error> {
        let mut scenario = Scenario::parse(&self.header.toml, &self.header.scenario)?;
        scenario.seed = self.header.seed;
        Ok(scenario)
    }
    /// The host with that name.
    pub fn host(&self, name: &str) -> Option<HostId> {
        let place = self.header.hosts.iter().position(|h| h.name == name);
        place.map(|n| HostId(n as u16))
    }
    /// How it ends, and where.
    pub const fn end(&self) -> &End {
        &self.end
    }
    /// Segments that are recorded.
    pub fn segment_count(&self) -> u64 {
        self.blocks.iter().map(|(_, head)| u64::from(head.segments)).sum()
    }
    /// RSTs that are recorded.
    pub fn reset_count(&self) -> u64 {
        self.blocks.iter().map(|(_, head)| u64::from(head.resets)).sum()
    }

    /// A host as it stands when everything before `at` has happened. An instant beyond the
    /// recording's end shows the end.
    ///
    /// # Panics
    /// If there is no such host.
    pub fn host_at(&self, host: HostId, at: Instant) -> Result<HostView, Error> {
        let info = &self.header.hosts[usize::from(host.0)];
        let at = at.min(self.end.at());
        let (first, mut frame) = self.frame_before(usize::from(host.0), at)?;
        let mut rows: BTreeMap<FourTuple, Line> =
            core::mem::take(&mut frame.lines).into_iter().map(|l| (l.flow(), l)).collect();
        for block in first..self.blocks.len() {
            let (_, head) = self.blocks[block];
            if head.kind != Kind::Events || head.from >= at {
                continue;
            }
            self.each_step(block, |step| {
                if step.host != host.0 || step.at >= at {
                    return step.at < at;
                }
                frame.gauges.apply(&step.gauges);
                for &(flow, line) in &step.rows {
                    match line {
                        Some(line) => rows.insert(flow, line),
                        None => rows.remove(&flow),
                    };
                }
                true
            })?;
        }
        let mut rows: Vec<Row> = rows.values().map(|line| line.row(info.clock, at)).collect();
        rows.sort_unstable();
        Ok(HostView {
            name: info.name.clone(),
            release: info.release,
            platform: info.platform,
            at,
            rows,
            counters: frame.gauges.counters(),
            sockstat: frame.gauges.sockstat(),
            sysctl: frame.sysctl,
        })
    }

    /// A host's sysctls at that instant; costs less than all of the host.
    ///
    /// # Panics
    /// If there is no such host.
    pub fn sysctl_at(&self, host: HostId, at: Instant) -> Result<Sysctl, Error> {
        let host = usize::from(host.0);
        let Some(block) = self.keyframe_before(at) else {
            return Ok(self.header.hosts[host].sysctl.clone());
        };
        let (offset, _) = self.blocks[block];
        let (_, body) = self.load(block)?;
        let read = keyframe::settings(&self.header.hosts, &body);
        let (mut settings, _) = read.map_err(|damage| Error::Block(offset, damage))?;
        Ok(settings.swap_remove(host))
    }

    fn keyframe_before(&self, at: Instant) -> Option<usize> {
        let is_before = |(_, head): &(u64, Head)| head.kind == Kind::Keyframe && head.to <= at;
        self.blocks.iter().rposition(is_before)
    }

    /// The last keyframe not after `at`, and the first block behind it.
    fn frame_before(&self, host: usize, at: Instant) -> Result<(usize, Frame), Error> {
        let Some(block) = self.keyframe_before(at) else {
            let sysctl = self.header.hosts[host].sysctl.clone();
            return Ok((0, Frame { lines: Vec::new(), gauges: Gauges::default(), sysctl }));
        };
        let (offset, head) = self.blocks[block];
        let (_, body) = self.load(block)?;
        let frames = keyframe::read(&self.header.hosts, head.to, &body);
        let mut frames = frames.map_err(|damage| Error::Block(offset, damage))?;
        if host >= frames.len() {
            return Err(Error::Block(offset, Damage::UNKNOWN));
        }
        Ok((block + 1, frames.swap_remove(host)))
    }

    /// Events from `range.start` on and before `range.end` that `filter` lets through, in order.
    /// No more than one block is in memory at a time.
    pub fn events(&self, range: Range<Instant>, filter: Filter) -> Events<'_> {
        Events { recording: self, range, filter, block: 0, open: None, ready: VecDeque::new() }
    }

    /// Shows every event from `range.start` on and before `range.end`, in order, until `show` breaks
    /// off. The same as [`Self::events`] without a filter, and a good deal faster.
    pub fn each_event(
        &self,
        range: Range<Instant>,
        mut show: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut goes_on = ControlFlow::Continue(());
        for block in 0..self.blocks.len() {
            let (_, head) = self.blocks[block];
            if head.kind != Kind::Events || head.from >= range.end || head.to < range.start {
                continue;
            }
            self.each_step(block, |step| {
                if range.contains(&step.at) {
                    step.events(|event| {
                        if goes_on.is_continue() {
                            goes_on = show(&event);
                        }
                    });
                }
                goes_on.is_continue() && step.at < range.end
            })?;
            if goes_on.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Everything that happened to a connection (and to later ones with the same ends).
    pub fn flow(&self, flow: FourTuple) -> Events<'_> {
        let all = Instant::ZERO..Instant { ns: u64::MAX };
        self.events(all, Filter { flow: Some(flow), ..Filter::default() })
    }

    /// Every RST that left, in order: the first has number 1.
    pub fn resets(&self) -> Events<'_> {
        let all = Instant::ZERO..Instant { ns: u64::MAX };
        self.events(all, Filter { resets: true, ..Filter::default() })
    }

    /// The RST with that number, from 1 on. Only the block that it is in is read.
    pub fn reset(&self, number: u64) -> Result<Option<Event>, Error> {
        let Some(mut left) = number.checked_sub(1) else { return Ok(None) };
        for (block, (_, head)) in self.blocks.iter().enumerate() {
            let here = u64::from(head.resets);
            if left >= here {
                left -= here;
                continue;
            }
            let mut events = self.resets();
            events.block = block;
            return events.nth(left as usize).transpose();
        }
        Ok(None)
    }

    /// A host's samples, in order.
    pub fn samples(&self, host: HostId) -> Result<Vec<Sample>, Error> {
        let mut out = Vec::new();
        for (block, (offset, head)) in self.blocks.iter().enumerate() {
            if head.kind == Kind::Samples {
                let (_, body) = self.load(block)?;
                let read = samples::read(body, self.keys.len(), usize::from(host.0));
                out.extend(read.map_err(|damage| Error::Block(*offset, damage))?);
            }
        }
        Ok(out)
    }

    fn load(&self, block: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let (offset, head) = &self.blocks[block];
        let mut file = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        load(&mut **file, *offset, head)
    }

    /// Shows a block's steps until `show` says that it has seen enough.
    fn each_step(&self, block: usize, mut show: impl FnMut(&Step) -> bool) -> Result<(), Error> {
        let (offset, _) = self.blocks[block];
        let broken = |damage| Error::Block(offset, damage);
        let (list, body) = self.load(block)?;
        let mut open = Open::new(self, block, list, body).map_err(broken)?;
        while open.next().map_err(broken)? {
            if !show(&open.step) {
                break;
            }
        }
        Ok(())
    }

    /// Does a block of events speak of that connection? Only its list of connections is read.
    fn names(&self, block: usize, flow: FourTuple) -> Result<bool, Error> {
        let (offset, head) = &self.blocks[block];
        let broken = |damage| Error::Block(*offset, damage);
        let mut stored = vec![0; head.list_stored as usize];
        {
            let mut file = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(offset + HEAD as u64))?;
            file.read_exact(&mut stored)?;
        }
        let list = block::unpack_list(head, &stored).map_err(broken)?;
        Ok(names(&read_list(list).map_err(broken)?, flow))
    }
}

/// What events are wanted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Filter {
    /// Only those of that host.
    pub host: Option<HostId>,
    /// Only those of that connection, in either direction; counters are none of them.
    pub flow: Option<FourTuple>,
    /// Only RSTs that left.
    pub resets: bool,
    /// Only segments: what arrived and what left.
    pub segments: bool,
}

impl Filter {
    /// Everything.
    pub const ALL: Self = Self { host: None, flow: None, resets: false, segments: false };

    /// Does it let that event through?
    pub fn takes(&self, event: &Event) -> bool {
        self.host.is_none_or(|host| host == event.host)
            && (!self.resets || event.what.is_reset())
            && (!self.segments || matches!(event.what, What::Sent { .. } | What::Received(_)))
            && self.flow.is_none_or(|flow| {
                event.what.flow().is_some_and(|its_flow| same_connection(flow, its_flow))
            })
    }
}

/// A block of events that is being read.
#[derive(Debug)]
struct Open {
    decoder: Decoder,
    codec: Codec,
    step: Step,
}

impl Open {
    fn new(
        recording: &Recording,
        block: usize,
        list: Vec<u8>,
        body: Vec<u8>,
    ) -> Result<Self, Damage> {
        let mut codec = Codec::new(&recording.keys, recording.blocks[block].1.from);
        codec.conns = Conns::reading(read_list(list)?);
        Ok(Self { decoder: Decoder::new(body)?, codec, step: Step::default() })
    }
    /// Reads the next step; false at the end.
    fn next(&mut self) -> Result<bool, Damage> {
        if self.decoder.is_empty(Col::Step) {
            return Ok(false);
        }
        self.step.clear();
        self.codec.step(&mut self.decoder, &mut self.step)?;
        Ok(true)
    }
}

/// Events of a recording, in order.
#[derive(Debug)]
pub struct Events<'a> {
    recording: &'a Recording,
    range: Range<Instant>,
    filter: Filter,
    /// The block to be opened next.
    block: usize,
    open: Option<(u64, Open)>,
    ready: VecDeque<Event>,
}

impl Events<'_> {
    /// Opens the next block that may hold something; false if there is none.
    fn open_next(&mut self) -> Result<bool, Error> {
        while let Some((offset, head)) = self.recording.blocks.get(self.block) {
            let block = self.block;
            self.block += 1;
            let beside = head.kind != Kind::Events
                || head.from >= self.range.end
                || head.to < self.range.start
                || (self.filter.resets && head.resets == 0);
            if beside {
                continue;
            }
            if let Some(flow) = self.filter.flow
                && !self.recording.names(block, flow)?
            {
                continue;
            }
            let broken = |damage| Error::Block(*offset, damage);
            let (list, body) = self.recording.load(block)?;
            let open = Open::new(self.recording, block, list, body).map_err(broken)?;
            self.open = Some((*offset, open));
            return Ok(true);
        }
        Ok(false)
    }
    /// Reads one step, or opens a block; false at the end.
    fn advance(&mut self) -> Result<bool, Error> {
        let Some((offset, open)) = &mut self.open else { return self.open_next() };
        if !open.next().map_err(|damage| Error::Block(*offset, damage))? {
            self.open = None;
            return Ok(true);
        }
        if self.range.contains(&open.step.at) {
            let Self { filter, ready, .. } = self;
            open.step.events(|event| {
                if filter.takes(&event) {
                    ready.push_back(event);
                }
            });
        } else if open.step.at >= self.range.end {
            self.open = None;
        }
        Ok(true)
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, Error>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.open = None;
                    self.block = usize::MAX;
                    return Some(Err(error));
                }
            }
        }
    }
}

fn load(file: &mut dyn Source, offset: u64, head: &Head) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let mut stored = vec![0; head.stored as usize];
    file.seek(SeekFrom::Start(offset + HEAD as u64))?;
    file.read_exact(&mut stored)?;
    block::unpack(head, &stored).map_err(|damage| Error::Block(offset, damage))
}

fn read_head(file: &mut dyn Source, offset: u64, len: u64) -> Option<Head> {
    let mut bytes = [0; HEAD];
    file.seek(SeekFrom::Start(offset)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    let head = Head::from_bytes(&bytes).ok()?;
    (offset + HEAD as u64 + u64::from(head.stored) <= len).then_some(head)
}

/// The blocks of a finished file, by its index.
fn indexed(file: &mut dyn Source, len: u64) -> Option<Vec<(u64, Head)>> {
    let mut epilogue = [0; EPILOGUE as usize];
    file.seek(SeekFrom::Start(len.checked_sub(EPILOGUE)?)).ok()?;
    file.read_exact(&mut epilogue).ok()?;
    let (place, magic) = epilogue.split_at(8);
    if magic != END_MAGIC {
        return None;
    }
    let place = u64::from_le_bytes(place.try_into().ok()?);
    let head = read_head(file, place, len).filter(|head| head.kind == Kind::Index)?;
    let (_, body) = load(file, place, &head).ok()?;
    let blocks = block::read_index(&body).ok()?;
    let inside = |(offset, head): &(u64, Head)| {
        offset.checked_add(HEAD as u64 + u64::from(head.stored)).is_some_and(|end| end <= len)
    };
    blocks.iter().all(inside).then_some(blocks)
}

/// The blocks of a file without an index: as many as are whole.
fn walk(file: &mut dyn Source, len: u64) -> Result<Vec<(u64, Head)>, Error> {
    let mut blocks = Vec::new();
    let mut offset = PROLOGUE;
    while let Some(head) = read_head(file, offset, len) {
        blocks.push((offset, head));
        offset += HEAD as u64 + u64::from(head.stored);
    }
    Ok(blocks)
}

fn end_of(file: &mut dyn Source, blocks: &[(u64, Head)]) -> End {
    let done = blocks.iter().rfind(|(_, head)| head.kind == Kind::End);
    let told = done.and_then(|(offset, head)| {
        let (_, json) = load(file, *offset, head).ok()?;
        read_end(&json)
    });
    told.unwrap_or_else(|| {
        let whole = |(_, head): &&(u64, Head)| matches!(head.kind, Kind::Events | Kind::Keyframe);
        End::Cut(blocks.iter().rfind(whole).map_or(Instant::ZERO, |(_, head)| head.to))
    })
}
