//! The full socket: fields by their names in `tcp_sock` and `inet_connection_sock`.

use crate::cause::Cause;
use crate::errno::Errno;
use crate::flow::FourTuple;
use crate::rx::ofo::{Ofo, OfoPiece};
use crate::seq::Seq;
use crate::skb::Queue;
use crate::state::TcpState;
use crate::table::ehash::Entry;
use crate::table::slab::ListenId;
use crate::time::Stamp;

pub(crate) mod rare;

use rare::Rare;

/// What the one retransmit timer is armed for. `[icsk_pending]`
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Pending {
    #[default]
    None,
    Retransmit,
    LossProbe,
    Reordering,
    Probe,
}

/// Congestion state. `[tcp_ca_state]`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) enum Ca {
    #[default]
    Open = 0,
    Disorder = 1,
    Recovery = 3,
    Loss = 4,
}

/// What is known about ACKs that are due. `[icsk_ack]`
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct AckState {
    /// An ACK is owed. `[ICSK_ACK_SCHED]`
    pub(crate) scheduled: bool,
    /// The delayed-ACK timer runs. `[ICSK_ACK_TIMER]`
    pub(crate) timer: bool,
    /// One pushed small segment, two of them, and an ACK demanded at once.
    pub(crate) pushed: bool,
    pub(crate) pushed2: bool,
    pub(crate) now: bool,
    /// Why the ACK that is owed is out of the ordinary.
    pub(crate) why: Option<Cause>,
    /// ACKs that may still go at once.
    pub(crate) quick: u8,
    /// Interactive mode from `tcp_pingpong_thresh` on.
    pub(crate) pingpong: u8,
    /// Jiffies.
    pub(crate) ato: u32,
    pub(crate) timeout: Stamp,
    /// When payload came last.
    pub(crate) lrcvtime: Stamp,
    pub(crate) last_seg_size: u16,
    pub(crate) rcv_mss: u16,
}

/// Options that programs set, and the sizes of the buffers. The others are in [`rare`].
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct SockOptions {
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    pub(crate) keep_alive: bool,
    pub(crate) no_delay: bool,
    pub(crate) cork: bool,
    pub(crate) rcvbuf: u32,
    pub(crate) sndbuf: u32,
    pub(crate) rcvbuf_locked: bool,
    pub(crate) sndbuf_locked: bool,
}

/// A full socket in any state but TIME_WAIT.
#[derive(Clone, Debug)]
pub(crate) struct Sock {
    pub(crate) flow: FourTuple,
    pub(crate) chain: Entry,
    pub(crate) state: TcpState,
    /// The state before CLOSE, for whoever tells how it ended.
    pub(crate) last_state: TcpState,
    pub(crate) hashed: bool,
    /// It holds its local port.
    pub(crate) has_port: bool,
    /// bind() with a port (`SOCK_BINDPORT_LOCK`), or a child of a listener.
    pub(crate) port_explicit: bool,
    /// bind() with an address (`SOCK_BINDADDR_LOCK`).
    pub(crate) addr_explicit: bool,
    /// A program holds it.
    pub(crate) has_file: bool,
    /// close() has let go of it. `[SOCK_DEAD]`
    pub(crate) dead: bool,
    /// It waits in an accept queue.
    pub(crate) queued: bool,
    /// close() blocks in it until then.
    pub(crate) lingering: bool,
    pub(crate) rcv_shutdown: bool,
    pub(crate) send_shutdown: bool,
    /// A FIN has come in order. `[SOCK_DONE]`
    pub(crate) done: bool,
    /// It came on data, or merged into data that were unread: whoever reads these reads it too.
    pub(crate) fin_merged: bool,
    pub(crate) wake_queued: bool,
    /// A send found the buffer full. `[SOCK_NOSPACE]`
    pub(crate) no_space: bool,
    /// connect() has been called and not yet answered with 0.
    pub(crate) connecting: bool,
    pub(crate) err: Option<Errno>,
    pub(crate) err_soft: Option<Errno>,
    pub(crate) listen: Option<ListenId>,
    pub(crate) opt: SockOptions,
    pub(crate) rare: Option<alloc::boxed::Box<Rare>>,

    // — sending —
    pub(crate) snd_una: Seq,
    pub(crate) snd_nxt: Seq,
    pub(crate) write_seq: Seq,
    pub(crate) pushed_seq: Seq,
    /// End of the last small segment sent. `[snd_sml]`
    pub(crate) snd_sml: Seq,
    /// A program waits in send() for the connection to come about. `[sk_write_pending]`
    pub(crate) write_pending: bool,
    pub(crate) snd_wl1: Seq,
    pub(crate) snd_wnd: u32,
    pub(crate) max_window: u32,
    pub(crate) snd_wscale: u8,
    pub(crate) rcv_wscale: u8,
    pub(crate) wscale_ok: bool,
    pub(crate) sack_ok: bool,
    pub(crate) tstamp_ok: bool,
    /// The last segment had a timestamp.
    pub(crate) saw_tstamp: bool,
    pub(crate) rcv_tsval: u32,
    pub(crate) rcv_tsecr: u32,
    pub(crate) ts_recent: u32,
    /// Seconds of kernel time; 0: never.
    pub(crate) ts_recent_stamp: u32,
    pub(crate) ts_offset: u32,
    pub(crate) unsent: Queue,
    pub(crate) rtx: Queue,
    pub(crate) packets_out: u32,
    pub(crate) sacked_out: u32,
    /// Segments that were taken for lost so far, retransmissions too. `[tcp_sock.lost]`
    pub(crate) lost: u32,
    /// So many segments may be out of order before one counts as lost; 0: what the sysctl says.
    /// `[tcp_sock.reordering]`
    pub(crate) reordering: u32,
    pub(crate) lost_out: u32,
    pub(crate) retrans_out: u32,
    pub(crate) snd_cwnd: u32,
    pub(crate) snd_cwnd_cnt: u32,
    /// The congestion window held something back. `[is_cwnd_limited]`
    pub(crate) cwnd_limited: bool,
    pub(crate) max_packets_out: u32,
    pub(crate) cwnd_usage_seq: Seq,
    pub(crate) snd_ssthresh: u32,
    pub(crate) ca: Ca,
    /// What an RTO took away and a timestamp may give back. `[undo_marker]`
    pub(crate) undo: bool,
    /// Whether the timeout was a mistake is still open. `[frto]`
    pub(crate) frto: bool,
    pub(crate) high_seq: Seq,
    pub(crate) bytes_acked: u64,
    pub(crate) mss_clamp: u16,
    pub(crate) mss_cache: u16,
    pub(crate) advmss: u16,
    /// snd_nxt when the tail loss probe went out; `None`: no probe is out. `[tlp_high_seq]`
    pub(crate) tlp_high_seq: Option<Seq>,
    pub(crate) tlp_retrans: bool,
    pub(crate) rack_us: u64,
    pub(crate) rack_end: Seq,
    pub(crate) rack_rtt_us: u32,
    pub(crate) rack_advanced: bool,

    // — times —
    /// Eight times the smoothed RTT, microseconds; 0: no sample yet.
    pub(crate) srtt_us: u32,
    pub(crate) mdev_us: u32,
    pub(crate) mdev_max_us: u32,
    pub(crate) rttvar_us: u32,
    pub(crate) rtt_seq: Seq,
    pub(crate) min_rtt_us: u32,
    /// Jiffies.
    pub(crate) rto: u32,
    pub(crate) pending: Pending,
    pub(crate) retransmits: u8,
    pub(crate) backoff: u8,
    pub(crate) probes_out: u8,
    pub(crate) total_rto: u16,
    pub(crate) total_retrans: u32,
    /// Milliseconds of kernel time when the first retransmission went out; 0: none is out.
    pub(crate) retrans_stamp: u32,
    /// When payload went last, and when an ACK came last.
    pub(crate) lsndtime: Stamp,
    pub(crate) rcv_tstamp: Stamp,
    /// Jiffies of the last limited reply, 0: never. `[last_oow_ack_time]`
    pub(crate) last_oow: u32,

    // — receiving —
    pub(crate) rcv_nxt: Seq,
    pub(crate) rcv_wup: Seq,
    pub(crate) copied_seq: Seq,
    pub(crate) rcv_wnd: u32,
    pub(crate) rcv_ssthresh: u32,
    /// Bytes charged to the receive buffer. `[sk_rmem_alloc]`
    pub(crate) rmem: u32,
    pub(crate) rcv_tail_room: u32,
    /// Memory taken from the host in pages and not yet charged.
    pub(crate) rcv_reserve: u32,
    /// Share of payload in a buffer, in 256ths.
    pub(crate) scaling_ratio: u16,
    /// Where close() has emptied the receive queue.
    pub(crate) rcv_purged: Option<Seq>,
    pub(crate) window_clamp: u32,
    pub(crate) ack: AckState,
    /// Window field and header length that the fast path expects; `None`: slow path. `[pred_flags]`
    pub(crate) pred_win: Option<u16>,
    pub(crate) ofo: Option<alloc::boxed::Box<Ofo>>,
    pub(crate) bytes_received: u64,
    pub(crate) segs_in: u32,
    pub(crate) segs_out: u32,
    pub(crate) data_segs_in: u32,
    pub(crate) data_segs_out: u32,
}

impl Sock {
    /// A socket as socket() makes it. `[tcp_init_sock]`
    #[allow(clippy::too_many_lines, reason = "one line a field")]
    pub(crate) fn new(rto: u32, rcvbuf: u32, sndbuf: u32) -> Self {
        let zero = Seq(0);
        Self {
            flow: FourTuple::default(),
            chain: Entry::NONE,
            state: TcpState::Close,
            last_state: TcpState::Close,
            hashed: false,
            has_port: false,
            port_explicit: false,
            addr_explicit: false,
            has_file: false,
            dead: false,
            queued: false,
            lingering: false,
            rcv_shutdown: false,
            send_shutdown: false,
            done: false,
            fin_merged: false,
            wake_queued: false,
            no_space: false,
            connecting: false,
            err: None,
            err_soft: None,
            listen: None,
            opt: SockOptions { rcvbuf, sndbuf, ..SockOptions::default() },
            rare: None,
            snd_una: zero,
            snd_nxt: zero,
            write_seq: zero,
            pushed_seq: zero,
            snd_sml: zero,
            write_pending: false,
            snd_wl1: zero,
            snd_wnd: 0,
            max_window: 0,
            snd_wscale: 0,
            rcv_wscale: 0,
            wscale_ok: false,
            sack_ok: false,
            tstamp_ok: false,
            saw_tstamp: false,
            rcv_tsval: 0,
            rcv_tsecr: 0,
            ts_recent: 0,
            ts_recent_stamp: 0,
            ts_offset: 0,
            unsent: Queue::EMPTY,
            rtx: Queue::EMPTY,
            packets_out: 0,
            sacked_out: 0,
            lost: 0,
            reordering: 0,
            lost_out: 0,
            retrans_out: 0,
            snd_cwnd: 10,
            snd_cwnd_cnt: 0,
            cwnd_limited: false,
            max_packets_out: 0,
            cwnd_usage_seq: zero,
            snd_ssthresh: 0x7fff_ffff,
            ca: Ca::Open,
            undo: false,
            frto: false,
            high_seq: zero,
            bytes_acked: 0,
            mss_clamp: 65535,
            mss_cache: 536,
            advmss: 1460,
            tlp_high_seq: None,
            tlp_retrans: false,
            rack_us: 0,
            rack_end: zero,
            rack_rtt_us: 0,
            rack_advanced: false,
            srtt_us: 0,
            mdev_us: 0,
            mdev_max_us: 0,
            rttvar_us: 0,
            rtt_seq: zero,
            min_rtt_us: u32::MAX,
            rto,
            pending: Pending::None,
            retransmits: 0,
            backoff: 0,
            probes_out: 0,
            total_rto: 0,
            total_retrans: 0,
            retrans_stamp: 0,
            lsndtime: Stamp(0),
            rcv_tstamp: Stamp(0),
            last_oow: 0,
            rcv_nxt: zero,
            rcv_wup: zero,
            copied_seq: zero,
            rcv_wnd: 0,
            rcv_ssthresh: 0,
            rmem: 0,
            rcv_tail_room: 0,
            rcv_reserve: 0,
            scaling_ratio: crate::memory::DEFAULT_RATIO,
            rcv_purged: None,
            window_clamp: 0,
            ack: AckState::default(),
            pred_win: None,
            ofo: None,
            bytes_received: 0,
            segs_in: 0,
            segs_out: 0,
            data_segs_in: 0,
            data_segs_out: 0,
        }
    }

    /// The right edge of the peer's window. `[tcp_wnd_end]`
    pub(crate) fn wnd_end(&self) -> Seq {
        self.snd_una + self.snd_wnd
    }
    /// What is left of the window we offered. `[tcp_receive_window]`
    pub(crate) fn receive_window(&self) -> u32 {
        let win = (self.rcv_wup + self.rcv_wnd) - self.rcv_nxt;
        if (win as i32) < 0 { 0 } else { win }
    }
    /// Segments sent and not known to have arrived or been lost. `[tcp_packets_in_flight]`
    pub(crate) fn in_flight(&self) -> u32 {
        (self.packets_out + self.retrans_out).saturating_sub(self.sacked_out + self.lost_out)
    }
    /// Nothing is out: what was counted too often is forgotten. `[FASTRETRANS_DEBUG]`
    pub(crate) const fn forget_leaks(&mut self) {
        if self.packets_out == 0 && self.sack_ok {
            self.sacked_out = 0;
            self.lost_out = 0;
            self.retrans_out = 0;
        }
    }
    /// Bytes (and a FIN) queued to be read.
    pub(crate) fn unread(&self) -> u32 {
        let fin = u32::from(self.done);
        (self.rcv_nxt - self.copied_seq).saturating_sub(fin)
    }
    /// Has all we ever wrote, FIN included, been acknowledged?
    pub(crate) fn all_acked(&self) -> bool {
        self.snd_una == self.write_seq
    }
    /// Header bytes of an ordinary segment.
    pub(crate) fn header_len(&self) -> u32 {
        if self.tstamp_ok { 32 } else { 20 }
    }
    /// Is the segment unread queue empty? `[sk_receive_queue]`
    pub(crate) fn receive_queue_empty(&self) -> bool {
        self.rcv_nxt == self.rcv_purged.unwrap_or(self.copied_seq)
    }
    /// Pieces held out of order.
    pub(crate) fn ofo_pieces(&self) -> &[OfoPiece] {
        self.ofo.as_ref().map_or(&[], |o| &o.pieces)
    }
}
