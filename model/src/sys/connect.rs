//! connect(): port, sequence number, SYN. `[inet_stream_connect]`, `[tcp_v4_connect]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::errno::Errno;
use crate::flow::{Addr, Endpoint, FourTuple};
use crate::kernel::{Fd, Kernel};
use crate::segment::Flags;
use crate::seq::Seq;
use crate::sink::{Cx, Sink};
use crate::skb::Skb;
use crate::sock::Pending;
use crate::state::TcpState;
use crate::table::slab::SockId;

impl Kernel {
    /// connect(): EINPROGRESS when the SYN is out; later EALREADY, 0 once, EISCONN, or the
    /// error. EADDRNOTAVAIL if no port is free towards that destination.
    pub fn connect(
        &mut self,
        fd: Fd,
        to: Endpoint,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let id = self.sock_of(fd)?;
        let answer = self.connect_sock(id, to, cx);
        self.settle(cx);
        answer
    }

    fn connect_sock(
        &mut self,
        id: SockId,
        to: Endpoint,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<(), Errno> {
        let sk = &mut self.socks[id];
        if let Some(error) = sk.err.take() {
            sk.connecting = false;
            // A failed attempt leaves a socket as good as new. [__inet_stream_connect]
            self.disconnect_sock(id, cx);
            return Err(error);
        }
        match sk.state {
            TcpState::Close if sk.connecting => {
                sk.connecting = false;
                return Err(Errno::ECONNABORTED);
            }
            TcpState::Close => {}
            TcpState::SynSent | TcpState::SynRecv => return Err(Errno::EALREADY),
            TcpState::Listen => return Err(Errno::EISCONN),
            TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Closing
            | TcpState::NewSynRecv => {
                let first = core::mem::take(&mut sk.connecting);
                return if first { Ok(()) } else { Err(Errno::EISCONN) };
            }
        }
        if to.port == 0 {
            return Err(Errno::EADDRNOTAVAIL);
        }
        self.open(id, to, cx)?;
        self.socks[id].connecting = true;
        Err(Errno::EINPROGRESS)
    }

    /// `[tcp_v4_connect]`
    fn open(&mut self, id: SockId, to: Endpoint, cx: &mut Cx<'_, impl Sink>) -> Result<(), Errno> {
        let to =
            if to.addr == Addr::ANY { Endpoint::new(Addr::v4(127, 0, 0, 1), to.port) } else { to };
        let saddr = self.source_for(id, to.addr);
        let sk = &mut self.socks[id];
        let local = Endpoint::new(saddr, sk.flow.sport);
        let before = sk.flow;
        if sk.ts_recent_stamp != 0 && before.destination() != to {
            // An old connection's timestamps say nothing to another peer.
            sk.ts_recent = 0;
            sk.ts_recent_stamp = 0;
            sk.write_seq = Seq(0);
        }
        sk.flow = FourTuple::new(local, to);
        // The state comes before the port, and goes again if none is free.
        self.set_state(id, TcpState::SynSent, cx);
        let old = match self.hash_connect(id, cx) {
            Ok(old) => old,
            Err(error) => {
                self.set_state(id, TcpState::Close, cx);
                let sk = &mut self.socks[id];
                sk.flow = if sk.addr_explicit {
                    before
                } else {
                    FourTuple { saddr: before.saddr, ..before }
                };
                return Err(error);
            }
        };
        let flow = self.socks[id].flow;
        let iss = self.initial_sequence(flow, cx.now);
        let offset = self.timestamp_offset(flow);
        let seconds = self.clock.seconds(cx.now).max(1) as u32;
        let recycled = self.recycled_stamp(to.addr, cx.now);
        let sk = &mut self.socks[id];
        sk.ts_offset = offset;
        if let Some(tw) = old {
            // [tcp_twsk_unique]: the new life begins behind the old one's window.
            let isn = tw.snd_nxt + 65537;
            sk.write_seq = if isn == Seq(0) { Seq(1) } else { isn };
            sk.ts_recent = tw.ts_recent;
            sk.ts_recent_stamp = tw.ts_recent_stamp;
        } else if sk.write_seq == Seq(0) {
            sk.write_seq = iss;
        }
        if let Some(stamp) = recycled.filter(|_| sk.ts_recent_stamp == 0) {
            sk.ts_recent = stamp;
            sk.ts_recent_stamp = seconds;
        }
        self.send_syn(id, cx);
        Ok(())
    }

    /// The address to connect from: the bound one; the destination itself if it is ours; else
    /// our first.
    fn source_for(&self, id: SockId, to: Addr) -> Addr {
        let bound = self.socks[id].flow.saddr;
        if self.socks[id].addr_explicit && bound != Addr::ANY {
            bound
        } else {
            self.source_towards(to)
        }
    }
    /// The same for a socket that is not bound.
    pub(crate) fn source_towards(&self, to: Addr) -> Addr {
        if to.is_loopback() || self.addrs.contains(&to) {
            to
        } else {
            self.addrs.first().copied().unwrap_or(Addr::ANY)
        }
    }

    /// 3.10 with tcp_tw_recycle: the last timestamp of that address, if it is young.
    fn recycled_stamp(&self, peer: Addr, now: crate::time::Instant) -> Option<u32> {
        if self.sysctl.tcp_tw_recycle == 0 {
            return None;
        }
        let &(last, at) = self.peer_stamps.get(&peer)?;
        (self.clock.seconds(now) < at + 60).then_some(last)
    }

    /// The SYN, with the window it offers. `[tcp_connect]`
    fn send_syn(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let advmss = self.advertised_mss(self.socks[id].rare().opt.max_seg);
        let rmem_max = self.sysctl.tcp_rmem[2];
        let rto = self.clock.from_secs(1).0 as u32;
        let millis = (self.clock.millis(cx.now) as u32).max(1);
        let space = crate::tx::full_space(self.socks[id].opt.rcvbuf);
        let clamp = self.socks[id].first_clamp();
        let scale = self.sysctl.tcp_window_scaling != 0;
        let known = self.socks[id].ts_recent_stamp != 0;
        let piece = u32::from(advmss) - if known { 12 } else { 0 };
        let wnd = self.first_window(space, piece, clamp);
        let sk = &mut self.socks[id];
        sk.advmss = advmss;
        sk.mss_cache = 536;
        sk.rcv_wscale =
            if scale { crate::tx::wscale_for(rmem_max.max(i64::from(space)), clamp) } else { 0 };
        sk.rcv_wnd = wnd;
        sk.rcv_ssthresh = wnd;
        sk.window_clamp = clamp.min(65535 << sk.rcv_wscale);
        sk.err = None;
        sk.done = false;
        sk.snd_wnd = 0;
        sk.max_window = 0;
        sk.bytes_acked = 0;
        let iss = sk.write_seq;
        sk.snd_una = iss;
        sk.snd_sml = iss;
        sk.snd_nxt = iss;
        sk.pushed_seq = iss + 1;
        sk.write_seq = iss + 1;
        sk.rcv_nxt = Seq(0);
        sk.rcv_wup = Seq(0);
        sk.copied_seq = Seq(0);
        sk.rto = rto;
        sk.srtt_us = 0;
        sk.retransmits = 0;
        sk.backoff = 0;
        sk.total_rto = 0;
        sk.retrans_stamp = millis;
        sk.packets_out = 1;
        let mut syn = Skb::new(iss, 0, Flags::SYN);
        syn.sent_us = self.clock.micros(cx.now);
        let skb = self.skbs.insert(syn);
        self.socks[id].rtx.push(&mut self.skbs, skb);
        self.transmit(id, &syn, Cause::SynOnConnect, cx);
        self.socks[id].snd_nxt = iss + 1;
        self.counters.inc(Mib::ActiveOpens);
        let rto = crate::time::Jiffies(u64::from(self.socks[id].rto));
        self.reset_xmit_timer(id, Pending::Retransmit, rto, cx.now);
    }
}
