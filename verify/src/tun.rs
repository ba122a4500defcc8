//! A TUN device for a simulated host, in a network namespace that is not the machine's own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use finwait_model::flow::Addr;

use crate::{netns, sys};

/// Where the device is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a namespace that is made for it and goes with the program.
    Fresh,
    /// In one that is there already: a name as `ip netns` gives it, or a path.
    There(PathBuf),
}

/// What the device is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan<'a> {
    /// Its name.
    pub name: &'a str,
    /// The machine's address on it.
    pub addr: Addr,
    /// Bits of the network that is behind it.
    pub prefix: u32,
    /// Its MTU, bytes.
    pub mtu: u16,
}

/// The device; it goes when this is dropped.
#[derive(Debug)]
pub struct Tun {
    file: File,
}

/// Which namespace a name means.
pub fn named(name: &str) -> PathBuf {
    if name.contains('/') { PathBuf::from(name) } else { Path::new("/run/netns").join(name) }
}

impl Tun {
    /// Makes it, and puts the calling thread into its namespace. The process must have one thread
    /// only, so that programs that it starts are there, too.
    pub fn open(place: &Place, plan: &Plan<'_>) -> io::Result<Self> {
        match place {
            Place::Fresh => {
                netns::become_root()?;
                sys::unshare_net()?;
                sys::iface_up("lo", Addr::v4(127, 0, 0, 1), 8, None)?;
            }
            Place::There(path) => {
                let namespace = File::open(path)?;
                refuse_own(&namespace)?;
                sys::enter_net(namespace.as_fd())?;
            }
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")?;
        sys::tun_attach(file.as_fd(), plan.name)?;
        sys::iface_up(plan.name, plan.addr, plan.prefix, Some(i32::from(plan.mtu)))?;
        Ok(Self { file })
    }
    /// The next packet that the machine has sent, if there is one.
    pub fn read<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        match (&self.file).read(buffer) {
            Ok(n) => Ok(Some(&buffer[..n])),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(e) => Err(e),
        }
    }
    /// A packet arrives at the machine. A full device loses it, as networks do.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        match (&self.file).write(packet) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }
    /// Waits until there is a packet, a signal has come, or so much time has passed.
    pub fn wait(&self, timeout: Duration) {
        sys::wait_readable(self.file.as_fd(), timeout);
    }
}

/// The machine's own network stays as it is.
fn refuse_own(namespace: &File) -> io::Result<()> {
    let asked = namespace.metadata()?;
    for own in ["/proc/self/ns/net", "/proc/1/ns/net"] {
        if let Ok(own) = std::fs::metadata(own)
            && (own.dev(), own.ino()) == (asked.dev(), asked.ino())
        {
            let why = "this is the machine's own network, which finwait does not touch";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    }
    Ok(())
}
