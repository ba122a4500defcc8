//! Conversations of a real kernel as lists of segments, and ways to falsify them.

use finwait_model::release::Release;
use finwait_model::segment::Flags;
use finwait_model::time::Span;

use crate::expr::{Values, Word, number, truth};
use crate::lab::{Lab, What};
use crate::text;

/// The names that laws over conversations may use.
pub const WORDS: &[Word] = &[
    truth("in", "the segment comes from the peer"),
    truth("out", "the segment leaves this host"),
    truth("syn", "the SYN flag"),
    truth("fin", "the FIN flag"),
    truth("rst", "the RST flag"),
    truth("ack", "the ACK flag"),
    number("seq", "where it begins, counted from its sender's SYN"),
    number("end", "where it ends: seq, payload, and one for a SYN and for a FIN"),
    number("len", "bytes of payload"),
    number("ackno", "what it acknowledges, counted from the other's SYN"),
    number("t_ms", "when, in milliseconds"),
    number("heard", "the furthest end of all that came in before"),
    number("said", "the furthest end of all that went out before"),
];
const SEQ: usize = 6;
const END: usize = 7;
const LEN: usize = 8;
const ACKNO: usize = 9;

/// A conversation.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What it is.
    pub name: String,
    /// Its segments, as values of [`WORDS`].
    pub events: Vec<Event>,
}

/// A segment of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The values of [`WORDS`].
    pub values: Vec<i64>,
    /// Was it falsified?
    pub forged: bool,
}

/// What a conversation's program and peer do.
type Script = fn(&mut Lab);

/// Every conversation that laws are held against.
pub fn traces() -> Vec<Trace> {
    let all: [(&str, Script); 8] = [
        ("we close first", active),
        ("the peer closes first", passive),
        ("both close at once", crossing),
        ("we shut down and read on", half_close),
        ("our FIN is lost and sent again", lost_fin),
        ("the peer's FIN comes twice", twice),
        ("a request and an answer, then a close", dialogue),
        ("the peer resets us", reset),
    ];
    let release = Release::V6_18;
    let play = |(name, script): (&str, Script)| {
        let mut lab = Lab::new(release, &[], false);
        script(&mut lab);
        Trace::of(name, &lab)
    };
    all.into_iter().map(play).collect()
}

const FIN: Flags = Flags::FIN.with(Flags::ACK);
const PUSH: Flags = Flags::PSH.with(Flags::ACK);
const PAUSE: Span = Span::millis(10);

fn active(lab: &mut Lab) {
    let fd = lab.accepted();
    lab.wait(PAUSE);
    lab.close(fd);
    lab.wait(PAUSE);
    lab.peer(Flags::ACK, 1, 0, 2);
    lab.wait(PAUSE);
    lab.peer(FIN, 1, 0, 2);
    lab.wait(PAUSE);
}
fn passive(lab: &mut Lab) {
    let fd = lab.accepted();
    lab.wait(PAUSE);
    lab.peer(FIN, 1, 0, 1);
    lab.wait(Span::millis(50));
    lab.recv(fd);
    lab.close(fd);
    lab.wait(PAUSE);
    lab.peer(Flags::ACK, 2, 0, 2);
    lab.wait(PAUSE);
}
fn crossing(lab: &mut Lab) {
    let fd = lab.accepted();
    lab.wait(PAUSE);
    lab.close(fd);
    lab.peer(FIN, 1, 0, 1);
    lab.wait(PAUSE);
    lab.peer(Flags::ACK, 2, 0, 2);
    lab.wait(PAUSE);
}
fn half_close(lab: &mut Lab) {
    let fd = lab.accepted();
    lab.wait(PAUSE);
    lab.shut_down(fd);
    lab.wait(PAUSE);
    lab.peer(Flags::ACK, 1, 0, 2);
    lab.wait(PAUSE);
    lab.peer(PUSH, 1, 100, 2);
    lab.wait(PAUSE);
    lab.recv(fd);
    lab.peer(FIN, 101, 0, 2);
    lab.wait(PAUSE);
    lab.recv(fd);
    lab.close(fd);
    lab.wait(PAUSE);
}
fn lost_fin(lab: &mut Lab) {
    let fd = lab.accepted();
    lab.wait(PAUSE);
    lab.close(fd);
    lab.wait(Span::millis(1000));
    lab.peer(Flags::ACK, 1, 0, 2);
    lab.wait(PAUSE);
    lab.peer(FIN, 1, 0, 2);
    lab.wait(PAUSE);
}
fn twice(lab: &mut Lab) {
    active(lab);
    lab.wait(Span::millis(200));
    lab.peer(FIN, 1, 0, 2);
    lab.wait(PAUSE);
}
fn dialogue(lab: &mut Lab) {
    let fd = lab.accepted();
    lab.wait(PAUSE);
    lab.peer(PUSH, 1, 200, 1);
    lab.recv(fd);
    lab.send(fd, 300);
    lab.wait(PAUSE);
    lab.peer(Flags::ACK, 201, 0, 301);
    lab.wait(PAUSE);
    lab.close(fd);
    lab.wait(PAUSE);
    lab.peer(FIN, 201, 0, 302);
    lab.wait(PAUSE);
}
fn reset(lab: &mut Lab) {
    let fd = lab.accepted();
    lab.wait(PAUSE);
    lab.send(fd, 300);
    lab.wait(PAUSE);
    lab.peer(Flags::RST, 1, 0, 0);
    lab.wait(PAUSE);
    lab.close(fd);
    lab.wait(PAUSE);
}

impl Trace {
    /// The segments that passed in a lab.
    pub fn of(name: &str, lab: &Lab) -> Self {
        let mut trace = Self { name: name.to_owned(), events: Vec::new() };
        for rung in lab.rungs() {
            let (segment, is_in) = match &rung.what {
                What::In(segment) => (segment, true),
                What::Out(segment, _) => (segment, false),
                _ => continue,
            };
            let flags = segment.flags;
            let seq = i64::from(lab.told_seq(segment));
            let length = segment.end_seq() - segment.seq;
            let ackno = if flags.ack() { i64::from(lab.told_ack(segment)) } else { 0 };
            let bit = i64::from;
            let values = vec![
                bit(is_in),
                bit(!is_in),
                bit(flags.syn()),
                bit(flags.fin()),
                bit(flags.rst()),
                bit(flags.ack()),
                seq,
                seq + i64::from(length),
                i64::from(segment.len),
                ackno,
                (rung.at.ns / 1_000_000) as i64,
                0,
                0,
            ];
            trace.events.push(Event { values, forged: false });
        }
        trace.look_back();
        trace
    }
    /// Fills in what was heard and said before each segment.
    fn look_back(&mut self) {
        let (mut heard, mut said) = (0, 0);
        for event in &mut self.events {
            event.values[11] = heard;
            event.values[12] = said;
            let end = event.values[END];
            // A RST's number promises nothing.
            let counts = event.values[4] == 0;
            let furthest = if event.values[0] == 1 { &mut heard } else { &mut said };
            if counts {
                *furthest = end.max(*furthest);
            }
        }
    }
    /// As a ladder; the segments with these places are marked.
    pub fn ladder(&self, marked: &[usize]) -> String {
        let mut told = String::from("              peer     this host\n");
        for (n, event) in self.events.iter().enumerate() {
            let arrow = if event.values[0] == 1 { "──▶" } else { "◀──" };
            let at = text::seconds(finwait_model::time::Instant {
                ns: event.values[10].unsigned_abs() * 1_000_000,
            });
            let mark = if marked.contains(&n) { "  ← here" } else { "" };
            told +=
                &format!("  {:>2}  {at:>9}  {arrow}  {}{mark}\n", n + 1, segment(&event.values));
        }
        told
    }
}

/// `FIN ACK  seq 1 ack 2`.
pub(crate) fn segment(values: &Values) -> String {
    let mut flags = Flags::NONE;
    for (place, flag) in [(2, Flags::SYN), (3, Flags::FIN), (4, Flags::RST), (5, Flags::ACK)] {
        if values[place] == 1 {
            flags |= flag;
        }
    }
    let mut told = format!("{}  seq {}", text::flags(flags), values[SEQ]);
    if flags.ack() {
        told += &format!(" ack {}", values[ACKNO]);
    }
    if values[LEN] > 0 {
        told += &format!(" len {}", values[LEN]);
    }
    told
}

/// A way to falsify a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Forgery {
    /// What a kernel would have to do wrong for it.
    pub about: &'static str,
    /// Falsifies; `false` if the conversation gives no occasion.
    forge: fn(&mut Vec<Event>) -> bool,
}

/// Every way.
pub const FORGERIES: [Forgery; 10] = [
    Forgery { about: "never acknowledges the peer's FIN", forge: no_ack_of_fin },
    Forgery { about: "sends data behind its own FIN", forge: data_behind_fin },
    Forgery { about: "answers a RST with a RST", forge: answers_reset },
    Forgery { about: "acknowledges what was never sent", forge: acks_too_much },
    Forgery { about: "takes an acknowledgement back", forge: acks_backwards },
    Forgery { about: "leaves a hole before its FIN", forge: hole_before_fin },
    Forgery { about: "repeats its FIN before anybody could have answered", forge: hasty_fin },
    Forgery { about: "repeats its FIN with another number", forge: second_fin },
    Forgery { about: "resets whoever says FIN", forge: resets_fin },
    Forgery { about: "speaks on after the peer's RST", forge: speaks_after_reset },
];

impl Forgery {
    /// That conversation, falsified.
    pub fn of(&self, trace: &Trace) -> Option<Trace> {
        let mut forged = trace.clone();
        if !(self.forge)(&mut forged.events) {
            return None;
        }
        forged.look_back();
        Some(forged)
    }
}

fn place(events: &[Event], wanted: impl Fn(&Values) -> bool) -> Option<usize> {
    events.iter().position(|e| wanted(&e.values))
}
const fn is(values: &Values, place: usize) -> bool {
    values[place] == 1
}
fn our_fin(events: &[Event]) -> Option<usize> {
    place(events, |v| is(v, 1) && is(v, 3))
}
fn their_fin(events: &[Event]) -> Option<usize> {
    place(events, |v| is(v, 0) && is(v, 3))
}
/// A copy of an event, later by so many milliseconds.
fn later(event: &Event, by_ms: i64) -> Event {
    let mut values = event.values.clone();
    values[10] += by_ms;
    Event { values, forged: true }
}

#[allow(clippy::ptr_arg, reason = "one type for all forgeries; others insert")]
fn no_ack_of_fin(events: &mut Vec<Event>) -> bool {
    let Some(fin) = their_fin(events) else { return false };
    let end = events[fin].values[END];
    for event in events.iter_mut().skip(fin) {
        if is(&event.values, 1) && is(&event.values, 5) && event.values[ACKNO] >= end {
            event.values[ACKNO] = end - 1;
            event.forged = true;
        }
    }
    true
}
fn data_behind_fin(events: &mut Vec<Event>) -> bool {
    let Some(fin) = our_fin(events) else { return false };
    let mut data = later(&events[fin], 1);
    data.values[3] = 0;
    data.values[SEQ] = events[fin].values[END];
    data.values[LEN] = 10;
    data.values[END] = data.values[SEQ] + 10;
    events.insert(fin + 1, data);
    true
}
/// A RST of ours in answer to an event.
fn our_reset(to: &Event) -> Event {
    let mut reset = later(to, 0);
    reset.values[0] = 0;
    reset.values[1] = 1;
    reset.values[2] = 0;
    reset.values[3] = 0;
    reset.values[4] = 1;
    reset.values[5] = 0;
    reset.values[SEQ] = to.values[ACKNO];
    reset.values[END] = to.values[ACKNO];
    reset.values[LEN] = 0;
    reset.values[ACKNO] = 0;
    reset
}
fn answers_reset(events: &mut Vec<Event>) -> bool {
    let Some(reset) = place(events, |v| is(v, 0) && is(v, 4)) else { return false };
    events.insert(reset + 1, our_reset(&events[reset]));
    true
}
#[allow(clippy::ptr_arg, reason = "one type for all forgeries; others insert")]
fn acks_too_much(events: &mut Vec<Event>) -> bool {
    let Some(last) = events.iter().rposition(|e| is(&e.values, 1) && is(&e.values, 5)) else {
        return false;
    };
    events[last].values[ACKNO] += 1;
    events[last].forged = true;
    true
}
fn acks_backwards(events: &mut Vec<Event>) -> bool {
    let most = |e: &Event| is(&e.values, 1) && is(&e.values, 5) && e.values[ACKNO] > 1;
    let Some(first) = events.iter().position(most) else { return false };
    let mut again = later(&events[first], 1);
    again.values[ACKNO] -= 1;
    again.values[3] = 0;
    again.values[LEN] = 0;
    again.values[SEQ] = events[first].values[END];
    again.values[END] = again.values[SEQ];
    events.insert(first + 1, again);
    true
}
#[allow(clippy::ptr_arg, reason = "one type for all forgeries; others insert")]
fn hole_before_fin(events: &mut Vec<Event>) -> bool {
    let Some(fin) = our_fin(events) else { return false };
    for event in events.iter_mut().skip(fin).filter(|e| is(&e.values, 1)) {
        event.values[SEQ] += 10;
        event.values[END] += 10;
        event.forged = true;
    }
    true
}
fn hasty_fin(events: &mut Vec<Event>) -> bool {
    let Some(fin) = our_fin(events) else { return false };
    events.insert(fin + 1, later(&events[fin], 5));
    true
}
fn second_fin(events: &mut Vec<Event>) -> bool {
    let Some(fin) = our_fin(events) else { return false };
    let mut second = later(&events[fin], 400);
    second.values[SEQ] += 1;
    second.values[END] += 1;
    let at = events.iter().rposition(|e| e.values[10] <= second.values[10]);
    events.insert(at.unwrap_or(fin) + 1, second);
    true
}
fn resets_fin(events: &mut Vec<Event>) -> bool {
    let Some(fin) = their_fin(events) else { return false };
    let reset = our_reset(&events[fin]);
    events.truncate(fin + 1);
    events.push(reset);
    true
}
fn speaks_after_reset(events: &mut Vec<Event>) -> bool {
    let Some(reset) = place(events, |v| is(v, 0) && is(v, 4)) else { return false };
    let Some(ours) = events[..reset].iter().rposition(|e| is(&e.values, 1)) else { return false };
    let mut more = later(&events[ours], 0);
    more.values[10] = events[reset].values[10] + 200;
    events.insert(reset + 1, more);
    true
}
