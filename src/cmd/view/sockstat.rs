//! `finwait sockstat`: /proc/net/sockstat of a host.

use serde_json::json;

use finwait_sim::view::proc;

use super::Look;
use crate::failure::{Failure, Verdict, print};

/// How many sockets a simulated host has, as /proc/net/sockstat says.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    look: Look,
}

/// Looks. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let views = args.look.views()?;
    let text = args.look.render(&views, "cat /proc/net/sockstat", proc::sockstat, |view| {
        let stat = view.sockstat;
        json!({
            "sockstat": {
                "used": proc::sockets_used(view),
                "inuse": stat.inuse,
                "orphan": stat.orphan,
                "tw": stat.tw,
                "alloc": stat.alloc,
            }
        })
    });
    print(&text)?;
    Ok(Verdict::Fine)
}
