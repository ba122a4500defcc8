//! `kind = "wrk"` and `kind = "ab"`: load generators.

use toml::Spanned;

use finwait_model::flow::Endpoint;
use finwait_model::time::Span;

use super::error::Error;
use super::pool::count;
use super::schema::{self, Connection, Written};
use super::{Scenario, build};
use crate::app::{AbPlan, Target, WrkPlan};

/// What wrk waits for an answer (`SOCKET_TIMEOUT_MS`), and ab (`-s`).
const WRK_TIMEOUT: Span = Span::secs(2);
const AB_TIMEOUT: Span = Span::secs(30);
/// How long wrk runs unless it says otherwise.
const WRK_DURATION: Span = Span::secs(10);

pub(super) fn wrk(app: &schema::Wrk, scenario: &Scenario) -> Result<WrkPlan, Error> {
    let threads = count(app.threads.as_ref(), 2, "threads")?;
    let connections = count(Some(&app.connections), 10, "connections")?;
    if connections < threads {
        let message = format!("{connections} connections for {threads} threads");
        let expected = format!("expected at least {threads}, one for each thread");
        return Err(Error::new(app.connections.span(), message, expected));
    }
    Ok(WrkPlan {
        target: target(&app.to, scenario)?,
        threads,
        connections,
        start: app.start.map_or(Span::ZERO, |s| s.0),
        duration: at_least_1ns(app.duration.as_ref(), WRK_DURATION, "duration of wrk")?,
        closes: closes(app.connection),
        timeout: at_least_1ns(app.timeout.as_ref(), WRK_TIMEOUT, "timeout")?,
        turn: app.turn.map_or(Span::micros(5), |turn| turn.0),
    })
}

pub(super) fn ab(app: &schema::Ab, scenario: &Scenario) -> Result<AbPlan, Error> {
    Ok(AbPlan {
        target: target(&app.to, scenario)?,
        rate: app.rate.get_ref().0,
        scattered: app.scattered,
        start: app.start.map_or(Span::ZERO, |s| s.0),
        count: app.count,
        duration: match &app.duration {
            Some(duration) => Some(build::at_least_1ns(duration, "duration of ab")?),
            None => None,
        },
        // As with the real one, it takes a `-k` to keep connections.
        keeps: matches!(app.connection, Some(Written(Connection::KeepAlive))),
        timeout: at_least_1ns(app.timeout.as_ref(), AB_TIMEOUT, "timeout")?,
    })
}

const fn closes(connection: Option<Written<Connection>>) -> bool {
    matches!(connection, Some(Written(Connection::Close)))
}

fn at_least_1ns(
    written: Option<&Spanned<Written<Span>>>,
    usual: Span,
    what: &str,
) -> Result<Span, Error> {
    written.map_or(Ok(usual), |written| build::at_least_1ns(written, what))
}

/// `web:80`; what is said there is known when everybody has been read.
fn target(to: &Spanned<String>, scenario: &Scenario) -> Result<Target, Error> {
    let targets: Vec<Endpoint> = build::targets(to, scenario)?;
    match targets[..] {
        [to] => Ok(Target {
            to,
            request: build::MESSAGE_BYTES,
            response: build::MESSAGE_BYTES,
            last_answer: None,
        }),
        _ => {
            let message = "one load goes to one port".to_owned();
            let expected = "expected HOST:PORT such as \"web:80\"; several loads for several ports";
            Err(Error::new(to.span(), message, expected.to_owned()))
        }
    }
}
