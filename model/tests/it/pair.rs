//! Two kernels and a virtual wire of 50 us each way, with a ladder of what went over it.

use std::collections::VecDeque;
use std::fmt::Write as _;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Config, Fd, Kernel};
use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::sink::{Cx, Note, Quiet, Sink};
use finwait_model::state::TcpState;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant, Span};

use crate::witness;

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The client, 10.0.0.1.
    C,
    /// The server, 10.0.0.2, which listens on port 80.
    S,
}
use End::{C, S};

/// Everything that left one host during a call, and the states that it saw.
#[derive(Default)]
pub(crate) struct Out(pub(crate) Vec<(Segment, Cause)>, Vec<TcpState>);

impl Sink for Out {
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.0.push((*segment, cause));
    }
    fn note(&mut self, note: impl FnOnce() -> Note) {
        match note() {
            Note::State { to, .. } => self.1.push(to),
            Note::BucketBorn { substate, .. } => self.1.push(substate),
            Note::BucketTimeWait { .. } => self.1.push(TcpState::TimeWait),
            Note::RequestBorn { .. } => self.1.push(TcpState::NewSynRecv),
            _ => {}
        }
    }
}

impl Out {
    /// Tells the witness what was seen, and gives the segments.
    pub(crate) fn seen(self, release: Release) -> Vec<(Segment, Cause)> {
        for (_, cause) in &self.0 {
            witness::saw(release, cause.name());
        }
        for state in &self.1 {
            witness::saw(release, state.kernel_name());
        }
        self.0
    }
}

/// The two hosts.
pub(crate) struct Pair {
    pub(crate) hosts: [Kernel; 2],
    pub(crate) now: Instant,
    wire: VecDeque<(Instant, End, Segment)>,
    /// Who sent what, when, why.
    pub(crate) log: Vec<(Instant, End, Segment, Cause)>,
    pub(crate) delay: Span,
    isn: [Option<u32>; 2],
    /// Segments that are lost: `true` drops it.
    pub(crate) lose: fn(End, &Segment, usize) -> bool,
}

pub(crate) const SERVER: Endpoint = Endpoint::new(Addr::v4(10, 0, 0, 2), 80);

impl Pair {
    pub(crate) fn new(release: Release) -> Self {
        Self::with(release, &[], &[])
    }
    pub(crate) fn with(release: Release, client: &[(&str, &str)], server: &[(&str, &str)]) -> Self {
        let host = |n: u8, sets: &[(&str, &str)]| {
            let mut sysctl = Sysctl::new(release);
            for (name, value) in sets {
                let full = format!("net.ipv4.{name}");
                sysctl.set(&full, value).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            }
            Kernel::new(&Config {
                release,
                clock: Clock::new(release.default_hz(), 1_000_000_000_000),
                sysctl,
                addrs: vec![Addr::v4(10, 0, 0, n)],
                mtu: 1500,
                seed: u64::from(n),
            })
        };
        Self {
            hosts: [host(1, client), host(2, server)],
            now: Instant::ZERO,
            wire: VecDeque::new(),
            log: Vec::new(),
            delay: Span::micros(50),
            isn: [None, None],
            lose: |_, _, _| false,
        }
    }

    /// A call into one host; what it sends goes onto the wire.
    pub(crate) fn on<T>(
        &mut self,
        end: End,
        call: impl FnOnce(&mut Kernel, &mut Cx<'_, Out>) -> T,
    ) -> T {
        let mut out = Out::default();
        let mut cx = Cx { now: self.now, sink: &mut out };
        let answer = call(&mut self.hosts[end as usize], &mut cx);
        self.hosts[end as usize].check();
        let release = self.hosts[end as usize].release();
        for (seg, cause) in out.seen(release) {
            if seg.flags.syn() && self.isn[end as usize].is_none() {
                self.isn[end as usize] = Some(seg.seq.0);
            }
            let lost = (self.lose)(end, &seg, self.log.len());
            self.log.push((self.now, end, seg, cause));
            if !lost {
                let other = if end == C { S } else { C };
                self.wire.push_back((self.now + self.delay, other, seg));
            }
        }
        answer
    }

    fn next(&self) -> Option<Instant> {
        let timers = self.hosts.iter().filter_map(Kernel::next_timer);
        timers.chain(self.wire.front().map(|w| w.0)).min()
    }
    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Span) {
        let end = self.now + span;
        while let Some(at) = self.next().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            if self.wire.front().is_some_and(|w| w.0 <= self.now) {
                let (_, to, seg) = self.wire.pop_front().unwrap();
                self.on(to, |k, cx| k.rx(&seg, cx));
            } else {
                for end in [C, S] {
                    self.on(end, |k, cx| k.run_timers(cx));
                }
            }
        }
        self.now = end;
    }

    /// A connection: client's and server's descriptors.
    pub(crate) fn connect(&mut self) -> (Fd, Fd) {
        let listener = self.listen(10);
        self.connect_to(listener)
    }
    pub(crate) fn listen(&mut self, backlog: i32) -> Fd {
        let fd = self.hosts[1].socket();
        self.hosts[1].bind(fd, Endpoint::new(Addr::ANY, SERVER.port)).unwrap();
        self.hosts[1]
            .listen(fd, backlog, &mut Cx { now: Instant::ZERO, sink: &mut Quiet })
            .unwrap();
        fd
    }
    pub(crate) fn connect_to(&mut self, listener: Fd) -> (Fd, Fd) {
        let c = self.hosts[0].socket();
        let answer = self.on(C, |k, cx| k.connect(c, SERVER, cx));
        assert_eq!(answer, Err(Errno::EINPROGRESS));
        self.run(Span::millis(1));
        let s = self.on(S, |k, cx| k.accept(listener, cx)).expect("a connection waits");
        assert_eq!(self.on(C, |k, cx| k.connect(c, SERVER, cx)), Ok(()));
        (c, s)
    }
    pub(crate) fn close(&mut self, end: End, fd: Fd) {
        self.on(end, |k, cx| k.close(fd, cx)).unwrap();
    }
    pub(crate) fn send(&mut self, end: End, fd: Fd, len: u32) {
        assert_eq!(self.on(end, |k, cx| k.send(fd, len, false, cx)), Ok(len));
    }
    pub(crate) fn recv(&mut self, end: End, fd: Fd) -> Result<u32, Errno> {
        self.on(end, |k, cx| k.recv(fd, 100_000, cx))
    }
    pub(crate) fn mib(&self, end: End, mib: Mib) -> u64 {
        self.hosts[end as usize].counters().get(mib)
    }

    /// What went over the wire since `from`, one line a segment: milliseconds since then,
    /// sender, flags, relative numbers, cause.
    pub(crate) fn ladder(&self, from: usize) -> String {
        let mut text = String::new();
        let start = self.log.get(from).map_or(Instant::ZERO, |l| l.0);
        for (at, end, seg, cause) in &self.log[from..] {
            let ms = (*at - start).ns / 100_000;
            let (mine, theirs) = match end {
                C => (self.isn[0], self.isn[1]),
                S => (self.isn[1], self.isn[0]),
            };
            let seq = seg.seq.0.wrapping_sub(mine.unwrap_or(0));
            let ack = seg.ack.0.wrapping_sub(theirs.unwrap_or(0));
            let _ = write!(text, "{:>7}.{} {end:?} {}", ms / 10, ms % 10, seg.flags);
            let _ = write!(text, " {seq}:{}", seq.wrapping_add(u32::from(seg.len)));
            if seg.flags.ack() {
                let _ = write!(text, " ack {ack}");
            }
            for block in seg.options.sack_blocks() {
                let left = block.left.0.wrapping_sub(theirs.unwrap_or(0));
                let right = block.right.0.wrapping_sub(theirs.unwrap_or(0));
                let _ = write!(text, " sack {left}:{right}");
            }
            let _ = writeln!(text, "  [{}]", cause.name());
        }
        text
    }
    /// The ladder without times and causes, on one line.
    pub(crate) fn line(&self, from: usize) -> String {
        let words = |l: &str| {
            l.split_whitespace()
                .skip(1)
                .take_while(|w| !w.starts_with('['))
                .collect::<Vec<_>>()
                .join(" ")
        };
        self.ladder(from).lines().map(words).collect::<Vec<_>>().join(" · ")
    }
}
