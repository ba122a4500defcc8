//! What a program writes: pieces for the send queue, and the memory they take.
//! `[tcp_sendmsg_locked]`

use crate::kernel::Kernel;
use crate::segment::Flags;
use crate::sink::{Cx, Sink};
use crate::skb::Skb;
use crate::table::slab::SockId;
use crate::tx::output::{Burst, Nagle};

/// Memory that a piece takes beside its payload, bytes: `sk_buff`, head and `skb_shared_info` as
/// `SKB_TRUESIZE` adds them on a 64-bit 6.18 (measured with `ss -m`).
const OVERHEAD: u32 = 832;
/// What `[tcp_sndbuf_expand]` adds to the MSS before it rounds up to a power of two:
/// `MAX_TCP_HEADER` and `skb_shared_info`; and behind that `sk_buff`.
const HEAD: u32 = 576;
const SK_BUFF: u32 = 256;

impl Kernel {
    /// Queues bytes of the program's, in pieces as large as one burst may be, until the send buffer
    /// is full, and sends what may go on the way. How many it took.
    pub(crate) fn write(
        &mut self,
        id: SockId,
        len: u32,
        more: bool,
        cx: &mut Cx<'_, impl Sink>,
    ) -> u32 {
        let goal = self.size_goal(id);
        let mut left = len;
        while left > 0 {
            let tail = self.socks[id].unsent.tail();
            let tail = tail.filter(|&t| self.skbs[t].len() < goal);
            let Some(skb) = tail.or_else(|| self.new_piece(id)) else { break };
            let take = left.min(goal - self.skbs[skb].len());
            let piece = &mut self.skbs[skb];
            piece.end_seq += take;
            // What is appended first takes an earlier PSH back.
            piece.flags = piece.flags.without(Flags::PSH);
            self.socks[id].write_seq += take;
            left -= take;
            if left == 0 {
                break;
            }
            if self.push_is_forced(id) {
                self.mark_push(id);
                self.push_pending(id, Nagle::Off, cx);
            } else if self.socks[id].unsent.head() == Some(skb) {
                self.write_xmit(id, Nagle::Off, Burst::One, cx); // [tcp_push_one]
            }
        }
        let full = left > 0;
        if left < len {
            // [tcp_push]
            if full || !more || self.push_is_forced(id) {
                self.mark_push(id);
            }
            let nagle = match (full, more) {
                (true, _) => Nagle::Off,
                (false, true) => Nagle::Cork,
                (false, false) => Nagle::Socket,
            };
            self.push_pending(id, nagle, cx);
        }
        self.socks[id].no_space |= full;
        len - left
    }

    /// An empty piece at the end of the queue, if there is memory for it.
    fn new_piece(&mut self, id: SockId) -> Option<crate::table::slab::SkbId> {
        if !self.write_memory_free(id) {
            return None;
        }
        let seq = self.socks[id].write_seq;
        let skb = self.skbs.insert(Skb::new(seq, 0, Flags::ACK));
        self.socks[id].unsent.push(&mut self.skbs, skb);
        Some(skb)
    }

    /// Has more than half of the peer's largest window been written since the last PSH?
    /// `[forced_push]`
    fn push_is_forced(&self, id: SockId) -> bool {
        let sk = &self.socks[id];
        sk.write_seq.after(sk.pushed_seq + (sk.max_window >> 1))
    }

    /// PSH on what is written so far. `[tcp_mark_push]`
    fn mark_push(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        sk.pushed_seq = sk.write_seq;
        if let Some(tail) = sk.unsent.tail() {
            self.skbs[tail].flags |= Flags::PSH;
        }
    }

    /// The largest piece: whole segments, at most half the peer's largest window.
    /// `[tcp_xmit_size_goal]`
    fn size_goal(&self, id: SockId) -> u32 {
        let sk = &self.socks[id];
        let mss = self.current_mss(id).max(1);
        let half = if sk.max_window > 536 { sk.max_window / 2 } else { sk.max_window };
        (half.min(65_000) / mss).max(1) * mss
    }

    /// Bytes of memory that the send queue takes. `[sk_wmem_queued]`
    fn wmem_queued(&self, id: SockId) -> u32 {
        let sk = &self.socks[id];
        let pieces = sk.rtx.iter(&self.skbs).chain(sk.unsent.iter(&self.skbs));
        pieces.map(|skb| OVERHEAD + self.skbs[skb].len()).sum()
    }

    /// May another piece be queued? `[sk_stream_memory_free]`
    pub(crate) fn write_memory_free(&self, id: SockId) -> bool {
        self.wmem_queued(id) < self.socks[id].opt.sndbuf
    }

    /// Is so much free that poll() says so, and who waits is woken? `[__sk_stream_is_writeable]`
    pub(crate) fn is_writeable(&self, id: SockId) -> bool {
        let (queued, sndbuf) = (self.wmem_queued(id), self.socks[id].opt.sndbuf);
        queued < sndbuf && sndbuf - queued >= queued >> 1
    }

    /// The send buffer holds two congestion windows, unless the program has set its size.
    /// `[tcp_sndbuf_expand]`
    pub(crate) fn expand_sndbuf(&mut self, id: SockId) {
        let most = self.sysctl.tcp_wmem[2].max(0).unsigned_abs();
        let reordering = self.dupthresh(id);
        let sk = &mut self.socks[id];
        if sk.opt.sndbuf_locked {
            return;
        }
        let mss = u32::from(sk.mss_clamp.max(sk.mss_cache));
        let piece = (mss + HEAD).next_power_of_two() + SK_BUFF;
        let pieces = sk.snd_cwnd.max(10).max(reordering + 1);
        let wanted = u64::from(piece) * u64::from(pieces) * 2;
        let room = u32::try_from(wanted.min(most)).unwrap_or(u32::MAX);
        sk.opt.sndbuf = sk.opt.sndbuf.max(room);
    }

    /// Room in the send buffer may have come: who waits for it is woken. `[tcp_check_space]`,
    /// `[tcp_new_space]`
    pub(crate) fn check_space(&mut self, id: SockId) {
        if !self.socks[id].no_space {
            return;
        }
        // Who fills the congestion window gets no larger buffer. [tcp_should_expand_sndbuf]
        if self.socks[id].in_flight() < self.socks[id].snd_cwnd {
            self.expand_sndbuf(id);
        }
        if self.is_writeable(id) {
            self.socks[id].no_space = false;
            self.wake(id);
        }
    }
}
