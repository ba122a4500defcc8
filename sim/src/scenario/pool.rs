//! `kind = "openresty"`: a web server with pools of connections.

use core::ops::Range;

use toml::Spanned;

use finwait_model::time::Span;

use super::error::Error;
use super::schema::{self, OpenResty, Share};
use super::{Scenario, build, web};
use crate::app::{Delay, Ending, Pace, Path, PoolPlan};
use crate::rng::Ratio;

/// `lua_socket_pool_size` as it comes.
const POOL_SIZE: u32 = 30;
/// `lua_socket_keepalive_timeout`, `lua_socket_connect_timeout` and `lua_socket_read_timeout` as
/// they come.
const TIMEOUT: Span = Span::secs(60);
/// The most connections, workers, shares and so on that may be asked for.
const MOST: u32 = 1_000_000;

pub(super) fn pool(
    app: OpenResty,
    span: &Range<usize>,
    scenario: &Scenario,
) -> Result<PoolPlan, Error> {
    let workers = count(app.workers.as_ref(), 1, "workers")?;
    // `lua_check_client_abort` is off, as it comes: the code goes on when its client is gone.
    let listens = |listen: &Spanned<schema::Listen>| web::front(listen.get_ref(), workers, false);
    Ok(PoolPlan {
        targets: build::targets(&app.to, scenario)?,
        workers,
        pace: pace(&app, span)?,
        front: app.listen.as_ref().map(listens).transpose()?,
        start: app.start.map_or(Span::ZERO, |s| s.0),
        count: app.count,
        paths: paths(app.paths.as_ref())?,
        size: count(app.pool_size.as_ref(), POOL_SIZE, "connections in a pool")?,
        idle: app.keepalive.map_or(TIMEOUT, |k| k.0),
        backlog: app.backlog,
        shared: app.one_pool,
        watches: app.watches,
        code_cache: app.code_cache,
        so_keepalive_s: so_keepalive_s(app.so_keepalive.as_ref())?,
        connect_timeout: timeout(app.connect_timeout.as_ref(), "connect timeout")?,
        read_timeout: timeout(app.read_timeout.as_ref(), "read timeout")?,
        request: app.request_bytes.unwrap_or(build::MESSAGE_BYTES),
        response: match &app.response_bytes {
            Some(bytes) if *bytes.get_ref() == 0 => {
                let message = "a request without an answer is over at once".to_owned();
                return Err(Error::new(bytes.span(), message, "expected at least 1".to_owned()));
            }
            Some(bytes) => *bytes.get_ref(),
            None => build::MESSAGE_BYTES,
        },
    })
}

pub(super) fn count(written: Option<&Spanned<u32>>, usual: u32, what: &str) -> Result<u32, Error> {
    let Some(written) = written else { return Ok(usual) };
    if !(1..=MOST).contains(written.get_ref()) {
        let message = format!("{} {what}", written.get_ref());
        return Err(Error::new(written.span(), message, format!("expected 1 to {MOST}")));
    }
    Ok(*written.get_ref())
}

fn timeout(written: Option<&Spanned<schema::Written<Span>>>, what: &str) -> Result<Span, Error> {
    written.map_or(Ok(TIMEOUT), |written| build::at_least_1ns(written, what))
}

/// TCP_KEEPIDLE and TCP_KEEPINTVL are whole seconds up to 32767.
fn so_keepalive_s(written: Option<&Spanned<schema::Written<Span>>>) -> Result<Option<u32>, Error> {
    const SECOND_NS: u64 = 1_000_000_000;
    let Some(written) = written else { return Ok(None) };
    let ns = written.get_ref().0.ns;
    if !ns.is_multiple_of(SECOND_NS) || !(1..=32_767).contains(&(ns / SECOND_NS)) {
        let message = "keep-alive probes are counted in whole seconds".to_owned();
        let expected = "expected \"1s\" to \"32767s\"".to_owned();
        return Err(Error::new(written.span(), message, expected));
    }
    Ok(Some((ns / SECOND_NS) as u32))
}

/// When requests come; `None`: when clients send them.
fn pace(app: &OpenResty, span: &Range<usize>) -> Result<Option<Pace>, Error> {
    let wrong = |at: Range<usize>, message: &str, expected: &str| {
        Err(Error::new(at, message.to_owned(), expected.to_owned()))
    };
    const EXPECTED: &str =
        "expected rate = \"100/s\", clients = 10, or [apps.listen] with a port for clients";
    let think = app.think.as_ref();
    if app.clients.is_none()
        && let Some(think) = think
    {
        return wrong(
            think.span(),
            "only clients think",
            "expected clients = 10 with it instead of a rate",
        );
    }
    match (&app.rate, &app.clients, &app.listen) {
        (Some(rate), None, None) => {
            Ok(Some(Pace::Open { rate: rate.get_ref().0, scattered: app.scattered }))
        }
        (None, Some(clients), None) => Ok(Some(Pace::Closed {
            workers: count(Some(clients), 1, "clients")?,
            think: think.map_or_else(Delay::default, |t| t.get_ref().0),
        })),
        (None, None, Some(_)) => match app.count {
            None => Ok(None),
            Some(_) => wrong(
                span.clone(),
                "what clients send is not counted here",
                "expected no `count` beside [apps.listen]",
            ),
        },
        (Some(_), Some(clients), _) => {
            wrong(clients.span(), "requests come at a rate or from clients, not both", EXPECTED)
        }
        (_, _, Some(listen)) => wrong(
            listen.span(),
            "requests come by themselves or from clients that connect, not both",
            EXPECTED,
        ),
        (None, None, None) => wrong(span.clone(), "requests need a pace", EXPECTED),
    }
}

fn paths(written: Option<&Spanned<Vec<schema::Path>>>) -> Result<Vec<Path>, Error> {
    let Some(written) = written else {
        let only =
            Path { share: 1, ending: Ending::Keepalive, commands: 1, hold: Delay::default() };
        return Ok(vec![only]);
    };
    let shares = shares(written.get_ref(), &written.span())?;
    let mut paths = Vec::new();
    for (path, share) in written.get_ref().iter().zip(shares) {
        paths.push(Path {
            share,
            ending: path.end.0,
            commands: count(path.commands.as_ref(), 1, "commands")?,
            hold: path.hold.map_or_else(Delay::default, |h| h.0),
        });
    }
    if paths.iter().all(|path| path.share == 0) {
        let message = "no code serves the requests".to_owned();
        let expected = "expected at least one path with a share above 0".to_owned();
        return Err(Error::new(written.span(), message, expected));
    }
    Ok(paths)
}

/// What is a share of all requests is counted in these.
const MILLION: u64 = 1_000_000;

/// How the requests are dealt out: parts as they are written; where some paths have a share of all
/// requests, the others have parts of what is left.
fn shares(written: &[schema::Path], span: &Range<usize>) -> Result<Vec<u64>, Error> {
    let (mut parts, mut millionths) = (0_u64, 0_u64);
    for path in written {
        match path.share.as_ref().map(|share| (*share.get_ref(), share.span())) {
            None => parts += 1,
            Some((Share::Parts(number), span)) if number > MOST => {
                let message = format!("{number} shares");
                return Err(Error::new(span, message, format!("expected 0 to {MOST}")));
            }
            Some((Share::Parts(number), _)) => parts += u64::from(number),
            Some((Share::Of(ratio), _)) => millionths += in_millionths(ratio),
        }
    }
    if millionths > MILLION {
        let message = "the paths have more than all requests".to_owned();
        let expected = "expected shares of at most 100% together".to_owned();
        return Err(Error::new(span.clone(), message, expected));
    }
    let weight = |path: &schema::Path| match path.share.as_ref().map(|share| *share.get_ref()) {
        None => parts_of(1, millionths),
        Some(Share::Parts(number)) => parts_of(number, millionths),
        Some(Share::Of(ratio)) => in_millionths(ratio) * parts.max(1),
    };
    Ok(written.iter().map(weight).collect())
}

const fn parts_of(parts: u32, millionths: u64) -> u64 {
    if millionths == 0 { parts as u64 } else { parts as u64 * (MILLION - millionths) }
}

fn in_millionths(ratio: Ratio) -> u64 {
    let millionths = u128::from(ratio.numerator) * u128::from(MILLION);
    // At most a million: the ratio is at most 1.
    u64::try_from(millionths / u128::from(ratio.denominator)).unwrap_or(MILLION)
}
