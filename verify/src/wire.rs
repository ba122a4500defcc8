//! A model's segment as an IPv4 packet, and back: what goes into and comes out of the TUN device.

use finwait_model::flow::{Addr, FourTuple};
use finwait_model::segment::{Flags, Options, SackBlock, Segment, Timestamp};
use finwait_model::seq::Seq;

const IP: usize = 20;
const TCP: usize = 20;

/// The packet with correct checksums; the payload is zeroes.
pub fn emit(segment: &Segment) -> Vec<u8> {
    let options = emit_options(&segment.options);
    let header = TCP + options.len();
    let total = IP + header + usize::from(segment.len);
    let mut p = Vec::with_capacity(total);
    p.extend([0x45, 0]);
    p.extend((total as u16).to_be_bytes());
    p.extend([0, 0, 0x40, 0, 255, 6, 0, 0]);
    p.extend(segment.flow.saddr.octets());
    p.extend(segment.flow.daddr.octets());
    let sum = checksum(0, &p);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p.extend(segment.flow.sport.to_be_bytes());
    p.extend(segment.flow.dport.to_be_bytes());
    p.extend(segment.seq.0.to_be_bytes());
    p.extend(segment.ack.0.to_be_bytes());
    p.extend([(header << 2) as u8, segment.flags.0]);
    p.extend(segment.win.to_be_bytes());
    p.extend([0; 4]);
    p.extend(options);
    p.resize(total, 0);
    let sum = checksum(pseudo(&p), &p[IP..]);
    p[IP + 16..IP + 18].copy_from_slice(&sum.to_be_bytes());
    p
}

/// The ICMP destination-unreachable (type 3) with `code` that a router sends about `offending`,
/// which the host at `offending.saddr` sent. `mtu` is only meant for code 4.
pub fn emit_unreachable(from: Addr, offending: FourTuple, seq: Seq, code: u8, mtu: u16) -> Vec<u8> {
    let mut p = vec![0x45, 0, 0, 56, 0, 0, 0x40, 0, 255, 1, 0, 0];
    p.extend(from.octets());
    p.extend(offending.saddr.octets());
    let sum = checksum(0, &p);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p.extend([3, code, 0, 0, 0, 0]);
    p.extend(mtu.to_be_bytes());
    p.extend([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
    p.extend(offending.saddr.octets());
    p.extend(offending.daddr.octets());
    p.extend(offending.sport.to_be_bytes());
    p.extend(offending.dport.to_be_bytes());
    p.extend(seq.0.to_be_bytes());
    let sum = checksum(0, &p[IP..]);
    p[IP + 2..IP + 4].copy_from_slice(&sum.to_be_bytes());
    p
}

/// The segment in an IPv4 packet; `None` if the packet holds no well-formed TCP segment.
pub fn parse(packet: &[u8]) -> Option<Segment> {
    let ihl = usize::from(packet.first()? & 15) * 4;
    if packet[0] >> 4 != 4 || ihl < IP || *packet.get(9)? != 6 {
        return None;
    }
    let total = usize::from(be16(packet, 2)?);
    let tcp = packet.get(ihl..total)?;
    let header = usize::from(*tcp.get(12)? >> 4) * 4;
    if header < TCP {
        return None;
    }
    let flags = Flags(tcp[13]);
    let ack = if flags.ack() { be32(tcp, 8)? } else { 0 };
    Some(Segment {
        flow: FourTuple {
            saddr: Addr(be32(packet, 12)?),
            daddr: Addr(be32(packet, 16)?),
            sport: be16(tcp, 0)?,
            dport: be16(tcp, 2)?,
        },
        seq: Seq(be32(tcp, 4)?),
        ack: Seq(ack),
        len: (tcp.len().checked_sub(header)?) as u16,
        win: be16(tcp, 14)?,
        flags,
        options: parse_options(tcp.get(TCP..header)?)?,
    })
}

fn emit_options(o: &Options) -> Vec<u8> {
    let mut b = Vec::new();
    if let Some(mss) = o.mss {
        b.extend([2, 4]);
        b.extend(mss.to_be_bytes());
    }
    if o.sack_permitted {
        b.extend([4, 2]);
    }
    if let Some(ts) = o.ts {
        // Two NOPs before, as every stack writes it, unless SACK permitted took their place.
        if !o.sack_permitted {
            b.extend([1, 1]);
        }
        b.extend([8, 10]);
        b.extend(ts.val.to_be_bytes());
        b.extend(ts.ecr.to_be_bytes());
    } else if o.sack_permitted {
        b.extend([1, 1]);
    }
    if let Some(shift) = o.wscale {
        b.extend([1, 3, 3, shift]);
    }
    let blocks = o.sack_blocks();
    if !blocks.is_empty() {
        b.extend([1, 1, 5, 2 + 8 * blocks.len() as u8]);
        for block in blocks {
            b.extend(block.left.0.to_be_bytes());
            b.extend(block.right.0.to_be_bytes());
        }
    }
    b
}

fn parse_options(mut b: &[u8]) -> Option<Options> {
    let mut o = Options::default();
    while let [kind, rest @ ..] = b {
        match kind {
            0 => break,
            1 => {
                b = rest;
                continue;
            }
            _ => {}
        }
        let len = usize::from(*rest.first()?);
        let body = b.get(2..len)?;
        match (kind, body.len()) {
            (2, 2) => o.mss = be16(body, 0),
            (3, 1) => o.wscale = Some(body[0]),
            (4, 0) => o.sack_permitted = true,
            (8, 8) => o.ts = Some(Timestamp { val: be32(body, 0)?, ecr: be32(body, 4)? }),
            (5, n) => {
                for block in body.chunks_exact(8).take(4) {
                    o.sack[usize::from(o.sack_count)] =
                        SackBlock { left: Seq(be32(block, 0)?), right: Seq(be32(block, 4)?) };
                    o.sack_count += 1;
                }
                debug_assert!(n % 8 == 0, "a SACK option holds whole blocks");
            }
            _ => {}
        }
        b = b.get(len..)?;
    }
    Some(o)
}

fn be16(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(b.get(at..at + 2)?.try_into().ok()?))
}
fn be32(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(b.get(at..at + 4)?.try_into().ok()?))
}

fn pseudo(packet: &[u8]) -> u32 {
    let words = packet[12..IP].chunks_exact(2);
    let addrs: u32 = words.map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    addrs + 6 + (packet.len() - IP) as u32
}

/// The Internet checksum (RFC 1071) of `bytes` on top of `sum`.
fn checksum(mut sum: u32, bytes: &[u8]) -> u16 {
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_parsed_back() {
        let mut options = Options {
            ts: Some(Timestamp { val: 7, ecr: 9 }),
            mss: Some(1460),
            wscale: Some(7),
            sack_permitted: true,
            ..Options::default()
        };
        let flow = FourTuple {
            saddr: Addr::v4(192, 0, 2, 1),
            daddr: Addr::v4(192, 168, 0, 1),
            sport: 40000,
            dport: 8080,
        };
        let mut segment =
            Segment { flow, seq: Seq(5), win: 9, flags: Flags::SYN, ..Segment::default() };
        segment.options = options;
        assert_eq!(parse(&emit(&segment)), Some(segment));
        options = Options { ts: options.ts, ..Options::default() };
        options.sack[0] = SackBlock { left: Seq(10), right: Seq(20) };
        options.sack_count = 1;
        segment =
            Segment { len: 33, flags: Flags::ACK | Flags::PSH, ack: Seq(77), options, ..segment };
        let packet = emit(&segment);
        assert_eq!(parse(&packet), Some(segment));
        assert_eq!(checksum(0, &packet[..IP]), 0);
        assert_eq!(checksum(pseudo(&packet), &packet[IP..]), 0);
        assert_eq!(parse(&packet[..30]), None);
    }
}
