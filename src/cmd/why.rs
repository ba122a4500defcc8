//! `finwait explain RUN --rst N`, `--segment N`: a segment back to its first cause; `--stack rst`: what
//! sent RSTs.

use std::path::Path;

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::time::Instant;
use finwait_sim::recording::{self, Event, Filter, Recording};
use finwait_sim::scenario::Error;
use finwait_sim::units;
use finwait_sim::why::{self, Chain};
use finwait_sim::world::HostId;

use crate::failure::{Failure, Verdict, print};
use crate::source::{Changes, Source, broken};
use crate::story::chain as told;

/// What of a run is to be explained.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Asked {
    /// Why the N-th RST of the run was sent, back to its first cause; the first is 1.
    #[arg(long, value_name = "N", requires = "what", conflicts_with_all = ["flow", "stack"])]
    rst: Option<u64>,
    /// Why the N-th segment was sent; counted are those that left, or with --flow those of the
    /// connection, either way.
    #[arg(long, value_name = "N", requires = "what", conflicts_with_all = ["rst", "stack"])]
    segment: Option<u64>,
    /// The same for each RST of a connection, such as web:40000-redis:6379.
    #[arg(long, value_name = "A:P-B:P", requires = "what", conflicts_with = "stack")]
    flow: Option<String>,
    /// The call paths that sent RSTs, with counts: folded stacks for flame-graph tools.
    #[arg(long, value_name = "WHAT", requires = "what", value_parser = ["rst"])]
    stack: Option<String>,
    /// Only RSTs or segments that this host sent [default: every host's].
    #[arg(long, value_name = "NAME", requires = "what")]
    host: Option<String>,
    #[command(flatten)]
    changes: Changes,
}

impl Asked {
    /// Is anything of a run asked for?
    pub(crate) const fn asks(&self) -> bool {
        let Self { rst, segment, flow, stack, host, changes: _ } = self;
        rst.is_some() || segment.is_some() || flow.is_some() || stack.is_some() || host.is_some()
    }
}

/// A file was named, and nothing more.
pub(crate) fn nothing_asked(file: &str) -> Failure {
    Failure::in_text(
        "WHAT",
        file,
        &Error {
            span: Some(0..file.len()),
            message: format!("nothing is asked of the run {file}"),
            expected: "expected --rst N, --segment N, --flow A:P-B:P or --stack rst with a run"
                .to_owned(),
            help: None,
        },
    )
}

/// Explains it.
pub(crate) fn run(what: Option<&str>, args: &Asked, json: bool) -> Result<Verdict, Failure> {
    let path = what.unwrap_or_default();
    if args.rst.or(args.segment).is_none() && args.flow.is_none() && args.stack.is_none() {
        return Err(nothing_asked(path));
    }
    let source = Source::open_changed(Path::new(path), &args.changes)?;
    let host = args.host.as_deref().map(|name| source.host("--host", name)).transpose()?;
    let rec = source.into_recording()?;
    let wrong = |error: recording::Error| broken(path, &error);
    let text = if args.stack.is_some() {
        let stacks = why::stacks(&rec, host).map_err(wrong)?;
        let named = host.is_none();
        if json { told::stacks_json(&rec, &stacks) } else { told::stacks(&rec, &stacks, named) }
    } else {
        let flow =
            |text| flow(&rec, text).map_err(|error| Failure::in_text("--flow", text, &error));
        let flow = args.flow.as_deref().map(flow).transpose()?;
        let events = match (args.segment, flow) {
            (Some(number), flow) => vec![segment(&rec, host, flow, number, path)?],
            (None, Some(flow)) => of_flow(&rec, host, flow, args, path)?,
            (None, None) => vec![numbered(&rec, host, args.rst.unwrap_or(0), path)?],
        };
        let chains = events.iter().filter_map(|event| why::chain(&rec, event).transpose());
        let chains: Vec<Chain> = chains.collect::<Result<_, _>>().map_err(wrong)?;
        if json { told::json(&rec, &chains) } else { told::text(&rec, &chains) }
    };
    print(&text)?;
    Ok(Verdict::Fine)
}

/// The RST with that number.
pub(crate) fn numbered(
    rec: &Recording,
    host: Option<HostId>,
    number: u64,
    path: &str,
) -> Result<Event, Failure> {
    let wrong = |error: recording::Error| broken(path, &error);
    if let Some(event) = why::reset(rec, host, number).map_err(wrong)? {
        return Ok(event);
    }
    let count = why::reset_count(rec, host).map_err(wrong)?;
    let whose = host.map_or("the run", |h| rec.hosts()[usize::from(h.0)].name.as_str());
    let text = number.to_string();
    let error = Error {
        span: Some(0..text.len()),
        message: format!("there is no RST number {number}"),
        expected: match count {
            0 => format!("{whose} has sent no RST"),
            1 => format!("expected 1: {whose} has sent one RST"),
            _ => format!("expected 1 to {count}: so many RSTs has {whose} sent"),
        },
        help: None,
    };
    Err(Failure::in_text("--rst", &text, &error))
}

fn segment(
    rec: &Recording,
    host: Option<HostId>,
    flow: Option<FourTuple>,
    number: u64,
    path: &str,
) -> Result<Event, Failure> {
    let wrong = |error: recording::Error| broken(path, &error);
    if let Some(event) = why::segment(rec, host, flow, number).map_err(wrong)? {
        return Ok(event);
    }
    let count = why::segment_count(rec, host, flow).map_err(wrong)?;
    let text = number.to_string();
    let error = Error {
        span: Some(0..text.len()),
        message: format!("there is no segment number {number}"),
        expected: match count {
            0 => "no segment of what was asked is recorded".to_owned(),
            _ => format!("expected 1 to {count}"),
        },
        help: None,
    };
    Err(Failure::in_text("--segment", &text, &error))
}

/// Every RST of a connection.
fn of_flow(
    rec: &Recording,
    host: Option<HostId>,
    flow: FourTuple,
    args: &Asked,
    path: &str,
) -> Result<Vec<Event>, Failure> {
    let all = Instant::ZERO..Instant { ns: u64::MAX };
    let filter = Filter { host, flow: Some(flow), resets: true, ..Filter::default() };
    let events: Vec<Event> = rec
        .events(all, filter)
        .collect::<Result<_, _>>()
        .map_err(|error: recording::Error| broken(path, &error))?;
    if events.is_empty() {
        let text = args.flow.as_deref().unwrap_or_default();
        let error = Error {
            span: Some(0..text.len()),
            message: "no RST was sent on that connection".to_owned(),
            expected: "expected a connection that was reset".to_owned(),
            help: Some(
                "`--segment N` explains any segment of it; `finwait tcpdump RUN 'tcp[tcpflags] & \
                 tcp-rst != 0'` shows all RSTs"
                    .to_owned(),
            ),
        };
        return Err(Failure::in_text("--flow", text, &error));
    }
    Ok(events)
}

/// Reads `A:P-B:P`. Host names may have a `-`, so each is tried as the one between the ends.
pub(crate) fn flow(rec: &Recording, text: &str) -> Result<FourTuple, Error> {
    let ends = text.match_indices('-').find_map(|(at, _)| {
        Some(FourTuple::new(end(rec, &text[..at])?, end(rec, &text[at + 1..])?))
    });
    let names: Vec<&str> = rec.hosts().iter().map(|h| h.name.as_str()).collect();
    ends.ok_or_else(|| Error {
        span: Some(0..text.len()),
        message: format!("{text:?} is no connection"),
        expected: format!(
            "expected HOST:PORT-HOST:PORT, where HOST is an address or one of {}",
            names.join(", ")
        ),
        help: None,
    })
}

fn end(rec: &Recording, text: &str) -> Option<Endpoint> {
    let (host, port) = text.rsplit_once(':')?;
    let named = rec.hosts().iter().find(|h| h.name == host).map(|h| h.addr);
    let addr: Addr = named.or_else(|| units::addr(host).ok())?;
    Some(Endpoint::new(addr, port.parse().ok().filter(|&port: &u16| port > 0)?))
}
