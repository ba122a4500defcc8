//! Their RST, accepted. `[tcp_reset]`

use crate::errno::Errno;
use crate::kernel::Kernel;
use crate::segment::Segment;
use crate::sink::{Cx, DropReason, Sink, SockEnd};
use crate::state::TcpState;
use crate::table::slab::SockId;

impl Kernel {
    pub(crate) fn tcp_reset(&mut self, id: SockId, seg: &Segment, cx: &mut Cx<'_, impl Sink>) {
        self.drop_segment(seg, DropReason::TcpReset, cx);
        self.reset_sock(id, SockEnd::ResetByPeer, cx);
    }

    /// The connection ends with the error that its state deserves. `[tcp_reset]`
    pub(crate) fn reset_sock(&mut self, id: SockId, why: SockEnd, cx: &mut Cx<'_, impl Sink>) {
        let sk = &mut self.socks[id];
        sk.err = Some(match sk.state {
            TcpState::SynSent => Errno::ECONNREFUSED,
            TcpState::CloseWait => Errno::EPIPE,
            TcpState::Close => return,
            TcpState::Established
            | TcpState::SynRecv
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::LastAck
            | TcpState::Listen
            | TcpState::Closing
            | TcpState::NewSynRecv => Errno::ECONNRESET,
        });
        self.purge_write_queue(id);
        self.tcp_done(id, why, cx);
    }
}
