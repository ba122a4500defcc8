//! Where the two arms differ: the earliest thing that is not the same.

use std::collections::BTreeSet;
use std::fmt;

use finwait_model::counters::Mib;
use finwait_sim::script::ast::TcpOption;
use finwait_sim::script::observe::Conn;

use crate::seen::{Answered, Look, LookRow, Seen, Sent};

mod told;

/// How far apart two times may lie and still count as the same.
///
/// Both arms are given the same moments and the same ticks, so a timer must fire in the same
/// tick. What remains is how long a live machine takes from its timer interrupt to the reader of
/// the TUN device: some 50 µs when idle, more when every processor is busy. A whole tick earlier
/// or later would be a wrong timer, so the allowance stays below one tick of 4 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tolerance {
    /// The live segment may be this much earlier than the model's.
    pub early_ns: u64,
    /// The live segment may be this much later than the model's.
    pub late_ns: u64,
    /// Timers' time left may differ by this much; /proc shows whole ticks.
    pub left_ns: u64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { early_ns: 500_000, late_ns: 3_500_000, left_ns: 4_000_000 }
    }
}

impl Tolerance {
    /// May a segment (or what goes with one) come at these two times?
    pub(crate) const fn same_time(self, live: u64, model: u64) -> bool {
        model.saturating_sub(live) <= self.early_ns && live.saturating_sub(model) <= self.late_ns
    }
}

/// Something that is not the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Nanoseconds since the run's zero.
    pub at_ns: u64,
    /// The last step begun before.
    pub step: usize,
    /// What kind of thing.
    pub kind: Kind,
    /// What of it: a connection, a counter, a call.
    pub subject: String,
    /// What the live kernel has.
    pub live: String,
    /// What the model has.
    pub model: String,
}

/// Kinds of differences.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A segment's header, or one that only one arm sent.
    Segment,
    /// A segment's time.
    Time,
    /// What a system call answered, or when.
    Answer,
    /// The sockets, their queues or their timers.
    Rows,
    /// A counter.
    Counter,
    /// Why a RST was sent.
    Reset,
    /// A change of state, as the tracepoint tells it.
    State,
    /// From where a segment was sent again, as the tracepoint tells it.
    Retransmit,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Segment => "segment",
            Self::Time => "time",
            Self::Answer => "answer",
            Self::Rows => "sockets",
            Self::Counter => "counter",
            Self::Reset => "reset",
            Self::State => "state",
            Self::Retransmit => "retransmission",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.at_ns / 1_000_000;
        writeln!(f, "{} at {ms} ms (step {}): {}", self.kind, self.step, self.subject)?;
        writeln!(f, "  kernel: {}", self.live)?;
        write!(f, "  model:  {}", self.model)
    }
}

/// The earliest difference; at the same moment a segment before an answer before a table.
pub fn first(live: &Seen, model: &Seen, tolerance: Tolerance) -> Option<Difference> {
    let mut found = Vec::new();
    segments(live, model, tolerance, &mut found);
    answers(live, model, tolerance, &mut found);
    for (l, m) in live.looks.iter().zip(&model.looks) {
        look(l, m, tolerance, &mut found);
    }
    told::compare(live, model, tolerance, &mut found);
    found.into_iter().min_by_key(|d| (d.at_ns, d.kind))
}

fn segments(live: &Seen, model: &Seen, tolerance: Tolerance, found: &mut Vec<Difference>) {
    let end = live.looks.last().map_or(0, |l| l.at_ns);
    let conns: BTreeSet<Conn> =
        live.sent.iter().chain(&model.sent).map(|s| s.header.conn).collect();
    for conn in conns {
        let of = |seen: &Seen| -> Vec<Sent> {
            let on = seen.sent.iter().filter(|s| s.header.conn == conn && s.at_ns <= end);
            on.cloned().collect()
        };
        let (l, m) = (of(live), of(model));
        for index in 0..l.len().max(m.len()) {
            let difference = pair(l.get(index), m.get(index), tolerance, end);
            if let Some((kind, at_ns, step)) = difference {
                let text = |s: Option<&Sent>| s.map_or_else(|| "nothing".to_owned(), described);
                found.push(Difference {
                    at_ns,
                    step,
                    kind,
                    subject: format!("segment {} on {conn}", index + 1),
                    live: text(l.get(index)),
                    model: text(m.get(index)),
                });
                break;
            }
        }
    }
}

fn described(s: &Sent) -> String {
    let cause = s.cause.map_or_else(String::new, |c| format!("  [{}]", c.name()));
    format!("{:.3} ms  {}{cause}", s.at_ns as f64 / 1e6, s.header)
}

fn pair(
    l: Option<&Sent>,
    m: Option<&Sent>,
    tolerance: Tolerance,
    end: u64,
) -> Option<(Kind, u64, usize)> {
    match (l, m) {
        (Some(l), Some(m)) => {
            let at = l.at_ns.min(m.at_ns);
            if !same_header(l, m, tolerance) {
                Some((Kind::Segment, at, l.step.min(m.step)))
            } else if !tolerance.same_time(l.at_ns, m.at_ns) {
                Some((Kind::Time, at, l.step.min(m.step)))
            } else {
                None
            }
        }
        // At the very end one arm may just have been faster.
        (Some(one), None) | (None, Some(one)) => {
            (one.at_ns + tolerance.late_ns < end).then_some((Kind::Segment, one.at_ns, one.step))
        }
        (None, None) => None,
    }
}

fn same_header(l: &Sent, m: &Sent, tolerance: Tolerance) -> bool {
    let (a, b) = (&l.header, &m.header);
    let slack = (tolerance.late_ns / 1_000_000 + 1) as u32;
    let options = a.options.len() == b.options.len()
        && a.options.iter().zip(&b.options).all(|(x, y)| match (x, y) {
            (TcpOption::Ts { val: v, ecr: e }, TcpOption::Ts { val: w, ecr: f }) => {
                e == f && v.wrapping_sub(*w).wrapping_add(slack) <= 2 * slack
            }
            _ => x == y,
        });
    options
        && (a.flags, a.ack, a.len) == (b.flags, b.ack, b.len)
        && (a.seq == b.seq || a.flags.syn() && a.seq.abs_diff(b.seq) <= ISN_SLACK)
        && same_window(a.win, b.win)
}

/// So far the first sequence numbers of two connections of the same ends may lie apart otherwise:
/// they count 64 ns `[secure_tcp_seq]`, and how long connect() takes from there to the packet is
/// not known. Half a millisecond, and far less than what another rule would make of it.
const ISN_SLACK: u32 = 500_000 / 64;

/// The window offered depends on how much memory the driver's buffers take: it must be zero or
/// not alike, and otherwise lie close.
const fn same_window(live: u16, model: u16) -> bool {
    (live == 0) == (model == 0) && live.abs_diff(model) <= 1 + live / 8
}

fn answers(live: &Seen, model: &Seen, tolerance: Tolerance, found: &mut Vec<Difference>) {
    for l in &live.answers {
        let m = model.answers.iter().find(|m| m.step == l.step);
        // How long a call takes that does not block is the machine's own business.
        let done = live.steps.get(l.step).map_or(0, |d| d.end_ns);
        let same_time = m.is_some_and(|m| match (l.end_ns, m.end_ns) {
            (Some(a), Some(b)) => a.abs_diff(b) <= tolerance.late_ns || a.max(b) <= done,
            (None, None) => true,
            _ => false,
        });
        let same = m.is_some_and(|m| (&m.value, m.out) == (&l.value, l.out));
        if same && same_time {
            continue;
        }
        let text = |a: &Answered| {
            let value = a.value.as_ref().map_or_else(Clone::clone, ToString::to_string);
            let out = a.out.map_or_else(String::new, |o| format!(" ({o})"));
            let end = a.end_ns.map_or_else(String::new, |e| format!(" at {} ms", e / 1_000_000));
            format!("{value}{out}{end}")
        };
        found.push(Difference {
            at_ns: l.end_ns.unwrap_or(l.start_ns),
            step: l.step,
            kind: Kind::Answer,
            subject: format!("call of step {}", l.step),
            live: text(l),
            model: m.map_or_else(|| "no answer".to_owned(), text),
        });
    }
}

fn look(l: &Look, m: &Look, tolerance: Tolerance, found: &mut Vec<Difference>) {
    let mut push = |kind, subject: &str, live: String, model: String| {
        let subject = subject.to_owned();
        found.push(Difference { at_ns: l.at_ns, step: l.step, kind, subject, live, model });
    };
    for index in 0..l.rows.len().max(m.rows.len()) {
        let (a, b) = (l.rows.get(index), m.rows.get(index));
        let same = matches!((a, b), (Some(a), Some(b)) if same_row(a, b, tolerance));
        if !same {
            let text =
                |r: Option<&LookRow>| r.map_or_else(|| "no row".to_owned(), ToString::to_string);
            push(Kind::Rows, "row", text(a), text(b));
            break;
        }
    }
    if (l.inuse, l.tw) != (m.inuse, m.tw) {
        let text = |x: &Look| format!("inuse {} tw {}", x.inuse, x.tw);
        push(Kind::Rows, "sockstat", text(l), text(m));
    }
    for mib in Mib::ALL.iter().filter(|m| !DRIVERS_OWN.contains(m)) {
        let name = mib.nstat_name();
        let of = |x: &Look| x.counters.get(name).copied().unwrap_or(0);
        if of(l) != of(m) {
            push(Kind::Counter, name, of(l).to_string(), of(m).to_string());
        }
    }
}

/// Counters that depend on how much memory the driver's buffers take, not on TCP.
const DRIVERS_OWN: [Mib; 1] = [Mib::TCPHPAcks];

fn same_row(a: &LookRow, b: &LookRow, tolerance: Tolerance) -> bool {
    let timers = match (&a.timer, &b.timer) {
        (Some(x), Some(y)) => {
            (x.name, x.count) == (y.name, y.count)
                && x.left_ns.abs_diff(y.left_ns) <= tolerance.left_ns
        }
        (None, None) => true,
        _ => false,
    };
    timers
        && (a.conn, a.state, a.bucket, a.orphan) == (b.conn, b.state, b.bucket, b.orphan)
        && (a.rx_queue, a.tx_queue) == (b.rx_queue, b.tx_queue)
}

/// As `ss` shows it.
impl fmt::Display for LookRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} recv-q {} send-q {}",
            self.state, self.conn, self.rx_queue, self.tx_queue
        )?;
        if let Some(t) = &self.timer {
            write!(f, " timer:({},{}ms,{})", t.name, t.left_ns / 1_000_000, t.count)?;
        }
        if self.bucket {
            f.write_str(" bucket")?;
        }
        if self.orphan { f.write_str(" orphan") } else { Ok(()) }
    }
}
