//! What a program can ask about a connection. `[tcp_get_info]`, `[tcp_ioctl]`

use crate::errno::Errno;
use crate::flow::FourTuple;
use crate::kernel::{Fd, Kernel, TcpInfo};
use crate::sock::Sock;
use crate::state::TcpState;
use crate::time::{Instant, Jiffies, Stamp};

impl Kernel {
    /// getsockopt(TCP_INFO).
    pub fn tcp_info(&self, fd: Fd, now: Instant) -> Result<TcpInfo, Errno> {
        let id = self.sock_of(fd)?;
        let sk = &self.socks[id];
        let now = self.clock.jiffies(now);
        let micros = |jiffies: u32| self.clock.to_micros(Jiffies(u64::from(jiffies))) as u32;
        let ago_ms = |then: Stamp| (self.clock.to_micros(now.since(then)) / 1000) as u32;
        let mut info = TcpInfo {
            state: sk.state as u8,
            ca_state: sk.ca as u8,
            retransmits: sk.retransmits,
            probes: sk.probes_out,
            backoff: sk.backoff,
            options: u8::from(sk.tstamp_ok)
                | u8::from(sk.sack_ok) << 1
                | u8::from(sk.wscale_ok) << 2,
            snd_wscale: sk.snd_wscale,
            rcv_wscale: sk.rcv_wscale,
            rto: micros(sk.rto),
            ato: micros(sk.ack.ato),
            snd_mss: sk.mss_cache.into(),
            rcv_mss: sk.ack.rcv_mss.into(),
            unacked: sk.packets_out,
            sacked: sk.sacked_out,
            lost: sk.lost_out,
            retrans: sk.retrans_out,
            last_data_sent: ago_ms(sk.lsndtime),
            last_data_recv: ago_ms(sk.ack.lrcvtime),
            last_ack_recv: ago_ms(sk.rcv_tstamp),
            pmtu: self.mtu.into(),
            rcv_ssthresh: sk.rcv_ssthresh,
            rtt: sk.srtt_us >> 3,
            rttvar: sk.mdev_us >> 2,
            snd_ssthresh: sk.snd_ssthresh,
            snd_cwnd: sk.snd_cwnd,
            advmss: sk.advmss.into(),
            total_retrans: sk.total_retrans,
            bytes_acked: sk.bytes_acked,
            bytes_received: sk.bytes_received,
            segs_out: sk.segs_out,
            segs_in: sk.segs_in,
            notsent_bytes: sk.write_seq - sk.snd_nxt,
            data_segs_in: sk.data_segs_in,
            data_segs_out: sk.data_segs_out,
            bytes_sent: 0,
            bytes_retrans: 0,
            snd_wnd: sk.snd_wnd,
            rcv_wnd: sk.rcv_wnd,
        };
        if let (TcpState::Listen, Some(listen)) = (sk.state, sk.listen) {
            info.unacked = self.listeners[listen].queue.len() as u32;
            info.sacked = self.listeners[listen].backlog;
        }
        Ok(info)
    }
    /// ioctl(SIOCINQ): bytes to read; EINVAL on a listener.
    pub fn inq(&self, fd: Fd) -> Result<u32, Errno> {
        self.queued(fd, Sock::unread)
    }
    /// ioctl(SIOCOUTQ): bytes sent or to be sent and not acknowledged, a FIN counting 1.
    pub fn outq(&self, fd: Fd) -> Result<u32, Errno> {
        self.queued(fd, |sk| sk.write_seq - sk.snd_una)
    }
    /// What a queue holds; nothing before the connection is established, and a listener has none.
    fn queued(&self, fd: Fd, bytes: impl FnOnce(&Sock) -> u32) -> Result<u32, Errno> {
        let sk = &self.socks[self.sock_of(fd)?];
        match sk.state {
            TcpState::Listen => Err(Errno::EINVAL),
            TcpState::SynSent | TcpState::SynRecv => Ok(0),
            TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::Close
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Closing
            | TcpState::NewSynRecv => Ok(bytes(sk)),
        }
    }
    /// The connection's addresses, seen from this host (getsockname, getpeername).
    pub fn flow(&self, fd: Fd) -> Result<FourTuple, Errno> {
        Ok(self.socks[self.sock_of(fd)?].flow)
    }
    /// The connection's state.
    pub fn state(&self, fd: Fd) -> Result<TcpState, Errno> {
        Ok(self.socks[self.sock_of(fd)?].state)
    }
}
