//! The system calls that have no safe interface: namespaces, TUN, raw sockets, clocks, signals.
//!
//! The only file with `unsafe`. Every function checks what the kernel needs of its arguments by
//! type, turns the answer into a `Result`, and keeps no pointer.
#![allow(unsafe_code, reason = "these calls have no safe interface; each says why it is sound")]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::thread::RawPthread;
use std::time::Duration;

use finwait_model::flow::{Addr, Endpoint};
use libc::{c_int, c_void, sockaddr, sockaddr_in, socklen_t};

/// What a system call answered: its value, or the error number.
pub type Answer = Result<i64, i32>;

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
fn answer(ret: impl Into<i64>) -> Answer {
    let ret = ret.into();
    if ret < 0 { Err(errno()) } else { Ok(ret) }
}
fn checked(ret: c_int) -> io::Result<c_int> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

// — clocks and waiting —

/// CLOCK_MONOTONIC in nanoseconds: the clock that the kernel's TCP reads.
pub fn now_ns() -> u64 {
    // SAFETY: `ts` is a valid place for one timespec and the clock exists on every Linux.
    let ts = unsafe {
        let mut ts: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut ts);
        ts
    };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// The resolution of the coarse clock in nanoseconds, which is one tick.
pub fn tick_ns() -> u64 {
    // SAFETY: `ts` is a valid place for one timespec.
    let ts = unsafe {
        let mut ts: libc::timespec = zeroed();
        libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut ts);
        ts
    };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// Asks for exact wake-ups of this thread instead of 50 µs of slack.
pub fn no_timer_slack() {
    // SAFETY: takes two integers.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
}

/// Waits until `fd` is readable or `timeout` has passed; says whether it is readable.
pub fn wait_readable(fd: BorrowedFd<'_>, timeout: Duration) -> bool {
    let mut p = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let ts = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: one valid pollfd and one valid timespec, both alive during the call.
    let n = unsafe { libc::ppoll(&raw mut p, 1, &raw const ts, std::ptr::null()) };
    n > 0 && p.revents & libc::POLLIN != 0
}

// — namespaces and devices —

/// The effective user.
pub fn euid() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
/// The effective group.
pub fn egid() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getegid() }
}
/// Puts this process into a user namespace of its own; it must have one thread only.
pub fn unshare_user() -> io::Result<()> {
    // SAFETY: takes a flag; a process with several threads gets EINVAL.
    checked(unsafe { libc::unshare(libc::CLONE_NEWUSER) }).map(drop)
}
/// Puts the calling thread into a network namespace of its own.
pub fn unshare_net() -> io::Result<()> {
    // SAFETY: takes a flag.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}
/// Puts the calling thread into the network namespace that `fd` refers to.
pub fn enter_net(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a descriptor that is open, and a flag.
    checked(unsafe { libc::setns(fd.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// The calling thread's id, as traces show it.
pub fn tid() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::gettid() }
}
/// Gives the calling thread mounts of its own that nobody else sees.
pub fn private_mounts() -> io::Result<()> {
    let none = std::ptr::null();
    // SAFETY: a flag; then a C string for the root, and no other pointer is read with MS_PRIVATE.
    unsafe {
        checked(libc::unshare(libc::CLONE_NEWNS))?;
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        checked(libc::mount(none, c"/".as_ptr(), none, flags, none.cast())).map(drop)
    }
}
/// Mounts tracefs on a directory.
pub fn mount_tracefs(path: &str) -> io::Result<()> {
    let path = std::ffi::CString::new(path)?;
    let kind = c"tracefs".as_ptr();
    // SAFETY: C strings that outlive the call; tracefs needs no data.
    unsafe { checked(libc::mount(kind, path.as_ptr(), kind, 0, std::ptr::null())).map(drop) }
}

fn ifreq(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain data; all zeroes is a valid value.
    let mut req: libc::ifreq = unsafe { zeroed() };
    for (to, from) in req.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    req
}

/// Makes an open `/dev/net/tun` the device `name` without packet information headers.
pub fn tun_attach(tun: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let mut req = ifreq(name);
    req.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which `req` is.
    checked(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF as _, &raw mut req) }).map(drop)
}

fn inet(addr: Addr) -> sockaddr {
    let sin = sockaddr_of(Endpoint::new(addr, 0));
    // SAFETY: sockaddr and sockaddr_in are both 16 bytes of plain data.
    unsafe { std::mem::transmute::<sockaddr_in, sockaddr>(sin) }
}

/// Gives the device `name` an address with a netmask of `prefix` bits and an MTU, and brings it up.
pub fn iface_up(name: &str, addr: Addr, prefix: u32, mtu: Option<i32>) -> io::Result<()> {
    let sock = stream_socket(true).map_err(io::Error::from_raw_os_error)?;
    let call = |request: libc::c_ulong, req: &mut libc::ifreq| {
        // SAFETY: all these requests read and write one ifreq.
        checked(unsafe { libc::ioctl(sock.as_raw_fd(), request as _, std::ptr::from_mut(req)) })
    };
    let mut req = ifreq(name);
    req.ifr_ifru.ifru_addr = inet(addr);
    call(libc::SIOCSIFADDR, &mut req)?;
    req.ifr_ifru.ifru_netmask = inet(Addr(u32::MAX << (32 - prefix)));
    call(libc::SIOCSIFNETMASK, &mut req)?;
    if let Some(mtu) = mtu {
        req.ifr_ifru.ifru_mtu = mtu;
        call(libc::SIOCSIFMTU, &mut req)?;
    }
    call(libc::SIOCGIFFLAGS, &mut req)?;
    // SAFETY: SIOCGIFFLAGS has just written the flags, so that member of the union is the live one.
    unsafe { req.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as i16 };
    call(libc::SIOCSIFFLAGS, &mut req).map(drop)
}

/// Sends everything that has no better route to the device `name`.
pub fn default_route(name: &str) -> io::Result<()> {
    let sock = stream_socket(true).map_err(io::Error::from_raw_os_error)?;
    let mut dev: Vec<u8> = name.bytes().chain([0]).collect();
    // SAFETY: rtentry is plain data; all zeroes is a valid value.
    let mut route: libc::rtentry = unsafe { zeroed() };
    route.rt_dst = inet(Addr::ANY);
    route.rt_genmask = inet(Addr::ANY);
    route.rt_flags = libc::RTF_UP as _;
    route.rt_dev = dev.as_mut_ptr().cast();
    // SAFETY: SIOCADDRT reads one rtentry and the name it points to, which `dev` keeps alive.
    checked(unsafe { libc::ioctl(sock.as_raw_fd(), libc::SIOCADDRT as _, &raw mut route) })
        .map(drop)
}

// — sockets, as numbers: a script may close a descriptor twice —

fn sockaddr_of(to: Endpoint) -> sockaddr_in {
    // SAFETY: sockaddr_in is plain data; all zeroes is a valid value.
    let mut sin: sockaddr_in = unsafe { zeroed() };
    sin.sin_family = libc::AF_INET as _;
    sin.sin_port = to.port.to_be();
    sin.sin_addr.s_addr = to.addr.0.to_be();
    sin
}

/// socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), closed on exec.
pub fn stream_socket(nonblock: bool) -> Result<OwnedFd, i32> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    let kind = if nonblock { kind | libc::SOCK_NONBLOCK } else { kind };
    // SAFETY: takes three integers; the descriptor is new and belongs to nobody else.
    unsafe {
        let fd = libc::socket(libc::AF_INET, kind, libc::IPPROTO_TCP);
        if fd < 0 { Err(errno()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}
/// bind().
pub fn bind(fd: RawFd, to: Endpoint) -> Answer {
    let sin = sockaddr_of(to);
    // SAFETY: a valid sockaddr_in with its length.
    answer(unsafe { libc::bind(fd, (&raw const sin).cast(), size_of::<sockaddr_in>() as _) })
}
/// connect().
pub fn connect(fd: RawFd, to: Endpoint) -> Answer {
    let sin = sockaddr_of(to);
    // SAFETY: a valid sockaddr_in with its length.
    answer(unsafe { libc::connect(fd, (&raw const sin).cast(), size_of::<sockaddr_in>() as _) })
}
/// connect(AF_UNSPEC).
pub fn disconnect(fd: RawFd) -> Answer {
    let mut sin = sockaddr_of(Endpoint::default());
    sin.sin_family = libc::AF_UNSPEC as _;
    // SAFETY: a valid sockaddr_in with its length.
    answer(unsafe { libc::connect(fd, (&raw const sin).cast(), size_of::<sockaddr_in>() as _) })
}
/// listen().
pub fn listen(fd: RawFd, backlog: i32) -> Answer {
    // SAFETY: takes two integers.
    answer(unsafe { libc::listen(fd, backlog) })
}
/// accept(), closed on exec.
pub fn accept(fd: RawFd) -> Answer {
    let (addr, len) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the address is not asked for.
    answer(unsafe { libc::accept4(fd, addr, len, libc::SOCK_CLOEXEC) })
}
/// send() of `len` zero bytes; never raises SIGPIPE.
pub fn send(fd: RawFd, len: usize, flags: c_int) -> Answer {
    let data = vec![0_u8; len];
    // SAFETY: `data` holds `len` readable bytes.
    answer(unsafe { libc::send(fd, data.as_ptr().cast(), len, flags | libc::MSG_NOSIGNAL) } as i64)
}
/// recv() of up to `len` bytes, which are thrown away.
pub fn recv(fd: RawFd, len: usize, flags: c_int) -> Answer {
    let mut data = vec![0_u8; len];
    // SAFETY: `data` holds `len` writable bytes.
    answer(unsafe { libc::recv(fd, data.as_mut_ptr().cast(), len, flags) } as i64)
}
/// shutdown().
pub fn shutdown(fd: RawFd, how: c_int) -> Answer {
    // SAFETY: takes two integers.
    answer(unsafe { libc::shutdown(fd, how) })
}
/// close(). The descriptor must be one that a script opened.
pub fn close(fd: RawFd) -> Answer {
    // SAFETY: script descriptors are plain numbers that no OwnedFd of ours holds.
    answer(unsafe { libc::close(fd) })
}
/// fcntl(F_GETFL) or fcntl(F_SETFL, flags).
pub fn fcntl(fd: RawFd, command: c_int, flags: c_int) -> Answer {
    // SAFETY: takes three integers.
    answer(unsafe { libc::fcntl(fd, command, flags) })
}
/// ioctl() that writes one int (SIOCINQ, SIOCOUTQ): the call's answer and that int.
pub fn ioctl_int(fd: RawFd, request: u64) -> (Answer, i32) {
    let mut value: c_int = 0;
    // SAFETY: the requests of the script language write one int.
    let ret = unsafe { libc::ioctl(fd, request as _, &raw mut value) };
    (answer(ret), value)
}
/// poll() of one descriptor: the call's answer and the bits that are set.
pub fn poll(fd: RawFd, events: i16, timeout_ms: c_int) -> (Answer, i16) {
    let mut p = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one valid pollfd.
    let ret = unsafe { libc::poll(&raw mut p, 1, timeout_ms) };
    (answer(ret), p.revents)
}
/// setsockopt() with the bytes of its value.
pub fn setsockopt(fd: RawFd, level: c_int, name: c_int, value: &[u8]) -> Answer {
    let (data, len) = (value.as_ptr().cast::<c_void>(), value.len() as socklen_t);
    // SAFETY: `value` holds `len` readable bytes.
    answer(unsafe { libc::setsockopt(fd, level, name, data, len) })
}
/// getsockopt() into `value`: the call's answer and how many bytes were written.
pub fn getsockopt(fd: RawFd, level: c_int, name: c_int, value: &mut [u8]) -> (Answer, usize) {
    let mut len = value.len() as socklen_t;
    let data = value.as_mut_ptr().cast::<c_void>();
    // SAFETY: `value` holds `len` writable bytes and `len` itself is writable.
    let ret = unsafe { libc::getsockopt(fd, level, name, data, &raw mut len) };
    (answer(ret), len as usize)
}
/// The socket's own end.
pub fn local_endpoint(fd: RawFd) -> Option<Endpoint> {
    let mut sin = sockaddr_of(Endpoint::default());
    let mut len = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: `sin` holds `len` writable bytes and `len` itself is writable.
    let ret = unsafe { libc::getsockname(fd, (&raw mut sin).cast(), &raw mut len) };
    let addr = Addr(u32::from_be(sin.sin_addr.s_addr));
    (ret == 0).then(|| Endpoint::new(addr, u16::from_be(sin.sin_port)))
}

// — netlink —

/// A netlink socket of the protocol, in the calling thread's namespace.
pub fn netlink(protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: takes three integers; the descriptor is new and belongs to nobody else.
    unsafe {
        let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol);
        Ok(OwnedFd::from_raw_fd(checked(fd)?))
    }
}

// — packet sockets —

/// A non-blocking packet socket that sees every IPv4 packet of the calling thread's namespace with
/// the kernel's own time of it.
pub fn packet_socket() -> io::Result<OwnedFd> {
    let all = (libc::ETH_P_ALL as u16).to_be();
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // Without a protocol it hears nothing until it is bound.
    // SAFETY: takes three integers; the descriptor is new and belongs to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(checked(libc::socket(libc::AF_PACKET, kind, 0))?) };
    let on: c_int = 1;
    setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on.to_ne_bytes())
        .map_err(io::Error::from_raw_os_error)?;
    // Only for all protocols does it hear what leaves.
    // SAFETY: sockaddr_ll is plain data; then a valid address with its length.
    unsafe {
        let mut to: libc::sockaddr_ll = zeroed();
        to.sll_family = libc::AF_PACKET as _;
        to.sll_protocol = all;
        checked(libc::bind(fd.as_raw_fd(), (&raw const to).cast(), size_of_val(&to) as _))?;
    }
    Ok(fd)
}

/// A packet as a packet socket shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Its bytes, at the front of the buffer.
    pub len: usize,
    /// CLOCK_REALTIME when it passed the kernel's tap; 0 if the kernel did not say.
    pub at_ns: u64,
    /// Did this host send it?
    pub outgoing: bool,
}

/// The next packet, if there is one.
pub fn receive_packet(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Packet>> {
    // SAFETY: all these are plain data, for which all zeroes is a valid value.
    let (mut from, mut message): (libc::sockaddr_ll, libc::msghdr) =
        unsafe { (zeroed(), zeroed()) };
    let mut control = [0_u64; 16];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = size_of_val(&from) as _;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: every pointer of `message` leads to something that lives and is as long as it says.
    let n = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) };
    if n < 0 {
        let why = io::Error::last_os_error();
        return if why.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(why) };
    }
    let mut at_ns = 0;
    // SAFETY: the kernel has filled `control` with well-formed messages; a timestamp's is a timespec.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            let kind = ((*header).cmsg_level, (*header).cmsg_type);
            if kind == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                let at = libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned();
                at_ns = at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64;
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    let outgoing = from.sll_pkttype == libc::PACKET_OUTGOING;
    Ok(Some(Packet { len: n as usize, at_ns, outgoing }))
}

/// CLOCK_REALTIME in nanoseconds.
pub fn realtime_ns() -> u64 {
    // SAFETY: `ts` is a valid place for one timespec and the clock exists on every Linux.
    let ts = unsafe {
        let mut ts: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut ts);
        ts
    };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

// — signals —

extern "C" fn ignore(_signal: c_int) {}

/// Lets [`interrupt`] break a blocking call: SIGUSR1 does nothing but make it return EINTR.
pub fn prepare_interrupts() {
    // SAFETY: the handler touches nothing; sigaction is plain data; no SA_RESTART on purpose.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = ignore as extern "C" fn(c_int) as usize;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
}
/// Breaks the blocking call of a thread that has not been joined yet.
pub fn interrupt(thread: RawPthread) {
    // SAFETY: the caller still holds the thread's JoinHandle, so the id is valid.
    unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
}
/// Blocks SIGINT and SIGTERM in this thread and those that it starts, so that
/// [`wait_for_signal`] gets them.
pub fn block_termination() {
    // SAFETY: `set` is a valid place for a signal set.
    unsafe {
        let set = termination();
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}
/// Waits for SIGINT or SIGTERM and gives its number.
pub fn wait_for_signal() -> c_int {
    let mut signal = 0;
    // SAFETY: a valid set and a valid place for the number.
    unsafe {
        let set = termination();
        libc::sigwait(&raw const set, &raw mut signal);
    }
    signal
}
/// Sends a signal to a process group of which the caller has started the leader.
pub fn signal_group(leader: u32, signal: c_int) {
    if let Ok(leader) = c_int::try_from(leader)
        && leader > 1
    {
        // SAFETY: takes two integers.
        unsafe { libc::kill(-leader, signal) };
    }
}
fn termination() -> libc::sigset_t {
    // SAFETY: sigset_t is plain data that sigemptyset initialises.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        set
    }
}
