//! Pieces of a send queue: what was written, in segments to be, sent or not.

use crate::segment::Flags;
use crate::seq::Seq;
use crate::table::slab::{Id as _, SkbId, Slab};

/// A piece of sequence space with the flags it will carry. `[tcp_skb_cb]`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skb {
    pub(crate) seq: Seq,
    /// Behind it; SYN and FIN count.
    pub(crate) end_seq: Seq,
    pub(crate) flags: Flags,
    pub(crate) marks: Marks,
    /// When it was last sent, microseconds of kernel time.
    pub(crate) sent_us: u64,
    /// Payload bytes of a full segment when it was sent, 0 before. `[tcp_skb_mss]`
    pub(crate) unit: u16,
    next: u32,
}

/// The scoreboard's marks. `[TCPCB_*]`
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Marks {
    pub(crate) sacked: bool,
    pub(crate) lost: bool,
    pub(crate) retrans: bool,
    pub(crate) ever_retrans: bool,
}

impl Skb {
    pub(crate) const fn new(seq: Seq, len: u32, flags: Flags) -> Self {
        let extra = flags.syn() as u32 + flags.fin() as u32;
        Self {
            seq,
            end_seq: Seq(seq.0.wrapping_add(len).wrapping_add(extra)),
            flags,
            marks: Marks { sacked: false, lost: false, retrans: false, ever_retrans: false },
            sent_us: 0,
            unit: 0,
            next: u32::MAX,
        }
    }
    /// The piece behind it in its queue.
    pub(crate) fn next(&self) -> Option<SkbId> {
        (self.next != u32::MAX).then(|| SkbId::new(self.next))
    }
    /// Payload bytes.
    pub(crate) fn len(&self) -> u32 {
        self.end_seq - self.seq - u32::from(self.flags.syn()) - u32::from(self.flags.fin())
    }
    /// Segments it makes: one until it is sent. `[tcp_skb_pcount]`
    pub(crate) fn segments(&self) -> u32 {
        // Most pieces are one segment, and a division takes as long as ten other instructions.
        let (len, unit) = (self.len(), u32::from(self.unit));
        if unit == 0 || len <= unit { 1 } else { len.div_ceil(unit) }
    }
}

/// All pieces of a host.
pub(crate) type Skbs = Slab<SkbId, Skb>;

/// A queue of pieces, in sequence order, linked through them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    head: u32,
    tail: u32,
}

impl Queue {
    pub(crate) const EMPTY: Self = Self { head: u32::MAX, tail: u32::MAX };

    pub(crate) const fn is_empty(self) -> bool {
        self.head == u32::MAX
    }
    pub(crate) fn head(self) -> Option<SkbId> {
        (self.head != u32::MAX).then(|| SkbId::new(self.head))
    }
    pub(crate) fn tail(self) -> Option<SkbId> {
        (self.tail != u32::MAX).then(|| SkbId::new(self.tail))
    }
    pub(crate) fn push(&mut self, skbs: &mut Skbs, id: SkbId) {
        skbs[id].next = u32::MAX;
        match self.tail() {
            Some(tail) => skbs[tail].next = id.index(),
            None => self.head = id.index(),
        }
        self.tail = id.index();
    }
    /// Unlinks the first piece; the slot stays the caller's.
    pub(crate) fn pop(&mut self, skbs: &Skbs) -> Option<SkbId> {
        let first = self.head()?;
        self.head = skbs[first].next;
        if self.head == u32::MAX {
            self.tail = u32::MAX;
        }
        Some(first)
    }
    /// Unlinks and frees the piece behind `id`.
    pub(crate) fn remove_next(&mut self, skbs: &mut Skbs, id: SkbId) {
        if let Some(next) = next(skbs, id) {
            skbs[id].next = skbs[next].next;
            if self.tail == next.index() {
                self.tail = id.index();
            }
            skbs.remove(next);
        }
    }
    /// Cuts `id` behind its first `len` payload bytes; FIN and PSH go with the rest.
    /// `[tcp_fragment]`
    pub(crate) fn split(&mut self, skbs: &mut Skbs, id: SkbId, len: u32) {
        let mut rest = skbs[id];
        rest.seq += len;
        let rest_id = skbs.insert(rest);
        let first = &mut skbs[id];
        first.end_seq = rest.seq;
        first.flags = first.flags.without(Flags::FIN | Flags::PSH);
        first.next = rest_id.index();
        if self.tail == id.index() {
            self.tail = rest_id.index();
        }
    }
    /// Frees everything.
    pub(crate) fn clear(&mut self, skbs: &mut Skbs) {
        while let Some(id) = self.pop(skbs) {
            skbs.remove(id);
        }
    }
    pub(crate) fn iter(self, skbs: &Skbs) -> impl Iterator<Item = SkbId> + '_ {
        core::iter::successors(self.head(), |&id| next(skbs, id))
    }
}

/// The piece behind `id` in its queue.
pub(crate) fn next(skbs: &Skbs, id: SkbId) -> Option<SkbId> {
    let next = skbs[id].next;
    (next != u32::MAX).then(|| SkbId::new(next))
}
