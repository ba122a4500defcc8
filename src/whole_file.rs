//! Output files that appear whole or not at all: written beside their place, then moved there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file that is being written. If it is dropped before [`WholeFile::keep`], nothing is left of it.
#[derive(Debug)]
pub(crate) struct WholeFile {
    /// Where it will be; stdout if it was called `-`.
    path: Option<PathBuf>,
    /// Where it is until then; `None` if it is no file that could be put in place of another: a
    /// device, a pipe.
    part: Option<PathBuf>,
    out: Option<Out>,
    bytes: u64,
}

#[derive(Debug)]
enum Out {
    File(BufWriter<File>),
    Stdout(BufWriter<io::Stdout>),
}

/// Writes go out in pieces of this size.
const PIECE: usize = 1 << 20;

impl WholeFile {
    /// Begins to write what will be at `path`; `-` is stdout.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            let out = Out::Stdout(BufWriter::with_capacity(PIECE, io::stdout()));
            return Ok(Self { path: None, part: None, out: Some(out), bytes: 0 });
        }
        if path.is_dir() {
            return Err(Failure::Input(format!(
                "error: cannot write {}: it is a folder\n  = help: expected the name of a file",
                path.display()
            )));
        }
        let wrong = |error: io::Error| unwritable(path, &error);
        let (part, file) = match fs::metadata(path) {
            // What is there and is no file stays what it is.
            Ok(there) if !there.is_file() => {
                (None, File::options().write(true).open(path).map_err(wrong)?)
            }
            _ => {
                let mut part = path.as_os_str().to_owned();
                part.push(".part");
                let part = PathBuf::from(part);
                let file = File::create(&part).map_err(wrong)?;
                (Some(part), file)
            }
        };
        let out = Out::File(BufWriter::with_capacity(PIECE, file));
        Ok(Self { path: Some(path.to_owned()), part, out: Some(out), bytes: 0 })
    }
    /// Bytes written so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
    /// Puts the file in its place, when all of it is on the disk.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        let wrong = self.complaint();
        self.flush().and_then(|()| self.sync()).map_err(|e| wrong(&e))?;
        self.out = None;
        let (Some(path), Some(part)) = (&self.path, self.part.take()) else { return Ok(()) };
        fs::rename(&part, path).map_err(|e| {
            // It cannot be left beside its place either.
            let _ = fs::remove_file(&part);
            unwritable(path, &e)
        })
    }
    /// Puts what there is of the file in its place, although it could not be written to its end.
    pub(crate) fn keep_what_there_is(mut self) {
        self.out = None;
        if let (Some(path), Some(part)) = (&self.path, self.part.take()) {
            // What went wrong before is reported; if this goes wrong, too, the part stays.
            let _ = fs::rename(part, path);
        }
    }
    fn sync(&self) -> io::Result<()> {
        match &self.out {
            Some(Out::File(out)) if self.part.is_some() => out.get_ref().sync_all(),
            _ => Ok(()),
        }
    }
    /// What a failed write means.
    pub(crate) fn complaint(&self) -> impl Fn(&io::Error) -> Failure + use<> {
        let path = self.path.clone();
        move |error| match &path {
            Some(path) => unwritable(path, error),
            None => Failure::Output(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.out {
            Some(Out::File(out)) => out.write(bytes)?,
            Some(Out::Stdout(out)) => out.write(bytes)?,
            None => 0,
        };
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Some(Out::File(out)) => out.flush(),
            Some(Out::Stdout(out)) => out.flush(),
            None => Ok(()),
        }
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // Whoever began it reports why it was not finished.
            let _ = fs::remove_file(part);
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Input(format!("error: cannot write {}: {error}", path.display()))
}
