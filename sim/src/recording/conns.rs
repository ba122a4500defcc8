//! The connections that a block speaks of: each has a number, and what is expected of it next.

use finwait_model::flow::{Addr, Endpoint, FourTuple};

use super::columns::{Coder, Col, Decoder, Encoder};
use super::damage::Damage;
use super::lookup::{Lookup, mix};
use super::shapes::{Shapes, Words, spell};
use super::told::Told;

/// One end of a connection: what it sent last, and what its host's `ss` shows of it.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Side {
    /// Has it sent anything?
    pub(super) known: bool,
    /// Its last window field.
    pub(super) win: u16,
    /// The sequence number behind everything that it sent.
    pub(super) next: u32,
    /// Its last timestamp, and the millisecond in which it was sent.
    pub(super) stamp: u32,
    pub(super) stamp_ms: u64,
    /// Its descriptor, if a call has told it.
    pub(super) fd: Option<u32>,
    /// Its row.
    pub(super) row: Told,
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
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Directed {
    pub(super) conn: usize,
    pub(super) side: usize,
}

/// The flow that was named last, the host that named it, where it is, and how it is named again.
#[derive(Clone, Copy, Default, Debug)]
struct Recent {
    flow: Option<FourTuple>,
    own: Addr,
    at: Directed,
    again: u64,
}

/// The connections of a block.
#[derive(Clone, Default, Debug)]
pub(super) struct Conns {
    all: Vec<Conn>,
    index: Lookup,
    last: usize,
    /// Writing: which flow of `last` was named, seen from whom. Most of what a step tells is about
    /// one connection.
    recent: Recent,
    /// Writing: which connection will be spoken of next, as it seems.
    expected: usize,
    /// Writing: the list that stands in front of the events. Reading: what it said.
    list: ConnList,
    listed: Vec<(Endpoint, Endpoint)>,
}

impl Conns {
    /// To read a block whose connections are these.
    pub(super) fn reading(listed: Vec<(Endpoint, Endpoint)>) -> Self {
        Self { listed, ..Self::default() }
    }
    /// Begins anew, in the same memory.
    pub(super) fn clear(&mut self) {
        let Self { all, index, last, recent, expected, list, listed } = self;
        all.clear();
        index.clear();
        (*last, *expected) = (0, 0);
        *recent = Recent::default();
        *list = ConnList::default();
        listed.clear();
    }
    /// The list of connections that were written; for an empty block that comes next.
    pub(super) fn take_list(&mut self) -> Vec<u8> {
        self.list.encoder.take()
    }
    #[inline]
    pub(super) fn side(&mut self, at: Directed) -> &mut Side {
        &mut self.all[at.conn].sides[at.side]
    }
    /// That side, and the other one.
    #[inline]
    pub(super) fn both(&mut self, at: Directed) -> (&mut Side, &Side) {
        let [lo, hi] = &mut self.all[at.conn].sides;
        if at.side == 0 { (lo, hi) } else { (hi, lo) }
    }
    /// The connection's number, if it has been met.
    #[inline]
    pub(super) fn find(&self, flow: FourTuple) -> Option<Directed> {
        if self.recent.flow == Some(flow) {
            return Some(self.recent.at);
        }
        let (lo, hi, side) = ends(flow);
        self.find_ends(lo, hi).map(|conn| Directed { conn, side })
    }
    /// Whatever is said next is likely to be about that connection: it spares a search.
    pub(super) const fn expect(&mut self, conn: usize) {
        self.expected = conn;
    }
    fn find_ends(&self, lo: Endpoint, hi: Endpoint) -> Option<usize> {
        let is = |conn: &Conn| (conn.lo, conn.hi) == (lo, hi);
        for likely in [self.last, self.expected] {
            if self.all.get(likely).is_some_and(is) {
                return Some(likely);
            }
        }
        self.index.find(hash(lo, hi), |n| is(&self.all[n]))
    }
    /// Names a connection in one direction, seen from a host with that address.
    #[inline(always)]
    pub(super) fn refer<C: Coder>(
        &mut self,
        c: &mut C,
        own: Addr,
        flow: FourTuple,
    ) -> Result<(Directed, FourTuple), Damage> {
        if !C::WRITES {
            return self.named(c, own, flow, 0);
        }
        if self.recent.flow == Some(flow) && self.recent.own == own {
            c.uint(Col::Conn, self.recent.again)?;
            return Ok((self.recent.at, flow));
        }
        self.refer_other(c, own, flow)
    }
    /// The same for one that was not the last.
    #[inline(never)]
    fn refer_other<C: Coder>(
        &mut self,
        c: &mut C,
        own: Addr,
        flow: FourTuple,
    ) -> Result<(Directed, FourTuple), Damage> {
        let (lo, hi, side) = ends(flow);
        let again = u64::from(side != own_side(lo, hi, own));
        let code = again
            | match self.find_ends(lo, hi) {
                Some(conn) if conn == self.last => 0,
                None => 1 << 1,
                Some(conn) => ((self.all.len() - conn) as u64 + 1) << 1,
            };
        let (at, flow) = self.named(c, own, flow, code)?;
        self.recent = Recent { flow: Some(flow), own, at, again };
        Ok((at, flow))
    }
    /// By its code.
    fn named<C: Coder>(
        &mut self,
        c: &mut C,
        own: Addr,
        flow: FourTuple,
        code: u64,
    ) -> Result<(Directed, FourTuple), Damage> {
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
    let turned = word(source) > word(destination);
    if turned { (destination, source, 1) } else { (source, destination, 0) }
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
        let words = *self.shapes.code(c, Col::Conn, &words, spell)?;
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
    mix([word(lo), word(hi)])
}

/// An end as a number: they have the same order.
const fn word(end: Endpoint) -> u64 {
    (end.addr.0 as u64) << 16 | end.port as u64
}
