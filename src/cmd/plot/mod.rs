//! `finwait plot`: a run as pictures. One file for each kind; `kind.rs` knows them all.

mod ages;
mod compare;
mod flows;
mod kind;
mod ladder;
mod lanes;
mod machine;
mod map;
mod output;
mod perfetto;
mod samples;
mod session;
mod timeline;

use std::path::PathBuf;

use crate::failure::{Failure, Verdict, print};
use crate::source::{Changes, Part};

use kind::{Format, Kind, Made};
use output::Place;
use session::Session;

/// Draw a run: timelines of its tables, its connections, and what they are made of.
///
/// Kinds: `timeline` buckets, sockets and orphans against their limits, with RSTs and overflows below;
/// `ladder` a connection as a sequence ladder, printed as text unless a picture is asked for; `lanes`
/// connections as bars of states with their segments; `machine` TCP's states and how often the run
/// went from which to which; `ages` how old the connections of pools were when they were closed,
/// and why; `compare` two runs over each other, with the first difference marked;
/// `map` a sweep (RUN is its table, CSV or NDJSON); `perfetto` a trace for ui.perfetto.dev; `samples`
/// the tables over time as CSV or NDJSON.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: a recording, or a scenario, which is simulated.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// What to draw; several kinds make several files.
    #[arg(value_name = "KIND", required = true)]
    pub(crate) kinds: Vec<String>,
    /// Draw as SVG, whose texts can be searched.
    #[arg(long, group = "picture")]
    pub(crate) svg: bool,
    /// Draw as PNG, two dots wide and high for each pixel.
    #[arg(long, group = "picture")]
    pub(crate) png: bool,
    /// Where to write; its ending chooses the format; - is stdout. With several kinds, a folder
    /// [default: RUN's name and the kind's, in this folder].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) part: Part,
    /// Whose tables [default: of the host with the most buckets].
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    #[command(flatten)]
    pub(crate) which: flows::Which,
    /// The run to compare with [default: the scenario's counter-run].
    #[arg(long, value_name = "RUN")]
    pub(crate) with: Option<PathBuf>,
    /// How wide, pixels.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(640..=8000))]
    pub(crate) width: Option<u16>,
    /// How high, pixels.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(400..=8000))]
    pub(crate) height: Option<u16>,
    /// Light ink on dark paper.
    #[arg(long)]
    pub(crate) dark: bool,
    /// Leave the fonts out of SVGs, for a page that has them, or where a substitute will do.
    #[arg(long)]
    pub(crate) no_fonts: bool,
    /// Say what was written as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) map: map::Columns,
}

/// Draws everything before it writes anything.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let kinds = args.kinds.iter().map(|name| kind::named(name)).collect::<Result<Vec<_>, _>>()?;
    let place = Place::of(args, &kinds)?;
    let mut session = Session::new(args);
    let mut files = Vec::new();
    for kind in kinds {
        let (path, format) = place.file(args, kind)?;
        let made = (kind.make)(&mut session, format)?;
        files.push((path, kind, made.finished(args, format)));
    }
    let mut said = output::Said::default();
    for (path, kind, made) in files {
        let bytes = place.write(&path, made)?;
        said.add(&path, kind.name, bytes);
    }
    if !place.is_stdout() {
        print(&said.text(args.json))?;
    }
    Ok(Verdict::Fine)
}
