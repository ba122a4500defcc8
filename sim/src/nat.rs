//! A box on the way between hosts: a NAT that puts its own address before those of its inside, or
//! a load balancer that hands connections on to backends. It keeps a table of flows, rewrites
//! addresses and ports, and forgets a flow after which nothing came for too long.
//!
//! A box is a host like any other, with a kernel and links of its own. What belongs to a flow
//! passes before the kernel sees it; what belongs to none may fall to the kernel, which has no
//! socket for it and answers with a RST, as a Linux box does.
//!
//! Nothing here depends on a hash: tables are ordered, ports and backends are given out in turn,
//! and a flow's end lies at its own time, not at that of a clean-up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::segment::Segment;
use finwait_model::time::{Instant, Span};

use crate::agenda::NEVER;

/// What a box does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatPlan {
    /// Which connections it takes, and where they go.
    pub way: Way,
    /// The ports of its own address that it gives out, the lowest and the highest.
    pub ports: (u16, u16),
    /// Does a connection keep its source port where that is free?
    pub keep_ports: bool,
    /// After how long it forgets.
    pub patience: Patience,
    /// What it does with segments in the middle of a connection that it does not know.
    pub forgotten: Forgotten,
}

/// Which connections a box takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// Those of these inside addresses, wherever they go.
    Nat {
        /// The addresses.
        inside: Vec<Addr>,
    },
    /// Those to these ports of its own, to the backends in turn.
    Balancer {
        /// Lowest and highest port.
        ports: (u16, u16),
        /// The backends; not empty.
        to: Vec<Endpoint>,
    },
}

/// After how long without a segment a flow is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Before the handshake is through.
    pub opening: Span,
    /// While the connection stands.
    pub idle: Span,
    /// After one FIN.
    pub closing: Span,
    /// After both FINs, or a RST.
    pub closed: Span,
}

impl Default for Patience {
    /// As conntrack has it: two minutes, five days, two minutes, two minutes.
    fn default() -> Self {
        Self {
            opening: Span::secs(120),
            idle: Span::secs(432_000),
            closing: Span::secs(120),
            closed: Span::secs(120),
        }
    }
}

/// After a RST a flow is not kept for longer than this.
const AFTER_RESET: Span = Span::secs(10);

/// What a box does with a segment that opens nothing and belongs to no flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgotten {
    /// From the inside it makes a flow of it, perhaps with another port
    /// (`nf_conntrack_tcp_loose`); from the outside its own TCP answers with a RST.
    Adopt,
    /// It drops it.
    Drop,
    /// Its own TCP answers with a RST.
    Reset,
}

/// What a box counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Passage {
    /// Flows that it made.
    pub flows: u64,
    /// Flows that it made for a segment in the middle of a connection.
    pub adopted: u64,
    /// Flows of connections that stood when they were forgotten.
    pub forgotten: u64,
    /// Connections for which no port was free.
    pub refused: u64,
    /// Segments that went through.
    pub passed: u64,
    /// Segments that it dropped.
    pub dropped: u64,
    /// Segments without a flow that its own TCP got.
    pub own: u64,
    /// Flows in its table, when it was used last.
    pub now: u64,
    /// The most that it had.
    pub peak: u64,
}

/// What becomes of a segment at a box.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    /// It goes on like this.
    On(Segment),
    /// It goes nowhere.
    Drop,
    /// It is the box's own.
    Own,
}

/// A box at work.
#[derive(Debug)]
pub struct Nat {
    plan: NatPlan,
    addr: Addr,
    flows: Vec<Option<Flow>>,
    free: Vec<u32>,
    /// Flows by what arrives from who opened them, and by what arrives from the other end.
    there: BTreeMap<FourTuple, u32>,
    back: BTreeMap<FourTuple, u32>,
    /// When each flow is to be looked at. A flow that was used since then is put in anew.
    looks: BinaryHeap<Reverse<(Instant, u32, u64)>>,
    next_serial: u64,
    next_port: u16,
    next_backend: usize,
    passage: Passage,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    serial: u64,
    /// As it comes from who opened it.
    comes: FourTuple,
    /// As it leaves.
    leaves: FourTuple,
    stage: Stage,
    /// Which ends have sent a FIN: who opened it, the other.
    fins: [bool; 2],
    until: Instant,
    /// The earliest time at which it will be looked at.
    look: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Opening,
    Open,
    Closing,
    Closed,
    Reset,
}

impl Nat {
    /// A box with that address and an empty table.
    pub fn new(plan: NatPlan, addr: Addr) -> Self {
        Self {
            next_port: plan.ports.0,
            plan,
            addr,
            flows: Vec::new(),
            free: Vec::new(),
            there: BTreeMap::new(),
            back: BTreeMap::new(),
            looks: BinaryHeap::new(),
            next_serial: 0,
            next_backend: 0,
            passage: Passage::default(),
        }
    }
    /// What it counted so far.
    pub const fn passage(&self) -> Passage {
        self.passage
    }
    /// The flows of its table, as they come and as they leave, in order.
    pub fn table(&self) -> impl Iterator<Item = (FourTuple, FourTuple)> {
        let flow = |&id: &u32| self.flows[id as usize].map(|f| (f.comes, f.leaves));
        self.there.values().filter_map(flow)
    }
    /// A segment has arrived.
    pub(crate) fn pass(&mut self, now: Instant, segment: &Segment) -> Pass {
        self.forget(now);
        let found = self.there.get(&segment.flow).map(|&id| (id, true));
        let found = found.or_else(|| self.back.get(&segment.flow).map(|&id| (id, false)));
        if let Some((id, there)) = found {
            return self.through(now, id, there, segment);
        }
        let outward = self.takes(segment.flow);
        let opens = segment.flags.syn() && !segment.flags.ack();
        let adopts = self.plan.forgotten == Forgotten::Adopt && !segment.flags.rst();
        if outward && (opens || adopts) {
            let Some(id) = self.open(segment.flow) else {
                self.passage.refused += 1;
                self.passage.dropped += 1;
                return Pass::Drop;
            };
            self.passage.adopted += u64::from(!opens);
            return self.through(now, id, true, segment);
        }
        let drops = match self.plan.forgotten {
            Forgotten::Drop => true,
            Forgotten::Adopt => outward,
            Forgotten::Reset => false,
        };
        let count = if drops { &mut self.passage.dropped } else { &mut self.passage.own };
        *count += 1;
        if drops { Pass::Drop } else { Pass::Own }
    }
    /// Is it a connection that it would take?
    fn takes(&self, flow: FourTuple) -> bool {
        match &self.plan.way {
            Way::Nat { inside } => inside.contains(&flow.saddr) && flow.daddr != self.addr,
            Way::Balancer { ports, .. } => {
                flow.daddr == self.addr && (ports.0..=ports.1).contains(&flow.dport)
            }
        }
    }
    fn through(&mut self, now: Instant, id: u32, there: bool, segment: &Segment) -> Pass {
        let Some(flow) = &mut self.flows[id as usize] else { return Pass::Drop };
        flow.follow(segment, there);
        flow.until = now + flow.stage.patience(&self.plan.patience);
        let as_it_leaves = if there { flow.leaves } else { flow.comes.reversed() };
        if flow.until < flow.look {
            flow.look = flow.until;
            self.looks.push(Reverse((flow.until, id, flow.serial)));
        }
        self.passage.passed += 1;
        Pass::On(Segment { flow: as_it_leaves, ..*segment })
    }
    /// A flow for a connection that is new; `None` if no port is free.
    fn open(&mut self, comes: FourTuple) -> Option<u32> {
        let to = match &self.plan.way {
            Way::Nat { .. } => comes.destination(),
            Way::Balancer { to, .. } => {
                let to = to[self.next_backend % to.len()];
                self.next_backend += 1;
                to
            }
        };
        let leaves = FourTuple::new(Endpoint::new(self.addr, self.port(comes.sport, to)?), to);
        let id = self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            (self.flows.len() - 1) as u32
        });
        let serial = self.next_serial;
        self.next_serial += 1;
        let (stage, fins, look) = (Stage::Opening, [false; 2], NEVER);
        self.flows[id as usize] =
            Some(Flow { serial, comes, leaves, stage, fins, until: NEVER, look });
        self.there.insert(comes, id);
        self.back.insert(leaves.reversed(), id);
        self.passage.flows += 1;
        self.passage.now = self.there.len() as u64;
        self.passage.peak = self.passage.peak.max(self.passage.now);
        Some(id)
    }
    /// A port of its own that nobody else uses towards that end: the connection's own, or else the
    /// next one in turn.
    fn port(&mut self, wanted: u16, to: Endpoint) -> Option<u16> {
        let is_free = |port: u16| {
            let leaves = FourTuple::new(Endpoint::new(self.addr, port), to);
            !self.back.contains_key(&leaves.reversed())
        };
        if self.plan.keep_ports && is_free(wanted) {
            return Some(wanted);
        }
        let (low, high) = self.plan.ports;
        let found =
            (self.next_port..=high).chain(low..self.next_port).find(|&port| is_free(port))?;
        self.next_port = if found == high { low } else { found + 1 };
        Some(found)
    }
    /// Forgets whose time is up.
    fn forget(&mut self, now: Instant) {
        while let Some(&Reverse((at, id, serial))) = self.looks.peek()
            && at <= now
        {
            self.looks.pop();
            let Some(flow) = &mut self.flows[id as usize] else { continue };
            if flow.serial != serial || flow.look != at {
                continue;
            }
            if flow.until > now {
                flow.look = flow.until;
                self.looks.push(Reverse((flow.until, id, serial)));
                continue;
            }
            let flow = *flow;
            self.there.remove(&flow.comes);
            self.back.remove(&flow.leaves.reversed());
            self.flows[id as usize] = None;
            self.free.push(id);
            self.passage.forgotten += u64::from(flow.stage == Stage::Open);
            self.passage.now = self.there.len() as u64;
        }
    }
}

impl Flow {
    /// What the segment makes of the connection.
    fn follow(&mut self, segment: &Segment, there: bool) {
        let flags = segment.flags;
        if flags.rst() {
            self.stage = Stage::Reset;
        } else if flags.syn() && !flags.ack() && there {
            // A new connection on the same ports.
            if matches!(self.stage, Stage::Closed | Stage::Reset) {
                self.fins = [false; 2];
                self.stage = Stage::Opening;
            }
        } else if flags.fin() {
            self.fins[usize::from(!there)] = true;
            self.stage = if self.fins == [true; 2] { Stage::Closed } else { Stage::Closing };
        } else if self.stage == Stage::Opening && there && !flags.syn() {
            self.stage = Stage::Open;
        }
    }
}

impl Stage {
    fn patience(self, patience: &Patience) -> Span {
        match self {
            Self::Opening => patience.opening,
            Self::Open => patience.idle,
            Self::Closing => patience.closing,
            Self::Closed => patience.closed,
            Self::Reset => patience.closed.min(AFTER_RESET),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use finwait_model::segment::Flags;
    use proptest::prelude::*;

    const BOX: Addr = Addr(0x0a00_0063);

    fn server(port: u16) -> Endpoint {
        Endpoint::new(Addr::v4(10, 0, 1, 1), port)
    }

    fn inside(host: u8, port: u16) -> Endpoint {
        Endpoint::new(Addr::v4(10, 0, 0, host), port)
    }

    fn nat(forgotten: Forgotten, keep_ports: bool) -> Nat {
        let way = Way::Nat { inside: (1..=3).map(|host| inside(host, 0).addr).collect() };
        let patience =
            Patience { opening: Span::secs(3), idle: Span::secs(9), ..Patience::default() };
        let ports = (2000, 2003);
        Nat::new(NatPlan { way, ports, keep_ports, patience, forgotten }, BOX)
    }

    fn segment(from: Endpoint, to: Endpoint, flags: Flags) -> Segment {
        Segment { flow: FourTuple::new(from, to), flags, ..Segment::default() }
    }

    fn on(pass: Pass) -> Option<FourTuple> {
        match pass {
            Pass::On(segment) => Some(segment.flow),
            Pass::Drop | Pass::Own => None,
        }
    }

    #[test]
    fn two_inside_with_one_port_get_two_outside() {
        let mut nat = nat(Forgotten::Adopt, true);
        let syn = |host| segment(inside(host, 40_000), server(80), Flags::SYN);
        let first = on(nat.pass(Instant::ZERO, &syn(1))).expect("it passes");
        let second = on(nat.pass(Instant::ZERO, &syn(2))).expect("it passes");
        assert_eq!(first, FourTuple::new(Endpoint::new(BOX, 40_000), server(80)), "it was free");
        assert_eq!(second, FourTuple::new(Endpoint::new(BOX, 2000), server(80)));
        let answer = segment(server(80), Endpoint::new(BOX, 2000), Flags::SYN | Flags::ACK);
        let back = on(nat.pass(Instant::ZERO, &answer));
        assert_eq!(back, Some(FourTuple::new(server(80), inside(2, 40_000))));
    }

    #[test]
    fn a_flow_is_forgotten_by_its_stage() {
        for (forgotten, pass) in [(Forgotten::Drop, Pass::Drop), (Forgotten::Reset, Pass::Own)] {
            let mut nat = nat(forgotten, true);
            let mut send = |at: u64, flags| {
                let segment = segment(inside(1, 40_000), server(80), flags);
                nat.pass(Instant::ZERO + Span::secs(at), &segment)
            };
            assert!(on(send(0, Flags::SYN)).is_some());
            assert_eq!(send(3, Flags::ACK), pass, "3 s without an answer");
            assert!(on(send(4, Flags::SYN)).is_some());
            assert!(on(send(5, Flags::ACK)).is_some());
            assert!(on(send(13, Flags::ACK)).is_some(), "9 s from the last one on");
            assert_eq!(send(22, Flags::ACK), pass);
            assert_eq!(nat.passage().forgotten, 1, "one of them stood");
        }
    }

    #[test]
    fn an_adopted_connection_may_change_its_port() {
        let mut nat = nat(Forgotten::Adopt, false);
        let data = segment(inside(1, 40_000), server(80), Flags::ACK);
        let leaves = on(nat.pass(Instant::ZERO, &data)).expect("it is adopted");
        assert_eq!((leaves.sport, nat.passage().adopted), (2000, 1));
        let stray = segment(server(80), Endpoint::new(BOX, 2001), Flags::ACK);
        assert_eq!(nat.pass(Instant::ZERO, &stray), Pass::Own);
    }

    proptest! {
        #[test]
        fn no_outside_tuple_belongs_to_two_and_answers_come_home(
            keep_ports in any::<bool>(),
            acts in proptest::collection::vec(
                (1_u8..=3, 40_000_u16..40_004, 80_u16..82, 0_u8..8, 0_u64..4_000, any::<bool>()),
                1..300,
            ),
        ) {
            let mut nat = nat(Forgotten::Drop, keep_ports);
            let mut now = Instant::ZERO;
            for (host, port, to, flags, later_ms, answers) in acts {
                now += Span::millis(later_ms);
                let flags = [
                    Flags::SYN, Flags::SYN, Flags::ACK, Flags::ACK, Flags::FIN | Flags::ACK,
                    Flags::RST, Flags::ACK, Flags::SYN,
                ][usize::from(flags)];
                let sent = segment(inside(host, port), server(to), flags);
                let Some(leaves) = on(nat.pass(now, &sent)) else { continue };
                prop_assert_eq!(leaves.source().addr, BOX);
                prop_assert_eq!(leaves.destination(), server(to));
                if answers {
                    let answer = Segment { flow: leaves.reversed(), flags: Flags::ACK, ..sent };
                    prop_assert_eq!(on(nat.pass(now, &answer)), Some(sent.flow.reversed()));
                }
                let table: Vec<_> = nat.table().collect();
                let mut outside: Vec<_> = table.iter().map(|(_, leaves)| *leaves).collect();
                outside.sort_unstable();
                outside.dedup();
                prop_assert_eq!(outside.len(), table.len(), "one flow for each outside tuple");
                prop_assert_eq!(table.len() as u64, nat.passage().now);
            }
        }
    }
}
