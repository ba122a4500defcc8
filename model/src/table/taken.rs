//! Which local ports connect() has taken towards each destination.
//!
//! The established hash says it, too, but connect() asks for one port after the other, and as a rule
//! each answer of the hash is a miss of the cache, or two. Here the answers for 512 neighbouring ports
//! lie in one line of it. What is not here may still be taken by a request that has outlived its
//! listener.

use alloc::vec::Vec;

use crate::flow::FourTuple;

/// Ports of a page.
const PAGE: u16 = 512;
/// Pages of a destination.
const PAGES: usize = 1 << (16 - PAGE.trailing_zeros());
/// No page yet.
const NONE: u32 = u32::MAX;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Open addressing, at most half full: a destination's number plus one, 0 where there is none. It
    /// is a power of two long, or empty.
    index: Vec<u32>,
    destinations: Vec<Destination>,
    pages: Vec<[u64; PAGE as usize / 64]>,
}

#[derive(Debug)]
struct Destination {
    /// The flow without its local port.
    flow: FourTuple,
    pages: [u32; PAGES],
}

/// Its bit: the page's number, the word in it, the bit in that.
const fn bit(port: u16) -> (usize, usize, u64) {
    let within = port % PAGE;
    ((port / PAGE) as usize, (within / 64) as usize, 1 << (within % 64))
}

impl Taken {
    /// Where in the index the destination stands, or is to stand.
    #[inline]
    fn find(&self, flow: FourTuple) -> usize {
        let mask = self.index.len() - 1;
        let mut at = (flow.hash().wrapping_mul(0x9e37_79b1) >> 8) as usize & mask;
        while self.index[at] != 0 && self.destinations[self.index[at] as usize - 1].flow != flow {
            at = (at + 1) & mask;
        }
        at
    }
    #[inline]
    fn known(&self, flow: FourTuple) -> Option<&Destination> {
        if self.index.is_empty() {
            return None;
        }
        match self.index[self.find(FourTuple { sport: 0, ..flow })] {
            0 => None,
            number => Some(&self.destinations[number as usize - 1]),
        }
    }
    /// Has connect() taken that port towards that destination?
    #[inline]
    pub(crate) fn has(&self, flow: FourTuple, port: u16) -> bool {
        self.known(flow).is_some_and(|destination| self.page_has(destination, port))
    }
    fn page_has(&self, destination: &Destination, port: u16) -> bool {
        let (page, word, bit) = bit(port);
        let page = destination.pages[page];
        page != NONE && self.pages[page as usize][word] & bit != 0
    }
    /// It takes the port of that flow.
    #[inline]
    pub(crate) fn insert(&mut self, flow: FourTuple) {
        let number = self.number(FourTuple { sport: 0, ..flow });
        let (page, word, bit) = bit(flow.sport);
        let place = &mut self.destinations[number].pages[page];
        if *place == NONE {
            *place = self.pages.len() as u32;
            super::slab::make_room(&mut self.pages, 1);
            self.pages.push([0; PAGE as usize / 64]);
        }
        self.pages[*place as usize][word] |= bit;
    }
    /// The port of that flow is free again.
    #[inline]
    pub(crate) fn remove(&mut self, flow: FourTuple) {
        let (page, word, bit) = bit(flow.sport);
        if let Some(place) = self.known(flow).map(|destination| destination.pages[page])
            && place != NONE
        {
            self.pages[place as usize][word] &= !bit;
        }
    }
    /// The destination's number; makes one.
    fn number(&mut self, flow: FourTuple) -> usize {
        if (self.destinations.len() + 1) * 2 > self.index.len() {
            self.index = alloc::vec![0; (self.index.len() * 2).max(16)];
            for number in 0..self.destinations.len() {
                let at = self.find(self.destinations[number].flow);
                self.index[at] = number as u32 + 1;
            }
        }
        let at = self.find(flow);
        if self.index[at] == 0 {
            self.destinations.push(Destination { flow, pages: [NONE; PAGES] });
            self.index[at] = self.destinations.len() as u32;
        }
        self.index[at] as usize - 1
    }
    /// Every flow whose port is taken.
    pub(crate) fn iter(&self) -> impl Iterator<Item = FourTuple> + '_ {
        self.destinations.iter().flat_map(move |destination| {
            let ports = (0..=u16::MAX).filter(|port| self.page_has(destination, *port));
            ports.map(|sport| FourTuple { sport, ..destination.flow })
        })
    }
    pub(crate) const fn bytes(&self) -> usize {
        self.index.capacity() * size_of::<u32>()
            + self.destinations.capacity() * size_of::<Destination>()
            + self.pages.capacity() * size_of::<[u64; PAGE as usize / 64]>()
    }
}
