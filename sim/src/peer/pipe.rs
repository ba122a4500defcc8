//! smoltcp's network device: at most one packet comes in, any number go out.

use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Holds packets between the host and smoltcp's interface.
#[derive(Debug)]
pub(super) struct Pipe {
    mtu: usize,
    incoming: Option<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
}

impl Pipe {
    pub(super) const fn new(mtu: u16) -> Self {
        Self { mtu: mtu as usize, incoming: None, outgoing: Vec::new() }
    }
    /// A packet that smoltcp takes in when it is polled next.
    pub(super) fn put(&mut self, packet: Vec<u8>) {
        self.incoming = Some(packet);
    }
    /// What smoltcp has sent, in order.
    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.outgoing)
    }
}

impl Device for Pipe {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut can = DeviceCapabilities::default();
        can.medium = Medium::Ip;
        can.max_transmission_unit = self.mtu;
        can
    }
    fn receive(&mut self, _now: Instant) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.incoming.take()?;
        Some((Incoming(packet), Outgoing(&mut self.outgoing)))
    }
    fn transmit(&mut self, _now: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.outgoing))
    }
}

/// A packet for smoltcp.
#[derive(Debug)]
pub(super) struct Incoming(Vec<u8>);

impl phy::RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

/// Room for a packet of smoltcp's.
#[derive(Debug)]
pub(super) struct Outgoing<'a>(&'a mut Vec<Vec<u8>>);

impl phy::TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut packet = vec![0; len];
        let result = write(&mut packet);
        self.0.push(packet);
        result
    }
}
