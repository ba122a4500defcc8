//! What a web server with pools of connections is meant to do.

use finwait_model::flow::Endpoint;
use finwait_model::time::Span;

use crate::app::{Delay, FrontPlan, Pace};

/// A web server whose workers talk to a backend through pools.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolPlan {
    /// To whom, in turn; not empty.
    pub targets: Vec<Endpoint>,
    /// Worker processes; each has pools of its own, and requests come to them in turn.
    pub workers: u32,
    /// When requests come; `None`: when its clients send them.
    pub pace: Option<Pace>,
    /// What its clients see, if it has some: OpenResty is an nginx.
    pub front: Option<FrontPlan>,
    /// When the first one comes.
    pub start: Span,
    /// How many at most.
    pub count: Option<u64>,
    /// The code that serves them; not empty.
    pub paths: Vec<Path>,
    /// Idle connections that a pool keeps.
    pub size: u32,
    /// How long one may lie idle; zero: for ever.
    pub idle: Span,
    /// How many connect operations may wait once a pool has `size` connections; `None`: there is
    /// no limit and nobody waits.
    pub backlog: Option<u32>,
    /// Do all targets share one pool (the `pool` option), instead of one for each host:port?
    pub shared: bool,
    /// Do idle connections lie under the eyes of epoll, so that a close by the peer is seen? Pools
    /// of blocking programs see it only when they use the connection.
    pub watches: bool,
    /// `lua_code_cache`: without it each request has a Lua VM of its own, and the pools with it.
    pub code_cache: bool,
    /// SO_KEEPALIVE, with that TCP_KEEPIDLE and TCP_KEEPINTVL in seconds.
    pub so_keepalive_s: Option<u32>,
    /// How long connect() may take, and how long a request waits in the backlog.
    pub connect_timeout: Span,
    /// How long an answer may take.
    pub read_timeout: Span,
    /// Bytes of a request.
    pub request: u32,
    /// Bytes of an answer.
    pub response: u32,
}

/// A piece of code that serves requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// How many of all shares go this way.
    pub share: u64,
    /// What it does with the connection in the end.
    pub ending: Ending,
    /// Questions that it asks, one after the other.
    pub commands: u32,
    /// How long it keeps the connection after the last answer.
    pub hold: Delay,
}

/// What becomes of a connection that a request is done with.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Ending {
    /// setkeepalive(): it goes into the pool.
    #[default]
    Keepalive,
    /// close().
    Close,
}
