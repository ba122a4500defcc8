//! The files of an import: each is opened once, told apart by its first bytes, and read.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use finwait_sim::import::Facts;
use finwait_sim::import::capture::Analysis;
use finwait_sim::import::text::{Kind, recognise};
use finwait_sim::pcap::read::{self, is_capture};
use finwait_sim::scenario::Error;

use super::Args;
use crate::failure::Failure;
use crate::progress::Reading;

/// No text that a tool prints of one machine is larger.
const LARGEST_TEXT: u64 = 256 << 20;

/// What a flag says a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Nothing,
    Sysctl,
    Counters,
    Sockets,
    Capture,
}

impl Said {
    /// The kind of text, if the content agrees with the flag; or what was expected.
    fn kind(self, text: &str) -> Result<Kind, Error> {
        let (fits, expected): (&[Kind], _) = match self {
            Self::Nothing => return recognise(text),
            // A file of comments alone is a sysctl.conf, too.
            Self::Sysctl => return Ok(Kind::Sysctl),
            Self::Counters => (
                &[Kind::Nstat, Kind::Netstat, Kind::Mib],
                "expected nstat, netstat -s, /proc/net/snmp or /proc/net/netstat",
            ),
            Self::Sockets => (
                &[Kind::Ss, Kind::SsSummary, Kind::Sockstat, Kind::ProcTcp],
                "expected ss -tan, ss -s, /proc/net/tcp or /proc/net/sockstat",
            ),
            Self::Capture => (&[], "expected a capture: pcap or pcapng"),
        };
        let found = recognise(text);
        match found {
            Ok(kind) if fits.contains(&kind) => Ok(kind),
            Ok(kind) => {
                Err(first_line(text, &format!("this looks like {}", kind.source()), expected))
            }
            Err(error) => Err(Error { expected: expected.to_owned(), help: None, ..error }),
        }
    }
}

fn first_line(text: &str, message: &str, expected: &str) -> Error {
    let end = text.find('\n').unwrap_or(text.len());
    Error {
        span: Some(0..end),
        message: message.to_owned(),
        expected: expected.to_owned(),
        help: None,
    }
}

/// An error about no place in a text.
pub(super) fn plain(error: &Error) -> Failure {
    let expected = if error.expected.is_empty() {
        String::new()
    } else {
        format!("\n  = help: {}", error.expected)
    };
    Failure::Input(format!("error: {}{expected}", error.message))
}

/// Reads them all: the files as they were named, then those behind flags.
pub(super) fn read(args: &Args, facts: &mut Facts) -> Result<(), Failure> {
    let mut analysis: Option<(Analysis, Vec<String>)> = None;
    let named = [
        (&args.files, Said::Nothing),
        (&args.sysctl, Said::Sysctl),
        (&args.counters, Said::Counters),
        (&args.sockets, Said::Sockets),
        (&args.capture, Said::Capture),
    ];
    let all: Vec<&Path> =
        named.iter().flat_map(|(paths, _)| paths.iter()).map(PathBuf::as_path).collect();
    for (paths, said) in named {
        for path in paths {
            one(path, &label(path, &all), said, facts, &mut analysis)?;
        }
    }
    if let Some(text) = &args.uname {
        facts
            .add(Kind::Uname, "--uname", text)
            .map_err(|e| Failure::in_text("--uname", text, &e))?;
    }
    if let Some((analysis, names)) = analysis {
        facts.add_capture(analysis.finish(), &names.join(", "));
    }
    Ok(())
}

/// What comments call a file: its name without folders, if no other has that.
fn label(path: &Path, all: &[&Path]) -> String {
    let same = all.iter().filter(|other| other.file_name() == path.file_name()).count();
    match path.file_name() {
        Some(name) if same == 1 && path.as_os_str() != "-" => name.to_string_lossy().into_owned(),
        _ if path.as_os_str() == "-" => "stdin".to_owned(),
        _ => path.display().to_string(),
    }
}

fn one(
    path: &Path,
    label: &str,
    said: Said,
    facts: &mut Facts,
    captures: &mut Option<(Analysis, Vec<String>)>,
) -> Result<(), Failure> {
    let is_stdin = path.as_os_str() == "-";
    let shown = if is_stdin { "stdin".to_owned() } else { path.display().to_string() };
    let unreadable =
        |error: &io::Error| Failure::Input(format!("error: cannot read {shown}: {error}"));
    let (mut input, size): (Box<dyn Read>, u64) = if is_stdin {
        (Box::new(io::stdin().lock()), 0)
    } else {
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let size = file.metadata().map_or(0, |about| about.len());
        (Box::new(io::BufReader::with_capacity(1 << 18, file)), size)
    };
    let mut first = Vec::new();
    input.by_ref().take(4).read_to_end(&mut first).map_err(|error| unreadable(&error))?;
    let text_is_wanted = matches!(said, Said::Sysctl | Said::Counters | Said::Sockets);
    if is_capture(&first) && !text_is_wanted {
        let (analysis, names) = captures.get_or_insert_with(Default::default);
        let bar = Reading::new(&shown, size);
        let result = analysis.read(Cursor::new(first).chain(input), |bytes| bar.reach(bytes));
        bar.finish();
        result.map_err(|error| match error {
            read::Error::Io(error) => unreadable(&error),
            error => Failure::Input(format!("error: {shown}: {error}")),
        })?;
        names.push(label.to_owned());
        return Ok(());
    }
    let mut bytes = first;
    input.take(LARGEST_TEXT).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 >= LARGEST_TEXT {
        return Err(Failure::Input(format!(
            "error: {shown} is larger than 256 MiB\n  = help: expected a text of one machine, or a capture"
        )));
    }
    let text = text(&shown, bytes)?;
    let wrong = |error: &Error| match error.span {
        Some(_) => Failure::in_text(&shown, &text, error),
        None => plain(error),
    };
    let kind = said.kind(&text).map_err(|error| wrong(&error))?;
    facts.add(kind, label, &text).map_err(|error| wrong(&error))
}

/// The bytes as text.
fn text(shown: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        // What comes before the bad byte stays where it is.
        let lossy = String::from_utf8_lossy(error.as_bytes());
        let error = Error {
            span: Some(at..at + 1),
            message: "this is neither text nor a capture".to_owned(),
            expected: "expected UTF-8 here".to_owned(),
            help: None,
        };
        Failure::in_text(shown, &lossy, &error)
    })
}
