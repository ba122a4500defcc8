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
/// So many places are found without a search.
const RECENT: usize = 1 << 8;
const _: () = assert!(SETS * WAYS <= 1 << 16, "a place is kept in 16 bits");

/// An event as the table keeps it: its numbers lie elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    BucketRefused(TcpState),
    BucketStands(TcpState),
    BucketDied(TcpState, BucketEnd),
    Destroyed(TcpState, SockEnd),
    RequestDied(RequestEnd),
}

/// What is remembered of a flow as the table keeps it: half a line of the cache.
#[derive(Clone, Copy, Debug)]
struct Entry {
    flow: FourTuple,
    orphaned: Option<TcpState>,
    fatal: Option<Kind>,
    orphaned_at: Instant,
    fatal_at: Instant,
}

/// The numbers of a refused bucket.
#[derive(Clone, Copy, Default, Debug)]
struct Refusal {
    count: u32,
    limit: i32,
    next_expiry: Option<Instant>,
}

/// The table: a set-associative cache in which each set forgets the flow that came first.
#[derive(Debug)]
pub(super) struct Pasts {
    /// A mark of the flow in each way of each set, 0 if there is none: most questions end here.
    marks: Vec<[u32; WAYS]>,
    /// The way that each set gives away next.
    turns: Vec<u8>,
    entries: Vec<Entry>,
    /// Where the flows stand that were told of last: what comes next of one of them comes soon.
    recent: [u16; RECENT],
    /// By entry, if a bucket was refused.
    refusals: Vec<Refusal>,
    /// The last connect(): when, on which ports, and what was forgotten because of it.
    renewed: Option<(Instant, FourTuple, Option<Past>)>,
}

impl Default for Pasts {
    fn default() -> Self {
        Self::with_sets(SETS)
    }
}

impl Entry {
    const fn new(flow: FourTuple) -> Self {
        let (orphaned_at, fatal_at) = (Instant::ZERO, Instant::ZERO);
        Self { flow, orphaned: None, fatal: None, orphaned_at, fatal_at }
    }
}

impl Pasts {
    /// With so many sets, a power of two.
    pub(super) fn with_sets(sets: usize) -> Self {
        Self {
            marks: vec![[0; WAYS]; sets],
            turns: vec![0; sets],
            entries: vec![Entry::new(FourTuple::default()); sets * WAYS],
            recent: [0; RECENT],
            refusals: vec![Refusal::default(); sets * WAYS],
            renewed: None,
        }
    }
    /// The set of a flow, and its mark there.
    #[inline]
    fn find_set(&self, flow: FourTuple) -> (usize, u32) {
        (flow.hash() as usize & (self.marks.len() - 1), Self::mark(flow))
    }
    /// Never 0, and different for nearly all flows of a set.
    const fn mark(flow: FourTuple) -> u32 {
        let ports = (flow.sport as u32) << 16 | flow.dport as u32;
        let addrs = flow.saddr.0.rotate_left(7) ^ flow.daddr.0;
        (ports.wrapping_mul(0x9e37_79b1) ^ addrs.wrapping_mul(0x85eb_ca6b)) | 1
    }
    /// The number of an entry: neighbouring sets lie together, for they are filled together.
    fn number(&self, set: usize, way: usize) -> usize {
        way * self.marks.len() + set
    }
    /// The number of the flow's entry.
    fn place(&self, flow: FourTuple) -> Option<usize> {
        self.place_in(self.find_set(flow), flow)
    }
    #[inline]
    fn place_in(&self, (set, mark): (usize, u32), flow: FourTuple) -> Option<usize> {
        let is_it = |way: usize| self.entries[self.number(set, way)].flow == flow;
        // All ways at once: which of them it is cannot be foreseen.
        let marked = |bits, (way, its): (usize, &u32)| bits | u32::from(*its == mark) << way;
        let mut bits = self.marks[set].iter().enumerate().fold(0, marked);
        while bits != 0 {
            let way = bits.trailing_zeros() as usize;
            if is_it(way) {
                return Some(self.number(set, way));
            }
            bits &= bits - 1;
        }
        None
    }
    /// What is remembered of a flow.
    pub(super) fn find(&self, flow: FourTuple) -> Option<Past> {
        self.place(flow).map(|place| self.at(place))
    }
    /// What an entry remembers.
    fn at(&self, place: usize) -> Past {
        let Entry { flow, orphaned, fatal, orphaned_at, fatal_at } = self.entries[place];
        let fatal = fatal.map(|kind| match kind {
            Kind::BucketRefused(substate) => {
                let Refusal { count, limit, next_expiry } = self.refusals[place];
                Fatal::BucketRefused { substate, count, limit, next_expiry }
            }
            Kind::BucketStands(substate) => Fatal::BucketStands(substate),
            Kind::BucketDied(substate, how) => Fatal::BucketDied(substate, how),
            Kind::Destroyed(state, why) => Fatal::Destroyed(state, why),
            Kind::RequestDied(why) => Fatal::RequestDied(why),
        });
        let orphaned = orphaned.map(|state| (orphaned_at, state));
        Past { flow, orphaned, fatal: fatal.map(|fatal| (fatal_at, fatal)) }
    }
    fn forget_at(&mut self, place: Option<usize>) {
        if let Some(place) = place {
            let sets = self.marks.len();
            self.marks[place % sets][place / sets] = 0;
            self.entries[place].flow = FourTuple::default();
        }
    }
    /// The number of the flow's entry; makes one in place of the one that came first into its set.
    #[inline]
    fn entry(&mut self, flow: FourTuple) -> usize {
        let recent = usize::from(flow.sport.wrapping_add(flow.dport)) % RECENT;
        let number = usize::from(self.recent[recent]);
        if self.entries[number].flow == flow {
            return number;
        }
        let number = self.find_or_make(flow);
        self.recent[recent] = number as u16;
        number
    }
    fn find_or_make(&mut self, flow: FourTuple) -> usize {
        let (set, mark) = self.find_set(flow);
        self.place_in((set, mark), flow).unwrap_or_else(|| {
            let way = usize::from(self.turns[set]);
            self.turns[set] = ((way + 1) % WAYS) as u8;
            self.marks[set][way] = mark;
            let number = self.number(set, way);
            self.entries[number] = Entry::new(flow);
            number
        })
    }
    /// What is forgotten because of a connect() that then was none comes back.
    fn restore(&mut self, past: &Past) {
        if let Some((at, state)) = past.orphaned {
            self.orphan(past.flow, at, state);
        }
        if let Some((at, fatal)) = past.fatal {
            let kind = match fatal {
                Fatal::BucketRefused { substate, count, limit, next_expiry } => {
                    let refusal = Refusal { count, limit, next_expiry };
                    return self.refuse(past.flow, at, substate, refusal);
                }
                Fatal::BucketStands(substate) => Kind::BucketStands(substate),
                Fatal::BucketDied(substate, how) => Kind::BucketDied(substate, how),
                Fatal::Destroyed(state, why) => Kind::Destroyed(state, why),
                Fatal::RequestDied(why) => Kind::RequestDied(why),
            };
            self.kill(past.flow, at, kind);
        }
    }
    fn orphan(&mut self, flow: FourTuple, at: Instant, state: TcpState) {
        let place = self.entry(flow);
        let entry = &mut self.entries[place];
        (entry.orphaned, entry.orphaned_at) = (Some(state), at);
    }
    fn refuse(&mut self, flow: FourTuple, at: Instant, substate: TcpState, refusal: Refusal) {
        let place = self.entry(flow);
        self.refusals[place] = refusal;
        self.kill_at(place, at, Kind::BucketRefused(substate));
    }
    fn kill(&mut self, flow: FourTuple, at: Instant, kind: Kind) {
        let place = self.entry(flow);
        self.kill_at(place, at, kind);
    }
    fn kill_at(&mut self, place: usize, at: Instant, kind: Kind) {
        let entry = &mut self.entries[place];
        (entry.fatal, entry.fatal_at) = (Some(kind), at);
    }
    /// Takes a note of that flow in.
    pub(super) fn note(&mut self, at: Instant, flow: FourTuple, note: &Note) {
        let kind = match *note {
            Note::BucketRefused { substate, count, limit, next_expiry, .. } => {
                let refusal = Refusal { count, limit, next_expiry };
                return self.refuse(flow, at, substate, refusal);
            }
            Note::BucketBorn { substate, .. } => Kind::BucketStands(substate),
            Note::BucketTimeWait { .. } => Kind::BucketStands(TcpState::TimeWait),
            // On 3.10 thousands expire in one tick: they must not drive out what is younger.
            Note::BucketDied { substate, how: how @ BucketEnd::Expired, .. } => {
                if let Some(place) = self.place(flow) {
                    self.kill_at(place, at, Kind::BucketDied(substate, how));
                }
                return;
            }
            Note::BucketDied { substate, how, .. } => Kind::BucketDied(substate, how),
            Note::RequestDied { why, .. } => Kind::RequestDied(why),
            // The refusal and the bucket's birth say more than the end of the socket does.
            Note::Destroyed { why: SockEnd::BucketRefused | SockEnd::ToBucket, .. } => return,
            Note::Destroyed { state, why, .. } => Kind::Destroyed(state, why),
            Note::Orphaned { state, .. } => return self.orphan(flow, at, state),
            // A new connection has nothing to do with what the last one on these ports did.
            Note::RequestBorn { .. } => return self.forget_at(self.place(flow)),
            // Of a flow whose port is not known yet nothing is remembered.
            Note::State { to: TcpState::SynSent, .. } if flow.sport == 0 => {
                self.renewed = Some((at, flow, None));
                return;
            }
            Note::State { to: TcpState::SynSent, .. } => {
                let place = self.place(flow);
                self.renewed = Some((at, flow, place.map(|place| self.at(place))));
                return self.forget_at(place);
            }
            Note::State { from: TcpState::SynSent, to: TcpState::Close, .. } => {
                match self.renewed {
                    // connect() found the port taken: there was no new connection.
                    Some((then, its_flow, past)) if (then, its_flow) == (at, flow) => {
                        if let Some(past) = past {
                            self.restore(&past);
                        }
                        return;
                    }
                    // close(), unless the end of the socket is noted next and says more.
                    _ => Kind::Destroyed(TcpState::SynSent, SockEnd::Done),
                }
            }
            Note::State { .. } | Note::Timer { .. } | Note::Drop { .. } => return,
        };
        self.kill(flow, at, kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use finwait_model::flow::{Addr, Endpoint};

    #[test]
    fn two_entries_share_a_line_of_the_cache() {
        assert_eq!(size_of::<Entry>(), 32);
    }
    fn note(pasts: &mut Pasts, at: Instant, note: &Note) {
        pasts.note(at, note.flow(), note);
    }
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
        note(&mut pasts, at(1), &Note::Orphaned { flow: flow(1), state: TcpState::FinWait1 });
        note(&mut pasts, at(2), &expired(1));
        let past = pasts.find(flow(1)).expect("it is remembered");
        assert_eq!(past.orphaned, Some((at(1), TcpState::FinWait1)));
        assert_eq!(
            past.fatal,
            Some((at(2), Fatal::BucketDied(TcpState::TimeWait, BucketEnd::Expired)))
        );
        note(&mut pasts, at(3), &Note::RequestBorn { flow: flow(1) });
        assert_eq!(pasts.find(flow(1)), None);
    }

    #[test]
    fn what_was_forgotten_is_not_found_where_it_stood() {
        let mut pasts = Pasts::default();
        let at = |s| Instant::ZERO + finwait_model::time::Span::secs(s);
        let ended = |port| {
            let (state, why) = (TcpState::LastAck, SockEnd::Done);
            Note::Destroyed { flow: flow(port), state, why }
        };
        note(&mut pasts, at(1), &Note::Orphaned { flow: flow(1), state: TcpState::LastAck });
        note(&mut pasts, at(2), &Note::RequestBorn { flow: flow(1) });
        note(&mut pasts, at(3), &ended(1));
        // Where the place of that one is looked for first, another one's is kept.
        let other = 1 + RECENT as u16;
        note(&mut pasts, at(4), &Note::Orphaned { flow: flow(other), state: TcpState::LastAck });
        note(&mut pasts, at(5), &ended(other));
        note(&mut pasts, at(6), &ended(1));
        let past = |port| pasts.find(flow(port)).expect("it is remembered");
        let gone = |s| Some((at(s), Fatal::Destroyed(TcpState::LastAck, SockEnd::Done)));
        assert_eq!((past(1).orphaned, past(1).fatal), (None, gone(6)));
        let orphaned = Some((at(4), TcpState::LastAck));
        assert_eq!((past(other).orphaned, past(other).fatal), (orphaned, gone(5)));
    }

    #[test]
    fn a_connect_that_fails_at_once_forgets_nothing() {
        let mut pasts = Pasts::default();
        let at = |s| Instant::ZERO + finwait_model::time::Span::secs(s);
        let state = |from, to| Note::State { flow: flow(1), from, to };
        note(&mut pasts, at(1), &Note::Orphaned { flow: flow(1), state: TcpState::FinWait1 });
        let before = pasts.find(flow(1));
        note(&mut pasts, at(2), &state(TcpState::Close, TcpState::SynSent));
        note(&mut pasts, at(2), &state(TcpState::SynSent, TcpState::Close));
        assert_eq!(pasts.find(flow(1)), before);
        note(&mut pasts, at(3), &state(TcpState::Close, TcpState::SynSent));
        note(&mut pasts, at(4), &state(TcpState::SynSent, TcpState::Close));
        let closed = Fatal::Destroyed(TcpState::SynSent, SockEnd::Done);
        let past = pasts.find(flow(1)).expect("that one had a life of its own");
        assert_eq!((past.orphaned, past.fatal), (None, Some((at(4), closed))));
    }

    #[test]
    fn a_tick_in_which_thousands_expire_drives_out_nothing() {
        let mut pasts = Pasts::default();
        let refused = |port| Note::RequestDied { flow: flow(port), why: RequestEnd::TimedOut };
        (0..1000).for_each(|port| note(&mut pasts, Instant { ns: 1 }, &refused(port)));
        (1000..60_000).for_each(|port| note(&mut pasts, Instant { ns: 2 }, &expired(port)));
        assert!((0..1000).all(|port| pasts.find(flow(port)).is_some()));
    }

    #[test]
    fn a_full_set_forgets_the_flow_that_came_first() {
        let mut pasts = Pasts::default();
        let same_set: Vec<FourTuple> = (0..=u16::MAX)
            .map(flow)
            .filter(|f| pasts.find_set(*f).0 == pasts.find_set(flow(1)).0)
            .take(WAYS + 1)
            .collect();
        assert_eq!(same_set.len(), WAYS + 1);
        for (i, &flow) in same_set.iter().enumerate() {
            let timed_out = Note::RequestDied { flow, why: RequestEnd::TimedOut };
            note(&mut pasts, Instant { ns: i as u64 }, &timed_out);
        }
        assert_eq!(pasts.find(same_set[0]), None);
        assert!(same_set[1..].iter().all(|f| pasts.find(*f).is_some()));
    }
}
