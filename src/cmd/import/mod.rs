//! `finwait import`: a scenario out of a real machine.

mod inputs;
mod live;

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use finwait_model::time::Span;
use finwait_sim::import::{Basis, Facts, Imported, Wishes, infer};
use finwait_sim::scenario::{Error, Scenario};
use finwait_sim::units;

use crate::failure::{Failure, Verdict, print};
use crate::whole_file::WholeFile;

/// Make a scenario out of a real machine.
///
/// From what its tools print (`sysctl -a`, `nstat`, `netstat -s`, `ss -tan`, `ss -s`, `uname -r`, files
/// of /proc/net) and from captures (pcap, pcapng), in any combination. Files are recognised by
/// what is in them. The scenario says beside each value what it was derived from, or that it was
/// assumed.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Texts and captures, told apart by their content; - is stdin.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// This is `sysctl -a`, or a sysctl.conf.
    #[arg(long, value_name = "FILE")]
    sysctl: Vec<PathBuf>,
    /// This is `nstat`, `netstat -s`, /proc/net/snmp or /proc/net/netstat; two snapshots give rates.
    #[arg(long, value_name = "FILE")]
    counters: Vec<PathBuf>,
    /// This is `ss -tan`, `ss -s`, /proc/net/tcp or /proc/net/sockstat.
    #[arg(long, value_name = "FILE")]
    sockets: Vec<PathBuf>,
    /// The kernel, as `uname -r` or `uname -a` prints it.
    #[arg(long, value_name = "TEXT")]
    uname: Option<String>,
    /// This is a capture, pcap or pcapng; several follow one another in time.
    #[arg(long, value_name = "FILE")]
    capture: Vec<PathBuf>,
    /// How much time lies between the two snapshots of counters.
    #[arg(long, value_name = "TIME", conflicts_with = "live")]
    between: Option<String>,
    /// Read this machine: /proc/sys and /proc/net, twice.
    #[arg(long)]
    live: bool,
    /// How long to wait between the two looks at this machine [default: 10s].
    #[arg(long = "for", value_name = "TIME", requires = "live")]
    wait: Option<String>,
    /// Where /proc is: a copy of another machine's is looked at once.
    #[arg(long, value_name = "DIR", requires = "live", default_value = "/proc")]
    proc: PathBuf,
    /// What the scenario is called.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How much time the scenario covers [default: 180s].
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// Write the scenario here, whole or not at all, and say what was found; - is stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object with the scenario, what each value was derived from, what was
    /// assumed and what was left out.
    #[arg(long)]
    json: bool,
}

/// Reads everything, makes the scenario, checks it, writes it.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let wishes = Wishes {
        name: args.name.clone(),
        duration: args.duration.as_deref().map(|text| time("--duration", text)).transpose()?,
    };
    let mut facts = Facts::default();
    if args.live {
        let wait = args.wait.as_deref().map(|text| time("--for", text)).transpose()?;
        live::look(&args.proc, wait, &mut facts)?;
    }
    inputs::read(args, &mut facts)?;
    if let Some(text) = &args.between {
        facts.between = Some(time("--between", text)?);
    }
    if facts.sources.is_empty() {
        return Err(Failure::Input(
            "error: nothing to import\n  = help: expected files, such as finwait import sysctl.txt \
             run.pcap, or --live for this machine"
                .to_owned(),
        ));
    }
    facts.check().map_err(|error| inputs::plain(&error))?;
    let imported = infer(&facts, &wishes);
    let toml = imported.toml();
    // What is written must be what `finwait run` takes.
    let name =
        args.output.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("imported");
    let scenario = Scenario::parse(&toml, name).map_err(|error| {
        let wrong = Failure::in_text("the scenario that was made", &toml, &error);
        Failure::Input(format!("{wrong}\n  = note: this is a mistake of finwait, not of the input"))
    })?;
    write(args, &imported, &toml, &scenario)
}

fn write(
    args: &Args,
    imported: &Imported,
    toml: &str,
    scenario: &Scenario,
) -> Result<Verdict, Failure> {
    let to_stdout = args.output.as_deref().is_none_or(|path| path.as_os_str() == "-");
    if let Some(path) = args.output.as_deref().filter(|_| !to_stdout) {
        let mut file = WholeFile::create(path)?;
        let wrong = file.complaint();
        file.write_all(toml.as_bytes()).map_err(|error| wrong(&error))?;
        file.keep()?;
        if !args.json {
            print(&summary(imported, scenario, &path.display().to_string()))?;
        }
    } else if !args.json {
        print(toml)?;
    }
    if args.json {
        print(&format!("{:#}\n", object(imported, toml)))?;
    }
    Ok(Verdict::Fine)
}

/// What was found, in a few lines.
fn summary(imported: &Imported, scenario: &Scenario, path: &str) -> String {
    let count = |basis| {
        imported.tables.iter().flat_map(|t| &t.entries).filter(|e| e.basis == basis).count()
    };
    let hosts: Vec<String> = scenario
        .hosts
        .iter()
        .map(|host| format!("{} (Linux {})", host.name, host.release))
        .collect();
    let mut out = format!(
        "{path}: {}; {} applications; {} values given, {} derived, {} assumed\n",
        hosts.join(", "),
        scenario.apps.len(),
        count(Basis::Given),
        count(Basis::Derived),
        count(Basis::Assumed),
    );
    for table in &imported.tables {
        for entry in table.entries.iter().filter(|e| e.basis == Basis::Assumed) {
            let place =
                if table.table.is_empty() { String::new() } else { format!("{}.", table.table) };
            out += &format!("assumed: {place}{} = {}\n", entry.key, entry.value);
        }
    }
    for note in &imported.notes {
        out += note;
        out.push('\n');
    }
    out + &format!("next: finwait run {path}\n")
}

/// docs/json.md describes it.
fn object(imported: &Imported, toml: &str) -> Value {
    let mut object = json!(imported);
    object["scenario"] = json!(toml);
    object
}

fn time(flag: &str, text: &str) -> Result<Span, Failure> {
    let wrong = |expected: String| {
        let error = Error {
            span: Some(0..text.len()),
            message: format!("{text:?} is no length of time"),
            expected,
            help: None,
        };
        Failure::in_text(flag, text, &error)
    };
    match units::span(text) {
        Ok(Span::ZERO) => Err(wrong("expected more than zero".to_owned())),
        Ok(span) => Ok(span),
        Err(expected) => Err(wrong(expected)),
    }
}
