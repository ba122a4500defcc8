//! A web server whose Lua code talks to a backend through a pool of connections, by the rules of
//! lua-nginx-module (OpenResty): connect() looks in the pool first; setkeepalive() puts the
//! connection back, and a full pool closes another one for it; a connection that becomes readable
//! in the pool is closed. And close() closes, even a connection that came out of the pool: one
//! piece of short-connection code is enough to empty it.

mod cache;
mod plan;
mod requests;
mod tally;

pub use plan::{Ending, Path, PoolPlan};
pub use tally::PoolTally;

use std::collections::{BTreeMap, VecDeque};

use finwait_model::errno::Errno;
use finwait_model::flow::Endpoint;
use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::{Instant, Span};

use super::later::{Delay, Later};
use super::web::{Front, WebTally};
use super::{AppCx, Got, Pace, Phase, Reason, Tally, Why};
use crate::latencies::Latencies;
use crate::rng::Stream;
use crate::watch::Watch;
use cache::Cache;
use requests::Request;

/// A web server at work.
#[derive(Debug)]
pub struct Pool {
    plan: PoolPlan,
    stream: Stream,
    tally: Tally,
    latencies: Latencies,
    connects: Latencies,
    pools_tally: PoolTally,
    /// Its clients, if requests come from some.
    front: Option<Front>,
    /// When the next request comes (open loop), or the first ones do (closed loop).
    next_open: Option<Instant>,
    thinking: Later,
    /// The pools that exist: by worker and key.
    pools: BTreeMap<(u32, u32), Cache>,
    /// What is known of each connection, by its descriptor.
    held: Vec<Option<Held>>,
    /// Requests that wait for a connection, by number, and until when the next ones may.
    waiting: BTreeMap<u64, Request>,
    waiting_until: VecDeque<(Instant, u64)>,
    /// Pools in which there may be room for who waits.
    roomy: VecDeque<(u32, u32)>,
    connecting: Later,
    reading: Later,
    idling: Later,
    holding: Vec<Later>,
    /// Users whose request failed and who try again a little later.
    retrying: Later,
    /// Users who ask again at once.
    free_users: u32,
}

/// A connection.
#[derive(Clone, Debug)]
struct Held {
    fd: Fd,
    pool: (u32, u32),
    /// Does the pool count it? Not before it has been in one, if there was none when it was made.
    counted: bool,
    born: Instant,
    /// Which of the application's connections it is.
    number: u32,
    /// Requests that it has carried.
    uses: u32,
    /// When what it waits for is given up.
    until: Instant,
    /// Has epoll told of the peer's close?
    eof: bool,
    /// The request that uses it.
    request: Option<Request>,
}

/// Stands for "a user without a request" in the queue of pauses.
const USER: Fd = Fd { index: u32::MAX, generation: u32::MAX };

impl Pool {
    /// A web server before its first request; `stream` is its own chance.
    pub fn new(plan: PoolPlan, stream: Stream) -> Self {
        let think = match plan.pace {
            Some(Pace::Open { .. }) | None => Delay::default(),
            Some(Pace::Closed { think, .. }) => think,
        };
        let comes_by_itself = plan.pace.is_some() && plan.count != Some(0);
        Self {
            thinking: Later::new(think),
            connecting: Later::new(Delay::always(plan.connect_timeout)),
            reading: Later::new(Delay::always(plan.read_timeout)),
            idling: Later::new(Delay::always(plan.idle)),
            holding: plan.paths.iter().map(|path| Later::new(path.hold)).collect(),
            retrying: Later::new(Delay::always(Span::millis(1))),
            free_users: 0,
            next_open: comes_by_itself.then_some(Instant::ZERO + plan.start),
            front: plan.front.clone().map(Front::new),
            tally: Tally::default(),
            latencies: Latencies::default(),
            connects: Latencies::default(),
            pools_tally: PoolTally::default(),
            pools: BTreeMap::new(),
            held: Vec::new(),
            waiting: BTreeMap::new(),
            waiting_until: VecDeque::new(),
            roomy: VecDeque::new(),
            stream,
            plan,
        }
    }
    /// What it counted of its connections.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }
    /// What it counted of its requests and pools.
    pub const fn pool_tally(&self) -> &PoolTally {
        &self.pools_tally
    }
    /// How long requests took, from asking for a connection to the last byte of the answer.
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }
    /// How long it waited for connections to stand.
    pub const fn connects(&self) -> &Latencies {
        &self.connects
    }
    /// What it counted of its clients, if it has some.
    pub fn web(&self) -> Option<&WebTally> {
        self.front.as_ref().map(Front::tally)
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &PoolPlan {
        &self.plan
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        let queues =
            [&self.thinking, &self.retrying, &self.connecting, &self.reading, &self.idling];
        let queues = queues.into_iter().chain(&self.holding).filter_map(Later::due);
        let waits = self.waiting_until.front().map(|w| w.0);
        let front = self.front.as_ref().and_then(Front::due);
        queues.chain(self.next_open).chain(waits).chain(front).min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if let Some(front) = &mut self.front {
            front.run(cx);
        }
        if self.next_open.is_some_and(|at| at <= cx.now) {
            self.open_due(cx);
        }
        while self.thinking.take(cx.now).or_else(|| self.retrying.take(cx.now)).is_some() {
            self.request(cx);
        }
        for path in 0..self.holding.len() {
            while let Some(fd) = self.holding[path].take(cx.now) {
                if self.is_due(fd, Phase::Holding, cx) {
                    self.end(fd, cx);
                }
            }
        }
        while let Some(fd) = self.connecting.take(cx.now) {
            if self.is_due(fd, Phase::Connecting, cx) {
                self.tally.not_connected += 1;
                self.fail(fd, "timeout", Reason::TimedOut, cx);
            }
        }
        while let Some(fd) = self.reading.take(cx.now) {
            if self.is_due(fd, Phase::Reading, cx) {
                self.tally.broken += 1;
                self.fail(fd, "timeout", Reason::TimedOut, cx);
            }
        }
        while let Some(fd) = self.idling.take(cx.now) {
            if self.is_due(fd, Phase::Pooled, cx) {
                self.close_idle(fd, Reason::PoolIdle, cx);
            }
        }
        self.give_up_waiting(cx);
        self.serve_waiting(cx);
    }
    /// Is a descriptor that comes out of a queue still in that phase, and not in it anew?
    fn is_due(&mut self, fd: Fd, phase: Phase, cx: &mut AppCx<'_, impl Watch>) -> bool {
        let now = cx.now;
        cx.conn(fd).is_some_and(|conn| conn.phase == phase)
            && self.held(fd).is_some_and(|held| held.until <= now)
    }
    fn held(&mut self, fd: Fd) -> Option<&mut Held> {
        self.held.get_mut(fd.index as usize)?.as_mut().filter(|held| held.fd == fd)
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        let Some(conn) = cx.conn(fd) else { return };
        let phase = conn.phase;
        if let Some(front) = &mut self.front
            && (phase == Phase::Listening || front.has(fd))
        {
            front.wake(fd, ready, cx);
            return self.serve_waiting(cx);
        }
        let gone = ready.has(Ready::RDHUP) || ready.has(Ready::HUP) || ready.has(Ready::ERR);
        if gone && let Some(held) = self.held(fd) {
            held.eof = true;
        }
        match phase {
            Phase::Connecting if ready.has(Ready::ERR) || ready.has(Ready::HUP) => {
                self.tally.not_connected += 1;
                self.fail(fd, "connect failed", Reason::Failed, cx);
            }
            Phase::Connecting if ready.has(Ready::OUT) => self.connected(fd, cx),
            Phase::Reading => self.read(fd, cx),
            Phase::Pooled if self.plan.watches => self.look(fd, cx),
            _ => {}
        }
        self.serve_waiting(cx);
    }
    /// An idle connection has become readable: a byte is tried, and if it is not simply nothing,
    /// the connection goes.
    fn look(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        if cx.recv_one(fd) != Err(Errno::EAGAIN) {
            self.close_idle(fd, Reason::PoolReadable, cx);
        }
    }
    /// setkeepalive().
    fn keep(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let now = cx.now;
        let response = self.plan.response;
        let unread = cx.conn(fd).is_some_and(|conn| conn.got > response);
        let Some(held) = self.held(fd) else { return };
        if held.eof && self.plan.watches {
            return self.not_kept(fd, "closed", Reason::Closed, cx);
        }
        if unread {
            return self.not_kept(fd, "unread data in buffer", Reason::UnreadInBuffer, cx);
        }
        if !self.plan.code_cache {
            return self.close(fd, Reason::PoolGone, cx);
        }
        let until = now + self.plan.idle;
        let Some(held) = self.held(fd) else { return };
        held.until = until;
        let (key, counted) = (held.pool, std::mem::replace(&mut held.counted, true));
        let (size, backlog) = (self.plan.size, self.plan.backlog);
        let pool = self.pools.entry(key).or_insert_with(|| Cache::new(size, backlog));
        let evicted = pool.park(fd, counted);
        cx.set_phase(fd, Phase::Pooled);
        self.pools_tally.kept += 1;
        self.pools_tally.idle += 1;
        if let Some(evicted) = evicted {
            self.pools_tally.idle -= 1;
            self.shut(evicted, Reason::PoolEviction, cx);
        }
        // What is readable already must not lie in a pool.
        let readable = self.plan.watches && cx.poll(fd).has(Ready::IN);
        if readable && cx.recv_one(fd) != Err(Errno::EAGAIN) {
            self.pools_tally.error("connection in dubious state");
            return self.close_idle(fd, Reason::PoolDubious, cx);
        }
        if self.plan.idle > Span::ZERO {
            self.idling.set(now, fd, &mut self.stream);
        }
        self.roomy.push_back(key);
    }
    /// setkeepalive() answers an error, and the connection goes with the request.
    fn not_kept(
        &mut self,
        fd: Fd,
        error: &'static str,
        reason: Reason,
        cx: &mut AppCx<'_, impl Watch>,
    ) {
        self.pools_tally.error(error);
        self.close(fd, reason, cx);
    }
    /// A connection that lies in the pool is closed there.
    fn close_idle(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        let Some(key) = self.held(fd).map(|held| held.pool) else { return };
        if let Some(pool) = self.pools.get_mut(&key) {
            pool.remove(fd);
        }
        self.pools_tally.idle -= 1;
        self.shut(fd, reason, cx);
        self.has_room(key);
    }
    /// A connection that a request uses is closed.
    fn close(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        let Some((key, counted)) = self.held(fd).map(|held| (held.pool, held.counted)) else {
            return;
        };
        self.shut(fd, reason, cx);
        if counted {
            if let Some(pool) = self.pools.get_mut(&key) {
                pool.forget();
            }
            self.has_room(key);
        }
    }
    /// A pool has lost a connection: it is freed if that was all that kept it.
    fn has_room(&mut self, key: (u32, u32)) {
        if self.pools.get(&key).is_some_and(Cache::is_over) {
            self.pools.remove(&key);
        } else {
            self.roomy.push_back(key);
        }
    }
    /// close() itself.
    fn shut(&mut self, fd: Fd, reason: Reason, cx: &mut AppCx<'_, impl Watch>) {
        let Some(held) = self.held.get_mut(fd.index as usize).and_then(Option::take) else {
            return;
        };
        let age = cx.now.since(held.born);
        cx.set_phase(fd, Phase::Fresh);
        // It is open, and set no linger time.
        let Held { uses, number, .. } = held;
        let _ = cx.close_because(fd, Why { reason, age, uses, number });
        self.tally.finished += 1;
        self.pools_tally.close(reason, age);
    }
    fn target(&self, index: usize) -> Endpoint {
        self.plan.targets[index]
    }
    /// Reads what is there for a request.
    fn read(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        if cx.send_rest(fd).is_err() {
            return self.broke(fd, cx);
        }
        let (bytes, eof) = match cx.read_all(fd) {
            Got::Bytes(bytes) => (bytes, false),
            Got::Eof(bytes) => (bytes, true),
            Got::Broken(_) => return self.broke(fd, cx),
        };
        let response = self.plan.response;
        let Some(conn) = cx.conn(fd) else { return };
        conn.got += bytes;
        let whole = conn.got >= response;
        if eof && let Some(held) = self.held(fd) {
            held.eof = true;
        }
        if whole {
            self.answered(fd, cx);
        } else if eof {
            self.tally.broken += 1;
            self.fail(fd, "closed", Reason::Closed, cx);
        }
    }
    fn broke(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        self.tally.broken += 1;
        self.fail(fd, "connection reset by peer", Reason::Failed, cx);
    }
}
