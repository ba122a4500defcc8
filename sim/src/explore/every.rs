//! Every interleaving of a small scope: what may happen next is chosen, not timed.
//!
//! A `Walk` is two hosts after a sequence of [`Action`]s: a program does its next step, a segment
//! arrives or is lost, or nothing happens until the next timer. Time stands still but for the last
//! kind, so that actions which do not disturb one another lead to the same state in whatever order
//! they are taken, and `Walk::fingerprint` finds that out. A kernel cannot be copied, so a state is
//! kept as the actions that lead to it, and played again when it is needed.

use core::fmt;

use finwait_model::time::{Instant, Span};

use super::judge::{Judge, Reasons, Violation, violation};
use super::property::Property;
use super::schedule::{Act, Fate, Fated, Schedule, Setup, Side, Step};
use super::stage::Stage;
use crate::watch::Count;

/// How far apart the actions of a walk stand when it is written as a schedule.
const APART: Span = Span::millis(10);

/// What may happen, and how often.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The hosts.
    pub hosts: [Setup; 2],
    /// How many connections are opened.
    pub conns: u8,
    /// Does each end send something before it closes?
    pub data: bool,
    /// How many segments may be lost.
    pub losses: u8,
    /// How often time may go on to the next timer; as often as there is one if it is `None`.
    pub timers: Option<u8>,
    /// May segments of one direction overtake one another?
    pub reorders: bool,
    /// How many connections the listener's queue holds, less one.
    pub backlog: u8,
}

/// Something that may happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Action {
    /// The program of that host does its next step with that connection.
    Program(Side, u8),
    /// The n-th of the segments on their way to that host arrives.
    Arrives(Side, u8),
    /// It is lost.
    Lost(Side, u8),
    /// Nothing happens until the next timer of either host.
    Timer,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(side, conn) => write!(f, "program {side} {}", conn + 1),
            Self::Arrives(side, n) => write!(f, "arrives {side} {n}"),
            Self::Lost(side, n) => write!(f, "lost {side} {n}"),
            Self::Timer => f.write_str("timer"),
        }
    }
}

/// The state after some actions, as far as it is worth keeping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reached {
    /// Two states with the same one go on alike.
    pub fingerprint: u128,
    /// What may happen next, in order; nothing if this is an end.
    pub next: Vec<Action>,
    /// Did the last action violate the property?
    pub violation: Option<Violation>,
}

/// Two hosts after a sequence of actions.
#[derive(Debug)]
struct Walk<'s> {
    scope: &'s Scope,
    stage: Stage<'s>,
    /// How many steps of each program of each connection are done.
    done: Vec<[u8; 2]>,
    lost: u8,
    /// How often time went on.
    waited: u8,
}

impl Scope {
    /// The schedule without steps that every walk begins with.
    pub fn beginning(&self) -> Schedule {
        Schedule {
            hosts: self.hosts.clone(),
            delay: APART,
            backlog: self.backlog,
            steps: Vec::new(),
            fates: Vec::new(),
        }
    }
    /// What the program of a host does with each connection, in order.
    fn program(&self, side: Side) -> &'static [Act] {
        match (side, self.data) {
            (0, false) => &[Act::Connect, Act::Close],
            (0, true) => &[Act::Connect, Act::Send(100), Act::Close],
            (_, false) => &[Act::Close],
            (_, true) => &[Act::Send(100), Act::Close],
        }
    }
    /// Plays the actions and says where they lead. `beginning` is [`Scope::beginning`].
    pub fn reach(&self, beginning: &Schedule, actions: &[Action], property: &Property) -> Reached {
        let mut reasons = Reasons::new();
        let mut judge = Judge::new(property);
        let mut walk = Walk::new(self, beginning, &mut reasons);
        let mut found = None;
        for (place, action) in actions.iter().enumerate() {
            reasons.next();
            walk.take(*action, &mut reasons, None);
            let case = judge.look(&walk.stage);
            found = case.map(|c| violation(&walk.stage, &reasons, property, c, place as u32));
        }
        let next = walk.actions();
        let mut fingerprint = walk.fingerprint();
        if next.is_empty() && found.is_none() {
            // An end: what is said of ends is looked at as well.
            reasons.next();
            walk.stage.moment.last = true;
            walk.stage.moment.did.clear();
            let place = actions.len() as u32;
            let case = judge.look(&walk.stage);
            found = case.map(|c| violation(&walk.stage, &reasons, property, c, place));
            fingerprint ^= 1;
        }
        Reached { fingerprint, next, violation: found }
    }
    /// The actions as a schedule with times, which replays them.
    pub fn schedule(&self, actions: &[Action]) -> Schedule {
        let beginning = self.beginning();
        let mut walk = Walk::new(self, &beginning, &mut Count);
        let mut told = Told { steps: Vec::new(), fates: Vec::new(), last: Instant::ZERO };
        for action in actions {
            if *action != Action::Timer {
                walk.stage.now += APART;
                walk.catch_up();
            }
            walk.take(*action, &mut Count, Some(&mut told));
        }
        let mut schedule = self.beginning();
        // What is still on its way when the walk ends does not arrive: it is lost.
        for flying in walk.stage.wire.values() {
            let (side, nth) = (1 - flying.to, flying.nth);
            told.fates.push(Fated { side, nth, fate: Fate::Lost });
        }
        (schedule.steps, schedule.fates) = (told.steps, told.fates);
        schedule
    }
}

/// A walk as steps and fates.
#[derive(Debug)]
struct Told {
    steps: Vec<Step>,
    fates: Vec<Fated>,
    last: Instant,
}

impl<'s> Walk<'s> {
    fn new(scope: &'s Scope, beginning: &'s Schedule, watch: &mut dyn crate::watch::Watch) -> Self {
        let stage = Stage::new(beginning, watch);
        Self { scope, stage, done: vec![[0; 2]; scope.conns.into()], lost: 0, waited: 0 }
    }
    /// The n-th segment on its way to that host, by the order of sending.
    fn flying(&self, to: Side, n: u8) -> Option<(Instant, u32)> {
        let mut its = self.stage.wire.iter().filter(|(_, f)| f.to == to).map(|(key, _)| *key);
        // What was sent first has the lower number, whenever it would arrive.
        let mut keys: Vec<(Instant, u32)> = its.by_ref().collect();
        keys.sort_by_key(|key| key.1);
        keys.get(usize::from(n)).copied()
    }
    /// Everything that may happen now.
    fn actions(&self) -> Vec<Action> {
        let mut out = Vec::new();
        for conn in 0..self.scope.conns {
            for side in 0..2 {
                if self.may_act(side, conn) {
                    out.push(Action::Program(side, conn));
                }
            }
        }
        for to in 0..2 {
            let waiting = self.stage.wire.values().filter(|f| f.to == to).count() as u8;
            let most = if self.scope.reorders { waiting } else { waiting.min(1) };
            out.extend((0..most).map(|n| Action::Arrives(to, n)));
            if self.lost < self.scope.losses {
                out.extend((0..most).map(|n| Action::Lost(to, n)));
            }
        }
        let waits = self.scope.timers.is_none_or(|most| self.waited < most);
        if waits && (0..2).any(|side| self.stage.kernel(side).next_timer().is_some()) {
            out.push(Action::Timer);
        }
        out
    }
    fn may_act(&self, side: Side, conn: u8) -> bool {
        let done = self.done[usize::from(conn)][side];
        let Some(act) = self.scope.program(side).get(usize::from(done)) else { return false };
        match act {
            // Connections are opened in their order.
            Act::Connect => self.stage.conns().len() == usize::from(conn),
            _ => {
                let opened = self.stage.conns().get(usize::from(conn));
                opened.is_some_and(|c| c.ends[side].fd.is_some())
            }
        }
    }
    fn take(
        &mut self,
        action: Action,
        watch: &mut dyn crate::watch::Watch,
        mut told: Option<&mut Told>,
    ) {
        let now = self.stage.now;
        match action {
            Action::Program(side, conn) => {
                let done = &mut self.done[usize::from(conn)][side];
                let act = self.scope.program(side)[usize::from(*done)];
                *done += 1;
                let mut step = Step { after: Span::ZERO, side, conn, act };
                if let Some(told) = &mut told {
                    step.after = now.since(told.last);
                    told.last = now;
                    told.steps.push(step);
                }
                self.stage.program(step, watch);
            }
            Action::Arrives(to, n) => {
                let Some(key) = self.flying(to, n) else { return };
                if let Some(told) = &mut told
                    && let Some(flying) = self.stage.wire.get(&key)
                    && now > key.0
                {
                    let (side, nth) = (1 - to, flying.nth);
                    let fate = Fate::Late(now.since(key.0));
                    told.fates.push(Fated { side, nth, fate });
                }
                self.stage.arrive(key, watch);
            }
            Action::Lost(to, n) => {
                let Some(key) = self.flying(to, n) else { return };
                self.lost += 1;
                if let Some(flying) = self.stage.wire.remove(&key)
                    && let Some(told) = &mut told
                {
                    let fate = Fate::Lost;
                    told.fates.push(Fated { side: 1 - to, nth: flying.nth, fate });
                }
                self.stage.nothing();
            }
            Action::Timer => {
                let next = (0..2).filter_map(|side| self.stage.kernel(side).next_timer()).min();
                let Some(next) = next else { return };
                self.stage.now = now.max(next);
                self.waited = self.waited.saturating_add(1);
                self.run_timers(watch);
            }
        }
    }
    /// Both hosts' timers that are due.
    fn run_timers(&mut self, watch: &mut dyn crate::watch::Watch) {
        for side in 0..2 {
            let due = self.stage.kernel(side).next_timer();
            if due.is_some_and(|at| at <= self.stage.now) {
                self.stage.timers(side, watch);
            }
        }
    }
    /// Where actions stand apart, timers may come due between them.
    fn catch_up(&mut self) {
        self.run_timers(&mut Count);
    }
    /// Of everything that decides how it goes on.
    fn fingerprint(&self) -> u128 {
        let mut hash = Hash(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        let _ = self.write(&mut hash);
        hash.0
    }
    fn write(&self, out: &mut Hash) -> fmt::Result {
        use fmt::Write as _;
        for side in 0..2 {
            self.stage.kernel(side).write_state(out)?;
        }
        let flying = self.stage.wire.values().map(|f| (f.to, f.segment, f.conn));
        for to in 0..2 {
            for f in flying.clone().filter(|f| f.0 == to) {
                write!(out, "{f:?}")?;
            }
        }
        write!(out, "{:?} {} {:?}", self.done, self.lost, self.stage.conns())?;
        if self.scope.timers.is_some() {
            write!(out, " {}", self.waited)?;
        }
        // Where nothing is left that time could change, it does not matter when that is.
        let idle = (0..2).all(|side| self.stage.kernel(side).next_timer().is_none());
        if idle { Ok(()) } else { write!(out, "{:?}", self.stage.now()) }
    }
}

/// FNV-1a with 128 bits: two of ten million states are alike by chance once in 10^24 searches.
struct Hash(u128);

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
        }
        Ok(())
    }
}
