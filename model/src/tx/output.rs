//! Sending what is queued: window, congestion window, Nagle, the probe timer.
//! `[tcp_write_xmit]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::seq::Seq;
use crate::sink::{Cx, Sink};
use crate::skb::{self, Skb};
use crate::sock::{Ca, Pending, Sock};
use crate::table::slab::{SkbId, SockId};

/// How hard to push a small segment. `[TCP_NAGLE_*]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nagle {
    /// As the socket's options say.
    Socket,
    /// A small segment waits until it is full (TCP_CORK, MSG_MORE).
    Cork,
    /// Nothing waits.
    Off,
}

/// How much to send. `[tcp_write_xmit]`'s `push_one`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Burst {
    /// All that may go.
    All,
    /// The head of the queue, if it may go.
    One,
    /// One segment, whatever the congestion window says: a tail loss probe.
    Probe,
}

impl Kernel {
    /// Sends what may go; if nothing may and nothing is out, the window is probed.
    /// `[__tcp_push_pending_frames]`
    pub(crate) fn push_pending(&mut self, id: SockId, nagle: Nagle, cx: &mut Cx<'_, impl Sink>) {
        if self.socks[id].unsent.is_empty() {
            return;
        }
        self.write_xmit(id, nagle, Burst::All, cx);
        let sk = &self.socks[id];
        // [tcp_check_probe_timer]
        if sk.packets_out == 0 && !sk.unsent.is_empty() && sk.pending == Pending::None {
            let when = self.probe_base(id);
            self.reset_xmit_timer(id, Pending::Probe, when, cx.now);
        }
    }

    /// `[tcp_write_xmit]`
    pub(crate) fn write_xmit(
        &mut self,
        id: SockId,
        nagle: Nagle,
        burst: Burst,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let (mut sent, mut begins_rto) = (false, false);
        while let Some(skb) = self.socks[id].unsent.head() {
            let sk = &self.socks[id];
            // [tcp_cwnd_test]
            let quota = match sk.snd_cwnd.saturating_sub(sk.in_flight()) {
                0 if burst == Burst::Probe => 1,
                0 => break,
                n if self.behaviour.bursts_half_of_cwnd => n.min((sk.snd_cwnd / 2).max(1)),
                n => n,
            };
            self.grow_head(id, quota);
            let Some(limit) = self.send_limit(id, skb, quota, nagle) else { break };
            if self.skbs[skb].len() > limit {
                self.socks[id].unsent.split(&mut self.skbs, skb, limit);
            }
            let cause = if self.skbs[skb].flags.fin() { Cause::Fin } else { Cause::Data };
            self.skbs[skb].unit = self.current_mss(id) as u16;
            self.transmit_queued(id, skb, cause, cx);
            begins_rto |= self.new_data_sent(id);
            if self.socks[id].ca == Ca::Recovery {
                self.socks[id].rare_mut().prr_out += self.skbs[skb].segments();
            }
            self.minshall_update(id, skb);
            sent = true;
            if burst != Burst::All {
                break;
            }
        }
        if sent {
            // The kernel arms the RTO and, at the same instant, the probe in its place.
            let probes = burst != Burst::Probe && self.schedule_loss_probe(id, false, cx);
            if begins_rto && !probes {
                self.rearm_rto(id, cx);
            }
            self.validate_cwnd(id);
        }
    }

    /// Is the congestion window in use, or larger than the program needs? `[tcp_cwnd_validate]`
    fn validate_cwnd(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        let limited = sk.in_flight() >= sk.snd_cwnd;
        if !sk.snd_una.before(sk.cwnd_usage_seq)
            || limited
            || (!sk.cwnd_limited && sk.packets_out > sk.max_packets_out)
        {
            sk.cwnd_limited = limited;
            sk.max_packets_out = sk.packets_out;
            sk.cwnd_usage_seq = sk.snd_nxt;
        }
    }

    /// The head of the queue takes from the pieces behind it what one burst still has room for.
    /// `[tcp_grow_skb]`
    fn grow_head(&mut self, id: SockId, quota: u32) {
        if !self.behaviour.grows_pieces_when_sent {
            return;
        }
        let Some(head) = self.socks[id].unsent.head() else { return };
        let Some(behind) = skb::next(&self.skbs, head) else { return };
        let mss = self.current_mss(id);
        let most = mss * quota.min(self.burst_segments(id, mss));
        let Some(room) = most.checked_sub(self.skbs[head].len()).filter(|&room| room > 0) else {
            return;
        };
        let piece = self.skbs[behind];
        let taken = room.min(piece.len());
        if taken == 0 {
            return;
        }
        if taken < piece.len() {
            self.skbs[head].end_seq += taken;
            self.skbs[behind].seq += taken;
        } else {
            self.skbs[head].end_seq = piece.end_seq;
            self.skbs[head].flags |= piece.flags;
            self.socks[id].unsent.remove_next(&mut self.skbs, head);
        }
    }

    /// How many payload bytes of the next piece may go now; `None`: nothing may.
    fn send_limit(&self, id: SockId, skb: SkbId, quota: u32, nagle: Nagle) -> Option<u32> {
        let sk = &self.socks[id];
        let skb = &self.skbs[skb];
        let mss = self.current_mss(id);
        let edge = sk.wnd_end();
        if !fits_window(skb, mss, edge) {
            return None;
        }
        let is_last = sk.unsent.tail() == sk.unsent.head();
        if skb.len() <= mss {
            let partial = skb.len() < mss && !skb.flags.fin();
            let held = is_last && partial && nagle_holds(sk, nagle);
            return (!held).then_some(mss);
        }
        // [tcp_mss_split_point]
        let (window, most) = (edge - skb.seq, mss * quota.min(self.burst_segments(id, mss)));
        if most <= window && !is_last {
            return Some(most);
        }
        let needed = skb.len().min(window);
        if most <= needed {
            return Some(most);
        }
        let partial = needed % mss;
        if partial != 0 && nagle_holds(sk, nagle) { Some(needed - partial) } else { Some(needed) }
    }

    /// Is there something unsent that the peer's window has room for? `[tcp_snd_wnd_test]`
    pub(crate) fn window_lets_head_go(&self, id: SockId) -> bool {
        let edge = self.socks[id].wnd_end();
        let mss = self.current_mss(id);
        self.socks[id].unsent.head().is_some_and(|head| fits_window(&self.skbs[head], mss, edge))
    }

    /// The head of the unsent pieces has gone: it now waits for its ACK. True if the caller must
    /// put the RTO in place. `[tcp_event_new_data_sent]`
    #[must_use]
    pub(crate) fn new_data_sent(&mut self, id: SockId) -> bool {
        let sk = &mut self.socks[id];
        let Some(skb) = sk.unsent.pop(&self.skbs) else { return false };
        sk.rtx.push(&mut self.skbs, skb);
        let piece = self.skbs[skb];
        let segments = piece.segments();
        let prior = sk.packets_out;
        sk.snd_nxt = piece.end_seq;
        sk.packets_out += segments;
        if !piece.flags.syn() {
            self.counters.add(Mib::TCPOrigDataSent, u64::from(segments));
        }
        prior == 0 || self.socks[id].pending == Pending::LossProbe
    }

    /// Remembers a small segment, for Nagle. What a zero-window probe sends is not remembered.
    /// `[tcp_minshall_update]`
    fn minshall_update(&mut self, id: SockId, skb: SkbId) {
        let piece = self.skbs[skb];
        if piece.len() < piece.segments() * u32::from(piece.unit) {
            self.socks[id].snd_sml = piece.end_seq;
        }
    }

    /// Arms the tail loss probe instead of the RTO, if the connection is fit for it.
    /// `[tcp_schedule_loss_probe]`
    pub(crate) fn schedule_loss_probe(
        &mut self,
        id: SockId,
        advancing: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> bool {
        let sk = &self.socks[id];
        let fit = matches!(self.sysctl.tcp_early_retrans, 3 | 4)
            && sk.packets_out > 0
            && sk.sack_ok
            && sk.ca == Ca::Open;
        let wheel = self.behaviour.probes_tail_of_bare_fin;
        if !fit || (!wheel && sk.srtt_us == 0) {
            return false;
        }
        let one_out = sk.packets_out == 1;
        let timeout_us = if !wheel {
            // 3.10: 2 srtt, or 1.5 srtt + 200 ms with one segment out; 10 ms at least.
            let rtt = u64::from(sk.srtt_us >> 3);
            let one = if one_out { rtt + rtt / 2 + 200_000 } else { 0 };
            (2 * rtt).max(one).max(10_000)
        } else if sk.srtt_us == 0 {
            1_000_000
        } else {
            let extra = if one_out { self.clock.to_micros(self.rto_min()) } else { 2_000 };
            u64::from(sk.srtt_us >> 2) + extra
        };
        let rto_us = if advancing {
            self.clock.to_micros(crate::time::Jiffies(u64::from(sk.rto))) as i64
        } else {
            self.rto_delta_us(id, cx.now)
        };
        let timeout_us = if rto_us > 0 { timeout_us.min(rto_us as u64) } else { timeout_us };
        let when = self.clock.from_micros(timeout_us);
        self.reset_xmit_timer(id, Pending::LossProbe, when, cx.now);
        true
    }

    /// What fits a segment now: the MSS less the SACK blocks that go with it.
    /// `[tcp_current_mss]`
    pub(crate) fn current_mss(&self, id: SockId) -> u32 {
        let sk = &self.socks[id];
        let blocks =
            sk.ofo.as_ref().map_or(0, |o| o.sacks.len()) + usize::from(sk.rare().dsack.is_some());
        let blocks = blocks.min(if sk.tstamp_ok { 3 } else { 4 }) as u32;
        let sack_bytes = if blocks > 0 { 4 + 8 * blocks } else { 0 };
        u32::from(sk.mss_cache) - sack_bytes
    }

    /// How many segments go out as one burst: a millisecond's worth at twice the connection's
    /// rate, more on a short path, two at least. `[tcp_tso_autosize]`,
    /// `[tcp_update_pacing_rate]`
    fn burst_segments(&self, id: SockId, mss: u32) -> u32 {
        let sk = &self.socks[id];
        if sk.srtt_us == 0 {
            return 44;
        }
        let window = u64::from(sk.snd_cwnd.max(sk.packets_out));
        let percent = if sk.snd_cwnd < sk.snd_ssthresh / 2 { 200 } else { 120 };
        let per_srtt = u64::from(sk.mss_cache) * 80_000 * percent * window;
        let mut bytes = (per_srtt / u64::from(sk.srtt_us)) >> 10;
        let shift = sk.min_rtt_us >> 9;
        if shift < 32 {
            bytes += 65536 >> shift;
        }
        (bytes / u64::from(mss.max(1))).clamp(2, 44) as u32
    }

    /// The MSS to send with, from the peer's MSS, the path and the peer's window.
    /// `[tcp_sync_mss]`
    pub(crate) fn sync_mss(&mut self, id: SockId) {
        let path = u32::from(self.mtu) - 40;
        let sk = &mut self.socks[id];
        let options = sk.header_len() - 20;
        let mut mss = path.min(u32::from(sk.mss_clamp)).max(48) - options;
        let half = if sk.max_window > 536 { sk.max_window / 2 } else { sk.max_window };
        if half > 0 && mss > half {
            mss = half.max(68 - sk.header_len());
        }
        sk.mss_cache = mss as u16;
    }
}

/// Does the piece, or its first segment, end within the peer's window? `[tcp_snd_wnd_test]`
fn fits_window(skb: &Skb, mss: u32, edge: Seq) -> bool {
    let end = if skb.len() > mss { skb.seq + mss } else { skb.end_seq };
    !end.after(edge)
}

/// Does a small segment wait? `[tcp_nagle_check]` with Minshall's rule.
fn nagle_holds(sk: &Sock, nagle: Nagle) -> bool {
    match nagle {
        Nagle::Off => false,
        Nagle::Cork => true,
        Nagle::Socket if sk.opt.cork => true,
        Nagle::Socket if sk.opt.no_delay => false,
        Nagle::Socket => sk.packets_out > 0 && minshall(sk.snd_sml, sk.snd_una, sk.snd_nxt),
    }
}

/// Is a small segment out and not acknowledged? `[tcp_minshall_check]`
fn minshall(sml: Seq, una: Seq, nxt: Seq) -> bool {
    sml.after(una) && !sml.after(nxt)
}
