//! What a receive buffer charges for, and so how much window is left.
//!
//! Linux charges a queued segment by the memory of its buffer, not by its payload, and learns
//! from full segments what share is payload. How large buffers are depends on the driver; these
//! are those of a TUN device (and of most drivers that copy small packets): a head of 576, 1024,
//! 2048 or 4096 bytes and 256 bytes of `sk_buff`. Measured on 6.18.

use crate::kernel::Kernel;
use crate::sock::Sock;
use crate::table::slab::SockId;

/// The payload share of a buffer before anything was learned, in 256ths.
/// `[TCP_DEFAULT_SCALING_RATIO]`
pub(crate) const DEFAULT_RATIO: u16 = 128;

/// Bytes in front of the packet and behind it that a head needs.
const HEADROOM: u32 = 64;
const SHARED_INFO: u32 = 320;

/// The head that a packet of `packet` bytes (IP header included) gets.
fn head_bytes(packet: u32) -> u32 {
    let need = (packet + HEADROOM).next_multiple_of(64) + SHARED_INFO;
    [576, 1024, 2048].into_iter().find(|&size| need <= size).unwrap_or(4096)
}

/// What a received packet is charged. `[skb->truesize]`
pub(crate) fn truesize(packet: u32) -> u32 {
    head_bytes(packet) + 256
}

/// Bytes that later small segments can be copied into. `[skb_tailroom]`
pub(crate) fn tail_room(packet: u32) -> u32 {
    head_bytes(packet).saturating_sub(SHARED_INFO + HEADROOM + packet)
}

impl Sock {
    /// Payload that fits so many bytes of buffer. `[tcp_win_from_space]`
    pub(crate) fn win_from_space(&self, space: u32) -> u32 {
        ((u64::from(space) * u64::from(self.scaling_ratio)) >> 8) as u32
    }
    /// Payload that the empty buffer takes. `[tcp_full_space]`
    pub(crate) fn full_space(&self) -> u32 {
        self.win_from_space(self.opt.rcvbuf)
    }
    /// How far a window may ever go: SO_RCVBUF and TCP_WINDOW_CLAMP limit it.
    /// `[tcp_connect_init]`, `[tcp_openreq_init_rwin]`
    pub(crate) fn first_clamp(&self) -> u32 {
        let set = match self.rare().opt.window_clamp {
            0 => 65535 << 14,
            set => set,
        };
        if self.opt.rcvbuf_locked { set.min(self.opt.rcvbuf / 2) } else { set }
    }
    /// Payload that still fits. `[tcp_space]`
    pub(crate) fn space(&self) -> u32 {
        self.win_from_space(self.opt.rcvbuf.saturating_sub(self.rmem))
    }
    /// A segment enters the receive queue; a small one goes into the room that the last one
    /// left. `[tcp_try_coalesce]`, `[skb_set_owner_r]`
    pub(crate) fn charge(&mut self, payload: u32, header: u32) {
        let packet = payload + header + 20;
        if self.rmem > 0 && payload <= self.rcv_tail_room {
            self.rcv_tail_room -= payload;
        } else {
            let size = truesize(packet);
            if size > self.rcv_reserve {
                self.rcv_reserve += (size - self.rcv_reserve).next_multiple_of(4096);
            }
            self.rcv_reserve -= size;
            self.rmem += size;
            self.rcv_tail_room = tail_room(packet);
        }
    }
    /// Is there memory at hand for such a segment? Without, header prediction leaves it to the
    /// long way. `[sk_forward_alloc]`
    pub(crate) fn has_memory_for(&self, payload: u32, header: u32) -> bool {
        truesize(payload + header + 20) <= self.rcv_reserve
    }
    /// A program has read some of what was queued. `[tcp_eat_recv_skb]`
    pub(crate) fn uncharge(&mut self, queued_before: u32, queued_after: u32) {
        if queued_after == 0 {
            self.rcv_reserve += self.rmem;
            self.rmem = 0;
            self.rcv_tail_room = 0;
        } else if queued_before > 0 {
            let left = u64::from(self.rmem) * u64::from(queued_after);
            let left = (left / u64::from(queued_before)) as u32;
            self.rcv_reserve += self.rmem - left;
            self.rmem = left;
        }
    }
    /// close() throws away what nobody read. The reader's position stays where it was, so
    /// Recv-Q still shows it.
    pub(crate) fn purge_receive_queue(&mut self) {
        self.rmem = 0;
        self.rcv_tail_room = 0;
        self.rcv_purged = Some(self.rcv_nxt);
    }
}

impl Kernel {
    /// The clamp moves; the threshold follows it down, or up to what is offered.
    /// `[tcp_set_window_clamp]`
    pub(crate) fn set_window_clamp(&mut self, id: SockId, bytes: u32) {
        let sk = &mut self.socks[id];
        let new = bytes.max(1152);
        if new < sk.window_clamp {
            sk.rcv_ssthresh = sk.rcv_ssthresh.min(new);
        } else if new > sk.window_clamp {
            sk.rcv_ssthresh = sk.rcv_ssthresh.max(sk.rcv_wnd.min(new));
        }
        sk.window_clamp = new;
    }

    /// The window grows with what arrives, if such segments leave room for more.
    /// `[tcp_grow_window]`
    pub(crate) fn grow_window(&mut self, id: SockId, payload: u32, header: u32) {
        let rmem_max = self.sysctl.tcp_rmem[2].clamp(0, i64::from(u32::MAX)) as u32;
        let sk = &mut self.socks[id];
        let room = sk.window_clamp.min(sk.space()).saturating_sub(sk.rcv_ssthresh);
        if room == 0 {
            return;
        }
        let size = truesize(payload + header + 20);
        let step = if sk.win_from_space(size) <= payload {
            2 * u32::from(sk.advmss)
        } else {
            // [__tcp_grow_window]
            let mut size = sk.win_from_space(size) >> 1;
            let mut window = sk.win_from_space(rmem_max) >> 1;
            let mut step = 0;
            while sk.rcv_ssthresh <= window {
                if size <= payload {
                    step = 2 * u32::from(sk.ack.rcv_mss);
                    break;
                }
                size >>= 1;
                window >>= 1;
            }
            step
        };
        if step > 0 {
            sk.rcv_ssthresh += step.max(2 * payload).min(room);
            sk.ack.quick |= 1;
        }
    }

    /// A full segment shows which share of a buffer is payload. `[tcp_measure_rcv_mss]`
    pub(crate) fn learn_scaling_ratio(&mut self, id: SockId, payload: u32, header: u32) {
        if !self.behaviour.learns_buffer_overhead {
            return;
        }
        let ratio = ((payload << 8) / truesize(payload + header + 20)).max(1) as u16;
        let sk = &mut self.socks[id];
        if sk.scaling_ratio != ratio {
            sk.scaling_ratio = ratio;
            let full = sk.full_space();
            self.set_window_clamp(id, full);
        }
    }
}

#[cfg(test)]
mod tests;
