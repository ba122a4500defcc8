//! Which window to offer. `[tcp_select_window]`, `[tcp_select_initial_window]`

use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::table::slab::SockId;

/// The window scale for a buffer that may grow to `space` bytes. `[tcp_select_initial_window]`
pub(crate) fn wscale_for(space: i64, clamp: u32) -> u8 {
    let space = space.clamp(1, i64::from(clamp.max(1))) as u64;
    (space.ilog2().saturating_sub(15)).min(14) as u8
}

/// The window of a SYN or SYN-ACK: the space offered, in whole segments, unscaled.
/// `[tcp_select_initial_window]`
pub(crate) fn initial_window(space: u32, mss: u32, clamp: u32) -> u32 {
    let space = space.min(clamp);
    let whole = if space > mss { space / mss * mss } else { space };
    whole.min(65535)
}

impl Kernel {
    /// The window field of the next segment; from now on it is what we have offered.
    /// `[tcp_select_window]`
    pub(crate) fn select_window(&mut self, id: SockId) -> u16 {
        let old_wnd = self.socks[id].rcv_wnd;
        let current = self.socks[id].receive_window();
        let mut new = self.window_to_offer(id);
        let sk = &mut self.socks[id];
        if new < current {
            // An offer is never taken back.
            if new == 0 {
                self.counters.inc(Mib::TCPWantZeroWindowAdv);
            }
            new = round_up(current, sk.rcv_wscale);
        }
        sk.rcv_wnd = new;
        sk.rcv_wup = sk.rcv_nxt;
        let field = (new >> sk.rcv_wscale).min(65535) as u16;
        if field == 0 {
            sk.pred_win = None;
            if old_wnd != 0 {
                self.counters.inc(Mib::TCPToZeroWindowAdv);
            }
        } else if old_wnd == 0 {
            self.counters.inc(Mib::TCPFromZeroWindowAdv);
        }
        field
    }

    /// What the receive buffer has room for. `[__tcp_select_window]`
    pub(crate) fn window_to_offer(&mut self, id: SockId) -> u32 {
        let sk = &mut self.socks[id];
        let allowed = sk.full_space();
        let full = sk.window_clamp.min(allowed);
        let free = sk.space();
        let mss = u32::from(sk.ack.rcv_mss).min(full);
        if full == 0 {
            return 0;
        }
        let mut free = free;
        if free < full / 2 {
            sk.ack.quick = 0;
            free = free >> sk.rcv_wscale << sk.rcv_wscale;
            if free < allowed / 16 || free < mss {
                return 0;
            }
        }
        free = free.min(sk.rcv_ssthresh);
        if sk.rcv_wscale > 0 {
            return round_up(free, sk.rcv_wscale);
        }
        let window = sk.rcv_wnd;
        if window + mss <= free || window > free {
            free - free % mss.max(1)
        } else if mss == full && free > window + full / 2 {
            free
        } else {
            window
        }
    }
}

/// To the next multiple of 2^`shift`, which is what a window field can say.
const fn round_up(window: u32, shift: u8) -> u32 {
    let below = (1u32 << shift) - 1;
    (window + below) >> shift << shift
}

/// Payload that a receive buffer takes: half of it, the rest is overhead. `[tcp_full_space]`
pub(crate) const fn full_space(rcvbuf: u32) -> u32 {
    rcvbuf / 2
}
