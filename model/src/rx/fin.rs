//! Their FIN, in order. `[tcp_fin]`

use crate::cause::Cause;
use crate::kernel::Kernel;
use crate::sink::{Cx, Sink};
use crate::state::TcpState;
use crate::table::slab::SockId;
use crate::time::Jiffies;

impl Kernel {
    /// An ACK of it is owed: at once where we have sent ours, delayed where the program may
    /// still answer with its own FIN and carry it. That delay decides whether the peer sees our
    /// ACK and our FIN apart. `[tcp_fin]`
    pub(crate) fn rcv_fin(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let sk = &mut self.socks[id];
        sk.ack.scheduled = true;
        sk.rcv_shutdown = true;
        sk.done = true;
        match sk.state {
            TcpState::SynRecv | TcpState::Established => {
                sk.ack.pingpong = self.sysctl.tcp_pingpong_thresh.clamp(1, 255) as u8;
                self.set_state(id, TcpState::CloseWait, cx);
            }
            TcpState::FinWait1 => {
                self.send_ack(id, Cause::AckOfFin, cx);
                self.set_state(id, TcpState::Closing, cx);
            }
            TcpState::FinWait2 => {
                self.send_ack(id, Cause::AckOfFin, cx);
                self.time_wait(id, TcpState::TimeWait, Jiffies(0), cx);
            }
            // A FIN again: nothing new.
            TcpState::CloseWait
            | TcpState::Closing
            | TcpState::LastAck
            | TcpState::SynSent
            | TcpState::TimeWait
            | TcpState::Close
            | TcpState::Listen
            | TcpState::NewSynRecv => {}
        }
        self.socks[id].ofo = None;
        self.socks[id].take_dsack();
        self.wake(id);
    }
}
