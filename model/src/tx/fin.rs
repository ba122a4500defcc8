//! Our FIN. `[tcp_send_fin]`

use crate::kernel::Kernel;
use crate::segment::Flags;
use crate::sink::{Cx, Sink};
use crate::skb::Skb;
use crate::table::slab::SockId;
use crate::tx::output::Nagle;

impl Kernel {
    /// Queues a FIN behind everything written, on the last unsent piece if there is one, and
    /// pushes without Nagle, but not past the peer's window. `[tcp_send_fin]`
    pub(crate) fn send_fin(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        if let Some(tail) = self.socks[id].unsent.tail() {
            let skb = &mut self.skbs[tail];
            skb.flags |= Flags::FIN;
            skb.end_seq += 1;
            self.socks[id].write_seq += 1;
        } else {
            let seq = self.socks[id].write_seq;
            let skb = self.skbs.insert(Skb::new(seq, 0, Flags::FIN | Flags::ACK));
            let sk = &mut self.socks[id];
            sk.unsent.push(&mut self.skbs, skb);
            sk.write_seq += 1;
        }
        self.push_pending(id, Nagle::Off, cx);
    }
}
