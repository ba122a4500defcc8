//! Applications: what opens, serves and closes connections on a host.
//!
//! An application runs when something is due by its own clock ([`App::due`]) or when the kernel
//! wakes it for a descriptor. It acts through [`AppCx`], which keeps one small [`Conn`] per
//! descriptor in a table, so that a connection costs no allocation.

mod alarms;
mod call;
mod client;
mod held;
mod later;
mod load;
mod pool;
mod reason;
mod redis;
mod scripted;
mod server;
mod web;

pub use call::{Call, SysCall};
pub use client::{Client, ClientPlan, CloseHow, Pace};
pub use later::Delay;
pub use load::{Ab, AbPlan, Class, LoadTally, Target, Wrk, WrkPlan};
pub use pool::{Ending, Path, Pool, PoolPlan, PoolTally};
pub use reason::{Reason, Why};
pub(crate) use redis::MAX_CLIENTS;
pub use redis::{Redis, RedisPlan};
pub use scripted::{Line, Op, Outcome, Recv, ScriptPlan, ScriptTally, Scripted, Surprise, Wanted};
pub use server::{Restart, Served, Server, ServerPlan};
pub use web::{FrontPlan, Lingering, Nginx, NginxPlan, Status, UpstreamPlan, WebTally};

use finwait_model::errno::Errno;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Closed, Fd, How, Ready, SockOpt};
use finwait_model::sink::Cx;
use finwait_model::time::Instant;

use crate::follow::{AppTotal, Begun};
use crate::host::Tap;
use crate::latencies::Latencies;
use crate::pairs::{self, Pairs};
use crate::stack::Stack;
use crate::watch::Watch;

/// An application of a host: its place in the host's list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AppId(pub u16);

/// The kinds of application.
#[derive(Debug)]
pub enum App {
    /// Opens short connections.
    Client(Box<Client>),
    /// Answers them, each connection on its own.
    Server(Server),
    /// Answers them one after the other, in a single-threaded event loop.
    Redis(Redis),
    /// Requests of a web server's workers through their pools of connections.
    Pool(Box<Pool>),
    /// Asks on so many connections as fast as the answers come.
    Wrk(Box<Wrk>),
    /// Asks at a rate.
    Ab(Box<Ab>),
    /// A web server that proxies.
    Nginx(Box<Nginx>),
    /// A list of system calls.
    Scripted(Box<Scripted>),
}

/// Calls that all kinds of application answer.
macro_rules! each {
    ($self:ident, $app:ident => $call:expr) => {
        match $self {
            Self::Client($app) => $call,
            Self::Server($app) => $call,
            Self::Redis($app) => $call,
            Self::Pool($app) => $call,
            Self::Wrk($app) => $call,
            Self::Ab($app) => $call,
            Self::Nginx($app) => $call,
            Self::Scripted($app) => $call,
        }
    };
}

impl App {
    /// When it wants its turn next.
    #[inline]
    pub fn due(&self) -> Option<Instant> {
        each!(self, app => app.due())
    }
    /// It is due. Says when it wants its next turn.
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) -> Option<Instant> {
        each!(self, app => {
            app.run(cx);
            app.due()
        })
    }
    /// A descriptor of its own is ready. Says when it wants its next turn.
    pub(crate) fn wake(
        &mut self,
        fd: Fd,
        ready: Ready,
        cx: &mut AppCx<'_, impl Watch>,
    ) -> Option<Instant> {
        each!(self, app => {
            app.wake(fd, ready, cx);
            app.due()
        })
    }
    /// So many connections have followed a track.
    pub(crate) fn count(&mut self, total: &AppTotal, times: u64) {
        match self {
            Self::Client(app) => app.count(total, times),
            Self::Server(app) => app.count(total, times),
            _ => unreachable!("invariant: only clients and servers have followers"),
        }
    }
    /// Connections that it has opened and closed; 0 for servers.
    pub fn lifecycles(&self) -> u64 {
        self.tally().map_or(0, |tally| tally.finished)
    }
    /// What whoever connects counted; `None` for servers.
    pub fn tally(&self) -> Option<&Tally> {
        match self {
            Self::Client(app) => Some(app.tally()),
            Self::Pool(app) => Some(app.tally()),
            Self::Wrk(app) => Some(app.tally()),
            Self::Ab(app) => Some(app.tally()),
            Self::Nginx(app) => app.tally(),
            Self::Scripted(app) => Some(app.tally()),
            Self::Server(_) | Self::Redis(_) => None,
        }
    }
    /// What a server or a Redis counted; `None` for others.
    pub const fn served(&self) -> Option<&Served> {
        match self {
            Self::Server(app) => Some(app.tally()),
            Self::Redis(app) => Some(app.tally()),
            _ => None,
        }
    }
    /// What it counted of its pools.
    pub fn pool(&self) -> Option<&PoolTally> {
        match self {
            Self::Pool(app) => Some(app.pool_tally()),
            _ => None,
        }
    }
    /// What a load generator counted.
    pub const fn load(&self) -> Option<&LoadTally> {
        match self {
            Self::Wrk(app) => Some(app.load()),
            Self::Ab(app) => Some(app.load()),
            _ => None,
        }
    }
    /// What a web server counted of its clients.
    pub fn web(&self) -> Option<WebTally> {
        match self {
            Self::Nginx(app) => Some(app.web()),
            Self::Pool(app) => app.web().cloned(),
            _ => None,
        }
    }
    /// What a script counted.
    pub fn script(&self) -> Option<&ScriptTally> {
        match self {
            Self::Scripted(app) => Some(app.script()),
            _ => None,
        }
    }
    /// How long whoever asks waited for answers; `None` for servers.
    pub fn latencies(&self) -> Option<&Latencies> {
        match self {
            Self::Client(app) => Some(app.latencies()),
            Self::Pool(app) => Some(app.latencies()),
            Self::Wrk(app) => Some(app.latencies()),
            Self::Ab(app) => Some(app.latencies()),
            Self::Nginx(app) => app.latencies(),
            Self::Scripted(app) => Some(app.latencies()),
            Self::Server(_) | Self::Redis(_) => None,
        }
    }
    /// How long whoever connects waited for connections to stand; `None` for servers.
    pub fn connects(&self) -> Option<&Latencies> {
        match self {
            Self::Client(app) => Some(app.connects()),
            Self::Pool(app) => Some(app.connects()),
            Self::Wrk(app) => Some(app.connects()),
            Self::Ab(app) => Some(app.connects()),
            Self::Nginx(app) => app.connects(),
            Self::Scripted(app) => Some(app.connects()),
            Self::Server(_) | Self::Redis(_) => None,
        }
    }
}

/// What a client counted of its own connections.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// connect() was called.
    pub started: u64,
    /// Done: closed after everything that was planned, or given up.
    pub finished: u64,
    /// connect() found no free port (EADDRNOTAVAIL).
    pub no_port: u64,
    /// The connection was refused or timed out before it stood.
    pub not_connected: u64,
    /// It was reset or timed out while it stood.
    pub broken: u64,
}

impl Tally {
    /// Adds another client's numbers.
    pub const fn add(&mut self, other: &Self) {
        self.add_times(other, 1);
    }
    /// The same so many times.
    pub(crate) const fn add_times(&mut self, other: &Self, times: u64) {
        self.started += other.started * times;
        self.finished += other.finished * times;
        self.no_port += other.no_port * times;
        self.not_connected += other.not_connected * times;
        self.broken += other.broken * times;
    }
}

/// What an application is doing with a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Phase {
    /// Nothing yet.
    #[default]
    Fresh,
    /// It listens.
    Listening,
    /// The SYN is out.
    Connecting,
    /// It waits for bytes.
    Reading,
    /// It has all bytes and thinks about the answer.
    Thinking,
    /// The answer is out, or is going out.
    Answered,
    /// The client has what it wanted and closes soon.
    Holding,
    /// Shut for writing; waits for the peer's end of file.
    HalfClosed,
    /// The peer has closed; closes soon.
    Leaving,
    /// It has said a last word after the peer's close; closes soon.
    Parting,
    /// close() lingers.
    Lingering,
    /// It lies in a pool.
    Pooled,
}

/// What the engine keeps of a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Conn {
    generation: u32,
    app: AppId,
    /// What its application does with it.
    pub phase: Phase,
    /// When its application got it, or when a server that cares heard of it last.
    pub since: Instant,
    /// Bytes read so far of the message that is awaited.
    pub got: u32,
    /// Bytes still to be sent of the current message.
    pub left: u32,
    /// Has the peer's end of file been read?
    pub eof: bool,
    /// Does it stand in an event loop's queue?
    pub queued: bool,
}

/// Who owns which descriptor; indexed by the descriptor, so nothing is allocated per connection.
#[derive(Clone, Default, Debug)]
pub struct Conns {
    table: Vec<Conn>,
}

impl Conns {
    /// The entry of a descriptor, unless it is stale.
    #[inline]
    pub fn get(&self, fd: Fd) -> Option<&Conn> {
        let conn = self.table.get(fd.index as usize)?;
        (conn.generation == fd.generation).then_some(conn)
    }
    #[inline]
    fn get_mut(&mut self, fd: Fd) -> Option<&mut Conn> {
        let conn = self.table.get_mut(fd.index as usize)?;
        (conn.generation == fd.generation).then_some(conn)
    }
    /// The application that a descriptor belongs to.
    #[inline]
    pub fn owner(&self, fd: Fd) -> Option<AppId> {
        self.get(fd).map(|c| c.app)
    }
    /// The open descriptors of an application, in the order in which a process that ends closes
    /// them.
    fn open_of(&self, app: AppId) -> Vec<Fd> {
        let mine = |(index, conn): (usize, &Conn)| {
            let open = conn.app == app && !matches!(conn.phase, Phase::Fresh | Phase::Lingering);
            open.then_some(Fd { index: index as u32, generation: conn.generation })
        };
        self.table.iter().enumerate().filter_map(mine).collect()
    }
    fn adopt(&mut self, fd: Fd, app: AppId, phase: Phase, now: Instant) {
        let conn = Conn {
            generation: fd.generation,
            app,
            phase,
            since: now,
            got: 0,
            left: 0,
            eof: false,
            queued: false,
        };
        let index = fd.index as usize;
        if index >= self.table.len() {
            self.table.resize(index + 1, Conn { generation: u32::MAX, ..conn });
        }
        self.table[index] = conn;
    }
}

/// What an application acts through: the host's system calls at one instant.
#[derive(Debug)]
pub struct AppCx<'a, W> {
    /// The time.
    pub now: Instant,
    app: AppId,
    stack: &'a mut Stack,
    conns: &'a mut Conns,
    tap: Tap<'a, W>,
}

/// What came of reading everything that was there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Got {
    /// So many bytes (perhaps 0), and more may come.
    Bytes(u32),
    /// So many bytes and then the end of file.
    Eof(u32),
    /// The connection broke.
    Broken(Errno),
}

impl<'a, W: Watch> AppCx<'a, W> {
    pub(crate) const fn new(
        now: Instant,
        app: AppId,
        stack: &'a mut Stack,
        conns: &'a mut Conns,
        tap: Tap<'a, W>,
    ) -> Self {
        Self { now, app, stack, conns, tap }
    }
    /// The application's entry for a descriptor of its own; `None` if it is stale.
    pub(crate) fn conn(&mut self, fd: Fd) -> Option<&mut Conn> {
        self.conns.get_mut(fd)
    }
    pub(crate) fn set_phase(&mut self, fd: Fd, phase: Phase) {
        if let Some(conn) = self.conns.get_mut(fd) {
            conn.phase = phase;
        }
    }
    /// Shows a system call to whoever watches, with the connection as it stands behind it.
    #[inline(always)]
    fn show(&mut self, fd: Fd, what: SysCall, result: Result<u32, Errno>) {
        let flow = || self.stack.flow(fd).unwrap_or_default();
        self.tap.called(|| Call { app: self.app, fd: fd.index, flow: flow(), what, result });
    }
    /// The same for a call behind which the descriptor may be gone.
    #[inline(always)]
    fn show_as(&mut self, fd: Fd, flow: FourTuple, what: SysCall, result: Result<u32, Errno>) {
        self.tap.called(|| Call { app: self.app, fd: fd.index, flow, what, result });
    }
    pub(crate) fn socket(&mut self, phase: Phase) -> Fd {
        let pairs = self.tap.pairs().filter(|_| phase != Phase::Listening);
        let fd = pairs.map_or_else(|| self.stack.socket(), Pairs::socket);
        self.conns.adopt(fd, self.app, phase, self.now);
        self.show(fd, SysCall::Socket, Ok(fd.index));
        fd
    }
    /// A listener on every address of the host. If it cannot be, nothing of it stays.
    pub(crate) fn listen(
        &mut self,
        local: Endpoint,
        backlog: i32,
        reuse_addr: bool,
    ) -> Result<Fd, Errno> {
        let fd = self.socket(Phase::Listening);
        let listens = self.try_listen(fd, local, backlog, reuse_addr);
        if listens.is_err() {
            self.set_phase(fd, Phase::Fresh);
            // Nothing is connected, so close() can only work.
            let _ = self.close(fd);
        }
        listens.map(|()| fd)
    }
    fn try_listen(
        &mut self,
        fd: Fd,
        local: Endpoint,
        backlog: i32,
        reuse_addr: bool,
    ) -> Result<(), Errno> {
        if reuse_addr {
            self.setsockopt(fd, SockOpt::ReuseAddr(true))?;
        }
        self.bind(fd, local)?;
        let listens =
            self.stack.listen(fd, backlog, &mut Cx { now: self.now, sink: &mut self.tap });
        self.show(fd, SysCall::Listen(backlog), listens.map(|()| 0));
        let host = self.tap.host();
        if listens.is_ok()
            && let Some(pairs) = self.tap.pairs()
        {
            pairs.listens(host, local.port, fd, self.stack.kernel());
        }
        listens
    }
    /// A system call on a connection of which it is known how it goes on; `None` if it is none.
    #[inline(always)]
    fn pair(&mut self, fd: Fd, act: pairs::Act) -> Option<Result<u32, Errno>> {
        if !Pairs::has(fd) || self.tap.pairs().is_none() {
            return None;
        }
        let (kernel, what) = (self.stack.kernel_mut(), pairs::Key::of(act));
        Some(self.tap.on_pairs(kernel, |pairs, scene| pairs.call(fd, what, scene)))
    }
    pub(crate) fn bind(&mut self, fd: Fd, local: Endpoint) -> Result<(), Errno> {
        let bound = self.stack.bind(fd, local);
        self.show(fd, SysCall::Bind(local), bound.map(|()| 0));
        bound
    }
    /// The application's listeners.
    pub(crate) fn listeners(&self) -> Vec<Fd> {
        let all = self.conns.open_of(self.app).into_iter();
        all.filter(|fd| self.conns.get(*fd).is_some_and(|c| c.phase == Phase::Listening)).collect()
    }
    /// The process ends: the kernel closes its descriptors one after the other, and nobody waits
    /// for a lingering close().
    pub(crate) fn exit(&mut self) {
        for fd in self.conns.open_of(self.app) {
            self.set_phase(fd, Phase::Fresh);
            // It is open, so close() can only work.
            let _ = self.close_because(fd, Why::plain(Reason::Exit));
        }
    }
    /// accept(), and for what the new descriptor is ready.
    pub(crate) fn accept_ready(&mut self, listener: Fd) -> Result<(Fd, Ready), Errno> {
        if self.tap.pairs().is_some() {
            let kernel = self.stack.kernel_mut();
            let (fd, ready) =
                self.tap.on_pairs(kernel, |pairs, scene| pairs.accept(listener, scene))?;
            self.conns.adopt(fd, self.app, Phase::Reading, self.now);
            return Ok((fd, ready));
        }
        let fd = self.accept(listener)?;
        Ok((fd, self.poll(fd)))
    }
    pub(crate) fn accept(&mut self, listener: Fd) -> Result<Fd, Errno> {
        let mut cx = Cx { now: self.now, sink: &mut self.tap };
        let answer = self.stack.accept(listener, &mut cx);
        let flow = || self.stack.flow(answer.unwrap_or(listener)).unwrap_or_default();
        self.tap.called(|| Call {
            app: self.app,
            fd: listener.index,
            flow: flow(),
            what: SysCall::Accept,
            result: answer.map(|fd| fd.index),
        });
        let fd = answer?;
        self.conns.adopt(fd, self.app, Phase::Reading, self.now);
        Ok(fd)
    }
    /// socket() and connect() of a connection that may follow a track, towards that one of the
    /// application's targets; `None` if it must be worked out in full.
    #[inline]
    pub(crate) fn follow(&mut self, target: usize, to: Endpoint) -> Option<Begun> {
        let Stack::Linux(kernel) = self.stack else { return None };
        self.tap.follow(self.app, target, to, kernel)
    }
    pub(crate) fn connect(&mut self, fd: Fd, to: Endpoint) -> Result<(), Errno> {
        if self.tap.pairs().is_some() {
            let kernel = self.stack.kernel_mut();
            let answer = self.tap.on_pairs(kernel, |pairs, scene| pairs.connect(fd, to, scene));
            return answer.map(|_| ());
        }
        let answer = self.stack.connect(fd, to, &mut Cx { now: self.now, sink: &mut self.tap });
        self.show(fd, SysCall::Connect(to), answer.map(|()| 0));
        answer
    }
    pub(crate) fn setsockopt(&mut self, fd: Fd, opt: SockOpt) -> Result<(), Errno> {
        let mut cx = Cx { now: self.now, sink: &mut self.tap };
        let answer = self.stack.setsockopt(fd, opt, &mut cx);
        self.show(fd, SysCall::SetSockOpt(opt), answer.map(|()| 0));
        answer
    }
    pub(crate) fn shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno> {
        let flow = self.flow_if_watched(fd);
        let answer = self.stack.shutdown(fd, how, &mut Cx { now: self.now, sink: &mut self.tap });
        self.show_as(fd, flow, SysCall::Shutdown(how), answer.map(|()| 0));
        answer
    }
    pub(crate) fn close(&mut self, fd: Fd) -> Result<Closed, Errno> {
        self.close_because(fd, Why::default())
    }
    pub(crate) fn close_because(&mut self, fd: Fd, why: Why) -> Result<Closed, Errno> {
        if let Some(answer) = self.pair(fd, pairs::Act::Close) {
            return answer.map(|_| Closed::Now);
        }
        let flow = self.flow_if_watched(fd);
        let answer = self.stack.close(fd, &mut Cx { now: self.now, sink: &mut self.tap });
        let lingers = answer == Ok(Closed::Lingers);
        self.show_as(fd, flow, SysCall::Close { lingers, why }, answer.map(|_| 0));
        answer
    }
    /// recv() into a buffer of one byte.
    pub(crate) fn recv_one(&mut self, fd: Fd) -> Result<u32, Errno> {
        self.recv(fd, 1)
    }
    pub(crate) fn recv(&mut self, fd: Fd, bytes: u32) -> Result<u32, Errno> {
        let answer = self.stack.recv(fd, bytes, &mut Cx { now: self.now, sink: &mut self.tap });
        self.show(fd, SysCall::Recv(bytes), answer);
        answer
    }
    /// The connection of a descriptor, if anybody wants to know.
    #[inline(always)]
    fn flow_if_watched(&self, fd: Fd) -> FourTuple {
        let flow = self.tap.wants_calls().then(|| self.stack.flow(fd).unwrap_or_default());
        flow.unwrap_or_default()
    }
    pub(crate) fn poll(&mut self, fd: Fd) -> Ready {
        self.stack.poll(fd).unwrap_or_default()
    }
    /// Begins to send a message; what does not fit goes with [`AppCx::send_rest`].
    pub(crate) fn send(&mut self, fd: Fd, bytes: u32) -> Result<(), Errno> {
        if let Some(conn) = self.conns.get_mut(fd) {
            conn.left += bytes;
        }
        self.send_rest(fd)
    }
    /// Sends what is left of the current message, as far as it fits.
    #[inline]
    pub(crate) fn send_rest(&mut self, fd: Fd) -> Result<(), Errno> {
        match self.conns.get_mut(fd).ok_or(Errno::EBADF)?.left {
            0 => Ok(()),
            left => self.send_left(fd, left),
        }
    }
    fn send_left(&mut self, fd: Fd, mut left: u32) -> Result<(), Errno> {
        while left > 0 {
            match self.send_once(fd, left) {
                Ok(taken) => {
                    left -= taken.min(left);
                    if let Some(conn) = self.conns.get_mut(fd) {
                        conn.left = left;
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
    #[inline(never)]
    fn send_once(&mut self, fd: Fd, bytes: u32) -> Result<u32, Errno> {
        if let Some(answer) = self.pair(fd, pairs::Act::Send(bytes)) {
            return answer;
        }
        let mut cx = Cx { now: self.now, sink: &mut self.tap };
        let answer = self.stack.send(fd, bytes, false, &mut cx);
        self.show(fd, SysCall::Send(bytes), answer);
        answer
    }
    /// Reads until nothing is there.
    pub(crate) fn read_all(&mut self, fd: Fd) -> Got {
        if let Some(answer) = self.pair(fd, pairs::Act::ReadAll(16 * 1024)) {
            return match answer {
                Ok(bytes) if bytes & pairs::EOF != 0 => Got::Eof(bytes & !pairs::EOF),
                Ok(bytes) => Got::Bytes(bytes),
                Err(error) => Got::Broken(error),
            };
        }
        let mut bytes = 0;
        loop {
            match self.recv(fd, 16 * 1024) {
                Ok(0) => return Got::Eof(bytes),
                Ok(n) => bytes += n,
                Err(Errno::EAGAIN) => return Got::Bytes(bytes),
                Err(error) => return Got::Broken(error),
            }
        }
    }
}
