//! `finwait nstat`: the counters of a host by name.

use serde_json::json;

use finwait_sim::view::nstat::{Options, select, text};

use super::{Look, Open, counters, object, pretty, prompt};
use crate::failure::{Failure, Verdict, print};

/// The counters of a simulated host, as `nstat` prints them.
///
/// Without --from they count from the boot of the host, with it from that instant on. Counters of
/// Tcp and TcpExt that finwait does not count are left out.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    look: Look,
    /// What has risen since then, such as 10s.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Absolute values: what there is without --from.
    #[arg(short = 'a', long, conflicts_with = "from")]
    ignore: bool,
    /// Also counters that are zero.
    #[arg(short = 'z', long)]
    zeros: bool,
    /// Leave nstat's history alone; there is none.
    #[arg(short = 's', long)]
    noupdate: bool,
    /// Names, with * and ? as in a shell.
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
}

/// Looks. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let Open { mut source, hosts, at } = args.look.open_linux()?;
    let options = Options { zeros: args.zeros, patterns: args.patterns.clone() };
    let from = match &args.from {
        Some(text) => Some(source.instant("--from", text)?.min(at)),
        None => None,
    };
    let before = match from {
        Some(from) => source.views(&hosts, from)?,
        None => Vec::new(),
    };
    let views = source.views(&hosts, at)?;
    let before = |index: usize| before.get(index);
    let text = if args.look.json {
        let place = |name: &str| views.iter().position(|view| view.name == name).unwrap_or(0);
        pretty(&object(&views, |view| {
            let values = select(view, before(place(&view.name)), &options);
            let values = values.into_iter().map(|(mib, n)| (mib.nstat_name(), n));
            json!({ "mib": counters(values) })
        }))
    } else {
        let texts: Vec<String> = views
            .iter()
            .enumerate()
            .map(|(index, view)| {
                let text = text(view, before(index), &options);
                if views.len() == 1 { text } else { prompt(view, &args.command(), from) + &text }
            })
            .collect();
        texts.join("\n")
    };
    print(&text)?;
    Ok(Verdict::Fine)
}

impl Args {
    fn command(&self) -> String {
        let mut words = vec!["nstat".to_owned()];
        let flags = [('a', self.ignore), ('z', self.zeros), ('s', self.noupdate)];
        let flags: String = flags.iter().filter(|(_, on)| *on).map(|(flag, _)| flag).collect();
        if !flags.is_empty() {
            words.push(format!("-{flags}"));
        }
        words.extend(self.patterns.iter().cloned());
        words.join(" ")
    }
}
