//! Two namespaces joined by a cable: for what takes two real hosts to happen.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::thread::JoinHandle;

use finwait_model::flow::Addr;

use crate::{netns, sys};

const DEVICE: &str = "veth0";
const RTM_NEWLINK: u16 = 16;
/// `ifinfomsg`, which every link message begins with; all zeroes is "any".
const IFINFO: [u8; 16] = [0; 16];

/// Two hosts and the cable between them. They go when this and their threads have gone.
#[derive(Debug)]
pub struct Pair {
    hosts: [File; 2],
}

/// The address of host 0 or 1.
pub const fn addr(host: usize) -> Addr {
    Addr::v4(10, 0, 0, 1 + host as u8)
}

impl Pair {
    /// Makes both, with the model's sysctls.
    pub fn new() -> io::Result<Self> {
        let pair = Self { hosts: [fresh()?, fresh()?] };
        let other = pair.hosts[1].as_raw_fd();
        joined(pair.on(0, move || plug(other))?)?;
        for host in 0..2 {
            joined(pair.on(host, move || sys::iface_up(DEVICE, addr(host), 24, None))?)?;
        }
        Ok(pair)
    }

    /// Runs something on host 0 or 1, in a thread of its own.
    pub fn on<R: Send + 'static>(
        &self,
        host: usize,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> io::Result<JoinHandle<io::Result<R>>> {
        let namespace = self.hosts[host].try_clone()?;
        Ok(std::thread::spawn(move || {
            sys::enter_net(namespace.as_fd())?;
            Ok(job())
        }))
    }
}

fn joined<R>(thread: JoinHandle<io::Result<io::Result<R>>>) -> io::Result<R> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?
}

/// A handle of a fresh namespace.
fn fresh() -> io::Result<File> {
    let make = || {
        sys::unshare_net()?;
        netns::set_defaults()?;
        File::open("/proc/thread-self/ns/net")
    };
    let made = std::thread::spawn(make).join();
    made.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
}

/// Makes a veth device here whose other end is in the namespace of the descriptor.
fn plug(other: i32) -> io::Result<()> {
    let peer = [
        IFINFO.to_vec(),
        attribute(libc::IFLA_IFNAME, DEVICE.as_bytes()),
        attribute(libc::IFLA_NET_NS_FD, &other.to_ne_bytes()),
    ];
    let data = attribute(1, &peer.concat());
    let info = [attribute(libc::IFLA_INFO_KIND, b"veth"), attribute(libc::IFLA_INFO_DATA, &data)];
    let body = [
        IFINFO.to_vec(),
        attribute(libc::IFLA_IFNAME, DEVICE.as_bytes()),
        attribute(libc::IFLA_LINKINFO, &info.concat()),
    ]
    .concat();
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_EXCL | libc::NLM_F_ACK;
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend((flags as u16).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    let mut socket = File::from(sys::netlink(libc::NETLINK_ROUTE)?);
    socket.write_all(&message)?;
    let mut answer = [0; 4096];
    let n = socket.read(&mut answer)?;
    let code = answer.get(16..20).filter(|_| n >= 20).and_then(|b| b.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::other("netlink answered nothing")),
    }
}

/// A netlink attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = 4 + value.len();
    let mut b = (len as u16).to_ne_bytes().to_vec();
    b.extend(kind.to_ne_bytes());
    b.extend(value);
    b.resize(len.next_multiple_of(4), 0);
    b
}
