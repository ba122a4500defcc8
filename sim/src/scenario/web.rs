//! `kind = "nginx"`, and what clients see of an `openresty`: nginx's directives and their defaults.

use toml::Spanned;

use finwait_model::time::Span;

use super::error::Error;
use super::pool::count;
use super::schema::{self, Written};
use super::{Scenario, build};
use crate::app::{Delay, FrontPlan, NginxPlan, UpstreamPlan};

/// `keepalive_requests`, of clients and of upstreams.
const REQUESTS: u32 = 1000;
/// `client_header_timeout`, `send_timeout`, `proxy_connect_timeout`, `proxy_read_timeout` and the
/// upstream's `keepalive_timeout`.
const TIMEOUT: Span = Span::secs(60);

pub(super) fn nginx(app: &schema::Nginx, scenario: &Scenario) -> Result<NginxPlan, Error> {
    let upstream = match &app.upstream {
        Some(written) => Some(upstream(written.get_ref(), scenario)?),
        None => None,
    };
    let workers = count(app.workers.as_ref(), 1, "workers")?;
    let sees_abort = app.upstream.as_ref().is_some_and(|up| !up.get_ref().ignore_client_abort);
    Ok(NginxPlan {
        front: front(app.listen.get_ref(), workers, sees_abort)?,
        upstream,
        service: app.service.map_or_else(Delay::default, |service| service.0),
    })
}

/// What clients see; `sees_abort`: does one that closes end its request?
pub(super) fn front(
    app: &schema::Listen,
    workers: u32,
    sees_abort: bool,
) -> Result<FrontPlan, Error> {
    let schema::Ports(low, high) = *app.port.get_ref();
    let or = |written: Option<Written<Span>>, usual: Span| written.map_or(usual, |w| w.0);
    Ok(FrontPlan {
        ports: (low, high),
        backlog: i32::from(app.backlog.unwrap_or(511)),
        workers,
        keepalive_timeout: or(app.keepalive_timeout, Span::secs(75)),
        keepalive_requests: count(app.keepalive_requests.as_ref(), REQUESTS, "requests")?,
        header_timeout: timeout(app.client_header_timeout.as_ref(), TIMEOUT)?,
        send_timeout: timeout(app.send_timeout.as_ref(), TIMEOUT)?,
        lingering: app.lingering_close.map_or_else(Default::default, |lingering| lingering.0),
        lingering_time: or(app.lingering_time, Span::secs(30)),
        lingering_timeout: timeout(app.lingering_timeout.as_ref(), Span::secs(5))?,
        sees_abort,
        clients_close: false,
        request: message(app.request_bytes.as_ref(), "request")?,
        response: message(app.response_bytes.as_ref(), "answer")?,
    })
}

fn upstream(up: &schema::Upstream, scenario: &Scenario) -> Result<UpstreamPlan, Error> {
    Ok(UpstreamPlan {
        targets: build::targets(&up.to, scenario)?,
        keepalive: up.keepalive,
        keepalive_timeout: timeout(up.keepalive_timeout.as_ref(), TIMEOUT)?,
        keepalive_requests: count(up.keepalive_requests.as_ref(), REQUESTS, "requests")?,
        keepalive_time: up.keepalive_time.map_or(Span::secs(3600), |time| time.0),
        connect_timeout: timeout(up.connect_timeout.as_ref(), TIMEOUT)?,
        read_timeout: timeout(up.read_timeout.as_ref(), TIMEOUT)?,
        request: build::MESSAGE_BYTES,
        response: build::MESSAGE_BYTES,
        last_answer: None,
    })
}

fn timeout(written: Option<&Spanned<Written<Span>>>, usual: Span) -> Result<Span, Error> {
    written.map_or(Ok(usual), |written| build::at_least_1ns(written, "timeout"))
}

/// A message of HTTP has at least a byte.
fn message(written: Option<&Spanned<u32>>, what: &str) -> Result<u32, Error> {
    let Some(written) = written else { return Ok(build::MESSAGE_BYTES) };
    if *written.get_ref() == 0 {
        let message =
            format!("an {what} without a byte is none").replace("an request", "a request");
        return Err(Error::new(written.span(), message, "expected at least 1".to_owned()));
    }
    Ok(*written.get_ref())
}
