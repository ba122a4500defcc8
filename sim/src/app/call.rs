//! A system call as strace would show it.

use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{How, SockOpt};

use super::{AppId, Why};

/// A system call of an application, and what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Which of the host's applications made it.
    pub app: AppId,
    /// On which descriptor; socket() answers it.
    pub fd: u32,
    /// The connection, seen from this host; accept()'s is the new one. A listener's has zeros for
    /// its remote end, a socket that is nowhere yet has nothing but zeros.
    pub flow: FourTuple,
    /// What was called, with what matters of its arguments.
    pub what: SysCall,
    /// What it answered: bytes, a descriptor, or 0.
    pub result: Result<u32, Errno>,
}

/// The system calls that applications make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SysCall {
    /// socket(AF_INET, SOCK_STREAM).
    Socket,
    /// bind() to that local end.
    Bind(Endpoint),
    /// listen() with that backlog.
    Listen(i32),
    /// accept(); answers a descriptor.
    Accept,
    /// connect() to that remote end.
    Connect(Endpoint),
    /// setsockopt().
    SetSockOpt(SockOpt),
    /// shutdown().
    Shutdown(How),
    /// close(). It lingers if SO_LINGER makes it wait.
    Close {
        /// Does it block until the FIN is acknowledged?
        lingers: bool,
        /// Why the program closes, in its own terms.
        why: Why,
    },
    /// send() of so many bytes; answers how many fitted.
    Send(u32),
    /// recv() into a buffer of so many bytes; answers how many came, 0 at the end of file.
    Recv(u32),
}

impl SysCall {
    /// The function's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Bind(_) => "bind",
            Self::Listen(_) => "listen",
            Self::Accept => "accept",
            Self::Connect(_) => "connect",
            Self::SetSockOpt(_) => "setsockopt",
            Self::Shutdown(_) => "shutdown",
            Self::Close { .. } => "close",
            Self::Send(_) => "send",
            Self::Recv(_) => "recv",
        }
    }
}
