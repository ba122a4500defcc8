//! From a captured frame to the TCP segment in it: link headers of the types that tcpdump writes
//! on Linux, then IPv4, then TCP. A packet of which only the beginning was kept will do.

use finwait_model::flow::{Addr, FourTuple};
use finwait_model::segment::Flags;
use smoltcp::wire::{IpProtocol, Ipv4Packet, TcpOption, TcpPacket as Header};

use super::Frame;

/// Link types.
const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const RAW_BSD: u32 = 12;
const RAW: u32 = 101;
const LOOP: u32 = 108;
const LINUX_SLL: u32 = 113;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const LINUX_SLL2: u32 = 276;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// VLAN tags: 802.1Q, 802.1ad and what came before it.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// More tags than that nobody stacks.
const MOST_TAGS: usize = 4;

/// A TCP segment as far as an import looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpPacket {
    /// Who sends to whom.
    pub flow: FourTuple,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number; means something only with the flag ACK.
    pub ack: u32,
    /// Flags.
    pub flags: Flags,
    /// Bytes of payload, by the IP header: the capture may have kept fewer.
    pub len: u32,
    /// Does it carry a timestamp option? `None` if its options were not kept.
    pub stamped: Option<bool>,
    /// The MSS option.
    pub mss: Option<u16>,
    /// Where the frame was seen, if its link header says (LINUX_SLL2).
    pub device: u32,
}

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carries {
    /// A TCP segment over IPv4.
    Tcp(TcpPacket),
    /// Something else.
    Other(Meant),
}

/// What else there is in captures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Meant {
    /// IPv6, which finwait does not speak.
    Ipv6,
    /// IPv4 with another protocol than TCP.
    NotTcp,
    /// A fragment that does not begin with a TCP header.
    Fragment,
    /// Neither IPv4 nor IPv6: ARP and so on.
    NotIp,
    /// Too little of it was kept to see the TCP header.
    TooShort,
    /// Headers that contradict themselves.
    Malformed,
    /// A link type that is not known.
    UnknownLink,
}

/// Looks into a frame.
pub fn look(frame: &Frame<'_>) -> Carries {
    let mut device = 0;
    match network(frame, &mut device).and_then(ipv4) {
        Ok(mut packet) => {
            packet.device = device;
            Carries::Tcp(packet)
        }
        Err(other) => Carries::Other(other),
    }
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, Meant> {
    let pair = bytes.get(at..at + 2).ok_or(Meant::TooShort)?;
    Ok(u16::from_be_bytes([pair[0], pair[1]]))
}

fn after(bytes: &[u8], n: usize) -> Result<&[u8], Meant> {
    bytes.get(n..).ok_or(Meant::TooShort)
}

/// The IPv4 packet behind the link's header.
fn network<'a>(frame: &Frame<'a>, device: &mut u32) -> Result<&'a [u8], Meant> {
    let bytes = frame.bytes;
    match frame.link_type {
        ETHERNET => {
            let mut at = 12;
            for _ in 0..=MOST_TAGS {
                let kind = be16(bytes, at)?;
                if !VLAN.contains(&kind) {
                    return by_type(kind, after(bytes, at + 2)?);
                }
                at += 4;
            }
            Err(Meant::Malformed)
        }
        LINUX_SLL => by_type(be16(bytes, 14)?, after(bytes, 16)?),
        LINUX_SLL2 => {
            let index = bytes.get(4..8).ok_or(Meant::TooShort)?;
            *device = u32::from_be_bytes([index[0], index[1], index[2], index[3]]);
            by_type(be16(bytes, 0)?, after(bytes, 20)?)
        }
        // The address family comes in the byte order of whoever captured; the packet behind it
        // says more reliably what it is.
        NULL | LOOP => by_version(after(bytes, 4)?),
        RAW | RAW_BSD | IPV4 | IPV6 => by_version(bytes),
        _ => Err(Meant::UnknownLink),
    }
}

fn by_type(kind: u16, packet: &[u8]) -> Result<&[u8], Meant> {
    match kind {
        ETHERTYPE_IPV4 => Ok(packet),
        ETHERTYPE_IPV6 => Err(Meant::Ipv6),
        _ => Err(Meant::NotIp),
    }
}

fn by_version(packet: &[u8]) -> Result<&[u8], Meant> {
    match packet.first().ok_or(Meant::TooShort)? >> 4 {
        4 => Ok(packet),
        6 => Err(Meant::Ipv6),
        _ => Err(Meant::NotIp),
    }
}

/// The TCP segment in an IPv4 packet. Checksums are not looked at: where a network card fills
/// them in, a capture of one's own packets shows them wrong.
fn ipv4(bytes: &[u8]) -> Result<TcpPacket, Meant> {
    if bytes.len() < 20 {
        return Err(Meant::TooShort);
    }
    let ip = Ipv4Packet::new_unchecked(bytes);
    let header = usize::from(ip.header_len());
    if ip.version() != 4 || header < 20 {
        return Err(Meant::Malformed);
    }
    if ip.next_header() != IpProtocol::Tcp {
        return Err(Meant::NotTcp);
    }
    if ip.frag_offset() != 0 {
        return Err(Meant::Fragment);
    }
    // A card that cuts bundles itself leaves the length of one at 0: then the frame's counts.
    let total = match usize::from(ip.total_len()) {
        0 => bytes.len(),
        total => total,
    };
    let rest = after(bytes, header)?;
    if rest.len() < 20 {
        return Err(Meant::TooShort);
    }
    let tcp = Header::new_unchecked(rest);
    let offset = usize::from(tcp.header_len());
    if offset < 20 || header + offset > total {
        return Err(Meant::Malformed);
    }
    let flow = FourTuple {
        saddr: Addr(ip.src_addr().to_bits()),
        daddr: Addr(ip.dst_addr().to_bits()),
        sport: tcp.src_port(),
        dport: tcp.dst_port(),
    };
    let (stamped, mss) = match rest.get(20..offset) {
        Some(options) => options_of(options),
        None => (None, None),
    };
    Ok(TcpPacket {
        flow,
        seq: tcp.seq_number().0.cast_unsigned(),
        ack: tcp.ack_number().0.cast_unsigned(),
        flags: Flags(rest[13]),
        len: u32::try_from(total - header - offset).unwrap_or(u32::MAX),
        stamped,
        mss,
        device: 0,
    })
}

fn options_of(mut options: &[u8]) -> (Option<bool>, Option<u16>) {
    let (mut stamped, mut mss) = (false, None);
    while let Ok((rest, option)) = TcpOption::parse(options) {
        match option {
            TcpOption::EndOfList => break,
            TcpOption::TimeStamp { .. } => stamped = true,
            TcpOption::MaxSegmentSize(n) => mss = Some(n),
            _ => {}
        }
        if rest.len() >= options.len() {
            break;
        }
        options = rest;
    }
    (Some(stamped), mss)
}
