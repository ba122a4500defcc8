//! The last fatal event of each recent flow, in a table of fixed size.

use finwait_model::flow::FourTuple;
use finwait_model::sink::{BucketEnd, Note, RequestEnd, SockEnd};
use finwait_model::state::TcpState;
use finwait_model::time::Instant;

/// What is remembered of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Past {
    /// The flow, seen from its host.
    pub flow: FourTuple,
    /// When close() left it without a file, and in which state.
    pub orphaned: Option<(Instant, TcpState)>,
    /// The last event that took something away which a later segment may look for.
    pub fatal: Option<(Instant, Fatal)>,
}

/// Such an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fatal {
    /// No bucket could be had.
    BucketRefused {
        /// The state that was skipped.
        substate: TcpState,
        /// Buckets in existence.
        count: u32,
        /// The limit.
        limit: i32,
        /// When the oldest bucket goes, if the table knows it.
        next_expiry: Option<Instant>,
    },
    /// A bucket stands in the place of the socket.
    BucketStands(TcpState),
    /// A bucket has gone.
    BucketDied(TcpState, BucketEnd),
    /// A socket has gone, from this state.
    Destroyed(TcpState, SockEnd),
    /// A half-open request has gone.
    RequestDied(RequestEnd),
}

/// How many flows share a set. Neighbouring ports fall into neighbouring sets.
const WAYS: usize = 4;
/// How many sets: 4,096 × 4 flows are what ends within a few seconds at thousands of closes per
/// second, and the table stays in the processor's cache.
const SETS: usize = 1 << 12;

/// The table: a set-associative cache that forgets the flow whose event is oldest.
#[derive(Debug)]
pub(super) struct Pasts {
    entries: Vec<Option<Past>>,
}

impl Default for Pasts {
    fn default() -> Self {
        Self { entries: vec![None; SETS * WAYS] }
    }
}

impl Past {
    const fn new(flow: FourTuple) -> Self {
        Self { flow, orphaned: None, fatal: None }
    }
    fn last(&self) -> Instant {
        let times = [self.orphaned.map(|o| o.0), self.fatal.map(|f| f.0)];
        times.into_iter().flatten().max().unwrap_or(Instant::ZERO)
    }
}

impl Pasts {
    fn set(flow: FourTuple) -> core::ops::Range<usize> {
        let first = (flow.hash() as usize % SETS) * WAYS;
        first..first + WAYS
    }
    /// What is remembered of a flow.
    pub(super) fn find(&self, flow: FourTuple) -> Option<Past> {
        self.entries[Self::set(flow)].iter().flatten().find(|p| p.flow == flow).copied()
    }
    fn known(&mut self, flow: FourTuple) -> Option<&mut Past> {
        self.entries[Self::set(flow)].iter_mut().flatten().find(|p| p.flow == flow)
    }
    fn forget(&mut self, flow: FourTuple) {
        for entry in &mut self.entries[Self::set(flow)] {
            if entry.is_some_and(|p| p.flow == flow) {
                *entry = None;
            }
        }
    }
    /// The flow's entry; makes one in place of the oldest of its set if need be.
    fn entry(&mut self, flow: FourTuple) -> &mut Past {
        let set = &mut self.entries[Self::set(flow)];
        let mut choice = 0;
        for (way, entry) in set.iter().enumerate() {
            match (entry, &set[choice]) {
                (Some(past), _) if past.flow == flow => {
                    choice = way;
                    break;
                }
                (None, Some(_)) => choice = way,
                (Some(past), Some(oldest)) if past.last() < oldest.last() => choice = way,
                _ => {}
            }
        }
        let slot = &mut set[choice];
        if slot.is_none_or(|p| p.flow != flow) {
            *slot = None;
        }
        slot.get_or_insert(Past::new(flow))
    }
    /// Takes a note in.
    pub(super) fn note(&mut self, at: Instant, note: &Note) {
        let (flow, fatal) = match *note {
            Note::BucketRefused { flow, substate, count, limit, next_expiry } => {
                (flow, Fatal::BucketRefused { substate, count, limit, next_expiry })
            }
            Note::BucketBorn { flow, substate, .. } => (flow, Fatal::BucketStands(substate)),
            Note::BucketTimeWait { flow } => (flow, Fatal::BucketStands(TcpState::TimeWait)),
            // On 3.10 thousands expire in one tick: they must not drive out what is younger.
            Note::BucketDied { flow, substate, how: how @ BucketEnd::Expired } => {
                if let Some(past) = self.known(flow) {
                    past.fatal = Some((at, Fatal::BucketDied(substate, how)));
                }
                return;
            }
            Note::BucketDied { flow, substate, how } => (flow, Fatal::BucketDied(substate, how)),
            Note::RequestDied { flow, why } => (flow, Fatal::RequestDied(why)),
            // The refusal and the bucket's birth say more than the end of the socket does.
            Note::Destroyed { why: SockEnd::BucketRefused | SockEnd::ToBucket, .. } => return,
            Note::Destroyed { flow, state, why } => (flow, Fatal::Destroyed(state, why)),
            Note::Orphaned { flow, state } => {
                self.entry(flow).orphaned = Some((at, state));
                return;
            }
            // A new connection has nothing to do with what the last one on these ports did.
            Note::RequestBorn { flow } | Note::State { flow, to: TcpState::SynSent, .. } => {
                return self.forget(flow);
            }
            Note::State { .. } | Note::Timer { .. } | Note::Drop { .. } => return,
        };
        self.entry(flow).fatal = Some((at, fatal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use finwait_model::flow::{Addr, Endpoint};

    fn flow(port: u16) -> FourTuple {
        let web = Endpoint::new(Addr::v4(10, 0, 0, 1), port);
        FourTuple::new(web, Endpoint::new(Addr::v4(10, 0, 0, 2), 6379))
    }
    fn expired(port: u16) -> Note {
        let (flow, substate) = (flow(port), TcpState::TimeWait);
        Note::BucketDied { flow, substate, how: BucketEnd::Expired }
    }

    #[test]
    fn remembers_the_last_fatal_event_and_forgets_with_a_new_connection() {
        let mut pasts = Pasts::default();
        let at = |s| Instant::ZERO + finwait_model::time::Span::secs(s);
        pasts.note(at(1), &Note::Orphaned { flow: flow(1), state: TcpState::FinWait1 });
        pasts.note(at(2), &expired(1));
        let past = pasts.find(flow(1)).expect("it is remembered");
        assert_eq!(past.orphaned, Some((at(1), TcpState::FinWait1)));
        assert_eq!(
            past.fatal,
            Some((at(2), Fatal::BucketDied(TcpState::TimeWait, BucketEnd::Expired)))
        );
        pasts.note(at(3), &Note::RequestBorn { flow: flow(1) });
        assert_eq!(pasts.find(flow(1)), None);
    }

    #[test]
    fn a_tick_in_which_thousands_expire_drives_out_nothing() {
        let mut pasts = Pasts::default();
        let refused = |port| Note::RequestDied { flow: flow(port), why: RequestEnd::TimedOut };
        (0..1000).for_each(|port| pasts.note(Instant { ns: 1 }, &refused(port)));
        (1000..60_000).for_each(|port| pasts.note(Instant { ns: 2 }, &expired(port)));
        assert!((0..1000).all(|port| pasts.find(flow(port)).is_some()));
    }

    #[test]
    fn a_full_set_forgets_its_oldest_flow() {
        let mut pasts = Pasts::default();
        // Ports that differ by the number of sets fall into one set; there are only two such here,
        // so vary the remote port instead: it enters the hash alike.
        let same_set: Vec<FourTuple> = (0..=WAYS as u16)
            .map(|i| FourTuple { sport: 40_000 ^ i, dport: 6379 ^ i, ..flow(0) })
            .collect();
        for (i, &flow) in same_set.iter().enumerate() {
            assert_eq!(Pasts::set(flow), Pasts::set(same_set[0]));
            let note = Note::RequestDied { flow, why: RequestEnd::TimedOut };
            pasts.note(Instant { ns: i as u64 }, &note);
        }
        assert_eq!(pasts.find(same_set[0]), None);
        assert!(same_set[1..].iter().all(|f| pasts.find(*f).is_some()));
    }
}
