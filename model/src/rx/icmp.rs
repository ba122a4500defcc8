//! An ICMP error about one of our segments. `[tcp_v4_err]`

use crate::counters::Mib;
use crate::errno::Errno;
use crate::kernel::{Icmp, Kernel};
use crate::sink::{Cx, RequestEnd, Sink};
use crate::state::TcpState;
use crate::table::ehash::Object;

impl Kernel {
    pub(crate) fn receive_icmp(&mut self, icmp: &Icmp, cx: &mut Cx<'_, impl Sink>) {
        let id = match self.find_connected(icmp.flow) {
            Some(Object::Sock(id)) => id,
            Some(Object::Request(req)) => {
                // Our SYN-ACK found no way; that a port or protocol is closed there is no
                // reason. [tcp_req_err]
                let no_way = matches!(icmp.error, Errno::ENETUNREACH | Errno::EHOSTUNREACH);
                if icmp.seq != self.requests[req].iss {
                    self.counters.inc(Mib::OutOfWindowIcmps);
                } else if no_way {
                    self.end_request(req, RequestEnd::Reset, cx);
                    self.counters.inc(Mib::ListenDrops);
                }
                return;
            }
            Some(Object::Bucket(_)) | None => return,
        };
        let sk = &self.socks[id];
        if !icmp.seq.between(sk.snd_una, sk.snd_nxt) {
            self.counters.inc(Mib::OutOfWindowIcmps);
            return;
        }
        if matches!(sk.state, TcpState::SynSent | TcpState::SynRecv) {
            return self.abandon_open(id, icmp.error, cx);
        }
        self.undo_one_backoff(id, icmp, cx);
        self.socks[id].err_soft = Some(icmp.error);
    }

    /// An unreachable for the oldest piece shows that the path, not the peer, was slow: one
    /// doubling of the RTO is taken back (RFC 6069). `[tcp_ld_RTO_revert]`
    fn undo_one_backoff(
        &mut self,
        id: crate::table::slab::SockId,
        icmp: &Icmp,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let max = self.rto_max().0;
        let sk = &mut self.socks[id];
        if icmp.hard || icmp.seq != sk.snd_una || sk.retransmits == 0 || sk.backoff == 0 {
            return;
        }
        sk.backoff -= 1;
        let base = if sk.srtt_us == 0 {
            self.clock.from_secs(1)
        } else {
            self.clock.from_micros(u64::from(sk.srtt_us >> 3) + u64::from(sk.rttvar_us))
        };
        sk.rto = (base.0 << sk.backoff).min(max) as u32;
        let rto = u64::from(sk.rto);
        let sent_us = sk.rtx.head().map_or(0, |head| self.skbs[head].sent_us);
        let gone = self.clock.from_micros(self.clock.micros(cx.now).saturating_sub(sent_us)).0;
        if rto > gone {
            let left = crate::time::Jiffies(rto - gone);
            self.reset_xmit_timer(id, crate::sock::Pending::Retransmit, left, cx.now);
        } else {
            // By the RTO as it is now the time was up before.
            self.retransmit_timer(id, cx);
        }
    }
}
