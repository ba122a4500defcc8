//! One event of a connection: what is known of such events is looked up, or worked out, and done.

use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Fd, Kernel};
use finwait_model::time::{Instant, Span};
use finwait_model::track::Place;

use super::conn::{Conn, Side, UNANSWERED};
use super::event::{Act, Event, Key};
use super::graph::{ALONE, Edge, Graph};
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
        scene: &mut Scene<'_, W>,
    ) -> Result<u32, Errno> {
        if self.gave_up.is_some() {
            return Act::Connect.says_nothing();
        }
        let (slot, _) = self.conns.of(fd).ok_or(Errno::EBADF)?;
        let (now, host) = (scene.now, scene.ground.host);
        let ways = &self.yard.stations[usize::from(host.0)].ways;
        let found = ways.binary_search_by_key(&to, |way| way.0);
        let number = ways[found.map_err(|_| Errno::ECONNREFUSED)?].1;
        let way = &mut self.ways[number as usize];
        let land = &mut self.lands[way.land];
        let open = self.conns.open_now();
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
        self.conns.at(slot).begin(way, number, land, host, (flow, place), now);
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
        scene: &mut Scene<'_, W>,
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
        scene: &mut Scene<'_, W>,
    ) -> Result<u32, Errno> {
        let end = key.end();
        if self.conns.at(slot).heeds[end]
            && let Some(why) = self.heed(slot, end, scene)
        {
            self.give_up(why);
            return key.act().says_nothing();
        }
        let Self { lands, graph, conns, yard, .. } = self;
        let conn = conns.at(slot);
        // What arrives was on its way for a moment only.
        if flight.is_none()
            && let Some(why) = conn.too_old(scene.now)
        {
            self.give_up(why);
            return key.act().says_nothing();
        }
        conn.events.push(Event { at: scene.now, key });
        let matters = flight.map_or_else(|| key.sends(), |flight| flight.bound.payload);
        let key = if matters { conn.aged(key, scene.now, scene.ground.kernel) } else { key };
        let edge = match graph.plain(conn.node, key) {
            Some(edge) => edge,
            None => match look_up(conn, lands, graph, key, scene) {
                Ok(number) => graph.edge(number),
                Err(why) => {
                    self.give_up(why);
                    return key.act().says_nothing();
                }
            },
        };
        edge.taken += 1;
        conn.node = edge.to;
        if edge.is_quiet {
            return edge.effect.result;
        }
        let odd = yard.happen((conn, slot), end, edge, flight, scene);
        let (result, over) = (edge.effect.result, edge.effect.over);
        if over {
            self.end(slot);
        }
        if let Some(why) = odd {
            self.give_up(why);
        }
        result
    }
    /// Before anything happens to a connection at that end: says why it is not known what comes of it,
    /// if that is so.
    #[inline(never)]
    fn heed<W: Watch>(
        &mut self,
        slot: u32,
        end: usize,
        scene: &Scene<'_, W>,
    ) -> Option<&'static str> {
        let Self { lands, conns, yard, .. } = self;
        let conn = conns.at(slot);
        if end == CLIENT {
            let lost = conn.has_lost_bucket(scene.ground.kernel);
            return lost.then_some("a bucket that is gone before its connection");
        }
        let (land, door) = (&lands[conn.land as usize], &mut yard.doors[conn.door as usize]);
        let knocks = conn.knock(land, door, scene.now);
        (!knocks).then_some("nobody who listens, or a backlog that may be short")
    }
    /// Nothing is left of a connection but buckets.
    fn end(&mut self, slot: u32) {
        let conn = self.conns.at(slot);
        let port = conn.ends[CLIENT].flow.sport;
        self.ways[conn.way as usize].ports[usize::from(port >> 6)] &= !(1 << (port & 63));
        if !conn.accepted && conn.has_knocked() {
            self.yard.doors[conn.door as usize].coming -= 1;
        }
        self.conns.close(slot);
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
        self.node = if self.unusual { ALONE } else { land.beginning };
        (self.began, self.place, self.live) = (now, Some(place), true);
    }
    /// It comes to its listener. Is there room?
    fn knock(&mut self, land: &Land, door: &mut Door, now: Instant) -> bool {
        let side = &mut self.ends[SERVER];
        side.iss = land.numbering[SERVER].iss(side.flow, now);
        if is_near_zero(side.iss.0) {
            (self.unusual, self.node) = (true, ALONE);
        }
        self.heeds[SERVER] = false;
        door.coming += 1;
        door.fd.is_some() && 2 * door.coming <= door.room
    }
    /// What tells an event from others in which payload comes or leaves: for how many ticks none had come
    /// at that end. If that, or the time since some left, is very long, it is not like that of others.
    fn aged(&mut self, key: Key, now: Instant, kernel: &Kernel) -> Key {
        let Side { sent, received, .. } = self.ends[key.end()];
        let had_answer = !key.sends() || now.since(sent) <= UNANSWERED;
        let has_come = received != Instant::ZERO;
        if !had_answer || (has_come && now.since(received) > UNANSWERED) {
            self.node = ALONE;
        }
        let clock = kernel.clock();
        let ticks = || (clock.jiffies(now) - clock.jiffies(received)).0 as u16;
        key.aged(if has_come { ticks() } else { NEVER_CAME })
    }
}

/// Numbers so near to zero are worked out by themselves.
const fn is_near_zero(number: u32) -> bool {
    const NEAR: u32 = 1 << 16;
    number.wrapping_add(NEAR) <= 2 * NEAR
}

/// The number of the edge of the event that was noted last. Works it out if it is not known, or if it is
/// time to look whether it is still the same; or says why that cannot be done here.
#[inline(never)]
fn look_up<W: Watch>(
    conn: &mut Conn,
    lands: &mut [Land],
    graph: &mut Graph,
    key: Key,
    scene: &mut Scene<'_, W>,
) -> Result<u32, &'static str> {
    let room = scene.ground.kernel.bucket_room() > 0;
    let mut found = graph.find(conn.node, key);
    if !room && found.is_some_and(|edge| graph.edge(edge).makes_bucket) {
        found = graph.find(conn.node, key.refused());
        if found.is_some() {
            conn.is_refused();
        }
    }
    match found {
        None => learn(conn, lands, graph, key, scene),
        Some(number) if graph.edge(number).is_due() => check(conn, lands, graph, number),
        Some(number) => Ok(number),
    }
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
fn learn<W: Watch>(
    conn: &mut Conn,
    lands: &mut [Land],
    graph: &mut Graph,
    mut key: Key,
    scene: &mut Scene<'_, W>,
) -> Result<u32, &'static str> {
    let kernel = &mut *scene.ground.kernel;
    let land = &mut lands[conn.land as usize];
    let mut lesson = land.work_out(conn)?;
    if lesson.effect.makes_bucket() && kernel.bucket_room() == 0 {
        conn.is_refused();
        key = key.refused();
        lesson = land.work_out(conn)?;
    }
    let to = if conn.unusual { ALONE } else { graph.node(conn.land, lesson.name) };
    let edge = Edge::new(lesson.effect, scene.ground.host, to);
    if conn.node == ALONE || lesson.ambiguous {
        // Nobody will ask how often it was taken.
        kernel.count_delta(&edge.effect.delta, 1);
        return Ok(graph.keep_alone(edge));
    }
    Ok(graph.add(conn.node, key, edge))
}

/// Is it still what is known?
#[cold]
fn check(
    conn: &Conn,
    lands: &mut [Land],
    graph: &mut Graph,
    number: u32,
) -> Result<u32, &'static str> {
    let lesson = lands[conn.land as usize].work_out(conn)?;
    let to = graph.node(conn.land, lesson.name);
    let known = graph.edge(number);
    known.check_at *= CHECK_AGAIN;
    let mut effect = lesson.effect;
    if lesson.ambiguous {
        effect.takes_stamp = known.effect.takes_stamp;
    }
    if (&effect, to) != (&known.effect, known.to) {
        return Err("an effect that is another one");
    }
    Ok(number)
}
