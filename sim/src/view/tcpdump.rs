//! What `tcpdump -nn -r` prints for a capture of a simulated host.
//!
//! Like tcpdump, it counts sequence numbers from the first segment with an ACK that it printed of a
//! connection, and keeps those beginnings for as long as it prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::segment::{Flags, Segment};
use finwait_model::time::Instant;

use crate::capture::{EPOCH_S, Packet};
use crate::script::ast::TcpOption;
use crate::script::talk::wire_options;
use crate::wire;

/// How times are shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Times {
    /// The time of day, UTC.
    #[default]
    Clock,
    /// `-t`: none.
    None,
    /// `-tt`: seconds since 1970.
    Unix,
    /// `-ttt`: since the packet before.
    SincePrevious,
    /// `-tttt`: date and time of day.
    Date,
    /// `-ttttt`: since the first packet.
    SinceFirst,
}

/// What tcpdump's options change.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Style {
    /// `-t` and its like.
    pub times: Times,
    /// `--nano`: nine digits instead of six.
    pub nano: bool,
    /// `-S`: sequence numbers as they are on the wire.
    pub absolute: bool,
    /// `-v`, `-vv`: how often it was given.
    pub verbose: u8,
    /// `-q`: ports and length only.
    pub quiet: bool,
    /// `-#`: packets are numbered.
    pub number: bool,
}

/// Prints packets, one after the other.
#[derive(Clone, Default, Debug)]
pub struct Dump {
    style: Style,
    /// For each connection the numbers that its two directions count from: that of the lower
    /// endpoint's segments, and that of the other's.
    origins: BTreeMap<FourTuple, (u32, u32)>,
    printed: u64,
    previous: Option<Instant>,
    first: Option<Instant>,
    bytes: Vec<u8>,
}

/// What a segment's numbers are relative to.
#[derive(Clone, Copy, Default)]
struct Origin {
    seq: u32,
    ack: u32,
    sack: u32,
}

impl Dump {
    /// Nothing is printed yet.
    pub fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }
    /// Adds a packet's line to `out` (two lines with `-v`), without an end of line.
    pub fn line(&mut self, out: &mut String, packet: &Packet) {
        self.printed += 1;
        if self.style.number {
            let _ = write!(out, "{:>5}  ", self.printed);
        }
        self.time(out, packet.at);
        out.push_str("IP ");
        if self.style.verbose > 0 {
            ip_header(out, packet);
        }
        let flow = packet.segment.flow;
        ends(out, flow.source(), flow.destination());
        if self.style.quiet {
            let _ = write!(out, "tcp {}", packet.segment.len);
        } else {
            self.tcp(out, packet);
        }
    }
    fn time(&mut self, out: &mut String, at: Instant) {
        let previous = self.previous.replace(at);
        let first = *self.first.get_or_insert(at);
        let day_s = EPOCH_S % DAY_S + at.ns / NS;
        let _ = match self.style.times {
            Times::None => return,
            Times::Clock => clock(out, day_s % DAY_S),
            Times::Date => {
                let (year, month, day) = date((EPOCH_S + at.ns / NS) / DAY_S);
                let _ = write!(out, "{year:04}-{month:02}-{day:02} ");
                clock(out, day_s % DAY_S)
            }
            Times::Unix => write!(out, "{}", EPOCH_S + at.ns / NS),
            Times::SincePrevious => {
                return self.span(out, at, previous.unwrap_or(at));
            }
            Times::SinceFirst => return self.span(out, at, first),
        };
        self.fraction(out, at.ns % NS);
    }
    fn span(&self, out: &mut String, at: Instant, since: Instant) {
        // tcpdump subtracts what it shows, so each is cut to microseconds before.
        let unit = if self.style.nano { 1 } else { 1000 };
        let ns = (at.ns / unit - since.ns / unit) * unit;
        out.push(' ');
        let _ = clock(out, ns / NS);
        self.fraction(out, ns % NS);
    }
    fn fraction(&self, out: &mut String, ns: u64) {
        let _ = if self.style.nano {
            write!(out, ".{ns:09} ")
        } else {
            write!(out, ".{:06} ", ns / 1000)
        };
    }
    fn tcp(&mut self, out: &mut String, packet: &Packet) {
        let segment = &packet.segment;
        let flags = segment.flags;
        let origin = self.origin(segment);
        let _ = write!(out, "Flags [{}]", letters(flags));
        if self.style.verbose > 0 {
            self.bytes.clear();
            wire::emit_into(segment, packet.ip_id, &mut self.bytes);
            let sum = self.bytes.get(36..38).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
            let _ = write!(out, ", cksum 0x{sum:04x} (correct)");
        }
        let speaks = flags.syn() || flags.fin() || flags.rst();
        if self.style.verbose > 1 || segment.len > 0 || speaks {
            let seq = segment.seq.0.wrapping_sub(origin.seq);
            let _ = write!(out, ", seq {seq}");
            if segment.len > 0 {
                let _ = write!(out, ":{}", seq.wrapping_add(u32::from(segment.len)));
            }
        }
        if flags.ack() {
            let _ = write!(out, ", ack {}", segment.ack.0.wrapping_sub(origin.ack));
        }
        let _ = write!(out, ", win {}", segment.win);
        if flags.has(Flags::URG) {
            out.push_str(", urg 0");
        }
        options(out, segment, origin.sack);
        let _ = write!(out, ", length {}", segment.len);
        if segment.len > 0 && !flags.rst() {
            out.push_str(payload(segment.flow.sport, segment.flow.dport));
        }
    }
    /// What the numbers are relative to: with an ACK, the connection's beginnings as first seen, or
    /// as its newest SYN says; nothing without an ACK.
    fn origin(&mut self, segment: &Segment) -> Origin {
        if self.style.absolute || !segment.flags.ack() {
            return Origin::default();
        }
        let flow = segment.flow;
        let reversed = (flow.sport, flow.saddr) > (flow.dport, flow.daddr);
        let key = if reversed { flow.reversed() } else { flow };
        let (seq, ack) = (segment.seq.0, segment.ack.0.wrapping_sub(1));
        let fresh = if reversed { (ack, seq) } else { (seq, ack) };
        let known = self.origins.get(&key).copied();
        let (low, high) = match known {
            Some(known) if !segment.flags.syn() => known,
            _ => {
                self.origins.insert(key, fresh);
                // The segment that sets the beginnings is itself shown in full.
                let sack = if reversed { fresh.0 } else { fresh.1 };
                return Origin { seq: 0, ack: 0, sack };
            }
        };
        let (seq, ack) = if reversed { (high, low) } else { (low, high) };
        Origin { seq, ack, sack: ack }
    }
}

const NS: u64 = 1_000_000_000;
const DAY_S: u64 = 86_400;

fn clock(out: &mut String, seconds: u64) -> std::fmt::Result {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(out, "{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a number of days since 1970-01-01.
const fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the leap day is the last of its year; 400 years have
    // 146,097 days, and the first of them began 719,468 days before 1970.
    let days = days + 719_468;
    let era_day = days % 146_097;
    let year = (era_day - era_day / 1460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * year + year / 4 - year / 100);
    let month = (5 * year_day + 2) / 153;
    let day = year_day - (153 * month + 2) / 5 + 1;
    let january = month >= 10;
    let year = year + days / 146_097 * 400 + january as u64;
    (year, if january { month - 9 } else { month + 3 }, day)
}

fn ends(out: &mut String, from: Endpoint, to: Endpoint) {
    let _ = write!(out, "{}.{} > {}.{}: ", from.addr, from.port, to.addr, to.port);
}

fn ip_header(out: &mut String, packet: &Packet) {
    let length = wire::packet_len(&packet.segment);
    let id = packet.ip_id;
    let _ = write!(
        out,
        "(tos 0x0, ttl 64, id {id}, offset 0, flags [DF], proto TCP (6), length {length})\n    "
    );
}

/// The letters of the flags in tcpdump's order; the ACK is a dot.
fn letters(flags: Flags) -> String {
    let all = [
        (Flags::FIN, 'F'),
        (Flags::SYN, 'S'),
        (Flags::RST, 'R'),
        (Flags::PSH, 'P'),
        (Flags::ACK, '.'),
        (Flags::URG, 'U'),
        (Flags::ECE, 'E'),
        (Flags::CWR, 'W'),
    ];
    let set: String = all.iter().filter(|(f, _)| flags.has(*f)).map(|(_, c)| *c).collect();
    if set.is_empty() { "none".to_owned() } else { set }
}

fn options(out: &mut String, segment: &Segment, sack_origin: u32) {
    let words = wire_options(&segment.options, 0, sack_origin);
    let mut size = 0;
    for (index, word) in words.iter().enumerate() {
        out.push_str(if index == 0 { ", options [" } else { "," });
        let _ = match word {
            TcpOption::Mss(n) => write!(out, "mss {n}"),
            TcpOption::Wscale(n) => write!(out, "wscale {n}"),
            TcpOption::SackOk => write!(out, "sackOK"),
            TcpOption::Ts { val, ecr } => write!(out, "TS val {val} ecr {ecr}"),
            TcpOption::Sack(blocks) => {
                let _ = write!(out, "sack {} ", blocks.len());
                blocks.iter().try_for_each(|(left, right)| write!(out, "{{{left}:{right}}}"))
            }
            _ => write!(out, "nop"),
        };
        size += match word {
            TcpOption::Mss(_) => 4,
            TcpOption::Wscale(_) => 3,
            TcpOption::SackOk => 2,
            TcpOption::Ts { .. } => 10,
            TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
            _ => 1,
        };
    }
    if !words.is_empty() {
        // The header is padded to whole words with zeros, and tcpdump stops at the first of them.
        out.push_str(if size % 4 == 0 { "]" } else { ",eol]" });
    }
}

/// What tcpdump 4.99 makes of a payload of zeros on the ports of protocols that it knows: text
/// protocols by name, and Redis as cut short.
const fn payload(sport: u16, dport: u16) -> &'static str {
    /// In the order in which tcpdump asks.
    const KNOWN: [(u16, &str); 11] = [
        (179, ": BGP"),
        (6379, ": RESP [|resp]"),
        (10288, " BEEP (payload or undecoded)"),
        (25, ": SMTP"),
        (43, ": WHOIS"),
        (21, ": FTP"),
        (80, ": HTTP"),
        (8080, ": HTTP"),
        (554, ": RTSP"),
        (8554, ": RTSP"),
        (323, ", RPKI-RTR"),
    ];
    let mut index = 0;
    while index < KNOWN.len() {
        let (port, text) = KNOWN[index];
        if sport == port || dport == port {
            return text;
        }
        index += 1;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_days() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(EPOCH_S / DAY_S), (2026, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_453), (2025, 12, 31));
        assert_eq!(date(20_453 + 365 + 59), (2027, 2, 28));
    }
}
