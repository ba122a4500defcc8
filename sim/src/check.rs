//! An independent judge: rules that no segment of any run may break, whatever the model thinks.
//!
//! It shares no code with the model and knows only what passes on the wire.

use std::collections::BTreeMap;

use finwait_model::cause::Cause;
use finwait_model::flow::{Addr, FourTuple};
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;

use crate::scenario::Scenario;
use crate::stack::Platform;
use crate::watch::{Sent, Watch};
use crate::world::HostId;

/// How many connections of one four-tuple are remembered, the one at hand and the one before it; a
/// box may give a port away so often that an end still speaks for an older one.
const KEPT_SIDES: usize = 2;
const KEPT_BEHIND_BOX: usize = 64;
/// How many violations are kept in words.
const KEPT: usize = 20;

/// Watches a run and collects violations.
#[derive(Debug)]
pub struct Judge {
    hosts: Vec<(Addr, Platform)>,
    /// Those that may speak for others.
    boxes: Vec<HostId>,
    sides: BTreeMap<FourTuple, Vec<Side>>,
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
    /// By how much its window field is to be shifted, once the handshake is through.
    scale: u8,
    /// How far it has ever allowed the other end to send.
    offer: Option<Seq>,
}

impl Side {
    /// Takes the segment's acknowledgement and window in.
    fn offers(&mut self, segment: &Segment) {
        if segment.flags.ack() && !segment.flags.rst() {
            let shift = if segment.flags.syn() { 0 } else { self.scale };
            let edge = segment.ack + (u32::from(segment.win) << shift);
            self.offer = Some(self.offer.map_or(edge, |before| before.later(edge)));
        }
    }
}

impl Judge {
    /// For a run of that scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let hosts = scenario.hosts.iter().map(|h| (h.addr, h.platform())).collect();
        let boxes = scenario.box_hosts();
        Self { hosts, boxes, sides: BTreeMap::new(), violations: Vec::new(), count: 0 }
    }
    /// The first violations, in words.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }
    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }
    /// Who passes on what others have sent is not to blame for it.
    fn accuse(&mut self, sent: &Sent<'_>, rule: &str) {
        if sent.is_passed_on() {
            return;
        }
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
        let (addr, platform) = self.hosts[usize::from(sent.host.0)];
        let is_box = self.boxes.contains(&sent.host);
        if sent.segment.flow.saddr != addr && !is_box {
            self.accuse(sent, "a host sends from its own address only");
        }
        let exists = match platform {
            Platform::Linux(release) => sent.cause.site().releases.contains(&release),
            Platform::Smoltcp | Platform::Real => !sent.cause.is_of_linux(),
        };
        // A box passes on what others send.
        if !exists && (!is_box || sent.cause.is_of_linux()) {
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
        // smoltcp's fast retransmission does not look at the window.
        if segment.len > 0 && sent.cause.is_of_linux() && !self.was_allowed(segment) {
            self.accuse(sent, "no data is sent beyond what the other end has ever allowed");
        }
        let sides = self.sides.entry(segment.flow).or_default();
        if segment.flags.syn() {
            if sides.first().is_none_or(|s| s.isn != segment.seq) {
                let end = segment.end_seq();
                let cookie = sent.cause == Cause::SynAckCookie;
                let scale = segment.options.wscale.unwrap_or(0);
                let isn = segment.seq;
                let side = Side { isn, end, fin_end: None, cookie, scale, offer: None };
                sides.insert(0, side);
                sides.truncate(if self.boxes.is_empty() { KEPT_SIDES } else { KEPT_BEHIND_BOX });
            }
            if let Some(side) = sides.first_mut() {
                side.offers(segment);
            }
            return;
        }
        // The connection that the segment belongs to: the one whose numbers it continues.
        let mut rule = None;
        let (known, passed_on) = (!sides.is_empty(), sent.is_passed_on());
        let is_its =
            |side: &&mut Side| belongs(side, segment) || (passed_on && is_near(side, segment));
        match sides.iter_mut().find(is_its) {
            // Late segments of earlier connections pass a box like any others.
            None if passed_on && known => {}
            None if passed_on => {
                // A box has given an old connection new ports: it begins anew here.
                let (isn, end) = (segment.seq, segment.end_seq());
                let mut side =
                    Side { isn, end, fin_end: None, cookie: true, scale: 0, offer: None };
                side.offers(segment);
                sides.push(side);
            }
            None => rule = Some("a segment continues what its end has sent before"),
            Some(side) if side.cookie => {
                side.offers(segment);
                side.end = side.end.later(segment.end_seq());
            }
            Some(side) => {
                side.offers(segment);
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
        sides.iter().any(|s| segment.ack.between(s.isn, s.end))
    }
    fn was_allowed(&self, segment: &Segment) -> bool {
        let Some(sides) = self.sides.get(&segment.flow.reversed()) else { return false };
        let end = segment.seq + u32::from(segment.len);
        sides.iter().filter_map(|s| s.offer).any(|edge| !end.after(edge))
    }
}

/// Does the segment start within what that connection has sent, or right behind it?
fn belongs(side: &Side, segment: &Segment) -> bool {
    // A zero-window probe and a keepalive start one below what is unacknowledged.
    segment.seq.between(side.isn, side.end)
}

/// What passes a box may have overtaken what its sender sent before.
const fn is_near(side: &Side, segment: &Segment) -> bool {
    segment.seq.0.wrapping_sub(side.isn.0) < 1 << 24
}

impl Watch for Judge {
    fn wants_notes(&self) -> bool {
        false
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        self.judge_alone(sent);
        self.judge_sequence(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Fate;
    use finwait_model::flow::Endpoint;
    use finwait_model::segment::Flags;
    use finwait_model::time::Instant;

    const TEXT: &str = "duration = \"1s\"\n[hosts.a]\nkernel = \"6.18\"\n[hosts.b]\n\
        kernel = \"6.18\"\n[[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\nrate = \"1/s\"\n";

    /// Says what each host sends, one after the other, and returns the last accusation.
    fn accused(said: &[(u16, &str, Cause)]) -> Option<String> {
        let mut judge = Judge::new(&Scenario::parse(TEXT, "judge").expect("it is good"));
        let a = Endpoint::new(Addr::v4(10, 0, 0, 1), 40_000);
        let b = Endpoint::new(Addr::v4(10, 0, 0, 2), 80);
        let mut last: Option<Segment> = None;
        for &(host, text, cause) in said {
            let flow = FourTuple::new(a, b);
            let flow = if host == 0 { flow } else { flow.reversed() };
            let segment = Segment { flow, ..segment(text) };
            let (at, fate) = (Instant::ZERO, Fate::Lost);
            let host = HostId(host);
            // What the same end sent before is no reason.
            let answers = last.as_ref().filter(|last| last.flow == segment.flow.reversed());
            judge.sent(&Sent { at, host, segment: &segment, cause, answers, fate });
            last = Some(segment);
        }
        let last = judge.violations().last()?;
        Some(last.rsplit(": ").next().expect("there is a rule").to_owned())
    }

    /// `FLAGS seq len ack win`, flags as packetdrill writes them.
    fn segment(text: &str) -> Segment {
        let words: Vec<&str> = text.split(' ').collect();
        let number = |i: usize| words[i].parse::<u32>().expect("a number");
        let mut flags = Flags::NONE;
        for letter in words[0].chars() {
            flags |= match letter {
                'S' => Flags::SYN,
                'F' => Flags::FIN,
                'R' => Flags::RST,
                _ => Flags::ACK,
            };
        }
        let (seq, ack) = (Seq(number(1)), Seq(number(3)));
        let (len, win) = (number(2) as u16, number(4) as u16);
        Segment { seq, ack, len, win, flags, ..Segment::default() }
    }

    const SYN: (u16, &str, Cause) = (0, "S 100 0 0 1000", Cause::SynOnConnect);
    const SYN_ACK: (u16, &str, Cause) = (1, "S. 500 0 101 1000", Cause::SynAck);
    const DATA: (u16, &str, Cause) = (0, ". 101 10 501 1000", Cause::Data);
    const FIN: (u16, &str, Cause) = (0, "F. 111 0 501 1000", Cause::Fin);

    #[test]
    fn a_clean_connection_is_not_accused() {
        let ack = (1, ". 501 0 112 1000", Cause::AckDelayed);
        let fin = (1, "F. 501 0 112 1000", Cause::Fin);
        let last = (0, ". 112 0 502 1000", Cause::AckOfFin);
        assert_eq!(accused(&[SYN, SYN_ACK, DATA, FIN, ack, fin, last]), None);
        let rst = (1, "R 112 0 0 0", Cause::RstNoSocket);
        assert_eq!(accused(&[SYN, SYN_ACK, DATA, FIN, rst]), None);
    }

    #[test]
    fn each_rule_can_be_broken() {
        let rst = |host| (host, "R 0 0 0 0", Cause::RstNoSocket);
        let unsent = (0, ". 101 0 502 1000", Cause::AckQuick);
        let beyond_fin = (0, ". 112 5 501 1000", Cause::Data);
        let moved_fin = (0, "F. 105 0 501 1000", Cause::FinRetransmit);
        let gap = (0, ". 300 5 501 1000", Cause::Data);
        let too_much = (0, ". 101 1001 501 1000", Cause::Data);
        let not_a_rst = (0, "R 101 0 0 0", Cause::Data);
        for (said, rule) in [
            (&[SYN, SYN_ACK, DATA, rst(1), rst(0)][..], "a RST is never answered with a RST"),
            (&[SYN, SYN_ACK, unsent], "nobody acknowledges what was never sent"),
            (&[SYN, SYN_ACK, DATA, FIN, beyond_fin], "nothing is sent beyond one's own FIN"),
            (&[SYN, SYN_ACK, DATA, FIN, moved_fin], "a FIN keeps its sequence number"),
            (&[SYN, SYN_ACK, gap], "a segment continues what its end has sent before"),
            (
                &[SYN, SYN_ACK, too_much],
                "no data is sent beyond what the other end has ever allowed",
            ),
            (&[SYN, SYN_ACK, not_a_rst], "a RST has the cause of a RST, and nothing else has"),
        ] {
            assert_eq!(accused(said).as_deref(), Some(rule));
        }
    }
}
