//! A world whose time somebody else keeps, with a real machine in the place of one of its hosts.
//!
//! Nothing here reads a clock or a device. Whoever drives it says how late it is, hands in the
//! packets that the real machine has sent, and takes those that have arrived for it.

use std::collections::BTreeMap;

use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;
use finwait_model::time::{Instant, Span};

use crate::because::Explain;
use crate::run::{self, Outcome};
use crate::sample::Sample;
use crate::scenario::{Scenario, Text};
use crate::watch::Watch;
use crate::wire;
use crate::world::{HostId, World};

/// A world in which one host is real.
#[derive(Debug)]
pub struct Live {
    scenario: Scenario,
    real: HostId,
    world: World,
    explain: Explain,
    series: Vec<Vec<Sample>>,
    next_sample: Instant,
    every: Span,
    words: Words,
    ended: bool,
}

/// So many samples of a host are kept at most.
const MOST_SAMPLES: u64 = 10_000;

impl Live {
    /// At time zero, with the real machine in that host's place.
    pub fn new(scenario: &Scenario, real: HostId) -> Self {
        let scenario = scenario.with_real(real);
        let world = scenario.world();
        let hosts = world.hosts().len();
        let every = scenario.sample.max(Span::nanos(scenario.duration.ns / MOST_SAMPLES));
        Self {
            real,
            explain: Explain::new(hosts),
            series: vec![Vec::new(); hosts],
            next_sample: Instant::ZERO + every,
            every,
            words: Words { texts: scenario.texts.clone(), first: BTreeMap::new() },
            world,
            scenario,
            ended: false,
        }
    }
    /// What is played: the scenario with the real machine in it.
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }
    /// The world as it stands.
    pub const fn world(&self) -> &World {
        &self.world
    }
    /// Has somebody who watches asked for the end?
    pub const fn ended(&self) -> bool {
        self.ended
    }
    /// When it wants its turn next.
    pub fn next(&self) -> Instant {
        self.world.next().map_or(self.next_sample, |at| at.min(self.next_sample))
    }
    /// Lets everything happen that happens before `now`.
    pub fn advance(&mut self, now: Instant, watch: &mut dyn Watch) {
        let mut both = (&mut self.explain, watch);
        while self.next_sample <= now && !self.ended {
            let at = self.next_sample;
            self.world.run_watched(at, &mut both);
            let samples: Vec<Sample> =
                self.world.hosts().iter().map(|host| Sample::of(host, at)).collect();
            for (series, sample) in self.series.iter_mut().zip(&samples) {
                series.push(*sample);
            }
            self.ended = both.sampled(at, self.world.hosts(), &samples).is_break();
            self.next_sample = at + self.every;
        }
        self.world.run_watched(now, &mut both);
    }
    /// The real machine has sent a packet. What is no TCP from its own address to a simulated host
    /// is nobody's business; says whether it was.
    pub fn packet(&mut self, now: Instant, packet: &[u8], watch: &mut dyn Watch) -> bool {
        let Some(segment) = wire::parse(packet) else { return false };
        let plan = self.scenario.host_plan(self.real);
        let known = self.scenario.hosts.iter().any(|host| host.addr == segment.flow.daddr);
        if segment.flow.saddr != plan.addr || !known {
            return false;
        }
        let mut both = (&mut self.explain, watch);
        self.world.send(self.real, now, &segment, &mut both);
        true
    }
    /// Packets that have arrived for the real machine since this was asked last.
    pub fn packets(&mut self) -> Vec<Vec<u8>> {
        let arrived = self.world.arrived(self.real);
        arrived.iter().map(|segment| self.words.packet(&self.scenario, segment)).collect()
    }
    /// What it came to.
    pub fn finish(self) -> Outcome {
        run::outcome(&self.scenario, &self.world, self.series, &self.explain.into_groups())
    }
}

/// Lengths become words again: what an application says stands in the scenario.
#[derive(Debug)]
struct Words {
    texts: Vec<Text>,
    /// The first sequence number of each connection's simulated end.
    first: BTreeMap<FourTuple, Seq>,
}

impl Words {
    fn packet(&mut self, scenario: &Scenario, segment: &Segment) -> Vec<u8> {
        if segment.flags.syn() {
            self.first.insert(segment.flow, segment.seq);
        }
        let mut packet = wire::emit(segment);
        if segment.len > 0
            && let Some(first) = self.first.get(&segment.flow)
            && let Some(text) = self.text(scenario, segment)
        {
            let place = segment.seq - (*first + 1);
            wire::set_payload(&mut packet, |payload| repeat(text, place, payload));
        }
        packet
    }
    fn text(&self, scenario: &Scenario, segment: &Segment) -> Option<&[u8]> {
        let flow = segment.flow;
        let says = |text: &&Text| {
            let port = if text.serves { flow.sport } else { flow.dport };
            scenario.host_plan(text.host).addr == flow.saddr
                && (text.ports.0..=text.ports.1).contains(&port)
        };
        self.texts.iter().find(says).map(|text| text.bytes.as_slice())
    }
}

/// Writes a text over and over again, from that place on.
fn repeat(text: &[u8], place: u32, payload: &mut [u8]) {
    let start = place as usize % text.len().max(1);
    for (slot, byte) in payload.iter_mut().zip(text.iter().cycle().skip(start)) {
        *slot = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Count;
    use finwait_model::flow::{Addr, Endpoint};
    use finwait_model::segment::Flags;

    const TEXT: &str = "duration = \"10s\"\n[hosts.web]\nkernel = \"3.10\"\n[hosts.out]\n\
        kernel = \"6.18\"\n[links]\ndelay = \"1ms\"\n[[apps]]\nkind = \"client\"\nhost = \"web\"\n\
        to = \"out:6379\"\nrate = \"1/s\"\ncount = 1\nrequest = \"PING\\r\\n\"\n";

    fn at(ms: u64) -> Instant {
        Instant { ns: ms * 1_000_000 }
    }

    #[test]
    fn a_real_peer_gets_words_and_its_packets_go_in() {
        let scenario = Scenario::parse(TEXT, "live").expect("it is good");
        let real = scenario.host("out").expect("it is there");
        let mut live = Live::new(&scenario, real);
        live.advance(at(5), &mut Count);
        let packets = live.packets();
        let syn = wire::parse(&packets[0]).expect("a SYN");
        assert!(syn.flags.syn() && packets.len() == 1);
        let flow = syn.flow.reversed();
        let answer = Segment {
            flow,
            seq: Seq(7),
            ack: syn.seq + 1,
            win: 1000,
            flags: Flags::SYN | Flags::ACK,
            ..Segment::default()
        };
        assert!(live.packet(at(5), &wire::emit(&answer), &mut Count));
        live.advance(at(10), &mut Count);
        let packets = live.packets();
        assert_eq!(packets.len(), 2, "an ACK and the request");
        assert!(packets[1].ends_with(b"PING\r\n"));
        // From elsewhere, to nobody, and no TCP at all.
        let stray = Endpoint::new(Addr::v4(9, 9, 9, 9), 1);
        let (us, them) = (flow.source(), flow.destination());
        for flow in [FourTuple::new(stray, them), FourTuple::new(us, stray)] {
            let packet = wire::emit(&Segment { flow, ..answer });
            assert!(!live.packet(at(10), &packet, &mut Count));
        }
        assert!(!live.packet(at(10), &[0x60, 0, 0, 0], &mut Count));
        let outcome = live.finish();
        assert_eq!(outcome.hosts[0].clients.started, 1);
        assert!(outcome.interrupted, "before its time");
    }

    #[test]
    fn a_text_goes_on_where_the_last_segment_ended() {
        let mut payload = [0; 7];
        repeat(b"abc", 4, &mut payload);
        assert_eq!(&payload, b"bcabcab");
    }
}
