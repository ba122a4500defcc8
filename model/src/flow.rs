//! Who talks to whom: addresses, endpoints, four-tuples.

use core::fmt;

/// A network address. IPv4 today, in host order; a type of its own so that IPv6 can come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Addr(pub u32);

impl Addr {
    /// The wildcard, `0.0.0.0` (`INADDR_ANY`).
    pub const ANY: Self = Self(0);

    /// `a.b.c.d`.
    pub const fn v4(a: u8, b: u8, c: u8, d: u8) -> Self {
        Self(u32::from_be_bytes([a, b, c, d]))
    }
    /// Is it in 127.0.0.0/8? `[ipv4_is_loopback]`
    pub const fn is_loopback(self) -> bool {
        self.0 >> 24 == 127
    }
    /// The four bytes, most significant first.
    pub const fn octets(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.octets();
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Endpoint {
    /// The address.
    pub addr: Addr,
    /// The port; 0 means "choose one".
    pub port: u16,
}

impl Endpoint {
    /// `addr:port`.
    pub const fn new(addr: Addr, port: u16) -> Self {
        Self { addr, port }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.addr, self.port)
    }
}

/// The four numbers that name a connection, seen from whoever sends: `saddr:sport > daddr:dport`.
/// A socket stores it as it sends, so `saddr` is its own address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct FourTuple {
    /// Source address.
    pub saddr: Addr,
    /// Destination address.
    pub daddr: Addr,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
}

impl FourTuple {
    /// From `source` to `destination`.
    pub const fn new(source: Endpoint, destination: Endpoint) -> Self {
        Self {
            saddr: source.addr,
            daddr: destination.addr,
            sport: source.port,
            dport: destination.port,
        }
    }
    /// The same connection seen from the other end.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { saddr: self.daddr, daddr: self.saddr, sport: self.dport, dport: self.sport }
    }
    /// The sending end.
    pub const fn source(self) -> Endpoint {
        Endpoint { addr: self.saddr, port: self.sport }
    }
    /// The receiving end.
    pub const fn destination(self) -> Endpoint {
        Endpoint { addr: self.daddr, port: self.dport }
    }
    /// The established table's hash: both directions of a connection hash alike, and ephemeral ports
    /// that are 32 apart fall into neighbouring chains. connect() goes from port to port in small
    /// steps, or in larger ones towards each of several destinations: then few places of the table are
    /// written at a time, and each of them goes on and on in the processor's cache. Chain order is not
    /// observable, so it need not be the kernel's `[inet_ehashfn]`.
    pub const fn hash(self) -> u32 {
        let a = self.saddr.0 ^ self.daddr.0;
        let mixed = a.wrapping_mul(0x9e37_79b1);
        let (low, high) = if self.sport < self.dport {
            (self.sport as u32, self.dport as u32)
        } else {
            (self.dport as u32, self.sport as u32)
        };
        // The higher port is the ephemeral one as a rule. Services lie apart.
        let high = high >> 5 ^ (high & 31).wrapping_mul(0x85eb_ca6b);
        (mixed ^ (mixed >> 15)) ^ high ^ low.wrapping_mul(0x9e37_79b1)
    }
}

impl fmt::Display for FourTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.source(), self.destination())
    }
}
