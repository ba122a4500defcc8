//! `finwait netstat -s`: the counters of a host in sentences.

use serde_json::json;

use finwait_sim::view::{mib, netstat};

use super::{Look, counters};
use crate::failure::{Failure, Verdict, print};

/// The counters of a simulated host, as `netstat -s` prints them.
///
/// Only the sections Tcp and TcpExt, and of these what finwait counts.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    look: Look,
    /// Statistics; for sockets there is `finwait ss`.
    #[arg(short = 's', long, required = true)]
    statistics: bool,
    /// Only TCP; there is nothing else.
    #[arg(short = 't', long)]
    tcp: bool,
}

/// Looks. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let views = args.look.views()?;
    let text = args.look.render(&views, "netstat -s", netstat::text, |view| {
        json!({ "mib": counters(mib::counters(view).map(|(mib, n)| (mib.nstat_name(), n))) })
    });
    print(&text)?;
    Ok(Verdict::Fine)
}
