//! Between the script's numbers and the wire's: initial sequence numbers, timestamps, ports that
//! the host chose. Each arm has a table of its own, because its host draws its own numbers.

use std::collections::BTreeMap;

use finwait_model::flow::{Addr, FourTuple};
use finwait_model::segment::{Flags, Options, SackBlock, Segment, Timestamp};
use finwait_model::seq::Seq;
use finwait_sim::script::ast::TcpOption;
use finwait_sim::script::observe::{Conn, Header};

use crate::step::Packet;

/// The host's address.
pub const LOCAL: Addr = Addr::v4(192, 168, 0, 1);
/// The peer's address, of a block that is never routed (RFC 5737).
pub const REMOTE: Addr = Addr::v4(192, 0, 2, 1);

/// Another address for each time that a case is played, because traces tell namespaces apart only
/// by addresses, and the sockets of a namespace that is gone speak on for a while. Of the block
/// for benchmarks in closed networks (RFC 2544), which is never routed: 131,070 of them.
pub const fn remote(number: usize) -> Addr {
    Addr(Addr::v4(198, 18, 0, 1).0 + (number % 131_070) as u32)
}

/// A new initial number this close above the old one continues it: a SYN that reopens a
/// TIME_WAIT bucket starts 65,537 after its end, while a drawn one has moved on by far more.
const CONTINUES: u32 = 200_000;

/// A name for a port that no script names: that of a listener which was not bound.
pub(crate) const ANY_NAME: u16 = 1;

/// The numbers of every connection of one arm.
#[derive(Clone, Debug)]
pub struct Talk {
    peer_isn: u32,
    remote: Addr,
    conns: BTreeMap<Conn, Host>,
    /// Ports that the host chose, and what the script calls them.
    ports: BTreeMap<u16, u16>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Host {
    isn: Option<u32>,
    ts: Option<u32>,
}

impl Talk {
    /// Nothing said yet with the peer at `remote`, whose numbers begin at `peer_isn`.
    pub const fn new(remote: Addr, peer_isn: u32) -> Self {
        Self { peer_isn, remote, conns: BTreeMap::new(), ports: BTreeMap::new() }
    }

    /// The host chose `real` where the script says `name`, if no other connection has that name.
    pub fn alias(&mut self, real: u16, name: u16) {
        if real == name || self.ports.contains_key(&real) {
            return;
        }
        let taken = |name: u16| {
            self.ports.values().any(|n| *n == name) || self.conns.keys().any(|c| c.local == name)
        };
        let name = std::iter::once(name).chain(1..).find(|n| !taken(*n)).unwrap_or(real);
        self.ports.insert(real, name);
    }

    /// What the script calls a port of the host.
    pub fn port_name(&self, real: u16) -> u16 {
        self.ports.get(&real).copied().unwrap_or(real)
    }
    fn real_port(&self, name: u16) -> u16 {
        let found = self.ports.iter().rev().find(|&(_, &n)| n == name);
        found.map_or(name, |(&real, _)| real)
    }

    /// The connection as the host sends on it.
    pub fn host_flow(&self, conn: Conn) -> FourTuple {
        let sport = self.real_port(conn.local);
        FourTuple { saddr: LOCAL, daddr: self.remote, sport, dport: conn.remote }
    }
    /// A sequence number of the host on the wire.
    pub fn host_seq(&self, conn: Conn, relative: u32) -> Seq {
        let isn = self.conns.get(&conn).and_then(|h| h.isn).unwrap_or(0);
        Seq(relative.wrapping_add(isn))
    }

    /// The peer's segment as it goes on the wire.
    pub fn to_wire(&self, p: &Packet) -> Segment {
        let host = self.conns.get(&p.conn).copied().unwrap_or_default();
        let host_isn = host.isn.unwrap_or(0);
        let ack = if p.flags.ack() { p.ack.wrapping_add(host_isn) } else { 0 };
        let mut options = Options::default();
        for option in &p.options {
            match option {
                TcpOption::Mss(n) => options.mss = Some(*n),
                TcpOption::Wscale(n) => options.wscale = Some(*n),
                TcpOption::SackOk => options.sack_permitted = true,
                TcpOption::Ts { val, ecr } => {
                    let base = if p.flags.ack() { host.ts.unwrap_or(0) } else { 0 };
                    let ecr = if p.flags.ack() { ecr.wrapping_add(base) } else { *ecr };
                    options.ts = Some(Timestamp { val: *val, ecr });
                }
                TcpOption::Sack(blocks) => {
                    for &(left, right) in blocks.iter().take(4) {
                        options.sack[usize::from(options.sack_count)] = SackBlock {
                            left: Seq(left.wrapping_add(host_isn)),
                            right: Seq(right.wrapping_add(host_isn)),
                        };
                        options.sack_count += 1;
                    }
                }
                _ => {}
            }
        }
        Segment {
            flow: self.host_flow(p.conn).reversed(),
            seq: Seq(p.seq.wrapping_add(self.peer_isn)),
            ack: Seq(ack),
            len: p.len,
            win: p.win,
            flags: p.flags,
            options,
        }
    }

    /// The host's segment in the script's numbers; learns from its SYNs and timestamps.
    pub fn from_wire(&mut self, s: &Segment) -> Header {
        let conn = Conn { local: self.port_name(s.flow.sport), remote: s.flow.dport };
        let host = self.conns.entry(conn).or_default();
        if s.flags.syn() && host.isn.is_none_or(|isn| s.seq.0.wrapping_sub(isn) > CONTINUES) {
            *host = Host { isn: Some(s.seq.0), ts: None };
        }
        if let (Some(ts), false) = (s.options.ts, s.flags.rst()) {
            host.ts.get_or_insert(ts.val);
        }
        let host = *host;
        // An answer to a segment without ACK has sequence number 0, which is nobody's.
        let made_up = s.flags.has(Flags::RST | Flags::ACK) && s.seq.0 == 0;
        let seq = if made_up { 0 } else { s.seq.0.wrapping_sub(host.isn.unwrap_or(0)) };
        let ack = if s.flags.ack() { s.ack.0.wrapping_sub(self.peer_isn) } else { 0 };
        Header {
            conn,
            flags: s.flags,
            seq,
            ack,
            len: s.len,
            win: s.win,
            options: self.options(&s.options, host),
        }
    }

    fn options(&self, o: &Options, host: Host) -> Vec<TcpOption> {
        let mut out = Vec::new();
        out.extend(o.mss.map(TcpOption::Mss));
        if o.sack_permitted {
            out.push(TcpOption::SackOk);
        }
        if let Some(ts) = o.ts {
            let val = ts.val.wrapping_sub(host.ts.unwrap_or(0));
            out.push(TcpOption::Ts { val, ecr: ts.ecr });
        }
        out.extend(o.wscale.map(TcpOption::Wscale));
        if o.sack_count > 0 {
            let relative = |s: Seq| s.0.wrapping_sub(self.peer_isn);
            let blocks = o.sack_blocks().iter().map(|b| (relative(b.left), relative(b.right)));
            out.push(TcpOption::Sack(blocks.collect()));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reopened_bucket_keeps_the_numbers_and_a_new_connection_starts_anew() {
        let mut talk = Talk::new(REMOTE, 1000);
        let conn = Conn { local: 8080, remote: 40000 };
        let mut syn = Segment { flow: talk.host_flow(conn), ..Segment::default() };
        syn.flags = Flags::SYN | Flags::ACK;
        syn.seq = Seq(7_000_000);
        syn.ack = Seq(1001);
        let header = talk.from_wire(&syn);
        assert_eq!((header.seq, header.ack), (0, 1));
        syn.seq = Seq(7_065_539);
        assert_eq!(talk.from_wire(&syn).seq, 65539);
        syn.seq = Seq(90_000_000);
        assert_eq!(talk.from_wire(&syn).seq, 0);
        let answer = Segment { flags: Flags::RST | Flags::ACK, seq: Seq(0), ..syn };
        assert_eq!(talk.from_wire(&answer).seq, 0);
    }
}
