//! What an application keeps of each of its descriptors, indexed by the descriptor.

use finwait_model::kernel::Fd;

/// A record for each descriptor that has one.
#[derive(Clone, Debug)]
pub(crate) struct Held<T> {
    table: Vec<Option<(Fd, T)>>,
    count: usize,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { table: Vec::new(), count: 0 }
    }
}

impl<T> Held<T> {
    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }
    /// The record of a descriptor, unless it is stale.
    pub(crate) fn get(&self, fd: Fd) -> Option<&T> {
        let (held, record) = self.table.get(fd.index as usize)?.as_ref()?;
        (*held == fd).then_some(record)
    }
    /// The same, to change it.
    pub(crate) fn get_mut(&mut self, fd: Fd) -> Option<&mut T> {
        let (held, record) = self.table.get_mut(fd.index as usize)?.as_mut()?;
        (*held == fd).then_some(record)
    }
    /// Keeps a record; what was kept of an older descriptor in that place is forgotten.
    pub(crate) fn insert(&mut self, fd: Fd, record: T) {
        let index = fd.index as usize;
        if index >= self.table.len() {
            self.table.resize_with(index + 1, || None);
        }
        if self.table[index].replace((fd, record)).is_none() {
            self.count += 1;
        }
    }
    /// Takes the record of a descriptor out.
    pub(crate) fn remove(&mut self, fd: Fd) -> Option<T> {
        self.get(fd)?;
        self.count -= 1;
        self.table[fd.index as usize].take().map(|(_, record)| record)
    }
    /// All of them, in the order of their descriptors.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fd, &T)> {
        self.table.iter().flatten().map(|(fd, record)| (*fd, record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_descriptor_has_no_record() {
        let fd = |generation| Fd { index: 3, generation };
        let mut held = Held::default();
        held.insert(fd(0), 'a');
        assert_eq!((held.get(fd(0)), held.get(fd(1))), (Some(&'a'), None));
        held.insert(fd(1), 'b');
        assert_eq!((held.get(fd(0)), held.count()), (None, 1));
        assert_eq!(held.iter().collect::<Vec<_>>(), [(fd(1), &'b')]);
        assert_eq!((held.remove(fd(0)), held.remove(fd(1))), (None, Some('b')));
        assert_eq!(held.count(), 0);
    }
}
