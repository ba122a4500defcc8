//! Segments as bytes and back: IPv4 and TCP headers by smoltcp, options in the kernel's order.

use finwait_model::flow::{Addr, FourTuple};
use finwait_model::segment::{Flags, Options, SackBlock, Segment, Timestamp};
use finwait_model::seq::Seq;
use smoltcp::wire::{
    IpAddress, IpProtocol, Ipv4Address, Ipv4Packet, TcpOption, TcpPacket, TcpSeqNumber,
};

use crate::script::ast::TcpOption as Word;
use crate::script::talk::wire_options;

const IP_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
/// TTL of what Linux sends. `[ip_default_ttl]`
const TTL: u8 = 64;
const SACK: u8 = 5;

/// The bytes of an IPv4 packet that carries the segment; its payload is zeros and its IP id 0.
pub fn emit(segment: &Segment) -> Vec<u8> {
    let mut bytes = Vec::new();
    emit_into(segment, 0, &mut bytes);
    bytes
}

/// The same behind what `out` holds already, with that IP id.
pub fn emit_into(segment: &Segment, ip_id: u16, out: &mut Vec<u8>) {
    let (stamp, others);
    let options: &[u8] = if let Some(bytes) = stamp_alone(&segment.options) {
        stamp = bytes;
        &stamp
    } else {
        others = option_bytes(&segment.options);
        &others
    };
    let header = TCP_HEADER + options.len();
    let total = IP_HEADER + header + usize::from(segment.len);
    let start = out.len();
    out.resize(start + total, 0);
    let bytes = &mut out[start..];
    let (src, dst) = (address(segment.flow.saddr), address(segment.flow.daddr));

    let mut ip = Ipv4Packet::new_unchecked(&mut *bytes);
    ip.set_version(4);
    ip.set_header_len(20);
    // A packet is at most 20 + 60 + 65,535 bytes; what does not fit is cut by the length field.
    ip.set_total_len(u16::try_from(total).unwrap_or(u16::MAX));
    ip.set_dont_frag(true);
    ip.set_ident(ip_id);
    ip.set_hop_limit(TTL);
    ip.set_next_header(IpProtocol::Tcp);
    ip.set_src_addr(src);
    ip.set_dst_addr(dst);
    ip.fill_checksum();

    let mut tcp = TcpPacket::new_unchecked(&mut bytes[IP_HEADER..]);
    tcp.set_src_port(segment.flow.sport);
    tcp.set_dst_port(segment.flow.dport);
    tcp.set_seq_number(TcpSeqNumber(segment.seq.0.cast_signed()));
    tcp.set_ack_number(TcpSeqNumber(segment.ack.0.cast_signed()));
    tcp.set_header_len(u8::try_from(header).unwrap_or(60));
    tcp.set_window_len(segment.win);
    set_flags(&mut tcp, segment.flags);
    tcp.options_mut().copy_from_slice(options);
    tcp.fill_checksum(&IpAddress::Ipv4(src), &IpAddress::Ipv4(dst));
}

/// Writes the payload of such a packet, and the checksum that goes with it.
pub fn set_payload(packet: &mut [u8], write: impl FnOnce(&mut [u8])) {
    let Ok(ip) = Ipv4Packet::new_checked(&*packet) else { return };
    let (src, dst) = (IpAddress::Ipv4(ip.src_addr()), IpAddress::Ipv4(ip.dst_addr()));
    let segment = usize::from(ip.header_len())..usize::from(ip.total_len());
    if let Ok(mut tcp) = TcpPacket::new_checked(&mut packet[segment]) {
        write(tcp.payload_mut());
        tcp.fill_checksum(&src, &dst);
    }
}

/// How long that packet is.
pub fn packet_len(segment: &Segment) -> usize {
    IP_HEADER + TCP_HEADER + option_bytes(&segment.options).len() + usize::from(segment.len)
}

/// The segment that the bytes of an IPv4 packet carry; `None` if it is no whole TCP segment or a
/// checksum is wrong.
pub fn parse(bytes: &[u8]) -> Option<Segment> {
    let ip = Ipv4Packet::new_checked(bytes).ok()?;
    if ip.version() != 4 || ip.next_header() != IpProtocol::Tcp || !ip.verify_checksum() {
        return None;
    }
    let (src, dst) = (ip.src_addr(), ip.dst_addr());
    let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
    if !tcp.verify_checksum(&IpAddress::Ipv4(src), &IpAddress::Ipv4(dst)) {
        return None;
    }
    let flow = FourTuple {
        saddr: Addr(src.to_bits()),
        daddr: Addr(dst.to_bits()),
        sport: tcp.src_port(),
        dport: tcp.dst_port(),
    };
    Some(Segment {
        flow,
        seq: Seq(tcp.seq_number().0.cast_unsigned()),
        ack: Seq(if tcp.ack() { tcp.ack_number().0.cast_unsigned() } else { 0 }),
        len: u16::try_from(tcp.payload().len()).ok()?,
        win: tcp.window_len(),
        flags: flags(&tcp),
        options: options(&tcp)?,
    })
}

fn address(addr: Addr) -> Ipv4Address {
    Ipv4Address::from_bits(addr.0)
}

/// Two NOPs and a timestamp, what nearly every segment has.
const STAMP: usize = 12;

/// Those bytes, if a segment has that and nothing else; the same as [`option_bytes`] gives.
fn stamp_alone(options: &Options) -> Option<[u8; STAMP]> {
    let ts = options.ts?;
    if (Options { ts: None, ..*options }) != Options::default() {
        return None;
    }
    let mut bytes = [1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..8].copy_from_slice(&ts.val.to_be_bytes());
    bytes[8..].copy_from_slice(&ts.ecr.to_be_bytes());
    Some(bytes)
}

/// The options as the kernel writes them, padded to whole words.
fn option_bytes(options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in wire_options(options, 0, 0) {
        let mut blocks = Vec::new();
        let option = match word {
            Word::Mss(n) => TcpOption::MaxSegmentSize(n),
            Word::Wscale(n) => TcpOption::WindowScale(n),
            Word::SackOk => TcpOption::SackPermitted,
            Word::Ts { val, ecr } => TcpOption::TimeStamp { tsval: val, tsecr: ecr },
            Word::Sack(edges) => {
                for (left, right) in edges {
                    blocks.extend(left.to_be_bytes());
                    blocks.extend(right.to_be_bytes());
                }
                TcpOption::Unknown { kind: SACK, data: &blocks }
            }
            _ => TcpOption::NoOperation,
        };
        let start = bytes.len();
        bytes.resize(start + option.buffer_len(), 0);
        option.emit(&mut bytes[start..]);
    }
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn set_flags(tcp: &mut TcpPacket<&mut [u8]>, flags: Flags) {
    tcp.set_fin(flags.fin());
    tcp.set_syn(flags.syn());
    tcp.set_rst(flags.rst());
    tcp.set_psh(flags.psh());
    tcp.set_ack(flags.ack());
    tcp.set_urg(flags.has(Flags::URG));
    tcp.set_ece(flags.has(Flags::ECE));
    tcp.set_cwr(flags.has(Flags::CWR));
}

fn flags(tcp: &TcpPacket<&[u8]>) -> Flags {
    [
        (tcp.fin(), Flags::FIN),
        (tcp.syn(), Flags::SYN),
        (tcp.rst(), Flags::RST),
        (tcp.psh(), Flags::PSH),
        (tcp.ack(), Flags::ACK),
        (tcp.urg(), Flags::URG),
        (tcp.ece(), Flags::ECE),
        (tcp.cwr(), Flags::CWR),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .fold(Flags::NONE, |all, (_, flag)| all | flag)
}

fn options(tcp: &TcpPacket<&[u8]>) -> Option<Options> {
    let mut out = Options::default();
    let mut rest = tcp.options();
    while !rest.is_empty() {
        // smoltcp keeps only three SACK blocks; a header without timestamps has room for four.
        if rest[0] == SACK {
            let data = rest.get(2..usize::from(*rest.get(1)?))?;
            for (slot, edges) in out.sack.iter_mut().zip(data.chunks_exact(8)) {
                let edge =
                    |at: usize| Some(Seq(u32::from_be_bytes(edges[at..][..4].try_into().ok()?)));
                *slot = SackBlock { left: edge(0)?, right: edge(4)? };
                out.sack_count += 1;
            }
        }
        let (after, option) = TcpOption::parse(rest).ok()?;
        match option {
            TcpOption::EndOfList => break,
            TcpOption::MaxSegmentSize(n) => out.mss = Some(n),
            TcpOption::WindowScale(n) => out.wscale = Some(n),
            TcpOption::SackPermitted => out.sack_permitted = true,
            TcpOption::TimeStamp { tsval, tsecr } => {
                out.ts = Some(Timestamp { val: tsval, ecr: tsecr });
            }
            _ => {}
        }
        rest = after;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options_strategy() -> impl Strategy<Value = Options> {
        let ts = proptest::option::of((any::<u32>(), any::<u32>()));
        let syn =
            (proptest::option::of(any::<u16>()), proptest::option::of(0u8..15), any::<bool>());
        let sack = proptest::collection::vec((any::<u32>(), any::<u32>()), 0..=4);
        (ts, syn, any::<bool>(), sack).prop_map(|(ts, (mss, wscale, ok), is_syn, blocks)| {
            let mut o =
                Options { ts: ts.map(|(val, ecr)| Timestamp { val, ecr }), ..Options::default() };
            if is_syn {
                (o.mss, o.wscale, o.sack_permitted) = (mss, wscale, ok);
            } else {
                let room = if o.ts.is_some() { 3 } else { 4 };
                for (slot, (left, right)) in o.sack.iter_mut().zip(blocks).take(room) {
                    *slot = SackBlock { left: Seq(left), right: Seq(right) };
                    o.sack_count += 1;
                }
            }
            o
        })
    }

    proptest! {
        #[test]
        fn bytes_and_back(
            ends in any::<(u32, u32, u16, u16)>(),
            numbers in any::<(u32, u32, u16)>(),
            len in 0u16..3000,
            bits in any::<u8>(),
            options in options_strategy(),
        ) {
            let flags = Flags(bits);
            let segment = Segment {
                flow: FourTuple {
                    saddr: Addr(ends.0), daddr: Addr(ends.1), sport: ends.2.max(1), dport: ends.3.max(1),
                },
                seq: Seq(numbers.0),
                ack: Seq(if flags.ack() { numbers.1 } else { 0 }),
                len,
                win: numbers.2,
                flags,
                options,
            };
            prop_assert_eq!(parse(&emit(&segment)), Some(segment));
        }

        #[test]
        fn a_timestamp_alone_is_written_as_it_is_among_others(val in any::<u32>(), ecr in any::<u32>()) {
            let options = Options { ts: Some(Timestamp { val, ecr }), ..Options::default() };
            let alone = stamp_alone(&options).expect("it is alone");
            prop_assert_eq!(&alone[..], &option_bytes(&options)[..]);
            prop_assert_eq!(stamp_alone(&Options { mss: Some(1), ..options }), None);
        }

        #[test]
        fn a_flipped_bit_is_noticed(at in 0usize..52, bit in 0u8..8) {
            let segment = Segment { len: 12, seq: Seq(7), win: 9, ..Segment::default() };
            let mut bytes = emit(&segment);
            bytes[at] ^= 1 << bit;
            prop_assert_ne!(parse(&bytes), Some(segment));
        }
    }
}
