//! One event of a connection: what is known of such events is looked up, or worked out, and done.

use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Fd, Kernel};
use finwait_model::time::{Instant, Span};
use finwait_model::track::Place;

use super::conn::{Conn, Side, UNANSWERED};
use super::event::{Act, Event, Key};
use super::graph::{ALONE, Edge, OWN};
use super::replay::{self, Lesson};
use super::{Door, Flight, Land, Pairs, Scene, Way};
use crate::digest;
use crate::follow::{CLIENT, SERVER};
use crate::watch::Watch;
use crate::world::HostId;

/// A known effect is worked out all the same when it has come once, and then whenever it has come so
/// many times as often.
const CHECK_AGAIN: u64 = 16;
/// Nothing had ever come.
const NEVER_CAME: u16 = u16::MAX;
/// A kernel that has been up for less may see a clock that still stands at zero, which means "never" in
/// many places.
const GROWN_UP: Span = Span::secs(10);
/// To work out an event costs as much as ten connections in full, so it must not be needed more often
/// than for one in so many …
const WORTH: u64 = 20;
/// … but for those with which everything begins.
const FREE_LESSONS: u64 = 1000;
/// A limit counts as far away when it is as many times what there is.
const MARGIN: u64 = 4;

impl Pairs {
    /// connect().
    pub(crate) fn connect<W: Watch>(
        &mut self,
        fd: Fd,
        to: Endpoint,
        scene: &mut Scene<'_, '_, W>,
    ) -> Result<u32, Errno> {
        if self.gave_up.is_some() {
            return Act::Connect.says_nothing();
        }
        let slot = self.yard.conns.slot(fd).ok_or(Errno::EBADF)?;
        let (now, host) = (scene.now, scene.ground.host);
        let ways = &self.yard.stations[usize::from(host.0)].ways;
        let found = ways.binary_search_by_key(&to, |way| way.0);
        let number = ways[found.map_err(|_| Errno::ECONNREFUSED)?].1;
        let way = &mut self.yard.ways[number as usize];
        let land = &mut self.lands[way.land];
        let open = self.yard.conns.open_now();
        if let Some(why) = oddity(land, open, scene.ground.kernel, now) {
            self.give_up(why);
            return Act::Connect.says_nothing();
        }
        let Some((flow, place)) = scene.ground.kernel.begin_following(to, now, |_| true)? else {
            return Err(Errno::EADDRNOTAVAIL);
        };
        let (word, bit) = (usize::from(flow.sport >> 6), 1 << (flow.sport & 63));
        let is_taken = way.ports[word] & bit != 0;
        way.ports[word] |= bit;
        self.yard.conns.at(slot).begin(way, number, land, host, (flow, place), now);
        land.begun += 1;
        if is_taken {
            self.give_up("ports whose last connection is not over");
        }
        self.happens(slot, Key::of(Act::Connect).at(CLIENT), scene)
    }

    /// Something happens to a connection, and it is no arrival. Says what a system call says.
    #[inline(never)]
    pub(super) fn happens<W: Watch>(
        &mut self,
        slot: u32,
        key: Key,
        scene: &mut Scene<'_, '_, W>,
    ) -> Result<u32, Errno> {
        self.event(slot, key, None, scene)
    }

    /// Anything happens; compiled for arrivals and for all else apart.
    #[inline(always)]
    pub(super) fn event<W: Watch>(
        &mut self,
        slot: u32,
        key: Key,
        flight: Option<&Flight>,
        scene: &mut Scene<'_, '_, W>,
    ) -> Result<u32, Errno> {
        let Self { lands, yard, .. } = self;
        let conn = yard.conns.at(slot);
        let land = &mut lands[conn.land as usize];
        // Both at once: one of them alone is as likely as not.
        if !conn.has_knocked & (key.end() == SERVER) {
            let door = &mut yard.doors[conn.door as usize];
            if !conn.knock(land, door, scene.now) {
                self.give_up("nobody who listens, or a backlog that may be short");
                return key.act().says_nothing();
            }
        }
        conn.events.push(Event { at: scene.now, key });
        let edge = match look_up(conn, land, key, flight, scene) {
            Ok(edge) => edge,
            Err(why) => {
                self.give_up(why);
                return key.act().says_nothing();
            }
        };
        let taken = land.graph.take(edge);
        conn.node = taken.to;
        let effect = &taken.effect;
        if edge == OWN {
            scene.ground.kernel.count_delta(&effect.delta, 1);
        }
        if taken.is_quiet {
            return effect.result;
        }
        let odd = yard.happen(slot, key.end(), taken, flight, scene);
        let (result, over) = (effect.result, effect.over);
        if over {
            self.end(slot);
        }
        if let Some(why) = odd {
            self.give_up(why);
        }
        result
    }
    /// Nothing is left of a connection but buckets.
    fn end(&mut self, slot: u32) {
        let conn = self.yard.conns.at(slot);
        let port = conn.ends[CLIENT].flow.sport;
        self.yard.ways[conn.way as usize].ports[usize::from(port >> 6)] &= !(1 << (port & 63));
        if !conn.accepted && conn.has_knocked {
            self.yard.doors[conn.door as usize].coming -= 1;
        }
        self.yard.conns.close(slot);
    }
}

/// Why nothing is known of a connection that begins now, if that is so.
fn oddity(land: &Land, open: u64, client: &Kernel, now: Instant) -> Option<&'static str> {
    if land.numbering.iter().any(|end| end.uptime(now) < GROWN_UP) {
        return Some("a host that has just booted");
    }
    if client.buckets_matter_to_others() {
        return Some("buckets that are used again");
    }
    (MARGIN * open >= land.orphans).then_some("a limit of orphans that is near")
}

impl Conn {
    /// It begins.
    fn begin(
        &mut self,
        way: &Way,
        number: u32,
        land: &Land,
        host: HostId,
        (flow, place): (FourTuple, Place),
        now: Instant,
    ) {
        (self.way, self.host) = (number, host);
        (self.door, self.land) = (way.door as u32, way.land as u32);
        self.node = land.beginning;
        for (end, flow) in [(CLIENT, flow), (SERVER, flow.reversed())] {
            let numbering = &land.numbering[end];
            self.unusual |= is_near_zero(numbering.timestamp(flow, now));
            let (toward, offset) = (way.lanes[end], numbering.offset(flow));
            let (sent, words) = (now, digest::ends(flow));
            self.ends[end] = Side { flow, words, toward, offset, sent, ..Side::default() };
        }
        let iss = land.numbering[CLIENT].iss(flow, now);
        self.ends[CLIENT].iss = iss;
        self.unusual |= is_near_zero(iss.0);
        (self.began, self.place, self.live) = (now, Some(place), true);
    }
    /// It comes to its listener. Is there room?
    #[inline]
    fn knock(&mut self, land: &Land, door: &mut Door, now: Instant) -> bool {
        let side = &mut self.ends[SERVER];
        side.iss = land.numbering[SERVER].iss(side.flow, now);
        self.unusual |= is_near_zero(side.iss.0);
        self.has_knocked = true;
        door.coming += 1;
        door.fd.is_some() && 2 * door.coming <= door.room
    }
}

/// Numbers so near to zero are worked out by themselves.
const fn is_near_zero(number: u32) -> bool {
    const NEAR: u32 = 1 << 16;
    number.wrapping_add(NEAR) <= 2 * NEAR
}

/// What the event that was noted last does: its edge. Works it out if it is not known; or says why that
/// cannot be done here.
#[inline(always)]
fn look_up<W: Watch>(
    conn: &mut Conn,
    land: &mut Land,
    key: Key,
    flight: Option<&Flight>,
    scene: &Scene<'_, '_, W>,
) -> Result<u32, &'static str> {
    if let Some(why) = conn.too_old(scene.now) {
        return Err(why);
    }
    let kernel = &*scene.ground.kernel;
    if conn.has_bucket & (key.end() == CLIENT) && conn.has_lost_bucket(kernel) {
        return Err("a bucket that is gone before its connection");
    }
    let payload = flight.is_some_and(|flight| flight.bound.payload);
    let matters = payload | key.sends();
    let (ticks, alike) = if matters { age(conn, key, scene.now, kernel) } else { (0, true) };
    let key = key.aged(ticks);
    if conn.unusual | !alike {
        conn.node = ALONE;
        return learn(conn, land, key, kernel);
    }
    let Some(mut edge) = land.graph.find(conn.node, key) else {
        return learn(conn, land, key, kernel);
    };
    let mut known = &land.graph.edges[edge as usize];
    if known.makes_bucket && kernel.bucket_room() == 0 {
        let Some(refused) = land.graph.find(conn.node, key.refused()) else {
            return learn(conn, land, key, kernel);
        };
        conn.is_refused();
        (edge, known) = (refused, &land.graph.edges[refused as usize]);
    }
    // Now and then it is time to look whether it is still the same.
    if known.taken == known.check_at { check(conn, land, edge) } else { Ok(edge) }
}

/// For how many ticks no payload had come at an end where some comes or leaves, and whether the event
/// is alike for others: not if that, or the time since some left, is very long.
fn age(conn: &Conn, key: Key, now: Instant, kernel: &Kernel) -> (u16, bool) {
    let Side { sent, received, .. } = conn.ends[key.end()];
    let had_answer = !key.sends() || now.since(sent) <= UNANSWERED;
    if received == Instant::ZERO {
        return (NEVER_CAME, had_answer);
    }
    let clock = kernel.clock();
    let ticks = (clock.jiffies(now) - clock.jiffies(received)).0 as u16;
    (ticks, had_answer && now.since(received) <= UNANSWERED)
}

impl Land {
    /// Works out the event that was noted last; or says why that is of no use.
    fn work_out(&mut self, conn: &Conn) -> Result<Lesson, &'static str> {
        self.lessons += 1;
        if self.lessons > FREE_LESSONS + self.begun / WORTH {
            return Err("too much that is new");
        }
        replay::learn(&self.ground, &conn.events, &conn.known())
    }
}

/// The event that was noted last is not known.
#[cold]
fn learn(
    conn: &mut Conn,
    land: &mut Land,
    mut key: Key,
    kernel: &Kernel,
) -> Result<u32, &'static str> {
    let mut lesson = land.work_out(conn)?;
    if lesson.effect.makes_bucket() && kernel.bucket_room() == 0 {
        conn.is_refused();
        key = key.refused();
        lesson = land.work_out(conn)?;
    }
    let to = if conn.unusual { ALONE } else { land.graph.node(lesson.name) };
    let edge = Edge::new(lesson.effect, key.end(), to);
    if conn.node == ALONE || lesson.ambiguous {
        return Ok(land.graph.keep_alone(edge));
    }
    Ok(land.graph.add(conn.node, key, edge))
}

/// Is it still what is known?
#[cold]
fn check(conn: &Conn, land: &mut Land, edge: u32) -> Result<u32, &'static str> {
    let lesson = land.work_out(conn)?;
    let to = land.graph.node(lesson.name);
    let known = &mut land.graph.edges[edge as usize];
    known.check_at *= CHECK_AGAIN;
    let mut effect = lesson.effect;
    if lesson.ambiguous {
        effect.takes_stamp = known.effect.takes_stamp;
    }
    if (&effect, to) != (&known.effect, known.to) {
        return Err("an effect that is another one");
    }
    Ok(edge)
}
