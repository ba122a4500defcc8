//! A half-open connection: a SYN came, our SYN-ACK is out. `[tcp_request_sock]`

use crate::flow::FourTuple;
use crate::seq::Seq;
use crate::table::ehash::Entry;
use crate::table::slab::ListenId;

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// The connection, as we send.
    pub(crate) flow: FourTuple,
    pub(crate) chain: Entry,
    pub(crate) listener: ListenId,
    /// Their initial sequence number.
    pub(crate) irs: Seq,
    /// Ours.
    pub(crate) iss: Seq,
    /// The window that the SYN-ACK offers, bytes.
    pub(crate) rcv_wnd: u32,
    pub(crate) rcv_wscale: u8,
    /// `None`: no window scaling on this connection.
    pub(crate) snd_wscale: Option<u8>,
    /// Their MSS, bytes.
    pub(crate) mss: u16,
    pub(crate) sack: bool,
    pub(crate) timestamps: bool,
    pub(crate) ts_recent: u32,
    pub(crate) ts_offset: u32,
    /// Timestamp of the first and of the last SYN-ACK.
    pub(crate) synack_first: u32,
    pub(crate) synack_last: u32,
    /// When the SYN-ACK went out first, microseconds.
    pub(crate) sent_us: u64,
    pub(crate) num_timeout: u8,
    /// SYN-ACKs sent again, by timer or for a repeated SYN.
    pub(crate) num_retrans: u8,
    /// A final ACK came while the accept queue was full, or TCP_DEFER_ACCEPT waits for data.
    pub(crate) acked: bool,
    pub(crate) last_oow: u32,
    /// The window field of the SYN.
    pub(crate) syn_win: u16,
    /// Only a cookie remembers it.
    pub(crate) cookie: bool,
    /// 3.10: the chain of the listener's own table, visited by its scan.
    pub(crate) syn_chain: u32,
    /// 3.10: when the SYN-ACK is due again, jiffies.
    pub(crate) expires: u64,
}
