//! What a sweep has done so far, in its folder: a line for the sweep, and a line for each run that
//! has ended. A sweep that was broken off, even by SIGKILL, goes on from there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Spec};
use super::row::Row;
use super::shard::Shard;
use crate::failure::Failure;
use crate::out_dir::Folder;

/// Its name in the folder.
pub(crate) const NAME: &str = "sweep.journal";

/// The first line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Which sweep.
    #[serde(flatten)]
    pub(crate) spec: Spec,
    /// Which part of it; all if there is none.
    pub(crate) shard: Option<Shard>,
}

/// A journal that is written on.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

/// What a journal says.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) head: Head,
    /// The lines of its runs, with their numbers in the file.
    lines: Vec<(usize, String)>,
    /// Where the last whole line ends.
    end: u64,
}

impl Journal {
    /// Begins a journal, or goes on with the one that is there; with the runs that are done.
    pub(crate) fn open(
        folder: &Folder,
        head: &Head,
        plan: &Plan,
    ) -> Result<(Self, BTreeMap<usize, Row>), Failure> {
        let path = folder.path(NAME);
        let wrong = |error: std::io::Error| unusable(&path, &error);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy(&path)),
            // Some file systems have no locks; nothing else depends on them.
            Err(TryLockError::Error(_)) => {}
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(wrong)?;
        // A first line that was not finished tells nothing, and nothing was done.
        let Some(written) = Written::read(&path, &text)? else {
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(wrong)?;
            let line = serde_json::to_string(head);
            let line = line.expect("invariant: numbers and texts can be written as JSON") + "\n";
            file.write_all(line.as_bytes()).map_err(wrong)?;
            return Ok((Self { path, file }, BTreeMap::new()));
        };
        if written.head != *head {
            return Err(another(&path, &written.head, head));
        }
        let rows = written.rows(&path, plan)?;
        // The last line may have been cut short.
        file.set_len(written.end).map_err(wrong)?;
        file.seek(SeekFrom::End(0)).map_err(wrong)?;
        Ok((Self { path, file }, rows))
    }
    /// Writes a run down. Whatever happens to this process afterwards, it stands there.
    pub(crate) fn add(&mut self, row: &Row, plan: &Plan) -> Result<(), Failure> {
        let line = row.to_line(plan);
        self.file.write_all(line.as_bytes()).map_err(|error| unusable(&self.path, &error))
    }
}

/// A journal with everything in order, as the end of a sweep leaves it.
pub(crate) fn sorted(head: &Head, rows: &BTreeMap<usize, Row>, plan: &Plan) -> String {
    let head = serde_json::to_string(head);
    let head = head.expect("invariant: numbers and texts can be written as JSON");
    let lines = rows.values().map(|row| row.to_line(plan));
    std::iter::once(head + "\n").chain(lines).collect()
}

impl Written {
    /// Reads the journal of a folder; there must be one.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(NAME);
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Failure::Input(format!(
                "error: {} is not the folder of a sweep: it has no {NAME}\n  = help: expected what \
                 `finwait sweep --out` has written",
                folder.display()
            )),
            _ => unusable(&path, &error),
        })?;
        Self::read(&path, &text)?.ok_or_else(|| {
            Failure::Input(format!("error: {} is empty: nothing was run", path.display()))
        })
    }
    /// Reads the text of a journal; `None` if not even its first line is whole.
    fn read(path: &Path, text: &str) -> Result<Option<Self>, Failure> {
        // After a power cut a file may be as long as it was, without what stood at its end.
        let Some(end) = text.trim_end_matches('\0').rfind('\n') else { return Ok(None) };
        let mut lines = text[..end].lines();
        let first = lines.next().unwrap_or_default();
        let head =
            serde_json::from_str(first).map_err(|error| damaged(path, 1, &error.to_string()))?;
        let lines = lines.enumerate().map(|(n, line)| (n + 2, line.to_owned()));
        Ok(Some(Self { head, lines: lines.collect(), end: end as u64 + 1 }))
    }
    /// The runs that are done.
    pub(crate) fn rows(&self, path: &Path, plan: &Plan) -> Result<BTreeMap<usize, Row>, Failure> {
        let mut rows = BTreeMap::new();
        for (number, line) in &self.lines {
            let row = Row::from_line(line, plan).map_err(|why| damaged(path, *number, &why))?;
            let run = row.run;
            if self.head.shard.is_some_and(|shard| !shard.has(plan.point_of(run))) {
                return Err(damaged(path, *number, &format!("run {run} is of another shard")));
            }
            if rows.insert(run, row).is_some() {
                return Err(damaged(path, *number, &format!("a second line for run {run}")));
            }
        }
        Ok(rows)
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Input(format!("error: cannot use {}: {error}", path.display()))
}

fn busy(path: &Path) -> Failure {
    Failure::Input(format!(
        "error: {} is in use: another sweep writes into this folder\n  = help: expected a folder of \
         its own for each sweep, and for each shard",
        path.display()
    ))
}

fn damaged(path: &Path, line: usize, why: &str) -> Failure {
    Failure::Input(format!(
        "error: {}:{line}: {why}\n  = help: expected a line that a sweep has written; without the \
         file the sweep begins anew",
        path.display()
    ))
}

/// A folder in which another sweep stands.
fn another(path: &Path, there: &Head, here: &Head) -> Failure {
    let what = differences(there, here).join(", ");
    Failure::Input(format!(
        "error: {} is of another sweep: {what} differ\n  = help: expected another folder, or the \
         arguments with which it was begun",
        path.display()
    ))
}

/// In what two sweeps differ.
pub(crate) fn differences(a: &Head, b: &Head) -> Vec<&'static str> {
    let Spec { finwait, name, scenario, vary, latin, seeds, measures } = &a.spec;
    let all = [
        ("the versions of finwait", *finwait == b.spec.finwait),
        ("the scenarios' names", *name == b.spec.name),
        ("the scenarios or what --set changes", *scenario == b.spec.scenario),
        ("the values of --vary", *vary == b.spec.vary),
        ("the samples of --latin", *latin == b.spec.latin),
        ("the numbers of --seeds", *seeds == b.spec.seeds),
        ("the measures", *measures == b.spec.measures),
        ("the shards", a.shard == b.shard),
    ];
    all.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect()
}
