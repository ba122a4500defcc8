//! `finwait ss`: the sockets of a host.

use serde_json::{Value, json};

use finwait_model::kernel::{Object, Row};
use finwait_sim::scenario::Error;
use finwait_sim::view::HostView;
use finwait_sim::view::ss::{self, Flags, Query};

use super::watch::Watch;
use super::{Look, Open, object};
use crate::failure::{Failure, Verdict, print};

/// The sockets of a simulated host, as `ss` prints them.
///
/// Flags and filter are those of ss: `finwait ss mine.toml --at 12.5s --host web -tano state
/// fin-wait-2 dport = :6379`. Ports are always numbers.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    look: Look,
    /// Only TCP (there is nothing else): leaves out the column Netid.
    #[arg(short = 't', long)]
    tcp: bool,
    /// Also listeners, requests and TIME-WAIT.
    #[arg(short = 'a', long, overrides_with = "listening")]
    all: bool,
    /// Listeners only.
    #[arg(short = 'l', long, overrides_with = "all")]
    listening: bool,
    /// Show timers.
    #[arg(short = 'o', long)]
    options: bool,
    /// Show timers, inode, cookie and which directions are shut.
    #[arg(short = 'e', long)]
    extended: bool,
    /// No headline.
    #[arg(short = 'H', long)]
    no_header: bool,
    /// Show a summary.
    #[arg(short = 's', long)]
    summary: bool,
    /// Ports as numbers; they always are.
    #[arg(short = 'n', long)]
    numeric: bool,
    /// IPv4 only; there is nothing else.
    #[arg(short = '4', long)]
    ipv4: bool,
    /// Each socket on one line; it always is.
    #[arg(short = 'O', long)]
    oneline: bool,
    /// `[state NAME]… [exclude NAME]…`, then conditions: `src`, `dst` with an address, a network
    /// or address:port; `sport`, `dport` with = != < > <= >=; `and`, `or`, `not`, `( )`.
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    absent: Absent,
}

/// What `ss` can and a simulated host cannot; known so as to say why.
#[derive(Clone, Copy, Default, Debug, clap::Args)]
struct Absent {
    #[arg(short = 'p', long, hide = true)]
    processes: bool,
    #[arg(short = 'm', long, hide = true)]
    memory: bool,
    #[arg(short = 'i', long, hide = true)]
    info: bool,
    #[arg(short = 'r', long, hide = true)]
    resolve: bool,
    #[arg(short = 'K', long, hide = true)]
    kill: bool,
    #[arg(short = '6', long, hide = true)]
    ipv6: bool,
    #[arg(short = 'u', long, hide = true)]
    udp: bool,
    #[arg(short = 'w', long, hide = true)]
    raw: bool,
    #[arg(short = 'x', long, hide = true)]
    unix: bool,
}

impl Absent {
    /// The flag that was given, and why there is nothing to be shown.
    const fn why(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self { processes: true, .. } => ("-p", "a simulated host has no processes"),
            Self { memory: true, .. } => ("-m", "socket memory is not modelled in full"),
            Self { info: true, .. } => ("-i", "a view keeps no tcp_info"),
            Self { resolve: true, .. } => ("-r", "simulated addresses have no names"),
            Self { kill: true, .. } => ("-K", "a run that has been cannot be changed"),
            Self { ipv6: true, .. } => ("-6", "simulated hosts speak IPv4"),
            Self { udp: true, .. } => ("-u", "simulated hosts speak TCP"),
            Self { raw: true, .. } => ("-w", "simulated hosts speak TCP"),
            Self { unix: true, .. } => ("-x", "simulated hosts speak TCP"),
            _ => return None,
        })
    }
}

/// Looks. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    if let Some((flag, why)) = args.absent.why() {
        let error = Error {
            span: Some(0..flag.len()),
            message: format!("`ss {flag}` cannot be answered: {why}"),
            expected: "expected flags of -t -a -l -n -o -e -s -H -4 -O".to_owned(),
            help: None,
        };
        return Err(Failure::in_text("ss", flag, &error));
    }
    let filter = args.filter.join(" ");
    let query =
        Query::new(args.flags(), &filter).map_err(|e| Failure::in_text("filter", &filter, &e))?;
    let open = args.look.open()?;
    let command = args.command();
    if args.watch.watch {
        // As JSON each frame is one line.
        let frame = |views: &[HostView]| match args.look.json {
            true => object(views, |view| args.value(&query, view)).to_string() + "\n",
            false => args.frame(&query, &command, views),
        };
        args.watch.run(open, &command, frame, !args.look.json)?;
        return Ok(Verdict::Fine);
    }
    let Open { mut source, hosts, at } = open;
    let views = source.views(&hosts, at)?;
    print(&args.frame(&query, &command, &views))?;
    Ok(Verdict::Fine)
}

impl Args {
    fn flags(&self) -> Flags {
        Flags {
            all: self.all,
            listening: self.listening,
            timers: self.options,
            extended: self.extended,
            no_header: self.no_header,
            tcp: self.tcp,
        }
    }
    fn frame(&self, query: &Query, command: &str, views: &[HostView]) -> String {
        let text = |view: &HostView| self.text(query, view);
        self.look.render(views, command, text, |view| self.value(query, view))
    }
    /// Only the summary? Any other flag that asks for sockets asks for the table as well.
    fn summary_only(&self) -> bool {
        self.summary && !(self.tcp || self.all || self.listening) && self.filter.is_empty()
    }
    fn text(&self, query: &Query, view: &HostView) -> String {
        let mut out = String::new();
        if self.summary {
            out += &ss::summary(view);
        }
        if !self.summary_only() {
            out += &query.text(view);
        }
        out
    }
    fn value(&self, query: &Query, view: &HostView) -> Value {
        let mut out = json!({});
        if self.summary {
            let stat = view.sockstat;
            out["summary"] = json!({
                "total": stat.alloc + stat.tw,
                "estab": view.counter(finwait_model::counters::Mib::CurrEstab),
                "orphaned": stat.orphan,
                "timewait": stat.tw,
            });
        }
        if !self.summary_only() {
            out["sockets"] = query.select(view).into_iter().map(socket).collect();
        }
        out
    }
    /// As it would be typed on the host.
    fn command(&self) -> String {
        let flags = [
            ('t', self.tcp),
            ('a', self.all),
            ('l', self.listening),
            ('n', self.numeric),
            ('o', self.options),
            ('e', self.extended),
            ('H', self.no_header),
            ('s', self.summary),
            ('4', self.ipv4),
            ('O', self.oneline),
        ];
        let flags: String = flags.iter().filter(|(_, on)| *on).map(|(flag, _)| flag).collect();
        let flags = if flags.is_empty() { String::new() } else { format!("-{flags}") };
        let words = ["ss", &flags].into_iter().chain(self.filter.iter().map(String::as_str));
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// A row as JSON, times in seconds.
fn socket(row: &Row) -> Value {
    let object = match row.object {
        Object::Listener => "listener",
        Object::Request => "request",
        Object::Sock => "socket",
        Object::Bucket => "bucket",
    };
    let timer = row.timer.map(|timer| {
        json!({
            "name": timer.name,
            "left_s": timer.left.ns as f64 / 1e9,
            "count": timer.count,
        })
    });
    json!({
        "state": row.state.ss_name(),
        "object": object,
        "recv_q": row.rx_queue,
        "send_q": row.tx_queue,
        "local": row.local.to_string(),
        "peer": row.remote.to_string(),
        "timer": timer,
        "orphan": row.orphan && row.object == Object::Sock,
    })
}
