//! What passes between the host and its device, with the kernel's own time of each packet.
//!
//! The reader of a TUN device learns of a packet when it gets to run: on a busy machine many
//! milliseconds after it left. A packet socket is told by the kernel, in the middle of sending or
//! receiving.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use finwait_model::segment::Segment;

use crate::{sys, wire};

/// A packet socket in a namespace.
#[derive(Debug)]
pub struct Ear {
    socket: OwnedFd,
    /// CLOCK_REALTIME minus CLOCK_MONOTONIC: both run at the same speed.
    ahead_ns: u64,
    buffer: Vec<u8>,
}

/// A packet that passed.
#[derive(Clone, Copy, Debug)]
pub enum Heard {
    /// The host sent this segment at this moment of CLOCK_MONOTONIC.
    Sent(u64, Segment),
    /// A packet reached the host at this moment of CLOCK_MONOTONIC.
    Arrived(u64),
}

impl Ear {
    /// In the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        let socket = sys::packet_socket()?;
        Ok(Self { socket, ahead_ns: ahead_ns(), buffer: vec![0; 65_536] })
    }

    /// The next packet, if there is one that matters.
    pub fn heard(&mut self) -> io::Result<Option<Heard>> {
        while let Some(packet) = sys::receive_packet(self.socket.as_fd(), &mut self.buffer)? {
            let at_ns = match packet.at_ns {
                0 => sys::now_ns(),
                at => at - self.ahead_ns,
            };
            if !packet.outgoing {
                return Ok(Some(Heard::Arrived(at_ns)));
            }
            if let Some(segment) = wire::parse(&self.buffer[..packet.len]) {
                return Ok(Some(Heard::Sent(at_ns, segment)));
            }
        }
        Ok(None)
    }
}

/// From the closest of several readings.
fn ahead_ns() -> u64 {
    let read = || {
        let before = sys::now_ns();
        let real = sys::realtime_ns();
        let after = sys::now_ns();
        (after - before, real - (before + after) / 2)
    };
    (0..8).map(|_| read()).min().map_or(0, |(_, ahead)| ahead)
}
