//! Zero-window probes. `[tcp_probe_timer]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::Flags;
use crate::sink::{Cx, Sink};
use crate::skb::Skb;
use crate::sock::Pending;
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::{Instant, Jiffies};

impl Kernel {
    /// Nothing is out, something waits, and the window is shut. `[tcp_probe_timer]`
    pub(crate) fn probe_timer(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let sk = &mut self.socks[id];
        if sk.packets_out > 0 || sk.unsent.is_empty() {
            sk.probes_out = 0;
            sk.stop_probing();
            return;
        }
        let now_ms = (self.clock.millis(cx.now) as u32).max(1);
        let mut over = false;
        if sk.rare().probes_stamp == 0 {
            sk.rare_mut().probes_stamp = now_ms;
        } else if sk.rare().opt.user_timeout > 0 {
            over = now_ms.wrapping_sub(sk.rare().probes_stamp) >= sk.rare().opt.user_timeout;
        }
        let mut most = self.sysctl.tcp_retries2 as u32;
        if self.socks[id].dead {
            let alive = self.probe_when(id) < self.rto_max();
            most = self.orphan_retries(id, alive);
            over |= !alive && u32::from(self.socks[id].backoff) >= most;
            if !over && self.out_of_resources(id, true, cx) {
                return;
            }
        }
        let out = u32::from(self.socks[id].probes_out);
        over |= if self.behaviour.probes_die_at_limit { out >= most } else { out > most };
        if over { self.write_error(id, cx) } else { self.send_probe(id, cx) }
    }

    /// `[tcp_send_probe0]`
    fn send_probe(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        self.write_wakeup(id, Mib::TCPWinProbe, Cause::ProbeZeroWindow, cx);
        let limit = self.sysctl.tcp_retries2.clamp(0, 255) as u8;
        let sk = &mut self.socks[id];
        if sk.packets_out > 0 || sk.unsent.is_empty() {
            sk.probes_out = 0;
            sk.backoff = 0;
            sk.stop_probing();
            return;
        }
        sk.probes_out = sk.probes_out.saturating_add(1);
        if sk.backoff < limit {
            sk.backoff += 1;
        }
        let when = self.clamp_probe(id, self.probe_when(id), cx.now);
        self.reset_xmit_timer(id, Pending::Probe, when, cx.now);
    }

    /// A piece that fits a partly open window, or an empty segment below the window that asks
    /// for an ACK. `[tcp_write_wakeup]`
    pub(crate) fn write_wakeup(
        &mut self,
        id: SockId,
        mib: Mib,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let sk = &self.socks[id];
        if sk.state == TcpState::Close {
            return;
        }
        let edge = sk.wnd_end();
        if let Some(head) = sk.unsent.head().filter(|&h| self.skbs[h].seq.before(edge)) {
            let mss = self.current_mss(id);
            let piece = self.skbs[head];
            let sk = &mut self.socks[id];
            sk.pushed_seq = sk.pushed_seq.later(piece.end_seq);
            let room = edge - piece.seq;
            if room < piece.end_seq - piece.seq || piece.len() > mss {
                sk.unsent.split(&mut self.skbs, head, room.min(mss));
            }
            self.skbs[head].flags |= Flags::PSH;
            self.skbs[head].unit = mss as u16;
            let cause = if self.skbs[head].flags.fin() { Cause::Fin } else { Cause::Data };
            self.transmit_queued(id, head, cause, cx);
            if self.new_data_sent(id) {
                self.rearm_rto(id, cx);
            }
            return;
        }
        if self.behaviour.counts_every_timeout {
            self.counters.inc(mib);
        }
        let seq = self.socks[id].snd_una - 1;
        self.transmit(id, &Skb::new(seq, 0, Flags::ACK), cause, cx);
    }

    /// A probe's delay, or what is left of TCP_USER_TIMEOUT.
    /// `[tcp_clamp_probe0_to_user_timeout]`
    pub(crate) fn clamp_probe(&self, id: SockId, when: Jiffies, now: Instant) -> Jiffies {
        let sk = &self.socks[id];
        let user = u64::from(sk.rare().opt.user_timeout);
        if user == 0 || !self.behaviour.counts_every_timeout {
            return when;
        }
        let since = if sk.rare().probes_stamp == 0 {
            0
        } else {
            self.millis_since(sk.rare().probes_stamp, now)
        };
        let left = self.clock.from_millis(user.saturating_sub(since));
        when.min(left.max(Jiffies(2)))
    }

    /// The first probe's delay. `[tcp_probe0_base]`
    pub(crate) fn probe_base(&self, id: SockId) -> Jiffies {
        Jiffies(u64::from(self.socks[id].rto)).max(self.rto_min())
    }
    /// The next probe's delay. `[tcp_probe0_when]`
    pub(crate) fn probe_when(&self, id: SockId) -> Jiffies {
        let max = self.rto_max();
        let most = (max.0 / self.rto_min().0.max(1)).max(1).ilog2() + 1;
        let backoff = u32::from(self.socks[id].backoff).min(most);
        Jiffies(self.probe_base(id).0 << backoff).min(max)
    }
}
