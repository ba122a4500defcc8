//! Connections whose two ends are known to stand as others have stood before.
//!
//! A connection is a pair of sockets and what is on its way between them. How it goes on when
//! something happens to it, a segment that arrives, a timer, a system call, is decided by how it
//! stands, and there are not many ways to stand: at production scale one connection is like the other.
//! So the first one to which a thing happens is worked out in full, by itself, from its beginning on
//! ([`replay`]), and what came of it is written down ([`effect`]) without what is the connection's
//! own: ports, sequence numbers, timestamps, times. Whoever stands like that ([`graph`]) and meets the
//! same thing does the same without being worked out anew.
//!
//! Unlike [tracks](crate::follow) this needs no plan of a whole life: applications run as ever, hold
//! connections as long as they like, and keep each other waiting. What hosts share is as real as ever,
//! too: ports, the hash, buckets and their limit, and the order of everything on a host.
//!
//! It is a speculation. Now and then an event is worked out although its effect is known, and compared.
//! And where anything comes up that connections do to one another, or that depends on what is not part
//! of how they stand, everything is given up ([`Pairs::gave_up`]) and the run is done again from its
//! beginning with every socket in full.

mod apply;
mod conn;
mod effect;
mod event;
mod graph;
mod plan;
mod replay;
mod step;
mod timers;

use std::collections::VecDeque;

use finwait_model::errno::Errno;
use finwait_model::flow::Endpoint;
use finwait_model::kernel::{Fd, Kernel, Ready};
use finwait_model::time::{Instant, Span};
use finwait_model::track::Numbering;

use crate::agenda::{Agenda, NEVER};
use crate::follow::{Ground, SERVER};
use crate::host::Host;
use crate::watch::Watch;
use crate::world::HostId;
use conn::Conns;
pub(crate) use event::{Act, EOF, Key};
use graph::Graph;
use timers::{Timer, Timers};

/// All connections of a world, if they are known that way.
#[derive(Debug)]
pub(crate) struct Pairs {
    lands: Vec<Land>,
    ways: Vec<Way>,
    /// Everything that is known of them.
    graph: Graph,
    conns: Conns,
    yard: Yard,
    gave_up: Option<&'static str>,
}

/// What hosts have of them.
#[derive(Debug)]
struct Yard {
    doors: Vec<Door>,
    /// By host.
    stations: Vec<Station>,
    /// Whose readiness has changed on the host where something happens.
    wakes: VecDeque<(Fd, Ready)>,
    /// How many timers have been armed: the order of those of one tick.
    armed: u64,
    buckets_touched: bool,
}

/// The connections from one host to one listener.
#[derive(Debug)]
struct Way {
    /// By sending end: where it leads.
    lanes: [Toward; 2],
    land: usize,
    door: usize,
    /// By client port: is a connection under way there?
    ports: Vec<u64>,
}

/// Two hosts that connections are between.
#[derive(Debug)]
struct Land {
    hosts: [HostId; 2],
    ground: replay::Ground,
    numbering: [Numbering; 2],
    /// How connections stand that have not begun.
    beginning: graph::Node,
    /// The limit of orphans of the narrower host.
    orphans: u64,
    /// Connections that have begun, and events that were worked out.
    begun: u64,
    lessons: u64,
}

/// A listener.
#[derive(Debug)]
struct Door {
    host: HostId,
    port: u16,
    fd: Option<Fd>,
    /// Connections that wait for accept().
    queue: VecDeque<u32>,
    /// Those, and all that are on their way there.
    coming: u64,
    /// How many may be without a limit being met.
    room: u64,
}

/// A lane: the host where it ends, and its number there.
#[derive(Clone, Copy, Default, Debug)]
struct Toward {
    host: u16,
    lane: u16,
}

/// Segments under way on a link.
#[derive(Debug)]
struct Lane {
    delay: Span,
    flights: VecDeque<Flight>,
}

/// A segment under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    at: Instant,
    sent: Instant,
    bound: Bound,
    /// Its timestamps.
    val: u32,
    ecr: u32,
}

/// Where a segment goes.
#[derive(Clone, Copy, Debug)]
struct Bound {
    slot: u32,
    end: u8,
    payload: bool,
}

/// What is to come on a host.
#[derive(Debug)]
struct Station {
    /// What leads here, in the order in which equal times are served.
    lanes: Vec<Lane>,
    /// When the first segment arrives.
    arrival: Instant,
    timers: Timers,
    /// Where connections lead from here, by address and port.
    ways: Vec<(Endpoint, u32)>,
    /// By descriptor of a listener.
    doors: Vec<Option<u32>>,
}

/// A moment on a host, at which something happens to a connection.
#[derive(Debug)]
pub(crate) struct Scene<'a, W> {
    pub now: Instant,
    pub ground: Ground<'a, W>,
    pub agenda: &'a mut Agenda,
}

impl Lane {
    /// When the first one arrives.
    #[inline]
    fn first(&self) -> Instant {
        self.flights.front().map_or(NEVER, |flight| flight.at)
    }
    /// One leaves. What it is made of comes in registers: through memory, the processor would wait for
    /// what was just written in pieces to be read as a whole.
    #[inline(never)]
    fn put(&mut self, at: Instant, sent: Instant, bound: Bound, stamp: (u32, u32)) {
        if self.flights.len() == self.flights.capacity() {
            return self.put_where_no_room_is(at, sent, bound, stamp);
        }
        let (val, ecr) = stamp;
        self.flights.push_back(Flight { at, sent, bound, val, ecr });
    }
    #[cold]
    fn put_where_no_room_is(
        &mut self,
        at: Instant,
        sent: Instant,
        bound: Bound,
        (val, ecr): (u32, u32),
    ) {
        self.flights.push_back(Flight { at, sent, bound, val, ecr });
    }
    /// The first one has arrived.
    #[inline]
    fn take(&mut self) -> Option<Flight> {
        self.flights.pop_front()
    }
}

impl Pairs {
    /// Is it of no use any more, and why?
    #[inline]
    pub(crate) const fn gave_up(&self) -> Option<&'static str> {
        self.gave_up
    }
    /// How many connections have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.lands.iter().map(|land| land.begun).sum()
    }
    /// A descriptor for a connection.
    pub(crate) fn socket(&mut self) -> Fd {
        let slot = self.conns.open();
        self.conns.fd(slot)
    }
    /// Is it one of those?
    #[inline]
    pub(crate) const fn has(fd: Fd) -> bool {
        fd.index >= conn::FIRST_FD
    }
    /// Somebody listens.
    pub(crate) fn listens(&mut self, host: HostId, port: u16, fd: Fd, kernel: &Kernel) {
        let is_it = |door: &Door| (door.host, door.port) == (host, port);
        let Some(number) = self.yard.doors.iter().position(is_it) else { return };
        let station = &mut self.yard.stations[usize::from(host.0)];
        let index = fd.index as usize;
        if Self::has(fd) || self.yard.doors[number].fd.is_some() {
            self.give_up("a listener that comes again");
            return;
        }
        station.doors.resize(station.doors.len().max(index + 1), None);
        station.doors[index] = Some(number as u32);
        let door = &mut self.yard.doors[number];
        door.fd = Some(fd);
        door.room = kernel.room();
    }
    /// When a segment arrives next at a host; and when a timer fires next there, or would have fired if
    /// it had not been stopped.
    #[inline]
    pub(crate) fn upcoming(&self, host: HostId) -> (Instant, Instant) {
        let station = &self.yard.stations[usize::from(host.0)];
        (station.arrival, station.timers.first())
    }
    /// Has a bucket come or gone, or does one wait anew, since this was asked last?
    #[inline]
    pub(crate) const fn has_touched_buckets(&mut self) -> bool {
        core::mem::replace(&mut self.yard.buckets_touched, false)
    }
    /// Whose readiness has changed on the host where something has just happened.
    #[inline]
    pub(crate) fn next_wake(&mut self) -> Option<(Fd, Ready)> {
        self.yard.wakes.pop_front()
    }
    /// What arrives next does.
    #[inline(never)]
    pub(crate) fn arrive<W: Watch>(&mut self, scene: &mut Scene<'_, W>) -> Result<u32, Errno> {
        let station = &mut self.yard.stations[usize::from(scene.ground.host.0)];
        let flight = match &mut station.lanes[..] {
            [lane] => lane.take(),
            // Among equals the lane that stands first.
            lanes => lanes.iter_mut().find(|lane| lane.first() == scene.now).and_then(Lane::take),
        };
        let Some(flight) = flight else { return Ok(0) };
        station.arrival = match &station.lanes[..] {
            [lane] => lane.first(),
            lanes => lanes.iter().map(Lane::first).min().unwrap_or(NEVER),
        };
        let Bound { slot, end, .. } = flight.bound;
        self.event(slot, Key::of(Act::Arrival).at(usize::from(end)), Some(&flight), scene)
    }
    /// The timer that is due fires.
    pub(crate) fn fire<W: Watch>(&mut self, scene: &mut Scene<'_, W>) -> Result<u32, Errno> {
        let host = scene.ground.host;
        let Self { yard, conns, .. } = self;
        let timers = &mut yard.stations[usize::from(host.0)].timers;
        let pending = |timer: &Timer| conns.at(timer.slot).ends[timer.end].delack == timer.number;
        let Some(Timer { slot, end, .. }) = timers.take(scene.now, pending) else { return Ok(0) };
        conns.at(slot).ends[end].delack = 0;
        self.happens(slot, Key::of(Act::Timer).at(end), scene)
    }
    /// accept(): the descriptor of whoever has waited longest, and for what it is ready.
    pub(crate) fn accept<W: Watch>(
        &mut self,
        listener: Fd,
        scene: &mut Scene<'_, W>,
    ) -> Result<(Fd, Ready), Errno> {
        if self.gave_up.is_some() {
            return Err(Errno::EAGAIN);
        }
        let doors = &self.yard.stations[usize::from(scene.ground.host.0)].doors;
        let door = doors.get(listener.index as usize).copied().flatten().ok_or(Errno::EBADF)?;
        let door = &mut self.yard.doors[door as usize];
        let slot = door.queue.pop_front().ok_or(Errno::EAGAIN)?;
        door.coming -= 1;
        self.conns.at(slot).accepted = true;
        let fd = self.conns.fd(slot);
        let ready = self.happens(slot, Key::of(Act::Accept).at(SERVER), scene)?;
        Ok((fd, Ready(ready as u16)))
    }
    /// Any other call.
    pub(crate) fn call<W: Watch>(
        &mut self,
        fd: Fd,
        what: Key,
        scene: &mut Scene<'_, W>,
    ) -> Result<u32, Errno> {
        let Some((slot, conn)) = self.conns.of(fd).filter(|(_, conn)| conn.live) else {
            return self.call_in_vain(fd, what);
        };
        let end = conn.end(scene.ground.host);
        self.happens(slot, what.at(end), scene)
    }
    /// The same where there is no connection.
    #[cold]
    fn call_in_vain(&mut self, fd: Fd, what: Key) -> Result<u32, Errno> {
        if self.gave_up.is_some() {
            return what.act().says_nothing();
        }
        let (slot, _) = self.conns.of(fd).ok_or(Errno::EBADF)?;
        // connect() has failed.
        self.conns.close(slot);
        Ok(0)
    }
    /// Something happens that is not known here.
    #[cold]
    pub(crate) fn give_up(&mut self, why: &'static str) {
        self.gave_up = self.gave_up.or(Some(why));
        self.conns.die();
    }
    /// A run is over: what was counted meanwhile is added up.
    pub(crate) fn settle(&mut self, now: Instant, hosts: &mut [Host]) {
        for edge in &mut self.graph.edges {
            let times = edge.taken - edge.counted;
            if times > 0 {
                edge.counted = edge.taken;
                let kernel = hosts[usize::from(edge.host.0)].kernel_mut();
                kernel.count_delta(&edge.effect.delta, times);
            }
        }
        let odd = self.conns.live().find_map(|conn| conn.oddity(now));
        self.gave_up = self.gave_up.or(odd);
    }
}
