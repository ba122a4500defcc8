//! Requests: from where one comes to what it does with its connection in the end.

use finwait_model::errno::Errno;
use finwait_model::kernel::{Fd, SockOpt};
use finwait_model::time::{Instant, Span};

use super::cache::{Cache, Take};
use super::plan::Ending;
use super::{Held, Pool, USER};
use crate::app::web::{Front, Status};
use crate::app::{AppCx, Pace, Phase, Reason};
use crate::watch::Watch;

/// A request that is being served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    number: u64,
    /// Whose it is, if it came from a client.
    client: Option<Fd>,
    /// Which code serves it.
    path: usize,
    /// Whom it asks.
    target: usize,
    pool: (u32, u32),
    /// When it asked for a connection.
    began: Instant,
    /// Questions that it still asks, the current one included.
    left: u32,
    /// Did its connection come out of the pool?
    pooled: bool,
}

impl Pool {
    pub(super) fn open_due(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        match self.plan.pace {
            None => self.next_open = None,
            Some(Pace::Open { rate, scattered }) => {
                self.request(cx);
                let mut next =
                    Instant::ZERO + self.plan.start + rate.due(self.pools_tally.requests);
                if scattered {
                    next += Span::nanos(self.stream.below(rate.interval().ns));
                }
                self.next_open = self.may_come().then_some(next);
            }
            Some(Pace::Closed { workers, .. }) => {
                self.next_open = None;
                for _ in 0..workers {
                    self.request(cx);
                }
            }
        }
    }
    fn may_come(&self) -> bool {
        self.plan.count.is_none_or(|most| self.pools_tally.requests < most)
    }
    /// A request comes.
    pub(super) fn request(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        if !self.may_come() {
            return;
        }
        let worker = (self.pools_tally.requests % u64::from(self.plan.workers)) as u32;
        self.begin(worker, None, cx);
    }
    /// A client's request comes, to the worker that accepted its connection.
    fn request_of(&mut self, client: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let worker = self.front.as_ref().and_then(|front| front.worker_of(client));
        self.begin(worker.unwrap_or(0), Some(client), cx);
    }
    fn begin(&mut self, worker: u32, client: Option<Fd>, cx: &mut AppCx<'_, impl Watch>) {
        let number = self.pools_tally.requests;
        self.pools_tally.requests += 1;
        // Workers take the requests in turn, and each its targets.
        let target = (number / u64::from(self.plan.workers)) as usize % self.plan.targets.len();
        let path = self.draw_path();
        let left = self.plan.paths[path].commands;
        let pool = (worker, if self.plan.shared { 0 } else { target as u32 });
        let began = cx.now;
        self.ask(
            Request { number, client, path, target, pool, began, left, pooled: false },
            false,
            cx,
        );
    }
    fn draw_path(&mut self) -> usize {
        let all: u64 = self.plan.paths.iter().map(|path| path.share).sum();
        if self.plan.paths.len() == 1 {
            return 0;
        }
        let mut drawn = self.stream.below(all);
        for (index, path) in self.plan.paths.iter().enumerate() {
            match drawn.checked_sub(path.share) {
                Some(rest) => drawn = rest,
                None => return index,
            }
        }
        0
    }
    /// connect(): out of the pool, if there is one and it has one.
    fn ask(&mut self, mut request: Request, has_waited: bool, cx: &mut AppCx<'_, impl Watch>) {
        let (size, backlog) = (self.plan.size, self.plan.backlog);
        // With a backlog the pool is made here, and else by the first setkeepalive().
        if backlog.is_some() && self.plan.code_cache {
            self.pools.entry(request.pool).or_insert_with(|| Cache::new(size, backlog));
        }
        let Some(pool) = self.pools.get_mut(&request.pool) else {
            return self.connect(request, false, cx);
        };
        match pool.take(request.number, has_waited) {
            Take::Pooled(fd) => {
                self.pools_tally.hits += 1;
                self.pools_tally.idle -= 1;
                request.pooled = true;
                self.begin_use(fd, request, cx);
            }
            Take::Fresh => self.connect(request, true, cx),
            Take::Waits => {
                self.pools_tally.waited += 1;
                self.waiting.insert(request.number, request);
                let until = cx.now + self.plan.connect_timeout;
                self.waiting_until.push_back((until, request.number));
            }
            Take::TooMany => {
                self.pools_tally.error("too many waiting connect operations");
                self.over(request.client, false, cx);
            }
        }
    }
    fn connect(&mut self, request: Request, counted: bool, cx: &mut AppCx<'_, impl Watch>) {
        self.pools_tally.misses += 1;
        self.tally.started += 1;
        let fd = cx.socket(Phase::Connecting);
        let index = fd.index as usize;
        if index >= self.held.len() {
            self.held.resize(index + 1, None);
        }
        let (pool, born, until) = (request.pool, cx.now, cx.now + self.plan.connect_timeout);
        self.held[index] = Some(Held {
            fd,
            pool,
            counted,
            born,
            number: u32::try_from(self.tally.started).unwrap_or(u32::MAX),
            uses: 0,
            until,
            eof: false,
            request: Some(request),
        });
        if let Some(seconds) = self.plan.so_keepalive_s {
            let seconds = seconds as i32;
            let options =
                [SockOpt::KeepAlive(true), SockOpt::KeepIdle(seconds), SockOpt::KeepIntvl(seconds)];
            for option in options {
                // A value that the kernel does not take leaves its own in force, as in a program
                // that does not look at the result.
                let _ = cx.setsockopt(fd, option);
            }
        }
        match cx.connect(fd, self.target(request.target)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {
                self.connecting.set(cx.now, fd, &mut self.stream);
            }
            Err(error) => {
                let what = if error == Errno::EADDRNOTAVAIL {
                    self.tally.no_port += 1;
                    "cannot assign requested address"
                } else {
                    self.tally.not_connected += 1;
                    "connect failed"
                };
                self.fail(fd, what, Reason::Failed, cx);
            }
        }
    }
    pub(super) fn connected(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let now = cx.now;
        let Some(held) = self.held(fd) else { return };
        let (born, request) = (held.born, held.request);
        self.connects.record(now.since(born));
        if let Some(request) = request {
            self.begin_use(fd, request, cx);
        }
    }
    fn begin_use(&mut self, fd: Fd, request: Request, cx: &mut AppCx<'_, impl Watch>) {
        if let Some(held) = self.held(fd) {
            held.uses += 1;
        }
        self.use_connection(fd, request, cx);
    }
    /// Asks a question on a connection that stands.
    fn use_connection(&mut self, fd: Fd, request: Request, cx: &mut AppCx<'_, impl Watch>) {
        let until = cx.now + self.plan.read_timeout;
        let Some(held) = self.held(fd) else { return };
        held.request = Some(request);
        held.until = until;
        cx.set_phase(fd, Phase::Reading);
        if let Some(conn) = cx.conn(fd) {
            (conn.got, conn.left) = (0, 0);
        }
        if cx.send(fd, self.plan.request).is_err() {
            self.broke(fd, cx);
        } else if self.plan.response == 0 {
            self.answered(fd, cx);
        } else {
            self.reading.set(cx.now, fd, &mut self.stream);
            if !self.plan.watches {
                // A blocking program calls recv() at once, and learns now what epoll would have
                // told it before.
                self.read(fd, cx);
            }
        }
    }
    /// The whole answer is there.
    pub(super) fn answered(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let now = cx.now;
        let Some(held) = self.held(fd) else { return };
        let Some(request) = &mut held.request else { return };
        request.left -= 1;
        let request = *request;
        if request.left > 0 {
            return self.use_connection(fd, request, cx);
        }
        self.pools_tally.answered += 1;
        self.latencies.record(now.since(request.began));
        cx.set_phase(fd, Phase::Holding);
        if let Some(held) = self.held(fd) {
            held.until = now;
        }
        if self.holding[request.path].set(now, fd, &mut self.stream) {
            self.end(fd, cx);
        }
    }
    /// The request is done with its connection.
    pub(super) fn end(&mut self, fd: Fd, cx: &mut AppCx<'_, impl Watch>) {
        let Some(request) = self.held(fd).and_then(|held| held.request.take()) else { return };
        match self.plan.paths[request.path].ending {
            Ending::Keepalive => self.keep(fd, cx),
            Ending::Close => self.close(fd, Reason::ShortCode, cx),
        }
        self.over(request.client, true, cx);
    }
    /// The request fails, and its connection is closed.
    pub(super) fn fail(
        &mut self,
        fd: Fd,
        error: &'static str,
        reason: Reason,
        cx: &mut AppCx<'_, impl Watch>,
    ) {
        self.pools_tally.error(error);
        let request = self.held(fd).and_then(|held| held.request.take());
        if request.is_some_and(|request| request.pooled) {
            self.pools_tally.failed_pooled += 1;
        }
        self.close(fd, reason, cx);
        self.over(request.and_then(|request| request.client), false, cx);
    }
    /// A request is over, well or not: its client gets the answer, or the 502 that the code sends
    /// instead. Whoever had sent it sends another one after a pause. After a failure there is always
    /// one, or it might fail at once, and for ever.
    fn over(&mut self, client: Option<Fd>, well: bool, cx: &mut AppCx<'_, impl Watch>) {
        if let (Some(front), Some(client)) = (&mut self.front, client) {
            front.reply(client, if well { Status::Ok } else { Status::BadGateway }, cx);
        }
        if let Some(Pace::Closed { think, .. }) = self.plan.pace {
            match (well, think.is_none()) {
                (true, true) => self.free_users += 1,
                (true, false) => {
                    self.thinking.set(cx.now, USER, &mut self.stream);
                }
                (false, _) => {
                    self.retrying.set(cx.now, USER, &mut self.stream);
                }
            }
        }
    }
    /// Requests that have waited for a connection for too long.
    pub(super) fn give_up_waiting(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        while let Some(&(until, number)) = self.waiting_until.front()
            && until <= cx.now
        {
            self.waiting_until.pop_front();
            let Some(request) = self.waiting.remove(&number) else { continue };
            if let Some(pool) = self.pools.get_mut(&request.pool) {
                pool.gives_up(number);
            }
            self.pools_tally.error("timeout");
            self.over(request.client, false, cx);
        }
    }
    /// Lets those who wait have what has come free, and users who do not pause ask again.
    pub(super) fn serve_waiting(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        loop {
            if let Some(key) = self.roomy.pop_front() {
                let waiting = self.pools.get_mut(&key).and_then(Cache::next_waiting);
                if let Some(request) = waiting.and_then(|number| self.waiting.remove(&number)) {
                    self.ask(request, true, cx);
                }
            } else if let Some(client) = self.front.as_mut().and_then(Front::next_request) {
                self.request_of(client, cx);
            } else if self.free_users > 0 {
                self.free_users -= 1;
                self.request(cx);
            } else {
                return;
            }
        }
    }
}
