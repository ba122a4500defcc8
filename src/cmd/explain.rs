//! `finwait explain`: what a name means, and why a run's RSTs were sent.

use std::path::Path;

use finwait_sim::glossary::{Entry, Glossary, Kind};
use finwait_sim::scenario::Error;

use crate::cmd::why;
use crate::failure::{Failure, Verdict, print};
use crate::story::entry;

/// How many names are proposed for one that is unknown.
const PROPOSED: usize = 5;

/// Say what a name means (a cause, counter, sysctl, state, behaviour, reason, kernel function or
/// myth), or why a run's RST was sent.
///
/// An existing file is a run. Names are found as finwait, nstat, ss, sysctl and the kernel's tracepoints print them, in any case, with
/// or without their prefixes. Without a name: a list of all.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// A name, such as rst-no-socket, TCPTimeWaitOverflow, tcp_fin_timeout or FIN-WAIT-2; or a run:
    /// a recording, or a scenario.
    #[arg(value_name = "WHAT")]
    pub(crate) what: Option<String>,
    #[command(flatten)]
    pub(crate) why: why::Asked,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Explains it, or lists what can be explained.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    if args.why.asks() {
        return why::run(args.what.as_deref(), &args.why, args.json);
    }
    if let Some(file) = args.what.as_deref().filter(|name| Path::new(name).is_file()) {
        return Err(why::nothing_asked(file));
    }
    let glossary = Glossary::new();
    let text = match &args.what {
        Some(name) => {
            let found = glossary.find(name);
            if found.is_empty() {
                return Err(unknown(&glossary, name));
            }
            if args.json { entry::json(&found) } else { entry::text(&found) }
        }
        None if args.json => entry::json_list(glossary.entries()),
        None => list(glossary.entries()),
    };
    print(&text)?;
    Ok(Verdict::Fine)
}

fn unknown(glossary: &Glossary, name: &str) -> Failure {
    let near = glossary.nearest(name, PROPOSED);
    let help = if near.is_empty() {
        "`finwait explain` without a name lists all".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    let error = Error {
        span: Some(0..name.len()),
        message: format!("nothing is called {name:?}"),
        expected:
            "expected a cause, counter, sysctl, state, behaviour, reason, kernel function or \
                   myth"
                .to_owned(),
        help: Some(help),
    };
    Failure::in_text("WHAT", name, &error)
}

fn list(all: &[Entry]) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let names: Vec<&str> =
            all.iter().filter(|e| e.kind == kind).map(|e| e.name.as_str()).collect();
        text += &entry::listed(kind.title(), &names);
    }
    text + "finwait explain NAME says what one of them means.\n"
}
