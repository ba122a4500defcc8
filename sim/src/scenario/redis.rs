//! `kind = "redis"`: single-threaded event loops, with the names that redis.conf gives to what
//! matters here.

use toml::Spanned;

use finwait_model::time::Span;

use super::build;
use super::error::Error;
use super::schema::{self, Redis, Written};
use crate::app::{MAX_CLIENTS, RedisPlan};

/// `tcp-backlog` as it comes.
const BACKLOG: u16 = 511;
/// What its clients ask unless the scenario says otherwise.
const COMMAND: &str = "get";

/// One event loop for each port. `slow_first` stays zero here: it is a matter of chance.
pub(super) fn redis(app: &Redis) -> Result<impl Iterator<Item = RedisPlan> + use<>, Error> {
    let schema::Ports(low, high) = *app.port.get_ref();
    let slow_every = match &app.slow_every {
        Some(every) => build::at_least_1ns(every, "distance between slow commands")?,
        None => Span::secs(1),
    };
    let plan = RedisPlan {
        port: low,
        backlog: i32::from(app.backlog.unwrap_or(BACKLOG)),
        request: app.request_bytes.unwrap_or(build::MESSAGE_BYTES),
        response: app.response_bytes.unwrap_or(build::MESSAGE_BYTES),
        service: app.service.map_or(Span::micros(20), |s| s.0),
        slow: app.slow.map_or(Span::ZERO, |s| s.0),
        slow_every,
        slow_first: Span::ZERO,
        timeout_s: seconds(app.timeout.as_ref(), "timeout", "30s")?,
        keepalive_s: seconds(app.tcp_keepalive.as_ref(), "tcp-keepalive", "300s")?,
        max_clients: max_clients(app.maxclients.as_ref())?,
        command: command(app.command.as_ref())?,
    };
    Ok((low..=high).map(move |port| RedisPlan { port, ..plan.clone() }))
}

/// What Redis has in whole seconds; 0 turns it off.
fn seconds(
    written: Option<&Spanned<Written<Span>>>,
    what: &str,
    example: &str,
) -> Result<u32, Error> {
    let Some(written) = written else { return Ok(0) };
    let ns = written.get_ref().0.ns;
    let whole = i32::try_from(ns / 1_000_000_000).ok().filter(|_| ns.is_multiple_of(1_000_000_000));
    whole.map(i32::unsigned_abs).ok_or_else(|| {
        let message = format!("Redis counts its {what} in whole seconds");
        Error::new(written.span(), message, format!("expected a time such as {example:?}"))
    })
}

fn max_clients(written: Option<&Spanned<u32>>) -> Result<u32, Error> {
    match written {
        Some(zero) if *zero.get_ref() == 0 => {
            let message = "a Redis without clients serves nobody".to_owned();
            Err(Error::new(zero.span(), message, "expected maxclients of at least 1".to_owned()))
        }
        Some(most) => Ok(*most.get_ref()),
        None => Ok(MAX_CLIENTS),
    }
}

/// The name of a command as Redis shows it: `get`, `client|list`.
fn command(written: Option<&Spanned<String>>) -> Result<String, Error> {
    let Some(written) = written else { return Ok(COMMAND.to_owned()) };
    let name = written.get_ref();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b"|-_".contains(&b)) {
        let message = format!("{name:?} is no command of Redis");
        let expected = "expected a name in small letters such as \"get\"".to_owned();
        return Err(Error::new(written.span(), message, expected));
    }
    Ok(name.clone())
}
