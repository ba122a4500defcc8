//! One kernel, a peer made of single segments, and everything that passed between them.
//!
//! Sequence numbers are told relative to the SYNs, as in a packetdrill script: a SYN is 0.

use core::fmt::Write as _;

use finwait_model::cause::Cause;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Config, Fd, How, Kernel};
use finwait_model::release::Release;
use finwait_model::segment::{Flags, Options, Segment, Timestamp};
use finwait_model::seq::Seq;
use finwait_model::sink::{Cx, Note, Sink};
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant, Span};

use crate::text;

/// Our end, which listens.
const US: Endpoint = Endpoint::new(Addr::v4(10, 0, 0, 2), 80);
/// The peer's end.
const PEER: Endpoint = Endpoint::new(Addr::v4(10, 0, 0, 1), 40000);
/// The peer's initial sequence number: within the conversations the numbers wrap.
const IRS: u32 = 0xffff_fe00;
/// The peer's timestamp clock at the handshake.
const TSVAL: u32 = 50_000;

/// What the peer sends; numbers relative to the SYNs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Say {
    /// Its flags.
    pub flags: Flags,
    /// Its sequence number.
    pub seq: i64,
    /// Payload bytes.
    pub len: u16,
    /// What it acknowledges, if it has the flag.
    pub ack: i64,
    /// Its timestamp against the handshake's; `None` sends none.
    pub ts: Option<i32>,
}

/// Something that happened, in the order in which it did.
#[derive(Clone, Debug)]
pub struct Rung {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What a [`Rung`] shows.
#[derive(Clone, Debug)]
pub enum What {
    /// A segment of the peer's.
    In(Segment),
    /// A segment of the kernel's, and why it was sent.
    Out(Segment, Cause),
    /// A system call, as text.
    Call(String),
    /// What the kernel noted.
    Note(Note),
}

/// A kernel under observation.
#[derive(Debug)]
pub struct Lab {
    kernel: Kernel,
    now: Instant,
    timestamps: bool,
    iss: u32,
    our_ts: u32,
    edge: i64,
    scale: u8,
    rungs: Vec<Rung>,
}

/// Keeps what a call did.
struct Keep<'a> {
    at: Instant,
    rungs: &'a mut Vec<Rung>,
}

impl Sink for Keep<'_> {
    fn transmit(&mut self, segment: &Segment, cause: Cause) {
        self.rungs.push(Rung { at: self.at, what: What::Out(*segment, cause) });
    }
    fn note(&mut self, note: impl FnOnce() -> Note) {
        self.rungs.push(Rung { at: self.at, what: What::Note(note()) });
    }
}

impl Lab {
    /// A host that has booted, with those sysctls; do its peers use timestamps?
    ///
    /// # Panics
    ///
    /// If the release does not know a sysctl: exercises are written by us.
    pub fn new(release: Release, sysctls: &[(&str, &str)], timestamps: bool) -> Self {
        let mut sysctl = Sysctl::new(release);
        for (name, value) in sysctls {
            let set = sysctl.set(name, value);
            assert!(set.is_ok(), "invariant: {release} has {name} = {value}");
        }
        let kernel = Kernel::new(&Config {
            release,
            clock: Clock::new(release.default_hz(), 1_000_000_000_000),
            sysctl,
            addrs: vec![US.addr],
            mtu: 1500,
            seed: 7,
        });
        Self {
            kernel,
            now: Instant::ZERO,
            timestamps,
            iss: 0,
            our_ts: 0,
            edge: 0,
            scale: 0,
            rungs: Vec::new(),
        }
    }

    fn on<T>(&mut self, call: impl FnOnce(&mut Kernel, &mut Cx<'_, Keep<'_>>) -> T) -> T {
        let from = self.rungs.len();
        let mut keep = Keep { at: self.now, rungs: &mut self.rungs };
        let answer = call(&mut self.kernel, &mut Cx { now: self.now, sink: &mut keep });
        for rung in &self.rungs[from..] {
            let What::Out(seg, _) = &rung.what else { continue };
            if seg.flags.syn() {
                self.iss = seg.seq.0;
                self.scale = seg.options.wscale.unwrap_or(0);
            }
            if let Some(ts) = seg.options.ts {
                self.our_ts = ts.val;
            }
            if seg.flags.ack() && !seg.flags.rst() {
                let scale = if seg.flags.syn() { 0 } else { self.scale };
                let edge = i64::from(self.told_ack(seg)) + (i64::from(seg.win) << scale);
                self.edge = self.edge.max(edge);
            }
        }
        answer
    }
    fn called(&mut self, text: impl Into<String>) {
        self.rungs.push(Rung { at: self.now, what: What::Call(text.into()) });
    }

    /// The peer's segment with those relative numbers, and the options of its kind.
    pub fn segment(&self, say: Say) -> Segment {
        let syn = say.flags.syn();
        let ts = say.ts.filter(|_| self.timestamps).map(|d| Timestamp {
            val: TSVAL.wrapping_add_signed(d),
            ecr: if say.flags.ack() { self.our_ts } else { 0 },
        });
        Segment {
            flow: FourTuple::new(PEER, US),
            seq: Seq(IRS.wrapping_add(say.seq as u32)),
            ack: if say.flags.ack() { Seq(self.iss.wrapping_add(say.ack as u32)) } else { Seq(0) },
            len: say.len,
            win: 1000,
            flags: say.flags,
            options: Options { ts, mss: syn.then_some(1460), ..Options::default() },
        }
    }
    /// A segment of the peer arrives.
    pub fn hears(&mut self, say: Say) {
        let segment = self.segment(say);
        self.rungs.push(Rung { at: self.now, what: What::In(segment) });
        self.on(|kernel, cx| kernel.rx(&segment, cx));
    }
    /// The same from few words, with a timestamp as old as the handshake's.
    pub fn peer(&mut self, flags: Flags, seq: i64, len: u16, ack: i64) {
        self.hears(Say { flags, seq, len, ack, ts: Some(0) });
    }
    /// A listener on our port.
    ///
    /// # Panics
    ///
    /// If there is one already.
    pub fn listen(&mut self) -> Fd {
        let fd = self.kernel.socket();
        let bound = self.kernel.bind(fd, Endpoint::new(Addr::ANY, US.port));
        let listens = self.on(|kernel, cx| kernel.listen(fd, 10, cx));
        assert!(bound.is_ok() && listens.is_ok(), "invariant: nobody else listens");
        fd
    }
    /// A connection that the peer opened; its descriptor.
    ///
    /// # Panics
    ///
    /// If the handshake fails, which no exercise asks for.
    pub fn accepted(&mut self) -> Fd {
        let listener = self.listen();
        self.peer(Flags::SYN, 0, 0, 0);
        self.peer(Flags::ACK, 1, 0, 1);
        let fd = self.on(|kernel, cx| kernel.accept(listener, cx));
        fd.expect("invariant: the connection stands")
    }
    /// `recv()` of all that is there.
    pub fn recv(&mut self, fd: Fd) {
        let answer = self.on(|kernel, cx| kernel.recv(fd, 1 << 20, cx));
        let text = answer.map_or_else(|e| format!("{e:?}"), |n| n.to_string());
        self.called(format!("recv() = {text}"));
    }
    /// `send()` of so many bytes.
    pub fn send(&mut self, fd: Fd, bytes: u32) {
        self.called(format!("send({bytes})"));
        // A refusal is as good as an acceptance: what matters is what leaves.
        let _ = self.on(|kernel, cx| kernel.send(fd, bytes, false, cx));
    }
    /// `close()`.
    pub fn close(&mut self, fd: Fd) {
        self.called("close()");
        let _ = self.on(|kernel, cx| kernel.close(fd, cx));
    }
    /// `shutdown(SHUT_WR)`.
    pub fn shut_down(&mut self, fd: Fd) {
        self.called("shutdown(SHUT_WR)");
        let _ = self.on(|kernel, cx| kernel.shutdown(fd, How::Wr, cx));
    }
    /// Lets time pass; timers fire.
    pub fn wait(&mut self, span: Span) {
        let end = self.now + span;
        while let Some(at) = self.kernel.next_timer().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.on(|kernel, cx| kernel.run_timers(cx));
        }
        self.now = end;
    }

    /// The kernel.
    pub const fn kernel(&self) -> &Kernel {
        &self.kernel
    }
    /// What `ss -o` shows as the time that the bucket has left; zero if there is none.
    pub fn bucket_left(&self) -> Span {
        let rows = self.kernel.rows(self.now);
        let timer = rows.iter().filter_map(|r| r.timer).find(|t| t.name == "timewait");
        timer.map_or(Span::ZERO, |t| t.left)
    }
    /// The right edge of the window that we offered, relative.
    pub const fn edge(&self) -> i64 {
        self.edge
    }
    /// Everything that happened.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }
    /// The peer's or our sequence number, relative to the SYN of whoever sends.
    pub fn told_seq(&self, seg: &Segment) -> i32 {
        let from = if seg.flow.saddr == PEER.addr { IRS } else { self.iss };
        // A RST that answers a segment without ACK begins at 0, whatever our numbers are.
        if seg.seq == Seq(0) && seg.flags.rst() { 0 } else { seg.seq.0.wrapping_sub(from) as i32 }
    }
    /// What it acknowledges, relative to the other's SYN.
    pub fn told_ack(&self, seg: &Segment) -> i32 {
        let from = if seg.flow.saddr == PEER.addr { self.iss } else { IRS };
        seg.ack.0.wrapping_sub(from) as i32
    }
    /// `FIN ACK  seq 1001 ack 2`.
    pub fn told(&self, seg: &Segment) -> String {
        let mut told = format!("{}  seq {}", text::flags(seg.flags), self.told_seq(seg));
        if seg.flags.ack() {
            let _ = write!(told, " ack {}", self.told_ack(seg));
        }
        if seg.len > 0 {
            let _ = write!(told, " len {}", seg.len);
        }
        if let Some(ts) = seg.options.ts.filter(|_| seg.flow.saddr == PEER.addr) {
            match ts.val.wrapping_sub(TSVAL) as i32 {
                0 => {}
                d => {
                    let age = if d < 0 { "older" } else { "newer" };
                    let _ = write!(told, " (timestamp {age} than the last)");
                }
            }
        }
        told
    }
}
