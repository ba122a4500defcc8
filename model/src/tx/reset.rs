//! RSTs: in answer to a segment, and of our own accord.

use crate::cause::Cause;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::segment::{Flags, Options, Segment};
use crate::seq::Seq;
use crate::sink::{Cx, Sink};
use crate::skb::Skb;
use crate::table::slab::SockId;

impl Kernel {
    /// A RST in answer to `seg`, made of it alone; never in answer to a RST.
    /// `[tcp_v4_send_reset]`
    pub(crate) fn send_reset(&mut self, seg: &Segment, cause: Cause, cx: &mut Cx<'_, impl Sink>) {
        if seg.flags.rst() {
            return;
        }
        let (seq, ack, flags) = if seg.flags.ack() {
            (seg.ack, Seq(0), Flags::RST)
        } else {
            (Seq(0), seg.end_seq(), Flags::RST | Flags::ACK)
        };
        let reset = Segment {
            flow: seg.flow.reversed(),
            seq,
            ack,
            len: 0,
            win: 0,
            flags,
            options: Options::default(),
        };
        self.counters.inc(Mib::OutSegs);
        self.counters.inc(Mib::OutRsts);
        self.emit(&reset, cause, cx);
    }

    /// A RST from our own socket, with its window and timestamps. `[tcp_send_active_reset]`
    pub(crate) fn send_active_reset(
        &mut self,
        id: SockId,
        cause: Cause,
        cx: &mut Cx<'_, impl Sink>,
    ) {
        self.counters.inc(Mib::OutRsts);
        let seq = self.acceptable_seq(id);
        self.transmit(id, &Skb::new(seq, 0, Flags::RST | Flags::ACK), cause, cx);
    }
}
