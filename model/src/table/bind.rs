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

/// All ports, in pages that are made when first touched.
#[derive(Debug)]
pub(crate) struct BindTable {
    pages: Vec<Option<Box<[Port; 256]>>>,
    /// 6.18: a bucket returns to connect() when its last explicit owner leaves.
    resets_after_explicit: bool,
}

impl BindTable {
    pub(crate) fn new(resets_after_explicit: bool) -> Self {
        Self { pages: (0..256).map(|_| None).collect(), resets_after_explicit }
    }
    pub(crate) fn get(&self, port: u16) -> Port {
        self.pages[usize::from(port >> 8)]
            .as_ref()
            .map_or_else(Port::default, |page| page[usize::from(port & 255)])
    }
    fn slot(&mut self, port: u16) -> &mut Port {
        let page = self.pages[usize::from(port >> 8)]
            .get_or_insert_with(|| Box::new([Port::default(); 256]));
        &mut page[usize::from(port & 255)]
    }
    /// A new owner. `explicit`: it did not get the port from connect()'s search.
    pub(crate) fn add(&mut self, port: u16, explicit: bool) {
        let slot = self.slot(port);
        if explicit {
            slot.explicit += 1;
            slot.bound = true;
        }
        slot.owners += 1;
    }
    /// An owner leaves; the last one frees the bucket. `[inet_put_port]`
    pub(crate) fn drop_owner(&mut self, port: u16, explicit: bool) {
        let resets = self.resets_after_explicit;
        let slot = self.slot(port);
        debug_assert!(slot.owners > 0, "port {port} is released by an owner");
        slot.owners -= 1;
        slot.explicit -= u32::from(explicit);
        if slot.owners == 0 || (resets && slot.explicit == 0) {
            slot.bound = false;
        }
    }
    /// All ports with an owner.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, Port)> + '_ {
        self.pages.iter().enumerate().flat_map(|(high, page)| {
            page.iter().flat_map(move |page| {
                page.iter()
                    .enumerate()
                    .filter(|(_, p)| p.owners > 0)
                    .map(move |(low, p)| ((high << 8 | low) as u16, *p))
            })
        })
    }
    pub(crate) fn bytes(&self) -> usize {
        self.pages.iter().flatten().count() * size_of::<[Port; 256]>()
    }
}
