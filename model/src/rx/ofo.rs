//! Payload beyond a hole: the queue of pieces, the SACK blocks that tell of it, and duplicates.
//! `[tcp_data_queue_ofo]`, `[tcp_ofo_queue]`
//!
//! The queue keeps *pieces*, one for each segment that came: pieces that touch stay two, and pieces
//! may even overlap. So a segment across the joint of two pieces is "present" in neither, and no
//! `TCPOFOMerge` counts it. Only a segment that begins where a piece ends, and fits the room behind
//! it, becomes a part of that piece (measured on 6.18).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::data::header_of;
use crate::counters::Mib;
use crate::kernel::Kernel;
use crate::memory::tail_room;
use crate::segment::{SackBlock, Segment};
use crate::seq::Seq;
use crate::sink::{Cx, Sink};
use crate::table::slab::SockId;

/// Pieces held beyond a hole and the SACK blocks we tell.
/// Lives in a side table: most connections never have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ofo {
    /// Sorted by `seq`. `[out_of_order_queue]`
    pub(crate) pieces: Vec<OfoPiece>,
    /// Most recently changed first. `[selective_acks]`
    pub(crate) sacks: Vec<SackBlock>,
}

/// What one segment brought, and those that were copied behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OfoPiece {
    pub(crate) seq: Seq,
    /// Behind it, FIN included.
    pub(crate) end: Seq,
    pub(crate) fin: bool,
    /// Bytes that may still be copied behind it. `[skb_tailroom]`
    pub(crate) room: u32,
}

impl Ofo {
    /// Where the pieces that begin behind `seq` begin.
    fn behind(&self, seq: Seq) -> usize {
        self.pieces.partition_point(|p| !p.seq.after(seq))
    }
    /// Copies a segment of `len` bytes behind a piece that ends where it begins. What begins at the
    /// last piece's end or behind it is compared with that piece only. `[tcp_ooo_try_coalesce]`
    fn copy_behind(&mut self, new: OfoPiece, len: u32) -> bool {
        let from = match self.pieces.last() {
            Some(last) if !new.seq.before(last.end) => self.pieces.len() - 1,
            _ => 0,
        };
        let fits = |p: &&mut OfoPiece| p.end == new.seq && p.room >= len;
        let Some(piece) = self.pieces[from..].iter_mut().find(fits) else { return false };
        piece.end = new.end;
        piece.fin |= new.fin;
        piece.room -= len;
        true
    }
    /// Blocks that touch the news become one, told first; the fifth is forgotten.
    /// `[tcp_sack_new_ofo_skb]`, `[tcp_sack_maybe_coalesce]`
    fn note_sack(&mut self, left: Seq, right: Seq) {
        let mut news = SackBlock { left, right };
        let touch = |a: SackBlock, b: SackBlock| !a.left.after(b.right) && !b.left.after(a.right);
        if let Some(known) = self.sacks.iter().position(|&b| touch(b, news)) {
            news = join(self.sacks.remove(known), news);
            self.sacks.retain(|&b| {
                let apart = !touch(b, news);
                if !apart {
                    news = join(b, news);
                }
                apart
            });
        }
        self.sacks.insert(0, news);
        self.sacks.truncate(4);
    }
}

/// From the earlier left to the later right.
fn join(a: SackBlock, b: SackBlock) -> SackBlock {
    SackBlock { left: a.left.earlier(b.left), right: a.right.later(b.right) }
}

impl Kernel {
    /// Beyond a hole. `[tcp_data_queue_ofo]`
    pub(super) fn queue_out_of_order(&mut self, id: SockId, seg: &Segment) {
        self.measure_rcv_mss(id, seg);
        self.counters.inc(Mib::TCPOFOQueue);
        let (len, header) = (u32::from(seg.len), header_of(seg));
        let new = OfoPiece {
            seq: seg.seq,
            end: seg.end_seq(),
            fin: seg.flags.fin(),
            room: tail_room(len + header + 20),
        };
        let sk = &mut self.socks[id];
        sk.pred_win = None;
        sk.ack.scheduled = true;
        let mut ofo = sk.ofo.take().unwrap_or_else(|| Box::new(Ofo::default()));
        let kept = ofo.copy_behind(new, len) || self.insert_piece(id, &mut ofo, new);
        let sk = &mut self.socks[id];
        if kept {
            sk.charge(len, header);
        }
        let sack_ok = sk.sack_ok;
        if sack_ok {
            ofo.note_sack(new.seq, new.end);
        }
        sk.ofo = Some(ofo);
        // Without SACK the window stays, so that the ACK is a duplicate.
        if sack_ok && kept {
            self.grow_window(id, len, header);
        }
    }

    /// A piece finds its place, and what it shares with its neighbours is a duplicate. False: all of
    /// it lies in one piece, and it is not kept. `[SKB_DROP_REASON_TCP_OFOMERGE]`
    ///
    /// The kernel asks every piece on its way down a tree, this only the last that begins no later
    /// than the new one; the two differ where three pieces overlap each other, and then only in how
    /// often `TCPDSACKOfoSent` counts.
    fn insert_piece(&mut self, id: SockId, ofo: &mut Ofo, new: OfoPiece) -> bool {
        let mut at = ofo.behind(new.seq);
        if let Some(before) = at.checked_sub(1).map(|i| ofo.pieces[i])
            && new.seq.before(before.end)
        {
            if !new.end.after(before.end) {
                self.counters.inc(Mib::TCPOFOMerge);
                self.set_dsack(id, new.seq, new.end);
                return false;
            }
            if new.seq == before.seq {
                at -= 1;
            } else {
                self.set_dsack(id, new.seq, before.end);
            }
        }
        // Those that it covers give way to it.
        while let Some(next) = ofo.pieces.get(at).copied()
            && new.end.after(next.seq)
        {
            self.extend_dsack(id, next.seq, next.end.earlier(new.end));
            if new.end.before(next.end) {
                break;
            }
            self.counters.inc(Mib::TCPOFOMerge);
            ofo.pieces.remove(at);
        }
        ofo.pieces.insert(at, new);
        true
    }

    /// The hole is filled: what lay behind it is in order now. `[tcp_ofo_queue]`
    pub(super) fn drain_out_of_order(&mut self, id: SockId, cx: &mut Cx<'_, impl Sink>) {
        let filled = self.socks[id].rcv_nxt;
        loop {
            let sk = &mut self.socks[id];
            let Some(ofo) = sk.ofo.as_mut() else { return };
            let Some(first) = ofo.pieces.first().copied() else { break };
            if first.seq.after(sk.rcv_nxt) {
                break;
            }
            ofo.pieces.remove(0);
            if first.seq.before(filled) {
                self.extend_dsack(id, first.seq, first.end.earlier(filled));
            }
            let sk = &mut self.socks[id];
            if first.end.after(sk.rcv_nxt) {
                let payload = (first.end - sk.rcv_nxt) - u32::from(first.fin);
                sk.bytes_received += u64::from(payload);
                sk.rcv_nxt = first.end;
                if first.fin {
                    self.socks[id].fin_merged = true;
                    self.rcv_fin(id, cx);
                }
            }
        }
        let sk = &mut self.socks[id];
        let rcv_nxt = sk.rcv_nxt;
        let Some(ofo) = sk.ofo.as_mut() else { return };
        // [tcp_sack_remove]
        ofo.sacks.retain(|block| rcv_nxt.before(block.left));
        if ofo.pieces.is_empty() {
            sk.ofo = None;
        }
    }

    /// A duplicate to be reported with the next ACK. `[tcp_dsack_set]`
    pub(crate) fn set_dsack(&mut self, id: SockId, left: Seq, right: Seq) {
        let sk = &mut self.socks[id];
        if sk.sack_ok && self.sysctl.tcp_dsack != 0 {
            let old = left.before(sk.rcv_nxt);
            self.counters.inc(if old { Mib::TCPDSACKOldSent } else { Mib::TCPDSACKOfoSent });
            sk.rare_mut().dsack = Some(SackBlock { left, right });
        }
    }

    /// Another duplicate: it joins the one to be reported if they touch. `[tcp_dsack_extend]`
    fn extend_dsack(&mut self, id: SockId, left: Seq, right: Seq) {
        match self.socks[id].rare.as_mut().and_then(|rare| rare.dsack.as_mut()) {
            None => self.set_dsack(id, left, right),
            Some(block) if !left.after(block.right) && !block.left.after(right) => {
                *block = join(*block, SackBlock { left, right });
            }
            Some(_) => {}
        }
    }
}
