//! One connection of a run as a script: what one host of it saw, sent and was asked by its
//! application, so that the connection can be played again, by us or by packetdrill.
//!
//! A record holds segments and notes but no system calls; those are inferred. Data was written when
//! it first left, a connection was closed when it changed its state, and what arrived was read at
//! once unless the close complained of unread data.

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::release::Release;
use finwait_model::segment::{Flags, Segment};
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::Instant;

use super::ast::{Script, TcpOption};
use super::parser::parse;
use super::talk::wire_options;
use crate::link::Fate;
use crate::record::{Event, Record};
use crate::world::HostId;

/// The host whose side of the connection is written.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Which host.
    pub host: HostId,
    /// Its kernel.
    pub release: Release,
    /// Its sysctls.
    pub sysctl: &'a Sysctl,
}

/// Something that happened on that side.
enum Item {
    /// The peer's segment arrived.
    In(Segment),
    /// The host sent a segment.
    Out(Segment, Cause),
    /// The host noted something.
    Note(Note),
}

/// The connection that `records` hold, from its SYN on, as a script; `about` stands at its top.
/// `None` if the records do not begin with a SYN.
pub fn export(records: &[Record], side: Side<'_>, about: &[String]) -> Option<Script> {
    let items = items(records, side.host);
    let mut writer = Writer::new(&items)?;
    for line in about {
        writer.text.push_str(&format!("// {line}\n"));
    }
    writer.text.push_str(&format!("// kernel: {}\n", side.release));
    writer.options(side, &items);
    writer.opening();
    for (index, (at, item)) in items.iter().enumerate() {
        writer.item(*at, item, &items[index + 1..]);
    }
    // What is written here is the language; if not, it is our own bug.
    parse(writer.text.as_bytes()).ok()
}

/// Both directions as the host saw them, in order; arrivals before what they caused.
fn items(records: &[Record], host: HostId) -> Vec<(Instant, Item)> {
    let mut all: Vec<(Instant, u8, Item)> = Vec::new();
    for record in records {
        match record.event {
            Event::Sent { segment, cause, .. } if record.host == host => {
                all.push((record.at, 1, Item::Out(segment, cause)));
            }
            Event::Sent { segment, fate, .. } => {
                let (one, two) = match fate {
                    Fate::Arrives(at) => (Some(at), None),
                    Fate::Twice(one, two) => (Some(one), Some(two)),
                    Fate::Lost | Fate::Unroutable => (None, None),
                };
                all.extend(one.into_iter().chain(two).map(|at| (at, 0, Item::In(segment))));
            }
            Event::Note(note) if record.host == host => all.push((record.at, 1, Item::Note(note))),
            Event::Note(_) => {}
        }
    }
    all.sort_by_key(|(at, order, _)| (*at, *order));
    all.into_iter().map(|(at, _, item)| (at, item)).collect()
}

struct Writer {
    text: String,
    begin: Instant,
    /// The host's side: it was connected to, or it connects.
    passive: bool,
    flow: FourTuple,
    host_isn: u32,
    peer_isn: u32,
    host_ts: u32,
    peer_ts: u32,
    /// Bytes that the host sends in all, and those written so far.
    total: u32,
    written: u32,
    /// What the peer has sent in order, relative.
    received: u32,
    /// Of that, what the application has not read yet.
    unreaped: u32,
    accepted: bool,
    closed: bool,
    /// Does the host end with a complaint of unread data?
    unread: bool,
}

impl Writer {
    fn new(items: &[(Instant, Item)]) -> Option<Self> {
        let (begin, passive, flow) = match items.first()? {
            (at, Item::In(s)) if s.flags.syn() && !s.flags.ack() => (*at, true, s.flow.reversed()),
            (at, Item::Out(s, _)) if s.flags.syn() && !s.flags.ack() => (*at, false, s.flow),
            _ => return None,
        };
        let ins =
            || items.iter().filter_map(|(_, i)| if let Item::In(s) = i { Some(s) } else { None });
        let outs = || {
            items
                .iter()
                .filter_map(|(_, i)| if let Item::Out(s, c) = i { Some((s, *c)) } else { None })
        };
        let isn = |s: &Segment| s.seq.0;
        let host_isn = outs().find(|(s, _)| s.flags.syn()).map_or(0, |(s, _)| isn(s));
        let furthest = outs()
            .filter(|(s, _)| s.len > 0)
            .map(|(s, _)| s.seq.0.wrapping_sub(host_isn) + u32::from(s.len) - 1)
            .max();
        Some(Self {
            text: String::new(),
            begin,
            passive,
            flow,
            host_isn,
            peer_isn: ins().find(|s| s.flags.syn()).map_or(0, isn),
            host_ts: outs().find_map(|(s, _)| s.options.ts).map_or(0, |t| t.val.wrapping_sub(1)),
            peer_ts: ins().find_map(|s| s.options.ts).map_or(0, |t| t.val.wrapping_sub(1)),
            total: furthest.unwrap_or(0),
            written: 0,
            received: 1,
            unreaped: 0,
            accepted: false,
            closed: false,
            unread: outs().any(|(_, cause)| cause == Cause::RstUnreadData),
        })
    }

    /// The host's ports, and the sysctls that are not the release's own.
    fn options(&mut self, side: Side<'_>, items: &[(Instant, Item)]) {
        let option = if self.passive {
            ("bind_port", self.flow.sport)
        } else {
            ("connect_port", self.flow.dport)
        };
        self.text.push_str(&format!("--{}={}\n", option.0, option.1));
        let refused =
            items.iter().any(|(_, i)| matches!(i, Item::Note(Note::BucketRefused { .. })));
        let plain = Sysctl::new(side.release);
        let mut words = String::new();
        for name in plain.names() {
            let value =
                side.sysctl.get(name).filter(|value| plain.get(name).as_ref() != Some(value));
            // The other connections that filled the table are not here.
            let full = refused && name == "net.ipv4.tcp_max_tw_buckets";
            match value {
                _ if full => words.push_str(&format!(" {name}=0")),
                Some(value) => words.push_str(&format!(" {name}=\"{}\"", value.replace('\t', " "))),
                None => {}
            }
        }
        if !words.is_empty() {
            self.text.push_str(&format!("`sysctl -q{words}`\n"));
        }
    }

    fn opening(&mut self) {
        self.text.push_str("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n");
        self.text.push_str(if self.passive {
            "+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n\
             +0 bind(3, ..., ...) = 0\n+0 listen(3, 100) = 0\n"
        } else {
            "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n\
             +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
        });
    }

    fn line(&mut self, at: Instant, what: &str) {
        let us = at.since(self.begin).ns / 1000;
        self.text.push_str(&format!("{}.{:06} {what}\n", us / 1_000_000, us % 1_000_000));
    }

    const fn fd(&self) -> i32 {
        if self.passive { 4 } else { 3 }
    }

    /// Can the application be asked for anything?
    const fn open(&self) -> bool {
        (self.accepted || !self.passive) && !self.closed
    }

    fn item(&mut self, at: Instant, item: &Item, rest: &[(Instant, Item)]) {
        match item {
            Item::In(segment) => self.arrival(at, segment, rest),
            Item::Out(segment, cause) => self.departure(at, segment, *cause, rest),
            Item::Note(note) => self.note(at, note, rest),
        }
    }

    fn arrival(&mut self, at: Instant, segment: &Segment, rest: &[(Instant, Item)]) {
        let text =
            self.segment(segment, self.peer_isn, self.host_isn, (self.peer_ts, self.host_ts));
        self.line(at, &format!("< {text} win {}{}", segment.win, self.inbound_options(segment)));
        let end = segment.seq.0.wrapping_sub(self.peer_isn).wrapping_add(segment.len.into());
        let start = segment.seq.0.wrapping_sub(self.peer_isn);
        let new = end.wrapping_sub(self.received);
        if segment.len == 0
            || start.cast_signed() > self.received.cast_signed()
            || new.cast_signed() <= 0
        {
            return;
        }
        self.received = end;
        self.unreaped += new;
        let last = !rest.iter().any(|(_, i)| matches!(i, Item::In(s) if s.len > 0));
        if !(self.unread && last) {
            self.read(at);
        }
    }

    /// Reads what has come, if there is an application yet.
    fn read(&mut self, at: Instant) {
        if self.unreaped > 0 && self.open() {
            self.line(at, &format!("read({}, ..., 1000000) = {}", self.fd(), self.unreaped));
            self.unreaped = 0;
        }
    }

    fn departure(
        &mut self,
        at: Instant,
        segment: &Segment,
        cause: Cause,
        rest: &[(Instant, Item)],
    ) {
        let sent =
            segment.seq.0.wrapping_sub(self.host_isn).wrapping_sub(1) + u32::from(segment.len);
        if segment.len > 0 && sent > self.written && self.open() {
            self.write(at, segment, rest);
        }
        match cause {
            Cause::RstUnreadData => self.close(at),
            Cause::RstLingerZero => {
                let fd = self.fd();
                let linger = "SO_LINGER, {onoff=1, linger=0}, 8) = 0";
                self.line(at, &format!("setsockopt({fd}, SOL_SOCKET, {linger}"));
                self.close(at);
            }
            Cause::RstLinger2Close => {
                let fd = self.fd();
                self.line(at, &format!("setsockopt({fd}, SOL_TCP, TCP_LINGER2, [-1], 4) = 0"));
                self.close(at);
            }
            Cause::RstListenerClosed => self.line(at, "close(3) = 0"),
            _ => {}
        }
        let text =
            self.segment(segment, self.host_isn, self.peer_isn, (self.host_ts, self.peer_ts));
        self.line(at, &format!("> {text}"));
    }

    /// The bytes that leave now and have not been written yet: those of every segment of this
    /// moment. What a segment without PSH ends is not the end of a write.
    fn write(&mut self, at: Instant, first: &Segment, rest: &[(Instant, Item)]) {
        let mut last = first;
        for (_, item) in rest.iter().take_while(|(when, _)| *when == at) {
            if let Item::Out(segment, Cause::Data) = item {
                last = segment;
            }
        }
        let end = last.seq.0.wrapping_sub(self.host_isn).wrapping_sub(1) + u32::from(last.len);
        let (fd, len) = (self.fd(), end - self.written);
        self.written = end;
        let flags = if last.flags.psh() { "0" } else { "MSG_MORE" };
        self.line(at, &format!("send({fd}, ..., {len}, {flags}) = {len}"));
    }

    fn note(&mut self, at: Instant, note: &Note, rest: &[(Instant, Item)]) {
        match note {
            Note::State { to: TcpState::Established | TcpState::CloseWait, .. }
                if self.passive && !self.accepted =>
            {
                self.accepted = true;
                self.line(at, "accept(3, ..., ...) = 4");
                if !self.unread {
                    self.read(at);
                }
            }
            Note::State { to: TcpState::FinWait1 | TcpState::LastAck, .. } if self.open() => {
                let left = self.total.saturating_sub(self.written);
                if left > 0 {
                    // It left together with the FIN, or after it.
                    let fd = self.fd();
                    self.line(at, &format!("setsockopt({fd}, SOL_TCP, TCP_CORK, [1], 4) = 0"));
                    self.line(at, &format!("write({fd}, ..., {left}) = {left}"));
                    self.written = self.total;
                }
                let now = rest.iter().take_while(|(when, _)| *when == at);
                let orphaned =
                    now.into_iter().any(|(_, i)| matches!(i, Item::Note(Note::Orphaned { .. })));
                if orphaned {
                    self.close(at);
                } else {
                    self.line(at, &format!("shutdown({}, SHUT_WR) = 0", self.fd()));
                }
            }
            Note::Orphaned { .. } if self.open() => self.close(at),
            _ => {}
        }
    }

    fn close(&mut self, at: Instant) {
        if self.open() {
            self.line(at, &format!("close({}) = 0", self.fd()));
            self.closed = true;
        }
    }

    /// The header in relative numbers, options in the kernel's order.
    fn segment(&self, s: &Segment, own: u32, other: u32, ts: (u32, u32)) -> String {
        let mut text = header(s, own, other);
        if s.flow == self.flow {
            text.push_str(&options(s, other, ts));
        }
        text
    }

    fn inbound_options(&self, s: &Segment) -> String {
        options(s, self.host_isn, (self.peer_ts, self.host_ts))
    }
}

/// Flags and numbers, counted from where those of its sender and of the other end begin.
pub(crate) fn header(s: &Segment, own: u32, other: u32) -> String {
    let flags = if s.flags == Flags::NONE { "-".to_owned() } else { s.flags.to_string() };
    let made_up = s.flags.has(Flags::RST | Flags::ACK) && s.seq.0 == 0;
    let seq = if made_up { 0 } else { s.seq.0.wrapping_sub(own) };
    let end = seq.wrapping_add(s.len.into());
    let mut text = format!("{flags} {seq}:{end}({})", s.len);
    if s.flags.ack() {
        text.push_str(&format!(" ack {}", s.ack.0.wrapping_sub(other)));
    }
    text
}

/// ` <mss 1460,…>`, with timestamps that begin at 1.
pub(crate) fn options(s: &Segment, sack_base: u32, ts: (u32, u32)) -> String {
    let words: Vec<_> = wire_options(&s.options, ts.0, sack_base)
        .into_iter()
        .map(|option| match option {
            TcpOption::Ts { val, ecr } if ecr != 0 => {
                TcpOption::Ts { val, ecr: ecr.wrapping_sub(ts.1) }.to_string()
            }
            option => option.to_string(),
        })
        .collect();
    if words.is_empty() { String::new() } else { format!(" <{}>", words.join(",")) }
}
