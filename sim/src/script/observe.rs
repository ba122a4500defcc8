//! What playing a script leaves behind: the same for the model and for a live kernel, so that the
//! two can be compared line by line.
//!
//! Everything is in the script's numbers. A connection is named by the script's ports; sequence
//! numbers count from the initial one of their sender (0 if it was never seen), timestamps from
//! the first that their sender sent on the connection. A port that the host chose itself is shown
//! by the number that the script gives it, or as 0 if it gives none.

use std::collections::BTreeMap;
use std::fmt;

use finwait_model::cause::Cause;
use finwait_model::segment::Flags;
use finwait_model::state::TcpState;

use super::ast::TcpOption;

/// All that was seen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Observed {
    /// In order of time; at equal times in order of happening.
    pub records: Vec<Record>,
    /// Counters that are not zero, by nstat name, as the script's last event left them.
    pub counters: BTreeMap<String, u64>,
    /// The first expectation that did not hold, if any.
    pub failure: Option<Failure>,
}

/// One thing seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Nanoseconds since the script began.
    pub at_ns: u64,
    /// Index in [`super::ast::Script::events`] of the event that was current: the one that caused
    /// it, or for a segment sent the one it was matched with or that was waited for.
    pub event: usize,
    /// What.
    pub what: What,
}

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// The script's segment went in.
    Injected(Header),
    /// The host sent a segment.
    Sent {
        /// The segment.
        header: Header,
        /// Why, if the arm knows.
        why: Option<Why>,
    },
    /// A system call returned.
    Returned(Returned),
    /// An ICMP message went in; its words as the script has them.
    Icmp(String),
    /// The sockets after the event, listeners first, then by ports.
    Rows(Vec<StateRow>),
}

/// Why a segment was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// The model's cause; a live kernel does not tell.
    pub cause: Option<Cause>,
    /// For a RST: `enum sk_rst_reason` without its prefix.
    pub reason: Option<String>,
    /// Kernel functions from the entry to the send, outermost first; empty if not known.
    pub path: Vec<String>,
}

/// A connection in the script's numbers: the host's port, then the peer's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Conn {
    /// The host's port; 0 if the host chose it and the script does not name it.
    pub local: u16,
    /// The peer's port; 0 for a listener.
    pub remote: u16,
}

/// A TCP header in the script's numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The connection.
    pub conn: Conn,
    /// Flags.
    pub flags: Flags,
    /// Relative sequence number.
    pub seq: u32,
    /// Relative acknowledgement number; 0 without the ACK flag.
    pub ack: u32,
    /// Payload bytes.
    pub len: u16,
    /// Window field as on the wire.
    pub win: u16,
    /// Options in the order of the wire, padding included; timestamps relative.
    pub options: Vec<TcpOption>,
}

/// A system call that has returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Returned {
    /// Its name.
    pub name: String,
    /// What it returned; descriptors by the script's number.
    pub value: i64,
    /// The error if it failed: `EAGAIN`.
    pub errno: Option<String>,
    /// Nanoseconds since the script began at which it was made.
    pub start_ns: u64,
    /// Nanoseconds since the script began at which it returned.
    pub end_ns: u64,
    /// Values it gave back through pointers, as text in a fixed order: `events=POLLIN`, …
    pub out: Vec<String>,
}

/// A line of /proc/net/tcp in the script's numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StateRow {
    /// The connection.
    pub conn: Conn,
    /// State; for a bucket its substate.
    pub state: TcpState,
    /// `on`, `keepalive`, `timewait`, `persist`; `None` if no timer runs.
    pub timer: Option<String>,
    /// Recv-Q.
    pub rx_queue: u32,
    /// Send-Q.
    pub tx_queue: u32,
    /// Does no file belong to it?
    pub orphan: bool,
}

/// An expectation that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Index of the event.
    pub event: usize,
    /// Line in the script.
    pub line: u32,
    /// Nanoseconds since the script began.
    pub at_ns: u64,
    /// As packetdrill says it, without `FILE:LINE: `.
    pub message: String,
}

/// As `ss` would name the ends: `8080<>35000`.
impl fmt::Display for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<>{}", self.local, self.remote)
    }
}

/// As packetdrill writes it: `F. 1:1(0) ack 1 win 65160 <mss 1460>`.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.flags == Flags::NONE { "-".to_owned() } else { self.flags.to_string() };
        let end = self.seq.wrapping_add(u32::from(self.len));
        write!(f, "{flags} {}:{end}({})", self.seq, self.len)?;
        if self.flags.ack() {
            write!(f, " ack {}", self.ack)?;
        }
        write!(f, " win {}", self.win)?;
        if !self.options.is_empty() {
            f.write_str(" <")?;
            for (i, option) in self.options.iter().enumerate() {
                let comma = if i > 0 { "," } else { "" };
                write!(f, "{comma}{option}")?;
            }
            f.write_str(">")?;
        }
        Ok(())
    }
}

/// As packetdrill writes it: `TS val 100 ecr 0`.
impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nop => f.write_str("nop"),
            Self::Eol => f.write_str("eol"),
            Self::Mss(n) => write!(f, "mss {n}"),
            Self::Wscale(n) => write!(f, "wscale {n}"),
            Self::SackOk => f.write_str("sackOK"),
            Self::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            Self::Ts { val, ecr } => write!(f, "TS val {val} ecr {ecr}"),
            Self::FastOpen(cookie) => write!(f, "FO {cookie}"),
            Self::FastOpenExp(cookie) => write!(f, "FOEXP {cookie}"),
            Self::Md5(digest) => write!(f, "md5 {digest}"),
        }
    }
}

/// `CLOSE-WAIT 8080<>35000 timer on recv-q 0 send-q 1 orphan`.
impl fmt::Display for StateRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.state, self.conn)?;
        if let Some(timer) = &self.timer {
            write!(f, " timer {timer}")?;
        }
        write!(f, " recv-q {} send-q {}", self.rx_queue, self.tx_queue)?;
        if self.orphan { f.write_str(" orphan") } else { Ok(()) }
    }
}
