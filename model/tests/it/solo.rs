//! One kernel and a peer made of single segments: we say what comes, the kernel answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::{Config, Fd, Kernel, Object, OptName};
use finwait_model::release::Release;
use finwait_model::segment::{Flags, Options, Segment, Timestamp};
use finwait_model::seq::Seq;
use finwait_model::sink::{Cx, Quiet};
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant, Span};

use crate::pair::Out;

/// Our end, which listens.
pub(crate) const US: Endpoint = Endpoint::new(Addr::v4(10, 0, 0, 2), 80);
/// The peer's end.
pub(crate) const PEER: Endpoint = Endpoint::new(Addr::v4(10, 0, 0, 1), 40000);
/// The peer's initial sequence number: early numbers wrap.
const IRS: u32 = 0xffff_ffe0;
/// The peer's timestamp clock at the handshake.
const TSVAL: u32 = 50_000;

/// What the peer sends: numbers relative to the initial ones, so 0 is a SYN's.
#[derive(Clone, Copy)]
pub(crate) struct Say {
    pub(crate) flags: Flags,
    pub(crate) seq: i64,
    pub(crate) len: u16,
    pub(crate) ack: i64,
    /// The timestamp relative to the handshake's; `None` sends none.
    pub(crate) ts: Option<i32>,
}

/// A [`Say`] from text: `F. 1 0 ack 2`: flags, sequence number, length, acknowledgement.
pub(crate) fn say(text: &str) -> Say {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |i: usize| words.get(i).map_or(0, |w| w.parse().unwrap());
    Say {
        flags: crate::text_table::flags(words[0]),
        seq: number(1),
        len: number(2) as u16,
        ack: number(4),
        ts: None,
    }
}

pub(crate) struct Solo {
    pub(crate) k: Kernel,
    pub(crate) now: Instant,
    /// The peer's port.
    pub(crate) port: u16,
    /// Our port: that of the listener, or of the last connect().
    pub(crate) local: u16,
    /// Our initial sequence numbers, by the peer's port.
    iss: BTreeMap<u16, u32>,
    /// Our last timestamp.
    our_ts: u32,
    /// Do handshakes carry timestamps?
    pub(crate) timestamps: bool,
    /// The right edge of the last window that we offered, relative.
    pub(crate) edge: i64,
    scale: u8,
    /// The peer's window field.
    pub(crate) win: u16,
    /// Check every invariant after every call; tests of many connections do without.
    pub(crate) checked: bool,
}

impl Solo {
    pub(crate) fn new(release: Release, sets: &[(&str, &str)]) -> Self {
        let mut sysctl = Sysctl::new(release);
        for (name, value) in sets {
            let full =
                if name.contains('.') { (*name).to_owned() } else { format!("net.ipv4.{name}") };
            sysctl.set(&full, value).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        }
        let k = Kernel::new(&Config {
            release,
            clock: Clock::new(release.default_hz(), 1_000_000_000_000),
            sysctl,
            addrs: vec![US.addr],
            mtu: 1500,
            seed: 7,
        });
        Self {
            k,
            now: Instant::ZERO,
            port: PEER.port,
            local: US.port,
            iss: BTreeMap::new(),
            our_ts: 0,
            timestamps: false,
            edge: 0,
            scale: 0,
            win: 1000,
            checked: true,
        }
    }

    /// A call into the kernel; what it sends comes back.
    pub(crate) fn on<T>(
        &mut self,
        call: impl FnOnce(&mut Kernel, &mut Cx<'_, Out>) -> T,
    ) -> (T, Vec<(Segment, Cause)>) {
        let mut out = Out::default();
        let mut cx = Cx { now: self.now, sink: &mut out };
        let answer = call(&mut self.k, &mut cx);
        if self.checked {
            self.k.check();
        }
        let sent = out.seen(self.k.release());
        for (seg, _) in &sent {
            if seg.flags.syn() {
                self.iss.insert(seg.flow.dport, seg.seq.0);
                self.local = seg.flow.sport;
                self.scale = seg.options.wscale.unwrap_or(0);
            }
            if let Some(ts) = seg.options.ts {
                self.our_ts = ts.val;
            }
            if seg.flags.ack() && !seg.flags.rst() {
                let scale = if seg.flags.syn() { 0 } else { self.scale };
                let ack = seg.ack.0.wrapping_sub(IRS) as i32;
                self.edge = i64::from(ack) + (i64::from(seg.win) << scale);
            }
        }
        (answer, sent)
    }
    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Kernel, &mut Cx<'_, Out>) -> T,
    ) -> String {
        let sent = self.on(call).1;
        self.show(&sent)
    }

    fn iss_of(&self, port: u16) -> u32 {
        self.iss.get(&port).copied().unwrap_or(0)
    }
    pub(crate) fn iss(&self) -> u32 {
        self.iss_of(self.port)
    }

    pub(crate) fn segment(&self, say: Say) -> Segment {
        let peer = Endpoint::new(PEER.addr, self.port);
        Segment {
            flow: FourTuple::new(peer, Endpoint::new(US.addr, self.local)),
            seq: Seq(IRS.wrapping_add(say.seq as u32)),
            ack: if say.flags.ack() {
                Seq(self.iss().wrapping_add(say.ack as u32))
            } else {
                Seq(0)
            },
            len: say.len,
            win: self.win,
            flags: say.flags,
            options: Options {
                ts: say.ts.map(|d| Timestamp {
                    val: TSVAL.wrapping_add(d as u32),
                    ecr: if say.flags.ack() { self.our_ts } else { 0 },
                }),
                ..Options::default()
            },
        }
    }
    /// A segment of the peer arrives; the answer as text.
    pub(crate) fn says(&mut self, say: Say) -> String {
        let sent = self.hears(say);
        self.show(&sent)
    }
    pub(crate) fn hears(&mut self, say: Say) -> Vec<(Segment, Cause)> {
        let seg = self.segment(say);
        self.on(|k, cx| k.rx(&seg, cx)).1
    }
    /// The same from text, with the timestamp of the handshake if there was one.
    pub(crate) fn rx(&mut self, text: &str) -> String {
        let mut what = say(text);
        what.ts = self.timestamps.then_some(0);
        self.says(what)
    }

    /// Lets time pass; what the timers send, with the time since the beginning of the wait.
    pub(crate) fn wait(&mut self, span: Span) -> Vec<(Span, Segment, Cause)> {
        let (from, end) = (self.now, self.now + span);
        let mut all = Vec::new();
        while let Some(at) = self.k.next_timer().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            for (seg, cause) in self.on(|k, cx| k.run_timers(cx)).1 {
                all.push((self.now - from, seg, cause));
            }
        }
        self.now = end;
        all
    }

    /// `R 2:2`, `. 2:2 ack 1`, joined by ` + `; `-` for silence.
    pub(crate) fn show(&self, sent: &[(Segment, Cause)]) -> String {
        let mut text = String::new();
        for (seg, _) in sent {
            let seq = if seg.flags.rst() && seg.flags.ack() && seg.seq == Seq(0) {
                "0:0".to_owned()
            } else {
                let at = seg.seq.0.wrapping_sub(self.iss_of(seg.flow.dport)) as i32;
                format!("{at}:{}", at + i32::from(seg.len))
            };
            let join = if text.is_empty() { "" } else { " + " };
            let _ = write!(text, "{join}{} {seq}", seg.flags);
            if seg.flags.ack() {
                let _ = write!(text, " ack {}", seg.ack.0.wrapping_sub(IRS) as i32);
            }
        }
        if text.is_empty() { "-".to_owned() } else { text }
    }

    pub(crate) fn listen(&mut self, backlog: i32) -> Fd {
        let fd = self.k.socket();
        self.k.bind(fd, Endpoint::new(Addr::ANY, US.port)).unwrap();
        self.k.listen(fd, backlog, &mut Cx { now: Instant::ZERO, sink: &mut Quiet }).unwrap();
        let listens = self.k.state(fd).unwrap();
        crate::witness::saw(self.k.release(), listens.kernel_name());
        fd
    }
    /// The peer's SYN, with options.
    pub(crate) fn syn(&mut self) -> String {
        let mut seg = self.segment(say("S 0"));
        seg.options.mss = Some(1460);
        seg.options.sack_permitted = true;
        seg.options.ts = self.timestamps.then_some(Timestamp { val: TSVAL, ecr: 0 });
        let sent = self.on(|k, cx| k.rx(&seg, cx)).1;
        self.show(&sent)
    }
    /// A connection that the peer opened: listener and connection.
    pub(crate) fn accepted(&mut self) -> (Fd, Fd) {
        let listener = self.listen(10);
        assert_eq!(self.syn(), "S. 0:0 ack 1");
        assert_eq!(self.rx(". 1 0 ack 1"), "-");
        let fd = self.on(|k, cx| k.accept(listener, cx)).0.expect("a connection waits");
        (listener, fd)
    }

    /// A connection that we open to the peer's port; its SYN.
    pub(crate) fn connect(&mut self) -> (Fd, String) {
        let fd = self.k.socket();
        let to = Endpoint::new(PEER.addr, self.port);
        let (answer, sent) = self.on(|k, cx| k.connect(fd, to, cx));
        assert_eq!(answer, Err(Errno::EINPROGRESS));
        (fd, self.show(&sent))
    }
    /// The peer's SYN-ACK.
    pub(crate) fn syn_ack(&mut self) -> String {
        let mut seg = self.segment(say("S. 0 0 ack 1"));
        seg.options.mss = Some(1460);
        seg.options.sack_permitted = true;
        seg.options.ts = self.timestamps.then_some(Timestamp { val: TSVAL, ecr: self.our_ts });
        let sent = self.on(|k, cx| k.rx(&seg, cx)).1;
        self.show(&sent)
    }
    /// Our last timestamp.
    pub(crate) fn our_ts(&self) -> u32 {
        self.our_ts
    }
    /// SO_ERROR.
    pub(crate) fn error(&mut self, fd: Fd) -> i64 {
        self.k.getsockopt(fd, OptName::Error).unwrap()
    }

    pub(crate) fn mib(&self, mib: Mib) -> u64 {
        self.k.counters().get(mib)
    }
    /// The state of the one connection as `ss` names it; `gone` if there is none.
    pub(crate) fn state(&self) -> &'static str {
        let rows = self.k.rows(self.now);
        let mut rows = rows.iter().filter(|r| r.object != Object::Listener);
        let state = rows.next().map_or("gone", |r| r.state.ss_name());
        assert!(rows.next().is_none(), "one connection at most");
        state
    }
    pub(crate) fn close(&mut self, fd: Fd) -> String {
        self.call(|k, cx| k.close(fd, cx).map(|_| ()))
    }
}
