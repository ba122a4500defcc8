//! The TCP of a host: the model of Linux, or smoltcp. Both answer the same calls.

use core::fmt;

use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Closed, Config, Fd, How, Kernel, Line, Ready, Row, SockOpt, SockStat};
use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::sink::{Cx, Sink};
use finwait_model::time::Instant;

use crate::peer::{Content, Peer, PeerConfig};

/// Which TCP a host runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Platform {
    /// Linux of that release.
    Linux(Release),
    /// smoltcp: no kernel, no counters, no sysctls.
    Smoltcp,
    /// The machine that finwait runs on, behind a TUN device.
    Real,
}

/// The version of smoltcp that is built in.
pub const SMOLTCP: &str = "smoltcp 0.14";

/// What the machine is called that finwait runs on.
pub const REAL: &str = "real";

impl Platform {
    /// Is it Linux?
    pub const fn is_linux(self) -> bool {
        matches!(self, Self::Linux(_))
    }
    /// The release's name if it is Linux.
    pub const fn kernel(self) -> Option<&'static str> {
        match self {
            Self::Linux(release) => Some(release.name()),
            Self::Smoltcp | Self::Real => None,
        }
    }
    /// The name of what it is if it is no Linux.
    pub const fn stack(self) -> Option<&'static str> {
        match self {
            Self::Linux(_) => None,
            Self::Smoltcp => Some(SMOLTCP),
            Self::Real => Some(REAL),
        }
    }
}

/// `Linux 3.10`, or `smoltcp 0.14`.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linux(release) => write!(f, "Linux {release}"),
            Self::Smoltcp => f.write_str(SMOLTCP),
            Self::Real => f.write_str(REAL),
        }
    }
}

/// A host's TCP.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a host, and Linux is the common one")]
pub enum Stack {
    /// The model.
    Linux(Kernel),
    /// smoltcp.
    Smoltcp(Box<Smoltcp>),
}

/// smoltcp, and a kernel in which nothing ever happens: whoever asks for counters and sysctls of
/// such a host sees zeros and defaults.
#[derive(Debug)]
pub struct Smoltcp {
    /// Its TCP.
    pub peer: Peer,
    idle: Kernel,
}

/// Calls that both answer.
macro_rules! both {
    ($self:ident, $stack:ident => $call:expr) => {
        match $self {
            Self::Linux($stack) => $call,
            Self::Smoltcp(smoltcp) => {
                let $stack = &mut smoltcp.peer;
                $call
            }
        }
    };
}

#[allow(missing_docs, reason = "the calls of `Kernel`, described there")]
impl Stack {
    /// A host that has just booted; with smoltcp if there is a configuration for that.
    pub fn new(config: &Config, smoltcp: Option<&PeerConfig>) -> Self {
        match smoltcp {
            None => Self::Linux(Kernel::new(config)),
            Some(peer) => {
                let (peer, idle) = (Peer::new(peer), Kernel::new(config));
                Self::Smoltcp(Box::new(Smoltcp { peer, idle }))
            }
        }
    }
    /// Its Linux. A host without one has one in which nothing ever happens.
    pub const fn kernel(&self) -> &Kernel {
        match self {
            Self::Linux(kernel) => kernel,
            Self::Smoltcp(smoltcp) => &smoltcp.idle,
        }
    }
    /// The same, to change a sysctl.
    pub const fn kernel_mut(&mut self) -> &mut Kernel {
        match self {
            Self::Linux(kernel) => kernel,
            Self::Smoltcp(smoltcp) => &mut smoltcp.idle,
        }
    }
    /// Its smoltcp, if it has one.
    pub const fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Linux(_) => None,
            Self::Smoltcp(smoltcp) => Some(&smoltcp.peer),
        }
    }
    /// Which it is.
    pub const fn platform(&self) -> Platform {
        match self {
            Self::Linux(kernel) => Platform::Linux(kernel.release()),
            Self::Smoltcp(_) => Platform::Smoltcp,
        }
    }
    /// What smoltcp has found the bytes to be.
    pub fn content(&self) -> Option<Content> {
        self.peer().map(Peer::content)
    }

    #[inline]
    pub fn rx(&mut self, segment: &Segment, cx: &mut Cx<'_, impl Sink>) {
        both!(self, stack => stack.rx(segment, cx));
    }
    #[inline]
    pub fn run_timers(&mut self, cx: &mut Cx<'_, impl Sink>) {
        both!(self, stack => stack.run_timers(cx));
    }
    #[inline]
    pub fn next_timer(&self) -> Option<Instant> {
        match self {
            Self::Linux(kernel) => kernel.next_timer(),
            Self::Smoltcp(smoltcp) => smoltcp.peer.next_timer(),
        }
    }
    #[inline]
    pub fn next_wake(&mut self) -> Option<(Fd, Ready)> {
        both!(self, stack => stack.next_wake())
    }

    pub fn socket(&mut self) -> Fd {
        match self {
            Self::Linux(kernel) => kernel.socket(),
            Self::Smoltcp(smoltcp) => smoltcp.peer.open(),
        }
    }
    pub fn bind(&mut self, fd: Fd, local: Endpoint) -> Result<(), Errno> {
        both!(self, stack => stack.bind(fd, local))
    }
    pub fn listen(
        &mut self,
        fd: Fd,
        backlog: i32,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        both!(self, stack => stack.listen(fd, backlog, cx))
    }
    pub fn accept(&mut self, fd: Fd, cx: &mut Cx<'_, impl Sink>) -> Result<Fd, Errno> {
        both!(self, stack => stack.accept(fd, cx))
    }
    pub fn connect(
        &mut self,
        fd: Fd,
        to: Endpoint,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        both!(self, stack => stack.connect(fd, to, cx))
    }
    pub fn setsockopt(
        &mut self,
        fd: Fd,
        option: SockOpt,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        both!(self, stack => stack.setsockopt(fd, option, cx))
    }
    pub fn shutdown(&mut self, fd: Fd, how: How, cx: &mut Cx<'_, impl Sink>) -> Result<(), Errno> {
        both!(self, stack => stack.shutdown(fd, how, cx))
    }
    pub fn close(&mut self, fd: Fd, cx: &mut Cx<'_, impl Sink>) -> Result<Closed, Errno> {
        both!(self, stack => stack.close(fd, cx))
    }
    /// `more` is MSG_MORE, of which smoltcp knows nothing.
    #[inline]
    pub fn send(
        &mut self,
        fd: Fd,
        len: u32,
        more: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<u32, Errno> {
        match self {
            Self::Linux(kernel) => kernel.send(fd, len, more, cx),
            Self::Smoltcp(smoltcp) => smoltcp.peer.send(fd, len, cx),
        }
    }
    #[inline]
    pub fn recv(&mut self, fd: Fd, len: u32, cx: &mut Cx<'_, impl Sink>) -> Result<u32, Errno> {
        both!(self, stack => stack.recv(fd, len, cx))
    }
    pub fn poll(&self, fd: Fd) -> Result<Ready, Errno> {
        match self {
            Self::Linux(kernel) => kernel.poll(fd),
            Self::Smoltcp(smoltcp) => smoltcp.peer.poll(fd),
        }
    }
    pub fn flow(&self, fd: Fd) -> Result<FourTuple, Errno> {
        match self {
            Self::Linux(kernel) => kernel.flow(fd),
            Self::Smoltcp(smoltcp) => smoltcp.peer.flow(fd),
        }
    }

    pub fn line(&self, flow: FourTuple) -> Option<Line> {
        match self {
            Self::Linux(kernel) => kernel.line(flow),
            Self::Smoltcp(smoltcp) => smoltcp.peer.line(flow),
        }
    }
    pub fn listener_line(&self, local: Endpoint) -> Option<Line> {
        match self {
            Self::Linux(kernel) => kernel.listener_line(local),
            Self::Smoltcp(smoltcp) => smoltcp.peer.listener_line(local),
        }
    }
    pub fn lines(&self) -> Vec<Line> {
        match self {
            Self::Linux(kernel) => kernel.lines().collect(),
            Self::Smoltcp(smoltcp) => smoltcp.peer.lines().collect(),
        }
    }
    pub fn rows(&self, now: Instant) -> Vec<Row> {
        match self {
            Self::Linux(kernel) => kernel.rows(now),
            Self::Smoltcp(smoltcp) => {
                let clock = smoltcp.idle.clock();
                let mut rows: Vec<Row> =
                    smoltcp.peer.lines().map(|line| line.row(clock, now)).collect();
                rows.sort_unstable();
                rows
            }
        }
    }
    #[inline]
    pub fn sockstat(&self) -> SockStat {
        match self {
            Self::Linux(kernel) => kernel.sockstat(),
            Self::Smoltcp(smoltcp) => smoltcp.peer.sockstat(),
        }
    }
    pub fn state_counts(&self) -> [u32; 13] {
        match self {
            Self::Linux(kernel) => kernel.state_counts(),
            Self::Smoltcp(smoltcp) => smoltcp.peer.state_counts(),
        }
    }
}
