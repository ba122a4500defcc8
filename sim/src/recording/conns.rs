//! The connections that a block speaks of: each has a number, and what is expected of it next.

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::Line;

use super::columns::{Coder, Col, Decoder, Encoder};
use super::damage::Damage;
use super::lookup::{Lookup, mix};
use super::shape::{Shapes, Words, spell};

/// One end of a connection: what it sent last, and what its host's `ss` shows of it.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Side {
    /// Has it sent anything?
    pub(super) known: bool,
    /// The sequence number behind everything that it sent.
    pub(super) next: u32,
    /// Its last window field.
    pub(super) win: u16,
    /// Its last timestamp, and the millisecond in which it was sent.
    pub(super) stamp: u32,
    pub(super) stamp_ms: u64,
    /// Its descriptor, if a call has told it.
    pub(super) fd: Option<u32>,
    /// Its row, if one has been told, and on which host: listeners of several hosts may share
    /// their ends. A row of `None`: it has none.
    pub(super) row: Option<(u16, Option<Line>)>,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conn {
    /// Its two ends, the smaller first.
    lo: Endpoint,
    hi: Endpoint,
    /// What is known of each end, in that order.
    pub(super) sides: [Side; 2],
}

/// A connection in one direction: its number, and the side that is the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Directed {
    pub(super) conn: usize,
    pub(super) side: usize,
}

/// The connections of a block.
#[derive(Clone, Default, Debug)]
pub(super) struct Conns {
    all: Vec<Conn>,
    index: Lookup,
    last: usize,
    /// Writing: the list that stands in front of the events. Reading: what it said.
    list: ConnList,
    listed: Vec<(Endpoint, Endpoint)>,
}

impl Conns {
    /// To read a block whose connections are these.
    pub(super) fn reading(listed: Vec<(Endpoint, Endpoint)>) -> Self {
        Self { listed, ..Self::default() }
    }
    /// The list of connections that were written; for an empty block that comes next.
    pub(super) fn take_list(&mut self) -> Vec<u8> {
        self.list.encoder.take()
    }
    pub(super) fn side(&mut self, at: Directed) -> &mut Side {
        &mut self.all[at.conn].sides[at.side]
    }
    /// The connection's number, if it has been met.
    pub(super) fn find(&self, flow: FourTuple) -> Option<Directed> {
        let (lo, hi, side) = ends(flow);
        if let Some(last) = self.all.get(self.last)
            && (last.lo, last.hi) == (lo, hi)
        {
            return Some(Directed { conn: self.last, side });
        }
        let is = |n: usize| (self.all[n].lo, self.all[n].hi) == (lo, hi);
        let conn = self.index.find(hash(lo, hi), is)?;
        Some(Directed { conn, side })
    }
    /// Names a connection in one direction, seen from a host with that address.
    pub(super) fn refer<C: Coder>(
        &mut self,
        c: &mut C,
        own: Addr,
        flow: FourTuple,
    ) -> Result<(Directed, FourTuple), Damage> {
        let mut code = 0;
        if C::WRITES {
            let known = self.find(flow);
            let (lo, hi, side) = ends(flow);
            let turned = u64::from(side != own_side(lo, hi, own));
            code = turned
                | match known {
                    Some(at) if at.conn == self.last => 0,
                    None => 1 << 1,
                    Some(at) => ((self.all.len() - at.conn) as u64 + 1) << 1,
                };
        }
        let code = c.uint(Col::Conn, code)?;
        let conn = match code >> 1 {
            0 => self.last,
            1 => {
                let (lo, hi) = if C::WRITES {
                    let (lo, hi, _) = ends(flow);
                    self.list.add(lo, hi)?;
                    (lo, hi)
                } else {
                    *self.listed.get(self.all.len()).ok_or(Damage::UNKNOWN)?
                };
                self.all.push(Conn { lo, hi, sides: [Side::default(); 2] });
                let conn = self.all.len() - 1;
                if C::WRITES {
                    self.index.insert(hash(lo, hi), conn);
                }
                conn
            }
            back => {
                let back = usize::try_from(back - 1).map_err(|_| Damage::UNKNOWN)?;
                self.all.len().checked_sub(back).ok_or(Damage::UNKNOWN)?
            }
        };
        let Conn { lo, hi, .. } = *self.all.get(conn).ok_or(Damage::UNKNOWN)?;
        self.last = conn;
        let side = own_side(lo, hi, own) ^ usize::from(code & 1 != 0);
        let flow = if side == 0 { FourTuple::new(lo, hi) } else { FourTuple::new(hi, lo) };
        Ok((Directed { conn, side }, flow))
    }
}

/// The two ends, the smaller first, and which of them is the source.
pub(super) fn ends(flow: FourTuple) -> (Endpoint, Endpoint, usize) {
    let (source, destination) = (flow.source(), flow.destination());
    if source <= destination { (source, destination, 0) } else { (destination, source, 1) }
}

/// Which side belongs to the host with that address; any, if both do or neither.
fn own_side(lo: Endpoint, hi: Endpoint, own: Addr) -> usize {
    usize::from(lo.addr != own && hi.addr == own)
}

/// The list of a block's connections, in the order in which they are met.
#[derive(Clone, Default, Debug)]
struct ConnList {
    encoder: Encoder,
    pairs: Pairs,
}

/// Whom clients talk to: the end with the smaller port, and the other's address.
#[derive(Clone, Default, Debug)]
struct Pairs {
    shapes: Shapes<Words>,
    last_port: u16,
}

impl Pairs {
    fn code<C: Coder>(
        &mut self,
        c: &mut C,
        lo: Endpoint,
        hi: Endpoint,
    ) -> Result<(Endpoint, Endpoint), Damage> {
        let (service, client) = if lo.port <= hi.port { (lo, hi) } else { (hi, lo) };
        let words = [service.addr.0.into(), service.port.into(), client.addr.0.into(), 0, 0, 0];
        let number = if C::WRITES { self.shapes.number(&words) } else { 0 };
        let number = c.uint(Col::Conn, number as u64)? as usize;
        let words = self.shapes.at(number, &words, c, spell)?;
        let near = i64::from(client.port) - i64::from(self.last_port);
        let near = c.int(Col::Local, near)?;
        let port = i64::from(self.last_port).wrapping_add(near);
        let addr = |n: i64| u32::try_from(n).map(Addr).map_err(|_| Damage::TOO_LARGE);
        let port_of = |n: i64| u16::try_from(n).map_err(|_| Damage::TOO_LARGE);
        self.last_port = port_of(port)?;
        let service = Endpoint::new(addr(words[0])?, port_of(words[1])?);
        let client = Endpoint::new(addr(words[2])?, self.last_port);
        Ok(if service <= client { (service, client) } else { (client, service) })
    }
}

impl ConnList {
    fn add(&mut self, lo: Endpoint, hi: Endpoint) -> Result<(), Damage> {
        self.pairs.code(&mut self.encoder, lo, hi).map(|_| ())
    }
}

/// The connections that a block's list names, each with its smaller end first.
pub(super) fn read_list(bytes: Vec<u8>) -> Result<Vec<(Endpoint, Endpoint)>, Damage> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut decoder = Decoder::new(bytes)?;
    let mut pairs = Pairs::default();
    let mut list = Vec::new();
    while !decoder.is_empty(Col::Conn) {
        let any = Endpoint::default();
        list.push(pairs.code(&mut decoder, any, any)?);
    }
    Ok(list)
}

/// Does the list name that connection?
pub(super) fn names(list: &[(Endpoint, Endpoint)], flow: FourTuple) -> bool {
    let (lo, hi, _) = ends(flow);
    list.contains(&(lo, hi))
}

fn hash(lo: Endpoint, hi: Endpoint) -> u32 {
    let word = |end: Endpoint| u64::from(end.addr.0) << 16 | u64::from(end.port);
    mix([word(lo), word(hi)])
}
