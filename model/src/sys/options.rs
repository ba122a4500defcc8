//! Socket options. `[sk_setsockopt]`, `[do_tcp_setsockopt]`

use crate::cause::Cause;
use crate::errno::Errno;
use crate::kernel::{Fd, Kernel, OptName, SockOpt};
use crate::sink::{Cx, Sink};
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::tx::Nagle;

impl Kernel {
    /// setsockopt(): EINVAL for a value the kernel refuses.
    pub fn setsockopt(
        &mut self,
        fd: Fd,
        opt: SockOpt,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let id = self.sock_of(fd)?;
        let answer = self.set_option(id, opt, cx);
        self.settle(cx);
        answer
    }

    fn set_option(
        &mut self,
        id: SockId,
        opt: SockOpt,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let sk = &mut self.socks[id];
        match opt {
            SockOpt::ReuseAddr(on) => sk.opt.reuse_addr = on,
            SockOpt::ReusePort(on) => sk.opt.reuse_port = on,
            SockOpt::Linger(seconds) => sk.rare_mut().opt.linger = seconds,
            SockOpt::RcvLowat(bytes) => sk.rare_mut().opt.rcv_lowat = bytes.max(1),
            SockOpt::RcvBuf(bytes) => {
                sk.opt.rcvbuf = bytes.saturating_mul(2).max(2304);
                sk.opt.rcvbuf_locked = true;
            }
            SockOpt::SndBuf(bytes) => {
                sk.opt.sndbuf = bytes.saturating_mul(2).max(4608);
                sk.opt.sndbuf_locked = true;
            }
            SockOpt::KeepAlive(on) => self.set_keepalive(id, on, cx),
            SockOpt::NoDelay(on) => {
                sk.opt.no_delay = on;
                if on {
                    self.push_pending(id, Nagle::Off, cx);
                }
            }
            SockOpt::Cork(on) => {
                sk.opt.cork = on;
                if !on {
                    self.push_pending(id, Nagle::Off, cx);
                }
            }
            SockOpt::QuickAck(value) => self.set_quickack(id, value, cx),
            SockOpt::WindowClamp(bytes) => {
                if bytes < 0 || (bytes == 0 && sk.state != TcpState::Close) {
                    return Err(Errno::EINVAL);
                }
                sk.rare_mut().opt.window_clamp =
                    if bytes == 0 { 0 } else { (bytes as u32).max(1152) };
                if bytes > 0 && sk.state != TcpState::Close {
                    sk.window_clamp = sk.rare().opt.window_clamp;
                    sk.rcv_ssthresh = sk.rcv_ssthresh.min(sk.window_clamp);
                }
            }
            SockOpt::UserTimeout(ms) => sk.rare_mut().opt.user_timeout = ms,
            SockOpt::Linger2(seconds) => self.set_linger2(id, seconds),
            SockOpt::DeferAccept(seconds) => {
                sk.rare_mut().opt.defer_accept = secs_to_retrans(seconds)
            }
            SockOpt::MaxSeg(bytes) => {
                if bytes != 0 && !(88..=32767).contains(&bytes) {
                    return Err(Errno::EINVAL);
                }
                sk.rare_mut().opt.max_seg = bytes as u16;
            }
            SockOpt::KeepIdle(s) => return self.set_keepidle(id, s, cx),
            SockOpt::KeepIntvl(s) => sk.rare_mut().opt.keep_intvl = checked(s, 32767)? as u16,
            SockOpt::KeepCnt(n) => sk.rare_mut().opt.keep_cnt = checked(n, 127)? as u8,
            SockOpt::SynCnt(n) => sk.rare_mut().opt.syn_cnt = checked(n, 127)? as u8,
        }
        Ok(())
    }

    /// `[tcp_set_keepalive]`
    fn set_keepalive(&mut self, id: SockId, on: bool, cx: &mut Cx<'_, impl Sink>) {
        let was = core::mem::replace(&mut self.socks[id].opt.keep_alive, on);
        let state = self.socks[id].state;
        if matches!(state, TcpState::Close | TcpState::Listen) {
            return;
        }
        if on && !was {
            let after = self.keepalive_time(id);
            self.reset_keepalive_timer(id, after, cx.now);
        } else if !on {
            self.disarm(id, crate::timer::Kind::Keepalive);
        }
    }

    /// `[tcp_sock_set_keepidle]`
    fn set_keepidle(
        &mut self,
        id: SockId,
        seconds: i32,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        self.socks[id].rare_mut().opt.keep_idle = checked(seconds, 32767)? as u16;
        let sk = &self.socks[id];
        if sk.opt.keep_alive && !matches!(sk.state, TcpState::Close | TcpState::Listen) {
            let idle = self.keepalive_idle(id, cx.now);
            let after = self.keepalive_time(id);
            let left = if after > idle { after - idle } else { crate::time::Jiffies(0) };
            self.reset_keepalive_timer(id, left, cx.now);
        }
        Ok(())
    }

    /// `[tcp_sock_set_quickack]`
    fn set_quickack(&mut self, id: SockId, value: i32, cx: &mut Cx<'_, impl Sink>) {
        let thresh = self.sysctl.tcp_pingpong_thresh.clamp(1, 255) as u8;
        if value == 0 {
            self.socks[id].ack.pingpong = thresh;
            return;
        }
        self.socks[id].ack.pingpong = 0;
        let sk = &mut self.socks[id];
        let open = matches!(sk.state, TcpState::Established | TcpState::CloseWait);
        if open && sk.ack.scheduled {
            sk.ack.pushed = true;
            self.cleanup_rbuf(id, 1, Cause::AckQuickackOption, cx);
            if value & 1 == 0 {
                self.socks[id].ack.pingpong = thresh;
            }
        }
    }

    /// `[do_tcp_setsockopt]`, TCP_LINGER2
    fn set_linger2(&mut self, id: SockId, seconds: i32) {
        let hz = self.clock.hz as i32;
        let limit = if self.behaviour.linger2_may_exceed_sysctl {
            120
        } else {
            self.sysctl.tcp_fin_timeout.clamp(0, 120) as i32
        };
        self.socks[id].rare_mut().opt.linger2 = if seconds < 0 {
            -1
        } else if seconds > limit {
            if self.behaviour.linger2_may_exceed_sysctl { 120 * hz } else { 0 }
        } else {
            seconds * hz
        };
    }

    /// getsockopt().
    pub fn getsockopt(&mut self, fd: Fd, name: OptName) -> Result<i64, Errno> {
        let id = self.sock_of(fd)?;
        let sk = &mut self.socks[id];
        let hz = i64::from(self.clock.hz);
        let (opt, rare) = (sk.opt, sk.rare().opt);
        let or = |set: i64, default: i64| if set == 0 { default } else { set };
        Ok(match name {
            OptName::ReuseAddr => opt.reuse_addr.into(),
            OptName::ReusePort => opt.reuse_port.into(),
            OptName::Error => {
                let error = sk.err.take().or_else(|| sk.err_soft.take());
                error.map_or(0, |e| i64::from(e.number()))
            }
            OptName::RcvBuf => opt.rcvbuf.into(),
            OptName::SndBuf => opt.sndbuf.into(),
            OptName::KeepAlive => opt.keep_alive.into(),
            OptName::RcvLowat => rare.rcv_lowat.into(),
            OptName::NoDelay => opt.no_delay.into(),
            OptName::Cork => opt.cork.into(),
            OptName::QuickAck => (!self.in_pingpong_mode(id)).into(),
            OptName::Linger2 => match rare.linger2 {
                0 => self.sysctl.tcp_fin_timeout,
                n if n < 0 => -1,
                n => i64::from(n) / hz,
            },
            OptName::DeferAccept => retrans_to_secs(rare.defer_accept),
            OptName::UserTimeout => rare.user_timeout.into(),
            OptName::KeepIdle => or(rare.keep_idle.into(), self.sysctl.tcp_keepalive_time),
            OptName::KeepIntvl => or(rare.keep_intvl.into(), self.sysctl.tcp_keepalive_intvl),
            OptName::KeepCnt => or(rare.keep_cnt.into(), self.sysctl.tcp_keepalive_probes),
            OptName::MaxSeg => match sk.state {
                TcpState::Close | TcpState::Listen => or(rare.max_seg.into(), 536),
                TcpState::Established
                | TcpState::SynSent
                | TcpState::SynRecv
                | TcpState::FinWait1
                | TcpState::FinWait2
                | TcpState::TimeWait
                | TcpState::CloseWait
                | TcpState::LastAck
                | TcpState::Closing
                | TcpState::NewSynRecv => sk.mss_cache.into(),
            },
            OptName::SynCnt => or(rare.syn_cnt.into(), self.sysctl.tcp_syn_retries),
            OptName::WindowClamp => sk.window_clamp.into(),
        })
    }
}

/// A value from 1 to `max`; EINVAL outside.
const fn checked(value: i32, max: i32) -> Result<i32, Errno> {
    if value < 1 || value > max { Err(Errno::EINVAL) } else { Ok(value) }
}

/// How many SYN-ACK retransmissions (1 s, doubling) cover so many seconds.
/// `[secs_to_retrans]`
fn secs_to_retrans(seconds: i32) -> u8 {
    let (mut n, mut period, mut timeout) = (0u8, 1i64, 1i64);
    if seconds <= 0 {
        return 0;
    }
    n += 1;
    while i64::from(seconds) > period && n < 255 {
        n += 1;
        timeout = (timeout * 2).min(120);
        period += timeout;
    }
    n
}

/// And back. `[retrans_to_secs]`
fn retrans_to_secs(n: u8) -> i64 {
    let (mut period, mut timeout) = (0i64, 1i64);
    if n == 0 {
        return 0;
    }
    period += 1;
    for _ in 1..n {
        timeout = (timeout * 2).min(120);
        period += timeout;
    }
    period
}
