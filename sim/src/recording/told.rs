//! What has been told of a row of `ss`, packed: two for each connection of a block, and a block has
//! thousands of connections.

use finwait_model::time::Jiffies;

use super::shapes::Words;

/// A row as it was told last, without its ends. The default: none has been told.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Told {
    due: Jiffies,
    rx: u32,
    tx: u32,
    count: u32,
    /// Listeners of several hosts may share their ends.
    host: u16,
    /// Object and state.
    what: u8,
    /// The timer's number in the lower three bits, [`TOLD`], [`SHOWN`] and [`ORPHAN`].
    switches: u8,
}

/// Something was told.
const TOLD: u8 = 0x80;
/// There is a row; else it is gone.
const SHOWN: u8 = 0x40;
const ORPHAN: u8 = 0x20;

impl Told {
    /// A row of that shape ([`super::shape::of_line`]) on that host, whose timer waits for `due`.
    #[inline]
    pub(super) const fn of(host: u16, words: &Words, due: Jiffies) -> Self {
        let [what, rx, tx, timer, count, orphan] = *words;
        if what < 0 {
            return Self { switches: TOLD, host, what: 0, due: Jiffies(0), rx: 0, tx: 0, count: 0 };
        }
        let orphan = if orphan != 0 { ORPHAN } else { 0 };
        let timer = (timer & 7) as u8;
        Self {
            due: if timer == 0 { Jiffies(0) } else { due },
            rx: rx as u32,
            tx: tx as u32,
            count: count as u32,
            host,
            what: what as u8,
            switches: TOLD | SHOWN | orphan | timer,
        }
    }
    /// What its timer waits for, if that host has told a row with one.
    #[inline]
    pub(super) const fn due(&self, host: u16) -> Option<Jiffies> {
        if self.switches & 7 != 0 && self.host == host { Some(self.due) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::shape;
    use finwait_model::flow::FourTuple;
    use finwait_model::kernel::{Line, LineTimer, Object};
    use finwait_model::state::TcpState;
    use proptest::prelude::*;

    /// Few values each, so that equal rows are met.
    fn lines() -> impl Strategy<Value = Option<Line>> {
        let timer = proptest::option::of((0..4_usize, 0..2_u64, 0..2_u32));
        let rest = (0..TcpState::ALL.len(), 0..4_i64, 0..2_u32, 0..2_u32, timer, any::<bool>());
        proptest::option::of(rest.prop_map(|(state, object, rx, tx, timer, orphan)| {
            let names = ["on", "keepalive", "timewait", "persist"];
            let far = |n: u32| n * u32::MAX;
            let flow = FourTuple::default();
            Line {
                state: TcpState::ALL[state],
                object: [Object::Listener, Object::Request, Object::Sock, Object::Bucket]
                    [object as usize],
                rx_queue: far(rx),
                tx_queue: far(tx),
                local: flow.source(),
                remote: flow.destination(),
                timer: timer.map(|(name, due, count)| LineTimer {
                    name: names[name],
                    due: Jiffies(due * u64::MAX),
                    count: far(count),
                }),
                orphan,
            }
        }))
    }

    fn told(host: u16, line: Option<&Line>) -> Told {
        let due = line.and_then(|l| l.timer).map_or(Jiffies(7), |t| t.due);
        Told::of(host, &shape::of_line(line), due)
    }

    proptest! {
        #[test]
        fn equal_rows_are_told_alike_and_others_are_not(
            a in lines(), b in lines(), (i, j) in (0..2_u16, 0..2_u16),
        ) {
            let (one, other) = (told(i, a.as_ref()), told(j, b.as_ref()));
            prop_assert_eq!(one == other, (i, &a) == (j, &b));
            prop_assert_ne!(one, Told::default());
            let due = a.and_then(|l| l.timer).map(|t| t.due);
            prop_assert_eq!(one.due(i), due);
            prop_assert_eq!(one.due(i + 1), None);
        }
    }
}
