//! `finwait export`: a run as a file that other programs read.

use std::path::{Path, PathBuf};

use finwait_sim::capture::Selection;
use finwait_sim::pcap::{self, Format};
use finwait_sim::world::HostId;
use serde_json::json;

use crate::failure::{Failure, Verdict, print};
use crate::source::{Changes, Part, Source};
use crate::whole_file::WholeFile;

/// Write a run as a capture that Wireshark and tcpdump read.
///
/// A segment is on its sender's interface when it leaves and on its receiver's when it arrives, as
/// tcpdump on each of the hosts would see it.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("format").required(true))]
pub(crate) struct Args {
    /// The run: a recording, or a scenario, which is played again.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// Write pcapng: an interface for each host, and a comment on each RST that says why it was
    /// sent; - is stdout.
    #[arg(long, value_name = "FILE", group = "format")]
    pcapng: Option<PathBuf>,
    /// Write pcap, the older format, which holds the view of one host; - is stdout.
    #[arg(long, value_name = "FILE", group = "format")]
    pcap: Option<PathBuf>,
    /// The view of one host; without it pcapng holds all, and pcap that of the scenario's first.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    #[command(flatten)]
    part: Part,
    /// Say what was written as one JSON object.
    #[arg(long)]
    json: bool,
    /// Only packets that this selects, in the syntax of pcap-filter(7).
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
}

/// Writes the file.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let source = Source::open_changed(&args.run, &args.changes)?;
    let (path, format) = match (&args.pcapng, &args.pcap) {
        (Some(path), _) => (path, Format::Ng),
        (None, Some(path)) => (path, Format::Classic),
        (None, None) => unreachable!("invariant: clap wants one of the two"),
    };
    let named = args.host.as_deref().map(|name| source.host("--host", name)).transpose()?;
    let (from, to) = args.part.times()?;
    let selection = Selection {
        host: host(named, format),
        from,
        to,
        filter: source.filter(&args.filter)?,
        at_most: None,
    };
    let mut file = WholeFile::create(path)?;
    let wrong = file.complaint();
    let out = pcap::File::new(&mut file, format, &source.about).map_err(|error| wrong(&error))?;
    let packets = source.capture(selection, out, &wrong)?;
    let bytes = file.bytes();
    file.keep()?;
    if path.as_os_str() != "-" {
        print(&said(args, path, packets, bytes))?;
    }
    Ok(Verdict::Fine)
}

/// Whose view a file of that format holds.
pub(crate) fn host(named: Option<HostId>, format: Format) -> Option<HostId> {
    match format {
        Format::Ng => named,
        Format::Classic => Some(named.unwrap_or(HostId(0))),
    }
}

fn said(args: &Args, path: &Path, packets: u64, bytes: u64) -> String {
    let shown = path.display();
    if args.json {
        let object = json!({"file": shown.to_string(), "packets": packets, "bytes": bytes});
        return format!("{object}\n");
    }
    format!("{shown}: {packets} packets, {bytes} bytes\n")
}
