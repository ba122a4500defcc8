//! `finwait tcpdump`: a run as tcpdump on one of its hosts would have printed it, and why each RST
//! was sent.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use finwait_model::time::Span;
use finwait_sim::capture::{About, Direction, Packet, Selection, Take, unix_ns};
use finwait_sim::link::Fate;
use finwait_sim::view::tcpdump::{Dump, Style, Times};
use finwait_sim::world::HostId;
use serde::Serialize;

use crate::failure::{Failure, Verdict};
use crate::source::{Changes, Part, Source, time};

/// Print the segments of a run as tcpdump does.
///
/// The text is what `tcpdump -nn -r` prints for a capture of that host, with relative sequence
/// numbers; times are UTC, and the run begins at 12:00:00 on 2026-01-01.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: a recording, or a scenario, which is played again.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// On whose interface; without it, on that of the scenario's first host. "any" is all of them.
    #[arg(long, short = 'i', value_name = "NAME", visible_alias = "interface")]
    host: Option<String>,
    #[command(flatten)]
    part: Part,
    /// One second of the run from this time on.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"])]
    at: Option<String>,
    /// Stop after so many packets.
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Numbers instead of names; they are always numbers here.
    #[arg(short = 'n', action = clap::ArgAction::Count)]
    numeric: u8,
    /// -t no times, -tt seconds since 1970, -ttt since the packet before, -tttt with the date,
    /// -ttttt since the first packet.
    #[arg(short = 't', action = clap::ArgAction::Count)]
    times: u8,
    /// Times in nanoseconds.
    #[arg(long)]
    nano: bool,
    /// Sequence numbers as they are on the wire.
    #[arg(short = 'S', long = "absolute-tcp-sequence-numbers")]
    absolute: bool,
    /// -v with IP header and checksum, -vv with the sequence number of every segment.
    #[arg(short = 'v', action = clap::ArgAction::Count)]
    verbose: u8,
    /// Less about each packet.
    #[arg(short = 'q')]
    quiet: bool,
    /// Number the packets.
    #[arg(short = '#', long = "number")]
    number: bool,
    /// One line for each packet as soon as it is known; always so.
    #[arg(short = 'l')]
    line_buffered: bool,
    /// Behind each RST, why it was sent.
    #[arg(long)]
    why: bool,
    /// One JSON object for each packet, with its cause.
    #[arg(long)]
    json: bool,
    /// Only packets that this selects, in the syntax of pcap-filter(7).
    #[arg(value_name = "EXPR")]
    filter: Vec<String>,
}

/// Prints them.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let source = Source::open_changed(&args.run, &args.changes)?;
    let host = match args.host.as_deref() {
        Some("any") => None,
        Some(name) => Some(source.host("--host", name)?),
        None => Some(HostId(0)),
    };
    let (from, to) = match args.at.as_deref() {
        Some(text) => {
            let at = time("--at", text)?;
            (at, Some(at + Span::secs(1)))
        }
        None => args.part.times()?,
    };
    let filter = source.filter(&args.filter)?;
    let selection = Selection { host, from, to, filter, at_most: args.count };
    let printer = Printer {
        out: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
        dump: Dump::new(style(args)),
        line: String::new(),
        json: args.json,
        why: args.why,
        about: &source.about,
    };
    let wrong =
        |error: &io::Error| Failure::Output(io::Error::new(error.kind(), error.to_string()));
    source.capture(selection, printer, wrong)?;
    Ok(Verdict::Fine)
}

fn style(args: &Args) -> Style {
    let times = match args.times {
        0 => Times::Clock,
        1 => Times::None,
        2 => Times::Unix,
        3 => Times::SincePrevious,
        4 => Times::Date,
        _ => Times::SinceFirst,
    };
    Style {
        times,
        nano: args.nano,
        absolute: args.absolute,
        verbose: args.verbose,
        quiet: args.quiet,
        number: args.number,
    }
}

/// Prints packets as they come.
struct Printer<'a, W> {
    out: W,
    dump: Dump,
    line: String,
    json: bool,
    why: bool,
    about: &'a About,
}

impl<W: Write> Take for Printer<'_, W> {
    fn take(&mut self, packet: &Packet) -> io::Result<()> {
        self.line.clear();
        if self.json {
            self.line.push_str(&serde_json::to_string(&object(packet, self.about))?);
        } else {
            self.dump.line(&mut self.line, packet);
            if let (true, Some(explained)) = (self.why, &packet.why) {
                let comment = explained.comment(|addr| self.about.name_of(addr));
                self.line.push_str("\n    ");
                self.line.push_str(&comment);
            }
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }
    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A packet as JSON; docs/captures.md describes it.
#[derive(Serialize)]
struct Object<'a> {
    t_ns: u64,
    unix_ns: u64,
    host: &'a str,
    direction: &'static str,
    src: String,
    sport: u16,
    dst: String,
    dport: u16,
    flags: String,
    seq: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<u32>,
    win: u16,
    len: u16,
    options: Options,
    ip_id: u16,
    cause: &'static str,
    lost: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rst: Option<Reset>,
}

#[derive(Serialize)]
struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    mss: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sack_ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wscale: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sack: Vec<(u32, u32)>,
}

#[derive(Serialize)]
struct Stamp {
    val: u32,
    ecr: u32,
}

/// Why a RST was sent.
#[derive(Serialize)]
struct Reset {
    path: &'static [&'static str],
    reason: Option<&'static str>,
    because: &'static str,
    because_text: &'static str,
    earlier_ns: Option<u64>,
    story: String,
}

fn object<'a>(packet: &Packet, about: &'a About) -> Object<'a> {
    let segment = &packet.segment;
    let (flow, options) = (segment.flow, &segment.options);
    let rst = packet.why.as_ref().map(|explained| {
        let site = explained.cause.site();
        Reset {
            path: site.path,
            reason: site.reset.map(|r| r.kernel_name()),
            because: explained.because.name(),
            because_text: explained.because.text(),
            earlier_ns: explained.example.earlier().map(|at| at.ns),
            story: explained.example.story(|addr| about.name_of(addr)),
        }
    });
    Object {
        t_ns: packet.at.ns,
        unix_ns: unix_ns(packet.at),
        host: &about.hosts[usize::from(packet.host.0)].name,
        direction: match packet.direction {
            Direction::In => "in",
            Direction::Out => "out",
        },
        src: flow.saddr.to_string(),
        sport: flow.sport,
        dst: flow.daddr.to_string(),
        dport: flow.dport,
        flags: segment.flags.to_string(),
        seq: segment.seq.0,
        ack: segment.flags.ack().then_some(segment.ack.0),
        win: segment.win,
        len: segment.len,
        options: Options {
            mss: options.mss,
            sack_ok: options.sack_permitted.then_some(true),
            ts: options.ts.map(|ts| Stamp { val: ts.val, ecr: ts.ecr }),
            wscale: options.wscale,
            sack: options.sack_blocks().iter().map(|b| (b.left.0, b.right.0)).collect(),
        },
        ip_id: packet.ip_id,
        cause: packet.cause.name(),
        lost: matches!(packet.fate, Fate::Lost | Fate::Unroutable),
        rst,
    }
}
