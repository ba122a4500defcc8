//! Alarms: at most one for each descriptor, the earliest first. Setting one again moves it, so that a
//! timer that is put off with each byte leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use finwait_model::kernel::Fd;
use finwait_model::time::Instant;

/// When to look after which descriptor.
#[derive(Clone, Default, Debug)]
pub(crate) struct Alarms {
    of: BTreeMap<Fd, Instant>,
    queue: BTreeSet<(Instant, Fd)>,
}

impl Alarms {
    /// Sets the alarm of a descriptor; an earlier one is forgotten.
    pub(crate) fn set(&mut self, fd: Fd, at: Instant) {
        if let Some(before) = self.of.insert(fd, at) {
            self.queue.remove(&(before, fd));
        }
        self.queue.insert((at, fd));
    }
    /// A descriptor needs none any more.
    pub(crate) fn clear(&mut self, fd: Fd) {
        if let Some(before) = self.of.remove(&fd) {
            self.queue.remove(&(before, fd));
        }
    }
    /// When the next one goes off.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }
    /// A descriptor whose alarm has gone off by now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Fd> {
        let (at, fd) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.clear(fd);
        Some(fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_that_was_set_goes_off_once() {
        let fd = |index| Fd { index, generation: 0 };
        let at = |ns| Instant { ns };
        let mut alarms = Alarms::default();
        alarms.set(fd(1), at(5));
        alarms.set(fd(2), at(5));
        alarms.set(fd(3), at(4));
        alarms.set(fd(1), at(9));
        alarms.clear(fd(3));
        assert_eq!((alarms.due(), alarms.take(at(4))), (Some(at(5)), None));
        assert_eq!((alarms.take(at(7)), alarms.take(at(7))), (Some(fd(2)), None));
        assert_eq!((alarms.take(at(9)), alarms.due()), (Some(fd(1)), None));
    }
}
