//! Socket options of the model as the numbers and bytes that setsockopt() takes.

use finwait_model::kernel::{OptName, SockOpt};
use libc::{IPPROTO_TCP, SOL_SOCKET, c_int};

/// Level, name and bytes of an option with its value.
pub fn encode(opt: SockOpt) -> (c_int, c_int, Vec<u8>) {
    use SockOpt as O;
    let int = |level, name, value: i32| (level, name, value.to_ne_bytes().to_vec());
    match opt {
        O::ReuseAddr(on) => int(SOL_SOCKET, libc::SO_REUSEADDR, on.into()),
        O::ReusePort(on) => int(SOL_SOCKET, libc::SO_REUSEPORT, on.into()),
        O::Linger(seconds) => {
            let on = i32::from(seconds.is_some());
            let mut bytes = on.to_ne_bytes().to_vec();
            bytes.extend(seconds.unwrap_or(0).to_ne_bytes());
            (SOL_SOCKET, libc::SO_LINGER, bytes)
        }
        O::RcvBuf(n) => int(SOL_SOCKET, libc::SO_RCVBUF, n as i32),
        O::SndBuf(n) => int(SOL_SOCKET, libc::SO_SNDBUF, n as i32),
        O::KeepAlive(on) => int(SOL_SOCKET, libc::SO_KEEPALIVE, on.into()),
        O::RcvLowat(n) => int(SOL_SOCKET, libc::SO_RCVLOWAT, n as i32),
        O::NoDelay(on) => int(IPPROTO_TCP, libc::TCP_NODELAY, on.into()),
        O::Cork(on) => int(IPPROTO_TCP, libc::TCP_CORK, on.into()),
        O::QuickAck(n) => int(IPPROTO_TCP, libc::TCP_QUICKACK, n),
        O::Linger2(n) => int(IPPROTO_TCP, libc::TCP_LINGER2, n),
        O::DeferAccept(n) => int(IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, n),
        O::UserTimeout(n) => int(IPPROTO_TCP, libc::TCP_USER_TIMEOUT, n as i32),
        O::KeepIdle(n) => int(IPPROTO_TCP, libc::TCP_KEEPIDLE, n),
        O::KeepIntvl(n) => int(IPPROTO_TCP, libc::TCP_KEEPINTVL, n),
        O::KeepCnt(n) => int(IPPROTO_TCP, libc::TCP_KEEPCNT, n),
        O::MaxSeg(n) => int(IPPROTO_TCP, libc::TCP_MAXSEG, n),
        O::SynCnt(n) => int(IPPROTO_TCP, libc::TCP_SYNCNT, n),
        O::WindowClamp(n) => int(IPPROTO_TCP, libc::TCP_WINDOW_CLAMP, n),
    }
}

/// Level and name of an option that holds an integer.
pub const fn number(name: OptName) -> (c_int, c_int) {
    use OptName as O;
    match name {
        O::ReuseAddr => (SOL_SOCKET, libc::SO_REUSEADDR),
        O::ReusePort => (SOL_SOCKET, libc::SO_REUSEPORT),
        O::Error => (SOL_SOCKET, libc::SO_ERROR),
        O::RcvBuf => (SOL_SOCKET, libc::SO_RCVBUF),
        O::SndBuf => (SOL_SOCKET, libc::SO_SNDBUF),
        O::KeepAlive => (SOL_SOCKET, libc::SO_KEEPALIVE),
        O::RcvLowat => (SOL_SOCKET, libc::SO_RCVLOWAT),
        O::NoDelay => (IPPROTO_TCP, libc::TCP_NODELAY),
        O::Cork => (IPPROTO_TCP, libc::TCP_CORK),
        O::QuickAck => (IPPROTO_TCP, libc::TCP_QUICKACK),
        O::Linger2 => (IPPROTO_TCP, libc::TCP_LINGER2),
        O::DeferAccept => (IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
        O::UserTimeout => (IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
        O::KeepIdle => (IPPROTO_TCP, libc::TCP_KEEPIDLE),
        O::KeepIntvl => (IPPROTO_TCP, libc::TCP_KEEPINTVL),
        O::KeepCnt => (IPPROTO_TCP, libc::TCP_KEEPCNT),
        O::MaxSeg => (IPPROTO_TCP, libc::TCP_MAXSEG),
        O::SynCnt => (IPPROTO_TCP, libc::TCP_SYNCNT),
        O::WindowClamp => (IPPROTO_TCP, libc::TCP_WINDOW_CLAMP),
    }
}
