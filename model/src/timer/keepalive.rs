//! Keepalive, and FIN_WAIT2 of an orphan that waits longer than a bucket may.
//! `[tcp_keepalive_timer]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::errno::Errno;
use crate::kernel::Kernel;
use crate::sink::{Cx, Sink, SockEnd, TimerKind};
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::{Instant, Jiffies};
use crate::timer::Kind;

impl Kernel {
    pub(crate) fn keepalive_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let sk = &self.socks[id];
        if sk.state == TcpState::FinWait2 && sk.dead {
            self.note_timer(id, TimerKind::FinWait2, cx);
            return self.fin_wait2_timer(id, cx);
        }
        let open = sk.opt.keep_alive && !matches!(sk.state, TcpState::Close | TcpState::SynSent);
        if !open {
            return;
        }
        self.note_timer(id, TimerKind::Keepalive, cx);
        let mut next = self.keepalive_time(id);
        let sk = &self.socks[id];
        if sk.packets_out == 0 && sk.unsent.is_empty() {
            let idle = self.keepalive_idle(id, cx.now);
            if idle < next {
                next = next - idle;
            } else {
                if self.keepalive_is_over(id, idle) {
                    self.send_active_reset(id, Cause::RstKeepalive, cx);
                    self.socks[id].err = Some(self.socks[id].err_soft.unwrap_or(Errno::ETIMEDOUT));
                    self.purge_write_queue(id);
                    self.tcp_done(id, SockEnd::Aborted(Cause::RstKeepalive), cx);
                    self.counters.inc(Mib::TCPAbortOnTimeout);
                    return;
                }
                self.write_wakeup(id, Mib::TCPKeepAlive, Cause::ProbeKeepalive, cx);
                self.socks[id].probes_out = self.socks[id].probes_out.saturating_add(1);
                next = self.keepalive_interval(id);
            }
        }
        self.reset_keepalive_timer(id, next, cx.now);
    }

    /// The orphan's FIN_WAIT2 has waited: what is left of it goes to a bucket, or it is reset.
    fn fin_wait2_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        if self.socks[id].rare().opt.linger2 >= 0 {
            let rest = self.fin_time(id) - self.clock.from_secs(60).0 as i64;
            if rest > 0 {
                return self.time_wait(id, TcpState::FinWait2, Jiffies(rest as u64), cx);
            }
        }
        self.send_active_reset(id, Cause::RstFinWait2Timer, cx);
        self.tcp_done(id, SockEnd::Aborted(Cause::RstFinWait2Timer), cx);
    }

    /// `[tcp_reset_keepalive_timer]`
    pub(crate) fn reset_keepalive_timer(&mut self, id: SockId, after: Jiffies, now: Instant) {
        let now = self.clock.jiffies(now);
        self.arm(id, Kind::Keepalive, now, now + after);
    }

    fn keepalive_is_over(&self, id: SockId, idle: Jiffies) -> bool {
        let sk = &self.socks[id];
        let user = u64::from(sk.rare().opt.user_timeout);
        if user > 0 {
            return idle >= self.clock.from_millis(user) && sk.probes_out > 0;
        }
        let most = match sk.rare().opt.keep_cnt {
            0 => self.sysctl.tcp_keepalive_probes as u32,
            n => u32::from(n),
        };
        u32::from(sk.probes_out) >= most
    }

    /// Time since the peer was heard last. `[keepalive_time_elapsed]`
    pub(crate) fn keepalive_idle(&self, id: SockId, now: Instant) -> Jiffies {
        let sk = &self.socks[id];
        let now = self.clock.jiffies(now);
        now.since(sk.ack.lrcvtime).min(now.since(sk.rcv_tstamp))
    }
    /// `[keepalive_time_when]`
    pub(crate) fn keepalive_time(&self, id: SockId) -> Jiffies {
        self.clock.from_secs(match self.socks[id].rare().opt.keep_idle {
            0 => self.sysctl.tcp_keepalive_time as u64,
            n => u64::from(n),
        })
    }
    fn keepalive_interval(&self, id: SockId) -> Jiffies {
        self.clock.from_secs(match self.socks[id].rare().opt.keep_intvl {
            0 => self.sysctl.tcp_keepalive_intvl as u64,
            n => u64::from(n),
        })
    }
}
