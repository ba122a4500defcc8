//! What leaves: a segment is built from a socket here, and nowhere else. `[__tcp_transmit_skb]`

mod ack;
mod fin;
mod output;
mod reset;
mod retransmit;
mod window;
mod write;

pub(crate) use output::Nagle;
pub(crate) use window::{full_space, initial_window, wscale_for};

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::{Flags, Options, Segment, Timestamp};
use crate::seq::Seq;
use crate::sink::{Cx, Sink};
use crate::skb::Skb;
use crate::table::slab::{SkbId, SockId};
use crate::time::Instant;

impl Kernel {
    /// The one place where a segment leaves the host.
    #[inline]
    pub(crate) fn emit(&mut self, seg: &Segment, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        debug_assert_eq!(cause.is_reset(), seg.flags.rst(), "{} sends {}", cause.name(), seg.flags);
        self.counters.note_sent(cause);
        cx.sink.transmit(seg, cause);
    }

    /// A segment of a socket: window, options and acknowledgement come from it.
    /// `[__tcp_transmit_skb]`
    pub(crate) fn transmit(
        &mut self,
        id: SockId,
        skb: &Skb,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let win = if skb.flags.syn() {
            self.socks[id].rcv_wnd.min(65535) as u16
        } else {
            self.select_window(id)
        };
        let options = self.segment_options(id, skb.flags, cx.now);
        let jiffies = self.clock.jiffies(cx.now);
        let mss = u32::from(skb.unit).max(1);
        let count = if skb.flags.syn() { 1 } else { skb.segments() };
        if skb.flags.ack() {
            self.behaviour_event_ack_sent(id, count);
        }
        let sk = &mut self.socks[id];
        let len = skb.len();
        if len > 0 {
            sk.data_segs_out += count;
            // A reply within ato of the last payload makes the socket interactive.
            // [tcp_event_data_sent]
            sk.lsndtime = jiffies.stamp();
            if jiffies.since(sk.ack.lrcvtime).0 < u64::from(sk.ack.ato) {
                sk.ack.pingpong = sk.ack.pingpong.saturating_add(1);
            }
        }
        if skb.end_seq.after(sk.snd_nxt) || skb.seq == skb.end_seq {
            self.counters.add(Mib::OutSegs, u64::from(count));
        }
        let sk = &mut self.socks[id];
        sk.segs_out += count;
        let (flow, ack) = (sk.flow, if skb.flags.ack() { sk.rcv_nxt } else { Seq(0) });
        // A burst goes out as one piece that is cut later: only its end carries PSH and FIN, and
        // PSH is set there whatever the program said.
        let last = if count > 1 { skb.flags.with(Flags::PSH) } else { skb.flags };
        let middle = skb.flags.without(Flags::PSH | Flags::FIN);
        for n in 0..count {
            let part = if n + 1 == count { len - n * mss } else { mss };
            let seg = Segment {
                flow,
                seq: skb.seq + n * mss,
                ack,
                len: part as u16,
                win,
                flags: if n + 1 == count { last } else { middle },
                options,
            };
            self.emit(&seg, cause, cx);
        }
    }

    /// Sends what `skb` holds and stamps it. `clone` of a queued piece, as the kernel says.
    pub(crate) fn transmit_queued(
        &mut self,
        id: SockId,
        skb: SkbId,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.skbs[skb].sent_us = self.clock.micros(cx.now);
        let copy = self.skbs[skb];
        self.transmit(id, &copy, cause, cx);
    }

    /// An ACK went out with this segment. `[tcp_event_ack_sent]`
    fn behaviour_event_ack_sent(&mut self, id: SockId, segments: u32) {
        let only_acks = self.behaviour.clears_quick_only_for_acks;
        let ack = &mut self.socks[id].ack;
        if ack.quick > 0 {
            let used = if only_acks { u32::from(ack.scheduled) } else { segments };
            if used >= u32::from(ack.quick) {
                ack.quick = 0;
                ack.ato = self.ato_min;
            } else {
                ack.quick -= used as u8;
            }
        }
        ack.scheduled = false;
        ack.timer = false;
        ack.pushed = false;
        ack.pushed2 = false;
        ack.now = false;
        ack.why = None;
    }

    /// Timestamps and SACK blocks of an ordinary segment, or the options of a SYN.
    /// `[tcp_established_options]`, `[tcp_syn_options]`
    fn segment_options(&mut self, id: SockId, flags: Flags, now: Instant) -> Options {
        let val = self.timestamp(self.socks[id].ts_offset, now);
        let sk = &mut self.socks[id];
        let mut options = Options::default();
        if flags.syn() {
            // A simultaneous open's SYN-ACK offers again what the SYN did.
            options.mss = Some(sk.advmss);
            if self.sysctl.tcp_timestamps != 0 {
                options.ts = Some(Timestamp { val, ecr: sk.ts_recent });
            }
            options.sack_permitted = self.sysctl.tcp_sack != 0;
            options.wscale = (self.sysctl.tcp_window_scaling != 0).then_some(sk.rcv_wscale);
            return options;
        }
        if sk.tstamp_ok {
            options.ts = Some(Timestamp { val, ecr: sk.ts_recent });
        }
        let room = if sk.tstamp_ok { 3 } else { 4 };
        let blocks = sk
            .take_dsack()
            .into_iter()
            .chain(sk.ofo.as_ref().map_or(&[][..], |o| &o.sacks).iter().copied());
        for block in blocks.take(room) {
            options.sack[usize::from(options.sack_count)] = block;
            options.sack_count += 1;
        }
        options
    }

    /// Our timestamp clock with a connection's offset. `[tcp_time_stamp_ts]`
    pub(crate) fn timestamp(&self, offset: u32, now: Instant) -> u32 {
        let by_millis = self.behaviour.random_timestamp_offset;
        crate::track::stamp_clock(self.clock, by_millis, now).wrapping_add(offset)
    }
}
