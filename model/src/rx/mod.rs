//! A segment arrives: find whom it is for, and let that one decide. Read on with the file that
//! the table sends it to.

mod ack;
mod closing;
mod data;
mod established;
mod fin;
mod icmp;
mod listen;
mod loss;
pub(crate) mod ofo;
mod recovery;
mod request;
mod reset;
mod rtt;
mod syn_sent;
mod timewait;
mod validate;

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::Segment;
use crate::sink::{Cx, DropReason, Note, Sink};
use crate::state::TcpState;
use crate::table::Found;
use crate::table::slab::SockId;

impl Kernel {
    /// `[tcp_v4_rcv]`
    pub(crate) fn receive(&mut self, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        self.counters.inc(Mib::InSegs);
        self.dispatch(seg, cx);
    }

    /// Whom it is for decides.
    pub(crate) fn dispatch(&mut self, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        match self.find(seg) {
            Found::Bucket(tw) => self.rx_bucket(tw, seg, cx), // [tcp_timewait_state_process]
            Found::Request(req) => self.rx_request(req, seg, cx), // [tcp_check_req]
            Found::Listener(listen) => self.rx_listen(listen, seg, None, cx), // [tcp_conn_request]
            Found::Sock(id) => self.rx_sock(id, seg, cx),     // [tcp_v4_do_rcv]
            Found::Nobody => self.rx_nobody(seg, cx),         // no_tcp_socket:
        }
    }

    /// Nobody knows the four-tuple: RST, unless it is one. `[tcp_v4_rcv]`, `no_tcp_socket`
    fn rx_nobody(&mut self, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        self.drop_segment(seg, DropReason::NoSocket, cx);
        self.send_reset(seg, Cause::RstNoSocket, cx);
    }

    /// A full socket. `[tcp_v4_do_rcv]`
    pub(crate) fn rx_sock(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        let sk = &mut self.socks[id];
        sk.segs_in += 1;
        sk.data_segs_in += u32::from(seg.len > 0);
        match sk.state {
            TcpState::Established => self.rcv_established(id, seg, cx),
            TcpState::SynSent => self.rcv_syn_sent(id, seg, cx),
            TcpState::SynRecv
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::CloseWait
            | TcpState::Closing
            | TcpState::LastAck => self.rcv_state_process(id, seg, cx),
            TcpState::Close | TcpState::Listen | TcpState::TimeWait | TcpState::NewSynRecv => {
                self.drop_segment(seg, DropReason::TcpClose, cx);
            }
        }
    }

    /// A segment goes no further. `[kfree_skb_reason]`
    pub(crate) fn drop_segment(
        &self,
        seg: &Segment,
        reason: DropReason,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        let flow = seg.flow;
        cx.sink.note(|| Note::Drop { flow, reason });
    }

    /// Own data that the segment made room for goes first, then the ACK.
    /// `[tcp_data_snd_check]`, `[tcp_ack_snd_check]`
    pub(crate) fn send_check(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        self.data_send_check(id, cx);
        self.ack_check(id, cx);
    }

    /// `[tcp_data_snd_check]`
    pub(crate) fn data_send_check(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        self.push_pending(id, crate::tx::Nagle::Socket, cx);
        self.check_space(id);
    }
}
