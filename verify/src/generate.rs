//! Random cases around the end of a connection. They only have to be plausible: what comes of
//! them is for the kernel to say.

use finwait_model::kernel::{How, OptName, SockOpt};
use finwait_model::segment::Flags;
use finwait_sim::script::ast::TcpOption;
use finwait_sim::script::observe::Conn;

use crate::rng::Rng;
use crate::step::{Act, Call, Case, Packet, Step, Unreachable, When};

const MS: u64 = 1_000_000;
const PORT: u16 = 8080;
const ACK: Flags = Flags::ACK;

/// The case with this number of the run with this seed.
pub fn case(seed: u64, number: u64) -> Case {
    let mut g = Gen {
        rng: Rng::new(seed, number),
        case: Case { name: format!("seed {seed} case {number}"), ..Case::default() },
        conns: Vec::new(),
        listener: None,
        next_fd: 3,
        gap: 10 * MS,
        budget: 6_000 * MS,
        accept_percent: 90,
    };
    g.case.peer_isn = if g.rng.chance(10) { u32::MAX - 8 } else { g.rng.next() as u32 };
    g.sysctls();
    g.open();
    let steps = 2 + g.rng.below(11);
    for _ in 0..steps {
        g.something();
    }
    g.tail();
    g.case
}

/// What the generator believes about a connection; the host may see it otherwise.
#[derive(Clone, Copy, Debug)]
struct Peer {
    conn: Conn,
    fd: Option<i32>,
    /// Options negotiated: timestamps, SACK.
    ts: bool,
    sack: bool,
    /// The peer's next sequence number.
    nxt: u32,
    /// The host's next sequence number, if it could send all.
    host_nxt: u32,
    fin_sent: bool,
    host_fin: bool,
    tsval: u32,
    win: u16,
}

struct Gen {
    rng: Rng,
    case: Case,
    conns: Vec<Peer>,
    listener: Option<i32>,
    next_fd: i32,
    gap: u64,
    /// How much time the case may still take.
    budget: u64,
    /// How often a new connection is accepted at once.
    accept_percent: u64,
}

impl Gen {
    fn push(&mut self, act: Act) {
        let gap = std::mem::replace(&mut self.gap, 0);
        let gap = if gap == 0 { self.delay() } else { gap };
        let event = self.case.steps.len();
        self.case.steps.push(Step { event, when: When::After(gap), act });
    }
    fn call(&mut self, call: Call) {
        self.push(Act::Call(call));
    }

    /// Mostly at once or soon; sometimes around a delayed ACK, a retransmission, a timeout.
    fn delay(&mut self) -> u64 {
        let ms = self.rng.weighted(&[
            (30, 0),
            (30, 8),
            (10, 20),
            (4, 36),
            (4, 44),
            (4, 60),
            (3, 110),
            (4, 190),
            (4, 230),
            (3, 450),
            (2, 700),
            (2, 1100),
            (1, 2100),
            (1, 3300),
        ]);
        let ns = (ms * MS).min(self.budget);
        self.budget -= ns;
        ns
    }

    fn sysctls(&mut self) {
        const CHOICES: [(&str, &[&str]); 21] = [
            ("tcp_max_tw_buckets", &["0", "1", "2", "3", "-1"]),
            ("tcp_fin_timeout", &["1", "2", "3", "61", "62", "63", "0"]),
            ("tcp_orphan_retries", &["1", "2", "3"]),
            ("tcp_tw_reuse", &["0", "1"]),
            ("tcp_rfc1337", &["1"]),
            ("tcp_timestamps", &["0", "2"]),
            ("tcp_sack", &["0"]),
            ("tcp_dsack", &["0"]),
            ("tcp_window_scaling", &["0"]),
            ("tcp_abort_on_overflow", &["1"]),
            ("tcp_early_retrans", &["0", "4"]),
            ("tcp_retries2", &["1", "2", "3"]),
            ("tcp_synack_retries", &["0", "1"]),
            ("tcp_syn_retries", &["1"]),
            ("tcp_invalid_ratelimit", &["0", "50", "1000"]),
            ("tcp_challenge_ack_limit", &["0", "1"]),
            ("tcp_recovery", &["0"]),
            ("tcp_syncookies", &["0", "2"]),
            ("tcp_max_syn_backlog", &["1", "4"]),
            ("tcp_rto_max_ms", &["1000", "2000"]),
            ("tcp_tw_reuse_delay", &["1", "60000"]),
        ];
        for (name, values) in CHOICES {
            let percent = match name {
                "tcp_max_tw_buckets" => 35,
                "tcp_fin_timeout" => 30,
                "tcp_orphan_retries" | "tcp_timestamps" => 25,
                "tcp_sack" => 15,
                "tcp_syncookies" | "tcp_max_syn_backlog" => 4,
                _ => 7,
            };
            if self.rng.chance(percent) {
                let value = self.rng.pick(values);
                self.case.sysctls.push((format!("net.ipv4.{name}"), value.to_owned()));
            }
        }
    }

    /// Whether the host's sysctls leave an option on.
    fn host_has(&self, name: &str) -> bool {
        let full = format!("net.ipv4.{name}");
        !self.case.sysctls.iter().any(|(n, v)| *n == full && v == "0")
    }

    fn open(&mut self) {
        if self.rng.chance(8) {
            return self.crowd();
        }
        if self.rng.chance(82) {
            self.listen();
            let count = self.rng.weighted(&[(70, 1), (20, 2), (10, 3)]);
            for _ in 0..count {
                self.passive();
            }
        } else {
            self.active();
        }
    }

    /// More connections than a short accept queue takes, and nobody who accepts.
    fn crowd(&mut self) {
        self.listen();
        let backlog = self.rng.pick(&[0, 1]);
        if let Some(fd) = self.listener {
            self.call(Call::Listen { fd, backlog });
        }
        for _ in 0..self.rng.pick(&[3, 4, 5]) {
            self.accept_percent = 15;
            self.passive();
        }
        self.accept_percent = 90;
    }

    fn socket(&mut self) -> i32 {
        let fd = self.next_fd;
        self.next_fd += 1;
        self.call(Call::Socket { fd });
        self.gap = 4 * MS;
        fd
    }

    fn listen(&mut self) {
        let fd = self.socket();
        self.listener = Some(fd);
        if self.rng.chance(60) {
            self.call(Call::SetOpt { fd, opt: SockOpt::ReuseAddr(true) });
        }
        let any = self.rng.chance(50);
        self.call(Call::Bind { fd, port: PORT, any });
        if self.rng.chance(12) {
            let opt = self.option();
            self.call(Call::SetOpt { fd, opt });
        }
        let backlog = self.rng.weighted(&[(70, 5), (15, 0), (15, 1)]);
        self.call(Call::Listen { fd, backlog });
        self.call(Call::NonBlock { fd, on: true });
    }

    /// A connection from a port of its own, or, rarely, from one that was used before.
    fn passive(&mut self) {
        let again = self.rng.chance(10) && !self.conns.is_empty();
        let number =
            if again { self.rng.below(self.conns.len() as u64) } else { self.conns.len() as u64 };
        let conn = Conn { local: PORT, remote: 40000 + number as u16 };
        let (offers_ts, offers_sack) = (self.rng.chance(60), self.rng.chance(75));
        let mut peer = Peer {
            conn,
            fd: None,
            ts: offers_ts && self.host_has("tcp_timestamps"),
            sack: offers_sack && self.host_has("tcp_sack"),
            nxt: 1,
            host_nxt: 1,
            fin_sent: false,
            host_fin: false,
            tsval: 1000,
            win: self.rng.weighted(&[(80, 65535), (10, 1000), (5, 100), (5, 0)]),
        };
        let isn = if again { self.rng.pick(&[100_000, 0, 50]) } else { 0 };
        peer.nxt = isn + 1;
        let mut options = vec![TcpOption::Mss(1460)];
        if offers_sack {
            options.push(TcpOption::SackOk);
        }
        if offers_ts {
            options.push(TcpOption::Ts { val: peer.tsval, ecr: 0 });
        }
        if self.rng.chance(60) {
            options.push(TcpOption::Wscale(self.rng.pick(&[0, 7])));
        }
        let syn = Packet { conn, flags: Flags::SYN, seq: isn, len: 0, ack: 0, win: 65535, options };
        self.push(Act::Inject(syn));
        if self.rng.chance(4) {
            self.conns.push(peer);
            return;
        }
        self.gap = 8 * MS;
        let len = if self.rng.chance(8) { 10 } else { 0 };
        self.segment(&mut peer, ACK, 0, 0, len);
        peer.nxt += u32::from(len);
        if let (Some(fd), true) = (self.listener, self.rng.chance(self.accept_percent)) {
            let new = self.next_fd;
            self.next_fd += 1;
            self.call(Call::Accept { fd, new });
            if self.rng.chance(90) {
                self.call(Call::NonBlock { fd: new, on: true });
            }
            peer.fd = Some(new);
        }
        self.conns.push(peer);
    }

    fn active(&mut self) {
        let fd = self.socket();
        let local = 50_000;
        if self.rng.chance(40) {
            self.call(Call::SetOpt { fd, opt: SockOpt::ReuseAddr(true) });
        }
        self.call(Call::Bind { fd, port: local, any: false });
        if self.rng.chance(90) {
            self.call(Call::NonBlock { fd, on: true });
        }
        let conn = Conn { local, remote: 80 };
        self.call(Call::Connect { fd, conn });
        let ts = self.rng.chance(60) && self.host_has("tcp_timestamps");
        let sack = self.rng.chance(75) && self.host_has("tcp_sack");
        let mut peer = Peer {
            conn,
            fd: Some(fd),
            ts,
            sack,
            nxt: 1,
            host_nxt: 1,
            fin_sent: false,
            host_fin: false,
            tsval: 1000,
            win: 65535,
        };
        let mut options = vec![TcpOption::Mss(1460)];
        if sack {
            options.push(TcpOption::SackOk);
        }
        if ts {
            options.push(TcpOption::Ts { val: 1000, ecr: 0 });
        }
        if self.host_has("tcp_window_scaling") && self.rng.chance(60) {
            options.push(TcpOption::Wscale(7));
        }
        let answer = self.rng.weighted(&[(80, 0), (5, 1), (5, 2), (5, 3), (5, 4)]);
        let base =
            Packet { conn, flags: Flags::SYN | ACK, seq: 0, len: 0, ack: 1, win: 65535, options };
        match answer {
            0 => self.push(Act::Inject(base)),
            // A simultaneous open, an ACK of nothing, a refusal, silence.
            1 => {
                let syn = Packet { flags: Flags::SYN, ack: 0, ..base.clone() };
                self.push(Act::Inject(syn));
                self.push(Act::Inject(base));
            }
            2 => self.push(Act::Inject(Packet { ack: 5, flags: ACK, options: vec![], ..base })),
            3 => {
                let flags = Flags::RST | ACK;
                self.push(Act::Inject(Packet { flags, options: vec![], ..base }));
            }
            _ => {}
        }
        peer.nxt = 1;
        self.conns.push(peer);
    }

    /// The peer's segment, moved by `dseq` from its place and `dack` from acknowledging all.
    fn segment(&mut self, p: &mut Peer, flags: Flags, dseq: i32, dack: i32, len: u16) {
        let mut options = Vec::new();
        if p.ts && !self.rng.chance(2) {
            p.tsval = p.tsval.wrapping_add(1);
            let val = if self.rng.chance(4) { p.tsval.wrapping_sub(5000) } else { p.tsval };
            options.push(TcpOption::Ts { val, ecr: 0 });
        }
        if p.sack && self.rng.chance(3) && p.host_nxt > 20 {
            options.push(TcpOption::Sack(vec![(p.host_nxt - 5, p.host_nxt)]));
        }
        let packet = Packet {
            conn: p.conn,
            flags,
            seq: p.nxt.wrapping_add_signed(dseq),
            len,
            ack: if flags.ack() { p.host_nxt.wrapping_add_signed(dack) } else { 0 },
            win: p.win,
            options,
        };
        self.push(Act::Inject(packet));
    }

    fn something(&mut self) {
        if self.conns.is_empty() {
            return self.passive();
        }
        let index = self.rng.below(self.conns.len() as u64) as usize;
        let mut p = self.conns[index];
        match self.rng.below(100) {
            0..55 => self.peer_acts(&mut p),
            55..93 => self.app_acts(&mut p),
            93..96 if self.listener.is_some() => return self.passive(),
            _ => self.listener_acts(),
        }
        self.conns[index] = p;
    }

    fn peer_acts(&mut self, p: &mut Peer) {
        let fin = Flags::FIN | ACK;
        let push = Flags::PSH | ACK;
        match self.rng.below(100) {
            // What a peer does.
            0..22 => {
                self.segment(p, ACK, 0, 0, 0);
            }
            22..36 => {
                let len = self.rng.pick(&[1, 10, 100, 1000, 1448]);
                self.segment(p, push, 0, 0, len);
                p.nxt += u32::from(len);
            }
            36..52 => {
                let len = if self.rng.chance(25) { 10 } else { 0 };
                let dack = if self.rng.chance(40) { -i32::from(p.host_fin) } else { 0 };
                self.segment(p, fin, 0, dack, len);
                if !p.fin_sent {
                    p.nxt += u32::from(len) + 1;
                    p.fin_sent = true;
                }
            }
            52..58 => {
                let dseq = self.rng.pick(&[0, 0, 1, -1, 100, 200_000, -100]);
                let flags = self.rng.pick(&[Flags::RST, Flags::RST | ACK]);
                self.segment(p, flags, dseq, 0, 0);
            }
            // What the network does to it, or an attacker.
            58..66 => {
                let dack = self.rng.pick(&[-1, 1, 5, -10, 100_000, -100_000]);
                // Whether data with a too old ACK are taken depends on the driver's memory.
                let len = if dack < 0 { 0 } else { self.rng.pick(&[0, 0, 10]) };
                self.segment(p, ACK, 0, dack, len);
            }
            66..76 => {
                let dseq = self.rng.pick(&[-1, -10, -1, 5, 100, 1000, 200_000, -100_000]);
                let len = self.rng.pick(&[0, 0, 1, 10, 20]);
                let flags = self.rng.pick(&[ACK, push, fin]);
                self.segment(p, flags, dseq, 0, len);
            }
            76..82 => {
                let dseq = self.rng.pick(&[0, 10, -1, -2, 100_000, -100_000]);
                let flags = self.rng.pick(&[Flags::SYN, Flags::SYN, Flags::SYN | ACK]);
                self.segment(p, flags, dseq, 0, 0);
            }
            82..86 => {
                let flags = self.rng.pick(&[Flags::FIN, Flags::NONE, Flags::PSH, fin | Flags::SYN]);
                self.segment(p, flags, 0, 0, 0);
            }
            86..92 => self.duplicate(),
            92 => self.icmp(p),
            93..97 => {
                p.win = self.rng.pick(&[0, 10, 1000, 65535]);
                self.segment(p, ACK, 0, 0, 0);
            }
            _ => {
                // A retransmission of everything that was said, FIN included.
                let back = p.nxt.min(11) - 1;
                self.segment(p, ACK | Flags::PSH, -(back as i32), 0, back as u16);
            }
        }
    }

    /// A router says that a segment of the host's did not arrive.
    fn icmp(&mut self, p: &Peer) {
        let code = self.rng.pick(&[0, 1, 2, 3]);
        let seq = p.host_nxt.wrapping_sub(self.rng.pick(&[0, 1, 1, 1000]));
        self.push(Act::Icmp(Unreachable { conn: p.conn, seq, code, mtu: 0 }));
    }

    /// The network delivers a segment once more.
    fn duplicate(&mut self) {
        let packets = self.case.steps.iter().rev().filter(|s| matches!(s.act, Act::Inject(_)));
        let recent: Vec<Act> = packets.take(4).map(|s| s.act.clone()).collect();
        if !recent.is_empty() {
            let index = self.rng.below(recent.len() as u64) as usize;
            self.push(recent[index].clone());
        }
    }

    fn app_acts(&mut self, p: &mut Peer) {
        let Some(fd) = p.fd else {
            if p.conn.local != PORT && self.rng.chance(60) {
                return self.connect_again(p);
            }
            return self.accept_late(p);
        };
        match self.rng.below(100) {
            0..30 => {
                if self.rng.chance(25) {
                    let opt = self.option();
                    self.call(Call::SetOpt { fd, opt });
                }
                self.call(Call::Close { fd });
                p.host_nxt += u32::from(!p.host_fin);
                p.host_fin = true;
                p.fd = None;
            }
            30..48 => {
                let how = self.rng.pick(&[How::Wr, How::Wr, How::Wr, How::Rd, How::RdWr]);
                self.call(Call::Shutdown { fd, how });
                if how != How::Rd {
                    p.host_nxt += u32::from(!p.host_fin);
                    p.host_fin = true;
                }
            }
            48..66 => {
                let len = self.rng.pick(&[1, 10, 100, 1000, 3000]);
                let more = self.rng.chance(8);
                self.call(Call::Send { fd, len, more });
                if !p.host_fin {
                    p.host_nxt += len;
                }
            }
            66..80 => {
                let len = self.rng.pick(&[1, 5, 10, 100, 5000]);
                self.call(Call::Recv { fd, len });
            }
            80..90 => {
                let opt = self.option();
                self.call(Call::SetOpt { fd, opt });
            }
            90 => self.call(Call::Disconnect { fd }),
            91 => self.keep_alive(fd),
            92..94 => self.call(Call::GetOpt { fd, name: OptName::Error }),
            94..96 => self.call(Call::Poll { fd }),
            96..98 => self.call(Call::Inq { fd }),
            _ => self.call(Call::Outq { fd }),
        }
    }

    /// The port of a connection that was closed is used for the same peer again.
    fn connect_again(&mut self, p: &mut Peer) {
        let fd = self.socket();
        if self.rng.chance(80) {
            self.call(Call::SetOpt { fd, opt: SockOpt::ReuseAddr(true) });
        }
        let any = self.rng.chance(20);
        self.call(Call::Bind { fd, port: p.conn.local, any });
        self.call(Call::NonBlock { fd, on: true });
        self.call(Call::Connect { fd, conn: p.conn });
        p.fd = Some(fd);
        p.host_nxt = 1;
        p.host_fin = false;
        p.fin_sent = false;
        let nxt = p.nxt.wrapping_add(self.rng.pick(&[100, 100_000]));
        p.nxt = nxt;
        let flags = Flags::SYN | ACK;
        self.segment(p, flags, 0, 0, 0);
        p.nxt = nxt.wrapping_add(1);
    }

    fn accept_late(&mut self, p: &mut Peer) {
        let Some(fd) = self.listener else { return };
        let new = self.next_fd;
        self.next_fd += 1;
        self.call(Call::Accept { fd, new });
        // It may be another connection's, or none: then the calls fail alike in both arms.
        p.fd = Some(new);
        self.call(Call::NonBlock { fd: new, on: true });
    }

    fn listener_acts(&mut self) {
        let Some(fd) = self.listener else { return };
        match self.rng.below(10) {
            0..5 => {
                self.call(Call::Close { fd });
                self.listener = None;
            }
            5 => self.call(Call::Shutdown { fd, how: How::Rd }),
            6 => {
                let backlog = self.rng.pick(&[0, 1, 5]);
                self.call(Call::Listen { fd, backlog });
            }
            _ => {
                let new = self.next_fd;
                self.next_fd += 1;
                self.call(Call::Accept { fd, new });
            }
        }
    }

    fn option(&mut self) -> SockOpt {
        match self.rng.below(100) {
            0..25 => SockOpt::Linger(Some(0)),
            25..33 => SockOpt::Linger(Some(1)),
            33..50 => SockOpt::Linger2(self.rng.pick(&[-1, 1, 2, 61, 0])),
            50..58 => SockOpt::NoDelay(true),
            58..64 => SockOpt::Cork(true),
            64..68 => SockOpt::Cork(false),
            68..76 => SockOpt::QuickAck(self.rng.pick(&[0, 1])),
            76..82 => SockOpt::UserTimeout(self.rng.pick(&[300, 1000])),
            82..86 => SockOpt::KeepAlive(true),
            86..90 => SockOpt::KeepIdle(1),
            90..93 => SockOpt::KeepIntvl(1),
            93..95 => SockOpt::KeepCnt(1),
            95..98 => SockOpt::RcvBuf(self.rng.pick(&[3000, 20_000])),
            _ => SockOpt::Linger(None),
        }
    }

    /// Probes after a second, and the end a second after the last.
    fn keep_alive(&mut self, fd: i32) {
        let count = self.rng.pick(&[1, 2]);
        for opt in [
            SockOpt::KeepAlive(true),
            SockOpt::KeepIdle(1),
            SockOpt::KeepIntvl(1),
            SockOpt::KeepCnt(count),
        ] {
            self.call(Call::SetOpt { fd, opt });
        }
    }

    /// Time for what is still running to show itself.
    fn tail(&mut self) {
        let ms = self.rng.weighted(&[
            (20, 50),
            (25, 300),
            (25, 700),
            (15, 1500),
            (8, 3000),
            (5, 5000),
            (3, 10_000),
            (1, 66_000),
        ]);
        self.gap = ms * MS;
        self.push(Act::Look);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_is_the_same_case() {
        assert_eq!(case(7, 3), case(7, 3));
        assert_ne!(case(7, 3).steps, case(7, 4).steps);
        let count: usize = (0..100).map(|n| case(7, n).steps.len()).sum();
        assert!((1000..3000).contains(&count), "{count} steps in 100 cases");
    }
}
