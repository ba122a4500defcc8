//! Between the script's numbers and the host's: initial sequence numbers, timestamps, ports that
//! the host chose. All of the translation is here; the model never sees a relative number.

use std::collections::BTreeMap;

use finwait_model::flow::{Addr, FourTuple};
use finwait_model::segment::{Flags, Options, SackBlock, Segment, Timestamp};
use finwait_model::seq::Seq;

use super::ast::{Tcp, TcpOption};
use super::observe::{Conn, Header};

/// A new initial number this close above the old one continues it: a SYN that takes over a
/// TIME_WAIT bucket starts 65,537 after its end, while one drawn anew has moved on by far more.
const CONTINUES: u32 = 200_000;

/// The numbers of every connection of one host.
#[derive(Clone, Debug)]
pub struct Talk {
    local: Addr,
    remote: Addr,
    conns: BTreeMap<Conn, Numbers>,
    /// Ports that the host chose, and what the script calls them.
    names: BTreeMap<u16, u16>,
}

/// Where the numbers of one connection begin.
#[derive(Clone, Default, Debug)]
struct Numbers {
    /// The peer's first SYN, which has the same number in the script and on the wire.
    peer_isn: Option<u32>,
    /// The host's SYN on the wire.
    host_isn: Option<u32>,
    /// The host's SYN in the script.
    script_isn: u32,
    /// The host's first timestamp on the wire.
    first_ts: Option<u32>,
    /// The first timestamp that the script expects, and the one on the wire that met it.
    ts_base: Option<(u32, u32)>,
    /// Every timestamp that the script has expected, and the one on the wire that met it.
    ts: BTreeMap<u32, u32>,
}

impl Talk {
    /// Nothing said yet between the two addresses.
    pub const fn new(local: Addr, remote: Addr) -> Self {
        Self { local, remote, conns: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// The host chose the port `real` where the script says `name`.
    pub fn name_port(&mut self, real: u16, name: u16) {
        self.names.retain(|_, n| *n != name);
        if real != name {
            self.names.insert(real, name);
        }
    }

    /// The connection in the script's numbers, of ports as the host sees them.
    pub fn conn(&self, local_port: u16, remote_port: u16) -> Conn {
        let local = self.names.get(&local_port).copied().unwrap_or(local_port);
        Conn { local, remote: remote_port }
    }

    /// The connection as the host sends on it.
    pub fn flow(&self, conn: Conn) -> FourTuple {
        let found = self.names.iter().find(|&(_, &name)| name == conn.local);
        let sport = found.map_or(conn.local, |(&real, _)| real);
        FourTuple { saddr: self.local, daddr: self.remote, sport, dport: conn.remote }
    }

    /// A sequence number of the host's on the wire.
    pub fn host_seq(&self, conn: Conn, script: u32) -> Seq {
        let isn = self.conns.get(&conn).and_then(|n| n.host_isn).unwrap_or(0);
        Seq(script.wrapping_add(isn))
    }

    /// The peer's segment as it goes on the wire. An unspecified window is 0.
    pub fn to_wire(&mut self, conn: Conn, tcp: &Tcp) -> Result<Segment, String> {
        let flow = self.flow(conn).reversed();
        let numbers = self.conns.entry(conn).or_default();
        let syn = tcp.flags.syn();
        if syn && numbers.peer_isn.is_none() {
            numbers.peer_isn = Some(tcp.seq);
        }
        let peer_isn = if syn { 0 } else { numbers.peer_isn.unwrap_or(0) };
        let host_isn = numbers.host_isn.unwrap_or(0);
        let ack_base = if syn { host_isn.wrapping_sub(numbers.script_isn) } else { host_isn };
        let ack = match tcp.ack {
            Some(ack) if tcp.flags.ack() => ack.wrapping_add(ack_base),
            _ => 0,
        };
        let options = tcp.options.as_deref().unwrap_or(&[]);
        Ok(Segment {
            flow,
            seq: Seq(tcp.seq.wrapping_add(peer_isn)),
            ack: Seq(ack),
            len: tcp.len,
            win: tcp.win.unwrap_or(0),
            flags: tcp.flags,
            options: numbers.options_to_wire(options, tcp.flags, ack_base)?,
        })
    }

    /// Learns from a segment that the host sent. Must see every one, in order.
    pub fn learn(&mut self, segment: &Segment) {
        let conn = self.conn(segment.flow.sport, segment.flow.dport);
        let numbers = self.conns.entry(conn).or_default();
        let far = |isn: u32| segment.seq.0.wrapping_sub(isn) > CONTINUES;
        if segment.flags.syn() && numbers.host_isn.is_none_or(far) {
            let peer_isn = numbers.peer_isn;
            *numbers = Numbers { peer_isn, host_isn: Some(segment.seq.0), ..Numbers::default() };
        }
        if let (Some(ts), false) = (segment.options.ts, segment.flags.rst()) {
            numbers.first_ts.get_or_insert(ts.val);
        }
    }

    /// The host's segment in relative numbers.
    pub fn header(&self, segment: &Segment) -> Header {
        let conn = self.conn(segment.flow.sport, segment.flow.dport);
        let numbers = self.conns.get(&conn).cloned().unwrap_or_default();
        let ts_base = numbers.first_ts.unwrap_or(0);
        numbers.header(conn, segment, 0, ts_base)
    }

    /// The host's segment in the numbers of the script, which expects `expected` there. Binds the
    /// timestamps of the two to each other.
    pub fn from_wire(&mut self, segment: &Segment, expected: &Tcp) -> Header {
        let conn = self.conn(segment.flow.sport, segment.flow.dport);
        let numbers = self.conns.entry(conn).or_default();
        if expected.flags.syn() && numbers.host_isn == Some(segment.seq.0) {
            numbers.script_isn = expected.seq;
        }
        let script_ts = expected.options.iter().flatten().find_map(|option| match option {
            TcpOption::Ts { val, .. } => Some(*val),
            _ => None,
        });
        if let (Some(script), Some(wire)) = (script_ts, segment.options.ts) {
            numbers.ts.insert(script, wire.val);
            numbers.ts_base.get_or_insert((script, wire.val));
        }
        let (script, wire) = numbers.ts_base.unwrap_or_else(|| (0, numbers.first_ts.unwrap_or(0)));
        let numbers = numbers.clone();
        numbers.header(conn, segment, numbers.script_isn, wire.wrapping_sub(script))
    }

    /// The peer's segment in relative numbers.
    pub fn injected(&self, conn: Conn, tcp: &Tcp) -> Header {
        let options = tcp.options.clone().unwrap_or_default();
        Header {
            conn,
            flags: tcp.flags,
            seq: tcp.seq,
            ack: tcp.ack.filter(|_| tcp.flags.ack()).unwrap_or(0),
            len: tcp.len,
            win: tcp.win.unwrap_or(0),
            options,
        }
    }
}

impl Numbers {
    fn options_to_wire(
        &self,
        options: &[TcpOption],
        flags: Flags,
        ack_base: u32,
    ) -> Result<Options, String> {
        let mut out = Options::default();
        for option in options {
            match option {
                TcpOption::Mss(n) => out.mss = Some(*n),
                TcpOption::Wscale(n) => out.wscale = Some(*n),
                TcpOption::SackOk => out.sack_permitted = true,
                TcpOption::Ts { val, ecr } => {
                    let ecr = if flags.ack() { self.echo(*ecr)? } else { *ecr };
                    out.ts = Some(Timestamp { val: *val, ecr });
                }
                TcpOption::Sack(blocks) => {
                    for (slot, &(left, right)) in out.sack.iter_mut().zip(blocks) {
                        let on_wire = |edge: u32| Seq(edge.wrapping_add(ack_base));
                        *slot = SackBlock { left: on_wire(left), right: on_wire(right) };
                        out.sack_count += 1;
                    }
                }
                _ => {}
            }
        }
        Ok(out)
    }

    /// The host's timestamp that the script means by `ecr`.
    fn echo(&self, ecr: u32) -> Result<u32, String> {
        if let Some(&wire) = self.ts.get(&ecr) {
            return Ok(wire);
        }
        match (self.ts_base, self.first_ts) {
            (Some((script, wire)), _) => Ok(ecr.wrapping_sub(script).wrapping_add(wire)),
            (None, Some(first)) => Ok(first.wrapping_add(ecr)),
            (None, None) if ecr == 0 => Ok(0),
            (None, None) => Err(format!(
                "unable to infer live TS ecr for script TS ecr {ecr};  \
                 no matching or preceding outbound TS val"
            )),
        }
    }

    fn header(&self, conn: Conn, s: &Segment, script_isn: u32, ts_offset: u32) -> Header {
        let syn = s.flags.syn();
        // An answer to a segment without ACK has sequence number 0, which is nobody's.
        let made_up = s.flags.has(Flags::RST | Flags::ACK) && s.seq.0 == 0;
        let isn = self.host_isn.unwrap_or(0);
        let isn = if syn { isn.wrapping_sub(script_isn) } else { isn };
        let peer_isn = if syn { 0 } else { self.peer_isn.unwrap_or(0) };
        let peer_isn = if made_up { 0 } else { peer_isn };
        Header {
            conn,
            flags: s.flags,
            seq: if made_up { 0 } else { s.seq.0.wrapping_sub(isn) },
            ack: if s.flags.ack() { s.ack.0.wrapping_sub(peer_isn) } else { 0 },
            len: s.len,
            win: s.win,
            options: wire_options(&s.options, ts_offset, peer_isn),
        }
    }
}

/// The options in the order in which the kernel writes them, with its padding.
/// `[tcp_options_write]`
pub fn wire_options(o: &Options, ts_offset: u32, sack_offset: u32) -> Vec<TcpOption> {
    let mut out = Vec::new();
    out.extend(o.mss.map(TcpOption::Mss));
    if let Some(ts) = o.ts {
        if o.sack_permitted {
            out.push(TcpOption::SackOk);
        } else {
            out.extend([TcpOption::Nop, TcpOption::Nop]);
        }
        out.push(TcpOption::Ts { val: ts.val.wrapping_sub(ts_offset), ecr: ts.ecr });
    } else if o.sack_permitted {
        out.extend([TcpOption::Nop, TcpOption::Nop, TcpOption::SackOk]);
    }
    if let Some(shift) = o.wscale {
        out.extend([TcpOption::Nop, TcpOption::Wscale(shift)]);
    }
    if o.sack_count > 0 {
        let relative = |s: Seq| s.0.wrapping_sub(sack_offset);
        let blocks = o.sack_blocks().iter().map(|b| (relative(b.left), relative(b.right)));
        out.extend([TcpOption::Nop, TcpOption::Nop, TcpOption::Sack(blocks.collect())]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: Conn = Conn { local: 8080, remote: 50_000 };

    fn tcp(flags: Flags, seq: u32, ack: Option<u32>) -> Tcp {
        Tcp { flags, seq, len: 0, ack, win: Some(100), urg: None, options: Some(Vec::new()) }
    }

    #[test]
    fn numbers_count_from_the_syns() {
        let mut talk = Talk::new(Addr::v4(192, 168, 0, 1), Addr::v4(192, 0, 2, 1));
        let syn = talk.to_wire(CONN, &tcp(Flags::SYN, 1000, None)).expect("goes");
        assert_eq!(syn.seq.0, 1000);
        let answer = Segment {
            flow: talk.flow(CONN),
            seq: Seq(7_000_000),
            ack: Seq(1001),
            flags: Flags::SYN | Flags::ACK,
            ..Segment::default()
        };
        talk.learn(&answer);
        let seen = talk.from_wire(&answer, &tcp(Flags::SYN | Flags::ACK, 500, Some(1001)));
        assert_eq!((seen.seq, seen.ack), (500, 1001), "SYNs keep the script's own numbers");
        let third = talk.to_wire(CONN, &tcp(Flags::ACK, 1, Some(1))).expect("goes");
        assert_eq!((third.seq.0, third.ack.0), (1001, 7_000_001));
        let reopened = Segment { seq: Seq(7_065_539), ..answer };
        talk.learn(&reopened);
        assert_eq!(talk.header(&reopened).seq, 65_539, "a reopened bucket goes on");
        let new = Segment { seq: Seq(90_000_000), ..answer };
        talk.learn(&new);
        assert_eq!(talk.header(&new).seq, 0, "a new connection begins anew");
    }
}
