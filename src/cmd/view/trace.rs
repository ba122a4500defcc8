//! `finwait trace`: what the kernel's tracepoints say.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use serde_json::json;

use finwait_model::release::Release;
use finwait_model::time::Instant;
use finwait_sim::view::trace::Tracer;

use crate::failure::{Failure, Verdict};
use crate::source::{Changes, Happened, Source, Told};

/// The tracepoint lines of a run, as trace_pipe prints them.
///
/// sock:inet_sock_set_state, tcp:tcp_send_reset, tcp:tcp_destroy_sock, tcp:tcp_retransmit_skb and
/// tcp:tcp_retransmit_synack with the fields of 6.18; the host's name stands where a real line
/// names a task. Lines are written as they are found.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: a recording, or a scenario, which is simulated as far as needed.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// From when on, such as 12.5s [default: from the beginning].
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when [default: to the end].
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Whose [default: every host's].
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only these tracepoints, such as tcp_send_reset; may be repeated.
    #[arg(short = 'e', long = "event", value_name = "NAME", value_parser = EVENTS)]
    events: Vec<String>,
    /// Print one JSON object per line: at_s, host, event, and the line's fields.
    #[arg(long)]
    json: bool,
}

/// What can be traced.
const EVENTS: [&str; 5] = [
    "inet_sock_set_state",
    "tcp_send_reset",
    "tcp_destroy_sock",
    "tcp_retransmit_skb",
    "tcp_retransmit_synack",
];

/// Traces.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let mut source = Source::open_changed(&args.run, &args.changes)?;
    let hosts = source.chosen(args.host.as_deref())?;
    let instant = |flag, text: &Option<String>| match text {
        Some(text) => source.instant(flag, text).map(Some),
        None => Ok(None),
    };
    let from = instant("--from", &args.from)?.unwrap_or(Instant::ZERO);
    let to = instant("--to", &args.to)?.unwrap_or_else(|| source.end());
    let every = source.chosen(None)?;
    let views = source.views(&every, from)?;
    let mut tracers: Vec<Tracer> = views.iter().map(Tracer::of).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    if !args.json {
        header(&mut out, views.iter().any(|view| view.release == Release::V3_10))?;
    }
    source.events(from, to, |happened| {
        let Happened { at, host, what } = *happened;
        let place = usize::from(host.0);
        let line = match &what {
            Told::Note(note) => tracers[place].note(at, note),
            Told::Sent(segment, cause) => tracers[place].sent(at, segment, *cause),
        };
        let Some(line) = line.filter(|_| hosts.contains(&host)) else { return Ok(()) };
        let Some((_, told)) = line.split_once(": ") else { return Ok(()) };
        let (event, fields) = told.trim_end().split_once(": ").unwrap_or((told, ""));
        if !args.events.is_empty() && !args.events.iter().any(|wanted| wanted == event) {
            return Ok(());
        }
        let text = if args.json { object(at, &views[place].name, event, fields) } else { line };
        out.write_all(text.as_bytes()).map_err(Failure::Output)
    })?;
    out.flush().map_err(Failure::Output)?;
    Ok(Verdict::Fine)
}

fn header(out: &mut impl io::Write, has_3_10: bool) -> Result<(), Failure> {
    let remark = if has_3_10 {
        "#\n# Linux 3.10 has none of these tracepoints: this is what 6.18's would say there.\n"
    } else {
        ""
    };
    let text = format!(
        "# tracer: nop\n{remark}#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n\
         #              | |         |   |||||     |         |\n"
    );
    out.write_all(text.as_bytes()).map_err(Failure::Output)
}

/// A line as JSON: numbers stay text, as in the line.
fn object(at: Instant, host: &str, event: &str, fields: &str) -> String {
    let mut out = json!({ "at_s": at.ns as f64 / 1e9, "host": host, "event": event });
    for field in fields.split(' ') {
        if let Some((name, value)) = field.split_once('=') {
            out[name] = json!(value);
        }
    }
    out.to_string() + "\n"
}
