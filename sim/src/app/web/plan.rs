//! What a web server is meant to do, by nginx's directives.

use finwait_model::flow::Endpoint;
use finwait_model::time::Span;

use crate::app::Delay;

/// The side of a web server that clients see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrontPlan {
    /// `listen`: lowest and highest port.
    pub ports: (u16, u16),
    /// `listen … backlog=`.
    pub backlog: i32,
    /// `worker_processes`; connections come to them in turn.
    pub workers: u32,
    /// `keepalive_timeout`: how long a connection may lie idle between two requests; zero: none is
    /// kept.
    pub keepalive_timeout: Span,
    /// `keepalive_requests`: how many requests one connection carries.
    pub keepalive_requests: u32,
    /// `client_header_timeout`: how long a request may take to come.
    pub header_timeout: Span,
    /// `send_timeout`: how long the client may take nothing of an answer.
    pub send_timeout: Span,
    /// `lingering_close`.
    pub lingering: Lingering,
    /// `lingering_time`: how long it reads at most what still comes.
    pub lingering_time: Span,
    /// `lingering_timeout`: how long it waits at most for more.
    pub lingering_timeout: Span,
    /// Does a client that closes end its request (`proxy_ignore_client_abort off`)?
    pub sees_abort: bool,
    /// Do its clients send `Connection: close`?
    pub clients_close: bool,
    /// Bytes of a request.
    pub request: u32,
    /// Bytes of an answer.
    pub response: u32,
}

/// `lingering_close`: does it read what a client still sends before it closes?
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Lingering {
    /// Never.
    Off,
    /// If something has come that it has not read.
    #[default]
    On,
    /// Whatever has come.
    Always,
}

/// The side that asks others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamPlan {
    /// `upstream { server …; }`, asked in turn by each worker; not empty.
    pub targets: Vec<Endpoint>,
    /// `keepalive N`: idle connections that each worker keeps, to whichever server; 0 keeps none.
    pub keepalive: u32,
    /// `keepalive_timeout` of the upstream: how long one may lie idle.
    pub keepalive_timeout: Span,
    /// `keepalive_requests` of the upstream: how many requests one connection carries.
    pub keepalive_requests: u32,
    /// `keepalive_time`: an older one is not kept.
    pub keepalive_time: Span,
    /// `proxy_connect_timeout`.
    pub connect_timeout: Span,
    /// `proxy_read_timeout`.
    pub read_timeout: Span,
    /// Bytes of a request.
    pub request: u32,
    /// Bytes of an answer.
    pub response: u32,
    /// Which answer of a connection says `Connection: close`, if the server ever says so by itself.
    pub last_answer: Option<u32>,
}

/// An nginx.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NginxPlan {
    /// What its clients see.
    pub front: FrontPlan,
    /// Whom it asks; without one it answers by itself.
    pub upstream: Option<UpstreamPlan>,
    /// How long it works on a request before it answers or asks.
    pub service: Delay,
}
