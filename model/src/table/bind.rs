//! Who holds which local port. `[inet_bind_hashbucket]`

use alloc::boxed::Box;
use alloc::vec::Vec;

/// One local port's bucket. `[inet_bind_bucket]`
///
/// Owners are counted, not listed: only an explicit bind() asks who they are, and looks through
/// the tables then (`[inet_csk_bind_conflict]`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Port {
    /// Sockets, listeners, children and timewait buckets that hold it.
    pub(crate) owners: u32,
    /// Those of them that did not get it from connect()'s port search.
    pub(crate) explicit: u32,
    /// Made or last used by bind(): connect()'s search passes it by (`fastreuse` >= 0).
    pub(crate) bound: bool,
}

/// The buckets of 256 ports. What connect()'s search looks at lies close together.
#[derive(Debug)]
pub(crate) struct Page {
    /// A bit for each port.
    bound: [u64; 4],
    owners: [u32; 256],
    explicit: [u32; 256],
}

/// All ports, in pages that are made when first touched.
#[derive(Debug)]
pub(crate) struct BindTable {
    pages: Vec<Option<Box<Page>>>,
    /// 6.18: a bucket returns to connect() when its last explicit owner leaves.
    resets_after_explicit: bool,
    /// Are owners counted that got their port from connect()'s search?
    counts_found: bool,
}

impl Page {
    const EMPTY: Self = Self { bound: [0; 4], owners: [0; 256], explicit: [0; 256] };

    const fn is_bound(&self, place: usize) -> bool {
        self.bound[place / 64] >> (place % 64) & 1 == 1
    }
    const fn set_bound(&mut self, place: usize, bound: bool) {
        let bit = 1 << (place % 64);
        if bound {
            self.bound[place / 64] |= bit;
        } else {
            self.bound[place / 64] &= !bit;
        }
    }
    const fn port(&self, place: usize) -> Port {
        Port {
            owners: self.owners[place],
            explicit: self.explicit[place],
            bound: self.is_bound(place),
        }
    }
}

/// Its page, and its place there. Ports that are 32 apart are neighbours, as in
/// [`FourTuple::hash`](crate::flow::FourTuple::hash).
const fn place(port: u16) -> (usize, usize) {
    ((port >> 8) as usize, ((port & 31) << 3 | port >> 5 & 7) as usize)
}

/// The port at that place.
const fn port_at(page: usize, place: usize) -> u16 {
    (page << 8 | (place & 7) << 5 | place >> 3) as u16
}

impl BindTable {
    pub(crate) fn new(resets_after_explicit: bool) -> Self {
        let pages = (0..256).map(|_| None).collect();
        Self { pages, resets_after_explicit, counts_found: true }
    }
    /// From now on only explicit owners are counted. See [`crate::pair`].
    pub(crate) const fn forgo_found(&mut self) {
        self.counts_found = false;
    }
    pub(crate) fn get(&self, port: u16) -> Port {
        let (page, place) = place(port);
        self.pages[page].as_ref().map_or_else(Port::default, |page| page.port(place))
    }
    /// Does connect()'s search pass it by?
    #[inline]
    pub(crate) fn is_bound(&self, port: u16) -> bool {
        let (page, place) = place(port);
        self.pages[page].as_ref().is_some_and(|page| page.is_bound(place))
    }
    fn page(&mut self, page: usize) -> &mut Page {
        self.pages[page].get_or_insert_with(|| Box::new(Page::EMPTY))
    }
    /// A new owner. `explicit`: it did not get the port from connect()'s search.
    #[inline]
    pub(crate) fn add(&mut self, port: u16, explicit: bool) {
        if !explicit && !self.counts_found {
            return;
        }
        let (page, place) = place(port);
        let page = self.page(page);
        if explicit {
            page.explicit[place] += 1;
            page.set_bound(place, true);
        }
        page.owners[place] += 1;
    }
    /// An owner leaves; the last one frees the bucket. `[inet_put_port]`
    #[inline]
    pub(crate) fn drop_owner(&mut self, port: u16, explicit: bool) {
        if !explicit && !self.counts_found {
            return;
        }
        let resets = self.resets_after_explicit;
        let (page, place) = place(port);
        let page = self.page(page);
        debug_assert!(page.owners[place] > 0, "port {port} is released by an owner");
        page.owners[place] -= 1;
        page.explicit[place] -= u32::from(explicit);
        if page.owners[place] == 0 || (resets && page.explicit[place] == 0) {
            page.set_bound(place, false);
        }
    }
    /// All ports with an owner.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, Port)> + '_ {
        self.pages.iter().enumerate().flat_map(|(high, page)| {
            page.iter().flat_map(move |page| {
                let ports = (0..256).map(move |place| (port_at(high, place), page.port(place)));
                ports.filter(|(_, port)| port.owners > 0)
            })
        })
    }
    pub(crate) fn bytes(&self) -> usize {
        self.pages.iter().flatten().count() * size_of::<Page>()
    }
}
