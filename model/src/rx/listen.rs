//! A segment for a listener: a SYN makes a request, anything else is a stray.
//! `[tcp_v4_conn_request]`, `[tcp_conn_request]`

use crate::cause::Cause;
use crate::counters::Mib;
use crate::flow::FourTuple;
use crate::kernel::Kernel;
use crate::request::Request;
use crate::segment::{Flags, Options, Segment, Timestamp};
use crate::seq::Seq;
use crate::sink::{Cx, DropReason, Note, Sink};
use crate::table::ehash::Entry;
use crate::table::slab::{Id as _, ListenId, ReqId};
use crate::time::{Instant, Jiffies};

impl Kernel {
    /// `isn`: the SYN took the place of a TIME_WAIT bucket, which chose our sequence number.
    pub(crate) fn rx_listen(
        &mut self,
        listener: ListenId,
        seg: &Segment,
        isn: Option<Seq>,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let flags = seg.flags;
        if flags.ack() {
            if self.cookie_ack(listener, seg, cx) {
                return;
            }
            self.drop_segment(seg, DropReason::TcpFlags, cx);
            return self.send_reset(seg, Cause::RstListenAck, cx);
        }
        if flags.rst() {
            return self.drop_segment(seg, DropReason::TcpReset, cx);
        }
        if !flags.syn() || flags.fin() {
            return self.drop_segment(seg, DropReason::TcpFlags, cx);
        }
        self.conn_request(listener, seg, isn, cx);
    }

    /// A SYN. `[tcp_conn_request]`
    fn conn_request(
        &mut self,
        id: ListenId,
        seg: &Segment,
        isn: Option<Seq>,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let cookies = self.sysctl.tcp_syncookies;
        let mut cookie = false;
        if isn.is_none() && (cookies == 2 || self.request_queue_full(id)) {
            if cookies == 0 {
                self.counters.inc(Mib::TCPReqQFullDrop);
                return self.listen_drop(seg, DropReason::RequestQueueFull, cx);
            }
            self.counters.inc(Mib::TCPReqQFullDoCookies);
            cookie = true;
        }
        let listener = &self.listeners[id];
        let full = listener.accept_queue_full();
        if full && (self.behaviour.full_accept_queue_drops_every_syn || listener.young > 1) {
            self.counters.inc(Mib::ListenOverflows);
            return self.listen_drop(seg, DropReason::TcpListenOverflow, cx);
        }
        if self.recycle_refuses(seg, isn, cookie, cx.now) {
            self.counters.inc(Mib::PAWSPassive);
            return self.listen_drop(seg, DropReason::PawsPassive, cx);
        }
        if !cookie && isn.is_none() && cookies == 0 {
            let most = self.sysctl.tcp_max_syn_backlog;
            if most - i64::from(self.listeners[id].qlen) < most >> 2 {
                return self.listen_drop(seg, DropReason::RequestQueueFull, cx);
            }
        }
        let flow = seg.flow.reversed();
        let iss = match isn {
            Some(isn) => isn,
            None if cookie => self.cookie_isn(seg, cx.now),
            None => self.initial_sequence(flow, cx.now),
        };
        let mut request = self.make_request(id, seg, iss, cx.now);
        if cookie {
            self.listeners[id].last_overflow = Some(self.clock.jiffies(cx.now));
            self.counters.inc(Mib::SyncookiesSent);
            if !request.timestamps {
                request.sack = false;
                request.snd_wscale = None;
                request.rcv_wscale = 0;
            }
            request.cookie = true;
            self.send_synack(&request, Cause::SynAckCookie, cx);
            if self.behaviour.cookie_synack_counts_listen_drop {
                self.counters.inc(Mib::ListenDrops);
            }
            return;
        }
        self.queue_request(request, cx);
    }

    fn listen_drop(&mut self, seg: &Segment, reason: DropReason, cx: &mut Cx<'_, impl Sink>) {
        self.counters.inc(Mib::ListenDrops);
        self.drop_segment(seg, reason, cx);
    }

    /// The request enters the tables, its timer starts, its SYN-ACK leaves.
    fn queue_request(&mut self, request: Request, cx: &mut Cx<'_, impl Sink>) {
        let flow = request.flow;
        if self.find_connected(flow).is_some() {
            return; // a second SYN of the same connection, handled at the same time
        }
        let now = self.clock.jiffies(cx.now);
        let listen = request.listener;
        let req = self.requests.insert(request);
        self.hash(Entry::request(req));
        self.state_counts[12] += 1;
        let listener = &mut self.listeners[listen];
        listener.qlen += 1;
        listener.young += 1;
        let first = listener.qlen == 1;
        let due = now + self.clock.from_secs(1);
        self.requests[req].expires = due.0;
        if self.behaviour.requests_live_in_ehash {
            self.request_timers.arm(req.index(), now, due);
        } else if first {
            let scan = now + self.clock.from_millis(200);
            self.listen_timers.arm(listen.index(), now, scan);
        }
        cx.sink.note(|| Note::RequestBorn { flow });
        let request = self.requests[req];
        self.send_synack(&request, Cause::SynAck, cx);
    }

    /// What the SYN asks for, as far as we grant it. `[tcp_openreq_init]`
    pub(crate) fn make_request(
        &mut self,
        listener: ListenId,
        seg: &Segment,
        iss: Seq,
        now: Instant,
    ) -> Request {
        let flow = seg.flow.reversed();
        let lsk = &self.socks[self.listeners[listener].sock];
        let options = seg.options;
        let ts = options.ts.filter(|_| self.sysctl.tcp_timestamps != 0);
        let scale = options.wscale.filter(|_| self.sysctl.tcp_window_scaling != 0);
        let mut mss = options.mss.unwrap_or(536).max(1);
        if lsk.rare().opt.max_seg > 0 {
            mss = mss.min(lsk.rare().opt.max_seg);
        }
        let advmss = u32::from(self.advertised_mss(lsk.rare().opt.max_seg));
        let clamp = lsk.first_clamp();
        let space = crate::tx::full_space(lsk.opt.rcvbuf);
        let piece = advmss - if ts.is_some() { 12 } else { 0 };
        let rcv_wnd = self.first_window(space, piece, clamp);
        let rcv_wscale = match scale {
            Some(_) => crate::tx::wscale_for(self.sysctl.tcp_rmem[2].max(i64::from(space)), clamp),
            None => 0,
        };
        let ts_offset = self.timestamp_offset(flow);
        let stamp = self.timestamp(ts_offset, now);
        Request {
            flow,
            chain: Entry::NONE,
            listener,
            irs: seg.seq,
            iss,
            rcv_wnd,
            rcv_wscale,
            snd_wscale: scale.map(|s| s.min(14)),
            mss,
            sack: options.sack_permitted && self.sysctl.tcp_sack != 0,
            timestamps: ts.is_some(),
            ts_recent: ts.map_or(0, |t| t.val),
            ts_offset,
            synack_first: stamp,
            synack_last: stamp,
            sent_us: self.clock.micros(now),
            num_timeout: 0,
            num_retrans: 0,
            acked: false,
            last_oow: 0,
            syn_win: seg.win,
            cookie: false,
            syn_chain: self.secrets.of_flow(flow, 5) as u32,
            expires: 0,
        }
    }

    /// `[tcp_make_synack]`, `[tcp_v4_send_synack]`
    pub(crate) fn send_synack(
        &mut self,
        request: &Request,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let mut val = self.timestamp(request.ts_offset, cx.now);
        if request.cookie {
            val = cookie_timestamp(self.timestamp(0, cx.now), request)
                .wrapping_add(request.ts_offset);
        }
        let max_seg = self.socks[self.listeners[request.listener].sock].rare().opt.max_seg;
        let options = Options {
            mss: Some(self.advertised_mss(max_seg)),
            ts: request.timestamps.then_some(Timestamp { val, ecr: request.ts_recent }),
            wscale: request.snd_wscale.map(|_| request.rcv_wscale),
            sack_permitted: request.sack,
            ..Options::default()
        };
        let synack = Segment {
            flow: request.flow,
            seq: request.iss,
            ack: request.irs + 1,
            len: 0,
            win: request.rcv_wnd.min(65535) as u16,
            flags: Flags::SYN | Flags::ACK,
            options,
        };
        self.counters.inc(Mib::OutSegs);
        self.emit(&synack, cause, cx);
    }

    /// The first window: 6.18 offers what fits half the buffer, 3.10 at most 20 segments.
    pub(crate) fn first_window(&self, space: u32, mss: u32, clamp: u32) -> u32 {
        let wnd = crate::tx::initial_window(space, mss, clamp);
        if self.behaviour.requests_live_in_ehash { wnd } else { wnd.min(20 * mss) }
    }

    /// The MSS we tell: the link's MTU less 40, or TCP_MAXSEG. `[tcp_advertise_mss]`
    pub(crate) fn advertised_mss(&self, max_seg: u16) -> u16 {
        let link = self.mtu - 40;
        if max_seg > 0 { link.min(max_seg) } else { link }
    }

    /// `[secure_tcp_seq]`: a keyed hash and a clock of 64 ns.
    pub(crate) fn initial_sequence(&self, flow: FourTuple, now: Instant) -> Seq {
        self.secrets.initial_sequence(flow, self.clock, now)
    }
    /// `[secure_tcp_ts_off]`
    pub(crate) fn timestamp_offset(&self, flow: FourTuple) -> u32 {
        if self.offsets_timestamps() { self.secrets.timestamp_offset(flow) } else { 0 }
    }
    /// Does each connection's timestamp clock have an offset of its own?
    pub(crate) const fn offsets_timestamps(&self) -> bool {
        self.behaviour.random_timestamp_offset && self.sysctl.tcp_timestamps == 1
    }

    /// 3.10 with tcp_tw_recycle: does the SYN carry a timestamp older than the last one from
    /// its address? `[tcp_peer_is_proven]`
    fn recycle_refuses(&self, seg: &Segment, isn: Option<Seq>, cookie: bool, now: Instant) -> bool {
        if self.sysctl.tcp_tw_recycle == 0 || isn.is_some() || cookie {
            return false;
        }
        let Some(ts) = seg.options.ts else { return false };
        let Some(&(last, stamp)) = self.peer_stamps.get(&seg.flow.saddr) else { return false };
        let fresh = self.clock.seconds(now) < stamp + 60;
        fresh && (last.wrapping_sub(ts.val) as i32) > 1
    }

    // — SYN cookies —

    /// A sequence number that a request can be made of again: a keyed hash of the connection,
    /// its ISN and the minute, with the MSS class in it. `[cookie_v4_init_sequence]`
    fn cookie_isn(&self, seg: &Segment, now: Instant) -> Seq {
        let minute = self.clock.seconds(now) / 60;
        let class = COOKIE_MSS.iter().rposition(|&m| m <= seg.options.mss.unwrap_or(536));
        self.cookie_value(seg.flow.reversed(), seg.seq, minute, class.unwrap_or(0) as u32)
    }
    fn cookie_value(&self, flow: FourTuple, irs: Seq, minute: u64, class: u32) -> Seq {
        let base = self.secrets.of_flow(flow, 6) as u32;
        let data = (self.secrets.of_flow(flow, 7 + minute * 8) as u32 & 0x00ff_ffff) + class;
        let count = (minute as u32) << 24;
        Seq(base.wrapping_add(irs.0).wrapping_add(count).wrapping_add(data & 0x00ff_ffff))
    }

    /// Is the ACK the answer to a cookie? Then the connection is made from it.
    /// `[cookie_v4_check]`
    fn cookie_ack(&mut self, id: ListenId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) -> bool {
        let recent = self.listeners[id]
            .last_overflow
            .is_some_and(|at| self.clock.jiffies(cx.now) <= at + self.clock.from_secs(120));
        let handshake = !seg.flags.rst() && !seg.flags.syn();
        if self.sysctl.tcp_syncookies == 0 || !recent || !handshake {
            return false;
        }
        let flow = seg.flow.reversed();
        let (isn, irs) = (seg.ack - 1, seg.seq - 1);
        let minute = self.clock.seconds(cx.now) / 60;
        let class = (0..2u64).filter_map(|age| minute.checked_sub(age)).find_map(|minute| {
            (0..4u32).find(|&class| self.cookie_value(flow, irs, minute, class) == isn)
        });
        let Some(class) = class else {
            self.counters.inc(Mib::SyncookiesFailed);
            return false;
        };
        self.counters.inc(Mib::SyncookiesRecv);
        if self.find_connected(flow).is_some() {
            // A request of the same four-tuple stands there: no second object beside it.
            // [inet_ehash_lookup_by_sk]
            self.drop_segment(seg, DropReason::NotSpecified, cx);
            return true;
        }
        let mut syn = *seg;
        syn.seq = irs;
        syn.options.mss = Some(COOKIE_MSS[class as usize]);
        syn.options.sack_permitted = false;
        syn.options.wscale = None;
        if let Some(ts) = seg.options.ts.filter(|_| self.sysctl.tcp_timestamps != 0) {
            // [cookie_timestamp_decode]
            let told = ts.ecr.wrapping_sub(self.timestamp_offset(flow));
            syn.options.sack_permitted = told & COOKIE_SACK != 0;
            let shift = told & COOKIE_WSCALE;
            syn.options.wscale = (shift != COOKIE_WSCALE).then_some(shift as u8);
        }
        let mut request = self.make_request(id, &syn, isn, cx.now);
        let lsk = &self.socks[self.listeners[id].sock];
        let clamp = lsk.first_clamp();
        let space = crate::tx::full_space(lsk.opt.rcvbuf);
        request.rcv_wnd = self.first_window(space, u32::from(request.mss), clamp);
        request.num_retrans = 1; // no RTT sample
        if self.listeners[id].accept_queue_full() {
            self.counters.inc(Mib::ListenOverflows);
            self.counters.inc(Mib::ListenDrops);
            self.drop_segment(seg, DropReason::TcpListenOverflow, cx);
            return true;
        }
        self.make_child(&request, seg, cx);
        true
    }

    /// Whether a request is gone from the tables.
    pub(crate) fn remove_request(&mut self, req: ReqId) {
        let request = self.requests[req];
        self.unhash(Entry::request(req));
        self.request_timers.cancel(req.index());
        self.state_counts[12] -= 1;
        self.requests.remove(req);
        self.uncount_request(request.listener, request.num_timeout == 0);
    }

    /// Ticks of one second, capped like an RTO: a request's next delay.
    pub(crate) fn request_delay(&self, timeouts: u8) -> Jiffies {
        let base = self.clock.from_secs(1).0;
        Jiffies(base << timeouts.min(20)).min(self.clock.from_secs(120))
    }
}

/// What the low bits of a cookie's timestamp tell: the window scale (15: none) and SACK.
const COOKIE_WSCALE: u32 = 15;
const COOKIE_SACK: u32 = 16;

/// A timestamp at most 64 ms old that carries the options of a SYN. `[cookie_init_timestamp]`
fn cookie_timestamp(now: u32, request: &Request) -> u32 {
    let wscale = request.snd_wscale.map_or(COOKIE_WSCALE, u32::from);
    let told = wscale | if request.sack { COOKIE_SACK } else { 0 };
    let stamp = (now & !63) | told;
    if stamp > now { stamp.wrapping_sub(64) } else { stamp }
}

/// The MSS classes a cookie can tell.
const COOKIE_MSS: [u16; 4] = [536, 1300, 1440, 1460];
