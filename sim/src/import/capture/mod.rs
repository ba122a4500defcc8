//! A capture as a description of traffic: who connects to whom, how often, how long things take,
//! who closes first, and which RSTs there were.
//!
//! Packets are looked at once and forgotten. Connections stand in a table of fixed size; what is
//! kept of each service are counts and [`Spread`]s, so the memory does not grow with the capture.

mod flow;
mod service;
mod spread;
mod table;

pub use flow::{Kind, Side};
pub use service::{Endings, Service};
pub use spread::Spread;

use std::collections::BTreeMap;
use std::io::Read;

use finwait_model::flow::{Addr, Endpoint};

use crate::pcap::read::{Carries, End, Error, Meant, Reader, look};
use table::Table;

/// How much is remembered at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub flows: usize,
    /// Services.
    pub services: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 1 << 16, services: 512 }
    }
}

/// Addresses whose connections are counted.
const MOST_ADDRS: usize = 4096;

/// What a capture shows.
#[derive(Debug)]
pub struct Capture {
    /// The ports that connections were made to, sorted; neighbours that behave alike are joined.
    pub services: Vec<Service>,
    /// What there is to say of the whole.
    pub totals: Totals,
    /// How many connections each address had a part in.
    pub addrs: BTreeMap<Addr, u64>,
    /// What interfaces are called, by their addresses, where a pcapng says.
    pub names: BTreeMap<Addr, String>,
    /// What runs where the capture was made, by the interface's address if it says that.
    pub systems: BTreeMap<Option<Addr>, String>,
    /// How each file ended.
    pub ends: Vec<End>,
}

/// Numbers of a whole capture.
#[derive(Clone, Default, Debug)]
pub struct Totals {
    /// Packets.
    pub packets: u64,
    /// TCP segments over IPv4 among them.
    pub segments: u64,
    /// What else there was.
    pub others: BTreeMap<Meant, u64>,
    /// Packets of which only the beginning was kept.
    pub cut: u64,
    /// Segments that another interface had shown already.
    pub copies: u64,
    /// Times of the first and the last packet, nanoseconds since 1970.
    pub first_ns: u64,
    /// The last.
    pub last_ns: u64,
    /// Connections that were open before the capture began, or whose beginning it misses.
    pub before: u64,
    /// SYNs that nobody answered.
    pub unanswered: u64,
    /// SYNs that were answered with a RST.
    pub refused: u64,
    /// Connections that were given up because there were too many at a time.
    pub evicted: u64,
    /// Connections of services that there was no room for.
    pub no_room: u64,
}

impl Totals {
    /// How long the capture is.
    pub const fn duration_ns(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }
}

/// A capture that is being read.
#[derive(Debug)]
pub struct Analysis {
    table: Table,
    totals: Totals,
    ends: Vec<End>,
    names: BTreeMap<Addr, String>,
    systems: BTreeMap<Option<Addr>, String>,
}

impl Default for Analysis {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Analysis {
    /// Nothing has been read.
    pub fn new(limits: Limits) -> Self {
        let totals = Totals { first_ns: u64::MAX, ..Totals::default() };
        Self {
            table: Table::new(limits),
            totals,
            ends: Vec::new(),
            names: BTreeMap::new(),
            systems: BTreeMap::new(),
        }
    }
    /// Reads a file; several follow one another in time, as when a capture was rotated. `progress` gets
    /// the number of bytes read so far.
    pub fn read(&mut self, input: impl Read, mut progress: impl FnMut(u64)) -> Result<(), Error> {
        let mut reader = Reader::new(input)?;
        let mut until_told = 0_u32;
        let (mut first, before) = (true, self.totals.last_ns);
        while let Some(frame) = reader.next_frame().map_err(Error::Io)? {
            if first && frame.at_ns < before {
                return Err(Error::Order);
            }
            first = false;
            self.totals.packets += 1;
            self.totals.cut += u64::from(frame.length as usize > frame.bytes.len());
            let at = frame.at_ns;
            self.totals.first_ns = self.totals.first_ns.min(at);
            self.totals.last_ns = self.totals.last_ns.max(at);
            match look(&frame) {
                Carries::Tcp(packet) => {
                    self.totals.segments += 1;
                    let place = u64::from(frame.interface) << 32 | u64::from(packet.device);
                    self.table.take(at, place, &packet, &mut self.totals);
                }
                Carries::Other(meant) => *self.totals.others.entry(meant).or_default() += 1,
            }
            until_told += 1;
            if until_told.is_multiple_of(4096) {
                progress(reader.bytes());
            }
        }
        for interface in reader.interfaces() {
            if let Some(os) = &interface.os {
                self.systems.entry(interface.addr).or_insert_with(|| os.clone());
            }
            if let (Some(addr), Some(name)) = (interface.addr, &interface.name) {
                self.names.entry(addr).or_insert_with(|| name.clone());
            }
        }
        self.ends.push(reader.end().cloned().unwrap_or(End::Whole));
        Ok(())
    }
    /// What was seen.
    pub fn finish(mut self) -> Capture {
        let table::Finished { services, addrs, gaps } = self.table.finish(&mut self.totals);
        if self.totals.packets == 0 {
            self.totals.first_ns = 0;
        }
        Capture {
            services: join(services, &gaps),
            totals: self.totals,
            addrs,
            names: self.names,
            systems: self.systems,
            ends: self.ends,
        }
    }
}

/// Joins neighbouring ports of one host that behave alike: the shards of a service. `gaps` are
/// those between any two connections to a host.
fn join(
    services: BTreeMap<Endpoint, Service>,
    gaps: &BTreeMap<Addr, (u64, Spread)>,
) -> Vec<Service> {
    let mut out: Vec<Service> = Vec::new();
    for service in services.into_values() {
        match out.last_mut() {
            Some(last) if is_alike(last, &service) => last.join(&service),
            _ => out.push(service),
        }
    }
    for service in &mut out {
        // Between shards that are asked in turn chance shows only in the distance of any two.
        if let Some((_, gaps)) = gaps.get(&service.server.addr)
            && gaps.count() + 1 == service.opened
        {
            service.gaps = gaps.clone();
        }
    }
    out
}

fn is_alike(a: &Service, b: &Service) -> bool {
    let near = |x: u64, y: u64| x.max(y) <= 2 * x.min(y).max(8);
    let near_spread =
        |x: &Spread, y: &Spread| near(x.median().unwrap_or(0), y.median().unwrap_or(0));
    a.server.addr == b.server.addr
        && a.last_port.checked_add(1) == Some(b.server.port)
        && near(a.opened / a.ports, b.opened)
        && (a.endings.client_first >= a.endings.server_first)
            == (b.endings.client_first >= b.endings.server_first)
        && near_spread(&a.request, &b.request)
        && near_spread(&a.answer, &b.answer)
}
