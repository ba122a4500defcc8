//! What comes of an event, done on its host: numbers that are the connection's own are put in, segments
//! leave, buckets and timers are set, and whoever waits is woken.

use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_model::track::{Change, Origin, Since};

use super::conn::{Conn, Side, UNANSWERED};
use super::effect::{Effect, Leaves, Numbers, Out, Turn, Whom};
use super::graph::Edge;
use super::replay::Recent;
use super::timers::Timer;
use super::{Bound, Flight, Lane, Scene, Station, Toward, Yard};
use crate::follow::CLIENT;
use crate::link::Fate;
use crate::watch::{Sent, Watch};

impl Yard {
    /// An event happens. Says of what nothing is known, if there is such a thing.
    #[inline(always)]
    pub(super) fn happen<W: Watch>(
        &mut self,
        (conn, slot): (&mut Conn, u32),
        end: usize,
        edge: &Edge,
        flight: Option<&Flight>,
        scene: &mut Scene<'_, W>,
    ) -> Option<&'static str> {
        let effect = &edge.effect;
        let Self { stations, doors, wakes, .. } = self;
        if let Some(flight) = flight {
            conn.ends[end].hear(effect, flight, scene.now);
        }
        let rest = &effect.outs.rest;
        if !rest.is_empty() | effect.outs.unseen.is_some() {
            let irs = conn.ends[1 - end].iss;
            let side = &mut conn.ends[end];
            let val = scene.ground.kernel.stamp(scene.now).wrapping_add(side.offset);
            if let Some(leaves) = &effect.outs.unseen {
                Departure { slot, end, side, irs, val, stations }.send(leaves, scene);
            }
            for out in rest {
                match out {
                    Out::Note(note, of) => say(note, of.flow(side.flow), scene),
                    Out::Refusal(substate) => refuse(*substate, side.flow, scene),
                    Out::Segment(leaves) => {
                        Departure { slot, end, side, irs, val, stations }
                            .send_and_tell(leaves, effect, flight, scene);
                    }
                }
            }
        }
        if !edge.does_more {
            return None;
        }
        if let Some(change) = &effect.change {
            conn.change(end, change, scene);
            self.buckets_touched |= change.has_bucket();
        }
        if effect.leaves
            && let Some(place) = conn.place
        {
            scene.ground.kernel.leave(place);
        }
        for (whom, ready) in &effect.wakes {
            let fd = match whom {
                Whom::Own => Some(conn.fd(slot)),
                Whom::Listener => {
                    let door = &mut doors[conn.door as usize];
                    door.queue.push_back(slot);
                    door.fd
                }
            };
            if let Some(fd) = fd {
                wakes.push_back((fd, *ready));
            }
        }
        let side = &mut conn.ends[end];
        match effect.delack {
            Turn::Stays => {}
            Turn::Idle => side.delack = 0,
            Turn::Armed(ticks) => {
                self.armed += 1;
                side.delack = self.armed;
                let at = scene.ground.kernel.fires(scene.now, ticks.into());
                let station = &mut stations[usize::from(scene.ground.host.0)];
                station.timers.arm(ticks, Timer { at, number: self.armed, slot, end });
            }
        }
        let since = match effect.write {
            Turn::Stays => return None,
            Turn::Idle => side.write.take(),
            Turn::Armed(_) => side.write.replace(scene.now),
        };
        let late = since.is_some_and(|since| scene.now.since(since) > UNANSWERED);
        late.then_some("something that is not answered")
    }
}

/// From where something leaves, and where it goes.
struct Departure<'a> {
    slot: u32,
    end: usize,
    side: &'a mut Side,
    irs: Seq,
    /// Its timestamp.
    val: u32,
    stations: &'a mut [Station],
}

impl Departure<'_> {
    /// One of several segments leaves, or a RST, of which whoever watches hears.
    #[cold]
    fn send_and_tell<W: Watch>(
        &mut self,
        leaves: &Leaves,
        effect: &Effect,
        flight: Option<&Flight>,
        scene: &mut Scene<'_, W>,
    ) {
        self.send(leaves, scene);
        if leaves.is_reset() {
            let arrived = effect.arrived.as_deref().zip(flight);
            let Toward { host, lane } = self.side.toward;
            let lane = &self.stations[usize::from(host)].lanes[usize::from(lane)];
            tell(leaves, self.numbers(), arrived, lane, scene);
        }
    }
    #[inline(always)]
    const fn numbers(&self) -> Numbers {
        let Side { flow, iss, recent, .. } = *self.side;
        Numbers { flow, iss, irs: self.irs, val: self.val, ecr: recent.val }
    }
    /// A segment leaves.
    #[inline(always)]
    fn send<W: Watch>(&mut self, leaves: &Leaves, scene: &mut Scene<'_, W>) {
        let now = scene.now;
        let payload = leaves.has_payload();
        self.side.sent = if payload { now } else { self.side.sent };
        let (outline, words, stamp) = leaves.words(&self.numbers());
        scene.ground.tally.followed(1).outline(now, self.side.words, outline, words, stamp);
        let host = usize::from(self.side.toward.host);
        let station = &mut self.stations[host];
        let lane = &mut station.lanes[usize::from(self.side.toward.lane)];
        let at = now + lane.delay;
        if at < station.arrival {
            station.arrival = at;
            if at < scene.agenda.at(host) {
                scene.agenda.set(host, at);
            }
        }
        let bound = Bound { slot: self.slot, end: 1 - self.end as u8, payload };
        lane.put(at, now, bound, ((stamp >> 32) as u32, stamp as u32));
    }
}

impl Side {
    /// Something arrives.
    #[inline]
    fn hear(&mut self, effect: &Effect, flight: &Flight, now: Instant) {
        if effect.takes_stamp {
            self.recent = Recent { val: flight.val, came: now, sent: flight.sent };
        }
        self.received = if effect.takes_data { now } else { self.received };
    }
}

impl Conn {
    /// Its host's tables change.
    #[inline]
    fn change<W: Watch>(&mut self, end: usize, change: &Change, scene: &mut Scene<'_, W>) {
        let Some(place) = self.place else { return };
        let irs = self.ends[1 - end].iss;
        let Side { flow, iss, recent, .. } = self.ends[end];
        let origin = Origin { flow, iss, irs, ts: 0, peer_ts: recent.val };
        let since = Since { began: scene.now, stamped: recent.came };
        scene.ground.kernel.follow(change, &origin, place, since, scene.now);
        if change.makes_bucket() {
            self.heeds[CLIENT] = true;
        }
    }
}

/// A kernel says something.
#[inline(always)]
fn say<W: Watch>(note: &Note, flow: FourTuple, scene: &mut Scene<'_, W>) {
    if scene.ground.watch.wants_notes() {
        scene.ground.watch.noted_of(scene.now, scene.ground.host, flow, note);
    }
}

/// A kernel says that it has refused a bucket.
#[inline(never)]
fn refuse<W: Watch>(substate: TcpState, flow: FourTuple, scene: &mut Scene<'_, W>) {
    let kernel = &scene.ground.kernel;
    let note = Note::BucketRefused {
        flow,
        substate,
        count: kernel.sockstat().tw,
        limit: kernel.sysctl().tcp_max_tw_buckets as i32,
        next_expiry: kernel.next_bucket_death(),
    };
    say(&note, flow, scene);
}

/// Whoever watches hears of a RST, and of what it answers.
fn tell<W: Watch>(
    leaves: &Leaves,
    numbers: Numbers,
    arrived: Option<(&Leaves, &Flight)>,
    lane: &Lane,
    scene: &mut Scene<'_, W>,
) {
    let arrived = arrived.map(|(arrived, flight)| {
        let flow = numbers.flow.reversed();
        let (iss, irs) = (numbers.irs, numbers.iss);
        arrived.segment(&Numbers { flow, iss, irs, val: flight.val, ecr: flight.ecr })
    });
    let answers: Option<&Segment> = arrived.as_ref();
    let (segment, cause) = (&leaves.segment(&numbers), leaves.cause);
    let (at, fate) = (scene.now, Fate::Arrives(scene.now + lane.delay));
    let host = scene.ground.host;
    scene.ground.watch.sent(&Sent { at, host, segment, cause, answers, fate });
}
