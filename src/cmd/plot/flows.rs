//! Which connections of a run are drawn.

use std::path::{Path, PathBuf};

use finwait_model::time::Instant;
use finwait_sim::recording::{self, Filter, Recording};
use finwait_sim::scenario::Error;
use finwait_sim::world::HostId;
use finwait_viz::story::{self, Story};

use super::{Args, Session};
use crate::cmd::why;
use crate::failure::Failure;
use crate::source::{Source, broken};

/// Which connections.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Which {
    /// A connection, such as web:40000-redis:6379, for ladder and lanes; may be repeated [default:
    /// that of the first RST, and those that were opened next].
    #[arg(long, value_name = "A:P-B:P", conflicts_with_all = ["rst", "count"])]
    pub(crate) flow: Vec<String>,
    /// The connection of the N-th RST, the first is 1; with --host of those that this host sent; may
    /// be repeated.
    #[arg(long, value_name = "N", conflicts_with = "count")]
    pub(crate) rst: Vec<u64>,
    /// How many connections lanes show, as they are opened from --from on [default: 12].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) count: Option<u16>,
    /// Each connection in lanes begins at the left edge: times count from its own first event.
    #[arg(long)]
    pub(crate) align: bool,
    /// Beside a ladder, the same connection of that run.
    #[arg(long, value_name = "RUN")]
    pub(crate) beside: Option<PathBuf>,
    /// Beside a ladder, the same connection if the run had that sysctl; may be repeated.
    #[arg(long, value_name = "HOST.SYSCTL=VALUE", conflicts_with = "beside")]
    pub(crate) beside_set: Vec<String>,
}

/// How many connections lanes show if nobody says.
const SOME: usize = 12;

impl Which {
    /// Is any connection named?
    pub(crate) const fn names_some(&self) -> bool {
        !self.flow.is_empty() || !self.rst.is_empty()
    }
}

/// The connections that were named; if none was, that of the first RST, or else the first.
pub(crate) fn named(session: &mut Session<'_>) -> Result<Vec<Story>, Failure> {
    let args = session.args;
    let rec = session.recording()?;
    let (host, part) = asked(session, &rec)?;
    let path = args.run.display().to_string();
    let wrong = |error: recording::Error| broken(&path, &error);
    let mut all = Vec::new();
    for text in &args.which.flow {
        all.push(of_flow(&rec, text, part, &path)?);
    }
    for number in &args.which.rst {
        let event = why::numbered(&rec, host, *number, &path)?;
        all.extend(story::story_of(&rec, &event).map_err(wrong)?);
    }
    if all.is_empty() {
        let first = match first_reset(&rec, host, part).map_err(wrong)? {
            Some(story) => Some(story),
            None => story::opened(&rec, part.0..part.1, 1).map_err(wrong)?.pop(),
        };
        all.push(first.ok_or_else(|| none(args))?);
    }
    Ok(all.into_iter().map(|story| cut(args, story, part)).collect())
}

/// The connections that were named; if none was, so many from the first RST's on.
pub(crate) fn several(session: &mut Session<'_>) -> Result<Vec<Story>, Failure> {
    let args = session.args;
    if args.which.names_some() {
        return named(session);
    }
    let rec = session.recording()?;
    let (host, part) = asked(session, &rec)?;
    let path = args.run.display().to_string();
    let wrong = |error: recording::Error| broken(&path, &error);
    let count = args.which.count.map_or(SOME, usize::from);
    let mut from = part.0;
    if args.part.from.is_none()
        && let Some(story) = first_reset(&rec, host, part).map_err(wrong)?
    {
        from = story.from();
    }
    let all = story::opened(&rec, from..part.1, count).map_err(wrong)?;
    if all.is_empty() { Err(none(args)) } else { Ok(all) }
}

/// The same connection of the run that stands beside, with what is said above it.
pub(crate) fn beside(args: &Args, story: &Story) -> Result<Option<(Story, String)>, Failure> {
    let which = &args.which;
    let (source, path, heading) = match &which.beside {
        Some(path) => {
            let source = Source::open(path)?;
            let heading = source.name().to_owned();
            (source, path.as_path(), heading)
        }
        None if which.beside_set.is_empty() => return Ok(None),
        None => {
            let both = [&args.changes.set[..], &which.beside_set].concat();
            let source = Source::open(&args.run)?.set("--beside-set", &both)?;
            (source, args.run.as_path(), which.beside_set.join(", "))
        }
    };
    let end = source.end();
    let rec = source.into_recording()?;
    let shown = path.display().to_string();
    let stories = story::stories(&rec, story.flow).map_err(|error| broken(&shown, &error))?;
    // The one that began nearest to it: ports may have been used before.
    let near = |other: &Story| other.from().ns.abs_diff(story.from().ns);
    let found = stories.into_iter().min_by_key(near).ok_or_else(|| {
        Failure::Input(format!(
            "error: the run beside has no connection {}\n  = help: with another order of events a \
             run may use other ports",
            story.name()
        ))
    })?;
    let part = (Instant::ZERO, end);
    Ok(Some((cut(args, found, part), heading)))
}

type Range = (Instant, Instant);

/// The host and the part of the run that were asked for.
fn asked(session: &Session<'_>, rec: &Recording) -> Result<(Option<HostId>, Range), Failure> {
    let host = session.args.host.as_deref().and_then(|name| rec.host(name));
    Ok((host, session.part(rec.end().at())?))
}

/// What is drawn of a connection that was named: with --from and --to, no more than that.
fn cut(args: &Args, story: Story, (from, to): Range) -> Story {
    let named = args.which.names_some();
    let is_cut = named && (args.part.from.is_some() || args.part.to.is_some());
    if is_cut { story.between(from, to) } else { story }
}

/// The connection of the first RST in that time.
fn first_reset(
    rec: &Recording,
    host: Option<HostId>,
    (from, to): Range,
) -> Result<Option<Story>, recording::Error> {
    let filter = Filter { host, resets: true, ..Filter::default() };
    match rec.events(from..to, filter).next() {
        Some(event) => story::story_of(rec, &event?),
        None => Ok(None),
    }
}

/// Of the times that a four-tuple was used in that part of the run, the first that ended in a RST,
/// or else the first.
fn of_flow(rec: &Recording, text: &str, (from, to): Range, path: &str) -> Result<Story, Failure> {
    let flow = why::flow(rec, text).map_err(|error| Failure::in_text("--flow", text, &error))?;
    let mut stories = story::stories(rec, flow).map_err(|error| broken(path, &error))?;
    stories.retain(|story| story.from() < to && story.until() >= from);
    let reset = stories.iter().position(|story| story.resets().next().is_some());
    if stories.is_empty() {
        let error = Error {
            span: Some(0..text.len()),
            message: "there is no such connection in the run".to_owned(),
            expected: "expected one that has sent a segment in that time".to_owned(),
            help: Some(format!("`finwait tcpdump {path}` shows all")),
        };
        return Err(Failure::in_text("--flow", text, &error));
    }
    Ok(stories.swap_remove(reset.unwrap_or(0)))
}

fn none(args: &Args) -> Failure {
    let run: &Path = &args.run;
    Failure::Input(format!("error: {}: no connection is opened in that time", run.display()))
}
