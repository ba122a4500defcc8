//! A step of a host as it is recorded: what made it act, what happened, what it changed.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::{Line, SockStat};
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use super::event::{Event, SockStatChange, What};
use crate::app::Call;
use crate::link::Fate;
use crate::stack::Stack;
use crate::world::HostId;

/// What made a host act.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Trigger {
    /// Something that is not recorded, or the rest of a long step.
    #[default]
    Unknown,
    /// A segment arrived.
    Arrival(Segment),
    /// Timers.
    Timer,
    /// An application was due.
    App,
}

/// Something that happened within a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// A segment left; does it answer the one that arrived?
    Sent(Segment, Cause, Fate, bool),
    /// A note.
    Note(Note),
    /// A system call.
    Call(Call),
}

/// A counter, or a number of /proc/net/sockstat behind the last counter, and its change.
pub(super) type Gauge = (u8, i64);

/// The number of the first of sockstat's gauges.
pub(super) const FIRST_SOCKSTAT: u8 = Mib::ALL.len() as u8;
/// How many gauges there are.
pub(super) const GAUGES: u8 = FIRST_SOCKSTAT + 4;

/// A step.
#[derive(Clone, Default, Debug)]
pub(super) struct Step {
    pub(super) at: Instant,
    pub(super) host: u16,
    pub(super) trigger: Trigger,
    pub(super) items: Vec<Item>,
    /// In the order of their numbers.
    pub(super) gauges: Vec<Gauge>,
    pub(super) rows: Vec<(FourTuple, Option<Line>)>,
}

impl Step {
    /// Begins anew and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.gauges.clear();
        self.rows.clear();
        self.trigger = Trigger::Unknown;
    }
    /// Is there nothing in it?
    pub(super) fn is_empty(&self) -> bool {
        let still = self.items.is_empty() && self.gauges.is_empty() && self.rows.is_empty();
        still && !matches!(self.trigger, Trigger::Arrival(_))
    }
    /// Shows its events, in order.
    pub(super) fn events(&self, mut show: impl FnMut(Event)) {
        let (at, host) = (self.at, HostId(self.host));
        let mut show = |what| show(Event { at, host, what });
        let mut arrived = None;
        if let Trigger::Arrival(segment) = self.trigger {
            arrived = Some(segment);
            show(What::Received(segment));
        }
        for item in &self.items {
            show(match *item {
                Item::Sent(segment, cause, fate, is_answer) => {
                    let answers = arrived.filter(|_| is_answer);
                    What::Sent { segment, cause, fate, answers }
                }
                Item::Note(note) => What::Note(note),
                Item::Call(call) => What::Call(call),
            });
        }
        let mut stat = SockStatChange::default();
        for &(gauge, change) in &self.gauges {
            match Mib::ALL.get(usize::from(gauge)) {
                Some(&mib) => show(What::Counter(mib, change)),
                None => *sockstat_field(&mut stat, gauge) = change,
            }
        }
        if stat != SockStatChange::default() {
            show(What::SockStat(stat));
        }
        for &(flow, line) in &self.rows {
            show(What::Row(flow, line));
        }
    }
}

fn sockstat_field(stat: &mut SockStatChange, gauge: u8) -> &mut i64 {
    match gauge - FIRST_SOCKSTAT {
        0 => &mut stat.inuse,
        1 => &mut stat.orphan,
        2 => &mut stat.tw,
        _ => &mut stat.alloc,
    }
}

/// Every gauge of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Gauges(pub(super) [u64; GAUGES as usize]);

impl Default for Gauges {
    fn default() -> Self {
        Self([0; GAUGES as usize])
    }
}

impl Gauges {
    /// As they stand.
    pub(super) fn of(stack: &Stack) -> Self {
        let mut all = Self::default();
        let (mibs, stat) = all.0.split_at_mut(usize::from(FIRST_SOCKSTAT));
        mibs.copy_from_slice(stack.kernel().counters().all());
        let SockStat { inuse, orphan, tw, alloc } = stack.sockstat();
        stat.copy_from_slice(&[inuse, orphan, tw, alloc].map(u64::from));
        all
    }
    /// Tells what has changed on the host since it was told last.
    #[inline]
    pub(super) fn follow(&mut self, stack: &Stack, out: &mut Vec<Gauge>) {
        let (mibs, stat) = self.0.split_at_mut(usize::from(FIRST_SOCKSTAT));
        let SockStat { inuse, orphan, tw, alloc } = stack.sockstat();
        let now = [inuse, orphan, tw, alloc].map(u64::from);
        const { assert!(FIRST_SOCKSTAT as usize / GROUP <= 32, "a bit for each group") };
        // Most counters stay, so whole groups are compared first.
        let (was_groups, was_rest) = mibs.as_chunks_mut();
        let (now_groups, now_rest) = stack.kernel().counters().all().as_chunks();
        let mut changed = 0_u32;
        for (n, (was, now)) in was_groups.iter().zip(now_groups).enumerate() {
            changed |= u32::from(differ(was, now)) << n;
        }
        while changed != 0 {
            let n = changed.trailing_zeros() as usize;
            changed &= changed - 1;
            follow_each(n * GROUP, &mut was_groups[n], &now_groups[n], out);
        }
        follow_each(now_groups.len() * GROUP, was_rest, now_rest, out);
        if *stat != now {
            follow_each(usize::from(FIRST_SOCKSTAT), stat, &now, out);
        }
    }
    /// Takes changes in.
    pub(super) fn apply(&mut self, changes: &[Gauge]) {
        for &(gauge, change) in changes {
            if let Some(value) = self.0.get_mut(usize::from(gauge)) {
                *value = value.wrapping_add_signed(change);
            }
        }
    }
    /// /proc/net/sockstat.
    pub(super) fn sockstat(&self) -> SockStat {
        let n = |i: u8| u32::try_from(self.0[usize::from(FIRST_SOCKSTAT + i)]).unwrap_or(u32::MAX);
        SockStat { inuse: n(0), orphan: n(1), tw: n(2), alloc: n(3) }
    }
    /// Every counter, in the order of [`Mib::ALL`].
    pub(super) fn counters(&self) -> Vec<(Mib, u64)> {
        Mib::ALL.iter().zip(&self.0).map(|(&mib, &value)| (mib, value)).collect()
    }
}

/// How many counters are compared at once.
const GROUP: usize = 8;

/// Without a branch for each, and without a call: a few instructions that take several at once.
#[inline]
fn differ(a: &[u64; GROUP], b: &[u64; GROUP]) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | a ^ b) != 0
}

/// Not inlined: else the comparison of groups takes one counter at a time.
#[inline(never)]
fn follow_each(first: usize, was: &mut [u64], now: &[u64], out: &mut Vec<Gauge>) {
    for (n, (was, now)) in was.iter_mut().zip(now).enumerate() {
        if was != now {
            out.push(((first + n) as u8, now.wrapping_sub(*was).cast_signed()));
            *was = *now;
        }
    }
}
