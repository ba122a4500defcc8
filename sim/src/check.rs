//! An independent judge: rules that no segment of any run may break, whatever the model thinks.
//!
//! It shares no code with the model and knows only what passes on the wire.

use std::collections::BTreeMap;

use finwait_model::cause::Cause;
use finwait_model::flow::{Addr, FourTuple};
use finwait_model::release::Release;
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;

use crate::scenario::Scenario;
use crate::watch::{Sent, Watch};

/// How many violations are kept in words.
const KEPT: usize = 20;

/// Watches a run and collects violations.
#[derive(Debug)]
pub struct Judge {
    hosts: Vec<(Addr, Release)>,
    sides: BTreeMap<FourTuple, [Option<Side>; 2]>,
    violations: Vec<String>,
    count: u64,
}

/// What one end of a connection has sent. Two are kept for each direction, the connection at hand
/// and the one before it on the same ports, because a bucket may still speak for the latter.
#[derive(Clone, Copy, Debug)]
struct Side {
    isn: Seq,
    end: Seq,
    fin_end: Option<Seq>,
    /// It began with a SYN cookie. A late duplicate of the peer's ACK makes the same connection
    /// anew, with the same numbers, so its FIN need not be the last word.
    cookie: bool,
}

impl Judge {
    /// For a run of that scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let hosts = scenario.hosts.iter().map(|h| (h.addr, h.release)).collect();
        Self { hosts, sides: BTreeMap::new(), violations: Vec::new(), count: 0 }
    }
    /// The first violations, in words.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }
    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }
    fn accuse(&mut self, sent: &Sent<'_>, rule: &str) {
        self.count += 1;
        if self.violations.len() < KEPT {
            let Sent { at, segment, cause, .. } = sent;
            self.violations.push(format!(
                "{at} {} {segment} {}: {rule}",
                segment.flow,
                cause.name()
            ));
        }
    }
    /// Rules about one segment alone.
    fn judge_alone(&mut self, sent: &Sent<'_>) {
        let (addr, release) = self.hosts[usize::from(sent.host.0)];
        let site = sent.cause.site();
        if sent.segment.flow.saddr != addr {
            self.accuse(sent, "a host sends from its own address only");
        }
        if !site.releases.contains(&release) {
            self.accuse(sent, "this kernel release has no such send site");
        }
        if sent.segment.flags.rst() != sent.cause.is_reset() {
            self.accuse(sent, "a RST has the cause of a RST, and nothing else has");
        }
        if sent.segment.flags.rst() && sent.answers.is_some_and(|s| s.flags.rst()) {
            self.accuse(sent, "a RST is never answered with a RST");
        }
        if sent.segment.flags.rst() && sent.segment.len > 0 {
            self.accuse(sent, "a RST carries no data");
        }
    }
    /// Rules about the order within a connection.
    fn judge_sequence(&mut self, sent: &Sent<'_>) {
        let segment = sent.segment;
        if segment.flags.ack() && !segment.flags.rst() && !self.acknowledges_sent(segment) {
            self.accuse(sent, "nobody acknowledges what was never sent");
        }
        if segment.flags.rst() {
            return;
        }
        let sides = self.sides.entry(segment.flow).or_default();
        if segment.flags.syn() {
            if sides[0].is_none_or(|s| s.isn != segment.seq) {
                let end = segment.end_seq();
                let cookie = sent.cause == Cause::SynAckCookie;
                let side = Side { isn: segment.seq, end, fin_end: None, cookie };
                *sides = [Some(side), sides[0]];
            }
            return;
        }
        // The connection that the segment belongs to: the one whose numbers it continues.
        let mut rule = None;
        match sides.iter_mut().flatten().find(|s| belongs(s, segment)) {
            None => rule = Some("a segment continues what its end has sent before"),
            Some(side) if side.cookie => side.end = side.end.later(segment.end_seq()),
            Some(side) => {
                let end = segment.end_seq();
                if side.fin_end.is_some_and(|fin| end.after(fin)) {
                    rule = Some("nothing is sent beyond one's own FIN");
                }
                side.end = side.end.later(end);
                if segment.flags.fin() {
                    if side.fin_end.is_some_and(|fin| fin != end) {
                        rule = Some("a FIN keeps its sequence number");
                    }
                    side.fin_end = Some(end);
                }
            }
        }
        if let Some(rule) = rule {
            self.accuse(sent, rule);
        }
    }
    fn acknowledges_sent(&self, segment: &Segment) -> bool {
        let Some(sides) = self.sides.get(&segment.flow.reversed()) else { return false };
        sides.iter().flatten().any(|s| segment.ack.between(s.isn, s.end))
    }
}

/// Does the segment start within what that connection has sent, or right behind it?
fn belongs(side: &Side, segment: &Segment) -> bool {
    // A zero-window probe and a keepalive start one below what is unacknowledged.
    segment.seq.between(side.isn, side.end)
}

impl Watch for Judge {
    const NOTES: bool = false;
    fn sent(&mut self, sent: &Sent<'_>) {
        self.judge_alone(sent);
        self.judge_sequence(sent);
    }
}
