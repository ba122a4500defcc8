//! The timewait bucket: what is left of a socket that has said everything. `[tcp_timewait_sock]`

use crate::deathrow::Tag;
use crate::flow::FourTuple;
use crate::seq::Seq;
use crate::state::TcpState;
use crate::table::ehash::Entry;

/// A bucket, FIN_WAIT2 or TIME_WAIT.
#[derive(Clone, Copy, Debug)]
pub struct TimeWait {
    /// The connection, as it sent.
    pub(crate) flow: FourTuple,
    pub(crate) chain: Entry,
    pub(crate) rcv_nxt: Seq,
    pub(crate) snd_nxt: Seq,
    /// Bytes, unscaled.
    pub(crate) rcv_wnd: u32,
    pub(crate) ts_recent: u32,
    /// Seconds of kernel time when `ts_recent` was taken; 0: no timestamps.
    pub(crate) ts_recent_stamp: u32,
    pub(crate) ts_offset: u32,
    /// Milliseconds when the bucket was made, in 32 bits as in the kernel. `[tw_entry_stamp]`
    pub(crate) entry_ms: u32,
    /// When the last limited reply went out, jiffies; 0: never.
    pub(crate) last_oow: u32,
    /// The bucket's own timeout in jiffies: 60 s, or 3.5 RTO with tcp_tw_recycle.
    pub(crate) timeout: u32,
    pub(crate) substate: TcpState,
    pub(crate) rcv_wscale: u8,
    /// SO_REUSEADDR (1), SO_REUSEPORT (2), port bound explicitly (4).
    pub(crate) owner: u8,
    /// Where the death row has it.
    pub(crate) tag: Tag,
    /// Not a slot that is free.
    pub(crate) live: bool,
}

const _: () = assert!(size_of::<TimeWait>() == 60);

impl TimeWait {
    pub(crate) const REUSE_ADDR: u8 = 1;
    pub(crate) const REUSE_PORT: u8 = 2;
    pub(crate) const EXPLICIT_PORT: u8 = 4;

    /// The place that a connection will leave to a bucket: nobody may take it over.
    pub(crate) const fn place(flow: FourTuple) -> Self {
        Self {
            flow,
            chain: Entry::NONE,
            rcv_nxt: Seq(0),
            snd_nxt: Seq(0),
            rcv_wnd: 0,
            ts_recent: 0,
            ts_recent_stamp: 0,
            ts_offset: 0,
            entry_ms: 0,
            last_oow: 0,
            timeout: 0,
            substate: TcpState::Close,
            rcv_wscale: 0,
            owner: 0,
            tag: Tag::NONE,
            live: false,
        }
    }
}
