//! One host's side of a schedule as a packetdrill script: what arrived, what its program called and
//! what it sent, so that `finwait verify` can ask a real kernel.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use finwait_model::errno::Errno;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::{How, SockOpt};
use finwait_model::segment::Segment;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::Instant;

use super::schedule::{Schedule, Side};
use super::stage::{CLIENT_PORT, Did, Moment, PORT, Stage};
use crate::app::{Call, SysCall};
use crate::script::ast::Script;
use crate::script::export::{header, options};
use crate::script::parse;
use crate::watch::Count;

/// A SYN this close above the connection before on these ports continues its numbers.
const CONTINUES: u32 = 200_000;

/// What that host saw and did up to and with that moment; `about` stands at its top. `None` if it
/// cannot be written in that language: that is our own bug, and a test holds that it does not
/// happen.
pub fn script(schedule: &Schedule, side: Side, moments: u32, about: &[String]) -> Option<Script> {
    let mut writer = Writer {
        side,
        schedule,
        text: String::new(),
        begin: None,
        fds: BTreeMap::new(),
        next_fd: 3,
        bases: BTreeMap::new(),
        ports: schedule.conns() > 1 && !schedule.reuses_a_port(),
        names: Vec::new(),
    };
    writer.head(about);
    let mut stage = Stage::new(schedule, &mut Count);
    writer.moment(stage.moment());
    for _ in 0..=moments {
        if !stage.step(&mut Count) {
            break;
        }
        writer.moment(stage.moment());
    }
    parse(writer.text.as_bytes()).ok()
}

/// Where the numbers of a connection begin.
#[derive(Clone, Copy, Default, Debug)]
struct Bases {
    own: Option<u32>,
    peer: Option<u32>,
    own_ts: Option<u32>,
    peer_ts: Option<u32>,
}

struct Writer<'s> {
    side: Side,
    schedule: &'s Schedule,
    text: String,
    begin: Option<Instant>,
    /// The script's number of each descriptor.
    fds: BTreeMap<u32, u32>,
    next_fd: u32,
    /// By the connection as this host sees it.
    bases: BTreeMap<FourTuple, Bases>,
    /// Do packets name their ports?
    ports: bool,
    /// What the script calls ports that a kernel chose.
    names: Vec<u16>,
}

impl Writer<'_> {
    fn head(&mut self, about: &[String]) {
        let setup = &self.schedule.hosts[self.side];
        for line in about {
            let _ = writeln!(self.text, "// {line}");
        }
        let _ = writeln!(self.text, "// kernel: {}", setup.release);
        if self.side == 1 {
            let _ = writeln!(self.text, "--bind_port={PORT}");
        } else {
            let _ = writeln!(self.text, "--connect_port={PORT}");
            if self.schedule.reuses_a_port() {
                let _ = writeln!(self.text, "--bind_port={CLIENT_PORT}");
            }
        }
        let (plain, sysctl) = (Sysctl::new(setup.release), setup.sysctls());
        let mut words = String::new();
        for name in plain.names() {
            if let Some(value) = sysctl.get(name).filter(|v| plain.get(name).as_ref() != Some(v)) {
                let _ = write!(words, " {name}=\"{}\"", value.replace('\t', " "));
            }
        }
        if !words.is_empty() {
            let _ = writeln!(self.text, "`sysctl -q{}`", words.replace('"', ""));
        }
    }
    fn moment(&mut self, moment: &Moment) {
        if moment.side != self.side || moment.last {
            return;
        }
        if let Some(segment) = &moment.arrived {
            self.arrives(moment.at, segment);
        }
        for (place, did) in moment.did.iter().enumerate() {
            self.calls(moment, place);
            if let Did::Sent(segment, _) = did {
                self.leaves(moment.at, segment);
            }
        }
        self.calls(moment, moment.did.len());
    }
    fn calls(&mut self, moment: &Moment, place: usize) {
        for (_, call) in moment.calls.iter().filter(|(before, _)| *before == place) {
            self.call(moment.at, call);
        }
    }
    fn line(&mut self, at: Instant, what: &str) {
        let begin = *self.begin.get_or_insert(at);
        let us = at.since(begin).ns / 1000;
        let _ = writeln!(self.text, "{}.{:06} {what}", us / 1_000_000, us % 1_000_000);
    }
    fn arrives(&mut self, at: Instant, segment: &Segment) {
        let bases = self.bases.entry(segment.flow.reversed()).or_default();
        // The numbers of a peer that opens count from its first SYN, whatever comes later.
        let peer = *bases.peer.get_or_insert(segment.seq.0);
        if let Some(ts) = segment.options.ts {
            bases.peer_ts.get_or_insert_with(|| ts.val.wrapping_sub(1));
        }
        let bases = *bases;
        let own = bases.own.unwrap_or(0);
        let ts = (bases.peer_ts.unwrap_or(0), bases.own_ts.unwrap_or(0));
        let text = header(segment, peer, own);
        let ports = self.named(segment.flow);
        let opts = options(segment, own, ts);
        self.line(at, &format!("< {ports}{text} win {}{opts}", segment.win));
    }
    fn leaves(&mut self, at: Instant, segment: &Segment) {
        let bases = self.bases.entry(segment.flow).or_default();
        let far = |own: u32| segment.seq.0.wrapping_sub(own) > CONTINUES;
        if segment.flags.syn() && bases.own.is_none_or(far) {
            *bases = Bases {
                own: Some(segment.seq.0),
                peer: bases.peer,
                peer_ts: bases.peer_ts,
                own_ts: None,
            };
        }
        if let Some(ts) = segment.options.ts {
            bases.own_ts.get_or_insert_with(|| ts.val.wrapping_sub(1));
        }
        let bases = *bases;
        let (own, peer) = (bases.own.unwrap_or(0), bases.peer.unwrap_or(0));
        let ts = (bases.own_ts.unwrap_or(0), bases.peer_ts.unwrap_or(0));
        let text = header(segment, own, peer);
        let ports = self.named(segment.flow);
        let opts = options(segment, peer, ts);
        self.line(at, &format!("> {ports}{text}{opts}"));
    }
    /// `40001 > 6379 `, where there is more than one connection. Ports that a kernel chose get names.
    fn named(&mut self, flow: FourTuple) -> String {
        if !self.ports {
            return String::new();
        }
        let chosen = if flow.sport == PORT { flow.dport } else { flow.sport };
        let place = self.names.iter().position(|name| *name == chosen).unwrap_or_else(|| {
            self.names.push(chosen);
            self.names.len() - 1
        });
        let name = if self.side == 0 { 40_001 + place as u16 } else { chosen };
        if flow.sport == PORT { format!("{PORT} > {name} ") } else { format!("{name} > {PORT} ") }
    }
    fn fd(&mut self, fd: u32) -> u32 {
        self.fds.get(&fd).copied().unwrap_or(0)
    }
    fn new_fd(&mut self, fd: u32) -> u32 {
        let new = self.next_fd;
        self.next_fd += 1;
        self.fds.insert(fd, new);
        new
    }
    fn call(&mut self, at: Instant, call: &Call) {
        let result = match call.result {
            Ok(n) => n.to_string(),
            // It has found out that there is nothing to do: nobody needs that.
            Err(Errno::EAGAIN) => return,
            Err(error) => format!("-1 {} ({})", error.name(), error.text()),
        };
        let fd = self.fd(call.fd);
        let text = match call.what {
            SysCall::Socket => {
                let new = self.new_fd(call.fd);
                self.line(at, &format!("socket(..., SOCK_STREAM, IPPROTO_TCP) = {new}"));
                return;
            }
            SysCall::Accept => {
                let new = self.new_fd(call.result.unwrap_or_default());
                self.line(at, &format!("accept({fd}, ..., ...) = {new}"));
                self.line(at, &format!("fcntl({new}, F_SETFL, O_RDWR|O_NONBLOCK) = 0"));
                return;
            }
            SysCall::Connect(_) => {
                self.line(at, &format!("fcntl({fd}, F_SETFL, O_RDWR|O_NONBLOCK) = 0"));
                format!("connect({fd}, ..., ...)")
            }
            SysCall::Bind(_) => format!("bind({fd}, ..., ...)"),
            SysCall::Listen(backlog) => format!("listen({fd}, {backlog})"),
            SysCall::Send(len) => format!("send({fd}, ..., {len}, MSG_NOSIGNAL)"),
            SysCall::Recv(len) => format!("read({fd}, ..., {len})"),
            SysCall::Shutdown(How::Rd) => format!("shutdown({fd}, SHUT_RD)"),
            SysCall::Shutdown(How::Wr) => format!("shutdown({fd}, SHUT_WR)"),
            SysCall::Shutdown(How::RdWr) => format!("shutdown({fd}, SHUT_RDWR)"),
            SysCall::Close { .. } => format!("close({fd})"),
            SysCall::SetSockOpt(option) => match setsockopt(fd, option) {
                Some(text) => text,
                None => return,
            },
        };
        self.line(at, &format!("{text} = {result}"));
    }
}

/// The options that programs of a schedule set.
fn setsockopt(fd: u32, option: SockOpt) -> Option<String> {
    Some(match option {
        SockOpt::ReuseAddr(on) => {
            format!("setsockopt({fd}, SOL_SOCKET, SO_REUSEADDR, [{}], 4)", u8::from(on))
        }
        SockOpt::Linger(Some(seconds)) => {
            format!("setsockopt({fd}, SOL_SOCKET, SO_LINGER, {{onoff=1, linger={seconds}}}, 8)")
        }
        SockOpt::Linger2(seconds) => {
            format!("setsockopt({fd}, SOL_TCP, TCP_LINGER2, [{seconds}], 4)")
        }
        _ => return None,
    })
}
