//! The tables against a naive model: who holds a four-tuple or a port, what bind() and connect()
//! answer, who gets a segment. Sections A and C2 to C8 of the companion sheet.

use std::collections::BTreeMap;

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Config, Fd, Kernel, SockOpt};
use finwait_model::release::Release;
use finwait_model::segment::{Flags, Segment};
use finwait_model::seq::Seq;
use finwait_model::sink::{Cx, Quiet};
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant};
use proptest::prelude::*;

use crate::pair::Out;

/// Two own addresses, two peers, few ports: everything collides.
const OWN: [Addr; 3] = [Addr::ANY, Addr::v4(10, 0, 0, 2), Addr::v4(10, 0, 0, 3)];
const PEERS: [Endpoint; 2] =
    [Endpoint::new(Addr::v4(10, 0, 0, 8), 7), Endpoint::new(Addr::v4(10, 0, 0, 9), 7)];
const LOW: u16 = 50_000;
const HIGH: u16 = 50_005;

#[derive(Clone, Debug)]
enum Op {
    Socket(bool),
    /// Socket, own address, port (an index, or 6 for "any").
    Bind(usize, usize, u16),
    Listen(usize),
    Connect(usize, usize),
    /// The peer answers: accepts, or refuses.
    Answer(usize, bool),
    Close(usize),
    /// A segment from a peer to an own address and port: who answers?
    Probe(usize, usize, u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => any::<bool>().prop_map(Op::Socket),
        4 => (0..8usize, 0..3usize, 0..7u16).prop_map(|(i, a, p)| Op::Bind(i, a, p)),
        2 => (0..8usize).prop_map(Op::Listen),
        5 => (0..8usize, 0..2usize).prop_map(|(i, p)| Op::Connect(i, p)),
        3 => (0..8usize, any::<bool>()).prop_map(|(i, ok)| Op::Answer(i, ok)),
        3 => (0..8usize).prop_map(Op::Close),
        4 => (0..2usize, 1..3usize, 0..6u16).prop_map(|(p, a, n)| Op::Probe(p, a, n)),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Fresh,
    Listen,
    SynSent,
    Estab,
    /// Refused: in no table but that of its explicit port.
    Dead,
}

/// What the naive model knows of a socket.
#[derive(Clone, Copy, Debug)]
struct Naive {
    fd: Fd,
    state: State,
    reuse: bool,
    addr: Addr,
    /// 0: none.
    port: u16,
    explicit: bool,
    peer: Option<Endpoint>,
    /// Its SYN's number.
    iss: Seq,
}

struct World {
    kernel: Kernel,
    release: Release,
    socks: Vec<Naive>,
    /// Every connection, as it sends.
    flows: BTreeMap<FourTuple, usize>,
    /// 3.10: ports that were ever bound since somebody held them; they stay so.
    ever_bound: BTreeMap<u16, bool>,
}

impl World {
    fn new(release: Release) -> Self {
        let mut sysctl = Sysctl::new(release);
        sysctl.set("net.ipv4.ip_local_port_range", &format!("{LOW} {HIGH}")).unwrap();
        let kernel = Kernel::new(&Config {
            release,
            clock: Clock { hz: 1000, uptime_ns: 1_000_000_000_000, boot_jiffies: 0 },
            sysctl,
            addrs: OWN[1..].to_vec(),
            mtu: 1500,
            seed: 3,
        });
        let (socks, flows, ever_bound) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { kernel, release, socks, flows, ever_bound }
    }

    fn on<T>(
        &mut self,
        call: impl FnOnce(&mut Kernel, &mut Cx<'_, Out>) -> T,
    ) -> (T, Vec<(Segment, Cause)>) {
        let mut out = Out::default();
        let answer = call(&mut self.kernel, &mut Cx { now: Instant::ZERO, sink: &mut out });
        self.kernel.check();
        (answer, out.0)
    }

    fn owners(&self, port: u16) -> impl Iterator<Item = &Naive> + '_ {
        self.socks.iter().filter(move |s| s.port == port && port != 0)
    }
    /// May connect()'s search look at the port at all?
    fn open_to_connect(&self, port: u16) -> bool {
        let bound = match self.release {
            Release::V3_10 => self.ever_bound.get(&port) == Some(&true),
            Release::V6_18 => self.owners(port).any(|s| s.explicit),
        };
        self.owners(port).next().is_none() || !bound
    }
    fn forget_empty_ports(&mut self) {
        let held: Vec<u16> = self.ever_bound.keys().copied().collect();
        for port in held {
            if self.owners(port).next().is_none() {
                self.ever_bound.remove(&port);
            }
        }
    }
    /// C8, with the port given.
    fn bind_conflicts(&self, i: usize, addr: Addr, port: u16) -> bool {
        let me = &self.socks[i];
        self.owners(port).any(|other| {
            let overlap = addr == Addr::ANY || other.addr == Addr::ANY || addr == other.addr;
            let waived = me.reuse && other.reuse && other.state != State::Listen;
            overlap && !waived
        })
    }

    fn bind(&mut self, i: usize, addr: Addr, port: u16) {
        let sock = self.socks[i];
        if sock.state == State::Dead {
            return;
        }
        let answer = self.kernel.bind(sock.fd, Endpoint::new(addr, port));
        self.kernel.check();
        if sock.state != State::Fresh || sock.port != 0 {
            assert_eq!(answer, Err(Errno::EINVAL), "bound or used: {sock:?}");
            return;
        }
        if port == 0 {
            // C4: strict; only that a port with no owner is always good is certain here.
            let free = (LOW..=HIGH).any(|p| self.owners(p).next().is_none());
            assert!(answer.is_ok() || !free, "a port is free");
            if answer.is_err() {
                assert_eq!(answer, Err(Errno::EADDRINUSE));
                return;
            }
        } else if self.bind_conflicts(i, addr, port) {
            assert_eq!(answer, Err(Errno::EADDRINUSE), "{sock:?}");
            return;
        }
        assert_eq!(answer, Ok(()), "{:?}", self.socks);
        let port = self.kernel.flow(sock.fd).unwrap().sport;
        assert!((LOW..=HIGH).contains(&port));
        let sock = &mut self.socks[i];
        (sock.addr, sock.port, sock.explicit) = (addr, port, true);
        self.ever_bound.insert(port, true);
    }

    fn listen(&mut self, i: usize) {
        let sock = self.socks[i];
        if sock.port == 0 || sock.state != State::Fresh {
            return; // listen() on an unbound socket would choose a port: bind(0) has a test
        }
        let answer =
            self.kernel.listen(sock.fd, 5, &mut Cx { now: Instant::ZERO, sink: &mut Quiet });
        self.kernel.check();
        // Two that share a port cannot both listen on overlapping addresses.
        let other = self.owners(sock.port).any(|o| {
            let overlap = o.addr == sock.addr || o.addr == Addr::ANY || sock.addr == Addr::ANY;
            o.fd != sock.fd && overlap && !(o.reuse && sock.reuse && o.state != State::Listen)
        });
        assert_eq!(answer, if other { Err(Errno::EADDRINUSE) } else { Ok(()) }, "{:?}", self.socks);
        if answer.is_ok() {
            self.socks[i].state = State::Listen;
        }
    }

    fn connect(&mut self, i: usize, peer: Endpoint) {
        let sock = self.socks[i];
        if sock.state != State::Fresh {
            return;
        }
        let addr = if sock.addr == Addr::ANY { OWN[1] } else { sock.addr };
        let flow_of = |port| FourTuple::new(Endpoint::new(addr, port), peer);
        let free: Vec<u16> = if sock.port != 0 {
            vec![sock.port].into_iter().filter(|&p| !self.flows.contains_key(&flow_of(p))).collect()
        } else {
            (LOW..=HIGH)
                .filter(|&p| self.open_to_connect(p) && !self.flows.contains_key(&flow_of(p)))
                .collect()
        };
        let (answer, sent) = self.on(|k, cx| k.connect(sock.fd, peer, cx));
        if free.is_empty() {
            assert_eq!(answer, Err(Errno::EADDRNOTAVAIL), "{:?}", self.socks);
            return;
        }
        assert_eq!(answer, Err(Errno::EINPROGRESS), "{:?}", self.socks);
        let flow = self.kernel.flow(sock.fd).unwrap();
        assert!(free.contains(&flow.sport), "{flow} of {free:?}");
        assert_eq!(flow, flow_of(flow.sport));
        if sock.port == 0 && self.release == Release::V6_18 {
            // C2: ports of the lower bound's parity come first.
            let even = free.iter().any(|p| p % 2 == LOW % 2);
            assert_eq!(flow.sport % 2 == LOW % 2, even, "{flow} of {free:?}");
        }
        let me = &mut self.socks[i];
        (me.state, me.peer, me.iss) = (State::SynSent, Some(peer), sent[0].0.seq);
        (me.addr, me.port) = (addr, flow.sport);
        self.flows.insert(flow, i);
        self.ever_bound.entry(flow.sport).or_insert(false);
    }

    fn answer(&mut self, i: usize, accepts: bool) {
        let sock = self.socks[i];
        if sock.state != State::SynSent {
            return;
        }
        let to = Endpoint::new(sock.addr, sock.port);
        let flow = FourTuple::new(sock.peer.unwrap(), to);
        let flags = if accepts { Flags::SYN | Flags::ACK } else { Flags::RST | Flags::ACK };
        let seg = Segment {
            flow,
            seq: Seq(1000),
            ack: sock.iss + 1,
            win: 1000,
            flags,
            ..Segment::default()
        };
        self.on(|k, cx| k.rx(&seg, cx));
        if accepts {
            self.socks[i].state = State::Estab;
            return;
        }
        self.flows.remove(&flow.reversed());
        let sock = &mut self.socks[i];
        sock.state = State::Dead;
        if !sock.explicit {
            sock.port = 0;
        }
        self.forget_empty_ports();
    }

    /// close(), and whatever it leaves is reset by the peer, so that nothing stays.
    fn close(&mut self, i: usize) {
        let sock = self.socks.remove(i);
        self.on(|k, cx| k.close(sock.fd, cx)).0.unwrap();
        if let Some(peer) = sock.peer.filter(|_| sock.state != State::Dead) {
            let flow = FourTuple::new(peer, Endpoint::new(sock.addr, sock.port));
            if sock.state == State::Estab {
                let rst = Segment { flow, seq: Seq(1001), flags: Flags::RST, ..Segment::default() };
                self.on(|k, cx| k.rx(&rst, cx));
            }
        }
        self.flows.retain(|_, at| *at != i);
        for at in self.flows.values_mut() {
            *at -= usize::from(*at > i);
        }
        self.forget_empty_ports();
    }

    fn probe(&mut self, peer: Endpoint, addr: Addr, port: u16) {
        let flow = FourTuple::new(peer, Endpoint::new(addr, port));
        let seg = Segment {
            flow,
            seq: Seq(900),
            ack: Seq(1),
            win: 1000,
            flags: Flags::ACK,
            ..Segment::default()
        };
        let holder = self.flows.get(&flow.reversed()).map(|&i| self.socks[i].state);
        let listens = self
            .owners(port)
            .any(|s| s.state == State::Listen && (s.addr == addr || s.addr == Addr::ANY));
        let sent = self.on(|k, cx| k.rx(&seg, cx)).1;
        let causes: Vec<Cause> = sent.iter().map(|s| s.1).collect();
        match holder {
            Some(State::SynSent) => assert_eq!(causes, [Cause::RstSynSentBadAck]),
            // Established: out of window, limited.
            Some(_) => assert!(causes.is_empty() || causes == [Cause::AckOutOfWindow]),
            None if listens => assert_eq!(causes, [Cause::RstListenAck]),
            None => assert_eq!(causes, [Cause::RstNoSocket]),
        }
    }

    fn step(&mut self, op: &Op) {
        let pick = |i: usize| i < self.socks.len();
        match *op {
            Op::Socket(reuse) if self.socks.len() < 8 => {
                let fd = self.kernel.socket();
                self.on(|k, cx| k.setsockopt(fd, SockOpt::ReuseAddr(reuse), cx)).0.unwrap();
                self.socks.push(Naive {
                    fd,
                    state: State::Fresh,
                    reuse,
                    addr: Addr::ANY,
                    port: 0,
                    explicit: false,
                    peer: None,
                    iss: Seq(0),
                });
            }
            Op::Bind(i, addr, port) if pick(i) => {
                let port = if port == 6 { 0 } else { LOW + port };
                self.bind(i, OWN[addr], port);
            }
            Op::Listen(i) if pick(i) => self.listen(i),
            Op::Connect(i, peer) if pick(i) => self.connect(i, PEERS[peer]),
            Op::Answer(i, accepts) if pick(i) => self.answer(i, accepts),
            Op::Close(i) if pick(i) => self.close(i),
            Op::Probe(peer, addr, port) => self.probe(PEERS[peer], OWN[addr], LOW + port),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]
    #[test]
    fn like_a_map(old in any::<bool>(), ops in proptest::collection::vec(op(), 1..80)) {
        let mut world = World::new(if old { Release::V3_10 } else { Release::V6_18 });
        for op in &ops {
            world.step(op);
            let connected = world.kernel.rows(Instant::ZERO);
            let flows: Vec<FourTuple> = connected
                .iter()
                .filter(|r| r.remote.port != 0)
                .map(|r| FourTuple::new(r.local, r.remote))
                .collect();
            let mut flows = flows;
            flows.sort_unstable();
            let naive: Vec<FourTuple> = world.flows.keys().copied().collect();
            prop_assert_eq!(flows, naive);
        }
    }
}
