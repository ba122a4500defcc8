//! Where pictures are written to, and how.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use finwait_sim::scenario::Error;

use super::{Args, Format, Kind, Made};
use crate::failure::Failure;
use crate::out_dir::Folder;
use crate::whole_file::WholeFile;

/// Where they are written to.
#[derive(Debug)]
pub(crate) enum Place {
    /// The only one goes there; `-` is stdout.
    File(PathBuf),
    /// Each goes into that folder, named after the run and its kind.
    Folder(PathBuf),
}

impl Place {
    /// What `-o` means for those kinds.
    pub(crate) fn of(args: &Args, kinds: &[&Kind]) -> Result<Self, Failure> {
        let Some(path) = &args.output else {
            let pictured = args.svg || args.png;
            return Ok(match kinds {
                [Kind { printed: Some(_), .. }] if !pictured => Self::File(PathBuf::from("-")),
                _ => Self::Folder(PathBuf::new()),
            });
        };
        if kinds.len() == 1 && !path.is_dir() {
            return Ok(Self::File(path.clone()));
        }
        if path.as_os_str() == "-" || path.is_file() {
            let shown = path.display().to_string();
            let error = Error {
                span: Some(0..shown.len()),
                message: format!("{} pictures do not fit into one file", kinds.len()),
                expected: "expected the name of a folder".to_owned(),
                help: None,
            };
            return Err(Failure::in_text("--output", &shown, &error));
        }
        Ok(Self::Folder(path.clone()))
    }
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::File(path) if path.as_os_str() == "-")
    }
    /// Where that kind goes, and in which format.
    pub(crate) fn file(&self, args: &Args, kind: &Kind) -> Result<(PathBuf, Format), Failure> {
        match self {
            Self::Folder(folder) => {
                let format = chosen(args, kind)?.unwrap_or(kind.formats[0]);
                let run = args.run.file_stem().unwrap_or_default().to_string_lossy();
                let name = format!("{run}-{}.{}", kind.name, format.ending());
                Ok((folder.join(name), format))
            }
            Self::File(path) => {
                let format = match (chosen(args, kind)?, path.as_os_str() == "-") {
                    (Some(format), _) => format,
                    (None, true) => kind.printed.unwrap_or(kind.formats[0]),
                    (None, false) => by_ending(path, kind)?,
                };
                Ok((path.clone(), format))
            }
        }
    }
    /// Writes one file, whole or not at all; says how many bytes.
    pub(crate) fn write(&self, path: &Path, made: Made) -> Result<u64, Failure> {
        if let Self::Folder(folder) = self
            && !folder.as_os_str().is_empty()
        {
            Folder::create(folder)?;
        }
        let mut file = WholeFile::create(path)?;
        let Made::Stream(stream) = made else {
            unreachable!("invariant: figures and texts are finished before they are written")
        };
        let wrong = file.complaint();
        stream(&mut file)?.map_err(|error| wrong(&error))?;
        let bytes = file.bytes();
        file.keep()?;
        Ok(bytes)
    }
}

/// The format that a flag asks for.
fn chosen(args: &Args, kind: &Kind) -> Result<Option<Format>, Failure> {
    let (flag, format) = match (args.svg, args.png) {
        (true, _) => ("--svg", Format::Svg),
        (_, true) => ("--png", Format::Png),
        _ => return Ok(None),
    };
    if kind.formats.contains(&format) {
        return Ok(Some(format));
    }
    let error = Error {
        span: Some(0..flag.len()),
        message: format!("{} cannot be written as {}", kind.name, format.ending()),
        expected: format!("expected one of {}", endings(kind)),
        help: Some(format!("leave {flag} out")),
    };
    Err(Failure::in_text("ARGUMENTS", flag, &error))
}

/// The format that a file's name asks for.
fn by_ending(path: &Path, kind: &Kind) -> Result<Format, Failure> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match Format::of_ending(ending) {
        Some(format) if kind.formats.contains(&format) => Ok(format),
        _ => {
            let shown = path.display().to_string();
            let error = Error {
                span: Some(shown.len() - ending.len()..shown.len()),
                message: format!("the name does not say how to write {}", kind.name),
                expected: format!("expected a name that ends in {}", endings(kind)),
                help: None,
            };
            Err(Failure::in_text("--output", &shown, &error))
        }
    }
}

fn endings(kind: &Kind) -> String {
    let endings = kind.formats.iter().map(|format| format!(".{}", format.ending()));
    endings.collect::<Vec<_>>().join(", ")
}

/// What is said about the files that were written.
#[derive(Default, Debug)]
pub(crate) struct Said {
    lines: String,
    objects: Vec<Value>,
}

impl Said {
    pub(crate) fn add(&mut self, path: &Path, kind: &str, bytes: u64) {
        let shown = path.display().to_string();
        self.lines.push_str(&format!("{shown}: {kind}, {bytes} bytes\n"));
        self.objects.push(json!({"file": shown, "kind": kind, "bytes": bytes}));
    }
    pub(crate) fn text(self, json: bool) -> String {
        if json { format!("{}\n", json!({ "files": self.objects })) } else { self.lines }
    }
}
